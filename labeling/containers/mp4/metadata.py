"""MP4, MOV, M4V and M4A: ISO/IEC 14496-12 and QuickTime files, whole or in fragments, of any size.

Only box headers and the movie box are read; coded media is skipped. A label is written to ``moov/udta/meta`` with
handler mdta (TC260-PG-20257A), and read wherever such a list may be.
"""

from __future__ import annotations

from dataclasses import replace

from labeling.containers.base import MAX_PARSED, MAX_PAYLOAD, Changes, Contents, Kind, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.mp4 import edit, hidden, samples, sei, text_lists
from labeling.containers.mp4.layout import Layout, Parsed, crowded, inner, lay_out, media_of, texts
from labeling.containers.mp4.movie_box import Mp4Edits
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.isobmff import UUID_C2PA, UUID_XMP, Box, children, descend

_SEI = {b"avcC": (4, False), b"hvcC": (21, True)}
"""Type of the decoder configuration → offset of the byte with the size of NAL unit lengths, and whether it is HEVC."""

_CLOSING = 4
_REMUX = "a copy that `ffmpeg -i OLD -c copy NEW.mov` re-muxes can be signed"

_MAX_KEPT = 4096  # boxes at the top level: long recordings in fragments have many


def read(data: Media) -> Contents:
    """Find all metadata; see :mod:`labeling.containers.base`."""
    layout = lay_out(data)
    found = Collector()
    if layout.problem:
        note(found.problems, layout.problem)
    elif layout.boxes and layout.end < len(data):
        found.note_outside(
            data, layout.end, len(data), f"{len(data) - layout.end} bytes behind the last box belong to no box"
        )
    ftyp = layout.first(b"ftyp")
    brand = data[ftyp.body : ftyp.body + 4] if ftyp else b"qt  "
    _top_level(data, layout, found)
    width = height = 0
    seconds = 0.0
    parsed = None
    if layout.moov is None:
        note(found.problems, "there is no moov box: the file was cut short, or never finished")
    else:
        view, moov = memoryview(layout.movie), inner(layout)
        if trouble := isobmff.walk(view, moov.body, moov.end).problem:
            note(found.problems, f"in the moov box {trouble}")
        found.crowded = crowded(view, moov)
        listed = list(texts(view, moov))
        for sentence in hidden.unread(data, layout, moov, listed):
            note(found.unread, sentence)
        for text in listed:
            at = layout.moov.start + text.start
            kind = Kind.TEXT if text.name else Kind.COMMENT
            found.add(kind, text.where, (at, at + text.end - text.start), text.data, text.name)
        for packet in descend(view, moov, b"udta", b"XMP_"):
            span = layout.moov.start + packet.start, layout.moov.start + packet.end
            found.add(Kind.XMP, "MP4 moov/udta/XMP_", span, bytes(view[packet.body : packet.end]))
        _coded_user_data(data, layout, found)
        width, height = _size(view, moov)
        seconds = _seconds(view, moov)
        tracks, _ = isobmff.tracks(view, moov)
        if any(track.offsets and max(track.offsets) >= layout.end for track in tracks):
            note(found.problems, "coded media lies beyond the end of the file: it was cut short")
        if len(layout.movie) <= MAX_PARSED and len(layout.boxes) <= _MAX_KEPT:
            parsed = Parsed(layout, tuple(track.table for track in tracks))
    media_type = _media_type(brand, bool(width))
    coded = ((each.body, each.end - each.body) for each in layout.boxes if each.type == b"mdat")
    contents = found.contents(
        "mp4", media_type, coded, (width, height), fixed=_fixed(data, layout), seconds=seconds, parsed=parsed
    )
    return replace(contents, unsigned=_unsigned(layout, brand))


def rewrite(data: Media, contents: Contents, changes: Changes, extra_edits: Mp4Edits = ([], [])) -> list[Piece]:
    """Change metadata; see :mod:`labeling.containers.base`.

    Args:
        data: The file.
        contents: What :func:`read` found in it.
        changes: The changes of metadata.
        extra_edits: Changes of the video, as :func:`labeling.codecs.video.mp4.paint` prepares them, to be made in the
            same copy.
    """
    return edit.rewrite(data, lay_out(data), changes, extra_edits)


