"""Set and remove single properties of XMP packets, leaving every other byte as it is.

A packet is never parsed into a tree and written back, which would lose prefixes, order, padding and comments: an update
splices at the bytes that :mod:`labeling.marks.xmp` has found. Specification: XMP Part 1 (ISO 16684-1), 7.
"""

from __future__ import annotations

from functools import lru_cache

from labeling.marks import xmp
from labeling.marks.xmp import ATTRIBUTE, Name, Packet, Property, blank, tag_end_at


def update(raw: bytes | None, values: dict[Name, str | None]) -> bytes:
    """Return the packet with the named properties set (or, for ``None``, removed) and nothing else changed.

    An existing property keeps its place and its prefix; further copies of it are removed. New ones are added in one
    ``rdf:Description`` at the end. Without a packet a new one is made. Raises
    :class:`~labeling.marks.xmp.XmpError` as :func:`~labeling.marks.xmp.parse` does.
    """
    if raw is not None and (packet := xmp.parse(raw)).rdf_qname:
        return _updated(packet, values)
    given = {name: value for name, value in values.items() if value is not None}
    pieces = _template(tuple((name, name.prefix) for name in given))
    texts = [_escape(value).encode() for value in given.values()]
    return b"".join([piece for pair in zip(pieces, [*texts, b""], strict=True) for piece in pair])


_HOLE = "\0"
"""Stands for a value in a template: no XML holds it (XML 1.0, 2.2)."""


@lru_cache(maxsize=64)
def _template(names: tuple[tuple[Name, str], ...]) -> tuple[bytes, ...]:
    """Return a new packet with these properties, in the pieces between which their values go.

    ``names`` are given with their prefixes, which do not count where names are compared.
    """
    return tuple(_updated(blank(), {name: _HOLE for name, _ in names}).split(_HOLE.encode()))


def _updated(packet: Packet, values: dict[Name, str | None]) -> bytes:
    edits: list[tuple[int, int, bytes]] = []
    fresh: dict[Name, str] = {}
    for name, value in values.items():
        found = packet.find(name)
        if value is not None and not found:
            fresh[name] = value
        for index, prop in enumerate(found):
            if index or value is None:
                edits.append((prop.start, prop.end, b""))
            elif prop.text != value or prop.form == "value":
                edits.append((prop.start, prop.end, _replacement(packet, prop, value)))
    if fresh:
        edits.append(_addition(packet, fresh))
    result, at = [], 0
    for start, end, new in sorted(edits):
        result += [packet.data[at:start], new]
        at = end
    result.append(packet.data[at:])
    return b"".join(result)


def _replacement(packet: Packet, prop: Property, value: str) -> bytes:
    if prop.form == "attribute":
        return f"{prop.qname}={_attribute_value(value)}".encode()
    # An element may declare namespaces in its start tag: those declarations must stay.
    tag = packet.data[prop.start : tag_end_at(packet.data, prop.start)]
    declared = b"".join(b" " + m[0] for m in ATTRIBUTE.finditer(tag) if m[1].startswith(b"xmlns"))
    name = prop.qname.encode()
    return b"<" + name + declared + b">" + _escape(value).encode() + b"</" + name + b">"


# xml.sax.saxutils has these two as well, but imports urllib, http and email: 30 ms at every start.


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute_value(text: str) -> str:
    """Quote an attribute's value. A literal line break or tab would be read as a space (XML 1.0, 3.3.3)."""
    text = _escape(text).replace("\n", "&#xA;").replace("\r", "&#xD;").replace("\t", "&#x9;")
    if '"' not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"  # JSON is full of double quotes: so it stays legible
    return '"' + text.replace('"', "&quot;") + '"'


def _addition(packet: Packet, fresh: dict[Name, str]) -> tuple[int, int, bytes]:
    rdf = packet.rdf_qname.rpartition(":")[0]
    prefix = f"{rdf}:" if rdf else ""
    spaces = {name.namespace: name.prefix for name in fresh}
    lines = [f" <{prefix}Description {prefix}about={_attribute_value(packet.about)}"]
    lines += [f'    xmlns:{short}="{uri}"' for uri, short in spaces.items()]
    text = "\n".join(lines) + ">\n"
    for name, value in fresh.items():
        qname = f"{spaces[name.namespace]}:{name.local}"
        text += f"   <{qname}>{_escape(value)}</{qname}>\n"
    text += f"  </{prefix}Description>\n "
    if packet.rdf_empty:
        return packet.rdf_end, packet.rdf_end + 2, f">\n {text}</{packet.rdf_qname}>".encode()
    return packet.rdf_end, packet.rdf_end, text.encode()
