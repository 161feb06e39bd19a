"""Write ID3v2 tags: see :mod:`labeling.containers.syntax.id3`, which reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labeling.containers.base import Block, Changes, Kind
from labeling.containers.edits import Edit
from labeling.containers.syntax.id3 import EXTENDED, FOOTER, HEADER, MAX_TAG, UNSYNCHRONISED, Tag, synchsafe_bytes
from labeling.errors import LabelingError

_NEW_PADDING = 512  # so that the next change need not move the audio


def blank(at: int) -> Tag:
    """Return an empty tag for a file without one."""
    return Tag(at, at, 4, 0, 0)


def user_text(version: int, name: str, text: str) -> bytes:
    """Build a TXXX frame (TXX in 2.2) in the simplest encoding that its version has for the text."""
    if version == 4:
        body = b"\3" + name.encode() + b"\0" + text.encode()
    elif name.isascii() and text.isascii():  # the half of Latin-1 that is the same in UTF-8
        body = b"\0" + name.encode() + b"\0" + text.encode()
    else:
        body = b"\1" + b"\xff\xfe" + (name + "\0").encode("utf-16-le") + b"\xff\xfe" + text.encode("utf-16-le")
    return frame(version, b"TXX" if version == 2 else b"TXXX", body)


def private(version: int, packet: bytes) -> bytes:
    """Build a PRIV frame with an XMP packet (XMP Specification Part 3, 1.1.3.2).

    Raises:
        LabelingError: The version has no such frame.
    """
    if version == 2:
        raise LabelingError("an ID3v2.2 tag has no place for an XMP packet", hint="convert it to 2.3 or 2.4 first")
    return frame(version, b"PRIV", b"XMP\0" + packet)


def frame(version: int, name: bytes, body: bytes) -> bytes:
    """Build a frame without flags.

    Raises:
        LabelingError: It is too large.
    """
    if version == 2:
        if len(body) >= 1 << 24:
            raise _too_large()
        return name + len(body).to_bytes(3, "big") + body
    if len(body) > MAX_TAG:
        raise _too_large()
    size = synchsafe_bytes(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name + size + b"\0\0" + body


def new_frames(version: int, changes: Changes) -> dict[str, bytes]:
    """Return the new frames by the keyword of those that they replace; an empty one stands for an XMP packet."""
    new: dict[str, bytes] = {}
    if changes.text_field is not None:
        new[changes.text_field[0]] = user_text(version, *changes.text_field)
    if changes.xmp is not None:
        new[""] = private(version, changes.xmp)
    return new


def replaced(tags: Iterable[Tag], kept: Iterable[Block], keyword: str) -> int | None:
    """Return the offset of the frame that a new one replaces, if there is one."""
    offsets = {block.offset for block in kept}
    for frame in (frame for tag in tags for frame in tag.frames if frame.at in offsets):
        matches = frame.name in (b"TXXX", b"TXX") and frame.keyword == keyword
        if frame.kind is Kind.XMP if not keyword else matches:
            return frame.at
    return None


def rebuilt(tag: Tag, gone: set[int], put: Sequence[tuple[int | None, bytes]] = ()) -> bytes:
    """Build a tag with some frames removed, replaced or added. It keeps its length if possible.

    Args:
        tag: The old tag.
        gone: Offsets of the frames to remove.
        put: (offset, frame): a new frame that replaces the one at an offset, or comes last (``None``).

    Returns:
        The tag; empty if no frame is left.

    Raises:
        LabelingError: It is too large for a tag.
    """
    new = {offset: frame for offset, frame in put if offset is not None}
    frames = [new.get(each.at, each.raw) for each in tag.frames if each.at in new or each.at not in gone]
    frames += [frame for offset, frame in put if offset is None]
    if not frames:
        return b""
    body = tag.extended + b"".join(frames)
    flags = tag.flags if tag.extended else tag.flags & ~EXTENDED
    footer = tag.version == 4 and flags & FOOTER and tag.at > 0  # only needed to find a tag from its end
    flags = flags if footer or tag.version < 4 else flags & ~FOOTER
    if tag.version < 4 and flags & UNSYNCHRONISED:
        body = _unsynchronised(body)
    room = tag.end - tag.at - HEADER
    if not footer:  # with a footer, padding is forbidden
        body += bytes(room - len(body) if len(body) <= room else _NEW_PADDING)
    if len(body) > MAX_TAG:
        raise _too_large()
    rest = bytes((tag.version, tag.revision, flags)) + synchsafe_bytes(len(body))
    return b"ID3" + rest + body + (b"3DI" + rest if footer else b"")


def _too_large() -> LabelingError:
    return LabelingError("the text is too large for an ID3v2 frame", hint="shorten it")


def tag_edits(
    tags: list[Tag], gone: set[int], puts: dict[int, list[tuple[int | None, bytes]]] | None = None
) -> list[Edit]:
    """Return the edits that rebuild the tags in which something changes.

    Args:
        tags: The tags of the file.
        gone: Offsets of the frames to remove.
        puts: Offset of a tag → its new frames, as for :func:`rebuilt`. If there is no tag at offset 0, one is made.
    """
    puts = puts or {}
    edits: list[Edit] = []
    for tag in tags:
        put = puts.get(tag.at, [])
        if put or any(frame.at in gone for frame in tag.frames):
            edits.append((tag.at, tag.end, rebuilt(tag, gone, put)))
    if 0 in puts and not any(tag.at == 0 for tag in tags):
        edits.append((0, 0, rebuilt(blank(0), set(), puts[0])))
    return edits


def _unsynchronised(raw: bytes) -> bytes:
    return re.sub(rb"\xff(?=[\0\xe0-\xff]|\Z)", b"\xff\0", raw)
