"""Converting one picture of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from labeling.batch.adoption import SOURCE_SHA256
from labeling.batch.job import Attempt, Job
from labeling.batch.outputs import ADOPTED, FOUND_FINISHED, carried, found_finished, require_free, short_verdicts, shown
from labeling.batch.task import Outcome, Status, record_key, result_line
from labeling.errors import error_context
from labeling.files import sha256


class Converting:
    """Converts the pictures of a run. The signer is made once.

    Args:
        job: What is to be done with every file.

    Raises:
        LabelingError: The signer cannot be made.
    """

    def __init__(self, job: Job) -> None:
        assert job.conversion is not None
        self.job, self._how = job, job.conversion
        self._signer = self._how.signer() if self._how.signer is not None else None

    def process(self, attempt: Attempt) -> Outcome:
        """Convert a picture, or adopt the output of a killed run."""
        from labeling.pipelines.conversion import convert

        task, local, job = attempt.task, attempt.local, self.job
        item = task.item
        kept = found_finished(attempt, job)
        if kept is not None:  # all is known but what was lost, which a dry run tells
            target = local.parent / "kept" / PurePath(task.output_path).name
        else:
            require_free(attempt, job)
            properties = carried(attempt, job, strict=self._how.strict, format=self._how.format)
            target = attempt.stack.enter_context(job.output.store(task.output_path, carried=properties))
        with error_context(item.path, replacing=str(local)), error_context(item.path, replacing=str(target)):
            done = convert(local, target, signer=self._signer, dry_run=kept is not None, **self._how.arguments())
        entry = None
        if job.record and kept is None:
            from labeling.ledger.making import entry_of_copy

            entry = entry_of_copy(
                done, source=item.path, output=task.output_path,
                key=record_key(job.run_id, job.generation, item, in_place=False),
                fingerprint=job.fingerprints,
            )  # fmt: skip
            entry = entry and replace(entry, details={SOURCE_SHA256: attempt.source_sha256})
        if kept is not None:
            digest, size, generation = kept[0].output_sha256, kept[1], kept[0].generation
        else:
            digest, size, generation = entry.sha256 if entry else sha256(target), done.size, job.generation
        how = [*done.how, *([ADOPTED if task.asked else FOUND_FINISHED] if kept is not None else [])]
        line = result_line(
            item.path, Status.CONVERTED, seconds=attempt.seconds, media_type=done.report.media_type,
            output=task.output_path, output_size=size, sha256=digest, width=done.width, height=done.height, how=how,
            lost=[loss.to_dict() for loss in done.lost] or None, origin=done.report.origin,
            verdicts=short_verdicts(done.report), generation=shown(generation), **attempt.common,
        )  # fmt: skip
        return Outcome(
            item.path, Status.CONVERTED, line, output=task.output_path, output_size=size, output_sha256=digest,
            generation=generation, entries=(entry,) if entry is not None else (),
        )  # fmt: skip
