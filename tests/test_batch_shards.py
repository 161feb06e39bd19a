"""Runs that divide a source: shards by the hash of the path, a limit for each session, and a rate."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from labeling import Labeler, LabelingError, batch
from labeling.batch.conversion import Conversion
from labeling.batch.pace import TokenBucket, files_per_second
from labeling.batch.selection import Shard
from labeling.ledger import Ledger

from .batching import STATE, results, start, tree
from .batching import batch as command
from .pictures import rgb
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER, visible=False)
COUNT = 24


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("source")
    paths = tree(folder, COUNT, size=(64, 48))
    odd = os.fsdecode(b"a/not utf-8 \xff.png")  # its bytes count, whatever they mean
    shutil.copy(folder / paths[0], folder / odd)
    return folder, sorted([*paths, odd])


def shard_by_the_documented_hash(path: str, count: int) -> int:
    digest = hashlib.sha256(os.fsencode(path)).digest()
    return int.from_bytes(digest[:8], "big") % count + 1


def test_the_hash_is_fixed_forever() -> None:
    """A release that divided files in another way would label some twice and others never."""
    assert [path for path in map(str, range(40)) if Shard(3, 16).takes(path)] == ["11"]
    for path in ("a", "pictures/照片.png", os.fsdecode(b"\xff\xfe"), "x" * 1000):
        for count in (1, 2, 16, 1000):
            mine = [n for n in range(1, count + 1) if Shard(n, count).takes(path)]
            assert mine == [shard_by_the_documented_hash(path, count)]


def test_the_hash_spreads_files_evenly() -> None:
    counts = Counter(shard_by_the_documented_hash(f"2026/{n // 100:04}/IMG_{n:06}.jpg", 16) for n in range(16_000))
    assert len(counts) == 16
    assert all(850 < number < 1150 for number in counts.values())


@pytest.mark.parametrize("text", ["", "3", "0/16", "17/16", "3/0", "-1/4", "3 / 16", "1/1000000", "３/16", None])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(LabelingError, match="`shard` must be"):
        Shard.parse(text)


def test_shards_that_run_at_once_label_every_file_once(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, paths = source
    target = tmp_path / "out"
    arguments = (folder, target, "--no-visible", "--workers", "1", "-q", "--producer", PRODUCER)
    runs = [
        start(*arguments, "--shard", f"{number}/2", "--ledger", tmp_path / f"{number}.db") for number in (1, 2)
    ]  # fmt: skip
    for run in runs:
        _, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
    seen: Counter[str] = Counter()
    for number in (1, 2):
        state = target / STATE / f"shard-{number}-of-2"
        lines = [json.loads(line) for line in (state / "results.jsonl").read_text("utf-8").splitlines()]
        assert {shard_by_the_documented_hash(line["path"], 2) for line in lines} == {number}
        assert json.loads((state / "summary.json").read_text("utf-8"))["shard"] == f"{number}/2"
        for line in lines:
            assert hashlib.sha256((target / line["path"]).read_bytes()).hexdigest() == line["sha256"]
        with Ledger.open(tmp_path / f"{number}.db") as book:
            assert book.verify().intact
            assert sorted(r.sha256 for r in book.export()) == sorted(line["sha256"] for line in lines)
        seen.update(line["path"] for line in lines)
    assert sorted(seen) == paths
    assert set(seen.values()) == {1}
    made = [os.path.relpath(each, target) for each in target.rglob("*") if each.is_file() and STATE not in each.parts]
    assert sorted(made) == paths
    assert sorted(each.name for each in (target / STATE).iterdir()) == [f"shard-{n}-of-2" for n in (1, 2)]


def test_a_shard_may_be_empty_and_keeps_to_its_folder(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    path = tree(folder, 1, size=(64, 48))[0]
    empty = next(n for n in range(1, 9) if not Shard(n, 8).takes(path))
    done = batch.run(folder, target, labeler=LABELER, engine="inline", shard=f"{empty}/8")
    assert (done.exit_code, done.summary["total"]) == (0, 0)
    assert done.folder == target / STATE / f"shard-{empty}-of-8"
    with pytest.raises(LabelingError, match=r"other options \(shard"):
        other = empty % 8 + 1
        batch.run(folder, target, labeler=LABELER, engine="inline", shard=f"{other}/8", state=done.folder)


def test_two_sources_with_one_output_meet_in_one_shard(tmp_path: Path) -> None:
    """Otherwise neither shard would notice that it replaces the other's picture, or is refused because of it."""
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    rgb(64, 48).save(folder / "e.png")
    assert shard_by_the_documented_hash("e.png", 4) != shard_by_the_documented_hash("e.gif", 4)
    rgb(64, 48).save(folder / "e.gif")
    found: dict[int, list[str]] = {}
    for number in (1, 2, 3, 4):
        how = Conversion(format="webp")
        done = batch.run(folder, target, convert=how, engine="inline", shard=f"{number}/4")
        found[number] = [json.loads(line)["status"] for line in done.results.read_text("utf-8").splitlines()]
    assert sorted(map(sorted, found.values())) == [[], [], [], ["converted", "refused"]]
    assert sorted(found[shard_by_the_documented_hash("e.webp", 4)]) == ["converted", "refused"]


