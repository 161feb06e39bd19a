"""The files in a run's folder, and what is done with them before the journal is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

JOURNAL, RESULTS, HISTORY, RUN = "journal.sqlite", "results.jsonl", "history.jsonl", "run.json"
DAMAGED = "journal.damaged"
"""What a journal is called that could not be read, after a start over."""

LEASE = "lease.json"

FILES = (RESULTS, HISTORY, RUN, LEASE, JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm", f"{JOURNAL}-journal")


def in_use(folder: Path) -> bool:
    """Return whether a run has the journal of a folder open now."""
    if not (folder / JOURNAL).exists():
        return False
    db = sqlite3.connect(folder / JOURNAL, timeout=0)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "locked" in str(error)
    finally:
        db.close()
    return False


_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
"""Primary result codes of SQLite for what is no journal: no database, a damaged one, or one without our tables."""


def set_aside_if_damaged(folder: Path) -> None:
    """Give a journal that cannot be read another name, so that it is made again from the results."""
    journal, results = folder / JOURNAL, folder / RESULTS
    if not journal.exists():
        return
    db = sqlite3.connect(journal, timeout=0.5)
    try:
        row = db.execute("SELECT value FROM meta WHERE key='valid'").fetchone()
        damaged = int(row[0] if row else 0) > (results.stat().st_size if results.exists() else 0)
    except sqlite3.DatabaseError as error:
        damaged = (
            error.sqlite_errorcode & 0xFF in _DAMAGED
        )  # one that is locked, or cannot be opened, is explained later
    except ValueError:
        damaged = True
    finally:
        db.close()
    if damaged:
        _set_aside_journal(folder, DAMAGED)


def _set_aside_journal(folder: Path, name: str) -> None:
    if (folder / JOURNAL).exists():
        (folder / JOURNAL).replace(folder / name)
    for rest in (f"{JOURNAL}-wal", f"{JOURNAL}-shm", f"{JOURNAL}-journal"):
        (folder / rest).unlink(missing_ok=True)


def set_aside(folder: Path) -> None:
    """Give journal and results other names: the target has newer ones."""
    _set_aside_journal(folder, "journal.older")
    if (folder / RESULTS).exists():
        (folder / RESULTS).replace(folder / "results.older.jsonl")
