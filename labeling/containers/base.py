"""The contract of a container module: what it reports about a file, and what it can be asked to change.

A *container* module knows where metadata is stored in one file format. It knows nothing about marks or laws: it hands
out :class:`Block` objects and takes :class:`Changes`. Each module of this package offers two functions::

    def read(data: Buffer) -> Contents: ...
    def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]: ...

``read`` finds all metadata. It does not raise on broken content: it returns what it could find and lists the damage in
``Contents.problems``. ``rewrite`` returns a copy of the file with the changes made and the coded picture untouched. The
copy is a list of pieces, most of them views of ``data``, so that nothing is copied until the file is written. Neither
function raises anything but :class:`~labeling.errors.LabelingError`, whatever the file contains, and neither decodes a
pixel.

A third one, named in the format's row, lists what else a file holds that a labelled copy has to hold as well
(:class:`Entry`)::

    def inventory(data: Buffer, contents: Contents) -> Iterable[Entry | Part]: ...

Modules for video and audio take :data:`Media` and return :data:`Piece` lists instead, because such files may be larger
than memory. Modules of formats without a signature also offer ``looks_like(data) -> bool``.

Whatever a file contains, the work and the memory spent on it are bounded: by the limits below, which
:class:`~labeling.containers.collector.Collector` enforces, and by limits of each module's own.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange, Pieces

Buffer = bytes | bytearray | memoryview | mmap.mmap
"""A whole file, or a part of one, in memory or mapped into it."""

Media = bytes | FileBytes
"""A video or audio file. Only slices of bounded size are read; a slice of either type is ``bytes``."""

Piece = Buffer | FileRange
"""One piece of a new video or audio file: bytes, or a range of the old file that is copied without being read."""

MAX_BLOCKS = 4096
"""Limit on the metadata blocks of one file; more are reported as a problem."""

MAX_PAYLOAD = 16 << 20
"""Limit on the bytes of one metadata block, after decompression."""

MAX_TOTAL = 64 << 20
"""Limit on the bytes of all metadata blocks of one file together, after decompression."""


Crop = tuple[int, int, int, int]
"""Pixels of the coded picture that players cut off: left, top, right, bottom."""


class Unfit(LabelingError):
    """A video's frames are stored in a way in which they cannot be replaced one for one."""


class OldFrame(NamedTuple):
    """A frame of a video as FFmpeg's demuxer returned it.

    Attributes:
        pts: When it is shown, in ticks of the stream; ``None`` if the container does not say.
        dts: When it is decoded, likewise.
        size: Its bytes.
    """

    pts: int | None
    dts: int | None
    size: int


class NewFrame(NamedTuple):
    """What takes the place of a frame.

    Attributes:
        pts: When it is shown, in ticks of the stream.
        dts: When it is decoded.
        key: Whether it is a key frame.
        data: Its bytes.
    """

    pts: int
    dts: int
    key: bool
    data: bytes | FileRange


class Kind(StrEnum):
    """What a block holds, independent of how the format wraps it."""

    XMP = "xmp"
    """An XMP packet."""
    EXIF = "exif"
    """A TIFF structure, from its byte-order mark on, without ``Exif\\0\\0``."""
    TEXT = "text"
    """Text with a keyword, such as a PNG text chunk."""
    PROPERTY = "property"
    """A named property of a document, in its author's words: an entry of a PDF Info dictionary, or of front matter."""
    COMMENT = "comment"
    """Text without a keyword: a JPEG COM segment, a GIF comment."""
    IPTC = "iptc"
    """IIM records, or the 8BIM resources that contain them."""
    ICC = "icc"
    """An ICC colour profile."""
    C2PA = "c2pa"
    """A C2PA manifest store (JUMBF)."""
    USER = "user"
    """User data inside a coded video stream (SEI messages)."""
    APP = "app"
    """Application data of no other kind: a JPEG APPn segment, a GIF application extension."""


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of metadata as found in a file.

    Attributes:
        kind: What the block holds.
        where: Its place in the format's own terms, such as ``PNG iTXt XML:com.adobe.xmp``.
        offset: Where the whole segment, chunk or box starts in the file, header included.
        length: Its length in bytes, header included.
        data: The payload, decompressed and without its wrapping.
        keyword: The format's own name for it, such as a PNG keyword or the identifier of an APPn segment.
        late: Whether it comes after the start of the coded picture, where some readers no longer look.
        problem: What is wrong with this block; empty if nothing is. If a label cannot be read because of it, the block
            counts as :attr:`Contents.unread`.
        places: Positions in ``data`` of numbers of 4 bytes that say where other things in the file are.
        too_much: Whether nothing is wrong with it but that it is more than is read.
    """

    kind: Kind
    where: str
    offset: int
    length: int
    data: bytes
    keyword: str = ""
    late: bool = False
    problem: str = ""
    places: tuple[int, ...] = ()
    too_much: bool = False


MAX_PARSED = 4 << 20
"""Limit on the bytes that :attr:`Contents.parsed` may hold on to."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that a container module found in a file.

    Attributes:
        format: The format's name in :data:`labeling.containers.formats.FORMATS`.
        media_type: The file's media type.
        blocks: The metadata.
        coded: (offset, length) of each run of coded picture data. A change of metadata leaves these bytes identical.
        width: Width in pixels as coded, before any orientation is applied; 0 where unknown.
        height: Height in pixels, likewise.
        frames: Number of frames.
        problems: Damage that makes the rest untrustworthy. A verifier calls such a file unreadable, and a writer
            refuses it.
        warnings: Oddities that do no harm, such as bytes after the end or a wrong CRC of an ancillary chunk.
        unread: Places that may hold a label and could not be read, each as a sentence. A verifier calls no label absent
            then, and a writer refuses the file: it would put a label over, or beside, what it cannot see.
        fixed: Why this file cannot be rewritten; empty if it can.
        seconds: Duration of a video or audio file; 0 where unknown.
        notes: What is wrong with the file for other readers, although all of it was read. A verifier reports it.
        has_xmp: Whether this very file has a place for an XMP packet, if its format has one.
        mended: What is wrong with the file and right in every copy of it, in sentences for whoever gets the copy.
        unsigned: Why this very file cannot have a C2PA manifest, if files of its format can; empty if it can.
        crowded: Whether it has more metadata fields than are read of one file. FFmpeg compares each with all before it,
            so that it is not given such a file.
        parsed: What ``read`` made of the file, so that ``inventory`` of the same format need not parse it again;
            ``None`` if it did not keep that. It must not refer to a file that is mapped into memory.
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
    unread: tuple[str, ...] = ()
    fixed: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    has_xmp: bool = True
    mended: tuple[str, ...] = ()
    unsigned: str = ""
    crowded: bool = False
    parsed: object = field(default=None, compare=False, repr=False)


