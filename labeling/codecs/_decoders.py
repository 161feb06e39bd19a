"""Decode pictures as a viewer shows them: the functions behind ``displayed…`` in :mod:`labeling.codecs`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from labeling.codecs.base import Pixels
from labeling.codecs.grounds import Shown, of_image, scale_for, show
from labeling.codecs.opening import CLEAN_APERTURE, open_picture
from labeling.codecs.pixels import (
    ORIENTATION,
    check_size,
    decoding,
    on_white,
    region_of,
    rgb_region,
    upright,
)
from labeling.containers import formats
from labeling.containers.base import Buffer
from labeling.containers.format_row import Format, resolve


def displayed(source: Buffer | Image.Image, format: str, orientation: int, max_pixels: int) -> Pixels:
    """Decode the first frame; see :func:`labeling.codecs.displayed`."""
    return on_white(_decoded(source, format, orientation, max_pixels))


def displayed_on_grounds(source: Buffer | Image.Image, format: str, orientation: int, max_pixels: int) -> Shown:
    """Decode the first frame; see :func:`labeling.codecs.displayed_on_grounds`."""
    row = formats.find(format)
    if row is not None and row.banded and not isinstance(source, Image.Image):
        with decoding(row.name.upper()):
            found = resolve(row.banded, "labeling.codecs")(source, orientation, max_pixels)
            if found is not None:
                return show(found)
    image = _opened(source, format, max_pixels)
    scale = scale_for(*image.size)
    whole = image.size
    with decoding(format.upper()):
        if row is not None and row.scales_itself and scale > 1:
            image.draft(image.mode, (whole[0] // scale, whole[1] // scale))
        image.load()
        left = scale if image.size == whole else 1
        turn = _left_to_turn(image, row, orientation)
        shown = show(of_image(image, _part(image), turn), left)
    return Shown(shown.grounds, scale, shown.alpha_bits)


def _decoded(source: Buffer | Image.Image, format: str, orientation: int, max_pixels: int) -> Pixels:
    """Decode the first frame, upright: (H, W, 3) uint8 RGB, or (H, W, 4) RGBA if any of it is transparent."""
    row = formats.find(format)
    if row is not None and row.decoder and not isinstance(source, Image.Image):
        pixels: Pixels = resolve(row.decoder, "labeling.codecs")(source, orientation, max_pixels)
        return pixels
    image = _opened(source, format, max_pixels)
    with decoding(format.upper()):
        image.load()
        orientation = _left_to_turn(image, row, orientation)
        pixels = region_of(image, _part(image))
    return np.ascontiguousarray(upright(pixels, orientation))


def _opened(source: Buffer | Image.Image, format: str, max_pixels: int) -> Image.Image:
    """Open a file, or check the size of a picture in memory."""
    if isinstance(source, Image.Image):
        check_size(*source.size, max_pixels=max_pixels)
        return source
    image = open_picture(source, format, max_pixels)
    if not isinstance(image, Image.Image):
        with decoding(format.upper()):
            image = image.to_pillow()
    assert isinstance(image, Image.Image)
    return image


def _part(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the part of a loaded picture that is shown."""
    whole = (0, 0, *image.size)
    part: tuple[int, int, int, int] | None = image.info.get(CLEAN_APERTURE)
    return part if part is not None and part[2] <= whole[2] and part[3] <= whole[3] else whole


def _left_to_turn(image: Image.Image, row: Format | None, orientation: int) -> int:
    """Give the orientation that a loaded picture still has to be turned by.

    HEIF is turned by properties of its own: pillow-heif applies them, and Pillow reports them as the EXIF tag. Pillow
    itself turns pictures from TIFF files when they are loaded.
    """
    if (row is None or not row.turns_itself) and image.format != "TIFF":
        return orientation
    value: int = image.getexif().get(ORIENTATION, 1)
    return value


def displayed_frames(data: Buffer, format: str, count: int, orientation: int, max_pixels: int) -> Iterator[Pixels]:
    """Decode some later frames; see :func:`labeling.codecs.displayed_frames`."""
    row = formats.find(format)
    if row is None or not row.animated:
        return
    if row.player:
        total, frames = resolve(row.player, "labeling.codecs")(data, orientation, max_pixels)
        if total == 1:
            return
        wanted: set[int] = set()
        for index, frame in enumerate(frames):
            if index == 0:
                wanted = _sampled(total, frame.shape[0] * frame.shape[1], count, max_pixels)
            elif index in wanted:
                yield on_white(frame)
            if index >= max(wanted, default=0):
                return
        return
    image = open_picture(data, format, max_pixels)
    if not isinstance(image, Image.Image):  # HEIC, as pillow-heif opens it: no animation
        return
    width, height = image.size
    for index in sorted(_sampled(getattr(image, "n_frames", 1), width * height, count, max_pixels)):
        with decoding(format.upper()):
            image.seek(index)
            pixels = rgb_region(image, _part(image))
            orientation = _left_to_turn(image, row, orientation)
        yield np.ascontiguousarray(upright(pixels, orientation))


def _sampled(total: int, pixels: int, count: int, max_pixels: int) -> set[int]:
    """Choose up to ``count`` later frames, evenly spread, of those that have ``max_pixels`` pixels in all."""
    last = min(total, max_pixels // pixels) - 1
    return {round(last * step / count) for step in range(1, count + 1)} - {0} if last > 0 else set()
