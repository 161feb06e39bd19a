"""WAV, and its 64-bit forms RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088): a label is a RIFF chunk of its own.

No chunk of a WAV file has offsets in the file, so chunks may move. New ones go behind the samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import pick, splice
from labeling.containers.syntax import id3, id3_edit
from labeling.containers.syntax.riff import (
    UNFINISHED,
    Chunk,
    Plan,
    chunks,
    fourcc,
    new_info,
    pack,
    payload,
    resized,
    take,
    title,
)
from labeling.errors import LabelingError

MAX_SIZES = 1 << 16
"""Limit on the entries of a ``ds64`` table."""

LABEL = b"AIGC"
_UNKNOWN = 0xFFFFFFFF
_ENDLESS = 1 << 62
_ID3 = {b"id3 ", b"ID3 "}
_ds64 = Struct("<3QI")  # RIFF size, size of data, number of samples, entries of the table
_entry = Struct("<4sQ")
_fmt = Struct(
    "<2H2I2H"
)  # format, channels, samples per second, bytes per second, bytes per sample of all channels, bits
_fact = Struct("<I")


@dataclass(slots=True)
class _Walk:
    """What was found in a file."""

    collector: Collector = field(default_factory=Collector)
    riff: Chunk = field(default_factory=lambda: Chunk(b"RIFF", b"WAVE", 0, 12, 12))
    children: list[Chunk] = field(default_factory=list)
    sizes: dict[bytes, int] = field(default_factory=dict)  # of RF64
    tags: list[tuple[Chunk, id3.Tag]] = field(default_factory=list)
    large: bool = False
    rate: int = 0
    samples: int = 0
    fixed: str = ""

    def real(self, name: bytes, size: int) -> int:
        """Return the true size of a chunk. Samples of unknown size get more than any file has."""
        if name == b"data" and self.fixed and size in (0, _UNKNOWN):
            return _ENDLESS
        return self.sizes.get(name, size) if size == _UNKNOWN else size


def read(data: Media) -> Contents:
    """Find the metadata of a WAV file; see :mod:`labeling.containers.base`."""
    walk = _walk(data)
    problems, warnings = walk.collector.problems, walk.collector.warnings
    samples = [chunk for chunk in walk.children if chunk.name == b"data"]
    if not problems:
        if not samples:
            problems.append("it has no samples (data chunk)")
        elif not walk.rate and not walk.samples:
            problems.append("its fmt chunk is missing or damaged")
        elif len(samples) > 1:
            problems.append(f"it has {len(samples)} data chunks")
        if walk.riff.end < len(data):
            warnings.append(f"{len(data) - walk.riff.end} bytes follow the RIFF data; they are kept")
    length = sum(chunk.stop - chunk.body for chunk in samples)
    coded = ((chunk.body, chunk.stop - chunk.body) for chunk in samples)
    seconds = length / walk.rate if walk.rate else 0.0
    return walk.collector.contents("wav", "audio/wav", coded, fixed=walk.fixed, seconds=seconds)


def _walk(data: Media) -> _Walk:
    walk = _Walk()
    collector, size = walk.collector, len(data)
    start = data[:12]
    if start[:4] not in (b"RIFF", b"RF64", b"BW64") or start[8:12] != b"WAVE":
        collector.problems.append("it does not begin with a RIFF WAVE header")
        return walk
    length = int.from_bytes(start[4:8], "little")
    walk.large = start[:4] != b"RIFF"
    if walk.large:
        length = _sizes(data, walk, length)
    stop = 8 + length
    if not walk.large and (length == 0 or (length >= UNFINISHED and stop > size)):
        _unfinished(walk)
    if walk.fixed:
        stop = size
    elif stop > size:
        collector.problems.append(f"the file is cut off: RIFF says it holds {stop} bytes, {size} are there")
    stop = min(stop, size)
    walk.children = chunks(data, 12, stop, collector, walk.real)
    walk.riff = Chunk(start[:4], b"WAVE", 0, stop, max([stop, *(chunk.end for chunk in walk.children)]))
    for chunk in walk.children:
        _take(data, chunk, walk)
    return walk


def _sizes(data: Media, walk: _Walk, length: int) -> int:
    """Read the ``ds64`` chunk, which comes first and has the sizes beyond 32 bits; return that of the RIFF chunk."""
    raw = data[12 : 20 + _ds64.size]
    if raw[:4] != b"ds64" or len(raw) < 8 + _ds64.size:
        walk.collector.problems.append("its ds64 chunk is missing or damaged")
        return length
    riff, samples, _, count = _ds64.unpack(raw[8:])
    if count > MAX_SIZES:
        walk.collector.problems.append(f"its ds64 chunk has more than {MAX_SIZES} entries")
        return length
    at = 20 + _ds64.size
    table = data[at : at + count * _entry.size]
    walk.sizes = dict(_entry.iter_unpack(table[: len(table) // _entry.size * _entry.size]))
    walk.sizes[b"data"] = samples
    if samples in (0, _UNKNOWN, (1 << 64) - 1):
        _unfinished(walk)
    return int(riff) if length == _UNKNOWN else length


def _unfinished(walk: _Walk) -> None:
    if not walk.fixed:
        note(walk.collector.warnings, "its sizes were never filled in; it was written as a stream")
        walk.fixed = (
            "the WAV was written as a stream: its sizes were never filled in; re-save it first (ffmpeg -i … -c copy)"
        )


def _take(data: Media, chunk: Chunk, walk: _Walk) -> None:
    collector = walk.collector
    if chunk.cut:
        size = int.from_bytes(data[chunk.at + 4 : chunk.at + 8], "little")
        if chunk.name == b"data" and size >= UNFINISHED and not walk.large:
            _unfinished(walk)
        elif not (chunk.name == b"data" and walk.fixed):
            note(collector.problems, f"the {title(chunk.name)} chunk at offset {chunk.at} is cut off")
    if chunk.name == b"fmt " and chunk.stop - chunk.body >= _fmt.size:
        _, _, walk.samples, walk.rate, _, _ = _fmt.unpack(data[chunk.body : chunk.body + _fmt.size])
    elif chunk.name.upper() == LABEL:
        text = payload(data, chunk, collector).rstrip(b"\0")
        collector.add(Kind.TEXT, f"WAV RIFF {title(chunk.name)}", (chunk.at, chunk.end), text, title(chunk.name))
    elif chunk.name in _ID3:
        tag = id3.read(data, chunk.body, chunk.stop, collector, "WAV ID3")
        if tag is not None:
            walk.tags.append((chunk, tag))
    elif chunk.name != b"data":
        take(data, chunk, collector, "WAV")


# Writing


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None:
        raise LabelingError("WAV has no place for EXIF", hint="leave it out")
    walk = _walk(data)
    plan = Plan(data, walk.children, 0, roomy=False)
    homes = {chunk.at: chunk for chunk in walk.children}
    new: dict[int, bytes] = dict.fromkeys(gone & homes.keys(), b"")
    if changes.xmp is not None:  # a packet in an ID3 tag is replaced by one in the proper chunk
        main = next((block for block in kept if block.kind is Kind.XMP), None)
        gone |= {main.offset} if main is not None and main.offset not in homes else set()
    for kind, chunk in _new(changes):
        old = next((b for b in kept if b.offset in homes and _belongs(kind, b.kind, b.keyword, chunk)), None)
        if old is None:
            plan.add(chunk)
        else:
            new[old.offset] = chunk
    for offset, chunk in new.items():
        plan.put(homes[offset], chunk)
    _inside(data, walk, plan, gone)
    edits, delta = plan.finish()
    if not walk.large or data[4:8] != b"\xff" * 4:
        return resized(data, edits, walk.riff, delta)
    size = int.from_bytes(data[20:28], "little") + delta
    return splice(data, [*edits, (20, 28, size.to_bytes(8, "little"))])


def _new(changes: Changes) -> list[tuple[Kind, bytes]]:
    new: list[tuple[Kind, bytes]] = []
    if changes.text_field is not None:
        name, text = changes.text_field
        if fourcc(name) != LABEL:
            raise LabelingError(f"a WAV file only has a chunk for {LABEL.decode()}, not for {name!r}")
        new.append((Kind.TEXT, pack(LABEL, text.encode())))
    if changes.xmp is not None:
        new.append((Kind.XMP, pack(b"_PMX", changes.xmp)))
    return new


def _belongs(kind: Kind, other: Kind, keyword: str, chunk: bytes) -> bool:
    """Return whether a block is where ``chunk`` belongs."""
    return other is kind and (kind is Kind.XMP or keyword == chunk[:4].decode("ascii"))


def _inside(data: Media, walk: _Walk, plan: Plan, gone: set[int]) -> None:
    """Plan what is removed inside chunks: texts of LIST INFO, frames of ID3."""
    for chunk in walk.children:
        if chunk.form == b"INFO" and any(chunk.body <= offset < chunk.end for offset in gone):
            plan.put(chunk, new_info(data, chunk, gone, None))
    for chunk, tag in walk.tags:
        if any(chunk.body <= offset < chunk.end for offset in gone):
            body = id3_edit.rebuilt(tag, gone)
            plan.put(chunk, pack(chunk.name, body + data[tag.end : chunk.stop]) if body else b"")
