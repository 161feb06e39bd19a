"""JPEG (ITU-T T.81, JFIF, Exif 2.32, XMP part 3, C2PA 2.x A.3.1): metadata is stored in APPn and COM segments.

Metadata that is larger than a segment is spread over several (Extended XMP, ICC, JUMBF, Photoshop resources). Such
segments make one :class:`~labeling.containers.base.Block`, whose span runs from the first to the last of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from struct import Struct

from labeling.containers.base import Block, Buffer, Changes, Contents, Kind, Room
from labeling.containers.collector import Collector
from labeling.containers.edits import Edit, foreign_block, splice
from labeling.containers.jpeg import mpf, previews
from labeling.containers.jpeg.segments import COM, NO_EOI, Layout, Segment, walk
from labeling.errors import LabelingError

MAX_XMP = 65502
"""Greatest size in bytes of an XMP packet in one APP1 segment (XMP part 3, 1.1.3)."""

MAX_EXIF = 65527
"""Greatest size in bytes of a TIFF structure in one APP1 segment: 65535 less the length field and ``Exif\\0\\0``."""

EXTENSION = "extension:"
"""Start of the keyword of an Extended XMP block; the GUID follows that ``xmpNote:HasExtendedXMP`` names."""

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_EXIF = b"Exif\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_ICC = b"ICC_PROFILE\0"
_JUMBF = b"JP"
_C2PA = b"c2pa"
_APP0, _APP1, _APP2, _APP11, _APP13, _APP15 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEF
_HEAD = 96

_identifier = re.compile(rb"[\x20-\x7a\x7e]{0,64}")  # up to NUL, "{" or binary data
_extension = Struct(">32sII")  # GUID, length of the whole, offset of this part
_jumbf = Struct(">HII4s")  # box instance, packet sequence, LBox, TBox (ISO/IEC 19566-5, D.2)


@dataclass(slots=True)
class _Group:
    """Segments that contain one piece of metadata.

    ``parts`` are (order, start, end) of the payloads, ``total`` is how many bytes or parts there should be (-1 where
    unknown), and ``orders`` are those seen.
    """

    kind: Kind
    where: str
    keyword: str
    segments: list[Segment]
    parts: list[tuple[int, int, int]]
    total: int = -1
    orders: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def read(data: Buffer) -> Contents:
    """Find the metadata of a JPEG file; see :mod:`labeling.containers.base`."""
    layout = walk(data)
    collector = Collector(problems=layout.problems, warnings=layout.warnings)
    for group in _groups(data, layout):
        first, last = group.segments[0], group.segments[-1]
        span, late = (first.offset, last.end), 0 <= layout.sos < first.offset
        size = sum(end - start for _, start, end in group.parts)
        problem = collector.refusal(size)
        payload = b"" if problem else _payload(data, group)
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


def _is_metadata(segment: Segment) -> bool:
    return _APP0 <= segment.marker <= _APP15 or segment.marker == COM


def _coded(layout: Layout, end: int) -> tuple[tuple[int, int], ...]:
    """Return the spans of tables, frame headers and scans: everything between SOI and EOI that is not metadata."""
    if layout.sos < 0:
        return ()
    spans: list[tuple[int, int]] = []
    at = 2
    for segment in layout.segments:
        if _is_metadata(segment):
            if segment.offset > at:
                spans.append((at, segment.offset - at))
            at = segment.end
    if end > at:
        spans.append((at, end - at))
    return tuple(spans)


# What each segment contains


def _groups(data: Buffer, layout: Layout) -> list[_Group]:
    """Group the segments with metadata, in the order of the groups' first segments."""
    groups: list[_Group] = []
    open_groups: dict[tuple[str, object], _Group] = {}
    for segment in layout.segments:
        if not _is_metadata(segment):
            continue
        head = bytes(data[segment.start : min(segment.end, segment.start + _HEAD)])
        if segment.marker == _APP1:
            _read_app1(segment, head, groups, open_groups)
        elif segment.marker == _APP2 and head.startswith(_ICC):
            _read_icc(segment, head, groups, open_groups)
        elif segment.marker == _APP11 and head.startswith(_JUMBF):
            _read_jumbf(segment, head, groups, open_groups)
        elif segment.marker == _APP13 and head.startswith(_PHOTOSHOP):
            _read_photoshop(segment, head, groups)
        elif segment.marker == COM:
            groups.append(_single(Kind.COMMENT, "JPEG COM", "", segment, 0))
        else:
            groups.append(_application(segment, head))
    return groups


def _single(kind: Kind, where: str, keyword: str, segment: Segment, skip: int) -> _Group:
    return _Group(kind, where, keyword, [segment], [(0, min(segment.start + skip, segment.end), segment.end)])


def _application(segment: Segment, head: bytes) -> _Group:
    found = _identifier.match(head)
    keyword = found.group().decode("ascii") if found else ""
    where = f"JPEG APP{segment.marker - _APP0} {keyword}".rstrip()
    return _single(Kind.APP, where, keyword, segment, 0)


