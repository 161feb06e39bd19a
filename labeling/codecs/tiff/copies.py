"""Which pictures of a TIFF file are pages, and which are smaller copies of one: pyramid levels and thumbnails."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from labeling._tiff_ifd import SUB_IFDS, Ifd, Tiff
from labeling.codecs.base import Box, Pixels
from labeling.codecs.tiff.page import is_mask, is_reduced, number
from labeling.containers.tiff.metadata import is_page

_DATA = (273, 324, 513)
_SAME_SHAPE = 0.02
"""How far two aspect ratios may differ before a copy counts as one with bars at its edges."""


@dataclass(slots=True)
class Pictures:
    """The pictures of a file: the directories of pages, and (directory, name of its page) of each copy."""

    pages: list[Ifd] = field(default_factory=list)
    copies: list[tuple[Ifd, str]] = field(default_factory=list)


def pictures(tiff: Tiff) -> Pictures:
    """Sort the pictures of a file. Masks are left out.

    A copy says so itself (NewSubfileType), and belongs to the page before it in the chain, or to the page whose SubIFD
    it is. A first page that calls itself a copy has no other: it counts as a page.
    """
    found = Pictures()
    at = {ifd.offset: ifd for ifd in tiff.ifds}
    for ifd in tiff.ifds:
        if not is_page(ifd) or not _is_picture(ifd) or is_mask(tiff, ifd):
            continue
        if is_reduced(tiff, ifd) and found.pages:
            found.copies.append((ifd, found.pages[-1].name))
        else:
            found.pages.append(ifd)
        page = found.pages[-1]
        for offset in tiff.ints(ifd.entries[SUB_IFDS], 64) if SUB_IFDS in ifd.entries else ():
            below = at.get(offset)
            if below is None or not _is_picture(below) or is_mask(tiff, below):
                continue
            if number(tiff, below, 256, 0) <= number(tiff, page, 256, 0):
                found.copies.append((below, page.name))
            else:
                found.pages.append(below)
                page = below
    return found


def _is_picture(ifd: Ifd) -> bool:
    return 256 in ifd.entries and 257 in ifd.entries and any(tag in ifd.entries for tag in _DATA)


def scaled(whole: tuple[int, int], small: tuple[int, int], box: Box, overlay: Pixels) -> tuple[Box, Pixels]:
    """Scale an overlay from a picture to a smaller copy of it.

    Args:
        whole: Width and height of the picture.
        small: Those of the copy. If its shape differs, it is taken to show the whole picture between bars.
        box: Where the overlay is in the picture.
        overlay: (H, W, 4) uint8 RGBA.

    Returns:
        The box in the copy, and the overlay for it.
    """
    across, down = small[0] / whole[0], small[1] / whole[1]
    aside = above = 0.0
    if abs(across / down - 1) > _SAME_SHAPE and abs(small[0] - whole[0] * down) > 2:
        across = down = min(across, down)
        aside, above = (small[0] - whole[0] * across) / 2, (small[1] - whole[1] * down) / 2
    left, top = aside + box[0] * across, above + box[1] * down
    right, bottom = aside + box[2] * across, above + box[3] * down
    place = (
        max(0, min(math.floor(left), small[0] - 1)), max(0, min(math.floor(top), small[1] - 1)),
        min(small[0], math.ceil(right)), min(small[1], math.ceil(bottom)),
    )  # fmt: skip
    place = (place[0], place[1], max(place[2], place[0] + 1), max(place[3], place[1] + 1))
    # Where the copy's pixels begin and end in the overlay; those at its edges reach a little beyond it.
    margin = math.ceil(max(1 / across, 1 / down)) + 1
    padded = Image.fromarray(np.pad(overlay, ((margin, margin), (margin, margin), (0, 0))))
    edges = np.array([place[0] - left, place[1] - top, place[2] - left, place[3] - top])
    edges = edges / (across, down, across, down) + margin
    source = np.clip(edges, 0, [padded.width, padded.height] * 2)
    size = place[2] - place[0], place[3] - place[1]
    return place, np.asarray(padded.resize(size, Image.Resampling.BOX, box=tuple(source.tolist())))
