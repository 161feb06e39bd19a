"""IPTC-IIM: the texts of the datasets in which generators leave traces.

Specification: IPTC-NAA Information Interchange Model 4.2; Adobe Photoshop File Formats, "Image Resource Blocks". IIM
has no dataset for the Digital Source Type, which exists only in XMP: what is found here is evidence, not a label.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MAX_RESOURCES = 1024
"""Image resource blocks that are read; a Photoshop file has some thirty."""

MAX_DATASETS = 4096
"""Datasets of one block that are read."""

MAX_TEXT = 64 << 10
"""Bytes of one value that are read."""

DATASETS = {
    5: "ObjectName",
    25: "Keywords",
    40: "SpecialInstructions",
    65: "OriginatingProgram",
    80: "Byline",
    105: "Headline",
    110: "Credit",
    115: "Source",
    120: "Caption",
}
"""Datasets of the application record (2:xx) that are read, by the name that the table of traces uses."""

_RESOURCE_SIGNATURES = (b"8BIM", b"PHUT", b"AgHg", b"DCSR", b"MeSa")
_IIM_RESOURCE = 0x0404
_REPEATING = frozenset({_IIM_RESOURCE, 0x0425, 0x0409, 0x040C, 0x03ED})
"""IIM and its digest, the thumbnails, and the resolution (Photoshop File Formats, "Image Resource IDs")."""

_TAG_MARKER = 0x1C
_APPLICATION_RECORD = 2


class Fields(NamedTuple):
    """The texts found, as (name, text) in file order, and what was malformed (``""`` if nothing)."""

    texts: tuple[tuple[str, str], ...]
    problem: str


def read(data: bytes) -> Fields:
    """Read a block of IIM datasets, or of image resources that hold one. Never raises; what precedes damage counts."""
    texts: list[tuple[str, str]] = []
    problem = ""
    for body in _bodies(data):
        problem = _datasets(body, texts) or problem
    return Fields(tuple(texts), problem)


def records(data: bytes) -> bytes:
    """Return the IIM datasets of a block as they are; empty if it has none, or they cannot be read to their end."""
    found = b"".join(_bodies(data))
    return b"" if _datasets(found, []) else found


def other_resources(data: bytes) -> bytes:
    """Return the image resources of a block that are no IIM and say something of their own.

    The digest of the IIM, thumbnails of the old picture, and what repeats size and resolution are left out.
    """
    if data[:4] not in _RESOURCE_SIGNATURES:
        return b""
    return b"".join(number.to_bytes(2, "big") + body for number, body in _resources(data) if number not in _REPEATING)


def _bodies(data: bytes) -> Iterator[bytes]:
    if data[:4] not in _RESOURCE_SIGNATURES:
        return iter((data,))
    return (body for number, body in _resources(data) if number == _IIM_RESOURCE)


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (id, body) of the image resources: signature, id, Pascal name and length, padded to even length."""
    at = 0
    for _ in range(MAX_RESOURCES):
        if data[at : at + 4] not in _RESOURCE_SIGNATURES or at + 12 > len(data):
            return
        name = (data[at + 6] + 2) & ~1  # with its length byte
        size_at = at + 6 + name
        body = size_at + 4
        size = int.from_bytes(data[size_at:body], "big")
        yield int.from_bytes(data[at + 4 : at + 6], "big"), data[body : body + size]
        at = body + size + (size & 1)


def _datasets(data: bytes, texts: list[tuple[str, str]]) -> str:
    at = 0
    for _ in range(MAX_DATASETS):
        if at + 5 > len(data) or data[at] != _TAG_MARKER:
            rest = data[at : at + 16].strip(b"\0")  # TIFF pads the block to whole words
            return "an IIM dataset does not begin with its tag marker" if rest else ""
        record, number = data[at + 1], data[at + 2]
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        at += 5
        if length & 0x8000:  # extended dataset: the length of the length, IIM 1.6
            size = length & 0x7FFF
            if size > 4:
                return "an IIM dataset has a length of more than four bytes"
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            return "an IIM dataset reaches beyond its block"
        if record == _APPLICATION_RECORD and number in DATASETS:
            texts.append((DATASETS[number], _text(data[at : at + min(length, MAX_TEXT)])))
        at += length
    return f"more than {MAX_DATASETS} IIM datasets"


def _text(raw: bytes) -> str:
    """Decode as UTF-8 if valid, else as Latin-1: dataset 1:90, which names the charset, is often missing or wrong."""
    try:
        return raw.decode().strip("\0 ")
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip("\0 ")
