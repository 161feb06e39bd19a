"""ID3v2 tags (id3.org: ID3v2.2.0, 2.3.0 and 2.4.0), wherever they stand: in MP3, before FLAC, in a chunk of WAV.

A tag is read whole and cut into frames; a changed tag is put together from the frames as they were.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from labeling.containers.base import MAX_TOTAL, Kind, Media
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit
from labeling.errors import LabelingError

MAX_FRAMES = 4096
MAX_TAGS = 16
"""So many tags are read at the beginning of a file, and so many at its end."""

MAX_TAG = (1 << 28) - 1  # a size is four bytes of seven bits

HEADER = 10
_NEW_PADDING = 512  # so that the next change need not move the sound
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_COMPRESSED_TAG = 0x40  # of v2.2, which never said how
_FRAME_ID = {2: re.compile(rb"[A-Z0-9]{3}"), 3: re.compile(rb"[A-Z0-9]{3}[A-Z0-9 \0]"), 4: re.compile(rb"[A-Z0-9]{4}")}
_USER_TEXT = {b"TXX", b"TXXX"}
_COMMENT = {b"COM", b"COMM"}
_OBJECT = {b"GEO", b"GEOB"}
_CODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_C2PA_TYPES = {b"application/c2pa", b"application/x-c2pa-manifest-store"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its id, its bytes with header as in the tag without unsynchronisation, its offset in the file."""

    name: bytes
    raw: bytes
    at: int
    length: int
    keyword: str = ""
    kind: Kind | None = None


@dataclass(slots=True)
class Tag:
    """A tag from ``at`` to ``end``. ``extended`` is its extended header, without a checksum."""

    at: int
    end: int
    version: int
    revision: int
    flags: int
    extended: bytes = b""
    frames: list[Frame] = field(default_factory=list)


def synchsafe(raw: bytes) -> int:
    """A number of which each byte holds seven bits."""
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
    return value


def _synchsafe_bytes(value: int, count: int = 4) -> bytes:
    return bytes(value >> 7 * shift & 0x7F for shift in reversed(range(count)))


def span(head: bytes) -> int:
    """How many bytes the tag takes whose header or footer is ``head``; 0 if that is neither."""
    if len(head) < HEADER or head[:3] not in (b"ID3", b"3DI") or head[3] == 0xFF or head[4] == 0xFF:
        return 0
    if any(byte & 0x80 for byte in head[6:10]):
        return 0
    footer = HEADER if head[3] >= 4 and head[5] & _FOOTER else 0
    return HEADER + synchsafe(head[6:10]) + footer


# Reading


def read(data: Media, at: int, stop: int, collector: Collector, where: str) -> Tag | None:
    """Read the tag at ``at`` and take its blocks; ``None``, and a problem, if it cannot be read."""
    head = data[at : at + HEADER]
    length = span(head)
    if not length:
        note(collector.problems, f"there is no sound ID3v2 tag at offset {at}")
        return None
    if at + length > stop:
        note(collector.problems, f"the ID3v2 tag at offset {at} is cut off: it says it has {length} bytes")
        return None
    if length > MAX_TOTAL:
        note(collector.problems, f"the ID3v2 tag at offset {at} is {length} bytes, more than the {MAX_TOTAL} we read")
        return None
    tag = Tag(at, at + length, head[3], head[4], head[5])
    if tag.version not in _FRAME_ID or (tag.version == 2 and tag.flags & _COMPRESSED_TAG):
        note(collector.problems, f"the ID3v2 tag at offset {at} is of a version (2.{tag.version}) that is not known")
        return None
    _Reader(data[at + HEADER : at + HEADER + synchsafe(head[6:10])], tag, collector, where).run()
    return tag


