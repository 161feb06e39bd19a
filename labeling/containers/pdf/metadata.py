"""PDF (ISO 32000-2), which is only read: the Info dictionary, the catalog's XMP stream, an associated C2PA manifest.

This reads the few objects that metadata depends on and is not a general reader of PDF, because those have no limit on
the time and memory that a hostile file may cost. The newest version of each object counts, as for every reader.
"""

from __future__ import annotations

import json
from typing import Any

from labeling.containers.base import Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector
from labeling.containers.pdf.file import File, Stream
from labeling.containers.pdf.objects import Malformed, Name, text_of
from labeling.errors import LabelingError

FIXED = "PDF files are read but not yet written; label the pictures before they go into the document"

MAX_SIZE = 512 << 20
"""Limit on the bytes of a file."""

_MAX_INFO = 256
_MAX_ASSOCIATED = 64


def looks_like(data: Buffer) -> bool:
    """Return whether a file without a signature at its start is a PDF. Readers look in the first 1024 bytes."""
    return b"%PDF-" in bytes(data[:1024])


def read(data: Buffer) -> Contents:
    """Find the metadata of a PDF file; see :mod:`labeling.containers.base`."""
    collector = Collector()
    if len(data) > MAX_SIZE:
        collector.problems.append(f"it is larger than the {MAX_SIZE >> 20} MiB that are read")
    else:
        try:
            _read(File(bytes(data), collector), collector)
        except (Malformed, RecursionError) as error:
            collector.problems.append(str(error))
    return collector.contents("pdf", "application/pdf", (), fixed=FIXED)


def _read(file: File, collector: Collector) -> None:
    encrypted = file.trailer.get("Encrypt") is not None
    if encrypted:
        collector.problems.append("it is encrypted; save it without a password to have its metadata read")
        return
    span = (0, 0)  # the place of an object says little, because parts of it may be elsewhere
    info = file.resolve(file.trailer.get("Info"))
    if info is None and file.trailer.get("Info") is not None:
        collector.problems.append("its Info dictionary cannot be found")
    for key, value in list((info if isinstance(info, dict) else {}).items())[:_MAX_INFO]:
        text = _text(file, value)
        if text is not None:
            shown = key[:60].encode("unicode_escape").decode()
            collector.add(Kind.PROPERTY, f"PDF Info {shown}", span, text.encode("utf-8", "replace"), key)
    catalog = file.resolve(file.trailer.get("Root"))
    if not isinstance(catalog, dict):
        return
    _read_xmp(file, catalog, collector)
    _read_associated(file, catalog, collector)


def _text(file: File, value: Any) -> str | None:
    """Return a value of the Info dictionary as text. A dictionary, which some writers use, becomes JSON."""
    value = file.resolve(value)
    if isinstance(value, dict):
        texts = {key: _scalar(file.resolve(item)) for key, item in list(value.items())[:_MAX_INFO]}
        return json.dumps(texts, ensure_ascii=False)
    return _scalar(value)


def _scalar(value: Any) -> str | None:
    if isinstance(value, bytes):
        return text_of(value)
    return str(value) if isinstance(value, Name | int | float) else None


def _read_xmp(file: File, catalog: dict[str, Any], collector: Collector) -> None:
    if catalog.get("Metadata") is None:
        return
    stream = file.resolve(catalog["Metadata"])
    if not isinstance(stream, Stream):
        collector.problems.append("its XMP stream cannot be found")
        return
    data, problem = file.payload(stream)
    collector.add(Kind.XMP, "PDF catalog XMP", (stream.start, stream.end), data, "Metadata", problem=problem)


def _read_associated(file: File, catalog: dict[str, Any], collector: Collector) -> None:
    """Read the manifest (C2PA 2.x, A.4): a file specification whose relationship to the document is C2PA_Manifest."""
    associated = file.resolve(catalog.get("AF"))
    for entry in (associated if isinstance(associated, list) else [])[:_MAX_ASSOCIATED]:
        specification = file.resolve(entry)
        if not isinstance(specification, dict) or specification.get("AFRelationship") != "C2PA_Manifest":
            continue
        embedded = file.resolve(specification.get("EF"))
        stream = file.resolve(embedded.get("F")) if isinstance(embedded, dict) else None
        if isinstance(stream, Stream):
            data, problem = file.payload(stream)
            span = (stream.start, stream.end)
            collector.add(Kind.C2PA, "PDF associated file", span, data, "C2PA_Manifest", problem=problem)


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Refuse, because PDF files are not yet written.

    Raises:
        LabelingError: Always; it recommends labelling the pictures first.
    """
    raise LabelingError(FIXED)
