"""Reading the blocks of the search tables, and finding the fingerprints of whole pictures close to a given one."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, select

from labeling.keypoints import count_bits
from labeling.ledger._rows import fetch_rows
from labeling.ledger.chain import BLOCK

_ENTRY_SIZE = 34
"""Bytes of a fingerprint in a block: an offset of 2 bytes, and 32."""

_BLOCKS_PER_QUERY = 16
"""Blocks, of up to 660 KB each, that are read from a server at a time."""

MAX_CACHE = 256 << 20
"""Bytes of blocks that an open ledger on a server keeps in memory: those of some 1.3 million pictures."""


class BlockCache:
    """Blocks that were read from a server: one in a file is read in less time than memory for it is found.

    A block never changes, except that prune removes records, which the search leaves out.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, int], bytes] = {}
        self._size = 0
        self._lock = Lock()

    def read(self, connection: Connection, table: Table, first: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and content of the blocks from ``first`` up to ``end`` (exclusive), one by one."""
        blocks = select(table.c.block, table.c.data)
        if connection.dialect.name == "sqlite":
            asked = blocks.where(table.c.block >= first, table.c.block < end).compile(dialect=connection.dialect)
            driver: Any = connection.connection.driver_connection
            yield from ((number, data) for number, data in driver.execute(str(asked), (first, end)) if _is_bytes(data))
            return
        missing = []
        for number in range(first, end):
            if (data := self._blocks.get((table.name, number))) is not None:
                yield number, data
            else:
                missing.append(number)
        for start in range(0, len(missing), _BLOCKS_PER_QUERY):
            some = missing[start : start + _BLOCKS_PER_QUERY]
            rows = fetch_rows(connection, blocks.where(table.c.block.in_(some)))
            stored = {number: bytes(data) for number, data in rows}
            for number in some:  # a block that is not there has nothing in it
                self._keep((table.name, number), stored.get(number, b""))
                yield number, stored.get(number, b"")

    def _keep(self, key: tuple[str, int], data: bytes) -> None:
        with self._lock:
            if key not in self._blocks and self._size + len(data) <= MAX_CACHE:
                self._blocks[key] = data
                self._size += len(data)


def _is_bytes(data: object) -> bool:
    return isinstance(data, bytes)


def words_of(fingerprint: bytes) -> NDArray[np.uint64]:
    """Return the part of a fingerprint that describes the whole picture as four words of 64 bits."""
    return np.frombuffer(fingerprint, "<u8", 4)


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
    distances = count_bits(planes ^ wanted[:, None]).sum(0, dtype=np.uint16)
    (found,) = np.nonzero(distances <= limit)
    if not found.size:
        return []
    offsets = np.frombuffer(data, "<u2", count)
    return [(int(distances[i]), block * BLOCK + 1 + int(offsets[i])) for i in found]
