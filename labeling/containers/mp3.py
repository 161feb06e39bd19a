"""MP3: MPEG audio frames (ISO/IEC 11172-3, 13818-3) behind an ID3v2 tag. A label is a TXXX frame of the tag.

ID3v1, APEv2, Lyrics3 and further ID3v2 tags may follow the audio; they stay where they are. Players that find an ID3v2
tag do not read the others any more: a file that gets its first ID3v2 tag gets their title, artist and the like in it.

An ID3v2 tag may precede other formats as well: C2PA makes a FLAC file of this kind of every FLAC file, and FFmpeg reads
a tag in front of any file. They are passed on to the modules of those formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from labeling.containers import aac, aiff, flac, formats, wav
from labeling.containers.base import Buffer, Changes, Contents, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import pick, splice
from labeling.containers.ogg import metadata as ogg
from labeling.containers.ogg.pages import first_page
from labeling.containers.syntax import id3, id3_edit, old_tags
from labeling.errors import LabelingError, UnsupportedFormat
from labeling.filebytes import FileBytes

_LOOSE, _ENOUGH = 4096, 8  # bytes behind the last frame, and number of frames, of a file that is recognised by them
_BEGINNING = 1024  # bytes by which a file of another kind behind the tag is recognised
_SEARCHED = 1 << 16  # for the first frame, behind the tag
_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of an MPEG audio frame; ``length`` is in bytes, 0 in free format, where only decoding finds it."""

    length: int
    samples: int
    rate: int
    kbits: int
    side: int  # bytes of header and side information, which a Xing header follows


@dataclass(slots=True)
class Walk:
    """What was found in a file: its tags, and where its audio begins and ends."""

    collector: Collector = field(default_factory=Collector)
    tags: list[id3.Tag] = field(default_factory=list)
    first: int = 0  # where the leading tags end
    audio: int = 0
    audio_end: int = 0
    seconds: float = 0.0
    tails: list[tuple[int, int]] = field(default_factory=list)  # ID3v1 and APEv2 tags at the end

    def leading(self) -> id3.Tag | None:
        """Return the tag at the very start, where a label belongs."""
        return self.tags[0] if self.tags and self.tags[0].at == 0 else None


def read(data: Media) -> Contents:
    """Find the metadata of an MP3 file; see :mod:`labeling.containers.base`."""
    after = id3.behind_tags(data)
    if after and data[after : after + 4] == b"fLaC":
        return flac.read(data)
    if after and data[after : after + 4] in wav.FORMS:
        return wav.read(data)
    if after and data[after : after + 4] == b"FORM":
        return aiff.read(data)
    if after and (kind := formats.unread(data[after : after + _BEGINNING])) is not None:
        words = "which is not yet read: whether it carries labels was not looked at"
        raise UnsupportedFormat(f"an ID3 tag precedes {kind.title}, {words}", hint=kind.way_out or None)
    if after and aac.begins(data, after, len(data)):  # in its packets there may be bytes that look like frames
        return aac.read(data)
    if after and _first_frame(data, after, len(data)) is None:
        if aac.first_frame(data, after, len(data)) is not None:
            return aac.read(data)
        if first_page(data) is not None:
            return ogg.read(data)
    walk = lay_out(data)
    coded = [(walk.audio, walk.audio_end - walk.audio)] if walk.audio_end > walk.audio else []
    contents = walk.collector.contents("mp3", "audio/mpeg", coded, seconds=walk.seconds)
    home = walk.leading()
    mended = (old_tags.COPIED,) if home is None and coded and old_tags.frames(data, walk.tails) else ()
    return replace(contents, mended=mended, has_xmp=home is None or home.version > 2)


def looks_like(data: Buffer | FileBytes) -> bool:
    """Return whether frames follow bytes of no known kind, and reach to the end of the file: players find them.

    Only then is it safe to put a tag in front: a program with sounds in it is no MP3 file.
    """
    media = data if isinstance(data, bytes | FileBytes) else bytes(data)
    found = _first_frame(media, 0, len(media))
    if found is None:
        return False
    at, first = found
    count = 0
    while (frame := parse_frame(media[at : at + 4])) is not None:
        if not frame.length or (frame.samples, frame.rate) != (first.samples, first.rate):
            return False
        at += frame.length
        count += 1
    return count >= _ENOUGH and len(media) - at <= _LOOSE


