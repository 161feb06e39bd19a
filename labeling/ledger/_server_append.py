"""Appending to a ledger in PostgreSQL so that many writers share the waiting for the disk.

The chain has one end: whoever appends locks it, and all others wait. If each commit waited for the disk while it holds
that lock, all writers together could write no more than one flush after the other. So the transaction commits without
waiting (``synchronous_commit = off``), which lets the next writer go on; then each writer waits until the log is on
disk, and the server does that for all of them at once. Only then is a record acknowledged. The log keeps its order:
what follows a record in the chain is never on disk before it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from labeling.ledger._group import Values
from labeling.ledger._write import chained_rows
from labeling.ledger.chain import BLOCK, COLUMNS, Row

MAX_ROWS = 512
"""Rows of one statement; more are written with parameters, in a transaction that waits for the disk itself."""

_PAUSE = 0.001
"""Seconds that a writer among others waits before it asks for the disk, so that they share the waiting."""

_FLUSH = "SELECT pg_logical_emit_message(true, 'aigc-ledger', '')"
"""Writes something that means nothing and waits until it, and all before it, is on disk. Any user may."""

_LOCK_END = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off; "
    "SELECT seq, time, hash FROM ledger_head FOR UPDATE"
)
_INSERT = f"INSERT INTO ledger_entries ({', '.join(COLUMNS)}, hash) VALUES "  # noqa: S608 - names of ours


def prepare(connection: Any, wait: float) -> bool:
    """Make a new connection ready to append.

    Args:
        connection: The driver's own connection, in no transaction.
        wait: Seconds to wait for other writers.

    Returns:
        Whether the server lets us wait for the disk apart from a transaction, and reads literals as we write them.
    """
    import pg8000

    connection.execute_simple(f"SET lock_timeout = {max(1, round(wait * 1000))}")
    try:
        connection.execute_simple(_FLUSH)
    except pg8000.DatabaseError:
        return False
    return bool(connection.parameter_statuses.get("standard_conforming_strings") == "on")


def lock_end(connection: Any) -> tuple[int, str, str]:
    """Begin a transaction and lock the end of the chain.

    Args:
        connection: A connection that :func:`prepare` has made ready.

    Returns:
        Number, time and hash of the last record.
    """
    [[seq, moment, digest]] = connection.execute_simple(_LOCK_END).rows
    return seq, moment, digest


def append(connection: Any, new: Sequence[Values], end: tuple[int, str, str], *, shared: bool) -> list[Row] | None:
    """Append to the chain, whose end is locked, and end the transaction. When this returns, the rows are on disk.

    Args:
        connection: The connection of :func:`lock_end`.
        new: What :func:`labeling.ledger._write.values_of` gave for each entry.
        end: What :func:`lock_end` returned.
        shared: Others append at the same time.

    Returns:
        The rows; ``None``, with nothing written, if a block of the search table has to be written too.
    """
    if end[0] // BLOCK != (end[0] + len(new)) // BLOCK:
        connection.execute_simple("ROLLBACK")
        return None
    rows = chained_rows(new, *end)
    values = ",".join(f"({','.join(map(_literal, row))})" for row in rows)
    last = f"seq = {rows[-1][0]}, time = {_literal(rows[-1][1])}, hash = {_literal(rows[-1][-1])}"
    connection.execute_simple(f"{_INSERT}{values}; UPDATE ledger_head SET {last}; COMMIT")  # noqa: S608 - literals
    if shared:
        time.sleep(_PAUSE)
    connection.execute_simple(_FLUSH)
    return rows


def _literal(value: object) -> str:
    """Return a value of a row as SQL has it, with standard_conforming_strings."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
