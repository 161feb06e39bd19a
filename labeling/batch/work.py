"""What a worker does with one file: fetch it, label or verify it, and store the result."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

from labeling import containers, isolation
from labeling.batch.conversion import Conversion
from labeling.batch.storage import Folder, Storage, ThroughLink, normalized_path
from labeling.batch.task import (
    Outcome,
    Overrides,
    Problem,
    Status,
    StoreDown,
    Task,
    problem_outcome,
    record_key,
    result_line,
)
from labeling.errors import InternalError, LabelConflict, LabelingError, UnsupportedFormat, WouldLose, error_context
from labeling.files import sha256
from labeling.gates import OutOfMemory, as_ours
from labeling.inert import without_secrets
from labeling.options.isolation import LONGEST, Limits
from labeling.verification.verifier import sidecar_of

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Trust
    from labeling.pipelines.output import LabeledFile
    from labeling.verification.report import Report

MAX_ATTEMPTS = 3
"""How often a file is tried that changes while it is read."""

MAX_MESSAGE = 500
"""Characters of a message in the results."""


@dataclass(frozen=True)
class Check:
    """How a run verifies files: the arguments of :func:`labeling.verify`, which documents them, for all files.

    ``isolate`` is true by default, where there are isolated processes; the run's ``timeout`` holds for them.
    """

    profile: tuple[str, ...] = ("cn",)
    visible: bool = True
    trust: Trust | Literal["shipped", "none"] | None = "shipped"
    declared_ai: bool = False
    max_pixels: int | None = None
    pinned: tuple[bytes, ...] = ()
    everywhere: bool = False
    min_confidence: float = 0.0
    isolate: bool | Limits | None = None
    as_of: date | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for :func:`labeling.verify`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def within(self, timeout: float | None) -> Check:
        """Return the check with what ``isolate`` means in a run with this ``timeout``."""
        if self.isolate is None and not isolation.is_supported():
            return replace(self, isolate=False)
        if self.isolate in (None, True):
            return replace(self, isolate=Limits(timeout=LONGEST if timeout is None else min(timeout, LONGEST)))
        return self


@dataclass(frozen=True)
class Job:
    """What is to be done with every file of a run. Each worker gets it once.

    Attributes:
        source: Where the files are.
        target: Where labelled files go; ``None`` if files are labelled in place, or only verified.
        make_labeler: Makes the labeler in the process that uses it: keys are never sent to another process.
        check: How to verify, instead of labelling.
        conversion: How to convert pictures, instead of labelling.
        checksum: Compute the SHA-256 of every source.
        record: Make entries for the ledger.
        run_id: The run's id, which is part of the keys of its records.
        threads: Threads that each worker's libraries may use.
        folder: The run's folder, in which workers hold the lock.
    """

    source: Storage
    target: Storage | None
    make_labeler: Callable[[], Labeler] | None = None
    check: Check | None = None
    conversion: Conversion | None = None
    checksum: bool = False
    record: bool = False
    run_id: str = ""
    threads: int = 1
    folder: Path | None = None

    @property
    def output(self) -> Storage:
        """Where labelled files go: the target, or the source if files are labelled in place."""
        return self.target if self.target is not None else self.source

    @property
    def in_place(self) -> bool:
        """Whether the source's files are replaced by labelled ones."""
        return self.target is None and self.check is None

    @property
    def uses_ocr(self) -> bool:
        """Whether workers read visible labels, which takes memory."""
        return self.conversion is not None or (self.check is not None and self.check.visible)


class Taken(LabelingError):
    """There is already something with the output's name."""


