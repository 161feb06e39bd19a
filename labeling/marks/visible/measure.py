"""Measure how high the text of a label is, and its contrast with what is under it.

OCR has found what is written. So the generation element (生成, 合成), drawn in our own font, is matched with the
picture in many sizes: the size that correlates best is the size of the text. Plates, outlines and busy pictures do not
disturb that, while they disturb every measure of where ink begins and ends. Where that is not clear (a brush typeface,
strokes that hardly differ from a busy ground), the whole text is matched, in sizes near those that its box suggests.

The height is that of the em box, the size that the text was set in. An ideograph is as wide as the em box, so that a
pair gives it directly, and a text that has ideographs is measured by them. Letters differ from font to font: the em box
of a text that has nothing else follows from both their height and their width by the usual proportions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from labeling.marks.visible import contrast as wcag
from labeling.marks.visible import font as fonts
from labeling.marks.visible.lines import Line, Turn, crop
from labeling.marks.visible.ranks import percentile

EM = 1.06
"""Height of the em box against the ink of a line of ideographs (0.92 to 0.96 em in Noto): the standard's "height" is
taken to be the rendered box."""

CAPITAL = 0.71
"""Height of capitals in em: 0.68 to 0.74 in the usual fonts."""

LETTERS, WIDTH, BY_WIDTH = 0.995, 0.91, 0.7
"""Letters: the em box against that of our font where they are as high and as wide as in the usual fonts, which are
0.87 to 0.98 as wide as our bold one; and the weight of the width against that of the height."""

STRETCHES = (0.8, 0.84, 0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.13, 1.18)
"""Widths of letters that are tried, against those of our font."""

TALL = 40
"""Height in pixels to which the line's box is scaled, without its padding; the text in it is then about 28 high."""

STEP = 1.045
SIZES = tuple(round(17 * STEP**n, 2) for n in range(26))
"""Sizes tried, in pixels per em: 0.43 to 1.28 of the box, since one detector draws it wide and the other one close."""

CLEAR = 0.72
"""Correlation below which outlined and thin strokes are tried as well."""

SURE = 0.42
"""Correlation below which the fit of turned or stacked text is rejected."""

_BY_WIDTH, _BY_HEIGHT, _BY_HEIGHT_OF_LETTERS = 0.93, 0.78, 0.95
"""The size of the text against that at which it would fill the width of its box, and against the height of the box."""

LONGEST = 8
"""Characters before the element with which it is matched."""

_DEVIATION = 0.5
"""What a size loses of its correlation for the square of the logarithm of its ratio to a size that the box suggests."""

_KNOWN = "生成合创作绘制画即梦可灵海螺豆包"
"""Ideographs of generation elements and brand marks, which our font has and which fill the em box."""

_FIRST_WIDE = "\u2e80"
"""The first character of the scripts whose characters are as wide as the em box."""

_RIM = 0.06
"""How wide the rim around the strokes is that counts as their ground, of the height of the text."""

_PAD = 0.3
_BESIDE = 5
_DRAWN = 160
_MARGIN = 0.12


@dataclass(frozen=True, slots=True)
class Measure:
    """How high the em box of a text is in pixels (float), by what, and its contrast by WCAG 2 (1..21).

    ``ink`` is what was measured, in pixels: ideographs or, in a text of ``letters``, a capital. ``sure`` is false where
    the size of letters was taken from the usual proportions, or the ideographs hardly showed.
    """

    em: float
    ink: float
    letters: bool
    contrast: float
    sure: bool = False


def measure(pixels: NDArray[np.uint8], line: Line, element: str, others: Sequence[NDArray[np.uint8]] = ()) -> Measure:
    """Measure a line on a picture, (H, W, 3) uint8. ``element`` is its generation element as written.

    ``others`` are the same picture over other grounds, if it is transparent. The size is measured in ``pixels``; the
    contrast is the worst on any ground.
    """
    upright, *beneath = (crop(each, line, _PAD) for each in (pixels, *others))
    ideographs = "".join(c for c in element if c in _KNOWN)
    if not line.turn:
        fit = _found(upright, line, ideographs, element)
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
    if fit.fit.score >= SURE or (not line.turn and fit.fit.score > 0):
        best = fit.measured()
        contrasts = [best.contrast, *(_contrast(each, fit.fit, fit.size) for each in beneath)]
    else:
        best = _by_rows(upright, line.thickness, letters=not ideographs)
        rows = (_by_rows(each, line.thickness, letters=not ideographs) for each in beneath)
        contrasts = [best.contrast, *(each.contrast for each in rows)]
    return replace(best, contrast=min(contrasts))


