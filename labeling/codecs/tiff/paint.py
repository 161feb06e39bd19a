"""Paint on TIFF files. Only the strips or tiles under the overlay are re-encoded; all others keep bytes and place."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling._tiff_ifd import Entry, Tiff, read_tiff
from labeling.codecs.base import Box, Painted, Painter, Pixels
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import (
    check_size,
    cmyk,
    decoding,
    luma,
    make_plan,
    on_white,
    over,
    over_alpha,
    rgb_region,
    split_overlay,
    upright,
)
from labeling.codecs.tiff import palette, resave
from labeling.codecs.tiff.page import INKS, PALETTE, RGB, SEPARATED, WHITE_IS_ZERO, Page, pack, parse, unpack
from labeling.containers.base import Buffer
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat

_MAX_PAGES = 4096
_FORMS = {3: "H", 4: "I", 16: "Q"}
_ASSOCIATED, _UNASSOCIATED = 1, 2  # ExtraSamples

Where = tuple[int, slice, slice, slice, slice]
"""(index of the chunk, rows and columns inside the chunk, rows and columns inside the box)."""


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every page of a TIFF or BigTIFF file, each upright by its own orientation and without loss.

    See :mod:`labeling.codecs.base`. ``orientation`` is that of the first page.
    """
    del quality
    raw = bytes(data)
    tiff = read_tiff(raw, max_ifds=_MAX_PAGES)
    try:
        return _paint_in_place(tiff, painter, orientation, max_pixels)
    except UnsupportedFormat:
        if not resave.possible(tiff):
            raise
    return resave.paint(raw, painter, max_pixels)


def _paint_in_place(tiff: Tiff, painter: Painter, orientation: int, max_pixels: int) -> Painted:
    pages = [ifd for ifd in tiff.ifds if ifd.name[3:].isdigit() and ifd.name.startswith("IFD") and 256 in ifd.entries]
    if not pages:
        raise UnreadableFile("the TIFF has no page with a picture; the file is damaged")
    layouts = [parse(tiff, ifd, max_pixels) for ifd in pages]
    area = max(page.width * page.height for page in layouts)
    check_size(area, 1, len(pages), max_pixels=max_pixels)
    editor = _Editor(tiff)
    seen: set[int] = set()
    maps: set[int] = set()  # offsets of colour maps; pages may share one, to which colours are added only once
    plans = []
    for number, page in enumerate(layouts):
        plan = make_plan(painter, page.width, page.height, page.orientation if number else orientation)
        plans.append(plan)
        first = editor.entry(page.offsets, 0)
        if first in seen:
            continue  # two directories may share one picture
        seen.add(first)
        region, chunks = _read(editor, page, plan.stored)
        if page.photometric == PALETTE:
            table = editor.colour_map(page)
            backdrop = palette.colours(table)[region[..., 0]]
            used = _used(editor, page) | (_table_at(page) in maps)
            maps.add(_table_at(page))
            table, region = palette.lay(table, used, region, plan.overlay(painter, [backdrop]))
            editor.set_colour_map(page, table)
            _write(editor, page, chunks, region)
            continue
        overlay = plan.overlay(painter, [_shown(page, region)])
        _write(editor, page, chunks, _mixed(page, region, overlay))
    plan = plans[0]
    how = "only the TIFF strips or tiles under the label were changed"
    return Painted(bytes(editor.data), plan.box, plan.width, plan.height, len(pages), True, how)


def displayed(data: Buffer, orientation: int, max_pixels: int) -> Pixels:
    """Decode the first page to (H, W, 3) uint8 RGB, upright. Pillow decodes what cannot be painted on.

    Raises:
        UnreadableFile: The page is damaged.
        TooLarge: It is beyond ``max_pixels``.
    """
    tiff = read_tiff(bytes(data), max_ifds=_MAX_PAGES)
    try:
        page = parse(tiff, tiff.ifds[0], max_pixels) if tiff.ifds else None
    except UnsupportedFormat:
        page = None
    if page is None:
        with decoding("TIFF"):
            image = open_picture(data, "tiff", max_pixels)
            image.load()
            return rgb_region(image, (0, 0, *image.size))
    editor = _Editor(tiff)
    region, _ = _read(editor, page, (0, 0, page.width, page.height))
    if page.photometric == PALETTE:
        return upright(palette.colours(editor.colour_map(page))[region[..., 0]], orientation)
    return upright(_shown(page, region), orientation)


