"""Reading a visible label back: OCR at the edges of the picture, then the rules on wording, size and position.

One pass of the text detector over the whole picture at a small size finds where text is; only text at an edge or a
corner is then read, from the full picture. Text in the middle is part of the picture, not a label (GB 45438-2025 5.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.findings import Defect, Mark, Severity, Signature, Status
from labeling.marks.visible import contrast as wcag
from labeling.marks.visible import engine
from labeling.marks.visible.style import MIN_RATIO
from labeling.marks.visible.wording import judge

SIDE = 448
"""The detector sees the picture with its shortest side at so many pixels: a label of 5 % is then 22 pixels high."""

MAX_ASPECT = 4
"""Longer pictures are looked at in windows at both ends and in the middle."""

NEAR = 0.12
"""Of the shortest side: text within this distance of the border is at an edge."""

LOGO = 1.5
"""Of the text's height: so much room a logo may take between the text and the left or right border."""

MAX_READ = 32
MAX_TEXT = 60

EM = 1.08
"""Height of the em box against the ink of an ideograph: the standard's "height" is taken as the rendered box."""

_CLAUSE = "GB 45438-2025 5.2"
_BROKEN_AI = re.compile(r"A\s?[Il1|!丨](?=\s*[生合])")


@dataclass(frozen=True, slots=True)
class _Line:
    """A piece of text: its box in pixels of the picture, and what it says."""

    left: float
    top: float
    right: float
    bottom: float
    text: str = ""

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def joined(self, other: _Line, gap: str) -> _Line:
        return _Line(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            f"{self.text}{gap}{other.text}",
        )


def read_visible(pixels: NDArray[np.uint8], *, languages: tuple[str, ...] = ("zh",)) -> Mark:
    """Look for a visible label on a picture as displayed, (H, W, 3) uint8 sRGB.

    ``languages`` are those in which the profile accepts the wording. Raises
    :class:`~labeling.errors.MissingDependency` without an OCR engine.
    """
    height, width = pixels.shape[:2]
    shortest = min(width, height)
    lines = [line for line in _detected(pixels) if _at_edge(line, width, height) and line.height >= 0.012 * shortest]
    lines.sort(key=lambda line: -line.height)
    texts = engine.recognise([_crop(pixels, line) for line in lines[:MAX_READ]])
    found = [replace(line, text=_mended(text)) for line, text in zip(lines, texts, strict=False) if text]
    labels = [line for line in (*found, *_pairs(found)) if len(line.text) <= MAX_TEXT]
    labels = [line for line in labels if judge(line.text, languages).complies]
    if not labels:
        return Mark("visible", Status.ABSENT)
    best = max(labels, key=lambda line: line.height)
    return _finding(pixels, best, languages)


