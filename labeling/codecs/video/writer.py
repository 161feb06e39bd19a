"""Frames straight from a generator into an encoder, with the label on them: drawn on the encoder's copy of each frame.

The label costs some microseconds a frame, and no second encode.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from labeling.codecs.base import Box, Painter
from labeling.codecs.pixels import one_line
from labeling.codecs.video.audio import Sound
from labeling.codecs.video.base import NAMES, Coding, Settings, Stream, coding, describe
from labeling.codecs.video.frames import pixels_of, video_frame
from labeling.codecs.video.overlay import FrameOverlay
from labeling.codecs.video.pixel_formats import BT709, FULL_RANGE, format_of
from labeling.containers import formats
from labeling.containers.format_row import Muxer
from labeling.errors import LabelingError, WriteError, error_context

if TYPE_CHECKING:
    import av

CODECS = ("h264", "hevc", "vp9", "av1")

PIXEL_FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")

LEAST_SECONDS = 2.0
"""A label that goes away again has to stay for so long; a shorter film has it on every frame."""

_LIMITED = 1

_FIXED = {
    "libx265": {"x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "good", "row-mt": "1"},
}


def container_of(path: str | os.PathLike[str]) -> str:
    """The container that a path's extension asks for. Raises :class:`UnsupportedFormat`."""
    with error_context(path):
        return formats.muxer_named(Path(path).suffix.lower()).name


def rate_of(fps: float | Fraction) -> Fraction:
    """The frame rate as a fraction: 29.97, 23.976 and 59.94 are N · 1000 / 1001. Raises :class:`LabelingError`."""
    if isinstance(fps, bool) or not isinstance(fps, int | float | Fraction) or not 0.01 <= fps <= 1000:
        raise LabelingError(f"fps must be a number of frames a second between 0.01 and 1000, not {fps!r}")
    if isinstance(fps, float):
        broadcast = Fraction(math.ceil(fps) * 1000, 1001)
        close = abs(broadcast - Fraction(fps)) < Fraction(1, 200) and fps != round(fps)
        return broadcast if close else Fraction(fps).limit_denominator(1001)
    return Fraction(fps)


