"""Outputs of a run whose sources are gone: they are listed, and removed if that is asked for.

Only outputs that the journal knows are looked at, and only those are removed that are, byte for byte, what the run has
written. What the ledger and the results say of them stays.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from labeling.batch.journal import Journal
from labeling.batch.storage import Folder, Storage
from labeling.batch.vanished import Orphan
from labeling.errors import LabelingError
from labeling.files import sha256
from labeling.inert import to_json
from labeling.temporary import PLAIN

ORPHANS = "orphans.jsonl"
"""In the run's folder: a line for each orphan, with what became of it."""

LISTED, REMOVED, CHANGED, EMPTY_FOLDER, FAILED = "listed", "removed", "changed", "empty folder", "failed"
"""What became of an orphan. It was only listed, or removed. Or it was kept: it is not what the run has written, or the
folder of its source is there and empty, as that of a disk that is not mounted, or it could not be removed."""

PARALLEL = 8
"""Orphans that are looked at, at a time."""

MAX_EXAMPLES = 5


@dataclass
class Pruning:
    """Lists or removes the orphans of a run. Its session must have listed the whole source.

    Attributes:
        journal: Knows the outputs.
        source: Where the sources were.
        output: Where the outputs are.
        remove: Remove them, and do not only list them.
        counts: What became of the orphans.
        size: Their bytes.
        examples: Some of their paths.
    """

    journal: Journal
    source: Storage
    output: Storage
    remove: bool
    counts: Counter[str] = field(default_factory=Counter)
    size: int = 0
    examples: list[str] = field(default_factory=list)

    def prune(self) -> dict[str, Any]:
        """List the orphans in the run's folder, and remove them if that is asked for.

        Returns:
            For the summary: ``found``, ``bytes``, ``examples``, ``became`` (how many were removed, or why they were
            kept), ``list`` (the file with all of them).

        Raises:
            LabelingError: Source or target do not say what is there, or the list or the journal cannot be written.
        """
        place = self.journal.folder / ORPHANS
        try:
            with _open_plain(place) as file, ThreadPoolExecutor(PARALLEL) as pool:
                for page in self.journal.orphans():
                    for orphan, became in self._page(page, pool):
                        self._count(orphan, became)
                        line = to_json(orphan.to_dict() | {"became": became}, separators=(",", ":")) + "\n"
                        file.write(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise LabelingError(f"cannot be written ({error.strerror})", path=place) from error
        found = {"found": sum(self.counts.values()), "bytes": self.size, "examples": self.examples}
        return found | {"became": dict(self.counts), "list": str(place)}

    def _page(self, page: Sequence[Orphan], pool: ThreadPoolExecutor) -> Iterator[tuple[Orphan, str]]:
        """Yield what has become of some orphans."""
        found = dict(zip(page, pool.map(self._look, page), strict=True))
        chosen = [orphan for orphan, became in found.items() if became == REMOVED]
        if chosen:
            self.journal.note_pruned([orphan.key for orphan in chosen])  # first: a source that returns is new then
            found |= zip(chosen, pool.map(self._remove, chosen), strict=True)
        return ((orphan, became) for orphan, became in found.items() if became)

    def _count(self, orphan: Orphan, became: str) -> None:
        self.counts[became] += 1
        self.size += orphan.output_size or 0
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(orphan.output_path)

    def _look(self, orphan: Orphan) -> str:
        """Return what is to become of an orphan; empty if it is none: its source is there, or it is not."""
        if self.output.size(orphan.output_path) is None or self.source.exists(orphan.path):
            return ""
        if not self.remove:
            return LISTED
        if isinstance(self.source, Folder) and _is_below_empty_folder(self.source.root, orphan.path):
            return EMPTY_FOLDER
        with self.output.fetch(orphan.output_path) as local:
            return REMOVED if sha256(local) == orphan.output_sha256.hex() else CHANGED

    def _remove(self, orphan: Orphan) -> str:
        try:
            self.output.remove(orphan.output_path)
        except LabelingError:
            return FAILED
        if isinstance(self.output, Folder):
            self.output.remove_empty_folders(orphan.output_path)
        return REMOVED


def _is_below_empty_folder(root: Path, path: str) -> bool:
    """Return whether the first folder above a path that is still there, below the root, has nothing in it."""
    for folder in PurePosixPath(path).parents[:-1]:
        try:
            with os.scandir(root / folder) as entries:
                return next(entries, None) is None
        except FileNotFoundError:
            continue
        except OSError:
            return True  # it cannot be told what is in it
    return False


def _open_plain(place: Path) -> BinaryIO:
    """Open a file of the run's folder for writing, which is no symbolic link."""
    return os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | PLAIN, 0o666), "wb")
