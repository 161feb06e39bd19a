"""Encode a Pillow image, painted already, as a file: one function for each format.

Each keeps the ICC profile, EXIF, XMP and resolution in ``image.info``, as far as the format has a place for them. The
table of formats names the functions (``PictureEncoding.encoder``): (image, quality, lossless) → (the file, whether all
samples are kept, words for ``Painted.how``).
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from labeling.codecs.canvas import Canvas
from labeling.codecs.opening import heif_library
from labeling.codecs.pixels import encoding
from labeling.codecs.png import encode as png_encode
from labeling.codecs.png import samples as png_samples
from labeling.containers.png import XMP_KEYWORD
from labeling.containers.png_chunks import SIGNATURE, chunk
from labeling.errors import LabelingError, MissingDependency

if TYPE_CHECKING:
    from PIL import Image

JPEG_QUALITY = 92
WEBP_QUALITY = 90
AVIF_QUALITY = 90
HEIF_QUALITY = 90
HEVC_SPEED = {"preset": "fast"}
"""The x265 preset. The default one takes more than twice as long and saves 2 % of the bytes."""


def _kept(image: Image.Image, *names: str) -> dict[str, Any]:
    """Return the entries ``names`` of ``image.info``, as arguments for ``save``."""
    return {name: image.info[name] for name in names if image.info.get(name)}


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    with encoding(kind, hint="try PNG"):
        image.save(out, kind, **options)
    return out.getvalue()


def jpeg(image: Image.Image, quality: int | None, lossless: bool) -> tuple[bytes, bool, str]:
    """Encode as JPEG with Pillow's default chroma subsampling."""
    if lossless:
        raise LabelingError("JPEG cannot be lossless", hint="choose png, webp or tiff")
    quality = JPEG_QUALITY if quality is None else quality
    kept = _kept(image, "icc_profile", "exif", "dpi", "xmp", "comment")
    return _save(image, "JPEG", quality=quality, **kept), False, f"encoded as JPEG, quality {quality}"


def png_file(
    image: Image.Image | Canvas, quality: int | None, lossless: bool, *, fast: bool = False
) -> tuple[bytes, bool, str]:
    """Encode as PNG."""
    del quality, lossless
    colour = {
        "L": png_samples.GRAY,
        "I;16": png_samples.GRAY,
        "LA": png_samples.GRAY_ALPHA,
        "RGB": png_samples.RGB,
        "RGBA": png_samples.RGBA,
    }[image.mode]
    header = png_samples.Header(image.width, image.height, 16 if image.mode == "I;16" else 8, colour)
    canvas = image if isinstance(image, Canvas) else Canvas(image)

    def rows(top: int, bottom: int) -> png_samples.Samples:
        return canvas.rows(top, bottom).reshape(-1, header.width, header.channels)

    return _png(header, rows, image, fast), True, "encoded as PNG"


def png_16_bits(samples: np.ndarray[Any, Any], image: Image.Image) -> bytes:
    """Encode (H, W, 3 or 4) uint16 samples as PNG, with the metadata of ``image``: Pillow has no mode for them."""
    height, width, channels = samples.shape
    header = png_samples.Header(width, height, 16, png_samples.RGB if channels == 3 else png_samples.RGBA)
    return _png(header, lambda top, bottom: samples[top:bottom], image)


def _png(header: png_samples.Header, rows: png_encode.Rows, image: Image.Image | Canvas, fast: bool = False) -> bytes:
    """Return the file. It is in memory once: ``BytesIO`` gives what it holds without a copy."""
    out = io.BytesIO()
    for part in (SIGNATURE, chunk(b"IHDR", header.body()), *png_metadata(image)):
        out.write(part)
    png_encode.write(header, rows, out.write, fast=fast)
    out.write(chunk(b"IEND", b""))
    return out.getvalue()


def png_metadata(image: Image.Image | Canvas) -> list[bytes]:
    """Return the chunks for the colour profile, the resolution, EXIF and XMP in ``image.info``."""
    chunks = []
    if profile := image.info.get("icc_profile"):
        chunks.append(chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
    elif gamma := image.info.get("gamma"):
        chunks.append(chunk(b"gAMA", struct.pack(">I", round(gamma * 100000))))
    if dpi := image.info.get("dpi"):
        x, y = (round(float(value) / 0.0254) for value in dpi)
        if 0 < x < 1 << 31 and 0 < y < 1 << 31:
            chunks.append(chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif := image.info.get("exif"):
        chunks.append(chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp := image.info.get("xmp"):
        packet = xmp.encode() if isinstance(xmp, str) else xmp
        chunks.append(chunk(b"iTXt", XMP_KEYWORD.encode() + b"\0\0\0\0\0" + packet))
    return chunks


def webp(image: Image.Image, quality: int | None, lossless: bool) -> tuple[bytes, bool, str]:
    """Encode as WebP, with loss unless asked otherwise."""
    kept = _kept(image, "icc_profile", "exif", "xmp")
    if lossless:
        return _save(image, "WEBP", lossless=True, exact=True, **kept), True, "encoded as lossless WebP"
    quality = WEBP_QUALITY if quality is None else quality
    return _save(image, "WEBP", quality=quality, **kept), False, f"encoded as WebP, quality {quality}"


def tiff(image: Image.Image, quality: int | None, lossless: bool) -> tuple[bytes, bool, str]:
    """Encode as TIFF with Deflate compression, which every reader of the last twenty years knows."""
    del quality, lossless
    compression = "raw" if image.mode in ("F", "YCbCr", "LAB") else "tiff_adobe_deflate"
    made = _save(image, "TIFF", compression=compression, **_kept(image, "icc_profile", "exif", "dpi", "xmp"))
    return made, True, "encoded as TIFF"


def gif(image: Image.Image, quality: int | None, lossless: bool) -> tuple[bytes, bool, str]:
    """Encode as GIF. The format has at most 256 colours, so the result is lossless only by chance."""
    del quality, lossless
    colours = image.getcolors(255)
    made = _save(image, "GIF", **_kept(image, "comment"))
    how = "encoded as GIF" + ("" if colours else ", reduced to 256 colours")
    if image.mode in ("LA", "RGBA") and any(image.getchannel("A").histogram()[1:255]):
        colours, how = None, f"{how}; pixels are clear or opaque, partial transparency was lost"
    return made, colours is not None, how


def avif(image: Image.Image, quality: int | None, lossless: bool) -> tuple[bytes, bool, str]:
    """Encode as AVIF with Pillow."""
    from PIL import features

    if not features.check("avif"):
        raise MissingDependency("this Pillow was built without AVIF: pip install --upgrade pillow")
    if lossless:
        raise LabelingError("AVIF is not encoded without loss here", hint="choose png, webp or tiff")
    quality = AVIF_QUALITY if quality is None else quality
    kept = _kept(image, "icc_profile", "exif", "xmp")
    return _save(image, "AVIF", quality=quality, **kept), False, f"encoded as AVIF, quality {quality}"


def heif(image: Image.Image, quality: int | None, lossless: bool) -> tuple[bytes, bool, str]:
    """Encode as HEIC with pillow-heif."""
    library = heif_library()
    if lossless:
        raise LabelingError("HEIC is not encoded without loss here", hint="choose png, webp or tiff")
    quality = HEIF_QUALITY if quality is None else quality
    out = io.BytesIO()
    with encoding("HEIC", hint="try PNG"):
        library.from_pillow(image).save(
            out, quality=quality, enc_params=HEVC_SPEED, **_kept(image, "icc_profile", "exif", "xmp")
        )
    return out.getvalue(), False, f"encoded as HEIC, quality {quality}"
