"""Strips and tiles of a TIFF page: from their bytes to samples, and back in the way of the page (TIFF 6.0, 3–15)."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling._tiff_ifd import read_tiff
from labeling.codecs import coded_size
from labeling.codecs.pixels import decoding
from labeling.codecs.tiff import scanlines
from labeling.codecs.tiff.page import (
    CCITT,
    CCITT_RLE,
    CCITT_T4,
    CCITT_T6,
    DEFLATE,
    LZMA,
    LZW,
    NONE,
    OLD_DEFLATE,
    PACKBITS,
    ZSTD,
    Page,
)
from labeling.containers.base import Buffer
from labeling.errors import TooLarge, UnreadableFile, UnsupportedFormat

Samples = NDArray[Any]

_PREDICTED = (LZW, DEFLATE, OLD_DEFLATE, LZMA, ZSTD)
"""Compressions that know the Predictor tag; libtiff ignores it for all others."""

_PILLOW = {
    CCITT_RLE: "tiff_ccitt", CCITT_T4: "group3", CCITT_T6: "group4", LZW: "tiff_lzw", PACKBITS: "packbits",
    LZMA: "lzma", ZSTD: "zstd",
}  # fmt: skip
_RATIOS = {
    NONE: 1, PACKBITS: coded_size.PACKBITS, DEFLATE: coded_size.DEFLATE, OLD_DEFLATE: coded_size.DEFLATE,
    LZW: coded_size.LZW,
}  # fmt: skip
"""How many bytes a byte of a chunk can stand for; other compressions have no bound."""

MAX_CHUNK = 128 << 20
"""Limit on the bytes of a strip or tile whose compression is undone at once, not in bands of rows."""

_FED = 1 << 16
_CHECKED = 1 << 20
"""About as many bytes are decompressed at once to see whether they can be."""

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def unpack(page: Page, raw: Buffer, row: int) -> Samples:
    """Decode one chunk to (rows, columns, samples), writable, in the machine's byte order.

    Args:
        page: The layout.
        raw: The bytes of the chunk; none for a sparse tile, which is all zeros.
        row: The chunk row that it is in.

    Raises:
        UnreadableFile: The data are damaged or too short.
    """
    shape = page.shape(row)
    (samples,) = unpacked_bands(page, raw, row, max(shape[0], 1))
    return samples


def unpacked_bands(page: Page, raw: Buffer, row: int, step: int) -> Iterator[Samples]:
    """Decode one chunk as :func:`unpack` does, in bands of ``step`` rows: each line of a chunk stands by itself.

    With subsampled chroma, ``step`` is a multiple of the rows of a data unit.
    """
    rows, columns, depth = page.shape(row)
    width = line_bytes(page, rows)[0]
    source = Source(page, mirrored(page, raw), row) if len(raw) else None
    for y in range(0, rows, step):
        shape = min(step, rows - y), columns, depth
        if source is None:
            yield np.zeros(shape, page.dtype.newbyteorder("="))
            continue
        wanted = width * line_bytes(page, shape[0])[1]
        with decoding("TIFF"):
            plain = source.read(wanted)
        if len(plain) < wanted:
            raise too_short()
        yield samples_of(page, plain, shape)


def check_chunk(page: Page, raw: Buffer, row: int) -> None:
    """Decompress one chunk as :func:`unpacked_bands` does, to see whether all of it is there.

    Raises:
        UnreadableFile: The data are damaged or too short.
        TooLarge: It would have to be decoded at once, and is too large for that.
    """
    width, lines = line_bytes(page, page.shape(row)[0])
    if not len(raw):
        return
    if page.compression == NONE:
        if len(raw) < width * lines:
            raise too_short()
        return
    source = Source(page, mirrored(page, raw), row)
    step = max(1, _CHECKED // width)
    for y in range(0, lines, step):
        wanted = width * min(step, lines - y)
        with decoding("TIFF"):
            plain = source.read(wanted)
        if len(plain) < wanted:
            raise too_short()


def too_short() -> UnreadableFile:
    """Return the error for a chunk with less data than its samples take."""
    return UnreadableFile("the TIFF's picture data is too short; the file is damaged or cut off")


def mirrored(page: Page, raw: Buffer) -> Buffer:
    """Return bytes with their bits in the other order, if the page's are (FillOrder 2)."""
    return bytes(raw).translate(_MIRRORED) if page.reversed else raw


class Source:
    """The bytes of a chunk, decompressed: ``read(size)`` gives the next so many, fewer where the data end.

    Args:
        page: The layout.
        raw: The bytes of the chunk, the highest bit of each first.
        row: The chunk row that it is in.

    Raises:
        UnreadableFile: The chunk is too short for its samples. What decoders raise may come from ``read``, too.
        TooLarge: It would have to be decoded at once, and is too large for that.
    """

    def __init__(self, page: Page, raw: Buffer, row: int) -> None:
        width, lines = line_bytes(page, page.shape(row)[0])
        coded_size.check(page.width, page.height, width * lines, len(raw) * _RATIOS.get(page.compression, math.inf))
        self.read = _reader(page, memoryview(raw), width, lines)


