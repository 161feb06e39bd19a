"""Look for the visible label of a still or an animation: on the first frame, on either ground, and on all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from labeling import codecs, containers
from labeling.errors import LabelingError, MissingDependency
from labeling.findings import Finding, Status
from labeling.marks import generator
from labeling.rule_catalogue import defect
from labeling.rules.evidence import medium_of
from labeling.verification._undecoded import undecoded, unrendered

if TYPE_CHECKING:
    from labeling.codecs.base import FurtherPictures, Pixels

MOST = 150_000_000
"""Limit on the pixels of all frames, pages or views that are decoded to see whether they have the label as well."""

READ_LATER = 8
MOST_SEARCHED = 30_000_000
"""Frames that are read, and limit on the pixels that are decoded, where the first one has no label. Where one frame has
more, only that is looked at."""

MAX_READINGS = 6
"""Limit on those that OCR reads, because what is under the label has changed."""

NOT_SEEN = (Status.ABSENT, Status.UNREADABLE)
"""What is said of a picture without a label, or with letters that may be one."""

WHITE, BLACK = 255, 0
_PICTURE = "the picture"


class _Source(NamedTuple):
    data: bytes | bytearray | memoryview
    format: str
    orientation: int
    max_pixels: int | None


def find_visible_label(
    source: Any,
    format: str,
    *,
    orientation: int,
    languages: tuple[str, ...],
    max_pixels: int | None = None,
    traces: list[Finding] | None = None,
) -> Finding:
    """Look for the visible label of a picture.

    Args:
        source: The file, or a PIL image.
        format: The format's name in :data:`labeling.containers.FORMATS`; ``""`` for a PIL image.
        orientation: The EXIF orientation, 1 to 8.
        languages: Languages in which the wording is accepted.
        max_pixels: Largest picture to decode.
        traces: Findings on traces of generators in the pixels are added to this list.

    Returns:
        The finding; a picture that cannot be decoded, or not without a library that is missing, gives an
        ``unreadable`` one.

    Raises:
        MissingDependency: There is no OCR engine.
    """
    if format and not containers.format_named(format).drawable:
        return unrendered(format, medium_of(containers.format_named(format).media_types[0]))
    if not (format and containers.format_named(format).by_libtiff):
        return _looked_for(source, format, orientation, languages, max_pixels, traces)
    from labeling.codecs.libtiff import listening

    with listening() as faults:
        finding = _looked_for(source, format, orientation, languages, max_pixels, traces)
    if not faults.count:
        return finding
    message = f"libtiff found {faults.count:,} faults in the picture data; what they spoilt was not seen"
    return replace(finding, defects=(*finding.defects, defect("FILE-STRUCTURE", message)))


def _looked_for(
    source: Any,
    format: str,
    orientation: int,
    languages: tuple[str, ...],
    max_pixels: int | None,
    traces: list[Finding] | None,
) -> Finding:
    from labeling.marks.visible import read_visible

    try:
        shown = codecs.displayed_on_grounds(source, format, orientation=orientation, max_pixels=max_pixels)
    except LabelingError as error:
        return undecoded(error, _PICTURE, "image")
    if traces is not None and shown.alpha_bits:
        hidden = shown.alpha_bits.decode("latin-1")
        trace = generator.read(generator.ALPHA, hidden, "lowest bits of the alpha channel")
        traces += [trace] if trace is not None else []
    grounds, scale = shown.grounds, shown.scale
    try:
        finding = read_visible(grounds[0], grounds[1:], languages=languages, scale=scale)
        read, ground = grounds[0], WHITE
        if finding.status is Status.ABSENT and len(grounds) > 1:
            # White ink on a transparent ground shows where the picture is placed on a dark page.
            white, black, gray = grounds
            finding = read_visible(black, (white, gray), languages=languages, scale=scale)
            read, ground = black, BLACK
        if not isinstance(source, bytes | bytearray | memoryview):
            return finding
        file = _Source(source, format, orientation, max_pixels)
        if (
            not _worded(finding, languages)
            and (later := _found_later(finding, grounds[0], scale, file, languages)) is not None
        ):
            return later
        if finding.status not in NOT_SEEN:
            return _in_all(finding, read, scale, ground, file, languages)
        return finding
    except MissingDependency:
        raise
    except LabelingError as error:
        return undecoded(error, _PICTURE, "image")


def _worded(finding: Finding, languages: tuple[str, ...]) -> bool:
    """Return whether a label is there in accepted words; in those of any language, if profiles have none in common."""
    if finding.status in NOT_SEEN:
        return False
    anyhow = not languages and bool(finding.value.get("languages"))
    return anyhow or all(each.rule != "CN-VISIBLE-WORDING" for each in finding.defects)


class _Known:
    """A picture with the label, and where it is on it."""

    def __init__(self, picture: Pixels, box: list[int]) -> None:
        self._picture, self._box = picture, box

    def stays(self, picture: Pixels) -> bool:
        from labeling.marks.visible import kept

        return kept(self._picture, picture, self._box)


def _found_later(
    finding: Finding, first: Pixels, scale: int, source: _Source, languages: tuple[str, ...]
) -> Finding | None:
    """Look for a label behind a first picture that has none, or only a mark that falls short.

    Of an animation, about :data:`READ_LATER` frames are read, as far apart from each other as that needs.
    """
    from labeling.marks.visible import read_visible

    if first.shape[0] * first.shape[1] * scale**2 > MOST_SEARCHED:
        return None
    further = codecs.displayed_further(
        source.data, source.format, orientation=source.orientation, max_pixels=source.max_pixels, most=MOST_SEARCHED
    )
    if further.total < 2 or further.word != "frame":
        return None
    step, before = max(1, further.total // READ_LATER), first
    for number, picture in enumerate(_sound(further.pictures), 2):
        if (number - 2) % step and number != further.total:
            continue
        small = _as_large_as(first, picture)
        if small.shape == before.shape and np.array_equal(small, before):
            continue
        before = small
        there = read_visible(small, languages=languages, scale=scale, thorough=number == 2)
        if not _worded(there, languages):
            continue
        bare = f"{further.called(1)} lacks the label that {further.called(number)} has: every frame must carry it"
        breach = defect("CN-VISIBLE-FRAMES", bare)
        value = there.value
        if finding.status not in NOT_SEEN:
            value = value | {"before": {key: finding.value[key] for key in ("text", "position", "vendor", "box")}}
        denial = finding.defects if finding.status in NOT_SEEN else ()
        return replace(there, status=Status.DEFECTIVE, value=value, defects=(*there.defects, breach, *denial))
    return None


def _sound(pictures: Iterator[Pixels]) -> Iterator[Pixels]:
    """Yield pictures up to the first that does not decode; the first one has no label in any case."""
    try:
        yield from pictures
    except MissingDependency:
        raise
    except LabelingError:
        return


def _in_all(
    finding: Finding, first: Pixels, scale: int, ground: int, source: _Source, languages: tuple[str, ...]
) -> Finding:
    """Check the pictures behind the first one, which has the label.

    What is under the label is compared, frame by frame. Where it is not the same, OCR decides; it is slow, and reads
    only some of many such frames.
    """
    from labeling.marks.visible import read_visible

    further = codecs.displayed_further(
        source.data, source.format, orientation=source.orientation, max_pixels=source.max_pixels, most=MOST,
        ground=ground,
    )  # fmt: skip
    if further.total < 2:
        return finding
    known = [_Known(first, [value // scale for value in finding.value["box"]])]
    read = asked = number = 0
    seen, damage = 1, ""
    try:
        for number, picture in enumerate(further.pictures, 2):
            small = _as_large_as(first, picture)
            if any(each.stays(small) for each in known):
                seen += 1
                continue
            if read >= MAX_READINGS // 2 and (read >= MAX_READINGS or number - asked < further.total // MAX_READINGS):
                continue
            read, asked = read + 1, number
            there = read_visible(small, languages=languages)
            if there.status in NOT_SEEN:
                return _bare(finding, further, number)
            seen += 1
            known.append(_Known(small, there.value["box"]))
    except MissingDependency:
        raise
    except LabelingError as error:
        damage = f" ({error.message})"
    if seen >= further.total:
        return finding
    message = f"{seen} of {further.total} {further.word}s were found to have the label; not all were looked at{damage}"
    return replace(finding, defects=(*finding.defects, defect("FILE-PARTS", message)))


def _bare(finding: Finding, further: FurtherPictures, number: int) -> Finding:
    """Return the finding with the defect that a picture behind the first one has no label."""
    which = further.called(number)
    if further.word != "frame":
        message = f"{which} has no visible label at an edge or corner; the first one has"
        return replace(finding, defects=(*finding.defects, defect("FILE-PARTS", message)))
    first = "static image, which is no part of the animation" if further.apart else "first"
    message = f"{which} lacks the label of the {first}: every frame of an animation must carry it"
    breach = defect("CN-VISIBLE-FRAMES", message)
    return replace(finding, status=Status.DEFECTIVE, defects=(*finding.defects, breach))


def _as_large_as(first: Pixels, picture: Pixels) -> Pixels:
    """Return a frame reduced as the first one was."""
    import cv2

    (height, width), (rows, columns) = first.shape[:2], picture.shape[:2]
    if (rows, columns) == (height, width) or rows // height != columns // width or rows < 2 * height:
        return picture
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
