"""A cue in FLAC (RFC 9639): new frames in front of the old ones, or behind them.

A frame's coded samples do not depend on other frames, so the content's stay as they are: only the numbers in the
headers of the frames change, and with them the checksums. The MD5 of the samples is made again from the decoded sound,
if the one in the file was right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.cue import comments
from labeling.codecs.cue.base import CannotPut, CueOf, Ends, Placed, with_pause
from labeling.codecs.cue.checksums import crc16
from labeling.codecs.cue.flac_frames import Frame, encoded, renumbered, taken_apart
from labeling.containers import Media
from labeling.containers.base import MAX_PAYLOAD
from labeling.containers.edits import Edit
from labeling.containers.syntax import id3
from labeling.errors import UnreadableFile
from labeling.filebytes import FileBytes
from labeling.gates import gate
from labeling.losses import Loss

MAX_FRAMES = 1 << 22
"""Limit on the frames of a file: more than a day of them."""

_STREAMINFO, _SEEKTABLE, _COMMENT, _CUESHEET = 0, 3, 4, 5
_VARIABLE_BLOCK = 4096
_PLACEHOLDER = b"\xff" * 8


class _Info(NamedTuple):
    """STREAMINFO (RFC 9639, 8.2)."""

    blocks: tuple[int, int]
    sizes: tuple[int, int]
    rate: int
    channels: int
    bits: int
    samples: int
    md5: bytes

    @classmethod
    def of(cls, raw: bytes) -> _Info:
        numbers = int.from_bytes(raw[10:18], "big")
        return cls(
            (int.from_bytes(raw[:2], "big"), int.from_bytes(raw[2:4], "big")),
            (int.from_bytes(raw[4:7], "big"), int.from_bytes(raw[7:10], "big")),
            numbers >> 44, (numbers >> 41 & 7) + 1, (numbers >> 36 & 31) + 1, numbers & (1 << 36) - 1, raw[18:34],
        )  # fmt: skip

    def packed(self) -> bytes:
        numbers = self.rate << 44 | self.channels - 1 << 41 | self.bits - 1 << 36 | self.samples
        parts = [size.to_bytes(2, "big") for size in self.blocks] + [size.to_bytes(3, "big") for size in self.sizes]
        return b"".join(parts) + numbers.to_bytes(8, "big") + self.md5


def put(data: Media, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into a FLAC file; see :func:`labeling.codecs.cue.pcm.put`."""
    begin = id3.behind_tags(data)
    blocks = list(_blocks(data, begin + 4))
    audio = blocks[-1][2] if blocks else len(data)
    if not blocks or blocks[0][0] != _STREAMINFO or blocks[0][2] - blocks[0][1] < 34:
        raise UnreadableFile("the FLAC file's STREAMINFO block is missing or damaged")
    info = _Info.of(data[blocks[0][1] : blocks[0][1] + 34])
    frames = list(_frames(data, audio, info))
    first = frames[0]
    block = max(info.blocks[1], first.samples) if len(frames) == 1 else first.samples
    block = _VARIABLE_BLOCK if first.variable else block
    last_block = frames[-1]
    if any(each.samples != block for each in frames[:-1]) and not first.variable:
        raise UnreadableFile("the FLAC file's frames have different lengths, although it says that all have the same")
    front = _whole(_integers(with_pause(cue_of, info.rate, info.channels), info.bits), block) if ends.start else None
    behind = _integers(with_pause(cue_of, info.rate, info.channels, behind=True), info.bits) if ends.end else None
    sound = _Decoded(data, info, front)
    tail = sound.last(last_block.samples) if ends.end and not first.variable and last_block.samples != block else None
    shift = 0 if front is None else len(front)
    new_front = b"".join(encoded(front, first, block, 0, info.bits)) if front is not None else b""
    edits: list[Edit] = [(audio, audio, new_front)] if new_front else []
    places = {0: 0}  # offsets of frames from the first one: where they were, and where they are
    grown, number = len(new_front), 0
    kept = frames[:-1] if tail is not None else frames
    for each in kept:
        places[each.at - audio] = each.at - audio + grown
        head = renumbered(each, shift if each.variable else shift // block)
        edits += head
        grown += sum(len(new) - (end - start) for start, end, new in head)
        number += each.samples
    extra = b""
    if behind is not None:
        rest = behind if tail is None else np.concatenate([tail, behind])
        extra = b"".join(encoded(rest, first, block, shift + number, info.bits))
        start = last_block.at if tail is not None else frames[-1].end
        edits.append((start, frames[-1].end, extra))
        if tail is not None:
            places[last_block.at - audio] = last_block.at - audio + grown
    added = shift + (0 if behind is None else len(behind))
    right = info.md5 == sound.old
    digest = sound.digest(behind) if right else bytes(16)
    sizes = (0, 0) if not all(info.sizes) else _sizes(new_front + extra, info.sizes)
    smallest = min(info.blocks[0], block)
    info = info._replace(
        blocks=(smallest, max(info.blocks[1], block)), sizes=sizes, md5=digest,
        samples=info.samples + added if info.samples else 0,
    )  # fmt: skip
    edits.append((blocks[0][1], blocks[0][1] + 34, info.packed()))
    lost: list[Loss] = []
    if shift:
        edits += _moved(data, blocks, shift, info, places, lost)
    meant = frozenset({f"block:{_STREAMINFO}", f"block:{_SEEKTABLE}", f"block:{_CUESHEET}", *_texts(data, blocks)})
    return Placed(edits, shift / info.rate, (added - shift) / info.rate, shift, "samples", meant, tuple(lost))


def _blocks(data: Media, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield (type, start, end) of the metadata blocks' contents."""
    for _ in range(4096):
        head = data[at : at + 4]
        end = at + 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or end > len(data):
            return
        yield head[0] & 127, at + 4, end
        at = end
        if head[0] & 128:
            return


def _frames(data: Media, audio: int, info: _Info) -> Iterator[Frame]:
    """Yield the frames, which FFmpeg's parser divides; each has to follow the one before it, and all is one of them."""
    at, found = audio, 0
    for raw in _packets(data):
        frame = taken_apart(raw, at, info.blocks[1])
        if frame is None or data[at : at + 4] != raw[:4]:
            raise CannotPut(f"the FLAC frame at offset {at} is damaged")
        found += 1
        if found > MAX_FRAMES:
            raise CannotPut(f"the file has more than {MAX_FRAMES} frames")
        yield frame
        at = frame.end
        last = raw
    if not found:
        raise UnreadableFile("no FLAC frame is found")
    if at != len(data) or crc16(last[:-2]) != int.from_bytes(last[-2:], "big"):
        raise CannotPut("its last frame is damaged, or something that is no sound follows it")


def _packets(data: Media) -> Iterator[bytes]:
    import av

    with gate("divide the file into frames", _broken), av.open(_stream(data), format="flac") as container:
        for packet in container.demux(container.streams.audio[0]):
            if packet.size:
                yield bytes(packet)


def _stream(data: Media) -> Any:
    import io

    return data.stream() if isinstance(data, FileBytes) else io.BytesIO(data)


def _broken(why: str) -> UnreadableFile:
    return UnreadableFile(f"cannot be decoded ({why}): the file is damaged, or of a kind unknown here")


class _Decoded:
    """The content, decoded: the MD5 of its samples as STREAMINFO has it, that with a cue, and its last samples."""

    def __init__(self, data: Media, info: _Info, front: NDArray[np.int64] | None) -> None:
        self._data, self._info = data, info
        self._tail = np.zeros((0, info.channels), np.int64)
        old = hashlib.md5(usedforsecurity=False)
        self._new = hashlib.md5(b"" if front is None else _raw(front, info.bits), usedforsecurity=False)
        for part in self._parts():
            raw = _raw(part, info.bits)
            old.update(raw)
            self._new.update(raw)
            self._tail = np.concatenate([self._tail, part])[-65536:]
        self.old = old.digest()

    def last(self, count: int) -> NDArray[np.int64]:
        """Return the last samples."""
        if len(self._tail) < count:
            raise UnreadableFile("the FLAC file's last frame cannot be decoded")
        return self._tail[-count:]

    def digest(self, behind: NDArray[np.int64] | None) -> bytes:
        """Return the MD5 with the cue, once."""
        self._new.update(b"" if behind is None else _raw(behind, self._info.bits))
        return self._new.digest()

    def _parts(self) -> Iterator[NDArray[np.int64]]:
        import av

        with gate("decode the sound", _broken), av.open(_stream(self._data), format="flac") as container:
            stream = container.streams.audio[0]
            for frame in container.decode(stream):
                array = frame.to_ndarray()
                held = array.dtype.itemsize * 8
                if frame.format.is_planar:
                    array = array.T
                # FFmpeg puts samples into the upper bits of what holds them.
                yield array.reshape(-1, self._info.channels).astype(np.int64) >> held - self._info.bits


def _raw(samples: NDArray[np.int64], bits: int) -> bytes:
    width = (bits + 7) // 8
    return np.ascontiguousarray(samples.astype("<i8")).view(np.uint8).reshape(-1, 8)[:, :width].tobytes()


def _integers(cue: NDArray[np.float32], bits: int) -> NDArray[np.int64]:
    top = 1 << bits - 1
    return np.clip(np.rint(cue.astype(np.float64) * top), -top, top - 1).astype(np.int64)


def _whole(samples: NDArray[np.int64], block: int) -> NDArray[np.int64]:
    """Add silence up to a whole number of blocks: in front of others, none may be shorter."""
    return np.concatenate([samples, np.zeros((-len(samples) % block, samples.shape[1]), np.int64)])


def _sizes(new: bytes, old: tuple[int, int]) -> tuple[int, int]:
    # A bound that is too wide does no harm: decoders allocate by the larger one.
    return min(14, old[0]), min(max(old[1] + 8, len(new)), (1 << 24) - 1)


def _texts(data: Media, blocks: list[tuple[int, int, int]]) -> set[str]:
    """Return the keys of comments that hold times."""
    found = set()
    for kind, start, end in blocks:
        if kind == _COMMENT and end - start <= MAX_PAYLOAD:
            found |= {f"text:{name}" for name in comments.moved(data[start:end], 1.0)[1]}
    return found


def _moved(
    data: Media, blocks: list[tuple[int, int, int]], shift: int, info: _Info, places: dict[int, int], lost: list[Loss]
) -> Iterator[Edit]:
    """Move what counts samples: seek points, cue sheet, and chapters in comments. All keep their lengths."""
    for kind, start, end in blocks:
        if end - start > MAX_PAYLOAD:
            continue
        raw = bytearray(data[start:end])
        if kind == _SEEKTABLE:
            for at in range(0, len(raw) - 17, 18):
                if raw[at : at + 8] == _PLACEHOLDER:
                    continue
                offset = places.get(int.from_bytes(raw[at + 8 : at + 16], "big"))
                if offset is None:
                    raw[at : at + 18] = _PLACEHOLDER + bytes(10)
                    continue
                _add(raw, at, shift)
                raw[at + 8 : at + 16] = offset.to_bytes(8, "big")
            points = sorted(bytes(raw[at : at + 18]) for at in range(0, len(raw) - 17, 18))
            raw[: len(points) * 18] = b"".join(points)
        elif kind == _CUESHEET:
            _move_cuesheet(raw, shift, lost)
        elif kind == _COMMENT:
            raw = bytearray(comments.moved(bytes(raw), shift / info.rate)[0])
        if raw != data[start:end]:
            yield start, end, bytes(raw)


def _add(raw: bytearray, at: int, change: int) -> None:
    value = int.from_bytes(raw[at : at + 8], "big") + change
    raw[at : at + 8] = (value & (1 << 64) - 1).to_bytes(8, "big")


def _move_cuesheet(raw: bytearray, shift: int, lost: list[Loss]) -> None:
    """Move the tracks of a CUESHEET block (RFC 9639, 8.7): 396 bytes, then tracks of 36 bytes and 12 for each index."""
    if len(raw) < 396:
        return
    at = 396
    for _ in range(raw[395]):
        if at + 36 > len(raw):
            return
        _add(raw, at, shift)
        at += 36 + 12 * raw[at + 35]
    if raw[136] & 128 and shift % 588:
        raw[136] &= 127
        why = "its tracks begin at whole sectors of a CD no more, since a cue of whole frames is in front of them"
        lost.append(Loss("that the cue sheet is one of a CD", "FLAC CUESHEET block", why))
