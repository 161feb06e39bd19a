"""Convert PNG image data from a zlib stream to samples and back (PNG, third edition, clauses 7, 9 and 10).

Scanline filters see only bytes and the distance between pixels, never what the samples mean. So each colour type is
encoded by a fast C encoder as *some* type with the same number of bytes per pixel, under a minimal header: gray with
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
from labeling.codecs.pixels import decoding, encoding
from labeling.codecs.png.stream import Inflated, chunk_of
from labeling.containers.base import Buffer
from labeling.containers.png import SIGNATURE, chunk, walk
from labeling.errors import LabelingError, UnreadableFile

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


def encode(header: Header, samples: Samples) -> bytes:
    """Compress samples, never interlaced, to a zlib stream for IDAT or fdAT chunks.

    Raises:
        LabelingError: The picture is too large for the encoder.
    """
    made = _compress(_carrier(header, samples))
    return b"".join([made[at + 8 : end - 4] for kind, at, end in walk(made) if kind == b"IDAT"])


def _carrier(header: Header, samples: Samples) -> Samples:
    """Arrange samples as an array that OpenCV writes as exactly these bytes, with this distance between pixels."""
    import cv2

    if header.depth < 8:
        return _packed(samples[..., 0], header.depth)
    if header.colour in (RGB, RGBA):
        order = cv2.COLOR_RGB2BGR if header.colour == RGB else cv2.COLOR_RGBA2BGRA
        return np.asarray(cv2.cvtColor(samples, order))
    if header.colour == GRAY_ALPHA and header.depth == 8:
        return np.ascontiguousarray(samples).view(">u2")[..., 0].astype(np.uint16)
    if header.colour == GRAY_ALPHA:
        quads = samples.astype(">u2").view(np.uint8)
        return np.asarray(cv2.cvtColor(quads, cv2.COLOR_RGBA2BGRA))
    return samples[..., 0]


def _packed(values: Samples, depth: int) -> Samples:
    per_byte = 8 // depth
    height, width = values.shape
    row = -(-width // per_byte)
    padded = np.zeros((height, row * per_byte), np.uint8)
    padded[:, :width] = values
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    packed: Samples = np.bitwise_or.reduce(padded.reshape(height, row, per_byte) << shifts, axis=2)
    return packed


_EVEN = 0.8
"""Share of samples equal to a neighbour from which on a picture counts as a flat drawing."""


def _compress(carrier: Samples) -> bytes:
    """Encode with the best of three settings, judged on some rows.

    Measured against Pillow's default on twelve kinds of pictures: photographs need adaptive filters and run lengths,
    drawings and gradients Up filters and real matching, text and dithering no filter. None of the three suits all.
    """
    import cv2

    settings: list[list[int]] = [
        [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_FILTER, kind, cv2.IMWRITE_PNG_STRATEGY, strategy]
        for level, kind, strategy in (
            (1, cv2.IMWRITE_PNG_ALL_FILTERS, cv2.IMWRITE_PNG_STRATEGY_RLE),
            (5, cv2.IMWRITE_PNG_FILTER_UP, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
            (3, cv2.IMWRITE_PNG_FILTER_NONE, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
        )
    ]
    sample = _bands(carrier)
    if _evenness(sample) > _EVEN:
        best = settings[1]  # a flat drawing: the trials would take longer than they can save
    else:
        with encoding("PNG"):
            lengths = [len(cv2.imencode(".png", sample, setting)[1]) for setting in settings]
        lengths[0] = lengths[0] * 49 // 50  # where nothing compresses well, the first is the fastest
        best = settings[lengths.index(min(lengths))]
    with encoding("PNG"):
        done, coded = cv2.imencode(".png", np.ascontiguousarray(carrier), best)
    if not done:
        raise LabelingError("the PNG could not be encoded; the picture is too large for the encoder")
    return bytes(coded)


def _evenness(sample: Samples) -> float:
    """Return the share of samples that equal the one above, or the one on the left, whichever is more."""
    pairs = ((sample[1:], sample[:-1]), (sample[:, 1:], sample[:, :-1]))
    return max(float(np.count_nonzero(a == b)) / max(1, a.size) for a, b in pairs)


def _bands(carrier: Samples, count: int = 4, share: int = 16) -> Samples:
    """Return ``count`` bands of whole rows from all over the picture, 1/``share`` of it in all."""
    height = carrier.shape[0]
    rows = height // (count * share)
    if rows < 2:
        return np.ascontiguousarray(carrier[: max(8, height // share)])
    starts = [(2 * i + 1) * height // (2 * count) for i in range(count)]
    return np.ascontiguousarray(np.concatenate([carrier[s : s + rows] for s in starts]))
