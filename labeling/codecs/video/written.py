"""What pictures are coded as, read from the packets that were written, and what new ones do not hold of old ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from labeling.codecs.video.base import NAMES
from labeling.losses import Loss

if TYPE_CHECKING:
    import av

WHERE = "the re-encoded pictures"
_UNSPECIFIED, _LIMITED = 2, 1
_RATED = frozenset({"prores", "dnxhd"})
"""Codecs whose profile is their rate, and not only a list of tools."""

_PROFILES = {
    "Proxy": "422 Proxy", "LT": "422 LT", "Standard": "422", "HQ": "422 HQ", "XQ": "4444 XQ",
    "Rext": "range extensions",
}  # fmt: skip
_SPOKEN = frozenset({"h264", "hevc", "prores", "mpeg2video"})
"""Codecs of which people name the profile."""

_EXTRAS = {
    "MASTERING_DISPLAY_METADATA": "HDR mastering display", "CONTENT_LIGHT_LEVEL": "HDR light levels",
    "AMBIENT_VIEWING_ENVIRONMENT": "ambient viewing environment", "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata", "A53_CC": "closed captions", "AFD": "active format description",
    "STEREO3D": "stereo arrangement", "SPHERICAL": "projection of a sphere",
}  # fmt: skip
"""FFmpeg's name of side data that describes a picture → what it is."""

_COLOURS = (("primaries", "colour primaries"), ("transfer", "transfer function"), ("matrix", "colour matrix"))


class Facts(NamedTuple):
    """What a decoder says of pictures. Colours are code points of ITU-T H.273.

    Attributes:
        codec: FFmpeg's name of the codec.
        profile: Its name of the profile; empty if it has none.
        pix_fmt: Its name of the pixel format.
        fields: Which of the two fields of a picture is shown first, top or bottom; empty if there are none.
        primaries: Colour primaries.
        transfer: Transfer function.
        matrix: Colour matrix.
        spread: Range of the samples, as FFmpeg numbers it: 1 limited, 2 full.
        aspect: Width : height of a pixel as the coded stream says; 0 if it does not.
        extras: What else comes with the picture, such as HDR metadata.
        exact: Whether the codec loses nothing.
    """

    codec: str
    profile: str
    pix_fmt: str
    fields: str
    primaries: int
    transfer: int
    matrix: int
    spread: int
    aspect: Fraction
    extras: frozenset[str]
    exact: bool


@dataclass(slots=True)
class Record:
    """What runs of new pictures are, and what they lack.

    Attributes:
        words: How they are coded, in words.
        lost: What they do not hold.
    """

    words: dict[str, None] = field(default_factory=dict)
    lost: dict[Loss, None] = field(default_factory=dict)


def facts_of(codec: str, decoder: av.VideoCodecContext, frame: av.VideoFrame, *, exact: bool = False) -> Facts:
    """Return the facts of a picture.

    Args:
        codec: FFmpeg's name of the codec.
        decoder: The decoder that has returned it.
        frame: The picture.
        exact: Whether it is coded without loss, for codecs that can do both.
    """
    properties = decoder.codec
    beside: Any = frame.side_data
    names = [data.type.name for data in beside]
    return Facts(
        codec,
        decoder.profile or "",
        frame.format.name,
        fields_of(frame),
        int(frame.color_primaries),
        int(frame.color_trc),
        int(frame.colorspace),
        int(frame.color_range),
        decoder.sample_aspect_ratio or Fraction(0),
        frozenset(_EXTRAS[name] for name in names if name in _EXTRAS),
        exact or (bool(properties.lossless) and not properties.lossy),
    )


def fields_of(frame: av.VideoFrame) -> str:
    """Return which field of a picture is shown first, "top" or "bottom"; empty if it does not consist of fields."""
    if not frame.interlaced_frame:
        return ""
    import av

    # PyAV does not tell the order, but FFmpeg's filters know it.
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
    )
    chosen, sink = graph.add("select", "eq(interlace_type,BOTTOMFIRST)"), graph.add("buffersink")
    source.link_to(chosen)
    chosen.link_to(sink)
    graph.configure()
    source.push(frame)
    source.push(None)
    try:
        sink.pull()
    except (av.error.EOFError, av.error.BlockingIOError):
        return "top"
    return "bottom"


