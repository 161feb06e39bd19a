"""The content ids that a file list gives: each belongs to one file (GB 45438-2025: the number is the content's own)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from labeling.batch.task import Problem, Status, Task, path_text

_TABLE = """CREATE TABLE IF NOT EXISTS given_id (
  content_id TEXT PRIMARY KEY, -- that a list gave
  owner BLOB NOT NULL          -- the key of the file that was listed first with it
) WITHOUT ROWID"""


def claim_given_ids(db: sqlite3.Connection, tasks: Sequence[Task], session: int) -> None:
    """Note to which files a list gives content ids. A file with the id of one listed before it gets a problem.

    What an earlier list said does not count: there, the file may have had another name.

    Args:
        db: The journal, in a transaction, which knows the tasks already.
        tasks: The files.
        session: The number of this session.
    """
    given = [(task, dict(task.item.overrides).get("content_id")) for task in tasks if task.item.problem is None]
    given = [(task, content_id) for task, content_id in given if content_id]
    if not given:
        return
    db.execute(_TABLE)
    for task, content_id in given:
        row = db.execute("SELECT owner FROM given_id WHERE content_id=?", (content_id,)).fetchone()
        if row is not None and row[0] != task.item.key and _has_it_still(db, row[0], str(content_id), session):
            first = path_text(row[0])
            task.item = replace(task.item, problem=_same_id(str(content_id), first))
            continue
        db.execute("INSERT OR REPLACE INTO given_id VALUES (?, ?)", (content_id, task.item.key))


def _has_it_still(db: sqlite3.Connection, owner: bytes, content_id: str, session: int) -> bool:
    """Return whether the list of this session gives the id to its earlier owner as well."""
    row = db.execute("SELECT own, session FROM item WHERE key=?", (owner,)).fetchone()
    return row is not None and row[1] == session and dict(json.loads(row[0])).get("content_id") == content_id


def _same_id(content_id: str, first: str) -> Problem:
    message = f"the list gives its content id, {content_id}, to {first} as well; give each file its own"
    return Problem(Status.REFUSED, "SameContentId", message, (first, content_id))
