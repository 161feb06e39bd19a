"""Where a labelled file goes: never over its source unless asked, and whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from labeling import files
from labeling.errors import LabelingError
from labeling.label import Label
from labeling.losses import Loss
from labeling.pipelines.image import LabeledImage
from labeling.verification.report import Report


@dataclass(frozen=True, slots=True)
class LabeledFile:
    """A labelled file, as :meth:`labeling.Labeler.label_file` returns it.

    Args:
        source: The file that was labelled.
        path: The output.
        label: The :class:`~labeling.Label` that was written.
        how: What was done, in sentences.
        report: The verifier's :class:`~labeling.Report` on the output.
        size: Bytes of the output.
        dry_run: Whether nothing was written.
        lost: What the source holds and the output does not: a :class:`~labeling.Loss` for each thing.
    """

    source: Path
    path: Path
    label: Label
    how: tuple[str, ...]
    report: Report
    size: int
    dry_run: bool = False
    lost: tuple[Loss, ...] = ()


def default_target(path: Path) -> Path:
    """Return the output's path where none was given: ``photo.labeled.png`` beside ``photo.png``."""
    return path.with_name(f"{path.stem}.labeled{path.suffix}")


def resolve_target(source: str | os.PathLike[str], target: str | os.PathLike[str] | None, *, in_place: bool) -> Path:
    """Decide where the output goes: over the source, to ``target``, or beside the source.

    Raises:
        LabelingError: ``target`` is the source, and ``in_place`` was not given.
    """
    path = Path(source)
    chosen = path if in_place else Path(target) if target is not None else default_target(path)
    if not in_place and files.same_file(path, chosen):
        raise LabelingError("would be overwritten", path=path, hint="name another output or pass `in_place=True`")
    return chosen


def write_result(made: LabeledImage, source: str | os.PathLike[str], target: Path, *, dry_run: bool) -> LabeledFile:
    """Write a labelled picture to ``target``, unless this is a dry run. Raises :class:`WriteError`."""
    made.name = str(target)
    if not dry_run:
        files.write_atomically(target, [made.data])
    size = len(made.data)
    return LabeledFile(Path(source), target, made.label, made.how, made.report, size, dry_run, made.lost)
