"""AIFF and AIFF-C (Apple, Audio Interchange File Format 1.3): a label is a TXXX frame of the tag in an ID3 chunk.

The practice guides name no carrier for AIFF: this one is our choice, by the example of MP3 (TC260-PG-202510A). A chunk
``ID3 `` is where every program that tags AIFF files keeps its tags. No chunk has offsets in the file, so chunks may
move; new ones go behind the samples. C2PA has no place in this format.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from labeling.containers.base import Block, Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import Collector, has_label_in, note
from labeling.containers.edits import Edit, pick, splice
from labeling.containers.syntax import id3, id3_edit
from labeling.containers.syntax.riff import MAX_CHUNKS, MAX_RIFF, UNFINISHED, Chunk, is_name, payload, title
from labeling.errors import LabelingError

FORMS = (b"AIFF", b"AIFC")

_ID3 = (b"ID3 ", b"id3 ")
_TEXTS = (b"NAME", b"AUTH", b"(c) ", b"ANNO", b"AIGC")
_COMMON = 18  # bytes of a COMM chunk of AIFF
_SOUND = 8  # offset and block size, before the samples
_STREAM = "its sizes were never filled in: it was written as a stream"
_PLAIN = {b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64"}
"""AIFF-C's names of what is not compressed: a sample has as many whole bytes as its bits need."""


@dataclass(slots=True)
class Walk:
    """What was found in a file.

    Attributes:
        collector: Blocks, problems and warnings.
        form: The FORM chunk, with its true end.
        children: The chunks in it.
        common: The payload of the COMM chunk, as far as it is of interest; empty if there is none.
        samples: The SSND chunk; ``None`` if there is none.
        offset: How many bytes precede the first sample in it.
        tags: ID3 tags, and the chunk that each is in: ``None`` for one in front of the FORM chunk.
        seconds: Its duration.
        to_end: Whether the samples reach to the end of the file, which is not what the SSND chunk says.
        frames: Number of samples in each channel, where the COMM chunk does not say it; 0 if it does.
        mended: What a copy has right and this file has wrong.
    """

    collector: Collector = field(default_factory=Collector)
    form: Chunk = field(default_factory=lambda: Chunk(b"FORM", b"AIFF", 0, 12, 12))
    children: list[Chunk] = field(default_factory=list)
    common: bytes = b""
    samples: Chunk | None = None
    offset: int = 0
    tags: list[tuple[Chunk | None, id3.Tag]] = field(default_factory=list)
    seconds: float = 0.0
    to_end: bool = False
    frames: int = 0
    mended: list[str] = field(default_factory=list)


def read(data: Media) -> Contents:
    """Find the metadata of an AIFF file; see :mod:`labeling.containers.base`."""
    found = walk(data)
    problems = found.collector.problems
    if not problems:
        if found.samples is None:
            problems.append("it has no samples (SSND chunk)")
        elif not any(chunk.name == b"COMM" for chunk in found.children):
            problems.append("its COMM chunk is missing")
        if found.form.end < len(data):
            end, size = found.form.end, len(data)
            found.collector.note_outside(data, end, size, f"{size - end} bytes follow the FORM chunk")
        if found.to_end and found.samples is not None and has_label_in(data, found.samples.body, found.samples.stop):
            found.collector.unread.append(
                "its SSND chunk says that the samples reach over a label at the end of the file"
            )
    sound = found.samples
    coded = [] if sound is None else [(min(sound.body + _SOUND, sound.stop), max(0, sound.stop - sound.body - _SOUND))]
    contents = found.collector.contents("aiff", "audio/aiff", coded, seconds=found.seconds)
    home = _home(found)
    return replace(contents, mended=tuple(found.mended), has_xmp=home is None or home[1].version > 2)


