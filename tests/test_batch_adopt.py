"""A run that ends between ledger and journal: the next one takes what is finished, and nothing that has changed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import Labeler
from labeling.batch import run
from labeling.ledger import Ledger
from labeling.reports.batch_words import remarks

from .batching import STATE, results, tree, whole
from .test_bad_input import PRODUCER

LABELER = Labeler(producer=PRODUCER)
PLAIN = Labeler(producer=PRODUCER, visible=False)

FATAL = """
import os, sys
from labeling import Labeler
from labeling.batch import run, session
from labeling.batch.journal import Journal
from labeling.ledger import Ledger
source, target, book = sys.argv[1:]
session.FLUSH_INTERVAL = 1e9  # all files in one go, however slow the machine
Journal.finish = lambda *_: os._exit(7)
where = {"in_place": True} if target == "in place" else {"target": target}
with Ledger.open(book) as ledger:
    run(source, labeler=Labeler(producer=%r), engine="inline", ledger=ledger, **where)
"""


@pytest.fixture
def ended(tmp_path: Path) -> tuple[Path, Path, Path, list[str]]:
    """Source, target and ledger of a run that told the ledger of all files, and its journal of none."""
    source, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(source, 5)
    fatal(source, target, book)
    return source, target, book, paths


def fatal(source: Path, target: Path | str, book: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FATAL % PRODUCER, source, target, book], check=False)
    assert done.returncode == 7


def records(book: Path) -> list[str]:
    with Ledger.open(book) as ledger:
        assert ledger.verify().intact
        return [record.sha256 for record in ledger.export()]


def test_what_the_ledger_knows_is_taken_as_it_is(ended: tuple[Path, Path, Path, list[str]]) -> None:
    source, target, book, paths = ended
    before = {path: (target / path).read_bytes() for path in paths}
    assert len(records(book)) == len(paths)
    with Ledger.open(book) as ledger:
        run(source, target, labeler=LABELER, engine="inline", ledger=ledger)
    whole(target, paths, book)
    assert {path: (target / path).read_bytes() for path in paths} == before
    for line in results(target).values():
        assert line["how"] == ["found finished after an interruption"]
        assert line["verdicts"]["cn"]["verdict"] == "compliant"


def test_an_output_that_is_not_the_recorded_one_is_made_again(ended: tuple[Path, Path, Path, list[str]]) -> None:
    source, target, book, paths = ended
    (target / paths[0]).write_bytes((target / paths[1]).read_bytes())  # labelled by us, but another file
    (target / paths[1]).unlink()
    with Ledger.open(book) as ledger:
        run(source, target, labeler=LABELER, engine="inline", ledger=ledger)
    whole(target, paths)
    assert len(records(book)) == len(paths) + 2
    assert {line["sha256"] for line in results(target).values()} <= set(records(book))


def test_a_source_that_has_changed_meanwhile_is_labelled(ended: tuple[Path, Path, Path, list[str]]) -> None:
    source, target, book, paths = ended
    Image.new("RGB", (300, 200), "teal").save(source / paths[0])
    with Ledger.open(book) as ledger:
        run(source, target, labeler=LABELER, engine="inline", ledger=ledger)
    whole(target, paths)
    with Image.open(target / paths[0]) as image:
        assert image.size == (300, 200)
    assert len(records(book)) == len(paths) + 1


@pytest.mark.parametrize("killed", [False, True])
def test_a_source_that_changes_later_is_labelled_again(killed: bool, tmp_path: Path) -> None:
    """The ledger has a record of its first version: that says nothing of the second."""
    source, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(source, 3)
    with Ledger.open(book) as ledger:
        run(source, target, labeler=LABELER, engine="inline", ledger=ledger)
    Image.new("RGB", (300, 200), "teal").save(source / paths[0])
    if killed:
        fatal(source, target, book)
        second = hashlib.sha256((target / paths[0]).read_bytes()).hexdigest()
    with Ledger.open(book) as ledger:
        run(source, target, labeler=LABELER, engine="inline", ledger=ledger)
    whole(target, paths)
    with Image.open(target / paths[0]) as image:
        assert image.size == (300, 200)
    assert len(records(book)) == 4
    if killed:
        assert results(target)[paths[0]]["sha256"] == second


def test_in_place_as_well(tmp_path: Path) -> None:
    source, book = tmp_path / "in", tmp_path / "ledger.db"
    paths = tree(source, 4)
    fatal(source, "in place", book)
    with Ledger.open(book) as ledger:
        run(source, labeler=LABELER, engine="inline", ledger=ledger, in_place=True)
    whole(source, paths, book)
    assert {line["how"][0] for line in results(source).values()} == {"found finished after an interruption"}
    assert run(source, labeler=LABELER, engine="inline", in_place=True).summary["resumed"] == 4


def test_what_is_not_ours_is_never_replaced_unasked(tmp_path: Path) -> None:
    """Not by --retry-failed, not after an interruption, not because the source or the list has changed."""
    source, target = tmp_path / "in", tmp_path / "out"
    paths = tree(source, 4)
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(b"precious")
    fatal(source, target, tmp_path / "ledger.db")  # begun, and killed
    for retry_failed in (False, True):
        run(source, target, labeler=LABELER, engine="inline", retry_failed=retry_failed)
        Image.new("RGB", (300, 200), "teal").save(source / paths[0])
        assert {line["error"]["kind"] for line in results(target).values()} == {"Taken"}
        assert {(target / path).read_bytes() for path in paths} == {b"precious"}
    run(source, target, labeler=LABELER, engine="inline", overwrite=True)
    whole(target, paths)


def test_a_second_kill_in_place_makes_no_second_record(tmp_path: Path) -> None:
    source, book = tmp_path / "in", tmp_path / "ledger.db"
    paths = tree(source, 4)
    fatal(source, "in place", book)
    before = FATAL.replace("Journal.finish =", "from labeling.batch.session import Session\nSession._dispatch =")
    done = subprocess.run([sys.executable, "-c", before % PRODUCER, source, "in place", book], check=False)
    assert done.returncode == 7  # planned, and killed before anything was handed out
    with Ledger.open(book) as ledger:
        run(source, labeler=LABELER, engine="inline", ledger=ledger, in_place=True)
    whole(source, paths, book)


def test_a_list_that_says_otherwise_is_followed_once(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    path = tree(source, 1)[0]
    for content_id, resumed in (("a", 0), ("b", 0), ("b", 1), ("a", 0), ("a", 1)):
        listing = io.StringIO(json.dumps({"path": path, "content_id": content_id}))
        done = run(source, target, labeler=LABELER, engine="inline", file_list=listing)
        assert done.summary["resumed"] == resumed
        assert results(target)[path]["content_id"] == content_id
        assert content_id.encode() in (target / path).read_bytes()


def lose(place: Path) -> None:
    """As with a container: the folder of the run is gone, its outputs and the ledger are there."""
    shutil.rmtree(place / STATE)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("touched", [False, True])
def test_without_any_state_the_ledger_knows_what_is_ours(touched: bool, in_place: bool, tmp_path: Path) -> None:
    source, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(source, 4, size=(60, 50))
    where: dict[str, Any] = {"in_place": True} if in_place else {"target": target}
    place = source if in_place else target
    with Ledger.open(book) as ledger:
        run(source, labeler=PLAIN, engine="inline", ledger=ledger, **where)
        before, first = {path: (place / path).read_bytes() for path in paths}, results(place)
        lose(place)
        if touched:  # another date: what the record's key says does not fit any more, but the content does
            for path in paths:
                os.utime(source / path, ns=(1, 1))
        (place / "a" / "stranger.jpg").write_bytes(b"precious")
        Image.new("RGB", (200, 200), "teal").save(source / "a" / "new.jpg")
        done = run(source, labeler=PLAIN, engine="inline", ledger=ledger, exclude=["stranger.jpg"], **where)
    assert done.summary["found"] == len(paths)
    assert any(f"{len(paths)} outputs of an earlier run" in said for said, _ in remarks(done.summary))
    assert {path: (place / path).read_bytes() for path in paths} == before
    assert (place / "a" / "stranger.jpg").read_bytes() == b"precious"
    (place / "a" / "stranger.jpg").unlink()
    whole(place, [*paths, "a/new.jpg"], book)
    for path in paths:
        line = results(place)[path]
        assert (line["how"], line["content_id"]) == (["found finished; the ledger has it"], first[path]["content_id"])
        assert line["source_sha256"] == first[path]["source_sha256"]
    again = run(source, labeler=PLAIN, engine="inline", exclude=["stranger.jpg"], **where)
    assert (again.summary["resumed"], again.summary["found"]) == (5, 0)


def test_without_any_state_a_source_that_has_changed_replaces_nothing(tmp_path: Path) -> None:
    source, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(source, 3, size=(60, 50))
    with Ledger.open(book) as ledger:
        run(source, target, labeler=PLAIN, engine="inline", ledger=ledger)
        before = {path: (target / path).read_bytes() for path in paths}
        lose(target)
        Image.new("RGB", (300, 200), "teal").save(source / paths[0])
        (target / paths[1]).write_bytes(before[paths[2]])  # ours, but of another file
        run(source, target, labeler=PLAIN, engine="inline", ledger=ledger)
        found = results(target)
        assert [found[path]["status"] for path in paths] == ["refused", "refused", "labelled"]
        assert "made from another content" in found[paths[0]]["error"]["message"]
        assert "not by this run" in found[paths[1]]["error"]["message"]
        assert (target / paths[0]).read_bytes() == before[paths[0]]
        run(source, target, labeler=PLAIN, engine="inline", ledger=ledger, overwrite=True)
    whole(target, paths)


def test_without_state_a_kill_before_the_answer_labels_nothing_twice(tmp_path: Path) -> None:
    source, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(source, 4, size=(60, 50))
    with Ledger.open(book) as ledger:
        run(source, target, labeler=PLAIN, engine="inline", ledger=ledger)
    numbers = {path: line["content_id"] for path, line in results(target).items()}
    lose(target)
    unanswered = FATAL.replace("Journal.finish =", "from labeling.batch.adoption import Questions\nQuestions.ask =")
    done = subprocess.run([sys.executable, "-c", unanswered % PRODUCER, source, target, book], check=False)
    assert done.returncode == 7
    with Ledger.open(book) as ledger:
        run(source, target, labeler=PLAIN, engine="inline", ledger=ledger)
    whole(target, paths, book)
    assert {path: line["content_id"] for path, line in results(target).items()} == numbers


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("visible", [False, True])
def test_what_neither_journal_nor_ledger_knows_is_ours_if_labelling_gives_it(
    visible: bool, recorded: bool, tmp_path: Path
) -> None:
    """What a worker had finished, and nobody had written down, when everything but the outputs was lost."""
    source, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(source, 3, size=(260, 200))
    made = Labeler(producer=PRODUCER, visible=visible)
    run(source, target, labeler=made, engine="inline")
    before = {path: (target / path).read_bytes() for path in paths}
    numbers = {path: line["content_id"] for path, line in results(target).items()}
    lose(target)
    newer = Labeler(producer=PRODUCER, visible=visible, generator="model", generator_version="2")
    Image.effect_noise((260, 200), 60).convert("RGB").save(source / paths[2])
    for labeler, how in ((made, ["labelled", "labelled", "refused"]), (newer, ["labelled", "labelled", "refused"])):
        with Ledger.open(book) if recorded else nullcontext() as ledger:
            run(source, target, labeler=labeler, engine="inline", ledger=ledger)
        found = results(target)
        assert [found[path]["status"] for path in paths] == how
        assert {path: (target / path).read_bytes() for path in paths} == before
        for path in paths[:2]:
            assert found[path]["how"] == ["found finished, by a run of which nothing else is left"]
            assert found[path]["content_id"] == numbers[path]
            assert found[path].get("generation", 1) == (1 if labeler is made else 0)
        if recorded:
            assert sorted(records(book)) == sorted(hashlib.sha256(before[path]).hexdigest() for path in paths[:2])
            book.unlink()
        lose(target)
    other = Labeler(producer=PRODUCER + "2", visible=visible)
    assert run(source, target, labeler=other, engine="inline").summary["statuses"]["refused"] == 3
    assert {path: (target / path).read_bytes() for path in paths} == before
