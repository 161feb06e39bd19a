"""The limits of a process in which strangers' files are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.options.declare import Option, check_options

LONGEST = 86_400.0
"""The most seconds that a file may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What reading one file may take before the process that reads it is ended; for ``verify(…, isolate=Limits(…))``.

    Args:
        timeout: Seconds for one file, by the clock. What is left of a file that took longer is read once more, without
            the part that took so long, for at most 10 seconds.
        cpu_time: Seconds of processor time for one file, of all threads together.
        memory: MiB of address space. The libraries take about 700 of them, of which less than 200 are in memory.

    Raises:
        LabelingError: A value that a limit cannot have. The message names it.
    """

    timeout: float = field(
        default=120.0,
        metadata=Option(
            help="Seconds for one file", low=0.01, high=LONGEST, unit="seconds", metavar="S",
            unset="120 in an isolated process",
        ).metadata,
    )  # fmt: skip
    cpu_time: int = field(
        default=60,
        metadata=Option(
            help="Seconds of processor time for one file in an isolated process", low=1, high=LONGEST, unit="seconds",
            metavar="S", unset="60",
        ).metadata,
    )  # fmt: skip
    memory: int = field(
        default=2560,
        metadata=Option(
            help="MiB of address space of an isolated process, of which libraries take 700", low=1024, high=1 << 20,
            unit="MiB", metavar="MIB", unset="2560",
        ).metadata,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
