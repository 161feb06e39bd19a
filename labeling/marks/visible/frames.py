"""Tell whether two frames of a video show the same text, without OCR."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from labeling.marks.visible import contrast as wcag

REDUCED = 48
"""Pixels to which the shorter side of what is under a label is reduced for comparing frames."""

_SAME = 0.75
"""Correlation above which two frames show the same text."""


def kept(first: NDArray[np.uint8], later: NDArray[np.uint8], box: Sequence[int]) -> bool:
    """Return whether a box of one frame still shows the same text in another, without OCR.

    Fine detail is compared, so that a change of the ground does not count.

    Args:
        first: The frame with the text, (H, W, 3) uint8.
        later: The other frame, of the same size.
        box: (left, top, right, bottom) in pixels.

    Returns:
        ``False`` means that OCR must read the later frame.
    """
    if first.shape != later.shape:
        return False
    left, top, right, bottom = box
    one, other = (np.sqrt(wcag.luminance(frame[top:bottom, left:right])) for frame in (first, later))
    return same_text(_fine(one), _fine(other))


def text_detail(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the fine detail of what is under a label in one frame, for :func:`same_text`.

    Args:
        luma: What is under the label, (H, W) uint8, not empty.

    Returns:
        (h, w) float32: its shorter side is reduced to :data:`REDUCED` pixels.
    """
    import cv2

    scale = REDUCED / min(luma.shape)
    if scale < 1:
        luma = np.asarray(cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return _fine(_gray_values()[luma])


def same_text(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Return whether two details, as :func:`text_detail` gives them, show the same text; ``False`` is for OCR."""
    if one.shape != other.shape:
        return False
    one, other = one.ravel(), other.ravel()
    strength = float(np.linalg.norm(one) * np.linalg.norm(other))
    return strength > 0 and float(one @ other) > _SAME * strength


@cache
def _gray_values() -> NDArray[np.float32]:
    """Return the root of the luminance of each gray."""
    values: NDArray[np.float32] = np.sqrt(wcag.luminance(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)))
    return values


def _fine(values: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    return np.asarray(values - cv2.GaussianBlur(values, (0, 0), max(1.0, 0.25 * values.shape[0])), np.float32)
