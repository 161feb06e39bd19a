"""The clean aperture: which part of a coded picture is shown (``clap``; ISO/IEC 14496-12, 12.1.4)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

Rect = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels."""


def clean_aperture(body: bytes, width: int, height: int) -> Rect:
    """Return the rectangle of a clap box, rounded inwards.

    The whole picture, if the box is not sound: readers ignore it then.
    """
    whole = (0, 0, width, height)
    if len(body) < 32:
        return whole
    numbers = [int.from_bytes(body[at : at + 4], "big", signed=True) for at in range(0, 32, 4)]
    if any(below <= 0 for below in numbers[1::2]):
        return whole
    wide, high, across, down = (
        Fraction(above, below) for above, below in zip(numbers[::2], numbers[1::2], strict=True)
    )
    left, top = (width - wide) / 2 + across, (height - high) / 2 + down
    rect = (ceil(left), ceil(top), floor(left + wide), floor(top + high))
    sound = 0 <= rect[0] < rect[2] <= width and 0 <= rect[1] < rect[3] <= height
    return rect if sound else whole
