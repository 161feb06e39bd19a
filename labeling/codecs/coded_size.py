"""Compare the size that a header gives with what the coded data can hold at all, before memory is spent on it.

A header of a few bytes may promise any size. Compressions differ in how many bytes one byte can stand for; some have no
bound (lossless WebP codes a picture of one colour in nothing, GIF and AV1 need not code what is empty), and are not
judged here.
"""

from __future__ import annotations

from labeling.containers.base import Buffer
from labeling.errors import UnreadableFile

DEFLATE = 1032
"""Bytes that one byte of Deflate can stand for: 258 of them take two bits at the least (RFC 1951, 3.2.5)."""

LZW = 2731
"""The same for LZW of TIFF and GIF: 12 bits stand for up to 4096 bytes (TIFF 6.0, section 13)."""

PACKBITS = 64
"""The same for PackBits: two bytes stand for 128 (TIFF 6.0, section 9)."""


def check(width: int, height: int, needed: float, at_most: float) -> None:
    """Refuse a picture that needs more bytes than its coded data can stand for.

    Raises:
        UnreadableFile: It does.
    """
    if needed > at_most:
        raise UnreadableFile(
            f"the data is too short for a picture of {width}×{height} pixels; the file is damaged or cut off"
        )


def check_jpeg(data: Buffer, width: int, height: int) -> None:
    """Refuse a JPEG file that cannot hold its picture: each block of 8×8 samples takes a bit (ITU-T T.81, F.1.2).

    That holds for Huffman coding. Arithmetic coding has no such bound.
    """
    head = bytes(data[:2])
    if head == b"\xff\xd8" and not _arithmetic(data):
        check(width, height, width * height / 64 / 8, len(data))


def _arithmetic(data: Buffer) -> bool:
    """Return whether the frame header is one of arithmetic coding: SOF9 to SOF15 (ITU-T T.81, table B.1)."""
    at, raw = 2, memoryview(data)
    while at + 4 <= len(raw) and raw[at] == 0xFF:
        marker = raw[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xDA:
            break
        if 0xC9 <= marker <= 0xCF and marker != 0xCC:
            return True
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return False


def check_bmp(data: Buffer, width: int, height: int) -> None:
    """Refuse a BMP file that cannot hold its picture: without run lengths, each pixel takes the bits of its depth."""
    head = bytes(data[:34])
    if len(head) < 34 or int.from_bytes(head[14:18], "little") < 40:
        return
    depth, compression = int.from_bytes(head[28:30], "little"), int.from_bytes(head[30:34], "little")
    if compression in (0, 3, 6):  # BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS
        check(width, height, (width * depth + 31) // 32 * 4 * (height - 1) + width * depth / 8, len(data))
