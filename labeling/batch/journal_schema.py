"""The tables of the journal, and how a journal of an earlier version becomes one of today's."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from labeling.errors import LabelingError

VERSION = 2

_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS item (
  key BLOB PRIMARY KEY,      -- the path, as bytes
  status TEXT,               -- NULL: it has no result yet, or its storage failed
  begun INTEGER NOT NULL,    -- the generation in which it was handed out, and is not back, or its storage
                             -- failed when it was written, or workers crashed on it; else 0
  redo INTEGER NOT NULL DEFAULT 0, -- 1: it was or will be begun although its source is the same
  ours INTEGER NOT NULL DEFAULT 0, -- 1: a run of this journal has written its output
  size INTEGER NOT NULL, stamp TEXT NOT NULL, own TEXT NOT NULL,
  source_sha256 BLOB,        -- of the source that the output was made from, or that was read last if there is none
  output BLOB,               -- its output's path, as bytes; NULL if that is the key
  output_size INTEGER, output_sha256 BLOB, content_id TEXT, -- of its output
  generation INTEGER NOT NULL DEFAULT 0, -- in which its output was made; 0: not known
  root INTEGER NOT NULL DEFAULT 0, -- the place of the source (table root); 0: not known
  crashes INTEGER NOT NULL DEFAULT 0,
  vanished INTEGER NOT NULL DEFAULT 0, -- 1: it is no longer in the source
  session INTEGER NOT NULL,  -- the start of the run that met it last
  at INTEGER, length INTEGER -- its line in the results
) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS item_by_source ON item (source_sha256) WHERE source_sha256 IS NOT NULL",
    """CREATE TABLE IF NOT EXISTS output (
  name BLOB PRIMARY KEY,     -- of an output whose name is not that of its source, as bytes
  owner BLOB NOT NULL,       -- the key of the source that was listed first
  free INTEGER NOT NULL      -- 1: nothing was there when its source was begun
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS generation (
  number INTEGER PRIMARY KEY,
  options TEXT NOT NULL      -- JSON: those that its labels depend on
)""",
    """CREATE TABLE IF NOT EXISTS root (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE  -- where the source was
)""",
)


def prepare(db: sqlite3.Connection, path: Path) -> bool:
    """Make the tables of a new journal, and look whether an existing one can be used.

    Args:
        db: The journal.
        path: Its file, for messages.

    Returns:
        Whether it is a new one.

    Raises:
        LabelingError: A newer version has written it.
        sqlite3.Error: It cannot be used.
    """
    db.execute("PRAGMA locking_mode=EXCLUSIVE")  # one run at a time; needs no shared memory, so works on NFS too
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    version = _version(db)
    if version is None:
        with db:
            db.execute("BEGIN IMMEDIATE")
            for statement in _TABLES:
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('version', ?)", (str(VERSION),))
    elif not version.isdigit() or not 1 <= int(version) <= VERSION:
        raise LabelingError(
            f"was written by another version of aigc-labeling (its format is {version}, and {VERSION} is the newest "
            "that is known here)", path=path, hint="use that version, or another target",
        )  # fmt: skip
    return version is None


def _version(db: sqlite3.Connection) -> str | None:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name='meta'").fetchone():
        return None
    row = db.execute("SELECT value FROM meta WHERE key='version'").fetchone()
    return None if row is None else str(row[0])


def migrate(db: sqlite3.Connection, results: Path) -> None:
    """Bring a journal of version 1 into today's form, completely or not at all.

    What it did not keep of the outputs is in the results, which stay as they are.

    Args:
        db: The journal.
        results: The results.
    """
    if _version(db) != "1":
        return
    with db:
        db.execute("BEGIN IMMEDIATE")
        for name in ("item", "output"):
            db.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
        for statement in _TABLES:
            db.execute(statement)
        db.execute("INSERT INTO output SELECT * FROM old_output")
        db.executemany(
            "INSERT INTO item (key, status, begun, ours, size, stamp, own, source_sha256, output, output_size, "
            "output_sha256, content_id, generation, crashes, session, at, length) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _rows_of_version_1(db, results),
        )
        db.execute("DROP TABLE old_item")
        db.execute("DROP TABLE old_output")
        db.execute("UPDATE meta SET value=? WHERE key='version'", (str(VERSION),))


def _rows_of_version_1(db: sqlite3.Connection, results: Path) -> Iterator[tuple[Any, ...]]:
    options = db.execute("SELECT value FROM meta WHERE key='options'").fetchone()
    in_place = bool(options and json.loads(options[0]).get("in place"))
    query = "SELECT key, status, begun, ours, size, stamp, own, checksum, crashes, session, at, length FROM old_item"
    with results.open("rb") if results.exists() else io.BytesIO() as file:
        for key, status, begun, ours, size, stamp, own, checksum, crashes, session, at, length in db.execute(query):
            line: dict[str, Any] = {}
            if at is not None and status in ("labelled", "converted"):
                file.seek(at)
                with suppress(ValueError):
                    line = json.loads(file.read(length))
            source = None if in_place else digest_bytes(checksum)  # in place it was that of the labelled file
            output = digest_bytes(line.get("sha256")) or (digest_bytes(checksum) if in_place else None)
            yield (
                key, status, begun, ours, size, stamp, own, source, output_bytes(line.get("output"), key),
                line.get("output_size"), output, line.get("content_id"), int(status is not None), crashes, session, at,
                length,
            )  # fmt: skip


def digest_bytes(text: object) -> bytes | None:
    """Return a SHA-256 in hexadecimal digits as the journal stores it; ``None`` if it is none."""
    with suppress(ValueError):
        if isinstance(text, str) and len(text) == 64:
            return bytes.fromhex(text)
    return None


def output_bytes(path: object, key: bytes) -> bytes | None:
    """Return the path of an output as the journal stores it; ``None`` if it is the source's own."""
    if not isinstance(path, str):
        return None
    stored = path.encode("utf-8", "surrogateescape")
    return None if stored == key else stored
