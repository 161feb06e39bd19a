"""The child's side: give up what reading a file does not need, then answer requests one after the other."""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labeling.isolation.channel import Message, NoMessage, encoded, read_request

Note = Callable[[Message], None]
Serve = Callable[[Message, bytes | None, Note], Message]
"""What answers a request: it gets the request, a file's bytes if some came with it, and a way to say how far it is."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

MAX_OPEN_FILES = 256

_NO_MEMORY = "it needed more memory than it may have; `memory` gives more"


def main(arguments: Message) -> None:
    """Run a child from its start to its end.

    Args:
        arguments: ``socket``: descriptor of the connection; ``parent``: the id of the process that started it;
            ``target``: ``module:function``, a :data:`Serve`; ``confined``: whether it loses network and files;
            ``memory``: MiB of address space, or ``None``.
    """
    for number in (signal.SIGINT, signal.SIGTSTP):  # of the terminal: the parent decides
        signal.signal(number, signal.SIG_IGN)
    _end_with(arguments["parent"])
    if arguments["confined"]:
        _confine(arguments["memory"])
    module, _, name = arguments["target"].partition(":")
    serve: Serve = getattr(importlib.import_module(module), name)
    connection = socket.socket(fileno=arguments["socket"])
    stream = connection.makefile("rb")

    def note(message: Message) -> None:
        connection.sendall(encoded(message))

    note({"ready": True})
    while True:
        try:
            received = read_request(stream)
        except MemoryError:  # the file's bytes alone are too many
            note({"failed": _NO_MEMORY})
            break
        if received is None:
            break
        request, payload = received
        if (seconds := request.pop("cpu_time", None)) is not None:
            _allow_processor_time(seconds)
        answer = _answered(serve, request, payload, note)
        del request, payload, received
        try:
            note(answer)
        except NoMessage:
            note({"failed": "what was found is too much for a report"})
    os._exit(0)


def _answered(serve: Serve, request: Message, payload: bytes | None, note: Note) -> Message:
    try:
        return {"answer": serve(request, payload, note)}
    except MemoryError:
        return {"failed": _NO_MEMORY}
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with a file is told, and costs this process
        return {"failed": f"of an error of aigc-label itself; please report it ({type(error).__name__}: {error})"[:500]}


def _end_with(parent: int) -> None:
    """Let the kernel end this process when the thread that started it ends, which lives as long as its process."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _confine(memory: int | None) -> None:
    """Lower the limits for good, and leave the network. Nothing of a stranger has been read yet."""
    _leave_network()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    hard = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        **({resource.RLIMIT_AS: memory << 20} if memory is not None else {}),
    }
    for which, most in hard.items():
        _, allowed = resource.getrlimit(which)
        most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(which, (most, most))


def _allow_processor_time(seconds: int) -> None:
    """Give the next file so much more. The kernel ends the process with SIGXCPU when it is used up."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _leave_network() -> None:
    """Move to a network namespace without any interface, if the system lets us.

    Users other than root need a user namespace for it, in which they keep their ids (user_namespaces(7)).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0 or os.geteuid() == 0:  # root would lose its say over others' files
        return
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            try:
                Path("/proc/self", name).write_text(text, "ascii")
            except OSError:
                return  # the ids look strange then, and still count


def _prctl(what: int, value: int) -> None:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.prctl(what, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
