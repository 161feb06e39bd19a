"""Importing a ledger into another one, of any size, from any database into any: as its chain, or merged with others.

Both go on where an earlier import was killed: a page of records, the end of the chain and what is noted of an imported
chain are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from labeling.errors import LabelingError
from labeling.ledger._database import Database
from labeling.ledger._rows import PAGE_SIZE, ROW_COLUMNS, fetch_rows
from labeling.ledger._schema import CHAIN_PREFIX, entries, head, meta
from labeling.ledger._verify import states_of, verify
from labeling.ledger._write import append_rows, insert_rows, lock_end
from labeling.ledger.chain import COLUMNS, GENESIS, ChainChecker, Row
from labeling.ledger.entry import Imported, Verification
from labeling.ledger.imported import ChainState, original_of, values_of_import


class ChainAltered(LabelingError):
    """A ledger is not as it was written."""

    exit_code = 1


class _Ends(NamedTuple):
    """Both ends of a chain: number and hash of the last record, and of the last that was pruned."""

    seq: int
    hash: str
    pruned_to: int
    pruned_hash: str


_ENDS = (head.c.seq, head.c.hash, head.c.pruned_to, head.c.pruned_hash)
_SHA256, _TIME = COLUMNS.index("sha256"), COLUMNS.index("time")


def import_ledger(source: Database, target: Database, *, merge: bool) -> Imported:
    """Copy all records of one unchanging state of the source, and check both before and after.

    Args:
        source: The ledger to import.
        target: The ledger that takes it.
        merge: Merge it into the target's chain; otherwise the target is empty, or has the beginning of this chain.

    Raises:
        ChainAltered: One of them is not as it was written.
        LabelingError: The target holds other records, or was written to meanwhile.
    """
    with source.reading() as reading:
        _require_intact(source, reading)
        with target.reading() as connection:
            _require_intact(target, connection)
        ends = _ends(reading)
        if ends.seq == ends.pruned_to:
            count, before, chain = 0, 0, None
        elif merge:
            count, before, chain = _merge(reading, ends, target)
        else:
            count, before = _continue(reading, ends, target)
            chain = None
    with target.reading() as connection:
        return Imported(count, before, chain, _require_intact(target, connection))


def _require_intact(database: Database, connection: Connection) -> Verification:
    checked = verify(connection, ChainChecker(None))
    if not checked.intact:
        raise ChainAltered(
            f"the chain is not intact: {checked.discrepancies[0].message}", path=database.display_name,
            hint="see what `verify` says of it",
        )  # fmt: skip
    return checked


def _ends(connection: Connection) -> _Ends:
    return _Ends(*connection.execute(select(*_ENDS)).one())


def _pages(reading: Connection, after: int) -> Iterator[list[Row]]:
    """Yield the records after a number, a page at a time."""
    while True:
        query = select(*ROW_COLUMNS).where(entries.c.seq > after).order_by(entries.c.seq).limit(PAGE_SIZE)
        page = fetch_rows(reading, query)
        if not page:
            return
        yield page
        after = page[-1][0]


def _hash_at(connection: Connection, ends: _Ends, seq: int) -> str | None:
    """Return the hash of a record, if it is known."""
    if seq == ends.pruned_to:
        return ends.pruned_hash
    found: str | None = connection.scalar(select(entries.c.hash).where(entries.c.seq == seq))
    return found


def _changed(target: Database) -> LabelingError:
    return LabelingError(
        "another process wrote to this ledger during the import", path=target.display_name,
        hint="import again when nobody else writes: what was imported stays",
    )  # fmt: skip


# --- as it is ---------------------------------------------------------------------------------------------------------


def _continue(reading: Connection, ends: _Ends, target: Database) -> tuple[int, int]:
    """Copy the chain as it is. Return how many records were copied now, and how many were there."""
    have = target.read(_ends)
    is_empty = have == (0, GENESIS, 0, GENESIS)
    if have.seq >= ends.seq and target.read(lambda c: _hash_at(c, have, ends.seq)) == ends.hash:
        return 0, ends.seq - ends.pruned_to
    if not is_empty and _hash_at(reading, ends, have.seq) != have.hash:
        raise LabelingError(
            "this ledger holds other records", path=target.display_name,
            hint="import into an empty one, or use `merge=True` to merge several ledgers into one",
        )  # fmt: skip
    start = (ends.pruned_to, ends.pruned_hash) if is_empty else (have.seq, have.hash)
    end, count = (have.seq, have.hash), 0
    for page in _pages(reading, start[0]):
        target.write(partial(_copy, page=page, end=end, start=start, target=target))
        end, count = (page[-1][0], page[-1][-1]), count + len(page)
    return count, start[0] - ends.pruned_to


def _copy(
    connection: Connection, page: list[Row], end: tuple[int, str], start: tuple[int, str], target: Database
) -> None:
    seq, _, digest = lock_end(connection)
    if (seq, digest) != end:
        raise _changed(target)
    if end[0] == 0 and start[0]:
        connection.execute(update(head).values(pruned_to=start[0], pruned_hash=start[1]))
    insert_rows(connection, page)


# --- merged -----------------------------------------------------------------------------------------------------------


def _merge(reading: Connection, ends: _Ends, target: Database) -> tuple[int, int, str | None]:
    """Append the records to the target's chain. Return how many now, how many were there, and the chain's id."""
    all_of_them = ends.seq - ends.pruned_to
    have = target.read(_ends)
    if target.read(lambda c: _hash_at(c, have, ends.seq)) == ends.hash:
        return 0, all_of_them, None  # it is this very chain
    [last] = fetch_rows(reading, select(*ROW_COLUMNS).where(entries.c.seq == ends.seq))
    if (chain := target.read(lambda c: _holding(c, last))) is not None:
        return 0, all_of_them, chain
    states = target.read(states_of)
    begun = ((chain, state) for chain, state in states.items()
             if state is not None and _hash_at(reading, ends, state.last) == state.last_hash)  # fmt: skip
    chain, state = next(begun, ("", None))
    if state is None:
        first = next(_pages(reading, ends.pruned_to))[0]
        chain, state = str(first[-1]), ChainState(ends.pruned_to, ends.pruned_hash, ends.pruned_to, ends.pruned_hash)
        if chain in states:
            raise LabelingError(
                "a ledger with the same beginning was imported before, and this one does not continue it",
                path=target.display_name,
                hint="one of them was restored from a copy and written to since, or is older than what was pruned here",
            )
    count, before = 0, max(0, state.last - ends.pruned_to)
    for page in _pages(reading, state.last):
        following = ChainState(state.start, state.start_hash, page[-1][0], str(page[-1][-1]))
        target.write(partial(_append, page=page, chain=chain, state=state, following=following, target=target))
        state, count = following, count + len(page)
    return count, before, chain


def _append(
    connection: Connection, page: list[Row], chain: str, state: ChainState, following: ChainState, target: Database
) -> None:
    lock_end(connection)
    known = states_of(connection).get(chain)
    if (known or state) != state:
        raise _changed(target)
    append_rows(connection, [values_of_import(row, chain) for row in page])
    connection.execute(delete(meta).where(meta.c.name == CHAIN_PREFIX + chain))
    connection.execute(insert(meta).values(name=CHAIN_PREFIX + chain, value=following.to_json()))


def _holding(connection: Connection, row: Row) -> str | None:
    """Return the id of the imported chain that holds a record, if one does."""
    query = select(*ROW_COLUMNS).where(entries.c.sha256 == row[_SHA256], entries.c.time == row[_TIME])
    for each in fetch_rows(connection, query):
        found = original_of(each)
        if found is not None and found[1][-1] == row[-1]:
            return found[0]
    return None
