"""Perceptual fingerprints: 256 bits that identify a picture or video even after it was scaled and re-encoded.

The picture, as displayed, is reduced to 64×64 pixels of brightness. Of its two-dimensional cosine transform the 128
lowest coefficients are kept. Each is stored in two bits, as one of three levels: is it above the lower bound, and is it
above the upper one? The bounds are chosen so that each level holds a third of the coefficients. Scaling and coding move
few of them across a bound, and then only to the next level. A coefficient near zero, whose sign is noise, stays in the
middle level.

A fingerprint says nothing about who made a picture, and an adversary who works at it can change it: it finds copies
that platforms made, not copies that somebody disguised.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from labeling import containers, files
from labeling.containers import Contents, Kind, Media
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat, error_context
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.limits import MAX_PIXELS_READ
from labeling.marks import exif

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["distance", "fingerprint"]

BITS = 256
SIZE = BITS // 8
"""Length of a fingerprint in bytes."""

SIDE = 64
"""The picture is reduced to a square of this many pixels on a side."""

DETAIL = 4.0
"""Half the distance between the two bounds below which a picture counts as flat: coding moves coefficients that far.

Of pictures with more detail, more than 99 in 100 are recognised; of those with less, the fewer the flatter they are.
"""

CELLS = 12
"""A picture has a fingerprint if at least this many of its 8×8 cells have something to see.

