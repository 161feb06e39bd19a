"""What Matroska and WebM files hold: tracks, chapters, attachments, and what tags are about (RFC 9559)."""

from __future__ import annotations

from collections.abc import Iterator

from labeling.containers.base import Contents, Entry, Measure, Media, digest, digest_of_part
from labeling.containers.matroska.ebml import (
    CRC32,
    UNKNOWN,
    VOID,
    EbmlError,
    Element,
    Window,
    children,
    floating,
    text,
    unsigned,
)
from labeling.containers.matroska.outline import (
    ATTACHMENTS,
    CHAPTERS,
    CLUSTER,
    CUES,
    INFO,
    SEEK_HEAD,
    SEGMENT,
    TAGS,
    TRACKS,
    whole,
)
from labeling.containers.matroska.tags import SIMPLE_TAG, TAG, TAG_NAME, TAG_STRING, TARGET_TYPE_VALUE, TARGETS, UIDS

MAX_DEPTH = 8
MAX_ITEMS = 1 << 17
"""Limit on the elements of the Segment that are looked at, without its clusters."""

_INFO = {
    0x73A4: "SegmentUUID", 0x7384: "SegmentFilename", 0x3CB923: "PrevUUID", 0x3C83AB: "PrevFilename",
    0x3EB923: "NextUUID", 0x3E83BB: "NextFilename", 0x4444: "SegmentFamily", 0x6924: "ChapterTranslate",
    0x4461: "DateUTC",
}  # fmt: skip
_TIMESTAMP_SCALE = 0x2AD7B1
_ENTRY, _TYPE, _UID, _CODEC, _LANGUAGE, _BCP47, _VIDEO, _AUDIO = (
    0xAE,
    0x83,
    0x73C5,
    0x86,
    0x22B59C,
    0x22B59D,
    0xE0,
    0xE1,
)
_SAMPLING, _CHANNELS, _BITS = 0xB5, 0x9F, 0x6264
_KINDS = {1: "video", 2: "audio", 3: "complex", 0x10: "logo", 0x11: "subtitle", 0x12: "buttons", 0x20: "control",
          0x21: "metadata"}  # fmt: skip
_FLAGS = {0x88: ("default", 1), 0xB9: ("enabled", 1), 0x55AA: ("forced", 0)}
_TRACK = {
    0x536E: ("name", None),
    0x55AB: ("hearing-impaired", 0), 0x55AC: ("visual-impaired", 0), 0x55AD: ("text-descriptions", 0),
    0x55AE: ("original", 0), 0x55AF: ("commentary", 0), 0x23E383: ("default-duration", 0), 0x73C5: ("uid", None),
    0x56AA: ("codec-delay", 0), 0x56BB: ("seek-preroll", 0), 0x6D80: ("encodings", None), 0x41E4: ("additions", None),
    0xE2: ("operation", None), 0x7446: ("attachment-link", 0),
}  # fmt: skip
"""Element of a track → (what it is, the value that its absence means)."""

_PICTURE = {
    0x54AA: ("crop-bottom", 0), 0x54BB: ("crop-top", 0), 0x54CC: ("crop-left", 0), 0x54DD: ("crop-right", 0),
    0x53B8: ("stereo-mode", 0), 0x53C0: ("alpha-mode", 0), 0x9A: ("interlaced", 0), 0x9D: ("field-order", 2),
    0x54B3: ("aspect-ratio-type", 0), 0x7670: ("projection", None),
}  # fmt: skip
_WIDTH, _HEIGHT, _DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _COLOUR = 0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2, 0x55B0
_COLOURS = {
    0x55B1: ("matrix", 2), 0x55B9: ("range", 0), 0x55BA: ("transfer", 2), 0x55BB: ("primaries", 2),
    0x55BC: ("max-cll", 0), 0x55BD: ("max-fall", 0), 0x55D0: ("mastering", None), 0x55B7: ("siting-horizontal", 0),
    0x55B8: ("siting-vertical", 0),
}  # fmt: skip
_EDITION, _ATOM, _EDITION_UID, _CHAPTER_UID, _START = 0x45B9, 0xB6, 0x45BC, 0x73C4, 0x91
_DISPLAY, _STRING = 0x80, 0x85
_EDITION_FLAGS = {0x45BD: "hidden", 0x45DB: "default", 0x45DD: "ordered"}
_FILE, _FILE_NAME, _FILE_TYPE, _FILE_DATA, _FILE_UID, _FILE_TEXT = 0x61A7, 0x466E, 0x4660, 0x465C, 0x46AE, 0x467E
_REBUILT = {SEEK_HEAD, INFO, TRACKS, CLUSTER, CUES, CHAPTERS, ATTACHMENTS, TAGS, VOID, CRC32}


