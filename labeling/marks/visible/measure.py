"""How high the text of a label is, and how well it stands out from what is around it.

OCR has said what is written, so the height is found by laying the generation element (生成, 合成), drawn in our own font,
over the picture in many sizes: the size that correlates best is the size of the text. Plates, outlines and busy
pictures do not disturb that, as they disturb every measure of where ink begins and ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from labeling.marks.visible import contrast as wcag
from labeling.marks.visible import font as fonts
from labeling.marks.visible.lines import Line, Turn, crop

EM = 1.08
"""Height of the em box against the ink of an ideograph: the standard's "height" is taken as the rendered box."""

TALL = 40
"""The line's box is brought to so many pixels, its padding not counted; the text in it is then about 28 high."""

STEP = 1.045
SIZES = tuple(round(17 * STEP**n, 2) for n in range(20))
"""Sizes tried, in pixels per em: 0.43 to 0.98 of the box."""

SURE = 0.42
"""Below this correlation the fit is not believed."""

_PAD = 0.3
_DRAWN = 160
_MARGIN = 0.12


@dataclass(frozen=True, slots=True)
class Measure:
    """Height of the ideographs' ink in pixels (float), and contrast by WCAG 2 (1..21)."""

    ink: float
    contrast: float


def measure(pixels: NDArray[np.uint8], line: Line, element: str) -> Measure:
    """Measure a line on a picture, (H, W, 3) uint8. ``element`` is its generation element as written."""
    region = crop(pixels, line, _PAD)
    if line.turn is Turn.UP:
        region = np.rot90(region, -1)
    elif line.turn is Turn.DOWN:
        region = np.rot90(region, 1)
    text = "".join(c for c in element if "\u3400" <= c <= "\u9fff" and c in "生成合")
    if text:
        fit = _fitted(region, line.thickness, text[-1] if line.turn is Turn.STACKED else text)
        if fit is not None:
            return fit
    return _by_rows(region, line.thickness)


def _fitted(region: NDArray[np.uint8], thickness: float, text: str) -> Measure | None:
    import cv2

    scale = TALL / thickness
    size = max(8, round(region.shape[1] * scale)), max(8, round(region.shape[0] * scale))
    gray = np.sqrt(wcag.luminance(region))  # nearer to what the eye sees
    image = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    image -= cv2.GaussianBlur(image, (0, 0), 0.4 * TALL)
    scores = np.zeros(len(SIZES))
    spots: list[tuple[int, int, float]] = [(0, 0, 0.0)] * len(SIZES)
    for index, em in enumerate(SIZES):
        template = _template(text, em)
        if template.shape[0] > image.shape[0] or template.shape[1] > image.shape[1]:
            continue
        low, high, at_low, at_high = cv2.minMaxLoc(cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED))
        scores[index] = max(high, -low)
        spots[index] = (*at_high, 1.0) if high >= -low else (*at_low, -1.0)  # dark text correlates negatively
    best = int(scores.argmax())
    if scores[best] < SURE:
        return None
    em = SIZES[best] * STEP ** _peak(scores, best)
    across, down, sign = spots[best]
    em_pixels = em * region.shape[0] / size[1]
    ratio = _contrast(region, text, SIZES[best], across, down, sign, size)
    return Measure(em_pixels / EM, ratio)


def _peak(scores: NDArray[np.float64], best: int) -> float:
    """Where between its neighbours the maximum lies: the vertex of a parabola, in steps."""
    if not 0 < best < scores.size - 1 or not scores[best - 1] or not scores[best + 1]:
        return 0.0
    bend = scores[best - 1] - 2 * scores[best] + scores[best + 1]
    return float(0.5 * (scores[best - 1] - scores[best + 1]) / bend) if bend < 0 else 0.0


@lru_cache(maxsize=8)
def _drawn(text: str) -> NDArray[np.float32]:
    """Coverage 0..1 of the text at a large size, with a margin."""
    drawer = fonts.face(None, _DRAWN)
    left, top, right, bottom = drawer.getbbox(text)
    margin = round(_MARGIN * _DRAWN)
    image = Image.new("L", (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, fill=255, font=drawer)
    return np.asarray(image, np.float32) / 255


@lru_cache(maxsize=128)
def _template(text: str, em: float) -> NDArray[np.float32]:
    import cv2

    drawn = _drawn(text)
    size = round(drawn.shape[1] * em / _DRAWN), round(drawn.shape[0] * em / _DRAWN)
    reduced = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    result: NDArray[np.float32] = cv2.GaussianBlur(reduced, (0, 0), 0.5).astype(np.float32)
    return result


def _contrast(
    region: NDArray[np.uint8], text: str, em: float, across: int, down: int, sign: float, size: tuple[int, int]
) -> float:
    """Contrast of the strokes with the ring around them, in the picture's own pixels."""
    import cv2

    fx, fy = region.shape[1] / size[0], region.shape[0] / size[1]
    mask = _template(text, em)
    wide, high = max(1, round(mask.shape[1] * fx)), max(1, round(mask.shape[0] * fy))
    left, top = round(across * fx), round(down * fy)
    part = wcag.luminance(region[top : top + high, left : left + wide])
    cover = cv2.resize(mask, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR)
    strokes = cover > 0.6
    ring = cv2.dilate((cover > 0.25).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    if strokes.sum() < 8 or ring.sum() < 8:
        return 1.0
    # Our strokes are bold: of thinner ones only the pixels that lean to the ink's side count.
    ink = float(np.percentile(part[strokes], 65 if sign > 0 else 35))
    return wcag.contrast(ink, float(np.median(part[ring])))


def _by_rows(region: NDArray[np.uint8], thickness: float) -> Measure:
    """The rows that hold ink, where there is nothing to fit: what stands out from the rows above and below is ink."""
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
