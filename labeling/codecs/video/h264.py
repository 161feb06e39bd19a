"""H.264: a new part gets parameter sets of its own, with ids that the source does not use.

An IDR picture activates the sets that it names (ITU-T H.264 7.4.1.2.1). A decoder that has the sets of both switches to
the new ones at the join and back again behind it, so a copied part is decoded with the very sets it was encoded with.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from labeling.codecs.video.base import ALWAYS, Encoding, Join, Stream, coding
from labeling.codecs.video.bits import (
    BitReader,
    damaged,
    join_nals,
    leading_nals,
    sei_types,
    split_lengths,
    split_start_codes,
    unescape,
)
from labeling.codecs.video.h264_sets import (
    PPS,
    SPS,
    Sets,
    Sps,
    pps_ids,
    read_sets,
    read_sps,
    with_bypass,
    with_timing,
    write_sets,
)
from labeling.errors import LabelingError

if TYPE_CHECKING:
    import av

_SLICE, _PARTITION, _IDR, _SEI, _AUD = 1, 2, 5, 6, 9
_RECOVERY_POINT = 6
_CARRIED = frozenset({4, 5, 45, 47, 137, 144, 147})
"""SEI messages that describe the picture and not its coding (D.1): captions and other user data, frame packing, display
orientation, mastering display, light level, transfer."""

_PROFILES = {66: "baseline", 77: "main", 100: "high", 110: "high10", 122: "high422", 244: "high444"}
_REFS = {"ultrafast": 1, "superfast": 1, "veryfast": 1, "faster": 2, "fast": 2, "medium": 3, "slow": 5, "slower": 8}
_BY_START_CODES = frozenset({"avc3", "avc4"})  # sample entries whose parameter sets may be in band


class H264:
    """See :class:`labeling.codecs.video.base.Codec`."""

    copies = False
    ordered = False
    lenient = False

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.sets = read_sets(stream.extradata) if stream.extradata else Sets((), (), 0)
        self.sps = read_sps(self.sets.sps[0]) if self.sets.sps else None
        self.exact = self.sps is not None and self.sps.exact
        self.own: Sets | None = None
        self._in_band = not self.sets.length or stream.tag in _BY_START_CODES or stream.in_band
        self._now: dict[tuple[int, int], bytes] = {}  # kind and id → the parameter set in force
        self._put([*self.sets.sps, *self.sets.pps])
        self._first = dict(self._now)

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`."""
        if self.sps is None or not self.sets.pps:
            return "its H.264 parameter sets are in the packets only"
        try:
            sizes = {(sps.size, sps.crop, sps.chroma, sps.depth) for sps in map(read_sps, self.sets.sps)}
        except LabelingError:
            return "one of its H.264 parameter sets is not readable"
        if len(sizes) > 1 and not self.stream.in_band:
            return "its picture size changes within the stream"
        if self.sps.profile not in _PROFILES:
            return f"H.264 profile {self.sps.profile} cannot be encoded here"
        if self.sps.depth[0] != self.sps.depth[1] or not self.sps.chroma:
            return "luma without chroma, or of another bit depth, cannot be encoded here"
        if self._free() < 0:
            return "it uses every H.264 parameter set id"
        return ""

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`. An IDR picture is a clean join; a recovery point or a lone I picture is not."""
        found = Join.NONE
        for nal in self._split(data):
            kind = nal[0] & 31
            if kind == _IDR:
                return Join.CLEAN
            if kind == _SEI and _RECOVERY_POINT in sei_types(nal, 1):
                found = Join.OPEN
            elif kind in (_SLICE, _PARTITION):
                break
        return found

    def note(self, data: bytes) -> None:
        """See :class:`Codec`. Of several SPS, the one that the first slice names is in force."""
        for nal in self._split(data):
            kind = nal[0] & 31
            if kind in (SPS, PPS):
                self._put([nal])
            elif kind in (_SLICE, _PARTITION, _IDR):
                if kind == _IDR and self.stream.in_band:
                    self._activate(nal)
                break

    def sets_in(self, head: bytes) -> tuple[bytes, ...]:
        """See :class:`Codec`."""
        return tuple(nal for nal in leading_nals(head, self.sets.length) if nal[0] & 31 in (SPS, PPS))

    @property
    def configured(self) -> tuple[bytes, ...]:
        """The parameter sets of its configuration."""
        return self.sets.sps + self.sets.pps

    @property
    def varies(self) -> bool:
        """Whether its configuration has parameter sets for pictures of several sizes or formats."""
        return len({(sps.size, sps.crop, sps.chroma, sps.depth) for sps in map(read_sps, self.sets.sps)}) > 1

    def configuration(self) -> bytes:
        """See :class:`Codec`."""
        sps, pps = (tuple(nal for (kind, _), nal in self._now.items() if kind == which) for which in (SPS, PPS))
        head = b"\1" + sps[0][1:4] if sps else self.stream.extradata[:4]
        return write_sets(Sets(sps, pps, self.sets.length, self.sets.tail), head)

    def _put(self, nals: list[bytes]) -> None:
        for nal in nals:
            with contextlib.suppress(LabelingError):
                self._now[nal[0] & 31, read_sps(nal).id if nal[0] & 31 == SPS else pps_ids(nal)[0]] = nal

    def _activate(self, nal: bytes) -> None:
        reader = BitReader(unescape(nal[:64])[1:])
        with contextlib.suppress(LabelingError):
            reader.ue()
            reader.ue()
            pps = self._now.get((PPS, reader.ue()))
            sps = self._now.get((SPS, pps_ids(pps)[1])) if pps else None
            self.sps = read_sps(sps) if sps else self.sps

    def hidden(self, data: bytes) -> bool:
        """See :class:`Codec`. H.264 has no hidden packets."""
        return False

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        from av.codec.context import Flags

        _, preset, crf, _ = coding(self.stream, encoding.settings)
        sps = self.sps if not self.refusal() else None  # otherwise the encoder chooses
        refs = _REFS.get(preset, 16)
        params = {"open-gop": "0", "bframes": "0", "b-pyramid": "none"}
        options = {"preset": preset, "crf": str(crf), "forced-idr": "1", "a53cc": "0", "udu_sei": "0"}
        context.flags |= Flags.global_header
        if sps is not None:
            options["profile"] = _PROFILES[sps.profile]
            params["level"] = "1b" if _is_1b(sps) else str(sps.level)
            params["sps-id"] = str(self._free())
            refs = max(1, min(refs, sps.refs))
            if sps.chroma_at >= 0:
                params["chromaloc"] = str(sps.chroma_at)
            if not sps.frames_only:  # fields, or frames in a stream that may have fields
                params["fake-interlaced"] = "0" if encoding.interlaced else "1"
        if sps is not None and self.exact and not encoding.settings.crf:
            del options["crf"]
            options["qp"] = "0"
            params["8x8dct"] = "0"  # decoders read it otherwise if the stream says that an old x264 has written it
        elif sps is not None:
            params["qpmin"] = "1"  # the lowest one means lossless, if the parameter sets say so
            if crf == 0 and sps.depth[0] == 8:
                raise LabelingError("`crf=0` is lossless in H.264, and the other pictures are not", hint="use `crf=1`")
        if encoding.interlaced:
            context.flags |= Flags.interlaced_dct
            if encoding.fields == "bottom":
                params["bff"] = "1"  # the wrapper says so a picture too late
        if encoding.intra:
            params["keyint"] = "1"
        elif encoding.depth and (sps is None or (sps.refs >= 2 and sps.profile != 66)):
            params["bframes"] = "3"
            if encoding.depth >= 2 and (sps is None or sps.refs >= 4):
                params["b-pyramid"] = "normal"
        params["ref"] = str(refs)
        options["x264-params"] = ":".join(f"{name}={value}" for name, value in params.items())
        return options

    def extradata(self, context: av.VideoCodecContext) -> bytes:
        """See :class:`Codec`."""
        nals = split_start_codes(context.extradata or b"")
        sps = tuple(nal for nal in nals if nal[0] & 31 == SPS)
        pps = tuple(nal for nal in nals if nal[0] & 31 == PPS)
        if not sps or not pps:
            raise LabelingError("the H.264 encoder returned no parameter sets", hint="please report this")
        if not self.refusal() and self.sps is not None:
            sps = tuple(with_timing(nal, self.sps.timing) for nal in sps)
            if self.exact:
                sps = tuple(map(with_bypass, sps))
        new = read_sps(sps[0])
        if not self.stream.in_band and not self.refusal() and self.sps is not None and _shape(new) != _shape(self.sps):
            raise LabelingError("the H.264 encoder cannot keep the stream's coded size or sample format", hint=ALWAYS)
        self.own = Sets(sps, pps, self.sets.length, _tail(new))
        return write_sets(self.own, b"\1" + sps[0][1:4])

    def carried(self, data: bytes) -> list[bytes]:
        """See :class:`Codec`. Return the SEI messages. Parameter sets come back behind the part: :meth:`reentry`."""
        kept = []
        for nal in self._split(data):
            kind = nal[0] & 31
            if kind == _SEI and (types := sei_types(nal, 1)) and _CARRIED.issuperset(types):
                kept.append(nal)
        return kept

    def pack(self, data: bytes, carried: list[bytes], key: bool) -> bytes:
        """See :class:`Codec`. The encoder's own user data, which lists its options, is left out."""
        nals = [nal for nal in split_start_codes(data) if nal[0] & 31 != _SEI or 5 not in sei_types(nal, 1)]
        at = next((index for index, nal in enumerate(nals) if 0 < nal[0] & 31 <= _IDR), 0)
        nals[at:at] = carried
        if key and self._in_band and self.own is not None:
            at = 1 if nals and nals[0][0] & 31 == _AUD else 0
            nals[at:at] = [*self.own.sps, *self.own.pps]
        return join_nals(nals, self.sets.length)

    def joined(self, new: bytes) -> bytes:
        """See :class:`Codec`."""
        added = read_sets(new)
        both = Sets(self.sets.sps + added.sps, self.sets.pps + added.pps, self.sets.length, self.sets.tail)
        return write_sets(both, self.stream.extradata[:4])

    def reentry(self, data: bytes) -> bytes:
        """See :class:`Codec`. Sets that are in band may have been in a packet that was replaced."""
        nals = self._split(data)
        again = {key: nal for key, nal in self._now.items() if self._in_band or self._first.get(key) != nal}
        for nal in nals:
            if nal[0] & 31 in (SPS, PPS):
                with contextlib.suppress(LabelingError):
                    again.pop((nal[0] & 31, read_sps(nal).id if nal[0] & 31 == SPS else pps_ids(nal)[0]), None)
        if not again:
            return data
        at = 1 if nals and nals[0][0] & 31 == _AUD else 0
        nals[at:at] = [again[key] for key in sorted(again)]
        return join_nals(nals, self.sets.length)

    def _split(self, data: bytes) -> list[bytes]:
        return split_lengths(data, self.sets.length) if self.sets.length else split_start_codes(data)

    def _free(self) -> int:
        """Return an id that no SPS or PPS of the source has; -1 if there is none."""
        try:
            more = self.stream.sets
            used = {read_sps(nal).id for nal in (*self.sets.sps, *(n for n in more if n[0] & 31 == SPS))}
            used |= {pps_ids(nal)[0] for nal in (*self.sets.pps, *(n for n in more if n[0] & 31 == PPS))}
        except LabelingError as error:
            raise damaged("a parameter set is not valid") from error
        return next((number for number in range(31, 0, -1) if number not in used), -1)


def boxed(extradata: bytes) -> bytes:
    """Return avcC, with lengths of four bytes, for parameter sets with start codes."""
    sets = read_sets(extradata)
    return write_sets(Sets(sets.sps, sets.pps, 4, _tail(read_sps(sets.sps[0]))), b"\1" + sets.sps[0][1:4])


def _tail(sps: Sps) -> bytes:
    """Return what follows the PPS in avcC (ISO/IEC 14496-15 5.3.3.1.2)."""
    if sps.profile in (66, 77, 88):
        return b""
    return bytes([0xFC | sps.chroma, 0xF8 | (sps.depth[0] - 8), 0xF8 | (sps.depth[1] - 8), 0])


def _is_1b(sps: Sps) -> bool:
    """Return whether the level is 1b; in older profiles constraint_set3_flag tells it from 1.1 (A.3.1, A.3.2)."""
    return sps.level == 9 or (sps.level == 11 and sps.profile in (66, 77) and bool(sps.constraints & 16))


def _shape(sps: Sps) -> tuple[object, ...]:
    return sps.size, sps.chroma, sps.depth
