"""A million of everything: the smallest unit of each format, over and over, inside a file that is otherwise sound.

What a reader keeps for each unit, and does for each, shows here: memory and time that grow faster than the file.
"""

from __future__ import annotations

import struct
import zlib
from random import Random

from .fields import mended_png
from .media_fields import fields_of
from .seeds import chunk, segment

SIZES = (100_000, 400_000, 1_600_000, 6_000_000)
"""Bytes of a flood; files stay below ten megabytes."""


def _flooded(rng: Random, data: bytes, at: int, units: tuple[bytes, ...]) -> bytes:
    unit = rng.choice(units)
    return data[:at] + unit * max(1, rng.choice(SIZES) // len(unit)) + data[at:]


def _nested(rng: Random, head: str, kind: bytes, inner: bytes = b"") -> bytes:
    """Boxes in boxes."""
    depth = rng.choice((100, 1000, 20_000))
    extra = len(inner)
    heads = (struct.pack(head, 8 + extra + (8 + extra) * (depth - 1 - each), kind) + inner for each in range(depth))
    return b"".join(heads)


def jpeg(rng: Random, data: bytes) -> bytes:
    units = (segment(0xFE, b""), segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0"), segment(0xE2, b"MPF\0"), b"\xff",
             segment(0xEB, b"JP\0\1\0\0\0\0\0\0\0\0"), segment(0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\0\0\0\0"),
             segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + b"\0\0\0\1\0\0\0\0"),
             segment(0xE2, b"ICC_PROFILE\0\1\1"), segment(0xDD, b"\0\0"), b"\xff\xd8\xff\xd9")  # fmt: skip
    at = rng.choice((2, 2, len(data), max(2, data.find(b"\xff\xda"))))
    return _flooded(rng, data, at, units)


def png(rng: Random, data: bytes) -> bytes:
    frame = chunk(b"fcTL", struct.pack(">5I2H2B", 1, 1, 1, 0, 0, 1, 1, 0, 0)) + chunk(b"fdAT", b"\0\0\0\2")
    units = (
        chunk(b"tEXt", b"a\0"),
        chunk(b"iTXt", b"AIGC\0\0\0\0\0"),
        chunk(b"IDAT", b""),
        frame,
        chunk(b"foRn", b""),
        chunk(b"zTXt", b"a\0\0" + zlib.compress(b"")),
        chunk(b"eXIf", b"II*\0\x08\0\0\0"),
        chunk(b"caBX", b""),
    )
    if b"acTL" not in data and rng.random() < 0.4:
        data = data[:33] + chunk(b"acTL", struct.pack(">II", rng.choice((1, 1_000_000)), 0)) + data[33:]
    at = rng.choice((33, max(33, data.rfind(b"IEND") - 4), max(33, data.find(b"IDAT") - 4)))
    return _flooded(rng, data, at, units)


def gif(rng: Random, data: bytes) -> bytes:
    frame = b",\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    units = (frame, b"!\xf9\4\4\0\0\0\0" + frame, b"!\xfe\0", b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0", b"\1a", b"!\1\0",
             b",\0\0\0\0\1\0\1\0\0\2\0")  # fmt: skip
    at = data.rfind(b";")
    if rng.random() < 0.3:
        data = data[:6] + struct.pack("<HH", *rng.choice(((3000, 3000), (10_000, 9999), (1, 60_000)))) + data[10:]
    return _flooded(rng, data, max(13, at), units)


