"""The font that labels are drawn with, and what its glyphs measure."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from labeling.errors import LabelingError

_REFERENCE = 1000
_UNASSIGNED = "\U0010fffe"

FLAT = 0.6
"""Ideographs whose ink is lower than this part of the em (一, 二 …) are flat by design and do not set the size."""


_FOLDER = Path(__file__).with_name("font")
_MAIN, _EUROPEAN = "aigc-label-bold.otf", "aigc-label-europe-bold.ttf"
"""The shipped fonts: one with the Chinese characters, and one with all letters of the European Union's languages."""


@lru_cache(maxsize=4)
def shipped(name: str = _MAIN) -> bytes:
    """Return the file of a shipped font."""
    return (_FOLDER / name).read_bytes()


@lru_cache(maxsize=64)
def suited(text: str) -> bytes | None:
    """Return the shipped font for a text: ``None``, the main one, unless only the other one has its letters."""
    if not _lacking(text, None) or _lacking(text, shipped(_EUROPEAN)):
        return None
    return shipped(_EUROPEAN)


@lru_cache(maxsize=32)
def face(font: bytes | None, size: int) -> ImageFont.FreeTypeFont:
    """Load a font at ``size`` pixels per em; ``None`` is ours.

    Raises :class:`LabelingError` if it cannot be used, and :class:`MemoryError` where FreeType lacks memory.
    """
    try:
        return ImageFont.truetype(io.BytesIO(font or shipped()), size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ValueError) as error:
        if str(error) == "out of memory":  # FreeType's words
            raise MemoryError from error
        raise LabelingError(f"`font` cannot be used ({error})", hint="give a TrueType or OpenType file") from error


def require_glyphs(text: str, font: bytes | None) -> None:
    """Raise :class:`LabelingError` for the first character without a glyph, so that no empty box is ever drawn."""
    if missing := _lacking(text, font):
        raise LabelingError(
            f"the font has no glyph for {missing!r} (U+{ord(missing):04X})",
            hint="leave it out or give a `font` that has it",
        )


def _lacking(text: str, font: bytes | None) -> str:
    """Return the first character of a text for which a font has no glyph, or ``""``."""
    drawer = face(font, 64)
    missing = _signature(drawer, _UNASSIGNED)
    lacking = (each for each in text if not each.isspace() and _signature(drawer, each) == missing)
    return next(lacking, "")


@lru_cache(maxsize=256)
def has(character: str) -> bool:
    """Return whether our font has the ideograph."""
    drawer = face(None, 64)
    return character >= "\u3400" and _signature(drawer, character) != _signature(drawer, _UNASSIGNED)


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
