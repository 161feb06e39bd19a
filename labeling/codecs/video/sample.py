"""Frames and bits of sound of a film for whoever looks for labels: decoded as far as needed, never the whole film.

Only the file's own bytes are read, through one adapter, by the demuxer of the format that the content has: no
playlist, path or address in a file is followed. FFmpeg's log is off in PyAV unless a program turns it on.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Box, Pixels
from labeling.containers import formats
from labeling.containers.syntax.riff import chunk_at
from labeling.errors import MissingDependency, TooLarge, UnreadableFile, UnsupportedFormat
from labeling.filebytes import FileBytes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_FRAMES = 600
"""Frames decoded in one pass: 2.2 s at 270 frames a second."""

MAX_PACKETS = 20_000
MAX_READ = 1 << 30
"""Packets and bytes that one pass may read."""

AUDIO_RATE = 8000
"""Samples a second that sound is brought to: cues lie below 3 kHz."""

MAX_CHUNKS = 1024
"""Chunks of a RIFF file that are looked through for what to keep from FFmpeg."""

RATES = (1000, 768_000)
"""Samples a second that are believed: a resampler for absurd ones needs gigabytes."""

MAX_ASPECT = 16
"""Sample aspect ratios beyond this are nonsense and are left alone."""

_LUMA = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "yuva420p", "gray"})
"""Pixel formats whose first plane is 8-bit luma."""


class Frame:
    """A decoded frame: from when to when it is shown, in seconds since the first shown frame; ``last``: of the film."""

    def __init__(self, frame: Any, seconds: float, aspect: float, limit: int) -> None:
        self._frame, self._aspect, self._limit = frame, aspect, limit
        self._turn = _turn(frame)
        self.seconds = seconds
        self.end = seconds
        self.last = False

    def rgb(self) -> Pixels:
        """As a player shows it, (H, W, 3) uint8: upright, with square pixels."""
        frame, (width, height) = self._frame, self._square()
        with decoding():
            pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        return np.ascontiguousarray(self._turn.applied(pixels))

    def luma(self, box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Brightness under a box of the displayed frame, whose (width, height) is ``size``: (h, w) uint8, as stored."""
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
        height, width = gray.shape
        part = gray[
            max(0, math.floor(top * height)) : math.ceil(bottom * height),
            max(0, math.floor(left * width)) : math.ceil(right * width),
        ]
        return np.array(part)

    def _square(self) -> tuple[int, int]:
        """The stored size with square pixels: one side is widened."""
        width, height, aspect = self._frame.width, self._frame.height, self._aspect
        if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
            return width, height
        wide, high = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
        return (wide, high) if wide * high <= self._limit else (width, height)


class _Turn(NamedTuple):
    """How a stored picture is turned for display: first transposed, then mirrored."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    def applied(self, pixels: Pixels) -> Pixels:
        out = pixels.swapaxes(0, 1) if self.transposed else pixels
        out = out[:, ::-1] if self.mirrored else out
        return out[::-1] if self.flipped else out

    def undone(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """The place of a displayed box, in shares of the sides, in the stored picture."""
        left, top, right, bottom = box
        if self.mirrored:
            left, right = 1 - right, 1 - left
        if self.flipped:
            top, bottom = 1 - bottom, 1 - top
        return (top, left, bottom, right) if self.transposed else (left, top, right, bottom)


def _turn(frame: Any) -> _Turn:
    """By the display matrix of the frame (ISO/IEC 14496-12 8.2.2): x' = a x + c y, y' = b x + d y."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or len(bytes(matrix)) < 36:
        return _Turn()
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return _Turn(True, c < 0, b < 0)
    return _Turn(False, a < 0, d < 0)


