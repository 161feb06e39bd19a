"""The parts of a batch run one by one: journal, listing ahead, workers that a machine carries, progress in words."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import labeling
from labeling import LabelingError
from labeling.batch import Progress, resources, run_lock
from labeling.batch.journal import Journal
from labeling.batch.listing import CHUNK_SIZE, MAX_CHUNKS_AHEAD, BackgroundListing
from labeling.batch.plan import PlanOptions
from labeling.batch.task import Item, Outcome, Problem, Status, problem_outcome, result_line
from labeling.cli._batch_progress import progress, progress_text


def item(name: str, size: int = 1, stamp: str = "1") -> Item:
    return Item(name, size, stamp)


def done(one: Item, status: Status = Status.LABELLED, note: str = "") -> Outcome:
    line = result_line(one.path, status, attempts=1, seconds=0.1, note=note)
    return Outcome(one.path, status, line, one.size, one.stamp)


def plan(journal: Journal, *items: Item, retry_failed: bool = False) -> list[str]:
    planned = journal.plan(items, PlanOptions(retry_failed=retry_failed))
    return [task.item.path for task in planned.tasks]


def notes(journal: Journal) -> dict[str, str]:
    found = [json.loads(line) for line in journal.lines()]
    assert len({line["path"] for line in found}) == len(found)
    return {line["path"]: line.get("note", "") for line in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    journal = Journal(tmp_path)
    items = [item(name) for name in "abcde"]
    assert plan(journal, *items) == list("abcde")
    journal.finish([done(items[0]), done(items[1], Status.FAILED)])
    journal.finish([done(items[2])])
    journal.close()
    return tmp_path


def test_what_is_done_stays_done_and_what_was_begun_is_done_again(folder: Path) -> None:
    journal = Journal(folder)
    assert sorted(journal.unfinished()) == ["d", "e"]
    assert plan(journal, *(item(name) for name in "abcdef")) == ["d", "e", "f"]
    assert plan(journal, item("b"), retry_failed=True) == ["b"]
    assert plan(journal, item("a", stamp="2"), item("c", size=2)) == ["a", "c"]
    journal.close()


def test_replaced_results_are_dropped(folder: Path) -> None:
    journal = Journal(folder)
    plan(journal, item("b"), item("a", stamp="2"), retry_failed=True)
    journal.finish([done(item("b"), note="second"), done(item("a", stamp="2"), note="second")])
    assert len(list(journal.lines())) == 5
    journal.compact()
    assert notes(journal) == {"a": "second", "b": "second", "c": ""}
    plan(journal, item("f"))
    journal.finish([done(item("f"), note="after")])
    journal.close()
    journal = Journal(folder)
    assert notes(journal)["f"] == "after"
    assert plan(journal, *(item(name) for name in "bcf"), item("a", stamp="2")) == []
    journal.close()


@pytest.mark.parametrize("moment", ["before the commit", "after the commit", "after the renaming"])
def test_a_kill_while_results_are_rewritten(folder: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kill is a process that ends on the spot where the files are as that moment leaves them."""
    where = {
        "before the commit": "Journal._set = lambda *_: os._exit(7)",
        "after the commit": "Journal._adopt_compacted_results = lambda *_: os._exit(7)",
        "after the renaming": "old = Path.replace\nPath.replace = lambda *a: (old(*a), os._exit(7))",
    }[moment]
    program = f"""
import os
from pathlib import Path
from labeling.batch.journal import Journal
from tests.test_batch_parts import done, item, plan
from labeling.batch.task import Status
journal = Journal(Path({str(folder)!r}))
plan(journal, item("b"), retry_failed=True)
journal.finish([done(item("b"), note="second")])
{where}
journal.compact()
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent.parent, check=False)
    assert ended.returncode == 7
    journal = Journal(folder)
    assert plan(journal, *(item(name) for name in "abc")) == []
    journal.compact()
    assert notes(journal) == {"a": "", "b": "second", "c": ""}
    journal.close()


def test_a_journal_of_another_version_and_one_in_use(folder: Path) -> None:
    journal = Journal(folder)
    with pytest.raises(LabelingError, match="another run is at work"):
        Journal(folder)
    journal.close()
    db = sqlite3.connect(folder / "journal.sqlite")
    with db:
        db.execute("UPDATE meta SET value='99' WHERE key='version'")
    db.close()
    with pytest.raises(LabelingError, match="another version"):
        Journal(folder)


def test_a_file_named_twice_is_done_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    planned = journal.plan([item("a"), item("a")], PlanOptions(named_once=True))
    assert ([task.item.path for task in planned.tasks], [each.path for each in planned.repeated]) == (["a"], ["a"])
    again = journal.plan([item("a")], PlanOptions(named_once=True))
    assert (again.tasks, [each.path for each in again.repeated]) == ([], ["a"])
    journal.close()


def test_a_copy_of_the_journal_is_one(folder: Path, tmp_path: Path) -> None:
    journal = Journal(folder)
    other = tmp_path / "elsewhere"
    other.mkdir()
    journal.copy(other / "journal.sqlite")
    shutil.copy(folder / "results.jsonl", other)
    journal.close()
    copied = Journal(other)
    assert plan(copied, *(item(name) for name in "abc")) == []
    copied.close()


def test_the_listing_stays_a_bounded_way_ahead() -> None:
    listed = 0

    def endless() -> Iterator[Item]:
        nonlocal listed
        while True:
            listed += 1
            yield item(str(listed))

    ahead = BackgroundListing(endless())
    time.sleep(0.3)
    assert 0 < listed <= CHUNK_SIZE * (MAX_CHUNKS_AHEAD + 1)
    assert len(ahead.take(5)) == CHUNK_SIZE
    ahead.stop()


def test_what_a_listing_raises_is_raised_to_who_takes_it() -> None:
    def broken() -> Iterator[Item]:
        yield item("a")
        raise LabelingError("the end of the world")

    ahead = BackgroundListing(broken(), chunk_size=1)
    assert [each.path for each in ahead.take(5)] == ["a"]
    with pytest.raises(LabelingError, match="end of the world"):
        ahead.take(5)
    assert ahead.done


def test_workers_are_as_many_as_processors_and_memory_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= resources.default_workers(uses_ocr=True) <= resources.processors()
    free = resources.available_memory()
    total = next(int(x.split()[1]) << 10 for x in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in x)
    assert 0 < free <= total
    monkeypatch.setattr(resources, "processors", lambda: 64)
    monkeypatch.setattr(resources, "available_memory", lambda: 4 << 30)
    assert (resources.default_workers(uses_ocr=False), resources.default_workers(uses_ocr=True)) == (6, 3)
    monkeypatch.setattr(resources, "available_memory", lambda: 0)
    assert resources.default_workers(uses_ocr=True) == 1


def test_progress_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    state = Progress(done=500, size=250_000_000, before=1000, before_size=500_000_000, errors=3, seconds=50.0)
    assert progress_text(state) == "1,500 files  10.0 files/s, 5.0 MB/s  3 errors"
    state.total, state.total_size = 10_000, 5_000_000_000
    assert progress_text(state) == "1,500 of 10,000 files  10.0 files/s, 5.0 MB/s  3 errors  14:10 left"
    state.limit = 600
    words = "1,500 of 10,000 files  500 of at most 600 now  10.0 files/s, 5.0 MB/s  3 errors"
    assert progress_text(state) == words  # which files are left is not known
    assert progress_text(Progress(done=1, errors=1)) == "1 file  1 error"
    state.stopping = True
    assert progress_text(state).endswith("stopping after the files in flight")
    with progress(quiet=True) as report:
        assert report is None
    with progress(quiet=False) as report:  # pytest's standard error is no terminal
        assert report is not None
        report(Progress(done=1, seconds=1.0))
        report(state)
    assert capsys.readouterr().err == f"aigc-label: {progress_text(state)}\n"


def test_a_run_waits_for_the_workers_of_a_killed_one(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from labeling.batch import run_lock
with run_lock.acquire_shared(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(1)
    Path(sys.argv[1], "about to end").touch()
"""
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE) as orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()
        with run_lock.acquire_exclusive(tmp_path):
            assert (tmp_path / "about to end").exists()
            with run_lock.acquire_shared(tmp_path):  # its own workers are let in
                pass


def test_lines_are_json_whatever_the_name() -> None:
    for path in ("a.png", 'ü\n".png', "\udcff\udcfe.png", "\u2028.png"):
        problem = Problem(Status.FAILED, "UnreadableFile", f"{path} is broken")
        line = problem_outcome(item(path), problem).line
        assert line.count(b"\n") == 1
        assert json.loads(line)["path"] == path
        assert json.loads(line.decode("utf-8"))["error"]["message"] == f"{path} is broken"


def test_the_verb_is_there_after_import_labeling() -> None:
    program = "import labeling, sys; assert 'sqlalchemy' not in sys.modules; print(labeling.batch.run, labeling.ledger)"
    assert b"function run" in subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert labeling.batch.Check().profile == ("cn",)
