"""Change the items of a HEIF or AVIF file: the only place where its boxes change their size.

Until the very end, all offsets are those of the *old* file; :meth:`Editor._moved` then maps each of them to the new
one. Appended data gets offsets behind the end of the old file.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from labeling.containers.base import Buffer
from labeling.containers.edits import Edit, splice
from labeling.containers.heif import meta_box
from labeling.containers.heif.layout import File
from labeling.containers.syntax.isobmff import Box, box, table_bytes
from labeling.errors import LabelingError

_MAX_32 = 0xFFFFFFFF


class Editor:
    """Collects changes to the items and boxes of a file; :meth:`pieces` returns the new file.

    Args:
        file: The file.
        meta: Its meta box.
        coded: (offset, length) of all picture data.

    Attributes:
        inner: The meta boxes of the movie and its tracks.
    """

    def __init__(self, file: File, meta: meta_box.Meta, coded: tuple[tuple[int, int], ...]) -> None:
        self._file, self._meta, self._view, self._coded = file, meta, file.view, coded
        self.inner = file.inner
        for each in (meta, *file.inner):
            self._bound(each)
        self._idat = meta.child(b"idat")
        self._overwrites: list[Edit] = []  # of the same length, outside of the meta box
        self._idat_overwrites: list[Edit] = []
        self._resizes: list[Edit] = []  # whole boxes, or the end of the last one
        self._appended: list[bytes] = []
        self._starts: list[int] = []
        self._shifts: list[int] = []

    def _bound(self, meta: meta_box.Meta) -> None:
        """Give extents that reach to the end of the file their true length, since the file may grow."""
        for location in meta.locations.values():
            if location.method == 0 and meta.widths[1] and any(not length for _, _, length in location.extents):
                lengths = [length for _, length in meta.spans(location, len(self._view))]
                indices = [(index, offset) for index, offset, _ in location.extents]
                if lengths:
                    location.extents = [(*at, length) for at, length in zip(indices, lengths, strict=True)]

    # Requests

    def remove_box(self, start: int) -> None:
        """Remove the top-level box at the offset ``start``."""
        gone = next(each for each in self._file.boxes if each.start == start)
        self._resizes.append((gone.start, gone.end, b""))

    def remove_item(self, number: int, inner: meta_box.Meta | None = None) -> None:
        """Remove an item and overwrite its data with zeros.

        Args:
            number: Its ID.
            inner: The meta box of the movie or track that it belongs to; by default that of the file.

        Raises:
            LabelingError: It is the primary item.
        """
        meta = inner or self._meta
        if number == meta.primary:
            raise LabelingError("the metadata item is the primary item, the picture itself, and cannot be dropped")
        location = meta.locations.get(number)
        spans = meta.spans(location, len(self._view)) if location is not None else []
        self._release(spans)
        for each in (self._meta, *self._file.inner):
            for other in tuple(each.locations.values()):
                # An item of a track may share the same bytes.
                if (each is meta and other.id == number) or (spans and each.spans(other, len(self._view)) == spans):
                    self._forget(each, other.id)
        self._forget(meta, number)

    def _forget(self, meta: meta_box.Meta, number: int) -> None:
        meta.items.pop(number, None)
        meta.locations.pop(number, None)
        meta.dropped.add(number)

    def put(self, number: int, kind: bytes, content_type: str, payload: bytes) -> None:
        """Write an item.

        Args:
            number: ID of the item that gets new bytes; 0 creates one that describes the primary item.
            kind: Type of a new item.
            content_type: Media type of a new ``mime`` item.
            payload: The bytes.
        """
        meta = self._meta
        item = meta.items[number] if number else meta_box.new_item(meta, kind, content_type)
        if item.encoding or item.protected:
            # Its infe box says that its bytes are compressed or encrypted, which the new ones are not.
            self.remove_item(number)
            item, number = meta_box.new_item(meta, kind, content_type), 0
        if not number:
            meta.items[item.id] = item
            meta.described.append(item.id)
        old = self._spans(item.id)
        if not self._replaced(item.id, payload):
            self._release(old)
            offset = self._file.end + 8 + sum(map(len, self._appended))
            self._appended.append(payload)
            meta.locations[item.id] = meta_box.Location(item.id, 0, 0, 0, [(0, offset, len(payload))])
        self._redirect(old, meta.locations[item.id])

    # Old data

    def _spans(self, number: int) -> list[tuple[int, int]]:
        location = self._meta.locations.get(number)
        return self._meta.spans(location, len(self._view)) if location is not None else []

    def _redirect(self, old: list[tuple[int, int]], new: meta_box.Location) -> None:
        """Point items of tracks that shared the old bytes of an item to its new ones."""
        size = len(self._view)
        target = self._meta.spans(new, size)
        for inner in self._file.inner:
            for location in inner.locations.values():
                if old and location.method == 0 and inner.spans(location, size) == old:
                    location.base = 0
                    location.extents = [(0, offset, length) for offset, length in target]

    def _replaced(self, number: int, payload: bytes) -> bool:
        """Write ``payload`` where the item is, if there is room or it ends the file; return whether that was done."""
        location = self._meta.locations.get(number)
        spans = self._own(self._spans(number))
        if location is None or len(spans) != 1:
            return False
        offset, length = spans[0]
        last = self._file.boxes[-1]
        if location.method == 0 and offset + length == last.end and last.type == b"mdat" and offset >= last.body:
            if not self._grow(last, len(payload) - length):
                return False
            self._resizes.append((offset, last.end, payload))
        elif len(payload) <= length:
            self._overwrite(offset, payload.ljust(length, b"\0"))
        else:
            return False
        index, at, _ = location.extents[0]
        location.extents = [(index, at, len(payload))]
        return True

    def _grow(self, last: Box, by: int) -> bool:
        """Change the size in the header of the last box, in any of its three forms; return whether that is possible."""
        size, at = last.end - last.start + by, last.start
        if any(offset < last.body and at < offset + length for offset, length in self._coded):
            return False
        stated = int.from_bytes(self._view[at : at + 4], "big")
        if stated > 1:
            if size > _MAX_32:
                return False
            self._overwrites.append((at, at + 4, size.to_bytes(4, "big")))
        elif stated == 1:
            self._overwrites.append((at + 8, at + 16, size.to_bytes(8, "big")))
        return True

    def _own(self, mine: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the spans of an item that are in an mdat box or in idat and do not overlap another item in part."""
        size = len(self._view)
        others = [*self._coded]
        for meta in (self._meta, *self._file.inner):
            for other in meta.locations.values():
                if (spans := meta.spans(other, size)) != mine:
                    others += spans
        homes = [(each.body, each.end) for each in self._file.boxes if each.type == b"mdat"]
        homes += [(self._idat.body, self._idat.end)] if self._idat is not None else []
        return [
            (offset, length)
            for offset, length in mine
            if any(start <= offset and offset + length <= end for start, end in homes)
            and not any(offset < at + more and at < offset + length for at, more in others)
        ]

    def _release(self, spans: list[tuple[int, int]]) -> None:
        for offset, length in self._own(spans):
            self._overwrite(offset, bytes(length))

    def _overwrite(self, offset: int, new: bytes) -> None:
        inside = self._idat is not None and self._idat.start <= offset < self._idat.end
        (self._idat_overwrites if inside else self._overwrites).append((offset, offset + len(new), new))

    # The result

    def pieces(self) -> list[Buffer]:
        """Return the new file: views of the old one and the changed bytes.

        Raises:
            LabelingError: An offset or size has no room for its new value.
        """
        self._close_last_box()
        meta_edit = self._meta_edit()
        edits = [*self._overwrites, *self._resizes, meta_edit, *self._inner_edits(), *self._track_edits()]
        if self._appended:
            end = self._file.end
            edits.append((end, end, box(b"mdat", *self._appended)))
        return splice(self._view, edits)

    def _close_last_box(self) -> None:
        """Write the true size of a last box of size 0, "to the end of the file", before something follows it."""
        last = self._file.boxes[-1]
        if not self._appended or last.type == b"meta":
            return
        if last.start == self._meta.box.end and last.type in (b"free", b"skip"):
            return  # it is rewritten together with meta
        if bytes(self._view[last.start : last.start + 4]) != b"\0\0\0\0" or any(
            e[0] == last.start for e in self._resizes
        ):
            return
        if last.end - last.start > _MAX_32 or any(at < last.body and last.start < at + n for at, n in self._coded):
            raise LabelingError(
                "the last box of the file has no size, and cannot be given one", hint="re-save the file"
            )
        self._overwrites.append((last.start, last.start + 4, (last.end - last.start).to_bytes(4, "big")))

    def _meta_edit(self) -> Edit:
        """Return the edit of the meta box, once its size and the offsets in it agree."""
        start, end = self._meta.box.start, self._meta.box.end
        following = next((each for each in self._file.boxes if each.start == end), None)
        spare = following if following is not None and following.type in (b"free", b"skip") else None
        if spare is not None and any(edit[0] == spare.start for edit in self._resizes):
            spare = None
        idat = self._new_idat()
        widths = self._meta.widths
        if self._appended and not (widths[0] and widths[1]):
            # Fields of width 0 mean "from the start" and "all of it", which is not true of appended data.
            widths = (widths[0] or 4, widths[1] or 4, *widths[2:])
        for _ in range(4):
            # The size of the box only depends on the widths of its numbers, so any offsets will do to measure it.
            draft = meta_box.iloc_bytes(self._meta, widths, lambda offset: offset)
            if draft is not None:
                size = len(meta_box.assembled(self._view, self._meta, draft, idat))
                available = (spare.end if spare is not None else end) - start
                # A free box behind meta takes the rest, so that nothing else moves.
                rest = available - size
                room = rest if rest >= 8 else 0
                self._map((start, start + available, size + room))
                iloc = meta_box.iloc_bytes(self._meta, widths, self._moved)
                if iloc is not None:
                    new = meta_box.assembled(self._view, self._meta, iloc, idat) + (
                        box(b"free", bytes(room - 8)) if room else b""
                    )
                    return start, start + available, new
            widths = meta_box.widened(self._meta, widths)
        raise LabelingError("the item locations of the file cannot be changed", hint="re-save it")

    def _new_idat(self) -> bytes | None:
        idat = self._idat
        if idat is None or not self._idat_overwrites:
            return None
        edits = [(start - idat.start, end - idat.start, new) for start, end, new in self._idat_overwrites]
        return b"".join(splice(self._view[idat.start : idat.end], edits))

    # Offsets

    def _map(self, meta: tuple[int, int, int]) -> None:
        """Record what moves: everything behind a box that changes its size. ``meta`` is (start, end, new size)."""
        changes = [(end, len(new) - (end - start)) for start, end, new in self._resizes]
        changes.append((meta[1], meta[2] - (meta[1] - meta[0])))
        changes.sort()
        self._starts = [end for end, _ in changes]
        self._shifts = [0, *accumulate(delta for _, delta in changes)]

    def _moved(self, offset: int) -> int:
        return offset + self._shifts[bisect_right(self._starts, offset)]

    def _inner_edits(self) -> list[Edit]:
        """Return the edits of the meta boxes of tracks. Their size must not change, or the movie would move."""
        edits: list[Edit] = []
        for inner in self._file.inner:
            start, end = inner.box.start, inner.box.end
            iloc = meta_box.iloc_bytes(inner, inner.widths, self._moved)
            new = meta_box.assembled(self._view, inner, iloc) if iloc is not None else b""
            spare = end - start - len(new)
            if iloc is None or spare < 0 or 0 < spare < 8:
                raise LabelingError("the items of a track cannot be changed", hint="re-save the sequence")
            if spare:  # a free box inside meta, as its last child
                new = (end - start).to_bytes(4, "big") + new[4:] + box(b"free", bytes(spare - 8))
            edits.append((start, end, new))
        return edits

    def _track_edits(self) -> list[Edit]:
        edits: list[Edit] = []
        for track in self._file.tracks:
            rows = track.offsets[:]
            try:
                for at, offset in enumerate(rows):
                    rows[at] = self._moved(offset)
            except OverflowError:
                raise LabelingError("a chunk offset no longer fits its 32 bits", hint="re-save the file") from None
            new, start = table_bytes(rows), track.table.body + 8
            if rows != track.offsets:
                edits.append((start, start + len(new), new))
        return edits
