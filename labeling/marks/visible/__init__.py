"""The explicit label: text on the picture (GB 45438-2025 5.2).

:class:`LabelPainter` draws it, :func:`read_visible` reads it back with OCR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeling.marks.visible.frames import kept, same_text, text_detail
from labeling.marks.visible.paint import LabelPainter, check_asset
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

if TYPE_CHECKING:
    from labeling.marks.visible.engine import OcrFailed
    from labeling.marks.visible.read import read_visible
else:
    # Whoever draws does not need what reads. Hidden from type checkers, which would accept any name otherwise.
    def __getattr__(name: str) -> object:
        if name == "OcrFailed":
            from labeling.marks.visible.engine import OcrFailed

            return OcrFailed
        if name == "read_visible":
            from labeling.marks.visible.read import read_visible

            return read_visible
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
