"""Film grain of an AV1 picture: its parameters are the end of the frame header (AV1 specification, 5.9.30).

Decoders add the grain after decoding. A picture that is encoded again is decoded without it, and gets the same
parameters, bit for bit. All fields between the quantiser and them (5.9.12 to 5.9.24) are parsed to find them.
"""

from __future__ import annotations

from labeling.codecs.heif import av1_headers as av1
from labeling.codecs.heif.av1_headers import Obu, Sequence
from labeling.codecs.video.bits import BitReader
from labeling.errors import UnreadableFile

_MAX_HEADER = 4096
_FEATURES = ((8, 1), (6, 1), (6, 1), (6, 1), (6, 1), (3, 0), (0, 0), (0, 0))
"""Bits of the features of a segment, and of their signs (5.9.14)."""


def grain_of(obus: list[Obu]) -> str:
    """Return film_grain_params of a picture's frame as a string of 0 and 1; empty if no grain is added.

    Raises:
        UnreadableFile: The header cannot be parsed.
    """
    for sequence, obu in _frames(obus):
        r = _before_grain(sequence, obu.body[:_MAX_HEADER])
        start = r.at
        if not sequence.grain or not r.flag():
            return ""
        _skip_grain(r, sequence)
        return _text(obu.body[:_MAX_HEADER], start, r.at)
    return ""


def with_grain(obus: list[Obu], grain: str) -> list[Obu]:
    """Return a picture that has no film grain with these parameters.

    Raises:
        UnreadableFile: Its header cannot be parsed, or is not in one OBU with the frame.
    """
    made = []
    done = False
    sequence = None
    for obu in obus:
        if obu.type == av1.SEQUENCE:
            sequence = av1.read_sequence(obu.body)
            if sequence.grain:
                raise UnreadableFile("the picture has film grain already")
            body = bytearray(obu.body)
            body[sequence.grain_at // 8] |= 0x80 >> sequence.grain_at % 8
            obu = obu._replace(body=bytes(body))
        elif obu.type == av1.FRAME and sequence is not None and not done:
            end = _before_grain(sequence, obu.body[:_MAX_HEADER]).at
            header = _text(obu.body[:_MAX_HEADER], 0, end) + grain
            header += "0" * (-len(header) % 8)
            obu = obu._replace(body=int(header, 2).to_bytes(len(header) // 8, "big") + obu.body[-(-end // 8) :])
            done = True
        elif obu.type == av1.FRAME_HEADER:
            raise UnreadableFile("the picture has its header in an OBU of its own")
        made.append(obu)
    if not done:
        raise UnreadableFile("the picture has no frame")
    return made


def _frames(obus: list[Obu]) -> list[tuple[Sequence, Obu]]:
    sequence, found = None, []
    for obu in obus:
        if obu.type == av1.SEQUENCE:
            sequence = av1.read_sequence(obu.body)
        elif obu.type in (av1.FRAME, av1.FRAME_HEADER) and sequence is not None:
            found.append((sequence, obu))
    return found


def _text(data: bytes, start: int, end: int) -> str:
    return format(int.from_bytes(data, "big"), f"0{8 * len(data)}b")[start:end]


def _before_grain(sequence: Sequence, header: bytes) -> BitReader:
    """Read the header of a key frame up to film_grain_params."""
    r, copies, scaled = av1.key_frame(sequence, header)
    chroma = not sequence.mono
    index = r.u(8)
    plain = not _deltas(r, sequence)
    highest = _segments(r, index)
    adapts = index > 0 and r.flag()
    if adapts:
        r.u(2)
        if not copies and r.flag():
            r.u(3)
    lossless = plain and highest == 0
    if not (lossless or copies):
        _loop_filter(r, chroma=chroma)
        if sequence.cdef:
            r.u(2)
            for _ in range(1 << r.u(2)):
                r.u(12 if chroma else 6)
    if sequence.restoration and not copies and not (lossless and not scaled):
        _restoration(r, sequence)
    if not lossless:
        r.flag()  # tx_mode_select
    r.flag()  # reduced_tx_set
    return r


def _deltas(r: BitReader, sequence: Sequence) -> bool:
    """Read the rest of quantization_params (5.9.12); return whether any quantiser differs from base_q_idx."""
    found = [_delta(r)]
    if not sequence.mono:
        apart = sequence.separate_uv and r.flag()
        found += [_delta(r) for _ in range(4 if apart else 2)]
    if r.flag():
        r.u(8)
        if sequence.separate_uv:
            r.u(4)
    return any(found)


def _delta(r: BitReader) -> int:
    return r.u(7) if r.flag() else 0


def _segments(r: BitReader, index: int) -> int:
    """Read segmentation_params (5.9.14) of a frame that refers to no other; return the highest quantiser."""
    if not r.flag():
        return index
    highest = 0
    for _ in range(8):
        own = index
        for number, (bits, sign) in enumerate(_FEATURES):
            if r.flag():
                value = r.u(bits + sign)
                if number == 0:
                    own = max(0, min(255, index + value - (value >> 8 << 9)))
        highest = max(highest, own)
    return highest


def _loop_filter(r: BitReader, *, chroma: bool) -> None:
    """Read loop_filter_params (5.9.11)."""
    levels = r.u(12)
    if chroma and levels:
        r.u(12)
    r.u(3)
    if r.flag() and r.flag():
        for _ in range(10):
            _delta(r)


def _restoration(r: BitReader, sequence: Sequence) -> None:
    """Read lr_params (5.9.20)."""
    kinds = [r.u(2) for _ in range(1 if sequence.mono else 3)]
    if not any(kinds):
        return
    if r.flag() and not sequence.large_blocks:
        r.flag()
    if sequence.subsampling == (1, 1) and any(kinds[1:]):
        r.flag()


def _skip_grain(r: BitReader, sequence: Sequence) -> None:
    """Read film_grain_params (5.9.30) behind apply_grain, of a key frame."""
    r.u(16)
    luma = r.u(4)
    _points(r, luma)
    from_luma = not sequence.mono and r.flag()
    blue = red = 0
    if not (sequence.mono or from_luma or (sequence.subsampling == (1, 1) and not luma)):
        blue = r.u(4)
        _points(r, blue)
        red = r.u(4)
        _points(r, red)
    r.u(2)
    lag = r.u(2)
    positions = 2 * lag * (lag + 1)
    if luma:
        _points(r, positions, 8)
        positions += 1
    for used in (blue, red):
        if from_luma or used:
            _points(r, positions, 8)
    r.u(2 + 2)
    for used in (blue, red):
        if used:
            r.u(8 + 8 + 9)
    r.u(2)


def _points(r: BitReader, count: int, bits: int = 16) -> None:
    for _ in range(count):
        r.u(bits)
