"""FLV (Adobe Flash Video File Format Specification 10.1, Annex E): a sequence of tags. Texts are in script tags.

Tags are walked from the beginning only as far as script tags are expected. A video has a million tags; later script
tags are cue points, or what a live stream sent on the way, and no player looks there for metadata of the whole video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling.containers.base import MAX_BLOCKS, MAX_TOTAL, Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import LABEL_NAME, Collector, note
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.containers.flv import amf
from labeling.containers.flv.edit import ON_META_DATA, ON_XMP_DATA, XMP_PROPERTY, ScriptTag, edits
from labeling.errors import LabelingError

MAX_MEDIA_TAGS = 2000
MAX_MEDIA_BYTES = 4 << 20
"""Script tags are searched for until this many tags, or bytes, of audio and video have passed."""

MAX_SCRIPT_TAGS = 4096
"""Limit on the script tags that are read."""

MAX_TAGS = 4_000_000
"""Limit on the tags that are walked if the last one is not found from the end."""

MAX_OTHER_TEXTS = 256
"""Limit on the texts from script tags of other names: there may be a cue point in every second of a video."""

MAX_TRAILER = 64 << 10
"""Limit on the bytes behind the last tag that count as something foreign, and not as damage."""

_AUDIO, _VIDEO, _SCRIPT = 8, 9, 18
_FILTERED, _TYPE = 0x20, 0x1F


class _Tag(NamedTuple):
    """A tag header; ``end`` is the offset of the tag's PreviousTagSize, behind its data."""

    type: int
    filtered: bool
    start: int
    end: int


@dataclass(slots=True)
class _Walk:
    first: int = 0
    scripts: list[ScriptTag] = field(default_factory=list)
    coded: list[tuple[int, int]] = field(default_factory=list)
    collector: Collector = field(default_factory=Collector)
    left: int = MAX_TOTAL


def _tag(data: Media, pos: int) -> _Tag | None:
    head = data[pos : pos + 11]
    if len(head) < 11:
        return None
    size = int.from_bytes(head[1:4], "big")
    return _Tag(head[0] & _TYPE, bool(head[0] & _FILTERED), pos, pos + 11 + size)


def _tags(data: Media, pos: int, collector: Collector) -> Iterator[_Tag]:
    """Yield the tags from ``pos`` on; the last one may be cut off. Adds to the problems why it has to stop.

    Some bytes behind a last tag that is whole belong to nobody, and do no harm: players stop there as well.
    """
    size, whole = len(data), False
    problems = collector.problems
    while pos < size:
        tag = _tag(data, pos)
        known = data[pos : pos + 1][0] & _TYPE in (_AUDIO, _VIDEO, _SCRIPT)
        stated = -1 if tag is None else int.from_bytes(data[tag.end : tag.end + 4], "big")
        if not known and (tag is None or stated != tag.end - tag.start):
            if whole and size - pos <= MAX_TRAILER:
                note(collector.warnings, f"{size - pos} bytes follow the last tag; they are kept")
            else:
                note(problems, f"there is no tag at offset {pos}")
            return
        if tag is None:
            note(problems, f"the file is cut off in the tag at offset {pos}")
            return
        yield tag
        if tag.end > size or tag.end < size < tag.end + 4:
            note(problems, f"the file is cut off in the tag at offset {pos}")
            return
        whole = stated == tag.end - tag.start
        pos = tag.end + 4


def _walk(data: Media) -> _Walk:
    walk = _Walk()
    problems, size = walk.collector.problems, len(data)
    head = data[:9]
    walk.first = int.from_bytes(head[5:9], "big") + 4
    if len(head) < 9 or head[:4] != b"FLV\1" or not 13 <= walk.first <= size:
        problems.append("its FLV header is damaged or cut off")
        return walk
    tags = media_bytes = 0
    for tag in _tags(data, walk.first, walk.collector):
        end = min(tag.end + 4, size)
        if tag.type == _SCRIPT and not tag.filtered and len(walk.scripts) < MAX_SCRIPT_TAGS:
            _take_script(data, tag, end, walk)
            continue
        tags += 1
        media_bytes += end - tag.start
        _take_coded(tag.start, end, walk)
        if tags >= MAX_MEDIA_TAGS or media_bytes >= MAX_MEDIA_BYTES:
            if end < size:
                _take_coded(end, size, walk)
                _check_end(data, end, walk)
            break
    return walk


def _take_coded(start: int, end: int, walk: _Walk) -> None:
    if walk.coded and sum(walk.coded[-1]) == start:
        start = walk.coded.pop()[0]
    walk.coded.append((start, end - start))


