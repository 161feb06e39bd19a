"""Decoders for the packets of a stream, one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from labeling.codecs.packets import packet_of
from labeling.codecs.video.base import NO_VISIBLE, Packet, Stream
from labeling.errors import LabelingError, TooLarge, UnreadableFile
from labeling.limits import MAX_PIXELS_LABELLED

if TYPE_CHECKING:
    import av

_DECODERS = {"av1": "libdav1d"}


def decoder_of(stream: Stream) -> av.VideoCodecContext:
    """Return a decoder whose pictures may be drawn on and restored before the next packet: it never works ahead."""
    import av

    if stream.width * stream.height > MAX_PIXELS_LABELLED:
        raise TooLarge(
            f"pictures of {stream.width} × {stream.height} pixels are beyond the limit of {MAX_PIXELS_LABELLED:,}"
        )
    try:
        made: av.VideoCodecContext = av.CodecContext.create(_DECODERS.get(stream.codec, stream.codec), "r")  # type: ignore[assignment]
    except (ValueError, av.error.FFmpegError) as error:
        raise LabelingError(
            f"video coded as {stream.codec or 'an unknown codec'} cannot be decoded here",
            hint=f"convert it to H.264 first, or {NO_VISIBLE}",
        ) from error
    made.width, made.height = stream.width, stream.height
    made.extradata = stream.extradata or None
    if len(stream.tag) == 4 and stream.tag.isascii():
        made.codec_tag = stream.tag  # it tells ProRes decoders the profile
    if stream.bits:
        made.bits_per_coded_sample = stream.bits
    if stream.colour:  # where the coded stream says something else, the decoder outranks this
        made.color_primaries, made.color_trc, made.colorspace, made.color_range = stream.colour
    made.options = {"max_pixels": str(MAX_PIXELS_LABELLED)}
    made.thread_type = "SLICE"
    return made


def first_picture(stream: Stream, packets: Iterable[Packet]) -> av.VideoFrame:
    """Decode the first picture of some packets.

    Raises:
        LabelingError: There is none that can be decoded here.
    """
    return first_of(decoder_of(stream), packets)


def first_of(decoder: av.VideoCodecContext, packets: Iterable[Packet]) -> av.VideoFrame:
    """Return the first picture that a decoder makes of some packets.

    Raises:
        UnreadableFile: There is none.
    """
    import av

    try:
        for packet in packets:
            for frame in decoder.decode(packet_of(packet.data, key=packet.key)):
                return frame
        for frame in decoder.decode(None):
            return frame
    except av.error.FFmpegError as error:
        raise UnreadableFile(f"the video cannot be decoded ({error.strerror}): it is damaged") from error
    raise UnreadableFile("no picture of the video can be decoded: the file is damaged")
