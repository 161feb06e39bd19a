"""Spoken labels in audio: recordings that are known, and where one is heard.

Known are the recordings that come with the package, and those that the caller names. Nothing else that is said is
understood.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling import files
from labeling.codecs.cue import recording
from labeling.codecs.cue.base import CueOf
from labeling.errors import LabelingError, error_context
from labeling.marks import audible, spoken
from labeling.marks.spoken import match

MAX_RECORDINGS = 32
"""Limit on the recordings that the caller names."""


@dataclass(frozen=True, eq=False)
class Known:
    """A recording of a spoken label.

    Attributes:
        samples: (n,) float32 mono, as :func:`labeling.codecs.cue.recording.decoded` returns it.
        heard: The same at :data:`labeling.marks.spoken.match.RATE`.
        language: Its language, if it is ours.
        text: What it says, if it is ours.
        name: The file's name, if it is the caller's.
    """

    samples: NDArray[np.float32]
    heard: NDArray[np.float32]
    language: str = ""
    text: str = ""
    name: str = ""

    @property
    def cue_of(self) -> CueOf:
        """Makes the cue for a file."""
        return recording.cue_of(self.samples)

    @property
    def words(self) -> str:
        """What to call it in a sentence."""
        return f"the spoken label “{self.text}”" if self.text else f"the recording {self.name}"

    def value(self) -> dict[str, Any]:
        """What a finding says of it."""
        if not self.text:
            return {"kind": "spoken", "recording": self.name}
        return {"kind": "spoken", "text": self.text, "languages": [self.language]}


@cache
def ours(language: str) -> Known:
    """Return our own recording in a language of :data:`labeling.marks.spoken.SENTENCES`."""
    samples = recording.decoded(spoken.recording(language))
    return Known(samples, recording.resampled(samples, match.RATE), language, spoken.SENTENCES[language])


def from_file(path: str | os.PathLike[str]) -> Known:
    """Read a recording of the caller's.

    Raises:
        LabelingError: The file cannot be read, or is no recording of a sentence.
    """
    with error_context(path):
        size = Path(path).stat().st_size if Path(path).is_file() else 0
        if size > recording.MAX_BYTES:
            raise LabelingError(f"the recording has {size} bytes, more than the {recording.MAX_BYTES} that are read")
        _, data = files.load(path)
        samples = recording.decoded(data)
    return Known(samples, recording.resampled(samples, match.RATE), name=Path(path).name)


def from_files(paths: Sequence[str | os.PathLike[str]]) -> tuple[Known, ...]:
    """Read the recordings of the caller's. Raises :class:`LabelingError`."""
    if len(paths) > MAX_RECORDINGS:
        raise LabelingError(f"`audio_cues` names {len(paths)} recordings, more than the {MAX_RECORDINGS} that are read")
    return tuple(from_file(path) for path in paths)


def everything(more: Sequence[Known] = ()) -> tuple[Known, ...]:
    """Return all recordings that are known: the caller's, then ours."""
    return (*more, *(ours(language) for language in spoken.SENTENCES))


def longest(known: Sequence[Known]) -> float:
    """Return the seconds of the longest recording."""
    return max((each.heard.size / match.RATE for each in known), default=0.0)


def heard(samples: NDArray[np.float32], known: Sequence[Known]) -> tuple[Known, match.Match] | None:
    """Return which recording is in a stretch of sound, and where, if one is.

    Args:
        samples: (n,) float32 mono, :data:`labeling.marks.spoken.match.RATE` samples per second.
        known: The recordings.
    """
    found = [
        (each, where) for each in known
        if (where := match.find(samples, each.heard)) is not None
        and audible.is_heard(samples, match.RATE, where.start, where.end)
    ]  # fmt: skip
    return max(found, key=lambda each: each[1].confidence, default=None)
