"""Read a visible label back: OCR wherever AI is spoken of, then the rules on wording, size and position.

Not every sentence that speaks of AI is a label: :func:`labeling.marks.wording.read` says what it is. Away from the
edges it may also be a part of what is depicted, a poster or a page. There it counts only if it is a whole statement,
small, and no part of a longer line or of a block of lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from labeling.dither import is_dithered
from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.limits import MIN_HEIGHT_RATIO
from labeling.marks.visible import contrast as wcag
from labeling.marks.visible import engine
from labeling.marks.visible.lines import NEAR, Line, at_edge, columns, detected, detected_texts, parted, readings
from labeling.marks.visible.measure import Measure, measure
from labeling.marks.visible.page import CLEAR, cut, in_block
from labeling.marks.visible.shapes import by_shape
from labeling.marks.wording import Certainty, Kind, Reading, read
from labeling.marks.wording.ocr import is_unfinished, joins, mended
from labeling.rule_catalogue import defect

SMALLEST = 0.012
"""Height of a box, as a fraction of the shortest side, below which it is not read."""

MAX_READ = 24
MAX_INNER = 4

LARGEST = 0.13
"""Height of the box of a line away from the edges, of the shortest side, above which it is a headline and no label."""

WIDER, MAX_LONGER = 1.3, 3
"""By how much of its height a line is read on at either end, and how often."""

INSIDE = "inside"
"""The position of a label that is at no edge."""

MAX_TEXT = 60
MAX_ASPECT = 32

DOT = 1 / 270
"""Standard deviation by which a dithered picture is smoothed before it is read once more, of the shortest side."""

ALLOWED = 0.0015
"""Height that ideographs measured for sure may lack of 5 % of the shortest side, so that none below 4.5 % passes."""

LEGACY_PIXELS, LEGACY_AREA = 20, 0.003
"""The 2023 guide (TC260-PG-20233A) asked for 20 pixels or 0.3 % of the area."""


def read_visible(
    pixels: NDArray[np.uint8],
    others: Sequence[NDArray[np.uint8]] = (),
    *,
    languages: tuple[str, ...] = ("zh",),
    scale: int = 1,
    anywhere: bool = False,
    thorough: bool = True,
) -> Finding:
    """Look for a visible label on a picture.

    Args:
        pixels: The picture as displayed, (H, W, 3) uint8 sRGB.
        others: A transparent picture over other grounds, each like ``pixels``. The worst contrast of all counts.
        languages: Languages in which the profile accepts the wording.
        scale: How many pixels of the picture one of these stands for; sizes and places are reported in the picture's.
        anywhere: Whether a label may be away from the edges, as on a video (GB 45438-2025 5.4, against 5.2).
        thorough: Whether the slow detector, which finds any text, looks where the fast one found nothing.

    Raises:
        MissingDependency: There is no OCR engine.
    """
    found, unread = _said(pixels, detected(pixels)), None
    texts: list[Line] = []
    if not found and thorough:
        texts = detected_texts(pixels)
        found = _said(pixels, texts)
    elif thorough and not any(reading.complies(languages) for _, reading in found):
        # Another label may say it in words that are accepted: the fast detector need not find both.
        known = frozenset[str]().union(*(reading.languages for _, reading in found))
        further = _said(pixels, detected_texts(pixels))
        found += [each for each in further if each[1].kind is Kind.STATEMENT and each[1].languages - known]
    if not found and thorough and is_dithered(pixels):
        melted = _smoothed(pixels)
        found = _said(melted, detected(melted)) or _said(melted, detected_texts(melted))
    if not found:
        shown, unread = by_shape(pixels, texts)
        found = [(shown, read(shown.text))] if shown is not None else []
    if not found:
        return Finding("visible", Status.ABSENT) if unread is None else _not_read(unread, pixels, scale)

    def rank(each: tuple[Line, Reading]) -> tuple[bool, int, float]:
        line, reading = each
        return reading.complies(languages), _KINDS.index(reading.kind), line.thickness

    line, reading = max(found, key=rank)
    if reading.kind is Kind.DENIAL:
        return _denial(line, pixels.shape[1], pixels.shape[0], scale)
    finding = _finding(pixels, others, line, reading, languages, scale, anywhere=anywhere)
    beside = [] if anywhere else _beside(pixels, others, finding, found, scale)  # a video follows one label
    return replace(finding, value=finding.value | {"beside": beside}) if beside else finding


def _beside(
    pixels: NDArray[np.uint8],
    others: Sequence[NDArray[np.uint8]],
    finding: Finding,
    found: list[tuple[Line, Reading]],
    scale: int,
) -> list[dict[str, Any]]:
    """Return labels beside the one that is reported that say it in other languages: of each the tallest.

    Which label is reported depends on the languages that were asked for. With what each of the others breaks by itself,
    every verdict can rest on the one that it would rest on alone.
    """
    known = set(finding.value["languages"])
    beside: list[dict[str, Any]] = []
    for line, reading in sorted(found, key=lambda each: each[0].thickness, reverse=True):
        if reading.kind is Kind.STATEMENT and reading.languages - known:
            own = _finding(pixels, others, line, reading, tuple(reading.languages), scale, anywhere=False)
            shown = {key: own.value[key] for key in ("text", "languages", "box", "height_ratio", "contrast")}
            faults = [{"rule": each.rule, "message": each.message} for each in own.defects]
            beside.append(shown | ({"defects": faults} if faults else {}))
            known |= reading.languages
    return beside


_KINDS = (Kind.NONE, Kind.DENIAL, Kind.BRAND, Kind.STATEMENT)
"""From the one that says least of a label to the one that says most."""


def _said(pixels: NDArray[np.uint8], boxes: list[Line]) -> list[tuple[Line, Reading]]:
    """Return the lines that say who made the picture, and what they say; those away from the edges if no others do."""
    height, width = pixels.shape[:2]
    lines = [_whole(pixels, each) if is_unfinished(each.text) else each for each in _read(pixels, boxes)]
    every = [(line, read(line.text)) for line in lines]
    some = [(line, reading) for line, reading in every if reading.kind is not Kind.NONE]
    outer = [_whole(pixels, line) for line, _ in some if at_edge(line, width, height)]
    found = [(line, reading) for line in outer if (reading := read(line.text)).kind is not Kind.NONE]
    reach = NEAR * min(width, height)
    found = [
        (line, reading)
        for line, reading in found
        if line.turn or line.top <= reach or height - line.bottom <= reach or not in_block(pixels, line)
    ]
    if found or outer:
        return found
    inner = [line for line, reading in some[:MAX_INNER] if reading.kind is Kind.STATEMENT]
    return [(line, read(line.text)) for line in inner if _stands_alone(pixels, line)]


def _whole(pixels: NDArray[np.uint8], line: Line) -> Line:
    """Return a line with what it goes on with at its ends: the detector knows the words of labels and no others."""
    for _ in range(MAX_LONGER):
        if line.turn or not line.text:
            break
        around = WIDER * line.height
        longer = replace(line, left=line.left - around, right=line.right + around)
        [(text, score)] = engine.recognise([cut(pixels, longer)])
        before, after = ("".join(each.split()) for each in (line.text, mended(text)))
        ends = ["".join(filter(str.isalnum, end)) for end in after.split(before, 1)] if before in after else []
        if score >= CLEAR and after == before + ">":  # which leads on: it is a button
            return replace(longer, text=after, score=score)
        least = 1 if is_unfinished(line.text) else 2  # a round logo reads as a letter
        if score < CLEAR or all(end.isascii() and len(end) < least for end in ends):
            break
        line = replace(
            longer,
            left=max(0.0, longer.left),
            right=min(float(pixels.shape[1]), longer.right),
            text=mended(text),
            score=score,
        )
    return line


def _stands_alone(pixels: NDArray[np.uint8], line: Line) -> bool:
    """Return whether a line away from the edges is small, and no part of a longer one or of a block of lines."""
    if line.turn or line.thickness > LARGEST * min(pixels.shape[:2]) or _whole(pixels, line) is not line:
        return False
    return not in_block(pixels, line)


def _denial(line: Line, width: int, height: int, scale: int) -> Finding:
    """Return the finding on a text that denies: there is no label, and the report says what is there instead."""
    where = _position(line, width, height)
    value = {"denial": line.text, "box": _box(line, scale), "position": where, "confidence": _confidence(line)}
    message = f'the picture says "{line.text}": nobody has checked that, and it proves nothing'
    return Finding("visible", Status.ABSENT, "", value, None, (defect("FILE-DENIAL", message),))


def _not_read(line: Line, pixels: NDArray[np.uint8], scale: int) -> Finding:
    """Return the finding on "AI" with letters that the engine does not know: nobody knows what they say."""
    where = _position(line, pixels.shape[1], pixels.shape[0])
    value = {"box": _box(line, scale), "position": where}
    message = (
        'beside the letters "AI" there are others that OCR cannot read, as it knows no Cyrillic and no Korean ones'
    )
    return Finding("visible", Status.UNREADABLE, where, value, Signature.NONE, (defect("FILE-LETTERS", message),))


def _box(line: Line, scale: int) -> list[int]:
    return [round(edge * scale) for edge in (line.left, line.top, line.right, line.bottom)]


SURE_HEIGHT, LEAST_SURE = 24, 0.6
"""Height in pixels of a box from which the size of its text takes nothing from the confidence in it, and what is left
of the confidence in the smallest."""


def _confidence(line: Line) -> float:
    """Return how sure the reader is of a text, 0 to 1: the recogniser's score, less for text of few pixels."""
    size = min(1.0, LEAST_SURE + (1 - LEAST_SURE) * line.thickness / SURE_HEIGHT)
    return round(min(1.0, line.score) * size, 2)


