"""A recording as a cue: decoded, bounded, and resampled to what a file has."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs import pyav
from labeling.codecs.cue.base import CueOf
from labeling.containers import formats
from labeling.errors import LabelingError, UnreadableFile
from labeling.gates import gate

RATE = 48_000
"""Samples per second of a decoded recording."""

LEAST, MOST = 0.8, 20.0
"""Seconds that a recording may last: a sentence, and not a programme."""

MAX_BYTES = 16 << 20

_RATES = (1000, 768_000)


def decoded(data: bytes, *, name: str = "the recording") -> NDArray[np.float32]:
    """Decode a recording.

    Args:
        data: A WAV, FLAC, MP3, AAC, Opus or other audio file.
        name: What to call it in errors.

    Returns:
        (n,) float32 mono, -1 to 1, :data:`RATE` samples per second.

    Raises:
        UnreadableFile: It is no audio file, or damaged.
        LabelingError: It is too short or too long, or silent.
        MissingDependency: PyAV is not installed.
    """
    pyav.require("a recording as an audible label")
    if len(data) > MAX_BYTES:
        raise LabelingError(f"{name} has {len(data)} bytes, more than the {MAX_BYTES} that are read of a recording")
    row = formats.identify(data)
    if row is None or not row.demuxer:
        raise UnreadableFile(f"{name} is no audio file of a known kind", hint="give a WAV, FLAC, MP3, M4A or Opus file")

    def broken(why: str) -> UnreadableFile:
        return UnreadableFile(f"{name} cannot be decoded ({why})", hint="give a WAV, FLAC, MP3, M4A or Opus file")

    with gate("decode the recording", broken):
        parts = list(_parts(data, row.demuxer))
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    seconds = samples.size / RATE
    if not LEAST <= seconds <= MOST:
        least = f"it has to be {LEAST:g} to {MOST:g} s"
        raise LabelingError(f"{name} lasts {'more than ' if seconds > MOST else ''}{min(seconds, MOST):.2f} s: {least}")
    if not np.isfinite(samples).all() or float(np.abs(samples).max()) < 0.01:
        raise LabelingError(f"{name} is silent", hint="give a recording of a spoken label")
    return np.clip(samples, -1, 1)


def _parts(data: bytes, demuxer: str) -> Iterator[NDArray[np.float32]]:
    import av

    got = 0
    with av.open(io.BytesIO(data), "r", format=demuxer) as container:
        if not container.streams.audio:
            raise UnreadableFile("it has no sound")
        stream = container.streams.audio[0]
        if not _RATES[0] <= (stream.codec_context.sample_rate or 0) <= _RATES[1]:
            raise UnreadableFile("its samples per second make no sense")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in container.decode(stream):
            for piece in resampler.resample(frame):
                part = piece.to_ndarray().reshape(-1).astype(np.float32, copy=False)
                yield part
                got += part.size
            if got > (MOST + 1) * RATE:
                return


def resampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return a decoded recording at another rate: (n,) float32."""
    import av

    if rate == RATE:
        return samples

    def broken(why: str) -> LabelingError:
        return LabelingError(f"the recording cannot be resampled to {rate} samples per second ({why})")

    with gate("resample the recording", broken):
        frame: Any = av.AudioFrame.from_ndarray(samples[None, :], "flt", "mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        pieces = [each.to_ndarray().reshape(-1) for each in (*resampler.resample(frame), *resampler.resample(None))]
    return np.clip(np.concatenate(pieces).astype(np.float32), -1, 1)


def cue_of(samples: NDArray[np.float32]) -> CueOf:
    """Return a decoded recording as a cue: the same on all channels."""

    def made(rate: int, channels: int) -> NDArray[np.float32]:
        return np.repeat(resampled(samples, rate)[:, None], channels, axis=1)

    return made
