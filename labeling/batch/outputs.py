"""The outputs of a run: which names may be written to, and what an interrupted run has left finished."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labeling import containers
from labeling.batch.adoption import SOURCE_SHA256
from labeling.batch.job import Attempt, Check, Job
from labeling.batch.object_properties import Carried
from labeling.batch.object_store import changed
from labeling.batch.storage import Storage, normalized_path
from labeling.batch.task import FOUND, Known, Outcome, Status, Task, result_line
from labeling.errors import LabelingError
from labeling.files import sha256
from labeling.verification.manifest import sidecar_of

if TYPE_CHECKING:
    from labeling.ledger import Entry
    from labeling.pipelines.output import LabeledFile
    from labeling.verification.report import Report

FOUND_FINISHED = f"{FOUND} after an interruption"
"""What the results say of an output that a killed run had completed."""

ADOPTED = f"{FOUND}; the ledger has it"
"""What the results say of an output that only the ledger knew."""


FOUND_AS_MADE = f"{FOUND}, by a run of which nothing else is left"
"""What the results say of an output that neither journal nor ledger knew, and that labelling its source gives."""


REMOVED = "the output of an earlier result was removed: the file needs no label any more"
"""What the results say of a file that had an output, and has none now."""


class AboutAnother(LabelingError):
    """An error whose message names other files, which the causes in the report leave out.

    Attributes:
        names: The files.
    """

    names: tuple[str, ...] = ()

    def about(self, *names: str) -> Self:
        """Say which files the message names."""
        self.names = names
        return self


class Taken(AboutAnother):
    """There is already something with the output's name.

    Attributes:
        sha256: Its digest, if the ledger may know it.
        ours: It has our label.
    """

    sha256 = ""
    ours = False


class Unnameable(LabelingError):
    """The object's name, with ``//`` in it, would be the name of another file in a folder."""


IsOurs = Callable[[Mapping[str, Any]], bool]
"""Whether the fields of an AIGC label are those that this run writes."""


def require_free(attempt: Attempt, job: Job, is_ours: IsOurs | None = None) -> None:
    """Check that the output may be written.

    Args:
        attempt: The attempt at its source.
        job: What the run does.
        is_ours: Knows this run's label: an output that has it, at which a worker died, is ours.

    Raises:
        LabelingError: The name is taken, or cannot be used in the target.
    """
    task, target = attempt.task, job.target
    path = task.output_path
    if target is None:
        return
    if target.local and normalized_path(path) != path:
        raise Unnameable("no file can have this name", path=path, hint="rename the object, or name a bucket")
    if not target.exists(path):
        return
    _require_same_archive(attempt)
    if task.may_replace:
        return
    if job.lost_since and not target.local:
        task.interrupted = task.interrupted or changed(target.look(path).details) >= job.lost_since
    asks = job.record and not task.asked
    ours = not asks and _has_label(is_ours, path, job)
    if task.interrupted and (task.output_was_free or ours):
        return
    taken = Taken("is there already, and not by this run", path=path, hint="`overwrite=True` replaces it")
    taken.ours = ours
    if asks:
        with target.fetch(path) as local:
            taken.sha256 = sha256(local)
    raise taken


def _require_same_archive(attempt: Attempt) -> None:
    """Raise :class:`Taken` if the output that is there was made from a file of another archive."""
    task = attempt.task
    if task.moved_from and not task.overwrite and attempt.source_sha256 != task.known.source_sha256:
        known = "has" if task.known.source_sha256 else "may have"
        raise Taken(
            f"the file of this name at {task.moved_from}, from which the output was made, {known} other content",
            path=task.output_path, hint="`overwrite=True` replaces the output; for another archive, use another target",
        )  # fmt: skip


