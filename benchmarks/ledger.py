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


def _written(script: str, path: Path, each: int) -> float:
    """Rows a second from the moment at which all begin until the last one is done."""
    start = time.time() + 4
    command = [sys.executable, "-c", script, str(path)]
    processes = [
        subprocess.Popen([*command, str(n), str(each), str(start)], stdout=subprocess.PIPE, text=True)
        for n in range(WRITERS)
    ]
    ends = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError("a writer failed")
    return WRITERS * each / (max(map(float, ends)) - start)


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
        statistics.median(warm) * 1e3, "ms", slow, 100, "≤ 100 ms", form="{:.0f} ms",
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
    from labeling import fingerprint
    from labeling.ledger import Ledger

    path = settings.scratch / "million.db"
    copies: list[bytes] = []
    entries: list[Entry] = []
    with Ledger.open(path) as ledger:
        for number in range(known):
            picture = list(_pictures.KINDS.values())[number % 3](640, 480, seed=5000 + number)
            out = io.BytesIO()
            picture.resize((320, 240)).save(out, "JPEG", quality=50)
            copies.append(out.getvalue())
            entries.append(_entry(f"known-{number}", fingerprint.fingerprint(picture)))
        for number, print_ in enumerate(_crops(count - known, seed=1)):
            entries.append(_entry(f"other-{number}", print_))
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
    """Yield the fingerprints of ``count`` pictures: parts of many sizes, cut from pictures of three kinds."""
    import numpy as np

    from labeling import fingerprint

    rng = np.random.default_rng(seed)
    made = 0
    kinds = list(_pictures.KINDS.values())
    while made < count:
        kind = kinds[int(rng.integers(len(kinds)))]
        source = np.asarray(kind(640, 640, seed=int(rng.integers(1 << 40))))
        for _ in range(min(3000, count - made)):
            print_ = fingerprint.fingerprint(_part(source, rng), detail=0)
            assert print_ is not None
            made += 1
            yield print_


def _part(source: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    side = int(rng.integers(96, 512))
    top, left = (int(value) for value in rng.integers(0, 640 - side, 2))
    step = max(1, side // 96)
    return source[top : top + side : step, left : left + side : step]
