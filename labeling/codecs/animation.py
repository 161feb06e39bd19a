"""Encode an animation in another format: all frames, with their durations and the number of plays.

The table of formats names the functions that give Pillow's arguments for it (``PictureEncoding.animation``): (plays, 0
for without end; quality; lossless) → arguments.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

from labeling.codecs.converted import Converted, ExifFor, Turn, fitted, scaled
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import decoding, encoding
from labeling.containers import formats
from labeling.containers.format_row import PictureEncoding, resolve
from labeling.errors import TooLarge, UnsupportedFormat
from labeling.losses import Loss

QUALITY = 90
"""The quality of lossy animations where none is asked for."""


def gif_arguments(plays: int, quality: int, lossless: bool) -> dict[str, Any]:
    """Return the arguments for GIF, which counts repetitions: without a loop extension it is played once."""
    del quality, lossless
    return {"disposal": 2} | ({"loop": plays - 1 if plays else 0} if plays != 1 else {})


def png_arguments(plays: int, quality: int, lossless: bool) -> dict[str, Any]:
    """Return the arguments for APNG, each frame of which replaces the whole picture."""
    del quality, lossless
    return {"loop": plays, "disposal": 0, "blend": 0}


def webp_arguments(plays: int, quality: int, lossless: bool) -> dict[str, Any]:
    """Return the arguments for WebP."""
    return {"loop": plays, "lossless": lossless} | ({} if lossless else {"quality": quality})


def avif_arguments(plays: int, quality: int, lossless: bool) -> dict[str, Any]:
    """Return the arguments for AVIF, which Pillow writes without a number of plays."""
    del plays, lossless
    return {"quality": quality}


def encode_animation(
    image: Image.Image, frames: int, turn: Turn, target: PictureEncoding, box: tuple[int, int] | None,
    quality: int | None, lossless: bool, exif: ExifFor, max_pixels: int, title: str,
) -> Converted:  # fmt: skip
    """Encode all frames of an animation; the arguments are those of :func:`labeling.codecs.convert.convert`.

    Raises:
        UnsupportedFormat: The target holds no animation, or the source is one that cannot be converted.
        TooLarge: All frames together are beyond the limit.
        LabelingError: It cannot be encoded.
    """
    if not target.animation:
        able = sorted(each.name for row in formats.FORMATS for each in row.encodings if each.animation)
        hint = f"choose one of {', '.join(able)}"
        raise UnsupportedFormat(f"an animation of {frames} frames, which {target.title} cannot hold", hint=hint)
    if image.info.get("default_image") and image.format == "PNG":
        raise UnsupportedFormat(
            "an animated PNG with a picture that is not in the animation", hint="convert it by hand"
        )
    size = fitted(image.size, box, max_pixels)
    if size[0] * size[1] * frames > max_pixels:
        raise TooLarge(
            f"{frames} frames of {size[0]}×{size[1]} pixels are more than the limit of {max_pixels:,} in all"
        )
    made = Converted(b"", 0, 0, (0, 0))
    profile = image.info.get("icc_profile")
    stills, durations = [], []
    for still, duration in _frames(image, frames, turn, title):
        made.before = still.size
        stills.append(scaled(still, fitted(still.size, box, max_pixels)))
        durations.append(duration)
    made.width, made.height = stills[0].size
    plays = _plays(image)
    if target.whole_centiseconds and any(round(duration) % 10 for duration in durations):
        made.lost.append(Loss("exact duration of frames", title, f"{target.title} counts hundredths of a second"))
    if profile and not target.holds_icc:
        made.lost.append(Loss("ICC colour profile", title, f"{target.title} has no place for one"))
    if target.colours and any(still.convert("RGB").getcolors(target.colours - 1) is None for still in stills):
        made.lost.append(Loss("colours", title, f"{target.title} holds {target.colours} of them in a frame"))
    if plays and not target.holds_loops:
        made.lost.append(Loss(f"number of loops ({plays})", title, f"{target.title} is written without one here"))
    made.meant |= {"duration", "loop-count"}
    if not target.holds_icc:
        made.meant.add("icc")
    if target.colours:
        made.meant.add("background")  # a colour of the old palette
    options = resolve(target.animation, "labeling.codecs")(plays, quality or QUALITY, lossless)
    options |= {"save_all": True, "append_images": stills[1:], "duration": [round(each) for each in durations]}
    structure = exif(made.width, made.height)
    if structure is not None and target.exif_by == "encoder":
        options["exif"] = b"Exif\0\0" + structure
    if profile and target.holds_icc:
        options["icc_profile"] = profile
    out = io.BytesIO()
    with encoding(target.title, "the animation"):
        stills[0].save(out, target.name.upper(), **options)
    made.data = out.getvalue()
    grade = "" if not target.lossy else ", lossless" if lossless else f", quality {quality or QUALITY}"
    made.how.append(f"{frames} frames encoded as {target.title}{grade}")
    _check_animation(made, target, sum(durations), title)
    return made


def _frames(image: Image.Image, count: int, turn: Turn, title: str) -> Iterator[tuple[Image.Image, float]]:
    for number in range(count):
        with decoding(title):
            image.seek(number)
            image.load()
            clear = image.has_transparency_data or image.format == "GIF"
            frame = turn.applied(image).convert("RGBA" if clear else "RGB")
            duration = float(image.info.get("duration", 0))
        frame.info = {}
        yield frame, duration


def _plays(image: Image.Image) -> int:
    """Return how often an animation is played; 0 for without end. GIF counts repetitions, the others plays."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else 0 if loop == 0 else int(loop) + 1
    return int(loop or 0)


def _check_animation(made: Converted, target: PictureEncoding, total: float, title: str) -> None:
    """Compare the whole duration of what was written; equal frames in a row may have become one."""
    row = formats.format_named(target.media_type)
    image = open_picture(made.data, row.name, made.width * made.height * 2)
    seen = 0.0
    count = getattr(image, "n_frames", 1)
    for number in range(count):
        image.seek(number)
        image.load()
        seen += float(image.info.get("duration", 0))
    if abs(seen - total) > max(10.0 * count, total * 0.01):
        made.lost.append(Loss(f"duration: {total:.0f} → {seen:.0f} ms", title, f"{target.title} stores it otherwise"))
    made.meant.add("frames")
