"""New packets of Vorbis with the code books of a stream (Vorbis I specification, 4.3): for tones and silence.

The floor is flat, and the residue carries the spectrum: coarser than an encoder that follows hearing, and good enough
for a tone. All blocks are long ones, if the stream has these.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.cue.base import CannotPut
from labeling.codecs.cue.vorbis_setup import Book, Floor, Residue, Setup

_TABLE = 1.0649863e-07 * np.exp(0.06296 * np.arange(256))
"""The floor by its number (10.1), to less than a thousandth."""

_QUIET, _DEAR = 0.25, 1e6
"""What is below that is silence in a residue, and what it costs to code that as something else."""

MAX_WORK, MAX_GROUPS = 1 << 15, 1 << 12
"""Limits on the partitions of a block, times their classes and passes, and on the groups of classes compared."""

_TRIED = (2, 4, 8, 16, 32, 64, 128)
"""How many times the floor the highest line may be."""


class _Tried(NamedTuple):
    """A partition, coded as one class: the error, the entries of each pass, and what is left."""

    cost: float
    entries: list[list[int]]
    left: NDArray[np.float64]


class _Out:
    """Collects bits, the lowest of a byte first."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, int]] = []

    def put(self, value: int, count: int) -> None:
        self._parts.append((value, count))

    def word(self, book: Book, entry: int) -> None:
        self._parts.append((book.words[entry], book.lengths[entry]))

    def bytes(self) -> bytes:
        value = at = 0
        for part, count in self._parts:
            value |= part << at
            at += count
        return value.to_bytes((at + 7) // 8, "little")


class Encoder:
    """Makes packets of one stream.

    Args:
        setup: Its setup header.
        channels: Number of channels.
        sizes: Samples of short and of long blocks.

    Raises:
        CannotPut: It has what no packets are made for here.
    """

    def __init__(self, setup: Setup, channels: int, sizes: tuple[int, int]) -> None:
        self._setup, self._channels = setup, channels
        number = next((number for number, (long, _) in enumerate(setup.modes) if long), None)
        self._long = number is not None
        self._mode, self.size = (0, sizes[0]) if number is None else (number, sizes[1])
        try:
            self._mapping = setup.mappings[setup.modes[self._mode][1]]
            self._floors = [setup.floors[self._mapping.submaps[each][0]] for each in self._mapping.muxes]
            self._residues = [setup.residues[residue] for _, residue in self._mapping.submaps]
        except IndexError:
            raise CannotPut("its setup header is damaged") from None
        at = np.arange(self.size)
        self._window = np.sin(np.pi / 2 * np.sin(np.pi * (at + 0.5) / self.size) ** 2)
        lines = np.arange(self.size // 2)
        phase = np.outer(at + 0.5 + self.size / 4, lines + 0.5) * (2 * np.pi / self.size)
        self._basis = (np.cos(phase) * (4 / self.size)).astype(np.float32)
        self._times = 0

    @property
    def next_flag(self) -> int:
        """Which bit of a packet says that the next block is a long one, too."""
        return 2 + (len(self._setup.modes) - 1).bit_length()

    def packets(self, sound: NDArray[np.float32]) -> Iterator[bytes]:
        """Encode mono sound, the same on all channels: of n + 1 packets, players make n half blocks."""
        half = self.size // 2
        padded = np.concatenate([np.zeros(half), sound, np.zeros(half + -len(sound) % half)])
        blocks = [padded[at : at + self.size] * self._window for at in range(0, len(padded) - half, half)]
        spectra = [(block.astype(np.float32) @ self._basis).astype(np.float64) for block in blocks]
        self._times = self._best(max(spectra, key=lambda each: float(np.abs(each).max())))
        for spectrum in spectra:
            yield self._packet(spectrum)

    def _best(self, spectrum: NDArray[np.float64]) -> int:
        """Return how many times the floor the highest line is best: by the least error of this spectrum."""
        errors = {times: self._error(spectrum, times) for times in _TRIED}
        return min(errors, key=lambda times: errors[times])

    def _level(self, spectrum: NDArray[np.float64], times: int, floor: Floor) -> int:
        wanted = float(np.abs(spectrum).max()) / times
        index = int(np.searchsorted(_TABLE, wanted))
        return min(floor.range - 1, max(0, index // floor.multiplier))

    def _error(self, spectrum: NDArray[np.float64], times: int) -> float:
        floor = self._floors[0]
        flat = _TABLE[min(255, self._level(spectrum, times, floor) * floor.multiplier)]
        left = self._coded(self._residues[self._mapping.muxes[0]], self._vectors(0, spectrum / flat), only=None)
        return float(sum(np.sum(each**2) for each in left)) * float(flat) ** 2

    def _packet(self, spectrum: NDArray[np.float64]) -> bytes:
        out = _Out()
        out.put(0, 1)
        out.put(self._mode, (len(self._setup.modes) - 1).bit_length())
        out.put(3, 2 if self._long else 0)  # the blocks before and behind are long as well
        silent = float(np.abs(spectrum).max()) < 1e-5
        flats = []
        for floor in self._floors:
            level = self._level(spectrum, self._times, floor)
            flats.append(float(_TABLE[min(255, level * floor.multiplier)]))
            out.put(int(not silent), 1)
            if not silent:
                self._flat(out, floor, level)
        if silent:
            return out.bytes()
        if len(set(flats)) > 1:
            raise CannotPut("its channels have floors of different kinds")
        for number, residue in enumerate(self._residues):
            vectors = self._vectors(number, spectrum / flats[0])
            if vectors:
                self._coded(residue, vectors, only=out)
        return out.bytes()

    def _flat(self, out: _Out, floor: Floor, level: int) -> None:
        """Write a floor of two posts at one level: all others are where these lead to (7.2.3)."""
        width = (floor.range - 1).bit_length()
        out.put(level, width)
        out.put(level, width)
        books = self._setup.books
        for size, depth, master, subs in floor.partitions:
            value = 0
            if depth:
                book = books[master]
                usable = [
                    entry for entry in range(min(book.entries, 1 << depth * size))
                    if book.lengths[entry] and all(self._zero(subs[entry >> depth * place & (1 << depth) - 1])
                                                   for place in range(size))
                ]  # fmt: skip
                if not usable:
                    raise CannotPut("its floors cannot be flat")
                value = min(usable, key=lambda entry: book.lengths[entry])
                out.word(book, value)
            for place in range(size):
                sub = subs[value >> depth * place & (1 << depth) - 1]
                if sub >= 0:
                    if not self._zero(sub):
                        raise CannotPut("its floors cannot be flat")
                    out.word(books[sub], 0)

    def _zero(self, number: int) -> bool:
        return number < 0 or bool(self._setup.books[number].lengths[0])

    def _vectors(self, submap: int, lines: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the vectors of a submap: the same for each channel, but nothing for the angle of two coupled ones."""
        angles = {angle for _, angle in self._mapping.couples}
        mine = [channel for channel in range(self._channels) if self._mapping.muxes[channel] == submap]
        vectors = [lines * 0 if channel in angles else lines for channel in mine]
        if self._residues[submap].kind == 2 and vectors:
            return [np.stack(vectors, axis=1).reshape(-1)]
        return vectors

    def _coded(
        self, residue: Residue, vectors: list[NDArray[np.float64]], only: _Out | None
    ) -> list[NDArray[np.float64]]:
        """Code vectors, and write them to ``only`` if it is given. Returns what is left of them."""
        end = min(residue.end, len(vectors[0]))
        begin = min(residue.begin, end)
        count = (end - begin) // residue.partition
        if count * residue.classes * sum(max(books) >= 0 for books in residue.books) > MAX_WORK:
            raise CannotPut("its residues are divided more finely than any encoder does it")
        parts = [vector[begin : begin + count * residue.partition].reshape(count, -1) for vector in vectors]
        tried = [[self._by_class(residue, part) for part in vector] for vector in parts]
        words = self._setup.books[residue.book]
        costs = [[[each.cost for each in options] for options in vector] for vector in tried]
        chosen = [self._classes(residue, words, vector) for vector in costs]
        for classes, vector, pieces in zip(chosen, tried, parts, strict=True):
            for number, kind in enumerate(classes):
                if not vector[number][kind].entries:
                    vector[number][kind] = self._tried(residue, residue.books[kind], pieces[number])
        if only is not None:
            self._write(only, residue, words, tried, chosen)
        left = []
        for whole, classes, found in zip(vectors, chosen, tried, strict=True):
            rest = whole.copy()
            for number, kind in enumerate(classes):
                at = begin + number * residue.partition
                rest[at : at + residue.partition] = found[number][kind].left
            left.append(rest)
        return left

    def _by_class(self, residue: Residue, part: NDArray[np.float64]) -> list[_Tried]:
        """Code a partition as each class; silence is coded only where no class stands for it."""
        quiet = not np.any(np.abs(part) > _QUIET)
        return [
            _Tried(_DEAR, [], part) if quiet and max(books) >= 0 else self._tried(residue, books, part)
            for books in residue.books
        ]

    def _tried(self, residue: Residue, books: tuple[int, ...], part: NDArray[np.float64]) -> _Tried:
        rest, entries = part.copy(), list[list[int]]()
        for number in books:
            passed: list[int] = []
            if number >= 0:
                book = self._setup.books[number]
                if not book.lookup or len(part) % book.size:
                    raise CannotPut("its residues are damaged")
                pieces = rest.reshape(book.size, -1).T if residue.kind == 0 else rest.reshape(-1, book.size)
                near = ((pieces[:, None, :] - book.vectors[None]) ** 2).sum(axis=2).argmin(axis=1)
                pieces = pieces - book.vectors[near]
                rest = pieces.T.reshape(-1) if residue.kind == 0 else pieces.reshape(-1)
                passed = near.tolist()
            entries.append(passed)
        return _Tried(float(np.sum(rest**2)), entries, rest)

    def _classes(self, residue: Residue, words: Book, costs: list[list[float]]) -> list[int]:
        """Choose the classes of partitions: they are coded in groups, and not each group has a word."""
        chosen: list[int] = []
        for at in range(0, len(costs), words.size):
            group = costs[at : at + words.size]
            best = [int(np.argmin(each)) for each in group] + [0] * (words.size - len(group))
            entry = _entry(best, residue.classes)
            if not (entry < words.entries and words.lengths[entry]):
                options = itertools.product(range(residue.classes), repeat=words.size)
                usable = [each for each in itertools.islice(options, MAX_GROUPS)
                          if (e := _entry(each, residue.classes)) < words.entries and words.lengths[e]]  # fmt: skip
                if not usable:
                    raise CannotPut("its residues have no class words")
                best = list(min(usable, key=lambda each: sum(c[k] for c, k in zip(group, each, strict=False))))
            chosen += best[: len(group)]
        return chosen

    def _write(
        self, out: _Out, residue: Residue, words: Book, tried: list[list[list[_Tried]]], chosen: list[list[int]]
    ) -> None:
        count = len(chosen[0])
        for stage in range(8):
            for at in range(0, count, words.size):
                if stage == 0:
                    for classes in chosen:
                        group = classes[at : at + words.size]
                        out.word(words, _entry([*group, *[0] * (words.size - len(group))], residue.classes))
                for number in range(at, min(at + words.size, count)):
                    for classes, found in zip(chosen, tried, strict=True):
                        book = residue.books[classes[number]][stage]
                        if book >= 0:
                            for entry in found[number][classes[number]].entries[stage]:
                                out.word(self._setup.books[book], entry)


def _entry(classes: tuple[int, ...] | list[int], count: int) -> int:
    """Return the number of a group of classes: the first one is the highest digit (8.6.2)."""
    value = 0
    for each in classes:
        value = value * count + each
    return value
