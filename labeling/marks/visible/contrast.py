"""Contrast by the formula of WCAG 2, our measure of legibility: the standard only says "legible"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

REQUIRED = 4.5
"""WCAG 2, success criterion 1.4.3."""

AIM = 5.2
"""Contrast that drawing aims at: higher, so that lossy coding does not bring it below :data:`REQUIRED`."""

Color = tuple[int, int, int]

_s = np.arange(256) / 255
_LINEAR = np.where(_s <= 0.04045, _s / 12.92, ((_s + 0.055) / 1.055) ** 2.4)
_R, _G, _B = ((_LINEAR * weight).astype(np.float32) for weight in (0.2126, 0.7152, 0.0722))


_TABLES: list[list[float]] = [_R.tolist(), _G.tolist(), _B.tolist()]


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the relative luminance 0..1 of sRGB pixels, (…, 3) uint8 → (…) float32."""
    result: NDArray[np.float32] = _R[pixels[..., 0]]
    result += _G[pixels[..., 1]]
    result += _B[pixels[..., 2]]
    return result


def luminance_of(color: Color) -> float:
    """Return the relative luminance 0..1 of one sRGB colour."""
    return _TABLES[0][color[0]] + _TABLES[1][color[1]] + _TABLES[2][color[2]]


def contrast(one: float, other: float) -> float:
    """Return the contrast ratio of two luminances, 1..21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def extremes(backdrops: Sequence[NDArray[Any]]) -> tuple[Color, Color]:
    """Return the darkest and the lightest sRGB colour under the label in any frame."""
    dark, light = (1.1, (0, 0, 0)), (-0.1, (255, 255, 255))
    for backdrop in backdrops:
        values = luminance(backdrop).ravel()
        flat = backdrop.reshape(-1, 3)
        low, high = int(values.argmin()), int(values.argmax())
        if values[low] < dark[0]:
            dark = (float(values[low]), tuple(map(int, flat[low])))  # type: ignore[assignment]
        if values[high] > light[0]:
            light = (float(values[high]), tuple(map(int, flat[high])))  # type: ignore[assignment]
    return dark[1], light[1]


SAMPLED = 32
"""Rows and columns of the picture under the label that :func:`apart` looks at."""


def apart(backdrops: Sequence[NDArray[Any]]) -> tuple[Color, Color]:
    """Return two sRGB colours under the label that are far apart, by a short look at green, which weighs most.

    Ink that is not legible on both is not legible on all of it, for which :func:`extremes` look at every pixel.
    """
    height, width = backdrops[0].shape[:2]
    down, along = max(1, height // SAMPLED), max(1, width // SAMPLED)
    found: list[tuple[int, Color]] = []
    for backdrop in backdrops:
        sample = backdrop[::down, ::along, 1]
        for place in (int(sample.argmin()), int(sample.argmax())):
            row, column = divmod(place, sample.shape[1])
            red, green, blue = backdrop[row * down, column * along].tolist()
            found.append((green, (red, green, blue)))
    return min(found)[1], max(found)[1]


def bounds(backdrops: Sequence[NDArray[Any]]) -> tuple[Color, Color]:
    """Return sRGB colours that bound all pixels under the label: the minimum and the maximum of each channel."""
    # Rows first: that is one long vector operation instead of many short ones, channel by channel.
    rows = [backdrop.reshape(backdrop.shape[0], -1) for backdrop in backdrops]
    low = _of_channels(np.minimum, [np.minimum.reduce(row) for row in rows])
    high = _of_channels(np.maximum, [np.maximum.reduce(row) for row in rows])
    return low, high


def _of_channels(end: np.ufunc, rows: list[NDArray[np.uint8]]) -> Color:
    """Return the least or the greatest value of each channel in rows of RGB, (3 W) uint8."""
    whole = rows[0] if len(rows) == 1 else np.concatenate(rows)
    red, green, blue = end.reduce(whole.reshape(-1, 3)).tolist()
    return red, green, blue


def over(color: Color, alpha: float, under: Color) -> Color:
    """Blend ``color`` over ``under``."""
    mixed = [round(c * alpha + u * (1 - alpha)) for c, u in zip(color, under, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def worst(ink: Color, opacity: float, grounds: tuple[Color, Color], under: tuple[float, float]) -> float:
    """Return the lowest contrast of (translucent) ink against the colours under it.

    Args:
        ink: The ink.
        opacity: Its opacity, 0..1.
        grounds: The darkest and the lightest colour under it.
        under: Their luminances.
    """
    own = luminance_of(ink)
    if grounds[0] != grounds[1] and min(under) <= own <= max(under):
        return 1.0  # the ground passes through the ink's own luminance somewhere
    inks = [own] if opacity == 1 else [luminance_of(over(ink, opacity, ground)) for ground in grounds]
    return min([contrast(one, other) for one in inks for other in under])
