"""The segments of a JPEG file (ITU-T T.81 Annex B): which are the coded picture, which are application data."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from labeling.codecs.jpeg.dct import Component
from labeling.containers.jpeg.segments import EOI as EOI
from labeling.containers.jpeg.segments import NO_EOI, SOF, SOS, walk
from labeling.errors import UnreadableFile, UnsupportedFormat

SOI = b"\xff\xd8"
_DQT, _DHT, _DRI = 0xDB, 0xC4, 0xDD
_CODED = {*range(0xC0, 0xD0), SOS, _DQT, 0xDC, 0xDD, 0xDE, 0xDF}
_DCT_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC9: "arithmetic", 0xCA: "arithmetic"}
_MAX_SIDE = 65500  # libjpeg's JPEG_MAX_DIMENSION


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment from its marker on, without fill bytes; SOS includes the entropy-coded data after it."""

    marker: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame header.

    Attributes:
        process: baseline, extended, progressive or arithmetic.
        width: Width in pixels.
        height: Height in pixels.
        components: Its components.
        max_h: The greatest horizontal sampling factor.
        max_v: The greatest vertical sampling factor.
    """

    process: str
    width: int
    height: int
    components: tuple[Component, ...]
    max_h: int
    max_v: int


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG taken apart.

    Attributes:
        data: The file.
        coded: The segments of the coded picture: tables, frame headers and scans.
        other: Application data and comments.
        end: Offset after the EOI marker; the length of the file if there is none.
        complete: Whether there is an EOI marker.
    """

    data: bytes
    coded: tuple[Segment, ...]
    other: tuple[Segment, ...]
    end: int
    complete: bool

    def bytes_of(self, segments: tuple[Segment, ...]) -> bytes:
        """Join the bytes of ``segments``."""
        return b"".join(self.data[s.start : s.end] for s in segments)

    def app(self, number: int, identifier: bytes) -> bytes | None:
        """Return the payload of the first APPn segment that starts with ``identifier``."""
        for segment in self.other:
            if segment.marker == 0xE0 + number and self.data.startswith(identifier, segment.start + 4):
                return self.data[segment.start + 4 : segment.end]
        return None


def split(data: bytes) -> Jpeg:
    """Take a JPEG apart. Bytes between segments are skipped, as decoders do, and a missing EOI marker is no error.

    Raises:
        UnreadableFile: The file is damaged, or cut off before any picture data.
    """
    layout = walk(data)
    if layout.sos < 0:
        raise UnreadableFile("the JPEG has no coded picture; it is cut off or damaged")
    if layout.problems and layout.problems != [NO_EOI]:
        raise UnreadableFile(f"the JPEG cannot be read in full: {layout.problems[0]}")
    complete = layout.end >= 0
    coded: list[Segment] = []
    other: list[Segment] = []
    following = [segment.offset for segment in layout.segments[1:]]
    following.append(layout.end - len(EOI) if complete else len(data))
    for segment, after in zip(layout.segments, following, strict=True):
        end = after if segment.marker == SOS else segment.end
        (coded if segment.marker in _CODED else other).append(Segment(segment.marker, segment.start - 4, end))
    return Jpeg(data, tuple(coded), tuple(other), layout.end if complete else len(data), complete)


