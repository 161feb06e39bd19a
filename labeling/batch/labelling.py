"""Labelling one file of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from labeling.batch.job import Attempt, Check, Job
from labeling.batch.outputs import (
    FOUND_FINISHED,
    carried,
    fetch_manifest,
    found_finished,
    require_free,
    short_verdicts,
    shown,
    store_manifest,
    verified,
)
from labeling.batch.task import Outcome, Overrides, Status, record_key, result_line
from labeling.errors import error_context
from labeling.files import sha256

if TYPE_CHECKING:
    from labeling.labeler import Labeler


class Labelling:
    """Labels the files of a run. The labeler is made once.

    Args:
        job: What is to be done with every file.

    Raises:
        LabelingError: The labeler cannot be made.
    """

    def __init__(self, job: Job) -> None:
        assert job.make_labeler is not None
        self.job = job
        self._labeler = job.make_labeler()
        if self._labeler.visible:
            import labeling.codecs.jpeg.paint  # noqa: F401 - now, so that the first file takes no longer than others

        self._labeler_for = lru_cache(64)(self._make_labeler_for)

    def process(self, attempt: Attempt) -> Outcome:
        """Label a file, or adopt the output of a killed run."""
        return self._adopt(attempt) or self._label(attempt)

    def _label(self, attempt: Attempt) -> Outcome:
        task, local, job = attempt.task, attempt.local, self.job
        item = task.item
        require_free(attempt, job, self._labeler)
        labeler = self._labeler_for(tuple((key, value) for key, value in item.overrides if key != "content_id"))
        in_place = job.in_place and job.source.local
        properties = carried(attempt, job, strict=labeler.strict)
        store = job.output.store(item.path, replaces_source=job.in_place, carried=properties)
        target = local if in_place else attempt.stack.enter_context(store)
        with error_context(item.path, replacing=str(local)), error_context(item.path, replacing=str(target)):
            fetch_manifest(item.path, local, job)
            done = labeler.label_file(local, target, content_id=self._content_id(attempt), in_place=in_place)
            store_manifest(item.path, target, job, properties)
        entry = None
        if job.record:
            from labeling.ledger import entry_of

            key = record_key(job.run_id, job.generation, item, in_place=job.in_place)
            entry = replace(entry_of(done, key=key, profile=labeler.profile), source=item.path, output=item.path)
        digest = entry.sha256 if entry is not None else sha256(target)
        line = result_line(
            item.path, Status.LABELLED, seconds=attempt.seconds, media_type=done.report.media_type, output=item.path,
            output_size=done.size, sha256=digest, content_id=done.label.content_id, how=list(done.how),
            lost=[loss.to_dict() for loss in done.lost] or None, origin=done.report.origin,
            verdicts=short_verdicts(done.report), generation=shown(job.generation), **attempt.common,
        )  # fmt: skip
        return Outcome(
            item.path, Status.LABELLED, line, output=item.path, output_size=done.size, output_sha256=digest,
            content_id=done.label.content_id, entry=entry,
        )  # fmt: skip

    def _content_id(self, attempt: Attempt) -> str | None:
        """Return the number that the list gives, or that this content has had before."""
        if listed := dict(attempt.task.item.overrides).get("content_id"):
            return listed
        known = attempt.task.known
        same = known.is_of(attempt.source_sha256) and not (self.job.in_place and not known.source_sha256)
        labelled = self.job.in_place and attempt.source_sha256 == known.output_sha256
        return (known.content_id or None) if same or labelled else None

    def _adopt(self, attempt: Attempt) -> Outcome | None:
        """Return the outcome of a file that a killed run had finished and recorded in the ledger, not in its journal.

        ``None`` if there is no such output.
        """
        path = attempt.task.item.path
        if (kept := found_finished(attempt, self.job)) is None:
            return None
        known, size = kept
        with self.job.output.fetch(path) as local:
            report = verified(local, Check((self._labeler.profile,), visible=self._labeler.visible, isolate=False))
        fields: Mapping[str, Any] = next((finding.value for finding in report.findings if finding.kind == "aigc"), {})
        content_id = known.content_id or fields.get("ProduceID")
        line = result_line(
            path, Status.LABELLED, seconds=attempt.seconds, media_type=report.media_type, output=path, output_size=size,
            sha256=known.output_sha256, content_id=content_id, how=[FOUND_FINISHED], origin=report.origin,
            verdicts=short_verdicts(report), generation=shown(known.generation), **attempt.common,
        )  # fmt: skip
        return Outcome(
            path, Status.LABELLED, line, output=path, output_size=size, output_sha256=known.output_sha256,
            content_id=content_id or "", generation=known.generation,
        )  # fmt: skip

    def _make_labeler_for(self, overrides: Overrides) -> Labeler:
        """Return the labeler for what a file list says about a file: another wording or generator."""
        labeler = self._labeler
        values = dict(overrides)
        changes: dict[str, Any] = {key: values[key] for key in ("generator", "generator_version") if key in values}
        if "text" in values:
            from labeling.marks.visible import Style

            changes["style"] = (
                replace(labeler.style, text=values["text"]) if labeler.style else Style(text=values["text"])
            )
        return replace(labeler, **changes) if changes else labeler
