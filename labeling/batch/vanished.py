"""Files that earlier sessions of a run knew, and that are no longer in its source."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from labeling.batch.task import path_text

Wanted = Callable[[str], bool]
"""Returns whether a path is one that a session with globs lists."""


def count(db: sqlite3.Connection, wanted: Wanted | None) -> int:
    """Return how many files the journal knows that are in the source, as far as it knows.

    Args:
        db: The journal.
        wanted: Which paths to count; ``None`` for all.
    """
    _register(db, wanted)
    chosen = "" if wanted is None else "AND wanted(key)"
    return int(db.execute(f"SELECT count(*) FROM item WHERE NOT vanished {chosen}").fetchone()[0])  # noqa: S608


def _register(db: sqlite3.Connection, wanted: Wanted | None) -> None:
    if wanted is not None:
        db.create_function("wanted", 1, lambda key: wanted(path_text(key)))


def mark(db: sqlite3.Connection, listed: Iterable[bytes], session: int, wanted: Wanted | None) -> None:
    """Mark the files that are no longer in the source, in a transaction.

    Args:
        db: The journal.
        listed: The keys of all that is in the source.
        session: The number of this session; what it has met is there.
        wanted: The paths that may be marked; ``None`` for all.
    """
    _register(db, wanted)
    chosen = "" if wanted is None else "AND wanted(key)"
    db.execute(
        "CREATE TEMP TABLE listed (key BLOB PRIMARY KEY) WITHOUT ROWID"
    )  # SQLite keeps it on disk if it is large
    db.executemany("INSERT OR IGNORE INTO listed VALUES (?)", ((key,) for key in listed))
    db.execute(
        "UPDATE item SET vanished=1 WHERE NOT vanished AND session<? AND key NOT IN (SELECT key FROM listed) "  # noqa: S608
        f"{chosen}",
        (session,),
    )
    db.execute("DROP TABLE listed")


def without(db: sqlite3.Connection, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of the results but for those of files that are no longer in the source.

    Args:
        db: The journal.
        lines: All lines, from the first one on.
    """
    gone = db.execute("SELECT at FROM item WHERE vanished AND at IS NOT NULL ORDER BY at")
    at, following = 0, gone.fetchone()
    for line in lines:
        if following is not None and following[0] == at:
            following = gone.fetchone()
        else:
            yield line
        at += len(line)


class Orphan(NamedTuple):
    """An output whose source is gone. The fields are columns of the table ``item``."""

    key: bytes
    output: bytes | None
    output_size: int | None
    output_sha256: bytes
    content_id: str | None

    @property
    def path(self) -> str:
        """Where the source was."""
        return path_text(self.key)

    @property
    def output_path(self) -> str:
        """Where the output is."""
        return path_text(self.output or self.key)

    def to_dict(self) -> dict[str, object]:
        """Return it as the list of orphans has it."""
        found: dict[str, object] = {"path": self.path, "output": self.output_path, "output_size": self.output_size}
        return found | {"sha256": self.output_sha256.hex(), "content_id": self.content_id}


def orphans(db: sqlite3.Connection, root: int, page: int = 256) -> Iterator[list[Orphan]]:
    """Yield the outputs of a run whose sources are gone, some at a time.

    Left out are those of sources that were somewhere else: they may be there still. And those that may be the outputs
    of new names which could not be processed yet: the next session moves them.

    Args:
        db: The journal, in which rows may be changed meanwhile.
        root: The number of the place where the source is.
        page: How many are yielded at a time.
    """
    db.execute("CREATE TEMP TABLE open (size INTEGER, source_sha256 BLOB)")
    with db:
        db.execute(
            "INSERT INTO open SELECT size, source_sha256 FROM item WHERE output_sha256 IS NULL AND NOT vanished AND "
            "(status IS NULL OR status NOT IN ('skipped', 'unsupported', 'verified'))"
        )
    db.execute("CREATE INDEX open_by_size ON open (size)")
    query = (
        f"SELECT {', '.join(Orphan._fields)} FROM item WHERE key>? AND vanished AND ours AND root=? "  # noqa: S608
        "AND output_sha256 IS NOT NULL AND at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM open WHERE open.size=item.size "
        "AND coalesce(open.source_sha256, item.source_sha256) IS item.source_sha256) ORDER BY key LIMIT ?"
    )
    last = b""
    while found := [Orphan(*row) for row in db.execute(query, (last, root, page))]:
        yield found
        last = found[-1].key
    db.execute("DROP TABLE open")


def prune(db: sqlite3.Connection, key: bytes, at: int, length: int) -> None:
    """Note that the output of a file was removed: it is made again, if the file is ever there again.

    Args:
        db: The journal, in a transaction.
        key: The file.
        at: Where its new line is in the results.
        length: The line's length.
    """
    db.execute("UPDATE item SET redo=1, ours=0, at=?, length=? WHERE key=?", (at, length, key))
    db.execute("DELETE FROM output WHERE owner=?", (key,))
