"""Whether an output that nobody knows is what labelling its source gives: then a run has made it that is forgotten."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import Literal

Alike = Literal["bytes", "pixels", ""]
"""What two labelled files have in common: all but the moment of labelling, the pixels, or less."""

MAX_COMPARED = 256 << 20
"""Bytes of files that are compared."""

_MOMENT = re.compile(rb"CreateDate>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+\-:.0-9Z]{0,20})<")
_PNG = b"\x89PNG\r\n\x1a\n"


def alike(output: Path, made: Path) -> Alike:
    """Compare an output with one that was just made of the same source, under the same content id.

    Args:
        output: The output.
        made: The one that was just made.
    """
    if max(output.stat().st_size, made.stat().st_size) > MAX_COMPARED:
        return ""
    one, other = output.read_bytes(), made.read_bytes()
    return "bytes" if _same_but_for_moment(one, other) else "pixels" if _same_pixels(output, made) else ""


def _same_but_for_moment(one: bytes, other: bytes) -> bool:
    """Return whether two files differ only in xmp:CreateDate (XMP Specification Part 1, 8.4) and its checksum."""
    moment = _MOMENT.search(one)
    if len(one) != len(other) or moment is None:
        return one == other
    moved = other[: moment.start(1)] + moment[1] + other[moment.end(1) :]
    return (_with_checksums(moved) if moved.startswith(_PNG) else moved) == one


def _with_checksums(png: bytes) -> bytes:
    """Return a PNG with the CRC of each iTXt chunk made right (PNG specification, 5.3)."""
    data, at = bytearray(png), len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if data[at + 4 : at + 8] == b"iTXt":
            struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


def _same_pixels(one: Path, other: Path) -> bool:
    from PIL import Image, ImageSequence, UnidentifiedImageError

    try:
        with Image.open(one) as first, Image.open(other) as second:
            if (first.format, first.mode, first.size) != (second.format, second.mode, second.size):
                return False
            if getattr(first, "n_frames", 1) != getattr(second, "n_frames", 1):
                return False
            frames = zip(ImageSequence.Iterator(first), ImageSequence.Iterator(second), strict=True)
            return all(
                (a.mode, a.size, a.getpalette()) == (b.mode, b.size, b.getpalette()) and a.tobytes() == b.tobytes()
                for a, b in frames
            )
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return False
