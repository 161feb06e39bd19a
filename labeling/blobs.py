"""Blobs of a picture: places that are brighter or darker than what is around them, at the scale where this is clearest.

They are the extrema of differences of Gaussians over place and scale (D. Lowe, "Distinctive Image Features from
Scale-Invariant Keypoints", IJCV 60, 2004, sections 3 and 4). :mod:`labeling.keypoints` describes what surrounds them.
"""

from __future__ import annotations

import math
import threading
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FINEST = 1.6
"""Blur of the first picture of each octave, in its pixels (standard deviation)."""

STEPS = 3
"""Scales for each octave."""

_OCTAVES = 4
_LEAST_SIDE = 16
"""Pixels that the smallest octave has on its shorter side, at least."""

_CONTRAST = 0.7
"""Levels of brightness by which the two Gaussians must differ."""

_ROUND = 8.0
"""Ratio of the curvatures up to which an extremum is a blob and not an edge."""


class _Room(threading.local):
    """Memory that a thread uses again for every picture: the system takes longer to give it than we to fill it."""

    def __init__(self) -> None:
        self._parts: dict[str, Floats] = {}

    def part(self, name: str, shape: tuple[int, ...]) -> Floats:
        """Return an array whose values are whatever was there."""
        size = math.prod(shape)
        if name not in self._parts or self._parts[name].size < size:
            self._parts[name] = np.empty(size, np.float32)
        return self._parts[name][:size].reshape(shape)


_room = _Room()


def scale_space(plane: Floats, *, lasting: bool = True) -> list[Floats]:
    """Blur a plane more and more: of each octave (6, h, w), half as large as the one before.

    Args:
        plane: The picture.
        lasting: Whether the result is needed after this thread has asked for the next one that is not.
    """
    octaves: list[Floats] = []
    level = _blurred(plane, math.sqrt(FINEST**2 - 0.25))  # a picture is blurred by half a pixel
    while len(octaves) < _OCTAVES and min(level.shape) >= _LEAST_SIDE:
        shape = (STEPS + 3, *level.shape)
        levels = np.empty(shape, np.float32) if lasting else _room.part(f"octave {len(octaves)}", shape)
        levels[0] = level
        for step, more in enumerate(_increments()):
            _blurred(levels[step], more, levels[step + 1])
        octaves.append(levels)
        level = np.ascontiguousarray(levels[STEPS, ::2, ::2])
    return octaves


def _blurred(picture: Floats, deviation: float, into: Floats | None = None) -> Any:
    import cv2

    taps = 2 * math.ceil(3 * deviation) + 1
    return cv2.GaussianBlur(picture, (taps, taps), deviation, into)


@cache
def _increments() -> tuple[float, ...]:
    blurs = [FINEST * 2 ** (step / STEPS) for step in range(STEPS + 3)]
    return tuple(math.sqrt(after**2 - before**2) for before, after in pairwise(blurs))


def detect(space: list[Floats], contrast: float = _CONTRAST) -> Floats:
    """Find the blobs.

    Args:
        space: What :func:`scale_space` made.
        contrast: Levels of brightness by which a blob must differ from what is around it.

    Returns:
        (n, 4) float32: x, y and scale in pixels of the plane, and the levels of brightness by which the blob differs,
        negative for a dark one.
    """
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    found = []
    for number, levels in enumerate(space):
        differences = _room.part("differences", (len(levels) - 1, *levels.shape[1:]))
        np.subtract(levels[1:], levels[:-1], out=differences)
        around = _room.part("around", levels.shape[1:])
        extreme = np.empty((STEPS, *levels.shape[1:]), bool)
        for step in range(STEPS):
            here = differences[step + 1]
            np.greater_equal(here, np.maximum(cv2.dilate(here, kernel, around), contrast, out=around), extreme[step])
            extreme[step] |= here <= np.minimum(cv2.erode(here, kernel, around), -contrast, out=around)
        extreme[:, [0, -1]] = extreme[:, :, [0, -1]] = False
        places = np.flatnonzero(extreme) + extreme[0].size
        places = _extreme_in_scale(differences, places)
        if places.size:
            found.append(_refined(differences, places) * np.array([*[2.0**number] * 3, 1], np.float32))
    return np.concatenate(found) if found else np.zeros((0, 4), np.float32)


def _extreme_in_scale(differences: Floats, places: Any) -> Any:
    """Leave out what is exceeded at the next finer or coarser scale. ``places`` are indices of the flat array."""
    _, height, width = differences.shape
    flat = differences.reshape(-1)
    value = flat[places]
    around = places[:, None] + np.array([row * width + column for row in (-1, 0, 1) for column in (-1, 0, 1)])
    sign = np.sign(value)[:, None]
    beside = np.maximum((flat[around - height * width] * sign).max(1), (flat[around + height * width] * sign).max(1))
    return places[beside < np.abs(value)]


def _refined(differences: Floats, places: Any) -> Floats:
    """Leave out edges, and place the others between pixels and scales (Lowe, sections 4 and 4.1)."""
    _, height, width = differences.shape
    flat, size = differences.reshape(-1), height * width
    value = flat[places]
    left, right, above, below = flat[places - 1], flat[places + 1], flat[places - width], flat[places + width]
    xx, yy = left + right - 2 * value, above + below - 2 * value
    corners = flat[places + width + 1] + flat[places - width - 1]
    xy = (corners - flat[places - width + 1] - flat[places + width - 1]) / 4
    trace, determinant = xx + yy, xx * yy - xy * xy
    dx, dy = (right - left) / 2, (below - above) / 2
    finer, coarser = flat[places - size], flat[places + size]
    bend = finer + coarser - 2 * value
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = places % width - np.clip((yy * dx - xy * dy) / determinant, -0.6, 0.6)
        y = places // width % height - np.clip((xx * dy - xy * dx) / determinant, -0.6, 0.6)
        shift = np.where(bend * value < 0, np.clip((finer - coarser) / 2 / bend, -0.6, 0.6), 0)
    scale = FINEST * 2 ** ((places // size + shift) / STEPS)
    keep = (determinant > 0) & (trace * trace * _ROUND < (_ROUND + 1) ** 2 * determinant)
    refined: Floats = np.stack([x, y, scale, value], 1)[keep].astype(np.float32)
    return refined
