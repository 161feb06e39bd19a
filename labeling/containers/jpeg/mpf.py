"""The Multi-Picture Format index (CIPA DC-007), corrected when the first picture of a file grows or shrinks.

The index in the APP2 ``MPF`` segment gives the offsets of the other pictures, relative to itself, and the length of the
first one. Phones use it for Ultra HDR gain maps and previews: with a wrong index these are lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import error, pack_into, unpack_from

from labeling.containers.edits import Edit

PREFIX = b"MPF\0"
"""What the payload of the segment begins with."""

_ENTRIES = 0xB002
_ENTRY_SIZE = 16


def patched(payload: bytes, offset: int, edits: Sequence[Edit]) -> bytes | None:
    """Return the payload of an MPF segment as it must be once ``edits`` are made.

    Args:
        payload: The payload, which begins with :data:`PREFIX`.
        offset: Where its segment is in the file.
        edits: Edits, all inside the first picture.

    Returns:
        The new payload; ``None`` if nothing changes or the index cannot be read.
    """
    growth = sum(len(new) - (end - start) for start, end, new in edits)
    behind = sum(len(new) - (end - start) for start, end, new in edits if start > offset)
    out = bytearray(payload)
    try:
        order, at, count = _entries(payload)
        for entry in range(at, at + count * _ENTRY_SIZE, _ENTRY_SIZE):
            length, place = unpack_from(order + "II", out, entry + 4)
            if place == 0:  # the first picture: its own place is not given
                length += growth
            else:
                place += behind
            pack_into(order + "II", out, entry + 4, length, place)
    except (error, LookupError):
        return None
    return None if out == payload else bytes(out)


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
