"""The samples of the video track of an MP4 or MOV file: the tables of where they are and when they are shown.

ISO/IEC 14496-12, 8.6 and 8.7. Before anything is allocated, every count is bounded by the size of its box.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import Crop, Media
from labeling.containers.mp4.descriptions import Entry, entries_of
from labeling.containers.mp4.layout import inner, lay_out, media_of
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import Box, box, children, descend, descend_with_parents, first_at, full_box
from labeling.errors import LabelingError

MAX_SAMPLES = 20_000_000
"""Limit on the pictures of one track: nine days at 24 a second."""

MAX_SAMPLE = 256 << 20
"""Limit on the bytes of one picture."""

MAX_EDITS = 10_000
"""Limit on the entries of an edit list."""

_PAIR = Struct(">II")


@dataclass(slots=True)
class VideoTrack:
    """A video track. Samples are numbered from 0 in the order of decoding; times are ticks of ``scale``.

    Attributes:
        parents: The boxes around its tables, outermost first: moov, trak, mdia, minf, stbl.
        tables: The boxes in stbl, by type.
        number: The track's id.
        scale: Ticks per second.
        entries: Its sample descriptions.
        described: Which of them each sample has, counted from 0.
        sizes: Size of each sample in bytes.
        offsets: Absolute offset of each sample.
        chunks: (first sample, number of samples) of each chunk.
        dts: Decoding time of each sample.
        pts: Presentation time of each sample.
        sync: The samples at which decoding may start; ``None`` if that is so for all of them.
        edits: (media time, seconds) of each entry of the edit list, as played; a media time of -1 is an empty edit.
        rotation: How a player turns the picture, in degrees clockwise.
        mirrored: Whether a player mirrors it after that.
        plain: How many of the samples are in the tables; those behind them are in fragments.
    """

    parents: tuple[Box, ...]
    tables: dict[bytes, Box]
    number: int
    scale: int
    entries: tuple[Entry, ...]
    described: array[int]
    sizes: array[int]
    offsets: array[int]
    chunks: list[tuple[int, int]]
    dts: array[int]
    pts: array[int]
    sync: frozenset[int] | None
    edits: tuple[tuple[int, float], ...]
    rotation: int
    mirrored: bool
    plain: int


def video_track(view: memoryview, moov: Box, movie_scale: int) -> VideoTrack | str:
    """Read the first video track.

    Args:
        view: The movie box.
        moov: The same as a box.
        movie_scale: Ticks per second in the edit list; see :func:`movie_scale`.

    Returns:
        The track without its samples in fragments, or in words why its samples cannot be edited in place.
    """
    for trak in children(view, moov, b"trak")[: isobmff.MAX_TRACKS]:
        kind, mdia = media_of(view, trak)
        if kind != b"vide" or mdia is None:
            continue
        boxes = next(descend_with_parents(view, mdia, b"minf", b"stbl"), None)
        return (
            "its video track has no sample tables" if boxes is None else _track(view, (moov, trak, *boxes), movie_scale)
        )
    return "it has no video track"


def count_videos(view: memoryview, moov: Box) -> int:
    """Count the video tracks; those with the pictures of chapters (``chap`` in the QuickTime File Format) are none."""
    tracks = children(view, moov, b"trak")[: isobmff.MAX_TRACKS]
    stills: set[int] = set()
    for trak in tracks:
        for chap in descend(view, trak, b"tref", b"chap"):
            ids = bytes(view[chap.body : min(chap.end, chap.body + 4 * isobmff.MAX_TRACKS)])
            stills |= {int.from_bytes(ids[at : at + 4], "big") for at in range(0, len(ids), 4)}
    return sum(media_of(view, trak)[0] == b"vide" and _id(view, trak) not in stills for trak in tracks)


def crop(data: Media) -> Crop:
    """Return how many pixels of the first video track are outside of its clean aperture (``clap``)."""
    layout = lay_out(data)
    if layout.moov is None:
        return 0, 0, 0, 0
    view = memoryview(layout.movie)
    for trak in children(view, inner(layout), b"trak")[: isobmff.MAX_TRACKS]:
        kind, mdia = media_of(view, trak)
        stsd = first_at(view, mdia, b"minf", b"stbl", b"stsd") if kind == b"vide" and mdia is not None else None
        if stsd is not None:
            entries = entries_of(view, stsd)
            return (0, 0, 0, 0) if isinstance(entries, str) else entries[0].crop
    return 0, 0, 0, 0


def picture_tracks(view: memoryview, moov: Box) -> list[tuple[bytes, VideoTrack]] | str:
    """Read the tracks of an image sequence (ISO/IEC 23008-12, 7): pictures (``pict``) and what belongs to them.

    The latter have the handler type ``auxv``.

    Args:
        view: The movie box.
        moov: The same as a box.

    Returns:
        Each with its handler type; or in words why its samples cannot be edited in place.
    """
    found: list[tuple[bytes, VideoTrack]] = []
    for trak in children(view, moov, b"trak")[: isobmff.MAX_TRACKS]:
        kind, mdia = media_of(view, trak)
        if kind not in (b"pict", b"auxv") or mdia is None:
            continue
        boxes = next(descend_with_parents(view, mdia, b"minf", b"stbl"), None)
        track = (
            "its video track has no sample tables" if boxes is None
            else _track(view, (moov, trak, *boxes), movie_scale(view, moov))
        )  # fmt: skip
        if isinstance(track, str):
            return track.replace("its video track", "a track of its pictures")
        found.append((kind, track))
    return found


def _track(view: memoryview, parents: tuple[Box, ...], movie_scale: int) -> VideoTrack | str:
    _, trak, mdia, _, stbl = parents
    tables = {each.type: each for each in children(view, stbl)}
    for kind in (b"stsd", b"stts", b"stsc", b"stsz"):
        if kind not in tables:
            return f"its video track has no {kind.decode()} table"
    table = tables.get(b"stco") or tables.get(b"co64")
    if table is None:
        return "its video track has no chunk offsets"
    entries = entries_of(view, tables[b"stsd"])
    if isinstance(entries, str):
        return entries
    sizes = _sizes(view, tables[b"stsz"])
    count = len(sizes)
    starts = isobmff.rows_of(view, table, 4, "I" if table.type == b"stco" else "Q")
    offsets, chunks, described = _offsets(starts, sizes, _triples(view, tables[b"stsc"]))
    dts = _times(view, tables[b"stts"], count)
    if len(offsets) != count or len(dts) != count or any(each >= len(entries) for each in set(described)):
        return "the tables of its video track contradict each other"
    pts = _shown(view, tables.get(b"ctts"), dts)
    sync = None
    if b"stss" in tables:
        sync = frozenset(n - 1 for n in isobmff.rows_of(view, tables[b"stss"], 4, "I"))
    scale = _scale(view, mdia)
    rotation, mirrored = _turn(view, trak)
    edits = tuple(_edits(view, trak, movie_scale))
    if not scale:
        return "its video track has no time scale"
    return VideoTrack(
        parents, tables, _id(view, trak), scale, entries, described, sizes, offsets, chunks, dts, pts, sync, edits,
        rotation, mirrored, count,
    )  # fmt: skip


def _id(view: memoryview, trak: Box) -> int:
    for tkhd in children(view, trak, b"tkhd"):
        at = tkhd.body + (20 if any(view[tkhd.body : tkhd.body + 1]) else 12)
        return int.from_bytes(view[at : at + 4], "big")
    return 0


def _sizes(view: memoryview, stsz: Box) -> array[int]:
    common = int.from_bytes(view[stsz.body + 4 : stsz.body + 8], "big")
    if not common:
        return isobmff.rows_of(view, stsz, 8, "I")
    count = int.from_bytes(view[stsz.body + 8 : stsz.body + 12], "big")
    return array("I", [common]) * min(count, MAX_SAMPLES)


def _triples(view: memoryview, stsc: Box) -> list[tuple[int, int, int]]:
    count = min(int.from_bytes(view[stsc.body + 4 : stsc.body + 8], "big"), (stsc.end - stsc.body - 8) // 12)
    return list(Struct(">III").iter_unpack(view[stsc.body + 8 : stsc.body + 8 + 12 * count]))


def _offsets(
    starts: array[int], sizes: array[int], runs: list[tuple[int, int, int]]
) -> tuple[array[int], list[tuple[int, int]], array[int]]:
    """Return each sample's offset, each chunk's (first sample, number of samples), each sample's description."""
    offsets: array[int] = array("Q")
    chunks: list[tuple[int, int]] = []
    described: array[int] = array("H")
    if not runs:
        return offsets, chunks, described
    ends = [first for first, _, _ in runs[1:]] + [len(starts) + 1]
    for (first, per_chunk, description), end in zip(runs, ends, strict=True):
        which = min(max(description, 1) - 1, 0xFFFF)
        for chunk in range(max(1, first), min(end, len(starts) + 1)):
            at, begin = starts[chunk - 1], len(offsets)
            for size in sizes[begin : begin + per_chunk]:
                offsets.append(at)
                at += size
            chunks.append((begin, len(offsets) - begin))
            described.extend([which] * (len(offsets) - begin))
    return offsets, chunks, described


