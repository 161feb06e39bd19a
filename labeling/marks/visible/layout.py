"""Where the label goes and how large it is: GB 45438-2025 5.2 on every size and shape of picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from labeling.errors import LabelingError
from labeling.limits import MIN_HEIGHT_RATIO
from labeling.marks.visible import font as fonts
from labeling.marks.visible import icon as icons
from labeling.marks.wording import judge
from labeling.options.style import Style

LEGIBLE = 8
"""Least height of ink in pixels at which an ideograph can be read; a picture without room for it is refused."""

COMFORTABLE = 12
"""Height of ink in pixels that small pictures get where there is room for it."""

_SHORTER = ("AI生成", "AI合成")


@dataclass(frozen=True, slots=True)
class Layout:
    """A label that fits: its lines, pixels per em, padding, what is beside them, and the box, in displayed pixels."""

    lines: tuple[str, ...]
    size: int
    ink_height: float
    padding: tuple[int, int]
    beside: tuple[int, int]
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Request:
    style: Style
    languages: tuple[str, ...]
    width: int
    height: int

    @property
    def shortest(self) -> int:
        return min(self.width, self.height)

    def candidates(self) -> list[tuple[str, ...]]:
        """Return the wording asked for, then shorter ones that still comply, then stacked ones for narrow pictures."""
        text, chinese = self.style.text, any(c >= "\u3400" for c in self.style.text)
        texts = [text, *(t for t in _SHORTER if chinese and judge(t, self.languages).complies and t != text)]
        rows: list[tuple[str, ...]] = [(text,) for text in texts]
        rows += [tuple(text.split()) for _ in range(" " in text.strip())]
        if chinese and judge("AI生成", self.languages).complies:
            rows += [("AI", "生成"), ("AI", "生", "成")]
        return rows


@lru_cache(maxsize=512)
def plan(style: Style, languages: tuple[str, ...], width: int, height: int) -> Layout:
    """Find the first wording that fits at the size asked for, else the largest that fits at all.

    Raises :class:`LabelingError` if nothing legible of at least 5 % of the shortest side fits (GB 45438-2025 5.2).
    """
    request = _Request(style, languages, width, height)
    size_asked = max(style.height_ratio * request.shortest, COMFORTABLE)
    least = max(MIN_HEIGHT_RATIO * request.shortest, LEGIBLE)
    for lines in request.candidates():
        for target in _steps(size_asked, least):
            layout = _laid(request, lines, target)
            if layout is not None:
                return layout
    raise LabelingError(
        f"a picture of {width}×{height} has no room for a legible label of 5 % of its shortest side "
        "(GB 45438-2025 5.2)",
        hint="enlarge it, shorten `text`, or label the metadata alone with `visible=False`",
    )


def _steps(asked: float, least: float) -> list[float]:
    """Return text heights in pixels from the one asked for down to the least."""
    return [asked] if asked <= least else [asked - (asked - least) * step / 6 for step in range(7)]


def _laid(request: _Request, lines: tuple[str, ...], target: float) -> Layout | None:
    style = request.style
    text = "".join(lines)
    unit = min(fonts.unit_height(line, style.font) for line in lines) if len(lines) > 1 else (
        fonts.unit_height(text, style.font)
    )  # fmt: skip
    size = math.ceil((target + 1) / unit)  # the outermost row of ink is only partly covered
    if size > 4 * max(request.width, request.height) or size > 20_000:
        return None
    padding = max(2, round(target * 0.42)), max(1, round(target * 0.34))
    beside = icons.size_beside(style, target)
    inner_width, inner_height = measure(lines, size, style.font)
    inner_width += beside[0] + round(target * 0.4) if beside[0] else 0
    box_width, box_height = inner_width + 2 * padding[0], max(inner_height, beside[1]) + 2 * padding[1]
    if box_width > request.width or box_height > request.height:
        return None
    margin = round(style.margin_ratio * request.shortest)
    left = _along(style.position, "left", "right", request.width, box_width, margin)
    top = _along(style.position, "top", "bottom", request.height, box_height, margin)
    return Layout(lines, size, size * unit, padding, beside, (left, top, left + box_width, top + box_height))


def _along(position: str, start: str, end: str, whole: int, part: int, margin: int) -> int:
    """Return the offset along one axis, in pixels; a margin that does not fit shrinks."""
    margin = min(margin, (whole - part) // 2)
    if start in position.split("-"):
        return margin
    return whole - part - margin if end in position.split("-") else (whole - part) // 2


def line_gap(size: int) -> int:
    """Return the pixels between the ink of two stacked lines."""
    return max(1, round(size * 0.16))


def measure(lines: tuple[str, ...], size: int, font: bytes | None) -> tuple[int, int]:
    """Return width and height in pixels of the ink of the lines, one under the other."""
    boxes = [fonts.face(font, size).getbbox(line) for line in lines]
    width = max(math.ceil(right - left) for left, _, right, _ in boxes)
    height = sum(math.ceil(bottom - top) for _, top, _, bottom in boxes) + line_gap(size) * (len(lines) - 1)
    return width, height