def _smoothed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Melt the dots of a dithered picture into tones, as they do for the eye; a label's strokes are wider than dots."""
    import cv2

    sigma = max(0.7, DOT * min(pixels.shape[:2]))
    return cast("NDArray[np.uint8]", cv2.GaussianBlur(pixels, (0, 0), sigma))


def _read(pixels: NDArray[np.uint8], boxes: list[Line]) -> list[Line]:
    """Read every text that was detected: single lines, and neighbours that belong together."""
    height, width = pixels.shape[:2]
    least = SMALLEST * min(width, height)
    boxes = [line for line in boxes if min(line.height, line.width) >= least]
    boxes = parted(boxes) + list(columns(boxes))
    boxes = [line for line in boxes if max(line.height, line.width) <= MAX_ASPECT * min(line.height, line.width)]
    boxes.sort(key=lambda line: (not at_edge(line, width, height), -min(line.height, line.width)))
    ways = [way for line in boxes for way in readings(pixels, line)][:MAX_READ]
    texts = engine.recognise([crop for _, crop in ways])
    found = [
        replace(line, text=mended(text, turned=bool(line.turn)), score=score)
        for (line, _), (text, score) in zip(ways, texts, strict=True)
        if text
    ]
    return [line for line in (*found, *_pairs(found)) if len(line.text) <= MAX_TEXT]


