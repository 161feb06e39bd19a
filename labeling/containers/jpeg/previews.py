"""Offsets in EXIF that lead out of it, to pictures behind the first one: previews of cameras.

Makers store them in an IFD or in a table of their MakerNote, relative to the TIFF header, each in a way of its own. So
they are recognised by what they lead to: a number that is the offset of a further picture, with the length of that
picture nearby. No such number is found by chance.
"""

from __future__ import annotations

import re
from struct import pack, pack_into, unpack_from

from labeling.containers.base import Buffer

TIFF_HEADER = 10
"""Bytes from the marker of an Exif segment to the TIFF header."""

_SOI = re.compile(rb"\xff\xd8\xff")
_EOI = b"\xff\xd9"
_ORDERS = {b"II": "<", b"MM": ">"}
_MAX_PICTURES = 64
_NEARBY = 48


def offsets(exif: bytes, data: Buffer, base: int, end: int) -> tuple[int, ...]:
    """Find the numbers in a TIFF structure that lead to pictures behind the first one.

    Args:
        exif: The structure.
        data: The file that its numbers are right for.
        base: Where the structure is in ``data``.
        end: Offset after the EOI marker of the first picture.

    Returns:
        The positions of the numbers, of 4 bytes each.
    """
    order = _ORDERS.get(exif[:2])
    if order is None or end + 4 > len(data):
        return ()
    found = []
    for number, picture in enumerate(_SOI.finditer(data, end)):
        if number >= _MAX_PICTURES:
            break
        place = picture.start()
        word = pack(order + "I", place - base & 0xFFFFFFFF)
        at = exif.find(word, 8)
        while at >= 0:
            if at % 2 == 0 and _is_measured(exif, at, order, data, place):
                found.append(at)
            at = exif.find(word, at + 1)
    return tuple(sorted(found))


def _is_measured(exif: bytes, at: int, order: str, data: Buffer, place: int) -> bool:
    """Say whether the length of the picture at ``place`` is near the number at ``at``."""
    for other in range(max(8, at - _NEARBY), min(len(exif) - 4, at + _NEARBY) + 1, 2):
        (length,) = unpack_from(order + "I", exif, other)
        if 4 < length <= len(data) - place and bytes(data[place + length - 2 : place + length]) == _EOI:
            return True
    return False


def moved(exif: bytes, positions: tuple[int, ...], by: int) -> bytes:
    """Return the structure with the numbers at ``positions`` raised by ``by``."""
    out, order = bytearray(exif), _ORDERS[exif[:2]]
    for at in positions:
        (value,) = unpack_from(order + "I", out, at)
        pack_into(order + "I", out, at, value + by & 0xFFFFFFFF)
    return bytes(out)
