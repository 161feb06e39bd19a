"""The explicit label of audio: the rhythm short-long-short-short (GB 45438-2025 5.3), Morse code for "AI".

The standard gives neither lengths nor pitch. We write a unit of 0.12 s; a short tone of 1 unit and a long one of 3;
silence of 1 unit between tones and of 3 between the letters; a sine of 880 Hz with edges of 6 ms that peaks at half of
full scale. The reader accepts other speeds, pitches and proportions, but requires one steady pitch, even levels and
quiet around the rhythm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNIT = 0.12
"""Seconds of a short tone."""

PITCH = 880.0
LEVEL = 0.5
"""Peak of the tone, of full scale."""

EDGE = 0.006
"""Seconds of fading in and out, so that a tone does not click."""

PATTERN = ((True, 1), (False, 1), (True, 3), (False, 3), (True, 1), (False, 1), (True, 1))
"""Whether there is a tone, and for how many units."""

UNITS = (0.05, 0.3)
PITCHES = (400.0, 3000.0)
"""Units in seconds and pitches in Hz that are recognised."""

LONG = (1.6, 4.4)
"""Length of the long tone against a short one: some make it twice or four times as long."""

SURE = 0.75
"""Lower confidence is not reported."""

MAX_RATE = 768_000

_WINDOW, _HOP = 0.032, 0.008
_MAX_LINES = 12
_DEPTH, _STEP = 36, 3
"""Lowest threshold in dB below a line's loudest moment, and the step between thresholds."""

QUIETEST = 1e-3
"""Least level of a label, as the root mean square, of full scale: nobody hears what is 60 dB below it."""

BELOW = 1e-2
"""Least level of a label against the loudest second near it: 40 dB below that it is not heard beside it."""

_FLOOR = 1e-9
_CLIP = 100.0
_CONTRAST, _UNEVEN, _SWING = 8.0, 4.0, 2.5
"""In dB: least difference between tone and gaps, largest between tones, largest standard deviation in a tone."""

_STRAY = 0.4
"""Spectral lines by which the pitch may differ from tone to tone; speech and glides differ by more."""

_OWN = 0.8
"""Least share of a tone's duration in which nothing else is louder."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A rhythm that was found: start, end and unit in seconds, pitch in Hz, confidence 0..1."""

    start: float
    end: float
    unit: float
    pitch: float
    confidence: float


def cue(rate: int, channels: int) -> NDArray[np.float32]:
    """Return the rhythm as samples, (n, channels) float32 in -1..1, at ``rate`` samples per second; 1.32 s long."""
    parts = []
    for tone, units in PATTERN:
        count = round(units * UNIT * rate)
        if not tone:
            parts.append(np.zeros(count))
            continue
        at = np.arange(count) / rate
        rise = np.minimum(1.0, np.minimum(at, at[::-1]) / EDGE)
        parts.append(LEVEL * np.sin(2 * np.pi * PITCH * at) * (0.5 - 0.5 * np.cos(np.pi * rise)))
    mono = np.concatenate(parts).astype(np.float32)
    return np.repeat(mono[:, None], channels, axis=1)


def find(samples: NDArray[np.float32], rate: int) -> list[Rhythm]:
    """Find rhythms in mono samples, (n,) float32, at ``rate`` samples per second, and return them in order of time.

    Of rhythms that overlap only the most certain is returned. Meant for up to a minute of sound.
    """
    if not 2 * PITCHES[0] <= rate <= MAX_RATE or samples.size < UNITS[0] * 8 * rate:
        return []
    power = _spectrum(samples, rate)
    found = [rhythm for line in _lines(power) for rhythm in _in_line(power, line, samples.size / rate)]
    chosen: list[Rhythm] = []
    for one in sorted(found, key=lambda rhythm: -rhythm.confidence):
        if all(one.end <= other.start or one.start >= other.end for other in chosen):
            chosen.append(one)
    return sorted(chosen, key=lambda rhythm: rhythm.start)


