"""Decode the coded picture of an item, and encode a painted one as the source was: same samples, same colour.

HEVC is encoded by x265, and AV1 by SVT-AV1 (4:2:0 of 8 and 10 bits) or libaom. libaom is used through OpenCV and
Pillow, which take RGB only: where what they make of it has fewer bits or less chroma than the source, the planes are
encoded without loss instead.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from PIL import Image

from labeling.codecs.heif import av1_headers as av1
from labeling.codecs.heif.av1_grain import grain_of, with_grain
from labeling.codecs.heif.planes import Colour, Planes, from_frame, to_frame, to_rgb
from labeling.codecs.pixels import decoding
from labeling.codecs.video import hevc
from labeling.codecs.video.base import Stream
from labeling.codecs.video.bits import BitReader, join_nals, split_start_codes, unescape
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.errors import LabelingError, UnreadableFile

_CRF = 22.0
"""The first guess of x265's quality; the second one follows the bytes of the source."""

_PRESET = "fast"
SPEED = 6
_BT601 = 6
_WITHOUT = "convert it to PNG, or label it without the visible text (`visible=False`)"


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


def coding_of(kind: bytes) -> Coding | None:
    """Return how the items of a type are coded; ``None`` if they cannot be encoded here."""
    if kind in (b"hvc1", b"hev1"):
        return _Hevc()
    return _Av1() if kind == b"av01" else None


def _decode(
    name: str, payload: bytes, extradata: bytes, nclx: Any, max_pixels: int, what: str,
    options: dict[str, str] | None = None,
) -> Planes:  # fmt: skip
    import av

    with decoding(what):
        decoder: Any = av.CodecContext.create(name, "r")
        decoder.extradata = extradata or None
        decoder.options = {"max_pixels": str(max_pixels)} | (options or {})
        decoder.thread_type = "SLICE"
        frames = [*decoder.decode(av.Packet(payload)), *decoder.decode(None)]
        if not frames or frames[0].is_corrupt:
            raise UnreadableFile(f"the {what} picture cannot be decoded; it is damaged or cut off")
        made = from_frame(frames[0], nclx)
        made.grained = frames[0].side_data.get("FILM_GRAIN_PARAMS") is not None
        return made


def _encode(name: str, planes: Planes, options: dict[str, str], headers: bool) -> tuple[Any, bytes]:
    """Encode one picture; return the encoder and the bytes."""
    import av

    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = planes.width, planes.height, planes.name
    coded = planes.coded
    encoder.color_primaries, encoder.color_trc = coded.primaries, coded.transfer
    encoder.colorspace, encoder.color_range = coded.matrix, 2 if coded.full else 1
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    if headers:
        from av.codec.context import Flags

        encoder.flags |= Flags.global_header
    encoder.options = options
    try:
        encoder.open()
        frame = to_frame(planes)
        frame.color_primaries, frame.color_trc = coded.primaries, coded.transfer
        frame.colorspace, frame.color_range = coded.matrix, 2 if coded.full else 1
        frame.pts, frame.pict_type = 0, 1
        packets = [*encoder.encode(frame), *encoder.encode(None)]
    except (av.error.FFmpegError, ValueError) as error:
        raise LabelingError(f"the painted picture cannot be encoded by {name} ({error})", hint=_WITHOUT) from error
    if len(packets) != 1:
        raise LabelingError(f"{name} returned {len(packets)} pictures for one", hint="please report this")
    return encoder, bytes(packets[0])


class _Hevc:
    """See :class:`Coding`."""

    property = b"hvcC"

    def decode(self, payload: bytes, configuration: bytes, nclx: Any, max_pixels: int) -> Planes:
        """See :class:`Coding`."""
        return _decode("hevc", payload, configuration, nclx, max_pixels, "HEVC")

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
        params = ["keyint=1", "bframes=0", "info=0", "repeat-headers=0", "log-level=none", "wpp=1", "hrd=0"]
        params += ["lossless=1"] if crf is None else []
        options = {"preset": _PRESET, "x265-params": ":".join(params), "forced-idr": "1", "a53cc": "0", "udu_sei": "0"}
        if crf is not None:
            options["crf"] = f"{crf:g}"
        if planes.name in ("yuv420p", "yuvj420p"):
            options["profile"] = "mainstillpicture"
        encoder, data = _encode("libx265", planes, options, True)
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


