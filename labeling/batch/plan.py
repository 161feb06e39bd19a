"""Which of the listed files a run processes, by what its journal has of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from labeling.batch.conversion import OutputNames
from labeling.batch.output_check import OutputCheck
from labeling.batch.rename_index import Content
from labeling.batch.results_file import is_unchanged_since
from labeling.batch.task import SUCCESSFUL, Item, Known, Status, Task, path_text


class Row(NamedTuple):
    """What the journal has of one file. The fields are columns of the table ``item``."""

    status: str | None
    size: int
    stamp: str
    own: str
    source_sha256: bytes | None
    output: bytes | None
    output_size: int | None
    output_sha256: bytes | None
    content_id: str | None
    generation: int
    root: int
    crashes: int
    session: int
    begun: int
    redo: int
    ours: int
    vanished: int

    @property
    def has_output(self) -> bool:
        """Whether a run of this journal has written an output that should be there."""
        return bool(self.ours) and self.status in (Status.LABELLED, Status.CONVERTED)

    def output_path(self, item: Item) -> str:
        """Return where the output of a file is."""
        return item.path if self.output is None else path_text(self.output)

    def known(self, item: Item) -> Known:
        """Return what a worker needs to know of the file's last result."""
        return Known(
            (self.source_sha256 or b"").hex(), (self.output_sha256 or b"").hex(), self.content_id or "",
            self.generation, trusted=self.size == item.size and is_unchanged_since(item.stamp, self.stamp),
        )  # fmt: skip


@dataclass(slots=True)
class Plan:
    """What is to be done with listed files.

    Attributes:
        tasks: Files to process.
        repeated: Files that a list names more than once.
        known: How many of the files the journal knew.
        done: How many files were done before.
        done_size: Their bytes.
    """

    tasks: list[Task] = field(default_factory=list)
    repeated: list[Item] = field(default_factory=list)
    known: int = 0
    done: int = 0
    done_size: int = 0


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Which of the files that the journal knows are processed again.

    Attributes:
        retry_failed: Those that failed.
        checksum: Those whose SHA-256 has changed; all are read, whatever their size and date.
        overwrite: Those whose output was not ours; any output may be replaced.
        named_once: A file is processed once, even if a list names it several times.
        keep_said: What an earlier list said of a file stands, if no list says anything about it now.
        outputs: What outputs are called, where that is not what their sources are called.
        renamed: By which digest new files are compared with known ones, whose new names they may be; ``None`` if they
            are not.
        output_check: Finds outputs that are to be made again; ``None`` if they are not looked at.
    """

    retry_failed: bool = False
    checksum: bool = False
    overwrite: bool = False
    named_once: bool = False
    keep_said: bool = False
    outputs: OutputNames | None = None
    renamed: Content | None = None
    output_check: OutputCheck | None = None


COMPARE = ""
"""Instead of why an output is made again: its contents are to be compared first."""


def outputs_to_remake(items: Sequence[Item], rows: Mapping[bytes, Row], check: OutputCheck) -> dict[bytes, str]:
    """Return the keys of files whose outputs are not there as they were written, and why.

    Args:
        items: Listed files.
        rows: What the journal has of them.
        check: Looks at the outputs.

    Raises:
        LabelingError: It cannot be told whether the outputs are there.
    """
    known = [(item, row) for item in items if (row := rows.get(item.key)) is not None and row.has_output]
    written = {row.output_path(item): (item, row) for item, row in known}
    wrong = check.wrong({path: row.output_size for path, (_, row) in written.items()})
    found = {written[path][0].key: why for path, why in wrong.items()}
    if check.contents:
        found = {item.key: COMPARE for item, row in known if row.output_sha256 is not None} | found
    return found


def task_to_remake(item: Item, row: Row, why: str, task: Task | None) -> Task | None:
    """Return the task for a file whose output may have to be made again.

    Args:
        item: The file.
        row: What the journal has of it.
        why: What :func:`outputs_to_remake` says of its output.
        task: The task for other reasons, if any.
    """
    if task is not None and (task.redo or not task.done):
        return task  # its output is made anew in any case
    if task is None:
        task = Task(item, may_replace=bool(row.ours), known=row.known(item), done=True, source_done=True)
    task.check_output, task.redo, task.remade = why == COMPARE, why != COMPARE, why
    return task


def with_what_was_said(item: Item, row: Row | None) -> Item:
    """Return a file of which no list says anything with what the last one did, such as its uploader's declaration."""
    if row is None or row.own == _NOTHING_SAID or not item.silent:
        return item
    return replace(item, overrides=tuple((key, value) for key, value in json.loads(row.own)))


_NOTHING_SAID = json.dumps(())


def task_for(item: Item, row: Row | None, overrides: str, options: PlanOptions, *, again: bool = False) -> Task | None:
    """Return the task for a listed file; ``None`` if the file is done.

    Args:
        item: The file.
        row: What the journal has of it.
        overrides: What the file list says about it, as the journal stores that.
        options: Which files are processed again.
        again: This one is, even if its content is the same.
    """
    if row is None:
        return Task(item)
    task = Task(item, may_replace=bool(row.ours), known=row.known(item))
    poison = row.status == Status.POISON
    if row.begun:  # by a session that was killed, or by workers that crashed: they may have written the output
        begun_overrides = tuple((key, value) for key, value in json.loads(row.own))
        task.begun_as = replace(item, size=row.size, stamp=row.stamp, overrides=begun_overrides)
        task.begun_in, task.interrupted = row.begun, True
        task.redo = bool(row.redo) or again or row.own != overrides
        if not poison:
            task.crashes = row.crashes
            return task
    if item.problem is not None and item.problem.of_store and row.status is not None:
        return None  # whether it has changed is not known
    failed = row.status not in SUCCESSFUL
    task.redo = task.redo or bool(row.redo) or again or row.own != overrides
    retried = row.status is None or (failed and options.retry_failed)  # None: its storage failed, not the file
    if task.redo or retried or (row.status == Status.REFUSED and options.overwrite):
        return task
    task.done = not failed  # a worker compares the contents: in this process it would take hours
    same = (row.size, row.stamp) == (item.size, item.stamp)
    return None if same and not (options.checksum and task.done) else task
