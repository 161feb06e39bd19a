"""ID3v2 tags (id3.org: ID3v2.2.0, 2.3.0 and 2.4.0): in MP3, before FLAC, in a chunk of WAV.

A tag is read as a whole and divided into frames. A changed tag is built from its old frames.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from labeling.containers.base import MAX_TOTAL, Kind, Media
from labeling.containers.collector import Collector, note
from labeling.containers.syntax.id3_names import modern

MAX_FRAMES = 4096
"""Limit on the frames of a tag."""

MAX_TAGS = 16
"""Limit on the tags at the start of a file, and on those at its end."""

MAX_TAG = (1 << 28) - 1  # a size has four bytes of seven bits

HEADER = 10
UNSYNCHRONISED, EXTENDED, FOOTER = 0x80, 0x40, 0x10
_COMPRESSED_TAG = 0x40  # in 2.2, which does not define how
_FRAME_ID = {2: re.compile(rb"[A-Z0-9]{3}"), 3: re.compile(rb"[A-Z0-9]{3}[A-Z0-9 \0]"), 4: re.compile(rb"[A-Z0-9]{4}")}
_USER_TEXT = {b"TXX", b"TXXX"}
_COMMENT = {b"COM", b"COMM"}
_SOURCE_URL = {b"WAS", b"WOAS"}
_LABELS = _COMMENT | _SOURCE_URL | {b"PRIV"}
"""Frames that may hold a label, or an XMP packet with one, beside those of text."""
_OBJECT = {b"GEO", b"GEOB"}
_CODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_C2PA_TYPES = {b"application/c2pa", b"application/x-c2pa-manifest-store"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        name: Its ID.
        raw: Its bytes with header, after unsynchronisation of the tag is undone.
        at: Its offset in the file.
        length: Its length in the file.
        keyword: The keyword of its block; empty if it has none.
        kind: The kind of its block; ``None`` if it has none.
    """

    name: bytes
    raw: bytes
    at: int
    length: int
    keyword: str = ""
    kind: Kind | None = None


@dataclass(slots=True)
class Tag:
    """One tag.

    Attributes:
        at: Its offset.
        end: Offset of its end.
        version: Major version: 2, 3 or 4.
        revision: Revision.
        flags: Flags of its header.
        extended: Its extended header without a checksum; empty if there is none.
        frames: Its frames.
    """

    at: int
    end: int
    version: int
    revision: int
    flags: int
    extended: bytes = b""
    frames: list[Frame] = field(default_factory=list)


def synchsafe(raw: bytes) -> int:
    """Decode a number with seven bits in each byte."""
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
    return value


def synchsafe_bytes(value: int, count: int = 4) -> bytes:
    """Encode a number with seven bits in each byte."""
    return bytes(value >> 7 * shift & 0x7F for shift in reversed(range(count)))


def span(head: bytes) -> int:
    """Return the bytes of the tag whose header or footer is ``head``; 0 if it is neither."""
    if len(head) < HEADER or head[:3] not in (b"ID3", b"3DI") or head[3] == 0xFF or head[4] == 0xFF:
        return 0
    if any(byte & 0x80 for byte in head[6:10]):
        return 0
    footer = HEADER if head[3] >= 4 and head[5] & FOOTER else 0
    return HEADER + synchsafe(head[6:10]) + footer


# Reading


def read(data: Media, at: int, stop: int, collector: Collector, where: str) -> Tag | None:
    """Read a tag and collect its blocks.

    Args:
        data: The file.
        at: Offset of the tag.
        stop: Offset at which it has to end.
        collector: Receives the blocks and problems.
        where: What precedes the name of a frame in ``Block.where``.

    Returns:
        The tag, or ``None`` if it cannot be read.
    """
    head = data[at : at + HEADER]
    length = span(head)
    if not length:
        note(collector.problems, f"there is no valid ID3v2 tag at offset {at}")
        return None
    if at + length > stop:
        note(collector.problems, f"the ID3v2 tag at offset {at} is cut off: it says it has {length} bytes")
        return None
    if length > MAX_TOTAL:
        note(
            collector.problems,
            f"the ID3v2 tag at offset {at} is {length} bytes, more than the {MAX_TOTAL} that are read",
        )
        return None
    tag = Tag(at, at + length, head[3], head[4], head[5])
    if tag.version not in _FRAME_ID or (tag.version == 2 and tag.flags & _COMPRESSED_TAG):
        note(collector.problems, f"the ID3v2 tag at offset {at} is of a version (2.{tag.version}) that is unknown")
        return None
    _Reader(data[at + HEADER : at + HEADER + synchsafe(head[6:10])], tag, collector, where).run()
    return tag


