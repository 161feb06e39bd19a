"""Set the size at which a Matroska video is displayed (RFC 9559, 11), which PyAV cannot pass to FFmpeg's muxer.

FFmpeg leaves an empty element before the track headers. The bytes by which they grow are taken from it, and nothing
else moves.
"""

from __future__ import annotations

from pathlib import Path

from labeling.containers.matroska.ebml import VOID, Element, children, header, made, unsigned, void
from labeling.errors import LabelingError, WriteError

_HEAD = 16 << 20
"""The track headers of a file that FFmpeg wrote for us end within this many bytes."""

_SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_INFO, _TRACKS, _ENTRY, _VIDEO, _CLUSTER = 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675
_WIDTH, _HEIGHT, _UNIT = 0x54B0, 0x54BA, 0x54B2


def set_display(path: Path, width: int, height: int) -> None:
    """Set the display size of the first video in a file that FFmpeg has just written.

    Args:
        path: The file, which is changed in place.
        width: Width in square pixels.
        height: Height in square pixels.

    Raises:
        WriteError: The file is not laid out as FFmpeg does it.
    """
    with path.open("r+b") as file:
        data = file.read(_HEAD)
        try:
            at, new = _changed(data, width, height)
        except LabelingError as error:
            raise WriteError(
                f"the video's display size cannot be written ({error})", hint="please report this"
            ) from error
        file.seek(at)
        file.write(new)


def _changed(data: bytes, width: int, height: int) -> tuple[int, bytes]:
    """Return the offset of the change, and the new bytes."""
    ebml = header(data, 0)
    segment = header(data, ebml.end) if ebml else None
    if segment is None:
        raise LabelingError("it has no segment")
    found: dict[int, Element] = {}
    at = segment.body
    while (element := header(data, at)) is not None and element.id != _CLUSTER and element.end <= len(data):
        found.setdefault(element.id, element)
        at = element.end
    try:
        seek, gap, info, tracks = (found[kind] for kind in (_SEEK_HEAD, VOID, _INFO, _TRACKS))
    except KeyError as error:
        raise LabelingError("an element is missing") from error
    if not seek.end == gap.start < gap.end == info.start < info.end == tracks.start:
        raise LabelingError("its elements are in an unknown order")
    grown = made(_TRACKS, _entries(data, tracks, width, height), 8)
    more = len(grown) - (tracks.end - tracks.start)
    head = bytearray(data[seek.start : seek.end])
    for entry in children(data, seek):
        if entry.id != _SEEK:
            continue
        parts = {part.id: part for part in children(data, entry)}
        name, place = parts[_SEEK_ID], parts[_SEEK_POSITION]
        if unsigned(data, name) in (_INFO, _TRACKS):
            position = (unsigned(data, place) - more).to_bytes(place.end - place.body, "big")
            head[place.body - seek.start : place.end - seek.start] = position
    return seek.start, bytes(head) + void(gap.end - gap.start - more) + data[info.start : info.end] + grown


def _entries(data: bytes, tracks: Element, width: int, height: int) -> bytes:
    body, done = b"", False
    for entry in children(data, tracks):
        parts = b""
        for part in children(data, entry) if entry.id == _ENTRY else ():
            if part.id == _VIDEO and not done:
                kept = b"".join(
                    data[field.start : field.end]
                    for field in children(data, part)
                    if field.id not in (_WIDTH, _HEIGHT, _UNIT)
                )
                size = made(_WIDTH, width.to_bytes(4, "big")) + made(_HEIGHT, height.to_bytes(4, "big"))
                parts += made(_VIDEO, kept + size)
                done = True
            else:
                parts += data[part.start : part.end]
        body += made(_ENTRY, parts, 8) if parts else data[entry.start : entry.end]
    return body
