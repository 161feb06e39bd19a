"""Encode frames from a generator with the label on them. It is drawn on the encoder's own copy of each frame.

The label takes a few microseconds per frame, and no second encode.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from labeling.codecs import pyav
from labeling.codecs.base import Box, Painter
from labeling.codecs.priority import kept_priority
from labeling.codecs.video.audio import AudioTrack
from labeling.codecs.video.base import NAMES, Coding, Settings, Stream, coding, describe
from labeling.codecs.video.frames import pixels_of, video_frame
from labeling.codecs.video.overlay import FrameOverlay
from labeling.codecs.video.pixel_formats import BT709, FULL_RANGE, format_of
from labeling.containers import formats
from labeling.containers.format_row import Muxer
from labeling.errors import LabelingError, WriteError, error_context
from labeling.gates import gate
from labeling.limits import MIN_SECONDS

if TYPE_CHECKING:
    import av

CODECS = ("h264", "hevc", "vp9", "av1")

PIXEL_FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")

_LIMITED = 1

_FIXED = {
    "libx265": {"x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "good", "row-mt": "1"},
}


def container_of(path: str | os.PathLike[str]) -> str:
    """Return libavformat's name of the container for the extension of a path.

    Raises:
        UnsupportedFormat: There is none.
    """
    with error_context(path):
        return formats.muxer_named(Path(path).suffix.lower()).name


def rate_of(fps: float | Fraction) -> Fraction:
    """Return a frame rate as a fraction; 29.97, 23.976 and 59.94 become N * 1000 / 1001.

    Raises:
        LabelingError: It is not a number between 0.01 and 1000.
    """
    if isinstance(fps, bool) or not isinstance(fps, int | float | Fraction) or not 0.01 <= fps <= 1000:
        raise LabelingError(f"`fps` must be a number of frames per second between 0.01 and 1000, not {fps!r}")
    if isinstance(fps, float):
        broadcast = Fraction(math.ceil(fps) * 1000, 1001)
        close = abs(broadcast - Fraction(fps)) < Fraction(1, 200) and fps != round(fps)
        return broadcast if close else Fraction(fps).limit_denominator(1001)
    return Fraction(fps)


class VideoWriter:
    """Encodes frames with the label on them into a file; a context manager.

    Pictures are encoded in BT.709 with limited range, and tagged so.

    Args:
        target: The file, which is overwritten, and removed if anything fails.
        form: The container, as :func:`container_of` returns it.
        painter: What draws the label; ``None`` draws nothing.
        size: (width, height) of every frame in pixels.
        fps: Frames per second.
        codec: h264, hevc, vp9 or av1.
        quality: The encoder's CRF, where 0 is best; by default that of :data:`~labeling.codecs.video.base.DEFAULTS`.
        preset: The encoder's preset or speed; by default as well.
        pix_fmt: One of :data:`PIXEL_FORMATS`.
        seconds: How long the label is shown from the start; by default on every frame.
        audio: ``None``, the path of a file with audio, or an array (samples, channels) of float32 or int16. The audio
            starts and ends with the pictures.
        audio_rate: Samples per second of an array.

    Attributes:
        rate: Frames per second as a fraction.
        size: (width, height) of every frame in pixels.
        box: (left, top, right, bottom) of the label in pixels.
        written: Number of frames so far.
        how: What was done, in words.

    Raises:
        MissingDependency: PyAV is not installed.
        LabelingError: An argument has no valid value, or the file cannot be written like this.
    """

    def __init__(
        self,
        target: Path,
        form: str,
        painter: Painter | None,
        size: tuple[int, int],
        fps: float | Fraction,
        *,
        codec: str = "h264",
        quality: int | None = None,
        preset: str | None = None,
        pix_fmt: str = "yuv420p",
        seconds: float | None = None,
        audio: Any = None,
        audio_rate: int | None = None,
    ) -> None:
        pyav.require("encoding video")
        self.rate = rate_of(fps)
        self.size = _checked_size(size, pix_fmt)
        muxer = formats.muxer_named(form)
        how = _checked_codec(muxer, codec, quality, preset, self.size, self.rate)
        if seconds is not None and not seconds >= MIN_SECONDS:
            raise LabelingError(f"the label must be shown for at least {MIN_SECONDS:g} seconds, not {seconds}")
        self._labelled = math.inf if seconds is None else math.ceil(seconds * self.rate)
        self._overlay = FrameOverlay(painter, *self.size) if painter is not None else None
        self.box: Box = self._overlay.box if self._overlay else (0, 0, 0, 0)
        self.written = 0
        self._target, self._pix_fmt = target, pix_fmt
        self._open = True
        self._audio: AudioTrack | None = None
        from av.video.reformatter import VideoReformatter

        self._converter = VideoReformatter()
        with self._failing():
            self._container = _opened(target, muxer)
        try:
            with self._failing():
                self._stream = self._video_stream(muxer, codec, how)
                if audio is not None:
                    self._audio = AudioTrack(self._container, muxer, audio, audio_rate)
                self._container.start_encoding()
        except BaseException:
            self.discard()
            raise
        stream = Stream(codec, b"", *self.size, 1 / self.rate, self.rate)
        self.how = describe(stream, Settings(preset, quality)) + (f"; {self._audio.how}" if self._audio else "")

    def _video_stream(self, muxer: Muxer, codec: str, how: Coding) -> Any:
        import av

        encoder = how.encoder
        if encoder not in av.codecs_available:
            raise LabelingError(
                f"this build of PyAV has no {NAMES[codec]} encoder ({encoder})", hint="choose another `codec`"
            )
        if encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: otherwise it writes to standard error
        width, height = self.size
        effort = "cpu-used" if encoder == "libvpx-vp9" else "preset"
        options = {"crf": str(how.crf), effort: how.preset, **_FIXED.get(encoder, {})}
        stream: Any = self._container.add_stream(encoder, rate=self.rate, options=options, width=width, height=height)
        context = stream.codec_context
        if self._pix_fmt not in [known.name for known in context.codec.video_formats or ()]:
            raise LabelingError(f"{NAMES[codec]} cannot be encoded as {self._pix_fmt} here", hint="choose yuv420p")
        context.pix_fmt = self._pix_fmt
        context.time_base = 1 / self.rate
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = _LIMITED
        context.thread_type = "AUTO"  # PyAV's default cuts H.264 pictures into slices, which costs quality
        if codec == "hevc" and muxer.hevc_tag:
            context.codec_tag = muxer.hevc_tag
        return stream

    def write(self, frame: Any) -> None:
        """Encode one frame.

        Args:
            frame: An ndarray, a PIL image or a tensor; :mod:`labeling.codecs.video.frames` says which. It is not
                modified, and may be reused at once.

        Raises:
            LabelingError: It is not a frame of the right size, or cannot be encoded.
            WriteError: The disk is full, or writing failed.
        """
        if not self._open:
            raise LabelingError("the video is closed", hint="open a new one")
        with self._failing():
            picture = self._converter.reformat(
                video_frame(pixels_of(frame, self.size)),
                format=self._pix_fmt,
                src_color_range=FULL_RANGE,
                dst_colorspace=BT709,
                dst_color_range=_LIMITED,
                threads=_threads(self._pix_fmt, self.size[0]),
            )
            picture.pts, picture.time_base = self.written, 1 / self.rate
            if self._overlay is not None and self.written < self._labelled:
                self._overlay.draw(picture)
            with nullcontext() if self.written else kept_priority():  # the first picture opens the encoder
                packets = self._stream.encode(picture)
            self._container.mux(packets)
            self.written += 1
            self._mux_audio()

    def _mux_audio(self) -> None:
        if self._audio is not None:
            for packet in self._audio.until(float(self.written / self.rate)):
                self._container.mux(packet)

    def close(self) -> None:
        """Finish the file.

        Raises:
            LabelingError: No frame was written.
            WriteError: Writing failed.
        """
        if not self._open:
            return
        if not self.written:
            self.discard()
            raise LabelingError("no frame was written, so there is no video", hint="write at least one")
        try:
            with self._failing():
                self._container.mux(self._stream.encode(None))
                self._mux_audio()
                self._container.close()
        except BaseException:
            self.discard()
            raise
        self._end()

    def discard(self) -> None:
        """Close everything and remove the file."""
        import av

        with suppress(av.error.FFmpegError, ValueError):
            self._container.close()
        with suppress(OSError):
            if self._target.is_file():  # a device, such as /dev/null, is not removed
                self._target.unlink()
        self._end()

    def _end(self) -> None:
        self._open = False
        if self._audio is not None:
            self._audio.close()

    @property
    def seconds(self) -> float:
        """Duration of the frames that were written so far, in seconds."""
        return float(self.written / self.rate)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn exceptions of PyAV into a :class:`LabelingError`."""
        import av

        with gate("encode the video", _not_encoded):
            try:
                yield
            except av.error.FFmpegError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise WriteError("the disk is full; nothing was written") from error
                if error.errno in (errno.EACCES, errno.EROFS, errno.ENOENT, errno.EFBIG, errno.EIO):
                    raise WriteError(
                        f"the video cannot be written ({error.strerror})", hint="choose another place"
                    ) from error
                raise


