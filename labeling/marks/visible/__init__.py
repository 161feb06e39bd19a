"""The explicit label: text on the picture (GB 45438-2025 5.2).

:class:`LabelPainter` draws it, :func:`read_visible` reads it back with OCR.
"""

from __future__ import annotations

from labeling.marks.visible.engine import OcrFailed
from labeling.marks.visible.frames import kept, same_text, text_detail
from labeling.marks.visible.paint import LabelPainter, check_asset
from labeling.marks.visible.read import read_visible
from labeling.marks.wording import Wording, judge
from labeling.options import Style

__all__ = [
    "LabelPainter",
    "OcrFailed",
    "Style",
    "Wording",
    "check_asset",
    "judge",
    "kept",
    "read_visible",
    "same_text",
    "text_detail",
]
