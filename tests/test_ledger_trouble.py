"""Ledgers that cannot be opened or written to, and those of other versions."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import LabelingError, UnreadableFile, WriteError
from labeling.ledger import Ledger

from .ledgers import audited, entry, match_numbers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def first_version(path: Path, count: int) -> None:
    """A ledger as the first version made it: its own step, and records put in by hand."""
    from sqlalchemy import create_engine

    from labeling.ledger import _schema

    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        _schema.STEPS[0](connection)
        connection.exec_driver_sql("INSERT INTO ledger_meta VALUES ('version', '1')")
    engine.dispose()
    database = sqlite3.connect(path)
    prev = "0" * 64
    for seq in range(1, count + 1):
        one = entry(seq)
        time = f"2026-01-01T00:00:00.{seq:06}Z"
        row: tuple[Any, ...] = (seq, time, "label", one.content_id, one.sha256, one.fingerprint)
        row += (
            json.dumps(dict(one.fields)),
            "cn",
            one.source,
            one.output,
            one.media_type,
            one.size,
            None,
            one.key,
            prev,
        )
        [prev] = audited([(*row[:-1], None, prev)])
        database.execute(f"INSERT INTO ledger_entries VALUES ({','.join('?' * 16)})", (*row, prev))
    database.execute("UPDATE ledger_head SET seq = ?, time = ?, hash = ?", (count, time, prev))
    database.commit()
    database.close()


def test_a_ledger_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    first_version(path, 5000)
    with Ledger.open(path, create=False) as ledger:
        assert [match_numbers(ledger, entry(n).fingerprint) for n in (1, 4096, 4999)] == [[1], [4096], [4999]]
        ledger.append([entry(n) for n in range(5001, 8200)])
        verified = ledger.verify()
        assert (verified.count, verified.discrepancies) == (8199, ())
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT value FROM ledger_meta").fetchall() == [("4",)]
    assert connection.execute("SELECT block FROM ledger_fingerprints").fetchall() == [(0,), (1,)]
    connection.close()


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    Ledger.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE ledger_meta SET value = '99'")
    connection.commit()
    connection.close()
    with pytest.raises(LabelingError, match=r"newer version.*pip install -U"):
        Ledger.open(path)


def test_places_where_no_ledger_can_be(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_bytes(b"no database " * 500)
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE photos (name TEXT)")
    other.commit()
    other.close()
    wrong: dict[str | Path, str] = {
        tmp_path / "none" / "l.db": "folder .* does not exist",
        tmp_path: "is a folder",
        tmp_path / "text.db": "is not a ledger",
        tmp_path / "other.db": "of something else",
        "mysql://root:secret@localhost/x": "mysql",
        "postgresql://u:secret@host:port/x": "URL cannot be read",
        "sqlite://": "is a file",
        "postgresql://u:secret@127.0.0.1:9/x?sslmode=prefer": "sslmode",
        "postgresql://u:secret@127.0.0.1:9/x": "cannot be reached",
    }
    for where, words in wrong.items():
        with pytest.raises(LabelingError, match=words) as caught:
            Ledger.open(where)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnreadableFile, match="there is no ledger"):
        Ledger.open(tmp_path / "new.db", create=False)
    assert not (tmp_path / "new.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(UnreadableFile, match="there is no ledger"):
        Ledger.open(tmp_path / "empty.db", create=False)


def test_a_busy_ledger_is_waited_for_but_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling.ledger import _database

    monkeypatch.setattr(_database, "BUSY_TIMEOUT", 0.3)
    with Ledger.open(path) as ledger:
        ledger.append([entry(1)])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert len(ledger.show("id-1")) == 1  # reading need not wait
        with pytest.raises(WriteError, match="busy"):
            ledger.append([entry(2)])
        other.execute("ROLLBACK")
        other.close()
        ledger.append([entry(3)])
        assert [record.content_id for record in ledger.export()] == ["id-1", "id-3"]


def test_a_full_disk_records_nothing_and_says_so(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(1)])
        # SQLite's own limit on the file: it reports what it reports when the disk has no room.
        ledger._database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 20").fetchall())
        with pytest.raises(WriteError, match="disk is full"):
            ledger.append([entry(n) for n in range(2, 3000)])
        ledger._database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 100000").fetchall())
        ledger.append([entry(2)])
        assert [record.content_id for record in ledger.export()] == ["id-1", "id-2"]
        assert ledger.verify().intact


def test_a_damaged_file_is_told(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1, 2000)])
    data = bytearray(path.read_bytes())
    data[8192 : len(data) - 8192] = b"\xa5" * (len(data) - 16384)
    path.write_bytes(data)
    with pytest.raises(LabelingError, match=r"damaged; restore|not a complete ledger"), Ledger.open(path) as ledger:
        ledger.verify()
