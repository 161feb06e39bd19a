"""EBML (RFC 8794): nested elements, each of which has an ID, a size and a body. Nothing here knows Matroska."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from labeling.containers.base import Media
from labeling.errors import LabelingError

HEADER = 12
"""Most bytes that an element's ID and size take: an ID of Matroska up to 4 (RFC 9559, 5), a size up to 8."""

MAX_DEPTH = 16
"""Limit on the nesting of elements that are rewritten."""

MAX_CHILDREN = 1 << 21
"""Limit on the elements that are read directly inside one master element."""

VOID, CRC32 = 0xEC, 0xBF
UNKNOWN = -1
"""Stands for the end of an element of unknown size (RFC 8794, 6.2), which live streams have."""

_STEP = 4096


class EbmlError(LabelingError):
    """These bytes are not well-formed EBML."""


class Element(NamedTuple):
    """One element.

    Attributes:
        id: Its ID, with the bits that mark its length.
        start: Offset of its ID.
        body: Offset of its content.
        end: Offset of the first byte behind it, or :data:`UNKNOWN`.
    """

    id: int
    start: int
    body: int
    end: int

    def moved(self, by: int) -> Element:
        """Return the same element with its offsets moved by ``by``."""
        return Element(self.id, self.start + by, self.body + by, self.end + by)


class Window:
    """Reads a file a page at a time: headers are small and close together, and each slice is a system call."""

    def __init__(self, data: Media) -> None:
        self._data = data
        self._base, self._page = 0, b""
        self._last: Element | None = None

    def element(self, pos: int) -> Element | None:
        """Return the element whose header is at ``pos``, or ``None`` if there is none."""
        if self._last is not None and self._last.start == pos:
            return self._last
        page, at = self.page(pos, HEADER)
        self._last = header(page, at, self._base)
        return self._last

    def page(self, pos: int, count: int) -> tuple[bytes, int]:
        """Return bytes of the file, and where ``pos`` is in them; ``count`` follow it, fewer at the end of the file."""
        at = pos - self._base
        if not 0 <= at <= len(self._page) - count:
            self._base, self._page, at = pos, self._data[pos : pos + _STEP], 0
        return self._page, at

    def at(self, pos: int, count: int) -> bytes:
        """Return ``count`` bytes from ``pos``, fewer at the end of the file."""
        if not self._base <= pos <= pos + count <= self._base + len(self._page):
            self._base, self._page = pos, self._data[pos : pos + max(count, _STEP)]
        return self._page[pos - self._base : pos - self._base + count]


def header(data: bytes, at: int, base: int = 0) -> Element | None:
    """Decode the ID and size at ``at`` (RFC 8794, 4 to 6); ``None`` if they are cut off or invalid.

    Args:
        data: Bytes of a file.
        at: Where in them the element is.
        base: Where in the file they are: what the offsets of the element count from.
    """
    if at >= len(data) or not 0x10 <= data[at] < 0xFF:
        return None
    id_end = at + 9 - data[at].bit_length()
    if id_end >= len(data) or not data[id_end]:
        return None
    width = 9 - data[id_end].bit_length()
    body = id_end + width
    if body > len(data):
        return None
    size = int.from_bytes(data[id_end:body], "big") & (1 << 7 * width) - 1
    end = UNKNOWN if size == (1 << 7 * width) - 1 else base + body + size
    return Element(int.from_bytes(data[at:id_end], "big"), base + at, base + body, end)


def children(data: bytes, parent: Element) -> Iterator[Element]:
    """Yield the elements directly inside ``parent``, whose whole body is in ``data``.

    Raises:
        EbmlError: They do not fill the body of ``parent``, or there are too many.
    """
    at = parent.body
    for _ in range(MAX_CHILDREN):
        if at >= parent.end:
            return
        child = header(data, at)
        if child is None:
            raise EbmlError(f"there is no element at byte {at - parent.start} of the element 0x{parent.id:X}")
        if child.end == UNKNOWN or child.end > parent.end:
            raise EbmlError(f"the element 0x{child.id:X} extends beyond the element 0x{parent.id:X} around it")
        yield child
        at = child.end
    raise EbmlError(f"more than {MAX_CHILDREN} elements in the element 0x{parent.id:X}")


