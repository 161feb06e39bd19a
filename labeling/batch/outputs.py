"""The outputs of a run: which names may be written to, and what an interrupted run has left finished."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling import containers
from labeling.batch.job import Check, Job
from labeling.batch.storage import normalized_path
from labeling.batch.task import Task
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


def require_free(task: Task, job: Job, labeler: Labeler | None = None) -> None:
    """Check that a task may write its output.

    Args:
        task: The task.
        job: What the run does.
        labeler: How it labels: an output with this producer's label, at which a worker died, is ours.

    Raises:
        LabelingError: The name is taken, or cannot be used in the target.
    """
    path, target = task.output_path, job.target
    if target is None:
        return
    if target.local and normalized_path(path) != path:
        raise Unnameable("no file can have this name", path=path, hint="rename the object, or name a bucket")
    if task.may_replace or not target.exists(path):
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


def recorded(task: Task, job: Job) -> tuple[str, int] | None:
    """Return SHA-256 and size of the output that a killed run had finished and recorded in the ledger, if any."""
    if task.recorded_checksum is None or not job.output.exists(task.output_path):
        return None
    with job.output.fetch(task.output_path) as local:
        digest = sha256(local)
        return (digest, local.stat().st_size) if digest == task.recorded_checksum else None


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


def store_manifest(path: str, target: Path, job: Job) -> None:
    """Store the C2PA manifest that was made beside a local copy."""
    if job.output.local or not sidecar_of(target).exists():
        return
    with job.output.store(str(sidecar_of(path)), replaces_source=job.in_place) as remote:
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
