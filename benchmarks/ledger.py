"""The ledger: writers that all want to be first, and one picture among a million records."""

from __future__ import annotations

import hashlib
import io
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import PRODUCER, _pictures
from benchmarks._measure import Row, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labeling.ledger import Entry, Ledger

WRITERS = 8
ROWS_EACH = 1500
KNOWN, STRANGERS = 1000, 10_000
"""Pictures that are looked for and recorded; and that are looked for and not."""

_ENTRY = f"""
def entry(name):
    fields = {{"Label": "1", "ContentProducer": {PRODUCER!r}, "ProduceID": name, "ReservedCode1": "",
              "ContentPropagator": {PRODUCER!r}, "PropagateID": name, "ReservedCode2": ""}}
    digest = hashlib.sha256(name.encode())
    return name, digest.hexdigest(), fields, digest.digest()
import hashlib, json, sys, time
path, writer, count, start = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
entries = [entry(f"{{writer}}-{{number}}") for number in range(count)]
"""

_OURS = (
    _ENTRY
    + """
from labeling.ledger import Entry, Ledger
made = [Entry(n, d, f, "cn", output="a.jpg", media_type="image/jpeg", size=1, fingerprint=p, key=f"run/{n}")
        for n, d, f, p in entries]
ledger = Ledger.open(path)
time.sleep(max(0, start - time.time()))
for one in made:
    ledger.append([one])
print(time.time())
"""
)

_PLAIN = (
    _ENTRY
    + """
import sqlite3
made = [(n, d, p, json.dumps(f), "cn", "a.jpg", "image/jpeg", 1, f"run/{n}") for n, d, f, p in entries]
connection = sqlite3.connect(path, isolation_level=None, timeout=600)
connection.execute("PRAGMA synchronous=FULL")
time.sleep(max(0, start - time.time()))
for one in made:
    connection.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", one)
print(time.time())
"""
)
"""What anybody would write: one INSERT for each label, no chain, SQLite's own way of waiting, the same durability."""


def insert(settings: Settings) -> Iterator[Row]:
    """Eight processes, each label in a transaction of its own; none may be lost, and the chain must hold."""
    each = 40 if settings.quick else ROWS_EACH
    ours: list[float] = []
    plain: list[float] = []
    for number in range(settings.repetitions(5)):
        ours.append(_ours(settings.scratch / f"ledger-{number}.db", each))
        plain.append(_plain(settings.scratch / f"plain-{number}.db", each))
    rate, other = statistics.median(ours), statistics.median(plain)
    yield Row(
        f"ledger: {WRITERS} processes × {each} labels, one a transaction", "plain INSERT by sqlite3", rate, other,
        "rows/s", rate, 2000, "≥ 2000 rows/s, none lost", form="{:.0f} rows/s", at_least=True,
        detail={"all": ours, "all_plain": plain},
    )  # fmt: skip


def _ours(path: Path, each: int) -> float:
    from labeling.ledger import Ledger

    Ledger.open(path).close()
    rate = _written(_OURS, path, each)
    with Ledger.open(path) as ledger:
        checked = ledger.verify()
    if not checked.intact or checked.count != WRITERS * each:
        raise RuntimeError(f"{checked.count} of {WRITERS * each} records are there, intact: {checked.intact}")
    return rate


def _plain(path: Path, each: int) -> float:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE labels (content_id TEXT, sha256 TEXT, fingerprint BLOB, fields TEXT, profile TEXT, output TEXT, "
        "media_type TEXT, size INTEGER, name TEXT)"
    )
    for column in ("content_id", "sha256", "name"):
        connection.execute(f"CREATE INDEX by_{column} ON labels ({column})")
    connection.close()
    return _written(_PLAIN, path, each)


def _written(script: str, path: Path | str, each: int, writers: int = WRITERS, *more: int) -> float:
    """Rows a second from the moment at which all begin until the last one is done."""
    start = time.time() + 4
    command = [sys.executable, "-c", script, str(path)]
    processes = [
        subprocess.Popen([*command, str(n), str(each), str(start), *map(str, more)], stdout=subprocess.PIPE, text=True)
        for n in range(writers)
    ]
    ends = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError("a writer failed")
    return writers * each / (max(map(float, ends)) - start)


# --- on a server ------------------------------------------------------------------------------------------------------

