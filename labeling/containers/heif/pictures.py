"""The pictures of a HEIF file: how items belong together, their properties, and how each is to be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling.containers.heif.layout import File
from labeling.containers.heif.meta_box import Item, Meta
from labeling.containers.syntax.aperture import Rect, clean_aperture
from labeling.containers.syntax.isobmff import children, walk
from labeling.errors import UnreadableFile

MAX_ASSOCIATIONS = 1 << 18
"""Limit on the associations of properties, and on the references between items."""

MAX_TILES = 1 << 16


@dataclass(frozen=True, slots=True)
class Association:
    """A property of an item: its index in ipco, from 1, and whether readers must understand it."""

    index: int
    essential: bool


class Reference(NamedTuple):
    """One entry of iref (ISO/IEC 14496-12, 8.11.12)."""

    type: bytes
    source: int
    targets: tuple[int, ...]


class Property(NamedTuple):
    """A property box: its type and its content."""

    type: bytes
    body: bytes


class Grid(NamedTuple):
    """A grid item (ISO/IEC 23008-12, 6.6.2.3): tiles row by row, cut at the right and at the bottom."""

    rows: int
    columns: int
    width: int
    height: int


@dataclass(slots=True)
class Pictures:
    """Items with their properties and references.

    Attributes:
        file: The file.
        meta: Its meta box.
        associations: The properties of each item, in their order.
        references: The entries of iref.
        flags: The flags of the ipma boxes, of which 1 is for indices of 15 bits.
    """

    file: File
    meta: Meta
    associations: dict[int, list[Association]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)

    def __post_init__(self) -> None:
        iprp = self.meta.child(b"iprp")
        left = MAX_ASSOCIATIONS
        for ipma in children(self.file.view, iprp, b"ipma") if iprp is not None else ():
            for number, found in _read_associations(bytes(self.file.view[ipma.body : ipma.end])):
                left -= 1 + len(found)
                if left < 0:
                    raise UnreadableFile("its ipma boxes have too many entries")
                self.associations.setdefault(number, []).extend(found)
        self.references = list(self._read_references())

    def _read_references(self) -> Iterator[Reference]:
        view, iref = self.file.view, self.meta.child(b"iref")
        if iref is None:
            return
        size, left = (4 if view[iref.body] else 2), MAX_ASSOCIATIONS
        for each in walk(view, iref.body + 4, iref.end).boxes:
            raw = bytes(view[each.body : each.end])
            count = int.from_bytes(raw[size : size + 2], "big")
            numbers = [int.from_bytes(raw[at : at + size], "big") for at in range(size + 2, len(raw) - size + 1, size)]
            left -= 1 + len(numbers)
            if left < 0:
                return
            yield Reference(each.type, int.from_bytes(raw[:size], "big"), tuple(numbers[:count]))

    # Items

    def item(self, number: int) -> Item | None:
        """Return an item by its ID."""
        return self.meta.items.get(number)

    def kind(self, number: int) -> bytes:
        """Return the type of an item; empty if there is none."""
        item = self.meta.items.get(number)
        return item.type if item is not None else b""

    def properties(self, number: int) -> list[Property]:
        """Return the properties of an item, in their order."""
        found = []
        for each in self.associations.get(number, ()):
            if 0 < each.index <= len(self.meta.properties):
                box = self.meta.properties[each.index - 1]
                found.append(Property(box.type, bytes(self.file.view[box.body : box.end])))
        return found

    def property(self, number: int, kind: bytes) -> bytes | None:
        """Return the content of the first property of a type."""
        return next((body for name, body in self.properties(number) if name == kind), None)

    def targets(self, kind: bytes, source: int) -> tuple[int, ...]:
        """Return the items that an item refers to."""
        return next((each.targets for each in self.references if each.type == kind and each.source == source), ())

    def sources(self, kind: bytes, target: int) -> list[int]:
        """Return the items that refer to an item."""
        return [each.source for each in self.references if each.type == kind and target in each.targets]

    def size(self, number: int) -> tuple[int, int]:
        """Return width and height by the ispe property; (0, 0) if there is none."""
        ispe = self.property(number, b"ispe")
        if ispe is None or len(ispe) < 12:
            return 0, 0
        return int.from_bytes(ispe[4:8], "big"), int.from_bytes(ispe[8:12], "big")

    def nclx(self, number: int) -> tuple[int, int, int, bool] | None:
        """Return primaries, transfer, matrix and whether the range is full, of the nclx colour property."""
        for kind, body in self.properties(number):
            if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 11:
                codes = [int.from_bytes(body[at : at + 2], "big") for at in (4, 6, 8)]
                return codes[0], codes[1], codes[2], bool(body[10] & 0x80)
        return None

    def payload(self, number: int) -> bytes:
        """Return the bytes of an item.

        Raises:
            UnreadableFile: They are not in this file, or encrypted.
        """
        location, item = self.meta.locations.get(number), self.meta.items.get(number)
        size = len(self.file.view)
        spans = self.meta.spans(location, size) if location is not None else []
        if item is None or not spans or item.protected:
            raise UnreadableFile(f"the data of item {number} cannot be read here")
        if any(offset + length > size for offset, length in spans) or sum(length for _, length in spans) > size:
            raise UnreadableFile(f"the data of item {number} extends beyond the end of the file")
        return b"".join(bytes(self.file.view[offset : offset + length]) for offset, length in spans)

    def head(self, number: int, count: int) -> bytes:
        """Return the first bytes of an item, ``count`` at most; fewer if they are not in this file."""
        location = self.meta.locations.get(number)
        found = b""
        for offset, length in self.meta.spans(location, len(self.file.view)) if location is not None else ():
            found += bytes(self.file.view[offset : offset + min(length, count - len(found))])
            if len(found) >= count:
                break
        return found

    def grid(self, number: int) -> Grid:
        """Read a grid item.

        Raises:
            UnreadableFile: It is damaged.
        """
        raw = self.payload(number)
        wide = 4 if raw[1:2] and raw[1] & 1 else 2
        if len(raw) < 4 + 2 * wide or raw[0]:
            raise UnreadableFile(f"the grid item {number} is damaged")
        width, height = int.from_bytes(raw[4 : 4 + wide], "big"), int.from_bytes(raw[4 + wide : 4 + 2 * wide], "big")
        return Grid(raw[2] + 1, raw[3] + 1, width, height)

    def overlay(self, number: int) -> list[tuple[int, int]]:
        """Return where the layers of an overlay item are (ISO/IEC 23008-12, 6.6.2.2), the lowest first: (left, top).

        Raises:
            UnreadableFile: It is damaged.
        """
        raw = self.payload(number)
        wide = 4 if raw[1:2] and raw[1] & 1 else 2
        at = 10 + 2 * wide
        places = [int.from_bytes(raw[p : p + wide], "big", signed=True) for p in range(at, len(raw) - wide + 1, wide)]
        size = tuple(int.from_bytes(raw[p : p + wide], "big") for p in (10, 10 + wide))
        if len(raw) < at or raw[0] or len(places) % 2 or size != self.size(number):
            raise UnreadableFile(f"the overlay item {number} is damaged")
        return list(zip(places[::2], places[1::2], strict=True))

    # How pictures are shown

    def masters(self) -> list[int]:
        """Return the pictures that readers show on their own, the primary one first.

        The others are neither hidden (ISO/IEC 23008-12, 6.4.2), nor thumbnails, nor auxiliary, nor what other items
        are derived from.
        """
        below = {target for each in self.references if each.type == b"dimg" for target in each.targets}
        below |= {each.source for each in self.references if each.type in (b"thmb", b"auxl")}
        found = [self.meta.primary]
        for number, item in self.meta.items.items():
            hidden = item.raw[11:12] != b"" and bool(item.raw[11] & 1)
            if number == self.meta.primary or number in below or hidden or item.is_metadata:
                continue
            if self.property(number, b"ispe") is not None:
                found.append(number)
        return found

    def turns(self, number: int) -> tuple[Rect, list[tuple[str, int]]]:
        """Return the part of a picture that is shown, and how it is turned then.

        Returns:
            The clean aperture in coded pixels, and the rotations (``irot``, quarter turns anticlockwise) and mirrorings
            (``imir``, axis) in their order. The aperture is rounded inwards.
        """
        width, height = self.size(number)
        rect: Rect = (0, 0, width, height)
        turned: list[tuple[str, int]] = []
        for kind, body in self.properties(number):
            if kind == b"irot" and body:
                turned.append(("irot", body[0] & 3))
            elif kind == b"imir" and body:
                turned.append(("imir", body[0] & 1))
            elif kind == b"clap" and not turned:
                rect = clean_aperture(body, width, height)
        return rect, turned


def _read_associations(raw: bytes) -> Iterator[tuple[int, list[Association]]]:
    """Read an ipma box (ISO/IEC 23008-12, 9.3)."""
    id_size, size = (4 if raw[:1] > b"\0" else 2), (2 if raw[3:4] and raw[3] & 1 else 1)
    essential = 0x80 << 8 * (size - 1)
    at = 8
    for _ in range(int.from_bytes(raw[4:8], "big")):
        if at + id_size + 1 > len(raw):
            return
        number, count = int.from_bytes(raw[at : at + id_size], "big"), raw[at + id_size]
        at += id_size + 1
        values = [int.from_bytes(raw[p : p + size], "big") for p in range(at, at + count * size, size)]
        at += count * size
        yield number, [Association(value & (essential - 1), bool(value & essential)) for value in values]
