"""The parent's side of one child: start it, ask it, end it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import cache
from multiprocessing import spawn
from pathlib import Path
from types import MappingProxyType
from typing import Any

from labeling.errors import LabelingError
from labeling.isolation import channel
from labeling.isolation.channel import Message, NoMessage

START_SECONDS = 120.0
"""Seconds that a child may take to start, on a machine that is busy."""

_KEPT_VARIABLES = (
    "LANG", "LC_", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "OMP_", "OPENBLAS_", "AIGC_LABEL_OCR_", "C2PA_LIBRARY",
    "COVERAGE_",
)  # fmt: skip
"""Beginnings of the environment's variables that a confined child gets; all others may hold secrets."""

_THREADS = "4"
"""Threads of each of a child's numerical libraries, each of which takes address space."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from labeling.isolation.child import main; main({arguments!r})"


class Lost(Exception):
    """A child ended, or was ended, while it worked on a request.

    Args:
        reason: Why, in words that go after "because": ``it took longer than 120 s``.
        spent: Whether the request used up its time, so that it should not be given as much again.
    """

    def __init__(self, reason: str, *, spent: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.spent = reason, spent


def is_supported() -> bool:
    """Return whether this system has what an isolated process needs: Linux, and Python as a program of its own."""
    return sys.platform == "linux" and not getattr(sys, "frozen", False)


def check_supported() -> None:
    """Raise :class:`LabelingError` where there are no isolated processes."""
    if not is_supported():
        raise LabelingError(
            "`isolate` and `timeout` need Linux and an ordinary Python",
            hint="leave them out, and verify in a container or virtual machine with limits of its own",
        )


class Child:
    """One child process.

    Args:
        target: What answers requests in it: ``module:function``, a :data:`labeling.isolation.child.Serve`.
        confined: Whether it loses network, files and environment.
        memory: MiB of address space that it may use, if it is confined.
        environment: Variables that it gets besides.

    Raises:
        LabelingError: It cannot be started.
    """

    def __init__(
        self, target: str, *, confined: bool, memory: int | None, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.memory = memory
        self.served = 0
        ours, theirs = map(_above_streams, socket.socketpair())
        arguments = {
            "socket": theirs.fileno(), "parent": os.getpid(), "target": target, "confined": confined, "memory": memory
        }  # fmt: skip
        try:
            with theirs:
                self.process = _started(arguments, theirs.fileno(), {**_environment(confined=confined), **environment})
        except OSError as error:
            ours.close()
            raise _no_start(error.strerror or str(error)) from error
        self._connection = ours
        try:
            ready = channel.receive(ours, time.monotonic() + START_SECONDS)
        except (NoMessage, OSError) as error:
            self.kill()
            raise _no_start("it does not answer") from error
        except BaseException:
            self.kill()
            raise
        if ready is None:
            raise _no_start(self._exit_reason())

    def ask(
        self, request: Message, payload: bytes | None, *, timeout: float, on_note: Callable[[Message], None]
    ) -> Message:
        """Hand over a request and wait for the answer.

        Args:
            request: The request; ``cpu_time`` in it are the seconds of processor time that it may take.
            payload: Bytes of a file that go with it.
            timeout: Seconds that it may take, by the clock.
            on_note: Gets what the child says on the way.

        Returns:
            The answer: any JSON object, from a process that cannot be trusted.

        Raises:
            Lost: There is none, and the child has ended.
        """
        deadline = time.monotonic() + timeout
        head = request if payload is None else {**request, "payload": len(payload)}
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # why it ended is seen below
                channel.send(self._connection, [channel.encoded(head), *([payload] if payload else [])], deadline)
            while (message := channel.receive(self._connection, deadline)) is not None:
                if isinstance(answer := message.get("answer"), dict):
                    self.served += 1
                    return answer
                if (failed := message.get("failed")) is not None:
                    self.kill()
                    raise Lost(str(failed)[:600])
                on_note(message)
        except TimeoutError:
            self.kill()
            raise Lost(f"it took longer than {timeout:g} s; `timeout` gives more", spent=True) from None
        except (NoMessage, ConnectionError):
            self.kill()
            raise Lost("its process sent what is no answer") from None
        except BaseException:
            self.kill()  # an interrupt leaves no process behind
            raise
        raise Lost(self._exit_reason(), spent=self.process.returncode == -signal.SIGXCPU)

    def is_alive(self) -> bool:
        """Return whether the process is still there."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End the process at once."""
        self._connection.close()
        self.process.kill()
        self.process.wait()

    def _exit_reason(self) -> str:
        """Wait for the end of a process that has closed its connection, and return why it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.kill()
        code = self.process.returncode
        if code == -signal.SIGXCPU:
            return "it took more processor time than it may; `cpu_time` gives more"
        if code < 0:
            name = next((each.name for each in signal.Signals if each == -code), f"signal {-code}")
            lacking = name in ("SIGKILL", "SIGABRT")
            return f"its process ended with {name}{', perhaps for lack of memory' if lacking else ''}"
        return f"its process ended with exit code {code}"


def _above_streams(end: socket.socket) -> socket.socket:
    """Return a socket whose descriptor is not one of 0 to 2, which the child's standard streams replace."""
    if end.fileno() > 2:
        return end
    import fcntl

    with end:
        return socket.socket(fileno=fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))


def _no_start(why: str) -> LabelingError:
    return LabelingError(f"the isolated process cannot be started ({why})", hint="give it more `memory`, if there is")


def _environment(*, confined: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not confined or name.startswith(_KEPT_VARIABLES)}
    if confined:
        # Each arena of malloc's reserves 64 MiB of address space, and there are eight for each processor.
        for name, value in (
            ("MALLOC_ARENA_MAX", "2"),
            ("OMP_NUM_THREADS", _THREADS),
            ("OPENBLAS_NUM_THREADS", _THREADS),
        ):
            kept.setdefault(name, value)
    return kept


def _started(arguments: Message, descriptor: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a child in the thread that starts all of them, and which never ends before this process does."""
    # Isolated (-I): no variable leads Python elsewhere, and nothing in the current folder is imported.
    program = _PROGRAM.format(path=_module_path(), arguments=arguments)
    command = [os.fsdecode(spawn.get_executable() or sys.executable), "-I", "-c", program]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # where libraries complain of files
            pass_fds=(descriptor,),
            cwd="/",
            env=environment,
        )

    return _starter(os.getpid()).run(start)


def _module_path() -> list[str]:
    """Return where this process finds modules, without what depends on the current folder."""
    own = str(Path(__file__).resolve().parents[2])
    path = [entry for entry in sys.path if isinstance(entry, str) and os.path.isabs(entry)]  # noqa: PTH117 - a text
    return path if own in path else [*path, own]


class _Starter:
    """A thread that starts processes: a child ends with the thread that started it (prctl(2), PR_SET_PDEATHSIG)."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="aigc-label isolation", daemon=True).start()

    def run(self, function: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        done: Future[subprocess.Popen[bytes]] = Future()
        self._work.put((function, done))
        return done.result()

    def _serve(self) -> None:
        while True:
            function, done = self._work.get()
            try:
                done.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
                done.set_exception(error)


@cache
def _starter(process: int) -> _Starter:
    """Return the thread of this process; a forked one has none of its parent's threads."""
    return _Starter()
