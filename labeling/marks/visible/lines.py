"""Where text is on a picture: boxes from the detector, joined to lines, and the crops to read.

The detector runs on the whole picture, reduced. What it finds is read from the full picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from labeling.marks.visible import detector, engine

Pixels = NDArray[np.uint8]

SIDE = 368
"""Shortest side in pixels of the reduced picture for RapidOCR's detector: a label of 5 % is then 18 pixels high."""

BORDER = 8
"""Pixels of padding around the reduced picture: the detector misses text that touches the border."""

SIDES = (640, 256)
"""Shortest side in pixels of the scaled picture for our own detector: a label of 2 % is then 13 pixels high. The second
one is for text of more than a tenth, and is looked at only where the first one has none."""

MAX_ASPECT = 4
"""Aspect ratio above which a picture is searched in windows, at both ends and in the middle."""

NEAR = 0.12
"""Fraction of the shortest side: text within this distance of the upper or lower border is at an edge."""

NEAR_SIDE = 0.08
"""The same for the left and right border. Text between the corners must also be clearly nearer to one side, unlike the
lines of a page."""

ONE_SIDED = 0.4
"""Largest ratio of the margin on the near side to that on the far side."""

LOGO = 1.5
"""Room for a logo between the text and the left or right border, as a multiple of the text's height …"""

MAX_LOGO = 0.12
"""… and at most this fraction of the shortest side."""

TALL = 1.6
"""Ratio of height to width above which a box holds turned or stacked text."""


_MARGIN = 0.2


