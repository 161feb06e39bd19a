"""Open TIFF files to be converted."""

from __future__ import annotations

from typing import Any

from PIL import Image

from labeling._tiff_ifd import read_tiff
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import decoding
from labeling.codecs.tiff.displayed import displayed
from labeling.containers.base import Buffer
from labeling.containers.tiff.raw import camera_raw
from labeling.errors import UnreadableFile, UnsupportedFormat


def open_for_conversion(data: Buffer, orientation: int, max_pixels: int) -> tuple[Any, int]:
    """Open a TIFF file, and return the orientation that is left.

    Pillow reads most of them; of others our own decoder gives the picture as displayed, with 8 bits.
    """
    if kind := camera_raw(read_tiff(bytes(data))):
        raise UnsupportedFormat(
            f"this is a camera raw file ({kind}): what it holds as a picture is a preview",
            hint="develop it first, and convert the picture",
        )
    try:
        image = open_picture(data, "tiff", max_pixels)
        with decoding("TIFF"):
            image.load()
    except UnreadableFile:
        return Image.fromarray(displayed(data, orientation, max_pixels)), 1
    return image, orientation
