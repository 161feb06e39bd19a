"""What a run does with every file, as each worker gets it once; and one attempt at one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from labeling import isolation
from labeling.batch.conversion import Conversion
from labeling.batch.storage import Storage
from labeling.batch.task import Outcome, Task
from labeling.losses import Loss
from labeling.options.isolation import LONGEST, Limits

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Trust


@dataclass(frozen=True)
class Check:
    """How a run verifies files: the arguments of :func:`labeling.verify`, which documents them, for all files.

    ``isolate`` is true by default, where there are isolated processes; the run's ``timeout`` holds for them.
    """

    profile: tuple[str, ...] = ("cn",)
    visible: bool = True
    trust: Trust | Literal["shipped", "none"] | None = "shipped"
    declared_ai: bool = False
    max_pixels: int | None = None
    pinned: tuple[bytes, ...] = ()
    everywhere: bool = False
    min_confidence: float = 0.0
    isolate: bool | Limits | None = None
    as_of: date | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for :func:`labeling.verify`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def within(self, timeout: float | None) -> Check:
        """Return the check with what ``isolate`` means in a run with this ``timeout``."""
        if self.isolate is None and not isolation.is_supported():
            return replace(self, isolate=False)
        if self.isolate in (None, True):
            return replace(self, isolate=Limits(timeout=LONGEST if timeout is None else min(timeout, LONGEST)))
        return self


@dataclass(frozen=True)
class Job:
    """What is to be done with every file of a run. Each worker gets it once.

    Attributes:
        source: Where the files are.
        target: Where labelled files go; ``None`` if files are labelled in place, or only verified.
        make_labeler: Makes the labeler in the process that uses it: keys are never sent to another process.
        check: How to verify, instead of labelling.
        conversion: How to convert pictures, instead of labelling.
        record: Make entries for the ledger.
        run_id: The run's id, which is part of the keys of its records.
        generation: The number of the run's options among all that its journal has seen.
        threads: Threads that each worker's libraries may use.
        folder: The run's folder, in which workers hold the lock.
    """

    source: Storage
    target: Storage | None
    make_labeler: Callable[[], Labeler] | None = None
    check: Check | None = None
    conversion: Conversion | None = None
    record: bool = False
    run_id: str = ""
    generation: int = 1
    threads: int = 1
    folder: Path | None = None

    @property
    def output(self) -> Storage:
        """Where labelled files go: the target, or the source if files are labelled in place."""
        return self.target if self.target is not None else self.source

    @property
    def in_place(self) -> bool:
        """Whether the source's files are replaced by labelled ones."""
        return self.target is None and self.check is None

    @property
    def uses_ocr(self) -> bool:
        """Whether workers read visible labels, which takes memory."""
        return self.conversion is not None or (self.check is not None and self.check.visible)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one file.

    Attributes:
        task: The file, and what is known of it.
        local: Where its bytes are.
        stack: What is to be closed at the end; an output is stored when it is.
        source_sha256: Of these bytes.
        common: What every result says: attempts, and what is known of the source.
        start: When work on the file began, by ``time.perf_counter``.
        details: What the source's store says about the file.
        lost: What the output lacks of the file's properties; complete when the output is stored.
    """

    task: Task
    local: Path
    stack: ExitStack
    source_sha256: str
    common: Mapping[str, Any]
    start: float
    details: Mapping[str, Any] = field(default_factory=dict)
    lost: list[Loss] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long the file has taken."""
        return time.perf_counter() - self.start


class Verb(Protocol):
    """What is done with a file: it is labelled, converted or verified."""

    def process(self, attempt: Attempt) -> Outcome:
        """Process a file, and return what became of it. Raises what goes wrong."""
