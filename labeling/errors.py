"""The errors of the toolkit: one base class and a few kinds.

Bad input never raises anything else::

    LabelingError
    ├── UnreadableFile      missing, empty, truncated or damaged
    ├── UnsupportedFormat   a format that is not known, or has no place for a label
    ├── TooLarge            beyond a stated limit
    ├── LabelConflict       a label that must not be overwritten
    ├── WouldLose           `strict=True`, and the labelled copy would lack something of the source
    ├── SigningError        a key, certificate, callback or time-stamp authority failed
    ├── WriteError          the output could not be written or did not read back
    ├── MissingDependency   an optional library is not installed
    └── InternalError       a fault of ours, which a report will help to mend

Every error says what happened (``message``), to which file (``path``), and what the caller can do (``hint``). Where a
message names a parameter of the library, the parameter stands in backticks, so that the command line can show its own
option instead.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any


class LabelingError(Exception):
    """Base of every error that this package raises on purpose.

    Args:
        message: What happened, in one line, without the file's name.
        path: The file it happened to, or a name for it such as ``<bytes>``; :func:`error_context` adds it later.
        hint: What the caller can do about it.

    ``str(error)`` is ``path: message; hint``, as far as they are known. ``exit_code`` is what the command line exits
    with when this error is the worst that happened: 2 for a request that cannot be carried out as it stands, 3 for a
    file that could not be read.

    Example:
        >>> str(LabelingError("the file is empty", path="a.png", hint="generate it again"))
        'a.png: the file is empty; generate it again'
    """

    exit_code = 2

    def __init__(self, message: object, *, path: str | os.PathLike[str] | None = None, hint: str | None = None) -> None:
        self.message = str(message)
        self.path = None if path is None else os.fspath(path)
        self.hint = hint
        super().__init__(self.message)

    @property
    def reason(self) -> str:
        """``message; hint``: what to print beside a file's name that is shown already."""
        return self.message if self.hint is None else f"{self.message}; {self.hint}"

    def __str__(self) -> str:
        return self.reason if self.path is None else f"{self.path}: {self.reason}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.message, self.path, self.hint), self.__dict__


def _remade(kind: type[LabelingError], message: str, path: str | None, hint: str | None) -> LabelingError:
    """Make an error again in another process, whatever arguments its own kind takes."""
    error = kind.__new__(kind)
    LabelingError.__init__(error, message, path=path, hint=hint)
    return error


class UnreadableFile(LabelingError):
    """The file is missing, not a file, empty, truncated or damaged, or has more parts than are read of one file."""

    exit_code = 3


class UnsupportedFormat(LabelingError):
    """The content is of a format that is not known, or that has no place for a label."""

    exit_code = 3


class TooLarge(LabelingError):
    """The file or picture is beyond a stated limit; the message names the limit, the hint how to raise it."""

    exit_code = 3


class LabelConflict(LabelingError):
    """The file already carries a label that must not be overwritten (Labelling Measures, Art. 10)."""


class WouldLose(LabelingError):
    """The labelled copy would lack something that the source holds, and ``strict=True`` forbids that."""


class SigningError(LabelingError):
    """A key, certificate or callback was refused, or a time-stamp authority did not answer as it should."""


class WriteError(LabelingError):
    """The output could not be written, or did not read back as it was meant to."""


class MissingDependency(LabelingError):
    """An optional library is not installed; the message holds the exact ``pip install`` line."""


class InternalError(LabelingError):
    """A fault of ours: the message names the place, ``__cause__`` is what was raised, and the hint asks for a report.

    The file may be sound, so nothing is said of it.
    """

    exit_code = 3


class _Context:
    """What :func:`error_context` returns: a class, since a generator takes three times as long to enter and leave."""

    __slots__ = ("_path", "_replacing")

    def __init__(self, path: str | os.PathLike[str], replacing: str | None) -> None:
        self._path, self._replacing = path, replacing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, LabelingError) and (error.path is None or error.path == self._replacing):
            error.path = os.fspath(self._path)


def error_context(path: str | os.PathLike[str], *, replacing: str | None = None) -> AbstractContextManager[None]:
    """Name the file in every :class:`LabelingError` that leaves the block without naming one.

    Args:
        path: The file that the block works on, or a name for it.
        replacing: A name that means the same file to the code inside, such as a temporary copy's.

    Example:
        >>> with error_context("a.png"):
        ...     raise UnreadableFile("the file is empty")
        Traceback (most recent call last):
        labeling.errors.UnreadableFile: a.png: the file is empty
    """
    return _Context(path, replacing)
