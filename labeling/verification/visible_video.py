"""Look for the explicit label of video or audio: text in the first two seconds as shown, or a rhythm in the sound.

OCR is slow, so it reads the first frame. Whether the label stays is then found by comparing what is under its box. OCR
decides only in doubt: for a label that fades, or through which a moving picture shows.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labeling.errors import LabelingError, MissingDependency, UnreadableFile
from labeling.findings import Defect, Finding, Signature, Status
from labeling.limits import MIN_SECONDS
from labeling.rule_catalogue import defect
from labeling.rules.evidence import medium_of
from labeling.verification._undecoded import undecoded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labeling.codecs.video.sample import Sampler
    from labeling.codecs.video.shown_frame import Frame
    from labeling.containers import Contents, Media
    from labeling.verification.spoken_label import Known

ROUNDING = 0.002
"""Seconds: Matroska and FLV round times to milliseconds."""

LATER = (0.5, 1.0, 2.0, 4.0)
"""Seconds at which a label is looked for that is not on the first frame: animated labels take a second to appear."""

THOROUGH = frozenset({2.0, 4.0})
"""Those of :data:`LATER` at which the slow detector looks as well: any label that comes within four seconds and stays
for two, as GB 45438-2025 5.4 asks, is there at one of them."""

MAX_READINGS = 6
"""Frames that OCR may read while it follows a label; the last frame within the two seconds is always read."""

APART, AGAIN = 0.4, 0.1
"""Seconds between two readings while in doubt, and until a reading without a label is repeated before it counts."""

MAX_RIVALS = 3
"""Limit on further video tracks that are looked at."""

ENDS, BESIDE = 8.0, 4.0
"""Seconds of sound that are searched for the rhythm: at either end of audio, and at the start of a video."""

_CLAUSE = "GB 45438-2025 5.4"
_SOUND = "GB 45438-2025 5.3"


def find_explicit_label(
    source: Media | bytearray | memoryview,
    format: str,
    *,
    languages: tuple[str, ...],
    everywhere: bool = False,
    max_pixels: int | None = None,
    contents: Contents | None = None,
    recordings: Sequence[Known] = (),
) -> Finding:
    """Look for the explicit label of video or audio.

    Args:
        source: The file.
        format: Its format's name in :data:`labeling.containers.FORMATS`.
        languages: Languages in which the wording is accepted.
        everywhere: Whether to look in the middle and at the end of a video as well.
        max_pixels: Largest frame to decode; by default :data:`labeling.limits.MAX_PIXELS_READ`.
        contents: What :func:`labeling.containers.read` found in it; not needed of a file that has been labelled.
        recordings: Spoken labels that are known beside ours.

    Returns:
        The finding. Its value has ``seconds`` (from when to when the label was seen) and the ``duration`` of a video,
        and with ``everywhere`` the list ``also`` with "middle" and "end" where the label is there too. Where a mark
        that falls short, such as a brand mark, comes first, ``before`` has its text, position, vendor and box. A file
        that cannot be decoded, or not without a library that is missing, gives an ``unreadable`` finding.

    Raises:
        MissingDependency: There is no OCR engine.
    """
    from labeling.codecs.video import sample
    from labeling.limits import MAX_PIXELS_READ

    medium = "video" if contents is None else medium_of(contents.media_type)
    data = bytes(source) if isinstance(source, bytearray | memoryview) else source
    try:
        video = sample.opened(data, format, max_pixels=max_pixels or MAX_PIXELS_READ, contents=contents)
    except LabelingError as error:
        return undecoded(error, f"the {medium}", medium)
    try:
        return (
            _judge_tracks(video, languages, everywhere)
            if video.has_video
            else _judge_audio(video, languages, recordings)
        )
    except MissingDependency:
        raise
    except LabelingError as error:
        return undecoded(error, f"the {medium}", medium)


# --- video ------------------------------------------------------------------------------------------------------------


class _Reader:
    """OCR on frames; counts how many it has read."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        self.count = 0
        self._languages = languages

    def read(self, frame: Frame, *, thorough: bool = True) -> _Reading:
        from labeling.marks.visible import read_visible

        self.count += 1
        pixels = frame.rgb()
        finding = read_visible(pixels, languages=self._languages, anywhere=True, thorough=thorough)
        reading = _Reading(frame, finding, (pixels.shape[1], pixels.shape[0]))
        # Profiles that have no language in common accept different labels: one in any language is not passed over.
        reading.worded |= reading.there and not self._languages and bool(finding.value.get("languages"))
        return reading


