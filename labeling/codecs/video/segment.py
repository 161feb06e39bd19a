"""Re-encode a run of packets so that all other packets can be copied: the engine of smart rendering.

It knows no container: packets come in, packets go out. The n-th packet that goes out has the dts of the n-th packet
that came in, and all packets together have the same pts as before, so the container's tables of times remain valid.
"""

from __future__ import annotations

import contextlib
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from labeling.codecs.packets import packet_of
from labeling.codecs.priority import kept_priority
from labeling.codecs.video.base import (
    NAMES,
    NO_VISIBLE,
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
from labeling.codecs.video.decoders import decoder_of, first_of
from labeling.codecs.video.targets import Choice, choose, converted, form_of
from labeling.codecs.video.written import Facts, Record, facts_of, losses, name_of
from labeling.errors import LabelingError, UnreadableFile
from labeling.gates import gate

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
"""Limit on the pictures between a packet that goes in and the new one that comes out; encoders look ahead by dozens."""

_OWN_PALETTE = frozenset({"png"})
"""Codecs whose palette is in each picture. That of others is in the container, outside of the packets."""

_COUNTED = frozenset({"mpeg4", "mpeg2video", "mpeg1video"})
"""Codecs whose pictures say when they are shown, in ticks that the stream's header states."""


class Overlay(Protocol):
    """What is drawn on frames; see :class:`labeling.codecs.video.overlay.FrameOverlay`."""

    def draw(self, frame: av.VideoFrame) -> None:
        """Draw in place."""
        ...

    def save(self, frame: av.VideoFrame) -> Any:
        """Copy the samples that ``draw`` will change."""
        ...

    def restore(self, frame: av.VideoFrame, saved: Any) -> None:
        """Write the saved samples back."""
        ...


def codec_of(stream: Stream) -> Codec:
    """Return the codec of a stream.

    Raises:
        UnreadableFile: Its decoder configuration is damaged.
    """
    from labeling.codecs.video import h264, hevc, open_codecs, raw_video

    made: Codec
    if stream.codec == "h264":
        made = h264.H264(stream)
    elif stream.codec == "hevc":
        made = hevc.Hevc(stream)
    elif stream.codec == "rawvideo":
        made = raw_video.Raw(stream)
    else:
        made = open_codecs.CODECS.get(stream.codec, open_codecs.Whole)(stream)
    return made


def refusal(stream: Stream, first: bytes = b"") -> str:
    """Say why a stream cannot be re-encoded in part; empty if it can. ``first`` is its first packet, if known."""
    try:
        return codec_of(stream).refusal(first)
    except LabelingError as error:
        return error.message


def join(stream: Stream, data: bytes) -> Join:
    """Return whether decoding may start at a packet. For many packets, call :func:`codec_of` once."""
    return codec_of(stream).join(data)


def joined(stream: Stream, new_extradata: bytes) -> bytes:
    """Return a decoder configuration for copied packets and for new ones, whose own is ``new_extradata``."""
    return codec_of(stream).joined(new_extradata)


def reentry(stream: Stream, data: bytes) -> bytes:
    """Return the first copied packet behind a new part, with everything that a decoder needs to start there."""
    return codec_of(stream).reentry(data)


class Reencoder:
    """Decodes a run of packets, draws on some of its pictures, and encodes all of them with the source's properties.

    The run starts at a :attr:`Join.CLEAN` packet and ends before another one, or at the end of the stream. An object
    serves one run. Runs with the same settings and depth have the same :attr:`extradata`.

    Args:
        stream: The stream.
        overlay: What is drawn; ``None`` draws nothing.
        wanted: Returns whether the picture at a pts gets the overlay.
        settings: Preset and quality.
        depth: How many pictures may be decoded ahead of their display: what :func:`reorder_depth` returns for these
            packets. 0 is always safe.
        intra: Make every picture a key frame, as in the source.
        codec: The codec to encode with, for whole streams only: another one, or the same.
        paced: For packets without a pts, of whole streams only: the n-th picture is shown at the n-th dts, and there
            may be fewer pictures than packets.
        aspect: Width : height of a pixel, if not that of the coded stream; for whole streams only.
        record: Receives what the new pictures are, and what they do not hold of the old ones.

    Attributes:
        drawn: Number of pictures that have got the overlay so far.
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
        record: Record | None = None,
    ) -> None:
        self._stream, self._overlay, self._wanted, self._settings = stream, overlay, wanted, settings
        self._depth, self._intra, self._paced = 0 if paced else depth, intra, paced
        self._aspect, self._record = aspect, record
        self._source = codec_of(stream)
        self._strict = not (paced or self._source.lenient or self._source.refusal())
        self._whole = bool(codec)
        self._alike = codec in ("", stream.codec)
        self._target = stream if self._alike else replace(stream, codec=codec, extradata=b"", tag="", colour=())
        self._codec = self._source if self._alike else codec_of(self._target)
        self._copies = self._source.copies or self._codec.copies
        coding(self._target, settings)  # raises if the settings do not fit
        # VP9 holds the matrix alone: what another codec has a place for comes from the container. New pictures that
        # stand beside old ones say what those say.
        self._decoder = decoder_of(replace(stream, colour=()) if self._alike else stream)
        self._encoder: av.VideoCodecContext | None = None
        self._form: tuple[Any, ...] = ()  # of the pictures that the encoder was opened for
        self._choice: Choice | None = None
        self._extradata = b""
        self._slots: deque[int] = deque()  # dts of packets that came in and have not gone out
        self._waiting: dict[int, tuple[bool, Any]] = {}  # pts → whether it is a key frame, SEI; not decoded yet
        self._times: list[int] = []  # pts of the same pictures: the decoder returns them in the order of display
        self._number = 0  # of the next picture for the encoder, in the order of display
        self._sent: dict[int, tuple[int, Any]] = {}  # number → pts, SEI; in the encoder
        self._old: Facts | None = None
        self._unread = True  # whether the next packet is the first one of an encoder
        self.drawn = 0

    @property
    def ready(self) -> bool:
        """Whether :attr:`extradata` is known."""
        return self._encoder is not None

    @property
    def extradata(self) -> bytes:
        """The decoder configuration of the new part in the container's own form.

        Raises:
            LabelingError: No picture has been decoded.
        """
        if self._encoder is None:
            raise LabelingError("the video has no picture that can be decoded")
        return self._extradata

    def run(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield a new packet for each packet, except for the hidden ones of VP8.

        A few dozen pictures are in memory at a time.

        Raises:
            UnreadableFile: A packet cannot be decoded.
            LabelingError: The encoder fails.
        """
        for packet in packets:
            yield from self.feed(packet)
        yield from self.finish()

    def feed(self, packet: Packet) -> list[Packet]:
        """Add the next packet in the order of decoding, and return the new packets that are ready."""
        if self._source.hidden(packet.data):
            self._decode(packet)
            return []
        if self._paced:
            packet = packet._replace(pts=packet.dts)
        if packet.pts in self._waiting:
            raise UnreadableFile(f"two pictures of the video are shown at the same time (tick {packet.pts})")
        if self._stream.in_band:
            self._source.note(packet.data)
        carried = self._source.carried(packet.data) if self._alike and not self._paced else ()
        key = self._intra or self._source.join(packet.data) is not Join.NONE
        self._waiting[packet.pts] = (key, carried)
        heapq.heappush(self._times, packet.pts)
        self._slots.append(packet.dts)
        if len(self._slots) > MAX_PENDING:
            raise self._undecodable(packet.pts)
        return [done for frame in self._decode(packet) for done in self._take(frame)]

    def finish(self) -> list[Packet]:
        """End the run, and return the rest of the new packets."""
        done = [packet for frame in self._decode(None) for packet in self._take(frame)]
        if self._waiting and not self._paced:
            raise self._undecodable(min(self._waiting))
        if self._encoder is not None:
            done += self._packed(self._encode(None))
        if len(self._slots) > len(self._waiting):
            raise LabelingError("the encoder returned fewer pictures than it was given", hint="please report this")
        return done

    def _decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        import av

        given = None
        if packet is not None:
            given = packet_of(packet.data, key=packet.key)
            given.pts, given.dts, given.time_base = packet.pts, packet.dts, self._stream.time_base
        try:
            return self._decoder.decode(given)
        except av.error.FFmpegError as error:
            where = f"at {float(packet.pts * self._stream.time_base):.2f} s" if packet else "at its end"
            raise UnreadableFile(f"the video cannot be decoded {where} ({error.strerror}): it is damaged") from error

    def _take(self, frame: av.VideoFrame) -> list[Packet]:
        if self._paced and self._waiting:
            frame.pts = min(self._waiting)
        known = self._waiting.pop(frame.pts, None) if frame.pts is not None else None
        if known is None or (frame.is_corrupt and self._strict):
            raise self._undecodable(frame.pts)
        done: list[Packet] = []
        first = self._form != (form := form_of(frame))
        if first:  # the first picture, or the first one of another size
            if self._encoder is not None:
                done = self._packed(self._encode(None))
            self._open(frame)
            self._form = form
        assert self._encoder is not None and self._choice is not None
        key, carried = known
        # Some files state times in the order of decoding. Pictures then get them in the order of display.
        pts = heapq.heappop(self._times)
        number = self._number
        self._number += 1
        self._sent[number] = (pts, carried)
        overlay = self._overlay if self._wanted(pts) else None
        saved = None
        if self._choice.pix_fmt != frame.format.name:
            frame = converted(frame, self._choice.pix_fmt)
        elif overlay is not None:
            if self._copies:
                frame.make_writable()
            else:
                saved = overlay.save(frame)
        if overlay is not None:
            overlay.draw(frame)
            self.drawn += 1
        frame.pict_type = 1 if key or first else 0  # 1: key frame; 0: the encoder decides
        frame.pts, frame.time_base = number, self._encoder.time_base
        coded = self._encode(frame)
        if overlay is not None and saved is not None:
            overlay.restore(frame, saved)  # the decoder still predicts from this picture
        return done + self._packed(coded)

    def _encode(self, frame: av.VideoFrame | None) -> list[Any]:
        assert self._encoder is not None
        with gate("encode the video", _failed):
            return list(self._encoder.encode(frame))

    def _packed(self, packets: list[Any]) -> list[Packet]:
        given = []
        for packet in packets:
            pts, carried = self._sent.pop(int(packet.pts or 0))
            dts = self._slots.popleft()
            if pts < dts:
                raise LabelingError("the new pictures would come too late", hint="please report this")
            data = self._codec.pack(bytes(packet), carried, packet.is_keyframe)
            if self._unread:
                self._unread = False
                self._read_back(data)
            given.append(Packet(pts, dts, packet.is_keyframe, data))
        return given

    def _open(self, frame: av.VideoFrame) -> av.VideoCodecContext:
        import av

        if frame.format.name == "pal8" and self._stream.codec not in _OWN_PALETTE:
            raise LabelingError(
                "the colours of the pictures are in a palette beside them, which cannot be followed here",
                hint=f"convert the video first, or {NO_VISIBLE}",
            )
        self._choice = choice = choose(self._target.codec, frame.format.name)
        if choice is None:
            name = NAMES.get(self._target.codec, self._target.codec)
            raise LabelingError(f"{name} with {frame.format.name} pictures cannot be encoded here", hint=NO_VISIBLE)
        self._old = facts_of(self._stream.codec, self._decoder, frame, exact=self._source.exact)
        encoder: av.VideoCodecContext = av.CodecContext.create(choice.encoder, "w")  # type: ignore[assignment]
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, choice.pix_fmt
        encoder.color_primaries, encoder.color_trc = frame.color_primaries, frame.color_trc
        encoder.colorspace, encoder.color_range = frame.colorspace, frame.color_range
        aspect = self._aspect or self._decoder.sample_aspect_ratio
        if aspect:
            encoder.sample_aspect_ratio = aspect
        rate = self._stream.rate if 0 < self._stream.rate <= 1000 else Fraction(25)
        if self._target.codec in _COUNTED and self._decoder.framerate and 0 < self._decoder.framerate <= 1000:
            rate = Fraction(self._decoder.framerate)
        # Times are restored afterwards: the encoder only gets the numbers of pictures, so that it distributes its bits
        # evenly over them whatever their times are.
        rate = rate.limit_denominator(1 << 16) or Fraction(25)
        encoder.time_base, encoder.framerate = 1 / rate, rate
        encoding = Encoding(self._settings, self._depth, self._intra, self._old.fields, choice.pix_fmt, self._whole)
        encoder.options = self._codec.prepare(encoder, encoding)
        if encoder.name in ("libx264", "libx264rgb"):
            # By default PyAV makes x264 cut pictures into slices, which is slower and coarser. x264 copies a picture
            # before it returns; FFmpeg's own encoders, which work on several at a time, do not.
            encoder.thread_type = "AUTO"
        pictures = f"{frame.width}×{frame.height} {choice.pix_fmt} pictures cannot be encoded with {encoder.name} here"
        refused = LabelingError(pictures, hint=f"convert the video first, or {NO_VISIBLE}")
        with gate("open the encoder", lambda _: refused), kept_priority():
            encoder.open()
        self._extradata = self._codec.extradata(encoder)
        self._encoder, self._unread = encoder, True
        return encoder

    def _read_back(self, data: bytes) -> None:
        """Decode the first new packet, and record what it is."""
        assert self._encoder is not None and self._old is not None and self._choice is not None
        if self._record is None:
            return
        name, exact = "", self._codec.exact and not self._settings.crf
        with contextlib.suppress(LabelingError):  # whether the label is there is checked on the finished file
            stream = replace(self._target, extradata=self._extradata)
            decoder = decoder_of(stream)
            frame = first_of(decoder, [Packet(0, 0, True, data)])
            new = facts_of(stream.codec, decoder, frame, exact=exact)
            name = name_of(new)
            self._record.lost |= dict.fromkeys(losses(self._old, new, self._choice.lost))
        words = describe(self._target, self._settings, name=name, encoder=self._encoder.name, exact=exact)
        self._record.words[words] = None

    def _undecodable(self, pts: int | None) -> UnreadableFile:
        where = "" if pts is None else f" at {float(pts * self._stream.time_base):.2f} s"
        return UnreadableFile(
            f"a picture of the video{where} cannot be decoded: packets are missing or damaged",
            hint="repair the file first",
        )


def _failed(why: str) -> LabelingError:
    return LabelingError(f"the encoder failed ({why})", hint="try other settings")
