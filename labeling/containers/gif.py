"""GIF 87a and 89a: metadata is stored in application extensions and comments (XMP part 3, GIF; C2PA, GIF).

:func:`walk` is the one place that knows how blocks are laid out; codecs use it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import MAX_PAYLOAD, Block, Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.errors import LabelingError, UnreadableFile

MAX_BLOCKS_WALKED = 1 << 20
"""Limit on the blocks (images and extensions) of one file."""

IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B
"""The first byte of a block."""

MAGIC_TRAILER = bytes((1, *range(255, -1, -1), 0))
"""What follows an XMP packet, which is stored raw and not in sub-blocks (XMP part 3).

A reader that takes the packet's bytes for the lengths of sub-blocks ends up somewhere in this trailer, every byte of
which leads it to the terminator.
"""

_XMP = b"XMP DataXMP"
_C2PA = b"C2PA_GIF"
_ICC = b"ICCRGBG1012"
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_APPLICATION, _COMMENT = 0xFF, 0xFE
_XMP_STARTS = (b"<", b"\xef\xbb\xbf<")

_nul = re.compile(rb"\0")
_screen = Struct("<HHB")


def walk(data: Buffer) -> Iterator[tuple[int, int, int]]:
    """Yield the blocks after the header and the global colour table, without looking into them.

    A missing trailer ends the walk without an error, because decoders do not need it.

    Args:
        data: A file whose header and global colour table are whole (see :func:`tables_end`).

    Yields:
        (kind, offset, end) of each block, where kind is its first byte: :data:`IMAGE`, :data:`EXTENSION`,
        :data:`TRAILER`, which is the last, or 0 for a superfluous terminator, which decoders step over.

    Raises:
        UnreadableFile: The file is cut off within a block, no block begins where one must, or there are more than
            :data:`MAX_BLOCKS_WALKED`.
    """
    pos, size = tables_end(data), len(data)
    try:
        for _ in range(MAX_BLOCKS_WALKED):
            if pos >= size:
                return
            kind = data[pos]
            if kind == IMAGE:
                end = _skip_sub_blocks(data, pos + 11 + table_size(data[pos + 9]))  # after the LZW minimum code size
            elif kind == EXTENSION:
                end = _extension_end(data, pos)
            elif kind == TRAILER or kind == 0:
                end = pos + 1
            else:
                raise UnreadableFile(f"there is no block at offset {pos}, where one must begin")
            yield kind, pos, end
            if kind == TRAILER:
                return
            pos = end
    except IndexError as error:
        raise UnreadableFile("the file is cut off within a block") from error
    raise UnreadableFile(f"more than {MAX_BLOCKS_WALKED} blocks")


def tables_end(data: Buffer) -> int:
    """Return the offset after the logical screen descriptor and the global colour table."""
    return 13 + table_size(data[10])


def table_size(flags: int) -> int:
    """Return the size in bytes of the colour table that a packed field announces; 0 if there is none."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_sub_blocks(data: Buffer, pos: int) -> int:
    """Return the offset after the terminator of the sub-blocks that begin at ``pos``."""
    while length := data[pos]:
        pos += length + 1
    return pos + 1


def _join_sub_blocks(data: Buffer, pos: int, end: int) -> bytes:
    """Join what the sub-blocks between ``pos`` and ``end`` hold; stop soon after :data:`MAX_PAYLOAD` bytes."""
    parts, total = [], 0
    while pos < end and (length := data[pos]) and total <= MAX_PAYLOAD:
        parts.append(bytes(data[pos + 1 : pos + 1 + length]))
        total += length
        pos += length + 1
    return b"".join(parts)


def _extension_end(data: Buffer, pos: int) -> int:
    if data[pos + 1] == _APPLICATION and data[pos + 2] == 11 and bytes(data[pos + 3 : pos + 14]) == _XMP:
        return _xmp_packet(data, pos).end
    return _skip_sub_blocks(data, pos + 2)


class _Packet(NamedTuple):
    """Where an XMP extension keeps its packet: (start, stop), and where the extension ends.

    ``form`` is "raw" as the specification says, "sub-blocks", or "bare": raw without its trailer.
    """

    start: int
    stop: int
    end: int
    form: str


def _xmp_packet(data: Buffer, pos: int) -> _Packet:
    """Find the packet of the XMP extension at ``pos``, whichever way its writer stored it.

    Raises:
        IndexError: The file is cut off before the extension ends.
    """
    start = pos + 14
    found = _nul.search(data, start)
    if found is None:
        raise IndexError
    zero = found.start()  # XML contains no NUL: the packet, and all but the last byte of its trailer, come before it
    if data[zero + 1 : zero + 2] == b"\0" and bytes(data[max(start, zero - 256) : zero + 2]) == MAGIC_TRAILER:
        return _Packet(start, zero - 256, zero + 2, "raw")
    if bytes(data[start + 1 : start + 5]).startswith(_XMP_STARTS):
        end = _skip_sub_blocks(data, start)
        return _Packet(start, end, end, "sub-blocks")
    return _Packet(start, zero, zero + 1, "bare")


# Reading


