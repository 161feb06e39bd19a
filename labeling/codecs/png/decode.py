"""Take PNG and APNG files apart, and decode them as a viewer shows them.

This is the one decoder, for painting and for verifying. A wrong CRC of a chunk that is not part of the picture, or text
of any size, does not keep it from showing the picture, as it does not keep browsers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labeling.codecs import coded_size
from labeling.codecs.base import Pixels
from labeling.codecs.pixels import check_size, upright
from labeling.codecs.png.apng import Animation
from labeling.codecs.png.colour import Look, shown
from labeling.codecs.png.rows import Unfilter, bands
from labeling.codecs.png.samples import Header, data_bytes, decode
from labeling.codecs.png.stream import Inflated
from labeling.containers.base import Buffer
from labeling.containers.png import apple_form
from labeling.containers.png_chunks import SIGNATURE, walk
from labeling.errors import UnreadableFile, UnsupportedFormat

IMAGE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"fcTL", b"fdAT"}
"""Chunks that make up the pictures."""

PLAYED = 200_000_000
"""Bytes that the canvas of an animation that is played may take, as RGBA: it exists several times at once."""

_DATA = {b"IDAT", b"fdAT"}

BY_COLOUR_TYPE = {b"sBIT", b"bKGD", b"hIST"}
"""Chunks whose payload depends on the colour type, so that they change with it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its type, its payload (of image data a view), and where the whole of it is in the file."""

    kind: bytes
    body: Buffer
    start: int
    end: int


def opened(raw: bytes, max_pixels: int) -> tuple[list[Chunk], Look, int]:
    """Take a file apart and check the size that its header gives.

    Returns:
        Its chunks up to IEND, with the payloads of those that matter to the picture; its look; and the number of frames
        if it is an animation, else 0.

    Raises:
        UnreadableFile: It is damaged.
        UnsupportedFormat: It is in Apple's own form.
        TooLarge: It is beyond the limit.
    """
    chunks = list(_chunks(raw))
    header = Header.parse(bytes(chunks[0].body))
    frames = sum(c.kind == b"fcTL" for c in chunks) if any(c.kind == b"acTL" for c in chunks) else 0
    check_size(header.width, header.height, max(frames, 1), max_pixels=max_pixels)
    coded = sum(len(c.body) for c in chunks if c.kind == b"IDAT")
    if coded:
        coded_size.check(header.width, header.height, data_bytes(header), coded * coded_size.DEFLATE)
    return chunks, Look.parse(header, _body(chunks, b"PLTE"), _body(chunks, b"tRNS")), frames


def _chunks(raw: bytes) -> Iterator[Chunk]:
    """Yield the chunks up to IEND. A damaged chunk of the picture itself is an error, as it is for decoders."""
    if problem := apple_form(raw):
        raise UnsupportedFormat(problem)
    if not raw.startswith(SIGNATURE + b"\0\0\0\x0dIHDR"):
        raise UnreadableFile("the file does not begin with the PNG signature and header (IHDR)")
    view = memoryview(raw)
    for kind, start, end in walk(raw):
        checked = kind in IMAGE or kind == b"acTL"
        if checked and zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(raw[end - 4 : end], "big"):
            raise UnreadableFile(f"the PNG chunk {kind.decode()} at offset {start} fails its check sum (CRC)")
        body: Buffer = b""
        if kind in _DATA:
            body = view[start + 8 : end - 4]
        elif checked or kind in BY_COLOUR_TYPE:
            body = raw[start + 8 : end - 4]
        yield Chunk(kind, body, start, end)


def _body(chunks: Sequence[Chunk], kind: bytes) -> bytes:
    return bytes(next((c.body for c in chunks if c.kind == kind), b""))


def image_bodies(chunks: Sequence[Chunk]) -> list[Buffer]:
    """Return the parts of the zlib stream of the still picture."""
    return [c.body for c in chunks if c.kind == b"IDAT"]


def image_data(chunks: Sequence[Chunk]) -> bytes:
    """Join the zlib stream of the still picture."""
    return b"".join(image_bodies(chunks))


def check(data: bytes, max_pixels: int) -> bool:
    """Decode every picture of a file to see whether all of it is there, without keeping any.

    Returns:
        Whether the number of its frames is right.

    Raises:
        LabelingError: Something is missing, or damaged.
    """
    chunks, look, count = opened(data, max_pixels)
    if count:
        total, every, _ = frames(data, 1, max_pixels)
        return sum(1 for _ in every) == total
    unfilter = Unfilter(look.header)
    for band in bands(look.header, Inflated(image_bodies(chunks))):
        unfilter.lines(band)
    return True


def displayed(data: Buffer, orientation: int, max_pixels: int) -> Pixels:
    """Decode the still picture that every viewer can show, upright.

    Returns:
        (H, W, 3) uint8 RGB, or (H, W, 4) RGBA if anything in it is transparent.

    Raises:
        LabelingError: As :func:`opened` does, or the image data is damaged.
    """
    return upright(still_shown(*opened(bytes(data), max_pixels)), orientation)


def still_shown(chunks: Sequence[Chunk], look: Look, frames: int) -> Pixels:
    """Decode the still picture as :func:`displayed` does, from what :func:`opened` gives, as stored."""
    if frames:
        return next(_played(chunks, look))
    return shown(look, decode(look.header, image_data(chunks)))


def frames(data: Buffer, orientation: int, max_pixels: int) -> tuple[int, Iterator[Pixels], bool]:
    """Decode an animation; the still picture comes first if it is not one of the frames.

    Returns:
        The number of frames, an iterator over them as of :func:`displayed`, and whether the first is a static image
        and no part of the animation (PNG 11.2.4). A still picture, and an animation whose canvas takes more than
        :data:`PLAYED` bytes, has one.
    """
    chunks, look, count = opened(bytes(data), max_pixels)
    header = look.header
    if not count or header.width * header.height * 4 * (2 if header.depth == 16 else 1) > PLAYED:
        return 1, (displayed(data, orientation, max_pixels) for _ in range(1)), False
    apart = next((c.kind for c in chunks if c.kind in (b"fcTL", b"IDAT")), b"") == b"IDAT"
    played = (upright(frame, orientation) for frame in _played(chunks, look))
    return count + apart, played, apart


def _played(chunks: Sequence[Chunk], look: Look) -> Iterator[Pixels]:
    animation = Animation.parse(chunks, look)
    canvas_look = animation.canvas_look()
    still = animation.still_of(canvas_look)
    if still is not None:
        yield shown(canvas_look, still)
    for canvas in animation.canvases(canvas_look):
        yield shown(canvas_look, canvas.copy())
