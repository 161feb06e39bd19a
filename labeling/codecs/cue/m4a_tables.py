"""The tables of an audio track of MP4 with more samples (ISO/IEC 14496-12, 8.6, 8.7 and 8.9)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from struct import Struct

from labeling.codecs.cue.base import MAX_HIDDEN, CannotPut, hides
from labeling.containers.mp4.movie_box import MoovEdit
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import Box, box, children, first_at, full_box, rows_of, table_bytes
from labeling.errors import UnreadableFile

FRONT, BEHIND = 0, 1
"""What stands in the table for the offsets of the new chunks, where no chunk can be."""

MAX_SAMPLES = 50_000_000

_KNOWN = {b"stsd", b"stts", b"stsc", b"stsz", b"stco", b"co64", b"sgpd", b"sbgp", b"free"}
_run = Struct(">III")
_pair = Struct(">II")


class Tables:
    """The sample tables of an audio track.

    Attributes:
        bytes: Bytes of all samples.
        duration: Ticks of all samples.
        samples: How many there are.

    Raises:
        CannotPut: They have what could not be kept right.
        UnreadableFile: They are damaged.
    """

    def __init__(self, view: memoryview, parents: tuple[Box, ...]) -> None:
        self._view, self._parents = view, parents
        boxes = children(view, parents[-1])
        others = [each.type for each in boxes if each.type not in _KNOWN]
        if others:
            raise CannotPut(f"its audio track has a table {isobmff.printable(others[0])}")
        self._boxes = {each.type: each for each in boxes}
        self._groups = [each for each in boxes if each.type == b"sbgp"]
        for name in (b"stts", b"stsc", b"stsz"):
            if name not in self._boxes:
                raise UnreadableFile("its audio track has no whole sample tables")
        self._offsets = self._boxes.get(b"stco") or self._boxes.get(b"co64")
        if self._offsets is None:
            raise UnreadableFile("its audio track has no chunk offsets")
        code = "I" if self._offsets.type == b"stco" else "Q"
        self._chunks = rows_of(view, self._offsets, 4, code)
        sizes = self._boxes[b"stsz"]
        common = int.from_bytes(view[sizes.body + 4 : sizes.body + 8], "big")
        if common:
            count = int.from_bytes(view[sizes.body + 8 : sizes.body + 12], "big")
            if count > MAX_SAMPLES:
                raise CannotPut("its audio track has too many samples")
            self._sizes = array("I", [common]) * count
        else:
            self._sizes = rows_of(view, sizes, 8, "I")
        self.samples, self.bytes = len(self._sizes), sum(self._sizes)
        self._times = [*_pair.iter_unpack(self._rows(self._boxes[b"stts"], 4, _pair.size))]
        self.duration = sum(count * each for count, each in self._times)
        self._runs = [*_run.iter_unpack(self._rows(self._boxes[b"stsc"], 4, _run.size))]
        if not (self.samples and self._chunks and self._times and self._runs):
            raise UnreadableFile("its audio track has no samples")

    def _rows(self, where: Box, at: int, size: int) -> bytes:
        start = where.body + at + 4
        count = int.from_bytes(self._view[start - 4 : start], "big")
        count = min(count, (where.end - start) // size)
        return bytes(self._view[start : start + count * size])

    def edits(self, front: list[int], behind: list[int], length: int) -> list[MoovEdit]:
        """Return the edits for more samples.

        Args:
            front: Sizes of those in front.
            behind: Sizes of those behind.
            length: Ticks of each.
        """
        sizes = array("I", front) + self._sizes + array("I", behind)
        times = [(len(front), length)] * bool(front) + self._times + [(len(behind), length)] * bool(behind)
        chunks = array(self._chunks.typecode, [FRONT] * bool(front)) + self._chunks
        chunks += array(self._chunks.typecode, [BEHIND] * bool(behind))
        shift, kind = int(bool(front)), self._runs[0][2]
        runs = [(1, len(front), kind)] * bool(front)
        runs += [(first + shift, count, each) for first, count, each in self._runs]
        if behind:
            runs.append((len(chunks), len(behind), self._runs[-1][2]))
        made = {
            b"stsz": full_box(b"stsz", 0, bytes(4), len(sizes).to_bytes(4, "big"), table_bytes(sizes)),
            b"stts": _table(b"stts", [_pair.pack(*each) for each in _merged(times)]),
            b"stsc": _table(b"stsc", [_run.pack(*each) for each in runs]),
        }
        assert self._offsets is not None
        name = self._offsets.type
        made[name] = full_box(name, 0, len(chunks).to_bytes(4, "big"), table_bytes(chunks))
        found = [MoovEdit(self._boxes[each].start, self._boxes[each].end, new, self._parents)
                 for each, new in made.items()]  # fmt: skip
        return [*found, *(self._grouped(each, len(front), len(behind)) for each in self._groups)]

    def _grouped(self, group: Box, front: int, behind: int) -> MoovEdit:
        """Return a table of groups, such as of samples to decode before a seek: new ones are as their neighbours."""
        head = 4 + 4 + (4 if self._view[group.body] else 0)
        rows = [*_pair.iter_unpack(self._rows(group, head, _pair.size))]
        rest = self.samples - sum(count for count, _ in rows)
        rows += [(rest, 0)] if rest > 0 and behind else []
        if rows:
            rows = [(front, rows[0][1])] * bool(front) + rows + [(behind, rows[-1][1])] * bool(behind)
        start = bytes(self._view[group.body : group.body + head])
        rows = _merged(rows)
        new = box(b"sbgp", start, len(rows).to_bytes(4, "big"), *(_pair.pack(*each) for each in rows))
        return MoovEdit(group.start, group.end, new, self._parents)


def _merged(rows: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Join neighbours of (count, value) with the same value."""
    found: list[tuple[int, ...]] = []
    for count, value in rows:
        if found and found[-1][1] == value:
            found[-1] = found[-1][0] + count, value
        else:
            found.append((count, value))
    return found


