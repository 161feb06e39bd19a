"""A pool of workers on a Ray cluster: one actor per worker, wherever the cluster has a processor free.

Only the names of files travel. Nodes read and write the files on the shared folder or object store themselves, and make
their own labeler. An actor that is lost with its node is replaced on another node, and its tasks come back to the
session, which keeps the only journal. So the loss of a node costs the files in flight a second try, and each file still
has exactly one result.

A call of an actor takes about as much processor time as writing the metadata of a small file. So several small files
go into one call: as many as take :data:`CALL_SECONDS`, measured as the run goes on. If an actor dies with several
files, nobody knows which of them was to blame. Each is then given to an actor that has nothing else, and only what dies
there counts as a crash.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labeling._version import __version__
from labeling.batch import run_lock
from labeling.batch.job import Job
from labeling.batch.ray_cluster import connect, disconnect, head_address, head_answers
from labeling.batch.resources import default_workers
from labeling.batch.storage import Folder, Storage
from labeling.batch.task import Outcome, Task
from labeling.batch.work import Worker
from labeling.batch.workers import (
    QUEUE_DEPTH,
    THREAD_VARIABLES,
    Event,
    GivenBack,
    WorkerLost,
    WorkerPool,
    WorkerSlot,
)
from labeling.errors import LabelingError
from labeling.inert import without_secrets

NO_WORKER_TIMEOUT = 600.0
"""Seconds without a single worker after which the run ends: an autoscaler may need minutes to bring a machine."""

NODE_CHECK_INTERVAL = 5.0
"""Seconds without a result after which the pool asks whether the node that this process is connected to still lives."""

HEAD_TIMEOUT = 20.0
"""Seconds without the head of the cluster after which the run ends: one that is started anew needs a few."""

MAX_LOST_NODES = 3
"""Nodes that may be lost while they process the same file. Then the file is to blame; before that, the nodes are."""

CALL_SECONDS = 0.05
"""What a call of an actor should take: long against the call itself, and short for a user who waits for Ctrl-C."""

MAX_CALL_SECONDS = 0.25
"""Seconds after which an actor gives back the files of a call that it has not begun."""

MAX_CALL_FILES = 64
"""Files in one call, which are tried once more if the actor is lost with its answer."""


@dataclass(frozen=True, eq=False, slots=True)
class _Call:
    """A call of an actor that is not answered: Ray's reference to the answer, and the tasks in it."""

    answer: Any
    tasks: Sequence[Task] = ()


@dataclass(eq=False, slots=True)
class _ActorSlot(WorkerSlot):
    """An actor, the calls that it has not answered, and the tasks that are not sent yet.

    ``unreachable``: the connection to it was lost, and it may be gone. It gets no task until it answers or Ray reports
    its death.
    """

    actor: Any = None
    calls: list[_Call] = field(default_factory=list)
    unsent: list[Task] = field(default_factory=list)
    node: str = ""
    unreachable: bool = False


class _WorkerActor:
    """The actor: a worker on some node. If the worker cannot be made, :meth:`ready` returns the reason."""

    def __init__(self, job: Job, version: str) -> None:
        for name in THREAD_VARIABLES:
            os.environ[name] = str(job.threads)
        self._worker: Worker | None = None
        self._problem = ""
        try:
            check_node(job, version)
            if job.folder is not None and job.folder.is_dir():  # no other run begins before this process is gone
                with contextlib.suppress(OSError):  # unless this node may not write there
                    self._lock = run_lock.acquire_shared(job.folder)
            self._worker = Worker(job)
        except LabelingError as error:
            self._problem = str(error)

    def ready(self) -> tuple[str, str]:
        """Return what is wrong, or an empty text, and the node's id."""
        import ray

        return self._problem, ray.get_runtime_context().get_node_id()

    def run(self, tasks: Sequence[Task]) -> tuple[list[Outcome], float]:
        """Process tasks on this node, at least the first one, and return their outcomes and how long they took."""
        assert self._worker is not None
        outcomes: list[Outcome] = []
        start = time.perf_counter()
        seconds = 0.0
        for task in tasks:
            outcomes.append(self._worker.run(task))
            seconds = time.perf_counter() - start
            if seconds > MAX_CALL_SECONDS:
                break
        return outcomes, seconds


def check_node(job: Job, version: str) -> None:
    """Check that this node can take part in the run: the same version, and the same shared folders.

    Args:
        job: The run's job.
        version: The version of the process that started the run.

    Raises:
        LabelingError: The node cannot take part. A folder of the same name may be another folder.
    """
    if __version__ != version:
        raise LabelingError(
            f"{_this_node()} has aigc-labeling {__version__}, not {version}",
            hint="install the same version on all nodes",
        )
    shared = [job.source.root] if isinstance(job.source, Folder) else []
    if isinstance(job.output, Folder) and job.folder is not None and job.output.root in job.folder.parents:
        shared.append(job.folder / run_lock.LOCK)  # the run has made this file in its target
    for path in shared:
        if not path.exists():
            raise LabelingError(
                f"{_this_node()} does not see {path}",
                hint="mount the folder at the same place on all nodes, or use s3://",
            )


