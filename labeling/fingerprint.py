"""Perceptual fingerprints: 256 bits by which a picture is known again after it was scaled and coded anew.

The picture as displayed is brought to 64×64 pixels of brightness. Of its two-dimensional cosine transform the 128
lowest coefficients are kept, each as one of three levels that hold a third of them each, in two bits: above the lower
bound, above the upper. Scaling and coding move few across a bound, and those only to the next level: a coefficient
near zero, the sign of which is noise, stays in the middle.

A fingerprint says nothing about who made a picture, and an adversary who works at it can change it: it finds copies
that platforms made, not copies that somebody disguised.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from labeling import containers, files
from labeling.containers import Contents, Kind, Media
from labeling.errors import LabelingError, UnreadableFile
from labeling.filebytes import FileBytes
from labeling.marks import exif

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

BITS = 256
SIZE = BITS // 8
"""Bytes of a fingerprint."""

SIDE = 64
"""The picture is reduced to so many pixels square."""

DETAIL = 4.0
"""Half the distance between the two bounds below which a picture is taken for flat: coding moves coefficients as far.

Of pictures with more detail, more than 99 in 100 are known again; of those with less, fewer and fewer.
"""

CELLS = 12
"""In so many of the 8×8 cells of a picture there has to be something to see.

Whatever small thing is in a corner of an empty page, the coefficients are those of a corner.
"""

_SEEN = 0.75
"""Standard deviation in a cell, as a share of the detail asked for, from which on something is seen in it."""

LEAST = 32
"""Pictures of fewer pixels on a side have none: half as large, nothing would be left of them."""

FILM_SECONDS = 1.0
"""A film is known by the picture that is shown at this time, a shorter one by that in its middle."""


def of(
    source: files.Source | Image.Image | NDArray[Any], *, max_pixels: int | None = None, detail: float = DETAIL
) -> bytes | None:
    """Take the fingerprint, 32 bytes, of a picture or film.

    ``source`` is a path, a file's bytes, a binary file object, a PIL image, or an ndarray (H, W, 3) RGB of uint8.
    ``None`` where there is nothing to tell pictures apart by: a sound, a document, a picture with less than ``detail``
    (whoever looks for a copy asks for less, since coding takes some). Raises :class:`LabelingError` for what cannot be
    read or decoded, or is beyond the limit of pixels.
    """
    if hasattr(source, "getbands") and hasattr(source, "info"):
        return _of_image(source, max_pixels, detail)
    if hasattr(source, "shape") and hasattr(source, "dtype"):
        return _of_array(source, detail)
    name, data = files.open_source(source, containers.is_media)
    try:
        return of_media(data, name, max_pixels=max_pixels, detail=detail)
    finally:
        if isinstance(data, FileBytes):
            data.close()


def of_media(data: Media, name: str = "", *, max_pixels: int | None = None, detail: float = DETAIL) -> bytes | None:
    """The same of a file that was opened already."""
    try:
        contents = containers.read(data)
        row = containers.format_named(contents.format)
        if not row.drawable:
            return None
        if row.media:
            return _of_film(data, contents.format, max_pixels, detail)
        assert not isinstance(data, FileBytes)
        return _of_picture(data, contents, max_pixels, detail)
    except LabelingError as error:
        if not name or name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error


def distance(one: bytes, other: bytes) -> int:
    """Count the bits in which two fingerprints differ: 0 to 256, some 128 for pictures that have nothing in common."""
    if len(one) != SIZE or len(other) != SIZE:
        raise LabelingError(f"a fingerprint has {SIZE} bytes; these have {len(one)} and {len(other)}")
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _of_picture(data: bytes, contents: Contents, max_pixels: int | None, detail: float) -> bytes | None:
    from labeling import codecs

    orientation = _orientation(contents)
    if containers.format_named(contents.format).scales_itself and _big_enough(contents.width, contents.height):
        return _hashed(_scaled(data, contents.format, orientation, max_pixels or codecs.MAX_PIXELS), detail)
    pixels = codecs.displayed(data, contents.format, orientation=orientation, max_pixels=max_pixels)
    return _of_array(pixels, detail)


def _orientation(contents: Contents) -> int:
    found = (exif.read(block.data).orientation for block in contents.blocks if block.kind is Kind.EXIF)
    return next((value for value in found if value != 1), 1)


def _scaled(data: bytes, format: str, orientation: int, max_pixels: int) -> Any:
    """The brightness of a JPEG file, at no more than is needed: an eighth is the mean of each block, as we want it."""
    from labeling.codecs.opening import open_picture
    from labeling.codecs.pixels import decoding, rgb_region, upright

    image = open_picture(data, format, max_pixels)
    with decoding(format.upper()):
        image.draft("L" if image.mode in ("L", "RGB") else image.mode, (SIDE, SIDE))
        image.load()
        pixels = rgb_region(image, (0, 0, *image.size)) if image.mode != "L" else image
    return upright(_reduced(pixels), orientation)


def _of_film(data: Media, format: str, max_pixels: int | None, detail: float) -> bytes | None:
    from labeling import codecs
    from labeling.codecs.video import sample

    film = sample.opened(data, format, max_pixels=max_pixels or codecs.MAX_PIXELS)
    if not film.pictures:
        return None
    seconds = min(FILM_SECONDS, film.seconds / 2) if film.seconds else FILM_SECONDS
    shot = film.frame_at(seconds)
    if shot is None:
        raise UnreadableFile("no frame could be decoded; the film is damaged, or its codec is not known here")
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
            f"an array must be (H, W, 3) RGB of uint8, not {pixels.dtype} {pixels.shape}; convert it first"
        )
    return _hashed(_reduced(pixels), detail) if _big_enough(pixels.shape[1], pixels.shape[0]) else None


def _big_enough(width: int, height: int) -> bool:
    return min(width, height) >= LEAST


def _reduced(pixels: Any) -> Any:
    """Brightness, (64, 64) float32: each value the mean of what lies under it."""
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
    """Rows and columns of the coefficients that are kept, by how fine the waves are; the mean is none of them."""
    places = [(row, column) for row in range(SIDE) for column in range(SIDE) if row or column]
    places.sort(key=lambda place: (place[0] ** 2 + place[1] ** 2, place))
    rows, columns = zip(*places[: BITS // 2], strict=True)
    return rows, columns
