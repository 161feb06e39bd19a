"""A decoded frame as a player shows it: cropped, upright, with square pixels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Box, Pixels
from labeling.codecs.video.demuxed import decoding
from labeling.codecs.video.overlay import sane_crop
from labeling.codecs.video.pixel_formats import HDR_WHITE
from labeling.containers import Crop

MAX_ASPECT = 16
"""Sample aspect ratios beyond this make no sense and are ignored."""

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
        self._turn = _turn_of(frame)
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


def _turn_of(frame: Any) -> Turn:
    """Return how a frame is turned by its display matrix (ISO/IEC 14496-12 8.2.2): x' = a x + c y, y' = b x + d y."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or len(bytes(matrix)) < 36:
        return Turn()
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0)
