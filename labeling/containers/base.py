"""What a container module says about a file, and what it can be asked to change.

A *container* knows where metadata sits in one file format. It knows no mark and no law: it hands
out :class:`Block` objects and takes :class:`Changes`. Every module of this package offers::

    def read(data: Buffer) -> Contents: ...
    def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]: ...

``read`` never raises on broken content: it returns what it could find and says in ``problems`` what
it could not. It raises nothing but :class:`~labeling.errors.LabelingError`. ``rewrite`` returns the new
file as a list of pieces, most of them views of ``data``, so that nothing is copied until it is written.
Modules of films and sounds (``Format.media``) get :data:`Media` and give :data:`Piece` lists: they never hold the file.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from enum import StrEnum

from labeling.filebytes import FileBytes, Span

Buffer = bytes | bytearray | memoryview | mmap.mmap

Media = bytes | FileBytes
"""Films and sounds: slices of either are bytes, and only slices are ever asked for, each of a bounded size."""

Piece = Buffer | Span
"""What a new file is made of: bytes, or a run of the old file that is copied and not read."""

MAX_BLOCKS = 4096
"""At most so many metadata blocks are looked at in one file; more is reported as a problem."""

MAX_PAYLOAD = 16 << 20
"""Bytes of one metadata block, after decompression."""

MAX_TOTAL = 64 << 20
"""Bytes of all decompressed metadata blocks of one file."""


class Kind(StrEnum):
    """What a block holds, whatever the format calls its wrapping."""

    XMP = "xmp"  # an XMP packet
    EXIF = "exif"  # a TIFF structure (from the byte-order mark on, without "Exif\0\0")
    TEXT = "text"  # text with a keyword (PNG text chunks)
    PROPERTY = "property"  # a named property of a document (PDF Info, front matter): its author's words
    COMMENT = "comment"  # text without a keyword (JPEG COM, GIF comment)
    IPTC = "iptc"  # IIM records or the 8BIM resources that hold them
    ICC = "icc"
    C2PA = "c2pa"  # a C2PA manifest store (JUMBF)
    USER = "user"  # user data in the coded film itself (SEI messages)
    APP = "app"  # application data that no other kind names (JPEG APPn, GIF application extension)


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of metadata as found.

    ``where`` names the place in the format's own terms ("PNG iTXt XML:com.adobe.xmp").
    ``offset``/``length`` span the whole segment, chunk or box in the file, header included; ``data``
    is its payload, decompressed and without wrapping. ``keyword`` is the format's own name for it (PNG keyword,
    APPn identifier). ``late`` is true behind the coded picture. ``problem`` says what is wrong with the block itself.
    """

    kind: Kind
    where: str
    offset: int
    length: int
    data: bytes
    keyword: str = ""
    late: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a container module found in a file.

    ``coded`` are the (offset, length) spans of the coded picture: metadata changes leave these bytes
    identical. ``width``/``height`` are as coded, before any orientation; 0 where unknown. ``problems`` is damage
    that makes the rest untrustworthy: a verifier calls such a file unreadable, a writer refuses it.
    ``warnings`` is oddness that is none (bytes after the end, a bad CRC on an ancillary chunk).
    ``fixed`` says why this very file cannot be rewritten ("" if it can). ``seconds`` is how long a film or sound lasts,
    0 where unknown.
    """

    format: str
    media_type: str
    blocks: tuple[Block, ...] = ()
    coded: tuple[tuple[int, int], ...] = ()
    width: int = 0
    height: int = 0
    frames: int = 1
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fixed: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different in the copy. ``None`` leaves a thing as it is.

    ``xmp`` is a whole XMP packet (UTF-8): it takes the place of the file's main packet, or goes
    to the format's home for one. The main packet is the first XMP block that is no Extended XMP (keyword
    ``extension:…``) and is not dropped. ``exif`` likewise is a TIFF structure. ``drop`` are blocks of the same
    ``Contents`` to be left out. ``named`` is a name and its text, for formats whose home for a label is one
    (``Format.fields``): it takes the place of the first block of that very name that stands in that home, or is added.
    """

    xmp: bytes | None = None
    exif: bytes | None = None
    drop: tuple[Block, ...] = field(default=())
    named: tuple[str, str] | None = None
