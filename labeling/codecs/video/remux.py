"""An overlay on films of any container that PyAV can write: Matroska, WebM, AVI, FLV, fragmented MP4.

All packets of all other tracks are copied as they are, and of the video all but the runs that the overlay touches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from labeling.codecs.base import Painter
from labeling.codecs.video import copier, matroska_display, segment
from labeling.codecs.video.base import (
    DEFAULTS,
    NAMES,
    PaintedVideo,
    Plan,
    Settings,
    Stream,
)
from labeling.codecs.video.overlay import FrameOverlay, supports
from labeling.codecs.video.packet_scan import Raw, Scan, look_through
from labeling.containers import formats
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Progress = Callable[[float, float], None]

_ENCRYPTED = frozenset({"encv", "enca", "drmi"})


class Film(NamedTuple):
    """What is known of a film before anything is written."""

    stream: Stream
    track: int
    seconds: float
    rotation: int
    mirrored: bool
    aspect: Fraction
    pix_fmt: str
    reorders: bool


def paint(
    source: Path,
    target: Path,
    format: str,
    painter: Painter,
    plan: Plan,
    *,
    reencode: str = "auto",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> PaintedVideo:
    """Write a copy of a film with the overlay on the pictures of ``plan``.

    ``format`` is a name of :data:`labeling.containers.formats.FORMATS` that has muxers. ``reencode``: "auto" encodes
    the whole video anew only where a part cannot be, and says why; "never" raises then; "always" always does.
    ``progress`` is called with the seconds done and those of the film. ``target`` is left half written on failure.

    Raises :class:`LabelingError` or a kind of it.
    """
    if reencode not in ("auto", "never", "always"):
        raise LabelingError(f"--reencode is auto, never or always, not {reencode}")
    row = formats.find(format)
    if row is None or not row.muxers:
        raise UnsupportedFormat(f"a {format} file is no film that can be painted on")
    if not plan:
        raise LabelingError("the overlay is to be shown at no time; give a duration")
    settings = settings or Settings()
    why = ""
    with copier.reading(source, format) as container:
        film = _look(container)
    overlay = FrameOverlay(
        painter, film.stream.width, film.stream.height,
        rotation=film.rotation, mirrored=film.mirrored, sample_aspect=film.aspect,
    )  # fmt: skip
    job = _Job(source, target, format, film, overlay, plan, settings, progress)
    if reencode != "always":
        try:
            scan = job.scanned(partial=True)
            why = _obstacle(film, scan)
            if not why:
                return job.write(scan, ())
            if reencode == "never":
                raise LabelingError(f"the video cannot be encoded anew in part: {why}")
        except UnreadableFile:
            raise
        except LabelingError as error:
            if reencode == "never":
                raise
            why = str(error)
    how = f"all of the video was encoded anew, since {why}" if why else "all of the video was encoded anew, as asked"
    return job.write(job.scanned(partial=False), (how,))


def _look(container: InputContainer) -> Film:
    """Find the video and how it is shown, by decoding its first picture."""
    video = copier.video_of(container)
    if video is None:
        raise UnsupportedFormat(
            "the file has no video track; there is nothing to put a visible label on (--no-visible)"
        )
    tag = copier.tag_of(video)
    if tag in _ENCRYPTED:
        raise LabelingError("the video is encrypted; label the film before it is encrypted")
    context = video.codec_context
    if context is None:
        raise LabelingError(f"video of the kind {tag or 'unknown'} cannot be decoded here; convert it to H.264 first")
    if video.metadata.get("alpha_mode") == "1":
        raise LabelingError("the video has transparency, which would be lost; label it before it is made transparent")
    rate = next((rate for rate in (video.average_rate, video.base_rate) if rate and 0 < rate <= 1000), Fraction(25))
    codec = copier.CODECS.get(context.name, context.name)
    stream = Stream(
        codec, context.extradata or b"", video.width, video.height, video.time_base or Fraction(1, 1000), rate, tag
    )
    rotation, mirrored, pix_fmt = 0, False, context.pix_fmt or ""
    for frame in _first_frame(container, video):
        rotation, mirrored = _turn(frame)
        pix_fmt = frame.format.name
        stream = replace(stream, width=frame.width, height=frame.height)
    if not supports(pix_fmt):
        raise LabelingError(f"pictures of the pixel format {pix_fmt} cannot be drawn on; convert the video to yuv420p")
    aspect = video.sample_aspect_ratio or Fraction(1)
    seconds = (container.duration or 0) / 1e6
    aspect = aspect if aspect > 0 else Fraction(1)
    return Film(stream, video.index, seconds, rotation, mirrored, aspect, pix_fmt, context.reorder_depth > 0)


def _first_frame(container: InputContainer, video: VideoStream) -> Iterator[Any]:
    packets = 0
    with copier.clear_errors():
        for packet in container.demux(video):
            if packet.has_sidedata("encryption_info"):
                raise LabelingError("the video is encrypted; label the film before it is encrypted")
            for frame in packet.decode():
                yield frame
                return
            packets += 1
            if packets > 300:
                break
    raise UnreadableFile("no picture of the video can be decoded; the file is damaged")


def _turn(frame: Any) -> tuple[int, bool]:
    """Degrees clockwise and mirroring by the display matrix (ISO/IEC 14496-12 8.2.2): x' = ax + cy, y' = bx + dy."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or len(bytes(matrix)) < 36:
        return 0, False
    numbers = memoryview(bytes(matrix)[:36]).cast("i")
    a, b, c, d = numbers[0], numbers[1], numbers[3], numbers[4]
    mirrored = a * d - b * c < 0
    if mirrored:
        a = -a
    if abs(a) >= abs(b):
        return (0 if a > 0 else 180), mirrored
    return (90 if b > 0 else 270), mirrored