def _reader(page: Page, raw: memoryview, width: int, lines: int) -> Callable[[int], bytes]:
    if page.compression in (DEFLATE, OLD_DEFLATE):
        stream, left = zlib.decompressobj(), raw

        def inflated(size: int) -> bytes:
            nonlocal left
            made = bytearray()
            while len(made) < size and not stream.eof:
                fed: bytes | memoryview = stream.unconsumed_tail
                if not fed:
                    fed, left = left[:_FED], left[_FED:]
                if not len(fed):
                    break
                made += stream.decompress(fed, size - len(made))
            return bytes(made)

        return inflated
    if page.compression == NONE:
        at = 0

        def taken(size: int) -> bytes:
            nonlocal at
            at += size
            return raw[at - size : at].tobytes()

        return taken
    if page.compression not in CCITT and scanlines.can(width * lines, lines):
        return scanlines.reader(page.compression, raw, width, lines)
    if width * lines > MAX_CHUNK:
        raise TooLarge(
            f"a strip or tile of the TIFF has {width * lines >> 20} MiB of samples and the limit is {MAX_CHUNK >> 20}",
            hint="re-save it with Deflate compression or with smaller strips",
        )
    with decoding("TIFF"):
        return io.BytesIO(_through_pillow(page, bytes(raw), width, lines)).read


def samples_of(page: Page, plain: bytes, shape: tuple[int, int, int]) -> Samples:
    """Turn the bytes of whole lines of a chunk, decompressed, into samples."""
    if page.subsampling != (1, 1):
        return _spread_chroma(page, plain, shape)
    if page.packed:
        return _from_bits(page, np.frombuffer(plain, np.uint8).reshape(shape[0], -1), shape)
    if page.compression in _PREDICTED and page.predictor == 3:
        return _undo_floating(page, plain, shape)
    samples = np.frombuffer(plain, page.dtype).reshape(shape).astype(page.dtype.newbyteorder("="))
    if page.compression in _PREDICTED and page.predictor == 2:
        whole = samples.view(f"u{page.dtype.itemsize}")
        np.cumsum(whole, axis=1, dtype=whole.dtype, out=whole)
    return samples


def pack(page: Page, samples: Samples, row: int) -> bytes:
    """Encode one chunk in the way of the page.

    Raises:
        UnsupportedFormat: The encoder does not give what the page's tags say.
    """
    plain = plain_bytes(page, samples)
    if page.compression == NONE:
        made = plain
    elif page.compression in (DEFLATE, OLD_DEFLATE):
        made = zlib.compress(plain)
    else:
        width, lines = line_bytes(page, page.shape(row)[0])
        made = _with_pillow(page, plain, width, lines)
        if _through_pillow(page, made, width, lines) != plain:
            raise UnsupportedFormat(
                "this TIFF's compression cannot be written in the way of the file",
                hint="re-save it with LZW or Deflate compression, or leave the visible label out (`visible=False`)",
            )
    return made.translate(_MIRRORED) if page.reversed else made


def plain_bytes(page: Page, samples: Samples) -> bytes:
    """Turn samples of whole lines of a chunk into its bytes before compression."""
    if page.subsampling != (1, 1):
        return _gather_chroma(page, samples)
    if page.packed:
        return _to_bits(page, samples)
    if page.compression in _PREDICTED and page.predictor == 3:
        return _do_floating(page, samples)
    if page.compression in _PREDICTED and page.predictor == 2:
        whole = samples.view(f"u{page.dtype.itemsize}").copy()
        whole[:, 1:] = whole[:, 1:] - whole[:, :-1].copy()
        samples = whole.view(samples.dtype)
    return np.ascontiguousarray(samples.astype(page.dtype, copy=False)).tobytes()


