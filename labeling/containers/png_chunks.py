"""How the chunks of a PNG file are laid out (W3C PNG, third edition, 5): the one place that knows, for codecs too."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import Struct
from typing import Any

from labeling.containers.base import Buffer
from labeling.errors import UnreadableFile
from labeling.filebytes import Pieces

MAX_CHUNKS = 1 << 18
"""Limit on the chunks of one file: with 8 KiB IDAT chunks, that is a file of 2 GiB."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first eight bytes of every PNG file."""

_MAX_LENGTH = (1 << 31) - 1
_head = Struct(">I4s")


def walk(data: Buffer | Pieces) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks of a PNG file, IEND included, without looking into them.

    Args:
        data: A file that begins with :data:`SIGNATURE`.

    Yields:
        (type, offset, end) of each chunk. The payload is ``data[offset + 8 : end - 4]``; the CRC, which is not checked
        here, is ``data[end - 4 : end]``.

    Raises:
        UnreadableFile: The file is cut off, no chunk begins where one must, or there are more than
            :data:`MAX_CHUNKS`.
    """
    size, pos, unpack, view = len(data), len(SIGNATURE), _head.unpack_from, view_of(data)
    pieces = isinstance(view, Pieces)
    for _ in range(MAX_CHUNKS):
        if pos + 12 > size:
            raise UnreadableFile(f"the file is cut off at offset {pos}: there is no IEND chunk")
        length, name = unpack(view[pos : pos + 8]) if pieces else unpack(view, pos)
        end = pos + 12 + length
        if not name.isalpha():
            raise UnreadableFile(f"there is no chunk at offset {pos}, where one must begin")
        if end > size or length > _MAX_LENGTH:
            raise UnreadableFile(
                f"the {name.decode()} chunk at offset {pos} says it holds {length} bytes, but {size - pos - 12} follow"
            )
        yield name, pos, end
        if name == b"IEND":
            return
        pos = end
    raise UnreadableFile(f"more than {MAX_CHUNKS} chunks")


def view_of(data: Buffer | Pieces) -> Any:
    """Return what slices of a file can be taken of without copying it: views, or bytes of one in pieces."""
    return data if isinstance(data, Pieces) else memoryview(data)


def chunk(name: bytes, body: bytes) -> bytes:
    """Return one chunk: its length, its type ``name``, ``body``, and the CRC of both."""
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(body, zlib.crc32(name)).to_bytes(4, "big")
