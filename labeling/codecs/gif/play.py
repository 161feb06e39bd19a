"""Play GIF files as browsers do (GIF89a, 20 and 23): frames laid on the canvas one after the other, then disposed of.

Pillow decodes the frames one by one. It does not lay them on each other: what its own player shows behind a frame that
is cleared or taken back differs from browsers, FFmpeg and ImageMagick, which agree with each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.codecs.base import Box, Pixels
from labeling.codecs.gif import blocks
from labeling.codecs.pixels import check_size, decoding, lay_on, open_with, over_alpha, split_overlay
from labeling.containers.base import Buffer
from labeling.errors import UnreadableFile, UnsupportedFormat

CLEAR, _PREVIOUS = 2, 3  # disposal methods
_BAND = 1 << 20  # about as many pixels are RGBA at once
_GRAYS = bytes(value for gray in range(256) for value in (gray, gray, gray))

Rows = Callable[[int, int], Pixels]
"""Gives some rows of a canvas, (H, W, 4) RGBA with an alpha of 0 or 255, as an array of its own."""


class Canvas:
    """The canvas of one frame, of which only some rows are looked at at a time.

    Attributes:
        width: Its width in pixels.
        height: Its height in pixels.
        disputed: Whether viewers do not agree on what is shown where it is transparent here.
        numberless: Whether its frame uses colour numbers that its table lacks, on which they do not agree either.
    """

    def __init__(self, width: int, height: int, source: Rows, *, disputed: bool, numberless: bool) -> None:
        self.width, self.height, self.disputed, self.numberless = width, height, disputed, numberless
        self._source = source
        self._step = max(1, _BAND // width)
        self._box: Box = (0, 0, 0, 0)
        self._overlay: Pixels | None = None
        self._whole: Pixels | None = None  # of a canvas of one band

    def lay(self, box: Box, overlay: Pixels) -> None:
        """Show the overlay from now on."""
        self._box, self._overlay, self._whole = box, overlay, None

    def rows(self, top: int, bottom: int) -> Pixels:
        """Return rows as (H, W, 4) RGBA."""
        if self._step < self.height:
            return self._made(top, bottom)
        if self._whole is None:
            self._whole = self._made(0, self.height)
        return self._whole[top:bottom]

    def _made(self, top: int, bottom: int) -> Pixels:
        found = self._source(top, bottom)
        left, first, right, end = self._box
        start, stop = max(top, first), min(bottom, end)
        if self._overlay is not None and start < stop:
            region = found[start - top : stop - top, left:right]
            region[...] = _mixed(region, self._overlay[start - first : stop - first])
        return found

    def bands(self, top: int = 0, bottom: int | None = None) -> Iterator[tuple[int, Pixels]]:
        """Yield rows from the top, and where each band of them begins."""
        bottom = self.height if bottom is None else bottom
        for y in range(top, bottom, self._step):
            yield y, self.rows(y, min(y + self._step, bottom))

    def on_white(self) -> Pixels:
        """Return the whole canvas over white, (H, W, 3)."""
        flat = np.empty((self.height, self.width, 3), np.uint8)
        for y, band in self.bands():
            flat[y : y + len(band)] = lay_on(band, 255)
        return flat

    def solid(self) -> NDArray[np.bool_]:
        """Return where the canvas is not transparent, (H, W)."""
        found = np.empty((self.height, self.width), np.bool_)
        for y, band in self.bands():
            found[y : y + len(band)] = band[..., 3] > 0
        return found

    def shows_through(self, solid: NDArray[np.bool_]) -> bool:
        """Return whether something is transparent that was not; then let ``solid`` say what is not, in place."""
        found = False
        for y, band in self.bands():
            before, now = solid[y : y + len(band)], band[..., 3] > 0
            found = found or bool((before & ~now).any())
            before[...] = now
        return found

    def kept(self, last: Pixels | None) -> Pixels:
        """Return the whole canvas, (H, W, 4), in the place of the last one."""
        kept = np.empty((self.height, self.width, 4), np.uint8) if last is None else last
        for y, band in self.bands():
            kept[y : y + len(band)] = band
        return kept


def canvases(raw: bytes, gif: blocks.Gif) -> Iterator[Canvas]:
    """Play the file: yield the canvas of each frame, to be looked at before the next one is asked for.

    Raises:
        UnreadableFile: A frame is damaged.
        UnsupportedFormat: A frame reaches beyond the canvas.
    """
    frames = [block for block in gif.blocks if isinstance(block, blocks.Frame)]
    bare = frames[0].clear is None and frames[0].box != (0, 0, gif.width, gif.height) if frames else False
    if len(frames) == 1:
        draw, numberless = _drawn(raw, frames[0], gif)

        def rows(top: int, bottom: int) -> Pixels:
            made = np.zeros((bottom - top, gif.width, 4), np.uint8)
            draw(made, top)
            return made

        yield Canvas(gif.width, gif.height, rows, disputed=bare, numberless=numberless)
        return
    canvas = np.zeros((gif.height, gif.width, 4), np.uint8)
    doubt = np.ones(canvas.shape[:2], np.bool_) if bare else None
    for number, frame in enumerate(frames):
        left, top, right, bottom = frame.box
        draw, numberless = _drawn(raw, frame, gif)
        last = number == len(frames) - 1
        kept = canvas[top:bottom, left:right].copy() if frame.dispose == _PREVIOUS and not last else None
        step = max(1, _BAND // gif.width)
        for y in range(top, bottom, step):
            draw(canvas[y : min(y + step, bottom)], y)
        disputed = doubt is not None and _disputed(canvas, doubt)

        def shown(top: int, bottom: int) -> Pixels:
            return canvas[top:bottom].copy()

        yield Canvas(gif.width, gif.height, shown, disputed=disputed, numberless=numberless)
        # Some viewers clear to the background colour where a frame names no transparent one, or keep the first frame.
        doubtful = frame.clear is None if frame.dispose == CLEAR else kept is not None and number == 0
        if doubtful and doubt is None:
            doubt = np.zeros(canvas.shape[:2], np.bool_)
        if doubt is not None and (doubtful or frame.dispose == CLEAR):
            doubt[top:bottom, left:right] = doubtful
        if frame.dispose == CLEAR:
            canvas[top:bottom, left:right] = 0
        elif kept is not None:
            canvas[top:bottom, left:right] = kept


def _disputed(canvas: Pixels, doubt: NDArray[np.bool_]) -> bool:
    step = max(1, _BAND // canvas.shape[1])
    return any(
        bool((doubt[y : y + step] & (canvas[y : y + step, :, 3] == 0)).any()) for y in range(0, len(canvas), step)
    )


def frames(data: Buffer, orientation: int, max_pixels: int) -> tuple[int, Iterator[Pixels], bool]:
    """Decode an animation: the number of frames, an iterator over them, (H, W, 4) RGBA, and that none stands apart."""
    del orientation  # GIF has none
    raw = bytes(data)
    gif = blocks.split(raw)
    check_size(gif.width, gif.height, gif.frames, max_pixels=max_pixels)
    return gif.frames, (canvas.rows(0, gif.height) for canvas in canvases(raw, gif)), False


def beyond_canvas() -> UnsupportedFormat:
    """Return the error for frames that are larger than the logical screen."""
    return UnsupportedFormat(
        "a frame of this GIF reaches beyond its canvas (GIF89a, 20), which viewers show in different ways",
        hint="save it again with another program first",
    )


def _drawn(raw: bytes, frame: blocks.Frame, gif: blocks.Gif) -> tuple[Callable[[Pixels, int], None], bool]:
    """Decode a frame.

    Returns:
        What draws it on some rows of the canvas, given with the number of the first one; and whether it uses colour
        numbers that its table lacks.
    """
    left, top, right, bottom = frame.box
    if left == right or top == bottom:
        raise UnreadableFile("a frame of the GIF has no pixels; the file is damaged")
    if right > gif.width or bottom > gif.height:
        raise beyond_canvas()
    # A table of grays keeps what Pillow decodes the numbers of colours, whatever the frame's own table is.
    size = struct.pack("<HHBBB", right - left, bottom - top, 0xF7, 0, 0)
    descriptor = struct.pack("<BHHHHB", 0x2C, 0, 0, right - left, bottom - top, frame.interlaced << 6)
    start, end = frame.coded
    still = b"".join((b"GIF89a", size, _GRAYS, descriptor, raw[start:end], b";"))
    with decoding("GIF"):
        image: Image.Image = open_with("GifImagePlugin:GifImageFile", still)
        image.load()
    shown = _colours(frame)
    lacked = set(range(len(frame.table), 256)) - {frame.clear}
    counts = image.histogram()

    def draw(rows: Pixels, first: int) -> None:
        start, stop = max(first, top), min(first + len(rows), bottom)
        if start >= stop:
            return
        with decoding("GIF"):
            numbers = np.asarray(image.crop((0, start - top, right - left, stop - top)))
        colours = shown[numbers]
        region = rows[start - first : stop - first].view(np.uint32)[..., 0][:, left:right]
        np.copyto(region, colours, where=colours != 0)

    return draw, any(counts[number] for number in lacked)


def _colours(frame: blocks.Frame) -> NDArray[np.uint32]:
    """Return a frame's colours as RGBA in one number each, in the order of memory; 0 is not drawn.

    Numbers beyond the table are not drawn either, as in browsers and FFmpeg; without any table, they are grays.
    """
    table = frame.table if len(frame.table) else np.arange(256, dtype=np.uint32) * 0x010101
    rgba = np.zeros((256, 4), np.uint8)
    for channel, shift in enumerate((16, 8, 0)):
        rgba[: len(table), channel] = table >> shift & 255
    rgba[: len(table), 3] = 255
    if frame.clear is not None:
        rgba[frame.clear] = 0
    return rgba.view(np.uint32)[:, 0]


def _mixed(region: Pixels, overlay: Pixels) -> Pixels:
    """Blend the overlay into a region. Over nothing it is either there or not: GIF has no partial transparency."""
    colour, alpha = split_overlay(overlay)
    mixed: Pixels = over_alpha(region, colour, alpha)
    solid = mixed[..., 3] > 127
    mixed[..., 3] = np.where(solid, 255, 0)
    return mixed
