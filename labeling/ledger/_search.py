"""Finding the fingerprints close to a given one among millions: every one is compared, block by block."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.ledger.chain import BLOCK

_ENTRY_SIZE = 34
"""Bytes of a fingerprint in a block: an offset of 2 bytes, and 32."""

MAX_CACHE = 256 << 20
"""Bytes of blocks that an open ledger keeps in memory: some seven million fingerprints."""


class BlockCache:
    """Blocks that were read. A block never changes, except that prune removes records, which the search leaves out."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def missing(self, first: int, end: int) -> list[int]:
        """Return the numbers from ``first`` up to ``end`` (exclusive) of the blocks that are not in the cache."""
        with self._lock:
            return [block for block in range(first, end) if block not in self._blocks]

    def get(self, block: int) -> bytes | None:
        """Return a block's content, if it is in the cache."""
        with self._lock:
            return self._blocks.get(block)

    def keep(self, block: int, data: bytes) -> None:
        """Keep a block's content while there is room for it."""
        with self._lock:
            if block not in self._blocks and self._size + len(data) <= MAX_CACHE:
                self._blocks[block] = data
                self._size += len(data)


def words_of(fingerprint: bytes) -> NDArray[np.uint64]:
    """Return a fingerprint as four words of 64 bits."""
    return np.frombuffer(fingerprint, "<u8")


def search_block(block: int, data: bytes, wanted: NDArray[np.uint64], limit: int) -> list[tuple[int, int]]:
    """Return distance and record number of all fingerprints in a block that are at most ``limit`` bits away.

    Args:
        block: The block's number.
        data: The block's content, as :func:`labeling.ledger.chain.pack` lays it out.
        wanted: The fingerprint to compare with, as :func:`words_of` gives it.
        limit: The greatest distance, in bits.
    """
    count = len(data) // _ENTRY_SIZE
    if not count or len(data) % _ENTRY_SIZE:
        return []
    planes = np.frombuffer(data, "<u8", 4 * count, 2 * count).reshape(4, count)
    distances = _count_bits(planes ^ wanted[:, None]).sum(0, dtype=np.uint16)
    (found,) = np.nonzero(distances <= limit)
    if not found.size:
        return []
    offsets = np.frombuffer(data, "<u2", count)
    return [(int(distances[i]), block * BLOCK + 1 + int(offsets[i])) for i in found]


@cache
def _bit_counts() -> NDArray[np.uint8]:
    return np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


def count_bits_by_table(words: NDArray[np.uint64]) -> Any:
    """Return how many bits are set in each word, for numpy before 2.0."""
    return _bit_counts()[words.view(np.uint16)].reshape(*words.shape, 4).sum(-1, dtype=np.uint8)


_count_bits: Any = getattr(np, "bitwise_count", count_bits_by_table)
