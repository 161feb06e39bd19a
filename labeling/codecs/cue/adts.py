"""A cue in raw AAC (ADTS; ISO/IEC 13818-7, 6.2): frames in front of the old ones, or behind them."""

from __future__ import annotations

from labeling.codecs.cue import aac, id3_times
from labeling.codecs.cue.base import CannotPut, CueOf, Ends, Placed
from labeling.containers import Media
from labeling.containers import aac as container
from labeling.errors import UnreadableFile

_HEADER = 7
_LC = 1
_PART = 1 << 20


def put(data: Media, cue_of: CueOf, ends: Ends) -> Placed:
    """Put a cue into an ADTS file; see :func:`labeling.codecs.cue.pcm.put`."""
    found = container.walk(data)
    if found.collector.problems:
        raise UnreadableFile(found.collector.problems[0])
    head = data[found.start : found.start + _HEADER]
    if head[2] >> 6 != _LC:
        raise CannotPut("it is AAC of another profile than LC, which alone can be encoded here")
    config = aac.checked(aac.RATES[head[2] >> 2 & 15], (head[2] & 1) << 2 | head[3] >> 6)
    aac.refuse_spectral_band_replication(data, "aac", config)
    end, count = _end(data, found.start, found.end, head, cut=not ends.end)
    bit_rate = round((end - found.start) * 8 / (count * aac.FRAME / config.rate))
    new = [
        aac.packets(cue_of, config, bit_rate, behind=behind) if wanted else []
        for wanted, behind in ((ends.start, False), (ends.end, True))
    ]
    front, behind = (len(each) * aac.FRAME / config.rate for each in new)
    edits = [
        (at, at, b"".join(_framed(packet, head) for packet in each))
        for at, each in ((found.start, new[0]), (end, new[1])) if each
    ]  # fmt: skip
    times, meant, lost = id3_times.moved(found.tags, front, front + behind, "AAC ID3v2")
    skip = sum(_HEADER + len(packet) for packet in new[0])
    return Placed([*edits, *times], front, behind, skip, "packets", meant, lost)


def _framed(packet: bytes, like: bytes) -> bytes:
    """Put the header of a frame before a packet: like the content's, without a checksum, one block."""
    length = _HEADER + len(packet)
    if length >= 1 << 13:
        raise CannotPut("a packet of the cue is too long for ADTS")
    return bytes((
        0xFF, like[1] | 1, like[2], like[3] & 0xF0 | length >> 11, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC,
    )) + packet  # fmt: skip


def _end(data: Media, at: int, stop: int, head: bytes, *, cut: bool) -> tuple[int, int]:
    """Walk over the whole frames; return where they end, and how many blocks they have. The last may be cut off."""
    part, begin, blocks, rest = b"", at, 0, False
    while at + _HEADER <= stop:
        if at + _HEADER > begin + len(part):
            begin, part = at, data[at : min(at + _PART, stop)]
        each = part[at - begin : at - begin + _HEADER]
        length = (each[3] & 3) << 11 | each[4] << 3 | each[5] >> 5
        if not container.is_frame(each) or at + length > stop:
            rest = cut and container.is_frame(each) and each[2:3] == head[2:3]
            break
        if (each[2], each[3] & 0xC0) != (head[2], head[3] & 0xC0):
            raise CannotPut("its rate or its channels change on the way")
        blocks += 1 + (each[6] & 3)
        at += length
    if not rest and any(data[at : min(stop, at + _PART)]):
        raise CannotPut(f"its frames are not in one run: something else is at offset {at}")
    return at, blocks
