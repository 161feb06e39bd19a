"""What a report shows of a file beside its findings: its fingerprint and a small picture of it.

Made while the file is at hand, one file at a time: of a thousand large pictures only a thousand small ones stay.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field

from labeling import containers, files, metadata
from labeling.errors import LabelingError

SIDE = 320
"""Longest side of a thumbnail in pixels; as JPEG that is some 10 to 40 KB."""

_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A file as evidence: its length and SHA-256, its size in pixels as displayed, and a JPEG thumbnail.

    ``width`` and ``height`` are those of the whole picture, in whose pixels the box of a visible label is given; they
    are 0, and ``thumbnail`` is empty, if the picture could not be decoded.
    """

    size: int
    sha256: str
    width: int = 0
    height: int = 0
    thumbnail: bytes = field(default=b"", repr=False)


def exhibit(source: files.Source, *, max_pixels: int | None = None) -> Exhibit | None:
    """Take the fingerprint and the thumbnail of a path, bytes or file object.

    A file that cannot be read gives ``None``, a picture that cannot be decoded an exhibit without thumbnail: both are
    told by the file's report, and no reason to have none.
    """
    try:
        _, data = files.load(source)
    except LabelingError:
        return None
    plain = Exhibit(len(data), hashlib.sha256(data).hexdigest())
    try:
        width, height, thumbnail = _thumbnail(data, max_pixels)
    except LabelingError:
        return plain
    return Exhibit(plain.size, plain.sha256, width, height, thumbnail)


def _thumbnail(data: bytes, max_pixels: int | None) -> tuple[int, int, bytes]:
    from PIL import Image

    from labeling.codecs import displayed

    contents = containers.read(data)
    orientation = metadata.scan(contents).orientation
    pixels = displayed(data, contents.format, orientation=orientation, max_pixels=max_pixels)
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return width, height, out.getvalue()
