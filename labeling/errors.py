"""The one base error of the toolkit and its few kinds.

Bad input never raises anything else. A message says what happened, to which file, and what the
reader of the message can do about it; it is one line.
"""

from __future__ import annotations


class LabelingError(Exception):
    """Base of every error this package raises on purpose.

    ``exit_code`` is what the command line exits with when this error is the worst that happened:
    2 for a request that cannot be carried out as it stands, 3 for a file that could not be read.
    """

    exit_code = 2


class UnreadableFile(LabelingError):
    """The file is missing, not a file, empty, truncated or damaged: nothing true can be said of it."""

    exit_code = 3


class UnsupportedFormat(LabelingError):
    """The content is of a format that we do not know, or that has no place for a label."""

    exit_code = 3


class TooLarge(LabelingError):
    """The file or picture is beyond a stated limit; the message names the limit and how to raise it."""

    exit_code = 3


class LabelConflict(LabelingError):
    """The file already carries a label that must not be overwritten (Labelling Measures, Art. 10)."""


class SigningError(LabelingError):
    """A key, certificate, callback or time-stamp service did not do its part."""


class WriteError(LabelingError):
    """The output could not be written, or did not read back as it was meant to."""


class MissingDependency(LabelingError):
    """An optional library is not installed; the message is the exact ``pip install`` line."""