class _Editor:
    """A growing copy of the file, and access to the tables of offsets and byte counts in it."""

    def __init__(self, tiff: Tiff) -> None:
        self.data = bytearray(tiff.data)
        self.order = tiff.byte_order

    def _form(self, entry: Entry, index: int) -> tuple[struct.Struct, int]:
        if entry.type not in _FORMS:
            raise UnreadableFile("the TIFF's table of strips or tiles has an impossible type; the file is damaged")
        form = struct.Struct(self.order + _FORMS[entry.type])
        at = entry.value_offset + index * form.size
        if at + form.size > len(self.data):
            raise UnreadableFile("the TIFF's table of strips or tiles is cut off")
        return form, at

    def entry(self, entry: Entry, index: int) -> int:
        """Read one number of a table."""
        form, at = self._form(entry, index)
        return int(form.unpack_from(self.data, at)[0])

    def _set(self, entry: Entry, index: int, value: int) -> None:
        form, at = self._form(entry, index)
        if value >= 1 << (8 * form.size):
            raise UnsupportedFormat(
                "the painted TIFF outgrows its tables", hint="re-save it as BigTIFF or uncompressed"
            )
        form.pack_into(self.data, at, value)

    def chunk(self, page: Page, index: int) -> bytes:
        """Read the bytes of one strip or tile."""
        at, size = self.entry(page.offsets, index), self.entry(page.counts, index)
        if at + size > len(self.data):
            raise UnreadableFile(f"strip or tile {index} of the TIFF reaches beyond the file; it is cut off")
        return bytes(self.data[at : at + size])

    def colour_map(self, page: Page) -> NDArray[np.uint16]:
        """Read the 3 × 256 entries of a palette page."""
        raw = self.data[_table_at(page) : _table_at(page) + 1536]
        if len(raw) < 1536:
            raise UnreadableFile("the TIFF's colour map is cut off")
        return np.frombuffer(bytes(raw), self.order + "u2").astype(np.uint16)

    def set_colour_map(self, page: Page, table: NDArray[np.uint16]) -> None:
        """Write the entries of a palette page back to their place."""
        self.data[_table_at(page) : _table_at(page) + 1536] = table.astype(self.order + "u2").tobytes()

    def replace(self, page: Page, index: int, made: bytes) -> None:
        """Store a strip or tile in its place if it fits, else at the end of the file; zero the bytes that it leaves."""
        at, size = self.entry(page.offsets, index), self.entry(page.counts, index)
        fits = len(made) <= size
        self.data[at : at + size] = made.ljust(size, b"\0") if fits else bytes(size)
        if not fits:
            self.data += bytes(len(self.data) & 1)  # values begin on word boundaries (TIFF 6.0, section 2)
            self._set(page.offsets, index, len(self.data))
            self.data += made
        self._set(page.counts, index, len(made))


def _table_at(page: Page) -> int:
    """Return the offset of a palette page's colour map."""
    assert page.map is not None  # the layout was checked
    return page.map.value_offset


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


def _used(editor: _Editor, page: Page) -> NDArray[np.bool_]:
    """Return which of the 256 palette entries any pixel of the page uses."""
    used = np.zeros(256, np.bool_)
    for index in range(page.across * page.down):
        used[np.unique(unpack(page, editor.chunk(page, index), index // page.across))] = True
    return used


Chunks = list[tuple[int, Where, NDArray[Any]]]


def _read(editor: _Editor, page: Page, box: Box) -> tuple[NDArray[Any], Chunks]:
    """Decode the chunks under the box.

    Returns:
        The samples of the box, (H, W, samples), and the chunks.
    """
    left, top, right, bottom = box
    region = np.zeros((bottom - top, right - left, page.samples), page.dtype.newbyteorder("="))
    chunks: Chunks = []
    for plane, where in _under(page, box):
        index, rows, columns, ys, xs = where
        samples = unpack(page, editor.chunk(page, index), index // page.across % page.down)
        planes = slice(plane, plane + 1) if page.planar else slice(None)
        region[ys, xs, planes] = samples[rows, columns]
        chunks.append((plane, where, samples))
    return region, chunks


def _write(editor: _Editor, page: Page, chunks: Chunks, region: NDArray[Any]) -> None:
    for plane, (index, rows, columns, ys, xs), samples in chunks:
        planes = slice(plane, plane + 1) if page.planar else slice(None)
        samples[rows, columns] = region[ys, xs, planes]
        editor.replace(page, index, pack(page, samples))


def _peak(page: Page, region: NDArray[Any]) -> float:
    """Return the sample value of white. Floating-point files do not state it: 1.0, unless there are greater values."""
    if page.dtype.kind == "u":
        return float(np.iinfo(page.dtype).max)
    top = float(np.nanmax(region)) if region.size else 1.0
    return next((peak for peak in (1.0, 255.0, 65535.0) if top <= peak), top)


def _shown(page: Page, region: NDArray[Any]) -> Pixels:
    """Return the box as (H, W, 3) 8-bit RGB over white."""
    peak = _peak(page, region)
    eight = np.clip(np.nan_to_num(region.astype(np.float64)) * (255 / peak), 0, 255)
    colour = eight[..., : INKS[page.photometric]]
    if page.photometric == SEPARATED:
        colour = (255 - colour[..., :3]) * (255 - colour[..., 3:]) / 255
    elif page.photometric == WHITE_IS_ZERO:
        colour = 255 - colour
    rgb = np.rint(np.broadcast_to(colour, (*colour.shape[:2], 3))).astype(np.uint8)
    if page.extra != _UNASSOCIATED:
        return rgb
    return on_white(np.dstack([rgb, np.rint(eight[..., INKS[page.photometric]]).astype(np.uint8)]))


def _mixed(page: Page, region: NDArray[Any], overlay: Pixels) -> NDArray[Any]:
    """Blend the overlay into the box. Extra samples that are not alpha stay as they are."""
    rgb, alpha = split_overlay(overlay)
    peak, count = _peak(page, region), INKS[page.photometric]
    if page.photometric == SEPARATED:
        colour = cmyk(rgb).astype(np.float64)
    elif page.photometric == RGB:
        colour = rgb
    else:
        gray = luma(rgb)[..., None].astype(np.float64)
        colour = 255 - gray if page.photometric == WHITE_IS_ZERO else gray
    colour = colour * (peak / 255)
    if page.dtype.kind == "u":
        whole = int(peak)
        if page.extra == _UNASSOCIATED:
            region[..., : count + 1] = over_alpha(region[..., : count + 1], colour, alpha, whole)
            return region
    elif page.extra == _UNASSOCIATED:
        raise LabelingError("a floating-point TIFF with alpha cannot be painted on", hint="convert it to 16 bits")
    else:
        whole = 0
    if page.extra == _ASSOCIATED:  # premultiplied: colour and alpha mix alike
        count, colour = count + 1, np.dstack([colour, np.full(colour.shape[:2], peak)])
    region[..., :count] = over(region[..., :count], colour, alpha, whole)
    return region
