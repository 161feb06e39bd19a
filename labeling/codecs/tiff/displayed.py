"""The first page of a TIFF file as displayed, for verifying: in bands of rows, whatever its samples and strips are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling._tiff_ifd import Tiff, read_tiff
from labeling.codecs.base import Pixels
from labeling.codecs.grounds import Banded, band_rows, of_image, show
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import ORIENTATION, decoding, upright
from labeling.codecs.tiff import colour, copies, jpegs, palette, samples
from labeling.codecs.tiff.chunks import unpacked_bands
from labeling.codecs.tiff.editor import Editor
from labeling.codecs.tiff.page import JPEG, PALETTE, Page, compression_name, number, parse
from labeling.containers.base import Buffer
from labeling.containers.tiff.raw import camera_raw
from labeling.errors import TooLarge, UnreadableFile, UnsupportedFormat

MAX_PAGES = 4096
MAX_CHUNKS = 1 << 16
"""Limit on the strips or tiles that are decoded for a look. Pictures of 100 megapixels have some thousands."""

_HELD = 16 << 20
"""Bytes of samples that are decoded at once where tiles lie beside each other, if a band has less."""

_FEWER = "re-save it with larger strips or tiles"


def displayed(data: Buffer, orientation: int, max_pixels: int) -> Pixels:
    """Decode the first page to uint8 (H, W, 3) RGB, or (H, W, 4) RGBA if any of it is transparent, upright.

    Raises:
        LabelingError: As :func:`banded` does.
    """
    picture = banded(data, orientation, max_pixels)
    bands = list(picture.bands(1))
    deep = max(band.shape[2] for band in bands)
    whole = np.full((picture.height, picture.width, deep), 255, np.uint8)
    at = 0
    for band in bands:
        whole[at : at + len(band), :, : band.shape[2]] = band
        at += len(band)
    return upright(whole, picture.orientation)


def banded(data: Buffer, orientation: int, max_pixels: int) -> Banded:
    """Open the first page. Pillow decodes what cannot be painted on.

    Raises:
        UnsupportedFormat: It is a camera raw file, or compressed in a way that is not known here.
        UnreadableFile: The page is damaged. The bands raise it too.
        TooLarge: It is beyond ``max_pixels``.
    """
    tiff = read_tiff(bytes(data), max_ifds=MAX_PAGES)
    if kind := camera_raw(tiff):
        raise UnsupportedFormat(
            f"this is a camera raw file ({kind}): a label was not looked for in what the sensor measured",
            hint="verify the picture that is developed from it",
        )
    try:
        page = parse(tiff, tiff.ifds[0], max_pixels) if tiff.ifds else None
    except UnsupportedFormat:
        page = None
    if page is None:
        return _by_pillow(data, tiff, max_pixels)
    return _in_bands(Editor(tiff), page, orientation)


def further(data: Buffer, orientation: int, max_pixels: int) -> tuple[str, int, Iterator[Pixels]]:
    """Decode the pages behind the first one, over white, and reduced as :func:`labeling.codecs.grounds.show` does."""
    del orientation  # each page has its own
    tiff = read_tiff(bytes(data), max_ifds=MAX_PAGES)
    pages = [] if camera_raw(tiff) else copies.pictures(tiff).pages

    def shown() -> Iterator[Pixels]:
        left = max_pixels  # of all these pages together
        for ifd in pages[1:]:
            page = parse(tiff, ifd, max_pixels)
            left -= page.width * page.height
            if left < 0:
                return
            with decoding("TIFF"):
                yield show(_in_bands(Editor(tiff), page, page.orientation)).grounds[0]

    return "page", max(1, len(pages)), shown()


def _in_bands(editor: Editor, page: Page, orientation: int) -> Banded:
    chunks = page.across * page.down * (page.samples if page.planar else 1)
    if chunks > MAX_CHUNKS:
        raise TooLarge(f"the TIFF has {chunks:,} strips or tiles and the limit is {MAX_CHUNKS:,}", hint=_FEWER)
    look = _look(editor, page)
    return Banded(page.width, page.height, lambda scale: _shown(editor, page, look, scale), orientation)


def _by_pillow(data: Buffer, tiff: Tiff, max_pixels: int) -> Banded:
    try:
        with decoding("TIFF"):
            image = open_picture(data, "tiff", max_pixels)
            image.load()  # Pillow turns the picture as its orientation says
            left: int = image.getexif().get(ORIENTATION, 1)
            return of_image(image, (0, 0, *image.size), left)
    except UnreadableFile:
        name = compression_name(number(tiff, tiff.ifds[0], 259, 1)) if tiff.ifds else ""
        if not name:
            raise
        raise UnsupportedFormat(
            f"a TIFF with {name} compression cannot be decoded here", hint="re-save it with LZW or Deflate compression"
        ) from None


def _look(editor: Editor, page: Page) -> Callable[[NDArray[Any]], Pixels]:
    if page.photometric == PALETTE:
        colours = palette.colours(editor.colour_map(page))
        return lambda part: colours[part[..., 0]]
    layout = samples.as_decoded(page)
    peak = None
    if page.dtype.kind == "f":  # the greatest sample of the whole picture says what white is
        top = 0.0
        for part in _bands(editor, page, 1):
            top = max(top, colour.greatest(part))
        peak = colour.floating_peak(top)
    return lambda part: colour.shown(layout, part, peak)


def _shown(editor: Editor, page: Page, look: Callable[[NDArray[Any]], Pixels], scale: int) -> Iterator[Pixels]:
    """Yield bands of whole multiples of ``scale`` rows, whatever rows are in a chunk."""
    rows = min(band_rows(page.width, scale), page.height)
    shape, kind = (rows, page.width, page.samples), page.dtype.newbyteorder("=")
    held, count = np.empty(shape, kind), 0
    for part in _bands(editor, page, scale):
        at = 0
        while at < len(part):
            taken = min(rows - count, len(part) - at)
            held[count : count + taken] = part[at : at + taken]
            at, count = at + taken, count + taken
            if count == rows:
                yield look(held)
                held, count = np.empty(shape, kind), 0  # what was yielded may be a view
    if count:
        yield look(held[:count])


def _bands(editor: Editor, page: Page, scale: int) -> Iterator[NDArray[Any]]:
    """Yield samples, (rows, W, samples), from the top of the page to its end."""
    rows = band_rows(page.width, scale)
    planes = page.samples if page.planar else 1
    if page.across * planes > 1:  # what a tile costs beside its samples is paid for each band
        line = page.width * page.samples * page.dtype.itemsize
        rows = max(rows, min(page.rows, _HELD // max(line, 1)))
    for row in range(page.down):
        high = min(page.rows, page.height - row * page.rows)
        parts = [
            (plane, column, _chunk(editor, page, (plane * page.down + row) * page.across + column, row, rows))
            for plane in range(planes)
            for column in range(page.across)
        ]
        for y in range(0, high, _step(page, rows)):
            count = min(_step(page, rows), high - y)
            if len(parts) == 1:
                yield next(parts[0][2])[:count, : page.width]
                continue
            band = np.empty((count, page.width, page.samples), page.dtype.newbyteorder("="))
            for plane, column, chunk in parts:
                part = next(chunk)
                x = column * page.columns
                kept = part[:count, : page.width - x]
                where = slice(plane, plane + 1) if page.planar else slice(None)
                band[:, x : x + kept.shape[1], where] = kept
            yield band


def _step(page: Page, rows: int) -> int:
    """Return how many rows of a chunk are decoded at once: whole data units of subsampled chroma."""
    return max(page.subsampling[1], rows // page.subsampling[1] * page.subsampling[1])


def _chunk(editor: Editor, page: Page, index: int, row: int, rows: int) -> Iterator[NDArray[Any]]:
    step = _step(page, rows)
    if page.compression == JPEG:
        whole = jpegs.decode(page, editor.jpeg_tables(page), editor.chunk(page, index), row)
        yield from (whole[y : y + step] for y in range(0, len(whole), step))
    else:
        yield from unpacked_bands(page, editor.view(page, index), row, step)
