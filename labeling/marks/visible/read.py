"""Read a visible label back: OCR at the edges of the picture, then the rules on wording, size and position.

Text in the middle is part of the picture, not a label (GB 45438-2025 5.2). Nor is every sentence at an edge that speaks
of AI: :func:`labeling.marks.wording.read` says what it is.
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
from labeling.marks.wording import Certainty, Kind, Reading, joins, mended, read
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
    found = _said(_read(pixels))
    if not found and busy(pixels):
        found = _said(_read(pixels, gray=True))
    if not found and is_dithered(pixels):
        found = _said(_read(_smoothed(pixels)))
    if not found:
        return Finding("visible", Status.ABSENT)

    def rank(each: tuple[Line, Reading]) -> tuple[bool, int, float]:
        line, reading = each
        return reading.complies(languages), _KINDS.index(reading.kind), line.thickness

    line, reading = max(found, key=rank)
    if reading.kind is Kind.DENIAL:
        return _denial(line, pixels.shape[1], pixels.shape[0], scale)
    return _finding(pixels, others, line, reading, languages, scale)


_KINDS = (Kind.NONE, Kind.DENIAL, Kind.BRAND, Kind.STATEMENT)
"""From the one that says least of a label to the one that says most."""


def _said(lines: list[Line]) -> list[tuple[Line, Reading]]:
    """Return the lines that say who made the picture, with what they say."""
    readings = [(line, read(line.text)) for line in lines]
    return [(line, reading) for line, reading in readings if reading.kind is not Kind.NONE]


def _denial(line: Line, width: int, height: int, scale: int) -> Finding:
    """Return the finding on a text that denies: there is no label, and the report says what is there instead."""
    where = _position(line, width, height)
    value = {"denial": line.text, "box": _box(line, scale), "position": where, "confidence": _confidence(line)}
    message = f'the picture says "{line.text}": nobody has checked that, and it proves nothing'
    return Finding("visible", Status.ABSENT, "", value, None, (defect("FILE-DENIAL", message),))


def _box(line: Line, scale: int) -> list[int]:
    return [round(edge * scale) for edge in (line.left, line.top, line.right, line.bottom)]


SURE_HEIGHT, LEAST_SURE = 24, 0.6
"""Height in pixels of a box from which the size of its text takes nothing from the confidence in it, and what is left
of the confidence in the smallest."""


def _confidence(line: Line) -> float:
    """Return how sure the reader is of a text, 0 to 1: the recogniser's score, less for text of few pixels."""
    size = min(1.0, LEAST_SURE + (1 - LEAST_SURE) * line.thickness / SURE_HEIGHT)
    return round(min(1.0, line.score) * size, 2)


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
        replace(line, text=mended(text, turned=bool(line.turn)), score=score)
        for (line, _), (text, score) in zip(ways, texts, strict=True)
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
            least = -0.9 if one.text.isascii() else -0.3  # two boxes may share a letter: "AI g", "generated"
            beside = rows > 0.5 * tall and least * tall <= other.left - one.right <= 1.5 * tall
            below = overlap > 0.5 * min(one.width, other.width) and -0.3 * tall <= other.top - one.bottom <= tall
            if max(one.height, other.height) < 1.5 * tall and (beside or below):
                whole = one.union(other)
                # The text height is that of one line.
                joined.append(replace(whole, text=mended(whole.text)) if beside else replace(other, text=whole.text))
    return joined


def _finding(
    pixels: NDArray[np.uint8],
    others: Sequence[NDArray[np.uint8]],
    line: Line,
    reading: Reading,
    languages: tuple[str, ...],
    scale: int,
) -> Finding:
    height, width = pixels.shape[:2]
    size = measure(pixels, line, _element(line, reading), others)
    height_ratio = size.ink * EM / min(width, height)
    where = _position(line, width, height)
    value: dict[str, Any] = {
        "text": line.text,
        "box": _box(line, scale),
        "height_ratio": round(height_ratio, 4),
        "contrast": round(size.contrast, 2),
        "position": where,
        "confidence": _confidence(line),
        "vendor": reading.vendor or None,
        "languages": sorted(reading.languages),
    }
    if reading.certainty is not Certainty.GENERATED:
        value["certainty"] = str(reading.certainty)
    if line.turn:
        value["turned"] = str(line.turn)
    defects: list[Defect] = []
    if not reading.complies(languages):
        defects.append(defect("CN-VISIBLE-WORDING", _falls_short(line.text, reading)))
    # Ink is measured to one row of pixels: text that may have 5 % is not called too small.
    if height_ratio + 1 / min(width, height) < MIN_HEIGHT_RATIO:
        defects.append(defect("CN-VISIBLE-SIZE", _too_small(size.ink * EM, line, width, height, scale)))
    if size.contrast < wcag.REQUIRED - 1.5:  # noise and compression distort it: only warn well below 4.5
        message = f"a contrast of about {size.contrast:.1f} : 1 is hard to read (WCAG 2 asks for 4.5 : 1)"
        defects.append(defect("CN-VISIBLE-CONTRAST", message))
    status = Status.DEFECTIVE if any(d.severity is Severity.ERROR for d in defects) else Status.PRESENT
    return Finding("visible", status, where, value, Signature.NONE, tuple(defects))


def _element(line: Line, reading: Reading) -> str:
    """Return what a text is measured by: its verb, or the ideographs of a brand mark, or the letters of one."""
    ideographs = "".join(c for c in line.text if c >= "\u3400")
    return reading.generation_element or ideographs[:2] or reading.ai_element or "AI"


def _falls_short(text: str, reading: Reading) -> str:
    if reading.kind is Kind.BRAND:
        return f'"{text}" is the brand mark of a service: it lacks the generation element (生成 or 合成)'
    return (
        f'"{text}" says that AI made the content, but not in the words of the standard: '
        "人工智能 or AI together with 生成 or 合成"
    )


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
