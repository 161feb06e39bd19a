"""Further pictures behind the first one of a JPEG file, and the indexes that lead to them.

The index in the APP2 ``MPF`` segment (CIPA DC-007, Multi-Picture Format) gives the offsets of the other pictures,
relative to itself, and the length of the first one. Cameras list previews in it, phones the gain map of an Ultra HDR
picture (ISO 21496-1). Google's container directory in the XMP packet counts from the end of the first picture, and may
give the length of that one. With a wrong index the pictures are lost to readers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from struct import error, pack_into, unpack_from

from labeling.containers.base import Buffer
from labeling.containers.jpeg.segments import walk

PREFIX = b"MPF\0"
"""What the payload of the segment begins with."""

HEADER = 4 + len(PREFIX)
"""Bytes from the marker of the segment to the TIFF header, which the offsets are relative to."""

_ENTRIES = 0xB002
_ENTRY_SIZE = 16
_SOI = b"\xff\xd8\xff"
_MAX_CANDIDATES = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are in one version of a file.

    Attributes:
        base: Offset of the TIFF header of the index.
        end: Offset after the EOI marker of the first picture. What follows it is the same in all versions.
    """

    base: int
    end: int


def fitted(payload: bytes, data: Buffer, old: Place, new: Place) -> bytes | None:
    """Return the payload of an MPF segment as it must be in a copy of a file.

    An index that is wrong already is corrected, if all its pictures are as far from where it says.

    Args:
        payload: The payload, which begins with :data:`PREFIX`.
        data: The file that the payload is from.
        old: Where things are in ``data``.
        new: Where they are in the copy.

    Returns:
        The new payload; ``None`` if nothing changes or the index cannot be read.
    """
    out = bytearray(payload)
    try:
        order, at, count = _entries(payload)
        entries = range(at, at + count * _ENTRY_SIZE, _ENTRY_SIZE)
        places = {entry: unpack_from(order + "I", payload, entry + 8)[0] for entry in entries}
        further = [old.base + place for place in places.values() if place]
        wrong_by = _wrong_by(data, further, old.end)
        moved = wrong_by + new.end - old.end + old.base - new.base
        for entry, place in places.items():
            if place:
                pack_into(order + "I", out, entry + 8, place + moved)
            elif entry == at:  # the first picture: its own place is not given
                (length,) = unpack_from(order + "I", payload, entry + 4)
                padding = length - old.end
                room = min((start + wrong_by for start in further), default=len(data)) - old.end
                length = new.end + (padding if 0 < padding <= room and not wrong_by else 0)
                pack_into(order + "I", out, entry + 4, length)
    except (error, LookupError):
        return None
    return None if out == payload else bytes(out)


@dataclass(frozen=True, slots=True)
class Further:
    """A picture that an index lists behind the first: its number there, its offset in the file, and its length."""

    number: int
    start: int
    length: int


def further(payload: bytes, data: Buffer, base: int, end: int) -> tuple[Further, ...]:
    """List the pictures that an index leads to, in the order of their places.

    Args:
        payload: The payload, which begins with :data:`PREFIX`.
        data: The file.
        base: Offset of the TIFF header of the index.
        end: Offset after the EOI marker of the first picture.

    Returns:
        Nothing if the index cannot be read, or if any of its places is none of a picture of its own.
    """
    found = []
    try:
        order, at, count = _entries(payload)
        for number in range(count):
            length, place = unpack_from(order + "II", payload, at + number * _ENTRY_SIZE + 4)
            if place:
                found.append(Further(number, base + place, length))
    except (error, LookupError):
        return ()
    found.sort(key=lambda each: each.start)
    free, fit = end, []
    for each, limit in zip(found, [*(each.start for each in found[1:]), len(data)], strict=True):
        if each.start < free or not _begins(data, each.start):
            return ()
        length = each.length
        if not 4 <= length <= limit - each.start:  # Pillow gives the length of all further pictures so far
            length = walk(data[each.start : limit]).end
        if length < 4:
            return ()
        fit.append(Further(each.number, each.start, length))
        free = each.start + length
    return tuple(fit)


