"""One database behind a ledger: an SQLite file or a PostgreSQL server, its transactions, and waiting for one's turn."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url

from labeling.errors import LabelingError, UnreadableFile, WriteError
from labeling.ledger import _schema
from labeling.ledger._errors import explained, is_busy

Result = TypeVar("Result")

PATIENCE = 60.0
"""Seconds that a transaction waits for its turn while other processes write."""

_NAP = (0.002, 0.016)
"""Seconds to sleep between two attempts. SQLite's own waiting grows to 0.1 s, which leaves the file idle meanwhile."""

MMAP = 1 << 31
"""Bytes of an SQLite file that are read as memory, where the system allows it."""

WAL = 4000
"""Pages, 16 MB, that are collected in the log before they go to their places: most are written to again before."""


class Database:
    """Opened at once and up to date, or :class:`LabelingError`. Safe to share between threads, not across a fork."""

    def __init__(self, where: str | os.PathLike[str], *, create: bool) -> None:
        self.url = _url(where)
        self.is_file = self.url.get_backend_name() == "sqlite"
        self.shown = str(self.url.database) if self.is_file else _shown(self.url)
        self._writer: Connection | None = None
        self._turn = threading.Lock()  # threads of one process need not fight over the file
        if self.is_file:
            _make_file(Path(self.shown), create=create)
        with explained(self.shown):
            self._engine = self._made()
            try:
                self._prepare(create)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do ``work`` on one unchanging state of the database; nobody is kept from writing meanwhile."""
        return self._done(work, writes=False)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Do ``work`` in a transaction that is all or nothing; one at a time writes."""
        with self._turn:
            return self._done(work, writes=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """As :meth:`read`, for work that is done piece by piece."""
        with explained(self.shown), self._connected(writes=False) as connection:
            yield connection

    def _done(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        until = time.monotonic() + PATIENCE
        with explained(self.shown):
            while True:
                try:
                    if writes and self.is_file:
                        return self._written(work)
                    with self._connected(writes=writes) as connection:
                        return work(connection)
                except (exc.DBAPIError, sqlite3.Error) as error:
                    if not is_busy(error) or time.monotonic() > until:
                        raise
                time.sleep(random.uniform(*_NAP))  # noqa: S311 - no secret

    def _written(self, work: Callable[[Connection], Result]) -> Result:
        """A transaction on the one connection that writes to a file, by SQLite's driver itself.

        SQLAlchemy's own transactions, and taking a connection out of the pool, take as long as writing a record.
        """
        if self._writer is None:
            self._writer = self._engine.connect()
        driver: Any = self._writer.connection.driver_connection
        _patiently(lambda: driver.execute("BEGIN IMMEDIATE"))
        try:
            result = work(self._writer)
            if self._writer.in_transaction():  # SQLAlchemy took part: it has to know that this is the end
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
        version = self.read(lambda c: _schema.version_of(c, self.shown))
        if version == _schema.VERSION:
            return
        if version == 0 and not create:
            raise UnreadableFile(f"{self.shown}: there is no ledger in this database; it is made by the first label")
        self.write(lambda c: _schema.bring_up_to_date(c, self.shown))

    def _made(self) -> Engine:
        if not self.is_file:
            url, arguments = _with_ssl(self.url)
            return create_engine(url, connect_args=arguments, pool_pre_ping=True)
        engine = create_engine(self.url, connect_args={"timeout": 0, "check_same_thread": False})
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where sqlite3 thinks
    connection.text_factory = _text
    # FULL: what was acknowledged survives a power cut. Pages that prune frees are overwritten with zeros.
    for setting in (
        "synchronous=FULL", "secure_delete=ON", "trusted_schema=OFF", f"mmap_size={MMAP}", f"wal_autocheckpoint={WAL}"
    ):  # fmt: skip
        connection.execute(f"PRAGMA {setting}")
    _patiently(lambda: connection.execute("PRAGMA journal_mode=WAL"))


def _begin(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:  # one that writes has begun already
        driver.execute("BEGIN")


def _patiently(work: Callable[[], object]) -> None:
    """Try again while another process uses the file, as cheaply as can be: many may be waiting for one.

    Raises sqlite3's own error in the end.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
        time.sleep(random.uniform(*_NAP))  # noqa: S311 - no secret


def _text(data: bytes) -> str:
    """A text that was altered need not be UTF-8 any more; the check has to read it all the same."""
    return data.decode("utf-8", "backslashreplace")


def _url(where: str | os.PathLike[str]) -> URL:
    """The URL that is meant. Raises :class:`LabelingError` that does not repeat it: it may hold a password."""
    text = os.fspath(where)
    if "://" not in text:
        return URL.create("sqlite+pysqlite", database=text)
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (exc.ArgumentError, ValueError):
        raise LabelingError("the ledger's URL cannot be read; write postgresql://USER:PASSWORD@HOST/DATABASE") from None
    if backend == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise LabelingError("a ledger in SQLite is a file: write its path, or sqlite:///PATH")
        return url.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+pg8000")
    raise LabelingError(f"a ledger cannot be kept in {backend}; name an SQLite file or a postgresql:// URL")


def _shown(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def _with_ssl(url: URL) -> tuple[URL, dict[str, Any]]:
    """``?sslmode=`` as PostgreSQL's own tools have it: disable (default), require, or verify-full."""
    mode = url.query.get("sslmode", "disable")
    arguments: dict[str, Any] = {"timeout": 30}
    if mode in ("require", "verify-full"):
        import ssl

        context = ssl.create_default_context()
        if mode == "require":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        arguments["ssl_context"] = context
    elif mode != "disable":
        raise LabelingError("sslmode in the ledger's URL must be disable, require or verify-full")
    return url.difference_update_query(["sslmode"]), arguments


def _make_file(path: Path, *, create: bool) -> None:
    """See to it that the file is there; a new one is for its owner only, since it may say who received what."""
    try:
        if path.is_dir():
            raise UnreadableFile(f"{path}: is a folder; name a file in it")
        if path.exists():
            return
        if not create:
            raise UnreadableFile(f"{path}: there is no ledger; name another with --ledger, or label something first")
        if not path.parent.is_dir():
            raise WriteError(f"{path}: the folder {path.parent} does not exist; create it first")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except PermissionError:
        raise WriteError(f"{path}: no permission to write there; choose another place for the ledger") from None
    except (OSError, ValueError) as error:
        raise WriteError(f"{path}: cannot be made ({getattr(error, 'strerror', None) or error})") from None
