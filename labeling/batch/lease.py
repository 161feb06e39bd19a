"""The lease of a target that is not local: two runs must not work in one, on whichever machines they are.

The run writes a small object into the target, and again every few seconds. Another run that finds it waits: if it
changes, its owner is at work; if it does not, its owner is gone. No clocks are compared. A run that finds somebody
else's lease in the place of its own ends: both were started at the same moment.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from labeling.batch import local_copies
from labeling.batch.object_store import changed
from labeling.batch.remote_storage import RemoteStorage
from labeling.batch.state_files import LEASE
from labeling.errors import LabelingError

INTERVAL = 15.0
"""Seconds between two renewals."""

PATIENCE = 50.0
"""Seconds without a renewal after which a lease is taken over."""

FORGOTTEN = 1800.0
"""Age in seconds of a lease that is taken over at once: more than any two clocks should differ."""

_POLL = 2.0
"""Seconds between two looks at another's lease."""


class Lease:
    """The right to work in a target, from :meth:`take` until :meth:`release`.

    Args:
        target: The target.
        place: The run's folder in it.
        folder: The run's local folder: a lease of its own from a session that was killed is no obstacle.
    """

    def __init__(self, target: RemoteStorage, place: str, folder: Path) -> None:
        self._target, self._path, self._local = target, f"{place}/{LEASE}", folder / LEASE
        self._owner, self._count = secrets.token_hex(8), 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = False

    def take(self) -> None:
        """Take the lease, and keep it in a thread of its own.

        Raises:
            LabelingError: Another run is at work.
        """
        self._wait_for_others()
        self._local.write_text(json.dumps({"owner": self._owner}))
        with suppress(LabelingError):  # whether the target can be written to shows with the first output
            self._renew()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def _wait_for_others(self) -> None:
        first = self._read()
        with suppress(OSError, ValueError):
            if first and json.loads(self._local.read_text()).get("owner") == first.get("owner"):
                return  # this machine's, from a session that was killed: the local lock tells that it has ended
        if not first or first.get("released") is True or self._age() > FORGOTTEN:
            return
        end = time.monotonic() + PATIENCE
        while (now := self._read()) == first and time.monotonic() < end:
            time.sleep(min(_POLL, PATIENCE / 10))
        if now and now != first and now.get("released") is not True:
            raise self._other(now)

    def _other(self, lease: dict[str, Any]) -> LabelingError:
        host = str(lease.get("host", ""))[:80]
        return LabelingError(
            f"another run is at work in this target{f', on {host}' if host else ''}", path=self._target.name,
            hint="wait for its end, or stop it",
        )  # fmt: skip

    def error(self) -> LabelingError | None:
        """Return why the run must end, if another one has taken the lease."""
        return self._other(self._read()) if self.lost else None

    def _read(self) -> dict[str, Any]:
        with local_copies.temporary_folder() as folder:
            if not self._target.download(self._path, folder / LEASE):
                return {}
            with suppress(OSError, ValueError, RecursionError):
                found = json.loads((folder / LEASE).read_bytes()[: 1 << 16])
                return found if isinstance(found, dict) else {"unreadable": True}
        return {"unreadable": True}

    def _age(self) -> float:
        with suppress(LabelingError):
            moment = changed(self._target.look(self._path).details)
            return time.time() - moment if moment else 0.0
        return 0.0

    def _renew(self, *, released: bool = False) -> None:
        self._count += 1
        lease: dict[str, Any] = {"owner": self._owner, "count": self._count}
        lease |= {"released": True} if released else {"host": socket.gethostname(), "process": os.getpid()}
        with local_copies.temporary_folder() as folder:
            (folder / LEASE).write_text(json.dumps(lease))
            self._target.upload(folder / LEASE, self._path, keep=True)

    def _keep(self) -> None:
        while not self._stopped.wait(INTERVAL):
            with suppress(LabelingError):  # the files have the same trouble, and say so
                if self._read().get("owner", self._owner) != self._owner:
                    self.lost = True
                    return
                self._renew()

    def release(self) -> None:
        """Give the lease back."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            if not self.lost and not self._target.try_remove(self._path):
                with suppress(LabelingError):  # who may write and not delete says so, for the next not to wait
                    self._renew(released=True)
        self._local.unlink(missing_ok=True)
