"""Whether a line of text belongs to a page that is depicted, a document or the screen of a program, and is no label."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.marks.visible import engine
from labeling.marks.visible.lines import Line
from labeling.marks.visible.ranks import percentile

CLEAR = 0.75
"""Confidence of the recogniser from which there is text beside a line, above or below it."""

NEAREST, NEXT = 0.8, 1.5
"""How far above and below a line the next ones of its block are looked for, in the height of its box, which may be
twice that of its text."""

ALIKE, PLAIN, STRANGE = 6, 0.6, 0.4
"""Difference from a ground's colour up to which a pixel belongs to it; the least share of them around the text of a
page, and the largest under a line that stands on another ground, of which half may be at one of its ends."""


def in_block(pixels: NDArray[np.uint8], line: Line) -> bool:
    """Return whether there is text close above or below a line, on the same ground: then it is part of a page.

    A picture within a page, such as one in a screenshot, has another ground than the text of the page around it.
    """
    tall, bands = line.height, []
    for reach in (NEAREST, NEXT):
        bands.append(replace(line, top=line.top - reach * tall, bottom=line.top - 0.1 * tall))
        bands.append(replace(line, top=line.bottom + 0.1 * tall, bottom=line.bottom + reach * tall))
    for crop in (cut(pixels, band) for band in bands):
        [(text, score)] = engine.recognise([crop])
        if _is_text(text) and score > CLEAR and not _on_a_page_around(pixels, line, crop):
            return True  # the other bands need not be read
    return False


def _is_text(said: str) -> bool:
    """Return whether something says enough to be text: what looks like two letters may be a pattern."""
    return len(said) > (2 if said.isascii() else 1)


def cut(pixels: NDArray[np.uint8], line: Line) -> NDArray[np.uint8]:
    """Return the pixels in the box of a line, as far as the picture reaches."""
    top, bottom, left, right = (max(0, round(edge)) for edge in (line.top, line.bottom, line.left, line.right))
    return pixels[top:bottom, left:right]


def _on_a_page_around(pixels: NDArray[np.uint8], line: Line, text: NDArray[np.uint8]) -> bool:
    """Return whether a text stands on a plain ground, and a line not on the same, which would go on beside it."""
    colours = text.reshape(-1, 3)
    ground = percentile(colours, 50)
    if _share(colours, ground) < PLAIN:
        return False
    reach = NEXT * line.height
    left = replace(line, left=line.left - reach, right=line.left)
    right = replace(line, left=line.right, right=line.right + reach)
    under, *beside = (_share(cut(pixels, each).reshape(-1, 3), ground) for each in (line, left, right))
    return under < STRANGE and min(beside) < STRANGE / 2


def _share(colours: NDArray[np.uint8], ground: NDArray[np.floating[Any]]) -> float:
    if not colours.size:
        return 1.0
    return float((np.abs(colours - ground).max(axis=1) <= ALIKE).mean())
