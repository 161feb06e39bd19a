"""JPEG (ITU-T T.81, JFIF, Exif 2.32, XMP part 3, C2PA 2.x A.3.1): metadata is stored in APPn and COM segments.

Metadata that is larger than a segment is spread over several (Extended XMP, ICC, JUMBF, Photoshop resources). Such
segments make one :class:`~labeling.containers.base.Block`, whose span runs from the first to the last of them.
"""

from __future__ import annotations

from dataclasses import replace

from labeling.containers.base import Block, Buffer, Changes, Contents, Kind, Room
from labeling.containers.collector import Collector
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.containers.jpeg import mpf, previews
from labeling.containers.jpeg.groups import (
    APP0,
    APP1,
    APP2,
    APP11,
    EXIF,
    EXTENSION,
    ICC,
    JFIF,
    JUMBF,
    XMP,
    Group,
    groups_of,
    is_metadata,
    payload_of,
)
from labeling.containers.jpeg.segments import EOI, NO_EOI, Layout, Segment, is_one_scan, walk
from labeling.errors import LabelingError

MAX_XMP = 65502
"""Greatest size in bytes of an XMP packet in one APP1 segment (XMP part 3, 1.1.3)."""

MAX_EXIF = 65527
"""Greatest size in bytes of a TIFF structure in one APP1 segment: 65535 less the length field and ``Exif\\0\\0``."""


def read(data: Buffer) -> Contents:
    """Find the metadata of a JPEG file; see :mod:`labeling.containers.base`."""
    layout = walk(data)
    collector = Collector(problems=layout.problems, warnings=layout.warnings)
    for group in groups_of(data, layout):
        first, last = group.segments[0], group.segments[-1]
        span, late = (first.offset, last.end), 0 <= layout.sos < first.offset
        size = sum(end - start for _, start, end in group.parts)
        problem = collector.refusal(size)
        payload = b"" if problem else payload_of(data, group)
        problem = problem or "; ".join(group.problems)
        collector.add(group.kind, group.where, span, payload, group.keyword, late, problem)
    size = len(data)
    if layout.end < 0 and layout.sos >= 0 and bytes(data[-16:]) == bytes(16):
        return _padded(layout, collector, size)
    if 0 <= layout.end < size:
        collector.warnings.append(f"{size - layout.end} bytes follow the picture's end (EOI); they are kept")
        collector.blocks = [_with_places(block, data, layout.end) for block in collector.blocks]
    contents = _contents(layout, collector, layout.end if layout.end >= 0 else size)
    return replace(contents, notes=(_STALE,)) if _has_stale_index(data, contents) else contents


def holds_only(data: bytes, packet: bytes, encoded: bytes | None = None) -> bool:
    """Say whether a file that an encoder has just returned holds a packet, and no other segment for a label.

    All segments before the scan are looked at, and how the file ends. The scan itself is not searched for segments: it
    is the encoder's own, and not a byte of it was changed. If the file was signed since, ``encoded`` is what the
    encoder returned, and this is checked.
    """
    layout = walk(data, whole=False)
    if layout.problems or layout.warnings or not (is_one_scan(data, layout) and data.endswith(EOI)):
        return False
    if encoded is not None and not encoded.endswith(memoryview(data)[layout.sos :]):
        return False
    rest = [each for each in layout.segments if is_metadata(each) and not _holds_no_label(data, each)]
    if encoded is not None:
        rest = [each for each in rest if not _is_manifest(data, each)]
    return len(rest) == 1 and rest[0].marker == APP1 and data[rest[0].start : rest[0].end] == XMP + packet


def _holds_no_label(data: bytes, segment: Segment) -> bool:
    """Return whether a segment is JFIF's, or part of a colour profile."""
    jfif, icc = segment.marker == APP0, segment.marker == APP2
    return (jfif and data.startswith(JFIF, segment.start)) or (icc and data.startswith(ICC, segment.start))


def _is_manifest(data: bytes, segment: Segment) -> bool:
    """Return whether a segment is a whole C2PA manifest store."""
    box = segment.start + _BEFORE_BOX
    size, kind, label = data[box : box + 4], data[box + 4 : box + 8], data[box + 16 : box + 20]
    return (
        segment.marker == APP11
        and data.startswith(JUMBF, segment.start)
        and (int.from_bytes(size, "big"), kind, label) == (segment.end - box, b"jumb", b"c2pa")
    )


def _with_places(block: Block, data: Buffer, end: int) -> Block:
    if block.kind is not Kind.EXIF:
        return block
    base = block.offset + block.length - len(block.data)
    return replace(block, places=previews.offsets(block.data, data, base, end))


_STALE = (
    "the index of further pictures (MPF) does not lead to a picture: readers that use it do not find previews or the "
    "gain map"
)


