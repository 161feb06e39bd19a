"""Draw a label on the video of an MP4 or MOV file without re-muxing it.

Only the groups of pictures under the label are re-encoded; everything else stays where it is. The new samples replace
the old ones one for one, so that chunks, decoding times, edit lists, other tracks and metadata remain valid. Only
sizes, display times and sync marks of the new samples change, and the decoder configuration gets a second set of
parameters beside the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from labeling.codecs.base import Box as Area
from labeling.codecs.base import Painter
from labeling.codecs.video.base import NO_VISIBLE, Progress, Settings, Spans
from labeling.codecs.video.mp4_samples import SampleEdit
from labeling.codecs.video.mp4_streams import Described, streams_of
from labeling.containers import formats
from labeling.containers.base import Media
from labeling.containers.edits import MediaEdit
from labeling.containers.mp4 import fragments, samples
from labeling.containers.mp4.layout import Layout, inner, lay_out
from labeling.containers.mp4.movie_box import Mp4Edits
from labeling.containers.mp4.samples import VideoTrack
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes
from labeling.losses import Loss


class PaintedInPlace(NamedTuple):
    """The changes that draw a label, ready to be made in a copy of the file.

    Attributes:
        edits: The changes, for :func:`labeling.containers.rewrite`.
        box: (left, top, right, bottom) of the label in the displayed picture.
        displayed: (width, height) of the displayed picture.
        how: What is done, in words.
        resumes: When the first copied picture behind re-encoded ones is shown, in seconds from the first one; ``None``
            if there is none.
        close: To be called once the copy is written.
        reasons: Why things are not in the new file that were in the old one, as in
            :class:`labeling.codecs.base.Painted`.
        lost: Losses that a comparison of the two files cannot see.
    """

    edits: Mp4Edits
    box: Area
    displayed: tuple[int, int]
    how: str
    resumes: float | None
    close: Callable[[], None]
    reasons: Mapping[str, str] = {}
    lost: tuple[Loss, ...] = ()


class Opened(NamedTuple):
    """A file whose video can be edited in place.

    Attributes:
        layout: Its boxes.
        view: Its movie box.
        track: The video track.
        described: The streams in it, one for each sample description.
    """

    layout: Layout
    view: memoryview
    track: VideoTrack
    described: tuple[Described, ...]

    @property
    def seconds(self) -> float:
        """Duration of the video, which may be shorter than that of the audio."""
        track = self.track
        edited = sum(seconds for media, seconds in track.edits if media >= 0)  # in fragmented files it may be 0
        rate = float(self.described[0].stream.rate)
        return edited or (max(track.pts) - min(track.pts)) / track.scale + 1 / rate

    @property
    def others(self) -> int:
        """How many more video tracks there are; pictures of chapters are none."""
        return max(0, samples.count_videos(self.view, inner(self.layout)) - 1)


def opened(data: Media) -> Opened | str:
    """Open a file to edit its video in place, or say why it has to be re-muxed instead."""
    layout = lay_out(data)
    view = memoryview(layout.movie)
    if layout.moov is None:
        return "there is no moov box"
    moov = inner(layout)
    track = samples.video_track(view, moov, samples.movie_scale(view, moov))
    if isinstance(track, str):
        return track
    if why := fragments.add_samples(data, layout, track):
        return why
    played = [seconds for media, seconds in track.edits if media >= 0]
    if played and not any(played) and layout.first(b"moof") is None:  # in fragments: "to the end" (14496-12, 8.6.6)
        raise LabelingError(
            "the video's edit list plays 0 seconds of it: players show nothing, or differ in what they show",
            hint=f"re-mux it with `ffmpeg -ignore_editlist 1 -i OLD -c copy NEW.mp4`, or {NO_VISIBLE}",
        )
    described = streams_of(data, view, track)
    return described if isinstance(described, str) else Opened(layout, view, track, described)


def paint(
    data: Media,
    video: Opened,
    painter: Painter,
    spans: Spans,
    temporary: Path,
    *,
    reencode: str = "auto",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> PaintedInPlace:
    """Draw an overlay on the pictures shown during ``spans``.

    Args:
        data: The file.
        video: The same, as :func:`opened` returned it.
        painter: What draws the overlay.
        spans: When it is shown.
        temporary: An existing file that receives the new samples. It must exist until the copy is written; then call
            ``close`` of the result.
        reencode: "auto" re-encodes the groups of pictures under the label, or everything from there on if no closed
            group follows; "never" raises an error in that case; "always" re-encodes all of the video.
        settings: Preset and quality; by default those of :data:`labeling.codecs.video.base.DEFAULTS`.
        progress: Called with the seconds done and those to do.

    Raises:
        LabelingError: The video cannot be labelled like this.
    """
    job = SampleEdit(
        data, video.layout, video.track, video.described, painter, spans, settings or Settings(), reencode,
        _fallbacks(data),
    )  # fmt: skip
    with temporary.open("wb") as out:
        job.run(out.write, progress)
    fresh = FileBytes(temporary.open("rb"), str(temporary))
    outside = _resized(data, video.layout, job.edits(fresh))
    outside += job.of_fragments(outside)
    return PaintedInPlace(
        (job.tables(video.view), outside),
        job.overlay.box,
        job.overlay.displayed,
        job.how(),
        job.resumes(),
        fresh.close,
        lost=tuple(job.record.lost),
    )


def _fallbacks(data: Media) -> tuple[str, ...]:
    """Return the codecs for a video whose own codec cannot be encoded."""
    return formats.format_named("mp4").muxer_of(bytes(data[: formats.HEAD])).fallback_codecs


def _resized(data: Media, layout: Layout, edits: list[MediaEdit]) -> list[MediaEdit]:
    """Return the edits, with those of the sizes of the mdat boxes around them."""
    more: list[MediaEdit] = []
    for each in layout.boxes:
        if each.type != b"mdat":
            continue
        delta = sum(len(new) - (end - start) for start, end, new in edits if each.body <= start and end <= each.end)
        if not any(data[each.start : each.start + 4]):
            continue  # it reaches to the end of the file, and has no size
        size = each.end - each.start + delta
        if each.body - each.start == 16:
            more.append((each.start + 8, each.start + 16, size.to_bytes(8, "big")))
        elif size >= 1 << 32:
            raise LabelingError("the new video has more than four gigabytes, too many for the mdat box of this file")
        elif delta:
            more.append((each.start, each.start + 4, size.to_bytes(4, "big")))
    return [*more, *edits]
