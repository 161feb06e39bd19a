"""Compare the size that a HEIF file states for an AV1 picture with what is coded, before memory is spent on it.

libavif scales a picture to the size of its ispe property, so that a few hundred bytes may ask for gigabytes. libheif
does not scale, so that HEVC needs no such check.
"""

from __future__ import annotations

from labeling.codecs.heif import av1_headers
from labeling.codecs.pixels import check_size
from labeling.containers.heif.pictures import Pictures
from labeling.errors import UnreadableFile

_HEAD = 4096
"""Bytes of a picture in which its sequence header is looked for: it comes first (AV1 specification, 7.5)."""


def check_stated_size(pictures: Pictures, max_pixels: int) -> None:
    """Refuse a file if the primary picture, what it is derived from, or its alpha channel is said to be too large.

    ISO/IEC 23008-12, 6.5.3: the ispe property is the size of the reconstructed picture. The sequence header has the
    largest size of a frame (AV1 specification, 5.5.1); that of a layer may be smaller.

    Raises:
        UnreadableFile: A picture is said to be wider or higher than it is coded.
        TooLarge: A picture is coded with more pixels than ``max_pixels``, whatever the file says.
    """
    primary = pictures.meta.primary
    numbers = {primary, *pictures.targets(b"dimg", primary)}
    numbers |= {each.source for each in pictures.references if each.type == b"auxl" and primary in each.targets}
    for number in sorted(numbers):
        if pictures.kind(number) != b"av01":
            continue
        stated, coded = pictures.size(number), _coded_size(pictures.head(number, _HEAD))
        if coded is not None:
            check_size(*coded, max_pixels=max_pixels)
        if coded is not None and (stated[0] > coded[0] or stated[1] > coded[1]):
            raise UnreadableFile(
                f"the file says that item {number} has {stated[0]}×{stated[1]} pixels, and its AV1 sequence header "
                f"says {coded[0]}×{coded[1]}; the file is damaged"
            )


def _coded_size(data: bytes) -> tuple[int, int] | None:
    try:
        for obu in av1_headers.split(data):
            if obu.type == av1_headers.SEQUENCE:
                return av1_headers.read_sequence(obu.body).size_bits[2:]
    except UnreadableFile:  # the decoder says what is wrong with it
        pass
    return None
