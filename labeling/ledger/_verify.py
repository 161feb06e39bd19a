"""Checking a whole ledger of any size: the chain, and that the search tables agree with the records."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, Table, select

from labeling.ledger._points import pack_points
from labeling.ledger._rows import fetch_rows, iterate_rows
from labeling.ledger._schema import CHAIN_PREFIX, fingerprints, head, meta, points
from labeling.ledger.chain import BLOCK, GENESIS, ChainChecker, Row, pack, rows_and_blocks
from labeling.ledger.entry import Verification
from labeling.ledger.imported import ChainState, ImportedChains, state_of


def verify(connection: Connection, checker: ChainChecker) -> Verification:
    """Check all records of one unchanging state of the database."""
    columns = (head.c.seq, head.c.time, head.c.hash, head.c.pruned_to, head.c.pruned_hash)
    heads = fetch_rows(connection, select(*columns))
    if len(heads) != 1:
        checker.report(0, f"the ledger has {len(heads)} rows that say where it ends, not one")
    end = heads[0] if heads else (0, "", GENESIS, 0, GENESIS)
    imported = ImportedChains(states_of(connection), checker.anchor)
    unseen = {
        (table, number)
        for table in (fingerprints, points)
        for (number,) in fetch_rows(connection, select(table.c.block))
    }
    for row, block in rows_and_blocks(iterate_rows(connection), end[0] if isinstance(end[0], int) else 0):
        if block is None:
            checker.add(row, imported=imported.add(row))
            continue
        number, rows = block
        for table, expected in ((fingerprints, pack(number, rows)), (points, pack_points(number, rows) or None)):
            unseen.discard((table, number))
            if _stored_block(connection, table, number) != expected:
                checker.report(number * BLOCK + 1, f"block {number} of {_NAMES[table]} does not agree with the records")
    for table, number in sorted(unseen, key=str):
        checker.report(0, f"block {number} of {_NAMES[table]} belongs to no records")
    return _finished(checker, imported, end)


def _finished(checker: ChainChecker, imported: ImportedChains, end: Row) -> Verification:
    wrong, chains = imported.finish(pruned=bool(end[3]))
    for each in wrong:
        checker.report(each.seq, each.message)
    if imported.anchor_found:
        checker.excuse_anchor()
    return replace(checker.finish(end), imported=tuple(chains))


def states_of(connection: Connection) -> dict[str, ChainState | None]:
    """Return what the ledger notes of the chains that were merged into it, by their ids."""
    rows = fetch_rows(connection, select(meta.c.name, meta.c.value).where(meta.c.name.like(f"{CHAIN_PREFIX}%")))
    return {str(name)[len(CHAIN_PREFIX) :]: state_of(value) for name, value in rows}


_NAMES = {fingerprints: "the search table", points: "the index of points"}


def _stored_block(connection: Connection, table: Table, number: int) -> bytes | None:
    rows = fetch_rows(connection, select(table.c.data).where(table.c.block == number))
    return rows[0][0] if rows and isinstance(rows[0][0], bytes) else None