def _join(
    groups: list[_Group], open_groups: dict[tuple[str, object], _Group], key: tuple[str, object], new: _Group
) -> None:
    """Add ``new``, of one segment, to the group ``key``, or start it. A part that comes twice starts another group."""
    group = open_groups.get(key)
    order = new.parts[0][0]
    if group is None or order in group.orders:
        new.orders.add(order)
        open_groups[key] = new
        groups.append(new)
        return
    group.orders.add(order)
    group.segments += new.segments
    group.parts += new.parts


def _read_app1(
    segment: Segment, head: bytes, groups: list[_Group], open_groups: dict[tuple[str, object], _Group]
) -> None:
    if head.startswith(_XMP):
        groups.append(_single(Kind.XMP, "JPEG APP1 XMP", "", segment, len(_XMP)))
    elif head.startswith(_EXIF):
        groups.append(_single(Kind.EXIF, "JPEG APP1 Exif", "Exif", segment, 6))
    elif head.startswith(_EXTENDED) and len(head) >= len(_EXTENDED) + _extension.size:
        raw, total, offset = _extension.unpack_from(head, len(_EXTENDED))
        guid = raw.decode("ascii", "replace")
        start = segment.start + len(_EXTENDED) + _extension.size
        new = _Group(
            Kind.XMP,
            "JPEG APP1 Extended XMP",
            EXTENSION + guid,
            [segment],
            [(offset, start, segment.end)],
            total,
        )
        _join(groups, open_groups, ("xmp", guid), new)
    else:
        groups.append(_application(segment, head))


def _read_icc(
    segment: Segment, head: bytes, groups: list[_Group], open_groups: dict[tuple[str, object], _Group]
) -> None:
    skip = len(_ICC) + 2  # number of this part, number of parts (ICC.1, B.4)
    if len(head) < skip:
        groups.append(_application(segment, head))
        return
    number, count = head[len(_ICC)], head[len(_ICC) + 1]
    part = (number, segment.start + skip, segment.end)
    new = _Group(Kind.ICC, "JPEG APP2 ICC_PROFILE", "ICC_PROFILE", [segment], [part], count)
    _join(groups, open_groups, ("icc", count), new)


def _read_jumbf(
    segment: Segment, head: bytes, groups: list[_Group], open_groups: dict[tuple[str, object], _Group]
) -> None:
    if len(head) < 2 + _jumbf.size:
        groups.append(_application(segment, head))
        return
    instance, sequence, length, box_type = _jumbf.unpack_from(head, 2)
    header = 16 if length == 1 else 8
    box = segment.start + 2 + 6
    # Every segment repeats the box header; without it in all but the first, the box is whole again.
    start = box if sequence <= 1 else min(box + header, segment.end)
    if length == 1 and len(head) >= 24:
        length = int.from_bytes(head[16:24], "big")
    is_c2pa = sequence > 1 or head[8 + header + 8 : 8 + header + 12] == _C2PA
    kind, where = (Kind.C2PA, "JPEG APP11 C2PA") if is_c2pa else (Kind.APP, "JPEG APP11 JUMBF")
    new = _Group(kind, where, "JP", [segment], [(sequence, start, segment.end)], length)
    _join(groups, open_groups, ("jumbf", (instance, box_type)), new)


def _read_photoshop(segment: Segment, head: bytes, groups: list[_Group]) -> None:
    new = _single(Kind.IPTC, "JPEG APP13 Photoshop", "Photoshop 3.0", segment, len(_PHOTOSHOP))
    body = head[len(_PHOTOSHOP) :]
    last = groups[-1] if groups else None
    if body[:4] != b"8BIM" and last is not None and last.kind is Kind.IPTC:
        # Resources that do not fit one segment continue in the next, cut anywhere.
        last.segments += new.segments
        last.parts.append((len(last.parts), *new.parts[0][1:]))
    else:
        groups.append(new)


def _payload(data: Buffer, group: _Group) -> bytes:
    """Join the parts in order. What is missing is recorded in ``group.problems`` and never filled in."""
    if len(group.parts) == 1 and group.total < 0:
        _, start, end = group.parts[0]
        return bytes(data[start:end])
    parts = sorted(group.parts)
    joined = b"".join([bytes(data[start:end]) for _, start, end in parts])
    if group.kind is Kind.ICC:
        if [number for number, _, _ in parts] != list(range(1, group.total + 1)):
            group.problems.append(f"{len(parts)} of {group.total} parts of the ICC profile are there")
    elif group.kind is Kind.XMP:
        at = 0
        for offset, start, end in parts:
            if offset != at:
                group.problems.append(f"a part of the extension is missing or doubled at byte {at}")
                break
            at += end - start
    if group.kind is not Kind.ICC and group.total > len(joined):
        group.problems.append(f"{len(joined)} of {group.total} bytes are there")
    return joined


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
    groups = {group.segments[0].offset: group for group in _groups(data, layout)}
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
        edits.append(_placed(kept, Kind.XMP, _XMP + changes.xmp, _home(data, layout, after_exif=True)))
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


