"""Many writers at once, and writers that are killed: no acknowledged record is lost, in a file and on a server."""

from __future__ import annotations

import itertools
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from labeling.ledger import Ledger

from . import postgres
from .ledgers import HALFWAY, WRITER, entry, many_writers, start


@dataclass(frozen=True)
class Backend:
    """A ledger's place, and how much is written to it: every commit on a server takes longer.

    ``each``: records of each of many writers. ``kills``: how many records a writer acknowledges before it is killed,
    for one writer after the other.
    """

    where: str
    each: int
    kills: tuple[int, ...]


_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "sqlite":
        return Backend(str(tmp_path / "ledger.db"), each=60, kills=(30, 37, 44, 51))
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"concurrency_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    return Backend(server.url(name), each=30, kills=(20, 27, 34))


def test_eight_processes_lose_nothing(backend: Backend) -> None:
    acknowledged = many_writers(backend.where, 8, backend.each)  # the first of them makes the ledger
    assert len(acknowledged) == len({content_id for _, _, content_id in acknowledged}) == 8 * backend.each
    with Ledger.open(backend.where, create=False) as ledger:
        assert sorted(acknowledged) == [(record.seq, record.hash, record.content_id) for record in ledger.export()]
        assert ledger.verify().intact


def test_threads_share_one_ledger(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:

        def work(name: int) -> None:
            for number in range(20):
                ledger.append([entry(1000 * name + number)])
                assert ledger.show(f"id-{1000 * name + number}")

        threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        verified = ledger.verify()
        assert (verified.count, verified.intact) == (120, True)


def test_a_writer_killed_within_a_transaction_leaves_nothing_of_it(backend: Backend) -> None:
    with Ledger.open(backend.where) as ledger:
        ledger.append([entry(1)])
        process = start(HALFWAY, backend.where)
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        ledger.append([entry(2)])
        assert [record.content_id for record in ledger.export()] == ["id-1", "id-2"]
        assert ledger.verify().intact


def test_a_writer_killed_anywhere_loses_nothing_that_was_acknowledged(backend: Backend) -> None:
    acknowledged: list[list[str]] = []
    for number, count in enumerate(backend.kills):
        process = start(WRITER, backend.where, number, 10_000)
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().split() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].splitlines(keepends=True)
        acknowledged += [line.split() for line in rest if line.endswith("\n")]
    with Ledger.open(backend.where) as ledger:
        kept = {record.seq: (record.hash, record.content_id) for record in ledger.export()}
        assert ledger.verify().intact
    assert len(acknowledged) >= sum(backend.kills)
    assert [line for line in acknowledged if kept.get(int(line[0])) != (line[1], line[2])] == []
