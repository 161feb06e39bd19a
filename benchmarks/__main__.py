"""``python -m benchmarks``: run the rows, print one table."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import batch, batch_ray, files, frames, ledger, many, memory, startup, video
from benchmarks._measure import Row, Settings

ROWS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "jpeg": memory.jpeg,
    "jpeg-c2pa": memory.jpeg_signed,
    "png": memory.png,
    "add-files": many.add,
    "verify-files": many.verify,
    "jpeg-12mp": files.jpeg_12mp,
    "c2pa-bytes": files.c2pa_bytes,
    "films": video.films,
    "film-long": video.long,
    "film-whole": video.whole,
    "film-metadata": video.metadata,
    "film-verify": video.verify,
    "frames": frames.frames,
    "batch": batch.workers,
    "batch-tiny": batch.tiny,
    "batch-ray": batch_ray.ray,
    "ledger-insert": ledger.insert,
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
    parser.add_argument("--quick", action="store_true", help="few repetitions and files: does it run? No figures")
    parser.add_argument(
        "--dir", type=Path, help="folder on the disk to write to (default: the one for temporary files)"
    )
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = ("aigc-labeling", "pillow", "opencv-python-headless", "numpy", "c2pa-python", "jpeglib", "av")
    versions = {}
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


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "—"
    if math.isinf(value):
        return f"∞ {unit}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def _cells(row: Row) -> tuple[str, ...]:
    reached = {True: "yes", False: "NO", None: ""}[row.reached]
    value = "∞" if math.isinf(row.value) else row.form.format(row.value)
    ours, other = _amount(row.ours, row.unit), _amount(row.other, row.unit)
    return row.work, ours, other, row.versus, value, row.target, reached


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def table(rows: list[Row]) -> str:
    """The rows as text, columns aligned."""
    lines = [HEADINGS, *map(_cells, rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(HEADINGS))]

    def show(line: tuple[str, ...]) -> str:
        return "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()

    return "\n".join([show(lines[0]), "  ".join("─" * width for width in widths), *map(show, lines[1:])])


def _as_json(row: Row) -> dict[str, Any]:
    """Infinity is no JSON: it is written as the word."""
    numbers = {"ours": row.ours, "other": row.other, "value": row.value, "limit": row.limit}
    plain = {key: "infinite" if value is not None and math.isinf(value) else value for key, value in numbers.items()}
    words = {"work": row.work.strip(), "versus": row.versus, "unit": row.unit, "target": row.target}
    return {**words, **plain, "reached": row.reached, **row.detail}


def main() -> None:
    """Entry point. Ends with 0 whatever the figures are: a slow machine is no failure."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    arguments = _arguments()
    rows: list[Row] = []
    about = machine()
    with tempfile.TemporaryDirectory(prefix="aigc-benchmarks-", dir=arguments.dir) as scratch:
        settings = Settings(Path(scratch), arguments.quick)
        for name in arguments.only or ROWS:
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                rows.extend(ROWS[name](settings))
            except RuntimeError as error:  # an alternative is missing or failed: the other rows still count
                print(f"{name}: {error}", file=sys.stderr)
    print(table(rows))
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(f"\nmedians of one run, {about['cpus']} CPUs, Python {about['python']}, {versions}")
    if arguments.quick:
        print("--quick: these figures show that the benchmarks run, nothing else")
    if arguments.json:
        result = {"machine": about, "quick": arguments.quick, "rows": [_as_json(row) for row in rows]}
        arguments.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
