"""What a worker does with one file: lend it from its place, label or verify it, put the result where it belongs."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling.batch.storage import Folder, Place, relative
from labeling.batch.task import Outcome, Problem, Status, StoreDown, Task, line_of, outcome_of, record_key
from labeling.errors import LabelConflict, LabelingError, UnsupportedFormat
from labeling.files import sha256

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Trust
    from labeling.pipelines.output import LabeledFile
    from labeling.verification.report import Report

ROUNDS = 3
"""So often a file is tried that changes while it is read."""


@dataclass(frozen=True)
class Check:
    """How files are verified: the arguments of :func:`labeling.verify`, for all of them."""

    profile: tuple[str, ...] = ("cn",)
    visible: bool = True
    trust: Trust | None = None
    declared_ai: bool = False
    max_pixels: int | None = None
    pinned: tuple[bytes, ...] = ()
    everywhere: bool = False

    def arguments(self) -> dict[str, Any]:
        """For :func:`labeling.verify`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Job:
    """What is to be done with every file; goes to each worker once.

    ``make`` gives the labeler, in the process that uses it: keys never travel. ``check`` says how to verify instead.
    ``target`` is ``None`` where files are labelled in place, or only verified. ``record``: the ledger wants entries.
    """

    source: Place
    target: Place | None
    make: Callable[[], Labeler] | None = None
    check: Check | None = None
    checksum: bool = False
    record: bool = False
    run: str = ""
    threads: int = 1
    folder: Path | None = None

    @property
    def output(self) -> Place:
        """Where labelled files go."""
        return self.target if self.target is not None else self.source


class Worker:
    """Does tasks one after the other; models and labelers are made once. Raises :class:`LabelingError` when made."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._labeler = job.make() if job.make is not None else None
        if self._labeler is not None and self._labeler.visible:
            import labeling.codecs.jpeg.paint  # noqa: F401 - before the first file, so that none is slow

        self._own = lru_cache(64)(self._changed)

    def do(self, task: Task) -> Outcome:
        """Do a task. Whatever goes wrong with the file is in the outcome; nothing is raised."""
        start = time.perf_counter()
        for rounds in range(1, ROUNDS + 1):
            try:
                return self._done(task, start)
            except Changed:
                continue
            except Exception as error:  # noqa: BLE001 - a bug with one file must not end the run, and is told as such
                seconds, attempts = time.perf_counter() - start, task.crashes + rounds
                found = outcome_of(task.item, problem_of(error, task.item.path), attempts=attempts, seconds=seconds)
                return replace(found, down=isinstance(error, StoreDown))
        problem = Problem(Status.FAILED, "Changed", f"it changed while it was read, {ROUNDS} times; run again later")
        return outcome_of(task.item, problem, attempts=task.crashes + ROUNDS, seconds=time.perf_counter() - start)

    def _done(self, task: Task, start: float) -> Outcome:
        item, job = task.item, self.job
        size, stamp = job.source.stamp(item.path)
        with ExitStack() as stack:
            path = stack.enter_context(job.source.lend(item.path))
            checksum = sha256(path) if job.checksum else ""
            if task.known is not None and task.known == checksum:
                return Outcome(item.path, Status.LABELLED, size=size, unchanged=True)
            common = {"attempts": task.crashes + 1, "size": size}
            if job.check is not None:
                with _named(path, item.path):
                    report = _verified(path, job.check)
                found = self._report(item.path, report, common, start)
            else:
                found = self._adopted(task, common, start) or self._labelled(task, path, stack, common, start)
            if (job.check or job.target or not job.source.local) and job.source.stamp(item.path) != (size, stamp):
                if isinstance(job.target, Folder) and job.check is None:
                    job.target.remove(item.path)  # what was made of a file in flux; elsewhere it is not put at all
                raise Changed
        if job.target is None and job.check is None:
            size, stamp = job.source.stamp(item.path)
            checksum = found.checksum if job.checksum else ""  # of what the source is now
        return replace(found, size=size, stamp=stamp, checksum=checksum)

    def _report(self, path: str, report: Report, common: Mapping[str, Any], start: float) -> Outcome:
        whole = report.to_dict() | {"path": path}
        line = line_of(
            path, Status.VERIFIED, seconds=time.perf_counter() - start, media_type=report.media_type,
            origin=report.origin, verdicts=_short(report), report=whole, **common,
        )  # fmt: skip
        return Outcome(path, Status.VERIFIED, line)

    def _labelled(self, task: Task, path: Path, stack: ExitStack, common: Mapping[str, Any], start: float) -> Outcome:
        item, job = task.item, self.job
        if job.target is not None and job.target.local and relative(item.path) != item.path:
            raise Unnameable(f"{item.path}: no file can be named so; rename the object, or label into a bucket")
        taken = job.target is not None and not task.again and job.target.exists(item.path)
        if taken and not (task.doubt and self._ours(item.path)):
            raise Taken(f"{item.path}: is there already, and not by this run; --overwrite replaces it")
        own = dict(item.own)
        labeler = self._own(tuple((key, value) for key, value in item.own if key != "content_id"))
        in_place = job.target is None and job.source.local
        goal = path if in_place else stack.enter_context(job.output.target(item.path, replaces=job.target is None))
        with _named(path, item.path), _named(goal, item.path):
            done = labeler.label_file(path, goal, content_id=own.get("content_id"), in_place=in_place)
        entry, digest = None, ""
        if job.record:
            from labeling.ledger import entry_of

            entry = replace(
                entry_of(done, key=record_key(job.run, item, in_place=job.target is None), profile=labeler.profile),
                source=item.path, output=item.path,
            )  # fmt: skip
            digest = entry.sha256
        digest = digest or sha256(goal)
        line = self._line(item.path, done, digest, common, start)
        return Outcome(item.path, Status.LABELLED, line, checksum=digest, entry=entry)

    def _ours(self, path: str) -> bool:
        """Whether what is at the output's place has our label: then a worker that died has put it there."""
        assert self._labeler is not None
        with self.job.output.lend(path) as local:
            findings = _verified(local, Check((self._labeler.profile,), visible=False)).findings
        return any(
            finding.value.get("ContentProducer") == self._labeler.producer
            for finding in findings
            if finding.kind == "aigc"
        )

    def _line(self, path: str, done: LabeledFile, digest: str, common: Mapping[str, Any], start: float) -> bytes:
        return line_of(
            path, Status.LABELLED, seconds=time.perf_counter() - start, media_type=done.report.media_type, output=path,
            output_size=done.size, sha256=digest, content_id=done.label.content_id, how=list(done.how),
            lost=[loss.to_dict() for loss in done.lost] or None,
            origin=done.report.origin, verdicts=_short(done.report), **common,
        )  # fmt: skip

    def _adopted(self, task: Task, common: Mapping[str, Any], start: float) -> Outcome | None:
        """The outcome of a file that a killed run had finished, and told the ledger, but not its journal."""
        if task.recorded is None or not self.job.output.exists(task.item.path):
            return None
        labeler = self._labeler
        assert labeler is not None
        with self.job.output.lend(task.item.path) as path:
            if (digest := sha256(path)) != task.recorded:
                return None
            report = _verified(path, Check((labeler.profile,), visible=labeler.visible))
            size = path.stat().st_size
        fields: Mapping[str, Any] = next((finding.value for finding in report.findings if finding.kind == "aigc"), {})
        line = line_of(
            task.item.path, Status.LABELLED, seconds=time.perf_counter() - start, media_type=report.media_type,
            output=task.item.path, output_size=size, sha256=digest, content_id=fields.get("ProduceID"),
            how=["found finished after an interruption"], origin=report.origin, verdicts=_short(report), **common,
        )  # fmt: skip
        return Outcome(task.item.path, Status.LABELLED, line, checksum=digest)

    def _changed(self, own: tuple[tuple[str, str], ...]) -> Labeler:
        """The labeler for what a file list says of a file: other wording, another generator."""
        labeler = self._labeler
        assert labeler is not None
        values = dict(own)
        changes: dict[str, Any] = {key: values[key] for key in ("generator", "generator_version") if key in values}
        if "text" in values:
            from labeling.marks.visible import Style

            changes["style"] = (
                replace(labeler.style, text=values["text"]) if labeler.style else Style(text=values["text"])
            )
        return replace(labeler, **changes) if changes else labeler


