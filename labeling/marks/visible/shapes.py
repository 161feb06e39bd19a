"""Labels in letters that the OCR engine does not know, Cyrillic and Korean: found by "AI" and the shape of the word.

The engine reads ideographs and Latin letters, takes Greek capitals for Latin ones, and returns blanks for most Cyrillic
ones and for Korean. But every wording of the EU's Code of Practice begins with "AI" in Latin capitals, and so do those
of Korea. Where that stands at an edge, what follows is compared with the known words as they are drawn. What fits none,
and was not read, is called unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from labeling.marks.visible import engine, font
from labeling.marks.visible.lines import Line, at_edge, crop
from labeling.marks.visible.measure import likeness
from labeling.marks.wording import KOREAN, basic

MOST = 2
"""Lines that are looked at."""

STARTS = ((0.0, 1.0), (0.0, 0.8), (0.5, 1.5), (1.0, 2.0), (1.4, 2.4))
"""Where "AI" may be, in heights of the line: at its start, or behind an icon of which the line holds a part.

At the start a narrower part is read as well: what is left of the next letter keeps the engine from reading "AI" alone.
"""

ALIKE = 0.8
"""Correlation from which a line shows a wording: it is above 0.9 for the same font, and at most 0.75 for like words."""

ALIKE_BEHIND = 0.82
"""The same for the two syllables behind "AI": from 0.84 for the same font, at most 0.80 for like syllables."""

_DRAWN = 100
_ASPECT = 2.0, 16
_UNREAD = 3.2
"""Width of a line in its heights from which letters beside "AI" count as unread: a sign beside it is no word."""

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
        for text in _european():
            if (score := likeness(pixels, line, text)) >= ALIKE:
                return replace(line, text=text, score=score), None
        if (score := _korean(pixels, line)) >= ALIKE_BEHIND:
            return replace(line, text=KOREAN, score=score), None
        if line.width < _UNREAD * line.height:
            continue
        [(text, _)] = engine.recognise([crop(pixels, line)])
        if unread is None and sum(map(str.isalnum, text)) < _LETTERS * line.width / line.height:
            unread = replace(line, text=text)
    return None, unread


@cache
def _european() -> tuple[str, ...]:
    """Return the EU's wordings in letters that the engine does not know: Bulgarian and Greek ones."""
    return tuple(basic(language, modified=modified) for language in ("bg", "el") for modified in (False, True))


def _korean(pixels: Pixels, line: Line) -> float:
    """Return how alike what follows "AI" is to that of the Korean wording: its two syllables are few for the whole."""
    if line.width >= _UNREAD * line.height:
        return 0.0
    start, _, behind = KOREAN.partition(" ")
    face = font.face(None, _DRAWN)
    share = face.getlength(f"{start} ") / face.getlength(KOREAN)
    return likeness(pixels, replace(line, left=line.left + share * line.width - 0.1 * line.height), behind)


def _begun(pixels: Pixels, lines: Sequence[Line]) -> Iterator[Line]:
    """Yield the lines at an edge that begin with "AI"."""
    height, width = pixels.shape[:2]
    least, most = _ASPECT
    long = [line for line in lines if least < line.width / line.height < most and at_edge(line, width, height)]
    long.sort(key=lambda line: line.width < _UNREAD * line.height)
    starts = [
        crop(pixels, replace(line, left=line.left + start * line.height, right=line.left + stop * line.height))
        for line in long[:MOST]
        for start, stop in STARTS
    ]
    read = [_AI.search(text) is not None for text, _ in engine.recognise(starts)]
    for at, line in enumerate(long[:MOST]):
        if any(read[at * len(STARTS) : (at + 1) * len(STARTS)]):
            yield line
