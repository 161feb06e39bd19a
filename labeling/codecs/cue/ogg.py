"""A cue in Opus in OGG (RFC 3533, RFC 7845): packets in front of the old ones, or behind them, in the same stream.

Each packet of Opus says how it is coded, so that the content's follow the new ones as they are. Of their pages only
positions and numbers change. What players skip at the start, the pre-skip of the header, is of the new packets.

Between them, a decoder has to forget what it heard: it does so where packets change between the two codecs that Opus
is made of, SILK and CELT (RFC 6716, 4.5.2). So the last new packets are silence in the one that the content does not
begin with.

Vorbis is in :mod:`labeling.codecs.cue.vorbis`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labeling.codecs.cue import comments, vorbis
from labeling.codecs.cue.base import CannotPut, CueOf, Ends, Placed, with_pause
from labeling.codecs.cue.encoder import encoded
from labeling.containers import Media
from labeling.containers.base import MAX_TOTAL
from labeling.containers.edits import Edit
from labeling.containers.ogg import pages
from labeling.containers.ogg.pages import Page
from labeling.errors import UnreadableFile

RATE = 48_000
"""Granule positions of Opus count samples at this rate, whatever the source had (RFC 7845, 4)."""

_FRAME = 960
_CELT = 16  # configurations of packets from here on are CELT alone (RFC 6716, table 2)
_FORGETTING = 5  # packets
_PER_PAGE = 40  # packets, of up to six segments each
_DELAY = 312  # samples by which the encoder here is late
_LEAST, _MOST = 24_000, 128_000  # bits per second and channel
_SAMPLES = {**{code: (480, 960, 1920, 2880)[code & 3] for code in range(12)},
            **{code: (480, 960)[code & 1] for code in range(12, 16)},
            **{code: (120, 240, 480, 960)[code & 3] for code in range(16, 32)}}  # fmt: skip


def put(data: Media, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into an OGG file with Opus; see :func:`labeling.codecs.cue.pcm.put`."""
    begin = pages.first_page(data)
    head = pages.page_at(data, begin) if begin is not None else None
    if head is None or begin is None:
        raise UnreadableFile("it does not begin with a whole OGG page")
    ident = data[head.body : head.end]
    if not ident.startswith(b"OpusHead"):
        if ident.startswith(b"\1vorbis"):
            return vorbis.put(data, head, cue_of, ends)
        name = {b"\x7fFLAC": "FLAC in OGG", b"Speex": "Speex"}.get(ident[:5], "other sound")
        raise CannotPut(f"it is {name}, into whose stream nothing can be put without encoding all of it again")
    channels, family = ident[9], ident[18] if len(ident) > 18 else 255
    if family or channels not in (1, 2):
        raise CannotPut(f"it is Opus of {channels} channels, which cannot be encoded here in the same way")
    skip = int.from_bytes(ident[10:12], "little")
    found = _all(data, head)
    sound, last = found[0], found[-1]
    seconds = max(0.1, (last.granule - skip) / RATE)
    size, celt = last.end - sound.at, data[sound.body : sound.body + 1] >= bytes((_CELT << 3,))
    front, behind = (
        _packets(cue_of, channels, round(8 * size / seconds), skip, None if after else celt) if wanted else []
        for wanted, after in ((ends.start, False), (ends.end, True))
    )
    first, more = len(front) * _FRAME, len(behind) * _FRAME
    edits, meant = _header(data, head, first / RATE)
    number = sound.sequence
    if front:
        new = [*_paged(front, sound.serial, number, _start(data, sound))]
        edits.append((sound.at, sound.at, b"".join(new)))
        number += len(new)
    shift = number - sound.sequence
    end = _whole_end(data, found) if behind else 0
    for page in found:
        granule = end if behind and page is last else page.granule
        granule += first if granule != pages.NO_PACKET_ENDS else 0
        flags = page.flags & ~pages.ENDS if behind and page is last else page.flags
        if (granule, flags) != (page.granule, page.flags) or shift:
            new_page = pages.changed(page, data[page.body : page.end], flags, granule, page.sequence + shift)
            edits.append((page.at, page.end, new_page))
    if behind:
        # The position of the last page says what players leave out at the end, which is silence now.
        stop = last.granule + first + more
        new = [*_paged(behind, last.serial, last.sequence + shift + 1, end + first, stop)]
        edits.append((last.end, last.end, b"".join(new)))
    return Placed(edits, first / RATE, more / RATE, sum(map(len, front)), "packets", meant)


