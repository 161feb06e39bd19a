"""AMF 0 (Action Message Format), the values of FLV script tags: where each property stands, for its bytes to be edited.

Nothing is built from what a file says but a list of places; of long arrays not even that.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling.errors import LabelingError

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED, REFERENCE, ECMA_ARRAY, END, STRICT_ARRAY = *range(4), *range(5, 11)
DATE, LONG_STRING, UNSUPPORTED, XML, TYPED_OBJECT = 11, 12, 13, 15, 16

MAX_DEPTH = 16
MAX_VALUES = 1 << 17
"""So many values are looked at in one script tag, numbers in arrays of nothing else apart: those are stepped over."""

_CLOSING = b"\0\0\x09"
_FIXED = {NUMBER: 9, BOOLEAN: 2, NULL: 1, UNDEFINED: 1, REFERENCE: 3, DATE: 11, UNSUPPORTED: 1}
_TEXTS = {STRING: 2, LONG_STRING: 4, XML: 4}


class AmfError(LabelingError):
    """These bytes are no sound AMF0."""


class Property(NamedTuple):
    """A named value. It stands from ``start`` (its name) to ``end``, the value begins at ``value``.

    ``path`` are the names of the objects around it, ``owner`` is where the innermost of them begins; ``listed``: one of
    them is an item of an array.
    """

    path: tuple[str, ...]
    name: str
    start: int
    value: int
    end: int
    marker: int
    owner: int
    listed: bool


class Group(NamedTuple):
    """An object or ECMA array: its marker, where its properties end, how many they are."""

    marker: int
    closing: int
    items: int


@dataclass(slots=True)
class Script:
    """The values of one script tag, in a row. ``values`` are (marker, start, end) of the outermost."""

    data: bytes
    values: list[tuple[int, int, int]] = field(default_factory=list)
    properties: list[Property] = field(default_factory=list)
    groups: dict[int, Group] = field(default_factory=dict)
    left: int = MAX_VALUES

    def parse(self) -> None:
        """Find all values and properties. Raises :class:`AmfError`; what came before stays found."""
        at = 0
        while at < len(self.data):
            start = at
            at = self._value(at, (), False)
            self.values.append((self.data[start], start, at))

    def _need(self, at: int, count: int) -> int:
        if at + count > len(self.data):
            raise AmfError(f"the value at byte {at} of a script tag is cut off")
        return at + count

    def _value(self, at: int, path: tuple[str, ...], listed: bool) -> int:
        """Step over the value at ``at``; gives its end."""
        self.left -= 1
        if self.left < 0 or len(path) > MAX_DEPTH:
            raise AmfError(f"a script tag holds more than {MAX_VALUES} values, or values more than {MAX_DEPTH} deep")
        self._need(at, 1)
        marker = self.data[at]
        if marker in _FIXED:
            return self._need(at, _FIXED[marker])
        if marker in _TEXTS:
            size_end = self._need(at + 1, _TEXTS[marker])
            return self._need(size_end, int.from_bytes(self.data[at + 1 : size_end], "big"))
        if marker == STRICT_ARRAY:
            return self._array(at, path)
        if marker == ECMA_ARRAY:
            return self._properties(at, self._need(at, 5), path, listed)
        if marker == OBJECT:
            return self._properties(at, at + 1, path, listed)
        if marker == TYPED_OBJECT:
            name_at = self._need(at + 1, 2)
            name_end = self._need(name_at, int.from_bytes(self.data[at + 1 : name_at], "big"))
            return self._properties(at, name_end, path, listed)
        raise AmfError(f"the value at byte {at} of a script tag is of a type ({marker}) that AMF 0 does not have")

    def _array(self, at: int, path: tuple[str, ...]) -> int:
        pos = self._need(at, 5)
        count = int.from_bytes(self.data[at + 1 : pos], "big")
        if numbers(self.data, at) is not None:
            return pos + 9 * count
        for _ in range(count):  # each takes a byte at least, and the budget ends it
            pos = self._value(pos, (*path, ""), True)
        return pos

    def _properties(self, owner: int, at: int, path: tuple[str, ...], listed: bool) -> int:
        count = 0
        while True:
            # Some writers forget to close the outermost array: the tag ends it.
            if self.data[at : at + 3] == _CLOSING or (at == len(self.data) and not path):
                self.groups[owner] = Group(self.data[owner], at, count)
                return min(at + 3, len(self.data))
            start = at
            name_at = self._need(at, 2)
            value = self._need(name_at, int.from_bytes(self.data[at:name_at], "big"))
            name = self.data[name_at:value].decode("utf-8", "replace")
            at = self._value(value, (*path, name), listed)
            self.properties.append(Property(path, name, start, value, at, self.data[value], owner, listed))
            count += 1

    def text(self, value: int) -> bytes | None:
        """The text of the value at ``value``; None if it is no string."""
        return text(self.data, value)


def text(data: bytes, value: int) -> bytes | None:
    """The text of the sound value at ``value``; None if it is no string."""
    width = _TEXTS.get(data[value])
    if width is None:
        return None
    begin = value + 1 + width
    return data[begin : begin + int.from_bytes(data[value + 1 : begin], "big")]


def number(data: bytes, value: int) -> float | None:
    """The number at ``value``; None if it is none."""
    return float(struct.unpack_from(">d", data, value + 1)[0]) if data[value] == NUMBER else None


def numbers(data: bytes, value: int) -> range | None:
    """Where the items of a strict array of numbers and nothing else stand; None if the value is not that."""
    count = int.from_bytes(data[value + 1 : value + 5], "big")
    begin = value + 5
    if data[value] != STRICT_ARRAY or begin + 9 * count > len(data):
        return None
    places = range(begin, begin + 9 * count, 9)
    return places if not any(data[begin : begin + 9 * count : 9]) else None


# Writing


def coded_number(value: float) -> bytes:
    """A number with its marker."""
    return struct.pack(">Bd", NUMBER, value)


def coded_text(value: bytes) -> bytes:
    """A string, a long one beyond 65 535 bytes."""
    if len(value) < 1 << 16:
        return bytes((STRING,)) + len(value).to_bytes(2, "big") + value
    return bytes((LONG_STRING,)) + len(value).to_bytes(4, "big") + value


def coded_property(name: str, value: bytes) -> bytes:
    """A property that holds a text."""
    coded = name.encode()
    if len(coded) >= 1 << 16:
        raise AmfError("a name of more than 65 535 bytes cannot be written")
    return len(coded).to_bytes(2, "big") + coded + coded_text(value)


def coded_array(properties: list[bytes]) -> bytes:
    """An ECMA array of coded properties."""
    return bytes((ECMA_ARRAY,)) + len(properties).to_bytes(4, "big") + b"".join(properties) + _CLOSING
