"""Writing to the chain: appending records, and removing its beginning. Every function works inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ClauseElement, Connection, bindparam, delete, insert, select, update

from labeling.ledger import _schema
from labeling.ledger._schema import entries, fingerprints, head, points
from labeling.ledger.chain import BLOCK, COLUMNS, Row, hash_of, record_of
from labeling.ledger.entry import PRUNE, Entry, Pruned, fields_json, storable

CLOCK_SKEW = timedelta(seconds=60)
"""How far the clocks of several machines may differ. So much is evened out, so that time runs forward in the chain."""

_INSERT = insert(entries).values({name: bindparam(name) for name in (*COLUMNS, "hash")})
_SELECT_HEAD = select(head.c.seq, head.c.time, head.c.hash).with_for_update()
_UPDATE_HEAD = update(head).values({name: bindparam(f"new_{name}") for name in ("seq", "time", "hash")})

_ROWS_PER_INSERT = 500
"""PostgreSQL takes at most 32 767 values in a statement."""


def values_of(entry: Entry) -> dict[str, Any]:
    """Return the columns of an entry that do not depend on its place in the chain."""
    words = {
        name: storable(getattr(entry, name)) for name in ("content_id", "profile", "source", "output", "media_type")
    }
    optional = {
        name: None if (value := getattr(entry, name)) is None else storable(value) for name in ("recipient", "key")
    }
    exact = {"sha256": entry.sha256, "size": entry.size, "fingerprint": entry.fingerprint}
    fields = {storable(name): storable(value) for name, value in entry.fields.items()}
    details = {storable(name): storable(value) for name, value in (entry.details or {}).items()}
    texts = {"fields": fields_json(fields), "details": fields_json(details) if details else None}
    return {"kind": entry.kind, **texts, **words, **optional, **exact}


def append_rows(connection: Connection, new: Sequence[dict[str, Any]]) -> list[Row]:
    """Append to the chain. Other writers wait at this function's first statement until the transaction ends.

    Args:
        connection: A connection in a transaction that may write.
        new: What :func:`values_of` gave for each entry.
    """
    rows = chained_rows(new, *lock_end(connection))
    insert_rows(connection, rows)
    return rows


def lock_end(connection: Connection) -> tuple[int, str, str]:
    """Return number, time and hash of the last record; until the transaction ends, no other writer appends."""
    [(seq, moment, digest)] = _execute(connection, _SELECT_HEAD).fetchall()
    return seq, moment, digest


def insert_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert rows that follow the end of the chain, move the end, and write the blocks of the search table."""
    last, moment, digest = rows[-1][0], rows[-1][1], rows[-1][-1]
    _execute(connection, _INSERT, *rows)
    _execute(connection, _UPDATE_HEAD, (last, moment, digest))
    for block in range((rows[0][0] - 1) // BLOCK, last // BLOCK):
        _schema.pack_block(connection, block)


def chained_rows(new: Sequence[dict[str, Any]], first: int, last_time: str, prev: str) -> list[Row]:
    """Return the rows that follow the end of the chain: number, time and hash of the record before them."""
    now = _record_time(last_time)
    rows: list[Row] = []
    for seq, values in enumerate(new, first + 1):
        row = {"time": now, **values, "seq": seq, "prev": prev}  # what was imported has its own time
        columns = tuple(row[name] for name in COLUMNS)
        prev = hash_of(columns)
        rows.append((*columns, prev))
    return rows


def prune_rows(connection: Connection, older_than: timedelta) -> Pruned:
    """Remove the unbroken beginning of the chain that is older, and append a record that says so."""
    seq, pruned_to, last_hash = connection.execute(
        select(head.c.seq, head.c.pruned_to, head.c.hash).with_for_update()
    ).one()
    upto = max(pruned_to, _last_of_older(connection, older_than, seq))
    if upto == pruned_to:
        return Pruned(0, pruned_to)
    digest = last_hash if upto == seq else connection.scalar(select(entries.c.hash).where(entries.c.seq == upto))
    connection.execute(update(head).values(pruned_to=upto, pruned_hash=digest))
    count = connection.execute(delete(entries).where(entries.c.seq <= upto)).rowcount
    for table in (fingerprints, points):
        connection.execute(delete(table).where(table.c.block <= upto // BLOCK))
    if (upto // BLOCK + 1) * BLOCK <= seq:
        _schema.pack_block(connection, upto // BLOCK)  # what is left of the block that the cut goes through
    fields = {"upto": str(upto), "hash": str(digest), "removed": str(count), "older_than": days_text(older_than)}
    note = values_of(Entry(content_id="", sha256="0" * 64, fields=fields, profile=""))
    (row,) = append_rows(connection, [{**note, "kind": PRUNE, "sha256": ""}])
    return Pruned(count, upto, record_of(row))


def what_is_older(connection: Connection, older_than: timedelta) -> Pruned:
    """Return how many records :func:`prune_rows` would remove."""
    seq, pruned_to = connection.execute(select(head.c.seq, head.c.pruned_to)).one()
    upto = max(pruned_to, _last_of_older(connection, older_than, seq))
    return Pruned(upto - pruned_to, upto)


def _last_of_older(connection: Connection, older_than: timedelta, seq: int) -> int:
    """Return the number of the last record of the unbroken beginning that is older; ``seq`` is that of the last one."""
    limit = iso_utc(datetime.now(UTC) - older_than)
    first_kept: int | None = connection.scalar(
        select(entries.c.seq).where(entries.c.time >= limit).order_by(entries.c.seq).limit(1)
    )
    return seq if first_kept is None else first_kept - 1


@cache
def _sql(statement: ClauseElement, dialect: str) -> str:
    from sqlalchemy.dialects import registry

    compiled: str = statement.compile(dialect=registry.load(dialect)()).string
    return compiled


def _execute(connection: Connection, statement: ClauseElement, *rows: Row) -> Any:
    """Run a statement whose text is compiled only once: all other writers wait while a record is written.

    SQLite's driver is called directly, which takes a third of the time.
    """
    dialect = connection.dialect
    sql = _sql(statement, f"{dialect.name}.{dialect.driver}")
    if dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        return driver.executemany(sql, rows) if rows else driver.execute(sql)
    result = None
    for start in range(0, max(1, len(rows)), _ROWS_PER_INSERT):  # many rows per statement: each is a round trip
        some = rows[start : start + _ROWS_PER_INSERT]
        before, values, group = sql.partition(" VALUES ")
        text = before + values + ", ".join([group] * len(some)) if values else sql
        result = connection.exec_driver_sql(text, tuple(value for row in some for value in row))
    return result


def _record_time(last: str) -> str:
    """Return the time of a new record: not before the last one, unless the clocks differ by more than they may."""
    now = datetime.now(UTC)
    text = iso_utc(now)
    return last if text < last <= iso_utc(now + CLOCK_SKEW) else text


def iso_utc(moment: datetime) -> str:
    """Return a time in UTC with microseconds: 2026-01-31T23:59:59.000001Z. A time without a zone is local time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def days_text(span: timedelta) -> str:
    """Return a time span in words: in days, or in hours if it is shorter than two days."""
    return f"{span.days} days" if span >= timedelta(days=2) else f"{span.total_seconds() / 3600:.0f} hours"
