"""Finding fingerprints that are close to a given one among millions: every one is compared, in blocks."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.ledger.chain import BLOCK

_ENTRY = 34
"""Bytes of a fingerprint in a block: an offset of 2, and 32."""

CACHE = 256 << 20
"""Bytes of blocks that an open ledger keeps: some seven million fingerprints."""


class Cache:
    """Blocks that were read. One never changes, except that prune takes records out, which the search leaves out."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def missing(self, first: int, end: int) -> list[int]:
        with self._lock:
            return [block for block in range(first, end) if block not in self._blocks]

    def get(self, block: int) -> bytes | None:
        with self._lock:
            return self._blocks.get(block)

    def keep(self, block: int, data: bytes) -> None:
        with self._lock:
            if block not in self._blocks and self._size + len(data) <= CACHE:
                self._blocks[block] = data
                self._size += len(data)


def words_of(fingerprint: bytes) -> NDArray[np.uint64]:
    """A fingerprint as four words."""
    return np.frombuffer(fingerprint, "<u8")


def near(block: int, data: bytes, wanted: NDArray[np.uint64], limit: int) -> list[tuple[int, int]]:
    """Distance and number of all in a block that are no further away than ``limit``."""
    count = len(data) // _ENTRY
    if not count or len(data) % _ENTRY:
        return []
    planes = np.frombuffer(data, "<u8", 4 * count, 2 * count).reshape(4, count)
    distances = _bits(planes ^ wanted[:, None]).sum(0, dtype=np.uint16)
    (found,) = np.nonzero(distances <= limit)
    if not found.size:
        return []
    offsets = np.frombuffer(data, "<u2", count)
    return [(int(distances[i]), block * BLOCK + 1 + int(offsets[i])) for i in found]


@cache
def _table() -> NDArray[np.uint8]:
    return np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


def bits_by_table(words: NDArray[np.uint64]) -> Any:
    """How many bits are set in each word, for numpy before 2.0."""
    return _table()[words.view(np.uint16)].reshape(*words.shape, 4).sum(-1, dtype=np.uint8)


_bits: Any = getattr(np, "bitwise_count", bits_by_table)
