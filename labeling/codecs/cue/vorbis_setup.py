"""The setup header of a Vorbis stream (Vorbis I specification, 4.2.4), as far as new packets need it."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.cue.base import CannotPut

MAX_ENTRIES = 1 << 16
MAX_VALUES = 1 << 18
"""Limits on the entries of a code book, and on the numbers in one."""

_RANGES = (256, 128, 86, 64)


class Bits:
    """Reads bits, the lowest of a byte first."""

    def __init__(self, raw: bytes) -> None:
        self._value, self._left = int.from_bytes(raw, "little"), 8 * len(raw)
        self._raw, self._at, self._end = raw, 0, 8 * len(raw)

    def read(self, count: int) -> int:
        """Return the next ``count`` bits as a number. Raises :class:`CannotPut` at the end."""
        if self._at + count > self._end:
            raise CannotPut("its setup header is cut off")
        first, last = self._at >> 3, self._at + count + 7 >> 3
        value = int.from_bytes(self._raw[first:last], "little") >> (self._at & 7)
        self._at += count
        return value & (1 << count) - 1


class Book:
    """A code book: code words for numbers, or for vectors."""

    def __init__(self, bits: Bits) -> None:
        if bits.read(24) != 0x564342:
            raise CannotPut("its code books are damaged")
        self.size, self.entries = bits.read(16), bits.read(24)
        if self.entries > MAX_ENTRIES:
            raise CannotPut("its code books are too large")
        self.lengths = self._lengths(bits)
        self._lookup(bits)
        self.words = _words(self.lengths)

    def _lengths(self, bits: Bits) -> list[int]:
        if not bits.read(1):
            sparse = bits.read(1)
            return [bits.read(5) + 1 if not sparse or bits.read(1) else 0 for _ in range(self.entries)]
        lengths: list[int] = []
        length = bits.read(5) + 1
        while len(lengths) < self.entries:
            count = bits.read((self.entries - len(lengths)).bit_length())
            lengths += [length] * min(count, self.entries - len(lengths))
            length += 1
            if length > 33:
                raise CannotPut("its code books are damaged")
        return lengths

    def _lookup(self, bits: Bits) -> None:
        self.lookup = bits.read(4)
        if self.lookup not in (0, 1, 2):
            raise CannotPut("its code books are of a kind that is unknown")
        if not self.lookup:
            return
        self.least, self.step = _number(bits.read(32)), _number(bits.read(32))
        width, self.sums = bits.read(4) + 1, bits.read(1)
        count = self.entries * self.size if self.lookup == 2 else _root(self.entries, self.size)
        if count > MAX_VALUES or self.entries * self.size > MAX_VALUES:
            raise CannotPut("its code books are too large")
        self.values = [bits.read(width) for _ in range(count)]

    @cached_property
    def vectors(self) -> NDArray[np.float64]:
        """The vectors of the entries, (entries, size); those without a code word are out of reach."""
        numbers = np.array(self.values, float) * self.step + self.least
        index = np.arange(self.entries)
        if self.lookup == 1:
            count = len(self.values)
            found = np.stack([numbers[index // count**place % count] for place in range(self.size)], axis=1)
        else:
            found = numbers.reshape(self.entries, self.size)
        if self.sums:
            found = np.cumsum(found, axis=1)
        return np.where(np.array(self.lengths)[:, None] > 0, found, 1e9)


def _number(raw: int) -> float:
    """Decode a floating-point number of Vorbis (9.2.2)."""
    mantissa = raw & 0x1FFFFF
    return float((-mantissa if raw >> 31 else mantissa) * 2.0 ** ((raw >> 21 & 0x3FF) - 788))


def _root(entries: int, size: int) -> int:
    found = max(1, int(entries ** (1 / size))) if size else 0
    while (found + 1) ** size <= entries:
        found += 1
    while found**size > entries:
        found -= 1
    return found


def _words(lengths: list[int]) -> list[int]:
    """Return the code words, their first bit lowest: each entry takes the first free place of the tree (3.2.1)."""
    free: list[int] = [0] * 33  # by depth: the next free word there, 0 if there is none
    words = [0] * len(lengths)
    first = True
    for entry, length in enumerate(lengths):
        if not length:
            continue
        if first:
            first, word = False, 0
            for depth in range(1, length + 1):
                free[depth] = 1 << 32 - depth
        else:
            depth = length
            while depth > 0 and not free[depth]:
                depth -= 1
            if not depth:
                raise CannotPut("its code books are damaged")
            word, free[depth] = free[depth], 0
            for below in range(depth + 1, length + 1):
                free[below] = word + (1 << 32 - below)
        words[entry] = int(f"{word >> 32 - length:0{length}b}"[::-1], 2)
    return words


class Floor(NamedTuple):
    """A floor of type 1 (7.2.2): (size, bits of a subclass, master book, books) of each partition's class."""

    partitions: tuple[tuple[int, int, int, tuple[int, ...]], ...]
    multiplier: int

    @property
    def range(self) -> int:
        return _RANGES[self.multiplier - 1]


