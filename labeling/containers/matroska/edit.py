"""Rewrite the Tags of a Matroska file, move as little as possible, and update all positions.

The Segment is treated as a sequence of parts. The new Tags element goes to the first of these places that works:

1. in place of the old one, together with the Void elements beside it;
2. into a Void before the first cluster, where every program reads (many look no further);
3. at the end, longer than the old one, if the SeekHead lists it: this is how players find tags behind clusters;
4. before the first cluster, which moves; positions in SeekHead, Cues and clusters are updated (RFC 9559, 16);
5. at the end, if the SeekHead can list it without growing. This comes before 4 if clusters state their own positions,
   or if the Cues are too large to be rewritten.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from labeling.containers.base import MAX_PAYLOAD, Media
from labeling.containers.edits import Edit
from labeling.containers.matroska import outline
from labeling.containers.matroska.ebml import (
    CRC32,
    VOID,
    Element,
    coded_id,
    coded_size,
    fitted,
    header,
    made,
    rebuilt,
    unsigned,
    void,
)
from labeling.containers.matroska.tags import retagged
from labeling.errors import LabelingError

_MAX_CUES = 64 << 20
"""Limit on the bytes of Cues that are rewritten."""

_ROUNDS = 32
"""Limit on the rounds in which sizes and positions settle."""

_IN_CUES = {outline.CUE_POINT, outline.CUE_TRACK_POSITIONS, 0xDB}
# CueClusterPosition, CueCodecState, CueRefCluster, CueRefCodecState (RFC 9559, 5.1.5). A state of 0 means "none".
_CUE_PLACES = {outline.CUE_CLUSTER_POSITION, 0xEA, 0x97, 0xEB}


@dataclass(slots=True)
class _Part:
    """A part of the Segment.

    Attributes:
        id: ID of its element.
        old: (start, end) in the old file; (0, 0) for a new part.
        new: Its new bytes; ``None`` if they stay.
        home: Whether it is the Tags element that is placed.
    """

    id: int
    old: tuple[int, int] = (0, 0)
    new: bytes | None = None
    home: bool = False

    @property
    def size(self) -> int:
        return self.old[1] - self.old[0] if self.new is None else len(self.new)


def edits(data: Media, found: outline.Outline, dropped: set[int], field: tuple[str, str] | None) -> list[Edit]:
    """Return the edits that change the tags of a file.

    Args:
        data: The file.
        found: Its outline.
        dropped: Offsets of the SimpleTags to remove.
        field: Name and text of a SimpleTag to write.

    Raises:
        LabelingError: The file has no place for the tags.
    """
    changed = retagged(data, found.all(outline.TAGS), dropped, field)
    if not changed:
        return []
    parts = [_Part(item.id, (item.start, item.end)) for item in found.items]
    home: tuple[_Part | None, bytes] | None = None
    for each in changed:
        part = next((part for part in parts if each.old is not None and part.old[0] == each.old.start), None)
        if each.home:
            home = part, each.new
        elif part is not None and each.new:
            part.new = fitted(each.new, part.size)
        elif part is not None:
            part.id, part.new = VOID, void(part.size)
    layout = _Layout(data, found, parts)
    layout.place(home)
    return layout.edits()


# Where the parts go


class _Layout:
    """Rearranges the parts of one Segment."""

    def __init__(self, data: Media, found: outline.Outline, parts: list[_Part]) -> None:
        self.data, self.found, self.parts = data, found, parts
        self.base = found.segment.body

    def place(self, home: tuple[_Part | None, bytes] | None) -> None:
        """Find a place for a Tags element and update all positions.

        Args:
            home: The part that it replaces, if any, and its bytes; ``None`` if no element needs a place.

        Raises:
            LabelingError: There is no place.
        """
        if home is None:
            self.parts, _ = self._settled(self.parts, listing=False)
            return
        old, tags = home
        if len(tags) > MAX_PAYLOAD:
            raise LabelingError(
                f"the tags would be {len(tags)} bytes, more than the {MAX_PAYLOAD} that can be read back"
            )
        attempts = [self._in_place, self._in_void, self._longer, self._before_clusters]
        firm = any(part.id == outline.CUES and part.size > _MAX_CUES for part in self.parts) or self.found.positions
        if firm:
            attempts.insert(3, self._at_end)
        for attempt in attempts:
            parts = attempt(old, tags)
            if parts is not None:
                settled, moved = self._settled(parts, listing=attempt in (self._at_end, self._before_clusters))
                if not moved or attempt == self._before_clusters:
                    self.parts = settled
                    return

    def _first_cluster(self) -> int:
        return next((n for n, part in enumerate(self.parts) if part.id == outline.CLUSTER), len(self.parts))

    def _in_place(self, old: _Part | None, tags: bytes) -> list[_Part] | None:
        if old is None:
            return None
        parts = self.parts
        at = parts.index(old)
        low, high = at, at + 1
        while low and parts[low - 1].id == VOID and parts[low - 1].new is None:
            low -= 1
        while high < len(parts) and parts[high].id == VOID and parts[high].new is None:
            high += 1
        for first in (at, low):
            span = parts[first].old[0], parts[high - 1].old[1]
            if (new := fitted(tags, span[1] - span[0])) is not None:
                return [*parts[:first], _Part(outline.TAGS, span, new, home=True), *parts[high:]]
        return None

    def _longer(self, old: _Part | None, tags: bytes) -> list[_Part] | None:
        if old is None or (at := self.parts.index(old)) < self._first_cluster() or not self._lists(old.old[0]):
            return None
        return [*self.parts[:at], replace(old, new=tags, home=True), *self.parts[at + 1 :]]

    def _in_void(self, old: _Part | None, tags: bytes) -> list[_Part] | None:
        """Place it at the end of a run of Voids, so that the rest leaves room for a SeekHead to grow."""
        parts = self._without(old)
        at, first = 0, self._first_cluster()
        while at < first:
            end = at
            while end < first and parts[end].id == VOID and parts[end].new is None:
                end += 1
            if end > at:
                span = parts[at].old[0], parts[end - 1].old[1]
                spare = span[1] - span[0] - len(tags)
                if spare >= 2:
                    rest = _Part(VOID, span, void(spare))
                    return [*parts[:at], rest, _Part(outline.TAGS, new=tags, home=True), *parts[end:]]
                if (new := fitted(tags, span[1] - span[0])) is not None:
                    return [*parts[:at], _Part(outline.TAGS, span, new, home=True), *parts[end:]]
            at = end + 1
        return None

    def _at_end(self, old: _Part | None, tags: bytes) -> list[_Part] | None:
        if not self.found.closed or not any(part.id == outline.SEEK_HEAD for part in self.parts):
            return None
        parts = self._without(old)
        return [*parts, _Part(outline.TAGS, new=tags, home=True)]

    def _before_clusters(self, old: _Part | None, tags: bytes) -> list[_Part] | None:
        first = self._first_cluster()
        if old is not None and (at := self.parts.index(old)) < first:
            return [*self.parts[:at], replace(old, new=tags, home=True), *self.parts[at + 1 :]]
        parts = self._without(old)
        return [*parts[:first], _Part(outline.TAGS, new=tags, home=True), *parts[first:]]

    def _without(self, old: _Part | None) -> list[_Part]:
        """Return the parts without the old Tags. Before the clusters, a Void takes its place."""
        if old is None:
            return self.parts
        at = self.parts.index(old)
        gap = [] if at > self._first_cluster() else [_Part(VOID, old.old, void(old.size))]
        return [*self.parts[:at], *gap, *self.parts[at + 1 :]]

    def _lists(self, offset: int) -> bool:
        return any(
            number == outline.TAGS and self.base + position == offset
            for part in self.parts
            if part.id == outline.SEEK_HEAD
            for number, _, position in outline.seeks(*self._read(part))
        )

    def _read(self, part: _Part) -> tuple[bytes, Element]:
        raw = self.data[part.old[0] : part.old[1]]
        top = header(raw, 0)
        assert top is not None
        return raw, top

    # Positions

    def _settled(self, parts: list[_Part], listing: bool) -> tuple[list[_Part], bool]:
        """Update SeekHead and Cues until all sizes and positions agree.

        Both may grow, as integers have the width that they need, and thereby move the elements that they list. From
        round to round sizes only grow, until nothing changes.

        Args:
            parts: The parts.
            listing: Whether the SeekHead must list the Tags; otherwise it does so only if there is room.

        Returns:
            The parts, and whether clusters have moved.
        """
        current, before = parts, [-1]
        for _ in range(_ROUNDS):
            places = _Places(self.base, current)
            if places.starts == before:
                return current, places.moved_clusters
            before = places.starts
            current = self._updated(parts, places, listing)
        raise LabelingError(
            "there is no place for the tags in this file", hint="re-mux it first, for example with mkvmerge"
        )

    def _updated(self, parts: list[_Part], places: _Places, listing: bool) -> list[_Part]:
        result: list[_Part] = []
        wanted = places.home is not None and not self._home_listed(places)
        at = 0
        while at < len(parts):
            part, choices = parts[at], [b""]
            at += 1
            if part.id == outline.SEEK_HEAD:
                choices = self._seek_head(part, places, wanted, listing)
                wanted = False
            elif part.id == outline.CUES and places.moved_clusters:
                choices = [self._cues(part, places)]
            else:
                result.append(part)
                continue
            room = parts[at] if at < len(parts) and parts[at].id == VOID else None
            new, taken = _grown(part, choices, room)
            if room is not None and taken:
                result.append(_Part(part.id, (part.old[0], room.old[1]), new))
                at += 1
            else:
                result.append(replace(part, new=new))
        return result

    def _home_listed(self, places: _Places) -> bool:
        return any(
            number == outline.TAGS and position not in places.other_tags
            for part in self.parts
            if part.id == outline.SEEK_HEAD
            for number, _, position in outline.seeks(*self._read(part))
        )

    def _seek_head(self, part: _Part, places: _Places, wanted: bool, listing: bool) -> list[bytes]:
        """Return candidates for a SeekHead, the best one first: with a new entry for the Tags, or without."""
        raw, top = self._read(part)
        entries = {entry.start: (number, position) for number, entry, position in outline.seeks(raw, top)}

        def change(child: Element) -> bytes | None:
            if child.start not in entries:
                return None
            number, position = entries[child.start]
            target: int | None = places.moved(position)
            if number == outline.TAGS and position not in places.other_tags:
                target = places.home
            if target is None:  # the listed element is gone
                return void(child.end - child.start)
            return None if target == position else _with_position(raw, child, target)

        plain = rebuilt(raw, top, (), change)
        if not wanted or places.home is None:
            return [plain]
        longer = rebuilt(raw, top, (), change, {top.start: outline.seek_entry(outline.TAGS, places.home)})
        return [longer] if listing else [longer, plain]

    def _cues(self, part: _Part, places: _Places) -> bytes:
        if part.size > _MAX_CUES:
            raise LabelingError(f"its index has {part.size} bytes, more than the {_MAX_CUES} that are rewritten")
        raw, top = self._read(part)

        def change(child: Element) -> bytes | None:
            if child.id not in _CUE_PLACES or not (position := unsigned(raw, child)):
                return None
            return made(child.id, outline.least(places.moved(position), child.end - child.body))

        return rebuilt(raw, top, _IN_CUES, change)

    def edits(self) -> list[Edit]:
        """Return the edits from the old parts to the new ones."""
        segment, places = self.found.segment, _Places(self.base, self.parts)
        result: list[Edit] = []
        at, pending = self.base, b""
        for part in self.parts:
            if not part.old[1]:
                pending += part.new or b""
                continue
            if pending or at < part.old[0]:
                result.append((at, part.old[0], pending))
            at, pending = part.old[1], b""
            if part.id == CRC32:  # of the whole Segment, which would have to be read to compute it again
                result.append((*part.old, void(part.size)))
            elif part.new is not None:
                result.append((*part.old, part.new))
        if pending or at < segment.end:
            result.append((at, segment.end, pending))
        if self.found.sized and places.size != segment.end - self.base:
            width = segment.body - segment.start - len(coded_id(segment.id))
            result.append((segment.start, segment.body, coded_id(segment.id) + coded_size(places.size, width)))
        if places.moved_clusters:
            result += self._cluster_positions(places)
        return result

    def _cluster_positions(self, places: _Places) -> list[Edit]:
        """Update the positions in clusters (RFC 9559, 5.1.3.2), whose fields keep their width.

        A cluster's checksum becomes a Void of the same size: to compute it again, the cluster would have to be read.
        """
        result = []
        for offset, width, summed in self.found.positions:
            new = outline.least(places.moved(int.from_bytes(self.data[offset : offset + width], "big")), width)
            if len(new) > width:
                raise LabelingError(
                    "the tags would move clusters beyond what their positions can hold", hint="re-mux the file first"
                )
            result.append((offset, offset + width, new))
            if summed:
                result.append((summed, summed + 1, coded_id(VOID)))
        return result


class _Places:
    """The current positions of all parts, which count from the body of the Segment as all positions do."""

    def __init__(self, base: int, parts: list[_Part]) -> None:
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


def _grown(part: _Part, choices: list[bytes], room: _Part | None) -> tuple[bytes | None, bool]:
    """Return the first choice that moves nothing, and whether it takes the Void behind; otherwise the last choice."""
    for new in choices:
        if len(new) == part.size:
            return new, False
        if room is not None and (both := fitted(new, part.size + room.size)) is not None:
            return both, True
    return choices[-1], False


def _with_position(raw: bytes, entry: Element, position: int) -> bytes:
    def change(child: Element) -> bytes | None:
        if child.id != outline.SEEK_POSITION:
            return None
        return made(child.id, outline.least(position, child.end - child.body))

    return rebuilt(raw, entry, (), change)
