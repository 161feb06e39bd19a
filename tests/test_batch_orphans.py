"""Batch runs and the outputs whose sources are gone: they are listed, and only removed if that is asked for."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import Labeler, LabelingError
from labeling.batch import Conversion, Finished, run
from labeling.batch.job import Check
from labeling.ledger import Ledger

from .batching import STATE, batch, results
from .s3 import Server, go
from .s3 import results as results_of
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER, visible=False)


def label(source: Path, target: Path, **more: Any) -> Finished:
    return run(source, target, labeler=LABELER, engine="inline", **more)


def pictures(folder: Path, *names: str) -> list[str]:
    """Write pictures of which no two have the same content."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (number, 0, len(name))).save(folder / name)
    return list(names)


def listed(target: Path) -> dict[str, str]:
    lines = (target / STATE / "orphans.jsonl").read_text().splitlines()
    return {line["output"]: line["became"] for line in map(json.loads, lines)}


def there(target: Path) -> set[str]:
    files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith(STATE)}


def test_orphans_are_listed_first_and_removed_only_if_they_are_what_was_written(tmp_path: Path) -> None:
    folder, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = pictures(folder, "a/0.png", "a/1.png", "b/deep/2.png", "b/deep/3.png", "c/4.png", "5.png")
    with Ledger.open(book) as ledger:
        label(folder, target, ledger=ledger)
        records = len(list(ledger.export()))
    before = results(target)
    shutil.rmtree(folder / "b")
    for path in (paths[0], paths[5]):
        (folder / path).unlink()
    (folder / "a/1.png").rename(folder / "a/renamed.png")
    (target / "5.png").write_bytes(b"somebody has edited it")
    (target / "b/foreign.txt").write_text("not ours")
    orphans = {"a/0.png", "b/deep/2.png", "b/deep/3.png", "5.png"}
    said = batch(folder, target, "--no-visible", "--prune-orphans", "list", "--workers", "1")
    assert said.returncode == 0, said.stderr
    assert "4 outputs have no source any more" in said.stdout
    assert "--prune-orphans remove removes them: 5.png, a/0.png, b/deep/2.png" in said.stdout
    assert listed(target) == dict.fromkeys(orphans, "listed")
    assert there(target) == {*paths, "a/renamed.png", "b/foreign.txt"} - {"a/1.png"}
    with Ledger.open(book) as ledger:
        done = label(folder, target, ledger=ledger, prune_orphans="remove")
        assert ledger.verify().intact
        assert len(list(ledger.export())) == records  # the law asks that they are kept
    assert done.summary["orphans"]["became"] == {"removed": 3, "changed": 1}
    assert listed(target) == dict.fromkeys(orphans, "removed") | {"5.png": "changed"}
    assert there(target) == {"a/renamed.png", "b/foreign.txt", "c/4.png", "5.png"}
    assert not (target / "b/deep").exists()
    found = results(target)
    assert {path for path, line in found.items() if "pruned" in line} == orphans - {"5.png"}
    assert {path: found[path]["content_id"] for path in orphans} == {p: before[p]["content_id"] for p in orphans}
    again = label(folder, target, prune_orphans="remove").summary
    assert again["orphans"]["became"] == {"changed": 1}
    assert (again["total"], again["vanished"]) == (2, 4)


