"""Find properties in XMP packets, with the bytes that hold them.

Expat reports at which byte each property starts and ends, so that :mod:`labeling.marks.xmp_edit` can change single
ones. Specification: XMP Part 1 (ISO 16684-1), 7.

The input is untrusted: document type declarations are refused, so that there is no entity to expand, and depth and
count are bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from xml.parsers import expat

from labeling.errors import UnreadableFile

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
XML = "http://www.w3.org/XML/1998/namespace"

MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_TEXT = 4 << 20
_MAX_EQUALS = 4 * MAX_NODES  # Expat delivers all attributes of an element at once, so they are bounded before that

_RDF_ELEMENT = f"{RDF} RDF"  # Expat gives names as "namespace local"
_VALUE, _RESOURCE, _ITEM = f"{RDF} value", f"{RDF} resource", f"{RDF} li"
_ABOUT = f"{RDF} about"
_RDF_ATTRIBUTES = {f"{RDF} {name}" for name in ("about", "ID", "nodeID", "resource", "parseType", "datatype", "bagID")}


@dataclass(frozen=True, slots=True)
class Name:
    """A property's name: namespace URI and local name, which identify it, and the prefix that we write."""

    namespace: str
    local: str
    prefix: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.prefix}:{self.local}" if self.prefix else self.local


@dataclass(frozen=True, slots=True)
class Property:
    """One property of the packet's resource, with the bytes that hold it.

    ``form`` is "element", "attribute" or "value" (rdf:value or a list item inside the element).
    ``start``/``end`` span the element, or the attribute with its quotes. ``qname`` is the name as in the file.
    """

    name: Name
    text: str
    form: str
    start: int
    end: int
    qname: str


@dataclass(frozen=True, slots=True)
class Packet:
    """A parsed packet: the UTF-8 bytes that the spans refer to, its properties, and where new ones can go."""

    data: bytes
    properties: tuple[Property, ...]
    rdf_end: int  # offset of "</rdf:RDF" , or of "/>" where the element is empty
    rdf_empty: bool
    rdf_qname: str  # "" where the packet is an empty wrapper without rdf:RDF
    about: str

    def find(self, name: Name) -> list[Property]:
        """Return all properties of that namespace URI and local name, in file order."""
        local, namespace = name.local, name.namespace
        return [p for p in self.properties if p.name.local == local and p.name.namespace == namespace]

    def get(self, name: Name) -> str | None:
        """Return the text of the first such property."""
        found = self.find(name)
        return found[0].text if found else None


class XmpError(UnreadableFile):
    """The packet is not well-formed XML, not RDF, or beyond the bounds."""


_UTF = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
        (b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))  # fmt: skip


def _utf8(raw: bytes) -> bytes:
    """Return the packet in UTF-8 from its first "<" to its end, without byte-order mark and padding."""
    for bom, encoding in _UTF:
        if raw.startswith(bom):
            try:
                raw = raw.decode(encoding).encode()
            except UnicodeError as error:
                raise XmpError(f"the XMP packet is not valid {encoding.upper()}") from error
            break
    start = raw.find(b"<")
    end = raw.rfind(b"<?xpacket end")
    end = raw.find(b">", end if end >= 0 else raw.rfind(b">")) + 1
    if start < 0 or end <= start:
        raise XmpError("the XMP packet contains no XML")
    return raw[start:end]


@dataclass(slots=True)
class _Open:
    name: str
    start: int
    tag_end: int
    empty: bool
    qname: str
    texts: list[str]
    items: list[str]


