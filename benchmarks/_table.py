"""Text in columns, for terminals."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Lay out lines of cells below their headings; every column is as wide as its widest cell."""
    cells = [headings, *lines]
    widths = [max(_width(line[column]) for line in cells) for column in range(len(headings))]

    def show(line: Sequence[str]) -> str:
        return "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()

    return "\n".join([show(headings), "  ".join("─" * width for width in widths), *map(show, lines)])


def amount(value: float | None, unit: str) -> str:
    """Write a figure with three significant digits or so."""
    if value is None:
        return "—"
    if math.isinf(value):
        return f"∞ {unit}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}".rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