def _header(data: Media, head: Page, seconds: float) -> tuple[list[Edit], frozenset[str]]:
    """Return the edits that move chapters in the comments; none changes a length."""
    found: list[Page] = []
    at = head.end
    while (page := pages.page_at(data, at)) is not None and page.end <= len(data):
        found.append(page)
        at = page.end
        if (page.whole and page.lacing) or len(found) > vorbis.MAX_PAGES:
            break
    raw = b"".join(data[page.body : page.end] for page in found)
    if len(raw) > MAX_TOTAL or not raw.startswith(b"OpusTags"):
        raise CannotPut("there is no comment header of Opus")
    new, names = comments.moved(raw[8:], seconds)
    new, at, edits = raw[:8] + new, 0, list[Edit]()
    for page in found:
        body = new[at : at + page.end - page.body]
        if body != data[page.body : page.end]:
            made = pages.changed(page, body, page.flags, page.granule, page.sequence)
            edits.append((page.at, page.end, made))
        at += len(body)
    return edits, frozenset(f"text:{name}" for name in names)


def _whole_end(data: Media, found: list[Page]) -> int:
    """Return where the last packet ends, all of it: the position of the last page may leave out some of its samples."""
    last = found[-1]
    before = next((page.granule for page in found[-2::-1] if page.granule != pages.NO_PACKET_ENDS), None)
    if before is None or last.flags & pages.CONTINUED:
        return last.granule
    return before + sum(_samples(packet) for packet in _starts(data, last))


def _all(data: Media, head: Page) -> list[Page]:
    """Return the pages with sound, of which there may be one stream only, and nothing behind it."""
    found: list[Page] = []
    headers = 0
    for page in vorbis.of_one_stream(data, head):
        if headers < 1:
            headers += page.whole and bool(page.lacing)
        else:
            found.append(page)
    if not found or found[-1].granule == pages.NO_PACKET_ENDS:
        raise CannotPut("it has no sound, or its end is missing")
    return found


def _start(data: Media, page: Page) -> int:
    """Return the position at which the first page begins, which is not 0 where a stream was cut (RFC 7845, 4.3)."""
    if page.granule == pages.NO_PACKET_ENDS:
        raise CannotPut("its first packet is longer than a page")
    if page.flags & pages.ENDS:
        return 0
    return max(0, page.granule - sum(_samples(packet) for packet in _starts(data, page)))


def _starts(data: Media, page: Page) -> Iterator[bytes]:
    """Yield the first bytes of each packet that ends on a page."""
    at = start = page.body
    for length in page.lacing:
        at += length
        if length < 255:
            yield data[start : min(at, start + 2)]
            start = at


def _samples(packet: bytes) -> int:
    """Return how many samples at 48 kHz a packet has, by its first bytes (RFC 6716, 3.1 and 3.2)."""
    if not packet:
        return 0
    count = {0: 1, 1: 2, 2: 2}.get(packet[0] & 3)
    if count is None:
        count = packet[1] & 63 if len(packet) > 1 else 0
    return _SAMPLES[packet[0] >> 3] * count


def _packets(cue_of: CueOf, channels: int, bit_rate: int, skip: int, celt: bool | None) -> list[bytes]:
    """Encode the cue.

    Args:
        cue_of: Makes the cue.
        channels: Number of channels.
        bit_rate: Bits per second of the content.
        skip: What players skip at the start of the stream, where the cue comes first: then silence precedes it.
        celt: Whether the content behind the cue begins with CELT; ``None`` where the cue is behind the content.
    """
    cue = with_pause(cue_of, RATE, channels, behind=celt is None)
    wanted = -(-len(cue) // _FRAME)
    silence = np.zeros((10 * _FRAME, channels), np.float32)
    early = silence[:1].repeat(0 if celt is None else max(0, skip - _DELAY), axis=0)
    bit_rate = min(max(bit_rate, _LEAST * channels), _MOST * channels)
    made = _encoded(np.concatenate([early, cue, silence]), bit_rate, "audio")
    if celt is None:
        return made[: wanted + 2]
    kind, rate = ("voip", 12_000 * channels) if celt else ("lowdelay", 64_000 * channels)
    quiet = _encoded(silence, rate, kind)[:_FORGETTING]
    if any((packet[0] >> 3 >= _CELT) == celt for packet in quiet):
        raise CannotPut("the encoder here does not give silence in the other codec of Opus")
    return [*made[: wanted - _FORGETTING], *quiet]


def _encoded(samples: NDArray[np.float32], bit_rate: int, application: str) -> list[bytes]:
    options = {"application": application, "frame_duration": "20"}
    if application == "voip":
        options["cutoff"] = "8000"
    made, _ = encoded("libopus", samples, RATE, bit_rate=bit_rate, options=options)
    if any(_samples(packet) != _FRAME for packet in made):
        raise CannotPut("the encoder here does not give packets of 20 ms")
    return made


def _paged(packets: list[bytes], serial: int, sequence: int, start: int, stop: int | None = None) -> Iterator[bytes]:
    """Put packets into pages. ``stop`` is the position of the last page of the stream, if this is its end."""
    for at in range(0, len(packets), _PER_PAGE):
        part = packets[at : at + _PER_PAGE]
        granule, flags = start + (at + len(part)) * _FRAME, 0
        if stop is not None and at + _PER_PAGE >= len(packets):
            granule, flags = stop, pages.ENDS
        yield pages.filled(part, serial, sequence + at // _PER_PAGE, granule, flags)
