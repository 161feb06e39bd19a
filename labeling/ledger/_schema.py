"""The tables, the triggers that guard them, and the steps from each version of the tables to the next.

A step is never changed once it was released: it has made databases that exist.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateTable

from labeling.errors import LabelingError
from labeling.ledger.chain import BLOCK, GENESIS, pack

_metadata = MetaData()

_Number = BigInteger().with_variant(
    Integer(), "sqlite"
)  # in SQLite an alias of the row number, without an index of its own
_Word = Text().with_variant(
    Text(collation="C"), "postgresql"
)  # compared byte by byte, whatever the database's language

entries = Table(
    "ledger_entries",
    _metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("time", _Word, nullable=False),
    Column("kind", _Word, nullable=False),
    Column("content_id", _Word, nullable=False),
    Column("sha256", _Word, nullable=False),
    Column("fingerprint", LargeBinary),
    Column("fields", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("output", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("recipient", Text),
    Column("key", _Word),
    Column("details", Text),
    Column("prev", _Word, nullable=False),
    Column("hash", _Word, nullable=False),
)

head = Table(
    "ledger_head",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("time", _Word, nullable=False),
    Column("hash", _Word, nullable=False),
    Column("pruned_to", BigInteger, nullable=False),
    Column("pruned_hash", _Word, nullable=False),
)

meta = Table("ledger_meta", _metadata, Column("name", _Word, primary_key=True), Column("value", Text, nullable=False))

CHAIN_PREFIX = "chain/"
"""Before the id of a chain that was merged into this ledger, in the names of :data:`meta`."""

fingerprints = Table(
    "ledger_fingerprints",
    _metadata,
    Column("block", _Number, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

points = Table(
    "ledger_points",
    _metadata,
    Column("block", _Number, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

_INDEXES = (
    Index("ledger_by_content_id", entries.c.content_id),
    Index("ledger_by_sha256", entries.c.sha256),
    Index(
        "ledger_by_key",
        entries.c.key,
        sqlite_where=entries.c.key.is_not(None),
        postgresql_where=entries.c.key.is_not(None),
    ),
)

_SQLITE_GUARDS = (
    """CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger_entries
       BEGIN SELECT RAISE(ABORT, 'records of a ledger are never changed'); END""",
    """CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger_entries
       WHEN OLD.seq > (SELECT pruned_to FROM ledger_head)
       BEGIN SELECT RAISE(ABORT, 'records of a ledger are only removed by prune'); END""",
)

_POSTGRES_GUARDS = (
    """CREATE FUNCTION ledger_guard() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP = 'DELETE' THEN
           IF OLD.seq <= (SELECT pruned_to FROM ledger_head) THEN RETURN OLD; END IF;
           RAISE EXCEPTION 'records of a ledger are only removed by prune';
         END IF;
         RAISE EXCEPTION 'records of a ledger are never changed';
       END $$""",
    """CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger_entries
       FOR EACH ROW EXECUTE FUNCTION ledger_guard()""",
    """CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger_entries
       FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard()""",
)

_LOCK = 0x41494743
"""Number of PostgreSQL's advisory lock for making tables. We use no other advisory lock."""


def _create_tables(connection: Connection) -> None:
    columns = [Column(c.name, c.type, primary_key=c.primary_key, autoincrement=False, nullable=c.nullable)
               for c in entries.columns if c is not entries.c.details]  # fmt: skip
    for table in (meta, Table(entries.name, MetaData(), *columns), head):
        connection.execute(CreateTable(table))
    for index in _INDEXES:
        index.create(connection)
    for guard in _POSTGRES_GUARDS if connection.dialect.name == "postgresql" else _SQLITE_GUARDS:
        connection.execute(text(guard))
    start = {"id": 1, "seq": 0, "time": "", "hash": GENESIS, "pruned_to": 0, "pruned_hash": GENESIS}
    connection.execute(insert(head).values(start))


def _create_search_table(connection: Connection) -> None:
    """Create the search table, and fill it with the fingerprints of the existing records."""
    connection.execute(CreateTable(fingerprints))
    seq, pruned_to = connection.execute(select(head.c.seq, head.c.pruned_to)).one()
    for block in range(pruned_to // BLOCK, seq // BLOCK):
        connection.execute(
            insert(fingerprints).values(block=block, data=pack(block, _fingerprints_of(connection, block)))
        )


def _add_details(connection: Connection) -> None:
    """Add the column of what else is recorded. The records that are there hold nothing in it."""
    connection.execute(text(f"ALTER TABLE {entries.name} ADD COLUMN {entries.c.details.name} TEXT"))


def _create_points_table(connection: Connection) -> None:
    """Create the index of points. The fingerprints that are there have none."""
    connection.execute(CreateTable(points))


STEPS: tuple[Callable[[Connection], None], ...] = (
    _create_tables, _create_search_table, _add_details, _create_points_table,
)  # fmt: skip
VERSION = len(STEPS)


def pack_block(connection: Connection, block: int) -> None:
    """Write a block of the search tables from its records."""
    from labeling.ledger._points import pack_points

    rows = _fingerprints_of(connection, block)
    connection.execute(insert(fingerprints).values(block=block, data=pack(block, rows)))
    if data := pack_points(block, rows):
        connection.execute(insert(points).values(block=block, data=data))


def _fingerprints_of(connection: Connection, block: int) -> list[tuple[int, bytes]]:
    rows = connection.execute(
        select(entries.c.seq, entries.c.fingerprint)
        .where(entries.c.seq > block * BLOCK, entries.c.seq <= (block + 1) * BLOCK)
        .where(entries.c.fingerprint.is_not(None))
        .order_by(entries.c.seq)
    )
    return [(seq, bytes(value)) for seq, value in rows]


def version_of(connection: Connection, display_name: str) -> int:
    """Return the version of the tables, 0 if there are none.

    Args:
        connection: A connection to the database.
        display_name: The ledger's path or URL, without a password, for messages.

    Raises:
        LabelingError: The database belongs to something else, or a newer version of this library made the tables.
    """
    inspector = inspect(connection)
    if not inspector.has_table(meta.name):
        if connection.dialect.name == "sqlite" and inspector.get_table_names():
            raise LabelingError(
                "is a database of something else, not a ledger", path=display_name, hint="name another file"
            )
        return 0
    stored = connection.scalar(select(meta.c.value).where(meta.c.name == "version"))
    if stored is None or not stored.isdigit():
        raise LabelingError(
            "does not say which version its tables have", path=display_name, hint="restore it from a copy"
        )
    if int(stored) > VERSION:
        raise LabelingError(
            f"was written by a newer version of aigc-labeling (its tables have version {stored}; this version knows "
            f"those up to {VERSION})",
            path=display_name, hint="upgrade with pip install -U aigc-labeling",
        )  # fmt: skip
    return int(stored)


def upgrade(connection: Connection, display_name: str) -> None:
    """Create the tables, or bring them to the newest version, in a transaction that may write."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    version = version_of(connection, display_name)  # again: another process may have been faster
    for step in STEPS[version:]:
        step(connection)
    if version == 0:
        connection.execute(insert(meta).values(name="version", value=str(VERSION)))
    elif version < VERSION:
        connection.execute(update(meta).where(meta.c.name == "version").values(value=str(VERSION)))
