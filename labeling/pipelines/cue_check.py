"""What is checked of audio with a cue before it is stored: the cue is heard, and the content is what it was."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

from labeling import containers
from labeling.codecs.cue import Placed
from labeling.containers import Media
from labeling.errors import LabelingError, WriteError
from labeling.filebytes import FileBytes
from labeling.findings import Finding
from labeling.gates import gate
from labeling.rules.engine import FOUND
from labeling.verification.spoken_label import Known

_REPORT = 'label it with `audio_cue="none"`, and please report this file'
_PART = 1 << 20


class BrokenCue(WriteError):
    """An audible label was put into a file, and that does not read back as it should."""


def check_cue(
    source: Media,
    result: Media,
    format: str,
    placed: Placed,
    languages: tuple[str, ...],
    recordings: Sequence[Known] = (),
) -> Finding:
    """Check a file into which a cue was put, by FFmpeg's demuxer and decoder.

    Args:
        source: The file as it came.
        result: The new file.
        format: Their format.
        placed: What was put where.
        languages: Languages in which wording is accepted.
        recordings: Spoken labels that are known beside ours.

    Returns:
        The finding on the audible label.

    Raises:
        BrokenCue: The cue is not heard, or the content is not what it was.
    """
    from labeling.verification import visible_video

    finding = visible_video.find_explicit_label(result, format, languages=languages, recordings=recordings)
    if finding.status not in FOUND:
        raise BrokenCue("the audible label is not heard in the new file", hint=_REPORT)
    skip = placed.skip
    if placed.unit == "samples":
        skip *= _width(source, format)
    before, after = (_units(data, format, placed.unit) for data in (source, result))
    if not _holds(before, after, skip, to_end=not placed.behind):
        raise BrokenCue("the content is not the same behind the audible label", hint=_REPORT)
    return finding


def _holds(before: Iterator[bytes], after: Iterator[bytes], skip: int, *, to_end: bool) -> bool:
    """Return whether ``after`` is what ``before`` is, behind ``skip`` bytes."""
    held = b""
    for part in before:
        while len(held) < skip + len(part):
            more = next(after, None)
            if more is None:
                return False
            held += more
        if held[skip : skip + len(part)] != part:
            return False
        held, skip = held[skip + len(part) :], 0
    return not to_end or not (held or next(after, b""))


def _units(data: Media, format: str, unit: str) -> Iterator[bytes]:
    if unit == "coded":
        for start, length in containers.read(data).coded:
            for at in range(start, start + length, _PART):
                yield data[at : min(at + _PART, start + length)]
        return
    import av

    with gate("read the new file back", _broken), av.open(_stream(data), format=_demuxer(format)) as container:
        track = container.streams.audio[0]
        if unit == "packets":
            for packet in container.demux(track):
                yield bytes(packet)
        else:
            for frame in container.decode(track):
                array = frame.to_ndarray()
                yield (array.T if frame.format.is_planar else array).tobytes()


def _width(data: Media, format: str) -> int:
    """Return the bytes of a decoded sample of all channels."""
    import av

    with gate("read the new file back", _broken), av.open(_stream(data), format=_demuxer(format)) as container:
        context = container.streams.audio[0].codec_context
        return int(context.format.bytes) * int(context.channels)


def _demuxer(format: str) -> str:
    return containers.format_named(format).demuxer


def _stream(data: Media) -> Any:
    return data.stream() if isinstance(data, FileBytes) else io.BytesIO(data)


def _broken(why: str) -> LabelingError:
    return BrokenCue(f"the new file does not read back ({why})", hint=_REPORT)
