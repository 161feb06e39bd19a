"""Where metadata goes in a PNG file, and which chunks must not be moved or must be put right when others are."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.containers.base import Block, Buffer
from labeling.containers.edits import Edit
from labeling.containers.png_chunks import chunk, walk
from labeling.filebytes import Pieces


@dataclass(slots=True)
class Order:
    """Chunks ahead of the picture whose place matters.

    Attributes:
        home: Where new metadata goes.
        control: (offset, end) of acTL; ``None`` in a still picture.
        strays: (offset, end) of chunks between the first fcTL and IDAT, where none may be.
        halves: (offset, end) of Apple's iDOT chunk, if there is one.
    """

    home: int
    control: tuple[int, int] | None = None
    strays: list[tuple[int, int]] = field(default_factory=list)
    halves: tuple[int, int] | None = None

    @classmethod
    def of(cls, data: Buffer | Pieces, first_idat: int) -> Order:
        order = cls(first_idat)
        frame = False
        for name, pos, end in walk(data):
            if pos >= first_idat:
                break
            if name == b"acTL" and order.control is None:
                order.control = pos, end
            elif name == b"fcTL" and order.control is not None and not frame:
                frame = True
                order.home = min(order.home, pos)
            elif frame and name != b"fcTL":
                order.strays.append((pos, end))
            if name == b"iDOT" and order.halves is None:
                order.halves = pos, end
                order.home = min(order.home, pos if order.control is None else max(pos, order.control[1]))
        return order

    def is_misplaced(self, block: Block) -> bool:
        """Say whether a block is behind its home, or ahead of the chunk that says that this is an animation."""
        return block.offset >= self.home or (self.control is not None and block.offset < self.control[0])

    def settled(self, data: Buffer | Pieces, edits: list[Edit]) -> list[Edit]:
        """Return ``edits`` and those that put the order right and keep the offsets in iDOT."""
        done = {(start, end) for start, end, _ in edits}
        for pos, end in self.strays:
            if (pos, end) not in done:
                edits = [*edits, (self.home, self.home, bytes(data[pos:end])), (pos, end, b"")]
        if self.halves is not None:
            fitted = _fitted_halves(data, self.halves, edits)
            if fitted is not None:
                edits = [*edits, (*self.halves, fitted)]
        return edits


def _fitted_halves(data: Buffer | Pieces, span: tuple[int, int], edits: list[Edit]) -> bytes | None:
    """Return Apple's iDOT chunk as it must be after ``edits``: empty if it is wrong already, ``None`` if it stays.

    It lists parts of the picture that can be decoded at the same time: their number, and of each its first row, its
    rows, and the distance of its IDAT from this chunk. No specification is published.
    """
    start, end = span
    body = bytes(data[start + 8 : end - 4])
    count = int.from_bytes(body[:4], "big")
    if not 0 < count <= _MAX_PARTS or len(body) != 4 + 12 * count:
        return b""
    out = bytearray(body)
    for at in range(12, len(body), 12):
        place = start + int.from_bytes(body[at : at + 4], "big")
        if bytes(data[place + 4 : place + 8]) != b"IDAT":
            return b""
        moved = sum(len(new) - (b - a) for a, b, new in edits if start < a <= place)
        out[at : at + 4] = (place - start + moved).to_bytes(4, "big")
    return None if out == body else chunk(b"iDOT", bytes(out))


_MAX_PARTS = 64
