"""Finding pictures by their points among millions: an index by key, and votes that agree on scale and rotation.

A block of the index has the first :data:`INDEXED` points of each of its records. It is two arrays, one after the other,
in the same order. The first has 32 bits for each point, little-endian, in ascending order: its key, the 20 lowest bits
of its word, above the record's offset in the block, 12 bits. The second has 8 bits: the angle in 16ths of a turn above
the scale in half octaves. A block without any point has no row.

Two points with the same key say by how much a picture was turned and scaled, if they are the same point. Those of a
copy agree in it; those that only have a key in common do not (H. Jégou et al., "Hamming Embedding and Weak Geometric
Consistency", ECCV 2008, section 4). The records with the most votes that agree are compared in full.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling import fingerprint
from labeling.keypoints import KEY_BITS, POINT_SIZE
from labeling.ledger.chain import BLOCK
from labeling.resemblance import Sight, Sought

INDEXED = 32
"""Points of a record that are in the index: the first ones."""

_ENTRY_SIZE = 5
_OFFSET_BITS = BLOCK.bit_length() - 1

_LEAST_HITS = 3
"""Points that a record must share with a picture before their turns and scales are looked at."""

_TURNS = 16
"""Steps of a turn in the index."""

_SCALES = 16
"""Half octaves in the index."""

_SURVEYED = 16 * BLOCK
"""Records after which it is known which of the keys are common."""

_COMMON = 6
"""A key is common if so many times more points have it than have one of those that are sought on average."""

_MOST_HITS = 2000
_ONE_IN = 512
"""A key that more points have than so many, and than one in so many records, is common in any case: each picture of a
series may have the same heading."""

_MOST_VOTES = 400_000
"""Points, of all records, that vote; if there are more, the records that share fewest points have no vote."""

MOST_COMPARED = 160
"""Records, those with the most votes, that are compared in full."""

Found = tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8]]
"""Numbers of records, and the key and geometry of the point of each that has one of the keys that are looked for."""


def pack_points(block: int, rows: Iterable[tuple[int, bytes]]) -> bytes:
    """Lay out a block of the index.

    Args:
        block: The block's number.
        rows: Number and fingerprint of each record that has one.
    """
    starts, offsets = [], []
    for seq, stored in rows:
        if isinstance(stored, bytes) and len(stored) in fingerprint.SIZES:
            some = stored[fingerprint.SIZE : fingerprint.SIZE + INDEXED * POINT_SIZE]
            starts.append(some)
            offsets.append((seq - 1 - block * BLOCK, len(some) // POINT_SIZE))
    points = np.frombuffer(b"".join(starts), np.uint8).reshape(-1, POINT_SIZE)
    if not len(points):
        return b""
    words = np.ascontiguousarray(points[:, 4:8]).view("<u4")[:, 0] & np.uint32((1 << KEY_BITS) - 1)
    numbers = np.repeat(*np.array(offsets, np.uint32).T)
    entries = (words << np.uint32(_OFFSET_BITS)) | numbers
    geometry = (points[:, 3] & np.uint8(0xF0)) | (points[:, 2] >> np.uint8(4))
    order = np.lexsort((geometry, entries))
    packed: bytes = entries[order].astype("<u4").tobytes() + geometry[order].tobytes()
    return packed


class PointSearch:
    """A search for one picture, block by block."""

    def __init__(self, sight: Sight) -> None:
        self._sought = sight.sought()
        self._keys = np.unique(self._sought.keys)
        self._counts = np.zeros(len(self._keys), np.int64)
        self._wanted = np.zeros(1 << KEY_BITS, bool)
        self._wanted[self._keys] = True
        self._found: list[Found] = []
        self._records = 0

    def look(self, block: int, data: bytes) -> None:
        """Look into a block of the index."""
        count = len(data) // _ENTRY_SIZE
        if not count or len(data) % _ENTRY_SIZE:
            return
        entries = np.frombuffer(data, "<u4", count)
        (places,) = np.nonzero(self._wanted.take(entries >> np.uint32(_OFFSET_BITS)))
        if not places.size:
            return
        keys, offsets = entries[places] >> np.uint32(_OFFSET_BITS), entries[places] & np.uint32(BLOCK - 1)
        often = np.bincount(offsets, minlength=BLOCK)[offsets] >= _LEAST_HITS
        if often.any():
            geometry = np.frombuffer(data, np.uint8, count, 4 * count)[places[often]]
            self._found.append((offsets[often].astype(np.int64) + (block * BLOCK + 1), keys[often], geometry))
        self._records += BLOCK
        self._forget_common(keys)

    def _forget_common(self, found: NDArray[np.uint32]) -> None:
        """No longer look for keys that a great many pictures have: they say little, and would take most of the time."""
        self._counts += np.bincount(np.searchsorted(self._keys, found), minlength=len(self._keys))
        most: float = max(_MOST_HITS, self._records // _ONE_IN)
        if self._records == _SURVEYED:
            most = min(most, _COMMON * max(1.0, self._counts.sum() / len(self._keys)))
        self._wanted[self._keys[self._counts > most]] = False

    def likely(self) -> list[int]:
        """Return the numbers of the records that share most points at one turn and scale, best first."""
        if not self._found:
            return []
        numbers, keys, geometry = _fewer(*(np.concatenate(column) for column in zip(*self._found, strict=True)))
        first = np.searchsorted(self._sought.keys, keys)
        times = np.searchsorted(self._sought.keys, keys, "right") - first
        rare = np.log(1 + self._records / np.bincount(keys)[keys]) ** 2  # points that many pictures have say little
        hit = np.repeat(np.arange(len(keys)), times)
        mine = np.arange(len(hit)) - np.repeat(np.cumsum(times) - times, times) + first[hit]
        return _most_votes(numbers[hit], geometry[hit], rare[hit], mine, self._sought)


def _fewer(numbers: Any, keys: Any, geometry: Any) -> tuple[Any, Any, Any]:
    """Leave out the records that share fewest points, if there are too many to count all votes."""
    if len(numbers) <= _MOST_VOTES:
        return numbers, keys, geometry
    _, place, shared = np.unique(numbers, return_inverse=True, return_counts=True)
    points = np.bincount(shared, shared)  # by how many a record shares: how many points all such records have
    least = int(np.argmax(np.cumsum(points[::-1])[::-1] <= _MOST_VOTES))
    keep = shared[place] >= least
    return numbers[keep], keys[keep], geometry[keep]


def _most_votes(numbers: Any, geometry: Any, weights: Any, mine: Any, sought: Sought) -> list[int]:
    """Let each pair of points vote for its record, turn and scale; each counts in the two nearest steps of either."""
    turns = sought.angle[mine] * (_TURNS / 2 / np.pi) - (geometry >> 4)
    scales = np.log2(sought.scale[mine]) * 2 - (geometry & 15)
    where = numbers * 2 + sought.mirrored[mine]
    votes = []
    for turn_phase in (0, 1):
        turn = np.floor((turns + turn_phase) / 2).astype(np.int64) & (_TURNS // 2 - 1)
        for scale_phase in (0, 1):
            scale = np.floor((scales + scale_phase) / 2).astype(np.int64) + _SCALES
            votes.append((((where * 2 + turn_phase) * 2 + scale_phase) * _TURNS + turn) * 64 + scale)
    codes = np.concatenate(votes)
    order = np.argsort(codes)
    codes = codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    sums = np.add.reduceat(np.tile(weights, 4)[order], starts)
    best = np.argsort(-sums, kind="stable")[: 8 * MOST_COMPARED]
    records = codes[starts[best]] // (64 * _TURNS * 4 * 2)
    return list(dict.fromkeys(records.tolist()))[:MOST_COMPARED]
