"""Paint on a still PNG picture band by band: rows away from the box stay as they are filtered, to the byte.

If the overlay can be expressed in the picture's own colour type, no more than the box, the pixels on its right and the
row below it get other filtered bytes. Otherwise all rows are converted. What comes out is decompressed again and
compared, band by band, with what the source holds and what should be in the box.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from labeling.codecs.base import Box, Painter, Pixels
from labeling.codecs.pixels import Plan, backdrops
from labeling.codecs.png.colour import Laid, Look, lay, shown
from labeling.codecs.png.rows import Band, Unfilter, bands, filtered, line_bytes, samples_of, unfiltered
from labeling.codecs.png.samples import Header, Pass, Samples, data_bytes, row_bytes
from labeling.codecs.png.stream import Deflated
from labeling.codecs.png.survey import Survey, Window, spread, within
from labeling.containers.base import Buffer
from labeling.errors import WriteError

_KEPT = 64 << 20
"""So many bytes of image data are kept until they are needed once more; more of them are decompressed again."""


_WAITING = 128 << 20
"""So many bytes of image data wait until all that is under the label was seen."""


class Edit(Protocol):
    """A picture that is being painted on.

    Attributes:
        look: Its look afterwards.
        note: What had to change about the colour type; empty if nothing.
    """

    look: Look
    note: str

    def write(self, put: Callable[[bytes], object]) -> bool:
        """Write the IDAT chunks with the given function.

        Returns:
            Whether the picture is dithered, as far as some of its rows tell.

        Raises:
            UnreadableFile: The source's data is damaged.
        """
        ...

    def check(self, bodies: Iterable[Buffer]) -> None:
        """Compare the new file's image data, the payloads of its IDAT chunks, with what was meant to be written.

        Raises:
            WriteError: They differ.
        """
        ...


def edit(look: Look, bodies: list[Buffer], plan: Plan, painter: Painter) -> Edit:
    """Decide how a picture is painted on.

    Args:
        look: Its look.
        bodies: The payloads of its IDAT chunks.
        plan: Where the overlay goes.
        painter: What draws it.

    Raises:
        UnreadableFile: Its data is damaged.
    """
    header = look.header
    found = Survey(look, plan.stored)

    def overlaid() -> Laid:
        region = found.region()
        return lay(look, region, found.used, plan.overlay(painter, backdrops(shown(look, region))))

    covered = sum((window.bottom - window.top) * (1 + window.place.line) for window in found.windows)
    if (
        look.palette is None
        and look.key is None
        and header.depth >= 8
        and not header.interlaced
        and covered <= _WAITING
    ):
        return _Kept(look, plan.stored, found, overlaid, lambda: bands(header, bodies))
    held = list(bands(header, bodies)) if data_bytes(header) <= _KEPT else None

    def source() -> Iterable[Band]:
        return bands(header, bodies) if held is None else held

    for band in source():
        found.see(band)
    laid = overlaid()
    laid = replace(laid, look=replace(laid.look, header=replace(laid.look.header, interlaced=header.interlaced)))
    if laid.look.header == header:
        return _Kept(laid.look, plan.stored, found, lambda: laid, source, seen=True)
    return _Converted(header, plan.stored, found, laid, source)


class _Kept:
    """Rows stay in their own colour type."""

    def __init__(
        self,
        look: Look,
        box: Box,
        found: Survey,
        laid: Callable[[], Laid],
        source: Callable[[], Iterable[Band]],
        *,
        seen: bool = False,
    ) -> None:
        self.look, self.note = look, ""
        self._header, self._box, self._found, self._laid, self._source = look.header, box, found, laid, source
        self._seen = seen
        self._painted: list[tuple[Window, Pixels]] = []
        self._sums: list[int] = []

    def write(self, put: Callable[[bytes], object]) -> bool:
        made = Deflated(put)
        waiting: list[Band] = []
        if self._seen:
            self._paint()
        for band in self._source():
            if not self._seen:
                self._found.see(band)
            if not self._painted and (waiting or any(w.part_of(band)[0].stop for w in self._found.windows)):
                waiting.append(band)  # what is drawn depends on all of the box
                if band.bottom < self._found.windows[-1].bottom:
                    continue
                self._paint()
                for each in waiting:
                    self._add(made, each)
                waiting.clear()
            else:
                self._add(made, band)
        made.finish()
        return self._found.is_dithered()

    def _paint(self) -> None:
        laid = self._laid()
        for each in self._found.windows:
            columns = within(each.place, self._box)[1]
            samples = laid.region[spread(each.place, self._box)]
            self._painted.append((each, each.painted(self._header, columns, samples)))

    def _add(self, made: Deflated, band: Band) -> None:
        self._sums.append(self._sum_of(band))
        for window, new in self._painted:
            down, across = window.part_of(band)
            if down.stop:
                kinds = band.rows[down, 0]
                at = band.top + down.start - window.top
                rows = band.rows.copy()  # the source may be looked at once more
                rows[down, across] = filtered(kinds, new[at : at + len(kinds) + 1], window.bpp)
                made.add(rows.reshape(-1).data, band.coded)
                return
        made.add(band.rows.reshape(-1).data, band.coded)

    def _sum_of(self, band: Band) -> int:
        """Return a check sum of all bytes that may not change: the filter bytes too."""
        total = 0
        at = 0
        for window, _ in self._painted:
            down, across = window.part_of(band)
            if down.stop:
                total = zlib.crc32(band.rows[at : down.start].data, total)
                part = band.rows[down].copy()
                part[:, across] = 0
                total = zlib.crc32(part.data, total)
                at = down.stop
        return zlib.crc32(band.rows[at:].data, total)

    def check(self, bodies: Iterable[Buffer]) -> None:
        sums = iter(self._sums)
        above = {id(window): window.above for window, _ in self._painted}
        for band in bands(self._header, bodies):
            if self._sum_of(band) != next(sums, None):
                raise _not_read_back()
            for window, new in self._painted:
                down = window.part_of(band)[0]
                if not down.stop:
                    continue
                lines = unfiltered(self._header, band.place, above[id(window)], band.rows[down])
                raw = line_bytes(self._header, lines)
                above[id(window)] = raw[-1].tobytes()
                at = band.top + down.start - window.top + 1
                left = max(window.low - window.bpp, 0)
                wanted = new[at : at + len(raw), left - window.low + window.bpp :]
                if not np.array_equal(raw[:, left : window.high], wanted):
                    raise _not_read_back()
        if next(sums, None) is not None:
            raise _not_read_back()


class _Converted:
    """All rows get another colour type or depth."""

    def __init__(
        self, header: Header, box: Box, found: Survey, laid: Laid, source: Callable[[], Iterable[Band]]
    ) -> None:
        self.look, self.note = laid.look, laid.note
        self._old, self._new, self._box, self._laid, self._source = header, laid.look.header, box, laid, source
        self._dithered = found.is_dithered()
        self._sums: list[int] = []

    def write(self, put: Callable[[bytes], object]) -> bool:
        made = Deflated(put)
        above, place = b"", None
        for band, new in self._rows():
            if band.place is not place:
                place, above = band.place, bytes(new.shape[1])
            self._sums.append(zlib.crc32(new.data))
            made.add(_filtered_best(self._new, band.rows[:, 0], above, new).reshape(-1).data)
            above = new[-1].tobytes()
        made.finish()
        return self._dithered

    def _rows(self) -> Iterator[tuple[Band, Pixels]]:
        """Yield the bands, and their new rows without filters."""
        unfilter = Unfilter(self._old)
        for band in self._source():
            lines = unfilter.lines(band)
            new = self._laid.converted(samples_of(self._old, lines, band.place.width))
            new = self._painted(band.place, band.top, new)
            yield band, np.ascontiguousarray(row_bytes(self._new, new))

    def _painted(self, place: Pass, top: int, samples: Samples) -> Samples:
        down, across = within(place, self._box)
        first, last = max(down.start, top), min(down.stop, top + len(samples))
        if first >= last or across.start >= across.stop:
            return samples
        samples = samples.copy()
        part = self._laid.region[spread(place, self._box)]
        samples[first - top : last - top, across] = part[first - down.start : last - down.start]
        return samples

    def check(self, bodies: Iterable[Buffer]) -> None:
        sums = iter(self._sums)
        unfilter = Unfilter(self._new)
        for band in bands(self._new, bodies):
            lines = np.ascontiguousarray(line_bytes(self._new, unfilter.lines(band)))
            if zlib.crc32(lines.data) != next(sums, None):
                raise _not_read_back()
        if next(sums, None) is not None:
            raise _not_read_back()


def _filtered_best(header: Header, own: Pixels, above: bytes, new: Pixels) -> Pixels:
    """Filter rows with the filters of the rows that they were made of, with Up or with none.

    Args:
        header: The header that they go under.
        own: (n,) the filters of the old rows.
        above: The bytes of the row above.
        new: (n, bytes) the rows without filters.

    Returns:
        (n, 1 + bytes) rows.
    """
    bpp = max(1, header.channels * header.depth // 8)
    window = np.zeros((len(new) + 1, bpp + new.shape[1]), np.uint8)
    window[0, bpp:] = np.frombuffer(above, np.uint8)
    window[1:, bpp:] = new
    tried = max(1, min(len(new), _TRIED // new.shape[1]))
    every = own, np.full_like(own, 2), np.zeros_like(own)
    lengths = [len(zlib.compress(filtered(kinds[:tried], window[: tried + 1], bpp).data, 1)) for kinds in every]
    best = every[lengths.index(min(lengths))]
    out = np.empty((len(new), 1 + new.shape[1]), np.uint8)
    out[:, 0] = best
    out[:, 1:] = filtered(best, window, bpp)
    return out


_TRIED = 1 << 17
"""About as many bytes are filtered and compressed to choose the filters of a band."""


def _not_read_back() -> WriteError:
    return WriteError(
        "the picture did not read back as it was written", hint="nothing was stored, please report this file"
    )
