"""Encoders that take more of the machine than they are given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def kept_priority() -> Iterator[None]:
    """Open an encoder inside, and no thread runs at another priority than before.

    SVT-AV1 gives its threads and the thread that opens it the real-time policy SCHED_FIFO at priority 99 wherever it
    may, which is as root, so in most containers. All else on the machine would wait, and child processes inherit it.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters, before = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            for thread in (0, *(_threads() - before)):
                with suppress(OSError):  # a thread may have ended
                    os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    try:
        return {int(thread.name) for thread in _TASKS.iterdir()}
    except OSError:
        return set()
