"""One page of a TIFF file: what its directory says of the samples and of the strips or tiles (TIFF 6.0, 3–15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labeling._tiff_ifd import Entry, Ifd, Tiff
from labeling.codecs.pixels import check_size
from labeling.errors import UnreadableFile, UnsupportedFormat

NONE, CCITT_RLE, CCITT_T4, CCITT_T6, LZW, JPEG, DEFLATE = 1, 2, 3, 4, 5, 7, 8
PACKBITS, OLD_DEFLATE, LZMA, ZSTD = 32773, 32946, 34925, 50000
CCITT = (CCITT_RLE, CCITT_T4, CCITT_T6)
_READABLE = {NONE, *CCITT, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTD}
_OTHER = {
    6: "old-style JPEG", 32766: "NeXT RLE", 32771: "CCITT RLE/W", 32809: "ThunderScan", 33003: "JPEG 2000",
    33004: "JPEG 2000", 33005: "JPEG 2000", 34661: "JBIG", 34676: "SGI Log", 34677: "SGI Log", 34712: "JPEG 2000",
    34715: "JBIG2", 34887: "LERC", 34892: "lossy DNG JPEG", 34933: "PNG", 34934: "JPEG XR", 50001: "WebP",
    50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, SEPARATED, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
INKS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, SEPARATED: 4, YCBCR: 3, LAB: 3, ICC_LAB: 3}
"""Photometric interpretations that can be painted on → how many samples of a pixel are colour."""

_COLOURS = {4: "mask", 10: "ITU Lab", 32803: "camera sensor", 32844: "LogL", 32845: "LogLuv",
            34892: "linear raw", 51177: "depth map"}  # fmt: skip
_ASSOCIATED, _UNASSOCIATED = 1, 2  # ExtraSamples
_TO_RGB = "convert it to 8-bit RGB first, or leave the visible label out (`visible=False`)"
_RECODE = "re-save it with LZW or Deflate compression, or leave the visible label out (`visible=False`)"
_MAX_CHUNKS = 1 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """The layout of a page. A *chunk* is a strip or a tile.

    Attributes:
        name: The name of its directory.
        width: Width in pixels.
        height: Height in pixels.
        bits: Bits of a sample. Fewer than 8, and 12 and the like, are packed; each row begins on a byte.
        dtype: Type of a sample once it is unpacked, in the file's byte order.
        photometric: PhotometricInterpretation, a key of :data:`INKS`.
        samples: Samples per pixel.
        alpha: Index of the sample that is alpha; ``None`` if there is none.
        premultiplied: Whether the colour is multiplied by that alpha (associated alpha).
        planar: Whether each sample has chunks of its own.
        compression: Compression.
        predictor: Predictor: 1 none, 2 horizontal differencing, 3 the same of floating-point bytes.
        reversed: Whether the lowest bit of each byte comes first (FillOrder 2).
        subsampling: Pixels that share chroma, across and down (YCbCrSubSampling).
        t4_options: T4Options, for CCITT Group 3.
        orientation: Orientation, as in EXIF.
        columns: Width of a chunk in pixels.
        rows: Its height in pixels.
        tiled: Whether chunks are tiles.
        offsets: The entry with the chunks' offsets.
        counts: The entry with their lengths in bytes.
        map: The entry with the colour map, if there is one.
        tables: The entry with the tables that all JPEG chunks share, if there is one.
    """

    name: str
    width: int
    height: int
    bits: int
    dtype: np.dtype[Any]
    photometric: int
    samples: int
    alpha: int | None
    premultiplied: bool
    planar: bool
    compression: int
    predictor: int
    reversed: bool
    subsampling: tuple[int, int]
    t4_options: int
    orientation: int
    columns: int
    rows: int
    tiled: bool
    offsets: Entry
    counts: Entry
    map: Entry | None
    tables: Entry | None

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

    @property
    def packed(self) -> bool:
        """Whether samples are not whole bytes."""
        return self.bits not in (8, 16, 32, 64)

    def shape(self, row: int) -> tuple[int, int, int]:
        """Return the shape of a chunk in chunk row ``row``. The last strip may be short; tiles never are."""
        rows = self.rows if self.tiled else min(self.rows, self.height - row * self.rows)
        return rows, self.columns, self.depth


def is_mask(tiff: Tiff, ifd: Ifd) -> bool:
    """Return whether a directory holds a transparency mask: photometric 4, or NewSubfileType bit 2 (TIFF 6.0)."""
    return number(tiff, ifd, 262, -1) == MASK or bool(number(tiff, ifd, 254, 0) & 4)


def is_reduced(tiff: Tiff, ifd: Ifd) -> bool:
    """Return whether it holds a smaller copy of another picture: NewSubfileType bit 0, or the old SubfileType 2."""
    return bool(number(tiff, ifd, 254, 0) & 1) or number(tiff, ifd, 255, 0) == 2


def number(tiff: Tiff, ifd: Ifd, tag: int, default: int) -> int:
    """Return the first number of a tag, or ``default``."""
    values = tiff.ints(ifd.entries[tag], 1) if tag in ifd.entries else ()
    return values[0] if values else default


def compression_name(compression: int) -> str:
    """Return what people call a compression that is not read here; ``""`` for one that is."""
    return "" if compression in _READABLE else _OTHER.get(compression, f"unknown (number {compression})")


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

    def of(tag: int, default: int) -> int:
        return number(tiff, ifd, tag, default)

    width, height = of(256, 0), of(257, 0)
    check_size(width, height, max_pixels=max_pixels)
    compression, photometric, samples = of(259, NONE), of(262, -1), of(277, 1)
    if name := compression_name(compression):
        raise UnsupportedFormat(f"a TIFF with {name} compression cannot be painted on", hint=_RECODE)
    if photometric not in INKS or not INKS[photometric] <= samples <= 64:
        name = _COLOURS.get(photometric, f"of photometric interpretation {photometric} with {samples} samples")
        raise UnsupportedFormat(f"a TIFF whose colours are {name} cannot be painted on", hint=_TO_RGB)
    if photometric == SEPARATED and of(332, 1) != 1:
        raise UnsupportedFormat("a TIFF of inks other than CMYK cannot be painted on", hint=_TO_RGB)
    bits, dtype = _type(tiff, ifd, samples)
    tiled = 322 in ifd.entries
    columns = of(322, 0) if tiled else width
    rows = of(323, 0) if tiled else min(of(278, height), height)
    if columns <= 0 or rows <= 0:
        raise UnreadableFile("the TIFF's strips or tiles have no size; the file is damaged")
    check_size(columns, rows, max_pixels=max(max_pixels, 4096))
    offsets, counts = ifd.entries.get(324 if tiled else 273), ifd.entries.get(325 if tiled else 279)
    if offsets is not None and counts is None:
        raise UnsupportedFormat(
            "the TIFF does not say how long its strips or tiles are, so that none can be replaced",
            hint="re-save it with an image editor, or leave the visible label out (`visible=False`)",
        )
    if offsets is None or counts is None:
        raise UnreadableFile("the TIFF has no table of its strips or tiles; the file is damaged")
    alpha, premultiplied = _alpha(tiff, ifd, photometric, samples)
    page = Page(
        name=ifd.name, width=width, height=height, bits=bits, dtype=dtype, photometric=photometric, samples=samples,
        alpha=alpha, premultiplied=premultiplied, planar=of(284, 1) == 2 and samples > 1, compression=compression,
        predictor=of(317, 1), reversed=of(266, 1) == 2, subsampling=_subsampling(tiff, ifd, photometric),
        t4_options=of(292, 0), orientation=of(274, 1), columns=columns, rows=rows, tiled=tiled, offsets=offsets,
        counts=counts, map=ifd.entries.get(320), tables=ifd.entries.get(347),
    )  # fmt: skip
    _check(page)
    wanted = page.across * page.down * (samples if page.planar else 1)
    if wanted > _MAX_CHUNKS or min(offsets.count, counts.count) < wanted:
        raise UnreadableFile("the TIFF's table of strips or tiles is too short for the picture; the file is damaged")
    return page


def _type(tiff: Tiff, ifd: Ifd, samples: int) -> tuple[int, np.dtype[Any]]:
    """Return the bits of a sample and the type to unpack it to."""
    every = set(tiff.ints(ifd.entries[258], samples)) if 258 in ifd.entries else {1}
    kinds = set(tiff.ints(ifd.entries[339], samples)) if 339 in ifd.entries else {1}
    kinds = {1 if kind == 4 else kind for kind in kinds}  # "undefined" is read as unsigned, as TIFF 6.0 advises
    bits, kind = min(every, default=0), min(kinds, default=0)
    known = {
        (8, 1): "u1", (16, 1): "u2", (32, 1): "u4", (8, 2): "i1", (16, 2): "i2", (32, 2): "i4",
        (16, 3): "f2", (32, 3): "f4", (64, 3): "f8",
    }  # fmt: skip
    name = known.get((bits, kind))
    if name is None and kind == 1 and 1 <= bits <= 15:
        name = "u1" if bits < 8 else "u2"
    if name is None or len(every) != 1 or len(kinds) != 1:
        what = {2: "signed ", 3: "floating-point "}.get(kind, "complex " if kind > 4 else "")
        described = f"{'/'.join(map(str, sorted(every)))}-bit {what}samples"
        raise UnsupportedFormat(f"a TIFF of {described} cannot be painted on", hint=_TO_RGB)
    return bits, np.dtype(tiff.byte_order + name)


def _alpha(tiff: Tiff, ifd: Ifd, photometric: int, samples: int) -> tuple[int | None, bool]:
    extras = tiff.ints(ifd.entries[338], samples) if 338 in ifd.entries else ()
    for index, extra in enumerate(extras[: samples - INKS[photometric]]):
        if extra in (_ASSOCIATED, _UNASSOCIATED):
            return INKS[photometric] + index, extra == _ASSOCIATED
    return None, False


def _subsampling(tiff: Tiff, ifd: Ifd, photometric: int) -> tuple[int, int]:
    if photometric != YCBCR:
        return 1, 1
    given = tiff.ints(ifd.entries[530], 2) if 530 in ifd.entries else ()
    return (given[0], given[1]) if len(given) == 2 else (2, 2)


def _check(page: Page) -> None:
    """Refuse combinations that are rare, or that TIFF does not define."""
    jpeg, lossy = page.compression == JPEG, page.subsampling != (1, 1)
    floating, unsigned = page.dtype.kind == "f", page.dtype.kind == "u"
    if page.photometric == PALETTE and (
        not unsigned or page.bits > 8 or page.samples > 1 or page.map is None or page.map.count != 3 << page.bits
    ):
        raise UnsupportedFormat("this kind of palette TIFF cannot be painted on", hint=_TO_RGB)
    if page.photometric in (LAB, ICC_LAB) and (page.alpha is not None or page.bits not in (8, 16) or floating):
        raise UnsupportedFormat("this kind of Lab TIFF cannot be painted on", hint=_TO_RGB)
    plain = page.bits == 8 and unsigned
    if page.photometric == YCBCR and not (plain and (not lossy or (page.samples == 3 and not page.planar))):
        raise UnsupportedFormat("this kind of YCbCr TIFF cannot be painted on", hint=_TO_RGB)
    if page.photometric == YCBCR and not {*page.subsampling} <= {1, 2, 4}:
        raise UnreadableFile("the TIFF's chroma subsampling is impossible; the file is damaged")
    if jpeg and (not plain or page.planar or page.samples not in (1, 3) or page.photometric in (PALETTE, LAB, ICC_LAB)):
        raise UnsupportedFormat("this kind of JPEG in TIFF cannot be painted on without loss", hint=_RECODE)
    if page.compression in CCITT and (page.bits != 1 or page.samples > 1):
        raise UnreadableFile("the TIFF has CCITT compression and more than one bit a pixel; the file is damaged")
    allowed = {1: True, 2: not floating and not page.packed and not (lossy and not jpeg), 3: floating}
    if not jpeg and page.compression in (LZW, DEFLATE, OLD_DEFLATE, LZMA, ZSTD) and not allowed.get(page.predictor):
        raise UnsupportedFormat(f"this TIFF uses predictor {page.predictor} in a rare way", hint=_RECODE)
