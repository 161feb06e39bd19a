"""Paint on image sequences in AVIF files: every frame is re-encoded at a stated quality."""

from __future__ import annotations

from labeling.codecs._frames import recode
from labeling.codecs.base import Painted, Painter
from labeling.codecs.opening import is_avif, open_picture
from labeling.codecs.pixels import ORIENTATION
from labeling.containers.heif.layout import File
from labeling.errors import LabelingError

QUALITY = 90
"""Default quality (1–100) of the re-encoded frames."""


def paint_sequence(raw: bytes, file: File, painter: Painter, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of an image sequence.

    Raises:
        LabelingError: The sequence cannot be encoded as it is.
    """
    quality = QUALITY if quality is None else quality
    if not is_avif(raw):
        raise LabelingError(
            "a label cannot be drawn on an image sequence in HEIC yet",
            hint="convert it to MP4 or AVIF, or label it without the visible text (`visible=False`)",
        )
    image = open_picture(raw, "heif", max_pixels)
    turned = image.getexif().get(ORIENTATION, 1)  # Pillow reports the properties as this tag, and writes them back
    how = f"AVIF re-encoded, quality {quality}" + (", reduced to 8 bits a sample" if _deep(raw) else "")
    return recode(image, "AVIF", painter, turned, {"quality": quality}, lossless=False, how=how)


def _deep(raw: bytes) -> bool:
    """Return whether an AV1 configuration (av1C, third byte) has the high_bitdepth flag."""
    at = raw.find(b"av1C", 0, 1 << 16)
    return 0 < at < len(raw) - 7 and bool(raw[at + 6] & 0x40)
