"""Perceptual fingerprints: how a picture or video is known again after it was scaled, re-encoded, cropped or framed.

A fingerprint has two parts. The first 32 bytes describe the *whole* picture. As displayed, it is reduced to 64×64
pixels of brightness. Of its two-dimensional cosine transform the 128 lowest coefficients are kept. Each is stored in
two bits, as one of three levels: is it above the lower bound, and is it above the upper one? The bounds are chosen so
that each level holds a third of the coefficients. Scaling and coding move few of them across a bound, and then only to
the next level. A coefficient near zero, whose sign is noise, stays in the middle level.

The rest describes up to 48 *points* in 10 bytes each (:mod:`labeling.keypoints`). By them a copy of a part is known,
and one with margins or a caption, mirrored or turned. :func:`distance` compares the first part, :func:`resemblance` the
points.

A fingerprint says nothing about who made a picture, and an adversary who works at it can change it: it finds copies
that platforms made, not copies that somebody disguised.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from labeling import containers, files, keypoints
from labeling.containers import Contents, Kind, Media
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat, error_context
from labeling.filebytes import FileBytes
from labeling.gates import guarded
from labeling.limits import MAX_PIXELS_READ
from labeling.marks import exif
from labeling.resemblance import Resemblance, Sight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from labeling.blobs import Floats

__all__ = ["Resemblance", "distance", "fingerprint", "resemblance"]

BITS = 256
SIZE = BITS // 8
"""Length in bytes of the part of a fingerprint that describes the whole picture: it comes first."""

SIZES = range(SIZE, SIZE + keypoints.MAX_POINTS * keypoints.POINT_SIZE + 1, keypoints.POINT_SIZE)
"""Lengths in bytes that a fingerprint may have."""

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
        32 bytes for the whole, and 10 more for each of up to 48 points; or ``None`` if there is nothing to identify the
        picture by: audio, a document, a picture with less detail than required.

    Raises:
        LabelingError: The source cannot be read or decoded, or has too many pixels.

    Example:
        >>> from PIL import Image
        >>> from labeling.fingerprint import distance, fingerprint
        >>> picture = Image.open("photo.png")
        >>> distance(fingerprint(picture), fingerprint(picture.resize((128, 128)))) < 16
        True
    """
    with guarded("compute the fingerprint", _path_of(source)):
        return _of_plane(_plane_of(source, max_pixels, keypoints.LONG_SIDE), detail)


def fingerprint_of_media(
    data: Media, name: str = "", *, max_pixels: int | None = None, detail: float = DETAIL
) -> bytes | None:
    """Compute the fingerprint of a file that is open already; ``name`` goes into errors."""
    return _of_plane(_plane_of_media(data, name, max_pixels, keypoints.LONG_SIDE), detail)


def distance(one: bytes, other: bytes) -> int:
    """Count the bits in which the parts of two fingerprints differ that describe the whole pictures.

    Args:
        one: A fingerprint.
        other: Another one.

    Returns:
        0 to 256. Copies of one whole picture differ in few bits, unrelated pictures in about 111, and so do a picture
        and a part of it: :func:`resemblance` tells those.

    Raises:
        LabelingError: One of them has a length that no fingerprint has.
    """
    _check(one)
    _check(other)
    return (int.from_bytes(one[:SIZE], "big") ^ int.from_bytes(other[:SIZE], "big")).bit_count()


def resemblance(
    source: files.Source | Image.Image | NDArray[Any], stored: bytes, *, max_pixels: int | None = None
) -> Resemblance | None:
    """Tell whether a picture is a copy of the one that a fingerprint was computed from, or of a part of it.

    Args:
        source: The picture asked about, as for :func:`fingerprint`. It may be cropped, have margins or a caption, be
            mirrored, turned, scaled and re-encoded.
        stored: The fingerprint.
        max_pixels: Refuse to decode larger pictures; by default 100 million pixels.

    Returns:
        How many of the fingerprint's points were seen where they must be in the picture: ``same`` is true if it is a
        copy. ``None`` if the two have nothing in common, or the fingerprint has no points.

    Raises:
        LabelingError: The source cannot be read or decoded, or has too many pixels; or no fingerprint is this long.

    Example:
        >>> from PIL import Image
        >>> from labeling.fingerprint import fingerprint, resemblance
        >>> picture = Image.open("photo.png").convert("RGB")
        >>> resemblance(picture.crop((99, 0, *picture.size)), fingerprint(picture)).same  # doctest: +SKIP
        True
    """
    _check(stored)
    with guarded("compare the picture", _path_of(source)):
        plane = _plane_of(source, max_pixels, keypoints.SEARCH_SIDE)
        return None if plane is None else Sight(plane).resemblance(points_in(stored))


def sight_of(source: files.Source | Image.Image, *, max_pixels: int | None = None) -> Sight | None:
    """Return what a picture in memory is looked for by; ``None`` if there is nothing to see."""
    with guarded("compute the fingerprint"):
        plane = _plane_of(source, max_pixels, keypoints.SEARCH_SIDE)
        return None if plane is None else Sight(plane)


def sight_of_media(data: Media, *, max_pixels: int | None = None) -> Sight | None:
    """Return what a file is looked for by; ``None`` if it is no picture or video."""
    plane = _plane_of_media(data, "", max_pixels, keypoints.SEARCH_SIDE)
    return None if plane is None else Sight(plane)


def whole_of(sight: Sight | None) -> bytes | None:
    """Return the part of a fingerprint that describes the whole picture, to look for it: half the detail is enough."""
    return None if sight is None else whole(sight.plane, DETAIL / 2)


def points_in(stored: bytes) -> keypoints.Points:
    """Return the points of a fingerprint; none of one from before there were points."""
    return keypoints.unpacked(stored[SIZE:])


