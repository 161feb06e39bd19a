"""What GIF files hold: frames and their timing, the loop count, and extensions that are no metadata block."""

from __future__ import annotations

from collections.abc import Iterator

from labeling.containers.base import Buffer, Contents, Entry, digest_of_part
from labeling.containers.gif import EXTENSION, IMAGE, walk
from labeling.errors import UnreadableFile

_PLAIN_TEXT, _CONTROL, _APPLICATION = 0x01, 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def inventory(data: Buffer, contents: Contents) -> Iterator[Entry]:
    """List what a GIF file holds (GIF 89a)."""
    frames = duration = 0
    after = len(data)
    try:
        for kind, pos, end in walk(data):
            after = end
            label = data[pos + 1] if kind == EXTENSION else 0
            if kind == IMAGE:
                frames += 1
            elif label == _CONTROL and end - pos >= 8:
                duration += int.from_bytes(data[pos + 4 : pos + 6], "little")
            elif label == _PLAIN_TEXT:
                yield Entry("plain-text", digest_of_part(data, pos, end), "plain text extension", f"GIF, offset {pos}")
            elif label == _APPLICATION and bytes(data[pos + 3 : pos + 14]) in _LOOPS and end - pos >= 19:
                loops = int.from_bytes(data[pos + 16 : pos + 18], "little")
                yield Entry("loop-count", str(loops), "number of loops", "GIF application extension")
    except (UnreadableFile, IndexError):
        return
    yield Entry("size", f"{contents.width}×{contents.height}", "size", "GIF screen descriptor")
    yield Entry("frames", str(frames), "number of frames", "GIF")
    if frames > 1:
        yield Entry("duration", f"{duration * 10} ms", "duration of the animation", "GIF graphic control extensions")
    if after < len(data):
        value = digest_of_part(data, after, len(data))
        yield Entry("trailer", value, f"{len(data) - after} bytes behind the end", f"GIF, offset {after}")
