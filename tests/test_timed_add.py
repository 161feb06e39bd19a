"""``add --timeout``: the process that labels a file is ended in time, and the output appears whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import labeling

from .pictures import rgb
from .test_bad_input import PRODUCER
from .test_isolation import children_of, processor_time, started, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="isolated processes are Linux's")


def add(*arguments: str | Path, cwd: Path, temporary: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labeling.cli", "add", *map(str, arguments), "--producer", PRODUCER],
        cwd=cwd, capture_output=True, text=True, timeout=500, env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def test_it_does_the_same_as_without(tmp_path: Path, temporary: Path) -> None:
    rgb(640, 480).save(tmp_path / "photo.png")
    arguments = ("photo.png", "--content-id", "job-42", "--ledger", "ledger.db")
    plain = add(*arguments, cwd=tmp_path, temporary=temporary)
    first = (tmp_path / "photo.labeled.png").read_bytes()
    timed = add(*arguments, "--timeout", "400", cwd=tmp_path, temporary=temporary)
    assert (timed.returncode, timed.stderr) == (0, "")
    assert timed.stdout == plain.stdout.replace("record 1", "record 2")
    after = labeling.verify(tmp_path / "photo.labeled.png").find("aigc")
    before = labeling.verify(first).find("aigc")
    assert after is not None
    assert before is not None
    assert {**after.value, "Created": ""} == {**before.value, "Created": ""}
    again = add("nowhere.png", "photo.png", "-o", "photo.png", "--timeout", "400", cwd=tmp_path, temporary=temporary)
    direct = add("nowhere.png", "photo.png", "-o", "photo.png", cwd=tmp_path, temporary=temporary)
    assert (again.returncode, again.stderr) == (direct.returncode, direct.stderr)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("in_place", [False, True])
def test_what_takes_longer_is_ended_and_leaves_nothing(tmp_path: Path, temporary: Path, in_place: bool) -> None:
    Image.effect_noise((5000, 5000), 80).convert("RGB").save(tmp_path / "slow.png", compress_level=1)
    rgb(320, 240).save(tmp_path / "quick.png")
    old = (tmp_path / "slow.png").read_bytes()
    there = {entry.name for entry in tmp_path.iterdir()}
    to = ("--in-place",) if in_place else ("-o", "out")
    done = add("slow.png", *to, "--timeout", "0.05", cwd=tmp_path, temporary=temporary)
    assert done.returncode == 2
    assert "slow.png: was not labelled: it took longer than 0.05 s; --timeout gives more" in done.stderr
    assert (tmp_path / "slow.png").read_bytes() == old
    assert {entry.name for entry in tmp_path.iterdir()} == there
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_child_too(tmp_path: Path, temporary: Path, number: signal.Signals) -> None:
    Image.effect_noise((6000, 6000), 80).convert("RGB").save(tmp_path / "slow.png", compress_level=1)
    process = started("add", tmp_path / "slow.png", "--producer", PRODUCER, "--timeout", "500", temporary=temporary)
    wait_for(lambda: children_of(process.pid), "a child")
    [child] = children_of(process.pid)
    wait_for(lambda: processor_time(child) > 1.0, "the work")
    process.send_signal(number)
    process.communicate(timeout=300)
    wait_for(lambda: not Path(f"/proc/{child}").exists(), "the end of the child")
    assert process.returncode != 0
    assert not (tmp_path / "slow.labeled.png").exists()
