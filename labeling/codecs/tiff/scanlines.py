"""Large strips decoded and encoded line by line, by the libtiff in Pillow: Pillow itself only does whole ones."""

from __future__ import annotations

import ctypes
import functools
import os
import tempfile
import weakref
import zlib
from collections.abc import Callable
from typing import IO, Any

from labeling.codecs.libtiff import library
from labeling.errors import UnreadableFile, UnsupportedFormat

MIN_SIZE = 8 << 20
"""Bytes of samples from which on a strip is decoded line by line."""

MAX_LINES = 1 << 17
"""Limit on its lines: each is a call."""

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES, _ROWS, _COUNTS = (
    256, 257, 258, 259, 262, 273, 277, 278, 279,
)  # fmt: skip
_HEAD = 1 << 12
_STEP = 1 << 20


def can(size: int, lines: int) -> bool:
    """Return whether a strip of so many bytes of samples in so many lines is worth it, and libtiff within reach."""
    return size >= MIN_SIZE and lines <= MAX_LINES and _functions() is not None


class _Lines:
    """A strip that libtiff has opened, decoded from its top."""

    def __init__(self, tiff: int, width: int, lines: int) -> None:
        self.tiff, self._width, self._lines, self._at = tiff, width, lines, 0
        self._close = weakref.finalize(self, _known().close, tiff)

    def read(self, size: int) -> bytes:
        """Return the next lines, fewer at the end.

        Args:
            size: Their bytes, a multiple of a line's.

        Raises:
            UnreadableFile: The strip is damaged.
        """
        count = min(size // self._width, self._lines - self._at)
        made = ctypes.create_string_buffer(max(1, count * self._width))
        read, start = _known().read, ctypes.addressof(made)
        for line in range(count):
            if read(self.tiff, start + line * self._width, self._at + line, 0) != 1:
                raise UnreadableFile("a strip of the TIFF cannot be decoded; the file is damaged or cut off")
        self._at += count
        if self._at == self._lines:
            self._close()
        return made.raw[: count * self._width]


def reader(compression: int, raw: bytes | memoryview, width: int, lines: int) -> Callable[[int], bytes]:
    """Return a function that decodes the next so many bytes of a strip, those of whole lines.

    Args:
        compression: Its Compression (TIFF 6.0), one that does not depend on what the samples are.
        raw: Its bytes.
        width: Bytes of a line.
        lines: Its lines.

    Raises:
        UnreadableFile: libtiff cannot read it. The function raises it, too.
    """
    fields = [
        (_WIDTH, width), (_LENGTH, lines), (_BITS, 8), (_COMPRESSION, compression), (_PHOTOMETRIC, 1),
        (_OFFSETS, _HEAD), (_SAMPLES, 1), (_ROWS, lines), (_COUNTS, len(raw)),
    ]  # fmt: skip
    rows = b"".join(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little") for tag, value in fields)
    head = b"II*\0\x08\0\0\0" + len(fields).to_bytes(2, "little") + rows + bytes(4)
    with tempfile.TemporaryFile() as file:
        file.write(head.ljust(_HEAD, b"\0"))
        file.write(raw)
        return _Lines(_opened(file, b"r"), width, lines).read


class Writer:
    """A strip, encoded from its top.

    Args:
        compression: Its Compression.
        width: Bytes of a line.
        lines: Its lines.
    """

    def __init__(self, compression: int, width: int, lines: int) -> None:
        self._compression, self._width, self._lines, self._at, self._sum = compression, width, lines, 0, 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it goes with this object
        weakref.finalize(self, self._file.close)
        self._tiff = _opened(self._file, b"w")
        self._close = weakref.finalize(self, _known().close, self._tiff)
        for tag, value in (
            (_WIDTH, width), (_LENGTH, lines), (_BITS, 8), (_SAMPLES, 1), (_ROWS, lines),
            (_COMPRESSION, compression), (_PHOTOMETRIC, 1),
        ):  # fmt: skip
            if _known().set(self._tiff, tag, ctypes.c_int(value)) != 1:
                raise _unwritable()
        if _known().buffer(self._tiff, None, _STEP) != 1:  # without it, libtiff holds the whole strip
            raise _unwritable()

    def write(self, plain: bytes) -> None:
        """Encode the next lines, whole ones. Raises :class:`UnsupportedFormat` if libtiff does not."""
        self._sum = zlib.crc32(plain, self._sum)
        held = ctypes.create_string_buffer(plain, len(plain))
        write, start = _known().write, ctypes.addressof(held)
        for at in range(0, len(plain), self._width):
            if write(self._tiff, start + at, self._at, 0) != 1:
                raise _unwritable()
            self._at += 1

    def made(self) -> tuple[bytes, ...]:
        """Return the strip, once it is whole.

        Raises:
            UnsupportedFormat: It does not decode to what was written.
        """
        self._close()
        again, found = _Lines(_opened(self._file, b"r"), self._width, self._lines), 0
        at, size = _known().offset(again.tiff, 0), _known().count(again.tiff, 0)
        while part := again.read(max(self._width, _STEP // self._width * self._width)):
            found = zlib.crc32(part, found)
        if found != self._sum or self._at != self._lines:
            raise _unwritable()
        self._file.seek(at)
        made = self._file.read(size)
        self._file.close()
        return (made,)


def _unwritable() -> UnsupportedFormat:
    return UnsupportedFormat(
        "this TIFF's compression cannot be written in the way of the file",
        hint="re-save it with LZW or Deflate compression, or leave the visible label out (`visible=False`)",
    )


class _Functions:
    """The functions of libtiff, with the types of their arguments."""

    def __init__(self, libtiff: Any) -> None:
        tiff = ctypes.c_void_p
        self.open = _typed(libtiff.TIFFFdOpen, tiff, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
        self.read = _typed(libtiff.TIFFReadScanline, ctypes.c_int, tiff, tiff, ctypes.c_uint32, ctypes.c_uint16)
        self.write = _typed(libtiff.TIFFWriteScanline, ctypes.c_int, tiff, tiff, ctypes.c_uint32, ctypes.c_uint16)
        self.set = _typed(libtiff.TIFFSetField, ctypes.c_int, tiff, ctypes.c_uint32)  # what follows is variadic
        self.buffer = _typed(libtiff.TIFFWriteBufferSetup, ctypes.c_int, tiff, tiff, ctypes.c_ssize_t)
        self.close = _typed(libtiff.TIFFClose, None, tiff)
        self.offset = _typed(libtiff.TIFFGetStrileOffset, ctypes.c_uint64, tiff, ctypes.c_uint32)
        self.count = _typed(libtiff.TIFFGetStrileByteCount, ctypes.c_uint64, tiff, ctypes.c_uint32)


def _typed(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    function.restype, function.argtypes = result, list(arguments)
    called: Callable[..., Any] = function
    return called


@functools.cache
def _functions() -> _Functions | None:
    try:
        return _Functions(library()) if os.name != "nt" and library() is not None else None
    except AttributeError:
        return None


def _known() -> _Functions:
    found = _functions()
    assert found is not None  # it was asked first
    return found


def _opened(file: IO[bytes], mode: bytes) -> int:
    """Open a file with libtiff, which gets a descriptor of its own to close."""
    file.flush()
    own = os.dup(file.fileno())
    os.lseek(own, 0, os.SEEK_SET)
    tiff: int | None = _known().open(own, b"strip", mode)
    if not tiff:
        os.close(own)
        raise UnreadableFile("a strip of the TIFF cannot be decoded; the file is damaged or cut off")
    return tiff