class RayWorkerPool(WorkerPool[_ActorSlot]):
    """Workers on a Ray cluster.

    Args:
        job: What is to be done with every file.
        size: Number of workers; ``None`` for as many as the cluster has processors.
        timeout: Seconds that a file may take; ``None`` for no limit.
        address: The cluster's address; ``None`` for ``RAY_ADDRESS``, or a cluster of our own.

    Raises:
        MissingDependency: Ray is not installed.
        LabelingError: The cluster cannot be reached.
    """

    def __init__(self, job: Job, size: int | None, timeout: float | None, address: str | None) -> None:
        own_size = size or default_workers(uses_ocr=job.uses_ocr)
        self._ray, self._owns_connection = connect(address, own_size)
        self._actor_class: Any = self._ray.remote(
            num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD", enable_task_events=False
        )(_WorkerActor)  # fmt: skip
        self._node = self._ray.get_runtime_context().get_node_id()
        self._head = head_address(self._ray)
        self._last_worker_seen = self._last_node_check = self._head_seen = time.monotonic()
        self._lost_nodes: Counter[str] = Counter()  # by the file that was in flight
        self._paths_with_leftovers: set[str] = set()
        self._call_files = 1
        size = size or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        target = None if job.target is None else _absolute(job.target)
        super().__init__(replace(job, source=_absolute(job.source), target=target, threads=1), size, timeout)

    def start_worker(self) -> _ActorSlot:
        """Start an actor, and return its slot."""
        actor = self._actor_class.remote(self._job, __version__)
        return _ActorSlot(actor=actor, calls=[_Call(actor.ready.remote())], since=time.monotonic())

    def submit(self, task: Task, *, exclusive: bool) -> bool:
        """Give a task to the actor with the shortest queue; alone, if a worker may have died of it."""
        return super().submit(task, exclusive=exclusive or task.interrupted)

    def send(self, slot: _ActorSlot, task: Task) -> None:
        """Note a task for the next calls of an actor, which are made when the pool collects."""
        slot.unsent.append(task)

    def _call_actors(self) -> None:
        for slot in self.slots:
            for start in range(0, len(slot.unsent), self._call_files):
                tasks = slot.unsent[start : start + self._call_files]
                slot.calls.append(_Call(slot.actor.run.remote(tasks), tasks))
            slot.unsent.clear()

    def collect(self, timeout: float) -> list[Event]:
        """Wait up to ``timeout`` seconds, and return what is finished or lost. Raises :class:`LabelingError`."""
        self._call_actors()
        oldest_calls = {slot.calls[0].answer: slot for slot in self.slots if slot.calls}
        if not oldest_calls:
            time.sleep(timeout)
            return []
        answered, _ = self._ray.wait(list(oldest_calls), num_returns=1, timeout=timeout)
        if answered:  # take whatever else has been answered
            answered, _ = self._ray.wait(list(oldest_calls), num_returns=len(oldest_calls), timeout=0)
        events = [event for call in answered for event in self._receive(oldest_calls[call])]
        late = [slot for slot in self.slots if self._is_late(slot) and not slot.unreachable]
        events += [self._replace(slot, self._too_slow(), slot.calls[0].tasks) for slot in late]
        self._check_cluster(quiet=not events)
        return events

    def _receive(self, slot: _ActorSlot) -> Iterator[Event]:
        """Take the answer to the oldest call. Raises :class:`LabelingError` if no other worker would do better."""
        errors = self._ray.exceptions
        call = slot.calls[0]
        try:
            answer = self._ray.get(call.answer)
        except errors.ActorUnavailableError:
            # Perhaps only the connection is lost, and the actor is still writing. It answers calls one after the
            # other: once it answers, or is known to be dead, nobody is at its files any more.
            slot.unreachable, slot.ready = True, False
            slot.calls = [_Call(slot.actor.ready.remote())]
            return
        except errors.RayTaskError as error:
            raise _worker_error(error) from error
        except errors.RayError as error:
            if getattr(error, "actor_init_failed", False):
                raise _worker_error(error) from error
            yield self._replace(slot, _exit_reason(error), slot.tasks)
            return
        if slot.unreachable:
            yield self._replace(slot, "the connection to it was lost", slot.tasks)
            return
        slot.calls.pop(0)
        if call.tasks:
            yield from self._take(slot, call, *answer)
            return
        problem, slot.node = answer
        if problem:
            raise LabelingError(problem)
        slot.ready, self.failed_starts = True, 0

    def _take(self, slot: _ActorSlot, call: _Call, outcomes: Sequence[Outcome], seconds: float) -> Iterator[Event]:
        """Yield the outcomes of a call and what it gives back, and set how many files the next ones have."""
        for outcome in outcomes:
            yield self._finished(slot, outcome)
        if len(outcomes) < len(call.tasks):
            yield GivenBack(tuple(slot.tasks.popleft() for _ in call.tasks[len(outcomes) :]))
        fitting = int(CALL_SECONDS * len(outcomes) / max(seconds, 1e-6))
        self._call_files = max(1, min(fitting, 2 * self._call_files, MAX_CALL_FILES))
        for each in self.slots:
            each.depth = QUEUE_DEPTH * self._call_files

    def _replace(self, slot: _ActorSlot, exit_reason: str, in_work: Sequence[Task]) -> WorkerLost:
        """Replace a worker. Any of its tasks may have been begun: a result that it sent may be lost with it.

        Args:
            slot: The worker.
            exit_reason: Why it is lost.
            in_work: What it may have been processing. If that is one file, it is charged with the loss.
        """
        with contextlib.suppress(Exception):
            self._ray.kill(slot.actor)
        tasks = [replace(task, interrupted=True) for task in slot.tasks]
        guilty = 1 if len(in_work) == 1 else 0
        self._paths_with_leftovers |= {task.item.path for task in tasks}
        slot.ready = bool(slot.node)
        self._lost(slot, exit_reason)
        if tasks and self._node_is_dead(slot.node):
            self._lost_nodes[tasks[0].item.path] += 1
            if self._lost_nodes[tasks[0].item.path] < MAX_LOST_NODES:
                return WorkerLost(None, tuple(tasks), "its node was lost")
        return WorkerLost(tasks[0] if guilty else None, tuple(tasks[guilty:]), exit_reason)

    def _node_is_dead(self, node: str) -> bool:
        """Return whether Ray knows that a node is lost; ``False`` while its head cannot be asked."""
        return head_answers(self._head) and any(
            each["NodeID"] == node and not each["Alive"] for each in self._ray.nodes()
        )

    def _check_cluster(self, *, quiet: bool) -> None:
        """Raise :class:`LabelingError` if there is nothing left to wait for.

        Args:
            quiet: Nothing was received this time.
        """
        now = time.monotonic()
        if not quiet:
            self._last_node_check = self._head_seen = now
        elif now - self._last_node_check > NODE_CHECK_INTERVAL:
            self._last_node_check = now
            if head_answers(self._head):
                self._head_seen = now
            elif now - self._head_seen > HEAD_TIMEOUT + NODE_CHECK_INTERVAL:
                raise LabelingError(
                    "the head of the Ray cluster that this run was connected to does not answer any more",
                    hint='run again when it is back, or with `engine="local"`, and it continues where it was',
                )
            if self._node_is_dead(self._node):  # then this process would hear nothing more from Ray
                raise LabelingError(
                    "the node of the Ray cluster that this run was connected to is lost",
                    hint='run again, by way of another node or with `engine="local"`, and it continues where it was',
                )
        if any(slot.ready for slot in self.slots):
            self._last_worker_seen = now
        elif now - self._last_worker_seen > NO_WORKER_TIMEOUT:
            total, free = (
                int(resources().get("CPU", 0))
                for resources in (self._ray.cluster_resources, self._ray.available_resources)
            )
            raise LabelingError(
                f"the Ray cluster has had no processor for a worker in {NO_WORKER_TIMEOUT / 60:.0f} minutes "
                f"({total} in all, {free} free)",
                hint="add a node or end other work on it, then run again",
            )

    def close(self, *, kill: bool = False) -> None:
        """End the actors, and the cluster if it is ours."""
        for slot in self.slots:
            with contextlib.suppress(Exception):
                self._ray.kill(slot.actor)
        if self._owns_connection:
            disconnect(self._ray)
        if isinstance(self._job.output, Folder):  # not before: another node may have a process with the same id
            for path in self._paths_with_leftovers:
                self._job.output.remove_leftovers(path)


def _absolute(storage: Storage) -> Storage:
    """Return a folder with its absolute path: processes of the cluster have another working directory."""
    return Folder(storage.root.absolute()) if isinstance(storage, Folder) else storage


def _this_node() -> str:
    import socket

    return f"the node {socket.gethostname()}"


def _exit_reason(error: Exception) -> str:
    """Return Ray's reason in one line, without ids and advice."""
    text = without_secrets(" ".join(str(error).split()))
    for start in ("Worker exit detail: ", "The actor died because ", "The actor is dead because "):
        text = text.rpartition(start)[2]
    return f"its process on the cluster was lost: {text.partition('. ')[0].rstrip('.')[:160]}"


def _worker_error(error: Exception) -> LabelingError:
    said = without_secrets(str(error)).splitlines()
    reason = next((line for line in reversed(said) if line.strip()), "no reason is given")
    return LabelingError(
        f"a worker on the cluster fails ({reason.strip()[:300]})", hint="is aigc-labeling installed on all nodes?"
    )
