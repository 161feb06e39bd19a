"""VP8, VP9 and AV1, whose key frames reset the decoder; codecs that only have key frames; and all other codecs.

A VP9 packet is a superframe: pictures that are not shown are stored with one that is. The same holds for an AV1
temporal unit. In both, each key frame describes the stream, so a decoder adapts by itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labeling.codecs.video.base import EXACT, NAMES, Encoding, Join, Stream, coding
from labeling.codecs.video.bits import damaged, too_many

if TYPE_CHECKING:
    import av

KEY_INTERVAL = 300
"""Limit on the pictures from one key frame to the next."""

_OBU_SEQUENCE, _OBU_DELIMITER, _OBU_FRAME_HEADER, _OBU_METADATA, _OBU_FRAME = 1, 2, 3, 5, 6
_MAX_OBUS = 4096
_PRORES = {"apco": 0, "apcs": 1, "apcn": 2, "apch": 3, "ap4h": 4, "ap4x": 5}
_DNXHR = {1270: "dnxhr_444", 1271: "dnxhr_hqx", 1272: "dnxhr_hq", 1273: "dnxhr_sq", 1274: "dnxhr_lb"}
_DNXHR_BY_FORM = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx"}
_DNXHD = {
    1235: 185, 1237: 120, 1238: 185, 1241: 185, 1242: 120, 1243: 185, 1244: 120, 1250: 90, 1251: 90, 1252: 60,
    1253: 36, 1258: 60, 1259: 84,
}  # fmt: skip
"""Compression id of DNxHD → one of the rates, in Mbit/s, by which FFmpeg's encoder finds it again (SMPTE ST 2019-1)."""
_DIF, _DIF_VIDEO = 80, 4  # size of a DIF block, and the section type of those with pictures
_QUANTISER = 118  # FFmpeg's scale of quantisers (FF_QP2LAMBDA)


class _Simple:
    """What most codecs have in common: nothing is carried over or joined."""

    copies = False
    ordered = False
    lenient = False
    exact = False

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def note(self, data: bytes) -> None:
        """See :class:`Codec`."""

    @property
    def configured(self) -> tuple[bytes, ...]:
        """See :class:`Codec`."""
        return ()

    def sets_in(self, head: bytes) -> tuple[bytes, ...]:
        """See :class:`Codec`."""
        return ()

    def configuration(self) -> bytes:
        """See :class:`Codec`."""
        return self.stream.extradata

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`."""
        return ""

    def hidden(self, data: bytes) -> bool:
        """See :class:`Codec`."""
        return False

    def extradata(self, context: av.VideoCodecContext) -> bytes:
        """See :class:`Codec`."""
        return self.stream.extradata

    def carried(self, data: bytes) -> Any:
        """See :class:`Codec`."""
        return ()

    def pack(self, data: bytes, carried: Any, key: bool) -> bytes:
        """See :class:`Codec`."""
        return data

    def joined(self, new: bytes) -> bytes:
        """See :class:`Codec`."""
        return self.stream.extradata

    def reentry(self, data: bytes) -> bytes:
        """See :class:`Codec`."""
        return data


class Vp9(_Simple):
    """See :class:`Codec`. VP9 bitstream specification, 6.2 and Annex B."""

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`. The encoder in PyAV only supports eight bits."""
        if first and first[0] >> 4 & 1:
            return "VP9 of more than 8 bits cannot be encoded here"
        return ""

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`. A superframe begins with its first picture."""
        if not data or data[0] >> 6 != 2:
            raise damaged("a packet is not VP9")
        bits = data[0] & 0x3F
        profile = (bits >> 5 & 1) | (bits >> 4 & 1) << 1
        bits = (bits << (1 if profile == 3 else 0)) & 0x0F
        existing, inter, shown = bits >> 3 & 1, bits >> 2 & 1, bits >> 1 & 1
        return Join.CLEAN if not existing and not inter and shown else Join.NONE

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        _, speed, crf, _ = coding(self.stream, encoding.settings)
        context.gop_size = 1 if encoding.intra else KEY_INTERVAL
        context.bit_rate = 0
        # "realtime" takes an eighth of the time of "good", and is as close to the source at this quality.
        return {"deadline": "realtime", "cpu-used": speed, "crf": str(crf), "b": "0", "row-mt": "1"}