def inventory(data: Media, contents: Contents) -> Iterator[Entry]:
    """List what a Matroska file holds."""
    tracks: dict[int, str] = {}
    readers = {INFO: _info, CHAPTERS: _chapters}
    if contents.seconds:
        yield Entry(
            "duration", Measure(round(contents.seconds * 1000), f"{contents.seconds:.2f} s", slack=100), "duration",
            "Matroska Info",
        )  # fmt: skip
    items, end = _top(data, contents)
    for item in items:
        try:
            if item.id == ATTACHMENTS:
                yield from _attachments(data, item)
            elif item.id == TRACKS:
                raw, top = whole(data, item)
                yield from _tracks(raw, top, tracks)
            elif item.id in readers:
                raw, top = whole(data, item)
                yield from readers[item.id](raw, top)
            elif item.id not in _REBUILT:
                value = digest_of_part(data, item.body, item.end)
                yield Entry(f"element:0x{item.id:X}", value, f"element 0x{item.id:X}", f"Matroska, offset {item.start}")
        except EbmlError:
            continue  # damaged: read() says so
    for item in (item for item in items if item.id == TAGS):
        try:
            raw, top = whole(data, item)
            yield from _tags(raw, top, tracks)
        except EbmlError:
            continue
    if end < len(data):
        yield Entry(
            "trailer", digest_of_part(data, end, len(data)), f"{len(data) - end} bytes behind the end", "Matroska"
        )


def _top(data: Media, contents: Contents) -> tuple[list[Element], int]:
    """Return the elements of the Segment outside its clusters, which are known already, and where it ends."""
    window, size = Window(data), len(data)
    runs = [(offset, offset + length) for offset, length in contents.coded]
    found: list[Element] = []
    segment = window.element(0)
    while segment is not None and segment.id != SEGMENT:
        segment = window.element(segment.end) if 0 < segment.end < size else None
    if segment is None:
        return found, size
    end = size if segment.end == UNKNOWN else min(segment.end, size)
    pos, run = segment.body, 0
    while pos < end and len(found) < MAX_ITEMS:
        element = window.element(pos)
        if element is None:
            break
        if element.id == CLUSTER:
            while run < len(runs) and runs[run][1] <= pos:
                run += 1
            if run == len(runs):
                break
            pos = runs[run][1]
            continue
        if not pos < element.end <= end:
            break
        found.append(element)
        pos = element.end
    return found, end


def _info(raw: bytes, info: Element) -> Iterator[Entry]:
    scale = 1_000_000
    for child in children(raw, info):
        if child.id in _INFO:
            name = _INFO[child.id]
            yield Entry(f"info:{name}", digest(raw[child.body : child.end]), name, "Matroska Info")
        elif child.id == _TIMESTAMP_SCALE:
            scale = unsigned(raw, child) or scale
    yield Entry("clock", Measure(-scale, f"{scale} ns"), "step of the clock", "Matroska Info")


def _tracks(raw: bytes, top: Element, uids: dict[int, str]) -> Iterator[Entry]:
    numbers: dict[str, int] = {}
    for index, entry in enumerate((child for child in children(raw, top) if child.id == _ENTRY), 1):
        parts = {child.id: child for child in children(raw, entry)}
        kind = _KINDS.get(unsigned(raw, parts[_TYPE]) if _TYPE in parts else 0, "unknown")
        numbers[kind] = number = numbers.get(kind, 0) + 1
        key, name, where = f"track:{kind}:{number}", f"{kind} track {number}", f"Matroska track {index}"
        uids[unsigned(raw, parts[_UID]) if _UID in parts else 0] = name
        yield Entry(key, b"", name, where)
        codec = text(raw, parts[_CODEC]).decode("latin-1") if _CODEC in parts else ""
        yield Entry(f"{key}:codec", codec, f"codec of {name}", where)
        language = text(raw, parts[_LANGUAGE]).decode("latin-1") if _LANGUAGE in parts else "eng"
        yield Entry(f"{key}:language", language, f"language of {name}", where)
        if _BCP47 in parts:
            tag = text(raw, parts[_BCP47]).decode("latin-1")
            if tag != "und":
                yield Entry(f"{key}:language-bcp47", tag, f"IETF language of {name}", where)
        yield from _values(raw, parts, _TRACK, key, name, where)
        for flag, (word, usual) in _FLAGS.items():
            on = unsigned(raw, parts[flag]) if flag in parts else usual
            yield Entry(f"{key}:{word}", "yes" if on else "no", f"flag {word} of {name}", where)
        if _VIDEO in parts:
            yield from _picture(raw, parts[_VIDEO], key, name, where)
        if _AUDIO in parts:
            yield from _sound(raw, parts[_AUDIO], key, name, where)


