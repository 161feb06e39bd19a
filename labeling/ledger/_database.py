"""The database behind a ledger, an SQLite file or a PostgreSQL server: transactions, and waiting for other writers."""

from __future__ import annotations

import contextlib
import os
import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url, select

from labeling.errors import LabelingError, UnreadableFile, WriteError
from labeling.ledger import _schema, _server_append
from labeling.ledger._errors import is_busy, translated_errors
from labeling.ledger._group import GroupedWriter, Values
from labeling.ledger._postgres import Settings, connect, settings_of
from labeling.ledger._write import append_rows
from labeling.ledger.chain import Row

Result = TypeVar("Result")

BUSY_TIMEOUT = 60.0
"""Seconds that a transaction waits while other processes write."""

_RETRY_DELAY = (0.002, 0.016)
"""Seconds to sleep between two attempts. SQLite's own waiting grows to 0.1 s, in which the file would be idle."""

MMAP_SIZE = 1 << 31
"""Bytes of an SQLite file that are mapped into memory, where the system allows it."""

WAL_PAGES = 4000
"""Pages (16 MB) that the write-ahead log collects before they are moved: most are written to again before that."""


_SETTINGS = re.compile(r"\s*(?:host|hostaddr|dbname|user|password|service|port)\s*=")
"""How a connection string of libpq begins."""


class _Patience(threading.local):
    """How long this thread waits for other processes at present, if not :data:`BUSY_TIMEOUT`."""

    seconds: float | None = None


