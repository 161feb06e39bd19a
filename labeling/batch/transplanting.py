"""Carrying the labels of an original over to its re-encoded copy, for one file of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from labeling.batch.job import Attempt, Job
from labeling.batch.outputs import (
    AboutAnother,
    adopted,
    carried,
    fetch_manifest,
    labelled,
    open_target,
    require_free,
    store_manifest,
)
from labeling.batch.storage import Folder, normalized_path
from labeling.batch.task import Outcome, record_key
from labeling.containers import formats
from labeling.errors import LabelConflict, LabelingError, error_context
from labeling.pipelines.transplantation import transplant

_BY_ADD = ".labeled"
"""What ``add`` puts between the stem and the extension of its output."""


class NoOriginal(AboutAnother):
    """No labelled original was found for a copy, or several were."""


class Unfit(AboutAnother, LabelConflict):
    """The original of a copy has no label that can be carried over."""


class Transplanting:
    """Carries labels over to the copies of a run. The signer is made once.

    Args:
        job: What is to be done with every file.

    Raises:
        LabelingError: The signer cannot be made.
    """

    def __init__(self, job: Job) -> None:
        assert job.transplantation is not None and job.originals is not None
        self.job, self._how, self._originals = job, job.transplantation, job.originals
        self._signer = self._how.signer() if self._how.signer is not None else None

    def process(self, attempt: Attempt) -> Outcome:
        """Give a copy the labels of its original, or adopt the output of a killed run."""
        kept = adopted(attempt, self.job, self._how.profile, visible=True)
        if kept is not None:
            return kept
        item, local, job, how = attempt.task.item, attempt.local, self.job, self._how
        with self._original(item.path, dict(item.overrides).get("labelled")) as (name, original):
            require_free(attempt, job, _label_of(original) if attempt.task.interrupted else None)
            properties = carried(attempt, job, strict=how.strict)
            target = open_target(attempt, job, properties)
            with (
                error_context(item.path, replacing=str(local)),
                error_context(item.path, replacing=str(target)),
                self._naming(name, original),
            ):
                fetch_manifest(item.path, local, job)
                done = transplant(
                    original, local, target, signer=self._signer, profile=how.profile, in_place=target == local,
                    strict=how.strict, keep_times=how.keep_times,
                )  # fmt: skip
                store_manifest(item.path, target, job, properties)
        steps = [text.replace(str(original), self._full(name)) for text in done.how]
        if not job.record:
            return labelled(attempt, done, target, job, original=name, how=steps)
        from labeling.ledger import entry_of

        key = record_key(job.run_id, job.generation, item, in_place=job.in_place)
        entry = entry_of(done, source=item.path, key=key, profile=how.profile, fingerprint=job.fingerprints)
        return labelled(attempt, done, target, job, [entry], original=name, how=steps)

    @contextmanager
    def _original(self, path: str, named: str | None) -> Iterator[tuple[str, Path]]:
        """Yield the path of a copy's original among the originals, and where its bytes are."""
        name = self._named(named) if named is not None else self._found(path)
        if isinstance(self._originals, Folder):
            [found] = self._originals.stat([name])
            if found.problem is not None:  # such as a link that leads out of the folder
                message = found.problem.message.replace("out of the source", "out of the folder of the originals")
                raise NoOriginal(f"its original, {name}, {_is(message)}", path=path).about(name)
        with self._originals.fetch(name) as local:
            fetch_manifest(name, local, self.job, self._originals)
            yield name, local

    @contextmanager
    def _naming(self, name: str, original: Path) -> Iterator[None]:
        """Call an original what it is called among the originals, and say so if the fault is its own."""
        try:
            yield
        except LabelingError as error:
            error.message = error.message.replace(str(original), self._full(name))
            if error.path == str(original):
                error.path = self._full(name)
                if isinstance(error, LabelConflict):
                    raise Unfit(f"its original, {name}, {error.message}", hint=error.hint).about(name) from error
            raise

    def _full(self, name: str) -> str:
        return f"{self._originals.name.rstrip('/')}/{name}"

    def _named(self, named: str) -> str:
        hint = "the list names it in the column labelled"
        try:
            name = normalized_path(named)
        except LabelingError as error:
            message = "its original must be below the folder of the originals"
            raise NoOriginal(f"{message}, and {named} is not", hint=hint).about(named) from error
        if not self._originals.exists(name):
            raise NoOriginal(f"its original, {name}, is not among the originals", hint=hint).about(name)
        return name

    def _found(self, path: str) -> str:
        """Return the original that a copy has by its name."""
        if self._originals.exists(path):
            return path
        found = self._beside(path)
        if len(found) == 1:
            return found[0]
        hint = "a file list may name the original of each copy, in the column labelled"
        if not found:
            raise NoOriginal("no original has its name", path=path, hint=hint)
        names = ", ".join(found[:4])
        raise NoOriginal(f"several files may be its original: {names}", path=path, hint=hint).about(*found[:4])

    def _beside(self, path: str) -> list[str]:
        """Return the originals that differ from a path in their extension, and in what ``add`` puts before it."""
        pure = PurePosixPath(path)
        stems = (pure.stem, pure.stem + _BY_ADD)
        extensions = dict.fromkeys(extension for row in formats.FORMATS for extension in row.extensions)
        if isinstance(self._originals, Folder):
            try:
                names = sorted(os.listdir(self._originals.root / pure.parent))  # noqa: PTH208 - names are all it takes
            except OSError:
                return []
            known = [name for name in names if PurePosixPath(name).suffix.lower() in extensions]
            return [str(pure.parent / name) for name in known if PurePosixPath(name).stem in stems]
        candidates = (str(pure.parent / f"{stem}{extension}") for stem in stems for extension in extensions)
        return [candidate for candidate in candidates if candidate != path and self._originals.exists(candidate)]


def _is(message: str) -> str:
    return f"is {message}" if message.startswith("a ") else message


def _label_of(original: Path) -> Any:
    """Return what knows the label of an original: a worker may have died after it had written that to the output."""
    from labeling.batch.job import Check
    from labeling.batch.outputs import verified

    report = verified(original, Check((), visible=False, isolate=False))
    ids = {finding.value.get("ProduceID") for finding in report.findings if finding.kind == "aigc"} - {None, ""}

    def is_ours(fields: Mapping[str, Any]) -> bool:
        return fields.get("ProduceID") in ids

    return is_ours
