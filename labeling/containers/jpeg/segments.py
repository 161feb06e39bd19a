"""JPEG marker segments (ITU-T T.81, B.1): where each begins and ends, up to the true end of the picture.

:func:`walk` is the one place that knows how segments are laid out; codecs use it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import Buffer
from labeling.containers.collector import note

MAX_SEGMENTS = 16384
"""Limit on the marker segments of one file. A payload of 16 MiB takes about 260."""

NO_EOI = "the picture data is cut off: there is no EOI marker"
"""The problem of a file that ends within a scan."""

COM, SOS = 0xFE, 0xDA
SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers (T.81 B.1.1.3); the three that are missing are DHT, JPG and DAC."""

EOI = b"\xff\xd9"
"""The marker that ends a picture."""

_RST0, _SOI, _EOI, _DNL = 0xD0, 0xD8, 0xD9, 0xDC
_SEQUENTIAL = (0xC0, 0xC1)  # Huffman-coded: baseline and extended
_MARKERS = frozenset((*range(0xC0, _RST0), *range(_SOI, 0xFF)))

# The next marker that can begin a segment. Stuffed zeros, TEM, RSTn and reserved codes are stepped over.
_marker = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
# In entropy-coded data 0xFF is followed by 0x00 or RSTn (T.81 B.1.1.5). Codes that are not allowed between scans (SOFn,
# reserved) are damage that decoders step over, so they do not end a scan here either.
_scan_end = re.compile(rb"\xff[\xc4\xcc\xd8-\xdd\xe0-\xef\xfe]")
_length = Struct(">H")
_frame = Struct(">BHHB")
_COMPONENTS = 5  # where a frame header counts them


class Segment(NamedTuple):
    """One marker segment.

    ``offset`` is its first 0xFF, fill bytes included. The payload is between ``start`` and ``end``; the entropy-coded
    data after an SOS header is not part of it.
    """

    marker: int
    offset: int
    start: int
    end: int


@dataclass(slots=True)
class Layout:
    """What :func:`walk` found.

    Attributes:
        segments: The segments between SOI and EOI, in the order of the file.
        sos: Offset of the first scan's SOS marker; -1 if there is none.
        end: Offset after the EOI marker; -1 if there is none.
        width: Width in pixels as the frame header gives it; 0 where unknown.
        height: Height in pixels, which a DNL segment may give; 0 where unknown.
        problems: Damage; see :class:`~labeling.containers.base.Contents`.
        warnings: Oddities that do no harm.
    """

    segments: list[Segment] = field(default_factory=list)
    sos: int = -1
    end: int = -1
    width: int = 0
    height: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def walk(data: Buffer, whole: bool = True) -> Layout:
    """List the segments of ``data``.

    It does not raise: damage is recorded in ``Layout.problems``, and the walk ends there.

    Args:
        data: A JPEG file. What follows the EOI marker is not looked at.
        whole: Whether to go on after the first scan has begun.
    """
    layout = Layout()
    if bytes(data[:2]) != b"\xff\xd8":
        layout.problems.append("it does not begin with a JPEG SOI marker")
        return layout
    pos = 2
    while len(layout.segments) < MAX_SEGMENTS:
        segment = _next_segment(data, pos, layout)
        if segment is None:
            return layout
        layout.segments.append(segment)
        marker, pos = segment.marker, segment.end
        if marker in SOF:
            _read_frame(data, segment, layout)
        elif marker == _DNL and segment.end - segment.start == 2 and not layout.height:
            layout.height = int.from_bytes(data[segment.start : segment.end], "big")
        elif marker == SOS:
            if layout.sos < 0:
                layout.sos = segment.offset
                if not layout.width:
                    layout.problems.append("the picture data begins without a frame header (SOF)")
                if not whole:
                    return layout
            found = _scan_end.search(data, pos)
            if found is None or data[found.end() - 1] == _SOI:
                layout.problems.append(NO_EOI)
                return layout
            pos = found.start()
    layout.problems.append(f"more than {MAX_SEGMENTS} segments")
    return layout


def is_one_scan(data: Buffer, layout: Layout) -> bool:
    """Return whether the first scan holds the whole picture: sequential, with all components of the frame.

    Args:
        data: The file.
        layout: What :func:`walk` found in it up to the first scan.
    """
    frame = next((each for each in layout.segments if each.marker in _SEQUENTIAL), None)
    if frame is None or frame.end - frame.start < _frame.size or layout.sos < 0:
        return False
    scan = layout.segments[-1]
    return scan.end > scan.start and data[scan.start] == data[frame.start + _COMPONENTS]


def _next_segment(data: Buffer, pos: int, layout: Layout) -> Segment | None:
    """Return the segment at or after ``pos``; ``None`` at EOI, and at damage, which is recorded in ``layout``."""
    begin, size = pos, len(data)
    if pos + 2 > size or data[pos] != 0xFF or data[pos + 1] not in _MARKERS:
        found = _marker.search(data, pos)
        if found is None:
            layout.problems.append("the file is cut off among its segments")
            return None
        begin = _step_over(data, pos, found.start(), layout)
        pos = found.start()
        if layout.problems:
            return None
    marker = data[pos + 1]
    if marker == _EOI:
        layout.end = pos + 2
        if layout.sos < 0:
            layout.problems.append("it ends before any picture data")
        return None
    if marker == _SOI:
        layout.problems.append(f"a second SOI marker at offset {pos} before the end of the picture")
        return None
    if pos + 4 > size:
        layout.problems.append("the file is cut off among its segments")
        return None
    (length,) = _length.unpack_from(data, pos + 2)
    if length < 2 or pos + 2 + length > size:
        layout.problems.append(
            f"the segment FF{marker:02X} at offset {pos} says it is {length} bytes long, but {size - pos - 2} follow"
        )
        return None
    return Segment(marker, begin, pos + 4, pos + 2 + length)


def _step_over(data: Buffer, pos: int, marker_at: int, layout: Layout) -> int:
    """Return where the marker at ``marker_at`` begins with its fill bytes (T.81 B.1.1.2); report other bytes.

    Fill bytes belong to the segment that they precede: left behind when it is removed, they would make a marker with
    what comes next.
    """
    skipped = bytes(data[pos:marker_at]).rstrip(b"\xff")
    if skipped and layout.sos >= 0:
        layout.problems.append(f"the picture data is damaged at offset {pos}: a segment is within a scan")
    elif skipped:
        # libjpeg steps over them too: a wrong segment length, or the writer's own padding.
        note(layout.warnings, f"{len(skipped)} bytes at offset {pos} belong to no segment")
    return pos + len(skipped)


def _read_frame(data: Buffer, segment: Segment, layout: Layout) -> None:
    if layout.width:
        return  # hierarchical JPEG has further frames; the first gives the size
    if segment.end - segment.start < _frame.size:
        layout.problems.append("its frame header (SOF) is too short")
        return
    _, layout.height, layout.width, _ = _frame.unpack_from(data, segment.start)
    if not layout.width:
        layout.problems.append("its frame header (SOF) gives a width of 0")