def walk(data: Media) -> Walk:
    """Find the chunks of an AIFF file and what is in them."""
    found = Walk()
    collector, size = found.collector, len(data)
    begin = id3.behind_tags(data)
    head = data[begin : begin + 12]
    if head[:4] != b"FORM" or head[8:12] not in FORMS:
        collector.problems.append("it does not begin with a FORM header of AIFF")
        return found
    if begin:
        found.tags = [(None, tag) for tag in id3.leading_tags(data, collector, "AIFF ID3")]
        found.mended.append("an ID3 tag was in front of the FORM header; in the copy it is in a chunk, as AIFF asks")
        note(collector.warnings, "an ID3 tag precedes the FORM header; some programs take the file for an MP3")
    length = int.from_bytes(head[4:8], "big")
    stop = begin + 8 + length
    stream = length < 4 or (length >= UNFINISHED and stop > size)
    if stream:
        stop = size
    _children(data, found, begin + 12, min(stop, size), stream)
    if stream:
        found.mended.append(f"{_STREAM}; the copy states the true size")
        note(collector.warnings, _STREAM)
    end = max([min(stop, size), *(chunk.end for chunk in found.children)])
    found.form = Chunk(b"FORM", head[8:12], begin, end, end)
    if stop > end and not (stop == end + 1 and end & 1 and end == size):  # only padding is missing
        collector.problems.append(f"the file is cut off: FORM says it holds {stop} bytes, {size} are there")
    for chunk in found.children:
        _take(data, chunk, found)
    return found


def _children(data: Media, found: Walk, at: int, stop: int, stream: bool) -> None:
    size = len(data)
    while at + 8 <= stop:
        if len(found.children) == MAX_CHUNKS:
            note(found.collector.problems, f"more than {MAX_CHUNKS} chunks; what follows offset {at} was not read")
            return
        head = data[at : at + 8]
        if not is_name(head[:4]):
            break
        body_end = at + 8 + int.from_bytes(head[4:], "big")
        end = min(body_end + (body_end - at & 1), size)
        if end > body_end and data[body_end:end] != b"\0" and _is_chunk(data, body_end, stop):
            end = body_end  # the padding was forgotten
        chunk = Chunk(head[:4], b"", at, min(body_end, size), end, body_end > size)
        if chunk.name == b"SSND" and found.samples is None:
            told = body_end - chunk.body
            if stream and (told == 0 or (chunk.cut and told >= UNFINISHED)):
                chunk = Chunk(chunk.name, b"", at, size, size)
                found.to_end = True
            found.samples = chunk
        found.children.append(chunk)
        at = chunk.end
    if at < stop:
        found.collector.note_outside(data, at, stop, f"{stop - at} bytes at offset {at} are not a chunk")


def _is_chunk(data: Media, at: int, stop: int) -> bool:
    head = data[at : at + 8] if at + 8 <= stop else b""
    return is_name(head[:4]) and at + 8 + int.from_bytes(head[4:], "big") <= stop


def _take(data: Media, chunk: Chunk, found: Walk) -> None:
    collector = found.collector
    if chunk.cut:
        note(collector.problems, f"the {title(chunk.name)} chunk at offset {chunk.at} is cut off")
    if chunk.name == b"COMM" and chunk.stop - chunk.body >= _COMMON:
        found.common = raw = data[chunk.body : min(chunk.stop, chunk.body + _COMMON + 4)]
        frames, rate = int.from_bytes(raw[2:6], "big"), extended(raw[8:])
        if found.to_end and found.samples is not None:
            sample = int.from_bytes(raw[:2], "big") * (int.from_bytes(raw[6:8], "big") + 7 >> 3)
            plain = found.form.form == b"AIFF" or raw[_COMMON:] in _PLAIN
            there = max(0, found.samples.stop - found.samples.body - _SOUND)
            if plain and sample and frames in (0, 0xFFFFFFFF):
                frames = found.frames = there // sample
        found.seconds = frames / rate if rate else 0.0
    elif chunk is found.samples:
        found.offset = int.from_bytes(data[chunk.body : chunk.body + 4], "big")
    elif chunk.name in _TEXTS:
        text = payload(data, chunk, collector).rstrip(b"\0")
        collector.add(Kind.TEXT, f"AIFF {title(chunk.name)}", (chunk.at, chunk.end), text, title(chunk.name))
    elif chunk.name in _ID3:
        tag = id3.read(data, chunk.body, chunk.stop, collector, "AIFF ID3")
        if tag is not None:
            found.tags.append((chunk, tag))


