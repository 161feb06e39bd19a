"""Batch runs whose outputs were deleted, truncated or replaced since: ``--check-outputs`` makes them again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import Labeler, LabelingError
from labeling.batch import Conversion, Finished, run
from labeling.batch.job import Check
from labeling.ledger import Ledger

from .batching import STATE, batch, exiftool, results, tree, whole
from .s3 import Server, go, small_png
from .s3 import results as results_of
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER, visible=False)


def label(source: Path, target: Path, **more: Any) -> Finished:
    how: dict[str, Any] = {"labeler": LABELER, "engine": "inline"} | more
    return run(source, target, **how)


def spoil(target: Path, paths: list[str]) -> dict[str, str]:
    """Delete an output, cut one short, and put a link, a folder and another picture in place of others."""
    (target / paths[0]).unlink()
    os.truncate(target / paths[1], 100)
    (target / paths[2]).unlink()
    (target / paths[2]).symlink_to(target / paths[5])
    Image.new("RGB", (64, 64), "red").save(target / paths[3], "PNG")
    shutil.rmtree(target / paths[4].split("/")[0] / "deep", ignore_errors=True)
    gone = {path: "missing" for path in paths if not (target / path).is_file() or (target / path).is_symlink()}
    return gone | {paths[1]: "size", paths[3]: "size"}


def remade(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {path: line["remade"] for path, line in found.items() if "remade" in line}


def test_outputs_that_are_gone_or_cut_short_are_made_again_with_their_content_ids(tmp_path: Path) -> None:
    folder, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(folder, 10)
    with Ledger.open(book) as ledger:
        label(folder, target, ledger=ledger)
        before = results(target)
        spoilt = spoil(target, paths)
        intact = {path: (target / path).stat().st_mtime_ns for path in paths if path not in spoilt}
        assert label(folder, target, ledger=ledger).summary["resumed"] == 10  # without the option, nobody looks
        done = label(folder, target, ledger=ledger, check_outputs="size")
        after = results(target)
        whole(target, paths)
        assert remade(after) == spoilt
        assert done.summary["resumed"] == 10 - len(spoilt)
        assert {row["why"]: row["count"] for row in done.summary["remade"]} == {"missing": len(spoilt) - 2, "size": 2}
        assert {path: line["content_id"] for path, line in after.items()} == {
            path: line["content_id"] for path, line in before.items()
        }
        assert {path: (target / path).stat().st_mtime_ns for path in intact} == intact
        assert ledger.verify().intact
        for line in after.values():
            assert line["sha256"] in {record.sha256 for record in ledger.show(line["content_id"])}
        assert sum(1 for record in ledger.export() if record.kind == "label") == 10 + len(spoilt)
        assert not label(folder, target, ledger=ledger, check_outputs="size").summary["remade"]
    for path in spoilt:
        assert exiftool(target / path, "-MIMEType")["MIMEType"].startswith("image/")


def test_contents_are_compared_if_asked(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 4)
    label(folder, target)
    before = results(target)
    rotten = target / paths[2]
    data, status = bytearray(rotten.read_bytes()), rotten.stat()
    data[len(data) // 2] ^= 1
    rotten.write_bytes(data)
    os.utime(rotten, ns=(status.st_atime_ns, status.st_mtime_ns))
    (target / paths[0]).unlink()
    by_size = batch("--check-outputs", folder, target, "--no-visible")  # SRC is not the option's value
    assert by_size.returncode == 0, by_size.stderr
    assert f"1 output was gone or no longer as it was written, and was made again with its content id: {paths[0]}" in (
        by_size.stdout
    )
    assert rotten.read_bytes() == data
    assert label(folder, target, check_outputs="sha256", workers=2, engine="local").exit_code == 0
    whole(target, paths)
    after = results(target)
    assert remade(after) == {paths[0]: "missing", paths[2]: "content"}
    assert [after[path]["content_id"] for path in paths] == [before[path]["content_id"] for path in paths]
    assert {path for path in paths if after[path] != before[path]} == {paths[0], paths[2]}
    summary = json.loads((target / STATE / "summary.json").read_text())
    assert summary["remade"] == [{"why": "content", "count": 1, "examples": [paths[2]]}]
    refused(batch(folder, tmp_path / "report", "--verify", "--check-outputs"), 2, "--check-outputs")


def test_a_source_that_has_changed_as_well_is_new_content(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 3)
    label(folder, target)
    before = results(target)
    for path in paths:
        (target / path).unlink()
    Image.effect_noise((200, 150), 50).convert("RGB").save(folder / paths[0])
    os.utime(folder / paths[1], ns=(1, 1))
    label(folder, target, check_outputs="size")
    after = results(target)
    whole(target, paths)
    assert remade(after) == {paths[1]: "missing", paths[2]: "missing"}
    same = {path: after[path]["content_id"] == before[path]["content_id"] for path in paths}
    assert same == {paths[0]: False, paths[1]: True, paths[2]: True}


def test_converted_pictures_are_converted_again(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 3)
    how = Conversion(format="webp", resize="100")
    first: dict[str, Any] = {}
    for options, expected in ((first, 0), (first | {"check_outputs": "sha256"}, 2)):
        done = run(folder, target, convert=how, engine="inline", **options)
        found = results(target)
        assert len(remade(found)) == expected, found
        for path in paths:
            line = found[path]
            assert hashlib.sha256((target / line["output"]).read_bytes()).hexdigest() == line["sha256"]
            with Image.open(target / line["output"]) as picture:
                assert (picture.format, max(picture.size)) == ("WEBP", 100)
        (target / found[paths[0]]["output"]).unlink()
        (target / found[paths[1]]["output"]).write_bytes(b"x" * found[paths[1]]["output_size"])
    assert {row["why"] for row in done.summary["remade"]} == {"missing", "content"}


def test_in_place_the_file_itself_is_looked_at(tmp_path: Path) -> None:
    folder, originals = tmp_path / "in", tmp_path / "originals"
    paths = tree(folder, 4)
    shutil.copytree(folder, originals)
    go_on: Callable[..., Finished] = lambda **more: run(  # noqa: E731
        folder, labeler=LABELER, in_place=True, engine="inline", **more
    )
    go_on()
    before = results(folder)
    shutil.copy(originals / paths[0], folder / paths[0])
    (folder / paths[1]).unlink()
    done = go_on(check_outputs="sha256")
    after = results(folder)
    assert after[paths[0]]["content_id"] == before[paths[0]]["content_id"]
    assert after[paths[0]]["content_id"].encode() in (folder / paths[0]).read_bytes()
    assert after[paths[2]] == before[paths[2]]
    assert done.exit_code == 0


def test_objects_are_looked_at_by_a_listing(store: Server) -> None:
    png = small_png()
    names = [f"{number}.png" for number in range(8)]
    source, target = store.bucket(dict.fromkeys(names, png)), store.bucket()
    first = results_of(go(f"s3://{source}", f"s3://{target}/out"))
    store.client.delete_object(Bucket=target, Key="out/3.png")
    store.client.put_object(Bucket=target, Key="out/5.png", Body=b"short")
    store.forget()
    done = go(f"s3://{source}", f"s3://{target}/out", check_outputs="size")
    found = results_of(done)
    assert remade(found) == {"3.png": "missing", "5.png": "size"}
    assert {name: line["content_id"] for name, line in found.items()} == {n: x["content_id"] for n, x in first.items()}
    assert {request.path for request in store.asked("PUT", r"\.png$")} == {
        f"/{target}/out/{name}" for name in ("3.png", "5.png")
    }
    assert not [r for r in store.asked("HEAD", r"\.png$") if r.path[-5] not in "35"]  # the listing tells of the others
    for name, line in found.items():
        body = store.client.get_object(Bucket=target, Key=f"out/{name}")["Body"].read()
        assert hashlib.sha256(body).hexdigest() == line["sha256"]
    store.client.put_object(Bucket=target, Key="out/0.png", Body=b"x" * found["0.png"]["output_size"])
    by_content = results_of(go(f"s3://{source}", f"s3://{target}/out", check_outputs="sha256"))
    assert remade(by_content)["0.png"] == "content"
    assert by_content["0.png"]["content_id"] == first["0.png"]["content_id"]


def test_a_target_that_was_emptied_is_filled_again(store: Server, tmp_path: Path) -> None:
    source, target = store.bucket({"a.png": small_png(), "b.png": small_png()}), store.bucket()
    state, listed = tmp_path / "state", tmp_path / "list"
    listed.write_text("a.png\nb.png\n")
    first = results_of(go(f"s3://{source}", f"s3://{target}/out", state=state))
    for more in ({}, {"file_list": listed}):
        for key in store.keys(target):
            store.client.delete_object(Bucket=target, Key=key)
        done = go(f"s3://{source}", f"s3://{target}/out", state=state, check_outputs="size", **more)
        found = results_of(done)
        assert remade(found) == {"a.png": "missing", "b.png": "missing"}
        assert {n: x["content_id"] for n, x in found.items()} == {n: x["content_id"] for n, x in first.items()}
        assert {key for key in store.keys(target) if key.endswith(".png")} == {"out/a.png", "out/b.png"}


def test_verifying_has_no_outputs(tmp_path: Path) -> None:
    tree(tmp_path / "in", 1)
    with pytest.raises(LabelingError, match="`check_outputs` goes with labelling"):
        run(tmp_path / "in", tmp_path / "out", verify=Check(visible=False), check_outputs="size")
    with pytest.raises(LabelingError, match=r"^`check_outputs` must be one of size, sha256"):
        label(tmp_path / "in", tmp_path / "out", check_outputs="md5")
