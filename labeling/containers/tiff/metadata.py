"""TIFF 6.0 and BigTIFF: metadata are tags of a page's directory, and a file grows only at its end.

EXIF borrowed its structure from TIFF. So the EXIF block of a TIFF file is built for the reader: a small structure with
the descriptive tags of IFD0 and the tags of the Exif directory, which reads like the EXIF of any other format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from labeling._tiff_ifd import EXIF_IFD, GPS_IFD, INTEROP_IFD, TYPE_SIZES, Entry, Ifd, Tiff, read_tiff
from labeling.containers.base import MAX_PAYLOAD, Block, Buffer, Changes, Contents, Kind, Room
from labeling.containers.collector import Collector
from labeling.containers.edits import foreign_block, splice
from labeling.containers.tiff.edit import Editor
from labeling.errors import LabelingError
from labeling.filebytes import Pieces

MAX_PAGES = 4096
"""Limit on the directories of one file."""

MAX_SPANS = 1 << 20
"""Limit on the strips and tiles of all pages together."""

XMP = 0x02BC
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _SAMPLES = 0x0100, 0x0101, 0x0102, 0x0103, 0x0111, 0x0115
_SPANS = ((0x0111, 0x0117), (0x0144, 0x0145), (0x0201, 0x0202))
"""(tag of the offsets, tag of the byte counts) of strips, of tiles, and of the stream of old-style JPEG (TIFF 6.0)."""

_C2PA = 0xCD41
_IIM = 0x83BB
_KINDS = {XMP: Kind.XMP, _IIM: Kind.IPTC, 0x8649: Kind.IPTC, 0x8773: Kind.ICC, _C2PA: Kind.C2PA}
_USER_COMMENT, _MAKER_NOTE = 0x9286, 0x927C
_DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, _USER_COMMENT)
"""ImageDescription, Make, Model, Software, DateTime, Artist, Copyright; UserComment, although it belongs in Exif."""

_ORIENTATION = 0x0112
_SUB_DIRECTORIES = {"Exif": EXIF_IFD, "GPS": GPS_IFD}
_NOT_PORTABLE = (_MAKER_NOTE, INTEROP_IFD)
"""Exif tags that contain offsets, and so mean nothing outside their file."""

_MAX_EXIF_VALUE = 256 << 10

_LABEL_IFDS = ("IFD0", "Exif")
_LABEL_TAGS = (XMP, 0x010E, _USER_COMMENT)
"""Where a label may be: an XMP packet in any directory; ImageDescription and UserComment in these two."""

_MAX_TEXT = 4 << 20
"""Limit on the bytes that are read of ImageDescription and UserComment."""

_BLANKS = b" \t\r\n\0"
_UNITS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}


def read(data: Buffer | Pieces) -> Contents:
    """Find the metadata of a TIFF file; see :mod:`labeling.containers.base`."""
    tiff = read_tiff(data, max_ifds=MAX_PAGES)
    collector = Collector()
    if not tiff.ifds:
        return Contents("tiff", "image/tiff", problems=tiff.problems)
    collector.warnings += tiff.problems
    collector.unread += _missed(tiff)
    first = tiff.ifds[0]
    width, height = _number(tiff, first, _WIDTH), _number(tiff, first, _HEIGHT)
    if tiff.cut:
        collector.problems.append("the file is cut off: a directory reaches beyond its end")
    elif not width or not height:
        collector.problems.append("its first directory has no picture size")
    for ifd in tiff.ifds:
        for entry in ifd.entries.values():
            if entry.value_offset + entry.length > len(data) and not collector.problems:
                message = f"the file is cut off: tag 0x{entry.tag:04X} of {ifd.name} reaches beyond its end"
                collector.problems.append(message)
        _read_tags(tiff, ifd, collector)
    _read_exif(tiff, collector)
    coded = _merged(_spans(tiff, collector))
    fixed = _unsized(tiff)
    if not coded and not collector.problems and not fixed:
        collector.problems.append("it has no picture data (strips or tiles)")
    chain = [ifd for ifd in tiff.ifds if is_page(ifd)]
    pages = sum(1 for ifd in chain if _WIDTH in ifd.entries)
    contents = collector.contents("tiff", "image/tiff", coded, (width, height), max(1, pages), fixed=fixed)
    return replace(contents, notes=tuple(_notes(chain)))


def _missed(tiff: Tiff) -> Iterator[str]:
    """Say which directories that may hold a label are not all there; a tag that occurs twice may hide one."""
    yield from (why for name, why in tiff.missed if name in _LABEL_IFDS)
    for ifd in tiff.ifds:
        for tag in _LABEL_TAGS if ifd.name in _LABEL_IFDS else _LABEL_TAGS[:1]:
            for number, entry in enumerate(ifd.all(tag)):
                if number:
                    yield f"tag 0x{tag:04X} is twice in {ifd.name}, and only the first one was read"
                elif entry.count and entry.type not in TYPE_SIZES:
                    yield f"tag 0x{tag:04X} in {ifd.name} is of the unknown type {entry.type}"
                elif entry.length > _MAX_TEXT and tag != XMP and not tiff.value(entry, _MAX_TEXT)[8:].strip(_BLANKS):
                    yield f"tag 0x{tag:04X} in {ifd.name} begins with {_MAX_TEXT} blanks, and its rest was not read"


def is_page(ifd: Ifd) -> bool:
    """Return whether a directory is one of the main chain: the pages, and reduced copies and masks of them."""
    return ifd.name[:3] == "IFD" and ifd.name[3:].isdigit()


def _notes(chain: list[Ifd]) -> Iterator[str]:
    for ifd in chain:
        if _WIDTH in ifd.entries and _HEIGHT in ifd.entries:
            continue
        what = "only a C2PA manifest" if set(ifd.entries) == {_C2PA} else "no picture"
        yield (
            f"{ifd.name}, a directory in the chain of pages, holds {what}: "
            "libtiff takes that for damage, and Pillow counts a page that it cannot read"
        )


def _number(tiff: Tiff, ifd: Ifd, tag: int) -> int:
    entry = ifd.entries.get(tag)
    values = tiff.ints(entry, 1) if entry is not None else ()
    return values[0] if values else 0


def _read_tags(tiff: Tiff, ifd: Ifd, collector: Collector) -> None:
    for tag, kind in _KINDS.items():
        entry = ifd.entries.get(tag)
        if entry is None:
            continue
        problem = collector.refusal(entry.length)
        if not problem and entry.value_offset + entry.length > len(tiff.data):
            problem = "it reaches beyond the end of the file"
        value = b"" if problem else tiff.value(entry)
        size = len(tiff.data)
        span = (min(entry.value_offset, size), min(entry.value_offset + entry.length, size))
        collector.add(kind, f"TIFF {ifd.name} tag 0x{tag:04X}", span, value, ifd.name, problem=problem)


def _inferred(tiff: Tiff, ifd: Ifd, offsets: Entry) -> Iterator[tuple[int, int]]:
    """Yield the one uncompressed strip of a directory that does not say how long it is, as libtiff reckons it."""
    if offsets.count != 1 or (_COMPRESSION in ifd.entries and _number(tiff, ifd, _COMPRESSION) != 1):
        return
    start, samples = _number(tiff, ifd, offsets.tag), max(1, _number(tiff, ifd, _SAMPLES))
    bits = max(1, _number(tiff, ifd, _BITS)) * samples
    length = -(-_number(tiff, ifd, _WIDTH) * bits // 8) * _number(tiff, ifd, _HEIGHT)
    if offsets.tag == _STRIPS and start >= 8 and 0 < length <= len(tiff.data) - start:
        yield start, length


def _unsized(tiff: Tiff) -> str:
    """Return why a file cannot be written: it leaves out how long its strips or tiles are; empty if it can."""
    for ifd in tiff.ifds:
        for offsets_tag, counts_tag in _SPANS[:2]:
            entry = ifd.entries.get(offsets_tag)
            if entry is not None and counts_tag not in ifd.entries and not [*_inferred(tiff, ifd, entry)]:
                return (
                    f"{ifd.name} does not say how long its strips or tiles are (tag {counts_tag} of TIFF 6.0), "
                    "so that they cannot be kept for certain; re-save it with an image editor first"
                )
    return ""


def _spans(tiff: Tiff, collector: Collector) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of every strip and tile of every directory."""
    left, size = MAX_SPANS, len(tiff.data)
    for ifd in tiff.ifds:
        for offsets_tag, counts_tag in _SPANS:
            offsets_entry, counts_entry = ifd.entries.get(offsets_tag), ifd.entries.get(counts_tag)
            if offsets_entry is not None and counts_entry is None:
                yield from _inferred(tiff, ifd, offsets_entry)
            if offsets_entry is None or counts_entry is None:
                continue
            if offsets_entry.count > left:
                collector.problems.append(f"{ifd.name} says it has {offsets_entry.count} strips or tiles, too many")
                return
            left -= offsets_entry.count
            offsets, counts = tiff.ints(offsets_entry, MAX_SPANS), tiff.ints(counts_entry, MAX_SPANS)
            if len(offsets) != len(counts) and not collector.problems:
                collector.problems.append(f"{ifd.name} has {len(offsets)} strips or tiles and {len(counts)} sizes")
            for offset, count in zip(offsets, counts, strict=False):
                if count <= 0:
                    continue  # a sparse tile, which has no bytes
                if offset < 8:
                    collector.problems.append(f"picture data of {ifd.name} overlaps the file header")
                    return
                if offset + count > size:
                    message = f"the file is cut off: picture data of {ifd.name} reaches beyond its end"
                    if message not in collector.problems:
                        collector.problems.append(message)
                    continue
                yield offset, count


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for offset, length in sorted(spans):
        end = offset + length
        if merged and offset <= sum(merged[-1]):
            start = merged[-1][0]
            merged[-1] = (start, max(end, sum(merged[-1])) - start)
        else:
            merged.append((offset, length))
    return merged


