"""Decode a PNG picture in bands of rows, so that it is never whole in memory with all its samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from labeling.codecs.base import Pixels
from labeling.codecs.grounds import MOST, Banded, band_rows, rows_of, whole
from labeling.codecs.png.apng import Animation
from labeling.codecs.png.colour import Look, shown
from labeling.codecs.png.decode import Chunk, image_bodies, opened, still_shown
from labeling.codecs.png.rows import Unfilter, bands, samples_of
from labeling.codecs.png.samples import GRAY_ALPHA, RGBA
from labeling.codecs.png.stream import Inflated
from labeling.containers.base import Buffer


def banded(data: Buffer, orientation: int, max_pixels: int) -> Banded:
    """Open the still picture that every viewer can show.

    Raises:
        LabelingError: As :func:`labeling.codecs.png.decode.opened` does. The bands raise it if the data are damaged.
    """
    chunks, look, frames = opened(bytes(data), max_pixels)
    header = look.header
    bytes_each = max(1, header.channels * header.depth // 8)
    if header.width * header.height * bytes_each <= 3 * MOST:
        return whole(still_shown(chunks, look, frames), orientation)
    if frames:  # its first picture, the data of IDAT, covers the canvas in any animation (third edition, 11.3.5)
        Animation.parse(chunks, look)

    def in_order(scale: int) -> Iterator[Pixels]:
        rows = band_rows(header.width, scale)
        if header.interlaced:
            yield from rows_of(_joined(chunks, look), lambda part: part, rows)
        else:
            yield from _of_height(_bands(chunks, look), rows)

    return Banded(header.width, header.height, in_order, orientation)


def _bands(chunks: Sequence[Chunk], look: Look) -> Iterator[Pixels]:
    unfilter = Unfilter(look.header)
    for band in bands(look.header, Inflated(image_bodies(chunks))):
        yield shown(look, samples_of(look.header, unfilter.lines(band), band.place.width))


def _of_height(parts: Iterator[Pixels], rows: int) -> Iterator[Pixels]:
    """Cut bands anew, so that each has ``rows`` rows but the last."""
    held: list[Pixels] = []
    have = 0
    for part in parts:
        held.append(part)
        have += len(part)
        if have >= rows:
            joined = _stacked(held)
            whole_bands = have // rows * rows
            for y in range(0, whole_bands, rows):
                yield joined[y : y + rows]
            held, have = [joined[whole_bands:]], have - whole_bands
    if have:
        yield _stacked(held)


def _stacked(parts: list[Pixels]) -> Pixels:
    """Join bands; where one of them is transparent, all get an alpha channel."""
    if len(parts) == 1:
        return parts[0]
    channels = max(part.shape[2] for part in parts)
    return np.concatenate([part if part.shape[2] == channels else _with_alpha(part) for part in parts if len(part)])


def _with_alpha(part: Pixels) -> Pixels:
    return np.dstack([part, np.full(part.shape[:2], 255, np.uint8)])


def _joined(chunks: Sequence[Chunk], look: Look) -> Pixels:
    """Decode the passes of an interlaced picture, each band of which is reduced to 8 bits at once."""
    header = look.header
    clear = header.colour in (GRAY_ALPHA, RGBA) or look.key is not None or look.palette is not None
    out = np.full((header.height, header.width, 4 if clear else 3), 255, np.uint8)
    unfilter = Unfilter(header)
    for band in bands(header, Inflated(image_bodies(chunks))):
        place = band.place
        part = shown(look, samples_of(header, unfilter.lines(band), place.width))
        where = slice(place.y + band.top * place.dy, place.y + band.bottom * place.dy, place.dy)
        out[where, place.x :: place.dx, : part.shape[2]] = part
    return out
