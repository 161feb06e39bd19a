"""How a visible label looks: what the user may choose, within the bounds of the standard."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labeling.errors import LabelingError

POSITIONS = ("top-left", "top", "top-right", "right", "bottom-right", "bottom", "bottom-left", "left")
"""GB 45438-2025 5.2: at an edge or a corner of the picture."""

MIN_RATIO = 0.05
"""GB 45438-2025 5.2: text height against the picture's shortest side."""

_COLOR = re.compile(r"#([0-9a-fA-F]{6})")


@dataclass(frozen=True, slots=True)
class Style:
    """The look of a visible label.

    ``height_ratio``: ink height of the smallest ideograph against the shortest side, 0.05 to 0.5. ``margin_ratio``:
    distance from the edge, of the shortest side. ``opacity``: of the text; raised where the contrast would fall below
    4.5 : 1. ``plate``: "auto" (only where the picture needs one), "on", "off" (then an outline
    where needed). ``color``: "#rrggbb", default white or black as the picture asks. ``font``: a font file's bytes.
    ``logo``: a picture file's bytes, set beside the text.

    Raises :class:`LabelingError` for values outside these bounds.
    """

    text: str = "AI生成"
    position: str = "bottom-right"
    height_ratio: float = 0.056
    margin_ratio: float = 0.025
    opacity: float = 1.0
    plate: str = "auto"
    color: str = ""
    font: bytes | None = None
    logo: bytes | None = None

    def __post_init__(self) -> None:
        if not self.text.strip() or len(self.text) > 200 or any(c < " " for c in self.text):
            raise LabelingError("`text` must be one line of 1 to 200 characters")
        if self.position not in POSITIONS:
            raise LabelingError(f"`position` is {self.position!r}", hint=f"choose one of {', '.join(POSITIONS)}")
        _within("height_ratio", self.height_ratio, MIN_RATIO, 0.5, "GB 45438-2025 5.2 asks for at least 0.05")
        _within("margin_ratio", self.margin_ratio, 0.0, 0.3, "it is a fraction of the shortest side")
        _within("opacity", self.opacity, 0.1, 1.0, "a fainter label would not be legible")
        if self.plate not in ("auto", "on", "off"):
            raise LabelingError(f"`plate` must be auto, on or off, not {self.plate!r}")
        if self.color and not _COLOR.fullmatch(self.color):
            raise LabelingError(f"`color` must be written #rrggbb, not {self.color!r}")

    @property
    def ink(self) -> tuple[int, int, int] | None:
        """The chosen colour as 8-bit sRGB; ``None`` if none was chosen."""
        match = _COLOR.fullmatch(self.color)
        if match is None:
            return None
        value = int(match[1], 16)
        return value >> 16, value >> 8 & 255, value & 255


def _within(name: str, value: float, low: float, high: float, why: str) -> None:
    if not low <= value <= high:
        raise LabelingError(f"`{name}` must be between {low} and {high}, not {value}: {why}")
