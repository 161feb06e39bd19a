"""Pages of OGG (RFC 3533): finding them, checking them, and laying packets over them anew."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from labeling.containers.base import Media
from labeling.containers.edits import Edit
from labeling.errors import LabelingError

MAX_SEGMENTS = 255
MAX_PAGE = 27 + MAX_SEGMENTS + MAX_SEGMENTS * 255
MAX_RENUMBERED = 1 << 17
"""So many pages are numbered anew where the headers need another page; their edits are held in memory."""

CONTINUED, BEGINS, ENDS = 1, 2, 4
NO_PACKET_ENDS = (1 << 64) - 1

_HEADER = 27
_SEQUENCE, _CHECKSUM = 18, 22
_head = Struct(
    "<4sBBQIIIB"
)  # OggS, version, flags, granule position, serial number, sequence number, checksum, segments
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Page:
    """One page at ``at``; its packets' bytes, as long as ``lacing`` says, are from ``body`` to ``end``."""

    at: int
    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes

    @property
    def body(self) -> int:
        return self.at + _HEADER + len(self.lacing)

    @property
    def end(self) -> int:
        return self.body + sum(self.lacing)

    @property
    def whole(self) -> bool:
        """Whether its last packet ends on it."""
        return not self.lacing or self.lacing[-1] < 255


def page_at(data: Media, at: int) -> Page | None:
    """The page whose header is at ``at``; ``None`` if there is none. Its end may be behind the end of the file."""
    raw = data[at : at + _HEADER + MAX_SEGMENTS]
    if len(raw) < _HEADER:
        return None
    magic, version, flags, granule, serial, sequence, _, segments = _head.unpack(raw[:_HEADER])
    lacing = raw[_HEADER : _HEADER + segments]
    if magic != b"OggS" or version or len(lacing) < segments:
        return None
    return Page(at, flags, granule, serial, sequence, lacing)


def checksum(raw: bytes) -> int:
    """CRC-32 of the polynomial 0x04C11DB7 as RFC 3533 has it: highest bit first, from 0, nothing inverted.

    zlib's takes the lowest bit first and inverts at both ends, so its table is used on mirrored bytes.
    """
    return _mirrored(zlib.crc32(raw.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF)


def _mirrored(value: int) -> int:
    return int.from_bytes(value.to_bytes(4, "little").translate(_MIRRORED), "big")


def is_sound(data: Media, page: Page) -> bool:
    """Whether all of a page is there and its checksum is right."""
    raw = data[page.at : page.end]
    stored = int.from_bytes(raw[_CHECKSUM : _CHECKSUM + 4], "little")
    blanked = raw[:_CHECKSUM] + bytes(4) + raw[_CHECKSUM + 4 :]
    return len(raw) == page.end - page.at and checksum(blanked) == stored


def last_page(data: Media) -> Page | None:
    """The last page of a file, looked for from its end; one that is cut off is given as it is."""
    size = len(data)
    start = max(0, size - MAX_PAGE)
    window = data[start:]
    last = None
    at = window.rfind(b"OggS")
    while at >= 0:
        page = page_at(data, start + at)
        if page is not None and page.end == size:
            return page
        # "OggS" may stand in a packet as well: a page that ends where the file does is believed first.
        last = last or page
        at = window.rfind(b"OggS", 0, at + 3)
    return last


# Writing


def packets(raw: bytes, pages: list[Page]) -> list[bytes]:
    """Cut ``raw``, the bodies of ``pages`` in a row, into packets. The last page must be whole."""
    found: list[bytes] = []
    start = at = 0
    for length in (length for page in pages for length in page.lacing):
        at += length
        if length < 255:
            found.append(raw[start:at])
            start = at
    return found


def laid(pages: list[Page], new: list[bytes]) -> list[bytes]:
    """Pages that hold the packets ``new`` instead of what ``pages``, the last of them whole, held.

    As many as before if they can be: then no later page is to be numbered anew. What is added goes into the first
    pages, so that later ones stay as they are.
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
    """How many segments each page holds, of ``total``, when pages held ``counts``."""
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
    """A page's granule position: headers have 0, and a page on which no packet ends has none."""
    if any(length < 255 for length in lacing) == any(length < 255 for length in old.lacing):
        return old.granule
    return 0 if any(length < 255 for length in lacing) else NO_PACKET_ENDS


def _page(flags: int, granule: int, serial: int, sequence: int, lacing: bytes, body: bytes) -> bytes:
    def build(crc: int) -> bytes:
        head = _head.pack(b"OggS", 0, flags, granule, serial, sequence & 0xFFFFFFFF, crc, len(lacing))
        return head + lacing + body

    return build(checksum(build(0)))


def renumbered(data: Media, pages: Iterator[Page], shift: int) -> list[Edit]:
    """Edits that add ``shift`` to the sequence numbers of ``pages``.

    Their packets are not read: a CRC is linear, so that what the number's change does to it follows from the change
    and the length of what comes behind it. Raises :class:`LabelingError` beyond :data:`MAX_RENUMBERED` pages.
    """
    edits: list[Edit] = []
    for page in pages:
        if len(edits) == MAX_RENUMBERED:
            raise LabelingError(
                f"the label needs one more page of headers, and more than {MAX_RENUMBERED} pages would have to be "
                "numbered anew; re-mux the file with shorter comments first"
            )
        sequence = (page.sequence + shift & 0xFFFFFFFF).to_bytes(4, "little")
        change = bytes(a ^ b for a, b in zip(sequence, page.sequence.to_bytes(4, "little"), strict=True))
        behind = page.end - page.at - _CHECKSUM
        crc = zlib.crc32(change.translate(_MIRRORED) + bytes(behind), 0xFFFFFFFF) ^ 0xFFFFFFFF
        at = page.at + _CHECKSUM
        new = int.from_bytes(data[at : at + 4], "little") ^ _mirrored(crc)
        edits.append((page.at + _SEQUENCE, at + 4, sequence + new.to_bytes(4, "little")))
    return edits
