"""Checking a whole ledger, whatever its size: the chain, and that the search table says what the records say."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from labeling.ledger._ledger import _PAGE, _ROW, rows_of
from labeling.ledger._schema import entries, fingerprints, head
from labeling.ledger.chain import BLOCK, GENESIS, Check, Row, blocks_of
from labeling.ledger.entry import Verification


def verify(connection: Connection, check: Check) -> Verification:
    """Go through all records of one unchanging state of the database."""
    columns = (head.c.seq, head.c.time, head.c.hash, head.c.pruned_to, head.c.pruned_hash)
    heads = rows_of(connection, select(*columns))
    if len(heads) != 1:
        check.tell(0, f"the ledger has {len(heads)} rows that say where it ends, not one")
    end = heads[0] if heads else (0, "", GENESIS, 0, GENESIS)
    stored = {number for (number,) in rows_of(connection, select(fingerprints.c.block))}
    for row, block in blocks_of(_rows(connection), end[0] if isinstance(end[0], int) else 0):
        if block is None:
            check.record(row)
            continue
        number, wanted = block
        stored.discard(number)
        if _block(connection, number) != wanted:
            check.tell(number * BLOCK + 1, f"block {number} of the search table does not hold what the records say")
    for number in sorted(stored, key=str):
        check.tell(0, f"block {number} of the search table belongs to no records")
    return check.end(end)


def _rows(connection: Connection) -> Iterator[Row]:
    after: int | None = None
    while True:
        query = select(*_ROW).order_by(entries.c.seq).limit(_PAGE)
        page = rows_of(connection, query if after is None else query.where(entries.c.seq > after))
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0]


def _block(connection: Connection, number: int) -> bytes | None:
    rows = rows_of(connection, select(fingerprints.c.data).where(fingerprints.c.block == number))
    return rows[0][0] if rows and isinstance(rows[0][0], bytes) else None
