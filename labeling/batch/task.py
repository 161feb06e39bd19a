"""The data of a batch run: what a listing finds, what a worker is given, and what it returns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from labeling.errors import LabelingError, UnreadableFile, WriteError
from labeling.inert import to_json
from labeling.losses import Loss

if TYPE_CHECKING:
    from labeling.ledger import Entry

STATE_FOLDER = ".aigc-label"
"""Name of the folder in the target that holds a run's journal, results and report."""

Mode = Literal["label", "convert", "verify", "propagate", "transplant"]
"""What a run does with its files."""

FOUND = "found finished"
"""How the results begin to say that an output was there already, and was not made again."""

LARGE_FILE = 16 << 20
"""Bytes above which a worker gets a file alone, so that no other file waits behind it."""


class Status(StrEnum):
    """What became of a file. Each line of the results has one."""

    LABELLED = "labelled"
    CONVERTED = "converted"
    VERIFIED = "verified"
    CLASSIFIED = "classified"
    FAILED = "failed"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"
    POISON = "poison"


SUCCESSFUL = frozenset({Status.LABELLED, Status.CONVERTED, Status.VERIFIED, Status.CLASSIFIED, Status.SKIPPED})
"""What ``retry_failed`` does not try again."""


class StoreFault(LabelingError):
    """A storage failed, not the file.

    Attributes:
        store: The name of the storage.
        writing: It happened while an output was written.
    """

    store = ""
    writing = False


class NotAsWritten(WriteError):
    """What was written does not read back the same, and it could not be removed."""


class StoreDown(StoreFault):
    """An object store did not respond, or reported that it was unavailable, in several attempts."""

    exit_code = 3


class EmptySource(UnreadableFile):
    """The source has no file to process: perhaps its disk is not mounted, or its prefix is mistyped."""


class ReadRefused(StoreFault, UnreadableFile):
    """A storage did not permit reading, or did not accept the credentials."""


class WriteRefused(StoreFault, WriteError):
    """A storage did not permit writing, or did not accept the credentials."""


