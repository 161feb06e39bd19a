"""AMF 0 (Action Message Format), the values of FLV script tags: where each property is, to edit its bytes.

Values are not decoded. Only a list of their offsets is built, and not even that for long arrays of numbers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling.errors import LabelingError

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED, REFERENCE, ECMA_ARRAY, END, STRICT_ARRAY = *range(4), *range(5, 11)
DATE, LONG_STRING, UNSUPPORTED, XML, TYPED_OBJECT = 11, 12, 13, 15, 16

MAX_DEPTH = 16
"""Limit on the nesting of values."""

MAX_VALUES = 1 << 17
"""Limit on the values of one script tag. Arrays that only contain numbers are skipped, and count as one value."""

_CLOSING = b"\0\0\x09"
_FIXED = {NUMBER: 9, BOOLEAN: 2, NULL: 1, UNDEFINED: 1, REFERENCE: 3, DATE: 11, UNSUPPORTED: 1}
_TEXTS = {STRING: 2, LONG_STRING: 4, XML: 4}


class AmfError(LabelingError):
    """These bytes are not well-formed AMF 0."""


class Property(NamedTuple):
    """A named value.

    Attributes:
        path: Names of the objects around it, outermost first.
        name: Its name.
        start: Offset of its name.
        value: Offset of its value.
        end: Offset of the end of its value.
        marker: Type of its value.
        owner: Offset of the innermost object around it.
        listed: Whether one of the objects around it is an item of an array.
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
    """An object or ECMA array.

    Attributes:
        marker: Its type.
        closing: Offset of the end of its properties.
        items: Number of its properties.
    """

    marker: int
    closing: int
    items: int


@dataclass(slots=True)
class Script:
    """The values of one script tag.

    Attributes:
        data: Its bytes.
        values: (marker, start, end) of each outermost value.
        properties: All properties.
        groups: Objects and arrays by their offsets.
        left: How many more values may be read.
    """

    data: bytes
    values: list[tuple[int, int, int]] = field(default_factory=list)
    properties: list[Property] = field(default_factory=list)
    groups: dict[int, Group] = field(default_factory=dict)
    left: int = MAX_VALUES

    def parse(self) -> None:
        """Find all values and properties.

        Raises:
            AmfError: The data is not well-formed. What comes before is found nevertheless.
        """
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
        """Walk the value at ``at`` and return its end."""
        self.left -= 1
        if self.left < 0 or len(path) > MAX_DEPTH:
            raise AmfError(
                f"a script tag has more than {MAX_VALUES} values, or values nested more than {MAX_DEPTH} deep"
            )
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
        for _ in range(count):  # each takes at least one byte, and the budget bounds it
            pos = self._value(pos, (*path, ""), True)
        return pos

    def _properties(self, owner: int, at: int, path: tuple[str, ...], listed: bool) -> int:
        count = 0
        while True:
            # Some writers forget to close the outermost array: it ends with the tag.
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
        """Return the text of the value at ``value``; ``None`` if it is not a string."""
        return text(self.data, value)


def text(data: bytes, value: int) -> bytes | None:
    """Return the text of the well-formed value at ``value``; ``None`` if it is not a string."""
    width = _TEXTS.get(data[value])
    if width is None:
        return None
    begin = value + 1 + width
    return data[begin : begin + int.from_bytes(data[value + 1 : begin], "big")]


def number(data: bytes, value: int) -> float | None:
    """Return the number at ``value``; ``None`` if it is not one."""
    return float(struct.unpack_from(">d", data, value + 1)[0]) if data[value] == NUMBER else None


def numbers(data: bytes, value: int) -> range | None:
    """Return the offsets of the items of a strict array of numbers; ``None`` if the value is anything else."""
    count = int.from_bytes(data[value + 1 : value + 5], "big")
    begin = value + 5
    if data[value] != STRICT_ARRAY or begin + 9 * count > len(data):
        return None
    places = range(begin, begin + 9 * count, 9)
    return places if not any(data[begin : begin + 9 * count : 9]) else None


# Writing


def coded_number(value: float) -> bytes:
    """Encode a number with its marker."""
    return struct.pack(">Bd", NUMBER, value)


def coded_text(value: bytes) -> bytes:
    """Encode a string, as a long one beyond 65 535 bytes."""
    if len(value) < 1 << 16:
        return bytes((STRING,)) + len(value).to_bytes(2, "big") + value
    return bytes((LONG_STRING,)) + len(value).to_bytes(4, "big") + value


def coded_property(name: str, value: bytes) -> bytes:
    """Encode a property with a text.

    Raises:
        AmfError: The name is too long.
    """
    coded = name.encode()
    if len(coded) >= 1 << 16:
        raise AmfError("a name of more than 65 535 bytes cannot be written")
    return len(coded).to_bytes(2, "big") + coded + coded_text(value)


def coded_array(properties: list[bytes]) -> bytes:
    """Build an ECMA array of encoded properties."""
    return bytes((ECMA_ARRAY,)) + len(properties).to_bytes(4, "big") + b"".join(properties) + _CLOSING
