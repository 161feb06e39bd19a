"""The engine of smart rendering: a run of packets is decoded, drawn on, and encoded so that the rest can be copied.

It knows no container: packets come, packets go. The i-th packet that goes has the i-th dts that came, and all together
have the pts that came, so a container's tables of times can stay as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from labeling.codecs import MAX_PIXELS
from labeling.codecs.video.base import (
    Codec,
    Encoding,
    Join,
    Packet,
    Settings,
    Stream,
    coding,
    describe,
    reorder_depth,
)
from labeling.errors import LabelingError, TooLarge, UnreadableFile

if TYPE_CHECKING:
    import av

__all__ = [
    "Join",
    "Packet",
    "Reencoder",
    "Settings",
    "Stream",
    "describe",
    "join",
    "joined",
    "reentry",
    "refusal",
    "reorder_depth",
]

MAX_PENDING = 512
"""Pictures between a packet that goes in and its own that comes out; encoders look ahead by some dozens."""

_DECODERS = {"av1": "libdav1d"}


class Overlay(Protocol):
    """What is drawn: :class:`labeling.codecs.video.overlay.FrameOverlay`."""

    def draw(self, frame: av.VideoFrame) -> None:
        """Draw in place."""
        ...

    def save(self, frame: av.VideoFrame) -> Any:
        """Copy what ``draw`` will touch."""
        ...

    def restore(self, frame: av.VideoFrame, saved: Any) -> None:
        """Put it back."""
        ...


def codec_of(stream: Stream) -> Codec:
    """Give what is known of the stream's codec. Raises :class:`UnreadableFile` if its configuration is damaged."""
    from labeling.codecs.video import h264, hevc, open_codecs

    made: Codec
    if stream.codec == "h264":
        made = h264.H264(stream)
    elif stream.codec == "hevc":
        made = hevc.Hevc(stream)
    else:
        made = open_codecs.CODECS.get(stream.codec, open_codecs.Whole)(stream)
    return made


def refusal(stream: Stream, first: bytes = b"") -> str:
    """Say why this stream cannot be encoded anew in part; "" if it can. ``first`` is its first packet, if at hand."""
    try:
        return codec_of(stream).refusal(first)
    except LabelingError as error:
        return str(error)


def join(stream: Stream, data: bytes) -> Join:
    """Say whether decoding may start at this packet. For many packets ask :func:`codec_of` once."""
    return codec_of(stream).join(data)


def joined(stream: Stream, new_extradata: bytes) -> bytes:
    """Give the decoder configuration for the source's part and a new part (:attr:`Reencoder.extradata`) together."""
    return codec_of(stream).joined(new_extradata)


def reentry(stream: Stream, data: bytes) -> bytes:
    """Give the first copied packet after a new part, with what a decoder needs to start there; mostly as it is."""
    return codec_of(stream).reentry(data)