class _Av1:
    """See :class:`Coding`."""

    property = b"av1C"

    def decode(self, payload: bytes, configuration: bytes, nclx: Any, max_pixels: int) -> Planes:
        """See :class:`Coding`."""
        # A sequence header may be in the configuration only (AV1 in ISO-BMFF, 2.3.1).
        data = configuration[4:] + payload
        made = _decode("libdav1d", data, b"", nclx, max_pixels, "AV1", {"export_side_data": "film_grain"})
        if made.grained:
            try:
                made.grain = grain_of(list(av1.split(data)))
            except LabelingError:
                made.grain = ""
            if not made.grain:  # with the grain in the samples
                made = _decode("libdav1d", data, b"", nclx, max_pixels, "AV1")
            made.grained = not made.grain
        return made

    def encode(self, planes: Planes, source: bytes, configuration: bytes, quality: int | None, *, tile: bool) -> Coded:
        """See :class:`Coding`."""
        sequence, index = quantiser_of(configuration[4:] + source)
        if quality is not None:
            step, words = round((100 - quality) * 63 / 100), f"quality {quality}"
        elif index is None:
            step, words = 12, "quality 80, since that of the source cannot be read"
        else:
            step, words = min(63, -(-index // 4)), f"quantiser {index} of 255 as in the source, or finer"
        exact = quality in (None, 100) and step == 0
        size = len(source) if quality is None else 0
        words = "without loss" if exact else words
        payload, colour, exact, words = encode_av1(planes, step, exact=exact, size=size, words=words)
        coded = colour or planes.coded
        obus = [obu for obu in av1.split(payload) if obu.type not in (av1.TEMPORAL_DELIMITER, av1.PADDING)]
        made = None
        for at, obu in enumerate(obus):
            if obu.type == av1.SEQUENCE:
                place = sequence.position if sequence is not None else 0
                codes = (coded.primaries, coded.transfer, coded.matrix, coded.full)
                body = av1.recoloured(av1.read_sequence(obu.body), codes, place)
                obus[at] = obu._replace(body=body)
                made = av1.read_sequence(body)
        if made is None:
            raise LabelingError("the AV1 encoder returned no sequence header", hint="please report this")
        grain = "its parameters cannot be read, so that it is in the samples now" if planes.grained else ""
        joined = av1.join(obus)
        if planes.grain:
            kept = colour is None or (colour.matrix, colour.full) == (planes.colour.matrix, planes.colour.full)
            grained = _grained(obus, planes, sequence, made) if kept else b""
            grain = "" if grained else "its parameters do not fit the new picture, which is without grain"
            joined = grained or joined
        return Coded(joined, av1.configuration(made), colour, exact, words, grain)


def _grained(obus: list[av1.Obu], planes: Planes, old: av1.Sequence | None, new: av1.Sequence) -> bytes:
    """Return a picture with the film grain of its source; empty if it cannot have it."""
    if old is None or (old.mono, old.subsampling, old.depth) != (new.mono, new.subsampling, new.depth):
        return b""
    try:
        made = av1.join(with_grain(obus, planes.grain))
    except LabelingError:
        return b""
    limit = 4 * planes.width * planes.height + (1 << 16)
    coding = _Av1()
    before = coding.decode(av1.join(obus), b"", None, limit)
    after = coding.decode(made, b"", None, limit)
    same = all(map(np.array_equal, before.samples, after.samples))
    return made if same and after.grain == planes.grain else b""


def quantiser_of(data: bytes) -> tuple[av1.Sequence | None, int | None]:
    """Return the sequence header and base_q_idx of a picture; ``None`` where they cannot be read."""
    sequence = None
    try:
        for obu in av1.split(data):
            if obu.type == av1.SEQUENCE:
                sequence = av1.read_sequence(obu.body)
            elif obu.type in (av1.FRAME, av1.FRAME_HEADER) and sequence is not None:
                return sequence, av1.quantiser(sequence, obu.body[:256])
    except LabelingError:
        pass
    return sequence, None


def encode_av1(
    planes: Planes, step: int, *, exact: bool, size: int, words: str
) -> tuple[bytes, Colour | None, bool, str]:
    """Encode a picture as AV1.

    Args:
        planes: The picture.
        step: The quantiser, 0 to 63.
        exact: Encode without loss.
        size: About how many bytes are wanted; 0 for as many as the quantiser gives.
        words: How the quality was chosen.

    Returns:
        The bytes, the colour if it had to change, whether the samples are exact, and words.
    """
    across, down = planes.subsampling
    bits = planes.form.bits
    if planes.gray:
        return _opencv(planes.samples[0], bits, 0 if exact else max(1, step)), None, exact, words
    if (across, down) == (1, 1) and bits <= 10 and min(planes.width, planes.height) >= 16:
        try:
            return _svt(planes, step, exact=exact, size=size), None, exact, words
        except LabelingError:
            pass  # a size that SVT-AV1 does not take
    if not exact and (bits == 8 or (across, down) == (1, 1)):
        return *_by_rgb(planes, max(1, step)), False, words
    if not exact:
        words = f"without loss, and larger, since {bits}-bit {sampling_name(planes)} is not encoded otherwise here"
    if planes.subsampling != (0, 0):
        words += ", stored as 4:4:4"
    stacked = [
        samples.repeat(1 << part.down, 0)[: planes.height].repeat(1 << part.across, 1)[:, : planes.width]
        for part, samples in zip(planes.form.components, planes.samples, strict=True)
    ]
    # OpenCV takes B, G, R, and without loss it stores G, B, R in the places of Y, U and V.
    return _opencv(np.dstack([stacked[1], stacked[0], stacked[2]]), bits, 0), None, True, words


def sampling_name(planes: Planes) -> str:
    return {(1, 1): "4:2:0", (1, 0): "4:2:2"}.get(planes.subsampling, "4:4:4")


def _svt(planes: Planes, step: int, *, exact: bool, size: int) -> bytes:
    """Encode with SVT-AV1; more finely than asked for, if that takes fewer bytes than the source has."""
    os.environ.setdefault("SVT_LOG", "1")  # errors only: otherwise it writes to standard error
    params = "avif=1:lossless=1" if exact else "avif=1"
    for left in (2, 1, 0):
        step = max(1, step)
        options = {"preset": str(SPEED), "crf": str(step), "svtav1-params": params}
        made = _encode("libsvtav1", planes, options, False)[1]
        if exact or not left or step == 1 or len(made) >= 0.95 * size:
            break
        step -= max(1, round(12 * math.log2(size / len(made))))
    return made


def _opencv(samples: Any, bits: int, step: int) -> bytes:
    import cv2

    quality = 100 - round(step * 100 / 63)
    options = [cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_SPEED, SPEED]
    try:
        done, data = cv2.imencode(".avif", np.ascontiguousarray(samples.astype(f"u{samples.itemsize}")), options)
    except cv2.error as error:
        raise LabelingError(f"this OpenCV cannot encode AVIF ({error.err})", hint=_WITHOUT) from error
    if not done:
        raise LabelingError("the painted picture cannot be encoded as AVIF", hint=_WITHOUT)
    return _primary(data.tobytes())


def rgb_of(planes: Planes, *, changed: bool) -> tuple[Any, Colour | None]:
    """Return a picture as RGB, of which the encoders make YUV with the matrix of BT.601 and the full range.

    Read by that same matrix, the planes go through unchanged. Only saturated colours may be no RGB then: if there are
    any outside the label, the picture gets that matrix in truth, and its new colour is returned.

    Args:
        planes: The picture.
        changed: Whether it gets the matrix in truth.
    """
    bits = planes.form.bits
    source = planes if changed else _as_601(planes)
    rgb = np.empty((planes.height, planes.width, 3), np.uint16 if bits > 8 else np.uint8)
    for top, bottom in _strips(planes):
        rgb[top:bottom] = np.rint(to_rgb(source, (0, top, planes.width, bottom)) * ((1 << bits) - 1))
    return rgb, replace(planes.coded, matrix=_BT601, full=True) if changed else None


def _as_601(planes: Planes) -> Planes:
    return replace(planes, colour=replace(planes.colour, matrix=_BT601, full=True))


def goes_through_rgb(planes: Planes) -> bool:
    """Return whether a picture can be encoded by way of RGB without another matrix."""
    return "G" not in {part.channel for part in planes.form.components} and not _is_no_rgb(_as_601(planes))


def _by_rgb(planes: Planes, step: int) -> tuple[bytes, Colour | None]:
    """Encode by way of RGB."""
    bits = planes.form.bits
    rgb, changed = rgb_of(planes, changed=not goes_through_rgb(planes))
    if bits > 8:
        return _opencv(rgb[..., ::-1], bits, step), changed
    out = io.BytesIO()
    quality = 100 - round(step * 100 / 63)
    try:
        image = Image.fromarray(rgb)
        image.save(out, "AVIF", quality=quality, subsampling=sampling_name(planes), speed=SPEED, range="full")
    except (OSError, ValueError, KeyError) as error:
        raise LabelingError(f"the painted picture cannot be encoded as AVIF ({error})", hint=_WITHOUT) from error
    return _primary(out.getvalue()), changed


def _strips(planes: Planes) -> Iterator[tuple[int, int]]:
    """Yield rows (from, to) of strips that take a few megabytes as floating-point numbers."""
    for top in range(0, planes.height, 64):
        yield top, min(top + 64, planes.height)


def _is_no_rgb(planes: Planes) -> bool:
    """Return whether a picture has colours outside its label that are no RGB, by more than a rounding."""
    for start, end in _strips(planes):
        rgb = to_rgb(planes, (0, start, planes.width, end), clip=False)
        beyond = np.maximum(-rgb, rgb - 1).max(axis=-1)
        for left, top, right, bottom in planes.painted:
            beyond[max(0, top - 1 - start) : max(0, bottom + 1 - start), max(0, left - 1) : right + 1] = 0
        if beyond.max() * 256 > 1:
            return True
    return False


def _primary(data: bytes) -> bytes:
    """Return the coded picture of an AVIF file that was just encoded."""
    file = parse(data)
    if file.meta is None:
        raise LabelingError("the AVIF encoder returned no picture", hint="please report this")
    return Pictures(file, file.meta).payload(file.meta.primary)
