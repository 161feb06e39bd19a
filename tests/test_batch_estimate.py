"""What a run would cost: batch.estimate, and aigc-label batch --dry-run, against what runs then cost."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labeling import Labeler, LabelingError, batch
from labeling.batch.conversion import Conversion
from labeling.batch.job import Check
from labeling.batch.sampling import MAX_KINDS, MAX_PER_KIND, Sampler
from labeling.batch.task import Item, Problem, Status

from .batching import tree
from .commands import run as command
from .pictures import rgb
from .s3 import LABELER, Server, small_png
from .test_bad_input import PRODUCER, refused

COUNT = 45


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estimate")
    tree(folder, COUNT, size=(96, 64))
    (folder / "film.mts").write_bytes(b"G" * 188 * 4)
    (folder / "no extension").write_bytes(b"nothing known")
    rgb(96, 64).save(folder / "called.txt", "PNG")
    (folder / "link").symlink_to("/etc")
    return folder


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of everything in a folder."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            status = path.lstat()
            found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def estimated(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The estimate of a run whose labels are recorded. Nothing of it may be left in source or target."""
    target, before = tmp_path_factory.mktemp("target") / "out", state_of(source)
    labeler = Labeler(producer=PRODUCER, visible=False)
    found = batch.estimate(source, target, labeler=labeler, ledger=True, workers=2, sample=20)
    assert state_of(source) == before
    assert not target.exists()
    return found


def test_everything_is_counted_and_a_sample_of_each_kind_is_looked_at(estimated: dict[str, Any], source: Path) -> None:
    kinds = {row["extension"]: row for row in estimated["kinds"]}
    files = [path for path in source.rglob("*") if path.is_file() and not path.is_symlink()]
    assert Counter(path.suffix for path in files) == {name: row["files"] for name, row in kinds.items()}
    assert estimated["bytes"] == sum(path.stat().st_size for path in files)
    assert estimated["files"] == len(files) == COUNT + 3
    assert (
        estimated["sample"]["files"]
        == estimated["sample"]["planned"]
        == sum(row["sampled"] for row in kinds.values())
        == 20
    )
    assert min(row["sampled"] for row in kinds.values()) == 1
    assert [kinds[name]["claims"] for name in (".mts", "", ".txt")] == ["an MPEG transport stream", None, "Markdown"]
    assert kinds[".txt"]["media_types"] == {"image/png": 1}  # by content, whatever the name says
    assert kinds[".jpg"]["media_types"] == {"image/jpeg": kinds[".jpg"]["sampled"]}
    assert (kinds[".mts"]["good"], kinds[""]["good"], estimated["not_done"]) == (0, 0, 2)
    assert "re-mux it to MP4" in str(kinds[".mts"]["reasons"])
    assert sum(estimated["passed_over"].values()) == 1


def test_a_run_costs_what_was_estimated(estimated: dict[str, Any], source: Path, tmp_path: Path) -> None:
    from labeling.ledger import Ledger

    labeler = Labeler(producer=PRODUCER, visible=False)
    with Ledger.open(tmp_path / "l.db") as book:
        done = batch.run(source, tmp_path / "out", labeler=labeler, engine="inline", ledger=book)
        records = len(list(book.export()))
    assert done.summary["bytes"]["out"] == pytest.approx(estimated["output_bytes"], rel=0.03)
    assert done.results.stat().st_size <= estimated["state_bytes"]
    db = sqlite3.connect(done.folder / "journal.sqlite")
    pages = db.execute("SELECT count(*) FROM item").fetchone()[0]
    db.close()
    assert pages == estimated["files"] + 1  # and the link
    bad = sum(done.summary["statuses"][name] for name in ("failed", "unsupported", "refused"))
    assert bad == estimated["not_done"]
    assert estimated["ledger_bytes"] == records * 1600
    assert estimated["hours"] == pytest.approx(estimated["work_hours"] / 2, rel=0.1)
    assert estimated["bound"] == "workers"


def test_the_state_is_as_large_as_estimated(tmp_path: Path) -> None:
    """Of so many files that SQLite's pages do not matter."""
    tree(tmp_path / "in", 300, size=(16, 16))
    how: dict[str, Any] = {"verify": Check(visible=False, isolate=False)}
    found = batch.estimate(tmp_path / "in", tmp_path / "out", engine="inline", **how)
    done = batch.run(tmp_path / "in", tmp_path / "out", engine="inline", **how)
    size = sum((done.folder / name).stat().st_size for name in ("results.jsonl", "journal.sqlite"))
    assert found["state_bytes"] == pytest.approx(size, rel=0.25)
    assert (found["output_bytes"], found["ledger_bytes"], found["requests"]) == (0, 0, None)


