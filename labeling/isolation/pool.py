"""Warm children, as many as there is work for and processors. Callers wait their turn: nothing is queued."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from labeling.isolation.channel import Message
from labeling.isolation.process import Child, Lost


class Pool:
    """Children that answer requests, from any thread.

    A process that was forked from this one gets children of its own.

    Args:
        target: What answers requests: ``module:function``, a :data:`labeling.isolation.child.Serve`.
        confined: Whether children lose network, files and environment.
        size: The most children at a time; by default one for each processor.
        environment: Variables that children get besides.
    """

    def __init__(
        self,
        target: str,
        *,
        confined: bool = True,
        size: int | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._target, self._confined, self._environment = target, confined, dict(environment)
        self._size = size or len(os.sched_getaffinity(0))
        self._forget()
        atexit.register(self.close)

    def _forget(self) -> None:
        self._process = os.getpid()
        self._turn = threading.Condition()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._starting = 0

    def ask(
        self,
        request: Message,
        payload: bytes | None = None,
        *,
        timeout: float,
        memory: int | None = None,
        on_note: Callable[[Message], None] = lambda _: None,
    ) -> Message:
        """Have a request answered by a child that is free, or by a new one.

        If a child that has read other files before is lost, for another reason than that the time is up, the request is
        made once more, of a new one: what earlier files left behind must not cost this one.

        Args:
            request: As in :meth:`Child.ask`.
            payload: As in :meth:`Child.ask`.
            timeout: As in :meth:`Child.ask`.
            memory: MiB of address space of the child.
            on_note: As in :meth:`Child.ask`; it hears of both.

        Raises:
            Lost: The child has ended without an answer.
            LabelingError: No child can be started.
        """
        fresh = False
        while True:
            with self._child(memory, fresh=fresh) as child:
                used = child.served
                try:
                    return child.ask(request, payload, timeout=timeout, on_note=on_note)
                except Lost as lost:
                    if lost.spent or not used:
                        raise
                    fresh = True

    @contextlib.contextmanager
    def _child(self, memory: int | None, *, fresh: bool) -> Iterator[Child]:
        child = self._take(memory, fresh=fresh)
        try:
            yield child
        finally:
            with self._turn:
                self._busy.discard(child)
                if child.is_alive():
                    self._idle.append(child)
                self._turn.notify()

    def _take(self, memory: int | None, *, fresh: bool) -> Child:
        if self._process != os.getpid():
            self._forget()
        with self._turn:
            while True:
                found = None if fresh else next((each for each in reversed(self._idle) if each.memory == memory), None)
                if found is not None:
                    self._idle.remove(found)
                    if found.is_alive():
                        self._busy.add(found)
                        return found
                    found.kill()  # somebody else ended it
                    continue
                if len(self._idle) + len(self._busy) + self._starting < self._size:
                    break
                if self._idle:
                    self._idle.pop(0).kill()
                    continue
                self._turn.wait()
            self._starting += 1
        child = None
        try:
            child = Child(self._target, confined=self._confined, memory=memory, environment=self._environment)
            return child
        finally:
            with self._turn:
                self._starting -= 1
                if child is not None:
                    self._busy.add(child)
                else:
                    self._turn.notify()

    def close(self) -> None:
        """End all children, those at work as well. The pool can be used again."""
        if self._process != os.getpid():
            return
        with self._turn:
            children = [*self._idle, *self._busy]
            self._idle.clear()
        for child in children:
            child.kill()
