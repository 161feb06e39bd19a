"""Decode pictures as a viewer shows them: the functions behind ``displayed…`` in :mod:`labeling.codecs`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from PIL import Image

from labeling.codecs.base import FurtherPictures, Pixels
from labeling.codecs.grounds import Shown, of_image, scale_for, show
from labeling.codecs.opening import CLEAN_APERTURE, open_picture
from labeling.codecs.pixels import (
    ORIENTATION,
    check_size,
    decoding,
    lay_on,
    on_white,
    region_of,
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


def displayed_further(
    data: Buffer, format: str, orientation: int, max_pixels: int, most: int, ground: int
) -> FurtherPictures:
    """Decode what follows the first picture; see :func:`labeling.codecs.displayed_further`."""
    row = formats.find(format)
    if row is None or not (row.animated or row.further):
        return FurtherPictures("picture", 1, iter(()))
    apart = False
    if row.further:
        word, total, pictures = resolve(row.further, "labeling.codecs")(data, orientation, max_pixels)
    elif row.player:
        word = "frame"
        total, played, apart = resolve(row.player, "labeling.codecs")(data, orientation, max_pixels)
        pictures = islice(played, 1, None) if total > 1 else iter(())
    else:
        word = "frame"
        total, pictures = _frames_of(data, row, orientation, max_pixels)
    return FurtherPictures(word, total, _bounded(pictures, most, ground), apart)


def _bounded(pictures: Iterator[Pixels], most: int, ground: int) -> Iterator[Pixels]:
    for picture in pictures:
        most -= picture.shape[0] * picture.shape[1]
        yield lay_on(picture, ground)
        if most <= 0:
            return


def _frames_of(data: Buffer, row: Format, orientation: int, max_pixels: int) -> tuple[int, Iterator[Pixels]]:
    image = open_picture(data, row.name, max_pixels)
    if not isinstance(image, Image.Image):  # HEIC, as pillow-heif opens it: no animation
        return 1, iter(())
    total = getattr(image, "n_frames", 1)

    def frames() -> Iterator[Pixels]:
        for index in range(1, total):
            with decoding(row.name.upper()):
                image.seek(index)
                image.load()
                pixels = region_of(image, _part(image))
                left = _left_to_turn(image, row, orientation)
            yield np.ascontiguousarray(upright(pixels, left))

    return total, frames()