class _Reader:
    """Collects the properties of every rdf:Description directly under rdf:RDF while Expat walks the packet."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.stack: list[_Open] = []
        self.properties: list[Property] = []
        self.nodes = 0
        self.names: list[str] = []  # of the first two elements: enough to recognise an empty wrapper
        self.text = 0
        self.rdf: tuple[int, bool, str] | None = None
        self.about: str | None = None
        self.parser = parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def run(self) -> Packet:
        try:
            self.parser.Parse(self.data, True)
        except expat.ExpatError as error:
            raise XmpError(f"the XMP packet is not well-formed XML ({error})") from error
        if self.rdf is None and self.names == [f"{META} xmpmeta"]:
            return Packet(self.data, (), 0, True, "", "")  # an empty wrapper: a new packet loses nothing
        if self.rdf is None:
            raise XmpError("the XMP packet has no rdf:RDF element")
        end, empty, qname = self.rdf
        return Packet(self.data, tuple(self.properties), end, empty, qname, self.about or "")

    def _doctype(self, *_: Any) -> None:
        raise XmpError("the XMP packet declares a document type, which XMP forbids")

    def _start(self, name: str, attributes: list[str]) -> None:
        self.nodes += 1 + len(attributes) // 2
        if len(self.stack) >= MAX_DEPTH or self.nodes > MAX_NODES:
            raise XmpError("the XMP packet is nested too deeply or has too many nodes")
        if len(self.names) < 2:
            self.names.append(name)
        start = self.parser.CurrentByteIndex
        tag_end = tag_end_at(self.data, start)
        qname = _QNAME.match(self.data, start + 1)
        element = _Open(
            name, start, tag_end, self.data[tag_end - 2 : tag_end] == b"/>", qname[0].decode() if qname else "", [], []
        )
        if self._is_description(name):
            self._attributes(element, attributes)
        elif self._is_property_level():
            self._property_attributes(element, attributes)
        self.stack.append(element)

    def _is_description(self, name: str) -> bool:
        return bool(self.stack) and self.stack[-1].name == _RDF_ELEMENT

    def _is_property_level(self) -> bool:
        return len(self.stack) >= 2 and self.stack[-2].name == _RDF_ELEMENT

    def _attributes(self, element: _Open, attributes: list[str]) -> None:
        values = dict(zip(attributes[::2], attributes[1::2], strict=True))
        if self.about is None:
            self.about = values.get(_ABOUT, "")
        named = {key: text for key, text in values.items() if key not in _RDF_ATTRIBUTES and " " in key}
        if not named:
            return
        for key, (start, end, qname) in _attribute_spans(self.data, element, list(values)).items():
            namespace, _, local = key.rpartition(" ")
            if key in named and namespace != XML:
                prefix = qname.partition(":")[0]
                self.properties.append(
                    Property(Name(namespace, local, prefix), named[key], "attribute", start, end, qname)
                )

    @staticmethod
    def _property_attributes(element: _Open, attributes: list[str]) -> None:
        """A property may hold its value in an attribute of itself: rdf:value or rdf:resource."""
        for key, text in zip(attributes[::2], attributes[1::2], strict=True):
            if key in (_VALUE, _RESOURCE):
                element.items.append(text)

    def _characters(self, text: str) -> None:
        if self.stack:
            self.text += len(text)
            if self.text > MAX_TEXT:
                raise XmpError("the XMP packet holds too much text")
            self.stack[-1].texts.append(text)

    def _end(self, _name: str) -> None:
        element = self.stack.pop()
        at = self.parser.CurrentByteIndex
        end = element.tag_end if element.empty else self.data.find(b">", at) + 1
        text = "".join(element.texts)
        if element.name == _RDF_ELEMENT and self.rdf is None:
            self.rdf = (element.tag_end - 2 if element.empty else at, element.empty, element.qname)
        elif len(self.stack) >= 2 and self.stack[-2].name == _RDF_ELEMENT:
            self._property(element, text, end)
        elif element.name in (_ITEM, _VALUE):
            self._item(text)

    def _property(self, element: _Open, text: str, end: int) -> None:
        namespace, _, local = element.name.rpartition(" ")
        prefix = element.qname.partition(":")[0] if ":" in element.qname else ""
        form, value = ("value", element.items[0]) if element.items and not text.strip() else ("element", text)
        self.properties.append(Property(Name(namespace, local, prefix), value, form, element.start, end, element.qname))

    def _item(self, text: str) -> None:
        """Give the text of a list item or rdf:value to the property that contains it."""
        for depth, element in enumerate(self.stack):
            if depth >= 2 and self.stack[depth - 2].name == _RDF_ELEMENT:
                element.items.append(text)
                return


_QNAME = re.compile(rb"[^\s/>=]+")
_TAG_INSIDE = re.compile(rb"(?:[^\"'>]++|\"[^\"]*\"|'[^']*')*+")
ATTRIBUTE = re.compile(rb"""(?<=\s)([^\s=/>]++)\s*+=\s*+("[^"]*+"|'[^']*+')""")
"""An attribute in a start tag that Expat has found well-formed: its name, and its value with the quotes."""


