"""GIF 87a and 89a: metadata lives in application extensions and comments (XMP part 3, GIF; C2PA, GIF)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import MAX_PAYLOAD, Block, Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.errors import LabelingError

MAX_BLOCKS_WALKED = 1 << 20
"""So many blocks (images, extensions) are walked in one file."""

# The packet stands raw, not in sub-blocks (XMP part 3). A reader that takes its bytes for sub-block lengths ends
# up somewhere in this trailer, whose every byte leads to the terminator.
MAGIC_TRAILER = bytes((1, *range(255, -1, -1), 0))

_XMP = b"XMP DataXMP"
_C2PA = b"C2PA_GIF"
_ICC = b"ICCRGBG1012"
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_APPLICATION, _COMMENT = 0xFF, 0xFE
_XMP_STARTS = (b"<", b"\xef\xbb\xbf<")

_nul = re.compile(rb"\0")
_screen = Struct("<HHB")


@dataclass(slots=True)
class _Walk:
    """What has been seen so far."""

    collector: Collector = field(default_factory=Collector)
    coded: list[tuple[int, int]] = field(default_factory=list)
    width: int = 0
    height: int = 0
    end: int = -1


class _CutOffError(Exception):
    """The data end within a block (never leaves this module)."""


def read(data: Buffer) -> Contents:
    """Find the metadata of a GIF file; see :mod:`labeling.containers.base`."""
    walk = _Walk()
    problems, warnings = walk.collector.problems, walk.collector.warnings
    if bytes(data[:6]) not in (b"GIF87a", b"GIF89a"):
        problems.append("it does not begin with a GIF signature")
    elif len(data) < 13 or len(data) < _tables_end(data):
        problems.append("the file is cut off within its header")
    else:
        walk.width, walk.height, _ = _screen.unpack_from(data, 6)
        try:
            _walk_blocks(data, walk)
        except (_CutOffError, IndexError):
            problems.append("the file is cut off within a block")
        if not walk.coded and not problems:
            problems.append("it has no image")
    if walk.end < 0 and not problems:
        warnings.append("the trailer that ends a GIF is missing")
    elif 0 <= walk.end < len(data):
        warnings.append(f"{len(data) - walk.end} bytes follow the trailer; they are kept")
    return Contents(
        "gif",
        "image/gif",
        tuple(walk.collector.blocks),
        tuple(walk.coded),
        walk.width,
        walk.height,
        max(1, len(walk.coded)),
        tuple(problems),
        tuple(warnings),
    )


def _tables_end(data: Buffer) -> int:
    """The offset behind the logical screen descriptor and the global colour table."""
    flags = data[10]
    return 13 + _table_size(flags)


def _table_size(flags: int) -> int:
    """Bytes of the colour table that the packed field announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _walk_blocks(data: Buffer, walk: _Walk) -> None:
    pos, size = _tables_end(data), len(data)
    for _ in range(MAX_BLOCKS_WALKED):
        if pos >= size:
            return
        introducer = data[pos]
        if introducer == _IMAGE:
            start = pos + 10 + _table_size(data[pos + 9])
            end = _skip_sub_blocks(data, start + 1)  # behind the LZW minimum code size
            walk.coded.append((pos, end - pos))
        elif introducer == _EXTENSION:
            end = _read_extension(data, pos, walk)
        elif introducer == _TRAILER:
            walk.end = pos + 1
            return
        elif introducer == 0:  # one terminator too many: decoders step over it
            end = pos + 1
        else:
            walk.collector.problems.append(f"there is no block at offset {pos}, where one must begin")
            return
        pos = end
    walk.collector.problems.append(f"more than {MAX_BLOCKS_WALKED} blocks")


def _skip_sub_blocks(data: Buffer, pos: int) -> int:
    """The offset behind the terminator of the sub-blocks that begin at ``pos``."""
    while length := data[pos]:
        pos += length + 1
    return pos + 1


def _join_sub_blocks(data: Buffer, pos: int, end: int) -> bytes:
    """What the sub-blocks between ``pos`` and ``end`` hold, cut after :data:`MAX_PAYLOAD` and a little."""
    parts, total = [], 0
    while pos < end and (length := data[pos]) and total <= MAX_PAYLOAD:
        parts.append(bytes(data[pos + 1 : pos + 1 + length]))
        total += length
        pos += length + 1
    return b"".join(parts)