def _values(
    raw: bytes, parts: dict[int, Element], known: dict[int, tuple[str, int | None]], key: str, name: str, where: str
) -> Iterator[Entry]:
    """List elements whose value is not what their absence means as well."""
    for number, (word, default) in known.items():
        if number in parts:
            value = digest(_canonical(raw, parts[number]))
            if default is None or int.from_bytes(value, "big") != default:
                yield Entry(f"{key}:{word}", value, f"{word.replace('-', ' ')} of {name}", where)


def _sound(raw: bytes, audio: Element, key: str, name: str, where: str) -> Iterator[Entry]:
    parts = {child.id: child for child in children(raw, audio)}
    if _SAMPLING in parts:
        rate = f"{floating(raw[parts[_SAMPLING].body : parts[_SAMPLING].end]):g} Hz"
        yield Entry(f"{key}:rate", rate, f"sampling rate of {name}", where)
    channels = unsigned(raw, parts[_CHANNELS]) if _CHANNELS in parts else 1
    yield Entry(f"{key}:channels", str(channels), f"channels of {name}", where)
    if _BITS in parts:
        bits = unsigned(raw, parts[_BITS])
        yield Entry(f"{key}:bit-depth", Measure(bits, f"{bits} bits"), f"bit depth of {name}", where)


def _picture(raw: bytes, video: Element, key: str, name: str, where: str) -> Iterator[Entry]:
    parts = {child.id: child for child in children(raw, video)}
    yield from _values(raw, parts, _PICTURE, key, name, where)
    sizes = {each: unsigned(raw, parts[each]) for each in parts.keys() & {_WIDTH, _HEIGHT}}
    shown = {each: unsigned(raw, parts[each]) for each in parts.keys() & {_DISPLAY_WIDTH, _DISPLAY_HEIGHT}}
    width, height = sizes.get(_WIDTH, 0), sizes.get(_HEIGHT, 0)
    unit = unsigned(raw, parts[_DISPLAY_UNIT]) if _DISPLAY_UNIT in parts else 0
    cropped = any(each in parts for each in (0x54AA, 0x54BB, 0x54CC, 0x54DD))
    if not (cropped and not shown):
        display = f"{shown.get(_DISPLAY_WIDTH, width)}×{shown.get(_DISPLAY_HEIGHT, height)}" + f" unit {unit}" * bool(
            unit
        )
        yield Entry(f"{key}:display", display, f"size of display of {name}", where)
    if _COLOUR in parts:
        inside = {child.id: child for child in children(raw, parts[_COLOUR])}
        yield from _values(raw, inside, _COLOURS, f"{key}:colour", f"the colour of {name}", where)


def _canonical(raw: bytes, element: Element, depth: int = 0) -> bytes:
    """Return an element's content without what may differ between writers: order, voids, the width of numbers."""
    if depth < MAX_DEPTH and element.id in _MASTERS:
        inside = [child for child in children(raw, element) if child.id not in (VOID, CRC32)]
        return b"".join(sorted(child.id.to_bytes(4, "big") + _canonical(raw, child, depth + 1) for child in inside))
    body = raw[element.body : element.end]
    return body.lstrip(b"\0") if len(body) <= 8 else body.rstrip(b"\0")


_MASTERS = frozenset({0x6D80, 0x6240, 0x41E4, 0xE2, 0x7670, 0x55D0, _EDITION, _ATOM, _DISPLAY, 0x8F, 0x6944})


def _chapters(raw: bytes, top: Element) -> Iterator[Entry]:
    for edition in children(raw, top):
        if edition.id != _EDITION:
            continue
        yield Entry("edition", b"", "edition of chapters", "Matroska Chapters")
        for child in children(raw, edition):
            if child.id in _EDITION_FLAGS and unsigned(raw, child):
                flag = _EDITION_FLAGS[child.id]
                yield Entry(f"edition:{flag}", b"", f"flag {flag} of an edition of chapters", "Matroska Chapters")
            elif child.id == _EDITION_UID:
                value = digest(_canonical(raw, child))
                yield Entry("edition:uid", value, "number of an edition of chapters", "Matroska Chapters")
            elif child.id == _ATOM:
                yield from _chapter(raw, child)


