"""Large files: read them in slices, and copy ranges of them without reading.

A video is never loaded into memory as a whole, nor mapped into it: if another program truncates a mapped file, access
to it kills the process.
"""

from __future__ import annotations

import io
import mmap
import os
import stat
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

from labeling.errors import UnreadableFile

COPY_STEP = 256 << 10
"""Bytes that are copied at a time where the kernel does not copy: they stay in the processor's cache."""

_PAGE = 4096

_PAGED = 16 << 10

_LOCAL_BLOCK = 64 << 10
"""Largest size of blocks of a local disk; servers, which may copy by themselves, name the size of their messages."""

LARGE = 16 << 20
"""Bytes from which on it matters where the system holds a file."""


class FileBytes:
    """The bytes of an open file; ``len()`` is its size, and a slice reads that part of it.

    Args:
        file: A file opened for reading, which is owned from now on.
        name: Its path, or a name for error messages.

    Attributes:
        fd: Its descriptor.
        name: The same name.
        derived: What readers found out about the whole file and need again, under keys of theirs. Whoever writes into
            the file clears it.

    Raises:
        UnreadableFile: It became shorter while in use.
    """

    def __init__(self, file: BinaryIO | Any, name: str) -> None:
        self._file = file  # kept open: it owns the descriptor
        self.fd: int = file.fileno()
        self.name = name
        self.derived: dict[object, Any] = {}
        self._size = os.fstat(self.fd).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError("only contiguous bytes can be read")
        return self.read(start, max(0, stop - start))

    def read(self, start: int, count: int) -> bytes:
        """Read exactly ``count`` bytes from ``start``.

        Raises:
            UnreadableFile: The file ends before, or cannot be read.
        """
        parts: list[bytes] = []
        while count > 0:
            try:
                part = _pread(self.fd, min(count, 1 << 30), start)
            except OSError as error:
                raise UnreadableFile(f"cannot be read ({error.strerror})", path=self.name) from error
            if not part:
                raise self._shorter()
            parts.append(part)
            start += len(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _shorter(self) -> UnreadableFile:
        message = "became shorter while it was read"
        return UnreadableFile(message, path=self.name, hint="try again when it is complete")

    def read_into(self, target: memoryview, start: int) -> None:
        """Fill ``target`` with the bytes from ``start``. Raises as :meth:`read` does."""
        while target:
            try:
                count = _read_into(self.fd, target, start)
            except OSError as error:
                raise UnreadableFile(f"cannot be read ({error.strerror})", path=self.name) from error
            if not count:
                raise self._shorter()
            start, target = start + count, target[count:]

    def stream(self) -> BinaryIO:
        """Return an independent, seekable binary stream over the file."""
        return io.BufferedReader(_Raw(self), 1 << 16)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> FileBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Paged:
    """Reads a file a page at a time, for headers that are close together: each slice of a file is a system call.

    Args:
        data: The file.
    """

    def __init__(self, data: bytes | FileBytes) -> None:
        self._data, self._start, self._page = data, 0, b""

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, part: slice) -> bytes:
        start, stop = part.start, part.stop
        at = start - self._start
        if not 0 <= at <= stop - self._start <= len(self._page):
            self._start, self._page, at = start, self._data[start : max(stop, start + _PAGED)], 0
        return self._page[at : stop - self._start]


class _Raw(io.RawIOBase):
    def __init__(self, data: FileBytes) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, len(self._data))[whence])
        return self._at

    def readinto(self, target: Any) -> int:
        part = self._data[self._at : self._at + len(target)]
        target[: len(part)] = part
        self._at += len(part)
        return len(part)


