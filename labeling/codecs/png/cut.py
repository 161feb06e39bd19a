"""Find where the beginning of a zlib stream can be kept: a Deflate block that starts before a given byte.

Blocks begin at any bit, and nothing but decoding all before says where (RFC 1951, 3.2.3). Libraries do not tell. But
the headers of blocks with codes of their own (3.2.7) and of stored ones (3.2.4) are rarely like other data, so their
places are guessed first, and each guess is tried: if the stream is ended there, the decompressor must come to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.png.stream import FED, Inflated, Kept, Mark, part
from labeling.containers.base import Buffer
from labeling.deflate import WINDOW, DeflateError, adler32, decompressor


def kept(stream: Inflated, bodies: Sequence[Buffer], most: int) -> Kept | None:
    """Return as much of a stream as can stay and is no more than ``most`` bytes when decompressed.

    Args:
        stream: The stream, which was read further and watched up to there.
        bodies: The payloads that it is in.
        most: The first byte that changes.

    Returns:
        What stays; ``None`` if no block that begins near that byte was found.
    """
    head = part(bodies, 0, 2)
    if len(head) < 2 or head[0] != _USUAL_HEAD or head[1] & _DICTIONARY:
        return None  # its window is smaller, and what follows may not refer further back either
    marks = [*stream.marks]
    if not marks:
        return None
    places = [mark.consumed for mark in marks]
    places.append(_reached(marks[-1], bodies, most))
    for which, (start, stop) in reversed([*enumerate(pairwise(places))]):
        mark = _before(marks[: which + 1])
        if mark is None:
            break
        data = part(bodies, mark.consumed, stop + _HEADER)
        for bit in _guesses(data, start - mark.consumed, stop - mark.consumed):
            found = _tried(mark, data, bit, most)
            if found is not None:
                return found
    return None


_USUAL_HEAD, _DICTIONARY = 0x78, 0x20  # RFC 1950, 2.2: CM 8 and CINFO 7, a window of 32 KiB; FDICT

_HEADER = 640
"""More bytes than the header of a block takes: 17 bits, 19 × 3 and at most 316 × 14."""

_STEP = 1 << 13
"""Compressed bytes that are searched at once."""


def _before(marks: Sequence[Mark]) -> Mark | None:
    """Return the last mark so far ahead of the last of all that what a stream can refer to comes out in between."""
    for mark in reversed(marks):
        if mark.produced == 0 or mark.produced <= marks[-1].produced - WINDOW:
            return mark
    return None


def _reached(mark: Mark, bodies: Sequence[Buffer], most: int) -> int:
    """Return how many compressed bytes it takes at most to decompress more than ``most`` bytes."""
    state, at, produced = mark.state.copy(), 0, mark.produced
    data = part(bodies, mark.consumed, mark.consumed + 2 * FED)
    with suppress(*DeflateError):  # beyond what was read so far
        while produced <= most and at < len(data):
            produced += len(state.decompress(data[at : at + 1024], most + 1 - produced))
            at += 1024
    return mark.consumed + min(at, len(data))


def _guesses(data: bytes, start: int, stop: int) -> Iterator[int]:
    """Yield the bits from byte ``start`` to ``stop`` where a block may begin, the last one first."""
    for low in reversed(range(start, stop, _STEP)):
        some = data[low : min(low + _STEP, stop) + 16]
        for bit in sorted({*map(int, _coded(some)), *_stored(some)}, reverse=True):
            at = low * 8 + bit
            if at < stop * 8 and _is_header(data, at):
                yield at


def _stored(data: bytes) -> Iterator[int]:
    """Yield the bits of data where the header of a stored block may begin, with zeros up to the next byte."""
    every = np.frombuffer(data, np.uint8)
    wide = every[:-1].astype(np.uint16) | every[1:].astype(np.uint16) << 8
    for at in np.flatnonzero(wide[:-2] ^ wide[2:] == 0xFFFF):  # LEN and its complement
        place = int(at)
        bits = int.from_bytes(data[max(0, place - 2) : place], "little")
        width = 8 * min(place, 2)
        for taken in range(3, min(width, 10) + 1):
            if bits >> (width - taken) in (0, 1):  # BFINAL, then zeros
                yield 8 * place - taken


def _coded(data: bytes) -> NDArray[np.int64]:
    """Return the bits of data where a header may begin whose code of code lengths (3.2.7) is complete."""
    used, rooms = _tables()
    every = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data + bytes(8), np.uint8), 8)
    words = np.ascontiguousarray(every).view("<u8")[:, 0]
    found = []
    for shift in range(8):
        low = (words[: max(0, len(data) - 16)] >> np.uint64(shift)).astype(np.uint32)
        dynamic = (low >> 1 & 3 == 2) & (low >> 3 & 31 <= 29) & (low >> 8 & 31 <= 29)
        at = np.flatnonzero(dynamic)
        count = (low[at] >> 13 & 15) + 4
        bits = at * 8 + shift
        after = bits + 17
        lengths = words[after >> 3] >> (after & 7).astype(np.uint64) & used[count]
        room = np.zeros(len(at), np.uint16)
        for first in range(0, 3 * 19, 12):
            room += rooms[(lengths >> np.uint64(first) & np.uint64(0xFFF)).astype(np.intp)]
        found.append(bits[room == 128])
    return np.sort(np.concatenate(found))


@cache
def _tables() -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    """Return the bits of so many code lengths, and the room, in 128ths, that four of them take."""
    used = np.array([(1 << 3 * count) - 1 for count in range(20)], np.uint64)
    each = np.array([0, *(128 >> length for length in range(1, 8))], np.uint16)
    four = np.arange(1 << 12)
    return used, sum((each[four >> shift & 7] for shift in (0, 3, 6, 9)), np.zeros(1 << 12, np.uint16))


def _is_header(data: bytes, bit: int) -> bool:
    """Return whether a decompressor takes what begins at a bit for a block, whatever came before."""
    piece = data[bit >> 3 : (bit >> 3) + _HEADER]
    shifted = (int.from_bytes(piece, "little") >> (bit & 7)).to_bytes(len(piece), "little")
    try:
        decompressor(raw=True, before=bytes(WINDOW)).decompress(shifted, 1)
    except DeflateError:
        return False
    return True


def _tried(mark: Mark, data: bytes, bit: int, most: int) -> Kept | None:
    """Return what stays if the stream is cut at a bit of ``data``, which begins at ``mark``.

    Returns:
        That; ``None`` if no block begins there, or what stays would be more than ``most`` bytes.
    """
    whole, bits = divmod(bit, 8)
    last = data[whole] & (1 << bits) - 1 if bits else 0
    state = mark.state.copy()
    try:
        out = state.decompress(data[:whole] + _joint(last, bits, final=True), most - mark.produced + 1)
        total = adler32(out, mark.sum)
        rest = state.decompress(total.to_bytes(4, "big"))
    except DeflateError:
        return None
    size = mark.produced + len(out)
    if rest or not state.eof or state.unused_data or not 0 < size <= most:
        return None
    joint = _joint(last, bits, final=False)
    return Kept(size, mark.consumed + whole, joint, out[-WINDOW:], total, mark)


def _joint(last: int, bits: int, *, final: bool) -> bytes:
    """Return a byte with ``bits`` bits that are taken, then an empty stored block (3.2.4), which ends with a byte."""
    return (last | final << bits).to_bytes(1 if bits + 3 <= 8 else 2, "little") + b"\0\0\xff\xff"