class Database:
    """An open database whose tables are up to date. Threads may share it, processes may not.

    Args:
        where: The path of an SQLite file, or a URL.
        create: Make the file and the tables if there are none.
        wait: Seconds that opening may wait for other processes (default: :data:`BUSY_TIMEOUT`).

    Raises:
        LabelingError: The database cannot be opened, or is not a ledger.
    """

    def __init__(self, where: str | os.PathLike[str], *, create: bool, wait: float | None = None) -> None:
        self._patience = _Patience()
        self._patience.seconds = wait
        self.place = _place_of(where)
        self.is_file = isinstance(self.place, Path)
        self.display_name = self.place.display_name if isinstance(self.place, Settings) else str(self.place)
        self._writer: Connection | None = None
        self._server: Any = None  # the connection that appends to a ledger on a server
        self._appends: GroupedWriter = GroupedWriter(self._append)
        self._last_seen = 0
        self._is_able = False
        self._write_lock = threading.Lock()  # threads of one process need not compete for the file
        if self.is_file:
            _ensure_file(Path(self.display_name), create=create)
        with translated_errors(self.display_name):
            self._engine = self._make_engine()
            try:
                self._prepare(create)
            except BaseException:
                self.close()
                raise
        self._patience.seconds = None

    def close(self) -> None:
        """Close all connections."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._drop_server_writer()
        self._engine.dispose()

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Call ``work`` on one unchanging state of the database. Others may write meanwhile."""
        return self._transaction(work, writes=False)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Call ``work`` in a transaction that is kept as a whole or not at all. One transaction at a time writes."""
        with self._write_lock:
            return self._transaction(work, writes=True)

    def append(self, new: Sequence[Values]) -> list[Row]:
        """Append to the chain; when this returns, the rows are on disk.

        Args:
            new: What :func:`labeling.ledger._write.values_of` gave for each entry.
        """
        return self._appends.append(new)

    def _append(self, new: Sequence[Values]) -> list[Row]:
        rows = None if self.is_file or len(new) > _server_append.MAX_ROWS else self._append_on_server(new)
        return self.write(lambda c: append_rows(c, new)) if rows is None else rows

    def _append_on_server(self, new: Sequence[Values]) -> list[Row] | None:
        deadline = time.monotonic() + self._longest_wait()
        with translated_errors(self.display_name), self._write_lock:
            while True:
                is_new = self._server is None
                try:
                    driver = self._server_writer()
                    if not self._is_able:
                        return None
                    end = _server_append.lock_end(driver)
                except Exception as error:
                    self._drop_server_writer()
                    # Nothing was written yet, and the server may have been started again since the last time.
                    if is_new if not is_busy(error) else time.monotonic() > deadline:
                        raise
                    continue
                try:
                    rows = _server_append.append(driver, new, end, shared=self._last_seen not in (0, end[0]))
                except BaseException:
                    self._drop_server_writer()
                    raise
                self._last_seen = rows[-1][0] if rows else 0
                return rows

    def _server_writer(self) -> Any:
        """Return the driver's connection that appends."""
        if self._server is None:
            assert isinstance(self.place, Settings)
            self._server = connect(self.place)
            self._is_able = _server_append.prepare(self._server, self._longest_wait())
        return self._server

    def _drop_server_writer(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(Exception):  # it may be broken; there is nothing left to say to it
                server.close()

    def maintain(self, statements: Sequence[str]) -> list[str]:
        """Run statements that take no transaction, such as VACUUM; return what the server warned of."""
        with self._write_lock, translated_errors(self.display_name):
            if isinstance(self.place, Settings):
                with contextlib.closing(connect(self.place)) as server:
                    for statement in statements:
                        server.execute_simple(statement)
                    return [notice[b"M"].decode("utf-8", "replace") for notice in server.notices if b"M" in notice]
            with contextlib.closing(sqlite3.connect(self.place, isolation_level=None)) as file:
                _on_connect(file, self._longest_wait())
                for statement in statements:
                    _retry_while_busy(partial(_run, file, statement), self._longest_wait())
            return []

    def require_writable(self, wait: float) -> None:
        """Begin a transaction that could write, and end it with nothing written; wait only so many seconds for it."""

        def ask(connection: Connection) -> None:
            if not self.is_file:  # SQLite's BEGIN IMMEDIATE has the lock already, and its driver never waits
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(wait * 1000))}")
            connection.execute(select(_schema.head.c.seq).with_for_update())

        with self._write_lock:
            self._patience.seconds = wait
            try:
                self._transaction(ask, writes=True)
            finally:
                self._patience.seconds = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Like :meth:`read`, for work that is done piece by piece."""
        with translated_errors(self.display_name), self._connected(writes=False) as connection:
            yield connection

    def _transaction(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        deadline = time.monotonic() + self._longest_wait()
        with translated_errors(self.display_name):
            while True:
                try:
                    if writes and self.is_file:
                        return self._write_to_file(work)
                    with self._connected(writes=writes) as connection:
                        return work(connection)
                except (exc.DBAPIError, sqlite3.Error) as error:
                    if not is_busy(error) or time.monotonic() > deadline:
                        raise
                time.sleep(random.uniform(*_RETRY_DELAY))  # noqa: S311 - no secret

    def _write_to_file(self, work: Callable[[Connection], Result]) -> Result:
        """Run a transaction on the only connection that writes to the file, through SQLite's driver itself.

        SQLAlchemy's own transactions, and taking a connection out of its pool, take as long as writing a record.
        """
        if self._writer is None:
            self._writer = self._engine.connect()
        driver: Any = self._writer.connection.driver_connection
        _retry_while_busy(lambda: driver.execute("BEGIN IMMEDIATE"), self._longest_wait())
        try:
            result = work(self._writer)
            if self._writer.in_transaction():  # SQLAlchemy has its own state: it must know that the transaction ends
                self._writer.commit()
            driver.commit()
        except BaseException:
            self._writer.rollback()
            driver.rollback()
            raise
        return result

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        options = {} if writes or self.is_file else {"isolation_level": "REPEATABLE READ"}
        with self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def _prepare(self, create: bool) -> None:
        version = self.read(lambda c: _schema.version_of(c, self.display_name))
        if version == _schema.VERSION:
            return
        if version == 0 and not create:
            raise UnreadableFile(
                "there is no ledger in this database", path=self.display_name, hint="the first label creates it"
            )
        self.write(lambda c: _schema.upgrade(c, self.display_name))

    def _make_engine(self) -> Engine:
        if isinstance(self.place, Settings):
            settings = self.place
            return create_engine("postgresql+pg8000://", creator=lambda: connect(settings), pool_pre_ping=True)
        url = URL.create("sqlite+pysqlite", database=str(self.place))
        engine = create_engine(url, connect_args={"timeout": 0, "check_same_thread": False})
        event.listen(engine, "connect", lambda connection, _: _on_connect(connection, self._longest_wait()))
        event.listen(engine, "begin", _on_begin)
        return engine

    def _longest_wait(self) -> float:
        return BUSY_TIMEOUT if self._patience.seconds is None else self._patience.seconds


def _run(connection: sqlite3.Connection, statement: str) -> None:
    connection.execute(statement).fetchall()


def _on_connect(connection: sqlite3.Connection, patience: float) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    connection.text_factory = _decoded
    # synchronous=FULL: what was acknowledged survives a power cut. secure_delete: prune overwrites pages with zeros.
    sizes = (f"mmap_size={MMAP_SIZE}", f"wal_autocheckpoint={WAL_PAGES}")
    for setting in ("synchronous=FULL", "secure_delete=ON", "trusted_schema=OFF", *sizes):
        connection.execute(f"PRAGMA {setting}")
    _retry_while_busy(lambda: connection.execute("PRAGMA journal_mode=WAL"), patience)


def _on_begin(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:  # a transaction that writes has begun already
        driver.execute("BEGIN")


def _retry_while_busy(work: Callable[[], object], patience: float) -> None:
    """Try again while another process uses the file, as cheaply as possible: many processes may wait for one.

    After ``patience`` seconds, sqlite3's own error is raised.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(*_RETRY_DELAY))  # noqa: S311 - no secret


