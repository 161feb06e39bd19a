"""Whether one file is a re-encoded copy of another: a label goes over to a copy alone (Labelling Measures Art. 10).

Pictures are compared by their pixels, reduced to small squares, videos by such pictures at several times
and by their sound, audio by its spectrum over time. What has too little to see or to hear for that is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from labeling import codecs
from labeling.codecs.video import sample
from labeling.codecs.video.sample import AUDIO_RATE as RATE
from labeling.errors import LabelConflict, UnsupportedFormat
from labeling.limits import MAX_PIXELS_LABELLED

if TYPE_CHECKING:
    from labeling.codecs.video.sample import Sampler
    from labeling.containers import Contents, Media

Floats = NDArray[np.float32]

_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)

_HINT = "labels are only carried over to a copy"

SIDE = 48
"""Pictures are compared as squares of this many pixels, or of half their shorter side if that is less."""

BRIGHTER = 20.4
"""Largest difference of the mean between copies, in levels of 255: 8 %, and less where there is little contrast."""

OF_CONTRAST = 0.4
"""Largest mean difference of what is not plain, as a part of its own contrast; measured: copies up to 0.2."""

CORRELATION = 0.9
"""Least correlation of two copies; measured: above 0.95 at a quarter of the size and JPEG quality 30."""

COARSE = 8
"""Colours are compared as squares of this many cells: coding keeps less detail of them."""

PLAIN = 0.3
"""Mean contrast, in levels, up to which a picture is one plain colour, and there is nothing that could correlate."""

ROUNDING = 2.5
"""Levels by which coding may shift a plain colour."""

SAMPLES = 8
"""Times at which the pictures of two videos are compared."""

NEIGHBOURS = 0.12
"""Seconds around such a time in which the copy may show the picture: other frame rates round."""

MAX_BEFORE = 3000
"""Frames that are decoded at most to reach such a time from the key frame before it: two minutes at 25 a second."""

LONGER = (0.25, 0.01)
"""How much durations may differ: seconds, and a part of the duration."""

HOP, WINDOW = 160, 512
"""Samples between two spectra and in each, at 8000 a second: 20 ms and 64 ms."""

EDGES = (62, 3440)
"""Hertz of the lowest and the highest band: phones and low bit rates leave those between."""

BANDS = 24
LAG = 12
"""Spectra by which a copy may be early or late: encoders put up to 0.2 s in front."""

FLOOR, HEARD = 25.0, 15.0
"""Decibels below the loudest at which a band counts as silent, and up to which it can be heard."""

SILENT = -20.0
"""Level of the loudest band, in decibels, below which there is no sound. That of a full-scale tone is 42."""

SOUND_ALIKE = 2.0
"""Largest mean difference of two copies, in decibels, over what can be heard in either.