def unsigned(data: bytes, element: Element) -> int:
    """Decode an unsigned integer (RFC 8794, 7.2); only the first 8 bytes of one that is longer than allowed."""
    return int.from_bytes(data[element.body : min(element.end, element.body + 8)], "big")


def floating(value: bytes) -> float:
    """A float of 4 or 8 bytes (RFC 8794, 7.3); 0 for any other length."""
    if len(value) not in (4, 8):
        return 0.0
    return float(struct.unpack(">f" if len(value) == 4 else ">d", value)[0])


def text(data: bytes, element: Element) -> bytes:
    """Return a string without the zeros that may end it (RFC 8794, 13)."""
    return data[element.body : element.end].partition(b"\0")[0]


# Writing


def coded_size(size: int, width: int = 0) -> bytes:
    """Encode a size in ``width`` bytes, or in more if it does not fit.

    The highest value of each width means an unknown size, and is not used.

    Raises:
        EbmlError: It does not fit into 8 bytes.
    """
    for count in range(max(width, 1), 9):
        if size < (1 << 7 * count) - 1:
            return (size | 1 << 7 * count).to_bytes(count, "big")
    raise EbmlError(f"{size} bytes are more than an element can hold")


def coded_id(number: int) -> bytes:
    """Encode an ID; its length is part of it."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def made(number: int, body: bytes, width: int = 0) -> bytes:
    """Build an element; its size field has ``width`` bytes, or more if needed."""
    return coded_id(number) + coded_size(len(body), width) + body


def void(room: int) -> bytes:
    """Build a Void element of ``room`` bytes (RFC 8794, 11.3.2).

    Raises:
        EbmlError: There are fewer than 2 bytes.
    """
    for width in range(1, 9):
        size = room - 1 - width
        if 0 <= size < (1 << 7 * width) - 1:
            return made(VOID, bytes(size), width)
    raise EbmlError(f"a Void element cannot take {room} bytes")


def fitted(element: bytes, room: int) -> bytes | None:
    """Return ``element`` followed by a Void, ``room`` bytes in total; ``None`` if it does not fit.

    One byte is too little for a Void: the element's size field becomes longer instead.
    """
    spare = room - len(element)
    if spare == 1:
        return widened(element)
    return None if spare < 0 else element + (void(spare) if spare else b"")


def widened(element: bytes) -> bytes | None:
    """Return an element with a size field that is one byte longer; ``None`` if it has the longest one."""
    parts = header(element, 0)
    assert parts is not None
    width = parts.body - len(coded_id(parts.id)) + 1
    return made(parts.id, element[parts.body :], width) if width <= 8 else None


def rebuilt(
    data: bytes,
    element: Element,
    masters: Collection[int],
    change: Callable[[Element], bytes | None],
    added: Mapping[int, bytes] | None = None,
    depth: int = 0,
) -> bytes:
    """Rebuild an element with some of its content replaced and every other byte kept.

    Sizes are updated in fields of the same width where possible, and so are checksums (RFC 8794, 11.3.1).

    Args:
        data: The bytes that the offsets of ``element`` count from.
        element: The element.
        masters: IDs of the children that are entered.
        change: Returns the bytes that replace a child, or ``None`` to keep or enter it.
        added: Bytes to append to the master that starts at an offset.
        depth: How deep ``element`` is nested below the first one.

    Raises:
        EbmlError: The element is not well-formed, or nested too deep.
    """
    if depth > MAX_DEPTH:
        raise EbmlError(f"elements are nested more than {MAX_DEPTH} deep")
    parts: list[bytes] = []
    summed = False
    for child in children(data, element):
        if child.id == CRC32 and child.start == element.body:
            summed = True
            continue
        new = change(child)
        if new is None:
            if child.id in masters:
                new = rebuilt(data, child, masters, change, added, depth + 1)
            else:
                new = data[child.start : child.end]
        parts.append(new)
    parts.append((added or {}).get(element.start, b""))
    body = b"".join(parts)
    if summed:
        body = made(CRC32, zlib.crc32(body).to_bytes(4, "little")) + body
    return made(element.id, body, element.body - element.start - len(coded_id(element.id)))