def _pairs(lines: list[Line]) -> list[Line]:
    """Return neighbours that continue each other, side by side or stacked, as one line."""
    joined: list[Line] = []
    for one in lines:
        for other in lines:
            if one is other or one.turn or other.turn or not joins(one.text, other.text):
                continue
            tall = min(one.height, other.height)
            rows = min(one.bottom, other.bottom) - max(one.top, other.top)
            overlap = min(one.right, other.right) - max(one.left, other.left)
            least = -0.9 if one.text.isascii() else -0.3  # two boxes may share a letter: "AI g", "generated"
            beside = rows > 0.5 * tall and least * tall <= other.left - one.right <= 1.5 * tall
            below = overlap > 0.5 * min(one.width, other.width) and -0.3 * tall <= other.top - one.bottom <= tall
            if max(one.height, other.height) < 1.5 * tall and (beside or below):
                whole = one.union(other)
                # The text height is that of one line.
                joined.append(replace(whole if beside else other, text=mended(whole.text)))
    return joined


def _finding(
    pixels: NDArray[np.uint8],
    others: Sequence[NDArray[np.uint8]],
    line: Line,
    reading: Reading,
    languages: tuple[str, ...],
    scale: int,
    *,
    anywhere: bool,
) -> Finding:
    height, width = pixels.shape[:2]
    size = measure(pixels, line, _element(line, reading), others)
    height_ratio = size.em / min(width, height)
    where = _position(line, width, height) if at_edge(line, width, height) else INSIDE
    value: dict[str, Any] = {
        "text": line.text,
        "box": _box(line, scale),
        "height_ratio": round(height_ratio, 4),
        "measured": "letters" if size.letters else "ideographs",
        "contrast": round(size.contrast, 2),
        "position": where,
        "confidence": _confidence(line),
        "vendor": reading.vendor or None,
        "languages": sorted(reading.languages),
    }
    if reading.certainty is not Certainty.GENERATED:
        value["certainty"] = str(reading.certainty)
    if line.turn:
        value["turned"] = str(line.turn)
    defects: list[Defect] = []
    if not reading.complies(languages):
        defects.append(defect("CN-VISIBLE-WORDING", _falls_short(line.text, reading, languages)))
    if where == INSIDE and not anywhere:
        message = "the label is inside the picture and not at an edge or a corner; or it belongs to what is depicted"
        defects.append(defect("CN-VISIBLE-POSITION", message))
    # Ink is measured to one row of pixels: ideographs that may have 5 % are not called too small.
    allowed = min(1 / min(width, height), ALLOWED) if size.sure else 0.0
    if height_ratio + allowed < MIN_HEIGHT_RATIO:
        defects.append(defect("CN-VISIBLE-SIZE", _too_small(size, line, width, height, scale)))
    if size.contrast < wcag.REQUIRED - 1.5:  # noise and compression distort it: only warn well below 4.5
        message = f"a contrast of about {size.contrast:.1f} : 1 is hard to read (WCAG 2 asks for 4.5 : 1)"
        defects.append(defect("CN-VISIBLE-CONTRAST", message))
    status = Status.DEFECTIVE if any(d.severity is Severity.ERROR for d in defects) else Status.PRESENT
    return Finding("visible", status, where, value, Signature.NONE, tuple(defects))


