"""A record of which label was given to which content: append-only, chained by hashes, kept as long as the law asks.

``Ledger.open("ledger.db")`` opens an SQLite file, ``Ledger.open("postgresql://…")`` a database on a server.
docs/ledger.md says what the chain proves and what it cannot prove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeling.ledger.entry import (
    Discrepancy,
    Entry,
    Imported,
    ImportedChain,
    Match,
    Pruned,
    Record,
    Vacuumed,
    Verification,
)
from labeling.ledger.making import entries_of_classification, entry_of

__all__ = [
    "READY_WITHIN", "RETENTION", "Discrepancy", "Entry", "Imported", "ImportedChain", "Ledger", "Match", "Pruned",
    "Record", "Vacuumed", "Verification", "entries_of_classification", "entry_of",
]  # fmt: skip

if TYPE_CHECKING:
    from labeling.ledger._ledger import READY_WITHIN, RETENTION, Ledger
else:
    # SQLAlchemy takes a while to import, and a program that only makes entries does not need it. Hidden from type
    # checkers, which would accept any name otherwise.
    def __getattr__(name: str) -> object:
        if name in ("Ledger", "READY_WITHIN", "RETENTION"):
            from labeling.ledger import _ledger

            return getattr(_ledger, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
