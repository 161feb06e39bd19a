"""Fuzzing: ``python -m tests.fuzzing`` from the repository's root, or ``make fuzz``.

Inputs run in child processes (``child``): a crash, a hang or a memory bomb of native code is a finding like any other,
and the run goes on behind it. Every kind of finding is confirmed in a fresh process, made small, and written to a file.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pickle
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import record
from .check import VERBS
from .child import Child, case, serve
from .findings import Found, keep, settle, shown
from .seeds import gather

MEDIA = (
    ".mp4",
    ".mov",
    ".m4a",
    ".mkv",
    ".webm",
    ".avi",
    ".flv",
    ".wav",
    ".aiff",
    ".mp3",
    ".flac",
    ".aac",
    ".opus",
    ".ogg",
)

Seeds = list[tuple[str, bytes]]


@dataclass
class Outcome:
    """What a run did and found."""

    counts: Counter[str] = field(default_factory=Counter)
    peak: int = 0
    folder: Path | None = None
    cpu: float = 0.0
    deaths: int = 0
    slowest: dict[str, float] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)

    def take(self, answer: dict[str, Any], seeds: Seeds, seed: int, index: int) -> None:
        """Count what a child says about one file."""
        name = answer["done"] or case(seeds, seed, index)[0]
        self.counts["files"] += 1
        self.counts["pixels"] += index % 2
        self.counts["media"] += Path(name.split(":")[0]).suffix in MEDIA
        written = answer.get("written", ())
        self.counts["written"] += len(written)
        self.counts["painted"] += sum(verb.startswith("paint") for verb in written)
        self.peak = max(self.peak, answer.get("peak", 0))
        for verb, seconds in answer.get("slowest", {}).items():
            self.slowest[verb] = max(seconds, self.slowest.get(verb, 0))
        for each in answer["findings"]:
            data, trace = case(seeds, seed, index)[1], each.get("trace", "")
            new = Found(each["verb"], each["finding"], name, data, f"{seed}-{index}", trace)
            old = self.found.setdefault(new.kind, new)
            old.times += old is not new
            if old is new and self.folder is not None:
                keep(new, self.folder)  # at once: a long run may be broken off

    @property
    def findings(self) -> list[str]:
        """One line for each kind that a fresh process confirmed."""
        return [f"{each.verb} ×{each.times}: {each.finding} [{each.number}: {each.name}]"
                for each in sorted(self.found.values(), key=lambda each: -each.times) if each.alone]  # fmt: skip


def run(
    count: int, *, seed: int = 0, seconds: float = 0, jobs: int = 0, cases: bool = True, folder: Path | None = None
) -> Outcome:
    """Run ``count`` files (or what fits in ``seconds``, or until Ctrl-C); findings go to files in ``folder``."""
    outcome, lock, numbers = Outcome(folder=folder), threading.Lock(), iter(range(count))
    jobs = jobs or os.cpu_count() or 1
    deadline, stop = time.monotonic() + (seconds or 10**9), threading.Event()
    before = _children_cpu()
    with tempfile.TemporaryDirectory() as scratch:
        seeds = gather(cases=cases)
        seeds_file = Path(scratch, "seeds")
        seeds_file.write_bytes(pickle.dumps(seeds))

        def work() -> None:
            with Child(seeds_file) as child:
                while time.monotonic() < deadline and not stop.is_set():
                    with lock:
                        index = next(numbers, None)
                    if index is None:
                        break
                    answer = child.ask({"seed": seed, "index": index})
                    with lock:
                        outcome.take(answer, seeds, seed, index)
                with lock:
                    outcome.deaths += child.deaths

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            try:
                for each in [pool.submit(work) for _ in range(jobs)]:
                    each.result()
            except KeyboardInterrupt:  # what was done by then counts
                stop.set()
        outcome.cpu = _children_cpu() - before
        with Child(seeds_file) as child:
            for found in outcome.found.values():
                settle(found, child)
                if folder is not None:
                    keep(found, folder)
    return outcome


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def replay(paths: list[Path], verbs: list[str]) -> int:
    """Put files through the verbs, each in a fresh process."""
    broken = 0
    with tempfile.TemporaryDirectory() as scratch:
        seeds_file = Path(scratch, "seeds")
        seeds_file.write_bytes(pickle.dumps([]))
        with Child(seeds_file) as child:
            for path in paths:
                for verb in verbs:
                    child.end()
                    finding = shown(child, verb, path.name, path.read_bytes())
                    broken += bool(finding)
                    print(f"{path.name} {verb}: {finding or 'sound'}", flush=True)
    return 1 if broken else 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=0, help="mutated files (default 20000, or all that the time allows)"
    )
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--hours", type=float, default=0, help="the same in hours")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other files")
    parser.add_argument("--jobs", type=int, default=0, help="processes (default: one for each core)")
    parser.add_argument(
        "--keep", type=Path, default=Path(tempfile.gettempdir(), "fuzz-findings"), help="where findings go"
    )
    parser.add_argument("--record", action="store_true", help="add the run to the record that docs/security.md shows")
    parser.add_argument("--replay", type=Path, nargs="+", help="put these files through the verbs instead")
    parser.add_argument("--verb", action="append", choices=VERBS, help="with --replay: this verb only")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return serve(given.child)
    if given.replay:
        return replay(given.replay, given.verb or list(VERBS))
    tested = record.commit()
    began, seconds = time.monotonic(), given.seconds or given.hours * 3600
    count = given.count or (10**9 if seconds else 20_000)
    outcome = run(count, seed=given.seed, seconds=seconds, jobs=given.jobs, folder=given.keep)
    counts, took = outcome.counts, time.monotonic() - began
    print(f"{counts['files']} files in {took:.0f} s, {outcome.cpu:.0f} s of CPU, {outcome.deaths} children lost")
    print(f"{counts['pixels']} with their pixels, {counts['media']} videos and audio; outputs: {counts['written']}, "
          f"of them {counts['painted']} painted")  # fmt: skip
    slowest = ", ".join(f"{verb} {seconds:.2f} s" for verb, seconds in sorted(outcome.slowest.items()))
    print(f"slowest calls (CPU): {slowest}; peak memory {outcome.peak >> 20} MB")
    for line in outcome.findings:
        print(f"FINDING {line}")
    passing = sum(not each.alone for each in outcome.found.values())
    if passing:
        print(f"{passing} kinds did not show again in a fresh process; they are kept as well")
    if outcome.found:
        print(f"the inputs are in {given.keep}; --replay FILE --verb VERB shows one again")
    if given.record:
        slow = round(max(outcome.slowest.values(), default=0), 1)
        record.append(record.FILE, commit=tested, seed=given.seed, **counts, hours=round(outcome.cpu / 3600, 2),
                      kinds=len(outcome.findings), peak=outcome.peak >> 20, slowest=slow)  # fmt: skip
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
