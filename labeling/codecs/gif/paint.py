"""Paint on GIF files: frames are played, painted on, and stored as differences, without losing a colour."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.codecs.base import Box, Painted, Painter, Pixels
from labeling.codecs.gif import blocks
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import Plan, backdrops, check_size, decoding, lay_on, make_plan, over_alpha, split_overlay
from labeling.codecs.replay import check_plays
from labeling.containers.base import Buffer
from labeling.dither import is_dithered
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat

_KEEP, _CLEAR = 1, 2  # disposal methods
_BAND = 1 << 20  # about as many pixels are RGBA at once


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of a GIF file; see :mod:`labeling.codecs.base`.

    Comments, loop count, timing and all colours outside the box stay.
    """
    del quality, orientation  # GIF has neither
    raw = bytes(data)
    gif = blocks.split(raw)
    check_size(gif.width, gif.height, gif.frames, max_pixels=max_pixels)
    width, height = gif.width, gif.height
    if open_picture(raw, "gif", max_pixels).size != (width, height):  # Pillow enlarges it for the first frame
        raise _beyond_canvas()
    plan = make_plan(painter, width, height)
    left, top, right, bottom = plan.stored
    seen: list[Pixels] = []
    dots, under = False, None
    solid: NDArray[np.bool_] | None = None
    clears = False
    for canvas in _canvases(raw, gif, max_pixels):
        region = canvas.rows(top, bottom)[:, left:right]
        if under is None or not np.array_equal(region, under):  # what did not change tells the painter nothing new
            under = region.copy()  # a view would keep the rows of every frame in memory
            seen += backdrops(under)
        if solid is None:
            dots, solid = is_dithered(canvas.on_white()), canvas.solid()
        else:
            clears |= canvas.shows_through(solid)
    overlay = plan.overlay(painter, seen)
    canvases = _canvases(raw, gif, max_pixels)
    parts, reduced, last = [gif.screen], False, None
    for block in gif.blocks:
        if isinstance(block, bytes):
            parts.append(block)
            continue
        canvas = next(canvases)
        canvas.lay(plan.stored, overlay)
        made, fewer = _frame(block, canvas, None if clears else last, plan, overlay, clears)
        reduced |= fewer
        parts.append(made)
        if gif.frames > 1 and not clears:
            last = canvas.kept(last)
    how = "GIF frames re-encoded; no colour outside the label changed"
    how += "; the label was reduced to the colours that were free" if reduced else ""
    made = b"".join([*parts, gif.rest])
    painted = Painted(made, plan.box, plan.width, plan.height, gif.frames, True, how, dithered=dots)
    return check_plays(painted, "gif", 1, max_pixels)


