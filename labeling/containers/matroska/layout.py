"""Rearrange the parts of a Matroska Segment, and update every position that refers to them (RFC 9559, 16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from labeling.containers.base import MAX_PAYLOAD, Media
from labeling.containers.edits import MediaEdit
from labeling.containers.matroska import outline
from labeling.containers.matroska.ebml import (
    CRC32,
    VOID,
    Element,
    children,
    coded_id,
    coded_size,
    fitted,
    header,
    made,
    rebuilt,
    unsigned,
    void,
)
from labeling.containers.matroska.parts import Part, Places
from labeling.errors import LabelingError

MAX_CUES = 64 << 20
"""Limit on the bytes of Cues that are rewritten."""

_ROUNDS = 32
"""Limit on the rounds in which sizes and positions settle."""

_IN_CUES = {outline.CUE_POINT, outline.CUE_TRACK_POSITIONS, 0xDB}
# CueClusterPosition, CueCodecState, CueRefCluster, CueRefCodecState (RFC 9559, 5.1.5). A state of 0 means "none".
_CUE_PLACES = {outline.CUE_CLUSTER_POSITION, 0xEA, 0x97, 0xEB}
_CUE_TIME, _CUE_TRACK, CUE_RELATIVE_POSITION = 0xB3, 0xF7, 0xF0

Find = Callable[[int, int | None, int, int], tuple[int, int | None]]
"""Says where a cue refers to now: (offset of the old cluster, old position in it, track, time) → (offset of the old
cluster whose successor it is in, position in that). A position of ``None`` is not stated."""


class Layout:
    """Rearranges the parts of one Segment.

    Args:
        data: The file.
        found: Its outline.
        parts: Its parts; together they cover all of ``found.items``.
        find: Says where cues refer to, if the content of clusters changes.
    """

    def __init__(self, data: Media, found: outline.Outline, parts: list[Part], find: Find | None = None) -> None:
        self.data, self.found, self.parts, self.find = data, found, parts, find
        self.base = found.segment.body

    def place(self, home: tuple[Part | None, bytes] | None) -> None:
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
        firm = any(part.id == outline.CUES and part.size > MAX_CUES for part in self.parts) or self.found.positions
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

    def _in_place(self, old: Part | None, tags: bytes) -> list[Part] | None:
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
                return [*parts[:first], Part(outline.TAGS, span, new, home=True), *parts[high:]]
        return None

    def _longer(self, old: Part | None, tags: bytes) -> list[Part] | None:
        if old is None or (at := self.parts.index(old)) < self._first_cluster() or not self._lists(old.old[0]):
            return None
        return [*self.parts[:at], replace(old, new=tags, home=True), *self.parts[at + 1 :]]

    def _in_void(self, old: Part | None, tags: bytes) -> list[Part] | None:
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
                    rest = Part(VOID, span, void(spare))
                    return [*parts[:at], rest, Part(outline.TAGS, new=tags, home=True), *parts[end:]]
                if (new := fitted(tags, span[1] - span[0])) is not None:
                    return [*parts[:at], Part(outline.TAGS, span, new, home=True), *parts[end:]]
            at = end + 1
        return None

    def _at_end(self, old: Part | None, tags: bytes) -> list[Part] | None:
        if not self.found.closed or not any(part.id == outline.SEEK_HEAD for part in self.parts):
            return None
        parts = self._without(old)
        return [*parts, Part(outline.TAGS, new=tags, home=True)]

    def _before_clusters(self, old: Part | None, tags: bytes) -> list[Part] | None:
        first = self._first_cluster()
        if old is not None and (at := self.parts.index(old)) < first:
            return [*self.parts[:at], replace(old, new=tags, home=True), *self.parts[at + 1 :]]
        parts = self._without(old)
        return [*parts[:first], Part(outline.TAGS, new=tags, home=True), *parts[first:]]

    def _without(self, old: Part | None) -> list[Part]:
        """Return the parts without the old Tags. Before the clusters, a Void takes its place."""
        if old is None:
            return self.parts
        at = self.parts.index(old)
        gap = [] if at > self._first_cluster() else [Part(VOID, old.old, void(old.size))]
        return [*self.parts[:at], *gap, *self.parts[at + 1 :]]

    def _lists(self, offset: int) -> bool:
        return any(
            number == outline.TAGS and self.base + position == offset
            for part in self.parts
            if part.id == outline.SEEK_HEAD
            for number, _, position in outline.seeks(*self._read(part))
        )

    def _read(self, part: Part) -> tuple[bytes, Element]:
        raw = self.data[part.old[0] : part.old[1]]
        top = header(raw, 0)
        assert top is not None
        return raw, top

    # Positions

    def _settled(self, parts: list[Part], listing: bool) -> tuple[list[Part], bool]:
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
            places = Places(self.base, current)
            if places.starts == before:
                return current, places.moved_clusters
            before = places.starts
            current = self._updated(parts, places, listing)
        raise LabelingError(
            "there is no place for the tags in this file", hint="re-mux it first, for example with mkvmerge"
        )

    def _updated(self, parts: list[Part], places: Places, listing: bool) -> list[Part]:
        result: list[Part] = []
        wanted = places.home is not None and not self._home_listed(places)
        at = 0
        while at < len(parts):
            part, choices = parts[at], [b""]
            at += 1
            if part.id == outline.SEEK_HEAD:
                choices = self._seek_head(part, places, wanted, listing)
                wanted = False
            elif part.id == outline.CUES and (places.moved_clusters or self.find is not None):
                choices = [self._cues(part, places)]
            else:
                result.append(part)
                continue
            room = parts[at] if at < len(parts) and parts[at].id == VOID else None
            new, taken = _grown(part, choices, room)
            if room is not None and taken:
                result.append(Part(part.id, (part.old[0], room.old[1]), new))
                at += 1
            else:
                result.append(replace(part, new=new))
        return result

    def _home_listed(self, places: Places) -> bool:
        return any(
            number == outline.TAGS and position not in places.other_tags
            for part in self.parts
            if part.id == outline.SEEK_HEAD
            for number, _, position in outline.seeks(*self._read(part))
        )

    def _seek_head(self, part: Part, places: Places, wanted: bool, listing: bool) -> list[bytes]:
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

    def _cues(self, part: Part, places: Places) -> bytes:
        if part.size > MAX_CUES:
            raise LabelingError(f"its index has {part.size} bytes, more than the {MAX_CUES} that are rewritten")
        raw, top = self._read(part)

        def change(child: Element) -> bytes | None:
            if child.id == outline.CUE_POINT and self.find is not None:
                return self._cue(raw, child, places, self.find)
            if child.id not in _CUE_PLACES or not (position := unsigned(raw, child)):
                return None
            return made(child.id, outline.least(places.moved(position), child.end - child.body))

        return rebuilt(raw, top, _IN_CUES, change)

    def _cue(self, raw: bytes, point: Element, places: Places, find: Find) -> bytes:
        """Rebuild a cue whose block may be elsewhere in its cluster, or in another one."""
        time = next((unsigned(raw, child) for child in children(raw, point) if child.id == _CUE_TIME), 0)
        known: dict[int, int | None] = {}  # offset of an element → its new value

        for child in children(raw, point):
            if child.id != outline.CUE_TRACK_POSITIONS:
                continue
            parts = {each.id: each for each in children(raw, child)}
            cluster, relative = parts.get(outline.CUE_CLUSTER_POSITION), parts.get(CUE_RELATIVE_POSITION)
            if cluster is None:
                continue
            track = unsigned(raw, parts[_CUE_TRACK]) if _CUE_TRACK in parts else 0
            old = None if relative is None else unsigned(raw, relative)
            start, new = find(self.base + unsigned(raw, cluster), old, track, time)
            known[cluster.start] = places.moved(start - self.base)
            if relative is not None:
                known[relative.start] = new

        def change(child: Element) -> bytes | None:
            if child.start in known:
                value = known[child.start]
                return b"" if value is None else made(child.id, outline.least(value, child.end - child.body))
            if child.id not in _CUE_PLACES or not (position := unsigned(raw, child)):
                return None
            return made(child.id, outline.least(places.moved(position), child.end - child.body))

        return rebuilt(raw, point, _IN_CUES, change)

    def edits(self) -> list[MediaEdit]:
        """Return the edits from the old parts to the new ones."""
        segment, places = self.found.segment, Places(self.base, self.parts)
        result: list[MediaEdit] = []
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
            elif part.pieces:
                result += [(part.old[0], part.old[0], piece) for piece in part.pieces]
                result.append((*part.old, b""))
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

    def _cluster_positions(self, places: Places) -> list[MediaEdit]:
        """Update the positions in clusters (RFC 9559, 5.1.3.2), whose fields keep their width.

        A cluster's checksum becomes a Void of the same size: to compute it again, the cluster would have to be read.
        """
        result: list[MediaEdit] = []
        changed = [part.old for part in self.parts if part.pieces]
        for offset, width, summed in self.found.positions:
            if any(start <= offset < end for start, end in changed):
                continue
            new = outline.least(places.moved(int.from_bytes(self.data[offset : offset + width], "big")), width)
            if len(new) > width:
                raise LabelingError(
                    "the tags would move clusters beyond what their positions can hold", hint="re-mux the file first"
                )
            result.append((offset, offset + width, new))
            if summed:
                result.append((summed, summed + 1, coded_id(VOID)))
        return result


def _grown(part: Part, choices: list[bytes], room: Part | None) -> tuple[bytes | None, bool]:
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
