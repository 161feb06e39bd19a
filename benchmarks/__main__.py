"""``python -m benchmarks``: run the rows, print one table; or compare the figures of two runs."""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import batch, batch_ray, files, frames, history, isolate, ledger, many, memory, startup, video
from benchmarks._measure import Row, Settings
from benchmarks._table import amount, table
from labeling import __version__

ROWS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "jpeg": memory.jpeg,
    "jpeg-c2pa": memory.jpeg_signed,
    "png": memory.png,
    "add-files": many.add,
    "verify-files": many.verify,
    "isolate": isolate.isolate,
    "jpeg-12mp": files.jpeg_12mp,
    "c2pa-bytes": files.c2pa_bytes,
    "video": video.start,
    "video-long": video.long,
    "video-whole": video.whole,
    "video-metadata": video.metadata,
    "video-verify": video.verify,
    "frames": frames.frames,
    "batch": batch.workers,
    "batch-tiny": batch.tiny,
    "batch-ray": batch_ray.ray,
    "ledger-insert": ledger.insert,
    "ledger-server": ledger.server,
    "ledger-find": ledger.find,
    "startup": startup.startup,
}

HEADINGS = ("work", "ours", "alternative", "", "ratio", "target", "reached")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(ROWS), help="this row alone; may be given several times"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file as well")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="FILE", help="compare two such files; run nothing")
    parser.add_argument(
        "--slower", type=float, default=3.0, metavar="PERCENT",
        help="with --compare, end with 1 if a row got worse by more than this (default 3)",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few repetitions and files: does it run? No figures")
    parser.add_argument(
        "--dir", type=Path, help="folder on the disk to write to (default: the one for temporary files)"
    )
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = ("pillow", "opencv-python-headless", "numpy", "c2pa-python", "jpeglib", "av")
    versions = {"aigc-labeling": __version__}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if exiftool := shutil.which("exiftool"):
        done = subprocess.run([exiftool, "-ver"], capture_output=True, text=True, check=False)
        versions["exiftool"] = done.stdout.strip()
    if ffmpeg := shutil.which("ffmpeg"):
        done = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=False)
        versions["ffmpeg"] = (done.stdout.split() or ["", "", ""])[2]
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
    }


def _cells(row: Row) -> tuple[str, ...]:
    reached = {True: "yes", False: "NO", None: ""}[row.reached]
    value = "∞" if math.isinf(row.value) else row.form.format(row.value)
    ours, other = amount(row.ours, row.unit), amount(row.other, row.unit)
    return row.work, ours, other, row.versus, value, row.target, reached


def main() -> None:
    """Run the command. It ends with 0 whatever the figures are, since a slow machine is not an error.

    With ``--compare`` it ends with 1 if a row got slower.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    arguments = _arguments()
    if arguments.compare:
        before, after = arguments.compare
        sys.exit(_compare(before, after, arguments.slower))
    rows: dict[str, list[Row]] = {}
    about = machine()
    with tempfile.TemporaryDirectory(prefix="aigc-benchmarks-", dir=arguments.dir) as scratch:
        settings = Settings(Path(scratch), arguments.quick)
        for name in arguments.only or ROWS:
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                rows.setdefault(name, []).extend(ROWS[name](settings))
            except RuntimeError as error:  # an alternative is missing or failed: the other rows still count
                print(f"{name}: {error}", file=sys.stderr)
    print(table(HEADINGS, [_cells(row) for several in rows.values() for row in several]))
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(f"\nmedians of one run, {about['cpus']} CPUs, Python {about['python']}, {versions}")
    if arguments.quick:
        print("--quick: these figures show that the benchmarks run, nothing else")
    if arguments.json:
        history.save(arguments.json, rows, about, quick=arguments.quick)


def _compare(before: Path, after: Path, slower: float) -> int:
    try:
        changes, alone = history.compare(history.load(before), history.load(after))
    except history.Unusable as error:
        print(error, file=sys.stderr)
        return 2
    print(history.report(changes, alone, slower))
    worse = sum(history.is_slower(change, slower) for change in changes)
    print(f"\n{len(changes)} rows compared, {worse} of them worse by more than {slower:g} %; + is worse")
    return 1 if worse else 0


if __name__ == "__main__":
    main()
