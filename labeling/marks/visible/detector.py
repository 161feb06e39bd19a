"""Where a picture may say that AI made it: what the network finds, as boxes.

The network (``tools/train_detector.py``) knows how such words look, in ideographs and in letters, upright, turned or
stacked, and leaves other text alone. What a text really says is for the recogniser.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labeling.marks.visible import engine
from labeling.marks.visible.ranks import percentile

STRIDE = 4
"""Pixels of the picture, each way, that one value of the network stands for."""

AROUND = 0.3
"""How far a line reaches beyond its core, of its height: 0.28 where the network was trained, and room for error."""

LIKELY, SURE = 0.3, 0.5
"""Probability from which a place belongs to a core, and that the surest of its places must reach."""

GAP = 1.2
"""Largest gap between two pieces of one line, of their height."""

MOST = 400
"""Places that are looked at."""

_BORDER = 16
_MULTIPLE = 16

Box = tuple[float, float, float, float]


def boxes(pixels: NDArray[np.uint8]) -> list[Box]:
    """Find where a picture may say that AI made it.

    Args:
        pixels: (H, W, 3) uint8 RGB, scaled so that what is looked for is 9 to 64 pixels high.

    Returns:
        For each place its box (left, top, right, bottom) in pixels.
    """
    import cv2

    height, width = pixels.shape[:2]
    below, beside = _BORDER + -height % _MULTIPLE, _BORDER + -width % _MULTIPLE
    padded = cv2.copyMakeBorder(pixels, _BORDER, below, _BORDER, beside, cv2.BORDER_REPLICATE)
    likely, high = engine.spots(np.asarray(padded, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((likely > LIKELY).astype(np.uint8), connectivity=8)
    found: list[Box] = []
    for index in range(1, min(count, MOST)):
        left, top, wide, tall, _ = (int(value) for value in stats[index])
        part = np.s_[top : top + tall, left : left + wide]
        inside = labels[part] == index
        if likely[part][inside].max() < SURE:
            continue
        around = AROUND * float(percentile(high[part][inside], 50))
        left, top = left * STRIDE - _BORDER, top * STRIDE - _BORDER
        right, bottom = left + wide * STRIDE, top + tall * STRIDE
        found.append((left - around, top - around, right + around, bottom + around))
    return [(max(0.0, a), max(0.0, b), min(float(width), c), min(float(height), d)) for a, b, c, d in _joined(found)]


def _joined(found: list[Box]) -> list[Box]:
    """Join the pieces of a line that lie side by side."""
    joined: list[Box] = []
    for box in sorted(found):
        for index, other in enumerate(joined):
            tall, high = other[3] - other[1], box[3] - box[1]
            rows = min(box[3], other[3]) - max(box[1], other[1])
            alike = max(tall, high) < 1.7 * min(tall, high)
            if alike and rows > 0.6 * min(tall, high) and box[0] - other[2] < GAP * tall:
                joined[index] = other[0], min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3])
                break
        else:
            joined.append(box)
    return joined