def likeness(pixels: NDArray[np.uint8], line: Line, text: str) -> float:
    """Return how well a horizontal line on a picture, (H, W, 3) uint8, shows a text as we draw it: a correlation."""
    return _fitted(crop(pixels, line, _PAD), line.thickness, (text,)).fit.score


def _score(fitted: _Fitted) -> float:
    return fitted.fit.score


def _found(region: NDArray[np.uint8], line: Line, ideographs: str, element: str) -> _Fitted:
    """Find the size of a line that runs from left to right: by its element, or else by all of it and by its box."""
    image, size = _prepared(region, line.thickness)
    if ideographs:
        fit = _best(image, (ideographs,), (_BY_HEIGHT * TALL,))
        if fit.sure:
            return _Fitted(region, size, fit)
    left, _, right, _ = fonts.face(fonts.suited(line.text), _DRAWN).getbbox(line.text)
    wide = line.width * TALL / line.thickness * _DRAWN / max(1, right - left)
    fits = []
    if ideographs:
        guess = _BY_WIDTH * wide, _BY_HEIGHT * TALL
        fits = [_scan(image, piece, _Look.OUTLINED, 1.0, guess) for piece in _wholes(line.text, ideographs)]
    else:
        guess = _BY_WIDTH * wide, _BY_HEIGHT_OF_LETTERS * TALL
        for look in (_Look.PLAIN, _Look.OUTLINED):
            fits += [_scan(image, element, look, stretch, guess) for stretch in STRETCHES]
    return _Fitted(region, size, max(fits, key=lambda fit: fit.likely))


def _wholes(text: str, ideographs: str) -> tuple[str, ...]:
    """Return the ideographs with the text before them, as it may be set: OCR drops blanks."""
    before, _, _ = "".join(text.split()).upper().partition(ideographs)
    start = len(before)
    while max(0, len(before) - LONGEST) < start and (before[start - 1] in "AI" or fonts.has(before[start - 1])):
        start -= 1
    whole = before[start:] + ideographs
    return (whole, f"{before[start:]} {ideographs}") if before.endswith("AI") else (whole,)


def _fitted(region: NDArray[np.uint8], thickness: float, pieces: tuple[str, ...]) -> _Fitted:
    """Find the size at which one of the pieces fits best on a region whose text runs from left to right."""
    image, size = _prepared(region, thickness)
    return _Fitted(region, size, _best(image, pieces))


def _prepared(region: NDArray[np.uint8], thickness: float) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Return a region in the size that templates have, without what is larger than text; and its width and height."""
    import cv2

    scale = TALL / thickness
    size = max(8, round(region.shape[1] * scale)), max(8, round(region.shape[0] * scale))
    gray: NDArray[np.float32] = np.sqrt(wcag.luminance(region))  # closer to perceived brightness
    image: Any = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    # Text may touch the border.
    image = cv2.copyMakeBorder(image, _BESIDE, _BESIDE, _BESIDE, _BESIDE, cv2.BORDER_REPLICATE)
    image -= cv2.GaussianBlur(image, (0, 0), 0.4 * TALL)
    return image, size


def _best(image: NDArray[np.float32], pieces: tuple[str, ...], guesses: Sequence[float] = ()) -> _Fit:
    """Return the fit of the piece and look that correlates best."""
    best = _Fit()
    for look in _Look:
        for piece in pieces:
            # Letters differ in width from font to font, ideographs do not.
            for stretch in (1.0,) if piece[0] in _KNOWN else (0.86, 0.93, 1.0, 1.08):
                best = max(best, _scan(image, piece, look, stretch, guesses), key=lambda fit: fit.likely)
        if best.score >= CLEAR:
            break
    return best


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A fit on a region that was scaled to ``size`` for it."""

    region: NDArray[np.uint8]
    size: tuple[int, int]
    fit: _Fit

    def measured(self) -> Measure:
        em = self.fit.em * self.region.shape[0] / self.size[1]
        letters = not any(character >= _FIRST_WIDE for character in self.fit.text)
        if letters:
            em *= LETTERS * (self.fit.stretch / WIDTH) ** BY_WIDTH
        ink, sure = (em * CAPITAL, False) if letters else (em / EM, self.fit.sure)
        return Measure(em, ink, letters, _contrast(self.region, self.fit, self.size), sure)


