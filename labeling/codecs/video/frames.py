"""Frames from a generator: what is accepted as a frame, and labelled frames for callers that encode them themselves.

A frame is one of these. Transparent pixels are composited over white.

- An ndarray of uint8: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey.
- A PIL image of any mode.
- A tensor: an object with ``detach``, ``cpu`` and ``numpy``, such as PyTorch's, of uint8 or of floats from 0 to 1. Its
  shape is (C, H, W) or (H, W, C) with one, three or four channels, or (H, W).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.codecs._memory import put
from labeling.codecs.base import Painter, Pixels
from labeling.codecs.pixels import Plan, make_plan, on_white
from labeling.errors import LabelingError
from labeling.gates import gate, guarded

if TYPE_CHECKING:
    import av

_PAINTED = ("RGB", "RGBA", "L", "LA", "CMYK", "YCbCr", "LAB", "I;16")
"""Pillow modes into which the label can be drawn without conversion."""

Picture = TypeVar("Picture", bound="np.ndarray[Any, Any] | Image.Image")


def pixels_of(frame: Any, size: tuple[int, int]) -> Pixels:
    """Return the pixels of one frame.

    Args:
        frame: The frame; see the module.
        size: (width, height) that it must have.

    Returns:
        (H, W, 3) uint8 RGB with contiguous rows. It may be the caller's own memory: do not write to it.

    Raises:
        LabelingError: It is not a frame of this size. The message says what it is.
    """
    if isinstance(frame, Image.Image):
        _check(frame.size == size, f"a picture of {frame.width}×{frame.height} pixels", size)
        return _from_image(frame)
    if isinstance(frame, np.ndarray):
        array = frame
        _check(array.dtype == np.uint8, f"an array of {array.dtype}", size)
    elif all(hasattr(frame, name) for name in ("detach", "cpu", "numpy")):
        array = _from_tensor(frame, size)
    else:
        raise LabelingError(f"a frame must be an ndarray, a PIL image or a tensor, not {type(frame).__name__}")
    _check(_channels(array.shape, size) is not None, f"an array of shape {array.shape}", size)
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(size[1], size[0], 1), 3, axis=2)
    if array.shape[2] == 4:
        return on_white(array) if array[..., 3].min() < 255 else np.ascontiguousarray(array[..., :3])
    return array if array.strides[1:] == (3, 1) and array.strides[0] > 0 else np.ascontiguousarray(array)


def video_frame(pixels: Pixels) -> av.VideoFrame:
    """Return a frame that shares the memory of ``pixels``, which :func:`pixels_of` returned. Do not draw on it."""
    import av

    return av.VideoFrame.from_numpy_buffer(pixels, "rgb24")


def label_frames(frames: Iterable[Picture], painter: Painter) -> Iterator[Picture]:
    """Yield copies of the frames with the label on them, for callers that encode them themselves.

    The look of the label is chosen once, to be legible on every backdrop, and stays the same as long as the size does.

    Args:
        frames: PIL images, or uint8 arrays: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey.
        painter: What draws the label.

    Yields:
        Each frame in the type and mode that it had, except that palettes and bitmaps become RGB or RGBA.

    Raises:
        LabelingError: A frame is something else, or has no room for a legible label.
    """
    plan: Plan | None = None
    for frame in frames:
        with guarded("label the frame"):
            width, height = _size_of(frame)
            if plan is None or (plan.width, plan.height) != (width, height):
                plan = make_plan(painter, width, height)
                left, top, right, bottom = plan.box
                ends = [np.full((bottom - top, right - left, 3), level, np.uint8) for level in (0, 255)]
                overlay = plan.overlay(painter, ends)
            labelled = cast(Picture, _labelled(frame, plan, overlay))
        yield labelled


def _labelled(frame: np.ndarray[Any, Any] | Image.Image, plan: Plan, overlay: Pixels) -> Any:
    if isinstance(frame, Image.Image):
        if frame.mode in ("I", "F"):
            raise LabelingError(f"a frame of mode {frame.mode} has no fixed white", hint="convert it to L or RGB first")
        clear = frame.has_transparency_data
        own = frame.copy() if frame.mode in _PAINTED else frame.convert("RGBA" if clear else "RGB")
        put(own, plan, overlay)
        return own
    copy = frame.copy()
    left, top, right, bottom = plan.box
    part = copy[top:bottom, left:right]
    region = Image.fromarray(np.ascontiguousarray(part))
    here = Plan(region.width, region.height, (0, 0, *region.size), (0, 0, *region.size), 1)
    put(region, here, overlay)
    part[...] = np.asarray(region)
    return copy


def _size_of(frame: Any) -> tuple[int, int]:
    if isinstance(frame, Image.Image):
        return frame.size
    if isinstance(frame, np.ndarray) and frame.dtype == np.uint8:
        size = frame.shape[1::-1] if frame.ndim in (2, 3) else (0, 0)
        if _channels(frame.shape, size) in (2, 3, 4) and 0 not in size:
            return size[0], size[1]
    came = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
    raise LabelingError(
        f"a frame must be a PIL image or a uint8 array (H, W), (H, W, 3) or (H, W, 4), not {came}",
        hint="convert it first",
    )


def _channels(shape: tuple[int, ...], size: tuple[int, ...]) -> int | None:
    """Return 2 for (H, W), C for (H, W, C) with 1, 3 or 4 channels, ``None`` for anything that is not of this size."""
    if shape[:2] != (size[1], size[0]) or len(shape) not in (2, 3):
        return None
    return 2 if len(shape) == 2 else shape[2] if shape[2] in (1, 3, 4) else None


def _from_image(image: Image.Image) -> Pixels:
    def broken(why: str) -> LabelingError:
        return LabelingError(f"the frame cannot be decoded ({why})", hint="pass pictures that are complete")

    with gate("decode the frame", broken):
        if image.mode == "RGB":
            return np.asarray(image)
        if image.has_transparency_data:
            return on_white(np.asarray(image.convert("RGBA")))
        if image.mode in ("F", "I") or image.mode.startswith("I;"):
            raise LabelingError(f"a frame of mode {image.mode} has no fixed white", hint="convert it to L or RGB first")
        return np.asarray(image.convert("RGB"))


def _from_tensor(tensor: Any, size: tuple[int, int]) -> NDArray[Any]:
    held = tensor.detach().cpu()
    if "bfloat16" in str(held.dtype):  # which numpy does not have
        held = held.float()
    array = np.asarray(held.numpy())
    _check(array.ndim in (2, 3), f"a tensor of shape {array.shape}", size)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[1:] == (size[1], size[0]):
        array = array.transpose(1, 2, 0)
    if array.dtype.kind == "f":
        if not np.isfinite(array.min(initial=0) + array.max(initial=0)):
            raise LabelingError("the frame has NaN or infinite values", hint="check the output of the model")
        array = np.rint(np.clip(array, 0, 1) * np.float32(255)).astype(np.uint8)
    _check(array.dtype == np.uint8, f"a tensor of {array.dtype}", size)
    return array


def _check(fine: bool, came: str, size: tuple[int, int]) -> None:
    if not fine:
        raise LabelingError(
            f"the frame is {came}; it must be a PIL image of {size[0]}×{size[1]}, a uint8 array "
            f"({size[1]}, {size[0]}, 3) RGB, or a tensor of uint8 or of floats from 0 to 1",
            hint="resize or convert it first",
        )
