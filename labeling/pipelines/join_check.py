"""Whether a video plays on behind the pictures that were re-encoded: its own are to look as they did.

Copied packets are the same bytes, but a decoder that has just decoded new ones may keep something of these. So the new
file is decoded from its start, in one decoder, to a few pictures behind the join.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from labeling.errors import LabelingError, WriteError

if TYPE_CHECKING:
    from labeling.codecs.video.sample import Sampler
    from labeling.codecs.video.shown_frame import Frame

PICTURES = 3
"""How many pictures behind the join are compared, from the second one on: containers round times."""

_ALIKE = 0.004
"""Seconds: two pictures whose times differ by no more are the same one. Matroska and FLV round to milliseconds."""

_NEIGHBOURS = 2
"""By how many pictures the numbers of a picture in the two files may differ: a decoder may drop damaged ones."""


class BrokenJoin(WriteError):
    """Decoders do not show the pictures behind re-encoded ones as before."""


def check_join(frames: Iterator[tuple[int, Frame]], source: Sampler, resumes: float) -> None:
    """Check the first pictures behind the re-encoded ones.

    Args:
        frames: The numbers and pictures of the new file, from any one before the join on, decoded from the start.
        source: The file as it came.
        resumes: When the first copied picture is shown, in seconds from the first one.

    Raises:
        BrokenJoin: They are not those of the source.
    """
    behind = ((number, frame) for number, frame in frames if frame.seconds > resumes + _ALIKE)
    new = list(itertools.islice(behind, PICTURES))
    if new and not (_same_by_time(new, source) or _same_by_number(new, source)):
        raise BrokenJoin(
            "the pictures behind those that would be re-encoded do not play as before",
            hint='re-encode all of the video with `reencode="always"`',
        )


def _same_by_time(new: list[tuple[int, Frame]], source: Sampler) -> bool:
    """Compare with pictures that are decoded from the key frame before them."""
    try:
        old = source.frames_from(new[0][1].seconds)
        for _, frame in new:
            found = next((each for each in old if each.seconds > frame.seconds - _ALIKE), None)
            if found is None or found.seconds > frame.seconds + _ALIKE or not _same(frame, found):
                return False
    except LabelingError:
        return False
    return True


def _same_by_number(new: list[tuple[int, Frame]], source: Sampler) -> bool:
    """Compare with pictures that are decoded from the start, as in the new file; this takes longer."""
    first, last = new[0][0], new[-1][0]
    frames = source.frames(limit=last + _NEIGHBOURS + 1)
    old = list(itertools.islice(frames, max(0, first - _NEIGHBOURS), None))
    return all(any(_same(frame, each) for each in old) for _, frame in new)


def _same(one: Frame, other: Frame) -> bool:
    return one.size == other.size and np.array_equal(one.rgb(), other.rgb())
