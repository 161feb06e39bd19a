"""Named texts of ISO media files: the lists in ``meta`` boxes, and the boxes of ``udta``.

QuickTime File Format (metadata atoms: ``keys``, ``ilst``, ``data``) and the list of iTunes (``hdlr`` of type mdir). All
offsets count from the start of the movie box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from labeling.containers.syntax.isobmff import Box, Walk, box, children, first_at, full_box, printable, walk

MAX_KEYS = 4096
"""Limit on the keys, and on the items, of one list."""

_NAMES = {
    b"\xa9cmt": "Comment", b"\xa9too": "Software", b"\xa9swr": "Software", b"\xa9nam": "Title",
    b"\xa9des": "Description", b"desc": "Description", b"ldes": "Description", b"\xa9inf": "Description",
    b"\xa9ART": "Artist", b"\xa9aut": "Author", b"\xa9gen": "Genre", b"\xa9enc": "Encoder", b"\xa9fmt": "Format",
    b"\xa9src": "Source", b"\xa9mak": "Make", b"\xa9mod": "Model",
}  # fmt: skip
"""Four-character code → the name that other formats use for the same property."""


class Text(NamedTuple):
    """One named text.

    Attributes:
        name: Its name; empty if it has none.
        data: The text, in UTF-8 as a rule.
        where: Its place in words.
        start: Offset of its box.
        end: Offset of the end of its box.
        parents: The boxes around it, outermost first.
        entry: Its 1-based number among ``keys``; 0 in a list without keys.
    """

    name: str
    data: bytes
    where: str
    start: int
    end: int
    parents: tuple[Box, ...]
    entry: int = 0


@dataclass(frozen=True, slots=True)
class KeyList:
    """A ``meta`` box of handler mdta.

    Attributes:
        meta: The box itself.
        parents: The boxes around it, outermost first.
        names: Its keys, each as (four-byte namespace, key).
        keys: The box with the keys, if there is one.
        ilst: The box with the items, if there is one.
    """

    meta: Box
    parents: tuple[Box, ...]
    names: tuple[tuple[bytes, bytes], ...]
    keys: Box | None
    ilst: Box | None


def meta_children(view: memoryview, meta: Box) -> list[Box]:
    """Return the children of a ``meta`` box, which is a full box in ISO files and a plain one in QuickTime files."""
    return walked(view, meta).boxes


def walked(view: memoryview, meta: Box) -> Walk:
    """Walk the children of a ``meta`` box, whichever of the two it is."""
    quicktime = bytes(view[meta.body + 4 : meta.body + 8]) == b"hdlr"
    start = meta.body if quicktime else meta.body + 4
    return walk(view, start, meta.end) if start <= meta.end else Walk([], meta.body)


def handler(view: memoryview, boxes: list[Box]) -> bytes:
    """Return the handler type in the first ``hdlr`` of ``boxes``; empty if there is none."""
    return next((bytes(view[b.body + 8 : min(b.body + 12, b.end)]) for b in boxes if b.type == b"hdlr"), b"")


def is_long(view: memoryview, meta: Box) -> bool:
    """Return whether the list of a ``meta`` box has more than :data:`MAX_KEYS` items."""
    return any(len(children(view, each)) > MAX_KEYS for each in meta_children(view, meta) if each.type == b"ilst")


def key_list(view: memoryview, meta: Box, parents: tuple[Box, ...]) -> KeyList | None:
    """Return the list of a ``meta`` box, or ``None`` if its handler is not mdta."""
    inside = meta_children(view, meta)
    if handler(view, inside) != b"mdta":
        return None
    keys = next((b for b in inside if b.type == b"keys"), None)
    ilst = next((b for b in inside if b.type == b"ilst"), None)
    return KeyList(meta, parents, tuple(_keys(view, keys)) if keys else (), keys, ilst)


def _keys(view: memoryview, keys: Box) -> Iterator[tuple[bytes, bytes]]:
    for entry in walk(view, keys.body + 8, keys.end, MAX_KEYS).boxes:
        yield entry.type, bytes(view[entry.body : entry.end])


def texts_of_meta(view: memoryview, meta: Box, parents: tuple[Box, ...], place: str) -> Iterator[Text]:
    """Yield every text in the list of a ``meta`` box.

    Args:
        view: The movie box.
        meta: The ``meta`` box.
        parents: The boxes around it, outermost first.
        place: Its place in words.
    """
    found = key_list(view, meta, parents)
    if found is not None:
        around = (*parents, meta, *((found.ilst,) if found.ilst else ()))
        for item in children(view, found.ilst)[:MAX_KEYS] if found.ilst else []:
            number = int.from_bytes(item.type, "big")
            if 1 <= number <= len(found.names):
                namespace, key = found.names[number - 1]
                name = key.decode("utf-8", "replace")
                where = f"{place} keys {printable(namespace)}:{printable(key[:64])}"
                yield from _items(view, item, name, where, around, number)
        return
    for ilst in meta_children(view, meta):
        if ilst.type == b"ilst":
            for item in children(view, ilst)[:MAX_KEYS]:
                yield from _itunes(view, item, (*parents, meta, ilst), place)


def _itunes(view: memoryview, item: Box, parents: tuple[Box, ...], place: str) -> Iterator[Text]:
    code = printable(item.type)
    name = _NAMES.get(item.type, code if item.type.upper() == b"AIGC" else "")
    if item.type == b"----":  # its name is in a box of its own
        own = first_at(view, item, b"name")
        if own is not None:
            name = bytes(view[own.body + 4 : min(own.end, own.body + 260)]).decode("utf-8", "replace")
            code = f"---- {printable(name.encode())}"
    yield from _items(view, item, name, f"{place} ilst {code}", parents, 0)


def _items(view: memoryview, item: Box, name: str, where: str, parents: tuple[Box, ...], entry: int) -> Iterator[Text]:
    for data in children(view, item, b"data"):
        kind = int.from_bytes(view[data.body : data.body + 4], "big") & 0xFFFFFF
        raw = bytes(view[data.body + 8 : data.end]) if data.end - data.body >= 8 else b""
        if kind == 2:
            raw = raw.decode("utf-16-be", "replace").encode()
        if kind in (0, 1, 2) or "AIGC" in name.upper():
            yield Text(name, raw, where, item.start, item.end, parents, entry)


def texts_of_udta(view: memoryview, udta: Box, parents: tuple[Box, ...], place: str) -> Iterator[Text]:
    """Yield the texts of ``udta`` that have a box each: QuickTime's ``©xxx``, and a box of the type AIGC."""
    around = (*parents, udta)
    for each in children(view, udta):
        raw = bytes(view[each.body : each.end])
        code = printable(each.type)
        if each.type.upper() == b"AIGC":
            at = next((n for n in (0, 4) if raw[n : n + 1] == b"{"), 0)  # some write it as a full box
            yield Text(code, raw[at:], f"{place} box {code}", each.start, each.end, around)
        elif each.type[:1] == b"\xa9":
            length = int.from_bytes(raw[:2], "big")
            text = raw[4 : 4 + length] if 0 < length <= len(raw) - 4 else raw
            yield Text(_NAMES.get(each.type, code), text, f"{place} box {code}", each.start, each.end, around)


