"""Which of the listed files a run processes, by what its journal has of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from labeling.batch.conversion import OutputNames
from labeling.batch.task import SUCCESSFUL, Item, Status, Task


class Row(NamedTuple):
    """What the journal has of one file. The fields are columns of the table ``item``."""

    status: str | None
    size: int
    stamp: str
    own: str
    checksum: str
    crashes: int
    session: int
    begun: int
    ours: int


@dataclass(slots=True)
class Plan:
    """What is to be done with listed files.

    Attributes:
        tasks: Files to process.
        repeated: Files that a list names more than once.
        done: How many files were done before.
        done_size: Their bytes.
    """

    tasks: list[Task] = field(default_factory=list)
    repeated: list[Item] = field(default_factory=list)
    done: int = 0
    done_size: int = 0


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Which of the files that the journal knows are processed again.

    Attributes:
        retry_failed: Those that failed.
        checksum: Those whose SHA-256 has changed, whatever their size and date.
        overwrite: Those whose output was not ours; any output may be replaced.
        named_once: A file is processed once, even if a list names it several times.
        outputs: What outputs are called, where that is not what their sources are called.
    """

    retry_failed: bool = False
    checksum: bool = False
    overwrite: bool = False
    named_once: bool = False
    outputs: OutputNames | None = None


def task_for(item: Item, row: Row | None, overrides: str, options: PlanOptions) -> Task | None:
    """Return the task for a listed file; ``None`` if the file is done.

    Args:
        item: The file.
        row: What the journal has of it.
        overrides: What the file list says about it, as the journal stores that.
        options: Which files are processed again.
    """
    if row is None:
        return Task(item)
    task = Task(item, may_replace=bool(row.ours))
    if row.begun:  # by a session that was killed
        task.crashes, task.interrupted = row.crashes, True
        begun_overrides = tuple((key, value) for key, value in json.loads(row.own))
        task.begun_as = replace(item, size=row.size, stamp=row.stamp, overrides=begun_overrides)
        return task
    failed = row.status not in SUCCESSFUL
    if (
        row.own != overrides
        or (failed and options.retry_failed)
        or (row.status == Status.REFUSED and options.overwrite)
    ):
        return task
    if options.checksum and not failed:  # a worker compares: in this process it would take hours
        task.known_checksum = row.checksum or None
        return task
    return task if (row.size, row.stamp) != (item.size, item.stamp) else None
