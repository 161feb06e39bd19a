"""The meta box of HEIF and AVIF (ISO/IEC 14496-12, 8.11): which items there are, and where their bytes are."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from labeling.containers.syntax.isobmff import Box, box, children, full_box, walk
from labeling.errors import LabelingError

MAX_ITEMS = 1 << 16
"""Limit on the items of a file."""

MAX_EXTENTS = 1 << 18
"""Limit on the extents of all items together."""

XMP_TYPE = "application/rdf+xml"


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        id: Its ID.
        type: Its type, such as ``Exif`` or ``mime``.
        raw: Its infe box.
        content_type: Media type of a ``mime`` item.
        encoding: Content encoding of a ``mime`` item.
        protected: Whether it is encrypted.
    """

    id: int
    type: bytes
    raw: bytes
    content_type: str = ""
    encoding: str = ""
    protected: bool = False

    @property
    def is_metadata(self) -> bool:
        """Whether it is not a coded picture."""
        return self.type in (b"Exif", b"mime", b"uri ")

    @property
    def is_xmp(self) -> bool:
        """Whether it is an XMP packet."""
        return self.type == b"mime" and self.content_type == XMP_TYPE


@dataclass(slots=True)
class Location:
    """One entry of iloc.

    Attributes:
        id: ID of the item.
        method: Construction method: 0 for the file, 1 for idat, 2 for another item.
        reference: Index of the data reference; 0 for this file.
        base: Base offset.
        extents: (index, offset, length) as stored; a length of 0 extends to the end.
    """

    id: int
    method: int
    reference: int
    base: int
    extents: list[tuple[int, int, int]]


@dataclass(slots=True)
class Meta:
    """A parsed meta box. An editor changes ``items`` and ``locations``, and notes what it did.

    Attributes:
        box: The box.
        boxes: Its children.
        items: Items by ID.
        locations: Entries of iloc by ID.
        primary: ID of the primary item.
        iloc_version: Version of iloc.
        widths: Bytes of the offset, length, base and index fields of iloc.
        properties: The boxes in ipco.
        problems: Damage.
        unread: Boxes in iinf that are not known items.
        described: IDs of new items that describe the primary item.
        dropped: IDs of dropped items.
        replaced: Whole child boxes that take the place of those of the same type.
    """

    box: Box
    boxes: list[Box]
    items: dict[int, Item] = field(default_factory=dict)
    locations: dict[int, Location] = field(default_factory=dict)
    primary: int = 0
    iloc_version: int = 0
    widths: tuple[int, int, int, int] = (4, 4, 0, 0)
    properties: list[Box] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unread: list[bytes] = field(default_factory=list)
    described: list[int] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    replaced: dict[bytes, bytes] = field(default_factory=dict)

    def child(self, kind: bytes) -> Box | None:
        """Return the first child of a type."""
        return next((each for each in self.boxes if each.type == kind), None)

    def spans(self, location: Location, size: int) -> list[tuple[int, int]]:
        """Return (offset, length) of the bytes of an item in a file of ``size`` bytes; they may extend beyond it.

        Empty if they are in another file or inside another item.
        """
        start, stop = 0, size
        if location.method == 1:
            idat = self.child(b"idat")
            if idat is None:
                return []
            start, stop = idat.body, idat.end
        elif location.method or location.reference:
            return []
        found = []
        for _, offset, length in location.extents:
            at = start + location.base + offset
            found.append((at, length or max(0, stop - at)))
        return found