def _has_stale_index(data: Buffer, contents: Contents) -> bool:
    index = next((block for block in contents.blocks if block.kind is Kind.APP and block.keyword == "MPF"), None)
    return index is not None and mpf.is_stale(index.data, data, index.offset + index.length - len(index.data) + 4)


def _padded(layout: Layout, collector: Collector, size: int) -> Contents:
    # The end was lost and filled with zeros. Decoders take the zeros for code words and show the picture, and all
    # metadata comes before it. So what was found can be trusted, but such a file is not written again.
    collector.problems = [problem for problem in collector.problems if problem != NO_EOI]
    collector.warnings.append("the picture data ends in zeros without an EOI marker: part of it is lost")
    fixed = "the end of this JPEG is lost (zeros instead of picture data); re-save it with an image editor first"
    return _contents(layout, collector, size, fixed)


def _contents(layout: Layout, collector: Collector, end: int, fixed: str = "") -> Contents:
    return collector.contents("jpeg", "image/jpeg", _coded(layout, end), (layout.width, layout.height), fixed=fixed)


def _coded(layout: Layout, end: int) -> tuple[tuple[int, int], ...]:
    """Return the spans of tables, frame headers and scans: everything between SOI and EOI that is not metadata."""
    if layout.sos < 0:
        return ()
    spans: list[tuple[int, int]] = []
    at = 2
    for segment in layout.segments:
        if is_metadata(segment):
            if segment.offset > at:
                spans.append((at, segment.offset - at))
            at = segment.end
    if end > at:
        spans.append((at, end - at))
    return tuple(spans)


