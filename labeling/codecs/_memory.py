"""Paint on pixels in memory, so that the picture and the overlay are encoded together, once.

The caller's picture is never changed, and is copied only once: :func:`prepare` returns a copy in a mode that the format
can hold, and :func:`lay` paints on that. Where the encoder works by rows, only what is under the label is copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageOps

from labeling.codecs import pixels
from labeling.codecs.base import Box, Painter, Pixels
from labeling.codecs.canvas import Canvas
from labeling.codecs.pixels import (
    ORIENTATION,
    Plan,
    backdrops,
    check_size,
    cmyk,
    decoding,
    luma,
    make_plan,
    on_white,
    over,
    over_alpha,
    region_of,
    split_overlay,
)
from labeling.containers.format_row import PictureEncoding
from labeling.dither import SAMPLED, is_dithered
from labeling.errors import LabelingError


def prepare(
    source: Image.Image | np.ndarray[Any, Any], target: PictureEncoding, max_pixels: int
) -> tuple[Image.Image | Canvas, list[str]]:
    """Copy a picture into a mode that the format ``target`` can hold.

    Args:
        source: A PIL image of any mode, or a uint8 array: (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.
        target: What the table of formats says about encoding the format.
        max_pixels: Limit on the pixels of the picture.

    Returns:
        The copy, or a canvas over the picture itself, where that is enough; and notes on what the conversion changed,
        in words for people.

    Raises:
        LabelingError: ``source`` is of another type or shape, or is damaged or too large.
    """
    if isinstance(source, np.ndarray):
        _check_array(source)
        check_size(source.shape[1], source.shape[0], max_pixels=max_pixels)
        if target.by_rows:
            return Canvas(source), []
        return _converted(Image.fromarray(np.ascontiguousarray(source)), target, owned=True)
    if not isinstance(source, Image.Image):
        raise LabelingError(f"a picture must be a PIL image or an ndarray, not {type(source).__name__}")
    check_size(*source.size, max_pixels=max_pixels)
    with decoding("picture"):
        source.load()
    if not target.keeps_orientation and source.getexif().get(ORIENTATION, 1) != 1:
        source = ImageOps.exif_transpose(source)
    return _converted(source, target, owned=False)


def _check_array(array: np.ndarray[Any, Any]) -> None:
    shape = array.shape
    gray = array.ndim == 2
    if array.dtype != np.uint8 or not (gray or (array.ndim == 3 and shape[2] in (3, 4))) or 0 in shape:
        raise LabelingError(
            f"an array must be (H, W), (H, W, 3) RGB or (H, W, 4) RGBA of uint8, not {array.dtype} {shape}",
            hint="convert it first, for example (255 * a).clip(0, 255).astype('uint8')",
        )


def _converted(image: Image.Image, target: PictureEncoding, *, owned: bool) -> tuple[Image.Image | Canvas, list[str]]:
    notes: list[str] = []
    clear = image.has_transparency_data
    wanted = _mode_for(image.mode, clear, target.modes)
    if clear and not wanted.endswith("A"):
        notes.append("transparency was laid over white")
        flat = Image.fromarray(on_white(np.asarray(image.convert("RGBA"))))
        return (flat.convert("L") if wanted == "L" else flat), notes
    if wanted == image.mode:
        return Canvas(image) if target.by_rows else image if owned else image.copy(), notes
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        if wanted != "F":
            notes.append("samples were reduced to fit the format")
        return _from_deep(image, wanted), notes
    return Canvas(image, wanted) if target.by_rows else image.convert(wanted), notes


def _mode_for(mode: str, clear: bool, holds: tuple[str, ...]) -> str:
    """Return the mode in which a picture of mode ``mode`` is encoded; ``clear`` says that it has transparency."""
    if mode in holds and not (clear and not mode.endswith("A")):
        return mode
    if mode in ("1", "L", "LA", "La"):
        best = "LA" if clear else "L"
    elif mode.startswith("I"):
        best = "I;16"
    elif mode == "F":
        best = "L"
    else:
        best = "RGBA" if clear else "RGB"
    fallbacks = {"LA": "RGBA" if "RGBA" in holds else "L", "I;16": "L", "L": "RGB", "RGBA": "RGB"}
    while best not in holds:
        best = fallbacks[best]
    return best


def _from_deep(image: Image.Image, wanted: str) -> Image.Image:
    """Convert integer or float samples of more than 8 bits to ``wanted``. 16-bit ones are scaled, others clipped."""
    deep = np.asarray(image).astype(np.float64)
    if wanted == "I;16":
        return Image.fromarray(np.clip(np.rint(deep), 0, 65535).astype(np.uint16))
    scaled = deep / 257 if image.mode.startswith("I;16") or (image.mode == "I" and deep.max() > 255) else deep
    gray = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    return gray if wanted == "L" else gray.convert(wanted)


def is_dithered_gray(image: Image.Image | Canvas) -> bool:
    """Return whether a gray image, or one of a palette, is dithered; colours are not looked at."""
    if image.mode not in ("L", "P"):
        return False
    step = max(1, image.height // SAMPLED)
    if isinstance(image, Canvas):  # which has no palette
        samples = np.concatenate([image.rows(row, row + 1) for row in range(0, image.height, step)])
        return is_dithered(np.repeat(samples[..., None], 3, axis=2))
    samples = np.asarray(image)[::step]
    rows = Image.fromarray(samples, image.mode)
    if image.mode == "P" and (palette := image.getpalette()):
        rows.putpalette(palette)
    return is_dithered(np.asarray(rows.convert("RGB")))


def lay(image: Image.Image | Canvas, painter: Painter, orientation: int = 1) -> Plan:
    """Paint on ``image`` in place, and return where."""
    plan = make_plan(painter, *image.size, orientation)
    if not isinstance(image, Canvas):
        put(image, plan, plan.overlay(painter, backdrops(region_of(image, plan.stored))))
        return plan
    part = image.part(plan.stored)
    whole = (0, 0, *part.size)
    _put(part, whole, plan.overlay(painter, backdrops(region_of(part, whole))))
    image.cover(plan.stored, part)
    return plan


def orientation_of(image: Image.Image | Canvas) -> int:
    """Return the EXIF orientation of a prepared picture; see :func:`labeling.codecs.pixels.orientation_of`."""
    if isinstance(image, Canvas):
        bare = Image.new("L", (1, 1))
        bare.info = image.info
        return pixels.orientation_of(bare)
    return pixels.orientation_of(image)


def put(image: Image.Image, plan: Plan, overlay: Pixels) -> None:
    """Blend an RGBA overlay, as stored, into the box of ``image``, in place and whatever its mode."""
    _put(image, plan.stored, overlay)


def _put(image: Image.Image, box: Box, overlay: Pixels) -> None:
    left, top, _, _ = box
    if image.mode in ("RGB", "L", "YCbCr"):  # Pillow's own blending, because this path has to be fast
        layer = Image.fromarray(overlay)  # it shares the overlay's memory, and Pillow lays it on RGB as it is
        colour = layer.convert("RGB") if image.mode == "YCbCr" else layer  # Pillow cannot convert RGBA to YCbCr
        image.paste(colour if image.mode == "RGB" else colour.convert(image.mode), (left, top), layer)
    elif image.mode == "RGBA":
        image.alpha_composite(Image.fromarray(overlay), (left, top))
    else:
        image.paste(_blended(image.crop(box), overlay), (left, top))


def _blended(region: Image.Image, overlay: Pixels) -> Image.Image:
    colour, alpha = split_overlay(overlay)
    samples = np.asarray(region)
    if region.mode == "LA":
        return Image.fromarray(over_alpha(samples, luma(colour)[..., None], alpha), "LA")
    if region.mode == "CMYK":
        return Image.fromarray(over(samples, cmyk(colour), alpha), "CMYK")
    if region.mode == "LAB":
        layer = _to_lab(overlay)
        return Image.merge("LAB", [
            Image.fromarray(over(np.asarray(band), np.asarray(new), alpha[..., 0]))
            for band, new in zip(region.split(), layer.split(), strict=True)
        ])  # fmt: skip
    if region.mode.startswith("I;16"):
        return Image.fromarray(over(samples, luma(colour) * 257, alpha[..., 0], 65535))
    return Image.fromarray(over(samples, luma(colour), alpha[..., 0]))


def _to_lab(overlay: Pixels) -> Image.Image:
    from PIL import ImageCms

    lab = ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    converted = ImageCms.applyTransform(Image.fromarray(overlay).convert("RGB"), transform)
    assert converted is not None  # it is None only for in-place transforms
    return converted
