"""Cyclic redundancy checks of FLAC and of LAME's header, which Python does not have, and how they change in part."""

from __future__ import annotations

from functools import cache

_POLYNOMIAL_8, _POLYNOMIAL_16 = 0x07, 0x8005
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc8(raw: bytes) -> int:
    """Return the checksum of a FLAC frame's header: polynomial 0x07, highest bit first (RFC 9639, 9.1.8)."""
    value, table = 0, _table(_POLYNOMIAL_8, 8)
    for byte in raw:
        value = table[value ^ byte]
    return value


def crc16(raw: bytes) -> int:
    """Return the checksum of a FLAC frame: polynomial 0x8005, highest bit first (RFC 9639, 9.3)."""
    value, table = 0, _table(_POLYNOMIAL_16, 16)
    for byte in raw:
        value = (value << 8 & 0xFFFF) ^ table[value >> 8 ^ byte]
    return value


def moved(value: int, count: int) -> int:
    """Return what :func:`crc16` gives when ``count`` bytes of zeros follow bytes of which it gave ``value``.

    A checksum is linear: that of two parts is that of the first, moved over the second, and that of the second.
    """
    bit = 0
    while count >> bit:
        if count >> bit & 1:
            value = _product(value, _power(bit))
        bit += 1
    return value


def crc16_mirrored(raw: bytes) -> int:
    """Return the checksum of LAME's header: polynomial 0x8005, lowest bit first."""
    return mirrored(crc16(raw.translate(_MIRRORED)))


def mirrored(value: int) -> int:
    """Return 16 bits in the opposite order."""
    return int(f"{value:016b}"[::-1], 2)


@cache
def _table(polynomial: int, width: int) -> tuple[int, ...]:
    top, mask = 1 << width - 1, (1 << width) - 1
    made = []
    for byte in range(256):
        value = byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
        made.append(value)
    return tuple(made)


@cache
def _power(bit: int) -> int:
    """Return x to the power of 8 · 2^bit, modulo the polynomial of degree 16."""
    return 0x100 if bit == 0 else _product(_power(bit - 1), _power(bit - 1))


def _product(a: int, b: int) -> int:
    made = 0
    for place in range(15, -1, -1):
        made = (made << 1 ^ (_POLYNOMIAL_16 if made & 0x8000 else 0)) & 0xFFFF
        if b >> place & 1:
            made ^= a
    return made
