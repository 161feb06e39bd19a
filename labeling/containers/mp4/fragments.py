"""Samples in movie fragments: where they are, and fragments whose samples have other sizes.

ISO/IEC 14496-12, 8.8. Fragments stay fragments: only the rows of replaced samples, and offsets, change.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import Media
from labeling.containers.edits import MediaEdit
from labeling.containers.mp4.layout import Layout, inner
from labeling.containers.mp4.offsets import MAX_FRAGMENT, mover
from labeling.containers.mp4.samples import MAX_SAMPLES, VideoTrack
from labeling.containers.syntax.isobmff import Box, box, children, descend
from labeling.errors import LabelingError

_KEY, _NO_KEY = 0x0200_0000, 0x0101_0000
"""Flags of a sample that depends on no other one, and of one that does and is no place to start (8.8.3.1)."""
_NON_SYNC = 0x0001_0000
_MAX_RUN = 1 << 20
"""Limit on the samples of one run, whose rows may take no bytes."""

_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE, _FLAGS, _SHIFT = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800


class Row(NamedTuple):
    """One sample in a run: ticks, bytes, flags, and by how many ticks it is shown after it is decoded."""

    duration: int
    size: int
    flags: int
    shift: int


class Run(NamedTuple):
    """A ``trun`` box.

    Attributes:
        box: The box, at its offsets in the file.
        version: Its version.
        flags: Its flags.
        at: Where the samples begin in the file.
        rows: The samples.
    """

    box: Box
    version: int
    flags: int
    at: int
    rows: list[Row]

    @property
    def end(self) -> int:
        """Where the samples end in the file."""
        return self.at + sum(row.size for row in self.rows)


class TrackFragment(NamedTuple):
    """A ``traf`` box.

    Attributes:
        box: The box, at its offsets in the file.
        track: The id of its track.
        start: Decoding time of the first sample; ``None`` if the fragment does not say.
        base: What offsets of runs count from.
        follows: Whether ``base`` is the end of the samples of the track fragment before this one.
        description: Number of the sample description, from 1.
        runs: Its runs.
        dependencies: Its ``sdtp`` box, if there is one.
        auxiliary: Whether it has offsets of auxiliary information (encryption).
    """

    box: Box
    track: int
    start: int | None
    base: int
    follows: bool
    description: int
    runs: list[Run]
    dependencies: Box | None
    auxiliary: bool


class Fragment(NamedTuple):
    """A ``moof`` box, at its offsets in the file, and the track fragments in it."""

    box: Box
    tracks: list[TrackFragment]


class Defaults(NamedTuple):
    """What ``trex`` says of the samples of a track."""

    description: int
    duration: int
    size: int
    flags: int


def fragments(data: Media, layout: Layout) -> Iterator[Fragment]:
    """Yield the fragments of a file.

    Raises:
        LabelingError: A fragment is too large to be read, or damaged.
    """
    view = memoryview(layout.movie)
    total, defaults = 0, {}
    for trex in descend(view, inner(layout), b"mvex", b"trex"):
        if trex.end - trex.body >= 24:
            track, *numbers = Struct(">5I").unpack_from(view, trex.body + 4)
            defaults[track] = Defaults(*numbers)
    for each in layout.boxes:
        if each.type == b"moof":
            if each.end - each.start > MAX_FRAGMENT:
                raise LabelingError("a fragment's header is too large to be read", hint="re-mux the file first")
            one = _fragment(data[each.start : each.end], each, defaults)
            total += sum(len(run.rows) for part in one.tracks for run in part.runs)
            if total > 4 * MAX_SAMPLES:
                raise LabelingError("its fragments have more samples than are read")
            yield one


def _fragment(raw: bytes, moof: Box, defaults: dict[int, Defaults]) -> Fragment:
    view = memoryview(raw)
    tracks: list[TrackFragment] = []
    before = moof.start
    for traf in children(view, Box(moof.type, 0, moof.body - moof.start, len(raw)), b"traf"):
        one = _track(view, traf, moof.start, before, defaults, first=not tracks)
        tracks.append(one)
        before = one.runs[-1].end if one.runs else before
    return Fragment(moof, tracks)


def _track(
    view: memoryview, traf: Box, start: int, before: int, defaults: dict[int, Defaults], *, first: bool
) -> TrackFragment:
    inside = children(view, traf)
    tfhd = next((each for each in inside if each.type == b"tfhd"), None)
    if tfhd is None or tfhd.end - tfhd.body < 8:
        raise LabelingError("a fragment has no header: the file is damaged")
    flags, track = _number(view, tfhd, 1, 3), _number(view, tfhd, 4, 4)
    own, at = defaults.get(track, Defaults(1, 0, 0, 0)), 8
    base, follows = (start if first or flags & 0x20000 else before), not first and not flags & 0x20001
    if flags & 1:
        base, at = _number(view, tfhd, at, 8), at + 8
    for bit, name in ((2, "description"), (8, "duration"), (0x10, "size"), (0x20, "flags")):
        if flags & bit:
            own, at = own._replace(**{name: _number(view, tfhd, at, 4)}), at + 4
    time: int | None = None
    runs: list[Run] = []
    position = base
    for each in inside:
        if each.type == b"tfdt":
            time = _number(view, each, 4, 8 if _number(view, each, 0, 1) else 4)
        elif each.type == b"trun":
            runs.append(_run(view, each, start, base, position, own))
            position = runs[-1].end
    sdtp = next((each for each in inside if each.type == b"sdtp"), None)
    return TrackFragment(
        _moved(traf, start), track, time, base, follows, own.description, runs, _moved(sdtp, start) if sdtp else None,
        any(each.type in (b"saio", b"senc") for each in inside),
    )  # fmt: skip


def _run(view: memoryview, trun: Box, start: int, base: int, position: int, own: Defaults) -> Run:
    version, flags, count = (_number(view, trun, at, size) for at, size in ((0, 1), (1, 3), (4, 4)))
    at = 8
    if flags & _OFFSET:
        shift = _number(view, trun, at, 4)
        position, at = base + shift - ((shift & 0x8000_0000) << 1), at + 4
    first = own.flags
    if flags & _FIRST_FLAGS:
        first, at = _number(view, trun, at, 4), at + 4
    fields = [bit for bit in (_DURATION, _SIZE, _FLAGS, _SHIFT) if flags & bit]
    if count > _MAX_RUN or trun.body + at + 4 * len(fields) * count > trun.end:
        raise LabelingError("a fragment says that it has more samples than are there: the file is damaged")
    if not fields:
        rows = [Row(own.duration, own.size, own.flags, 0)] * count
    else:
        rows = []
        for values in Struct(f">{len(fields)}I").iter_unpack(
            view[trun.body + at : trun.body + at + 4 * len(fields) * count]
        ):
            row = dict(zip(fields, values, strict=True))
            shift = row.get(_SHIFT, 0)
            rows.append(
                Row(row.get(_DURATION, own.duration), row.get(_SIZE, own.size), row.get(_FLAGS, own.flags),
                    shift - ((shift & 0x8000_0000) << 1))
            )  # fmt: skip
    if flags & _FIRST_FLAGS and rows and not flags & _FLAGS:
        rows[0] = rows[0]._replace(flags=first)
    return Run(_moved(trun, start), version, flags, position, rows)


def _number(view: memoryview, where: Box, at: int, size: int) -> int:
    start = where.body + at
    if start + size > where.end:
        raise LabelingError("a fragment's header is cut short: the file is damaged")
    return int.from_bytes(view[start : start + size], "big")


def _moved(one: Box, by: int) -> Box:
    return one._replace(start=one.start + by, body=one.body + by, end=one.end + by)


def add_samples(data: Media, layout: Layout, track: VideoTrack) -> str:
    """Append the samples that a track has in fragments; return why they cannot be edited in place, or ``""``."""
    sync = set(range(track.plain)) if track.sync is None else set(track.sync)
    now = track.dts[-1] + _last_duration(track) if track.plain else 0
    for fragment in fragments(data, layout):
        for part in fragment.tracks:
            if part.track != track.number:
                continue
            if part.auxiliary:
                return "its video is encrypted"
            now = now if part.start is None else part.start
            for run in part.runs:
                if len(track.sizes) + len(run.rows) > MAX_SAMPLES:
                    return "it has more pictures than are read"
                try:
                    now = _add_run(track, run, now, part.description - 1, sync)
                except OverflowError:
                    raise LabelingError("the times or places in a fragment are impossible: it is damaged") from None
    if any(each >= len(track.entries) for each in set(track.described)):
        return "its fragments refer to a sample description that is not there"
    everywhere = len(sync) == len(track.sizes) and track.sync is None
    track.sync = None if everywhere else frozenset(sync)
    return "" if len(track.sizes) else "its video track has no samples"


def _last_duration(track: VideoTrack) -> int:
    return track.dts[-1] - track.dts[-2] if track.plain > 1 else 0


def _add_run(track: VideoTrack, run: Run, now: int, description: int, sync: set[int]) -> int:
    track.chunks.append((len(track.sizes), len(run.rows)))
    at = run.at
    for row in run.rows:
        if not row.flags & _NON_SYNC:
            sync.add(len(track.sizes))
        track.sizes.append(row.size)
        track.offsets.append(at)
        track.dts.append(now)
        track.pts.append(now + row.shift)
        track.described.append(max(0, description))
        now += row.duration
        at += row.size
    return now


class Replaced(NamedTuple):
    """The samples of a track as they are to be; the numbers are those of its :class:`VideoTrack`.

    Attributes:
        numbers: Which of them are new.
        sizes: The size of each sample.
        shifts: By how many ticks each sample is shown after it is decoded.
        keys: Which of the new ones are key frames.
    """

    numbers: set[int]
    sizes: Sequence[int]
    shifts: Sequence[int]
    keys: dict[int, bool]


def edits_of(data: Media, layout: Layout, track: VideoTrack, new: Replaced, others: list[MediaEdit]) -> list[MediaEdit]:
    """Return the edits of fragments that follow from replaced samples.

    Args:
        data: The file.
        layout: Its boxes.
        track: The video track.
        new: Its samples as they are to be.
        others: All other edits of the file outside the movie box.
    """
    if all(number < track.plain for number in new.numbers):
        return []
    number = track.plain
    runs: dict[int, bytes] = {}  # offset of a run's box → the new box
    sizes: list[MediaEdit] = []
    edits: list[MediaEdit] = []
    for fragment in fragments(data, layout):
        around = 0
        for part in fragment.tracks:
            if part.track != track.number:
                continue
            inside, first = 0, number
            for run in part.runs:
                if any(number + n in new.numbers for n in range(len(run.rows))):
                    runs[run.box.start] = made = _run_box(run, number, new)
                    edits.append((run.box.start, run.box.end, made))
                    inside += len(made) - (run.box.end - run.box.start)
                number += len(run.rows)
            if part.dependencies is not None:
                sizes += _dependencies(data, part.dependencies, first, new.numbers)
            sizes += _size(data, part.box, inside)
            around += inside
        sizes += _size(data, fragment.box, around)
    return [*sizes, *_with_offsets(data, layout, runs, [*others, *sizes, *edits])]


def _run_box(run: Run, number: int, new: Replaced) -> bytes:
    """Return a ``trun`` box with sizes, flags and shifts of its own for each sample; its offset is set later."""
    shifts = [new.shifts[number + n] for n in range(len(run.rows))]
    flags = run.flags & ~_FIRST_FLAGS | _SIZE | _FLAGS | (_SHIFT if any(shifts) else 0)
    numbers: array[int] = array("I")
    for n, row in enumerate(run.rows):
        mark = row.flags if number + n not in new.numbers else _KEY if new.keys[number + n] else _NO_KEY
        if flags & _DURATION:
            numbers.append(row.duration)
        numbers.extend((new.sizes[number + n], mark))
        if flags & _SHIFT:
            numbers.append(shifts[n] & 0xFFFF_FFFF)
    version = 1 if any(shift < 0 for shift in shifts) else run.version
    head = bytes([version]) + flags.to_bytes(3, "big") + len(run.rows).to_bytes(4, "big")
    rows = Struct(f">{len(numbers)}I").pack(*numbers)
    return box(b"trun", head, bytes(4) if flags & _OFFSET else b"", rows)


def _dependencies(data: Media, sdtp: Box, first: int, numbers: set[int]) -> list[MediaEdit]:
    """Say nothing of how new samples depend on each other."""
    old = data[sdtp.body + 4 : sdtp.end]
    fresh = bytes(0 if first + n in numbers else value for n, value in enumerate(old))
    return [(sdtp.body + 4, sdtp.end, fresh)] if fresh != old else []


def _size(data: Media, one: Box, delta: int) -> list[MediaEdit]:
    if not delta:
        return []
    size = one.end - one.start + delta
    if int.from_bytes(data[one.start : one.start + 4], "big") == 1:
        return [(one.start + 8, one.start + 16, size.to_bytes(8, "big"))]
    return [(one.start, one.start + 4, size.to_bytes(4, "big"))]


def _with_offsets(data: Media, layout: Layout, runs: dict[int, bytes], edits: list[MediaEdit]) -> Iterator[MediaEdit]:
    """Yield the new boxes of runs, and the offsets of all other runs that move against their base."""
    moved = mover(edits)
    for fragment in fragments(data, layout):
        end = 0
        for part in fragment.tracks:
            base = end if part.follows else moved(part.base)
            for run in part.runs:
                made = runs.get(run.box.start)
                offset = moved(run.at) - base
                if run.flags & _OFFSET and not -(1 << 31) <= offset < 1 << 31:
                    raise LabelingError("a fragment of the new video is too large", hint="re-mux the file first")
                field = (offset & 0xFFFF_FFFF).to_bytes(4, "big")
                at = run.box.body + 8
                if made is not None:
                    yield run.box.start, run.box.end, made[:16] + field + made[20:] if run.flags & _OFFSET else made
                elif run.flags & _OFFSET and data[at : at + 4] != field:
                    yield at, at + 4, field
            if part.runs:
                end = moved(part.runs[-1].end)
