"""The state of a run in a target that is not local: fetched at the start, kept up to date, complete at the end.

Beside copies of what the local folder has, the target gets *parts* while the run works: the lines of results since the
part before. A run whose local state is lost, or older than the target's, puts the results together from the copy and
the parts after it, and makes its journal from them. ``run.json`` names the copy that the parts belong to, and is
written last: whoever reads at any moment has results that belong together.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from labeling.batch import local_copies, run_identity
from labeling.batch.journal import Journal
from labeling.batch.lease import Lease
from labeling.batch.object_store import changed
from labeling.batch.remote_storage import RemoteStorage
from labeling.batch.state_files import HISTORY, JOURNAL, RESULTS, RUN, set_aside
from labeling.batch.storage import Storage
from labeling.errors import LabelingError
from labeling.files import sha256

INTERVAL, SHARE = 60.0, 32
"""Seconds between two parts: at least so many, and so many times as long as the last one took."""

_PIECE = 1 << 20


class RemoteState:
    """The run's folder in a target that is not local.

    Args:
        target: The target.
        place: The folder in it.
        folder: The run's local folder.
    """

    def __init__(self, target: RemoteStorage, place: str, folder: Path) -> None:
        self._target, self._place, self._folder = target, place, folder
        self._lease = Lease(target, place, folder)
        self._next_time = time.monotonic() + INTERVAL
        self._upload: _Upload | None = None
        self._lost_since, self._told = 0.0, False

    def _object(self, name: str) -> str:
        return f"{self._place}/{name}"

    # --- before the journal is opened ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the lease, and fetch the state unless the local one is as new.

        Raises:
            LabelingError: Another run is at work in the target, or it cannot be read.
        """
        self._lease.take()
        with local_copies.temporary_folder() as temporary:
            there = temporary / RUN
            found = self._target.download(self._object(RUN), there)
            notes = _notes(run_identity.read(there)) if found else {}
            if not self._is_wanted(notes):
                return
            self._fetch(temporary, notes)
            if found:
                _move(there, self._folder / RUN)
            if notes.get("open"):
                moment = changed(self._target.look(self._object(RUN)).details)
                self._lost_since = min(filter(None, (moment, _float(notes.get("lost since")))), default=0.0)

    def _is_wanted(self, notes: dict[str, Any]) -> bool:
        """Return whether the target's state is to be taken: there is no local one, or an older one of the same run."""
        if not (self._folder / JOURNAL).exists() and not (self._folder / RESULTS).exists():
            return True
        local = _notes(run_identity.read(self._folder / RUN))
        same = notes.get("run") and notes.get("run") == local.get("run")
        if not same or _int(notes.get("session")) <= _int(local.get("session")):
            return False
        set_aside(self._folder)
        return True

    def _fetch(self, temporary: Path, notes: dict[str, Any]) -> None:
        results = temporary / RESULTS
        complete = self._target.download(self._object(RESULTS), results)
        if not complete:
            results.touch()
        copied = notes.get("copied results", "")
        parts = 0
        if notes and (not complete or sha256(results) == copied):  # else the copy is newer, and has them
            parts = self._append_parts(results, _int(notes.get("first part")))
        elif notes:
            parts = -1
        if results.stat().st_size:
            _move(results, self._folder / RESULTS)
        if complete and not parts:
            self._target.download(self._object(JOURNAL), self._folder / JOURNAL)

    def _append_parts(self, results: Path, number: int) -> int:
        """Append the parts from a number on to the results; return how many there were."""
        count = 0
        part = results.with_suffix(".part")
        while self._target.download(self._object(_part(number + count)), part):
            count += 1
            with part.open("rb") as source, results.open("ab") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
        return count

    # --- while the run works ------------------------------------------------------------------------------------------

    def begin(self, journal: Journal) -> None:
        """Prepare the journal for the parts to come."""
        if self._lost_since:
            journal.set_meta("lost since", str(self._lost_since))
        journal.set_meta("open", "1")
        if not journal.meta("next part"):
            journal.set_meta("next part", journal.meta("first part", "0"))
        while self._part_exists(journal):  # those of the session that was lost, which this one has read
            journal.set_meta("next part", str(int(journal.meta("next part")) + 1))
            journal.set_meta("part at", str(journal.valid))
        journal.write_identity()

    def _tell(self) -> None:
        """Tell the target which run works in it now."""
        self._told = True
        with suppress(LabelingError):  # the first output has the same trouble, and says so
            self._target.upload(self._folder / RUN, self._object(RUN), keep=True)

    def _part_exists(self, journal: Journal) -> bool:
        return self._target.exists(self._object(_part(int(journal.meta("next part")))))

    def tick(self, journal: Journal) -> LabelingError | None:
        """Put a part into the target if it is time to; return why the run must end, if another one has taken over."""
        if self._lease.lost:
            return self._lease.error()
        if not self._told and journal.has_files:  # before the first output
            self._tell()
        if self._upload is not None and self._upload.done.is_set():
            self._finish_part(journal)
        if self._upload is None and time.monotonic() >= self._next_time:
            start, number = int(journal.meta("part at", "0")), int(journal.meta("next part", "0"))
            if journal.valid > start:
                path = self._object(_part(number))
                self._upload = _Upload(self._target, path, self._folder / RESULTS, start, journal.valid)
            else:
                self._next_time = time.monotonic() + INTERVAL
        return None

    def _finish_part(self, journal: Journal) -> None:
        upload, self._upload = self._upload, None
        assert upload is not None
        self._next_time = time.monotonic() + max(INTERVAL, SHARE * upload.seconds)
        if upload.succeeded:
            journal.set_meta("part at", str(upload.end))
            journal.set_meta("next part", str(int(journal.meta("next part", "0")) + 1))

    # --- at the end ---------------------------------------------------------------------------------------------------

    def settle(self, journal: Journal) -> None:
        """Wait for a part that is on its way. Then the results may be rewritten."""
        if self._upload is not None:
            self._upload.done.wait()
            self._finish_part(journal)

    def complete(self, journal: Journal, others: list[Path]) -> None:
        """Put copies of everything into the target; it needs no parts any more.

        Args:
            journal: The journal, compacted.
            others: Further files of the report.

        Raises:
            LabelingError: They cannot be written, or another run has taken over.
        """
        if error := (self._lease.error() if self._lease.lost else None):
            raise error
        first, end = int(journal.meta("first part", "0")), int(journal.meta("next part", "0"))
        notes = {
            "copied results": sha256(self._folder / RESULTS),
            "first part": str(end),
            "part at": str(journal.valid),
        }
        for name, value in (notes | {"open": "", "lost since": ""}).items():
            journal.set_meta(name, value)
        journal.write_identity()
        with local_copies.temporary_folder() as temporary:
            journal.copy(temporary / JOURNAL)
            files = [self._folder / RESULTS, temporary / JOURNAL, *others]
            files += [path for path in (self._folder / HISTORY,) if path.exists()]
            for local in (*files, self._folder / RUN):
                self._target.upload(local, self._object(local.name), keep=True)
        for number in range(first, end):
            self._target.try_remove(self._object(_part(number)))

    def close(self) -> None:
        """Give the target free."""
        if self._upload is not None:
            self._upload.done.wait()
        self._lease.release()


