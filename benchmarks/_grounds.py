"""What labels are drawn on and with: backgrounds without any text, and fonts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

from benchmarks import _pictures
from labeling.marks.visible import font as fonts

_SYSTEM = Path("/usr/share/fonts/opentype/noto")
_FACES = ("NotoSansCJK-Bold", "NotoSansCJK-Regular", "NotoSerifCJK-Bold", "NotoSerifCJK-Regular")
_CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "5_ordinary"
_SIMPLIFIED = 2  # index of the SC face in Noto's collections
_BASE = 1400


@lru_cache(maxsize=32)
def _base(kind: str, seed: int) -> Image.Image:
    rng = np.random.default_rng((5, seed))
    if kind in _pictures.KINDS:
        return _pictures.KINDS[kind](_BASE, _BASE, seed)
    if kind == "noise":
        coarse = rng.integers(0, 256, (_BASE // 4, _BASE // 4, 3), np.uint8)
        return Image.fromarray(coarse).resize((_BASE, _BASE), Image.Resampling.BICUBIC)
    if kind == "weave":
        y, x = np.mgrid[0:_BASE, 0:_BASE].astype(np.float32)
        waves = [np.sin(x / a) * np.sin(y / b) for a, b in rng.uniform(2, 25, (3, 2))]
        return Image.fromarray(np.clip(128 + 70 * np.stack(waves, -1), 0, 255).astype(np.uint8))
    colours = rng.integers(0, 256, (2, 2, 3), np.uint8)
    return Image.fromarray(colours).resize((_BASE, _BASE), Image.Resampling.BICUBIC)


@lru_cache(maxsize=1)
def _photos() -> tuple[Image.Image, ...]:
    photos = []
    for name in ("skimage_astronaut.png", "pillow_flower.jpg", "libavif_paris_icc_exif_xmp.png"):
        if (path := _CASES / name).is_file():
            with Image.open(path) as image:
                photos.append(image.convert("RGB"))
    return tuple(photos)


def background(rng: np.random.Generator, size: tuple[int, int]) -> tuple[str, Image.Image]:
    """A picture without any text, and its kind."""
    kinds = ["photo", "photo", "render", "drawing", "noise", "weave", "gradient", *["real"] * (2 * bool(_photos()))]
    kind = kinds[int(rng.integers(len(kinds)))]
    base = _photos()[int(rng.integers(len(_photos())))] if kind == "real" else _base(kind, int(rng.integers(3)))
    scale = max(size[0] / base.width, size[1] / base.height)
    part = rng.uniform(0.6, 1.0)
    width, height = min(base.width, size[0] / scale) * part, min(base.height, size[1] / scale) * part
    left, top = rng.uniform(0, base.width - width), rng.uniform(0, base.height - height)
    image = base.resize(size, Image.Resampling.BILINEAR, (left, top, left + width, top + height))
    return kind, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


@lru_cache(maxsize=16)  # each holds its tables of 16 MB
def face(which: int, size: int) -> ImageFont.FreeTypeFont:
    """One of the fonts at ``size`` pixels per em."""
    path = _SYSTEM / f"{_FACES[which % len(_FACES)]}.ttc"
    if path.is_file():
        return ImageFont.truetype(str(path), size, index=_SIMPLIFIED, layout_engine=ImageFont.Layout.BASIC)
    return fonts.face(None, size)
