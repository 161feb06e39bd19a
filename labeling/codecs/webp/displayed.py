"""A WebP picture as displayed, for verifying."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labeling.codecs.base import Pixels
from labeling.codecs.grounds import MOST, Banded, band_rows, of_image
from labeling.codecs.opening import open_picture, webp_canvas
from labeling.codecs.pixels import check_size, decoding
from labeling.containers.base import Buffer
from labeling.errors import UnreadableFile

_ANIMATED = 0x02


def banded(data: Buffer, orientation: int, max_pixels: int) -> Banded:
    """Open the first frame.

    Pillow decodes as the frame of an animation what is none, for which libwebp keeps two canvases. So large stills are
    decoded by OpenCV, which keeps one.

    Raises:
        UnreadableFile: The file is damaged.
        TooLarge: It is beyond ``max_pixels``.
    """
    head = bytes(data[:30])
    width, height = webp_canvas(head)
    if width * height <= MOST or (head[12:16] == b"VP8X" and head[20] & _ANIMATED):
        image = open_picture(data, "webp", max_pixels)
        with decoding("WebP"):
            image.load()
        return of_image(image, (0, 0, *image.size), orientation)
    check_size(width, height, max_pixels=max_pixels)

    def bands(scale: int) -> Iterator[Pixels]:
        import cv2

        with decoding("WebP"):
            samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if samples is None or samples.shape[:2] != (height, width):
            raise UnreadableFile("the WebP picture cannot be decoded; it is damaged or cut off")
        order = cv2.COLOR_BGRA2RGBA if samples.shape[2] == 4 else cv2.COLOR_BGR2RGB
        rows = band_rows(width, scale)
        for y in range(0, height, rows):
            yield np.asarray(cv2.cvtColor(samples[y : y + rows], order), np.uint8)

    return Banded(width, height, bands, orientation)
