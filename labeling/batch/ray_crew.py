"""A crew on a Ray cluster: one actor for each worker, wherever the cluster has a processor free.

Only the names of files travel; nodes read and write them on the shared folder or object store themselves, and make
their own labeler. An actor that is lost with its node is replaced on another; what it was at comes back to the session,
which keeps the one journal. So a lost node costs the files in flight a second try, and there is one result for each.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from dataclasses import dataclass, field, replace
from typing import Any

from labeling.batch.crew import Crew, Hand, Lost
from labeling.batch.task import Outcome, Task
from labeling.batch.work import Job, Worker
from labeling.errors import LabelingError, MissingDependency


@dataclass(eq=False, slots=True)
class _Actor(Hand):
    actor: Any = None
    refs: list[Any] = field(default_factory=list)


class _Remote:
    """The actor: a worker on some node. What it cannot be made for is told when it is asked whether it is ready."""

    def __init__(self, job: Job) -> None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "AIGC_LABEL_OCR_THREADS"):
            os.environ[name] = str(job.threads)
        self._worker: Worker | None = None
        self._broken = ""
        try:
            self._worker = Worker(job)
        except LabelingError as error:
            self._broken = str(error)

    def ready(self) -> str:
        """Nothing, or what is wrong."""
        return self._broken

    def do(self, task: Task) -> Outcome:
        """Do a task, on this node."""
        assert self._worker is not None
        return self._worker.do(task)


class RayCrew(Crew):
    """Raises :class:`MissingDependency` without Ray, :class:`LabelingError` if the cluster cannot be reached."""

    def __init__(self, job: Job, size: int, timeout: float | None, address: str | None) -> None:
        try:
            import ray
        except ImportError:
            raise MissingDependency("--engine ray needs Ray: pip install 'aigc-labeling[ray]'") from None
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            try:
                ray.init(
                    address=address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    include_dashboard=False if not address else None,
                )
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                reason = " ".join(str(error).split())[:200]
                raise LabelingError(f"the Ray cluster {address or ''} cannot be reached ({reason})") from error
        self._kind: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Remote)
        super().__init__(replace(job, folder=None), size, timeout)

    def _hire(self) -> _Actor:
        actor = self._kind.remote(self._job)
        return _Actor(actor=actor, refs=[actor.ready.remote()], since=time.monotonic())

    def _send(self, hand: _Actor, task: Task) -> None:
        hand.refs.append(hand.actor.do.remote(task))

    def collect(self, timeout: float) -> list[Outcome | Lost]:
        first = {hand.refs[0]: hand for hand in self.hands if hand.refs}
        if not first:
            time.sleep(timeout)
            return []
        found: list[Outcome | Lost] = []
        done, _ = self._ray.wait(list(first), num_returns=1, timeout=timeout)
        if done:  # and whatever else is there already
            done, _ = self._ray.wait(list(first), num_returns=len(first), timeout=0)
        for ref in done:
            hand = first[ref]
            try:
                said = self._ray.get(ref)
            except (self._ray.exceptions.RayActorError, self._ray.exceptions.WorkerCrashedError,
                    self._ray.exceptions.NodeDiedError, self._ray.exceptions.OwnerDiedError) as error:  # fmt: skip
                found.append(self._lost(hand, _why(error)))
                continue
            hand.refs.pop(0)
            if isinstance(said, Outcome):
                found.append(self._finished(hand, said))
            elif said:
                raise LabelingError(said)
            else:
                hand.ready, self._stillborn = True, 0
        for hand in list(self.hands):
            if self._late(hand):
                self._ray.kill(hand.actor)
                found.append(self._lost(hand, f"it took longer than {self._timeout:.0f} s; --timeout gives more"))
        return found

    def close(self, *, kill: bool = False) -> None:
        for hand in self.hands:
            with contextlib.suppress(Exception):
                self._ray.kill(hand.actor)
        if self._ours:
            self._ray.shutdown()


def _why(error: Exception) -> str:
    return f"its node or process was lost: {' '.join(str(error).split())[:160]}"
