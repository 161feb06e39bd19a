"""Photoshop's image resources ("8BIM"), in APP13 of JPEG files and tag 34377 of TIFF files: where the thumbnail is."""

from __future__ import annotations

_THUMBNAIL = b"8BIM\x04\x0c"


def thumbnail_range(resources: bytes) -> tuple[int, int] | None:
    """Return where the body of the thumbnail resource (1036) begins and ends; ``None`` if there is none.

    A resource is ``8BIM``, a number, a name (its length, its bytes, padded to an even number), the length of the body
    and the body (Adobe Photoshop File Formats Specification, Image Resource Blocks).
    """
    at = resources.find(_THUMBNAIL)
    name = at + len(_THUMBNAIL)
    if at < 0 or name >= len(resources):
        return None
    length_at = name + (resources[name] + 2) // 2 * 2
    start = length_at + 4
    end = start + int.from_bytes(resources[length_at:start], "big")
    return (start, end) if start <= end <= len(resources) else None
