"""Who is at work in a run's folder: a killed run's workers must be gone before another may touch its files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from labeling.errors import LabelingError

LOCK = "lock"
PATIENCE = 60.0
"""Seconds that a run waits for the workers of one that was killed; they notice within a second, and finish no file."""


def claim(folder: Path, led: Callable[[], bool] = lambda: False) -> IO[Any]:
    """Wait until nobody is at work in the folder, and be there. Raises :class:`LabelingError` if that does not come.

    ``led`` says whether those who are there belong to a run that is alive: then there is nothing to wait for.
    """
    file = (folder / LOCK).open("ab")
    end = time.monotonic() + PATIENCE
    while not locked(file):
        if led():
            file.close()
            raise LabelingError(f"{folder}: another run is at work here; wait for its end, or stop it")
        if time.monotonic() > end:
            file.close()
            raise LabelingError(f"{folder}: workers of another run are still busy; stop them, then run again")
        time.sleep(0.05)
    _share(file)
    return file


def join(folder: Path) -> IO[Any]:
    """Be at work in the folder until the file is closed, or this process ends."""
    file = (folder / LOCK).open("ab")
    _share(file)
    return file


def locked(file: IO[Any]) -> bool:
    """Take a file for this process alone, until it is closed; ``False`` if another has it.

    Windows has no such locks: there the workers' own watch has to do.
    """
    try:
        import fcntl
    except ImportError:
        return True
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _share(file: IO[Any]) -> None:
    with contextlib.suppress(ImportError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH)
