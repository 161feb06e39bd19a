"""The file formats we know: a table, and the two verbs over it.

A new format is one module with ``read`` and ``rewrite`` (see :mod:`labeling.containers.base`) and one row here.
Modules are imported when a file of their format turns up, so that looking at a PNG does not load HEIF.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple, overload

from labeling.containers.base import Block, Buffer, Changes, Contents, Kind, Media, Piece
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.filebytes import FileBytes

__all__ = [
    "FORMATS",
    "Block",
    "Buffer",
    "Changes",
    "Contents",
    "Format",
    "Kind",
    "Media",
    "Piece",
    "Unread",
    "claimed_by",
    "format_named",
    "identify",
    "is_media",
    "read",
    "rewrite",
    "unread",
]

HEAD = 64
"""So many first bytes decide the format."""


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table.

    ``signatures``: the file is of this format if all (offset, bytes) pairs of any one tuple match its head.
    ``carrier`` says where a label is written, for people; empty where the format has no place for one or is only
    read. ``sniffed``: the format has no signature, or not always; its module says in ``looks_like(data)`` if it is it.
    ``media``: films and sounds, which are read in parts and lie in files of any size. ``fields``: the home of a label
    is a named text (``Changes.text_field``) and not an XMP packet; ``packets``: an XMP packet has a place, too.
    ``home``: what a text that stands in that home has for ``where``, up to its name.
    """

    name: str
    title: str
    module: str
    media_types: tuple[str, ...]
    extensions: tuple[str, ...]
    signatures: tuple[tuple[tuple[int, bytes], ...], ...]
    carrier: str = ""
    sniffed: bool = False
    media: bool = False
    fields: bool = False
    packets: bool = True
    home: str = ""


def _brands(*brands: bytes) -> tuple[tuple[tuple[int, bytes], ...], ...]:
    return tuple(((4, b"ftyp"), (8, brand)) for brand in brands)


_MEDIA: tuple[Format, ...] = (
    Format("mp4", "MP4, MOV, M4V, M4A", "mp4.metadata",
           ("video/mp4", "video/quicktime", "audio/mp4", "video/x-m4v", "video/3gpp"),
           (".mp4", ".mov", ".m4v", ".m4a", ".m4b", ".qt", ".3gp", ".3g2"),
           tuple(((4, kind),) for kind in (b"ftyp", b"moov", b"mdat", b"wide", b"pnot", b"styp")),
           "moov/udta/meta, keys entry AIGC", media=True, fields=True, home="MP4 moov/udta/meta keys mdta:"),
    Format("matroska", "Matroska, WebM", "matroska.metadata",
           ("video/x-matroska", "video/webm", "audio/x-matroska", "audio/webm"), (".mkv", ".webm", ".mka"),
           (((0, b"\x1aE\xdf\xa3"),),), "Tags/Tag/SimpleTag AIGC", media=True, fields=True, packets=False,
           home="Matroska SimpleTag AIGC"),
    Format("avi", "AVI", "avi", ("video/x-msvideo",), (".avi",), (((0, b"RIFF"), (8, b"AVI ")),),
           "LIST INFO, chunk AIGC", media=True, fields=True, home="AVI LIST INFO "),
    Format("flv", "FLV", "flv.metadata", ("video/x-flv",), (".flv",), (((0, b"FLV\1"),),), "onMetaData, property AIGC",
           media=True, fields=True, packets=False, home="FLV onMetaData AIGC"),
    Format("wav", "WAV", "wav", ("audio/wav",), (".wav",),
           tuple(((0, head), (8, b"WAVE")) for head in (b"RIFF", b"RF64", b"BW64")), "RIFF chunk AIGC",
           media=True, fields=True, home="WAV RIFF "),
    Format("mp3", "MP3", "mp3", ("audio/mpeg",), (".mp3",),
           (((0, b"ID3"),), *(((0, bytes((0xFF, each))),) for each in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2))),
           "ID3v2 TXXX frame AIGC", media=True, fields=True, home="MP3 ID3v2 TXXX "),
    Format("flac", "FLAC", "flac", ("audio/flac",), (".flac",), (((0, b"fLaC"),),), "Vorbis comment AIGC=",
           media=True, fields=True, packets=False, home="FLAC Vorbis comment "),
    Format("ogg", "OGG, Opus", "ogg.metadata", ("audio/ogg", "video/ogg"), (".ogg", ".oga", ".ogv", ".opus"),
           (((0, b"OggS"),),), "Vorbis comment AIGC=", media=True, fields=True, packets=False,
           home="OGG "),
)  # fmt: skip

