"""One session of a run: takes files from the listing, gives them to a crew, and writes down what became of them.

Everything is bounded: files listed ahead, files with the crew, results not yet written. The order of writing is ledger,
results, journal; whatever a kill leaves undone of it is found and mended by the session that follows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from labeling.batch.journal import Journal
from labeling.batch.listing import Ahead, Counted
from labeling.batch.task import Item, Outcome, Problem, Status, StoreDown, Task, outcome_of, record_key
from labeling.batch.workers import Crew, Lost
from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.ledger import Ledger

WINDOW = 256
"""Files that wait for the crew."""

FLUSH, LATEST = 64, 0.25
"""Results are written when there are so many, or after so many seconds."""

DOWN = 30
"""After so many files in a row that their store failed, the run ends: the others would fare no better."""

CRASHES = 2
"""A file that so many workers died of is set aside."""


@dataclass(slots=True)
class Progress:
    """How far a run is. ``total`` and ``total_size`` are ``None`` until the source is counted.

    ``done`` are files with a result, ``before`` those of them that an earlier session did.
    """

    done: int = 0
    size: int = 0
    before: int = 0
    before_size: int = 0
    errors: int = 0
    total: int | None = None
    total_size: int | None = None
    seconds: float = 0.0
    stopping: bool = False


@dataclass(slots=True)
class Choices:
    """What of the journal's files is done again."""

    retry_failed: bool = False
    checksum: bool = False
    overwrite: bool = False
    listed: bool = False
    in_place: bool = False


@dataclass
class Session:
    """See :meth:`run`."""

    journal: Journal
    crew: Crew
    listing: Ahead
    counted: Counted | None
    choices: Choices
    ledger: Ledger | None = None
    run_id: str = ""
    progress: Callable[[Progress], None] | None = None
    state: Progress = field(default_factory=Progress)
    repeated: int = 0

    def __post_init__(self) -> None:
        self._small: deque[Task] = deque()
        self._big: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._finished: list[Outcome] = []
        self.broken: LabelingError | None = None
        self._down = 0
        self._start = self._flushed = self._told = time.monotonic()

    def stop(self) -> None:
        """Give out no more files; those in flight are finished."""
        self.state.stopping = True
        self.listing.stop()

    def run(self) -> None:
        """Go on until everything is done, or stopped. Raises :class:`LabelingError` where the run cannot go on.

        ``broken``: why it came to an end before its time, although what it had done is written down.
        """
        try:
            while True:
                self._refill()
                self._dispatch()
                if not self.crew.busy and (self.state.stopping or self._exhausted):
                    break
                for event in self.crew.collect(0.05 if self.crew.busy or self._waiting else 0.01):
                    self._heard(event)
                self._flush()
                self._tell()
        finally:
            self.listing.stop()
            if self.counted is not None:
                self.counted.stop()
            self._flush(now=True)
        self._tell(now=True)

    @property
    def _waiting(self) -> int:
        return len(self._small) + len(self._big) + len(self._suspects)

    @property
    def _exhausted(self) -> bool:
        return self.listing.done and not self._waiting

    def _refill(self) -> None:
        while not self.state.stopping and self._waiting < WINDOW:
            idle = not self.crew.busy and not self._waiting and not self._finished
            try:
                items = self.listing.take(0.1 if idle else 0.0)
            except LabelingError as error:  # what is listed is done first
                self.broken = error
                return
            if not items:
                return
            self._planned(items)
            self._flush()
            self._tell()

    def _planned(self, items: Sequence[Item]) -> None:
        choices = self.choices
        plan = self.journal.plan(
            items, retry_failed=choices.retry_failed, checksum=choices.checksum, overwrite=choices.overwrite,
            once=choices.listed,
        )  # fmt: skip
        self.state.before += plan.done
        self.state.before_size += plan.done_size
        self.repeated += len(plan.repeated)  # their result is that of the first mention
        self._recorded([task for task in plan.tasks if task.begun is not None])
        for task in plan.tasks:
            if task.item.problem is not None:
                self._finished.append(outcome_of(task.item, task.item.problem))
            else:
                (self._big if task.big else self._small).append(task)

    def _recorded(self, begun: Sequence[Task]) -> None:
        """Find what the ledger has of files that a killed session had begun, unless they have changed since then."""
        if self.ledger is None:
            return
        keys = {
            record_key(self.run_id, task.begun, in_place=self.choices.in_place): task
            for task in begun
            if task.begun is not None and (self.choices.in_place or task.begun == task.item)
        }
        if keys:
            for key, record in self.ledger.by_keys(list(keys)).items():
                keys[key].recorded = record.sha256

    def _dispatch(self) -> None:
        while not self.state.stopping and self._waiting:
            if self._suspects and self.crew.submit(self._suspects[0], alone=True):
                self._suspects.popleft()
            elif self._big and self._big_turn() and self.crew.submit(self._big[0], alone=True):
                self._big.popleft()
            elif self._small and self.crew.submit(self._small[0], alone=False):
                self._small.popleft()
            else:
                return

    def _big_turn(self) -> bool:
        """Big files may take all hands but one while small ones wait."""
        return not self._small or self.crew.size == 1 or self.crew.alone() < self.crew.size - 1

    def _heard(self, event: Outcome | Lost) -> None:
        if isinstance(event, Outcome):
            self._finished.append(event)
            self._down = self._down + 1 if event.down else 0
            if self._down >= DOWN and self.broken is None:
                self.broken = StoreDown(
                    f"the store has failed {DOWN} files in a row; see the results, and run again with --retry-failed "
                    "when it is well: what is done stays done"
                )
                self.stop()
            return
        self._small.extendleft(reversed(event.others))
        if event.culprit is None:
            return
        suspect = replace(event.culprit, crashes=event.culprit.crashes + 1, doubt=True)
        self.journal.crashed(suspect)
        if suspect.crashes < CRASHES:
            self._suspects.append(suspect)
            return
        message = f"its worker died of it {suspect.crashes} times ({event.why}); it is set aside"
        problem = Problem(Status.POISON, "WorkerDied", message)
        self._finished.append(outcome_of(suspect.item, problem, attempts=suspect.crashes))

    def _flush(self, *, now: bool = False) -> None:
        due = len(self._finished) >= FLUSH or time.monotonic() - self._flushed > LATEST
        if not self._finished or not (due or now):
            return
        finished, self._finished = self._finished, []
        if self.ledger is not None and (entries := [o.entry for o in finished if o.entry is not None]):
            self.ledger.append(entries)
        self.journal.finish(finished)
        for outcome in finished:
            self.state.done += 1
            self.state.size += outcome.size
            self.state.errors += outcome.status not in (Status.LABELLED, Status.VERIFIED, Status.SKIPPED)
        self._flushed = time.monotonic()

    def _tell(self, *, now: bool = False) -> None:
        time_now = time.monotonic()
        if self.progress is None or (time_now - self._told < 0.1 and not now):
            return
        self._told = time_now
        self.state.seconds = time_now - self._start
        if self.counted is not None and self.counted.whole:
            self.state.total, self.state.total_size = self.counted.files, self.counted.size
        self.progress(self.state)
