"""Open a picture file with the one Pillow plugin that its content calls for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from labeling.codecs._encoders import heif_library
from labeling.codecs._memory import ORIENTATION
from labeling.codecs._pixels import check_size, decoding, open_with, rgb_region, upright
from labeling.codecs.base import Pixels
from labeling.containers.base import Buffer
from labeling.errors import UnsupportedFormat

_PLUGINS = {
    "jpeg": ("JpegImagePlugin", "JpegImageFile"),
    "png": ("PngImagePlugin", "PngImageFile"),
    "webp": ("WebPImagePlugin", "WebPImageFile"),
    "gif": ("GifImagePlugin", "GifImageFile"),
    "tiff": ("TiffImagePlugin", "TiffImageFile"),
    "bmp": ("BmpImagePlugin", "BmpImageFile"),
    "avif": ("AvifImagePlugin", "AvifImageFile"),
}


def is_avif(data: Buffer) -> bool:
    """Tell AV1 from HEVC by the brands of the ftyp box (ISO/IEC 14496-12, 4.3)."""
    size = min(int.from_bytes(bytes(data[:4]), "big"), 256)
    brands = bytes(data[8:size])
    return b"avif" in brands or b"avis" in brands


def open_picture(data: Buffer, format: str, max_pixels: int) -> Any:
    """Open a file without decoding it; the size that its header gives is checked.

    ``format`` is a name of :data:`labeling.containers.FORMATS`. Returns a Pillow image file.
    """
    name = "avif" if format == "heif" and is_avif(data) else format
    if name == "webp":
        width, height = webp_canvas(bytes(data[:30]))
        check_size(width, height, max_pixels=max_pixels)  # its decoder allocates when it is opened
    with decoding(name.upper()):
        if name == "heif":
            library = heif_library()
            image = library.open_heif(bytes(data), convert_hdr_to_8bit=True)
        elif name in _PLUGINS:
            image = open_with(*_PLUGINS[name], data)
        else:
            raise UnsupportedFormat(f"a {format} file cannot be decoded here; convert it to PNG first")
        width, height = image.size
        check_size(width, height, getattr(image, "n_frames", 1), max_pixels=max_pixels)
    return image


def webp_canvas(head: bytes) -> tuple[int, int]:
    """Read the canvas size from the first 30 bytes of a WebP file (RFC 9649, sections 2.5 to 2.7)."""
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return 0, 0


def displayed(source: Buffer | Image.Image, format: str, orientation: int, max_pixels: int) -> Pixels:
    """Decode the first frame: (H, W, 3) RGB, upright, transparency over white."""
    if isinstance(source, Image.Image):
        image: Any = source
        width, height = image.size
        check_size(width, height, max_pixels=max_pixels)
    elif format == "tiff":
        from labeling.codecs.tiff import paint as tiff

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
