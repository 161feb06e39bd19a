"""Decode frames and short stretches of audio to look for labels, only as far as needed.

Only the bytes of the file itself are read, through one adapter, with the demuxer for the format of its content. No
playlist, path or address in a file is followed. PyAV keeps FFmpeg's log off unless a program turns it on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling import containers
from labeling.codecs import pyav
from labeling.codecs.base import Box, Pixels
from labeling.codecs.video import key_frames
from labeling.codecs.video.overlay import sane_crop
from labeling.codecs.video.pixel_formats import HDR_WHITE
from labeling.containers import Crop, formats
from labeling.containers.base import MAX_BLOCKS
from labeling.containers.syntax.riff import chunk_at
from labeling.errors import LabelingError, TooLarge, UnreadableFile, UnsupportedFormat
from labeling.filebytes import FileBytes
from labeling.gates import gate

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_FRAMES = 600
"""Limit on the frames decoded in one pass: 2.2 s at 270 frames per second."""

MAX_PACKETS = 20_000
MAX_READ = 1 << 30
"""Limits on the packets and bytes that one pass may read."""

AUDIO_RATE = 8000
"""Samples per second to which audio is resampled: audible labels are below 3 kHz."""

MAX_THREADS = 4
"""Limit on the threads of a decoder: each decodes a frame ahead, which nobody may ask for."""

MAX_CHUNKS = 1024
"""Limit on the chunks of a RIFF file that are searched for texts to hide from FFmpeg."""

RATES = (1000, 768_000)
"""Lowest and highest samples per second that are accepted: a resampler for absurd rates needs gigabytes."""

MAX_ASPECT = 16
"""Sample aspect ratios beyond this make no sense and are ignored."""

_NOTHING = "no frame could be decoded: the video is damaged, or its codec is unknown here"

_LUMA = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "yuva420p", "gray"})
"""Pixel formats whose first plane is 8-bit luma."""


class Frame:
    """A decoded frame.

    Attributes:
        seconds: When it is first shown, in seconds from the first shown frame.
        end: When the next frame replaces it.
        last: Whether it is the last frame of the video.
    """

    def __init__(self, frame: Any, seconds: float, aspect: float, limit: int, crop: Crop = (0, 0, 0, 0)) -> None:
        self._frame, self._aspect, self._limit = frame, aspect, limit
        self._crop = sane_crop(crop, frame.width, frame.height)
        self._turn = _turn(frame)
        self.seconds = seconds
        self.end = seconds
        self.last = False

    def rgb(self) -> Pixels:
        """Return the frame as a player shows it, cropped, upright and with square pixels: (H, W, 3) uint8."""
        frame, (width, height) = self._frame, self._square()
        with decoding():
            pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        rows, columns = self._shown(width, height)
        pixels = pixels[rows, columns]
        return np.ascontiguousarray(self._turn.applied(pixels))

    def luma(self, box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the luma under a box.

        Args:
            box: (left, top, right, bottom) in the displayed frame.
            size: (width, height) of the displayed frame.

        Returns:
            (h, w) uint8, oriented as stored.
        """
        frame = self._frame
        if frame.format.name in _LUMA and (step := frame.planes[0].line_size) >= frame.width:
            plane = np.frombuffer(frame.planes[0], np.uint8)
            gray = plane[: step * frame.height].reshape(frame.height, step)[:, : frame.width]
        else:
            with decoding():
                gray = frame.to_ndarray(format="gray")
        left, top, right, bottom = self._turn.undone(
            (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1])
        )
        before, above, behind, below = self._crop
        gray = gray[above : frame.height - below, before : frame.width - behind]
        height, width = gray.shape
        part = gray[
            max(0, math.floor(top * height)) : math.ceil(bottom * height),
            max(0, math.floor(left * width)) : math.ceil(right * width),
        ]
        return np.array(part)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of what :meth:`rgb` returns."""
        rows, columns = self._shown(*self._square())
        width, height = columns.stop - columns.start, rows.stop - rows.start
        return (height, width) if self._turn.transposed else (width, height)

    @property
    def white(self) -> float:
        """The signal of diffuse white, where 1 is the brightest one."""
        return HDR_WHITE.get(int(self._frame.color_trc), 1.0)

    def _shown(self, width: int, height: int) -> tuple[slice, slice]:
        """Return the rows and columns of a frame of this size that players do not cut off."""
        left, top, right, bottom = self._crop
        across, down = width / self._frame.width, height / self._frame.height
        rows = slice(round(top * down), round((self._frame.height - bottom) * down))
        return rows, slice(round(left * across), round((self._frame.width - right) * across))

    def _square(self) -> tuple[int, int]:
        """Return the stored size in square pixels: one side is stretched."""
        width, height, aspect = self._frame.width, self._frame.height, self._aspect
        if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
            return width, height
        wide, high = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
        return (wide, high) if wide * high <= self._limit else (width, height)


class Turn(NamedTuple):
    """How a stored picture is turned for display: transposed first, then mirrored."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    def applied(self, pixels: Pixels) -> Pixels:
        """Return a stored picture as it is displayed: (H, W, 3) in and out."""
        out = pixels.swapaxes(0, 1) if self.transposed else pixels
        out = out[:, ::-1] if self.mirrored else out
        return out[::-1] if self.flipped else out

    def undone(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Map a box (left, top, right, bottom) of the displayed picture to the stored one, in fractions of the size."""
        left, top, right, bottom = box
        if self.mirrored:
            left, right = 1 - right, 1 - left
        if self.flipped:
            top, bottom = 1 - bottom, 1 - top
        return (top, left, bottom, right) if self.transposed else (left, top, right, bottom)


def _turn(frame: Any) -> Turn:
    """Return how a frame is turned by its display matrix (ISO/IEC 14496-12 8.2.2): x' = a x + c y, y' = b x + d y."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or len(bytes(matrix)) < 36:
        return Turn()
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0)


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
        self._hidden = _texts(data)
        self._origin: float | None = None
        with decoding():
            self._unused: InputContainer | None = self._open()
            videos = _videos(self._unused)
            self.tracks, self.has_video = len(videos), bool(videos)
            shown = [number] if number else _shown(videos)
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
            if not RATES[0] <= (_known(stream).sample_rate or 0) <= RATES[1]:
                raise UnreadableFile(f"{stream.codec_context.sample_rate} samples per second make no sense")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=AUDIO_RATE)
            origin = float((stream.start_time or 0) * (stream.time_base or 0))
            if start:
                container.seek(round((origin + start) / float(stream.time_base or 1)), stream=stream)
            for frame in _decoded(container, stream):
                at = max(0.0, frame.time - origin) if start and frame.time is not None else None
                for piece in resampler.resample(frame):
                    yield at, piece.to_ndarray().reshape(-1).astype(np.float32, copy=False)

    def _open(self) -> InputContainer:
        import av

        source: Any = _Reader(self._data, self._hidden)
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
            stream = _videos(container)[self.number - 1]
            context = _known(stream)
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
        frames, count = _decoded(container, stream), 0
        while count < limit:
            frame = next(frames, None)
            at = frame.pts * tick if frame is not None and frame.pts is not None else None
            if latest is not None and (at is None or self._origin is None or at - self._origin > latest):
                key_frames.back(container, stream, self._origin or 0.0)  # what is wanted lies before the key frame
                frames, latest, jumps = _decoded(container, stream), None, 0
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
                    frames, jumps = _decoded(container, stream), jumps - 1
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


