"""Temporary folders for copies of remote files while they are processed. Those of killed processes are removed.

Each process has a folder of its own in the system's temporary folder, and holds a lock in it for as long as it lives.
A folder whose lock is free belongs to no process, whichever machine or container that process ran in.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from labeling.batch.run_lock import try_lock
from labeling.errors import WriteError

PREFIX, LOCK = "aigc-label-", "lock"

_held: list[tuple[Path, IO[Any]]] = []
"""This process's folder and its open lock file; empty until the first is asked for."""

_creating = threading.Lock()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make an empty folder on a local disk, and remove it at the end.

    Raises:
        WriteError: Temporary files cannot be kept there.
    """
    try:
        with _creating:
            parent = _process_folder()
        folder = tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise WriteError(
            f"temporary files cannot be kept there ({error.strerror})", path=tempfile.gettempdir(), hint="see TMPDIR"
        ) from error
    with folder as name:
        yield Path(name)


def _process_folder() -> Path:
    """Return this process's folder. It is made when it is first asked for, and again if something removed it."""
    if _held and _held[0][0].is_dir():
        return _held[0][0]
    _remove_abandoned()
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = (folder / LOCK).open("ab")
        if try_lock(lock) and (folder / LOCK).exists():  # else another process removed it between the two calls
            break
        lock.close()
    if not _held:
        atexit.register(_remove_own)
    _held[:] = [(folder, lock)]
    return folder


def _remove_own() -> None:
    for folder, lock in _held:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _remove_abandoned() -> None:
    """Remove the folders of processes that no longer exist."""
    if os.name == "nt":
        return
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):
            if path.is_symlink() or path.parent.is_symlink() or path.parent.stat().st_uid != os.getuid():
                continue  # anybody may make such names in the system's temporary folder
            with path.open("r+b") as lock:
                if try_lock(lock):
                    shutil.rmtree(path.parent, ignore_errors=True)
