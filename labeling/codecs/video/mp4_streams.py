"""The coded streams of an MP4 video track, one for each sample description."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from labeling.codecs.video import segment
from labeling.codecs.video.base import NO_VISIBLE, Stream
from labeling.codecs.video.h264 import H264
from labeling.codecs.video.hevc import Hevc
from labeling.codecs.video.packet_scan import SETS
from labeling.codecs.video.raw_video import MAX_PACKET
from labeling.containers.base import Media
from labeling.containers.mp4.descriptions import Entry, dolby_vision_profile, elementary
from labeling.containers.mp4.samples import MAX_SAMPLE, VideoTrack
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes

_CODECS = {
    b"avc1": "h264", b"avc2": "h264", b"avc3": "h264", b"avc4": "h264", b"hvc1": "hevc", b"hev1": "hevc",
    b"dvh1": "hevc", b"dvhe": "hevc", b"dva1": "h264", b"dvav": "h264", b"vp08": "vp8", b"vp09": "vp9", b"av01": "av1",
    b"jpeg": "mjpeg", b"mjpg": "mjpeg", b"apcn": "prores", b"apch": "prores", b"apcs": "prores", b"apco": "prores",
    b"ap4h": "prores", b"ap4x": "prores", b"AVdn": "dnxhd", b"AVdh": "dnxhd", b"png ": "png", b"rle ": "qtrle",
    b"v210": "v210", b"m1v ": "mpeg1video", b"m1v1": "mpeg1video", b"mpg1": "mpeg1video", b"m2v1": "mpeg2video",
    b"mpg2": "mpeg2video", b"AVmp": "mpeg2video", b"mp2v": "mpeg2video",
}  # fmt: skip
"""Sample entry → FFmpeg's name of the codec."""

_MPEG2 = (b"xdv", b"xd5", b"xd4", b"hdv", b"mx3", b"mx4", b"mx5")
"""How sample entries of cameras' MPEG-2 begin (XDCAM, HDV, IMX)."""

_ELEMENTARY = {
    0x20: "mpeg4", 0x21: "h264", 0x23: "hevc", 0x60: "mpeg2video", 0x61: "mpeg2video", 0x62: "mpeg2video",
    0x63: "mpeg2video", 0x64: "mpeg2video", 0x65: "mpeg2video", 0x6A: "mpeg1video", 0x6C: "mjpeg", 0x6D: "png",
}  # fmt: skip
"""objectTypeIndication → FFmpeg's name of the codec."""

_LAST_COLOUR, _UNSPECIFIED = 22, 2
"""Code points of ITU-T H.273, of which larger ones are reserved."""

_ENCRYPTED = frozenset({b"encv", b"drmi"})


class Described(NamedTuple):
    """What the samples of one description are coded with.

    Attributes:
        stream: Their stream.
        refusal: Why only all of them can be re-encoded; empty if a part can.
        sets: Key frame → the parameter sets that it has in band, for streams in which they change.
    """

    stream: Stream
    refusal: str
    sets: dict[int, tuple[bytes, ...]]


def streams_of(data: Media, view: memoryview, track: VideoTrack) -> tuple[Described, ...] | str:
    """Describe the streams of a track, or say why they cannot be edited in place."""
    if any(entry.tag in _ENCRYPTED for entry in track.entries):
        return "its video is encrypted"
    span = max(track.dts) - min(track.dts)
    rate = Fraction((len(track.dts) - 1) * track.scale, span) if span > 0 else Fraction(25)
    found: list[Described] = []
    samples: list[list[int]] = [[] for _ in track.entries]
    for number, which in enumerate(track.described):
        samples[which].append(number)
    for number, entry in enumerate(track.entries):
        made = _described(data, view, track, samples[number], entry, rate)
        if isinstance(made, str):
            return made
        found.append(made)
    return tuple(found)


