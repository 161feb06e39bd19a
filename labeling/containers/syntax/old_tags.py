"""Tags at the end of MPEG audio; ID3v1 and APEv2 tags are read to be copied into an ID3v2 tag at the start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from labeling.containers.base import Media
from labeling.containers.collector import Collector, note
from labeling.containers.syntax import id3
from labeling.containers.syntax.id3_edit import frame

MAX_TAG = 1 << 20
"""Limit on the bytes of an APEv2 tag that is copied."""

MAX_ITEMS = 256

_ID3V1 = ((b"TIT2", 3, 33), (b"TPE1", 33, 63), (b"TALB", 63, 93), (b"TDRC", 93, 97), (b"COMM", 97, 127))
_APE = {b"title": b"TIT2", b"artist": b"TPE1", b"album": b"TALB", b"year": b"TDRC", b"comment": b"COMM",
        b"track": b"TRCK", b"genre": b"TCON", b"composer": b"TCOM", b"album artist": b"TPE2"}  # fmt: skip
_LATIN, _UTF8 = b"\0", b"\3"
_HEADER = 32
_APE_FOOTER, _ID3V1_SIZE, _LYRICS_END = 32, 128, 15

COPIED = "players read an ID3v2 tag first: title, artist and the like were copied into the new one from the old tag"
"""What is said where :func:`frames` are put into a new tag."""


@dataclass(slots=True)
class Tail:
    """The tags at the end of a file.

    Attributes:
        start: Where they begin, and the audio ends.
        old: (start, end) of the ID3v1 and APEv2 tags.
        tags: The ID3v2 tags.
    """

    start: int
    old: list[tuple[int, int]] = field(default_factory=list)
    tags: list[id3.Tag] = field(default_factory=list)


def find(data: Media, start: int, collector: Collector, where: str) -> Tail:
    """Find the tags of all kinds at the end of a file whose audio begins at ``start``, and read the ID3v2 tags.

    Args:
        data: The file.
        start: Where the audio begins.
        collector: Receives the blocks of ID3v2 tags, and warnings.
        where: What precedes the name of a frame in ``Block.where``.
    """
    end = len(data)
    found = Tail(end)
    if end - start >= _ID3V1_SIZE and data[end - _ID3V1_SIZE : end - _ID3V1_SIZE + 3] == b"TAG":
        found.old.append((end - _ID3V1_SIZE, end))
        end -= _ID3V1_SIZE
    for _ in range(id3.MAX_TAGS):
        foot = data[max(start, end - _APE_FOOTER) : end]
        if foot[:8] == b"APETAGEX" and len(foot) == _APE_FOOTER:
            size = int.from_bytes(foot[12:16], "little") + (_APE_FOOTER if foot[23] & 0x80 else 0)
        elif foot[-9:] == b"LYRICS200" and foot[-15:-9].isdigit():
            size = int(foot[-15:-9]) + _LYRICS_END
        elif (size := id3.span(foot[-id3.HEADER :])) and foot[-id3.HEADER :][:3] == b"3DI":
            if size <= end - start:
                tag = id3.read(data, end - size, end, collector, where)
                found.tags += [tag] if tag is not None else []
        else:
            break
        if not 0 < size <= end - start:
            note(collector.warnings, f"a tag before offset {end} says it is longer than the file; it is kept")
            break
        if foot[:8] == b"APETAGEX":
            found.old.append((end - size, end))
        end -= size
    found.start = end
    return found


_NO_GENRE = 255


def frames(data: Media, tags: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return the texts of tags as frames of ID3v2.4; where both have one, that of APEv2, which is not cut to 30 bytes.

    Args:
        data: The file.
        tags: (start, end) of each tag.
    """
    texts: dict[bytes, tuple[bytes, bytes]] = {}
    for start, end in tags:
        if data[start : start + 3] == b"TAG":
            texts = _id3v1(data[start:end]) | texts
        elif end - start <= MAX_TAG:
            texts |= _ape(data[start:end])
    made = []
    for name, (coding, text) in texts.items():
        language = b"XXX\0" if name == b"COMM" else b""  # not known, and no description
        made.append(frame(4, name, coding + language + text))
    return made


def _id3v1(raw: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """Read an ID3v1 or ID3v1.1 tag. It does not say how its texts are encoded, so their bytes stay as they are."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    for name, start, end in _ID3V1:
        if text := raw[start:end].split(b"\0")[0].rstrip():
            found[name] = _coding(text), text
    if raw[125] == 0 and raw[126]:
        found[b"TRCK"] = _LATIN, str(raw[126]).encode()
    if raw[127] != _NO_GENRE and found:
        found[b"TCON"] = _LATIN, str(raw[127]).encode()
    return found


def _coding(text: bytes) -> bytes:
    try:
        text.decode("ascii")
    except UnicodeDecodeError:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            return _LATIN
        return _UTF8
    return _LATIN


def _ape(raw: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """Read the texts of an APEv2 tag (wiki.hydrogenaud.io: APEv2 specification), with or without a header."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    at = _HEADER if raw[:8] == b"APETAGEX" else 0
    for _ in range(MAX_ITEMS):
        size, flags = int.from_bytes(raw[at : at + 4], "little"), int.from_bytes(raw[at + 4 : at + 8], "little")
        key = raw[at + 8 : at + 8 + 256].split(b"\0")[0]
        start = at + 8 + len(key) + 1
        if not key or start + size > len(raw) - _HEADER:
            break
        text = raw[start : start + size]
        if (name := _APE.get(key.lower())) is not None and text and flags & 6 == 0:
            try:
                text.decode("utf-8")
            except UnicodeDecodeError:
                continue
            found[name] = _UTF8, text
        at = start + size
    return found
