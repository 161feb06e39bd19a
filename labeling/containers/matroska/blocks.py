"""The blocks of one track in Matroska's clusters (RFC 9559, 10): found by their headers, replaced one for one.

Everything else in a cluster stays byte for byte: other tracks' blocks, and what a group says about its block besides.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from labeling.containers.base import Media, NewFrame, Unfit
from labeling.containers.matroska.ebml import (
    CRC32,
    UNKNOWN,
    EbmlError,
    Element,
    Window,
    coded_id,
    coded_size,
    made,
)
from labeling.containers.matroska.outline import CLUSTER, OUTER, POSITION, PREVIOUS_SIZE, TIMESTAMP
from labeling.containers.matroska.tracks import Storage
from labeling.filebytes import FileBytes, FileRange

SIMPLE_BLOCK, BLOCK_GROUP, BLOCK, REFERENCE_BLOCK, BLOCK_DURATION = 0xA3, 0xA0, 0xA1, 0xFB, 0x9B
_REFERENCES = {REFERENCE_BLOCK, 0xFA, 0xC8}  # ReferenceBlock, ReferencePriority, ReferenceFrame
_KEY, _LACING, _DISCARDABLE = 0x80, 0x06, 0x01
_MAX_GROUP = 1 << 20
"""Limit on the bytes of a BlockGroup besides its block."""

MAX_HELD = 1 << 28
"""Limit on the bytes of new frames that are compressed, and so are held in memory."""

_STEP = 1 << 20


class OldBlock(NamedTuple):
    """A block of the track.

    Attributes:
        element: The SimpleBlock or BlockGroup.
        pts: When it is shown, in ticks of the Segment.
        size: Bytes of its frame, as stored.
        at: Offset of its frame.
        head: Bytes of the block's payload before the timestamp: the track number.
        extras: The other children of its group, as they are, without references.
    """

    element: Element
    pts: int
    size: int
    at: int
    head: bytes
    extras: bytes


@dataclass(slots=True)
class Cluster:
    """A cluster with the blocks of the track in it.

    Attributes:
        element: The cluster, with the end that it really has.
        stamp: Its timestamp in ticks.
        children: All its elements in order.
        blocks: Offset of an element → the block of the track in it.
    """

    element: Element
    stamp: int = 0
    children: list[Element] = field(default_factory=list)
    blocks: dict[int, OldBlock] = field(default_factory=dict)


def clusters(data: Media, start: int, end: int, track: int) -> Iterator[Cluster]:
    """Yield the clusters from ``start`` to ``end``, with the blocks of the track of number ``track``.

    Raises:
        Unfit: A block of the track holds several frames.
        EbmlError: The clusters are not well-formed.
    """
    window = Window(data)
    at = start
    while at < end:
        element = window.element(at)
        if element is None or element.id != CLUSTER:
            raise Unfit(f"there is no cluster at offset {at}")
        cluster = Cluster(element)
        stop = end if element.end == UNKNOWN else element.end
        at = element.body
        while at < stop:
            child = window.element(at)
            if child is None:
                raise EbmlError(f"there is no element at offset {at}")
            if element.end == UNKNOWN and child.id in OUTER:
                break
            if child.end == UNKNOWN or child.end > stop:
                raise EbmlError(f"the element at offset {at} extends beyond its cluster")
            _take(data, window, cluster, child, track)
            at = child.end
        cluster.element = element._replace(end=at)
        yield cluster


def _take(data: Media, window: Window, cluster: Cluster, child: Element, track: int) -> None:
    cluster.children.append(child)
    if child.id == TIMESTAMP:
        width = min(child.end - child.body, 8)
        cluster.stamp = int.from_bytes(window.at(child.body, width), "big")
    elif child.id == SIMPLE_BLOCK:
        if (block := _block(window, cluster, child, child, track, b"")) is not None:
            cluster.blocks[child.start] = block
    elif child.id == BLOCK_GROUP and (block := _group(data, window, cluster, child, track)) is not None:
        cluster.blocks[child.start] = block


def _group(data: Media, window: Window, cluster: Cluster, group: Element, track: int) -> OldBlock | None:
    at, inside, found = group.body, [], None
    while at < group.end:
        child = window.element(at)
        if child is None or not child.body <= child.end <= group.end:
            raise EbmlError(f"the block group at offset {group.start} is not well-formed")
        if child.id == BLOCK and found is None:
            found = _block(window, cluster, group, child, track, b"")
            if found is None:
                return None
        elif child.id not in _REFERENCES and child.id != CRC32:
            inside.append(child)
        at = child.end
    if found is None:
        return None
    if sum(child.end - child.start for child in inside) > _MAX_GROUP:
        raise Unfit("a block of the video has more than a megabyte of additions")
    return found._replace(extras=b"".join(data[child.start : child.end] for child in inside))


def _block(
    window: Window, cluster: Cluster, element: Element, block: Element, track: int, extras: bytes
) -> OldBlock | None:
    """Read the header of a block (RFC 9559, 10.1); ``None`` if it is another track's."""
    head = window.at(block.body, min(12, block.end - block.body))
    width = 9 - head[0].bit_length() if head and head[0] else 9
    if len(head) < width + 3:
        raise EbmlError(f"the block at offset {block.start} is cut off")
    if int.from_bytes(head[:width], "big") & (1 << 7 * width) - 1 != track:
        return None
    if head[width + 2] & _LACING:
        raise Unfit("blocks of the video hold several pictures")
    stamp = cluster.stamp + int.from_bytes(head[width : width + 2], "big", signed=True)
    at = block.body + width + 3
    return OldBlock(element, stamp, block.end - at, at, head[:width], extras)


