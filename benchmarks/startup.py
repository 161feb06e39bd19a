"""What it costs to begin: the import, and the command's help."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks._measure import Row, Settings, alternate, command_path, detail, run


def startup(settings: Settings) -> Iterator[Row]:
    """``import labeling`` beside a bare interpreter, and ``aigc-label --help`` from start to end."""
    bare = partial(run, [sys.executable, "-c", "pass"])
    repetitions = settings.repetitions(21)
    for words, code, limit in (
        ("import labeling", "import labeling", 60.0),
        ("from labeling import Labeler, verify", "from labeling import Labeler, verify", None),
    ):
        mine, theirs = alternate(partial(run, [sys.executable, "-c", code]), bare, repetitions)
        a, b = statistics.median(mine) * 1e3, statistics.median(theirs) * 1e3
        yield Row(
            words, "bare python", a, b, "ms", a - b, limit, "≤ +60 ms" if limit else "", form="+{:.0f} ms",
            detail=detail(mine, theirs),
        )  # fmt: skip
    mine, theirs = alternate(partial(run, [command_path(), "--help"]), bare, repetitions)
    a, b = statistics.median(mine) * 1e3, statistics.median(theirs) * 1e3
    yield Row(
        "aigc-label --help", "bare python", a, b, "ms", a / 1e3, 0.25, "≤ 0.25 s", form="{:.2f} s",
        detail=detail(mine, theirs),
    )  # fmt: skip
