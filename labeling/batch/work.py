"""What a worker does with one file: fetch it, label, convert or verify it, and make sure that it stayed what it was."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace

from labeling.batch.job import Attempt, Job, Verb
from labeling.batch.output_check import WRONG_CONTENT
from labeling.batch.output_moves import moved
from labeling.batch.outputs import AboutAnother, Taken, Unnameable, is_as_written
from labeling.batch.rename_index import is_twin
from labeling.batch.storage import Folder, ThroughLink
from labeling.batch.store_failures import failed_because_of_store
from labeling.batch.task import (
    Known,
    NotAsWritten,
    Outcome,
    Problem,
    Question,
    ReadRefused,
    Status,
    Task,
    WriteRefused,
    problem_outcome,
    with_losses,
)
from labeling.errors import (
    InternalError,
    LabelConflict,
    LabelingError,
    UnsupportedFormat,
    WouldLose,
    error_context,
)
from labeling.files import sha256
from labeling.gates import OutOfMemory, as_ours
from labeling.inert import without_secrets
from labeling.verification.manifest import sidecar_of

MAX_ATTEMPTS = 3
"""How often a file is tried that changes while it is read."""

MANIFEST = str(sidecar_of(""))
"""What the name of a manifest has after that of its file."""

MAX_MESSAGE = 500
"""Characters of a message in the results."""


class Changed(Exception):
    """The source is no longer the file that was read."""


class Worker:
    """Processes files one after the other. Models and labelers are made once.

    Args:
        job: What is to be done with every file.

    Raises:
        LabelingError: The labeler or the signer cannot be made.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._verb = _verb(job)
        self._source_sha256 = ""
        self._written = False

    def run(self, task: Task) -> Outcome:
        """Process a file. Whatever goes wrong with it is in the outcome; nothing is raised."""
        start = time.perf_counter()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return self._attempt(task, start)
            except Changed:
                continue
            except Exception as error:  # noqa: BLE001 - a bug with one file is reported, and must not end the run
                seconds, attempts = time.perf_counter() - start, task.crashes + attempt
                problem = self._problem_of(error, task.item.path)
                outcome = problem_outcome(
                    task.item, problem, attempts=attempts, seconds=seconds, source_sha256=self._source_sha256
                )
                ask = Question(task, error.sha256) if isinstance(error, Taken) and error.sha256 else None
                store_failed = failed_because_of_store(error, self.job.source, self.job.output)
                left = self._written or isinstance(error, NotAsWritten)
                return replace(outcome, store_failed=store_failed, left=left, ask=ask)
        message = f"it changed while it was read, {MAX_ATTEMPTS} times; run again later"
        return problem_outcome(
            task.item, Problem(Status.FAILED, "Changed", message), attempts=task.crashes + MAX_ATTEMPTS,
            seconds=time.perf_counter() - start,
        )  # fmt: skip

    def _problem_of(self, error: Exception, path: str) -> Problem:
        problem = problem_of(error, path)
        owner = path.removesuffix(MANIFEST)
        if problem.status == Status.UNSUPPORTED and owner != path and self.job.source.exists(owner):
            return Problem(Status.SKIPPED, "Manifest", "the C2PA manifest of the file beside it, with which it is read")
        return problem

    def _attempt(self, task: Task, start: float) -> Outcome:
        item, job = task.item, self.job
        self._source_sha256, self._written = "", False
        if task.check_output:
            if not is_as_written(task, job):
                task = replace(task, redo=True, remade=WRONG_CONTENT)
            elif task.source_done:
                return Outcome(item.path, Status.LABELLED, b"", item.size, item.stamp, unchanged=True)
        size, stamp, details = job.source.look(item.path)
        with ExitStack() as stack:
            local = stack.enter_context(job.source.fetch(item.path, details))
            with error_context(item.path, replacing=str(local)):
                digest = self._source_sha256 = sha256(local)
            if self._is_done(task, digest):
                return Outcome(item.path, Status.LABELLED, b"", size, stamp, digest, unchanged=True)
            if is_twin(task, digest):
                return Outcome(item.path, Status.LABELLED, b"", size, stamp, digest, again=task)
            renamed = task.renamed if task.renamed and digest == self._listed(task.renamed.known) else None
            if renamed is not None:
                task = replace(task, known=renamed.known)
            source_sha256 = self._of_source(task, digest)
            common = {
                "attempts": task.crashes + 1, "size": size, "stamp": None if job.in_place else stamp,
                "source_sha256": source_sha256, "list": dict(item.overrides) or None,
                "remade": task.remade if task.known.is_of(digest) else None,
                "moved_from": renamed and renamed.path,
            }  # fmt: skip
            attempt = Attempt(task, local, stack, digest, common, start, details)
            kept = renamed and moved(attempt, job, renamed)
            outcome = kept or self._verb.process(attempt)
            self._written = isinstance(job.target, Folder) and outcome.status in (Status.LABELLED, Status.CONVERTED)
            self._check_unchanged(task, size, stamp)
        if attempt.lost:
            outcome = replace(outcome, line=with_losses(outcome.line, attempt.lost))
        if job.in_place:
            size, stamp = job.source.version(item.path)
            if outcome.output_size not in (0, size):
                raise Changed  # somebody has replaced what was just written
        earlier = "" if renamed is None else renamed.path
        return replace(outcome, size=size, stamp=stamp, source_sha256=source_sha256, moved_from=earlier)

    def _is_done(self, task: Task, digest: str) -> bool:
        """Return whether a file still has the content that its last result is about, whatever its date says."""
        if task.redo or not task.done:
            return False
        expected = self._listed(task.known)
        return digest == expected if expected else task.known.trusted

    def _listed(self, known: Known) -> str:
        """Return the SHA-256 that a listed file has if it is a known one: in place, it is the output."""
        return known.output_sha256 if self.job.in_place else known.source_sha256

    def _of_source(self, task: Task, digest: str) -> str:
        """Return the SHA-256 of the source: in place, what we have labelled before is not the source any more."""
        known = task.known
        labelled = self.job.in_place and digest == known.output_sha256
        return known.source_sha256 if labelled and known.source_sha256 else digest

    def _check_unchanged(self, task: Task, size: int, stamp: str) -> None:
        """Raise :class:`Changed` if the source has changed since it was read, unless we have changed it ourselves."""
        job = self.job
        if job.in_place and job.source.local:
            return
        if job.source.version(task.item.path) == (size, stamp):
            return
        if isinstance(job.target, Folder) and job.check is None:
            job.target.remove(
                task.output_path
            )  # it was made from a file in flux; other storages have not stored it yet
        raise Changed