@dataclass(frozen=True, slots=True)
class FileRange:
    """A range of a file that is copied into another one; ``len()`` is its length in bytes.

    Attributes:
        source: The file.
        start: Offset of the first byte.
        end: Offset of the end.
    """

    source: FileBytes
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def write_all(fd: int, data: bytes | bytearray | memoryview | mmap.mmap) -> None:
    """Write all of ``data`` to a descriptor; a single system call may write less."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


_MOST_AT_ONCE = 1024
"""Pieces that one system call takes (IOV_MAX of Linux and of macOS)."""


def write_views(fd: int, pieces: Iterable[bytes | bytearray | memoryview | mmap.mmap]) -> None:
    """Write all of ``pieces`` to a descriptor, one after the other, with as few system calls as the system allows."""
    views = [memoryview(piece) for piece in pieces]
    for first in range(0, len(views), _MOST_AT_ONCE):
        together = views[first : first + _MOST_AT_ONCE]
        done = os.writev(fd, together) if hasattr(os, "writev") else 0  # Windows has none
        for view in together:
            if done < view.nbytes:  # a system call may write less: the rest of this piece, and those behind it
                write_all(fd, view[done:])
            done = max(0, done - view.nbytes)


def copy_range(part: FileRange, fd: int) -> None:
    """Write a range of a file to the descriptor ``fd``, inside the kernel where the system supports that.

    Not so if the range moves by a part of a page on a local disk: the kernel then touches each page twice, and shares
    none between the files.

    Raises:
        UnreadableFile: The source became shorter.
        OSError: Writing failed.
    """
    at = part.start
    copy = getattr(os, "copy_file_range", None)
    if copy is not None and (at - os.lseek(fd, 0, os.SEEK_CUR)) % _PAGE and os.fstat(fd).st_blksize <= _LOCAL_BLOCK:
        copy = None
    while copy is not None and at < part.end:
        try:
            done = copy(part.source.fd, fd, min(part.end - at, 1 << 30), at)
        except OSError as error:
            if error.errno in _NOT_BY_KERNEL:
                break  # another file system, or an old kernel: copy it here
            raise
        if not done:
            message = "became shorter while it was copied"
            raise UnreadableFile(message, path=part.source.name, hint="nothing was written")
        at += done
    buffer = memoryview(bytearray(min(COPY_STEP, part.end - at)))
    while at < part.end:
        piece = buffer[: part.end - at]
        part.source.read_into(piece, at)
        write_all(fd, piece)
        at += len(piece)


def forget_cached(path: str | os.PathLike[str], least: int = LARGE) -> bool:
    """Let the system take back the memory in which it holds a large file that is about to be replaced.

    Otherwise the new file is written to other memory while the old one still fills its own: that takes as long again
    as the copy where memory is full of cached files, as it usually is. The content of the file does not change.

    Args:
        path: The file, if there is one.
        least: Bytes that it must have for this to be worth anything.

    Returns:
        Whether the system was told. It is nothing but advice.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size < least:
            return False
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _not_by_kernel() -> frozenset[int]:
    import errno

    return frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF})


_NOT_BY_KERNEL = _not_by_kernel()


_COMPARED = 256 << 10
"""Bytes that are read back at once: they stay in the cache until they are compared."""

_MOST_BUFFERS = 4

_buffers: list[bytearray] = []
"""Buffers that are not in use, to be used again: new memory would cost more than to compare what is in it."""


def reads_back(fd: int, pieces: Iterable[bytes | bytearray | memoryview | mmap.mmap]) -> bool:
    """Return whether a file holds the pieces, and nothing else."""
    try:
        buffer = _buffers.pop()
    except IndexError:
        buffer = bytearray(_COMPARED)
    at = there = used = 0
    for piece in pieces:
        view = memoryview(piece)
        done, size = 0, view.nbytes
        while done < size:
            if used == there:
                there, used = _read_into(fd, buffer, at), 0
                at += there
                if not there:
                    return False
            count = min(size - done, there - used)
            if not buffer.startswith(view[done : done + count], used):  # compares without a copy of either
                return False
            done, used = done + count, used + count
    whole = used == there and not _read_into(fd, buffer, at)
    if len(_buffers) < _MOST_BUFFERS:
        _buffers.append(buffer)
    return whole


def _read_into(fd: int, buffer: bytearray | memoryview, at: int) -> int:
    """Read what is at an offset of a file into a buffer; return how many bytes that were, 0 at its end."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [buffer], at)
    part = _pread(fd, len(buffer), at)
    buffer[: len(part)] = part
    return len(part)


if hasattr(os, "pread"):
    _pread = os.pread
else:  # Windows
    import threading

    _seek_lock = threading.Lock()

    def _pread(fd: int, count: int, at: int) -> bytes:
        with _seek_lock:
            os.lseek(fd, at, os.SEEK_SET)
            return os.read(fd, count)


SMALL = 8 << 20
"""Bytes up to which a copy of a file costs less than to look at it in pieces."""


class Pieces:
    """A file made of views of other bytes, one behind the other. ``len()`` is its size; a slice copies that part.

    Args:
        pieces: Bytes-like objects, which must not change.
    """

    def __init__(self, pieces: Iterable[bytes | bytearray | memoryview | mmap.mmap]) -> None:
        self._views = [view for piece in pieces if len(view := memoryview(piece))]
        self._starts: list[int] = []
        self._size = 0
        for view in self._views:
            self._starts.append(self._size)
            self._size += len(view)

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self._views)

    def __getitem__(self, part: slice) -> bytes:
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError("only contiguous bytes can be read")
        return b"".join(self.views(start, stop))

    def views(self, start: int, stop: int) -> list[memoryview]:
        """Return views of a part."""
        found: list[memoryview] = []
        at = bisect_right(self._starts, start) - 1
        while start < stop and 0 <= at < len(self._views):
            first = self._starts[at]
            view = self._views[at][start - first : stop - first]
            found.append(view)
            start, at = start + len(view), at + 1
        return found
