"""The ledger in an SQLite file: what goes in comes out, is found again, is kept, and survives crowds and crashes."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import labeling
import labeling.fingerprint
from labeling.errors import LabelingError, UnreadableFile, WriteError
from labeling.ledger import Entry, Ledger, entry_of

from .ledgers import COLUMNS, HALFWAY, PRODUCER, WRITER, audited, entry, many_writers, raw, start
from .pictures import MAKERS, rgb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_what_goes_in_comes_out_and_an_auditor_can_compute_every_hash(path: Path) -> None:
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with Ledger.open(path) as ledger:
        told = ledger.append([entry(1), entry(2, recipient="客户 4711"), entry(3)])
        told += ledger.append([entry(1, sha256="a" * 64)])
        assert ledger.show("id-1") == [told[0], told[3]]
        assert list(ledger.export()) == told
        assert ledger.append([]) == []
    after = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert [record.seq for record in told] == [1, 2, 3, 4]
    assert before <= told[0].time <= told[3].time <= after
    for number, record in zip((1, 2, 3), told, strict=False):
        wanted = entry(number)
        for name in ("content_id", "sha256", "fields", "profile", "source", "output", "media_type", "size", "key"):
            assert getattr(record, name) == getattr(wanted, name), name
        assert record.fingerprint == wanted.fingerprint
    assert [record.recipient for record in told] == [None, "客户 4711", None, None]
    connection = sqlite3.connect(path)
    rows = connection.execute(f"SELECT {COLUMNS} FROM ledger_entries ORDER BY seq").fetchall()
    hashes = [digest for (digest,) in connection.execute("SELECT hash FROM ledger_entries ORDER BY seq")]
    connection.close()
    assert audited(rows) == hashes == [record.hash for record in told]
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


@pytest.mark.parametrize(
    "wrong", [{"sha256": "A" * 64}, {"sha256": "ab"}, {"fingerprint": b"short"}, {"size": -1}, {"size": 1 << 63}]
)
def test_values_that_no_record_can_hold_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(LabelingError):
        entry(1, **wrong)


# --- finding ----------------------------------------------------------------------------------------------------------


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def test_a_labelled_picture_is_found_by_bytes_by_number_and_by_looks(path: Path, tmp_path: Path) -> None:
    labeler = labeling.Labeler(producer=PRODUCER)
    rgb(900, 600).save(tmp_path / "photo.png")
    with Ledger.open(path) as ledger:
        done = labeler.label_file(tmp_path / "photo.png", tmp_path / "out.png", content_id="job-42")
        record = ledger.record(done, source="photo.png", key="run/photo.png")
        other = ledger.record(labeler.label_image(rgb(900, 600, seed=9), "jpeg"))
        assert (record.output, record.media_type, record.profile) == ("out.png", "image/png", "cn")
        assert record.size == (tmp_path / "out.png").stat().st_size
        assert record.fields["ContentProducer"] == PRODUCER
        assert (other.output, other.recipient, other.media_type) == ("", None, "image/jpeg")

        def found(source: Any) -> list[tuple[str, str]]:
            return [(match.by, match.record.content_id) for match in ledger.find(source)]

        assert found(tmp_path / "out.png") == [("sha256", "job-42")]
        image = Image.open(tmp_path / "out.png")
        relabelled = labeler.label_file(tmp_path / "out.png", tmp_path / "again.png").path
        relabelled.write_bytes(relabelled.read_bytes() + b"\0")
        assert found(relabelled) == [("content id", "job-42")]
        small = image.convert("RGB").resize((450, 300))
        stripped = saved(small, "JPEG", quality=50)
        assert b"job-42" not in stripped
        assert found(stripped) == [("fingerprint", "job-42")]
        assert found(small) == [("content id", "job-42")]  # Pillow carries the packet along in its info
        small.info.clear()
        assert found(small) == [("fingerprint", "job-42")]
        assert found(rgb(900, 600, seed=5)) == []
        cut = (tmp_path / "out.png").read_bytes()[:-4000]  # the label is still there, the picture is not
        assert found(cut) == [("content id", "job-42")]
        assert ledger.find(stripped, distance=-1) == []
        with pytest.raises(UnreadableFile):
            ledger.find(tmp_path / "none.png")


def test_the_number_of_another_provider_is_not_ours_and_a_copied_one_shows(path: Path) -> None:
    ours, others = labeling.Labeler(producer=PRODUCER), labeling.Labeler(producer="other-service")
    with Ledger.open(path) as ledger:
        ledger.record(ours.label_image(rgb(400, 300), "png", content_id="job-42"))
        assert ledger.find(others.label_image(rgb(400, 300, seed=7), "png", content_id="job-42").data) == []
        [match] = ledger.find(ours.label_image(rgb(400, 300, seed=7), "png", content_id="job-42").data)
        assert match.by == "content id"
        assert match.distance is not None
        assert match.distance > 80  # another picture under our number


def test_every_format_is_recorded_and_found_by_its_bytes(path: Path) -> None:
    labeler = labeling.Labeler(producer=PRODUCER, visible=False)
    made = [labeler.label_image(MAKERS[name](), content_id=name) for name in MAKERS if not name.endswith(".bmp")]
    with Ledger.open(path) as ledger:
        ledger.append([entry_of(each) for each in made])
        for each in made:
            assert ledger.find(each.data)[0].record.content_id == each.label.content_id
        with_fingerprint = [record for record in ledger.export() if record.fingerprint]
        assert len(with_fingerprint) > 0.8 * len(made)  # some of these small pictures have too little to see


def test_fingerprints_are_found_in_full_blocks_and_behind_them(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1, 9001)])
        picture = rgb(600, 400)
        near = labeling.fingerprint.fingerprint(picture)
        assert near is not None
        flipped = bytes([near[0] ^ 0b111]) + near[1:]
        for count, number in ((1, 20_000), (2, 20_001)):
            ledger.append([entry(number, fingerprint=flipped)])
            assert [match.distance for match in ledger.find(picture)] == [3] * count
            ledger.append([entry(n) for n in range(20_002, 25_000)])
        assert ledger.find(picture, distance=2) == []
        assert ledger.verify().intact
    with Ledger.open(path) as ledger:  # cold
        matches = ledger.find(picture)
        assert {match.record.content_id for match in matches} == {"id-20000", "id-20001"}


def test_bits_are_counted_alike_by_every_numpy() -> None:
    import numpy as np

    from labeling.ledger._search import count_bits_by_table

    words = np.random.default_rng(1).integers(0, 1 << 64, (4, 500), np.uint64)
    words[0, :2] = 0, 2**64 - 1
    assert count_bits_by_table(words).tolist() == [[int(word).bit_count() for word in row] for row in words]


# --- keeping ----------------------------------------------------------------------------------------------------------


def aged(path: Path, days: list[int]) -> None:
    """Records that were written so many days ago: the clock is the only thing that is made up."""
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1, len(days) + 1)])
    connection = raw(path)
    prev = "0" * 64
    for seq, age in enumerate(days, 1):
        time = (datetime.now(UTC) - timedelta(days=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        connection.execute("UPDATE ledger_entries SET time = ?, prev = ? WHERE seq = ?", (time, prev, seq))
        row = connection.execute(f"SELECT {COLUMNS} FROM ledger_entries WHERE seq = ?", (seq,)).fetchone()
        [prev] = audited([row])
        connection.execute("UPDATE ledger_entries SET hash = ? WHERE seq = ?", (prev, seq))
        connection.execute("UPDATE ledger_head SET time = ?, hash = ?", (time, prev))
    connection.close()


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


def match_numbers(ledger: Ledger, fingerprint: bytes | None) -> list[int]:
    from labeling.ledger._find import Query, find
    from labeling.ledger._search import BlockCache

    query = Query(fingerprint=fingerprint)
    return [match.record.seq for match in ledger._database.read(lambda c: find(c, query, BlockCache(), 0))]


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


# --- many at once -----------------------------------------------------------------------------------------------------


def test_eight_processes_lose_nothing(path: Path) -> None:
    told = many_writers(str(path), 8, 60)  # the file itself is made by whoever comes first
    assert len(told) == len({content_id for _, _, content_id in told}) == 480
    with Ledger.open(path, create=False) as ledger:
        assert sorted(told) == [(record.seq, record.hash, record.content_id) for record in ledger.export()]
        assert ledger.verify().intact


def test_threads_share_one_ledger(path: Path) -> None:
    with Ledger.open(path) as ledger:

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


def test_a_writer_killed_within_a_transaction_leaves_nothing_of_it(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(1)])
        process = start(HALFWAY, path)
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        ledger.append([entry(2)])
        assert [record.content_id for record in ledger.export()] == ["id-1", "id-2"]
        assert ledger.verify().intact


def test_a_writer_killed_anywhere_loses_nothing_that_was_acknowledged(path: Path) -> None:
    told: list[list[str]] = []
    for round_ in range(4):
        process = start(WRITER, path, round_, 10_000)
        assert process.stdout is not None
        told += [process.stdout.readline().split() for _ in range(30 + 7 * round_)]
        process.send_signal(signal.SIGKILL)
        told += [line.split() for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
    with Ledger.open(path) as ledger:
        kept = {record.seq: (record.hash, record.content_id) for record in ledger.export()}
        assert ledger.verify().intact
    assert len(told) > 150
    assert [line for line in told if kept.get(int(line[0])) != (line[1], line[2])] == []


# --- versions ---------------------------------------------------------------------------------------------------------


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
        [prev] = audited([row])
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
    assert connection.execute("SELECT value FROM ledger_meta").fetchall() == [("2",)]
    assert connection.execute("SELECT block FROM ledger_fingerprints").fetchall() == [(0,), (1,)]
    connection.close()


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    Ledger.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE ledger_meta SET value = '3'")
    connection.commit()
    connection.close()
    with pytest.raises(LabelingError, match=r"newer version.*pip install -U"):
        Ledger.open(path)


# --- what goes wrong --------------------------------------------------------------------------------------------------


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
        assert ledger.record(image, recipient="Müller").recipient == "Müller"
    assert isinstance(entry_of(image), Entry)