class Sampler:
    """An opened film or sound. ``pictures`` and ``sounds`` tell what is in it, ``seconds`` how long it is (0: unknown).

    A cover picture is no film. Raises :class:`UnreadableFile` if the demuxer cannot make sense of the file.
    """

    def __init__(self, data: bytes | FileBytes, demuxer: str, limit: int) -> None:
        self._data, self._demuxer, self._limit = data, demuxer, limit
        self._hidden = _texts(data)
        self._origin: float | None = None
        with decoding(), self._opened() as container:
            self.has_video = _video(container) is not None
            self.has_audio = bool(container.streams.audio)
            self.seconds = max(0.0, (container.duration or 0) / 1e6)

    def frames(self) -> Generator[Frame]:
        """The frames from the first shown one on, in the order of presentation, :data:`MAX_FRAMES` at most.

        What does not decode is left out. Raises :class:`UnreadableFile` if there is no frame at all,
        :class:`TooLarge` for frames beyond the limit.
        """
        return self._frames(0.0)

    def frame_at(self, seconds: float) -> Frame | None:
        """The frame shown so many seconds after the first one, or the last that decodes before it."""
        found: Frame | None = None
        for found in self._frames(seconds):
            if found.end > seconds:
                break
        return found

    def audio(self, start: float, seconds: float) -> tuple[float, NDArray[np.float32]]:
        """So many seconds of the first sound track: where they begin, about ``start``, and (n,) float32 mono samples.

        There are :data:`AUDIO_RATE` of them a second. What does not decode is left out.
        """
        import av

        parts: list[NDArray[np.float32]] = []
        begin, got, wanted = start, 0, round(seconds * AUDIO_RATE)
        with decoding(), self._opened() as container:
            stream = container.streams.audio[0]
            if not RATES[0] <= (_known(stream).sample_rate or 0) <= RATES[1]:
                raise UnreadableFile(f"{stream.codec_context.sample_rate} samples a second make no sense")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=AUDIO_RATE)
            origin = float((stream.start_time or 0) * (stream.time_base or 0))
            if start:
                container.seek(round((origin + start) / float(stream.time_base or 1)), stream=stream)
            for frame in _decoded(container, stream):
                if not parts and start and frame.time is not None:
                    begin = max(0.0, frame.time - origin)
                for piece in resampler.resample(frame):
                    parts.append(piece.to_ndarray().reshape(-1).astype(np.float32, copy=False))
                    got += parts[-1].size
                if got >= wanted:
                    break
        samples = np.concatenate(parts)[:wanted] if parts else np.zeros(0, np.float32)
        return begin, samples

    @contextmanager
    def _opened(self) -> Iterator[InputContainer]:
        import av

        source: Any = _Reader(self._data, self._hidden)
        limits = {"max_pixels": str(self._limit)}  # for the frames that FFmpeg decodes to know the streams
        with av.open(source, format=self._demuxer, options=limits, metadata_errors="replace") as container:
            yield container

    def _frames(self, start: float) -> Generator[Frame]:
        with decoding(), self._opened() as container:
            stream = _video(container)
            if stream is None:
                return
            context = _known(stream)
            if context.width * context.height > self._limit:
                raise TooLarge(
                    f"frames of {context.width} × {context.height} pixels are beyond the limit of {self._limit}; "
                    "raise max_pixels"
                )
            stream.thread_type = "AUTO"
            context.options = {"max_pixels": str(self._limit)}
            if start and self._origin is not None:
                container.seek(math.floor((self._origin + start) / float(stream.time_base or 1)), stream=stream)
            yield from self._shots(container, stream)

    def _shots(self, container: InputContainer, stream: VideoStream) -> Iterator[Frame]:
        """Frames with their times; each is held back until it is known when the next one takes its place."""
        tick, step = float(stream.time_base or 0), 1 / float(stream.average_rate or 25)
        aspect = float(stream.sample_aspect_ratio or 1)
        before: Frame | None = None
        for count, frame in enumerate(_decoded(container, stream)):
            at = frame.pts * tick if frame.pts is not None else None
            if self._origin is None:
                self._origin = at if at is not None else 0.0
            seconds = at - self._origin if at is not None else before.end if before is not None else 0.0
            shot = Frame(frame, max(seconds, before.seconds if before is not None else 0.0), aspect, self._limit)
            shot.end = shot.seconds + ((frame.duration or 0) * tick or step)
            if before is not None:
                before.end = shot.seconds
                yield before
            before = shot
            if count + 1 >= MAX_FRAMES:
                break
        else:
            if before is None:
                raise UnreadableFile("no frame could be decoded; the film is damaged, or its codec is not known here")
            before.last = True
        if before is not None:
            yield before


def opened(data: bytes | FileBytes, format: str, *, max_pixels: int) -> Sampler:
    """Open a film or sound; ``format`` is a name of :data:`labeling.containers.formats.FORMATS`.

    Raises :class:`UnsupportedFormat`, :class:`UnreadableFile`, :class:`MissingDependency`.
    """
    row = formats.find(format)
    if row is None or not row.demuxer:
        raise UnsupportedFormat(f"a {format} file is no film and no sound that can be decoded")
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise MissingDependency(f"films and sounds are decoded with PyAV: pip install av ({error})") from error
    return Sampler(data, row.demuxer, max_pixels)


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what PyAV raises on broken input into :class:`UnreadableFile`."""
    import av

    try:
        yield
    except (av.error.FFmpegError, *_RAISED) as error:
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableFile(
            f"cannot be decoded ({words}): the file is damaged, or of a kind not known here"
        ) from error


_RAISED = (ValueError, ArithmeticError, LookupError, OSError, MemoryError, RuntimeError)
"""What PyAV's own code raises on odd streams: names it does not know, times and sizes out of range."""


def _video(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures."""
    from av.stream import Disposition

    return next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)


def _texts(data: bytes | FileBytes) -> tuple[int, ...]:
    """Where a RIFF file's own texts are: FFmpeg sets memory aside for them by what they say of their size."""
    found: list[int] = []
    at = 12
    for _ in range(MAX_CHUNKS if data[:4] in (b"RIFF", b"RF64", b"BW64") else 0):
        if at + 8 > len(data):
            break
        chunk = chunk_at(data, at, len(data))
        if chunk.name not in _SOUND and not (chunk.form and chunk.form != b"INFO"):
            found.append(at)
        at = chunk.end
    return tuple(found)


_SOUND = frozenset({b"RIFF", b"fmt ", b"fact", b"data", b"ds64", b"idx1", b"JUNK"})


def _known(stream: Any) -> Any:
    """The stream's decoder; PyAV has none for codecs that FFmpeg cannot decode."""
    if stream.codec_context is None:
        raise UnreadableFile("no decoder for its codec is known here")
    return stream.codec_context


def _decoded(container: InputContainer, stream: Any) -> Iterator[Any]:
    """The frames of one stream. Packets that do not decode are left out; a file that breaks off has come to its end."""
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
            packet.stream = stream  # an empty packet lets the decoder give what it holds
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
    """What PyAV reads a file through: nothing but its bytes, and at most :data:`MAX_READ` of them.

    At the offsets ``hidden`` it reads "JUNK", the name of a RIFF chunk that is skipped.
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
