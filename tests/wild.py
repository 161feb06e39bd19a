"""Tiny files that carry a label as third parties write it: the bytes are made here, from the description of each."""

from __future__ import annotations

import base64
import binascii
import io
import json
import struct
import zlib
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
USER_COMMENT, DESCRIPTION, XMP_TAG, EXIF_POINTER = 0x9286, 0x010E, 0x02BC, 0x8769


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encoded(format: str) -> bytes:
    """A small picture as Pillow codes it."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (90, 120, 150)).save(out, format)
    return out.getvalue()


# PNG


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", binascii.crc32(name + body))


def text(keyword: str, value: str | bytes) -> bytes:
    return chunk(b"tEXt", keyword.encode() + b"\0" + (value if isinstance(value, bytes) else value.encode()))


def ztxt(keyword: str, value: str) -> bytes:
    return chunk(b"zTXt", keyword.encode() + b"\0\0" + zlib.compress(value.encode()))


def itxt(keyword: str, value: str | bytes, *, packed: bool = False) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    head = keyword.encode() + b"\0" + (b"\1\0" if packed else b"\0\0") + b"\0\0"
    return chunk(b"iTXt", head + (zlib.compress(raw) if packed else raw))


def xmp_chunk(packet: bytes) -> bytes:
    return itxt("XML:com.adobe.xmp", packet)


def png(*first: bytes, late: tuple[bytes, ...] = ()) -> bytes:
    """A PNG with chunks behind IHDR and, as ``late``, behind IDAT."""
    plain = encoded("PNG")
    end = plain.index(b"IEND") - 4
    return plain[:33] + b"".join(first) + plain[33:end] + b"".join(late) + plain[end:]


# JPEG


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def app1_xmp(packet: bytes) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def app1_exif(tiff: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + tiff)


def extended(packet: bytes) -> list[bytes]:
    """A main packet that announces ``packet`` as its extension, in two parts (XMP part 3, 1.1.3.1)."""
    guid = b"0123456789ABCDEF0123456789ABCDEF"
    half = len(packet) // 2
    note = f'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="{guid.decode()}"'
    head = b"http://ns.adobe.com/xmp/extension/\0" + guid
    parts = [(0, packet[:half]), (half, packet[half:])]
    return [app1_xmp(packed(f"<rdf:Description rdf:about='' {note}/>"))] + [
        segment(0xE1, head + struct.pack(">II", len(packet), offset) + part) for offset, part in parts
    ]


def jpeg(*segments: bytes, jfif: bool = True) -> bytes:
    """A JPEG with segments behind JFIF, or straight behind SOI."""
    plain = encoded("JPEG")
    rest = 4 + struct.unpack(">H", plain[4:6])[0]
    return plain[:2] + (plain[2:rest] if jfif else b"") + b"".join(segments) + plain[rest:]


# EXIF


def ascii_comment(value: str) -> bytes:
    return b"ASCII\0\0\0" + value.encode()


def exif(
    main: dict[int, bytes], sub: dict[int, bytes] | None = None, *, order: str = ">", next_pointer: bool = True
) -> bytes:
    """A TIFF structure of IFD0 and an Exif IFD, every value of type UNDEFINED or (IFD0 texts) ASCII.

    Without ``next_pointer`` the Exif IFD lacks the pointer to the next one, and its first value stands there.
    """
    body = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8))

    def directory(tags: dict[int, bytes], pointer: bool, below: bool) -> int | None:
        count = len(tags) + below
        at = len(body) + 2 + 12 * count + (4 if pointer else 0)
        body.extend(struct.pack(order + "H", count))
        values = b""
        pointer_at = None
        for tag in sorted([*tags, *([EXIF_POINTER] if below else [])]):
            if tag == EXIF_POINTER:
                pointer_at = len(body) + 8
                body.extend(struct.pack(order + "HHII", tag, 4, 1, 0))
                continue
            kind = 7 if tag == USER_COMMENT else 2
            body.extend(struct.pack(order + "HHII", tag, kind, len(tags[tag]), at + len(values)))
            values += tags[tag]
        body.extend((bytes(4) if pointer else b"") + values)
        return pointer_at

    pointer_at = directory(main, True, sub is not None)
    if sub is not None and pointer_at is not None:
        struct.pack_into(order + "I", body, pointer_at, len(body))
        directory(sub, next_pointer, False)
    return bytes(body)


def commented(value: bytes, **options: Any) -> bytes:
    """EXIF with a UserComment in the Exif IFD, where it belongs."""
    return exif({0x010F: b"maker\0"}, {USER_COMMENT: value}, **options)


# XMP


def packed(inner: str) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF}">{inner}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def element(value: str, *, namespace: str = TC260, prefix: str = "TC260", name: str = "AIGC") -> bytes:
    held = escape(value, {'"': "&quot;"})
    return packed(
        f'<rdf:Description rdf:about="" xmlns:{prefix}="{namespace}">'
        f"<{prefix}:{name}>{held}</{prefix}:{name}></rdf:Description>"
    )


def attribute(value: str, *, namespace: str = TC260, prefix: str = "TC260", name: str = "AIGC") -> bytes:
    held = quoteattr(value, {'"': "&quot;", "\n": "&#xA;"})
    return packed(f'<rdf:Description rdf:about="" xmlns:{prefix}="{namespace}" {prefix}:{name}={held}/>')


def rdf_value(value: str) -> bytes:
    return packed(
        f'<rdf:Description rdf:about="" xmlns:T="{TC260}"><T:AIGC rdf:parseType="Resource">'
        f"<rdf:value>{escape(value)}</rdf:value></T:AIGC></rdf:Description>"
    )


def bytedance(value: str) -> bytes:
    """A declaration before xpacket, an empty begin, and a double ``??>``."""
    quirk = '<?xml version="1.0" encoding="UTF-8"?><?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"??>'
    return quirk.encode() + element(value).split(b"?>", 1)[1]


def kv_base64(value: str) -> bytes:
    """A property that holds base64 of ``AIGC={…}``."""
    return attribute(base64.b64encode(f"AIGC={value}".encode()).decode(), name="XmpKvBase64")


# Other pictures


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of the extended layout with chunks behind the picture."""
    body = encoded("WEBP")[12:]
    flags = {b"EXIF": 0x08, b"XMP ": 0x04}
    header = bytes((sum(flags.get(name, 0) for name, _ in chunks), 0, 0, 0, 15, 0, 0, 15, 0, 0))
    body = b"VP8X" + struct.pack("<I", 10) + header + body
    for name, payload in chunks:
        body += name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) & 1)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif(packet: bytes) -> bytes:
    """A GIF with the XMP application extension and its magic trailer."""
    plain = encoded("GIF")
    extension = b"\x21\xff\x0bXMP DataXMP" + packet + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    return plain[:-1] + extension + plain[-1:]


