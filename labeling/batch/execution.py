"""One call of a run: its folder, journal, workers and listing, from the first file to the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from labeling.batch import generations, remote_state, run_lock, setup, unrecorded
from labeling.batch.brake import Brake
from labeling.batch.conversion import OutputNames
from labeling.batch.coverage import Coverage, Scope, whole
from labeling.batch.finished import Finished
from labeling.batch.job import Job, Purpose
from labeling.batch.journal import Journal
from labeling.batch.listing import (
    CHUNK_SIZE,
    COLUMNS,
    BackgroundCount,
    BackgroundListing,
    GlobFilter,
    list_tree,
    read_file_list,
)
from labeling.batch.opened_list import FileList, open_list
from labeling.batch.options import RunOptions
from labeling.batch.output_check import OutputCheck, output_check
from labeling.batch.pace import Allowance, TokenBucket, files_per_second
from labeling.batch.plan import PlanOptions
from labeling.batch.rename_index import Content
from labeling.batch.renamed import RenameFinder
from labeling.batch.resources import default_workers, processors
from labeling.batch.selection import LAST, CompleteSessions, Selection, Shard, since_moment
from labeling.batch.session import Progress, Session
from labeling.batch.signals import stopping_on_signals
from labeling.batch.state_files import in_use, set_aside_if_damaged
from labeling.batch.storage import Folder, Storage
from labeling.batch.task import EmptySource, Item
from labeling.batch.watching import Watch
from labeling.batch.workers import InlineWorker, ProcessPool, WorkerPool
from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.ledger import Ledger

GRACE = 60.0
"""Seconds that a worker has beyond the timeout to report on a file whose isolated process was ended."""


@dataclass
class Execution:
    """One call of :func:`labeling.batch.run`, with its storages open."""

    source: Storage
    target: Storage | None
    options: RunOptions
    purpose: Purpose
    ledger: Ledger | None
    report_progress: Callable[[Progress], None] | None
    watch: Watch

    def __post_init__(self) -> None:
        self.output = self.source if self.target is None else self.target
        self.folder = setup.state_folder(self.options, self.output)
        self.orphans: dict[str, Any] | None = None
        self.shard = None if self.options.shard is None else Shard.parse(self.options.shard)
        self.engine = self.options.engine
        self.unrecorded = 0
        if self.source.in_this_process or self.output.in_this_process:
            self.engine = "inline"  # other processes would see another memory
        self.local_workers = self.options.workers or default_workers(uses_ocr=self.purpose.uses_ocr)

    def execute(self, file_list: FileList | None) -> Finished:
        """Process the files, and report."""
        started, clock = datetime.now(UTC), time.monotonic()
        with open_list(file_list) as opened_list, self._open_journal() as journal:
            description = setup.description(self.source, self.target, self.options, self.purpose)
            generations.begin(journal, description, self.purpose.mode, restart=self.options.restart)
            if self.remote is not None:
                self.remote.begin(journal)
            complete = CompleteSessions(
                journal.meta("complete"), self.options.include, self.options.exclude, journal.generation
            )
            self.watch.last_complete = complete.last
            since = since_moment(self.options.since, last=complete.last, now=started)
            job = self._job(journal)
            _remove_leftovers(job.output, journal)
            journal.forget_folders()
            pool = self._start_pool(job)
            self._tell_begin(pool, since)
            selection = Selection(self.shard, since, self._output_name)
            self.unrecorded = unrecorded.count(journal) if self.ledger is not None else 0
            session = self._run_session(journal, job, pool, opened_list, selection)
            if self.ledger is None and session.progress.done and self.purpose.mode != "verify":
                unrecorded.note(journal)
            if self.unrecorded and (opened_list is None or self.options.restart):
                self.unrecorded = unrecorded.count(journal)  # a session meets all that its list names, done or not
            if self._saw_all(session, selection, listed=opened_list is not None):
                journal.set_meta("complete", complete.note(started))
                self.watch.last_complete = complete.last
            if session.error is not None and not session.progress.done:
                raise session.error
            self.orphans = self._prune(session, journal, selection)
            if self.remote is not None:
                self.remote.settle(journal)
            journal.compact()
            check = self.purpose.check
            profiles = check.profile if check is not None else (description.legacy["profile"],)
            older = generations.earlier(journal, description)
            summary = self._report(journal, session, selection, profiles, older, started, time.monotonic() - clock)
            self.watch.summary = summary
            if session.error is not None:
                raise session.error
        finished = Finished(summary, self.folder, session.progress.stopping and not session.brake.reached)
        self.watch.end(finished.exit_code)
        return finished

    def _tell_begin(self, pool: WorkerPool[Any], since: datetime | None) -> None:
        self.watch.begin(
            mode=self.purpose.mode, source=self.source.name, target=self.output.name, state=str(self.folder),
            workers=pool.size, engine=self.engine, shard=self.options.shard, limit=self.options.limit,
            since=None if since is None else since.isoformat(timespec="seconds"),
        )  # fmt: skip

    def _saw_all(self, session: Session, selection: Selection, *, listed: bool) -> bool:
        """Return whether the session has finished every file of its source, so that the next may begin where it did."""
        whole = self.options.since in (None, LAST) and not listed and not selection.closed and not self.source.only
        ended = session.error is not None or session.progress.stopping or session.limited
        return whole and not ended and not session.brake.to_be_tried_again

    @contextmanager
    def _open_journal(self) -> Iterator[Journal]:
        """Open the journal, in a folder where no other process is at work."""
        setup.check_state(self.folder, named=self.options.state is not None)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = run_lock.acquire_exclusive(self.folder, partial(in_use, self.folder))
        except OSError as error:
            raise LabelingError(
                f"the journal cannot be kept there ({error.strerror})", path=self.folder, hint="see `state`"
            ) from error
        with lock:
            if self.options.restart:
                set_aside_if_damaged(self.folder)
            place = setup.remote_folder(self.options)
            with remote_state.opened(self.output, place, self.folder) as self.remote:
                journal = Journal(self.folder)
                try:
                    yield journal
                finally:
                    journal.close()

    def _job(self, journal: Journal) -> Job:
        return Job(
            source=self.source,
            target=None if self.purpose.check is not None else self.target,
            originals=setup.open_originals(self.purpose.transplantation, self.options),
            record=self.ledger is not None,
            fingerprints=not self.options.no_fingerprints,
            run_id=journal.meta("run"),
            generation=journal.generation,
            lost_since=float(journal.meta("lost since") or 0),
            threads=max(1, processors() // self.local_workers),
            folder=self.folder.absolute(),
            **self.purpose.parts(),
        )

    def _start_pool(self, job: Job) -> WorkerPool[Any]:
        timeout = self.options.timeout
        looks = job.check or job.propagation
        if timeout is not None and looks is not None and looks.isolate:
            timeout += GRACE  # its own process ends first, and what is left of the file is reported
        if self.engine == "ray":
            from labeling.batch.ray_workers import RayWorkerPool

            return RayWorkerPool(job, self.options.workers, timeout, self.options.ray_address)
        if self.engine == "inline":
            return InlineWorker(job, 1, timeout)
        return ProcessPool(job, self.local_workers, timeout)

    def _run_session(
        self, journal: Journal, job: Job, pool: WorkerPool[Any], opened_list: tuple[IO[str], str] | None,
        selection: Selection,
    ) -> Session:  # fmt: skip
        """Process the files. The workers have ended when this returns or raises."""
        completed = False
        try:
            wanted = GlobFilter(self.options.include, self.options.exclude)
            globs = self.options.include or self.options.exclude or self.source.only
            scope: Scope = "list" if opened_list is not None else "globs" if globs else "all"
            part = self._partial or bool(self.source.only)
            coverage = Coverage(scope, journal.count(self._wanted), part=part)
            listing, count = self._listing(opened_list, wanted, coverage, selection)
            may_be_renamed = self.purpose.check is None and journal.count() > 0
            with self._output_check(scope) as check:
                session = Session(
                    journal,
                    pool,
                    listing,
                    count,
                    PlanOptions(
                        retry_failed=self.options.retry_failed, checksum=self._compares_sources,
                        overwrite=self.options.overwrite, named_once=opened_list is not None,
                        keep_said=self.purpose.check is None, outputs=self._output_names(),
                        output_check=check, renamed=self._known_by if may_be_renamed else None,
                    ),
                    RenameFinder(journal, self.source, self._known_by),
                    coverage,
                    in_place=self.options.in_place,
                    ledger=self.ledger,
                    run_id=job.run_id,
                    allowance=Allowance(self.options.limit),
                    bucket=TokenBucket(None if self.options.rate is None else files_per_second(self.options.rate)),
                    on_finished=self.watch.finished,
                    report_progress=self._told_of_progress(),
                    brake=Brake(self.options.max_errors),
                    tick=None if self.remote is None else partial(self.remote.tick, journal),
                )  # fmt: skip
                with stopping_on_signals(session):
                    session.run()
            completed = True
            self._require_files(session, left_out=wanted.left_out)
            self._note_vanished(session, journal, selection)
        finally:
            pool.close(kill=not completed)
        return session

    @property
    def _partial(self) -> bool:
        """Whether the run takes only a part of its source."""
        return self.shard is not None or self.options.since is not None

    def _told_of_progress(self) -> Callable[[Progress], None] | None:
        own, watched = self.report_progress, None if self.watch.idle else self.watch.progressed
        if own is None or watched is None:
            return own or watched

        def both(progress: Progress) -> None:
            watched(progress)
            own(progress)

        return both

    def _output_name(self, path: str) -> str:
        names = self._output_names()
        return path if names is None else names.name_of(path)

    @property
    def _known_by(self) -> Content:
        """By which digest files are known that may have another name now: in place, the output is what is listed."""
        return "output_sha256" if self.options.in_place else "source_sha256"

    @property
    def _wanted(self) -> GlobFilter | None:
        """Which paths the run lists; ``None`` for all."""
        globs = self.options.include or self.options.exclude
        return GlobFilter(self.options.include, self.options.exclude) if globs else None

    @property
    def _compares_sources(self) -> bool:
        """Whether all files are read to see whether they have changed: in place, they are the outputs as well."""
        return self.options.checksum or (self.options.in_place and self.options.check_outputs == "sha256")

    def _output_check(self, scope: Scope) -> AbstractContextManager[OutputCheck | None]:
        depth = None if self.options.in_place else self.options.check_outputs
        return output_check(self.output, depth, whole=scope != "list")

    def _require_files(self, session: Session, *, left_out: bool) -> None:
        """Give the session an error if its source was empty, or take that error away if an empty one is accepted."""
        if isinstance(session.error, EmptySource) and (self.options.allow_empty or session.coverage.known_before):
            session.error = None
        complete = session.error is None and not session.progress.stopping and not session.limited
        if self.options.allow_empty or not complete:
            return
        try:
            session.coverage.require_files(self.source, left_out=left_out)
        except EmptySource as error:
            session.error = error

    def _note_vanished(self, session: Session, journal: Journal, selection: Selection) -> None:
        """Note which files are no longer in the source: some are missing if the session has met too few.

        Only then are they looked for, in another listing: to note of every file that it is there would take longer.
        """
        coverage, wanted = session.coverage, self._wanted
        missing = coverage.known_before - coverage.known - (0 if wanted else journal.renamed)
        if missing <= 0 or self.source.only or not self._has_listed_all(session, selection):
            return
        try:
            tree = self._tree(wanted or GlobFilter((), ()))
            everything = whole(tree, self.source, may_be_empty=self.options.allow_empty)
            journal.mark_vanished((item.key for item in selection.copy().of(everything)), wanted)
        except LabelingError as error:
            session.error = error

    def _prune(self, session: Session, journal: Journal, selection: Selection) -> dict[str, Any] | None:
        """List or remove outputs without sources, if that is asked for; return what the summary says of it."""
        if self.options.prune_orphans is None:
            return None
        if not self._has_listed_all(session, selection) or not session.coverage.files:
            return {"skipped": True}
        from labeling.batch.orphans import Pruning

        return Pruning(journal, self.source, self.output, remove=self.options.prune_orphans == "remove").prune()

    def _has_listed_all(self, session: Session, selection: Selection) -> bool:
        """Return whether a session has listed all that its globs and its shard take, and come to its end."""
        ended = session.error is None and not session.progress.stopping and not session.limited
        return ended and session.coverage.scope != "list" and self.options.since is None and not selection.closed

    def _tree(self, wanted: GlobFilter) -> Iterator[Item]:
        """Yield the files of the source."""
        excluded = (self.folder, self.target.root) if isinstance(self.target, Folder) else (self.folder,)
        return list_tree(self.source, wanted, excluded)

    def _output_names(self) -> OutputNames | None:
        conversion = self.purpose.conversion
        return OutputNames(self.output, conversion.format, self.source) if conversion is not None else None

    def _listing(
        self, opened_list: tuple[IO[str], str] | None, wanted: GlobFilter, coverage: Coverage, selection: Selection
    ) -> tuple[BackgroundListing, BackgroundCount | None]:
        """Return the files to process, and a count of them if progress is reported and they can be counted."""
        if opened_list is not None:
            items = read_file_list(*opened_list, self.source, wanted, COLUMNS[self.purpose.mode])
            # From a local source, each line at once: another program may be writing them.
            return BackgroundListing(
                selection.of(coverage.counted(items)), 1 if self.source.local else CHUNK_SIZE
            ), None
        count = None
        if self.report_progress is not None:
            also_wanted = GlobFilter(self.options.include, self.options.exclude)
            count = BackgroundCount(selection.copy().of(self._tree(also_wanted)))
        listed = coverage.counted(self._tree(wanted))
        return BackgroundListing(selection.of(listed)), count

    def _report(
        self,
        journal: Journal,
        session: Session,
        selection: Selection,
        profiles: Sequence[str],
        older: dict[str, Any] | None,
        started: datetime,
        wall: float,
    ) -> dict[str, Any]:
        """Sum up the results, and write summary and page."""
        from labeling.batch.report import summarize, write_report

        sums = summarize(journal, self.purpose.mode, profiles, started)
        summary = sums.to_dict(
            started=started, wall=wall, interrupted=session.progress.stopping, workers=session.pool.size,
            engine=self.engine, source=self.source.name, target=self.output.name,
            resumed=session.progress.before + session.unchanged,
        )  # fmt: skip
        if older is not None:
            summary["earlier_options"] = older
        if self.unrecorded:
            summary["unrecorded"] = self.unrecorded
        summary["vanished"] = journal.count_vanished()
        if self.orphans is not None:
            summary["orphans"] = self.orphans
        if session.repeated:
            summary["repeated"] = session.repeated
        if self.source.keeps_properties and not self.output.keeps_properties and self.purpose.mode != "verify":
            summary["bytes_only"] = True
        if self.shard is not None:
            summary["shard"] = str(self.shard)
        summary["session"] = dict(self.watch.statuses)
        if self.options.since is not None:
            moment = selection.since
            summary["since"] = {"moment": moment and moment.isoformat(timespec="seconds"), "older": selection.older}
        if session.limited:
            summary["limited"] = {"limit": self.options.limit, "left": session.left}
        if session.brake.reached:
            summary["stopped"] = session.brake.sentence
        with suppress(LabelingError) if session.error is not None else nullcontext():
            write_report(self.folder, journal, summary, self.options.language, self.remote)
        return summary


def _remove_leftovers(output: Storage, journal: Journal) -> None:
    """Remove what killed workers have left beside their outputs."""
    if isinstance(output, Folder):
        for folder in {path.rpartition("/")[0] for path in journal.unfinished()}:
            output.remove_leftovers(f"{folder}/x" if folder else "x")
