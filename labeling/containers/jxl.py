"""JPEG XL (ISO/IEC 18181-2), which is only read: a bare codestream, or boxes, of which some contain metadata."""

from __future__ import annotations

from labeling.containers.base import MAX_PAYLOAD, Buffer, Changes, Contents, Kind
from labeling.containers.collector import Collector
from labeling.containers.syntax.isobmff import Box, printable, walk
from labeling.errors import LabelingError

FIXED = "JPEG XL files are read but not yet written; save the picture as PNG and label that"

SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_CODESTREAM = b"\xff\x0a"
_CODED = {b"jxlc", b"jxlp"}
_KINDS = {b"xml ": Kind.XMP, b"Exif": Kind.EXIF, b"jumb": Kind.C2PA, b"c2pa": Kind.C2PA}
_NO_BROTLI = "it is compressed with Brotli; to read it: pip install 'aigc-labeling[jxl]'"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # ISO/IEC 18181-1, table of SizeHeader ratios


def read(data: Buffer) -> Contents:
    """Find the metadata of a JPEG XL file; see :mod:`labeling.containers.base`."""
    collector = Collector()
    view = memoryview(data)
    coded: list[tuple[int, int]] = []
    width = height = 0
    if bytes(view[:2]) == _CODESTREAM:
        coded = [(0, len(view))]
        width, height = _size(bytes(view[:16]))
    else:
        boxes = walk(view, 0, len(view))
        if boxes.problem:
            collector.problems.append(boxes.problem)
        for each in boxes.boxes:
            if each.type in _CODED:
                body = each.body + (4 if each.type == b"jxlp" else 0)
                if not coded:
                    width, height = _size(bytes(view[body : min(body + 16, each.end)]))
                coded.append((each.start, each.end - each.start))
            else:
                _take(view, each, bool(coded), collector)
        if not coded and not collector.problems:
            collector.problems.append("it has no codestream (jxlc or jxlp box)")
    return collector.contents("jxl", "image/jxl", coded, (width, height), fixed=FIXED)


def _take(view: memoryview, each: Box, late: bool, collector: Collector) -> None:
    kind, body, where = each.type, each.body, ""
    packed = kind == b"brob"
    if packed:  # a compressed box begins with the type of the box that it replaces
        kind, body = bytes(view[body : min(body + 4, each.end)]), min(body + 4, each.end)
    if kind not in _KINDS:
        return
    span = (each.start, each.end)
    where = f"JPEG XL {printable(kind)} box" + (", Brotli" if packed else "")
    problem = collector.refusal(each.end - body)
    data = b"" if problem else bytes(view[body : each.end])
    if packed and not problem:
        data, problem = _unpacked(data, min(MAX_PAYLOAD, collector.left))
    if kind == b"Exif" and data:  # four bytes give the distance from them to the TIFF header
        data = data[4 + int.from_bytes(data[:4], "big") :]
    if kind == b"jumb" and data[12:16] != b"c2pa":  # the description box's type: jumd, then its UUID
        collector.add(Kind.APP, where, span, data, "jumb", late, problem)
        return
    collector.add(_KINDS[kind], where, span, data, printable(kind), late, problem)


def _unpacked(data: bytes, limit: int) -> tuple[bytes, str]:
    """Decompress a brob box to at most ``limit`` bytes; return them and what is wrong with them."""
    try:
        import brotli
    except ImportError:
        return b"", _NO_BROTLI
    stream, out = brotli.Decompressor(), bytearray()
    try:
        piece, at = data, 0
        while len(out) <= limit:
            more = stream.process(piece, output_buffer_limit=1 << 16)
            piece = b""
            out += more
            if stream.is_finished():
                return bytes(out), ""
            if not more and (at := at + 1) > 1:
                return bytes(out), "its compressed data is cut off"
    except brotli.error:
        return b"", "its compressed data is damaged"
    return b"", f"unpacks to more than {limit} bytes"


def _size(head: bytes) -> tuple[int, int]:
    """Return the width and height in a SizeHeader (ISO/IEC 18181-1, D.2), whose lowest bits come first."""
    if head[:2] != _CODESTREAM or len(head) < 6:
        return 0, 0
    bits, at = int.from_bytes(head[2:], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> (at - count) & ((1 << count) - 1)

    def side(small: int) -> int:
        return (take(5) + 1) * 8 if small else take((9, 13, 18, 30)[take(2)]) + 1

    small = take(1)
    height = side(small)
    ratio = take(3)
    if not ratio:
        return side(small), height
    over, under = _RATIOS[ratio - 1]
    return height * over // under, height


def rewrite(data: Buffer, contents: Contents, changes: Changes) -> list[Buffer]:
    """Refuse, because JPEG XL files are not yet written.

    Raises:
        LabelingError: Always; it recommends PNG.
    """
    raise LabelingError(FIXED)
