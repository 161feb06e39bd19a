"""What JPEG files hold besides their segments: further pictures, and what follows the end."""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from

from labeling._tiff_ifd import read_tiff
from labeling.containers.base import Buffer, Contents, Entry, Kind, digest_of_part

_PREFIX, _ENTRIES = b"MPF\0", 0xB002
_HEAD = 32


def inventory(data: Buffer, contents: Contents) -> Iterator[Entry]:
    """List what a JPEG file holds behind its first picture (CIPA DC-007)."""
    yield Entry("size", f"{contents.width}×{contents.height}", "size", "JPEG frame header")
    end = max((offset + length for offset, length in contents.coded), default=len(data))
    if end < len(data):
        value = digest_of_part(data, end, len(data))
        yield Entry("trailer", value, f"{len(data) - end} bytes behind the first picture", f"JPEG, offset {end}")
    for block in contents.blocks:
        if block.kind is Kind.APP and block.keyword == "MPF":
            yield from _listed(data, block.offset)


def _listed(data: Buffer, segment: int) -> Iterator[Entry]:
    """Follow the index of further pictures: one that does not lead to a picture has lost it to readers."""
    payload = bytes(data[segment + 4 : segment + 2 + int.from_bytes(data[segment + 2 : segment + 4], "big")])
    if payload[:4] != _PREFIX:
        return
    base, index = segment + 8, read_tiff(payload[4:])
    entries = index.ifds[0].entries.get(_ENTRIES) if index.ifds else None
    raw = index.value(entries) if entries is not None else b""
    for number in range(len(raw) // 16):
        length, place = unpack_from(index.byte_order + "II", raw, 16 * number + 4)
        at = base + place if place else 0
        head = bytes(data[at : at + _HEAD])
        ended = bytes(data[at + length - 2 : at + length]) == b"\xff\xd9"
        if place == 0:
            if ended:
                yield Entry("picture:first", b"", "length of the first picture in the index", "JPEG APP2 MPF")
        elif head.startswith(b"\xff\xd8"):
            yield Entry("picture:further", head, "further picture that the index lists", "JPEG APP2 MPF")