class _Reader:
    """Cuts the body of one tag into frames."""

    def __init__(self, body: bytes, tag: Tag, collector: Collector, where: str) -> None:
        self.tag, self.collector, self.where = tag, collector, where
        # In 2.4 it is frames that are unsynchronised, each for itself.
        self.removed: Sequence[int] = ()
        if tag.flags & _UNSYNCHRONISED and tag.version < 4:
            body, self.removed = _synchronised(body)
        self.body = body

    def run(self) -> None:
        tag, body = self.tag, self.body
        at = 0
        if tag.flags & _EXTENDED and tag.version > 2:
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
                return
            self._take(name, at, end)
            at = end
        if any(body[at:]):
            note(self.collector.problems, f"the ID3v2 tag at offset {tag.at} has no frame at {self._place(at)}")

    def _extended(self) -> int:
        """Where the frames begin.

        A checksum would be wrong after a change and is forgotten, and so is 2.3's extended header, which holds no more.
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
        self.tag.extended = _synchsafe_bytes(6 + len(kept)) + bytes((1, flags & ~0x20)) + kept
        return length

    def _frame_size(self, at: int) -> int:
        if self.tag.version == 2:
            return int.from_bytes(self.body[at + 3 : at + 6], "big")
        raw = self.body[at + 4 : at + 8]
        plain = int.from_bytes(raw, "big")
        if self.tag.version == 3:
            return plain
        # Some writers of 2.4 (iTunes for years) kept the plain sizes of 2.3.
        if max(raw) >= 0x80:
            return plain
        safe = synchsafe(raw)
        return plain if not self._begins(at + 10 + safe) and self._begins(at + 10 + plain) else safe

    def _begins(self, at: int) -> bool:
        """Whether a frame, the padding or the end is at ``at``."""
        name = self.body[at : at + 4]
        return at == len(self.body) or name[:1] == b"\0" or _FRAME_ID[4].fullmatch(name) is not None

    def _place(self, at: int) -> int:
        """Where in the file the byte at ``at`` of the synchronised body is."""
        return self.tag.at + HEADER + at + bisect_left(self.removed, at)

    def _take(self, name: bytes, at: int, end: int) -> None:
        raw = self.body[at:end]
        start = self._place(at)
        frame = Frame(name, raw, start, self._place(end) - start)
        payload = _payload(raw, self.tag.version, self.collector)
        if payload is None:
            if name[:1] == b"T":
                note(self.collector.warnings, f"the ID3v2 frame {name.decode()} at offset {start} cannot be read")
        elif (found := _content(name, payload)) is not None:
            kind, keyword, content = found
            frame = Frame(name, raw, start, frame.length, keyword, kind)
            label = name.decode() if keyword == name.decode() else f"{name.decode()} {keyword}".strip()
            where = f"{self.where} {label.encode('unicode_escape').decode()}"
            self.collector.add(kind, where, (start, start + frame.length), content, keyword)
        self.tag.frames.append(frame)


def _synchronised(raw: bytes) -> tuple[bytes, list[int]]:
    """Undo unsynchronisation: the bytes, and at which of their places a NUL was taken out before."""
    removed = [match.start() + 1 - number for number, match in enumerate(re.finditer(rb"\xff\0", raw))]
    return raw.replace(b"\xff\0", b"\xff"), removed


def _unsynchronised(raw: bytes) -> bytes:
    return re.sub(rb"\xff(?=[\0\xe0-\xff]|\Z)", b"\xff\0", raw)


def _payload(raw: bytes, version: int, collector: Collector) -> bytes | None:
    """A frame's content, inflated; ``None`` if it is encrypted or damaged."""
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
    """What a frame says, as (kind, keyword, content); ``None`` if it is nothing to us."""
    if name == b"PRIV":
        owner, _, content = payload.partition(b"\0")
        return (Kind.XMP, "XMP", content) if owner == b"XMP" else None
    if not payload:
        return None
    coding, rest = payload[0], payload[1:]
    if name in _OBJECT:
        media_type = rest.partition(b"\0")[0]
        parts = rest[len(media_type) + 1 :]
        for _ in range(2):  # file name, description
            _, parts = _cut(coding, parts)
        return (Kind.C2PA, "GEOB", parts) if media_type.lower() in _C2PA_TYPES else None
    if name in _USER_TEXT:
        key, text = _cut(coding, rest)
        return Kind.TEXT, _decoded(coding, key), _text(coding, text)
    if name in _COMMENT:
        key, text = _cut(coding, rest[3:])  # behind the language
        return Kind.TEXT, _decoded(coding, key) or name.decode(), _text(coding, text)
    return (Kind.TEXT, name.decode(), _text(coding, rest)) if name[:1] == b"T" else None


def _cut(coding: int, raw: bytes) -> tuple[bytes, bytes]:
    """Split at the first terminator of a string of this coding."""
    if coding not in (1, 2):
        first, _, rest = raw.partition(b"\0")
        return first, rest
    for at in range(0, len(raw) - 1, 2):
        if raw[at : at + 2] == b"\0\0":
            return raw[:at], raw[at + 2 :]
    return raw, b""


def _decoded(coding: int, raw: bytes) -> str:
    if coding == 0:
        try:
            return raw.decode("utf-8").strip("\0")  # what writers put into "Latin-1", to whom only that was known
        except UnicodeDecodeError:
            pass
    name = _CODINGS[coding] if coding < len(_CODINGS) else "latin-1"
    return raw.decode(name, "replace").strip("\0\ufeff")


