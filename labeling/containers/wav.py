"""WAV, and its 64-bit forms RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088): a label is a RIFF chunk of its own.

No chunk of a WAV file has offsets in the file, so chunks may move. New ones go behind the samples.

The sizes in a header are often wrong, and players go by what is there: programs that write to a stream cannot go back
to fill them in (0, 0xFFFFFFFF, 0x7FFFFFFF, a round number), and others are off by a header. Then the samples reach to
the end of the file, and a copy states the true sizes. A file whose sizes fit together and that is shorter is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from struct import Struct

from labeling.containers.base import Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import Collector, has_label_in, note
from labeling.containers.edits import Edit, pick, splice
from labeling.containers.syntax import id3, id3_edit
from labeling.containers.syntax.riff import (
    MAX_CHUNKS,
    MAX_RIFF,
    UNFINISHED,
    Chunk,
    Plan,
    chunk_at,
    fourcc,
    is_name,
    new_info,
    pack,
    payload,
    take,
    title,
)
from labeling.errors import LabelingError

MAX_SIZES = 1 << 16
"""Limit on the entries of a ``ds64`` table."""

FORMS = (b"RIFF", b"RF64", b"BW64")

LABEL = b"AIGC"
_UNKNOWN = 0xFFFFFFFF
_UNKNOWN_LARGE = (1 << 64) - 1
_ROUND, _ROUND_DECIMAL = 1_000_000_000, 100_000_000  # placeholders are at least as large
_NEAR = 128  # by so much, at most, headers are longer than zero
_MISCOUNTED = frozenset({8, 12, 20, 24, 28, 36, 44})
"""Bytes by which sizes are off in practice: headers that were counted and should not have been."""

_FEW = 64
_STREAM = "its sizes were never filled in: it was written as a stream"
_EMPTY = "the WAV file has no samples, so there is no audio to label; players take what is written behind for audio"
_LARGE = "the C2PA library reads RIFF files, and not RF64 or BW64; a file of less than 4 GiB can be written as RIFF"
_ID3 = {b"id3 ", b"ID3 "}
_ds64 = Struct("<3QI")  # RIFF size, size of data, number of samples, entries of the table
_entry = Struct("<4sQ")
_fmt = Struct(
    "<2H2I2H"
)  # format, channels, samples per second, bytes per second, bytes per sample of all channels, bits


@dataclass(slots=True)
class Walk:
    """What was found in a file.

    Attributes:
        collector: Blocks, problems and warnings.
        riff: The RIFF chunk, with its true end.
        children: The chunks in it.
        format: The payload of the fmt chunk, as far as it is of interest; empty if there is none.
        samples: The data chunk; ``None`` if there is none.
        sizes: The sizes that RF64 states in ``ds64``, by name.
        tags: ID3 tags, and the chunk that each is in: ``None`` for one in front of the RIFF chunk.
        large: Whether it is RF64 or BW64.
        to_end: Whether the samples reach to the end of the file, which is not what the data chunk says.
        mended: What a copy has right and this file has wrong.
    """

    collector: Collector = field(default_factory=Collector)
    riff: Chunk = field(default_factory=lambda: Chunk(b"RIFF", b"WAVE", 0, 12, 12))
    children: list[Chunk] = field(default_factory=list)
    format: bytes = b""
    samples: Chunk | None = None
    sizes: dict[bytes, int] = field(default_factory=dict)
    tags: list[tuple[Chunk | None, id3.Tag]] = field(default_factory=list)
    large: bool = False
    to_end: bool = False
    mended: list[str] = field(default_factory=list)

    def real(self, name: bytes, size: int) -> int:
        """Return the size of a chunk that its own field is too small for."""
        return self.sizes.get(name, size) if size == _UNKNOWN else size

    def mend(self, what: str) -> None:
        """Note sizes that do not fit."""
        self.mended.append(f"{what}; the copy states the true size")
        note(self.collector.warnings, what)


def read(data: Media) -> Contents:
    """Find the metadata of a WAV file; see :mod:`labeling.containers.base`."""
    found = walk(data)
    problems = found.collector.problems
    samples = [chunk for chunk in found.children if chunk.name == b"data"]
    rate = _fmt.unpack_from(found.format)[3] if found.format else 0
    if not problems:
        if not samples:
            problems.append("it has no samples (data chunk)")
        elif not found.format:
            problems.append("its fmt chunk is missing or damaged")
        elif len(samples) > 1:
            problems.append(f"it has {len(samples)} data chunks")
        if found.riff.end < len(data):
            end, size = found.riff.end, len(data)
            found.collector.note_outside(data, end, size, f"{size - end} bytes follow the RIFF data")
        if found.to_end and found.samples is not None and has_label_in(data, found.samples.body, found.samples.stop):
            found.collector.unread.append(
                "its data chunk says that the samples reach over a label at the end of the file"
            )
    length = sum(chunk.stop - chunk.body for chunk in samples)
    coded = ((chunk.body, chunk.stop - chunk.body) for chunk in samples)
    seconds = length / rate if rate else 0.0
    fixed = _EMPTY if len(samples) == 1 and not length else ""
    contents = found.collector.contents("wav", "audio/wav", coded, fixed=fixed, seconds=seconds)
    return replace(contents, mended=tuple(found.mended), unsigned=_LARGE if found.large else "")


def walk(data: Media) -> Walk:
    """Find the chunks of a WAV file, whatever its sizes say, and what is in them."""
    found = Walk()
    collector, size = found.collector, len(data)
    begin = id3.behind_tags(data)
    start = data[begin : begin + 12]
    if start[:4] not in FORMS or start[8:12] != b"WAVE":
        collector.problems.append("it does not begin with a RIFF WAVE header")
        return found
    if begin:
        found.tags = [(None, tag) for tag in id3.leading_tags(data, collector, "WAV ID3")]
        found.mended.append("an ID3 tag was in front of the RIFF header; in the copy it is in a chunk, as WAV asks")
        note(collector.warnings, "an ID3 tag precedes the RIFF header; some programs take the file for an MP3")
    length = int.from_bytes(start[4:8], "little")
    found.large = start[:4] != b"RIFF"
    if found.large:
        length = _sizes(data, found, length)
    stated = begin + 8 + length
    stop = _children(data, found, begin + 12, size if length == 0 else stated)
    found.riff = Chunk(start[:4], b"WAVE", begin, stop, stop)
    if not found.to_end:
        _check(found, stated, length, size)
    for chunk in found.children:
        _take(data, chunk, found)
    return found


def _check(found: Walk, stated: int, length: int, size: int) -> None:
    """Judge the size that the RIFF chunk states."""
    end = found.riff.end
    if stated == end:
        return
    last = found.children[-1] if found.children else None
    whole = last is not None and not last.cut and last.end == size
    if length == 0 or (stated > size and _is_placeholder(length)):
        found.mend(_STREAM)
    elif stated < end:
        found.mend(f"its RIFF header says that it ends at byte {stated}, which is inside a chunk")
    elif whole and (stated - size in _MISCOUNTED or stated - size == end & 1):
        found.mend(f"its RIFF header says that it holds {stated} bytes, {size} are there, and no chunk is cut off")
    else:
        found.collector.problems.append(f"the file is cut off: RIFF says it holds {stated} bytes, {size} are there")


def _is_placeholder(size: int) -> bool:
    """Return whether a size that is larger than the file is one that writers of streams state, who do not know it."""
    if size >= UNFINISHED:
        return size <= _UNKNOWN or size >= 1 << 62
    if size >= _ROUND and min(size % 4096, -size % 4096) < _NEAR:
        return True
    return size >= _ROUND_DECIMAL and size % 1_000_000 < _NEAR


def _sizes(data: Media, found: Walk, length: int) -> int:
    """Read the ``ds64`` chunk, which comes first and has the sizes beyond 32 bits; return that of the RIFF chunk."""
    at = id3.behind_tags(data) + 12
    raw = data[at : at + 8 + _ds64.size]
    if raw[:4] != b"ds64" or len(raw) < 8 + _ds64.size:
        found.collector.problems.append("its ds64 chunk is missing or damaged")
        return length
    riff, samples, _, count = _ds64.unpack(raw[8:])
    if count > MAX_SIZES:
        found.collector.problems.append(f"its ds64 chunk has more than {MAX_SIZES} entries")
        return length
    at += 8 + _ds64.size
    table = data[at : at + count * _entry.size]
    found.sizes = dict(_entry.iter_unpack(table[: len(table) // _entry.size * _entry.size]))
    found.sizes[b"data"] = samples
    return int(riff) if length == _UNKNOWN else length


def _children(data: Media, found: Walk, at: int, stop: int) -> int:
    """List the chunks from ``at`` on; return the end of the RIFF chunk, which states ``stop``."""
    size, stated = len(data), stop
    stop = min(stop, size)
    short = False  # RIFF ends inside a chunk: then chunks may follow where it says that it ends
    while at + 8 <= stop or (short and _is_chunk(data, at, size)):
        if len(found.children) == MAX_CHUNKS:
            note(found.collector.problems, f"more than {MAX_CHUNKS} chunks; what follows offset {at} was not read")
            return max(stop, at)
        if not is_name(data[at : at + 4]):
            break
        chunk = chunk_at(data, at, size, found.real)
        if chunk.name == b"data" and found.samples is None:
            found.samples = chunk = _samples(data, chunk, found, stated)
        if chunk.stop > stop:
            short = True
        found.children.append(chunk)
        at = chunk.end
        stop = max(stop, chunk.end)
    if at < stop:
        found.collector.note_outside(data, at, stop, f"{stop - at} bytes at offset {at} are not a chunk")
    return stop


def _samples(data: Media, chunk: Chunk, found: Walk, stated: int) -> Chunk:
    """Return the data chunk with its true size.

    Args:
        data: The file.
        chunk: The chunk as its header says.
        found: Receives what was wrong.
        stated: Where the header of the RIFF chunk says that it ends.
    """
    size = len(data)
    told = found.real(chunk.name, int.from_bytes(data[chunk.at + 4 : chunk.at + 8], "little"))
    there, end = size - chunk.body, chunk.body + told
    words = f"its data chunk says that it holds {told} bytes, and {there} are there"
    if told == 0:
        if there == 0 or _are_chunks(data, chunk.body, size):
            return chunk
        words = _STREAM
    elif end <= size:
        rest = data[end:size] if stated == size and size - end - (told & 1) in _MISCOUNTED else b""
        if is_name(rest[:4]) or not any(rest):
            return chunk
    elif _is_placeholder(told):
        words = _STREAM
    elif not (0 <= size - stated <= 1 or ((end - size in _MISCOUNTED or told == size) and stated <= end + 1)):
        return chunk
    found.to_end = True
    found.mend(words)
    return Chunk(chunk.name, b"", chunk.at, size, size)


def _is_chunk(data: Media, at: int, stop: int) -> bool:
    """Return whether a whole chunk with a proper name begins at ``at``."""
    head = data[at : at + 8] if at + 8 <= stop else b""
    return is_name(head[:4]) and at + 8 + int.from_bytes(head[4:], "little") <= stop


def _are_chunks(data: Media, at: int, stop: int) -> bool:
    """Return whether there is nothing but whole chunks."""
    for _ in range(_FEW):
        if not _is_chunk(data, at, stop):
            break
        at = chunk_at(data, at, stop).end
    return at == stop


def _take(data: Media, chunk: Chunk, found: Walk) -> None:
    collector = found.collector
    if chunk.cut:
        note(collector.problems, f"the {title(chunk.name)} chunk at offset {chunk.at} is cut off")
    if chunk.name == b"fmt " and chunk.stop - chunk.body >= _fmt.size:
        found.format = data[chunk.body : min(chunk.stop, chunk.body + 40)]
    elif chunk.name.upper() == LABEL:
        text = payload(data, chunk, collector).rstrip(b"\0")
        collector.add(Kind.TEXT, f"WAV RIFF {title(chunk.name)}", (chunk.at, chunk.end), text, title(chunk.name))
    elif chunk.name in _ID3:
        tag = id3.read(data, chunk.body, chunk.stop, collector, "WAV ID3")
        if tag is not None:
            found.tags.append((chunk, tag))
    elif chunk.name != b"data":
        take(data, chunk, collector, "WAV")


# Writing


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None:
        raise LabelingError("WAV has no place for EXIF", hint="leave it out")
    found = walk(data)
    plan = Plan(data, found.children, 0, roomy=False)
    homes = {chunk.at: chunk for chunk in found.children}
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
    _inside(data, found, plan, gone)
    return splice(data, _sized(data, found, plan))


def _sized(data: Media, found: Walk, plan: Plan) -> list[Edit]:
    """Return all edits: those of chunks, padding that was forgotten, and the true sizes."""
    replaced = {start for start, _, _ in plan.edits}
    last = found.children[-1] if found.children else None
    edits, delta = plan.finish()
    for chunk in found.children:
        if chunk.length & 1 and chunk.at not in replaced and not (chunk is last and plan.tail):
            edits.append((chunk.end, chunk.end, b"\0"))
            delta += 1
    begin = found.riff.at
    size = found.riff.end - begin - 8 + delta
    if begin:
        edits.append((0, begin, b""))
    length = found.samples.stop - found.samples.body if found.samples is not None else 0
    if found.large and data[begin + 4 : begin + 8] == b"\xff" * 4:
        at = begin + 20  # of the payload of ds64
        edits.append((at, at + 8, size.to_bytes(8, "little")))
        if found.to_end:
            align = _fmt.unpack_from(found.format)[4] or 1
            edits.append((at + 8, at + 24, length.to_bytes(8, "little") + (length // align).to_bytes(8, "little")))
        return edits
    if size > MAX_RIFF:
        raise LabelingError("the copy would be larger than the 4 GiB that a RIFF file can be")
    edits.append((begin + 4, begin + 8, size.to_bytes(4, "little")))
    if found.to_end and found.samples is not None:
        edits.append((found.samples.at + 4, found.samples.body, length.to_bytes(4, "little")))
    return edits


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


def _inside(data: Media, found: Walk, plan: Plan, gone: set[int]) -> None:
    """Plan what is removed inside chunks: texts of LIST INFO, frames of ID3."""
    for chunk in found.children:
        if chunk.form == b"INFO" and any(chunk.body <= offset < chunk.end for offset in gone):
            plan.put(chunk, new_info(data, chunk, gone, None))
    for home, tag in found.tags:
        body = id3_edit.rebuilt(tag, gone)
        if home is None:  # in front of RIFF
            if body:
                plan.add(pack(b"id3 ", body))
        elif any(home.body <= offset < home.end for offset in gone):
            plan.put(home, pack(home.name, body + data[tag.end : home.stop]) if body else b"")
