"""Paint on WebP files (RFC 9649). They are re-encoded, without loss if the source is lossless."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from labeling.codecs._frames import recode
from labeling.codecs.base import Painted, Painter
from labeling.codecs.opening import open_picture
from labeling.containers.base import Buffer

QUALITY = 95
"""Default quality (1–100) of a re-encoded lossy picture."""


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of a WebP file; see :mod:`labeling.codecs.base`."""
    raw = bytes(data)
    image = open_picture(raw, "webp", max_pixels)
    if set(_codings(raw, 12)) == {b"VP8L"}:
        how = "lossless WebP re-encoded without loss"
        return recode(image, "WEBP", painter, orientation, {"lossless": True, "exact": True}, lossless=True, how=how)
    quality = QUALITY if quality is None else quality
    how = f"lossy WebP re-encoded, quality {quality}"
    return recode(image, "WEBP", painter, orientation, {"quality": quality}, lossless=False, how=how)


def _codings(raw: bytes, at: int) -> Iterator[bytes]:
    """Yield the kinds of image data from offset ``at`` on, inside frames too: ``VP8 `` (lossy) and ``VP8L``."""
    while at + 8 <= len(raw):
        kind, (size,) = raw[at : at + 4], struct.unpack_from("<I", raw, at + 4)
        if kind in (b"VP8 ", b"VP8L"):
            yield kind
        at += 24 if kind == b"ANMF" else 8 + size + (size & 1)  # into a frame, past everything else
