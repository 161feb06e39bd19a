"""The contract between what draws an overlay and what stores pictures.

A *painter* knows what to draw and never sees a file. A *codec* knows files and never knows what a label is. Both speak
of the picture **as displayed**: upright, after the EXIF orientation or the HEIF rotation has been applied.

Each codec module of a format offers one function, which :func:`labeling.codecs.paint_file` calls::

    def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted: ...

A codec proceeds as follows. It refuses the file if its header announces more than ``max_pixels``
(:func:`labeling.codecs.pixels.check_size`). It asks :meth:`Painter.box` which box will be painted, decodes that box in
every frame, passes these backdrops to :meth:`Painter.paint`, and blends the returned overlay into every frame. It
changes as little of the file as the format allows, and reports in :class:`Painted` what happened to the rest. On
damaged data it raises :class:`~labeling.errors.LabelingError` and nothing else.

This module loads no numpy, so that ``import labeling`` stays cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from labeling.filebytes import Pieces
from labeling.losses import Loss

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.uint8]"
"""An array of 8-bit samples, (H, W, channels)."""

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the displayed picture; right and bottom are exclusive."""


class Painter(Protocol):
    """Something that draws into one box of a picture.

    Both methods are called once for each picture or animation; a TIFF file with several pages counts as several
    pictures.

    Example:
        A painter that puts a red square into the upper left corner::

            class RedSquare:
                def box(self, width: int, height: int) -> Box:
                    return 0, 0, min(16, width), min(16, height)

                def paint(self, backdrops: Sequence[Pixels]) -> Pixels:
                    overlay = np.zeros((*backdrops[0].shape[:2], 4), np.uint8)
                    overlay[...] = 255, 0, 0, 255
                    return overlay
    """

    def box(self, width: int, height: int) -> Box:
        """Choose the box that will be painted.

        Args:
            width: Width of the displayed picture in pixels.
            height: Its height in pixels.

        Returns:
            A box inside the picture, at least one pixel wide and high.

        Raises:
            LabelingError: Nothing legible fits into a picture of this size.
        """
        ...

    def paint(self, backdrops: Sequence[Pixels]) -> Pixels:
        """Draw the overlay for the box.

        Args:
            backdrops: What is in the box, one array for each frame: (H, W, 3) uint8 sRGB, upright. A frame in which
                anything is transparent comes twice, over white and over black. Painters use them to choose colours that
                stand out.

        Returns:
            One overlay for all frames: (H, W, 4) uint8 RGBA with straight (not premultiplied) alpha, where H and W are
            the size of the box.
        """
        ...


@dataclass(frozen=True, slots=True)
class FurtherPictures:
    """What follows the first picture of a file: the frames of an animation, the pages of a TIFF file, other views.

    Attributes:
        word: What one of them is called: "frame", "page" or "view".
        total: How many there are, with the first.
        pictures: Those behind the first, in order, as far as the limit on pixels allows: (H, W, 3) uint8 RGB.
        apart: Whether the first is no frame, but the static image of an animated PNG (PNG 4.9), for viewers that do not
            play animations.
    """

    word: str
    total: int
    pictures: Iterator[Pixels]
    apart: bool = False

    def called(self, number: int) -> str:
        """Return what a picture is called, counted from 1: "frame 2 of 5"."""
        if not self.apart:
            return f"{self.word} {number} of {self.total}"
        if number == 1:
            return "the static image, shown where the animation is not played,"
        return f"{self.word} {number - 1} of {self.total - 1}"


@dataclass(frozen=True, slots=True)
class Painted:
    """A painted copy of a picture, and what happened to it.

    Attributes:
        file: The new file.
        box: The box that was painted, in pixels of the displayed picture.
        width: Width of the displayed picture in pixels.
        height: Its height in pixels.
        frames: Number of frames or pages.
        lossless: Whether every sample outside the box is as before. For JPEG: outside the blocks under the box.
        how: What was done, in words for people, with the quality where one was chosen.
        reasons: Why things are not in the new file that were in the old one, by the key of an
            :class:`~labeling.containers.base.Entry` or by how such keys begin, up to a colon. What is lost is found by
            comparing the files; a reason that nothing was lost for is not used.
        lost: Losses that such a comparison cannot see.
        dithered: Whether the picture is dithered, as far as the codec looked, or has so few levels that it may be.
        meant: Keys of entries that it changed on purpose.
    """

    file: bytes | Pieces
    box: Box
    width: int
    height: int
    frames: int
    lossless: bool
    how: str
    reasons: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[Loss, ...] = ()
    dithered: bool = False
    meant: frozenset[str] = frozenset()

    @property
    def data(self) -> bytes:
        """The new file as bytes, which copies one that is in pieces."""
        return bytes(self.file)
