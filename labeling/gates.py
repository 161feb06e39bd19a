"""The gates: what a third-party library raises comes out as one of our errors, and nothing else leaves a public verb.

Libraries raise half of the built-in exceptions on hostile bytes, and kinds of their own. Two context managers keep them
in:

- :func:`gate` stands around the use of one library. It knows what an exception there means: mostly that the file is
  damaged, but not if memory or the disk has run out.
- :func:`guarded` stands around the body of each public verb. What still comes out there is a fault of ours, or of the
  machine: it becomes an :class:`~labeling.errors.InternalError` that names the place and asks for a report.

Neither touches ``KeyboardInterrupt``, ``SystemExit`` and ``GeneratorExit``. What the user's own callbacks raise passes
both unchanged, if they are called through :func:`foreign`.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from labeling.errors import InternalError, LabelingError, TooLarge, UnreadableFile, WriteError, error_context
from labeling.inert import without_secrets

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

MAX_LINE = 120
"""Characters of a library's message in ours."""

_PACKAGE = str(Path(__file__).parent)

_OUR_MISTAKES = (TypeError, AttributeError, NameError, AssertionError, ImportError, NotImplementedError)
"""What only a mistake in a program raises. In a frame of a library it may mean anything; in one of ours it is ours."""

_NO_MEMORY = re.compile(
    r"(out of|insufficient) memory|bad.?alloc|(cannot|can't|failed to) allocate|memory allocation", re.I
)
"""How libraries in C++ say it that raise no MemoryError: OpenCV, libavif, libheif, onnxruntime, SQLite."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_HANDLES = (errno.EMFILE, errno.ENFILE)


class OutOfMemory(TooLarge):
    """It takes more memory than there is: too large for this machine at this moment, and nothing else is known."""


def one_line(error: BaseException) -> str:
    """Return an exception's message as one line of at most :data:`MAX_LINE` characters, without secrets."""
    text = " ".join(without_secrets(getattr(error, "strerror", None) or str(error)).split()) or type(error).__name__
    return text if len(text) <= MAX_LINE else f"{text[: MAX_LINE - 3]}..."


def gate(doing: str, broken: Callable[[str], LabelingError]) -> AbstractContextManager[None]:
    """Turn whatever a library raises into one of our errors. The exception stays as its cause.

    Args:
        doing: What the library is used for, to follow "to": ``decode the PNG``.
        broken: Makes the error for bytes that the library cannot read, from its message in one line.

    Raises:
        LabelingError: What ``broken`` makes; but :class:`TooLarge` where memory ran out, :class:`WriteError` where the
            disk is full, and :class:`InternalError` for a mistake in a module of ours.
    """
    return _Gate(doing, broken)


class _Gate(AbstractContextManager[None]):
    """The context manager; a class, because a generator takes several times as long where nothing is raised."""

    __slots__ = ("_broken", "_doing")

    def __init__(self, doing: str, broken: Callable[[str], LabelingError]) -> None:
        self._doing, self._broken = doing, broken

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, LabelingError):
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> LabelingError:
        if (short := shortage(error, self._doing)) is not None:
            return short
        if (isinstance(error, _OUR_MISTAKES) and _place(error)[1]) or _is_the_systems(error):
            return internal(error, self._doing)
        return self._broken(one_line(error))


