"""User data in the first coded picture of a video: SEI messages of H.264 and HEVC (ITU-T H.264 D.1.7, H.265 D.2.7)."""

from __future__ import annotations

from collections.abc import Iterator

MAX_PICTURE = 256 << 10
"""Bytes of the first picture that are searched: SEI messages come before its slices."""

MAX_UNITS = 64
"""Limit on the NAL units that are looked at."""

_UNREGISTERED = 5
_UUID = 16


def user_data(sample: bytes, length_size: int, *, hevc: bool) -> Iterator[bytes]:
    """Yield the payloads of a sample's unregistered user data, without their UUIDs.

    Args:
        sample: The beginning of the sample.
        length_size: Bytes of the length before each NAL unit.
        hevc: Whether it is HEVC; else H.264.
    """
    pos = 0
    for _ in range(MAX_UNITS):
        start = pos + length_size
        size = int.from_bytes(sample[pos:start], "big")
        unit = sample[start : min(start + size, len(sample))]
        if len(unit) < 3:
            return
        kind = (unit[0] >> 1) & 0x3F if hevc else unit[0] & 0x1F
        if kind == (39 if hevc else 6):
            yield from _messages(unit[2 if hevc else 1 :].replace(b"\0\0\3", b"\0\0"))
        pos = start + size


def _messages(body: bytes) -> Iterator[bytes]:
    pos = 0
    while pos + 2 < len(body):
        kind, pos = _number(body, pos)
        size, pos = _number(body, pos)
        if kind == _UNREGISTERED and _UUID < size <= len(body) - pos:
            yield body[pos + _UUID : pos + size]
        pos += size


def _number(body: bytes, pos: int) -> tuple[int, int]:
    """Read a number that is stored as a sum of bytes, where a byte of 255 says that another one follows."""
    total = 0
    while pos < len(body) and body[pos] == 255:
        total, pos = total + 255, pos + 1
    return total + (body[pos] if pos < len(body) else 0), pos + 1
