"""The inventory of a file: its metadata blocks, taken apart, and what its container module lists besides them."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import islice

from labeling import containers
from labeling._tiff_ifd import EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS, read_tiff
from labeling.containers import Block, Buffer, Contents, Entry, Kind, Part
from labeling.containers.base import MAX_ENTRIES, digest
from labeling.containers.syntax.photoshop import thumbnail_range
from labeling.filebytes import FileBytes, Pieces
from labeling.losses import Loss
from labeling.marks import aigc, exif, iptc, xmp
from labeling.preservation.comparison import losses_of, unmatched
from labeling.verification import metadata

OURS = frozenset({aigc.XMP_NAME, iptc.DIGITAL_SOURCE_TYPE, iptc.AI_SYSTEM, iptc.AI_SYSTEM_VERSION})
"""XMP properties that a label sets."""

ASKED = frozenset({"exif:IFD0:0x010E", "exif:IFD0:0x0131", "exif:IFD0:0x0132"})
"""EXIF tags that ``exif=True`` sets: ImageDescription, Software, DateTime."""

_MUXER = frozenset({"text:MuxingApp", "text:WritingApp", "text:DURATION"})
_COUNTS = frozenset({"text:BPS", "text:NUMBER_OF_BYTES", "text:NUMBER_OF_FRAMES"})
"""Texts that count what is in a track: where that changes, other numbers are right."""

_MUXERS = (b"Lavf", b"libebml")
"""Texts that a muxer writes of itself and of what it wrote: in a new file, they are those of the new one."""

_POINTERS = frozenset({EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS})
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_LAYOUT = frozenset({0x0111, 0x0117, 0x0144, 0x0145})  # where strips and tiles are, and how long


@dataclass(slots=True)
class State:
    """A file as it is at one moment of its labelling.

    Attributes:
        data: The file.
        contents: What :func:`labeling.containers.read` found in it.
        found: What :func:`labeling.verification.metadata.scan` found in ``contents``.
        manifest: A C2PA manifest store in a file beside it.
    """

    data: Buffer | FileBytes | Pieces
    contents: Contents
    found: metadata.Found
    manifest: bytes | None = None


@dataclass(slots=True)
class _Blocks:
    """The blocks that two files do not share, taken apart."""

    before: list[Entry] = field(default_factory=list)
    after: list[Entry] = field(default_factory=list)


def find_losses(
    before: State, after: State, *, why: str, reasons: Mapping[str, str] | None = None, meant: Collection[str] = ()
) -> tuple[Loss, ...]:
    """Find what ``before`` holds and ``after`` does not.

    Labels that moved, and what a label sets, are no losses; nor is a C2PA manifest that became the parent ingredient.

    Args:
        before: The source.
        after: The labelled copy.
        why: The reason for what has no reason of its own.
        reasons: Reasons of the painter or re-muxer, by an entry's key or the beginning of one, up to a colon.
        meant: Keys of entries that were asked to change, or patterns of them with ``*``.
    """
    blocks = _blocks(before, after)
    old, new = _listed(before, after)
    missing = unmatched([*blocks.before, *old], [*blocks.after, *new])
    missing = [(entry, new) for entry, new in missing if not (_is_meant(entry.key, meant) or _of_muxer(entry))]
    missing = [(entry, new) for entry, new in missing if new is None or entry.key not in _COUNTS]
    if not missing:
        return ()
    costs = containers.format_named(before.contents.format).costs
    return losses_of([(named(entry), new) for entry, new in missing], reasons or {}, costs, why)


def _is_meant(key: str, meant: Collection[str]) -> bool:
    return key in meant or any("*" in each and fnmatchcase(key, each) for each in meant)


_TAG = re.compile(r"\btag 0x([0-9A-F]{4})$")


def named(entry: Entry) -> Entry:
    """Give a tag of EXIF or TIFF its name; the table of names is loaded only where something was lost."""
    found = _TAG.search(entry.what)
    if found is None:
        return entry
    from PIL import ExifTags

    names = ExifTags.GPSTAGS if entry.where.endswith("GPS") else ExifTags.TAGS
    name = names.get(int(found[1], 16))
    return entry if name is None else entry._replace(what=f"{entry.what[: found.start()]}tag {name} (0x{found[1]})")


def entries(state: State, *, labels: bool = True) -> Iterator[Entry]:
    """List all that a file holds: its blocks, taken apart, and what its container module lists.

    ``labels=False`` leaves out blocks that are there for a label alone.
    """
    for block in _without_offsets(state):
        yield from _taken_apart(block, None if labels else state.found)
    if state.contents.format:
        yield from _bounded(state)


def _of_muxer(entry: Entry) -> bool:
    if ":".join(entry.key.split(":", 2)[:2]) in _MUXER:
        return True
    return entry.key.startswith("text:") and isinstance(entry.value, bytes) and entry.value.startswith(_MUXERS)


def _bounded(state: State) -> Iterator[Entry]:
    return islice(containers.inventory(state.data, state.contents), MAX_ENTRIES)


def _listed(before: State, after: State) -> tuple[list[Entry], list[Entry]]:
    """List what two files hold, without the parts that both hold alike."""
    old, new = (
        list(islice(containers.inventory_in_parts(state.data, state.contents), MAX_ENTRIES))
        for state in (before, after)
    )
    there = [each.identity for each in new if isinstance(each, Part)]
    shared = []
    for each in old if there else ():
        if isinstance(each, Part) and each.identity in there:
            there.remove(each.identity)
            shared.append(each.identity)
    return _made(old, shared), _made(new, shared)


def _made(listed: list[Entry | Part], shared: list[tuple[object, ...]]) -> list[Entry]:
    left, made = list(shared), list[Entry]()
    for each in listed:
        if not isinstance(each, Part):
            made.append(each)
        elif each.identity in left:
            left.remove(each.identity)
        else:
            made += islice(each.entries(), max(0, MAX_ENTRIES - len(made)))
    return made


def _blocks(before: State, after: State) -> _Blocks:
    """Leave out the blocks that are the same in both, which is most of them, and take the others apart."""
    if not before.contents.blocks and before.manifest is None:
        return _Blocks()  # nothing can be missing
    rest: dict[tuple[Kind, str, bytes], int] = {}
    for block in _without_offsets(after):
        identity = _identity(block)
        rest[identity] = rest.get(identity, 0) + 1
    found = _Blocks()
    for block in _without_offsets(before):
        identity = _identity(block)
        if rest.get(identity, 0):
            rest[identity] -= 1
        else:
            found.before += _taken_apart(block, before.found)
    if before.manifest is not None:
        found.before += _manifests(before.manifest, "beside the file")
    if found.before:  # else nothing can be missing
        for block in _without_offsets(after):
            found.after += _taken_apart(block, None)
        if after.manifest is not None:
            found.after += _manifests(after.manifest, "beside the file")
    return found


def _without_offsets(state: State) -> Iterator[Block]:
    """Yield the blocks without numbers that have to follow when other things of the file move."""
    for block in state.contents.blocks:
        data = containers.without_offsets(block)
        yield block if data is block.data else replace(block, data=data)


def _taken_apart(block: Block, source: metadata.Found | None) -> list[Entry]:
    """List what a block holds; of the source's blocks, without the labels in it (``source`` says where they are)."""
    is_carrier = source is not None and block in source.carriers
    if block.kind is Kind.XMP and not block.keyword.startswith("extension"):
        return list(_properties(block))
    if block.kind is Kind.EXIF:
        return list(_tags(block, is_carrier=is_carrier))
    if block.kind is Kind.C2PA:
        return list(_manifests(block.data, block.where))
    if is_carrier:
        return []
    name = _name(block)
    key = f"{block.kind}:{name}" if name else str(block.kind)
    data = block.data
    if block.kind is Kind.IPTC and (thumbnail := thumbnail_range(data)):
        # The thumbnail may have got the label as well: that it is there has to stay.
        data = data[: thumbnail[0]] + data[thumbnail[1] :]
    return [Entry(key, digest(data), f"{_WORDS.get(block.kind, str(block.kind))} {name}".rstrip(), block.where)]


