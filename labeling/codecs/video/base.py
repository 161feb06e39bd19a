"""The terms of smart rendering: packets, the stream they belong to, and how new pictures are encoded.

*Smart rendering* re-encodes only the groups of pictures that change and copies all other packets as they are.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from labeling.errors import LabelingError
from labeling.losses import Loss

if TYPE_CHECKING:
    import av

ALWAYS = 'pass `reencode="always"` to re-encode all of it'
"""Hint for a video of which no part can be re-encoded on its own."""

NO_VISIBLE = "label it without the visible text (`visible=False`)"
"""Hint for a video that cannot be encoded at all."""


def bare(others: int) -> tuple[str, ...]:
    """Say that further video tracks have no label, if there are ``others`` of them."""
    if not others:
        return ()
    rest = "the other one has" if others == 1 else f"the {others} others have"
    return (f"only the first video track has the visible label; {rest} none",)


class Packet(NamedTuple):
    """One coded picture: an access unit, a VP9 superframe, or an AV1 temporal unit.

    Attributes:
        pts: Presentation time, in ticks of the stream.
        dts: Decoding time, in ticks of the stream.
        key: Whether it is a key frame.
        data: Its bytes.
    """

    pts: int
    dts: int
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """A video stream as its container describes it.

    Attributes:
        codec: FFmpeg's name of the codec (h264, hevc, vp8, vp9, av1, mjpeg, prores, …).
        extradata: The decoder configuration in the container's own form (avcC, hvcC, av1C, Annex B, or empty).
        width: Coded width in pixels.
        height: Coded height in pixels.
        time_base: Length of a tick in seconds.
        rate: Nominal frame rate in frames per second.
        tag: Name of the sample entry (avc1, hvc1, hev1, apcn, …).
        bits: Bits of a pixel, as the container says; 0 if unknown.
        sets: Parameter sets that its packets hold and its configuration does not, as in clips that were joined.
        in_band: Whether new key frames carry their parameter sets, since those of the stream change on the way.
        base_layer: Whether what goes beyond the base layer (Dolby Vision) may be left out of new pictures.
        colour: Primaries, transfer and matrix (code points of ITU-T H.273) and range (1 limited, 2 full) as the
            container says; empty if it does not.
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    tag: str = ""
    bits: int = 0
    sets: tuple[bytes, ...] = ()
    in_band: bool = False
    base_layer: bool = False
    colour: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """How new pictures are encoded; ``None`` stands for the codec's value in :data:`DEFAULTS`.

    Attributes:
        preset: The encoder's preset or speed.
        crf: The encoder's quality (constant rate factor); lower is better.
    """

    preset: str | None = None
    crf: int | None = None


class Coding(NamedTuple):
    """An encoder with its preset and quality.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        preset: The preset or speed.
        crf: The quality.
        unit: What the quality is called.
    """

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
    "mpeg1video": Coding("mpeg1video", "", 2, "quantiser"),
    "dnxhd": Coding("dnxhd", "", 0, "the rate of its profile"),
    "dvvideo": Coding("dvvideo", "", 0, "the rate of its profile"),
    "cfhd": Coding("cfhd", "", 0, "film scan 3+"),
    "jpeg2000": Coding("jpeg2000", "", 0, "lossless"),
}
EXACT = ("rawvideo", "ffv1", "png", "qtrle", "v210", "v410", "r210", "huffyuv", "ffvhuff", "utvideo", "magicyuv")
"""Codecs that lose nothing, and that FFmpeg encodes."""

DEFAULTS |= {name: Coding(name, "", 0, "lossless") for name in EXACT}
"""Codec → visually lossless default. Quality is chosen here only. The presets of VP8, VP9 and AV1 are speeds."""


_WORDS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
PRESETS: dict[str, tuple[str, ...]] = {
    "libx264": _WORDS,
    "libx265": _WORDS,
    "libvpx-vp9": tuple(map(str, range(9))),
    "libvpx": tuple(map(str, range(17))),
    "libsvtav1": tuple(map(str, range(14))),
}
"""Encoder → the presets, or speeds, that it accepts."""

_WORST = {"libx264": 51, "libx265": 51, "libvpx-vp9": 63, "libvpx": 63, "libsvtav1": 63}


