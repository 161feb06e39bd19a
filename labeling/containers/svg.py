"""SVG (SVG 2; XMP part 3, SVG; C2PA 2.x A.3.3), which is only read.

Metadata are the children of metadata elements, and RDF anywhere. The XML is not trusted: an external DTD is never
fetched, entity declarations are refused, so that there is nothing to expand, and size, depth and counts are bounded.
"""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from labeling.containers.base import MAX_PAYLOAD, Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector, note
from labeling.errors import LabelingError

FIXED = "SVG files are read but not yet written; label the picture that is made from it, for example as PNG"

MAX_SIZE = 64 << 20
"""Limit on the bytes of a document."""

MAX_DEPTH = 512
"""Limit on the depth of elements, and on namespace declarations that are in force at once."""

MAX_MARKUP = 1_000_000
"""Limit on the signs "<" and "=", and so on elements and attributes. Maps of 100 000 paths are below it."""

HEAD = 4096
"""Number of leading bytes in which the root element must begin."""

SVG = "http://www.w3.org/2000/svg"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns# RDF"
_MANIFEST = "http://c2pa.org/manifest manifest"
_XMPMETA = "adobe:ns:meta/ xmpmeta"

MAX_ATTRIBUTES = 20_000
"""Limit on the attributes of one element: Expat parses a whole tag at once."""

_LONG = re.compile(rb"(?:<|\A)[^<]{65536,}")
"""A tag, and the text after it, that is long enough for so many attributes. Each part of a document is tried once: a
pattern that could begin anywhere would take the square of the time."""
_ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?svg[\s/>]")
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_ENCODINGS = {"utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252", "gb2312", "gbk", "gb18030", "big5", "utf-16"}
_NUMBER = re.compile(r"\s*+(\d{1,7})(?:\.\d*+)?\s*+(?:px\s*+)?\Z")


def looks_like(data: Buffer) -> bool:
    """Return whether a file without a signature is an SVG picture: XML whose first element is ``svg``."""
    head = bytes(data[:HEAD])
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head.decode("utf-16", "replace")
    else:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    text = text.lstrip()
    if not text.startswith("<"):
        return False
    prolog = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)", re.DOTALL)
    at = 0
    while found := prolog.match(text, at):
        at = found.end()
    return bool(_ROOT.match(text[at:].lstrip()[:200]))


def read(data: Buffer) -> Contents:
    """Find the metadata of an SVG file; see :mod:`labeling.containers.base`."""
    collector = Collector()
    reader = _Reader(collector)
    if len(data) > MAX_SIZE:
        collector.problems.append(f"it is larger than the {MAX_SIZE >> 20} MiB of XML that are read")
    else:
        text, problem = _utf8(bytes(data))
        if problem:
            collector.problems.append(problem)
        elif text.count(b"<") + text.count(b"=") > MAX_MARKUP:
            collector.problems.append(f"it has more than {MAX_MARKUP} elements and attributes")
        elif any(found[0].count(b"=") > MAX_ATTRIBUTES for found in _LONG.finditer(text)):
            collector.problems.append(f"an element of it has more than {MAX_ATTRIBUTES} attributes")
        else:
            reader.run(text)
    return collector.contents("svg", "image/svg+xml", (), (reader.width, reader.height), fixed=FIXED)


