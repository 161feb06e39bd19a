"""When the visible label of a video is there, and how pictures are re-encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from labeling.limits import MIN_SECONDS
from labeling.options.declare import Option, check_options

WHEN = ("start", "start+end", "start+middle+end", "whole")
"""Where in a video the visible label may be. GB 45438-2025 5.4 asks for the start and allows the rest."""

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
        audio_cue: Mix the rhythm of GB 45438-2025 5.3 into the start of an audio file. Only PCM in WAV and AIFF can be
            changed without re-encoding it; other audio is refused.
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
    audio_cue: bool = field(
        default=False,
        metadata=Option(
            help="Mix the rhythm of GB 45438-2025 5.3, an audible label, into a WAV file", table=_TABLE, word="rhythm"
        ).metadata,
    )
    progress: Progress | None = None

    def __post_init__(self) -> None:
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
