"""Outputs that are there and that this run's journal does not know: the ledger may know them, if the journal was lost.

A worker that finds such an output asks, with its SHA-256, before it refuses the file. The output is adopted with its
content id if the ledger has recorded it for the content that the source has now: with the source's SHA-256, under any
name, since a run moves outputs whose sources get other names; or under the same names.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from labeling.batch.task import Known, Outcome, Problem, Status, Task, problem_outcome, version_digest

if TYPE_CHECKING:
    from labeling.ledger import Ledger, Record

SOURCE_SHA256 = "source_sha256"
"""Key of the details of a record: the SHA-256 of the source."""

MOST_AT_ONCE, LONGEST_WAIT = 64, 0.25
"""The ledger is asked about so many outputs at a time, or after so many seconds."""


class Questions:
    """What the workers ask about outputs.

    Args:
        ledger: Where labels are recorded.
        in_place: Files are labelled in place.
    """

    def __init__(self, ledger: Ledger, *, in_place: bool) -> None:
        self._ledger, self._in_place = ledger, in_place
        self._open: list[Outcome] = []
        self._last = time.monotonic()

    def ask(self, outcome: Outcome) -> None:
        """Add a question; the outcome is what becomes of its file if the ledger does not know the output."""
        self._open.append(outcome)

    def answers(self, *, now: bool) -> Iterator[Task | Outcome]:
        """Yield what is known, if it is time to ask: a task that is to be tried again, or what became of its file.

        Args:
            now: There is no reason to wait for more questions.
        """
        due = now or len(self._open) >= MOST_AT_ONCE or time.monotonic() - self._last > LONGEST_WAIT
        if not self._open or not due:
            return
        asked, self._open = self._open, []
        self._last = time.monotonic()
        digests = [outcome.ask.sha256 for outcome in asked if outcome.ask is not None]
        from labeling.ledger.entry import storable

        records = self._ledger.by_sha256(digests)
        for outcome in asked:
            assert outcome.ask is not None
            task, record = outcome.ask.task, records.get(outcome.ask.sha256)
            task.asked = True
            names = (storable(task.item.path), storable(task.output_path))
            moved = record is not None and not task.interrupted and _is_of(record, outcome.source_sha256)
            same = record is not None and (self._in_place or (record.source, record.output) == names or moved)
            if record is None or not same:
                yield task  # a worker looks whether it is what labelling the source gives
            elif self._fits(record, task, outcome):
                yield self._adopting(task, record)
            else:
                yield task if task.interrupted else _other_source(outcome, task)

    def _fits(self, record: Record, task: Task, outcome: Outcome) -> bool:
        """Return whether an output was made of what the source is now, and says what its list says of it."""
        item = task.item
        if (record.key or "").endswith(f"@{version_digest(item, in_place=self._in_place)}") and not self._in_place:
            return True
        numbers = {value for key, value in item.overrides if key == "content_id"}
        if len(numbers) < len(item.overrides) or not numbers <= {record.content_id}:
            return False
        return self._in_place or _is_of(record, outcome.source_sha256)

    def _adopting(self, task: Task, record: Record) -> Task:
        source = (record.details or {}).get(SOURCE_SHA256, "")
        task.recorded = Known(source, record.sha256, record.content_id)
        if self._in_place:
            task.known = task.recorded
        return task


def _is_of(record: Record, digest: str) -> bool:
    """Return whether an output was made of the content with a SHA-256."""
    return bool(digest) and (record.details or {}).get(SOURCE_SHA256) == digest


def _other_source(outcome: Outcome, task: Task) -> Outcome:
    message = (
        "is there already: the ledger has it as made from another content of this file, or by another entry of the "
        "list; `overwrite=True` replaces it"
    )
    problem = Problem(Status.REFUSED, "Taken", message)
    item = replace(task.item, size=outcome.size, stamp=outcome.stamp)
    return problem_outcome(item, problem, attempts=task.crashes + 1, source_sha256=outcome.source_sha256)
