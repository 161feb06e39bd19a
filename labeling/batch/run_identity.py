"""``run.json``: what a run is, beside its results: with both, a journal that was lost can be made again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from labeling.atomic_writes import write_atomically

VERSION = 1
MAX_SIZE = 16 << 20
"""Bytes of a ``run.json`` that are read."""

_NOTES = (
    "run", "session", "fixed", "generation", "redo session", "redone generation", "first part", "copied results",
    "open", "lost since", "complete",
)  # fmt: skip
_NUMBERS = ("session", "generation", "redo session", "redone generation")


def write(db: sqlite3.Connection, path: Path) -> None:
    """Write what the journal knows of the run as a whole.

    Args:
        db: The journal.
        path: Where to.
    """
    notes = dict(db.execute("SELECT key, value FROM meta"))
    identity = {
        "version": VERSION,
        "notes": {name: notes[name] for name in _NOTES if name in notes},
        "generations": {str(number): json.loads(text) for number, text in db.execute("SELECT * FROM generation")},
        "roots": {str(number): name for number, name in db.execute("SELECT * FROM root")},
    }
    text = json.dumps(identity, indent=1) + "\n"
    write_atomically(path, [text.encode()])


def read(path: Path) -> dict[str, Any]:
    """Return what :func:`write` has written; empty if it is not there, or not as it should be."""
    with suppress(OSError, ValueError, RecursionError):
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_SIZE))
        if isinstance(found, dict) and found.get("version") == VERSION:
            return found
    return {}


def restore(db: sqlite3.Connection, identity: dict[str, Any]) -> None:
    """Put what :func:`read` has found into a new journal. What is not as it should be is left out.

    Args:
        db: The journal, in a transaction.
        identity: What was found.
    """
    with suppress(ValueError, TypeError, AttributeError, KeyError):
        notes = {name: str(value) for name, value in identity["notes"].items() if name in _NOTES}
        generations = [(int(number), json.dumps(dict(options))) for number, options in identity["generations"].items()]
        roots = [(int(number), str(name)) for number, name in identity["roots"].items()]
        json.loads(notes.get("fixed", "{}"))
        if int(notes.get("generation", "0")) not in {0, *(number for number, _ in generations)}:
            return
        for name in _NUMBERS:
            int(notes.get(name, "0"))
        db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes.items())
        db.executemany("INSERT OR IGNORE INTO generation VALUES (?, ?)", generations)
        db.executemany("INSERT OR IGNORE INTO root VALUES (?, ?)", roots)