def tiff(tag: int, kind: int, value: bytes) -> bytes:
    """A one-strip TIFF with one more tag in IFD0."""
    out = io.BytesIO()
    import numpy as np
    import tifffile

    count = len(value)
    tifffile.imwrite(out, np.full((16, 16, 3), 99, np.uint8), extratags=[(tag, kind, count, value, True)])
    return out.getvalue()


def avif(*boxes: bytes, packet: bytes | None = None, tiff: bytes | None = None) -> bytes:
    """An AVIF as Pillow writes it, with items for XMP and EXIF, and further boxes at its end."""
    out = io.BytesIO()
    options: dict[str, Any] = {"xmp": packet} if packet else {}
    if tiff:
        options["exif"] = tiff
    Image.new("RGB", (16, 16)).save(out, "AVIF", **options)
    return out.getvalue() + b"".join(boxes)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def uuid_xmp(packet: bytes) -> bytes:
    return box(b"uuid", bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC"), packet)


JXL = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")


def jxl(*boxes: bytes) -> bytes:
    """A JPEG XL container around the header of an 8 x 8 codestream (ISO/IEC 18181-1, 9.2.1)."""
    return JXL + b"".join(boxes) + box(b"jxlc", bytes.fromhex("ff0a0108000000"))


# Documents


def svg_dc(producer: str) -> bytes:
    """Keys as properties in the namespace of Dublin Core, declared on the root."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="{RDF}" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<metadata><rdf:RDF><rdf:Description rdf:about="" dc:Label="1" dc:ContentProducer="{producer}"/></rdf:RDF>'
        "</metadata></svg>"
    ).encode()


def pdf_info(value: str) -> bytes:
    """The shortest PDF that has an Info dictionary; readers find its objects by search."""
    held = value.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return (
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
        f"2 0 obj\n<< /AIGC ({held}) >>\nendobj\ntrailer\n<< /Root 1 0 R /Info 2 0 R >>\n%%EOF\n"
    ).encode()


def markdown(value: dict[str, Any], quote: str, indent: str) -> bytes:
    """A document that begins with front matter."""
    held = "".join(f"{indent}{key}: {quote}{text}{quote}\n" for key, text in value.items())
    return f"---\nAIGC:\n{held}---\n".encode()
