"""The table that joins containers and marks: which mark is looked for in which kind of block.

Containers know nothing of marks, and marks nothing of file formats; they meet here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from labeling.containers import Block, Contents, Kind
from labeling.errors import LabelingError
from labeling.findings import Finding, Signature, Status
from labeling.gates import as_ours
from labeling.label import Label
from labeling.marks import aigc, exif, generator, iim, iptc, xmp
from labeling.rule_catalogue import defect
from labeling.verification.unchecked import unchecked

_MAX_BROKEN = 200


@dataclass(slots=True)
class Found:
    """What the metadata of one file holds.

    Attributes:
        aigc: Findings on AIGC fields, in file order.
        carriers: The block that each of them came from.
        iptc: Findings on the DigitalSourceType.
        beside: What packets without one say of the AI system, of time and identity, and where the first of them is.
        traces: Findings on traces of generators.
        broken: Findings on metadata that could not be read: nobody knows whether a label is in it.
        faults: What went wrong here, and not in the file, with some blocks: nothing is known of them.
        c2pa: Blocks of manifest stores.
        extension: GUID of the Extended XMP that belongs to the main packet; empty if it has none.
        referenced: URL of a manifest that is not in the file: the packet refers to it.
        orientation: The EXIF orientation, 1 to 8.
        dated: Whether EXIF gives the time at which the picture was made.
        packet: The main XMP packet, which an update changes.
    """

    aigc: list[Finding] = field(default_factory=list)
    carriers: list[Block] = field(default_factory=list)
    iptc: list[Finding] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)
    beside_at: str = ""
    traces: list[Finding] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)
    faults: list[LabelingError] = field(default_factory=list)
    c2pa: list[Block] = field(default_factory=list)
    extension: str = ""
    referenced: str = ""
    orientation: int = 1
    dated: bool = False
    packet: Block | None = None

    def add_label(self, finding: Finding | None, block: Block) -> None:
        """Keep a finding on an AIGC field, if there is one, with the block that it came from."""
        if finding is not None:
            self.aigc.append(finding)
            self.carriers.append(block)

    def add_unread(self, sentence: str, where: str = "", kinds: tuple[str, ...] = ("aigc", "iptc")) -> None:
        """Note a place that may hold marks of these kinds and cannot be read; ``sentence`` says why."""
        if len(self.broken) < _MAX_BROKEN:
            why = defect("FILE-UNREAD", sentence)
            self.broken += [Finding(kind, Status.UNREADABLE, where, {}, Signature.NONE, (why,)) for kind in kinds]


def scan(contents: Contents) -> Found:
    """Look for marks in every block of a file. Never raises, whatever a block holds.

    What a container could not read, and what cannot be read here, is in ``broken``: the one place that keeps a verifier
    from calling a label absent, and a writer from putting one beside it.
    """
    found = Found()
    for sentence in contents.unread:
        found.add_unread(sentence)
    for block in sorted(contents.blocks, key=is_extension):  # which one counts is in the main packet
        reader = _READERS.get(block.kind)
        if reader is None:
            continue
        try:
            if block.problem and not block.data:
                _unread(block, found)
            else:
                reader(block, found)
        except Exception as error:  # noqa: BLE001 - what other blocks hold is reported all the same
            fault = as_ours(error, f"read {block.where}")
            if fault is not error:
                fault.__cause__ = error
            found.faults.append(fault)
            found.broken += unchecked(("aigc", "iptc"), fault)
    return found


def unread_block(block: Block) -> str:
    """Return the sentence on a block of metadata in which labels could not be looked for."""
    whole = block.problem.startswith(("it ", "its ", "a part ")) or block.problem[:1].isdigit()
    said = block.problem if whole else f"it {block.problem}"
    return f"{block.where} at offset {block.offset} was not searched for labels: {said}"


_EXTENSION = "extension:"


def is_extension(block: Block) -> bool:
    """Return whether a block is Extended XMP: the rest of a packet that is larger than one JPEG segment."""
    return block.kind is Kind.XMP and block.keyword.startswith(_EXTENSION)


def _unread(block: Block, found: Found) -> None:
    if block.kind is Kind.C2PA:  # c2pa's own reader judges it
        found.c2pa.append(block)
    elif block.kind is Kind.XMP:
        found.packet = found.packet or (None if is_extension(block) else block)
        found.add_unread(unread_block(block), block.where)
    elif block.too_much and block.kind is Kind.TEXT and block.keyword and aigc.FIELD not in block.keyword.upper():
        return  # a workflow of many megabytes; a warning names it
    elif block.kind in (Kind.TEXT, Kind.PROPERTY, Kind.EXIF, Kind.COMMENT, Kind.APP):
        found.add_unread(unread_block(block), block.where, ("aigc",))


_PROVENANCE = xmp.Name("http://purl.org/dc/terms/", "provenance", "dcterms")
"""Where the manifest of a file is that does not hold it (C2PA 2.2, 11.4: external manifests)."""

_MAX_URL = 2000


def _xmp(block: Block, found: Found) -> None:
    if not is_extension(block):
        found.packet = found.packet or block
        _packet(block, found)
        return
    if block.problem:  # parts are missing: what is left may look whole and be something else
        found.add_unread(unread_block(block), block.where)
        return
    labels, sources = len(found.aigc), len(found.iptc)
    _packet(block, found)
    if block.keyword.removeprefix(_EXTENSION).upper() != found.extension.upper():
        said = f"the main XMP packet does not name the extension at offset {block.offset}, so that readers ignore it"
        why = defect("XMP-EXTENDED", said)
        for findings, start in ((found.aigc, labels), (found.iptc, sources)):
            findings[start:] = [
                replace(each, status=Status.DEFECTIVE, defects=(*each.defects, why)) for each in findings[start:]
            ]


_EXTENDED = xmp.Name("http://ns.adobe.com/xmp/note/", "HasExtendedXMP", "xmpNote")


def _packet(block: Block, found: Found) -> None:
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
        local = prop.name.local
        if local == _EXTENDED.local and prop.name == _EXTENDED and block is found.packet:
            found.extension = prop.text
        if local == aigc.XMP_NAME.local and prop.name == aigc.XMP_NAME:
            found.add_label(aigc.read(prop.text, where, named=True), block)
        elif aigc.FIELD in local.upper():
            found.add_label(aigc.read(prop.text, where, named=False, foreign_namespace=prop.name.namespace), block)
        elif local == aigc.BASE64_NAME:
            foreign = "" if prop.name.namespace == aigc.NAMESPACE else prop.name.namespace
            found.add_label(aigc.read(prop.text, where, named=False, foreign_namespace=foreign), block)
        elif local in aigc.KEYS:
            split.setdefault(prop.name.namespace, {}).setdefault(local, prop.text)
        elif local == _PROVENANCE.local and prop.name == _PROVENANCE and prop.text.startswith(("https://", "http://")):
            found.referenced = found.referenced or prop.text[:_MAX_URL]
        if prop.name.namespace != iptc.NAMESPACE or local == "DigitalSourceFileType":
            _trace(local, prop.text, where, found)
    for namespace, values in split.items():
        found.add_label(aigc.read_split(values, block.where, namespace), block)
    if (finding := iptc.read(packet, block.where)) is not None:
        found.iptc.append(finding)
        return
    if said := iptc.beside(packet):
        found.beside, found.beside_at = said | found.beside, found.beside_at or block.where
    # Properties about an AI system are part of the IPTC mark; without that mark they are traces.
    for prop in packet.properties:
        if prop.name.namespace == iptc.NAMESPACE and prop.name.local != "DigitalSourceFileType":
            _trace(prop.name.local, prop.text, f"{block.where}, {prop.form} {prop.qname}", found)


def _iim(block: Block, found: Found) -> None:
    _packet_elsewhere(block, found)
    for name, text in iim.read(block.data).texts:
        _trace(name, text, f"{block.where} IIM {name}", found)


def _exif(block: Block, found: Found) -> None:
    fields = exif.read(block.data)
    if fields.unread:
        found.add_unread(
            f"{block.where} was not searched for labels to its end: {fields.unread}", block.where, ("aigc",)
        )
    # The fields that could be read count, whatever the problem behind them is.
    found.orientation = found.orientation if found.orientation != 1 else fields.orientation
    found.dated |= fields.dated
    for name, text in fields.texts:
        where = f"{block.where} {name}"
        if name in exif.LABEL_TAGS:
            found.add_label(aigc.read(text, where, named=False), block)
        _trace(name, text, where, found)


def _text(block: Block, found: Found) -> None:
    begins = block.keyword != generator.LAST_LINE and aigc.begins_as_label(block.data)
    if begins or aigc.FIELD in block.keyword.upper():  # a name that merely contains AIGC counts if its value is a label
        _add_text(block, found)
    else:
        _packet_elsewhere(block, found)
    if generator.looked_at(block.keyword):
        _trace(block.keyword, block.data[:65536].decode("utf-8", "replace"), block.where, found)


def _property(block: Block, found: Found) -> None:
    """Look for a label alone: a document's properties are its author's words, and a title may name a generator."""
    if aigc.FIELD in block.keyword.upper():
        _add_text(block, found)


def _add_text(block: Block, found: Found) -> None:
    """Keep the label in a text that is called AIGC or the like; one that is not all there is not called defective."""
    finding = aigc.read(block.data, block.where, named=block.keyword.upper() == aigc.FIELD)
    if block.problem and (finding is None or "raw" in finding.value):
        found.add_unread(unread_block(block), block.where, ("aigc",))
    elif finding is None and "{" in block.keyword:
        said = "was not searched for labels: nothing tells its name from its value"
        found.add_unread(f"{block.where[:80]} at offset {block.offset} {said}", block.where[:80], ("aigc",))
    else:
        found.add_label(finding, block)


_PACKET = (aigc.NAMESPACE.encode(), b"rdf:RDF")


def _packet_elsewhere(block: Block, found: Found) -> None:
    """Note an XMP packet with a label where no reader of XMP looks, and others show it all the same."""
    if all(each in block.data for each in _PACKET):
        said = "holds an XMP packet with a label, under a name or in a place that XMP does not have in this format"
        found.add_unread(f"{block.where} at offset {block.offset} {said}", block.where)


def _plain(block: Block, found: Found) -> None:
    """JPEG comments and APPn segments, GIF comments: a label counts if its own text says that it is one."""
    data = block.data[: aigc.MAX_TEXT]
    if block.keyword.upper() == aigc.FIELD or data[:1] == b"{" or aigc.begins_as_label(data):
        found.add_label(aigc.read(data, block.where, named=False), block)
    else:
        _packet_elsewhere(block, found)
    if block.kind is Kind.COMMENT:
        _trace("comment", data.decode("utf-8", "replace"), block.where, found)


def _user(block: Block, found: Found) -> None:
    """A label in the user data of a video stream is a trace: it is not the place for one (6.1 c, one per file)."""
    text = block.data[: aigc.MAX_TEXT].decode("utf-8", "replace").strip("\0 \r\n\t")
    if aigc.read(text, block.where, named=False) is not None:
        value = {"generator": "AIGC field in the video stream", "confidence": generator.HIGH, "text": text[:160]}
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
    """Yield the findings of the metadata; what could not be read is never called absent."""
    yield from aigc.only_one(found.aigc) if found.aigc else _without("aigc", contents, found)
    yield from found.iptc or (_with_said(each, found) for each in _without("iptc", contents, found))
    yield from found.traces


def _without(kind: str, contents: Contents, found: Found) -> list[Finding]:
    """Return the findings on a mark that was not found: absent only if all metadata could be read."""
    if unreadable := [m for m in found.broken if m.kind == kind]:
        return unreadable
    return [_not_read(kind, contents)] if contents.problems else [Finding(kind, Status.ABSENT)]


def _with_said(finding: Finding, found: Found) -> Finding:
    """Add to the finding that there is no source type what the metadata say of the AI system, or beside a label."""
    tells = found.aigc or {iptc.AI_SYSTEM.local, iptc.AI_SYSTEM_VERSION.local} & found.beside.keys()
    if finding.status is not Status.ABSENT or not tells or not found.beside:
        return finding
    return replace(finding, where=found.beside_at, value=dict(found.beside))


def _not_read(kind: str, contents: Contents) -> Finding:
    why = defect("FILE-DAMAGED", contents.problems[0])
    return Finding(kind, Status.UNREADABLE, "", {}, Signature.NONE, (why,))


def said_by_label(label: Label, source_type: str, found: Found) -> tuple[dict[xmp.Name, str | None], tuple[str, ...]]:
    """Choose the IPTC properties that a label sets in a file: what others have said in it stays.

    Returns:
        The properties, and sentences on what stays.

    A platform says nothing of how others made their content: ``source_type`` is empty then.
    """
    if not source_type:
        return {}, ()
    if any(finding.value.get("ai") for finding in found.iptc):  # a more precise AI term of the file's own
        return {}, ()
    values = iptc.encode(label, source_type)
    if found.aigc:  # the file has our own label already, and what it says of the system is ours
        return values, ()
    packet = xmp.parse(found.packet.data) if found.packet is not None else None
    return iptc.beside_others(values, packet, dated=found.dated)