def tiff(rng: Random, data: bytes) -> bytes:
    """Strips, tags and directories by the hundred thousand."""
    count = rng.choice((20_000, 65_535, 300_000))
    order, head = rng.choice((("<", b"II*\0"), (">", b"MM\0*")))

    def entry(tag: int, kind: int, number: int, value: int) -> bytes:
        return struct.pack(order + "HHI", tag, kind, number) + (
            struct.pack(order + "HH", value, 0) if kind == 3 and number == 1 else struct.pack(order + "I", value)
        )

    match rng.randrange(3):
        case 0:
            wide, high = rng.choice(((1, count), (8, count), (1000, count)))
            tags = [entry(256, 4, 1, wide), entry(257, 4, 1, high), entry(258, 3, 1, 8), entry(259, 3, 1, 1),
                    entry(262, 3, 1, 1), entry(273, 4, count, 300), entry(277, 3, 1, 1), entry(278, 4, 1, 1),
                    entry(279, 4, count, 300 + 4 * count)]  # fmt: skip
            body = struct.pack(order + "H", len(tags)) + b"".join(tags) + bytes(4)
            lengths = struct.pack(order + "I", rng.choice((1, wide))) * count
            return head + struct.pack(order + "I", 8) + body.ljust(292, b"\0") + lengths + lengths
        case 1:
            tag = entry(
                rng.choice((270, 700, 33_723, 34_665, 330)), rng.choice((2, 4, 7)), rng.choice((1, 4, count)), 8
            )
            some = min(count, 65_535)
            return head + struct.pack(order + "IH", 8, some) + tag * some + bytes(4)
        case _:
            small = entry(256, 3, 1, 1)
            links = (struct.pack(order + "H", 1) + small + struct.pack(order + "I", 8 + 18 * (each + 1))
                     for each in range(count))  # fmt: skip
            return head + struct.pack(order + "I", 8) + b"".join(links) + data[:18]


def riff(rng: Random, data: bytes) -> bytes:
    head = b"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    frame = b"ANMF" + struct.pack("<I", 16 + 8) + head + b"VP8L\0\0\0\0"
    units = (b"XMP \0\0\0\0", b"EXIF\0\0\0\0", b"JUNK\0\0\0\0", b"LIST\4\0\0\0INFO", frame, b"00dc\0\0\0\0",
             b"LIST\x0c\0\0\0INFOISFT\0\0\0\0", b"bext\0\0\0\0")  # fmt: skip
    at = rng.choice((12, len(data), 30))
    data = _flooded(rng, data, at, units)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def bmff(rng: Random, data: bytes) -> bytes:
    """Boxes at the top, inside a box, and inside one another."""
    units = (
        b"\0\0\0\x08free",
        b"\0\0\0\x08uuid",
        b"\0\0\0\x18uuid" + bytes(16),
        b"\0\0\0\x08trak",
        b"\0\0\0\x08moov",
        b"\0\0\0\x08meta",
        b"\0\0\0\x08moof",
        b"\0\0\0\x08udta",
        b"\0\0\0\x08ipco",
        b"\0\0\0\x08mdat",
        b"\0\0\0\1mdat" + bytes(7) + b"\x10",
        b"\0\0\0\x14ispe\0\0\0\0\0\0\0\1\0\0\0\1",
        b"\0\0\0\x15infe\2\0\0\0\0\1\0\0mime\0",
    )
    if rng.random() < 0.2:
        return data + _nested(rng, ">I4s", rng.choice((b"moov", b"trak", b"udta", b"jumb")))
    parents = [field for field in fields_of(data) if data[field.at + 4 : field.at + 8] in
               (b"moov", b"udta", b"meta", b"ipco", b"trak", b"stbl", b"iinf", b"moof", b"iprp")]  # fmt: skip
    if not parents or rng.random() < 0.4:
        return _flooded(rng, data, rng.choice((len(data), int.from_bytes(data[:4], "big") % (len(data) + 1))), units)
    chosen = rng.choice(parents)
    size = int.from_bytes(data[chosen.at : chosen.at + 4], "big")
    grown = _flooded(rng, data, chosen.at + size, units)
    more = len(grown) - len(data)
    around = [
        each for each in parents if each.at <= chosen.at < each.at + int.from_bytes(data[each.at : each.at + 4], "big")
    ]
    for each in around:
        old = int.from_bytes(data[each.at : each.at + 4], "big")
        grown = grown[: each.at] + struct.pack(">I", (old + more) % (1 << 32)) + grown[each.at + 4 :]
    return grown


def ebml(rng: Random, data: bytes) -> bytes:
    units = (
        b"\xec\x80",
        b"\x1f\x43\xb6\x75\x80",
        b"\x12\x54\xc3\x67\x80",
        b"\x12\x54\xc3\x67\x84\x73\x73\x81\0",
        b"\xa3\x84\x81\0\0\x80",
        b"\x1f\x43\xb6\x75\x86\xa3\x84\x81\0\0\x80",
        b"\x16\x54\xae\x6b\x80",
        b"\xbf\x80",
        b"\x67\xc8\x80",
    )
    if rng.random() < 0.2:
        return data + b"\x67\xc8\x01\0\0\0\0\xff\xff\xff" * rng.choice((100, 5000, 100_000))
    return _flooded(rng, data, rng.choice((len(data), max(0, data.find(b"\x1f\x43\xb6\x75")))), units)


