"""A picture that is encoded row by row as the caller holds it; only the part under the label is copied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.codecs.base import Box

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class Canvas:
    """What an encoder that works by rows needs of a picture, which is not changed.

    Attributes:
        mode: Its Pillow mode.
        size: Width and height in pixels.
        info: As of a Pillow image, the canvas's own.
    """

    def __init__(self, source: Image.Image | NDArray[np.uint8], mode: str = "") -> None:
        """Look at a picture.

        Args:
            source: A loaded Pillow image, or (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA samples.
            mode: The mode that a Pillow image is converted to, if that is not its own.
        """
        self._source = source
        if isinstance(source, Image.Image):
            self.mode, self.size, self.info = mode or source.mode, source.size, dict(source.info)
        else:
            self.mode = _MODES[1 if source.ndim == 2 else source.shape[2]]
            self.size, self.info = (source.shape[1], source.shape[0]), {}
        self._part: NDArray[Any] | None = None
        self._box: Box = (0, 0, 0, 0)

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.size[0]

    @property
    def height(self) -> int:
        """Rows."""
        return self.size[1]

    def part(self, box: Box) -> Image.Image:
        """Return a copy of a part of the source, in the canvas's mode."""
        if isinstance(self._source, Image.Image):
            cut = self._source.crop(box)
            return cut if cut.mode == self.mode else cut.convert(self.mode)
        left, top, right, bottom = box
        return Image.fromarray(np.ascontiguousarray(self._source[top:bottom, left:right]))

    def cover(self, box: Box, part: Image.Image) -> None:
        """Show ``part`` instead of what is in ``box``."""
        self._box, self._part = box, np.asarray(part)

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        """Return the rows from ``top`` to before ``bottom``: (n, W) or (n, W, C), uint8 or, in mode I;16, uint16."""
        if isinstance(self._source, Image.Image):
            rows: NDArray[Any] = np.asarray(self.part((0, top, self.width, bottom)))
        else:
            rows = self._source[top:bottom]
        left, above, right, below = self._box
        first, last = max(top, above), min(bottom, below)
        if self._part is not None and first < last:
            rows = rows.copy()
            rows[first - top : last - top, left:right] = self._part[first - above : last - above]
        return rows