def _verb(job: Job) -> Verb:
    """Return what is done with each file. It is imported here: a run that only verifies needs no encoder."""
    if job.check is not None:
        from labeling.batch.verifying import Verifying

        return Verifying(job)
    if job.conversion is not None:
        from labeling.batch.converting import Converting

        return Converting(job)
    if job.propagation is not None:
        from labeling.batch.propagating import Propagating

        return Propagating(job)
    if job.transplantation is not None:
        from labeling.batch.transplanting import Transplanting

        return Transplanting(job)
    from labeling.batch.labelling import Labelling

    return Labelling(job)


_STATUSES: tuple[tuple[type[LabelingError], Status], ...] = (
    (UnsupportedFormat, Status.UNSUPPORTED),
    (LabelConflict, Status.REFUSED),
    (WouldLose, Status.REFUSED),
    (Taken, Status.REFUSED),
    (Unnameable, Status.REFUSED),
    (ThroughLink, Status.REFUSED),
)


def problem_of(error: Exception, path: str) -> Problem:
    """Return an error as the results report it: its kind, and one line without the file's path."""
    ours = as_ours(error, "process the file")
    status = next((status for kind, status in _STATUSES if isinstance(ours, kind)), Status.FAILED)
    text = ours.reason if ours.path in (None, path) else str(ours)
    names = ours.names if isinstance(ours, AboutAnother) else ()
    if isinstance(ours, Taken) and ours.path != path:
        names = (*names, str(ours.path))
    kind = next((name for kind, name in _KINDS if isinstance(ours, kind)), type(ours).__name__)
    return Problem(status, kind, _one_line(text.removeprefix(f"{path}: ")), names)


_KINDS: tuple[tuple[type[LabelingError], str], ...] = (
    (InternalError, "Internal"),
    (OutOfMemory, "MemoryError"),
    (ReadRefused, "UnreadableFile"),
    (WriteRefused, "WriteError"),
    (NotAsWritten, "WriteError"),
)
"""Kinds of errors that have another name in the results."""


def _one_line(text: str) -> str:
    return " ".join(without_secrets(text).split())[:MAX_MESSAGE]
