"""Decode the coded picture of an item, and encode a painted one as the source was: same samples, same colour.

HEVC is encoded by x265; :mod:`labeling.codecs.heif.av1_coding` does the same for AV1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from labeling.codecs.heif.planes import Colour, Planes, from_frame, to_frame
from labeling.codecs.packets import packet_of
from labeling.codecs.pixels import decoding, encoding
from labeling.codecs.priority import kept_priority
from labeling.codecs.video import hevc
from labeling.codecs.video.base import Stream
from labeling.codecs.video.bits import BitReader, join_nals, split_start_codes, unescape
from labeling.errors import LabelingError, UnreadableFile

_CRF = 22.0
"""The first guess of x265's quality; the second one follows the bytes of the source."""

_PRESET = "fast"
WITHOUT = "convert it to PNG, or label it without the visible text (`visible=False`)"


@dataclass(frozen=True, slots=True)
class Coded:
    """An encoded picture.

    Attributes:
        payload: The bytes of its item.
        configuration: The content of hvcC or av1C.
        colour: What the coded picture says of its colour, if that had to change.
        lossless: Whether it decodes to exactly the samples that were given.
        words: How it was encoded.
        grain: Why there is film grain no more beside the samples; empty if there was none, or it is there.
    """

    payload: bytes
    configuration: bytes
    colour: Colour | None
    lossless: bool
    words: str
    grain: str = ""


class Coding(Protocol):
    """How the pictures of one type of item are coded."""

    property: bytes
    """Type of the property with the decoder configuration."""

    def decode(self, payload: bytes, configuration: bytes, nclx: Any, max_pixels: int) -> Planes:
        """Decode the picture of an item."""
        ...

    def encode(self, planes: Planes, source: bytes, configuration: bytes, quality: int | None, *, tile: bool) -> Coded:
        """Encode a picture as ``source``, the item that it comes from, was.

        Args:
            planes: The picture.
            source: The bytes of the old item.
            configuration: Its decoder configuration.
            quality: 1 to 100; by default that of the source.
            tile: Whether it has to share its configuration with other tiles, which stay as they are.
        """
        ...


def decode_one(
    name: str, payload: bytes, extradata: bytes, nclx: Any, max_pixels: int, what: str,
    options: dict[str, str] | None = None,
) -> Planes:  # fmt: skip
    import av

    with decoding(what):
        decoder: Any = av.CodecContext.create(name, "r")
        decoder.extradata = extradata or None
        decoder.options = {"max_pixels": str(max_pixels)} | (options or {})
        decoder.thread_count = 1  # a decoder of several threads that fails may hang: see sequence_coding.py
        frames = [*decoder.decode(packet_of(payload)), *decoder.decode(None)]
        if not frames or frames[0].is_corrupt:
            raise UnreadableFile(f"the {what} picture cannot be decoded; it is damaged or cut off")
        made = from_frame(frames[0], nclx)
        made.grained = frames[0].side_data.get("FILM_GRAIN_PARAMS") is not None
        return made


def open_encoder(name: str, planes: Planes, options: dict[str, str], headers: bool) -> Any:
    """Open FFmpeg's encoder of that name for pictures like this one."""
    import av
    from av.codec.context import Flags

    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = planes.width, planes.height, planes.name
    _describe(encoder, planes)
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    if headers:
        encoder.flags |= Flags.global_header
    encoder.options = options
    with kept_priority():
        encoder.open()
    return encoder


def described_frame(planes: Planes) -> Any:
    """Return the picture as a frame that says its colours."""
    frame = to_frame(planes)
    _describe(frame, planes)
    return frame


def _describe(thing: Any, planes: Planes) -> None:
    coded = planes.coded
    thing.color_primaries, thing.color_trc = coded.primaries, coded.transfer
    thing.colorspace, thing.color_range = coded.matrix, 2 if coded.full else 1


def encode_one(name: str, planes: Planes, options: dict[str, str], headers: bool) -> tuple[Any, bytes]:
    """Encode one picture; return the encoder and the bytes."""
    with encoding(f"HEIF by {name}", "the painted picture", hint=WITHOUT):
        encoder = open_encoder(name, planes, options, headers)
        frame = described_frame(planes)
        frame.pts, frame.pict_type = 0, 1
        packets = [*encoder.encode(frame), *encoder.encode(None)]
    if len(packets) != 1:
        raise LabelingError(f"{name} returned {len(packets)} pictures for one", hint="please report this")
    return encoder, bytes(packets[0])