class Residue(NamedTuple):
    """A residue (8.6.1)."""

    kind: int
    begin: int
    end: int
    partition: int
    classes: int
    book: int
    books: tuple[tuple[int, ...], ...]  # for each class, by pass; -1 for none


class Mapping(NamedTuple):
    """A mapping (4.2.4)."""

    couples: tuple[tuple[int, int], ...]
    muxes: tuple[int, ...]
    submaps: tuple[tuple[int, int], ...]  # floor, residue


class Setup:
    """A setup header.

    Args:
        raw: The third packet of the stream.
        channels: Number of channels.

    Raises:
        CannotPut: It is damaged, or of a kind that new packets are not made for.
    """

    def __init__(self, raw: bytes, channels: int) -> None:
        if raw[:7] != b"\5vorbis":
            raise CannotPut("it has no setup header")
        bits = Bits(raw[7:])
        self.books = [Book(bits) for _ in range(bits.read(8) + 1)]
        for _ in range(bits.read(6) + 1):
            bits.read(16)
        self.floors = [_floor(bits) for _ in range(bits.read(6) + 1)]
        self.residues = [_residue(bits) for _ in range(bits.read(6) + 1)]
        self.mappings = [_mapping(bits, channels) for _ in range(bits.read(6) + 1)]
        self.modes: list[tuple[int, int]] = []  # whether blocks are long, mapping
        for _ in range(bits.read(6) + 1):
            long, _kind = bits.read(1), bits.read(32)
            self.modes.append((long, bits.read(8)))
        if not bits.read(1):
            raise CannotPut("its setup header is damaged")


def _floor(bits: Bits) -> Floor:
    if bits.read(16) != 1:
        raise CannotPut("its floors are of type 0")
    order = [bits.read(4) for _ in range(bits.read(5))]
    classes = []
    for _ in range(max(order, default=-1) + 1):
        size, depth = bits.read(3) + 1, bits.read(2)
        master = bits.read(8) if depth else -1
        classes.append((size, depth, master, tuple(bits.read(8) - 1 for _ in range(1 << depth))))
    multiplier, width = bits.read(2) + 1, bits.read(4)
    for each in order:
        for _ in range(classes[each][0]):
            bits.read(width)
    return Floor(tuple(classes[each] for each in order), multiplier)


def _residue(bits: Bits) -> Residue:
    kind = bits.read(16)
    if kind > 2:
        raise CannotPut("its residues are of a kind that is unknown")
    begin, end, partition = bits.read(24), bits.read(24), bits.read(24) + 1
    classes, book = bits.read(6) + 1, bits.read(8)
    cascades = []
    for _ in range(classes):
        low = bits.read(3)
        cascades.append(low | (bits.read(5) << 3 if bits.read(1) else 0))
    books = tuple(tuple(bits.read(8) if each >> stage & 1 else -1 for stage in range(8)) for each in cascades)
    return Residue(kind, begin, end, partition, classes, book, books)


def _mapping(bits: Bits, channels: int) -> Mapping:
    if bits.read(16):
        raise CannotPut("its mappings are of a kind that is unknown")
    submaps = bits.read(4) + 1 if bits.read(1) else 1
    width = (channels - 1).bit_length()
    couples: list[tuple[int, int]] = []
    if bits.read(1):
        couples = [(bits.read(width), bits.read(width)) for _ in range(bits.read(8) + 1)]
    bits.read(2)
    muxes = [bits.read(4) for _ in range(channels)] if submaps > 1 else [0] * channels
    found = []
    for _ in range(submaps):
        bits.read(8)
        found.append((bits.read(8), bits.read(8)))
    if any(max(each) >= channels for each in couples) or any(each >= submaps for each in muxes):
        raise CannotPut("its mappings are damaged")
    return Mapping(tuple(couples), tuple(muxes), tuple(found))
