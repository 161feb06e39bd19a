"""HEVC: as in H.264, a new part has parameter sets of its own, whose ids are changed after encoding.

x265 gives its sets the id 0. A slice header begins with the id of its PPS (ITU-T H.265 7.3.6.1), and 0 is coded in one
bit. An id from 15 to 30 takes nine bits: everything behind it moves by exactly one byte, and the rest of the slice need
not be parsed.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labeling.codecs.video.base import NO_VISIBLE, Encoding, Join, Stream, coding
from labeling.codecs.video.bits import (
    BitReader,
    code_ue,
    damaged,
    escape,
    from_bits,
    is_annex_b,
    join_nals,
    leading_nals,
    sei_types,
    split_lengths,
    split_start_codes,
    unescape,
)
from labeling.errors import LabelingError

if TYPE_CHECKING:
    import av

VPS, SPS, PPS, _AUD, _SEI, _SEI_AFTER = 32, 33, 34, 35, 39, 40
_BLA, _IDR, _CRA = range(16, 19), (19, 20), 21
_DOLBY_VISION = (62, 63)
_CARRIED = frozenset({4, 5, 45, 47, 137, 144, 147})
PPS_IDS = tuple(number for number in range(30, 14, -1) if (number + 1) % 4)
"""Ids whose code ends in bits that keep the byte behind it from being 0, so that no emulation prevention is needed."""
_IN_BAND = frozenset({"hev1", "hev2"})
_REFS = {"ultrafast": 1, "superfast": 1, "veryfast": 2, "faster": 2, "fast": 3, "medium": 3}


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of the parameter sets of a new part."""

    vps: int
    sps: int
    pps: int


