"""Labelling one file of a run."""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling.batch.job import Attempt, Check, Job
from labeling.batch.local_copies import temporary_folder
from labeling.batch.outputs import (
    FOUND_AS_MADE,
    Taken,
    adopted,
    carried,
    fetch_manifest,
    had_before,
    labelled,
    open_target,
    require_free,
    shown,
    store_manifest,
    verified,
)
from labeling.batch.remade import alike
from labeling.batch.task import Outcome, Overrides, Question, Status, record_key
from labeling.errors import LabelingError, error_context

if TYPE_CHECKING:
    from labeling.labeler import Labeler

_OF_LABELER = frozenset({"text", "generator", "generator_version", "recipient"})
"""Columns of a file list that change the labeler."""


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
        if (question := self._question(attempt)) is not None:
            return question
        kept = adopted(attempt, self.job, self._labeler.profile, visible=self._labeler.visible)
        return kept or self._label(attempt)

    def _question(self, attempt: Attempt) -> Outcome | None:
        """Return a question to the ledger if a file of which the journal knows nothing seems to have our label already.

        Only files that are labelled in place can: the journal that knew them may be lost.
        """
        task, job = attempt.task, self.job
        if not (job.in_place and job.record) or task.asked or task.known.output_sha256 or task.recorded is not None:
            return None
        if not attempt.local.stat().st_size:
            return None
        with attempt.local.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data.find(self._labeler.producer.encode()) < 0:
                return None
        question = Question(task, attempt.source_sha256)
        return Outcome(task.item.path, Status.FAILED, size=task.item.size, ask=question)

    def _is_ours(self, fields: Mapping[str, Any]) -> bool:
        return fields.get("ContentProducer") == self._labeler.producer

    def _label(self, attempt: Attempt) -> Outcome:
        item, local, job = attempt.task.item, attempt.local, self.job
        own = dict(item.overrides)
        forgotten: Taken | None = None
        try:
            require_free(attempt, job, self._is_ours)
        except Taken as taken:
            if not taken.ours:
                raise
            forgotten = taken  # made by a run that nothing else is left of, if it is what labelling the source gives
        labeler = self._labeler_for(tuple((key, value) for key, value in item.overrides if key in _OF_LABELER))
        self._check_copy(own.get("recipient"), own.get("agreement"))
        facts: dict[str, Any] = {}
        content_id = own.get("content_id") or had_before(attempt, job)
        properties = None
        if forgotten is None:
            properties = carried(attempt, job, strict=labeler.strict)
            target = open_target(attempt, job, properties)
        else:
            content_id = self._number_there(attempt, content_id, forgotten)
            target = attempt.stack.enter_context(temporary_folder()) / local.name
        with error_context(item.path, replacing=str(local)), error_context(item.path, replacing=str(target)):
            fetch_manifest(item.path, local, job)
            done = labeler.label_file(local, target, content_id=content_id, in_place=target == local)
            if forgotten is None:
                store_manifest(item.path, target, job, properties)
            else:
                facts = self._as_it_is_there(attempt, target, forgotten)
        if not job.record:
            return labelled(attempt, done, target, job, **facts)
        from labeling.ledger import entry_of

        entry = entry_of(
            done, source=item.path, recipient=own.get("recipient"), agreement=own.get("agreement"),
            key=record_key(job.run_id, job.generation, item, in_place=job.in_place), profile=labeler.profile,
            fingerprint=job.fingerprints,
        )  # fmt: skip
        return labelled(attempt, done, target, job, [entry], **facts)

    def _number_there(self, attempt: Attempt, content_id: str | None, taken: Taken) -> str:
        """Return the content id of our label in the output that is there. Raises ``taken`` if it is another one."""
        with self.job.output.fetch(attempt.task.output_path) as there:
            findings = verified(there, Check((), visible=False, isolate=False)).findings
        labels = [each.value for each in findings if each.kind == "aigc" and self._is_ours(each.value)]
        number = labels[0].get("ProduceID") if labels else None
        if not isinstance(number, str) or not number or content_id not in (None, number):
            raise taken
        return number

    def _as_it_is_there(self, attempt: Attempt, made: Path, taken: Taken) -> dict[str, Any]:
        """Put the output that is there in the place of what was just made, and return what the result says of it.

        Raises ``taken`` if it is not what labelling the source gives.
        """
        with self.job.output.fetch(attempt.task.output_path) as there:
            same = alike(there, made)
            if not same:
                raise taken
            shutil.copyfile(there, made)
        number = self.job.generation if same == "bytes" else 0
        return {"how": [FOUND_AS_MADE], "generation": shown(number)}

    def _check_copy(self, recipient: str | None, agreement: str | None) -> None:
        """Refuse a copy for a recipient that is not recorded, or lacks the agreement that Measures Art. 9 asks for."""
        if recipient is None and agreement is None:
            return
        if recipient is None:
            raise LabelingError("the list names an agreement without the recipient", hint="fill the column recipient")
        if not self.job.record:
            raise LabelingError(
                "a copy for a recipient is recorded (Labelling Measures Art. 9), and this run has no ledger",
                hint="give `ledger`",
            )
        from labeling.ledger.making import check_agreement

        check_agreement(recipient, agreement, self._labeler.profile)

    def _make_labeler_for(self, overrides: Overrides) -> Labeler:
        """Return the labeler for what a file list says about a file: another wording or generator, or a recipient.

        A recipient's copy has no explicit label (Labelling Measures Art. 9).
        """
        values, labeler = dict(overrides), self._labeler
        changes: dict[str, Any] = {key: values[key] for key in ("generator", "generator_version") if key in values}
        if "recipient" in values:
            changes["visible"] = False
        if "text" in values:
            from labeling.marks.visible import Style

            changes["style"] = (
                replace(labeler.style, text=values["text"]) if labeler.style else Style(text=values["text"])
            )
        return replace(labeler, **changes) if changes else labeler
