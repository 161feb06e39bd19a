"""The outline of a Matroska file (RFC 9559): where the elements of its Segment are. Clusters are not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from labeling.containers.base import MAX_PAYLOAD, MAX_TOTAL, Media
from labeling.containers.collector import note
from labeling.containers.matroska.ebml import (
    CRC32,
    UNKNOWN,
    VOID,
    EbmlError,
    Element,
    Window,
    children,
    coded_id,
    made,
    text,
    unsigned,
)
from labeling.filebytes import FileBytes

MAX_ELEMENTS = 2_000_000
"""Limit on the elements of a file: 100 GB have 100 000 clusters, 6 hours of a live stream have 2 million blocks.

One directly inside the Segment counts as :data:`DIRECT`."""

DIRECT = 4

FEW_ELEMENTS, BYTES_EACH = 1 << 16, 16
"""Elements that a file of any size may have, and bytes of a larger one for each further one, on average.

Blocks of real audio and video have more, so this limits only files that are made to keep a reader busy."""

MAX_KEPT = 1 << 17
"""Limit on the elements that are kept in memory; adjacent clusters count as one."""

JUMP_AFTER = 4096
"""Number of clusters after which the rest is skipped, if the file says where its tags are. Each header costs a seek."""

MAX_TRAILER = 1 << 24
"""Limit on the bytes of another kind behind a Segment of unknown size."""

EBML, DOC_TYPE, MAX_ID_LENGTH, MAX_SIZE_LENGTH = 0x1A45DFA3, 0x4282, 0x42F2, 0x42F3
SEGMENT, SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
INFO, TRACKS, CHAPTERS, ATTACHMENTS = 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1941A469
CUES, CUE_POINT, CUE_TRACK_POSITIONS, CUE_CLUSTER_POSITION = 0x1C53BB6B, 0xBB, 0xB7, 0xF1
CLUSTER, TIMESTAMP, POSITION, PREVIOUS_SIZE = 0x1F43B675, 0xE7, 0xA7, 0xAB
TAGS = 0x1254C367

OUTER = frozenset((EBML, SEGMENT, SEEK_HEAD, INFO, TRACKS, CUES, CLUSTER, CHAPTERS, ATTACHMENTS, TAGS))
"""Elements that are not inside a cluster: the first one ends a cluster of unknown size (RFC 8794, 6.2)."""

_KNOWN = OUTER | {VOID, CRC32, TIMESTAMP, POSITION, PREVIOUS_SIZE, 0x5854, 0xA3, 0xA0, 0xAF}
"""These, and what is directly inside a cluster (RFC 9559, 5.1.3)."""


_CLUSTER, _SUM, _BLOCKS = CLUSTER.to_bytes(4, "big"), b"\xbf\x84", (0xA3, 0xA0)
_PLAIN_COUNT = DIRECT + 2
_PLAIN = 32
"""Bytes of a cluster in which its first block begins: 12 for ID and size, 6 for a checksum, 10 for a timestamp."""


@dataclass(slots=True)
class Outline:
    """The elements directly inside the Segment.

    Attributes:
        segment: The Segment.
        sized: Whether the Segment states its size.
        closed: Whether an element may be appended: the last cluster states its size, or something follows it.
        items: The elements in order; adjacent clusters are merged into one, and so are adjacent Voids.
        clusters: Number of clusters.
        positions: (offset, width, offset of the checksum or 0) of the Position in each cluster that has one.
        coded: (offset, length) of the clusters without these positions.
        doc_type: matroska or webm.
        problems: Damage.
        warnings: Oddities that do no harm.
    """

    segment: Element = field(default_factory=lambda: Element(SEGMENT, 0, 0, 0))
    sized: bool = True
    closed: bool = True
    items: list[Element] = field(default_factory=list)
    clusters: int = 0
    positions: list[tuple[int, int, int]] = field(default_factory=list)
    coded: list[tuple[int, int]] = field(default_factory=list)
    doc_type: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def all(self, number: int) -> list[Element]:
        """Return all elements with an ID."""
        return [item for item in self.items if item.id == number]


def whole(data: Media, element: Element) -> tuple[bytes, Element]:
    """Read an element into memory.

    Returns:
        Its bytes, and the element with offsets that count from their start.

    Raises:
        EbmlError: It is too large.
    """
    if element.end - element.start > MAX_PAYLOAD:
        raise EbmlError(f"it holds {element.end - element.start} bytes, more than the {MAX_PAYLOAD} that are read")
    return data[element.start : element.end], element.moved(-element.start)


def outline(data: Media) -> Outline:
    """Walk the elements of a file; damage is listed in ``problems``, to which callers may add.

    Those of an open file are walked once: ``data.derived`` keeps them, until something is written into the file.
    """
    if not isinstance(data, FileBytes):
        return _walked(data)
    found: Outline | None = data.derived.get(_walked)
    if found is None:
        found = data.derived[_walked] = _walked(data)
    return replace(found, problems=[*found.problems], warnings=[*found.warnings])


def _walked(data: Media) -> Outline:
    found = Outline()
    try:
        _Walk(data, found).run()
    except EbmlError as error:
        note(found.problems, error.message)
    return found


class _Walk:
    def __init__(self, data: Media, found: Outline) -> None:
        self.data, self.found = data, found
        self.window = Window(data)
        self.left = self.most = min(MAX_ELEMENTS, FEW_ELEMENTS + len(data) // BYTES_EACH)
        self.stop = len(data)
        self.read = MAX_TOTAL
        self.jumped = False
        self.sure = 0  # elements are known to be well-formed up to here

    def run(self) -> None:
        found, size = self.found, len(self.data)
        pos = self._preface()
        segment = self._element(pos, size)
        while segment.id == VOID:
            segment = self._element(segment.end, size)
        if segment.id != SEGMENT:
            raise EbmlError(f"at offset {segment.start} there is an element 0x{segment.id:X} and not a Segment")
        found.sized = segment.end != UNKNOWN
        found.segment = segment if found.sized else segment._replace(end=size)
        if segment.end > size:
            found.problems.append(f"the file is cut off: it says it holds {segment.end} bytes, {size} are there")
        self.stop = min(found.segment.end, size)
        pos = segment.body
        while (pos := self._plain_clusters(pos)) < self.stop and not self._ends(pos):
            element = self._element(pos, self.stop, DIRECT)
            if element.id in (EBML, SEGMENT):
                self._another(element)
                break
            pos = self._step(element)
        found.segment = found.segment._replace(end=max(self.stop, segment.body))
        if self.stop < size:
            note(found.warnings, f"{size - self.stop} bytes follow the Segment; they are kept")

    def _preface(self) -> int:
        """Read the EBML header (RFC 8794, 11.2) and return its end."""
        element = self._element(0, len(self.data))
        if element.id != EBML:
            raise EbmlError("the file does not begin with an EBML header")
        if not element.end <= len(self.data):
            raise EbmlError("the file is cut off in its EBML header")
        data, top = whole(self.data, element)
        for child in children(data, top):
            if child.id == DOC_TYPE:
                self.found.doc_type = text(data, child).decode("ascii", "replace")
            elif child.id in (MAX_ID_LENGTH, MAX_SIZE_LENGTH) and unsigned(data, child) > 8:
                raise EbmlError("its EBML header announces IDs or sizes of more than 8 bytes, which we cannot read")
        if self.found.doc_type not in ("matroska", "webm"):
            raise EbmlError(f"its EBML document type is {self.found.doc_type[:32]!r}, not matroska or webm")
        return element.end

    def _count(self, weight: int) -> None:
        self.left -= weight
        if self.left < 0:
            raise EbmlError(
                f"it has more elements than are read in a file of its size: {self.most:,} inside clusters, or "
                f"{self.most // DIRECT:,} outside them"
            )

    def _element(self, pos: int, stop: int, weight: int = 1) -> Element:
        self._count(weight)
        element = self.window.element(pos)
        if element is None or element.body > stop:
            at_end = pos + 12 > stop
            raise EbmlError("the file is cut off" if at_end else f"there is no element at offset {pos}")
        return element

    def _another(self, element: Element) -> None:
        """Handle another document: it ends a Segment of unknown size, but inside one of known size it is damage."""
        if self.found.sized:
            raise EbmlError(f"at offset {element.start} another document begins inside the Segment")
        self.stop = element.start

    def _ends(self, pos: int) -> bool:
        """Say whether a Segment of unknown size ends at ``pos``: what follows is not of Matroska.

        Elements of an ID that is not known belong to it if a known one comes behind them, or the end of the file. If
        there is another cluster somewhere behind, this is damage and not the end.
        """
        if self.found.sized or not self.found.clusters:
            return False
        at = max(pos, self.sure)
        while at < self.stop:
            element = self.window.element(at)
            if element is not None and element.id in _KNOWN:
                break
            self.left -= 1
            if element is None or not element.body <= element.end <= self.stop or self.left < 0:
                rest = self.data[pos : min(self.stop, pos + MAX_TRAILER)]
                if self.stop - pos > MAX_TRAILER or coded_id(CLUSTER) in rest:
                    return False
                self.stop = pos
                return True
            at = element.end
        self.sure = at
        return False

    def _step(self, element: Element) -> int:
        found = self.found
        end = element.end
        if element.id == CLUSTER:
            found.closed = end != UNKNOWN
            end = end if found.closed else self._open_end(element.body)
        elif end == UNKNOWN:
            raise EbmlError(f"the element 0x{element.id:X} at offset {element.start} does not say its size")
        else:
            found.closed = True
        kept = Element(element.id, element.start, element.body, min(end, self.stop))
        if element.id == CLUSTER:
            self._cluster(kept)
            if found.clusters > JUMP_AFTER and not self.jumped:
                kept = self._jump(kept)
        if element.id in (CLUSTER, VOID) and found.items and found.items[-1].id == element.id:
            last = found.items[-1]
            found.items[-1] = Element(last.id, last.start, last.body, kept.end)
        else:
            found.items.append(kept)
        if len(found.items) > MAX_KEPT or len(found.positions) > MAX_KEPT:
            raise EbmlError(f"more than {MAX_KEPT} elements outside of clusters, or clusters with a position")
        if end > self.stop:
            cut = self.stop == len(self.data)
            raise EbmlError(
                f"the {'file is cut off' if cut else 'Segment ends'} within the element 0x{element.id:X} "
                f"at offset {element.start}"
            )
        return kept.end

    def _plain_clusters(self, pos: int) -> int:
        """Pass over clusters behind another one which begin as nearly all do: size, checksum, timestamp, block.

        They are counted and merged as :meth:`_step` does it, which is left to do all others.

        Returns:
            Offset of what comes first behind them.
        """
        found, start, left = self.found, pos, self.left
        if not (found.items and found.items[-1].id == CLUSTER and found.coded and sum(found.coded[-1]) == pos):
            return pos
        clusters = found.clusters
        while left > _PLAIN_COUNT and (clusters < JUMP_AFTER or self.jumped):
            page, at = self.window.page(pos, _PLAIN)
            if page[at : at + 4] != _CLUSTER or at + _PLAIN > len(page) or not page[at + 4]:
                break
            width = 9 - page[at + 4].bit_length()
            body, mask = at + 4 + width, (1 << 7 * width) - 1
            size = int.from_bytes(page[at + 4 : body], "big") & mask
            summed = page[body : body + 2] == _SUM
            stamp = body + 6 * summed
            block = stamp + 2 + (page[stamp + 1] & 0x7F)
            if page[stamp] != TIMESTAMP or not 0x81 <= page[stamp + 1] <= 0x88 or page[block] not in _BLOCKS:
                break
            end = pos + body - at + size
            if size == mask or size < block - body or end > self.stop:
                break
            clusters, left, pos = clusters + 1, left - DIRECT - 1 - summed, end
        if pos > start:
            last, (first, length) = found.items[-1], found.coded[-1]
            found.items[-1], found.coded[-1] = last._replace(end=pos), (first, length + pos - start)
            found.clusters, found.closed, self.left = clusters, True, left
        return pos

    def _cluster(self, cluster: Element) -> None:
        """Add a cluster. Its Position is only found before the first block, where all writers put it."""
        found = self.found
        found.clusters += 1
        pos = begin = cluster.start
        summed = 0
        child = self.window.element(cluster.body)
        while child is not None and child.id in (TIMESTAMP, POSITION, PREVIOUS_SIZE, CRC32, VOID):
            if not child.body < child.end <= cluster.end:
                break
            self._count(1)
            pos = child.end
            width = child.end - child.body
            if child.id == CRC32:
                summed = child.start
            if child.id == POSITION and width <= 8 and any(self.window.at(child.body, width)):
                found.positions.append((child.body, width, summed))
                begin = pos
            child = self.window.element(pos)
        if found.coded and sum(found.coded[-1]) == begin:
            found.coded[-1] = (found.coded[-1][0], cluster.end - found.coded[-1][0])
        else:
            found.coded.append((begin, cluster.end - begin))

    def _open_end(self, pos: int) -> int:
        """Return the end of a cluster of unknown size: the first element that belongs outside (RFC 8794, 6.2)."""
        while pos < self.stop and not self._ends(pos):
            element = self._element(pos, self.stop)
            if element.id in OUTER:
                break
            if element.end == UNKNOWN:
                raise EbmlError(f"the element 0x{element.id:X} at offset {pos} does not say its size")
            pos = element.end
        return pos

    def _jump(self, cluster: Element) -> Element:
        """Trust the index for what follows: continue at the last cluster in the Cues, if the Tags are listed.

        No player would find tags in between. A file that lists no Tags is walked to the end, so a verifier misses
        nothing.
        """
        self.jumped = True
        listed = dict(self._listed())
        if TAGS not in listed or CUES not in listed or self.found.positions:
            return cluster
        cues = self.window.element(listed[CUES])
        if cues is None or cues.id != CUES or not cues.end <= self.stop:
            return cluster
        try:
            data, top = whole(self.data, cues)
            last = [point for point in children(data, top) if point.id == CUE_POINT][-1:]
            places = [unsigned(data, place) for point in last for place in _within(data, point, CUE_CLUSTER_POSITION)]
        except EbmlError:
            return cluster
        target = self.found.segment.body + max(places, default=0)
        there = self.window.element(target) if cluster.end < target < self.stop else None
        if there is None or there.id != CLUSTER:
            return cluster
        self.found.coded[-1] = (self.found.coded[-1][0], target - self.found.coded[-1][0])
        return cluster._replace(end=target)

    def _listed(self) -> Iterator[tuple[int, int]]:
        """Yield (ID, offset in the file) of everything that the seek heads found so far list."""
        for item in self.found.all(SEEK_HEAD):
            if item.end - item.start > self.read:
                return
            self.read -= item.end - item.start
            try:
                data, top = whole(self.data, item)
                for number, _, position in seeks(data, top):
                    yield number, self.found.segment.body + position
            except EbmlError:
                continue


def _within(data: bytes, parent: Element, number: int) -> Iterator[Element]:
    for child in children(data, parent):
        if child.id == number:
            yield child
        elif child.id == CUE_TRACK_POSITIONS:
            yield from _within(data, child, number)


def seeks(data: bytes, head: Element) -> Iterator[tuple[int, Element, int]]:
    """Yield each entry of a SeekHead as (ID of the listed element, Seek element, listed position in the Segment)."""
    for entry in children(data, head):
        if entry.id == SEEK:
            parts = {child.id: child for child in children(data, entry)}
            if SEEK_ID in parts and SEEK_POSITION in parts:
                yield unsigned(data, parts[SEEK_ID]), entry, unsigned(data, parts[SEEK_POSITION])


def seek_entry(number: int, position: int) -> bytes:
    """Build an entry of a SeekHead."""
    return made(SEEK, made(SEEK_ID, coded_id(number)) + made(SEEK_POSITION, least(position)))


def least(value: int, width: int = 1) -> bytes:
    """Encode an unsigned integer in as few bytes as it needs, but at least ``width``."""
    return value.to_bytes(max(width, (value.bit_length() + 7) // 8), "big")
