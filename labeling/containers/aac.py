"""Raw AAC: ADTS frames (ISO/IEC 13818-7, 6.2), as a rule behind an ID3v2 tag. A label is a TXXX frame of that tag.

The practice guides name no carrier for raw AAC: this one is our choice, by the example of MP3 (TC260-PG-202510A). An
ID3v2 tag in front is what iTunes and FFmpeg write, and what every player steps over. C2PA has no place in this format.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from labeling.containers.base import Buffer, Changes, Contents, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import pick, splice
from labeling.containers.syntax import id3, id3_edit, old_tags
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_HEADER = 7
_SAMPLES = 1024  # of a block; a frame has one to four
_MEASURED = 200  # frames that the duration is estimated from
_SEARCHED = 1 << 16  # bytes in which the first frame is looked for
_LOOSE, _ENOUGH = 4096, 8  # bytes behind the last frame, and number of frames, of a file that is recognised by them


@dataclass(slots=True)
class Walk:
    """What was found in a file.

    Attributes:
        collector: Blocks, problems and warnings.
        tags: Its ID3v2 tags.
        old: (start, end) of tags of other kinds behind the audio.
        start: Where the audio begins.
        end: Where it ends.
    """

    collector: Collector = field(default_factory=Collector)
    tags: list[id3.Tag] = field(default_factory=list)
    old: list[tuple[int, int]] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def home(self) -> id3.Tag | None:
        """Return the tag at the very start, where a label belongs."""
        return self.tags[0] if self.tags and self.tags[0].at == 0 else None


def is_frame(head: bytes) -> bool:
    """Return whether a frame of ADTS begins here, as far as its header says."""
    return _length(head) > 0


def _length(head: bytes) -> int:
    """Return the bytes of the frame with this header; 0 if it is none."""
    if len(head) < _HEADER or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 >= len(_RATES):
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > _HEADER else 0


def looks_like(data: Buffer | FileBytes) -> bool:
    """Return whether frames follow bytes of no known kind, and reach to the end of the file: players find them."""
    media = data if isinstance(data, bytes | FileBytes) else bytes(data)
    at, count = first_frame(media, 0, len(media)), 0
    if at is None:
        return False
    while length := _length(media[at : at + _HEADER]):
        at += length
        count += 1
    return count >= _ENOUGH and 0 <= len(media) - at <= _LOOSE


def first_frame(data: Media, start: int, stop: int) -> int | None:
    """Return where the audio begins: at ``start``, or at the first of three frames in a row not far behind it."""
    if is_frame(data[start : start + _HEADER]):
        return start
    window = data[start : min(stop, start + _SEARCHED)]
    at = window.find(b"\xff")
    while at >= 0:
        here, row = start + at, 0
        while row < 3 and (length := _length(data[here : here + _HEADER])) and here + length <= stop:
            here += length
            row += 1
        if row == 3:
            return start + at
        at = window.find(b"\xff", at + 1)
    return None


def begins(data: Media, at: int, stop: int) -> bool:
    """Return whether three frames follow each other from ``at`` on."""
    for _ in range(3):
        length = _length(data[at : at + _HEADER])
        if not length or at + length > stop:
            return False
        at += length
    return True


def read(data: Media) -> Contents:
    """Find the metadata of an ADTS file; see :mod:`labeling.containers.base`."""
    found = walk(data)
    coded = [(found.start, found.end - found.start)] if found.end > found.start else []
    contents = found.collector.contents("adts", "audio/aac", coded, seconds=_seconds(data, found) if coded else 0.0)
    home = found.home()
    mended = (old_tags.COPIED,) if home is None and coded and old_tags.frames(data, found.old) else ()
    return replace(contents, mended=mended, has_xmp=home is None or home.version > 2)


def walk(data: Media) -> Walk:
    """Find the tags of a file, and its audio between them."""
    found = Walk()
    collector = found.collector
    found.tags = id3.leading_tags(data, collector, "AAC ID3v2")
    found.start = id3.behind_tags(data)
    if collector.problems:
        return found
    tail = old_tags.find(data, found.start, collector, "AAC ID3v2 (at the end)")
    found.end, found.old = tail.start, tail.old
    found.tags += tail.tags
    begin, first = found.start, first_frame(data, found.start, found.end)
    if first is not None and begin < first:
        found.start = first
        note(collector.warnings, f"{first - begin} bytes before the first frame are not audio; they are kept")
    length = _length(data[found.start : found.start + _HEADER])
    follows = found.start + length
    if not length:
        collector.problems.append(f"no ADTS frame is found at offset {found.start}, where the audio should begin")
    elif follows > found.end:
        collector.problems.append("the file is cut off: its first frame is not complete")
    elif follows < found.end and not is_frame(data[follows : follows + _HEADER]):
        collector.problems.append(f"no ADTS frame is found at offset {follows}, behind the first one")
    return found


def _seconds(data: Media, found: Walk) -> float:
    """Estimate the duration from the first frames, as players do: none says how long the file is."""
    at, blocks, rate = found.start, 0, 0
    for _ in range(_MEASURED):
        head = data[at : at + _HEADER]
        length = _length(head)
        if not length or at + length > found.end:
            break
        rate = _RATES[head[2] >> 2 & 15]
        blocks += 1 + (head[6] & 3)
        at += length
    return (found.end - found.start) / (at - found.start) * blocks * _SAMPLES / rate if rate else 0.0


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None:
        raise LabelingError("raw AAC has no place for EXIF", hint="leave it out")
    found = walk(data)
    home = found.home()
    puts: dict[int, list[tuple[int | None, bytes]]] = {}  # by the offset of the tag
    for name, new in id3_edit.new_frames(home.version if home is not None else 4, changes).items():
        old = id3_edit.replaced(found.tags, kept, name)
        tag = next((tag for tag in found.tags if old is not None and tag.at <= old < tag.end), home)
        if tag is not None and home is not None and tag.version != home.version:
            new = id3_edit.new_frames(tag.version, changes)[name]
        puts.setdefault(tag.at if tag is not None else 0, []).append((old, new))
    if home is None and 0 in puts:
        puts[0] = [*((None, each) for each in old_tags.frames(data, found.old)), *puts[0]]
    return splice(data, id3_edit.tag_edits(found.tags, gone, puts))
