"""Which encoder takes which pictures, and how pictures are turned into a form that it takes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from labeling.codecs.video.base import DEFAULTS, EXACT
from labeling.codecs.video.pixel_formats import format_of

if TYPE_CHECKING:
    import av

_FURTHER = {"h264": ("libx264rgb",)}
"""Codec → encoders for the pictures that its first one does not take."""

_SAME = (
    ("gbrp", "rgb24", "bgr24", "bgr0", "rgb0", "0rgb", "0bgr"),
    ("gbrap", "rgba", "argb", "bgra", "abgr"),
    ("gbrp16le", "gbrp16be", "rgb48le", "rgb48be"),
    ("gbrap16le", "gbrap16be", "rgba64le", "rgba64be"),
    ("yuv420p", "nv12", "nv21"),
    ("yuv422p", "yuyv422", "uyvy422", "yvyu422"),
    ("yuv420p10le", "p010le"),
    ("yuv422p10le", "p210le"),
    ("gray16le", "gray16be"),
    ("ya16le", "ya16be"),
    ("rgb555le", "rgb555be"),
)
"""Pixel formats with the same samples in another order."""

_WIDER = {
    "pal8": ("argb", "rgba", "bgra", "rgb24", "bgr0"),
    "monob": ("gray",),
    "monow": ("gray",),
    "gray": ("rgb24", "yuv444p"),
    "rgb555le": ("rgb24", "bgr0"),
    "rgb555be": ("rgb24", "bgr0"),
    "rgb565le": ("rgb24", "bgr0"),
    "yuv411p": ("yuv444p",),
    "yuv410p": ("yuv444p",),
    "yuv440p": ("yuv444p",),
}
"""Pixel format → formats that hold all of its samples."""

_FIXED = frozenset({"qtrle"})
"""Codecs whose pixel format is stated by the container, which goes on stating it."""

_NARROWER = {
    "yuv420p12le": "yuv420p10le", "yuv422p12le": "yuv422p10le", "yuv444p12le": "yuv444p10le",
    "yuva422p10le": "yuva444p10le", "yuva422p12le": "yuva444p10le", "yuva444p12le": "yuva444p10le",
}  # fmt: skip
"""Pixel format → the same with 10 bits for a sample."""


class Choice(NamedTuple):
    """How pictures are encoded.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        pix_fmt: The pixel format that it gets.
        lost: What its pictures do not hold of those that it is given; empty if nothing is lost but by coding.
    """

    encoder: str
    pix_fmt: str
    lost: str = ""


@lru_cache(maxsize=256)
def choose(codec: str, pix_fmt: str) -> Choice | None:
    """Return how pictures of a pixel format are encoded with a codec; ``None`` if they cannot be."""
    if codec not in DEFAULTS:
        return None
    if codec == "rawvideo":  # stored as they are
        return Choice(codec, pix_fmt) if format_of(pix_fmt) else None
    encoders = [(name, _formats(name)) for name in (DEFAULTS[codec].encoder, *_FURTHER.get(codec, ()))]
    same = next((group for group in _SAME if pix_fmt in group), ())
    wider = () if codec in _FIXED else _WIDER.get(pix_fmt, ())
    for wanted in filter(format_of, (pix_fmt, *same, *wider)):  # the label is drawn on these
        for name, formats in encoders:
            if wanted in formats:
                return Choice(name, wanted)
    narrow = _NARROWER.get(pix_fmt, "")
    for name, formats in encoders:
        if narrow in formats:
            return Choice(name, narrow, "12 → 10 bits" if "12" in pix_fmt else "")
    return None


def candidates(own: str, pix_fmt: str, fallbacks: tuple[str, ...], *, exact: bool = False) -> tuple[str, ...]:
    """Return the codecs to try for pictures, in order: players take HEVC of more than 8 bits, and not H.264.

    Args:
        own: The codec of the video.
        pix_fmt: FFmpeg's name of the pixel format.
        fallbacks: What the container is usually written with.
        exact: Whether what is lossless stays so, since players of this container take FFV1.
    """
    deep = any(bits in pix_fmt for bits in ("10", "12", "14", "16"))
    return own, *(("ffv1",) if exact and own in EXACT else ()), *(fallbacks[::-1] if deep else fallbacks)


def form_of(frame: av.VideoFrame) -> tuple[Any, ...]:
    """Return what an encoder is told about its pictures once and for all."""
    colour = frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range
    return frame.width, frame.height, frame.format.name, *colour


def converted(frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
    """Return a copy in another pixel format, of the same matrix and range."""
    made = frame.reformat(format=pix_fmt, threads=1)
    made.colorspace, made.color_range = frame.colorspace, frame.color_range
    made.color_primaries, made.color_trc = frame.color_primaries, frame.color_trc
    return made


@lru_cache(maxsize=32)
def _formats(encoder: str) -> frozenset[str]:
    import av

    try:
        return frozenset(form.name for form in av.Codec(encoder, "w").video_formats or ())
    except ValueError:
        return frozenset()
