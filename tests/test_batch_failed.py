"""Runs in which files fail: how many are too many, and the list of them that the next run takes."""

from __future__ import annotations

import io
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from labeling import Labeler
from labeling.batch import Check, run
from labeling.cli._batch_summary import print_summary
from labeling.ledger import Ledger
from labeling.reports.batch_words import shown_statuses

from .batching import STATE, batch, results, statuses
from .test_bad_input import PRODUCER

LABELER = Labeler(producer=PRODUCER, visible=False)


def mixed(folder: Path, *, sound: int, broken: int) -> None:
    """Sound and broken pictures, and a text."""
    folder.mkdir()
    for number in range(sound):
        Image.new("RGB", (24, 16), (number, 0, 0)).save(folder / f"sound{number:02}.png")
    data = (folder / "sound00.png").read_bytes()
    for number in range(broken):
        (folder / f"broken{number:02}.png").write_bytes(data[: len(data) // 2])
    (folder / "note.txt").write_text("no picture")


def failed_list(target: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (target / STATE / "failed.jsonl").read_text("utf-8").splitlines()]


def test_so_many_errors_end_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    mixed(folder, sound=10, broken=12)
    for more in ((), ("-q",)):
        done = batch(folder, target, "--no-visible", "--max-errors", "3", *more)
        assert done.returncode == 3
        assert "(--max-errors 3); the same command continues from here" in done.stderr
        assert bool(more) or "interrupted" in done.stdout
    assert 6 <= statuses(target)["failed"] <= 9  # three each time, and those in flight
    sessions = 0
    while "stopped" in run(folder, target, labeler=LABELER, engine="inline", max_errors=3).summary:
        sessions += 1
    assert 1 <= sessions <= 2  # then there are not three left
    assert statuses(target) == {"labelled": 10, "failed": 12, "unsupported": 1}
    assert len(failed_list(target)) == 13


def test_kinds_that_cannot_be_labelled_are_not_counted(tmp_path: Path) -> None:
    mixed(tmp_path / "in", sound=1, broken=0)
    for number in range(5):
        (tmp_path / "in" / f"{number}.txt").write_text("no picture")
    done = run(tmp_path / "in", tmp_path / "out", labeler=LABELER, engine="inline", max_errors=1)
    assert "stopped" not in done.summary
    assert done.summary["statuses"]["unsupported"] == 6


def test_failed_files_are_a_list_that_a_run_takes(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    mixed(folder, sound=3, broken=2)
    odd = os.fsdecode(b"caf\xe9 \xff.png")
    (folder / odd).write_bytes((folder / "broken00.png").read_bytes())
    listing = tmp_path / "list.jsonl"
    names = sorted(path.name for path in folder.iterdir())
    own = {"generator": "painter"}
    listing.write_text("".join(f"{json.dumps({'path': name} | own)}\n" for name in names), "utf-8")
    done = batch(folder, target, "--no-visible", "-q", "--files", listing)
    assert done.returncode == 3
    assert done.stderr.strip().splitlines() == [
        f"aigc-label: 3 of 7 files are labelled. 4 need attention (1 unsupported, 3 failed; "
        f"see {target / STATE / 'failed.jsonl'})"
    ]
    listed = failed_list(target)
    assert {each["path"] for each in listed} == {"broken00.png", "broken01.png", "note.txt", odd}
    assert {each["status"] for each in listed} == {"failed", "unsupported"}
    assert all(each["cause"] and each["generator"] == "painter" for each in listed)
    for name in ("broken00.png", odd):
        (folder / name).write_bytes((folder / "sound00.png").read_bytes())
    again = batch(folder, target, "--no-visible", "--files", target / STATE / "failed.jsonl")
    assert f"Failed   {target / STATE / 'failed.jsonl'}" in again.stdout
    assert statuses(target) == {"labelled": 5, "failed": 1, "unsupported": 1}
    assert results(target)[odd]["status"] == "labelled"
    (folder / "broken01.png").write_bytes((folder / "sound00.png").read_bytes())
    last = batch(folder, target, "--no-visible", "-q")
    assert {each["path"] for each in failed_list(target)} == {"note.txt"}
    assert "(1 unsupported; see" in last.stderr
    (folder / "note.txt").unlink()
    assert run(folder, target, labeler=LABELER, engine="inline").exit_code == 0
    assert failed_list(target) == []


def test_without_failures_a_quiet_run_says_nothing(tmp_path: Path) -> None:
    mixed(tmp_path / "in", sound=2, broken=0)
    done = batch(tmp_path / "in", tmp_path / "out", "--no-visible", "-q", "--exclude", "*.txt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert failed_list(tmp_path / "out") == []


def test_a_quiet_verification_says_how_many_do_not_comply(tmp_path: Path) -> None:
    mixed(tmp_path / "in", sound=2, broken=0)
    (tmp_path / "in/empty.png").touch()  # of the three, the list of failed files has this one alone
    done = batch(tmp_path / "in", tmp_path / "out", "--verify", "--no-visible", "-q", "--include", "*.png")
    assert done.returncode == 1
    results = tmp_path / "out/.aigc-label/results.jsonl"
    assert f"0 of 3 files comply. 3 need attention (most often CN-IMPLICIT-MISSING; see {results})" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_verification_says_by_colour_and_by_cause_what_does_not_comply(tmp_path: Path) -> None:
    mixed(tmp_path / "in", sound=3, broken=1)
    check = Check(visible=False)
    done = run(tmp_path / "in", tmp_path / "out", verify=check, engine="inline", include=["*.png"])
    shown = shown_statuses(done.summary)
    assert {name: number for name, number in shown.items() if number} == {"inconclusive": 1, "noncompliant": 3}
    assert "verified" not in shown
    assert {(row["status"], row["kind"], row["count"]) for row in done.summary["causes"]} == {
        ("noncompliant", "CN-IMPLICIT-MISSING", 3), ("inconclusive", "FILE-DAMAGED", 1),
    }  # fmt: skip
    page = done.page.read_text("utf-8")
    outcome = page[page.index("statuses") :]
    assert "fill noncompliant" in outcome
    assert "fill verified" not in page
    out = io.StringIO()
    print_summary(done.summary, Console(file=out, width=120, force_terminal=True, color_system="standard"))
    bars = {line for line in out.getvalue().splitlines() if "━" in line or "╸" in line}
    assert len(bars) == 2
    assert any("\x1b[31m━" in line for line in bars)  # red
    assert not any("\x1b[32m" in line for line in bars)  # and nothing green
    assert "broken00.png" in out.getvalue().partition("Causes")[2].partition("Rules")[0]


@pytest.mark.parametrize("listed", [False, True])
def test_a_ledger_that_comes_later_is_said_to_lack_what_was_done(listed: bool, tmp_path: Path) -> None:
    folder, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    mixed(folder, sound=3, broken=0)
    listing = tmp_path / "list"
    listing.write_text("sound00.png\nsound01.png\nsound02.png\n")
    files: dict[str, Any] = {"file_list": listing} if listed else {"include": ["*.png"]}
    label = partial(run, folder, target, labeler=LABELER, engine="inline", **files)
    assert "unrecorded" not in label().summary
    with Ledger.open(book) as ledger:
        assert not list(ledger.export())
        if not listed:
            assert label(ledger=ledger).summary["unrecorded"] == 3
    if listed:
        said = batch(folder, target, "--no-visible", "--files", listing, "--ledger", book).stdout
        assert "3 files were labelled by runs without a ledger, and are not in it; --restart processes" in said
    ids = {line["content_id"] for line in results(target).values()}
    with Ledger.open(book) as ledger:
        assert "unrecorded" not in label(ledger=ledger, restart=True).summary
        assert {record.content_id for record in ledger.export()} == ids
