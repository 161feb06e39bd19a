"""Batch runs over sources that are empty or have vanished: an unmounted disk is no archive that is done."""

from __future__ import annotations

import io
import json
import shutil
from functools import partial
from pathlib import Path

import fsspec
import pytest

from labeling import Labeler
from labeling.batch import run
from labeling.batch.job import Check
from labeling.batch.task import EmptySource

from .batching import STATE, batch, results, tree
from .s3 import Server, go, small_png
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER, visible=False)


def label(source: Path, target: Path, **more: object) -> dict[str, object]:
    return run(source, target, labeler=LABELER, engine="inline", **more).summary  # type: ignore[arg-type]


def test_a_source_whose_disk_is_not_mounted_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 4)
    label(folder, target)
    counting = ("journal.sqlite", "run.json")  # sessions
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file() and path.name not in counting}
    shutil.rmtree(folder)
    (folder / "lost+found").mkdir(parents=True)
    refused(
        batch(folder, target, "--no-visible"), 3, "no file in it", "earlier runs found 4", "mounted", "--allow-empty"
    )
    assert {path: path.read_bytes() for path in before} == before
    assert label(folder, target, allow_empty=True)["exit_code"] == 0
    assert sorted(results(target)) == paths  # what is known of them stays


@pytest.mark.parametrize("content", ["nothing", "state", "target", "links"])
def test_what_is_no_file_of_the_source_does_not_count(content: str, tmp_path: Path) -> None:
    folder, target, state = tmp_path / "in", tmp_path / "out", tmp_path / "state"
    folder.mkdir()
    if content == "state":
        state = folder / "state"
    elif content == "target":
        target = folder / "out"
        tree(target, 3)
    elif content == "links":
        (folder / "a.png").symlink_to("/nowhere/a.png")
        (folder / ".aigc-1-0123456789ab.tmp").touch()
    for _ in range(2):
        with pytest.raises(EmptySource, match=r"mounted.*`allow_empty=True`"):
            label(folder, target, state=state)
    assert label(folder, target, state=state, allow_empty=True)["exit_code"] == 0


def test_globs_and_lists_that_match_nothing(tmp_path: Path) -> None:
    folder, target, listed = tmp_path / "in", tmp_path / "out", tmp_path / "list"
    tree(folder, 2)
    refused(batch(folder, target, "--include", "*.tiff"), 3, "no file matches --include and --exclude", "--allow-empty")
    check = partial(run, folder, tmp_path / "report", verify=Check(visible=False), engine="inline")
    with pytest.raises(EmptySource, match="no file matches `include` and `exclude`"):
        check(exclude=["*"])
    for lines, message in (("", "the list names no file"), ("a/0000.jpg\n", "no file in the list matches")):
        with pytest.raises(EmptySource, match=message):
            check(file_list=io.StringIO(lines), exclude=["a/*"])
    listed.write_text("a/none.png\na/neither.png\n")
    with pytest.raises(EmptySource, match=r"none of the files that the list names is there.*mounted"):
        label(folder, target, file_list=listed)
    assert {line["status"] for line in results(target).values()} == {"failed"}
    assert check(include=["*.tiff"], allow_empty=True).exit_code == 0


def test_another_archive_in_its_place_is_an_error_once_and_what_remains_is_none(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 4)
    label(folder, target)
    (folder / paths[0]).unlink()
    assert label(folder, target)["exit_code"] == 0
    shutil.rmtree(folder)
    tree(tmp_path / "other", 2, size=(200, 150))
    (tmp_path / "other").rename(folder)
    for path in list(folder.rglob("*.*")):
        path.rename(path.with_name(f"new-{path.name}"))
    with pytest.raises(EmptySource, match="none of the 3 files that earlier runs found is there any more"):
        label(folder, target)
    found = results(target)
    assert len(found) == 6
    assert {line["status"] for line in found.values()} == {"labelled"}
    assert json.loads((target / STATE / "summary.json").read_text())["total"] == 5  # one was known to be gone
    assert label(folder, target)["exit_code"] == 0


def test_a_shard_without_files_is_no_empty_source(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 1)
    for number in (1, 2, 1, 2):
        assert label(folder, target, shard=f"{number}/2")["exit_code"] == 0
    (folder / paths[0]).rename(folder / "elsewhere.jpg")
    for number in (1, 2):
        assert label(folder, target, shard=f"{number}/2")["exit_code"] == 0
    (folder / "elsewhere.jpg").unlink()
    for number in (1, 2):
        with pytest.raises(EmptySource, match="no file in it"):
            label(folder, target, shard=f"{number}/2")


def test_a_prefix_without_objects(store: Server, tmp_path: Path) -> None:
    source = store.bucket({"in/a.png": small_png()})
    target = tmp_path / "out"
    assert go(f"s3://{source}/in", target).exit_code == 0
    store.client.delete_object(Bucket=source, Key="in/a.png")
    with pytest.raises(EmptySource, match="earlier runs found 1; check the bucket and the prefix; `allow_empty=True`"):
        go(f"s3://{source}/in", target)
    assert go(f"s3://{source}/in", target, allow_empty=True).exit_code == 0
    for number, url in enumerate((f"s3://{source}/im", f"s3://{store.bucket()}")):
        with pytest.raises(EmptySource, match="check the bucket and the prefix"):
            go(url, tmp_path / f"verified-{number}", verify=Check(visible=False), labeler=None)
        assert go(url, tmp_path / f"labelled-{number}", allow_empty=True).summary["total"] == 0
    with pytest.raises(EmptySource, match="no such place"):
        go("memory://nothing-there", "memory://out")
    assert not fsspec.filesystem("memory").exists("/nothing-there")
