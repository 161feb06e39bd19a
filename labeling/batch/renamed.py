"""Files that have another name than before: which name that was, if it is gone from the source.

That is asked in steps, so that ordinary new files cost next to nothing. The run's process gives a worker the digests
of known files of the same size. A worker that meets one of them hands its file back. Only then it is looked up whether
the earlier name is still there: if it is, the file is a copy, and labelled as a file of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from labeling.batch.journal import Journal
from labeling.batch.rename_index import Content, EarlierName
from labeling.batch.storage import Storage
from labeling.batch.task import Outcome, Renamed, Task

PARALLEL_LOOKUPS = 16


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

    def answer(self, asked: Sequence[Outcome]) -> list[Task]:
        """Return the tasks to go on with. Those that have an earlier name know it then.

        Args:
            asked: What the workers say of the files.

        Raises:
            LabelingError: The source does not say whether names are there.
        """
        found = {
            outcome.path: self.journal.earlier_names(outcome.again, outcome.source_sha256, self.content)
            for outcome in asked
            if outcome.again is not None
        }
        gone = self._gone([name for names in found.values() for name in names])
        tasks = []
        for outcome in asked:
            if outcome.again is None:
                continue
            task = replace(outcome.again, twins=None)
            taken = set(self._given.values())
            name = next((each for each in found[outcome.path] if each.key in gone and each.key not in taken), None)
            if name is not None:
                line = self.journal.result_at(name.at, name.length)
                task.renamed = Renamed(name.path, name.output_path, name.output_size or 0, name.known, line)
                self._given[outcome.path] = name.key
            tasks.append(task)
        return tasks

    def _gone(self, names: Sequence[EarlierName]) -> set[bytes]:
        """Return which of the names are gone from the source."""
        paths = {name.key: name.path for name in names if self._was_here(name)}
        if self.source.local or self.source.in_this_process or len(paths) < 2:
            return {key for key, path in paths.items() if not self.source.exists(path)}
        with ThreadPoolExecutor(min(PARALLEL_LOOKUPS, len(paths))) as pool:
            there = pool.map(self.source.exists, paths.values())
            return {key for key, found in zip(paths, there, strict=True) if not found}

    def _was_here(self, name: EarlierName) -> bool:
        """Return whether it can be told that a name is gone: it may still be where the source was before."""
        if name.root in (0, self.journal.root):
            return True
        return name.root_name.startswith(os.sep) and not os.path.lexists(os.path.join(name.root_name, name.path))  # noqa: PTH118

    def release(self, path: str) -> None:
        """Note that the journal knows what has become of a file: its earlier name is gone from there, or free again."""
        self._given.pop(path, None)