def _detected(pixels: NDArray[np.uint8]) -> list[_Line]:
    height, width = pixels.shape[:2]
    shortest = min(width, height)
    span = MAX_ASPECT * shortest
    longest = max(width, height)
    starts = [0] if longest <= span else [0, (longest - span) // 2, longest - span]
    lines: list[_Line] = []
    for start in starts:
        dx, dy = (start, 0) if width >= height else (0, start)
        window = pixels[dy : dy + min(height, span), dx : dx + min(width, span)]
        scale = SIDE / shortest
        size = max(32, round(window.shape[1] * scale)), max(32, round(window.shape[0] * scale))
        small = Image.fromarray(window).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        for left, top, right, bottom in engine.detect(np.asarray(small)):
            fx, fy = window.shape[1] / size[0], window.shape[0] / size[1]
            lines.append(_Line(left * fx + dx, top * fy + dy, right * fx + dx, bottom * fy + dy))
    return lines


def _at_edge(line: _Line, width: int, height: int) -> bool:
    reach = NEAR * min(width, height)
    beside = min(line.left, width - line.right)
    return min(line.top, height - line.bottom) <= reach or beside <= reach + LOGO * line.height


def _crop(pixels: NDArray[np.uint8], line: _Line) -> NDArray[np.uint8]:
    pad = 0.12 * line.height
    top, bottom = max(0, int(line.top - pad)), int(line.bottom + pad) + 1
    left, right = max(0, int(line.left - pad)), int(line.right + pad) + 1
    return pixels[top:bottom, left:right]


def _mended(text: str) -> str:
    """OCR takes the I of AI for l, 1 or a bar; only in front of a generation element is that put right."""
    return _BROKEN_AI.sub("AI", text.strip())


def _pairs(lines: list[_Line]) -> list[_Line]:
    """Neighbours that belong together: side by side, or stacked on narrow pictures."""
    joined: list[_Line] = []
    for one in lines:
        for other in lines:
            if one is other:
                continue
            tall = min(one.height, other.height)
            rows = min(one.bottom, other.bottom) - max(one.top, other.top)
            columns = min(one.right, other.right) - max(one.left, other.left)
            narrow = min(one.right - one.left, other.right - other.left)
            if rows > 0.5 * tall and 0 <= other.left - one.right + 0.3 * tall <= 1.8 * tall:
                joined.append(replace(one.joined(other, ""), text=_mended(one.text + other.text)))
            elif columns > 0.5 * narrow and 0 <= other.top - one.bottom + 0.3 * tall <= 1.3 * tall:
                joined.append(replace(one.joined(other, ""), bottom=one.bottom, text=_mended(one.text + other.text)))
    return joined


def _finding(pixels: NDArray[np.uint8], line: _Line, languages: tuple[str, ...]) -> Mark:
    height, width = pixels.shape[:2]
    ink, ratio = _ink(pixels, line)
    height_ratio = ink * EM / min(width, height)
    wording = judge(line.text, languages)
    where = _position(line, width, height)
    value: dict[str, Any] = {
        "text": line.text,
        "box": [round(line.left), round(line.top), round(line.right), round(line.bottom)],
        "height_ratio": round(height_ratio, 4),
        "contrast": round(ratio, 2),
        "position": where,
    }
    if wording.vendor:
        value["vendor"] = wording.vendor
    defects: list[Defect] = []
    if height_ratio < MIN_RATIO:
        message = (
            f"text height is {height_ratio:.1%} of the shortest side instead of 5 % "
            f"(measured in the picture: ink of {ink:.0f} px, so an em box of {ink * EM:.0f} px)"
        )
        defects.append(Defect("CN-VISIBLE-SIZE", _CLAUSE, message))
    if ratio < wcag.REQUIRED - 1.5:  # measured through noise and compression: well below 4.5 before it is said
        message = f"contrast of about {ratio:.1f} : 1 is hard to read (WCAG 2 asks for 4.5 : 1)"
        defects.append(Defect("CN-VISIBLE-CONTRAST", _CLAUSE, message, Severity.WARNING))
    status = Status.DEFECTIVE if any(d.severity is Severity.ERROR for d in defects) else Status.PRESENT
    return Mark("visible", status, where, value, Signature.NONE, tuple(defects))


def _ink(pixels: NDArray[np.uint8], line: _Line) -> tuple[float, float]:
    """Height of the ink in pixels, and its contrast with what is around it.

    What stands out from the ground is ink. The ground is drawn from the rows above and below the text, column by
    column, so that a gradient or a plate behind it does not count.
    """
    pad = max(2, round(0.1 * line.height))
    crop = _crop(pixels, line)
    linear = wcag.luminance(crop)
    values = np.sqrt(linear)  # nearer to what the eye sees
    if values.shape[0] < 4 * pad or values.shape[1] < 4:
        return line.height / 1.3, 1.0
    above, below = (_smooth(np.median(rows, axis=0)) for rows in (values[:pad], values[-pad:]))
    weight = np.linspace(0, 1, values.shape[0])[:, None]
    relief = values - (above * (1 - weight) + below * weight)
    inner = relief[pad:-pad]
    bright, dark = np.percentile(inner, 96), np.percentile(inner, 4)
    ink = relief > bright / 2 if bright >= -dark else relief < dark / 2
    share = ink.mean(axis=1)
    inside = np.flatnonzero(share > 0.22 * share[pad:-pad].max())
    if not inside.size or not ink.any() or ink.all():
        return line.height / 1.3, 1.0
    ratio = wcag.contrast(float(np.median(linear[ink])), float(np.median(linear[~ink])))
    return float(inside[-1] - inside[0] + 1), ratio


def _smooth(row: NDArray[np.float32]) -> NDArray[np.float32]:
    window = max(3, row.size // 16) | 1
    padded = np.pad(row, window // 2, mode="edge")
    result: NDArray[np.float32] = np.convolve(padded, np.full(window, 1 / window, np.float32), "valid")
    return result


def _position(line: _Line, width: int, height: int) -> str:
    """The edge or corner that the text is at; a logo may stand between the text and the corner."""
    reach = NEAR * min(width, height)
    vertical = "top" if line.top <= reach else "bottom" if height - line.bottom <= reach else ""
    if vertical:
        horizontal = _side(line.left, width - line.right, "left", "right")
    else:
        horizontal = "left" if line.left <= width - line.right else "right"
    return "-".join(part for part in (vertical, horizontal) if part)


def _side(before: float, after: float, start: str, end: str) -> str:
    if before < after / 2:
        return start
    return end if after < before / 2 else ""