def _table(name: bytes, rows: list[bytes]) -> bytes:
    return full_box(name, 0, len(rows).to_bytes(4, "big"), *rows)


def media_scale(view: memoryview, mdia: Box) -> int:
    """Return the ticks per second of a track."""
    mdhd = first_at(view, mdia, b"mdhd")
    return _scale(view, mdhd) if mdhd is not None else 0


def movie_scale(view: memoryview, moov: Box) -> int:
    """Return the ticks per second of the movie."""
    mvhd = first_at(view, moov, b"mvhd")
    return _scale(view, mvhd) if mvhd is not None else 0


def _scale(view: memoryview, head: Box) -> int:
    at = head.body + (20 if view[head.body] else 12)
    return int.from_bytes(view[at : at + 4], "big")


def longer(
    view: memoryview, moov: Box, trak: Box, mdia: Box, front: int, behind: int, scale: int
) -> Iterator[MoovEdit]:
    """Yield the edits of durations and edit lists: the track is longer, and the others begin later.

    Args:
        view: The movie box.
        moov: The same as a box.
        trak: The audio track.
        mdia: Its media box.
        front: Ticks in front.
        behind: Ticks behind.
        scale: Ticks per second of the track.
    """
    mvhd, mdhd = first_at(view, moov, b"mvhd"), first_at(view, mdia, b"mdhd")
    if mvhd is None or mdhd is None:
        raise UnreadableFile("it has no movie header, or its audio track no media header")
    movie = _scale(view, mvhd)
    added, later = round((front + behind) * movie / scale), round(front * movie / scale)
    yield _number(view, mvhd, 24 if view[mvhd.body] else 16, added)
    yield _number(view, mdhd, 24 if view[mdhd.body] else 16, front + behind)
    for each in children(view, moov, b"trak")[: isobmff.MAX_TRACKS]:
        tkhd = first_at(view, each, b"tkhd")
        if tkhd is None:
            continue
        own = each.start == trak.start
        at = 28 if view[tkhd.body] else 20
        yield _number(view, tkhd, at, added if own else later)
        elst = first_at(view, each, b"edts", b"elst")
        if own and elst is not None:
            yield _own_edits(view, elst, (moov, each), front, added, later)
        elif not own and later:
            shown = int.from_bytes(view[tkhd.body + at : tkhd.body + at + (8 if view[tkhd.body] else 4)], "big")
            yield _delayed(view, each, elst, (moov, each), later, shown)


def _number(view: memoryview, head: Box, at: int, change: int) -> MoovEdit:
    """Add to a duration of 32 bits, or of 64 in version 1; one that is unknown stays."""
    size = 8 if view[head.body] else 4
    start = head.body + at
    value = int.from_bytes(view[start : start + size], "big")
    unknown = (1 << 8 * size) - 1
    new = value if value in (0, unknown) else min(value + change, unknown - 1)
    return MoovEdit(start, start + size, new.to_bytes(size, "big"), ())


def _entries(view: memoryview, elst: Box) -> list[tuple[int, int, int]]:
    row = Struct(">QqI" if view[elst.body] else ">IiI")
    count = int.from_bytes(view[elst.body + 4 : elst.body + 8], "big")
    count = min(count, (elst.end - elst.body - 8) // row.size)
    return [*row.iter_unpack(view[elst.body + 8 : elst.body + 8 + count * row.size])]


def _listed(entries: list[tuple[int, int, int]]) -> bytes:
    row = Struct(">QqI")
    return full_box(b"elst", 1, len(entries).to_bytes(4, "big"), *(row.pack(*each) for each in entries))


def _own_edits(view: memoryview, elst: Box, around: tuple[Box, ...], front: int, added: int, later: int) -> MoovEdit:
    """Return the edit list of the audio track.

    With one entry, what it skips is skipped of the new samples. With several, or with a pause first, they get an entry.
    """
    entries = _entries(view, elst)
    if len(entries) == 1 and entries[0][1] >= 0:
        if later and entries[0][1] > MAX_HIDDEN:
            raise CannotPut(hides(entries[0][1]))
        new = [(entries[0][0] + added, *entries[0][1:])] if entries[0][0] else entries
    else:
        if added != later:
            raise CannotPut("its edit list has several entries, behind which nothing can be put")
        new = [(later, 0, 0x10000)] if later else []
        new += [(length, start + front if start >= 0 else start, rate) for length, start, rate in entries]
    edts = first_at(view, around[1], b"edts")
    assert edts is not None
    return MoovEdit(elst.start, elst.end, _listed(new), (*around, edts))


def _delayed(
    view: memoryview, trak: Box, elst: Box | None, around: tuple[Box, ...], later: int, shown: int
) -> MoovEdit:
    """Return the edit that lets another track, such as that of chapters, begin later: an empty entry comes first."""
    empty = (later, -1, 0x10000)
    if elst is not None:
        edts = first_at(view, trak, b"edts")
        assert edts is not None
        return MoovEdit(elst.start, elst.end, _listed([empty, *_entries(view, elst)]), (*around, edts))
    tkhd = first_at(view, trak, b"tkhd")
    assert tkhd is not None
    return MoovEdit(tkhd.end, tkhd.end, box(b"edts", _listed([empty, (shown, 0, 0x10000)])), around)
