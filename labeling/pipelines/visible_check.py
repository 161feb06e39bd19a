"""Whether a label that was drawn on a video is really there: its pixels are compared with what should be there.

The first shown picture of the new file has to differ from the source's as the painter says, and the
label has to stay for two seconds (GB 45438-2025 5.4). Pictures are decoded as the verifier does it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Painter
from labeling.codecs.video import sample
from labeling.containers import Media
from labeling.errors import LabelingError, MissingDependency, UnsupportedFormat, WriteError
from labeling.findings import Status
from labeling.limits import MAX_PIXELS_LABELLED, MIN_SECONDS
from labeling.marks.visible import same_text, text_detail
from labeling.pipelines.join_check import check_join

if TYPE_CHECKING:
    from labeling.codecs.video.sample import Sampler
    from labeling.codecs.video.shown_frame import Frame

_HINT = "nothing was stored, please report this file"

_STRENGTH = 0.35, 2.5
"""How strong a label may be in the picture, where 1 is what the painter says. Without a label it is about 0; labels on
HDR video are dimmed, and coarse coding weakens small ones."""

_ALIKE = 0.4
"""Least correlation between what was changed in the picture and what the painter changes."""

_FAINT = 2.0
"""A label that changes the picture by less than this many levels on average cannot be told from coding noise."""

_FRAMES = 6000
"""Limit on the frames that are decoded to get behind those that were re-encoded."""

_ROUNDING = 0.002
"""Seconds: Matroska and FLV round times to milliseconds."""


class _Expected(NamedTuple):
    """The label on pictures of one size."""

    box: tuple[int, int, int, int]
    ink: NDArray[np.float32]
    alpha: NDArray[np.float32]


def check_on_video(
    result: Media,
    source: Media,
    format: str,
    painter: Painter,
    *,
    resumes: float | None = None,
    languages: tuple[str, ...] = ("zh",),
) -> None:
    """Check that the label of a new video is on the first shown picture, and for two seconds from there.

    Where the pixels do not say so, the verifier's reader of text decides: the decoder may have shown other pictures of
    the source than of the copy. The same decoder then goes on to the first pictures that were copied.

    Args:
        result: The new file.
        source: The file as it came, with the same pictures.
        format: Their format's name.
        painter: What drew the label.
        resumes: When the first picture behind re-encoded ones is shown that was copied, in seconds from the first one;
            ``None`` if there is none.
        languages: Languages in which the wording is accepted.

    Raises:
        UnsupportedFormat: Players show another video track than the one that has it.
        WriteError: The label is not there.
        BrokenJoin: It is, and the pictures behind it are not as before.
    """
    shown = 1
    with contextlib.ExitStack() as stack:
        try:
            before = sample.opened(source, format, max_pixels=MAX_PIXELS_LABELLED)
            shown = before.number
            frames = sample.opened(result, format, max_pixels=MAX_PIXELS_LABELLED).frames(limit=_FRAMES)
            stack.callback(frames.close)
            numbered = enumerate(frames)
            missing = _missing(numbered, before, painter)
        except LabelingError as error:
            missing = f"could not be checked ({error.message})"
        if missing and shown != 1:
            raise UnsupportedFormat(
                f"players show video track {shown} of this file, and a label can only be drawn on the first one",
                hint="make that track the first (ffmpeg -map …), or label without a visible label (`visible=False`)",
            )
        if missing and not _is_read(result, format, languages):
            raise WriteError(f"the visible label {missing}", hint=_HINT)
        if resumes is not None and not missing:
            check_join(numbered, before, resumes)


def _is_read(result: Media, format: str, languages: tuple[str, ...]) -> bool:
    from labeling.verification.visible_video import find_explicit_label

    try:
        return (
            find_explicit_label(result, format, languages=languages, max_pixels=MAX_PIXELS_LABELLED).status
            is Status.PRESENT
        )
    except MissingDependency:
        return False


def _missing(frames: Iterator[tuple[int, Frame]], source: Sampler, painter: Painter) -> str:
    """Say on which picture the label is missing; empty if it is there."""
    before = _Source(source.frames(ahead=False))
    known: dict[tuple[int, int], _Expected] = {}
    reference: NDArray[np.float32] | None = None
    try:
        for number, frame in frames:
            size = frame.size
            if size not in known:
                known[size] = _expected(painter, size)
            here = known[size]
            luma = frame.luma(here.box, size)
            detail = text_detail(luma) if luma.size else None
            if reference is None or detail is None or not same_text(reference, detail):
                if not _is_there(frame, before.at(number), here):
                    words = "the first picture" if not number else f"the picture at {frame.seconds:.2f} s"
                    return f"is not on {words} of the new video"
                reference = detail
            if frame.end >= MIN_SECONDS - _ROUNDING:
                break
    finally:
        before.frames.close()
    return ""


class _Source:
    """The pictures of the source, decoded only as far as they are asked for."""

    def __init__(self, frames: Generator[Frame]) -> None:
        self.frames, self._number = frames, -1
        self._frame: Frame | None = None

    def at(self, number: int) -> Frame | None:
        """Return the picture of a number, which only grows; ``None`` if there are fewer."""
        while self._number < number:
            self._frame = next(self.frames, None)
            self._number += 1
        return self._frame


def _expected(painter: Painter, size: tuple[int, int]) -> _Expected:
    box = painter.box(*size)
    shape = box[3] - box[1], box[2] - box[0], 3
    overlay = painter.paint([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])
    alpha: NDArray[np.float32] = np.true_divide(overlay[..., 3], 255, dtype=np.float32)
    return _Expected(box, _gray(overlay[..., :3]), alpha)


def _gray(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) @ np.array((0.299, 0.587, 0.114), np.float32)


def _is_there(frame: Frame, before: Frame | None, label: _Expected) -> bool:
    """Return whether a picture differs from the source's by the label."""
    if before is None:
        return False
    left, top, right, bottom = label.box
    new, old = (_gray(each.rgb()[top:bottom, left:right]) for each in (frame, before))
    if new.shape != label.alpha.shape or old.shape != new.shape:
        return False
    wanted = label.alpha * (label.ink * frame.white - old)
    made = new - old
    if float(np.abs(wanted).mean()) < _FAINT:
        return True
    common, energy = float((made * wanted).sum()), float((wanted * wanted).sum())
    norm = float(np.linalg.norm(made)) * energy**0.5
    return _STRENGTH[0] <= common / energy <= _STRENGTH[1] and common >= _ALIKE * norm > 0
