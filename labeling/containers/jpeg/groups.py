"""What the APPn and COM segments of a JPEG file contain, and which of them hold one piece of metadata together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from struct import Struct

from labeling.containers.base import Buffer, Kind
from labeling.containers.jpeg.segments import COM, Layout, Segment

EXTENSION = "extension:"
"""Start of the keyword of an Extended XMP block; the GUID follows that ``xmpNote:HasExtendedXMP`` names."""

XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
EXIF = b"Exif\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
ICC = b"ICC_PROFILE\0"
JFIF = b"JFIF\0"
JUMBF = b"JP"
_C2PA = b"c2pa"
APP0, APP1, APP2, APP11, APP13, APP15 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEF
_HEAD = 96

_identifier = re.compile(rb"[\x20-\x7a\x7e]{0,64}")  # up to NUL, "{" or binary data
_extension = Struct(">32sII")  # GUID, length of the whole, offset of this part
_jumbf = Struct(">HII4s")  # box instance, packet sequence, LBox, TBox (ISO/IEC 19566-5, D.2)


@dataclass(slots=True)
class Group:
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


def is_metadata(segment: Segment) -> bool:
    return APP0 <= segment.marker <= APP15 or segment.marker == COM


def groups_of(data: Buffer, layout: Layout) -> list[Group]:
    """Group the segments with metadata, in the order of the groups' first segments."""
    groups: list[Group] = []
    open_groups: dict[tuple[str, object], Group] = {}
    for segment in layout.segments:
        if not is_metadata(segment):
            continue
        head = bytes(data[segment.start : min(segment.end, segment.start + _HEAD)])
        if segment.marker == APP1:
            _read_app1(segment, head, groups, open_groups)
        elif segment.marker == APP2 and head.startswith(ICC):
            _read_icc(segment, head, groups, open_groups)
        elif segment.marker == APP11 and head.startswith(JUMBF):
            _read_jumbf(segment, head, groups, open_groups)
        elif segment.marker == APP13 and head.startswith(_PHOTOSHOP):
            _read_photoshop(segment, head, groups)
        elif segment.marker == COM:
            groups.append(_single(Kind.COMMENT, "JPEG COM", "", segment, 0))
        else:
            groups.append(_application(segment, head))
    return groups


def _single(kind: Kind, where: str, keyword: str, segment: Segment, skip: int) -> Group:
    return Group(kind, where, keyword, [segment], [(0, min(segment.start + skip, segment.end), segment.end)])


def _application(segment: Segment, head: bytes) -> Group:
    found = _identifier.match(head)
    keyword = found.group().decode("ascii") if found else ""
    where = f"JPEG APP{segment.marker - APP0} {keyword}".rstrip()
    return _single(Kind.APP, where, keyword, segment, 0)


def _join(
    groups: list[Group], open_groups: dict[tuple[str, object], Group], key: tuple[str, object], new: Group
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
    segment: Segment, head: bytes, groups: list[Group], open_groups: dict[tuple[str, object], Group]
) -> None:
    if head.startswith(XMP):
        groups.append(_single(Kind.XMP, "JPEG APP1 XMP", "", segment, len(XMP)))
    elif head.startswith(EXIF):
        groups.append(_single(Kind.EXIF, "JPEG APP1 Exif", "Exif", segment, 6))
    elif head.startswith(_EXTENDED) and len(head) >= len(_EXTENDED) + _extension.size:
        raw, total, offset = _extension.unpack_from(head, len(_EXTENDED))
        guid = raw.decode("ascii", "replace")
        start = segment.start + len(_EXTENDED) + _extension.size
        new = Group(
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


def _read_icc(segment: Segment, head: bytes, groups: list[Group], open_groups: dict[tuple[str, object], Group]) -> None:
    skip = len(ICC) + 2  # number of this part, number of parts (ICC.1, B.4)
    if len(head) < skip:
        groups.append(_application(segment, head))
        return
    number, count = head[len(ICC)], head[len(ICC) + 1]
    part = (number, segment.start + skip, segment.end)
    new = Group(Kind.ICC, "JPEG APP2 ICC_PROFILE", "ICC_PROFILE", [segment], [part], count)
    _join(groups, open_groups, ("icc", count), new)


def _read_jumbf(
    segment: Segment, head: bytes, groups: list[Group], open_groups: dict[tuple[str, object], Group]
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
    new = Group(kind, where, "JP", [segment], [(sequence, start, segment.end)], length)
    _join(groups, open_groups, ("jumbf", (instance, box_type)), new)


def _read_photoshop(segment: Segment, head: bytes, groups: list[Group]) -> None:
    new = _single(Kind.IPTC, "JPEG APP13 Photoshop", "Photoshop 3.0", segment, len(_PHOTOSHOP))
    body = head[len(_PHOTOSHOP) :]
    last = groups[-1] if groups else None
    if body[:4] != b"8BIM" and last is not None and last.kind is Kind.IPTC:
        # Resources that do not fit one segment continue in the next, cut anywhere.
        last.segments += new.segments
        last.parts.append((len(last.parts), *new.parts[0][1:]))
    else:
        groups.append(new)


def payload_of(data: Buffer, group: Group) -> bytes:
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