class _Reader:
    """Divides the body of one tag into frames."""

    def __init__(self, body: bytes, tag: Tag, collector: Collector, where: str) -> None:
        self.tag, self.collector, self.where = tag, collector, where
        # In 2.4 each frame is unsynchronised separately.
        self.removed: Sequence[int] = ()
        if tag.flags & UNSYNCHRONISED and tag.version < 4:
            body, self.removed = _synchronised(body)
        self.body = body

    def run(self) -> None:
        tag, body = self.tag, self.body
        at = 0
        if tag.flags & EXTENDED and tag.version > 2:
            at = self._extended()
            if at > len(body):
                note(self.collector.problems, f"the ID3v2 tag at offset {tag.at} has a damaged extended header")
        size = 6 if tag.version == 2 else 10
        while at + size <= len(body) and body[at]:
            name = body[at : at + (3 if tag.version == 2 else 4)]
            end = at + size + self._frame_size(at)
            if not _FRAME_ID[tag.version].fullmatch(name) or end > len(body):
                note(self.collector.problems, f"the ID3v2 tag at offset {tag.at} is damaged at {self._place(at)}")
                return
            if len(tag.frames) == MAX_FRAMES:
                note(self.collector.problems, f"the ID3v2 tag at offset {tag.at} has more than {MAX_FRAMES} frames")
                self.collector.crowded = True
                return
            self._take(name, at, end)
            at = end
        if any(body[at:]):
            note(self.collector.problems, f"the ID3v2 tag at offset {tag.at} has no frame at {self._place(at)}")

    def _extended(self) -> int:
        """Read the extended header and return where the frames begin.

        A checksum would be wrong after a change, and is dropped. So is the extended header of 2.3, which has nothing
        else.
        """
        body = self.body
        if self.tag.version == 3:
            return 4 + int.from_bytes(body[:4], "big")
        length = synchsafe(body[:4])
        raw = body[:length]
        if length < 6 or len(raw) < length:
            return len(body) + 1
        flags, at, kept = raw[5], 6, b""
        for flag in (0x40, 0x20, 0x10):  # update, checksum, restrictions
            if flags & flag:
                end = at + 1 + (raw[at] if at < len(raw) else 0)
                kept += b"" if flag == 0x20 else raw[at:end]
                at = end
        self.tag.extended = synchsafe_bytes(6 + len(kept)) + bytes((1, flags & ~0x20)) + kept
        return length

    def _frame_size(self, at: int) -> int:
        if self.tag.version == 2:
            return int.from_bytes(self.body[at + 3 : at + 6], "big")
        raw = self.body[at + 4 : at + 8]
        plain = int.from_bytes(raw, "big")
        if self.tag.version == 3:
            return plain
        # Some writers of 2.4 (iTunes for years) store sizes as in 2.3.
        if max(raw) >= 0x80:
            return plain
        safe = synchsafe(raw)
        return plain if not self._begins(at + 10 + safe) and self._begins(at + 10 + plain) else safe

    def _begins(self, at: int) -> bool:
        """Return whether a frame, the padding or the end is at ``at``."""
        name = self.body[at : at + 4]
        return at == len(self.body) or name[:1] == b"\0" or _FRAME_ID[4].fullmatch(name) is not None

    def _place(self, at: int) -> int:
        """Return the offset in the file of the byte ``at`` of the synchronised body."""
        return self.tag.at + HEADER + at + bisect_left(self.removed, at)

    def _take(self, name: bytes, at: int, end: int) -> None:
        raw = self.body[at:end]
        start = self._place(at)
        frame = Frame(name, raw, start, self._place(end) - start)
        inner = payload(raw, self.tag.version, self.collector)
        if inner is None:
            if name[:1] == b"T" or name in _LABELS:
                why = "its content is encrypted, or its compressed data cannot be unpacked"
                note(self.collector.unread, f"the ID3v2 frame {name.decode()} at offset {start} cannot be read: {why}")
        elif (found := _content(name, inner)) is not None:
            kind, keyword, content = found
            frame = Frame(name, raw, start, frame.length, keyword, kind)
            label = name.decode() if keyword == modern(name) else f"{name.decode()} {keyword}".strip()
            where = f"{self.where} {label.encode('unicode_escape').decode()}"
            self.collector.add(kind, where, (start, start + frame.length), content, keyword)
        self.tag.frames.append(frame)


