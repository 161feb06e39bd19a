"""Paint on image sequences in AVIF files: every frame is re-encoded at a stated quality, where that keeps the rest."""

from __future__ import annotations

from dataclasses import replace

from labeling.codecs._frames import recode
from labeling.codecs.base import Painted, Painter
from labeling.codecs.opening import CLEAN_APERTURE, is_avif, open_picture
from labeling.codecs.pixels import ORIENTATION
from labeling.containers.heif.layout import File
from labeling.containers.heif.pictures import Pictures
from labeling.containers.syntax.isobmff import children, descend, first_at, printable
from labeling.errors import LabelingError
from labeling.losses import Loss

QUALITY = 90
"""Default quality (1–100) of the re-encoded frames."""

_SRGB = ((1, 2), (1, 2, 6, 13))
"""Primaries, and transfer functions, for which the encoder's own description of the colour is right."""

_INSTEAD = "convert it to MP4, or label it without the visible text (`visible=False`)"


def paint_sequence(raw: bytes, file: File, painter: Painter, quality: int | None, max_pixels: int) -> Painted:
    """Paint on every frame of an image sequence.

    Raises:
        LabelingError: The encoder cannot write the sequence as it is.
    """
    if not is_avif(raw):
        raise LabelingError("a label cannot be drawn on an image sequence in HEIC", hint=_INSTEAD)
    image = open_picture(raw, "heif", max_pixels)
    if reason := _obstacle(file) or ("has a clean aperture" if image.info.get(CLEAN_APERTURE) else ""):
        message = f"the image sequence {reason}, which the encoder for sequences would not keep"
        raise LabelingError(message, hint=_INSTEAD)
    quality = QUALITY if quality is None else quality
    turned = image.getexif().get(ORIENTATION, 1)  # Pillow reports the properties as this tag, and writes them back
    how = f"AVIF sequence re-encoded, quality {quality}"
    painted = recode(image, "AVIF", painter, turned, {"quality": quality}, lossless=False, how=how)
    lost = () if _is_endless(file) else (Loss("number of loops", "AVIF edit list", "the encoder writes endless loops"),)
    return replace(painted, lost=lost)


def _obstacle(file: File) -> str:
    """Say what of a sequence Pillow would lose without a word; empty if nothing."""
    view = file.view
    for track in file.tracks:
        if track.handler not in (b"pict", b"auxv"):
            return f"has a track of the kind {printable(track.handler)}"
    moov = next(each for each in file.boxes if each.type == b"moov")
    for stsd in descend(view, moov, b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        # The entries are visual sample entries: boxes follow 78 bytes of fields (ISO/IEC 14496-12, 12.1.3).
        raw = bytes(view[stsd.body + 8 : stsd.end])
        at = raw.find(b"av1C")
        if 0 < at < len(raw) - 7 and raw[at + 6] & 0x40:
            return "has more than 8 bits a sample"
        at = raw.find(b"colrnclx")
        if at > 0 and len(raw) >= at + 12:
            codes = int.from_bytes(raw[at + 8 : at + 10], "big"), int.from_bytes(raw[at + 10 : at + 12], "big")
            if codes[0] not in _SRGB[0] or codes[1] not in _SRGB[1]:
                return f"has colours of its own (nclx {codes[0]}/{codes[1]})"
    if file.meta is not None:
        known = {b"av01", b"Exif", b"mime"}
        kinds = {item.type for item in file.meta.items.values()} - known
        if kinds:
            return f"has items of the type {printable(min(kinds))}"
        colour = Pictures(file, file.meta).nclx(file.meta.primary)
        if colour is not None and (colour[0] not in _SRGB[0] or colour[1] not in _SRGB[1]):
            return f"has colours of its own (nclx {colour[0]}/{colour[1]})"
    return ""


def _is_endless(file: File) -> bool:
    """Return whether a sequence is repeated without end, as it is if it has no edit list (ISO/IEC 23008-12, 9.6.1)."""
    view = file.view
    moov = next(each for each in file.boxes if each.type == b"moov")
    elst = first_at(view, moov, b"trak", b"edts", b"elst")
    if elst is None:
        return True
    for mvhd in children(view, moov, b"mvhd"):
        wide = view[mvhd.body] == 1
        at, size = (24, 8) if wide else (16, 4)
        duration = bytes(view[mvhd.body + at : mvhd.body + at + size])
        return bool(view[elst.body + 3] & 1) and duration == b"\xff" * size
    return False
