"""Pools of workers. A pool has slots, each with one worker and a short queue; if a worker dies, its task comes back.

``InlineWorker`` works in this process, ``ProcessPool`` in processes of this machine, and
:mod:`labeling.batch.ray_workers` on a Ray cluster.
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
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from labeling.batch import run_lock
from labeling.batch.job import Job
from labeling.batch.safe_spawn import safe_path
from labeling.batch.storage import Folder
from labeling.batch.task import Outcome, Task
from labeling.batch.work import Worker
from labeling.errors import LabelingError

QUEUE_DEPTH = 2
"""Small files that a worker has at a time: one in work, and one so that it need not wait for the next."""

MAX_FAILED_STARTS = 3
"""Workers in a row that may die before they are ready. After that, something is wrong with all of them."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "AIGC_LABEL_OCR_THREADS")
"""Environment variables that limit the threads of a worker's libraries."""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker died.

    Attributes:
        task: What it was processing, if anything.
        others: Tasks in its queue that it had not begun.
        exit_reason: Why it died, in words.
    """

    task: Task | None
    others: tuple[Task, ...]
    exit_reason: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Tasks that a worker has not begun, and that another may do sooner."""

    tasks: tuple[Task, ...]


Event = Outcome | WorkerLost | GivenBack
"""What a pool reports."""


@dataclass(eq=False, slots=True)
class WorkerSlot:
    """A worker and its queue.

    Attributes:
        tasks: What it was given and has not finished; the first is in work.
        ready: The worker has started and takes tasks.
        exclusive: It takes nothing else until its task is done.
        since: When it began its current task (monotonic clock).
        depth: How many small files it may have at a time.
    """

    tasks: deque[Task] = field(default_factory=deque)
    ready: bool = False
    exclusive: bool = False
    since: float = 0.0
    depth: int = QUEUE_DEPTH

    def has_room(self, *, exclusive: bool) -> bool:
        """Return whether another task may be put in the queue."""
        return self.ready and not self.exclusive and len(self.tasks) < (1 if exclusive else self.depth)


Slot = TypeVar("Slot", bound=WorkerSlot)


class WorkerPool(ABC, Generic[Slot]):
    """What every engine provides. ``collect`` returns outcomes and lost workers, which are replaced.

    Args:
        job: What is to be done with every file.
        size: Number of workers.
        timeout: Seconds that a file may take; ``None`` for no limit.
    """

    def __init__(self, job: Job, size: int, timeout: float | None) -> None:
        self._job, self._timeout = job, timeout
        self.size = size
        self.failed_starts = 0
        self.slots: list[Slot] = [self.start_worker() for _ in range(size)]

    @abstractmethod
    def start_worker(self) -> Slot:
        """Start a worker, and return its slot."""

    @abstractmethod
    def send(self, slot: Slot, task: Task) -> None:
        """Hand a task to a slot's worker."""

    @abstractmethod
    def collect(self, timeout: float) -> list[Event]:
        """Wait up to ``timeout`` seconds, and return what is finished or lost. Raises :class:`LabelingError`."""

    @abstractmethod
    def close(self, *, kill: bool = False) -> None:
        """End the workers; with ``kill`` at once, without waiting for the files in flight."""

    def submit(self, task: Task, *, exclusive: bool) -> bool:
        """Give a task to the worker with the shortest queue.

        Args:
            task: The task.
            exclusive: The worker gets nothing else until it is done.

        Returns:
            ``False`` if no worker has room.
        """
        free = [slot for slot in self.slots if slot.has_room(exclusive=exclusive)]
        if not free:
            return False
        slot = min(free, key=lambda each: len(each.tasks))
        if not slot.tasks:
            slot.since = time.monotonic()
        slot.tasks.append(task)
        slot.exclusive = exclusive
        self.send(slot, task)
        return True

    @property
    def pending(self) -> int:
        """Number of tasks that were given out and are not finished."""
        return sum(len(slot.tasks) for slot in self.slots)

    @property
    def exclusive_workers(self) -> int:
        """Number of workers with a task that they do exclusively."""
        return sum(slot.exclusive for slot in self.slots)

    def _finished(self, slot: Slot, outcome: Outcome) -> Outcome:
        slot.tasks.popleft()
        slot.exclusive, slot.since = False, time.monotonic()
        return outcome

    def _is_late(self, slot: Slot) -> bool:
        return bool(self._timeout and slot.tasks and time.monotonic() - slot.since > self._timeout)

    def _too_slow(self) -> str:
        return f"it took longer than {self._timeout:.0f} s; `timeout` gives more"

    def _lost(self, slot: Slot, exit_reason: str) -> WorkerLost:
        """Replace a worker. Raises :class:`LabelingError` if workers die before they have done anything."""
        self.failed_starts = 0 if slot.ready else self.failed_starts + 1
        if self.failed_starts >= MAX_FAILED_STARTS:
            raise LabelingError(
                f"workers exit before they are ready ({exit_reason})", hint="try `workers=1`, or give each less memory"
            )
        tasks = list(slot.tasks)
        self.slots[self.slots.index(slot)] = self.start_worker()
        return WorkerLost(tasks[0] if tasks else None, tuple(tasks[1:]), exit_reason)


