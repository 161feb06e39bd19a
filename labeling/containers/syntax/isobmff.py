"""ISO base media files (ISO/IEC 14496-12): walk boxes, and read the chunk offsets of tracks.

MP4, HEIF, AVIF and JPEG XL share this module. Whatever a file claims, allocations are bounded by its size: a table has
no more rows than its box has room for.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import Media

MAX_BOXES = 1 << 16
"""Limit on the boxes that are walked in one box or file."""

MAX_TRACKS = 64
"""Limit on the tracks that are looked at in one movie."""

UUID_XMP = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
UUID_C2PA = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")

_head = Struct(">I4s")


class Box(NamedTuple):
    """One box.

    Attributes:
        type: Its four-character code.
        start: Offset of its header.
        body: Offset of its content, behind the header and, in a uuid box, behind the user type.
        end: Offset of the first byte behind it.
        user: The 16 bytes of user type of a uuid box; else empty.
    """

    type: bytes
    start: int
    body: int
    end: int
    user: bytes = b""


def printable(raw: bytes) -> str:
    """Return a four-character code, or another short text of a file, as one printable line whatever it contains."""
    return raw.decode("latin-1").strip().encode("unicode_escape").decode("ascii")


class Walk(NamedTuple):
    """The result of :func:`walk`.

    Attributes:
        boxes: The boxes found.
        end: Offset of the end of the last valid box.
        problem: Why the walk stopped there; empty if everything was walked.
        cut: Type of a box that extends beyond its container; empty if none does.
    """

    boxes: list[Box]
    end: int
    problem: str = ""
    cut: bytes = b""


def walk(view: memoryview, start: int, stop: int, limit: int = MAX_BOXES, only: bytes = b"") -> Walk:
    """Walk the boxes between the offsets ``start`` and ``stop``, ``limit`` at most.

    Args:
        view: The bytes that the offsets count from.
        start: Offset of the first box.
        stop: Offset of the end of the last box.
        limit: How many boxes are walked.
        only: The type of the boxes to return, of all that are walked; empty for every type.
    """
    found: list[Box] = []
    pos, count = start, 0
    while pos + 8 <= stop:
        if count >= limit:
            return Walk(found, pos, f"more than {limit} boxes")
        size, kind = _head.unpack_from(view, pos)
        body, user = pos + 8, b""
        if size == 1:
            body = pos + 16
            size = int.from_bytes(view[pos + 8 : min(body, stop)], "big")
        elif size == 0:  # to the end
            size = stop - pos
        if kind == b"uuid":
            user = bytes(view[body : min(body + 16, stop)])
            body += 16
        if size < body - pos:
            return Walk(found, pos, f"there is no valid box at offset {pos}")
        if pos + size > stop:
            name = printable(kind)
            message = f"the {name} box at offset {pos} says it has {size} bytes, but {stop - pos} are there"
            return Walk(found, pos, message, kind)
        if not only or kind == only:
            found.append(Box(kind, pos, body, pos + size, user))
        count += 1
        pos += size
    return Walk(found, pos, "" if pos == stop else f"{stop - pos} bytes at offset {pos} are no box")


MAX_BESIDE, MAX_IN_ALL = 12288, 1 << 16
"""Limits on the boxes of a file that is given to c2pa-rs (0.91): those beside each other, in whose square its time
grows (in several places, the root of the sum of squares), and all. A file of 6 000 fragments has as many."""

_CONTAINERS = frozenset((
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts", b"udta", b"mvex", b"mfra", b"dinf",
    b"tref", b"schi", b"meta", b"iprp",
))  # fmt: skip
_DEEPEST = 32  # c2pa-rs refuses a file with deeper boxes


def too_many_boxes(data: Media, *, spare: int = 0) -> bool:
    """Return whether a file has more boxes than c2pa-rs reads in seconds, as far as they are valid.

    ``spare`` is how many more there are to be.
    """
    pages = _Pages(data)
    squares, total = 0, 0
    open_boxes = [(0, len(data), 0)]  # where to go on, the end of the box, and how many boxes of it were seen
    while open_boxes:
        pos, stop, seen = open_boxes.pop()
        length, kind, body = pages.header(pos, stop)
        if not length:
            continue
        total += 1
        squares += 2 * seen + 1
        if squares > (MAX_BESIDE - spare) ** 2 or total > MAX_IN_ALL - spare:
            return True
        open_boxes.append((pos + length, stop, seen + 1))
        if kind in _CONTAINERS and len(open_boxes) < _DEEPEST:
            open_boxes.append((body + 4 * (kind == b"meta" and pages.is_full(body)), pos + length, 0))
    return False


class _Pages:
    """Reads box headers, many small boxes at a time: each slice of a file is a system call."""

    def __init__(self, data: Media) -> None:
        self._data, self._base, self._page, self._step = data, 0, b"", 1 << 8

    def _at(self, pos: int) -> bytes:
        at = pos - self._base
        if not 0 <= at <= len(self._page) - 16:
            self._step = 1 << 14 if 0 <= at <= 1 << 10 else 1 << 8
            self._base, self._page, at = pos, self._data[pos : pos + self._step], 0
        return self._page[at : at + 16]

    def header(self, pos: int, stop: int) -> tuple[int, bytes, int]:
        """Return the length of the box at ``pos``, its type, and where its content begins; length 0 if it is none."""
        if pos + 8 > stop:
            return 0, b"", 0
        head = self._at(pos)
        length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], pos + 8
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), pos + 16
        return (length if body <= pos + length <= stop else 0), kind, body

    def is_full(self, body: int) -> bool:
        """Return whether version and flags come first in a ``meta`` box; in QuickTime files they do not."""
        return not any(self._at(body)[:4])


def box(kind: bytes, *parts: bytes) -> bytes:
    """Build a box with a 32-bit size around ``parts``."""
    return _head.pack(8 + sum(map(len, parts)), kind) + b"".join(parts)


def full_box(kind: bytes, version: int, *parts: bytes, flags: int = 0) -> bytes:
    """Build a full box: one with version and flags."""
    return box(kind, bytes((version,)) + flags.to_bytes(3, "big"), *parts)


# Tracks


@dataclass(slots=True)
class Track:
    """The sample tables of one track.

    Attributes:
        handler: Its handler type, such as ``vide`` or ``pict``.
        table: The box with the chunk offsets (stco or co64).
        offsets: The absolute offsets of its chunks.
        samples: Number of samples.
        sizes: Size of each sample in bytes, or the one size of all.
        runs: (first chunk, samples per chunk) of each run of chunks.
    """

    handler: bytes
    table: Box
    offsets: array[int]
    samples: int
    sizes: array[int] | int
    runs: list[tuple[int, int]]

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield (offset, length) of every chunk whose size is known."""
        count = len(self.offsets)
        sizes = self.sizes
        totals = [] if isinstance(sizes, int) else [0, *accumulate(sizes)]
        sample = 0
        for (first, per_chunk), (following, _) in pairwise([*self.runs, (count + 1, 0)]):
            for chunk in range(max(1, first), min(following, count + 1)):
                stop = min(sample + per_chunk, self.samples)
                length = (stop - sample) * sizes if isinstance(sizes, int) else totals[stop] - totals[sample]
                yield self.offsets[chunk - 1], length
                sample = stop


