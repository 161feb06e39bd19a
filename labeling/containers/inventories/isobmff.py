"""What MP4, MOV, HEIF and AVIF files hold: tracks with their timing, boxes, items with their properties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from struct import unpack_from

from labeling.containers.base import Contents, Entry, Measure, Media, Part, digest, digest_of_part
from labeling.containers.mp4.layout import Layout, Parsed, inner, lay_out, media_of
from labeling.containers.syntax.isobmff import (
    MAX_TRACKS,
    UUID_C2PA,
    UUID_XMP,
    Box,
    children,
    descend,
    first_at,
    printable,
    walk,
)

MAX_FRAGMENTS = 1 << 16
"""Limit on the fragments that are counted of one file."""

_MAX_FRAGMENT = 4 << 20
_REBUILT = {b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"mfra", b"sidx", b"ssix"}
_READ = {UUID_XMP, UUID_C2PA}
_HANDLERS = {
    b"vide": "video", b"soun": "audio", b"text": "text", b"sbtl": "subtitle", b"subt": "subtitle", b"clcp": "subtitle",
    b"tmcd": "timecode", b"meta": "metadata", b"pict": "picture", b"auxv": "auxiliary", b"hint": "hint",
}  # fmt: skip
_CODECS = {
    b"avc1": "H.264", b"avc3": "H.264", b"hvc1": "HEVC", b"hev1": "HEVC", b"dvh1": "HEVC", b"dvhe": "HEVC",
    b"vp09": "VP9", b"av01": "AV1",
}  # fmt: skip
_COLOUR = {b"colr", b"mdcv", b"clli", b"cclv", b"amve", b"pasp", b"clap", b"dvcC", b"dvvC", b"dvwC", b"SmDm", b"CoLL",
           b"st3d", b"sv3d", b"vexu", b"hfov", b"fiel", b"gama"}  # fmt: skip
"""Boxes of a video's sample description that say how pictures are to be shown."""

_NAMED = {
    b"colr": "colour description", b"mdcv": "HDR mastering display", b"clli": "HDR light levels",
    b"pasp": "pixel aspect ratio", b"clap": "clean aperture", b"dvcC": "Dolby Vision configuration",
    b"dvvC": "Dolby Vision configuration", b"chpl": "chapters (chpl)",
}  # fmt: skip


def mp4(data: Media, contents: Contents) -> Iterator[Entry | Part]:
    """List what an MP4 or MOV file holds (ISO/IEC 14496-12; QuickTime File Format)."""
    parsed = contents.parsed if isinstance(contents.parsed, Parsed) else None
    layout = parsed.layout if parsed is not None else lay_out(data)
    yield from _top_level(data, layout)
    if layout.moov is None:
        return
    view, moov = memoryview(layout.movie), inner(layout)
    fragments = _fragments(data, layout)
    kind = "in fragments" if layout.first(b"moof") is not None else "plain"
    yield Entry("layout", kind, "layout of the file", "MP4")
    inside = children(view, moov)
    for each in inside:
        if each.type in (b"udta", b"meta"):
            yield from _user_data(view, each, "MP4 moov")
        elif each.type not in (b"mvhd", b"trak", b"mvex", b"iods", b"free", b"skip"):
            name = printable(each.type)
            yield Entry(f"box:moov/{name}", digest(view[each.start : each.end]), f"box {name}", "MP4 moov")
    tracks = partial(movie, view, moov, fragments, "MP4")
    if parsed is None:
        yield from tracks()
    else:
        yield Part((fragments, *_without_places(layout.movie, inside, parsed.tables)), tracks)


def _without_places(raw: bytes, boxes: list[Box], tables: tuple[Box, ...]) -> Iterator[bytes]:
    """Yield the bytes of the movie header and the tracks, without the tables of where their chunks are."""
    for each in boxes:
        if each.type not in (b"mvhd", b"trak"):
            continue
        at = each.start
        for table in tables:
            if each.start <= table.start < each.end:
                yield raw[at : table.body]
                at = table.end
        yield raw[at : each.end]