# EXIF


def _read_exif(tiff: Tiff, collector: Collector) -> None:
    first = tiff.ifds[0]
    wanted = [first.entries[tag] for tag in _DESCRIPTIVE if tag in first.entries]
    below: dict[int, list[Entry]] = {}
    for name, pointer in _SUB_DIRECTORIES.items():
        if (ifd := tiff.ifd(name)) is not None:
            below[pointer] = [entry for tag, entry in ifd.entries.items() if tag not in _NOT_PORTABLE]
    if not wanted and not below:
        return
    if _ORIENTATION in first.entries:
        wanted.append(first.entries[_ORIENTATION])
    head = struct.pack(tiff.byte_order + "2sHI", b"II" if tiff.byte_order == "<" else b"MM", 42, 8)
    data = head + _directory(tiff, wanted, 8, below)
    span = (first.offset, min(first.next_offset_at, len(tiff.data)))
    names = ["TIFF IFD0", *(f"{name} IFD" for name, tag in _SUB_DIRECTORIES.items() if tag in below)]
    where = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    collector.add(Kind.EXIF, where, span, data, first.name)


def _directory(tiff: Tiff, entries: list[Entry], offset: int, below: Mapping[int, list[Entry]]) -> bytes:
    """Make a classic directory for ``offset`` with copies of ``entries``, followed by those ``below``, by pointer."""
    order = tiff.byte_order
    limits = dict.fromkeys(_LABEL_TAGS, _MAX_TEXT)
    portable = [
        (entry, tiff.value(entry, limits.get(entry.tag, _MAX_EXIF_VALUE)))
        for entry in entries
        if entry.type <= 13 or entry.type == 129
    ]
    rows = [
        (entry.tag, entry.type, len(value) // TYPE_SIZES[entry.type], value)
        for entry, value in portable
        if entry.type in TYPE_SIZES
    ]
    rows += [(pointer, 4, 1, b"") for pointer in below]
    values_at = offset + 2 + 12 * len(rows) + 4
    table, values = struct.pack(order + "H", len(rows)), b""
    for tag, kind, count, value in sorted(rows):
        if tag in below:
            # Its value, the place of the next directory, is known only when all values are laid out.
            field = b"\0\0\0\0"
        elif len(value) <= 4:
            field = value.ljust(4, b"\0")
        else:
            field = struct.pack(order + "I", values_at + len(values))
            values += value + b"\0" * (len(value) & 1)
        table += struct.pack(order + "HHI", tag, kind, count) + field
    for pointer, inner in below.items():
        at = values_at + len(values)
        row = 2 + 12 * sorted(rows).index((pointer, 4, 1, b"")) + 8
        table = table[:row] + struct.pack(order + "I", at) + table[row + 4 :]
        made = _directory(tiff, inner, at, {})
        values += made + b"\0" * (len(made) & 1)
    return table + b"\0\0\0\0" + values


# Writing


def rewrite(data: Buffer | Pieces, contents: Contents, changes: Changes) -> list[Buffer]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`.

    Nothing moves: what grew goes to the end of the file. Bytes that nothing refers to any more are zeroed, so that no
    old label is left. A packet that fits its old place, or ends the file, is replaced where it is. The descriptive tags
    of IFD0 and those of the Exif and GPS directories in ``changes.exif`` are merged into the file; tags that it lacks
    stay.

    Raises:
        LabelingError: A block to be dropped is not in the file, the EXIF is damaged, the metadata is too large, or a
            classic TIFF would grow beyond 4 GiB.
    """
    for block in changes.drop:
        if block not in contents.blocks:
            raise foreign_block(block)
    if changes == Changes():
        return splice(data, ())
    if changes.xmp is not None and len(changes.xmp) > MAX_PAYLOAD:
        raise LabelingError(f"the XMP is {len(changes.xmp)} bytes, more than the {MAX_PAYLOAD} that fit one TIFF tag")
    tiff = read_tiff(data, max_ifds=MAX_PAGES)
    editor = Editor(tiff, contents.coded)
    for block in set(changes.drop):
        _drop(editor, tiff, block)
    if changes.xmp is not None:
        editor.set_last("IFD0", XMP, 7, changes.xmp)
    if changes.exif is not None:
        _merge_exif(editor, tiff, changes.exif)
    return editor.pieces()


def with_iim(data: bytes, datasets: bytes) -> bytes:
    """Return the file with IPTC-IIM datasets (IPTC-NAA IIM 4.2) in the tag of IFD0 that is for them."""
    editor = Editor(read_tiff(data, max_ifds=MAX_PAGES), read(data).coded)
    editor.set("IFD0", _IIM, 7, datasets)
    return b"".join(editor.pieces())


def make_room(data: bytes, length: int) -> Room:
    """Make a copy with room for a C2PA manifest in IFD0, in place of any that is there.

    C2PA 1.3 puts the manifest into IFD0. Later versions (2.2, A.3) ask for a last directory that holds nothing else,
    which breaks the chain of pages for readers of TIFF; validators look in both.

    Args:
        data: The file.
        length: Bytes of the manifest store.
    """
    tiff = read_tiff(data, max_ifds=MAX_PAGES)
    if not tiff.ifds or tiff.cut:
        raise LabelingError("the file is damaged: its directories cannot be read", hint="re-save it first")
    editor = Editor(tiff, read(data).coded)
    for ifd in tiff.ifds:
        editor.remove(ifd.name, _C2PA)
    editor.set("IFD0", _C2PA, 7, bytes(length))
    made = b"".join(editor.pieces())
    after = read_tiff(made, max_ifds=MAX_PAGES)
    entry = after.ifds[0].entries[_C2PA]
    if any(made[entry.value_offset : entry.value_offset + length]) or entry.length != length:
        raise LabelingError("the TIFF's directories share bytes with other data", hint="re-save the TIFF first")
    view = memoryview(made)
    return Room([view[: entry.value_offset]], [view[entry.value_offset + length :]], length)


def _drop(editor: Editor, tiff: Tiff, block: Block) -> None:
    if block.kind is Kind.EXIF:
        for tag in _DESCRIPTIVE:
            editor.remove("IFD0", tag)
        for name, pointer in _SUB_DIRECTORIES.items():
            ifd = tiff.ifd(name)
            for tag in tuple(ifd.entries) if ifd is not None else ():
                editor.remove(name, tag)
            editor.remove("IFD0", pointer)
        return
    tag = int(block.where.rsplit("0x", 1)[1], 16)
    editor.remove(block.keyword, tag)


def _merge_exif(editor: Editor, tiff: Tiff, structure: bytes) -> None:
    given = read_tiff(structure)
    if not given.ifds:
        raise LabelingError(f"the EXIF to be written is not sound: {given.problems[0]}")
    for name, chosen in (("IFD0", _DESCRIPTIVE), ("Exif", None), ("GPS", None)):
        source, target = given.ifd(name), tiff.ifd(name)
        if source is None:
            continue
        for tag, entry in source.entries.items():
            if (chosen is not None and tag not in chosen) or tag in _NOT_PORTABLE or entry.type not in TYPE_SIZES:
                continue
            value = given.value(entry)
            if given.byte_order != tiff.byte_order:
                value = _swapped(value, _UNITS.get(entry.type, 1))
            old = target.entries.get(tag) if target is not None else None
            if old is None or old.type != entry.type or tiff.value(old) != value:
                editor.set(name, tag, entry.type, value)


def _swapped(value: bytes, unit: int) -> bytes:
    if unit == 1:
        return value
    return b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit))
