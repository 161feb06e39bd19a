"""A cue, such as an audible label, in front of the sound of an audio file or behind it; never over it.

The format's row names the module that does it (:attr:`labeling.containers.format_row.Format.cue`).
"""

from __future__ import annotations

from labeling.codecs.cue.base import CannotPut, CueOf, Ends, Placed
from labeling.containers import Media, format_named
from labeling.containers.format_row import resolve

__all__ = ["CannotPut", "CueOf", "Ends", "Placed", "put"]


def put(data: Media, format: str, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into an audio file, whose own sound stays as it is.

    Args:
        data: The file.
        format: Its format's name in :data:`labeling.containers.FORMATS`.
        cue_of: Makes the cue for (samples per second, channels): (samples, channels) float32.
        ends: Where it is put.

    Returns:
        The edits of the file, and what they mean.

    Raises:
        CannotPut: The content would have to be encoded again.
        UnreadableFile: The file is damaged.
        LabelingError: It would be larger than its format allows.
    """
    row = format_named(format)
    if not row.cue:
        raise CannotPut(f"a cue cannot be put into {row.title} files")
    placed: Placed = resolve(row.cue, "labeling.codecs").put(data, cue_of, ends)
    return placed