def extended(raw: bytes) -> float:
    """Read an 80-bit floating-point number of IEEE 754 that is a plausible sampling rate; 0 for others."""
    exponent, mantissa = int.from_bytes(raw[:2], "big") - 16383, int.from_bytes(raw[2:10], "big")
    return mantissa / (1 << 63 - exponent) if 0 <= exponent < 32 else 0.0


def _home(found: Walk) -> tuple[Chunk | None, id3.Tag] | None:
    """Return the tag that a label belongs into, with its chunk."""
    return next(iter(found.tags), None)


# Writing


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None:
        raise LabelingError("AIFF has no place for EXIF", hint="leave it out")
    found = walk(data)
    edits: list[Edit] = [(chunk.at, chunk.end, b"") for chunk in found.children if chunk.at in gone]
    tail = _tags(data, found, gone, _puts(found, kept, changes), edits)
    taken = {start for start, _, _ in edits}
    odd = (chunk for chunk in found.children if chunk.length & 1 and chunk.at not in taken)
    edits += [(chunk.end, chunk.end, b"\0") for chunk in odd]  # the padding that the writer forgot
    if tail:
        at = found.children[-1].end
        edits.append((at, at, tail))
    edits += _true_sizes(found)
    begin = found.form.at
    size = found.form.end - begin - 8 + sum(len(new) - (end - start) for start, end, new in edits)
    if size > MAX_RIFF:
        raise LabelingError("the copy would be larger than the 4 GiB that an AIFF file can be")
    edits.append((begin + 4, begin + 8, size.to_bytes(4, "big")))
    if begin:
        edits.append((0, begin, b""))
    return splice(data, edits)


def _true_sizes(found: Walk) -> list[Edit]:
    """Return the edits that fill in what a writer of a stream could not know."""
    edits: list[Edit] = []
    if found.to_end and found.samples is not None:
        length = found.samples.stop - found.samples.body
        if length > MAX_RIFF:
            raise LabelingError("the audio is larger than the 4 GiB that an AIFF file can be")
        edits.append((found.samples.at + 4, found.samples.body, length.to_bytes(4, "big")))
    common = next((chunk for chunk in found.children if chunk.name == b"COMM"), None)
    if found.frames and common is not None:
        edits.append((common.body + 2, common.body + 6, found.frames.to_bytes(4, "big")))
    return edits


def _puts(found: Walk, kept: list[Block], changes: Changes) -> dict[int, list[tuple[int | None, bytes]]]:
    """Return the new frames by the offset of the tag that they go into; -1 for a new one."""
    tags = [tag for _, tag in found.tags]
    home = tags[0] if tags else None
    puts: dict[int, list[tuple[int | None, bytes]]] = {}
    for name in id3_edit.new_frames(4, changes):
        old = id3_edit.replaced(tags, kept, name)
        tag = next((tag for tag in tags if old is not None and tag.at <= old < tag.end), home)
        new = id3_edit.new_frames(tag.version if tag is not None else 4, changes)[name]
        puts.setdefault(tag.at if tag is not None else -1, []).append((old, new))
    return puts


def _tags(
    data: Media, found: Walk, gone: set[int], puts: dict[int, list[tuple[int | None, bytes]]], edits: list[Edit]
) -> bytes:
    """Add the edits of tags in chunks to ``edits``; return the chunks that come last."""
    last = b""
    for chunk, tag in found.tags:
        put = puts.get(tag.at, [])
        if chunk is None:
            body = id3_edit.rebuilt(tag, gone, put)
            last += _packed(body) if body else b""
        elif put or any(frame.at in gone for frame in tag.frames):
            body = id3_edit.rebuilt(tag, gone, put)
            edits.append((chunk.at, chunk.end, _packed(body + data[tag.end : chunk.stop]) if body else b""))
    if -1 in puts:
        last += _packed(id3_edit.rebuilt(id3_edit.blank(1), set(), puts[-1]))
    return last


def _packed(body: bytes) -> bytes:
    return b"ID3 " + len(body).to_bytes(4, "big") + body + b"\0" * (len(body) & 1)
