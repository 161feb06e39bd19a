"""Decode and encode AV1 pictures, as :mod:`labeling.codecs.heif.coding` does HEVC.

They are encoded by SVT-AV1 (4:2:0 of 8 and 10 bits) or libaom. libaom is used through OpenCV and Pillow, which take RGB
only: where what they make of it has fewer bits or less chroma than the source, the planes are encoded without loss
instead.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from labeling.codecs.heif import av1_headers as av1
from labeling.codecs.heif.av1_grain import grain_of, with_grain
from labeling.codecs.heif.coding import WITHOUT, Coded, decode_one, encode_one
from labeling.codecs.heif.planes import Colour, Planes, to_rgb
from labeling.codecs.pixels import encoding
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.errors import LabelingError

SPEED = 6
"""How much time libaom and SVT-AV1 take: 0, the most, to 10."""

_BT601 = 6
_WIDEST, _HIGHEST = 16384, 8704
"""The largest picture that SVT-AV1 takes."""


class Av1:
    """See :class:`Coding`."""

    property = b"av1C"

    def decode(self, payload: bytes, configuration: bytes, nclx: Any, max_pixels: int) -> Planes:
        """See :class:`Coding`."""
        # A sequence header may be in the configuration only (AV1 in ISO-BMFF, 2.3.1).
        data = configuration[4:] + payload
        made = decode_one("libdav1d", data, b"", nclx, max_pixels, "AV1", {"export_side_data": "film_grain"})
        if made.grained:
            try:
                made.grain = grain_of(list(av1.split(data)))
            except LabelingError:
                made.grain = ""
            if not made.grain:  # with the grain in the samples
                made = decode_one("libdav1d", data, b"", nclx, max_pixels, "AV1")
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
    coding = Av1()
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
    if (across, down) == (1, 1) and bits <= 10 and min(planes.width, planes.height) >= 16 and fits_svt(planes):
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


def fits_svt(planes: Planes) -> bool:
    """Return whether SVT-AV1 takes a picture so large: it would say on standard error that it does not."""
    return planes.width <= _WIDEST and planes.height <= _HIGHEST


def sampling_name(planes: Planes) -> str:
    return {(1, 1): "4:2:0", (1, 0): "4:2:2"}.get(planes.subsampling, "4:4:4")


def _svt(planes: Planes, step: int, *, exact: bool, size: int) -> bytes:
    """Encode with SVT-AV1; more finely than asked for, if that takes fewer bytes than the source has."""
    os.environ.setdefault("SVT_LOG", "1")  # errors only: otherwise it writes to standard error
    params = "avif=1:lossless=1" if exact else "avif=1"
    for left in (2, 1, 0):
        step = max(1, step)
        options = {"preset": str(SPEED), "crf": str(step), "svtav1-params": params}
        made = encode_one("libsvtav1", planes, options, False)[1]
        if exact or not left or step == 1 or len(made) >= 0.95 * size:
            break
        step -= max(1, round(12 * math.log2(size / len(made))))
    return made


def _opencv(samples: Any, bits: int, step: int) -> bytes:
    import cv2

    quality = 100 - round(step * 100 / 63)
    options = [cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_SPEED, SPEED]
    with encoding("AVIF by OpenCV", "the painted picture", hint=WITHOUT):
        done, data = cv2.imencode(".avif", np.ascontiguousarray(samples.astype(f"u{samples.itemsize}")), options)
    if not done:
        raise LabelingError("the painted picture cannot be encoded as AVIF", hint=WITHOUT)
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
    image = Image.fromarray(rgb)
    del rgb  # Pillow has a copy
    with encoding("AVIF", "the painted picture", hint=WITHOUT):
        image.save(out, "AVIF", quality=quality, subsampling=sampling_name(planes), speed=SPEED, range="full")
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
