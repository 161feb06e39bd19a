"""Whether the outputs of earlier sessions are still there as they were written.

Of a folder each output is looked at. An object store is listed as a whole, because a listing tells of a thousand
objects with one request; only for file lists, which may name a few of many, are objects asked about one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from labeling.batch.options import Depth
from labeling.batch.storage import Storage
from labeling.batch.task import EmptySource, path_bytes

MISSING, WRONG_SIZE, WRONG_CONTENT = "missing", "size", "content"
"""What the results say of an output that was made again: it was not there, or had another size or other bytes."""

PARALLEL_LOOKUPS = 16


@dataclass(frozen=True, slots=True)
class OutputCheck:
    """Looks at outputs, and finds those to be made again.

    Attributes:
        output: Where they are.
        contents: Their contents are compared as well, by the workers.
        listed: What a listing has told of them; ``None`` if each is asked about.
    """

    output: Storage
    contents: bool
    listed: sqlite3.Connection | None = None

    def wrong(self, expected: Mapping[str, int | None]) -> dict[str, str]:
        """Return the outputs that are not as they were, and why.

        Args:
            expected: Their paths, with the sizes that they had, as far as these are known.

        Raises:
            LabelingError: It cannot be told.
        """
        found = self._sizes(list(expected))
        return {
            path: MISSING if found[path] is None else WRONG_SIZE
            for path, size in expected.items()
            if found[path] is None or size not in (None, found[path])
        }

    def _sizes(self, paths: list[str]) -> dict[str, int | None]:
        if self.listed is not None:
            keys = {path_bytes(path): path for path in paths}
            query = f"SELECT name, size FROM there WHERE name IN ({','.join('?' * len(keys))})"  # noqa: S608 - no values
            return dict.fromkeys(paths) | {keys[name]: size for name, size in self.listed.execute(query, list(keys))}
        if self.output.local or self.output.in_this_process or len(paths) < 2:
            return {path: self.output.size(path) for path in paths}
        with ThreadPoolExecutor(min(PARALLEL_LOOKUPS, len(paths))) as pool:
            return dict(zip(paths, pool.map(self.output.size, paths), strict=True))


@contextmanager
def output_check(output: Storage, depth: Depth | None, *, whole: bool) -> Iterator[OutputCheck | None]:
    """Yield the check that a session makes; ``None`` if it makes none.

    Args:
        output: Where the outputs are.
        depth: What is compared.
        whole: The whole source is gone through, so that a listing of the output pays.

    Raises:
        LabelingError: The output cannot be listed.
    """
    if depth is None:
        yield None
    elif output.local or not whole:
        yield OutputCheck(output, depth == "sha256")
    else:
        with closing(_listed(output)) as listed:
            yield OutputCheck(output, depth == "sha256", listed)


def _listed(output: Storage) -> sqlite3.Connection:
    """List an object store into a temporary database, which SQLite keeps on disk once it is large."""
    db = sqlite3.connect("")
    db.execute("CREATE TABLE there (name BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID")
    with suppress(EmptySource):  # nothing is there
        db.executemany("INSERT OR REPLACE INTO there VALUES (?, ?)", ((item.key, item.size) for item in output.walk()))
    return db
