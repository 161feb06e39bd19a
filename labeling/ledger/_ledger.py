"""The ledger itself: append, find, show, export, prune, verify."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from labeling.errors import LabelingError
from labeling.ledger import _schema
from labeling.ledger._database import Database
from labeling.ledger._schema import entries, fingerprints, head
from labeling.ledger.chain import BLOCK, COLUMNS, Check, Row, hash_of, record_of
from labeling.ledger.entry import (
    LABEL,
    PRUNE,
    Entry,
    Match,
    Pruned,
    Record,
    Verification,
    clean,
    entry_of,
    text_of,
)

if TYPE_CHECKING:
    from PIL import Image

    from labeling import files
    from labeling.ledger._search import Cache
    from labeling.pipelines.image import LabeledImage
    from labeling.pipelines.output import LabeledFile

RETENTION = timedelta(days=184)
"""Six months, whichever they are: records are kept at least so long (Labelling Measures Art. 9)."""

SKEW = timedelta(seconds=60)
"""Clocks of several machines differ; so much is evened out, so that time runs forward along the chain."""

DISTANCE = 28
"""Fingerprints that differ in so many bits or fewer are taken for those of one picture (docs/ledger.md: measured)."""

LIMIT = 50
"""So many matches are given."""

_PAGE = 1000
_ROW = (*(entries.c[name] for name in COLUMNS), entries.c.hash)


class Ledger:
    """A record of labels that were given, in an SQLite file or a PostgreSQL database. Opened by :meth:`open`.

    Any number of processes may write at a time; threads may share one ledger, but each process opens its own. Every
    method raises :class:`LabelingError` where the database cannot do its part.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: Cache | None = None

    @classmethod
    def open(cls, where: str | os.PathLike[str], *, create: bool = True) -> Ledger:
        """Open a ledger: a path is an SQLite file; a URL may be sqlite:///… or postgresql://….

        A ledger made by an older version is brought up to date. ``create=False``: it has to be there already.
        """
        return cls(Database(where, create=create))

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ledger {self.where}>"

    @property
    def where(self) -> str:
        """The file or URL, without a password."""
        return self._database.shown

    # --- writing ------------------------------------------------------------------------------------------------------

    def append(self, new: Sequence[Entry]) -> list[Record]:
        """Record entries, in one transaction: when this returns, they are on disk; if it raises, none of them is."""
        prepared = [_values(entry) for entry in new]
        rows = self._database.write(lambda c: _append(c, prepared)) if prepared else []
        return [record_of(row) for row in rows]

    def record(
        self,
        done: LabeledFile | LabeledImage,
        *,
        source: str = "",
        recipient: str | None = None,
        key: str | None = None,
        profile: str | None = None,
    ) -> Record:
        """Record something that was labelled: hash and fingerprint are taken from the output itself."""
        entry = entry_of(done, source=source, recipient=recipient, key=key, profile=profile)
        return self.append([entry])[0]

    def prune(self, older_than: timedelta = RETENTION, *, force: bool = False) -> Pruned:
        """Remove the records that are older, and record that.

        Only an unbroken beginning of the chain is removed. Less than six months is refused without ``force``.
        """
        if older_than < RETENTION and not force:
            raise LabelingError(
                f"records must be kept for six months (Labelling Measures Art. 9); {_days(older_than)} is less: "
                "use --force if you are sure that this does not apply to you"
            )
        return self._database.write(lambda c: _prune(c, older_than))

    # --- reading ------------------------------------------------------------------------------------------------------

    def by_keys(self, keys: Sequence[str]) -> dict[str, Record]:
        """The latest record of each key, for those that have one."""
        wanted = {clean(key): key for key in keys}
        found: dict[str, Record] = {}
        for at in range(0, len(wanted), 500):
            some = list(wanted)[at : at + 500]
            query = select(*_ROW).where(entries.c.key.in_(some)).order_by(entries.c.seq)
            for record in self._records(query):
                assert record.key is not None
                found[wanted[record.key]] = record
        return found

    def show(self, content_id: str) -> list[Record]:
        """All records of a content id, oldest first."""
        return self._records(select(*_ROW).where(entries.c.content_id == clean(content_id)).order_by(entries.c.seq))

    def find(
        self,
        source: files.Source | Image.Image,
        *,
        distance: int = DISTANCE,
        limit: int = LIMIT,
        max_pixels: int | None = None,
    ) -> list[Match]:
        """The records that may be those of a file or picture, best first: same bytes, same content id, same picture.

        ``distance``: bits in which fingerprints may differ, 0 to 256; -1 leaves the search by picture out. A file that
        cannot be decoded is looked for by what is left. Raises :class:`LabelingError` if it cannot be read at all.
        """
        from labeling.ledger._find import find, query_of

        query = query_of(source, max_pixels=max_pixels)
        if self._cache is None:
            from labeling.ledger._search import Cache

            self._cache = Cache()
        cache = self._cache
        return self._database.read(lambda c: find(c, query, cache, distance))[:limit]

    def export(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Record]:
        """All records in order, or those from ``since`` on and before ``until``; read piece by piece."""
        query = select(*_ROW)
        if since is not None:
            query = query.where(entries.c.time >= _iso(since))
        if until is not None:
            query = query.where(entries.c.time < _iso(until))
        after = 0
        while True:
            page = self._records(query.where(entries.c.seq > after).order_by(entries.c.seq).limit(_PAGE))
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].seq

    def verify(self, head_hash: str | None = None) -> Verification:
        """Check the whole chain: whether any record was altered, removed or put elsewhere, and the search table.

        ``head_hash``: the ``head`` of an earlier verification or the ``hash`` of any record, kept elsewhere; it also
        finds a chain that was written anew as a whole.
        """
        from labeling.ledger._verify import verify

        with self._database.reading() as connection:
            return verify(connection, Check(head_hash))

    def _records(self, query: Any) -> list[Record]:
        return self._database.read(lambda c: [record_of(row) for row in rows_of(c, query)])