class InlineWorker(WorkerPool[WorkerSlot]):
    """Works in this process: for storage that only this process can see, and for debugging."""

    def __init__(self, job: Job, size: int, timeout: float | None) -> None:
        self._worker = Worker(job)
        super().__init__(job, 1, None)

    def start_worker(self) -> WorkerSlot:
        """Return the only slot."""
        return WorkerSlot(ready=True)

    def send(self, slot: WorkerSlot, task: Task) -> None:
        """Do nothing: ``collect`` does the work."""

    def collect(self, timeout: float) -> list[Event]:
        """Process the next task."""
        slot = self.slots[0]
        return [self._finished(slot, self._worker.run(slot.tasks[0]))] if slot.tasks else []

    def close(self, *, kill: bool = False) -> None:
        """Do nothing: there is no process to end."""


@dataclass(eq=False, slots=True, kw_only=True)
class _ProcessSlot(WorkerSlot):
    process: SpawnProcess
    pipe: Connection[Any, Any]


class ProcessPool(WorkerPool[_ProcessSlot]):
    """Processes of this machine. They are spawned, not forked, so they inherit no lock and no thread."""

    def start_worker(self) -> _ProcessSlot:
        """Start a process, and return its slot."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_worker_main, args=(theirs, self._job), name="aigc-label worker", daemon=True)
        with safe_path():
            process.start()
        theirs.close()
        return _ProcessSlot(process=process, pipe=ours)

    def send(self, slot: _ProcessSlot, task: Task) -> None:
        """Send a task to a process."""
        with contextlib.suppress(OSError):  # the process is dead; collect will notice
            slot.pipe.send(task)

    def collect(self, timeout: float) -> list[Event]:
        """Wait up to ``timeout`` seconds, and return what is finished or lost. Raises :class:`LabelingError`."""
        events: list[Event] = []
        by_handle: dict[Any, _ProcessSlot] = {}
        for slot in self.slots:
            by_handle[slot.pipe] = by_handle[slot.process.sentinel] = slot
        ready = wait(by_handle, timeout)
        for slot in dict.fromkeys(by_handle[handle] for handle in ready):
            events += self._receive(slot)
        for slot in list(self.slots):
            if self._is_late(slot):
                slot.process.kill()
                slot.process.join()
                events += self._receive(slot, self._too_slow())
        return events

    def _receive(self, slot: _ProcessSlot, exit_reason: str = "") -> Iterable[Outcome | WorkerLost]:
        """Yield all that a worker has sent, and its loss if it has died.

        A worker sends ``None`` when it is ready, an :class:`Outcome` for each task, or a text if it cannot start.
        """
        dead = not slot.process.is_alive()  # asked first: then everything that it sent before its end is in the pipe
        try:
            while slot.pipe.poll():
                message = slot.pipe.recv()
                if isinstance(message, Outcome):
                    yield self._finished(slot, message)
                elif message is None:
                    slot.ready, self.failed_starts = True, 0
                else:
                    raise LabelingError(message)
        except (EOFError, OSError):
            slot.process.join(5)
            slot.process.kill()  # without its pipe it is of no use
            slot.process.join()
            dead = True
        if dead:
            slot.pipe.close()
            pid = slot.process.pid
            if slot.tasks and isinstance(self._job.output, Folder) and pid is not None:
                self._job.output.remove_leftovers(slot.tasks[0].item.path, pid)
            yield self._lost(slot, exit_reason or _exit_reason(slot.process.exitcode))

    def close(self, *, kill: bool = False) -> None:
        """End the processes; with ``kill`` at once, without waiting for the files in flight."""
        for slot in self.slots:
            if kill:
                slot.process.kill()
            else:
                with contextlib.suppress(OSError):
                    slot.pipe.send(None)
        for slot in self.slots:
            slot.process.join(5)
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join()
            slot.pipe.close()


def _exit_reason(code: int | None) -> str:
    if code is not None and code < 0:
        name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
        return f"{name}, perhaps for lack of memory" if name == "SIGKILL" else name
    return f"exit code {code}"


def _worker_main(pipe: Connection[Any, Any], job: Job) -> None:
    """Run a process of the pool, from its start to its end."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the run decides when to stop, and lets workers finish their files
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, str(job.threads))
    lock = run_lock.acquire_shared(job.folder) if job.folder is not None else None
    with lock or contextlib.nullcontext(), contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            worker = Worker(job)
        except LabelingError as error:
            pipe.send(str(error))
            return
        pipe.send(None)
        while (task := pipe.recv()) is not None:
            pipe.send(worker.run(task))


def _exit_with_parent() -> None:
    """End this process as soon as the run ends: nobody would take its result, and another run may use the folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
