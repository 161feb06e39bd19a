"""IPTC photo metadata that says that AI made a picture: DigitalSourceType, and the AI system.

Specification: IPTC Photo Metadata Standard 2025.1; the vocabulary http://cv.iptc.org/newscodes/digitalsourcetype/.
"""

from __future__ import annotations

from labeling.findings import Defect, Finding, Signature, Status
from labeling.label import AI_TERMS, Label, Origin
from labeling.label import term_of as term_of
from labeling.marks.xmp import Name, Packet, Property
from labeling.rule_catalogue import defect

NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"

DIGITAL_SOURCE_TYPE = Name(NAMESPACE, "DigitalSourceType", "Iptc4xmpExt")
AI_SYSTEM = Name(NAMESPACE, "AISystemUsed", "Iptc4xmpExt")
AI_SYSTEM_VERSION = Name(NAMESPACE, "AISystemVersionUsed", "Iptc4xmpExt")
CREATE_DATE = Name("http://ns.adobe.com/xap/1.0/", "CreateDate", "xmp")
METADATA_DATE = Name("http://ns.adobe.com/xap/1.0/", "MetadataDate", "xmp")
DATE_CREATED = Name("http://ns.adobe.com/photoshop/1.0/", "DateCreated", "photoshop")
GUID = Name(NAMESPACE, "DigImageGUID", "Iptc4xmpExt")
INSTANCE_ID = Name("http://ns.adobe.com/xap/1.0/mm/", "InstanceID", "xmpMM")
DOCUMENT_ID = Name("http://ns.adobe.com/xap/1.0/mm/", "DocumentID", "xmpMM")

TRAINED = AI_TERMS[0]
TERMS = (
    *AI_TERMS,
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "digitalCapture",
    "computationalCapture",
    "negativeFilm",
    "positiveFilm",
    "print",
    "humanEdits",
    "minorHumanEdits",
    "compositeCapture",
    "dataDrivenMedia",
    "digitalArt",
    "digitalCreation",
    "virtualRecording",
    "composite",
    "screenCapture",
    "softwareImage",
)

_CANONICAL = {term.lower(): term for term in TERMS}


def encode(label: Label, term: str = TRAINED) -> dict[Name, str | None]:
    """Return the XMP properties for a label: the source type, and system, version and creation time if known.

    A label that says "possibly" or "suspected" gets no source type: every term that means AI claims certainty.
    """
    values: dict[Name, str | None] = {}
    if label.origin == Origin.GENERATED:
        values[DIGITAL_SOURCE_TYPE] = VOCABULARY + term
    if label.generator:
        values[AI_SYSTEM] = label.generator
    if label.generator_version:
        values[AI_SYSTEM_VERSION] = label.generator_version
    if label.created is not None:
        values[CREATE_DATE] = label.created.isoformat(timespec="seconds")
    return values


def beside_others(
    values: dict[Name, str | None], packet: Packet | None, *, dated: bool = False
) -> tuple[dict[Name, str | None], tuple[str, ...]]:
    """Leave to others what they have said of a file before it gets its first label.

    When the content was made and with which system is not changed. The time of the label is then that of a change of
    the metadata, xmp:MetadataDate (ISO 16684-1, 8.4). Where the file has that as well, a manifest alone gives the time.

    Args:
        values: What :func:`encode` gave.
        packet: The packet that they go into.
        dated: Whether the file's EXIF says when it was made: readers take xmp:CreateDate for the same.

    Returns:
        What is to be written, and sentences on what stays.
    """
    values = dict(values)
    dated = dated or (packet is not None and bool(packet.get(CREATE_DATE) or packet.get(DATE_CREATED)))
    when = values.pop(CREATE_DATE, None) if dated else None
    if when is not None and (packet is None or not packet.get(METADATA_DATE)):
        values[METADATA_DATE] = when
    theirs = {name: packet.get(name) for name in (AI_SYSTEM, AI_SYSTEM_VERSION)} if packet is not None else {}
    if not any(text and values.get(name) not in (None, text) for name, text in theirs.items()):
        return values, ()
    for name in theirs:
        values.pop(name, None)
    shown = " ".join(" ".join(text.split())[:60] for text in theirs.values() if text)
    return values, (f"the AI system that the file names stays: {shown}",)


_AI = frozenset(term.lower() for term in AI_TERMS)


def is_ai(value: str) -> bool:
    """Return whether a DigitalSourceType value means content made or composed by a trained model."""
    return term_of(value).lower() in _AI


def read(packet: Packet, where: str) -> Finding | None:
    """Judge the packet's DigitalSourceType; ``None`` if it has none. The value's ``ai`` says whether it means AI.

    A property of that name in another namespace is read too, as a defective one. Of several values one that means AI is
    reported, so that another value cannot hide it.
    """
    found = packet.find(DIGITAL_SOURCE_TYPE) or _elsewhere(packet)
    if not found:
        return None
    values = [prop.text.strip() for prop in found]
    value = next(filter(is_ai, values), values[0])
    content: dict[str, object] = {"DigitalSourceType": value, "ai": is_ai(value)}
    content |= beside(packet)
    defects = _judge(value)
    if found[0].name != DIGITAL_SOURCE_TYPE:
        message = f"the property {found[0].qname} is not in the namespace {NAMESPACE}, where readers look for it"
        defects = (defect("IPTC-DST-NAMESPACE", message), *defects)
    if len({term_of(each).lower() for each in values}) > 1:
        terms = ", ".join(dict.fromkeys(each[:80] for each in values[:4]))
        conflict = defect("IPTC-DST-CONFLICT", f"the packet has several values: {terms}")
        return Finding("iptc", Status.CONFLICT, where, content, Signature.NONE, (conflict, *defects))
    status = Status.DEFECTIVE if defects else Status.PRESENT
    return Finding("iptc", status, where, content, Signature.NONE, defects)


def beside(packet: Packet) -> dict[str, str]:
    """Return what a packet says of the AI system, of time and identity: it counts without a source type, too."""
    there = {prop.name.local for prop in packet.properties}
    return {name.local: text for name in _BESIDE if name.local in there and (text := packet.get(name))}


_BESIDE = (AI_SYSTEM, AI_SYSTEM_VERSION, CREATE_DATE, DATE_CREATED, METADATA_DATE, GUID, INSTANCE_ID, DOCUMENT_ID)


def _elsewhere(packet: Packet) -> list[Property]:
    """Return properties of that name in a wrong namespace or wrong case, if the value is of the vocabulary."""
    local = DIGITAL_SOURCE_TYPE.local.lower()
    return [p for p in packet.properties if p.name.local.lower() == local and term_of(p.text).lower() in _CANONICAL]


def _judge(value: str) -> tuple[Defect, ...]:
    term = _CANONICAL.get(term_of(value).lower())
    if term is not None and value == VOCABULARY + term:
        return ()
    if term is not None:
        message = f"the value is {value[:80]!r}, not the full URI {VOCABULARY}{term}"
        return (defect("IPTC-DST-URI", message),)
    return (defect("IPTC-DST-TERM", f"{value[:80]!r} is not a term of {VOCABULARY}"),)
