"""Pages of OGG (RFC 3533): find them, check them, and distribute packets over them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from labeling.containers.base import Media
from labeling.containers.edits import Edit
from labeling.containers.syntax import id3
from labeling.errors import LabelingError

MAX_SEGMENTS = 255
MAX_PAGE = 27 + MAX_SEGMENTS + MAX_SEGMENTS * 255
MAX_RENUMBERED = 1 << 17
"""Limit on the pages that are renumbered if the headers need another page; their edits are held in memory."""

CONTINUED, BEGINS, ENDS = 1, 2, 4
NO_PACKET_ENDS = (1 << 64) - 1

_SEARCHED, _TRIED = 1 << 16, 64  # bytes in which the first page is looked for, and candidates that are checked
_HEADER = 27
_SEQUENCE, _CHECKSUM = 18, 22
_head = Struct(
    "<4sBBQIIIB"
)  # OggS, version, flags, granule position, serial number, sequence number, checksum, segments
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        at: Its offset in the file.
        flags: :data:`CONTINUED`, :data:`BEGINS` and :data:`ENDS`.
        granule: Its granule position.
        serial: Serial number of its stream.
        sequence: Its sequence number.
        lacing: The segment table: a byte for the length of each segment.
    """

    at: int
    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes

    @property
    def body(self) -> int:
        """Offset of the bytes of its packets."""
        return self.at + _HEADER + len(self.lacing)

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.body + sum(self.lacing)

    @property
    def whole(self) -> bool:
        """Whether its last packet ends on this page."""
        return not self.lacing or self.lacing[-1] < 255


def page_at(data: Media, at: int) -> Page | None:
    """Return the page at ``at``, or ``None`` if there is none. It may extend beyond the end of the file."""
    raw = data[at : at + _HEADER + MAX_SEGMENTS]
    if len(raw) < _HEADER:
        return None
    magic, version, flags, granule, serial, sequence, _, segments = _head.unpack(raw[:_HEADER])
    lacing = raw[_HEADER : _HEADER + segments]
    if magic != b"OggS" or version or len(lacing) < segments:
        return None
    return Page(at, flags, granule, serial, sequence, lacing)


def checksum(raw: bytes) -> int:
    """Return the CRC-32 of a page: polynomial 0x04C11DB7, highest bit first, initial value 0, not inverted (RFC 3533).

    The one in zlib takes the lowest bit first and inverts at both ends, so it is applied to mirrored bytes.
    """
    return _mirrored(zlib.crc32(raw.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF)


def _mirrored(value: int) -> int:
    return int.from_bytes(value.to_bytes(4, "little").translate(_MIRRORED), "big")


def is_intact(data: Media, page: Page) -> bool:
    """Return whether a page is complete and its checksum is right."""
    raw = data[page.at : page.end]
    stored = int.from_bytes(raw[_CHECKSUM : _CHECKSUM + 4], "little")
    blanked = raw[:_CHECKSUM] + bytes(4) + raw[_CHECKSUM + 4 :]
    return len(raw) == page.end - page.at and checksum(blanked) == stored


def first_page(data: Media) -> int | None:
    """Return where the pages begin: behind ID3v2 tags, or at the first intact page not far behind these."""
    start = id3.behind_tags(data)
    if page_at(data, start) is not None:
        return start
    window = data[start : start + _SEARCHED]
    at = window.find(b"OggS")
    for _ in range(_TRIED):
        if at < 0:
            break
        page = page_at(data, start + at)
        if page is not None and page.flags & BEGINS and is_intact(data, page):
            return page.at
        at = window.find(b"OggS", at + 1)
    return None


def last_page(data: Media) -> Page | None:
    """Find the last page of a file from its end. It may be cut off."""
    size = len(data)
    start = max(0, size - MAX_PAGE)
    window = data[start:]
    last = None
    at = window.rfind(b"OggS")
    while at >= 0:
        page = page_at(data, start + at)
        if page is not None and page.end == size:
            return page
        # "OggS" may occur inside a packet as well, so a page that ends with the file is preferred.
        last = last or page
        at = window.rfind(b"OggS", 0, at + 3)
    return last


# Writing


def packets(raw: bytes, pages: list[Page]) -> list[bytes]:
    """Divide the bodies of pages into packets.

    Args:
        raw: The bodies, joined.
        pages: The pages, of which the last must be whole.
    """
    found: list[bytes] = []
    start = at = 0
    for length in (length for page in pages for length in page.lacing):
        at += length
        if length < 255:
            found.append(raw[start:at])
            start = at
    return found


def laid(pages: list[Page], new: list[bytes]) -> list[bytes]:
    """Build pages with other packets.

    Their number stays the same if possible, so that later pages need not be renumbered. Additional bytes go into the
    first pages, so that the others stay as they are.

    Args:
        pages: The old pages, of which the last is whole.
        new: The new packets.
    """
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes((len(packet) % 255,)) for packet in new)
    counts = _shared_out([len(page.lacing) for page in pages], len(lacing))
    raw = b"".join(new)
    out: list[bytes] = []
    at = segment = 0
    for number, count in enumerate(counts):
        part = lacing[segment : segment + count]
        old = pages[min(number, len(pages) - 1)]
        flags = old.flags & ~(CONTINUED | ENDS)
        flags |= CONTINUED if segment and lacing[segment - 1] == 255 else 0
        last = number == len(counts) - 1
        flags |= pages[-1].flags & ENDS if last else 0
        granule = _granule(pages[-1] if last else old, part)
        body = raw[at : at + sum(part)]
        out.append(_page(flags, granule, old.serial, pages[0].sequence + number, part, body))
        at += len(body)
        segment += count
    return out


