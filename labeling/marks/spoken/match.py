"""Find a known recording in sound, by its spectrum in time.

Sound and recording become levels in bands of the mel scale, every 16 ms. The mean of each band is taken away, so that
neither loudness nor an equaliser matters, and the levels are compared at every place: codecs and other rates change
little of them, and another sentence by the same voice changes most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE = 8000
"""Samples per second of all that is compared."""

SURE = 0.8
"""Least correlation that counts."""

EACH, _PARTS = 0.5, 6
"""Least correlation of each of so many parts."""

LEAST, MOST = 0.8, 20.0
"""Seconds that a recording may last."""

_HOP, _WINDOW = 128, 256
_BANDS, _LOW, _HIGH = 20, 150.0, 3800.0
_DEPTH = 4.0
"""Levels that are lower than the loudest one by more than this power of ten count as that: there is noise."""

_AT_ONCE = 64
_FLOOR = 1e-10


@dataclass(frozen=True, slots=True)
class Match:
    """Where a recording was found: start and end in seconds, correlation 0..1."""

    start: float
    end: float
    confidence: float


def find(sound: NDArray[np.float32], recording: NDArray[np.float32]) -> Match | None:
    """Find a recording in sound.

    Args:
        sound: (n,) float32 mono, :data:`RATE` samples per second; up to a minute.
        recording: The same of what is looked for.

    Returns:
        The best place, if the correlation there is :data:`SURE` or more.
    """
    if not LEAST * RATE <= recording.size <= (MOST + 1) * RATE or sound.size < recording.size:
        return None
    wanted, levels = _levels(recording), _levels(sound)
    count = len(wanted)
    if len(levels) < count:
        return None
    pattern = _shape(wanted[None])[0]
    windows = np.lib.stride_tricks.sliding_window_view(levels, count, axis=0).transpose(0, 2, 1)
    scores = np.concatenate([_shape(windows[at : at + _AT_ONCE]) @ pattern for at in range(0, len(windows), _AT_ONCE)])
    best = int(scores.argmax())
    if not (scores[best] >= SURE and _throughout(levels[best : best + count], wanted)):
        return None
    start = best * _HOP / RATE
    return Match(round(start, 2), round(start + recording.size / RATE, 2), round(min(1.0, float(scores[best])), 2))


def _throughout(heard: NDArray[np.float32], wanted: NDArray[np.float32]) -> bool:
    """Return whether every part is heard: a sentence that breaks off, or has other words in it, is another one."""
    floor = wanted.max() - _DEPTH
    return all(
        float((_shape(one[None]) @ _shape(other[None]).T)[0, 0]) >= EACH
        for one, other in zip(np.array_split(heard, _PARTS), np.array_split(wanted, _PARTS), strict=True)
        if other.max() > floor
    )


def _shape(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return pieces of levels (n, frames, bands) as vectors of length 1 that a correlation needs; silence is 0."""
    levels = np.maximum(levels, levels.max(axis=(1, 2), keepdims=True) - _DEPTH)
    levels = levels - levels.mean(axis=1, keepdims=True)
    flat = levels.reshape(len(levels), -1)
    size = np.linalg.norm(flat, axis=1, keepdims=True)
    return (flat / np.where(size > 1e-3, size, np.inf)).astype(np.float32)


def _levels(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithm of the power in each band, (frames, bands)."""
    sound = np.clip(np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0), -100, 100)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), axis=1)) ** 2
    levels: NDArray[np.float32] = np.log10(power.astype(np.float32) @ _filters() + _FLOOR)
    return levels


@cache
def _filters() -> NDArray[np.float32]:
    """Return triangular filters of the mel scale, (lines, bands)."""
    mel = np.linspace(_mel(_LOW), _mel(_HIGH), _BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    lines = np.fft.rfftfreq(_WINDOW, 1 / RATE)[:, None]
    rise = (lines - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - lines) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def _mel(hertz: float) -> float:
    return 2595 * float(np.log10(1 + hertz / 700))
