"""A painter of four coloured quarters, so that a turned or mirrored overlay shows, and pictures to paint on."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .stamp import Quarters, Save, Scene, Stamp


@pytest.fixture
def stamp() -> type[Stamp]:
    return Stamp


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A smooth colourful picture of any size: smooth, so that JPEG reproduces it closely."""

    def make(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
        y, x = np.mgrid[0:height, 0:width]
        rgb = np.stack([60 + 120 * x / width, 60 + 120 * y / height, 150 - 80 * x / width], axis=-1)
        return Image.fromarray(rgb.astype(np.uint8)).convert(mode)

    return make


@pytest.fixture(scope="session")
def save() -> Save:
    def make(image: Image.Image, kind: str, **options: Any) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return make


@pytest.fixture(scope="session")
def quarters() -> Quarters:
    """Reads the colour in the middle of each quarter of a box back from (H, W, 3) pixels: (2, 2, 3)."""

    def read(pixels: Any, box: tuple[int, int, int, int]) -> Any:
        left, top, right, bottom = box
        ys = [top + (bottom - top) * n // 4 for n in (1, 3)]
        xs = [left + (right - left) * n // 4 for n in (1, 3)]
        return np.array([[pixels[y, x] for x in xs] for y in ys]).astype(int)

    return read
