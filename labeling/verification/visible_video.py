"""Looking for the explicit label of a film or sound: in the first two seconds as shown, or as a rhythm that is heard.

OCR is slow. It reads the first frame; whether the label stays is then told by comparing what is under its box, and OCR
decides only where that is in doubt: a label that fades, or through which a moving picture shines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError, MissingDependency, UnreadableFile
from labeling.findings import Defect, Finding, Signature, Status
from labeling.limits import MIN_SECONDS
from labeling.rule_catalogue import defect

if TYPE_CHECKING:
    from labeling.codecs.video.sample import Frame, Sampler
    from labeling.containers import Media

ROUNDING = 0.002
"""Seconds: Matroska and FLV round times to milliseconds."""

LATER = (0.5, 1.0, 2.0, 4.0)
"""Where a label is looked for that is not on the first frame, in seconds: animated ones take a second to be drawn."""

MAX_READINGS = 6
"""Frames that OCR reads while it follows a label. The last one before the two seconds are over is always read."""

APART, AGAIN = 0.4, 0.1
"""Seconds between two readings while in doubt; and until a reading without a label is repeated, before it counts."""

ENDS, BESIDE = 8.0, 4.0
"""Seconds of sound that are listened to at either end of a sound, and at the start of a film."""

DETAIL = 48
"""Height in pixels to which what is under a label is brought for comparing."""

_CLAUSE = "GB 45438-2025 5.4"


def find_explicit_label(
    source: Media | bytearray | memoryview,
    format: str,
    *,
    languages: tuple[str, ...],
    everywhere: bool = False,
    max_pixels: int | None = None,
) -> Finding:
    """Form the finding on the explicit label of a film or sound; ``format`` is a name of the table of formats.

    Its value has ``seconds``, from when to when the label is there as far as was looked, and the ``duration`` of the
    film; with ``everywhere`` also ``also``: whether it is in the "middle" and at the "end" as well. What
    cannot be decoded gives an ``unreadable`` finding. Raises :class:`~labeling.errors.MissingDependency` without an OCR
    engine or PyAV.
    """
    from labeling.codecs.video import sample
    from labeling.limits import MAX_PIXELS

    data = bytes(source) if isinstance(source, bytearray | memoryview) else source
    try:
        film = sample.opened(data, format, max_pixels=max_pixels or MAX_PIXELS)
        return _visible(film, languages, everywhere) if film.has_video else _audible(film)
    except MissingDependency:
        raise
    except LabelingError as error:
        why = defect("FILE-PIXELS", f"the video or audio could not be decoded: {error}", clause=_CLAUSE)
        return Finding("visible", Status.UNREADABLE, "", {}, Signature.NONE, (why,))


# --- films ------------------------------------------------------------------------------------------------------------


class _Reader:
    """OCR on frames, counted."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        self.count = 0
        self._languages = languages

    def read(self, shot: Frame) -> _Seen:
        from labeling.marks.visible import read_visible

        self.count += 1
        pixels = shot.rgb()
        return _Seen(shot, read_visible(pixels, languages=self._languages), (pixels.shape[1], pixels.shape[0]))


class _Seen:
    """What OCR found on a frame, and what is under it."""

    def __init__(self, shot: Frame, finding: Finding, size: tuple[int, int]) -> None:
        self.shot, self.finding, self._size = shot, finding, size
        self.there = finding.status is not Status.ABSENT
        self._detail = self._under(shot) if self.there else None

    def stays(self, shot: Frame) -> bool:
        """Tell cheaply whether the label is on another frame. ``False`` means that OCR has to say."""
        from labeling.marks.visible import kept

        if self._detail is None or not self._detail.size:
            return False
        height, width = self._detail.shape[:2]
        return kept(self._detail, self._under(shot), (0, 0, width, height))

    def _under(self, shot: Frame) -> Any:
        """The brightness under the label as (h, w, 3) uint8, reduced."""
        import cv2
        import numpy as np

        part = shot.luma(self.finding.value["box"], self._size)
        scale = DETAIL / max(1, min(part.shape))
        if scale < 1:
            part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        return np.repeat(part[..., None], 3, axis=2)


def _visible(film: Sampler, languages: tuple[str, ...], everywhere: bool) -> Finding:
    reader = _Reader(languages)
    shots = film.frames()
    seen = reader.read(next(shots))
    breach: Defect | None = None
    if seen.there:
        until, whole = _followed(seen, shots, reader)
        finding = _timed(seen.finding, film, 0.0, until)
        if not whole:
            message = f"the label is seen for the first {until:.2f} s only: {_asked(film.seconds)}"
            breach = defect("CN-VISIBLE-TIME", message)
    elif (later := _later(seen.shot, shots, reader)) is not None:
        shots.close()
        seen = later
        since, until = _around(seen, film)
        finding = _timed(seen.finding, film, since, until)
        words = (
            f"the label is seen from {since:.2f} s to {until:.2f} s: it has to be there from the first picture shown, "
            f"and for {MIN_SECONDS:.0f} s"
        )
        breach = defect("CN-VISIBLE-TIME", words)
    else:
        finding = seen.finding
    shots.close()
    if breach is not None:
        finding = replace(finding, status=Status.DEFECTIVE, defects=(*finding.defects, breach))
    if everywhere and film.seconds:
        finding = replace(finding, value=finding.value | {"also": _also(seen, film, reader)})
    rhythm = _beside(film)
    return replace(finding, value=finding.value | {"rhythm": rhythm}) if rhythm else finding


