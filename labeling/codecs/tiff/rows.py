"""Some rows of a strip or tile, to be changed: of a large one, no more than these rows are decoded at once.

Uncompressed rows are replaced where they are. A compressed stream is undone and made again bit by bit: the rows above
are on their way to the new stream while those below are not yet decoded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from labeling.codecs.pixels import decoding
from labeling.codecs.tiff import scanlines
from labeling.codecs.tiff.chunks import (
    Source,
    line_bytes,
    mirrored,
    pack,
    plain_bytes,
    samples_of,
    too_short,
    unpack,
)
from labeling.codecs.tiff.page import CCITT, DEFLATE, NONE, OLD_DEFLATE, Page

_STEP = 1 << 20
_LARGE = 16 << 20
"""Bytes of samples beyond which Deflate is told to be quick: its usual level takes five times as long."""


@dataclass(frozen=True, slots=True)
class Recoded:
    """A strip or tile with other rows, as it differs from the old one.

    Attributes:
        kept: How many bytes at its beginning are as they were.
        new: What follows them, in parts.
        rest: How many bytes at its end are as they were.
    """

    kept: int
    new: tuple[bytes, ...]
    rest: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.kept + sum(map(len, self.new)) + self.rest


class Rows:
    """Rows of one chunk.

    Attributes:
        first: The first of them: at most the one that was asked for.
        samples: (rows, columns, samples), writable, in the machine's byte order.
    """

    first: int
    samples: NDArray[Any]

    def recoded(self) -> Recoded:
        """Encode the chunk with what is in ``samples`` now. It can be called once."""
        raise NotImplementedError


def open_rows(page: Page, raw: memoryview, row: int, rows: slice) -> Rows:
    """Decode the rows of a chunk that are under a label.

    Args:
        page: The layout.
        raw: The bytes of the chunk; none for a sparse tile.
        row: The chunk row that it is in.
        rows: The rows that are wanted.

    Raises:
        UnreadableFile: The data are damaged or too short.
        UnsupportedFormat: The chunk cannot be decoded in parts and is too large to be decoded at once.
    """
    if len(raw) and page.compression == NONE:
        return _Plain(page, raw, row, rows)
    if len(raw) and page.compression in (DEFLATE, OLD_DEFLATE):
        return _Streamed(page, raw, row, rows, _Deflate)
    width, lines = line_bytes(page, page.shape(row)[0])
    if len(raw) and page.compression not in CCITT and scanlines.can(width * lines, lines):
        return _Streamed(page, raw, row, rows, lambda _: scanlines.Writer(page.compression, width, lines))
    return _Whole(page, raw, row)


class _Whole(Rows):
    def __init__(self, page: Page, raw: memoryview, row: int) -> None:
        self._page, self._row = page, row
        self.first, self.samples = 0, unpack(page, raw, row)

    def recoded(self) -> Recoded:
        return Recoded(0, (pack(self._page, self.samples, self._row),), 0)


class _Part(Rows):
    """Rows between others: where they are in the chunk's samples."""

    def __init__(self, page: Page, row: int, rows: slice) -> None:
        high, columns, depth = page.shape(row)
        down = page.subsampling[1]  # a line of the chunk holds so many rows
        self.first = rows.start // down * down
        count = min(-(-rows.stop // down) * down, high) - self.first
        width, lines = line_bytes(page, high)
        self._page = page
        self._shape = count, columns, depth
        self._start, self._size = self.first // down * width, line_bytes(page, count)[1] * width
        self._whole = width * lines


class _Plain(_Part):
    def __init__(self, page: Page, raw: memoryview, row: int, rows: slice) -> None:
        super().__init__(page, row, rows)
        if len(raw) < self._whole:
            raise too_short()
        part = mirrored(page, raw[self._start : self._start + self._size])
        self._rest = len(raw) - self._start - self._size
        self.samples = samples_of(page, bytes(part), self._shape)

    def recoded(self) -> Recoded:
        new = mirrored(self._page, plain_bytes(self._page, self.samples))
        return Recoded(self._start, (bytes(new),), self._rest)


class _Encoder(Protocol):
    def write(self, plain: bytes) -> None: ...

    def made(self) -> tuple[bytes, ...]: ...


class _Deflate:
    def __init__(self, size: int) -> None:
        self._stream = zlib.compressobj(1 if size > _LARGE else -1)
        self._parts: list[bytes] = []

    def write(self, plain: bytes) -> None:
        if part := self._stream.compress(plain):
            self._parts.append(part)

    def made(self) -> tuple[bytes, ...]:
        return *self._parts, self._stream.flush()


class _Streamed(_Part):
    def __init__(self, page: Page, raw: memoryview, row: int, rows: slice, encoder: Callable[[int], _Encoder]) -> None:
        super().__init__(page, row, rows)
        self._source = Source(page, mirrored(page, raw), row)
        self._encoder = encoder(self._whole)
        self._copy(self._start)
        self.samples = samples_of(page, self._read(self._size), self._shape)

    def _read(self, size: int) -> bytes:
        with decoding("TIFF"):
            plain = self._source.read(size)
        if len(plain) < size:
            raise too_short()
        return plain

    def _copy(self, size: int) -> None:
        width = line_bytes(self._page, 1)[0]
        step = max(width, _STEP // width * width)
        for at in range(0, size, step):
            self._encoder.write(self._read(min(step, size - at)))

    def recoded(self) -> Recoded:
        self._encoder.write(plain_bytes(self._page, self.samples))
        self._copy(self._whole - self._start - self._size)
        return Recoded(0, tuple(bytes(mirrored(self._page, part)) for part in self._encoder.made()), 0)
