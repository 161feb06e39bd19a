"""The zlib stream of PNG image data (RFC 1950 and 1951), decompressed and compressed part by part."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from labeling.containers.base import Buffer
from labeling.deflate import (
    SYNC,
    WINDOW,
    Compressor,
    Decompressor,
    DeflateError,
    adler32,
    compressor,
    crc32,
    decompressor,
    fast_compressor,
)
from labeling.errors import UnreadableFile

FED = 1 << 16
"""Bytes that are handed to the decompressor at once: it copies what it has not taken yet each time."""

_APART = 4 << 20
"""Decompressed bytes after which the state is marked at the latest."""

_MARKS = 6
"""Marks that are kept."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of a decompressor somewhere in a stream.

    Attributes:
        state: The decompressor; it is copied whenever it is to go on.
        consumed: Compressed bytes before.
        produced: Decompressed bytes before.
        sum: Their check sum (Adler-32).
    """

    state: Decompressor
    consumed: int
    produced: int
    sum: int


class Inflated:
    """A stream in the payloads of chunks, decompressed as far as it is asked for.

    Args:
        bodies: The payloads.
        watch: Up to so many decompressed bytes, the state is marked every now and then.

    Attributes:
        consumed: Compressed bytes used so far.
        produced: Decompressed bytes so far.
        marks: The last marks, in their order.
    """

    def __init__(self, bodies: Iterable[Buffer], watch: int = -1) -> None:
        self._pieces = _in_pieces(bodies)
        self._stream = decompressor()
        self._tail: Buffer = b""
        self.consumed = self.produced = 0
        self._watch, self._sum = watch, 1
        self.marks: deque[Mark] = deque(maxlen=_MARKS)

    @classmethod
    def resumed(cls, bodies: Iterable[Buffer], mark: Mark) -> Inflated:
        """Go on at a mark, in a stream that is the same up to there."""
        made = cls(_beyond(bodies, mark.consumed))
        made._stream = mark.state.copy()
        made.consumed, made.produced = mark.consumed, mark.produced
        return made

    @property
    def ended(self) -> bool:
        """Whether the stream was read up to its end and its check sum is right."""
        return self._stream.eof

    def read(self, size: int) -> bytearray:
        """Return the next ``size`` bytes, or fewer if the stream ends before.

        Raises:
            UnreadableFile: The stream is damaged.
        """
        out = bytearray(size)
        have = 0
        while have < size and not self._stream.eof:
            piece = self._tail or next(self._pieces, b"")
            made = self._decompressed(piece, size - have)
            if not made and not piece:
                break
            out[have : have + len(made)] = made
            have += len(made)
        del out[have:]
        return out

    def finish(self) -> None:
        """Check the end of the stream; one that lacks its check sum or goes on is sound, as it is for viewers.

        Raises:
            UnreadableFile: The check sum is wrong.
        """
        while not self._stream.eof:
            piece = self._tail or next(self._pieces, b"")
            if self._decompressed(piece, 1) or not piece:
                return

    def _decompressed(self, piece: Buffer, most: int) -> bytes:
        if self.produced <= self._watch:
            self._mark()
        try:
            made = self._stream.decompress(piece, most)
        except DeflateError as error:
            raise UnreadableFile(f"the PNG image data is damaged ({error})") from error
        self._tail = self._stream.unconsumed_tail
        self.consumed += len(piece) - len(self._tail)
        if self.produced <= self._watch:
            self._sum = adler32(made, self._sum)
        self.produced += len(made)
        return made

    def _mark(self) -> None:
        last = self.marks[-1] if self.marks else None
        if last is None or self.consumed - last.consumed >= FED or self.produced - last.produced >= _APART:
            self.marks.append(Mark(self._stream.copy(), self.consumed, self.produced, self._sum))


def _in_pieces(bodies: Iterable[Buffer]) -> Iterator[Buffer]:
    for body in bodies:
        view = memoryview(body)
        for at in range(0, len(view), FED):
            yield view[at : at + FED]


def _beyond(bodies: Iterable[Buffer], skipped: int) -> Iterator[Buffer]:
    for body in bodies:
        if skipped < len(body):
            yield memoryview(body)[skipped:]
        skipped = max(0, skipped - len(body))


def part(bodies: Iterable[Buffer], start: int, stop: int) -> bytes:
    """Return bytes ``start`` to ``stop`` of a stream; fewer, if it ends before."""
    found: list[Buffer] = []
    for body in _beyond(bodies, start):
        found.append(memoryview(body)[: stop - start])
        start += len(found[-1])
        if start >= stop:
            break
    return b"".join(found)


def begins_as(bodies: Iterable[Buffer], others: Iterable[Buffer], size: int) -> bool:
    """Return whether two streams have the same ``size`` first bytes."""
    one, other = (_Reader(each) for each in (bodies, others))
    for at in range(0, size, FED):
        count = min(FED, size - at)
        if one.read(count) != other.read(count):
            return False
    return True


class _Reader:
    def __init__(self, bodies: Iterable[Buffer]) -> None:
        self._bodies, self._rest = iter(bodies), memoryview(b"")

    def read(self, count: int) -> bytes:
        found: list[Buffer] = []
        while count > 0:
            if not self._rest:
                body = next(self._bodies, None)
                if body is None:
                    break
                self._rest = memoryview(body)
            found.append(self._rest[:count])
            self._rest = self._rest[count:]
            count -= len(found[-1])
        return b"".join(found)


@dataclass(frozen=True, slots=True)
class Kept:
    """The beginning of a stream that stays as it is, to the bit.

    Attributes:
        size: Its bytes when decompressed.
        coded: Its whole bytes; the bits beyond them are in ``joint``.
        joint: Its last bits, and an empty stored block that fills the byte.
        before: The last bytes that it decompresses to, up to :data:`~labeling.deflate.WINDOW` of them.
        sum: The check sum (Adler-32) of all of them.
        mark: A state before its end.
    """

    size: int
    coded: int
    joint: bytes
    before: bytes
    sum: int
    mark: Mark


class Deflated:
    """A stream that is made part by part and put into IDAT chunks.

    Each part is compressed as hard as it takes to stay near a given size, and refers to the one before it as if the
    stream had been made at once.
    """

    def __init__(self, put: Callable[[Buffer], object], kept: Kept | None = None, *, fast: bool = False) -> None:
        """Begin a stream.

        Args:
            put: Gets the chunks, in pieces.
            kept: What the stream begins with, if somebody else puts that, up to its last whole byte.
            fast: Whether time matters more than size.
        """
        self._put, self._fast = put, fast
        self._held: list[Buffer] = [b"\x78\x01" if kept is None else kept.joint]
        self._size = len(self._held[0])
        self._sum, self._before = (1, b"") if kept is None else (kept.sum, kept.before)
        self._spare, self._reserve = (0, 0) if kept is None else (kept.coded // _SPARE, kept.coded // _RESERVE)
        self._level, self._parts = (0, 0) if kept is None else (1, 1)

    def add(self, raw: Buffer, near: int | None = None) -> None:
        """Compress a part.

        Args:
            raw: The part.
            near: Bytes that it should not take many more than, if that can be; ``None`` if that is not known.
        """
        if near is None or self._fast:
            made = self._compressed(raw, fast_compressor if self._fast else _usual)
        else:
            made = self._near(raw, near + near // _MORE + 64)
        self._sum = adler32(raw, self._sum)
        self._before = (self._before + bytes(memoryview(raw)[-WINDOW:]))[-WINDOW:]
        self._write(made)

    def _near(self, raw: Buffer, most: int) -> bytes:
        level = self._level
        if self._parts % _AGAIN == 0 or (level > 1 and self._spare > most // _PLENTY):
            level = max(0, level - 1)
        self._parts += 1
        most += self._spare  # what earlier parts have left of it
        made = self._compressed(raw, _LEVELS[level])
        while len(made) > most + (self._reserve if level >= _HARD else 0) and level + 1 < len(_LEVELS):
            level += 1
            made = min(made, self._compressed(raw, _LEVELS[level]), key=len)
        self._level = level
        self._spare = max(0, most - len(made))
        self._reserve -= min(self._reserve, max(0, len(made) - most))
        return made

    def finish(self) -> None:
        """End the stream with an empty block and the check sum."""
        self._write(b"\x03\x00" + self._sum.to_bytes(4, "big"), last=True)

    def _compressed(self, raw: Buffer, how: Callable[..., Compressor]) -> bytes:
        stream = how(raw=True, before=self._before)
        return stream.compress(raw) + stream.flush(SYNC)

    def _write(self, made: bytes, last: bool = False) -> None:
        self._held.append(made)
        self._size += len(made)
        if last or self._size >= _CHUNK:
            for each in chunk_of(b"IDAT", self._held):
                self._put(each)
            self._held, self._size = [], 0


def chunk_of(name: bytes, parts: Sequence[Buffer]) -> list[Buffer]:
    """Return a chunk whose payload is given in parts; they are not copied."""
    total = crc32(name)
    for each in parts:
        total = crc32(each, total)
    return [sum(map(len, parts)).to_bytes(4, "big") + name, *parts, total.to_bytes(4, "big")]


_LEVELS: tuple[Callable[..., Compressor], ...] = (
    partial(compressor, 1, huffman=True), fast_compressor, *(partial(compressor, level) for level in (3, 5, 6, 9))
)  # fmt: skip
_HARD = 4
"""From this one on, each takes twice as long as the one before, and more."""

_usual = partial(compressor, 4)

_AGAIN = 8
"""After so many parts, it is tried whether less will do as well."""

_PLENTY = 10
"""So is it where the parts before have left a tenth of a part."""

_MORE = 25
"""The part of its size by which a stream may become larger before it is compressed harder: 4 %."""

_SPARE = 100
"""The part of what is kept by which the rest may become larger beyond that, so that it takes less time: 1 %."""

_RESERVE = 33
"""The part of what is kept by which it may, so that it need not be compressed as hard as can be: 3 %."""

_CHUNK = 1 << 20
"""Bytes from which on a chunk is put."""
