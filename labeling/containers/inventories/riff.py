"""What WebP, AVI and WAV files hold: chunks, and the properties that their headers state."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, unpack_from

from labeling.containers.base import Buffer, Contents, Entry, Kind, Measure, Media, digest, digest_of_part
from labeling.containers.collector import Collector
from labeling.containers.inventories.id3 import frames
from labeling.containers.syntax.riff import Chunk, chunks, title
from labeling.containers.wav import walk

MAX_CHUNKS = 1 << 18
"""Limit on the chunks of a WebP file."""

_head = Struct("<4sI")
_ALPHA, _LOSSLESS_ALPHA = 0x10, 0x10


def webp(data: Buffer, contents: Contents) -> Iterator[Entry]:
    """List what a WebP file holds (RFC 9649)."""
    view, blocks = memoryview(data), {block.offset for block in contents.blocks}
    stop = min(8 + int.from_bytes(view[4:8], "little"), len(view))
    codings: set[bytes] = set()
    frames = duration = 0
    pos = 12
    alpha = False
    for _ in range(MAX_CHUNKS):
        if pos + 8 > stop:
            break
        name, length = _head.unpack_from(view, pos)
        body, end = pos + 8, min(pos + 8 + length + (length & 1), len(view))
        if name == b"ANMF" and length >= 24:
            frames += 1
            duration += int.from_bytes(view[body + 12 : body + 15], "little")
            inner = body + 16
            while inner + 8 <= end:
                kind, size = _head.unpack_from(view, inner)
                codings.add(kind)
                alpha = alpha or _is_clear(view, kind, inner)
                inner += 8 + size + (size & 1)
        elif name == b"ANIM" and end - body >= 6:
            yield Entry("loop-count", str(unpack_from("<H", view, body + 4)[0]), "number of loops", "WebP ANIM chunk")
            yield Entry("background", bytes(view[body : body + 4]), "background colour", "WebP ANIM chunk")
        elif name in (b"VP8 ", b"VP8L", b"ALPH"):
            codings.add(name)
            alpha = alpha or _is_clear(view, name, pos)
        elif name != b"VP8X" and pos not in blocks:
            shown = title(name)
            value = digest_of_part(data, body, min(body + length, end))
            yield Entry(f"chunk:{shown}", value, f"chunk {shown}", f"WebP chunk at offset {pos}")
        pos = end
    yield Entry("size", f"{contents.width}×{contents.height}", "size", "WebP header")
    if frames:
        yield Entry("frames", str(frames), "number of frames", "WebP ANMF chunks")
        yield Entry("duration", f"{duration} ms", "duration of the animation", "WebP ANMF chunks")
    if alpha:
        yield Entry("alpha", b"", "alpha channel", "WebP")
    if codings & {b"VP8 ", b"VP8L"} == {b"VP8L"}:
        yield Entry("coding", "lossless", "lossless coding", "WebP VP8L")
    yield from _trailer(data, max(pos, stop), "WebP")


def _is_clear(view: memoryview, kind: bytes, pos: int) -> bool:
    """Return whether a chunk holds transparency: ALPH, or the bit alpha_is_used of VP8L (RFC 9649, 3.4)."""
    return kind == b"ALPH" or (kind == b"VP8L" and pos + 13 <= len(view) and bool(view[pos + 12] & _LOSSLESS_ALPHA))


def _trailer(data: Media | Buffer, end: int, what: str) -> Iterator[Entry]:
    if end < len(data):
        value = digest_of_part(data, end, len(data))
        yield Entry("trailer", value, f"{len(data) - end} bytes behind the end", f"{what}, offset {end}")


_STRUCTURE = {
    b"JUNK",
    b"junk",
    b"PAD ",
    b"fllr",
    b"FLLR",
    b"idx1",
    b"data",
    b"ds64",
    b"fmt ",
    b"fact",
    b"RIFF",
    b"AIGC",
}
_strh = Struct("<4s4sIHHIIII")
_STREAMS = {b"vids": "video", b"auds": "audio", b"txts": "subtitle", b"mids": "MIDI"}
_IN_STREAM = {b"strh", b"strf", b"indx", b"JUNK", b"vprp"}
_MAX_HEADERS = 4 << 20


def avi(data: Media, contents: Contents) -> Iterator[Entry]:
    """List what an AVI file holds (OpenDML AVI File Format Extensions 1.02)."""
    blocks = {block.offset for block in contents.blocks}
    size, ignored = len(data), Collector()
    first = min(8 + int.from_bytes(data[4:8], "little"), size)
    for chunk in chunks(data, 12, first, ignored):
        if chunk.form == b"hdrl" and chunk.length <= _MAX_HEADERS:
            yield from _avi_headers(data, chunk, blocks)
        elif not (chunk.at in blocks or chunk.name in _STRUCTURE or chunk.form in (b"movi", b"INFO") or _index(chunk)):
            yield _chunk(data, chunk, "AVI")
    at = first + (first & 1)
    while at + 12 <= size and data[at : at + 4] == b"RIFF":
        at = min(at + 8 + int.from_bytes(data[at + 4 : at + 8], "little"), size)
        at += at & 1
    yield from _trailer(data, at, "AVI")


def _index(chunk: Chunk) -> bool:
    return chunk.name[:2] == b"ix"


def _chunk(data: Media, chunk: Chunk, what: str) -> Entry:
    name = title(chunk.form or chunk.name)
    value = digest_of_part(data, chunk.body, chunk.stop)
    return Entry(f"chunk:{name}", value, f"chunk {name}", f"{what} chunk at offset {chunk.at}")


def _avi_headers(data: Media, hdrl: Chunk, blocks: set[int]) -> Iterator[Entry]:
    numbers: dict[str, int] = {}
    ignored = Collector()
    for chunk in chunks(data, hdrl.body, hdrl.stop, ignored):
        if chunk.form == b"strl":
            yield from _avi_stream(data, chunks(data, chunk.body, chunk.stop, ignored), numbers, blocks)
        elif chunk.form not in (b"odml", b"INFO") and chunk.name not in (b"avih", b"JUNK") and chunk.at not in blocks:
            yield _chunk(data, chunk, "AVI hdrl")


def _avi_stream(data: Media, inside: list[Chunk], numbers: dict[str, int], blocks: set[int]) -> Iterator[Entry]:
    head = next((chunk for chunk in inside if chunk.name == b"strh" and chunk.stop - chunk.body >= _strh.size), None)
    if head is None:
        return
    kind, _, flags, _, language, _, scale, rate, _ = _strh.unpack(data[head.body : head.body + _strh.size])
    length = int.from_bytes(data[head.body + 32 : head.body + 36], "little")
    shown = _STREAMS.get(kind, title(kind))
    numbers[shown] = number = numbers.get(shown, 0) + 1
    key, where = f"track:{shown}:{number}", f"AVI stream {sum(numbers.values())}"
    yield Entry(key, b"", f"{shown} track {number}", where)
    if language:
        yield Entry(f"{key}:language", str(language), f"language of {shown} track {number}", where)
    if flags & 1:
        yield Entry(f"{key}:disabled", b"", f"flag that {shown} track {number} is off", where)
    if kind == b"vids":
        yield Entry(f"{key}:frames", Measure(length, str(length)), f"frames of {shown} track {number}", where)
        if scale and rate:
            yield Entry(f"{key}:rate", f"{round(rate / scale, 3):g}", f"frame rate of {shown} track {number}", where)
    for chunk in inside:
        if chunk.name == b"strf" and kind == b"vids" and chunk.stop - chunk.body >= 20:
            name = data[chunk.body + 16 : chunk.body + 20]
            codec = title(name).upper() if any(name[1:]) else f"Windows bitmaps, kind {name[0]}"
            yield Entry(f"{key}:codec", codec, f"codec of {shown} track {number}", where)
        elif chunk.name == b"strf" and kind == b"auds":
            body = data[chunk.body : min(chunk.stop, chunk.body + 16)]
            yield Entry(f"{key}:format", digest(body), f"format of {shown} track {number}", where)
        elif chunk.name == b"vprp" and chunk.stop - chunk.body >= 24:
            y, x = unpack_from("<HH", data[chunk.body + 20 : chunk.body + 24])
            yield Entry(f"{key}:aspect", f"{x}:{y}", f"shape of the picture of {shown} track {number}", where)
        elif chunk.name not in _IN_STREAM and chunk.at not in blocks:
            yield _chunk(data, chunk, where)


def wav(data: Media, contents: Contents) -> Iterator[Entry]:
    """List what a WAV file holds (RF64 and BW64 too)."""
    ours = {block.offset for block in contents.blocks if block.kind in (Kind.C2PA, Kind.XMP)}
    found = walk(data)
    for chunk in found.children:
        if chunk.name == b"fmt ":
            body = data[chunk.body : min(chunk.stop, chunk.body + 64)]
            yield Entry("format", digest(body), "format of the samples", "WAV fmt chunk")
        elif chunk.name.lower() == b"id3 " or chunk.form == b"INFO" or chunk.at in ours or chunk.name in _STRUCTURE:
            continue  # read as blocks
        else:
            yield _chunk(data, chunk, "WAV")
    for _, tag in found.tags:
        yield from frames(tag, {block.offset for block in contents.blocks}, "WAV ID3")
    sound = sum(size for _, size in contents.coded)
    yield Entry("samples", Measure(sound, f"{sound} bytes"), "samples", "WAV data chunk")
    end = max((chunk.end for chunk in found.children), default=len(data))
    if end < found.riff.end:
        value = digest_of_part(data, end, found.riff.end)
        yield Entry("stray", value, f"{found.riff.end - end} bytes that are not a chunk", f"WAV, offset {end}")
    yield from _trailer(data, found.riff.end, "WAV")
