"""Counters whose memory does not grow with what they count: a run may have ten files or ten million.

The names that a run will meet are not known beforehand, and some come from files of unknown origin. So every table of
names here has a limit. The sums stay exact; only the names of rare entries are given up at the limit.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

MAX_EXAMPLES = 3
"""Paths that are kept of each thing that is counted."""


@dataclass(slots=True)
class Count:
    """How often something occurred, and the first paths where it did."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str = "") -> None:
        """Count once more."""
        self.count += 1
        if example and len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


class Counts(Generic[Key]):
    """Counts by key, of at most ``limit`` keys.

    When there are too many keys, the rarer half is folded into ``others``. So a cause that appears late, and then in
    every file, still gets its row, which it would not if only the first keys were kept. A key that was folded starts
    again at zero: a count is never too high, and all counts together with ``others`` add up to what was added.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.others = 0
        self._counts: dict[Key, Count] = {}

    def add(self, key: Key, example: str = "") -> Count:
        """Count ``key`` once more, and return its row."""
        row = self._counts.get(key)
        if row is None:
            if len(self._counts) >= self.limit:
                self._fold()
            row = self._counts[key] = Count()
        row.add(example)
        return row

    def most(self, limit: int) -> list[tuple[Key, Count]]:
        """Return the ``limit`` most frequent keys, in an order that does not depend on which came first."""
        return sorted(self._counts.items(), key=lambda item: (-item[1].count, repr(item[0])))[:limit]

    def beyond(self, limit: int) -> int:
        """Return how many were counted that :meth:`most` with the same limit leaves out."""
        return self.others + sum(row.count for row in self._counts.values()) - sum(c.count for _, c in self.most(limit))

    def _fold(self) -> None:
        rows = sorted(self._counts.items(), key=lambda item: item[1].count, reverse=True)
        self.others += sum(row.count for _, row in rows[self.limit // 2 :])
        self._counts = dict(rows[: self.limit // 2])

    def __getitem__(self, key: Key) -> int:
        row = self._counts.get(key)
        return row.count if row else 0


class Histogram:
    """The distribution of values from 10**first up to 10**last, in 160 cells per decade.

    The edges of the cells are round numbers (1, 1.02 … 2, 2.05 … 5, 5.1 … 10), so that cells add up exactly to the
    columns 1, 2, 5, 10 that people read. No cell is wider than 2.5 % of its lower edge, which is the greatest error of
    a quantile.
    """

    def __init__(self, first: int, last: int) -> None:
        self._edges = tuple(_edges(first, last))
        self._cells = array("Q", bytes(8 * (len(self._edges) + 1)))
        self.count = 0
        self.total = 0.0
        self.minimum = math.inf
        self.maximum = 0.0

    def add(self, value: float) -> None:
        """Count a value; one outside the range is counted at that end of it."""
        self._cells[bisect_right(self._edges, value)] += 1
        self.count += 1
        self.total += value
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)

    def quantile(self, share: float) -> float | None:
        """Return the value that this share of all values does not exceed; ``None`` without values."""
        if not self.count:
            return None
        rank = max(1, math.ceil(share * self.count))
        if rank == self.count:
            return self.maximum
        seen = 0
        for cell, number in enumerate(self._cells):
            seen += number
            if seen >= rank:
                return self._middle(cell)
        raise AssertionError("cells and count disagree")

    def _middle(self, cell: int) -> float:
        low = self._edges[cell - 1] if cell else self.minimum
        high = self._edges[cell] if cell < len(self._edges) else self.maximum
        return min(max((low + high) / 2, self.minimum), self.maximum)

    def columns(self) -> list[tuple[float, float, int]]:
        """Return the columns 1, 2, 5, 10 as (from, to (exclusive), count), from the first to the last with a value.

        Fewer than six columns are completed with empty ones beside them, so that a single file is drawn as a column
        and not as a block.
        """
        starts = [index for index in range(len(self._edges)) if index % _DECADE in _ROUND]
        bounds = [(0.0, self._edges[0], 0, 1)]
        bounds += [(self._edges[a], self._edges[b], a + 1, b + 1) for a, b in pairwise(starts)]
        bounds.append((self._edges[-1], math.inf, len(self._edges), len(self._edges) + 1))
        found = [(low, high, sum(self._cells[a:b])) for low, high, a, b in bounds]
        filled = [index for index, column in enumerate(found) if column[2]]
        if not filled:
            return []
        first, last = filled[0], filled[-1]
        while last - first < 5:
            first, last = max(first - 1, 0), min(last + 1, len(found) - 1)
        return found[first : last + 1]


_STEPS = ((1.0, 0.02, 50), (2.0, 0.05, 60), (5.0, 0.1, 50))
_DECADE = sum(number for _, _, number in _STEPS)
_ROUND = (0, 50, 110)
"""Indices in a decade of the cells that begin at 1, 2 and 5."""


def _edges(first: int, last: int) -> Iterator[float]:
    for exponent in range(first, last):
        for start, step, number in _STEPS:
            for index in range(number):
                # Rounded, so that the edge 0.2 is the number that people mean by it.
                yield float(f"{start + step * index:.4g}e{exponent}")
    yield float(f"1e{last}")


class Timeline:
    """Files and bytes that were finished in each interval of time, in at most ``limit`` intervals.

    The interval begins short and doubles whenever there would be too many. Files may come in any order.
    """

    def __init__(self, limit: int = 120, interval: float = 0.125) -> None:
        self.limit = limit
        self.interval = interval
        self._slots: dict[int, list[int]] = {}
        self._first = self._last = 0

    def add(self, seconds: float, size: int) -> None:
        """Count a file of ``size`` bytes that was finished ``seconds`` after the start of 1970."""
        index = math.floor(seconds / self.interval)
        if not self._slots:
            self._first = self._last = index
        while max(self._last, index) - min(self._first, index) >= self.limit:
            index = self._double_interval(index)
        self._first, self._last = min(self._first, index), max(self._last, index)
        slot = self._slots.setdefault(index, [0, 0])
        slot[0] += 1
        slot[1] += size

    def _double_interval(self, index: int) -> int:
        """Double the interval, and return the index that ``index`` has then."""
        slots: dict[int, list[int]] = {}
        for old, (files, size) in self._slots.items():
            slot = slots.setdefault(old // 2, [0, 0])
            slot[0] += files
            slot[1] += size
        self._slots = slots
        self.interval *= 2
        self._first //= 2
        self._last //= 2
        return index // 2

    def to_dict(self) -> dict[str, object]:
        """Return all intervals in order, including empty ones."""
        rows = [self._slots.get(i, [0, 0]) for i in range(self._first, self._last + 1)] if self._slots else []
        start = datetime.fromtimestamp(self._first * self.interval, UTC).isoformat() if rows else None
        return {
            "start": start,
            "interval": self.interval,
            "files": [row[0] for row in rows],
            "bytes": [row[1] for row in rows],
        }