def coding(stream: Stream, settings: Settings) -> Coding:
    """Return the encoder for a stream, with the preset and quality to use.

    Raises:
        LabelingError: There is no encoder for the codec, or it does not know the preset or quality.
    """
    default = DEFAULTS.get(stream.codec)
    if default is None:
        raise LabelingError(
            f"video coded as {stream.codec or 'an unknown codec'} cannot be encoded here",
            hint=f"convert it to H.264 first, or {NO_VISIBLE}",
        )
    encoder, preset, crf, unit = default
    name = NAMES.get(stream.codec, stream.codec)
    if settings.preset is not None and settings.preset not in PRESETS.get(encoder, ()):
        known = ", ".join(PRESETS.get(encoder, ())) or "none"
        raise LabelingError(f"{name} has no preset {settings.preset!r}", hint=f"choose one of {known}")
    if settings.crf is not None and not 0 <= settings.crf <= _WORST.get(encoder, 63):
        raise LabelingError(f"the quality (CRF) of {name} is 0 to {_WORST.get(encoder, 63)}, not {settings.crf}")
    return Coding(encoder, settings.preset or preset, crf if settings.crf is None else settings.crf, unit)


def describe(stream: Stream, settings: Settings, *, name: str = "", encoder: str = "", exact: bool = False) -> str:
    """Describe how new pictures are encoded, such as "H.264 (libx264, preset faster, CRF 17)".

    Args:
        stream: Their stream.
        settings: Preset and quality.
        name: The codec in words, if more is known than its name.
        encoder: FFmpeg's name of the encoder, if it is not the usual one.
        exact: Whether they are encoded without loss.
    """
    usual, preset, crf, unit = coding(stream, settings)
    quality = "lossless" if exact else f"{unit} {crf}" if crf or unit == "CRF" else unit
    named = f"preset {preset}, " if preset and not preset.isdecimal() else f"speed {preset}, " if preset else ""
    return f"{name or NAMES.get(stream.codec, stream.codec)} ({encoder or usual}, {named}{quality})"


AS_ASKED = "as asked"
"""Why everything is re-encoded, if somebody wants it."""

NAMES = {
    "h264": "H.264", "hevc": "HEVC", "vp8": "VP8", "vp9": "VP9", "av1": "AV1", "prores": "ProRes",
    "mjpeg": "Motion JPEG", "mpeg4": "MPEG-4 Visual", "mpeg2video": "MPEG-2", "ffv1": "FFV1",
    "mpeg1video": "MPEG-1", "dnxhd": "DNxHD", "qtrle": "QuickTime Animation", "v210": "uncompressed",
    "theora": "Theora", "png": "PNG", "cinepak": "Cinepak", "huffyuv": "HuffYUV", "ffvhuff": "FFmpeg HuffYUV",
    "utvideo": "Ut Video", "magicyuv": "MagicYUV", "rawvideo": "raw video", "dvvideo": "DV", "cfhd": "CineForm",
    "jpeg2000": "JPEG 2000", "hap": "Hap", "svq1": "Sorenson Video", "svq3": "Sorenson Video 3", "h263": "H.263",
    "msvideo1": "Microsoft Video 1", "msmpeg4": "Microsoft MPEG-4", "msmpeg4v2": "Microsoft MPEG-4",
    "wmv1": "Windows Media Video 7", "wmv2": "Windows Media Video 8", "wmv3": "Windows Media Video 9",
    "vc1": "VC-1", "flv": "Sorenson Spark", "flashsv": "Screen Video", "flashsv2": "Screen Video 2",
    "vp6": "VP6", "vp6f": "VP6", "rpza": "QuickTime Video",
}  # fmt: skip


class Join(StrEnum):
    """Whether decoding may start at a packet."""

    CLEAN = "clean"
    """Yes: nothing from here on, in the order of decoding, refers to earlier packets (a closed group of pictures)."""
    OPEN = "open"
    """In part: pictures that follow it but are shown before it may refer to earlier packets."""
    NONE = "none"
    """No."""


class Encoding(NamedTuple):
    """Facts about a new part that the codec needs to set up its encoder.

    Attributes:
        settings: Preset and quality.
        depth: How many pictures may be decoded ahead of the time they are shown.
        intra: Whether every picture is a key frame.
        fields: Which field of interlaced pictures is shown first, top or bottom; empty if they have none.
        pix_fmt: FFmpeg's name of the pixel format.
        whole: Whether no packet of the source is copied beside the new ones.
    """

    settings: Settings
    depth: int
    intra: bool
    fields: str
    pix_fmt: str
    whole: bool = False

    @property
    def interlaced(self) -> bool:
        """Whether the pictures are interlaced."""
        return bool(self.fields)


