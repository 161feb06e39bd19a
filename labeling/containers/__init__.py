"""The file formats we know: a table, and the two verbs over it.

A new format is one module with ``read`` and ``rewrite`` (see :mod:`labeling.containers.base`) and one row here.
Modules are imported when a file of their format turns up, so that looking at a PNG does not load HEIF.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from labeling.containers.base import Block, Buffer, Changes, Contents, Kind
from labeling.errors import LabelingError, UnsupportedFormat

__all__ = [
    "FORMATS",
    "Block",
    "Buffer",
    "Changes",
    "Contents",
    "Format",
    "Kind",
    "format_named",
    "identify",
    "read",
    "rewrite",
]

HEAD = 64
"""So many first bytes decide the format."""


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table.

    ``signatures``: the file is of this format if all (offset, bytes) pairs of any one tuple match its head.
    ``carrier`` says where a label is written, for people; empty where the format has no place for one.
    """

    name: str
    title: str
    module: str
    media_types: tuple[str, ...]
    extensions: tuple[str, ...]
    signatures: tuple[tuple[tuple[int, bytes], ...], ...]
    carrier: str = ""


def _brands(*brands: bytes) -> tuple[tuple[tuple[int, bytes], ...], ...]:
    return tuple(((4, b"ftyp"), (8, brand)) for brand in brands)


FORMATS: tuple[Format, ...] = (
    Format(
        "jpeg", "JPEG", "jpeg", ("image/jpeg",), (".jpg", ".jpeg", ".jpe", ".jfif"),
        (((0, b"\xff\xd8\xff"),),), "APP1 XMP segment",
    ),
    Format(
        "png", "PNG, APNG", "png", ("image/png", "image/apng"), (".png", ".apng"),
        (((0, b"\x89PNG\r\n\x1a\n"),),), "iTXt XML:com.adobe.xmp chunk, before IDAT",
    ),
    Format(
        "webp", "WebP", "webp", ("image/webp",), (".webp",),
        (((0, b"RIFF"), (8, b"WEBP")),), "XMP chunk and the VP8X flag",
    ),
    Format(
        "gif", "GIF", "gif", ("image/gif",), (".gif",),
        (((0, b"GIF87a"),), ((0, b"GIF89a"),)), "application extension XMP DataXMP",
    ),
    Format(
        "tiff", "TIFF", "tiff", ("image/tiff",), (".tif", ".tiff"),
        (((0, b"II*\0"),), ((0, b"MM\0*"),), ((0, b"II+\0"),), ((0, b"MM\0+"),)), "IFD0 tag 0x02BC, type 7",
    ),
    Format(
        "heif", "HEIF, HEIC, AVIF", "heif",
        ("image/heic", "image/heif", "image/avif", "image/heic-sequence", "image/heif-sequence"),
        (".heic", ".heif", ".hif", ".avif", ".avifs"),
        _brands(
            *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
            *(b"mif1", b"mif2", b"msf1", b"avif", b"avis"),
        ),
        "meta item, mime application/rdf+xml",
    ),
    Format("bmp", "BMP", "bmp", ("image/bmp",), (".bmp", ".dib"), (((0, b"BM"),),)),
)  # fmt: skip


def identify(head: Buffer) -> Format | None:
    """Say which format ``head`` (the first bytes of a file) belongs to; the name of the file has no say."""
    first = bytes(head[:HEAD])
    for row in FORMATS:
        for signature in row.signatures:
            if all(first[at : at + len(magic)] == magic for at, magic in signature):
                return row
    return None


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def read(data: Buffer) -> Contents:
    """Find all metadata in ``data``.

    Raises :class:`~labeling.errors.UnsupportedFormat` if the content is of no format that we know.
    """
    row = identify(data)
    if row is None:
        raise UnsupportedFormat("the content is of no format that this version knows")
    contents: Contents = _module(row.module).read(data)
    return contents


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Give the pieces of a copy of ``data`` with its metadata changed and its coded picture untouched.

    Raises :class:`~labeling.errors.LabelingError` if the format or this very file has no place for the change.
    """
    if contents.problems:
        raise LabelingError(
            f"the file is damaged ({contents.problems[0]}); repair it first, for example by re-saving it"
        )
    if contents.fixed:
        raise LabelingError(contents.fixed)
    row = next(row for row in FORMATS if row.name == contents.format)
    pieces: list[Buffer] = _module(row.module).rewrite(data, contents, changes)
    return pieces


def format_named(name: str) -> Format:
    """Look a format up by its name, an extension (with or without its dot) or a media type.

    Raises :class:`~labeling.errors.UnsupportedFormat` that lists the known ones.
    """
    wanted = name.lower()
    for row in FORMATS:
        if wanted in (row.name, *row.media_types) or f".{wanted.lstrip('.')}" in row.extensions:
            return row
    raise UnsupportedFormat(f"there is no format {name!r}; known are {', '.join(row.name for row in FORMATS)}")
