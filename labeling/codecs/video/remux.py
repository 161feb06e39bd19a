"""Draw an overlay on a video of any container that PyAV can write: Matroska, WebM, AVI, FLV, fragmented MP4.

All packets of other tracks are copied as they are. So are those of the video, except for the groups of pictures that
the overlay touches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from labeling import atomic_writes, containers
from labeling.codecs.base import Painter
from labeling.codecs.video import copier, matroska_display, segment
from labeling.codecs.video.base import (
    AS_ASKED,
    NAMES,
    NO_VISIBLE,
    PaintedVideo,
    Progress,
    Settings,
    Spans,
    Stream,
    bare,
)
from labeling.codecs.video.h264 import H264
from labeling.codecs.video.overlay import SizedOverlays, sane_crop
from labeling.codecs.video.packet_scan import RawPacket, Scan, scan_packets
from labeling.codecs.video.targets import candidates, choose
from labeling.codecs.video.written import Record
from labeling.containers import Crop, NewFrame, Unfit, formats
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat
from labeling.filebytes import FileBytes, FileRange
from labeling.options.video import REENCODE

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_ENCRYPTED = frozenset({"encv", "enca", "drmi"})


class VideoInfo(NamedTuple):
    """What is known of a video before anything is written.

    Attributes:
        stream: Its stream.
        track: Index of its track.
        seconds: Duration; 0 if unknown.
        rotation: Degrees clockwise by which a player rotates it.
        mirrored: Whether a player mirrors it after that.
        aspect: Width : height of one pixel.
        pix_fmt: FFmpeg's name of the pixel format.
        reorders: Whether pictures are decoded in another order than they are shown.
        crop: Pixels of the coded picture that players cut off: left, top, right, bottom.
        others: How many more video tracks there are.
    """

    stream: Stream
    track: int
    seconds: float
    rotation: int
    mirrored: bool
    aspect: Fraction
    pix_fmt: str
    reorders: bool
    crop: Crop = (0, 0, 0, 0)
    others: int = 0


def paint(
    source: Path,
    target: Path,
    format: str,
    painter: Painter,
    plan: Spans,
    *,
    reencode: str = "auto",
    settings: Settings | None = None,
    progress: Progress | None = None,
    data: FileBytes | None = None,
) -> PaintedVideo:
    """Write a copy of a video with the overlay on some of its pictures.

    Args:
        source: The file.
        target: The copy, which is left incomplete on failure.
        format: A name of :data:`labeling.containers.formats.FORMATS` that has muxers.
        painter: What draws the overlay.
        plan: When it is shown.
        reencode: "auto" re-encodes the whole video only if a part cannot be re-encoded on its own, and says why;
            "never" raises an error in that case; "always" re-encodes all of it.
        settings: Preset and quality; by default those of :data:`labeling.codecs.video.base.DEFAULTS`.
        progress: Called with the seconds done and those of the video.
        data: The same file, if it is open, with what is known of it already.

    Raises:
        LabelingError: The video cannot be labelled like this.
    """
    if data is None:
        with FileBytes(source.open("rb"), str(source)) as opened:
            return paint(
                source, target, format, painter, plan, reencode=reencode, settings=settings, progress=progress,
                data=opened,
            )  # fmt: skip
    if reencode not in REENCODE:
        raise LabelingError(f"`reencode` must be one of {', '.join(REENCODE)}, not {reencode!r}")
    row = formats.find(format)
    if row is None or not row.muxers:
        name = row.title if row else format
        raise UnsupportedFormat(
            f"the video of a file of the format {name} cannot be drawn on",
            hint=f"re-mux it to Matroska first, or {NO_VISIBLE}",
        )
    if not plan:
        raise LabelingError("there is no time at which to show the label", hint="pass a duration")
    settings = settings or Settings()
    why = ""
    with copier.reading(source, format) as container:
        video = _inspected(container)
    cut = containers.crop_of(data, format)
    video = video._replace(crop=sane_crop(cut, video.stream.width, video.stream.height))
    overlay = SizedOverlays(
        painter, rotation=video.rotation, mirrored=video.mirrored, sample_aspect=video.aspect, crop=video.crop
    )
    overlay.of(video.stream.width, video.stream.height)  # raises if there is no room for a label
    job = _Job(data, source, target, format, video, overlay, plan, settings, progress)
    if reencode != "always":
        try:
            scan = job.scanned(partial=True)
            why = _obstacle(job.video, scan)
            if not why:
                return job.write(scan, ())
            if reencode == "never":
                hint = 'pass `reencode="auto"` to re-encode all of it'
                raise LabelingError(f"the video cannot be re-encoded in part: {why}", hint=hint)
        except UnreadableFile:
            raise
        except LabelingError as error:
            if reencode == "never":
                raise
            why = error.message
    how = f"all of the video was re-encoded, {f'since {why}' if why else AS_ASKED}"
    return job.write(job.scanned(partial=False), (how,))


def _inspected(container: InputContainer) -> VideoInfo:
    """Find the video track and how it is shown, by decoding its first picture."""
    video = copier.video_of(container)
    if video is None:
        raise UnsupportedFormat(
            "the file has no video track to put a visible label on", hint="label it without one (`visible=False`)"
        )
    tag = copier.tag_of(video)
    if tag in _ENCRYPTED:
        raise LabelingError("the video is encrypted", hint=f"label it before it is encrypted, or {NO_VISIBLE}")
    context = video.codec_context
    if context is None:
        raise LabelingError(
            f"video of the kind {tag or 'unknown'} cannot be decoded here",
            hint=f"convert it to H.264 first, or {NO_VISIBLE}",
        )
    if video.metadata.get("alpha_mode") == "1":
        raise LabelingError(
            "the video has transparency, which would be lost",
            hint=f"label it before it is made transparent, or {NO_VISIBLE}",
        )
    rate = next((rate for rate in (video.average_rate, video.base_rate) if rate and 0 < rate <= 1000), Fraction(25))
    codec = copier.CODECS.get(context.name, context.name)
    stream = Stream(
        codec, context.extradata or b"", video.width, video.height, video.time_base or Fraction(1, 1000), rate, tag,
        copier.bits_of(video), colour=copier.colour_of(video),
    )  # fmt: skip
    rotation, mirrored, pix_fmt = 0, False, context.pix_fmt or ""
    for frame in _first_frame(container, video):
        rotation, mirrored = _turn(frame)
        pix_fmt = frame.format.name
        stream = replace(stream, width=frame.width, height=frame.height)
    aspect = video.sample_aspect_ratio or Fraction(1)
    seconds = (container.duration or 0) / 1e6
    aspect = aspect if aspect > 0 else Fraction(1)
    return VideoInfo(
        stream, video.index, seconds, rotation, mirrored, aspect, pix_fmt, context.reorder_depth > 0,
        others=copier.others_of(container, video),
    )  # fmt: skip


def _first_frame(container: InputContainer, video: VideoStream) -> Iterator[Any]:
    packets = 0
    with copier.clear_errors():
        for packet in container.demux(video):
            if packet.has_sidedata("encryption_info"):
                raise LabelingError("the video is encrypted", hint=f"label it before it is encrypted, or {NO_VISIBLE}")
            for frame in packet.decode():
                yield frame
                return
            packets += 1
            if packets > 300:
                break
    raise UnreadableFile("no picture of the video can be decoded: the file is damaged")


def _turn(frame: Any) -> tuple[int, bool]:
    """Return degrees clockwise and mirroring from the display matrix: x' = ax + cy, y' = bx + dy (14496-12 8.2.2)."""
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


def _obstacle(video: VideoInfo, scan: Scan) -> str:
    """Say why a part of the video cannot be re-encoded on its own; empty if it can."""
    first = scan.head[0].data if scan.head else b""
    if refusal := segment.refusal(video.stream, first):
        return refusal
    if segment.codec_of(video.stream).ordered:
        return f"{NAMES[video.stream.codec]} cannot be re-encoded in part in this container"
    if not scan.timed:
        return "its packets do not say when their pictures are shown"
    if not scan.clean:
        return "it does not begin with a picture that can be decoded on its own"
    if scan.opened:
        return "its groups of pictures are open: pictures after a key frame refer back to those before it"
    return ""


class _Job:
    """The work on one video."""

    def __init__(
        self,
        data: FileBytes,
        source: Path,
        target: Path,
        format: str,
        video: VideoInfo,
        overlay: SizedOverlays,
        plan: Spans,
        settings: Settings,
        progress: Progress | None,
    ) -> None:
        self.data, self.source, self.target, self.format, self.video = data, source, target, format, video
        self.overlay, self.plan, self.settings, self.progress = overlay, plan, settings, progress
        self.muxer = copier.muxer_of(source, format)

    def scanned(self, *, partial: bool) -> Scan:
        """Scan the packets of the video."""
        stream = self.video.stream
        step = max(1, round(1 / (stream.rate * stream.time_base)))
        scan = Scan(self.plan, stream.time_base, step)
        # AVI stores one time for each packet. FFmpeg guesses the other one, wrongly where pictures are reordered: the
        # n-th picture is shown at the n-th time, whichever packet it comes from.
        guessed = self.muxer.one_time and self.video.reorders
        with copier.reading(self.source, self.format) as container, copier.clear_errors():
            raws = (
                RawPacket(None if guessed else packet.pts, packet.dts, packet.duration or 0, bytes(packet))
                for packet in copier.packets(container, container.streams[self.video.track])
            )
            scan_packets(raws, segment.codec_of(stream), scan, partial=partial)
        codec = segment.codec_of(stream)
        if scan.sets or (isinstance(codec, H264) and codec.varies):
            self.video = self.video._replace(stream=replace(stream, sets=tuple(scan.sets), in_band=True))
        if not scan.head:
            raise UnreadableFile("the video has no pictures: the file is damaged")
        if not scan.seen:
            raise LabelingError("the video ends before the time at which the label is to begin")
        return scan

    def write(self, scan: Scan, how: tuple[str, ...]) -> PaintedVideo:
        """Write the copy; ``how`` says why everything is re-encoded, and is empty if only runs are."""
        codec = self.video.stream.codec if not how else self._whole_codec()
        options: dict[str, Any] = {"depth": scan.depth, "intra": scan.intra}
        if how:
            aspect = self.video.aspect if self.video.aspect != 1 else None
            options = {"depth": scan.depth, "codec": codec, "paced": not scan.timed, "aspect": aspect}
        if self.muxer.one_time:
            options["depth"] = 0  # AVI does not store when pictures are shown: they have to be in order
        trial = _trial(self.video.stream, scan, self.settings, options)
        new = trial.extradata
        extradata = new if how else segment.joined(self.video.stream, new)
        record = Record()

        def reencoder(stream: Stream) -> segment.Reencoder:
            return segment.Reencoder(stream, self.overlay, scan.wanted, self.settings, record=record, **options)

        def copying() -> copier.Copier:
            return copier.Copier(self.video.track, self.video.stream, scan, reencoder, new, self._report)

        if codec != self.video.stream.codec or not self._replace(copying(), extradata):
            self._remux(copying(), extradata, codec)
        encoded = tuple(
            (scan.seconds(low), scan.seconds(scan.last if high is None else high)) for low, high in scan.ranges
        )
        after = None if how or scan.ranges[-1][1] is None else encoded[-1][1]
        return PaintedVideo(
            self.overlay.first.box,
            self.overlay.first.displayed,
            scan.spans(),
            encoded,
            after,
            (*_words(how, encoded, after, ", ".join(record.words), scan), *bare(self.video.others)),
            {"track:video:1:codec": how[0]} if how else {},
            tuple(record.lost),
            None if how or scan.ranges[0][1] is None else encoded[0][1],
        )

    def _replace(self, copying: copier.Copier, extradata: bytes) -> bool:
        """Put new packets into the places of old ones in a copy of the file; return whether that is possible."""
        if not formats.format_named(self.format).replacer:
            return False
        self.target.touch()
        with atomic_writes.explained(self.target), tempfile.TemporaryFile(dir=self.target.parent) as packets:
            with copier.reading(self.source, self.format) as container, copier.clear_errors():
                found = copying.exchange(container, packets)
            packets.flush()
            fresh = FileBytes(packets, str(self.target))
            new = {
                number: place and NewFrame(place.pts, place.dts, place.key, FileRange(fresh, place.start, place.end))
                for number, place in found.new.items()
            }
            try:
                changed = None if extradata == self.video.stream.extradata else extradata
                pieces = containers.replace_frames(self.data, self.format, found.old, new, changed)
            except Unfit:
                return False
            atomic_writes.write_pieces(self.target, pieces)
        return True

    def _remux(self, copying: copier.Copier, extradata: bytes, codec: str) -> None:
        with copier.reading(self.source, self.format) as container, copier.clear_errors():
            copying.run(
                container, self.target, self.muxer, extradata if codec == self.video.stream.codec else b"", codec
            )
        if self.muxer.has_display_size and codec == self.video.stream.codec:
            self._display()
        elif codec != self.video.stream.codec:  # FFmpeg's muxer was told of the codec and the size alone
            self._mend()

    def _mend(self) -> None:
        beside = self.target.with_name(f"{self.target.name}.mended")
        try:
            with FileBytes(self.target.open("rb"), str(self.target)) as copy:
                pieces = containers.mended(self.data, copy, self.muxer)
                if not pieces:
                    return
                with atomic_writes.explained(self.target):
                    beside.touch()
                    atomic_writes.write_pieces(beside, pieces)
            beside.replace(self.target)
        finally:
            beside.unlink(missing_ok=True)

    def _display(self) -> None:
        left, top, right, bottom = self.video.crop
        width, height = self.video.stream.width - left - right, self.video.stream.height - top - bottom
        matroska_display.set_display(self.target, max(1, round(width * self.video.aspect)), height)

    def _whole_codec(self) -> str:
        """Return the codec for the whole video: its own if that can encode its pictures, else another that can."""
        own, pix_fmt = self.video.stream.codec, self.video.pix_fmt
        for codec in candidates(own, pix_fmt, self.muxer.fallback_codecs, exact=self.muxer.has_ffv1):
            if choose(codec, pix_fmt) is not None:
                return codec
        raise LabelingError(
            f"video coded as {NAMES.get(own, own)} with {pix_fmt} pictures cannot be encoded here",
            hint=f"convert it to H.264 first, or {NO_VISIBLE}",
        )

    def _report(self, seconds: float) -> None:
        if self.progress is not None:
            self.progress(seconds, max(self.video.seconds, seconds))


def _trial(stream: Stream, scan: Scan, settings: Settings, options: dict[str, Any]) -> segment.Reencoder:
    """Encode the first picture, since the file's header needs the decoder configuration of new ones."""
    trial = segment.Reencoder(stream, None, lambda _: False, settings, **options)
    for packet in scan.head:
        trial.feed(packet)
        if trial.ready:
            return trial
    trial.finish()
    return trial


def _words(
    how: tuple[str, ...], encoded: tuple[tuple[float, float], ...], after: float | None, made: str, scan: Scan
) -> tuple[str, ...]:
    if how:
        return (f"{how[0]}: {made}", "all other tracks are copied")
    parts = ", ".join(f"{low:.2f}–{high:.2f} s" for low, high in encoded)
    rest = "the whole video" if after is None and not scan.ranges[0][0] > scan.first else f"only {parts}"
    return (f"{rest} was re-encoded: {made}", "everything else is the same packets as before")
