"""A JPEG file without what its decoder does not need, where there is very much of it.

Pillow reads the segments before a picture in Python: fill bytes one at a time, and EXIF in several segments by joining
what it has with each further one, so that time grows with the square of their number.
"""

from __future__ import annotations

from labeling.containers.base import Buffer
from labeling.containers.jpeg.segments import COM, MAX_SEGMENTS, walk
from labeling.errors import TooLarge

MANY, LONG = 256, 1 << 14
"""Segments before the picture, and fill bytes among them, up to which a file is read as it is."""

_APP = range(0xE0, 0xF0)
_NAMED = 14
"""Bytes of an APP segment that say what it is, with the number of a part of an ICC profile (ICC.1:2022, B.4)."""

_MOST_UNSURE = 64


def lean(data: Buffer) -> Buffer:
    """Return a JPEG file for a decoder: of each kind of APP segment and of comments one, if there are very many.

    Args:
        data: The file. An ordinary one is returned as it is.

    Raises:
        TooLarge: It has more segments than are read, or is damaged where many of them are.
    """
    if bytes(data[:2]) != b"\xff\xd8":
        return data
    layout = walk(data, whole=False)
    if len(layout.segments) >= MAX_SEGMENTS and layout.sos < 0:
        raise TooLarge(f"it has more than {MAX_SEGMENTS:,} segments before its picture data")
    if layout.sos < 0:  # damaged: the decoder may find what the walk does not
        start = bytes(data)
        if start.count(b"Exif\0\0") > _MOST_UNSURE or start.count(b"\xff\xff") > LONG:
            raise TooLarge("the end of its segments was not found, and there are more of them than are read")
        return data
    fill = sum(each.start - 4 - each.offset for each in layout.segments)
    if len(layout.segments) <= MANY and fill <= LONG:
        return data
    parts, seen = [b"\xff\xd8"], set[tuple[int, bytes]]()
    for each in layout.segments[:-1]:
        if each.marker in _APP or each.marker == COM:
            key = (
                each.marker,
                bytes(data[each.start : min(each.end, each.start + _NAMED)]) if each.marker != COM else b"",
            )
            if key in seen:
                continue
            seen.add(key)
        parts.append(bytes(data[each.start - 4 : each.end]))
    parts.append(bytes(data[layout.segments[-1].start - 4 :]))
    return b"".join(parts)
