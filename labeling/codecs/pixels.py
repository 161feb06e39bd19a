"""What every codec shares: size limits, guarded decoding, orientation, the plan of where to paint, and compositing."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from labeling.codecs._jpeg_head import lean
from labeling.codecs.base import Box, Painter, Pixels
from labeling.containers.base import Buffer
from labeling.containers.format_row import resolve
from labeling.errors import LabelingError, TooLarge, UnreadableFile
from labeling.gates import gate

if TYPE_CHECKING:
    from PIL import Image

FRAMES_FACTOR = 4
"""How many times the limit for one frame all frames of an animation together may have."""

MAX_FRAMES = 10_000
"""Limit on the frames of an animation."""

SampleType = TypeVar("SampleType", bound=np.generic)


def check_size(width: int, height: int, frames: int = 1, *, max_pixels: int) -> None:
    """Refuse a picture by what its header says, before memory is spent on it.

    Args:
        width: Width of one frame in pixels.
        height: Its height in pixels.
        frames: Number of frames.
        max_pixels: Limit on the pixels of one frame.

    Raises:
        TooLarge: The picture is beyond a limit.
        UnreadableFile: The picture is empty.
    """
    if width <= 0 or height <= 0 or frames <= 0:
        raise UnreadableFile(f"the header gives a picture of {width}×{height} pixels; the file is damaged")
    if width * height > max_pixels:
        raise TooLarge(
            f"the picture has {width}×{height} pixels and the limit is {max_pixels:,}",
            hint="raise `max_pixels` if you trust it",
        )
    if frames > MAX_FRAMES or width * height * frames > max_pixels * FRAMES_FACTOR:
        raise TooLarge(
            f"the animation has {frames} frames of {width}×{height} pixels and the limit is {MAX_FRAMES:,} frames and "
            f"{max_pixels * FRAMES_FACTOR:,} pixels in all",
            hint="raise `max_pixels` if you trust it",
        )


def decoding(what: str) -> AbstractContextManager[None]:
    """Turn whatever a decoder raises on broken data into one clear error.

    Args:
        what: What is being decoded, for the message, such as ``JPEG``.

    Raises:
        UnreadableFile: The code inside raised any of the exceptions that decoders raise.
        LabelingError: As :func:`labeling.gates.gate` says, such as :class:`TooLarge` where memory ran out.
    """

    def broken(why: str) -> LabelingError:
        return UnreadableFile(f"the {what} cannot be decoded ({why}); it is damaged or cut off")

    return gate(f"decode the {what}", broken)


def encoding(kind: str, what: str = "the picture", *, hint: str | None = None) -> AbstractContextManager[None]:
    """Turn whatever an encoder raises into one clear error.

    Args:
        kind: What it is encoded as, for the message, such as ``JPEG``.
        what: What is encoded, with its article.
        hint: What the caller can do if the encoder does not take it.

    Raises:
        LabelingError: The encoder failed; or, as :func:`labeling.gates.gate` says, :class:`TooLarge` where memory ran
            out, and :class:`WriteError` where the disk is full.
    """

    def broken(why: str) -> LabelingError:
        return LabelingError(f"{what} cannot be encoded as {kind} ({why})", hint=hint)

    return gate(f"encode {what} as {kind}", broken)


def open_with(plugin: str, data: Buffer) -> Any:
    """Open ``data`` with one class of Pillow, given as ``PngImagePlugin:PngImageFile``.

    The class is called directly. ``Image.open`` would guess the format again and apply Pillow's own global limit on
    pixels, which callers cannot raise as they can ours (:func:`check_size`).
    """
    if plugin.startswith("Jpeg"):
        data = lean(data)
    return resolve(f"PIL.{plugin}")(io.BytesIO(data))


# --- orientation (EXIF tag 0x0112) ----------------------------------------------------------------------------------


ORIENTATION = 0x0112
"""The EXIF tag."""


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation (1 to 8) that a viewer of the encoded picture will apply."""
    if "exif" not in image.info:
        return 1
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) else 1