def _not_encoded(why: str) -> LabelingError:
    return LabelingError(f"the video cannot be encoded ({why})", hint="try another `codec` or size")


def _opened(target: Path, muxer: Muxer) -> av.container.OutputContainer:
    import av

    # Without "file:", a colon in a name would look like a protocol.
    return av.open(f"file:{target.absolute()}", "w", format=muxer.name, options=dict(muxer.write_options))


def _threads(pix_fmt: str, width: int) -> int:
    """Return how many threads may convert a frame; 0 leaves it to libswscale.

    Samples of more than eight bits are written beyond the end of a row unless its width is a multiple of 32. With
    several threads, one overwrites the first samples of another's rows that way.
    """
    form = format_of(pix_fmt)
    return 1 if form is not None and form.bits > 8 and width % 32 else 0


def _checked_size(size: tuple[int, int], pix_fmt: str) -> tuple[int, int]:
    form = format_of(pix_fmt)
    if pix_fmt not in PIXEL_FORMATS or form is None:
        raise LabelingError(
            f"there is no pixel format {pix_fmt!r} here", hint=f"choose as `pix_fmt` one of {', '.join(PIXEL_FORMATS)}"
        )
    try:
        width, height = (int(side) for side in size)
    except (TypeError, ValueError, OverflowError):
        raise LabelingError(f"`size` must be (width, height) in pixels, not {size!r}") from None
    if not (16 <= width <= 16_384 and 16 <= height <= 16_384):
        raise LabelingError(f"a video must be 16 to 16384 pixels wide and high, not {width}×{height}")
    across, down = form.grid
    if width % across or height % down:
        what = "width and height" if down > 1 else "width"
        raise LabelingError(
            f"{width}×{height}: {what} must be even for {pix_fmt}",
            hint="crop the frames, or choose yuv444p",
        )
    return width, height


def _checked_codec(
    muxer: Muxer, codec: str, quality: int | None, preset: str | None, size: tuple[int, int], rate: Fraction
) -> Coding:
    if codec not in CODECS:
        raise LabelingError(f"there is no codec {codec!r} here", hint=f"choose one of {', '.join(CODECS)}")
    if codec not in muxer.video_codecs:
        raise LabelingError(
            f"{NAMES[codec]} does not belong in {muxer.name}",
            hint=f"choose {', '.join(muxer.video_codecs)}, or write an .mp4 or .mkv file",
        )
    return coding(Stream(codec, b"", *size, 1 / rate, rate), Settings(preset, quality))
