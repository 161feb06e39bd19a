"""Parameter sets of H.264: the facts of a sequence parameter set that new pictures must share.

ITU-T H.264 7.3.2.1 and Annex E; ISO/IEC 14496-15 5.3.3.1 for the decoder configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

from labeling.codecs.video.bits import (
    BitReader,
    damaged,
    escape,
    from_bits,
    is_annex_b,
    join_nals,
    split_start_codes,
    unescape,
)

SPS, PPS = 7, 8
_LOSSLESS = 244  # High 4:4:4 Predictive
_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class Sps:
    """A sequence parameter set.

    Attributes:
        id: seq_parameter_set_id.
        profile: profile_idc.
        constraints: The constraint flags, as a byte.
        level: level_idc.
        chroma: chroma_format_idc.
        depth: Bits of luma and of chroma samples.
        refs: max_num_ref_frames.
        size: (width, height) in macroblocks.
        frames_only: frame_mbs_only_flag.
        crop: Left, right, top and bottom, in crop units.
        chroma_at: chroma_sample_loc_type_top_field; -1 if the VUI does not have it.
        timing_at: Where timing_info_present_flag is, in bits; -1 if there is no VUI.
        timing: The timing information as bits, the flag included; "0" if there is none.
        exact: qpprime_y_zero_transform_bypass_flag: pictures of the lowest quantiser are coded without loss.
        exact_at: Where that flag is, in bits; -1 if the profile does not have it.
    """

    id: int
    profile: int
    constraints: int
    level: int
    chroma: int
    depth: tuple[int, int]
    refs: int
    size: tuple[int, int]
    frames_only: bool
    crop: tuple[int, int, int, int]
    chroma_at: int = -1
    timing_at: int = -1
    timing: str = "0"
    exact: bool = False
    exact_at: int = -1


@dataclass(frozen=True, slots=True)
class Sets:
    """The content of a decoder configuration.

    Attributes:
        sps: Sequence parameter sets, as NAL units.
        pps: Picture parameter sets, as NAL units.
        length: Bytes of the length before each NAL unit; 0 for start codes (Annex B).
        tail: What follows the PPS in avcC: chroma format and depths, for the high profiles.
    """

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    length: int
    tail: bytes = b""


def read_sets(extradata: bytes) -> Sets:
    """Read avcC or a byte stream.

    Raises:
        UnreadableFile: It is damaged.
    """
    if is_annex_b(extradata):
        nals = split_start_codes(extradata)
        return Sets(
            tuple(nal for nal in nals if nal[0] & 31 == SPS), tuple(nal for nal in nals if nal[0] & 31 == PPS), 0
        )
    if len(extradata) < 7 or extradata[0] != 1:
        raise damaged("it has no decoder configuration")
    at = 6
    found: list[tuple[bytes, ...]] = []
    count = extradata[5] & 31
    for kind in (SPS, PPS):
        nals = []
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            nal = extradata[at + 2 : at + 2 + length]
            if len(nal) < max(length, 2):
                raise damaged("its decoder configuration is cut short")
            nals.append(nal)
            at += 2 + length
        found.append(tuple(nals))
        if kind == SPS:
            count = extradata[at] if at < len(extradata) else 0
            at += 1
    return Sets(found[0], found[1], (extradata[4] & 3) + 1, extradata[at:])


def write_sets(sets: Sets, head: bytes) -> bytes:
    """Return avcC with the first four bytes ``head`` (version, profile, compatibility, level), or a byte stream.

    Raises:
        UnreadableFile: There are too many sets.
    """
    if not sets.length:
        return join_nals([*sets.sps, *sets.pps], 0)
    if len(sets.sps) > 31 or len(sets.pps) > 255:
        raise damaged("it has more parameter sets than a decoder configuration can hold")
    parts = [head, bytes([0xFC | (sets.length - 1), 0xE0 | len(sets.sps)])]
    for nal in sets.sps:
        parts += [len(nal).to_bytes(2, "big"), nal]
    parts.append(bytes([len(sets.pps)]))
    for nal in sets.pps:
        parts += [len(nal).to_bytes(2, "big"), nal]
    return b"".join([*parts, sets.tail])


def pps_ids(nal: bytes) -> tuple[int, int]:
    """Return the id of a PPS and that of its SPS."""
    reader = BitReader(unescape(nal)[1:])
    return reader.ue(), reader.ue()


def read_sps(nal: bytes) -> Sps:
    """Read an SPS.

    Raises:
        UnreadableFile: It is damaged.
    """
    r = BitReader(unescape(nal)[1:])
    profile, constraints, level = r.u(8), r.u(8), r.u(8)
    own = r.ue()
    chroma, depth, exact, exact_at = 1, (8, 8), False, -1
    if profile in _CHROMA_PROFILES:
        chroma = r.ue()
        if chroma == 3:
            r.flag()
        depth = (8 + r.ue(), 8 + r.ue())
        exact_at, exact = r.at, r.flag()
        if r.flag():
            for index in range(12 if chroma == 3 else 8):
                if r.flag():
                    _skip_list(r, 16 if index < 6 else 64)
    r.ue()
    order = r.ue()
    if order == 0:
        r.ue()
    elif order == 1:
        r.flag()
        r.se()
        r.se()
        cycle = r.ue()
        if cycle > 255:
            raise damaged("its parameter set is not valid")
        for _ in range(cycle):
            r.se()
    refs = r.ue()
    r.flag()
    size = (r.ue() + 1, r.ue() + 1)
    frames_only = r.flag()
    if not frames_only:
        r.flag()
        size = (size[0], size[1] * 2)
    r.flag()
    crop = (r.ue(), r.ue(), r.ue(), r.ue()) if r.flag() else (0, 0, 0, 0)
    vui = _vui(r) if r.flag() else (-1, -1, "0")
    return Sps(own, profile, constraints, level, chroma, depth, refs, size, frames_only, crop, *vui, exact, exact_at)


def with_timing(nal: bytes, timing: str) -> bytes:
    """Return an SPS with other timing information: what :attr:`Sps.timing` is of another one.

    An encoder only knows a mean rate. Whoever reads it in a stream of a variable rate would drop or double pictures.
    """
    sps = read_sps(nal)
    if sps.timing_at < 0 or sps.timing == timing:
        return nal
    reader = BitReader(unescape(nal)[1:])
    before = "".join(format(reader.u(1), "b") for _ in range(sps.timing_at))
    reader.u(len(sps.timing))
    return nal[:1] + escape(from_bits(before + timing + reader.rest()))


def with_bypass(nal: bytes) -> bytes:
    """Return an SPS with qpprime_y_zero_transform_bypass_flag set, which High 4:4:4 Predictive alone has (A.2.7).

    FFmpeg's decoder chooses its tables for lossless pictures by the first SPS of a stream, and keeps them when another
    one comes into force. Pictures that were encoded with a quantiser above 0 are the same with the flag.
    """
    sps = read_sps(nal)
    if sps.exact:
        return nal
    if sps.exact_at < 0:
        raise damaged("a parameter set has no place for lossless coding")
    bits = BitReader(unescape(nal)[1:]).rest()
    bits = f"{_LOSSLESS:08b}{0:08b}{bits[16 : sps.exact_at]}1{bits[sps.exact_at + 1 :]}"
    return nal[:1] + escape(from_bits(bits))


def _skip_list(r: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + r.se()) % 256
        last = following or last


def _vui(r: BitReader) -> tuple[int, int, str]:
    """Read a VUI up to its timing information (Annex E.1.1).

    Returns:
        The location of chroma samples in the top field (-1 if it is not there), and where the timing information is,
        and what it is.
    """
    if r.flag() and r.u(8) == 255:
        r.u(32)
    if r.flag():
        r.flag()
    if r.flag():
        r.u(4)
        if r.flag():
            r.u(24)
    chroma = -1
    if r.flag():
        chroma = r.ue()
        r.ue()
    at = r.at
    return chroma, at, "1" + format(r.u(65), "065b") if r.flag() else "0"
