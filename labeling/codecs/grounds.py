"""A picture as the reader of visible labels needs it: 8-bit RGB on every ground, in bands of rows, large ones reduced.

The reader looks for text on a picture whose shorter side is a few hundred pixels, and a label is 5 % of it high. So no
more than :data:`MOST` pixels are kept, whatever the size of the file, and 16-bit and floating-point samples only ever
exist in one band of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from labeling.codecs.base import Box, Pixels
from labeling.codecs.pixels import MID_GRAY, lay_on, region_of, upright

MOST = 26_000_000
"""Pixels that are kept; a picture with more is reduced."""

SHORTEST = 736
"""No picture is reduced so far that its shorter side falls below this: a label is then still 37 pixels high."""

ALPHA_BITS = 120
"""Alpha samples whose lowest bits are kept."""

BAND = 1 << 20
"""About as many pixels are in a band."""

GROUNDS = (255, 0, MID_GRAY)
"""The grays that a transparent picture is laid on."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as displayed.

    Attributes:
        grounds: The picture, (H, W, 3) uint8 RGB; if any of it is transparent, over white, over black and over
            mid-gray.
        scale: How many pixels of the picture one of these stands for, across and down.
        alpha_bits: The lowest bits of the first :data:`ALPHA_BITS` alpha samples as stored, column by column, eight to
            a byte; empty if there is no alpha. Some programs hide text there.
    """

    grounds: tuple[Pixels, ...]
    scale: int
    alpha_bits: bytes = b""


@dataclass(frozen=True, slots=True)
class Banded:
    """A picture that is decoded in bands of rows.

    Attributes:
        width: Width in pixels, as stored.
        height: Its height in pixels.
        bands: Decodes the bands from the top, (rows, W, 3) uint8 RGB or (rows, W, 4) RGBA. Given the scale, it returns
            bands whose rows are a multiple of it, except for the last.
        orientation: The EXIF orientation that is left to apply.
    """

    width: int
    height: int
    bands: Callable[[int], Iterator[Pixels]]
    orientation: int


def scale_for(width: int, height: int) -> int:
    """Return by how much a picture is reduced: 1, 2, 4 or 8 (as decoders of JPEG can), or more."""
    scale = 1
    while (width // scale) * (height // scale) > MOST and min(width, height) // (2 * scale) >= SHORTEST:
        scale *= 2
    return scale


def band_rows(width: int, scale: int) -> int:
    """Return how many rows a band has."""
    return max(1, BAND // max(width, 1) // scale) * scale


def whole(pixels: Pixels, orientation: int) -> Banded:
    """Return a picture that is decoded already."""
    return Banded(pixels.shape[1], pixels.shape[0], lambda _: iter((pixels,)), orientation)


def of_image(image: Image.Image, part: Box, orientation: int) -> Banded:
    """Return a part of a loaded Pillow image of any mode."""
    left, top, right, bottom = part

    def bands(scale: int) -> Iterator[Pixels]:
        rows = band_rows(right - left, scale)
        for y in range(top, bottom, rows):
            yield region_of(image, (left, y, right, min(y + rows, bottom)))

    return Banded(right - left, bottom - top, bands, orientation)


def show(picture: Banded, scale: int | None = None) -> Shown:
    """Decode a picture upright on every ground, in one pass."""
    scale = scale_for(picture.width, picture.height) if scale is None else scale
    size = picture.height // scale, picture.width // scale
    kept: list[Pixels] = []
    at = 0
    columns = -(-ALPHA_BITS // max(1, picture.height))
    alpha: list[Pixels] = []
    for band in picture.bands(scale):
        if band.shape[2] == 4:
            alpha.append(band[:, :columns, 3] & np.uint8(1))
        rows = band.shape[0] // scale
        if scale == 1 and band.shape == (*size, 3):
            kept = [band]
            break
        if not kept:
            kept = [np.empty((*size, 3), np.uint8)]
        if band.shape[2] == 4 and len(kept) == 1:
            kept += [kept[0].copy() if at else np.empty((*size, 3), np.uint8) for _ in GROUNDS[1:]]
        for each, ground in zip(kept, GROUNDS, strict=False):
            _laid(band, ground, scale, each[at : at + rows])
        at += rows
    bits = np.concatenate(alpha).T.ravel()[:ALPHA_BITS] if alpha else np.empty(0, np.uint8)
    hidden = np.packbits(bits).tobytes() if sum(map(len, alpha)) == picture.height else b""
    return Shown(tuple(upright(each, picture.orientation) for each in kept), scale, hidden)


def _laid(band: Pixels, ground: int, scale: int, out: Pixels) -> None:
    """Write a band, laid on a ground and reduced, to ``out``."""
    import cv2

    rows, columns = out.shape[:2]
    step = band_rows(columns, 1)
    for y in range(0, rows, step):
        part = band[y * scale : min(y + step, rows) * scale, : columns * scale]
        flat = lay_on(part, ground)
        if scale > 1:
            flat = np.asarray(cv2.resize(flat, (columns, flat.shape[0] // scale), interpolation=cv2.INTER_AREA))
        out[y : y + step] = flat


def rows_of(samples: Any, look: Callable[[Any], Pixels], rows: int) -> Iterator[Pixels]:
    """Yield bands of decoded samples as they look."""
    for y in range(0, len(samples), rows):
        yield look(samples[y : y + rows])