def remove_earlier(attempt: Attempt, job: Job, is_ours: IsOurs) -> bool:
    """Remove the output of an earlier result for a file that is to have none any more; return whether there was one.

    Only what this run has written is removed. A manifest beside it stays, as it does when outputs are pruned.

    Args:
        attempt: The attempt at its source.
        job: What the run does.
        is_ours: Knows this run's label: an output that has it, at which a worker died, is ours.

    Raises:
        LabelingError: It was changed since it was written, or cannot be removed.
    """
    task, target = attempt.task, job.target
    written = {each.output_sha256 for each in (task.known, task.recorded) if each is not None} - {""}
    if target is None or not (written or task.interrupted) or not target.exists(task.output_path):
        return False
    path = task.output_path
    with target.fetch(path) as local:
        as_written = sha256(local) in written
    if not as_written and not (task.interrupted and _has_label(is_ours, path, job)):
        if not written:
            return False  # another one's
        raise Taken(
            "it needs no label any more, and the output of an earlier result was changed since it was written",
            path=path, hint="remove or rename that output",
        )  # fmt: skip
    _require_same_archive(attempt)
    target.remove(path)
    return True


def _has_label(is_ours: IsOurs | None, path: str, job: Job) -> bool:
    if is_ours is None:
        return False
    with job.output.fetch(path) as local:
        findings = verified(local, Check((), visible=False, isolate=False)).findings
    return any(is_ours(finding.value) for finding in findings if finding.kind == "aigc")


def carried(attempt: Attempt, job: Job, *, strict: bool, format: str | None = None) -> Carried | None:
    """Return what the output is to have of the properties of its source, if both are objects that have any.

    Args:
        attempt: The attempt at the file.
        job: What the run does.
        strict: Refuse to store an output that would lack any.
        format: The output's format, if that may be another one than the source's.

    Raises:
        LabelingError: The store does not say what the source has.
    """
    if not job.output.keeps_properties:
        return None
    properties = job.source.properties(attempt.task.item.path, attempt.details)
    return None if properties is None else Carried(properties, format or "", strict, attempt.lost)


def found_finished(attempt: Attempt, job: Job) -> tuple[Known, int] | None:
    """Return what is known of an output that is there and is the one that journal or ledger tell of, and its size.

    Args:
        attempt: The attempt at its source. A journal tells of the output of one content, the ledger of a killed run's.
        job: What the run does.
    """
    task, known = attempt.task, attempt.task.known
    digest = known.output_sha256 if job.in_place else known.source_sha256
    candidates = [known] if digest == attempt.source_sha256 and not task.redo else []
    if task.recorded is not None:
        candidates.append(replace(task.recorded, generation=task.begun_in))
    wanted = {each.output_sha256: each for each in candidates if each.output_sha256}
    if not wanted or not job.output.exists(task.output_path):
        return None
    with job.output.fetch(task.output_path) as local:
        found = wanted.get(sha256(local))
        return None if found is None else (found, local.stat().st_size)


def is_as_written(task: Task, job: Job) -> bool:
    """Return whether the output has the SHA-256 that the journal has."""
    if not job.output.exists(task.output_path):
        return False
    with job.output.fetch(task.output_path) as local:
        return sha256(local) == task.known.output_sha256


def open_target(attempt: Attempt, job: Job, properties: Carried | None) -> Path:
    """Return where the output of an attempt is written: the file itself in a local folder that is labelled in place."""
    if job.in_place and job.source.local:
        return attempt.local
    store = job.output.store(attempt.task.item.path, replaces_source=job.in_place, carried=properties)
    return attempt.stack.enter_context(store)


def labelled(
    attempt: Attempt, done: LabeledFile, target: Path, job: Job, entries: Sequence[Entry] = (), **more: Any
) -> Outcome:
    """Return the outcome of a file that was labelled.

    Args:
        attempt: The attempt.
        done: The labelled file.
        target: Where it is.
        job: What the run does.
        entries: What the ledger is to record; the last one is of the label.
        more: What the result says beside that, or instead of it.
    """
    path = attempt.task.item.path
    digest = entries[-1].sha256 if entries else sha256(target)
    size = target.stat().st_size
    facts = {"content_id": done.label.content_id, "how": list(done.how), "generation": shown(job.generation)} | more
    line = result_line(
        path, Status.LABELLED, seconds=attempt.seconds, media_type=done.report.media_type, output=path,
        output_size=size, sha256=digest, lost=[loss.to_dict() for loss in done.lost] or None,
        origin=done.report.origin, verdicts=short_verdicts(done.report), **facts, **attempt.common,
    )  # fmt: skip
    generation = facts["generation"]
    return Outcome(
        path, Status.LABELLED, line, output=path, output_size=size, output_sha256=digest,
        content_id=facts["content_id"], generation=1 if generation is None else generation,
        entries=tuple(_of_batch(entry, attempt) for entry in entries),
    )  # fmt: skip


