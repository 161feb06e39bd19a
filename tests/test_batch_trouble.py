"""Batch runs on file systems in trouble: counted, explained, and the rest goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import LabeledFile, Labeler
from labeling.batch import run
from labeling.batch.options import Engine

from .batching import STATE, batch, results, statuses, tree, whole
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions and limits of POSIX")


def mounted(unshare: list[str], mounting: str, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a mount namespace of its own where ``mounting`` was done first."""
    script = f'set -e; {mounting}; exec "$@"'
    return subprocess.run([*unshare, "sh", "-c", script, "sh", *command], capture_output=True, text=True, timeout=120)


def command(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "labeling.cli", "batch", *arguments, "--producer", PRODUCER, "--workers", "1", "-q"]


def kept_results(state: Path) -> dict[str, dict[str, Any]]:
    """The results of a run whose state is not in its target."""
    found = [json.loads(line) for line in (state / "results.jsonl").read_text("utf-8").splitlines()]
    return {line["path"]: line for line in found}


def test_a_full_disk_is_told_of_each_file_and_the_next_run_goes_on(unshare: list[str], tmp_path: Path) -> None:
    folder, target, kept = tmp_path / "in", tmp_path / "out", tmp_path / "kept"
    paths = tree(folder, 30)
    (folder / "a" / "tiny.png").write_bytes((folder / paths[0]).read_bytes())
    target.mkdir()
    mounting = f"mount -t tmpfs -o size=600k tmpfs {target}"
    work = " ".join(map(str, command(folder, target, "--state", tmp_path / "state")))
    keep = f"{work}; code=$?; cp -a {target} {kept}; exit $code"
    done = mounted(unshare, mounting, "sh", "-c", keep)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 2, done.stderr
    found = kept_results(tmp_path / "state")
    failed = {path: record["error"] for path, record in found.items() if record["status"] == "failed"}
    assert 0 < len(failed) < len(found) == 31
    assert all("disk is full" in error["message"] for error in failed.values())
    assert {error["kind"] for error in failed.values()} == {"WriteError"}
    whole_files = [path for path in kept.rglob("*.*") if path.is_file()]
    assert len(whole_files) == 31 - len(failed)  # and nothing half-written
    for path in whole_files:
        with Image.open(path) as image:
            image.load()


def test_a_full_disk_under_the_journal_ends_the_run_with_one_line(unshare: list[str], tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    tree(folder, 60)
    target.mkdir()
    mounting = f"mount -t tmpfs -o size=400k tmpfs {target} && head -c 250k /dev/zero > {target}/filler"
    done = mounted(unshare, mounting, *command(folder, target))
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) <= 1


def test_a_read_only_target(unshare: list[str], tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 3)
    target.mkdir()
    mounting = f"mount -t tmpfs tmpfs {target} && mount -o remount,ro {target}"
    done = mounted(unshare, mounting, *command(folder, target))
    assert done.returncode == 2
    assert "Read-only" in done.stderr or "read-only" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    done = mounted(unshare, mounting, *command(folder, target, "--state", tmp_path / "state"))
    assert done.returncode == 2
    text = (tmp_path / "state" / "results.jsonl").read_text()
    assert text.count("read-only") + text.count("Read-only") == len(paths)


def test_what_may_not_be_read_or_written(tmp_path: Path) -> None:
    """Root may do everything, unless it gives up the capabilities for it."""
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 12)
    closed, hidden = paths[0], folder / "b"
    (folder / closed).chmod(0)
    hidden.chmod(0)
    (target / "c").mkdir(parents=True)
    (target / "c").chmod(0o500)
    arguments = command(folder, target, "--state", tmp_path / "state")
    if os.geteuid() == 0:
        without = "-dac_override,-dac_read_search"
        arguments = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}", *arguments]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    hidden.chmod(0o700)
    (target / "c").chmod(0o700)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    found = kept_results(tmp_path / "state")
    assert "no permission" in found[closed]["error"]["message"]
    assert "cannot be listed (Permission denied)" in found["b/."]["error"]["message"]
    for path in paths:
        if path.startswith("c/"):
            assert found[path]["error"]["kind"] == "WriteError", found[path]
            assert "no permission" in found[path]["error"]["message"]
        elif path.startswith("a/") and path != closed:
            assert found[path]["status"] == "labelled"


