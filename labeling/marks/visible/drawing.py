"""Draw the label in one look, and keep what was drawn: pictures come in few sizes, and labels in few looks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from labeling.marks.visible import font as fonts
from labeling.marks.visible import icon as icons
from labeling.marks.visible.layout import Layout, line_gap
from labeling.options.style import Style

BLACK = (0, 0, 0)

SMALL, LARGE = 1 << 16, 1 << 20
"""Pixels of a box: 64 labels of up to the first size are kept and 8 of up to the second, together 48 MiB of RGBA at
most. Larger ones are drawn anew, which takes little beside coding such a picture."""

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """One way to draw: ink and its opacity, and the opacity of a plate or an outline (0: without)."""

    ink: Color
    opacity: float
    ground: Color = BLACK
    plate: float = 0.0
    outline: float = 0.0


def drawn(style: Style, layout: Layout, look: Look) -> NDArray[np.uint8]:
    """Return the label: (H, W, 4) RGBA, straight alpha. It is shared between calls and threads, and read-only."""
    left, top, right, bottom = layout.box
    pixels = (right - left) * (bottom - top)
    how = _small if pixels <= SMALL else _large if pixels <= LARGE else draw
    return how(style, layout, look)


def draw(style: Style, layout: Layout, look: Look) -> NDArray[np.uint8]:
    """Draw the label: (H, W, 4) RGBA, straight alpha, read-only."""
    left, top, right, bottom = layout.box
    size = right - left, bottom - top
    mask = _text_mask(style, layout, size)
    place = layout.padding[0], _top_beside(style, layout, size)
    if icons.is_drawn(style):
        mask.paste(icons.drawn(str(style.icon), layout.beside), place)
    image = Image.new("RGBA", size, (*look.ground, 0))
    if look.plate:
        image.putalpha(_plate(size, look.plate))
    elif look.outline:
        image.putalpha(_outline(mask, layout.ink_height))
    ink = Image.new("RGBA", size, (*look.ink, 0))
    ink.putalpha(mask.point(lambda value: round(value * look.opacity)))
    image.alpha_composite(ink)
    if (picture := icons.picture_of(style)) is not None:
        image.alpha_composite(picture.resize(layout.beside, Image.Resampling.LANCZOS), place)
    pixels = np.array(image)
    pixels[pixels[..., 3] == 0, :3] = look.ink  # no dark fringe where alpha is averaged down for chroma
    pixels.setflags(write=False)
    return pixels


_small, _large = lru_cache(maxsize=64)(draw), lru_cache(maxsize=8)(draw)


def _top_beside(style: Style, layout: Layout, size: tuple[int, int]) -> int:
    """Return where what is beside the text begins: in the middle of the capitals, whatever accents they have."""
    room = size[1] - layout.beside[1]
    if len(layout.lines) > 1:
        return room // 2
    drawer = fonts.face(style.font, layout.size)
    _, top, _, bottom = drawer.getbbox(layout.lines[0])
    _, cap, _, base = drawer.getbbox("A")
    return max(0, min(room, round((room + cap + base - top - bottom) / 2)))


def _text_mask(style: Style, layout: Layout, size: tuple[int, int]) -> Image.Image:
    drawer = fonts.face(style.font, layout.size)
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    boxes = [drawer.getbbox(line) for line in layout.lines]
    heights = [bottom - top for _, top, _, bottom in boxes]
    gap = line_gap(layout.size)
    y = (size[1] - sum(heights) - gap * (len(boxes) - 1)) / 2
    start = size[0] - layout.padding[0] if layout.beside[0] else 0
    for line, (left, top, right, _), height in zip(layout.lines, boxes, heights, strict=True):
        x = start - (right - left) if layout.beside[0] else (size[0] - (right - left)) / 2
        draw.text((round(x - left), round(y - top)), line, fill=255, font=drawer)
        y += height + gap
    return mask


def _plate(size: tuple[int, int], alpha: float) -> Image.Image:
    """Draw a rounded plate, large and then reduced for a smooth edge."""
    scale = 4 if max(size) < 2000 else 1
    radius = round(min(size) * 0.26 * scale)
    large = Image.new("L", (size[0] * scale, size[1] * scale))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, large.width - 1, large.height - 1), radius, round(255 * alpha))
    return large.resize(size, Image.Resampling.BOX) if scale > 1 else large


def _outline(mask: Image.Image, ink_height: float) -> Image.Image:
    """Return the ink grown by a twelfth of its height, with a soft edge."""
    radius = max(1, round(ink_height / 12))
    grown = mask
    for _ in range(radius):
        grown = grown.filter(ImageFilter.MaxFilter(3))
    return grown.filter(ImageFilter.GaussianBlur(max(0.4, radius * 0.3))).point(
        lambda value: min(255, round(value * 1.35))
    )
