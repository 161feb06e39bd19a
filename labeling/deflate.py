"""Deflate (RFC 1951) in zlib streams (RFC 1950), by the fastest library there is: zlib-ng, ISA-L, else zlib.

All three write streams that every decoder reads. ISA-L compresses several times as fast as zlib-ng and somewhat larger.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_ng: Any
_fast: Any
try:
    from zlib_ng import zlib_ng as _ng
except ImportError:  # no wheel for this platform
    _ng = zlib
try:
    from isal import isal_zlib as _fast
except ImportError:
    _fast = None

DeflateError: tuple[type[Exception], ...] = (zlib.error, _ng.error)
"""What a damaged stream raises."""

SYNC = zlib.Z_SYNC_FLUSH
"""For :meth:`Compressor.flush`: ends at a whole byte, and the stream goes on."""

FINISH = zlib.Z_FINISH
"""For :meth:`Compressor.flush`: ends the stream."""

WINDOW = 32768
"""How far a stream can refer back, in bytes."""


class Compressor(Protocol):
    """Compresses a stream part by part."""

    def compress(self, data: ReadableBuffer, /) -> bytes:
        """Take a part, and return what is ready."""

    def flush(self, mode: int = FINISH, /) -> bytes:
        """Return what was held back."""


class Decompressor(Protocol):
    """Decompresses a stream part by part.

    Attributes:
        eof: Whether the stream has ended.
        unconsumed_tail: What of the last part was beyond the limit.
        unused_data: What came after the stream.
    """

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: ReadableBuffer, max_length: int = 0, /) -> bytes:
        """Return what a part and the tail before it give; at most ``max_length`` bytes, if that is not 0."""

    def copy(self) -> Decompressor:
        """Return another one that has read as much."""


def compressor(
    level: int, *, huffman: bool = False, rle: bool = False, raw: bool = False, before: ReadableBuffer = b""
) -> Compressor:
    """Return a compressor of zlib-ng.

    Args:
        level: 0, stored, to 9, smallest.
        huffman: Whether to code bytes one by one, without looking for repetitions.
        rle: Whether to look for repetitions of the last byte only.
        raw: Whether the stream has neither header nor check sum.
        before: What came before in the stream, which this part may refer to.
    """
    strategy = zlib.Z_HUFFMAN_ONLY if huffman else zlib.Z_RLE if rle else zlib.Z_DEFAULT_STRATEGY
    return _made(_ng, level, raw, strategy, before)


def fast_compressor(*, raw: bool = False, before: ReadableBuffer = b"") -> Compressor:
    """Return the fastest compressor that looks for repetitions: of ISA-L, else of another at a low level.

    Args:
        raw: Whether the stream has neither header nor check sum.
        before: What came before in the stream, which this part may refer to.
    """
    if _fast is None:
        return _made(_ng, 1 if _ng is zlib else _NG_LEVEL, raw, zlib.Z_DEFAULT_STRATEGY, before)
    return _made(_fast, _ISAL_LEVEL, raw, zlib.Z_DEFAULT_STRATEGY, before)


def decompressor(*, raw: bool = False, before: bytes = b"") -> Decompressor:
    """Return a decompressor, which is as strict as zlib is.

    Args:
        raw: Whether the stream has neither header nor check sum.
        before: With ``raw``, what came before in the stream, which this part may refer to.
    """
    made: Decompressor = _ng.decompressobj(-15, before) if raw and before else _ng.decompressobj(-15 if raw else 15)
    return made


def crc32(data: ReadableBuffer, value: int = 0) -> int:
    """Return the CRC of PNG chunks, as :func:`zlib.crc32` does; ``value`` is that of what came before."""
    return int(_ng.crc32(data, value))


def adler32(data: ReadableBuffer, value: int = 1) -> int:
    """Return the check sum of a zlib stream, as :func:`zlib.adler32` does; ``value`` is that of what came before."""
    return int(_ng.adler32(data, value))


_NG_LEVEL = 2
"""Level 1 makes streams of pictures up to twice as large."""

_ISAL_LEVEL = 2
"""Of 0 to 3: as fast as 1, and up to 3 % smaller."""


def _made(library: Any, level: int, raw: bool, strategy: int, before: ReadableBuffer) -> Compressor:
    bits = -15 if raw else 15
    given = (bytes(before),) if len(memoryview(before)) else ()
    made: Compressor = library.compressobj(level, zlib.DEFLATED, bits, 9, strategy, *given)
    return made
