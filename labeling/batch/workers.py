"""Who does the tasks. A crew is a number of hands, each with a short queue; a hand may die, its task then comes back.

``Inline`` works in this process, ``Pool`` in processes of this machine; :mod:`labeling.batch.ray_crew` on a cluster.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from labeling.batch import run_lock
from labeling.batch.storage import Folder
from labeling.batch.task import Outcome, Task
from labeling.batch.work import Job, Worker
from labeling.errors import LabelingError

DEPTH = 2
"""Small files that a hand has at a time: one it works on, and one so that it need not wait for us."""

BIRTHS = 3
"""So many hands in a row may die before they are ready; then something is wrong with all of them."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A hand died. ``culprit`` is what it was at, ``others`` had not been begun; ``why`` in words."""

    culprit: Task | None
    others: tuple[Task, ...]
    why: str


@dataclass(eq=False, slots=True)
class Hand:
    """One worker and what it has been given. ``alone``: it takes nothing else until that is done."""

    tasks: deque[Task] = field(default_factory=deque)
    ready: bool = False
    alone: bool = False
    since: float = 0.0

    def room(self, *, alone: bool) -> bool:
        """Whether another task may be given to it."""
        return self.ready and not self.alone and len(self.tasks) < (1 if alone else DEPTH)


class Crew(ABC):
    """The contract of an engine. ``collect`` gives outcomes and losses; whoever is lost is replaced."""

    def __init__(self, job: Job, size: int, timeout: float | None) -> None:
        self._job, self._timeout = job, timeout
        self.size = size
        self._stillborn = 0
        self.hands: list[Any] = [self._hire() for _ in range(size)]

    @abstractmethod
    def _hire(self) -> Any:
        """Start a hand."""

    @abstractmethod
    def _send(self, hand: Any, task: Task) -> None: ...

    @abstractmethod
    def collect(self, timeout: float) -> list[Outcome | Lost]:
        """Wait up to so many seconds, and give what is finished or lost. Raises :class:`LabelingError`."""

    @abstractmethod
    def close(self, *, kill: bool = False) -> None:
        """Let the hands go; ``kill`` does not wait for what they are at."""

    def submit(self, task: Task, *, alone: bool) -> bool:
        """Give the task to the hand that has least to do; ``False`` if none has room."""
        free = [hand for hand in self.hands if hand.room(alone=alone)]
        if not free:
            return False
        hand = min(free, key=lambda each: len(each.tasks))
        if not hand.tasks:
            hand.since = time.monotonic()
        hand.tasks.append(task)
        hand.alone = alone
        self._send(hand, task)
        return True

    @property
    def busy(self) -> int:
        """Tasks that are given and not back."""
        return sum(len(hand.tasks) for hand in self.hands)

    def alone(self) -> int:
        """Hands that are at a task of the kind that is done alone."""
        return sum(hand.alone for hand in self.hands)

    def _finished(self, hand: Hand, outcome: Outcome) -> Outcome:
        hand.tasks.popleft()
        hand.alone, hand.since = False, time.monotonic()
        return outcome

    def _late(self, hand: Hand) -> bool:
        return bool(self._timeout and hand.tasks and time.monotonic() - hand.since > self._timeout)

    def _lost(self, hand: Any, why: str) -> Lost:
        """Replace a hand. Raises :class:`LabelingError` if hands die before they have done anything."""
        self._stillborn = 0 if hand.ready else self._stillborn + 1
        if self._stillborn >= BIRTHS:
            raise LabelingError(f"the workers end before they begin ({why}); try --workers 1, or less memory for each")
        tasks = list(hand.tasks)
        self.hands[self.hands.index(hand)] = self._hire()
        return Lost(tasks[0] if tasks else None, tuple(tasks[1:]), why)


class Inline(Crew):
    """Works in this process: for places that only this process can see, and for debugging."""

    def __init__(self, job: Job, size: int, timeout: float | None) -> None:
        self._worker = Worker(job)
        super().__init__(job, 1, None)

    def _hire(self) -> Hand:
        return Hand(ready=True)

    def _send(self, hand: Hand, task: Task) -> None: ...

    def collect(self, timeout: float) -> list[Outcome | Lost]:
        hand = self.hands[0]
        return [self._finished(hand, self._worker.do(hand.tasks[0]))] if hand.tasks else []

    def close(self, *, kill: bool = False) -> None: ...


@dataclass(eq=False, slots=True)
class _Process(Hand):
    process: Any = None
    pipe: Connection[Any, Any] | Any = None


class Pool(Crew):
    """Processes of this machine. They are spawned, not forked: no lock and no thread comes along."""

    def _hire(self) -> _Process:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._job), name="aigc-label worker", daemon=True)
        process.start()
        theirs.close()
        return _Process(process=process, pipe=ours)

    def _send(self, hand: _Process, task: Task) -> None:
        with contextlib.suppress(OSError):  # it is dead; collect will find out
            hand.pipe.send(task)

    def collect(self, timeout: float) -> list[Outcome | Lost]:
        found: list[Outcome | Lost] = []
        by_handle: dict[Any, _Process] = {}
        for hand in self.hands:
            by_handle[hand.pipe] = by_handle[hand.process.sentinel] = hand
        ready = wait(by_handle, timeout)
        for hand in dict.fromkeys(by_handle[handle] for handle in ready):
            found += self._heard(hand)
        for hand in list(self.hands):
            if self._late(hand):
                hand.process.kill()
                hand.process.join()
                found += [*self._heard(hand, f"it took longer than {self._timeout:.0f} s; --timeout gives more")]
        return found

    def _heard(self, hand: _Process, why: str = "") -> Iterable[Outcome | Lost]:
        """All that a hand has said, and its end if it has come to that."""
        dead = not hand.process.is_alive()  # asked first: then what it said before its end is all there
        try:
            while hand.pipe.poll():
                said = hand.pipe.recv()
                if isinstance(said, Outcome):
                    yield self._finished(hand, said)
                elif said is None:
                    hand.ready, self._stillborn = True, 0
                else:
                    raise LabelingError(said)
        except (EOFError, OSError):
            hand.process.join(5)
            hand.process.kill()  # without its pipe it is of no use
            hand.process.join()
            dead = True
        if dead:
            hand.pipe.close()
            pid = hand.process.pid
            if hand.tasks and isinstance(self._job.output, Folder) and pid is not None:
                self._job.output.sweep(hand.tasks[0].item.path, pid)
            yield self._lost(hand, why or _death(hand.process.exitcode))

    def close(self, *, kill: bool = False) -> None:
        for hand in self.hands:
            if kill:
                hand.process.kill()
            else:
                with contextlib.suppress(OSError):
                    hand.pipe.send(None)
        for hand in self.hands:
            hand.process.join(5)
            if hand.process.is_alive():
                hand.process.kill()
                hand.process.join()
            hand.pipe.close()


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
        return f"{name}, perhaps for want of memory" if name == "SIGKILL" else name
    return f"exit code {code}"


def _work(pipe: Connection[Any, Any], job: Job) -> None:
    """The life of a process of the pool."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the run decides when to stop, and lets files be finished
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_watch, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "AIGC_LABEL_OCR_THREADS"):
        os.environ.setdefault(name, str(job.threads))
    here = run_lock.join(job.folder) if job.folder is not None else None
    with here or contextlib.nullcontext(), contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            worker = Worker(job)
        except LabelingError as error:
            pipe.send(str(error))
            return
        pipe.send(None)
        while (task := pipe.recv()) is not None:
            pipe.send(worker.do(task))


def _watch() -> None:
    """End at once when the run is killed: nobody would take the result, and another run may take the folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