def _take_script(data: Media, tag: _Tag, end: int, walk: _Walk) -> None:
    body = data[tag.start + 11 : tag.end]
    walk.left -= len(body)
    if walk.left < 0:
        note(walk.collector.problems, f"its script tags together are more than {MAX_TOTAL} bytes")
        return
    script = amf.Script(body)
    found = ScriptTag(tag.start, end, data[tag.start : tag.start + 11], script)
    walk.scripts.append(found)
    try:
        script.parse()
    except amf.AmfError as error:
        problems, unread, warnings = walk.collector.problems, walk.collector.unread, walk.collector.warnings
        main = found.name in ("", ON_META_DATA, ON_XMP_DATA)
        named = LABEL_NAME.search(body) or b"rdf-syntax" in body  # a script tag of any name may hold a label
        messages = problems if main else unread if named else warnings
        note(messages, f"the script tag at offset {tag.start} cannot be read: {error.message}")
    walk.collector.crowded |= script.left < 0 or len(script.properties) > MAX_BLOCKS


def _check_end(data: Media, pos: int, walk: _Walk) -> None:
    """Check that the file is complete: its last four bytes are the length of the last tag; else all tags are walked."""
    size = len(data)
    length = int.from_bytes(data[size - 4 : size], "big")
    start = size - 4 - length
    if length >= 11 and start >= pos:
        tag = _tag(data, start)
        if tag is not None and tag.type in (_AUDIO, _VIDEO, _SCRIPT) and tag.end == size - 4:
            return
    for count, _ in enumerate(_tags(data, pos, walk.collector)):
        if count >= MAX_TAGS:
            note(walk.collector.problems, f"more than {MAX_TAGS} tags")
            return


def _texts(walk: _Walk) -> None:
    """Collect the named texts of all script tags, and the XMP packet."""
    others = 0
    for tag in walk.scripts:
        main = tag.name in (ON_META_DATA, ON_XMP_DATA)
        for each in tag.script.properties:
            value = tag.script.text(each.value)
            if value is None or each.listed or (not main and others >= MAX_OTHER_TEXTS):
                continue
            others += not main
            packet = tag.name == ON_XMP_DATA and each.name == XMP_PROPERTY and not each.path
            where = _one_line(f"FLV {tag.name[:64]} {'/'.join((*each.path, each.name))[:256]}")
            body = tag.start + 11
            kind = Kind.XMP if packet else Kind.TEXT
            walk.collector.add(kind, where, (body + each.start, body + each.end), value, each.name)


def _one_line(words: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in words)


def read(data: Media) -> Contents:
    """Find the metadata of an FLV file; see :mod:`labeling.containers.base`."""
    walk = _walk(data)
    _texts(walk)
    if not walk.coded and not walk.collector.problems:
        walk.collector.problems.append("it has neither video nor audio")
    numbers: dict[str, float] = {}
    for tag in walk.scripts:
        for each in tag.script.properties:
            value = amf.number(tag.script.data, each.value)
            if tag.name == ON_META_DATA and not each.path and value is not None:
                numbers.setdefault(each.name, value)
    size = int(_sane(numbers.get("width", 0), 1 << 20)), int(_sane(numbers.get("height", 0), 1 << 20))
    seconds = _sane(numbers.get("duration", 0), 1e9)
    return walk.collector.contents("flv", "video/x-flv", walk.coded, size, seconds=seconds)


def _sane(value: float, limit: float) -> float:
    """Return ``value``, or 0 if no video can have it: infinite, negative, not a number."""
    return value if 0 <= value <= limit else 0.0


def mended(source: Media, copy: Media) -> list[Edit]:
    """Return the edits that take the index out of a file that FFmpeg has written if it lists a single key frame.

    FFmpeg writes such an index, and calls it invalid when it reads the file. Nobody needs it to find the first picture.
    """
    walk = _walk(copy)
    single = {
        tag.start + 11 + each.start
        for tag in walk.scripts
        for each in tag.script.properties
        if tag.name == ON_META_DATA and (each.path, each.name) == ((), "keyframes") and _entries(tag, each) < 2
    }
    return edits(len(copy), walk.first, walk.scripts, single, Changes()) if single else []


def _entries(tag: ScriptTag, index: amf.Property) -> int:
    inside = (each for each in tag.script.properties if index.value <= each.start < index.end)
    return max(
        (len(amf.numbers(tag.script.data, each.value) or ()) for each in inside if each.path == ("keyframes",)),
        default=0,
    )


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    Properties of script tags are edited in place. Numbers among them that are offsets in the file are updated.
    """
    if changes.exif is not None:
        raise LabelingError("FLV has no place for EXIF; only named texts and an XMP packet can be written")
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    walk = _walk(data)
    dropped = {block.offset for block in changes.drop}
    return splice(data, edits(len(data), walk.first, walk.scripts, dropped, changes))