class _Reading:
    """What OCR found on a frame, and the picture under it."""

    def __init__(self, frame: Frame, finding: Finding, size: tuple[int, int]) -> None:
        self.frame, self.finding, self._size = frame, finding, size
        self.there = finding.status not in (Status.ABSENT, Status.UNREADABLE)
        self.worded = self.there and all(each.rule != "CN-VISIBLE-WORDING" for each in finding.defects)
        self._detail = self._under(frame) if self.there else None

    def stays(self, frame: Frame) -> bool:
        """Return whether another frame has the same label, without OCR; ``False`` means that OCR must decide."""
        from labeling.marks.visible import same_text

        there = self._detail
        return there is not None and (other := self._under(frame)) is not None and same_text(there, other)

    def _under(self, frame: Frame) -> NDArray[np.float32] | None:
        from labeling.marks.visible import text_detail

        luma = frame.luma(self.finding.value["box"], self._size)
        return text_detail(luma) if luma.size else None


def _judge_tracks(video: Sampler, languages: tuple[str, ...], everywhere: bool) -> Finding:
    """Judge the track that players show, and say of others that they may show whether they have the label as well."""
    finding = _judge_video(video, languages, everywhere)
    said: list[str] = []
    if video.number != 1:
        said.append(
            f"video track {video.number} of {video.tracks} was looked at, which the file marks as the one to show"
        )
    for number in video.rivals[:MAX_RIVALS]:
        try:
            other = _judge_video(video.of(number), languages, False)
        except MissingDependency:
            raise
        except LabelingError as error:
            said.append(f"video track {number}, which players may show instead, was not looked at: {error.message}")
            continue
        if (other.status is Status.ABSENT) != (finding.status is Status.ABSENT):
            has = "has no visible label" if other.status is Status.ABSENT else "has a visible label"
            said.append(f"video track {number}, which players may show instead of track {video.number}, {has}")
    if len(video.rivals) > MAX_RIVALS:
        said.append(f"{1 + MAX_RIVALS} of {1 + len(video.rivals)} video tracks that players may show were looked at")
    return replace(finding, defects=(*finding.defects, *(defect("FILE-PARTS", message) for message in said)))


def _judge_video(video: Sampler, languages: tuple[str, ...], everywhere: bool) -> Finding:
    reader = _Reader(languages)
    frames = video.frames()
    first = reading = reader.read(next(frames))
    later = None if first.worded else _find_later(first, frames, reader)
    breach: Defect | None = None
    if later is None and reading.there:
        if not reading.worded:  # a brand mark, and no label comes after it: follow the mark
            frames.close()
            frames = video.frames()
            next(frames)
        until, whole = _follow(reading, frames, _Reader(languages))
        finding = _with_times(reading.finding, video, 0.0, until)
        if not whole:
            message = f"the label is shown for the first {until:.2f} s only: {_required(video.seconds)}"
            breach = defect("CN-VISIBLE-TIME", message)
    elif later is not None:
        frames.close()
        reading = later
        since, until = _extent(reading, video)
        finding = _with_times(reading.finding, video, since, until)
        words = (
            f"the label is shown from {since:.2f} s to {until:.2f} s: it must be there from the first frame on, "
            f"for {MIN_SECONDS:.0f} s"
        )
        if first.there:
            mark = _mark(first.finding)
            words += f'; the first frame has "{mark["text"]}", which falls short'
            finding = replace(finding, value=finding.value | {"before": mark})
        else:  # which may say that the first frame denies it, or that it cannot be read
            finding = replace(finding, defects=(*finding.defects, *first.finding.defects))
        breach = defect("CN-VISIBLE-TIME", words)
    else:
        finding = reading.finding
    frames.close()
    if breach is not None:
        finding = replace(finding, status=Status.DEFECTIVE, defects=(*finding.defects, breach))
    if everywhere and video.seconds:
        finding = replace(finding, value=finding.value | {"also": _elsewhere(reading, video, reader)})
    rhythm = _rhythm_in_video(video)
    return replace(finding, value=finding.value | {"rhythm": rhythm}) if rhythm else finding


