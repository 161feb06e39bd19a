"""Checking a whole ledger of any size: the chain, and that the search table agrees with the records."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from labeling.ledger._rows import fetch_rows, iterate_rows
from labeling.ledger._schema import CHAIN_PREFIX, fingerprints, head, meta
from labeling.ledger.chain import BLOCK, GENESIS, ChainChecker, Row, rows_and_blocks
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
    unseen = {number for (number,) in fetch_rows(connection, select(fingerprints.c.block))}
    for row, block in rows_and_blocks(iterate_rows(connection), end[0] if isinstance(end[0], int) else 0):
        if block is None:
            checker.add(row, imported=imported.add(row))
            continue
        number, expected = block
        unseen.discard(number)
        if _stored_block(connection, number) != expected:
            checker.report(number * BLOCK + 1, f"block {number} of the search table does not agree with the records")
    for number in sorted(unseen, key=str):
        checker.report(0, f"block {number} of the search table belongs to no records")
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


def _stored_block(connection: Connection, number: int) -> bytes | None:
    rows = fetch_rows(connection, select(fingerprints.c.data).where(fingerprints.c.block == number))
    return rows[0][0] if rows and isinstance(rows[0][0], bytes) else None
