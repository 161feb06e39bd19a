"""Ledgers that move to another database, and shards that become one ledger: nothing is lost, and every chain holds."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import LabelingError
from labeling.ledger import Entry, Ledger

from . import postgres
from .commands import run
from .ledgers import COLUMNS, aged, audited, entry, match_numbers, raw

_numbers = itertools.count()
FIRST = 1100
"""Records of the first shard: more than are copied at a time."""


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "target.db")
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"import_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    return server.url(name)


def filled(path: Path, *entries: Entry) -> Path:
    with Ledger.open(path) as ledger:
        for start_ in range(0, len(entries), 700):
            ledger.append(entries[start_ : start_ + 700])
    return path


def test_a_ledger_moves_with_its_chain_and_goes_on(target: str, tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", *(entry(n, recipient="客户" if n == 3 else None) for n in range(4200)))
    with Ledger.open(path) as old, Ledger.open(target) as new:
        done = new.import_from(old)
        assert (done.count, done.before, done.chain, done.verification.intact) == (4200, 0, None, True)
        assert list(new.export()) == list(old.export())
        head = old.verify().head
        assert new.verify(head).intact
        assert match_numbers(new, entry(4000).fingerprint) == [4001]  # the search table has it
        again = new.import_from(path)
        assert (again.count, again.before) == (0, 4200)
        old.append([entry(6000)])
        assert new.import_from(old).count == 1
        [record] = new.append([entry(7000)])
        assert (record.seq, new.verify(head).intact) == (4202, True)
        assert new.import_from(old).count == 0  # all of it is there, and more


def test_a_ledger_whose_beginning_was_pruned_moves_too(target: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    aged(path, [400, 300, 200, 100, 1])
    with Ledger.open(path) as old, Ledger.open(target) as new:
        old.prune()
        assert new.import_from(old).count == 3
        assert list(new.export()) == list(old.export())
        verified = new.verify()
        assert (verified.intact, verified.first, verified.last) == (True, 4, 6)
        new.append([entry(9)])
        assert new.verify().intact


def test_a_ledger_that_holds_other_records_is_not_mixed(target: str, tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", entry(1), entry(2))
    with Ledger.open(target) as new:
        new.append([entry(3)])
        with pytest.raises(LabelingError, match=r"other records.*`merge=True`"):
            new.import_from(path)
        assert [record.content_id for record in new.export()] == ["id-3"]


def test_an_altered_ledger_is_not_imported(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", entry(1), entry(2))
    connection = raw(path)
    connection.execute("UPDATE ledger_entries SET recipient = 'me' WHERE seq = 2")
    connection.close()
    for merge in (False, True):
        with Ledger.open(tmp_path / "target.db") as new:
            with pytest.raises(LabelingError, match="record 2 was altered") as caught:
                new.import_from(path, merge=merge)
            assert caught.value.exit_code == 1
            assert list(new.export()) == []


def shards(folder: Path) -> list[Path]:
    """Three ledgers, as three runs wrote them; the second has records of other kinds, the third was pruned."""
    first = filled(folder / "1.db", *(entry(n) for n in range(FIRST)))
    second = filled(
        folder / "2.db", *(entry(n, details={"agreement": f"第 {n} 号"}, recipient="A") for n in range(5000, 5040)),
        entry(1, kind="decision", details={"decision": "none"}),
    )  # fmt: skip
    aged(folder / "3.db", [400, 300, 100, 50])
    with Ledger.open(folder / "3.db") as ledger:
        ledger.prune()
    return [first, second, folder / "3.db"]


def test_shards_become_one_ledger_and_each_chain_is_still_checked(target: str, tmp_path: Path) -> None:
    paths = shards(tmp_path)
    with Ledger.open(target) as new:
        new.append([entry(9000)])
        counts = [new.import_from(path, merge=True).count for path in paths]
        assert counts == [FIRST, 41, 3]
        new.append([entry(9001)])
        assert [new.import_from(path, merge=True).count for path in paths] == [0, 0, 0]
        verified = new.verify()
        assert (verified.count, verified.discrepancies, verified.notes) == (FIRST + 46, (), ())
        records = list(new.export())
        position = 1
        for path, chain, count in zip(paths, verified.imported, counts, strict=True):
            with Ledger.open(path) as old:
                assert new.verify(old.verify().head).intact  # a head that was kept of the shard is still proof
                originals = list(old.export())
                assert (chain.count, chain.last, chain.head) == (count, originals[-1].seq, originals[-1].hash)
                for was, is_ in zip(originals, records[position : position + count], strict=True):
                    same = (
                        "time",
                        "kind",
                        "content_id",
                        "sha256",
                        "fingerprint",
                        "fields",
                        "recipient",
                        "key",
                        "output",
                    )
                    assert [getattr(was, name) for name in same] == [getattr(is_, name) for name in same]
                    assert json.loads((is_.details or {})["imported_from"])["hash"] == was.hash
                position += count
        assert not new.verify("f" * 64).intact
        for path in paths[:2]:  # they go on
            with Ledger.open(path) as old:
                old.append([entry(9500)])
            assert new.import_from(path, merge=True).count == 1
        assert new.verify().intact


def test_an_auditor_can_compute_the_imported_chain_from_the_merged_ledger_alone(tmp_path: Path) -> None:
    paths = shards(tmp_path)
    with Ledger.open(tmp_path / "all.db") as new:
        for path in paths:
            new.import_from(path, merge=True)
    connection = sqlite3.connect(tmp_path / "all.db")
    rows = connection.execute(f"SELECT {COLUMNS}, hash FROM ledger_entries ORDER BY seq").fetchall()
    connection.close()
    assert audited([row[:-1] for row in rows]) == [row[-1] for row in rows]
    originals: list[tuple[Any, ...]] = []
    hashes = []
    for row in rows:
        origin = json.loads(json.loads(row[-3])["imported_from"])
        originals.append((origin["seq"], *row[1:-3], origin["details"], origin["prev"]))
        hashes.append(origin["hash"])
    assert audited(originals) == hashes


def test_forgery_of_an_imported_record_is_found(tmp_path: Path) -> None:
    """Whoever rewrites the whole chain of the merged ledger still leaves a trace in the chain that was imported."""
    paths = shards(tmp_path)
    path = tmp_path / "all.db"
    with Ledger.open(path) as new:
        for each in paths:
            new.import_from(each, merge=True)
    connection = raw(path)
    connection.execute("UPDATE ledger_entries SET recipient = 'B' WHERE seq = ?", (FIRST + 10,))
    prev = connection.execute("SELECT prev FROM ledger_entries WHERE seq = ?", (FIRST + 10,)).fetchone()[0]
    for seq in range(FIRST + 10, FIRST + 45):
        connection.execute("UPDATE ledger_entries SET prev = ? WHERE seq = ?", (prev, seq))
        row = connection.execute(f"SELECT {COLUMNS} FROM ledger_entries WHERE seq = ?", (seq,)).fetchone()
        [prev] = audited([row])
        connection.execute("UPDATE ledger_entries SET hash = ? WHERE seq = ?", (prev, seq))
    connection.execute("UPDATE ledger_head SET hash = ?", (prev,))
    with Ledger.open(path) as new:
        [found] = new.verify().discrepancies
        assert "imported chain" in found.message
        assert "record 10 was altered" in found.message
    connection.execute("UPDATE ledger_entries SET recipient = 'A' WHERE seq = ?", (FIRST + 10,))
    connection.execute("UPDATE ledger_meta SET value = '[0, \"\", 9, \"\"]' WHERE name LIKE 'chain/%'")
    connection.close()
    with Ledger.open(path) as new:
        assert not new.verify().intact


def test_what_was_merged_is_pruned_with_the_rest(tmp_path: Path) -> None:
    paths = [tmp_path / "1.db", tmp_path / "2.db"]
    aged(paths[0], [400, 300, 100])
    aged(paths[1], [390, 20])
    with Ledger.open(tmp_path / "all.db") as new:
        for path in paths:
            new.import_from(path, merge=True)
        pruned = new.prune()
        assert pruned.count == 2  # an unbroken beginning; the record of 390 days ago lies behind younger ones
        verified = new.verify()
        assert (verified.discrepancies, [chain.count for chain in verified.imported]) == ((), [1, 2])
        assert [new.import_from(path, merge=True).count for path in paths] == [0, 0]
        assert new.prune(timedelta(0), force=True).count == 4
        assert new.verify().intact


def test_two_branches_of_one_ledger_are_not_merged(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", entry(1))
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    filled(path, entry(2))
    filled(copy, entry(3))
    with Ledger.open(tmp_path / "all.db") as new:
        new.import_from(path, merge=True)
        with pytest.raises(LabelingError, match="does not continue it"):
            new.import_from(copy, merge=True)
        assert new.verify().count == 2


def test_a_merged_ledger_can_itself_be_merged(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", entry(1, details={"agreement": "7"}), entry(2))
    with Ledger.open(tmp_path / "b.db") as middle:
        middle.import_from(path, merge=True)
        middle.append([entry(3)])
        with Ledger.open(tmp_path / "c.db") as last:
            assert last.import_from(middle, merge=True).count == 3
            assert last.verify().intact
            assert [record.agreement for record in last.export()] == ["7", None, None]


IMPORTER = """
import sys
from labeling.ledger import Ledger
from labeling.ledger import _import
real = _import.insert_rows, _import.append_rows
def stop(work):
    def counted(*arguments):
        result = work(*arguments)
        print("page", flush=True)
        sys.stdin.readline()
        return result
    return counted