def _read_extension(data: Buffer, pos: int, walk: _Walk) -> int:
    """Take what the extension at ``pos`` holds; the offset behind it."""
    label, late = data[pos + 1], bool(walk.coded)
    collector = walk.collector
    if label == _APPLICATION and data[pos + 2] == 11:
        identifier = bytes(data[pos + 3 : pos + 14])
        if identifier == _XMP:
            return _read_xmp(data, pos, late, collector)
        end = _skip_sub_blocks(data, pos + 14)
        keyword = identifier.rstrip(b"\0\1").decode("latin-1")
        kind, where = Kind.APP, f"GIF application extension {keyword}"
        if identifier.startswith(_C2PA):
            kind, keyword, where = Kind.C2PA, "C2PA_GIF", "GIF application extension C2PA_GIF"
        elif identifier == _ICC:
            kind = Kind.ICC
        if not collector.full:
            collector.add(kind, where, (pos, end), _join_sub_blocks(data, pos + 14, end), keyword, late)
        return end
    end = _skip_sub_blocks(data, pos + 2)
    if label == _COMMENT and not collector.full:
        collector.add(Kind.COMMENT, "GIF comment", (pos, end), _join_sub_blocks(data, pos + 2, end), "", late)
    return end


def _read_xmp(data: Buffer, pos: int, late: bool, collector: Collector) -> int:
    """Take the packet of the XMP extension at ``pos``, raw as the specification says or in sub-blocks."""
    where, keyword, start = "GIF application extension XMP DataXMP", "XMP DataXMP", pos + 14
    found = _nul.search(data, start)
    if found is None:
        raise _CutOffError
    zero = found.start()  # no XML holds a NUL: the packet and all but the last bytes of the trailer are before it
    if bytes(data[max(start, zero - 256) : zero + 2]) == MAGIC_TRAILER:
        collector.add(Kind.XMP, where, (pos, zero + 2), memoryview(data)[start : zero - 256], keyword, late)
        return zero + 2
    if bytes(data[start + 1 : start + 5]).startswith(_XMP_STARTS):
        end = _skip_sub_blocks(data, start)
        collector.add(Kind.XMP, where, (pos, end), _join_sub_blocks(data, start, end), keyword, late)
        return end
    problem = "" if bytes(data[start : start + 4]).startswith(_XMP_STARTS) else "it holds no XMP packet"
    collector.add(Kind.XMP, where, (pos, zero + 1), memoryview(data)[start:zero], keyword, late, problem)
    note(collector.warnings, f"the XMP extension at offset {pos} has no magic trailer")
    return zero + 1


# Writing


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    A GIF 87a becomes 89a, because 87a has no extensions. Raises :class:`~labeling.errors.LabelingError` for
    EXIF, which GIF has no place for.
    """
    if changes.exif is not None:
        raise LabelingError("GIF has no place for EXIF; leave EXIF out, or save the picture as PNG or WebP")
    if not contents.coded:
        raise LabelingError("the GIF has no image; there is nothing to label")
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    dropped = set(changes.drop)
    edits: list[Edit] = [(block.offset, block.offset + block.length, b"") for block in dropped]
    if changes.xmp is not None:
        if b"\0" in changes.xmp or len(changes.xmp) > MAX_PAYLOAD:
            raise LabelingError("a GIF takes an XMP packet in UTF-8 without NUL bytes, of at most 16 MiB")
        extension = b"\x21\xff\x0b" + _XMP + changes.xmp + MAGIC_TRAILER
        kept = [block for block in contents.blocks if block not in dropped]
        edits += _placed(data, kept, extension, contents.coded[0][0])
        if bytes(data[3:6]) == b"87a":
            edits.append((3, 6, b"89a"))
    return splice(data, edits)


def _placed(data: Buffer, kept: list[Block], extension: bytes, first_image: int) -> list[Edit]:
    """The edits that put the XMP extension in place of the old one, or before the first image."""
    home = _home(data)
    main = next((block for block in kept if block.kind is Kind.XMP), None)
    if main is None:
        return [(home, home, extension)]
    if main.offset > first_image:
        return [(home, home, extension), (main.offset, main.offset + main.length, b"")]
    return [(main.offset, main.offset + main.length, extension)]


def _home(data: Buffer) -> int:
    """Behind the colour table, and behind a loop extension there: old decoders look for it only there."""
    at = _tables_end(data)
    if bytes(data[at : at + 3]) == b"\x21\xff\x0b" and bytes(data[at + 3 : at + 14]) in _LOOPS:
        return _skip_sub_blocks(data, at + 14)
    return at
