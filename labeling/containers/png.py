"""PNG and APNG (W3C PNG, third edition; C2PA 2.x A.3.2): metadata lives in ancillary chunks.

The CRC of image data (IDAT, fdAT) is not computed: it would cost more than everything else, and no metadata
hangs on it.
"""

from __future__ import annotations

import binascii
import zlib
from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import MAX_PAYLOAD, Block, Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.errors import LabelingError

MAX_CHUNKS = 1 << 18
"""So many chunks are walked in one file: with 8 KiB IDAT chunks that is a file of 2 GiB."""

XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_PROFILE = "Raw profile type "

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_CRITICAL = {b"IHDR", b"PLTE", b"IEND"}
_MAX_LENGTH = (1 << 31) - 1
_MAX_KEYWORD = 79
_RAW_KINDS = {"xmp": Kind.XMP, "exif": Kind.EXIF, "iptc": Kind.IPTC, "8bim": Kind.IPTC, "icc": Kind.ICC}
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"

_head = Struct(">I4s")
_size = Struct(">II")


@dataclass(slots=True)
class _Walk:
    """What has been seen so far."""

    collector: Collector = field(default_factory=Collector)
    coded: list[tuple[int, int]] = field(default_factory=list)
    width: int = 0
    height: int = 0
    frames: int = 1
    animated: bool = False
    frame_controls: int = 0
    first_idat: int = -1
    end: int = -1


def read(data: Buffer) -> Contents:
    """Find the metadata of a PNG file; see :mod:`labeling.containers.base`."""
    walk = _Walk()
    problems = walk.collector.problems
    if bytes(data[:8]) != _SIGNATURE:
        problems.append("it does not begin with the PNG signature")
    else:
        _walk_chunks(data, walk)
        if not walk.width or not walk.height:
            problems.append("it has no sound image header (IHDR)")
        if walk.first_idat < 0 and not problems:
            problems.append("it has no image data (IDAT)")
    if 0 <= walk.end < len(data):
        walk.collector.warnings.append(f"{len(data) - walk.end} bytes follow the IEND chunk; they are kept")
    if walk.animated and walk.frame_controls != walk.frames:
        walk.collector.warnings.append(f"acTL announces {walk.frames} frames, {walk.frame_controls} are there")
    return Contents(
        "png",
        "image/apng" if walk.animated else "image/png",
        tuple(walk.collector.blocks),
        tuple(walk.coded),
        walk.width,
        walk.height,
        walk.frames,
        tuple(problems),
        tuple(walk.collector.warnings),
    )


def _walk_chunks(data: Buffer, walk: _Walk) -> None:
    problems = walk.collector.problems
    view, size, pos = memoryview(data), len(data), 8
    for _ in range(MAX_CHUNKS):
        if pos + 12 > size:
            problems.append(f"the file is cut off at offset {pos}: there is no IEND chunk")
            return
        length, name = _head.unpack_from(view, pos)
        end = pos + 12 + length
        if not name.isalpha():
            problems.append(f"there is no chunk at offset {pos}, where one must begin")
            return
        if end > size or length > _MAX_LENGTH:
            problems.append(
                f"the {name.decode()} chunk at offset {pos} says it holds {length} bytes, but {size - pos - 12} follow"
            )
            return
        if name == b"IDAT" or name == b"fdAT":
            _add_coded(walk, name, pos, end)
        else:
            _read_chunk(view, name, pos, end, walk)
            if name == b"IEND":
                walk.end = end
                return
        pos = end
    problems.append(f"more than {MAX_CHUNKS} chunks")


def _add_coded(walk: _Walk, name: bytes, pos: int, end: int) -> None:
    if walk.first_idat < 0 and name == b"IDAT":
        walk.first_idat = pos
    if walk.coded and sum(walk.coded[-1]) == pos:
        walk.coded[-1] = (walk.coded[-1][0], end - walk.coded[-1][0])
    else:
        walk.coded.append((pos, end - pos))


