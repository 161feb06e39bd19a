"""A cue in MP3 (ISO/IEC 11172-3, 13818-3): frames in front of the old ones, or behind them, which stay as they are.

A decoder remembers three things from one frame to the next: the bit reservoir, the half of a block that overlaps with
the next one, and the state of its filter. So the new frames need no reservoir, and two frames of digital silence
separate them from the content, which then finds a decoder as it is at the start of a file.

The Xing header of the file stays, with other numbers: the samples that its LAME extension tells players to skip are
those of the new first frames. What they skipped of the content before is silence behind the cue.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import numpy as np

from labeling.codecs.cue import checksums, id3_times
from labeling.codecs.cue.base import MAX_HIDDEN, CannotPut, CueOf, Ends, Placed, hides, with_pause
from labeling.codecs.cue.encoder import encoded
from labeling.containers import Media
from labeling.containers import mp3 as container
from labeling.containers.edits import Edit
from labeling.errors import UnreadableFile

MAX_FRAMES = 1 << 22
"""Limit on the frames of a file: more than a day of them."""

_SILENT = 2
_RESERVOIR = 511
"""Bytes of earlier frames that a frame can use at most."""

_PART = 1 << 20
_TOC = 100
_number = Struct(">I")
_ENCODERS = {3: "libmp3lame", 2: "mp2"}
_SILENCE = 1.0  # seconds more, of which as many frames are taken as are needed


class _Sound(NamedTuple):
    """The frames of a file.

    Attributes:
        header: Offset of the frame with the Xing or VBRI header; -1 if there is none.
        start: Offset of the first frame with sound.
        end: Offset of the end of the last frame.
        offsets: Offsets of the frames with sound.
    """

    header: int
    start: int
    end: int
    offsets: list[int]


def put(data: Media, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into an MP3 file; see :func:`labeling.codecs.cue.pcm.put`."""
    found = container.lay_out(data)
    if found.collector.problems:
        raise UnreadableFile(found.collector.problems[0])
    sound = _sound(data, found, cut=not ends.end)
    head = data[sound.start : sound.start + 8]
    frame = container.parse_frame(head)
    if frame is None or not frame.length:
        raise CannotPut("its frames are in free format, whose length only decoding finds")
    if ends.start and _layer(head) == 3 and _reaches_back(data, sound.offsets):
        raise CannotPut(
            "its first frames need sound that is not in the file, as after cutting: decoders leave them silent, and "
            "would make noise of what is put in front of them"
        )
    new_front, new_behind = (
        _frames(cue_of, head, frame, _kbits(data, sound, frame), behind=behind) if wanted else b""
        for wanted, behind in ((ends.start, False), (ends.end, True))
    )
    count = [_count(each, frame) for each in (new_front, new_behind)]
    front, behind = (each * frame.samples / frame.rate for each in count)
    edits: list[Edit] = [(at, at, new) for at, new in ((sound.start, new_front), (sound.end, new_behind)) if new]
    if sound.header >= 0:
        edits.append(_header(data, sound, new_front, new_behind, sum(count), frame))
    times, meant, lost = id3_times.moved(found.tags, front, front + behind, "MP3 ID3v2")
    return Placed([*edits, *times], front, behind, len(new_front), "packets", meant, lost)


def _layer(head: bytes) -> int:
    return 4 - (head[1] >> 1 & 3)


def _reaches_back(data: Media, offsets: list[int]) -> bool:
    """Return whether a frame needs bytes from before the first one (main_data_begin; ISO/IEC 11172-3, 2.4.1.7)."""
    there = 0
    for at in offsets:
        head = data[at : at + 8]
        frame = container.parse_frame(head)
        if there >= _RESERVOIR or frame is None:
            break
        begin = 4 if head[1] & 1 else 6
        back = head[begin] << 1 | head[begin + 1] >> 7 if frame.samples == 1152 else head[begin]
        if back > there:
            return True
        there += max(0, frame.length - frame.side - (0 if head[1] & 1 else 2))
    return False


