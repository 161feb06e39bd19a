"""The same ledger in PostgreSQL: against a real server, which is started for these tests."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling import fingerprint
from labeling.errors import LabelingError
from labeling.ledger import Ledger

from . import postgres
from .commands import run
from .ledgers import COLUMNS, audited, entry
from .pictures import rgb


@pytest.fixture
def server(postgres_server: postgres.Server) -> postgres.Server:
    return postgres_server


_numbers = itertools.count()


@pytest.fixture
def database(server: postgres.Server) -> str:
    name = f"ledger_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    return name


def test_what_goes_in_comes_out_and_an_auditor_can_compute_every_hash(server: postgres.Server, database: str) -> None:
    with Ledger.open(server.url(database)) as ledger:
        assert postgres.PASSWORD not in repr(ledger)
        assert ledger.where == f"postgresql://postgres:***@127.0.0.1:{server.port}/{database}"
        recorded = ledger.append([entry(1), entry(2, recipient="客户 'x'; --")]) + ledger.append([entry(3)])
        assert list(ledger.export()) == recorded
        assert ledger.by_keys(["run/1", "run/3", "none"]) == {"run/1": recorded[0], "run/3": recorded[2]}
        assert ledger.by_sha256([entry(3).sha256, "0" * 64]) == {entry(3).sha256: recorded[2]}
        assert ledger.show("id-2") == [recorded[1]]
        assert ledger.verify(recorded[1].hash).intact
    with pg(server, database) as connection:
        rows = [tuple(row) for row in connection.run(f"SELECT {COLUMNS} FROM ledger_entries ORDER BY seq")]
    assert audited(rows) == [record.hash for record in recorded]


def pg(server: postgres.Server, database: str) -> AbstractContextManager[Any]:
    """PostgreSQL's answers without SQLAlchemy."""
    import contextlib

    import pg8000.native

    return contextlib.closing(
        pg8000.native.Connection(
            "postgres", host="127.0.0.1", port=server.port, database=database, password=postgres.PASSWORD
        )
    )


def test_pictures_are_found_in_full_blocks_and_behind_them(server: postgres.Server, database: str) -> None:
    picture = rgb(600, 400)
    near = fingerprint.fingerprint(picture)
    out = io.BytesIO()
    picture.resize((300, 200)).save(out, "JPEG", quality=50)
    with Ledger.open(server.url(database)) as ledger:
        ledger.append([entry(n, fingerprint=near if n == 77 else entry(n).fingerprint) for n in range(1, 5001)])
        ledger.append([entry(6000, fingerprint=near)])
        assert {match.record.content_id for match in ledger.find(out.getvalue())} == {"id-77", "id-6000"}
        assert ledger.verify().intact
        assert server.sql("SELECT count(*) FROM ledger_fingerprints", database) == "1"


def test_records_cannot_be_changed_by_accident_and_forgery_is_found(server: postgres.Server, database: str) -> None:
    with Ledger.open(server.url(database)) as ledger:
        ledger.append([entry(n) for n in range(1, 6)])
        for statement in (
            "UPDATE ledger_entries SET size = 0",
            "DELETE FROM ledger_entries",
            "TRUNCATE ledger_entries",
        ):
            with pytest.raises(AssertionError, match=r"never changed|only removed by prune"):
                server.sql(statement, database)
        assert ledger.verify().intact
        for number, statement in enumerate((
            "UPDATE ledger_entries SET recipient = '' WHERE seq = 4",
            "DELETE FROM ledger_entries WHERE seq = 3",
            "DELETE FROM ledger_entries WHERE seq = 5",
        )):  # fmt: skip
            server.sql(f"ALTER TABLE ledger_entries DISABLE TRIGGER USER; {statement}", database)
            assert ledger.verify().discrepancy_count == number + 1


def test_prune(server: postgres.Server, database: str) -> None:
    with Ledger.open(server.url(database)) as ledger:
        ledger.append([entry(n) for n in range(1, 5001)])
        assert ledger.prune().count == 0
        old = "UPDATE ledger_entries SET time = '2020-01-01T00:00:00.000000Z' WHERE seq <= 4500"
        server.sql(f"ALTER TABLE ledger_entries DISABLE TRIGGER USER; {old}", database)
        server.sql("ALTER TABLE ledger_entries ENABLE TRIGGER USER", database)
        done = ledger.prune(timedelta(days=365))
        assert (done.count, done.upto) == (4500, 4500)
        verified = ledger.verify()
        assert (verified.first, verified.last, verified.discrepancies) == (4501, 5001, ())


