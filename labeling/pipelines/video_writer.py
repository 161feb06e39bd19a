"""Frames straight from a generator into a labelled film: encoded once, with the label, its metadata and a signature."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from labeling import containers, files
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes
from labeling.label import Label
from labeling.pipelines import video
from labeling.pipelines.image import Options
from labeling.pipelines.output import LabeledFile
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling.codecs.video.writer import VideoWriter


class LabeledVideoWriter:
    """A film that is being written, as a context manager: ``write(frame)`` for each frame, ``result`` afterwards.

    It appears under its name when the ``with`` block ends well, whole and read back; otherwise nothing stays.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        label: Label,
        options: Options,
        size: tuple[int, int],
        fps: float | Fraction,
        *,
        seconds: float | None,
        coding: dict[str, Any],
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

        with contextlib.ExitStack() as stack:
            self._scratch = stack.enter_context(files.scratch(self.path))
            self._writer = VideoWriter(
                self._scratch, self._form, self._options.painter, self._size, self._fps,
                seconds=self._seconds, **self._coding,
            )  # fmt: skip
            painter = self._options.painter
            # Asked for at once: a painter remembers what it has drawn last in this thread.
            self._visible = painter.finding(self._writer.box, *self._writer.size) if painter else None
            self._stack = stack.pop_all()
        return self

    def write(self, frame: Any) -> None:
        """Encode one frame: ndarray (H, W, 3) uint8 RGB, a PIL image, or a torch tensor. Raises :class:`LabelingError`.

        The frame is not modified.
        """
        if self._writer is None:
            raise LabelingError("the film is not open; use it in a with statement")
        self._writer.write(frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._writer is not None
        with self._stack:
            self._writer.__exit__(kind, error, trace)
            if kind is None:
                self._finish()

    def _finish(self) -> None:
        assert self._writer is not None
        with FileBytes(self._scratch.open("rb"), str(self.path)) as data:
            contents = containers.read(data)
            draft = video.Draft(data, contents, metadata.scan(contents))
            draft.visible = self._visible
            draft.how.append(f"{self._writer.written} frames encoded as {self._writer.how}")
            self.result = video.write(draft, str(self.path), self.path, self._label, self._options)
