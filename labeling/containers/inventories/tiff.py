"""What TIFF files hold: every tag of every directory, and how their samples are stored."""

from __future__ import annotations

from collections.abc import Iterator

from labeling._tiff_ifd import EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS, Ifd, Tiff, read_tiff
from labeling._tiff_ifd import Entry as Field
from labeling.containers.base import Buffer, Contents, Entry, Measure, digest, digest_of_part
from labeling.filebytes import Pieces

MAX_PAGES = 4096
"""Limit on the directories of one file."""

_C2PA = 0xCD41
_BLOCKS = frozenset({0x02BC, 0x83BB, 0x8649, 0x8773, _C2PA})
"""Tags that are metadata blocks: XMP, IPTC, Photoshop resources, ICC, C2PA."""

_IN_EXIF_BLOCK = frozenset({0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x9286, 0x0112})
"""Tags of IFD0 that are in the EXIF block."""

_BELOW = ("Exif", "GPS")
_NOT_IN_EXIF_BLOCK = frozenset({0x927C, INTEROP_IFD})

_STORAGE = frozenset({
    EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS,
    0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, 0x0115, 0x0116, 0x0117, 0x011C, 0x0120, 0x0121, 0x013D,
    0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x0152, 0x0153, 0x015B, 0x0200, 0x0201, 0x0202, 0x0203, 0x0205, 0x0206,
    0x0207, 0x0208, 0x0209, 0x0211, 0x0212, 0x0213, 0x0214,
})  # fmt: skip
"""Tags that say how samples are stored: the properties that matter are entries of their own."""

_MODELS = {2: "RGB", 5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "CFA", 34892: "LinearRaw"}
_LOSSY = frozenset({6, 7, 34712, 34887, 34892, 50001})
_FORMATS = {2: "signed", 3: "floating point", 5: "complex", 6: "complex"}
_UNITS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def inventory(data: Buffer | Pieces, contents: Contents) -> Iterator[Entry]:
    """List what a TIFF file holds (TIFF 6.0, BigTIFF)."""
    del contents
    tiff = read_tiff(data, max_ifds=MAX_PAGES)
    for ifd in tiff.ifds:
        last = ifd.name.rpartition("/")[2]
        if last in ("Exif", "GPS", "Interop"):
            yield from _tags(tiff, ifd, "exif")
        elif ifd.entries.keys() != {_C2PA}:  # a directory that c2pa adds for the manifest alone
            yield Entry(f"ifd:{ifd.name}", b"", f"directory {ifd.name}", f"TIFF {ifd.name}")
            yield from _samples(tiff, ifd)
            yield from _tags(tiff, ifd, "ifd")


def _tags(tiff: Tiff, ifd: Ifd, prefix: str) -> Iterator[Entry]:
    for tag, field in ifd.entries.items():
        if tag in _BLOCKS or tag in _STORAGE:
            continue
        in_block = tag in _IN_EXIF_BLOCK if ifd.name == "IFD0" else ifd.name in _BELOW and tag not in _NOT_IN_EXIF_BLOCK
        if in_block:
            continue
        key = f"{prefix}:{ifd.name}:0x{tag:04X}"
        yield Entry(key, _value(tiff, field), f"TIFF tag 0x{tag:04X}", f"TIFF {ifd.name}")


def _value(tiff: Tiff, field: Field) -> bytes:
    if field.length > 128 << 10:
        return digest_of_part(tiff.data, field.value_offset, field.value_offset + field.length)
    value = tiff.value(field)
    unit = _UNITS.get(field.type, 1)
    if tiff.byte_order == ">" and unit > 1:
        value = b"".join(value[at : at + unit][::-1] for at in range(0, len(value), unit))
    return digest(value)


def _samples(tiff: Tiff, ifd: Ifd) -> Iterator[Entry]:
    """List the properties of the samples of one page."""

    def numbers(tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
        field = ifd.entries.get(tag)
        return (tiff.ints(field, 16) if field is not None else ()) or default

    key, where = f"ifd:{ifd.name}", f"TIFF {ifd.name}"
    if 0x0100 not in ifd.entries:
        return
    width, height = numbers(0x0100, (0,))[0], numbers(0x0101, (0,))[0]
    photometric, samples = numbers(0x0106, (-1,))[0], numbers(0x0115, (1,))[0]
    bits = min(numbers(0x0102, (1,)))
    yield Entry(f"{key}:size", f"{width}×{height}", "size", where)
    if photometric != 3:
        yield Entry(f"{key}:bit-depth", Measure(bits, f"{bits} bits"), "bit depth", where)
    if photometric in _MODELS:
        yield Entry(f"{key}:colour-model", _MODELS[photometric], "colour model", where)
    if (kind := _FORMATS.get(numbers(0x0153, (1,))[0])) is not None:
        yield Entry(f"{key}:sample-format", kind, "sample format", where)
    if 0x0152 in ifd.entries:
        yield Entry(f"{key}:alpha", str(samples), "alpha or extra samples", where)
    if numbers(0x0103, (1,))[0] not in _LOSSY:
        yield Entry(f"{key}:coding", "lossless", "lossless coding", where)
    if 0x0201 in ifd.entries:
        yield Entry(f"{key}:thumbnail", b"", "JPEG thumbnail", where)
