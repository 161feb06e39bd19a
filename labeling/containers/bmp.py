"""BMP (BITMAPCOREHEADER to BITMAPV5HEADER), which is only read, because the format has no place for a label.

GB 45438-2025 names no carrier for BMP, and bytes after the pixels are lost at the next save.
"""

from __future__ import annotations

from struct import Struct

from labeling.containers.base import Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector
from labeling.errors import LabelingError

FIXED = "BMP has no place for a label; save the picture as PNG and label that"

_FILE_HEADER = 14
_CORE, _V5 = 12, 124
_HEADERS = frozenset((_CORE, 16, 40, 52, 56, 64, 108, _V5))
_UNCOMPRESSED = (0, 3, 6)  # BI_RGB, BI_BITFIELDS, BI_ALPHABITFIELDS
_EMBEDDED = (4, 5)  # BI_JPEG, BI_PNG: the embedded file gives the depth
_PROFILE_EMBEDDED = b"DEBM"  # 'MBED', little-endian; 'LINK' names a file elsewhere and is never followed

_file = Struct("<2xI4xII")  # file size, offset of the pixels, size of the header that follows
_core = Struct("<HHHH")  # width, height, planes, bits per pixel
_info = Struct("<iiHHI")  # the same, height negative if top-down; compression
_profile = Struct("<II")


def read(data: Buffer) -> Contents:
    """Find the size and the colour profile of a BMP file; see :mod:`labeling.containers.base`."""
    collector = Collector()
    coded, width, height = _read(data, collector)
    return collector.contents("bmp", "image/bmp", coded, (width, height), fixed=FIXED)


def _read(data: Buffer, collector: Collector) -> tuple[tuple[tuple[int, int], ...], int, int]:
    """Read the headers; return the spans of the pixels, the width and the height."""
    problems, size = collector.problems, len(data)
    if bytes(data[:2]) != b"BM" or size < _FILE_HEADER + 4:
        problems.append("the file is cut off within its header" if size < 18 else "it is not a BMP file")
        return (), 0, 0
    _, pixels, header = _file.unpack_from(data, 0)
    if header not in _HEADERS:
        problems.append(f"its header of {header} bytes is of no known kind")
        return (), 0, 0
    if size < _FILE_HEADER + header:
        problems.append("the file is cut off within its header")
        return (), 0, 0
    compression = 0
    if header == _CORE:
        width, height, _, bits = _core.unpack_from(data, 18)
    elif header == 16:
        width, height, _, bits = Struct("<iiHH").unpack_from(data, 18)
    else:
        width, height, _, bits, compression = _info.unpack_from(data, 18)
    height = abs(height)
    if width <= 0 or not height or not (0 < bits <= 64 or compression in _EMBEDDED):
        problems.append(f"its header gives {width} x {height} pixels of {bits} bits")
        return (), max(width, 0), height
    length = size - pixels
    if compression in _UNCOMPRESSED:
        length = (width * bits + 31) // 32 * 4 * height
    if pixels >= size or pixels + length > size:
        problems.append(f"its pixels need {length} bytes from offset {pixels}, but the file ends at {size}")
        return (), width, height
    if header == _V5:
        _read_profile(data, collector)
    return ((pixels, length),), width, height


def _read_profile(data: Buffer, collector: Collector) -> None:
    if bytes(data[_FILE_HEADER + 56 : _FILE_HEADER + 60]) != _PROFILE_EMBEDDED:
        return
    offset, length = _profile.unpack_from(data, _FILE_HEADER + 112)
    start, end = _FILE_HEADER + offset, _FILE_HEADER + offset + length
    if not length or end > len(data):
        collector.warnings.append("its colour profile is outside the file")
        return
    collector.add(Kind.ICC, "BMP colour profile", (start, end), memoryview(data)[start:end])


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Refuse, because BMP has no place for a label.

    Raises:
        LabelingError: Always; it recommends PNG.
    """
    raise LabelingError(FIXED)
