"""Frames of FLAC (RFC 9639, 9): their headers with other numbers, and new ones for a cue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.cue.checksums import crc8, crc16, moved
from labeling.containers.edits import Edit

_SIZES = {1: 192, **{code: 144 << code for code in range(2, 6)}, **{code: 1 << code for code in range(8, 16)}}
_LEFT_SIDE = 8
_ORDER = 2
_MAX_RICE = 30


class Frame(NamedTuple):
    """A frame's header.

    Attributes:
        at: Offset of the frame.
        end: Offset of its end.
        head: Its header, with checksum.
        variable: Whether its number counts samples, and not frames.
        samples: Its samples in each channel.
        number: Its number.
        digits: Bytes of the number.
        checksum: The checksum at its end.
    """

    at: int
    end: int
    head: bytes
    variable: bool
    samples: int
    number: int
    digits: int
    checksum: int


def taken_apart(raw: bytes, at: int, longest: int) -> Frame | None:
    """Return the header of a frame; ``None`` if that is damaged.

    Args:
        raw: The frame.
        at: Its offset.
        longest: The most samples that a frame may have.
    """
    if len(raw) < 8 or raw[0] != 0xFF or raw[1] & 0xFE != 0xF8:
        return None
    lead = raw[4]
    digits = 1 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length()
    if digits == 8:
        digits = 7 if lead == 0xFE else 0
    if not 1 <= digits <= 7 or (lead >= 0x80 and digits == 1):
        return None
    number = lead & (0x7F if digits == 1 else (1 << 7 - digits) - 1)
    for byte in raw[5 : 4 + digits]:
        number = number << 6 | byte & 0x3F
    code, place = raw[2] >> 4, 4 + digits
    size = _SIZES.get(code, 0)
    if code in (6, 7):
        size = int.from_bytes(raw[place : place + code - 5], "big") + 1
        place += code - 5
    place += {12: 1, 13: 2, 14: 2}.get(raw[2] & 15, 0)
    head = raw[: place + 1]
    if len(raw) < place + 3 or crc8(head[:-1]) != head[-1] or not 0 < size <= max(longest, 16):
        return None
    checksum = int.from_bytes(raw[-2:], "big")
    return Frame(at, at + len(raw), head, bool(raw[1] & 1), size, number, digits, checksum)


def renumbered(frame: Frame, change: int) -> list[Edit]:
    """Return the edits that give a frame another number, and the checksums that fit."""
    if not change:
        return []
    head = frame.head[:4] + _coded_number(frame.number + change) + frame.head[4 + frame.digits : -1]
    head += bytes((crc8(head),))
    rest = frame.end - frame.at - len(frame.head) - 2
    # The checksum is linear: it changes as that of the header does, moved over the rest of the frame.
    changed = moved(crc16(head) ^ crc16(frame.head), rest) ^ frame.checksum
    return [(frame.at, frame.at + len(frame.head), head), (frame.end - 2, frame.end, changed.to_bytes(2, "big"))]


def encoded(samples: NDArray[np.int64], like: Frame, block: int, first: int, bits: int) -> Iterator[bytes]:
    """Encode samples as frames.

    Args:
        samples: (n, channels), all channels alike.
        like: A frame of the file, whose rate and depth are stated in the same way.
        block: Samples of each frame but the last.
        first: Number of the first of these samples in the file.
        bits: Bits of a sample.
    """
    for at in range(0, len(samples), block):
        part = samples[at : at + block]
        number = first + at if like.variable else (first + at) // block
        yield _frame(part, like, number, bits)


def _frame(samples: NDArray[np.int64], like: Frame, number: int, bits: int) -> bytes:
    count, channels = samples.shape
    alike = bool((samples == samples[:, :1]).all())
    side = channels == 2 and alike
    code = 7
    assignment = _LEFT_SIDE if side else channels - 1
    rate_code = like.head[2] & 15
    rate_bytes = like.head[len(like.head) - 1 - {12: 1, 13: 2, 14: 2}.get(rate_code, 0) : -1]
    head = bytes((0xFF, 0xF8 | like.variable, code << 4 | rate_code, assignment << 4 | like.head[3] & 0x0F))
    head += _coded_number(number) + (count - 1).to_bytes(2, "big") + rate_bytes
    head += bytes((crc8(head),))
    if alike:
        one = _subframe(samples[:, 0], bits)
        parts = [one, _subframe(np.zeros(count, np.int64), bits + 1)] if side else [one] * channels
    else:
        parts = [_subframe(samples[:, channel], bits) for channel in range(channels)]
    body: bytes = head + np.packbits(np.concatenate(parts)).tobytes()
    return body + crc16(body).to_bytes(2, "big")


def _subframe(values: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    """Encode one channel: constant, by the fixed predictor of order 2, or as it is (RFC 9639, 9.2). Returns bits."""
    if (values == values[0]).all():
        return np.concatenate([_bits(np.zeros(1, np.int64), 8), _bits(values[:1], bits)])
    plain = np.concatenate([_bits(np.array([1 << 1]), 8), _bits(values, bits)])
    if len(values) <= _ORDER or bits > 30:
        return plain
    rest = np.diff(values, n=_ORDER)
    folded = np.where(rest < 0, -2 * rest - 1, 2 * rest)
    mean = float(folded.mean())
    rice = min(_MAX_RICE, max(0, int(np.log2(mean + 1))))
    high = folded >> rice
    if float(high.sum()) > plain.size:
        return plain
    length = int(high.sum()) + high.size
    unary = np.zeros(length + rice * high.size, np.uint8)
    ends = np.cumsum(high + 1 + rice)
    unary[ends - rice - 1] = 1
    for bit in range(rice):
        unary[ends - rice + bit] = folded >> rice - 1 - bit & 1
    kind = _bits(np.array([(8 | _ORDER) << 1]), 8)
    # Rice coding with parameters of 5 bits, one partition.
    coding = np.concatenate([_bits(np.array([1]), 2), _bits(np.array([0]), 4), _bits(np.array([rice]), 5)])
    return np.concatenate([kind, _bits(values[:_ORDER], bits), coding, unary])


def _bits(values: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """Return numbers as bits, the highest first."""
    shifts = np.arange(width - 1, -1, -1)
    return (values[:, None] >> shifts & 1).astype(np.uint8).reshape(-1)


def _coded_number(number: int) -> bytes:
    """Code a number of up to 36 bits as UTF-8 does, with up to seven bytes (RFC 9639, 9.1.5)."""
    if number < 0x80:
        return bytes((number,))
    count = next(count for count in range(2, 8) if number < 1 << 5 * count + 1)
    rest = [0x80 | number >> 6 * place & 0x3F for place in reversed(range(count - 1))]
    return bytes((0xFF00 >> count & 0xFF | number >> 6 * (count - 1), *rest))
