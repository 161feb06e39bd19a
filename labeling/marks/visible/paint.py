"""Draw the label: ink alone if it is legible on the picture, else on a plate or with an outline.

The look depends on the darkest and the lightest colour under the label in any frame, so that the contrast is at least
4.5 : 1 on every picture and an animation keeps one look.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.dither import is_dithered
from labeling.errors import LabelingError
from labeling.findings import Finding, Signature, Status
from labeling.marks.visible import contrast as wcag
from labeling.marks.visible import font as fonts
from labeling.marks.visible import icon as icons
from labeling.marks.visible.drawing import BLACK, Color, Look, drawn
from labeling.marks.visible.layout import Layout, plan
from labeling.marks.wording import judge
from labeling.options.style import Style

WHITE = (255, 255, 255)
PLATE_ALPHA = 0.62
"""Opacity of the usual plate: white on it has a contrast of more than 5.2 : 1 even on a white picture."""

IN_THE_DARK = 0.4
"""Luminances of the darkest and the lightest colour under the label: where their sum is less, white ink comes first."""

Looks = tuple[tuple[Look, ...], tuple[Look, ...]]


class LabelPainter:
    """Draws one style of label on any picture. Safe to share between threads.

    ``languages`` are those in which the profile accepts the wording. Raises :class:`LabelingError` at once if the
    wording lacks an element, a glyph is missing, or the font or logo cannot be used.
    """

    def __init__(self, style: Style | None = None, *, languages: tuple[str, ...] = ("zh",)) -> None:
        style = style or Style()
        self.style = replace(style, font=fonts.suited(style.text)) if style.font is None else style
        self.languages = languages
        said = judge(self.style.text, languages)
        if not said.complies:
            raise LabelingError(
                f"{self.style.text!r} lacks an AI element (人工智能 or AI) or a generation element (生成 or 合成) "
                "(GB 45438-2025 5.2)",
                hint="change `text`",
            )
        fonts.require_glyphs(self.style.text, self.style.font)
        icons.picture_of(self.style)
        self._said_in = sorted(said.languages)
        self._looks = _looks(self.style)
        self._measured = threading.local()

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the box (left, top, right, bottom), in pixels, that is painted on a displayed picture of this size.

        Raises :class:`LabelingError` if nothing legible fits.
        """
        layout = plan(self.style, self.languages, width, height)
        self._measured.layout = layout
        return layout.box

    def paint(self, backdrops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Paint over the box's content in every frame, each (H, W, 3) uint8: one (H, W, 4) RGBA overlay for all.

        The overlay is shared between calls and must not be written to.
        """
        layout: Layout = self._measured.layout
        look, ratio = _chosen(self._looks, backdrops)
        if look.plate or look.outline:
            dots = any(is_dithered(backdrop) for backdrop in backdrops)
            self._measured.dots = dots or getattr(self._measured, "dots", False)
            if dots and look.plate:
                look, ratio = _solid(look)  # dots that shine through are as unquiet as those around
        self._measured.contrast = ratio
        return drawn(self.style, layout, look)

    def finding(self, box: tuple[int, int, int, int], width: int, height: int) -> Finding:
        """Return the finding on what this thread painted last: text, box, height ratio and contrast."""
        layout: Layout = self._measured.layout
        value: dict[str, Any] = {
            "text": ("" if any(c >= "\u3400" for c in self.style.text) else " ").join(layout.lines),
            "box": list(box),
            "height_ratio": round(layout.ink_height / min(width, height), 4),
            "contrast": round(self._measured.contrast, 2),
            "position": self.style.position,
            "languages": [*self._said_in],
        }
        return Finding("visible", Status.PRESENT, self.style.position, value, Signature.NONE)

    def was_on_dots(self) -> bool:
        """Return whether anything that this thread painted since the last call lies on a dithered picture.

        OCR may not find it there.
        """
        dots: bool = getattr(self._measured, "dots", False)
        self._measured.dots = False
        return dots


def check_asset(kind: str, data: bytes) -> None:
    """Raise :class:`LabelingError` if a "font", "logo" or "icon" file's bytes cannot be used."""
    if kind == "font":
        fonts.face(data, 16)
    else:
        icons.opened(data, kind)


def _chosen(looks: Looks, backdrops: Sequence[NDArray[np.uint8]]) -> tuple[Look, float]:
    """Choose a look by bounds of all pixels and, only if a plainer look may suffice, by every pixel."""
    look, ratio = _choose(looks, *wcag.bounds(backdrops))
    if look.plate or look.outline or ratio < wcag.AIM:
        plainer, _ = _choose(looks, *wcag.apart(backdrops))
        if plainer != look:
            look, ratio = _choose(looks, *wcag.extremes(backdrops))
    return look, ratio


def _solid(look: Look) -> tuple[Look, float]:
    """Return a look with nothing shining through its plate, and the contrast."""
    solid = replace(look, opacity=1.0, plate=1.0)
    return solid, wcag.contrast(wcag.luminance_of(solid.ink), wcag.luminance_of(solid.ground))


def _choose(looks: Looks, dark: Color, light: Color) -> tuple[Look, float]:
    """Return the plainest look with enough contrast, and that contrast. The last look is safe on any picture."""
    best: tuple[Look, float] | None = None
    bare = wcag.luminance_of(dark), wcag.luminance_of(light)
    for look in looks[sum(bare) < IN_THE_DARK]:
        grounds, under = (dark, light), bare
        if cover := look.plate or look.outline:
            grounds = wcag.over(look.ground, cover, dark), wcag.over(look.ground, cover, light)
            under = wcag.luminance_of(grounds[0]), wcag.luminance_of(grounds[1])
        ratio = wcag.worst(look.ink, look.opacity, grounds, under)
        if ratio >= wcag.AIM:
            return look, ratio
        if best is None or ratio > best[1]:
            best = look, ratio
    assert best is not None
    return best


def _looks(style: Style) -> Looks:
    """Return the looks of a style on bright ground and on dark ground, the plainest first."""
    return _looks_on(style, [BLACK, WHITE]), _looks_on(style, [WHITE, BLACK])


def _looks_on(style: Style, inks: list[Color]) -> tuple[Look, ...]:
    inks = [style.ink] if style.ink else inks
    looks: list[Look] = []
    for opacity in dict.fromkeys((style.opacity, 1.0)):
        if style.plate != "on":
            looks += [Look(ink, opacity) for ink in inks]
        # On a plate white reads best; a chosen colour gets the ground that contrasts more with it.
        ink = style.ink or WHITE
        bright = wcag.luminance_of(ink)
        ground = BLACK if wcag.contrast(bright, 0) >= wcag.contrast(bright, 1) else WHITE
        if style.plate == "off":
            looks += [Look(ink, opacity, ground, outline=1.0)]
        else:
            looks += [Look(ink, opacity, ground, plate=alpha) for alpha in (PLATE_ALPHA, 0.75, 0.88, 1.0)]
    return tuple(looks)
