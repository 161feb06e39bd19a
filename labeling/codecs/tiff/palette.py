"""Palette pages of TIFF files (TIFF 6.0, section 5): the overlay's colours go into ColorMap entries without pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Pixels
from labeling.codecs.pixels import over, split_overlay
from labeling.errors import UnsupportedFormat

FAR = 64
"""Greatest error of a colour of the label, of 255, before the page is refused."""


def colours(table: NDArray[np.uint16]) -> Pixels:
    """Return a ColorMap, stored as all reds, all greens and all blues of 16 bits, as (256, 3) uint8 RGB."""
    return (table.reshape(3, 256).T >> 8).astype(np.uint8)


def lay(
    table: NDArray[np.uint16], used: NDArray[np.bool_], region: NDArray[Any], overlay: Pixels
) -> tuple[NDArray[np.uint16], NDArray[Any]]:
    """Blend an overlay into palette indices.

    Args:
        table: The ColorMap.
        used: For each of its 256 entries, whether a pixel anywhere needs it.
        region: (H, W, 1) indices of the box.
        overlay: (H, W, 4) uint8 RGBA, as stored.

    Returns:
        The new ColorMap and indices.

    Raises:
        UnsupportedFormat: A colour of the label would be off by more than :data:`FAR`.
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
        raise UnsupportedFormat(
            "the palette of this TIFF has no room for the label's colours", hint="convert it to RGB first"
        )
    region = region.copy()
    region[touched, 0] = distance.argmin(axis=1)[back.ravel()]
    return table, region
