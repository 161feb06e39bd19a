"""What the commands share: file arguments, progress, and how results and errors are printed."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from labeling.errors import LabelingError
from labeling.inert import to_json

from ._streams import leave_if_ended
from ._terminal import line, over_line, watched
from ._wording import in_options

if TYPE_CHECKING:
    from labeling.pipelines.conversion import ConvertedFile
    from labeling.pipelines.output import LabeledFile


def expand(patterns: tuple[str, ...]) -> list[Path]:
    """Return the files that the arguments name, with globs expanded: Windows' shells leave that to the program."""
    paths: list[Path] = []
    for pattern in patterns:
        there = os.path.exists(pattern)  # noqa: PTH110 - Path.exists raises where a folder may not be looked into
        matches = [] if there or not glob.has_magic(pattern) else sorted(glob.glob(pattern))  # noqa: PTH207 - it may be absolute
        paths += [Path(match) for match in matches] or [Path(pattern)]
    return paths


def complain(message: object, path: Path | None = None) -> None:
    """Print an error or a text of the library, in one line on standard error, with options for its parameters.

    Args:
        message: The error or text.
        path: The file it is about, which is named if the error names none.
    """
    if isinstance(message, LabelingError):
        leave_if_ended()  # a signal that came in a library's callback is what made the work fail
    if path is not None and isinstance(message, LabelingError) and message.path is None:
        message = f"{path}: {message}"
    text = " ".join(in_options(str(message)).split())
    if logs_json():
        log_json({"event": "error" if isinstance(message, LabelingError) else "note", "message": text})
    else:
        line(f"aigc-label: {text}", err=True)


LOG = "labeling.log"
"""The key in the meta of click's context that says in which form the command logs."""


def logs_json() -> bool:
    """Return whether the command writes a log of JSON lines to standard error, and nothing else."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(LOG) == "json"


def log_json(event: dict[str, Any]) -> None:
    """Write an event to the log, with its time."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = to_json({"event": event["event"], "time": now} | event)
    line(text.encode("utf-8", "backslashreplace").decode(), err=True)


def fail(error: LabelingError) -> NoReturn:
    """Print the error and end the command with its exit code."""
    complain(error)
    raise SystemExit(error.exit_code)


def progress(paths: list[Path], *, quiet: bool) -> Iterator[Path]:
    """Yield the paths; draw a progress bar on a terminal if there are many."""
    if quiet or len(paths) < 8 or not watched():
        for path in paths:
            leave_if_ended()
            yield path
        return
    with click.progressbar(paths, label="Files", show_pos=True, file=sys.stderr) as bar:
        for path in bar:
            leave_if_ended()
            yield path


@contextmanager
def video_progress(path: Path, *, quiet: bool) -> Iterator[Callable[[float, float], None] | None]:
    """Show on the terminal how far the encoding of a video is, how fast it goes, and how long it will take."""
    if quiet or not watched():
        yield None
        return
    import time

    start = last = time.monotonic()
    shown = False

    def report(done: float, total: float) -> None:
        nonlocal last, shown
        now = time.monotonic()
        if now - start < 1 or now - last < 0.2:
            return
        last, shown = now, True
        speed = done / (now - start)
        left = (total - done) / speed if speed else 0
        over_line(f"{path.name}: {done:.0f} of {total:.0f} s, {speed:.1f}× real time, {left:.0f} s left")

    try:
        yield report
    finally:
        if shown:
            over_line("")


def print_result(done: LabeledFile) -> None:
    """Print what was done to one file."""
    _print_done(done, f"content id {done.label.content_id or done.label.propagate_id}")


def print_converted(done: ConvertedFile) -> None:
    """Print what became of a converted picture."""
    _print_done(done, f"{done.width}×{done.height} pixels, {done.size} bytes")


def _print_done(done: LabeledFile | ConvertedFile, words: str) -> None:
    verb = "would write" if done.dry_run else "wrote"
    verdicts = ", ".join(f"{name}: {v.outcome}" for name, v in done.report.verdicts.items())
    line(f"{verb} {done.path}  [{verdicts}]  {words}")
    for sentence in done.how:
        line(f"  {in_options(sentence)}")
    for loss in done.lost:
        line(f"  lost: {in_options(str(loss))}")
    for verdict in done.report.verdicts.values():
        for defect in (*verdict.failed, *verdict.warnings):
            line(f"  {defect.rule}: {in_options(defect.message)} ({defect.clause})")