def _check(stored: bytes) -> None:
    if len(stored) not in SIZES:
        raise LabelingError(
            f"a fingerprint has {SIZE} bytes, or {keypoints.POINT_SIZE} more for each of up to {keypoints.MAX_POINTS} "
            f"points, not {len(stored)}"
        )


def _path_of(source: object) -> str | os.PathLike[str] | None:
    return source if isinstance(source, str | os.PathLike) else None


# --- the plane: the brightness of a picture as displayed, its longer side of a given size -----------------------------


def _plane_of(source: Any, max_pixels: int | None, side: int) -> Floats | None:
    if hasattr(source, "getbands") and hasattr(source, "info"):
        return _plane_of_image(source, max_pixels, side)
    if hasattr(source, "shape") and hasattr(source, "dtype"):
        return _plane_of_array(source, side)
    name, data = files.open_source(source, containers.is_media)
    try:
        return _plane_of_media(data, name, max_pixels, side)
    finally:
        if isinstance(data, FileBytes):
            data.close()


def _plane_of_media(data: Media, name: str, max_pixels: int | None, side: int) -> Floats | None:
    with error_context(name) if name else nullcontext():
        contents = containers.read(data)
        row = containers.format_named(contents.format)
        if not row.drawable:
            return None
        if row.media:
            return _plane_of_video(data, contents, max_pixels, side)
        assert not isinstance(data, FileBytes)
        return _plane_of_picture(data, contents, max_pixels, side)


def _plane_of_picture(data: bytes, contents: Contents, max_pixels: int | None, side: int) -> Floats | None:
    from labeling import codecs

    orientation = _orientation(contents)
    if containers.format_named(contents.format).scales_itself and _big_enough(contents.width, contents.height):
        return _scaled(data, contents, orientation, max_pixels or MAX_PIXELS_READ, side)
    try:
        pixels = codecs.displayed(data, contents.format, orientation=orientation, max_pixels=max_pixels)
    except UnsupportedFormat:  # camera raw, for example: there are no pixels to identify it by
        return None
    return _plane_of_array(pixels, side)


def _orientation(contents: Contents) -> int:
    found = (exif.read(block.data).orientation for block in contents.blocks if block.kind is Kind.EXIF)
    return next((value for value in found if value != 1), 1)


def _scaled(data: bytes, contents: Contents, orientation: int, max_pixels: int, side: int) -> Floats:
    """Decode the brightness of a JPEG file at no more than the needed size: an eighth is the mean of each block."""
    import numpy as np

    from labeling.codecs.opening import open_picture
    from labeling.codecs.pixels import decoding, rgb_region, upright

    image = open_picture(data, contents.format, max_pixels)
    with decoding(contents.format.upper()):
        size = keypoints.plane_size(image.width, image.height, side)
        image.draft("L" if image.mode in ("L", "RGB") else image.mode, size)
        image.load()
        pixels = rgb_region(image, (0, 0, *image.size)) if image.mode != "L" else np.asarray(image)
    plane: Floats = np.ascontiguousarray(upright(_reduced(pixels, side), orientation))
    return plane


def _plane_of_video(data: Media, contents: Contents, max_pixels: int | None, side: int) -> Floats | None:
    from labeling.codecs.video import sample

    video = sample.opened(data, contents.format, max_pixels=max_pixels or MAX_PIXELS_READ, contents=contents)
    if not video.has_video:
        return None
    seconds = min(VIDEO_SECONDS, video.seconds / 2) if video.seconds else VIDEO_SECONDS
    shot = video.frame_at(seconds)
    if shot is None:
        raise UnreadableFile("no frame could be decoded: the video is damaged, or its codec is not known here")
    return _plane_of_array(shot.rgb(), side)


def _plane_of_image(image: Any, max_pixels: int | None, side: int) -> Floats | None:
    from labeling import codecs
    from labeling.codecs.pixels import orientation_of

    pixels = codecs.displayed(image, "", orientation=orientation_of(image), max_pixels=max_pixels)
    return _plane_of_array(pixels, side)


def _plane_of_array(pixels: Any, side: int) -> Floats | None:
    import numpy as np

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise LabelingError(
            f"an array must be (H, W, 3) RGB of uint8, not {pixels.dtype} {pixels.shape}", hint="convert it first"
        )
    return _reduced(pixels, side) if _big_enough(pixels.shape[1], pixels.shape[0]) else None


def _big_enough(width: int, height: int) -> bool:
    return min(width, height) >= LEAST


def _reduced(pixels: Any, side: int) -> Floats:
    """Bring a picture, gray or RGB of uint8, to its plane, float32: each value is the mean of the pixels it covers."""
    import numpy as np

    small = keypoints.resized(np.ascontiguousarray(pixels), side)
    gray: Floats = small if small.ndim == 2 else small @ np.array([0.299, 0.587, 0.114], np.float32)
    return gray.astype(np.float32, copy=False)


# --- the two parts ----------------------------------------------------------------------------------------------------


def _of_plane(plane: Floats | None, detail: float) -> bytes | None:
    found = None if plane is None else whole(plane, detail)
    return None if plane is None or found is None else found + keypoints.packed(keypoints.points_of(plane))


def whole(plane: Floats, detail: float) -> bytes | None:
    """Return the part of a fingerprint that describes the whole picture; ``None`` if it has less detail than that."""
    import cv2
    import numpy as np

    interpolation = cv2.INTER_AREA if min(plane.shape) >= SIDE else cv2.INTER_LINEAR
    gray = cv2.resize(plane, (SIDE, SIDE), interpolation=interpolation)
    values = cv2.dct(gray)[_lowest()]
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
