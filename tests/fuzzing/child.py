"""Child processes that put files through the verbs, and the parent's side of them.

A child takes one task at a time as a line of JSON, and says before each verb which one comes, so that the parent knows
where it died. It lives on over as many files as it survives. It has ADDRESS_SPACE to itself, and ALARM seconds of CPU
for a verb: then the kernel ends it, behind a traceback on its standard error.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from .check import MAX_MEMORY, MAX_SECONDS, Targets, forget_peak, peak, plan, trial
from .mutate import mutate
from .seeds import ROOT

ADDRESS_SPACE = 3 << 29
ALARM = MAX_SECONDS + 1
SILENCE = 180
"""Wall-clock seconds after which a child is given up: a call that hangs without using CPU ends only so."""

GROWN = 420 << 20
"""Resident bytes at which a child is replaced: what coders keep from earlier files is not the next one's doing."""

LEFT = 75
"""Exit status of a child that has grown too much, and ended between two files."""

_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "AIGC_LABEL_OCR_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}

Seeds = list[tuple[str, bytes]]


def case(seeds: Seeds, seed: int, index: int) -> tuple[str, bytes]:
    """The mutated file of this number: the same for the same seeds."""
    return mutate(Random(f"{seed}:{index}"), seeds)


def serve(seeds_file: Path) -> int:
    """The child's side: tasks from standard input until it ends."""
    seeds: Seeds = pickle.loads(seeds_file.read_bytes())
    _limit()
    faulthandler.enable()
    targets = Targets()
    try:
        for line in sys.stdin:
            _say(**_done(targets, seeds, json.loads(line)))
            if _resident() > GROWN:
                return LEFT
    finally:
        targets.close()
    return 0


def _done(targets: Targets, seeds: Seeds, task: dict[str, Any]) -> dict[str, Any]:
    if "file" in task:
        name, data, verbs, pixels = task["name"], Path(task["file"]).read_bytes(), task["verbs"], False
    else:
        _say(verb="mutate")
        name, data = case(seeds, task["seed"], task["index"])
        pixels, verbs = plan(task["seed"], task["index"])
    findings, written, most = [], [], 0
    targets.slowest.clear()
    for verb in verbs:
        _say(verb=verb)
        forget_peak()
        _alarm(ALARM)
        gave, finding = trial(targets, verb, data, name)
        _alarm(0)
        most = max(most, peak())
        if finding:
            findings.append({"verb": verb, "finding": finding})
        elif peak() > MAX_MEMORY:
            findings.append({"verb": verb, "finding": f"memory: peak of {peak() >> 20} MB"})
        if gave:
            written.append(verb)
    return {"done": name, "findings": findings, "written": written, "peak": most, "pixels": pixels, "size": len(data),
            "slowest": dict(targets.slowest)}  # fmt: skip


def _say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.register(signal.SIGPROF, chain=True)


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Child:
    """The parent's side: a child that is started when it is needed, and again after it died."""

    def __init__(self, seeds_file: Path) -> None:
        self._seeds_file = seeds_file
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this object
        self._buffer = b""
        self.deaths = 0

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._errors.close()

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # type: ignore[union-attr]
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()  # type: ignore[union-attr]
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            self._errors.seek(0)
            self._errors.truncate()
            self._buffer = b""
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.fuzzing", "--child", str(self._seeds_file)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for the parent
                env={
                    **os.environ,
                    **_ENVIRONMENT,
                    "TMPDIR": str(self._seeds_file.parent),
                },  # what a dead one leaves goes too
            )
        return self._process

    def ask(self, task: dict[str, Any]) -> dict[str, Any]:
        """Run a task; if the child dies or is silent, that is the finding."""
        for _ in range(2):
            process = self._start()
            try:
                process.stdin.write(json.dumps(task).encode() + b"\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                break
            except BrokenPipeError:
                process.wait()  # it left after its last task
        verb = "start"
        while True:
            line = self._line(process)
            if line is None:
                break
            event: dict[str, Any] = json.loads(line)
            if "done" in event:
                return event
            verb = event["verb"]
        if process.poll() is None:
            process.kill()
        status = process.wait()
        if status == LEFT and verb == "start":
            return self.ask(task)
        if verb == "start":
            raise RuntimeError(f"the fuzzing process did not start:\n{self._trace()}")
        self.deaths += 1
        how = {
            -signal.SIGPROF: f"hang: more than {ALARM:.0f} s of CPU",
            -signal.SIGKILL: f"hang: silent for {SILENCE} s",
        }
        finding = f"{how.get(-abs(status), f'process died ({status})')}{self._where()}"
        return {"done": "", "findings": [{"verb": verb, "finding": finding, "trace": self._trace()}]}

    def _line(self, process: subprocess.Popen[bytes]) -> bytes | None:
        end = time.monotonic() + SILENCE
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([process.stdout.fileno()], [], [], max(0, end - time.monotonic()))  # type: ignore[union-attr]
            more = os.read(process.stdout.fileno(), 1 << 16) if ready else b""  # type: ignore[union-attr]
            if not more:
                return None
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _trace(self) -> str:
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 6000))
        return self._errors.read().decode(errors="replace")

    def _where(self) -> str:
        """The innermost line of the library in the traceback that the child left."""
        for line in self._trace().rpartition("most recent call first")[2].splitlines():
            if "/labeling/" in line and "File " in line:
                path, _, rest = line.partition('"')[2].partition('", line ')
                return f" at {Path(path).name}:{rest.split(' ')[0]}"
        return ""