def is_heard(samples: NDArray[np.float32], rate: int, start: float, end: float) -> bool:
    """Return whether a label from ``start`` to ``end``, in seconds, is loud enough in mono samples, (n,) float32."""
    power = np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -_CLIP, _CLIP).astype(np.float64) ** 2
    label = power[int(start * rate) : int(end * rate)]
    loudest = max((float(power[at : at + rate].mean()) for at in range(0, power.size, rate)), default=0.0)
    return bool(label.size) and float(label.mean()) >= max(QUIETEST**2, BELOW**2 * loudest)


@dataclass(frozen=True, slots=True)
class _Power:
    """Short-time power, (frames, lines) float32; ``first`` is the number of line 0, ``width`` Hz the distance of lines.

    Frame 0 is centred ``_WINDOW / 2`` before the first sample.
    """

    values: NDArray[np.float32]
    first: int
    width: float

    def seconds(self, frame: float) -> float:
        return frame * _HOP - _WINDOW / 2


def _spectrum(samples: NDArray[np.float32], rate: int) -> _Power:
    size, hop = round(_WINDOW * rate), _HOP * rate
    sound = np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -_CLIP, _CLIP)
    padded = np.pad(sound, size)
    starts = np.arange(0, padded.size - size, hop).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    width = rate / size
    low, high = int(PITCHES[0] / width) - 3, int(PITCHES[1] / width) + 4
    lines = np.fft.rfft(windows * np.hanning(size).astype(np.float32), axis=1)[:, max(0, low) : high]
    values = (np.abs(lines) / (size / 4)) ** 2
    return _Power(values.astype(np.float32), max(0, low), width)


def _lines(power: _Power) -> list[int]:
    """Return the spectral lines that are the loudest for long enough: the rhythm is in one of them, if it is there."""
    values = power.values
    top = values.argmax(axis=1)
    loud = values.max(axis=1) > max(_FLOOR, float(values.max()) * 1e-4)
    counts = np.bincount(top[loud], minlength=values.shape[1]).astype(int)
    below, here, above = counts[:-2], counts[1:-1], counts[2:]
    around = below + here + above
    least = 6 * UNITS[0] / _HOP * 0.6
    good = np.flatnonzero((around >= least) & (here > 0) & (here >= below) & (here >= above))
    return [int(line) + 1 for line in good[np.argsort(-around[good], kind="stable")][:_MAX_LINES]]


def _in_line(power: _Power, line: int, length: float) -> Iterator[Rhythm]:
    """Yield the rhythms in one spectral line, for every threshold between tone and silence."""
    energy = power.values[:, line - 1 : line + 2].sum(axis=1)
    level = 10 * np.log10(energy + _FLOOR)
    level = np.median(
        np.stack([np.roll(level, 1), level, np.roll(level, -1)]), axis=0
    )  # there is padding at either end
    loudest = float(level.max())
    for below in range(_STEP, _DEPTH + 1, _STEP):
        on = np.concatenate([[False], level > loudest - below, [False]])
        edges = np.flatnonzero(on[1:] != on[:-1])
        if edges.size < 8:
            continue
        runs = edges.reshape(-1, 2)
        for at in _matches(runs[:, 0] * _HOP, runs[:, 1] * _HOP):
            rhythm = _judged(power, level, line, runs[at : at + 4], length)
            if rhythm is not None:
                yield rhythm


