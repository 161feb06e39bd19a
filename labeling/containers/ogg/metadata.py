"""OGG (RFC 3533) with Vorbis, Opus, FLAC, Speex, Theora or VP8: a label is a comment in a stream's comment header.

Streams may be multiplexed and chained; all comment headers are read. Pages of audio and video are walked by their
headers, and not even that if the last page shows that no further link of the chain follows. An ID3v2 tag in front,
which taggers for MP3 write and FFmpeg reads, is read too, and stays; so do bytes of any other kind in front.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling.containers.base import MAX_TOTAL, Block, Buffer, Changes, Contents, Media, Piece
from labeling.containers.collector import Collector, note
from labeling.containers.edits import Edit, pick, splice
from labeling.containers.ogg import pages
from labeling.containers.ogg.pages import Page
from labeling.containers.syntax import id3, id3_edit, vorbis_comment
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes

MAX_PAGES = 1 << 20
"""Limit on the pages of a file that are walked, if it is chained: 4 GB of pages of the usual size."""

MAX_STREAMS = 256
"""Limit on the streams of all links of the chain together, those of an unknown codec included."""

_WHERE = "OGG {} comment"
_FLAC_LENGTH = slice(1, 4)


class _Codec(NamedTuple):
    """How a codec stores comments.

    Attributes:
        name: Its name.
        magic: The first bytes of a stream's first packet.
        prefix: What precedes the comments in the second packet.
        video: Whether it is a video codec.
    """

    name: str
    magic: bytes
    prefix: bytes
    video: bool = False


_CODECS = (
    _Codec("Vorbis", b"\1vorbis", b"\3vorbis"),
    _Codec("Opus", b"OpusHead", b"OpusTags"),
    _Codec("FLAC", b"\x7fFLAC", b""),
    _Codec("Speex", b"Speex   ", b""),
    _Codec("Theora", b"\x80theora", b"\x81theora", True),
    _Codec("VP8", b"OVP80\1", b"OVP80\2 ", True),
)


@dataclass(slots=True)
class _Stream:
    """One stream.

    Attributes:
        codec: Its codec.
        ident: Its first packet.
        pages: The pages from its comment header on, up to the first one that ends with the end of a packet.
        ready: Whether ``pages`` is complete.
        granule: Its last granule position.
    """

    codec: _Codec
    ident: bytes
    pages: list[Page] = field(default_factory=list)
    ready: bool = False
    granule: int = 0

    @property
    def skip(self) -> int:
        """Number of bytes before the comments in the comment packet."""
        return 4 if self.codec.name == "FLAC" else len(self.codec.prefix)

    def place(self, at: int) -> int:
        """Return the offset in the file of the byte ``at`` of the comments."""
        at += self.skip
        for page in self.pages:
            if at < page.end - page.body:
                return page.body + at
            at -= page.end - page.body
        return self.pages[-1].end

    def bodies(self, data: Media) -> bytes:
        return b"".join(data[page.body : page.end] for page in self.pages)


@dataclass(slots=True)
class _Walk:
    collector: Collector = field(default_factory=Collector)
    tags: list[id3.Tag] = field(default_factory=list)
    streams: list[_Stream] = field(default_factory=list)
    coded: list[tuple[int, int]] = field(default_factory=list)
    seconds: float = 0.0
    walked: int = 0
    begun: int = 0
    indexed: bool = False


def read(data: Media) -> Contents:
    """Find the metadata of an OGG file; see :mod:`labeling.containers.base`."""
    walk = _walk(data)
    videos = [stream for stream in walk.streams if stream.codec.video]
    media_type, size = ("video/ogg", _size(videos[0])) if videos else ("audio/ogg", (0, 0))
    return walk.collector.contents("ogg", media_type, walk.coded, size, seconds=walk.seconds)


def looks_like(data: Buffer | FileBytes) -> bool:
    """Return whether pages follow bytes of no known kind, and reach to the end of the file: players find them.

    Only then is it OGG: a program with sounds in it is none.
    """
    media = data if isinstance(data, bytes | FileBytes) else bytes(data)
    begin = pages.first_page(media)
    page = pages.page_at(media, begin) if begin is not None else None
    for _ in range(MAX_PAGES):
        if page is None or page.end >= len(media):
            break
        page = pages.page_at(media, page.end)
    return page is not None and page.end == len(media)


def _walk(data: Media) -> _Walk:
    walk = _Walk()
    collector = walk.collector
    last = pages.last_page(data)
    at = pages.first_page(data)
    if at is None or last is None:
        collector.problems.append("it does not begin with a whole OGG page")
        return walk
    walk.tags = id3.leading_tags(data, collector, "ID3v2 tag before the OGG pages,")
    if walk.tags:
        note(collector.warnings, "an ID3 tag precedes the first page, and stays; some programs do not read such a file")
    if behind := at - id3.behind_tags(data):
        note(
            collector.warnings,
            f"{behind} bytes precede the first page and are kept; some programs do not read such a file",
        )
    rest = data[last.end : last.end + 4]
    if last.end > len(data) or (rest and b"OggS".startswith(rest)):
        collector.problems.append("the file is cut off in its last page")
    elif rest:
        collector.warnings.append(f"{len(data) - last.end} bytes follow the last page; they are kept")
    elif not last.flags & pages.ENDS:
        collector.warnings.append("its last page is not marked as the end: it may be cut off")
    while at is not None and not collector.problems:
        at = _link(data, at, last, walk)
    if not walk.streams and not collector.problems:
        collector.problems.append("it has no stream of a kind that is known (Vorbis, Opus, FLAC, Speex, Theora, VP8)")
    return walk


def _link(data: Media, start: int, last: Page, walk: _Walk) -> int | None:
    """Read one link of the chain from ``start`` on, and return where the next one begins, if there is one."""
    streams: dict[int, _Stream | None] = {}
    at = start
    while (page := _next(data, at, walk)) is not None and page.flags & pages.BEGINS:
        walk.begun += 1
        if walk.begun > MAX_STREAMS:
            note(walk.collector.problems, f"more than {MAX_STREAMS} streams")
        if walk.collector.problems:
            return None
        streams[page.serial] = _begun(data, page, walk)
        at = page.end
    known = [stream for stream in streams.values() if stream is not None]
    total = 0
    while not walk.collector.problems and not all(stream.ready for stream in known):
        page = _next(data, at, walk)
        total += page.end - page.at if page is not None else 0
        if page is None or page.flags & pages.BEGINS or total > MAX_TOTAL:
            note(walk.collector.problems, f"the comment header of a stream is not found before offset {at}")
            break
        if (stream := streams.get(page.serial)) is not None and not stream.ready:
            _header_page(data, page, stream, walk)
        at = page.end
    if walk.collector.problems:
        return None
    for stream in known:
        comments = pages.packets(stream.bodies(data), stream.pages)[0][stream.skip :]
        vorbis_comment.take(comments, _WHERE.format(stream.codec.name), stream.place, walk.collector)
    end, following = last.end, None
    if last.serial in streams:
        _ended(streams, last)
    else:
        following = _pages_until_next(data, at, streams, last, walk)
        end = following if following is not None else end
    walk.coded.append((at, max(0, end - at)))
    walk.seconds += max((_seconds(stream) for stream in known), default=0.0)
    return following


def _next(data: Media, at: int, walk: _Walk) -> Page | None:
    """Return the page at ``at``. If there is none, add a problem and return ``None``."""
    walk.walked += 1
    page = pages.page_at(data, at)
    if page is None or page.end > len(data):
        note(walk.collector.problems, f"there is no whole page at offset {at}")
        return None
    if walk.walked > MAX_PAGES:
        note(walk.collector.problems, f"more than {MAX_PAGES} pages")
        return None
    return page


def _begun(data: Media, page: Page, walk: _Walk) -> _Stream | None:
    """Return the stream that begins with a page, if its codec is known."""
    if not pages.is_intact(data, page):
        note(walk.collector.problems, f"the page at offset {page.at} is damaged")
    ident = data[page.body : page.end]
    # Skeleton 4 stores offsets of other pages; earlier versions do not.
    walk.indexed |= ident[:8] == b"fishead\0" and int.from_bytes(ident[8:10], "little") >= 4
    codec = next((codec for codec in _CODECS if ident.startswith(codec.magic)), None)
    if codec is None:
        return None
    stream = _Stream(codec, ident)
    walk.streams.append(stream)
    return stream


def _header_page(data: Media, page: Page, stream: _Stream, walk: _Walk) -> None:
    """Add a page to a stream whose comment header is not complete yet."""
    if not pages.is_intact(data, page):
        note(walk.collector.problems, f"the page at offset {page.at} is damaged")
        return
    if not stream.pages:
        first = data[page.body : page.body + 8]
        if not first.startswith(stream.codec.prefix) or (
            stream.codec.name == "FLAC" and first[:1] and first[0] & 127 != 4
        ):
            note(walk.collector.problems, f"there is no comment header of {stream.codec.name} at offset {page.at}")
            return
    stream.pages.append(page)
    stream.ready = page.whole and bool(page.lacing)


def _ended(streams: dict[int, _Stream | None], page: Page) -> None:
    if (stream := streams.get(page.serial)) is not None and page.granule != pages.NO_PACKET_ENDS:
        stream.granule = max(stream.granule, page.granule)


def _pages_until_next(data: Media, at: int, streams: dict[int, _Stream | None], last: Page, walk: _Walk) -> int | None:
    """Walk the pages of a link, and return where the next one begins."""
    while at < last.end:
        page = _next(data, at, walk)
        if page is None:
            return None
        if page.flags & pages.BEGINS:
            return at
        _ended(streams, page)
        at = page.end
    return None


def _size(stream: _Stream) -> tuple[int, int]:
    """Return width and height of the picture (Theora specification, 6.2; On2 VP8 in Ogg)."""
    ident = stream.ident
    if stream.codec.name == "Theora":
        return int.from_bytes(ident[14:17], "big"), int.from_bytes(ident[17:20], "big")
    return int.from_bytes(ident[8:10], "big"), int.from_bytes(ident[10:12], "big")


def _seconds(stream: _Stream) -> float:
    """Return the duration of a stream from its last granule position, which each codec counts in its own way."""
    ident, granule = stream.ident.ljust(64, b"\0"), stream.granule
    match stream.codec.name:
        case "Vorbis":
            over, under = granule, int.from_bytes(ident[12:16], "little")
        case "Opus":
            over, under = max(0, granule - int.from_bytes(ident[10:12], "little")), 48000
        case "FLAC":
            over, under = granule, int.from_bytes(ident[27:30], "big") >> 4
        case "Speex":
            over, under = granule, int.from_bytes(ident[36:40], "little")
        case "Theora":
            shift = (ident[40] & 3) << 3 | ident[41] >> 5
            frames = (granule >> shift) + (granule & (1 << shift) - 1)
            over, under = frames * int.from_bytes(ident[26:30], "big"), int.from_bytes(ident[22:26], "big")
        case _:
            over, under = (granule >> 32) * int.from_bytes(ident[22:26], "big"), int.from_bytes(ident[18:22], "big")
    return over / under if under else 0.0


# Writing


def rewrite(data: Media, contents: Contents, changes: Changes) -> list[Piece]:
    """Return the pieces of a copy with ``changes`` made; see :mod:`labeling.containers.base`."""
    gone, kept = pick(contents.blocks, changes)
    if changes.exif is not None or changes.xmp is not None:
        raise LabelingError("OGG has no place for EXIF or an XMP packet", hint="leave it out")
    walk = _walk(data)
    home, old = _home(walk, kept, changes)
    edits: list[Edit] = []
    for stream in walk.streams:
        comments = _comments(data, stream)
        here = {entry.at for entry in comments.entries if stream.place(entry.at) in gone}
        put = None
        if changes.text_field is not None and stream is home:
            at = next((entry.at for entry in comments.entries if stream.place(entry.at) == old), None)
            put = (at, *changes.text_field)
        if put is not None or here:
            edits += _laid(data, stream, vorbis_comment.build(vorbis_comment.changed(comments, here, put)))
    growth = sum(len(new) - (end - start) for start, end, new in edits)
    if walk.indexed and growth:
        raise LabelingError(
            "the OGG has a Skeleton 4 index, which a label would make wrong",
            hint="re-mux it first (ffmpeg -i … -c copy)",
        )
    return splice(data, id3_edit.tag_edits(walk.tags, gone) + edits)


def _comments(data: Media, stream: _Stream) -> vorbis_comment.Comments:
    return vorbis_comment.parse(pages.packets(stream.bodies(data), stream.pages)[0][stream.skip :])


def _home(walk: _Walk, kept: list[Block], changes: Changes) -> tuple[_Stream, int | None]:
    """Return the stream for a new comment, and the offset of the comment that it replaces, if there is one."""
    old = next((b for b in kept if changes.text_field is not None and b.keyword == changes.text_field[0]), None)
    for stream in walk.streams:
        if old is not None and any(page.body <= old.offset < page.end for page in stream.pages):
            return stream, old.offset
    return walk.streams[0], None


def _laid(data: Media, stream: _Stream, comments: bytes) -> list[Edit]:
    """Return the edits that replace the comment header of a stream."""
    packets = pages.packets(stream.bodies(data), stream.pages)
    prefix = bytearray(packets[0][: stream.skip])
    if stream.codec.name == "FLAC":  # the packet is a metadata block, whose header has its size
        if len(comments) >= 1 << 24:
            raise LabelingError("the comments would be too large for a FLAC metadata block", hint="shorten them")
        prefix[_FLAC_LENGTH] = len(comments).to_bytes(3, "big")
    new = pages.laid(stream.pages, [bytes(prefix) + comments, *packets[1:]])
    old = stream.pages
    parts = [*new[: len(old) - 1], b"".join(new[len(old) - 1 :])]
    edits: list[Edit] = [(page.at, page.end, part) for page, part in zip(old, parts, strict=False)]
    edits += [(page.at, page.end, b"") for page in old[len(parts) :]]
    if shift := len(new) - len(old):
        edits += pages.renumbered(data, _later(data, old[-1]), shift)
    return edits


def _later(data: Media, after: Page) -> Iterator[Page]:
    """Yield the pages of the same stream behind ``after``, up to the next link of the chain.

    Raises:
        LabelingError: There is something other than pages before that.
    """
    last = pages.last_page(data)
    end = last.end if last is not None else len(data)
    at = after.end
    for _ in range(MAX_PAGES):
        page = pages.page_at(data, at) if at < end else None
        if page is None or page.flags & pages.BEGINS:
            break
        if page.serial == after.serial:
            yield page
        at = page.end
    if at < end and (page is None or not page.flags & pages.BEGINS):
        raise LabelingError(f"the OGG has no intact page at offset {at}, or too many pages", hint="re-mux it first")
