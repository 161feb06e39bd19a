"""Which label was given to which content, kept for the time the law asks: append-only, checked by a chain of hashes.

``Ledger.open("ledger.db")`` is a file, ``Ledger.open("postgresql://…")`` a server; docs/ledger.md says what it proves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeling.ledger.entry import Entry, Finding, Match, Pruned, Record, Verification, entry_of

__all__ = ["RETENTION", "Entry", "Finding", "Ledger", "Match", "Pruned", "Record", "Verification", "entry_of"]

if TYPE_CHECKING:
    from labeling.ledger._ledger import RETENTION, Ledger
else:
    # SQLAlchemy takes a while to load, and a program that only makes entries does not need it. Hidden from checkers,
    # which would accept any name otherwise.
    def __getattr__(name: str) -> object:
        if name in ("Ledger", "RETENTION"):
            from labeling.ledger import _ledger

            return getattr(_ledger, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
