"""A copy of a file that is being changed: only what changes is copied, in pages."""

from __future__ import annotations

from bisect import bisect_right

from labeling.containers.base import Buffer
from labeling.filebytes import Pieces

_PAGE = 1 << 16
_ZEROS = bytes(_PAGE)


class Draft:
    """The copy. It can be written to, cut at its end and grow there; a slice of it is ``bytes``.

    Args:
        source: The file, which must not change.
    """

    def __init__(self, source: Buffer) -> None:
        self._source = memoryview(source)
        self._kept = len(source)  # bytes of the source that are still there
        self._pages: dict[int, bytes | bytearray | memoryview] = {}
        self._tail: list[bytes | bytearray | memoryview] = []
        self._starts: list[int] = []
        self._size = self._kept

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError("only contiguous bytes can be read")
        return b"".join(self.views(start, stop))

    def write(self, at: int, *made: Buffer) -> None:
        """Overwrite bytes from ``at`` on; they have to be there. ``bytes`` are not copied."""
        for each in made:
            self._write(at, each)
            at += len(each)

    def _write(self, at: int, made: Buffer) -> None:
        view, end = memoryview(made), at + len(made)
        if at < 0 or end > self._size:
            raise ValueError("there is nothing to be overwritten")
        while at < end:
            if at < self._kept:
                number, inside = divmod(at, _PAGE)
                stop = min(end, (number + 1) * _PAGE, self._kept)
                if stop - at == _PAGE and view.readonly:
                    self._pages[number] = view[:_PAGE]  # not copied
                else:
                    self._page(number)[inside : inside + stop - at] = view[: stop - at]
            else:
                index = bisect_right(self._starts, at) - 1
                held, inside = self._tail[index], at - self._starts[index]
                if not isinstance(held, bytearray):
                    held = self._tail[index] = bytearray(held)
                stop = min(end, self._starts[index] + len(held))
                held[inside : inside + stop - at] = view[: stop - at]
            view, at = view[stop - at :], stop

    def clear(self, at: int, size: int) -> None:
        """Overwrite ``size`` bytes with zeros."""
        end = at + size
        while at < end:
            stop = min(end, (at // _PAGE + 1) * _PAGE)
            if stop - at == _PAGE and stop <= self._kept:
                self._pages[at // _PAGE] = _ZEROS
            else:
                self.write(at, bytes(stop - at))
            at = stop

    def append(self, *made: Buffer) -> None:
        """Add bytes at the end; they must not change."""
        for each in made:
            if len(each):
                self._starts.append(self._size)
                self._tail.append(each if isinstance(each, bytes) else memoryview(each))
                self._size += len(each)

    def cut(self, at: int) -> None:
        """Leave out all from ``at`` on."""
        while self._starts and self._starts[-1] >= at:
            self._starts.pop()
            self._tail.pop()
        if self._starts:
            self._tail[-1] = memoryview(self._tail[-1])[: at - self._starts[-1]].tobytes()
        else:
            self._kept = min(self._kept, at)
        self._size = at

    def views(self, start: int, stop: int) -> list[memoryview]:
        """Return views of a part, as few as there can be."""
        found: list[memoryview] = []
        at, end = start, min(stop, self._kept)
        if self._pages:
            for number in range(start // _PAGE, -(-end // _PAGE)):
                if (page := self._pages.get(number)) is None:
                    continue
                first = number * _PAGE
                if first > at:
                    found.append(self._source[at:first])
                    at = first
                found.append(memoryview(page)[at - first : end - first])
                at += len(found[-1])
        if at < end:
            found.append(self._source[at:end])
        at = max(start, self._kept)
        index = bisect_right(self._starts, at) - 1
        while at < stop and 0 <= index < len(self._tail):
            first = self._starts[index]
            found.append(memoryview(self._tail[index])[at - first : stop - first])
            at, index = at + len(found[-1]), index + 1
        return found

    def pieces(self) -> Pieces:
        """Return the whole; the draft must not be changed any more."""
        return Pieces(self.views(0, self._size))

    def _page(self, number: int) -> bytearray:
        page = self._pages.get(number)
        if not isinstance(page, bytearray):
            first = number * _PAGE
            given = self._source[first : min(first + _PAGE, len(self._source))] if page is None else page
            page = self._pages[number] = bytearray(given)
        return page
