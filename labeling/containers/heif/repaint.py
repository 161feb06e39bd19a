"""Give pictures of a HEIF file new coded data and properties; everything else in the file stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from labeling.containers.base import Buffer
from labeling.containers.edits import Edit
from labeling.containers.heif.edit import Editor
from labeling.containers.heif.layout import coded_spans, fixed
from labeling.containers.heif.meta_box import Location
from labeling.containers.heif.pictures import Association, Pictures
from labeling.containers.syntax.isobmff import box, children, full_box
from labeling.errors import LabelingError

_MAX_32 = 0xFFFFFFFF


class PictureEditor(Editor):
    """Collects new coded data and properties of items; :meth:`pieces` returns the new file.

    New data takes the place of the old data in its mdat box. Data that other items or tracks share stays, and the new
    data goes to the end of the file.

    Args:
        pictures: The file.

    Raises:
        LabelingError: Boxes of this file cannot move.
    """

    def __init__(self, pictures: Pictures) -> None:
        file = pictures.file
        if reason := fixed(file):
            raise LabelingError(reason)
        super().__init__(file, pictures.meta, tuple(coded_spans(file, [])))
        self._pictures = pictures
        self._growth: dict[int, int] = {}  # start of an mdat box → by how much it grows
        iprp = pictures.meta.child(b"iprp")
        view = file.view
        self._iprp = children(view, iprp) if iprp is not None else []
        self._boxes = [bytes(view[each.start : each.end]) for each in pictures.meta.properties]
        self._associations = {number: list(found) for number, found in pictures.associations.items()}
        self._changed = False
        self._before = [
            (meta is self._meta, location.id, meta.spans(location, len(view)))
            for meta in (self._meta, *file.inner)
            for location in meta.locations.values()
        ]

    def replace(self, number: int, payload: bytes) -> None:
        """Give an item new coded data."""
        old = self._spans(number)
        homes = [next((each for each in self._file.boxes if each.type == b"mdat" and each.body <= at
                       and at + length <= each.end), None) for at, length in old]  # fmt: skip
        location = self._meta.locations[number]
        if old and location.method == 0 and all(homes) and not self._shared(number, old):
            for index, ((at, length), home) in enumerate(zip(old, homes, strict=True)):
                assert home is not None
                new = payload if index == 0 else b""
                self._resizes.append((at, at + length, new))
                self._growth[home.start] = self._growth.get(home.start, 0) + len(new) - length
            offset = old[0][0]
        else:
            self._release(old)
            offset = self._file.end + 8 + sum(map(len, self._appended))
            self._appended.append(payload)
        self._meta.locations[number] = Location(number, 0, 0, 0, [(0, offset, len(payload))])
        self._redirect(old, self._meta.locations[number])

    def _shared(self, number: int, mine: list[tuple[int, int]]) -> bool:
        """Return whether other items or tracks use some of these bytes, or an item uses a byte twice."""
        others = [span for track in self._file.tracks for span in track.spans()]
        for is_ours, other, spans in self._before:
            if is_ours and other != number and spans == mine:
                return True
            if spans != mine:
                others += spans
        ordered = sorted(mine)
        twice = any(sum(one) > two[0] for one, two in pairwise(ordered))
        return twice or any(at < start + more and start < at + length for at, length in mine for start, more in others)

    # Properties

    def set_property(self, numbers: Iterable[int], kind: bytes, body: bytes, *, like: bytes = b"") -> None:
        """Replace a property of items, in the place where it is.

        A property that other items have as well stays theirs.

        Args:
            numbers: The items.
            kind: Type of the property.
            body: Its new content.
            like: How the content of the old property begins, where an item has several of the type.
        """
        wanted = set(numbers)
        new = box(kind, body)
        for index, old in enumerate(self._boxes, 1):
            start = self._meta.properties[index - 1] if index <= len(self._meta.properties) else None
            if start is None or start.type != kind or not bytes(self._view[start.body : start.end]).startswith(like):
                continue
            users = {
                number for number, found in self._associations.items() if any(each.index == index for each in found)
            }
            mine = users & wanted
            if not mine or old == new:
                continue
            self._changed = True
            if mine == users:
                self._boxes[index - 1] = new
                continue
            if new not in self._boxes[len(self._meta.properties) :]:
                self._boxes.append(new)
            fresh = self._boxes.index(new, len(self._meta.properties)) + 1
            for number in mine:
                self._associations[number] = [
                    Association(fresh, each.essential) if each.index == index else each
                    for each in self._associations[number]
                ]

    def drop_property(self, number: int, kind: bytes) -> None:
        """Take a property away from an item."""
        known = self._meta.properties
        kept = [
            each for each in self._associations.get(number, ())
            if not 0 < each.index <= len(known) or known[each.index - 1].type != kind
        ]  # fmt: skip
        if len(kept) != len(self._associations.get(number, ())):
            self._associations[number] = kept
            self._changed = True

    def _properties(self) -> bytes:
        """Return the new iprp box."""
        wide_ids = any(number > 0xFFFF for number in self._associations)
        wide = any(each.index > 0x7F for found in self._associations.values() for each in found)
        id_size, size = (4 if wide_ids else 2), (2 if wide else 1)
        rows = [len(self._associations).to_bytes(4, "big")]
        for number, found in sorted(self._associations.items()):
            rows.append(number.to_bytes(id_size, "big") + bytes((len(found),)))
            rows += [(each.index | each.essential << 8 * size - 1).to_bytes(size, "big") for each in found]
        ipma = full_box(b"ipma", int(wide_ids), *rows, flags=int(wide))
        rest = [bytes(self._view[each.start : each.end]) for each in self._iprp if each.type not in (b"ipco", b"ipma")]
        return box(b"iprp", box(b"ipco", *self._boxes), ipma, *rest)

    # The result

    def pieces(self) -> list[Buffer]:
        """Return the new file: views of the old one, and the changed bytes."""
        if self._changed:
            self._meta.replaced[b"iprp"] = self._properties()
        self._overwrites += [edit for start, by in self._growth.items() for edit in self._resized_header(start, by)]
        return super().pieces()

    def _close_last_box(self) -> None:
        if self._file.boxes[-1].start not in self._growth:  # else its header is written with its new size
            super()._close_last_box()

    def _resized_header(self, start: int, by: int) -> list[Edit]:
        """Return the edit of the size that the header of an mdat box gives, whichever of its three forms it has."""
        stated = int.from_bytes(self._view[start : start + 4], "big")
        if stated == 0:  # "to the end of the file"
            if not self._appended:
                return []
            stated = self._file.boxes[-1].end - start
        if stated == 1:
            size = int.from_bytes(self._view[start + 8 : start + 16], "big") + by
            return [(start + 8, start + 16, size.to_bytes(8, "big"))]
        if stated + by > _MAX_32:
            raise LabelingError("the picture data would be larger than the 4 GiB that its box can be")
        return [(start, start + 4, (stated + by).to_bytes(4, "big"))]
