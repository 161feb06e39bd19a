"""How fast a run gives files to its workers, and how many it processes in one session."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from labeling.errors import LabelingError

_RATE = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*/\s*(s|sec|second|min|minute|h|hour|d|day)\s*", re.ASCII)
_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}


def files_per_second(rate: str | float) -> float:
    """Return the files a second that a rate means: ``20/s``, ``300/min``, ``5000/h``, or a number of files a second.

    Raises:
        LabelingError: It is no rate.
    """
    found = 0.0
    if isinstance(rate, str):
        if match := _RATE.fullmatch(rate):
            found = float(match[1]) / _SECONDS[match[2]]
    elif not isinstance(rate, bool) and isinstance(rate, int | float):
        found = float(rate)
    if not (found > 0 and math.isfinite(found)):
        raise LabelingError(f"`rate` must be files in a time, such as 20/s, 300/min or 5000/h, not {rate!r}")
    return found


@dataclass
class TokenBucket:
    """Lets so many files a second through on average, and at most a second's worth of them at once.

    Attributes:
        per_second: Files a second; ``None`` lets all through.
        clock: The time, in seconds.
    """

    per_second: float | None = None
    clock: Callable[[], float] = time.monotonic
    _filled: float = field(init=False)
    _tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self._filled, self._tokens = self.clock(), self._depth

    @property
    def _depth(self) -> float:
        return max(1.0, self.per_second or 0.0)

    @property
    def open(self) -> bool:
        """Whether a file may be given out now."""
        if self.per_second is None:
            return True
        now = self.clock()
        self._tokens = min(self._depth, self._tokens + (now - self._filled) * self.per_second)
        self._filled = now
        return self._tokens >= 1.0

    def take(self) -> None:
        """Note that a file was given out."""
        if self.per_second is not None:
            self._tokens -= 1.0


@dataclass
class Allowance:
    """How many files one session processes: files that are done already do not count.

    Attributes:
        limit: The number; ``None`` for all files.
        used: How many were taken.
    """

    limit: int | None = None
    used: int = 0

    def of(self, number: int) -> int:
        """Return how many of so many files may be taken."""
        return number if self.limit is None else min(number, self.limit - self.used)