class Hevc:
    """See :class:`Coding`."""

    property = b"hvcC"

    def decode(self, payload: bytes, configuration: bytes, nclx: Any, max_pixels: int) -> Planes:
        """See :class:`Coding`."""
        return decode_one("hevc", payload, configuration, nclx, max_pixels, "HEVC")

    def encode(self, planes: Planes, source: bytes, configuration: bytes, quality: int | None, *, tile: bool) -> Coded:
        """See :class:`Coding`."""
        old = hevc.Hevc(Stream("hevc", configuration, planes.width, planes.height, Fraction(1, 25), Fraction(25)))
        tile = tile and not old.refusal()
        if quality is None and any(bypasses(nal) for nal in old.sets.get(hevc.PPS, ())):
            made = self._made(planes, None, old, tile=tile)
            return Coded(*made, None, True, "without loss")
        if quality is not None:
            crf = (100 - quality) / 2
            return Coded(*self._made(planes, crf, old, tile=tile), None, False, f"quality {quality}")
        crf, made = self._like(planes, len(source), old, tile=tile)
        return Coded(*made, None, False, f"CRF {crf:g}")

    def _like(self, planes: Planes, size: int, old: hevc.Hevc, *, tile: bool) -> tuple[float, tuple[bytes, bytes]]:
        """Encode with the quality that gives about as many bytes as the source has: six steps halve them."""
        tried: dict[float, tuple[bytes, bytes]] = {}
        crf = _CRF
        for _ in range(3):
            if crf in tried:
                break
            tried[crf] = self._made(planes, crf, old, tile=tile)
            ratio = len(tried[crf][0]) / size
            if 0.9 <= ratio <= 1.15:
                break
            crf = min(40.0, max(4.0, round(2 * (crf + 6 * math.log2(ratio))) / 2))
        # Rather a little too large than worse than the source.
        best = min(tried, key=lambda each: abs(math.log2(len(tried[each][0]) / size / 1.05)))
        return best, tried[best]

    def _made(self, planes: Planes, crf: float | None, old: hevc.Hevc, *, tile: bool) -> tuple[bytes, bytes]:
        # x265 calls what has key frames only Main Intra, of the range extensions. The brand heic excludes them (ISO/IEC
        # 23008-12, B.4.1.1), and many decoders. One picture of 8 bits becomes Main Still Picture, one of 10 Main 10.
        still = planes.name in ("yuv420p", "yuvj420p")
        params = ["keyint=1", "total-frames=1"] if still else ["keyint=2"]
        params += ["bframes=0", "info=0", "repeat-headers=0", "log-level=none", "wpp=1", "hrd=0"]
        params += ["lossless=1"] if crf is None else []
        options = {"preset": _PRESET, "x265-params": ":".join(params), "forced-idr": "1", "a53cc": "0", "udu_sei": "0"}
        if crf is not None:
            options["crf"] = f"{crf:g}"
        if still:
            options["profile"] = "mainstillpicture"
        encoder, data = encode_one("libx265", planes, options, True)
        if tile:  # MIAF (ISO/IEC 23000-22, 7.3.11.4.2): the tiles of a grid have one decoder configuration
            both = old.joined(old.extradata(encoder))
            return old.pack(data, [], True), both
        nals = [nal for nal in split_start_codes(data) if nal[0] >> 1 & 63 < 32]
        return join_nals(nals, 4), hevc_configuration(encoder)


def hevc_configuration(encoder: Any) -> bytes:
    """Return the content of an hvcC box with the parameter sets of an encoder, for samples with lengths of 4 bytes."""
    sets: dict[int, list[bytes]] = {}
    for nal in split_start_codes(encoder.extradata or b""):
        if (kind := nal[0] >> 1 & 63) in (hevc.VPS, hevc.SPS, hevc.PPS):
            sets.setdefault(kind, []).append(nal)
    if not sets.get(hevc.SPS):
        raise LabelingError("the HEVC encoder returned no parameter sets", hint="please report this")
    return hevc.write_sets(hevc.configuration_head(sets[hevc.SPS][0], 4), sets)


def bypasses(pps: bytes) -> bool:
    """Return transquant_bypass_enabled_flag of a PPS (ITU-T H.265, 7.3.2.3.1): encoders set it for lossless coding."""
    try:
        r = BitReader(unescape(pps)[2:])
        r.ue()
        r.ue()
        r.u(7)
        r.ue()
        r.ue()
        r.se()
        r.u(2)
        if r.flag():
            r.ue()
        r.se()
        r.se()
        r.u(3)
        return r.flag()
    except UnreadableFile:
        return False