def _read_chunk(view: memoryview, name: bytes, pos: int, end: int, walk: _Walk) -> None:
    """Judge the CRC of one chunk that is not image data, and take what it holds."""
    collector = walk.collector
    length = end - pos - 12
    # A chunk beyond the bound is not looked into, so its CRC does not matter either.
    if length <= MAX_PAYLOAD and zlib.crc32(view[pos + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
        report = collector.problems if name in _CRITICAL else collector.warnings
        note(report, f"the CRC of the {name.decode()} chunk at offset {pos} is wrong")
    body = view[pos + 8 : end - 4]
    span, late = (pos, end), walk.first_idat >= 0
    if name in _TEXT:
        if not collector.full:
            _read_text(body, name.decode(), span, late, collector)
    elif name == b"eXIf":
        collector.add(Kind.EXIF, "PNG eXIf", span, body, "eXIf", late)
    elif name == b"caBX":
        collector.add(Kind.C2PA, "PNG caBX", span, body, "caBX", late)
    elif name == b"iCCP":
        _read_icc(body, span, late, collector)
    elif name == b"IHDR":
        if length == 13 and not walk.width:
            walk.width, walk.height = _size.unpack_from(body)
        else:
            note(collector.problems, f"the IHDR chunk at offset {pos} is not sound")
    elif name == b"acTL" and length >= 8 and not late:
        walk.animated, walk.frames = True, max(1, int.from_bytes(body[:4], "big"))
    elif name == b"fcTL":
        walk.frame_controls += 1


def _read_icc(body: memoryview, span: tuple[int, int], late: bool, collector: Collector) -> None:
    name, problem, profile = bytes(body[: _MAX_KEYWORD + 1]), "", b""
    zero = name.find(0)
    if zero < 0:
        problem = "it has no profile name"
    else:
        profile, problem = collector.inflate(body[zero + 2 :])
    keyword = name[: max(zero, 0)].decode("latin-1")
    collector.add(Kind.ICC, "PNG iCCP", span, profile, keyword, late, problem)


# Text chunks


def _read_text(body: memoryview, name: str, span: tuple[int, int], late: bool, collector: Collector) -> None:
    head = bytes(body[: _MAX_KEYWORD + 1])
    zero = head.find(0)
    if zero < 0:
        collector.add(Kind.TEXT, f"PNG {name}", span, b"", "", late, "it has no keyword of 1 to 79 bytes")
        return
    keyword = head[:zero].decode("latin-1")
    problem = collector.refusal(len(body))
    text: Buffer = b""
    if not problem:
        text, problem = _text_of(body[zero + 1 :], name, collector)
    kind = Kind.XMP if keyword == XMP_KEYWORD else Kind.TEXT
    if keyword.startswith(RAW_PROFILE) and not problem:
        kind, text, problem = _raw_profile(bytes(text), keyword)
    collector.add(kind, f"PNG {name} {keyword}", span, text, keyword, late, problem)


def _text_of(rest: memoryview, name: str, collector: Collector) -> tuple[Buffer, str]:
    """The text behind the keyword, decompressed: (text, problem)."""
    if name == "tEXt":
        return rest, ""
    if name == "zTXt":
        if not rest or rest[0] != 0:
            return b"", "its compression method is not known"
        return collector.inflate(rest[1:])
    raw = bytes(rest)
    language_end = raw.find(0, 2)
    text_at = raw.find(0, language_end + 1) + 1 if language_end >= 0 else 0
    if not text_at:
        return b"", "its language tag or translated keyword does not end"
    if raw[0] == 0:
        return rest[text_at:], ""
    if raw[0] != 1 or raw[1] != 0:
        return b"", "its compression method is not known"
    return collector.inflate(rest[text_at:])


def _raw_profile(text: bytes, keyword: str) -> tuple[Kind, bytes, str]:
    """ImageMagick's raw profile, older than eXIf: name, length, hex digits: (kind, payload, problem)."""
    name = keyword[len(RAW_PROFILE) :].lower()
    kind = _RAW_KINDS.get(name, Kind.TEXT)
    if kind is Kind.TEXT and name != "app1":
        return kind, text, ""
    parts = text.split(None, 2)
    try:
        length = int(parts[1][:10])
        # Some writers leave rubbish behind the digits; the length says where they end.
        payload = binascii.unhexlify(b"".join(parts[2].split())[: 2 * max(length, 0)])
    except (IndexError, ValueError):
        return kind, text, "its hexadecimal digits are damaged"
    problem = "" if length == len(payload) else f"{len(payload)} of {length} bytes are there"
    if name == "app1":  # holds a JPEG APP1 payload, of either sort
        kind = Kind.XMP if payload.startswith(_XMP_SEGMENT) else Kind.EXIF
        payload = payload.removeprefix(_XMP_SEGMENT)
    if kind is Kind.EXIF:
        payload = payload.removeprefix(b"Exif\0\0")
    return kind, payload, problem


# Writing


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    XMP becomes an uncompressed iTXt chunk in place of the old one, or before IDAT: many readers stop at IDAT,
    so a packet behind it moves to the front.
    """
    if not contents.coded:
        raise LabelingError("the PNG has no image data; there is nothing to label")
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    dropped = {block.offset for block in changes.drop}
    edits: list[Edit] = [(block.offset, block.offset + block.length, b"") for block in set(changes.drop)]
    kept = [block for block in contents.blocks if block.offset not in dropped]
    home = contents.coded[0][0]
    if changes.exif is not None:
        edits += _placed(kept, Kind.EXIF, _chunk(b"eXIf", changes.exif), home)
    if changes.xmp is not None:
        body = XMP_KEYWORD.encode() + b"\0\0\0\0\0" + changes.xmp
        edits += _placed(kept, Kind.XMP, _chunk(b"iTXt", body), home)
    return splice(data, edits)


def _chunk(name: bytes, body: bytes) -> bytes:
    if len(body) > MAX_PAYLOAD:
        raise LabelingError(f"the metadata is {len(body)} bytes, more than the {MAX_PAYLOAD} we put in one PNG chunk")
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def _placed(kept: list[Block], kind: Kind, chunk: bytes, home: int) -> list[Edit]:
    """The edits that put ``chunk`` in place of the main block of its kind, or before ``home``."""
    main = next((block for block in kept if block.kind is kind), None)
    if main is None:
        return [(home, home, chunk)]
    if main.offset > home:
        return [(home, home, chunk), (main.offset, main.offset + main.length, b"")]
    return [(main.offset, main.offset + main.length, chunk)]
