"""Decode frames and short stretches of audio to look for labels, only as far as needed.

How strangers' files are read is in :mod:`labeling.codecs.video.demuxed`. PyAV keeps FFmpeg's log off unless a program
turns it on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labeling import containers
from labeling.codecs import pyav
from labeling.codecs.video import key_frames
from labeling.codecs.video.demuxed import (
    BoundedFile,
    decoded,
    decoder_of,
    decoding,
    shown_tracks,
    texts_of_riff,
    video_tracks,
)
from labeling.codecs.video.shown_frame import Frame
from labeling.containers import Crop, formats
from labeling.containers.base import MAX_BLOCKS
from labeling.errors import TooLarge, UnreadableFile, UnsupportedFormat
from labeling.filebytes import FileBytes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_FRAMES = 600
"""Limit on the frames decoded in one pass: 2.2 s at 270 frames per second."""

AUDIO_RATE = 8000
"""Samples per second to which audio is resampled: audible labels are below 3 kHz."""

MAX_THREADS = 4
"""Limit on the threads of a decoder: each decodes a frame ahead, which nobody may ask for."""

RATES = (1000, 768_000)
"""Lowest and highest samples per second that are accepted: a resampler for absurd rates needs gigabytes."""

_NOTHING = "no frame could be decoded: the video is damaged, or its codec is unknown here"


class Sampler:
    """Decodes samples of one video or audio file.

    Attributes:
        has_video: Whether it has a video track; a cover picture does not count.
        number: Which of the video tracks is decoded, counted from 1; 0 if there is none.
        rivals: The numbers of others that players may show as well as this one.
        tracks: How many video tracks there are.
        has_audio: Whether it has an audio track.
        seconds: Duration; 0 if unknown.

    Raises:
        UnreadableFile: The demuxer does not understand the file.
    """

    def __init__(
        self, data: bytes | FileBytes, demuxer: str, limit: int, crop: Crop = (0, 0, 0, 0), number: int = 0
    ) -> None:
        self._data, self._demuxer, self._limit = data, demuxer, limit
        self._hidden = texts_of_riff(data)
        self._origin: float | None = None
        with decoding():
            self._unused: InputContainer | None = self._open()
            videos = video_tracks(self._unused)
            self.tracks, self.has_video = len(videos), bool(videos)
            shown = [number] if number else shown_tracks(videos)
            self.number, self.rivals = (shown[0], tuple(shown[1:])) if shown else (0, ())
            self._crop = crop if self.number == 1 else (0, 0, 0, 0)  # which is that of the first one
            self.has_audio = bool(self._unused.streams.audio)
            self.seconds = max(0.0, (self._unused.duration or 0) / 1e6)

    def of(self, number: int) -> Sampler:
        """Return a sampler of another video track."""
        return Sampler(self._data, self._demuxer, self._limit, number=number)

    def frames(self, *, ahead: bool = True, limit: int = MAX_FRAMES) -> Generator[Frame, float | None]:
        """Yield the frames from the first shown one on, in the order of display.

        Packets that do not decode are skipped. ``send(seconds)`` says that no frame matters before the one that is
        shown then: where the file's index leads to a key frame, what is in between is not decoded.

        Args:
            ahead: Whether further frames are decoded in other threads meanwhile; pointless if only the first is wanted.
            limit: How many frames at most.

        Raises:
            UnreadableFile: There is no frame at all.
            TooLarge: The frames have more pixels than the limit.
        """
        return self._frames(0.0, ahead=ahead, limit=limit)

    def frames_from(self, seconds: float, *, limit: int = MAX_FRAMES) -> Generator[Frame]:
        """Yield the frames from the key frame before ``seconds`` on, ``limit`` at most.

        Raises:
            UnreadableFile: There is no frame at all.
        """
        if self._origin is None:
            first = self._frames(0.0, ahead=False)
            next(first, None)
            first.close()
        return self._frames(seconds, ahead=False, limit=limit)

    def frame_at(self, seconds: float) -> Frame | None:
        """Return the frame shown ``seconds`` after the first one, or the last one before it that decodes."""
        found: Frame | None = None
        for found in self._frames(seconds):
            if found.end > seconds:
                break
        return found

    def audio(self, start: float, seconds: float) -> tuple[float, NDArray[np.float32]]:
        """Return a stretch of the first audio track.

        Packets that do not decode are skipped.

        Args:
            start: Where it begins, in seconds.
            seconds: Its length.

        Returns:
            Where it really begins, in seconds, and (n,) float32 mono samples, :data:`AUDIO_RATE` per second.

        Raises:
            UnreadableFile: The audio has an absurd sample rate, or no decoder.
        """
        parts: list[NDArray[np.float32]] = []
        begin, got, wanted, early = start, 0, round(seconds * AUDIO_RATE), 0
        with closing(self._sound(start)) as pieces:
            for at, piece in pieces:
                if not parts and at is not None:
                    begin = at
                    if begin < start:  # the place to decode from is before it
                        early, begin = round((start - begin) * AUDIO_RATE), start
                parts.append(piece)
                got += piece.size
                if got >= early + wanted:
                    break
        samples = np.concatenate(parts)[early : early + wanted] if parts else np.zeros(0, np.float32)
        return begin, samples

    def sound(self, seconds: float) -> Iterator[NDArray[np.float32]]:
        """Yield the first audio track piece by piece, from its start on.

        Packets that do not decode are skipped.

        Args:
            seconds: How much of it at most.

        Yields:
            (n,) float32 mono samples, :data:`AUDIO_RATE` per second.

        Raises:
            UnreadableFile: The audio has an absurd sample rate, or no decoder.
        """
        got, wanted = 0, round(seconds * AUDIO_RATE)
        with closing(self._sound(0)) as pieces:
            for _, piece in pieces:
                yield piece
                got += piece.size
                if got >= wanted:
                    break

    def _sound(self, start: float) -> Generator[tuple[float | None, NDArray[np.float32]]]:
        """Yield pieces of the first audio track, with the time at which each of them begins where that is known."""
        import av

        with decoding(), self._opened() as container:
            stream = container.streams.audio[0]
            if not RATES[0] <= (decoder_of(stream).sample_rate or 0) <= RATES[1]:
                raise UnreadableFile(f"{stream.codec_context.sample_rate} samples per second make no sense")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=AUDIO_RATE)
            origin = float((stream.start_time or 0) * (stream.time_base or 0))
            if start:
                container.seek(round((origin + start) / float(stream.time_base or 1)), stream=stream)
            for frame in decoded(container, stream):
                at = max(0.0, frame.time - origin) if start and frame.time is not None else None
                for piece in resampler.resample(frame):
                    yield at, piece.to_ndarray().reshape(-1).astype(np.float32, copy=False)

    def _open(self) -> InputContainer:
        import av

        source: Any = BoundedFile(self._data, self._hidden)
        limits = {"max_pixels": str(self._limit)}  # for the frames that FFmpeg decodes to know the streams
        container: InputContainer = av.open(source, format=self._demuxer, options=limits, metadata_errors="replace")
        return container

    def _opened(self) -> InputContainer:
        """Return a container at its start, to be closed: FFmpeg decodes frames to open one, so none is left unused."""
        container, self._unused = self._unused or self._open(), None
        return container

    def _frames(self, start: float, *, ahead: bool = True, limit: int = MAX_FRAMES) -> Generator[Frame, float | None]:
        with decoding(), self._opened() as container:
            if not self.number:
                return
            stream = video_tracks(container)[self.number - 1]
            context = decoder_of(stream)
            if context.width * context.height > self._limit:
                raise TooLarge(
                    f"frames of {context.width} × {context.height} pixels are beyond the limit of {self._limit:,}",
                    hint="raise `max_pixels`",
                )
            stream.thread_type = "AUTO" if ahead else "SLICE"
            context.thread_count = min(os.cpu_count() or 1, MAX_THREADS)
            context.options = {"max_pixels": str(self._limit)}
            if start and self._origin is not None:
                container.seek(math.floor((self._origin + start) / float(stream.time_base or 1)), stream=stream)
            yield from self._shots(container, stream, limit)

    def _shots(self, container: InputContainer, stream: VideoStream, limit: int) -> Generator[Frame, float | None]:
        """Yield frames with their times. Each is held back until it is known when the next one replaces it."""
        tick, step = float(stream.time_base or 0), 1 / float(stream.average_rate or 25)
        aspect = float(stream.sample_aspect_ratio or 1)
        before: Frame | None = None
        passed, jumps = -1.0, key_frames.MOST  # the last frame before a jump, and how many are left
        latest: float | None = None  # the first frame behind a jump may not be shown later
        frames, count = decoded(container, stream), 0
        while count < limit:
            frame = next(frames, None)
            at = frame.pts * tick if frame is not None and frame.pts is not None else None
            if latest is not None and (
                frame is None or not frame.key_frame  # the index lied: decoders make up what such a frame refers to
                or at is None or self._origin is None or at - self._origin > latest  # what is wanted lies before it
            ):  # fmt: skip
                key_frames.back(container, stream, self._origin or 0.0)
                frames, latest, jumps = decoded(container, stream), None, 0
                continue
            latest = None
            if frame is None:
                if before is None and passed < 0:
                    raise UnreadableFile(_NOTHING)
                if before is not None:
                    before.last = True
                break
            if self._origin is None:
                self._origin = at if at is not None else 0.0
            count += 1
            seconds = at - self._origin if at is not None else before.end if before is not None else 0.0
            if before is None and seconds <= passed:
                continue
            shot = Frame(
                frame, max(seconds, before.seconds if before is not None else 0.0), aspect, self._limit, self._crop
            )
            shot.end = shot.seconds + ((frame.duration or 0) * tick or step)
            if before is not None:
                before.end = shot.seconds
                due = yield before
                if due is not None and jumps and key_frames.jump(container, stream, self._origin, shot.seconds, due):
                    frames, jumps = decoded(container, stream), jumps - 1
                    passed, latest = before.seconds, due + key_frames.NEAR
                    before = None
                    continue
            before = shot
        if before is not None:
            yield before


def opened(
    data: bytes | FileBytes, format: str, *, max_pixels: int, contents: containers.Contents | None = None
) -> Sampler:
    """Open a video or audio file.

    Args:
        data: The file.
        format: A name of :data:`labeling.containers.formats.FORMATS` that has a demuxer.
        max_pixels: Limit on the pixels of one frame.
        contents: What :func:`labeling.containers.read` found in it; not needed of a file that has been labelled.

    Raises:
        TooLarge: It has so many metadata fields that FFmpeg might take hours to open it.
        UnsupportedFormat: The format cannot be decoded.
        UnreadableFile: The file is damaged.
        MissingDependency: PyAV is not installed.
    """
    row = formats.find(format)
    if row is None or not row.demuxer:
        raise UnsupportedFormat(f"a {format} file is neither video nor audio that can be decoded")
    if contents is not None and contents.crowded:
        raise TooLarge(
            f"it was not opened, because it has more than {MAX_BLOCKS:,} metadata fields, and a decoder "
            "takes time that grows with the square of their number",
            hint="remove its tags first (ffmpeg -i … -map_metadata -1 -c copy)",
        )
    pyav.require("decoding video and audio")
    return Sampler(data, row.demuxer, max_pixels, containers.crop_of(data, format))
