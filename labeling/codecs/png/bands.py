"""Decode a PNG picture in bands of rows, so that it is never whole in memory with all its samples.

Each band is given to the decoder as a small picture of its own. Its first row is the last one before it, without a
filter, because scanline filters refer to the row above (PNG, third edition, clause 9).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from labeling.codecs.base import Pixels
from labeling.codecs.grounds import MOST, Banded, band_rows, rows_of, whole
from labeling.codecs.png.colour import Look, shown
from labeling.codecs.png.decode import Chunk, image_data, opened, still_shown
from labeling.codecs.png.samples import Header, Samples, decode, row_bytes
from labeling.containers.base import Buffer
from labeling.errors import UnreadableFile

_READ = 1 << 22
"""Bytes that are decompressed at once."""


def banded(data: Buffer, orientation: int, max_pixels: int) -> Banded:
    """Open the still picture that every viewer can show.

    Raises:
        LabelingError: As :func:`labeling.codecs.png.decode.opened` does. The bands raise it if the data are damaged.
    """
    chunks, look, frames = opened(bytes(data), max_pixels)
    header = look.header
    if frames or header.width * header.height <= MOST:
        return whole(still_shown(chunks, look, frames), orientation)

    def bands(scale: int) -> Iterator[Pixels]:
        rows = band_rows(header.width, scale)
        if header.interlaced:
            yield from rows_of(decode(header, image_data(chunks)), lambda part: shown(look, part), rows)
        else:
            yield from _in_bands(chunks, look, rows)

    return Banded(header.width, header.height, bands, orientation)


def _in_bands(chunks: Sequence[Chunk], look: Look, rows: int) -> Iterator[Pixels]:
    header = look.header
    line = len(row_bytes(header, _blank(header)))
    source = _Inflated(chunks)
    above = bytes(line)
    for y in range(0, header.height, rows):
        count = min(rows, header.height - y)
        raw = source.read(count * (line + 1))
        if len(raw) < count * (line + 1):
            raise UnreadableFile("the PNG image data is too short for the picture; the file is damaged or cut off")
        samples = decode(replace(header, height=count + 1), zlib.compress(b"\0" + above + raw, 0))
        above = row_bytes(header, samples[-1:])
        yield shown(look, samples[1:])


def _blank(header: Header) -> Samples:
    import numpy as np

    return np.zeros((1, header.width, header.channels), np.uint16 if header.depth == 16 else np.uint8)


class _Inflated:
    """The zlib stream in the IDAT chunks, decompressed bit by bit."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._bodies = (c.body for c in chunks if c.kind == b"IDAT")
        self._stream = zlib.decompressobj()
        self._held = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._held) < size and not self._stream.eof:
            fed = self._stream.unconsumed_tail or next(self._bodies, b"")
            if not fed:
                break
            try:
                self._held += self._stream.decompress(fed, max(_READ, size - len(self._held)))
            except zlib.error as error:
                raise UnreadableFile(f"the PNG image data is damaged ({error})") from error
        made = bytes(self._held[:size])
        del self._held[:size]
        return made
