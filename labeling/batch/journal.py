"""The journal of a run: which files are done, in a SQLite file beside the results. docs/scale.md has its format.

The results are lines of one JSONL file; the journal keeps where the line of each file is. Lines are written first
and become valid when the journal is committed: what a kill leaves behind them is cut off when the run goes on. So there
is exactly one result for each file, and memory does not grow with their number.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

from labeling.batch.task import GOOD, Item, Outcome, Status, Task, key_of
from labeling.errors import LabelingError
from labeling.filebytes import write_all

JOURNAL, RESULTS = "journal.sqlite", "results.jsonl"
VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS item (
  key BLOB PRIMARY KEY,      -- the path, as bytes
  status TEXT,               -- NULL: it has no result yet
  begun INTEGER NOT NULL,    -- 1: handed out, and not back
  ours INTEGER NOT NULL DEFAULT 0, -- 1: a run of this journal has written its output
  size INTEGER NOT NULL, stamp TEXT NOT NULL, own TEXT NOT NULL, checksum TEXT NOT NULL DEFAULT '',
  crashes INTEGER NOT NULL DEFAULT 0,
  session INTEGER NOT NULL,  -- the start of the run that met it last
  at INTEGER, length INTEGER -- its line in the results
) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Plan:
    """What is to be done with listed files: ``tasks``, ``repeated`` (named twice), and how many are ``done`` before."""

    tasks: list[Task]
    repeated: list[Item]
    done: int = 0
    done_size: int = 0


def in_use(folder: Path) -> bool:
    """Whether a run has the journal of a folder open now."""
    if not (folder / JOURNAL).exists():
        return False
    db = sqlite3.connect(folder / JOURNAL, timeout=0)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "locked" in str(error)
    finally:
        db.close()
    return False


class Journal:
    """Open for one run at a time. Raises :class:`LabelingError` where it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / JOURNAL
        self._results_path = folder / RESULTS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
            self._swap()
            self._results = self._opened()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        except OSError as error:
            raise LabelingError(f"{folder}: the journal cannot be kept there ({error.strerror})") from error
        self.session = int(self.meta("session", "0")) + 1
        with self._db:
            self._set("session", str(self.session))
        self._valid = int(self.meta("valid", "0"))
        if self._results.seek(0, os.SEEK_END) < self._valid:
            raise LabelingError(f"{self._results_path}: is shorter than the journal says; start anew with --restart")
        self._results.truncate(self._valid)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=0.5)
        db.execute("PRAGMA locking_mode=EXCLUSIVE")  # one run at a time; needs no shared memory, so works on NFS too
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(_SCHEMA)
        version = db.execute("SELECT value FROM meta WHERE key='version'").fetchone()
        if version is None:
            with db:
                db.execute("INSERT INTO meta VALUES ('version', ?)", (str(VERSION),))
        elif version[0] != str(VERSION):
            raise LabelingError(f"{self._path}: was written by another version ({version[0]}); use another target")
        return db

    def _explained(self, error: sqlite3.Error) -> LabelingError:
        text = str(error)
        if "locked" in text:
            return LabelingError(f"{self.folder}: another run is at work here; wait for its end, or stop it")
        if "full" in text:
            return LabelingError(f"{self._path}: the disk is full; make room and run again, it goes on where it was")
        return LabelingError(f"{self._path}: the journal cannot be used ({text}); --restart begins anew")

    def meta(self, key: str, default: str = "") -> str:
        """What is noted of the run as a whole."""
        row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return str(row[0]) if row else default

    def _set(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def note(self, key: str, value: str) -> None:
        """Note something of the run as a whole."""
        with self._write():
            self._set(key, value)

    def agree(self, key: str, value: dict[str, Any]) -> None:
        """Note how the run labels; raises :class:`LabelingError` if it was begun in another way."""
        before = self.meta(key)
        if not before:
            with self._db:
                self._set(key, json.dumps(value))
            return
        known = json.loads(before)
        if known != value:
            changed = ", ".join(name for name in known | value if known.get(name) != value.get(name))
            raise LabelingError(
                f"{self.folder}: the run was begun with other options ({changed}); give those again, use another "
                f"target, or begin anew with --restart"
            )

    def plan(
        self, items: Sequence[Item], *, retry_failed: bool, checksum: bool, overwrite: bool, once: bool = False
    ) -> Plan:
        """Say which of the listed files are still to be done, and note that they are begun.

        ``once``: a file may be named several times, and is done the first time.
        """
        plan = Plan([], [])
        with self._write():
            rows = self._rows([item.key for item in items])
            begun: dict[bytes, tuple[Any, ...]] = {}
            for item in items:
                row, own = rows.get(item.key), json.dumps(item.own)
                if once and (item.key in begun or (row is not None and row[6] == self.session)):
                    plan.repeated.append(item)
                    continue
                task = self._task(item, row, own, retry_failed, checksum, overwrite)
                if task is None:
                    plan.done += 1
                    plan.done_size += item.size
                    if once:
                        self._db.execute("UPDATE item SET session=? WHERE key=?", (self.session, item.key))
                    continue
                task.again = task.again or overwrite
                plan.tasks.append(task)
                begun[item.key] = (item.key, item.size, item.stamp, own, task.crashes, self.session)
            self._db.executemany(
                "INSERT INTO item (key, size, stamp, own, crashes, session, begun) VALUES (?, ?, ?, ?, ?, ?, 1) "
                "ON CONFLICT (key) DO UPDATE SET size=excluded.size, stamp=excluded.stamp, own=excluded.own, "
                "session=excluded.session, crashes=excluded.crashes, begun=1",
                begun.values(),
            )
        return plan

    def _task(
        self,
        item: Item,
        row: tuple[Any, ...] | None,
        own: str,
        retry_failed: bool,
        checksum: bool,
        overwrite: bool,
    ) -> Task | None:
        """The task that a listed file makes, if any; ``row`` is what the journal has of it."""
        if row is None:
            return Task(item)
        status, size, stamp, told, known, crashes, _, begun, ours = row
        task = Task(item, again=bool(ours))
        if begun:  # by a session that was killed
            task.crashes, task.doubt = crashes, True
            task.begun = replace(
                item, size=size, stamp=stamp, own=tuple((key, value) for key, value in json.loads(told))
            )
            return task
        failed = status not in GOOD
        if told != own or (failed and retry_failed) or (status == Status.REFUSED and overwrite):
            return task
        if checksum and not failed:  # a worker compares: this process would be at it for hours
            task.known = known or None
            return task
        return task if (size, stamp) != (item.size, item.stamp) else None

    def _rows(self, keys: list[bytes]) -> dict[bytes, tuple[Any, ...]]:
        placeholders = ",".join("?" * len(keys))
        columns = "key, status, size, stamp, own, checksum, crashes, session, begun, ours"
        found = self._db.execute(f"SELECT {columns} FROM item WHERE key IN ({placeholders})", keys)  # noqa: S608 - no values
        return {row[0]: row[1:] for row in found}

    def crashed(self, task: Task) -> None:
        """Note that a worker died of a file: the count outlives this process."""
        with self._write():
            self._db.execute("UPDATE item SET crashes=? WHERE key=?", (task.crashes, task.item.key))

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write the results of some files: all of them, or none."""
        try:
            at = self._results.seek(self._valid)
            write_all(self._results.fileno(), b"".join(each.line for each in outcomes if not each.unchanged))
            os.fsync(self._results.fileno())  # the journal must not know of lines that a power cut takes away
        except OSError as error:
            raise LabelingError(
                f"{self._results_path}: cannot be written ({error.strerror}); run again later"
            ) from error
        with self._write():
            superseded = False
            for each in outcomes:
                key = key_of(each.path)
                if each.unchanged:
                    self._db.execute("UPDATE item SET begun=0 WHERE key=?", (key,))
                    continue
                row = self._db.execute("SELECT at FROM item WHERE key=?", (key,)).fetchone()
                superseded = superseded or bool(row and row[0] is not None)
                self._db.execute(
                    "UPDATE item SET begun=0, status=?, size=?, stamp=?, checksum=?, at=?, length=?, "
                    "ours=max(ours, ?) WHERE key=?",
                    (
                        str(each.status),
                        each.size,
                        each.stamp,
                        each.checksum,
                        at,
                        len(each.line),
                        each.status == Status.LABELLED,
                        key,
                    ),
                )
                at += len(each.line)
            self._set("valid", str(at))
            if superseded:
                self._set("superseded", "1")
        self._valid = at

    def _write(self) -> _Transaction:
        return _Transaction(self)

    def lines(self) -> Iterator[bytes]:
        """The valid results, one line for each file. After :meth:`compact`."""
        with self._results_path.open("rb") as file:
            yield from file

    def compact(self) -> None:
        """Drop lines that a later try has replaced."""
        if not self.meta("superseded"):
            return
        self._db.execute("PRAGMA synchronous=FULL")  # the renaming must not outlive what it belongs to
        try:
            with self._results_path.open("rb") as old, self._fresh.open("wb") as new, self._write():
                at = 0
                self._db.execute("CREATE TEMP TABLE moved (key BLOB PRIMARY KEY, at INTEGER) WITHOUT ROWID")
                places = self._db.execute("SELECT key, at, length FROM item WHERE at IS NOT NULL ORDER BY at")
                for rows in iter(lambda: places.fetchmany(1000), []):
                    for key, start, length in rows:
                        old.seek(start)
                        new.write(old.read(length))
                        self._db.execute("INSERT INTO moved VALUES (?, ?)", (key, at))
                        at += length
                new.flush()
                os.fsync(new.fileno())
                self._db.execute(
                    "UPDATE item SET at=(SELECT at FROM moved WHERE moved.key=item.key) WHERE at IS NOT NULL"
                )
                self._db.execute("DROP TABLE moved")
                for key, value in (("valid", str(at)), ("superseded", ""), ("swap", "1")):
                    self._set(key, value)
            self._results.close()
            self._swap()
            self._results = self._opened()
        except OSError as error:
            raise LabelingError(f"{self._results_path}: cannot be written anew ({error.strerror})") from error
        self._valid = at

    def _opened(self) -> FileIO:
        """The results, unbuffered: what a full disk did not take must not be written by a later close."""
        return FileIO(os.open(self._results_path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b")

    @property
    def _fresh(self) -> Path:
        return self._results_path.with_suffix(".new")

    def _swap(self) -> None:
        """Give the rewritten results their name. From the commit on they are the valid ones, whenever a kill comes."""
        if self.meta("swap"):
            if self._fresh.exists():
                self._fresh.replace(self._results_path)
            with self._db:
                self._set("swap", "")

    def forget_folders(self) -> None:
        """Drop what is noted of folders that could not be listed: this session looks anew."""
        with self._write():
            gone = self._db.execute("DELETE FROM item WHERE key=x'2e' OR substr(key, -2)=x'2f2e'").rowcount
            if gone:
                self._set("superseded", "1")

    def begun(self) -> Iterator[str]:
        """Files that a killed writer may have been at: not back when an earlier session ended, or when a worker did."""
        for (key,) in self._db.execute("SELECT key FROM item WHERE begun OR crashes"):
            yield key.decode("utf-8", "surrogateescape")

    def copy(self, target: Path) -> None:
        """A copy of the journal as it is now, for keeping elsewhere."""
        with sqlite3.connect(target) as other:
            self._db.backup(other)
        other.close()

    def close(self) -> None:
        """Close both files; what was not committed is not kept."""
        self._results.close()
        self._db.close()


class _Transaction:
    """A transaction of the journal whose errors are explained."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __enter__(self) -> None:
        self._journal._db.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            self._journal._db.__exit__(kind, error, trace)
        except sqlite3.Error as failed:
            raise self._journal._explained(failed) from failed
        if isinstance(error, sqlite3.Error):
            raise self._journal._explained(error) from error
