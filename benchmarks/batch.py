"""Thousands of files in several processes: against one process, against a bare loop; memory and resume."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import _pictures
from benchmarks._measure import Row, Settings

SIDE, DIFFERENT = 1024, 10
FILES, QUICK = 5000, 24
MANY, FEW = 200_000, 2_000


def _run(*arguments: str | Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks._batch_run", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the run failed: {done.stderr.decode('utf-8', 'replace').strip()[-400:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pictures(folder: Path, count: int, *, side: int = SIDE) -> Path:
    """Make a folder of ``count`` JPEG files, once: ten that differ, and copies of them."""
    if not folder.exists():
        folder.mkdir()
        for number in range(count):
            path = folder / f"{number:05}.jpg"
            if number < DIFFERENT:
                _pictures.photo(side, side, seed=number).save(path, "JPEG", quality=92)
            else:
                shutil.copyfile(folder / f"{number % DIFFERENT:05}.jpg", path)
    return folder


def test_keys(settings: Settings) -> tuple[Path, Path]:
    """The files of a certificate chain for tests and of its key."""
    from labeling.marks.credentials import make_test_chain

    cert, key = settings.scratch / "chain.pem", settings.scratch / "key.pem"
    if not cert.exists():
        chain = make_test_chain("es256")
        cert.write_bytes(chain.cert_pem)
        key.write_bytes(chain.key_pem)
    return cert, key


def workers(settings: Settings) -> Iterator[Row]:
    """Visible label, AIGC and C2PA on every picture: two workers, one worker, and a bare loop, taking turns."""
    count = QUICK if settings.quick else FILES
    source, target = pictures(settings.scratch / "batch", count), settings.scratch / "batch-out"
    cert, key = test_keys(settings)
    keys: list[str | Path] = ["--cert", cert, "--key", key]
    ways: dict[str, list[str | Path]] = {
        "two": ["--workers", "2"], "one": ["--workers", "1"], "bare": ["--bare"],
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1 if settings.quick else 2):
        for name in list(ways) if number % 2 else list(reversed(ways)):
            shutil.rmtree(target, ignore_errors=True)
            if hasattr(os, "sync"):
                os.sync()
            found = _run(source, target, *keys, *ways[name])
            if found["count"] != count:
                raise RuntimeError(f"only {found['count']} of {count} files were labelled")
            times[name].append(found["seconds"])
    shutil.rmtree(target, ignore_errors=True)
    middle = {name: statistics.median(each) for name, each in times.items()}
    detail = {"files": count, "seconds": times}
    yield Row(
        f"{count} JPEG 1024², visible + AIGC + C2PA, 2 workers", "1 worker", middle["two"], middle["one"], "s",
        middle["one"] / middle["two"], 1.9, "≥ 1.90× faster", form="{:.2f}× faster", at_least=True, detail=detail,
    )  # fmt: skip
    yield Row(
        "the same, 1 worker", "the library verb in a bare loop", middle["one"], middle["bare"], "s",
        middle["one"] / middle["bare"], 1.05, "≤ 1.05×", detail=detail,
    )  # fmt: skip


def tiny(settings: Settings) -> Iterator[Row]:
    """Metadata of tiny files labelled: the parent's peak memory, and how long it takes to see that all is done."""
    import io

    from PIL import Image

    many, few = (2_000, 200) if settings.quick else (MANY, FEW)
    memory = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 120, 200)).save(memory, "PNG")
    peaks: dict[int, int] = {}
    for count in (few, many):
        source, target = settings.scratch / f"tiny-{count}", settings.scratch / f"tiny-{count}-out"
        for number in range(count):
            path = source / f"{number // 1000:03}" / f"{number:06}.png"
            if number % 1000 == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(memory.getvalue())
        found = _run(source, target, "--no-visible", "--workers", "2")
        if found["count"] != count:
            raise RuntimeError(f"only {found['count']} of {count} files were labelled")
        peaks[count] = found["peak"]
    again = _run(source, target, "--no-visible", "--workers", "2")
    checked = _run(source, target, "--no-visible", "--workers", "2", "--check-outputs", "size")
    for count in (few, many):
        shutil.rmtree(settings.scratch / f"tiny-{count}", ignore_errors=True)
        shutil.rmtree(settings.scratch / f"tiny-{count}-out", ignore_errors=True)
    mib = {count: peak / (1 << 20) for count, peak in peaks.items()}
    yield Row(
        f"peak memory of the parent, {many} files", f"{few} files", mib[many], mib[few], "MiB",
        mib[many] / mib[few], 1.15, "≤ 1.15×", detail={"first_run": {name: found[name] for name in ("seconds", "cpu")}},
    )  # fmt: skip
    yield Row(
        f"resume over {many} finished files", "", again["seconds"], None, "s", again["seconds"], 20.0, "≤ 20 s",
        form="{:.1f} s",
    )  # fmt: skip
    yield Row(
        f"resume over {many} finished files, outputs looked at", "plain resume", checked["seconds"], again["seconds"],
        "s", checked["seconds"], 20.0, "≤ 20 s", form="{:.1f} s",
        detail={"peak": {"looked at": checked["peak"], "plain": again["peak"]}},
    )  # fmt: skip
