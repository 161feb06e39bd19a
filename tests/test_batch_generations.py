"""Runs whose options, source or state have changed between two calls: what is done stays done, and keeps its number."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from labeling import Labeler, LabelingError, VideoOptions
from labeling.batch import Check, run
from labeling.batch.generations import NEUTRAL, options_of_run
from labeling.batch.job import Purpose
from labeling.batch.journal import Journal

from .batching import STATE, lines, results, statuses, tree, whole
from .test_bad_input import PRODUCER

PLAIN = Labeler(producer=PRODUCER, visible=False)
NEWER = Labeler(producer=PRODUCER, visible=False, generator="model", generator_version="2")

label = partial(run, engine="inline")


@pytest.fixture
def done(tmp_path: Path) -> tuple[Path, Path, list[str]]:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 3, size=(60, 50))
    label(folder, target, labeler=PLAIN)
    return folder, target, paths


def numbers(target: Path) -> dict[str, str]:
    return {path: line.get("content_id", "") for path, line in results(target).items()}


def digests(target: Path, paths: list[str]) -> dict[str, str]:
    return {path: hashlib.sha256((target / path).read_bytes()).hexdigest() for path in paths}


def history(target: Path) -> list[str]:
    file = target / STATE / "history.jsonl"
    return [json.loads(line)["path"] for line in file.read_text().splitlines()] if file.exists() else []


def test_new_files_get_new_options_and_old_ones_keep_theirs(done: tuple[Path, Path, list[str]]) -> None:
    folder, target, paths = done
    first = results(target)
    Image.new("RGB", (60, 40), "teal").save(folder / "new.png")
    second = label(folder, target, labeler=NEWER)
    assert (second.summary["resumed"], second.exit_code) == (3, 0)
    assert second.summary["earlier_options"] == {"files": 3, "options": ["generator", "generator_version"]}
    assert "earlier options (generator, generator_version)" in second.page.read_text("utf-8")
    found = results(target)
    assert {path: found[path] for path in paths} == first
    assert (found["new.png"]["generation"], "generation" in first[paths[0]]) == (2, False)
    back = label(folder, target, labeler=PLAIN)  # the first generation again
    assert back.summary["earlier_options"] == {"files": 1, "options": ["generator", "generator_version"]}
    Image.new("RGB", (60, 40), "red").save(folder / "newer.png")
    label(folder, target, labeler=PLAIN)
    assert "generation" not in results(target)["newer.png"]


def test_restart_labels_all_again_under_the_same_numbers(done: tuple[Path, Path, list[str]]) -> None:
    folder, target, paths = done
    before, outputs = numbers(target), digests(target, paths)
    again = label(folder, target, labeler=NEWER, restart=True)
    assert "earlier_options" not in again.summary
    whole(target, paths)
    assert numbers(target) == before
    assert all(digest != outputs[path] for path, digest in digests(target, paths).items())
    assert sorted(history(target)) == sorted(paths)
    assert label(folder, target, labeler=NEWER).summary["resumed"] == 3
    (folder / "notes.txt").write_text("no picture")
    (target / "stranger.png").write_bytes(b"precious")
    Image.new("RGB", (60, 40)).save(folder / "stranger.png")
    for _ in range(2):
        label(folder, target, labeler=NEWER, restart=True)
        assert statuses(target) == {"labelled": 3, "unsupported": 1, "refused": 1}
        assert (target / "stranger.png").read_bytes() == b"precious"
        assert numbers(target).items() >= before.items()
    assert label(folder, target, labeler=NEWER).summary["resumed"] == 5  # what failed is not tried at every start


def test_a_restart_that_was_interrupted_goes_on_without_the_flag(done: tuple[Path, Path, list[str]]) -> None:
    folder, target, paths = done
    before = numbers(target)
    label(folder, target, labeler=NEWER, restart=True, limit=1)
    rest = label(folder, target, labeler=NEWER)
    assert (rest.summary["resumed"], "earlier_options" in rest.summary) == (1, False)
    whole(target, paths)
    assert numbers(target) == before
    assert {line["generation"] for line in lines(target)} == {2}


def test_options_that_change_no_label_begin_no_generation(done: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    folder, target, paths = done
    moved = folder.rename(tmp_path / "elsewhere")
    values: dict[str, object] = {"keep_times": True, "max_pixels": 4_000_000, "strict": True}
    assert set(values) == NEUTRAL
    other = Labeler(producer=PRODUCER, visible=False, video=None, quality=None, **values)  # type: ignore[arg-type]
    second = label(moved, target, labeler=other, language="zh", timeout=60, state=target / STATE, workers=1)
    assert (second.summary["resumed"], "earlier_options" in second.summary) == (3, False)
    whole(target, paths)
    assert lines(target)[0].get("generation") is None


def test_only_what_is_no_default_is_described() -> None:
    """So that an option that a version adds, at its default, is no change; nor one that is inside of another."""
    described, _ = options_of_run(Purpose(make_labeler=lambda: PLAIN))
    assert described == {"producer": PRODUCER, "visible": False}
    longer = Labeler(producer=PRODUCER, video=VideoOptions(seconds=4))
    assert options_of_run(Purpose(make_labeler=lambda: longer))[0]["video"] == {"seconds": 4}


def test_another_archive_with_the_same_names_replaces_nothing(
    done: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    folder, target, paths = done
    before, outputs = results(target), digests(target, paths)
    other = Path(shutil.copytree(folder, tmp_path / "other"))  # the dates are others, too
    for path in paths[:2]:
        Image.new("RGB", (61, 40), "teal").save(other / path)
    for retry_failed in (False, False, True):
        second = label(other, target, labeler=PLAIN, retry_failed=retry_failed)
        assert statuses(target) == {"labelled": 1, "refused": 2}
        assert second.exit_code == 2
        assert digests(target, paths) == outputs
    error = results(target)[paths[0]]["error"]
    assert error["kind"] == "Taken"
    assert str(folder) in error["message"] and "has other content" in error["message"]
    assert results(target)[paths[2]] == before[paths[2]]
    label(folder, target, labeler=PLAIN)  # the right one again
    whole(target, paths)
    assert numbers(target) == {path: line["content_id"] for path, line in before.items()}
    assert digests(target, paths) == outputs
    label(other, target, labeler=PLAIN, overwrite=True)
    whole(target, paths)
    kept = [path for path, number in numbers(target).items() if number == before[path]["content_id"]]
    assert kept == paths[2:]


@pytest.mark.parametrize("with_identity", [True, False])
def test_a_journal_that_is_lost_is_made_again_from_the_results(
    with_identity: bool, done: tuple[Path, Path, list[str]]
) -> None:
    folder, target, _ = done
    state = target / STATE
    Image.new("RGB", (60, 40), "teal").save(folder / "new.png")
    label(folder, target, labeler=NEWER)
    before, run_id = results(target), _meta(state, "run")
    (state / "journal.sqlite").unlink()
    if not with_identity:
        (state / "run.json").unlink()
    with (state / "results.jsonl").open("ab") as file:
        file.write(b'{"path":"torn')
    second = label(folder, target, labeler=NEWER)
    assert second.summary["resumed"] == 4
    assert results(target) == before
    assert ("earlier_options" in second.summary) is with_identity
    assert (_meta(state, "run") == run_id) is with_identity
    label(folder, target, labeler=NEWER, restart=True)
    assert numbers(target) == {path: line["content_id"] for path, line in before.items()}


def test_in_place_a_lost_journal_labels_nothing_twice(tmp_path: Path) -> None:
    paths = tree(tmp_path, 3, size=(60, 50))
    label(tmp_path, labeler=PLAIN, in_place=True)
    before = digests(tmp_path, paths)
    (tmp_path / STATE / "journal.sqlite").unlink()
    label(tmp_path, labeler=PLAIN, in_place=True)
    assert digests(tmp_path, paths) == before
    whole(tmp_path, paths)


def _meta(state: Path, key: str) -> str:
    db = sqlite3.connect(state / "journal.sqlite")
    [value] = db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
    db.close()
    return str(value)


def test_results_of_version_1_are_believed_for_sources_that_are_older(done: tuple[Path, Path, list[str]]) -> None:
    folder, target, paths = done
    state = target / STATE
    old = [{k: v for k, v in line.items() if k not in ("stamp", "source_sha256")} for line in lines(target)]
    (state / "journal.sqlite").unlink()
    (state / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    Image.new("RGB", (60, 50), "teal").save(folder / paths[0])
    label(folder, target, labeler=PLAIN)
    whole(target, paths)
    kept = {line["path"]: line["content_id"] for line in old}
    assert {path for path, number in numbers(target).items() if number == kept[path]} == set(paths[1:])


def test_what_a_run_is_does_not_change(done: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    folder, target, paths = done
    before = results(target)
    for restart in (False, True):
        with pytest.raises(LabelingError, match=r"other options \(mode: \w+, not \w+\)"):
            label(folder, target, verify=Check(visible=False), restart=restart)
    assert results(target) == before
    report = tmp_path / "report"
    for profile, resumed in (("cn", 0), ("cn", 3), ("eu", 0), ("eu", 3)):  # a report is of one kind
        second = label(target, report, verify=Check((profile,), visible=False), include=["*.jpg", "*.png", "*.webp"])
        assert second.summary["resumed"] == resumed
        assert {next(iter(line["verdicts"])) for line in lines(report)} == {profile}
    assert len(history(report)) == len(paths)


def test_the_options_of_version_1_are_taken_over(done: tuple[Path, Path, list[str]]) -> None:
    folder, target, _ = done
    _, legacy = options_of_run(Purpose(make_labeler=lambda: PLAIN))
    old = {"mode": "label", "source": str(folder), "in place": False} | legacy
    old.pop("sidecar")  # an option that was added since
    db = sqlite3.connect(target / STATE / "journal.sqlite")
    with db:
        db.execute("INSERT INTO meta VALUES ('options', ?)", (json.dumps(old),))
        db.execute("DELETE FROM meta WHERE key IN ('fixed', 'generation')")
        db.execute("DELETE FROM generation")
    db.close()
    assert "earlier_options" not in label(folder, target, labeler=PLAIN).summary
    changed = label(folder, target, labeler=NEWER)
    assert changed.summary["earlier_options"] == {"files": 3, "options": ["generator", "generator_version"]}


def test_lines_that_are_replaced_are_in_the_history_once(tmp_path: Path) -> None:
    """However often it is killed while the results are rewritten."""
    folder, target = tmp_path / "in", tmp_path / "out"
    [path] = tree(folder, 1, size=(60, 50))
    label(folder, target, labeler=PLAIN)
    old = (target / STATE / "results.jsonl").read_bytes()
    for width in (61, 62):
        Image.new("RGB", (width, 40), "teal").save(folder / path)
        with (target / STATE / "history.jsonl").open("ab") as file:
            file.write(b'{"path":"not committed"}\n' if width == 62 else b"")
        label(folder, target, labeler=PLAIN)
        old += (target / STATE / "results.jsonl").read_bytes()
    assert (target / STATE / "history.jsonl").read_bytes() + (target / STATE / "results.jsonl").read_bytes() == old
    journal = Journal(target / STATE)
    journal.compact()
    journal.close()
    assert history(target) == [path, path]
