"""Read what metadata is in a file, and write a copy of the file with its metadata changed.

Three verbs, :func:`read`, :func:`rewrite` and :func:`inventory`, over the table of formats
(:mod:`labeling.containers.formats`). The module of a format is imported when a file of that format turns up, so that
looking at a PNG does not load HEIF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, overload

from labeling.containers.base import (
    Block,
    Buffer,
    Changes,
    Contents,
    Crop,
    Entry,
    Kind,
    Media,
    NewFrame,
    OldFrame,
    Part,
    Piece,
    Room,
    Unfit,
)
from labeling.containers.edits import MediaEdit, splice
from labeling.containers.format_row import Cost, Format, Muxer, PictureEncoding, Unread, resolve
from labeling.containers.formats import (
    HEAD,
    claimed_by,
    container_module,
    format_named,
    identify,
    is_media,
    unread,
)
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat
from labeling.filebytes import FileBytes, Pieces

__all__ = [
    "HEAD",
    "Block",
    "Buffer",
    "Changes",
    "Contents",
    "Cost",
    "Crop",
    "Entry",
    "Format",
    "Kind",
    "Media",
    "NewFrame",
    "OldFrame",
    "Part",
    "Piece",
    "Room",
    "Unfit",
    "Unread",
    "claimed_by",
    "crop_of",
    "format_named",
    "holds_only",
    "identify",
    "inventory",
    "inventory_in_parts",
    "is_media",
    "read",
    "replace_frames",
    "require_whole",
    "rewrite",
    "room_for",
    "unread",
    "without_offsets",
]


def read(data: Buffer | FileBytes | Pieces) -> Contents:
    """Find all metadata in a file, given as bytes, as an open file of any size, or in pieces if it is TIFF.

    Raises:
        UnsupportedFormat: The content has no format of the table.
    """
    row = identify(data)
    if row is None:
        if (kind := unread(data)) is not None:
            message = f"this is {kind.title}, which is not yet read: whether it carries labels was not looked at"
            raise UnsupportedFormat(message, hint=kind.way_out or None)
        raise UnsupportedFormat("the content is of no format that this version knows")
    contents: Contents = container_module(row).read(_whole(data) if row.media else data)
    return contents


def holds_only(data: bytes, packet: bytes, encoding: PictureEncoding, encoded: bytes | None = None) -> bool:
    """Say whether a file that an encoder has just returned holds an XMP packet, and no other place for a label.

    Args:
        data: What the encoder returned, to the byte; or that with a manifest in it.
        packet: The packet that it was given.
        encoding: What the table of formats says about encoding it.
        encoded: What the encoder returned, if ``data`` was signed since.

    Returns:
        Whether the packet was read back so; where it was not, or is not read so quickly, :func:`read` tells.
    """
    return bool(encoding.proof) and bool(resolve(encoding.proof, __name__)(data, packet, encoded))


def inventory(data: Buffer | FileBytes | Pieces, contents: Contents) -> Iterator[Entry]:
    """List what a file holds besides its metadata blocks and its coded picture.

    Args:
        data: The file.
        contents: What :func:`read` found in it.
    """
    for each in inventory_in_parts(data, contents):
        if isinstance(each, Part):
            yield from each.entries()
        else:
            yield each


def inventory_in_parts(data: Buffer | FileBytes | Pieces, contents: Contents) -> Iterable[Entry | Part]:
    """List the same as :func:`inventory`; entries that take long to make are in parts, which compare at once."""
    row = format_named(contents.format)
    if not row.inventory:
        return ()
    found: Iterable[Entry | Part] = resolve(row.inventory, __name__)(_whole(data) if row.media else data, contents)
    return found


def _whole(data: Buffer | FileBytes | Pieces) -> Media:
    return data if isinstance(data, bytes | FileBytes) else bytes(data)


def require_whole(contents: Contents) -> None:
    """Raise :class:`UnreadableFile` if a file is damaged, or holds more of something than is read of one file."""
    if contents.problems:
        raise UnreadableFile(
            f"the file cannot be read in full ({contents.problems[0]})",
            hint="nothing was written; re-save it, for example with the program that made it",
        )


@overload
def rewrite(data: Buffer | Pieces, contents: Contents, changes: Changes) -> list[Buffer]: ...
@overload
def rewrite(data: Media, contents: Contents, changes: Changes, extra_edits: Any = None) -> list[Piece]: ...
def rewrite(data: Buffer | FileBytes | Pieces, contents: Contents, changes: Changes, extra_edits: Any = None) -> Any:
    """Give the pieces of a copy of a file with its metadata changed and its coded picture untouched.

    Args:
        data: The file.
        contents: What :func:`read` found in it.
        changes: What is to be different in the copy.
        extra_edits: Changes of the video for the same copy, where the format's codec made some (MP4).

    Raises:
        LabelingError: The file could not be read in full, or the format or this very file has no place for the change.
    """
    require_whole(contents)
    if contents.fixed:
        raise LabelingError(contents.fixed)
    row = format_named(contents.format)
    more = () if extra_edits is None else (extra_edits,)
    return container_module(row).rewrite(_whole(data) if row.media else data, contents, changes, *more)


def replace_frames(
    data: FileBytes,
    format: str,
    old: Iterable[OldFrame],
    new: Mapping[int, NewFrame | None],
    extradata: bytes | None,
) -> list[Piece]:
    """Give the pieces of a copy of a video in which new frames are in the places of old ones; all else stays.

    Args:
        data: The file.
        format: Its format's name.
        old: The frames of its video in the order of the file, as far as any is replaced.
        new: Number of a frame → what takes its place; ``None`` leaves the place empty.
        extradata: The decoder configuration; ``None`` leaves it as it is.

    Raises:
        Unfit: The frames of this file cannot be replaced one for one.
    """
    row = format_named(format)
    if not row.replacer:
        raise Unfit(f"{row.title} is re-muxed")
    try:
        edits: list[MediaEdit] = resolve(row.replacer, __name__)(data, old, new, extradata)
    except UnreadableFile:
        raise
    except LabelingError as error:
        raise error if isinstance(error, Unfit) else Unfit(error.message) from error
    return splice(data, edits)


def mended(source: FileBytes, copy: FileBytes, muxer: Muxer) -> list[Piece]:
    """Give the pieces of a re-muxed copy whose video got another codec as it should be; empty if it is right.

    Args:
        source: The file that was re-muxed.
        copy: What FFmpeg has written.
        muxer: With what.

    Raises:
        LabelingError: The copy is not laid out as FFmpeg does it.
    """
    edits: list[MediaEdit] = resolve(muxer.mend, __name__)(source, copy) if muxer.mend else []
    return splice(copy, edits) if edits else []


def crop_of(data: Media, format: str) -> Crop:
    """Return how many pixels of the coded picture players cut off, as the container says."""
    row = format_named(format)
    cut: Crop = resolve(row.crop, __name__)(data) if row.crop else (0, 0, 0, 0)
    return cut


def room_for(data: bytes) -> Callable[[int], Room] | None:
    """Say how a manifest is put into a file whose format ``makes_room``.

    Args:
        data: The file.

    Returns:
        A function that takes the length of the manifest store and returns a copy with room for it, in place of one that
        the file has; ``None`` if c2pa chooses the place. The function raises :class:`LabelingError` if the file is
        damaged, or would become too large.
    """
    row = identify(data)
    if row is None or not row.makes_room:
        return None
    return partial(container_module(row).make_room, data)


def without_offsets(block: Block) -> bytes:
    """Return the data of a block without numbers that have to follow when other things of the file move."""
    if block.kind is Kind.APP and block.keyword == "MPF":
        return b""
    if block.places:
        data = bytearray(block.data)
        for at in block.places:
            data[at : at + 4] = bytes(4)
        return bytes(data)
    if block.kind is Kind.XMP and b"Semantic" in block.data:
        from labeling.containers.jpeg.mpf import primary_length

        if (found := primary_length(block.data)) is not None:
            return block.data[: found[0]] + block.data[found[1] :]
    return block.data
