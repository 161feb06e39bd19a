"""Whether anybody else is using the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

BUSY = 0.25
"""Of how many processors others may take so much that the figures of a row still count."""

_STAT = Path("/proc/stat")
_IDLE = (3, 4)
"""Which numbers of the first line of /proc/stat are no work: idle, and waiting for a disk (proc(5))."""
_NUMBERS = 8
"""How many of them count: guests' time, behind these, is in the user's already."""


def others(seconds: float = 0.5) -> float | None:
    """How many processors are at work while this process sleeps; ``None`` where the system does not say."""
    before = _worked()
    if before is None:
        return None
    start = time.perf_counter()
    time.sleep(seconds)
    after = _worked()
    return None if after is None else (after - before) / (time.perf_counter() - start)


def _worked() -> float | None:
    """Seconds of work of all processors together, since the system was started."""
    try:
        name, *numbers = _STAT.read_text(encoding="ascii").splitlines()[0].split()
    except (OSError, IndexError):
        return None
    if name != "cpu" or len(numbers) < _NUMBERS:
        return None
    ticks = sum(int(number) for at, number in enumerate(numbers[:_NUMBERS]) if at not in _IDLE)
    return ticks / os.sysconf("SC_CLK_TCK")