def _top_level(data: Media, layout: Layout) -> Iterator[Entry]:
    end = 0
    for each in layout.boxes:
        end = each.end
        if each.type not in _REBUILT and each.user not in _READ:
            name = printable(each.type)
            value = digest_of_part(data, each.body, each.end)
            yield Entry(f"box:{name}", value, f"box {name}", f"MP4, offset {each.start}")
    if layout.boxes and end < len(data):
        yield Entry("trailer", digest_of_part(data, end, len(data)), f"{len(data) - end} bytes behind the end", "MP4")


@dataclass(slots=True)
class Fragments:
    """What all movie fragments hold of one track."""

    samples: int = 0
    ticks: int = 0


def _fragments(data: Media, layout: Layout) -> dict[int, Fragments]:
    """Count the samples in fragments, by track id (14496-12, 8.8)."""
    found: dict[int, Fragments] = {}
    moofs = [each for each in layout.boxes if each.type == b"moof"]
    defaults = _defaults(layout) if moofs else {}
    for each in moofs[:MAX_FRAGMENTS]:
        if each.end - each.start > _MAX_FRAGMENT:
            continue
        view = memoryview(data[each.start : each.end])
        for traf in children(view, Box(b"moof", 0, each.body - each.start, len(view)), b"traf"):
            _fragment(view, traf, defaults, found)
    return found


def _defaults(layout: Layout) -> dict[int, int]:
    view = memoryview(layout.movie)
    return {
        unpack_from(">I", view, trex.body + 4)[0]: unpack_from(">I", view, trex.body + 12)[0]
        for trex in descend(view, inner(layout), b"mvex", b"trex")
        if trex.end - trex.body >= 24
    } if layout.moov is not None else {}  # fmt: skip


