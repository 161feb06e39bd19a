"""Frames straight from a generator into a labelled video: encoded once, with label, metadata and signature."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from labeling import atomic_writes, containers
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.label import Label
from labeling.pipelines.labeling_options import LabelingOptions
from labeling.pipelines.output import LabeledFile
from labeling.pipelines.video_job import VideoJob, write
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling._types import Frame, VideoCoding
    from labeling.codecs.video.writer import VideoWriter


class LabeledVideoWriter:
    """A labelled video that is being written, as a context manager: see :meth:`labeling.Labeler.open_video`.

    The file appears under its name when the ``with`` block ends well, whole and read back; otherwise nothing stays.

    Attributes:
        path: The output.
        result: The :class:`~labeling.LabeledFile`, once the block has ended; ``None`` before.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        label: Label,
        options: LabelingOptions,
        size: tuple[int, int],
        fps: float | Fraction,
        *,
        seconds: float | None,
        coding: VideoCoding,
    ) -> None:
        from labeling.codecs.video.writer import container_of

        self.path = Path(path)
        self._form = container_of(self.path)
        self._label, self._options = label, options
        self._size, self._fps, self._seconds, self._coding = size, fps, seconds, coding
        self._stack = contextlib.ExitStack()
        self._writer: VideoWriter | None = None
        self.result: LabeledFile | None = None

    def __enter__(self) -> LabeledVideoWriter:
        from labeling.codecs.video.writer import VideoWriter

        with guarded("open the video", self.path), contextlib.ExitStack() as stack:
            atomic_writes.check_replaceable(self.path)
            self._temporary = stack.enter_context(atomic_writes.temp_beside(self.path))
            self._writer = VideoWriter(
                self._temporary, self._form, self._options.painter, self._size, self._fps,
                seconds=self._seconds, **self._coding,
            )  # fmt: skip
            painter = self._options.painter
            # Asked for at once: a painter remembers what it has drawn last in this thread.
            self._visible = painter.finding(self._writer.box, *self._writer.size) if painter else None
            self._stack = stack.pop_all()
        return self

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Args:
            frame: Picture of the video's size: an ndarray of uint8, (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) gray; a
                PIL image; or a PyTorch tensor, (C, H, W), (H, W, C) or (H, W), of uint8 or of floats from 0 to 1. It
                is not modified, and may be used again at once.

        Raises:
            LabelingError: The frame has another size or type, or cannot be encoded.
        """
        if self._writer is None:
            raise LabelingError("the video is not open", path=self.path, hint="use it in a with statement")
        with guarded("encode the frame", self.path):
            self._writer.write(frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._writer is not None
        with guarded("finish the video", self.path), self._stack:
            self._writer.__exit__(kind, error, trace)
            if kind is None:
                self._finish()

    def _finish(self) -> None:
        assert self._writer is not None
        with FileBytes(self._temporary.open("rb"), str(self.path)) as data:
            contents = containers.read(data)
            job = VideoJob(data, contents, metadata.scan(contents))
            job.visible = self._visible
            job.how.append(f"{self._writer.written} frames encoded as {self._writer.how}")
            self.result = write(job, str(self.path), self.path, self._label, self._options)
