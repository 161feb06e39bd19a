"""Samples of PNG pictures: the header, their bytes in rows, and decoding (PNG, third edition, clauses 7, 9 and 10).

Scanline filters see only bytes and the distance between pixels, never what the samples mean. So each colour type is
decoded by a fast C decoder as *some* type with the same number of bytes per pixel, under a minimal header: gray with
alpha is passed as 16-bit gray, 16-bit gray with alpha as 8-bit RGBA. Thus no decoder can apply gamma or a palette.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Pixels
from labeling.codecs.pixels import decoding
from labeling.codecs.png.stream import Inflated, chunk_of
from labeling.containers.base import Buffer
from labeling.containers.png_chunks import SIGNATURE, chunk
from labeling.errors import UnreadableFile

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
_DEPTHS = {GRAY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), RGBA: (8, 16)}

Samples = NDArray[Any]
"""(H, W, channels) uint8 or, at 16 bits, uint16: values as coded (palette indices, unscaled 1/2/4-bit gray)."""


@dataclass(frozen=True, slots=True)
class Header:
    """The image header chunk, IHDR.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        depth: Bits per sample.
        colour: The colour type: one of ``GRAY``, ``RGB``, ``PALETTE``, ``GRAY_ALPHA`` and ``RGBA``.
        interlaced: Whether the data are interlaced (Adam7).
    """

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool = False

    @classmethod
    def parse(cls, body: bytes) -> Header:
        """Read an IHDR payload.

        Raises:
            UnreadableFile: It contains values that the format does not have.
        """
        if len(body) != 13:
            raise UnreadableFile("the PNG header chunk (IHDR) has the wrong length; the file is damaged")
        width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
        if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
            raise UnreadableFile("the PNG header (IHDR) has impossible values; the file is damaged")
        return cls(width, height, depth, colour, bool(interlace))

    def body(self) -> bytes:
        """Return the payload of the chunk."""
        interlace = int(self.interlaced)
        return struct.pack(">IIBBBBB", self.width, self.height, self.depth, self.colour, 0, 0, interlace)

    @property
    def channels(self) -> int:
        """Samples per pixel."""
        return CHANNELS[self.colour]

    @property
    def peak(self) -> int:
        """The greatest sample value."""
        return int((1 << self.depth) - 1)


def _minimal(header: Header, stream: Sequence[Buffer]) -> bytes:
    palette = chunk(b"PLTE", bytes(3 << header.depth)) if header.colour == PALETTE else b""
    head = SIGNATURE + chunk(b"IHDR", header.body()) + palette
    return b"".join([head, *chunk_of(b"IDAT", stream), chunk(b"IEND", b"")])  # copied once


def decode(header: Header, *stream: Buffer, checked: bool = False) -> Samples:
    """Decode the image data of one picture or frame.

    Args:
        header: The header, with the size of the frame.
        stream: The payloads of its IDAT or fdAT chunks.
        checked: Whether the stream is known to be sound and long enough.

    Raises:
        UnreadableFile: The stream is damaged or too short.
    """
    with decoding("PNG image data"):
        if header.depth == 16 and header.colour in (RGB, RGBA):
            return _decode_deep_colour(header, stream, checked)
        if header.depth < 8:
            stand_in = replace(header, colour=PALETTE)  # unpacks bits without scaling
        elif header.depth == 16:
            stand_in = replace(header, depth=8, colour=GRAY_ALPHA if header.colour == GRAY else RGBA)
        else:
            stand_in = replace(header, colour=GRAY if header.colour == PALETTE else header.colour)
        from PIL import PngImagePlugin

        image = PngImagePlugin.PngImageFile(io.BytesIO(_minimal(stand_in, stream)))
        # Pillow opens even a 1-bit picture with an all-black palette in mode P, so these are always the stored values.
        samples = np.asarray(image)
    if header.depth == 16:
        return samples.view(">u2").astype(np.uint16).reshape(header.height, header.width, header.channels)
    return samples.reshape(header.height, header.width, header.channels)


def _decode_deep_colour(header: Header, stream: Sequence[Buffer], checked: bool) -> Samples:
    """Decode 16-bit RGB and RGBA, which Pillow would reduce to 8 bits.

    OpenCV silently returns a part of the picture when the stream is cut off, so the length of the data is checked
    first.
    """
    import cv2

    if not checked:
        check_length(stream, data_bytes(header))
    samples = cv2.imdecode(np.frombuffer(_minimal(header, stream), np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.shape != (header.height, header.width, header.channels):
        raise UnreadableFile("the PNG image data cannot be decoded; the file is damaged")
    for row in range(0, header.height, _SWAPPED):  # in place: a copy of the whole would double the memory
        part = samples[row : row + _SWAPPED]
        part[..., [0, 2]] = part[..., [2, 0]]
    return np.asarray(samples)


def check_length(stream: Sequence[Buffer], wanted: int) -> None:
    """Raise :class:`UnreadableFile` if a zlib stream, in parts, holds fewer bytes than ``wanted``."""
    source, got = Inflated(stream), 0
    while made := len(source.read(min(1 << 22, wanted - got))):
        got += made
    if got < wanted:
        raise UnreadableFile(f"the PNG image data ends after {got} of {wanted} bytes; the file is damaged or cut off")


_SWAPPED = 64
"""Rows whose channels are swapped at once."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A part of the image data with rows and filters of its own: all of it, or one of the seven of Adam7 (clause 8).

    Attributes:
        x: Column of its first pixel in the picture.
        y: Row of its first pixel.
        dx: Columns of the picture from one of its pixels to the next.
        dy: Rows of the picture from one of its rows to the next.
        width: Its pixels in a row.
        height: Its rows.
        line: Bytes of a row, without the filter byte.
    """

    x: int
    y: int
    dx: int
    dy: int
    width: int
    height: int
    line: int


def passes(header: Header) -> list[Pass]:
    """Return the passes that hold anything, in their order."""
    grid = _ADAM7 if header.interlaced else ((0, 0, 1, 1),)
    found = []
    for x, y, dx, dy in grid:
        width, height = -(-(header.width - x) // dx), -(-(header.height - y) // dy)
        if width > 0 and height > 0:
            found.append(Pass(x, y, dx, dy, width, height, -(-width * header.channels * header.depth // 8)))
    return found


_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def data_bytes(header: Header) -> int:
    """Return the bytes of the image data before compression, filter bytes included."""
    return sum(part.height * (1 + part.line) for part in passes(header))


def empty(header: Header, height: int, width: int) -> Samples:
    """Return zeros of the type of a picture's samples, (height, width, channels)."""
    return np.zeros((height, width, header.channels), np.uint16 if header.depth == 16 else np.uint8)


