"""What HEIF and AVIF files hold: pictures with their properties, what belongs to them, and the tracks of sequences.

A new encoder gives items new ids and cuts pictures into other tiles. So an item is known by what it is to the picture,
not by its id or coding.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from

from labeling.containers.base import Buffer, Contents, Entry, Kind, Measure, digest, digest_of_part
from labeling.containers.heif.layout import File, parse
from labeling.containers.heif.meta_box import Meta
from labeling.containers.inventories.isobmff import movie
from labeling.containers.syntax.isobmff import UUID_C2PA, UUID_XMP, Box, children, printable, walk

MAX_ASSOCIATIONS = 1 << 18
"""Limit on the associations of properties and references of items that are looked at."""

_REBUILT = {b"ftyp", b"meta", b"moov", b"mdat", b"free", b"skip", b"wide"}
_CODED = {b"hvc1", b"hev1", b"av01", b"avc1", b"jpeg", b"j2k1", b"vvc1", b"unci", b"lhv1", b"evc1", b"grid"}
_CODINGS = {b"hvcC", b"av1C", b"avcC", b"vvcC", b"lhvC", b"evcC", b"j2kH", b"ispe", b"irot", b"imir", b"auxC", b"uncC"}
"""Properties of how a picture is coded and turned; its size as displayed is an entry of its own."""

_NAMED = {
    b"pasp": "pixel aspect ratio", b"clap": "clean aperture", b"mdcv": "HDR mastering display",
    b"clli": "HDR light levels", b"cclv": "content colour volume", b"amve": "ambient viewing environment",
    b"altt": "alternative text", b"udes": "user description", b"ndwt": "nominal diffuse white",
}  # fmt: skip
_ALPHA = (b"auxiliary:alpha", b"auxid:1", b"aux:alpha")
_CHROMA = ((0, "monochrome"), (1, "4:2:0"), (2, "4:2:2"), (3, "4:4:4"))


def inventory(data: Buffer, contents: Contents) -> Iterator[Entry]:
    """List what a HEIF file holds (ISO/IEC 23008-12)."""
    file = parse(data)
    view = file.view
    for each in file.boxes:
        if each.type not in _REBUILT and each.user not in (UUID_XMP, UUID_C2PA):
            name = printable(each.type)
            value = digest_of_part(data, each.body, each.end)
            yield Entry(f"box:{name}", value, f"box {name}", f"HEIF, offset {each.start}")
        elif each.type == b"moov":
            yield from movie(view, each, {}, "HEIF")
    if file.meta is not None:
        known = {block.keyword for block in contents.blocks if block.kind is not Kind.ICC}
        yield from _items(file, file.meta, known)
    if file.end < len(view):
        value = digest_of_part(data, file.end, len(view))
        yield Entry("trailer", value, f"{len(view) - file.end} bytes behind the end", f"HEIF, offset {file.end}")


def _items(file: File, meta: Meta, known: set[str]) -> Iterator[Entry]:
    view = file.view
    references = _references(view, meta)
    sources = {kind: {source for each, source, _ in references if each == kind} for kind in (b"thmb", b"auxl")}
    tiles = {target for kind, _, targets in references if kind == b"dimg" for target in targets}
    properties = _properties(view, meta)
    main = _master(meta, references)
    for number, item in meta.items.items():
        where = f"HEIF item {number}"
        if item.is_metadata:
            if item.type == b"uri " and f"item {number}" not in known:
                yield Entry("item:uri", b"", "item uri", where)
        elif number in sources[b"thmb"]:
            yield Entry("thumbnail", b"", "thumbnail", where)
        elif number in sources[b"auxl"]:
            yield _auxiliary(view, properties.get(number, []), where)
        elif item.type not in _CODED:
            name = printable(item.type)
            yield Entry(f"item:{name}", b"", f"derived picture {name}", where)
        elif number not in tiles and number != meta.primary:
            yield Entry("picture", b"", "further picture", where)
    yield from _shown(view, meta, properties, main)
    grpl = meta.child(b"grpl")
    for group in children(view, grpl) if grpl is not None else ():
        name = printable(group.type)
        yield Entry(f"group:{name}", b"", f"group {name}", "HEIF meta/grpl")
    for kind, source, _ in references:
        if kind not in (b"thmb", b"auxl", b"dimg", b"cdsc"):
            name = printable(kind)
            yield Entry(f"reference:{name}", b"", f"reference {name}", f"HEIF item {source}")


def _references(view: memoryview, meta: Meta) -> list[tuple[bytes, int, list[int]]]:
    """Read iref (14496-12, 8.11.12): (type, from, to)."""
    iref = meta.child(b"iref")
    found: list[tuple[bytes, int, list[int]]] = []
    if iref is None:
        return found
    size = 4 if view[iref.body] else 2
    left = MAX_ASSOCIATIONS
    for each in walk(view, iref.body + 4, iref.end).boxes:
        raw = bytes(view[each.body : each.end])
        targets = [int.from_bytes(raw[at : at + size], "big") for at in range(size + 2, len(raw) - size + 1, size)]
        left -= 1 + len(targets)
        if left < 0:
            break
        found.append((each.type, int.from_bytes(raw[:size], "big"), targets))
    return found


def _properties(view: memoryview, meta: Meta) -> dict[int, list[Box]]:
    """Read ipma (23008-12, 9.3): the properties of each item."""
    found: dict[int, list[Box]] = {}
    iprp = meta.child(b"iprp")
    left = MAX_ASSOCIATIONS
    for ipma in children(view, iprp, b"ipma") if iprp is not None else ():
        raw = bytes(view[ipma.body : ipma.end])
        id_size, wide = (4 if raw[:1] > b"\0" else 2), bool(raw[3:4] and raw[3] & 1)
        at = 8
        for _ in range(int.from_bytes(raw[4:8], "big")):
            if at + id_size + 1 > len(raw) or left < 0:
                break
            number, count = int.from_bytes(raw[at : at + id_size], "big"), raw[at + id_size]
            at += id_size + 1
            for _ in range(count):
                index = (
                    int.from_bytes(raw[at : at + 2], "big") & 0x7FFF if wide else (raw[at : at + 1] or b"\0")[0] & 127
                )
                at += 2 if wide else 1
                if 0 < index <= len(meta.properties):
                    found.setdefault(number, []).append(meta.properties[index - 1])
            left -= 1 + count
    return found


def _master(meta: Meta, references: list[tuple[bytes, int, list[int]]]) -> list[int]:
    """Return the primary item, and below it what it is derived from, first tiles first."""
    found, wanted = [meta.primary], meta.primary
    for _ in range(4):
        targets = next((to for kind, source, to in references if kind == b"dimg" and source == wanted and to), None)
        if targets is None or targets[0] in found:
            break
        wanted = targets[0]
        found.append(wanted)
    return found


def _auxiliary(view: memoryview, properties: list[Box], where: str) -> Entry:
    for each in properties:
        if each.type == b"auxC":
            urn = bytes(view[each.body + 4 : each.end]).partition(b"\0")[0]
            if urn.endswith(_ALPHA):
                return Entry("alpha", b"", "alpha channel", where)
            name = printable(urn[:128])
            return Entry(f"auxiliary:{name}", b"", f"auxiliary picture {name}", where)
    return Entry("auxiliary", b"", "auxiliary picture", where)


def _shown(view: memoryview, meta: Meta, properties: dict[int, list[Box]], main: list[int]) -> Iterator[Entry]:
    """List how the primary picture is to be shown, and how finely it is sampled."""
    where = f"HEIF item {meta.primary}"
    sizes, own = [], properties.get(meta.primary, [])
    for each in own:
        raw = bytes(view[each.body : each.end])
        if each.type == b"ispe" and len(raw) >= 12:
            sizes.append(sorted(unpack_from(">II", raw, 4)))
        elif each.type == b"colr" and raw[:4] == b"nclx" and len(raw) >= 11:
            *codes, full = unpack_from(">HHHB", raw, 4)
            value = "/".join(map(str, codes)) + (" full range" if full & 0x80 else " limited range")
            yield Entry("colour:nclx", value, "colour description (nclx)", where)
        elif each.type not in _CODINGS | {b"colr", b"pixi"}:
            name = printable(each.type)
            yield Entry(f"property:{name}", digest(raw), _NAMED.get(each.type, f"property {name}"), where)
    if sizes:
        yield Entry("size", "×".join(map(str, sizes[0])), "size", where)
    for number in main:
        coding = next((each for each in properties.get(number, []) if each.type in (b"av1C", b"hvcC")), None)
        if coding is not None:
            bits, chroma = _sampling(coding.type, bytes(view[coding.body : coding.end]))
            yield Entry("bit-depth", Measure(bits, f"{bits} bits"), "bit depth", where)
            rank, name = _CHROMA[chroma]
            yield Entry("chroma", Measure(rank, name), "chroma sampling", where)
            return


def _sampling(kind: bytes, raw: bytes) -> tuple[int, int]:
    """Return bits a sample, and the chroma format as HEVC numbers it."""
    if kind == b"av1C":
        flags = raw[2] if len(raw) > 2 else 0x0C
        bits = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
        return bits, 0 if flags & 0x10 else 3 if not flags & 0x08 else 2 if not flags & 0x04 else 1
    return (8 + (raw[17] & 7), raw[16] & 3) if len(raw) > 17 else (8, 1)
