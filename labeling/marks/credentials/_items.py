"""CBOR (RFC 8949) and JUMBF (ISO 19566-5) taken apart so that parts of the same length can be put in their places.

Stricter than :mod:`labeling.marks.credentials._jumbf`, which reads the same bytes: whatever is not in the form that
c2pa writes today, or that nobody here has seen, is refused with ``ValueError``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from labeling.marks.credentials._jumbf import head

_MAX_DEPTH = 8

_FAMILY = bytes.fromhex("00110010800000aa00389b71")
"""How the type of each JUMBF box ends (ISO 19566-5, A.1); its first four bytes are its name."""

_LABELLED, _PRIVATE = 0x03, 0x10
"""Toggles of a description box: it can be asked for and has a label; it ends with a private box (ISO 19566-5, B.3)."""

SALT_LENGTH = 16
_SALT = b"\0\0\0\x18c2sh"
"""The private box with 16 random bytes that go into the hash of an assertion (C2PA 2.2, 8.4.2.3)."""


class Item(NamedTuple):
    """One CBOR item: a string's bytes are those from ``start`` to ``end``; what says its length begins at ``at``."""

    value: Any
    at: int
    start: int
    end: int
    major: int

    def plain(self) -> Any:
        """Return the value without places."""
        if self.major == 5:
            return {key: item.plain() for key, item in self.value.items()}
        return [item.plain() for item in self.value] if self.major == 4 else self.value


class Box(NamedTuple):
    """One JUMBF superbox: its payload, which a hashed URI covers, its label, its salt if it has one, and its boxes."""

    kind: bytes
    label: str
    label_at: int
    salt_at: int | None
    start: int
    end: int
    boxes: list[tuple[bytes, int, int]]


def item(data: bytes, at: int, end: int) -> Item:
    """Take apart the CBOR item that lies between two offsets."""
    found = _item(data[:end], at, 0)
    if found.end != end:
        raise ValueError("something follows the CBOR item")
    return found


def _item(data: bytes, at: int, depth: int) -> Item:
    if depth > _MAX_DEPTH or at >= len(data):
        raise ValueError("CBOR is nested too deeply or cut off")
    major, info = data[at] >> 5, data[at] & 31
    if info > 26:
        raise ValueError("CBOR of this kind is not expected")
    size = 1 << (info - 24) if info >= 24 else 0
    start = at + 1 + size
    number = int.from_bytes(data[at + 1 : start], "big") if size else info
    if major == 7:
        if info not in (20, 21, 22):
            raise ValueError("CBOR of this kind is not expected")
        return Item({20: False, 21: True, 22: None}[info], at, start, start, major)
    if start > len(data) or data[at:start] != head(major, number):
        raise ValueError("CBOR is not in its shortest form")
    if major <= 1:
        return Item(number if major == 0 else -1 - number, at, at, start, major)
    if major <= 3:
        text = data[start : start + number]
        if len(text) != number:
            raise ValueError("a CBOR string is cut off")
        return Item(text if major == 2 else text.decode(), at, start, start + number, major)
    return _composite(data, at, start, depth, major, number)


def _composite(data: bytes, at: int, start: int, depth: int, major: int, number: int) -> Item:
    if major == 6:
        inner = _item(data, start, depth + 1)
        if number != 0 or inner.major != 3:  # RFC 8949, 3.4.1: a date as text
            raise ValueError(f"the CBOR tag {number} is not expected")
        return inner
    items, end = [], start
    for _ in range(number * (2 if major == 5 else 1)):
        items.append(_item(data, end, depth + 1))
        end = items[-1].end
    if major == 4:
        return Item(items, at, start, end, major)
    keys = [key.value for key in items[::2] if key.major in (0, 3)]
    if len(set(keys)) != number:
        raise ValueError("a CBOR map has keys that are no numbers or texts, or the same twice")
    return Item(dict(zip(keys, items[1::2], strict=True)), at, start, end, major)


def superboxes(data: bytes, at: int, end: int) -> list[Box]:
    """Take apart the superboxes that fill the space between two offsets."""
    found = []
    for name, start, stop in _boxes(data, at, end):
        if name != b"jumb":
            raise ValueError("a JUMBF box is not expected there")
        found.append(_superbox(data, start, stop))
    return found


def _superbox(data: bytes, start: int, end: int) -> Box:
    boxes = _boxes(data, start, end)
    if not boxes or boxes[0][0] != b"jumd":
        raise ValueError("a JUMBF superbox does not begin with its description")
    _, at, stop = boxes[0]
    kind, toggles = data[at : at + 16], data[at + 16]
    label_at = at + 17
    zero = data.index(b"\0", label_at, stop)
    salt_at = None
    if toggles & _PRIVATE:
        salt_at = zero + 1 + len(_SALT)
        if data[zero + 1 : salt_at] != _SALT or salt_at + SALT_LENGTH != stop:
            raise ValueError("a JUMBF description holds something that is not known")
    elif zero + 1 != stop:
        raise ValueError("a JUMBF description holds something that is not known")
    if kind[4:] != _FAMILY or toggles & ~_PRIVATE != _LABELLED:
        raise ValueError("a JUMBF description is of another kind")
    return Box(kind[:4], data[label_at:zero].decode("ascii"), label_at, salt_at, start, end, boxes[1:])


def _boxes(data: bytes, at: int, end: int) -> list[tuple[bytes, int, int]]:
    found = []
    while at < end:
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8 or at + size > end:
            raise ValueError("a JUMBF box reaches beyond its parent")
        found.append((data[at + 4 : at + 8], at + 8, at + size))
        at += size
    return found