def _name(block: Block) -> str:
    """Return the name of a block among those of its kind; ids, which a new file gives anew, are no names."""
    if block.kind in (Kind.TEXT, Kind.PROPERTY):
        return block.keyword
    return block.where if block.kind is Kind.APP else ""


def _identity(block: Block) -> tuple[Kind, str, bytes]:
    return block.kind, _name(block), block.data


_WORDS = {
    Kind.XMP: "Extended XMP", Kind.TEXT: "text", Kind.PROPERTY: "property", Kind.COMMENT: "comment",
    Kind.IPTC: "IPTC IIM records", Kind.ICC: "ICC colour profile", Kind.USER: "user data in the coded video",
    Kind.APP: "application data",
}  # fmt: skip


def _properties(block: Block) -> Iterator[Entry]:
    try:
        packet = xmp.parse(block.data)
    except xmp.XmpError:
        yield Entry("xmp", digest(block.data), "XMP packet", block.where)
        return
    for prop in packet.properties:
        if prop.name in OURS or aigc.FIELD in prop.name.local.upper():
            continue
        key = f"xmp:{prop.name.namespace}:{prop.name.local}"
        raw = packet.data[prop.start : prop.end]
        # Compared as text where it is plain: a packet may be serialised in another way that says the same.
        value = prop.text.encode() if prop.form == "attribute" or raw.count(b"<") == 2 else raw
        yield Entry(key, digest(value), f"XMP {prop.qname}", block.where)


