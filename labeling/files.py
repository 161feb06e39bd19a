"""Read the files that users name, and write files so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, overload

from labeling import attributes, temporary
from labeling.errors import LabelingError, TooLarge, UnreadableFile, WriteError, error_context
from labeling.filebytes import FileBytes, FileRange, copy_range, forget_cached, reads_back, write_all, write_views
from labeling.temporary import PLAIN

Bytes = bytes | bytearray | memoryview | mmap.mmap
"""What can be written."""

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""What can be read: a path, a file's bytes, or a binary file object."""

MAX_FILE = 1 << 30
"""A picture file with more bytes is refused."""

MAX_TOML = 1 << 20

HEAD = 64
"""Number of leading bytes passed to the callback that decides whether a file is read at once or in parts."""

_IS_FOLDER = "is a folder"
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
            raise UnreadableFile(f"cannot be read ({_reason(error)})") from error


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
    return UnreadableFile(_IS_FOLDER, hint="name the files in it")


def _reason(error: BaseException) -> str:
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


class _Explained:
    """What :func:`explained` returns."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        path, elsewhere = self._path, "choose another place for the output"
        if isinstance(error, PermissionError):
            raise WriteError("no permission to write there", path=path, hint=elsewhere) from None
        if isinstance(error, FileNotFoundError):
            raise WriteError(f"the folder {path.parent} does not exist", path=path, hint="create it first") from None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WriteError("the disk is full", path=path, hint="nothing was written") from error
        if error.errno == errno.EROFS:
            raise WriteError("the file system is read-only", path=path, hint=elsewhere) from error
        raise WriteError(f"cannot be written ({_reason(error)})", path=path) from error


def explained(path: Path) -> contextlib.AbstractContextManager[None]:
    """Turn the system's errors on writing to ``path`` into :class:`WriteError`."""
    return _Explained(path)


def check_replaceable(path: Path) -> None:
    """Refuse an output that cannot be meant, or may not be replaced, before the work is done.

    Raises:
        WriteError: It is a folder, a symbolic link, a device or write-protected.
    """
    if path.is_symlink():
        hint = f"name the file that it leads to ({os.path.realpath(path)}), or another output"
        raise WriteError("is a symbolic link", path=path, hint=hint)
    _check_replaceable(path)


def _check_replaceable(path: Path) -> None:
    with explained(path):  # a name may be too long even to ask
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if path.is_dir():
            raise WriteError(_IS_FOLDER, path=path, hint="name a file in it")
        if path.exists() and not path.is_file():  # a device would be replaced by a file of its name
            raise WriteError("is not a regular file", path=path, hint="name another output")
        protected = stat.S_ISREG(mode) and (not mode & 0o222 or not os.access(path, os.W_OK))
    if protected:  # renaming asks only for permission to the folder, and root needs none at all
        raise WriteError("is write-protected", path=path, hint="permit writing to it, or name another output")


@contextmanager
def temp_beside(path: Path, *, mode: int = 0o600) -> Iterator[Path]:
    """Make an empty temporary file beside ``path``, on the same disk, and remove it at the end whatever happens.

    Its name cannot be guessed, and nothing is opened that is there already, a symbolic link included. What killed
    processes left in the folder is removed. A file that was renamed before the end stays under its new name.
    Raises :class:`WriteError`.
    """
    with _open_beside(path, mode) as (made, _):
        yield Path(made)


@contextmanager
def _open_beside(path: Path, mode: int) -> Iterator[tuple[str, int]]:
    """The same as :func:`temp_beside`, with a descriptor to read and to write it; -1 where none can stay open."""
    made, fd = temporary.name_beside(path), -1
    try:  # a signal may arrive as soon as there is a file
        with explained(path):
            temporary.sweep_once(os.path.dirname(path))  # noqa: PTH120 - for every file that is written
            while (fd := temporary.create(made, mode)) < 0:
                made = temporary.name_beside(path)
        if os.name == "nt":  # an open file cannot be renamed there
            os.close(fd)
            fd = -1
        yield made, fd
    finally:
        with contextlib.suppress(OSError, ValueError):
            os.unlink(made)  # noqa: PTH108 - for every file that is written
        if fd >= 0:
            os.close(fd)  # only now: whoever finds the file locked leaves it alone