def rows_of(connection: Connection, query: Any) -> list[Row]:
    """The rows as the database holds them: no type is forced on what may have been altered."""
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    parameters = tuple(compiled.params[name] for name in compiled.positiontup or ())
    return [tuple(row) for row in connection.exec_driver_sql(compiled.string, parameters)]


def _values(entry: Entry) -> dict[str, Any]:
    """The columns of an entry that do not depend on where in the chain it comes to stand."""
    words = {name: clean(getattr(entry, name)) for name in ("content_id", "profile", "source", "output", "media_type")}
    optional = {
        name: None if (value := getattr(entry, name)) is None else clean(value) for name in ("recipient", "key")
    }
    exact = {"sha256": entry.sha256, "size": entry.size, "fingerprint": entry.fingerprint}
    said = {clean(name): clean(value) for name, value in entry.fields.items()}
    return {"kind": LABEL, "fields": text_of(said), **words, **optional, **exact}


_INSERT = insert(entries).values({name: bindparam(name) for name in (*COLUMNS, "hash")})
_HEAD = select(head.c.seq, head.c.time, head.c.hash).with_for_update()
_MOVE = update(head).values({name: bindparam(f"new_{name}") for name in ("seq", "time", "hash")})

_AT_ONCE = 500
"""Rows of one INSERT: PostgreSQL takes 32 767 values at a time."""


@cache
def _sql(statement: Any, dialect: str) -> str:
    from sqlalchemy.dialects import registry

    made: str = statement.compile(dialect=registry.load(dialect)()).string
    return made


def _execute(connection: Connection, statement: Any, *rows: Row) -> Any:
    """Run a statement whose text is made once: everybody else waits while a record is written.

    SQLite's driver is called itself, which takes a third of the time.
    """
    dialect = connection.dialect
    said = _sql(statement, f"{dialect.name}.{dialect.driver}")
    if dialect.name != "sqlite":
        told = None
        for at in range(0, max(1, len(rows)), _AT_ONCE):  # many rows in one statement: each is a way to the server
            some = rows[at : at + _AT_ONCE]
            start, values, group = said.partition(" VALUES ")
            words = start + values + ", ".join([group] * len(some)) if values else said
            told = connection.exec_driver_sql(words, tuple(value for row in some for value in row))
        return told
    driver: Any = connection.connection.driver_connection
    return driver.executemany(said, rows) if rows else driver.execute(said)


def _append(connection: Connection, new: Sequence[dict[str, Any]]) -> list[Row]:
    """Append to the chain in a transaction that may write; whoever else wants to waits at the first statement."""
    [(first, last_time, prev)] = _execute(connection, _HEAD).fetchall()
    now = _now(last_time)
    rows: list[Row] = []
    for seq, values in enumerate(new, first + 1):
        row = {**values, "seq": seq, "time": now, "prev": prev}
        columns = tuple(row[name] for name in COLUMNS)
        prev = hash_of(columns)
        rows.append((*columns, prev))
    last = first + len(rows)
    _execute(connection, _INSERT, *rows)
    _execute(connection, _MOVE, (last, now, prev))
    for block in range(first // BLOCK, last // BLOCK):
        _schema.pack_block(connection, block)
    return rows


def _now(last: str) -> str:
    """The time of a new record: not before the last one, unless the clocks differ by more than they may."""
    now = datetime.now(UTC)
    written = _iso(now)
    return last if written < last <= _iso(now + SKEW) else written


def _iso(moment: datetime) -> str:
    """UTC with microseconds: 2026-01-31T23:59:59.000001Z. A time without a zone is local time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _days(span: timedelta) -> str:
    return f"{span.days} days" if span >= timedelta(days=2) else f"{span.total_seconds() / 3600:.0f} hours"


def _prune(connection: Connection, older_than: timedelta) -> Pruned:
    seq, before, last_hash = connection.execute(
        select(head.c.seq, head.c.pruned_to, head.c.hash).with_for_update()
    ).one()
    limit = _iso(datetime.now(UTC) - older_than)
    kept = connection.scalar(select(entries.c.seq).where(entries.c.time >= limit).order_by(entries.c.seq).limit(1))
    upto = seq if kept is None else kept - 1
    if upto <= before:
        return Pruned(0, before)
    digest = last_hash if kept is None else connection.scalar(select(entries.c.hash).where(entries.c.seq == upto))
    connection.execute(update(head).values(pruned_to=upto, pruned_hash=digest))
    count = connection.execute(delete(entries).where(entries.c.seq <= upto)).rowcount
    connection.execute(delete(fingerprints).where(fingerprints.c.block <= upto // BLOCK))
    if (upto // BLOCK + 1) * BLOCK <= seq:
        _schema.pack_block(connection, upto // BLOCK)  # what is left of the block that the cut goes through
    said = {"upto": str(upto), "hash": str(digest), "removed": str(count), "older_than": _days(older_than)}
    note = _values(Entry(content_id="", sha256="0" * 64, fields=said, profile=""))
    (row,) = _append(connection, [{**note, "kind": PRUNE, "sha256": ""}])
    return Pruned(count, upto, record_of(row))
