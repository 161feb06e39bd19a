"""Copy a video file track by track with PyAV, and replace some packets of its video.

Only the file itself is read, with the demuxer for the format of its content. No playlist, path or address in it is
followed.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from labeling.codecs.packets import packet_of
from labeling.codecs.video.base import NO_VISIBLE, Packet, Stream
from labeling.codecs.video.packet_scan import Scan
from labeling.codecs.video.segment import Reencoder, codec_of
from labeling.containers import formats
from labeling.containers.base import OldFrame
from labeling.containers.format_row import Muxer
from labeling.errors import LabelingError, UnreadableFile, WriteError
from labeling.gates import gate

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

CODECS = {"libdav1d": "av1", "libvpx-vp9": "vp9", "libvpx": "vp8"}
"""Name of a decoder → name of its codec, where they differ."""

_STATISTICS = ("BPS", "NUMBER_OF_BYTES", "_STATISTICS_")


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn exceptions of PyAV into a :class:`LabelingError` that says what happened.

    Raises:
        WriteError: The disk is full, or does not allow to write.
        UnreadableFile: Anything else.
    """
    import av

    def broken(why: str) -> LabelingError:
        return UnreadableFile(f"the video cannot be re-muxed ({why}): it is damaged, or of an unknown kind")

    with gate("re-mux the video", broken):
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
                raise
            raise WriteError(f"the video cannot be written ({error.strerror})") from error


@contextmanager
def reading(path: Path, format: str) -> Iterator[InputContainer]:
    """Open a video file; ``format`` is a name of :data:`labeling.containers.formats.FORMATS`."""
    import av

    with clear_errors():
        container = av.open(f"file:{path}", format=formats.format_named(format).demuxer, metadata_errors="replace")
    try:
        yield container
    finally:
        container.close()


def muxer_of(path: Path, format: str) -> Muxer:
    """Return the muxer for a copy of a file, which its first bytes decide."""
    with path.open("rb") as file:
        return formats.format_named(format).muxer_of(file.read(formats.HEAD))


def video_of(container: InputContainer) -> VideoStream | None:
    """Return the first video track; an attached cover picture does not count."""
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    return next((stream for stream in container.streams.video if not stream.disposition & covers), None)