class Turn(StrEnum):
    """How a line runs: horizontally, turned to read upwards or downwards, or upright characters one under the other."""

    NONE = ""
    UP = "up"
    DOWN = "down"
    STACKED = "stacked"


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of text: its box in pixels of the picture, how it runs, what it says, how sure OCR is."""

    left: float
    top: float
    right: float
    bottom: float
    text: str = ""
    turn: Turn = Turn.NONE
    score: float = 1.0

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def thickness(self) -> float:
        """Its extent across the direction of reading, in pixels."""
        return min(self.width, self.height) if self.turn else self.height

    def union(self, other: Line) -> Line:
        return Line(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.text + other.text,
            self.turn,
            min(self.score, other.score),
        )


def detected(pixels: Pixels) -> list[Line]:
    """Detect on a picture, (H, W, 3) uint8 RGB, where it may say that AI made it."""
    return [line for window in _windows(pixels) for line in _spots(*window)]


def detected_texts(pixels: Pixels) -> list[Line]:
    """Detect text of any kind on a picture, (H, W, 3) uint8 RGB."""
    return [line for window in _windows(pixels) for line in _texts(*window)]


def _windows(pixels: Pixels) -> Iterator[tuple[Pixels, int, int]]:
    """Yield what is searched at a time, and where it is: the picture; of a long one, both ends and the middle."""
    height, width = pixels.shape[:2]
    shortest, longest = min(width, height), max(width, height)
    span = MAX_ASPECT * shortest
    for start in [0] if longest <= span else [0, (longest - span) // 2, longest - span]:
        dx, dy = (start, 0) if width >= height else (0, start)
        yield pixels[dy : dy + min(height, span), dx : dx + min(width, span)], dx, dy


def _spots(window: Pixels, dx: int, dy: int) -> list[Line]:
    for side in SIDES:
        small, fx, fy = _resized(window, side)
        if found := _lines(detector.boxes(small), fx, fy, dx, dy):
            return found
    return []


def _texts(window: Pixels, dx: int, dy: int) -> list[Line]:
    import cv2

    small, fx, fy = _resized(window, SIDE)
    padded = cv2.copyMakeBorder(small, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
    height, width = small.shape[:2]
    boxes = [
        (max(0.0, a - BORDER), max(0.0, b - BORDER), min(float(width), c - BORDER), min(float(height), d - BORDER))
        for a, b, c, d in engine.detect(np.asarray(padded, np.uint8))
    ]
    return _lines(boxes, fx, fy, dx, dy)


def _resized(window: Pixels, side: int) -> tuple[Pixels, float, float]:
    """Scale a part of a picture to a shortest side; return also how many pixels one is, across and down."""
    import cv2

    scale = side / min(window.shape[:2])
    size = max(16, round(window.shape[1] * scale)), max(16, round(window.shape[0] * scale))
    small = cv2.resize(window, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8), window.shape[1] / size[0], window.shape[0] / size[1]


def _lines(boxes: list[detector.Box], fx: float, fy: float, dx: int, dy: int) -> list[Line]:
    lines = [Line(a * fx + dx, b * fy + dy, c * fx + dx, d * fy + dy) for a, b, c, d in boxes]
    return [line for line in lines if line.width >= 4 and line.height >= 4]


def at_edge(line: Line, width: int, height: int) -> bool:
    """Return whether the box is at an edge or a corner of the picture (GB 45438-2025 5.2)."""
    shortest = min(width, height)
    if min(line.top, height - line.bottom) <= NEAR * shortest:
        return True
    near, far = sorted((line.left, width - line.right))
    logo = min(LOGO * min(line.height, line.width), MAX_LOGO * shortest)
    return near <= NEAR_SIDE * shortest + logo and near <= ONE_SIDED * far


PAD = 0.12
"""Margin of a crop around its box, of the thickness of the line."""


def parted(lines: list[Line]) -> list[Line]:
    """Return lines, and those that reach into the one below or above them also as they are without it.

    The detector's boxes are wider than the text. Where two lines are set closely, each has a part of the other in it,
    and neither can be read.
    """
    cut: list[Line] = []
    for one in lines:
        top, bottom = one.top, one.bottom
        for other in lines:
            across = min(one.right, other.right) - max(one.left, other.left)
            shared = min(one.bottom, other.bottom) - max(one.top, other.top)
            tall = min(one.height, other.height)
            if other is one or across < 0.5 * min(one.width, other.width) or not 0 < shared < 0.5 * tall:
                continue
            if max(one.height, other.height) > 2 * tall:
                continue
            if other.top > one.top:
                bottom = min(bottom, other.top + shared / 2)
            else:
                top = max(top, one.top + shared / 2)
        if (top, bottom) != (one.top, one.bottom):
            room = PAD * (bottom - top) / (1 + 2 * PAD)  # which the crop adds again
            cut.append(replace(one, top=top + room * (top > one.top), bottom=bottom - room * (bottom < one.bottom)))
    return [*lines, *cut]


def columns(lines: list[Line]) -> Iterator[Line]:
    """Yield a tall box for boxes one under the other that may be the characters of stacked text."""
    squares = sorted((line for line in lines if 0.3 < line.width / line.height < TALL), key=lambda line: line.top)
    taken: set[int] = set()
    for i, first in enumerate(squares):
        if i in taken:
            continue
        whole, count = first, 1
        for j, other in enumerate(squares[i + 1 :], i + 1):
            overlap = min(whole.right, other.right) - max(whole.left, other.left)
            gap = other.top - whole.bottom
            if overlap > 0.5 * min(whole.width, other.width) and -0.5 * other.height < gap < 0.8 * other.width:
                whole, count = whole.union(other), count + 1
                taken.add(j)
        if count > 1 and whole.height > TALL * whole.width:
            yield whole


def readings(pixels: Pixels, line: Line) -> list[tuple[Line, Pixels]]:
    """Return the crops to read of a box: one for a usual line; for a tall one, turned both ways and side by side."""
    if line.height <= TALL * line.width:
        return [(line, crop(pixels, line))]
    upright = crop(pixels, line)
    result = [
        (_turned(line, Turn.UP), np.rot90(upright, -1)),
        (_turned(line, Turn.DOWN), np.rot90(upright, 1)),
    ]
    result += [(_turned(line, Turn.STACKED), strip) for strip in _side_by_side(upright)]
    return result


def _turned(line: Line, turn: Turn) -> Line:
    return Line(line.left, line.top, line.right, line.bottom, "", turn)


def crop(pixels: Pixels, line: Line, pad: float = PAD) -> Pixels:
    """Cut out the box with a margin of ``pad`` times its thickness, as far as the picture reaches."""
    around = pad * min(line.height, line.width)
    top, bottom = max(0, int(line.top - around)), int(line.bottom + around) + 1
    left, right = max(0, int(line.left - around)), int(line.right + around) + 1
    return pixels[top:bottom, left:right]


def _side_by_side(upright: Pixels) -> Iterator[Pixels]:
    """Yield stacked characters laid side by side.

    Their number is not known: the pitch is about half to three quarters of the crop's width, depending on how closely
    the detector's box fits. Each cut is moved to the calmest row nearby, which is the gap between two characters.
    """
    height, width = upright.shape[:2]
    gray = upright.astype(np.float32).mean(axis=2)
    unrest = np.abs(np.diff(gray, axis=1)).mean(axis=1)
    span = height - 2 * _MARGIN * width  # without the margin above the first and below the last character
    counts = sorted({max(2, round(span / (factor * width))) for factor in (0.52, 0.62, 0.74)})
    for count in counts:
        if count > 12:
            continue
        pitch = span / count
        cuts = [0]
        for index in range(1, count):
            middle = round(_MARGIN * width + index * pitch)
            low, high = max(cuts[-1] + 1, int(middle - 0.22 * pitch)), min(height - 1, int(middle + 0.22 * pitch) + 1)
            cuts.append(low + int(unrest[low:high].argmin()) if high > low else middle)
        cuts.append(height)
        tall = max(b - a for a, b in pairwise(cuts))
        strip = np.concatenate([_centred(upright[a:b], tall) for a, b in pairwise(cuts)], axis=1)
        yield strip


def _centred(cell: Pixels, tall: int) -> Pixels:
    missing = tall - cell.shape[0]
    return np.pad(cell, ((missing // 2, missing - missing // 2), (0, 0), (0, 0)), mode="edge")