_import.insert_rows, _import.append_rows = map(stop, real)
with Ledger.open(sys.argv[2]) as ledger:
    ledger.import_from(sys.argv[1], merge=sys.argv[3] == "merge")
"""
"""Imports, and waits inside the transaction of each page."""


@pytest.mark.parametrize("mode", ["move", "merge"])
def test_an_import_that_is_killed_goes_on(target: str, tmp_path: Path, mode: str) -> None:
    path = filled(tmp_path / "a.db", *(entry(n) for n in range(2500)))
    for pages in (2, 1):
        process = subprocess.Popen(
            [sys.executable, "-c", IMPORTER, path, target, mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(pages):
            assert process.stdout.readline() == "page\n"
            if number < pages - 1:
                process.stdin.write("\n")
                process.stdin.flush()
        process.kill()
        process.communicate()
    with Ledger.open(path) as old, Ledger.open(target) as new:
        done = new.import_from(old, merge=mode == "merge")
        assert (done.before, done.count) == (1000, 1500)  # of the pages that were killed nothing is there
        assert [record.content_id for record in new.export()] == [f"id-{n}" for n in range(2500)]
        assert new.verify(old.verify().head).intact


def test_the_command_line_imports_and_says_what_it_did(tmp_path: Path) -> None:
    paths = shards(tmp_path)
    done = run("ledger", "import", paths[0], "--ledger", "all.db", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        f"imported {FIRST} records of {paths[0]}\nintact: {FIRST} records, 1 to {FIRST}\nhead "
    )
    refused = run("ledger", "import", paths[1], "--ledger", "all.db", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "this ledger holds other records" in refused.stderr
    assert "--merge" in refused.stderr
    done = run("ledger", "import", *paths, "--ledger", "merged.db", "--merge", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 imported chains" in done.stdout
    again = run("ledger", "import", *paths, "--ledger", "merged.db", "--merge", cwd=tmp_path)
    assert f"imported 0 records of {paths[2]}; 3 records had been imported before\n" in again.stdout
    [verified] = [json.loads(run("ledger", "verify", "--ledger", "merged.db", "--format", "json", cwd=tmp_path).stdout)]
    assert [chain["count"] for chain in verified["imported"]] == [FIRST, 41, 3]
    missing = run("ledger", "import", "none.db", "--ledger", "all.db", cwd=tmp_path)
    assert (missing.returncode, "there is no ledger" in missing.stderr) == (3, True)
    assert run("ledger", "import", "none.db", "--ledger", "nothing.db", cwd=tmp_path).returncode == 3
    assert not (tmp_path / "nothing.db").exists()
    connection = raw(paths[1])
    connection.execute("UPDATE ledger_entries SET size = 7 WHERE seq = 4")
    connection.close()
    altered = run("ledger", "import", paths[1], "--ledger", "new.db", cwd=tmp_path)
    assert (altered.returncode, "record 4 was altered" in altered.stderr) == (1, True)


# --- space ------------------------------------------------------------------------------------------------------------


def test_vacuum_gives_the_space_of_pruned_records_back(target: str, tmp_path: Path) -> None:
    del tmp_path
    with Ledger.open(target) as ledger:
        ledger.append([entry(n) for n in range(3000)])
        ledger.prune(timedelta(0), force=True)
        ledger.append([entry(1)])
        done = ledger.vacuum()
        is_file = "://" not in target
        assert done.complete is is_file
        if is_file:
            assert done.after < done.before / 4
            assert Path(target).stat().st_size <= done.after
        full = ledger.vacuum(full=True)
        assert full.complete
        assert full.after < 300_000
        assert ledger.verify().intact
        ledger.append([entry(2)])
        assert [record.content_id for record in ledger.export()] == ["", "id-1", "id-2"]


def test_vacuum_by_somebody_else_is_told(postgres_server: postgres.Server) -> None:
    name = f"import_{next(_numbers)}"
    postgres_server.sql(f"CREATE DATABASE {name}")
    Ledger.open(postgres_server.url(name)).close()
    grants = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO"
    postgres_server.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'x'; {grants} {name}", name)
    url = postgres_server.url(name, user=name, password="x")
    with Ledger.open(url) as ledger, pytest.raises(LabelingError, match="owner"):
        ledger.vacuum()
    assert run("ledger", "vacuum", "--ledger", postgres_server.url(name)).stdout.startswith("vacuumed: ")
