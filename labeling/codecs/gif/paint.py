"""Paint on GIF files: frames are played, painted on, and stored as differences, without losing a colour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Painted, Painter, Pixels
from labeling.codecs.gif import blocks
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import Plan, backdrops, check_size, decoding, lay_on, make_plan, over_alpha, split_overlay
from labeling.containers.base import Buffer
from labeling.dither import is_dithered
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat

_KEEP, _CLEAR = 1, 2  # disposal methods
_LARGEST = 65535  # pixels in either direction: what an image descriptor can say (GIF89a, 20)


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of a GIF file; see :mod:`labeling.codecs.base`.

    Comments, loop count, timing and all colours outside the box stay.
    """
    del quality, orientation  # GIF has neither
    raw = bytes(data)
    gif = blocks.split(raw)
    check_size(gif.width, gif.height, gif.frames, max_pixels=max_pixels)
    width, height = open_picture(raw, "gif", max_pixels).size
    if max(width, height) > _LARGEST:
        raise _beyond_canvas()
    plan = make_plan(painter, width, height)
    left, top, right, bottom = plan.stored
    seen: list[Pixels] = []
    clears, dots, before, under = False, False, None, None
    for canvas in _canvases(raw, gif, max_pixels):
        region = canvas[top:bottom, left:right]
        if under is None or not np.array_equal(region, under):  # what did not change tells the painter nothing new
            under = region.copy()  # a view would keep the canvas of every frame in memory
            seen += backdrops(under)
        dots |= before is None and is_dithered(lay_on(canvas, 255))
        clears |= before is not None and bool((before & (canvas[..., 3] == 0)).any())
        before = canvas[..., 3] > 0
    overlay = plan.overlay(painter, seen)
    canvases = _canvases(raw, gif, max_pixels)
    parts, reduced, last = [gif.screen], False, None
    for block in gif.blocks:
        if isinstance(block, bytes):
            parts.append(block)
            continue
        canvas = next(canvases)
        painted = canvas.copy()
        painted[top:bottom, left:right] = _mixed(canvas[top:bottom, left:right], overlay)
        made, fewer = _frame(block, painted, None if clears else last, plan, overlay, clears)
        reduced |= fewer
        parts.append(made)
        last = painted
    how = "GIF frames re-encoded; no colour outside the label changed"
    how += "; the label was reduced to the colours that were free" if reduced else ""
    return Painted(
        b"".join([*parts, gif.rest]), plan.box, plan.width, plan.height, gif.frames, True, how, dithered=dots
    )


def _canvases(raw: bytes, gif: blocks.Gif, max_pixels: int) -> Iterator[Pixels]:
    """Play the file: yield the whole canvas of each frame as (H, W, 4) RGBA with an alpha of 0 or 255."""
    image = open_picture(raw, "gif", max_pixels)
    if getattr(image, "n_frames", 1) != gif.frames:
        raise UnreadableFile("the GIF's frames cannot all be decoded; it is cut off or damaged")
    size = image.size
    for i in range(gif.frames):
        with decoding("GIF"):
            image.seek(i)
            canvas = np.array(image.convert("RGBA"))
        if canvas.shape[:2] != (size[1], size[0]):
            raise _beyond_canvas()
        canvas[..., 3] = (canvas[..., 3] > 127).view(np.uint8) * np.uint8(255)
        yield canvas


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
    source: blocks.Frame, canvas: Pixels, before: Pixels | None, plan: Plan, overlay: Pixels, clears: bool
) -> tuple[bytes, bool]:
    """Encode one frame as its difference from ``before``.

    Returns:
        The frame's blocks, and whether the label had to lose colours.
    """
    colours, visible = blocks.keys(canvas), canvas[..., 3] > 0
    x = y = 0
    window = (slice(None), slice(None))
    if before is not None:
        differs = (before.view(np.uint32) != canvas.view(np.uint32))[..., 0] & visible  # four bytes at a time
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            rows = columns = np.array([0])
        x, y = int(columns[0]), int(rows[0])
        window = (slice(y, int(rows[-1]) + 1), slice(x, int(columns[-1]) + 1))
        visible = differs
    dispose = _CLEAR if clears else _KEEP
    whole = canvas[..., 3] > 0  # repeating what did not change costs bytes, but no table entry for transparency
    for fewer in (False, True):
        for shown in (visible, whole):
            shade = _with_fewer(colours, shown, window, plan, overlay) if fewer else colours
            made = blocks.frame(source, (x, y), shade[window], shown[window], dispose=dispose)
            if made is not None:
                return made, fewer
    raise LabelingError("a frame of this GIF has no room for the label's colours", hint="convert it to WebP or APNG")


def _with_fewer(
    colours: blocks.Keys, visible: NDArray[np.bool_], window: tuple[slice, slice], plan: Plan, overlay: Pixels
) -> blocks.Keys:
    """Reduce the label to the table entries that the rest of the frame leaves free, or to colours that it has."""
    left, top, right, bottom = plan.stored
    label = np.zeros(colours.shape, np.bool_)
    label[top:bottom, left:right] = overlay[..., 3] > 0
    inside = np.zeros_like(label)
    inside[window] = visible[window]
    label &= inside
    others = np.unique(colours[inside & ~label])
    if not label.any():
        return colours
    wanted, back, counts = np.unique(colours[label], return_inverse=True, return_counts=True)
    room = max(0, 255 - len(others))  # one entry stays free for transparency
    kept = np.concatenate([others, wanted[np.argsort(-counts, kind="stable")[:room]]])
    distance = sum(
        ((wanted[:, None] >> shift & 255).astype(np.int32) - (kept[None] >> shift & 255).astype(np.int32)) ** 2
        for shift in (16, 8, 0)
    )
    if not len(kept):
        return colours
    nearest = kept[np.argmin(distance, axis=1)]
    fewer = colours.copy()
    fewer[label] = nearest[back.ravel()]
    return fewer