def test_an_older_version_is_brought_up_to_date_and_a_newer_one_is_refused(
    server: postgres.Server, database: str
) -> None:
    with Ledger.open(server.url(database)) as ledger:
        ledger.append([entry(n) for n in range(1, 4200)])
    undone = "DROP TABLE ledger_points; DROP TABLE ledger_fingerprints; ALTER TABLE ledger_entries DROP COLUMN details;"
    server.sql(f"{undone} UPDATE ledger_meta SET value = '1'", database)
    with Ledger.open(server.url(database)) as ledger:
        assert ledger.verify().intact
    assert server.sql("SELECT value FROM ledger_meta", database) == "4"
    server.sql("UPDATE ledger_meta SET value = '9'", database)
    with pytest.raises(LabelingError, match="newer version"):
        Ledger.open(server.url(database))


def test_what_the_server_refuses_is_said_in_one_line_without_the_password(
    server: postgres.Server, database: str
) -> None:
    server.sql(f"CREATE ROLE reader_{database} LOGIN PASSWORD 'for tests'")
    Ledger.open(server.url(database)).close()
    wrong = {
        server.url(database, password="not-the-password"): "user and password",
        server.url("nowhere"): "no database of this name",
        server.url(database, user=f"reader_{database}", password="for tests"): "does not permit",
        server.url(database).replace(str(server.port), "9"): "cannot be reached",
        server.url(database) + "?sslmode=require": "has no SSL",
    }
    for url, words in wrong.items():
        with pytest.raises(LabelingError, match=words) as caught:
            Ledger.open(url).append([entry(1)])
        assert "\n" not in str(caught.value)
        for secret in ("not-the-password", "for tests", "for%20tests", "Only-for-tests"):
            assert secret not in str(caught.value)
    with pytest.raises(LabelingError, match="no ledger in this database"):
        Ledger.open(server.url("postgres"), create=False)


def test_a_service_needs_no_more_than_the_rights_that_the_document_names(
    server: postgres.Server, database: str
) -> None:
    Ledger.open(server.url(database)).close()
    server.sql(
        f"CREATE ROLE service_{database} LOGIN PASSWORD 'for tests';"
        f"GRANT SELECT ON ledger_entries, ledger_fingerprints, ledger_points TO service_{database};"
        f"GRANT SELECT ON ledger_head, ledger_meta TO service_{database};"
        f"GRANT INSERT ON ledger_entries, ledger_fingerprints, ledger_points TO service_{database};"
        f"GRANT UPDATE ON ledger_head TO service_{database}",
        database,
    )
    with Ledger.open(server.url(database, user=f"service_{database}", password="for tests")) as ledger:
        ledger.append([entry(n) for n in range(1, 4200)])
        assert ledger.find(rgb(600, 400)) == []
        assert ledger.verify().count == 4199
        with pytest.raises(LabelingError, match="does not permit"):
            ledger.prune(timedelta(0), force=True)
        assert ledger.verify().count == 4199


def test_the_command_line_takes_a_url_and_prints_no_password(
    server: postgres.Server, database: str, tmp_path: Path
) -> None:
    rgb(400, 300).save(tmp_path / "a.png")
    url = server.url(database)
    added = run("add", tmp_path / "a.png", "--producer", "x", "--ledger", url, "-o", tmp_path / "out.png")
    assert added.returncode == 0, added.stderr
    found = run("ledger", "find", tmp_path / "out.png", "--ledger", url)
    assert found.returncode == 0, found.stderr
    assert "record 1 by sha256" in found.stdout
    for done in (added, found, run("ledger", "verify", "--ledger", url.replace(database, "none"))):
        assert "Only-for-tests" not in done.stdout + done.stderr


def test_a_server_that_stops_is_told_and_one_that_comes_back_is_used(tmp_path: Path) -> None:
    with postgres.running() as server, Ledger.open(server.url("postgres")) as ledger:
        ledger.append([entry(1)])
        server.control("-m", "immediate", "stop")
        with pytest.raises(LabelingError, match=r"cannot be reached|was stopped|connection failed") as caught:
            ledger.append([entry(2)])
        assert "Only-for-tests" not in str(caught.value)
        server.start()
        ledger.append([entry(3)])
        assert [record.content_id for record in ledger.export()] == ["id-1", "id-3"]
        assert ledger.verify().intact


def test_without_the_driver_the_error_is_the_line_to_type() -> None:
    code = (
        "import sys; sys.modules['pg8000'] = None\n"
        "from labeling.ledger import Ledger\n"
        "from labeling.errors import MissingDependency\n"
        "try: Ledger.open('postgresql://u:secret@127.0.0.1/x')\n"
        "except MissingDependency as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "a ledger in PostgreSQL needs pg8000: pip install 'aigc-labeling[postgres]'\n"