def row_bytes(header: Header, rows: Samples) -> Pixels:
    """Return samples, (n, W, channels), as the bytes of scanlines without filters: (n, bytes)."""
    if header.depth < 8:
        return _packed(rows[..., 0], header.depth)
    deep = rows.astype(">u2") if header.depth == 16 else np.ascontiguousarray(rows)
    return deep.reshape(len(rows), -1).view(np.uint8)


def rows_from_bytes(header: Header, lines: Pixels, width: int) -> Samples:
    """Return scanlines without filters, (n, bytes), as samples (n, width, channels)."""
    if header.depth == 16:
        return np.ascontiguousarray(lines).view(">u2").astype(np.uint16).reshape(len(lines), width, header.channels)
    if header.depth == 8:
        return lines.reshape(len(lines), width, header.channels)
    per_byte = 8 // header.depth
    shifts = np.arange(8 - header.depth, -1, -header.depth, dtype=np.uint8)
    values: Samples = (lines[..., None] >> shifts & np.uint8(header.peak)).reshape(len(lines), -1)
    assert values.shape[1] == lines.shape[1] * per_byte
    return np.ascontiguousarray(values[:, :width, None])


def _packed(values: Samples, depth: int) -> Samples:
    per_byte = 8 // depth
    height, width = values.shape
    row = -(-width // per_byte)
    padded = np.zeros((height, row * per_byte), np.uint8)
    padded[:, :width] = values
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    packed: Samples = np.bitwise_or.reduce(padded.reshape(height, row, per_byte) << shifts, axis=2)
    return packed
