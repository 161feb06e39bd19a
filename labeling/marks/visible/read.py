"""Read a visible label back: OCR at the edges of the picture, then the rules on wording, size and position.

Text in the middle is part of the picture, not a label (GB 45438-2025 5.2). Nor is every sentence at an edge that speaks
of AI: see :func:`labeling.marks.visible.wording.statement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from labeling.dither import is_dithered
from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.limits import MIN_HEIGHT_RATIO
from labeling.marks.visible import contrast as wcag
from labeling.marks.visible import engine
from labeling.marks.visible.lines import NEAR, Line, at_edge, busy, columns, detected, readings
from labeling.marks.visible.measure import EM, measure
from labeling.marks.visible.wording import joins, judge, mended, statement
from labeling.rule_catalogue import defect

SMALLEST = 0.012
"""Height of a box, as a fraction of the shortest side, below which it is not read."""

MAX_READ = 24
MAX_TEXT = 60
MAX_ASPECT = 32

DOT = 1 / 270
"""Standard deviation by which a dithered picture is smoothed before it is read once more, of the shortest side."""

LEGACY_PIXELS, LEGACY_AREA = 20, 0.003
"""The 2023 guide (TC260-PG-20233A) asked for 20 pixels or 0.3 % of the area."""


def read_visible(
    pixels: NDArray[np.uint8],
    others: Sequence[NDArray[np.uint8]] = (),
    *,
    languages: tuple[str, ...] = ("zh",),
    scale: int = 1,
) -> Finding:
    """Look for a visible label on a picture.

    Args:
        pixels: The picture as displayed, (H, W, 3) uint8 sRGB.
        others: A transparent picture over other grounds, each like ``pixels``. The worst contrast of all counts.
        languages: Languages in which the profile accepts the wording.
        scale: How many pixels of the picture one of these stands for; sizes and places are reported in the picture's.

    Raises:
        MissingDependency: There is no OCR engine.
    """
    labels = [line for line in _read(pixels) if statement(line.text, languages)]
    if not labels and busy(pixels):
        labels = [line for line in _read(pixels, gray=True) if statement(line.text, languages)]
    if not labels and is_dithered(pixels):
        labels = [line for line in _read(_smoothed(pixels)) if statement(line.text, languages)]
    if not labels:
        return Finding("visible", Status.ABSENT)
    return _finding(pixels, others, max(labels, key=lambda line: line.thickness), languages, scale)


def _smoothed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Melt the dots of a dithered picture into tones, as they do for the eye; a label's strokes are wider than dots."""
    import cv2

    sigma = max(0.7, DOT * min(pixels.shape[:2]))
    return cast("NDArray[np.uint8]", cv2.GaussianBlur(pixels, (0, 0), sigma))


def _read(pixels: NDArray[np.uint8], *, gray: bool = False) -> list[Line]:
    """Read every text at an edge: single lines, and neighbours that belong together."""
    height, width = pixels.shape[:2]
    least = SMALLEST * min(width, height)
    boxes = [line for line in detected(pixels, gray=gray) if min(line.height, line.width) >= least]
    boxes = [line for line in (*boxes, *columns(boxes)) if at_edge(line, width, height)]
    boxes = [line for line in boxes if max(line.height, line.width) <= MAX_ASPECT * min(line.height, line.width)]
    boxes.sort(key=lambda line: -min(line.height, line.width))
    ways = [way for line in boxes for way in readings(pixels, line)][:MAX_READ]
    texts = engine.recognise([crop for _, crop in ways])
    found = [
        replace(line, text=mended(text, turned=bool(line.turn)))
        for (line, _), text in zip(ways, texts, strict=True)
        if text
    ]
    return [line for line in (*found, *_pairs(found)) if len(line.text) <= MAX_TEXT]


def _pairs(lines: list[Line]) -> list[Line]:
    """Return neighbours that continue each other, side by side or stacked, as one line."""
    joined: list[Line] = []
    for one in lines:
        for other in lines:
            if one is other or one.turn or other.turn or not joins(one.text, other.text):
                continue
            tall = min(one.height, other.height)
            rows = min(one.bottom, other.bottom) - max(one.top, other.top)
            overlap = min(one.right, other.right) - max(one.left, other.left)
            beside = rows > 0.5 * tall and -0.3 * tall <= other.left - one.right <= 1.5 * tall
            below = overlap > 0.5 * min(one.width, other.width) and -0.3 * tall <= other.top - one.bottom <= tall
            if max(one.height, other.height) < 1.5 * tall and (beside or below):
                whole = one.union(other)
                # The text height is that of one line.
                joined.append(replace(whole, text=mended(whole.text)) if beside else replace(other, text=whole.text))
    return joined


def _finding(
    pixels: NDArray[np.uint8], others: Sequence[NDArray[np.uint8]], line: Line, languages: tuple[str, ...], scale: int
) -> Finding:
    height, width = pixels.shape[:2]
    wording = judge(line.text, languages)
    size = measure(pixels, line, wording.generation_element, others)
    height_ratio = size.ink * EM / min(width, height)
    where = _position(line, width, height)
    value: dict[str, Any] = {
        "text": line.text,
        "box": [round(edge * scale) for edge in (line.left, line.top, line.right, line.bottom)],
        "height_ratio": round(height_ratio, 4),
        "contrast": round(size.contrast, 2),
        "position": where,
    }
    if wording.vendor:
        value["vendor"] = wording.vendor
    if line.turn:
        value["turned"] = str(line.turn)
    defects: list[Defect] = []
    # Ink is measured to one row of pixels: text that may have 5 % is not called too small.
    if height_ratio + 1 / min(width, height) < MIN_HEIGHT_RATIO:
        defects.append(defect("CN-VISIBLE-SIZE", _too_small(size.ink * EM, line, width, height, scale)))
    if size.contrast < wcag.REQUIRED - 1.5:  # noise and compression distort it: only warn well below 4.5
        message = f"a contrast of about {size.contrast:.1f} : 1 is hard to read (WCAG 2 asks for 4.5 : 1)"
        defects.append(defect("CN-VISIBLE-CONTRAST", message))
    status = Status.DEFECTIVE if any(d.severity is Severity.ERROR for d in defects) else Status.PRESENT
    return Finding("visible", status, where, value, Signature.NONE, tuple(defects))


def _too_small(em: float, line: Line, width: int, height: int, scale: int) -> str:
    words = (
        f"the text height is {em / min(width, height):.1%} of the shortest side instead of 5 % "
        f"(measured in the picture: ink of {scale * em / EM:.0f} px, so an em box of {scale * em:.0f} px)"
    )
    if scale * em >= LEGACY_PIXELS or line.width * line.height >= LEGACY_AREA * width * height:
        words += "; it satisfied the guide of 2023 (20 px or 0.3 % of the area), which GB 45438-2025 replaced"
    return words


def _position(line: Line, width: int, height: int) -> str:
    """Return the edge or corner that the text is at; there may be a logo between the text and the corner."""
    reach = NEAR * min(width, height)
    vertical = "top" if line.top <= reach else "bottom" if height - line.bottom <= reach else ""
    if vertical and line.turn and line.top > reach / 3 and height - line.bottom > reach / 3:
        vertical = ""  # tall text at a side reaches far up and down
    if vertical:
        horizontal = _side(line.left, width - line.right, "left", "right")
    else:
        horizontal = "left" if line.left <= width - line.right else "right"
    return "-".join(part for part in (vertical, horizontal) if part)


def _side(before: float, after: float, start: str, end: str) -> str:
    if before < after / 2:
        return start
    return end if after < before / 2 else ""
