"""Inspection: everything in a file's metadata, raw and in file order. Nothing is judged."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from labeling import containers, files
from labeling.containers import Block, Contents, Kind, Media
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.marks import exif, xmp
from labeling.verification import metadata
from labeling.verification.manifest import credentials_of

MAX_SHOWN = 4096


def inspect(source: files.Source) -> dict[str, Any]:
    """List what is in a file: its format, its size, and each metadata block with its place and content.

    Args:
        source: A path, a file's bytes, or a binary file object.

    Returns:
        A dictionary for JSON: ``path``, ``format``, ``media_type``, ``bytes``, ``width`` and ``height`` in pixels as
        coded, ``frames``, ``seconds``, ``coded_bytes``, ``blocks`` in file order, ``history`` and
        ``watermarks`` (what the manifests of content credentials say of them, if there are any), ``problems`` and
        ``warnings``.
        Each block has ``kind``, ``where``, ``offset`` and ``length``, and its content: XMP ``properties``, EXIF
        ``tags``, ``text``, or ``payload_bytes``. Texts are cut after 4096 characters.

    Raises:
        LabelingError: The source cannot be read, or its format is not known.

    Example:
        >>> import labeling
        >>> found = labeling.inspect("photo.png")
        >>> found["media_type"], found["width"], found["height"], found["blocks"]
        ('image/png', 640, 480, [])
    """
    with guarded("list the file's metadata", source if isinstance(source, str | os.PathLike) else None):
        name, data = files.open_source(source, containers.is_media)
        with data if isinstance(data, FileBytes) else contextlib.nullcontext():
            return _listed(name, data, containers.read(data))


def _listed(name: str, data: Media, contents: Contents) -> dict[str, Any]:
    return {
        "path": name,
        "format": contents.format,
        "media_type": contents.media_type,
        "bytes": len(data),
        "width": contents.width,
        "height": contents.height,
        "frames": contents.frames,
        "seconds": round(contents.seconds, 3),
        "coded_bytes": sum(length for _, length in contents.coded),
        "blocks": [_block(block) for block in contents.blocks],
        **_told(data, contents),
        "problems": list(contents.problems),
        "warnings": list(contents.warnings),
    }


def _told(data: Media, contents: Contents) -> dict[str, Any]:
    """Return what the manifests of content credentials tell of the file's history; nothing if there are none."""
    if not any(block.kind is Kind.C2PA for block in contents.blocks):
        return {}
    value = credentials_of(data, contents, metadata.scan(contents), None).value
    return {name: value[name] for name in ("history", "watermarks") if name in value}


def _block(block: Block) -> dict[str, Any]:
    result: dict[str, Any] = {
        "kind": str(block.kind),
        "where": block.where,
        "offset": block.offset,
        "length": block.length,
    }
    if block.keyword:
        result["keyword"] = block.keyword
    if block.late:
        result["behind_the_picture"] = True
    if block.problem:
        result["problem"] = block.problem
    return result | _content(block)


def _content(block: Block) -> dict[str, Any]:
    if block.kind is Kind.XMP:
        try:
            packet = xmp.parse(block.data)
        except xmp.XmpError as error:
            return {"problem": str(error), "text": _text(block.data)}
        return {"properties": {prop.qname: prop.text[:MAX_SHOWN] for prop in packet.properties}}
    if block.kind is Kind.EXIF:
        fields = exif.read(block.data)
        shown: dict[str, Any] = {"tags": {name: text[:MAX_SHOWN] for name, text in fields.texts}}
        return shown | ({"problem": fields.problem} if fields.problem else {})
    if block.kind in (Kind.TEXT, Kind.PROPERTY, Kind.COMMENT, Kind.USER) or (
        block.kind is Kind.APP and block.data[:1] in b"{A"
    ):
        return {"text": _text(block.data)}
    return {"payload_bytes": len(block.data)}


def _text(data: bytes) -> str:
    return data[:MAX_SHOWN].decode("utf-8", "replace")