def name_of(facts: Facts) -> str:
    """Return the name of a codec with the profile, such as "H.264 High 10" or "DNxHR HQ"."""
    name, profile = NAMES.get(facts.codec, facts.codec), facts.profile
    if facts.codec == "dnxhd":
        return profile.replace("DNX", "DNx") or name
    return f"{name} {_PROFILES.get(profile, profile)}" if profile and facts.codec in _SPOKEN else name


def losses(old: Facts, new: Facts, narrowed: str = "") -> Iterator[Loss]:
    """Name what new pictures do not hold of old ones, besides what every lossy codec loses.

    Args:
        old: What the source's pictures are.
        new: What new ones are.
        narrowed: Bits of a sample before and after, if the encoder was given fewer.
    """
    if narrowed:
        yield Loss(f"bits of a sample: {narrowed}", WHERE, "no encoder here takes more")
    else:
        yield from _samples(old.pix_fmt, new.pix_fmt)
    if old.codec == new.codec and old.codec in _RATED and old.profile != new.profile:
        yield Loss(f"profile: {name_of(old)} → {name_of(new)}", WHERE, "no encoder here makes pictures of the old one")
    if old.exact and not new.exact:
        why = f"{NAMES.get(new.codec, new.codec)} is not lossless as it is used here"
        yield Loss("lossless coding", WHERE, why)
    if old.fields and not new.fields:
        yield Loss("mark that pictures consist of two fields", WHERE, "no encoder here writes it with this codec")
    elif old.fields != new.fields and old.fields:
        yield Loss(f"order of fields: {old.fields} → {new.fields} first", WHERE, "the encoder does not write it")
    for name, what in _COLOURS:
        before, after = getattr(old, name), getattr(new, name)
        if before not in (0, _UNSPECIFIED, after):
            yield Loss(f"{what}: {before} → {after} (ITU-T H.273)", WHERE, "the encoder does not write it")
    if old.spread != new.spread and {old.spread, new.spread} != {0, _LIMITED} and old.spread:
        yield Loss("range of the samples, changed", WHERE, "the encoder does not write it")
    if old.aspect not in (0, 1, new.aspect):
        yield Loss(f"shape of pixels in the coded stream ({old.aspect})", WHERE, "the encoder does not write it")
    for extra in sorted(old.extras - new.extras):
        yield Loss(extra, WHERE, "the encoder does not write it")


def _samples(old: str, new: str) -> Iterator[Loss]:
    """Name what one pixel format cannot hold of another."""
    if old == new:
        return
    import av

    # so wide and high that subsampled planes are told apart
    before, after = (av.VideoFormat(name, 64, 64) for name in (old, new))
    if before.has_palette:
        return  # what follows has room for its colours
    why = "no encoder here takes such pictures"
    bits = [max(part.bits for part in form.components) for form in (before, after)]
    if bits[1] < bits[0]:
        yield Loss(f"bits of a sample: {bits[0]} → {bits[1]} bits", WHERE, why)
    alpha = [any(part.is_alpha for part in form.components) for form in (before, after)]
    if alpha[0] and not alpha[1]:
        yield Loss("transparency", WHERE, why)
    grey = all(part.is_luma or part.is_alpha for part in before.components) and not before.is_rgb
    if grey:
        return
    if before.is_rgb != after.is_rgb:
        yield Loss("samples of red, green and blue" if before.is_rgb else "samples of luma and chroma", WHERE, why)
    elif any(a < b for a, b in zip(_chroma(after), _chroma(before), strict=True)):
        yield Loss("resolution of chroma", WHERE, why)


def _chroma(form: av.VideoFormat) -> tuple[int, int]:
    parts = [part for part in form.components if part.is_chroma]
    return min((part.width for part in parts), default=0), min((part.height for part in parts), default=0)