@contextmanager
def decoding() -> Iterator[None]:
    """Turn exceptions of PyAV on broken input into :class:`UnreadableFile`."""

    def broken(why: str) -> LabelingError:
        return UnreadableFile(f"cannot be decoded ({why}): the file is damaged, or of a kind unknown here")

    with gate("decode the video or audio", broken):
        yield


def _videos(container: InputContainer) -> list[VideoStream]:
    """Return the video streams that are no pictures of covers or chapters."""
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    return [each for each in container.streams.video if not each.disposition & pictures]


def _shown(videos: list[VideoStream]) -> list[int]:
    """Return the numbers of the tracks that players may show, from 1, most likely first.

    FFmpeg calls "default" what is enabled in MP4 (tkhd; ISO/IEC 14496-12, 8.3.2) and what has FlagDefault in Matroska
    (RFC 9559, 5.1.4.1.5). Without any such track, all may be shown.
    """
    from av.stream import Disposition

    marked = [number for number, each in enumerate(videos, 1) if each.disposition & Disposition.default]
    return marked or list(range(1, len(videos) + 1))


def _texts(data: bytes | FileBytes) -> tuple[int, ...]:
    """Return the offsets of texts in a RIFF file; FFmpeg would allocate memory for them by the sizes they claim."""
    found: list[int] = []
    at = 12
    for _ in range(MAX_CHUNKS if data[:4] in (b"RIFF", b"RF64", b"BW64") else 0):
        if at + 8 > len(data):
            break
        chunk = chunk_at(data, at, len(data))
        if chunk.name not in _MEDIA_CHUNKS and not (chunk.form and chunk.form != b"INFO"):
            found.append(at)
        at = chunk.end
    return tuple(found)


_MEDIA_CHUNKS = frozenset({b"RIFF", b"fmt ", b"fact", b"data", b"ds64", b"idx1", b"JUNK"})


def _known(stream: Any) -> Any:
    """Return the decoder of a stream; PyAV has none for codecs that FFmpeg cannot decode."""
    if stream.codec_context is None:
        raise UnreadableFile("there is no decoder for its codec here")
    return stream.codec_context


def _decoded(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Yield the frames of one stream. Packets that do not decode are skipped; a file that breaks off just ends."""
    import av
    from av.stream import Discard

    _known(stream)
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    packets = container.demux(stream)
    for _ in range(MAX_PACKETS):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = av.Packet()
            packet.stream = stream  # an empty packet makes the decoder return what it still holds
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []
        yield from frames
        if not packet.size:
            return


class _Reader:
    """The file object that PyAV reads: at most :data:`MAX_READ` bytes of the file.

    At the offsets ``hidden`` it returns "JUNK", the name of a RIFF chunk that readers skip.
    """

    def __init__(self, data: bytes | FileBytes, hidden: tuple[int, ...] = ()) -> None:
        self._data, self._at, self._left, self._hidden = data, 0, MAX_READ, hidden

    def read(self, count: int) -> bytes:
        start = self._at
        part = self._data[start : start + min(count, self._left)]
        self._at += len(part)
        self._left -= len(part)
        for at in self._hidden:
            if start - 4 < at < self._at:
                first, last = max(0, at - start), min(len(part), at + 4 - start)
                part = part[:first] + b"JUNK"[first + start - at : last + start - at] + part[last:]
        return part

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, len(self._data))[whence])
        return self._at

    def tell(self) -> int:
        return self._at
