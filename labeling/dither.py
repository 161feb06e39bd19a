"""Dithered pictures: dots for the eye to mix, which a translucent plate keeps and OCR stumbles over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DITHERED, RESTLESS = 0.05, 0.15
"""Mean differences between neighbouring pixels, of the full range: above the first, a ground of few colours is
dithered, and any ground above the second. Photographs have 0.01 to 0.05, half-tones 0.06 to 1."""

FEW, MOST = 16, 0.9
"""A picture is of few colours if this many of them have this part of its pixels."""


SAMPLED = 64
"""Rows and columns that are looked at."""

LONGEST = 100_000
"""So much of each is looked at."""


def is_dithered(pixels: NDArray[np.uint8]) -> bool:
    """Return whether pixels, (H, W, 3) uint8, are dots for the eye to mix: they would shine through a plate as such."""
    pixels = pixels[:LONGEST, :LONGEST]
    height, width = pixels.shape[:2]
    if height < 2 or width < 2:
        return False
    columns, rows = pixels[:, :: max(1, width // SAMPLED)], pixels[:: max(1, height // SAMPLED)]
    down, along = _in_rows(columns), _in_rows(rows)
    change = max(_step(down[1:], down[:-1]), _step(along[:, 3:], along[:, :-3])) / 255
    return change > RESTLESS or (change > DITHERED and _has_few_colours(rows))


def _in_rows(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W, 3) samples as (H, 3 W) with contiguous rows. Copying pixels whole is faster than samples."""
    whole = pixels.view("V3") if pixels.strides[2] == 1 else pixels
    return np.ascontiguousarray(whole).view(np.uint8).reshape(len(pixels), -1)


def _step(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean difference of samples, (H, W): computed in 8 bits, and exact."""
    difference = np.maximum(one, other)
    difference -= np.minimum(one, other)
    wide = np.uint32 if difference.size < 1 << 24 else np.uint64
    return int(np.add.reduce(difference, axis=None, dtype=wide)) / difference.size


def _has_few_colours(pixels: NDArray[np.uint8]) -> bool:
    wide = pixels.astype(np.uint32)
    counts = np.unique(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], return_counts=True)[1]
    return bool(np.sort(counts)[-FEW:].sum() >= MOST * counts.sum())
