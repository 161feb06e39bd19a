"""How a picture gets an overlay: the contract between what paints and what codes.

A *painter* knows what to draw and never sees a file; a *codec* knows files and never sees a label. Both talk about
the picture **as displayed**: upright, after EXIF orientation or HEIF rotation has been applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels of the displayed picture; right and bottom are exclusive."""


class Painter(Protocol):
    """Something that draws into one box of a picture."""

    def box(self, width: int, height: int) -> Box:
        """Say which box of a displayed picture of this size will be painted.

        Raises :class:`~labeling.errors.LabelingError` if nothing legible fits.
        """
        ...

    def paint(self, backdrops: Sequence[Pixels]) -> Pixels:
        """Paint on top of what is in the box.

        ``backdrops``: the box's content in every frame, each (H, W, 3) uint8 sRGB, transparency already laid over
        white. Returns one (H, W, 4) uint8 RGBA overlay, straight (not premultiplied) alpha, for all frames.
        """
        ...


@dataclass(frozen=True, slots=True)
class Painted:
    """A painted copy: the new file, the box (displayed pixels), and what happened to the rest of the picture.

    ``lossless`` is true if every sample outside the box (for JPEG: outside the blocks under it) is as before.
    ``how`` says it in words, with the quality where one was chosen.
    """

    data: bytes
    box: Box
    width: int
    height: int
    frames: int
    lossless: bool
    how: str
