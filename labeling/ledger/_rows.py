"""Reading rows of the ledger as the database holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, select

from labeling.ledger._schema import entries
from labeling.ledger.chain import COLUMNS, Row

PAGE_SIZE = 1000
"""Records that are read at a time."""

ROW_COLUMNS = (*(entries.c[name] for name in COLUMNS), entries.c.hash)
"""The columns of a row: :data:`COLUMNS <labeling.ledger.chain.COLUMNS>`, followed by the hash."""


def fetch_rows(connection: Connection, query: Select[Any]) -> list[Row]:
    """Run a query; no value is converted, because it may have been altered to something of another type."""
    compiled: Any = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    parameters = tuple(compiled.params[name] for name in compiled.positiontup or ())
    return [tuple(row) for row in connection.exec_driver_sql(compiled.string, parameters)]


def iterate_rows(connection: Connection) -> Iterator[Row]:
    """Yield all records in the order of their numbers, a page at a time."""
    last: int | None = None
    while True:
        query = select(*ROW_COLUMNS).order_by(entries.c.seq).limit(PAGE_SIZE)
        page = fetch_rows(connection, query if last is None else query.where(entries.c.seq > last))
        yield from page
        if len(page) < PAGE_SIZE:
            return
        last = page[-1][0]
