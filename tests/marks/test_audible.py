"""The rhythm short-long-short-short: found at any speed and pitch, through noise and music, never in these alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labeling.marks import audible
from labeling.marks.audible import Rhythm, cue, find

Sound = NDArray[np.float32]
RATE = 8000


def keyed(parts: list[tuple[float, float]], rate: int = RATE, edge: float = 0.004, level: float = 0.5) -> Sound:
    """A key pressed and released: (pitch in Hz or 0, seconds) one after the other."""
    out = []
    for pitch, seconds in parts:
        at = np.arange(round(seconds * rate)) / rate
        out.append(level * np.sin(2 * np.pi * pitch * at) * np.clip(np.minimum(at, at[::-1]) / edge, 0, 1))
    return np.concatenate(out).astype(np.float32)


def rhythm(
    unit: float, pitch: float, *, long: float = 3, pause: float = 1, letter: float = 3, rate: int = RATE
) -> Sound:
    tone, rest = [(pitch, unit), (pitch, long * unit), (pitch, unit), (pitch, unit)], [pause, letter, pause]
    parts = [tone[0]]
    for length, following in zip(rest, tone[1:], strict=True):
        parts += [(0.0, length * unit), following]
    return keyed(parts, rate)


def within(sound: Sound, part: Sound, start: float, rate: int = RATE) -> Sound:
    out, at = sound.copy(), round(start * rate)
    out[at : at + part.size] += part
    return out


def silence(seconds: float, rate: int = RATE) -> Sound:
    return np.zeros(round(seconds * rate), np.float32)


def is_at(found: list[Rhythm], start: float, length: float) -> bool:
    return len(found) == 1 and abs(found[0].start - start) < 0.05 and abs(found[0].end - start - length) < 0.06


def test_the_cue_is_the_rhythm_to_the_letter() -> None:
    mono = cue(48000, 1)[:, 0]
    assert mono.size == round(1.32 * 48000)
    loud = np.abs(mono).reshape(-1, 480).max(axis=1) > 0.3  # 10 ms each
    runs = "".join("#" if each else "." for each in loud)
    assert runs == "#" * 12 + "." * 12 + "#" * 36 + "." * 36 + "#" * 12 + "." * 12 + "#" * 12
    assert np.abs(mono).max() == pytest.approx(audible.LEVEL, abs=0.001)
    spectrum = np.abs(np.fft.rfft(mono))
    assert abs(spectrum.argmax() * 48000 / mono.size - audible.PITCH) < 2
    assert np.abs(np.diff(mono)).max() < 0.07, "it clicks"


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_what_is_written_is_found(rate: int) -> None:
    made = cue(rate, 2)
    assert made.shape == (round(1.32 * rate), 2) or abs(made.shape[0] / rate - 1.32) < 0.001
    assert made.dtype == np.float32
    for start in (0.0, 2.5):
        found = find(within(silence(5, rate), made[:, 1], start, rate), rate)
        assert is_at(found, start, 1.32)
        assert found[0].unit == pytest.approx(0.12, abs=0.01)
        assert found[0].pitch == pytest.approx(880, abs=6)
        assert found[0].confidence > 0.9
    assert is_at(find(made[:, 0], rate), 0, 1.32), "nothing before or behind it"


@settings(max_examples=80)
@given(
    unit=st.floats(0.05, 0.3),
    pitch=st.floats(400, 3000),
    long=st.floats(2, 4),
    pause=st.floats(0.7, 1.3),
    letter=st.floats(1.5, 4),
    start=st.floats(0, 2),
    level=st.floats(-50, 0),
)
def test_other_speeds_pitches_proportions_and_levels(
    unit: float, pitch: float, long: float, pause: float, letter: float, start: float, level: float
) -> None:
    part = rhythm(unit, pitch, long=long, pause=pause, letter=letter)
    sound = within(silence(start + part.size / RATE + 2.5), part, start) * np.float32(10 ** (level / 20))
    assert is_at(find(sound, RATE), start, part.size / RATE)


# --- what must not be taken for it ------------------------------------------------------------------------------------


def noise(rng: np.random.Generator, count: int) -> Sound:
    return (rng.standard_normal(count) * 0.2).astype(np.float32)


def pink(rng: np.random.Generator, count: int) -> Sound:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    sound = np.fft.irfft(spectrum / np.sqrt(np.arange(spectrum.size) + 1), count)
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)


def music(rng: np.random.Generator, count: int, *, organ: bool = False) -> Sound:
    """Three voices with five harmonics each and rests: plucked, or held at one level like an organ's."""
    out, beat = np.zeros(count), rng.choice([0.12, 0.15, 0.2, 0.25])
    for base in rng.choice([220, 330, 440], 3):
        at = 0.0
        while at < count / RATE - 1:
            length = beat * rng.choice([1, 1, 1, 2, 2, 3, 4])
            pitch = base * 2 ** (rng.choice([0, 0, 2, 4, 5, 7, 9, 12]) / 12)
            t = np.arange(round(length * RATE)) / RATE
            shape = np.clip(np.minimum(t, t[::-1]) / 0.01, 0, 1) * (1 if organ else np.exp(-t * rng.uniform(1, 6)))
            first = round(at * RATE)
            if rng.random() < 0.8:
                out[first : first + t.size] += shape * sum(
                    np.sin(2 * np.pi * pitch * h * t) / h**1.3 for h in range(1, 6)
                )
            at += length + beat * rng.choice([0, 0, 1])
    return np.asarray(0.6 * out / np.abs(out).max(), np.float32)


