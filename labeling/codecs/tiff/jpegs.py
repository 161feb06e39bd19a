"""JPEG strips and tiles (TIFF Technical Note 2): decoded for a look, and painted on in the DCT domain."""

from __future__ import annotations

import numpy as np

from labeling.codecs.base import Box, Pixels
from labeling.codecs.jpeg import paint as jpeg
from labeling.codecs.pixels import decoding, open_with
from labeling.codecs.smaller import Given
from labeling.codecs.tiff.page import RGB, YCBCR, Page
from labeling.errors import UnreadableFile

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_SLACK = 1 << 16
"""Pixels by which a chunk may be larger than the page needs, beside its unused rows."""


def decode(page: Page, tables: bytes, raw: bytes, row: int) -> Pixels:
    """Decode one chunk to (rows, columns, samples) uint8: gray or RGB, also where the page is YCbCr.

    Raises:
        UnreadableFile: The chunk is damaged.
    """
    rows, columns, depth = page.shape(row)
    if not raw:
        return np.zeros((rows, columns, depth), np.uint8)
    whole, _ = _whole(page, tables, raw)
    with decoding("TIFF"):
        image = open_with("JpegImagePlugin:JpegImageFile", whole)
        width, height = image.size
        if width < columns or height < rows or width * height > 4 * rows * columns + _SLACK:
            raise UnreadableFile(f"a strip or tile of the TIFF is {width}×{height} pixels; the file is damaged")
        samples = np.asarray(image.convert("RGB" if depth == 3 else "L"))[:rows, :columns]
    return samples.reshape(rows, columns, depth).copy()


def paint(page: Page, tables: bytes, raw: bytes, box: Box, overlay: Pixels) -> bytes:
    """Lay an overlay on the box of one chunk; only the blocks under it change. The result holds its own tables.

    Raises:
        LabelingError: The chunk is damaged, or of a kind that cannot be edited in this way.
    """
    whole, added = _whole(page, tables, raw)
    size = 1 << 31  # the chunk's size was checked when it was decoded
    made = jpeg.paint(whole, Given(box, overlay), orientation=1, quality=None, max_pixels=size).data
    return made.replace(added, b"", 1) if added else made


def _whole(page: Page, tables: bytes, raw: bytes) -> tuple[bytes, bytes]:
    """Join the shared tables and a chunk to one JPEG file.

    Returns:
        The file, and the marker in it that tells decoders whether it is YCbCr, if that was added: in a TIFF file the
        photometric interpretation does.
    """
    if raw[:2] != _SOI:
        raise UnreadableFile("a strip or tile of the TIFF is no JPEG; the file is damaged")
    shared = tables[2:].removesuffix(_EOI) if tables[:2] == _SOI else b""
    added = b""
    if page.photometric in (RGB, YCBCR) and b"Adobe" not in raw[:4096]:
        added = _ADOBE + bytes([page.photometric == YCBCR])
    return _SOI + added + shared + raw[2:], added
