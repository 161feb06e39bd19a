"""MP4, MOV, M4V and M4A: ISO/IEC 14496-12 and QuickTime files, whole or in fragments, of any size.

Only the headers of the boxes and the movie box are read; coded media is stepped over. Labels sit in
``moov/udta/meta`` of handler mdta (TC260-PG-20257A); they are read wherever such a list can stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from labeling.containers.base import MAX_PAYLOAD, Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.mp4 import samples, sei, text_lists
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import UUID_C2PA, UUID_XMP, Box, children, printable

MAX_MOVIE = 128 << 20
"""Bytes of a movie box that is read: ten hours of film have a tenth of that."""

MAX_TOP = 1 << 20
"""So many boxes of a file are walked: two for each fragment."""


class Layout(NamedTuple):
    """The boxes of a file, its movie box as bytes, and what is wrong."""

    boxes: list[Box]
    moov: Box | None
    movie: bytes
    problem: str

    def first(self, kind: bytes) -> Box | None:
        """The first box of a type."""
        return next((each for each in self.boxes if each.type == kind), None)


def lay_out(data: Media) -> Layout:
    """Walk the boxes of a file by their headers."""
    size, pos, problem = len(data), 0, ""
    boxes: list[Box] = []
    while pos + 8 <= size:
        head = data[pos : pos + 32]
        length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], pos + 8
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), pos + 16
        elif length == 0:  # to the end of the file
            length = size - pos
        user = head[body - pos : body - pos + 16] if kind == b"uuid" else b""
        if length < body - pos or not _is_type(kind):
            problem = "" if boxes and not any(head) else f"there is no sound box at offset {pos}"
            break
        if pos + length > size:
            name, there = printable(kind), size - pos
            problem = f"the {name} box at offset {pos} says it has {length} bytes, but {there} are there"
            boxes.append(Box(kind, pos, min(body + len(user), size), size, user))
            break
        boxes.append(Box(kind, pos, min(body + len(user), pos + length), pos + length, user))
        pos += length
        if len(boxes) >= MAX_TOP:
            problem = f"more than {MAX_TOP} boxes"
            break
    moov = next((each for each in boxes if each.type == b"moov"), None)
    if moov is not None and moov.end - moov.start > MAX_MOVIE:
        return Layout(boxes, None, b"", f"the moov box has {moov.end - moov.start} bytes, more than are read")
    return Layout(boxes, moov, data[moov.start : moov.end] if moov else b"", problem)


def _is_type(kind: bytes) -> bool:
    return len(kind) == 4 and all(0x20 <= value < 0x7F or value == 0xA9 for value in kind)


def inner(layout: Layout) -> Box:
    """The movie box as it stands in ``layout.movie``."""
    assert layout.moov is not None
    return Box(b"moov", 0, layout.moov.body - layout.moov.start, len(layout.movie))


def read(data: Media) -> Contents:
    """Find all metadata; see :mod:`labeling.containers.base`."""
    layout = lay_out(data)
    found = Collector()
    if layout.problem:
        note(found.problems, layout.problem)
    ftyp = layout.first(b"ftyp")
    brand = data[ftyp.body : ftyp.body + 4] if ftyp else b"qt  "
    _top_level(data, layout, found)
    width = height = 0
    seconds = 0.0
    if layout.moov is None:
        note(found.problems, "there is no moov box: the file was cut short, or never finished")
    else:
        view, moov = memoryview(layout.movie), inner(layout)
        if trouble := isobmff.walk(view, moov.body, moov.end).problem:
            note(found.problems, f"in the moov box {trouble}")
        for text in texts(view, moov):
            at = layout.moov.start + text.start
            kind = Kind.TEXT if text.name else Kind.COMMENT
            found.add(kind, text.where, (at, at + text.end - text.start), text.data, text.name)
        for udta in children(view, moov, b"udta"):
            for packet in children(view, udta, b"XMP_"):
                span = layout.moov.start + packet.start, layout.moov.start + packet.end
                found.add(Kind.XMP, "MP4 moov/udta/XMP_", span, bytes(view[packet.body : packet.end]))
        _coded_user_data(data, layout, found)
        width, height = _size(view, moov)
        seconds = _seconds(view, moov)
        if trouble := _beyond(view, moov, len(data)):
            note(found.problems, trouble)
    media_type = _media_type(brand, bool(width))
    coded = tuple((each.body, each.end - each.body) for each in layout.boxes if each.type == b"mdat")
    return Contents(
        "mp4", media_type, tuple(found.blocks), coded, width, height, 1,
        tuple(found.problems), tuple(found.warnings), _fixed(layout), seconds,
    )  # fmt: skip


_SEI = {b"avcC": (4, False), b"hvcC": (21, True)}
"""Decoder configuration → where it says how long lengths are, and whether it is HEVC's."""


def _coded_user_data(data: Media, layout: Layout, found: Collector) -> None:
    """User data in the first picture: no place for a label, but what generators and editors leave there is a trace."""
    track = samples.first_sample(memoryview(layout.movie), inner(layout))
    if track is None or track.config not in _SEI or track.offset + track.size > len(data):
        return
    at, hevc = _SEI[track.config]
    if len(track.data) <= at:
        return
    sample = data[track.offset : track.offset + min(track.size, sei.MAX_PICTURE)]
    for text in sei.user_data(sample, (track.data[at] & 3) + 1, hevc=hevc):
        where = "MP4 film, SEI user data of the first picture"
        found.add(Kind.USER, where, (track.offset, track.offset + track.size), text)


