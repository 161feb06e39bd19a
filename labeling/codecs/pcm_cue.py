"""Mix a cue into the samples of WAV and AIFF. Only the samples under it change; all other bytes stay as they are.

Compressed audio cannot be changed in part without re-encoding it, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labeling.containers import Media, Piece, aiff, format_named, read, wav
from labeling.containers.edits import splice
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat

DUCKED = 10 ** (-12 / 20)
"""Gain of the audio under a cue: it is lowered by 12 dB."""

RAMP = 0.006
"""Seconds over which the audio is lowered, and raised again."""

MAX_RATE, MAX_CHANNELS = 384_000, 32

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_fmt = Struct("<HHIIHH")
_ADVICE = (
    "mix the cue into the samples before they are encoded (labeling.marks.audible.cue), or label a WAV or AIFF file"
)

_FLOATS = {b"fl32": 32, b"FL32": 32, b"fl64": 64, b"FL64": 64}
_INTEGERS = {b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32"}
"""AIFF-C's names of floating-point numbers, with their bits, and of integers."""

CueOf = Callable[[int, int], NDArray[np.float32]]
"""Returns the cue for (samples per second, channels): (samples, channels) float32, -1 to 1."""


@dataclass(frozen=True, slots=True)
class _Samples:
    """How samples are stored.

    Attributes:
        floating: Whether they are floating-point numbers.
        channels: Number of channels.
        rate: Samples per second.
        bits: Bits of a stored sample.
        valid: How many of its upper bits are used.
        start: Offset of the first sample in the file.
        end: Offset of the end of the last one.
        swapped: Whether the highest byte of a sample comes first.
        biased: Whether samples are unsigned, and silence is in the middle.
    """

    floating: bool
    channels: int
    rate: int
    bits: int
    valid: int
    start: int
    end: int
    swapped: bool = False
    biased: bool = False


def mix_cue(data: Media, cue_of: CueOf, *, at: Literal["start", "end"] = "start") -> list[Piece]:
    """Mix a cue into a WAV or AIFF file of integer or floating-point PCM.

    The cue is added to every channel, whose audio is lowered under it.

    Args:
        data: The file.
        cue_of: Makes the cue.
        at: Where it is mixed in.

    Returns:
        The pieces of the new file.

    Raises:
        UnsupportedFormat: It is another format, or its samples are compressed.
        UnreadableFile: It is damaged.
        LabelingError: It is shorter than the cue.
    """
    form = _samples(data)
    cue = cue_of(form.rate, form.channels)
    frame = form.channels * form.bits // 8
    there = (form.end - form.start) // frame
    if there < len(cue):
        raise LabelingError(
            f"the audio lasts {there / form.rate:.2f} s and the cue {len(cue) / form.rate:.2f} s: it does not fit",
            hint="label it without a cue",
        )
    begin = form.start + (there - len(cue) if at == "end" else 0) * frame
    end = begin + len(cue) * frame
    raw = data[begin:end]
    return splice(data, [(begin, end, _coded(_mixed(_decoded(raw, form), cue, form.rate), form))])


def _samples(data: Media) -> _Samples:
    if (found := wav.walk(data)).children:
        if not found.format or found.samples is None:
            raise UnreadableFile("the WAV file has no fmt chunk, or no samples")
        return _form(found.format, found.samples.body, found.samples.stop)
    if (other := aiff.walk(data)).children:
        return _common(other)
    kind = f"{format_named(read(data).format).title} files"
    raise UnsupportedFormat(f"a cue cannot be mixed into {kind} without re-encoding the audio", hint=_ADVICE)