def _synchronised(raw: bytes) -> tuple[bytes, list[int]]:
    """Undo unsynchronisation; return the bytes, and the indices before which a NUL was removed."""
    removed = [match.start() + 1 - number for number, match in enumerate(re.finditer(rb"\xff\0", raw))]
    return raw.replace(b"\xff\0", b"\xff"), removed


def payload(raw: bytes, version: int, collector: Collector) -> bytes | None:
    """Return the content of a frame, decompressed; ``None`` if it is encrypted or damaged."""
    if version == 2:
        return raw[6:]
    flags, body = raw[9], raw[10:]
    if version == 3:
        compressed, encrypted, grouped = flags & 0x80, flags & 0x40, flags & 0x20
        skip = (4 if compressed else 0) + (1 if grouped else 0)
    else:
        compressed, encrypted = flags & 0x08, flags & 0x04
        if flags & 0x02:
            body, _ = _synchronised(body)
        skip = (1 if flags & 0x40 else 0) + (4 if flags & 0x01 else 0)
    if encrypted:
        return None
    body = body[skip:]
    if compressed:
        body, problem = collector.inflate(body)
        return None if problem else body
    return body


def _content(name: bytes, payload: bytes) -> tuple[Kind, str, bytes] | None:
    """Return the content of a frame as (kind, keyword, content); ``None`` if it is of no interest."""
    if name == b"PRIV":
        owner, _, content = payload.partition(b"\0")
        return (Kind.XMP, "XMP", content) if owner == b"XMP" else None
    if not payload:
        return None
    if name in _SOURCE_URL:
        return Kind.TEXT, modern(name), _text(0, payload)
    coding, rest = payload[0], payload[1:]
    if name in _OBJECT:
        media_type = rest.partition(b"\0")[0]
        parts = rest[len(media_type) + 1 :]
        for _ in range(2):  # file name, description
            _, parts = cut(coding, parts)
        return (Kind.C2PA, "GEOB", parts) if media_type.lower() in _C2PA_TYPES else None
    if name in _USER_TEXT:
        key, text = cut(coding, rest)
        return Kind.TEXT, decoded(coding, key), _text(coding, text)
    if name in _COMMENT:
        key, text = cut(coding, rest[3:])  # behind the language
        return Kind.TEXT, decoded(coding, key) or modern(name), _text(coding, text)
    return (Kind.TEXT, modern(name), _text(coding, rest)) if name[:1] == b"T" else None


def cut(coding: int, raw: bytes) -> tuple[bytes, bytes]:
    """Split at the first terminator of a string in an encoding."""
    if coding not in (1, 2):
        first, _, rest = raw.partition(b"\0")
        return first, rest
    for at in range(0, len(raw) - 1, 2):
        if raw[at : at + 2] == b"\0\0":
            return raw[:at], raw[at + 2 :]
    return raw, b""


def decoded(coding: int, raw: bytes) -> str:
    """Return a text by the number of its encoding (ID3v2.4.0 structure, 4)."""
    if coding == 0:
        try:
            return raw.decode("utf-8").strip("\0")  # what many writers put into "Latin-1"
        except UnicodeDecodeError:
            pass
    name = _CODINGS[coding] if coding < len(_CODINGS) else "latin-1"
    return raw.decode(name, "replace").strip("\0\ufeff")


def _text(coding: int, raw: bytes) -> bytes:
    """Return a text as UTF-8. Each of several texts, which 2.4 allows, is on a line of its own."""
    return "\n".join(decoded(coding, raw).split("\0")).encode("utf-8", "replace")


def behind_tags(data: Media) -> int:
    """Return the end of the ID3v2 tags at the start of a file."""
    at = 0
    for _ in range(MAX_TAGS):
        head = data[at : at + HEADER]
        length = span(head) if head[:3] == b"ID3" else 0
        if not length:
            break
        at += length
    return at


def leading_tags(data: Media, collector: Collector, where: str) -> list[Tag]:
    """Read the ID3v2 tags at the start of a file, and collect their blocks; see :func:`read`."""
    tags: list[Tag] = []
    at, end = 0, behind_tags(data)
    if not end and data[:3] == b"ID3":
        note(collector.problems, "its ID3v2 tag has a damaged header")
    while at < end:
        tag = read(data, at, len(data), collector, where)
        if tag is None:
            break
        tags.append(tag)
        at = tag.end
    collector.crowded |= sum(len(tag.frames) for tag in tags) > MAX_FRAMES  # FFmpeg reads all of them
    if len(tags) > 1:
        note(collector.warnings, f"it begins with {len(tags)} ID3v2 tags; most programs only read the first one")
    return tags