class Hevc:
    """See :class:`labeling.codecs.video.base.Codec`."""

    copies = False
    ordered = False
    lenient = False

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.length, self.sets = read_sets(stream.extradata) if stream.extradata else (0, {})
        self._in_band = not self.length or stream.tag in _IN_BAND or stream.in_band
        self._now: dict[tuple[int, int], bytes] = {}  # kind and id → the parameter set in force
        for nal in (nal for kind in (VPS, SPS, PPS) for nal in self.sets.get(kind, ())):
            with contextlib.suppress(LabelingError):
                self._now[nal[0] >> 1 & 63, _set_id(nal)] = nal
        self._first = dict(self._now)
        self.exact = bool(self.sets.get(PPS)) and all(map(_bypasses, self.sets[PPS]))
        self._ids: Ids | None = None
        self._own: list[bytes] = []

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`."""
        if not (self.sets.get(SPS) and self.sets.get(PPS) and self.sets.get(VPS)):
            return "its HEVC parameter sets are in the packets only"
        if self.stream.tag.startswith("dv") and not self.stream.base_layer:
            return "it is Dolby Vision, which cannot be encoded here"
        if _facts(self.sets[SPS][0])[0] not in (1, 2, 3, 4):  # Main, Main 10, Main Still Picture, range extensions
            return "HEVC of its profile cannot be encoded here"
        if self._free() is None:
            return "it uses every HEVC parameter set id"
        return ""

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`. A CRA or BLA picture is not clean: its leading pictures may refer back."""
        for nal in self._split(data):
            kind = nal[0] >> 1 & 63
            if kind in _IDR:
                return Join.CLEAN
            if kind == _CRA or kind in _BLA:
                return Join.OPEN
            if kind < 32:
                break
        return Join.NONE

    def note(self, data: bytes) -> None:
        """See :class:`Codec`."""
        for nal in self._split(data):
            kind = nal[0] >> 1 & 63
            if kind < 32:
                break
            if kind in (VPS, SPS, PPS):
                with contextlib.suppress(LabelingError):
                    self._now[kind, _set_id(nal)] = nal

    @property
    def configured(self) -> tuple[bytes, ...]:
        """The parameter sets of its configuration."""
        return tuple(nal for kind in (VPS, SPS, PPS) for nal in self.sets.get(kind, ()))

    def sets_in(self, head: bytes) -> tuple[bytes, ...]:
        """See :class:`Codec`."""
        found = (nal for nal in leading_nals(head, self.length) if len(nal) > 2)
        return tuple(nal for nal in found if nal[0] >> 1 & 63 in (VPS, SPS, PPS))

    def configuration(self) -> bytes:
        """See :class:`Codec`."""
        sets: dict[int, list[bytes]] = {}
        for (kind, _), nal in sorted(self._now.items()):
            sets.setdefault(kind, []).append(nal)
        if not self.length:
            return join_nals([nal for group in sets.values() for nal in group], 0)
        head = configuration_head(sets[SPS][0], self.length) if SPS in sets else self.stream.extradata[:22]
        return write_sets(head, sets)

    def hidden(self, data: bytes) -> bool:
        """See :class:`Codec`."""
        return False

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        from av.codec.context import Flags

        _, preset, crf, _ = coding(self.stream, encoding.settings)
        context.flags |= Flags.global_header
        params = {"open-gop": "0", "info": "0", "repeat-headers": "0", "log-level": "none", "bframes": "0"}
        refs = _REFS.get(preset, 4)
        if not self.refusal():
            # The level is set afterwards: x265 would limit the bit rate to that of a level it is given.
            refs = max(1, min(refs, _facts(self.sets[SPS][0])[2] - 1))
        if encoding.depth and refs >= 2:
            params |= {"bframes": "3", "b-pyramid": "1" if encoding.depth >= 2 else "0"}
        params |= {"ref": str(refs), "keyint": "1" if encoding.intra else "300"}
        quality = {"crf": str(crf)}
        if self.exact and not encoding.settings.crf:
            params, quality = params | {"lossless": "1"}, {}
        return {
            "preset": preset,
            **quality,
            "forced-idr": "1",
            "a53cc": "0",
            "udu_sei": "0",
            "x265-params": ":".join(f"{name}={value}" for name, value in params.items()),
        }

    def extradata(self, context: av.VideoCodecContext) -> bytes:
        """See :class:`Codec`."""
        self._ids = None if self.refusal() else self._free()
        nals = split_start_codes(context.extradata or b"")
        by_kind = {kind: [nal for nal in nals if nal[0] >> 1 & 63 == kind] for kind in (VPS, SPS, PPS)}
        if not all(by_kind.values()):
            raise LabelingError("the HEVC encoder returned no parameter sets", hint="please report this")
        if self._ids is not None:
            general = unescape(self.sets[SPS][0])[3:15]
            by_kind = {kind: [_adapted(nal, self._ids, general) for nal in group] for kind, group in by_kind.items()}
        self._own = [nal for group in by_kind.values() for nal in group]
        if not self.length:
            return join_nals(self._own, 0)
        return write_sets(configuration_head(by_kind[SPS][0], self.length), by_kind)

    def carried(self, data: bytes) -> list[bytes]:
        """See :class:`Codec`. Return the SEI messages before the picture."""
        kept = []
        for nal in self._split(data):
            kind = nal[0] >> 1 & 63
            if kind in _DOLBY_VISION and not self.stream.base_layer:
                raise LabelingError("it is Dolby Vision, which cannot be encoded here", hint=NO_VISIBLE)
            if kind < 32 and (nal[0] & 1 or nal[1] >> 3):  # nuh_layer_id
                raise LabelingError(
                    "its HEVC video has a second layer (transparency or stereo), which cannot be encoded here",
                    hint=NO_VISIBLE,
                )
            if kind == _SEI and (types := sei_types(nal, 2)) and _CARRIED.issuperset(types):
                kept.append(nal)
        return kept

    def pack(self, data: bytes, carried: list[bytes], key: bool) -> bytes:
        """See :class:`Codec`."""
        nals = [self._slice(nal) if nal[0] >> 1 & 63 < 32 else nal for nal in split_start_codes(data)]
        nals = [nal for nal in nals if nal[0] >> 1 & 63 not in (VPS, SPS, PPS)]
        at = next((index for index, nal in enumerate(nals) if nal[0] >> 1 & 63 < 32), 0)
        nals[at:at] = carried
        if key and self._in_band:
            at = 1 if nals and nals[0][0] >> 1 & 63 == _AUD else 0
            nals[at:at] = self._own
        return join_nals(nals, self.length)

    def joined(self, new: bytes) -> bytes:
        """See :class:`Codec`."""
        _, added = read_sets(new)
        kinds = sorted(self.sets.keys() | added.keys())
        both = {kind: [*self.sets.get(kind, ()), *added.get(kind, ())] for kind in kinds}
        if not self.length:
            return join_nals([nal for group in both.values() for nal in group], 0)
        return write_sets(self.stream.extradata[:22], both)

    def reentry(self, data: bytes) -> bytes:
        """See :class:`Codec`. Sets that are in band may have been in a packet that was replaced."""
        nals = self._split(data)
        again = {key: nal for key, nal in self._now.items() if self._in_band or self._first.get(key) != nal}
        for nal in nals:
            if nal[0] >> 1 & 63 in (VPS, SPS, PPS):
                with contextlib.suppress(LabelingError):
                    again.pop((nal[0] >> 1 & 63, _set_id(nal)), None)
        if not again:
            return data
        at = 1 if nals and nals[0][0] >> 1 & 63 == _AUD else 0
        nals[at:at] = [again[key] for key in sorted(again)]
        return join_nals(nals, self.length)

    def _split(self, data: bytes) -> list[bytes]:
        nals = split_lengths(data, self.length) if self.length else split_start_codes(data)
        return [nal for nal in nals if len(nal) > 2]

    def _slice(self, nal: bytes) -> bytes:
        """Change the PPS id of a slice from 0 to ours: the bit 1 becomes nine bits, so one byte becomes two."""
        if self._ids is None:
            return nal
        at = 2 if 16 <= nal[0] >> 1 & 63 <= 23 else 1  # flags before the id
        head, rest = nal[2] >> (8 - at), nal[2] & ((1 << (7 - at)) - 1)
        if not nal[2] >> (7 - at) & 1:
            raise LabelingError(
                "the HEVC encoder numbers its parameter sets in an unknown way", hint="please report this"
            )
        bits = (head << 9 | self._ids.pps + 1) << (7 - at) | rest
        return nal[:2] + bits.to_bytes(2, "big") + nal[3:]

    def _free(self) -> Ids | None:
        """Return ids that the source does not use, or ``None`` if there are not enough."""
        every = [*(nal for group in self.sets.values() for nal in group), *self.stream.sets]
        vps, sps, pps = (
            {_set_id(nal) for nal in every if nal[0] >> 1 & 63 == kind and len(nal) > 2} for kind in (VPS, SPS, PPS)
        )
        free = [
            next((n for n in range(15, 0, -1) if n not in vps), None),
            next((n for n in range(15, 0, -1) if n not in sps), None),
            next((n for n in PPS_IDS if n not in pps), None),
        ]
        return Ids(*(n for n in free if n is not None)) if None not in free else None


def boxed(extradata: bytes) -> bytes:
    """Return hvcC, with lengths of four bytes, for parameter sets with start codes."""
    _, sets = read_sets(extradata)
    return write_sets(configuration_head(sets[SPS][0], 4), {kind: sets[kind] for kind in (VPS, SPS, PPS)})


def read_sets(extradata: bytes) -> tuple[int, dict[int, list[bytes]]]:
    """Read hvcC (ISO/IEC 14496-15 8.3.3.1) or a byte stream.

    Returns:
        Bytes of the length before each NAL unit (0 for start codes), and NAL units by type.
    """
    sets: dict[int, list[bytes]] = {}
    if is_annex_b(extradata):
        for nal in split_start_codes(extradata):
            if len(nal) > 2:
                sets.setdefault(nal[0] >> 1 & 63, []).append(nal)
        return 0, sets
    if len(extradata) < 23:
        raise damaged("it has no decoder configuration")
    at = 23
    for _ in range(extradata[22]):
        kind, count = extradata[at : at + 1], int.from_bytes(extradata[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            nal = extradata[at + 2 : at + 2 + length]
            if len(nal) < max(length, 3):
                raise damaged("its decoder configuration is cut short")
            sets.setdefault(kind[0] & 63, []).append(nal)
            at += 2 + length
    return (extradata[21] & 3) + 1, sets


def write_sets(head: bytes, sets: dict[int, list[bytes]]) -> bytes:
    """Return hvcC. It has all sets: array_completeness is 1, as the sample entry hvc1 requires."""
    parts = [head, bytes([len(sets)])]
    for kind, group in sets.items():
        parts += [bytes([0x80 | kind if kind in (VPS, SPS, PPS) else kind]), len(group).to_bytes(2, "big")]
        for nal in group:
            parts += [len(nal).to_bytes(2, "big"), nal]
    return b"".join(parts)


def _to_sps_id(nal: bytes) -> tuple[BitReader, int]:
    """Read an SPS up to its id (7.3.2.2); return the reader and the number of sub-layers above the first."""
    r = BitReader(unescape(nal)[2:])
    r.u(4)
    layers = r.u(3)
    r.u(1 + 96)
    present = [(r.flag(), r.flag()) for _ in range(layers)]
    if layers:
        r.u(2 * (8 - layers))
    for profile, level in present:
        r.u((88 if profile else 0) + (8 if level else 0))
    return r, layers


def _set_id(nal: bytes) -> int:
    """Return the id of a VPS, SPS or PPS."""
    kind = nal[0] >> 1 & 63
    return nal[2] >> 4 if kind == VPS else _to_sps_id(nal)[0].ue() if kind == SPS else BitReader(unescape(nal)[2:]).ue()


def _to_order_count(nal: bytes) -> tuple[BitReader, int, tuple[int, int, int]]:
    """Read an SPS up to log2_max_pic_order_cnt_lsb_minus4 (7.3.2.2.1).

    Returns:
        The reader, sps_max_sub_layers_minus1, and chroma_format_idc with the two bit depths less 8.
    """
    r, layers = _to_sps_id(nal)
    r.ue()
    chroma = r.ue()
    if chroma == 3:
        r.flag()
    r.ue()
    r.ue()
    if r.flag():
        for _ in range(4):
            r.ue()
    return r, layers, (chroma, r.ue(), r.ue())


def _facts(nal: bytes) -> tuple[int, int, int]:
    """Return profile, level, and size of the decoded picture buffer (of the highest sub-layer) of an SPS."""
    data = unescape(nal)
    r, layers, _ = _to_order_count(nal)
    r.ue()
    pictures = 1
    for _ in range(layers + 1 if r.flag() else 1):
        pictures = r.ue() + 1
        r.ue()
        r.ue()
    return data[3] & 31, data[14], pictures


def _bypasses(nal: bytes) -> bool:
    """Return transquant_bypass_enabled_flag of a PPS: whether its pictures may be coded without loss (7.3.2.3.1)."""
    r = BitReader(unescape(nal)[2:])
    try:
        r.ue()
        r.ue()
        r.u(7)
        r.ue()
        r.ue()
        r.se()
        r.u(2)
        if r.flag():
            r.ue()
        r.se()
        r.se()
        r.u(3)
        return r.flag()
    except LabelingError:
        return False


def configuration_head(sps: bytes, length: int) -> bytes:
    """Return the first 22 bytes of hvcC for an SPS."""
    data = unescape(sps)
    _, layers, (chroma, luma, other) = _to_order_count(sps)
    nested = data[2] & 1
    layout = layers + 1 << 3 | nested << 2 | (length - 1)
    fixed = b"\xf0\0\xfc" + bytes([0xFC | chroma, 0xF8 | luma, 0xF8 | other]) + b"\0\0" + bytes([layout])
    return b"\1" + data[3:15] + fixed


def _adapted(nal: bytes, ids: Ids, general: bytes) -> bytes:
    """Change the ids of a parameter set from 0, and its tier and level.

    Args:
        nal: The parameter set.
        ids: The new ids.
        general: The first 12 bytes of the profile_tier_level (7.3.3) to match: the first has the tier, the last the
            level.
    """
    kind = nal[0] >> 1 & 63
    body = unescape(nal)[2:]
    if kind in (VPS, SPS):
        at = 4 if kind == VPS else 1
        level = bytes([body[at] & 0xDF | general[0] & 0x20]) + body[at + 1 : at + 11] + general[11:12]
        body = body[:at] + level + body[at + 12 :]
    if kind == VPS:
        return nal[:2] + escape(bytes([ids.vps << 4 | body[0] & 15]) + body[1:])
    if kind == PPS:
        r = BitReader(body)
        r.ue()
        r.ue()
        bits = code_ue(ids.pps) + code_ue(ids.sps) + r.rest()
    else:
        r, _ = _to_sps_id(nal[:2] + escape(body))
        before = format(int.from_bytes(body, "big"), f"0{8 * len(body)}b")[4 : r.at]
        r.ue()
        bits = format(ids.vps, "04b") + before + code_ue(ids.sps) + r.rest()
    return nal[:2] + escape(from_bits(bits))
