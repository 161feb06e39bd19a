"""Where copies of remote files lie while they are worked on. What killed processes have left there is swept.

Each process has a folder of its own below the system's, and holds a lock in it for as long as it lives: an unlocked
one is nobody's, whichever machine or container its process was of.
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

from labeling.batch.run_lock import locked
from labeling.errors import WriteError

PREFIX, LOCK = "aigc-label-", "lock"

_held: list[tuple[Path, IO[Any]]] = []
_one_at_a_time = threading.Lock()


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder on a local disk, gone again at the end. Raises :class:`WriteError`."""
    try:
        with _one_at_a_time:
            home = _home()
        here = tempfile.TemporaryDirectory(dir=home, ignore_cleanup_errors=True)
    except OSError as error:
        where = tempfile.gettempdir()
        raise WriteError(f"{where}: temporary files cannot be kept there ({error.strerror}); see TMPDIR") from error
    with here as name:
        yield Path(name)


def _home() -> Path:
    """This process's folder; made when it is first asked for, and anew if somebody has cleared it away."""
    if _held and _held[0][0].is_dir():
        return _held[0][0]
    _sweep()
    while True:
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = (home / LOCK).open("ab")
        if locked(lock) and (home / LOCK).exists():  # else another's sweep was between the two
            break
        lock.close()
    if not _held:
        atexit.register(_leave)
    _held[:] = [(home, lock)]
    return home


def _leave() -> None:
    for home, lock in _held:
        shutil.rmtree(home, ignore_errors=True)
        lock.close()


def _sweep() -> None:
    if os.name == "nt":
        return
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError), left.open("r+b") as lock:
            if locked(lock):
                shutil.rmtree(left.parent, ignore_errors=True)