Measured: copies up to 1.4 (Opus with 16 kb/s, AAC with 24), two stretches of white noise 2.6, others from 8 on.
"""

PART, PART_ALIKE = 50, 5.0
"""The same for each part of so many spectra (1 s): nothing was cut in. Measured: copies up to 1.5, others from 7 on."""

MAX_SOUND = 6 * 3600
"""Seconds of sound that are compared at most."""


def require_same_picture(original: tuple[bytes, Contents, int], copy: tuple[bytes, Contents, int], name: str) -> None:
    """Check that one picture is a copy of another.

    Args:
        original: A file, what :func:`labeling.containers.read` found in it, and its EXIF orientation.
        copy: The other one.
        name: What the original is called.

    Raises:
        LabelConflict: It shows something else.
    """
    shown = [
        codecs.displayed_on_grounds(data, contents.format, orientation=turn, max_pixels=MAX_PIXELS_LABELLED).grounds[0]
        for data, contents, turn in (original, copy)
    ]
    if (difference := _difference(*shown)) is not None:
        raise LabelConflict(f"does not show the same picture as {name} ({difference})", hint=_HINT)


def _difference(one: Any, other: Any) -> str | None:
    """Say by what two pictures, (H, W, 3) uint8, differ more than copies do; ``None`` if they are copies."""
    smallest = min(*one.shape[:2], *other.shape[:2])
    side = max(1, min(SIDE, smallest // 2))
    small = [_reduced(each, side) @ _BRIGHTNESS for each in (one, other)]
    means = [float(each.mean()) for each in small]
    even = [each - mean for each, mean in zip(small, means, strict=True)]
    contrast = max(float(np.abs(each).mean()) for each in even)
    brighter = abs(means[0] - means[1])
    if brighter > max(ROUNDING, min(BRIGHTER, OF_CONTRAST * contrast)):
        return f"one is brighter by {brighter / 255:.1%}"
    if (apart := _colours_apart(*(_reduced(each, max(1, min(COARSE, smallest // 2))) for each in (one, other)))) > 1:
        return f"their colours are apart, by {apart:.1f} times what coding changes"
    if contrast <= PLAIN:
        return None
    difference = float(np.abs(even[0] - even[1]).mean()) / contrast
    power = float(np.sqrt((even[0] ** 2).sum() * (even[1] ** 2).sum()))
    likeness = float((even[0] * even[1]).sum()) / power if power else 0.0
    if difference <= OF_CONTRAST and likeness >= CORRELATION:
        return None
    faint = "; with so little contrast, coding may have done that" if contrast < 10 * PLAIN else ""
    return f"difference {difference:.0%} of their contrast, correlation {likeness:.2f}{faint}"


def _colours_apart(one: Floats, other: Floats) -> float:
    """Return how far the colours of two pictures, beside their brightness, are apart: copies stay below 1."""
    colours = [each - (each @ _BRIGHTNESS)[..., None] for each in (one, other)]
    if any(not np.any(np.abs(each) > 2) for each in colours):  # a copy in shades of gray has the brightness alone
        return 0.0
    vivid = max(float(np.abs(each).mean()) for each in colours)
    return float(np.abs(colours[0] - colours[1]).mean()) / max(ROUNDING, OF_CONTRAST * vivid)


def _reduced(pixels: Any, side: int) -> Floats:
    small = cv2.resize(np.ascontiguousarray(pixels), (side, side), interpolation=cv2.INTER_AREA)
    return small.reshape(side, side, -1).astype(np.float32)


def require_same_media(original: tuple[Media, Contents], copy: tuple[Media, Contents], name: str) -> tuple[str, ...]:
    """Check that one video or audio file is a copy of another.

    Args:
        original: A file, and what :func:`labeling.containers.read` found in it.
        copy: The other one.
        name: What the original is called.

    Returns:
        Sentences on what could not be compared.

    Raises:
        LabelConflict: It shows or plays something else, or for another time.
        UnsupportedFormat: It cannot be decoded here.
        UnreadableFile: Nothing of it could be decoded.
        MissingDependency: PyAV is not installed.
    """
    one, other = (
        sample.opened(data, contents.format, max_pixels=MAX_PIXELS_LABELLED, contents=contents)
        for data, contents in (original, copy)
    )
    if one.has_video != other.has_video:
        has = "video" if one.has_video else "audio"
        raise LabelConflict(f"is not a copy of {name}: that is {has}, and this is not", hint=_HINT)
    if other.has_audio and not one.has_audio:
        raise LabelConflict(f"has sound, and {name} has none", hint=_HINT)
    if one.has_video:
        _require_same_time(one.seconds, other.seconds, name)
        _require_same_pictures(one, other, name)
    if not (one.has_audio and other.has_audio):
        return ("the copy has no sound: only its pictures were compared",) if one.has_audio else ()
    _require_same_sound(one, other, name)
    return ()


def _require_same_time(one: float, other: float, name: str) -> None:
    if not (one and other):
        which = "the copy" if one else name
        raise UnsupportedFormat(
            f"the duration of {which} is not known, so that the two cannot be compared",
            hint="re-mux it first (ffmpeg -i OLD -c copy NEW)",
        )
    if abs(one - other) > LONGER[0] + LONGER[1] * one:
        raise LabelConflict(f"takes {other:.2f} s, and {name} {one:.2f} s: it is no copy of the whole", hint=_HINT)


def _require_same_pictures(one: Sampler, other: Sampler, name: str) -> None:
    end, compared = min(one.seconds, other.seconds), 0
    for number in range(SAMPLES):
        at = end * (number + 0.5) / SAMPLES
        wanted = next(_pictures_around(one, at, 0.0), None)
        pictures = _pictures_around(other, at, NEIGHBOURS)
        if wanted is None or (first := next(pictures, None)) is None:
            continue  # it is too far behind the last key frame
        said = _difference(wanted, first)
        while said is not None and (picture := next(pictures, None)) is not None:
            said = _difference(wanted, picture)
        if said is not None:
            raise LabelConflict(f"does not show the same picture as {name} at {at:.2f} s ({said})", hint=_HINT)
        compared += 1
    if compared <= SAMPLES // 2:
        raise LabelConflict(
            f"could be compared with {name} at {compared} of {SAMPLES} times only: the others are too far "
            "behind a key frame",
            hint="copy it with more of them (ffmpeg -i OLD -g 250 NEW)",
        )


def _pictures_around(video: Sampler, at: float, within: float) -> Iterator[Any]:
    """Yield the pictures shown at a time and a little earlier or later; none if that place is not reached."""
    with closing(video.frames_from(max(0.0, at - within), limit=MAX_BEFORE)) as frames:
        for frame in frames:
            if frame.seconds > at + within:
                break
            if frame.end >= at - within or frame.last:
                yield frame.rgb()


def _require_same_sound(one: Sampler, other: Sampler, name: str) -> None:
    spectra = [_spectra(each) for each in (one, other)]
    lengths = [len(each) * HOP / RATE for each in spectra]
    if not all(lengths):
        raise LabelConflict(f"its sound cannot be compared with that of {name}: it is too short", hint=_HINT)
    _require_same_time(lengths[0], lengths[1], name)
    if not one.has_video and all(float(each.max()) < SILENT for each in spectra):
        between = f"from {EDGES[0]} to {EDGES[1]} Hz"
        raise LabelConflict(f"holds no sound {between} by which it could be compared with {name}", hint=_HINT)
    mean, worst = min(_apart(spectra[0], spectra[1], lag) for lag in range(-LAG, LAG + 1))
    if mean > SOUND_ALIKE or worst > PART_ALIKE:
        where = f"{mean:.1f} dB apart on average, {worst:.1f} in one second"
        raise LabelConflict(f"does not sound the same as {name} ({where})", hint=_HINT)


def _spectra(media: Sampler) -> Floats:
    """Return the levels of :data:`BANDS` bands over time, (n, BANDS) float32 in decibels."""
    window = np.hanning(WINDOW).astype(np.float32)
    lowest, highest = (hertz * WINDOW / RATE for hertz in EDGES)
    bins = np.unique(np.geomspace(lowest, highest, BANDS + 1).round().astype(int))
    rest, found = np.zeros(0, np.float32), []
    for piece in media.sound(MAX_SOUND):
        samples = np.concatenate([rest, piece])
        count = max(0, (samples.size - WINDOW) // HOP + 1)
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]
            power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
            bands = np.add.reduceat(power[:, : bins[-1]], bins[:-1], axis=1)
            found.append((10 * np.log10(bands + 1e-12)).astype(np.float32))
        rest = samples[count * HOP :]
    return np.concatenate(found) if found else np.zeros((0, bins.size - 1), np.float32)


def _apart(one: Floats, other: Floats, lag: int) -> tuple[float, float]:
    """Return the mean difference of two sounds in decibels, and that of the second in which it is largest.

    Loudness alone makes no difference. A band counts by how far it is above :data:`FLOOR` in either.
    """
    one, other = one[max(0, lag) :], other[max(0, -lag) :]
    count = min(len(one), len(other))
    if not count:
        return np.inf, np.inf
    tops = float(one.max()), float(other.max())
    if min(tops) < SILENT:
        return (0.0, 0.0) if max(tops) < SILENT else (np.inf, np.inf)
    first, second = (np.maximum(each[:count] - top, -FLOOR) for each, top in zip((one, other), tops, strict=True))
    loud = np.maximum(first, second)
    both = np.minimum(first, second) > -HEARD
    gain = float(np.median((first - second)[both])) if both.any() else 0.0
    weight = np.where(loud > -HEARD, loud + FLOOR, 0)
    apart = np.abs(first - second - gain) * weight
    starts = np.arange(0, count, PART)
    weights = np.add.reduceat(weight.sum(axis=1), starts)
    sums = np.add.reduceat(apart.sum(axis=1), starts)
    counted = weights > 0.02 * weights.max()
    return float(sums.sum() / weights.sum()), float((sums[counted] / weights[counted]).max())
