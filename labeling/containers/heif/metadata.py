"""HEIF, HEIC and AVIF (ISO/IEC 23008-12; AV1 Image File Format): metadata are items of the meta box.

The data of items, and the frames of a sequence, are found by absolute offsets. When a box changes its size, every
offset behind it has to be updated; :mod:`.edit` does that.
"""

from __future__ import annotations

from labeling.containers.base import MAX_PAYLOAD, Block, Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector, has_label_in
from labeling.containers.edits import foreign_block
from labeling.containers.heif import meta_box, movie_only
from labeling.containers.heif.edit import Editor
from labeling.containers.heif.layout import File, coded_spans, fixed, parse
from labeling.containers.syntax.isobmff import UUID_C2PA, UUID_XMP, Box, printable
from labeling.errors import LabelingError

_HEIC = {b"heic", b"heix", b"heim", b"heis"}
_HEIC_SEQUENCE = {b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_ENCODINGS = {"deflate", "compress_zlib"}
_MANIFESTS = {b"manifest", b"original", b"update"}
_EXIF_PREFIX = b"Exif\0\0"


def read(data: Buffer) -> Contents:
    """Find the metadata of a HEIF or AVIF file; see :mod:`labeling.containers.base`."""
    file = parse(data)
    collector = Collector(problems=file.problems, warnings=file.warnings)
    if has_label_in(data, file.end, len(data)):
        collector.unread.append(f"a label is among the {len(data) - file.end} bytes behind the last box")
    media_type = _media_type(file)
    title = "AVIF" if media_type == "image/avif" else "HEIF"
    coded = coded_spans(file, file.problems)
    width = height = 0
    if file.meta is not None:
        width, height = meta_box.picture_size(file.view, file.meta)
        _read_items(file, file.meta, title, collector)
        _read_colour(file, file.meta, title, collector)
    first_coded = min((offset for offset, _ in coded), default=len(data))
    for each in file.boxes:
        if each.type == b"uuid":
            _read_uuid(file.view, each, title, each.start > first_coded, collector)
    frames = max((track.samples for track in file.tracks if track.handler in (b"pict", b"vide")), default=1)
    if not coded and not file.problems:
        file.problems.append("it has no picture data that can be found")
    return collector.contents("heif", media_type, coded, (width, height), max(1, frames), fixed=fixed(file))


def _media_type(file: File) -> str:
    if not file.boxes or file.boxes[0].type != b"ftyp":
        return "image/heif"
    raw = bytes(file.view[file.boxes[0].body : min(file.boxes[0].end, file.boxes[0].body + 1024)])
    major, compatible = raw[:4], {raw[at : at + 4] for at in range(8, len(raw) - 3, 4)}
    if major in _AVIF:
        return "image/avif"
    if major in _HEIC:
        return "image/heic"
    if major in _HEIC_SEQUENCE:
        return "image/heic-sequence"
    if compatible & _AVIF:
        return "image/avif"
    return "image/heif-sequence" if major == b"msf1" else "image/heif"


# Items


def _read_items(file: File, meta: meta_box.Meta, title: str, collector: Collector) -> None:
    size = len(file.view)
    seen = [meta.spans(location, size) for location in meta.locations.values()]
    _read_meta_items(file, meta, title, "item", collector)
    for index, inner in enumerate(file.inner):
        # The items of a track are mostly those of the file again.
        known = [number for number, location in inner.locations.items() if inner.spans(location, size) in seen]
        for number in known:
            inner.items.pop(number, None)
        _read_meta_items(file, inner, f"{title} track", f"track {index} item", collector)


def _read_meta_items(file: File, meta: meta_box.Meta, title: str, keyword: str, collector: Collector) -> None:
    for item in meta.items.values():
        if item.type == b"Exif":
            kind, where = Kind.EXIF, f"{title} item Exif"
        elif item.type == b"mime":
            kind = Kind.XMP if item.is_xmp else Kind.APP
            where = f"{title} item mime {printable(item.content_type[:64].encode('latin-1'))}"
        else:
            continue
        if collector.full:
            return
        span, data, problem = item_data(file, meta, item, collector)
        if sum(span) > file.end:
            file.problems.append(f"the file is cut off: {where} extends beyond its last box")
            span = (min(span[0], file.end), 0)
        if kind is Kind.EXIF and not problem:
            data = _tiff_of(data)
        collector.add(kind, where, (span[0], sum(span)), data, f"{keyword} {item.id}", problem=problem)


def item_data(
    file: File, meta: meta_box.Meta, item: meta_box.Item, collector: Collector
) -> tuple[tuple[int, int], bytes, str]:
    """Read a metadata item; return (offset, length) of its first extent, its payload, and what is wrong with it."""
    location = meta.locations.get(item.id)
    spans = meta.spans(location, len(file.view)) if location is not None else []
    if location is None or not spans:
        method = location.method if location is not None else 0
        return (0, 0), b"", "it is stored inside another item" if method == 2 else "it has no data in this file"
    if item.protected:
        return spans[0], b"", "it is encrypted"
    problem = collector.refusal(sum(length for _, length in spans))
    if problem:
        return spans[0], b"", problem
    if any(offset + length > len(file.view) for offset, length in spans):
        return spans[0], b"", "it extends beyond the end of the file"
    data = b"".join(file.view[offset : offset + length] for offset, length in spans)
    if item.encoding in _ENCODINGS:
        data, problem = collector.inflate(data)
    elif item.encoding:
        problem = f"it is encoded as {item.encoding[:40]!r}, which is unknown"
    return spans[0], data, problem


def _tiff_of(data: bytes) -> bytes:
    """Return the TIFF structure of an Exif item, whose first four bytes are its offset (ISO/IEC 23008-12, A.2.1)."""
    start = 4 + int.from_bytes(data[:4], "big")
    if data[start : start + 2] in (b"II", b"MM"):
        return data[start:]
    # Some writers forget the four bytes, or count them wrongly.
    for start in (4, 0):
        if data[start : start + 6] == _EXIF_PREFIX:
            return data[start + 6 :]
        if data[start : start + 2] in (b"II", b"MM"):
            return data[start:]
    return data[4:]


def _read_colour(file: File, meta: meta_box.Meta, title: str, collector: Collector) -> None:
    for each in meta.properties:
        if each.type == b"colr" and bytes(file.view[each.body : each.body + 4]) in (b"prof", b"rICC"):
            if collector.full:
                return
            span = (each.start, each.end)
            collector.add(Kind.ICC, f"{title} colr property", span, file.view[each.body + 4 : each.end], "colr")


def _read_uuid(view: memoryview, each: Box, title: str, late: bool, collector: Collector) -> None:
    span = (each.start, each.end)
    if each.user == UUID_XMP:
        collector.add(Kind.XMP, f"{title} uuid XMP box", span, view[each.body : each.end], "uuid", late)
    elif each.user == UUID_C2PA:
        # Version and flags, a purpose that ends with NUL, the offset of the first Merkle box (C2PA 2.x, A.5.1).
        purpose = bytes(view[each.body + 4 : min(each.body + 68, each.end)]).split(b"\0", 1)[0]
        start = each.body + 4 + len(purpose) + 1 + 8
        if purpose in _MANIFESTS:
            body, keyword = view[min(start, each.end) : each.end], purpose.decode()
            collector.add(Kind.C2PA, f"{title} uuid C2PA box", span, body, keyword, late)


# Writing


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    XMP and EXIF are items that describe the primary item. Old data is overwritten where the new data fits. Other data
    goes into an mdat box at the end, so that picture data only moves by as much as the meta box grows.
    """
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    if changes == Changes():
        return [data]
    for payload in (changes.xmp, changes.exif):
        if payload is not None and len(payload) > MAX_PAYLOAD:
            raise LabelingError(f"the metadata is {len(payload)} bytes, more than the {MAX_PAYLOAD} of one item")
    file = parse(data)
    kept = [block for block in contents.blocks if block not in changes.drop]
    if reason := fixed(file) if file.meta is None else "":
        raise LabelingError(reason)
    if file.meta is None:
        return movie_only.rewrite(file, kept, changes)
    editor = Editor(file, file.meta, contents.coded)
    for block in set(changes.drop):
        _drop(editor, block)
    if changes.exif is not None:
        # An offset of zero: the TIFF structure follows immediately.
        editor.put(_main(kept, Kind.EXIF), b"Exif", "", b"\0\0\0\0" + changes.exif)
    if changes.xmp is not None:
        main = _main(kept, Kind.XMP)
        elsewhere = next((block for block in kept if block.kind is Kind.XMP), None)
        if not main and elsewhere is not None:
            _drop(editor, elsewhere)  # from a uuid box or an item of a track, the packet moves to an item of the file
        editor.put(main, b"mime", meta_box.XMP_TYPE, changes.xmp)
    return editor.pieces()


def _main(kept: list[Block], kind: Kind) -> int:
    """Return the ID of the first block of ``kind`` that is an item; 0 if there is none."""
    for block in kept:
        if block.kind is kind and block.keyword.startswith("item "):
            return int(block.keyword[5:])
    return 0


def _drop(editor: Editor, block: Block) -> None:
    if block.keyword.startswith("item "):
        editor.remove_item(int(block.keyword[5:]))
    elif block.keyword.startswith("track "):
        _, index, _, number = block.keyword.split()
        editor.remove_item(int(number), editor.inner[int(index)])
    elif block.kind is Kind.ICC:
        raise LabelingError("the colour profile of a HEIF or AVIF picture is part of the picture and cannot be dropped")
    else:
        editor.remove_box(block.offset)
