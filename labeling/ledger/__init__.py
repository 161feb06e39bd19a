"""Which label was given to which content, kept for the time the law asks: append-only, checked by a chain of hashes.

``Ledger.open("ledger.db")`` is a file, ``Ledger.open("postgresql://…")`` a server; docs/ledger.md says what it proves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labeling.ledger.entry import Entry, Finding, Match, Pruned, Record, Verification, entry_of

__all__ = ["RETENTION", "Entry", "Finding", "Ledger", "Match", "Pruned", "Record", "Verification", "entry_of"]

if TYPE_CHECKING:
    from labeling.ledger._ledger import RETENTION, Ledger


def __getattr__(name: str) -> Any:
    # SQLAlchemy takes a while to load: who only makes entries, to be recorded elsewhere, need not wait for it.
    if name in ("Ledger", "RETENTION"):
        from labeling.ledger import _ledger

        return getattr(_ledger, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