class _Canvas:
    """The canvas of one frame, of which only some rows are RGBA at a time, with an alpha of 0 or 255."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self.width, self.height = image.size
        self._step = max(1, _BAND // self.width)
        self._box: Box = (0, 0, 0, 0)
        self._overlay: Pixels | None = None
        self._whole: Pixels | None = None  # of a canvas of one band

    def lay(self, box: Box, overlay: Pixels) -> None:
        """Show the overlay from now on."""
        self._box, self._overlay, self._whole = box, overlay, None

    def rows(self, top: int, bottom: int) -> Pixels:
        """Return rows as (H, W, 4) RGBA."""
        if self._step < self.height:
            return self._made(top, bottom)
        if self._whole is None:
            self._whole = self._made(0, self.height)
        return self._whole[top:bottom]

    def _made(self, top: int, bottom: int) -> Pixels:
        found = np.array(self._image.crop((0, top, self.width, bottom)).convert("RGBA"))
        found[..., 3] = (found[..., 3] > 127).view(np.uint8) * np.uint8(255)
        left, first, right, end = self._box
        start, stop = max(top, first), min(bottom, end)
        if self._overlay is not None and start < stop:
            region = found[start - top : stop - top, left:right]
            region[...] = _mixed(region, self._overlay[start - first : stop - first])
        return found

    def bands(self, top: int = 0, bottom: int | None = None) -> Iterator[tuple[int, Pixels]]:
        """Yield rows from the top, and where each band of them begins."""
        bottom = self.height if bottom is None else bottom
        for y in range(top, bottom, self._step):
            yield y, self.rows(y, min(y + self._step, bottom))

    def on_white(self) -> Pixels:
        """Return the whole canvas over white, (H, W, 3)."""
        flat = np.empty((self.height, self.width, 3), np.uint8)
        for y, band in self.bands():
            flat[y : y + len(band)] = lay_on(band, 255)
        return flat

    def solid(self) -> NDArray[np.bool_]:
        """Return where the canvas is not transparent, (H, W)."""
        found = np.empty((self.height, self.width), np.bool_)
        for y, band in self.bands():
            found[y : y + len(band)] = band[..., 3] > 0
        return found

    def shows_through(self, solid: NDArray[np.bool_]) -> bool:
        """Return whether something is transparent that was not; then let ``solid`` say what is not, in place."""
        found = False
        for y, band in self.bands():
            before, now = solid[y : y + len(band)], band[..., 3] > 0
            found = found or bool((before & ~now).any())
            before[...] = now
        return found

    def kept(self, last: Pixels | None) -> Pixels:
        """Return the whole canvas, (H, W, 4), in the place of the last one."""
        kept = np.empty((self.height, self.width, 4), np.uint8) if last is None else last
        for y, band in self.bands():
            kept[y : y + len(band)] = band
        return kept


def _canvases(raw: bytes, gif: blocks.Gif, max_pixels: int) -> Iterator[_Canvas]:
    """Play the file: yield the canvas of each frame, to be looked at before the next one is asked for."""
    image = open_picture(raw, "gif", max_pixels)
    if getattr(image, "n_frames", 1) != gif.frames:
        raise UnreadableFile("the GIF's frames cannot all be decoded; it is cut off or damaged")
    size = image.size
    for i in range(gif.frames):
        with decoding("GIF"):
            image.seek(i)
            image.load()
        if image.size != size:
            raise _beyond_canvas()
        yield _Canvas(image)


def _beyond_canvas() -> UnsupportedFormat:
    return UnsupportedFormat(
        "a frame of this GIF reaches beyond its canvas (GIF89a, 20), which viewers show in different ways",
        hint="save it again with another program first",
    )


def _mixed(region: Pixels, overlay: Pixels) -> Pixels:
    """Blend the overlay into a region. Over nothing it is either there or not: GIF has no partial transparency."""
    colour, alpha = split_overlay(overlay)
    mixed: Pixels = over_alpha(region, colour, alpha)
    solid = mixed[..., 3] > 127
    mixed[..., 3] = np.where(solid, 255, 0)
    return mixed


def _frame(
    source: blocks.Frame, canvas: _Canvas, before: Pixels | None, plan: Plan, overlay: Pixels, clears: bool
) -> tuple[bytes, bool]:
    """Encode one frame as its difference from ``before``.

    Returns:
        The frame's blocks, and whether the label had to lose colours.
    """
    left, top, right, bottom = (0, 0, canvas.width, canvas.height)
    if before is not None:
        rows, columns = np.zeros(canvas.height, np.bool_), np.zeros(canvas.width, np.bool_)
        for y, band in canvas.bands():
            differs = _changes(before[y : y + len(band)], band)
            rows[y : y + len(band)] = differs.any(axis=1)
            columns |= differs.any(axis=0)
        ys, xs = (np.flatnonzero(rows), np.flatnonzero(columns)) if rows.any() else (np.array([0]), np.array([0]))
        left, top, right, bottom = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1

    def bands(shown_before: Pixels | None, fewer: _Fewer | None) -> Iterator[tuple[blocks.Keys, NDArray[np.bool_]]]:
        for y, band in canvas.bands(top, bottom):
            window = band[:, left:right]
            if shown_before is None:
                visible = window[..., 3] > 0
            else:
                visible = _changes(shown_before[y : y + len(band)], band)[:, left:right]
            colours = blocks.keys(window)
            yield (colours if fewer is None else fewer(colours, visible, (left, y))), visible

    dispose = _CLEAR if clears else _KEEP
    for reduce in (False, True):
        # Repeating what did not change costs bytes, but no table entry for transparency.
        for shown in (before, None) if before is not None else (None,):
            fewer = _Fewer(partial(bands, shown, None), (left, top), plan, overlay) if reduce else None
            made = blocks.frame(
                source, (left, top), (bottom - top, right - left), partial(bands, shown, fewer), dispose=dispose
            )
            if made is not None:
                return made, reduce
    raise LabelingError("a frame of this GIF has no room for the label's colours", hint="convert it to WebP or APNG")


def _changes(before: Pixels, now: Pixels) -> NDArray[np.bool_]:
    """Return where a canvas differs from the last one, and is not transparent."""
    differs: NDArray[np.bool_] = (before.view(np.uint32) != now.view(np.uint32))[..., 0]  # four bytes at a time
    return differs & (now[..., 3] > 0)


class _Fewer:
    """Reduces the label to the table entries that the rest of the frame leaves free, or to colours that it has."""

    def __init__(self, bands: blocks.Bands, origin: tuple[int, int], plan: Plan, overlay: Pixels) -> None:
        self._box, self._ink = plan.stored, overlay[..., 3] > 0
        wanted: list[blocks.Keys] = []

        def rest() -> Iterator[tuple[blocks.Keys, NDArray[np.bool_]]]:
            y = origin[1]
            for colours, visible in bands():
                label = self._label(visible, (origin[0], y))
                wanted.append(colours[label])
                yield colours, visible & ~label
                y += len(colours)

        others = blocks.used_in(rest())[0]
        self._wanted, counts = np.unique(np.concatenate(wanted), return_counts=True)
        room = max(0, 255 - len(others))  # one entry stays free for transparency
        kept = np.concatenate([others, self._wanted[np.argsort(-counts, kind="stable")[:room]]])
        self._nearest = self._wanted
        if len(kept) and len(self._wanted):
            distance = sum(
                ((self._wanted[:, None] >> shift & 255).astype(np.int32) - (kept[None] >> shift & 255).astype(np.int32))
                ** 2
                for shift in (16, 8, 0)
            )
            self._nearest = kept[np.argmin(distance, axis=1)]

    def _label(self, visible: NDArray[np.bool_], origin: tuple[int, int]) -> NDArray[np.bool_]:
        """Return where a part of the canvas shows the label."""
        found = np.zeros_like(visible)
        (left, top, right, bottom), (x, y) = self._box, origin
        height, width = visible.shape
        start, stop, begin, end = max(left, x), min(right, x + width), max(top, y), min(bottom, y + height)
        if start < stop and begin < end:
            found[begin - y : end - y, start - x : stop - x] = self._ink[
                begin - top : end - top, start - left : stop - left
            ]
        return found & visible

    def __call__(self, colours: blocks.Keys, visible: NDArray[np.bool_], origin: tuple[int, int]) -> blocks.Keys:
        label = self._label(visible, origin)
        if label.any():
            colours[label] = self._nearest[np.searchsorted(self._wanted, colours[label])]
        return colours
