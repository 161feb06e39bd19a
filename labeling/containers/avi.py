"""AVI, with or without OpenDML extensions (OpenDML AVI File Format Extensions 1.02): a label is a text of LIST INFO.

Indices have offsets of packets: relative or absolute ones in ``idx1``, absolute ones in ``indx``. So nothing up to the
last packet moves, and a list that outgrows its place goes behind the index. If further RIFF chunks follow, their
OpenDML indices are updated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import Block, Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, pick
from labeling.containers.syntax.riff import (
    MAX_CHUNKS,
    UNFINISHED,
    Chunk,
    Plan,
    chunk_at,
    chunks,
    fourcc,
    info,
    info_list,
    new_info,
    pack,
    resized,
    take,
    title,
)
from labeling.errors import LabelingError

MAX_RIFFS = 4096
"""Limit on the RIFF chunks of a file: 4 TB of video."""

MAX_SEGMENTS = 1 << 16
"""Limit on the entries of OpenDML super indices that are followed, of all streams together."""

MAX_HEADERS = 4 << 20
"""Limit on the bytes of the list of headers."""

_HAS_INDEX = 0x10
_NAMED_TEXTS = {b"strn", b"IDIT", b"ISMP"}
_avih = Struct("<I8x2I12x2I")  # microseconds per frame, flags, frames, width, height
_strh = Struct("<4s16x2I4xI")  # type, scale, rate, length
_indx = Struct("<HBBI4sQ4x")  # longs per entry, subtype, type, entries, chunk id, base offset
_segment = Struct("<QII")


@dataclass(slots=True)
class _Walk:
    """What was found in a file. ``places`` maps the offsets of blocks that are whole chunks to these chunks."""

    collector: Collector = field(default_factory=Collector)
    riffs: list[tuple[Chunk, list[Chunk]]] = field(default_factory=list)
    places: dict[int, Chunk] = field(default_factory=dict)
    inner: list[Chunk] = field(default_factory=list)  # LIST INFO inside hdrl
    indexes: list[Chunk] = field(default_factory=list)
    movies: list[Chunk] = field(default_factory=list)
    flags: int = 0
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    indexed: bool = False
    fixed: str = ""

    @property
    def lists(self) -> Iterator[Chunk]:
        """Every LIST INFO at the top level, where texts belong."""
        return (chunk for _, children in self.riffs for chunk in children if chunk.form == b"INFO")


def read(data: Media) -> Contents:
    """Find the metadata of an AVI file; see :mod:`labeling.containers.base`."""
    walk = _walk(data)
    problems = walk.collector.problems
    if not problems and not walk.fixed:
        if not walk.movies:
            problems.append("it has no packets (LIST movi)")
        elif walk.flags & _HAS_INDEX and not (walk.indexed or walk.indexes):
            problems.append("its header announces an index, but there is none")
    coded = ((chunk.body, chunk.stop - chunk.body) for chunk in walk.movies)
    seconds = 0.0 if walk.fixed else walk.seconds
    size = walk.width, walk.height
    return walk.collector.contents("avi", "video/x-msvideo", coded, size, fixed=walk.fixed, seconds=seconds)


def _walk(data: Media) -> _Walk:
    walk = _Walk()
    problems = walk.collector.problems
    if data[:4] != b"RIFF" or data[8:12] != b"AVI ":
        problems.append("it does not begin with a RIFF AVI header")
        return walk
    at, size = 0, len(data)
    while at + 12 <= size and data[at : at + 4] == b"RIFF":
        if len(walk.riffs) == MAX_RIFFS:
            problems.append(f"more than {MAX_RIFFS} RIFF chunks")
            return walk
        riff = chunk_at(data, at, size) if at else _first(data, walk)
        if riff.cut and not walk.fixed:
            problems.append(f"the file is cut off: the RIFF chunk at offset {at} is longer than the file")
        _riff(data, riff, walk)
        if sum(len(children) for _, children in walk.riffs) > MAX_CHUNKS:
            note(problems, f"more than {MAX_CHUNKS} chunks in its RIFF chunks")
            return walk
        at = riff.end
    if at < size:
        walk.collector.note_outside(data, at, size, f"{size - at} bytes follow the RIFF data")
    return walk


def _first(data: Media, walk: _Walk) -> Chunk:
    """Return the first RIFF chunk. If its writer could not go back to fill in the size, it extends to the end."""
    size, there = int.from_bytes(data[4:8], "little"), len(data)
    if size == 0 or (size >= UNFINISHED and size + 8 > there):
        note(walk.collector.warnings, "its sizes were never filled in; it was written as a stream")
        walk.fixed = (
            "the AVI was written as a stream: its sizes were never filled in; re-mux it first (ffmpeg -i … -c copy)"
        )
        return Chunk(b"RIFF", b"AVI ", 0, there, there, True)
    return Chunk(b"RIFF", b"AVI ", 0, min(8 + size, there), min(8 + size + (size & 1), there), 8 + size > there)


def _riff(data: Media, riff: Chunk, walk: _Walk) -> None:
    """Read one RIFF chunk: the first one, or an AVIX that continues it."""
    collector = walk.collector
    children = chunks(data, riff.body, riff.stop, collector)
    walk.riffs.append((riff, children))
    for chunk in children:
        if chunk.cut and not walk.fixed:
            name = title(chunk.form or chunk.name)
            note(collector.problems, f"the {name} chunk at offset {chunk.at} is longer than its RIFF chunk")
        if take(data, chunk, collector, "AVI"):
            walk.places[chunk.at] = chunk
        elif chunk.form == b"movi":
            walk.movies.append(chunk)
        elif chunk.form == b"hdrl":
            _headers(data, chunk, walk)
        elif chunk.name == b"idx1":
            walk.indexed = True


def _headers(data: Media, hdrl: Chunk, walk: _Walk) -> None:
    collector = walk.collector
    if hdrl.length > MAX_HEADERS:
        note(
            collector.problems, f"its list of headers is {hdrl.length} bytes, more than the {MAX_HEADERS} that are read"
        )
        return
    for chunk in chunks(data, hdrl.body, hdrl.stop, collector):
        if chunk.cut:
            note(collector.problems, f"the {title(chunk.name)} header at offset {chunk.at} is cut off")
        elif chunk.name == b"avih" and chunk.stop - chunk.body >= _avih.size:
            interval, walk.flags, frames, width, height = _avih.unpack(data[chunk.body : chunk.body + _avih.size])
            walk.width, walk.height = walk.width or width, walk.height or height
            walk.seconds = walk.seconds or interval * frames / 1e6
        elif chunk.form == b"strl":
            _stream(data, chunk, walk)
        elif chunk.form == b"INFO":
            take(data, chunk, collector, "AVI hdrl")
            walk.inner.append(chunk)
        else:
            _named(data, chunk, walk)


def _stream(data: Media, strl: Chunk, walk: _Walk) -> None:
    """Read the headers of a stream: duration, size of the picture, OpenDML index."""
    kind = b""
    for chunk in chunks(data, strl.body, strl.stop, walk.collector):
        if chunk.cut:
            note(walk.collector.problems, f"the {title(chunk.name)} header at offset {chunk.at} is cut off")
        elif chunk.name == b"strh" and chunk.stop - chunk.body >= _strh.size:
            kind, scale, rate, length = _strh.unpack(data[chunk.body : chunk.body + _strh.size])
            if rate and kind == b"vids":
                walk.seconds = max(walk.seconds, length * scale / rate)
        elif chunk.name == b"strf" and kind == b"vids" and chunk.stop - chunk.body >= 12:
            body = data[chunk.body : chunk.body + 12]
            walk.width = int.from_bytes(body[4:8], "little", signed=True)
            walk.height = abs(int.from_bytes(body[8:12], "little", signed=True))
        elif chunk.name == b"indx":
            walk.indexes.append(chunk)
        else:
            _named(data, chunk, walk)


def _named(data: Media, chunk: Chunk, walk: _Walk) -> None:
    """Collect a text among the headers: the name of a stream, the date of recording."""
    if chunk.name in _NAMED_TEXTS:
        name = title(chunk.name)
        text = data[chunk.body : min(chunk.stop, chunk.body + 65536)].rstrip(b"\0\n")
        walk.collector.add(Kind.TEXT, f"AVI hdrl {name}", (chunk.at, chunk.end), text, name)
        walk.places[chunk.at] = chunk


# Writing


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None:
        raise LabelingError("AVI has no place for EXIF", hint="leave it out")
    walk = _walk(data)
    riff, children = walk.riffs[0]
    plan = Plan(data, children, _free_from(children))
    _texts(data, walk, plan, gone, _put(kept, changes))
    for offset in gone & walk.places.keys():
        if walk.places[offset].form != b"INFO":
            plan.put(walk.places[offset], b"")
    if changes.xmp is not None:
        new = pack(b"_PMX", changes.xmp)
        main = next((block for block in kept if block.kind is Kind.XMP), None)
        if main is None:
            plan.add(new)
        else:
            plan.put(walk.places[main.offset], new)
    edits, delta = plan.finish()
    if delta and len(walk.riffs) > 1:
        edits += _moved_index(data, walk, riff.end, delta)
    return resized(data, edits, riff, delta)


def _free_from(children: list[Chunk]) -> int:
    """Return the offset in the first RIFF chunk from which on no index refers to anything."""
    fixed = [chunk for chunk in children if chunk.form == b"movi" or chunk.name == b"idx1" or chunk.name[:2] == b"ix"]
    return max((chunk.end for chunk in fixed), default=children[-1].end if children else 12)


def _put(kept: list[Block], changes: Changes) -> tuple[int, bytes] | None:
    """Return the new text as (offset of the one that it replaces or 0, chunk)."""
    if changes.text_field is None:
        return None
    name, text = changes.text_field
    old = next((b for b in kept if b.keyword == name and b.where == f"AVI LIST INFO {name}"), None)
    return (old.offset if old else 0), pack(fourcc(name), text.encode() + b"\0")


def _texts(data: Media, walk: _Walk, plan: Plan, gone: set[int], put: tuple[int, bytes] | None) -> None:
    """Plan the changes of texts. The new one goes into the list that has the old one, or into the first list.

    If there is no room for it there, it gets a list of its own: most programs do not read lists behind the packets, and
    the other texts would be lost to them.
    """
    home = walk.riffs[0][1]
    for chunk in [*walk.lists, *walk.inner]:
        offsets = {item.at for item in info(data, chunk, Collector())}
        here = put if put is not None and (put[0] in offsets or (not put[0] and chunk in home)) else None
        if here is not None and plan.fits(chunk, new_info(data, chunk, gone, here)):
            put = None
        elif here is not None:
            gone, here = gone | {here[0]}, None
        if here is not None or offsets & gone:
            plan.put(chunk, new_info(data, chunk, gone, here))
    if put is not None:
        plan.add(info_list(put[1]))


def _moved_index(data: Media, walk: _Walk, cut: int, delta: int) -> list[Edit]:
    """Return the edits that update OpenDML indices when everything from ``cut`` on moves by ``delta``.

    Raises:
        LabelingError: An index is not as OpenDML specifies it.
    """
    edits: list[Edit] = []
    seen = 0
    for index in walk.indexes:
        length = index.stop - index.body
        if length < _indx.size:
            raise _odd_index()
        longs, _, kind, count, _, _ = _indx.unpack(data[index.body : index.body + _indx.size])
        if kind != 0:
            continue  # an index of packets, all of them in the first RIFF chunk
        seen += count
        if longs != 4 or _indx.size + count * _segment.size > length or seen > MAX_SEGMENTS:
            raise _odd_index()
        at = index.body + _indx.size
        for number, (offset, _, _) in enumerate(_segment.iter_unpack(data[at : at + count * _segment.size])):
            if offset >= cut:
                place = at + number * _segment.size
                edits.append((place, place + 8, (offset + delta).to_bytes(8, "little")))
                edits += _moved_base(data, offset, cut, delta)
    return edits


def _moved_base(data: Media, offset: int, cut: int, delta: int) -> list[Edit]:
    """Return the edits for the standard index (``ix##``) at ``offset``, whose packets count from a base."""
    body = offset + 8
    raw = data[body : body + _indx.size + 4]
    if data[offset : offset + 2] != b"ix" or len(raw) < _indx.size + 4:
        raise _odd_index()
    _, _, kind, count, _, base = _indx.unpack(raw[: _indx.size])
    if kind != 1:
        raise _odd_index()
    if count and base + int.from_bytes(raw[_indx.size :], "little") < cut:
        raise _odd_index()
    return [(body + 12, body + 20, (base + delta).to_bytes(8, "little"))]


def _odd_index() -> LabelingError:
    return LabelingError(
        "the AVI has no room for a label before its packets, and its OpenDML index is too damaged to move what follows",
        hint="re-mux it first (ffmpeg -i … -c copy)",
    )