class VideoWriter:
    """Encodes frames into ``target`` with the label on them; used as a context manager.

    ``target``: a file of the caller's own, which is overwritten, and removed unless all goes well. ``form``: the
    container, as :func:`container_of` gives it. ``painter``: what to draw; ``None`` draws nothing. ``size``: (width,
    height) of every frame. ``codec``: h264, hevc, vp9 or av1. ``quality``: the encoder's CRF (0 is best), ``preset``:
    its preset or speed; by default those of :data:`~labeling.codecs.video.base.DEFAULTS`. ``seconds``: how long the
    label stays from the start (default: on every frame). ``audio``: ``None``, the path of a file with sound, or an
    array (samples, channels) of float32 or int16 with ``audio_rate``; it starts and ends with the pictures.

    Pictures are coded in BT.709, limited range, and tagged so. ``box`` is the label's box in pixels, ``written`` the
    number of frames so far, ``how`` says in words what was done.

    Raises :class:`LabelingError` at once for options that cannot be carried out.
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
        self.rate = rate_of(fps)
        self.size = _checked_size(size, pix_fmt)
        muxer = formats.muxer_named(form)
        how = _checked_codec(muxer, codec, quality, preset, self.size, self.rate)
        if seconds is not None and not seconds >= LEAST_SECONDS:
            raise LabelingError(f"the label must stay for at least {LEAST_SECONDS:g} seconds, not {seconds}")
        self._labelled = math.inf if seconds is None else math.ceil(seconds * self.rate)
        self._overlay = FrameOverlay(painter, *self.size) if painter is not None else None
        self.box: Box = self._overlay.box if self._overlay else (0, 0, 0, 0)
        self.written = 0
        self._target, self._pix_fmt = target, pix_fmt
        self._open = True
        self._sound: Sound | None = None
        from av.video.reformatter import VideoReformatter

        self._converter = VideoReformatter()
        with self._failing():
            self._container = _opened(target, muxer)
        try:
            with self._failing():
                self._stream = self._video_stream(muxer, codec, how)
                if audio is not None:
                    self._sound = Sound(self._container, muxer, audio, audio_rate)
                self._container.start_encoding()
        except BaseException:
            self.discard()
            raise
        stream = Stream(codec, b"", *self.size, 1 / self.rate, self.rate)
        self.how = describe(stream, Settings(preset, quality)) + (f"; {self._sound.how}" if self._sound else "")

    def _video_stream(self, muxer: Muxer, codec: str, how: Coding) -> Any:
        import av

        encoder = how.encoder
        if encoder not in av.codecs_available:
            raise LabelingError(f"this build of PyAV has no {NAMES[codec]} encoder ({encoder}); choose another codec")
        if encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: it writes to standard error by itself
        width, height = self.size
        effort = "cpu-used" if encoder == "libvpx-vp9" else "preset"
        options = {"crf": str(how.crf), effort: how.preset, **_FIXED.get(encoder, {})}
        stream: Any = self._container.add_stream(encoder, rate=self.rate, options=options, width=width, height=height)
        context = stream.codec_context
        if self._pix_fmt not in [known.name for known in context.codec.video_formats or ()]:
            raise LabelingError(f"{NAMES[codec]} cannot be encoded as {self._pix_fmt} here; choose yuv420p")
        context.pix_fmt = self._pix_fmt
        context.time_base = 1 / self.rate
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = _LIMITED
        context.thread_type = "AUTO"  # PyAV's default would cut pictures of H.264 into slices, which costs quality
        if codec == "hevc" and muxer.hevc_tag:
            context.codec_tag = muxer.hevc_tag
        return stream

    def write(self, frame: Any) -> None:
        """Encode one frame: an ndarray, a PIL image or a tensor (:mod:`labeling.codecs.video.frames` says which).

        It is never modified, and may be used again at once. Raises :class:`LabelingError`.
        """
        if not self._open:
            raise LabelingError("the video is closed; open a new one")
        with self._failing():
            picture = self._converter.reformat(
                video_frame(pixels_of(frame, self.size)),
                format=self._pix_fmt,
                src_color_range=FULL_RANGE,
                dst_colorspace=BT709,
                dst_color_range=_LIMITED,
            )
            picture.pts, picture.time_base = self.written, 1 / self.rate
            if self._overlay is not None and self.written < self._labelled:
                self._overlay.draw(picture)
            self._container.mux(self._stream.encode(picture))
            self.written += 1
            self._mux_sound()

    def _mux_sound(self) -> None:
        if self._sound is not None:
            for packet in self._sound.until(float(self.written / self.rate)):
                self._container.mux(packet)

    def close(self) -> None:
        """Finish the file. Raises :class:`LabelingError` if no frame was written, :class:`WriteError` if that fails."""
        if not self._open:
            return
        if not self.written:
            self.discard()
            raise LabelingError("no frame was written, so there is no video; write at least one")
        try:
            with self._failing():
                self._container.mux(self._stream.encode(None))
                self._mux_sound()
                self._container.close()
        except BaseException:
            self.discard()
            raise
        self._end()

    def discard(self) -> None:
        """Give up: close everything and remove the file."""
        import av

        with suppress(av.error.FFmpegError, ValueError):
            self._container.close()
        with suppress(OSError):
            if self._target.is_file():  # a device that somebody wrote to is not ours to remove
                self._target.unlink()
        self._end()

    def _end(self) -> None:
        self._open = False
        if self._sound is not None:
            self._sound.close()

    @property
    def seconds(self) -> float:
        """How long the film is so far."""
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
        """Turn what PyAV raises into errors of ours."""
        import av

        try:
            yield
        except av.error.FFmpegError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise WriteError("the disk is full; nothing was written") from error
            if error.errno in (errno.EACCES, errno.EROFS, errno.ENOENT, errno.EFBIG, errno.EIO):
                raise WriteError(f"the video cannot be written ({error.strerror}); choose another place") from error
            raise LabelingError(
                f"the video cannot be encoded ({one_line(error)}); try another codec or size"
            ) from error
        except MemoryError as error:
            raise LabelingError("there is not enough memory to encode the video; choose a smaller size") from error


def _opened(target: Path, muxer: Muxer) -> av.container.OutputContainer:
    import av

    # "file:" keeps a colon in a name from being taken for a protocol.
    return av.open(f"file:{target.absolute()}", "w", format=muxer.name, options=dict(muxer.write_options))


def _checked_size(size: tuple[int, int], pix_fmt: str) -> tuple[int, int]:
    form = format_of(pix_fmt)
    if pix_fmt not in PIXEL_FORMATS or form is None:
        raise LabelingError(f"there is no pix_fmt {pix_fmt!r} here; choose one of {', '.join(PIXEL_FORMATS)}")
    try:
        width, height = (int(side) for side in size)
    except (TypeError, ValueError, OverflowError):
        raise LabelingError(f"size must be (width, height) in pixels, not {size!r}") from None
    if not (16 <= width <= 16_384 and 16 <= height <= 16_384):
        raise LabelingError(f"a video must be 16 to 16384 pixels wide and high, not {width}×{height}")
    across, down = form.grid
    if width % across or height % down:
        what = "width and height" if down > 1 else "width"
        raise LabelingError(f"{width}×{height}: {what} must be even for {pix_fmt}; crop the frames, or choose yuv444p")
    return width, height


def _checked_codec(
    muxer: Muxer, codec: str, quality: int | None, preset: str | None, size: tuple[int, int], rate: Fraction
) -> Coding:
    if codec not in CODECS:
        raise LabelingError(f"there is no codec {codec!r} here; choose one of {', '.join(CODECS)}")
    if codec not in muxer.video_codecs:
        raise LabelingError(
            f"{NAMES[codec]} does not belong in {muxer.name}",
            hint=f"choose {', '.join(muxer.video_codecs)}, or write an .mp4 or .mkv file",
        )
    return coding(Stream(codec, b"", *size, 1 / rate, rate), Settings(preset, quality))
