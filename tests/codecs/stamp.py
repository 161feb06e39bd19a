"""A painter that cannot be mistaken, and the types of what conftest.py gives to tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Scene = Callable[..., Image.Image]
Save = Callable[..., bytes]
Quarters = Callable[..., NDArray[np.int_]]

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