def line_bytes(page: Page, rows: int) -> tuple[int, int]:
    """Return the bytes of a line of a chunk, and the lines. With subsampled chroma, a line is a row of data units."""
    across, down = page.subsampling
    if (across, down) != (1, 1):
        return -(-page.columns // across) * (across * down + 2), -(-rows // down)
    return -(-page.columns * page.depth * page.bits // 8), rows


# --- samples of other than whole bytes --------------------------------------------------------------------------------


def _from_bits(page: Page, lines: NDArray[np.uint8], shape: tuple[int, int, int]) -> Samples:
    rows, columns, depth = shape
    bits = np.unpackbits(lines, axis=1)[:, : columns * depth * page.bits]
    bits = bits.reshape(rows, columns * depth, page.bits)
    kind = page.dtype.newbyteorder("=")
    weights = (1 << np.arange(page.bits - 1, -1, -1)).astype(kind)
    samples: Samples = (bits * weights).sum(axis=2, dtype=kind)
    return samples.reshape(shape)


def _to_bits(page: Page, samples: Samples) -> bytes:
    rows = len(samples)
    flat = samples.reshape(rows, -1, 1)
    bits = (flat >> np.arange(page.bits - 1, -1, -1).astype(flat.dtype)) & 1
    return np.packbits(bits.astype(np.uint8).reshape(rows, -1), axis=1).tobytes()


# --- floating-point differencing (TIFF Technical Note 3) --------------------------------------------------------------


def _undo_floating(page: Page, plain: bytes, shape: tuple[int, int, int]) -> Samples:
    """Undo predictor 3: the bytes of a row are differences, and all highest bytes come first."""
    rows, columns, depth = shape
    size = page.dtype.itemsize
    whole = np.frombuffer(plain, np.uint8).reshape(rows, -1, depth)
    summed = np.cumsum(whole, axis=1, dtype=np.uint8).reshape(rows, size, columns * depth)
    big = np.ascontiguousarray(summed.swapaxes(1, 2)).view(page.dtype.newbyteorder(">"))
    return big.reshape(shape).astype(page.dtype.newbyteorder("="))


def _do_floating(page: Page, samples: Samples) -> bytes:
    rows, columns, depth = samples.shape
    big = np.ascontiguousarray(samples.astype(page.dtype.newbyteorder(">")))
    planes = big.view(np.uint8).reshape(rows, columns * depth, page.dtype.itemsize).swapaxes(1, 2)
    whole = np.ascontiguousarray(planes).reshape(rows, -1, depth)
    whole[:, 1:] = whole[:, 1:] - whole[:, :-1].copy()
    return whole.tobytes()


# --- YCbCr with subsampled chroma (TIFF 6.0, section 21) --------------------------------------------------------------


def _spread_chroma(page: Page, plain: bytes, shape: tuple[int, int, int]) -> Samples:
    """Take data units apart: the luma of a few pixels, then the Cb and Cr that they share."""
    across, down = page.subsampling
    units = np.frombuffer(plain, np.uint8).reshape(-(-shape[0] // down), -(-page.columns // across), across * down + 2)
    high, wide = units.shape[:2]
    full = np.empty((high * down, wide * across, 3), np.uint8)
    luma = units[..., :-2].reshape(high, wide, down, across)
    full[..., 0] = luma.swapaxes(1, 2).reshape(high * down, wide * across)
    for channel in (1, 2):
        full[..., channel] = units[..., channel - 3].repeat(down, axis=0).repeat(across, axis=1)
    return full[: shape[0], : shape[1]].copy()


def _gather_chroma(page: Page, samples: Samples) -> bytes:
    across, down = page.subsampling
    rows, columns, _ = samples.shape
    full = np.pad(samples, ((0, -rows % down), (0, -columns % across), (0, 0)), "edge")
    high, wide = len(full) // down, full.shape[1] // across
    cells = full.reshape(high, down, wide, across, 3).swapaxes(1, 2)
    units = np.empty((high, wide, across * down + 2), np.uint8)
    units[..., :-2] = cells[..., 0].reshape(high, wide, -1)
    units[..., -2:] = np.rint(cells[..., 1:].mean(axis=(2, 3)))  # untouched cells hold one value: their mean is exact
    return units.tobytes()


# --- compressions that libtiff knows, through Pillow ------------------------------------------------------------------


def _through_pillow(page: Page, raw: bytes, width: int, lines: int) -> bytes:
    """Decompress a chunk, presented to Pillow as the only strip of a gray TIFF; of a bilevel one for CCITT."""
    from PIL import TiffImagePlugin

    fax = page.compression in CCITT
    fields = [
        (256, page.columns if fax else width), (257, lines), (258, 1 if fax else 8), (259, page.compression), (262, 1),
        (273, 0), (277, 1), (278, lines), (279, len(raw)), *([(292, page.t4_options)] if fax else []),
    ]  # fmt: skip
    start = 8 + 2 + 12 * len(fields) + 4
    head = b"II*\0\x08\0\0\0" + len(fields).to_bytes(2, "little")
    for tag, value in fields:
        held = start if tag == 273 else value
        head += tag.to_bytes(2, "little") + b"\x04\0\x01\0\0\0" + held.to_bytes(4, "little")
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(head + bytes(4) + raw))
    return image.tobytes()


def _with_pillow(page: Page, plain: bytes, width: int, lines: int) -> bytes:
    from PIL import Image

    fax = page.compression in CCITT
    image = Image.frombytes("1", (page.columns, lines), plain) if fax else Image.frombytes("L", (width, lines), plain)
    tags = {278: lines, **({292: page.t4_options} if page.compression == CCITT_T4 else {})}
    out = io.BytesIO()
    try:
        image.save(out, "TIFF", compression=_PILLOW[page.compression], tiffinfo=tags)
    except (OSError, ValueError) as error:
        raise UnsupportedFormat(
            f"this Pillow cannot write the TIFF's compression ({error})",
            hint="re-save it with LZW or Deflate compression, or leave the visible label out (`visible=False`)",
        ) from error
    made = read_tiff(out.getvalue())
    offsets, counts = (made.ints(made.ifds[0].entries[tag]) for tag in (273, 279))
    assert len(offsets) == 1  # RowsPerStrip was given
    return out.getvalue()[offsets[0] : offsets[0] + counts[0]]
