"""Which files were labelled by sessions without a ledger: a later session with one does not record them unasked."""

from __future__ import annotations

import json

from labeling.batch.journal import Journal

_NOTE = "sessions without a ledger"


def note(journal: Journal) -> None:
    """Note that this session has labelled files, and has recorded none."""
    sessions = _sessions(journal)
    journal.set_meta(_NOTE, json.dumps([*sessions, journal.session]))


def count(journal: Journal) -> int:
    """Return how many files have an output that no session has recorded."""
    return journal.count_made_in(_sessions(journal))


def _sessions(journal: Journal) -> list[int]:
    return [int(number) for number in json.loads(journal.meta(_NOTE, "[]"))]
