"""One page of a TIFF file: read its layout, and convert its strips or tiles to samples and back (TIFF 6.0, 3–15)."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling._tiff_ifd import Entry, Ifd, Tiff, read_tiff
from labeling.codecs.pixels import check_size, decoding
from labeling.errors import UnreadableFile, UnsupportedFormat

Samples = NDArray[Any]

NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE = 1, 5, 8, 32773, 32946
_OTHER = {
    2: "CCITT",
    3: "CCITT",
    4: "CCITT",
    6: "JPEG",
    7: "JPEG",
    34712: "JPEG 2000",
    50000: "Zstandard",
    50001: "WebP",
}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED = 0, 1, 2, 3, 5
INKS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, SEPARATED: 4}
"""Photometric interpretations that can be painted on → how many samples of a pixel are colour."""

_MAX_CHUNKS = 1 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """The layout of a page. A *chunk* is a strip or a tile.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        dtype: Type of a sample, in the file's byte order.
        photometric: PhotometricInterpretation, a key of :data:`INKS`.
        samples: Samples per pixel.
        extra: What the first sample beyond the colour is (ExtraSamples); ``None`` if there is none.
        planar: Whether each sample has chunks of its own.
        compression: Compression.
        predictor: Predictor: 1 none, 2 horizontal differencing.
        orientation: Orientation, as in EXIF.
        columns: Width of a chunk in pixels.
        rows: Its height in pixels.
        tiled: Whether chunks are tiles.
        offsets: The entry with the chunks' offsets.
        counts: The entry with their lengths in bytes.
        map: The entry with the colour map, if there is one.
    """

    width: int
    height: int
    dtype: np.dtype[Any]
    photometric: int
    samples: int
    extra: int | None
    planar: bool
    compression: int
    predictor: int
    orientation: int
    columns: int
    rows: int
    tiled: bool
    offsets: Entry
    counts: Entry
    map: Entry | None

    @property
    def across(self) -> int:
        """Number of chunks side by side."""
        return -(-self.width // self.columns)

    @property
    def down(self) -> int:
        """Number of chunks one below the other."""
        return -(-self.height // self.rows)

    @property
    def depth(self) -> int:
        """Number of samples per pixel in one chunk."""
        return 1 if self.planar else self.samples

    def shape(self, row: int) -> tuple[int, int, int]:
        """Return the shape of a chunk in chunk row ``row``. The last strip may be short; tiles never are."""
        rows = self.rows if self.tiled else min(self.rows, self.height - row * self.rows)
        return rows, self.columns, self.depth


def parse(tiff: Tiff, ifd: Ifd, max_pixels: int) -> Page:
    """Read the layout of a page.

    Args:
        tiff: The file's directories.
        ifd: The directory of the page.
        max_pixels: Limit on the pixels of the page.

    Raises:
        UnsupportedFormat: The page cannot be edited without loss.
        UnreadableFile: The directory is damaged.
        TooLarge: The page is beyond the limit.
    """

    def number(tag: int, default: int) -> int:
        values = tiff.ints(ifd.entries[tag], 1) if tag in ifd.entries else ()
        return values[0] if values else default

    width, height = number(256, 0), number(257, 0)
    check_size(width, height, max_pixels=max_pixels)
    compression, photometric, samples = number(259, NONE), number(262, -1), number(277, 1)
    if compression not in (NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE):
        name = _OTHER.get(compression, f"number {compression}")
        raise UnsupportedFormat(
            f"a TIFF with {name} compression cannot be painted on without loss", hint="re-save it with LZW compression"
        )
    if photometric not in INKS or not INKS[photometric] <= samples <= 16:
        raise UnsupportedFormat(
            "this TIFF's colours (YCbCr, Lab or raw) cannot be painted on", hint="convert it to RGB first"
        )
    predictor = number(317, 1)
    dtype = _dtype(tiff, ifd, samples)
    if number(266, 1) != 1 or predictor not in (1, 2) or (predictor == 2 and dtype.kind != "u"):
        raise UnsupportedFormat("this TIFF uses a rare bit order or predictor", hint="re-save it with LZW compression")
    tiled = 322 in ifd.entries
    columns = number(322, 0) if tiled else width
    rows = number(323, 0) if tiled else min(number(278, height), height)
    if columns <= 0 or rows <= 0:
        raise UnreadableFile("the TIFF's strips or tiles have no size; the file is damaged")
    check_size(columns, rows, max_pixels=max(max_pixels, 4096))
    offsets, counts = ifd.entries.get(324 if tiled else 273), ifd.entries.get(325 if tiled else 279)
    if offsets is None or counts is None:
        raise UnreadableFile("the TIFF has no table of its strips or tiles; the file is damaged")
    extra = number(338, 0) if 338 in ifd.entries and samples > INKS[photometric] else None
    planar = number(284, 1) == 2 and samples > 1
    page = Page(
        width, height, dtype, photometric, samples, extra, planar, compression, predictor, number(274, 1),
        columns, rows, tiled, offsets, counts, ifd.entries.get(320),
    )  # fmt: skip
    if photometric == PALETTE and (dtype.itemsize > 1 or samples > 1 or page.map is None or page.map.count != 768):
        raise UnsupportedFormat("this kind of palette TIFF cannot be painted on", hint="convert it to RGB first")
    wanted = page.across * page.down * (samples if planar else 1)
    if wanted > _MAX_CHUNKS or min(offsets.count, counts.count) < wanted:
        raise UnreadableFile("the TIFF's table of strips or tiles is too short for the picture; the file is damaged")
    return page


def _dtype(tiff: Tiff, ifd: Ifd, samples: int) -> np.dtype[Any]:
    bits = set(tiff.ints(ifd.entries[258], samples)) if 258 in ifd.entries else {1}
    kinds = set(tiff.ints(ifd.entries[339], samples)) if 339 in ifd.entries else {1}
    known = {(8, 1): "u1", (16, 1): "u2", (32, 1): "u4", (16, 3): "f2", (32, 3): "f4", (64, 3): "f8"}
    name = known.get((min(bits), min(kinds))) if len(bits) == len(kinds) == 1 else None
    if name is None:
        raise UnsupportedFormat(
            f"a TIFF of {'/'.join(map(str, sorted(bits)))}-bit samples cannot be painted on",
            hint="convert it to 8 or 16 bits",
        )
    return np.dtype(tiff.byte_order + name)


def unpack(page: Page, raw: bytes, row: int) -> Samples:
    """Decode one chunk to (rows, columns, samples), writable, in the file's byte order.

    Args:
        page: The layout.
        raw: The bytes of the chunk.
        row: The chunk row that it is in.

    Raises:
        UnreadableFile: The data are damaged or too short.
    """
    shape = page.shape(row)
    size = int(np.prod(shape)) * page.dtype.itemsize
    with decoding("TIFF"):
        if page.compression == NONE:
            plain = raw[:size]
        elif page.compression in (DEFLATE, OLD_DEFLATE):
            plain = zlib.decompressobj().decompress(raw, size)
        else:
            plain = _through_pillow(raw, page.compression, size // shape[0], shape[0])
    if len(plain) < size:
        raise UnreadableFile("the TIFF's picture data is too short; the file is damaged or cut off")
    samples = np.frombuffer(plain, page.dtype).reshape(shape)
    if page.predictor == 2:
        native = samples.astype(page.dtype.newbyteorder("="))
        return np.cumsum(native, axis=1, dtype=native.dtype).astype(page.dtype)
    return samples.copy()


def pack(page: Page, samples: Samples) -> bytes:
    """Encode one chunk in the way of the page."""
    if page.predictor == 2:
        native = samples.astype(page.dtype.newbyteorder("="))
        native[:, 1:] = native[:, 1:] - native[:, :-1].copy()
        samples = native.astype(page.dtype)
    plain = np.ascontiguousarray(samples).tobytes()
    if page.compression == NONE:
        return plain
    if page.compression in (DEFLATE, OLD_DEFLATE):
        return zlib.compress(plain)
    return _with_pillow(plain, page.compression, len(samples))


def _through_pillow(raw: bytes, compression: int, width: int, height: int) -> bytes:
    """Decompress LZW or PackBits data, presented to Pillow as the only strip of a gray TIFF."""
    from PIL import TiffImagePlugin

    fields = [(256, width), (257, height), (258, 8), (259, compression), (262, 1), (273, 134), (277, 1), (278, height)]
    fields.append((279, len(raw)))
    head = b"II*\0\x08\0\0\0" + len(fields).to_bytes(2, "little")
    for tag, value in fields:
        head += tag.to_bytes(2, "little") + b"\x04\0\x01\0\0\0" + value.to_bytes(4, "little")
    image = TiffImagePlugin.TiffImageFile(io.BytesIO((head + bytes(4)).ljust(134, b"\0") + raw))
    return image.tobytes()


def _with_pillow(plain: bytes, compression: int, rows: int) -> bytes:
    from PIL import Image

    image = Image.frombytes("L", (len(plain) // rows, rows), plain)
    out = io.BytesIO()
    image.save(out, "TIFF", compression="tiff_lzw" if compression == LZW else "packbits", tiffinfo={278: rows})
    made = read_tiff(out.getvalue())
    offsets, counts = (made.ints(made.ifds[0].entries[tag]) for tag in (273, 279))
    assert len(offsets) == 1  # RowsPerStrip was given
    return out.getvalue()[offsets[0] : offsets[0] + counts[0]]
