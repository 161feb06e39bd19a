"""Replace frames of an AVI video one for one: every other chunk stays, and the indices are updated.

There are up to three indices: ``idx1`` with offsets from the start of the packets or of the file, standard indices
(``ix##``), and super indices (``indx``) with the places of these (OpenDML AVI File Format Extensions 1.02).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct, pack, unpack_from

from labeling.containers.base import NewFrame, OldFrame, Unfit
from labeling.containers.collector import Collector
from labeling.containers.edits import MediaEdit
from labeling.containers.syntax.riff import MAX_RIFF, Chunk, chunk_at, chunks
from labeling.filebytes import FileBytes, Paged

_MAX_CHUNKS = 1 << 24
_MAX_INDEX = 64 << 20
"""Limit on the bytes of one index that is rewritten."""

_BITMAP_HEADER = 40
_KEY, _NOT_KEY = 0x10, 1 << 31
_entry = Struct("<4sIII")  # of idx1: chunk, flags, offset, size
_indx = Struct("<HBBI4sQ4x")
_SUPER, _STANDARD = 0, 1

_Replaced = dict[int, tuple[Chunk, NewFrame | None]]
"""Offset of a chunk → the chunk, and the frame that takes its place; ``None`` leaves it empty."""


@dataclass(slots=True)
class _File:
    """The chunks of a file that have to do with the video.

    Attributes:
        around: RIFF chunks and LISTs, whose sizes follow those of what is in them.
        movies: The LISTs of packets.
        packets: The chunks of the video in order.
        indexes: Standard and super indices.
        idx1: The index of the first RIFF chunk.
        number: The number of the video stream as chunks have it.
        header: Its header (strh).
        format: Its format (strf).
        main: The main header (avih).
    """

    around: list[Chunk] = field(default_factory=list)
    movies: list[Chunk] = field(default_factory=list)
    packets: list[Chunk] = field(default_factory=list)
    indexes: list[Chunk] = field(default_factory=list)
    idx1: Chunk | None = None
    number: bytes = b""
    header: Chunk | None = None
    format: Chunk | None = None
    main: Chunk | None = None


def edits(
    data: FileBytes, old: Iterable[OldFrame], new: Mapping[int, NewFrame | None], extradata: bytes | None
) -> list[MediaEdit]:
    """Return the edits that put new frames into the places of old ones; see :attr:`Format.replacer`.

    Raises:
        Unfit: The chunks of this file cannot be replaced.
    """
    file = _read(data)
    replaced = _matched(file, list(old), new)
    changes: list[MediaEdit] = []
    for chunk, frame in replaced.values():
        size = 0 if frame is None else len(frame.data)
        changes.append((chunk.at + 4, chunk.at + 8, pack("<I", size)))
        if frame is not None:
            changes.append((chunk.body, chunk.body, frame.data))
        changes.append((chunk.body, chunk.end, b"\0" * (size & 1)))
    if extradata is not None:
        changes.append(_format(data, file, extradata))
    moved = _Moved(changes)
    changes += _buffers(data, file, replaced)
    changes += [_index(data, index, file, replaced, moved) for index in file.indexes]
    if file.idx1 is not None:
        changes.append(_idx1(data, file.idx1, file, replaced, moved))
    for chunk in file.around:
        stated = int.from_bytes(data[chunk.at + 4 : chunk.at + 8], "little")
        size = stated + moved(chunk.stop) - moved(chunk.at) - (chunk.stop - chunk.at)
        if size > MAX_RIFF:
            raise Unfit("the copy would be larger than the 4 GiB that a RIFF chunk can be")
        if size != stated:
            changes.append((chunk.at + 4, chunk.at + 8, pack("<I", size)))
    return changes


class _Moved:
    """Where a place of the old file is in the new one: behind all that was replaced before it."""

    def __init__(self, changes: list[MediaEdit]) -> None:
        deltas: dict[int, int] = {}
        for start, end, new in changes:
            deltas[end] = deltas.get(end, 0) + len(new) - (end - start)
        self._places = sorted(deltas)
        self._sums = [0]
        for place in self._places:
            self._sums.append(self._sums[-1] + deltas[place])

    def __call__(self, place: int) -> int:
        return place + self._sums[bisect_right(self._places, place)]


def _read(data: FileBytes) -> _File:
    """Find the chunks.

    Raises:
        Unfit: They are not laid out as the specification says.
    """
    file, size, at = _File(), len(data), 0
    while at + 12 <= size and data[at : at + 4] == b"RIFF":
        riff = chunk_at(data, at, size)
        if riff.cut:
            raise Unfit("its sizes were never filled in")
        file.around.append(riff)
        for chunk in chunks(data, riff.body, riff.stop, Collector()):
            if chunk.cut:
                raise Unfit("a chunk is cut off")
            if chunk.form == b"hdrl" and not file.movies:
                _headers(data, chunk, file)
            elif chunk.form == b"movi":
                file.around.append(chunk)
                file.movies.append(chunk)
            elif chunk.name == b"idx1" and file.idx1 is None:
                file.idx1 = chunk
        at = riff.end
    if not file.number or file.header is None or file.format is None or not file.movies:
        raise Unfit("it describes no video")
    paged = Paged(data)
    for movie in file.movies:
        for chunk in _packets(paged, movie.body, movie.stop, file):
            if chunk.name[:2] == file.number and chunk.name[2:] in (b"dc", b"db"):
                file.packets.append(chunk)
            elif chunk.name[:2] == b"ix":
                file.indexes.append(chunk)
    return file


def _headers(data: FileBytes, hdrl: Chunk, file: _File) -> None:
    file.around.append(hdrl)
    number = -1
    for strl in chunks(data, hdrl.body, hdrl.stop, Collector()):
        if strl.name == b"avih":
            file.main = strl
        if strl.form != b"strl":
            continue
        number += 1
        inside = chunks(data, strl.body, strl.stop, Collector())
        file.indexes += [chunk for chunk in inside if chunk.name == b"indx"]
        header = next((chunk for chunk in inside if chunk.name == b"strh" and chunk.stop - chunk.body >= 48), None)
        if header is None or data[header.body : header.body + 4] != b"vids" or file.number:
            continue
        file.header, file.number = header, b"%02x" % number if number > 9 else b"%02d" % number
        file.format = next((chunk for chunk in inside if chunk.name == b"strf"), None)
        file.around.append(strl)


def _packets(data: Paged, start: int, stop: int, file: _File) -> Iterator[Chunk]:
    at = start
    for _ in range(_MAX_CHUNKS):
        if at + 8 > stop:
            return
        chunk = chunk_at(data, at, stop)
        if chunk.cut:
            raise Unfit("a packet is cut off")
        if chunk.form == b"rec ":
            file.around.append(chunk)
            yield from _packets(data, chunk.body, chunk.stop, file)
        else:
            yield chunk
        at = chunk.end
    raise Unfit(f"more than {_MAX_CHUNKS} packets")


def _matched(
    file: _File, old: list[OldFrame], new: Mapping[int, NewFrame | None]
) -> dict[int, tuple[Chunk, NewFrame | None]]:
    """Find the chunks of the frames: offset → the chunk, and what takes its place."""
    found: _Replaced = {}
    number = 0
    for chunk in file.packets:
        if number == len(old):
            break
        size = chunk.stop - chunk.body
        if not size and old[number].size:
            continue  # an empty chunk repeats the picture before it, and FFmpeg passes over it
        if size != old[number].size:
            raise Unfit(f"the packet at offset {chunk.at} is not the frame that was decoded")
        if number in new:
            found[chunk.at] = chunk, new[number]
        number += 1
    if number < len(old):
        raise Unfit(f"it has {number} packets of video for {len(old)} frames")
    return found


def _format(data: FileBytes, file: _File, extradata: bytes) -> MediaEdit:
    """Replace what follows the BITMAPINFOHEADER, which says its own size: the decoder configuration."""
    assert file.format is not None
    chunk = file.format
    head = data[chunk.body : min(chunk.stop, chunk.body + _BITMAP_HEADER)]
    if len(head) < _BITMAP_HEADER:
        raise Unfit("the format of its video is cut off")
    new = pack("<I", _BITMAP_HEADER + len(extradata)) + head[4:] + extradata
    return chunk.at, chunk.end, b"strf" + pack("<I", len(new)) + new + b"\0" * (len(new) & 1)


def _buffers(data: FileBytes, file: _File, replaced: _Replaced) -> Iterator[MediaEdit]:
    """Yield the edits of the buffer sizes that headers suggest, where a new frame is larger."""
    most = max((len(frame.data) for _, frame in replaced.values() if frame is not None), default=0)
    for chunk, field_at in ((file.header, 36), (file.main, 28)):
        if chunk is None or chunk.stop - chunk.body < field_at + 4:
            continue
        at = chunk.body + field_at
        stated = int.from_bytes(data[at : at + 4], "little")
        if 0 < stated < most:
            yield at, at + 4, pack("<I", most)


def _idx1(data: FileBytes, index: Chunk, file: _File, replaced: _Replaced, moved: _Moved) -> MediaEdit:
    raw = _whole(data, index)
    raw = raw[: len(raw) // _entry.size * _entry.size]
    base = file.movies[0].body - 4
    first = next(((name, offset) for name, _, offset, _ in _entry.iter_unpack(raw) if offset), None)
    if first is not None and data[base + first[1] : base + first[1] + 4] != first[0]:
        base = 0  # from the start of the file, as some writers have it
        if data[first[1] : first[1] + 4] != first[0]:
            raise Unfit("its index does not lead to its packets")
    new = bytearray()
    for name, flags, offset, size in _entry.iter_unpack(raw):
        place = base + offset
        known = replaced.get(place) if name[:2] == file.number else None
        if known is not None:
            _, frame = known
            size = 0 if frame is None else len(frame.data)
            flags = flags | _KEY if frame is not None and frame.key else flags & ~_KEY
        new += _entry.pack(name, flags, moved(place) - (moved(base) if base else 0), size)
    return index.body, index.body + len(raw), bytes(new)


def _index(data: FileBytes, index: Chunk, file: _File, replaced: _Replaced, moved: _Moved) -> MediaEdit:
    """Update an OpenDML index."""
    raw = _whole(data, index)
    if len(raw) < _indx.size:
        raise Unfit("an OpenDML index is cut off")
    longs, subtype, kind, count, _, base = _indx.unpack_from(raw)
    if subtype and kind == _STANDARD:
        raise Unfit("an OpenDML index lists fields")
    if _indx.size + 4 * longs * count > len(raw) or longs < 2:
        raise Unfit("an OpenDML index is cut off")
    new = bytearray(raw)
    if kind == _SUPER:
        if longs != 4:
            raise Unfit("an OpenDML index is of an unknown kind")
        for at in range(_indx.size, _indx.size + 16 * count, 16):
            (place,) = unpack_from("<Q", raw, at)
            new[at : at + 8] = pack("<Q", moved(place) if place else 0)
    elif kind == _STANDARD:
        origin = moved(base)
        new[12:20] = pack("<Q", origin)
        for at in range(_indx.size, _indx.size + 4 * longs * count, 4 * longs):
            offset, size = unpack_from("<II", raw, at)
            chunk = base + offset - 8
            known = replaced.get(chunk)
            if known is not None:
                _, frame = known
                size = _NOT_KEY if frame is None else len(frame.data) | (0 if frame.key else _NOT_KEY)
            place = moved(chunk) + 8 - origin
            if not 0 <= place < 1 << 32:
                raise Unfit("an OpenDML index cannot hold the new places")
            new[at : at + 8] = pack("<II", place, size)
    else:
        raise Unfit("an OpenDML index is of an unknown kind")
    return index.body, index.body + len(raw), bytes(new)


def _whole(data: FileBytes, index: Chunk) -> bytes:
    if index.stop - index.body > _MAX_INDEX:
        raise Unfit(f"an index has {index.stop - index.body} bytes, more than the {_MAX_INDEX} that are rewritten")
    return data[index.body : index.stop]
