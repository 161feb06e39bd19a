"""A label on the film of an MP4 or MOV file, by surgery: pictures under it are coded anew, all else stays where it is.

The new samples take the places of the old ones, one for one: chunks, decoding times, edit lists, other tracks and
metadata are as before. Only sizes, display times and sync marks of those samples change, and the decoder's
configuration gets a second set of parameters beside the first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from labeling.codecs.base import Box as Area
from labeling.codecs.base import Painter
from labeling.codecs.video import segment
from labeling.codecs.video.base import ALWAYS, Join, Packet, Settings, Stream, describe, reorder_depth
from labeling.codecs.video.overlay import FrameOverlay
from labeling.containers.base import Media
from labeling.containers.edits import MediaEdit
from labeling.containers.mp4 import samples
from labeling.containers.mp4.layout import Layout, inner, lay_out
from labeling.containers.mp4.movie_box import MoovEdit, Mp4Edits
from labeling.containers.mp4.samples import VideoTrack
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange

_CODECS = {
    b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"vp09": "vp9", b"av01": "av1",
    b"jpeg": "mjpeg", b"mjpa": "", b"apcn": "prores", b"apch": "prores", b"apcs": "prores", b"apco": "prores",
    b"ap4h": "prores",
}  # fmt: skip

Spans = tuple[tuple[float, float | None], ...]
Progress = Callable[[float, float], None]


class Cut(NamedTuple):
    """What is to become of the film: the changes (for ``rewrite``), where the label is, and in words what is done.

    ``exact_after``: from this second on every picture decodes to the same samples as before; ``None`` if all was coded.
    """

    edits: Mp4Edits
    box: Area
    displayed: tuple[int, int]
    how: str
    exact_after: float | None
    close: Callable[[], None]


class Opened(NamedTuple):
    """A film that can be cut: its boxes, the track with its samples, and what the engine is told of it."""

    layout: Layout
    view: memoryview
    track: VideoTrack
    stream: Stream

    @property
    def seconds(self) -> float:
        """How long the film is shown, which may be less than the sound lasts."""
        track = self.track
        if track.edits:
            return sum(seconds for media, seconds in track.edits if media >= 0)
        return (max(track.pts) - min(track.pts)) / track.scale + 1 / float(self.stream.rate)


def opened(data: Media) -> Opened | str:
    """Open a file for surgery; or say why it cannot be cut and has to be re-muxed."""
    layout = lay_out(data)
    view = memoryview(layout.movie)
    if layout.moov is None:
        return "there is no moov box"
    if layout.first(b"moof") is not None:
        return "its samples are in fragments"
    moov = inner(layout)
    track = samples.video_track(view, moov, samples.movie_scale(view, moov))
    if isinstance(track, str):
        return track
    entry = track.entry
    tag = entry.tag.decode("latin-1")
    if not _CODECS.get(entry.tag):
        return f"its film is coded as {tag!r}"
    span = max(track.dts) - min(track.dts)
    rate = Fraction((len(track.dts) - 1) * track.scale, span) if span > 0 else Fraction(25)
    stream = Stream(
        _CODECS[entry.tag], entry.config_data, entry.width, entry.height, Fraction(1, track.scale), rate, tag
    )  # fmt: skip
    first = data[track.offsets[0] : track.offsets[0] + min(track.sizes[0], 64)]
    return segment.refusal(stream, first) or Opened(layout, view, track, stream)


def paint(
    data: Media,
    film: Opened,
    painter: Painter,
    spans: Spans,
    scratch: Path,
    *,
    reencode: str = "auto",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Cut:
    """Lay an overlay on the pictures shown during ``spans``, seconds from the first one shown (``None``: to the end).

    New samples are collected in ``scratch``, an existing file that must live until the copy is written; then ``close``.
    ``reencode``: auto, never (raise rather than code more than the groups of pictures under the label), always.
    Raises :class:`LabelingError`.
    """
    job = _VideoEdit(data, film, painter, spans, settings or Settings(), reencode)
    with scratch.open("wb") as out:
        job.run(out.write, progress)
    fresh = FileBytes(scratch.open("rb"), str(scratch))
    outside = _resized(data, film.layout, job.edits(fresh))
    return Cut(
        (job.tables(film.view), outside),
        job.overlay.box,
        job.overlay.displayed,
        job.how(),
        job.exact_after(),
        fresh.close,
    )


class _VideoEdit:
    def __init__(
        self, data: Media, film: Opened, painter: Painter, spans: Spans, settings: Settings, reencode: str
    ) -> None:
        self.data, self.settings, self.stream = data, settings, film.stream
        self.track = track = film.track
        entry = track.entry
        self.overlay = FrameOverlay(
            painter, entry.width, entry.height,
            rotation=track.rotation, mirrored=track.mirrored, sample_aspect=entry.aspect,
        )  # fmt: skip
        self.codec = segment.codec_of(self.stream)
        self.shown = sorted(track.pts)
        self.ranges = sorted(self._ranges(spans))
        self.why = ""
        self.segments = self._segments(reencode)
        self.sizes, self.pts = track.sizes[:], track.pts[:]
        self.keys: dict[int, bool] = {}
        self.places: dict[int, int] = {}  # sample → where its new form begins in the scratch file
        self.extradata = b""

    def _ranges(self, spans: Spans) -> Iterator[tuple[int, int]]:
        """Display times (first, last) of the pictures that are shown during the spans, as the edit list has it."""
        for start, end in spans:
            for first, last in self._in_media(start, end):
                low = max(0, bisect_right(self.shown, first) - 1)
                high = bisect_left(self.shown, last) - 1
                if high >= low:
                    yield self.shown[low], self.shown[high]

    def _in_media(self, start: float, end: float | None) -> Iterator[tuple[float, float]]:
        scale, infinite = self.track.scale, float("inf")
        edits = list(self.track.edits) or [(self.shown[0], infinite)]
        while edits and edits[0][0] < 0:  # nothing is shown before the first picture
            edits.pop(0)
        now = 0.0
        for number, (media, seconds) in enumerate(edits):
            last = number == len(edits) - 1
            length = infinite if last else seconds  # a picture more at the end is no harm
            stop = infinite if end is None else end
            if media >= 0 and start < now + length and stop > now:
                begin = media + max(0.0, start - now) * scale if number or start > 0 else -infinite
                yield begin, media + (stop - now) * scale if stop < now + length else media + length * scale
            now += length

    def _segments(self, reencode: str) -> list[tuple[int, int]]:
        count = len(self.track.sizes)
        if reencode == "always":
            self.why = "as asked"
            return [(0, count)]
        found: list[tuple[int, int]] = []
        order = sorted(range(count), key=self.track.pts.__getitem__)
        for first, last in self.ranges:
            inside = order[bisect_left(self.shown, first) : bisect_right(self.shown, last)]
            begin = self._join_before(min(inside))
            end = self._join_after(max(inside) + 1)
            if found and begin <= found[-1][1]:
                begin, end = min(begin, found[-1][0]), max(end, found[-1][1])
                found.pop()
            found.append((begin, end))
        if not found:
            raise LabelingError("no picture of the film is shown where the label was to be")
        partial = sum(end - begin for begin, end in found) < count
        if reencode == "never" and not partial and self.ranges[-1][1] < self.shown[-1]:
            raise LabelingError(
                "no closed group of pictures begins behind the label; --reencode auto encodes all of the film anew"
            )
        return found

    def _is_join(self, number: int) -> bool:
        if self.track.sync is not None and number not in self.track.sync:
            return False
        return self.codec.join(self._sample(number)) is Join.CLEAN

    def _join_before(self, number: int) -> int:
        while number > 0 and not self._is_join(number):
            number -= 1
        return number

    def _join_after(self, number: int) -> int:
        count = len(self.track.sizes)
        while number < count and not self._is_join(number):
            number += 1
        return number

    def _sample(self, number: int) -> bytes:
        at, size = self.track.offsets[number], self.track.sizes[number]
        if size > samples.MAX_SAMPLE or at + size > len(self.data):
            raise LabelingError("a picture of the film lies beyond the end of the file: it is damaged")
        return self.data[at : at + size]

    def run(self, write: Callable[[bytes], object], progress: Progress | None) -> None:
        """Code the segments anew."""
        timings = [[(self.track.pts[n], self.track.dts[n]) for n in range(*part)] for part in self.segments]
        # A table may show a picture before it is decoded (negative shifts): only differences count.
        early = [max(0, max(d - p for p, d in timing)) for timing in timings]
        depth = min(
            reorder_depth((p, d - less) for p, d in timing) for timing, less in zip(timings, early, strict=True)
        )
        total = sum(end - begin for begin, end in self.segments)
        done = at = 0
        rate = float(self.stream.rate)
        for (begin, end), less in zip(self.segments, early, strict=True):
            coder = segment.Reencoder(
                self.stream, self.overlay, self._wanted, self.settings, depth=depth, intra=self.track.sync is None
            )
            packets = (
                Packet(self.track.pts[n], self.track.dts[n] - less, self._syncs(n), self._sample(n))
                for n in range(begin, end)
            )
            number = begin
            for packet in coder.run(packets):
                write(packet.data)
                self.sizes[number], self.pts[number] = len(packet.data), packet.pts
                self.keys[number], self.places[number] = packet.key, at
                at += len(packet.data)
                number += 1
                done += 1
                if progress is not None and done % 16 == 0:
                    progress(done / rate, total / rate)
            if number != end:
                raise LabelingError(f"the film has packets without a picture; {ALWAYS}")
            self.extradata = coder.extradata

    def _syncs(self, number: int) -> bool:
        return self.track.sync is None or number in self.track.sync

    def _wanted(self, pts: int) -> bool:
        return any(first <= pts <= last for first, last in self.ranges)

    @property
    def whole(self) -> bool:
        """True if every picture was coded anew."""
        return sum(end - begin for begin, end in self.segments) == len(self.track.sizes)

    def edits(self, fresh: FileBytes) -> list[MediaEdit]:
        """In each chunk the run of old samples that gives way to new ones."""
        found: list[MediaEdit] = []
        for first, count in self.track.chunks:
            inside = [n for n in range(first, first + count) if n in self.places]
            for begin, end in _runs(inside):
                start = self.track.offsets[begin]
                stop = self.track.offsets[end] + self.track.sizes[end]
                new = FileRange(fresh, self.places[begin], self.places[end] + self.sizes[end])
                found.append((start, stop, new))
        for _, end in self.segments:  # what follows may need what the container kept apart until now
            if end < len(self.track.sizes) and end not in self.places:
                old = self._sample(end)
                if (again := self.codec.reentry(old)) != old:
                    at = self.track.offsets[end]
                    found.append((at, at + len(old), again))
                    self.sizes[end] = len(again)
        found.sort(key=lambda edit: edit[0])
        if any(one[1] > other[0] for one, other in pairwise(found)):
            raise LabelingError("the film's samples overlap; re-mux the file first")
        return found

    def tables(self, view: memoryview) -> list[MoovEdit]:
        """The changed tables of the track. To be asked after :meth:`edits`."""
        tables, around = self.track.tables, self.track.parents
        stbl = around[-1]
        edits = []

        def put(kind: bytes, new: bytes) -> None:
            old = tables.get(kind)
            start, end = (old.start, old.end) if old else (stbl.end, stbl.end)
            if old or new:
                edits.append(MoovEdit(start, end, new, around))

        put(b"stsz", samples.size_table(self.sizes))
        put(b"ctts", samples.shift_table(p - d for p, d in zip(self.pts, self.track.dts, strict=True)))
        if self.track.sync is not None:
            synced = (n for n in range(len(self.sizes)) if self.keys.get(n, n in self.track.sync))
            put(b"stss", samples.sync_table(synced))
        if (sdtp := tables.get(b"sdtp")) is not None:  # nothing is claimed of how new samples depend on each other
            flags = bytearray(view[sdtp.start : sdtp.end])
            for number in self.places:
                if sdtp.body + 4 + number < sdtp.end:
                    flags[sdtp.body - sdtp.start + 4 + number] = 0
            put(b"sdtp", bytes(flags))
        config = self.track.entry.config
        if config is not None and self.extradata:
            new = self.extradata if self.whole else self.codec.joined(self.extradata)
            stsd = tables[b"stsd"]
            head = bytes(view[config.start : config.body])[4:]
            box = (8 + len(new)).to_bytes(4, "big") + head[:4] + new
            edits.append(MoovEdit(config.start, config.end, box, (*around, stsd, self.track.entry.box)))
        return edits

    def exact_after(self) -> float | None:
        """From when on the film is as it was."""
        if self.whole:
            return None
        return (min(self.track.pts[n] for n in range(*self._tail())) - self.shown[0]) / self.track.scale

    def _tail(self) -> tuple[int, int]:
        end = self.segments[-1][1]
        return (end, len(self.track.sizes)) if end < len(self.track.sizes) else (0, 1)

    def how(self) -> str:
        """What was done, for people."""
        words = describe(self.stream, self.settings)
        if self.whole:
            everywhere = self.ranges[0][0] <= self.shown[0] and self.ranges[-1][1] >= self.shown[-1]
            behind = (
                "the label is on all of it" if everywhere else "no closed group of pictures begins behind the label"
            )
            why = f" ({self.why or behind})"
            return f"film coded anew as {words}{why}; sound and all else copied"
        scale = self.track.scale
        parts = [
            f"{(self.track.pts[begin] - self.shown[0]) / scale:.2f}–"
            f"{(max(self.track.pts[n] for n in range(begin, end)) - self.shown[0]) / scale:.2f} s"
            for begin, end in self.segments
        ]
        return f"pictures at {', '.join(parts)} coded anew as {words}; all else copied bit-exactly"


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of consecutive numbers."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[start], numbers[index - 1]
            start = index


def _resized(data: Media, layout: Layout, edits: list[MediaEdit]) -> list[MediaEdit]:
    """The edits, and those of the sizes of the mdat boxes that they lie in."""
    more: list[MediaEdit] = []
    for each in layout.boxes:
        if each.type != b"mdat":
            continue
        delta = sum(len(new) - (end - start) for start, end, new in edits if each.body <= start and end <= each.end)
        if not any(data[each.start : each.start + 4]):
            continue  # it reaches to the end of the file, and says no size
        size = each.end - each.start + delta
        if each.body - each.start == 16:
            more.append((each.start + 8, each.start + 16, size.to_bytes(8, "big")))
        elif size >= 1 << 32:
            raise LabelingError("the new film is beyond four gigabytes, which this file's mdat box cannot say")
        elif delta:
            more.append((each.start, each.start + 4, size.to_bytes(4, "big")))
    return [*more, *edits]
