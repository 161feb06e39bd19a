"""What the modules of this package share: a cue is put in front of the sound of an audio file, or behind it.

GB 45438-2025 5.3 wants an audible label at the start, the end or a suitable middle place. The start is before the
content begins, so nothing of the content is covered: the cue is new sound, with a pause between it and the content.

Each module has ``put(data, cue_of, ends) -> Placed``. It never decodes and encodes the content again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.containers.edits import Edit
from labeling.errors import UnsupportedFormat
from labeling.losses import Loss

PAUSE = 0.48
"""Seconds of silence between cue and content. With the rhythm of 1.32 s that makes 1.8 s: whole sectors of a CD."""

SECTORS = 75
"""What is inserted lasts whole sectors of a CD, of 1/75 s: cue sheets count in these."""

MIN_RATE, MAX_RATE, MAX_CHANNELS = 4000, 384_000, 32

CueOf = Callable[[int, int], NDArray[np.float32]]
"""Returns the cue for (samples per second, channels): (samples, channels) float32, -1 to 1."""


class Ends(NamedTuple):
    """Where the cue is put."""

    start: bool = True
    end: bool = False


class CannotPut(UnsupportedFormat):
    """A cue cannot be put into this file without encoding its sound again."""


MAX_HIDDEN = 3072
"""Samples at the start that players may skip: encoders need up to 2112 to begin with, which hold no sound yet."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A cue that has been put into a file.

    Attributes:
        edits: What changes in the file.
        front: Seconds by which the content begins later.
        behind: Seconds that were added behind the content.
        skip: How much of ``unit`` is in front of the content's, which follows as it is in the source.
        unit: What stays the same: bytes of the coded sound in the file ("coded"), those of packets as FFmpeg's demuxer
            returns them ("packets"), or decoded samples ("samples").
        meant: Keys of entries of the inventory that change with it, as they have to: times and counts.
        lost: What is not right any more in the new file.
    """

    edits: list[Edit]
    front: float = 0.0
    behind: float = 0.0
    skip: int = 0
    unit: Literal["coded", "packets", "samples"] = "coded"
    meant: frozenset[str] = frozenset()
    lost: tuple[Loss, ...] = ()


def with_pause(cue_of: CueOf, rate: int, channels: int, *, behind: bool = False) -> NDArray[np.float32]:
    """Return a cue with the pause that separates it from the content: (samples, channels) float32.

    Args:
        cue_of: Makes the cue.
        rate: Samples per second.
        channels: Number of channels.
        behind: Whether the cue comes behind the content, so that the pause comes first.

    Raises:
        CannotPut: The rate or the number of channels is out of bounds.
    """
    if not (MIN_RATE <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS):
        raise CannotPut(f"a cue cannot be put into sound of {channels} channels, {rate} samples per second")
    cue = cue_of(rate, channels)
    wanted = len(cue) / rate + PAUSE
    count = round(-(-round(wanted * SECTORS, 3) // 1) / SECTORS * rate)
    silence = np.zeros((max(0, count - len(cue)), channels), np.float32)
    return np.concatenate([silence, cue] if behind else [cue, silence])


def moved_times(what: str, where: str) -> Loss:
    """Return the loss of something that counts from the old start of the sound and could not be moved with it."""
    return Loss(what, where, "its times count from the old start of the sound; they were kept, and are too early now")


def hides(samples: int) -> str:
    """Return why nothing is put in front of sound whose header hides more of its start than encoders need."""
    return f"its header hides the first {samples} samples, as after cutting, and they would be heard behind a cue"


def too_large(what: str) -> CannotPut:
    """Return the error for a file that would not fit its format any more."""
    return CannotPut(f"with a cue the file would be larger than {what}")
