"""A box of a page: the samples in its strips or tiles, and these strips or tiles with other samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Box, Pixels
from labeling.codecs.grounds import band_rows
from labeling.codecs.tiff import colour, jpegs
from labeling.codecs.tiff.chunks import check_chunk, unpacked_bands
from labeling.codecs.tiff.editor import Editor
from labeling.codecs.tiff.page import JPEG, RGB, YCBCR, Page
from labeling.codecs.tiff.rows import Rows, open_rows
from labeling.errors import LabelingError

Where = tuple[int, slice, slice, slice, slice]
"""(index of the chunk, rows and columns inside the chunk, rows and columns inside the box)."""

Chunks = list[tuple[int, Where, Rows | None]]
"""(plane, where, rows under the box); no rows of JPEG chunks, whose blocks are changed."""


def as_decoded(page: Page) -> Page:
    """Return the layout of what :func:`read` gives: JPEG chunks of YCbCr are decoded to RGB."""
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


def used_entries(editor: Editor, page: Page) -> NDArray[np.bool_]:
    """Return which of the palette's entries any pixel of the page uses."""
    used = np.zeros(1 << page.bits, np.bool_)
    for index in range(page.across * page.down):
        for band in unpacked_bands(page, editor.view(page, index), index // page.across, band_rows(page.columns, 1)):
            used[band.ravel()] = True
    return used


def read(editor: Editor, page: Page, box: Box) -> tuple[NDArray[Any], Chunks]:
    """Decode the chunks under the box.

    Returns:
        The samples of the box, (H, W, samples), and the chunks.
    """
    left, top, right, bottom = box
    region = np.zeros((bottom - top, right - left, page.samples), page.dtype.newbyteorder("="))
    chunks: Chunks = []
    for plane, where in _under(page, box):
        index, rows, columns, ys, xs = where
        row = index // page.across % page.down
        planes = slice(plane, plane + 1) if page.planar else slice(None)
        if page.compression == JPEG:
            decoded = jpegs.decode(page, editor.jpeg_tables(page), editor.chunk(page, index), row)
            region[ys, xs, planes] = decoded[rows, columns]
            chunks.append((plane, where, None))
        else:
            opened = open_rows(page, editor.view(page, index), row, rows)
            region[ys, xs, planes] = opened.samples[_inside(opened, rows), columns]
            chunks.append((plane, where, opened))
    return region, chunks


def check_others(editor: Editor, page: Page, box: Box) -> None:
    """Decode the chunks that are not under the box, without keeping anything: what is copied is to be whole.

    Raises:
        LabelingError: One of them cannot be decoded.
    """
    under = {where[0] for _, where in _under(page, box)}
    for index in range(page.across * page.down * (page.samples if page.planar else 1)):
        if index in under:
            continue
        row = index // page.across % page.down
        if page.compression == JPEG:
            jpegs.decode(page, editor.jpeg_tables(page), editor.chunk(page, index), row)
        else:
            check_chunk(page, editor.view(page, index), row)


def lay(editor: Editor, page: Page, box: Box, overlay: Pixels) -> None:
    """Blend an overlay into a box of a page that has no palette."""
    region, chunks = read(editor, page, box)
    if page.compression == JPEG:
        write_jpegs(editor, page, chunks, overlay)
    else:
        write(editor, page, chunks, colour.blend(page, region, overlay))


def write(editor: Editor, page: Page, chunks: Chunks, region: NDArray[Any]) -> None:
    """Encode the chunks again, with these samples in the box."""
    while chunks:
        plane, (index, rows, columns, ys, xs), opened = chunks.pop(0)
        assert opened is not None  # it is no JPEG
        planes = slice(plane, plane + 1) if page.planar else slice(None)
        opened.samples[_inside(opened, rows), columns] = region[ys, xs, planes]
        editor.replace(page, index, opened.recoded())


def _inside(opened: Rows, rows: slice) -> slice:
    return slice(rows.start - opened.first, rows.stop - opened.first)


def write_jpegs(editor: Editor, page: Page, chunks: Chunks, overlay: Pixels) -> None:
    """Lay the overlay on the blocks of JPEG chunks under it."""
    tables = editor.jpeg_tables(page)
    for _, (index, rows, columns, ys, xs), _ in chunks:
        part = np.ascontiguousarray(overlay[ys, xs])
        if not part[..., 3].any():
            continue
        raw = editor.chunk(page, index)
        if not raw:
            raise LabelingError("a JPEG tile under the label is missing from the TIFF", hint="re-save it first")
        box = columns.start, rows.start, columns.stop, rows.stop
        editor.replace_run(page.offsets, page.counts, index, jpegs.paint(page, tables, raw, box, part))
