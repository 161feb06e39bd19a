"""FLAC (RFC 9639): a label is a comment in the VORBIS_COMMENT block.

Metadata blocks precede the frames. None of them has an offset into the file, so the frames may move; they stay in place
if PADDING can make up for the change. C2PA stores its manifest in an ID3v2 tag at the start of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.containers.base import Block, Changes, Contents, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, pick, splice
from labeling.containers.syntax import id3, id3_edit, vorbis_comment
from labeling.errors import LabelingError

MAX_METADATA_BLOCKS = 4096
"""Limit on the metadata blocks of a file."""

MAX_BLOCK = (1 << 24) - 1
"""Most bytes that the size field of a metadata block allows."""

_STREAMINFO, _PADDING, _COMMENT = 0, 1, 4
_HEADER = 4
_LAST = 0x80
_STREAMINFO_SIZE = 34
_WHERE = "FLAC Vorbis comment"


@dataclass(frozen=True, slots=True)
class _Block:
    """One metadata block; ``at`` is the offset of its header, ``end`` that of the end of its content."""

    type: int
    at: int
    end: int
    last: bool

    @property
    def body(self) -> int:
        return self.at + _HEADER


@dataclass(slots=True)
class _Walk:
    collector: Collector = field(default_factory=Collector)
    tags: list[id3.Tag] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    audio: int = 0
    seconds: float = 0.0

    @property
    def comments(self) -> list[_Block]:
        return [block for block in self.blocks if block.type == _COMMENT]


def read(data: Media) -> Contents:
    """Find the metadata of a FLAC file; see :mod:`labeling.containers.base`."""
    walk = _walk(data)
    coded = [(walk.audio, len(data) - walk.audio)] if walk.audio else []
    return walk.collector.contents("flac", "audio/flac", coded, seconds=walk.seconds)


def _walk(data: Media) -> _Walk:
    walk = _Walk()
    collector = walk.collector
    walk.tags = id3.leading_tags(data, collector, "FLAC ID3v2")
    start = id3.behind_tags(data)
    if data[start : start + 4] != b"fLaC":
        collector.problems.append("it does not begin with fLaC")
        return walk
    end = _blocks(data, start + 4, walk)
    if collector.problems:
        return walk
    _stream_info(data, walk)
    for block in walk.comments:
        if refusal := collector.refusal(block.end - block.body):
            note(collector.problems, f"the VORBIS_COMMENT block at offset {block.at} {refusal}")
            break
        body = data[block.body : block.end]
        vorbis_comment.take(body, _WHERE, block.body.__add__, collector)
    if len(walk.comments) > 1:
        note(collector.warnings, f"it has {len(walk.comments)} VORBIS_COMMENT blocks, where one is allowed")
    head = data[end : end + 2]
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xFC != 0xF8:
        note(collector.problems, f"no FLAC frame is found at offset {end}, where the audio should begin")
    else:
        walk.audio = end
    return walk


def _blocks(data: Media, at: int, walk: _Walk) -> int:
    """List the metadata blocks from ``at`` on, and return where they end."""
    problems = walk.collector.problems
    for _ in range(MAX_METADATA_BLOCKS):
        head = data[at : at + _HEADER]
        end = at + _HEADER + int.from_bytes(head[1:], "big")
        if len(head) < _HEADER or end > len(data):
            problems.append(f"the file is cut off in the metadata block at offset {at}")
            return at
        block = _Block(head[0] & ~_LAST, at, end, bool(head[0] & _LAST))
        if block.type == 127:
            problems.append(f"the metadata block at offset {at} is damaged")
            return at
        walk.blocks.append(block)
        at = end
        if block.last:
            return at
    problems.append(f"more than {MAX_METADATA_BLOCKS} metadata blocks")
    return at


def _stream_info(data: Media, walk: _Walk) -> None:
    first = walk.blocks[0]
    if first.type != _STREAMINFO or first.end - first.body < _STREAMINFO_SIZE:
        note(walk.collector.problems, "its STREAMINFO block is missing or damaged")
        return
    bits = int.from_bytes(data[first.body + 10 : first.body + 18], "big")
    rate, samples = bits >> 44, bits & (1 << 36) - 1
    walk.seconds = samples / rate if rate else 0.0


# Writing


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None or changes.xmp is not None:
        raise LabelingError("FLAC has no place for EXIF or an XMP packet", hint="leave it out")
    walk = _walk(data)
    edits: list[Edit] = []
    home, old = _home(walk, kept, changes)
    for block in walk.comments:
        here = {offset - block.body for offset in gone if block.body <= offset < block.end}
        put = None
        if changes.text_field is not None and block is home:
            put = (None if old is None else old - block.body, *changes.text_field)
        if put is not None or here:
            comments = vorbis_comment.parse(data[block.body : block.end])
            body = vorbis_comment.build(vorbis_comment.changed(comments, here, put))
            edits.append((block.at, block.end, _head(_COMMENT, len(body), block.last) + body))
    if changes.text_field is not None and home is None:
        edits += _insertion(walk, changes.text_field)
    edits += _compensated(walk, sum(len(new) - (end - start) for start, end, new in edits))
    return splice(data, edits + id3_edit.tag_edits(walk.tags, gone))


def _home(walk: _Walk, kept: list[Block], changes: Changes) -> tuple[_Block | None, int | None]:
    """Return the block for a new comment, and the offset of the comment that it replaces, if there is one."""
    for block in walk.comments:
        for each in kept:
            matches = changes.text_field is not None and each.keyword == changes.text_field[0]
            if matches and block.body <= each.offset < block.end:
                return block, each.offset
    return next(iter(walk.comments), None), None


def _head(type: int, size: int, last: bool) -> bytes:
    if size > MAX_BLOCK:
        raise LabelingError(f"the metadata would be {size} bytes, more than the {MAX_BLOCK} of a FLAC metadata block")
    return bytes((type | _LAST * last,)) + size.to_bytes(3, "big")


def _insertion(walk: _Walk, text_field: tuple[str, str]) -> list[Edit]:
    """Return the edits that insert a comment block behind STREAMINFO, which must come first."""
    first = walk.blocks[0]
    body = vorbis_comment.build(vorbis_comment.changed(vorbis_comment.Comments(), set(), (None, *text_field)))
    edits: list[Edit] = [(first.end, first.end, _head(_COMMENT, len(body), first.last) + body)]
    if first.last:
        edits.append((first.at, first.at + 1, bytes((first.type,))))
    return edits


def _compensated(walk: _Walk, growth: int) -> list[Edit]:
    """Return the edits that shrink or extend PADDING so that the frames stay where they are, if that is possible."""
    for block in walk.blocks:
        size = block.end - block.body - growth
        if growth and block.type == _PADDING and 0 <= size <= MAX_BLOCK:
            head = (block.at, block.body, _head(_PADDING, size, block.last))
            # Padding is cut or extended at its end, so that the other zeros need not be written.
            if growth > 0:
                return [head, (block.end - growth, block.end, b"")]
            return [head, (block.end, block.end, bytes(-growth))]
    return []
