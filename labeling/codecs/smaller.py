"""Smaller copies of a painted picture: the overlay at their size, and a painter that knows already what to paint."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from labeling.codecs.base import Box, Pixels

_SAME_SHAPE = 0.02
"""How far two aspect ratios may differ before a copy counts as one with bars at its edges."""


class Given:
    """A painter that lays a given overlay on a given box."""

    def __init__(self, box: Box, overlay: Pixels) -> None:
        self._box, self._overlay = box, overlay

    def box(self, width: int, height: int) -> Box:
        """Return the box, whatever the picture's size."""
        del width, height
        return self._box

    def paint(self, backdrops: Sequence[Pixels]) -> Pixels:
        """Return the overlay, whatever is under it."""
        del backdrops
        return self._overlay


def scaled(whole: tuple[int, int], small: tuple[int, int], box: Box, overlay: Pixels) -> tuple[Box, Pixels]:
    """Scale an overlay from a picture to a smaller copy of it.

    Args:
        whole: Width and height of the picture.
        small: Those of the copy. If its shape differs, it is taken to show the whole picture between bars.
        box: Where the overlay is in the picture.
        overlay: (H, W, 4) uint8 RGBA.

    Returns:
        The box in the copy, and the overlay for it.
    """
    across, down = small[0] / whole[0], small[1] / whole[1]
    aside = above = 0.0
    if abs(across / down - 1) > _SAME_SHAPE and abs(small[0] - whole[0] * down) > 2:
        across = down = min(across, down)
        aside, above = (small[0] - whole[0] * across) / 2, (small[1] - whole[1] * down) / 2
    left, top = aside + box[0] * across, above + box[1] * down
    right, bottom = aside + box[2] * across, above + box[3] * down
    place = (
        max(0, min(math.floor(left), small[0] - 1)), max(0, min(math.floor(top), small[1] - 1)),
        min(small[0], math.ceil(right)), min(small[1], math.ceil(bottom)),
    )  # fmt: skip
    place = (place[0], place[1], max(place[2], place[0] + 1), max(place[3], place[1] + 1))
    # Where the copy's pixels begin and end in the overlay; those at its edges reach a little beyond it.
    margin = math.ceil(max(1 / across, 1 / down)) + 1
    padded = Image.fromarray(np.pad(overlay, ((margin, margin), (margin, margin), (0, 0))))
    edges = np.array([place[0] - left, place[1] - top, place[2] - left, place[3] - top])
    edges = edges / (across, down, across, down) + margin
    source = np.clip(edges, 0, [padded.width, padded.height] * 2)
    size = place[2] - place[0], place[3] - place[1]
    return place, np.asarray(padded.resize(size, Image.Resampling.BOX, box=tuple(source.tolist())))
