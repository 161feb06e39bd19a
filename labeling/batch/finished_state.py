"""The folder of a run that is read from outside: its journal, results and summary, none of which is changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from labeling.batch import local_copies, run_identity
from labeling.batch.remote_storage import RemoteStorage
from labeling.batch.report import SUMMARY
from labeling.batch.results_file import LONGEST_LINE
from labeling.batch.state_files import JOURNAL, RESULTS, RUN, in_use
from labeling.batch.storage import Folder, open_storage
from labeling.batch.task import STATE_FOLDER
from labeling.errors import LabelingError, UnreadableFile

_MAX_SUMMARY = 16 << 20
"""Bytes of a summary that are read."""

_SHARDS = "shard-*-of-*"


class Row(NamedTuple):
    """Where a file's result is. Rows compare by the path, as bytes."""

    key: bytes
    state: int
    at: int
    length: int


@dataclass
class State:
    """The folder of one run.

    Attributes:
        name: What errors and reports call it.
        number: Its place among the states that are merged.
        summary: What the last session that came to its end has summed up; empty if none has.
        options: What its results depend on.
        unfinished: Files that were begun and have no result.
        is_open: It is at work in a target on an object store, or its end was lost.
    """

    name: str
    number: int
    summary: dict[str, Any]
    options: dict[str, Any]
    unfinished: int
    is_open: bool
    db: sqlite3.Connection
    results: IO[bytes]

    @property
    def mode(self) -> str:
        """What the run did with its files."""
        return str(self.summary.get("mode") or self.options.get("mode") or "")

    @property
    def source(self) -> str:
        """What its paths are relative to."""
        return str(self.summary.get("source") or self.options.get("source") or "")

    @property
    def target(self) -> str:
        """Where its outputs are."""
        return str(self.summary.get("target") or self.options.get("target") or "")

    @property
    def shard(self) -> str:
        """Which part of the source it took; empty if all of it."""
        return str(self.summary.get("shard") or self.options.get("shard") or "")

    @property
    def failure(self) -> str:
        """Why it counts as unfinished, if it does: ``open``, ``begun``, ``summary``, ``interrupted`` or ``limited``."""
        if self.is_open:
            return "open"
        if self.unfinished:
            return "begun"
        if not self.summary:
            return "summary"
        return next((name for name in ("interrupted", "limited") if self.summary.get(name)), "")

    def rows(self) -> Iterator[Row]:
        """Yield where the result of each file is that is in the source, in the order of the paths' bytes."""
        query = f"SELECT key, at, length FROM item WHERE at IS NOT NULL AND {_there(self.db)} ORDER BY key"  # noqa: S608
        for key, at, length in self.db.execute(query):
            yield Row(bytes(key), self.number, int(at), int(length))

    def outputs(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield name, this state's number and source of each output that is not called like its source, by name."""
        for name, owner in self.db.execute("SELECT name, owner FROM output ORDER BY name"):
            yield bytes(name), self.number, bytes(owner)

    def line(self, row: Row) -> bytes:
        """Return a line of the results."""
        self.results.seek(row.at)
        return self.results.read(min(row.length, LONGEST_LINE))


def folders(location: str, options: dict[str, Any] | None, stack: ExitStack) -> list[tuple[str, Path]]:
    """Return the folders that a place stands for, each with its name: one with a journal, and those of shards in it.

    Args:
        location: The folder of a run, the one that holds those of its shards, or a target that holds either; on an
            object store, copies of them are fetched.
        options: Options of fsspec.
        stack: Keeps the copies until it is closed.

    Raises:
        LabelingError: There is no run's folder.
    """
    storage = open_storage(location, options)
    if isinstance(storage, RemoteStorage):
        found = _fetched(storage, location, options, stack)
    else:
        assert isinstance(storage, Folder)
        found = [(str(each), each) for each in _local(storage.root)]
    if not found:
        raise UnreadableFile(
            "there is no run's folder", path=storage.name,
            hint=f"name a folder with {JOURNAL}, as {STATE_FOLDER} in a target is",
        )  # fmt: skip
    return found


def _local(root: Path) -> list[Path]:
    for place in (root, root / STATE_FOLDER):
        found = [each for each in (place, *_in_order(place.glob(_SHARDS))) if (each / JOURNAL).is_file()]
        if found:
            return found
    return []


def _in_order(places: Iterator[Path]) -> list[Path]:
    def number(place: Path) -> tuple[int, str]:
        part = place.name.split("-")[1]
        return (int(part) if part.isdecimal() else 0, place.name)

    return sorted(places, key=number)


def _fetched(
    storage: RemoteStorage, location: str, options: dict[str, Any] | None, stack: ExitStack
) -> list[tuple[str, Path]]:
    """Fetch what runs have left in a target on an object store."""
    if STATE_FOLDER not in location.rstrip("/").split("/"):
        location = f"{location.rstrip('/')}/{STATE_FOLDER}"
        storage = RemoteStorage(location, options or {})
    inside = {item.path.rpartition("/")[0] for item in storage.walk() if item.path.rpartition("/")[2] == JOURNAL}
    found = []
    for place in sorted(inside, key=lambda each: (len(each), each)):
        folder = stack.enter_context(local_copies.temporary_folder())
        for name in (RUN, RESULTS, JOURNAL, SUMMARY):
            storage.download(f"{place}/{name}" if place else name, folder / name)
        found.append((f"{storage.name}/{place}".rstrip("/"), folder))
    return found


def opened(places: Sequence[tuple[str, Path]], stack: ExitStack) -> list[State]:
    """Open the folders of runs.

    Args:
        places: Their names and where they are.
        stack: Closes them.

    Raises:
        LabelingError: One cannot be read, or its run is still at work.
    """
    return [_opened(name, folder, number, stack) for number, (name, folder) in enumerate(places)]


def _there(db: sqlite3.Connection) -> str:
    """Return the condition for files that are in the source; version 1 does not tell."""
    return "NOT vanished" if "vanished" in {name for _, name, *_ in db.execute("PRAGMA table_info(item)")} else "1"


def _opened(name: str, folder: Path, number: int, stack: ExitStack) -> State:
    if in_use(folder):
        raise LabelingError("a run is at work here", path=name, hint="wait for its end, or stop it")
    try:
        db = stack.enter_context(closing(_connected(folder, stack)))
        results = stack.enter_context((folder / RESULTS).open("rb"))
        options = _options(db)
        unfinished = db.execute(
            f"SELECT count(*) FROM item WHERE ((begun AND status IS NOT 'poison') OR at IS NULL) AND {_there(db)}"  # noqa: S608
        ).fetchone()[0]
    except sqlite3.Error as error:
        raise UnreadableFile(f"the journal cannot be read ({error})", path=name) from error
    except OSError as error:
        raise UnreadableFile(f"cannot be read ({error.strerror})", path=name) from error
    is_open = _is_copy_of_open(folder)
    return State(name, number, _summary(folder / SUMMARY), options, int(unfinished), is_open, db, results)


def _is_copy_of_open(folder: Path) -> bool:
    """Return whether a run has said that it works in the target from which a folder was fetched."""
    notes = run_identity.read(folder / RUN).get("notes")
    return isinstance(notes, dict) and bool(notes.get("open"))


def _connected(folder: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open a journal to be read only, also where nothing may be written beside it."""
    journal, log = folder / JOURNAL, folder / f"{JOURNAL}-wal"
    if log.exists() and log.stat().st_size:  # its run was killed: what is in the log belongs to it
        copies = stack.enter_context(local_copies.temporary_folder())
        for each in (journal, log):
            shutil.copyfile(each, copies / each.name)
        return sqlite3.connect(copies / JOURNAL)
    return sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _options(db: sqlite3.Connection) -> dict[str, Any]:
    """Return what the results of a journal depend on, and what its run is, of whichever version it is."""
    notes = {str(key): str(value) for key, value in db.execute("SELECT key, value FROM meta")}
    if "fixed" not in notes:
        return _json_object(notes.get("options", "{}"))
    number = notes.get("generation", "0")
    found: dict[str, Any] = {}
    for (text,) in db.execute("SELECT options FROM generation WHERE number=?", (number,)):
        found |= _json_object(str(text))
    for (name,) in db.execute("SELECT name FROM root ORDER BY number DESC LIMIT 1"):
        found["source"] = str(name)
    return found | _json_object(notes["fixed"])


def _summary(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return _json_object(file.read(_MAX_SUMMARY).decode("utf-8", "replace"))
    except OSError:
        return {}


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
