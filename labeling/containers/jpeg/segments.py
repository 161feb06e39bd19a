"""JPEG marker segments (ITU-T T.81, B.1): where each begins and ends, up to the true end of the picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import Buffer
from labeling.containers.collector import note

MAX_SEGMENTS = 16384
"""So many marker segments are walked in one file; a 16 MiB payload needs about 260."""

COM = 0xFE
_RST0, _SOI, _EOI, _SOS, _DNL = 0xD0, 0xD8, 0xD9, 0xDA, 0xDC
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MARKERS = frozenset((*range(0xC0, _RST0), *range(_SOI, 0xFF)))

# The next marker that may begin a segment: stuffed zeros, TEM, RSTn and reserved codes are stepped over.
_marker = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
# In entropy-coded data 0xFF is followed by 0x00 or RSTn (T.81 B.1.1.5). Codes that may not stand between
# scans (SOFn, reserved) are damage that decoders step over, so they do not end a scan here either.
_scan_end = re.compile(rb"\xff[\xc4\xcc\xd8-\xdd\xe0-\xef\xfe]")
_length = Struct(">H")
_frame = Struct(">BHHB")


class Segment(NamedTuple):
    """One marker segment: ``offset`` of its first 0xFF, payload from ``start`` to ``end``."""

    marker: int
    offset: int
    start: int
    end: int


@dataclass(slots=True)
class Layout:
    """The walk's result. ``sos`` and ``end`` are -1 while unknown; ``end`` is behind EOI."""

    segments: list[Segment] = field(default_factory=list)
    sos: int = -1
    end: int = -1
    width: int = 0
    height: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def walk(data: Buffer, whole: bool = True) -> Layout:
    """List the segments of ``data``; with ``whole`` false only those before the first scan."""
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
        if marker in _SOF:
            _read_frame(data, segment, layout)
        elif marker == _DNL and segment.end - segment.start == 2 and not layout.height:
            layout.height = int.from_bytes(data[segment.start : segment.end], "big")
        elif marker == _SOS:
            if layout.sos < 0:
                layout.sos = segment.offset
                if not layout.width:
                    layout.problems.append("the picture data begins without a frame header (SOF)")
                if not whole:
                    return layout
            found = _scan_end.search(data, pos)
            if found is None or data[found.end() - 1] == _SOI:
                layout.problems.append("the picture data is cut off: there is no EOI marker")
                return layout
            pos = found.start()
    layout.problems.append(f"more than {MAX_SEGMENTS} segments")
    return layout


def _next_segment(data: Buffer, pos: int, layout: Layout) -> Segment | None:
    """The segment at or after ``pos``; None at EOI, and where nothing sound follows (``layout`` says why)."""
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
    """Where the marker at ``marker_at`` begins with its fill bytes (T.81 B.1.1.2); tell of other bytes from ``pos``.

    Fill bytes belong to the segment behind them: left alone by its removal, they would make a marker with what
    comes next.
    """
    skipped = bytes(data[pos:marker_at]).rstrip(b"\xff")
    if skipped and layout.sos >= 0:
        layout.problems.append(f"the picture data is damaged at offset {pos}: a segment stands within a scan")
    elif skipped:
        # libjpeg steps over them too: a wrong segment length, or padding of the writer's own.
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
