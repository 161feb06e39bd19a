"""What a page shows of a file beside its findings: its SHA-256 and a thumbnail.

Gathered one file at a time, while the file is at hand: of a thousand large pictures only a thousand thumbnails stay in
memory.
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
from labeling.gates import guarded
from labeling.verification import metadata

if TYPE_CHECKING:
    from labeling.codecs.base import Pixels

SIDE = 320
"""Longest side of a thumbnail in pixels; as a JPEG it takes some 10 to 40 KB."""

_QUALITY = 82


@dataclass(frozen=True, slots=True)
class FileEvidence:
    """What identifies a file and shows what it looks like.

    Attributes:
        size: Length of the file in bytes.
        sha256: SHA-256 of the file, in hexadecimal.
        width: Width in pixels of the whole picture as displayed; 0 if it could not be decoded. The box of a visible
            label is given in these pixels.
        height: Height in pixels, likewise.
        thumbnail: The picture as a small JPEG; empty if it could not be decoded.
    """

    size: int
    sha256: str
    width: int = 0
    height: int = 0
    thumbnail: bytes = field(default=b"", repr=False)


def gather_evidence(source: files.Source, *, max_pixels: int | None = None, pixels: bool = True) -> FileEvidence | None:
    """Compute the SHA-256 and the thumbnail of a path, bytes or file object; of a video the first frame.

    Errors are left to the file's report, so none is raised here: a picture that cannot be decoded gives evidence
    without a thumbnail.

    Args:
        source: The file.
        max_pixels: Do not decode larger pictures.
        pixels: Whether to decode it at all. Without a thumbnail, no byte is interpreted.

    Returns:
        The evidence, or ``None`` for a file that cannot be read.
    """
    try:
        _, data = files.open_source(source, containers.is_media)
    except LabelingError:
        return None
    with contextlib.ExitStack() as stack:
        if isinstance(data, FileBytes):
            stack.enter_context(data)
        try:
            plain = FileEvidence(len(data), _sha256(data))
        except LabelingError:
            return None
        if not pixels:
            return plain
        try:
            with guarded("make the thumbnail"):
                width, height, thumbnail = _thumbnail(data, max_pixels)
        except LabelingError:
            return plain
        return FileEvidence(plain.size, plain.sha256, width, height, thumbnail)


def _sha256(data: bytes | FileBytes) -> str:
    digest = hashlib.sha256()
    for at in range(0, len(data), COPY_STEP):
        digest.update(data[at : at + COPY_STEP])
    return digest.hexdigest()


def _pixels(data: bytes | FileBytes, max_pixels: int | None) -> Pixels:
    from labeling.codecs import displayed
    from labeling.limits import MAX_PIXELS_READ

    row = containers.identify(data)
    if row is not None and row.media:
        from labeling.codecs.video import sample

        limit, found = max_pixels or MAX_PIXELS_READ, containers.read(data)
        frames = sample.opened(data, row.name, max_pixels=limit, contents=found).frames(ahead=False)
        first = next(frames, None)
        if first is None:
            raise UnreadableFile("audio has no picture to show")
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
