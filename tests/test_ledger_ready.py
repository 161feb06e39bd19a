"""A ledger that cannot be written to is found out before anything is labelled; clocks that ran backwards are noted."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from labeling import Labeler, batch
from labeling.errors import LabelingError, WriteError
from labeling.ledger import Ledger

from . import postgres
from .commands import run
from .ledgers import PRODUCER, aged, entry, locked
from .pictures import rgb


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        rgb(320, 240, seed=number).save(tmp_path / "in" / f"photo{number}.png")
    with Ledger.open(tmp_path / "l.db") as ledger:
        ledger.append([entry(1)])
    return tmp_path


def files(desk: Path) -> list[str]:
    found = (str(path.relative_to(desk)) for path in desk.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(("-wal", "-shm")))


@pytest.mark.parametrize("reading_too", [False, True])
def test_add_and_batch_label_nothing_while_the_ledger_is_locked(desk: Path, *, reading_too: bool) -> None:
    before = files(desk)
    with locked(desk / "l.db", reading_too=reading_too):
        added = run("add", "in/photo1.png", "in/photo2.png", "--producer", PRODUCER, "--ledger", "l.db", cwd=desk)
        batched = run("batch", "in", "out", "--producer", PRODUCER, "--ledger", "l.db", "--workers", "1", cwd=desk)
        for done in (added, batched):
            assert done.returncode == 2, done.stderr
            assert "l.db: other processes kept the ledger busy for too long; nothing was recorded" in done.stderr
            assert "Traceback" not in done.stderr
        if not reading_too:
            assert "0 of 2 files were labelled" in added.stderr
        assert files(desk) == before
    done = run("add", "in/photo1.png", "--producer", PRODUCER, "--ledger", "l.db", cwd=desk)
    assert (done.returncode, "record 2 in l.db" in done.stdout) == (0, True)


def test_the_library_asks_without_writing_and_waits_no_longer_than_told(desk: Path) -> None:
    path = desk / "l.db"
    with Ledger.open(path) as ledger:
        with locked(path):
            assert ledger.show("id-1")
            with pytest.raises(WriteError, match="busy"):
                ledger.require_writable(0.1)
        ledger.require_writable(0.1)
        assert ledger.verify().count == 1
        ledger.append([entry(2)])
        with locked(path), pytest.raises(WriteError, match="busy"):
            batch.run(desk / "in", desk / "out", labeler=Labeler(producer=PRODUCER), engine="inline", ledger=ledger)
    assert not (desk / "out").exists()
    with locked(path, reading_too=True), pytest.raises(WriteError, match="busy"):
        Ledger.open(path, wait=0.1)


def test_a_server_that_is_away_costs_no_file(desk: Path) -> None:
    before = files(desk)
    with socket.socket() as nobody:  # bound, but not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://u:secret@127.0.0.1:{nobody.getsockname()[1]}/x"
        for command in (("add", "in/photo1.png"), ("batch", "in", "out")):
            done = run(*command, "--producer", PRODUCER, "--ledger", url, cwd=desk)
            assert (done.returncode, "cannot be reached" in done.stderr) == (3, True), done.stderr
            assert "secret" not in done.stderr
    assert files(desk) == before


def test_a_lock_on_a_server_is_not_waited_for_without_end(postgres_server: postgres.Server) -> None:
    import contextlib

    import pg8000.native

    postgres_server.sql("CREATE DATABASE ledger_ready")
    with Ledger.open(postgres_server.url("ledger_ready")) as ledger:
        ledger.require_writable(1)
        other = pg8000.native.Connection(
            "postgres",
            host="127.0.0.1",
            port=postgres_server.port,
            database="ledger_ready",
            password=postgres.PASSWORD,
        )
        with contextlib.closing(other):
            other.run("BEGIN")
            other.run("SELECT * FROM ledger_head FOR UPDATE")
            with pytest.raises(WriteError, match="busy"):
                ledger.require_writable(0.2)
            other.run("ROLLBACK")
        ledger.append([entry(1)])
        ledger.require_writable(1)
        postgres_server.sql("ALTER DATABASE ledger_ready SET default_transaction_read_only = on")
    with (
        Ledger.open(postgres_server.url("ledger_ready")) as ledger,
        pytest.raises(LabelingError, match="read-only"),
    ):
        ledger.require_writable(1)


def test_a_clock_that_was_set_back_is_noted_and_is_no_alteration(tmp_path: Path) -> None:
    aged(tmp_path / "l.db", [10, 5, 8, 7, 9])
    with Ledger.open(tmp_path / "l.db") as ledger:
        found = ledger.verify()
        times = [record.time for record in ledger.export()]
    assert (found.intact, found.discrepancies, found.note_count) == (True, (), 2)
    assert [note.seq for note in found.notes] == [3, 5]
    assert times[2] < times[1]
    assert f"record 3 has an earlier time ({times[2]}) than record 2 ({times[1]})" in found.notes[0].message
    told = run("ledger", "verify", "--ledger", "l.db", cwd=tmp_path)
    assert told.returncode == 0
    assert [line[:14] for line in told.stdout.splitlines()[:3]] == [
        "note: record 3",
        "note: record 5",
        "intact: 5 reco",
    ]
    answer = json.loads(run("ledger", "verify", "--ledger", "l.db", "--format", "json", cwd=tmp_path).stdout)
    assert (answer["intact"], answer["findings"], answer["count_notes"]) == (True, [], 2)
    assert [note["seq"] for note in answer["notes"]] == [3, 5]
    aged(tmp_path / "forward.db", [10, 8, 8, 1])
    with Ledger.open(tmp_path / "forward.db") as ledger:
        assert ledger.verify().notes == ()