def parse(view: memoryview, meta: Box) -> Meta:
    """Read a meta box; damage is listed in its ``problems``."""
    found = walk(view, meta.body + 4, meta.end)
    result = Meta(meta, found.boxes)
    if found.problem:
        result.problems.append(f"in the meta box {found.problem}")
    for kind, reader in ((b"iinf", _read_iinf), (b"iloc", _read_iloc), (b"pitm", _read_pitm)):
        child = result.child(kind)
        if child is None:
            result.problems.append(f"its meta box has no {kind.decode()} box")
            continue
        try:
            reader(_Fields(view, child.body, child.end), result)
        except _ShortError:
            result.problems.append(f"its {kind.decode()} box is cut off")
    if not found.boxes or found.boxes[0].type != b"hdlr":
        result.problems.append("its meta box does not begin with an hdlr box")
    iprp = result.child(b"iprp")
    for ipco in children(view, iprp, b"ipco") if iprp is not None else ():
        result.properties += children(view, ipco)
    return result


class _ShortError(Exception):
    """A field extends beyond its box."""


class _Fields:
    """Reads big-endian numbers one after another."""

    def __init__(self, view: memoryview, at: int, end: int) -> None:
        self.raw, self.at, self.start = bytes(view[at:end]), 0, at

    def take(self, size: int) -> int:
        at = self.at
        self.at = end = at + size
        if end > len(self.raw):
            raise _ShortError
        return int.from_bytes(self.raw[at:end], "big")


def _read_pitm(fields: _Fields, meta: Meta) -> None:
    version = fields.take(4) >> 24
    meta.primary = fields.take(2 if version == 0 else 4)


def _read_iinf(fields: _Fields, meta: Meta) -> None:
    version = fields.take(4) >> 24
    count = fields.take(2 if version == 0 else 4)
    if count > MAX_ITEMS:
        meta.problems.append(f"it says it has {count} items, more than {MAX_ITEMS}")
        return
    found = walk(memoryview(fields.raw), fields.at, len(fields.raw), MAX_ITEMS)
    if found.problem or len(found.boxes) < count:
        meta.problems.append(f"its iinf box announces {count} items, {len(found.boxes)} are there")
    for each in found.boxes:
        raw = _sized(fields.raw[each.start : each.end])
        item = _item(raw, each.body - each.start)
        if item is not None and item.id not in meta.items:
            meta.items[item.id] = item
        else:
            meta.unread.append(raw)


def _sized(raw: bytes) -> bytes:
    """Return a box with its true size in place of 0, "to the end": another box may follow it from now on."""
    return raw if any(raw[:4]) else len(raw).to_bytes(4, "big") + raw[4:]


def _item(raw: bytes, body: int) -> Item | None:
    """Parse an infe box. Versions 0 and 1 do not occur in files with pictures."""
    version = raw[body] if len(raw) > body else 0
    id_size = {2: 2, 3: 4}.get(version, 0)
    fixed = body + 4 + id_size + 2
    if raw[4:8] != b"infe" or not id_size or len(raw) < fixed + 4:
        return None
    number = int.from_bytes(raw[body + 4 : body + 4 + id_size], "big")
    kind = raw[fixed : fixed + 4]
    item = Item(number, kind, raw, protected=raw[fixed - 2 : fixed] != b"\0\0")
    if kind == b"mime":
        texts = raw[fixed + 4 :].split(b"\0", 3)
        item.content_type = texts[1].decode("latin-1") if len(texts) > 1 else ""
        item.encoding = texts[2].decode("latin-1") if len(texts) > 3 else ""
    return item


def _read_iloc(fields: _Fields, meta: Meta) -> None:
    version = fields.take(4) >> 24
    packed = fields.take(2)
    widths = (packed >> 12, packed >> 8 & 15, packed >> 4 & 15, packed & 15 if version else 0)
    if version > 2 or any(width not in (0, 4, 8) for width in widths):
        meta.problems.append("its iloc box is of an unknown kind")
        return
    meta.iloc_version, meta.widths = version, widths
    offset_size, length_size, base_size, index_size = widths
    left = MAX_EXTENTS
    take = fields.take
    id_size = 2 if version < 2 else 4
    for _ in range(take(id_size)):
        number = take(id_size)
        method = take(2) & 15 if version else 0
        reference, base, count = take(2), take(base_size), take(2)
        left -= count
        # If an extent took no bytes, only the count would bound the work.
        if left < 0 or (count > 1 and not offset_size + length_size + index_size):
            meta.problems.append(f"its iloc box has more than {MAX_EXTENTS} extents")
            return
        extents = [(take(index_size), take(offset_size), take(length_size)) for _ in range(count)]
        meta.locations.setdefault(number, Location(number, method, reference, base, extents))