def others_of(container: InputContainer, video: VideoStream) -> int:
    """Count the video tracks besides one; pictures of covers and chapters are none."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return sum(each is not video and not each.disposition & still for each in container.streams.video)


def tag_of(stream: Any) -> str:
    """Return the four-character code by which the container names the codec; empty if there is none."""
    context = stream.codec_context
    tag = str(context.codec_tag) if context is not None else ""
    return tag if len(tag) == 4 and tag.isascii() and tag.isprintable() else ""


def bits_of(stream: Any) -> int:
    """Return the bits of a pixel as the container says, which raw video and some old codecs depend on; 0 if unknown."""
    bits = getattr(stream.codec_context, "bits_per_coded_sample", 0)
    return bits if isinstance(bits, int) and 0 < bits <= 64 else 0


def colour_of(stream: Any) -> tuple[int, ...]:
    """Return primaries, transfer, matrix and range of the colours as :attr:`Stream.colour` has them."""
    context = stream.codec_context
    found = context.color_primaries, context.color_trc, context.colorspace, context.color_range
    return tuple(int(each) for each in found)


def packets(container: InputContainer, only: Any = None) -> Iterator[av.Packet[Any]]:
    """Yield the packets of one track (``only``), or of all, in the order of the file.

    Raises:
        LabelingError: The video is encrypted.
    """
    from av.stream import Discard

    if only is not None:
        for other in container.streams:
            if other is not only:
                other.discard = Discard.all
    for packet in container.demux() if only is None else container.demux(only):
        if packet.size or packet.dts is not None:
            if packet.has_sidedata("encryption_info"):
                raise LabelingError("the video is encrypted", hint=f"label it before it is encrypted, or {NO_VISIBLE}")
            yield packet


class Place(NamedTuple):
    """A new packet, whose bytes are in a file of their own from ``start`` to ``end``."""

    pts: int
    dts: int
    key: bool
    start: int
    end: int


@dataclass(slots=True)
class Exchange:
    """New packets for the places of old ones.

    Attributes:
        old: The packets of the video in order, as far as any is replaced.
        new: Number of a packet → what takes its place; ``None`` leaves the place empty.
    """

    old: list[OldFrame] = field(default_factory=list)
    new: dict[int, Place | None] = field(default_factory=dict)


class Copier:
    """Copies all tracks; each run of the video that changes goes through a :class:`Reencoder`.

    Args:
        index: Index of the video track.
        stream: The video stream.
        scan: Which runs of its packets change.
        reencoder: Makes the re-encoder for a run, of which the stream has the configuration that is in force there.
        extradata: The decoder configuration that every run has to have.
        report: Called with the seconds that are done.
    """

    def __init__(
        self,
        index: int,
        stream: Stream,
        scan: Scan,
        reencoder: Callable[[Stream], Reencoder],
        extradata: bytes,
        report: Callable[[float], None],
    ) -> None:
        self.index, self.stream, self.scan, self.reencoder = index, stream, scan, reencoder
        self.extradata, self.report = extradata, report
        self.codec = codec_of(stream)
        self.runs = iter(scan.runs)
        self.run_: tuple[int, int | None] | None = next(self.runs, None)
        self.now: Reencoder | None = None
        self.number = -1
        self.before: int | None = None
        self.fresh = False  # the packet before this one is new, so a copied packet is a re-entry
        self.durations: dict[int, int] = {}
        self.reached = 0.0

    def run(self, source: InputContainer, target: Path, muxer: Muxer, extradata: bytes, codec: str) -> None:
        """Write ``target``; ``extradata`` and ``codec`` are those of the video in it."""
        import av

        covers = _covers(source) if muxer.has_attachments else {}
        with av.open(f"file:{target}", "w", format=muxer.name, container_options=dict(muxer.remux_options)) as out:
            for cover, picture in covers.items():
                words = source.streams[cover].metadata
                out.add_attachment(words.get("filename", "cover"), words.get("mimetype", "image/jpeg"), picture)
            tracks = _tracks(source, out, muxer, covers, self.index, extradata, codec, self.stream)
            out.metadata.update(source.metadata)
            chapters = source.chapters()
            if chapters:
                out.set_chapters(chapters)
            video = tracks[self.index]
            for packet in packets(source):
                track = tracks.get(packet.stream_index)
                if packet.stream_index == self.index:
                    for made in self._video(packet):
                        made.stream = video
                        out.mux_one(made)
                elif track is not None:
                    packet.stream = track
                    out.mux_one(packet)
            for made in self._end():
                made.stream = video
                out.mux_one(made)
            out.start_encoding()

    def exchange(self, source: InputContainer, out: BinaryIO) -> Exchange:
        """Re-encode the runs without copying anything else.

        Args:
            source: The video.
            out: Receives the new packets one after another.
        """
        found = Exchange()
        slots: deque[int] = deque()
        at = 0

        def store(made: Any, number: int) -> None:
            nonlocal at
            data = bytes(made)
            out.write(data)
            found.new[number] = Place(made.pts, made.dts, made.is_keyframe, at, at + len(data))
            at += len(data)

        for packet in packets(source, source.streams[self.index]):
            found.old.append(OldFrame(packet.pts, packet.dts, packet.size))
            hidden = self.codec.hidden(bytes(packet))
            made = self._video(packet)
            number, own = self.number, None
            if self.now is None:
                own = made.pop()
            else:
                found.new[number] = None  # until a new packet takes its place
                if not hidden:
                    slots.append(number)
            for each in made:
                store(each, slots.popleft())
            if self.now is None:
                slots.clear()
                if own is not packet:
                    store(own, number)
                if self.run_ is None and not self.fresh:
                    break
        for each in self._end():
            store(each, slots.popleft())
        return found

    def _video(self, packet: Any) -> list[Any]:
        """Return the packets to write for one packet of the video."""
        self.number += 1
        if packet.dts is not None or packet.pts is not None:
            self.before = self.scan.dts(self.number, packet.dts, self.before)
        dts = self.before if self.before is not None else 0
        done: list[Any] = []
        if self.now is not None and self.run_ is not None and self.number == self.run_[1]:
            done = self._end()
            self.run_ = next(self.runs, None)
        if self.stream.in_band:
            self.codec.note(bytes(packet))
        if self.run_ is not None and self.number == self.run_[0]:
            here = self.codec.configuration() if self.stream.in_band else self.stream.extradata
            self.now = self.reencoder(replace(self.stream, extradata=here))
        if self.now is not None:
            pts = dts if packet.pts is None else packet.pts
            if packet.duration:
                self.durations[pts] = packet.duration
            return done + self._made(self.now.feed(Packet(pts, dts, packet.is_keyframe, bytes(packet))))
        if packet.dts is None and packet.pts is not None:
            packet.dts = dts
        if self.fresh:
            self.fresh = False
            whole = self.codec.reentry(bytes(packet))
            if len(whole) != packet.size:
                packet = _with_data(packet, whole)
        return [*done, packet]

    def _end(self) -> list[Any]:
        if self.now is None:
            return []
        left = self._made(self.now.finish())
        self.now, self.fresh = None, True
        self.durations.clear()
        return left

    def _made(self, given: list[Packet]) -> list[Any]:
        if given and self.now is not None and self.now.extradata != self.extradata and not self.stream.in_band:
            raise LabelingError("the video's coding changes on the way", hint=NO_VISIBLE)
        made = []
        for pts, dts, key, data in given:
            packet = packet_of(data)
            packet.pts, packet.dts, packet.is_keyframe, packet.time_base = pts, dts, key, self.stream.time_base
            packet.duration = self.durations.pop(pts, 0)
            made.append(packet)
        if given:
            self.reached = max(self.reached, self.scan.seconds(given[-1].pts))
            self.report(self.reached)
        return made


def _with_data(packet: Any, data: bytes) -> Any:
    made = packet_of(data)
    made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
    made.time_base, made.is_keyframe = packet.time_base, packet.is_keyframe
    return made


def _covers(source: InputContainer) -> dict[int, bytes]:
    """Return Matroska's attached pictures by track; FFmpeg reads them as tracks, but does not write them as such.

    To be called on a demuxer that has not been read from.
    """
    from av.stream import Disposition

    wanted = {stream.index for stream in source.streams.video if stream.disposition & Disposition.attached_pic}
    found: dict[int, bytes] = {}
    for packet in source.demux(*(source.streams[index] for index in wanted)) if wanted else ():
        if packet.stream_index in wanted and packet.size:
            found[packet.stream_index] = bytes(packet)
        if len(found) == len(wanted):
            break
    return found


def _tracks(
    source: InputContainer,
    out: OutputContainer,
    muxer: Muxer,
    covers: Container[int],
    index: int,
    extradata: bytes,
    codec: str,
    stream: Stream,
) -> dict[int, Any]:
    """Create the same tracks in the target, and return them by the index of their source."""
    tracks: dict[int, Any] = {}
    for old in source.streams:
        if old.index in covers:
            continue
        new: Any
        try:
            if old.index == index and codec != stream.codec:
                new = out.add_mux_stream(codec, rate=stream.rate, width=stream.width, height=stream.height)
                new.time_base = stream.time_base
            else:
                new = out.add_stream_from_template(old, opaque=True)
        except (ValueError, LookupError) as error:
            raise LabelingError(
                f"track {old.index} ({old.type}) is of a kind that cannot be copied into this container ({error})",
                hint=f"remove it first, or {NO_VISIBLE}",
            ) from error
        new.metadata.update(
            {
                name: text
                for name, text in old.metadata.items()
                if old.index != index or not name.startswith(_STATISTICS)
            }
        )
        new.disposition = old.disposition
        tag = tag_of(old) if old.type == "video" else ""
        if old.index == index and new.codec_context is not None:
            new.codec_context.extradata = extradata or None
            aspect = getattr(old, "sample_aspect_ratio", None)  # what the container itself says, if it does
            if aspect:
                new.codec_context.sample_aspect_ratio = aspect
        if tag and new.codec_context is not None and (muxer.keeps_tags or new.codec_context.name == "prores"):
            new.codec_context.codec_tag = tag
        tracks[old.index] = new
    return tracks
