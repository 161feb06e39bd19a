"""PNG image data as bands of filtered rows, so that a picture is never whole in memory.

A row is a filter byte and bytes that are differences to those on the left and in the row above (PNG, third edition,
clause 9). Whoever changes a few pixels has to change only the rows they are in and the one below: all others stay as
they are, filtered, and are only compressed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from labeling.codecs.base import Pixels
from labeling.codecs.png.samples import (
    GRAY,
    Header,
    Pass,
    Samples,
    data_bytes,
    decode,
    passes,
    row_bytes,
    rows_from_bytes,
)
from labeling.codecs.png.stream import Inflated
from labeling.containers.base import Buffer
from labeling.deflate import adler32
from labeling.errors import UnreadableFile

BAND = 1 << 19
"""About as many pixels are in a band: the same rows, whatever the samples are."""


@dataclass(frozen=True, slots=True)
class Band:
    """Some rows of the image data, as filtered.

    Attributes:
        place: The pass that they are of.
        top: The first of them, counted in the pass.
        rows: (n, 1 + bytes of a row) uint8, writeable.
        coded: From which compressed byte to which they were.
    """

    place: Pass
    top: int
    rows: Pixels
    coded: range

    @property
    def bottom(self) -> int:
        """The row after the last."""
        return self.top + len(self.rows)


def bands(header: Header, source: Inflated, first: int = 0) -> Iterator[Band]:
    """Decompress image data in bands of rows.

    Args:
        header: The header.
        source: The stream.
        first: The row that comes next in it. The bands end where they end if all is read.

    Raises:
        UnreadableFile: The data is damaged or too short.
    """
    wanted = data_bytes(header)
    for part in passes(header):
        line = part.line + 1
        step = max(1, BAND // part.width)
        for begin in range(first // step * step, part.height, step):
            top, bottom = max(begin, first), min(begin + step, part.height)
            before = source.consumed
            raw = source.read((bottom - top) * line)
            if len(raw) < (bottom - top) * line:
                raise UnreadableFile(
                    f"the PNG image data ends after {source.produced} of {wanted} bytes; the file is damaged or cut off"
                )
            rows = np.frombuffer(raw, np.uint8).reshape(-1, line)
            yield Band(part, top, rows, range(before, source.consumed))
    source.finish()


class Unfilter:
    """Undoes the filters of the bands of a picture, which have to come in order."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._place: Pass | None = None
        self.above = b""

    def lines(self, band: Band) -> Samples:
        """Return a band's rows without filters: as samples (n, W, channels), below 8 bits as their bytes (n, bytes, 1).

        ``above`` is then the bytes of the last row.

        Raises:
            UnreadableFile: A row has a filter that does not exist.
        """
        part = band.place
        if part is not self._place:
            self._place, self.above = part, bytes(part.line)
        lines = unfiltered(self._header, part, self.above, band.rows)
        self.above = line_bytes(self._header, lines[-1:]).tobytes()
        return lines


def unfiltered(header: Header, part: Pass, above: bytes, rows: Pixels) -> Samples:
    """Undo the filters of rows, given the bytes of the row above them; see :meth:`Unfilter.lines`."""
    if header.depth < 8:  # as bytes: filters see the bits beyond the last pixel too
        stand_in = Header(part.line, len(rows) + 1, 8, GRAY)
    else:
        stand_in = replace(header, width=part.width, height=len(rows) + 1, interlaced=False)
    return decode(stand_in, *_stored(b"\0" + above, rows.reshape(-1)), checked=True)[1:]


def line_bytes(header: Header, lines: Samples) -> Pixels:
    """Return what :meth:`Unfilter.lines` gives as bytes, (n, bytes)."""
    return lines[..., 0] if header.depth < 8 else row_bytes(header, lines)


def samples_of(header: Header, lines: Samples, width: int) -> Samples:
    """Return what :meth:`Unfilter.lines` gives as samples, (n, width, channels)."""
    return rows_from_bytes(header, lines[..., 0], width) if header.depth < 8 else lines


_STORED = 65535
"""Bytes in a stored block of Deflate at most (RFC 1951, 3.2.4)."""


def _stored(first: bytes, rest: Pixels) -> list[Buffer]:
    """Return bytes as a zlib stream without compression, in parts: zlib would take its time."""
    parts: list[Buffer] = [b"\x78\x01"]
    for data in (first, rest.data):
        for at in range(0, len(data), _STORED):
            block = data[at : at + _STORED]
            parts += (b"\0" + len(block).to_bytes(2, "little") + (len(block) ^ 0xFFFF).to_bytes(2, "little"), block)
    parts += (b"\1\0\0\xff\xff", adler32(rest.data, adler32(first)).to_bytes(4, "big"))
    return parts
