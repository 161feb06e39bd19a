"""Vorbis comments (Xiph.org, Vorbis I specification, 5), which FLAC and the codecs in OGG use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labeling.containers.base import Kind
from labeling.containers.collector import Collector, note
from labeling.errors import LabelingError, TooLarge

MAX_ENTRIES = 4096
"""Limit on the comments of one header."""

VENDOR = b"aigc-labeling"
"""The vendor string of a new comment header."""

_PICTURES = {"METADATA_BLOCK_PICTURE", "COVERART"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One comment.

    Attributes:
        at: Offset of its length field in the header.
        raw: Its bytes, "NAME=text" in UTF-8.
    """

    at: int
    raw: bytes

    @property
    def name(self) -> str:
        """The name as written; readers ignore its case."""
        return self.raw.partition(b"=")[0].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Comments:
    """A comment header.

    Attributes:
        vendor: The vendor string.
        entries: The comments.
        rest: What follows them, such as the framing bit of Vorbis or the padding of Opus.
    """

    vendor: bytes = VENDOR
    entries: tuple[Entry, ...] = ()
    rest: bytes = b""


def parse(raw: bytes) -> Comments:
    """Parse a comment header.

    Raises:
        LabelingError: It is damaged.
        TooLarge: It has too many comments.
    """
    at = 4 + int.from_bytes(raw[:4], "little")
    if at + 4 > len(raw):
        raise LabelingError("its comment header is cut off")
    vendor = raw[4:at]
    count = int.from_bytes(raw[at : at + 4], "little")
    if count > MAX_ENTRIES:
        raise TooLarge(f"its comment header has {count} comments, more than the {MAX_ENTRIES} that are read")
    at += 4
    entries: list[Entry] = []
    for _ in range(count):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        if at + 4 > len(raw) or end > len(raw):
            raise LabelingError("its comment header is cut off")
        entries.append(Entry(at, raw[at + 4 : end]))
        at = end
    return Comments(vendor, tuple(entries), raw[at:])


def build(comments: Comments) -> bytes:
    """Return the bytes of a comment header."""
    parts = [_sized(comments.vendor), len(comments.entries).to_bytes(4, "little")]
    return b"".join([*parts, *(_sized(entry.raw) for entry in comments.entries), comments.rest])


def _sized(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "little") + raw


def take(raw: bytes, where: str, place: Callable[[int], int], collector: Collector) -> None:
    """Collect the comments of a header as blocks.

    Args:
        raw: The header.
        where: What precedes a comment's name in ``Block.where``.
        place: Returns the offset in the file of a byte of the header.
        collector: Receives the blocks.
    """
    try:
        comments = parse(raw)
    except LabelingError as error:
        note(collector.problems, error.message)
        collector.crowded |= isinstance(error, TooLarge)
        return
    for entry in comments.entries:
        name, text = entry.name, entry.raw.partition(b"=")[2]
        if name.upper() not in _PICTURES:
            start, end = place(entry.at), place(entry.at + 4 + len(entry.raw) - 1) + 1
            title = name.encode("unicode_escape").decode("ascii")
            collector.add(Kind.TEXT, f"{where} {title}", (start, end), text, name)


def changed(comments: Comments, gone: set[int], put: tuple[int | None, str, str] | None) -> Comments:
    """Return the comments with some removed, replaced or added.

    Args:
        comments: The header.
        gone: Offsets of the comments to remove.
        put: A new comment: (offset of the one that it replaces or ``None``, name, text).

    Raises:
        LabelingError: The name is not one that a comment may have (ASCII 0x20 to 0x7D without "=").
    """
    entries = list(comments.entries)
    if put is not None:
        at, name, text = put
        if not name or not all(" " <= char <= "}" and char != "=" for char in name):
            raise LabelingError(f"{name!r} cannot be the name of a Vorbis comment", hint="use ASCII without '='")
        new = Entry(-1, f"{name}={text}".encode())
        if at is None:
            entries.append(new)
        else:
            entries = [new if entry.at == at else entry for entry in entries]
    return Comments(comments.vendor, tuple(entry for entry in entries if entry.at not in gone), comments.rest)
