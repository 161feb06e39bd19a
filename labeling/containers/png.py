"""PNG and APNG (W3C PNG, third edition; C2PA 2.x A.3.2): metadata is stored in ancillary chunks.

``read`` does not compute the CRC of image data (IDAT, fdAT): it would cost more than everything else, and no metadata
depends on it.
"""

from __future__ import annotations

import binascii
import re
import zlib
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from labeling.containers.base import MAX_PAYLOAD, Block, Buffer, Changes, Contents, Kind, Room
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.containers.png_chunks import SIGNATURE, chunk, view_of, walk
from labeling.containers.png_order import Order
from labeling.errors import LabelingError, UnreadableFile
from labeling.filebytes import Pieces

XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_PROFILE = "Raw profile type "

_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_CRITICAL = {b"IHDR", b"PLTE", b"IEND"}
_MAX_KEYWORD = 79
_RAW_HEAD = re.compile(rb"\s*\S[^\n]{0,78}\n\s*(\d{1,10})\s")
"""The name of a raw profile, which may be two words ("generic profile"), and its length."""

_RAW_KINDS = {"xmp": Kind.XMP, "exif": Kind.EXIF, "iptc": Kind.IPTC, "8bim": Kind.IPTC, "icc": Kind.ICC}
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"

FFMPEG_LOOKS_AT = 2048
"""Bytes in which FFmpeg wants to see the first IDAT of an animation; else it takes the file for a still picture."""

_size = Struct(">II")


def apple_form(data: Buffer | Pieces) -> str:
    """Say why a file in Apple's CgBI form is not labelled; empty for any other.

    Xcode writes the pictures inside of iOS apps this way: with a chunk ahead of IHDR, image data without the header of
    zlib, colours as premultiplied BGRA. Only Apple's decoders show it.
    """
    if bytes(data[12:16]) != b"CgBI":
        return ""
    return (
        "this PNG is in Apple's CgBI form, for the inside of iOS apps; convert it to an ordinary PNG first "
        "(xcrun pngcrush -revert-iphone-optimizations SRC DST)"
    )


# Reading


@dataclass(slots=True)
class _Found:
    """What has been found so far."""

    collector: Collector = field(default_factory=Collector)
    coded: list[tuple[int, int]] = field(default_factory=list)
    width: int = 0
    height: int = 0
    frames: int = 1
    animated: bool = False
    frame_controls: int = 0
    first_idat: int = -1
    end: int = -1


def read(data: Buffer | Pieces) -> Contents:
    """Find the metadata of a PNG file; see :mod:`labeling.containers.base`."""
    found = _Found()
    collector = found.collector
    if bytes(data[:8]) != SIGNATURE:
        collector.problems.append("it does not begin with the PNG signature")
    else:
        _read_chunks(data, found)
        if not found.width or not found.height:
            collector.problems.append("it has no sound image header (IHDR)")
        if found.first_idat < 0 and not collector.problems:
            collector.problems.append("it has no image data (IDAT)")
    if 0 <= found.end < len(data):
        collector.warnings.append(f"{len(data) - found.end} bytes follow the IEND chunk; they are kept")
    if found.animated and found.frame_controls != found.frames:
        collector.warnings.append(f"acTL announces {found.frames} frames, {found.frame_controls} are there")
    if found.animated and found.first_idat > FFMPEG_LOOKS_AT:
        collector.warnings.append(
            f"the picture begins behind {found.first_idat} bytes of metadata: FFmpeg plays the animation only if it is "
            "told to (-f apng)"
        )
    media_type = "image/apng" if found.animated else "image/png"
    size = found.width, found.height
    return collector.contents("png", media_type, found.coded, size, found.frames, fixed=apple_form(data))


def _read_chunks(data: Buffer | Pieces, found: _Found) -> None:
    view, coded = view_of(data), found.coded
    start = stop = -1  # of the run of image data that is being read
    try:
        for name, pos, end in walk(data):
            if name == b"IDAT" or name == b"fdAT":
                if pos != stop:
                    if start >= 0:
                        coded.append((start, stop - start))
                    start = pos
                if found.first_idat < 0 and name == b"IDAT":
                    found.first_idat = pos
                stop = end
            else:
                _read_chunk(view, name, pos, end, found)
    except UnreadableFile as error:
        found.collector.problems.append(error.message)
    if start >= 0:
        coded.append((start, stop - start))


