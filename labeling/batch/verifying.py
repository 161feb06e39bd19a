"""Verifying one file of a run."""

from __future__ import annotations

from dataclasses import replace

from labeling.batch.declared import declaration
from labeling.batch.job import Attempt, Job
from labeling.batch.outputs import short_verdicts, verified
from labeling.batch.task import Outcome, Status, result_line
from labeling.errors import error_context


class Verifying:
    """Verifies the files of a run.

    Args:
        job: What is to be done with every file.
    """

    def __init__(self, job: Job) -> None:
        assert job.check is not None
        self._check = job.check

    def process(self, attempt: Attempt) -> Outcome:
        """Verify a file. Its result holds the whole report."""
        path = attempt.task.item.path
        with error_context(path, replacing=str(attempt.local)):
            declared = declaration(dict(attempt.task.item.overrides).get("declared"))
            report = verified(attempt.local, replace(self._check, declared_ai=declared) if declared else self._check)
        line = result_line(
            path, Status.VERIFIED, seconds=attempt.seconds, media_type=report.media_type, origin=report.origin,
            verdicts=short_verdicts(report), report=report.to_dict() | {"path": path}, **attempt.common,
        )  # fmt: skip
        return Outcome(path, Status.VERIFIED, line)
