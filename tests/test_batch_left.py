"""Outputs that a failure left: a later run replaces what this run has written, and nothing else."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling import LabeledFile, Labeler
from labeling.batch import run

from .batching import results, statuses, whole
from .s3 import Server, go, proven, small_png
from .s3 import results as results_of
from .test_bad_input import PRODUCER

FLAG = "AIGC_TEST_FAULT"


class Faulty(Labeler):
    """Fails at one file after its output is written: by a crash, or because somebody removes the source."""

    def label_file(self, source: Any, target: Any = None, **more: Any) -> LabeledFile:
        done = super().label_file(source, target, **more)
        if Path(target).name == "fault.png":
            if os.environ.get(FLAG) == "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            if os.environ.get(FLAG) == "vanish":
                Path(source).unlink()
        return done


def faulty() -> Labeler:
    return Faulty(producer=PRODUCER, visible=False)


def pictures(folder: Path) -> list[str]:
    folder.mkdir()
    names = ["a.png", "b.png", "fault.png", "z.png"]
    for name in names:
        Image.new("RGB", (24, 16)).save(folder / name)
    return names


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_what_workers_wrote_before_they_crashed_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    names = pictures(folder)
    monkeypatch.setenv(FLAG, "crash")
    run(folder, target, labeler=faulty, workers=1)
    assert statuses(target) == {"labelled": 3, "poison": 1}
    assert (target / "fault.png").exists()
    monkeypatch.delenv(FLAG)
    run(folder, target, labeler=faulty, engine="inline")
    assert statuses(target) == {"labelled": 3, "poison": 1}  # only if it is asked for
    run(folder, target, labeler=faulty, engine="inline", retry_failed=True)
    whole(target, names)


def test_what_was_written_of_a_source_that_vanished_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    names = pictures(folder)
    monkeypatch.setenv(FLAG, "vanish")
    run(folder, target, labeler=faulty, engine="inline")
    assert results(target)["fault.png"]["status"] == "failed"
    assert (target / "fault.png").exists()
    monkeypatch.delenv(FLAG)
    Image.new("RGB", (24, 16)).save(folder / "fault.png")
    run(folder, target, labeler=faulty, engine="inline", retry_failed=True)
    whole(target, names)


def test_something_elses_output_is_not_replaced_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    pictures(folder)
    monkeypatch.setenv(FLAG, "crash")
    run(folder, target, labeler=faulty, workers=1)
    monkeypatch.delenv(FLAG)
    foreign = small_png()
    (target / "fault.png").write_bytes(foreign)
    run(folder, target, labeler=faulty, engine="inline", retry_failed=True)
    assert results(target)["fault.png"]["error"]["kind"] == "Taken"
    assert (target / "fault.png").read_bytes() == foreign


def test_an_object_whose_reading_back_was_lost_is_replaced(store: Server) -> None:
    source, target = store.bucket(dict.fromkeys(["a.png", "b.png"], small_png())), store.bucket()
    store.spoil("500", f"^/{target}/a", "GET")
    store.spoil("500", f"^/{target}/a", "DELETE")
    done = go(f"s3://{source}", f"s3://{target}")
    assert results_of(done)["a.png"]["error"]["kind"] == "StoreDown"
    store.forget()
    assert store.objects(target).keys() == {"a.png", "b.png"}
    again = go(f"s3://{source}", f"s3://{target}")
    assert proven(store, target, again) == {"a.png", "b.png"}


def test_an_object_that_was_spoilt_and_could_not_be_removed_is_replaced(store: Server) -> None:
    source, target = store.bucket({"a.png": small_png()}), store.bucket()
    store.spoil("corrupted upload", f"^/{target}/a", "PUT")
    store.spoil("403", f"^/{target}/a", "DELETE")
    done = go(f"s3://{source}", f"s3://{target}")
    assert "it was left there" in results_of(done)["a.png"]["error"]["message"]
    store.forget()
    assert results_of(go(f"s3://{source}", f"s3://{target}"))["a.png"]["status"] == "failed"
    again = go(f"s3://{source}", f"s3://{target}", retry_failed=True)
    assert proven(store, target, again) == {"a.png"}
