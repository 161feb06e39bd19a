"""What of an MP4 video track is re-encoded for a label: which samples, from where to where, and with which codec."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from labeling.codecs.video import segment
from labeling.codecs.video.base import AS_ASKED, NAMES, NO_VISIBLE, Join, Packet, Spans
from labeling.codecs.video.decoders import first_picture
from labeling.codecs.video.mp4_streams import Described
from labeling.codecs.video.targets import candidates, choose
from labeling.containers.base import Media
from labeling.containers.mp4 import samples
from labeling.containers.mp4.samples import VideoTrack
from labeling.errors import LabelingError

_TRIED = 32
"""Limit on the packets in which a first picture is looked for."""


class Stretch(NamedTuple):
    """Samples from ``begin`` to before ``end`` that have one description, with the number ``which``."""

    begin: int
    end: int
    which: int


class Whole(NamedTuple):
    """How all samples of a description are re-encoded: the codec, and whether it is another one than before."""

    codec: str
    boxed: bool


SAME = Whole("", False)


class Plan:
    """Decides which samples of a video track are re-encoded.

    Args:
        data: The file.
        track: Its video track.
        described: The streams of its sample descriptions.
        spans: When the label is shown.
        reencode: "auto", "never" or "always"; see :func:`labeling.codecs.video.mp4.paint`.
        fallbacks: Codecs to take for a stream whose own codec cannot be encoded.

    Attributes:
        shown: The display times of all samples, in order.
        ranges: (first, last) display time of the samples under the label, for each time at which it is shown.
        stretches: The samples, divided where their description changes.
        segments: The samples to re-encode.
        whole: Description of which every sample is re-encoded → with what.
        whys: Why more is re-encoded than what is under the label, in words.

    Raises:
        LabelingError: The video cannot be labelled like this.
    """

    def __init__(
        self,
        data: Media,
        track: VideoTrack,
        described: tuple[Described, ...],
        spans: Spans,
        reencode: str,
        fallbacks: tuple[str, ...],
    ) -> None:
        self.data, self.track, self.described = data, track, described
        self.codecs = [segment.codec_of(each.stream) for each in described]
        self.shown = sorted(track.pts)
        self._latest = _suffix_minimum(track.pts) if any(codec.ordered for codec in self.codecs) else None
        self.ranges = sorted(self._ranges(spans))
        self.stretches = _stretches(track)
        self.whys: list[str] = []
        self.whole: dict[int, Whole] = {}
        self.segments = self._segments(reencode, fallbacks)

    @property
    def everything(self) -> bool:
        """Whether every picture is re-encoded."""
        return sum(end - begin for begin, end, _ in self.segments) == len(self.track.sizes)

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

    def _segments(self, reencode: str, fallbacks: tuple[str, ...]) -> list[Stretch]:
        touched = self._touched()
        if not touched:
            raise LabelingError("no picture of the video is shown at the time of the label")
        if reencode == "always":
            self.whys.append(AS_ASKED)
            self._take_whole({each.which for each in self.stretches}, fallbacks)
            return list(self.stretches)
        refused: dict[int, str] = {}
        for which in sorted({stretch.which for stretch, _ in touched}):
            if why := self.described[which].refusal or self._unencodable(which):
                refused[which] = why
        if refused and reencode == "never":
            why = next(iter(refused.values()))
            hint = 'pass `reencode="auto"` to re-encode all of the video'
            raise LabelingError(f"the video cannot be re-encoded in part: {why}", hint=hint)
        self.whys += [f"since {why}" for why in dict.fromkeys(refused.values())]
        self._take_whole(set(refused), fallbacks)
        found = [stretch for stretch in self.stretches if stretch.which in refused]
        for stretch, inside in touched:
            if stretch.which not in refused:
                begin, end = self._join_before(min(inside), stretch), self._join_after(max(inside) + 1, stretch)
                found.append(Stretch(begin, end, stretch.which))
        found = _merged(sorted(found))
        partial = sum(end - begin for begin, end, _ in found) < len(self.track.sizes)
        if reencode == "never" and not partial and self.ranges[-1][1] < self.shown[-1]:
            raise LabelingError(
                "no closed group of pictures begins behind the label",
                hint='pass `reencode="auto"` to re-encode all of the video',
            )
        return found

    def _touched(self) -> list[tuple[Stretch, list[int]]]:
        """Return each stretch with those of its samples that are under the label, once for each of its times."""
        order = sorted(range(len(self.track.sizes)), key=self.track.pts.__getitem__)
        begins = [stretch.begin for stretch in self.stretches]
        found: list[tuple[Stretch, list[int]]] = []
        for first, last in self.ranges:
            inside = sorted(order[bisect_left(self.shown, first) : bisect_right(self.shown, last)])
            for number, mine in groupby(inside, key=lambda n: bisect_right(begins, n) - 1):
                found.append((self.stretches[number], list(mine)))
        return found

    def _take_whole(self, which: set[int], fallbacks: tuple[str, ...]) -> None:
        """Decide with which codec all samples of some descriptions are re-encoded."""
        for number in which:
            stream = self.described[number].stream
            form = self._picture(number)
            codec = next((one for one in candidates(stream.codec, form, fallbacks) if choose(one, form)), "")
            if not codec:
                name = NAMES.get(stream.codec, stream.codec)
                raise LabelingError(
                    f"video coded as {name} with {form} pictures cannot be encoded here",
                    hint=f"convert it to H.264 first, or {NO_VISIBLE}",
                )
            self.whole[number] = Whole(codec, codec != stream.codec)

    def _unencodable(self, which: int) -> str:
        """Say why pictures of a description cannot be encoded with their own codec; empty if they can."""
        stream, form = self.described[which].stream, self._picture(which)
        if choose(stream.codec, form) is not None:
            return ""
        return f"{NAMES.get(stream.codec, stream.codec)} with {form} pictures cannot be encoded here"

    def _picture(self, which: int) -> str:
        """Return the pixel format of the first picture of a description."""
        stretch = next(each for each in self.stretches if each.which == which)
        numbers = range(stretch.begin, min(stretch.end, stretch.begin + _TRIED))
        packets = (Packet(self.track.pts[n], self.track.dts[n], self.syncs(n), self.sample(n)) for n in numbers)
        form = first_picture(self.described[which].stream, packets).format.name
        return str(form)

    def _is_join(self, number: int, stretch: Stretch) -> bool:
        if number == stretch.begin:
            return True
        if self.track.sync is not None and number not in self.track.sync:
            return False
        codec = self.codecs[stretch.which]
        if codec.ordered and self._latest is not None and self._latest[number] < self.track.pts[number]:
            return False  # pictures behind it are shown before it, and may refer to the group before
        return codec.join(self.sample(number)) is Join.CLEAN

    def _join_before(self, number: int, stretch: Stretch) -> int:
        while number > stretch.begin and not self._is_join(number, stretch):
            number -= 1
        return number

    def _join_after(self, number: int, stretch: Stretch) -> int:
        while number < stretch.end and not self._is_join(number, stretch):
            number += 1
        return number

    def sample(self, number: int) -> bytes:
        """Return a sample.

        Raises:
            LabelingError: It is not in the file.
        """
        at, size = self.track.offsets[number], self.track.sizes[number]
        if size > samples.MAX_SAMPLE or at + size > len(self.data):
            raise LabelingError("a picture of the video lies beyond the end of the file: it is damaged")
        return self.data[at : at + size]

    def syncs(self, number: int) -> bool:
        """Return whether the file says that decoding may start at a sample."""
        return self.track.sync is None or number in self.track.sync

    def wanted(self, pts: int) -> bool:
        """Return whether the picture at a display time gets the label."""
        return any(first <= pts <= last for first, last in self.ranges)


def _stretches(track: VideoTrack) -> list[Stretch]:
    found, begin = [], 0
    for which, group in groupby(track.described):
        end = begin + sum(1 for _ in group)
        found.append(Stretch(begin, end, which))
        begin = end
    return found


def _merged(parts: list[Stretch]) -> list[Stretch]:
    """Join parts of one description that overlap or touch."""
    found: list[Stretch] = []
    for part in parts:
        if found and part.which == found[-1].which and part.begin <= found[-1].end:
            found[-1] = found[-1]._replace(end=max(part.end, found[-1].end))
        else:
            found.append(part)
    return found


def _suffix_minimum(times: Sequence[int]) -> array[int]:
    """Return for each number the smallest of the times from there on."""
    found = array("q", times)
    for number in range(len(found) - 2, -1, -1):
        found[number] = min(found[number], found[number + 1])
    return found
