"""Measure how high the text of a label is, and its contrast with what is around it.

OCR has found what is written. So the generation element (生成, 合成), drawn in our own font, is matched with the
picture in many sizes: the size that correlates best is the size of the text. Plates, outlines and busy pictures do not
disturb that, while they disturb every measure of where ink begins and ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from labeling.marks.visible import contrast as wcag
from labeling.marks.visible import font as fonts
from labeling.marks.visible.lines import Line, Turn, crop

EM = 1.06
"""Height of the em box against the ink of a line of ideographs (0.92 to 0.96 em in Noto): the standard's "height" is
taken to be the rendered box."""

TALL = 40
"""Height in pixels to which the line's box is scaled, without its padding; the text in it is then about 28 high."""

STEP = 1.045
SIZES = tuple(round(17 * STEP**n, 2) for n in range(26))
"""Sizes tried, in pixels per em: 0.43 to 1.28 of the box, since one detector draws it wide and the other one close."""

CLEAR = 0.72
"""Correlation below which outlined and thin strokes are tried as well."""

SURE = 0.42
"""Correlation below which a fit is rejected."""

_KNOWN = "生成合创作绘制画即梦可灵海螺豆包"
"""Ideographs of generation elements and brand marks, which our font has and which fill the em box."""

REDUCED = 48
"""Pixels to which the shorter side of what is under a label is reduced for comparing frames."""

_SAME = 0.75
"""Correlation above which two frames show the same text."""

_RIM = 0.06
"""How wide the rim around the strokes is that counts as their ground, of the height of the text."""

_PAD = 0.3
_BESIDE = 5
_DRAWN = 160
_MARGIN = 0.12


@dataclass(frozen=True, slots=True)
class Measure:
    """Height of the ideographs' ink in pixels (float), and contrast by WCAG 2 (1..21)."""

    ink: float
    contrast: float


def measure(pixels: NDArray[np.uint8], line: Line, element: str, others: Sequence[NDArray[np.uint8]] = ()) -> Measure:
    """Measure a line on a picture, (H, W, 3) uint8. ``element`` is its generation element as written.

    ``others`` are the same picture over other grounds, if it is transparent. The size is measured in ``pixels``; the
    contrast is the worst on any ground.
    """
    upright, *beneath = (crop(each, line, _PAD) for each in (pixels, *others))
    ideographs = "".join(c for c in element if c in _KNOWN)
    if not line.turn:
        fit = _fitted(upright, line.thickness, (ideographs or element,))
    else:
        # OCR reads stacked text lying on its side as well, so that its word on the direction is not final.
        quarters = -1 if line.turn is Turn.UP else 1
        turned = np.rot90(upright, quarters)
        fit = _fitted(turned, line.thickness, (ideographs or element,))
        if ideographs and fit.fit.score < CLEAR:
            fit = max(fit, _fitted(upright, line.thickness, tuple(dict.fromkeys(ideographs))), key=_score)
        if fit.region is not upright:
            beneath = [np.rot90(each, quarters) for each in beneath]
        upright = turned
    if fit.fit.score >= SURE:
        best = fit.measured()
        contrasts = [best.contrast, *(_contrast(each, fit.fit, fit.size) for each in beneath)]
    else:
        best = _by_rows(upright, line.thickness)
        contrasts = [best.contrast, *(_by_rows(each, line.thickness).contrast for each in beneath)]
    return replace(best, contrast=min(contrasts))


def likeness(pixels: NDArray[np.uint8], line: Line, text: str) -> float:
    """Return how well a horizontal line on a picture, (H, W, 3) uint8, shows a text as we draw it: a correlation."""
    return _fitted(crop(pixels, line, _PAD), line.thickness, (text,)).fit.score


def _score(fitted: _Fitted) -> float:
    return fitted.fit.score


