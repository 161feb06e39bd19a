"""Play a painted animation before it is handed on: every frame of it has to decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labeling.codecs.base import Painted, Pixels
from labeling.codecs.opening import open_picture
from labeling.codecs.pixels import decoding
from labeling.errors import LabelingError, WriteError

Player = Callable[[bytes, int, int], tuple[int, Iterator[Pixels], bool]]
"""Plays an animation that Pillow does not play in every case: data, orientation, limit → number of frames, frames."""

_HINT = "nothing was stored; save the animation again with another program first"


def check_plays(
    painted: Painted, format: str, orientation: int, max_pixels: int, *, player: Player | None = None
) -> Painted:
    """Decode all frames of what was painted, which are no more and no larger than those of the source; return it.

    Raises:
        WriteError: They are not as many as were painted, not of their size, or do not decode.
    """
    try:
        count, size = _played(painted.data, format, orientation, max_pixels, player)
    except LabelingError as error:
        raise WriteError(f"the painted animation does not play: {error.message}", hint=_HINT) from error
    # With a player of our own: the picture of an animated PNG that is not part of the animation counts as one more.
    if count not in (painted.frames, painted.frames + (player is not None)) or size != (painted.width, painted.height):
        made = f"{count} frames of {size[0]}×{size[1]} pixels"
        wanted = f"{painted.frames} of {painted.width}×{painted.height}"
        raise WriteError(f"the painted animation plays {made} instead of {wanted}", hint=_HINT)
    return painted


def _played(
    data: bytes, format: str, orientation: int, max_pixels: int, player: Player | None
) -> tuple[int, tuple[int, int]]:
    if player is not None:
        _, frames, _ = player(data, orientation, max_pixels)
        shapes = [frame.shape[1::-1] for frame in frames]
        return len(shapes), shapes[0] if len(set(shapes)) == 1 else (0, 0)
    image = open_picture(data, format, max_pixels)
    count = getattr(image, "n_frames", 1)
    with decoding(format.upper()):
        for number in range(count):
            image.seek(number)
            image.load()
    return count, image.size if orientation < 5 else image.size[::-1]
