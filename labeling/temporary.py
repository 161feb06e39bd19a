"""Temporary files beside the file that is written: always new, locked while they are in use, swept when they are not.

A process that is killed cannot tidy up after itself. The kernel releases its locks, though, whichever machine or
container it ran in, so that the next process tells what was left behind from what is at work.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

PREFIX = ".aigc-"
"""Prefix of every temporary file's name; the id of the process that made it follows."""

PLAIN = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
"""What is opened is the file itself: its bytes as they are, and never what a symbolic link leads to."""

_NAME = re.compile(r"\.aigc-([0-9a-f]{1,16})-[0-9a-f]{12}\.tmp")

_MOST_SWEPT = 4096

_swept: set[str] = set()
"""Folders that this process has looked through."""


def name_beside(path: Path) -> str:
    """Return a path for a temporary file beside ``path``, on the same disk, that cannot be guessed."""
    return os.path.join(os.path.dirname(path), f"{PREFIX}{os.getpid():x}-{os.urandom(6).hex()}.tmp")  # noqa: PTH118,PTH120


def create(temporary: str, mode: int) -> int:
    """Create an empty file. Nothing is opened that is there already, a symbolic link included.

    Args:
        temporary: What :func:`name_beside` returned. The caller knows it before there is a file, and can remove that
            even if a signal arrives in here.
        mode: Permissions, before the umask.

    Returns:
        A descriptor that holds its lock until it is closed; -1 if another process swept the file at once.

    Raises:
        OSError: It cannot be created.
    """
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | PLAIN, mode)
    if try_lock(fd) is not False and _is_at(fd, temporary):
        return fd
    os.close(fd)
    return -1


def sweep_once(folder: str | Path) -> None:
    """Remove what killed processes left in a folder, the first time that this process writes there."""
    name = os.fspath(folder)
    if name in _swept:
        return
    if len(_swept) >= _MOST_SWEPT:
        _swept.clear()
    _swept.add(name)
    sweep(Path(folder))


def sweep(folder: Path, process: int | None = None) -> None:
    """Remove temporary files of ours that no living process holds.

    Args:
        folder: Where to look; nothing below it is looked at.
        process: Only those of the process with this id.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name) if entry.name.startswith(PREFIX) else None
            if named and process in (None, int(named[1], 16)):
                found.append(Path(entry.path))
    for path in found:
        with contextlib.suppress(OSError):
            _remove_abandoned(path)


def _remove_abandoned(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | PLAIN)
    try:
        status = os.fstat(fd)
        ours = stat.S_ISREG(status.st_mode) and (os.name == "nt" or status.st_uid == os.geteuid())
        if ours and try_lock(fd) and _is_at(fd, path):
            path.unlink()
    finally:
        os.close(fd)


def try_lock(fd: int) -> bool | None:
    """Lock a file until it is closed.

    Returns:
        Whether this process has the lock now; ``None`` where the system or the file system knows no such locks.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(fd: int, path: str | Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False
