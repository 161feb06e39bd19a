"""Paint on TIFF files. Only the strips or tiles under the overlay are re-encoded; all others keep bytes and place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling._tiff_ifd import Tiff, read_tiff
from labeling.codecs.base import Box, Painted, Painter, Pixels
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import Plan, check_size, decoding, make_plan, rgb_region, upright
from labeling.codecs.tiff import colour, copies, expand, jpegs, palette
from labeling.codecs.tiff.chunks import pack, unpack
from labeling.codecs.tiff.editor import Editor
from labeling.codecs.tiff.page import JPEG, PALETTE, RGB, YCBCR, Page, compression_name, number, parse
from labeling.containers.base import Buffer
from labeling.containers.tiff.raw import camera_raw
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat
from labeling.losses import Loss

_MAX_PAGES = 4096
_LAYERS = 37724
"""ImageSourceData: the layers of Adobe Photoshop."""

Where = tuple[int, slice, slice, slice, slice]
"""(index of the chunk, rows and columns inside the chunk, rows and columns inside the box)."""

Chunks = list[tuple[int, Where, NDArray[Any]]]


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every page of a TIFF or BigTIFF file, each upright by its own orientation and without loss.

    Smaller copies of a page, as pyramids and thumbnails have them, get its label at their own size; masks stay as they
    are. See :mod:`labeling.codecs.base`. ``orientation`` is that of the first page.

    Raises:
        UnsupportedFormat: It is a camera raw file, or samples of this kind cannot be painted on without loss.
        UnreadableFile: The file is damaged.
    """
    del quality
    tiff = read_tiff(bytes(data), max_ifds=_MAX_PAGES)
    if kind := camera_raw(tiff):
        raise UnsupportedFormat(
            f"this is a camera raw file ({kind}): its picture is what the sensor measured, not pixels to draw on",
            hint="write the metadata alone (`visible=False`), or label the picture that is developed from it",
        )
    found = copies.pictures(tiff)
    if not found.pages:
        raise UnreadableFile("the TIFF has no page with a picture; the file is damaged")
    pages = [parse(tiff, ifd, max_pixels) for ifd in found.pages]
    check_size(max(page.width * page.height for page in pages), 1, len(pages), max_pixels=max_pixels)
    try:
        return _painted(tiff, painter, found, pages, orientation, max_pixels)
    except _FullPaletteError as error:
        page = error.page
    wide = expand.to_rgb(tiff, page, _MAX_PAGES)
    made = paint(wide, painter, orientation=orientation, quality=None, max_pixels=max_pixels)
    why = "it had no room for the label's colours: the page became 8-bit RGB, with the same colours"
    lost = Loss("colour palette", f"TIFF {page.name}", why)
    return replace(made, lost=(lost, *made.lost), how=f"{made.how}; the palette page {page.name} became 8-bit RGB")


class _FullPaletteError(Exception):
    def __init__(self, page: Page) -> None:
        super().__init__(page.name)
        self.page = page


def _painted(
    tiff: Tiff, painter: Painter, found: copies.Pictures, pages: list[Page], orientation: int, max_pixels: int
) -> Painted:
    work = _Work(tiff, painter)
    plans = [work.paint_page(page, page.orientation if at else orientation) for at, page in enumerate(pages)]
    bare = _paint_copies(work, tiff, found, max_pixels)
    plan = plans[0]
    how = _how(tiff, [page.name for page in pages], bare, len(found.copies))
    return Painted(bytes(work.editor.data), plan.box, plan.width, plan.height, len(pages), True, how)


