"""Re-encode pictures that cannot be edited: Pillow decodes every frame, and saves it painted, with its metadata."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

from labeling.codecs._memory import put
from labeling.codecs.base import Painted, Painter
from labeling.codecs.pixels import backdrops, decoding, encoding, make_plan, region_of


def frames(image: Any, what: str) -> Iterator[tuple[Image.Image, float]]:
    """Yield every frame of an open Pillow file as RGB or RGBA, and its duration in milliseconds.

    ``what`` names the format in messages.
    """
    for i in range(getattr(image, "n_frames", 1)):
        with decoding(what):
            image.seek(i)
            image.load()
            frame = image.convert("RGBA" if image.has_transparency_data else "RGB")
        yield frame, image.info.get("duration", 0)


def recode(
    image: Any, kind: str, painter: Painter, orientation: int, options: dict[str, Any], *, lossless: bool, how: str
) -> Painted:
    """Re-encode an open Pillow file with every frame painted on.

    The ICC profile, EXIF, XMP, timing and loop count are carried over. The picture is decoded twice, so that only its
    painted frames are in memory and not the plain ones as well.

    Args:
        image: The open file.
        kind: Pillow's name for the format to save as.
        painter: What draws the overlay.
        orientation: The EXIF orientation that a viewer applies.
        options: Further arguments for Pillow's ``save``.
        lossless: The value for ``Painted.lossless``.
        how: The value for ``Painted.how``.

    Raises:
        UnreadableFile: A frame cannot be decoded.
        LabelingError: The result cannot be encoded, or what ``painter`` raises.
    """
    count = getattr(image, "n_frames", 1)
    width, height = image.size
    plan = make_plan(painter, width, height, orientation)
    seen = [ground for frame, _ in frames(image, kind) for ground in backdrops(region_of(frame, plan.stored))]
    overlay = plan.overlay(painter, seen)
    painted, durations = [], []
    for frame, duration in frames(image, kind):
        own = frame if frame is not image else frame.copy()
        put(own, plan, overlay)
        painted.append(own)
        durations.append(duration)
    kept = {name: image.info[name] for name in ("icc_profile", "exif", "xmp") if image.info.get(name)}
    if count > 1:
        kept |= {"save_all": True, "append_images": painted[1:], "duration": durations}
        kept |= {name: image.info[name] for name in ("loop", "background") if name in image.info}
    out = io.BytesIO()
    with encoding(kind, "the painted picture", hint="convert it to PNG"):
        painted[0].save(out, kind, **kept, **options)
    return Painted(out.getvalue(), plan.box, plan.width, plan.height, count, lossless, how)