def _common(found: aiff.Walk) -> _Samples:
    """Read the COMM chunk of an AIFF or AIFF-C file."""
    raw, sound = found.common, found.samples
    if not raw or sound is None:
        raise UnreadableFile("the AIFF file has no COMM chunk, or no samples")
    kind = raw[18:22] if found.form.form == b"AIFC" else b"NONE"
    channels, valid, rate = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[6:8], "big"), aiff.extended(raw[8:18])
    bits = _FLOATS.get(kind) or valid + 7 & ~7
    if kind not in _FLOATS and (kind not in _INTEGERS or (kind == b"raw " and bits != 8)):
        name = kind.decode("latin-1").encode("unicode_escape").decode("ascii")
        raise UnsupportedFormat(f"a cue cannot be mixed into an AIFF-C file's samples of kind {name}", hint=_ADVICE)
    if not (1 <= channels <= MAX_CHANNELS and 1 <= rate <= MAX_RATE and 8 <= bits <= 64):
        raise UnreadableFile(f"the AIFF file's COMM chunk makes no sense: {channels} channels, {rate:g} per second")
    if kind not in _FLOATS and bits > 32:
        raise UnreadableFile(f"the AIFF file's COMM chunk makes no sense: {bits} bits")
    start = sound.body + 8 + found.offset
    return _Samples(kind in _FLOATS, channels, round(rate), bits, bits if kind in _FLOATS else valid,
                    start, max(start, sound.stop), kind != b"sowt", kind == b"raw ")  # fmt: skip


def _form(raw: bytes, start: int, end: int) -> _Samples:
    """Read a WAVEFORMATEX or WAVEFORMATEXTENSIBLE."""
    tag, channels, rate, _, align, bits = _fmt.unpack_from(raw)
    valid = bits
    if tag == _EXTENSIBLE and len(raw) >= 26:
        valid = int.from_bytes(raw[18:20], "little") or bits
        tag = int.from_bytes(raw[24:26], "little")  # the first field of the sub-format's GUID
    fits = bits in ((32, 64) if tag == _FLOAT else (8, 16, 24, 32))
    if tag not in (_PCM, _FLOAT) or not fits:
        raise UnsupportedFormat(
            f"a cue cannot be mixed into a WAV file's samples of kind {tag}, {bits} bits", hint=_ADVICE
        )
    if not (1 <= channels <= MAX_CHANNELS and 1 <= rate <= MAX_RATE and 1 <= valid <= bits):
        raise UnreadableFile(f"the WAV file's fmt chunk makes no sense: {channels} channels, {rate} samples per second")
    if align != channels * bits // 8:
        raise UnreadableFile(f"the WAV file's fmt chunk makes no sense: {align} bytes for {channels} × {bits} bits")
    return _Samples(tag == _FLOAT, channels, rate, bits, valid, start, end, biased=bits == 8)


def _decoded(raw: bytes, form: _Samples) -> NDArray[np.float64]:
    """Return samples as (n, channels), -1 to 1."""
    values: NDArray[Any]
    raw = _turned(raw, form)
    if form.floating:
        values = np.frombuffer(raw, f"<f{form.bits // 8}").astype(np.float64)
    elif form.biased:
        values = (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) / 128
    elif form.bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        values = wide.view("<i4")[:, 0] / 2.0**31
    else:
        values = np.frombuffer(raw, f"<i{form.bits // 8}") / 2.0 ** (form.bits - 1)
    return values.reshape(-1, form.channels)


def _mixed(audio: NDArray[np.float64], cue: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    count = len(cue)
    at = np.arange(count) / rate
    depth = np.clip(np.minimum(at, at[::-1]) / RAMP, 0, 1)[:, None]
    mixed: NDArray[np.float64] = audio * (1 - (1 - DUCKED) * depth) + cue
    # A file of floats may exceed full scale where it already did.
    return np.clip(mixed, np.minimum(-1, audio), np.maximum(1, audio))


def _coded(values: NDArray[np.float64], form: _Samples) -> bytes:
    stored: NDArray[Any]
    if form.floating:
        stored = values.astype(f"<f{form.bits // 8}")
    else:
        top = 2 ** (form.valid - 1)
        stored = np.clip(np.rint(values * top), -top, top - 1).astype("<i8") << (form.bits - form.valid)
        stored = stored + 128 if form.biased else stored
        stored = np.ascontiguousarray(stored).view(np.uint8).reshape(-1, 8)[:, : form.bits // 8]
    return _turned(stored.tobytes(), form)


def _turned(raw: bytes, form: _Samples) -> bytes:
    """Return samples with their lowest byte first from the order of the file, or the other way round."""
    if not form.swapped:
        return raw
    return np.frombuffer(raw, np.uint8).reshape(-1, form.bits // 8)[:, ::-1].tobytes()