class Codec(Protocol):
    """What smart rendering needs to know about a codec. An object serves one stream."""

    copies: bool
    """Whether threads of the encoder or decoder may still read a picture after ``encode`` has returned."""

    ordered: bool
    """Whether a join is clean only if no picture that is decoded after it is shown before it."""

    exact: bool
    """Whether pictures are coded without loss, in codecs that can do both: new ones then are as well."""

    lenient: bool
    """Whether decoders report good pictures of this codec as corrupt."""

    def refusal(self, first: bytes = b"") -> str:
        """Say why this stream, whose first packet is ``first``, cannot be re-encoded in part; empty if it can."""
        ...

    def join(self, data: bytes) -> Join:
        """Return whether decoding may start at a packet."""
        ...

    def note(self, data: bytes) -> None:
        """Take note of the parameter sets in a packet, which count from here on: whole packets, in coded order."""
        ...

    @property
    def configured(self) -> tuple[bytes, ...]:
        """The parameter sets of the stream's configuration; empty for codecs without any."""
        ...

    def sets_in(self, head: bytes) -> tuple[bytes, ...]:
        """Return the parameter sets at the beginning of a packet, of which ``head`` is the first part."""
        ...

    def configuration(self) -> bytes:
        """Return the decoder configuration in force behind the packets that were noted."""
        ...

    def hidden(self, data: bytes) -> bool:
        """Return whether a packet holds no picture that is shown (VP8's alternate reference frames)."""
        ...

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """Set what the encoder's context needs beyond size, format, colour and rate, and return its options."""
        ...

    def extradata(self, context: av.VideoCodecContext) -> bytes:
        """Return the open encoder's decoder configuration in the container's own form."""
        ...

    def carried(self, data: bytes) -> Any:
        """Return what a new packet takes over from its source packet, such as SEI messages.

        Raises:
            LabelingError: The source packet holds something that may not be dropped.
        """
        ...

    def pack(self, data: bytes, carried: Any, key: bool) -> bytes:
        """Convert an encoder's packet to the container's form, with what :meth:`carried` returned."""
        ...

    def joined(self, new: bytes) -> bytes:
        """Return a decoder configuration that serves the copied parts and the new parts."""
        ...

    def reentry(self, data: bytes) -> bytes:
        """Return the first copied packet behind a new part, with everything that is needed to decode from there."""
        ...


_WINDOW = 16
"""No standard allows more pictures than this to be decoded before one that is displayed earlier."""


class Reordering:
    """Finds out how many pictures a new part may decode ahead of their display, if it keeps the dts of its source.

    The answer is never more than what the source itself does, nor more than ``limit``, nor so large that pts >= dts
    would break. Memory use does not depend on the number of packets.
    """

    def __init__(self, limit: int = 2) -> None:
        self._limit = limit
        self._recent: deque[int] = deque(maxlen=_WINDOW)
        self._waiting: list[int] = []
        self._slots: deque[int] = deque()  # dts of the packets from the oldest waiting picture on
        self._depth = 0

    def add(self, pts: int, dts: int) -> None:
        """Add the next packet, in the order of decoding."""
        self._depth = max(self._depth, sum(other > pts for other in self._recent))
        self._recent.append(pts)
        heapq.heappush(self._waiting, pts)
        self._slots.append(dts)
        if len(self._waiting) > _WINDOW + 2:
            self._next()

    def depth(self) -> int:
        """Return the answer for all packets that were added; no more may be added after this."""
        while self._waiting:
            self._next()
        return min(self._depth, self._limit)

    def _next(self) -> None:
        pts = heapq.heappop(self._waiting)
        while self._limit and len(self._slots) > self._limit and pts < self._slots[self._limit]:
            self._limit -= 1
        self._slots.popleft()


def reorder_depth(timing: Iterable[tuple[int, int]]) -> int:
    """Return what :class:`Reordering` says of (pts, dts) of packets.

    Parts that share a decoder configuration take the smallest answer of all.
    """
    order = Reordering()
    for pts, dts in timing:
        order.add(pts, dts)
    return order.depth()


Spans = tuple[tuple[float, float | None], ...]
"""(start, end) of each time at which the overlay is shown, in seconds from the first shown picture; an end of ``None``
is the end of the video."""

Progress = Callable[[float, float], None]
"""Called with the seconds of video that are done, and those to do."""


@dataclass(frozen=True, slots=True)
class PaintedVideo:
    """What was done to a copy of a video. Times are seconds from the first shown picture.

    Attributes:
        box: (left, top, right, bottom) of the overlay in the displayed picture, in pixels.
        displayed: (width, height) of the displayed picture.
        spans: (start, end) of each time at which the overlay is shown.
        encoded: (start, end) of each part that was re-encoded; everything else is the same bytes.
        bit_exact_after: Where the last of these parts ends; ``None`` if nothing follows it.
        resumes: Where the first of them ends; ``None`` if nothing follows it.
        how: The same in sentences.
        reasons: Why things are not in the new file that were in the old one, as in
            :class:`labeling.codecs.base.Painted`.
        lost: Losses that a comparison of the two files cannot see.
    """

    box: tuple[int, int, int, int]
    displayed: tuple[int, int]
    spans: tuple[tuple[float, float], ...]
    encoded: tuple[tuple[float, float], ...]
    bit_exact_after: float | None
    how: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[Loss, ...] = ()
    resumes: float | None = None