@contextmanager
def opened(target: Storage, place: str, folder: Path) -> Iterator[RemoteState | None]:
    """Open the run's folder in a target that is not local; yield ``None`` for one that is.

    Args:
        target: The target.
        place: The folder in it.
        folder: The run's local folder.
    """
    if not isinstance(target, RemoteStorage):
        yield None
        return
    remote = RemoteState(target, place, folder)
    try:
        remote.open()
        yield remote
    finally:
        remote.close()


class _Upload:
    """A part on its way, in a thread of its own."""

    def __init__(self, target: RemoteStorage, path: str, results: Path, start: int, end: int) -> None:
        self.end, self.seconds, self.succeeded, self.done = end, 0.0, False, threading.Event()
        arguments = (target, path, results, start)
        threading.Thread(target=self._run, args=arguments, name="checkpoint", daemon=True).start()

    def _run(self, target: RemoteStorage, path: str, results: Path, start: int) -> None:
        begun = time.monotonic()
        with suppress(LabelingError, OSError), local_copies.temporary_folder() as folder:
            part = folder / "part"
            with results.open("rb") as source, part.open("wb") as copy:
                source.seek(start)
                left = self.end - start
                while left and (piece := source.read(min(left, _PIECE))):
                    copy.write(piece)
                    left -= len(piece)
            target.upload(part, path)
            self.succeeded = not left
        self.seconds = time.monotonic() - begun
        self.done.set()


def _part(number: int) -> str:
    return f"part-{number:06}.jsonl"


def _notes(identity: dict[str, Any]) -> dict[str, Any]:
    notes = identity.get("notes")
    return notes if isinstance(notes, dict) else {}


def _int(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdigit() else 0


def _float(value: object) -> float:
    try:
        return float(str(value or 0))
    except ValueError:
        return 0.0


def _move(source: Path, target: Path) -> None:
    """Move a file from another file system, completely or not at all."""
    new = target.with_suffix(".fetched")
    new.unlink(missing_ok=True)
    with source.open("rb") as read, new.open("xb") as write:
        while piece := read.read(_PIECE):
            write.write(piece)
        write.flush()
        os.fsync(write.fileno())
    new.replace(target)