def _shared_out(counts: list[int], total: int) -> list[int]:
    """Return the number of segments of each page, ``total`` in all, if the old pages had ``counts``."""
    new = [max(1, count) for count in counts]
    for number, count in enumerate(new):
        change = max(1 - count, min(MAX_SEGMENTS - count, total - sum(new)))
        new[number] += change
    while sum(new) > total:
        new.pop()
    while (rest := total - sum(new)) > 0:
        new.append(min(rest, MAX_SEGMENTS))
    return new


def _granule(old: Page, lacing: bytes) -> int:
    """Return the granule position of a page: 0 for headers, none for a page on which no packet ends."""
    if any(length < 255 for length in lacing) == any(length < 255 for length in old.lacing):
        return old.granule
    return 0 if any(length < 255 for length in lacing) else NO_PACKET_ENDS


def _page(flags: int, granule: int, serial: int, sequence: int, lacing: bytes, body: bytes) -> bytes:
    def build(crc: int) -> bytes:
        head = _head.pack(b"OggS", 0, flags, granule, serial, sequence & 0xFFFFFFFF, crc, len(lacing))
        return head + lacing + body

    return build(checksum(build(0)))


def renumbered(data: Media, pages: Iterator[Page], shift: int) -> list[Edit]:
    """Return the edits that add ``shift`` to the sequence numbers of ``pages``.

    Packets are not read. A CRC is linear, so its new value follows from the change of the number and from how many
    bytes come behind it.

    Raises:
        LabelingError: There are more than :data:`MAX_RENUMBERED` pages.
    """
    edits: list[Edit] = []
    for page in pages:
        if len(edits) == MAX_RENUMBERED:
            raise LabelingError(
                f"the label needs one more page of headers, and more than {MAX_RENUMBERED} pages would have to be "
                "renumbered",
                hint="re-mux the file with shorter comments first",
            )
        sequence = (page.sequence + shift & 0xFFFFFFFF).to_bytes(4, "little")
        change = bytes(a ^ b for a, b in zip(sequence, page.sequence.to_bytes(4, "little"), strict=True))
        behind = page.end - page.at - _CHECKSUM
        crc = zlib.crc32(change.translate(_MIRRORED) + bytes(behind), 0xFFFFFFFF) ^ 0xFFFFFFFF
        at = page.at + _CHECKSUM
        new = int.from_bytes(data[at : at + 4], "little") ^ _mirrored(crc)
        edits.append((page.at + _SEQUENCE, at + 4, sequence + new.to_bytes(4, "little")))
    return edits


def filled(packets: list[bytes], serial: int, sequence: int, granule: int, flags: int = 0) -> bytes:
    """Return one page with whole packets.

    Raises:
        LabelingError: They do not fit.
    """
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes((len(packet) % 255,)) for packet in packets)
    if len(lacing) > MAX_SEGMENTS:
        raise LabelingError("the packets do not fit one OGG page", hint="please report this file")
    return _page(flags, granule, serial, sequence, lacing, b"".join(packets))


def changed(page: Page, body: bytes, flags: int, granule: int, sequence: int) -> bytes:
    """Return a page with another body of the same length, other flags, another position and another number."""
    return _page(flags, granule, page.serial, sequence, page.lacing, body)
