"""A crew on a Ray cluster: one actor for each worker, wherever the cluster has a processor free.

Only the names of files travel; nodes read and write them on the shared folder or object store themselves, and make
their own labeler. An actor that is lost with its node is replaced on another; what it was at comes back to the session,
which keeps the one journal. So a lost node costs the files in flight a second try, and there is one result for each.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from labeling._version import __version__
from labeling.batch import run_lock
from labeling.batch._ray import connect
from labeling.batch.resources import default_workers
from labeling.batch.storage import Folder
from labeling.batch.task import Outcome, Task
from labeling.batch.work import Job, Worker
from labeling.batch.workers import Crew, Hand, Lost
from labeling.errors import LabelingError

PATIENCE = 600.0
"""Seconds without a single worker after which the run ends: an autoscaler may need minutes to bring a machine."""

SILENCE = 5.0
"""After so many seconds without a result it is asked whether this process's own node is still there."""

NODES = 3
"""A node's end is not the fault of the files it was at, unless so many nodes ended with the same one."""


@dataclass(eq=False, slots=True)
class _Actor(Hand):
    """``doubt``: it may be gone. Then all that is wanted of it is an answer, or Ray's word that it is dead."""

    actor: Any = None
    refs: list[Any] = field(default_factory=list)
    node: str = ""
    doubt: bool = False


class _Remote:
    """The actor: a worker on some node. What it cannot be made for is told when it is asked whether it is ready."""

    def __init__(self, job: Job, version: str) -> None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "AIGC_LABEL_OCR_THREADS"):
            os.environ[name] = str(job.threads)
        self._worker: Worker | None = None
        self._problem = ""
        try:
            _check(job, version)
            if job.folder is not None and job.folder.is_dir():  # then no other run begins before this process is gone
                with contextlib.suppress(OSError):  # unless it is not ours to write to
                    self._present = run_lock.join(job.folder)
            self._worker = Worker(job)
        except LabelingError as error:
            self._problem = str(error)

    def ready(self) -> tuple[str, str]:
        """What is wrong, or nothing; and the node's id."""
        import ray

        return self._problem, ray.get_runtime_context().get_node_id()

    def do(self, task: Task) -> Outcome:
        """Do a task, on this node."""
        assert self._worker is not None
        return self._worker.do(task)


def _check(job: Job, version: str) -> None:
    """Whether this node is of use. Raises :class:`LabelingError`: a folder of the same name may be another one."""
    if __version__ != version:
        raise LabelingError(f"{_host()} has aigc-labeling {__version__}, not {version}; install the same on all nodes")
    shared = [job.source.root] if isinstance(job.source, Folder) else []
    if isinstance(job.output, Folder) and job.folder is not None and job.output.root in job.folder.parents:
        shared.append(job.folder / run_lock.LOCK)  # the run has put it into its target
    for path in shared:
        if not path.exists():
            raise LabelingError(
                f"{_host()} does not see {path}; mount the folder at the same place on all nodes, or use s3://"
            )


