"""Errors of databases, translated to one line that says what to do. It never contains a password."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import exc

from labeling.errors import LabelingError, MissingDependency, UnreadableFile, WriteError
from labeling.gates import as_ours, shortage
from labeling.inert import without_secrets


class LedgerUnavailable(LabelingError):
    """The server cannot be reached, does not admit us, or has no such database: the ledger could not be read."""

    exit_code = 3


class _Meaning(NamedTuple):
    """What an error of a database means: the kind of error to raise, what happened, and what to do."""

    kind: type[LabelingError]
    message: str
    hint: str | None = None


_SQLITE = {
    "file is not a database": _Meaning(UnreadableFile, "is not a ledger, nor any other database", "name another file"),
    "malformed": _Meaning(UnreadableFile, "is damaged", "restore it from a copy"),
    "disk is full": _Meaning(WriteError, "the disk is full", "nothing was recorded"),
    "readonly": _Meaning(WriteError, "no permission to write to it"),
    "unable to open": _Meaning(WriteError, "cannot be opened", "there may be no permission to read and write it"),
    "disk I/O error": _Meaning(WriteError, "the disk reports an error", "check it and the file's permissions"),
    "no such table": _Meaning(UnreadableFile, "is not a complete ledger", "restore it from a copy"),
    "no such column": _Meaning(UnreadableFile, "is not a complete ledger", "restore it from a copy"),
}
"""By a part of SQLite's message; the first that fits counts."""

_POSTGRES = {
    "28P01": _Meaning(LedgerUnavailable, "the server does not accept this user and password", "correct the URL"),
    "28000": _Meaning(
        LedgerUnavailable, "the server does not admit this user", "correct the URL, or the server's pg_hba.conf"
    ),
    "3D000": _Meaning(
        LedgerUnavailable, "the server has no database of this name", "create it first, or correct the URL"
    ),
    "42501": _Meaning(
        WriteError, "the server does not permit this user to do that", "grant it the rights on the tables"
    ),
    "25006": _Meaning(WriteError, "the database is read-only", "connect to the primary server"),
    "53100": _Meaning(WriteError, "the server's disk is full", "nothing was recorded"),
    "53300": _Meaning(
        LedgerUnavailable, "the server has no connection left", "try again later, or raise its max_connections"
    ),
    "57P03": _Meaning(LedgerUnavailable, "the server is starting or stopping", "try again later"),
    "57P01": _Meaning(LedgerUnavailable, "the server was stopped", "try again later"),
    "42P01": _Meaning(UnreadableFile, "some of the ledger's tables are missing", "restore them from a copy"),
    "22021": _Meaning(LabelingError, "the database cannot hold this text", "create it with the encoding UTF8"),
    "22P05": _Meaning(LabelingError, "the database cannot hold this text", "create it with the encoding UTF8"),
}
"""By PostgreSQL's five-character code."""


@contextmanager
def translated_errors(display_name: str) -> Iterator[None]:
    """Turn what the database library raises into a :class:`LabelingError`.

    Args:
        display_name: The ledger's path or URL, without a password.
    """
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        # Without a cause: it would contain the values that were to be written, recipients too.
        raise _translation(display_name, error) from None
    except ModuleNotFoundError as error:
        if error.name != "pg8000":
            raise
        raise MissingDependency("a ledger in PostgreSQL needs pg8000: pip install 'aigc-labeling[postgres]'") from None
    except exc.SQLAlchemyError as error:
        raise LabelingError(_one_line(error), path=display_name) from None
    except OSError as error:
        if (short := shortage(error, "use the ledger")) is not None:
            short.path = display_name
            raise short from error
        raise LedgerUnavailable(
            f"the connection failed ({_one_line(error)})", path=display_name, hint="is the server running?"
        ) from None
    except LabelingError as error:
        error.path = error.path or display_name
        raise
    except Exception as error:
        if type(error).__module__.startswith("pg8000."):  # of a statement that the driver itself was given
            raise _translation(display_name, error) from None
        # Such as a number beyond 64 bits, which SQLite's driver does not take
        ours = as_ours(error, "use the ledger")
        ours.path = display_name
        raise ours from error


def is_busy(error: BaseException | None) -> bool:
    """Return whether another process was using the database, so that waiting helps."""
    error = getattr(error, "orig", error)
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
    return postgres_code(error) in ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock_timeout


def postgres_code(error: Any) -> str:
    """Return PostgreSQL's five-character code of an error, or "" if it has none."""
    arguments = getattr(error, "args", ())
    if arguments and isinstance(arguments[0], dict):
        return str(arguments[0].get("C", ""))
    return str(getattr(error, "sqlstate", ""))


def _translation(display_name: str, error: BaseException | None) -> LabelingError:
    if is_busy(error):
        return WriteError(
            "other processes kept the ledger busy for too long; nothing was recorded", path=display_name,
            hint="see whether one of them hangs",
        )  # fmt: skip
    error = getattr(error, "orig", error)
    text = _one_line(error)
    meaning = _POSTGRES.get(postgres_code(error))
    for part, found in _SQLITE.items():
        if part in text and hasattr(error, "sqlite_errorcode") | (part == "file is not a database"):
            meaning = found
            break
    if meaning is not None:
        return meaning.kind(meaning.message, path=display_name, hint=meaning.hint)
    if type(error).__name__ == "InterfaceError":
        return LedgerUnavailable(
            "the server cannot be reached", path=display_name, hint="check that it is running and that the URL is right"
        )
    return LabelingError(f"the database refused: {text}", path=display_name)


def _one_line(error: BaseException | None) -> str:
    arguments = getattr(error, "args", ())
    text = arguments[0].get("M", "") if arguments and isinstance(arguments[0], dict) else str(error)
    return without_secrets(" ".join(text.split()))[:200]
