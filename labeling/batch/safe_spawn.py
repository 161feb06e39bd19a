"""Worker processes that import nothing from the current folder.

``multiprocessing`` spawns a process with ``python -c …``, and Python puts the current folder first on such a process's
path: a ``pickle.py`` among the files of a run would be run. With ``-P`` it does not (Python 3.11, *Command line and
environment*). Afterwards the worker gets the path of the process that started it, so that it finds the modules that
this one has, a program's own included.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import spawn, util
from typing import Any

from labeling.errors import LabelingError

_SAFE_PATH = "-P"
_FLAGS = "_args_from_interpreter_flags"

_LIBRARIES = "LD_LIBRARY_PATH"

_lock = threading.Lock()


@contextmanager
def safe_library_path() -> Iterator[None]:
    """Let processes that are started in this block find no native library in the current folder.

    An empty or relative part of ``LD_LIBRARY_PATH`` means a folder below the current one (ld.so(8)), and importing
    OpenCV leaves an empty one behind.
    """
    before = os.environ.get(_LIBRARIES)
    if before is None:
        yield
        return
    if kept := [part for part in before.replace(";", ":").split(":") if os.path.isabs(part)]:  # noqa: PTH117
        os.environ[_LIBRARIES] = ":".join(kept)
    else:
        del os.environ[_LIBRARIES]
    try:
        yield
    finally:
        os.environ[_LIBRARIES] = before


@contextmanager
def safe_path() -> Iterator[None]:
    """Let processes that are spawned in this block start without the current folder on their path.

    The flag is on their command line only: a variable of the environment would reach every process that any thread of
    the program starts. A process that another thread spawns at the same time gets it too, which changes nothing for
    it, since it gets its path from its parent.

    Raises:
        LabelingError: This version of Python does not let us.
    """
    module: Any = util
    with _lock:
        flags: Callable[[], list[str]] = getattr(module, _FLAGS, list)

        def with_safe_path() -> list[str]:
            given = flags()
            return given if _SAFE_PATH in given or "-I" in given else [*given, _SAFE_PATH]

        setattr(module, _FLAGS, with_safe_path)
        try:
            if not getattr(sys, "frozen", False) and not {_SAFE_PATH, "-I"} & set(spawn.get_command_line()):
                raise LabelingError(
                    "this version of Python cannot start workers without the current folder on their path",
                    hint='use `workers=1` with `engine="inline"`',
                )
            with safe_library_path():
                yield
        finally:
            setattr(module, _FLAGS, flags)