class Vp8(_Simple):
    """See :class:`Codec`. RFC 6386, 9.1."""

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`."""
        return Join.CLEAN if data and data[0] & 1 == 0 and data[0] & 16 else Join.NONE

    def hidden(self, data: bytes) -> bool:
        """See :class:`Codec`. VP8 stores hidden pictures in packets of their own."""
        return bool(data) and not data[0] & 16

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        _, speed, crf, _ = coding(self.stream, encoding.settings)
        context.gop_size = 1 if encoding.intra else KEY_INTERVAL
        rate = str(
            max(4_000_000, 8 * context.width * context.height * 30 // 8)
        )  # so high that it never limits the quality
        return {"deadline": "good", "cpu-used": speed, "crf": str(crf), "qmin": "0", "b": rate, "auto-alt-ref": "0"}


class Av1(_Simple):
    """See :class:`Codec`. AV1 bitstream specification 5.3 to 5.9; AV1 in ISO-BMFF 2.4."""

    copies = True  # threads of decoder and encoder may still read a picture

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`."""
        if len(self.stream.extradata) > 2 and self.stream.extradata[1] >> 5:
            return "only AV1 of the Main profile (4:2:0) can be encoded here"
        return ""

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`. A join is a shown key frame that comes first in its temporal unit."""
        for kind, body, _ in _obus(data):
            if kind in (_OBU_FRAME_HEADER, _OBU_FRAME):
                first = body[0] if body else 0xFF  # show_existing_frame, frame_type u(2), show_frame
                return Join.CLEAN if first >> 4 == 1 else Join.NONE
        return Join.NONE

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        _, preset, crf, _ = coding(self.stream, encoding.settings)
        context.gop_size = 1 if encoding.intra else KEY_INTERVAL
        os.environ.setdefault("SVT_LOG", "0")  # it writes to stderr, and there is no other way to stop it
        return {"preset": preset, "crf": str(crf), "svtav1-params": "tune=0"}

    def carried(self, data: bytes) -> list[bytes]:
        """See :class:`Codec`. Return metadata OBUs (HDR, user data)."""
        return [whole for kind, _, whole in _obus(data) if kind == _OBU_METADATA]

    def pack(self, data: bytes, carried: Sequence[bytes], key: bool) -> bytes:
        """See :class:`Codec`. Files do not store temporal delimiters; metadata follows the sequence header."""
        parts = [(kind, whole) for kind, _, whole in _obus(data) if kind != _OBU_DELIMITER]
        at = next((index for index, (kind, _) in enumerate(parts) if kind != _OBU_SEQUENCE), 0)
        return b"".join([*(whole for _, whole in parts[:at]), *carried, *(whole for _, whole in parts[at:])])

    def reentry(self, data: bytes) -> bytes:
        """See :class:`Codec`. The source's sequence header has to be in band again."""
        if any(kind == _OBU_SEQUENCE for kind, _, _ in _obus(data)):
            return data
        header = b"".join(whole for kind, _, whole in _obus(self.stream.extradata[4:]) if kind == _OBU_SEQUENCE)
        if not header:
            raise damaged("its AV1 sequence header is missing")
        return header + data


