"""Small pictures of every kind that the tests label, made when they are asked for."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image


def rgb(width: int = 320, height: int = 240, seed: int = 1) -> Image.Image:
    """A smooth colourful picture with some texture: neither flat nor noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rng = np.random.default_rng(seed)
    waves = [np.sin(x / a + y / b) for a, b in rng.uniform(9, 60, (3, 2))]
    pixels = np.stack([128 + 90 * wave for wave in waves], -1) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def _frames(count: int = 3) -> list[Image.Image]:
    return [rgb(seed=seed) for seed in range(1, count + 1)]


def _animated(format: str, **options: object) -> bytes:
    first, *others = _frames()
    return _saved(first, format, save_all=True, append_images=others, duration=[70, 130, 90], loop=2, **options)


def _oriented(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    return _saved(rgb(), "JPEG", quality=90, exif=exif.tobytes())


def _alpha() -> Image.Image:
    image = rgb().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def _gray16() -> Image.Image:
    ramp = np.linspace(0, 65535, 320 * 240, dtype=np.uint16).reshape(240, 320)
    return Image.fromarray(ramp)


def _heic() -> bytes:
    import pillow_heif

    out = io.BytesIO()
    pillow_heif.from_pillow(rgb()).save(out, quality=85)
    return out.getvalue()


MAKERS: dict[str, Callable[[], bytes]] = {
    "baseline.jpg": lambda: _saved(rgb(), "JPEG", quality=88),
    "progressive.jpg": lambda: _saved(rgb(), "JPEG", quality=88, progressive=True),
    "gray.jpg": lambda: _saved(rgb().convert("L"), "JPEG", quality=88),
    "cmyk.jpg": lambda: _saved(rgb().convert("CMYK"), "JPEG", quality=88),
    "full-chroma.jpg": lambda: _saved(rgb(), "JPEG", quality=95, subsampling=0),
    **{f"orientation-{n}.jpg": (lambda n=n: _oriented(n)) for n in range(2, 9)},  # type: ignore[misc]
    "rgb.png": lambda: _saved(rgb(), "PNG"),
    "alpha.png": lambda: _saved(_alpha(), "PNG"),
    "palette.png": lambda: _saved(rgb().quantize(64), "PNG"),
    "full-palette.png": lambda: _saved(rgb().quantize(256), "PNG"),
    "bilevel.png": lambda: _saved(rgb().convert("1"), "PNG"),
    "gray16.png": lambda: _saved(_gray16(), "PNG"),
    "animated.png": lambda: _animated("PNG"),
    "lossy.webp": lambda: _saved(rgb(), "WEBP", quality=80),
    "lossless.webp": lambda: _saved(_alpha(), "WEBP", lossless=True),
    "animated.webp": lambda: _animated("WEBP", quality=80),
    "still.gif": lambda: _saved(rgb().quantize(128), "GIF"),
    "animated.gif": lambda: _animated("GIF"),
    "rgb.tif": lambda: _saved(rgb(), "TIFF"),
    "lzw.tif": lambda: _saved(rgb(), "TIFF", compression="tiff_lzw"),
    "gray16.tif": lambda: _saved(_gray16(), "TIFF"),
    "pages.tif": lambda: _saved(rgb(), "TIFF", save_all=True, append_images=_frames()[1:]),
    "still.avif": lambda: _saved(rgb(), "AVIF", quality=80),
    "still.heic": _heic,
}
"""File name → maker of its bytes."""