def _text(coding: int, raw: bytes) -> bytes:
    """A text as UTF-8; of several, as 2.4 has them, each on a line of its own."""
    return "\n".join(_decoded(coding, raw).split("\0")).encode("utf-8", "replace")


def behind_tags(data: Media) -> int:
    """Where the ID3v2 tags at the beginning of a file end."""
    at = 0
    for _ in range(MAX_TAGS):
        head = data[at : at + HEADER]
        length = span(head) if head[:3] == b"ID3" else 0
        if not length:
            break
        at += length
    return at


def leading_tags(data: Media, collector: Collector, where: str) -> list[Tag]:
    """Read the ID3v2 tags at the beginning of a file."""
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
    if len(tags) > 1:
        note(collector.warnings, f"it begins with {len(tags)} ID3v2 tags; most programs read the first one only")
    return tags


# Writing


def blank(at: int) -> Tag:
    """The tag to begin with where there is none."""
    return Tag(at, at, 4, 0, 0)


def user_text(version: int, name: str, text: str) -> bytes:
    """A whole TXXX frame (TXX in 2.2), in the plainest coding that its version has for it."""
    if version == 4:
        body = b"\3" + name.encode() + b"\0" + text.encode()
    elif name.isascii() and text.isascii():  # of Latin-1 the half that nobody takes for UTF-8
        body = b"\0" + name.encode() + b"\0" + text.encode()
    else:
        body = b"\1" + b"\xff\xfe" + (name + "\0").encode("utf-16-le") + b"\xff\xfe" + text.encode("utf-16-le")
    return _frame(version, b"TXX" if version == 2 else b"TXXX", body)


def private(version: int, packet: bytes) -> bytes:
    """A whole PRIV frame of an XMP packet (XMP Specification Part 3, 1.1.3.2)."""
    if version == 2:
        raise LabelingError("an ID3v2.2 tag has no place for an XMP packet; convert it to 2.3 or 2.4 first")
    return _frame(version, b"PRIV", b"XMP\0" + packet)


def _frame(version: int, name: bytes, body: bytes) -> bytes:
    if version == 2:
        if len(body) >= 1 << 24:
            raise _too_large()
        return name + len(body).to_bytes(3, "big") + body
    if len(body) > MAX_TAG:
        raise _too_large()
    size = _synchsafe_bytes(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name + size + b"\0\0" + body


def rebuilt(tag: Tag, gone: set[int], put: Sequence[tuple[int | None, bytes]] = ()) -> bytes:
    """The whole tag without the frames at the offsets ``gone``; of ``put`` each new frame stands where the one at its
    offset did, or behind all others. Empty if no frame is left; as long as it was, if that can be.

    Raises :class:`LabelingError` if it does not fit into a tag.
    """
    new = {offset: frame for offset, frame in put if offset is not None}
    frames = [new.get(each.at, each.raw) for each in tag.frames if each.at in new or each.at not in gone]
    frames += [frame for offset, frame in put if offset is None]
    if not frames:
        return b""
    body = tag.extended + b"".join(frames)
    flags = tag.flags if tag.extended else tag.flags & ~_EXTENDED
    footer = tag.version == 4 and flags & _FOOTER
    if tag.version < 4 and flags & _UNSYNCHRONISED:
        body = _unsynchronised(body)
    room = tag.end - tag.at - HEADER
    if not footer:  # which forbids padding
        body += bytes(room - len(body) if len(body) <= room else _NEW_PADDING)
    if len(body) > MAX_TAG:
        raise _too_large()
    rest = bytes((tag.version, tag.revision, flags)) + _synchsafe_bytes(len(body))
    return b"ID3" + rest + body + (b"3DI" + rest if footer else b"")


def _too_large() -> LabelingError:
    return LabelingError("the text is too large for an ID3v2 frame; shorten it")


def tag_edits(
    tags: list[Tag], gone: set[int], puts: dict[int, list[tuple[int | None, bytes]]] | None = None
) -> list[Edit]:
    """Edits that build the tags anew in which something changes; new frames without a tag begin one at offset 0."""
    puts = puts or {}
    edits: list[Edit] = []
    for tag in tags:
        put = puts.get(tag.at, [])
        if put or any(frame.at in gone for frame in tag.frames):
            edits.append((tag.at, tag.end, rebuilt(tag, gone, put)))
    if 0 in puts and not any(tag.at == 0 for tag in tags):
        edits.append((0, 0, rebuilt(blank(0), set(), puts[0])))
    return edits
