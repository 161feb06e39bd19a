"""How far a batch run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from labeling.batch import Progress

EVERY = 10.0
"""Seconds between lines where there is no terminal."""


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Give the function to tell of progress; ``None`` where nobody wants to know."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task("", total=None, told="")
            yield lambda state: _draw(bar, task, state)
    else:
        yield _Lines()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        BarColumn(bar_width=24), TextColumn("{task.fields[told]}"), console=Console(stderr=True), transient=True
    )


def _draw(bar: Bar, task: object, state: Progress) -> None:
    bar.update(task, completed=state.done + state.before, total=state.total, told=said(state))  # type: ignore[arg-type]


class _Lines:
    """Says where the run is every few seconds."""

    def __init__(self) -> None:
        self._next = EVERY

    def __call__(self, state: Progress) -> None:
        if state.seconds >= self._next:
            self._next = state.seconds + EVERY
            click.echo(f"aigc-label: {said(state)}", err=True)


def said(state: Progress) -> str:
    """Files done of all, how fast, what went wrong, and how long it will take."""
    done = state.done + state.before
    of = f" of {state.total:,}" if state.total is not None else ""
    parts = [f"{done:,}{of} files"]
    if state.seconds > 0 and state.done:
        parts.append(f"{state.done / state.seconds:,.1f} files/s, {state.size / state.seconds / 1e6:,.1f} MB/s")
    if state.errors:
        parts.append(f"{state.errors:,} errors")
    if state.stopping:
        parts.append("stopping after the files in flight")
    elif (left := remaining(state)) is not None:
        parts.append(f"{_clock(left)} left")
    return "  ".join(parts)


def remaining(state: Progress) -> float | None:
    """Seconds that the rest will take, by files and bytes alike; ``None`` while nobody can tell."""
    if state.total is None or state.total_size is None or not state.done or state.seconds < 2:
        return None
    files = (state.total - state.before - state.done) / state.done
    size = (state.total_size - state.before_size - state.size) / state.size if state.size else files
    return max(0.0, (files + size) / 2) * state.seconds


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
