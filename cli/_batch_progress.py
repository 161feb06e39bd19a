"""How far a batch run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ._terminal import line, watched

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from labeling.batch import Progress

SUMMARIES = ("table", "line", "json")
"""The forms of what is printed at the end."""

LINE_INTERVAL = 10.0
"""Seconds between lines where there is no terminal."""

_MIN_SECONDS = 2.0
"""A run must have worked for so long before the remaining time can be estimated."""


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Yield the function that shows progress; ``None`` if nothing is to be shown."""
    if quiet:
        yield None
    elif watched():
        with _bar() as bar:
            task = bar.add_task("", total=None, text="")
            yield lambda state: _draw(bar, task, state)
    else:
        yield _Lines()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        # A full bar says that all is done, and not that all is well.
        BarColumn(bar_width=24, finished_style="bar.complete"),
        TextColumn("{task.fields[text]}"),
        console=Console(stderr=True),
        transient=True,
    )


def _draw(bar: Bar, task: TaskID, state: Progress) -> None:
    bar.update(task, completed=state.done + state.before, total=state.total, text=progress_text(state))


class _Lines:
    """Prints a line every few seconds."""

    def __init__(self) -> None:
        self._next = LINE_INTERVAL

    def __call__(self, state: Progress) -> None:
        if state.seconds >= self._next:
            self._next = state.seconds + LINE_INTERVAL
            line(f"aigc-label: {progress_text(state)}", err=True)


def progress_text(state: Progress) -> str:
    """Return how many files are done, how fast, what went wrong, and how long the rest will take."""
    done = state.done + state.before
    of = f" of {state.total:,}" if state.total is not None else ""
    parts = [f"{done:,}{of} file{'s' if (state.total or done) != 1 else ''}"]
    if state.limit is not None:
        parts.append(f"{state.done:,} of at most {state.limit:,} now")
    if state.seconds > 0 and state.done:
        parts.append(f"{state.done / state.seconds:,.1f} files/s, {state.size / state.seconds / 1e6:,.1f} MB/s")
    if state.errors:
        parts.append(f"{state.errors:,} error{'s' if state.errors != 1 else ''}")
    if state.stopping:
        parts.append("stopping after the files in flight")
    elif (seconds := remaining_seconds(state)) is not None:
        parts.append(f"{_clock(seconds)} left")
    return "  ".join(parts)


def remaining_seconds(state: Progress) -> float | None:
    """Return how long the rest will take: the mean of the estimates by files and by bytes.

    ``None`` while it cannot be estimated, and with a limit, which may leave any of the files.
    """
    if state.limit is not None:
        return None
    if state.total is None or state.total_size is None or not state.done or state.seconds < _MIN_SECONDS:
        return None
    by_files = (state.total - state.before - state.done) / state.done
    by_size = (state.total_size - state.before_size - state.size) / state.size if state.size else by_files
    return max(0.0, (by_files + by_size) / 2) * state.seconds


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
