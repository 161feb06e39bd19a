"""Text of a PNG file in another one that is made from it."""

from __future__ import annotations

from collections.abc import Iterable

from labeling.containers.base import Block
from labeling.containers.png_chunks import SIGNATURE


def with_text(data: bytes, source: bytes, blocks: Iterable[Block]) -> bytes:
    """Return a new file with text chunks of another one, byte for byte, before its first frame.

    Args:
        data: The file.
        source: The other file.
        blocks: Blocks of its :class:`Contents` that are text.
    """
    chunks = b"".join(source[block.offset : block.offset + block.length] for block in blocks)
    at = len(SIGNATURE)
    while data[at + 4 : at + 8] not in (b"IDAT", b"fcTL", b"IEND", b""):
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return data[:at] + chunks + data[at:]
