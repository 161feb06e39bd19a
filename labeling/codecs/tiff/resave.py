"""Re-encode, without loss, TIFF pages that have no room for an overlay's colours: bilevel, full palettes, Lab."""

from __future__ import annotations

import io
from typing import Any

from labeling._tiff_ifd import Tiff
from labeling.codecs._memory import put
from labeling.codecs.base import Painted, Painter
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import check_size, decoding, make_plan, rgb_region

_LOSSY = {6, 7, 34712, 50001}
_KEPT = (254, 269, 270, 271, 272, 282, 283, 285, 296, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34675)
"""Descriptive tags, resolution, XMP, copyright, IPTC, Photoshop resources and ICC."""


def possible(tiff: Tiff) -> bool:
    """Return whether all pages can be re-encoded without loss: no lossy compression, at most 8 bits per sample."""
    for ifd in tiff.ifds:
        compression = tiff.ints(ifd.entries[259], 1) if 259 in ifd.entries else (1,)
        bits = tiff.ints(ifd.entries[258], 16) if 258 in ifd.entries else (1,)
        if set(compression) & _LOSSY or max(bits, default=64) > 8:
            return False
    return True


def paint(raw: bytes, painter: Painter, max_pixels: int) -> Painted:
    """Paint on every page, decoded upright by Pillow and saved with Deflate compression.

    Args:
        raw: The file.
        painter: What draws the overlay.
        max_pixels: Limit on the pixels of one page.

    Raises:
        UnreadableFile: A page cannot be decoded.
        TooLarge: A page is beyond the limit.
    """
    from PIL import TiffImagePlugin

    image = open_picture(raw, "tiff", max_pixels)
    out = io.BytesIO()
    plans = []
    count = getattr(image, "n_frames", 1)
    with decoding("TIFF"), TiffImagePlugin.AppendingTiffWriter(out) as writer:
        for number in range(count):
            image.seek(number)
            width, height = image.size
            check_size(width, height, count, max_pixels=max_pixels)
            tags: Any = TiffImagePlugin.ImageFileDirectory_v2()
            for tag in _KEPT:
                if tag in image.tag_v2:
                    tags[tag] = image.tag_v2[tag]
                    tags.tagtype[tag] = image.tag_v2.tagtype[tag]
            image.load()
            page = image.convert({"1": "L", "L": "L", "LAB": "LAB"}.get(image.mode, "RGB"))
            plan = make_plan(painter, *page.size)
            put(page, plan, plan.overlay(painter, [rgb_region(page, plan.stored)]))
            page.save(writer, "TIFF", compression="raw" if page.mode == "LAB" else "tiff_adobe_deflate", tiffinfo=tags)
            writer.newFrame()
            plans.append(plan)
    plan = plans[0]
    how = "TIFF pages re-encoded without loss, as 8-bit gray or RGB, because they had no room for the label's colours"
    return Painted(out.getvalue(), plan.box, plan.width, plan.height, count, True, how)
