"""Bits and NAL units: the tools to read and rewrite the parameter sets of H.264 and HEVC.

All work is bounded by the length of the input. Input that does not parse raises :class:`UnreadableFile`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from labeling.codecs.video.base import ALWAYS
from labeling.errors import TooLarge, UnreadableFile

MAX_SET = 1 << 16
"""Limit on the bytes of one parameter set that are read; real ones have a few hundred."""

MAX_NALS = 1 << 14
"""Limit on the NAL units of one packet."""

_EMULATED = re.compile(rb"\0\0(?=[\0-\3])")


def damaged(what: str) -> UnreadableFile:
    """Return the error to raise for a stream that does not parse."""
    return UnreadableFile(
        f"the video stream is damaged ({what})", hint="repair it first, for example by re-encoding it"
    )


def too_many(what: str, limit: int) -> TooLarge:
    """Return the error to raise for a packet with more parts than are read."""
    return TooLarge(f"a packet of the video has more than {limit:,} {what}", hint="re-encode the video")


class BitReader:
    """Reads the bits of a raw byte sequence payload (RBSP), most significant first (H.264 7.2, 9.1)."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._size = len(data) * 8
        self.at = 0

    def u(self, count: int) -> int:
        """Read ``count`` bits as an unsigned number."""
        if self.at + count > self._size:
            raise damaged("a parameter set ends too early")
        self.at += count
        return (self._value >> (self._size - self.at)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Read one bit."""
        return bool(self.u(1))

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb code with a value of at most 32 bits."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 31:
                raise damaged("a number in a parameter set is too large")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Read a signed Exp-Golomb code."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def rest(self) -> str:
        """Return the bits from here up to the stop bit, which is left out, as a string of 0 and 1."""
        left = self._size - self.at
        text = format(self._value & ((1 << left) - 1), f"0{left}b") if left else ""
        stop = text.rfind("1")
        if stop < 0:
            raise damaged("a parameter set has no end")
        return text[:stop]


def code_ue(value: int) -> str:
    """Return an unsigned Exp-Golomb code as a string of 0 and 1."""
    binary = format(value + 1, "b")
    return "0" * (len(binary) - 1) + binary


def from_bits(bits: str) -> bytes:
    """Return an RBSP: the bits, the stop bit, and zeros up to a whole byte."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def unescape(nal: bytes) -> bytes:
    """Return a parameter set without its emulation prevention bytes (H.264 7.4.1)."""
    return nal[:MAX_SET].replace(b"\0\0\3", b"\0\0")


def escape(rbsp: bytes) -> bytes:
    """Insert emulation prevention bytes."""
    return _EMULATED.sub(b"\0\0\3", rbsp)


def is_annex_b(data: bytes) -> bool:
    """Return whether these bytes begin with a start code."""
    return data[:4] == b"\0\0\0\1" or data[:3] == b"\0\0\1"


def split_start_codes(data: bytes) -> list[bytes]:
    """Return the NAL units of a byte stream (Annex B)."""
    parts = data.split(b"\0\0\1", MAX_NALS + 1)
    if len(parts) > MAX_NALS:
        raise too_many("NAL units", MAX_NALS)
    if parts[0].strip(b"\0"):
        raise damaged("a packet does not begin with a start code")
    return [nal for part in parts[1:] if (nal := part.rstrip(b"\0"))]


def split_lengths(data: bytes, size: int) -> list[bytes]:
    """Return the NAL units of a packet in which a length of ``size`` bytes precedes each."""
    nals: list[bytes] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + size], "big")
        at += size
        if at + length > len(data):
            raise damaged("a packet's NAL units do not fit into it")
        if len(nals) >= MAX_NALS:
            raise too_many("NAL units", MAX_NALS)
        if length:
            nals.append(data[at : at + length])
        at += length
    return nals


def leading_nals(head: bytes, size: int) -> list[bytes]:
    """Return the NAL units that are whole in the first part of a packet; ``size`` as in :func:`join_nals`."""
    if not size:
        return split_start_codes(head)[:-1] if is_annex_b(head) else []
    nals: list[bytes] = []
    at = 0
    while at + size < len(head):
        length = int.from_bytes(head[at : at + size], "big")
        at += size
        if not length or at + length > len(head):
            break
        nals.append(head[at : at + length])
        at += length
    return nals


def join_nals(nals: Sequence[bytes], size: int) -> bytes:
    """Join NAL units with lengths of ``size`` bytes, or with start codes if ``size`` is 0."""
    parts: list[bytes] = []
    for nal in nals:
        if size and len(nal) >> (8 * size):
            raise UnreadableFile(
                f"the stream has {size} bytes for the length of a NAL unit, too few for the new pictures", hint=ALWAYS
            )
        parts += [len(nal).to_bytes(size, "big") if size else b"\0\0\0\1", nal]
    return b"".join(parts)


def sei_types(nal: bytes, header: int) -> list[int]:
    """Return the payload types of an SEI NAL unit whose header has ``header`` bytes (H.264 7.3.2.3, HEVC 7.3.2.4)."""
    data = unescape(nal)[header:]
    types: list[int] = []
    at = 0
    while at + 2 <= len(data):
        numbers = []
        for _ in range(2):
            value = 0
            while at < len(data) and data[at] == 0xFF:
                value, at = value + 255, at + 1
            if at >= len(data):
                return types
            numbers.append(value + data[at])
            at += 1
        types.append(numbers[0])
        at += numbers[1]
    return types
