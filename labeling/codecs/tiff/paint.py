"""Paint on TIFF files. Only the strips or tiles under the overlay are re-encoded; all others keep bytes and place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from labeling._tiff_ifd import Ifd, Tiff, read_tiff
from labeling.codecs.base import Box, Painted, Painter, Pixels
from labeling.codecs.libtiff import Faults, listening
from labeling.codecs.pixels import FRAMES_FACTOR, Plan, backdrops, check_size, make_plan
from labeling.codecs.smaller import scaled
from labeling.codecs.tiff import colour, copies, expand, palette, samples, thumbnails
from labeling.codecs.tiff.displayed import MAX_CHUNKS, MAX_PAGES
from labeling.codecs.tiff.editor import Editor
from labeling.codecs.tiff.page import JPEG, PALETTE, Page, number, parse
from labeling.containers.base import Buffer
from labeling.containers.tiff.raw import camera_raw
from labeling.errors import UnreadableFile, UnsupportedFormat
from labeling.losses import Loss

_LAYERS = 37724
"""ImageSourceData: the layers of Adobe Photoshop."""

_CHECKED = 100_000_000
"""Pixels of the pages behind the first up to which what is not under the label is decoded, to see whether it can be."""


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every page of a TIFF or BigTIFF file, each upright by its own orientation and without loss.

    Smaller copies of a page, as pyramids and thumbnails have them, get its label at their own size; masks stay as they
    are. All strips and tiles of the pages are decoded, so that nothing is called labelled that cannot be shown. See
    :mod:`labeling.codecs.base`. ``orientation`` is that of the first page.

    Raises:
        UnsupportedFormat: It is a camera raw file, or samples of this kind cannot be painted on without loss.
        UnreadableFile: The file is damaged.
    """
    del quality
    tiff = read_tiff(bytes(data), max_ifds=MAX_PAGES)
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
        with listening() as faults:
            made = _painted(tiff, painter, found, pages, orientation, max_pixels)
        return replace(made, lost=(*made.lost, *_spoilt(faults))) if faults.count else made
    except _FullPaletteError as error:
        page = error.page
    wide = expand.to_rgb(tiff, page, MAX_PAGES)
    made = paint(wide, painter, orientation=orientation, quality=None, max_pixels=max_pixels)
    why = "it had no room for the label's colours: the page became 8-bit RGB, with the same colours"
    lost = Loss("colour palette", f"TIFF {page.name}", why)
    how = f"the palette page {page.name} became 8-bit RGB with the same colours, then {made.how}"
    return replace(made, lost=(lost, *made.lost), how=how)


def _spoilt(faults: Faults) -> tuple[Loss, ...]:
    what = f"damaged picture data ({faults.count:,} faults)"
    return (Loss(what, "TIFF", "the strips or tiles under the label hold what libtiff could decode of it"),)


class _FullPaletteError(Exception):
    def __init__(self, page: Page) -> None:
        super().__init__(page.name)
        self.page = page


def _painted(
    tiff: Tiff, painter: Painter, found: copies.Pictures, pages: list[Page], orientation: int, max_pixels: int
) -> Painted:
    work = _Work(tiff, painter)
    plans = [work.paint_page(page, page.orientation if at else orientation) for at, page in enumerate(pages)]
    unchecked = _check_others(tiff, pages, plans)
    bare = _paint_copies(work, tiff, found, max_pixels)
    plan = plans[0]
    how = _how(tiff, [page.name for page in pages], bare, len(found.copies))
    if unchecked:
        how += f"; the other strips or tiles of {', '.join(unchecked[:3])}"
        how += f" and {len(unchecked) - 3} more pages" if len(unchecked) > 3 else ""
        how += " were not decoded, because there are so many"
    # What the verifier finds decides where it may not decode the page.
    looked_at = pages[0].bits < 8 or pages[0].name in unchecked
    return Painted(
        work.editor.data.pieces(), plan.box, plan.width, plan.height, len(pages), True, how, dithered=looked_at
    )


