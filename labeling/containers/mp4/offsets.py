"""Absolute offsets in an MP4 file, which have to follow when boxes before them change their size.

Chunk offsets (stco, co64), auxiliary information of encryption (saio), base offsets of fragments (tfhd), and the
indices of fragments (tfra, sidx): ISO/IEC 14496-12, 8.7.5, 8.7.9, 8.8.7, 8.8.10 and 8.16.3.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Callable, Iterator

from labeling.containers.base import Media
from labeling.containers.edits import Edit, MediaEdit, splice
from labeling.containers.mp4.layout import Layout
from labeling.containers.mp4.movie_box import MoovEdit, grown, joined
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import Box, box, children, descend, descend_with_parents
from labeling.errors import LabelingError

MAX_FRAGMENT = 16 << 20
"""Limit on the bytes of the header of a fragment, and of free space that is filled."""

Moved = Callable[[int], int]
"""Old offset of a byte → its new offset."""


def mover(edits: list[MediaEdit]) -> Moved:
    """Return a function that gives the new offset of the byte at an old offset, once ``edits`` are carried out."""
    steps = sorted((end, len(new) - (end - start)) for start, end, new in edits)
    if not any(delta for _, delta in steps):
        return lambda at: at
    ends = [end for end, _ in steps]
    sums = [0]
    for _, delta in steps:
        sums.append(sums[-1] + delta)
    return lambda at: at + sums[bisect.bisect_right(ends, at)]


def with_offsets(movie: bytes, moved: Moved) -> bytes:
    """Return the movie box with every absolute offset moved.

    Raises:
        OverflowError: An offset no longer fits its 32 bits.
    """
    edits: list[Edit] = []
    view = memoryview(movie)
    for stbl in descend(view, _movie(view), b"trak", b"mdia", b"minf", b"stbl"):
        for table in children(view, stbl):
            at = table.body + 8
            if table.type in (b"stco", b"co64"):
                code = "I" if table.type == b"stco" else "Q"
            elif table.type == b"saio" and table.end - table.body >= 8:
                at = table.body + (16 if view[table.body + 3] & 1 else 8)
                code = "Q" if view[table.body] else "I"
            else:
                continue
            rows = isobmff.rows_of(view, table, at - table.body - 4, code)
            fresh = array(code, map(moved, rows))
            if fresh != rows:
                edits.append((at, at + len(rows) * rows.itemsize, isobmff.table_bytes(fresh)))
    return joined(splice(movie, edits)) if edits else movie


def with_wide_offsets(movie: bytes) -> bytes:
    """Return the movie box with 64-bit chunk offsets in place of 32-bit ones."""
    view = memoryview(movie)
    edits: list[MoovEdit] = []
    for *parents, table in descend_with_parents(view, _movie(view), b"trak", b"mdia", b"minf", b"stbl", b"stco"):
        wide = array("Q", isobmff.rows_of(view, table, 4, "I"))
        new = box(b"co64", bytes(4), len(wide).to_bytes(4, "big"), isobmff.table_bytes(wide))
        edits.append(MoovEdit(table.start, table.end, new, tuple(parents)))
    return grown(movie, edits)


def _movie(view: memoryview) -> Box:
    return isobmff.walk(view, 0, len(view)).boxes[0]


def of_fragments(data: Media, layout: Layout, moved: Moved) -> Iterator[Edit]:
    """Yield the edits that move absolute offsets in fragments, in their index at the end and in the one at the start.

    Raises:
        LabelingError: A fragment's header is too large to be read, or a new offset does not fit its field.
    """
    media = [each for each in layout.boxes if each.type in (b"moof", b"mdat")]
    if all(moved(each.start) == each.start and moved(each.end) == each.end for each in media):
        return
    for each in layout.boxes:
        if each.type not in (b"moof", b"sidx", b"mfra"):
            continue
        if each.end - each.start > MAX_FRAGMENT:
            raise LabelingError("a fragment's header is too large to be read", hint="re-mux the file first")
        raw = data[each.start : each.end]
        view, whole = memoryview(raw), Box(each.type, 0, each.body - each.start, each.end - each.start)
        if each.type == b"sidx":
            yield from _of_index(raw, whole, each, moved)
        for tfhd in descend(view, whole, b"traf", b"tfhd") if each.type == b"moof" else ():
            if tfhd.end - tfhd.body >= 16 and raw[tfhd.body + 3] & 1:
                at = each.start + tfhd.body + 8
                place = moved(int.from_bytes(raw[tfhd.body + 8 : tfhd.body + 16], "big"))
                yield at, at + 8, place.to_bytes(8, "big")
        for tfra in children(view, whole, b"tfra") if each.type == b"mfra" else ():
            yield from _of_random_access(raw, tfra, each.start, moved)


def _of_index(raw: bytes, sidx: Box, each: Box, moved: Moved) -> Iterator[Edit]:
    if sidx.end - sidx.body < 28:
        return
    wide = 8 if raw[sidx.body] else 4
    at = sidx.body + 12 + wide
    yield from _of_references(raw, sidx, each, at + wide, moved)
    first = int.from_bytes(raw[at : at + wide], "big")
    fresh = moved(each.end + first) - moved(each.end)
    if fresh != first and 0 <= fresh < 1 << (8 * wide):
        yield each.start + at, each.start + at + wide, fresh.to_bytes(wide, "big")


def _of_references(raw: bytes, sidx: Box, each: Box, at: int, moved: Moved) -> Iterator[Edit]:
    """Yield the sizes of what an index refers to: subsegments, or further indices, one behind the other."""
    wide = at - sidx.body - 12 >> 1
    place = each.end + int.from_bytes(raw[at - wide : at], "big")
    count = min(int.from_bytes(raw[at + 2 : at + 4], "big"), (sidx.end - at - 4) // 12)
    for row in range(at + 4, at + 4 + 12 * count, 12):
        old = int.from_bytes(raw[row : row + 4], "big")
        size = old & 0x7FFF_FFFF
        fresh = moved(place + size) - moved(place)
        if fresh >= 1 << 31:
            raise LabelingError("its index of fragments cannot hold the new sizes", hint="re-mux the file first")
        if fresh != size:
            yield each.start + row, each.start + row + 4, (old & 0x8000_0000 | fresh).to_bytes(4, "big")
        place += size


def _of_random_access(raw: bytes, tfra: Box, start: int, moved: Moved) -> Iterator[Edit]:
    if tfra.end - tfra.body < 16:
        return
    wide = 8 if raw[tfra.body] else 4
    lengths = int.from_bytes(raw[tfra.body + 8 : tfra.body + 12], "big")
    tail = 3 + (lengths >> 4 & 3) + (lengths >> 2 & 3) + (lengths & 3)
    step = 2 * wide + tail
    count = min(int.from_bytes(raw[tfra.body + 12 : tfra.body + 16], "big"), (tfra.end - tfra.body - 16) // step)
    for row in range(count):
        at = tfra.body + 16 + row * step + wide
        place = moved(int.from_bytes(raw[at : at + wide], "big"))
        if place >= 1 << (8 * wide):
            raise LabelingError("its index of fragments cannot hold the new offsets", hint="re-mux the file first")
        yield start + at, start + at + wide, place.to_bytes(wide, "big")