@contextmanager
def staged(
    path: Path, *, mode: int = 0o666, like: Path | None = None, times: tuple[int, int] | None = None
) -> Iterator[Path]:
    """Make an empty file beside ``path`` that is renamed to it if all goes well.

    Otherwise nothing of it stays, and a file that was at ``path`` stays whole. A file that is replaced hands on its
    permissions, owner, extended attributes and access list; a new file gets those of ``like``, its permissions before
    the umask, as a copy does.

    Args:
        path: The file to write or replace. A symbolic link is replaced, not followed.
        mode: Permissions that it has at most, before the umask; 0o666 leaves them to the old file or to ``like``.
        like: The file that it is made from.
        times: Its times of access and of change, in nanoseconds: see :func:`times_of`.

    Raises:
        WriteError: It cannot be written.
    """
    with _staged(path, mode, like, times) as (made, _):
        yield Path(made)


@contextmanager
def _staged(path: Path, mode: int, like: Path | None, times: tuple[int, int] | None) -> Iterator[tuple[str, int]]:
    """The same as :func:`staged`, with a descriptor as of :func:`_open_beside`."""
    old = given = None
    if not nothing_at(path):
        _check_replaceable(path)
        old = attributes.read(path)
    if like is not None and not (old is not None and same_file(like, path)):
        given = attributes.read(like, follow=True)
        if old is not None:
            forget_cached(path)
    source = old if old is not None else given
    most = 0o777 if mode == 0o666 else mode
    created = 0o600 if old is not None else (source.mode & most | 0o600) if source is not None else mode
    with _open_beside(path, created) as (made, fd):
        with explained(path):  # a full disk may show wherever something is written
            final = os.lstat(made).st_mode & 0o777 if old is None else old.mode & most
            yield made, fd
        with explained(path):
            if source is not None:
                attributes.give(made, source, mode=final, inherit=old is None)
            elif os.lstat(made).st_mode & 0o777 != final:  # a signed copy has taken its place
                os.chmod(made, final)  # noqa: PTH101
            if times is not None:
                os.utime(made, ns=times)
            os.replace(made, path)  # noqa: PTH105 - for every file that is written


def nothing_at(path: Path) -> bool:
    """Return whether nothing at all has this name, not even a symbolic link that leads nowhere."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        pass  # whoever uses the name says what is wrong with it
    return False


def times_of(path: str | os.PathLike[str], *, keep: bool = True) -> tuple[int, int] | None:
    """Return a file's times of access and of change, in nanoseconds; ``None`` unless they are to be kept.

    To be asked before the file is read, which may change the first of them. What a missing file means is said by
    whoever reads it.
    """
    if not keep:
        return None
    try:
        status = os.stat(path)  # noqa: PTH116 - of whatever the user named
    except (OSError, ValueError):
        return None
    return status.st_atime_ns, status.st_mtime_ns


def write_pieces(target: Path, pieces: Iterable[Bytes | FileRange]) -> None:
    """Write ``pieces`` (bytes-like objects, or ranges of other files) to an existing file, one after the other."""
    # Not O_TRUNC: ext4 then writes a file out before it lets go of it, which takes as long as the copy.
    fd = os.open(target, os.O_WRONLY | PLAIN)
    try:
        if os.fstat(fd).st_size:
            os.ftruncate(fd, 0)
        for piece in pieces:
            if isinstance(piece, FileRange):
                copy_range(piece, fd)
            else:
                write_all(fd, piece)
    finally:
        os.close(fd)


def write_atomically(
    path: Path,
    pieces: Sequence[Bytes],
    *,
    mode: int = 0o666,
    like: Path | None = None,
    times: tuple[int, int] | None = None,
) -> None:
    """Write ``pieces`` to a temporary file beside ``path``, read it back, and only then rename it to ``path``.

    Whatever happens, no half-written file stays behind, and a file that was at ``path`` stays whole.

    Args:
        path: The file to write or replace.
        pieces: Bytes-like objects, in order.
        mode: As in :func:`staged`.
        like: As in :func:`staged`.
        times: As in :func:`staged`.

    Raises:
        WriteError: It could not be written, or did not read back.
    """
    with _staged(path, mode, like, times) as (made, fd), contextlib.ExitStack() as stack:
        if fd < 0:
            fd = os.open(made, os.O_RDWR | PLAIN)
            stack.callback(os.close, fd)
        write_views(fd, pieces)
        if not reads_back(fd, pieces):
            raise WriteError("what was written does not read back the same", path=path, hint="check the disk")