def _of_batch(entry: Entry, attempt: Attempt) -> Entry:
    details = dict(entry.details or {})
    if entry.kind == "label":
        details[SOURCE_SHA256] = str(attempt.common["source_sha256"])
    return replace(entry, output=attempt.task.item.path, details=details or None)


def adopted(attempt: Attempt, job: Job, profile: str, *, visible: bool) -> Outcome | None:
    """Return the outcome of a file that a killed run had finished and recorded in the ledger, not in its journal.

    ``None`` if there is no such output. The evidence of a decision is in the ledger alone then.
    """
    path = attempt.task.item.path
    if (kept := found_finished(attempt, job)) is None:
        return None
    known, size = kept
    with job.output.fetch(path) as local:
        report = verified(local, Check((profile,), visible=visible, isolate=False))
    fields: Mapping[str, Any] = next((finding.value for finding in report.findings if finding.kind == "aigc"), {})
    number = "ProduceID"
    decided: dict[str, Any] = {}
    if job.propagation is not None:
        own = dict(attempt.task.item.overrides)
        number = "PropagateID"
        decided = {"decision": own.get("decision", report.origin), "reviewer": own.get("reviewer")}
    content_id = known.content_id or fields.get(number)
    line = result_line(
        path, Status.LABELLED, seconds=attempt.seconds, media_type=report.media_type, output=path, output_size=size,
        sha256=known.output_sha256, content_id=content_id, origin=report.origin,
        how=[ADOPTED if attempt.task.asked else FOUND_FINISHED], verdicts=short_verdicts(report),
        generation=shown(known.generation), **decided, **attempt.common,
    )  # fmt: skip
    return Outcome(
        path, Status.LABELLED, line, output=path, output_size=size, output_sha256=known.output_sha256,
        content_id=content_id or "", generation=known.generation,
    )  # fmt: skip


def had_before(attempt: Attempt, job: Job) -> str | None:
    """Return the number that this content has had before."""
    known = attempt.task.known
    same = known.is_of(attempt.source_sha256) and not (job.in_place and not known.source_sha256)
    labelled_before = job.in_place and attempt.source_sha256 == known.output_sha256
    return (known.content_id or None) if same or labelled_before else None


def has_manifest_beside(local: Path) -> bool:
    """Return whether a file is of a format whose C2PA manifest is beside it."""
    with local.open("rb") as file:
        row = containers.identify(file.read(containers.formats.HEAD))
    return row is not None and row.manifest == "beside"


def fetch_manifest(path: str, local: Path, job: Job, storage: Storage | None = None) -> None:
    """Put the C2PA manifest that is beside a remote video, of the source or another storage, beside its local copy."""
    where = job.source if storage is None else storage
    if where.local or not has_manifest_beside(local) or not where.exists(str(sidecar_of(path))):
        return
    with where.fetch(str(sidecar_of(path))) as copy:
        shutil.copyfile(copy, sidecar_of(local))


def store_manifest(path: str, target: Path, job: Job, properties: Carried | None = None) -> None:
    """Store the C2PA manifest that was made beside a local copy, with some of the ``properties`` of its video."""
    if job.output.local or not sidecar_of(target).exists():
        return
    companion = None if properties is None else properties.for_sidecar()
    name = str(sidecar_of(path))
    with job.output.store(name, replaces_source=job.in_place, carried=companion) as remote:
        shutil.copyfile(sidecar_of(target), remote)


def verified(path: Path, check: Check) -> Report:
    """Return the report on a file."""
    from labeling.verification.verifier import verify

    return verify(path, **check.arguments())


def short_verdicts(report: Report) -> dict[str, Any]:
    """Return the verdicts of a report as the results have them."""
    return {
        name: {
            "verdict": str(verdict.outcome),
            "failed": [defect.rule for defect in verdict.failed],
            "warnings": [defect.rule for defect in verdict.warnings],
        }
        for name, verdict in report.verdicts.items()
    }


def shown(generation: int) -> int | None:
    """Return a generation as the results have it: the first is left out."""
    return None if generation == 1 else generation
