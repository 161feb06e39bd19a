"""The ledger in an SQLite file: what goes in comes out, is chained, and cannot be changed by accident."""

from __future__ import annotations

import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

import labeling
import labeling.fingerprint
from labeling.errors import LabelingError
from labeling.ledger import Entry, Ledger, entry_of

from .ledgers import COLUMNS, PRODUCER, audited, entry
from .pictures import rgb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_what_goes_in_comes_out_and_an_auditor_can_compute_every_hash(path: Path) -> None:
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with Ledger.open(path) as ledger:
        recorded = ledger.append(
            [entry(1), entry(2, recipient="客户 4711", details={"agreement": "第 7 号"}), entry(3)]
        )
        recorded += ledger.append([entry(1, sha256="a" * 64)])
        assert ledger.show("id-1") == [recorded[0], recorded[3]]
        assert list(ledger.export()) == recorded
        assert ledger.append([]) == []
    after = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert [record.seq for record in recorded] == [1, 2, 3, 4]
    assert before <= recorded[0].time <= recorded[3].time <= after
    for number, record in zip((1, 2, 3), recorded, strict=False):
        wanted = entry(number)
        for name in ("content_id", "sha256", "fields", "profile", "source", "output", "media_type", "size", "key"):
            assert getattr(record, name) == getattr(wanted, name), name
        assert record.fingerprint == wanted.fingerprint
    assert [record.recipient for record in recorded] == [None, "客户 4711", None, None]
    assert [record.agreement for record in recorded] == [None, "第 7 号", None, None]
    connection = sqlite3.connect(path)
    rows = connection.execute(f"SELECT {COLUMNS} FROM ledger_entries ORDER BY seq").fetchall()
    hashes = [digest for (digest,) in connection.execute("SELECT hash FROM ledger_entries ORDER BY seq")]
    connection.close()
    assert audited(rows) == hashes == [record.hash for record in recorded]
    assert [row[-1] for row in rows] == ["0" * 64, *hashes[:-1]]


def test_a_new_file_is_for_its_owner_only(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(1)])
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}


def test_text_that_no_database_can_hold_is_kept_readable(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(1, output="a\0b\udcff.png", key="k\0", fields={"Label": "\ud800"})])
        [record] = ledger.by_keys(["k\0", "other"]).values()
        assert (record.output, dict(record.fields)) == ("a\\x00b\\udcff.png", {"Label": "\\ud800"})
        assert ledger.verify().intact


def test_by_keys_gives_the_latest_of_each(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(n, key=f"k{n % 700}") for n in range(1500)])
        found = ledger.by_keys([f"k{n}" for n in range(800)])
        assert {key: record.content_id for key, record in found.items()} == {
            f"k{n % 700}": f"id-{n}" for n in range(800, 1500)
        }


def test_by_sha256_gives_the_latest_label_of_each_output(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1200)] + [entry(7, content_id="again")])
        ledger.append([entry(8, content_id="an upload", kind="decision")])
        digests = [entry(n).sha256 for n in range(1300)]
        found = ledger.by_sha256(digests)
        assert [found[digest].content_id for digest in digests[:1200]] == [
            "again" if n == 7 else f"id-{n}" for n in range(1200)
        ]
        assert len(found) == 1200
    connection = sqlite3.connect(path)
    [(*_, plan)] = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM ledger_entries WHERE sha256 IN ('a', 'b')")
    connection.close()
    assert "ledger_by_sha256" in plan


@pytest.mark.parametrize(
    "wrong", [{"sha256": "A" * 64}, {"sha256": "ab"}, {"fingerprint": b"short"}, {"size": -1}, {"size": 1 << 63}]
)
def test_values_that_no_record_can_hold_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(LabelingError):
        entry(1, **wrong)


def test_records_cannot_be_changed_by_accident(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(1), entry(2)])
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute("UPDATE ledger_entries SET size = 0")
    with pytest.raises(sqlite3.IntegrityError, match="only removed by prune"):
        connection.execute("DELETE FROM ledger_entries WHERE seq = 2")
    connection.close()


def test_a_dry_run_leaves_nothing_to_record(tmp_path: Path, path: Path) -> None:
    rgb().save(tmp_path / "a.png")
    done = labeling.Labeler(producer=PRODUCER).label_file(tmp_path / "a.png", dry_run=True)
    with Ledger.open(path) as ledger, pytest.raises(LabelingError, match="nothing was written"):
        ledger.record(done)


def test_a_recipient_is_recorded_where_one_is_given_only(path: Path) -> None:
    image = labeling.Labeler(producer=PRODUCER, visible=False).label_image(rgb(), "png")
    with Ledger.open(path) as ledger:
        assert ledger.record(image).recipient is None
        with pytest.raises(LabelingError, match=r"Art\. 9.*`agreement`"):
            ledger.record(image, recipient="Müller")
        record = ledger.record(image, recipient="Müller", agreement="2026-17")
        assert (record.recipient, record.agreement) == ("Müller", "2026-17")
        assert ledger.record(image, recipient="Müller", profile="eu").agreement is None
    assert isinstance(entry_of(image), Entry)