def _mark(finding: Finding) -> dict[str, Any]:
    """Return what is said of a mark that falls short beside the label that does not."""
    return {key: finding.value[key] for key in ("text", "position", "vendor", "box")}


def _with_times(finding: Finding, video: Sampler, since: float, until: float) -> Finding:
    """Turn a frame's finding into one of the video: with times, and the clause for video."""
    value = finding.value | {"seconds": [round(since, 2), round(until, 2)]}
    if video.seconds:
        value["duration"] = round(video.seconds, 2)
    return replace(
        finding,
        value=value,
        defects=tuple(
            defect(each.rule, each.message, clause=_CLAUSE, severity=each.severity) for each in finding.defects
        ),
    )


def _follow(reading: _Reading, frames: Iterator[Frame], reader: _Reader) -> tuple[float, bool]:
    """Follow a label from the first frame on. Return until when it is there, and whether that is long enough."""
    frame = reading.frame
    until, asked, doubt = frame.end, -APART, False
    while not _final(frame):
        following = next(frames, None)
        if following is None:  # the limit of decoded frames: the label was there so far
            return until, until >= frame.end
        frame = following
        if reading.stays(frame):
            until, doubt = frame.end, False
            continue
        pause = AGAIN if doubt else APART
        if not _final(frame) and (frame.seconds - asked < pause or reader.count >= MAX_READINGS):
            continue
        asked = frame.seconds
        read = reader.read(frame)
        if read.there:
            reading, until, doubt = read, frame.end, False
        elif doubt or _final(frame):
            return until, False
        else:
            doubt = True
    return until, until >= frame.end


def _final(frame: Frame) -> bool:
    return frame.last or frame.end >= MIN_SECONDS - ROUNDING


def _required(duration: float) -> str:
    if 0 < duration < MIN_SECONDS:
        return f"a video of {duration:.2f} s must show it throughout"
    return f"it must be there for {MIN_SECONDS:.0f} s at normal speed"


def _find_later(first: _Reading, frames: Generator[Frame, float | None], reader: _Reader) -> _Reading | None:
    """Look for a label that appears after the first frame; a mark that falls short counts if the first has none."""
    short: _Reading | None = None
    due = [time for time in LATER if time >= first.frame.end]
    while due:
        try:
            frame = frames.send(due[0])
        except StopIteration:
            break
        if frame.end > due[0] or frame.last:
            passed = [time for time in due if time < frame.end]
            due = due[len(passed) :]
            reading = reader.read(frame, thorough=frame.last or not THOROUGH.isdisjoint(passed))
            if reading.worded:
                return reading
            short = short or (reading if reading.there and not first.there else None)
    return short


def _extent(reading: _Reading, video: Sampler) -> tuple[float, float]:
    """Return from when to when a label found on a later frame is there: by comparing, two seconds ahead at most."""
    found = reading.frame.seconds
    since, until = found, reading.frame.end
    there = False
    for frame in video.frames():
        if frame.seconds > found + MIN_SECONDS:
            break
        same = frame.seconds == found or reading.stays(frame)
        if frame.seconds <= found:
            since = frame.seconds if same and not there else since
        elif not same:
            break
        else:
            until = frame.end
        there = same
    return since, until


def _elsewhere(reading: _Reading, video: Sampler, reader: _Reader) -> list[str]:
    """Return where else the label, or another one, is: "middle" and "end"."""
    found = []
    for name, at in (("middle", video.seconds / 2), ("end", video.seconds)):
        try:
            frame = video.frame_at(at)
            if frame is not None and (reading.stays(frame) or reader.read(frame).there):
                found.append(name)
        except MissingDependency:
            raise
        except LabelingError:
            continue  # that part is damaged; the label at the start is judged all the same
    return found


