"""Commands that are ended or killed at any moment: the old file or the new one, and nothing left after the next run.

In the short form the two signals take turns, so that each meets every format and every mode. The long form, with both
everywhere: ``make kill ROUNDS=200``.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labeling import verify

from . import programs
from .pictures import rgb
from .test_bad_input import PRODUCER

LONG = "AIGC_KILL_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("AIGC_KILL_ROUNDS", "1"))

SUFFIXES = ("jpg", "png", "webp", "tif", "gif", "mp4", "mkv", "wav")
MODES = ("in place", "add", "batch")
SIGNALS = (signal.SIGTERM, signal.SIGKILL)
KINDS = [
    (suffix, mode, sent)
    for at, (suffix, mode, sent) in enumerate(itertools.product(SUFFIXES, MODES, SIGNALS))
    if LONG or at % 4 in (0, 3)
]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for suffix in SUFFIXES[:5]:
        rgb(900, 700).save(folder / f"a.{suffix}")
    ffmpeg = programs.require("ffmpeg")
    for suffix in SUFFIXES[5:]:
        given = "sine=d=5" if suffix == "wav" else "testsrc=s=320x240:d=3:r=12"
        subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", given, str(folder / f"a.{suffix}")], check=True)
    return folder


def command(mode: str, suffix: str) -> list[str]:
    name = f"a.{suffix}"
    common = ["--producer", PRODUCER, "-q"]
    arguments = {
        "in place": ["add", name, "--in-place", *common],
        "add": ["add", name, "-o", f"out/{name}", *common],
        "batch": ["batch", ".", "out", "--workers", "1", *common],
    }[mode]
    return [sys.executable, "-m", "labeling.cli", *arguments]


@pytest.mark.parametrize(("suffix", "mode", "sent"), KINDS)
def test_the_old_file_or_the_new_one_and_nothing_left(
    originals: Path, tmp_path: Path, suffix: str, mode: str, sent: signal.Signals
) -> None:
    chance = random.Random(f"{suffix}{mode}{sent}")
    places = tmp_path / "tmp", tmp_path / "work", tmp_path / "work" / "out"
    environment = os.environ | {"TMPDIR": str(places[0])}
    for each in (places[0], places[2]):
        each.mkdir(parents=True)
    source, target = places[1] / f"a.{suffix}", places[1 if mode == "in place" else 2] / f"a.{suffix}"
    for _ in range(ROUNDS):
        target.unlink(missing_ok=True)
        shutil.rmtree(places[2] / ".aigc-label", ignore_errors=True)
        shutil.copyfile(originals / source.name, source)
        old = source.read_bytes()
        process = subprocess.Popen(
            command(mode, suffix), cwd=places[1], env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:  # most rounds begin when it writes for the first time, the others anywhere
            if chance.random() < 0.75:
                while process.poll() is None and not _begun(target, old):
                    time.sleep(0.001)
                process.wait(chance.uniform(0, 0.03))
            else:
                process.wait(chance.uniform(0.1, 2.0))
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
        _, err = process.communicate(timeout=120)
        # Python's own start of a worker whose parent was killed in that moment.
        orphaned = sent is signal.SIGKILL and err.rstrip().endswith("EOFError: Ran out of input")
        assert orphaned or "Traceback" not in err
        if target.exists():
            assert target.read_bytes() == old or verify(target, visible=False).findings[0].status == "present"
        else:
            assert mode != "in place"
        if mode != "in place":
            assert source.read_bytes() == old
        if sent is signal.SIGTERM:
            assert not _left(*places)
        subprocess.run(command(mode, suffix), cwd=places[1], env=environment, check=True, timeout=120)
        assert not _left(*places)
        assert verify(target, visible=False).findings[0].status == "present"


def _begun(target: Path, old: bytes) -> bool:
    return any(target.parent.glob(".aigc-*.tmp")) or (target.exists() and target.stat().st_size != len(old))


def _left(temporary: Path, *folders: Path) -> list[Path]:
    return [*temporary.iterdir(), *(path for folder in folders for path in folder.glob(".aigc-*.tmp"))]


@pytest.mark.parametrize("sent", SIGNALS)
def test_a_video_that_is_changed_where_it_lies_plays_and_has_the_old_label_or_the_new(
    originals: Path, tmp_path: Path, sent: signal.Signals
) -> None:
    """An MP4 file with room behind its movie box is not copied: the label is written into it."""
    ffmpeg, ffprobe = programs.require("ffmpeg"), programs.require("ffprobe")
    roomy, work, temporary = tmp_path / "roomy.mp4", tmp_path / "work", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()
    make = [ffmpeg, "-v", "error", "-i", str(originals / "a.mp4"), "-c", "copy", "-moov_size", "100000", str(roomy)]
    subprocess.run(make, check=True)
    add = [sys.executable, "-m", "labeling.cli", "add", "a.mp4", "--in-place", "--no-visible", "--producer", PRODUCER]
    environment, path = os.environ | {"TMPDIR": str(temporary)}, work / "a.mp4"
    frames = [ffmpeg, "-v", "error", "-xerror", "-i", str(path), "-f", "framemd5", "-"]
    shutil.copyfile(roomy, path)
    shown = subprocess.run(frames, check=True, capture_output=True).stdout
    chance = random.Random(f"roomy{sent}")
    old = ""
    for number in range(ROUNDS + 1):
        shutil.copyfile(roomy, path)
        if number % 2:  # there is an old label in every second round
            subprocess.run([*add, "-q", "--content-id", "old"], cwd=work, env=environment, check=True)
            old = "old"
        before = path.stat().st_mtime_ns
        process = subprocess.Popen(
            [*add, "-q", "--content-id", "new"], cwd=work, env=environment, stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and path.stat().st_mtime_ns == before:
            pass
        time.sleep(chance.uniform(0, 0.01))
        process.send_signal(sent)
        _, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        assert path.stat().st_size == roomy.stat().st_size
        assert subprocess.run(frames, check=True, capture_output=True).stdout == shown
        told = subprocess.run(
            [ffprobe, "-v", "error", "-show_format", str(path)], check=True, capture_output=True
        ).stdout
        finding = verify(path, visible=False).findings[0]
        assert str(finding.status) in ("present", "absent")
        assert finding.value.get("ProduceID", "") in ("new", old)
        assert (b"AIGC" in told) == (finding.status == "present")
        subprocess.run([*add, "-q", "--content-id", "new"], cwd=work, env=environment, check=True, timeout=120)
        assert verify(path, visible=False).findings[0].value["ProduceID"] == "new"
        assert not _left(temporary, work)
        old = ""