# Writing


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    A new packet goes after JFIF and Exif, which readers expect first.

    Raises:
        LabelingError: The file has no picture data, a block to be dropped is not in it, or the metadata does not fit
            one segment.
    """
    layout = walk(data, whole=any(block.late for block in changes.drop))
    if layout.sos < 0:
        raise LabelingError("the JPEG has no picture data; there is nothing to label")
    groups = {group.segments[0].offset: group for group in groups_of(data, layout)}
    edits: list[Edit] = []
    dropped: set[int] = set()
    for block in changes.drop:
        if block.offset not in groups:
            raise foreign_block(block)
        if block.offset not in dropped:
            dropped.add(block.offset)
            edits += [(segment.offset, segment.end, b"") for segment in groups[block.offset].segments]
    kept = [group for offset, group in groups.items() if offset not in dropped]
    if changes.exif is not None:
        _check(len(changes.exif), MAX_EXIF, "EXIF data")
        payload = b"Exif\0\0" + changes.exif
        edits.append(_placed(kept, Kind.EXIF, payload, _home(data, layout, after_exif=False)))
    if changes.xmp is not None:
        _check(len(changes.xmp), MAX_XMP, "XMP packet")
        edits.append(_placed(kept, Kind.XMP, XMP + changes.xmp, _home(data, layout, after_exif=True)))
    end = contents.coded[-1][0] + contents.coded[-1][1]
    return splice(data, _with_indexes(data, kept, edits, end))


def _check(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise LabelingError(
            f"the {what} is {size} bytes, but a JPEG segment takes {limit}",
            hint="remove what it holds besides the label, or save the picture as PNG",
        )


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def _placed(kept: list[Group], kind: Kind, payload: bytes, home: int) -> Edit:
    """Return the edit that writes ``payload`` in place of the first segment of its kind, or at ``home``."""
    for group in kept:
        if group.kind is kind and not group.keyword.startswith(EXTENSION):
            return group.segments[0].offset, group.segments[0].end, _segment(APP1, payload)
    return home, home, _segment(APP1, payload)


def _home(data: Buffer, layout: Layout, after_exif: bool) -> int:
    """Return the place for a new segment: after the leading JFIF and JFXX segments, and after Exif if asked."""
    at = 2
    for segment in layout.segments:
        is_exif = segment.marker == APP1 and bytes(data[segment.start : segment.start + 5]) == EXIF
        if segment.marker != APP0 and not (is_exif and after_exif):
            break
        at = segment.end
    return at


def _with_indexes(data: Buffer, kept: list[Group], edits: list[Edit], end: int) -> list[Edit]:
    """Return ``edits`` and those that correct the indexes of further pictures, if the file has any.

    Args:
        data: The file.
        kept: Its groups that stay.
        edits: What is done to its first picture.
        end: Offset after the EOI marker of that one.
    """
    index = next((group.segments[0] for group in kept if _is_index(group)), None)
    packet = next(
        (n for n, edit in enumerate(edits) if edit[2].startswith(XMP, 4) and mpf.primary_length(edit[2])), None
    )
    while packet is not None:
        start, stop, segment = edits[packet]
        first, last, length = mpf.primary_length(segment) or (0, 0, 0)
        growth = sum(len(new) - (b - a) for a, b, new in edits)
        if length == end + growth:
            break
        payload = segment[4:first] + str(end + growth).encode() + segment[last:]
        _check(len(payload) - len(XMP), MAX_XMP, "XMP packet")
        edits = [*edits[:packet], (start, stop, _segment(APP1, payload)), *edits[packet + 1 :]]
    edits = _with_previews(data, kept, edits, end)
    if index is None:
        return edits
    growth = sum(len(new) - (b - a) for a, b, new in edits)
    ahead = sum(len(new) - (b - a) for a, b, new in edits if a <= index.offset)
    base = index.start - 4 + mpf.HEADER
    old, new = mpf.Place(base, end), mpf.Place(base + ahead, end + growth)
    fitted = mpf.fitted(bytes(data[index.start : index.end]), data, old, new)
    return edits if fitted is None else [*edits, (index.start, index.end, fitted)]


def _with_previews(data: Buffer, kept: list[Group], edits: list[Edit], end: int) -> list[Edit]:
    """Return ``edits`` and what keeps the offsets in EXIF that lead to pictures behind the first one."""
    segment = next((group.segments[0] for group in kept if group.kind is Kind.EXIF), None)
    if segment is None or end >= len(data):
        return edits
    number = next((n for n, edit in enumerate(edits) if edit[0] == segment.offset and edit[2]), None)
    written = edits[number] if number is not None else None
    whole = written[2] if written is not None else bytes(data[segment.start - 4 : segment.end])
    base = segment.start - 4 + previews.TIFF_HEADER
    positions = previews.offsets(whole[previews.TIFF_HEADER :], data, base, end)
    if not positions:
        return edits
    rest = [edit for edit in edits if edit is not written]
    behind = sum(len(new) - (b - a) for a, b, new in rest if a > segment.offset)
    behind += len(whole) - (segment.end - segment.start + 4)
    new = whole[: previews.TIFF_HEADER] + previews.moved(whole[previews.TIFF_HEADER :], positions, behind)
    return [*rest, (segment.offset if written is not None else segment.start - 4, segment.end, new)]


def _is_index(group: Group) -> bool:
    return group.keyword == "MPF" and group.segments[0].marker == APP2


# Room for a manifest

_MAX_JUMBF = 65000
"""Bytes of a box that are put in one APP11 segment."""

_BOX_HEADER = 8
_BEFORE_BOX = 8
"""Bytes of an APP11 segment before its box: identifier, box instance and packet sequence (ISO/IEC 19566-5, D.2)."""


def make_room(data: bytes, length: int) -> Room:
    """Make a copy with room for a C2PA manifest store, in place of any that is there (C2PA 2.2, A.3.1).

    Indexes of further pictures follow, which c2pa's own writer would leave as they are. Behind the beginning of the
    picture it is only looked if there are any.

    Args:
        data: The file.
        length: Bytes of the manifest store.
    """
    layout = walk(data, whole=False)
    groups = groups_of(data, layout)
    indexed = _has_indexes(data, groups)
    if indexed:
        layout = walk(data)
        groups = groups_of(data, layout)
    kept = [group for group in groups if group.kind is not Kind.C2PA]
    edits: list[Edit] = [
        (segment.offset, segment.end, b"") for group in groups if group.kind is Kind.C2PA for segment in group.segments
    ]
    home, room = _home(data, layout, after_exif=True), bytes(len(_wrapped(bytes(length))))
    edits.append((home, home, room))
    if indexed:
        packet = next((group.segments[0] for group in kept if _is_directory(data, group)), None)
        if packet is not None:  # its digits are in the packet, which is an edit of its own then
            edits.append((packet.offset, packet.end, bytes(data[packet.start - 4 : packet.end])))
        edits = _with_indexes(data, kept, edits, layout.end)
    return Room.around(room, splice(data, edits), _wrapped)


def _has_indexes(data: Buffer, groups: list[Group]) -> bool:
    """Return whether something in the file says where further pictures are."""
    if any(_is_index(group) or _is_directory(data, group) for group in groups):
        return True
    return any(group.kind is Kind.EXIF for group in groups) and any(block.places for block in read(data).blocks)


def _is_directory(data: Buffer, group: Group) -> bool:
    if group.kind is not Kind.XMP or group.keyword:
        return False
    return mpf.primary_length(bytes(data[group.segments[0].start : group.segments[0].end])) is not None


def _wrapped(store: bytes) -> bytes:
    """Return a manifest store as APP11 segments (ISO/IEC 19566-5, D.2): each repeats the header of the box."""
    header, body = store[:_BOX_HEADER], store[_BOX_HEADER:]
    step = _MAX_JUMBF - _BOX_HEADER
    parts = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    return b"".join(
        _segment(APP11, JUMBF + _INSTANCE.to_bytes(2, "big") + number.to_bytes(4, "big") + header + part)
        for number, part in enumerate(parts, 1)
    )


_INSTANCE = 0x0211
"""Box instance number: any, the same in all segments of a box; this is what c2pa's own writer takes."""
