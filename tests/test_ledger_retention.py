"""What a ledger keeps and for how long: prune, export, and the times of its records."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labeling.errors import LabelingError
from labeling.ledger import Ledger, Pruned

from .commands import run
from .ledgers import aged, entry, match_numbers, raw


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_prune_removes_what_is_old_and_says_so(path: Path) -> None:
    aged(path, [400, 300, 200, 100, 300, 1])  # the fifth was written by a machine whose clock was wrong
    with Ledger.open(path) as ledger:
        assert ledger.verify().intact
        third = ledger.show("id-3")[0]
        done = ledger.prune()
        assert (done.count, done.upto) == (3, 3)
        assert done.record is not None
        assert done.record.kind == "prune"
        assert dict(done.record.fields) == {
            "upto": "3", "hash": third.hash, "removed": "3", "older_than": "184 days",
        }  # fmt: skip
        verified = ledger.verify(third.hash)
        assert (verified.intact, verified.count, verified.first, verified.last) == (True, 4, 4, 7)
        assert ledger.prune() == type(done)(0, 3)
        assert ledger.show("id-3") == []
        assert [record.content_id for record in ledger.export()][:3] == ["id-4", "id-5", "id-6"]


def test_less_than_six_months_is_refused_without_force(path: Path) -> None:
    aged(path, [100, 1])
    with Ledger.open(path) as ledger:
        with pytest.raises(LabelingError, match=r"six months.*`force=True`"):
            ledger.prune(timedelta(days=183))
        assert ledger.prune(timedelta(days=50), force=True).count == 1
        assert ledger.verify().intact
        assert ledger.prune(timedelta(0), force=True).count == 2  # the note of the last time goes too
        assert [record.kind for record in ledger.export()] == ["prune"]
        ledger.append([entry(9)])
        assert ledger.verify().intact


def test_the_configuration_says_how_long_records_are_kept(tmp_path: Path) -> None:
    aged(tmp_path / "l.db", [500, 400, 300, 100])
    policy = tmp_path / "aigc-label.toml"
    words = ("ledger", "prune", "--ledger", "l.db")

    def prune(days: int, *more: str) -> subprocess.CompletedProcess[str]:
        policy.write_text(f"[ledger]\nretention = {days}\n", encoding="utf-8")
        return run(*words, *more, cwd=tmp_path)

    tried = prune(365, "--dry-run")
    assert (tried.returncode, tried.stdout) == (
        0, "2 records, up to number 2, are older than 365 days; nothing was removed\n"
    )  # fmt: skip
    assert prune(450, "--older-than", "184").returncode == 2
    assert "450 days by [ledger] retention" in prune(450, "--older-than", "184").stderr
    assert prune(450).stdout == "removed 1 record, up to number 1; record 5 says so\n"
    refused = prune(30)
    assert "[ledger] retention of the configuration is 30 days" in refused.stderr
    assert (refused.returncode, "six months" in refused.stderr, "--force" in refused.stderr) == (2, True, True)
    assert "retention must be" in prune(0).stderr
    assert prune(30, "--force").stdout == "removed 3 records, up to number 4; record 6 says so\n"
    policy.unlink()
    assert run(*words, cwd=tmp_path).stdout == "no record is older than 184 days\n"
    with Ledger.open(tmp_path / "l.db") as ledger:
        assert ledger.verify().intact
        assert ledger.prune(timedelta(0), force=True, dry_run=True) == Pruned(2, 6)
        assert ledger.verify().count == 2


def test_prune_goes_through_blocks_of_the_search_table(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1, 9001)])
        picture = entry(8192).fingerprint
        assert picture is not None
        old = [match_numbers(ledger, entry(n).fingerprint) for n in (4097, 5000, 8192)]
        assert old == [[4097], [5000], [8192]]
        keep = ledger.show("id-5000")[0].seq
    connection = raw(path)
    connection.execute("UPDATE ledger_entries SET time = '2020-01-01T00:00:00.000000Z' WHERE seq < ?", (keep,))
    connection.close()
    with Ledger.open(path) as ledger:
        assert ledger.prune().upto == 4999
        assert [match_numbers(ledger, entry(n).fingerprint) for n in (4097, 5000, 8192)] == [[], [5000], [8192]]
        assert [finding.message for finding in ledger.verify().discrepancies] == []
    assert b"id-4097" not in path.read_bytes()  # not in pages that are free now, either


def test_export_takes_a_range_of_time(path: Path) -> None:
    aged(path, [30, 20, 10, 5])
    now = datetime.now(UTC)
    with Ledger.open(path) as ledger:
        some = ledger.export(since=now - timedelta(days=21), until=now - timedelta(days=9))
        assert [record.content_id for record in some] == ["id-2", "id-3"]


def test_a_clock_that_is_a_little_behind_does_not_turn_time_back(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(1)])
        ahead = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        connection = raw(path)
        connection.execute("UPDATE ledger_head SET time = ?", (ahead,))
        [record] = ledger.append([entry(2)])
        assert record.time == ahead
        connection.execute("UPDATE ledger_head SET time = '2099-01-01T00:00:00.000000Z'")
        connection.close()
        [record] = ledger.append([entry(3)])
        assert record.time < "2099"  # a clock that was wrong by years does not stay so for ever
