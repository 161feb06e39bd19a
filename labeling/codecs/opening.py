"""Open a picture file with the one library that its content calls for."""

from __future__ import annotations

from typing import Any

from labeling.codecs.heif.stated_size import check_stated_size
from labeling.codecs.pixels import check_size, decoding, open_with
from labeling.containers import formats
from labeling.containers.base import Buffer
from labeling.containers.format_row import resolve
from labeling.containers.heif.layout import parse
from labeling.containers.heif.pictures import Pictures
from labeling.containers.syntax.isobmff import children, printable
from labeling.errors import MissingDependency, TooLarge, UnsupportedFormat

CLEAN_APERTURE = "clean aperture"
"""Key in the ``info`` of an opened picture: the box that is shown, or ``None`` for the whole picture."""


def is_avif(data: Buffer) -> bool:
    """Return whether a HEIF file contains AV1 and not HEVC, by the brands of its ftyp box (ISO/IEC 14496-12, 4.3)."""
    size = min(int.from_bytes(bytes(data[:4]), "big"), 256)
    brands = bytes(data[8:size])
    return b"avif" in brands or b"avis" in brands


def open_picture(data: Buffer, format: str, max_pixels: int) -> Any:
    """Open a file without decoding it, and check the size that its header gives.

    Args:
        data: The file.
        format: Its format's name in :data:`labeling.containers.formats.FORMATS`.
        max_pixels: Limit on the pixels of one frame.

    Returns:
        A Pillow image file, or for HEIC a ``pillow_heif.HeifFile``.

    Raises:
        UnreadableFile: The header is damaged.
        TooLarge: The picture is beyond the limit.
        UnsupportedFormat: No decoder is known for the format.
        MissingDependency: The library that decodes HEIC is not installed.
    """
    row = formats.find(format)
    if row is None or not (row.plugin or row.opener):
        raise UnsupportedFormat(f"a {format} file cannot be decoded here", hint="convert it to PNG first")
    with decoding(row.name.upper()):
        image = resolve(row.opener, "labeling.codecs")(data, max_pixels) if row.opener else open_with(row.plugin, data)
        width, height = image.size
        check_size(width, height, getattr(image, "n_frames", 1), max_pixels=max_pixels)
        if row.coded_check:
            resolve(row.coded_check, "labeling.codecs")(data, width, height)
    return image


def open_webp(data: Buffer, max_pixels: int) -> Any:
    """Open a WebP file with Pillow. Its decoder allocates memory at once, so the size is checked before that."""
    check_size(*webp_canvas(bytes(data[:30])), max_pixels=max_pixels)
    return open_with("WebPImagePlugin:WebPImageFile", data)


def open_heif(data: Buffer, max_pixels: int) -> Any:
    """Open an AVIF file with Pillow, or a HEIC file with pillow-heif."""
    pictures = _pictures_of(data)
    if pictures is not None:
        _check_heif(pictures, max_pixels)
    if is_avif(data):
        with decoding("AVIF"):
            image = open_with("AvifImagePlugin:AvifImageFile", data)
            image.info[CLEAN_APERTURE] = _clean_aperture_of(pictures)
            return image
    return heif_library().open_heif(bytes(data), convert_hdr_to_8bit=True)


_DECODED = (b"hvc1", b"hev1", b"av01", b"grid", b"iden", b"iovl", b"tmap", b"jpeg", b"")
_MOST_PIXELS, _LONGEST = 16384 * 16384, 32768
"""Limits of libavif, which Pillow decodes AVIF with."""

_MOST_ITEMS, _LONGEST_LINKS = 1 << 14, 1 << 18
"""Items of a file, and bytes of the boxes that refer to them: libavif 1.4 looks each item up among all others, also one
that is only referred to. A grid of 100 megapixels in tiles of 512×512 has 400."""


def _pictures_of(data: Buffer) -> Pictures | None:
    file = parse(data)
    return Pictures(file, file.meta) if file.meta is not None else None


def _check_heif(pictures: Pictures, max_pixels: int) -> None:
    """Refuse a primary picture that the decoders do not take, and say why: their own words would be misleading.

    Raises:
        UnsupportedFormat: It is coded in another way.
        TooLarge: It has too many pixels, or the file too many items.
        UnreadableFile: It is said to be larger than it is coded.
    """
    meta = pictures.meta
    links = [each for each in meta.boxes if each.type == b"iref"]
    links += [
        each for iprp in meta.boxes if iprp.type == b"iprp" for each in children(pictures.file.view, iprp, b"ipma")
    ]
    linked = sum(each.end - each.start for each in links)
    if max(len(meta.items), len(meta.locations)) > _MOST_ITEMS or linked > _LONGEST_LINKS:
        raise TooLarge(f"it has more than {_MOST_ITEMS:,} items, or too much that links them, to be given to a decoder")
    number = meta.primary
    kind = pictures.kind(number)
    if kind not in _DECODED:
        name = _CODINGS.get(kind) or f"items of the type {printable(kind)}"
        raise UnsupportedFormat(f"HEIF with {name} cannot be decoded here", hint="convert it to PNG first")
    width, height = pictures.size(number)
    if width and height:
        check_size(width, height, max_pixels=max_pixels)
    if is_avif(pictures.file.view) and (width * height > _MOST_PIXELS or max(width, height) > _LONGEST):
        raise TooLarge(f"the AVIF picture has {width}×{height} pixels, more than the decoder takes (16384×16384)")
    check_stated_size(pictures, max_pixels)


_CODINGS = {
    b"unci": "uncompressed pictures (ISO/IEC 23001-17)", b"avc1": "H.264 pictures", b"vvc1": "H.266 pictures",
    b"evc1": "EVC pictures", b"j2k1": "JPEG 2000 pictures", b"lhv1": "layered HEVC pictures",
    b"mski": "masks", b"hvt1": "HEVC tiles",
}  # fmt: skip
"""Item types that are not decoded here, in words."""


def _clean_aperture_of(pictures: Pictures | None) -> tuple[int, int, int, int] | None:
    """Return the part of an AVIF picture that is shown, before it is turned; ``None`` for the whole of it.

    Pillow does not apply this property (clap; ISO/IEC 23008-12, 6.5.9); pillow-heif does.
    """
    if pictures is None:
        return None
    rect, _ = pictures.turns(pictures.meta.primary)
    return rect if rect != (0, 0, *pictures.size(pictures.meta.primary)) else None


def webp_canvas(head: bytes) -> tuple[int, int]:
    """Return (width, height) from the first 30 bytes of a WebP file (RFC 9649, 2.5 to 2.7); (0, 0) where unknown."""
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return 0, 0


def heif_library() -> Any:
    """Import pillow-heif.

    Raises:
        MissingDependency: It is not installed; the message contains the command that installs it.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingDependency("HEIC pictures need pillow-heif", hint="pip install 'aigc-labeling[heif]'") from error
    return pillow_heif
