"""What libjpeg says of damaged picture data, kept from the terminal.

jpeglib and OpenCV leave libjpeg's own handler in place: it prints the first warning about a picture to C's standard
error, and decoding goes on. While one of them works, the C library's variable ``stderr`` leads to a nameless file.
Python's own standard error is another object and is not touched. Where that variable cannot be reached, which is
everywhere but on Linux with glibc, the line is printed, and nothing is known.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

_MOST = 200
"""Characters of a warning that are shown."""


@dataclass
class Said:
    """What was said; known when the ``with`` statement of :func:`listening` has ended.

    Attributes:
        text: The first line, or nothing.
        shared: Whether other threads listened meanwhile, so that it may be said of their pictures.
    """

    text: str = ""
    shared: bool = False


class _Sink(NamedTuple):
    """A nameless file, and C's stream that writes to it: neither is ever closed, since a thread may be writing."""

    fd: int
    stream: int
    variable: Any


_state = threading.Condition(threading.RLock())
_listeners = _begun = 0
_before: int | None = None


@contextmanager
def listening(*, alone: bool = False) -> Iterator[Said]:
    """Hear what libjpeg says of a picture.

    Args:
        alone: Let no other thread listen meanwhile.

    Yields:
        What it said.
    """
    said = Said()
    sink = _sink(os.getpid())
    if sink is None:
        yield said
        return
    with _state:
        while alone and _listeners:
            _state.wait()
        start, number = _begin(sink)
        if alone:
            try:
                yield said
            finally:
                _end(sink, said, start, number)
            return
    try:
        yield said
    finally:
        with _state:
            _end(sink, said, start, number)


def _begin(sink: _Sink) -> tuple[int, int]:
    global _listeners, _begun, _before
    if not _listeners:
        os.ftruncate(sink.fd, 0)
        _before = sink.variable.value
        sink.variable.value = sink.stream
    _listeners += 1
    _begun += 1
    return os.fstat(sink.fd).st_size, _begun if _listeners == 1 else -1


def _end(sink: _Sink, said: Said, start: int, number: int) -> None:
    global _listeners
    said.shared = number != _begun
    size = os.fstat(sink.fd).st_size
    if size > start:
        said.text = os.pread(sink.fd, min(size - start, 4 * _MOST), start).decode("utf-8", "replace")
        said.text = said.text.strip().partition("\n")[0][:_MOST]
    _listeners -= 1
    if not _listeners:
        sink.variable.value = _before
        _state.notify_all()


@functools.lru_cache(maxsize=1)
def _sink(process: int) -> _Sink | None:
    del process  # after a fork the file would be shared
    if not hasattr(os, "memfd_create"):
        return None
    try:
        c = ctypes.CDLL(None)
        c.gnu_get_libc_version  # noqa: B018 - in musl the variable is a constant
        variable = ctypes.c_void_p.in_dll(c, "stderr")
        c.fdopen.argtypes, c.fdopen.restype = [ctypes.c_int, ctypes.c_char_p], ctypes.c_void_p
        c.setbuf.argtypes, c.setbuf.restype = [ctypes.c_void_p, ctypes.c_char_p], None
        fd = os.memfd_create("aigc-libjpeg")
        stream = c.fdopen(fd, b"a")
    except (AttributeError, ValueError, OSError):
        return None
    if not stream:
        return None
    c.setbuf(stream, None)
    return _Sink(fd, stream, variable)