class Reencoder:
    """Decodes a run of packets, draws on some of its pictures, encodes all of them with the source's properties.

    The run starts at a :attr:`Join.CLEAN` packet and ends before another, or at the end. ``wanted(pts)`` says whether
    a picture gets the overlay. ``depth`` is how many pictures may be decoded ahead of their turn: what
    :func:`reorder_depth` says of these packets, 0 being always safe. ``intra``: every picture is to be a key frame, as
    in the source. One object does one run; runs with the same settings and depth have the same :attr:`extradata`.

    For whole streams only: ``codec`` encodes them with another codec. ``paced`` is for packets whose pts are not
    known: the n-th picture is shown at the n-th dts, and nothing is said if there are fewer pictures than packets.
    ``aspect`` is the shape of a pixel, width : height, where the coded stream's own is not to be kept.
    """

    def __init__(
        self,
        stream: Stream,
        overlay: Overlay | None,
        wanted: Callable[[int], bool],
        settings: Settings,
        *,
        depth: int = 0,
        intra: bool = False,
        codec: str = "",
        paced: bool = False,
        aspect: Fraction | None = None,
    ) -> None:
        self._stream, self._overlay, self._wanted, self._settings = stream, overlay, wanted, settings
        self._depth, self._intra, self._paced = 0 if paced else depth, intra, paced
        self._aspect = aspect
        self._source = codec_of(stream)
        self._strict = not paced and not self._source.refusal()  # decoders of older codecs doubt sound pictures
        self._alike = codec in ("", stream.codec)
        self._target = stream if self._alike else replace(stream, codec=codec, extradata=b"", tag="")
        self._codec = self._source if self._alike else codec_of(self._target)
        self._copies = self._source.copies or self._codec.copies
        self._encoder_name = coding(self._target, settings).encoder
        self._decoder = _decoder(stream)
        self._encoder: av.VideoCodecContext | None = None
        self._extradata = b""
        self._slots: deque[int] = deque()  # dts that came and have not gone
        self._waiting: dict[int, tuple[bool, Any]] = {}  # pts → key frame?, SEI; not decoded yet
        self._number = 0  # of the next picture that the encoder gets: they come in the order of display
        self._sent: dict[int, tuple[int, Any]] = {}  # number → pts, SEI; encoded, but not given yet
        self.drawn = 0
        """Pictures that have got the overlay so far."""

    @property
    def ready(self) -> bool:
        """Is :attr:`extradata` known?"""
        return self._encoder is not None

    @property
    def extradata(self) -> bytes:
        """The new part's decoder configuration in the container's own form, known once a picture has been decoded."""
        if self._encoder is None:
            raise LabelingError("the video has no picture that can be decoded")
        return self._extradata

    def run(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Give exactly as many packets as come (but VP8's hidden ones). Holds some dozens of pictures at a time.

        Raises :class:`UnreadableFile` for packets that cannot be decoded.
        """
        for packet in packets:
            yield from self.feed(packet)
        yield from self.finish()

    def feed(self, packet: Packet) -> list[Packet]:
        """Take one packet, in the order of decoding; give those that are ready."""
        if self._source.hidden(packet.data):
            self._decode(packet)
            return []
        if self._paced:
            packet = packet._replace(pts=packet.dts)
        if packet.pts in self._waiting:
            raise UnreadableFile(f"two pictures of the video are shown at the same time (tick {packet.pts})")
        carried = self._source.carried(packet.data) if self._alike and not self._paced else ()
        key = self._intra or self._source.join(packet.data) is not Join.NONE
        self._waiting[packet.pts] = (key, carried)
        self._slots.append(packet.dts)
        if len(self._slots) > MAX_PENDING:
            raise self._undecodable(packet.pts)
        return [done for frame in self._decode(packet) for done in self._take(frame)]

    def finish(self) -> list[Packet]:
        """Say that no packet will come; give what is left."""
        done = [packet for frame in self._decode(None) for packet in self._take(frame)]
        if self._waiting and not self._paced:
            raise self._undecodable(min(self._waiting))
        if self._encoder is not None:
            done += self._packed(self._encode(None))
        if len(self._slots) > len(self._waiting):
            raise LabelingError("the encoder gave fewer pictures than it got; please report this")
        return done

    def _decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        import av

        given = None
        if packet is not None:
            given = av.Packet(packet.data)
            given.pts, given.dts, given.time_base = packet.pts, packet.dts, self._stream.time_base
        try:
            return self._decoder.decode(given)
        except av.error.FFmpegError as error:
            where = f"at {float(packet.pts * self._stream.time_base):.2f} s" if packet else "at its end"
            raise UnreadableFile(f"the video cannot be decoded {where} ({error.strerror}); it is damaged") from error

    def _take(self, frame: av.VideoFrame) -> list[Packet]:
        if self._paced and self._waiting:
            frame.pts = min(self._waiting)
        known = self._waiting.pop(frame.pts, None) if frame.pts is not None else None
        if known is None or (frame.is_corrupt and self._strict):
            raise self._undecodable(frame.pts)
        encoder = self._encoder or self._open(frame)
        pts, (key, carried) = int(frame.pts or 0), known
        number = self._number
        self._number += 1
        self._sent[number] = (pts, carried)
        if (frame.width, frame.height, frame.format.name) != (encoder.width, encoder.height, encoder.pix_fmt):
            raise UnreadableFile("the video's picture size or pixel format changes within the stream; convert it first")
        overlay = self._overlay if self._wanted(pts) else None
        saved = None
        if overlay is not None:
            if self._copies:
                frame.make_writable()
            else:
                saved = overlay.save(frame)
            overlay.draw(frame)
            self.drawn += 1
        frame.pict_type = 1 if key or number == 0 else 0  # 1 asks for a key frame, 0 leaves it to the encoder
        frame.pts, frame.time_base = number, encoder.time_base
        done = self._encode(frame)
        if overlay is not None and saved is not None:
            overlay.restore(frame, saved)  # the decoder still predicts from this picture
        return self._packed(done)

    def _encode(self, frame: av.VideoFrame | None) -> list[Any]:
        import av

        assert self._encoder is not None
        try:
            return list(self._encoder.encode(frame))
        except (av.error.FFmpegError, ValueError) as error:
            raise LabelingError(f"the encoder failed ({error}); try other settings") from error

    def _packed(self, packets: list[Any]) -> list[Packet]:
        given = []
        for packet in packets:
            pts, carried = self._sent.pop(int(packet.pts or 0))
            dts = self._slots.popleft()
            if pts < dts:
                raise LabelingError("the new pictures would come too late; please report this")
            data = self._codec.pack(bytes(packet), carried, packet.is_keyframe)
            given.append(Packet(pts, dts, packet.is_keyframe, data))
        return given

    def _open(self, frame: av.VideoFrame) -> av.VideoCodecContext:
        import av

        encoder: av.VideoCodecContext = av.CodecContext.create(self._encoder_name, "w")  # type: ignore[assignment]
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
        encoder.color_primaries, encoder.color_trc = frame.color_primaries, frame.color_trc
        encoder.colorspace, encoder.color_range = frame.colorspace, frame.color_range
        aspect = self._aspect or self._decoder.sample_aspect_ratio
        if aspect:
            encoder.sample_aspect_ratio = aspect
        rate = self._stream.rate if 0 < self._stream.rate <= 1000 else Fraction(25)
        # Times are put back afterwards: an encoder that counts pictures spreads its bits evenly whatever their times.
        rate = rate.limit_denominator(1 << 16)
        encoder.time_base, encoder.framerate = 1 / rate, rate
        encoding = Encoding(self._settings, self._depth, self._intra, frame.interlaced_frame, frame.format.name)
        encoder.options = self._codec.prepare(encoder, encoding)
        if encoder.name == "libx264":
            # By default x264 would cut pictures into slices, which is slower and coarser. It copies a picture at once;
            # encoders of FFmpeg's own that work on several at a time do not.
            encoder.thread_type = "AUTO"
        try:
            encoder.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise LabelingError(
                f"{frame.format.name} pictures cannot be encoded with {encoder.name} here ({error}); "
                "convert the video first, or label it without the visible text (--no-visible)"
            ) from error
        self._extradata = self._codec.extradata(encoder)
        self._encoder = encoder
        return encoder

    def _undecodable(self, pts: int | None) -> UnreadableFile:
        where = "" if pts is None else f" at {float(pts * self._stream.time_base):.2f} s"
        return UnreadableFile(
            f"a picture of the video{where} cannot be decoded: packets are missing or damaged; repair the file first"
        )


def _decoder(stream: Stream) -> av.VideoCodecContext:
    """A decoder whose pictures may be drawn on and put back before the next packet: it never works ahead."""
    import av

    if stream.width * stream.height > MAX_PIXELS:
        raise TooLarge(f"pictures of {stream.width} × {stream.height} pixels are beyond the limit of {MAX_PIXELS}")
    try:
        made: av.VideoCodecContext = av.CodecContext.create(_DECODERS.get(stream.codec, stream.codec), "r")  # type: ignore[assignment]
    except (ValueError, av.error.FFmpegError) as error:
        raise LabelingError(
            f"video coded as {stream.codec or 'an unknown codec'} cannot be decoded here; convert it to H.264 first, "
            "or label it without the visible text (--no-visible)"
        ) from error
    made.width, made.height = stream.width, stream.height
    made.extradata = stream.extradata or None
    if len(stream.tag) == 4 and stream.tag.isascii():
        made.codec_tag = stream.tag  # ProRes decoders tell its kinds apart by it
    made.options = {"max_pixels": str(MAX_PIXELS)}
    made.thread_type = "SLICE"
    return made
