"""Re-encode samples of a video track and replace them in place: the work of :mod:`labeling.codecs.video.mp4`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from labeling.codecs.base import Painter
from labeling.codecs.video import h264, hevc, segment
from labeling.codecs.video.base import (
    NO_VISIBLE,
    Packet,
    Progress,
    Settings,
    Spans,
    reorder_depth,
)
from labeling.codecs.video.bits import join_nals, split_start_codes
from labeling.codecs.video.h264_sets import PPS, SPS
from labeling.codecs.video.mp4_plan import SAME, Plan, Stretch
from labeling.codecs.video.mp4_streams import Described
from labeling.codecs.video.overlay import FrameOverlay, SizedOverlays
from labeling.codecs.video.written import Record
from labeling.containers.base import Media
from labeling.containers.edits import MediaEdit
from labeling.containers.mp4 import fragments, samples
from labeling.containers.mp4.descriptions import DOLBY_VISION, HEADER, Entry
from labeling.containers.mp4.layout import Layout
from labeling.containers.mp4.movie_box import MoovEdit
from labeling.containers.mp4.samples import VideoTrack
from labeling.containers.syntax import isobmff
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange


class SampleEdit:
    """Replaces the samples of one video track that are shown under a label.

    Call :meth:`run` first, then :meth:`edits`, then :meth:`tables`.

    Args:
        data: The file.
        layout: Its boxes.
        track: Its video track.
        described: The streams of its sample descriptions.
        painter: What draws the label.
        spans: When it is shown.
        settings: Preset and quality.
        reencode: "auto", "never" or "always"; see :func:`labeling.codecs.video.mp4.paint`.
        fallbacks: Codecs to take for a stream whose own codec cannot be encoded.

    Raises:
        LabelingError: The video cannot be labelled like this.
    """

    def __init__(
        self,
        data: Media,
        layout: Layout,
        track: VideoTrack,
        described: tuple[Described, ...],
        painter: Painter,
        spans: Spans,
        settings: Settings,
        reencode: str,
        fallbacks: tuple[str, ...] = (),
    ) -> None:
        self.data, self.layout, self.track, self.settings = data, layout, track, settings
        self.described = described
        self.plan = Plan(data, track, described, spans, reencode, fallbacks)
        self.codecs = self.plan.codecs
        self.overlays = [
            SizedOverlays(
                painter, rotation=track.rotation, mirrored=track.mirrored, sample_aspect=entry.aspect, crop=entry.crop
            )
            for entry in track.entries
        ]
        self.record = Record()
        self.sizes, self.pts = track.sizes[:], track.pts[:]
        self.keys: dict[int, bool] = {}
        self.places: dict[int, int] = {}  # sample → where its new form begins in the temporary file
        self.again: dict[int, bytes] = {}  # copied sample behind a segment → with what decoding from there needs
        self.extradata: dict[int, bytes] = {}

    @property
    def overlay(self) -> FrameOverlay:
        """The overlay as it is on the first picture that has it."""
        which = next((each.which for each in self.plan.segments if self.overlays[each.which].used), 0)
        return self.overlays[which].first

    def run(self, write: Callable[[bytes], object], progress: Progress | None) -> None:
        """Re-encode the segments.

        Args:
            write: Receives the bytes of the new samples, one after another.
            progress: Called with the seconds done and those to do.
        """
        timings = [
            [(self.track.pts[n], self.track.dts[n]) for n in range(begin, end)] for begin, end, _ in self.plan.segments
        ]
        # A table may show a picture before it is decoded (negative shifts): only differences matter.
        early = [max(0, max(d - p for p, d in timing)) for timing in timings]
        depth = min(
            reorder_depth((p, d - less) for p, d in timing) for timing, less in zip(timings, early, strict=True)
        )
        total = sum(end - begin for begin, end, _ in self.plan.segments)
        done = at = 0
        rate = float(self.described[0].stream.rate)
        noted = [0] * len(self.described)
        for part, less in zip(self.plan.segments, early, strict=True):
            begin, end, which = part
            self._note_sets(which, noted[which], begin)
            coder = self._coder(part, depth)
            number = begin
            for packet in coder.run(self._packets(part, less)):
                data = packet.data
                if self.plan.whole.get(which, SAME).boxed:
                    data = _boxed_packet(data, self.plan.whole[which].codec)
                write(data)
                self.sizes[number], self.pts[number] = len(data), packet.pts
                self.keys[number], self.places[number] = packet.key, at
                at += len(data)
                number += 1
                done += 1
                if progress is not None and done % 16 == 0:
                    progress(done / rate, total / rate)
            if number != end:
                raise LabelingError("the video has packets without a picture", hint=NO_VISIBLE)
            noted[which] = end
            self._put_configuration(which, coder)
            if any(stretch.which == which and stretch.begin < end < stretch.end for stretch in self.plan.stretches):
                old = self.plan.sample(end)
                if (again := self.codecs[which].reentry(old)) != old:
                    self.again[end] = again

    def _packets(self, part: Stretch, less: int) -> Iterator[Packet]:
        for number in range(part.begin, part.end):
            data = self.plan.sample(number)
            self.codecs[part.which].note(data)
            yield Packet(self.track.pts[number], self.track.dts[number] - less, self.plan.syncs(number), data)

    def _note_sets(self, which: int, start: int, stop: int) -> None:
        """Take note of the parameter sets of copied samples, and of those of the first one that is re-encoded."""
        sets = self.described[which].sets
        for number in sorted(n for n in sets if start <= n <= stop):
            self.codecs[which].note(self.plan.sample(number))

    def _coder(self, part: Stretch, depth: int) -> segment.Reencoder:
        stream = self.described[part.which].stream
        if stream.in_band:
            stream = replace(stream, extradata=self.codecs[part.which].configuration())
        codec = self.plan.whole[part.which].codec if part.which in self.plan.whole else stream.codec
        if codec != stream.codec:
            return segment.Reencoder(
                stream, self.overlays[part.which], self.plan.wanted, self.settings, depth=depth, codec=codec,
                record=self.record,
            )  # fmt: skip
        return segment.Reencoder(
            stream,
            self.overlays[part.which],
            self.plan.wanted,
            self.settings,
            depth=depth,
            intra=self.track.sync is None,
            record=self.record,
        )

    def _put_configuration(self, which: int, coder: segment.Reencoder) -> None:
        new = coder.extradata
        if self.plan.whole.get(which, SAME).boxed:
            new = h264.boxed(new) if self.plan.whole[which].codec == "h264" else hevc.boxed(new)
        if self.extradata.setdefault(which, new) != new and not self.described[which].stream.in_band:
            raise LabelingError("the video's coding changes on the way", hint=NO_VISIBLE)

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
        for number, again in self.again.items():  # what decoding from there needs was in replaced samples
            if number not in self.places:
                at, size = self.track.offsets[number], self.track.sizes[number]
                found.append((at, at + size, again))
                self.sizes[number] = len(again)
        found.sort(key=lambda edit: edit[0])
        if any(one[1] > other[0] for one, other in pairwise(found)):
            raise LabelingError("the video's samples overlap", hint="re-mux the file first")
        return found

    def tables(self, view: memoryview) -> list[MoovEdit]:
        """Return the edits of the tables of the track, inside the movie box ``view``."""
        tables, around, plain = self.track.tables, self.track.parents, self.track.plain
        stbl = around[-1]
        edits = []

        def put(kind: bytes, new: bytes) -> None:
            old = tables.get(kind)
            start, end = (old.start, old.end) if old else (stbl.end, stbl.end)
            if old or new:
                edits.append(MoovEdit(start, end, new, around))

        if plain:
            put(b"stsz", samples.size_table(self.sizes[:plain]))
            put(b"ctts", samples.shift_table(self.shifts[:plain]))
            if b"stss" in tables and self.track.sync is not None:
                synced = (n for n in range(plain) if self.keys.get(n, n in self.track.sync))
                put(b"stss", samples.sync_table(synced))
        if (sdtp := tables.get(b"sdtp")) is not None:  # nothing is said of how new samples depend on each other
            flags = bytearray(view[sdtp.start : sdtp.end])
            for number in self.places:
                if sdtp.body + 4 + number < sdtp.end:
                    flags[sdtp.body - sdtp.start + 4 + number] = 0
            put(b"sdtp", bytes(flags))
        for which in sorted(self.extradata):
            edits += self._description(view, which)
        return edits

    @property
    def shifts(self) -> list[int]:
        """By how many ticks each sample is shown after it is decoded."""
        return [p - d for p, d in zip(self.pts, self.track.dts, strict=True)]

    def of_fragments(self, others: list[MediaEdit]) -> list[MediaEdit]:
        """Return the edits of fragments; ``others`` are all other edits outside the movie box."""
        new = fragments.Replaced(
            self.places.keys() | self.again.keys(), self.sizes, self.shifts,
            dict.fromkeys(self.again, True) | self.keys,
        )  # fmt: skip
        return fragments.edits_of(self.data, self.layout, self.track, new, others)

    def _description(self, view: memoryview, which: int) -> list[MoovEdit]:
        """Return the edits of a sample description: its configuration, or all of it if the codec is another one."""
        entry, new = self.track.entries[which], self.extradata[which]
        stsd = self.track.tables[b"stsd"]
        around = (*self.track.parents, stsd)
        inside = (*around, entry.box)
        if self.plan.whole.get(which, SAME).boxed:
            return [
                MoovEdit(
                    entry.box.start, entry.box.end, _entry_of(view, entry, self.plan.whole[which].codec, new), around
                )
            ]
        edits = []
        if self.described[which].stream.base_layer:
            edits += [MoovEdit(each.start, each.end, b"", inside) for each in entry.inside if each.type in DOLBY_VISION]
            tag = self.described[which].stream.tag.encode("latin-1")
            if tag != entry.tag:
                edits.append(MoovEdit(entry.box.start + 4, entry.box.start + 8, tag, ()))
        config = entry.config
        if config is not None and new and config.type != b"esds":
            if not (which in self.plan.whole and self.plan.everything) or self.described[which].stream.in_band:
                new = self.codecs[which].joined(new)
            if new != entry.config_data:
                edits.append(MoovEdit(config.start, config.end, isobmff.box(config.type, new), inside))
        return edits

    def resumes(self) -> float | None:
        """Return when the first copied picture behind re-encoded ones is shown; ``None`` if there is none.

        An edit list that shows parts in another order, or several times, says no such time.
        """
        begins = [*(each.begin for each in self.plan.segments), len(self.track.sizes)]
        ends = (each.end for each, begin in zip(self.plan.segments, begins[1:], strict=True) if each.end < begin)
        behind = next(ends, 0)
        if not behind or sum(media >= 0 for media, _ in self.track.edits) > 1:
            return None
        first = min(self.track.pts[behind : next(begin for begin in begins if begin > behind)])
        return (first - self.plan.shown[0]) / self.track.scale

    def how(self) -> str:
        """Describe what was done."""
        words = ", ".join(self.record.words)
        if self.plan.everything:
            everywhere = self.plan.ranges[0][0] <= self.plan.shown[0] and self.plan.ranges[-1][1] >= self.plan.shown[-1]
            behind = (
                "the label is on all of it" if everywhere else "no closed group of pictures begins behind the label"
            )
            why = f" ({'; '.join(self.plan.whys) or behind})"
            return f"video re-encoded as {words}{why}; audio and all else copied"
        scale = self.track.scale
        parts = [
            f"{(self.track.pts[begin] - self.plan.shown[0]) / scale:.2f}–"
            f"{(max(self.track.pts[n] for n in range(begin, end)) - self.plan.shown[0]) / scale:.2f} s"
            for begin, end, _ in self.plan.segments
        ]
        why = f" ({'; '.join(self.plan.whys)})" if self.plan.whys else ""
        return f"pictures at {', '.join(parts)} re-encoded as {words}{why}; all else copied bit-exactly"


def _boxed_packet(data: bytes, codec: str) -> bytes:
    """Return a packet with lengths of four bytes for one with start codes; its parameter sets are in the box."""
    nals = split_start_codes(data)
    if codec == "h264":
        return join_nals([nal for nal in nals if nal[0] & 31 not in (SPS, PPS)], 4)
    return join_nals([nal for nal in nals if nal[0] >> 1 & 63 not in (hevc.VPS, hevc.SPS, hevc.PPS)], 4)


_SHOWN_BOXES = frozenset({b"colr", b"pasp", b"clap", b"fiel", b"mdcv", b"clli", b"cclv", b"amve", b"st3d", b"sv3d"})


def _entry_of(view: memoryview, entry: Entry, codec: str, config: bytes) -> bytes:
    """Return a sample description for another codec, with the boxes of the old one that say how pictures are shown."""
    head = bytearray(view[entry.box.body : entry.box.body + HEADER])
    head[8:24] = bytes(16)  # version, vendor and qualities of the old encoder
    head[42:76] = bytes(32) + b"\0\x18"  # its name; 24 bits a pixel
    kept = [bytes(view[each.start : each.end]) for each in entry.inside if each.type in _SHOWN_BOXES]
    tag, name = (b"avc1", b"avcC") if codec == "h264" else (b"hvc1", b"hvcC")
    return isobmff.box(tag, bytes(head), isobmff.box(name, config), *kept)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of consecutive numbers."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[start], numbers[index - 1]
            start = index
