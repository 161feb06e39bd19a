"""ID3v1 and APEv2 tags at the end of an MP3 file, read to be copied into an ID3v2 tag."""

from __future__ import annotations

from collections.abc import Iterable

from labeling.containers.base import Media
from labeling.containers.syntax.id3_edit import frame

MAX_TAG = 1 << 20
"""Limit on the bytes of an APEv2 tag that is copied."""

MAX_ITEMS = 256

_ID3V1 = ((b"TIT2", 3, 33), (b"TPE1", 33, 63), (b"TALB", 63, 93), (b"TDRC", 93, 97), (b"COMM", 97, 127))
_APE = {b"title": b"TIT2", b"artist": b"TPE1", b"album": b"TALB", b"year": b"TDRC", b"comment": b"COMM",
        b"track": b"TRCK", b"genre": b"TCON", b"composer": b"TCOM", b"album artist": b"TPE2"}  # fmt: skip
_LATIN, _UTF8 = b"\0", b"\3"
_HEADER = 32
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