# Writing


class Moved(NamedTuple):
    """Where something is in the new clusters.

    Attributes:
        cluster: Offset of the old cluster whose successor it is in.
        relative: Its offset from the first element in that cluster.
    """

    cluster: int
    relative: int


@dataclass(slots=True)
class Replaced:
    """New contents of clusters, and where things in them went.

    Attributes:
        pieces: Offset of an old cluster → the pieces of its successor.
        ends: Offset of an old cluster → its end.
        moved: (offset of the old cluster, old relative position) → where it is now, or at what time it is shown.
        shown: pts of a replaced block → where the block is that is shown then.
        delta: By how many bytes the frames of the track grew.
        dropped: By how many blocks there are fewer.
    """

    pieces: dict[int, list[bytes | FileRange]] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    moved: dict[tuple[int, int], int | Moved] = field(default_factory=dict)
    shown: dict[int, Moved] = field(default_factory=dict)
    delta: int = 0
    dropped: int = 0


class Rewriter:
    """Rewrites clusters, one after another.

    Args:
        data: The file.
        extras: pts → what a group says about the block that is shown then.
        storage: How frames are stored.
        skip: How many bytes at the start of a new frame are not stored, whatever they are.
    """

    def __init__(self, data: FileBytes, extras: Mapping[int, bytes], storage: Storage, skip: int) -> None:
        self._data, self._extras, self._storage, self._skip = data, extras, storage, skip
        self._before = self._held = 0
        self.done = Replaced()

    def rewrite(self, cluster: Cluster, new: Mapping[int, NewFrame | None]) -> None:
        """Rewrite one cluster; ``new`` maps offsets of old blocks to what takes their places (``None``: nothing).

        Raises:
            Unfit: A new block is shown too long before or after its cluster's time.
        """
        start, body = cluster.element.start, cluster.element.body
        pieces: list[bytes | FileRange] = []
        size, summed = 0, False
        done = self.done

        def add(piece: bytes | FileRange) -> None:
            nonlocal size
            last = pieces[-1] if pieces else None
            size += len(piece)
            if (
                isinstance(piece, FileRange)
                and isinstance(last, FileRange)
                and last.source is piece.source
                and last.end == piece.start
            ):
                pieces[-1] = FileRange(last.source, last.start, piece.end)
            else:
                pieces.append(piece)

        lead = 6 if any(child.id == CRC32 for child in cluster.children) else 0
        for child in cluster.children:
            if child.id == CRC32:
                summed = True
                continue
            if child.id in (POSITION, PREVIOUS_SIZE):
                continue  # both may be left out (RFC 9559, 5.1.3.2, 5.1.3.3); they would be wrong now
            if child.start not in new:
                done.moved[start, child.start - body] = Moved(start, lead + size)
                add(FileRange(self._data, child.start, child.end))
                continue
            old, block = cluster.blocks[child.start], new[child.start]
            done.moved[start, child.start - body] = old.pts
            done.delta -= old.size
            if block is None:
                done.dropped += 1
                continue
            done.shown[block.pts] = Moved(start, lead + size)
            stored = self._stored(block)
            for piece in self._element(child.id, old, block, stored, block.pts - cluster.stamp):
                add(piece)
            done.delta += len(stored)
        if summed:
            total = 0
            for piece in pieces:
                total = _crc(piece, total)
            pieces.insert(0, made(CRC32, total.to_bytes(4, "little")))
            size += 6
        width = max(1, body - start - len(coded_id(CLUSTER)))
        head = coded_id(CLUSTER) + coded_size(size, width)
        done.pieces[start] = [head, *pieces]
        done.ends[start] = cluster.element.end

    def _stored(self, block: NewFrame) -> bytes | FileRange:
        """Return a new frame as it is stored."""
        data = block.data
        if self._skip:
            data = data[self._skip :] if isinstance(data, bytes) else replace(data, start=data.start + self._skip)
        strip = self._storage.strip
        if strip:
            head = data.source[data.start : data.start + len(strip)] if isinstance(data, FileRange) else data
            if not head.startswith(strip):
                raise Unfit("the new pictures do not begin with the bytes that the track leaves out")
            if isinstance(data, FileRange):
                return replace(data, start=data.start + len(strip))
            return data[len(strip) :]
        if self._storage.deflated:
            data = zlib.compress(data if isinstance(data, bytes) else data.source[data.start : data.end])
            self._held += len(data)
            if self._held > MAX_HELD:
                raise Unfit(f"the compressed frames that are new are more than {MAX_HELD} bytes")
        return data

    def _element(
        self, kind: int, old: OldBlock, block: NewFrame, data: bytes | FileRange, shift: int
    ) -> list[bytes | FileRange]:
        if not -0x8000 <= shift < 0x8000:
            raise Unfit("a new picture is shown too long before or after the time of its cluster")
        extras = self._extras.get(block.pts, b"")
        simple = kind == SIMPLE_BLOCK or not extras
        flags = _KEY if simple and block.key else 0
        head = old.head + shift.to_bytes(2, "big", signed=True) + bytes((flags,))
        front = coded_id(SIMPLE_BLOCK if simple else BLOCK) + coded_size(len(head) + len(data)) + head
        if simple:
            return [front, data]
        before = self._before or block.pts - 1
        self._before = block.pts
        if not block.key:
            reference = before - block.pts
            width = (reference + (reference < 0)).bit_length() // 8 + 1
            extras = made(REFERENCE_BLOCK, reference.to_bytes(width, "big", signed=True)) + extras
        outer = coded_id(BLOCK_GROUP) + coded_size(len(front) + len(data) + len(extras))
        return [outer + front, data, extras]


def _crc(piece: bytes | FileRange, total: int) -> int:
    if isinstance(piece, bytes):
        return zlib.crc32(piece, total)
    for at in range(piece.start, piece.end, _STEP):
        total = zlib.crc32(piece.source[at : min(at + _STEP, piece.end)], total)
    return total
