"""Moving the output of a file that has another name than before."""

from __future__ import annotations

import shutil

from labeling.batch.job import Attempt, Job
from labeling.batch.outputs import carried, has_manifest_beside, require_free, shown
from labeling.batch.storage import Folder
from labeling.batch.task import Outcome, Renamed, Status, WriteRefused, result_line
from labeling.files import sha256
from labeling.verification.manifest import sidecar_of

_OWN = frozenset(
    {"path", "status", "attempts", "seconds", "time", "size", "stamp", "source_sha256", "list", "output", "remade"}
    | {"moved_from", "generation"}
)
"""What a result says of its own file and time, and not of the output."""


def moved(attempt: Attempt, job: Job, renamed: Renamed) -> Outcome | None:
    """Give the output of a renamed file its new name. A killed session may have done so already.

    Args:
        attempt: The attempt at the file. Its content is that of the earlier name.
        job: What the run does.
        renamed: The earlier name.

    Returns:
        The outcome: what the earlier result says, with the new name. ``None`` if the output is not as it was written.

    Raises:
        LabelingError: There is something else with the new name, or the output cannot be moved.
    """
    task, known = attempt.task, renamed.known
    new, status = task.output_path, Status(renamed.line["status"])
    left: list[str] = []
    if job.in_place:
        pass  # whoever has given the file another name has done the same with its output
    elif not _has(job, new, known.output_sha256):
        if new == renamed.output or not _has(job, renamed.output, known.output_sha256):
            return None
        require_free(attempt, job)
        left = _move(attempt, job, renamed, new)
        task.may_replace = True  # it is ours, should the source change now
    elif new != renamed.output and _has(job, renamed.output, known.output_sha256):
        left = _removed(job, renamed.output)  # a session was killed between copying and removing
    kept = {name: value for name, value in renamed.line.items() if name not in _OWN}
    if left:
        kept["how"] = [*(kept.get("how") or ()), *left]
    line = result_line(
        task.item.path, status, seconds=attempt.seconds, output=new, generation=shown(known.generation), **kept,
        **attempt.common,
    )  # fmt: skip
    return Outcome(
        task.item.path, status, line, output=new, output_size=renamed.output_size, output_sha256=known.output_sha256,
        content_id=known.content_id, generation=known.generation,
    )  # fmt: skip


def _has(job: Job, path: str, digest: str) -> bool:
    if job.output.size(path) is None:
        return False
    with job.output.fetch(path) as local:
        return sha256(local) == digest


def _removed(job: Job, path: str) -> list[str]:
    """Remove an output under its earlier name; if the store does not permit it, return what the result is to say."""
    try:
        job.output.remove(path)
    except WriteRefused:
        return [f"the output is still there under its earlier name as well, {path}: it may not be removed"]
    return []


def _move(attempt: Attempt, job: Job, renamed: Renamed, new: str) -> list[str]:
    names = [(renamed.output, new)]
    beside = (str(sidecar_of(renamed.output)), str(sidecar_of(new)))
    if has_manifest_beside(attempt.local) and job.output.exists(beside[0]) and not job.output.exists(beside[1]):
        names.insert(0, beside)  # first: what is killed in between is found by the output itself
    left = []
    for old, name in names:
        if isinstance(job.output, Folder):
            job.output.move(old, name)
            continue
        properties = carried(
            attempt, job, strict=False, format=None if job.conversion is None else job.conversion.format
        )
        if properties is not None and name == beside[1]:
            properties = properties.for_sidecar()
        with job.output.fetch(old) as local, job.output.store(name, carried=properties) as copy:
            shutil.copyfile(local, copy)
        left += _removed(job, old)
    known = renamed.line.get("lost", ())
    attempt.lost[:] = [loss for loss in attempt.lost if loss.to_dict() not in known]
    return left
