"""Files that have another name than before: which name that was, if it is gone from the source.

That is asked in steps, so that ordinary new files cost next to nothing. The run's process gives a worker the digests
of known files of the same size. A worker that meets one of them hands its file back. Only then it is looked up whether
the earlier name is still there: if it is, the file is a copy, and labelled as a file of its own.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from labeling.batch.journal import Journal
from labeling.batch.rename_index import Content, EarlierName
from labeling.batch.storage import Storage
from labeling.batch.task import Outcome, Overrides, Renamed, Task

PARALLEL_LOOKUPS = 16

MAX_CONTENTS, MAX_GONE = 64, 10_000
"""Contents whose names are kept in memory, and how many of each that are gone."""

MAX_ASKED = 512
"""Names of one content that a store is asked about, with a request for each."""

MAX_WAITING = 1024
"""Files that may wait until all are listed."""

_Content = tuple[str, Overrides]
"""A digest, and what a file list says of the files that have it."""


@dataclass
class RenameFinder:
    """Finds the earlier names of files that workers have handed back. Each name is given to one file.

    Attributes:
        journal: Knows the names.
        source: Where the files are.
        content: By which digest they are known.
    """

    journal: Journal
    source: Storage
    content: Content
    _given: dict[str, bytes] = field(default_factory=dict)
    _waiting: list[tuple[Task, str]] = field(default_factory=list)
    _gone: OrderedDict[_Content, list[EarlierName]] = field(default_factory=OrderedDict)

    @property
    def waits(self) -> bool:
        """Whether files wait for :meth:`rest`."""
        return bool(self._waiting)

    def answer(self, asked: Sequence[Outcome]) -> list[Task]:
        """Return the tasks to go on with. Those that have an earlier name know it then.

        Some wait, because several names of their content are gone, and none has the same last part as theirs: files
        that are listed later may have a better claim to these.

        Args:
            asked: What the workers say of the files.

        Raises:
            LabelingError: The source does not say whether names are there.
        """
        tasks = []
        for outcome in asked:
            if outcome.again is None:
                continue
            task = replace(outcome.again, twins=None)
            gone = self._names(task, outcome.source_sha256)
            same = _same_last_part(task, gone)
            if gone and same is None and len(self._waiting) < MAX_WAITING:
                self._waiting.append((task, outcome.source_sha256))
                continue
            tasks.append(self._named(task, gone, same or 0))
        return tasks

    def rest(self) -> list[Task]:
        """Return the tasks that have waited: no other file has a better claim any more. Raises LabelingError."""
        waiting, self._waiting = self._waiting, []
        return [self._named(task, self._names(task, digest), 0) for task, digest in waiting]

    def _named(self, task: Task, gone: list[EarlierName], index: int) -> Task:
        """Give a task one of the names."""
        if gone:
            name = gone.pop(index)
            line = self.journal.result_at(name.at, name.length)
            task.renamed = Renamed(name.path, name.output_path, name.output_size or 0, name.known, line)
            self._given[task.item.path] = name.key
        return task

    def _names(self, task: Task, digest: str) -> list[EarlierName]:
        """Return the names of a content that are gone, and free."""
        key = (digest, task.item.overrides)
        gone = self._gone.get(key)
        if gone is None or len(gone) == 1:  # the last one may not be the last: only so many are kept
            gone = self._gone[key] = self._find_gone(*key)
            if len(self._gone) > MAX_CONTENTS:
                self._gone.popitem(last=False)
        return gone

    def _find_gone(self, digest: str, overrides: Overrides) -> list[EarlierName]:
        """Return the names of a content that are gone from the source, and given to no file yet."""
        taken = set(self._given.values())
        names = (
            name
            for name in self.journal.earlier_names(digest, overrides, self.content)
            if name.key not in taken and self._was_here(name)
        )
        if self.source.local or self.source.in_this_process:
            return list(islice((name for name in names if not self.source.exists(name.path)), MAX_GONE))
        asked = list(islice(names, MAX_ASKED))
        with ThreadPoolExecutor(PARALLEL_LOOKUPS) as pool:
            there = pool.map(self.source.exists, [name.path for name in asked])
            return [name for name, found in zip(asked, there, strict=True) if not found]

    def _was_here(self, name: EarlierName) -> bool:
        """Return whether it can be told that a name is gone: it may still be where the source was before."""
        if name.root in (0, self.journal.root):
            return True
        return name.root_name.startswith(os.sep) and not os.path.lexists(os.path.join(name.root_name, name.path))  # noqa: PTH118

    def release(self, path: str) -> None:
        """Note that the journal knows what has become of a file: its earlier name is gone from there, or free again."""
        self._given.pop(path, None)


def _same_last_part(task: Task, names: Sequence[EarlierName]) -> int | None:
    """Return the index of the name that has the last part of a task's path; ``None`` if none has."""
    last = task.item.path.rpartition("/")[2]
    return next((index for index, name in enumerate(names) if name.path.rpartition("/")[2] == last), None)
