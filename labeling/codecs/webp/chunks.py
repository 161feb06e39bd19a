"""The chunks of a WebP file (RFC 9649, 2.3), and what a coded picture says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from labeling.errors import LabelingError, UnreadableFile

MAX_CHUNKS = 1 << 18
_MAX_RIFF = 0xFFFFFFFE
_head = Struct("<4sI")

PICTURE = (b"VP8 ", b"VP8L", b"ALPH")
ALPHA_IS_USED = 0x10
"""The bit of that name, in the fifth byte of a VP8L header (RFC 9649, 3.4)."""


class Chunk(NamedTuple):
    """One chunk: its name, its content, and where it starts and ends in the file, header and padding included."""

    name: bytes
    body: bytes
    start: int
    end: int


class Frame(NamedTuple):
    """A frame of an animation (2.7.1.2).

    Attributes:
        chunk: Its ANMF chunk.
        left: X of its rectangle on the canvas.
        top: Y of its rectangle.
        width: Width of the rectangle.
        height: Height of the rectangle.
        clears: Whether its rectangle is cleared before the next frame.
        parts: The chunks in it.
    """

    chunk: Chunk
    left: int
    top: int
    width: int
    height: int
    clears: bool
    parts: list[Chunk]

    @property
    def lossless(self) -> bool:
        """Whether the frame is coded without loss."""
        return any(part.name == b"VP8L" for part in self.parts)


def walk(data: bytes, start: int, stop: int) -> Iterator[Chunk]:
    """Yield the chunks between two offsets; stops at what is no chunk."""
    at = start
    for _ in range(MAX_CHUNKS):
        if at + 8 > stop:
            return
        name, length = _head.unpack_from(data, at)
        if at + 8 + length > stop:
            return
        end = min(at + 8 + length + (length & 1), stop)
        yield Chunk(name, data[at + 8 : at + 8 + length], at, end)
        at = end


def pack(name: bytes, body: bytes) -> bytes:
    """Return a chunk."""
    return _head.pack(name, len(body)) + body + b"\0" * (len(body) & 1)


def has_alpha(chunk: Chunk) -> bool:
    """Return whether a chunk of a picture says that the picture has an alpha channel."""
    return chunk.name == b"ALPH" or (
        chunk.name == b"VP8L" and bool(chunk.body[4:5] > b"" and chunk.body[4] & ALPHA_IS_USED)
    )


def frame_of(chunk: Chunk) -> Frame:
    """Parse an ANMF chunk.

    Raises:
        UnreadableFile: It is too short.
    """
    body = chunk.body
    if len(body) < 24:
        raise UnreadableFile(f"the ANMF chunk at offset {chunk.start} is too short")
    left, top, width, height = (int.from_bytes(body[at : at + 3], "little") for at in (0, 3, 6, 9))
    parts = list(walk(body, 16, len(body)))
    return Frame(chunk, 2 * left, 2 * top, width + 1, height + 1, bool(body[15] & 1), parts)


def check_frames(frames: Sequence[Frame], width: int, height: int) -> None:
    """Compare the rectangles that frames state with their coded pictures, and with the canvas.

    Decoders differ in what they make of a contradiction: libwebp plays some such files, and draws a frame in the size
    that it is coded in.

    Raises:
        UnreadableFile: A frame has no picture, is coded in another size, or reaches beyond the canvas.
    """
    for number, frame in enumerate(frames, 1):
        stated, coded = (frame.width, frame.height), coded_size_of(frame.parts)
        if coded is None:
            raise UnreadableFile(f"frame {number} of the WebP animation has no picture; the file is damaged")
        if stated != coded:
            sizes = f"{stated[0]}×{stated[1]} pixels, and is coded as {coded[0]}×{coded[1]}"
            raise UnreadableFile(f"frame {number} of the WebP animation states {sizes}; the file is damaged")
        if frame.left + frame.width > width or frame.top + frame.height > height:
            message = f"frame {number} of the WebP animation reaches beyond its canvas; the file is damaged"
            raise UnreadableFile(message)


def coded_size_of(picture: Sequence[Chunk]) -> tuple[int, int] | None:
    """Return width and height of a picture from its own header (RFC 6386, 9.1; RFC 9649, 3.4)."""
    for name, body in ((part.name, part.body) for part in picture):
        if name == b"VP8 " and len(body) >= 10:
            return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
        if name == b"VP8L" and len(body) >= 5:
            bits = int.from_bytes(body[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def still_of(picture: Sequence[Chunk], width: int, height: int) -> bytes:
    """Return a still picture of its own, of the chunks of one."""
    coded = b"".join(pack(part.name, part.body) for part in picture)
    if any(part.name == b"ALPH" for part in picture):
        size = b"".join((value - 1).to_bytes(3, "little") for value in (width, height))
        coded = pack(b"VP8X", b"\x10\0\0\0" + size) + coded
    return b"RIFF" + (len(coded) + 4).to_bytes(4, "little") + b"WEBP" + coded


def frame_chunk(frame: Frame, picture: Sequence[Chunk], *, blend: bool, rect: tuple[int, int, int, int]) -> bytes:
    """Return an ANMF chunk with another picture: same duration, same unknown chunks behind it.

    Args:
        frame: The frame.
        picture: The chunks of the new picture.
        blend: Whether it is blended with what is on the canvas.
        rect: Its rectangle: left and top, which are even, width and height.
    """
    left, top, width, height = rect
    head = b"".join(value.to_bytes(3, "little") for value in (left // 2, top // 2, width - 1, height - 1))
    flags = (frame.chunk.body[15] & 0xFD) | (0 if blend else 2)
    rest = [part for part in frame.parts if part.name not in PICTURE]
    parts = [pack(part.name, part.body) for part in (*picture, *rest)]
    return pack(b"ANMF", head + frame.chunk.body[12:15] + bytes((flags,)) + b"".join(parts))


def replaced(data: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Return the file with ranges of it replaced, in order, and its RIFF size as it is then."""
    parts, at = [], 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += [data[at:start], new]
        at = end
    parts.append(data[at:])
    made = bytearray(b"".join(parts))
    size = int.from_bytes(data[4:8], "little") + len(made) - len(data)
    if size > _MAX_RIFF:
        raise LabelingError("the copy would be larger than the 4 GiB that a WebP file can be")
    made[4:8] = size.to_bytes(4, "little")
    return bytes(made)