StoreFailure = Literal["", "read", "write"]
"""Where a file failed because of a storage: its source could not be read, or its output not be written."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file was not processed, or not completely: the status to report, the kind of error, and one line.

    ``names`` are the files in the message, other than the file itself. ``of_store``: it is the storage's, not the
    file's, which may be tried again.
    """

    status: Status
    kind: str
    message: str
    names: tuple[str, ...] = ()
    of_store: bool = False


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
        silent: There is no list, or one of paths alone: what an earlier one said stands.
        problem: The file is not to be processed, only reported, for this reason.
        changed: When it came to be what and where it is, in seconds since 1970; 0 if the storage does not say.
    """

    path: str
    size: int = 0
    stamp: str = ""
    overrides: Overrides = ()
    problem: Problem | None = None
    changed: float = 0.0
    silent: bool = True

    @property
    def is_folder(self) -> bool:
        """Whether this stands for a folder that could not be listed."""
        return self.problem is not None and self.path.rpartition("/")[2] == "."

    @property
    def key(self) -> bytes:
        """The path as the file system stores it."""
        return path_bytes(self.path)


class Seen(NamedTuple):
    """What a storage says of a file.

    Attributes:
        size: In bytes.
        stamp: Changes whenever the file does.
        details: All else that an object store says, in its own words.
    """

    size: int
    stamp: str
    details: Mapping[str, Any]


def path_bytes(path: str) -> bytes:
    """Return the bytes of a path, including those that are not UTF-8."""
    return path.encode("utf-8", "surrogateescape")


def path_text(key: bytes) -> str:
    """Return the path of which these are the bytes."""
    return key.decode("utf-8", "surrogateescape")


def record_key(run: str, generation: int, item: Item, *, in_place: bool) -> str:
    """Return the ledger's idempotency key for one version of a file in one generation of this run.

    A file that is labelled in place gets another size and stamp with its label. Its key has neither; there the
    SHA-256 of the record identifies the version.
    """
    digest = version_digest(item, in_place=in_place)
    name = run if generation == 1 else f"{run}.{generation}"
    return f"{name}/{item.path}@{digest}".encode("utf-8", "backslashreplace").decode()


def version_digest(item: Item, *, in_place: bool) -> str:
    """Return the end of a record's key, which stands for one version of a file."""
    version = [item.overrides] if in_place else [item.size, item.stamp, item.overrides]
    return hashlib.sha256(json.dumps(version).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal has of a file from an earlier result. A digest or id that is not known is empty.

    Attributes:
        source_sha256: Of the source that the output was made from.
        output_sha256: Of the output.
        content_id: Of the label that was added.
        generation: The generation in which the output was made; 0 if that is not known.
        trusted: The source is the same by size and date, and its SHA-256 is not known yet.
    """

    source_sha256: str = ""
    output_sha256: str = ""
    content_id: str = ""
    generation: int = 0
    trusted: bool = False

    def is_of(self, digest: str) -> bool:
        """Return whether a source with this SHA-256 is the one that the output was made from."""
        return digest == self.source_sha256 if self.source_sha256 else self.trusted


NOTHING_KNOWN = Known()
"""What is known of a file without an earlier result."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """An earlier name of a file, which is gone from the source.

    Attributes:
        path: The name.
        output: Where its output is, in the target.
        output_size: Its size; 0 if that is not known.
        known: What the journal has of it.
        line: Its result.
    """

    path: str
    output: str
    output_size: int
    known: Known
    line: dict[str, Any]


@dataclass(slots=True)
class Task:
    """One file for a worker.

    Attributes:
        item: The file.
        output: The output's path in the target, if that is not the file's own.
        crashes: Workers that crashed on it.
        may_replace: The output may be replaced: this run has written it, or the user asked for it.
        overwrite: The user asked for it.
        moved_from: Where the source was that the journal knows, if it is elsewhere now.
        interrupted: A worker may have written the output before it died. If the output has our label, it is ours.
        output_was_free: The output was not there when the file was begun: one that an interrupted worker left is ours.
        known: What an earlier result says of it.
        done: Its last result is a good one, which stays if the content is the same.
        redo: It is processed even if its content is the same, and keeps its content id then.
        remade: Why its output is made again: ``missing``, ``size`` or ``content``; empty if that is not the reason.
        check_output: The output is to be compared with its SHA-256, and made again if that differs.
        source_done: The source is not even read if the output is as it should be.
        begun_as: The file as it was when a session that was killed began it.
        begun_in: The generation of that session.
        recorded: What the ledger recorded in that session, or has of the output that is there.
        asked: The ledger was asked about the output that is there.
        twins: The beginnings of the digests of known files of the same size; the file is handed back if it is one of
            them. If empty, it is in any case; ``None`` if there are none.
        renamed: Its earlier name.
    """

    item: Item
    output: str = ""
    crashes: int = 0
    may_replace: bool = False
    overwrite: bool = False
    moved_from: str = ""
    interrupted: bool = False
    output_was_free: bool = False
    known: Known = NOTHING_KNOWN
    done: bool = False
    redo: bool = False
    remade: str = ""
    check_output: bool = False
    source_done: bool = False
    begun_as: Item | None = None
    begun_in: int = 0
    recorded: Known | None = None
    asked: bool = False
    twins: frozenset[bytes] | None = None
    renamed: Renamed | None = None

    @property
    def output_path(self) -> str:
        """Where the output goes in the target."""
        return self.output or self.item.path

    @property
    def is_large(self) -> bool:
        """Whether no other file should wait behind it."""
        return self.item.size > LARGE_FILE


@dataclass(frozen=True, slots=True)
class Question:
    """A worker's question to the ledger: the task, and the SHA-256 of the output that is there."""

    task: Task
    sha256: str


@dataclass(slots=True)
class Outcome:
    """What became of a task.

    Attributes:
        path: The file.
        status: What became of it.
        line: The result, as a line of JSON.
        size: The source's size when it was read.
        stamp: The source's stamp when it was read.
        source_sha256: Of the source, if it was read.
        output: The output's path, if there is one.
        output_size: Its size.
        output_sha256: Its SHA-256.
        content_id: Of the label that was added.
        generation: In which the output was made, if that was not the run's own; 0 if it is not known.
        unchanged: The file has not changed since an earlier result, which stays.
        moved_from: The file's earlier name, whose output and content id it has now.
        again: The task, handed back to look for the file's earlier name; nothing else is said then.
        store_failed: Not the file failed, but the storage. The next run tries it again.
        left: It failed, and an output that this run has written is there.
        entries: What the ledger is to record.
        ask: This is what became of the file unless the ledger knows its output.
    """

    path: str
    status: Status
    line: bytes = b""
    size: int = 0
    stamp: str = ""
    source_sha256: str = ""
    output: str = ""
    output_size: int = 0
    output_sha256: str = ""
    content_id: str = ""
    generation: int | None = None
    unchanged: bool = False
    moved_from: str = ""
    again: Task | None = None
    store_failed: StoreFailure = ""
    left: bool = False
    entries: tuple[Entry, ...] = field(default=(), repr=False)
    ask: Question | None = None


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


def with_losses(line: bytes, lost: Sequence[Loss]) -> bytes:
    """Return a line of the results with more things that the output lacks."""
    record = json.loads(line)
    record["lost"] = [*record.get("lost", ()), *(loss.to_dict() for loss in dict.fromkeys(lost))]
    return to_json(record, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


def problem_outcome(
    item: Item, problem: Problem, *, attempts: int = 0, seconds: float = 0.0, source_sha256: str = ""
) -> Outcome:
    """Return the outcome of a file that could not be processed, or not completely."""
    error: dict[str, Any] = {"kind": problem.kind, "message": problem.message}
    if problem.names:
        error["names"] = list(problem.names)
    line = result_line(
        item.path, problem.status, attempts=attempts, seconds=seconds, size=item.size, stamp=item.stamp,
        source_sha256=source_sha256, list=dict(item.overrides) or None, error=error,
    )  # fmt: skip
    failed: StoreFailure = "read" if problem.of_store else ""
    return Outcome(item.path, problem.status, line, item.size, item.stamp, source_sha256, store_failed=failed)
