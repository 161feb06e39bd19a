"""Times in ID3v2 tags (id3.org: ID3v2.4.0 frames, chapter frame addendum), moved by a cue in front of the sound."""

from __future__ import annotations

from labeling.codecs.cue.base import moved_times
from labeling.containers.collector import Collector
from labeling.containers.edits import Edit
from labeling.containers.syntax import id3, id3_edit
from labeling.containers.syntax.id3_names import modern
from labeling.losses import Loss

_PLACES = {"MLLT", "ASPI", "SEEK"}
"""Frames that say where things are in the file: they would be wrong, and players do without them."""

_HEADERS = {2: 6, 3: 10, 4: 10}
_MILLISECONDS = 2
_NO_OFFSET = b"\xff" * 4


def moved(
    tags: list[id3.Tag], front: float, whole: float, where: str
) -> tuple[list[Edit], frozenset[str], tuple[Loss, ...]]:
    """Move the times in tags.

    Args:
        tags: The tags of a file.
        front: Seconds by which the content begins later.
        whole: Seconds by which the file is longer.
        where: What precedes the name of a frame.

    Returns:
        The edits; the keys of the entries of the inventory that change; and what could not be moved.
    """
    puts: dict[int, list[tuple[int | None, bytes]]] = {}
    gone, meant, lost = set[int](), set[str](), list[Loss]()
    for tag in tags:
        for frame in tag.frames:
            name = modern(frame.name)
            if name in _PLACES:
                gone.add(frame.at)
            elif name in _MOVED and (front or name == "TLEN"):
                body = id3.payload(frame.raw, tag.version, Collector())
                head = _HEADERS[tag.version]
                plain = body is not None and frame.raw[head:] == body
                new = _MOVED[name](bytearray(body), front, whole) if body is not None and plain else None
                if new is None:
                    lost.append(moved_times(f"times in the frame {frame.name.decode('latin-1')}", f"{where} frame"))
                    continue
                puts.setdefault(tag.at, []).append((frame.at, id3_edit.frame(tag.version, frame.name, bytes(new))))
                meant |= {f"frame:{name}", f"text:{name}"}
    return id3_edit.tag_edits(tags, gone, puts), frozenset(meant), tuple(lost)


def _later(raw: bytearray, at: int, seconds: float) -> None:
    value = int.from_bytes(raw[at : at + 4], "big") + round(seconds * 1000)
    raw[at : at + 4] = min(value, 0xFFFFFFFF).to_bytes(4, "big")


def _chapter(raw: bytearray, front: float, _: float) -> bytearray | None:
    """CHAP: a name, start and end in milliseconds, and both as offsets in the file, which no player needs."""
    at = raw.find(0) + 1
    if not at or at + 16 > len(raw):
        return None
    for place in (at, at + 4):
        _later(raw, place, front)
    raw[at + 8 : at + 16] = 2 * _NO_OFFSET
    return raw


def _length(raw: bytearray, _: float, whole: float) -> bytearray | None:
    """TLEN: the length in milliseconds."""
    coding, text = raw[0] if raw else 9, bytes(raw[1:])
    digits = id3.decoded(coding, text).strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
        return None
    return bytearray(b"\0" + str(int(digits) + round(whole * 1000)).encode())


def _lyrics(raw: bytearray, front: float, whole: float) -> bytearray | None:
    """SYLT: coding, language, unit, kind; a description; then texts, each with its time."""
    if len(raw) < 6 or raw[4] != _MILLISECONDS:
        return None
    coding, at = raw[0], 6
    rest = id3.cut(coding, bytes(raw[at:]))[1]
    at = len(raw) - len(rest)
    while at < len(raw):
        rest = id3.cut(coding, bytes(raw[at:]))[1]
        at = len(raw) - len(rest)
        if len(rest) < 4:
            return None
        _later(raw, at, front)
        at += 4
    return raw


def _events(raw: bytearray, front: float, _: float) -> bytearray | None:
    """ETCO: unit, then events of a byte with their times."""
    if len(raw) % 5 != 1 or raw[0] != _MILLISECONDS:
        return None
    for at in range(2, len(raw), 5):
        _later(raw, at, front)
    return raw


_MOVED = {"CHAP": _chapter, "TLEN": _length, "SYLT": _lyrics, "ETCO": _events}