def _media_type(brand: bytes, film: bool) -> str:
    if brand == b"qt  ":
        return "video/quicktime"
    return "audio/mp4" if brand in (b"M4A ", b"M4B ", b"M4P ") and not film else "video/mp4"


def _top_level(data: Media, layout: Layout, found: Collector) -> None:
    late = False
    for each in layout.boxes:
        late = late or each.type == b"mdat"
        if each.type != b"uuid" or each.user not in (UUID_XMP, UUID_C2PA):
            continue
        size = each.end - each.body
        raw = b"" if found.refusal(size) else data[each.body : each.end]
        if each.user == UUID_XMP:
            found.add(Kind.XMP, "MP4 uuid XMP", (each.start, each.end), raw, late=late, problem=found.refusal(size))
        elif _holds_manifest(data[each.body : each.body + 32]):
            found.add(Kind.C2PA, "MP4 uuid C2PA", (each.start, each.end), raw[:MAX_PAYLOAD], late=late)


def _holds_manifest(head: bytes) -> bool:
    """A C2PA box says what it is for behind version and flags: manifests count, hash trees of fragments do not."""
    return head[4:].startswith((b"manifest\0", b"update\0", b"original\0"))


def texts(view: memoryview, moov: Box) -> Iterator[text_lists.Text]:
    """The named texts of the movie and of its tracks."""
    for holder, parents, place in _holders(view, moov):
        for each in children(view, holder):
            if each.type == b"meta":
                yield from text_lists.texts_of_meta(view, each, parents, f"{place}/meta")
            elif each.type == b"udta":
                yield from text_lists.texts_of_udta(view, each, parents, f"{place}/udta")
                for meta in children(view, each, b"meta"):
                    yield from text_lists.texts_of_meta(view, meta, (*parents, each), f"{place}/udta/meta")


def key_lists(view: memoryview, moov: Box) -> Iterator[text_lists.KeyList]:
    """The lists with keys, of the movie and of its tracks."""
    for holder, parents, _ in _holders(view, moov):
        for each in children(view, holder):
            metas = [(each, parents)] if each.type == b"meta" else []
            if each.type == b"udta":
                metas = [(meta, (*parents, each)) for meta in children(view, each, b"meta")]
            for meta, around in metas:
                if (found := text_lists.key_list(view, meta, around)) is not None:
                    yield found


def _holders(view: memoryview, moov: Box) -> Iterator[tuple[Box, tuple[Box, ...], str]]:
    """The boxes that may have texts, with the boxes around what is in them and their place in words."""
    yield moov, (moov,), "MP4 moov"
    for number, trak in enumerate(children(view, moov, b"trak")[: isobmff.MAX_TRACKS], 1):
        yield trak, (moov, trak), f"MP4 moov/trak {number}"


def media_of(view: memoryview, trak: Box) -> tuple[bytes, Box | None]:
    """A track's handler type and its media box."""
    mdia = next(iter(children(view, trak, b"mdia")), None)
    return (text_lists.handler(view, children(view, mdia)), mdia) if mdia else (b"", None)


def _size(view: memoryview, moov: Box) -> tuple[int, int]:
    """Width and height of the first film track, as its sample description has them."""
    for trak in children(view, moov, b"trak")[: isobmff.MAX_TRACKS]:
        kind, mdia = media_of(view, trak)
        if kind != b"vide" or mdia is None:
            continue
        for minf in children(view, mdia, b"minf"):
            for stbl in children(view, minf, b"stbl"):
                for stsd in children(view, stbl, b"stsd"):
                    entry = bytes(view[stsd.body + 8 : min(stsd.body + 8 + 36, stsd.end)])
                    if len(entry) == 36 and (width := int.from_bytes(entry[32:34], "big")):
                        return width, int.from_bytes(entry[34:36], "big")
    return 0, 0


def _seconds(view: memoryview, moov: Box) -> float:
    for mvhd in children(view, moov, b"mvhd"):
        raw = bytes(view[mvhd.body : mvhd.end])
        at, wide = (20, 8) if raw[:1] == b"\1" else (12, 4)
        scale = int.from_bytes(raw[at : at + 4], "big")
        duration = int.from_bytes(raw[at + 4 : at + 4 + wide], "big")
        if scale and duration < (1 << (8 * wide)) - 1:
            return duration / scale
    return 0.0


def _beyond(view: memoryview, moov: Box, size: int) -> str:
    found, _ = isobmff.tracks(view, moov)
    for track in found:
        if track.offsets and max(track.offsets) >= size:
            return "coded media lies beyond the end of the file: it was cut short"
    return ""


def _fixed(layout: Layout) -> str:
    if layout.moov is None:
        return ""
    inside = {each.type for each in children(memoryview(layout.movie), inner(layout))}
    if b"cmov" in inside:
        return "its movie box is compressed; re-mux it first"
    if b"rmra" in inside:
        return "it only refers to other files and holds no media"
    file_meta = layout.first(b"meta")
    return "it has items beside its movie, whose places would be lost; re-mux it first" if file_meta else ""


def rewrite(data: Media, contents: Contents, changes: Changes, extra_edits: Any = ([], [])) -> list[Piece]:
    """Change metadata; see :mod:`labeling.containers.base`. ``extra_edits`` are changes of the video."""
    from labeling.containers.mp4 import edit

    return edit.rewrite(data, lay_out(data), changes, extra_edits)