Otherwise the coefficients of an almost empty page would be those of its corner, whatever small thing is there.
"""

_SEEN = 0.75
"""A cell has something to see if its standard deviation is at least this share of the required detail."""

LEAST = 32
"""Pictures with fewer pixels on a side have no fingerprint: at half the size, nothing would be left of them."""

VIDEO_SECONDS = 1.0
"""A video is identified by the picture shown at this time, a shorter one by the picture in its middle."""


def fingerprint(
    source: files.Source | Image.Image | NDArray[Any], *, max_pixels: int | None = None, detail: float = DETAIL
) -> bytes | None:
    """Compute the fingerprint of a picture or video.

    Args:
        source: A path, a file's bytes, a binary file object, a PIL image, or an ndarray (H, W, 3) RGB of uint8.
        max_pixels: Refuse to decode larger pictures; by default 100 million pixels, as in :func:`verify`.
        detail: How much detail a picture needs to have a fingerprint. To look for a copy, ask for less than was
            asked for the original, since re-encoding removes some.

    Returns:
        32 bytes, or ``None`` if there is nothing to identify the picture by: audio, a document, a picture with less
        detail than required.

    Raises:
        LabelingError: The source cannot be read or decoded, or has too many pixels.

    Example:
        >>> from PIL import Image
        >>> from labeling.fingerprint import distance, fingerprint
        >>> picture = Image.open("photo.png")
        >>> distance(fingerprint(picture), fingerprint(picture.resize((128, 128)))) < 16
        True
    """
    with guarded("compute the fingerprint", source if isinstance(source, str | os.PathLike) else None):
        if hasattr(source, "getbands") and hasattr(source, "info"):
            return _of_image(source, max_pixels, detail)
        if hasattr(source, "shape") and hasattr(source, "dtype"):
            return _of_array(source, detail)
        name, data = files.open_source(source, containers.is_media)
        try:
            return fingerprint_of_media(data, name, max_pixels=max_pixels, detail=detail)
        finally:
            if isinstance(data, FileBytes):
                data.close()


def fingerprint_of_media(
    data: Media, name: str = "", *, max_pixels: int | None = None, detail: float = DETAIL
) -> bytes | None:
    """Compute the fingerprint of a file that is open already; ``name`` goes into errors."""
    with error_context(name) if name else nullcontext():
        contents = containers.read(data)
        row = containers.format_named(contents.format)
        if not row.drawable:
            return None
        if row.media:
            return _of_video(data, contents, max_pixels, detail)
        assert not isinstance(data, FileBytes)
        return _of_picture(data, contents, max_pixels, detail)


def distance(one: bytes, other: bytes) -> int:
    """Count the bits in which two fingerprints differ.

    Args:
        one: A fingerprint, 32 bytes.
        other: Another one.

    Returns:
        0 to 256. Copies of one picture differ in few bits, unrelated pictures in about 128.

    Raises:
        LabelingError: One of them has another length.
    """
    if len(one) != SIZE or len(other) != SIZE:
        raise LabelingError(f"a fingerprint has {SIZE} bytes; these have {len(one)} and {len(other)}")
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _of_picture(data: bytes, contents: Contents, max_pixels: int | None, detail: float) -> bytes | None:
    from labeling import codecs

    orientation = _orientation(contents)
    if containers.format_named(contents.format).scales_itself and _big_enough(contents.width, contents.height):
        return _hashed(_scaled(data, contents.format, orientation, max_pixels or MAX_PIXELS_READ), detail)
    try:
        pixels = codecs.displayed(data, contents.format, orientation=orientation, max_pixels=max_pixels)
    except UnsupportedFormat:  # camera raw, for example: there are no pixels to identify it by
        return None
    return _of_array(pixels, detail)


def _orientation(contents: Contents) -> int:
    found = (exif.read(block.data).orientation for block in contents.blocks if block.kind is Kind.EXIF)
    return next((value for value in found if value != 1), 1)


def _scaled(data: bytes, format: str, orientation: int, max_pixels: int) -> Any:
    """Decode the brightness of a JPEG file at no more than the needed size: an eighth is the mean of each block."""
    from labeling.codecs.opening import open_picture
    from labeling.codecs.pixels import decoding, rgb_region, upright

    image = open_picture(data, format, max_pixels)
    with decoding(format.upper()):
        image.draft("L" if image.mode in ("L", "RGB") else image.mode, (SIDE, SIDE))
        image.load()
        pixels = rgb_region(image, (0, 0, *image.size)) if image.mode != "L" else image
    return upright(_reduced(pixels), orientation)


def _of_video(data: Media, contents: Contents, max_pixels: int | None, detail: float) -> bytes | None:
    from labeling.codecs.video import sample

    video = sample.opened(data, contents.format, max_pixels=max_pixels or MAX_PIXELS_READ, contents=contents)
    if not video.has_video:
        return None
    seconds = min(VIDEO_SECONDS, video.seconds / 2) if video.seconds else VIDEO_SECONDS
    shot = video.frame_at(seconds)
    if shot is None:
        raise UnreadableFile("no frame could be decoded: the video is damaged, or its codec is not known here")
    return _of_array(shot.rgb(), detail)


def _of_image(image: Any, max_pixels: int | None, detail: float) -> bytes | None:
    from labeling import codecs
    from labeling.codecs.pixels import orientation_of

    pixels = codecs.displayed(image, "", orientation=orientation_of(image), max_pixels=max_pixels)
    return _of_array(pixels, detail)


def _of_array(pixels: Any, detail: float) -> bytes | None:
    import numpy as np

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise LabelingError(
            f"an array must be (H, W, 3) RGB of uint8, not {pixels.dtype} {pixels.shape}", hint="convert it first"
        )
    return _hashed(_reduced(pixels), detail) if _big_enough(pixels.shape[1], pixels.shape[0]) else None


def _big_enough(width: int, height: int) -> bool:
    return min(width, height) >= LEAST


def _reduced(pixels: Any) -> Any:
    """Reduce a picture to its brightness, (64, 64) float32: each value is the mean of the pixels it covers."""
    import cv2
    import numpy as np

    array = np.ascontiguousarray(pixels)
    small = cv2.resize(array, (SIDE, SIDE), interpolation=_interpolation(array.shape))
    return small.astype(np.float32) if small.ndim == 2 else small @ np.array([0.299, 0.587, 0.114], np.float32)


def _interpolation(shape: tuple[int, ...]) -> int:
    import cv2

    return int(cv2.INTER_AREA if min(shape[:2]) >= SIDE else cv2.INTER_LINEAR)


def _hashed(gray: Any, detail: float) -> bytes | None:
    import cv2
    import numpy as np

    values = cv2.dct(np.ascontiguousarray(gray, np.float32))[_lowest()]
    ordered = np.sort(values)
    third = (values.size + 1) // 3
    low, high = (ordered[n - 1 : n + 1].mean() for n in (third, values.size - third))
    if high - low < 2 * detail:
        return None
    cells = np.reshape(gray, (8, SIDE // 8, 8, SIDE // 8)).std(axis=(1, 3))
    if np.count_nonzero(cells >= _SEEN * detail) < CELLS:
        return None
    return np.packbits(np.concatenate([values > low, values > high])).tobytes()


@cache
def _lowest() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return rows and columns of the coefficients that are kept, coarse waves first; the mean is not among them."""
    places = [(row, column) for row in range(SIDE) for column in range(SIDE) if row or column]
    places.sort(key=lambda place: (place[0] ** 2 + place[1] ** 2, place))
    rows, columns = zip(*places[: BITS // 2], strict=True)
    return rows, columns
