"""Records that are asked for by what identifies them, or all in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from labeling.ledger._database import Database
from labeling.ledger._rows import PAGE_SIZE, ROW_COLUMNS, fetch_rows
from labeling.ledger._schema import entries
from labeling.ledger._write import iso_utc
from labeling.ledger.chain import record_of
from labeling.ledger.entry import LABEL, Record, storable

_KEYS_PER_QUERY = 500


def by_keys(database: Database, keys: Sequence[str]) -> dict[str, Record]:
    """Return the latest record of each of the callers' keys; a key without a record is left out."""
    wanted = {storable(key): key for key in keys}
    found: dict[str, Record] = {}
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        some = list(wanted)[start : start + _KEYS_PER_QUERY]
        query = select(*ROW_COLUMNS).where(entries.c.key.in_(some)).order_by(entries.c.seq)
        for record in _records(database, query):
            assert record.key is not None
            found[wanted[record.key]] = record
    return found


def by_sha256(database: Database, digests: Sequence[str]) -> dict[str, Record]:
    """Return the latest label of each output, by its SHA-256; one that was never recorded is left out."""
    wanted = list(dict.fromkeys(digests))
    found: dict[str, Record] = {}
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        some = [storable(digest) for digest in wanted[start : start + _KEYS_PER_QUERY]]
        query = select(*ROW_COLUMNS).where(entries.c.sha256.in_(some), entries.c.kind == LABEL).order_by(entries.c.seq)
        found |= {record.sha256: record for record in _records(database, query)}
    return found


def of_content(database: Database, content_id: str) -> list[Record]:
    """Return all records of a content id, oldest first."""
    query = select(*ROW_COLUMNS).where(entries.c.content_id == storable(content_id)).order_by(entries.c.seq)
    return _records(database, query)


def in_order(database: Database, since: datetime | None, until: datetime | None) -> Iterator[Record]:
    """Yield the records from ``since`` on and before ``until``, oldest first, reading a page at a time."""
    query = select(*ROW_COLUMNS)
    if since is not None:
        query = query.where(entries.c.time >= iso_utc(since))
    if until is not None:
        query = query.where(entries.c.time < iso_utc(until))
    last = 0
    while True:
        page = _records(database, query.where(entries.c.seq > last).order_by(entries.c.seq).limit(PAGE_SIZE))
        yield from page
        if len(page) < PAGE_SIZE:
            return
        last = page[-1].seq


def _records(database: Database, query: Select[Any]) -> list[Record]:
    return database.read(lambda c: [record_of(row) for row in fetch_rows(c, query)])
