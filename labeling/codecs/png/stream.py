"""The zlib stream of PNG image data (RFC 1950 and 1951), decompressed and compressed part by part."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from labeling.containers.base import Buffer
from labeling.containers.png import chunk
from labeling.errors import UnreadableFile

_FED = 1 << 16
"""Bytes that are handed to zlib at once: it copies what it has not taken yet each time."""


class Inflated:
    """A stream in the payloads of chunks, decompressed as far as it is asked for.

    Attributes:
        consumed: Compressed bytes used so far.
    """

    def __init__(self, bodies: Iterable[Buffer]) -> None:
        self._pieces = _in_pieces(bodies)
        self._stream = zlib.decompressobj()
        self._tail: Buffer = b""
        self.consumed = 0

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
        try:
            made = self._stream.decompress(piece, most)
        except zlib.error as error:
            raise UnreadableFile(f"the PNG image data is damaged ({error})") from error
        self._tail = self._stream.unconsumed_tail
        self.consumed += len(piece) - len(self._tail)
        return made


def _in_pieces(bodies: Iterable[Buffer]) -> Iterator[Buffer]:
    for body in bodies:
        view = memoryview(body)
        for at in range(0, len(view), _FED):
            yield view[at : at + _FED]


class Deflated:
    """A stream that is made part by part and put into IDAT chunks.

    Each part is compressed as hard as it takes to stay near a given size, and refers to the one before it as if the
    stream had been made at once.
    """

    def __init__(self, put: Callable[[bytes], object]) -> None:
        """``put`` gets each chunk."""
        self._put = put
        self._held = [b"\x78\x01"]
        self._size = 2
        self._sum = zlib.adler32(b"")
        self._before = b""
        self._level = self._parts = 0

    def add(self, raw: Buffer, near: int | None = None) -> None:
        """Compress a part.

        Args:
            raw: The part.
            near: Bytes that it should not take many more than, if that can be; ``None`` if that is not known.
        """
        made = self._compressed(raw, _USUAL) if near is None else self._near(raw, near + near // _MORE + 64)
        self._sum = zlib.adler32(raw, self._sum)
        self._before = bytes(memoryview(raw)[-_WINDOW:])
        self._write(made)

    def _near(self, raw: Buffer, most: int) -> bytes:
        level = self._level
        if self._parts % _AGAIN == 0:
            level = max(0, level - 1)
        self._parts += 1
        made = self._compressed(raw, _LEVELS[level])
        while len(made) > most and level + 1 < len(_LEVELS):
            level += 1
            made = min(made, self._compressed(raw, _LEVELS[level]), key=len)
        self._level = level
        return made

    def finish(self) -> None:
        """End the stream with an empty block and the check sum."""
        self._write(b"\x03\x00" + self._sum.to_bytes(4, "big"), last=True)

    def _compressed(self, raw: Buffer, how: tuple[int, int]) -> bytes:
        level, strategy = how
        if self._before:
            stream = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy, self._before)
        else:
            stream = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        return stream.compress(raw) + stream.flush(zlib.Z_SYNC_FLUSH)

    def _write(self, made: bytes, last: bool = False) -> None:
        self._held.append(made)
        self._size += len(made)
        if last or self._size >= _CHUNK:
            self._put(chunk(b"IDAT", b"".join(self._held)))
            self._held, self._size = [], 0


_LEVELS = ((1, zlib.Z_HUFFMAN_ONLY), *((level, zlib.Z_DEFAULT_STRATEGY) for level in (1, 3, 6, 9)))
_USUAL = (4, zlib.Z_DEFAULT_STRATEGY)

_AGAIN = 8
"""After so many parts, it is tried whether less will do as well."""

_MORE = 25
"""The part of its size by which a stream may become larger before it is compressed harder: 4 %."""

_WINDOW = 32768
"""How far a stream can refer back."""

_CHUNK = 1 << 20
"""Bytes from which on a chunk is put."""
