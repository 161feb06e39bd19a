"""The results of several runs as those of one: batch.merge, and aigc-label batch merge."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labeling import Labeler, LabelingError, batch
from labeling.batch.conversion import Conversion

from .batching import STATE, tree
from .commands import run as command
from .pictures import rgb
from .s3 import Server
from .test_bad_input import PRODUCER

LABELER = Labeler(producer=PRODUCER, visible=False)
SHARDS = 3


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]


def kinds(merged: batch.Merged) -> list[str]:
    return [row["kind"] for row in merged.summary["warnings"]]


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """A source and a target that three shards have labelled; one file cannot be read, one has an odd name."""
    folder = tmp_path_factory.mktemp("shards")
    source, target = folder / "in", folder / "out"
    paths = tree(source, 18, size=(48, 32))
    shutil.copy(source / paths[0], source / os.fsdecode(b"b/\xff\xfe.png"))
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing else")
    for number in range(1, SHARDS + 1):
        batch.run(source, target, labeler=LABELER, engine="inline", shard=f"{number}/{SHARDS}")
    return source, target, [*paths, os.fsdecode(b"b/\xff\xfe.png"), "broken.png"]


def test_shards_become_one_report(sharded: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    source, target, paths = sharded
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    merged = batch.merge([target], tmp_path / "all")
    found = lines(merged.folder)
    assert [os.fsencode(line["path"]) for line in found] == sorted(map(os.fsencode, paths))
    own = [line for n in range(1, SHARDS + 1) for line in lines(target / STATE / f"shard-{n}-of-{SHARDS}")]
    assert sorted(found, key=str) == sorted(own, key=str)
    for line in found:
        if line["status"] == "labelled":
            assert hashlib.sha256((target / line["path"]).read_bytes()).hexdigest() == line["sha256"]
    whole = batch.run(source, tmp_path / "whole", labeler=LABELER, engine="inline").summary
    summary = merged.summary
    for key in ("total", "statuses", "media_types", "lost", "exit_code", "bytes", "mode", "profiles"):
        assert summary[key] == whole[key], key
    assert (merged.exit_code, kinds(merged)) == (3, [])
    assert [row["shard"] for row in summary["merged"]] == [f"{n}/{SHARDS}" for n in range(1, SHARDS + 1)]
    assert sum(row["files"] for row in summary["merged"]) == len(paths)
    assert json.loads((merged.folder / "summary.json").read_text("utf-8"))["total"] == len(paths)
    assert "3 runs" in (merged.folder / "report.html").read_text("utf-8")
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def test_what_is_missing_is_said(sharded: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    _, target, paths = sharded
    states = [target / STATE / f"shard-{number}-of-{SHARDS}" for number in (3, 1)]
    merged = batch.merge(states, tmp_path / "all", language="zh")
    assert kinds(merged) == ["missing"]
    assert merged.summary["warnings"][0]["message"] == "1 of 3 shards missing: 2."
    assert merged.summary["total"] < len(paths)
    assert "3 个分片中缺少 1 个：2" in merged.folder.joinpath("report.html").read_text("utf-8")
    again = batch.merge([*states, states[1], target], tmp_path / "all")  # what a merging wrote, another replaces
    assert kinds(again) == ["twice", "overlap"]
    assert again.summary["total"] == len(paths)


def test_runs_that_have_not_come_to_their_end(sharded: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    source, _, _ = sharded
    batch.run(source, tmp_path / "a", labeler=LABELER, engine="inline", limit=3)
    killed = batch.run(source, tmp_path / "b", labeler=LABELER, engine="inline").folder
    program = f"""
import os
from pathlib import Path
from labeling.batch.journal import Journal
journal = Journal(Path({str(killed)!r}))
journal._db.execute("UPDATE item SET begun=1 WHERE key=CAST('broken.png' AS BLOB)")
journal._db.commit()
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    (killed / "summary.json").chmod(0o400)
    assert (killed / "journal.sqlite-wal").stat().st_size
    merged = batch.merge([tmp_path / "a" / STATE, killed], tmp_path / "all")
    assert kinds(merged) == ["unfinished", "overlap"]
    unfinished, overlap = merged.summary["warnings"]
    assert "ended at a limit" in unfinished["examples"][0]
    assert "not finished" in unfinished["examples"][1]
    assert overlap["values"]["n"] == 3
    assert [row["unfinished"] for row in merged.summary["merged"]] == [0, 1]
    assert (killed / "journal.sqlite-wal").exists() or not (killed / "journal.sqlite-shm").exists()