class Meddling(Labeler):
    """Does to some files, just before they are read, what others may do to them."""

    def label_file(self, source: Any, target: Any = None, **more: Any) -> LabeledFile:
        path = Path(source)
        if path.name == "vanishes.png":
            path.unlink()
        if path.name == "grows.png":
            with path.open("ab") as file:
                file.write(b"more")
        if path.name == "settles.png" and path.stat().st_size < 200_000:
            path.write_bytes(path.with_name("larger").read_bytes())
        return super().label_file(source, target, **more)


def meddling() -> Labeler:
    return Meddling(producer=PRODUCER)


@pytest.mark.parametrize("engine", ["inline", "local"])
def test_files_that_vanish_or_change_while_they_are_read(engine: Engine, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 6)
    for name in ("vanishes.png", "grows.png", "settles.png"):
        Image.effect_noise((200, 150), 60).convert("RGB").save(folder / name)
    Image.effect_noise((500, 400), 60).convert("RGB").save(folder / "larger", "PNG")
    run(folder, target, labeler=meddling, workers=2, engine=engine)
    found = results(target)
    assert found["vanishes.png"]["error"]["kind"] == "UnreadableFile"
    assert "no such file" in found["vanishes.png"]["error"]["message"]
    assert found["grows.png"]["error"] == {
        "kind": "Changed", "message": "it changed while it was read, 3 times; run again later",
    }  # fmt: skip
    assert not (target / "grows.png").exists()
    with Image.open(target / "settles.png") as image:
        assert image.size == (500, 400)
    assert statuses(target) == {"labelled": 8, "failed": 2}
    assert all(found[path]["status"] == "labelled" for path in paths)
    assert not list(target.rglob(".aigc-*.tmp"))


def test_a_file_that_is_removed_after_it_was_listed(tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 200)
    thread = threading.Timer(0.4, shutil.rmtree, [folder / "c"])
    thread.start()
    done = run(folder, target, labeler=LABELER, workers=1)
    thread.join()
    found = results(target)
    gone = {path for path, line in found.items() if line["status"] == "failed"}
    assert gone <= {path for path in paths if path.startswith("c/")}
    assert done.exit_code in (0, 3)
    assert all(line["error"]["kind"] == "UnreadableFile" for line in found.values() if "error" in line)


def test_the_ledger_that_fails_ends_the_run_and_nothing_is_lost(tmp_path: Path) -> None:
    from labeling.ledger import Ledger

    folder, target, book = tmp_path / "in", tmp_path / "out", tmp_path / "ledger.db"
    paths = tree(folder, 10)
    with Ledger.open(book) as ledger:
        ledger.append([])
    book.write_bytes(b"this is no database" * 300)
    refused(batch(folder, target, "--ledger", book), 3, "ledger.db", "not a ledger")
    for leftover in tmp_path.glob("ledger.db*"):
        leftover.unlink()
    assert batch(folder, target, "--ledger", book).returncode == 0
    whole(target, paths, book)


def test_big_and_small_files_share_the_workers(tmp_path: Path) -> None:
    """Small files do not wait behind big ones as long as there is more than one worker."""
    folder, target = tmp_path / "in", tmp_path / "out"
    paths = tree(folder, 30)
    for number in range(3):
        Image.effect_noise((3000, 2500), 90).convert("RGB").save(folder / f"big{number}.png", compress_level=0)
        assert (folder / f"big{number}.png").stat().st_size > 16 << 20
    run(folder, target, labeler=partial(Labeler, producer=PRODUCER, visible=False), workers=2)
    order = list(results(target))
    assert sorted(order) == sorted([*paths, "big0.png", "big1.png", "big2.png"])
    first_two = [path for path in order if path.startswith("big")][1]
    assert sum(not path.startswith("big") for path in order[: order.index(first_two)]) > 0
    assert (target / STATE).is_dir()
