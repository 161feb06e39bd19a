"""A large HEIC or AVIF picture as displayed, for verifying: coded picture by coded picture, in bands of rows.

Pillow and pillow-heif keep such a picture several times: its planes, its RGB, and a copy of that. Here it is kept once,
as planes, and of a grid only the tiles under a band are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from labeling.codecs import pyav
from labeling.codecs.base import Box, Pixels
from labeling.codecs.grounds import MOST, Banded, band_rows
from labeling.codecs.heif import planes, shown
from labeling.codecs.heif.items import decode_item
from labeling.codecs.heif.planes import Planes
from labeling.codecs.heif.shown import Tile
from labeling.codecs.heif.stated_size import check_stated_size
from labeling.containers.base import Buffer
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.errors import LabelingError, TooLarge


def banded(data: Buffer, orientation: int, max_pixels: int) -> Banded | None:
    """Open the primary picture.

    Returns:
        The picture; ``None`` for small ones, sequences, and those that have to be put together in other ways than a
        grid is, which their library decodes as a whole.

    Raises:
        UnreadableFile: The file is damaged, or lies about its size.
        TooLarge: The picture is beyond ``max_pixels``.
    """
    del orientation  # properties of the format turn it
    file = parse(data)
    if file.meta is None or file.tracks or file.problems or not pyav.installed():
        return None
    pictures = Pictures(file, file.meta)
    width, height = pictures.size(file.meta.primary)
    if width * height <= MOST:
        return None
    try:
        picture = shown.read(pictures, file.meta.primary, max_pixels)
    except TooLarge:
        raise
    except LabelingError:
        return None
    layered = any(item.type == b"iovl" for item in file.meta.items.values())
    if layered or (picture.premultiplied and picture.alpha):
        return None
    check_stated_size(pictures, max_pixels)
    left, top, right, bottom = picture.rect

    def bands(scale: int) -> Iterator[Pixels]:
        rows = band_rows(right - left, scale)
        colour = _Layer(pictures, picture.tiles, max_pixels)
        alpha = _Layer(pictures, picture.alpha, max_pixels) if picture.alpha else None
        for y in range(top, bottom, rows):
            box = left, y, right, min(y + rows, bottom)
            band = colour.read(box, planes.to_rgb8, 3)
            yield band if alpha is None else np.dstack([band, alpha.read(box, planes.to_alpha8, 1)])

    return Banded(right - left, bottom - top, bands, picture.orientation)


class _Layer:
    """The coded pictures of a picture's colours or of its alpha channel, decoded as rows from the top ask for them."""

    def __init__(self, pictures: Pictures, tiles: list[Tile], max_pixels: int) -> None:
        self._pictures, self._tiles, self._max_pixels = pictures, tiles, max_pixels
        self._decoded: dict[int, Planes] = {}

    def read(self, box: Box, look: Callable[[Planes, Box], Pixels], channels: int) -> Pixels:
        """Return a box of the whole picture, which is not above those of earlier calls."""
        out = np.full((box[3] - box[1], box[2] - box[0], channels), 255 if channels == 1 else 0, np.uint8)
        for tile in self._tiles:
            if tile.top + tile.height <= box[1]:
                self._decoded.pop(tile.item, None)
        for tile in self._tiles:
            if part := tile.part(box):
                if tile.item not in self._decoded:
                    self._decoded[tile.item] = decode_item(self._pictures, tile.item, self._max_pixels)
                x, y = part[0] + tile.left - box[0], part[1] + tile.top - box[1]
                found = look(self._decoded[tile.item], part)
                out[y : y + found.shape[0], x : x + found.shape[1]] = found
        return out
