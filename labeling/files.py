"""Read the files that users name."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, overload

from labeling.errors import LabelingError, TooLarge, UnreadableFile, error_context
from labeling.filebytes import FileBytes

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""What can be read: a path, a file's bytes, or a binary file object."""

MAX_FILE = 1 << 30
"""A picture file with more bytes is refused."""

MAX_TOML = 1 << 20

HEAD = 64
"""Number of leading bytes passed to the callback that decides whether a file is read at once or in parts."""

IS_FOLDER = "is a folder"
_EMPTY = "the file is empty"


def load(source: Source) -> tuple[str, bytes]:
    """Read a path, a bytes object or a binary file object.

    Args:
        source: Path of a file, bytes-like object, or file object opened in binary mode.

    Returns:
        A name to show (the path, ``<bytes>`` or ``<stream>``), and the content.

    Raises:
        UnreadableFile: The file is missing, a folder, empty or not permitted.
        TooLarge: It has more than :data:`MAX_FILE` bytes.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "<bytes>", bytes(source)
    elif isinstance(source, str | os.PathLike):
        name, data = os.fspath(source), _read_path(source, None)
    elif hasattr(source, "read"):
        name = str(getattr(source, "name", "<stream>"))
        data = source.read(MAX_FILE + 1)
        if not isinstance(data, bytes):
            raise UnreadableFile("opened as text", path=name, hint="open it in binary mode")
    else:
        raise UnreadableFile(
            f"cannot read a picture from {type(source).__name__}", hint="give a path, bytes or a binary file object"
        )
    with error_context(name):
        if len(data) > MAX_FILE:
            raise _too_large()
        if not data:
            raise UnreadableFile(_EMPTY)
    return name, data


def open_source(source: Source, lazy: Callable[[bytes], bool]) -> tuple[str, bytes | FileBytes]:
    """Read a file as :func:`load` does, or open it without reading it if it is to be read in parts.

    Args:
        source: As in :func:`load`.
        lazy: Gets the first :data:`HEAD` bytes of a file on disk; returns true if the file is to be read in parts.

    Returns:
        The name, and the content: bytes, or a :class:`~labeling.filebytes.FileBytes` of any size, which the caller
        closes.

    Raises:
        UnreadableFile: As in :func:`load`.
        TooLarge: The file is to be read at once and has more than :data:`MAX_FILE` bytes.
    """
    if not isinstance(source, str | os.PathLike):
        return load(source)
    name, data = os.fspath(source), _read_path(source, lazy)
    if not len(data):
        raise UnreadableFile(_EMPTY, path=name)
    return name, data


def _too_large() -> TooLarge:
    return TooLarge(f"larger than {MAX_FILE >> 20} MiB, the limit for a picture file")


_Path = str | os.PathLike[str]


@overload
def _read_path(path: _Path, lazy: None) -> bytes: ...
@overload
def _read_path(path: _Path, lazy: Callable[[bytes], bool] | None) -> bytes | FileBytes: ...
def _read_path(path: _Path, lazy: Callable[[bytes], bool] | None) -> bytes | FileBytes:
    with error_context(os.fspath(path).replace("\0", "\\0")):
        try:
            return _read_regular(path, lazy)
        except FileNotFoundError:
            raise UnreadableFile("there is no such file") from None
        except IsADirectoryError:
            raise _is_folder() from None
        except PermissionError:
            if Path(path).is_dir():  # Windows reports a folder in this way
                raise _is_folder() from None
            raise UnreadableFile("no permission to read it") from None
        except (OSError, ValueError) as error:
            raise UnreadableFile(f"cannot be read ({reason_of(error)})") from error


_AT_ONCE = 1 << 20
"""A file of at most this many bytes is read by one call, before it is known whether it is to be read in parts."""


_MAPPED_ANEW = 128 << 10
"""glibc's malloc gets blocks of this size from the kernel each time, page by page, until (mallopt(3)) …"""

_USED_AGAIN = 4 << 20


@cache
def _use_memory_again() -> None:
    """… a larger one was freed. Otherwise new pages cost more than what is done with the picture in them."""
    with contextlib.suppress(MemoryError):  # whoever needs memory says that there is none
        bytes(_USED_AGAIN)


def _read_regular(path: _Path, lazy: Callable[[bytes], bool] | None) -> bytes | FileBytes:
    # Opening a FIFO or a device could block for ever: only regular files are pictures.
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            raise _is_folder()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFile("is not a regular file")
        size = status.st_size
        # One byte more is asked for: a shorter answer is the end of the file.
        first = os.read(fd, size + 1 if size <= _AT_ONCE else HEAD)
        if lazy is not None and lazy(first[:HEAD]):
            file = open(fd, "rb", buffering=0)  # noqa: SIM115,PTH123 - a descriptor, which FileBytes owns
            fd = -1
            return FileBytes(file, os.fspath(path))
        if size > MAX_FILE:
            raise _too_large()
        if size >= _MAPPED_ANEW:
            _use_memory_again()
        if len(first) == size:
            return first
        with open(fd, "rb", buffering=0, closefd=False) as file:
            file.seek(0)
            return file.readall() or b""
    finally:
        if fd >= 0:
            os.close(fd)


def _is_folder() -> UnreadableFile:
    return UnreadableFile(IS_FOLDER, hint="name the files in it")


def reason_of(error: BaseException) -> str:
    """Return what the system says about an error, without the path."""
    return getattr(error, "strerror", None) or str(error)


def read_file(path: Path, what: str, limit: int = 64 << 20) -> bytes:
    """Read a small file that the user names: a key, a list, a font.

    Args:
        path: The file.
        what: What it is, as errors call it ("the key").
        limit: Most bytes that it may have.

    Raises:
        LabelingError: It cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise LabelingError(f"{what} cannot be read ({error.strerror})", path=path) from error
    if len(data) > limit:
        raise LabelingError(f"{what} is larger than {limit >> 20} MiB", path=path)
    return data


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file of any size, in hexadecimal digits. Raises :class:`UnreadableFile`."""
    import hashlib

    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            first = file.read(size + 1) if size <= _AT_ONCE else b""  # file_digest has a buffer of 256 KiB made
            if first and len(first) == size:
                return hashlib.sha256(first).hexdigest()
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise UnreadableFile("there is no such file", path=path) from None
    except PermissionError:
        raise UnreadableFile("no permission to read it", path=path) from None
    except OSError as error:
        raise UnreadableFile(f"cannot be read ({error.strerror})", path=path) from None


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a small TOML file that the user names. Raises :class:`LabelingError` with the line of a mistake."""
    import tomllib

    raw = read_file(path, what, MAX_TOML)
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LabelingError(f"is not valid TOML: {error}", path=path) from error


def same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, whatever links and spellings are in them."""
    try:
        return one.samefile(other)
    except OSError:
        return False