def _utf8(raw: bytes) -> tuple[bytes, str]:
    """Return the document in UTF-8, so that all byte offsets refer to that, and what is wrong with it."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        declared = _DECLARED.match(raw.removeprefix(b"\xef\xbb\xbf"))
        encoding = declared[1].decode().lower() if declared else "utf-8"
        if encoding == "utf-16":  # without a byte-order mark it would not have been recognised as XML
            encoding = "utf-8"
    if encoding not in _ENCODINGS:
        return b"", f"its encoding {encoding!r} is not known"
    if encoding == "utf-8":
        return raw.removeprefix(b"\xef\xbb\xbf"), ""
    try:
        return raw.decode(encoding).encode(), ""
    except UnicodeError:
        return b"", f"it is not valid {encoding.upper()}"


class _Refused(LabelingError):
    """The document is beyond a limit; the message says which."""


class _Reader:
    """Collect RDF, manifests and other children of metadata elements while Expat walks the document."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.width = self.height = 0
        self.data = b""
        self.stack: list[str] = []
        self.scope: list[tuple[str, str]] = []  # namespace declarations in force
        self.rdf: tuple[int, int, bytes] | None = None  # depth, start, declarations
        self.held: tuple[int, int, str] | None = None  # depth, start, name of a child of metadata
        self.texts: list[str] = []
        self.text_size = 0

    def run(self, data: bytes) -> None:
        self.data = data
        self.parser = parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity
        parser.StartNamespaceDeclHandler = self._declare
        parser.EndNamespaceDeclHandler = self._undeclare
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            note(self.collector.problems, f"it is not well-formed XML ({error})")
        except _Refused as error:
            if error.message not in self.collector.problems:
                note(self.collector.problems, error.message)

    def _entity(self, *_: Any) -> None:
        raise _Refused("it declares XML entities, which are not expanded; save it without them")

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self.scope.append((prefix or "", uri or ""))
        if len(self.scope) > MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} namespace declarations are in force at once")

    def _undeclare(self, _prefix: str | None) -> None:
        self.scope.pop()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _Refused(f"it is nested deeper than {MAX_DEPTH}")
        if not self.stack:
            self._root(attributes)
        depth, at = len(self.stack), self.parser.CurrentByteIndex
        if name == _RDF and self.rdf is None:
            self.rdf = (depth, at, self._declarations())
        elif self.stack and self.stack[-1] == f"{SVG} metadata" and name != _XMPMETA and self.rdf is None:
            self.held, self.texts, self.text_size = (depth, at, name), [], 0
        self.stack.append(name)

    def _root(self, attributes: dict[str, str]) -> None:
        box = attributes.get("viewBox", "").replace(",", " ").split()
        sizes = []
        for index, name in enumerate(("width", "height")):
            found = _NUMBER.match(attributes.get(name, "") or (box[2 + index] if len(box) == 4 else ""))
            sizes.append(int(found[1]) if found else 0)
        self.width, self.height = sizes

    def _declarations(self) -> bytes:
        """Return the namespace declarations in force, which a fragment would otherwise lose."""
        inner = dict(self.scope)
        return " ".join(
            f"xmlns{':' if prefix else ''}{prefix}={quoteattr(uri)}"
            for prefix, uri in inner.items()
            if (uri or not prefix) and prefix != "xml"
        ).encode()

    def _characters(self, text: str) -> None:
        if self.held is not None and self.rdf is None:
            self.text_size += len(text)
            if self.text_size <= MAX_PAYLOAD:
                self.texts.append(text)

    def _end(self, _name: str) -> None:
        self.stack.pop()
        depth = len(self.stack)
        if self.rdf is not None and self.rdf[0] == depth:
            self._check_room()
            self._end_rdf(*self.rdf[1:])
            self.rdf = None
        elif self.held is not None and self.held[0] == depth:
            self._check_room()
            self._end_held(*self.held[1:])
            self.held = None

    def _check_room(self) -> None:
        if self.collector.full:  # that is recorded as a problem already; reading on would add nothing
            raise _Refused(self.collector.problems[-1])

    def _end_tag(self) -> tuple[int, bool]:
        """Return where the element ends whose end Expat reports, and whether it has no end tag."""
        at = self.parser.CurrentByteIndex
        return self.data.find(b">", at) + 1, self.data[at : at + 2] != b"</"

    def _end_rdf(self, start: int, declarations: bytes) -> None:
        end, empty = self._end_tag()
        if empty:
            return
        refusal = self.collector.refusal(end - start)
        packet = b"" if refusal else b"<metadata " + declarations + b">" + self.data[start:end] + b"</metadata>"
        self.collector.add(Kind.XMP, "SVG metadata RDF", (start, end), packet, problem=refusal)

    def _end_held(self, start: int, name: str) -> None:
        end, _ = self._end_tag()
        text = "".join(self.texts)
        if self.text_size > MAX_PAYLOAD:
            self.collector.add(Kind.TEXT, "SVG metadata", (start, end), b"", problem="its text is too long")
        elif name == _MANIFEST:
            self._manifest(text, (start, end))
        elif text.strip():
            local = name.rpartition(" ")[2]
            shown = local[:60].encode("unicode_escape").decode()
            self.collector.add(Kind.TEXT, f"SVG metadata {shown}", (start, end), text.encode(), local)

    def _manifest(self, text: str, span: tuple[int, int]) -> None:
        """Read the manifest store in Base64 (C2PA 2.x, A.3.3). It must be a JUMBF superbox."""
        try:
            store = base64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            store = b""
        if store[4:8] == b"jumb":
            self.collector.add(Kind.C2PA, "SVG metadata c2pa:manifest", span, store, "manifest")
        else:
            note(self.collector.warnings, "its c2pa:manifest element contains no manifest store")


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Refuse, because SVG files are not yet written.

    Raises:
        LabelingError: Always; it recommends labelling the picture made from the file.
    """
    raise LabelingError(FIXED)