def ogg(rng: Random, data: bytes) -> bytes:
    page = b"OggS\0" + bytes(21) + b"\0"
    units = (
        page,
        b"OggS\0\2" + bytes(20) + b"\0",
        b"OggS\0\0" + bytes(20) + b"\1\0",
        b"OggS\0\0" + bytes(20) + b"\xff" + bytes(255),
    )
    pages = [match for match in (data.find(b"OggS", 4), len(data)) if match > 0]
    return _flooded(rng, data, rng.choice(pages), units)


def flv(rng: Random, data: bytes) -> bytes:
    def tag(kind: int, body: bytes) -> bytes:
        return bytes((kind,)) + len(body).to_bytes(3, "big") + bytes(7) + body + (11 + len(body)).to_bytes(4, "big")

    units = (
        tag(8, b""),
        tag(9, b""),
        tag(18, b"\2\0\x0aonMetaData\x08\0\0\0\0\0\0\x09"),
        tag(18, b"\2\0\0"),
        tag(0, b""),
        tag(9, b"\x17\0\0\0\0"),
    )
    if rng.random() < 0.3:
        return data[:13] + tag(18, b"\2\0\x0aonMetaData" + b"\3\0\1a" * rng.choice((100, 100_000))) + data[13:]
    return _flooded(rng, data, rng.choice((13, len(data))), units)


def tagged(rng: Random, data: bytes) -> bytes:
    """ID3v2 frames, whole tags, and frames of MPEG audio."""
    frame = rng.choice((b"TXXX\0\0\0\1\0\0\0", b"TIT2\0\0\0\0\0\0", b"GEOB\0\0\0\1\0\0\0", b"APIC\0\0\0\1\0\0\0"))
    frames = frame * (rng.choice(SIZES) // len(frame))
    size = len(frames)
    header = b"ID3\4\0\0" + bytes(size >> 7 * each & 0x7F for each in (3, 2, 1, 0))
    if rng.random() < 0.4:
        return _flooded(
            rng, data, rng.choice((0, len(data))), (b"ID3\4\0\0\0\0\0\0", b"\xff\xfb\x10\0", b"TAG" + bytes(125))
        )
    return header + frames + data


def flac(rng: Random, data: bytes) -> bytes:
    return _flooded(rng, data, rng.choice((4, 42)), (b"\1\0\0\0", b"\4\0\0\x08" + bytes(8), b"\2\0\0\0", b"\6\0\0\0"))


def text(rng: Random, data: bytes) -> bytes:
    """Objects, elements, openings without an end, attributes."""
    units = (
        b"<a/>",
        b"<",
        b"<a>",
        b" a='1'",
        b"<!---->",
        b"&amp;",
        b"<g><text>x</text></g>",
        b"[",
        b"<<",
        b"1 0 obj\n<<>>\nendobj\n",
        b"(",
        b"0000000000 00000 n \n",
        b"startxref\n",
        b"%PDF-1.4\n",
        b"---\n",
        b"a: &a [*a]\n",
        b"<metadata>",
        b"<![CDATA[",
        b"xref\n0 1\n",
        b"trailer\n<</Prev 0>>\n",
        b"<?xpacket begin='' ?>",
        b"  ",
        b"\n",
        b"stream\n",
        b"<desc>AIGC</desc>",
    )
    return _flooded(rng, data, rng.choice((len(data), len(data) // 2, data.find(b">") + 1)), units)


_FLOODS = (
    (b"\xff\xd8", jpeg), (b"\x89PNG", png), (b"GIF8", gif), (b"II", tiff), (b"MM", tiff), (b"RIFF", riff),
    (b"\x1a\x45\xdf\xa3", ebml), (b"OggS", ogg), (b"FLV", flv), (b"fLaC", flac), (b"ID3", tagged), (b"\xff", tagged),
    (b"FORM", riff), (b"BM", riff),
)  # fmt: skip


def flood(rng: Random, data: bytes) -> bytes:
    """The file with very many units of its own format."""
    if data[4:8] in (b"ftyp", b"JXL "):
        return bmff(rng, data)
    made = next((made for head, made in _FLOODS if data.startswith(head)), text)(rng, data)
    return mended_png(made) if made.startswith(b"\x89PNG") and rng.random() < 0.5 else made