_OURS_BATCHES = _OURS.replace(
    "for one in made:\n    ledger.append([one])",
    """for at in range(0, len(made), 64):
    ledger.append(made[at:at + 64])""",
)

_PLAIN_SERVER = (
    _ENTRY
    + """
import pg8000.native
from urllib.parse import unquote, urlsplit
size = int(sys.argv[5])
parts = urlsplit(path)
connection = pg8000.native.Connection(parts.username, host=parts.hostname, port=parts.port, database=parts.path[1:],
                                      password=unquote(parts.password))
connection._usock.setsockopt(6, 1, 1)
literal = pg8000.native.literal
made = ["(" + ",".join([*map(literal, (n, d, json.dumps(f), "cn", "a.jpg", "image/jpeg", 1, f"run/{n}")),
                        f"'\\\\x{p.hex()}'"]) + ")" for n, d, f, p in entries]
time.sleep(max(0, start - time.time()))
for at in range(0, len(made), size):
    connection.run("INSERT INTO labels VALUES " + ",".join(made[at:at + size]))
print(time.time())
"""
)
"""What anybody would write: an INSERT for each transaction, no chain, as many packets as ours."""

_TABLE = (
    "CREATE TABLE labels (content_id text, sha256 text, fields text, profile text, output text, media_type text, "
    "size bigint, name text, fingerprint bytea)"
)


def server(settings: Settings) -> Iterator[Row]:
    """PostgreSQL on this machine: one run that appends 64 at a time, and eight processes one at a time."""
    from tests import postgres

    each = 40 if settings.quick else 400
    with postgres.running() as running:
        for number, (work, script, size, writers, target) in enumerate((
            ("one process, 64 labels a transaction", _OURS_BATCHES, 64, 1, 5000),
            (f"{WRITERS} processes, one label a transaction", _OURS, 1, WRITERS, 1000),
        )):  # fmt: skip
            ours, plain = [], []
            count = each * (64 if writers == 1 else 1)
            for repetition in range(settings.repetitions(5)):
                name = f"bench_{number}_{repetition}"
                running.sql(f"CREATE DATABASE {name}")
                ours.append(_on_server(script, running.url(name), count, writers))
                running.sql(_TABLE, name)
                for column in ("content_id", "sha256", "name"):
                    running.sql(f"CREATE INDEX ON labels ({column})", name)
                plain.append(_written(_PLAIN_SERVER, running.url(name), count, writers, size))
            rate, other = statistics.median(ours), statistics.median(plain)
            yield Row(
                f"ledger in PostgreSQL: {work}", "plain INSERT by pg8000", rate, other, "rows/s", rate, target,
                f"≥ {target} rows/s, none lost", form="{:.0f} rows/s", at_least=True,
                detail={"all": ours, "all_plain": plain},
            )  # fmt: skip


def _on_server(script: str, url: str, each: int, writers: int) -> float:
    from labeling.ledger import Ledger

    Ledger.open(url).close()
    rate = _written(script, url, each, writers)
    with Ledger.open(url) as ledger:
        checked = ledger.verify()
    if not checked.intact or checked.count != writers * each:
        raise RuntimeError(f"{checked.count} of {writers * each} records are there, intact: {checked.intact}")
    return rate


# --- finding ----------------------------------------------------------------------------------------------------------


def find(settings: Settings) -> Iterator[Row]:
    """Find a picture that a platform scaled and re-encoded among 10⁶ records; look for pictures that are not there."""
    from labeling.ledger import Ledger
    from labeling.ledger._ledger import DEFAULT_DISTANCE

    count = 10_000 if settings.quick else 1_000_000
    known, strangers = (20, 50) if settings.quick else (KNOWN, STRANGERS)
    path, copies = _filled(settings, count, known)
    cold, warm = [], []
    for data in copies[: settings.repetitions(20)]:
        with Ledger.open(path) as ledger:
            cold.append(_timed(ledger, data))
            warm.append(_timed(ledger, data))
    slow = statistics.median(cold) * 1e3
    yield Row(
        f"find a picture among {count:,} records, ledger just opened", "the same ledger, second time", slow,
        statistics.median(warm) * 1e3, "ms", slow, 150, "≤ 150 ms", form="{:.0f} ms",
        detail={"cold": cold, "warm": warm},
    )  # fmt: skip
    with Ledger.open(path) as ledger:
        right = sum(_is_found(ledger, number, data) for number, data in enumerate(copies)) / len(copies) * 100
        wrong = sum(_anything(ledger, print_) for print_ in _crops(strangers, seed=77))
    detail: dict[str, Any] = {"distance": DEFAULT_DISTANCE, "known": known, "strangers": strangers}
    yield Row(
        f"found again of {known} after JPEG q50 and half size", "", right, None, "%", right, 99, "≥ 99 %",
        form="{:.1f} %", at_least=True, detail=detail,
    )  # fmt: skip
    yield Row(
        f"wrongly found of {strangers:,} that are not there", "", wrong, None, "", wrong, 1, "≤ 1", form="{:.0f}",
        detail=detail,
    )  # fmt: skip


