"""Open a picture file with the one library that its content calls for."""

from __future__ import annotations

from typing import Any

from labeling.codecs.pixels import check_size, decoding, open_with
from labeling.containers.base import Buffer
from labeling.errors import MissingDependency, UnsupportedFormat

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


def heif_library() -> Any:
    """Import pillow-heif; raises :class:`~labeling.errors.MissingDependency` with the line to type."""
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingDependency('HEIC pictures need pillow-heif: pip install "aigc-labeling[heif]"') from error
    return pillow_heif