def organ(rng: np.random.Generator, count: int) -> Sound:
    return music(rng, count, organ=True)


def speech(rng: np.random.Generator, count: int) -> Sound:
    """Syllables of a gliding voice through three formants, hisses, and pauses."""
    out, at = np.zeros(count), 0.0
    while at < count / RATE - 0.5:
        length = rng.uniform(0.06, 0.35)
        t = np.arange(round(length * RATE)) / RATE
        phase = 2 * np.pi * np.cumsum(rng.uniform(90, 250) * (1 + rng.uniform(-0.2, 0.2) * t / length)) / RATE
        formants = rng.uniform([300, 900, 2200], [800, 2200, 3200])
        voice = sum(
            np.sin(h * phase) * sum(1 / (1 + ((h * 150 - f) / 90) ** 2) for f in formants) for h in range(1, 26)
        )
        sound = rng.standard_normal(t.size) * 0.5 if rng.random() < 0.25 else voice
        first = round(at * RATE)
        out[first : first + t.size] += sound * np.hanning(t.size) ** 0.3
        at += length + rng.choice([0, 0, 0.03, 0.08, 0.2])
    return np.asarray(0.6 * out / np.abs(out).max(), np.float32)


KINDS = [noise, pink, music, organ, speech]


@pytest.mark.parametrize("kind", KINDS)
def test_no_false_alarm_on_noise_music_and_speech(kind: Callable[[np.random.Generator, int], Sound]) -> None:
    rng = np.random.default_rng(45438)
    assert [find(kind(rng, 10 * RATE), RATE) for _ in range(30)] == [[]] * 30


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_heard_through_noise_music_and_speech(kind: Callable[[np.random.Generator, int], Sound]) -> None:
    """What is written lowers the sound under it by 12 dB; others may do so by less."""
    rng = np.random.default_rng(5)
    own = cue(RATE, 1)[:, 0]
    for lowered, least in ((0.25, 19), (0.5, 18)):
        hits = 0
        for _ in range(20):
            sound, start = kind(rng, 10 * RATE), rng.uniform(0, 6)
            at = round(start * RATE)
            sound[at : at + own.size] *= lowered
            hits += is_at(find(within(sound, own, start), RATE), start, 1.32)
        assert hits >= least, lowered


@pytest.mark.parametrize(
    "pattern", ["1 1 1 1", "3 1 1 1", "1 3 1 3", "1 3 3 1", "1 1 3 1", "3 3 3 3", "1 3 1", "1 3 1 1 1"]
)
def test_other_rhythms_are_others(pattern: str) -> None:
    parts: list[tuple[float, float]] = [(0.0, 1.0)]
    for units in map(int, pattern.split()):
        parts += [(880.0, 0.12 * units), (0.0, 0.12)]
    assert find(keyed([*parts, (0.0, 1.0)]), RATE) == []


def test_one_pitch_even_levels_and_quiet_around() -> None:
    unit = 0.12

    def four(pitches: tuple[float, ...], levels: tuple[float, ...] = (1, 1, 1, 1)) -> Sound:
        pieces = [silence(1)]
        for pitch, level, tone, rest in zip(pitches, levels, (1, 3, 1, 1), (1, 3, 1, 9), strict=True):
            pieces.append(keyed([(pitch, tone * unit), (0.0, rest * unit)]) * np.float32(level))
        return np.concatenate(pieces)

    assert len(find(four((880, 880, 880, 880)), RATE)) == 1
    assert find(four((880, 988, 880, 880)), RATE) == []
    assert find(four((880, 932, 880, 932)), RATE) == []
    assert find(four((880, 880, 880, 880), (1, 0.3, 1, 0.3)), RATE) == []
    once = rhythm(unit, 880)
    twice = np.concatenate([once, silence(7 * unit), once, silence(1)])
    assert [each.start for each in find(twice, RATE)] == pytest.approx([0, 2.16], abs=0.03)


@pytest.mark.parametrize("sound", [
    silence(0), silence(5), np.ones(5 * RATE, np.float32), np.full(RATE, np.nan, np.float32),
    np.full(RATE, np.inf, np.float32), np.full(2 * RATE, 3e38, np.float32),
])  # fmt: skip
def test_no_sound_at_all(sound: Sound) -> None:
    assert find(sound, RATE) == []


def test_odd_rates_are_no_error() -> None:
    assert find(cue(8000, 1)[:, 0], 0) == []
    assert find(cue(8000, 1)[:, 0], 500) == []
    assert find(cue(8000, 1)[:, 0], 10**9) == []
