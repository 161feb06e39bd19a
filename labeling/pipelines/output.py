"""Where a labelled file goes: never over its source unless asked, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling import atomic_writes, files
from labeling.errors import LabelingError, WriteError
from labeling.label import Label
from labeling.losses import Loss
from labeling.pipelines.labeled_image import LabeledImage
from labeling.verification.report import Report


@dataclass(frozen=True)
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

    if not TYPE_CHECKING:  # an attribute that does not exist is a mistake for type checkers, too

        def __getattr__(self, name: str) -> Any:
            later = self.__dict__.get(_LATER) if name == "report" else None
            if later is None:
                raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
            self.__dict__["report"] = report = later()
            self.__dict__.pop(_LATER, None)
            return report

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


_LATER = "_later"


def reported_later(report: Callable[[], Report], **facts: Any) -> LabeledFile:
    """Return a :class:`LabeledFile` whose report is made when it is asked for; of many files, few are.

    Args:
        report: Makes it, from what was read back.
        facts: The other attributes, all of them.
    """
    made = object.__new__(LabeledFile)
    made.__dict__.update(facts, **{_LATER: report})
    return made


def as_path(path: str | os.PathLike[str]) -> Path:
    """Return a path as :class:`~pathlib.Path`: the same object, if it is one."""
    return path if isinstance(path, Path) else Path(path)


def default_target(path: Path) -> Path:
    """Return the output's path where none was given: ``photo.labeled.png`` beside ``photo.png``."""
    return path.with_name(f"{path.stem}.labeled{path.suffix}")


def resolve_target(source: str | os.PathLike[str], target: str | os.PathLike[str] | None, *, in_place: bool) -> Path:
    """Decide where the output goes: over the source, to ``target``, or beside the source.

    Raises:
        LabelingError: ``target`` is the source, and ``in_place`` was not given; or the file in place has other names
            (hard links), which would keep the old content.
        WriteError: The output is a folder, a symbolic link, a device or write-protected, or its name is impossible.
    """
    path = as_path(source)
    if in_place:
        return _own_place(path)
    chosen = as_path(target) if target is not None else default_target(path)
    if "\0" in str(chosen):
        raise WriteError("`target` holds a NUL character, which no file's name can", path=path)
    if atomic_writes.nothing_at(chosen):
        return chosen
    if files.same_file(path, chosen):
        raise LabelingError("would be overwritten", path=path, hint="name another output or pass `in_place=True`")
    atomic_writes.check_replaceable(chosen)
    return chosen


def _own_place(path: Path) -> Path:
    """Return the file that is replaced if ``path`` is labelled in place: what a symbolic link leads to.

    Raises:
        LabelingError: It has other names, or may not be written.
    """
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    try:
        names = path.stat().st_nlink
    except OSError:
        return path  # reading it says what is wrong
    if names > 1:
        hint = "name another output, or make it a file of its own first (copy it and rename the copy)"
        raise LabelingError(
            f"has {names} names (hard links), and would be labelled under this one alone", path=path, hint=hint
        )
    atomic_writes.check_replaceable(path)
    return path


def said_of_link(source: str | os.PathLike[str], target: Path) -> tuple[str, ...]:
    """Return a sentence if the file that was replaced is not ``source`` itself, but what it leads to."""
    if not os.path.islink(source) or not files.same_file(Path(source), target):  # noqa: PTH114 - for every file
        return ()
    return (f"{Path(source).name} is a symbolic link: the file that it leads to was replaced",)


def write_result(
    made: LabeledImage,
    source: str | os.PathLike[str],
    target: Path,
    *,
    dry_run: bool,
    times: tuple[int, int] | None = None,
) -> LabeledFile:
    """Write a labelled picture to ``target``, except in a dry run; ``times`` as :func:`atomic_writes.staged`.

    Raises:
        WriteError: It could not be written, or did not read back.
    """
    made.name = str(target)
    path = as_path(source)
    if not dry_run:
        atomic_writes.write_atomically(target, made.pieces(), like=path, times=times)
    size = made.size
    how = said_of_link(path, target) + made.how
    if (report := made.later_report()) is None:
        return LabeledFile(path, target, made.label, how, made.report, size, dry_run, made.lost)
    return reported_later(
        report, source=path, path=target, label=made.label, how=how, size=size, dry_run=dry_run, lost=made.lost
    )