def _described(
    data: Media, view: memoryview, track: VideoTrack, samples: list[int], entry: Entry, rate: Fraction
) -> Described | str:
    named = _codec_of(data, track, entry)
    if isinstance(named, str):
        return named
    codec, extradata = named
    tag = entry.tag.decode("latin-1")
    stream = Stream(codec, extradata, entry.width, entry.height, Fraction(1, track.scale), rate, tag, entry.bits)
    stream = replace(stream, colour=_colour(view, entry))
    if entry.dolby_vision is not None or tag in ("dvh1", "dvhe", "dva1", "dvav"):
        box = entry.dolby_vision
        config = bytes(view[box.body : box.end]) if box is not None else b""
        profile, base = dolby_vision_profile(config)
        if not base:
            raise LabelingError(
                f"it is Dolby Vision of profile {profile}, whose base layer is no picture on its own", hint=NO_VISIBLE
            )
        stream = replace(stream, base_layer=True, tag={"dvh1": "hvc1", "dvhe": "hev1"}.get(tag, tag))
    sets: dict[int, tuple[bytes, ...]] = {}
    try:
        if codec in ("h264", "hevc"):
            stream, sets = _with_sets(data, track, stream, samples)
        first = _head(data, track, samples[0], MAX_PACKET if codec == "rawvideo" else 64) if samples else b""
        refusal = segment.codec_of(stream).refusal(first)
    except LabelingError as error:
        refusal = error.message
    return Described(stream, refusal, sets)


def _colour(view: memoryview, entry: Entry) -> tuple[int, ...]:
    """Return the colours of a description as :attr:`Stream.colour` has them (``colr``; ISO/IEC 14496-12, 12.1.5)."""
    for each in entry.inside:
        body = bytes(view[each.body : min(each.end, each.body + 11)]) if each.type == b"colr" else b""
        if body[:4] in (b"nclx", b"nclc") and len(body) >= 10:
            spread = (2 if body[10] >> 7 else 1) if body[:4] == b"nclx" and len(body) == 11 else 0
            named = [int.from_bytes(body[at : at + 2], "big") for at in (4, 6, 8)]
            return (*(each if each <= _LAST_COLOUR else _UNSPECIFIED for each in named), spread)
    return ()


def _codec_of(data: Media, track: VideoTrack, entry: Entry) -> tuple[str, bytes] | str:
    """Return the codec of a description and its decoder configuration, or say why it is not known."""
    tag = entry.tag
    config = entry.config_data
    if tag == b"mp4v" and entry.config is not None and entry.config.type == b"esds":
        kind, config = elementary(config)
        if kind in _ELEMENTARY:
            return _ELEMENTARY[kind], config
    if tag in _CODECS:
        if entry.config is not None and entry.config.type == b"esds":
            config = elementary(config).data
        return _CODECS[tag], config
    if tag.startswith(_MPEG2):
        return "mpeg2video", b""
    asked = _asked(data) if len(track.entries) == 1 else None
    return asked or f"its video is coded as {tag.decode('latin-1')!r}"


def _asked(data: Media) -> tuple[str, bytes] | None:
    """Ask FFmpeg for the codec of the first video track."""
    from labeling.codecs.video import copier

    if not isinstance(data, FileBytes):
        return None
    try:
        with copier.reading(Path(data.name), "mp4") as container:
            video = copier.video_of(container)
            context = video.codec_context if video is not None else None
            if context is None:
                return None
            return copier.CODECS.get(context.name, context.name), context.extradata or b""
    except LabelingError:
        return None


def _head(data: Media, track: VideoTrack, number: int, limit: int) -> bytes:
    at = track.offsets[number]
    return data[at : at + min(track.sizes[number], limit)]


def _with_sets(
    data: Media, track: VideoTrack, stream: Stream, samples: list[int]
) -> tuple[Stream, dict[int, tuple[bytes, ...]]]:
    """Look for parameter sets in key frames; where they differ from the configuration's, new ones go in band as well.

    Clips that were joined without re-encoding are coded like that: the sets of each clip come with its key frames.
    """
    codec = H264(stream) if stream.codec == "h264" else Hevc(stream)
    known = set(codec.configured)
    if not known and samples:
        codec.note(_head(data, track, samples[0], MAX_SAMPLE))
        stream = replace(stream, extradata=codec.configuration())
    found: dict[int, tuple[bytes, ...]] = {}
    others: dict[bytes, None] = {}
    for number in samples:
        if track.sync is not None and number not in track.sync:
            continue
        if sets := codec.sets_in(_head(data, track, number, SETS)):
            found[number] = sets
            others |= dict.fromkeys(each for each in sets if each not in known)
    varies = isinstance(codec, H264) and codec.varies
    if not others and not varies:
        return stream, {}
    return replace(stream, sets=tuple(others), in_band=True), found