@contextmanager
def guarded(doing: str, path: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Let nothing but our own errors out of a public verb, and name the file in them.

    What libraries think of a file they also say in warnings. They are not shown, nor raised under ``python -W error``:
    what matters of them is in our own report.

    Args:
        doing: What the verb does, to follow "to": ``verify the file``.
        path: The file, or a name for it.

    Raises:
        LabelingError: Whatever was raised inside, apart from what :func:`foreign` lets through.
    """
    theirs: Exception | None = None
    with no_warnings():
        try:
            if path is None:
                with _kept_in(doing):
                    yield
            else:
                with error_context(path), _kept_in(doing):
                    yield
        except _Foreign as carried:
            theirs = carried.error
    if theirs is not None:
        raise theirs


@contextmanager
def _kept_in(doing: str) -> Iterator[None]:
    try:
        yield
    except LabelingError:
        raise
    except Exception as error:
        raise as_ours(error, doing) from error


def as_ours(error: Exception, doing: str) -> LabelingError:
    """Return the error to raise for an exception that no gate has caught; an error of ours is returned as it is."""
    if isinstance(error, LabelingError):
        return error
    return shortage(error, doing) or internal(error, doing)


def shortage(error: BaseException, doing: str) -> LabelingError | None:
    """Return the error for what is no fault of the file's bytes nor of ours: memory, stack, disk or handles ran out."""
    if type(error).__name__ == "DecompressionBombError":  # Pillow's, which need not be loaded
        return TooLarge(f"its pictures are larger than can be decoded ({one_line(error)})")
    code = getattr(error, "errno", None)  # FFmpeg's errors have one as well
    if isinstance(error, MemoryError) or code == errno.ENOMEM or _NO_MEMORY.search(str(error)):
        _let_go(error)
        return OutOfMemory(
            f"to {doing}, more memory is needed than there is", hint="try again where more memory is free"
        )
    if isinstance(error, RecursionError):
        _let_go(error)
        return UnreadableFile(f"it is nested too deeply to {doing}")
    if code in _FULL or "No space left on device" in str(error):  # c2pa says it in words
        return WriteError(
            f"to {doing}, room for temporary files is needed, and the disk is full",
            hint="free some, or let TMPDIR name a folder with room",
        )
    if code in _NO_HANDLES:
        return LabelingError(f"too many files are open to {doing}", hint="raise the limit (ulimit -n)")
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # tempfile found none
        return WriteError(
            f"to {doing}, a folder for temporary files is needed, and there is none that can be written to",
            hint="let TMPDIR name one",
        )
    return None


def internal(error: BaseException, doing: str) -> LabelingError:
    """Return the error for a fault of ours, or of the system that we have no better words for."""
    if isinstance(error, OSError) and error.strerror:
        named = f": {error.filename}" if error.filename else ""
        return LabelingError(f"the system does not let us {doing} ({error.strerror}{named})")
    place, _ = _place(error)
    return InternalError(
        f"a fault in aigc-labeling: it could not {doing} ({type(error).__name__}: {one_line(error)}; {place})",
        hint="please report it to the maintainers, with the file if you may show it",
    )


def _is_the_systems(error: BaseException) -> bool:
    """Return whether an exception is about a file of ours, such as a temporary one; FFmpeg's own are about the data."""
    return isinstance(error, OSError) and bool(error.filename) and type(error).__module__ == "builtins"


def _place(error: BaseException) -> tuple[str, bool]:
    """Return where in our package an exception came from, and whether it was raised there and not deeper."""
    place, ours = "place unknown", False
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        ours = file.startswith(_PACKAGE + os.sep) and file != __file__
        if ours:
            place = f"{Path(file).relative_to(_PACKAGE).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place, ours


def _let_go(error: BaseException) -> None:
    """Free what the frames of an exception hold: an error that is kept must not keep the memory that ran out."""
    import traceback

    traceback.clear_frames(error.__traceback__)


# --- the user's own code ----------------------------------------------------------------------------------------------


class _Foreign(BaseException):
    """Carries an exception of the user's callback past every handler of ``Exception``, up to the verb's guard."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))


def foreign(call: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Wrap a callback of the user's, so that what it raises comes out of the verb as it is: to cancel, for example."""

    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the user's
            raise _Foreign(error) from None

    return wrapped


# --- warnings ---------------------------------------------------------------------------------------------------------


class _Inside(threading.local):
    """Stands for the regular expression of a warnings filter, and matches in threads that are inside a verb.

    ``warnings.catch_warnings`` would change the filters of all threads, and two threads would undo each other's change.
    """

    depth = 0

    def match(self, text: str) -> bool:
        del text
        return self.depth > 0


_inside = _Inside()
_FILTER: Any = ("ignore", _inside, Warning, None, 0)


@contextmanager
def no_warnings() -> Iterator[None]:
    """Show no warnings of libraries in this thread, nor raise them."""
    filters: Any = warnings.filters
    if not filters or filters[0] is not _FILTER:  # pytest and others replace or extend the list
        filters[:] = [_FILTER, *(each for each in filters if each is not _FILTER)]
    _inside.depth += 1
    try:
        yield
    finally:
        _inside.depth -= 1