def _placed(kept: list[_Group], kind: Kind, payload: bytes, home: int) -> Edit:
    """Return the edit that writes ``payload`` in place of the first segment of its kind, or at ``home``."""
    for group in kept:
        if group.kind is kind and not group.keyword.startswith(EXTENSION):
            return group.segments[0].offset, group.segments[0].end, _segment(_APP1, payload)
    return home, home, _segment(_APP1, payload)


def _home(data: Buffer, layout: Layout, after_exif: bool) -> int:
    """Return the place for a new segment: after the leading JFIF and JFXX segments, and after Exif if asked."""
    at = 2
    for segment in layout.segments:
        is_exif = segment.marker == _APP1 and bytes(data[segment.start : segment.start + 5]) == _EXIF
        if segment.marker != _APP0 and not (is_exif and after_exif):
            break
        at = segment.end
    return at


def _with_indexes(data: Buffer, kept: list[_Group], edits: list[Edit], end: int) -> list[Edit]:
    """Return ``edits`` and those that correct the indexes of further pictures, if the file has any.

    Args:
        data: The file.
        kept: Its groups that stay.
        edits: What is done to its first picture.
        end: Offset after the EOI marker of that one.
    """
    index = next((group.segments[0] for group in kept if _is_index(group)), None)
    packet = next(
        (n for n, edit in enumerate(edits) if edit[2].startswith(_XMP, 4) and mpf.primary_length(edit[2])), None
    )
    while packet is not None:
        start, stop, segment = edits[packet]
        first, last, length = mpf.primary_length(segment) or (0, 0, 0)
        growth = sum(len(new) - (b - a) for a, b, new in edits)
        if length == end + growth:
            break
        payload = segment[4:first] + str(end + growth).encode() + segment[last:]
        _check(len(payload) - len(_XMP), MAX_XMP, "XMP packet")
        edits = [*edits[:packet], (start, stop, _segment(_APP1, payload)), *edits[packet + 1 :]]
    edits = _with_previews(data, kept, edits, end)
    if index is None:
        return edits
    growth = sum(len(new) - (b - a) for a, b, new in edits)
    ahead = sum(len(new) - (b - a) for a, b, new in edits if a <= index.offset)
    base = index.start - 4 + mpf.HEADER
    old, new = mpf.Place(base, end), mpf.Place(base + ahead, end + growth)
    fitted = mpf.fitted(bytes(data[index.start : index.end]), data, old, new)
    return edits if fitted is None else [*edits, (index.start, index.end, fitted)]


def _with_previews(data: Buffer, kept: list[_Group], edits: list[Edit], end: int) -> list[Edit]:
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


def _is_index(group: _Group) -> bool:
    return group.keyword == "MPF" and group.segments[0].marker == _APP2


# Room for a manifest

_MAX_JUMBF = 65000
"""Bytes of a box that are put in one APP11 segment."""

_BOX_HEADER = 8


def needs_room(data: Buffer) -> bool:
    """Say whether indexes of further pictures have to follow when a manifest is inserted."""
    groups = _groups(data, walk(data, whole=False))
    if any(_is_index(group) or _is_directory(data, group) for group in groups):
        return True
    return any(group.kind is Kind.EXIF for group in groups) and any(block.places for block in read(data).blocks)


def _is_directory(data: Buffer, group: _Group) -> bool:
    if group.kind is not Kind.XMP or group.keyword:
        return False
    return mpf.primary_length(bytes(data[group.segments[0].start : group.segments[0].end])) is not None


def make_room(data: bytes, length: int) -> Room:
    """Make a copy with room for a C2PA manifest store, in place of any that is there (C2PA 2.2, A.3.1).

    Args:
        data: The file.
        length: Bytes of the manifest store.
    """
    layout = walk(data)
    groups = _groups(data, layout)
    kept = [group for group in groups if group.kind is not Kind.C2PA]
    edits: list[Edit] = [
        (segment.offset, segment.end, b"") for group in groups if group.kind is Kind.C2PA for segment in group.segments
    ]
    home, room = _home(data, layout, after_exif=True), len(_wrapped(bytes(length)))
    edits.append((home, home, bytes(room)))
    packet = next((group.segments[0] for group in kept if _is_directory(data, group)), None)
    if packet is not None:  # its digits are in the packet, which is an edit of its own then
        edits.append((packet.offset, packet.end, bytes(data[packet.start - 4 : packet.end])))
    made = b"".join(splice(data, _with_indexes(data, kept, edits, layout.end)))
    return Room(made, home, home + room, _wrapped)  # nothing changes ahead of it


def _wrapped(store: bytes) -> bytes:
    """Return a manifest store as APP11 segments (ISO/IEC 19566-5, D.2): each repeats the header of the box."""
    header, body = store[:_BOX_HEADER], store[_BOX_HEADER:]
    step = _MAX_JUMBF - _BOX_HEADER
    parts = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    return b"".join(
        _segment(_APP11, _JUMBF + _INSTANCE.to_bytes(2, "big") + number.to_bytes(4, "big") + header + part)
        for number, part in enumerate(parts, 1)
    )


_INSTANCE = 0x0211
"""Box instance number: any, the same in all segments of a box; this is what c2pa's own writer takes."""
