"""Paint on the further pictures of a Multi-Picture file (CIPA DC-007): the other views of a stereo camera.

They are pictures of their own, which viewers show one after the other, or both at once. Smaller copies of the first get
its label at their own size. Gain maps, depth maps and what nothing is known of stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image

from labeling.codecs.base import Box, Painted, Painter, Pixels
from labeling.codecs.jpeg import segments
from labeling.codecs.pixels import check_size, decoding, open_with, orientation_of, region_of, upright
from labeling.codecs.smaller import Given, scaled
from labeling.containers.base import Buffer
from labeling.containers.jpeg import mpf, previews
from labeling.errors import LabelingError

Paint = Callable[[bytes, Painter, int], Painted]
"""Paints on one JPEG, with a limit on its pixels left to the caller; the last argument is its EXIF orientation."""

_ALIKE = 0.05
"""Largest mean difference, of the full range, at 32×32 gray samples, at which a smaller picture counts as a copy."""

_MOST = 16
"""Limit on the pictures that are painted on; those behind them stay as they are."""

_SIDE = 32
_MAPS = (b"hdrgm:", b"HDRGainMap", b"hdr-gain-map", b"urn:iso:std:iso:ts:21496", b"DepthMap", b"GDepth")
_HEAD = 1 << 16
_INDEX = 1 << 20


@dataclass(frozen=True, slots=True)
class Tail:
    """What follows the first picture, painted.

    Attributes:
        data: The bytes.
        changes: Of each painted picture, its number in the index, its new length and how far it moved.
        painted: How many pictures were painted on.
        left: How many listed pictures stay as they are.
    """

    data: bytes
    changes: tuple[tuple[int, int, int], ...] = ()
    painted: int = 0
    left: int = 0


def paint(jpeg: segments.Jpeg, painter: Painter, box: Box, overlay: Pixels, paint_one: Paint) -> Tail:
    """Paint on the pictures behind the first one that its index lists.

    Args:
        jpeg: The file, before it was painted on.
        painter: Draws on pictures of the first one's size.
        box: Where the overlay is on the first picture, as stored.
        overlay: The overlay on it, as stored.
        paint_one: Paints on one of them.
    """
    tail = jpeg.data[jpeg.end :]
    listed = _listed(jpeg)
    if not listed:
        return Tail(tail)
    if _is_led_to_otherwise(jpeg):
        return Tail(tail, left=len(listed))
    frame = segments.frame(jpeg)
    parts: list[bytes] = []
    changes: list[tuple[int, int, int]] = []
    at, moved, done = jpeg.end, 0, 0
    for each in listed:
        old = jpeg.data[each.start : each.start + each.length]
        new = None
        with suppress(LabelingError):
            if done < _MOST:
                new = _painted(jpeg, frame, old, painter, box, overlay, paint_one)
        parts += [jpeg.data[at : each.start], new or old]
        changes.append((each.number, len(parts[-1]), moved))
        moved += len(parts[-1]) - each.length
        at = each.start + each.length
        done += new is not None
    if not done:
        return Tail(tail, left=len(listed))
    return Tail(b"".join([*parts, jpeg.data[at:]]), tuple(changes), done, len(listed) - done)


def views(data: Buffer, orientation: int, max_pixels: int) -> tuple[str, int, Iterator[Pixels]]:
    """Decode the further pictures that are views: of the first one's size, and no maps of depth or brightness."""
    del orientation  # each has its own
    found = _views(bytes(data)) if bytes(data[:_INDEX]).find(mpf.PREFIX) > 0 else []

    def shown() -> Iterator[Pixels]:
        for each in found:
            with decoding("JPEG"):
                image = open_with("JpegImagePlugin:JpegImageFile", each)
                check_size(*image.size, max_pixels=max_pixels)
                image.load()
                turn, pixels = orientation_of(image), region_of(image, (0, 0, *image.size))
            yield upright(pixels, turn)

    return "view", 1 + len(found), shown()


def _views(data: bytes) -> list[bytes]:
    try:
        jpeg = segments.split(data)
        first = segments.frame(jpeg)
        found = []
        for each in _listed(jpeg)[:_MOST]:
            view = data[each.start : each.start + each.length]
            frame = segments.frame(segments.split(view))
            alike = (frame.width, frame.height, len(frame.components))
            if alike == (first.width, first.height, len(first.components)) and not _is_map(view):
                found.append(view)
    except LabelingError:  # what follows the first picture is none that a viewer finds
        return []
    return found


def _listed(jpeg: segments.Jpeg) -> tuple[mpf.Further, ...]:
    index = next((s for s in jpeg.other if s.marker == 0xE2 and jpeg.data.startswith(mpf.PREFIX, s.start + 4)), None)
    if index is None:
        return ()
    return mpf.further(jpeg.data[index.start + 4 : index.end], jpeg.data, index.start + mpf.HEADER, jpeg.end)


def _is_map(data: bytes) -> bool:
    return any(name in data[:_HEAD] for name in _MAPS)


def _is_led_to_otherwise(jpeg: segments.Jpeg) -> bool:
    """Say whether more than the index gives the places or lengths of further pictures: EXIF, or Google's directory."""
    for s in jpeg.other:
        if s.marker != 0xE1:
            continue
        body = jpeg.data[s.start + 4 : s.end]
        if b"Semantic" in body and b"Container" in body:
            return True
        base = s.start + previews.TIFF_HEADER
        if body.startswith(b"Exif\0") and previews.offsets(jpeg.data[base : s.end], jpeg.data, base, jpeg.end):
            return True
    return False


def _painted(
    jpeg: segments.Jpeg,
    first: segments.Frame,
    data: bytes,
    painter: Painter,
    box: Box,
    overlay: Pixels,
    paint_one: Paint,
) -> bytes | None:
    """Return a further picture with the label; ``None`` if it is not to have one."""
    frame = segments.frame(segments.split(data))
    if len(frame.components) != len(first.components) or _is_map(data):
        return None
    whole, size = (first.width, first.height), (frame.width, frame.height)
    if size == whole:
        return paint_one(data, painter, orientation_of(open_with("JpegImagePlugin:JpegImageFile", data))).data
    if size[0] > whole[0] or size[1] > whole[1] or not _alike(jpeg.data[: jpeg.end], data):
        return None
    return paint_one(data, Given(*scaled(whole, size, box, overlay)), 1).data


def _alike(one: bytes, other: bytes) -> bool:
    small = []
    for data in (one, other):
        with decoding("JPEG"):
            image = open_with("JpegImagePlugin:JpegImageFile", data)
            image.draft("L", (4 * _SIDE, 4 * _SIDE))
            small.append(np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float64))
    return float(np.abs(small[0] - small[1]).mean()) <= _ALIKE * 255