def _fragment(view: memoryview, traf: Box, defaults: dict[int, int], found: dict[int, Fragments]) -> None:
    track = duration = 0
    for each in children(view, traf):
        raw = view[each.body : each.end]
        flags = int.from_bytes(raw[1:4], "big")
        if each.type == b"tfhd" and len(raw) >= 8:
            track = int.from_bytes(raw[4:8], "big")
            at = 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2)
            duration = int.from_bytes(raw[at : at + 4], "big") if flags & 8 else defaults.get(track, 0)
        elif each.type == b"trun" and len(raw) >= 8:
            count = int.from_bytes(raw[4:8], "big")
            at = 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
            row = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
            count = min(count, (len(raw) - at) // row) if row else count
            total = found.setdefault(track, Fragments())
            total.samples += count
            if flags & 0x100:
                numbers = memoryview(bytes(raw[at : at + count * row]))
                total.ticks += sum(int.from_bytes(numbers[n : n + 4], "big") for n in range(0, count * row, row))
            else:
                total.ticks += count * duration


def movie(view: memoryview, moov: Box, fragments: dict[int, Fragments], what: str) -> Iterator[Entry]:
    """List the tracks of a movie box."""
    numbers: dict[str, int] = {}
    scale = 0
    for mvhd in children(view, moov, b"mvhd"):
        at = mvhd.body + (20 if view[mvhd.body] else 12)
        scale = int.from_bytes(view[at : at + 4], "big") if at + 4 <= mvhd.end else 0
    for index, trak in enumerate(children(view, moov, b"trak")[:MAX_TRACKS], 1):
        handler, mdia = media_of(view, trak)
        kind = _HANDLERS.get(handler, printable(handler))
        numbers[kind] = number = numbers.get(kind, 0) + 1
        key, name, where = f"track:{kind}:{number}", f"{kind} track {number}", f"{what} moov/trak {index}"
        yield Entry(key, b"", name, where)
        yield from _header(view, trak, scale, fragments, key, name, where)
        if mdia is not None:
            yield from _media(view, trak, mdia, fragments, key, name, where)


def _header(
    view: memoryview, trak: Box, scale: int, fragments: dict[int, Fragments], key: str, name: str, where: str
) -> Iterator[Entry]:
    endless = False
    for each in children(view, trak):
        raw = bytes(view[each.body : each.end])
        if each.type == b"tkhd":
            # A sequence that is repeated without end has no duration (ISO/IEC 23008-12, 9.6.1; AVIF, 3).
            endless = raw[28:36] == b"\xff" * 8 if raw[:1] == b"\1" else raw[20:24] == b"\xff" * 4
        if each.type == b"tkhd" and len(raw) >= (96 if raw[:1] == b"\1" else 84):
            at = 52 if raw[0] else 40
            if not raw[3] & 1:
                yield Entry(f"{key}:disabled", b"", f"flag that {name} is off", where)
            yield Entry(f"{key}:matrix", raw[at : at + 36], f"rotation of {name}", where)
            if any(raw[at + 36 : at + 44]):
                width, height = unpack_from(">II", raw, at + 36)
                yield Entry(f"{key}:display", f"{width >> 16}×{height >> 16}", f"size of display of {name}", where)
        elif each.type == b"edts":
            for elst in children(view, each, b"elst"):
                kind = "loops" if endless and view[elst.body + 3] & 1 else "edits"
                value = b"without end" if kind == "loops" else _edits(view, elst, scale)
                yield Entry(f"{key}:{kind}", value, f"edit list of {name}", where)
        elif each.type == b"tref":
            for ref in children(view, each):
                shown = printable(ref.type)
                yield Entry(f"{key}:reference:{shown}", b"", f"reference {shown} of {name}", where)
        elif each.type in (b"udta", b"meta"):
            yield from _user_data(view, each, where, key)
        elif each.type not in (b"tkhd", b"mdia", b"free", b"load"):
            shown = printable(each.type)
            yield Entry(f"{key}:box:{shown}", digest(view[each.start : each.end]), f"box {shown} of {name}", where)


def _edits(view: memoryview, elst: Box, scale: int) -> bytes:
    """Return an edit list in words that do not depend on its version or on the movie's clock."""
    wide = bool(view[elst.body])
    size, form = (20, ">Qq") if wide else (12, ">Ii")
    count = min(int.from_bytes(view[elst.body + 4 : elst.body + 8], "big"), (elst.end - elst.body - 8) // size, 4096)
    rows = (unpack_from(form, view, elst.body + 8 + size * number) for number in range(max(0, count)))
    return digest("; ".join(f"{round(1000 * length / (scale or 1))} {start}" for length, start in rows).encode())


def _media(
    view: memoryview, trak: Box, mdia: Box, fragments: dict[int, Fragments], key: str, name: str, where: str
) -> Iterator[Entry]:
    scale = ticks = 0
    for mdhd in children(view, mdia, b"mdhd"):
        wide = bool(view[mdhd.body])
        at = mdhd.body + (20 if wide else 12)
        scale = int.from_bytes(view[at : at + 4], "big")
        ticks = int.from_bytes(view[at + 4 : at + (12 if wide else 8)], "big")
        at += 12 if wide else 8
        code = int.from_bytes(view[at : at + 2], "big")
        if code not in (0x55C4, 0, 0x7FFF):  # "und", and QuickTime's words for English and for unspecified
            yield Entry(f"{key}:language", _language(code), f"language of {name}", where)
    for each in children(view, mdia):
        if each.type == b"elng":
            yield Entry(f"{key}:elng", digest(view[each.body + 4 : each.end]), f"extended language of {name}", where)
    stbl = first_at(view, mdia, b"minf", b"stbl")
    tables = {each.type: each for each in children(view, stbl)} if stbl is not None else {}
    samples = 0
    if (stsz := tables.get(b"stsz")) is not None and stsz.end - stsz.body >= 12:
        samples = int.from_bytes(view[stsz.body + 8 : stsz.body + 12], "big")
    if (more := fragments.get(_track_id(view, trak))) is not None:
        samples += more.samples
        ticks = max(ticks, more.ticks)
    yield Entry(f"{key}:samples", Measure(samples, str(samples)), f"samples of {name}", where)
    if key.startswith(("track:picture", "track:auxiliary")) and (stts := tables.get(b"stts")) is not None:
        # The tracks of an image sequence are never re-muxed, so that their ticks stay.
        value = digest(scale.to_bytes(8, "big") + view[stts.body : stts.end])
        yield Entry(f"{key}:times", value, f"durations of the pictures of {name}", where)
    if scale and ticks:
        shown, step = ticks / scale, 1000
        measure = Measure(round(shown * step), f"{shown:.3f} s", slack=2)
        yield Entry(f"{key}:duration", measure, f"duration of {name}", where)
    if (stsd := tables.get(b"stsd")) is not None:
        yield from _descriptions(view, stsd, key, name, where)


def _language(code: int) -> str:
    if code < 0x400:
        return f"QuickTime language {code}"
    return "".join(chr(0x60 + (code >> shift & 31)) for shift in (10, 5, 0))


def _track_id(view: memoryview, trak: Box) -> int:
    for tkhd in children(view, trak, b"tkhd"):
        at = tkhd.body + (20 if view[tkhd.body] else 12)
        return int.from_bytes(view[at : at + 4], "big")
    return 0


def _descriptions(view: memoryview, stsd: Box, key: str, name: str, where: str) -> Iterator[Entry]:
    seen: set[bytes] = set()
    for entry in walk(view, stsd.body + 8, stsd.end, 256).boxes:
        codec = _CODECS.get(entry.type, printable(entry.type))
        if entry.type not in seen:
            yield Entry(f"{key}:codec", codec, f"codec of {name}", where)
        seen.add(entry.type)
        if not key.startswith(("track:video", "track:picture", "track:auxiliary")):
            continue
        for each in walk(view, entry.body + 78, entry.end, 256).boxes:
            if each.type in _COLOUR:
                shown = printable(each.type)
                value = digest(view[each.body : each.end])
                yield Entry(f"{key}:{shown}", value, f"{_NAMED.get(each.type, shown)} of {name}", where)


_HOLDER_PARTS = {b"hdlr", b"keys", b"free", b"skip", b"XMP_", b"pitm", b"iinf", b"iloc", b"iprp", b"iref", b"idat"}


def _user_data(view: memoryview, holder: Box, where: str, key: str = "") -> Iterator[Entry]:
    """List what udta and meta boxes hold besides texts, which are metadata blocks: covers, chapters, locations."""
    quicktime = bytes(view[holder.body + 4 : holder.body + 8]) == b"hdlr"
    start = holder.body if holder.type != b"meta" or quicktime else holder.body + 4
    prefix = f"{key}:" if key else ""
    for each in walk(view, start, holder.end, 4096).boxes:
        if each.type == b"meta":
            yield from _user_data(view, each, f"{where}/udta", key)
        elif each.type == b"ilst":
            for item in children(view, each)[:4096]:
                yield from _items(view, item, prefix, f"{where} ilst")
        elif each.type not in _HOLDER_PARTS and each.type[:1] != b"\xa9" and each.type.upper() != b"AIGC":
            name = printable(each.type)
            shown = _NAMED.get(each.type, f"box {name}")
            value = digest(view[each.body : each.end])
            yield Entry(f"{prefix}{holder.type.decode()}:{name}", value, shown, f"{where}/{printable(holder.type)}")


def _items(view: memoryview, item: Box, prefix: str, where: str) -> Iterator[Entry]:
    for each in children(view, item, b"data"):
        kind = int.from_bytes(view[each.body : each.body + 4], "big") & 0xFFFFFF
        if kind in (0, 1, 2):
            continue  # a text is a metadata block
        shown = "cover" if item.type == b"covr" else f"item {printable(item.type)}"
        name = "covr" if item.type == b"covr" else printable(item.type) if item.type[0] else "key"
        yield Entry(f"{prefix}item:{name}", digest(view[each.body + 8 : each.end]), shown, where)