class Intra(_Simple):
    """Codecs in which every picture can be coded on its own: Motion JPEG, ProRes, DNxHR, JPEG 2000, PNG and others."""

    lenient = True

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._compression = 0
        self._codestream = False  # JPEG 2000 without boxes around it

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`."""
        if self.stream.codec == "dnxhd" and first and (number := _compression_id(first)) not in _DNXHR | _DNXHD:
            return f"DNxHD of the compression id {number} cannot be encoded here"
        return ""

    def carried(self, data: bytes) -> Any:
        """See :class:`Codec`."""
        self._compression = _compression_id(data)
        self._codestream = data.startswith(b"\xff\x4f\xff\x51")
        return data if self.stream.codec == "dvvideo" else b""

    def pack(self, data: bytes, carried: Any, key: bool) -> bytes:
        """See :class:`Codec`. DV has more than pictures: time code, date of recording, audio (IEC 61834-2)."""
        if not carried or len(carried) != len(data):
            return data
        blocks = range(0, len(data), _DIF)
        return b"".join((data if data[at] >> 5 == _DIF_VIDEO else carried)[at : at + _DIF] for at in blocks)

    copies = True  # FFmpeg's own encoders refer to the picture that they are given, and may code it later

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`. Where a picture builds upon the one before it, the container says so."""
        return Join.CLEAN

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        quantiser = coding(self.stream, encoding.settings).crf
        broadcast = _DNXHD.get(self._compression)
        if encoding.interlaced and (self.stream.codec != "dnxhd" or broadcast):
            from av.codec.context import Flags

            context.flags |= Flags.interlaced_dct
        if self.stream.codec == "prores":
            profile = _PRORES.get(self.stream.tag, 4 if "444" in encoding.pix_fmt else 3)
            return {"profile": str(profile), "vendor": "apl0", "alpha_bits": "16" if "a" in encoding.pix_fmt else "0"}
        if self.stream.codec == "dnxhd":
            if broadcast:
                context.bit_rate = broadcast * 1_000_000
                return {"profile": "dnxhd"}
            closest = _DNXHR_BY_FORM.get(encoding.pix_fmt, "dnxhr_444")
            return {"profile": _DNXHR.get(self._compression, closest)}
        if self.stream.codec == "mjpeg":
            return {"flags": "+qscale", "global_quality": str(quantiser * _QUANTISER)}
        if self.stream.codec == "jpeg2000":
            return {"pred": "dwt53", "format": "j2k" if self._codestream else "jp2"}
        context.gop_size = 1
        return {}


class Mpeg(_Simple):
    """MPEG-1, MPEG-2 and MPEG-4 Visual, whose headers may be repeated in band before each key frame.

    Pictures behind a key frame that are shown before it refer to the group before it (open groups). Whether there are
    any is in the times of the packets alone.
    """

    copies = True
    ordered = True
    lenient = True

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._header = _header(stream.extradata, stream.codec) or stream.extradata
        self._whole = False

    def note(self, data: bytes) -> None:
        """See :class:`Codec`."""
        self._header = _header(data, self.stream.codec) or self._header

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`. ISO/IEC 14496-2, 6.2.5; ISO/IEC 13818-2, 6.2.3."""
        code, shift = (b"\0\0\1\xb6", 6) if self.stream.codec == "mpeg4" else (b"\0\0\1\0", 3)
        at = data.find(code) + 4
        if at < 4:
            return Join.NONE
        if self.stream.codec == "mpeg4":
            return Join.CLEAN if data[at : at + 1] and data[at] >> shift == 0 else Join.NONE
        return Join.CLEAN if data[at + 1 : at + 2] and data[at + 1] >> shift & 7 == 1 else Join.NONE

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`. Without a global header, the encoder puts its headers before each key frame."""
        if encoding.interlaced:
            from av.codec.context import Flags

            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        self._whole = encoding.whole
        context.gop_size = 1 if encoding.intra else 24
        quantiser = coding(self.stream, encoding.settings).crf
        return {"flags": "+qscale", "global_quality": str(quantiser * _QUANTISER)}

    def pack(self, data: bytes, carried: Any, key: bool) -> bytes:
        """See :class:`Codec`. User data names the encoder, by which decoders know how to read all of the stream.

        So it is left out where copied pictures follow, and else has to stay: pictures in a file called XVID would be
        taken for those of an early Xvid.
        """
        if self._whole or self.stream.codec != "mpeg4" or (at := data.find(b"\0\0\1\xb2")) < 0:
            return data
        end = data.find(b"\0\0\1", at + 4)
        return data[:at] + data[end:] if end > at else data

    def reentry(self, data: bytes) -> bytes:
        """See :class:`Codec`."""
        return data if _header(data, self.stream.codec) else self._header + data


def _header(data: bytes, codec: str) -> bytes:
    """Return what describes the stream at the start of a packet; empty if nothing does.

    That is everything before the first VOP or group, with a VOL (MPEG-4), or with a sequence header (MPEG-1, MPEG-2).
    """
    ends = (b"\0\0\1\xb6", b"\0\0\1\xb3") if codec == "mpeg4" else (b"\0\0\1\0", b"\0\0\1\xb8")
    end = min((at for code in ends if (at := data.find(code)) >= 0), default=len(data))
    head = data[:end]
    if codec != "mpeg4":
        start = head.find(b"\0\0\1\xb3")
        return head[start:] if start >= 0 else b""
    at = head.find(b"\0\0\1")
    while at >= 0:
        if 0x20 <= (head[at + 3] if at + 3 < len(head) else 0) <= 0x2F:
            return head
        at = head.find(b"\0\0\1", at + 3)
    return b""


def _compression_id(data: bytes) -> int:
    """Return the compression id of a DNxHD or DNxHR frame (SMPTE ST 2019-1)."""
    return int.from_bytes(data[40:44], "big")


class Whole(_Simple):
    """Codecs that are only re-encoded as a whole: the new stream has a decoder configuration of its own."""

    copies = True  # MPEG-2's encoder is a picture late, and refers to the one that it was given until then

    def refusal(self, first: bytes = b"") -> str:
        """See :class:`Codec`."""
        return f"{NAMES.get(self.stream.codec, self.stream.codec)} cannot be re-encoded in part"

    def join(self, data: bytes) -> Join:
        """See :class:`Codec`. Joins are not needed."""
        return Join.NONE

    def prepare(self, context: av.VideoCodecContext, encoding: Encoding) -> dict[str, str]:
        """See :class:`Codec`."""
        from av.codec.context import Flags

        quantiser = coding(self.stream, encoding.settings).crf
        if self.stream.extradata:
            context.flags |= Flags.global_header
        if encoding.interlaced and self.stream.codec not in EXACT:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if self.stream.codec == "ffv1":
            return {"level": "3", "slicecrc": "1"} if self.stream.extradata else {"level": "1"}
        if self.stream.codec in EXACT:
            return {}
        context.gop_size = 24
        return {"flags": "+qscale", "global_quality": str(quantiser * _QUANTISER)}

    def extradata(self, context: av.VideoCodecContext) -> bytes:
        """See :class:`Codec`."""
        return context.extradata or b""


_INTRA = ("mjpeg", "prores", "dnxhd", "png", "qtrle", "v210", "v410", "r210", "jpeg2000", "cfhd", "dvvideo")
_MPEG = ("mpeg4", "mpeg2video", "mpeg1video")
CODECS: dict[str, type[Vp9 | Vp8 | Av1 | Intra | Mpeg]] = {
    "vp9": Vp9, "vp8": Vp8, "av1": Av1, **dict.fromkeys(_INTRA, Intra), **dict.fromkeys(_MPEG, Mpeg),
}  # fmt: skip


def _obus(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return the OBUs of a temporal unit as (type, first bytes of the payload, whole OBU)."""
    found: list[tuple[int, bytes, bytes]] = []
    at = 0
    while at < len(data):
        head = data[at]
        start = at + 1 + (head >> 2 & 1)
        if head & 0x80:
            raise damaged("a packet is not AV1")
        if len(found) >= _MAX_OBUS:
            raise too_many("OBUs", _MAX_OBUS)
        size = len(data) - start
        if head & 2:
            size, start = _leb128(data, start)
        if start + size > len(data):
            raise damaged("a packet's OBUs do not fit into it")
        found.append((head >> 3 & 15, data[start : start + min(size, 8)], data[at : start + size]))
        at = start + size
    return found


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        if at + index >= len(data):
            break
        value |= (data[at + index] & 0x7F) << (7 * index)
        if not data[at + index] & 0x80:
            return value, at + index + 1
    raise damaged("a length in an AV1 packet is not valid")