class Unnameable(LabelingError):
    """The object's name, with ``//`` in it, would be the name of another file in a folder."""


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
        self._labeler = job.make_labeler() if job.make_labeler is not None else None
        if self._labeler is not None and self._labeler.visible:
            import labeling.codecs.jpeg.paint  # noqa: F401 - now, so that the first file takes no longer than others

        convert = job.conversion
        self._signer = convert.signer() if convert is not None and convert.signer is not None else None
        self._labeler_for = lru_cache(64)(self._make_labeler_for)

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
                problem = problem_of(error, task.item.path)
                outcome = problem_outcome(task.item, problem, attempts=attempts, seconds=seconds)
                return replace(outcome, store_failed=isinstance(error, StoreDown))
        message = f"it changed while it was read, {MAX_ATTEMPTS} times; run again later"
        return problem_outcome(
            task.item, Problem(Status.FAILED, "Changed", message), attempts=task.crashes + MAX_ATTEMPTS,
            seconds=time.perf_counter() - start,
        )  # fmt: skip

    def _attempt(self, task: Task, start: float) -> Outcome:
        item, job = task.item, self.job
        size, stamp = job.source.version(item.path)
        with ExitStack() as stack:
            local = stack.enter_context(job.source.fetch(item.path))
            checksum = sha256(local) if job.checksum else ""
            if task.known_checksum is not None and task.known_checksum == checksum:
                return Outcome(item.path, Status.LABELLED, size=size, unchanged=True)
            common = {"attempts": task.crashes + 1, "size": size}
            if job.check is not None:
                with error_context(item.path, replacing=str(local)):
                    report = _verify(local, job.check)
                outcome = self._verified(item.path, report, common, start)
            elif job.conversion is not None:
                outcome = self._convert(task, local, stack, common, start)
            else:
                outcome = self._adopt(task, common, start) or self._label(task, local, stack, common, start)
            self._check_unchanged(task, size, stamp)
        if job.in_place:
            size, stamp = job.source.version(item.path)
            checksum = outcome.checksum if job.checksum else ""  # of the file as it is now
        return replace(outcome, size=size, stamp=stamp, checksum=checksum)

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

    def _verified(self, path: str, report: Report, common: Mapping[str, Any], start: float) -> Outcome:
        line = result_line(
            path, Status.VERIFIED, seconds=time.perf_counter() - start, media_type=report.media_type,
            origin=report.origin, verdicts=_short_verdicts(report), report=report.to_dict() | {"path": path}, **common,
        )  # fmt: skip
        return Outcome(path, Status.VERIFIED, line)

    def _label(self, task: Task, local: Path, stack: ExitStack, common: Mapping[str, Any], start: float) -> Outcome:
        item, job = task.item, self.job
        self._check_output_name(task)
        overrides = dict(item.overrides)
        labeler = self._labeler_for(tuple((key, value) for key, value in item.overrides if key != "content_id"))
        in_place = job.in_place and job.source.local
        target = local if in_place else stack.enter_context(job.output.store(item.path, replaces_source=job.in_place))
        with error_context(item.path, replacing=str(local)), error_context(item.path, replacing=str(target)):
            self._fetch_manifest(item.path, local)
            done = labeler.label_file(local, target, content_id=overrides.get("content_id"), in_place=in_place)
            self._store_manifest(item.path, target)
        entry = None
        if job.record:
            from labeling.ledger import entry_of

            key = record_key(job.run_id, item, in_place=job.in_place)
            entry = replace(entry_of(done, key=key, profile=labeler.profile), source=item.path, output=item.path)
        digest = entry.sha256 if entry is not None else sha256(target)
        line = self._labelled_line(item.path, done, digest, common, start)
        return Outcome(item.path, Status.LABELLED, line, checksum=digest, entry=entry)

    def _fetch_manifest(self, path: str, local: Path) -> None:
        """Put the C2PA manifest that is beside a remote video beside its local copy."""
        if self.job.source.local:
            return
        with local.open("rb") as file:
            row = containers.identify(file.read(containers.formats.HEAD))
        if row is None or row.manifest != "beside" or not self.job.source.exists(str(sidecar_of(path))):
            return
        with self.job.source.fetch(str(sidecar_of(path))) as copy:
            shutil.copyfile(copy, sidecar_of(local))

    def _store_manifest(self, path: str, target: Path) -> None:
        """Store the C2PA manifest that was made beside a local copy."""
        if self.job.output.local or not sidecar_of(target).exists():
            return
        with self.job.output.store(str(sidecar_of(path)), replaces_source=self.job.in_place) as remote:
            shutil.copyfile(sidecar_of(target), remote)

    def _check_output_name(self, task: Task) -> None:
        """Raise an error if the output's name is taken, or cannot be used in the target."""
        path, target = task.output_path, self.job.target
        if target is None:
            return
        if target.local and normalized_path(path) != path:
            raise Unnameable("no file can have this name", path=path, hint="rename the object, or name a bucket")
        if task.may_replace or not target.exists(path):
            return
        if not (task.interrupted and (task.output_was_free or self._has_our_label(path))):
            raise Taken("is there already, and not by this run", path=path, hint="`overwrite=True` replaces it")

    def _has_our_label(self, path: str) -> bool:
        """Return whether an output has our label. If a worker died at it, that worker has written it."""
        if self._labeler is None:
            return False
        with self.job.output.fetch(path) as local:
            findings = _verify(local, Check((self._labeler.profile,), visible=False, isolate=False)).findings
        return any(
            finding.value.get("ContentProducer") == self._labeler.producer
            for finding in findings
            if finding.kind == "aigc"
        )

    def _labelled_line(
        self, path: str, done: LabeledFile, digest: str, common: Mapping[str, Any], start: float
    ) -> bytes:
        return result_line(
            path, Status.LABELLED, seconds=time.perf_counter() - start, media_type=done.report.media_type, output=path,
            output_size=done.size, sha256=digest, content_id=done.label.content_id, how=list(done.how),
            lost=[loss.to_dict() for loss in done.lost] or None,
            origin=done.report.origin, verdicts=_short_verdicts(done.report), **common,
        )  # fmt: skip

    def _adopt(self, task: Task, common: Mapping[str, Any], start: float) -> Outcome | None:
        """Return the outcome of a file that a killed run had finished and recorded in the ledger, not in its journal.

        ``None`` if there is no such output.
        """
        path = task.item.path
        if (kept := self._recorded_output(task)) is None:
            return None
        digest, size = kept
        labeler = self._labeler
        assert labeler is not None
        with self.job.output.fetch(path) as local:
            report = _verify(local, Check((labeler.profile,), visible=labeler.visible, isolate=False))
        fields: Mapping[str, Any] = next((finding.value for finding in report.findings if finding.kind == "aigc"), {})
        line = result_line(
            path, Status.LABELLED, seconds=time.perf_counter() - start, media_type=report.media_type, output=path,
            output_size=size, sha256=digest, content_id=fields.get("ProduceID"),
            how=["found finished after an interruption"], origin=report.origin, verdicts=_short_verdicts(report),
            **common,
        )  # fmt: skip
        return Outcome(path, Status.LABELLED, line, checksum=digest)

    def _convert(self, task: Task, local: Path, stack: ExitStack, common: Mapping[str, Any], start: float) -> Outcome:
        from labeling.pipelines.conversion import convert

        item, job = task.item, self.job
        assert job.conversion is not None
        kept = self._recorded_output(task)
        if kept is not None:  # all is known but what was lost, which a dry run tells
            target = local.parent / "kept" / PurePath(task.output_path).name
        else:
            self._check_output_name(task)
            target = stack.enter_context(job.output.store(task.output_path))
        with error_context(item.path, replacing=str(local)), error_context(item.path, replacing=str(target)):
            done = convert(local, target, signer=self._signer, dry_run=kept is not None, **job.conversion.arguments())
        entry = None
        if job.record and kept is None:
            from labeling.ledger.entry import entry_of_copy

            entry = entry_of_copy(
                done, source=item.path, output=task.output_path, key=record_key(job.run_id, item, in_place=False)
            )
        digest, size = kept if kept is not None else (entry.sha256 if entry else sha256(target), done.size)
        how = [*done.how, *(["found finished after an interruption"] if kept is not None else [])]
        line = result_line(
            item.path, Status.CONVERTED, seconds=time.perf_counter() - start, media_type=done.report.media_type,
            output=task.output_path, output_size=size, sha256=digest, width=done.width, height=done.height, how=how,
            lost=[loss.to_dict() for loss in done.lost] or None, origin=done.report.origin,
            verdicts=_short_verdicts(done.report), **common,
        )  # fmt: skip
        return Outcome(item.path, Status.CONVERTED, line, checksum=digest, entry=entry)

    def _recorded_output(self, task: Task) -> tuple[str, int] | None:
        """Return SHA-256 and size of the output that a killed run had finished and recorded in the ledger, if any."""
        if task.recorded_checksum is None or not self.job.output.exists(task.output_path):
            return None
        with self.job.output.fetch(task.output_path) as local:
            digest = sha256(local)
            return (digest, local.stat().st_size) if digest == task.recorded_checksum else None

    def _make_labeler_for(self, overrides: Overrides) -> Labeler:
        """Return the labeler for what a file list says about a file: another wording or generator."""
        labeler = self._labeler
        assert labeler is not None
        values = dict(overrides)
        changes: dict[str, Any] = {key: values[key] for key in ("generator", "generator_version") if key in values}
        if "text" in values:
            from labeling.marks.visible import Style

            changes["style"] = (
                replace(labeler.style, text=values["text"]) if labeler.style else Style(text=values["text"])
            )
        return replace(labeler, **changes) if changes else labeler


def _verify(path: Path, check: Check) -> Report:
    from labeling.verification.verifier import verify

    return verify(path, **check.arguments())


def _short_verdicts(report: Report) -> dict[str, Any]:
    return {
        name: {
            "verdict": str(verdict.outcome),
            "failed": [defect.rule for defect in verdict.failed],
            "warnings": [defect.rule for defect in verdict.warnings],
        }
        for name, verdict in report.verdicts.items()
    }


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
    names = (str(ours.path),) if isinstance(ours, Taken) and ours.path != path else ()
    kind = next((name for kind, name in _KINDS if isinstance(ours, kind)), type(ours).__name__)
    return Problem(status, kind, _one_line(text.removeprefix(f"{path}: ")), names)


_KINDS: tuple[tuple[type[LabelingError], str], ...] = ((InternalError, "Internal"), (OutOfMemory, "MemoryError"))
"""Kinds of errors that have another name in the results."""


def _one_line(text: str) -> str:
    return " ".join(without_secrets(text).split())[:MAX_MESSAGE]