def _decoded(data: bytes) -> str:
    """Decode a text that may have been altered and no longer be UTF-8; the check of the chain reads it all the same."""
    return data.decode("utf-8", "backslashreplace")


def _place_of(where: str | os.PathLike[str]) -> Path | Settings:
    """Return the path of an SQLite file, or how to connect to PostgreSQL.

    Raises:
        LabelingError: The URL is not understood. The message does not repeat it: it may contain a password.
    """
    text = os.fspath(where)
    scheme, separator, rest = text.partition("://")
    if not separator:
        if _SETTINGS.match(text):
            raise LabelingError(
                "a connection string of libpq is not taken for a ledger",
                hint="write postgresql://USER:PASSWORD@HOST/DATABASE",
            )
        return Path(text)
    backend = scheme.lower().partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return settings_of(rest)
    if backend == "sqlite":
        try:
            url = make_url(text)
        except (exc.ArgumentError, ValueError):
            url = URL.create("sqlite")
        if not url.database or url.database == ":memory:" or url.query:
            raise LabelingError("a ledger in SQLite is a file", hint="write its path, or sqlite:///PATH")
        return Path(url.database)
    known = re.fullmatch("[a-z][a-z0-9]{0,30}", backend)
    raise LabelingError(
        f"a ledger cannot be kept in {backend}" if known else "the ledger's URL cannot be read",
        hint="name an SQLite file or a postgresql:// URL",
    )


def _ensure_file(path: Path, *, create: bool) -> None:
    """Make sure that the file exists. A new one is for its owner only, since it may name who received what."""
    try:
        if path.is_dir():
            raise UnreadableFile("is a folder", path=path, hint="name a file in it")
        if path.exists():
            return
        if not create:
            raise UnreadableFile("there is no ledger", path=path, hint="name another one, or label something first")
        if not path.parent.is_dir():
            raise WriteError(f"the folder {path.parent} does not exist", path=path, hint="create it first")
        if path.is_symlink():
            raise WriteError("is a link to a file that does not exist", path=path, hint="name that file itself")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except PermissionError:
        raise WriteError(
            "no permission to write there", path=path, hint="choose another place for the ledger"
        ) from None
    except (OSError, ValueError) as error:
        raise WriteError(f"cannot be made ({getattr(error, 'strerror', None) or error})", path=path) from None
