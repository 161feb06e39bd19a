"""The font that labels are drawn with, and what its glyphs measure."""

from __future__ import annotations

import io
from functools import lru_cache
from importlib import resources

from PIL import ImageFont

from labeling.errors import LabelingError

_REFERENCE = 1000
_UNASSIGNED = "\U0010fffe"

FLAT = 0.6
"""Ideographs whose ink is lower than this part of the em (一, 二 …) are flat by design and do not set the size."""


@lru_cache(maxsize=4)
def shipped() -> bytes:
    """Return the file of the shipped font."""
    return (resources.files("labeling.marks.visible") / "font" / "aigc-label-bold.otf").read_bytes()


@lru_cache(maxsize=32)
def face(font: bytes | None, size: int) -> ImageFont.FreeTypeFont:
    """Load a font at ``size`` pixels per em; ``None`` is ours. Raises :class:`LabelingError` if it cannot be used."""
    try:
        return ImageFont.truetype(io.BytesIO(font or shipped()), size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ValueError) as error:
        raise LabelingError(f"`font` cannot be used ({error})", hint="give a TrueType or OpenType file") from error


def require_glyphs(text: str, font: bytes | None) -> None:
    """Raise :class:`LabelingError` for the first character without a glyph, so that no empty box is ever drawn."""
    drawer = face(font, 64)
    missing = _signature(drawer, _UNASSIGNED)
    for character in text:
        if not character.isspace() and _signature(drawer, character) == missing:
            raise LabelingError(
                f"the font has no glyph for {character!r} (U+{ord(character):04X})",
                hint="leave it out or give a `font` that has it",
            )


def _signature(drawer: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = drawer.getmask(character)
    return mask.size, bytes(mask)


@lru_cache(maxsize=64)
def unit_height(text: str, font: bytes | None) -> float:
    """Return the height, in em, of the ink that counts as the text's height.

    It is that of the smallest ideograph that is not flat by design or, in a text without ideographs, of the lowest
    capital or digit. GB 45438-2025 5.2 does not say whether "height" means the em box or the ink: the ink is the safe
    reading.
    """
    heights = {c: _ink(c, font) for c in text}
    ideographs = [h for c, h in heights.items() if "\u3400" <= c <= "\u9fff" and h >= FLAT]
    capitals = [h for c, h in heights.items() if (c.isupper() or c.isdigit()) and h]
    return min(ideographs or capitals or [h for h in heights.values() if h] or [FLAT])


def _ink(character: str, font: bytes | None) -> float:
    _, top, _, bottom = face(font, _REFERENCE).getbbox(character)
    return (bottom - top) / _REFERENCE