def test_a_source_that_returns_is_labelled_again_with_its_content_id(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = pictures(folder, "0.png", "1.png")
    label(folder, target)
    before = results(target)
    (folder / paths[0]).rename(tmp_path / "away.png")
    label(folder, target, prune_orphans="remove")
    assert there(target) == {"1.png"}
    (tmp_path / "away.png").rename(folder / paths[0])
    for lost in (False, True):
        if lost:  # the journal, which is made again from the results
            (folder / paths[0]).rename(tmp_path / "away.png")
            label(folder, target, prune_orphans="remove")
            (tmp_path / "away.png").rename(folder / paths[0])
            (target / STATE / "journal.sqlite").unlink()
        label(folder, target)
        assert there(target) == {"0.png", "1.png"}
        line = results(target)[paths[0]]
        assert line["content_id"] == before[paths[0]]["content_id"]
        assert "pruned" not in line


def test_what_a_run_cannot_tell_it_does_not_remove(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = pictures(folder, "disk/0.png", "disk/1.png", "2.png", "3.png", "linked/4.png")
    label(folder, target)
    shutil.rmtree(folder / "disk")
    (folder / "disk").mkdir()  # as if it were not mounted
    (folder / "linked").rename(tmp_path / "elsewhere")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "3.png").rename(folder / "renamed.png")
    (target / "renamed.png").write_bytes(b"somebody else's")
    done = label(folder, target, prune_orphans="remove")
    assert done.summary["orphans"]["became"] == {"empty folder": 2}
    assert there(target) == {*paths, "renamed.png"}  # 3.png waits until its new name is free
    (folder / "disk").rmdir()
    (target / "renamed.png").unlink()
    done = label(folder, target, prune_orphans="remove", retry_failed=True)
    assert done.summary["orphans"]["became"] == {"removed": 2}
    assert there(target) == {"2.png", "renamed.png", "linked/4.png"}


@pytest.mark.parametrize("name", ["include", "exclude", "limit", "shard", "since", "file_list", "single"])
def test_a_run_over_a_part_of_its_source_is_refused(name: str, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    pictures(folder, "0.png", "1.png")
    label(folder, target)
    (folder / "1.png").unlink()
    (tmp_path / "list").write_text("0.png\n")
    given = {"include": ["*"], "exclude": ["x"], "limit": 5, "shard": "1/1", "since": "last"}
    more: dict[str, Any] = {name: given[name]} if name in given else {}
    if name == "file_list":
        more = {name: tmp_path / "list"}
    with pytest.raises(LabelingError, match="sees a part of its source"):
        label(folder / "0.png" if name == "single" else folder, target, prune_orphans="remove", **more)
    assert there(target) == {"0.png", "1.png"}


def test_nothing_is_removed_for_an_empty_source_or_a_folder_that_is_closed(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = pictures(folder, "a/0.png", "b/1.png", "c/2.png")
    label(folder, target)
    (folder / paths[2]).unlink()
    if os.geteuid():
        (folder / "b").chmod(0)
        try:
            assert label(folder, target, prune_orphans="remove").summary["orphans"] == {"skipped": True}
        finally:
            (folder / "b").chmod(0o700)
    shutil.rmtree(folder)
    folder.mkdir()
    refused(batch(folder, target, "--no-visible", "--prune-orphans", "remove"), 3, "no file in it")
    done = label(folder, target, prune_orphans="remove", allow_empty=True)
    assert done.summary["orphans"] == {"skipped": True}
    assert there(target) == set(paths)
    with pytest.raises(LabelingError, match="in place"):
        run(folder, labeler=LABELER, in_place=True, prune_orphans="list")
    with pytest.raises(LabelingError, match="a verification has no outputs"):
        run(folder, target, verify=Check(visible=False), prune_orphans="list")
    with pytest.raises(LabelingError, match=r"^`prune_orphans` must be one of list, remove"):
        label(folder, target, prune_orphans="all")


def test_another_archive_in_one_target_keeps_its_outputs(tmp_path: Path) -> None:
    target = tmp_path / "out"
    pictures(tmp_path / "one", "a/0.png", "a/1.png")
    pictures(tmp_path / "two", "b/20.png", "b/21.png")
    label(tmp_path / "one", target)
    with pytest.raises(LabelingError, match="none of the 2 files that earlier runs found"):
        label(tmp_path / "two", target)
    done = label(tmp_path / "two", target, prune_orphans="remove")
    assert done.summary["orphans"]["found"] == 0
    assert len(there(target)) == 4


def test_orphans_of_conversions_and_of_objects(store: Server, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    pictures(folder, "0.png", "1.png")
    how = Conversion(format="webp", quality=80)
    run(folder, target, convert=how, engine="inline")
    (folder / "0.png").unlink()
    run(folder, target, convert=how, engine="inline", prune_orphans="remove")
    assert there(target) == {"1.webp"}
    source, bucket = store.bucket(), store.bucket()
    for number in range(3):
        name = pictures(tmp_path / "more", *(f"{each}.png" for each in range(number + 1)))[-1]
        store.client.upload_file(str(tmp_path / "more" / name), source, name)
    first = results_of(go(f"s3://{source}", f"s3://{bucket}/out"))
    store.client.delete_object(Bucket=source, Key="0.png")
    store.client.delete_object(Bucket=source, Key="1.png")
    store.client.put_object(Bucket=bucket, Key="out/1.png", Body=b"x" * first["1.png"]["output_size"])
    done = go(f"s3://{source}", f"s3://{bucket}/out", prune_orphans="remove")
    assert done.summary["orphans"]["became"] == {"removed": 1, "changed": 1}
    assert {key for key in store.keys(bucket) if key.endswith(".png")} == {"out/1.png", "out/2.png"}
