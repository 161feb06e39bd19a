"""What has to be known of a still PNG picture before it is painted on, collected in one pass over its bands of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeling.codecs.base import Box, Pixels
from labeling.codecs.pixels import on_white
from labeling.codecs.png.colour import Look, shown
from labeling.codecs.png.rows import Band, Unfilter, line_bytes, samples_of
from labeling.codecs.png.samples import Header, Pass, Samples, empty, passes, row_bytes, rows_from_bytes
from labeling.dither import LONGEST, SAMPLED, is_dithered


@dataclass(slots=True)
class Window:
    """The bytes of one pass that change when a box is painted, and what their filters refer to.

    Those are the bytes in the box, of the pixels on its right and of the row below.

    Attributes:
        place: The pass.
        top: The first row in the box, counted in the pass.
        rows: Rows in the box.
        low: The first byte of them that is in the box, not counting the filter byte.
        high: The byte after the last one that changes.
        bpp: Bytes from one pixel to the next, at least 1.
        held: (rows + 1 or 2, bpp + high - low) bytes without filters: the row above, the rows of the box, and the row
            below if there is one; the pixel on the left, and the bytes that change.
        above: The whole row above; zeros if there is none.
    """

    place: Pass
    top: int
    rows: int
    low: int
    high: int
    bpp: int
    held: Pixels
    above: bytes

    @property
    def bottom(self) -> int:
        """The row after the last that changes."""
        return self.top + len(self.held) - 1

    def part_of(self, band: Band) -> tuple[slice, slice]:
        """Return the rows and columns of a band that change; the columns count the filter byte."""
        first, last = max(self.top, band.top), min(self.bottom, band.bottom)
        if band.place != self.place or first >= last:
            return slice(0, 0), slice(0, 0)
        return slice(first - band.top, last - band.top), slice(self.low + 1, self.high + 1)

    def see(self, header: Header, band: Band, lines: Samples) -> None:
        """Take what it holds from a band, of which ``lines`` are the rows without filters."""
        first, last = max(self.top - 1, band.top), min(self.bottom, band.bottom)
        if band.place != self.place or first >= last:
            return
        if self.top - 1 >= band.top:
            at = self.top - 1 - band.top
            if at < len(lines):
                self.above = line_bytes(header, lines[at : at + 1]).tobytes()
        left = max(self.low - self.bpp, 0)
        step = 1 if header.depth < 8 else self.bpp
        part = lines[first - band.top : last - band.top, left // step : self.high // step]
        self.held[first - self.top + 1 : last - self.top + 1, left - self.low + self.bpp :] = line_bytes(header, part)

    def _pixels(self, header: Header) -> tuple[int, int]:
        """Return how many pixels the bytes that change are, and which of them is the first in the box's bytes."""
        per_byte = 8 // header.depth if header.depth < 8 else 1
        bytes_each = 1 if header.depth < 8 else self.bpp
        return (self.high - self.low) // bytes_each * per_byte, self.low // bytes_each * per_byte

    def samples(self, header: Header, columns: slice) -> Samples:
        """Return the samples in the box: ``columns`` of the pass."""
        count, first = self._pixels(header)
        lines = self.held[1 : 1 + self.rows, self.bpp :]
        return rows_from_bytes(header, lines, count)[:, columns.start - first : columns.stop - first]

    def painted(self, header: Header, columns: slice, samples: Samples) -> Pixels:
        """Return what is held with other samples in the box."""
        count, first = self._pixels(header)
        new = self.held.copy()
        inside = rows_from_bytes(header, self.held[1 : 1 + self.rows, self.bpp :], count).copy()
        inside[:, columns.start - first : columns.stop - first] = samples
        new[1 : 1 + self.rows, self.bpp :] = row_bytes(header, inside)
        return new


def within(place: Pass, box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a pass that are in a box of the picture."""
    left, top, right, bottom = box
    rows = slice(max(0, -((place.y - top) // place.dy)), max(0, -((place.y - bottom) // place.dy)))
    columns = slice(max(0, -((place.x - left) // place.dx)), max(0, -((place.x - right) // place.dx)))
    return rows, columns


def spread(place: Pass, box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box, counted in it, that are of a pass."""
    left, top, _, _ = box
    rows, columns = within(place, box)
    y, x = place.y + rows.start * place.dy - top, place.x + columns.start * place.dx - left
    return slice(y, None, place.dy), slice(x, None, place.dx)


def windows(header: Header, box: Box) -> list[Window]:
    """Return the windows of a box, still empty, one for each pass that has pixels in it."""
    made = []
    bits = header.channels * header.depth
    bpp = max(1, bits // 8)
    for place in passes(header):
        rows, columns = within(place, box)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        low, high = columns.start * bits // 8, min(-(-columns.stop * bits // 8) + bpp, place.line)
        count = rows.stop - rows.start
        below = 1 if rows.stop < place.height else 0
        held = np.zeros((1 + count + below, bpp + high - low), np.uint8)
        made.append(Window(place, rows.start, count, low, high, bpp, held, bytes(place.line)))
    return made


class Survey:
    """What is to be known of a picture, taken from its bands as they come.

    Attributes:
        windows: The bytes that a change of the box changes.
        used: (256,) which palette entries are used; all of them if there is no palette.
    """

    def __init__(self, look: Look, box: Box) -> None:
        self._look, self._box = look, box
        header = look.header
        self.windows = windows(header, box)
        self.used = np.full(256, look.palette is None)
        self._step = max(1, header.height // SAMPLED)
        self._sampled = np.zeros((-(-header.height // self._step), min(header.width, LONGEST), 3), np.uint8)
        self._unfilter = Unfilter(header)

    def see(self, band: Band) -> None:
        """Take what is needed from a band.

        Raises:
            UnreadableFile: Its data is damaged.
        """
        header = self._look.header
        lines = self._unfilter.lines(band)
        for window in self.windows:
            window.see(header, band, lines)
        if not self.used.all():
            self.used[samples_of(header, lines, band.place.width)] = True
        _sample(self._look, band, lines, self._step, self._sampled)

    def region(self) -> Samples:
        """Return the samples in the box, (H, W, channels), once the bands that it is in were seen."""
        left, top, right, bottom = self._box
        region = empty(self._look.header, bottom - top, right - left)
        for window in self.windows:
            columns = within(window.place, self._box)[1]
            region[spread(window.place, self._box)] = window.samples(self._look.header, columns)
        return region

    def is_dithered(self) -> bool:
        """Return whether the picture is dithered, as far as some of its rows tell."""
        return is_dithered(self._sampled)


def _sample(look: Look, band: Band, lines: Samples, step: int, out: Pixels) -> None:
    """Put every ``step``-th row of the picture, as it looks on white, into ``out``."""
    place = band.place
    rows = place.y + np.arange(band.top, band.bottom) * place.dy
    chosen = np.flatnonzero(rows % step == 0)
    if not len(chosen):
        return
    some = samples_of(look.header, lines[chosen], place.width)[:, : -(-(out.shape[1] - place.x) // place.dx)]
    if some.size:
        out[rows[chosen] // step, place.x :: place.dx] = on_white(shown(look, some))