# Quality


class _BoolDecoder:
    """Reads the flags of a VP8 frame header, each as likely 0 as 1 (RFC 6386, 7.3)."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 2
        self._value = int.from_bytes(data[:2].ljust(2, b"\0"), "big")
        self._range, self._bits = 255, 0

    def bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        big = split << 8
        found = int(self._value >= big)
        if found:
            self._range -= split
            self._value -= big
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._bits += 1
            if self._bits == 8:
                self._bits = 0
                self._value |= self._data[self._at] if self._at < len(self._data) else 0
                self._at += 1
        return found

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.bit()
        return value

    def signed(self, bits: int) -> int:
        value = self.number(bits)
        return -value if self.bit() else value


def quality_of(vp8: bytes) -> int | None:
    """Estimate with which quality of libwebp, 0 to 100, a lossy picture was encoded, by its quantiser indices.

    ``None`` if its header (RFC 6386, 9.2 to 9.6) is not that of a key frame.
    """
    if len(vp8) < 12 or vp8[0] & 1 or vp8[3:6] != b"\x9d\x01\x2a":
        return None
    read = _BoolDecoder(vp8[10:])
    read.number(2)
    segments: list[int] = []
    absolute = False
    if read.bit():
        update_map, update_data = read.bit(), read.bit()
        if update_data:
            absolute = bool(read.bit())
            segments = [read.signed(7) if read.bit() else 0 for _ in range(4)]
            for _ in range(4):
                if read.bit():
                    read.signed(6)
        if update_map:
            for _ in range(3):
                if read.bit():
                    read.number(8)
    read.number(1 + 6 + 3)
    if read.bit() and read.bit():
        for _ in range(8):
            if read.bit():
                read.signed(6)
    read.number(2)
    index = float(read.number(7))
    if segments:
        mean = sum(segments) / 4
        index = mean if absolute else index + mean
    # libwebp's QualityToCompression, the other way round.
    linear = (1 - min(127.0, max(0.0, index)) / 127) ** 3
    return round(100 * (linear * 1.5 if linear < 0.5 else (linear + 1) / 2))