class RayCrew(Crew):
    """``size`` of ``None`` means all processors that the cluster has.

    Raises :class:`MissingDependency` without Ray, :class:`LabelingError` if the cluster cannot be reached.
    """

    def __init__(self, job: Job, size: int | None, timeout: float | None, address: str | None) -> None:
        own = size or default_workers(reads_text=job.check is not None and job.check.visible)
        self._ray, self._ours = connect(address, own)
        self._kind: Any = self._ray.remote(
            num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
        )(_Remote)  # fmt: skip
        self._node = self._ray.get_runtime_context().get_node_id()
        self._served = self._asked = time.monotonic()
        self._bereaved: Counter[str] = Counter()
        self._untidy: set[str] = set()
        size = size or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        super().__init__(replace(job, source=_whole(job.source), target=_whole(job.target), threads=1), size, timeout)

    def _hire(self) -> _Actor:
        actor = self._kind.remote(self._job, __version__)
        return _Actor(actor=actor, refs=[actor.ready.remote()], since=time.monotonic())

    def _send(self, hand: _Actor, task: Task) -> None:
        hand.refs.append(hand.actor.do.remote(task))

    def collect(self, timeout: float) -> list[Outcome | Lost]:
        first = {hand.refs[0]: hand for hand in self.hands if hand.refs}
        if not first:
            time.sleep(timeout)
            return []
        done, _ = self._ray.wait(list(first), num_returns=1, timeout=timeout)
        if done:  # and whatever else is there already
            done, _ = self._ray.wait(list(first), num_returns=len(first), timeout=0)
        found = [said for ref in done if (said := self._heard(first[ref])) is not None]
        late = [hand for hand in self.hands if self._late(hand) and not hand.doubt]
        found += [self._gone(hand, f"it took longer than {self._timeout:.0f} s; --timeout gives more") for hand in late]
        self._stay(quiet=not found)
        return found

    def _heard(self, hand: _Actor) -> Outcome | Lost | None:
        """What has come of the oldest call. Raises :class:`LabelingError` where no worker would do better."""
        errors = self._ray.exceptions
        try:
            said = self._ray.get(hand.refs[0])
        except errors.ActorUnavailableError:
            # Perhaps only the connection is gone, and it is still writing. It does one thing after the other: once it
            # answers, or is known to be dead, nobody is at its files any more.
            hand.doubt, hand.ready = True, False
            hand.refs = [hand.actor.ready.remote()]
            return None
        except errors.RayTaskError as error:
            raise _ours(error) from error
        except errors.RayError as error:
            if getattr(error, "actor_init_failed", False):
                raise _ours(error) from error
            return self._gone(hand, _why(error))
        if hand.doubt:
            return self._gone(hand, "the connection to it was lost")
        hand.refs.pop(0)
        if isinstance(said, Outcome):
            return self._finished(hand, said)
        problem, hand.node = said
        if problem:
            raise LabelingError(problem)
        hand.ready, self._stillborn = True, 0
        return None

    def _gone(self, hand: _Actor, why: str) -> Lost:
        """Replace a hand. What it had may all be begun: a result that it gave may be lost with it."""
        with contextlib.suppress(Exception):
            self._ray.kill(hand.actor)
        tasks = [replace(task, doubt=True) for task in hand.tasks]
        self._untidy |= {task.item.path for task in tasks}
        hand.ready = bool(hand.node)
        self._lost(hand, why)
        if tasks and self._fell(hand.node):
            self._bereaved[tasks[0].item.path] += 1
            if self._bereaved[tasks[0].item.path] < NODES:
                return Lost(None, tuple(tasks), "its node was lost")
        return Lost(tasks[0] if tasks else None, tuple(tasks[1:]), why)

    def _fell(self, node: str) -> bool:
        return any(each["NodeID"] == node and not each["Alive"] for each in self._ray.nodes())

    def _stay(self, *, quiet: bool) -> None:
        """Raises :class:`LabelingError` where there is nothing to wait for."""
        now = time.monotonic()
        if not quiet:
            self._asked = now
        elif now - self._asked > SILENCE:
            self._asked = now
            if self._fell(self._node):  # then Ray would say nothing more to this process
                raise LabelingError(
                    "the node of the Ray cluster that this run was connected to is lost; run again, by way of another "
                    "node or with --engine local, and it goes on where it was"
                )
        if any(hand.ready for hand in self.hands):
            self._served = now
        elif now - self._served > PATIENCE:
            total, free = (int(found().get("CPU", 0)) for found in
                           (self._ray.cluster_resources, self._ray.available_resources))  # fmt: skip
            raise LabelingError(
                f"the Ray cluster has had no processor for a worker in {PATIENCE / 60:.0f} minutes ({total} in all, "
                f"{free} free); add a node or end other work on it, then run again"
            )

    def close(self, *, kill: bool = False) -> None:
        for hand in self.hands:
            with contextlib.suppress(Exception):
                self._ray.kill(hand.actor)
        if self._ours:
            self._ray.shutdown()
        if isinstance(self._job.output, Folder):  # not before: a process may have the same number on another node
            for path in self._untidy:
                self._job.output.sweep(path)


def _whole(place: Any) -> Any:
    """A folder by its whole path: processes of the cluster have another working directory."""
    return Folder(place.root.absolute()) if isinstance(place, Folder) else place


def _host() -> str:
    import socket

    return f"the node {socket.gethostname()}"


def _why(error: Exception) -> str:
    """Ray's reason in a line, without ids and advice."""
    text = " ".join(str(error).split())
    for start in ("Worker exit detail: ", "The actor died because ", "The actor is dead because "):
        text = text.rpartition(start)[2]
    return f"its process on the cluster was lost: {text.partition('. ')[0].rstrip('.')[:160]}"


def _ours(error: Exception) -> LabelingError:
    reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), "no reason is given")
    return LabelingError(f"a worker on the cluster fails ({reason.strip()[:300]}); is aigc-labeling on all nodes?")
