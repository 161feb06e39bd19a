"""Whatever is done to a ledger behind its back is found; what a chain alone cannot show, a head kept elsewhere does."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labeling.ledger import Ledger, Verification

from .ledgers import COLUMNS, audited, entry, raw

NAMES = [name.strip().strip('"') for name in COLUMNS.split(",")] + ["hash"]
COUNT = 12

VALUES = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.binary(max_size=33),
    st.integers(-3, 1 << 62),
    st.sampled_from(["0" * 64, "prune", "label", '{"upto":"3","hash":"' + "0" * 64 + '"}', b"\xff\xfe"]),
    st.floats(allow_nan=False, allow_infinity=False),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of twelve records, the first of which is a note that three were pruned."""
    path = tmp_path_factory.mktemp("chain") / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1, 4)])
        ledger.prune(timedelta(0), force=True)
        agreed = {"recipient": "Müller", "details": {"agreement": "2026-17"}}
        ledger.append([entry(n, **agreed if n == 7 else {}) for n in range(4, COUNT + 3)])
        assert ledger.verify().intact
        assert ledger.verify().count == COUNT
    return path


@contextmanager
def forged(original: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger.db"
        shutil.copyfile(original, path)
        connection = raw(path)
        try:
            yield path, connection
        finally:
            connection.close()


def verified(path: Path, head: str | None = None) -> Verification:
    with Ledger.open(path, create=False) as ledger:
        return ledger.verify(head)


def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    typed = ", ".join(f'typeof("{name}"), quote("{name}")' for name in NAMES)
    return connection.execute(f"SELECT {typed} FROM ledger_entries ORDER BY rowid").fetchall()


@settings(max_examples=150)
@given(row=st.integers(4, COUNT + 3), name=st.sampled_from(NAMES), value=VALUES)
def test_any_change_of_any_column_is_found(original: Path, row: int, name: str, value: object) -> None:
    with forged(original) as (path, connection):
        before = rows(connection)
        try:
            connection.execute(f'UPDATE ledger_entries SET "{name}" = ? WHERE seq = ?', (value, row))
        except sqlite3.DatabaseError:  # the table itself takes no such value
            assume(False)
        assume(rows(connection) != before)
        found = verified(path)
    assert not found.intact
    assert found.discrepancies


@settings(max_examples=40)
@given(first=st.integers(4, COUNT + 3), count=st.integers(1, 4))
def test_any_removal_is_found(original: Path, first: int, count: int) -> None:
    with forged(original) as (path, connection):
        connection.execute("DELETE FROM ledger_entries WHERE seq >= ? AND seq < ?", (first, first + count))
        assert not verified(path).intact


@settings(max_examples=40)
@given(one=st.integers(4, COUNT + 3), other=st.integers(4, COUNT + 3))
def test_any_swap_is_found(original: Path, one: int, other: int) -> None:
    assume(one != other)
    with forged(original) as (path, connection):
        for old, new in ((one, 999), (other, one), (999, other)):
            connection.execute("UPDATE ledger_entries SET seq = ? WHERE seq = ?", (new, old))
        assert not verified(path).intact


@settings(max_examples=40)
@given(after=st.integers(3, COUNT + 3), clone=st.integers(4, COUNT + 3))
def test_a_record_put_in_between_is_found(original: Path, after: int, clone: int) -> None:
    with forged(original) as (path, connection):
        copied = list(
            connection.execute(f"SELECT {COLUMNS}, hash FROM ledger_entries WHERE seq = ?", (clone,)).fetchone()
        )
        connection.execute("UPDATE ledger_entries SET seq = -(seq + 1) WHERE seq > ?", (after,))
        connection.execute("UPDATE ledger_entries SET seq = -seq WHERE seq < 0")
        copied[0] = after + 1
        copied[-1] = audited([tuple(copied[:-1])])[0]
        connection.execute(f"INSERT INTO ledger_entries ({COLUMNS}, hash) VALUES ({','.join('?' * 17)})", copied)
        assert not verified(path).intact


@settings(max_examples=60)
@given(name=st.sampled_from(["seq", "time", "hash", "pruned_to", "pruned_hash"]), value=VALUES)
def test_a_change_of_what_says_where_the_ledger_ends_is_found(original: Path, name: str, value: object) -> None:
    with forged(original) as (path, connection):
        before = connection.execute("SELECT * FROM ledger_head").fetchall()
        try:
            connection.execute(f"UPDATE ledger_head SET {name} = ?", (value,))
        except sqlite3.DatabaseError:
            assume(False)
        assume(connection.execute("SELECT * FROM ledger_head").fetchall() != before)
        assert not verified(path).intact


def test_findings_say_which_record(original: Path) -> None:
    with forged(original) as (path, connection):
        connection.execute("UPDATE ledger_entries SET recipient = 'somebody else' WHERE seq = 8")
        connection.execute("DELETE FROM ledger_entries WHERE seq IN (11, 12)")
        found = [(finding.seq, finding.message) for finding in verified(path).discrepancies]
    assert found[0] == (8, "record 8 was altered: its hash is not that of its columns")
    assert found[1] == (11, "record 11 to 12 was removed")
    assert len(found) == 2
    with forged(original) as (path, connection):
        connection.execute("DELETE FROM ledger_entries WHERE seq > 13")
        [finding] = verified(path).discrepancies
        assert (finding.seq, finding.message) == (
            14,
            "the chain ends with record 13, but record 15 was the last written",
        )
    with forged(original) as (path, connection):
        connection.execute("DELETE FROM ledger_entries WHERE seq = 4")  # the note of what was pruned
        connection.execute(
            "UPDATE ledger_head SET pruned_to = 4, pruned_hash = (SELECT prev FROM ledger_entries LIMIT 1)"
        )
        [finding] = verified(path).discrepancies
        assert finding.message == "record 1 to 4 was removed, and no prune record vouches for it"


def rewritten(connection: sqlite3.Connection, start: int) -> None:
    """What somebody does who knows the form: all hashes anew from one record on, and the end, too."""
    last = connection.execute("SELECT max(seq) FROM ledger_entries").fetchone()[0]
    prev = connection.execute("SELECT prev FROM ledger_entries WHERE seq = ?", (start,)).fetchone()[0]
    for seq in range(start, last + 1):
        connection.execute("UPDATE ledger_entries SET prev = ? WHERE seq = ?", (prev, seq))
        row = connection.execute(f"SELECT {COLUMNS} FROM ledger_entries WHERE seq = ?", (seq,)).fetchone()
        [prev] = audited([row])
        connection.execute("UPDATE ledger_entries SET hash = ? WHERE seq = ?", (prev, seq))
    connection.execute("UPDATE ledger_head SET hash = ?", (prev,))


def test_a_chain_written_anew_needs_a_head_kept_elsewhere_to_be_found(original: Path) -> None:
    kept = verified(original)
    with Ledger.open(original) as ledger:
        middle = ledger.show("id-9")[0].hash
    assert verified(original, kept.head).intact
    assert verified(original, middle).intact
    with forged(original) as (path, connection):
        connection.execute("UPDATE ledger_entries SET recipient = NULL WHERE recipient IS NOT NULL")
        rewritten(connection, 5)
        assert verified(path).intact  # this is what docs/ledger.md says that a chain cannot prove
        for head in (kept.head, middle):
            [finding] = verified(path, head).discrepancies
            assert "rewritten" in finding.message


def test_the_search_table_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.append([entry(n) for n in range(1, 8300)])
        assert ledger.verify().intact
    connection = sqlite3.connect(path)
    data = bytearray(connection.execute("SELECT data FROM ledger_fingerprints").fetchone()[0])
    connection.close()
    data[9000] ^= 1
    for change, values in (
        ("UPDATE ledger_fingerprints SET data = ? WHERE block = 0", (bytes(data),)),
        ("DELETE FROM ledger_fingerprints WHERE block = 1", ()),
        ("INSERT INTO ledger_fingerprints VALUES (7, ?)", (bytes(34),)),
        ("UPDATE ledger_fingerprints SET data = 'text' WHERE block = 1", ()),
    ):
        with forged(path) as (copy, connection):
            connection.execute(change, values)
            [finding] = verified(copy).discrepancies
            assert "search table" in finding.message


def test_an_empty_ledger_is_intact_and_an_emptied_one_is_not(tmp_path: Path, original: Path) -> None:
    with Ledger.open(tmp_path / "new.db") as ledger:
        assert ledger.verify() == Verification(0, 0, 0, "0" * 64)
    with forged(original) as (path, connection):
        connection.execute("DELETE FROM ledger_entries")
        assert not verified(path).intact
