"""Paint on GIF files: frames are played, painted on, and stored as differences, without losing a colour."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Painted, Painter, Pixels
from labeling.codecs.gif import blocks
from labeling.codecs.gif.play import CLEAR, Canvas, beyond_canvas, canvases
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import Plan, backdrops, check_size, make_plan
from labeling.codecs.replay import check_plays
from labeling.containers.base import Buffer
from labeling.dither import is_dithered
from labeling.errors import LabelingError

_KEEP = 1  # a disposal method
_DISPUTED = (
    "viewers differ in what this GIF shows where nothing is drawn; the copy shows it transparent, as browsers do"
)
_UNCHANGED = "no colour outside the label changed"
_NUMBERLESS = (
    f"{_UNCHANGED} where the GIF has one; viewers differ in what it shows where a colour number is not in its table: "
    "the copy has nothing there, as browsers and FFmpeg show it"
)


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of a GIF file; see :mod:`labeling.codecs.base`.

    Comments, loop count, timing and all colours outside the box stay.
    """
    del quality, orientation  # GIF has neither
    raw = bytes(data)
    gif = blocks.split(raw)
    check_size(gif.width, gif.height, gif.frames, max_pixels=max_pixels)
    width, height = gif.width, gif.height
    opened = open_picture(raw, "gif", max_pixels)
    if opened.size != (width, height):  # Pillow enlarges it for the first frame
        raise beyond_canvas()
    plan = make_plan(painter, width, height)
    left, top, right, bottom = plan.stored
    seen: list[Pixels] = []
    dots, under = False, None
    solid: NDArray[np.bool_] | None = None
    clears = disputed = numberless = False
    for canvas in canvases(raw, gif):
        disputed |= canvas.disputed
        numberless |= canvas.numberless
        region = canvas.rows(top, bottom)[:, left:right]
        if under is None or not np.array_equal(region, under):  # what did not change tells the painter nothing new
            under = region.copy()  # a view would keep the rows of every frame in memory
            seen += backdrops(under)
        if solid is None:
            dots, solid = is_dithered(canvas.on_white()), canvas.solid()
        else:
            clears |= canvas.shows_through(solid)
    overlay = plan.overlay(painter, seen)
    played = canvases(raw, gif)
    parts, reduced, last = [gif.screen], False, None
    for block in gif.blocks:
        if isinstance(block, bytes):
            parts.append(block)
            continue
        canvas = next(played)
        canvas.lay(plan.stored, overlay)
        made, fewer = _frame(block, canvas, None if clears else last, plan, overlay, clears)
        reduced |= fewer
        parts.append(made)
        if gif.frames > 1 and not clears:
            last = canvas.kept(last)
    how = f"GIF frames re-encoded; {_NUMBERLESS if numberless else _UNCHANGED}"
    how += "; the label was reduced to the colours that were free" if reduced else ""
    how += f"; {_DISPUTED}" if disputed else ""
    made = b"".join([*parts, gif.rest])
    painted = Painted(made, plan.box, plan.width, plan.height, gif.frames, True, how, dithered=dots)
    return check_plays(painted, "gif", 1, max_pixels)


def _frame(
    source: blocks.Frame, canvas: Canvas, before: Pixels | None, plan: Plan, overlay: Pixels, clears: bool
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

    dispose = CLEAR if clears else _KEEP
    for hollow, reduce in ((True, False), (True, True), (False, False), (False, True)) if clears else _LEAN:
        # Repeating what did not change costs bytes, but no table entry for transparency.
        for shown in (before, None) if before is not None else (None,):
            fewer = _Fewer(partial(bands, shown, None), (left, top), plan, overlay) if reduce else None
            content = partial(bands, shown, fewer)
            size = bottom - top, right - left
            made = blocks.frame(source, (left, top), size, content, dispose=dispose, hollow=hollow)
            if made is not None:
                return made, reduce
    raise LabelingError("a frame of this GIF has no room for the label's colours", hint="convert it to WebP or APNG")


_LEAN = ((False, False), (False, True))


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