def _tags(block: Block, *, is_carrier: bool) -> Iterator[Entry]:
    tiff = read_tiff(block.data)
    labels = {(name, entry.tag) for name, entry in exif.label_entries(block.data)} if is_carrier else ()
    for ifd in tiff.ifds:
        for tag, entry in ifd.entries.items():
            if tag in _POINTERS or tag in _LAYOUT or tag == _THUMBNAIL_LENGTH or (ifd.name, tag) in labels:
                continue
            if tag == _THUMBNAIL:
                # The thumbnail may have got the label as well: that it is there has to stay.
                yield Entry(f"thumbnail:{ifd.name}", b"", "EXIF thumbnail", f"{block.where} {ifd.name}")
                continue
            value = tiff.value(entry)
            if tiff.byte_order == ">":
                value = _little(value, entry.type)
            key = f"exif:{ifd.name}:0x{tag:04X}"
            yield Entry(key, digest(value), f"EXIF tag 0x{tag:04X}", f"{block.where} {ifd.name}")


_UNITS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def _little(value: bytes, kind: int) -> bytes:
    """Return the numbers of a big-endian value as little-endian ones, so that both compare."""
    unit = _UNITS.get(kind, 1)
    if unit == 1:
        return value
    return b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit))


_MAX_MANIFESTS = 256


def _manifests(store: bytes, where: str) -> Iterator[Entry]:
    """List the manifests of a C2PA manifest store by their labels (C2PA 2.2, 11.1; ISO/IEC 19566-5).

    A new store holds the manifests of the parent beside its own: one that is missing has been lost.
    """
    # In ISO files, the purpose of the box comes before the store (C2PA 2.2, A.5.1).
    begin = store.find(b"jumb", 0, 256)
    labels = list(_labels(store[max(0, begin - 4) :]))
    if not labels:
        yield Entry("c2pa", digest(store), "C2PA manifest", where)
    for label in labels:
        yield Entry(f"c2pa:{label}", b"", f"C2PA manifest {label}", where)


def _labels(store: bytes) -> Iterator[str]:
    at = _body(store, 0)
    at = _end(store, at) if store[at + 4 : at + 8] == b"jumd" else len(store)
    for _ in range(_MAX_MANIFESTS):
        if store[at + 4 : at + 8] != b"jumb":
            return
        described = at + 8
        end = _end(store, described)
        if store[described + 4 : described + 8] == b"jumd":
            text = store[described + 8 + 17 : end].split(b"\0", 1)[0]  # after the UUID and the toggles
            yield text.decode("utf-8", "replace")
        at = _end(store, at)


def _body(store: bytes, at: int) -> int:
    return at + 8 if store[at + 4 : at + 8] == b"jumb" else at


def _end(store: bytes, at: int) -> int:
    """Return where the box at ``at`` ends; always further on."""
    if at + 8 > len(store):
        return len(store)
    (size,) = struct.unpack_from(">I", store, at)
    return at + size if size >= 8 else len(store)


def words(losses: Iterable[Loss]) -> list[dict[str, str]]:
    """Return losses as results hold them."""
    return [loss.to_dict() for loss in losses]