def data_item(number: int, text: str) -> bytes:
    """Build an item of a list: UTF-8 text for the key with this number."""
    return box(number.to_bytes(4, "big"), box(b"data", (1).to_bytes(4, "big"), bytes(4), text.encode()))


def keys_box(names: list[tuple[bytes, bytes]]) -> bytes:
    """Build a ``keys`` box."""
    entries = b"".join(box(namespace, key) for namespace, key in names)
    return full_box(b"keys", 0, len(names).to_bytes(4, "big"), entries)


def new_meta(name: str, text: str, shared: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """Build a ``meta`` box with one text, as FFmpeg and the practice guide write it.

    Args:
        name: The key.
        text: The text.
        shared: Keys of another list, which come first. FFmpeg applies the keys of the first list that it finds to the
            items of all lists, so a key needs the same number in each.
    """
    names = with_key(shared, name)
    hdlr = full_box(b"hdlr", 0, bytes(4), b"mdta", bytes(12), b"\0")
    item = data_item(names.index((b"mdta", name.encode())) + 1, text)
    return full_box(b"meta", 0, hdlr, keys_box(names), box(b"ilst", item))


def with_key(names: tuple[tuple[bytes, bytes], ...], name: str) -> list[tuple[bytes, bytes]]:
    """Return the keys, followed by this one if it is not among them."""
    key = (b"mdta", name.encode())
    return [*names] if key in names else [*names, key]
