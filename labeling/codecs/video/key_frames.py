"""Where decoding can begin anew, as the index of a container says: what lies before it need not be decoded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

GAIN = 0.25
"""Seconds of frames that have to be saved: a decoder that begins anew is a few frames ahead."""


NEAR = 0.005
"""Seconds by which a frame may come later than the time that was asked for. Frames are shown longer than that, so what
is there for a while on several of them is not missed."""

MOST = 4
"""Limit on the jumps in one pass: a wrong index may lead to where decoding has been already."""


def jump(container: InputContainer, stream: VideoStream, origin: float, after: float, until: float) -> bool:
    """Go on at the last key frame up to a time, if the index has one that is worth it.

    Only an index that is read with the head of the file counts, such as that of MP4 (ISO/IEC 14496-12, 8.6.2) and AVI.
    Its times are those of decoding: whether the first frame from there on is shown early enough, the caller has to see.

    Args:
        container: The file.
        stream: The track.
        origin: When its first frame is shown, in seconds.
        after: How far it has been decoded, in seconds from the first frame.
        until: The time that is wanted, likewise.

    Returns:
        Whether the next packet is another one now.
    """
    import av

    tick, entries = float(stream.time_base or 0), getattr(stream, "index_entries", None)
    if not tick or not entries:
        return False
    base: int = entries[0].timestamp
    at: int = entries.search_timestamp(base + math.floor((until + NEAR) / tick))
    entry: Any = entries[at] if 0 <= at < len(entries) else None
    if entry is None or not entry.is_keyframe or (entry.timestamp - base) * tick < after + GAIN:
        return False
    try:
        container.seek(math.floor((origin + until + NEAR) / tick), stream=stream)
    except av.error.FFmpegError:
        return False
    return True


def back(container: InputContainer, stream: VideoStream, origin: float) -> None:
    """Return to the first frame, which is shown at ``origin`` seconds. Raises what PyAV raises."""
    container.seek(math.floor(origin / float(stream.time_base or 1)), stream=stream)
