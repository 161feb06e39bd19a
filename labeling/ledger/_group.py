"""Group commit within a process: what several threads append while one transaction is written goes into the next."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.ledger.chain import Row

MAX_ROWS = 512
"""Rows of several threads that one transaction takes; a thread that brings more has one of its own."""

Values = dict[str, Any]


@dataclass(slots=True, eq=False)
class _Job:
    new: Sequence[Values]
    rows: list[Row] | None = None
    error: Exception | None = None

    @property
    def finished(self) -> bool:
        return self.rows is not None or self.error is not None


class GroupedWriter:
    """Appends for any number of threads, each of which gets its own rows or its own error.

    Args:
        write: Appends in one transaction, which is kept as a whole or not at all.
    """

    def __init__(self, write: Callable[[Sequence[Values]], list[Row]]) -> None:
        self._write = write
        self._waiting: deque[_Job] = deque()
        self._turn = threading.Lock()

    def append(self, new: Sequence[Values]) -> list[Row]:
        """Append, and return the rows when they are on disk."""
        job = _Job(new)
        self._waiting.append(job)
        while not job.finished:
            with self._turn:
                if not job.finished:  # the thread before us may have taken it along
                    self._write_some()
        if job.error is not None:
            raise job.error
        return job.rows or []

    def _write_some(self) -> None:
        jobs = [self._waiting.popleft()]
        count = len(jobs[0].new)
        while self._waiting and count + len(self._waiting[0].new) <= MAX_ROWS:
            jobs.append(self._waiting.popleft())
            count += len(jobs[-1].new)
        try:
            try:
                self._write_together(jobs)
            except Exception:
                if len(jobs) == 1:
                    raise
                for job in jobs:  # an entry that the database does not take must not cost the others theirs
                    self._write_alone(job)
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that it belongs to
            jobs[0].error = error
        finally:  # nobody's is lost if this thread alone is told to end
            self._waiting.extendleft(job for job in reversed(jobs) if not job.finished)

    def _write_together(self, jobs: Sequence[_Job]) -> None:
        rows = self._write([values for job in jobs for values in job.new])
        start = 0
        for job in jobs:
            job.rows = rows[start : start + len(job.new)]
            start += len(job.new)

    def _write_alone(self, job: _Job) -> None:
        try:
            job.rows = self._write(job.new)
        except Exception as error:  # noqa: BLE001 - as above
            job.error = error
