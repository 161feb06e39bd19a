"""Re-encode samples of a video track and replace them in place: the work of :mod:`labeling.codecs.video.mp4`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise

from labeling.codecs.base import Painter
from labeling.codecs.video import segment
from labeling.codecs.video.base import ALWAYS, Join, Packet, Progress, Settings, Spans, Stream, describe, reorder_depth
from labeling.codecs.video.overlay import FrameOverlay
from labeling.containers.base import Media
from labeling.containers.edits import MediaEdit
from labeling.containers.mp4 import samples
from labeling.containers.mp4.movie_box import MoovEdit
from labeling.containers.mp4.samples import VideoTrack
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange


class SampleEdit:
    """Replaces the samples of one video track that are shown under a label.

    Call :meth:`run` first, then :meth:`edits`, then :meth:`tables`.

    Args:
        data: The file.
        track: Its video track.
        stream: The stream in it.
        painter: What draws the label.
        spans: When it is shown.
        settings: Preset and quality.
        reencode: "auto", "never" or "always"; see :func:`labeling.codecs.video.mp4.paint`.

    Raises:
        LabelingError: The video cannot be labelled like this.
    """

    def __init__(
        self,
        data: Media,
        track: VideoTrack,
        stream: Stream,
        painter: Painter,
        spans: Spans,
        settings: Settings,
        reencode: str,
    ) -> None:
        self.data, self.track, self.stream, self.settings = data, track, stream, settings
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
        self.places: dict[int, int] = {}  # sample → where its new form begins in the temporary file
        self.extradata = b""

    def _ranges(self, spans: Spans) -> Iterator[tuple[int, int]]:
        """Yield (first pts, last pts) of the pictures that are shown during the spans, as the edit list says."""
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
            length = infinite if last else seconds  # one more picture at the end does no harm
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
            raise LabelingError("no picture of the video is shown at the time of the label")
        partial = sum(end - begin for begin, end in found) < count
        if reencode == "never" and not partial and self.ranges[-1][1] < self.shown[-1]:
            raise LabelingError(
                "no closed group of pictures begins behind the label",
                hint='pass `reencode="auto"` to re-encode all of the video',
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
            raise LabelingError("a picture of the video lies beyond the end of the file: it is damaged")
        return self.data[at : at + size]

    def run(self, write: Callable[[bytes], object], progress: Progress | None) -> None:
        """Re-encode the segments.

        Args:
            write: Receives the bytes of the new samples, one after another.
            progress: Called with the seconds done and those to do.
        """
        timings = [[(self.track.pts[n], self.track.dts[n]) for n in range(*part)] for part in self.segments]
        # A table may show a picture before it is decoded (negative shifts): only differences matter.
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
                raise LabelingError("the video has packets without a picture", hint=ALWAYS)
            self.extradata = coder.extradata

    def _syncs(self, number: int) -> bool:
        return self.track.sync is None or number in self.track.sync

    def _wanted(self, pts: int) -> bool:
        return any(first <= pts <= last for first, last in self.ranges)

    @property
    def whole(self) -> bool:
        """Whether every picture is re-encoded."""
        return sum(end - begin for begin, end in self.segments) == len(self.track.sizes)

    def edits(self, fresh: FileBytes) -> list[MediaEdit]:
        """Return the edits that replace old samples by new ones, one for each run of samples in a chunk.

        Args:
            fresh: The new samples, as :meth:`run` wrote them.

        Raises:
            LabelingError: Samples overlap.
        """
        found: list[MediaEdit] = []
        for first, count in self.track.chunks:
            inside = [n for n in range(first, first + count) if n in self.places]
            for begin, end in _runs(inside):
                start = self.track.offsets[begin]
                stop = self.track.offsets[end] + self.track.sizes[end]
                new = FileRange(fresh, self.places[begin], self.places[end] + self.sizes[end])
                found.append((start, stop, new))
        for _, end in self.segments:  # the next copied sample may need what its container stores apart
            if end < len(self.track.sizes) and end not in self.places:
                old = self._sample(end)
                if (again := self.codec.reentry(old)) != old:
                    at = self.track.offsets[end]
                    found.append((at, at + len(old), again))
                    self.sizes[end] = len(again)
        found.sort(key=lambda edit: edit[0])
        if any(one[1] > other[0] for one, other in pairwise(found)):
            raise LabelingError("the video's samples overlap", hint="re-mux the file first")
        return found

    def tables(self, view: memoryview) -> list[MoovEdit]:
        """Return the edits of the tables of the track, inside the movie box ``view``."""
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
        if (sdtp := tables.get(b"sdtp")) is not None:  # nothing is said of how new samples depend on each other
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
        """Return the second from which on the video is as before; ``None`` if there is none."""
        if self.whole:
            return None
        return (min(self.track.pts[n] for n in range(*self._tail())) - self.shown[0]) / self.track.scale

    def _tail(self) -> tuple[int, int]:
        end = self.segments[-1][1]
        return (end, len(self.track.sizes)) if end < len(self.track.sizes) else (0, 1)

    def how(self) -> str:
        """Describe what was done."""
        words = describe(self.stream, self.settings)
        if self.whole:
            everywhere = self.ranges[0][0] <= self.shown[0] and self.ranges[-1][1] >= self.shown[-1]
            behind = (
                "the label is on all of it" if everywhere else "no closed group of pictures begins behind the label"
            )
            why = f" ({self.why or behind})"
            return f"video re-encoded as {words}{why}; audio and all else copied"
        scale = self.track.scale
        parts = [
            f"{(self.track.pts[begin] - self.shown[0]) / scale:.2f}–"
            f"{(max(self.track.pts[n] for n in range(begin, end)) - self.shown[0]) / scale:.2f} s"
            for begin, end in self.segments
        ]
        return f"pictures at {', '.join(parts)} re-encoded as {words}; all else copied bit-exactly"


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of consecutive numbers."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[start], numbers[index - 1]
            start = index
