"""Paint on a still PNG picture band by band: rows away from the box stay as they are filtered, to the byte.

If the overlay can be expressed in the picture's own colour type, no more than the box, the pixels on its right and the
row below it get other filtered bytes; and what the file holds of the rows above it stays as it is compressed, up to a
block that begins there. Otherwise all rows are converted. What comes out is decompressed again and compared, band by
band, with what the source holds and what should be in the box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from labeling.codecs.base import Box, Painter, Pixels
from labeling.codecs.pixels import Plan, backdrops
from labeling.codecs.png import cut
from labeling.codecs.png.colour import Laid, Look, lay, shown
from labeling.codecs.png.filters import filtered
from labeling.codecs.png.rows import Band, Unfilter, bands, line_bytes, samples_of, unfiltered
from labeling.codecs.png.samples import Header, Pass, Samples, data_bytes, row_bytes
from labeling.codecs.png.stream import Deflated, Inflated, Kept, begins_as, chunk_of
from labeling.codecs.png.survey import Survey, Window, spread, within
from labeling.containers.base import Buffer
from labeling.deflate import compressor, crc32
from labeling.errors import UnreadableFile, WriteError

_KEPT = 16 << 20
"""So many bytes of image data are kept until they are needed once more; more of them are decompressed again."""


_WAITING = 8 << 20
"""So many bytes of image data wait until all that is under the label was seen; more are decompressed again."""


class Edit(Protocol):
    """A picture that is being painted on.

    Attributes:
        look: Its look afterwards.
        note: What had to change about the colour type; empty if nothing.
    """

    look: Look
    note: str

    def write(self, put: Callable[[Buffer], object], fast: bool = False) -> bool:
        """Write the IDAT chunks, in pieces, with the given function; some are views of the source.

        Returns:
            Whether the picture is dithered, as far as some of its rows tell.

        Raises:
            UnreadableFile: The source's data is damaged.
        """
        ...

    def check(self, bodies: Sequence[Buffer]) -> None:
        """Compare the new file's image data, the payloads of its IDAT chunks, with what was meant to be written.

        Raises:
            WriteError: They differ.
        """
        ...


def edit(look: Look, chunks: Sequence[memoryview], plan: Plan, painter: Painter) -> Edit:
    """Decide how a picture is painted on.

    Args:
        look: Its look.
        chunks: Its IDAT chunks.
        plan: Where the overlay goes.
        painter: What draws it.

    Raises:
        UnreadableFile: Its data is damaged.
    """
    header = look.header
    found = Survey(look, plan.stored)
    bodies = [each[8:-4] for each in chunks]

    def overlaid() -> Laid:
        region = found.region()
        return lay(look, region, found.used, plan.overlay(painter, backdrops(shown(look, region))))

    covered = sum((window.bottom - window.top) * (1 + window.place.line) for window in found.windows)
    stream = Inflated(
        bodies, watch=-1 if header.interlaced else found.windows[0].top * (1 + found.windows[0].place.line)
    )
    if (
        look.palette is None
        and look.key is None
        and header.depth >= 8
        and not header.interlaced
        and covered <= _WAITING
    ):
        return _Kept(look, plan.stored, found, overlaid, chunks, stream)
    seen = bands(header, stream)
    held = list(seen) if data_bytes(header) <= _KEPT else None
    for band in seen if held is None else held:
        found.see(band)
    laid = overlaid()
    laid = replace(laid, look=replace(laid.look, header=replace(laid.look.header, interlaced=header.interlaced)))
    if laid.look.header == header:
        return _Kept(laid.look, plan.stored, found, lambda: laid, chunks, stream, held, seen=True)
    return _Converted(
        header, plan.stored, found, laid, lambda: bands(header, Inflated(bodies)) if held is None else held
    )


class _Kept:
    """Rows stay in their own colour type."""

    def __init__(
        self,
        look: Look,
        box: Box,
        found: Survey,
        laid: Callable[[], Laid],
        chunks: Sequence[memoryview],
        stream: Inflated,
        held: list[Band] | None = None,
        *,
        seen: bool = False,
    ) -> None:
        """``seen`` is whether the whole stream was read and surveyed; ``held`` are then its bands, if they are held."""
        self.look, self.note = look, ""
        self._header, self._box, self._found, self._laid = look.header, box, found, laid
        self._chunks, self._bodies, self._stream = chunks, [each[8:-4] for each in chunks], stream
        self._seen, self._held = seen, held
        self._kept: Kept | None = None
        self._first, self._lead = 0, b""  # the first row that is compressed again, and what is ahead of it
        self._painted: list[tuple[Window, Pixels]] = []
        self._sums: list[int] = []

    def write(self, put: Callable[[Buffer], object], fast: bool = False) -> bool:
        made: Deflated | None = None
        if self._seen:
            self._paint()
            made, again = self._begun(put, fast)
            for band in bands(self._header, again, self._first) if self._held is None else self._held:
                self._add(made, band)
        else:
            waiting: list[Band] = []
            for band in bands(self._header, self._stream):
                self._found.see(band)
                if made is not None:
                    self._add(made, band)
                elif waiting or any(w.part_of(band)[0].stop for w in self._found.windows):
                    waiting.append(band)  # what is drawn depends on all of the box
                    if band.bottom < self._found.windows[-1].bottom:
                        continue
                    self._paint()
                    made, again = self._begun(put, fast)
                    for before in bands(self._header, again, self._first):
                        if before.top >= waiting[0].top:
                            break
                        self._add(made, before)
                    for each in waiting:
                        self._add(made, each)
                    waiting.clear()
        assert made is not None
        made.finish()
        return self._found.is_dithered()

    def _begun(self, put: Callable[[Buffer], object], fast: bool) -> tuple[Deflated, Inflated]:
        """Put the compressed data that can stay, and begin the rest of the stream.

        Returns:
            The rest, and the source's stream from its first row on.
        """
        if not self._header.interlaced:
            window = self._found.windows[0]
            self._kept = cut.kept(self._stream, self._bodies, window.top * (1 + window.place.line))
        if self._kept is None:
            return Deflated(put, fast=fast), Inflated(self._bodies)
        left = self._kept.coded
        for each in self._chunks:
            if len(each) - 12 <= left:
                put(each)
            elif left:
                for piece in chunk_of(b"IDAT", [each[8 : 8 + left]]):
                    put(piece)
            left = max(0, left - (len(each) - 12))
        again, self._first, self._lead = self._behind(self._bodies, self._kept)
        self._sums.append(crc32(self._lead))
        return Deflated(put, self._kept, fast=fast), again

    def _behind(self, bodies: Sequence[Buffer], kept: Kept) -> tuple[Inflated, int, bytes]:
        """Return a stream behind what is kept: from which row on, and the bytes ahead of that."""
        line = self._found.windows[0].place.line + 1
        stream, first = Inflated.resumed(bodies, kept.mark), -(-kept.size // line)
        stream.read(kept.size - kept.mark.produced)
        return stream, first, bytes(stream.read(first * line - kept.size))

    def _paint(self) -> None:
        laid = self._laid()
        for each in self._found.windows:
            columns = within(each.place, self._box)[1]
            samples = laid.region[spread(each.place, self._box)]
            self._painted.append((each, each.painted(self._header, columns, samples)))

    def _add(self, made: Deflated, band: Band) -> None:
        if band.bottom <= self._first:
            return
        near = band.coded
        if self._kept is not None:
            near = range(max(near.start, self._kept.coded), near.stop)
            ahead = max(0, self._first - band.top)
            band = replace(band, top=band.top + ahead, rows=band.rows[ahead:])
        self._sums.append(self._sum_of(band))
        raw = self._with_label(band).reshape(-1).data
        made.add(self._lead + raw if self._lead else raw, len(near))
        self._lead = b""

    def _with_label(self, band: Band) -> Pixels:
        for window, new in self._painted:
            down, across = window.part_of(band)
            if down.stop:
                kinds = band.rows[down, 0]
                at = band.top + down.start - window.top
                rows = band.rows.copy()  # the source may be looked at once more
                rows[down, across] = filtered(kinds, new[at : at + len(kinds) + 1], window.bpp)
                return rows
        return band.rows

    def _sum_of(self, band: Band) -> int:
        """Return a check sum of all bytes that may not change: the filter bytes too."""
        total = 0
        at = 0
        for window, _ in self._painted:
            down, across = window.part_of(band)
            if down.stop:
                total = crc32(band.rows[at : down.start].data, total)
                part = band.rows[down].copy()
                part[:, across] = 0
                total = crc32(part.data, total)
                at = down.stop
        return crc32(band.rows[at:].data, total)

    def check(self, bodies: Sequence[Buffer]) -> None:
        sums = iter(self._sums)
        above = {id(window): window.above for window, _ in self._painted}
        try:
            stream, first = self._read_again(bodies, sums)
            for band in bands(self._header, stream, first):
                if self._sum_of(band) != next(sums, None):
                    raise not_read_back()
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
                        raise not_read_back()
        except UnreadableFile as error:
            raise not_read_back() from error
        if next(sums, None) is not None or not stream.ended:
            raise not_read_back()

    def _read_again(self, bodies: Sequence[Buffer], sums: Iterator[int]) -> tuple[Inflated, int]:
        """Begin to read the new stream.

        Where it begins as the old one, to the byte, any decompressor is in the same state behind that: it is enough to
        go on from one of the source. Its check sum is of all that came before, too.

        Returns:
            The stream, and the row that comes next.
        """
        kept = self._kept
        if kept is None:
            return Inflated(bodies), 0
        if not begins_as(bodies, self._bodies, kept.coded):
            raise not_read_back()
        stream, first, lead = self._behind(bodies, kept)
        if crc32(lead) != next(sums, None):
            raise not_read_back()
        return stream, first


class _Converted:
    """All rows get another colour type or depth."""

    def __init__(
        self, header: Header, box: Box, found: Survey, laid: Laid, source: Callable[[], Iterable[Band]]
    ) -> None:
        self.look, self.note = laid.look, laid.note
        self._old, self._new, self._box, self._laid, self._source = header, laid.look.header, box, laid, source
        self._dithered = found.is_dithered()
        self._sums: list[int] = []

    def write(self, put: Callable[[Buffer], object], fast: bool = False) -> bool:
        made = Deflated(put, fast=fast)
        above, place = b"", None
        for band, new in self._rows():
            if band.place is not place:
                place, above = band.place, bytes(new.shape[1])
            self._sums.append(crc32(new.data))
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

    def check(self, bodies: Sequence[Buffer]) -> None:
        sums = iter(self._sums)
        unfilter = Unfilter(self._new)
        stream = Inflated(bodies)
        try:
            for band in bands(self._new, stream):
                lines = np.ascontiguousarray(line_bytes(self._new, unfilter.lines(band)))
                if crc32(lines.data) != next(sums, None):
                    raise not_read_back()
        except UnreadableFile as error:
            raise not_read_back() from error
        if next(sums, None) is not None or not stream.ended:
            raise not_read_back()


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
    lengths = [_length(filtered(kinds[:tried], window[: tried + 1], bpp)) for kinds in every]
    best = every[lengths.index(min(lengths))]
    out = np.empty((len(new), 1 + new.shape[1]), np.uint8)
    out[:, 0] = best
    out[:, 1:] = filtered(best, window, bpp)
    return out


def _length(rows: Pixels) -> int:
    stream = compressor(1)
    return len(stream.compress(rows.data)) + len(stream.flush())


_TRIED = 1 << 17
"""About as many bytes are filtered and compressed to choose the filters of a band."""


def not_read_back() -> WriteError:
    """Return the error to raise if what was written is not what was meant."""
    return WriteError(
        "the picture did not read back as it was written", hint="nothing was stored, please report this file"
    )
