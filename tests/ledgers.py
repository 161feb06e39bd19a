"""Entries for tests of the ledger, and what an auditor can do with docs/ledger.md and the database alone."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from labeling.ledger import Entry, Ledger

PRODUCER = "001191000000MA00DEM00P10001"


def entry(number: int, **more: Any) -> Entry:
    digest = hashlib.sha256(b"%d" % number).digest()
    values: dict[str, Any] = {
        "content_id": f"id-{number}",
        "sha256": digest.hex(),
        "fields": {"Label": "1", "ContentProducer": PRODUCER, "ProduceID": f"id-{number}"},
        "profile": "cn",
        "source": f"图 {number}.png",
        "output": f'"{number}"\t\u2028.png',
        "media_type": "image/png",
        "size": number,
        "fingerprint": digest if number % 3 else None,
        "key": f"run/{number}" if number % 2 else None,
    }
    return Entry(**(values | more))


def audited(rows: list[tuple[Any, ...]]) -> list[str]:
    """Compute all hashes as docs/ledger.md specifies, from the columns in its order; ``prev`` is the last of them."""
    found = []
    for row in rows:
        values = [value.hex() if isinstance(value, bytes) else value for value in row]
        details = values.pop(-2)
        tag = ["aigc-ledger/1", *values] if details is None else ["aigc-ledger/2", *values[:-1], details, values[-1]]
        text = json.dumps(tag, ensure_ascii=False, separators=(",", ":"))
        found.append(hashlib.sha256(text.encode()).hexdigest())
    return found


COLUMNS = (
    "seq, time, kind, content_id, sha256, fingerprint, fields, profile, source, output, media_type, size, recipient, "
    '"key", details, prev'
)


def raw(path: Path) -> sqlite3.Connection:
    """Open the file without the library, and drop the triggers that guard it, as a forger would."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    return connection


WRITER = """
import sys
from labeling.ledger import Entry, Ledger
where, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Ledger.open(where) as ledger:
    for number in range(count):
        entry = Entry(f"{name}-{number}", "0" * 64, {"Label": "1"}, "cn", fingerprint=bytes(31) + bytes([number % 256]))
        [record] = ledger.append([entry])
        print(record.seq, record.hash, record.content_id, flush=True)
"""
"""Appends one record at a time, and prints each that was acknowledged."""

HALFWAY = """
import sys, time
from labeling.ledger import Entry, Ledger
from labeling.ledger._write import append_rows, values_of
ledger = Ledger.open(sys.argv[1])
def work(connection):
    append_rows(connection, [values_of(Entry("lost", "0" * 64, {}, "cn"))])
    print("inside", flush=True)
    time.sleep(60)
ledger._database.write(work)
"""
"""Stops in the middle of a transaction, and waits there to be killed."""


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
print("locked", flush=True)
sys.stdin.read()
"""
"""Locks a file as any program could, without the library, until its standard input ends."""


@contextmanager
def locked(path: Path, *, reading_too: bool = False) -> Iterator[None]:
    """Let another process hold the lock of an SQLite file."""
    statements = ["PRAGMA locking_mode=EXCLUSIVE"] if reading_too else []
    command = [sys.executable, "-c", LOCKER, str(path), *statements, "BEGIN IMMEDIATE"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.communicate()


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def many_writers(where: str, writers: int, each: int) -> list[tuple[int, str, str]]:
    """Start several processes at once; return number, hash and content id of every record acknowledged to them."""
    processes = [start(WRITER, where, name, each) for name in range(writers)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * writers
    lines = [line.split() for text in outputs for line in text.splitlines()]
    return [(int(seq), digest, content_id) for seq, digest, content_id in lines]


def aged(path: Path, days: list[int]) -> None:
    """Make a ledger whose records were written this many days ago: the clock is the only thing that is made up."""
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


def match_numbers(ledger: Ledger, fingerprint: bytes | None) -> list[int]:
    """Return the numbers of the records that have a fingerprint."""
    from labeling.ledger._find import Query, find
    from labeling.ledger._search import BlockCache

    query = Query(fingerprint=fingerprint)
    return [match.record.seq for match in ledger._database.read(lambda c: find(c, query, BlockCache(), 0))]