def _sound(data: Media, found: container.Walk, *, cut: bool) -> _Sound:
    """Walk over the frames.

    Args:
        data: The file.
        found: Its layout.
        cut: Whether the last frame may be cut off.

    Raises:
        CannotPut: They do not reach to the end of the sound.
    """
    first = container.parse_frame(data[found.audio : found.audio + 4])
    header = -1
    offsets = list(_offsets(data, found.audio, found.audio_end, cut=cut))
    if first is not None:
        raw = data[found.audio : found.audio + max(first.side + 4, 40)]
        if raw[first.side : first.side + 4] in (b"Xing", b"Info") or raw[36:40] == b"VBRI":
            header = offsets.pop(0)
    if len(offsets) < 2:
        raise CannotPut("it has too few frames of sound")
    end = offsets.pop()
    return _Sound(header, offsets[0], end, offsets)


def _offsets(data: Media, at: int, stop: int, *, cut: bool) -> Iterator[int]:
    """Yield the offsets of whole frames, and at last where they end."""
    part, begin = b"", at
    kind = data[at + 1 : at + 2]
    for _ in range(MAX_FRAMES):
        if at + 4 > begin + len(part):
            begin, part = at, data[at : min(at + _PART, stop)]
        head = part[at - begin : at - begin + 4]
        frame = container.parse_frame(head) if head[1:2] == kind else None
        if frame is None or not frame.length or at + frame.length > stop:
            last = frame is not None and frame.length > 0 and cut
            if not last and any(data[at : min(stop, at + _PART)]):
                raise CannotPut(f"its frames are not in one run: something else is at offset {at}")
            yield at
            return
        yield at
        at += frame.length
    raise CannotPut(f"the file has more than {MAX_FRAMES} frames")


def _kbits(data: Media, sound: _Sound, frame: container.Frame) -> int:
    """Return the bit rate for new frames: the content's own, or its mean where that varies and a header says so."""
    if sound.header < 0:
        return frame.kbits
    side = container.parse_frame(data[sound.header : sound.header + 4])
    at = sound.header + (side.side if side is not None else 0)
    if data[at : at + 4] == b"Info":
        return frame.kbits
    seconds = len(sound.offsets) * frame.samples / frame.rate
    return max(8, round((sound.end - sound.start) / seconds / 125))


