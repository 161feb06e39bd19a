"""Fuzzing: ``python -m tests.fuzzing`` from the repository's root, or ``make fuzz``.

Inputs run in child processes: a crash, a hang or a memory bomb of native code is a finding like any other, and the run
goes on behind it. Every finding is written to a file whose name says how to make it again.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import faulthandler
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from .check import MAX_MEMORY, Broken, Targets, checks, forget_peak, peak
from .mutate import mutate
from .seeds import ROOT, gather

BATCH = 2000
HANG = 120
"""Wall-clock seconds after which a child is given up: a call that hangs without using CPU ends only so. Far more than
MAX_SECONDS of CPU can take on a busy machine."""

ADDRESS_SPACE = 4 << 30
"""A backstop: what the machine lets one child have, so that a bomb ends the child and nothing else."""

LIBRARIES = 60 << 20
"""Resident bytes of a process that has loaded what reading and labelling need."""

TOO_MUCH_MEMORY = 77


def case(seeds: list[tuple[str, bytes]], seed: int, index: int) -> tuple[Random, str, bytes]:
    """The mutated file of this number; the same for the same seeds."""
    rng = Random(f"{seed}:{index}")
    return rng, *mutate(rng, seeds)


def worker(seeds_file: Path, seed: int, start: int, stop: int, deadline: float) -> int:
    """Run inputs ``start`` to ``stop``; one line of JSON for each event, so that the parent knows where a crash was."""
    _limit_memory()
    seeds = pickle.loads(seeds_file.read_bytes())
    targets, most = Targets(), 0
    for index in range(start, stop):
        if time.time() > deadline:
            break
        _say(at=index)
        rng, name, data = case(seeds, seed, index)
        faulthandler.dump_traceback_later(HANG, exit=True)
        forget_peak()
        targets.allowed = MAX_MEMORY
        before = peak()
        for check in checks(rng, targets):
            try:
                check(data)
            except Broken as error:
                _say(finding=str(error), index=index, name=name)
            except Exception as error:  # noqa: BLE001 - anything else that escapes is what we look for
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(where.filename).name}:{where.lineno}"
                _say(finding=f"{type(error).__name__} at {place}: {error}"[:300], index=index, name=name)
        faulthandler.cancel_dump_traceback_later()
        used = peak()
        most = max(most, used)
        # What coders keep from earlier inputs is not this one's doing: a fresh process has loaded LIBRARIES.
        if used - before + LIBRARIES > targets.allowed:
            _say(finding=f"memory: {(used - before) >> 20} MB more than before", index=index, name=name)
            return TOO_MUCH_MEMORY
    _say(slowest=targets.slowest, written=targets.written, peak=most)
    return 0


def _say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass
class Outcome:
    """What a run found."""

    done: int = 0
    written: int = 0
    peak: int = 0
    slowest: dict[str, float] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        """Count one event of a worker."""
        if "finding" in event:
            self.findings.append(event)
        self.written += event.get("written", 0)
        self.peak = max(self.peak, event.get("peak", 0))
        for what, seconds in event.get("slowest", {}).items():
            self.slowest[what] = max(seconds, self.slowest.get(what, 0))


def _batch(seeds_file: Path, seed: int, start: int, stop: int, deadline: float) -> list[dict[str, Any]]:
    """Run a batch to its end, over as many crashes as there are."""
    events: list[dict[str, Any]] = []
    while start < stop and time.time() < deadline:
        command = [sys.executable, "-m", "tests.fuzzing", "--worker", str(seeds_file), str(seed), str(start), str(stop)]
        done = subprocess.run(
            [*command, str(deadline)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        here = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        events += here
        if done.returncode == 0:
            break
        last = max((event["at"] for event in here if "at" in event), default=None)
        if last is None:
            raise RuntimeError(f"the fuzzing process did not start:\n{done.stderr}")
        if done.returncode != TOO_MUCH_MEMORY:
            events.append(
                {"finding": f"process died ({done.returncode}): {done.stderr[-1500:]}", "index": last, "name": ""}
            )
        start = last + 1
    return events


def run(
    count: int, *, seed: int = 0, seconds: float = 0, jobs: int = 0, cases: bool = True, keep: Path | None = None
) -> Outcome:
    """Run ``count`` mutated files (or as many as fit in ``seconds``); findings go to files in ``keep``."""
    outcome = Outcome()
    jobs = jobs or os.cpu_count() or 1
    deadline = time.time() + (seconds or 10**9)
    size = max(1, min(BATCH, -(-count // jobs)))
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        seeds = gather(cases=cases)
        seeds_file = Path(folder, "seeds")
        seeds_file.write_bytes(pickle.dumps(seeds))
        starts = range(0, count, size)
        for events in pool.map(
            lambda start: _batch(seeds_file, seed, start, min(start + size, count), deadline), starts
        ):
            for event in events:
                outcome.take(event)
                outcome.done += "at" in event
        if keep is not None:
            _store(outcome, seeds, seed, keep)
    return outcome


def _store(outcome: Outcome, seeds: list[tuple[str, bytes]], seed: int, folder: Path) -> None:
    for finding in outcome.findings:
        folder.mkdir(parents=True, exist_ok=True)
        _, name, data = case(seeds, seed, finding["index"])
        path = folder / f"{seed}-{finding['index']}"
        path.with_suffix(".bin").write_bytes(data)
        path.with_suffix(".txt").write_text(f"{name}\n{finding['finding']}\n", encoding="utf-8")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=0, help="mutated files (default 20000, or all that --seconds allow)"
    )
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other files")
    parser.add_argument("--jobs", type=int, default=0, help="processes (default: one for each core)")
    parser.add_argument(
        "--keep", type=Path, default=Path(tempfile.gettempdir(), "fuzz-findings"), help="where findings go"
    )
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        file, seed, start, stop, deadline = given.worker
        return worker(Path(file), int(seed), int(start), int(stop), float(deadline))
    began = time.monotonic()
    count = given.count or (2_000_000 if given.seconds else 20_000)
    outcome = run(count, seed=given.seed, seconds=given.seconds, jobs=given.jobs, keep=given.keep)
    slowest = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in sorted(outcome.slowest.items()))
    print(f"{outcome.done} files in {time.monotonic() - began:.0f} s, {outcome.written} of them labelled")
    print(f"slowest calls (CPU): {slowest}; peak memory {outcome.peak >> 20} MB")
    for message, times in Counter(finding["finding"] for finding in outcome.findings).most_common(40):
        print(f"FINDING x{times}: {message}")
    if outcome.findings:
        print(f"the inputs are in {given.keep}")
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
