"""What the files of a sample cost: a worker processes them, one after the other, for an estimate."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeling.batch.sampling import Kind
from labeling.batch.task import SUCCESSFUL, Item, Outcome, Status, Task
from labeling.batch.workers import WorkerLost, WorkerPool

SAMPLE_SECONDS = 120.0
"""After so long no further file of the sample is begun."""

WARMED_UP = 5.0
"""Seconds beyond which it does not matter that a worker loads its libraries with the first file of a kind."""


@dataclass
class Measured:
    """What was learned about one kind of file from those in the sample.

    Attributes:
        files: How many were processed.
        seconds: How long they took.
        size: Their bytes.
        out: Bytes of what was made of them.
        lines: Bytes of their results.
        statuses: What became of them.
        media_types: What they are, by their content.
        reasons: Why some were not processed, with how many.
    """

    files: int = 0
    seconds: float = 0.0
    size: int = 0
    out: int = 0
    lines: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    media_types: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> int:
        """How many went well."""
        return sum(self.statuses[status] for status in SUCCESSFUL)

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            self.files + other.files, self.seconds + other.seconds, self.size + other.size, self.out + other.out,
            self.lines + other.lines, self.statuses + other.statuses, self.media_types + other.media_types,
            self.reasons + other.reasons,
        )  # fmt: skip


def measure(
    chosen: Sequence[tuple[Kind, Item]], pool: WorkerPool[Any], output_name: Callable[[str], str], outputs: Path
) -> dict[str, Measured]:
    """Process files one after the other, and return what was learned about each kind.

    Args:
        chosen: The files of the sample, with their kinds.
        pool: One worker. It is closed.
        output_name: Returns the path of a source's output.
        outputs: The folder that the worker writes to. It is empty afterwards.
    """
    found: dict[str, Measured] = {}
    completed, end = False, time.monotonic() + SAMPLE_SECONDS
    try:
        for kind, item in chosen:
            if time.monotonic() > end:
                break
            first, task = kind.name not in found, Task(item, output=output_name(item.path), may_replace=True)
            outcome = _processed(pool, task)
            if first and outcome is not None and _seconds(outcome) < WARMED_UP:
                _clear(outputs)
                outcome = _processed(pool, task)  # once more, with all libraries loaded
            _note(found.setdefault(kind.name, Measured()), item, outcome, _clear(outputs))
        completed = True
    finally:
        pool.close(kill=not completed)
    return found


def _processed(pool: WorkerPool[Any], task: Task) -> Outcome | None:
    """Process a file; ``None`` if the worker died of it."""
    while not pool.submit(task, exclusive=True):
        pool.collect(0.1)
    while True:
        for event in pool.collect(0.2):
            if isinstance(event, Outcome):
                return event
            if isinstance(event, WorkerLost) and event.task is not None:
                return None


def _seconds(outcome: Outcome) -> float:
    return float(json.loads(outcome.line).get("seconds") or 0.0) if outcome.line else 0.0


def _clear(folder: Path) -> int:
    """Remove what is in a folder; return how many bytes that was."""
    size = 0
    for place, folders, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(place, name)
            size += path.lstat().st_size
            path.unlink()
        for name in folders:
            Path(place, name).rmdir()
    return size


def _note(measured: Measured, item: Item, outcome: Outcome | None, out: int) -> None:
    measured.files += 1
    measured.size += item.size
    if outcome is None:
        measured.statuses[Status.POISON] += 1
        measured.reasons["a worker died of it"] += 1
        return
    line: dict[str, Any] = json.loads(outcome.line)
    measured.seconds += _seconds(outcome)
    measured.lines += len(outcome.line)
    measured.out += out
    measured.statuses[str(outcome.status)] += 1
    if media_type := line.get("media_type"):
        measured.media_types[str(media_type)] += 1
    if outcome.status not in SUCCESSFUL:
        measured.reasons[str((line.get("error") or {}).get("message", ""))[:200]] += 1
