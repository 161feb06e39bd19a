"""Look for the visible label of a still or an animation: on the first frame, on either ground, and on later frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labeling import codecs, containers
from labeling.errors import LabelingError, MissingDependency
from labeling.findings import Finding, Signature, Status
from labeling.marks import generator
from labeling.rule_catalogue import defect
from labeling.verification._undecoded import undecoded

if TYPE_CHECKING:
    from labeling.codecs.grounds import Shown

_CLAUSE, _PICTURE = "GB 45438-2025 5.2", "the picture"


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
        message = f"files of the format {format} are not rendered, so no visible label was looked for"
        return Finding("visible", Status.UNREADABLE, "", {}, Signature.NONE, (defect("FILE-PIXELS", message),))
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
        return undecoded(error, _PICTURE, _CLAUSE)
    if traces is not None and shown.alpha_bits:
        hidden = shown.alpha_bits.decode("latin-1")
        trace = generator.read(generator.ALPHA, hidden, "lowest bits of the alpha channel")
        traces += [trace] if trace is not None else []
    grounds, scale = shown.grounds, shown.scale
    try:
        finding = read_visible(grounds[0], grounds[1:], languages=languages, scale=scale)
        if finding.status is Status.ABSENT and len(grounds) > 1:
            # White ink on a transparent ground shows where the picture is placed on a dark page.
            white, black, gray = grounds
            finding = read_visible(black, (white, gray), languages=languages, scale=scale)
        elif finding.status is not Status.ABSENT and isinstance(source, bytes | bytearray | memoryview):
            return _over_time(finding, shown, source, format, orientation, languages, max_pixels)
        return finding
    except MissingDependency:
        raise
    except LabelingError as error:
        return undecoded(error, _PICTURE, _CLAUSE)


def _over_time(
    finding: Finding,
    first: Shown,
    data: bytes | bytearray | memoryview,
    format: str,
    orientation: int,
    languages: tuple[str, ...],
    max_pixels: int | None,
) -> Finding:
    """Add a defect if an animation loses its label; the frame in the middle and the last one are checked."""
    from labeling.marks.visible import kept, read_visible

    box = [value // first.scale for value in finding.value["box"]]
    for frame in codecs.displayed_frames(data, format, orientation=orientation, max_pixels=max_pixels):
        if kept(first.grounds[0], frame, box) or read_visible(frame, languages=languages).status is not Status.ABSENT:
            continue
        message = "a later frame of the animation lacks the label of the first: every frame must carry it"
        breach = defect("CN-VISIBLE-FRAMES", message)
        return replace(finding, status=Status.DEFECTIVE, defects=(*finding.defects, breach))
    return finding
