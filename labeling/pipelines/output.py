"""Where a labelled file goes: never over its source unless asked, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from labeling import containers, files
from labeling.containers import Media
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.filebytes import FileBytes
from labeling.label import Label
from labeling.pipelines.image import LabeledImage
from labeling.verification.report import Report


@dataclass(frozen=True, slots=True)
class LabeledFile:
    """A labelled file: where it lies, its label, what was done, and the report. Nothing was written if ``dry_run``."""

    source: Path
    path: Path
    label: Label
    how: tuple[str, ...]
    report: Report
    size: int
    dry_run: bool = False


def default_target(path: Path) -> Path:
    """The output's name where none was given: ``photo.labeled.png`` beside ``photo.png``."""
    return path.with_name(f"{path.stem}.labeled{path.suffix}")


def settle(
    source: str | os.PathLike[str], target: str | os.PathLike[str] | None, *, in_place: bool
) -> tuple[str, Media, Path]:
    """Decide where the output goes, and open the source: its name, its content, and the output's path.

    A film or sound is opened and not read (:class:`~labeling.filebytes.FileBytes`, for the caller to close). Raises
    :class:`LabelingError` where the source would be overwritten unasked, or is of no format that we know.
    """
    path = Path(source)
    goal = path if in_place else Path(target) if target is not None else default_target(path)
    if not in_place and files.same_file(path, goal):
        raise LabelingError(f"{path}: would be overwritten; name another output or say --in-place")
    name, data = files.open_source(path, containers.is_media)
    if not isinstance(data, FileBytes) and containers.identify(data) is None:
        raise UnsupportedFormat(f"{name}: the content is of no format that this version can label")
    return name, data, goal


def store(made: LabeledImage, source: str | os.PathLike[str], goal: Path, *, dry_run: bool) -> LabeledFile:
    """Write a labelled picture to its place, unless this is a dry run."""
    made.name = str(goal)
    if not dry_run:
        files.write_atomically(goal, [made.data])
    return LabeledFile(Path(source), goal, made.label, made.how, made.report, len(made.data), dry_run)
