"""The journal of a run: which files are done. A SQLite file beside the results; docs/scale.md documents its format.

The results are lines of one JSONL file; the journal keeps where each file's line is. Lines are written first, and
become valid when the journal is committed: lines that a kill leaves behind without a commit are cut off when the run
is continued. So there is exactly one result for each file, and memory does not grow with their number.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labeling.batch import rename_index, run_identity, vanished
from labeling.batch.conversion import OutputNames, same_output
from labeling.batch.given_ids import claim_given_ids
from labeling.batch.journal_rows import FINISHED, finish_row, rebuild
from labeling.batch.journal_schema import migrate, prepare
from labeling.batch.plan import (
    Plan,
    PlanOptions,
    Row,
    outputs_to_remake,
    task_for,
    task_to_remake,
    with_what_was_said,
)
from labeling.batch.results_log import ResultsLog
from labeling.batch.state_files import JOURNAL, RUN
from labeling.batch.task import SUCCESSFUL, Item, Outcome, Overrides, Task, path_bytes, path_text
from labeling.errors import LabelingError
from labeling.inert import to_json


class Journal:
    """The journal and the results in a run's folder. One run at a time can have them open.

    Args:
        folder: The run's folder.

    Raises:
        LabelingError: They cannot be read or written, or another run has them open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.renamed = 0
        self._has_rename_index = False
        self._path = folder / JOURNAL
        self.generation, self.redo_session, self.root = 1, 0, 0
        with ExitStack() as on_failure:  # closes what was opened until then
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._db = on_failure.enter_context(closing(sqlite3.connect(self._path, timeout=0.5)))
                is_new = prepare(self._db, self._path)
                self._results = on_failure.enter_context(closing(ResultsLog(folder)))
                self._adopt_compacted_results()
                if is_new:
                    with self._db:
                        rebuild(self._db, self._results.path, run_identity.read(folder / RUN))
                self._results.cut(int(self.meta("valid", "0")))
                migrate(self._db, self._results.path)
                self.session = int(self.meta("session", "0")) + 1
                self.set_meta("session", str(self.session))
            except sqlite3.Error as error:
                raise self._explained(error) from error
            except OSError as error:
                raise LabelingError(f"the journal cannot be kept there ({error.strerror})", path=folder) from error
            on_failure.pop_all()

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

    def generations(self) -> dict[int, dict[str, Any]]:
        """Return the options of each generation."""
        return {number: json.loads(text) for number, text in self._db.execute("SELECT number, options FROM generation")}

    def count_by_generation(self) -> dict[int, int]:
        """Return how many files each generation has processed that no later one has."""
        places = ",".join("?" * len(FINISHED))
        query = f"SELECT generation, count(*) FROM item WHERE status IN ({places}) AND NOT vanished GROUP BY generation"  # noqa: S608
        return dict(self._db.execute(query, [str(status) for status in FINISHED]).fetchall())

    def begin(self, fixed: dict[str, Any], generation: int, options: dict[str, Any], root: str, *, again: bool) -> None:
        """Note what the run is, under which options it goes on, and where its source is.

        Args:
            fixed: What must not change.
            generation: The number of the options.
            options: The options themselves.
            root: Where the source is.
            again: All files are processed again.
        """
        with self._transaction():
            self._set("fixed", json.dumps(fixed))
            self._set("generation", str(generation))
            self._db.execute("INSERT OR IGNORE INTO generation VALUES (?, ?)", (generation, json.dumps(options)))
            self._db.execute("INSERT OR IGNORE INTO root (name) VALUES (?)", (root,))
            if again:
                self._set("redo session", str(self.session))
                self._set("redone generation", str(generation))
            if not self.meta("run"):
                self._set("run", secrets.token_hex(8))
            self.root = self._db.execute("SELECT number FROM root WHERE name=?", (root,)).fetchone()[0]
        self.generation, self.redo_session = generation, int(self.meta("redo session", "0"))
        self.write_identity()

    def write_identity(self) -> None:
        """Write what is known of the run as a whole beside the results."""
        run_identity.write(self._db, self.folder / RUN)

    def take_over(self, fixed: dict[str, Any], options: dict[str, Any], root: str) -> None:
        """Note what version 1 of the journal kept of the run."""
        with self._transaction():
            self._set("fixed", json.dumps(fixed))
            self._set("generation", "1")
            self._db.execute("INSERT OR IGNORE INTO generation VALUES (1, ?)", (json.dumps(options),))
            self._db.execute("INSERT OR IGNORE INTO root (name) VALUES (?)", (root,))
            self._db.execute("UPDATE item SET root=(SELECT number FROM root WHERE name=?) WHERE root=0", (root,))

    # --- files --------------------------------------------------------------------------------------------------------

    def plan(self, items: Sequence[Item], options: PlanOptions) -> Plan:
        """Decide which of the listed files are to be processed, and note that they are begun."""
        plan = Plan()
        with self._transaction():
            rows = self._rows([item.key for item in items])
            plan.known = sum(not row.vanished for row in rows.values())
            begun: dict[bytes, tuple[Any, ...]] = {}
            remake = outputs_to_remake(items, rows, options.output_check) if options.output_check is not None else {}
            for item in items:
                row = rows.get(item.key)
                if options.keep_said:
                    item = with_what_was_said(item, row)
                overrides = json.dumps(item.overrides)
                met_before = item.key in begun or (row is not None and row.session == self.session)
                if options.named_once and met_before:
                    plan.repeated.append(item)
                    continue
                again = row is not None and row.session < self.redo_session
                task = task_for(item, row, overrides, options, again=again)
                if row is not None and item.problem is None and (why := remake.get(item.key)) is not None:
                    task = task_to_remake(item, row, why, task)
                moved = row is not None and row.root not in (0, self.root)
                if row is not None and row.vanished:
                    self._db.execute("UPDATE item SET vanished=0 WHERE key=?", (item.key,))
                if task is None:
                    plan.done += 1
                    plan.done_size += item.size
                    if options.named_once:
                        self._db.execute("UPDATE item SET session=? WHERE key=?", (self.session, item.key))
                    if moved and row is not None and row.status in FINISHED:
                        self._db.execute("UPDATE item SET root=? WHERE key=?", (self.root, item.key))
                    continue
                if moved and row is not None:
                    task.moved_from = self._root_name(row.root)
                task.may_replace = task.may_replace or options.overwrite
                task.overwrite = options.overwrite
                plan.tasks.append(task)
                begun[item.key] = (
                    item.key, item.size, item.stamp, overrides, task.crashes, self.session, self.generation,
                    task.redo,
                )  # fmt: skip
            self._db.executemany(
                "INSERT INTO item (key, size, stamp, own, crashes, session, begun, redo) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET size=excluded.size, stamp=excluded.stamp, own=excluded.own, "
                "session=excluded.session, crashes=excluded.crashes, begun=excluded.begun, redo=excluded.redo",
                begun.values(),
            )
            claim_given_ids(self._db, plan.tasks, self.session)
            if options.outputs is not None:
                self._claim_outputs(plan.tasks, options.outputs)
            if options.renamed is not None:
                new = [task for task in plan.tasks if task.item.problem is None and not task.known.output_sha256]
                if new and not self._has_rename_index:
                    rename_index.prepare(self._db, options.renamed)
                    self._has_rename_index = True
                rename_index.give_twins(self._db, new, options.renamed, self.session)
        return plan

    def earlier_names(
        self, digest: str, overrides: Overrides, content: rename_index.Content
    ) -> Iterator[rename_index.EarlierName]:
        """Yield the names under which the journal knows a content, of which a file list says the same."""
        return rename_index.earlier_names(self._db, digest, json.dumps(overrides), content)

    def result_at(self, at: int, length: int) -> dict[str, Any]:
        """Return a result."""
        return self._results.result_at(at, length)

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
            if owner != task.item.key and outputs.is_gone(path_text(owner)):
                rename_index.hand_over(self._db, key, owner, task.item.key)
                owner, task.may_replace = task.item.key, True
            if owner != task.item.key:
                task.item = replace(task.item, problem=same_output(name, path_text(owner)))
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

    def _root_name(self, number: int) -> str:
        return str(self._db.execute("SELECT name FROM root WHERE number=?", (number,)).fetchone()[0])

    def note_crash(self, task: Task) -> None:
        """Note how many workers crashed on a file: the number outlives this process."""
        with self._transaction():
            self._db.execute("UPDATE item SET crashes=? WHERE key=?", (task.crashes, task.item.key))

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write the results of some files: all of them, or none.

        Raises:
            LabelingError: They cannot be written.
        """
        at = self._results.append([each.line for each in outcomes if not each.unchanged])
        with self._transaction():
            superseded = False
            for each in outcomes:
                key = path_bytes(each.path)
                row = self._db.execute("SELECT at FROM item WHERE key=?", (key,)).fetchone()
                superseded = superseded or bool(row and row[0] is not None and not each.unchanged)
                finish_row(self._db, key, each, at, self.generation, self.root)
                at += len(each.line)
                if each.moved_from:
                    self.renamed += rename_index.forget(self._db, path_bytes(each.moved_from))
                    superseded = True
            self._set("valid", str(at))
            if superseded:
                self._set("superseded", "1")
        self._results.valid = at

    def forget_folders(self) -> None:
        """Drop the results of folders that could not be listed: this session lists them again."""
        with self._transaction():
            removed = self._db.execute("DELETE FROM item WHERE key=x'2e' OR substr(key, -2)=x'2f2e'").rowcount
            if removed:
                self._set("superseded", "1")

    @property
    def has_files(self) -> bool:
        """Whether the journal knows any file."""
        return self._db.execute("SELECT 1 FROM item LIMIT 1").fetchone() is not None

    def count(self, wanted: vanished.Wanted | None = None) -> int:
        """Return how many files the journal knows, apart from those that are no longer in the source."""
        return vanished.count(self._db, wanted)

    def mark_vanished(self, listed: Iterable[bytes], wanted: vanished.Wanted | None = None) -> None:
        """Note which files are no longer in the source, of which these are all. Raises what listing them raises."""
        with self._transaction():
            vanished.mark(self._db, listed, self.session, wanted)

    def count_vanished(self) -> int:
        """Return how many files are no longer in the source."""
        return int(self._db.execute("SELECT count(*) FROM item WHERE vanished").fetchone()[0])

    def orphans(self) -> Iterator[list[vanished.Orphan]]:
        """Yield the outputs of this run whose sources are gone, some at a time."""
        return vanished.orphans(self._db, self.root)

    def note_pruned(self, keys: Sequence[bytes]) -> None:
        """Note that the outputs of some files are removed now, in their results as well. Raises LabelingError."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines = []
        for key in keys:
            place = self._db.execute("SELECT at, length FROM item WHERE key=?", (key,)).fetchone()
            text = to_json(self.result_at(*place) | {"pruned": time}, separators=(",", ":"))
            lines.append(text.encode("utf-8", "backslashreplace") + b"\n")
        at = self._results.append(lines)
        with self._transaction():
            for key, line in zip(keys, lines, strict=True):
                vanished.prune(self._db, key, at, len(line))
                at += len(line)
            self._set("valid", str(at))
            self._set("superseded", "1")
        self._results.valid = at

    def count_made_in(self, sessions: Sequence[int]) -> int:
        """Return how many files have an output and were processed last in one of these sessions."""
        numbers = ",".join(map(str, sessions))
        query = f"SELECT count(*) FROM item WHERE status IN ('labelled', 'converted') AND session IN ({numbers})"  # noqa: S608
        return int(self._db.execute(query).fetchone()[0])

    def unfinished(self) -> Iterator[str]:
        """Yield the files that a killed worker may have been writing.

        Those are the files without a result at the end of an earlier session, and those on which a worker crashed.
        """
        for (key,) in self._db.execute("SELECT key FROM item WHERE begun OR crashes"):
            yield path_text(key)

    # --- results ------------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[bytes]:
        """Yield the valid results, one line for each file that is in the source. Call :meth:`compact` first."""
        with self._results.path.open("rb") as file:
            yield from vanished.without(self._db, file)

    def failures(self) -> Iterator[tuple[list[tuple[str, str]], bytes]]:
        """Yield what the file list said about each file of the source that went wrong, and its result, compacted."""
        good = ",".join(f"'{status}'" for status in SUCCESSFUL)
        rows = self._db.execute(
            "SELECT own, at, length FROM item WHERE at IS NOT NULL AND NOT vanished AND (status IS NULL OR "  # noqa: S608
            f"status NOT IN ({good})) ORDER BY at"
        )
        with self._results.path.open("rb") as file:
            for own, at, length in rows:
                file.seek(at)
                yield json.loads(own), file.read(length)

    def compact(self) -> None:
        """Move the lines that a later attempt has replaced to the history. Raises :class:`LabelingError`."""
        if not self.meta("superseded"):
            return
        self._db.execute("PRAGMA synchronous=FULL")  # the commit must be on disk before the renaming is
        try:
            with self._transaction():
                notes = self._results.rewrite(self._db, self.meta("history"))
                for key, value in (notes | {"superseded": "", "swap": "1", "part at": "0"}).items():
                    self._set(key, value)
            self._adopt_compacted_results()
        except OSError as error:
            raise LabelingError(f"cannot be rewritten ({error.strerror})", path=self._results.path) from error
        self._results.valid = int(notes["valid"])

    @property
    def valid(self) -> int:
        """How many bytes of the results count."""
        return self._results.valid

    def _adopt_compacted_results(self) -> None:
        """Give the rewritten results their name. They are the valid ones from the commit on, whenever a kill comes."""
        if self.meta("swap"):
            self._results.adopt_rewritten()
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
