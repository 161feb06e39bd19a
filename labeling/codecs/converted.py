"""What every conversion shares: its result, the source as it is displayed, and the new size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from labeling.codecs.opening import CLEAN_APERTURE
from labeling.codecs.pixels import ORIENTATION
from labeling.containers import formats
from labeling.errors import TooLarge
from labeling.losses import Loss

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip

ExifFor = Callable[[int, int], bytes | None]
"""Gives the EXIF structure for a picture of this width and height; ``None`` for none."""


@dataclass(slots=True)
class Converted:
    """A picture in its new format.

    Attributes:
        data: The new file.
        width: Its width in pixels.
        height: Its height in pixels.
        before: Width and height of the source as displayed.
        how: What was done, in sentences.
        lost: What the new format cannot hold of the picture itself.
        meant: Keys of inventory entries that changed on purpose, and that ``how`` or ``lost`` speaks of.
        exif: The EXIF structure that is still to be merged into ``data``: TIFF.
    """

    data: bytes
    width: int
    height: int
    before: tuple[int, int]
    how: list[str] = field(default_factory=list)
    lost: list[Loss] = field(default_factory=list)
    meant: set[str] = field(default_factory=set)
    exif: bytes | None = None


class Turn:
    """How decoded frames become the picture as displayed: the part that is shown, upright."""

    def __init__(self, image: Image.Image, format: str, orientation: int) -> None:
        row = formats.find(format) if format else None
        self.by_tag = row is not None and (row.turns_itself or image.format == "TIFF")  # Pillow turns TIFF on loading
        self.orientation = orientation

    def value(self, image: Image.Image) -> int:
        """Return the orientation that is left, once the frame is loaded."""
        return int(image.getexif().get(ORIENTATION, 1)) if self.by_tag else self.orientation

    def applied(self, image: Image.Image) -> Image.Image:
        part = image.info.get(CLEAN_APERTURE)
        if part is not None and part[2] <= image.width and part[3] <= image.height:
            image = image.crop(part)
        turn = _TURNS.get(self.value(image))
        return image.transpose(turn) if turn is not None else image


def fitted(size: tuple[int, int], box: tuple[int, int] | None, max_pixels: int) -> tuple[int, int]:
    """Return the largest size of the same proportions that fits into ``box``."""
    if box is None:
        return size
    scale = min(box[0] / size[0], box[1] / size[1])
    new = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    if new[0] * new[1] > max_pixels:
        raise TooLarge(f"`resize` asks for {new[0]}×{new[1]} pixels and the limit is {max_pixels:,}")
    return new


def scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale with Lanczos; transparency is taken into account, so that hidden colours do not bleed."""
    if image.size == size:
        return image
    if image.mode == "I;16":
        import cv2

        area = cv2.INTER_AREA if size[0] < image.width else cv2.INTER_CUBIC
        deep = cv2.resize(np.asarray(image).astype(np.float32), size, interpolation=area)
        return Image.fromarray(np.clip(np.rint(deep), 0, 65535).astype(np.uint16))
    return image.resize(size, Image.Resampling.LANCZOS)
