"""Paint on WebP files (RFC 9649).

The picture is encoded again as it was coded, without loss or with about the quality of the source, and takes the place
of the old one. Of an animation, frames that do not touch the label keep their bytes. All other chunks stay.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from labeling.codecs._frames import frames
from labeling.codecs._memory import put
from labeling.codecs.base import Box, Painted, Painter, Pixels
from labeling.codecs.opening import open_picture, webp_canvas
from labeling.codecs.pixels import Plan, check_size, encoding, make_plan, rgb_region
from labeling.codecs.replay import check_plays
from labeling.codecs.webp.chunks import (
    ALPHA_IS_USED,
    PICTURE,
    Chunk,
    Frame,
    check_frames,
    frame_chunk,
    frame_of,
    has_alpha,
    pack,
    quality_of,
    replaced,
    still_of,
    walk,
)
from labeling.codecs.webp.displayed import decoded, rgb_image
from labeling.containers.base import Buffer
from labeling.errors import UnreadableFile

QUALITY = 90
"""Quality (1–100) of a re-encoded lossy picture whose own quality cannot be told."""


def paint(data: Buffer, painter: Painter, *, orientation: int, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of a WebP file; see :mod:`labeling.codecs.base`."""
    raw = bytes(data)
    found = list(walk(raw, 12, min(len(raw), 8 + int.from_bytes(raw[4:8], "little"))))
    animated = [frame_of(chunk) for chunk in found if chunk.name == b"ANMF"]
    width, height = webp_canvas(raw[:30])
    if animated:
        check_size(width, height, len(animated), max_pixels=max_pixels)
        check_frames(animated, width, height)
        image = open_picture(raw, "webp", max_pixels)
        plan = make_plan(painter, width, height, orientation)
        painted = _animation(raw, image, animated, plan, painter, quality)
        return check_plays(painted, "webp", orientation, max_pixels)
    check_size(width, height, max_pixels=max_pixels)
    plan = make_plan(painter, width, height, orientation)
    return _still(raw, (width, height), [chunk for chunk in found if chunk.name in PICTURE], plan, painter, quality)


def _still(
    raw: bytes, size: tuple[int, int], old: list[Chunk], plan: Plan, painter: Painter, quality: int | None
) -> Painted:
    """Paint on a still picture, of which OpenCV decodes a single copy; Pillow and libwebp together keep five."""
    if not old:
        raise UnreadableFile("the WebP file has no picture, or is cut off in it")
    samples = decoded(still_of(old, *size), *size)
    left, top, right, bottom = plan.stored
    region = rgb_image(samples[top:bottom, left:right])
    whole = (0, 0, right - left, bottom - top)
    overlay = plan.overlay(painter, _backdrops([region], whole))
    put(region, replace(plan, stored=whole), overlay)
    swapped = np.asarray(region)[..., [2, 1, 0, 3][: samples.shape[2]]]
    samples[top:bottom, left:right] = swapped
    options, words = _options(old, quality)
    if samples.shape[2] == 3 and "lossless" not in options:
        made = _by_opencv(samples, options["quality"])
    else:
        image = rgb_image(samples)
        del samples, swapped
        made = _by_pillow(image, options)
    new = _picture(made, old, size)
    edits = [(chunk.start, chunk.end, b"") for chunk in old[1:]]
    edits.append((old[0].start, old[0].end, _packed(new)))
    lossless = words == _LOSSLESS
    how = f"WebP: {words}"
    return Painted(replaced(raw, edits), plan.box, plan.width, plan.height, 1, lossless, how)


_LOSSLESS = "re-encoded without loss"


def _packed(picture: list[Chunk]) -> bytes:
    return b"".join(pack(part.name, part.body) for part in picture)


