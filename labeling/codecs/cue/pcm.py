"""A cue in WAV and AIFF: new samples in front of the old ones, or behind them, which stay as they are.

What counts samples is moved with them: markers and loops (``cue``, ``smpl``, ``PEAK``, MARK), the time of day of the
first sample (``bext``), and the lengths that headers state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from struct import Struct, pack_into, unpack_from
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.cue.base import CannotPut, CueOf, Ends, Placed, moved_times, too_large, with_pause
from labeling.containers import Media, aiff, wav
from labeling.containers.base import MAX_PAYLOAD
from labeling.containers.edits import Edit
from labeling.containers.syntax.riff import MAX_RIFF, Chunk, title
from labeling.errors import UnreadableFile
from labeling.losses import Loss

MAX_RATE, MAX_CHANNELS = 384_000, 32

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN = 0xFFFFFFFF
_fmt = Struct("<HHIIHH")

_FLOATS = {b"fl32": 32, b"FL32": 32, b"fl64": 64, b"FL64": 64}
_INTEGERS = {b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32"}
"""AIFF-C's names of floating-point numbers, with their bits, and of integers."""

_TIMED = {b"levl", b"axml", b"bxml", b"sxml", b"iXML", b"r64m", b"regn"}
"""Chunks with times or places in the sound that are not moved with it."""


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

    @property
    def align(self) -> int:
        """Bytes of a sample of all channels."""
        return self.channels * self.bits // 8