FORMATS: tuple[Format, ...] = (
    Format(
        "jpeg", "JPEG", "jpeg.metadata", ("image/jpeg",), (".jpg", ".jpeg", ".jpe", ".jfif"),
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
        "tiff", "TIFF", "tiff.metadata", ("image/tiff",), (".tif", ".tiff"),
        (((0, b"II*\0"),), ((0, b"MM\0*"),), ((0, b"II+\0"),), ((0, b"MM\0+"),)), "IFD0 tag 0x02BC, type 7",
    ),
    Format(
        "heif", "HEIF, HEIC, AVIF", "heif.metadata",
        ("image/heic", "image/heif", "image/avif", "image/heic-sequence", "image/heif-sequence"),
        (".heic", ".heif", ".hif", ".avif", ".avifs"),
        _brands(
            *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
            *(b"mif1", b"mif2", b"msf1", b"avif", b"avis"),
        ),
        "meta item, mime application/rdf+xml",
    ),
    Format("bmp", "BMP", "bmp", ("image/bmp",), (".bmp", ".dib"), (((0, b"BM"),),)),
    Format("jxl", "JPEG XL", "jxl", ("image/jxl",), (".jxl",),
           (((0, b"\0\0\0\x0cJXL \r\n\x87\n"),), ((0, b"\xff\x0a"),))),
    Format("pdf", "PDF", "pdf.metadata", ("application/pdf",), (".pdf",), (((0, b"%PDF-"),),), sniffed=True),
    Format("svg", "SVG", "svg", ("image/svg+xml",), (".svg",), (), sniffed=True),
    Format("markdown", "Markdown", "markdown", ("text/markdown",), (".md", ".markdown", ".mdx", ".txt"), (),
           sniffed=True),
    *_MEDIA,
)  # fmt: skip


class Unread(NamedTuple):
    """A kind of file that is recognised but not read yet: saying so is better than calling its labels absent."""

    title: str
    media_type: str
    extensions: tuple[str, ...]
    signatures: tuple[tuple[int, bytes], ...]


UNREAD: tuple[Unread, ...] = (
    Unread("MPEG video", "video/mpeg", (".mpg", ".mpeg", ".ts", ".m2ts"), ((0, b"\0\0\1\xba"), (0, b"\0\0\1\xb3"))),
    Unread("ZIP or Office document", "application/zip", (".docx", ".pptx", ".xlsx", ".zip"), ((0, b"PK\3\4"),)),
)  # fmt: skip


def identify(head: Buffer | FileBytes) -> Format | None:
    """Say which format ``head`` (the first bytes of a file, or all of them) belongs to; its name has no say.

    Formats without a signature are told by their text, for which the whole file may be needed.
    """
    first = bytes(head[:HEAD])
    for row in FORMATS:
        for signature in row.signatures:
            if all(first[at : at + len(magic)] == magic for at, magic in signature):
                return row
    if unread(first) is not None:
        return None
    return next((row for row in FORMATS if row.sniffed and _module(row.module).looks_like(head)), None)


def is_media(head: Buffer) -> bool:
    """Say whether these first bytes are those of a film or sound: such a file is read in parts, never whole."""
    row = identify(bytes(head[:HEAD]))
    return row is not None and row.media


def unread(head: Buffer | FileBytes) -> Unread | None:
    """Say which kind of file that is not read yet ``head`` belongs to, if any."""
    first = bytes(head[:HEAD])
    for row in UNREAD:
        if any(first[at : at + len(magic)] == magic for at, magic in row.signatures):
            return row
    return None


def claimed_by(name: str) -> tuple[str, str] | None:
    """What a file's name claims by its extension: (format name, or "" for one that is not read; title)."""
    extension = PurePath(name).suffix.lower()
    for row in FORMATS:
        if extension in row.extensions:
            return row.name, row.title
    return next((("", row.title) for row in UNREAD if extension in row.extensions), None)


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def read(data: Buffer | FileBytes) -> Contents:
    """Find all metadata in ``data``.

    Raises :class:`~labeling.errors.UnsupportedFormat` if the content is of no format that we know.
    """
    row = identify(data)
    if row is None:
        if (kind := unread(data)) is not None:
            raise UnsupportedFormat(f"{kind.title} is not yet supported: whether it carries labels was not looked at")
        raise UnsupportedFormat("the content is of no format that this version knows")
    contents: Contents = _module(row.module).read(_whole(data) if row.media else data)
    return contents


def _whole(data: Buffer | FileBytes) -> Media:
    return data if isinstance(data, bytes | FileBytes) else bytes(data)


@overload
def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]: ...
@overload
def rewrite(data: Media, contents: Contents, changes: Changes, extra_edits: Any) -> list[Piece]: ...
def rewrite(data: Buffer | FileBytes, contents: Contents, changes: Changes, extra_edits: Any = None) -> Any:
    """Give the pieces of a copy of ``data`` with its metadata changed and its coded picture untouched.

    ``extra_edits`` are changes of the video for the same copy, where the format's codec made some (MP4).

    Raises :class:`~labeling.errors.LabelingError` if the format or this very file has no place for the change.
    """
    if contents.problems:
        raise LabelingError(
            f"the file is damaged ({contents.problems[0]}); repair it first, for example by re-saving it"
        )
    if contents.fixed:
        raise LabelingError(contents.fixed)
    row = next(row for row in FORMATS if row.name == contents.format)
    more = () if extra_edits is None else (extra_edits,)
    return _module(row.module).rewrite(_whole(data) if row.media else data, contents, changes, *more)


def format_named(name: str) -> Format:
    """Look a format up by its name, an extension (with or without its dot) or a media type.

    Raises :class:`~labeling.errors.UnsupportedFormat` that lists the known ones.
    """
    wanted = name.lower()
    for row in FORMATS:
        if wanted in (row.name, *row.media_types) or f".{wanted.lstrip('.')}" in row.extensions:
            return row
    raise UnsupportedFormat(f"there is no format {name!r}; known are {', '.join(row.name for row in FORMATS)}")
