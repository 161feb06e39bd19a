"""Checking a whole ledger of any size: the chain, and that the search table agrees with the records."""

from __future__ import annotations

from sqlalchemy import Connection, select

from labeling.ledger._rows import fetch_rows, iterate_rows
from labeling.ledger._schema import fingerprints, head
from labeling.ledger.chain import BLOCK, GENESIS, ChainChecker, rows_and_blocks
from labeling.ledger.entry import Verification


def verify(connection: Connection, checker: ChainChecker) -> Verification:
    """Check all records of one unchanging state of the database."""
    columns = (head.c.seq, head.c.time, head.c.hash, head.c.pruned_to, head.c.pruned_hash)
    heads = fetch_rows(connection, select(*columns))
    if len(heads) != 1:
        checker.report(0, f"the ledger has {len(heads)} rows that say where it ends, not one")
    end = heads[0] if heads else (0, "", GENESIS, 0, GENESIS)
    unseen = {number for (number,) in fetch_rows(connection, select(fingerprints.c.block))}
    for row, block in rows_and_blocks(iterate_rows(connection), end[0] if isinstance(end[0], int) else 0):
        if block is None:
            checker.add(row)
            continue
        number, expected = block
        unseen.discard(number)
        if _stored_block(connection, number) != expected:
            checker.report(number * BLOCK + 1, f"block {number} of the search table does not agree with the records")
    for number in sorted(unseen, key=str):
        checker.report(0, f"block {number} of the search table belongs to no records")
    return checker.finish(end)


def _stored_block(connection: Connection, number: int) -> bytes | None:
    rows = fetch_rows(connection, select(fingerprints.c.data).where(fingerprints.c.block == number))
    return rows[0][0] if rows and isinstance(rows[0][0], bytes) else None
