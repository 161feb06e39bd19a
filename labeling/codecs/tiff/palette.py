"""Palette pages of TIFF files (TIFF 6.0, section 5): the overlay goes into ColorMap entries that no pixel uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Pixels
from labeling.codecs.pixels import over, split_overlay
from labeling.errors import UnsupportedFormat

FAR = 64
"""A label whose colours are off by more than this (of 255) in the end is refused."""


def colours(table: NDArray[np.uint16]) -> Pixels:
    """Give (256, 3) RGB of a ColorMap, which is stored as all reds, all greens, all blues of 16 bits."""
    return (table.reshape(3, 256).T >> 8).astype(np.uint8)


def lay(
    table: NDArray[np.uint16], used: NDArray[np.bool_], region: NDArray[Any], overlay: Pixels
) -> tuple[NDArray[np.uint16], NDArray[Any]]:
    """Lay an overlay on (H, W, 1) indices.

    ``used`` says for each of the 256 entries whether a pixel anywhere needs it. Returns the new ColorMap and indices.
    """
    rgb = colours(table)
    colour, alpha = split_overlay(overlay)
    touched = overlay[..., 3] > 0
    mixed = over(rgb[region[..., 0]], colour, alpha)[touched].astype(np.int32)
    wanted, back, counts = np.unique(mixed, axis=0, return_inverse=True, return_counts=True)
    table = table.copy()
    for entry, at in zip(np.flatnonzero(~used), np.argsort(-counts, kind="stable"), strict=False):
        table[[entry, entry + 256, entry + 512]] = wanted[at] * 257
    now = colours(table).astype(np.int32)
    distance = np.abs(wanted[:, None] - now[None]).max(axis=2)
    if len(wanted) and distance.min(axis=1).max() > FAR:
        raise UnsupportedFormat("the palette of this TIFF has no room for the label's colours; convert it to RGB first")
    region = region.copy()
    region[touched, 0] = distance.argmin(axis=1)[back.ravel()]
    return table, region
