"""A WebP picture as displayed, for verifying."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from labeling.codecs.base import Box, Pixels
from labeling.codecs.grounds import MOST, Banded, band_rows, of_image
from labeling.codecs.opening import open_picture, webp_canvas
from labeling.codecs.pixels import check_size, decoding
from labeling.codecs.webp.chunks import PICTURE, frame_of, still_of, walk
from labeling.containers.base import Buffer
from labeling.errors import UnreadableFile

_ANIMATED = 0x02


def banded(data: Buffer, orientation: int, max_pixels: int) -> Banded:
    """Open the first frame.

    Pillow decodes as the frame of an animation what is none, for which libwebp keeps two canvases, and Pillow two more.
    So large pictures, and the first frames of large animations, are decoded by OpenCV, which keeps one.

    Raises:
        UnreadableFile: The file is damaged.
        TooLarge: It is beyond ``max_pixels``.
    """
    head = bytes(data[:30])
    width, height = webp_canvas(head)
    if width * height <= MOST:
        image = open_picture(data, "webp", max_pixels)
        with decoding("WebP"):
            image.load()
        return of_image(image, (0, 0, *image.size), orientation)
    check_size(width, height, max_pixels=max_pixels)
    rect: Box = (0, 0, width, height)
    if head[12:16] == b"VP8X" and head[20] & _ANIMATED:
        data, rect = _first_frame(bytes(data), width, height)

    def bands(scale: int) -> Iterator[Pixels]:
        samples = decoded(data, rect[2] - rect[0], rect[3] - rect[1])
        rows = band_rows(width, scale)
        for y in range(0, height, rows):
            yield _band(samples, rect, (0, y, width, min(y + rows, height)))

    return Banded(width, height, bands, orientation)


def _first_frame(raw: bytes, width: int, height: int) -> tuple[bytes, Box]:
    """Return the first frame of an animation as a file of its own, and where it is on the canvas."""
    chunk = next((each for each in walk(raw, 12, len(raw)) if each.name == b"ANMF"), None)
    if chunk is None:
        raise UnreadableFile("the WebP animation has no frames; it is damaged or cut off")
    frame = frame_of(chunk)
    right, bottom = frame.left + frame.width, frame.top + frame.height
    if right > width or bottom > height:
        raise UnreadableFile("a frame of the WebP animation reaches beyond its canvas; the file is damaged")
    still = still_of([part for part in frame.parts if part.name in PICTURE], frame.width, frame.height)
    return still, (frame.left, frame.top, right, bottom)


def decoded(data: Buffer, width: int, height: int) -> Pixels:
    """Decode a still picture: (H, W, 3) BGR or (H, W, 4) BGRA."""
    import cv2

    if webp_canvas(bytes(data[:30])) != (width, height):
        raise UnreadableFile("the WebP picture is not coded in the size that the file states; the file is damaged")
    with decoding("WebP"):
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.shape[:2] != (height, width):
        raise UnreadableFile("the WebP picture cannot be decoded; it is damaged or cut off")
    return np.asarray(samples, np.uint8)


def rgb_image(samples: Pixels) -> Image.Image:
    """Return decoded samples as an image of Pillow's, made in bands of rows."""
    import cv2

    height, width, channels = samples.shape
    mode, order = ("RGBA", cv2.COLOR_BGRA2RGBA) if channels == 4 else ("RGB", cv2.COLOR_BGR2RGB)
    image = Image.new(mode, (width, height))
    rows = band_rows(width, 1)
    for y in range(0, height, rows):
        image.paste(Image.fromarray(np.asarray(cv2.cvtColor(samples[y : y + rows], order), np.uint8)), (0, y))
    return image


def _band(samples: Pixels, rect: Box, box: Box) -> Pixels:
    """Return a box of the canvas in RGB, or in RGBA if the picture has alpha or does not cover the canvas."""
    import cv2

    top, bottom = max(box[1], rect[1]), min(box[3], rect[3])
    found = samples[top - rect[1] : bottom - rect[1]] if top < bottom else samples[:0]
    clear = samples.shape[2] == 4 and len(found) and found[..., 3].min() < 255
    order = cv2.COLOR_BGRA2RGBA if clear else cv2.COLOR_BGRA2RGB if samples.shape[2] == 4 else cv2.COLOR_BGR2RGB
    if rect[0] == box[0] and rect[2] == box[2] and (top, bottom) == (box[1], box[3]):
        return np.asarray(cv2.cvtColor(found, order), np.uint8)
    canvas = np.zeros((box[3] - box[1], box[2] - box[0], 4), np.uint8)
    if len(found):
        order = cv2.COLOR_BGRA2RGBA if samples.shape[2] == 4 else cv2.COLOR_BGR2RGBA
        canvas[top - box[1] : bottom - box[1], rect[0] : rect[2]] = cv2.cvtColor(found, order)
    return canvas
