"""One session of a run: takes files from the listing, gives them to the workers, and writes down what became of them.

Everything is bounded: files listed ahead, files with the workers, results not yet written. Writes are made in this
order: ledger, results, journal. Whatever a kill leaves undone, the next session finds and completes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from labeling.batch.adoption import Questions
from labeling.batch.brake import Brake
from labeling.batch.coverage import Coverage
from labeling.batch.journal import Journal
from labeling.batch.listing import BackgroundCount, BackgroundListing
from labeling.batch.pace import Allowance, TokenBucket
from labeling.batch.plan import PlanOptions
from labeling.batch.recording import MAX_UNRECORDED, BackgroundRecorder
from labeling.batch.renamed import RenameFinder
from labeling.batch.task import SUCCESSFUL, Item, Known, Outcome, Problem, Status, Task, problem_outcome, record_key
from labeling.batch.workers import Event, GivenBack, WorkerLost, WorkerPool
from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.ledger import Ledger

MAX_WAITING = 256
"""Files that wait for a worker."""

FLUSH_COUNT, FLUSH_INTERVAL = 64, 0.25
"""Results are written when there are 64 of them, or a quarter of a second after the last time."""

PAUSE = 0.02
"""Seconds between two looks at whether the rate allows another file."""

PROGRESS_INTERVAL = 0.1
"""Seconds between two reports of progress."""

MAX_CRASHES = 2
"""Workers that may crash on a file. Then it is set aside."""


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        done: Files that this session has finished.
        size: Their bytes.
        before: Files that earlier sessions had finished.
        before_size: Their bytes.
        errors: Files of this session that went wrong.
        total: Files in all; ``None`` until the source is counted.
        total_size: Their bytes; ``None`` until the source is counted.
        seconds: Since the session began.
        stopping: The run ends after the files in flight.
        limit: The most files that this session processes; ``None`` for all.
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
    limit: int | None = None


@dataclass
class Session:
    """The main loop of a run, in the run's own process, from the first file to the last.

    Attributes:
        journal: Knows which files are done.
        pool: The workers.
        listing: The files of the source.
        count: Counts them ahead, to estimate the remaining time; ``None`` if nobody asks for it.
        plan_options: Which files are processed again.
        renames: Finds the earlier names of files.
        coverage: What was listed so far.
        in_place: Files are labelled in place.
        ledger: Where labels are recorded.
        run_id: The run's id, which is part of the keys of its records.
        allowance: How many files it may process.
        bucket: How fast the workers get files.
        on_finished: Is called with outcomes that were written down.
        report_progress: Is called with the progress, several times a second.
        brake: Says when the run ends early.
        tick: Is called often, and returns why the session must end, if it must.
        progress: How far the run is.
        repeated: Files that the list named again.
        unchanged: Files that were read, and have the content that an earlier session has processed.
        error: Why the run ended early, although what it had done is written down.
    """

    journal: Journal
    pool: WorkerPool[Any]
    listing: BackgroundListing
    count: BackgroundCount | None
    plan_options: PlanOptions
    renames: RenameFinder
    coverage: Coverage
    in_place: bool = False
    ledger: Ledger | None = None
    run_id: str = ""
    allowance: Allowance = field(default_factory=Allowance)
    bucket: TokenBucket = field(default_factory=TokenBucket)
    on_finished: Callable[[Sequence[Outcome]], None] | None = None
    report_progress: Callable[[Progress], None] | None = None
    brake: Brake = field(default_factory=Brake)
    tick: Callable[[], LabelingError | None] | None = None
    progress: Progress = field(default_factory=Progress)
    repeated: int = 0
    unchanged: int = 0
    error: LabelingError | None = None

    def __post_init__(self) -> None:
        self._small: deque[Task] = deque()
        self._large: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._finished: list[Outcome] = []
        self._asked: list[Outcome] = []  # handed back to look for earlier names
        self._held: Sequence[Item] = ()  # listed, and beyond the allowance
        self._questions = Questions(self.ledger, in_place=self.in_place) if self.ledger is not None else None
        self._recorder = BackgroundRecorder(self.ledger) if self.ledger is not None else None
        self.progress.limit = self.allowance.limit
        self._start = self._last_flush = self._last_report = time.monotonic()

    def stop(self) -> None:
        """Give out no more files. Those in flight are finished."""
        self.progress.stopping = True
        self.listing.stop()

    def run(self) -> None:
        """Continue until everything is done, or until :meth:`stop` is called.

        Raises:
            LabelingError: The run cannot go on. ``error`` has other reasons for an early end.
        """
        try:
            while True:
                self._refill()
                self._answer()
                self._checkpoint()
                self._dispatch()
                if not self.pool.pending and (self.progress.stopping or self._exhausted):
                    break
                for event in self.pool.collect(0.05 if self.pool.pending or self._waiting else 0.01):
                    self._handle(event)
                if self._waiting and not self.pool.pending and not self.bucket.open:
                    time.sleep(PAUSE)
                self._go_on_with_renamed()
                self._flush()
                self._report()
        finally:
            self.listing.stop()
            if self.count is not None:
                self.count.stop()
            self._finished.extend(self.brake.rest())
            try:
                self._flush(now=True)
            finally:
                if self._recorder is not None:
                    self._recorder.close()
        self._report(now=True)

    def _checkpoint(self) -> None:
        """Keep the state elsewhere up to date, if there is any."""
        error = self.tick() if self.tick is not None else None
        if error is not None and self.error is None:
            self.error = error
            self.stop()

    @property
    def _waiting(self) -> int:
        return len(self._small) + len(self._large) + len(self._suspects)

    @property
    def _exhausted(self) -> bool:
        return not self._waiting and not self.renames.waits and self._all_listed

    @property
    def _all_listed(self) -> bool:
        return self.limited or (self.listing.done and not self._held)

    @property
    def limited(self) -> bool:
        """Whether files were listed that the allowance leaves for another session."""
        return bool(self._held) and not self.allowance.of(1)

    @property
    def left(self) -> int | None:
        """How many files the allowance leaves at most; ``None`` if they were not counted."""
        if not self.limited:
            return 0
        if self.count is None or not self.count.complete:
            return None
        return max(len(self._held), self.count.files - self.progress.before - self.progress.done)

    def _refill(self) -> None:
        """Take files from the listing while there is room for them."""
        while not self.progress.stopping and self._waiting < MAX_WAITING and not self.limited:
            idle = not self.pool.pending and not self._waiting and not self._finished
            try:
                items = self._held or self.listing.take(0.1 if idle else 0.0)
            except LabelingError as error:  # what is listed is processed first
                self.error = error
                return
            if not items:
                return
            number = self.allowance.of(len(items))  # each is one task at most
            items, self._held = items[:number], items[number:]
            self._plan(items)
            self._flush()
            self._report()

    def _plan(self, items: Sequence[Item]) -> None:
        """Queue the files that are to be processed."""
        if not items:
            return
        plan = self.journal.plan(items, self.plan_options)
        self.allowance.used += len(plan.tasks)
        self.coverage.known += plan.known
        self.progress.before += plan.done
        self.progress.before_size += plan.done_size
        self.repeated += len(plan.repeated)  # their result is that of the first mention
        self._find_records([task for task in plan.tasks if task.begun_as is not None])
        for task in plan.tasks:
            if task.item.problem is not None:
                self._note(problem_outcome(task.item, task.item.problem), was_read=False)
            else:
                (self._large if task.is_large else self._small).append(task)

    def _find_records(self, begun: Sequence[Task]) -> None:
        """Find what the ledger has of files that a killed session had begun, unless they have changed since then."""
        if self.ledger is None:
            return
        tasks = {
            record_key(self.run_id, task.begun_in, task.begun_as, in_place=self.in_place): task
            for task in begun
            if task.begun_as is not None and (self.in_place or task.begun_as == task.item)
        }
        if tasks:
            for key, record in self.ledger.by_keys(list(tasks)).items():
                tasks[key].recorded = Known("", record.sha256, record.content_id)

    def _dispatch(self) -> None:
        """Give waiting files to workers while one has room."""
        while not self.progress.stopping and self._waiting and self.bucket.open:
            if self._suspects and self.pool.submit(self._suspects[0], exclusive=True):
                self._suspects.popleft()
            elif self._large and self._may_start_large() and self.pool.submit(self._large[0], exclusive=True):
                self._large.popleft()
            elif self._small and self.pool.submit(self._small[0], exclusive=False):
                self._small.popleft()
            else:
                return
            self.bucket.take()

    def _answer(self) -> None:
        """Ask the ledger what the workers want to know about outputs that are there."""
        if self._questions is None:
            return
        for answer in self._questions.answers(now=not self.pool.pending):
            if isinstance(answer, Outcome):
                self._note(answer)
            else:
                (self._large if answer.is_large else self._small).appendleft(answer)

    def _may_start_large(self) -> bool:
        """Return whether a worker may begin a large file: one worker is left for small files while some wait."""
        return not self._small or self.pool.size == 1 or self.pool.exclusive_workers < self.pool.size - 1

    def _handle(self, event: Event) -> None:
        if isinstance(event, Outcome) and event.ask is not None and self._questions is not None:
            self._questions.ask(event)
        elif isinstance(event, Outcome) and event.again is not None:
            self._asked.append(event)
        elif isinstance(event, Outcome):
            self.allowance.used -= event.unchanged
            self._note(event)
        elif isinstance(event, GivenBack):
            self._small.extendleft(reversed(event.tasks))
        else:
            self._requeue(event)

    def _note(self, outcome: Outcome, *, was_read: bool = True) -> None:
        """Have an outcome written, unless the brake holds it back, and stop if it says so."""
        self._finished.extend(self.brake.let_through(outcome, was_read=was_read))
        self.error = self.error or self.brake.error
        if (self.brake.error or self.brake.reached) and not self.progress.stopping:
            self.stop()

    def _go_on_with_renamed(self) -> None:
        """Give the files that workers have handed back to them again, with their earlier names."""
        asked, self._asked = self._asked, []
        tasks = self.renames.answer(asked) if asked else []
        if not tasks and self._all_listed and not self._waiting and not self.pool.pending:
            tasks = self.renames.rest()
        for task in tasks:
            (self._large if task.is_large else self._small).appendleft(task)

    def _requeue(self, lost: WorkerLost) -> None:
        """Try the task of a lost worker once more, exclusively; set it aside if it has crashed too many workers."""
        self._small.extendleft(reversed(lost.others))
        if lost.task is None:
            return
        suspect = replace(lost.task, crashes=lost.task.crashes + 1, interrupted=True)
        self.journal.note_crash(suspect)
        if suspect.crashes < MAX_CRASHES:
            self._suspects.append(suspect)
            return
        message = f"{suspect.crashes} workers failed on this file ({lost.exit_reason}); it is set aside"
        problem = Problem(Status.POISON, "WorkerDied", message)
        self._note(problem_outcome(suspect.item, problem, attempts=suspect.crashes), was_read=False)

    def _flush(self, *, now: bool = False) -> None:
        """Write the results that are due: to the ledger, then to the results and the journal."""
        if self._recorder is not None:
            waits = now or len(self._finished) >= MAX_UNRECORDED
            self._write_down(self._recorder.recorded(wait=waits))
            if self._recorder.busy:
                return
        due = len(self._finished) >= FLUSH_COUNT or time.monotonic() - self._last_flush > FLUSH_INTERVAL
        if not self._finished or not (due or now):
            return
        finished, self._finished = self._finished, []
        self._last_flush = time.monotonic()
        if self._recorder is None or not any(outcome.entries for outcome in finished):
            self._write_down(finished)
            return
        self._recorder.begin(finished)
        self._write_down(self._recorder.recorded(wait=now))

    def _write_down(self, finished: Sequence[Outcome]) -> None:
        """Write results to the results and the journal. The ledger has them."""
        if not finished:
            return
        self.journal.finish(finished)
        for outcome in finished:
            self.renames.release(outcome.path)
            self.coverage.moved += bool(outcome.moved_from)
            self.unchanged += outcome.unchanged
            self.progress.done += 1
            self.progress.size += outcome.size
            self.progress.errors += outcome.status not in SUCCESSFUL
        if self.on_finished is not None:
            self.on_finished(finished)

    def _report(self, *, now: bool = False) -> None:
        """Report the progress, if the last report is long enough ago."""
        moment = time.monotonic()
        if self.report_progress is None or (moment - self._last_report < PROGRESS_INTERVAL and not now):
            return
        self._last_report = moment
        self.progress.seconds = moment - self._start
        if self.count is not None and self.count.complete:
            self.progress.total, self.progress.total_size = self.count.files, self.count.size
        self.report_progress(self.progress)