class Taken(LabelingError):
    """The output's name is taken."""


class Unnameable(LabelingError):
    """An object's name, with ``//`` in it, would be another's in a folder."""


class Changed(Exception):
    """The source is not the file any more that was read."""


class _named(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a verb where it is used
    """Lets messages speak of the file as the user knows it, not of a temporary copy."""

    def __init__(self, local: Path, path: str) -> None:
        self._local, self._path = str(local), path

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, LabelingError) and self._local in str(error):
            raise type(error)(str(error).replace(self._local, self._path)) from error


def _verified(path: Path, check: Check) -> Report:
    from labeling.verification.verifier import verify

    return verify(path, **check.arguments())


def _short(report: Report) -> dict[str, Any]:
    return {
        name: {
            "verdict": str(verdict.outcome),
            "failed": [defect.rule for defect in verdict.failed],
            "warnings": [defect.rule for defect in verdict.warnings],
        }
        for name, verdict in report.verdicts.items()
    }


_STATUS: tuple[tuple[type[LabelingError], Status], ...] = (
    (UnsupportedFormat, Status.UNSUPPORTED),
    (LabelConflict, Status.REFUSED),
    (Taken, Status.REFUSED),
    (Unnameable, Status.REFUSED),
)


def problem_of(error: Exception, path: str) -> Problem:
    """An error as it stands in the results: its kind, and a line without the path, which stands beside it."""
    if isinstance(error, LabelingError):
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), Status.FAILED)
        return Problem(status, type(error).__name__, _one_line(str(error).removeprefix(f"{path}: ")))
    if isinstance(error, MemoryError):
        return Problem(Status.FAILED, "MemoryError", "there is not enough memory for it; use fewer --workers")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(Status.FAILED, "WriteError", "the disk is full")
    message = f"an error of aigc-label itself; please report it ({type(error).__name__}: {error})"
    return Problem(Status.FAILED, "Internal", _one_line(message))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
