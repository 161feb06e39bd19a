"""Paint on HEIC and AVIF files. They are re-encoded at a stated quality."""

from __future__ import annotations

import io

from labeling.codecs._encoders import HEVC_SPEED
from labeling.codecs._frames import recode
from labeling.codecs._memory import lay
from labeling.codecs.base import Painted, Painter
from labeling.codecs.opening import heif_library, is_avif, open_picture
from labeling.codecs.pixels import ORIENTATION, check_size, decoding
from labeling.containers.base import Buffer
from labeling.errors import LabelingError

QUALITY = 90
"""Default quality (1–100) of the re-encoded picture."""


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every picture of a HEIF file; see :mod:`labeling.codecs.base`.

    ``orientation`` is not used. In these formats the picture has properties of its own for rotation (irot, imir;
    ISO/IEC 23008-12, 6.5.10), which the decoders know, and the EXIF tag only repeats them.
    """
    del orientation
    raw = bytes(data)
    quality = QUALITY if quality is None else quality
    if not is_avif(raw):
        return _heic(raw, painter, quality, max_pixels)
    image = open_picture(raw, "heif", max_pixels)
    turned = image.getexif().get(ORIENTATION, 1)  # Pillow reports the properties as this tag, and writes them back
    how = f"AVIF re-encoded, quality {quality}" + (", reduced to 8 bits a sample" if _deep(raw) else "")
    return recode(image, "AVIF", painter, turned, {"quality": quality}, lossless=False, how=how)


def _deep(raw: bytes) -> bool:
    """Return whether an AV1 configuration (av1C, third byte) has the high_bitdepth flag."""
    at = raw.find(b"av1C", 0, 1 << 16)
    return 0 < at < len(raw) - 7 and bool(raw[at + 6] & 0x40)


def _heic(raw: bytes, painter: Painter, quality: int, max_pixels: int) -> Painted:
    library = heif_library()
    source = open_picture(raw, "heif", max_pixels)
    made = library.HeifFile()
    plans = []
    for picture in source:
        width, height = picture.size
        check_size(width, height, len(source), max_pixels=max_pixels)
        with decoding("HEIC"):
            image = picture.to_pillow()
        if image.mode not in ("RGB", "RGBA"):
            image = image.convert("RGBA" if image.mode.endswith("A") else "RGB")
        plan = lay(image, painter)  # the decoder has turned it upright already
        plans.append(plan)
        made.add_from_pillow(image)
    main = source.primary_index
    plan = plans[main]
    out = io.BytesIO()
    try:
        made.save(out, quality=quality, enc_params=HEVC_SPEED, primary_index=main, save_all=True)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise LabelingError(
            f"the painted picture cannot be encoded as HEIC: {error}", hint="convert it to PNG"
        ) from error
    how = f"HEIC re-encoded, quality {quality}"
    if any(picture.info.get("bit_depth", 8) > 8 for picture in source):
        how += ", reduced to 8 bits a sample"
    if any(picture.info.get(name) for picture in source for name in ("thumbnails", "depth_images", "aux")):
        how += "; thumbnails, depth maps and other auxiliary pictures were left out"
    return Painted(out.getvalue(), plan.box, plan.width, plan.height, len(plans), False, how)
