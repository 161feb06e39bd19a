"""The headers of an AV1 picture (AV1 specification, 5.5 and 5.9): read its quantiser, rewrite its colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from labeling.codecs.video.bits import BitReader
from labeling.errors import UnreadableFile

SEQUENCE, TEMPORAL_DELIMITER, FRAME_HEADER, FRAME, PADDING = 1, 2, 3, 6, 15
_SELECT = 2
_MAX_OBUS = 1 << 12
_SRGB = (1, 13, 0)
"""Primaries, transfer and matrix with which the range and the subsampling are not stored."""


class Obu(NamedTuple):
    """One open bitstream unit: its type, its header without has_size_field, and its content."""

    type: int
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence header says.

    Attributes:
        body: The content of the OBU.
        profile: seq_profile.
        level: seq_level_idx of the first operating point.
        tier: seq_tier, likewise.
        reduced: Whether it is the reduced header of a still picture.
        depth: Bits of a sample.
        mono: Whether there is luma only.
        subsampling: subsampling_x and subsampling_y.
        position: chroma_sample_position.
        colour: Primaries, transfer, matrix and whether the range is full.
        position_at: Where in the header the position is, in bits.
        colour_at: Where in the header that is, in bits.
        size_bits: Bits of the width and the height of a frame, and both.
        id_bits: Bits of a frame's id.
        screen: seq_force_screen_content_tools and seq_force_integer_mv.
        order_bits: Bits of order_hint.
        superres: Whether frames may be scaled.
        large_blocks: Whether superblocks have 128 × 128 samples.
        models: Whether there is a decoder model.
        cdef: Whether frames may use the constrained directional enhancement filter.
        restoration: Whether frames may use loop restoration.
        separate_uv: Whether U and V may have quantisers of their own.
        grain_at: Where in the header film_grain_params_present is, in bits; it is the last one.
    """

    body: bytes
    profile: int
    level: int
    tier: int
    reduced: bool
    depth: int
    mono: bool
    subsampling: tuple[int, int]
    position: int
    colour: tuple[int, int, int, bool]
    position_at: int
    colour_at: tuple[int, int]
    size_bits: tuple[int, int, int, int]
    id_bits: int
    screen: tuple[int, int]
    order_bits: int
    superres: bool
    large_blocks: bool
    models: bool
    cdef: bool
    restoration: bool
    separate_uv: bool
    grain_at: int

    @property
    def grain(self) -> bool:
        """film_grain_params_present: whether frames say how film grain is to be added."""
        return bool(self.body[self.grain_at // 8] >> 7 - self.grain_at % 8 & 1)


def split(data: bytes) -> Iterator[Obu]:
    """Yield the OBUs of a picture.

    Raises:
        UnreadableFile: They do not fit into it.
    """
    at = count = 0
    while at < len(data):
        first = data[at]
        start = at + (2 if first & 4 else 1)
        size = len(data) - start
        if first & 2:
            size = 0
            for index in range(8):
                if start >= len(data):
                    raise UnreadableFile("an AV1 picture is cut off")
                byte = data[start]
                start += 1
                size |= (byte & 127) << 7 * index
                if not byte & 128:
                    break
        count += 1
        if start + size > len(data) or count > _MAX_OBUS:
            raise UnreadableFile("an AV1 picture is cut off")
        head = bytes((first & 0xFD,)) + data[at + 1 : at + 2] if first & 4 else bytes((first & 0xFD,))
        yield Obu(first >> 3 & 15, head, data[start : start + size])
        at = start + size


def join(obus: list[Obu]) -> bytes:
    """Return OBUs as the bytes of a picture, each with its size."""
    parts = []
    for obu in obus:
        size, coded = len(obu.body), bytearray()
        while size > 127:
            coded.append(size & 127 | 128)
            size >>= 7
        coded.append(size)
        parts += [bytes((obu.head[0] | 2,)), obu.head[1:], bytes(coded), obu.body]
    return b"".join(parts)


def read_sequence(body: bytes) -> Sequence:
    """Parse a sequence header (5.5.1).

    Raises:
        UnreadableFile: It is cut off.
    """
    r = BitReader(body)
    profile, _, reduced = r.u(3), r.u(1), r.flag()
    level = tier = 0
    models = False
    if reduced:
        level = r.u(5)
    else:
        level, tier, models = _operating_points(r)
    width_bits, height_bits = r.u(4) + 1, r.u(4) + 1
    width, height = r.u(width_bits) + 1, r.u(height_bits) + 1
    ids = 0
    if not reduced and r.flag():
        delta = r.u(4) + 2
        ids = r.u(3) + delta + 1
    large = r.flag()
    r.u(2)
    screen = motion = _SELECT
    order_bits = 0
    if not reduced:
        r.u(4)
        ordered = r.flag()
        if ordered:
            r.u(2)
        screen = _SELECT if r.flag() else r.u(1)
        if screen:
            motion = _SELECT if r.flag() else r.u(1)
        if ordered:
            order_bits = r.u(3) + 1
    superres, cdef, restoration = r.flag(), r.flag(), r.flag()
    depth, mono, subsampling, position, colour, place = _colour(r, profile)
    position_at = r.at - 2
    separate = not mono and r.flag()
    grain_at = r.at
    r.u(1)
    return Sequence(
        body, profile, level, tier, reduced, depth, mono, subsampling, position, colour, position_at, place,
        (width_bits, height_bits, width, height), ids, (screen, motion), order_bits, superres, large, models,
        cdef, restoration, separate, grain_at,
    )  # fmt: skip


def _operating_points(r: BitReader) -> tuple[int, int, bool]:
    models, delay_bits, timing = False, 0, r.flag()
    if timing:
        r.u(64)
        if r.flag():
            r.ue()
        models = r.flag()
        if models:
            delay_bits = r.u(5) + 1
            r.u(32 + 5 + 5)
    delays = r.flag()
    found: list[tuple[int, int]] = []
    for _ in range(r.u(5) + 1):
        r.u(12)
        level = r.u(5)
        tier = r.u(1) if level > 7 else 0
        if models and r.flag():
            r.u(2 * delay_bits + 1)
        if delays and r.flag():
            r.u(4)
        found.append((level, tier))
    return found[0][0], found[0][1], models


def _colour(
    r: BitReader, profile: int
) -> tuple[int, bool, tuple[int, int], int, tuple[int, int, int, bool], tuple[int, int]]:
    """Read color_config (5.5.2)."""
    high = r.flag()
    depth = (12 if r.flag() else 10) if profile == 2 and high else 10 if high else 8
    mono = profile != 1 and r.flag()
    start = r.at
    codes = (r.u(8), r.u(8), r.u(8)) if r.flag() else (2, 2, 2)
    position = 0
    if mono:
        return depth, True, (1, 1), 0, (*codes, r.flag()), (start, r.at)
    if codes == _SRGB:
        return depth, False, (0, 0), 0, (*codes, True), (start, r.at)
    full = r.flag()
    end = r.at
    subsampling = (1, 1) if profile == 0 else (0, 0) if profile == 1 else (1, 0)
    if profile == 2 and depth == 12:
        across = r.u(1)
        subsampling = (across, r.u(1) if across else 0)
    if subsampling == (1, 1):
        position = r.u(2)
    return depth, False, subsampling, position, (*codes, full), (start, end)


def recoloured(sequence: Sequence, colour: tuple[int, int, int, bool], position: int) -> bytes:
    """Return the content of a sequence header with another description of the same samples.

    Args:
        sequence: The header.
        colour: Primaries, transfer, matrix and whether the range is full.
        position: chroma_sample_position, which only 4:2:0 has.
    """
    bits = format(int.from_bytes(sequence.body, "big"), f"0{8 * len(sequence.body)}b")
    start, end = sequence.colour_at
    codes, full = colour[:3], colour[3]
    was_bare, is_bare = sequence.colour[:3] == _SRGB, codes == _SRGB
    if not sequence.mono and was_bare != is_bare and sequence.profile == 2:
        is_bare = True  # the subsampling would have to be stored as well
        codes = sequence.colour[:3]
    new = "1" + "".join(format(code, "08b") for code in codes)
    if sequence.mono or not is_bare:
        new += str(int(full))
    if not sequence.mono and sequence.subsampling == (1, 1):
        new, end = new + bits[end : sequence.position_at] + format(position, "02b"), sequence.position_at + 2
    body = (bits[:start] + new + bits[end:]).rstrip("0")  # ends with the trailing bit 1
    body += "0" * (-len(body) % 8)
    return int(body, 2).to_bytes(len(body) // 8, "big")


def configuration(sequence: Sequence) -> bytes:
    """Return the content of an av1C box (AV1 in ISO-BMFF, 2.3.3), without OBUs: they are in the picture."""
    flags = sequence.tier << 7 | (sequence.depth > 8) << 6 | (sequence.depth == 12) << 5 | sequence.mono << 4
    flags |= sequence.subsampling[0] << 3 | sequence.subsampling[1] << 2 | sequence.position
    return bytes((0x81, sequence.profile << 5 | sequence.level, flags, 0))


def quantiser(sequence: Sequence, header: bytes) -> int:
    """Return base_q_idx of the frame header of a key frame (5.9.2); 0 is lossless if nothing is added to it.

    Raises:
        UnreadableFile: It is cut off, or no key frame.
    """
    return key_frame(sequence, header).bits.u(8)


class KeyFrame(NamedTuple):
    """The header of a key frame, read up to its quantiser.

    Attributes:
        bits: Reads on from there.
        copies: allow_intrabc.
        scaled: Whether the frame is coded narrower than it is shown.
    """

    bits: BitReader
    copies: bool
    scaled: bool


def key_frame(sequence: Sequence, header: bytes) -> KeyFrame:
    """Read the header of a key frame up to base_q_idx (5.9.2).

    Raises:
        UnreadableFile: It is cut off, or no key frame.
    """
    r = BitReader(header)
    if sequence.models or (not sequence.reduced and (r.flag() or r.u(2) or not r.flag())):
        raise UnreadableFile("the AV1 picture does not begin with a key frame that is shown")
    no_update = r.flag()
    screen = r.flag() if sequence.screen[0] == _SELECT else bool(sequence.screen[0])
    if screen and sequence.screen[1] == _SELECT:
        r.flag()
    r.u(sequence.id_bits)
    override = not sequence.reduced and r.flag()
    r.u(sequence.order_bits)
    width_bits, height_bits, width, height = sequence.size_bits
    if override:
        width, height = r.u(width_bits) + 1, r.u(height_bits) + 1
    full_width = width
    if sequence.superres and r.flag():
        denominator = r.u(3) + 9
        width = (width * 8 + denominator // 2) // denominator
    if r.flag():
        r.u(32)
    copies = screen and full_width == width and r.flag()
    if not (sequence.reduced or no_update):
        r.flag()
    _skip_tiles(r, width, height, large=sequence.large_blocks)
    return KeyFrame(r, copies, full_width != width)


def _skip_tiles(r: BitReader, width: int, height: int, *, large: bool) -> None:
    """Read tile_info (5.9.15)."""
    shift = 5 if large else 4
    columns = (2 * (width + 7 >> 3) + (1 << shift) - 1) >> shift
    rows = (2 * (height + 7 >> 3) + (1 << shift) - 1) >> shift
    size_log2 = shift + 2
    widest, largest = 4096 >> size_log2, 4096 * 2304 >> 2 * size_log2
    low_columns, high_columns = _log2(widest, columns), _log2(1, min(columns, 64))
    high_rows = _log2(1, min(rows, 64))
    low = max(low_columns, _log2(largest, rows * columns))
    if r.flag():
        columns_log2 = low_columns
        while columns_log2 < high_columns and r.flag():
            columns_log2 += 1
        rows_log2 = max(low - columns_log2, 0)
        while rows_log2 < high_rows and r.flag():
            rows_log2 += 1
    else:
        widest_tile, at, count = 1, 0, 0
        while at < columns:
            size = _non_symmetric(r, min(columns - at, widest)) + 1
            widest_tile, at, count = max(widest_tile, size), at + size, count + 1
        columns_log2 = _log2(1, count)
        area = rows * columns >> low + 1 if low else rows * columns
        highest, at, count = max(area // widest_tile, 1), 0, 0
        while at < rows:
            at, count = at + _non_symmetric(r, min(rows - at, highest)) + 1, count + 1
        rows_log2 = _log2(1, count)
    if columns_log2 or rows_log2:
        r.u(columns_log2 + rows_log2 + 2)


def _log2(block: int, target: int) -> int:
    k = 0
    while block << k < target:
        k += 1
    return k


def _non_symmetric(r: BitReader, count: int) -> int:
    """Read ns(n) (4.10.7)."""
    width = count.bit_length()
    low = (1 << width) - count
    value = r.u(width - 1)
    return value if value < low else (value << 1) - low + r.u(1)