def _timed(ledger: Ledger, data: bytes) -> float:
    start = time.perf_counter()
    ledger.find(data)
    return time.perf_counter() - start


def _is_found(ledger: Ledger, number: int, data: bytes) -> bool:
    return any(match.record.content_id == f"known-{number}" for match in ledger.find(data))


def _anything(ledger: Ledger, print_: bytes) -> bool:
    from labeling.ledger._find import Query
    from labeling.ledger._find import find as search
    from labeling.ledger._ledger import DEFAULT_DISTANCE
    from labeling.ledger._search import BlockCache

    if ledger._cache is None:
        ledger._cache = BlockCache()
    cache = ledger._cache
    return bool(ledger._database.read(lambda c: search(c, Query(fingerprint=print_), cache, DEFAULT_DISTANCE)))


def _filled(settings: Settings, count: int, known: int) -> tuple[Path, list[bytes]]:
    """A ledger of ``count`` records, ``known`` of them of whole pictures, and what a platform makes of those."""
    import numpy as np

    from labeling import fingerprint, keypoints
    from labeling.ledger import Ledger

    path = settings.scratch / "million.db"
    copies: list[bytes] = []
    entries: list[Entry] = []
    rng = np.random.default_rng(3)
    with Ledger.open(path) as ledger:
        for number in range(known):
            picture = list(_pictures.KINDS.values())[number % 3](640, 480, seed=5000 + number)
            out = io.BytesIO()
            picture.resize((320, 240)).save(out, "JPEG", quality=50)
            copies.append(out.getvalue())
            entries.append(_entry(f"known-{number}", fingerprint.fingerprint(picture)))
        points = b"".join((entry.fingerprint or b"")[fingerprint.SIZE :] for entry in entries)
        rows = np.frombuffer(points, np.uint8).reshape(-1, keypoints.POINT_SIZE)
        for number, print_ in enumerate(_crops(count - known, seed=1)):
            mixed = rows[rng.integers(0, len(rows), keypoints.MAX_POINTS)]  # as long to search as those of pictures
            entries.append(_entry(f"other-{number}", print_ + mixed.tobytes()))
            if len(entries) >= 10_000:
                ledger.append(entries)
                entries = []
        ledger.append(entries)
    return path, copies


def _entry(name: str, print_: bytes | None) -> Entry:
    from labeling.ledger import Entry

    fields = {"Label": "1", "ContentProducer": PRODUCER, "ProduceID": name}
    return Entry(name, hashlib.sha256(name.encode()).hexdigest(), fields, "cn", fingerprint=print_)


def _crops(count: int, seed: int) -> Iterator[bytes]:
    """Yield what describes ``count`` whole pictures: parts of many sizes, cut from pictures of three kinds."""
    import cv2
    import numpy as np

    from labeling import fingerprint

    rng = np.random.default_rng(seed)
    made = 0
    kinds = list(_pictures.KINDS.values())
    while made < count:
        kind = kinds[int(rng.integers(len(kinds)))]
        source = np.asarray(kind(640, 640, seed=int(rng.integers(1 << 40))))
        for _ in range(min(3000, count - made)):
            gray = cv2.cvtColor(_part(source, rng), cv2.COLOR_RGB2GRAY).astype(np.float32)
            print_ = fingerprint.whole(gray, detail=0)
            assert print_ is not None
            made += 1
            yield print_


def _part(source: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    side = int(rng.integers(96, 512))
    top, left = (int(value) for value in rng.integers(0, 640 - side, 2))
    step = max(1, side // 96)
    return source[top : top + side : step, left : left + side : step]
