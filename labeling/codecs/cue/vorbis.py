"""A cue in Vorbis in OGG (Vorbis I specification, A): packets in front of the old ones, in the same stream.

They are coded with the code books of the stream's own header, so that the content's packets stay as they are, and play
as they did: a decoder remembers of the packet before only the half of a block that overlaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from labeling.codecs.cue import comments
from labeling.codecs.cue.base import CannotPut, CueOf, Ends, Placed, with_pause
from labeling.codecs.cue.vorbis_packets import Encoder
from labeling.codecs.cue.vorbis_setup import Setup
from labeling.containers import Media
from labeling.containers.base import MAX_TOTAL
from labeling.containers.edits import Edit
from labeling.containers.ogg import pages
from labeling.containers.ogg.pages import Page

MAX_PAGES = 1 << 18
"""Limit on the pages of a file: a day of them at one a second."""

MAX_CHANNELS, MAX_BLOCK = 8, 4096
"""Limits on channels and on the samples of a block, for which there is a matrix in memory."""

_PER_PAGE = 16
_HEADERS = 2  # behind the first one: comments and setup


def put(data: Media, head: Page, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into an OGG file with Vorbis, whose first page is ``head``; see :func:`labeling.codecs.cue.pcm.put`."""
    if ends.end:
        raise CannotPut("behind the sound of Vorbis nothing is put; in front of it, it can be")
    ident = data[head.body : head.end]
    if len(ident) < 30:
        raise CannotPut("its first header is cut off")
    channels, rate = ident[11], int.from_bytes(ident[12:16], "little")
    sizes = 1 << (ident[28] & 15), 1 << (ident[28] >> 4)
    if not (64 <= sizes[0] <= sizes[1] <= MAX_BLOCK and 1 <= channels <= MAX_CHANNELS):
        raise CannotPut("its first header is damaged, or its blocks are longer than any encoder makes them")
    headers, sound = _all(data, head)
    raw = b"".join(data[page.body : page.end] for page in headers)
    if len(raw) > MAX_TOTAL:
        raise CannotPut("its headers are too large")
    found = pages.packets(raw, headers)
    if len(found) != _HEADERS or not found[0].startswith(b"\3vorbis"):
        raise CannotPut("it has no comment header of Vorbis")
    setup = Setup(found[1], channels)
    first = _first_block(data, sound, setup, sizes)
    encoder = Encoder(setup, channels, sizes)
    cue = with_pause(cue_of, rate, 1)[:, 0]
    packets = list(encoder.packets(cue))
    if first < encoder.size:  # the last block is followed by a short one
        packets[-1] = (int.from_bytes(packets[-1], "little") & ~(1 << encoder.next_flag)).to_bytes(
            len(packets[-1]), "little"
        )
    half = encoder.size // 2
    shift = (len(packets) - 1) * half + encoder.size // 4 + first // 4
    edits, names = _headers(data, headers, raw, len(found[0]), shift / rate)
    number, new = sound[0].sequence, list[bytes]()
    for at in range(0, len(packets), _PER_PAGE):
        part = packets[at : at + _PER_PAGE]
        granule = (at + len(part) - 1) * half
        new.append(pages.filled(part, head.serial, number + len(new), granule))
    edits.append((sound[0].at, sound[0].at, b"".join(new)))
    for page in sound:
        granule = page.granule if page.granule == pages.NO_PACKET_ENDS else page.granule + shift
        made = pages.changed(page, data[page.body : page.end], page.flags, granule, page.sequence + len(new))
        edits.append((page.at, page.end, made))
    meant = frozenset(f"text:{name}" for name in names)
    return Placed(edits, shift / rate, 0.0, sum(map(len, packets)), "packets", meant)


def of_one_stream(data: Media, head: Page) -> Iterator[Page]:
    """Yield the pages behind the first one, of which there may be one stream only. Raises :class:`CannotPut`."""
    at = head.end
    for _ in range(MAX_PAGES):
        if at >= len(data):
            return
        page = pages.page_at(data, at)
        if page is None or page.end > len(data):
            raise CannotPut(f"there is no whole page at offset {at}")
        if page.flags & pages.BEGINS or page.serial != head.serial:
            raise CannotPut("it has more than one stream")
        yield page
        at = page.end
    if at < len(data):
        raise CannotPut(f"it has more than {MAX_PAGES} pages")


def _all(data: Media, head: Page) -> tuple[list[Page], list[Page]]:
    """Return the pages with headers behind the first one, and those with sound."""
    headers, sound, ended = list[Page](), list[Page](), 0
    for page in of_one_stream(data, head):
        if ended < _HEADERS:
            headers.append(page)
            ended += sum(length < 255 for length in page.lacing)
        else:
            sound.append(page)
    if not sound or ended != _HEADERS or not headers[-1].whole:
        raise CannotPut("it has no sound, or none of its own page")
    return headers, sound


def _first_block(data: Media, sound: list[Page], setup: Setup, sizes: tuple[int, int]) -> int:
    """Return the samples of the first block, and check that the stream begins with it."""
    page = sound[0]
    blocks = [_block(packet, setup, sizes) for packet in _starts(data, page)]
    if not blocks:
        raise CannotPut("its first packet is longer than a page")
    count = sum(one // 4 + other // 4 for one, other in pairwise(blocks))
    if page.granule != count and not (page.flags & pages.ENDS and page.granule <= count):
        raise CannotPut("it begins in the middle of a longer stream")
    return blocks[0]


def _block(first: int, setup: Setup, sizes: tuple[int, int]) -> int:
    number = first >> 1 & (1 << (len(setup.modes) - 1).bit_length()) - 1
    if first & 1 or number >= len(setup.modes):
        raise CannotPut("its first page has packets that are no sound")
    return sizes[setup.modes[number][0]]


def _starts(data: Media, page: Page) -> Iterator[int]:
    """Yield the first byte of each packet that ends on a page."""
    at = start = page.body
    for length in page.lacing:
        at += length
        if length < 255:
            if at > start:
                yield data[start : start + 1][0]
            start = at


def _headers(data: Media, headers: list[Page], raw: bytes, length: int, seconds: float) -> tuple[list[Edit], set[str]]:
    """Return the edits that move chapters in the comments; none changes a length."""
    new, names = comments.moved(raw[7:length], seconds)
    new, at, edits = raw[:7] + new + raw[length:], 0, list[Edit]()
    for page in headers:
        body = new[at : at + page.end - page.body]
        if body != data[page.body : page.end]:
            edits.append((page.at, page.end, pages.changed(page, body, page.flags, page.granule, page.sequence)))
        at += len(body)
    return edits, names
