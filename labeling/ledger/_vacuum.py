"""Giving back the space of what was pruned."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from labeling.errors import LabelingError
from labeling.ledger._database import Database
from labeling.ledger._schema import entries, fingerprints, head, points
from labeling.ledger.entry import Vacuumed

_TABLES = (entries.name, fingerprints.name, points.name, head.name)

_SIZE = text("SELECT " + " + ".join(f"pg_total_relation_size('{name}')" for name in _TABLES))


def vacuum(database: Database, *, full: bool) -> Vacuumed:
    """Reclaim space; see :meth:`labeling.ledger.Ledger.vacuum`."""
    before = _size(database)
    if database.is_file:
        # The log first: it may hold what VACUUM reads. Then it holds the whole new file, and is emptied into it.
        database.maintain(["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"])
    else:
        options = "(FULL, ANALYZE)" if full else "(ANALYZE)"
        if warnings := database.maintain([f"VACUUM {options} {name}" for name in _TABLES]):
            raise LabelingError(
                f"the server did not do it: {warnings[0][:200]}", path=database.display_name,
                hint="connect as the owner of the tables",
            )  # fmt: skip
    return Vacuumed(before, _size(database), complete=database.is_file or full)


def _size(database: Database) -> int:
    if not database.is_file:
        return int(database.read(lambda c: c.scalar(_SIZE)) or 0)
    paths = (Path(database.display_name + end) for end in ("", "-wal"))
    return sum(path.stat().st_size for path in paths if path.exists())
