"""When the visible label of a video is there, and how pictures are re-encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from labeling.limits import MIN_SECONDS
from labeling.options.declare import Option, check_options

WHEN = ("start", "start+end", "start+middle+end", "whole")
"""Where in a video the visible label may be. GB 45438-2025 5.4 asks for the start and allows the rest."""

AUTO = "auto"
CUES = (AUTO, "rhythm", "spoken", "none")
CUE_AT = ("start", "end", "both")
"""What audible label an audio file gets, and where (GB 45438-2025 5.3)."""

REENCODE = ("auto", "never", "always")

Progress = Callable[[float, float], None]
"""Is called with the seconds of video that are done and those there are."""

_TABLE = "video"


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """When and how long the visible label of a video is shown, and how its pictures are re-encoded.

    Args:
        when: One of :data:`WHEN`.
        seconds: How long the label stays each time, at least 2 seconds (GB 45438-2025 5.4).
        reencode: "auto" re-encodes only the groups of pictures (GOPs) under the label, or the whole video where that
            cannot be proven right; "never" raises rather than re-encode the whole video; "always" re-encodes it.
        preset: The encoder's preset; ``None`` is the codec's stated one.
        crf: The encoder's quality, 0 (best) to 63; ``None`` is the codec's stated one, which is visually lossless.
        audio_cue: The audible label of an audio file (GB 45438-2025 5.3): "rhythm", short-long-short-short; "spoken", a
            sentence in the profile's language, spoken by a machine; the path of a recording of 0.8 to 20 s; "none"; or
            "auto", what the profile asks for, where it can be put into the file: the rhythm under cn, the sentence
            under in, nothing under others. ``True`` is "rhythm", and ``False`` "none". It is new sound in front of the
            content, whose coded sound stays.
        audio_cue_at: Where it is put: one of :data:`CUE_AT`. The start is before the content begins, the end behind it.
        progress: Is called with the seconds done and the seconds in all while pictures are re-encoded.

    Raises:
        LabelingError: A value is of a wrong type or out of bounds.

    Example:
        >>> import labeling
        >>> video = labeling.VideoOptions(when="start+end", seconds=3)
        >>> labeler = labeling.Labeler("my-service", video=video)
        >>> video.spans(60)
        ((0.0, 3), (57, None))
    """

    when: str = field(
        default="start",
        metadata=Option(help="Where in a video the visible label is", choices=WHEN, table=_TABLE).metadata,
    )
    seconds: float = field(
        default=MIN_SECONDS,
        metadata=Option(
            help="How long the visible label of a video stays, in seconds", low=MIN_SECONDS, unit="seconds",
            why="GB 45438-2025 5.4", table=_TABLE, flag="--duration", metavar="S",
        ).metadata,
    )  # fmt: skip
    reencode: str = field(
        default="auto",
        metadata=Option(
            help="Re-encode only what is under a video's label, or all where that cannot be done (auto); refuse "
            "rather than re-encode all (never); re-encode all (always)",
            choices=REENCODE, table=_TABLE,
        ).metadata,
    )  # fmt: skip
    preset: str | None = field(
        default=None,
        metadata=Option(
            help="Preset of the video encoder", unset="stated for each codec", table=_TABLE, example="faster",
            metavar="P",
        ).metadata,
    )  # fmt: skip
    crf: int | None = field(
        default=None,
        metadata=Option(
            help="Quality of the video encoder, 0 is best", unset="stated for each codec", low=0, high=63,
            table=_TABLE, example=17, metavar="N",
        ).metadata,
    )  # fmt: skip
    audio_cue: str | bool = field(
        default=AUTO,
        metadata=Option(
            help="The audible label of an audio file (GB 45438-2025 5.3): rhythm; spoken, a sentence; the path of a "
            "recording; none; or auto: what the profile asks for where the file can take it, the rhythm under cn",
            longest=4096, wanted=f"one of {', '.join(CUES)}, or the path of a recording", table=_TABLE,
            metavar="|".join((*CUES, "FILE")), or_path=CUES,
        ).metadata,
    )  # fmt: skip
    audio_cue_at: str = field(
        default="start",
        metadata=Option(
            help="Where the audible label is put: before the sound, behind it, or both", choices=CUE_AT, table=_TABLE
        ).metadata,
    )
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if isinstance(self.audio_cue, bool):
            object.__setattr__(self, "audio_cue", "rhythm" if self.audio_cue else "none")
        check_options(self)

    def spans(self, duration: float) -> tuple[tuple[float, float | None], ...]:
        """Return when the label is shown in a video of ``duration`` seconds.

        Returns:
            (start, end) pairs in seconds from the first picture shown; an end of ``None`` is the video's end. A video
            too short for all of them has one pair, from its start to its end.
        """
        times = self.when.count("+") + 1
        if self.when == "whole" or 0 < duration <= times * self.seconds:
            return ((0.0, None),)
        found: list[tuple[float, float | None]] = [(0.0, self.seconds)]
        if times == 3 and duration > 0:
            middle = (duration - self.seconds) / 2
            found.append((middle, middle + self.seconds))
        if times > 1 and duration > 0:
            found.append((duration - self.seconds, None))
        return tuple(found)