def _obstacle(film: Film, scan: Scan) -> str:
    """Say why only a part cannot be encoded; "" if it can."""
    first = scan.head[0].data if scan.head else b""
    if refusal := segment.refusal(film.stream, first):
        return refusal.partition(";")[0]
    if not scan.timed:
        return "its packets do not say when their pictures are shown"
    if not scan.clean:
        return "it does not begin with a picture that can be decoded alone"
    if scan.opened:
        return "its groups of pictures are open: pictures after a key frame refer back to those before it"
    return ""


class _Job:
    """One film on its way from source to target."""

    def __init__(
        self,
        source: Path,
        target: Path,
        format: str,
        film: Film,
        overlay: FrameOverlay,
        plan: Plan,
        settings: Settings,
        progress: Progress | None,
    ) -> None:
        self.source, self.target, self.format, self.film = source, target, format, film
        self.overlay, self.plan, self.settings, self.progress = overlay, plan, settings, progress
        self.muxer = copier.muxer_of(source, format)

    def scanned(self, *, partial: bool) -> Scan:
        """Look through the video's packets."""
        stream = self.film.stream
        step = max(1, round(1 / (stream.rate * stream.time_base)))
        scan = Scan(self.plan, stream.time_base, step)
        with copier.reading(self.source, self.format) as container, copier.clear_errors():
            raws = (
                Raw(packet.pts, packet.dts, packet.duration or 0, bytes(packet))
                for packet in copier.packets(container, container.streams[self.film.track])
            )
            look_through(raws, segment.codec_of(stream), scan, partial=partial)
        # AVI has one time for a packet, and FFmpeg's guess at the other is wrong where pictures are reordered.
        scan.timed &= not (self.muxer.one_time and self.film.reorders)
        if not scan.head:
            raise UnreadableFile("the video has no pictures; the file is damaged")
        if not scan.seen:
            raise LabelingError("the film is shorter than the time at which the overlay was to begin")
        return scan

    def write(self, scan: Scan, how: tuple[str, ...]) -> PaintedVideo:
        """Write the film; ``how`` says why all is encoded, and is empty where only runs are."""
        codec = self.film.stream.codec if not how else self._whole_codec()
        options: dict[str, Any] = {"depth": scan.depth, "intra": scan.intra}
        if how:
            aspect = self.film.aspect if self.film.aspect != 1 else None
            options = {"depth": scan.depth, "codec": codec, "paced": not scan.timed, "aspect": aspect}
        if self.muxer.one_time:
            options["depth"] = 0  # AVI does not say when pictures are shown: they have to come in order
        new = _configuration(self.film.stream, scan, self.settings, options)
        extradata = new if how else segment.joined(self.film.stream, new)
        made = segment.describe(replace(self.film.stream, codec=codec), self.settings)

        def reencoder() -> segment.Reencoder:
            return segment.Reencoder(self.film.stream, self.overlay, scan.wanted, self.settings, **options)

        copying = copier.Copier(self.film.track, self.film.stream, scan, reencoder, new, self._report)
        with copier.reading(self.source, self.format) as container, copier.clear_errors():
            copying.run(
                container, self.target, self.muxer, extradata if codec == self.film.stream.codec else b"", codec
            )
        if self.muxer.has_display_size:
            self._display()
        encoded = tuple(
            (scan.seconds(low), scan.seconds(scan.last if high is None else high)) for low, high in scan.ranges
        )
        after = None if how or scan.ranges[-1][1] is None else encoded[-1][1]
        return PaintedVideo(
            self.overlay.box,
            self.overlay.displayed,
            scan.spans(),
            encoded,
            after,
            _words(how, encoded, after, made, scan),
        )

    def _display(self) -> None:
        width, height, aspect = self.film.stream.width, self.film.stream.height, self.film.aspect
        matroska_display.set_display(self.target, max(1, round(width * aspect)), height)

    def _whole_codec(self) -> str:
        """Choose what the whole film is encoded with: its own codec if its pictures can be, or one that can."""
        own, pix_fmt = self.film.stream.codec, self.film.pix_fmt
        for codec in (own, *self.muxer.fallback_codecs) if own in DEFAULTS else ():
            if copier.encodes(DEFAULTS[codec].encoder, pix_fmt):
                return codec
        raise LabelingError(
            f"video coded as {NAMES.get(own, own)} with {pix_fmt} pictures cannot be encoded here; convert it to H.264 "
            "first, or label it without the visible text (--no-visible)"
        )

    def _report(self, seconds: float) -> None:
        if self.progress is not None:
            self.progress(seconds, max(self.film.seconds, seconds))


def _configuration(stream: Stream, scan: Scan, settings: Settings, options: dict[str, Any]) -> bytes:
    """Find the decoder configuration of new pictures, which a file's header needs, by encoding the film's first one."""
    trial = segment.Reencoder(stream, None, lambda _: False, settings, **options)
    for packet in scan.head:
        trial.feed(packet)
        if trial.ready:
            return trial.extradata
    trial.finish()
    return trial.extradata


def _words(
    how: tuple[str, ...], encoded: tuple[tuple[float, float], ...], after: float | None, made: str, scan: Scan
) -> tuple[str, ...]:
    if how:
        return (f"{how[0]}: {made}", "all other tracks are copied")
    parts = ", ".join(f"{low:.2f}–{high:.2f} s" for low, high in encoded)
    rest = "the whole film" if after is None and not scan.ranges[0][0] > scan.first else f"only {parts}"
    return (f"{rest} was encoded anew: {made}", "everything else is the same packets as before")