def test_a_limit_takes_the_next_files_each_time(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, paths = source
    target = tmp_path / "out"
    taken = []
    for expected in (10, 10, len(paths) - 20, 0):
        done = batch.run(
            folder, target, labeler=LABELER, engine="inline", limit=10, progress=lambda state: None
        )  # fmt: skip
        assert done.exit_code == 0
        assert done.summary["throughput"]["files"] == expected
        taken.append(len(results(target)))
        limited = done.summary.get("limited")
        assert (limited is not None) == (taken[-1] < len(paths))
        if limited is not None:
            assert limited["limit"] == 10
            assert limited["left"] in (None, len(paths) - taken[-1])
        assert ("limit was reached" in done.page.read_text("utf-8")) == (limited is not None)
    assert taken == [10, 20, len(paths), len(paths)]
    db = sqlite3.connect(target / STATE / "journal.sqlite")
    assert db.execute("SELECT count(*), sum(begun) FROM item").fetchone() == (len(paths), 0)
    db.close()


def test_files_that_have_not_changed_do_not_use_up_a_limit(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 9, size=(64, 48))
    for number in (4, 8, 9):
        for path in paths:  # dates change, contents do not: a worker has to compare them
            os.utime(folder / path, (number, number))
        batch.run(folder, target, labeler=LABELER, engine="inline", limit=4, checksum=True)
        assert len(results(target)) == number


def test_the_command_says_what_a_limit_has_left(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, paths = source
    done = command(folder, tmp_path / "out", "--no-visible", "--limit", "5", "--workers", "1")
    assert done.returncode == 0
    assert f"at most {len(paths) - 5} files are left" in done.stdout or "takes the next files" in done.stdout
    refused(command(folder, tmp_path / "out", "--rate", "0/s"), 2, "--rate", "5000/h")
    refused(command(folder, tmp_path / "out", "--shard", "4/3"), 2, "--shard", "3/16")


@pytest.mark.parametrize(
    ("text", "expected"), [("20/s", 20), ("300/min", 5), ("5400/h", 1.5), (" 1.5 / s ", 1.5), (7, 7), ("86400/day", 1)]
)
def test_rates(text: str | float, expected: float) -> None:
    assert files_per_second(text) == expected


@pytest.mark.parametrize("text", ["", "20", "0/s", "-1/s", "1/week", "1e3/s", float("nan"), float("inf"), True, "٣/s"])
def test_what_is_no_rate(text: str | float) -> None:
    with pytest.raises(LabelingError, match="`rate` must be"):
        files_per_second(text)


@pytest.mark.parametrize("rate", [0.5, 3, 200])
def test_a_bucket_lets_no_more_through_than_its_rate(rate: float) -> None:
    now, given = 1000.0, 0
    bucket = TokenBucket(rate, clock=lambda: now)
    for tick in range(5000):
        now = 1000.0 + tick / 50
        while bucket.open:
            bucket.take()
            given += 1
        assert given <= max(1.0, rate) + rate * (now - 1000.0) + 1e-6
    assert given >= rate * (now - 1000.0) - 1


def test_a_run_keeps_to_its_rate(source: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, paths = source
    done = batch.run(folder, tmp_path / "out", labeler=LABELER, engine="inline", rate="20/s")
    assert done.summary["total"] == len(paths)
    assert done.summary["wall"] >= (len(paths) - 20) / 20  # 20 at once, the others one by one
