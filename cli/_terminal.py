"""Text on a terminal: what must not steer it, how wide it is, and names that are too long for it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from labeling.inert import inert

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 160
"""Columns where there is no terminal and nobody says how many."""


def line(text: str, *, err: bool = False, bold: bool | None = None, fg: str | None = None) -> None:
    """Print one line. What a file or its name says cannot steer the terminal, nor begin another line."""
    click.secho(inert(text), err=err, bold=bold, fg=fg)  # noqa: TID251 - the one place


def document(text: str) -> None:
    """Print a report as it is: its writer has spelled out what could steer the terminal."""
    click.echo(text, nl=False)  # noqa: TID251 - the other one


def over_line(text: str) -> None:
    """Replace the line that the cursor is in, on standard error."""
    click.echo(f"\r\033[K{inert(text)}", nl=False, err=True)  # noqa: TID251 - its own escapes only


def watched() -> bool:
    """Return whether somebody sees progress: standard error is there (it may be closed), and a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def make_console() -> Console:
    """Return a console on standard output."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def elide(name: str, width: int) -> str:
    """Shorten a name in the middle, because its beginning and its end, with the extension, say most.

    Args:
        name: The name.
        width: The greatest width, in terminal cells.
    """
    from rich.cells import cell_len

    if cell_len(name) <= width:
        return name
    head, tail = "", ""
    room = width - 1
    for front, back in zip(name, reversed(name), strict=True):
        if cell_len(head + front) + cell_len(tail) > room:
            break
        head += front
        if cell_len(head) + cell_len(back + tail) > room:
            break
        tail = back + tail
    return f"{head}…{tail}"