def _check_others(tiff: Tiff, pages: list[Page], plans: list[Plan]) -> list[str]:
    """Decode the strips and tiles that are not under the label.

    Returns:
        The names of pages for which that would take too long.

    Raises:
        LabelingError: One of them cannot be decoded.
    """
    editor, unchecked = Editor(tiff), []
    pixels, chunks = _CHECKED + pages[0].width * pages[0].height, MAX_CHUNKS
    for page, plan in zip(pages, plans, strict=True):
        if page.photometric == PALETTE:
            continue  # all of it was decoded, to see which colours are used
        pixels -= page.width * page.height
        chunks -= page.across * page.down * (page.samples if page.planar else 1)
        if pixels < 0 or chunks < 0:
            unchecked.append(page.name)
        else:
            samples.check_others(editor, page, plan.stored)
    return unchecked


class _Work:
    """The painting of one file: the growing copy, and the overlays for the copies of each page."""

    def __init__(self, tiff: Tiff, painter: Painter) -> None:
        self.editor = Editor(tiff)
        self._painter = painter
        self._done: set[int] = set()  # tables of offsets: two directories may share one picture
        self._maps: set[int] = set()  # colour maps; pages may share one, to which colours are added only once
        self._overlays: dict[str, tuple[Page, Box, Pixels]] = {}

    def paint_page(self, page: Page, orientation: int) -> Plan:
        """Paint on a page, and return where."""
        plan = make_plan(self._painter, page.width, page.height, orientation)
        if page.offsets.value_offset in self._done:
            return plan
        region, chunks = samples.read(self.editor, page, plan.stored)
        if page.photometric == PALETTE:
            backdrop = palette.colours(self.editor.colour_map(page))[region[..., 0]]
        else:
            backdrop = colour.shown(samples.as_decoded(page), region)
        overlay = plan.overlay(self._painter, backdrops(backdrop))
        self._lay(page, plan.stored, overlay, region, chunks)
        self._overlays[page.name] = page, plan.stored, overlay
        return plan

    def paint_copy(self, tiff: Tiff, ifd: Ifd, base: str, max_pixels: int) -> None:
        """Paint the overlay of the page ``base`` on a smaller copy of it.

        Raises:
            UnsupportedFormat: The copy cannot be painted on.
        """
        if base not in self._overlays:
            return

        def scale(width: int, height: int) -> tuple[Box, Pixels]:
            whole, box, overlay = self._overlays[base]
            return scaled((whole.width, whole.height), (width, height), box, overlay)

        if thumbnails.is_stream(ifd):
            thumbnails.repaint_stream(self.editor, ifd, scale, max_pixels)
            return
        page = parse(tiff, ifd, max_pixels)
        if page.offsets.value_offset not in self._done:
            box, overlay = scale(page.width, page.height)
            region, chunks = samples.read(self.editor, page, box)
            self._lay(page, box, overlay, region, chunks)

    def _lay(self, page: Page, box: Box, overlay: Pixels, region: NDArray[Any], chunks: samples.Chunks) -> None:
        self._done.add(page.offsets.value_offset)
        if page.compression == JPEG:
            samples.write_jpegs(self.editor, page, chunks, overlay)
            return
        if page.photometric != PALETTE:
            samples.write(self.editor, page, chunks, colour.blend(page, region, overlay))
            return
        assert page.map is not None  # the layout was checked
        used = samples.used_entries(self.editor, page) | (page.map.value_offset in self._maps)
        try:
            table, region = palette.lay(self.editor.colour_map(page), used, region, overlay)
        except palette.NoRoomError:
            raise _FullPaletteError(page) from None
        self._maps.add(page.map.value_offset)
        self.editor.set_colour_map(page, table)
        samples.write(self.editor, page, chunks, region)


def _paint_copies(work: _Work, tiff: Tiff, found: copies.Pictures, max_pixels: int) -> list[str]:
    """Paint on the smaller copies of pages.

    Returns:
        The names of those that could not be painted on, with the reason.
    """
    bare = []
    left = FRAMES_FACTOR * max_pixels
    for ifd, base in found.copies:
        left -= number(tiff, ifd, 256, 0) * number(tiff, ifd, 257, 0)
        if left < 0:
            bare.append(f"{ifd.name} and what follows it (there are too many)")
            break
        try:
            work.paint_copy(tiff, ifd, base, max_pixels)
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
