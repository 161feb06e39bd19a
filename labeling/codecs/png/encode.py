"""Encode samples as PNG image data: filtered and compressed block by block, as suits the picture.

Which filter and which effort suit it is tried on some of its rows. Measured on 180 photographs, drawings and
screenshots: most want filters that change with the rows, and no search for repetitions but of the last byte; text and
patterns want one, and where there is grain none pays. Nothing suits all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from labeling import deflate
from labeling.codecs.base import Pixels
from labeling.codecs.png.filters import AVERAGE, NONE, PAETH, SUB, UP, Filters
from labeling.codecs.png.samples import PALETTE, Header, Samples, passes, row_bytes
from labeling.codecs.png.stream import chunk_of
from labeling.containers.base import Buffer

Rows = Callable[[int, int], Samples]
"""Gives the rows of a picture from one to before another: (n, W, channels), as in :data:`Samples`."""


@dataclass(frozen=True, slots=True)
class _Effort:
    """How hard a stream is compressed: by zlib-ng, or ``level`` ``None``: by the fastest compressor there is."""

    level: int | None
    huffman: bool = False
    rle: bool = False

    def compressor(self) -> deflate.Compressor:
        if self.level is None:
            return deflate.fast_compressor()
        return deflate.compressor(self.level, huffman=self.huffman, rle=self.rle)


_FAST, _HUFFMAN, _RLE = _Effort(None), _Effort(1, huffman=True), _Effort(1, rle=True)
_SEARCH, _LONG_SEARCH = _Effort(3), _Effort(5)
_CHEAPEST_FIRST = (_HUFFMAN, _RLE, _SEARCH, _LONG_SEARCH)

_ADAPTIVE = -1
"""A filter for each few rows."""

_NEAR = 1.06
"""A cheaper effort is enough if the stream is no larger than this, as against the smallest."""

_SMOOTH = 16
"""Where rows shrink by this much, a long search costs little, and may find what a short one and runs do not."""

_NEARLY = 1.01
"""A cheaper filter is enough within this."""

_SHARE, _LEAST, _MOST = 20, 1 << 14, 1 << 21
"""One of so many rows is tried, and so many bytes at least and at most."""

_BANDS, _UNEVEN = 8, 0.618
"""They are in so many bands, from all over the picture; at uneven distances, since a picture may be a regular grid."""

_WIDEST = 1 << 18
"""Of rows with more bytes than this, none is tried: a few would be too much."""

_CHUNK = 1 << 20
"""Bytes from which on a chunk is put."""


def encode(header: Header, samples: Samples, *, fast: bool = False) -> bytes:
    """Compress samples, never interlaced, to a zlib stream for IDAT or fdAT chunks; see :func:`write`."""
    return b"".join(_stream(header, lambda top, bottom: samples[top:bottom], fast))


def write(header: Header, rows: Rows, put: Callable[[Buffer], object], *, fast: bool = False) -> None:
    """Compress a picture, never interlaced, as IDAT chunks; of its rows only a few are in memory at a time.

    Args:
        header: The header.
        rows: Gives its samples.
        put: Gets the chunks, in parts.
        fast: Whether time matters more than size.
    """
    held: list[bytes] = []
    size = 0
    for part in _stream(header, rows, fast):
        held.append(part)
        size += len(part)
        if size >= _CHUNK:
            _put(held, put)
            held, size = [], 0
    if size:
        _put(held, put)


def _put(held: list[bytes], put: Callable[[Buffer], object]) -> None:
    for part in chunk_of(b"IDAT", held):
        put(part)


def _stream(header: Header, rows: Rows, fast: bool) -> Iterator[bytes]:
    picture = _Picture(header, rows)
    levels = header.colour != PALETTE and header.depth >= 8  # not numbers of colours, nor pixels that share a byte
    if picture.line > _WIDEST:
        return picture.stream(SUB if levels else NONE, _FAST if fast else _SEARCH)
    kinds: tuple[int, ...] = (NONE, UP)
    if levels:
        kinds = (NONE, SUB, UP, AVERAGE) if fast else (NONE, SUB, UP, AVERAGE, PAETH, _ADAPTIVE)
    trial = _Trial(picture, kinds)
    chosen = trial.fast() if fast else trial.chosen()
    del trial
    return picture.stream(*chosen)


class _Picture:
    """A picture as rows of bytes, which are filtered and compressed in blocks."""

    def __init__(self, header: Header, rows: Rows) -> None:
        self._header, self._rows = header, rows
        (whole,) = passes(header)
        self.line = whole.line
        self._filters = Filters(whole.line, max(1, header.channels * header.depth // 8))
        self._step = min(self._filters.rows, header.height)
        self._filtered = np.empty((self._step, 1 + whole.line), np.uint8)

    def stream(self, kind: int, effort: _Effort) -> Iterator[bytes]:
        """Yield the zlib stream."""
        compressor = effort.compressor()
        window = self._zeros(self._step + 1)
        for top in range(0, self._header.height, self._step):
            count = min(self._step, self._header.height - top)
            if top:
                window[0] = window[self._step]
            self._fill(window[1 : count + 1], top)
            yield compressor.compress(self._made(kind, window[1 : count + 1], window[:count]).data)
        yield compressor.flush()

    def filtered(self, kind: int, own: Pixels, above: Pixels) -> Iterator[Pixels]:
        """Yield rows in blocks, filtered; each is there until the next. ``own`` and ``above`` are those of a sample."""
        for at in range(0, len(own), self._step):
            yield self._made(kind, own[at : at + self._step], above[at : at + self._step])

    def sample(self) -> tuple[Pixels, Pixels]:
        """Return some rows from all over the picture, and those above them, with a pixel of zeros on the left."""
        height, line = self._header.height, self.line + 1
        wanted = min(max(height * line // _SHARE, _LEAST), _MOST)
        count = max(1, -(-wanted // (_BANDS * line)))
        if 2 * count * _BANDS >= height:
            starts, count = [0], height
        else:
            starts = [int((band + band * _UNEVEN % 1) * (height - count) / _BANDS) for band in range(_BANDS)]
        own, above = (self._zeros(count * len(starts)) for _ in range(2))
        for band, start in enumerate(starts):
            at, lead = count * band, min(start, 1)
            lines = row_bytes(self._header, self._rows(start - lead, start + count))
            own[at : at + count, self._filters.bpp :] = lines[lead:]
            above[at + 1 - lead : at + count, self._filters.bpp :] = lines[:-1]
        return own, above

    def _zeros(self, rows: int) -> Pixels:
        return np.zeros((rows, self._filters.bpp + self.line), np.uint8)

    def _fill(self, out: Pixels, top: int) -> None:
        out[:, self._filters.bpp :] = row_bytes(self._header, self._rows(top, top + len(out)))

    def _made(self, kind: int, own: Pixels, above: Pixels) -> Pixels:
        out = self._filtered[: len(own)]
        if kind == _ADAPTIVE:
            out[:, 0] = self._filters.choose(own, above)
            self._filters.apply_each(out[:, 0], own, above, out[:, 1:])
        else:
            out[:, 0] = kind
            self._filters.apply(kind, own, above, out[:, 1:])
        return out


class _Trial:
    """Filters and efforts, tried on a sample of a picture."""

    def __init__(self, picture: _Picture, kinds: Iterable[int]) -> None:
        own, above = picture.sample()
        self._raw = {kind: b"".join([part.tobytes() for part in picture.filtered(kind, own, above)]) for kind in kinds}

    def chosen(self) -> tuple[int, _Effort]:
        """Return filter and effort: the cheapest effort that comes near to the smallest stream."""
        quick = {kind: self._size(kind, _FAST) for kind in self._raw}
        repeated = _cheapest(quick)
        fixed = min(quick.keys() - {_ADAPTIVE}, key=quick.__getitem__)
        runs = {kind: self._size(kind, _RLE) for kind in quick if kind in (fixed, _ADAPTIVE)}
        even = _cheapest(runs)
        tried = {_RLE: (runs[even], even), _SEARCH: (self._size(repeated, _SEARCH), repeated)}
        least = min(tried.values())[0]
        if len(self._raw[NONE]) <= 8 * _NEAR * least:  # each byte takes a bit at least
            tried[_HUFFMAN] = self._size(even, _HUFFMAN), even
        smooth = quick[repeated] < least or len(self._raw[repeated]) > _SMOOTH * least
        if tried[_SEARCH][0] == least or smooth:
            sizes = {repeated: self._size(repeated, _LONG_SEARCH)}
            if _NEAR * sizes[repeated] < least:  # patterns: the quick trial says little about them
                sizes = {kind: self._size(kind, _LONG_SEARCH) for kind in self._raw}
            best = _cheapest(sizes)
            tried[_LONG_SEARCH] = sizes[best], best
        enough = _NEAR * min(tried.values())[0]
        return next((tried[each][1], each) for each in _CHEAPEST_FIRST if each in tried and tried[each][0] <= enough)

    def fast(self) -> tuple[int, _Effort]:
        """Return the filter that suits the fastest effort."""
        return _cheapest({kind: self._size(kind, _FAST) for kind in self._raw}), _FAST

    def _size(self, kind: int, effort: _Effort) -> int:
        compressor = effort.compressor()
        return len(compressor.compress(self._raw[kind])) + len(compressor.flush())


def _cheapest(sizes: dict[int, int]) -> int:
    """Return the first filter, in their order, that comes near to the smallest size."""
    least = min(sizes.values())
    return next(kind for kind, size in sizes.items() if size <= _NEARLY * least)