def frame(jpeg: Jpeg) -> Frame:
    """Read the frame header (T.81 B.2.2).

    Raises:
        UnreadableFile: The header is missing, doubled or damaged.
        UnsupportedFormat: The file has no 8-bit DCT coefficients.
    """
    headers = [s for s in jpeg.coded if s.marker in SOF]
    if len(headers) != 1:
        raise UnreadableFile(f"the JPEG has {len(headers)} frame headers instead of one; it is damaged")
    body = jpeg.data[headers[0].start + 4 : headers[0].end]
    process = _DCT_FRAMES.get(headers[0].marker, "")
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise UnreadableFile("the JPEG's frame header is cut off")
    precision, height, width, count = struct.unpack(">BHHB", body[:6])
    if not process or precision != 8:
        raise UnsupportedFormat(
            "this JPEG is lossless, hierarchical or of more than 8 bits a sample", hint="convert it to PNG first"
        )
    if count not in (1, 3, 4) or not 0 < width <= _MAX_SIDE or not 0 < height <= _MAX_SIDE:
        raise UnsupportedFormat(
            f"a JPEG of {width}×{height} pixels with {count} components", hint="convert it to PNG first"
        )
    raw = [(body[6 + 3 * i], body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15, body[8 + 3 * i]) for i in range(count)]
    if any(not (1 <= h <= 4 and 1 <= v <= 4 and t <= 3) for _, h, v, t in raw):
        raise UnreadableFile("the JPEG's frame header has impossible sampling factors; it is damaged")
    max_h, max_v = max(h for _, h, _, _ in raw), max(v for _, _, v, _ in raw)
    components = tuple(
        Component(i, h, v, t, -(-height * v // (8 * max_v)), -(-width * h // (8 * max_h))) for i, h, v, t in raw
    )
    return Frame(process, width, height, components, max_h, max_v)


def colour_space(jpeg: Jpeg, components: tuple[Component, ...]) -> str:
    """Return what the components are, by libjpeg's rules: gray, ycc, rgb, cmyk or ycck."""
    if len(components) == 1:
        return "gray"
    adobe = jpeg.app(14, b"Adobe")
    transform = adobe[11] if adobe and len(adobe) >= 12 else None
    if len(components) == 4:
        return "cmyk" if transform in (None, 0) else "ycck"
    jfif = jpeg.app(0, b"JFIF\0")
    if jfif is None and transform == 0:
        return "rgb"
    if jfif is None and transform is None and bytes(c.id for c in components) == b"RGB":
        return "rgb"
    return "ycc"


def empty_like(jpeg: Jpeg, parts: Frame) -> bytes:
    """Return a JPEG with the same frame and quantisation tables in which every coefficient is zero.

    It replaces the real file where only frame parameters are copied. The library insists on reading its source, and
    this one is decoded fast: each block is two zero bits.
    """
    tables = jpeg.bytes_of(tuple(s for s in jpeg.coded if s.marker == _DQT))
    body = bytes([8]) + struct.pack(">HHB", parts.height, parts.width, len(parts.components))
    body += b"".join(bytes([c.id, c.h << 4 | c.v, c.table]) for c in parts.components)
    one_code = (
        bytes([1]) + bytes(15) + b"\0"
    )  # a single code, "0", for symbol 0: a DC difference of 0, or the end of the block
    huffman = b"\0" + one_code + b"\x10" + one_code
    scan = bytes([len(parts.components)]) + b"".join(bytes([c.id, 0]) for c in parts.components) + b"\0\x3f\0"
    if len(parts.components) == 1:  # not interleaved: only the component's blocks, without padding to whole MCUs
        blocks = parts.components[0].rows * parts.components[0].columns
    else:
        units = -(-parts.width // (8 * parts.max_h)) * -(-parts.height // (8 * parts.max_v))
        blocks = units * sum(c.h * c.v for c in parts.components)

    def segment(marker: int, payload: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload

    head = tables + segment(0xC1, body) + segment(_DHT, huffman) + segment(SOS, scan)
    return SOI + head + bytes(-(-blocks * 2 // 8)) + EOI


def head_only(jpeg: Jpeg) -> bytes:
    """Return a JPEG of one pixel with the same tables and parameters and the beginning of the first scan.

    Raises:
        UnreadableFile: The file has no scan.
    """
    parts = [SOI]
    for s in jpeg.coded:
        segment = jpeg.data[s.start : s.end]
        if s.marker in SOF:
            segment = segment[:5] + b"\0\1\0\1" + segment[9:]
        if s.marker == SOS:
            return b"".join([*parts, segment[: 2 + int.from_bytes(segment[2:4], "big") + 256], EOI])
        parts.append(segment)
    raise UnreadableFile("the JPEG has no coded picture; it is cut off or damaged")


def has_late_tables(jpeg: Jpeg) -> bool:
    """Return whether quantisation tables are defined after the start of the first scan."""
    first = next(s.start for s in jpeg.coded if s.marker == SOS)
    return any(s.marker == _DQT and s.start > first for s in jpeg.coded)


def has_restarts(jpeg: Jpeg) -> bool:
    """Return whether the scans have restart markers (T.81 B.2.4.4)."""
    return any(s.marker == _DRI and jpeg.data[s.start + 4 : s.end].strip(b"\0") for s in jpeg.coded)


def has_own_codes(jpeg: Jpeg) -> bool:
    """Return whether the Huffman tables differ from the usual ones of T.81 Annex K."""
    tables = jpeg.bytes_of(tuple(s for s in jpeg.coded if s.marker == _DHT))
    # The count bytes of table K.5: they are in the DHT segments of every encoder that did not optimise.
    return bytes.fromhex("0002010303020403050504040000017d") not in tables
