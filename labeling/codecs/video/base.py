"""What the engine of smart rendering talks about: packets, the stream they are of, and how new pictures are coded."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from labeling.errors import LabelingError

if TYPE_CHECKING:
    import av

ALWAYS = "--reencode always encodes all of it anew"


class Packet(NamedTuple):
    """One coded picture (an access unit; a VP9 superframe; an AV1 temporal unit), times in ticks of the stream."""

    pts: int
    dts: int
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """A video stream as its container has it.

    ``codec`` is FFmpeg's name (h264, hevc, vp8, vp9, av1, mjpeg, prores, …); ``extradata`` is the decoder configuration
    in the container's own form (avcC, hvcC, av1C, Annex B, or nothing); ``width`` and ``height`` are coded sizes;
    ``time_base`` is the length of a tick in seconds; ``rate`` the nominal frame rate; ``tag`` the sample entry's
    name (avc1, hvc1, hev1, apcn, …).
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """How new pictures are coded; ``None`` is the codec's default of :data:`DEFAULTS`."""

    preset: str | None = None
    crf: int | None = None


class Coding(NamedTuple):
    """An encoder, its default preset and quality, and what that quality is called."""

    encoder: str
    preset: str
    crf: int
    unit: str = "CRF"


DEFAULTS = {
    "h264": Coding("libx264", "faster", 17),
    "hevc": Coding("libx265", "veryfast", 16),
    "vp9": Coding("libvpx-vp9", "6", 16),
    "vp8": Coding("libvpx", "5", 6),
    "av1": Coding("libsvtav1", "9", 14),
    "prores": Coding("prores_ks", "", 0, "the rate of its profile"),
    "mjpeg": Coding("mjpeg", "", 2, "quantiser"),
    "mpeg4": Coding("mpeg4", "", 2, "quantiser"),
    "mpeg2video": Coding("mpeg2video", "", 2, "quantiser"),
    "ffv1": Coding("ffv1", "", 0, "lossless"),
}
"""Visually lossless defaults per codec: the one place where quality is chosen. VP8's, VP9's and AV1's are speeds."""


_WORDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
PRESETS: dict[str, tuple[str, ...]] = {
    "libx264": _WORDS,
    "libx265": _WORDS,
    "libvpx-vp9": tuple(map(str, range(9))),
    "libvpx": tuple(map(str, range(17))),
    "libsvtav1": tuple(map(str, range(14))),
}
"""What each encoder takes for a preset, or calls its speed."""

_WORST = {"libx264": 51, "libx265": 51, "libvpx-vp9": 63, "libvpx": 63, "libsvtav1": 63}


def coding(stream: Stream, settings: Settings) -> Coding:
    """Give the encoder with the preset and quality to use.

    Raises :class:`LabelingError` if there is no encoder, or it does not know the preset or quality.
    """
    default = DEFAULTS.get(stream.codec)
    if default is None:
        raise LabelingError(
            f"video coded as {stream.codec or 'an unknown codec'} cannot be encoded here; convert it to H.264 first, "
            "or label it without the visible text (--no-visible)"
        )
    encoder, preset, crf, unit = default
    name = NAMES.get(stream.codec, stream.codec)
    if settings.preset is not None and settings.preset not in PRESETS.get(encoder, ()):
        known = ", ".join(PRESETS.get(encoder, ())) or "none"
        raise LabelingError(f"{name} has no preset {settings.preset!r}; choose one of {known}")
    if settings.crf is not None and not 0 <= settings.crf <= _WORST.get(encoder, 63):
        raise LabelingError(f"the quality (CRF) of {name} is 0 to {_WORST.get(encoder, 63)}, not {settings.crf}")
    return Coding(encoder, settings.preset or preset, crf if settings.crf is None else settings.crf, unit)


def describe(stream: Stream, settings: Settings) -> str:
    """Say in words how new pictures are coded: "H.264 (libx264, preset faster, CRF 17)"."""
    encoder, preset, crf, unit = coding(stream, settings)
    quality = f"{unit} {crf}" if crf else unit
    named = f"preset {preset}, " if preset and not preset.isdecimal() else f"speed {preset}, " if preset else ""
    return f"{NAMES.get(stream.codec, stream.codec)} ({encoder}, {named}{quality})"


NAMES = {
    "h264": "H.264", "hevc": "HEVC", "vp8": "VP8", "vp9": "VP9", "av1": "AV1", "prores": "ProRes",
    "mjpeg": "Motion JPEG", "mpeg4": "MPEG-4 Visual", "mpeg2video": "MPEG-2", "ffv1": "FFV1",
}  # fmt: skip


