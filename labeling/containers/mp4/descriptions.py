"""Sample descriptions of a video track: which codec its samples have, and what configures the decoder.

ISO/IEC 14496-12, 8.5.2 and 12.1; ISO/IEC 14496-14 for ``esds``; the QuickTime File Format for older codecs.
"""

from __future__ import annotations

from fractions import Fraction
from struct import Struct
from typing import NamedTuple

from labeling.containers.base import Crop
from labeling.containers.syntax import isobmff
from labeling.containers.syntax.aperture import clean_aperture
from labeling.containers.syntax.isobmff import Box

MAX_ENTRIES = 256
"""Limit on the sample descriptions of one track."""

HEADER = 78
"""Bytes of a visual sample description before the boxes in it."""

CONFIGS = (b"avcC", b"hvcC", b"av1C", b"vpcC", b"esds", b"glbl")
"""Boxes that configure the decoder; FFmpeg writes ``glbl`` for codecs that have no box of their own in MOV."""

DOLBY_VISION = (b"dvcC", b"dvvC", b"dvwC")
"""Boxes that announce Dolby Vision beside the base layer (Dolby Vision Streams within ISO base media, 3.1)."""

_PAIR = Struct(">II")


class Entry(NamedTuple):
    """A sample description.

    Attributes:
        box: Its box.
        tag: Its type, such as ``avc1``.
        width: Coded width in pixels.
        height: Coded height in pixels.
        aspect: Width : height of one pixel.
        config: The box of the decoder's configuration (one of :data:`CONFIGS`), if there is one.
        config_data: The content of that box; empty if there is none.
        bits: Bits of a pixel; from 33 on, as many less 32 of grey.
        dolby_vision: The box of :data:`DOLBY_VISION`, if there is one.
        inside: All boxes in it.
        crop: Pixels that are outside of its clean aperture: left, top, right, bottom.
    """

    box: Box
    tag: bytes
    width: int
    height: int
    aspect: Fraction
    config: Box | None
    config_data: bytes
    bits: int
    dolby_vision: Box | None
    inside: tuple[Box, ...]
    crop: Crop


def entries_of(view: memoryview, stsd: Box) -> tuple[Entry, ...] | str:
    """Read all sample descriptions of a track, or say why they cannot be read."""
    boxes = isobmff.walk(view, stsd.body + 8, stsd.end).boxes
    if not boxes or len(boxes) > MAX_ENTRIES or any(each.end - each.body < HEADER for each in boxes):
        return "its sample description is damaged"
    return tuple(_entry(view, each) for each in boxes)


def _entry(view: memoryview, one: Box) -> Entry:
    width, height = (int.from_bytes(view[one.body + at : one.body + at + 2], "big") for at in (24, 26))
    inside = isobmff.walk(view, one.body + HEADER, one.end).boxes
    aspect = Fraction(1)
    for pasp in inside:
        if pasp.type == b"pasp" and pasp.end - pasp.body >= 8:
            across, down = _PAIR.unpack_from(view, pasp.body)
            aspect = Fraction(across, down) if across and down else aspect
    config = next((each for each in inside if each.type in CONFIGS), None)
    data = bytes(view[config.body : config.end]) if config else b""
    dolby = next((each for each in inside if each.type in DOLBY_VISION), None)
    bits = int.from_bytes(view[one.body + 74 : one.body + 76], "big")
    crop: Crop = (0, 0, 0, 0)
    for clap in inside:
        if clap.type == b"clap":
            left, top, right, bottom = clean_aperture(bytes(view[clap.body : clap.end]), width, height)
            crop = left, top, width - right, height - bottom
    return Entry(one, one.type, width, height, aspect, config, data, bits, dolby, tuple(inside), crop)


class Elementary(NamedTuple):
    """What an ``esds`` box says of an MPEG-4 elementary stream.

    Attributes:
        kind: objectTypeIndication (ISO/IEC 14496-1, table 5): 0x20 is MPEG-4 Visual, 0x60 to 0x65 MPEG-2.
        data: The DecoderSpecificInfo; empty if there is none.
    """

    kind: int
    data: bytes


def elementary(esds: bytes) -> Elementary:
    """Read the content of an ``esds`` box: descriptors with a tag and a length each (ISO/IEC 14496-1, 7.2.6)."""
    at, kind, data = 4, 0, b""
    for _ in range(16):
        if at + 2 > len(esds):
            break
        tag, at = esds[at], at + 1
        length = 0
        for _ in range(4):
            byte = esds[at] if at < len(esds) else 0
            length, at = length << 7 | byte & 0x7F, at + 1
            if not byte & 0x80:
                break
        if tag == 3:  # ES_Descriptor: id and flags, then what the flags announce, then descriptors
            flags = esds[at + 2] if at + 2 < len(esds) else 0
            at += 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
            if flags & 0x40 and at < len(esds):
                at += 1 + esds[at]
        elif tag == 4:  # DecoderConfigDescriptor
            kind = esds[at] if at < len(esds) else 0
            at += 13
        elif tag == 5:
            data = esds[at : at + length]
            break
        else:
            at += length
    return Elementary(kind, data)


def dolby_vision_profile(config: bytes) -> tuple[int, int]:
    """Return the profile, and dv_bl_signal_compatibility_id: what the base layer is on its own; 0 if it is nothing."""
    if len(config) < 5:
        return 0, 0
    return config[2] >> 1, config[4] >> 4