def _backdrops(shown: list[Image.Image], box: Box) -> list[Pixels]:
    """Return what is under the label; what is transparent over white and over black."""
    found = []
    for frame in shown:
        found.append(rgb_region(frame, box))
        if frame.mode == "RGBA":
            region = np.asarray(frame.crop(box))
            alpha = region[..., 3:].astype(np.uint16)
            if alpha.min() < 255:
                found.append((region[..., :3] * alpha // 255).astype(np.uint8))
    return found


def _encoded(image: Image.Image, source: list[Chunk], quality: int | None) -> tuple[list[Chunk], str]:
    """Encode a picture as ``source`` was.

    Returns:
        Its chunks, and how it was encoded in words.
    """
    options, words = _options(source, quality)
    return _picture(_by_pillow(image, options), source, image.size), words


def _options(source: list[Chunk], quality: int | None) -> tuple[dict[str, Any], str]:
    """Return how a picture is encoded as ``source`` was, for Pillow and in words."""
    lossy = next((chunk.body for chunk in source if chunk.name == b"VP8 "), None)
    if lossy is None:
        return {"lossless": True, "exact": True}, _LOSSLESS
    estimated = quality_of(lossy) if quality is None else quality
    words = f"re-encoded, quality {QUALITY if estimated is None else estimated}"
    words += "" if quality is not None or estimated is None else ", about that of the source"
    return {"quality": QUALITY if estimated is None else estimated, "alpha_quality": 100, "exact": True}, words


def _by_pillow(image: Image.Image, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    with encoding("WebP", "the painted picture", hint="convert it to PNG"):
        image.save(out, "WEBP", method=4, **options)
    return out.getvalue()


def _by_opencv(samples: Pixels, quality: int) -> bytes:
    """Encode BGR to the same bytes as Pillow does, without a copy of it as ARGB."""
    import cv2

    with encoding("WebP", "the painted picture", hint="convert it to PNG"):
        done, made = cv2.imencode(".webp", samples, [cv2.IMWRITE_WEBP_QUALITY, max(1, quality)])
        if not done:
            raise ValueError("the encoder gave no reason")
    return made.tobytes()


def _picture(made: bytes, source: list[Chunk], size: tuple[int, int]) -> list[Chunk]:
    """Return the chunks of an encoded picture, with an alpha channel if ``source`` has one."""
    found = [chunk for chunk in walk(made, 12, len(made)) if chunk.name in PICTURE]
    return _with_alpha(found, size) if any(map(has_alpha, source)) else found


def _with_alpha(picture: list[Chunk], size: tuple[int, int]) -> list[Chunk]:
    """Say that a picture has an alpha channel, as its source does: libwebp leaves out one that is opaque throughout."""
    if any(map(has_alpha, picture)):
        return picture
    if picture[0].name == b"VP8L":
        head = picture[0]
        return [head._replace(body=head.body[:4] + bytes((head.body[4] | ALPHA_IS_USED,)) + head.body[5:])]
    # An ALPH chunk (RFC 9649, 2.7.1.2): compressed as VP8L without its header, and alpha in the place of green.
    out = io.BytesIO()
    Image.new("RGB", size, (0, 255, 0)).save(out, "WEBP", lossless=True)
    coded = next(chunk for chunk in walk(out.getvalue(), 12, len(out.getvalue())) if chunk.name == b"VP8L")
    return [Chunk(b"ALPH", b"\1" + coded.body[5:], 0, 0), *picture]


def _animation(
    raw: bytes, image: Any, animated: list[Frame], plan: Plan, painter: Painter, quality: int | None
) -> Painted:
    """Paint on every frame of an animation.

    The label stays on the canvas as long as no frame is drawn over it and nothing is cleared. A frame that is drawn
    over it gets the canvas as it is shown, with the label, in its own rectangle. Where that is cleared, or the first
    frame does not cover the label, every frame becomes a whole canvas.
    """
    if getattr(image, "n_frames", 1) != len(animated):
        raise UnreadableFile(f"the WebP animation has {len(animated)} frames, of which not all can be decoded")
    box = plan.stored
    overlay = plan.overlay(painter, _spread(_backdrops([frame], box) for frame, _ in frames(image, "WebP")))
    first = animated[0]
    whole = any(frame.clears and _touches(frame, box) for frame in animated) or not (
        first.left <= box[0] and first.top <= box[1]
        and box[2] <= first.left + first.width and box[3] <= first.top + first.height
    )  # fmt: skip
    edits, words, changed = [], [], 0
    exact = True
    for frame, (canvas, _) in zip(animated, frames(image, "WebP"), strict=True):
        rect = (frame.left, frame.top, frame.width, frame.height)
        if whole:
            rect = (0, 0, *image.size)
        elif not _touches(frame, box):
            continue
        put(canvas, plan, overlay)
        left, top, width, height = rect
        part = canvas if rect == (0, 0, *image.size) else canvas.crop((left, top, left + width, top + height))
        new, said = _encoded(part, frame.parts, quality)
        exact = exact and said == _LOSSLESS
        words.append(said)
        changed += 1
        edits.append((frame.chunk.start, frame.chunk.end, frame_chunk(frame, new, blend=False, rect=rect)))
    how = f"WebP: {changed} of {len(animated)} frames {'; '.join(list(dict.fromkeys(words))[:3])}"
    return Painted(replaced(raw, edits), plan.box, plan.width, plan.height, len(animated), exact, how)


def _spread(backdrops: Iterator[list[Pixels]]) -> list[Pixels]:
    return [each for found in backdrops for each in found]


def _touches(frame: Frame, box: Box) -> bool:
    return (
        frame.left < box[2]
        and box[0] < frame.left + frame.width
        and frame.top < box[3]
        and box[1] < frame.top + frame.height
    )
