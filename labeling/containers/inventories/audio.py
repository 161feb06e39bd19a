"""What MP3, FLAC and OGG files hold besides their texts: pictures, chapters, cue sheets, tags of other kinds."""

from __future__ import annotations

from collections.abc import Iterator

from labeling.containers.aac import walk as walk_aac
from labeling.containers.aiff import walk as walk_aiff
from labeling.containers.base import Contents, Entry, Measure, Media, digest, digest_of_part
from labeling.containers.collector import Collector
from labeling.containers.inventories.id3 import frames
from labeling.containers.ogg import pages
from labeling.containers.syntax import id3
from labeling.containers.syntax.riff import title

_ID3V1, _APE = 128, b"APETAGEX"
_BLOCKS = {0: "stream information", 2: "application data", 3: "seek table", 5: "cue sheet", 6: "picture"}
_COMMENT, _PADDING = 4, 1
_MAX_BLOCKS = 4096
_MAX_STREAMS = 256


def mp3(data: Media, contents: Contents) -> Iterator[Entry]:
    """List what an MP3 file holds in its tags."""
    yield from _frames(data, contents, "MP3 ID3v2")
    sound = sum(length for _, length in contents.coded)
    yield Entry("samples", Measure(sound, f"{sound} bytes"), "coded sound", "MP3")
    end = len(data)
    if end >= _ID3V1 and data[end - _ID3V1 : end - _ID3V1 + 3] == b"TAG":
        yield Entry("id3v1", digest(data[end - _ID3V1 : end]), "ID3v1 tag", "MP3")
        end -= _ID3V1
    behind = max((offset + length for offset, length in contents.coded), default=end)
    if behind < end:
        yield Entry("trailer", digest_of_part(data, behind, end), "tags behind the sound (APEv2, Lyrics3)", "MP3")


def aac(data: Media, contents: Contents) -> Iterator[Entry]:
    """List what an ADTS file holds in its tags."""
    yield from _frames(data, contents, "AAC ID3v2")
    found = walk_aac(data)
    sound = found.end - found.start
    yield Entry("samples", Measure(sound, f"{sound} bytes"), "coded sound", "AAC")
    if found.end < len(data):
        yield Entry("trailer", digest_of_part(data, found.end, len(data)), "tags behind the sound", "AAC")


_TEXTS = (b"NAME", b"AUTH", b"(c) ", b"ANNO", b"AIGC", b"ID3 ", b"id3 ")


def aiff(data: Media, contents: Contents) -> Iterator[Entry]:
    """List the chunks of an AIFF file, and the frames of its ID3 tags."""
    taken = {block.offset for block in contents.blocks}
    found = walk_aiff(data)
    for chunk in found.children:
        if chunk is found.samples:  # an audible label may change samples
            sound = chunk.stop - chunk.body
            yield Entry("samples", Measure(sound, f"{sound} bytes"), "samples", "AIFF SSND")
        elif chunk.name not in _TEXTS:  # those are read as blocks
            name, value = title(chunk.name), digest_of_part(data, chunk.body, chunk.stop)
            if chunk.name == b"COMM" and found.frames:  # which the copy states
                raw = data[chunk.body : chunk.stop]
                value = digest(raw[:2] + found.frames.to_bytes(4, "big") + raw[6:])
            yield Entry(f"chunk:{name}", value, f"chunk {name}", f"AIFF chunk at offset {chunk.at}")
    for _, tag in found.tags:
        yield from frames(tag, taken, "AIFF ID3")
    end = max((chunk.end for chunk in found.children), default=found.form.end)
    if end < len(data):
        value = digest_of_part(data, end, len(data))
        yield Entry("trailer", value, f"{len(data) - end} bytes behind the last chunk", f"AIFF, offset {end}")


def _frames(data: Media, contents: Contents, where: str) -> Iterator[Entry]:
    taken = {block.offset for block in contents.blocks}
    for tag in id3.leading_tags(data, Collector(), where):
        yield from frames(tag, taken, where)


def flac(data: Media, contents: Contents) -> Iterator[Entry]:
    """List the metadata blocks of a FLAC file (RFC 9639, 8), and the ID3v2 tag in front of it."""
    yield from _frames(data, contents, "FLAC ID3v2")
    at = id3.behind_tags(data) + 4
    for _ in range(_MAX_BLOCKS):
        head = data[at : at + 4]
        if len(head) < 4:
            return
        kind, end = head[0] & 0x7F, at + 4 + int.from_bytes(head[1:], "big")
        if kind not in (_COMMENT, _PADDING):
            shown = _BLOCKS.get(kind, f"metadata block {kind}")
            yield Entry(f"block:{kind}", digest(data[at + 4 : end]), shown, f"FLAC block at offset {at}")
        if head[0] & 0x80:
            return
        at = end


def ogg(data: Media, contents: Contents) -> Iterator[Entry]:
    """List the streams that an OGG file begins with (RFC 3533), and what is in front of them."""
    at = pages.first_page(data) or 0
    yield from _frames(data, contents, "OGG ID3v2")
    if (begin := id3.behind_tags(data)) < at:
        yield Entry("front", digest_of_part(data, begin, at), f"{at - begin} bytes in front", "OGG")
    for number in range(1, _MAX_STREAMS + 1):
        page = pages.page_at(data, at)
        if page is None or not page.flags & pages.BEGINS:
            break
        body = data[page.body : min(page.end, page.body + 512)]
        name = body[:8].decode("latin-1").encode("unicode_escape").decode("ascii")
        yield Entry("stream", digest(body), f"stream {name}", f"OGG stream {number}")
        at = page.end
    if contents.seconds:
        measure = Measure(round(contents.seconds * 1000), f"{contents.seconds:.2f} s", slack=1)
        yield Entry("duration", measure, "duration", "OGG")
