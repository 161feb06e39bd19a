"""Files that lack only the marker that ends them: EOI in JPEG, IEND in PNG, the trailer in GIF.

Every viewer shows such a file. Whether the rest of it is there is known only once it is decoded, so this is no matter
for containers.
"""

from __future__ import annotations

from itertools import pairwise

from labeling.containers.base import Contents
from labeling.errors import LabelingError

EOI, IEND, TRAILER = b"\xff\xd9", b"\0\0\0\0IEND\xae\x42\x60\x82", b";"

_GARBAGE = (b"\x55\x33\x0f\xa6" * 64, b"\xa7\x19\xc4\x6e" * 64)
_DRI, _SOS = 0xDD, 0xDA


def jpeg(data: bytes, contents: Contents, max_pixels: int) -> bytes | None:
    """Return a JPEG with its EOI marker, if nothing else is missing (T.81 B.1.1.3)."""
    from labeling.containers.jpeg.segments import NO_EOI, Layout, walk

    if contents.problems != (NO_EOI,) or not contents.coded:
        return None
    whole = data.removesuffix(b"\xff") + EOI
    layout: Layout = walk(whole)
    if layout.problems or layout.end != len(whole) or not _has_all_scans(whole) or not _has_all_restarts(whole):
        return None
    from PIL import ImageChops

    from labeling.codecs.opening import open_picture

    # Where picture data is missing, decoders make it up: out of zeros, or of what stands there.
    images = [open_picture(whole, "jpeg", max_pixels)]
    images += [open_picture(whole[:-2] + garbage + EOI, "jpeg", max_pixels) for garbage in _GARBAGE]
    for image in images:
        image.load()
    if any(ImageChops.difference(images[0], other).getbbox() for other in images[1:]):
        return None
    return whole


def _has_all_scans(data: bytes) -> bool:
    """Say whether the scans of a JPEG give every coefficient of every component to its last bit (T.81 G.1.1.1)."""
    from labeling.codecs.jpeg import segments

    parts = segments.split(data)
    frame = segments.frame(parts)
    missing = {(component.id, k) for component in frame.components for k in range(64)}
    for scan in (s for s in parts.coded if s.marker == _SOS):
        body = data[scan.start + 4 : scan.end]
        count = body[0]
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        if bits & 15 == 0:
            missing -= {(body[1 + 2 * n], k) for n in range(count) for k in range(first, last + 1)}
    return not missing


def _has_all_restarts(data: bytes) -> bool:
    """Say whether there are as many restart intervals as the picture takes; known of files of one scan only."""
    from labeling.codecs.jpeg import segments

    parts = segments.split(data)
    every = [int.from_bytes(data[s.start + 4 : s.start + 6], "big") for s in parts.coded if s.marker == _DRI]
    if not any(every):
        return True
    scans = [s for s in parts.coded if s.marker == _SOS]
    frame = segments.frame(parts)
    if len(scans) != 1 or len(every) != 1:
        return False
    one = len(frame.components) == 1
    wide, high = (8, 8) if one else (8 * frame.max_h, 8 * frame.max_v)
    units = -(-frame.width // wide) * -(-frame.height // high)
    scan = data[scans[0].start : scans[0].end]
    return sum(a == 0xFF and 0xD0 <= b <= 0xD7 for a, b in pairwise(scan)) == -(-units // every[0]) - 1


def png(data: bytes, contents: Contents, max_pixels: int) -> bytes | None:
    """Return a PNG with its IEND chunk, if nothing else is missing (third edition, 5.6)."""
    from labeling.codecs.png import decode
    from labeling.containers.png_chunks import walk

    if len(contents.problems) != 1 or not contents.coded:
        return None
    end = 0
    try:
        for kind, _, after in walk(data):
            if kind == b"IEND":
                return None
            end = after
    except LabelingError:
        pass
    if not IEND.startswith(data[end:]):
        return None
    whole = data[:end] + IEND
    chunks = [kind for kind, _, _ in walk(whole)]
    if not decode.check(whole, max_pixels) or (contents.frames > 1 and chunks.count(b"fcTL") != contents.frames):
        return None
    return whole


def gif(data: bytes, contents: Contents, max_pixels: int) -> bytes | None:
    """Return a GIF with its trailer, if nothing else is missing (GIF89a, 27)."""
    from labeling.codecs.opening import open_picture
    from labeling.containers.gif import TRAILER as END
    from labeling.containers.gif import walk

    if contents.problems or not contents.coded or any(kind == END for kind, _, _ in walk(data)):
        return None
    whole = data + TRAILER
    image = open_picture(whole, "gif", max_pixels)
    if getattr(image, "n_frames", 1) != contents.frames:
        return None
    for index in range(contents.frames):
        image.seek(index)
        image.load()
    return whole