def _read_chunk(view: Any, name: bytes, pos: int, end: int, found: _Found) -> None:
    """Check the CRC of one chunk that is not image data, and collect what it holds."""
    collector = found.collector
    length = end - pos - 12
    # A chunk beyond the limit is not read, so its CRC does not matter either.
    if length <= MAX_PAYLOAD and zlib.crc32(view[pos + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
        report = collector.problems if name in _CRITICAL else collector.warnings
        note(report, f"the CRC of the {name.decode()} chunk at offset {pos} is wrong")
    body = memoryview(view[pos + 8 : end - 4])
    span, late = (pos, end), found.first_idat >= 0
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
        if length == 13 and not found.width:
            found.width, found.height = _size.unpack_from(body)
        else:
            note(collector.problems, f"the IHDR chunk at offset {pos} is not sound")
    elif name == b"acTL" and length >= 8 and not late:
        found.animated, found.frames = True, max(1, int.from_bytes(body[:4], "big"))
    elif name == b"fcTL":
        found.frame_controls += 1
    elif name == b"IEND":
        found.end = end


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
    problem = collector.refusal(len(body), packet=keyword == XMP_KEYWORD)
    text: Buffer = b""
    if not problem:
        text, problem = _text_of(body[zero + 1 :], name, collector)
    kind = Kind.XMP if keyword == XMP_KEYWORD else Kind.TEXT
    if keyword.startswith(RAW_PROFILE) and not problem:
        kind, text, problem = _raw_profile(bytes(text), keyword)
    collector.add(kind, f"PNG {name} {keyword}", span, text, keyword, late, problem)


def _text_of(rest: memoryview, name: str, collector: Collector) -> tuple[Buffer, str]:
    """Return the text after the keyword, decompressed, and what is wrong with it."""
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
    """Read a raw profile as ImageMagick writes it, older than eXIf: a name, a length and hexadecimal digits.

    Returns:
        What it holds, the payload, and what is wrong with it.
    """
    name = keyword[len(RAW_PROFILE) :].lower()
    kind = _RAW_KINDS.get(name, Kind.TEXT)
    if kind is Kind.TEXT and name != "app1":
        return kind, text, ""
    head = _RAW_HEAD.match(text)
    try:
        length = int(head[1]) if head is not None else 0
        # Some writers leave rubbish after the digits; the length says where they end.
        payload = binascii.unhexlify(b"".join(text[head.end() :].split())[: 2 * length]) if head is not None else b""
    except ValueError:
        head = None
    if head is None:
        return kind, b"", "its hexadecimal digits are damaged"
    problem = "" if length == len(payload) else f"{len(payload)} of {length} bytes are there"
    if name == "app1":  # contains the payload of a JPEG APP1 segment of either kind
        kind = Kind.XMP if payload.startswith(_XMP_SEGMENT) else Kind.EXIF
        payload = payload.removeprefix(_XMP_SEGMENT)
    if kind is Kind.EXIF:
        payload = payload.removeprefix(b"Exif\0\0")
    return kind, payload, problem


# Writing


def rewrite(data: Buffer | Pieces, contents: Contents, changes: Changes) -> list[Buffer]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    XMP is written as an uncompressed iTXt chunk, in place of the old one or ahead of the picture. Many readers stop at
    the picture, so a packet after it moves to the front. In an animation it comes after acTL and ahead of fcTL: FFmpeg
    and others ask for IDAT right after the fcTL of the first frame.

    Raises:
        LabelingError: The file has no image data, a block to be dropped is not in it, or the metadata is too large.
    """
    if not contents.coded:
        raise LabelingError("the PNG has no image data; there is nothing to label")
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    order = Order.of(data, contents.coded[0][0])
    edits: list[Edit] = [(block.offset, block.offset + block.length, b"") for block in set(changes.drop)]
    dropped = {block.offset for block in changes.drop}
    kept = [block for block in contents.blocks if block.offset not in dropped]
    if changes.exif is not None:
        edits += _placed(kept, Kind.EXIF, _metadata_chunk(b"eXIf", changes.exif), order)
    if changes.xmp is not None:
        body = XMP_KEYWORD.encode() + b"\0\0\0\0\0" + changes.xmp
        edits += _placed(kept, Kind.XMP, _metadata_chunk(b"iTXt", body), order)
    return splice(data, order.settled(data, edits))


# Room for a manifest


def make_room(data: bytes, length: int) -> Room:
    """Make a copy with room for a C2PA manifest store, in place of any that is there (C2PA 2.2, A.3.2).

    c2pa's own place is right behind IHDR. But FFmpeg wants acTL first in an animation, and ExifTool up to 12 shows no
    EXIF that comes behind a manifest.

    It is ahead of the picture, as A.3.2 recommends. Only in an animation that FFmpeg would then take for a still
    picture, it is behind the last frame.

    Args:
        data: The file.
        length: Bytes of the manifest store.
    """
    chunks = list(walk(data))
    old = [(pos, end) for name, pos, end in chunks if name == b"caBX"]
    first = next(pos for name, pos, _ in chunks if name == b"IDAT")
    order = Order.of(data, first)
    room = chunk(b"caBX", bytes(length))
    edits: list[Edit] = [(pos, end, b"") for pos, end in old]
    head = first - sum(end - pos for pos, end in old if pos < first)
    home = order.home
    if order.control is not None and head <= FFMPEG_LOOKS_AT < head + len(room):
        home = next(pos for name, pos, _ in chunks if name == b"IEND")
    edits.append((home, home, room))
    return Room.around(room, splice(data, order.settled(data, edits)), lambda store: chunk(b"caBX", store))


def _metadata_chunk(name: bytes, body: bytes) -> bytes:
    if len(body) > MAX_PAYLOAD:
        raise LabelingError(
            f"the metadata is {len(body)} bytes, more than the {MAX_PAYLOAD} that are put in a PNG chunk"
        )
    return chunk(name, body)


def _placed(kept: list[Block], kind: Kind, new: bytes, order: Order) -> list[Edit]:
    """Return the edits that put ``new`` in place of the main block of its kind, or where new metadata goes."""
    home = order.home
    main = next((block for block in kept if block.kind is kind), None)
    if main is None:
        return [(home, home, new)]
    if order.is_misplaced(main):
        return [(home, home, new), (main.offset, main.offset + main.length, b"")]
    return [(main.offset, main.offset + main.length, new)]