def displayed(data: Buffer, orientation: int, max_pixels: int) -> Pixels:
    """Decode the first page to (H, W, 3) uint8 RGB, upright. Pillow decodes what cannot be painted on.

    Raises:
        UnsupportedFormat: It is a camera raw file, or compressed in a way that is not known here.
        UnreadableFile: The page is damaged.
        TooLarge: It is beyond ``max_pixels``.
    """
    tiff = read_tiff(bytes(data), max_ifds=_MAX_PAGES)
    if kind := camera_raw(tiff):
        raise UnsupportedFormat(
            f"this is a camera raw file ({kind}): a label was not looked for in what the sensor measured",
            hint="verify the picture that is developed from it",
        )
    try:
        page = parse(tiff, tiff.ifds[0], max_pixels) if tiff.ifds else None
    except UnsupportedFormat:
        return _by_pillow(data, tiff, max_pixels)
    if page is None:
        return _by_pillow(data, tiff, max_pixels)
    editor = Editor(tiff)
    region, _ = _read(editor, page, (0, 0, page.width, page.height))
    if page.photometric == PALETTE:
        return upright(palette.colours(editor.colour_map(page))[region[..., 0]], orientation)
    return upright(colour.shown(_as_decoded(page), region), orientation)


def _by_pillow(data: Buffer, tiff: Tiff, max_pixels: int) -> Pixels:
    try:
        with decoding("TIFF"):
            image = open_picture(data, "tiff", max_pixels)
            image.load()
            return rgb_region(image, (0, 0, *image.size))
    except UnreadableFile:
        name = compression_name(number(tiff, tiff.ifds[0], 259, 1)) if tiff.ifds else ""
        if not name:
            raise
        raise UnsupportedFormat(
            f"a TIFF with {name} compression cannot be decoded here", hint="re-save it with LZW or Deflate compression"
        ) from None


class _Work:
    """The painting of one file: the growing copy, and the overlays for the copies of each page."""

    def __init__(self, tiff: Tiff, painter: Painter) -> None:
        self.editor = Editor(tiff)
        self._painter = painter
        self._done: set[int] = set()  # tables of offsets: two directories may share one picture
        self._maps: set[int] = set()  # colour maps; pages may share one, to which colours are added only once
        self.overlays: dict[str, tuple[Page, Box, Pixels]] = {}

    def paint_page(self, page: Page, orientation: int) -> Plan:
        """Paint on a page, and return where."""
        plan = make_plan(self._painter, page.width, page.height, orientation)
        if page.offsets.value_offset in self._done:
            return plan
        region, chunks = _read(self.editor, page, plan.stored)
        if page.photometric == PALETTE:
            backdrop = palette.colours(self.editor.colour_map(page))[region[..., 0]]
        else:
            backdrop = colour.shown(_as_decoded(page), region)
        overlay = plan.overlay(self._painter, [backdrop])
        self._lay(page, plan.stored, overlay, region, chunks)
        self.overlays[page.name] = page, plan.stored, overlay
        return plan

    def paint_copy(self, page: Page, base: str) -> None:
        """Paint the overlay of the page ``base`` on a smaller copy of it."""
        if page.offsets.value_offset in self._done or base not in self.overlays:
            return
        whole, box, overlay = self.overlays[base]
        box, overlay = copies.scaled((whole.width, whole.height), (page.width, page.height), box, overlay)
        region, chunks = _read(self.editor, page, box)
        self._lay(page, box, overlay, region, chunks)

    def _lay(self, page: Page, box: Box, overlay: Pixels, region: NDArray[Any], chunks: Chunks) -> None:
        self._done.add(page.offsets.value_offset)
        if page.compression == JPEG:
            _write_jpegs(self.editor, page, chunks, overlay)
            return
        if page.photometric != PALETTE:
            _write(self.editor, page, chunks, colour.blend(page, region, overlay))
            return
        assert page.map is not None  # the layout was checked
        used = _used(self.editor, page) | (page.map.value_offset in self._maps)
        try:
            table, region = palette.lay(self.editor.colour_map(page), used, region, overlay)
        except palette.NoRoomError:
            raise _FullPaletteError(page) from None
        self._maps.add(page.map.value_offset)
        self.editor.set_colour_map(page, table)
        _write(self.editor, page, chunks, region)


def _paint_copies(work: _Work, tiff: Tiff, found: copies.Pictures, max_pixels: int) -> list[str]:
    """Paint on the smaller copies of pages.

    Returns:
        The names of those that could not be painted on, with the reason.
    """
    bare = []
    for ifd, base in found.copies:
        if 0x0201 in ifd.entries and 273 not in ifd.entries and 324 not in ifd.entries:
            bare.append(f"{ifd.name} (old-style JPEG)")
            continue
        try:
            work.paint_copy(parse(tiff, ifd, max_pixels), base)
        except UnsupportedFormat as error:
            bare.append(f"{ifd.name} ({error.message})")
    return bare