def tracks(view: memoryview, moov: Box) -> tuple[list[Track], str]:
    """Return the tracks of a movie up to the first one without chunk offsets, and what is wrong with that one."""
    found: list[Track] = []
    for trak in children(view, moov, b"trak")[:MAX_TRACKS]:
        path = trak
        handler = b""
        for kind in (b"mdia", b"minf", b"stbl"):
            below = children(view, path)
            for hdlr in below:
                if hdlr.type == b"hdlr" and kind == b"minf":
                    handler = bytes(view[hdlr.body + 8 : min(hdlr.body + 12, hdlr.end)])
            inner = [each for each in below if each.type == kind]
            if not inner:
                return found, f"a track has no {kind.decode()} box"
            path = inner[0]
        tables = {each.type: each for each in children(view, path)}
        table = tables.get(b"stco") or tables.get(b"co64")
        if table is None:
            return found, "a track has no chunk offsets"
        offsets = rows_of(view, table, 4, "I" if table.type == b"stco" else "Q")
        samples, sizes = _sizes(view, tables.get(b"stsz"))
        found.append(Track(handler, table, offsets, samples, sizes, _runs(view, tables.get(b"stsc"))))
    return found, ""


def children(view: memoryview, parent: Box, kind: bytes = b"") -> list[Box]:
    """Return the boxes inside ``parent``, or only those of one type."""
    return walk(view, parent.body, parent.end, only=kind).boxes


