"""Write files so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from labeling import attributes, temporary
from labeling.errors import WriteError
from labeling.filebytes import FileRange, copy_range, forget_cached, reads_back, write_all, write_views
from labeling.files import IS_FOLDER, reason_of, same_file
from labeling.temporary import PLAIN

Bytes = bytes | bytearray | memoryview | mmap.mmap
"""What can be written."""


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
        raise WriteError(f"cannot be written ({reason_of(error)})", path=path) from error


def explained(path: Path) -> contextlib.AbstractContextManager[None]:
    """Turn the system's errors on writing to ``path`` into :class:`WriteError`."""
    return _Explained(path)


def check_replaceable(path: Path) -> None:
    """Refuse an output that cannot be meant, or may not be replaced, before the work is done.

    Raises:
        WriteError: It is a folder, a symbolic link, a device or write-protected.
    """
    with explained(path):  # a name may be too long even to ask
        linked = path.is_symlink()
    if linked:
        hint = f"name the file that it leads to ({os.path.realpath(path)}), or another output"
        raise WriteError("is a symbolic link", path=path, hint=hint)
    _check_replaceable(path)


def _check_replaceable(path: Path) -> None:
    with explained(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if path.is_dir():
            raise WriteError(IS_FOLDER, path=path, hint="name a file in it")
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
