"""Reading what users hand in, and writing files so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, overload

from labeling.errors import LabelingError, TooLarge, UnreadableFile, WriteError
from labeling.filebytes import FileBytes, FileRange, copy_range, write_all

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""What can be read: a path, a file's bytes, or a binary file object."""

MAX_FILE = 1 << 30
"""A picture file of more bytes is refused."""

MAX_TOML = 1 << 20

SCRATCH = ".aigc-"
"""How the name of every temporary file begins; the number of the process that made it follows."""

HEAD = 64
"""So many first bytes are shown to who decides whether a file is read at once."""


def load(source: Source) -> tuple[str, bytes]:
    """Give a name to show and the bytes of a path, a bytes object, or a binary file object.

    Raises :class:`UnreadableFile` (missing, folder, empty, no permission) or :class:`TooLarge`.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "<bytes>", bytes(source)
    elif isinstance(source, str | os.PathLike):
        name, data = os.fspath(source), _read_path(Path(source), None)
    elif hasattr(source, "read"):
        name = str(getattr(source, "name", "<stream>"))
        data = source.read(MAX_FILE + 1)
        if not isinstance(data, bytes):
            raise UnreadableFile(f"{name}: opened as text; open it in binary mode")
    else:
        raise UnreadableFile(f"cannot read a picture from {type(source).__name__}; give a path, bytes or a file object")
    if len(data) > MAX_FILE:
        raise TooLarge(f"{name}: larger than {MAX_FILE >> 20} MiB, the limit for a picture file")
    if not data:
        raise UnreadableFile(f"{name}: the file is empty")
    return name, data


def open_source(source: Source, lazy: Callable[[bytes], bool]) -> tuple[str, bytes | FileBytes]:
    """As :func:`load`, but a file on disk whose first bytes ``lazy`` says yes to is not read: its parts are, as needed.

    Such a file may have any size. Whoever gets a :class:`FileBytes` closes it.
    """
    if not isinstance(source, str | os.PathLike):
        return load(source)
    name, data = os.fspath(source), _read_path(Path(source), lazy)
    if not len(data):
        raise UnreadableFile(f"{name}: the file is empty")
    return name, data


@overload
def _read_path(path: Path, lazy: None) -> bytes: ...
@overload
def _read_path(path: Path, lazy: Callable[[bytes], bool]) -> bytes | FileBytes: ...
def _read_path(path: Path, lazy: Callable[[bytes], bool] | None) -> bytes | FileBytes:
    try:
        # Opening a FIFO or a device could block for ever: only regular files are pictures.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(fd, "rb", buffering=0))  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(fd)
            if stat.S_ISDIR(status.st_mode):
                raise UnreadableFile(f"{path}: is a folder; name the files in it")
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFile(f"{path}: is not a regular file")
            if lazy is not None:
                head = file.read(HEAD) or b""
                if lazy(head):
                    stack.pop_all()
                    return FileBytes(file, os.fspath(path))
                file.seek(0)
            if status.st_size > MAX_FILE:
                raise TooLarge(f"{path}: larger than {MAX_FILE >> 20} MiB, the limit for a picture file")
            return file.readall() or b""
    except FileNotFoundError:
        raise UnreadableFile(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{path}: is a folder; name the files in it") from None
    except PermissionError:
        if path.is_dir():  # Windows says so of folders
            raise UnreadableFile(f"{path}: is a folder; name the files in it") from None
        raise UnreadableFile(f"{path}: no permission to read it") from None
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{_printable(path)}: cannot be read ({_reason(error)})") from error


def _printable(path: Path) -> str:
    return str(path).replace("\0", "\\0")


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def read_file(path: Path, what: str, limit: int = 64 << 20) -> bytes:
    """Read a small file that the user names: a key, a list, a font. Raises :class:`LabelingError`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise LabelingError(f"{path}: {what} cannot be read ({error.strerror})") from error
    if len(data) > limit:
        raise LabelingError(f"{path}: {what} is larger than {limit >> 20} MiB")
    return data


def sha256(path: Path) -> str:
    """The SHA-256 of a file of any size, in hexadecimal digits. Raises :class:`UnreadableFile`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read ({error.strerror})") from None


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a small TOML file that the user names. Raises :class:`LabelingError` with the line of a mistake."""
    import tomllib

    raw = read_file(path, what, MAX_TOML)
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LabelingError(f"{path}: is not valid TOML: {error}") from error


def same_file(one: Path, other: Path) -> bool:
    """Say whether two paths lead to one file (links and spelling seen through)."""
    try:
        return one.samefile(other)
    except OSError:
        return False


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says of writing to ``path`` into :class:`WriteError`."""
    try:
        yield
    except PermissionError:
        raise WriteError(f"{path}: no permission to write there; choose another place with -o") from None
    except FileNotFoundError:
        raise WriteError(f"{path}: the folder {path.parent} does not exist; create it first") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WriteError(f"{path}: the disk is full; nothing was written") from error
        if error.errno == errno.EROFS:
            raise WriteError(f"{path}: the file system is read-only; choose another place with -o") from error
        raise WriteError(f"{path}: cannot be written ({_reason(error)})") from error


def _reads_back(file: BinaryIO | io.FileIO, data: bytes) -> bool:
    """Say whether ``file`` holds ``data``: a little at a time, which stays in the cache and needs no second copy."""
    file.seek(0)
    at = 0
    while part := file.read(64 << 10):
        if part != data[at : at + len(part)]:
            return False
        at += len(part)
    return at == len(data)


@contextmanager
def scratch(path: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """An empty file beside ``path``, on the same disk, gone again at the end whatever happens.

    Raises :class:`WriteError`. Renamed before the end, it stays under its new name.
    """
    temporary = path.with_name(f"{SCRATCH}{os.getpid():x}-{secrets.token_hex(6)}.tmp")
    with explained(path):
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode))
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextmanager
def staged(path: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """An empty file beside ``path`` that takes its name if all goes well. Raises :class:`WriteError`.

    Otherwise nothing of it stays, and a file of that name stays whole.
    """
    with explained(path):  # a name may be too long even to ask
        if path.is_dir():
            raise WriteError(f"{path}: is a folder; name a file in it")
        if path.exists() and not path.is_file():  # a device would be replaced by a file of its name
            raise WriteError(f"{path}: is not a regular file; name another output")
    with scratch(path, mode=mode) as temporary:
        with explained(path):  # a full disk may show wherever something is written
            yield temporary
        with explained(path):
            temporary.replace(path)


def write_pieces(target: Path, pieces: Iterable[Any]) -> None:
    """Write ``pieces`` (bytes-like, or spans of other files) to an existing file, one after the other."""
    # Not O_TRUNC: ext4 then writes a file out before it lets go of it, which takes as long as the copy.
    fd = os.open(target, os.O_WRONLY | getattr(os, "O_BINARY", 0))
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
    path: Path, pieces: Sequence[Any], check: Callable[[bytes], None] | None = None, *, mode: int = 0o666
) -> None:
    """Write ``pieces`` to a temporary file beside ``path``, read it back, and only then give it its name.

    ``check`` gets the bytes as read back and raises if they are not right. Raises :class:`WriteError`; whatever
    happens, no half-written file stays behind, and a file of that name stays whole.
    """
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    with staged(path, mode=mode) as temporary:
        with open(temporary, "r+b", buffering=0) as file:  # noqa: PTH123
            write_all(file.fileno(), data)
            same = _reads_back(file, data)
        if not same:
            raise WriteError(f"{path}: what was written does not read back the same; check the disk")
        if check is not None:
            check(bytes(data))
