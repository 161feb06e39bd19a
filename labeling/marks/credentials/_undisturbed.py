"""Calls of c2pa out of reach of signals.

c2pa calls back for every read and write. Python may run the handler of a signal there, in the main thread, and ctypes
returns a number at random for a callback that an exception leaves: Rust then ends the process. So the main thread lets
another one call, where no handler runs, and waits for it whatever comes.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from labeling.gates import no_warnings

Result = TypeVar("Result")


class _Here(threading.local):
    stop: threading.Event | None = None


_here = _Here()


class Watched:
    """A stream that c2pa reads or writes. It says only that this failed, so what was raised is kept: a full disk.

    Args:
        stream: A binary file object.

    Attributes:
        error: The first exception; ``None`` if there was none.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.error: BaseException | None = None
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does."""
        data: bytes = self._kept(self._stream.read, size)
        return data

    def readinto(self, buffer: Any) -> int:
        """Read as the stream does."""
        count: int = self._kept(self._stream.readinto, buffer)
        return count

    def write(self, data: bytes) -> int:
        """Write as the stream does."""
        count: int = self._kept(self._stream.write, data)
        return count

    def flush(self) -> None:
        """Flush the stream."""
        self._kept(self._stream.flush)

    def _kept(self, call: Callable[..., Any], *arguments: Any) -> Any:
        if _here.stop is not None and _here.stop.is_set():
            raise InterruptedError
        try:
            return call(*arguments)
        except Exception as error:
            self.error = self.error or error
            raise


class _Call(Generic[Result]):
    """A call in another thread, and what becomes of it."""

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self.stop, self.done = threading.Event(), threading.Event()
        self.result: list[Result] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        _here.stop = self.stop
        try:
            with no_warnings():
                self.result.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            self.error = error
        finally:
            self.done.set()


def undisturbed(call: Callable[[], Result]) -> Result:
    """Call a function that calls c2pa, in another thread if this is the main one.

    If a signal's handler raises meanwhile, the streams that are :class:`Watched` fail, and the exception goes on once
    c2pa has returned.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    made = _Call(call)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(made.run,), name="c2pa")
    stopped: BaseException | None = None
    while True:
        try:
            if thread.ident is None:
                thread.start()
            made.done.wait()  # not join(), which takes a thread for ended if a signal interrupts it (bpo-45274)
            break
        except RuntimeError:  # there are no more threads to be had, or the call came as the interpreter ends
            if stopped is None and thread.ident is None:
                return call()
            raise
        except BaseException as error:  # noqa: BLE001 - of a signal's handler
            stopped = stopped or error
            made.stop.set()
            if thread.ident is None:
                break
    if stopped is not None:
        raise stopped
    if made.error is not None:
        raise made.error
    return made.result[0]
