"""Labels in letters that the OCR engine does not know, Cyrillic above all: found by "AI" and by the shape of the word.

The engine reads ideographs and Latin letters, takes Greek capitals for Latin ones, and returns blanks for most Cyrillic
ones. But every wording of the EU's Code of Practice begins with "AI" in Latin capitals. Where that stands at an edge,
what follows is compared with the known words as they are drawn. What fits none, and was not read, is called unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from labeling.marks.visible import engine
from labeling.marks.visible.lines import Line, at_edge, crop
from labeling.marks.visible.measure import likeness
from labeling.marks.wording import basic

MOST = 2
"""Lines that are looked at."""

STARTS = (0.0, 0.5, 1.0, 1.4)
"""Where "AI" may begin, in heights of the line: at its start, or behind an icon of which the line holds a part."""

ALIKE = 0.8
"""Correlation from which a line shows a wording: it is above 0.9 for the same font, and at most 0.75 for like words."""

_ASPECT = 3.2, 16
_LETTERS = 0.8
"""Letters that are read of a line, for each of its heights in width, below which it was not read; text has 1.6."""

_AI = re.compile(r"(?<!\w)A[IlL1|](?!\w)")

Pixels = NDArray[np.uint8]


def by_shape(pixels: Pixels, lines: Sequence[Line]) -> tuple[Line | None, Line | None]:
    """Look for a label whose letters were not read.

    Args:
        pixels: The picture, (H, W, 3) uint8 RGB.
        lines: Where there is text on it.

    Returns:
        The line that shows a known wording, with its text; or else one that begins with "AI" and goes on in letters
        that the engine cannot read, with what was read of it.
    """
    unread: Line | None = None
    for line in _begun(pixels, lines):
        for language in ("bg", "el"):
            for modified in (False, True):
                text = basic(language, modified=modified)
                if (score := likeness(pixels, line, text)) >= ALIKE:
                    return replace(line, text=text, score=score), None
        [(text, _)] = engine.recognise([crop(pixels, line)])
        if unread is None and sum(map(str.isalnum, text)) < _LETTERS * line.width / line.height:
            unread = replace(line, text=text)
    return None, unread


def _begun(pixels: Pixels, lines: Sequence[Line]) -> Iterator[Line]:
    """Yield the lines at an edge that begin with "AI"."""
    height, width = pixels.shape[:2]
    least, most = _ASPECT
    long = [line for line in lines if least < line.width / line.height < most and at_edge(line, width, height)]
    starts = [
        crop(pixels, replace(line, left=left, right=left + line.height))
        for line in long[:MOST]
        for left in (line.left + start * line.height for start in STARTS)
    ]
    read = [_AI.search(text) is not None for text, _ in engine.recognise(starts)]
    for at, line in enumerate(long[:MOST]):
        if any(read[at * len(STARTS) : (at + 1) * len(STARTS)]):
            yield line
