"""Lay an overlay on pictures: on files as losslessly as their format allows, and on pixels in memory.

What can be done with a format, and which module of this package does it, is in its row of the table
(:mod:`labeling.containers.formats`). That module is imported when a picture of the format turns up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labeling.codecs.base import FurtherPictures, Painted
from labeling.containers import formats
from labeling.containers.base import Buffer, Contents
from labeling.containers.format_row import resolve
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat
from labeling.limits import MAX_PIXELS_LABELLED, MAX_PIXELS_READ

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from labeling.codecs.base import Painter, Pixels
    from labeling.codecs.grounds import Shown

__all__ = [
    "Painted",
    "displayed",
    "displayed_further",
    "displayed_on_grounds",
    "encode",
    "mended",
    "paint_file",
    "paint_photoshop_thumbnail",
    "paint_thumbnail",
]


def paint_file(
    data: Buffer,
    format: str,
    painter: Painter,
    *,
    orientation: int = 1,
    quality: int | None = None,
    fast: bool = False,
    max_pixels: int | None = None,
) -> Painted:
    """Lay an overlay on every frame of a picture file; its metadata is carried over as it is.

    Args:
        data: The content of the file.
        format: Its format: a name or extension of the table of formats.
        painter: What draws the overlay.
        orientation: The file's EXIF orientation, 1 to 8. HEIF's own rotation is applied by its decoder.
        quality: 1 to 100; used only where the format cannot be edited without re-encoding the picture.
        fast: Whether a format without loss is compressed in less time, to more bytes, where that can be chosen.
        max_pixels: Limit on the pixels of one frame; default :data:`MAX_PIXELS_LABELLED`.

    Raises:
        UnsupportedFormat: Files of this format cannot be drawn on.
        UnreadableFile: The file is empty, damaged or truncated.
        TooLarge: The picture is beyond the limit.
        LabelingError: What ``painter`` raises.
    """
    row = formats.find(format)
    if row is None or not row.painter:
        raise UnsupportedFormat(f"a {format} file cannot be painted on", hint="convert it to PNG first")
    _check_quality(quality)
    if not len(data):
        raise UnreadableFile("the file is empty")
    chosen = {"fast": fast} if any(each.chooses_fast for each in row.encodings) else {}
    painted: Painted = resolve(row.painter, __name__).paint(
        data, painter, orientation=orientation, quality=quality, max_pixels=max_pixels or MAX_PIXELS_LABELLED, **chosen
    )
    return painted


def paint_thumbnail(
    exif: bytes, painted: Painted, format: str, *, orientation: int = 1, max_pixels: int | None = None
) -> bytes | None:
    """Give the thumbnail in a file's EXIF the label that was painted on the file: it is a copy of the picture.

    Args:
        exif: The TIFF structure.
        painted: The painted file.
        format: Its format.
        orientation: The file's EXIF orientation.
        max_pixels: Limit on the pixels of the picture; default :data:`MAX_PIXELS_LABELLED`.

    Returns:
        The structure with another thumbnail; ``None`` if it has none.

    Raises:
        LabelingError: The thumbnail cannot be painted on.
    """
    from labeling.codecs import _thumbnail

    return _thumbnail.paint(exif, painted, format, orientation, max_pixels or MAX_PIXELS_LABELLED)


def paint_photoshop_thumbnail(
    resources: bytes, painted: Painted, format: str, *, orientation: int = 1, max_pixels: int | None = None
) -> bytes | None:
    """Give the thumbnail in Photoshop's image resources the label, as :func:`paint_thumbnail` does for EXIF.

    Args:
        resources: The 8BIM resources, or what contains them.
        painted: The painted file.
        format: Its format.
        orientation: The file's EXIF orientation.
        max_pixels: Limit on the pixels of the picture; default :data:`MAX_PIXELS_LABELLED`.

    Returns:
        As many bytes with another thumbnail; ``None`` if there is none.

    Raises:
        LabelingError: The thumbnail cannot be painted on.
    """
    from labeling.codecs import _thumbnail

    return _thumbnail.paint_resources(resources, painted, format, orientation, max_pixels or MAX_PIXELS_LABELLED)


def encode(
    image: Image.Image | np.ndarray[Any, Any],
    format: str,
    painter: Painter | None,
    *,
    quality: int | None = None,
    lossless: bool = False,
    fast: bool = False,
    max_pixels: int | None = None,
    xmp: bytes | None = None,
) -> Painted:
    """Encode pixels as a picture file with an overlay on them, in one encode.

    The ICC profile, EXIF, XMP and resolution in ``image.info`` are kept. An EXIF orientation there is respected: the
    overlay is upright as displayed.

    Args:
        image: A PIL image of any mode, or a uint8 array: (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA. It is not
            modified.
        format: jpeg, png, webp, gif, tiff, avif or heif.
        painter: What draws the overlay; without one the picture is only encoded.
        quality: 1 to 100; default 92 for JPEG, 90 for WebP, AVIF and HEIF.
        lossless: Encode without loss, where the format can.
        fast: Whether the file is compressed in less time, to more bytes, where the format has a choice.
        max_pixels: Limit on the pixels of the picture; default :data:`MAX_PIXELS_LABELLED`.
        xmp: An XMP packet that replaces the one in ``image.info``.

    Raises:
        UnsupportedFormat: Pictures cannot be encoded as ``format``.
        MissingDependency: The format's optional library is not installed.
        LabelingError: The pixels or options cannot be encoded.
    """
    from labeling.codecs import _memory

    encoding = formats.encoding_named(format)
    _check_quality(quality)
    own, notes = _memory.prepare(image, encoding, max_pixels or MAX_PIXELS_LABELLED)
    if xmp is not None:
        own.info["xmp"] = xmp
    width, height = own.size
    box = (0, 0, 0, 0)
    if painter is not None:
        plan = _memory.lay(own, painter, _memory.orientation_of(own))
        width, height, box = plan.width, plan.height, plan.box
    dots = painter is not None and _memory.is_dithered_gray(own)
    chosen = {"fast": fast} if encoding.chooses_fast else {}
    data, exact, words = resolve(encoding.encoder, __name__)(own, quality, lossless, **chosen)
    how = "; ".join([words, *notes])
    return Painted(data, box, width, height, 1, exact and not notes, how, dithered=dots)


def displayed(
    source: Buffer | Image.Image, format: str, *, orientation: int = 1, max_pixels: int | None = None
) -> Pixels:
    """Decode the first frame as a viewer shows it: (H, W, 3) uint8 RGB, upright, transparency over white.

    ``source`` is a file's content, or a PIL image, whose pixels are turned by ``orientation`` as well.
    """
    from labeling.codecs import _decoders

    return _decoders.displayed(source, format, orientation, max_pixels or MAX_PIXELS_READ)


def displayed_on_grounds(
    source: Buffer | Image.Image, format: str, *, orientation: int = 1, max_pixels: int | None = None
) -> Shown:
    """Decode as :func:`displayed`: once if the first frame is opaque, else over white, over black and over mid-gray.

    Nobody knows what page a transparent picture will be laid on. Of a picture with more pixels than
    :data:`labeling.codecs.grounds.MOST` a reduced one is returned.
    """
    from labeling.codecs import _decoders

    return _decoders.displayed_on_grounds(source, format, orientation, max_pixels or MAX_PIXELS_READ)


def displayed_further(
    data: Buffer,
    format: str,
    *,
    orientation: int = 1,
    max_pixels: int | None = None,
    most: int | None = None,
    ground: int = 255,
) -> FurtherPictures:
    """Decode what follows the first picture, one after the other as it is asked for: as :func:`displayed`.

    These are the frames of an animation, the pages of a TIFF file (not reduced copies and masks), and the other views
    of a Multi-Picture JPEG.

    Args:
        data: The file.
        format: Its format's name.
        orientation: The EXIF orientation, 1 to 8, of the first picture.
        max_pixels: Limit on the pixels of one picture.
        most: Limit on the pixels of all of them; default ``max_pixels``. Those behind it are not decoded.
        ground: The gray that transparent parts are laid on.
    """
    from labeling.codecs import _decoders

    limit = max_pixels or MAX_PIXELS_READ
    return _decoders.displayed_further(data, format, orientation, limit, most or limit, ground)


def mended(data: Buffer, contents: Contents, *, max_pixels: int | None = None) -> tuple[bytes, str] | None:
    """Add the marker that ends a file, if nothing but that is missing.

    Args:
        data: The file.
        contents: What :func:`labeling.containers.read` found in it.
        max_pixels: Limit on the pixels of one frame; default :data:`MAX_PIXELS_READ`.

    Returns:
        The whole file, and what was missing in words; ``None`` if nothing was, or more.
    """
    row = formats.find(contents.format)
    if row is None or not row.ending or not (contents.problems or contents.warnings):
        return None
    from labeling.codecs.pixels import decoding

    try:
        with decoding(row.name.upper()):
            whole: bytes | None = resolve(row.ending, __name__)(bytes(data), contents, max_pixels or MAX_PIXELS_READ)
    except LabelingError:  # it is damaged, or too large to be judged
        return None
    return None if whole is None else (whole, row.end_marker)


def _check_quality(quality: int | None) -> None:
    if quality is not None and not 1 <= quality <= 100:
        raise LabelingError(f"quality must be 1 to 100, not {quality}")
