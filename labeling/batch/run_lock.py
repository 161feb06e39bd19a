"""The lock of a run's folder: the workers of a killed run must have ended before another run touches its files.

A run and its workers hold a shared lock on one file for as long as they live. A new run takes the lock exclusively
first, which it gets only when no process of an earlier run is left.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from labeling import temporary
from labeling.errors import LabelingError
from labeling.temporary import PLAIN

LOCK = "lock"
WAIT_TIMEOUT = 60.0
"""Seconds that a run waits for the workers of a killed run. They notice within a second, and finish no file."""


def acquire_exclusive(folder: Path, run_is_alive: Callable[[], bool] = lambda: False) -> IO[Any]:
    """Wait until no other process works in the folder, then share the lock with the workers to come.

    Args:
        folder: The run's folder.
        run_is_alive: Returns whether the processes that hold the lock belong to a run that is still alive. Then there
            is nothing to wait for.

    Returns:
        The open lock file. Closing it releases the lock.

    Raises:
        LabelingError: Another run is at work, or workers of another run do not end.
    """
    file = _opened(folder)
    deadline = time.monotonic() + WAIT_TIMEOUT
    while not try_lock(file):
        if run_is_alive():
            file.close()
            raise LabelingError("another run is at work here", path=folder, hint="wait for its end, or stop it")
        if time.monotonic() > deadline:
            file.close()
            raise LabelingError("workers of another run are still busy", path=folder, hint="stop them, then run again")
        time.sleep(0.05)
    _share(file)
    return file


def acquire_shared(folder: Path) -> IO[Any]:
    """Take part in the folder's run until the returned file is closed or this process ends."""
    file = _opened(folder)
    _share(file)
    return file


def _opened(folder: Path) -> IO[Any]:
    fd = os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT | os.O_APPEND | PLAIN, 0o666)
    return os.fdopen(fd, "ab")


def try_lock(file: IO[Any]) -> bool:
    """Lock a file for this process alone, until it is closed; return ``False`` if another process has it.

    Windows has no such locks. There, only the workers' own watch over their parent process applies.
    """
    return temporary.try_lock(file.fileno()) is not False


def _share(file: IO[Any]) -> None:
    with contextlib.suppress(ImportError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH)
