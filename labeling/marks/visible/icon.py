"""The icon beside the text: the capitals "AI" in a rounded frame, drawn here, or the user's own picture.

The EU's Code of Practice leaves icons to the deployer, in black or white, each also at 50 % opacity. Ours take the ink
and the opacity of the text. They are not the official ones: *basic* is a frame, *generated* a filled one, *modified* a
frame that is half filled.
"""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from labeling.errors import LabelingError
from labeling.marks.visible import font as fonts
from labeling.options.style import Style

MAX_PIXELS = 16_000_000

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What a logo may be, by Pillow's names: other readers of Pillow start programs, such as that of EPS."""

_TALL, _TALL_LOGO = 1.72, 1.25
"""Height of an icon and of a picture, of the height of the text."""

_WIDE, _STROKE, _RADIUS, _CAPITALS = 1.24, 0.085, 0.26, 0.5
"""Width of our frame, its line and its corners, and the letters in it, of its height."""

_FINE = 4


def is_drawn(style: Style) -> bool:
    """Return whether the icon is one of ours, which is drawn in the colour of the text."""
    return isinstance(style.icon, str) and style.icon != "none"


def picture_of(style: Style) -> Image.Image | None:
    """Return the picture beside the text, if there is one: the logo, or the user's own icon.

    Raises :class:`LabelingError` as :func:`opened` does.
    """
    if isinstance(style.icon, bytes):
        return opened(style.icon, "icon")
    return None if style.logo is None else opened(style.logo)


def size_beside(style: Style, text_height: float) -> tuple[int, int]:
    """Return width and height in pixels of what stands beside a text of a height in pixels; (0, 0) for nothing."""
    if is_drawn(style):
        tall = max(6, round(text_height * _TALL))
        return round(tall * _WIDE), tall
    picture = picture_of(style)
    if picture is None:
        return 0, 0
    width, height = picture.size
    tall = max(1, round(text_height * (_TALL_LOGO if style.logo is not None else _TALL)))
    return max(1, min(round(width * tall / height), 8 * tall)), tall


@lru_cache(maxsize=4)
def opened(data: bytes, name: str = "logo") -> Image.Image:
    """Decode the picture given as a parameter to RGBA. Raises :class:`LabelingError` if it is none, or a large one."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise LabelingError(f"`{name}` has more than 16 million pixels", hint="give a smaller picture")
            return image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise LabelingError(
            f"the picture given as `{name}` cannot be read ({error})", hint="give a PNG file"
        ) from error


@lru_cache(maxsize=32)
def drawn(name: str, size: tuple[int, int]) -> Image.Image:
    """Draw one of our icons: a mask, mode L, of a size in pixels, large at first and then reduced."""
    width, height = size[0] * _FINE, size[1] * _FINE
    line, radius = max(_FINE, round(height * _STROKE)), round(height * _RADIUS)
    full = Image.new("L", (width, height))
    ImageDraw.Draw(full).rounded_rectangle((0, 0, width - 1, height - 1), radius, 255)
    hole = Image.new("L", (width, height))
    ImageDraw.Draw(hole).rounded_rectangle(
        (line, line, width - 1 - line, height - 1 - line), max(1, radius - line), 255
    )
    letters, between = _letters(width, height)
    framed = ImageChops.lighter(ImageChops.subtract(full, hole), letters)
    filled = ImageChops.subtract(full, letters)
    if name == "generated":
        framed = filled
    elif name == "modified":
        framed.paste(filled.crop((0, 0, between, height)), (0, 0))
    return framed.resize(size, Image.Resampling.BOX)


def _letters(width: int, height: int) -> tuple[Image.Image, int]:
    """Draw "AI" in the middle, and return where the space between the two letters is."""
    em = round(height * _CAPITALS / fonts.unit_height("AI", None))
    drawer = fonts.face(None, em)
    space = round(0.06 * em)
    boxes = [drawer.getbbox(letter) for letter in "AI"]
    wide = sum(right - left for left, _, right, _ in boxes) + space
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    x, between = (width - wide) / 2, 0
    for letter, (left, top, right, bottom) in zip("AI", boxes, strict=True):
        draw.text((round(x - left), round((height - (bottom - top)) / 2 - top)), letter, fill=255, font=drawer)
        x += right - left + space
        between = between or round(x - space / 2)
    return mask, between