def _timed(finding: Finding, film: Sampler, since: float, until: float) -> Finding:
    """A frame's finding as one of the film: with times, and the clause for films."""
    value = finding.value | {"seconds": [round(since, 2), round(until, 2)]}
    if film.seconds:
        value["duration"] = round(film.seconds, 2)
    return replace(
        finding,
        value=value,
        defects=tuple(
            defect(each.rule, each.message, clause=_CLAUSE, severity=each.severity) for each in finding.defects
        ),
    )


def _followed(seen: _Seen, shots: Iterator[Frame], reader: _Reader) -> tuple[float, bool]:
    """Follow a label from the first frame on: until when it is there, and whether for as long as it has to be."""
    shot = seen.shot
    until, asked, doubt = shot.end, -APART, False
    while not _final(shot):
        following = next(shots, None)
        if following is None:  # more frames than are decoded: so far it was there
            return until, until >= shot.end
        shot = following
        if seen.stays(shot):
            until, doubt = shot.end, False
            continue
        pause = AGAIN if doubt else APART
        if not _final(shot) and (shot.seconds - asked < pause or reader.count >= MAX_READINGS):
            continue
        asked = shot.seconds
        read = reader.read(shot)
        if read.there:
            seen, until, doubt = read, shot.end, False
        elif doubt or _final(shot):
            return until, False
        else:
            doubt = True
    return until, until >= shot.end


def _final(shot: Frame) -> bool:
    return shot.last or shot.end >= MIN_SECONDS - ROUNDING


def _asked(duration: float) -> str:
    if 0 < duration < MIN_SECONDS:
        return f"a film of {duration:.2f} s has to show it throughout"
    return f"it has to be there for {MIN_SECONDS:.0f} s at normal speed"


def _later(first: Frame, shots: Iterator[Frame], reader: _Reader) -> _Seen | None:
    """Look for a label that is not on the first frame."""
    due = [time for time in LATER if time >= first.end]
    for shot in shots:
        if not due:
            return None
        if shot.end > due[0] or shot.last:
            due = [time for time in due if time >= shot.end]
            seen = reader.read(shot)
            if seen.there:
                return seen
    return None


def _around(seen: _Seen, film: Sampler) -> tuple[float, float]:
    """From when to when a label is there that OCR found on a later frame: without OCR, for two seconds at most."""
    found = seen.shot.seconds
    since, until = found, seen.shot.end
    there = False
    for shot in film.frames():
        if shot.seconds > found + MIN_SECONDS:
            break
        same = shot.seconds == found or seen.stays(shot)
        if shot.seconds <= found:
            since = shot.seconds if same and not there else since
        elif not same:
            break
        else:
            until = shot.end
        there = same
    return since, until


def _also(seen: _Seen, film: Sampler, reader: _Reader) -> list[str]:
    """Where else the label, or any, is: in the middle and at the end."""
    found = []
    for name, at in (("middle", film.seconds / 2), ("end", film.seconds)):
        try:
            shot = film.frame_at(at)
            if shot is not None and (seen.stays(shot) or reader.read(shot).there):
                found.append(name)
        except MissingDependency:
            raise
        except LabelingError:
            continue  # that part is damaged; the label at the start is judged all the same
    return found


def _beside(film: Sampler) -> list[float] | None:
    """When a film's sound track gives the rhythm at its start: evidence beside the text, never asked for."""
    if not film.has_audio:
        return None
    try:
        heard = _heard(film, 0.0, BESIDE)
    except LabelingError:
        return None
    return heard["seconds"] if heard else None


# --- sounds -----------------------------------------------------------------------------------------------------------


def _audible(film: Sampler) -> Finding:
    if not film.has_audio:
        raise UnreadableFile("there are neither pictures nor sound in it")
    heard = _heard(film, 0.0, ENDS)
    if heard is None and film.seconds > ENDS:
        heard = _heard(film, film.seconds - ENDS, ENDS)
    if heard is not None:
        since, until = heard["seconds"]
        value = {"kind": "rhythm", **heard} | ({"duration": round(film.seconds, 2)} if film.seconds else {})
        return Finding("visible", Status.PRESENT, f"audio {since:.2f}-{until:.2f} s", value, Signature.NONE)
    message = (
        "the rhythm short-long-short-short is not heard at the start or the end; spoken labels are not recognised, "
        "so none is said to be missing; listen to it"
    )
    why = defect("CN-AUDIBLE-SPEECH", message)
    return Finding("visible", Status.UNREADABLE, "", {}, Signature.NONE, (why,))


def _heard(film: Sampler, start: float, seconds: float) -> dict[str, Any] | None:
    """The surest rhythm in a part of the sound; raises :class:`UnreadableFile` if nothing of it can be decoded."""
    from labeling.codecs.video.sample import AUDIO_RATE
    from labeling.marks import audible

    begin, samples = film.audio(start, seconds)
    if not samples.size:
        raise UnreadableFile("no sound in it could be decoded; the file is damaged, or its codec is not known here")
    found = max(audible.find(samples, AUDIO_RATE), key=lambda rhythm: rhythm.confidence, default=None)
    if found is None:
        return None
    return {
        "seconds": [round(begin + found.start, 2), round(begin + found.end, 2)],
        "confidence": found.confidence,
    }