def _rhythm_in_video(video: Sampler) -> list[float] | None:
    """Return when the sound track of a video gives the rhythm: evidence beside the text, which no rule asks for."""
    if not video.has_audio:
        return None
    try:
        rhythm = _find_rhythm(video, 0.0, BESIDE)
    except LabelingError:
        return None
    return rhythm["seconds"] if rhythm else None


# --- audio ------------------------------------------------------------------------------------------------------------


def _judge_audio(media: Sampler, languages: tuple[str, ...], recordings: Sequence[Known]) -> Finding:
    from labeling.verification import spoken_label

    if not media.has_audio:
        raise UnreadableFile("the file has neither video nor audio")
    known = spoken_label.everything(recordings)
    for start in (0.0, media.seconds - ENDS) if media.seconds > ENDS else (0.0,):
        if (rhythm := _find_rhythm(media, start, ENDS)) is not None:
            value = {"kind": "rhythm", **rhythm}
            if (spoken := _find_spoken(media, known)) is not None:
                value["beside"] = [spoken[1]]
            return _in_audio(value, media)
    if (spoken := _find_spoken(media, known)) is not None:
        which, value = spoken
        finding = _in_audio(value, media)
        if not which.language:
            message = "a recording that the caller calls a spoken label is heard; what it says was not judged"
            return replace(finding, defects=(defect("CN-AUDIBLE-SPEECH", message),))
        if which.language in languages:
            return finding
        message = f'the spoken label "{which.text}" is in a language whose words do not count here'
        why = defect("CN-VISIBLE-WORDING", message, clause=_SOUND)
        return replace(finding, status=Status.DEFECTIVE, defects=(why,))
    message = (
        "the rhythm short-long-short-short was not found at the start or the end, nor a spoken label that is known "
        f"here ({len(known)} recordings); other spoken labels are not recognised, so the label is not reported as "
        "missing; please listen to the file"
    )
    why = defect("CN-AUDIBLE-SPEECH", message)
    return Finding("visible", Status.UNREADABLE, "", {}, Signature.NONE, (why,))


def _find_spoken(media: Sampler, known: Sequence[Known]) -> tuple[Known, dict[str, Any]] | None:
    """Return the recording that is heard at the start or the end, and what a finding says of it."""
    from labeling.verification import spoken_label

    span = max(ENDS, spoken_label.longest(known) + ENDS / 2)
    for start in (0.0, media.seconds - span) if media.seconds > span else (0.0,):
        begin, samples = media.audio(start, span)
        if (heard := spoken_label.heard(samples, known)) is not None:
            which, where = heard
            seconds = [round(begin + where.start, 2), round(begin + where.end, 2)]
            return which, which.value() | {"seconds": seconds, "confidence": where.confidence}
    return None


def _in_audio(value: dict[str, Any], media: Sampler) -> Finding:
    since, until = value["seconds"]
    value |= {"duration": round(media.seconds, 2)} if media.seconds else {}
    return Finding("visible", Status.PRESENT, f"audio {since:.2f}-{until:.2f} s", value, Signature.NONE)


def _find_rhythm(media: Sampler, start: float, seconds: float) -> dict[str, Any] | None:
    """Return the most certain rhythm in a part of the sound. Raises :class:`UnreadableFile` if none can be decoded."""
    from labeling.codecs.video.sample import AUDIO_RATE
    from labeling.marks import audible

    begin, samples = media.audio(start, seconds)
    if not samples.size:
        raise UnreadableFile("no sound could be decoded: the file is damaged, or its codec is not known")
    there = [
        each
        for each in audible.find(samples, AUDIO_RATE)
        if audible.is_heard(samples, AUDIO_RATE, each.start, each.end)
    ]
    found = max(there, key=lambda rhythm: rhythm.confidence, default=None)
    if found is None:
        return None
    return {
        "seconds": [round(begin + found.start, 2), round(begin + found.end, 2)],
        "confidence": found.confidence,
    }
