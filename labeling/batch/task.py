"""The data of a batch run: what a listing finds, what a worker is given, and what it returns."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError
from labeling.inert import to_json

if TYPE_CHECKING:
    from labeling.ledger import Entry

STATE_FOLDER = ".aigc-label"
"""Name of the folder in the target that holds a run's journal, results and report."""

LARGE_FILE = 16 << 20
"""Bytes above which a worker gets a file alone, so that no other file waits behind it."""


class Status(StrEnum):
    """What became of a file. Each line of the results has one."""

    LABELLED = "labelled"
    CONVERTED = "converted"
    VERIFIED = "verified"
    FAILED = "failed"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"
    POISON = "poison"


SUCCESSFUL = frozenset({Status.LABELLED, Status.CONVERTED, Status.VERIFIED, Status.SKIPPED})
"""What ``retry_failed`` does not try again."""


class StoreDown(LabelingError):
    """An object store did not respond, or reported that it was unavailable, in several attempts."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file was not processed, or not completely: the status to report, the kind of error, and one line.

    ``names`` are the files in the message, other than the file itself.
    """

    status: Status
    kind: str
    message: str
    names: tuple[str, ...] = ()


Overrides = tuple[tuple[str, str], ...]
"""What a file list says about one file, as pairs: content_id, text, generator, generator_version."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the source, as listed.

    Attributes:
        path: Relative to the source, with ``/``. Bytes that are not UTF-8 are escaped as Python does in file names.
        size: In bytes.
        stamp: Changes whenever the file does: the time of modification, or an object's ETag.
        overrides: What a file list says about this file alone.
        problem: The file is not to be processed, only reported, for this reason.
    """

    path: str
    size: int = 0
    stamp: str = ""
    overrides: Overrides = ()
    problem: Problem | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this stands for a folder that could not be listed."""
        return self.problem is not None and self.path.rpartition("/")[2] == "."

    @property
    def key(self) -> bytes:
        """The path as the file system stores it."""
        return path_bytes(self.path)


def path_bytes(path: str) -> bytes:
    """Return the bytes of a path, including those that are not UTF-8."""
    return path.encode("utf-8", "surrogateescape")


def record_key(run: str, item: Item, *, in_place: bool) -> str:
    """Return the ledger's idempotency key for one version of a file in this run.

    A file that is labelled in place gets another size and stamp with its label. Its key has neither; there the
    SHA-256 of the record identifies the version.
    """
    version = [item.overrides] if in_place else [item.size, item.stamp, item.overrides]
    digest = hashlib.sha256(json.dumps(version).encode()).hexdigest()[:16]
    return f"{run}/{item.path}@{digest}".encode("utf-8", "backslashreplace").decode()


@dataclass(slots=True)
class Task:
    """One file for a worker.

    Attributes:
        item: The file.
        output: The output's path in the target, if that is not the file's own.
        crashes: Workers that crashed on it.
        may_replace: The output may be replaced: this run has written it, or the user asked for it.
        interrupted: A worker may have written the output before it died. If the output has our label, it is ours.
        output_was_free: The output was not there when the file was begun: one that an interrupted worker left is ours.
        known_checksum: The source's SHA-256 of last time, to be compared instead of its date.
        begun_as: The file as it was when a session that was killed began it.
        recorded_checksum: SHA-256 of the output that the ledger recorded in that session.
    """

    item: Item
    output: str = ""
    crashes: int = 0
    may_replace: bool = False
    interrupted: bool = False
    output_was_free: bool = False
    known_checksum: str | None = None
    begun_as: Item | None = None
    recorded_checksum: str | None = None

    @property
    def output_path(self) -> str:
        """Where the output goes in the target."""
        return self.output or self.item.path

    @property
    def is_large(self) -> bool:
        """Whether no other file should wait behind it."""
        return self.item.size > LARGE_FILE


@dataclass(slots=True)
class Outcome:
    """What became of a task.

    Attributes:
        path: The file.
        status: What became of it.
        line: The result, as a line of JSON.
        size: The source's size when it was read.
        stamp: The source's stamp when it was read.
        checksum: The source's SHA-256, if it was asked for.
        unchanged: The file has not changed since an earlier result, which stays.
        store_failed: Not the file failed, but the object store.
        entry: What the ledger is to record.
    """

    path: str
    status: Status
    line: bytes = b""
    size: int = 0
    stamp: str = ""
    checksum: str = ""
    unchanged: bool = False
    store_failed: bool = False
    entry: Entry | None = field(default=None, repr=False)


def result_line(path: str, status: Status, *, attempts: int, seconds: float, **more: Any) -> bytes:
    """Return a line of the results, as UTF-8. Bytes of a name that are not UTF-8 appear as ``\\udcXX``.

    Args:
        path: The file.
        status: What became of it.
        attempts: How often it was tried.
        seconds: How long it took.
        more: Further keys; those without a value are left out.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {"path": path, "status": str(status), "attempts": attempts, "seconds": round(seconds, 6), "time": now}
    record |= {key: value for key, value in more.items() if value not in (None, "")}
    text = to_json(record, separators=(",", ":"), default=str)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def problem_outcome(item: Item, problem: Problem, *, attempts: int = 0, seconds: float = 0.0) -> Outcome:
    """Return the outcome of a file that could not be processed, or not completely."""
    error: dict[str, Any] = {"kind": problem.kind, "message": problem.message}
    if problem.names:
        error["names"] = list(problem.names)
    line = result_line(
        item.path, problem.status, attempts=attempts, seconds=seconds, size=item.size, error=error
    )  # fmt: skip
    return Outcome(item.path, problem.status, line, item.size, item.stamp)