def _matches(begins: NDArray[Any], ends: NDArray[Any]) -> NDArray[np.intp]:
    """Return which runs begin short-long-short-short, by their lengths in seconds and the silence around them."""
    count = begins.size - 3
    tone = ends - begins
    gap = np.concatenate([[np.inf], begins[1:] - ends[:-1], [np.inf]])  # infinite before the first and after the last
    one, long, three, four = (tone[k : k + count] for k in range(4))
    before, first, between, last, after = (gap[k : k + count] for k in range(5))
    short, pause = (one + three + four) / 3, (first + last) / 2
    # A threshold nearer to the silence makes tones longer and gaps shorter: the mean of both does not change.
    unit = (short + pause) / 2
    slack = 0.15 * unit + 1.5 * _HOP
    good = (unit > UNITS[0] * 0.8) & (unit < UNITS[1] * 1.15)
    for each in (one, three, four):
        good &= (np.abs(each - short) <= slack) & (each > 2.5 * _HOP)
    good &= (long >= LONG[0] * short) & (long <= LONG[1] * np.maximum(short, unit))
    good &= (np.abs(first - last) <= 1.5 * slack) & (pause >= 0.4 * short) & (pause <= 2 * short)
    good &= (between >= 0.8 * pause) & (between <= 5 * unit)
    quiet = np.maximum(2 * unit, 0.8 * between)
    return np.flatnonzero(good & (before >= quiet) & (after >= quiet))


def _judged(power: _Power, level: NDArray[Any], line: int, runs: NDArray[np.intp], length: float) -> Rhythm | None:
    """Check what lengths alone do not show: even levels, quiet gaps, one pitch, and nothing louder beside it.

    ``runs``: begins and ends of the four tones in frames, (4, 2).
    """
    begins, ends = runs[:, 0], runs[:, 1]
    margins = np.where(ends - begins > 6, 2, 1)
    inner = [slice(*run) for run in zip(begins + margins, ends - margins, strict=True)]
    levels = [float(level[part].mean()) for part in inner]
    swing = max(float(level[part].std()) for part in inner)
    gaps = np.concatenate([level[end + 1 : begin - 1] for end, begin in zip(ends[:-1], begins[1:], strict=True)])
    if max(levels) - min(levels) > _UNEVEN or swing > _SWING or not gaps.size:
        return None
    tone, silence = float(np.mean(levels)), float(np.median(gaps))
    pitches = [_pitch(power, line, part) for part in inner]
    loudest = np.concatenate([power.values[part].argmax(axis=1) for part in inner])
    own = float(np.mean(np.abs(loudest - line) <= 1))
    if tone - silence < _CONTRAST or max(pitches) - min(pitches) > _STRAY or own < _OWN:
        return None
    hertz = (power.first + line + float(np.mean(pitches))) * power.width
    if not PITCHES[0] * 0.98 <= hertz <= PITCHES[1] * 1.02:
        return None
    confidence = _likeness(np.clip(level, silence, tone), runs) * (0.5 + 0.5 * own)
    if not confidence >= SURE:
        return None
    short, pause = float((ends - begins)[[0, 2, 3]].mean()), float((begins[[1, 3]] - ends[[0, 2]]).mean())
    first, last = max(0.0, power.seconds(int(begins[0]))), min(length, power.seconds(int(ends[-1]) - 1))
    unit = (short + pause) / 2 * _HOP
    return Rhythm(round(first, 2), round(last, 2), round(unit, 3), round(hertz), round(confidence, 2))


def _likeness(level: NDArray[Any], runs: NDArray[np.intp]) -> float:
    """Return the correlation of the level with the ideal rhythm and the quiet around it."""
    quiet = max(2, int(runs[1, 0] - runs[0, 1]))
    start = max(0, int(runs[0, 0]) - quiet)
    shape = level[start : int(runs[3, 1]) + quiet]
    mask = np.zeros(shape.size)
    for begin, end in runs:
        mask[begin - start : end - start] = 1
    return float(np.corrcoef(shape, mask)[0, 1]) if shape.std() > 0 and mask.std() > 0 else 0.0


def _pitch(power: _Power, line: int, part: slice) -> float:
    """Return the offset of the tone's pitch from the line, in lines."""
    below, here, above = (float(v) for v in np.log(power.values[part, line - 1 : line + 2].mean(axis=0) + _FLOOR))
    bend = below - 2 * here + above
    return 0.5 * (below - above) / bend if bend < 0 else 0.0