def _fitted(region: NDArray[np.uint8], thickness: float, pieces: tuple[str, ...]) -> _Fitted:
    """Find the size at which one of the pieces fits best on a region whose text runs from left to right."""
    import cv2

    scale = TALL / thickness
    size = max(8, round(region.shape[1] * scale)), max(8, round(region.shape[0] * scale))
    gray: NDArray[np.float32] = np.sqrt(wcag.luminance(region))  # closer to perceived brightness
    image: Any = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    # Text may touch the border.
    image = cv2.copyMakeBorder(image, _BESIDE, _BESIDE, _BESIDE, _BESIDE, cv2.BORDER_REPLICATE)
    image -= cv2.GaussianBlur(image, (0, 0), 0.4 * TALL)
    best = _Fit()
    for look in _Look:
        for piece in pieces:
            # Letters differ in width from font to font, ideographs do not.
            for stretch in (1.0,) if piece[0] in _KNOWN else (0.86, 0.93, 1.0, 1.08):
                best = max(best, _scan(image, piece, look, stretch), key=lambda fit: fit.score)
        if best.score >= CLEAR:
            break
    return _Fitted(region, size, best)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A fit on a region that was scaled to ``size`` for it."""

    region: NDArray[np.uint8]
    size: tuple[int, int]
    fit: _Fit

    def measured(self) -> Measure:
        unit = 1 / EM if self.fit.text[0] in _KNOWN else fonts.unit_height("AI", None)
        em = self.fit.em * self.region.shape[0] / self.size[1]
        return Measure(em * unit, _contrast(self.region, self.fit, self.size))


class _Look(StrEnum):
    """Kinds of templates: bold strokes, bold strokes with a rim of the opposite colour, thin strokes with a rim."""

    PLAIN = "plain"
    OUTLINED = "outlined"
    THIN = "thin"


@dataclass(frozen=True, slots=True)
class _Fit:
    """The best match of a template: its size in pixels per em, its place, and whether the text is the brighter."""

    score: float = 0.0
    em: float = 0.0
    left: int = 0
    top: int = 0
    bright: bool = True
    text: str = ""
    stretch: float = 1.0


def _scan(image: NDArray[np.float32], text: str, look: _Look, stretch: float) -> _Fit:
    """Match a template with the picture in all sizes and return the best fit."""
    import cv2

    fits = []
    for em in SIZES:
        template = _template(text, look, stretch, em)
        if template.shape[0] > image.shape[0] or template.shape[1] > image.shape[1]:
            break
        low, high, at_low, at_high = cv2.minMaxLoc(cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED))
        # Dark text correlates negatively.
        spot, bright = (at_high, True) if high >= -low else (at_low, False)
        fits.append(_Fit(max(high, -low), em, int(spot[0]), int(spot[1]), bright, text, stretch))
    if not fits:
        return _Fit()
    best = max(range(len(fits)), key=lambda index: fits[index].score)
    if 0 < best < len(fits) - 1:
        before, here, after = (fit.score for fit in fits[best - 1 : best + 2])
        bend = before - 2 * here + after
        if bend < 0:  # the vertex of the parabola through the three
            return replace(fits[best], em=fits[best].em * STEP ** (0.5 * (before - after) / bend))
    return fits[best]


@lru_cache(maxsize=16)
def _drawn(text: str, look: _Look) -> NDArray[np.float32]:
    """Draw the text at a large size: 1 on its strokes, 0 on the ground, -1 on the rim; with a margin."""
    import cv2

    drawer = fonts.face(fonts.suited(text), _DRAWN)
    left, top, right, bottom = drawer.getbbox(text)
    margin = round(_MARGIN * _DRAWN)
    image = Image.new("L", (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, fill=255, font=drawer)
    mask: Any = np.asarray(image, np.float32) / 255
    if look is _Look.PLAIN:
        return cast("NDArray[np.float32]", mask)
    if look is _Look.THIN:
        mask = cv2.erode(mask, np.ones((7, 7), np.uint8))
    rim = 2 * round(_DRAWN / 13) + 1
    result: NDArray[np.float32] = 2 * mask - cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim)))
    return result


@lru_cache(maxsize=512)
def _template(text: str, look: _Look, stretch: float, em: float) -> NDArray[np.float32]:
    import cv2

    drawn = _drawn(text, look)
    size = round(drawn.shape[1] * stretch * em / _DRAWN), round(drawn.shape[0] * em / _DRAWN)
    reduced = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    result: NDArray[np.float32] = cv2.GaussianBlur(reduced, (0, 0), 0.5).astype(np.float32)
    return result


def _contrast(region: NDArray[np.uint8], fit: _Fit, size: tuple[int, int]) -> float:
    """Return the contrast of the strokes with the ring around them, in the picture's own pixels."""
    import cv2

    fx, fy = region.shape[1] / size[0], region.shape[0] / size[1]
    size_tried = min(SIZES, key=lambda em: abs(em - fit.em))
    mask = _template(fit.text, _Look.PLAIN, fit.stretch, size_tried)
    wide, high = max(1, round(mask.shape[1] * fx)), max(1, round(mask.shape[0] * fy))
    left, top = max(0, round((fit.left - _BESIDE) * fx)), max(0, round((fit.top - _BESIDE) * fy))
    part = wcag.luminance(region[top : top + high, left : left + wide])
    cover = cv2.resize(mask, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR)
    strokes = cover > 0.6
    ink_and_edge = (cover > 0.25).astype(np.uint8)
    ring = cv2.dilate(ink_and_edge, np.ones((3, 3), np.uint8)) == 0
    if strokes.sum() < 8 or ring.sum() < 8:
        return 1.0
    reach = 2 * max(1, round(part.shape[0] * _RIM)) + 1
    rim = (cv2.dilate(ink_and_edge, np.ones((reach, reach), np.uint8)) == 1) & (cover < 0.1)
    # Our strokes are bold: of thinner ones only the pixels nearer to the ink count.
    ink = float(np.percentile(part[strokes], 65 if fit.bright else 35))
    # An outline sets the ink off from whatever is further away.
    grounds = [part[ring], part[rim]] if rim.sum() >= 8 else [part[ring]]
    return max(wcag.contrast(ink, float(np.median(ground))) for ground in grounds)