def put(data: Media, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into a WAV or AIFF file of integer or floating-point PCM.

    Args:
        data: The file.
        cue_of: Makes the cue.
        ends: Where it is put.

    Returns:
        The edits of the file, and what they mean.

    Raises:
        CannotPut: It is another format, or its samples are compressed.
        UnreadableFile: It is damaged.
        LabelingError: It would be larger than its format allows.
    """
    if (found := wav.walk(data)).children:
        if not found.format or found.samples is None:
            raise UnreadableFile("the WAV file has no fmt chunk, or no samples")
        form = _form(found.format, found.samples.body, found.samples.stop)
        front, behind = _new(form, cue_of, ends)
        return _in_wav(data, found, form, front, behind)
    if (other := aiff.walk(data)).children:
        form = _common(other)
        front, behind = _new(form, cue_of, ends)
        return _in_aiff(data, other, form, front, behind)
    raise CannotPut("it is neither a WAV nor an AIFF file")


def _new(form: _Samples, cue_of: CueOf, ends: Ends) -> tuple[bytes, bytes]:
    """Return the new samples in front and behind, coded. Their bytes are even, so that chunks stay padded as before."""
    made = []
    for wanted, behind in ((ends.start, False), (ends.end, True)):
        cue = with_pause(cue_of, form.rate, form.channels, behind=behind) if wanted else np.zeros((0, form.channels))
        raw = _coded(cue.astype(np.float64), form)
        made.append(raw + _coded(np.zeros((1, form.channels)), form) if len(raw) & 1 else raw)
    return made[0], made[1]


def _whole(form: _Samples) -> int:
    """Return where the last whole sample ends; what follows it in the chunk is no sound."""
    return form.start + (form.end - form.start) // form.align * form.align


def _insertions(form: _Samples, front: bytes, behind: bytes) -> list[Edit]:
    end = _whole(form)
    return [(at, at, raw) for at, raw in ((form.start, front), (end, behind)) if raw]


def _in_wav(data: Media, found: wav.Walk, form: _Samples, front: bytes, behind: bytes) -> Placed:
    grown, count = len(front) + len(behind), len(front) // form.align
    samples, begin = found.samples, found.riff.at
    assert samples is not None
    edits = _insertions(form, front, behind)
    size, length = found.riff.end - begin - 8 + grown, samples.stop - samples.body + grown
    ds64 = begin + 20 if found.large else 0  # its payload: it is the first chunk (EBU Tech 3306)
    for at, value, place in ((begin + 4, size, 0), (samples.at + 4, length, 8)):
        if found.large and data[at : at + 4] == b"\xff" * 4:
            edits.append((ds64 + place, ds64 + place + 8, value.to_bytes(8, "little")))
        elif value > MAX_RIFF:
            raise too_large("the 4 GiB that a RIFF file can be")
        else:
            edits.append((at, at + 4, value.to_bytes(4, "little")))
    if found.large and (frames := int.from_bytes(data[ds64 + 16 : ds64 + 24], "little")) not in (0, (1 << 64) - 1):
        edits.append((ds64 + 16, ds64 + 24, (frames + grown // form.align).to_bytes(8, "little")))
    meant, lost = set[str](), list[Loss]()
    for chunk in found.children:
        if chunk.name in _TIMED and front:
            lost.append(moved_times(f"times in the chunk {title(chunk.name)}", f"WAV chunk at offset {chunk.at}"))
        move = _WAV.get(chunk.name)
        if move is None or chunk.stop - chunk.body > MAX_PAYLOAD:
            continue
        old = bytearray(data[chunk.body : chunk.stop])
        new = bytearray(old)
        move(new, count, grown // form.align)
        if new != old:
            edits.append((chunk.body, chunk.stop, bytes(new)))
            meant.add(f"chunk:{title(chunk.name)}")
    return Placed(edits, len(front) / form.align / form.rate, len(behind) / form.align / form.rate, len(front),
                  meant=frozenset(meant), lost=tuple(lost))  # fmt: skip


def _add(raw: bytearray, kind: str, at: int, change: int) -> None:
    """Add to a number in a chunk, if it is there and the sum fits."""
    size = Struct(kind).size
    if at + size <= len(raw):
        value = unpack_from(kind, raw, at)[0] + change
        if 0 <= value < 1 << 8 * size:
            pack_into(kind, raw, at, value)


def _move_cues(raw: bytearray, front: int, _: int) -> None:
    """Move cue points: id, position, chunk, start of it, of the block, and the sample."""
    for at in range(4, min(len(raw) - 23, 4 + 24 * int.from_bytes(raw[:4], "little")), 24):
        if raw[at + 8 : at + 12] in (b"data", bytes(4)):
            _add(raw, "<I", at + 4, front)
            _add(raw, "<I", at + 20, front)


def _move_loops(raw: bytearray, front: int, _: int) -> None:
    """Move the loops of a sampler: 36 bytes of header, then id, type, start, end, fraction and count of each."""
    for at in range(36, min(len(raw) - 23, 36 + 24 * int.from_bytes(raw[28:32], "little")), 24):
        _add(raw, "<I", at + 8, front)
        _add(raw, "<I", at + 12, front)


def _move_time(raw: bytearray, front: int, _: int) -> None:
    """Move the time of day of the first sample (EBU Tech 3285, TimeReference), which is earlier now."""
    _add(raw, "<Q", 338, -front)


def _move_peaks(raw: bytearray, front: int, _: int) -> None:
    """Move the places of the loudest samples: version, time, then value and place for each channel."""
    for at in range(8, len(raw) - 7, 8):
        _add(raw, "<I", at + 4, front)


def _count(raw: bytearray, _: int, grown: int) -> None:
    if len(raw) >= 4 and raw[:4] not in (bytes(4), b"\xff" * 4):
        _add(raw, "<I", 0, grown)


_WAV: dict[bytes, Callable[[bytearray, int, int], None]] = {
    b"cue ": _move_cues, b"smpl": _move_loops, b"bext": _move_time, b"PEAK": _move_peaks, b"fact": _count,
}  # fmt: skip


def _in_aiff(data: Media, found: aiff.Walk, form: _Samples, front: bytes, behind: bytes) -> Placed:
    grown, count = len(front) + len(behind), len(front) // form.align
    samples, begin = found.samples, found.form.at
    assert samples is not None
    common = next(chunk for chunk in found.children if chunk.name == b"COMM")
    there = (form.end - form.start) // form.align
    stated = int.from_bytes(found.common[2:6], "big")
    form = replace(form, end=form.start + (stated if 0 < stated < there else there) * form.align)
    edits = _insertions(form, front, behind)
    frames = (form.end - form.start + grown) // form.align
    for at, value in ((begin + 4, found.form.end - begin - 8 + grown),
                      (samples.at + 4, samples.stop - samples.body + grown), (common.body + 2, frames)):  # fmt: skip
        if value > MAX_RIFF:
            raise too_large("the 4 GiB that an AIFF file can be")
        edits.append((at, at + 4, value.to_bytes(4, "big")))
    meant = {"chunk:COMM"}
    for chunk in found.children:
        if chunk.name == b"MARK" and count and chunk.stop - chunk.body <= MAX_PAYLOAD:
            edits.append((chunk.body, chunk.stop, _marked(data, chunk, count)))
            meant.add("chunk:MARK")
    return Placed(edits, len(front) / form.align / form.rate, len(behind) / form.align / form.rate, len(front),
                  meant=frozenset(meant))  # fmt: skip


def _marked(data: Media, chunk: Chunk, front: int) -> bytes:
    """Move markers: id, position, and a name of a length byte and an even number of bytes in all."""
    raw = bytearray(data[chunk.body : chunk.stop])
    at = 2
    for _ in range(int.from_bytes(raw[:2], "big")):
        if at + 7 > len(raw):
            break
        _add(raw, ">I", at + 2, front)
        at += 6 + (1 + raw[at + 6] + 1 & ~1)
    return bytes(raw)


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
        raise CannotPut(f"an AIFF-C file's samples of kind {name} would have to be encoded again")
    if not (1 <= channels <= MAX_CHANNELS and 1 <= rate <= MAX_RATE and 8 <= bits <= 64):
        raise UnreadableFile(f"the AIFF file's COMM chunk makes no sense: {channels} channels, {rate:g} per second")
    if kind not in _FLOATS and bits > 32:
        raise UnreadableFile(f"the AIFF file's COMM chunk makes no sense: {bits} bits")
    if found.offset:
        raise CannotPut("the AIFF file's samples are aligned to blocks")
    start = sound.body + 8
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
        raise CannotPut(f"a WAV file's samples of kind {tag}, {bits} bits, would have to be encoded again")
    if not (1 <= channels <= MAX_CHANNELS and 1 <= rate <= MAX_RATE and 1 <= valid <= bits):
        raise UnreadableFile(f"the WAV file's fmt chunk makes no sense: {channels} channels, {rate} samples per second")
    if align != channels * bits // 8:
        raise UnreadableFile(f"the WAV file's fmt chunk makes no sense: {align} bytes for {channels} × {bits} bits")
    return _Samples(tag == _FLOAT, channels, rate, bits, valid, start, end, biased=bits == 8)


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