def read(data: Buffer) -> Contents:
    """Find the metadata of a GIF file; see :mod:`labeling.containers.base`."""
    collector = Collector()
    coded: list[tuple[int, int]] = []
    trailer_end = -1
    width = height = 0
    problems = collector.problems
    if bytes(data[:6]) not in (b"GIF87a", b"GIF89a"):
        problems.append("it does not begin with a GIF signature")
    elif len(data) < 13 or len(data) < tables_end(data):
        problems.append("the file is cut off within its header")
    else:
        width, height, _ = _screen.unpack_from(data, 6)
        try:
            for kind, pos, end in walk(data):
                if kind == IMAGE:
                    coded.append((pos, end - pos))
                elif kind == EXTENSION:
                    _read_extension(data, pos, end, bool(coded), collector)
                elif kind == TRAILER:
                    trailer_end = end
        except UnreadableFile as error:
            problems.append(error.message)
        if not coded and not problems:
            problems.append("it has no image")
    if trailer_end < 0 and not problems:
        collector.warnings.append("the trailer that ends a GIF is missing")
    elif 0 <= trailer_end < len(data):
        collector.warnings.append(f"{len(data) - trailer_end} bytes follow the trailer; they are kept")
    return collector.contents("gif", "image/gif", coded, (width, height), max(1, len(coded)))


def _read_extension(data: Buffer, pos: int, end: int, late: bool, collector: Collector) -> None:
    """Collect what the extension between ``pos`` and ``end`` holds."""
    label = data[pos + 1]
    application = label == _APPLICATION and data[pos + 2] == 11
    if not (application or label == _COMMENT) or collector.full:
        return
    if application:
        identifier = bytes(data[pos + 3 : pos + 14])
        if identifier == _XMP:
            _read_xmp(data, pos, late, collector)
            return
        keyword = identifier.rstrip(b"\0\1").decode("latin-1")
        kind, where = Kind.APP, f"GIF application extension {keyword}"
        if identifier.startswith(_C2PA):
            kind, keyword, where = Kind.C2PA, "C2PA_GIF", "GIF application extension C2PA_GIF"
        elif identifier == _ICC:
            kind = Kind.ICC
        collector.add(kind, where, (pos, end), _join_sub_blocks(data, pos + 14, end), keyword, late)
    else:
        collector.add(Kind.COMMENT, "GIF comment", (pos, end), _join_sub_blocks(data, pos + 2, end), "", late)


def _read_xmp(data: Buffer, pos: int, late: bool, collector: Collector) -> None:
    start, stop, end, form = _xmp_packet(data, pos)
    payload: Buffer = memoryview(data)[start:stop]
    problem = ""
    if form == "sub-blocks":
        payload = _join_sub_blocks(data, start, stop)
    elif form == "bare" and not bytes(payload[:4]).startswith(_XMP_STARTS):
        problem = "it holds no XMP packet"
    keyword = "XMP DataXMP"
    collector.add(Kind.XMP, f"GIF application extension {keyword}", (pos, end), payload, keyword, late, problem)
    if form == "bare":
        note(collector.warnings, f"the XMP extension at offset {pos} has no magic trailer")


# Writing


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    A GIF 87a becomes 89a, because 87a has no extensions.

    Raises:
        LabelingError: The changes contain EXIF, for which GIF has no place; the file has no image; a block to be
            dropped is not in it; or the packet cannot be stored.
    """
    if changes.exif is not None:
        raise LabelingError("GIF has no place for EXIF", hint="leave EXIF out, or save the picture as PNG or WebP")
    if not contents.coded:
        raise LabelingError("the GIF has no image; there is nothing to label")
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    dropped = set(changes.drop)
    edits: list[Edit] = [(block.offset, block.offset + block.length, b"") for block in dropped]
    if changes.xmp is not None:
        if b"\0" in changes.xmp or len(changes.xmp) > MAX_PAYLOAD:
            raise LabelingError("a GIF takes only an XMP packet in UTF-8, without NUL bytes and of at most 16 MiB")
        extension = b"\x21\xff\x0b" + _XMP + changes.xmp + MAGIC_TRAILER
        kept = [block for block in contents.blocks if block not in dropped]
        edits += _placed(data, kept, extension, contents.coded[0][0])
        if bytes(data[3:6]) == b"87a":
            edits.append((3, 6, b"89a"))
    return splice(data, edits)


def _placed(data: Buffer, kept: list[Block], extension: bytes, first_image: int) -> list[Edit]:
    """Return the edits that put the XMP extension in place of the old one, or before the first image."""
    home = _home(data)
    main = next((block for block in kept if block.kind is Kind.XMP), None)
    if main is None:
        return [(home, home, extension)]
    if main.offset > first_image:
        return [(home, home, extension), (main.offset, main.offset + main.length, b"")]
    return [(main.offset, main.offset + main.length, extension)]


def _home(data: Buffer) -> int:
    """Return the place for a new extension: after the global colour table.

    A loop extension stays in front of it, because old decoders look for one only there.
    """
    at = tables_end(data)
    if bytes(data[at : at + 3]) == b"\x21\xff\x0b" and bytes(data[at + 3 : at + 14]) in _LOOPS:
        return _skip_sub_blocks(data, at + 14)
    return at