def descend(view: memoryview, parent: Box, *path: bytes) -> Iterator[Box]:
    """Yield every box at a path below ``parent``, in the order of the file.

    Args:
        view: The bytes that the offsets of ``parent`` count from.
        parent: The box to start in.
        *path: Types of nested boxes, outermost first; not empty.

    Example:
        >>> movie = box(b"moov", box(b"trak", box(b"mdia", b""), box(b"mdia", b"")))
        >>> [each.start for each in descend(memoryview(movie), Box(b"moov", 0, 8, len(movie)), b"trak", b"mdia")]
        [16, 24]
    """
    for child in children(view, parent, path[0]):
        if len(path) > 1:
            yield from descend(view, child, *path[1:])
        else:
            yield child


def first_at(view: memoryview, parent: Box, *path: bytes) -> Box | None:
    """Return the first box at a path below ``parent``; see :func:`descend`."""
    return next(descend(view, parent, *path), None)


def descend_with_parents(view: memoryview, parent: Box, *path: bytes) -> Iterator[tuple[Box, ...]]:
    """Yield every box at a path below ``parent`` with the boxes around it: ``parent`` first, the box itself last.

    Whoever changes the size of the box has to change the size of all the others as well.
    """
    for child in children(view, parent, path[0]):
        if len(path) > 1:
            yield from ((parent, *boxes) for boxes in descend_with_parents(view, child, *path[1:]))
        else:
            yield parent, child


def rows_of(view: memoryview, where: Box, at: int, code: str) -> array[int]:
    """Read a table: a 32-bit count followed by big-endian numbers.

    Args:
        view: The bytes that the offsets of ``where`` count from.
        where: The box.
        at: Offset of the count in its body.
        code: Type code of the numbers for :class:`array.array`: "I" for 32 bits, "Q" for 64.

    Returns:
        The numbers, no more than the box has room for.
    """
    rows: array[int] = array(code)
    start = where.body + at + 4
    if start > where.end:
        return rows
    count = int.from_bytes(view[start - 4 : start], "big")
    count = min(count, (where.end - start) // rows.itemsize)
    rows.frombytes(view[start : start + count * rows.itemsize])
    if sys.byteorder == "little":
        rows.byteswap()
    return rows


def table_bytes(rows: array[int]) -> bytes:
    """Return the numbers of a table as big-endian bytes."""
    copy = rows[:]
    if sys.byteorder == "little":
        copy.byteswap()
    return copy.tobytes()


def _sizes(view: memoryview, stsz: Box | None) -> tuple[int, array[int] | int]:
    if stsz is None or stsz.end - stsz.body < 12:
        return 0, 0
    common = int.from_bytes(view[stsz.body + 4 : stsz.body + 8], "big")
    if common:
        return int.from_bytes(view[stsz.body + 8 : stsz.body + 12], "big"), common
    sizes = rows_of(view, stsz, 8, "I")
    return len(sizes), sizes


def _runs(view: memoryview, stsc: Box | None) -> list[tuple[int, int]]:
    if stsc is None or stsc.end - stsc.body < 8:
        return []
    count = int.from_bytes(view[stsc.body + 4 : stsc.body + 8], "big")
    count = min(count, (stsc.end - stsc.body - 8) // 12)
    rows = Struct(">III").iter_unpack(view[stsc.body + 8 : stsc.body + 8 + 12 * count])
    return [(first, per_chunk) for first, per_chunk, _ in rows]
