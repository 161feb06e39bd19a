"""The words of a label: what a text says about who made the content, in any language (GB 45438-2025 5).

:func:`read` says it of any text, and never depends on a profile; :func:`judge` asks whether a label that is to be drawn
has the elements that a regime accepts. What OCR gets wrong is mended by :mod:`labeling.marks.wording.ocr`, which
only its readers load.
"""

from __future__ import annotations

from labeling.marks.wording.basic import BASIC, KOREAN, basic
from labeling.marks.wording.grammar import MAX_TEXT, Certainty, Kind, Reading, read
from labeling.marks.wording.judge import Wording, judge

__all__ = [
    "BASIC",
    "KOREAN",
    "MAX_TEXT",
    "Certainty",
    "Kind",
    "Reading",
    "Wording",
    "basic",
    "judge",
    "read",
]
