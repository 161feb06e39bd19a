"""The audio track of a video that is being written: packets copied from a file, or encoded samples.

It starts with the first picture and ends with the last one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeling.containers.format_row import Muxer
from labeling.errors import LabelingError, UnreadableFile
from labeling.gates import one_line

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream

    Packet = av.Packet[AudioStream]

BITS_PER_CHANNEL = {"aac": 96_000, "libopus": 64_000, "libmp3lame": 96_000}

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}

_READ = "aac,ac3,aiff,amr,avi,caf,eac3,flac,flv,live_flv,matroska,webm,mov,mp4,mp3,ogg,w64,wav,wv"
"""Demuxers that follow no path in the file: playlists are not among them."""

_OPTIONS = {"format_whitelist": _READ, "protocol_whitelist": "file"}

_CHUNK = 1 << 15


class AudioTrack:
    """The one audio track of an output container.

    Args:
        container: The output, to which nothing was written yet.
        muxer: The muxer of its format.
        source: Path of a file, whose first audio track is taken; or an array of float32 (-1 to 1) or int16, with the
            shape (samples, channels) or (samples,).
        rate: Samples per second of an array.

    Attributes:
        how: What is done, in words.

    Raises:
        LabelingError: The source cannot be used.
    """

    def __init__(self, container: av.container.OutputContainer, muxer: Muxer, source: Any, rate: int | None) -> None:
        self._open = ExitStack()
        self._next: Packet | None = None
        self.how = ""
        try:
            if isinstance(source, np.ndarray):
                self._packets = self._from_array(container, muxer, source, rate)
            elif isinstance(source, str | os.PathLike):
                self._packets = self._from_file(container, muxer, os.fspath(source))
            else:
                raise LabelingError(f"`audio` must be the path of a file or an array, not {type(source).__name__}")
        except BaseException:
            self._open.close()
            raise

    def until(self, seconds: float) -> Iterator[Packet]:
        """Yield the packets that begin before ``seconds`` and were not yielded yet."""
        while (packet := self._next or next(self._packets, None)) is not None:
            self._next = packet
            if packet.pts is not None and packet.time_base is not None and packet.pts * packet.time_base >= seconds:
                return
            self._next = None
            yield packet

    def close(self) -> None:
        """Close the source. No packets can be had after this."""
        self._open.close()

    def _from_file(self, container: av.container.OutputContainer, muxer: Muxer, path: str) -> Iterator[Packet]:
        import av

        with _reading(path):
            # A Windows drive, or a colon in a name, looks like a protocol; "file:" makes it a path.
            source = self._open.enter_context(av.open(f"file:{Path(path).absolute()}", options=_OPTIONS))
        if not source.streams.audio:
            raise LabelingError("has no audio", path=path, hint="name another file, or leave `audio` out")
        track = source.streams.audio[0]
        # Samples that a player skips at the start have earlier times, and are still skipped.
        start = Fraction(max(source.start_time or 0, 0), 1_000_000)
        channels = track.codec_context.channels
        if track.codec_context.codec.canonical_name in muxer.audio_codecs and (channels <= 2 or not muxer.stereo):
            self.how = "audio packets copied"
            return _copied(path, source, track, container.add_stream_from_template(track), start)
        rate = track.codec_context.sample_rate
        with _reading(path):
            frames = _decoded(path, source, track, start)
            return self._encoded(container, muxer, rate, _LAYOUTS.get(channels, "stereo"), frames)

    def _from_array(
        self, container: av.container.OutputContainer, muxer: Muxer, samples: np.ndarray[Any, Any], rate: int | None
    ) -> Iterator[Packet]:
        if samples.ndim == 1:
            samples = samples[:, None]
        if samples.dtype not in (np.float32, np.int16) or samples.ndim != 2 or samples.shape[1] not in _LAYOUTS:
            raise LabelingError(
                "`audio` must be float32 or int16 of shape (samples, channels) with 1, 2, 6 or 8 channels, "
                f"not {samples.dtype} {samples.shape}"
            )
        if not isinstance(rate, int) or not 8000 <= rate <= 192_000:
            raise LabelingError(f"`audio_rate` must be the samples per second (8000 to 192000), not {rate}")
        if samples.dtype == np.float32 and not np.isfinite(samples).all():
            raise LabelingError("the audio has NaN or infinite values", hint="check the output of the model")
        layout = _LAYOUTS[samples.shape[1]]
        return self._encoded(container, muxer, rate, layout, _chunks(samples, rate, layout))

    def _encoded(
        self,
        container: av.container.OutputContainer,
        muxer: Muxer,
        rate: int,
        layout: str,
        frames: Iterator[av.AudioFrame],
    ) -> Iterator[Packet]:
        import av

        encoder = muxer.audio_encoder
        # A rate that the encoder does not support becomes 48 kHz, which all of them support.
        rate = rate if rate in (av.Codec(encoder, "w").audio_rates or ()) else 48_000
        layout = "stereo" if muxer.stereo and layout != "mono" else layout
        stream: Any = container.add_stream(encoder, rate=rate, layout=layout)
        channels = len(stream.layout.channels)
        stream.bit_rate = BITS_PER_CHANNEL[encoder] * channels
        self.how = f"audio encoded ({encoder}, {stream.bit_rate // 1000} kbit/s)"
        return _encode(stream, layout, rate, frames)


def _copied(path: str, source: Any, track: Any, stream: Any, start: Fraction) -> Iterator[Packet]:
    shift = round(start / track.time_base)
    packets = source.demux(track)
    while True:
        with _reading(path):
            packet = next(packets, None)
        if packet is None:
            return
        if packet.pts is None or packet.dts is None:  # the last one, which makes a decoder return what it still has
            continue
        packet.pts -= shift
        packet.dts -= shift
        packet.stream = stream
        yield packet


def _decoded(path: str, source: Any, track: Any, start: Fraction) -> Iterator[av.AudioFrame]:
    frames = source.decode(track)
    while True:
        with _reading(path):
            frame = next(frames, None)
        if frame is None:
            return
        if frame.pts is not None:
            frame.pts -= round(start / frame.time_base)
        yield frame


def _chunks(samples: np.ndarray[Any, Any], rate: int, layout: str) -> Iterator[av.AudioFrame]:
    import av

    for at in range(0, len(samples), _CHUNK):
        part = np.ascontiguousarray(samples[at : at + _CHUNK]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, "flt" if part.dtype == np.float32 else "s16", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        yield frame


def _encode(stream: Any, layout: str, rate: int, frames: Iterator[av.AudioFrame]) -> Iterator[Packet]:
    import av

    resampler: av.AudioResampler | None = None
    for frame in _then_none(frames):
        if resampler is None:  # the frame size is known once the encoder is open
            resampler = av.AudioResampler(stream.format.name, layout, rate, stream.codec_context.frame_size or None)
        for piece in resampler.resample(frame):
            yield from stream.encode(piece)
    yield from stream.encode(None)


def _then_none(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame | None]:
    yield from frames
    yield None


@contextmanager
def _reading(path: str) -> Iterator[None]:
    import av

    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise UnreadableFile(
            f"the audio cannot be read ({reason})", path=path, hint="name a file that plays"
        ) from error
