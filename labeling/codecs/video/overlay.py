"""Draw an overlay on decoded frames: lay it out as displayed, convert it to coded pixels, blend it into the planes.

The backdrop of a label changes from frame to frame, and is not known in advance. So the painter is given a black and a
white backdrop: the look that it chooses is legible on both, and stays the same for the whole video.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.base import Box, Painter
from labeling.codecs.pixels import as_stored, make_plan
from labeling.codecs.video.base import NO_VISIBLE
from labeling.codecs.video.pixel_formats import FULL_RANGE, Component, Format, channels, format_of, matrix_of
from labeling.containers import Crop
from labeling.errors import LabelingError, UnsupportedFormat

if TYPE_CHECKING:
    import av

Saved = list[NDArray[Any]]

MAX_ASPECT = 32
"""A pixel this many times wider than high, or higher than wide, is a damaged header."""

_TURNS = {0: (1, 2), 90: (6, 5), 180: (3, 4), 270: (8, 7)}
"""Degrees clockwise → the EXIF orientation that means the same, without and with mirroring."""


def supports(pix_fmt: str) -> bool:
    """Return whether frames of a pixel format (FFmpeg's name) can be drawn on."""
    return format_of(pix_fmt) is not None


def sane_crop(crop: Crop, width: int, height: int) -> Crop:
    """Return what is cut off a frame of this size; nothing, if nothing would be left."""
    return crop if crop[0] + crop[2] < width and crop[1] + crop[3] < height else (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Patch:
    """What is blended into one component: ``sample = (sample * keep + add) >> shift``, then ``& mask``.

    ``rows`` and ``columns`` are slices of its plane, in samples.
    """

    plane: int
    rows: slice
    columns: slice
    keep: NDArray[Any]
    add: NDArray[Any]
    shift: int
    mask: int


class FrameOverlay:
    """One overlay for all frames of a size. Threads may share it.

    A player stretches the coded frame by ``sample_aspect``, then rotates it, then mirrors it. The label is upright, and
    as large as required, in the result.

    Args:
        painter: What draws the label.
        width: Width of the coded frame in pixels.
        height: Height of the coded frame in pixels.
        rotation: Degrees clockwise: 0, 90, 180 or 270.
        mirrored: Whether left and right are exchanged after that.
        sample_aspect: Width : height of one pixel.
        crop: Pixels of the coded frame that players cut off before all this: left, top, right, bottom.

    Attributes:
        size: (width, height) of the coded frame.
        displayed: (width, height) of the displayed picture in square pixels; the axis along which pixels are longer is
            the one that is stretched.
        box: The label's box in the displayed picture.
        coded: The label's box in the coded frame.

    Raises:
        LabelingError: There is no room for a legible label, or there is no such rotation or shape of a pixel.
    """

    def __init__(
        self,
        painter: Painter,
        width: int,
        height: int,
        *,
        rotation: int = 0,
        mirrored: bool = False,
        sample_aspect: Fraction = Fraction(1),
        crop: Crop = (0, 0, 0, 0),
    ) -> None:
        if rotation % 360 not in _TURNS:
            raise LabelingError(f"the video is rotated by {rotation} degrees; only quarter turns can be labelled")
        if not Fraction(1, MAX_ASPECT) <= sample_aspect <= MAX_ASPECT:
            raise LabelingError(
                f"the video has pixels of {sample_aspect} : 1, which is impossible", hint="repair its header"
            )
        self.size = width, height
        one = Fraction(1)
        left, top, right, bottom = sane_crop(crop, width, height)
        inner = width - left - right, height - top - bottom
        square = round(inner[0] * max(sample_aspect, one)), round(inner[1] / min(sample_aspect, one))
        plan = make_plan(painter, *square, _TURNS[rotation % 360][mirrored])
        self.displayed = plan.width, plan.height
        self.box = plan.box
        shape = plan.box[3] - plan.box[1], plan.box[2] - plan.box[0], 3
        shown = painter.paint([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])
        stored = as_stored(shown, plan.orientation)
        box = _coded_box(plan.stored, square, inner)
        self.coded = box[0] + left, box[1] + top, box[2] + left, box[3] + top
        self._ink = _resized(stored, self.coded)
        self._patches: dict[tuple[str, int, int, int], list[_Patch]] = {}

    def draw(self, frame: av.VideoFrame) -> None:
        """Blend the label into ``frame`` in place. Nothing outside the chroma grid of the box changes.

        The caller has to know that the planes may be written to: a decoder still reads the frames that it has
        returned. It is enough to call :meth:`save` before this and :meth:`restore` before the next call of the decoder,
        unless it decodes several frames at a time (``thread_type`` FRAME or AUTO) and reads them in the meantime.

        Raises:
            UnsupportedFormat: The pixel format is unknown.
            LabelingError: The frame has another size.
        """
        for patch, view in self._views(frame):
            mixed = np.multiply(view, patch.keep, dtype=patch.keep.dtype)
            mixed += patch.add
            mixed >>= patch.shift
            if patch.mask:
                mixed &= patch.mask
            view[...] = mixed

    def save(self, frame: av.VideoFrame) -> Saved:
        """Copy the samples that :meth:`draw` will change: a few kilobytes."""
        return [view.copy() for _, view in self._views(frame)]

    def restore(self, frame: av.VideoFrame, saved: Saved) -> None:
        """Put back what :meth:`save` copied, into the same frame."""
        for (_, view), samples in zip(self._views(frame), saved, strict=True):
            view[...] = samples

    def _views(self, frame: av.VideoFrame) -> list[tuple[_Patch, NDArray[Any]]]:
        """The samples that each patch goes to, writable and not copied."""
        name = frame.format.name
        key = name, frame.colorspace, frame.color_range, frame.color_trc
        patches = self._patches.get(key)
        form = format_of(name)
        if form is None:
            raise UnsupportedFormat(
                f"frames of the pixel format {name} cannot be drawn on",
                hint=f"convert the video to yuv420p, or {NO_VISIBLE}",
            )
        if (frame.width, frame.height) != self.size:
            raise LabelingError(
                f"the frame is {frame.width}×{frame.height} pixels, not {self.size[0]}×{self.size[1]} as those before"
            )
        if patches is None:
            patches = self._patches[key] = self._prepared(form, *key[1:])
        planes = frame.planes
        arrays = [_samples(plane, form.dtype) for plane in planes]
        return [(patch, arrays[patch.plane][patch.rows, patch.columns]) for patch in patches]

    def _prepared(self, form: Format, colorspace: int, color_range: int, transfer: int) -> list[_Patch]:
        """Compute alpha and colour at the resolution of each component; done once for each kind of frame."""
        full = color_range == FULL_RANGE or (form.full and color_range != 1)
        matrix = matrix_of(colorspace, self.size[1])
        box, ink = _aligned(self._ink, self.coded, form.grid, self.size)
        alpha = ink[..., 3]
        colour = ink[..., :3] / np.maximum(alpha, 1e-6)[..., None]
        values = channels(colour, form, matrix, full, transfer)
        return [_patch(part, form, box, self.size, alpha, values[part.channel]) for part in form.components]


class SizedOverlays:
    """The overlay of one video whose frames may have several sizes: one :class:`FrameOverlay` for each size.

    Args:
        painter: What draws the label.
        rotation: Degrees clockwise by which a player rotates the frames.
        mirrored: Whether it mirrors them after that.
        sample_aspect: Width : height of one pixel.
        crop: What a player cuts off a frame, if that leaves anything.
    """

    def __init__(
        self,
        painter: Painter,
        *,
        rotation: int,
        mirrored: bool,
        sample_aspect: Fraction,
        crop: Crop = (0, 0, 0, 0),
    ) -> None:
        self._painter, self._crop = painter, crop
        self._shape = rotation, mirrored, sample_aspect
        self._made: dict[tuple[int, int], FrameOverlay] = {}

    @property
    def used(self) -> bool:
        """Whether anything was drawn on."""
        return bool(self._made)

    @property
    def first(self) -> FrameOverlay:
        """The overlay of the first size that was drawn on.

        Raises:
            LabelingError: Nothing was drawn.
        """
        if not self._made:
            raise LabelingError("no picture of the video is shown at the time of the label")
        return next(iter(self._made.values()))

    def of(self, width: int, height: int) -> FrameOverlay:
        """Return the overlay for frames of a size."""
        made = self._made.get((width, height))
        if made is None:
            rotation, mirrored, aspect = self._shape
            made = self._made[width, height] = FrameOverlay(
                self._painter, width, height, rotation=rotation, mirrored=mirrored, sample_aspect=aspect,
                crop=self._crop,
            )  # fmt: skip
        return made

    def draw(self, frame: av.VideoFrame) -> None:
        """See :meth:`FrameOverlay.draw`."""
        self.of(frame.width, frame.height).draw(frame)

    def save(self, frame: av.VideoFrame) -> Saved:
        """See :meth:`FrameOverlay.save`."""
        return self.of(frame.width, frame.height).save(frame)

    def restore(self, frame: av.VideoFrame, saved: Saved) -> None:
        """See :meth:`FrameOverlay.restore`."""
        self.of(frame.width, frame.height).restore(frame, saved)


def _samples(plane: Any, dtype: str) -> NDArray[Any]:
    """Return a plane as a writable view (rows, samples), top row first even if it is stored bottom-up."""
    stride: int = plane.line_size
    flat = np.frombuffer(plane, dtype)
    rows = flat.reshape(-1, abs(stride) // flat.itemsize)
    return rows if stride > 0 else rows[::-1]


def _coded_box(box: Box, square: tuple[int, int], size: tuple[int, int]) -> Box:
    """Return the box in coded pixels, rounded outwards."""
    across, down = Fraction(size[0], square[0]), Fraction(size[1], square[1])
    return math.floor(box[0] * across), math.floor(box[1] * down), math.ceil(box[2] * across), math.ceil(box[3] * down)


def _resized(overlay: NDArray[np.uint8], box: Box) -> NDArray[np.floating[Any]]:
    """Return the overlay in the size of the box as (H, W, 4) float32, 0 to 1.

    It is premultiplied, so that transparent pixels do not contribute their colour.
    """
    ink: NDArray[Any] = np.true_divide(overlay, 255, dtype=np.float32)
    ink[..., :3] *= ink[..., 3:]
    wanted = box[2] - box[0], box[3] - box[1]
    if wanted == (ink.shape[1], ink.shape[0]):
        return ink
    import cv2

    smaller: NDArray[Any] = cv2.resize(ink, wanted, interpolation=cv2.INTER_AREA)
    return smaller


def _aligned(
    ink: NDArray[np.floating[Any]], box: Box, grid: tuple[int, int], size: tuple[int, int]
) -> tuple[Box, NDArray[np.floating[Any]]]:
    """Widen the box to the chroma grid, and pad the overlay with transparent pixels.

    Where the grid extends beyond a frame of odd size, the last pixels are repeated: the chroma sample there belongs to
    the pixels that exist.
    """
    left, top = box[0] // grid[0] * grid[0], box[1] // grid[1] * grid[1]
    right, bottom = -(-box[2] // grid[0]) * grid[0], -(-box[3] // grid[1]) * grid[1]
    inside = min(right, size[0]), min(bottom, size[1])
    clear = (box[1] - top, inside[1] - box[3]), (box[0] - left, inside[0] - box[2]), (0, 0)
    wide: NDArray[Any] = np.pad(ink, clear)
    wide = np.pad(wide, ((0, bottom - inside[1]), (0, right - inside[0]), (0, 0)), mode="edge")
    return (left, top, right, bottom), wide


def _patch(
    part: Component, form: Format, box: Box, size: tuple[int, int], alpha: NDArray[Any], value: NDArray[Any]
) -> _Patch:
    """Average alpha and colour down to the samples of a component, and convert them to integers.

    Samples of eight bits are mixed in 16 bits, others in 32. Where the frame is not covered, ``keep`` is 256 or 65536,
    and the samples stay exactly as they are. For samples in the upper bits, ``add`` rounds to the lowest significant
    bit, and ``mask`` clears those below it.
    """
    across, down = 1 << part.across, 1 << part.down
    shift, dtype = (8, np.uint16) if form.dtype == "u1" else (16, np.uint32)
    cover = _averaged(alpha, across, down)
    shade = _averaged(alpha * value, across, down) / np.maximum(cover, 1e-6)
    keep = np.rint((1 - cover) * (1 << shift))
    half = 1 << shift + form.shift - 1
    # A colour is at most the peak, so sums stay below 2 ** 16 and 2 ** 32.
    peak = (1 << form.bits) - 1
    add = np.rint(np.minimum(shade, peak) * (1 << form.shift) * ((1 << shift) - keep)) + half
    left, top = box[0] // across, box[1] // down
    right, bottom = min(box[2] // across, -(-size[0] // across)), min(box[3] // down, -(-size[1] // down))
    inside = slice(0, bottom - top), slice(0, right - left)
    return _Patch(
        plane=part.plane,
        rows=slice(top, bottom),
        columns=slice(part.offset + left * part.step, part.offset + (right - 1) * part.step + 1, part.step),
        keep=np.ascontiguousarray(keep[inside].astype(dtype)),
        add=np.ascontiguousarray(add[inside].astype(dtype)),
        shift=shift,
        mask=(0xFFFF << form.shift) & 0xFFFF if form.shift else 0,
    )


def _averaged(values: NDArray[Any], across: int, down: int) -> NDArray[np.float64]:
    height, width = values.shape
    blocks = values.astype(np.float64).reshape(height // down, down, width // across, across)
    means: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return means
