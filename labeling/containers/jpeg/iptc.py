"""IPTC-IIM in a new JPEG file, which has none: in an APP13 segment, as an image resource of Photoshop."""

from __future__ import annotations

import struct

_PHOTOSHOP, _RESOURCE = b"Photoshop 3.0\0", 0x0404
_LONGEST = 65533
"""Bytes of a segment after its length."""


def with_iim(data: bytes, datasets: bytes) -> bytes:
    """Return the file with an APP13 segment after its other APPn segments; as it is if that would be too long.

    Args:
        data: The file.
        datasets: The IIM datasets (IPTC-NAA IIM 4.2).
    """
    resource = b"8BIM" + struct.pack(">HHI", _RESOURCE, 0, len(datasets)) + datasets + b"\0" * (len(datasets) & 1)
    body = _PHOTOSHOP + resource
    if len(body) > _LONGEST:
        return data
    at = 2
    while data[at : at + 1] == b"\xff" and 0xE0 <= data[at + 1] <= 0xEF:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:at] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + data[at:]
