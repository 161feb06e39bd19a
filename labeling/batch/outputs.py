"""The outputs of a run: which names may be written to, and what an interrupted run has left finished."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling import containers
from labeling.batch.job import Attempt, Check, Job
from labeling.batch.object_properties import Carried
from labeling.batch.storage import normalized_path
from labeling.batch.task import Known, Task
from labeling.errors import LabelingError
from labeling.files import sha256
from labeling.verification.verifier import sidecar_of

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.verification.report import Report

FOUND_FINISHED = "found finished after an interruption"
"""What the results say of an output that a killed run had completed."""


class Taken(LabelingError):
    """There is already something with the output's name."""


class Unnameable(LabelingError):
    """The object's name, with ``//`` in it, would be the name of another file in a folder."""


def require_free(attempt: Attempt, job: Job, labeler: Labeler | None = None) -> None:
    """Check that the output may be written.

    Args:
        attempt: The attempt at its source.
        job: What the run does.
        labeler: How it labels: an output with this producer's label, at which a worker died, is ours.

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
    if task.moved_from and not task.overwrite and attempt.source_sha256 != task.known.source_sha256:
        known = "has" if task.known.source_sha256 else "may have"
        raise Taken(
            f"the file of this name at {task.moved_from}, from which the output was made, {known} other content",
            path=path, hint="`overwrite=True` replaces the output; for another archive, use another target",
        )  # fmt: skip
    if task.may_replace:
        return
    if not (task.interrupted and (task.output_was_free or _has_label_of(labeler, path, job))):
        raise Taken("is there already, and not by this run", path=path, hint="`overwrite=True` replaces it")


def _has_label_of(labeler: Labeler | None, path: str, job: Job) -> bool:
    if labeler is None:
        return False
    with job.output.fetch(path) as local:
        findings = verified(local, Check((labeler.profile,), visible=False, isolate=False)).findings
    return any(
        finding.value.get("ContentProducer") == labeler.producer for finding in findings if finding.kind == "aigc"
    )


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


def fetch_manifest(path: str, local: Path, job: Job) -> None:
    """Put the C2PA manifest that is beside a remote video beside its local copy."""
    if job.source.local:
        return
    with local.open("rb") as file:
        row = containers.identify(file.read(containers.formats.HEAD))
    if row is None or row.manifest != "beside" or not job.source.exists(str(sidecar_of(path))):
        return
    with job.source.fetch(str(sidecar_of(path))) as copy:
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
