"""From a map of where text is likely, which RapidOCR's detector gives, to boxes around the lines.

The detector is trained for differentiable binarisation (Liao et al., AAAI 2020, section 3): it marks the core of each
line, shrunk by what :data:`GROWN` gives back. The figures are those of RapidOCR's configuration for its models.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LIKELY = 0.3
"""Value of the map from which a place belongs to text."""

SURE = 0.5
"""Mean of the map below which a core does not count."""

GROWN = 1.6
"""By how much a core is grown all round: this times its area, divided by its circumference."""

LEAST_CORE, LEAST = 3, 5
"""Shortest side of a core and of what it is grown to, in places of the map."""

THINNEST = 4
"""Width and height in pixels below which a box holds no text."""

MOST = 1000
"""Cores that are looked at."""

SAME_ROW = 10
"""Pixels between the upper edges of two boxes of which the left one comes first."""

Corners = NDArray[np.float32]


class _Found(NamedTuple):
    top: float
    left: float
    box: tuple[float, float, float, float]


def boxes(likely: NDArray[np.float32], width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Return the boxes of the lines of text, row by row.

    Args:
        likely: The map, (rows, columns) float32: how likely each place belongs to text, 0 to 1.
        width: Width in pixels of the picture that it stands for.
        height: Its height.

    Returns:
        For each line its box (left, top, right, bottom) in whole pixels, around the line as it is turned.
    """
    import cv2

    cores = cv2.dilate((likely > LIKELY).astype(np.uint8), np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(cores, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = [each for outline in outlines[:MOST] if (each := _line(likely, outline, width, height)) is not None]
    return [each.box for row in _rows(found) for each in sorted(row, key=lambda each: each.left)]


def _line(likely: NDArray[np.float32], outline: NDArray[Any], width: int, height: int) -> _Found | None:
    core, side = _around(outline)
    if side < LEAST_CORE or _mean_within(likely, core) < SURE:
        return None
    whole, side = _around(_grown(core))
    if side < LEAST:
        return None
    rows, columns = likely.shape
    across = np.clip(np.round(whole[:, 0] / columns * width), 0, width).astype(int).clip(0, width - 1)
    down = np.clip(np.round(whole[:, 1] / rows * height), 0, height).astype(int).clip(0, height - 1)
    places = sorted(zip(across.tolist(), down.tolist(), strict=True), key=lambda place: place[0])
    start, below = sorted(places[:2], key=lambda place: place[1])
    end = min(places[2:], key=lambda place: place[1])
    if min(math.dist(start, end), math.dist(start, below)) < THINNEST:
        return None
    return _Found(start[1], start[0], (float(across.min()), float(down.min()), float(across.max()), float(down.max())))


def _around(points: NDArray[Any]) -> tuple[Corners, float]:
    """Return the corners of the smallest rectangle, of any angle, around points, and its shortest side."""
    import cv2

    rectangle = cv2.minAreaRect(points)
    return np.asarray(cv2.boxPoints(rectangle), np.float32), min(rectangle[1])


def _mean_within(likely: NDArray[np.float32], corners: Corners) -> float:
    import cv2

    rows, columns = likely.shape
    left, top = (int(value) for value in np.floor(corners.min(axis=0)).clip(0, (columns - 1, rows - 1)))
    right, bottom = (int(value) for value in np.ceil(corners.max(axis=0)).clip(0, (columns - 1, rows - 1)))
    inside = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(inside, [np.subtract(corners, (left, top), dtype=np.float32).astype(np.int32)], 1)
    return float(cv2.mean(likely[top : bottom + 1, left : right + 1], inside)[0])


def _grown(corners: Corners) -> NDArray[np.int32]:
    """Return the outline of a rectangle that is grown all round, with round corners."""
    import cv2
    import pyclipper

    by = cv2.contourArea(corners) * GROWN / cv2.arcLength(corners, closed=True)
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(corners.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return np.concatenate([np.asarray(outline, np.int32) for outline in offset.Execute(by)])


def _rows(found: list[_Found]) -> list[list[_Found]]:
    """Return lines by rows: one belongs to the row of the one before if its upper edge is hardly lower."""
    row, before, numbered = 0, 0.0, []
    for each in sorted(found, key=lambda each: each.top):
        row += each.top - before >= SAME_ROW
        before = each.top
        numbered.append((row, each))
    return [[each for _, each in group] for _, group in groupby(numbered, key=lambda pair: pair[0])]