def _by_rows(region: NDArray[np.uint8], thickness: float) -> Measure:
    """Measure the rows that hold ink, where no template fits: ink is what differs from the rows above and below."""
    pad = max(2, round(_PAD * 0.6 * thickness))
    linear = wcag.luminance(region)
    values = np.sqrt(linear)
    if values.shape[0] < 4 * pad or values.shape[1] < 4:
        return Measure(thickness / 1.4, 1.0)
    above, below = (_smooth(np.median(rows, axis=0)) for rows in (values[:pad], values[-pad:]))
    weight = np.linspace(0, 1, values.shape[0])[:, None]
    relief = values - (above * (1 - weight) + below * weight)
    inner = relief[pad:-pad]
    bright, dark = np.percentile(inner, 96), np.percentile(inner, 4)
    ink = relief > bright / 2 if bright >= -dark else relief < dark / 2
    share = ink.mean(axis=1)
    inside = np.flatnonzero(share > 0.22 * share[pad:-pad].max())
    if not inside.size or not ink.any() or ink.all():
        return Measure(thickness / 1.4, 1.0)
    ratio = wcag.contrast(float(np.median(linear[ink])), float(np.median(linear[~ink])))
    return Measure(float(inside[-1] - inside[0] + 1), ratio)


def _smooth(row: NDArray[np.float32]) -> NDArray[np.float32]:
    window = max(3, row.size // 16) | 1
    padded = np.pad(row, window // 2, mode="edge")
    result: NDArray[np.float32] = np.convolve(padded, np.full(window, 1 / window, np.float32), "valid")
    return result


def kept(first: NDArray[np.uint8], later: NDArray[np.uint8], box: Sequence[int]) -> bool:
    """Return whether a box of one frame still shows the same text in another, without OCR.

    Fine detail is compared, so that a change of the ground does not count.

    Args:
        first: The frame with the text, (H, W, 3) uint8.
        later: The other frame, of the same size.
        box: (left, top, right, bottom) in pixels.

    Returns:
        ``False`` means that OCR must read the later frame.
    """
    if first.shape != later.shape:
        return False
    left, top, right, bottom = box
    one, other = (np.sqrt(wcag.luminance(frame[top:bottom, left:right])) for frame in (first, later))
    return same_text(_fine(one), _fine(other))


def text_detail(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the fine detail of what is under a label in one frame, for :func:`same_text`.

    Args:
        luma: What is under the label, (H, W) uint8, not empty.

    Returns:
        (h, w) float32: its shorter side is reduced to :data:`REDUCED` pixels.
    """
    import cv2

    scale = REDUCED / min(luma.shape)
    if scale < 1:
        luma = np.asarray(cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return _fine(_gray_values()[luma])


def same_text(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Return whether two details, as :func:`text_detail` gives them, show the same text; ``False`` is for OCR."""
    if one.shape != other.shape:
        return False
    one, other = one.ravel(), other.ravel()
    strength = float(np.linalg.norm(one) * np.linalg.norm(other))
    return strength > 0 and float(one @ other) > _SAME * strength


@cache
def _gray_values() -> NDArray[np.float32]:
    """Return the root of the luminance of each gray."""
    values: NDArray[np.float32] = np.sqrt(wcag.luminance(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)))
    return values


def _fine(values: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    return np.asarray(values - cv2.GaussianBlur(values, (0, 0), max(1.0, 0.25 * values.shape[0])), np.float32)