class Join(StrEnum):
    """May decoding start at a packet?

    ``CLEAN``: nothing from here on, in the order of decoding, needs what was before. ``OPEN``: pictures that are
    shown before it but come after it may refer back. ``NONE``: no.
    """

    CLEAN = "clean"
    OPEN = "open"
    NONE = "none"


class Encoding(NamedTuple):
    """What the first decoded picture and the caller say about the new part."""

    settings: Settings
    depth: int
    intra: bool
    interlaced: bool
    pix_fmt: str


class Codec(Protocol):
    """What the engine needs to know of one codec, made for one stream."""

    copies: bool
    """True if the encoder's (or decoder's) threads may still read a picture after ``encode`` has returned."""

    def refusal(self, first: bytes = b"") -> str:
        """Say why this stream, whose first packet is ``first``, cannot be encoded anew in part; "" if it can."""
        ...

    def join(self, data: bytes) -> Join:
        """Say whether decoding may start at this packet."""
        ...

    def hidden(self, data: bytes) -> bool:
        """Say whether this packet holds no picture that is shown (VP8's alternate reference frames)."""
        ...

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """Set what the encoder's context needs beyond size, format, colour and rate; give its options."""
        ...

    def extradata(self, context: av.VideoCodecContext) -> bytes:
        """Give the open encoder's configuration in the container's own form."""
        ...

    def carried(self, data: bytes) -> Any:
        """Take from a source packet what has to be in the new one (SEI messages), checking that it may be dropped."""
        ...

    def pack(self, data: bytes, carried: Any, key: bool) -> bytes:
        """Bring an encoder's packet into the container's form."""
        ...

    def joined(self, new: bytes) -> bytes:
        """Give the configuration for the source's part and the new part together."""
        ...

    def reentry(self, data: bytes) -> bytes:
        """Give the first copied packet after a new part, with what it needs to be decoded from there."""
        ...


_WINDOW = 16
"""No standard allows a picture to be put off by more than so many others."""


class Reordering:
    """How many pictures a new part may decode ahead of their turn if it keeps the dts of the packets it is told of.

    The answer is never more than what the source itself does, and 0 if any more would break pts >= dts. Memory does not
    grow with the number of packets.
    """

    def __init__(self, limit: int = 2) -> None:
        self._limit = limit
        self._recent: deque[int] = deque(maxlen=_WINDOW)
        self._waiting: list[int] = []
        self._slots: deque[int] = deque()  # dts of the packets whose turn it is from the oldest waiting picture on
        self._depth = 0

    def add(self, pts: int, dts: int) -> None:
        """Tell of the next packet in the order of decoding."""
        self._depth = max(self._depth, sum(other > pts for other in self._recent))
        self._recent.append(pts)
        heapq.heappush(self._waiting, pts)
        self._slots.append(dts)
        if len(self._waiting) > _WINDOW + 2:
            self._next()

    def depth(self) -> int:
        """Give the answer for all packets so far; none may follow."""
        while self._waiting:
            self._next()
        return min(self._depth, self._limit)

    def _next(self) -> None:
        pts = heapq.heappop(self._waiting)
        while self._limit and len(self._slots) > self._limit and pts < self._slots[self._limit]:
            self._limit -= 1
        self._slots.popleft()


def reorder_depth(timing: Iterable[tuple[int, int]]) -> int:
    """Ask :class:`Reordering` about (pts, dts) of packets. Parts with one configuration take the smallest answer."""
    order = Reordering()
    for pts, dts in timing:
        order.add(pts, dts)
    return order.depth()


Plan = tuple[tuple[float, float | None], ...]
"""From when to when the overlay is shown, in seconds since the first shown picture; ``None``: to the end."""


@dataclass(frozen=True, slots=True)
class PaintedVideo:
    """A painted copy of a film, and what happened to it. Times are seconds since the first shown picture.

    ``box`` is the overlay's box in the displayed picture, whose (width, height) is ``displayed``. ``spans`` is when the
    overlay is shown. ``encoded`` are the parts that were encoded anew; all else is the same bytes. ``bit_exact_after``
    is where the last of them ends, ``None`` if nothing follows. ``how`` says it in sentences.
    """

    box: tuple[int, int, int, int]
    displayed: tuple[int, int]
    spans: tuple[tuple[float, float], ...]
    encoded: tuple[tuple[float, float], ...]
    bit_exact_after: float | None
    how: tuple[str, ...]