def resized(payload: bytes, changes: Sequence[tuple[int, int, int]]) -> bytes:
    """Return an index with other lengths: ``changes`` are number, new length and how far the picture moved."""
    out = bytearray(payload)
    order, at, _ = _entries(payload)
    for number, length, moved in changes:
        entry = at + number * _ENTRY_SIZE
        (place,) = unpack_from(order + "I", payload, entry + 8)
        pack_into(order + "II", out, entry + 4, length, place + moved)
    return bytes(out)


def is_stale(payload: bytes, data: Buffer, base: int) -> bool:
    """Say whether an index leads to a place where no picture begins. An index that cannot be read is not judged."""
    try:
        order, at, count = _entries(payload)
        places = [unpack_from(order + "I", payload, at + n * _ENTRY_SIZE + 8)[0] for n in range(count)]
    except (error, LookupError):
        return False
    return any(place and not _begins(data, base + place) for place in places)


def _begins(data: Buffer, at: int) -> bool:
    return bytes(data[at : at + len(_SOI)]) == _SOI


def _wrong_by(data: Buffer, starts: list[int], end: int) -> int:
    """Return how far behind ``starts`` pictures begin, the same for all; 0 if they are right or nothing fits."""
    if all(_begins(data, start) for start in starts):
        return 0
    first, tail = min(starts), bytes(data[end:])
    for number, found in enumerate(re.finditer(re.escape(_SOI), tail)):
        if number >= _MAX_CANDIDATES:
            break
        wrong_by = end + found.start() - first
        if all(_begins(data, start + wrong_by) for start in starts):
            return wrong_by
    return 0


def _entries(payload: bytes) -> tuple[str, int, int]:
    """Return the byte order, the offset of the first MP entry in the payload, and the number of entries."""
    base = len(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}[payload[base : base + 4]]
    (ifd,) = unpack_from(order + "I", payload, base + 4)
    (fields,) = unpack_from(order + "H", payload, base + ifd)
    for index in range(fields):
        tag, _, length, place = unpack_from(order + "HHII", payload, base + ifd + 2 + 12 * index)
        if tag == _ENTRIES:
            if base + place + length > len(payload):
                raise LookupError("MP entries are outside the segment")
            return order, base + place, length // _ENTRY_SIZE
    raise LookupError("no MP entries")


# Google's container directory (Ultra HDR image format 1.1; Motion Photo format 1.0)

_PRIMARY = re.compile(rb""":Semantic(?:\s*+=\s*+["']Primary["']|>Primary<)""")
_LENGTH = re.compile(rb"""(:Length(?:\s*=\s*["']|>))(\d{1,18})(?=["'<])""")


def primary_length(packet: bytes) -> tuple[int, int, int] | None:
    """Find the length of the first picture in a container directory.

    Returns:
        The offsets of its digits in the packet, and its value; ``None`` if the directory is missing, or leaves the
        length out or gives 0, as it may.
    """
    if b"Semantic" not in packet:
        return None
    spans = (_item_of(packet, found) for found in islice(_PRIMARY.finditer(packet), _MAX_CANDIDATES))
    start, end = next((span for span in spans if span is not None), (0, -1))
    if end < 0:
        return None
    found = _LENGTH.search(packet, start, max(end, start))
    if found is None or not (value := int(found[2])):
        return None
    return found.start(2), found.end(2), value


def _item_of(packet: bytes, found: re.Match[bytes]) -> tuple[int, int] | None:
    """Return where the item is that a match says is the first picture; ``None`` if it is in no tag."""
    start, end = found.span()
    if packet[end - 1 : end] == b"<":  # as elements: the fields of one list item
        return packet.rfind(b"li", 0, start) + 1, packet.find(b"li>", end)
    opened, closed = packet.rfind(b"<", 0, start), packet.find(b">", end)
    if opened < 0 or packet.find(b">", opened, start) >= 0 or closed < 0 or packet.find(b"<", end, closed) >= 0:
        return None
    return opened, closed + 1
