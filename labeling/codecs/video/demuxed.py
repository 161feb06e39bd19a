"""Strangers' video and audio files in FFmpeg: what it reads of them, which tracks they have, what decodes.

Only the bytes of the file itself are read, through one adapter, with the demuxer for the format of its content. No
playlist, path or address in a file is followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labeling.containers.syntax.riff import chunk_at
from labeling.errors import LabelingError, UnreadableFile
from labeling.filebytes import FileBytes
from labeling.gates import gate

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_PACKETS = 20_000
MAX_READ = 1 << 30
"""Limits on the packets and bytes that one pass may read."""

MAX_CHUNKS = 1024
"""Limit on the chunks of a RIFF file that are searched for texts to hide from FFmpeg."""


@contextmanager
def decoding() -> Iterator[None]:
    """Turn exceptions of PyAV on broken input into :class:`UnreadableFile`."""

    def broken(why: str) -> LabelingError:
        return UnreadableFile(f"cannot be decoded ({why}): the file is damaged, or of a kind unknown here")

    with gate("decode the video or audio", broken):
        yield


def video_tracks(container: InputContainer) -> list[VideoStream]:
    """Return the video streams that are no pictures of covers or chapters."""
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    return [each for each in container.streams.video if not each.disposition & pictures]


def shown_tracks(videos: list[VideoStream]) -> list[int]:
    """Return the numbers of the tracks that players may show, from 1, most likely first.

    FFmpeg calls "default" what is enabled in MP4 (tkhd; ISO/IEC 14496-12, 8.3.2) and what has FlagDefault in Matroska
    (RFC 9559, 5.1.4.1.5). Without any such track, all may be shown.
    """
    from av.stream import Disposition

    marked = [number for number, each in enumerate(videos, 1) if each.disposition & Disposition.default]
    return marked or list(range(1, len(videos) + 1))


def texts_of_riff(data: bytes | FileBytes) -> tuple[int, ...]:
    """Return the offsets of texts in a RIFF file; FFmpeg would allocate memory for them by the sizes they claim."""
    found: list[int] = []
    at = 12
    for _ in range(MAX_CHUNKS if data[:4] in (b"RIFF", b"RF64", b"BW64") else 0):
        if at + 8 > len(data):
            break
        chunk = chunk_at(data, at, len(data))
        if chunk.name not in _MEDIA_CHUNKS and not (chunk.form and chunk.form != b"INFO"):
            found.append(at)
        at = chunk.end
    return tuple(found)


_MEDIA_CHUNKS = frozenset({b"RIFF", b"fmt ", b"fact", b"data", b"ds64", b"idx1", b"JUNK"})


def decoder_of(stream: Any) -> Any:
    """Return the decoder of a stream; PyAV has none for codecs that FFmpeg cannot decode."""
    if stream.codec_context is None:
        raise UnreadableFile("there is no decoder for its codec here")
    return stream.codec_context


def decoded(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Yield the frames of one stream. Packets that do not decode are skipped; a file that breaks off just ends."""
    import av
    from av.stream import Discard

    decoder_of(stream)
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    packets = container.demux(stream)
    for _ in range(MAX_PACKETS):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = av.Packet()
            packet.stream = stream  # an empty packet makes the decoder return what it still holds
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []
        yield from frames
        if not packet.size:
            return


class BoundedFile:
    """The file object that PyAV reads: at most :data:`MAX_READ` bytes of the file.

    At the offsets ``hidden`` it returns "JUNK", the name of a RIFF chunk that readers skip.
    """

    def __init__(self, data: bytes | FileBytes, hidden: tuple[int, ...] = ()) -> None:
        self._data, self._at, self._left, self._hidden = data, 0, MAX_READ, hidden

    def read(self, count: int) -> bytes:
        start = self._at
        part = self._data[start : start + min(count, self._left)]
        self._at += len(part)
        self._left -= len(part)
        for at in self._hidden:
            if start - 4 < at < self._at:
                first, last = max(0, at - start), min(len(part), at + 4 - start)
                part = part[:first] + b"JUNK"[first + start - at : last + start - at] + part[last:]
        return part

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, len(self._data))[whence])
        return self._at

    def tell(self) -> int:
        return self._at