def picture_size(view: memoryview, meta: Meta) -> tuple[int, int]:
    """Return width and height of the primary item before rotation, from its ispe and clap properties; else 0."""
    iprp = meta.child(b"iprp")
    if iprp is None:
        return 0, 0
    properties = meta.properties
    for ipma in children(view, iprp, b"ipma"):
        try:
            indices = _associations(_Fields(view, ipma.body, ipma.end), meta.primary)
        except _ShortError:
            continue
        found = {properties[at - 1].type: properties[at - 1] for at in indices if 0 < at <= len(properties)}
        clap, ispe = found.get(b"clap"), found.get(b"ispe")
        if clap is not None and clap.end - clap.body >= 16:
            width, width_by, height, height_by = struct.unpack_from(">IIII", view, clap.body)
            if width_by and height_by:
                return width // width_by, height // height_by
        if ispe is not None and ispe.end - ispe.body >= 12:
            size: tuple[int, int] = struct.unpack_from(">II", view, ispe.body + 4)
            return size
    return 0, 0


def _associations(fields: _Fields, wanted: int) -> list[int]:
    """Return the property indices of an item from an ipma box."""
    head = fields.take(4)
    id_size, index_size = (2 if head >> 24 == 0 else 4), (2 if head & 1 else 1)
    for _ in range(fields.take(4)):
        number = fields.take(id_size)
        count = fields.take(1)
        if number == wanted:
            mask = 0x7FFF if index_size == 2 else 0x7F  # the top bit says "essential"
            return [fields.take(index_size) & mask for _ in range(count)]
        fields.at += count * index_size
    return []


# Writing


def new_item(meta: Meta, kind: bytes, content_type: str = "") -> Item:
    """Create an item with an unused ID. Two bytes are enough for it, as IDs are small in practice.

    Raises:
        LabelingError: Every ID is in use.
    """
    number = max(meta.items.keys() | meta.locations.keys() | {meta.primary}, default=0) + 1
    if number > 0xFFFF:
        number = next((n for n in range(1, 0x10000) if n not in meta.items and n not in meta.locations), 0)
    if not number:
        raise LabelingError("the file has no item ID left for its metadata", hint="re-save it")
    texts = b"\0" + content_type.encode() + b"\0" if content_type else b"\0"
    raw = full_box(b"infe", 2, number.to_bytes(2, "big"), b"\0\0", kind, texts)
    return Item(number, kind, raw, content_type)


def iinf_bytes(meta: Meta) -> bytes:
    """Build the iinf box for the items of ``meta``."""
    raws = [*(item.raw for item in meta.items.values()), *meta.unread]
    wide = len(raws) > 0xFFFF
    return full_box(b"iinf", int(wide), len(raws).to_bytes(4 if wide else 2, "big"), *raws)


def iref_bytes(view: memoryview, meta: Meta) -> bytes:
    """Build the iref box without dropped items, and with new items that describe the primary item."""
    old = meta.child(b"iref")
    version = view[old.body] if old is not None else int(meta.primary > 0xFFFF)
    size = 2 if version == 0 else 4
    references: list[bytes] = []
    for each in walk(view, old.body + 4, old.end).boxes if old is not None else ():
        raw = bytes(view[each.body : each.end])
        source = int.from_bytes(raw[:size], "big")
        targets = [raw[at : at + size] for at in range(size + 2, len(raw) - size + 1, size)]
        kept = [target for target in targets if int.from_bytes(target, "big") not in meta.dropped]
        if source not in meta.dropped and (kept or not targets):
            references.append(box(each.type, raw[:size], len(kept).to_bytes(2, "big"), *kept))
    for number in meta.described:
        if meta.primary:
            primary = meta.primary.to_bytes(size, "big")
            references.append(box(b"cdsc", number.to_bytes(size, "big"), b"\0\1", primary))
    return full_box(b"iref", version, *references) if references else b""


