"""One run of the batch verb, or of a bare loop over the library verb, in a process of its own.

Prints the seconds of the work, start-up of workers included, the peak memory of this process in bytes, and the seconds
of processor time that it took itself, as JSON. Linux only.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from functools import partial
from pathlib import Path

import labeling
from benchmarks import PRODUCER
from labeling.batch.options import DEPTHS


def make(cert: Path | None, key: Path | None, *, visible: bool) -> labeling.Labeler:
    """The labeler, in whichever process calls it."""
    signer = labeling.Signer.from_pem(cert.read_bytes(), key.read_bytes()) if cert and key else None
    return labeling.Labeler(producer=PRODUCER, signer=signer, visible=visible)


def bare(source: Path, target: Path, labeler: labeling.Labeler) -> int:
    """The loop that anybody would write first."""
    count = 0
    for path in source.rglob("*.*"):
        goal = target / path.relative_to(source)
        goal.parent.mkdir(parents=True, exist_ok=True)
        labeler.label_file(path, goal)
        count += 1
    return count


def _peak() -> int:
    """The most memory that this process has held. Not ``ru_maxrss``: that begins with what its parent held."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--cert", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--no-visible", action="store_true")
    parser.add_argument("--check-outputs", choices=DEPTHS)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    labeler = partial(make, arguments.cert, arguments.key, visible=not arguments.no_visible)
    start = time.perf_counter()
    if arguments.bare:
        count = bare(arguments.source, arguments.target, labeler())
    else:
        from labeling import batch

        work: dict[str, object] = {"verify": batch.Check(visible=False)} if arguments.verify else {"labeler": labeler}
        work["check_outputs"] = arguments.check_outputs
        done = batch.run(arguments.source, arguments.target, workers=arguments.workers, **work)  # type: ignore[arg-type]
        count = done.summary["statuses"]["verified" if arguments.verify else "labelled"]
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    json.dump({"seconds": seconds, "peak": _peak(), "count": count, "cpu": used.ru_utime + used.ru_stime}, sys.stdout)


if __name__ == "__main__":
    main()
