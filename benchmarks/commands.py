"""One file, one command: what somebody waits for at a terminal, from start to end of the process."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import PRODUCER, _pictures
from benchmarks._measure import Row, Settings, command_path, detail, run, turns


def commands(settings: Settings) -> Iterator[Row]:
    """``add`` and ``verify`` of a 1024×1024 JPEG file, each with and without the visible label."""
    source, shown, silent = (settings.scratch / f"command-{name}.jpg" for name in ("source", "shown", "silent"))
    _pictures.photo().save(source, "JPEG", quality=92)
    add: list[str | Path] = [command_path(), "add", source, "--producer", PRODUCER, "-q", "-o"]
    look: list[str | Path] = [command_path(), "verify", "-q", shown]

    for words, command, limit, output in (
        ("add, visible label and metadata", [*add, shown], 0.20, shown),
        ("add --no-visible", [*add, silent, "--no-visible"], 0.09, silent),
        ("verify, visible label by OCR", look, 0.60, None),
        ("verify --no-visible", [*look, "--no-visible"], 0.10, None),
    ):
        mine, bare = turns(
            partial(_afresh, output, command), partial(run, [sys.executable, "-c", "pass"]),
            repetitions=settings.repetitions(11),
        )  # fmt: skip
        a = statistics.median(mine)
        yield Row(
            f"aigc-label {words}, 1024² JPEG", "", a * 1e3, None, "ms", a, limit, f"≤ {limit:.2f} s", form="{:.2f} s",
            detail=detail(mine, bare), bare=statistics.median(bare) * 1e3, bare_of="bare Python",
        )  # fmt: skip


def _afresh(output: Path | None, command: list[str | Path]) -> None:
    if output is not None:
        output.unlink(missing_ok=True)
    run(command)
