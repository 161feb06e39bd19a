"""Appends that share the waiting for the disk: on a server, and between the threads of a process."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import LabelingError
from labeling.ledger import Ledger, Record

from . import postgres
from .ledgers import COLUMNS, WRITER, audited, entry, start

_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"group_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name} ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0")  # what refuses no text
    return server.url(name)


def appended_by_threads(ledger: Ledger, works: list[list[Any]]) -> list[list[Record] | LabelingError]:
    """Let a thread each append its entries one at a time, all at once; return what each got."""
    got: list[list[Record] | LabelingError] = [[] for _ in works]
    gate = threading.Barrier(len(works))

    def work(number: int) -> None:
        gate.wait()
        try:
            got[number] = [ledger.append([one])[0] for one in works[number]]
        except LabelingError as error:
            got[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_every_thread_gets_its_own_records(where: str) -> None:
    with Ledger.open(where) as ledger:
        got = appended_by_threads(ledger, [[entry(100 * name + n) for n in range(12)] for name in range(8)])
        records: list[Record] = []
        for name, some in enumerate(got):
            assert isinstance(some, list)
            assert [record.content_id for record in some] == [f"id-{100 * name + n}" for n in range(12)]
            records += some
        assert sorted(records, key=lambda record: record.seq) == list(ledger.export())
        verified = ledger.verify()
        assert (verified.count, verified.intact) == (96, True)


def test_an_entry_that_the_database_refuses_costs_only_the_thread_that_brought_it(
    postgres_server: postgres.Server,
) -> None:
    name = f"group_{next(_numbers)}"
    postgres_server.sql(f"CREATE DATABASE {name} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    plain = {"source": "a.png", "output": 'it\'s \\ "b".png'}
    with Ledger.open(postgres_server.url(name)) as ledger:
        works = [[entry(10 * name + n, **plain) for n in range(5)] for name in range(6)]
        got = appended_by_threads(ledger, [[entry(99, source="图.png")], *works])
        assert isinstance(got[0], LabelingError)
        assert "cannot hold this text" in str(got[0])
        assert all(isinstance(some, list) and len(some) == 5 for some in got[1:])
        verified = ledger.verify()
        assert (verified.count, verified.intact) == (30, True)
        assert {record.output for record in ledger.export()} == {plain["output"]}


@pytest.mark.parametrize("setting", ["", "standard_conforming_strings = off", "lock_timeout = 1"])
def test_small_appends_go_through_the_blocks_of_the_search_table(
    postgres_server: postgres.Server, setting: str
) -> None:
    """Also where a server reads literals in another way, or a database has settings of its own."""
    name = f"group_{next(_numbers)}"
    postgres_server.sql(f"CREATE DATABASE {name}")
    if setting:
        postgres_server.sql(f"ALTER DATABASE {name} SET {setting}")
    with Ledger.open(postgres_server.url(name)) as ledger:
        ledger.append([entry(n) for n in range(4090)])
        for number in range(5):
            ledger.append([entry(5000 + 10 * number + n, output="a\\'b\\") for n in range(3)])
        verified = ledger.verify()
        assert (verified.count, verified.discrepancies) == (4105, ())
        hashes = [record.hash for record in ledger.export()][-15:]
    assert postgres_server.sql("SELECT string_agg(block::text, ' ') FROM ledger_fingerprints", name) == "0"
    import pg8000.native

    with pg8000.native.Connection(
        "postgres", host="127.0.0.1", port=postgres_server.port, database=name, password=postgres.PASSWORD
    ) as connection:
        rows = [tuple(row) for row in connection.run(f"SELECT {COLUMNS} FROM ledger_entries ORDER BY seq OFFSET 4090")]
    assert audited(rows) == hashes


def test_what_was_acknowledged_is_there_after_the_server_crashed() -> None:
    """The server stops as if the power had failed, while writers share its flushes."""
    with postgres.running() as server:
        url = server.url("postgres")
        Ledger.open(url).close()
        processes = [start(WRITER, url, name, 100_000) for name in range(4)]
        lines: list[str] = []
        for process in processes:
            assert process.stdout is not None
            lines += [process.stdout.readline() for _ in range(20)]
        server.control("-m", "immediate", "stop")
        for process in processes:
            lines += [line for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
        server.start()
        with Ledger.open(url) as ledger:
            kept = {record.seq: (record.hash, record.content_id) for record in ledger.export()}
            assert ledger.verify().intact
    acknowledged = [line.split() for line in lines]
    assert len(acknowledged) >= 80
    assert [line for line in acknowledged if kept.get(int(line[0])) != (line[1], line[2])] == []
