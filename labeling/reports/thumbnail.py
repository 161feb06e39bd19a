"""What a report shows of a file beside its findings: its fingerprint and a small picture of it.

Made while the file is at hand, one file at a time: of a thousand large pictures only a thousand small ones stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labeling import containers, files
from labeling.errors import LabelingError, UnreadableFile
from labeling.filebytes import COPY_STEP, FileBytes
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling.codecs.base import Pixels

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
    told by the file's report, and no reason to have none. Of a film the first frame is shown.
    """
    try:
        _, data = files.open_source(source, containers.is_media)
    except LabelingError:
        return None
    with contextlib.ExitStack() as stack:
        if isinstance(data, FileBytes):
            stack.enter_context(data)
        try:
            plain = Exhibit(len(data), _sha256(data))
        except LabelingError:
            return None
        try:
            width, height, thumbnail = _thumbnail(data, max_pixels)
        except LabelingError:
            return plain
        return Exhibit(plain.size, plain.sha256, width, height, thumbnail)


def _sha256(data: bytes | FileBytes) -> str:
    digest = hashlib.sha256()
    for at in range(0, len(data), COPY_STEP):
        digest.update(data[at : at + COPY_STEP])
    return digest.hexdigest()


def _pixels(data: bytes | FileBytes, max_pixels: int | None) -> Pixels:
    from labeling.codecs import MAX_PIXELS, displayed

    row = containers.identify(data)
    if row is not None and row.media:
        from labeling.codecs.video import sample

        frames = sample.opened(data, row.name, max_pixels=max_pixels or MAX_PIXELS).frames()
        first = next(frames, None)
        if first is None:
            raise UnreadableFile("a sound has no picture to show")
        pixels = first.rgb()
        frames.close()
        return pixels
    still = data[: len(data)]
    contents = containers.read(still)
    orientation = metadata.scan(contents).orientation
    return displayed(still, contents.format, orientation=orientation, max_pixels=max_pixels)


def _thumbnail(data: bytes | FileBytes, max_pixels: int | None) -> tuple[int, int, bytes]:
    from PIL import Image

    pixels = _pixels(data, max_pixels)
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return width, height, out.getvalue()