class _Look(StrEnum):
    """Kinds of templates: bold strokes, bold strokes with a rim of the opposite colour, thin strokes with a rim."""

    PLAIN = "plain"
    OUTLINED = "outlined"
    THIN = "thin"


_SURE_LOOKS = {_Look.PLAIN: 0.55, _Look.OUTLINED: 0.42, _Look.THIN: 0.42}
"""Correlation from which a pair of ideographs was found without a doubt, by look."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """The best match of a template: its size in pixels per em, its place, and whether the text is the brighter.

    ``likely`` is the score less what speaks against the size.
    """

    score: float = 0.0
    em: float = 0.0
    left: int = 0
    top: int = 0
    bright: bool = True
    text: str = ""
    stretch: float = 1.0
    look: _Look = _Look.PLAIN
    likely: float = -1.0

    @property
    def sure(self) -> bool:
        return self.score >= _SURE_LOOKS[self.look]


def _scan(image: NDArray[np.float32], text: str, look: _Look, stretch: float, guesses: Sequence[float] = ()) -> _Fit:
    """Match a template with the picture in all sizes and return the best fit, near the guesses if there are any."""
    import cv2

    fits = []
    for em in SIZES:
        template = _template(text, look, stretch, em)
        if template.shape[0] > image.shape[0] or template.shape[1] > image.shape[1]:
            break
        low, high, at_low, at_high = cv2.minMaxLoc(cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED))
        # Dark text correlates negatively.
        spot, bright = (at_high, True) if high >= -low else (at_low, False)
        score = max(high, -low)
        likely = score - sum(_DEVIATION * math.log(em / guess) ** 2 for guess in guesses)
        fits.append(_Fit(score, em, int(spot[0]), int(spot[1]), bright, text, stretch, look, likely))
    if not fits:
        return _Fit()
    best = max(range(len(fits)), key=lambda index: fits[index].likely)
    if 0 < best < len(fits) - 1:
        before, here, after = (fit.likely for fit in fits[best - 1 : best + 2])
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
    ink = float(percentile(part[strokes], 65 if fit.bright else 35))
    # An outline sets the ink off from whatever is further away.
    grounds = [part[ring], part[rim]] if rim.sum() >= 8 else [part[ring]]
    return max(wcag.contrast(ink, float(percentile(ground, 50))) for ground in grounds)


def _by_rows(region: NDArray[np.uint8], thickness: float, *, letters: bool) -> Measure:
    """Measure the rows that hold ink, where no template fits: ink is what differs from the rows above and below."""
    pad = max(2, round(_PAD * 0.6 * thickness))
    linear = wcag.luminance(region)
    values = np.sqrt(linear)
    if values.shape[0] < 4 * pad or values.shape[1] < 4:
        return _rows(thickness / 1.4, 1.0, letters=letters)
    above, below = (_smooth(percentile(rows, 50)) for rows in (values[:pad], values[-pad:]))
    weight = np.linspace(0, 1, values.shape[0])[:, None]
    relief = values - (above * (1 - weight) + below * weight)
    inner = relief[pad:-pad]
    bright, dark = percentile(inner.ravel(), 96), percentile(inner.ravel(), 4)
    ink = relief > bright / 2 if bright >= -dark else relief < dark / 2
    share = ink.mean(axis=1)
    inside = np.flatnonzero(share > 0.22 * share[pad:-pad].max())
    if not inside.size or not ink.any() or ink.all():
        return _rows(thickness / 1.4, 1.0, letters=letters)
    ratio = wcag.contrast(float(percentile(linear[ink], 50)), float(percentile(linear[~ink], 50)))
    return _rows(float(inside[-1] - inside[0] + 1), ratio, letters=letters)


def _rows(ink: float, contrast: float, *, letters: bool) -> Measure:
    """Return the measure of rows with ink: those of ideographs, or of capitals."""
    return Measure(ink / CAPITAL if letters else ink * EM, ink, letters, contrast)


def _smooth(row: NDArray[np.float32]) -> NDArray[np.float32]:
    window = max(3, row.size // 16) | 1
    padded = np.pad(row, window // 2, mode="edge")
    result: NDArray[np.float32] = np.convolve(padded, np.full(window, 1 / window, np.float32), "valid")
    return result
