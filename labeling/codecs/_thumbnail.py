"""Thumbnails in a file's metadata get the label that was painted on the file."""

from __future__ import annotations

import math

import numpy as np

from labeling.codecs import _decoders
from labeling.codecs.base import Box, Painted, Pixels
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import decoding, rgb_region, stored_box
from labeling.codecs.smaller import scaled
from labeling.codecs.tiff import thumbnails
from labeling.containers import formats
from labeling.errors import UnsupportedFormat

_SIDE = 960
"""Thumbnails have 160×120 pixels (Exif 3.0, 4.5.2): a larger picture is decoded at a fraction of its size if it can."""


def paint(exif: bytes, painted: Painted, format: str, orientation: int, max_pixels: int) -> bytes | None:
    """Paint; see :func:`labeling.codecs.paint_thumbnail`."""
    return thumbnails.in_exif(exif, _scale(painted, format, orientation, max_pixels), max_pixels)


def paint_resources(resources: bytes, painted: Painted, format: str, orientation: int, max_pixels: int) -> bytes | None:
    """Paint; see :func:`labeling.codecs.paint_photoshop_thumbnail`."""
    return thumbnails.in_resources(resources, _scale(painted, format, orientation, max_pixels), max_pixels)


def _scale(painted: Painted, format: str, orientation: int, max_pixels: int) -> thumbnails.Scale:
    """Return what gives the label on the painted picture at the size of a copy of it."""
    row = formats.format_named(format)
    if row.turns_itself and orientation != 1:
        raise UnsupportedFormat("which way up the thumbnail is cannot be known")
    turned = orientation in range(5, 9)
    width, height = (painted.height, painted.width) if turned else (painted.width, painted.height)
    box = stored_box(painted.box, orientation, width, height)
    small: list[Pixels] = []  # decoded only if there is a thumbnail

    def scale(wide: int, high: int) -> tuple[Box, Pixels]:
        if not small:
            small.append(_stored(painted.data, format, max_pixels))
        whole = small[0].shape[1], small[0].shape[0]
        across, down = whole[0] / width, whole[1] / height
        left, top = math.floor(box[0] * across), math.floor(box[1] * down)
        right, bottom = math.ceil(box[2] * across), math.ceil(box[3] * down)
        label = small[0][top:bottom, left:right]
        opaque = np.dstack([label, np.full(label.shape[:2], 255, np.uint8)])
        return scaled(whole, (wide, high), (left, top, left + label.shape[1], top + label.shape[0]), opaque)

    return scale


def _stored(data: bytes, format: str, max_pixels: int) -> Pixels:
    """Decode a picture as it is stored, whatever its orientation."""
    if not formats.format_named(format).scales_itself:
        return _decoders.displayed(data, format, 1, max_pixels)
    image = open_picture(data, format, max_pixels)
    with decoding(format.upper()):
        image.draft(image.mode, (_SIDE, _SIDE))
        image.load()
        return rgb_region(image, (0, 0, *image.size))
