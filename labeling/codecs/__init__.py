"""Laying an overlay on pictures: on files as losslessly as their format allows, and on pixels in memory.

Two verbs and a table. A new format is one module with ``paint`` and one row in ``_PAINTERS``; if it is to be written
from memory as well, one function in ``_encoders``. Coders are imported when a picture of their format turns up.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from labeling.codecs.base import MAX_PIXELS, Painted
from labeling.containers.base import Buffer
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from PIL import Image

    from labeling.codecs.base import Painter, Pixels

__all__ = ["MAX_PIXELS", "Painted", "displayed", "displayed_frames", "displayed_on_black", "encode", "paint_file"]

_PAINTERS = {
    "jpeg": "jpeg.paint",
    "png": "png.paint",
    "webp": "webp",
    "gif": "gif.paint",
    "tiff": "tiff.paint",
    "heif": "heif",
}
"""Format name (as in :data:`labeling.containers.FORMATS`) → module of this package with ``paint``."""

_ALIASES = {"jpg": "jpeg", "tif": "tiff", "heic": "heif", "apng": "png"}


def paint_file(
    data: Buffer,
    format: str,
    painter: Painter,
    *,
    orientation: int = 1,
    quality: int | None = None,
    max_pixels: int | None = None,
) -> Painted:
    """Lay an overlay on every frame of a picture file.

    ``format`` is a name of :data:`labeling.containers.FORMATS`. ``orientation`` is the file's EXIF orientation (1–8;
    HEIF's own rotation is applied by its decoder). ``quality`` (1–100) is used only where the format cannot be edited
    without coding the picture anew. Metadata of the file is carried over as it is.

    Raises :class:`~labeling.errors.UnreadableFile`, :class:`~labeling.errors.UnsupportedFormat`,
    :class:`~labeling.errors.TooLarge`, or what ``painter`` raises.
    """
    name = _ALIASES.get(format.lower(), format.lower())
    name = "heif" if name == "avif" else name
    if name not in _PAINTERS:
        raise UnsupportedFormat(f"a {format} file cannot be painted on; convert it to PNG first")
    _check_quality(quality)
    if not len(data):
        raise UnreadableFile("the file is empty")
    module: Any = importlib.import_module(f"{__name__}.{_PAINTERS[name]}")
    painted: Painted = module.paint(
        data, painter, orientation=orientation, quality=quality, max_pixels=max_pixels or MAX_PIXELS
    )
    return painted


def encode(
    image: Image.Image | np.ndarray[Any, Any],
    format: str,
    painter: Painter | None,
    *,
    quality: int | None = None,
    lossless: bool = False,
    max_pixels: int | None = None,
    xmp: bytes | None = None,
) -> Painted:
    """Code pixels as a picture file with an overlay on them, in one encode.

    ``image`` is a PIL image of any mode or a uint8 array, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA; it is not
    modified.
    ``format``: jpeg, png, webp, tiff, gif, avif or heif. Without ``painter`` the picture is only coded. ``quality``
    defaults to 92 for JPEG and 90 for WebP, AVIF and HEIF. The ICC profile, EXIF, XMP and resolution that sit
    in ``image.info`` are kept; ``xmp`` takes the place of the packet there. An EXIF orientation there is respected:
    the overlay is upright as displayed.

    Raises :class:`~labeling.errors.LabelingError` for pixels or options that cannot be coded,
    :class:`~labeling.errors.MissingDependency` if the format's optional library is not installed.
    """
    from labeling.codecs import _encoders, _memory, pixels

    name = _ALIASES.get(format.lower(), format.lower())
    if name not in _encoders.ENCODERS:
        known = ", ".join(_encoders.ENCODERS)
        raise UnsupportedFormat(f"pictures cannot be coded as {format}; choose one of {known}")
    _check_quality(quality)
    own, notes = _memory.prepare(image, name, max_pixels or MAX_PIXELS)
    if xmp is not None:
        own.info["xmp"] = xmp
    width, height = own.size
    box = (0, 0, 0, 0)
    if painter is not None:
        plan = _memory.lay(own, painter, pixels.orientation_of(own))
        width, height, box = plan.width, plan.height, plan.box
    data, exact, words = _encoders.ENCODERS[name](own, quality, lossless)
    return Painted(data, box, width, height, 1, exact and not notes, "; ".join([words, *notes]))


def displayed(
    source: Buffer | Image.Image, format: str, *, orientation: int = 1, max_pixels: int | None = None
) -> Pixels:
    """Decode the first frame as a viewer shows it: (H, W, 3) uint8 RGB, upright, transparency over white.

    ``source`` is a file's content, or a PIL image, whose pixels are turned by ``orientation`` as well.
    """
    from labeling.codecs import _decoders

    return _decoders.displayed(source, format, orientation, max_pixels or MAX_PIXELS)


def displayed_on_black(
    source: Buffer | Image.Image, format: str, *, orientation: int = 1, max_pixels: int | None = None
) -> Pixels | None:
    """Decode as :func:`displayed`, but transparency over black; ``None`` if the first frame is opaque."""
    from labeling.codecs import _decoders

    return _decoders.displayed_on_black(source, format, orientation, max_pixels or MAX_PIXELS)


def displayed_frames(
    data: Buffer, format: str, *, count: int = 2, orientation: int = 1, max_pixels: int | None = None
) -> Iterator[Pixels]:
    """Decode ``count`` later frames of an animation, evenly spread, the last one included: as :func:`displayed`.

    Yields nothing for a still picture; pages of a TIFF file are no animation. Frames depend on those before them, so
    of a long animation only the part is sampled that has ``max_pixels`` pixels in all.
    """
    from labeling.codecs import _decoders

    return _decoders.displayed_frames(data, format, count, orientation, max_pixels or MAX_PIXELS)


def _check_quality(quality: int | None) -> None:
    if quality is not None and not 1 <= quality <= 100:
        raise LabelingError(f"quality must be 1 to 100, not {quality}")
