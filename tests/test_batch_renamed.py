"""Batch runs over archives whose files get other names: outputs go with them, and what has vanished is not counted."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import Labeler
from labeling.batch import Conversion, Finished, merge, run
from labeling.batch.job import Check
from labeling.ledger import Ledger

from .batching import STATE, batch, results, whole
from .s3 import Server, go, proven, small_png
from .s3 import results as results_of
from .test_bad_input import PRODUCER

LABELER = Labeler(producer=PRODUCER, visible=False)


def label(source: Path, target: Path, **more: Any) -> Finished:
    return run(source, target, labeler=LABELER, engine="inline", **more)


def different(folder: Path, count: int) -> list[str]:
    """Write pictures of which no two have the same content, and some have the same size."""
    (folder / "a").mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(folder / f"a/{number}.png")
    return [f"a/{number}.png" for number in range(count)]


def ids(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {path: line["content_id"] for path, line in found.items()}


def inodes(target: Path) -> set[int]:
    return {path.stat().st_ino for path in target.rglob("*.png")}


def test_a_renamed_folder_keeps_its_outputs_and_content_ids(tmp_path: Path) -> None:
    folder, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = different(folder, 5)
    shutil.copy(folder / "a/0.png", folder / "a/twin.png")  # two files with one content move together
    with Ledger.open(book) as ledger:
        label(folder, target, ledger=ledger)
        before, files = results(target), inodes(target)
        (folder / "a").rename(folder / "b")
        (folder / "b/1.png").rename(folder / "b/one.png")
        done = label(folder, target, ledger=ledger)
        after = results(target)
        names = {f"a/{name}.png": f"b/{name}.png" for name in ("0", "2", "3", "4", "twin")} | {"a/1.png": "b/one.png"}
        whole(target, sorted(names.values()), book)
        assert {line["moved_from"]: path for path, line in after.items()} == names
        assert {names[path]: number for path, number in ids(before).items()} == ids(after)
        assert {names[path]: line["sha256"] for path, line in before.items()} == {
            p: x["sha256"] for p, x in after.items()
        }
        assert inodes(target) == files  # nothing was written
        assert not (target / "a").exists()
        assert len(list(ledger.export())) == len(paths) + 1
        shutil.copytree(target / STATE, tmp_path / "state")
        shutil.rmtree(target / STATE)
        label(folder, target, ledger=ledger)  # which has the outputs under their earlier names
        assert ids(results(target)) == ids(after)
        assert len(list(ledger.export())) == len(paths) + 1
        shutil.rmtree(target / STATE)
        (tmp_path / "state").rename(target / STATE)
    assert (done.exit_code, done.summary["total"], done.summary["vanished"]) == (0, 6, 0)
    assert done.summary["moved"]["files"] == 6
    again = batch(folder, target, "--no-visible", "--workers", "2", "--check-outputs=sha256")
    assert again.returncode == 0, again.stderr
    assert {path: line for path, line in results(target).items() if line != after[path]} == {}


def test_a_copy_is_a_file_of_its_own(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = different(folder, 3)
    label(folder, target)
    before = results(target)
    shutil.copy(folder / paths[0], folder / "copy.png")
    shutil.copy(folder / paths[1], folder / "kept.png")
    shutil.move(folder / paths[1], folder / "moved.png")
    (folder / paths[2]).rename(folder / "changed.png")
    with (folder / "changed.png").open("ab") as file:
        file.write(b"more")
    done = label(folder, target)
    after = results(target)
    assert done.summary["vanished"] == 1
    assert after["copy.png"]["content_id"] not in ids(before).values()
    assert "moved_from" not in after["copy.png"]
    got = [path for path in ("kept.png", "moved.png") if after[path].get("moved_from") == paths[1]]
    assert len(got) == 1  # one of the two is the file that was there
    assert after[got[0]]["content_id"] == before[paths[1]]["content_id"]
    assert len(set(ids(after).values())) == len(after) == 6
    assert after["changed.png"]["content_id"] not in ids(before).values()
    for path in ("copy.png", "kept.png", "moved.png", "changed.png", paths[0]):
        assert hashlib.sha256((target / path).read_bytes()).hexdigest() == after[path]["sha256"]


def test_totals_are_those_of_the_files_that_are_there(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = different(folder, 5)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert label(folder, target).exit_code == 3
    for path in ("broken.png", paths[0], paths[1]):
        (folder / path).rename(tmp_path / Path(path).name)
    said = batch(folder, target, "--no-visible", "--workers", "1")
    assert said.returncode == 0, said.stderr
    assert "All 3 files are labelled." in said.stdout
    assert (target / STATE / "failed.jsonl").read_text() == ""
    assert merge([target], tmp_path / "merged").summary["total"] == 3
    assert "3 files of earlier sessions are no longer in the source, and are not counted." in said.stdout
    assert "no longer in the source" in (target / STATE / "report.html").read_text("utf-8")
    (folder / paths[3]).rename(tmp_path / "3.png")
    assert label(folder, target, include=["a/2.png"]).summary["vanished"] == 3  # globs tell nothing of other files
    assert label(folder, target, include=["a/[23].png"]).summary["vanished"] == 4
    assert label(folder, target).summary["vanished"] == 4
    (tmp_path / "0.png").rename(folder / paths[0])
    done = label(folder, target)
    assert (done.summary["total"], done.summary["vanished"], done.summary["resumed"]) == (3, 3, 3)
    assert len(results(target)) == 6  # what is known of the others stays


def test_an_output_that_is_gone_as_well_is_made_again_with_its_content_id(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = different(folder, 3)
    label(folder, target)
    before = results(target)
    (target / paths[0]).unlink()
    (target / paths[1]).write_bytes(b"no longer ours")
    (target / "b").mkdir()
    (target / "b/2.png").write_bytes(b"precious")
    (folder / "a").rename(folder / "b")
    done = label(folder, target)
    after = results(target)
    for number in (0, 1):
        assert after[f"b/{number}.png"]["content_id"] == before[f"a/{number}.png"]["content_id"]
        assert after[f"b/{number}.png"]["moved_from"] == f"a/{number}.png"
        assert after[f"b/{number}.png"]["content_id"].encode() in (target / f"b/{number}.png").read_bytes()
    assert (after["b/2.png"]["status"], after["b/2.png"]["error"]["kind"]) == ("refused", "Taken")
    assert (target / "b/2.png").read_bytes() == b"precious"
    assert (target / paths[1]).read_bytes() == b"no longer ours"
    assert done.exit_code == 2
    (target / "b/2.png").unlink()
    label(folder, target, retry_failed=True)
    assert results(target)["b/2.png"]["moved_from"] == "a/2.png"
    assert ids(results(target))["b/2.png"] == before["a/2.png"]["content_id"]


def test_a_session_that_was_killed_after_moving_finds_what_it_has_moved(tmp_path: Path) -> None:
    folder, target, state = tmp_path / "in", tmp_path / "out", tmp_path / "state"
    different(folder, 2)
    label(folder, target, state=state)
    before = [json.loads(line) for line in (state / "results.jsonl").read_text().splitlines()]
    shutil.copytree(state, tmp_path / "as it was")
    (folder / "a").rename(folder / "b")
    label(folder, target, state=state)
    files = inodes(target)
    shutil.rmtree(state)
    (tmp_path / "as it was").rename(state)  # the outputs have moved, and the journal does not know
    label(folder, target, state=state)
    after = [json.loads(line) for line in (state / "results.jsonl").read_text().splitlines()]
    assert {line["sha256"] for line in after} == {line["sha256"] for line in before}
    assert {line["content_id"] for line in after} == {line["content_id"] for line in before}
    assert inodes(target) == files


def test_converted_pictures_and_their_names(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    different(folder, 3)
    go_on: Callable[[], Finished] = lambda: run(  # noqa: E731
        folder, target, convert=Conversion(format="webp", quality=80), engine="inline"
    )
    go_on()
    before = results(target)
    (folder / "a/0.png").rename(folder / "a/zero.png")
    (folder / "a/1.png").rename(folder / "a/1.jpg")  # the output keeps its name
    (folder / "a/2.png").unlink()
    Image.new("RGB", (50, 60), "blue").save(folder / "a/2.jpg")  # another picture, whose output has the same name
    assert go_on().exit_code == 0
    after = results(target)
    for old, new, output in (("a/0.png", "a/zero.png", "a/zero.webp"), ("a/1.png", "a/1.jpg", "a/1.webp")):
        assert after[new]["moved_from"] == old
        assert (after[new]["output"], after[new]["sha256"]) == (output, before[old]["sha256"])
        assert hashlib.sha256((target / output).read_bytes()).hexdigest() == before[old]["sha256"]
    with Image.open(target / "a/2.webp") as picture:
        assert picture.size == (50, 60)
    assert sorted(path.name for path in (target / "a").iterdir()) == ["1.webp", "2.webp", "zero.webp"]


def test_in_place_a_renamed_file_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    different(folder, 3)
    run(folder, labeler=LABELER, in_place=True, engine="inline")
    before = results(folder)
    (folder / "a").rename(folder / "b")
    files = {path.name: path.read_bytes() for path in (folder / "b").iterdir()}
    done = run(folder, labeler=LABELER, in_place=True, engine="inline")
    after = results(folder)
    assert {line["moved_from"] for line in after.values()} == set(before)
    assert sorted(ids(after).values()) == sorted(ids(before).values())
    assert {path.name: path.read_bytes() for path in (folder / "b").iterdir()} == files
    assert done.summary["total"] == 3


def test_a_manifest_beside_a_video_moves_with_it(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=1", folder / "a.mkv"], check=True
    )
    label(folder, target)
    (target / "a.mkv.c2pa").write_bytes(b"a manifest")
    (folder / "a.mkv").rename(folder / "b.mkv")
    label(folder, target)
    assert results(target)["b.mkv"]["moved_from"] == "a.mkv"
    assert sorted(path.name for path in target.iterdir() if path.is_file()) == ["b.mkv", "b.mkv.c2pa"]


def test_objects(store: Server) -> None:
    names = [f"old/{number}.png" for number in range(4)]
    source, target = store.bucket(), store.bucket()
    for number, name in enumerate(names):
        out = Path("picture.png")
        Image.new("RGB", (8, 8), (number, 0, 0)).save(out)
        store.client.put_object(Bucket=source, Key=name, Body=out.read_bytes())
    first = results_of(go(f"s3://{source}", f"s3://{target}"))
    for name in names[:3]:
        new = name.replace("old/", "new/")
        store.client.copy_object(Bucket=source, Key=new, CopySource={"Bucket": source, "Key": name})
        store.client.delete_object(Bucket=source, Key=name)
    store.client.copy_object(Bucket=source, Key="copy.png", CopySource={"Bucket": source, "Key": names[3]})
    done = go(f"s3://{source}", f"s3://{target}")
    found = results_of(done)
    assert proven(store, target, done) == {"copy.png", "new/0.png", "new/1.png", "new/2.png", "old/3.png"}
    assert {line["moved_from"] for line in found.values() if "moved_from" in line} == set(names[:3])
    assert {found[n.replace("old/", "new/")]["content_id"] for n in names[:3]} == {
        first[n]["content_id"] for n in names[:3]
    }
    assert done.summary["vanished"] == 0


def test_objects_that_may_be_written_and_not_removed(store: Server) -> None:
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    number = results_of(go(f"s3://{source}", f"s3://{target}"))["a.png"]["content_id"]
    store.client.put_object(Bucket=source, Key="b.png", Body=small_png())
    store.client.delete_object(Bucket=source, Key="a.png")
    store.spoil("403", f"^/{target}/a", "DELETE")
    found = results_of(go(f"s3://{source}", f"s3://{target}"))["b.png"]
    assert (found["status"], found["content_id"], found["moved_from"]) == ("labelled", number, "a.png")
    assert "under its earlier name as well, a.png" in found["how"][-1]
    assert store.objects(target)["a.png"] == store.objects(target)["b.png"]


@pytest.mark.parametrize("number", [1, 300])
def test_what_new_files_of_a_common_size_cost(number: int, tmp_path: Path) -> None:
    """With one twin by size, and with more than a worker is told of, new files are new, and a renamed one is found."""
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    png = small_png()
    for each in range(number):
        (folder / f"{each}.png").write_bytes(png + b"%08d" % each)
    label(folder, target)
    before = results(target)
    (folder / f"{number - 1}.png").rename(folder / "renamed.png")
    (folder / "new.png").write_bytes(png + b"somenew!")
    done = label(folder, target, allow_empty=True)
    after = results(target)
    assert after["renamed.png"]["moved_from"] == f"{number - 1}.png"
    assert after["renamed.png"]["content_id"] == before[f"{number - 1}.png"]["content_id"]
    assert after["new.png"]["content_id"] not in ids(before).values()
    assert done.summary["total"] == number + 1


def test_many_files_with_one_content_keep_their_own(tmp_path: Path) -> None:
    """As blank pages have: each of those in a folder with another name gets the output of its own name."""
    folder, target = tmp_path / "in", tmp_path / "out"
    for number in range(150):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(small_png())
    label(folder, target)
    before, files = results(target), inodes(target)
    (folder / "b").rename(folder / "c")
    shutil.copy(folder / "a/0.png", folder / "copy.png")
    done = label(folder, target)
    after = results(target)
    assert ids(after).pop("copy.png") not in ids(before).values()
    assert {path.replace("c/", "b/"): number for path, number in ids(after).items() if path != "copy.png"} == ids(
        before
    )
    assert files < inodes(target)
    assert (done.summary["moved"]["files"], done.summary["vanished"], done.summary["total"]) == (75, 0, 151)


def test_verified_files_are_verified_under_their_new_names(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    different(folder, 2)
    run(folder, target, verify=Check(visible=False), engine="inline")
    (folder / "a/0.png").rename(folder / "a/zero.png")
    done = run(folder, target, verify=Check(visible=False), engine="inline")
    assert (done.summary["total"], done.summary["vanished"], done.summary["resumed"]) == (2, 1, 1)
