"""The nouns of a batch run: what a listing finds, what a worker is given, and what it gives back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError

if TYPE_CHECKING:
    from labeling.ledger import Entry

STATE = ".aigc-label"
"""The folder in the target that holds a run's journal, results and report."""


class Status(StrEnum):
    """What became of a file; one of these stands in each line of the results."""

    LABELLED = "labelled"
    VERIFIED = "verified"
    FAILED = "failed"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"
    POISON = "poison"


GOOD = frozenset({Status.LABELLED, Status.VERIFIED, Status.SKIPPED})
"""What ``--retry-failed`` does not try again."""


class StoreDown(LabelingError):
    """A store did not answer, or answered that it could not now; it was asked several times."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file was not worked on, or not to its end: the kind of error and one line about it."""

    status: Status
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the source, as listed. ``path`` is relative to it, with ``/``; bytes that are no UTF-8 are escaped.

    ``stamp`` changes whenever the file does (time of modification, or an object's ETag). ``own`` is what a file list
    says of this file alone: ``content_id``, ``text``, ``generator``, ``generator_version``. ``problem``: the file is
    not to be worked on, only reported.
    """

    path: str
    size: int = 0
    stamp: str = ""
    own: tuple[tuple[str, str], ...] = ()
    problem: Problem | None = None

    @property
    def key(self) -> bytes:
        """The path as the file system has it."""
        return key_of(self.path)


def key_of(path: str) -> bytes:
    """A path's bytes, those that were no UTF-8 among them."""
    return path.encode("utf-8", "surrogateescape")


def record_key(run: str, item: Item, *, in_place: bool) -> str:
    """By what the ledger knows that a record is of this version of a file in this run, so that none is made twice.

    In place, a file's size and stamp change with its label; there the SHA-256 alone has to tell.
    """
    version = [item.own] if in_place else [item.size, item.stamp, item.own]
    digest = hashlib.sha256(json.dumps(version).encode()).hexdigest()[:16]
    return f"{run}/{item.path}@{digest}".encode("utf-8", "backslashreplace").decode()


@dataclass(slots=True)
class Task:
    """One file for a worker. ``crashes``: workers that died of it.

    ``again``: what is at the output's place may be replaced: it is ours, or that was asked for. ``doubt``: a worker
    may have written it before it died, so that it is ours if it has our label.
    ``known``: the source's SHA-256 of last time, to be compared instead of its date. ``begun``: the file as it was when
    a session began it that was killed, and ``recorded`` the SHA-256 of the output that the ledger has of that session.
    """

    item: Item
    crashes: int = 0
    again: bool = False
    doubt: bool = False
    known: str | None = None
    begun: Item | None = None
    recorded: str | None = None

    @property
    def big(self) -> bool:
        """Whether other files should not wait behind it."""
        return self.item.size > BIG


BIG = 16 << 20


@dataclass(slots=True)
class Outcome:
    """What became of a task. ``line`` is the result's JSON; ``entry`` goes to the ledger.

    ``stamp`` and ``size`` are the source's when it was read, ``checksum`` its SHA-256 where that was asked for.
    ``unchanged``: the file is the one that an earlier result is about, which therefore stands. ``down``: what failed is
    not the file but its store.
    """

    path: str
    status: Status
    line: bytes = b""
    size: int = 0
    stamp: str = ""
    checksum: str = ""
    unchanged: bool = False
    down: bool = False
    entry: Entry | None = field(default=None, repr=False)


def line_of(path: str, status: Status, *, attempts: int, seconds: float, **more: Any) -> bytes:
    """A line of the results, as UTF-8. Bytes of a name that are no UTF-8 stand in it as ``\\udcXX``."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {"path": path, "status": str(status), "attempts": attempts, "seconds": round(seconds, 6), "time": now}
    record |= {key: value for key, value in more.items() if value not in (None, "")}
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def outcome_of(item: Item, problem: Problem, *, attempts: int = 0, seconds: float = 0.0) -> Outcome:
    """The outcome of a file that could not be worked on, or not to its end."""
    line = line_of(
        item.path, problem.status, attempts=attempts, seconds=seconds, size=item.size,
        error={"kind": problem.kind, "message": problem.message},
    )  # fmt: skip
    return Outcome(item.path, problem.status, line, item.size, item.stamp)