class Measure(NamedTuple):
    """A property of which more is as good: ten bits hold what eight did.

    Attributes:
        rank: A copy has to have at least as much, less ``slack``.
        text: The same for people.
        slack: How much less still counts as the same: a container's clock may be coarser.
    """

    rank: int
    text: str
    slack: int = 0


class Entry(NamedTuple):
    """One thing that a file holds, or one property of it, that its labelled copy has to hold as well.

    The blocks of :class:`Contents` are not listed again: :mod:`labeling.preservation` makes entries of them itself. Nor
    is coded picture data, which changes under a label.

    Attributes:
        key: A stable name, from the general to the particular, such as ``chunk:NOTE`` or ``bit-depth``. A copy has to
            have as many entries of a key as the source, with the same values. Where ``track:audio:1`` is gone, what is
            ``track:audio:1:language`` is not named as well.
        value: What has to be the same. A ``str`` is shown to people as old → new, as is the text of a
            :class:`Measure`; ``bytes``, such as a digest, are only compared.
        what: The thing in words for people.
        where: Its place in the format's own terms.
    """

    key: str
    value: str | bytes | Measure
    what: str
    where: str = ""


class Part(NamedTuple):
    """Many entries of an inventory, which are only made if the other file does not hold the same.

    Attributes:
        identity: All that the entries are made from, such as the bytes of a box.
        entries: Makes them.
    """

    identity: tuple[object, ...]
    entries: Callable[[], Iterable[Entry]]


class Room(NamedTuple):
    """A copy of a file with room for a manifest store, in pieces.

    Attributes:
        head: What comes before the room: views of the file and what was made anew.
        tail: What comes behind it. A content hash covers head and tail.
        length: Bytes of the room.
        wrap: Wraps a manifest store for the format: what it returns fills the room.
    """

    head: list[Buffer]
    tail: list[Buffer]
    length: int
    wrap: Callable[[bytes], bytes] = bytes

    @classmethod
    def around(cls, room: bytes, pieces: list[Buffer], wrap: Callable[[bytes], bytes]) -> Room:
        """Make it from the pieces of the copy, of which ``room`` is one and holds the place."""
        at = next(number for number, piece in enumerate(pieces) if piece is room)
        return cls(pieces[:at], pieces[at + 1 :], len(room), wrap)


MAX_ENTRIES = 1 << 14
"""Limit on the entries of one file; an inventory stops there."""


_SAMPLED = 64 << 10


def digest(data: Buffer) -> bytes:
    """Return what stands for ``data`` in an :class:`Entry`: short data themselves, of others 16 bytes."""
    return bytes(data) if len(data) <= 64 else hashlib.blake2b(data, digest_size=16).digest()


def digest_of_part(data: Buffer | FileBytes | Pieces, start: int, end: int) -> bytes:
    """Return what stands for a part of a file: of a long one, for its length, its beginning and its end."""
    if end - start <= 2 * _SAMPLED:
        return digest(data[start:end])
    parts = data[start : start + _SAMPLED], data[end - _SAMPLED : end]
    return digest(b"".join((str(end - start).encode(), *parts)))


class Changes(NamedTuple):
    """What is to be different in the copy. ``None`` leaves a thing as it is.

    Attributes:
        xmp: A whole XMP packet in UTF-8. It replaces the file's main packet, or goes where the format stores one. The
            main packet is the first XMP block that is neither Extended XMP (keyword ``extension:…``) nor dropped.
        exif: A TIFF structure, which replaces the file's EXIF in the same way.
        drop: Blocks of the same :class:`Contents` that are left out.
        text_field: A name and its text, for formats that store a label as one (``Format.label_home``): replaces the
            first block of exactly this name in that place, or is added.
    """

    xmp: bytes | None = None
    exif: bytes | None = None
    drop: tuple[Block, ...] = ()
    text_field: tuple[str, str] | None = None
