"""Pictures made by arithmetic: what they are is written here, and no file has to be shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image


def _octaves(width: int, height: int, rng: np.random.Generator, fall: float) -> NDArray[np.float32]:
    """Smooth noise of many scales, (height, width, 3): the spectrum of a photo falls off in this way."""
    from PIL import Image

    total = np.zeros((height, width, 3), np.float32)
    cells, weight = 3, 1.0
    while cells < max(width, height) // 3:
        for channel in range(3):
            grid = Image.fromarray(rng.normal(0, weight, (cells, cells)).astype(np.float32))
            total[..., channel] += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
        cells, weight = cells * 2, weight * fall
    total /= total.std()
    return total


def photo(width: int = 1024, height: int = 1024, seed: int = 1) -> Image.Image:
    """Like a photo: large soft shapes, fine texture, some grain. 1024×1024 makes about 300 KB of JPEG at quality 92."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    shared = _octaves(width, height, rng, 0.62).mean(2, keepdims=True)  # channels of a photo go together
    colour = _octaves(width, height, rng, 0.45)
    grain = rng.normal(0, 4.5, (height, width, 1)).astype(np.float32)
    pixels = 118 + 62 * shared / shared.std() * 0.7 + 24 * colour + grain
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def drawing(width: int = 1024, height: int = 1024, seed: int = 1) -> Image.Image:
    """Like an illustration: flat colours, hard and anti-aliased edges, a soft gradient behind them."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = (1 - ramp) * np.array([90, 140, 220]) + ramp * np.array([240, 220, 190])
    image = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).astype(np.uint8))
    large = image.resize((width * 2, height * 2))
    draw = ImageDraw.Draw(large)
    for _ in range(220):
        x, y = int(rng.integers(0, width * 2)), int(rng.integers(0, height * 2))
        w, h = (int(side) for side in rng.integers(10, 260, 2))
        fill = tuple(int(value) for value in rng.integers(0, 256, 3))
        shape = draw.ellipse if rng.random() < 0.6 else draw.rectangle
        shape((x, y, x + w, y + h), fill=fill, outline=(20, 20, 20), width=4)
    return large.resize((width, height), Image.Resampling.LANCZOS)


def render(width: int = 1024, height: int = 1024, seed: int = 1) -> Image.Image:
    """Like a smooth generated picture: soft shapes without grain."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    pixels = 128 + 55 * _octaves(width, height, rng, 0.4)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


KINDS = {"photo": photo, "drawing": drawing, "render": render}