def _how(tiff: Tiff, pages: list[str], bare: list[str], copied: int) -> str:
    how = "only the TIFF strips or tiles under the label were changed"
    if copied > len(bare):
        how += ", in the page and its smaller copies" if len(pages) == 1 else ", in the pages and their smaller copies"
    if bare:
        how += f"; the smaller copy in {', '.join(bare[:3])} stays without the label"
    if any(_LAYERS in ifd.entries for ifd in tiff.ifds):
        how += "; the Photoshop layers in the file stay without the label"
    return how


def _as_decoded(page: Page) -> Page:
    """Return the layout of what :func:`_read` gives: JPEG chunks of YCbCr are decoded to RGB."""
    return replace(page, photometric=RGB) if (page.compression, page.photometric) == (JPEG, YCBCR) else page


def _under(page: Page, box: Box) -> list[tuple[int, Where]]:
    """List the plane of each chunk under the box, and the part of it that is there."""
    left, top, right, bottom = box
    found = []
    for plane in range(page.samples if page.planar else 1):
        for row in range(top // page.rows, -(-bottom // page.rows)):
            for column in range(left // page.columns, -(-right // page.columns)):
                y, x = row * page.rows, column * page.columns
                y0, y1 = max(top, y), min(bottom, y + page.rows)
                x0, x1 = max(left, x), min(right, x + page.columns)
                index = (plane * page.down + row) * page.across + column
                inner = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
                found.append((plane, (index, *inner, slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))))
    return found


def _used(editor: Editor, page: Page) -> NDArray[np.bool_]:
    """Return which of the palette's entries any pixel of the page uses."""
    used = np.zeros(1 << page.bits, np.bool_)
    for index in range(page.across * page.down):
        used[np.unique(unpack(page, editor.chunk(page, index), index // page.across))] = True
    return used


def _decoded(editor: Editor, page: Page, index: int) -> NDArray[Any]:
    row = index // page.across % page.down
    if page.compression == JPEG:
        return jpegs.decode(page, editor.jpeg_tables(page), editor.chunk(page, index), row)
    return unpack(page, editor.chunk(page, index), row)


def _read(editor: Editor, page: Page, box: Box) -> tuple[NDArray[Any], Chunks]:
    """Decode the chunks under the box.

    Returns:
        The samples of the box, (H, W, samples), and the chunks.
    """
    left, top, right, bottom = box
    region = np.zeros((bottom - top, right - left, page.samples), page.dtype.newbyteorder("="))
    chunks: Chunks = []
    for plane, where in _under(page, box):
        index, rows, columns, ys, xs = where
        samples = _decoded(editor, page, index)
        planes = slice(plane, plane + 1) if page.planar else slice(None)
        region[ys, xs, planes] = samples[rows, columns]
        chunks.append((plane, where, samples))
    return region, chunks


def _write(editor: Editor, page: Page, chunks: Chunks, region: NDArray[Any]) -> None:
    for plane, (index, rows, columns, ys, xs), samples in chunks:
        planes = slice(plane, plane + 1) if page.planar else slice(None)
        samples[rows, columns] = region[ys, xs, planes]
        editor.replace(page, index, pack(page, samples, index // page.across % page.down))


def _write_jpegs(editor: Editor, page: Page, chunks: Chunks, overlay: Pixels) -> None:
    tables = editor.jpeg_tables(page)
    for _, (index, rows, columns, ys, xs), _ in chunks:
        part = np.ascontiguousarray(overlay[ys, xs])
        if not part[..., 3].any():
            continue
        raw = editor.chunk(page, index)
        if not raw:
            raise LabelingError("a JPEG tile under the label is missing from the TIFF", hint="re-save it first")
        box = columns.start, rows.start, columns.stop, rows.stop
        editor.replace(page, index, jpegs.paint(page, tables, raw, box, part))
