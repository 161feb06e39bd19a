"""The rows of the journal's files: what a result makes of them, and how all are made again from the results."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from labeling.batch import run_identity, vanished
from labeling.batch.journal_schema import digest_bytes, output_bytes
from labeling.batch.results_file import read_outcomes
from labeling.batch.task import Outcome, Status, path_bytes

FINISHED = (Status.LABELLED, Status.CONVERTED, Status.VERIFIED, Status.CLASSIFIED)
"""What became of a file of which the journal keeps what was made of which content."""


def finish_row(db: sqlite3.Connection, key: bytes, outcome: Outcome, at: int, generation: int, root: int) -> None:
    """Note what became of a file that has a row.

    Args:
        db: The journal, in a transaction.
        key: The file's key.
        outcome: What became of it.
        at: Where its line is in the results.
        generation: The run's.
        root: The number of the place where its source is.
    """
    source = digest_bytes(outcome.source_sha256)
    read = (outcome.size, outcome.stamp)
    if outcome.unchanged:
        db.execute(
            "UPDATE item SET begun=0, redo=0, size=?, stamp=?, source_sha256=coalesce(source_sha256, ?), root=? "
            "WHERE key=?",
            (*read, source, root, key),
        )
        return
    line = (None if outcome.store_failed else str(outcome.status), *read, at, len(outcome.line))
    if outcome.status == Status.CLASSIFIED:  # it has no output, even if it had one; its content keeps its number
        db.execute(
            "UPDATE item SET begun=0, redo=0, status=?, size=?, stamp=?, at=?, length=?, output=NULL, "
            "output_size=NULL, output_sha256=NULL, ours=0, generation=?, root=?, "
            "content_id=iif(source_sha256 IS ?, content_id, NULL), source_sha256=? WHERE key=?",
            (*line, generation, root, source, source, key),
        )
        return
    if outcome.status not in FINISHED:  # what is known of an earlier output stays known
        remains = outcome.store_failed == "write" or outcome.status == Status.POISON  # the output may be there
        db.execute(
            "UPDATE item SET begun=iif(?, begun, 0), redo=iif(?, redo, 0), status=?, size=?, stamp=?, at=?, length=?, "
            "source_sha256=iif(output_sha256 IS NULL, coalesce(?, source_sha256), source_sha256), ours=max(ours, ?) "
            "WHERE key=?",
            (remains, remains, *line, source, outcome.left, key),
        )
        return
    output = (output_bytes(outcome.output or None, key), outcome.output_size or None)
    number = generation if outcome.generation is None else outcome.generation
    label = (digest_bytes(outcome.output_sha256), outcome.content_id or None, number)
    db.execute(
        "UPDATE item SET begun=0, redo=0, status=?, size=?, stamp=?, at=?, length=?, source_sha256=?, output=?, "
        "output_size=?, output_sha256=?, content_id=?, generation=?, root=?, ours=max(ours, ?) WHERE key=?",
        (*line, source, *output, *label, root, outcome.status != Status.VERIFIED, key),
    )


def rebuild(db: sqlite3.Connection, results: Path, identity: dict[str, Any]) -> None:
    """Fill a new journal with what the results of a lost one say.

    Args:
        db: The journal, in a transaction.
        results: The results.
        identity: What ``run.json`` says of the run; empty if that is lost, too.
    """
    run_identity.restore(db, identity)
    notes = {name: value for name, value in db.execute("SELECT key, value FROM meta") if value.isdigit()}
    session, redone = int(notes.get("session", 0)), int(notes.get("redone generation", 0))
    before = max(0, int(notes.get("redo session", 0)) - 1)
    roots = [number for (number,) in db.execute("SELECT number FROM root")]
    root = roots[0] if len(roots) == 1 else 0
    size = 0
    for line in read_outcomes(results):
        if isinstance(line, int):
            size = line
            continue
        outcome = line.outcome
        key, generation = path_bytes(outcome.path), outcome.generation or 0
        db.execute(
            "INSERT INTO item (key, size, stamp, own, session, begun) VALUES (?, 0, '', ?, ?, 0) "
            "ON CONFLICT (key) DO UPDATE SET own=excluded.own, session=excluded.session",
            (key, line.own, before if generation < redone else session),
        )
        finish_row(db, key, outcome, line.at, generation, root)
        if line.pruned:
            vanished.prune(db, key, line.at, len(outcome.line))
        elif outcome.status == Status.CONVERTED:
            name = path_bytes(outcome.output or outcome.path)
            db.execute("INSERT OR IGNORE INTO output VALUES (?, ?, 0)", (name, key))
    current = db.execute("SELECT coalesce(sum(length), 0) FROM item").fetchone()[0]
    notes = {"valid": str(size), "superseded": "1" if current != size else ""}
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", notes.items())