def test_the_latest_result_of_a_file_counts(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    one = batch.run(source, tmp_path / "1", labeler=LABELER, engine="inline", state=tmp_path / "s1")
    rgb(48, 32).save(source / "a.png")
    two = batch.run(source, tmp_path / "2", labeler=LABELER, engine="inline", state=tmp_path / "s2")
    for order in ((one, two), (two, one)):
        merged = batch.merge([each.folder for each in order], tmp_path / "all")
        assert [line["status"] for line in lines(merged.folder)] == ["labelled"]
        assert [row["files"] for row in merged.summary["merged"]] == [int(each is two) for each in order]


def test_files_of_different_sources_stay_apart(tmp_path: Path) -> None:
    states = []
    for number, producer in enumerate((PRODUCER, PRODUCER, "001191000000MA00DEM00P10002")):
        tree(tmp_path / str(number), 2, size=(48, 32))
        labeler = Labeler(producer=producer, visible=False)
        target = tmp_path / ("one" if number < 2 else "two")
        source, state = tmp_path / str(number), tmp_path / f"s{number}"
        states.append(batch.run(source, target, labeler=labeler, engine="inline", state=state, overwrite=True).folder)
    merged = batch.merge(states, tmp_path / "all")
    assert merged.summary["total"] == 6
    assert sorted({line["source"] for line in lines(merged.folder)}) == [str(tmp_path / str(n)) for n in range(3)]
    assert kinds(merged) == ["options", "sources", "outputs"]
    assert merged.summary["warnings"][0]["values"]["names"] == "producer"
    assert merged.summary["warnings"][2]["values"]["n"] == 2  # two runs have written to one name


def test_conversions_with_one_output(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    states = []
    for name in ("a.png", "a.gif"):
        rgb(48, 32).save(source / name)
        how, state = Conversion(format="webp"), tmp_path / f"s{name}"
        states.append(batch.run(source, target, convert=how, engine="inline", state=state, include=[name]).folder)
    merged = batch.merge(states, tmp_path / "all")
    assert kinds(merged) == ["outputs"]
    assert merged.summary["warnings"][0]["examples"] == ["a.webp"]


def test_what_cannot_be_merged(sharded: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    source, target, _ = sharded
    state = target / STATE / f"shard-1-of-{SHARDS}"
    with pytest.raises(LabelingError, match=r"there is no run's folder; name a folder with journal.sqlite"):
        batch.merge([source], tmp_path / "all")
    with pytest.raises(LabelingError, match="is the folder of a run"):
        batch.merge([target], state)
    with pytest.raises(LabelingError, match="1 to 4096 runs"):
        batch.merge([], tmp_path / "all")
    with pytest.raises(LabelingError, match="sequence of folders"):
        batch.merge(str(target), tmp_path / "all")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "summary.json").write_text("{}")
    with pytest.raises(LabelingError, match=r"summary.json is there already, and not by a merging"):
        batch.merge([target], tmp_path / "mine")
    assert (tmp_path / "mine" / "summary.json").read_text() == "{}"
    assert batch.merge([target], tmp_path / "mine", overwrite=True).exit_code == 3
    broken = tmp_path / "broken"
    shutil.copytree(state, broken)
    (broken / "results.jsonl").write_text("x" * 100_000)
    with pytest.raises(LabelingError, match="do not belong together"):
        batch.merge([broken], tmp_path / "mine")
    assert len(lines(tmp_path / "mine")) > 0  # what was there stays whole
    (broken / "journal.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(LabelingError, match="the journal cannot be read"):
        batch.merge([broken], tmp_path / "mine")
    verified = batch.run(source, tmp_path / "v", verify=batch.Check(visible=False, isolate=False), engine="inline")
    with pytest.raises(LabelingError, match=r"did different things with their files \(label, verify\)"):
        batch.merge([target, verified.folder], tmp_path / "mine")
    db = sqlite3.connect(state / "journal.sqlite")
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(LabelingError, match="a run is at work here"):
            batch.merge([state], tmp_path / "mine")
    finally:
        db.close()


def test_the_command(sharded: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    _, target, paths = sharded
    done = command("batch", "merge", target, "-o", tmp_path / "all")
    assert (done.returncode, done.stderr) == (3, "")
    assert f"{len(paths) - 1} of {len(paths)} files are labelled." in done.stdout
    one = target / STATE / f"shard-2-of-{SHARDS}"
    done = command("batch", "merge", one, "-o", tmp_path / "part")
    assert "2 of 3 shards missing: 1, 3." in done.stdout

    assert "no such folder" in command("batch", "./merge", "out", cwd=tmp_path).stderr
    assert "Missing option '-o'" in command("batch", "merge", "out", cwd=tmp_path).stderr


def test_states_on_an_object_store(store: Server, tmp_path: Path) -> None:
    target = f"s3://{store.bucket()}/out"
    paths = tree(tmp_path / "in", 6, size=(24, 16))
    for number in (1, 2):
        state = tmp_path / f"s{number}"
        batch.run(tmp_path / "in", target, labeler=LABELER, engine="inline", shard=f"{number}/2", state=state)
    merged = batch.merge([target], tmp_path / "all")
    assert [line["path"] for line in lines(merged.folder)] == sorted(paths)
    assert (merged.exit_code, kinds(merged)) == (0, [])
    assert [row["state"] for row in merged.summary["merged"]] == [f"{target}/{STATE}/shard-{n}-of-2" for n in (1, 2)]
    name = next(key for key in store.keys(target.split("/")[2]) if key.endswith("shard-2-of-2/run.json"))
    body = json.loads(store.client.get_object(Bucket=target.split("/")[2], Key=name)["Body"].read())
    body["notes"]["open"] = "1"  # as a run has it that is at work, or was lost
    store.client.put_object(Bucket=target.split("/")[2], Key=name, Body=json.dumps(body).encode())
    merged = batch.merge([f"{target}/{STATE}"], tmp_path / "all")
    assert (merged.exit_code, kinds(merged)) == (3, ["unfinished"])
    assert merged.summary["warnings"][0]["examples"][0].endswith("it is at work, or its end was lost")
