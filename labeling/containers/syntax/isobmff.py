"""ISO base media files (ISO/IEC 14496-12): walking boxes, and the tracks whose offsets follow when boxes move.

Shared by HEIF and AVIF and whatever else is made of boxes. Everything is bounded by the size of the file before it
is allocated: a table cannot have more rows than its box has room for.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import Struct
from typing import NamedTuple

MAX_BOXES = 1 << 16
"""So many boxes are walked in one container box or file."""

MAX_TRACKS = 64

UUID_XMP = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
UUID_C2PA = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")

_head = Struct(">I4s")


class Box(NamedTuple):
    """One box: ``start`` to ``end`` with its header, ``body`` behind it (and behind the user type of a uuid)."""

    type: bytes
    start: int
    body: int
    end: int
    user: bytes = b""


def printable(raw: bytes) -> str:
    """A four-character code, or other short text of a file, for people: one line, whatever is in it."""
    return raw.decode("latin-1").strip().encode("unicode_escape").decode("ascii")


class Walk(NamedTuple):
    """Boxes found, where the last sound one ends, and why the walk stopped there ("" if that is the end).

    ``cut`` is the type of a box that reaches out of its container.
    """

    boxes: list[Box]
    end: int
    problem: str = ""
    cut: bytes = b""


def walk(view: memoryview, start: int, stop: int, limit: int = MAX_BOXES) -> Walk:
    """The boxes that follow one another between ``start`` and ``stop``."""
    found: list[Box] = []
    pos = start
    while pos + 8 <= stop:
        if len(found) >= limit:
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
            return Walk(found, pos, f"there is no sound box at offset {pos}")
        if pos + size > stop:
            name = printable(kind)
            message = f"the {name} box at offset {pos} says it has {size} bytes, but {stop - pos} are there"
            return Walk(found, pos, message, kind)
        found.append(Box(kind, pos, body, pos + size, user))
        pos += size
    return Walk(found, pos, "" if pos == stop else f"{stop - pos} bytes at offset {pos} are no box")


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box with a 32-bit size around ``parts``."""
    return _head.pack(8 + sum(map(len, parts)), kind) + b"".join(parts)


def full_box(kind: bytes, version: int, *parts: bytes, flags: int = 0) -> bytes:
    """A box with version and flags."""
    return box(kind, bytes((version,)) + flags.to_bytes(3, "big"), *parts)


# Tracks


@dataclass(slots=True)
class Track:
    """What matters of a track here. ``offsets`` are absolute chunk offsets, stored in ``table`` (stco, or co64)."""

    handler: bytes
    table: Box
    offsets: array[int]
    samples: int
    sizes: array[int] | int
    runs: list[tuple[int, int]]

    def spans(self) -> Iterator[tuple[int, int]]:
        """(offset, length) of every chunk whose size can be told."""
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
    """The tracks of a movie that have chunk offsets, and a problem."""
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
    """The boxes inside ``parent`` (of one type, where given)."""
    found = walk(view, parent.body, parent.end).boxes
    return [each for each in found if each.type == kind] if kind else found


def rows_of(view: memoryview, where: Box, at: int, code: str) -> array[int]:
    """Big-endian numbers behind a count that stands ``at`` bytes into the box; as many as there is room for."""
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
    """The rows of a table as a box holds them."""
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
    """(first chunk, samples per chunk) of each run of chunks."""
    if stsc is None or stsc.end - stsc.body < 8:
        return []
    count = int.from_bytes(view[stsc.body + 4 : stsc.body + 8], "big")
    count = min(count, (stsc.end - stsc.body - 8) // 12)
    rows = Struct(">III").iter_unpack(view[stsc.body + 8 : stsc.body + 8 + 12 * count])
    return [(first, per_chunk) for first, per_chunk, _ in rows]
