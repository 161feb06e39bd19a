"""What PNG and APNG files hold: chunks, and the properties of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, unpack

from labeling.containers.base import Buffer, Contents, Entry, Measure, digest_of_part
from labeling.containers.png_chunks import MAX_CHUNKS, SIGNATURE
from labeling.filebytes import Pieces

_CODED = {b"IDAT", b"fdAT", b"IEND", b"sBIT"}  # sBIT says of coded samples how many of their bits count
_ANY_VALUE = {b"iDOT", b"hIST"}  # offsets into, and counts of, coded data, which change with it
_RGB, _PALETTE, _GRAY_ALPHA, _RGBA = 2, 3, 4, 6
_head = Struct(">I4s")


def inventory(data: Buffer | Pieces, contents: Contents) -> Iterator[Entry]:
    """List what a PNG file holds (W3C PNG, third edition)."""
    view: memoryview | Pieces = data if isinstance(data, Pieces) else memoryview(data)
    blocks = {block.offset for block in contents.blocks}
    end = len(view)
    delays = 0.0
    runs = dict(contents.coded)
    pos = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if pos in runs:  # a run of image data
            pos += runs[pos]
            continue
        if pos + 12 > len(view):
            break
        length, name = _head.unpack(view[pos : pos + 8])
        body, after = pos + 8, pos + 12 + length
        if after > len(view):
            break
        if name not in _CODED and pos not in blocks:
            if name == b"fcTL" and length >= 24:
                numerator, denominator = unpack(">HH", view[body + 20 : body + 24])
                delays += numerator / (denominator or 100)
            else:
                yield from _chunk(view, name, body, length, contents)
        pos = after
        if name == b"IEND":
            end = after
            break
    if delays:
        yield Entry("duration", f"{delays:.3f} s", "duration of the animation", "PNG fcTL chunks")
    if end < len(view):
        value = digest_of_part(data, end, len(view))
        yield Entry("trailer", value, f"{len(view) - end} bytes behind the end", f"PNG, offset {end}")


def _chunk(view: memoryview | Pieces, name: bytes, body: int, length: int, contents: Contents) -> Iterator[Entry]:
    shown = name.decode("latin-1").encode("unicode_escape").decode("ascii")
    where = f"PNG {shown} chunk"
    if name == b"IHDR" and length >= 13:
        depth, coding = view[body + 8 : body + 10]
        yield Entry("size", f"{contents.width}×{contents.height}", "size", where)
        if coding != _PALETTE:
            yield Entry("bit-depth", Measure(depth, f"{depth} bits"), "bit depth", where)
        if coding in (_RGB, _PALETTE, _RGBA):
            yield Entry("colour", b"", "colour", where)
        if coding in (_GRAY_ALPHA, _RGBA):
            yield Entry("alpha", b"", "alpha channel", where)
    elif name == b"PLTE":
        if bytes(view[25:26]) in (
            bytes([_RGB]),
            bytes([_RGBA]),
        ):  # the colour type: it is no coded data there, but suggested
            value = digest_of_part(view, body, body + length)
            yield Entry("suggested-palette", value, "suggested palette", where)
    elif name == b"tRNS":
        yield Entry("alpha", b"", "transparency", where)
    elif name == b"acTL" and length >= 8:
        frames, plays = unpack(">II", view[body : body + 8])
        yield Entry("frames", str(frames), "number of frames", where)
        yield Entry("loop-count", str(plays), "number of loops", where)
    elif name == b"bKGD":
        yield Entry("chunk:bKGD", b"", "background colour", where)  # its form follows the samples
    else:
        value = b"" if name in _ANY_VALUE else digest_of_part(view, body, body + length)
        yield Entry(f"chunk:{shown}", value, f"chunk {shown}", where)
