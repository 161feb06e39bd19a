"""What a run does with every file, as each worker gets it once; and one attempt at one file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from labeling import isolation
from labeling.batch.conversion import Conversion, check_signer_maker
from labeling.batch.storage import Storage
from labeling.batch.task import Mode, Outcome, Task
from labeling.errors import LabelingError
from labeling.losses import Loss
from labeling.options.isolation import LONGEST, Limits

if TYPE_CHECKING:
    from labeling.labeler import Labeler
    from labeling.marks.credentials import Signer, Trust
    from labeling.options import Style


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
        return replace(self, isolate=_isolation(self.isolate, timeout))


@dataclass(frozen=True, kw_only=True)
class Propagation:
    """How a run labels what others have made, as a platform must: :func:`labeling.classify`, which documents it.

    A file that carries a label gets the propagator's half. One without gets Label "2" if a file list says that its
    uploader declares it (``declared``), Label "3" if it is suspected, and nothing if nothing was found: then there is
    no output. A list may also give ``propagate_id``, and ``decision``, ``reviewer`` and ``reason``.

    Args:
        propagator: The platform's provider code (27 characters, service 2) or name.
        security: Security data for the label's field ReservedCode2.
        notice: Draw the visible notice of the class as well; a style says how it looks.
        signer: A function that makes the C2PA signer in each worker: keys are never sent to other processes.
        visible: Look for visible labels, which decodes pixels.
        trust: As in :func:`labeling.verify`.
        max_pixels: As in :func:`labeling.verify`.
        isolate: As in :class:`Check`.
        profile: The regime that the results are judged by.
        strict: Refuse what would lose anything.
        keep_times: Give each output its source's times of last access and last change.

    Raises:
        LabelingError: ``propagator`` is empty.
    """

    propagator: str
    security: str = ""
    notice: bool | Style = False
    signer: Callable[[], Signer] | None = None
    visible: bool = True
    trust: Trust | Literal["shipped", "none"] | None = "shipped"
    max_pixels: int | None = None
    isolate: bool | Limits | None = None
    profile: str = "platform"
    strict: bool = False
    keep_times: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.propagator, str) or not self.propagator.strip():
            raise LabelingError("a platform writes its own code: `propagator` is needed")
        check_signer_maker(self.signer)

    def within(self, timeout: float | None) -> Propagation:
        """Return this with what ``isolate`` means in a run.

        Args:
            timeout: Seconds that the run gives a file; ``None`` for no limit.

        Returns:
            The same with limits in place of ``True`` or ``None``.
        """
        return replace(self, isolate=_isolation(self.isolate, timeout))


@dataclass(frozen=True, kw_only=True)
class Transplantation:
    """Where the labels come from that a run gives to re-encoded copies: :func:`labeling.transplant` documents it.

    The original of a copy is the file of its path among the originals, or else the only one that differs in its
    extension, or in the ``.labeled`` that ``add`` puts before it. A file list may name it (``labelled``).

    Args:
        labelled: The folder or URL of the labelled originals.
        signer: A function that makes the C2PA signer in each worker: keys are never sent to other processes.
        profile: The regime that the results are judged by.
        strict: Refuse if anything of the copy would be lost, or the original's manifest.
        keep_times: Give each output its copy's times of last access and last change.
    """

    labelled: str | os.PathLike[str]
    signer: Callable[[], Signer] | None = None
    profile: str = "cn"
    strict: bool = False
    keep_times: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.labelled, str | os.PathLike) or not os.fspath(self.labelled):
            raise LabelingError("`transplant` must name the folder or URL of the labelled originals")
        check_signer_maker(self.signer)


def _isolation(isolate: bool | Limits | None, timeout: float | None) -> bool | Limits:
    if isolate is None and not isolation.is_supported():
        return False
    if isolate in (None, True):
        return Limits(timeout=LONGEST if timeout is None else min(timeout, LONGEST))
    return bool(isolate) if isinstance(isolate, int) else isolate or False


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a run does with its files: one of these.

    Attributes:
        make_labeler: Makes the labeler in the process that uses it: keys are never sent to another process.
        check: How to verify.
        conversion: How to convert pictures.
        propagation: How to label what others have made.
        transplantation: Where the labels of copies come from.
    """

    make_labeler: Callable[[], Labeler] | None = None
    check: Check | None = None
    conversion: Conversion | None = None
    propagation: Propagation | None = None
    transplantation: Transplantation | None = None

    @property
    def mode(self) -> Mode:
        """What the run does, in one word."""
        if self.make_labeler is not None:
            return "label"
        if self.check is not None:
            return "verify"
        if self.conversion is not None:
            return "convert"
        return "propagate" if self.propagation is not None else "transplant"

    @property
    def uses_ocr(self) -> bool:
        """Whether workers read visible labels, which takes memory."""
        looks = self.check or self.propagation
        return looks.visible if looks is not None else self.make_labeler is None

    def parts(self) -> dict[str, Any]:
        """Return the fields by their names."""
        return {each.name: getattr(self, each.name) for each in fields(Purpose)}


@dataclass(frozen=True, kw_only=True)
class Job(Purpose):
    """What is to be done with every file of a run. Each worker gets it once.

    Attributes:
        source: Where the files are.
        target: Where labelled files go; ``None`` if files are labelled in place, or only verified.
        originals: Where the labelled originals of copies are.
        record: Make entries for the ledger.
        fingerprints: Compute fingerprints for them.
        run_id: The run's id, which is part of the keys of its records.
        generation: The number of the run's options among all that its journal has seen.
        lost_since: When a session began whose state is lost in part (time of the target): outputs that are newer may
            be its own; 0 if there is none.
        threads: Threads that each worker's libraries may use.
        folder: The run's folder, in which workers hold the lock.
    """

    source: Storage
    target: Storage | None
    originals: Storage | None = None
    record: bool = False
    fingerprints: bool = True
    run_id: str = ""
    generation: int = 1
    lost_since: float = 0.0
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
    """What is done with a file: it is labelled, converted, verified, or gets a label that it should have."""

    def process(self, attempt: Attempt) -> Outcome:
        """Process a file, and return what became of it. Raises what goes wrong."""