def _element(line: Line, reading: Reading) -> str:
    """Return what a text is measured by: its verb, or the ideographs of a brand mark, or the letters of one."""
    ideographs = "".join(c for c in line.text if c >= "\u3400")
    return reading.generation_element or ideographs[:2] or reading.ai_element or "AI"


def _falls_short(text: str, reading: Reading, languages: Sequence[str]) -> str:
    if reading.kind is Kind.BRAND:
        return f'"{text}" is the brand mark of a service: it lacks the generation element (生成 or 合成)'
    if "zh" not in languages:
        return (
            f'"{text}" says that AI made the content, but not in a language that is asked for ({", ".join(languages)})'
        )
    return (
        f'"{text}" says that AI made the content, but not in the words of the standard: '
        "人工智能 or AI together with 生成 or 合成"
    )


def _too_small(size: Measure, line: Line, width: int, height: int, scale: int) -> str:
    ink, em = f"{scale * size.ink:.0f} px", f"an em box of {scale * size.em:.0f} px"
    how = (
        f"letters with capitals of about {ink}, by the usual proportions {em}"
        if size.letters
        else f"ideographs with ink of about {ink}, so {em}"
    )
    words = (
        f"the text height is {size.em / min(width, height):.1%} of the shortest side instead of 5 % "
        f"(measured in the picture: {how})"
    )
    if scale * size.em >= LEGACY_PIXELS or line.width * line.height >= LEGACY_AREA * width * height:
        words += "; it satisfied the guide of 2023 (20 px or 0.3 % of the area), which GB 45438-2025 replaced"
    return words


def _position(line: Line, width: int, height: int) -> str:
    """Return the edge or corner that the text is at; there may be a logo between the text and the corner."""
    reach = NEAR * min(width, height)
    vertical = "top" if line.top <= reach else "bottom" if height - line.bottom <= reach else ""
    if vertical and line.turn and line.top > reach / 3 and height - line.bottom > reach / 3:
        vertical = ""  # tall text at a side reaches far up and down
    if vertical:
        horizontal = _side(line.left, width - line.right, "left", "right")
    else:
        horizontal = "left" if line.left <= width - line.right else "right"
    return "-".join(part for part in (vertical, horizontal) if part)


def _side(before: float, after: float, start: str, end: str) -> str:
    if before < after / 2:
        return start
    return end if after < before / 2 else ""
