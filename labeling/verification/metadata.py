"""Joins containers and marks: which mark may sit in which kind of block.

Containers know no mark and marks know no bytes; this table is where they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from labeling.containers import Block, Contents, Kind
from labeling.findings import Finding, Signature, Status
from labeling.marks import aigc, exif, generator, iim, iptc, xmp
from labeling.rule_catalogue import defect


@dataclass(slots=True)
class Found:
    """What the metadata of one file says. ``carriers`` tells which block each AIGC finding came from."""

    aigc: list[Finding] = field(default_factory=list)
    carriers: list[Block] = field(default_factory=list)
    iptc: list[Finding] = field(default_factory=list)
    traces: list[Finding] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)
    c2pa: list[Block] = field(default_factory=list)
    orientation: int = 1
    packet: Block | None = None  # the main XMP packet, the one that an update goes into

    def label(self, finding: Finding | None, block: Block) -> None:
        if finding is not None:
            self.aigc.append(finding)
            self.carriers.append(block)


def scan(contents: Contents) -> Found:
    """Look for marks in every block of a file. Never raises on what a block holds."""
    found = Found()
    for block in contents.blocks:
        reader = _READERS.get(block.kind)
        if reader is not None:
            reader(block, found)
    return found


def _xmp(block: Block, found: Found) -> None:
    if found.packet is None and not block.keyword.startswith("extension"):
        found.packet = block
    try:
        packet = xmp.parse(block.data)
    except xmp.XmpError as error:
        why = defect("XMP-BROKEN", str(error))
        found.broken += [
            Finding(kind, Status.UNREADABLE, block.where, {}, Signature.NONE, (why,)) for kind in ("aigc", "iptc")
        ]
        return
    split: dict[str, dict[str, str]] = {}
    for prop in packet.properties:
        where = f"{block.where}, {prop.form} {prop.qname}"
        if prop.name == aigc.XMP_NAME:
            found.label(aigc.read(prop.text, where, named=True), block)
        elif aigc.FIELD in prop.name.local.upper():
            found.label(aigc.read(prop.text, where, named=False, foreign_namespace=prop.name.namespace), block)
        elif prop.name.local == aigc.BASE64_NAME:
            foreign = "" if prop.name.namespace == aigc.NAMESPACE else prop.name.namespace
            found.label(aigc.read(prop.text, where, named=False, foreign_namespace=foreign), block)
        elif prop.name.local in aigc.KEYS:
            split.setdefault(prop.name.namespace, {}).setdefault(prop.name.local, prop.text)
        if prop.name.namespace != iptc.NAMESPACE:
            _trace(prop.name.local, prop.text, where, found)
    for namespace, values in split.items():
        found.label(aigc.read_split(values, block.where, namespace), block)
    if (finding := iptc.read(packet, block.where)) is not None:
        found.iptc.append(finding)
        return
    # What IPTC properties say of an AI system is part of the mark; without a mark it is a trace.
    for prop in packet.properties:
        if prop.name.namespace == iptc.NAMESPACE:
            _trace(prop.name.local, prop.text, f"{block.where}, {prop.form} {prop.qname}", found)


def _iim(block: Block, found: Found) -> None:
    for name, text in iim.read(block.data).texts:
        _trace(name, text, f"{block.where} IIM {name}", found)


def _exif(block: Block, found: Found) -> None:
    fields = exif.read(block.data)
    # A damaged tail does not hide what came before it: the fields that were read count whatever the problem is.
    found.orientation = found.orientation if found.orientation != 1 else fields.orientation
    for name, text in fields.texts:
        where = f"{block.where} {name}"
        if name in exif.LABEL_TAGS:
            found.label(aigc.read(text, where, named=False), block)
        _trace(name, text, where, found)


def _text(block: Block, found: Found) -> None:
    name = block.keyword.upper()
    if aigc.FIELD in name:  # a name that merely contains AIGC counts if the value is a label (GB 45438-2025 6.1)
        found.label(aigc.read(block.data, block.where, named=name == aigc.FIELD), block)
    if generator.looked_at(block.keyword):
        _trace(block.keyword, block.data[:65536].decode("utf-8", "replace"), block.where, found)


def _property(block: Block, found: Found) -> None:
    """A document's property is its author's words: a title may name a generator, and only a label says something."""
    name = block.keyword.upper()
    if aigc.FIELD in name:
        found.label(aigc.read(block.data, block.where, named=name == aigc.FIELD), block)


def _plain(block: Block, found: Found) -> None:
    """JPEG comment and APPn segments, GIF comments: a label counts where its own words say that it is one."""
    data = block.data[: aigc.MAX_TEXT]
    if block.keyword.upper() == aigc.FIELD or data[:4].upper() == b"AIGC" or data[:1] == b"{":
        found.label(aigc.read(data, block.where, named=False), block)
    if block.kind is Kind.COMMENT:
        _trace("comment", data.decode("utf-8", "replace"), block.where, found)


def _user(block: Block, found: Found) -> None:
    """User data in a coded film is no place for a label (one per file: 6.1 c); one that is there is a trace of it."""
    text = block.data[: aigc.MAX_TEXT].decode("utf-8", "replace").strip("\0 \r\n\t")
    if aigc.read(text, block.where, named=False) is not None:
        value = {"generator": "AIGC field in the coded film", "confidence": generator.HIGH, "text": text[:160]}
        found.traces.append(Finding("generator", Status.PRESENT, block.where, value, Signature.NONE))
    _trace("comment", text, block.where, found)


def _c2pa(block: Block, found: Found) -> None:
    found.c2pa.append(block)


def _trace(key: str, text: str, where: str, found: Found) -> None:
    if (finding := generator.read(key, text, where)) is not None:
        found.traces.append(finding)


_READERS: dict[Kind, Callable[[Block, Found], None]] = {
    Kind.XMP: _xmp,
    Kind.EXIF: _exif,
    Kind.IPTC: _iim,
    Kind.TEXT: _text,
    Kind.PROPERTY: _property,
    Kind.COMMENT: _plain,
    Kind.APP: _plain,
    Kind.C2PA: _c2pa,
    Kind.USER: _user,
}


def findings(contents: Contents, found: Found) -> Iterator[Finding]:
    """The marks of the metadata in the report's order; what could not be read is never called absent."""
    yield from aigc.only_one(found.aigc) if found.aigc else _without("aigc", contents, found)
    yield from found.iptc or _without("iptc", contents, found)
    yield from found.traces


def _without(kind: str, contents: Contents, found: Found) -> list[Finding]:
    """A mark that was not found: absent only if all of the metadata could be read."""
    if unreadable := [m for m in found.broken if m.kind == kind]:
        return unreadable
    return [_lost(kind, contents)] if contents.problems else [Finding(kind, Status.ABSENT)]


def _lost(kind: str, contents: Contents) -> Finding:
    why = defect("FILE-DAMAGED", contents.problems[0])
    return Finding(kind, Status.UNREADABLE, "", {}, Signature.NONE, (why,))
