"""Timing two ways of doing the same work against each other, and the rows of the table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Settings:
    """How much to do. ``scratch`` is an empty folder; everything that is written goes below it."""

    scratch: Path
    quick: bool = False

    def repetitions(self, full: int) -> int:
        """As many as the row asks for, or just enough to see that it works."""
        return min(3, full) if self.quick else full


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``ours``/``other`` are in ``unit``; ``value`` is what ``limit`` is about.

    ``limit`` is the most that ``value`` may be, or, with ``at_least``, the least. Without one the row only informs.

    ``bare`` is what nobody can do without, in ``unit`` too, and ``bare_of`` says what that is: the bare coder, ``cp``,
    the plain write of the same bytes. It is measured in the same turns as the others (see :func:`turns`). How far ours
    lies above it is all that could still be gained.
    """

    work: str
    versus: str
    ours: float
    other: float | None
    unit: str
    value: float
    limit: float | None
    target: str
    form: str = "{:.2f}×"
    at_least: bool = False
    detail: dict[str, Any] = field(default_factory=dict)
    bare: float | None = None
    bare_of: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; ``None`` where there is none."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def turns(*works: Work, repetitions: int, between: Work | None = None, warm: bool = True) -> tuple[list[float], ...]:
    """Seconds of each repetition of several pieces of work, after one of each that does not count.

    They take turns, and who begins changes every time: whatever else slows the machine down hits all alike.
    ``between`` is done before each, outside the clock. Without ``warm`` the first ones count: for work of a minute.
    """
    times: tuple[list[float], ...] = tuple([] for _ in works)
    for number in range(-1 if warm else 0, repetitions):
        for place in range(len(works)):
            which = (place + number) % len(works)
            if between is not None:
                between()
            start = time.perf_counter()
            works[which]()
            elapsed = time.perf_counter() - start
            if number >= 0:
                times[which].append(elapsed)
    return times


def alternate(ours: Work, other: Work, repetitions: int, *, between: Work | None = None) -> tuple[list[float], ...]:
    """Seconds of each repetition of two: see :func:`turns`."""
    return turns(ours, other, repetitions=repetitions, between=between)


def detail(ours: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """What the table has no room for: repetitions and quartiles, in seconds."""
    return {
        "repetitions": len(ours),
        "quartiles_ours": _quartiles(ours),
        "quartiles_other": _quartiles(other),
    }


def _quartiles(times: Sequence[float]) -> list[float]:
    return statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else list(times)


def race(
    work: str,
    versus: str,
    ours: Work,
    other: Work,
    repetitions: int,
    limit: float | None,
    target: str,
    *,
    bare: Work | None = None,
    **more: Any,
) -> Row:
    """A row from two pieces of work of some milliseconds; ``value`` is ours divided by the other.

    ``bare`` is a third, whose median becomes the row's ``bare``.
    """
    works = [ours, other] if bare is None else [ours, other, bare]
    mine, theirs, *least = turns(*works, repetitions=repetitions)
    a, b = statistics.median(mine), statistics.median(theirs)
    if least:
        more["bare"] = statistics.median(least[0]) * 1e3
    return Row(work, versus, a * 1e3, b * 1e3, "ms", a / b, limit, target, detail=detail(mine, theirs), **more)


def command_path() -> Path:
    """Return the path of ``aigc-label`` as it is installed beside this interpreter."""
    return Path(sysconfig.get_path("scripts")) / ("aigc-label.exe" if os.name == "nt" else "aigc-label")


def run(command: Sequence[str | Path], *, output: Path | None = None, codes: tuple[int, ...] = (0,)) -> None:
    """Run a process to its end; its standard output goes to a file, or nowhere. Raises on other exit codes.

    Python may keep its bytecode, whatever the environment says: pip compiles what it installs.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    words = [str(part) for part in command]
    with Path(output or os.devnull).open("wb") as stream:
        done = subprocess.run(words, stdout=stream, stderr=subprocess.PIPE, check=False, env=environment)
    if done.returncode not in codes:
        said = done.stderr.decode("utf-8", "replace").strip()[-400:]
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {said}")