def _pairs(view: memoryview, table: Box) -> Iterator[tuple[int, int]]:
    count = min(int.from_bytes(view[table.body + 4 : table.body + 8], "big"), (table.end - table.body - 8) // 8)
    yield from _PAIR.iter_unpack(view[table.body + 8 : table.body + 8 + 8 * count])


def _times(view: memoryview, stts: Box, limit: int) -> array[int]:
    times, now = array("q"), 0
    for count, delta in _pairs(view, stts):
        for _ in range(min(count, limit - len(times))):
            times.append(now)
            now += delta
    return times


def _shown(view: memoryview, ctts: Box | None, dts: array[int]) -> array[int]:
    pts = array("q", dts)
    if ctts is None:
        return pts
    at = 0
    for count, offset in _pairs(view, ctts):
        offset -= (1 << 32) if offset >= 1 << 31 else 0  # many write signed offsets in version 0 as well
        for index in range(at, min(at + count, len(pts))):
            pts[index] += offset
        at += count
        if at >= len(pts):
            break
    return pts


def _scale(view: memoryview, mdia: Box) -> int:
    for mdhd in children(view, mdia, b"mdhd"):
        at = mdhd.body + (20 if any(view[mdhd.body : mdhd.body + 1]) else 12)
        return int.from_bytes(view[at : at + 4], "big")
    return 0


def _turn(view: memoryview, trak: Box) -> tuple[int, bool]:
    """Return how a player turns the picture, from the matrix in the track header: degrees clockwise, mirrored."""
    for tkhd in children(view, trak, b"tkhd"):
        at = tkhd.body + (52 if any(view[tkhd.body : tkhd.body + 1]) else 40)
        if at + 36 > tkhd.end:
            break
        a, b, _, c, d = (int.from_bytes(view[at + 4 * n : at + 4 * n + 4], "big", signed=True) for n in range(5))
        mirrored = a * d - b * c < 0
        if mirrored:
            a = -a  # mirroring changes the sign of a and c, which say where x goes
        return (0 if a > 0 else 180) if abs(a) >= abs(b) else (90 if b > 0 else 270), mirrored
    return 0, False


def _edits(view: memoryview, trak: Box, movie_scale: int) -> Iterator[tuple[int, float]]:
    for elst in descend(view, trak, b"edts", b"elst"):
        row = Struct(">QqI" if any(view[elst.body : elst.body + 1]) else ">IiI")
        count = int.from_bytes(view[elst.body + 4 : elst.body + 8], "big")
        count = min(count, (elst.end - elst.body - 8) // row.size, MAX_EDITS)
        for duration, start, _ in row.iter_unpack(view[elst.body + 8 : elst.body + 8 + max(0, count) * row.size]):
            yield start, duration / (movie_scale or 1)


def movie_scale(view: memoryview, moov: Box) -> int:
    """Return the ticks per second of the movie header, in which durations of the edit list are given."""
    for mvhd in children(view, moov, b"mvhd"):
        at = mvhd.body + (20 if any(view[mvhd.body : mvhd.body + 1]) else 12)
        return int.from_bytes(view[at : at + 4], "big")
    return 0


class FirstSample(NamedTuple):
    """The first coded picture of a video.

    Attributes:
        offset: Its offset in the file.
        size: Its size in bytes.
        config: Type of the box of the decoder's configuration.
        data: The content of that box.
    """

    offset: int
    size: int
    config: bytes
    data: bytes


def first_sample(view: memoryview, moov: Box) -> FirstSample | None:
    """Find the first picture of the first video track, without reading its whole tables."""
    for trak in children(view, moov, b"trak")[: isobmff.MAX_TRACKS]:
        kind, mdia = media_of(view, trak)
        stbl = first_at(view, mdia, b"minf", b"stbl") if kind == b"vide" and mdia is not None else None
        if stbl is None:
            continue
        tables = {each.type: each for each in children(view, stbl)}
        chunks = tables.get(b"stco") or tables.get(b"co64")
        if chunks is None or b"stsz" not in tables or b"stsd" not in tables:
            return None
        wide = 4 if chunks.type == b"stco" else 8
        common, first = (_number(view, tables[b"stsz"], at, 4) for at in (4, 12))
        entries = entries_of(view, tables[b"stsd"])
        if isinstance(entries, str) or entries[0].config is None or not (common or first):
            return None
        entry = entries[0]
        assert entry.config is not None
        return FirstSample(_number(view, chunks, 8, wide), common or first, entry.config.type, entry.config_data)
    return None


def _number(view: memoryview, where: Box, at: int, size: int) -> int:
    """Read a number in a box; 0 if the box is too short for it."""
    start = where.body + at
    return int.from_bytes(view[start : start + size], "big") if start + size <= where.end else 0


def size_table(sizes: Iterable[int]) -> bytes:
    """Build a ``stsz`` box from the sizes of all samples in bytes.

    Raises:
        LabelingError: A sample is larger than four gigabytes.
    """
    try:
        rows = array("I", sizes)
    except OverflowError:
        raise LabelingError("a picture of the video is too large for an MP4 file") from None
    return full_box(b"stsz", 0, bytes(4), len(rows).to_bytes(4, "big"), isobmff.table_bytes(rows))


def shift_table(shifts: Iterable[int]) -> bytes:
    """Build a ``ctts`` box.

    Args:
        shifts: For each sample, how many ticks after its decoding time it is shown.

    Returns:
        The box; empty if all shifts are 0, as it is not needed then.
    """
    runs = [(sum(1 for _ in group), value) for value, group in groupby(shifts)]
    if all(value == 0 for _, value in runs):
        return b""
    signed = any(value < 0 for _, value in runs)
    rows = b"".join(_PAIR.pack(count, value & 0xFFFFFFFF) for count, value in runs)
    return full_box(b"ctts", 1 if signed else 0, len(runs).to_bytes(4, "big"), rows)


def sync_table(numbers: Iterable[int]) -> bytes:
    """Build a ``stss`` box from the numbers of the sync samples, which count from 0."""
    rows = array("I", (number + 1 for number in numbers))
    return box(b"stss", bytes(4), len(rows).to_bytes(4, "big"), isobmff.table_bytes(rows))
