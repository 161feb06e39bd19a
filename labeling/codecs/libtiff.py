"""How many faults libtiff finds while Pillow decodes, counted in place of a line on standard error for each of them.

libtiff calls its handler for each fault, and a damaged fax has thousands. Only functions written in C run there: one in
Python could be where a signal arrives, and ctypes would swallow the ``KeyboardInterrupt``.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import operator
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_HANDLER = ctypes.CFUNCTYPE(None)
"""libtiff passes three arguments, which are not taken: in C's calling conventions the caller removes them."""


class _Counters(threading.local):
    """The counter of each thread that listens. That of the class is for all other threads, and nobody reads it."""

    count: Callable[[], int] = itertools.count().__next__


@dataclass
class Faults:
    """How many faults libtiff found; known when the ``with`` statement of :func:`listening` has ended."""

    count: int = 0


_counters = _Counters()
_handler = _HANDLER(functools.partial(operator.methodcaller("count"), _counters))
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_handler))  # never freed: a thread may decode when the interpreter ends

_lock = threading.Lock()
_listeners = 0
_before: int | None = None


@contextlib.contextmanager
def listening() -> Iterator[Faults]:
    """Count the faults that libtiff finds in this thread; an outer count leaves out those of an inner one.

    While any thread listens, libtiff prints nothing in any thread. Where its functions cannot be reached, as with a
    Pillow that is linked in another way, nothing is counted and everything printed.

    Yields:
        The count.
    """
    faults = Faults()
    outer = vars(_counters).get("count")
    counter = _counters.count = itertools.count().__next__
    try:
        _begin()
        try:
            yield faults
        finally:
            _end()
            faults.count = counter()
    finally:
        if outer is None:
            del _counters.count
        else:
            _counters.count = outer


def _begin() -> None:
    global _listeners, _before
    with _lock:
        if not _listeners and (setter := _setter()) is not None:
            _before = setter(ctypes.cast(_handler, ctypes.c_void_p))
        _listeners += 1


def _end() -> None:
    global _listeners
    with _lock:
        _listeners -= 1
        if not _listeners and (setter := _setter()) is not None:
            setter(_before)


@functools.cache
def library() -> Any:
    """Return Pillow's libtiff, found through the module that is linked to it; ``None`` if there is none."""
    try:
        from PIL import _imaging

        return ctypes.CDLL(_imaging.__file__)
    except (ImportError, OSError):
        return None


@functools.cache
def _setter() -> Any:
    """Return libtiff's function that sets the handler."""
    setter = getattr(library(), "TIFFSetErrorHandler", None)
    if setter is None:
        return None
    setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
    return setter