def lay_out(data: Media) -> Walk:
    """Find the tags of a file, and its audio between them."""
    walk = Walk()
    collector = walk.collector
    walk.tags = id3.leading_tags(data, collector, "MP3 ID3v2")
    walk.first = id3.behind_tags(data)
    if collector.problems:
        return walk
    tail = old_tags.find(data, walk.first, collector, "MP3 ID3v2 (at the end)")
    walk.audio_end, walk.tails = tail.start, tail.old
    walk.tags += tail.tags
    found = _first_frame(data, walk.first, walk.audio_end)
    if found is None:
        collector.problems.append(f"no MPEG audio frame is found at offset {walk.first}, where the audio should begin")
        return walk
    walk.audio, frame = found
    if walk.audio > walk.first and any(data[walk.first : walk.audio]):
        note(collector.warnings, f"{walk.audio - walk.first} bytes before the first frame are not audio; they are kept")
    _duration(data, walk, frame)
    return walk


def _first_frame(data: Media, start: int, stop: int) -> tuple[int, Frame] | None:
    """Find the first frame that is followed by another one, or by the end."""
    window = data[start : min(stop, start + _SEARCHED)]
    proper = len(window) - len(window.lstrip(b"\0"))
    at = window.find(b"\xff")
    while at >= 0:
        frame = parse_frame(window[at : at + 4])
        if frame is not None:
            follows = start + at + frame.length
            alone = not frame.length or follows >= stop
            # Where the audio has to begin, there may be a single frame; elsewhere random bytes may look like one.
            if at == proper if alone else parse_frame(data[follows : follows + 4]) is not None:
                return start + at, frame
        at = window.find(b"\xff", at + 1)
    return None


def parse_frame(head: bytes) -> Frame | None:
    """Parse the header of a frame (ISO/IEC 11172-3, 2.4.2.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)  # version: 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5
    rate_index, bits = head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bits == 15:
        return None
    rate = _RATES[rate_index] >> (0 if version == 3 else 1 if version == 2 else 2)
    lower = 1 if version == 3 else 2
    samples = 384 if layer == 1 else 1152 // (lower if layer == 3 else 1)
    kbits = _KBITS[lower, layer if lower == 1 else min(layer, 2)][bits - 1] if bits else 0
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * kbits * 1000 // rate + (head[2] >> 1 & 1)) * slot if bits else 0
    mono = head[3] >> 6 == 3
    side = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[lower, mono]
    return Frame(length, samples, rate, kbits, 4 + side)


def _duration(data: Media, walk: Walk, frame: Frame) -> None:
    """Find the duration, and check that the audio is complete: from a Xing, Info or VBRI header, or by estimate."""
    raw = data[walk.audio : walk.audio + max(frame.side + 16, 54)]
    there = walk.audio_end - walk.audio
    frames = size = 0
    xing = raw[frame.side :]
    if xing[:4] in (b"Xing", b"Info"):
        flags = int.from_bytes(xing[4:8], "big")
        numbers = [int.from_bytes(xing[at : at + 4], "big") for at in (8, 12)]
        frames = numbers.pop(0) if flags & 1 else 0
        size = numbers.pop(0) if flags & 2 else 0
    elif raw[36:40] == b"VBRI":
        size, frames = int.from_bytes(raw[46:50], "big"), int.from_bytes(raw[50:54], "big")
    if size > there:
        note(walk.collector.problems, f"the file is cut off: its audio should be {size} bytes, {there} are there")
    if frames:
        walk.seconds = frames * frame.samples / frame.rate
    elif frame.kbits:
        walk.seconds = there / (frame.kbits * 125)
    if frame.length > there:
        note(walk.collector.problems, "the file is cut off: its first frame is not complete")


# Writing


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None:
        raise LabelingError("MP3 has no place for EXIF", hint="leave it out")
    walk = lay_out(data)
    home = walk.leading()
    puts: dict[int, list[tuple[int | None, bytes]]] = {}  # by the offset of the tag
    for name, new in id3_edit.new_frames(home.version if home is not None else 4, changes).items():
        old = id3_edit.replaced(walk.tags, kept, name)
        at = next((tag.at for tag in walk.tags if old is not None and tag.at <= old < tag.end), 0)
        tag = next((tag for tag in walk.tags if tag.at == at), None)
        if tag is not None and home is not None and tag.version != home.version:
            new = id3_edit.new_frames(tag.version, changes)[name]
        puts.setdefault(at, []).append((old, new))
    if home is None and 0 in puts:
        puts[0] = [*((None, each) for each in old_tags.frames(data, walk.tails)), *puts[0]]
    return splice(data, id3_edit.tag_edits(walk.tags, gone, puts))
