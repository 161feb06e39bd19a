"""Palette pages of TIFF files (TIFF 6.0, section 5): the overlay's colours go into ColorMap entries without pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Pixels
from labeling.codecs.pixels import over, split_overlay

FAR = 64
"""Greatest error of a colour of the label, of 255, before the page becomes an RGB page."""


class NoRoomError(Exception):
    """The palette has neither the colours of the label nor room for them."""


def colours(table: NDArray[np.uint16]) -> Pixels:
    """Return a ColorMap, stored as all reds, all greens and all blues of 16 bits, as (N, 3) uint8 RGB."""
    return (table.reshape(3, -1).T >> 8).astype(np.uint8)


def lay(
    table: NDArray[np.uint16], used: NDArray[np.bool_], region: NDArray[Any], overlay: Pixels
) -> tuple[NDArray[np.uint16], NDArray[Any]]:
    """Blend an overlay into palette indices.

    Args:
        table: The ColorMap.
        used: For each of its entries, whether a pixel anywhere needs it.
        region: (H, W, 1) indices of the box.
        overlay: (H, W, 4) uint8 RGBA, as stored.

    Returns:
        The new ColorMap and indices.

    Raises:
        NoRoomError: A colour of the label would be off by more than :data:`FAR`.
    """
    rgb = colours(table)
    colour, alpha = split_overlay(overlay)
    touched = overlay[..., 3] > 0
    mixed = over(rgb[region[..., 0]], colour, alpha)[touched].astype(np.int32)
    wanted, back, counts = np.unique(mixed, axis=0, return_inverse=True, return_counts=True)
    table = table.copy()
    size = len(table) // 3
    distance = _distances(wanted, rgb[used]).min(axis=1, initial=255)
    for entry in np.flatnonzero(~used):
        # The colour that is missed most gets the next free entry.
        missed = distance * np.sqrt(counts)
        if not missed.any():
            break
        at = int(missed.argmax())
        table[[entry, entry + size, entry + 2 * size]] = wanted[at] * 257
        distance = np.minimum(distance, np.abs(wanted - wanted[at]).max(axis=1))
    now = colours(table).astype(np.int32)
    to_each = _distances(wanted, now)
    if len(wanted) and to_each.min(axis=1).max() > FAR:
        raise NoRoomError
    region = region.copy()
    region[touched, 0] = to_each.argmin(axis=1)[back.ravel()]
    return table, region


def _distances(wanted: NDArray[np.int32], there: NDArray[Any]) -> NDArray[np.int32]:
    """Return how far each wanted colour is from each that is there, by the channel in which they differ most."""
    found: NDArray[np.int32] = np.abs(wanted[:, None] - there[None].astype(np.int32)).max(axis=2)
    return found