def iloc_bytes(meta: Meta, widths: tuple[int, int, int, int], moved: Callable[[int], int]) -> bytes | None:
    """Build the iloc box with every file offset mapped by ``moved``; ``None`` if a number does not fit its width."""
    offset_size, length_size, base_size, index_size = widths
    version = meta.iloc_version
    id_size = 2 if version < 2 else 4
    packed = offset_size << 12 | length_size << 8 | base_size << 4 | index_size
    out = [packed.to_bytes(2, "big"), len(meta.locations).to_bytes(id_size, "big")]
    try:
        for location in meta.locations.values():
            base, extents = _moved(location, moved, base_size)
            out.append(location.id.to_bytes(id_size, "big"))
            if version:
                out.append(location.method.to_bytes(2, "big"))
            out.append(location.reference.to_bytes(2, "big") + base.to_bytes(base_size, "big"))
            out.append(len(extents).to_bytes(2, "big"))
            for index, offset, length in extents:
                out.append(index.to_bytes(index_size, "big") + offset.to_bytes(offset_size, "big"))
                out.append(length.to_bytes(length_size, "big"))
    except OverflowError:
        return None
    return full_box(b"iloc", version, *out)


def _moved(location: Location, moved: Callable[[int], int], base_size: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Return base and extents after the move. The base moves if all extents move alike; else it is added to them.

    In a box with base offsets, an item of one extent has its offset in the base, and 0 in the extent: some editors read
    a base of 0 beside other bases as "no base", others as one to be moved.
    """
    if location.method or location.reference:
        return location.base, location.extents
    shifts = {moved(location.base + offset) - location.base - offset for _, offset, _ in location.extents}
    if base_size and location.base and len(shifts) == 1:
        return location.base + shifts.pop(), location.extents
    base = location.base
    places = [(index, moved(base + offset), length) for index, offset, length in location.extents]
    if base_size and len(places) == 1 and places[0][1] < 1 << 8 * base_size:
        index, place, length = places[0]
        return place, [(index, 0, length)]
    return 0, places


def widened(meta: Meta, widths: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return the next larger widths of offset, length and base fields.

    Raises:
        LabelingError: They are the largest already.
    """
    wider = {0: 4, 4: 8, 8: 8}
    result = (wider[widths[0]], wider[widths[1]], wider[widths[2]] if widths[2] else 0, widths[3])
    if result == widths:
        raise LabelingError("the item locations of the file cannot be changed", hint="re-save it")
    return result


def assembled(view: memoryview, meta: Meta, iloc: bytes, idat: bytes | None = None) -> bytes:
    """Build the meta box from ``meta``, with an iloc box and perhaps another idat box."""
    listed = bool(meta.described or meta.dropped)
    iref = iref_bytes(view, meta) if listed else b""
    parts = [bytes(view[meta.box.body : meta.box.body + 4])]
    for each in meta.boxes:
        if each.type == b"iloc":
            parts.append(iloc)
        elif each.type == b"iinf" and listed:
            parts.append(iinf_bytes(meta))
            if meta.child(b"iref") is None:
                parts.append(iref)
        elif each.type == b"iref" and listed:
            parts.append(iref)
        elif each.type == b"idat" and idat is not None:
            parts.append(idat)
        elif each.type in meta.replaced:
            parts.append(meta.replaced[each.type])
        else:
            parts.append(_sized(bytes(view[each.start : each.end])))
    return box(b"meta", *parts)
