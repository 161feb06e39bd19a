"""Play a painted animation before it is handed on: every frame of it has to decode."""

from __future__ import annotations

from labeling.codecs.base import Painted
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import decoding
from labeling.containers import formats
from labeling.containers.format_row import Format, resolve
from labeling.errors import LabelingError, WriteError

_HINT = "nothing was stored; save the animation again with another program first"


def check_plays(painted: Painted, format: str, orientation: int, max_pixels: int) -> Painted:
    """Decode all frames of what was painted, which are no more and no larger than those of the source; return it.

    Raises:
        WriteError: They are not as many as were painted, not of their size, or do not decode.
    """
    row = formats.format_named(format)
    try:
        count, size = _played(painted.data, row, orientation, max_pixels)
    except LabelingError as error:
        raise WriteError(f"the painted animation does not play: {error.message}", hint=_HINT) from error
    # The picture of an animated PNG that is not part of the animation counts as one more.
    if count not in (painted.frames, painted.frames + bool(row.player)) or size != (painted.width, painted.height):
        made = f"{count} frames of {size[0]}×{size[1]} pixels"
        wanted = f"{painted.frames} of {painted.width}×{painted.height}"
        raise WriteError(f"the painted animation plays {made} instead of {wanted}", hint=_HINT)
    return painted


def _played(data: bytes, row: Format, orientation: int, max_pixels: int) -> tuple[int, tuple[int, int]]:
    if row.player:
        _, frames = resolve(row.player, "labeling.codecs")(data, orientation, max_pixels)
        shapes = [frame.shape[1::-1] for frame in frames]
        return len(shapes), shapes[0] if len(set(shapes)) == 1 else (0, 0)
    image = open_picture(data, row.name, max_pixels)
    count = getattr(image, "n_frames", 1)
    with decoding(row.name.upper()):
        for number in range(count):
            image.seek(number)
            image.load()
    return count, image.size if orientation < 5 else image.size[::-1]
