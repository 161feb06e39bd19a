"""What the journal of a run keeps of every file, and what becomes of a journal that an earlier version has written."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import Labeler, LabelingError
from labeling.batch import run
from labeling.batch.generations import options_of_run
from labeling.batch.job import Purpose

from .batching import STATE, results, tree, whole
from .test_bad_input import PRODUCER

LABELER = Labeler(producer=PRODUCER, visible=False)

VERSION_1 = """
CREATE TABLE item (
  key BLOB PRIMARY KEY, status TEXT, begun INTEGER NOT NULL, ours INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL,
  stamp TEXT NOT NULL, own TEXT NOT NULL, checksum TEXT NOT NULL DEFAULT '', crashes INTEGER NOT NULL DEFAULT 0,
  session INTEGER NOT NULL, at INTEGER, length INTEGER
) WITHOUT ROWID;
INSERT INTO item SELECT key, status, begun, ours, size, stamp, own, '', crashes, session, at, length FROM now;
CREATE TABLE output (name BLOB PRIMARY KEY, owner BLOB NOT NULL, free INTEGER NOT NULL) WITHOUT ROWID;
DROP TABLE now; DROP TABLE root; DROP TABLE generation;
UPDATE meta SET value='1' WHERE key='version';
"""

label = partial(run, labeler=LABELER, engine="inline")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(state: Path) -> dict[str, dict[str, Any]]:
    """What the journal has of each file, as any program reads it."""
    db = sqlite3.connect(state / "journal.sqlite")
    db.row_factory = sqlite3.Row
    found = {bytes(row["key"]).decode(): dict(row) for row in db.execute("SELECT * FROM item")}
    db.close()
    return found


def as_of_version_1(state: Path, source: Path) -> None:
    """Give journal and results the form that version 1 wrote: without what only version 2 knows."""
    (state / "run.json").unlink()
    _, described = options_of_run(Purpose(make_labeler=lambda: LABELER))
    options = {"mode": "label", "source": str(source), "in place": False} | described
    db = sqlite3.connect(state / "journal.sqlite")
    lines, at = [], 0
    for line in map(json.loads, (state / "results.jsonl").read_bytes().splitlines()):
        for name in ("stamp", "source_sha256", "list"):
            line.pop(name, None)
        lines.append(json.dumps(line).encode() + b"\n")
        with db:
            db.execute("UPDATE item SET at=?, length=? WHERE key=?", (at, len(lines[-1]), line["path"].encode()))
        at += len(lines[-1])
    with db:
        db.execute("UPDATE meta SET value=? WHERE key='valid'", (at,))
        db.execute("DELETE FROM meta WHERE key NOT IN ('version', 'run', 'session', 'valid')")
        db.execute("INSERT INTO meta VALUES ('options', ?)", (json.dumps(options),))
    db.executescript(f"DROP TABLE output; ALTER TABLE item RENAME TO now; DROP INDEX item_by_source; {VERSION_1}")
    db.close()
    (state / "results.jsonl").write_bytes(b"".join(lines))


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path, list[str]]:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 3, size=(60, 50))
    label(folder, target)
    return folder, target, paths


def test_every_result_has_both_digests(labelled: tuple[Path, Path, list[str]]) -> None:
    folder, target, paths = labelled
    (folder / "notes.txt").write_text("no picture")
    label(folder, target)
    journal, lines = rows(target / STATE), results(target)
    for path in [*paths, "notes.txt"]:
        assert lines[path]["source_sha256"] == digest(folder / path) == journal[path]["source_sha256"].hex()
    for path in paths:
        assert journal[path]["output_sha256"].hex() == digest(target / path)
        assert journal[path]["output_size"] == (target / path).stat().st_size
        assert journal[path]["content_id"] == lines[path]["content_id"]
        assert (journal[path]["output"], journal[path]["generation"]) == (None, 1)
    assert journal["notes.txt"]["output_sha256"] is None


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_what_has_the_same_content_is_never_labelled_again(in_place: bool, checksum: bool, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 3, size=(60, 50))
    again = partial(label, folder, in_place=True) if in_place else partial(label, folder, target)
    place = folder if in_place else target
    again()  # without `checksum`
    first, before = results(place), {path: digest(place / path) for path in paths}
    os.utime(folder / paths[0], ns=(1, 1))
    for _ in range(2):
        again(checksum=checksum)
        assert results(place) == first
        assert {path: digest(place / path) for path in paths} == before
    original = results(place)[paths[1]]["source_sha256"]
    Image.new("RGB", (61, 50), "teal").save(folder / paths[1])
    again(checksum=checksum)
    whole(place, paths)
    assert results(place)[paths[1]]["content_id"] != first[paths[1]]["content_id"]
    assert results(place)[paths[1]]["source_sha256"] != original


@pytest.mark.parametrize("in_place", [False, True])
def test_a_source_that_comes_back_keeps_its_content_id(in_place: bool, tmp_path: Path) -> None:
    """In place: the file as it was before it was labelled, from a backup, gets the label that it had."""
    folder, target = tmp_path / "in", tmp_path / "out"
    [path] = tree(folder, 1, size=(60, 50))
    original = (folder / path).read_bytes()
    again = partial(label, folder, in_place=True) if in_place else partial(label, folder, target)
    again()
    place = folder if in_place else target
    first = results(place)[path]["content_id"]
    if not in_place:
        (folder / path).write_bytes(b"broken")
        again()
        assert results(place)[path]["status"] == "unsupported"
    (folder / path).write_bytes(original)
    again()
    whole(place, [path])
    assert results(place)[path]["content_id"] == first


@pytest.mark.parametrize("checksum", [False, True])
def test_a_journal_of_version_1_is_taken_over(checksum: bool, labelled: tuple[Path, Path, list[str]]) -> None:
    folder, target, paths = labelled
    before = results(target)
    as_of_version_1(target / STATE, folder)
    done = label(folder, target, checksum=checksum)
    assert (done.summary["resumed"], done.summary["session"]) == (3, {})  # with it, they are read, their digests kept
    whole(target, paths)
    after, journal = results(target), rows(target / STATE)
    for path in paths:
        assert after[path]["content_id"] == before[path]["content_id"]
        assert journal[path]["output_sha256"].hex() == digest(target / path)
        assert (journal[path]["source_sha256"] or b"").hex() == (digest(folder / path) if checksum else "")
    os.utime(folder / paths[0], ns=(1, 1))
    label(folder, target)
    assert (results(target)[paths[0]]["content_id"] == before[paths[0]]["content_id"]) is checksum


def test_a_journal_of_the_future_is_refused(labelled: tuple[Path, Path, list[str]]) -> None:
    folder, target, _ = labelled
    db = sqlite3.connect(target / STATE / "journal.sqlite")
    with db:
        db.execute("UPDATE meta SET value='3' WHERE key='version'")
    db.close()
    with pytest.raises(LabelingError, match="another version of aigc-labeling"):
        label(folder, target)


def test_what_cannot_be_opened_is_not_taken_for_a_damaged_journal(tmp_path: Path) -> None:
    tree(tmp_path / "in", 2)
    state = tmp_path / "out" / STATE
    (state / "journal.sqlite").mkdir(parents=True)
    with pytest.raises(LabelingError, match="journal cannot be used"):
        run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline")
    assert [path.name for path in state.iterdir() if path.is_dir()] == ["journal.sqlite"]
