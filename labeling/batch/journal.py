"""The journal of a run: which files are done. A SQLite file beside the results; docs/scale.md documents its format.

The results are lines of one JSONL file; the journal keeps where each file's line is. Lines are written first, and
become valid when the journal is committed: lines that a kill leaves behind without a commit are cut off when the run
is continued. So there is exactly one result for each file, and memory does not grow with their number.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

from labeling.batch.conversion import OutputNames, same_output
from labeling.batch.journal_schema import digest_bytes, migrate, output_bytes, prepare
from labeling.batch.plan import Plan, PlanOptions, Row, task_for
from labeling.batch.task import Item, Outcome, Status, Task, path_bytes
from labeling.errors import LabelingError
from labeling.filebytes import write_all
from labeling.temporary import PLAIN

FINISHED = (Status.LABELLED, Status.CONVERTED, Status.VERIFIED)
"""What became of a file of which the journal keeps what was made of which content."""

JOURNAL, RESULTS = "journal.sqlite", "results.jsonl"
FILES = (RESULTS, JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm", f"{JOURNAL}-journal")


def in_use(folder: Path) -> bool:
    """Return whether a run has the journal of a folder open now."""
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
    """The journal and the results in a run's folder. One run at a time can have them open.

    Args:
        folder: The run's folder.

    Raises:
        LabelingError: They cannot be read or written, or another run has them open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / JOURNAL
        self._results_path = folder / RESULTS
        self.generation = 1
        with ExitStack() as on_failure:  # closes what was opened until then
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._db = on_failure.enter_context(closing(sqlite3.connect(self._path, timeout=0.5)))
                prepare(self._db, self._path)
                self._adopt_compacted_results()
                self._results = on_failure.enter_context(self._open_results())
                self._cut_results()
                migrate(self._db, self._results_path)
                self.session = int(self.meta("session", "0")) + 1
                self.set_meta("session", str(self.session))
            except sqlite3.Error as error:
                raise self._explained(error) from error
            except OSError as error:
                raise LabelingError(f"the journal cannot be kept there ({error.strerror})", path=folder) from error
            on_failure.pop_all()

    def _cut_results(self) -> None:
        """Cut off what was written and not committed."""
        self._valid = int(self.meta("valid", "0"))
        if self._results.seek(0, os.SEEK_END) < self._valid:
            raise LabelingError(
                "is shorter than the journal says", path=self._results_path, hint="start over with `restart=True`"
            )
        self._results.truncate(self._valid)

    def _open_results(self) -> FileIO:
        """Open the results unbuffered: what a full disk did not take must not be written by a later close."""
        return FileIO(os.open(self._results_path, os.O_RDWR | os.O_CREAT | PLAIN, 0o666), "r+b")

    def _explained(self, error: sqlite3.Error) -> LabelingError:
        text = str(error)
        if "locked" in text:
            return LabelingError("another run is at work here", path=self.folder, hint="wait for its end, or stop it")
        if "full" in text:
            return LabelingError(
                "the disk is full", path=self._path, hint="make room and run again; the run continues where it was"
            )
        return LabelingError(f"the journal cannot be used ({text})", path=self._path, hint="`restart=True` starts over")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run the block in a transaction, and explain SQLite's errors."""
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise self._explained(error) from error

    # --- the run as a whole -------------------------------------------------------------------------------------------

    def meta(self, key: str, default: str = "") -> str:
        """Return a note about the run as a whole."""
        row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return str(row[0]) if row else default

    def _set(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def set_meta(self, key: str, value: str) -> None:
        """Note something about the run as a whole."""
        with self._transaction():
            self._set(key, value)

    def require_same(self, key: str, value: dict[str, Any]) -> None:
        """Note the options of the run, or compare them with those that it was begun with.

        Raises:
            LabelingError: The run was begun with other options.
        """
        before = self.meta(key)
        if not before:
            with self._db:
                self._set(key, json.dumps(value))
            return
        known = json.loads(before)
        if known != value:
            changed = ", ".join(name for name in known | value if known.get(name) != value.get(name))
            raise LabelingError(
                f"the run was begun with other options ({changed})", path=self.folder,
                hint="give those again, use another target, or start over with `restart=True`",
            )  # fmt: skip

    # --- files --------------------------------------------------------------------------------------------------------

    def plan(self, items: Sequence[Item], options: PlanOptions) -> Plan:
        """Decide which of the listed files are to be processed, and note that they are begun."""
        plan = Plan()
        with self._transaction():
            rows = self._rows([item.key for item in items])
            plan.known = len(rows)
            begun: dict[bytes, tuple[Any, ...]] = {}
            for item in items:
                row, overrides = rows.get(item.key), json.dumps(item.overrides)
                met_before = item.key in begun or (row is not None and row.session == self.session)
                if options.named_once and met_before:
                    plan.repeated.append(item)
                    continue
                task = task_for(item, row, overrides, options)
                if task is None:
                    plan.done += 1
                    plan.done_size += item.size
                    if options.named_once:
                        self._db.execute("UPDATE item SET session=? WHERE key=?", (self.session, item.key))
                    continue
                task.may_replace = task.may_replace or options.overwrite
                plan.tasks.append(task)
                begun[item.key] = (
                    item.key, item.size, item.stamp, overrides, task.crashes, self.session, options.generation,
                    task.redo,
                )  # fmt: skip
            self._db.executemany(
                "INSERT INTO item (key, size, stamp, own, crashes, session, begun, redo) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET size=excluded.size, stamp=excluded.stamp, own=excluded.own, "
                "session=excluded.session, crashes=excluded.crashes, begun=excluded.begun, redo=excluded.redo",
                begun.values(),
            )
            if options.outputs is not None:
                self._claim_outputs(plan.tasks, options.outputs)
        return plan

    def _claim_outputs(self, tasks: Sequence[Task], outputs: OutputNames) -> None:
        """Give each file its output's name. One whose name belongs to a file that was listed before gets a problem."""
        new: list[Task] = []
        for task in tasks:
            if task.item.problem is not None:
                continue
            name = outputs.name_of(task.item.path)
            key = path_bytes(name)
            self._db.execute("INSERT OR IGNORE INTO output VALUES (?, ?, 0)", (key, task.item.key))
            owner, free = self._db.execute("SELECT owner, free FROM output WHERE name=?", (key,)).fetchone()
            if owner != task.item.key:
                task.item = replace(task.item, problem=same_output(name, owner.decode("utf-8", "surrogateescape")))
                continue
            task.output, task.output_was_free = name, bool(free)
            if task.begun_as is None:
                new.append(task)
        taken = outputs.taken([task.output for task in new])
        for task in new:
            task.output_was_free = task.output not in taken
        free_or_not = [(task.output_was_free, path_bytes(task.output)) for task in new]
        self._db.executemany("UPDATE output SET free=? WHERE name=?", free_or_not)

    def _rows(self, keys: list[bytes]) -> dict[bytes, Row]:
        placeholders = ",".join("?" * len(keys))
        query = f"SELECT key, {', '.join(Row._fields)} FROM item WHERE key IN ({placeholders})"  # noqa: S608 - no values
        return {row[0]: Row(*row[1:]) for row in self._db.execute(query, keys)}

    def note_crash(self, task: Task) -> None:
        """Note how many workers crashed on a file: the number outlives this process."""
        with self._transaction():
            self._db.execute("UPDATE item SET crashes=? WHERE key=?", (task.crashes, task.item.key))

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write the results of some files: all of them, or none.

        Raises:
            LabelingError: They cannot be written.
        """
        try:
            at = self._results.seek(self._valid)
            write_all(self._results.fileno(), b"".join(each.line for each in outcomes if not each.unchanged))
            os.fsync(self._results.fileno())  # the journal must not know of lines that a power cut removes
        except OSError as error:
            raise LabelingError(
                f"cannot be written ({error.strerror})", path=self._results_path, hint="run again later"
            ) from error
        with self._transaction():
            superseded = False
            for each in outcomes:
                key = path_bytes(each.path)
                row = self._db.execute("SELECT at FROM item WHERE key=?", (key,)).fetchone()
                superseded = superseded or bool(row and row[0] is not None and not each.unchanged)
                self._finish_one(key, each, at)
                at += len(each.line)
            self._set("valid", str(at))
            if superseded:
                self._set("superseded", "1")
        self._valid = at

    def _finish_one(self, key: bytes, outcome: Outcome, at: int) -> None:
        source = digest_bytes(outcome.source_sha256)
        read = (outcome.size, outcome.stamp)
        if outcome.unchanged:
            self._db.execute(
                "UPDATE item SET begun=0, redo=0, size=?, stamp=?, source_sha256=coalesce(source_sha256, ?) "
                "WHERE key=?",
                (*read, source, key),
            )
            return
        line = (str(outcome.status), *read, at, len(outcome.line))
        if outcome.status not in FINISHED:  # what is known of an earlier output stays known
            self._db.execute(
                "UPDATE item SET begun=0, redo=0, status=?, size=?, stamp=?, at=?, length=?, "
                "source_sha256=iif(output_sha256 IS NULL, coalesce(?, source_sha256), source_sha256) WHERE key=?",
                (*line, source, key),
            )
            return
        generation = self.generation if outcome.generation is None else outcome.generation
        output = (output_bytes(outcome.output or None, key), outcome.output_size or None)
        label = (digest_bytes(outcome.output_sha256), outcome.content_id or None, generation)
        self._db.execute(
            "UPDATE item SET begun=0, redo=0, status=?, size=?, stamp=?, at=?, length=?, source_sha256=?, output=?, "
            "output_size=?, output_sha256=?, content_id=?, generation=?, ours=max(ours, ?) WHERE key=?",
            (*line, source, *output, *label, outcome.status != Status.VERIFIED, key),
        )

    def forget_folders(self) -> None:
        """Drop the results of folders that could not be listed: this session lists them again."""
        with self._transaction():
            removed = self._db.execute("DELETE FROM item WHERE key=x'2e' OR substr(key, -2)=x'2f2e'").rowcount
            if removed:
                self._set("superseded", "1")

    def count(self) -> int:
        """Return how many files the journal knows."""
        return int(self._db.execute("SELECT count(*) FROM item").fetchone()[0])

    def unfinished(self) -> Iterator[str]:
        """Yield the files that a killed worker may have been writing.

        Those are the files without a result at the end of an earlier session, and those on which a worker crashed.
        """
        for (key,) in self._db.execute("SELECT key FROM item WHERE begun OR crashes"):
            yield key.decode("utf-8", "surrogateescape")

    # --- results ------------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[bytes]:
        """Yield the valid results, one line for each file. Call :meth:`compact` first."""
        with self._results_path.open("rb") as file:
            yield from file

    def compact(self) -> None:
        """Drop the lines that a later attempt has replaced. Raises :class:`LabelingError`."""
        if not self.meta("superseded"):
            return
        self._db.execute("PRAGMA synchronous=FULL")  # the commit must be on disk before the renaming is
        try:
            self._compacted_path.unlink(missing_ok=True)
            with self._results_path.open("rb") as old, self._compacted_path.open("xb") as new, self._transaction():
                at = 0
                self._db.execute("CREATE TEMP TABLE moved (key BLOB PRIMARY KEY, at INTEGER) WITHOUT ROWID")
                lines = self._db.execute("SELECT key, at, length FROM item WHERE at IS NOT NULL ORDER BY at")
                for rows in iter(lambda: lines.fetchmany(1000), []):
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
            self._adopt_compacted_results()
            self._results = self._open_results()
        except OSError as error:
            raise LabelingError(f"cannot be rewritten ({error.strerror})", path=self._results_path) from error
        self._valid = at

    @property
    def _compacted_path(self) -> Path:
        return self._results_path.with_suffix(".new")

    def _adopt_compacted_results(self) -> None:
        """Give the rewritten results their name. They are the valid ones from the commit on, whenever a kill comes."""
        if self.meta("swap"):
            if self._compacted_path.exists():
                self._compacted_path.replace(self._results_path)
            with self._db:
                self._set("swap", "")

    def copy(self, target: Path) -> None:
        """Copy the journal as it is now to another file."""
        with sqlite3.connect(target) as other:
            self._db.backup(other)
        other.close()

    def close(self) -> None:
        """Close both files. What was not committed is not kept."""
        self._results.close()
        self._db.close()
