"""What children do in the tests of isolation: they really crash, hang, spin, lie and allocate. Imported in children."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]


def serve(request: Message, payload: bytes | None, note: Callable[[Message], None]) -> Message:
    """Do what the request says, and answer with the process's id."""
    note({"at": request["do"]})
    if (action := ACTIONS.get(request["do"])) is not None:
        action()
    return {"pid": os.getpid(), "payload": None if payload is None else [len(payload), payload[-1]]}


def _read_from_nowhere() -> None:
    ctypes.string_at(0)


def _abort() -> None:
    ctypes.CDLL(None).abort()


def _hang_with_the_interpreter_locked() -> None:
    ctypes.PyDLL(None).pause()


def _spin() -> None:
    while True:
        pass


def _allocate() -> None:
    bytearray(4 << 30)


def _allocate_in_a_library() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    if libc.malloc(ctypes.c_size_t(4 << 30)) is None:
        libc.abort()  # as Rust and C++ do


def _sockets() -> list[int]:
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return [n for n in numbers if Path(f"/proc/self/fd/{n}").exists() and stat.S_ISSOCK(os.fstat(n).st_mode)]


def _write(data: bytes) -> None:
    for number in _sockets():
        os.write(number, data)
    time.sleep(60)


def _pretend() -> None:
    _write((1 << 31).to_bytes(4, "big"))


def _nest() -> None:
    body = b'{"answer":' * 100_000
    _write(len(body).to_bytes(4, "big") + body)


def _write_a_file() -> None:
    try:
        Path("/tmp/isolated").write_bytes(b"x" * 10)
    except OSError:
        Path("/tmp/isolated").unlink(missing_ok=True)
        return
    raise AssertionError("a file was written")


def _connect() -> None:
    with socket.socket() as connection:
        try:
            connection.connect(("127.0.0.1", 9))
        except OSError as error:
            raise RuntimeError(f"errno {error.errno}") from None


def _look_around() -> None:
    assert not [name for name in os.environ if "SECRET" in name]
    assert Path.cwd() == Path("/")
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)


ACTIONS: dict[str, Callable[[], None]] = {
    "segfault": _read_from_nowhere,
    "abort": _abort,
    "hang": _hang_with_the_interpreter_locked,
    "spin": _spin,
    "allocate": _allocate,
    "allocate natively": _allocate_in_a_library,
    "pretend": _pretend,
    "nest": _nest,
    "write": _write_a_file,
    "connect": _connect,
    "look": _look_around,
    "exit": lambda: os._exit(7),
}