def tag_end_at(data: bytes, start: int) -> int:
    """Return the offset behind the ">" of the start tag at ``start``, which Expat has found well-formed."""
    inside = _TAG_INSIDE.match(data, start)
    return (inside.end() if inside else start) + 1


def _attribute_spans(data: bytes, element: _Open, keys: list[str]) -> dict[str, tuple[int, int, str]]:
    """Return byte spans of the element's attributes. Expat reports them in file order, without the xmlns ones."""
    raw = [
        (match.start(), match.end(), match[1].decode())
        for match in ATTRIBUTE.finditer(data, element.start + 1 + len(element.qname.encode()), element.tag_end)
        if not (match[1] == b"xmlns" or match[1].startswith(b"xmlns:"))
    ]
    if len(raw) != len(keys):
        raise XmpError("the XMP packet's attributes could not be located")
    return dict(zip(keys, raw, strict=True))


def parse(raw: bytes) -> Packet:
    """Parse a packet (UTF-8, or UTF-16/32 by its first bytes).

    Raises :class:`XmpError` if it is not well-formed, declares a document type, or exceeds the bounds.
    """
    data = _utf8(raw)
    if data.count(b"=") > _MAX_EQUALS:
        raise XmpError("the XMP packet has too many attributes")
    return _as_we_write(data) or _Reader(data).run()


_TEMPLATE = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    f'<x:xmpmeta xmlns:x="{META}">\n <rdf:RDF xmlns:rdf="{RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
).encode()


@cache
def blank() -> Packet:
    """Return a new packet, to which properties can be added."""
    return parse(_TEMPLATE)


_OURS = re.compile(
    rb""" <rdf:Description rdf:about=""((?:\n    xmlns:[A-Za-z][A-Za-z0-9]*="[!#-%(-;=?-~]+")+)>\n"""
    rb"""((?:   <([A-Za-z][A-Za-z0-9]*:[A-Za-z][A-Za-z0-9]*)>[ -%'-;=?-~]*</\3>\n)+)  </rdf:Description>\n """
)
"""What :mod:`~labeling.marks.xmp_edit` adds to a new packet: all ASCII, without anything that XML would resolve."""

_OUR_SPACE = re.compile(rb'xmlns:([^=]+)="([^"]+)"')
_OUR_PROPERTY = re.compile(rb"<([^:]+):([^>]+)>([^<]*)</[^>]+>")
_MEAN_MORE = frozenset((RDF, XML, "http://www.w3.org/2000/xmlns/"))
"""Namespaces that are no property's, or that XML does not let a prefix be declared for."""

_MOST_OF_OURS = 64 << 10


def _as_we_write(data: bytes) -> Packet | None:
    """Read a packet that has the form of our new ones, as most that carry a label have, in an eighth of the time.

    ``None`` if it differs anywhere: Expat reads it then, and decides whether it is well-formed.
    """
    start, stop = _frame_of_ours()
    if len(data) > _MOST_OF_OURS or not (data.startswith(start) and data.endswith(stop)):
        return None
    found = _OURS.fullmatch(data, len(start), len(data) - len(stop))
    if found is None:
        return None
    declared = [(prefix.decode(), uri.decode()) for prefix, uri in _OUR_SPACE.findall(found[1])]
    spaces = dict(declared)
    if len(spaces) != len(declared) or not _MEAN_MORE.isdisjoint(spaces.values()):
        return None
    if any(prefix in ("x", "rdf") or prefix.lower().startswith("xml") for prefix in spaces):
        return None
    properties: list[Property] = []
    for each in _OUR_PROPERTY.finditer(data, found.start(2), found.end(2)):
        prefix, local = each[1].decode(), each[2].decode()
        if prefix not in spaces or len(properties) == MAX_NODES // 100:
            return None
        name = Name(spaces[prefix], local, prefix)
        properties.append(Property(name, each[3].decode(), "element", each.start(), each.end(), f"{prefix}:{local}"))
    return Packet(data, tuple(properties), len(data) - len(stop), False, "rdf:RDF", "")


@cache
def _frame_of_ours() -> tuple[bytes, bytes]:
    """Return what stands before and behind the properties of a new packet."""
    blank = _Reader(_utf8(_TEMPLATE)).run()
    return blank.data[: blank.rdf_end], blank.data[blank.rdf_end :]
