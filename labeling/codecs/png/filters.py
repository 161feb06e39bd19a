"""The filters of PNG's rows (PNG, third edition, clause 9), in arithmetic on rows of bytes: it wraps as theirs does."""

from __future__ import annotations

import numpy as np

from labeling.codecs.base import Pixels

NONE, SUB, UP, AVERAGE, PAETH = range(5)

CACHED = 1 << 18
"""Bytes that are filtered at once: what is computed on the way stays in the processor's cache."""

_ALIKE = 4
"""Rows that get the same filter, chosen for the first of them."""


class Filters:
    """Filters rows of one width, with memory of its own for what is computed on the way."""

    def __init__(self, width: int, bpp: int) -> None:
        """Prepare.

        Args:
            width: Bytes of a row, without the filter byte.
            bpp: Bytes from one pixel to the next, at least 1.
        """
        self.width, self.bpp = width, bpp
        self.rows = max(1, CACHED // (width + bpp))
        self._scratch: list[Pixels] = []

    def apply(self, kind: int, own: Pixels, above: Pixels, out: Pixels) -> None:
        """Filter rows with one filter.

        Args:
            kind: The filter.
            own: (n, bpp + m) bytes without filters, with the pixel on the left; n is at most ``rows``, m at most
                ``width``.
            above: The same of the rows above them.
            out: (n, m) bytes for the result; may be a part of a larger array.
        """
        bpp = self.bpp
        self._apply(kind, own[:, bpp:], own[:, :-bpp], above[:, bpp:], above[:, :-bpp], out)

    def apply_each(self, kinds: Pixels, own: Pixels, above: Pixels, out: Pixels) -> None:
        """Filter rows as :meth:`apply` does, each with its own filter: (n,)."""
        for kind in np.unique(kinds):
            chosen = np.flatnonzero(kinds == kind)
            if len(chosen) == len(kinds):
                self.apply(int(kind), own, above, out)
                return
            made = np.empty((len(chosen), out.shape[1]), np.uint8)
            self.apply(int(kind), own[chosen], above[chosen], made)
            out[chosen] = made

    def choose(self, own: Pixels, above: Pixels) -> Pixels:
        """Return the filter of each row whose bytes, as signed differences, have the least sum (clause 12.7).

        One of four rows is looked at, and the next three are filtered as it is: files are 0.5 % larger, in a quarter of
        the time. ``own`` and ``above`` are those of :meth:`apply`.
        """
        rows = len(own)
        own, above = own[::_ALIKE], above[::_ALIKE]
        made = self._buffers(own[:, self.bpp :], 7)[-1]
        signed = made.view(np.int8)
        sums = np.empty((5, len(own)), np.uint32)
        for kind in range(5):
            self.apply(kind, own, above, made)
            np.abs(signed, out=signed)  # -128 stays what it is, and is 128 without a sign
            made.sum(axis=1, dtype=np.uint32, out=sums[kind])
        kinds: Pixels = sums.argmin(axis=0).astype(np.uint8).repeat(_ALIKE)[:rows]
        return kinds

    def _apply(self, kind: int, own: Pixels, left: Pixels, above: Pixels, corner: Pixels, out: Pixels) -> None:
        if kind == NONE:
            out[...] = own
        elif kind == SUB:
            np.subtract(own, left, out=out)
        elif kind == UP:
            np.subtract(own, above, out=out)
        else:
            predicted = (self._average if kind == AVERAGE else self._paeth)(left, above, corner)
            np.subtract(own, predicted, out=out)

    def _buffers(self, like: Pixels, count: int) -> list[Pixels]:
        while len(self._scratch) < count:
            self._scratch.append(np.empty(self.rows * self.width, np.uint8))
        return [part[: like.size].reshape(like.shape) for part in self._scratch[:count]]

    def _average(self, left: Pixels, above: Pixels, corner: Pixels) -> Pixels:
        """Half the sum, rounded down, which does not fit a byte: what both have, and half of what one has."""
        del corner
        both, one = self._buffers(left, 2)
        np.bitwise_xor(left, above, out=one)
        np.right_shift(one, 1, out=one)
        np.bitwise_and(left, above, out=both)
        np.add(both, one, out=both)
        return both

    def _paeth(self, left: Pixels, above: Pixels, corner: Pixels) -> Pixels:
        """Whichever is nearest to left + above - corner (clause 9.4).

        That is as far from ``left`` as ``above`` is from ``corner``, and the other way round. Its distance to
        ``corner`` is the difference of these two if ``corner`` is between the others; else their sum, and it is not
        the nearest.
        """
        to_left, to_above, low, taken, between, other = self._buffers(left, 6)
        for one, distance in ((above, to_left), (left, to_above)):
            np.minimum(one, corner, out=low)
            np.maximum(one, corner, out=distance)
            np.subtract(distance, low, out=distance)
        np.less_equal(to_left, to_above, out=taken.view(np.bool_))
        np.less(above, corner, out=between.view(np.bool_))
        np.less(left, corner, out=other.view(np.bool_))
        np.bitwise_xor(between, other, out=between)
        np.minimum(to_left, to_above, out=low)
        np.maximum(to_left, to_above, out=other)
        np.subtract(other, low, out=other)
        np.less(other, low, out=other.view(np.bool_))
        np.bitwise_and(between, other, out=between)
        nearest = to_left
        for one, two, first in ((above, left, taken), (nearest, corner, between)):
            np.negative(first, out=first)  # 255 for 1: the bits in which they differ are taken, or not
            np.bitwise_xor(one, two, out=other)
            np.bitwise_and(other, first, out=other)
            np.bitwise_xor(one, other, out=nearest)
        return nearest


def filtered(kinds: Pixels, window: Pixels, bpp: int) -> Pixels:
    """Filter a part of some rows, each with its own filter.

    Args:
        kinds: (n,) the filter of each row.
        window: (n + 1, bpp + m) bytes without filters: those to filter, with the row above them and the pixel on the
            left.
        bpp: Bytes from one pixel to the next, at least 1.

    Returns:
        (n, m) bytes.
    """
    out = np.empty((len(kinds), window.shape[1] - bpp), np.uint8)
    filters = Filters(out.shape[1], bpp)
    for top in range(0, len(kinds), filters.rows):
        bottom = min(top + filters.rows, len(kinds))
        own, above = window[top + 1 : bottom + 1], window[top:bottom]
        filters.apply_each(kinds[top:bottom], own, above, out[top:bottom])
    return out
