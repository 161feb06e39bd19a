"""What the journal tells of files that may have had another name: those of one size, and those of one content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from labeling.batch.task import Known, Task, path_text

Content = Literal["source_sha256", "output_sha256"]
"""By which digest a listed file is known: in place, what is listed is the output."""

MAX_TWINS = 256
"""Digests that a worker gets with a file; if more files have its size, it hands back whatever it reads."""

PREFIX = 8
"""Bytes of a digest that a worker compares. The journal compares all of them."""

_MADE = "status IN ('labelled', 'converted') AND output_sha256 IS NOT NULL AND at IS NOT NULL"


def prepare(db: sqlite3.Connection, content: Content) -> None:
    """Make the indexes by which files are found, unless they are there. The first session of a run needs none."""
    db.execute("CREATE INDEX IF NOT EXISTS item_by_size ON item (size) WHERE output_sha256 IS NOT NULL")
    if content == "output_sha256":
        db.execute("CREATE INDEX IF NOT EXISTS item_by_output ON item (output_sha256) WHERE output_sha256 IS NOT NULL")


def give_twins(db: sqlite3.Connection, tasks: Iterable[Task], content: Content, session: int) -> None:
    """Give new files the digests of those of the same size that earlier sessions have met.

    Args:
        db: The journal.
        tasks: The files.
        content: Which digests.
        session: The number of this session.
    """
    query = (
        f"SELECT substr({content}, 1, ?) FROM item "  # noqa: S608 - no values
        f"WHERE size=? AND session<? AND {content} IS NOT NULL AND {_MADE} LIMIT ?"
    )
    found: dict[int, frozenset[bytes] | None] = {}
    for task in tasks:
        size = task.item.size
        if size not in found:
            rows = db.execute(query, (PREFIX, size, session, MAX_TWINS + 1)).fetchall()
            found[size] = frozenset(digest for (digest,) in rows) if rows else None
            if len(rows) > MAX_TWINS:
                found[size] = frozenset()
        task.twins = found[size]


def is_twin(task: Task, digest: str) -> bool:
    """Return whether a new file may be one that is known under another name."""
    return task.twins is not None and (not task.twins or bytes.fromhex(digest)[:PREFIX] in task.twins)


class EarlierName(NamedTuple):
    """A name under which the journal knows a content. The fields but for the last are columns of the table ``item``."""

    key: bytes
    output: bytes | None
    output_size: int | None
    source_sha256: bytes | None
    output_sha256: bytes
    content_id: str | None
    generation: int
    root: int
    at: int
    length: int
    root_name: str

    @property
    def path(self) -> str:
        """The name."""
        return path_text(self.key)

    @property
    def output_path(self) -> str:
        """Where the output is."""
        return path_text(self.output or self.key)

    @property
    def known(self) -> Known:
        """What a worker needs to know of the result."""
        return Known(
            (self.source_sha256 or b"").hex(), self.output_sha256.hex(), self.content_id or "", self.generation
        )


def earlier_names(db: sqlite3.Connection, digest: str, own: str, content: Content) -> Iterator[EarlierName]:
    """Yield the files that have a content; those first that are known to be gone.

    Args:
        db: The journal, in which nothing is changed meanwhile.
        digest: The content's SHA-256.
        own: What a file list says of them, as the journal stores that.
        content: Which digests to compare it with.
    """
    columns = ", ".join(f"item.{name}" for name in EarlierName._fields[:-1])
    query = (
        f"SELECT {columns}, coalesce(root.name, '') FROM item LEFT JOIN root ON root.number=item.root "  # noqa: S608
        f"WHERE {content}=? AND own=? AND {_MADE} ORDER BY vanished DESC"
    )
    return map(EarlierName._make, db.execute(query, (bytes.fromhex(digest), own)))


def hand_over(db: sqlite3.Connection, name: bytes, owner: bytes, new: bytes) -> None:
    """Give the name of an output, whose owner is gone from the source, to another file.

    Args:
        db: The journal.
        name: The name.
        owner: The key of the file that has had it. If that is there again, it is a new file.
        new: The key of the other file.
    """
    db.execute("UPDATE output SET owner=? WHERE name=?", (new, name))
    db.execute("UPDATE item SET redo=1, ours=0 WHERE key=?", (owner,))


def forget(db: sqlite3.Connection, key: bytes) -> bool:
    """Forget an earlier name: the file has another row now. Return whether the name was not known to be gone."""
    vanished = db.execute("SELECT vanished FROM item WHERE key=?", (key,)).fetchone()
    db.execute("DELETE FROM item WHERE key=?", (key,))
    db.execute("DELETE FROM output WHERE owner=?", (key,))
    return bool(vanished == (0,))
