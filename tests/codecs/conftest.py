"""A painter that cannot be mistaken: four coloured quarters, so that a turned or mirrored overlay shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image

QUARTERS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8)
"""Red, green / blue, white: upright as displayed."""


@dataclass
class Stamp:
    """Paints the quarters, opaque, into a box near the lower right corner, or into ``fixed``."""

    fixed: tuple[int, int, int, int] | None = None
    alpha: int = 255
    gray: bool = False
    backdrops: list[Any] = field(default_factory=list)

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        if self.fixed:
            return self.fixed
        w, h = max(1, width * 2 // 5), max(1, height * 2 // 5)
        right, bottom = width - width // 12, height - height // 12
        return right - w, bottom - h, right, bottom

    def paint(self, backdrops: Sequence[Any]) -> Any:
        self.backdrops = list(backdrops)
        height, width = backdrops[0].shape[:2]
        overlay = np.full((height, width, 4), self.alpha, np.uint8)
        rows = np.arange(height) * 2 // height
        columns = np.arange(width) * 2 // width
        overlay[..., :3] = QUARTERS[rows[:, None], columns]
        if self.gray:
            overlay[..., :3] = overlay[..., 1:2]
        return overlay


@pytest.fixture
def stamp() -> Callable[..., Stamp]:
    return Stamp


@pytest.fixture(scope="session")
def scene() -> Callable[..., Image.Image]:
    """A smooth colourful picture of any size: smooth, so that JPEG reproduces it closely."""

    def make(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
        y, x = np.mgrid[0:height, 0:width]
        rgb = np.stack([60 + 120 * x / width, 60 + 120 * y / height, 150 - 80 * x / width], axis=-1)
        return Image.fromarray(rgb.astype(np.uint8)).convert(mode)

    return make


@pytest.fixture(scope="session")
def save() -> Callable[..., bytes]:
    def make(image: Image.Image, kind: str, **options: Any) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return make


@pytest.fixture(scope="session")
def quarters() -> Callable[..., Any]:
    """Reads the colour in the middle of each quarter of a box back from (H, W, 3) pixels: (2, 2, 3)."""

    def read(pixels: Any, box: tuple[int, int, int, int]) -> Any:
        left, top, right, bottom = box
        ys = [top + (bottom - top) * n // 4 for n in (1, 3)]
        xs = [left + (right - left) * n // 4 for n in (1, 3)]
        return np.array([[pixels[y, x] for x in xs] for y in ys]).astype(int)

    return read