def upright(stored: NDArray[SampleType], orientation: int) -> NDArray[SampleType]:
    """Turn (H, W, …) samples as stored into samples as displayed. An unknown orientation counts as 1."""
    if orientation == 1:
        return stored
    turn: dict[int, Callable[[NDArray[SampleType]], NDArray[SampleType]]] = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a[::-1].swapaxes(0, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: a[:, ::-1].swapaxes(0, 1),
    }
    return np.ascontiguousarray(turn[orientation](stored)) if orientation in turn else stored


def as_stored(shown: NDArray[SampleType], orientation: int) -> NDArray[SampleType]:
    """Turn (H, W, …) samples as displayed into samples as stored: the inverse of :func:`upright`."""
    # 6 and 8 (quarter turns) undo each other; the rest undo themselves.
    return upright(shown, {6: 8, 8: 6}.get(orientation, orientation))


def stored_box(box: Box, orientation: int, width: int, height: int) -> Box:
    """Return where a displayed box is in the stored picture of ``width`` × ``height`` pixels."""
    left, top, right, bottom = box
    if orientation >= 5:
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return left, top, right, bottom


# --- the plan -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the overlay goes.

    Attributes:
        width: Width of the displayed picture in pixels.
        height: Its height in pixels.
        box: The box in the displayed picture.
        stored: The same box in the stored picture.
        orientation: The EXIF orientation that leads from the stored picture to the displayed one.
    """

    width: int
    height: int
    box: Box
    stored: Box
    orientation: int

    def overlay(self, painter: Painter, backdrops: Sequence[Pixels]) -> Pixels:
        """Ask ``painter`` for the overlay.

        Args:
            painter: The painter that chose the box.
            backdrops: What is in the box in each frame, and over each ground: (H, W, 3) uint8 RGB, as stored.

        Returns:
            The overlay, (H, W, 4) uint8 RGBA, as stored.
        """
        shown = painter.paint([upright(backdrop, self.orientation) for backdrop in backdrops])
        left, top, right, bottom = self.box
        if shown.shape != (bottom - top, right - left, 4) or shown.dtype != np.uint8:
            raise ValueError(f"the painter returned {shown.dtype} {shown.shape} for the box {self.box}")
        return np.ascontiguousarray(as_stored(shown, self.orientation))


def make_plan(painter: Painter, width: int, height: int, orientation: int = 1) -> Plan:
    """Ask ``painter`` for its box in a stored picture of ``width`` × ``height`` pixels.

    An unknown ``orientation`` counts as 1.

    Raises:
        LabelingError: The box is not inside the picture, or what ``painter`` raises.
    """
    if orientation not in range(1, 9):
        orientation = 1
    shown = (height, width) if orientation >= 5 else (width, height)
    box = painter.box(*shown)
    left, top, right, bottom = box
    if not (0 <= left < right <= shown[0] and 0 <= top < bottom <= shown[1]):
        raise LabelingError(f"the label's box {box} is not inside the picture of {shown[0]}×{shown[1]} pixels")
    return Plan(*shown, box, stored_box(box, orientation, width, height), orientation)


# --- colours --------------------------------------------------------------------------------------------------------


MID_GRAY = 118
"""The gray, as an sRGB value, that white and black stand out from alike, by the formula of WCAG 2."""


_AT_ONCE = 1 << 18
"""About as many pixels are computed with more than 8 bits at once."""


def lay_on(pixels: Pixels, ground: int) -> Pixels:
    """Lay (H, W, 4) uint8 RGBA over a gray of 0 to 255 and return (H, W, 3) RGB; RGB is returned as it is."""
    if pixels.shape[2] == 3:
        return pixels
    flat = np.empty((*pixels.shape[:2], 3), np.uint8)
    step = max(1, _AT_ONCE // max(pixels.shape[1], 1))
    for y in range(0, len(pixels), step):
        part = pixels[y : y + step]
        alpha = part[..., 3:].astype(np.uint16)
        mixed: NDArray[np.uint16] = part[..., :3] * alpha
        mixed += ground * (255 - alpha) + 127
        mixed //= 255
        flat[y : y + step] = mixed
    return flat


def on_white(rgba: Pixels) -> Pixels:
    """Lay (H, W, 4) uint8 RGBA over white and return (H, W, 3) RGB."""
    return lay_on(rgba, 255)


def backdrops(pixels: Pixels) -> list[Pixels]:
    """Return what a painter has to reckon with: (H, W, 3) RGB as it is, RGBA over white and over black."""
    if pixels.shape[2] == 3 or pixels[..., 3].min() == 255:
        return [pixels[..., :3]]
    return [lay_on(pixels, 255), lay_on(pixels, 0)]


def luma(rgb: NDArray[Any]) -> NDArray[np.float32]:
    """Return the BT.601 luma of (…, 3) RGB, as JFIF and Pillow compute it."""
    weighted: NDArray[np.float32] = rgb[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return weighted


def cmyk(rgb: NDArray[Any]) -> NDArray[np.float32]:
    """Return (…, 4) amounts of ink, 0–255, for (…, 3) RGB.

    With full black generation: the inverse of the naive (1−C)(1−K).
    """
    light = rgb[..., :3].astype(np.float32)
    white = light.max(axis=-1, keepdims=True)
    inks = 255 - light * (255 / np.maximum(white, 1))
    inks[np.broadcast_to(white == 0, inks.shape)] = 0
    out: NDArray[np.float32] = np.concatenate([inks, 255 - white], axis=-1)
    return out


def over(samples: NDArray[Any], colour: NDArray[Any], alpha: NDArray[Any], peak: int = 255) -> NDArray[Any]:
    """Blend ``colour`` into opaque ``samples`` by ``alpha``.

    Args:
        samples: Samples of any integer or floating-point type.
        colour: The colour to blend in, of the same shape and scale.
        alpha: Opacity, 0–1.
        peak: The greatest value of integer samples.
    """
    mixed = samples.astype(np.float64)
    mixed += (colour - mixed) * alpha
    if samples.dtype.kind in "iu":
        mixed = np.clip(np.rint(mixed), 0, peak)
    blended: NDArray[Any] = mixed.astype(samples.dtype)
    # Where the overlay is empty, not even rounding may change a sample.
    return np.where(np.broadcast_to(alpha, samples.shape) > 0, blended, samples)


def over_alpha(samples: NDArray[Any], colour: NDArray[Any], alpha: NDArray[Any], peak: int = 255) -> NDArray[Any]:
    """Blend ``colour`` into ``samples`` whose last channel is straight alpha.

    Args:
        samples: (H, W, N + 1) samples of an integer type.
        colour: (H, W, N) in the scale of the samples.
        alpha: (H, W, 1) opacity, 0–1.
        peak: The greatest sample value.
    """
    below = samples[..., -1:].astype(np.float64) / peak
    total = alpha + below * (1 - alpha)
    safe = np.where(total > 0, total, 1)
    mixed = (colour * alpha + samples[..., :-1].astype(np.float64) * below * (1 - alpha)) / safe
    out = np.concatenate([np.rint(mixed), np.rint(total * peak)], axis=-1).clip(0, peak).astype(samples.dtype)
    return np.where(alpha > 0, out, samples)


def split_overlay(overlay: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (H, W, 3) colour, 0–255, and the (H, W, 1) alpha, 0–1, of an RGBA overlay."""
    return overlay[..., :3].astype(np.float64), overlay[..., 3:].astype(np.float64) / 255


def rgb_region(image: Image.Image, box: Box) -> Pixels:
    """Return a box of a Pillow image of any mode as (H, W, 3) uint8 RGB, with transparency over white."""
    return on_white(region_of(image, box))


def region_of(image: Image.Image, box: Box) -> Pixels:
    """Return a box of a Pillow image of any mode: (H, W, 3) uint8 RGB, or (H, W, 4) if any of it is transparent."""
    region = image.crop(box)
    if region.mode in ("RGB", "L", "1", "CMYK", "YCbCr") and "transparency" not in region.info:
        return np.array(region if region.mode == "RGB" else region.convert("RGB"))
    if region.mode.startswith("I") or region.mode == "F":
        deep = np.asarray(region).astype(np.float64)
        shallow = np.clip(deep / 257 if region.mode.startswith("I") else deep, 0, 255).astype(np.uint8)
        return np.repeat(shallow[..., None], 3, axis=2)
    rgba = np.asarray(region.convert("RGBA"))
    return rgba if rgba[..., 3].min() < 255 else np.ascontiguousarray(rgba[..., :3])
