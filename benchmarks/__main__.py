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
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks import _quiet, history
from benchmarks._measure import Row, Settings
from benchmarks._rows import LONG, ROWS, SHORT
from benchmarks._table import amount, table
from labeling import __version__

ROOT = Path(__file__).resolve().parent.parent
LAST = ROOT / "build" / "bench" / "last.json"
RECORD = ROOT / "benchmarks" / "figures.json"

HEADINGS = ("work", "ours", "alternative", "", "ratio", "target", "reached", "limit", "")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(ROWS), help="this row alone; may be given several times"
    )
    parser.add_argument("--long", action="store_true", help="the rows that take longer, instead of the others")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file as well")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="FILE", help="compare two such files; run nothing")
    parser.add_argument(
        "--slower", type=float, default=3.0, metavar="PERCENT",
        help="with --compare, end with 1 if a row got worse by more than this (default 3)",
    )  # fmt: skip
    parser.add_argument(
        "--last", type=Path, metavar="FILE", default=LAST,
        help="figures of earlier runs, to compare with and to renew (default: build/bench/last.json; not with --quick)",
    )  # fmt: skip
    parser.add_argument(
        "--record", type=Path, nargs="?", const=RECORD, metavar="FILE",
        help="renew the figures that the README's table is made from (default: benchmarks/figures.json), row by row; "
        "rows that others disturbed are not recorded, and it ends with 1",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few repetitions and files: does it run? No figures")
    parser.add_argument(
        "--dir", type=Path, help="folder on the disk to write to (default: the one for temporary files)"
    )
    given = parser.parse_args()
    if given.record and given.quick:
        parser.error("--record: the figures of --quick mean nothing")
    return given


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = ("pillow", "opencv-python-headless", "numpy", "zlib-ng", "isal", "c2pa-python", "jpeglib", "av", "rapidocr")
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
    bare = (amount(row.bare, row.unit), row.bare_of) if row.bare is not None else ("", "")
    return row.work, ours, other, row.versus, value, row.target, reached, *bare


def main() -> None:
    """Run the command. It ends with 0 whatever the figures are, since a slow machine is not an error.

    With ``--compare`` it ends with 1 if a row got slower, with ``--record`` if a row could not be recorded.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    arguments = _arguments()
    if arguments.compare:
        before, after = arguments.compare
        sys.exit(_compare(before, after, arguments.slower))
    rows: dict[str, list[Row]] = {}
    others: dict[str, float | None] = {}
    took: dict[str, float] = {}
    about = machine()
    with tempfile.TemporaryDirectory(prefix="aigc-benchmarks-", dir=arguments.dir) as scratch:
        settings = Settings(Path(scratch), arguments.quick)
        for name in arguments.only or (LONG if arguments.long else SHORT):
            print(f"{name} …", file=sys.stderr, flush=True)
            before = None if arguments.quick else _quiet.others()
            start = time.perf_counter()
            try:
                rows[name] = list(ROWS[name](settings))
            except RuntimeError as error:  # an alternative is missing or failed: the other rows still count
                print(f"{name}: {error}", file=sys.stderr)
            except Exception:  # noqa: BLE001 - so they do if ours fails
                traceback.print_exc()
            took[name] = round(time.perf_counter() - start, 1)
            after = None if arguments.quick else _quiet.others()
            others[name] = None if before is None or after is None else round(max(before, after), 2)
    print(table(HEADINGS, [_cells(row) for several in rows.values() for row in several]))
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(f"\nmedians of one run, {about['cpus']} CPUs, Python {about['python']}, {versions}")
    slowest = sorted(took, key=lambda name: -took[name])[:5]
    print(f"{sum(took.values()):.0f} s, of which {', '.join(f'{name} {took[name]:.0f} s' for name in slowest)}")
    run = history.of_run(rows, about, others, took, quick=arguments.quick)
    if arguments.json:
        history.save(arguments.json, run)
    if arguments.quick:
        print("--quick: these figures show that the benchmarks run, nothing else")
        return
    for name, used in others.items():
        if used is not None and used > _quiet.BUSY:
            print(f"{name}: others used {used:.2f} processors; the figures are not those of a quiet machine")
    _kept(arguments.last, run, arguments.slower)
    if arguments.record:
        sys.exit(_recorded(arguments.record, run))


def _kept(path: Path, run: dict[str, Any], slower: float) -> None:
    """Compare with the last runs' figures of the same rows, and put the new ones in their place."""
    try:
        before = history.load(path) if path.exists() else None
    except history.Unusable as error:
        print(error, file=sys.stderr)
        before = None
    if before is not None:
        names = {row["row"] for row in run["rows"]}
        changes, alone = history.compare(history.only(before, names), run)
        print(f"\nagainst {path}, of {before['date']}; + is worse:")
        print(history.report(changes, alone, slower))
    history.save(path, history.added(before, run, list(ROWS)))


def _recorded(path: Path, run: dict[str, Any]) -> int:
    """Put the figures of an undisturbed run into the file that is kept; say what is not."""
    run, disturbed = history.worth_recording(run, _quiet.BUSY)
    for words in disturbed:
        print(words, file=sys.stderr)
    if run["rows"]:
        before = history.load(path) if path.exists() else None
        history.save(path, history.added(before, run, list(ROWS)))
        print(f"recorded in {path}: run make docs")
    return 1 if disturbed else 0


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
