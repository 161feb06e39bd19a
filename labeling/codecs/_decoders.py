"""Decode pictures as a viewer shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from labeling.codecs.base import Pixels
from labeling.codecs.opening import is_avif, open_picture
from labeling.codecs.pixels import ORIENTATION, check_size, decoding, rgb_region, upright
from labeling.codecs.tiff import paint as tiff
from labeling.containers.base import Buffer


def displayed(source: Buffer | Image.Image, format: str, orientation: int, max_pixels: int) -> Pixels:
    """Decode the first frame: (H, W, 3) RGB, upright, transparency over white."""
    if isinstance(source, Image.Image):
        image: Any = source
        width, height = image.size
        check_size(width, height, max_pixels=max_pixels)
    elif format == "tiff":
        return tiff.displayed(source, orientation, max_pixels)
    else:
        image = open_picture(source, format, max_pixels)
    with decoding(format.upper()):
        if not isinstance(image, Image.Image):
            image = image.to_pillow()
        image.load()
        if format == "heif" or image.format == "TIFF":
            # HEIF is turned by properties of its own: pillow-heif applies them, Pillow reports them as this tag. Pillow
            # turns TIFF pictures itself when they are loaded.
            orientation = image.getexif().get(ORIENTATION, 1)
        pixels = rgb_region(image, (0, 0, *image.size))
    return np.ascontiguousarray(upright(pixels, orientation))


_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
_ANIMATED = ("png", "webp", "gif", "avif", "heif")


def displayed_on_black(source: Buffer | Image.Image, format: str, orientation: int, max_pixels: int) -> Pixels | None:
    """Decode the first frame with transparency over black; ``None`` if nothing of it is transparent."""
    image: Any = source if isinstance(source, Image.Image) else open_picture(source, format, max_pixels)
    if image.mode not in _TRANSPARENT and "transparency" not in image.info:
        return None
    check_size(*image.size, max_pixels=max_pixels)
    with decoding(format.upper()):
        if not isinstance(image, Image.Image):
            image = image.to_pillow()
        rgba = np.asarray(image.convert("RGBA"))
        if format == "heif" or image.format == "TIFF":  # turned already, as in displayed()
            orientation = image.getexif().get(ORIENTATION, 1)
    alpha = rgba[..., 3:].astype(np.uint16)
    if alpha.min() == 255:
        return None
    return np.ascontiguousarray(upright((rgba[..., :3] * alpha // 255).astype(np.uint8), orientation))


def displayed_frames(data: Buffer, format: str, count: int, orientation: int, max_pixels: int) -> Iterator[Pixels]:
    """Decode later frames, the last one that is within the limit included: (H, W, 3) RGB, upright."""
    if format not in _ANIMATED or (format == "heif" and not is_avif(data)):
        return
    image = open_picture(data, format, max_pixels)
    width, height = image.size
    last = min(getattr(image, "n_frames", 1), max_pixels // (width * height)) - 1
    for index in sorted({round(last * step / count) for step in range(1, count + 1)} - {0}):
        with decoding(format.upper()):
            image.seek(index)
            pixels = rgb_region(image, (0, 0, width, height))
            if format == "heif":  # as in displayed()
                orientation = image.getexif().get(ORIENTATION, 1)
        yield np.ascontiguousarray(upright(pixels, orientation))
