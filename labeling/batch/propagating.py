"""The platform's half of the rules for one file of a run: which class it belongs to, and the label that follows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labeling import containers
from labeling.batch.declared import declaration
from labeling.batch.job import Attempt, Job
from labeling.batch.outputs import (
    REMOVED,
    adopted,
    carried,
    fetch_manifest,
    had_before,
    labelled,
    open_target,
    remove_earlier,
    require_free,
    shown,
    store_manifest,
)
from labeling.batch.task import Outcome, Status, record_key, result_line
from labeling.errors import UnsupportedFormat, error_context
from labeling.pipelines.classification import Classification, classify, write_label


class Propagating:
    """Labels the files of a run as a platform must (Labelling Measures Art. 6). The signer is made once.

    Args:
        job: What is to be done with every file.

    Raises:
        LabelingError: The signer cannot be made.
    """

    def __init__(self, job: Job) -> None:
        assert job.propagation is not None
        self.job, self._how = job, job.propagation
        self._signer = self._how.signer() if self._how.signer is not None else None

    def process(self, attempt: Attempt) -> Outcome:
        """Classify a file and write the label of its class, or adopt the output of a killed run."""
        kept = adopted(attempt, self.job, self._how.profile, visible=self._how.visible)
        if kept is not None:
            return kept
        item, job, how = attempt.task.item, self.job, self._how
        own = dict(item.overrides)
        with error_context(item.path, replacing=str(attempt.local)):
            fetch_manifest(item.path, attempt.local, job)
            found = classify(
                attempt.local, declared=declaration(own.get("declared")), decision=own.get("decision"),
                reviewer=own.get("reviewer", ""), reason=own.get("reason", ""), visible=how.visible, trust=how.trust,
                max_pixels=how.max_pixels, isolate=how.isolate or False, profile=how.profile,
            )  # fmt: skip
        if found.decision == "none":
            return self._nothing_found(attempt, found)
        if not found.decision and _is_unknown(attempt.local):
            raise UnsupportedFormat(found.unread[0], path=item.path)
        require_free(attempt, job, self._is_ours)
        properties = carried(attempt, job, strict=how.strict)
        target = open_target(attempt, job, properties)
        number = own.get("propagate_id") or had_before(attempt, job)
        with error_context(item.path, replacing=str(attempt.local)), error_context(item.path, replacing=str(target)):
            found = write_label(
                found, attempt.local, target, propagator=how.propagator, propagate_id=number,
                security=how.security, notice=how.notice, signer=self._signer, profile=how.profile,
                in_place=target == attempt.local, strict=how.strict, keep_times=how.keep_times,
            )  # fmt: skip
            store_manifest(item.path, target, job, properties)
        assert found.labeled is not None
        entries = self._entries(attempt, found)
        facts = {"content_id": found.labeled.label.propagate_id} | _decided(found)
        return labelled(attempt, found.labeled, target, job, entries, **facts)

    def _is_ours(self, fields: Mapping[str, Any]) -> bool:
        return fields.get("ContentPropagator") == self._how.propagator

    def _nothing_found(self, attempt: Attempt, found: Classification) -> Outcome:
        """Return the outcome of a file without a label, a declaration or a trace: nothing is written.

        If it had one before, its content or the list has changed. A platform must not publish what was made then.
        """
        path = attempt.task.item.path
        removed = remove_earlier(attempt, self.job, self._is_ours)
        line = result_line(
            path, Status.CLASSIFIED, seconds=attempt.seconds, media_type=found.report.media_type,
            origin=found.report.origin, generation=shown(self.job.generation), how=[REMOVED] if removed else None,
            **_decided(found), **attempt.common,
        )  # fmt: skip
        before = attempt.task.recorded  # by a session that was killed
        recorded = before is not None and before.output_sha256 == found.sha256
        return Outcome(path, Status.CLASSIFIED, line, entries=() if recorded else self._entries(attempt, found))

    def _entries(self, attempt: Attempt, found: Classification) -> tuple[Any, ...]:
        if not self.job.record:
            return ()
        from labeling.ledger import entries_of_classification

        item = attempt.task.item
        key = record_key(self.job.run_id, self.job.generation, item, in_place=self.job.in_place)
        return tuple(entries_of_classification(found, source=item.path, key=key))


def _is_unknown(path: Path) -> bool:
    with path.open("rb") as file:
        return containers.identify(file.read(containers.formats.HEAD)) is None


def _decided(found: Classification) -> dict[str, Any]:
    facts: dict[str, Any] = {"decision": found.decision, "evidence": [each.mark for each in found.evidence] or None}
    return facts | ({"automatic": found.automatic, "reviewer": found.reviewer} if found.reviewer else {})