def _frames(cue_of: CueOf, head: bytes, frame: container.Frame, kbits: int, *, behind: bool) -> bytes:
    """Encode the cue as frames like the content's, with silent ones towards it."""
    layer, channels = _layer(head), 1 if head[3] >> 6 == 3 else 2
    if layer not in _ENCODERS:
        raise CannotPut("it is MPEG audio of layer I, for which there is no encoder here")
    cue = with_pause(cue_of, frame.rate, channels, behind=behind)
    wanted = -(-len(cue) // frame.samples)
    tail = cue[:1].repeat(round(_SILENCE * frame.rate), axis=0) * 0
    options = {"reservoir": "0"} if layer == 3 else {}
    packets, _ = encoded(
        _ENCODERS[layer], np.concatenate([cue, tail]), frame.rate, bit_rate=kbits * 1000, options=options
    )
    made = packets[: wanted + (2 if behind else 0)]
    first = container.parse_frame(made[0][:4])
    if first is None or (first.rate, first.samples, _layer(made[0])) != (frame.rate, frame.samples, layer):
        raise CannotPut("the encoder here does not give frames like its own")
    if not behind and layer == 3:
        made = made[: wanted - _SILENT] + [each[:4] + bytes(len(each) - 4) for each in made[wanted - _SILENT :]]
    return b"".join(made)


def _count(raw: bytes, frame: container.Frame) -> int:
    at = count = 0
    while at < len(raw) and (each := container.parse_frame(raw[at : at + 4])) is not None and each.length:
        at += each.length
        count += 1
    return count


def _header(data: Media, sound: _Sound, front: bytes, behind: bytes, count: int, frame: container.Frame) -> Edit:
    """Return the edit that gives the Xing header other numbers; a VBRI header becomes one."""
    raw = bytearray(data[sound.header : sound.start])
    first = container.parse_frame(bytes(raw[:4]))
    assert first is not None
    at, grown = first.side, len(front) + len(behind)
    whole = sound.end - sound.header + grown
    if raw[36:40] == b"VBRI":
        raw[4:] = bytes(len(raw) - 4)
        if len(raw) < at + 16 + _TOC:
            raise CannotPut("its VBRI header is too short to be replaced")
        raw[at : at + 16] = b"Xing" + _number.pack(7) + 2 * _number.pack(0)
        raw[at + 8 : at + 12] = _number.pack(len(sound.offsets))
    flags, place = _number.unpack_from(raw, at + 4)[0], at + 8
    if flags & 1 and place + 4 <= len(raw):
        _number.pack_into(raw, place, _number.unpack_from(raw, place)[0] + count)
    place += 4 if flags & 1 else 0
    if flags & 2 and place + 4 <= len(raw):
        _number.pack_into(raw, place, whole)
    place += 4 if flags & 2 else 0
    if flags & 4 and place + _TOC <= len(raw):
        raw[place : place + _TOC] = _toc(sound, front, behind, whole)
    place += _TOC if flags & 4 else 0
    place += 4 if flags & 8 else 0
    if bytes(raw[place : place + 4]) in (b"LAME", b"Lavf", b"Lavc") and place + 36 <= len(raw):
        _extension(raw, place, sound, front, behind, data)
    return sound.header, sound.start, bytes(raw)


def _toc(sound: _Sound, front: bytes, behind: bytes, whole: int) -> bytes:
    """Return where each hundredth of the duration begins, in 256ths of the bytes."""
    lead = sound.start - sound.header
    offsets = [lead + each for each in _starts(front)]
    offsets += [each - sound.header + len(front) for each in sound.offsets]
    offsets += [sound.end - sound.header + len(front) + each for each in _starts(behind)]
    return bytes(min(255, offsets[number * len(offsets) // _TOC] * 256 // whole) for number in range(_TOC))


def _starts(raw: bytes) -> Iterator[int]:
    at = 0
    while at < len(raw) and (each := container.parse_frame(raw[at : at + 4])) is not None and each.length:
        yield at
        at += each.length


def _extension(raw: bytearray, at: int, sound: _Sound, front: bytes, behind: bytes, data: Media) -> None:
    """Update LAME's extension: the length of the music, its checksum, and that of the header."""
    hidden = int.from_bytes(raw[at + 21 : at + 24], "big") >> 12
    if front and hidden > MAX_HIDDEN:
        raise CannotPut(hides(hidden))
    own = checksums.crc16_mirrored(bytes(data[sound.header : sound.header + at + 34]))
    right = own == int.from_bytes(raw[at + 34 : at + 36], "big")
    if (length := _number.unpack_from(raw, at + 28)[0]) != 0:
        _number.pack_into(raw, at + 28, min(length + len(front) + len(behind), 0xFFFFFFFF))
    music = int.from_bytes(raw[at + 32 : at + 34], "big")
    if music:
        old = sound.end - sound.start
        value = checksums.moved(checksums.mirrored(checksums.crc16_mirrored(front)), old) ^ checksums.mirrored(music)
        value = checksums.moved(value, len(behind)) ^ checksums.mirrored(checksums.crc16_mirrored(behind))
        raw[at + 32 : at + 34] = checksums.mirrored(value).to_bytes(2, "big")
    if right:
        raw[at + 34 : at + 36] = checksums.crc16_mirrored(bytes(raw[: at + 34])).to_bytes(2, "big")