def _chapter(raw: bytes, atom: Element) -> Iterator[Entry]:
    start, title = 0, ""
    for child in children(raw, atom):
        if child.id == _START:
            start = unsigned(raw, child)
        elif child.id == _DISPLAY and not title:
            title = next((text(raw, each).decode("utf-8", "replace") for each in children(raw, child)
                          if each.id == _STRING), "")  # fmt: skip
    minutes, seconds = divmod(start // 1_000_000_000, 60)
    shown = f"chapter {minutes // 60}:{minutes % 60:02}:{seconds:02}" + f" {title[:64]}" * bool(title)
    yield Entry(f"chapter:{start // 1_000_000}", b"", shown, "Matroska Chapters")
    value = digest(_canonical(raw, atom))
    yield Entry(f"chapter:{start // 1_000_000}:details", value, f"details of {shown}", "Matroska Chapters")


def _attachments(data: Media, item: Element) -> Iterator[Entry]:
    window = Window(data)
    for entry in _elements(window, item):
        if entry.id != _FILE:
            continue
        parts = {child.id: child for child in _elements(window, entry)}
        name, kind, about = (
            window.at(parts[each].body, min(parts[each].end - parts[each].body, 4096)).decode("utf-8", "replace")
            if each in parts
            else ""
            for each in (_FILE_NAME, _FILE_TYPE, _FILE_TEXT)
        )
        key, where = f"attachment:{name}", "Matroska Attachments"
        content = parts.get(_FILE_DATA)
        value = digest_of_part(data, content.body, content.end) if content is not None else b""
        yield Entry(key, value, f"attachment {name}", where)
        yield Entry(f"{key}:type", kind, f"media type of attachment {name}", where)
        if about:
            yield Entry(f"{key}:description", about, f"description of attachment {name}", where)
        if _FILE_UID in parts:
            uid = window.at(parts[_FILE_UID].body, 8)[: parts[_FILE_UID].end - parts[_FILE_UID].body]
            yield Entry(f"{key}:uid", uid.lstrip(b"\0"), f"number of attachment {name}", where)


def _elements(window: Window, parent: Element) -> Iterator[Element]:
    """Yield the elements inside ``parent`` by their headers alone: an attachment may be large."""
    at = parent.body
    for _ in range(4096):
        child = window.element(at) if at < parent.end else None
        if child is None or not child.body <= child.end <= parent.end:
            return
        yield child
        at = child.end


def _tags(raw: bytes, top: Element, tracks: dict[int, str]) -> Iterator[Entry]:
    for tag in children(raw, top):
        if tag.id != TAG:
            continue
        about = []
        for targets in children(raw, tag):
            for child in children(raw, targets) if targets.id == TARGETS else ():
                if child.id in UIDS and (uid := unsigned(raw, child)):
                    about.append(tracks.get(uid, f"{UIDS[child.id]} {uid}"))
                elif child.id == TARGET_TYPE_VALUE and unsigned(raw, child) != 50:
                    about.append(f"level {unsigned(raw, child)}")
        for child in children(raw, tag):
            if child.id == SIMPLE_TAG:
                yield from _tag(raw, child, ", ".join(sorted(about)) or "file")


def _tag(raw: bytes, simple: Element, about: str) -> Iterator[Entry]:
    parts = {child.id: child for child in children(raw, simple)}
    name = text(raw, parts[TAG_NAME]).decode("utf-8", "replace") if TAG_NAME in parts else ""
    if "AIGC" in name.upper():
        return
    where = "Matroska Tags"
    yield Entry(f"text:{name}:target", about, f"target of tag {name}", where)
    for number, word in ((0x447A, "language"), (0x447B, "IETF language")):
        if number in parts:
            value = text(raw, parts[number]).decode("latin-1")
            if value != "und":
                yield Entry(f"text:{name}:{word}", value, f"{word} of tag {name}", where)
    if TAG_STRING not in parts and 0x4485 in parts:
        value_of = parts[0x4485]
        yield Entry(f"text:{name}:binary", digest(raw[value_of.body : value_of.end]), f"binary tag {name}", where)