def _coded_user_data(data: Media, layout: Layout, found: Collector) -> None:
    """Collect user data of the first picture. It is no place for a label, but generators and editors leave traces."""
    track = samples.first_sample(memoryview(layout.movie), inner(layout))
    if track is None or track.config not in _SEI or track.offset + track.size > len(data):
        return
    at, hevc = _SEI[track.config]
    if len(track.data) <= at:
        return
    sample = data[track.offset : track.offset + min(track.size, sei.MAX_PICTURE)]
    for text in sei.user_data(sample, (track.data[at] & 3) + 1, hevc=hevc):
        where = "MP4 video, SEI user data of the first picture"
        found.add(Kind.USER, where, (track.offset, track.offset + track.size), text)


def _media_type(brand: bytes, has_video: bool) -> str:
    if brand == b"qt  ":
        return "video/quicktime"
    return "audio/mp4" if brand in (b"M4A ", b"M4B ", b"M4P ") and not has_video else "video/mp4"


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
        elif start := _manifest_start(data[each.body : each.body + 32]):
            found.add(Kind.C2PA, "MP4 uuid C2PA", (each.start, each.end), raw[start:][:MAX_PAYLOAD], late=late)


def _manifest_start(head: bytes) -> int:
    """Return where the manifest store begins in a C2PA box; 0 if it holds the hash tree of a fragment.

    Version and flags, a purpose that ends with NUL, the offset of the first Merkle box (C2PA 2.x, A.5.1).
    """
    purpose = head[4:].split(b"\0", 1)[0]
    return 4 + len(purpose) + 1 + 8 if purpose in (b"manifest", b"update", b"original") else 0


def _size(view: memoryview, moov: Box) -> tuple[int, int]:
    """Return the width and height of the first video track, from its sample description."""
    for trak in children(view, moov, b"trak")[: isobmff.MAX_TRACKS]:
        kind, mdia = media_of(view, trak)
        if kind != b"vide" or mdia is None:
            continue
        for stsd in descend(view, mdia, b"minf", b"stbl", b"stsd"):
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


def _fixed(data: Media, layout: Layout) -> str:
    if layout.moov is None:
        return ""
    inside = {each.type for each in children(memoryview(layout.movie), inner(layout))}
    if b"cmov" in inside:
        return "its movie box is compressed; re-mux it first"
    if b"rmra" in inside:
        return "it only refers to other files and holds no media"
    if any(_has_places(data, each) for each in layout.boxes if each.type == b"meta"):
        return "it has items beside its movie, whose places would be lost; re-mux it first"
    return ""


def _unsigned(layout: Layout, brand: bytes) -> str:
    """Say why the C2PA library cannot sign the file, which is no fault of it; empty if it can."""
    if layout.moov is not None and layout.first(b"ftyp") is None:
        return f"the C2PA library does not take QuickTime files without an ftyp box, as this one is; {_REMUX}"
    # An XMP packet goes into the user data of QuickTime files, and behind the last box of others.
    last = brand == b"qt  " and layout.moov is not None and layout.moov.end == layout.end
    if layout.moov is not None and _is_closed(memoryview(layout.movie), inner(layout), last=last):
        return (
            "this file's user data (udta) ends in four zero bytes, as the QuickTime File Format allows, and the C2PA "
            f"library cannot read that; {_REMUX}"
        )
    return ""


def _is_closed(view: memoryview, moov: Box, *, last: bool) -> bool:
    """Return whether user data of the movie or of a track ends in an integer of 0 (QuickTime File Format).

    The C2PA library takes it for half the header of a box, and reads on behind it: at the very end of a file, where
    the movie box is the ``last`` one, it does no harm.
    """
    tracks = children(view, moov, b"trak")[: isobmff.MAX_TRACKS]
    return any(
        udta.end - (end := isobmff.walk(view, udta.body, udta.end).end) == _CLOSING and not any(view[end : udta.end])
        for holder in (moov, *tracks)
        for udta in children(view, holder, b"udta")
        if not (last and holder is moov and udta.end == moov.end)
    )


def _has_places(data: Media, meta: Box) -> bool:
    """Return whether a ``meta`` box of the file has items at offsets; XML in it, as cameras write, has none."""
    if meta.end - meta.start > MAX_PAYLOAD:
        return True
    view = memoryview(data[meta.start : meta.end])
    inside = text_lists.meta_children(view, Box(meta.type, 0, meta.body - meta.start, len(view)))
    return any(each.type == b"iloc" and any(view[each.body + 6 : each.end]) for each in inside)