@pytest.mark.parametrize("where", ["bucket to bucket", "from disk", "in place"])
def test_requests_are_those_that_a_store_counts(where: str, store: Server, tmp_path: Path) -> None:
    def places(number: int) -> tuple[str, str | None]:
        names = {f"{n}.png": small_png() for n in range(number)}
        local = tmp_path / str(number)
        local.mkdir()
        for name, data in names.items():
            (local / name).write_bytes(data)
        bucket = f"s3://{store.bucket(names)}"
        other: str | None = f"s3://{store.bucket()}"
        targets = {"bucket to bucket": other, "from disk": other, "in place": None}
        return str(local) if where == "from disk" else bucket, targets.get(where, str(tmp_path / f"out{number}"))

    how: dict[str, Any] = {"labeler": LABELER}
    counted = []
    for number in (1, 4):
        source, target = places(number)
        arguments: dict[str, Any] = {"in_place": where == "in place", "state": tmp_path / f"state{number}"} | how
        store.proxy.requests.clear()
        found = batch.estimate(source, target, sample=1, engine="inline", **arguments)
        assert not [each for each in store.proxy.requests if each.method not in ("GET", "HEAD")]
        store.proxy.requests.clear()
        batch.run(source, target, engine="inline", **arguments)
        counted.append(
            Counter(
                each.method
                for each in store.proxy.requests
                if ".aigc-label" not in each.path and "list-type" not in each.query
            )
        )
    per_file = {method: (counted[1][method] - counted[0][method]) / 3 for method in counted[1]}
    assert found["requests"] is not None
    assert {method: number * 4 for method, number in per_file.items() if number} == {
        method: number for method, number in found["requests"].items() if method != "LIST"
    }
    assert ("remote target" in found["notes"]) == (where in ("bucket to bucket", "from disk", "in place"))
    store.proxy.requests.clear()


def test_conversions_and_files_in_place_stay_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path / "in", 3, size=(48, 32))
    before = state_of(tmp_path / "in")
    found = batch.estimate(
        tmp_path / "in", tmp_path / "out", convert=Conversion(format="webp"), sample=1, engine="inline"
    )
    assert (found["mode"], sum(row["good"] for row in found["kinds"]), found["not_done"]) == ("convert", 1, 0)
    assert found["notes"] == ["unsampled"]
    found = batch.estimate(
        tmp_path / "in", labeler=Labeler(producer=PRODUCER, visible=False), in_place=True, rate="1/s", engine="inline"
    )
    assert (found["bound"], found["hours"]) == ("rate", pytest.approx(3 / 3600, rel=0.01))
    assert state_of(tmp_path / "in") == before


def test_what_cannot_be_estimated(tmp_path: Path) -> None:
    tree(tmp_path / "in", 1, size=(48, 32))
    how: dict[str, Any] = {"labeler": Labeler(producer=PRODUCER)}
    with pytest.raises(LabelingError, match="say either how"):
        batch.estimate(tmp_path / "in", tmp_path / "out")
    with pytest.raises(LabelingError, match="`sample` must be"):
        batch.estimate(tmp_path / "in", tmp_path / "out", sample=0, **how)
    with pytest.raises(LabelingError, match="does not open the journal"):
        batch.estimate(tmp_path / "in", tmp_path / "out", since="last", **how)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelingError, match="no file"):
        batch.estimate(tmp_path / "empty", tmp_path / "out", **how)
    assert batch.estimate(tmp_path / "empty", tmp_path / "out", allow_empty=True, **how)["files"] == 0


def test_a_sample_of_many_files_takes_bounded_memory_and_leaves_no_kind_out() -> None:
    def listed() -> Iterator[Item]:
        for number in range(60_000):
            yield Item(f"{number}.jpg", 1000, "1")
            if number % 100 == 0:
                yield Item(f"{number}.kind{number}", 10, "1")
        yield Item("large.mp4", 100 << 20, "1")
        yield Item("x/.", problem=Problem(Status.FAILED, "UnreadableFile", "the folder cannot be listed"))

    sampler = Sampler(16 << 20)
    sampler.add_all(listed())
    assert sampler.files == 60_601
    assert len(sampler.kinds) <= MAX_KINDS + 1
    assert max(len(kind.kept) for kind in sampler.kinds.values()) == MAX_PER_KIND
    assert sampler.passed_over == {"the folder cannot be listed": 1}
    chosen = sampler.chosen(150)
    assert len(chosen) == 150
    assert {kind.name for kind, _ in chosen} == set(sampler.kinds)
    assert max(Counter(kind.name for kind, _ in chosen).items(), key=lambda each: each[1])[0] == ".jpg"
    numbers = [int(item.path.partition(".")[0]) for kind, item in chosen if kind.name == ".jpg"]
    assert min(numbers) < 15_000 < 45_000 < max(numbers)  # spread over the listing


def test_the_command(source: Path, tmp_path: Path) -> None:
    arguments = (
        "batch",
        source,
        tmp_path / "out",
        "--producer",
        PRODUCER,
        "--no-visible",
        "--dry-run",
        "--sample",
        "2",
    )
    done = command(*arguments, "--workers", "3", "--ledger", tmp_path / "l.db")
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        f"{COUNT + 3} files",
        "from a sample of 2",
        ".mts  an MPEG transport stream",
        "with 3 workers",
        "Ledger",
    ):
        assert words in done.stdout
    (tmp_path / "tmp").mkdir()
    done = command(*arguments, "--summary", "json", env=os.environ | {"TMPDIR": str(tmp_path / "tmp")})
    assert json.loads(done.stdout)["sample"]["files"] == 2
    assert list(tmp_path.rglob("*")) == [tmp_path / "tmp"]
    refused(command(*arguments, "--since", "last"), 2, "does not open the journal")
