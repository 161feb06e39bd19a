"""What databases say when something is wrong, as one line that says what to do. No password is ever part of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import exc

from labeling.errors import LabelingError, MissingDependency, UnreadableFile, WriteError

_SQLITE = (
    ("file is not a database", UnreadableFile, "is not a ledger, nor any other database; name another file"),
    ("malformed", UnreadableFile, "is damaged; restore it from a copy"),
    ("disk is full", WriteError, "the disk is full; nothing was recorded"),
    ("readonly", WriteError, "no permission to write to it"),
    ("unable to open", WriteError, "cannot be opened; there may be no permission to read and write it"),
    ("disk I/O error", WriteError, "the disk reports an error; check it and the file's permissions"),
    ("no such table", UnreadableFile, "is not a whole ledger; restore it from a copy"),
    ("no such column", UnreadableFile, "is not a whole ledger; restore it from a copy"),
)

_POSTGRES: dict[str, tuple[type[LabelingError], str]] = {
    "28P01": (LabelingError, "the server does not take this user and password; correct the URL"),
    "28000": (LabelingError, "the server does not let this user in; correct the URL, or the server's pg_hba.conf"),
    "3D000": (LabelingError, "the server has no database of this name; create it first, or correct the URL"),
    "42501": (WriteError, "the server does not permit this user to do that; grant it the rights on the tables"),
    "25006": (WriteError, "the database is read-only; connect to the primary server"),
    "53100": (WriteError, "the server's disk is full; nothing was recorded"),
    "53300": (LabelingError, "the server has no connection left; try again later, or raise its max_connections"),
    "57P03": (LabelingError, "the server is starting or stopping; try again later"),
    "57P01": (LabelingError, "the server was stopped; try again later"),
    "42P01": (UnreadableFile, "the ledger's tables are not all there; restore them from a copy"),
    "22021": (LabelingError, "the database cannot hold this text; create it with the encoding UTF8"),
    "22P05": (LabelingError, "the database cannot hold this text; create it with the encoding UTF8"),
}


@contextmanager
def explained(shown: str) -> Iterator[None]:
    """Turn what the database library raises into a :class:`LabelingError`; ``shown``: the ledger, without password."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _told(shown, error) from None  # the chain would hold what was to be written, recipients too
    except sqlite3.Error as error:
        raise _told(shown, error) from None
    except ModuleNotFoundError as error:
        if error.name != "pg8000":
            raise
        message = "a ledger in PostgreSQL needs pg8000: pip install 'aigc-labeling[postgres]'"
        raise MissingDependency(message) from None
    except exc.SQLAlchemyError as error:
        raise LabelingError(f"{shown}: {_line(error)}") from None
    except OSError as error:
        raise LabelingError(f"{shown}: the connection failed ({_line(error)}); is the server running?") from None


def is_busy(error: BaseException | None) -> bool:
    """Say whether another process was using the database, and waiting helps."""
    error = getattr(error, "orig", error)
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
    return _state(error) in ("40001", "40P01")  # serialization failure, deadlock


def _state(error: Any) -> str:
    """PostgreSQL's five-character code of an error."""
    said = getattr(error, "args", ())
    return str(said[0].get("C", "")) if said and isinstance(said[0], dict) else str(getattr(error, "sqlstate", ""))


def _told(shown: str, error: BaseException | None) -> LabelingError:
    if is_busy(error):
        advice = (
            "other processes kept the ledger busy for too long; nothing was recorded; see whether one of them hangs"
        )
        return WriteError(f"{shown}: {advice}")
    error = getattr(error, "orig", error)
    words = _line(error)
    for part, kind, advice in _SQLITE:
        if part in words and hasattr(error, "sqlite_errorcode") | (part == "file is not a database"):
            return kind(f"{shown}: {advice}")
    if (known := _POSTGRES.get(_state(error))) is not None:
        return known[0](f"{shown}: {known[1]}")
    if type(error).__name__ == "InterfaceError":
        return LabelingError(
            f"{shown}: the server cannot be reached; see whether it runs, and whether the URL is right"
        )
    return LabelingError(f"{shown}: the database refused: {words}")


def _line(error: BaseException | None) -> str:
    said = getattr(error, "args", ())
    text = said[0].get("M", "") if said and isinstance(said[0], dict) else str(error)
    return " ".join(text.split())[:200]
