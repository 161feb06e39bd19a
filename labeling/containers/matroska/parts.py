"""The parts of a Matroska Segment while they are rearranged, and their positions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from labeling.containers.matroska import outline
from labeling.filebytes import FileRange


@dataclass(slots=True)
class Part:
    """A part of the Segment.

    Attributes:
        id: ID of its element.
        old: (start, end) in the old file; (0, 0) for a new part.
        new: Its new bytes; ``None`` if they stay.
        pieces: Its new content in place of ``new``, where that is a cluster.
        home: Whether it is the Tags element that is placed.
    """

    id: int
    old: tuple[int, int] = (0, 0)
    new: bytes | None = None
    pieces: Sequence[bytes | FileRange] = ()
    home: bool = False

    @property
    def size(self) -> int:
        if self.pieces:
            return sum(map(len, self.pieces))
        return self.old[1] - self.old[0] if self.new is None else len(self.new)


class Places:
    """The current positions of all parts, which count from the body of the Segment as all positions do."""

    def __init__(self, base: int, parts: list[Part]) -> None:
        self.starts: list[int] = []
        self.home: int | None = None
        self.other_tags: set[int] = set()
        self.moved_clusters = False
        self._olds: list[tuple[int, int, int]] = []
        at = 0
        for part in parts:
            self.starts.append(at)
            old = part.old[0] - base
            if part.old[1]:
                self._olds.append((old, part.old[1] - base, at))
            if part.home:
                self.home = at
            elif part.id == outline.TAGS:
                self.other_tags.add(old)
            self.moved_clusters |= part.id == outline.CLUSTER and old != at
            at += part.size
        self.size = at

    def moved(self, position: int) -> int:
        """Return the new position of what was at ``position``; a position outside all parts stays."""
        index = bisect_right(self._olds, (position, 1 << 64, 0)) - 1
        if index < 0:
            return position
        start, end, now = self._olds[index]
        return position - start + now if position < end else position
