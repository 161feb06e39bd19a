"""Thumbnails: a JPEG stream in a directory of its own, in TIFF files and in EXIF (Exif 3.0, 4.5)."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from labeling._tiff_ifd import Ifd, read_tiff
from labeling.codecs.base import Box, Pixels
from labeling.codecs.jpeg import paint as jpeg
from labeling.codecs.pixels import check_size, decoding, open_with
from labeling.codecs.smaller import Given
from labeling.codecs.tiff import samples
from labeling.codecs.tiff.editor import Editor
from labeling.codecs.tiff.page import PALETTE, parse
from labeling.containers.syntax.photoshop import thumbnail_range
from labeling.errors import LabelingError, UnsupportedFormat

Scale = Callable[[int, int], tuple[Box, Pixels]]
"""Gives the box and the overlay for a copy of this width and height."""

MAX_EXIF = 65527
"""Bytes of an EXIF structure that fit the APP1 segment of a JPEG file, behind its length and ``Exif\\0\\0``."""

_STREAM, _STREAM_LENGTH = 0x0201, 0x0202
_QUALITIES = (85, 70, 50, 30)
_HEADER, _AS_JPEG = 28, b"\0\0\0\x01"


def is_stream(ifd: Ifd) -> bool:
    """Return whether a directory holds its picture as a JPEG stream, and not in strips or tiles."""
    return {_STREAM, _STREAM_LENGTH} <= set(ifd.entries) and not {273, 324} & set(ifd.entries)


def repaint_stream(editor: Editor, ifd: Ifd, scale: Scale, max_pixels: int, limit: int = 0) -> None:
    """Lay an overlay on the JPEG stream of a directory.

    Args:
        editor: The copy of the structure.
        ifd: The directory.
        scale: Gives the overlay.
        max_pixels: Limit on its pixels.
        limit: Limit on the bytes of the structure; 0 for none.

    Raises:
        UnsupportedFormat: It cannot be painted on, or would become too large.
        UnreadableFile: It is damaged.
    """
    offsets, counts = ifd.entries[_STREAM], ifd.entries[_STREAM_LENGTH]
    raw = editor.run(offsets, counts, 0)
    with decoding("thumbnail"):
        image = open_with("JpegImagePlugin:JpegImageFile", raw)
    check_size(*image.size, max_pixels=max_pixels)
    box, overlay = scale(*image.size)
    room = limit - (len(editor.data) - len(raw)) if limit else len(raw) + (1 << 20)
    made = _painted(raw, image, box, overlay, room, max_pixels)
    editor.replace_run(offsets, counts, 0, made)
    if limit and len(editor.data) > limit:
        raise UnsupportedFormat(f"the EXIF would have {len(editor.data)} bytes with the label in its thumbnail")


def _painted(raw: bytes, image: Image.Image, box: Box, overlay: Pixels, room: int, max_pixels: int) -> bytes:
    """Paint on the blocks of a JPEG stream; on its pixels where that cannot be done, or has no room."""
    try:
        made = jpeg.paint(raw, Given(box, overlay), orientation=1, quality=None, max_pixels=max_pixels).data
    except UnsupportedFormat:
        made = b""
    return made if made and len(made) <= room else _encoded(image, box, overlay, room)


def _encoded(image: Image.Image, box: Box, overlay: Pixels, room: int) -> bytes:
    """Paint on a thumbnail's pixels and encode it as JPEG of a quality that fits."""
    with decoding("thumbnail"):
        rgb = image.convert("RGB")
    layer = Image.fromarray(overlay)
    rgb.paste(layer.convert("RGB"), box[:2], layer)
    for quality in _QUALITIES:
        out = io.BytesIO()
        rgb.save(out, "JPEG", quality=quality)
        if len(out.getvalue()) <= room:
            return out.getvalue()
    raise UnsupportedFormat("the thumbnail has no room for the label")


def in_exif(structure: bytes, scale: Scale, max_pixels: int) -> bytes | None:
    """Return an EXIF structure with the overlay on its thumbnail; ``None`` if it has no thumbnail.

    Raises:
        LabelingError: The thumbnail cannot be painted on.
    """
    tiff = read_tiff(structure)
    ifd = tiff.ifd("IFD1")
    if ifd is None or not {_STREAM, 273} & set(ifd.entries):
        return None
    if not tiff.sound:
        raise LabelingError(f"the EXIF is malformed ({next(iter(tiff.problems), 'no reason given')})")
    editor = Editor(tiff)
    if is_stream(ifd):
        repaint_stream(editor, ifd, scale, max_pixels, MAX_EXIF)
    else:
        page = parse(tiff, ifd, max_pixels)
        if page.photometric == PALETTE:
            raise UnsupportedFormat("a thumbnail with a palette cannot be painted on")
        samples.lay(editor, page, *scale(page.width, page.height))
    return bytes(editor.data.pieces())


def in_resources(resources: bytes, scale: Scale, max_pixels: int) -> bytes | None:
    """Return Photoshop's image resources with the overlay on the thumbnail; ``None`` if they have none.

    The thumbnail has 28 bytes of header, with its length at 20, and a JPEG stream (Adobe Photoshop File Formats
    Specification, Thumbnail Resource Format). It keeps its place and room.

    Raises:
        LabelingError: The thumbnail cannot be painted on.
    """
    where = thumbnail_range(resources)
    if where is None:
        return None
    body = resources[slice(*where)]
    raw, room = body[_HEADER:], len(body) - _HEADER
    if body[:4] != _AS_JPEG or raw[:2] != b"\xff\xd8":
        raise UnsupportedFormat("the Photoshop thumbnail is no JPEG")
    with decoding("thumbnail"):
        image = open_with("JpegImagePlugin:JpegImageFile", raw)
    check_size(*image.size, max_pixels=max_pixels)
    made = _painted(raw, image, *scale(*image.size), room, max_pixels)
    head = body[:20] + len(made).to_bytes(4, "big") + body[24:_HEADER]
    return resources[: where[0]] + head + made.ljust(room, b"\0") + resources[where[1] :]
