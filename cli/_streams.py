"""Standard output and error of the command: what becomes of text that cannot be written, and of signals.

A report that is lost half-way must not look like one that was written: a full disk is an error with exit code 2. A
reader that has gone, as in ``| head -1``, is none: the command ends silently, with the code that a shell gives to a
program that SIGPIPE ended.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from types import FrameType

PIPE_CLOSED = 141
"""128 + SIGPIPE."""

INTERRUPTED = 130
"""128 + SIGINT."""


class OutputLost(Exception):
    """Standard output took no more. It is no ``OSError``, which click and rich would take for their own affair.

    Args:
        number: The ``errno``.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(os.strerror(number))


class _Output(io.FileIO):
    """Standard output."""

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise OutputLost(error.errno or errno.EIO) from None


class _Errors(io.FileIO):
    """Standard error: where it takes no more, there is nobody to tell."""

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError:
            return len(memoryview(data))  # type: ignore[arg-type]


def prepare() -> None:
    """Put our own streams in the place of standard output and error, and end in order on the usual signals."""
    for name, kind in (("stdout", _Output), ("stderr", _Errors)):
        stream = getattr(sys, name)
        if stream is None or stream is not getattr(sys, f"__{name}__"):
            continue
        if os.name == "nt" and stream.isatty():  # the console takes UTF-16, by way of Python's own stream
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
            continue
        raw = kind(stream.fileno(), "wb", closefd=False)
        # A file name that is not Unicode must not stop a report; \udcXX is a valid escape in JSON, too.
        buffered = io.BufferedWriter(raw)
        live = name == "stderr" or stream.isatty()
        text = io.TextIOWrapper(
            buffered, "utf-8", "backslashreplace", line_buffering=live, write_through=name == "stderr"
        )
        setattr(sys, name, text)
    sys.unraisablehook = _unraisable
    for number, default in (
        ("SIGINT", signal.default_int_handler),
        ("SIGTERM", signal.SIG_DFL),
        ("SIGHUP", signal.SIG_DFL),
    ):
        value = getattr(signal, number, None)
        if value is not None and signal.getsignal(value) is default:
            signal.signal(value, _end)


_ended_by: list[int] = []


def _end(number: int, frame: FrameType | None) -> None:
    """Leave through every ``finally``: temporary files are removed, and what is half-written stays without a name."""
    _ended_by.append(number)
    _leave(number)


def _unraisable(fault: sys.UnraisableHookArgs) -> None:
    """Say nothing of our own signal where it came while a library called us back: what leaves there goes nowhere.

    The work on the file fails or goes on, and :func:`leave_if_ended` ends the command behind it.
    """
    if not (_ended_by and isinstance(fault.exc_value, KeyboardInterrupt | SystemExit)):
        sys.__unraisablehook__(fault)


def _leave(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def ended_by() -> int:
    """Return the signal that is to end the command; 0 if none came."""
    return _ended_by[0] if _ended_by else 0


def leave_if_ended() -> None:
    """Leave if a signal came: a library that calls us back from its own code may have swallowed the exception."""
    if number := ended_by():
        _leave(number)


def lost(error: OutputLost) -> tuple[int, str]:
    """Stop writing to standard output.

    Returns:
        The exit code and what to say about it; nothing, if the reader has gone.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # what is buffered still goes somewhere
    os.close(null)
    if error.number == errno.EPIPE:
        return PIPE_CLOSED, ""
    reason = "the disk is full" if error.number in (errno.ENOSPC, errno.EDQUOT) else os.strerror(error.number)
    return 2, f"standard output cannot be written ({reason}); what it holds is not complete"
