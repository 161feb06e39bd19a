"""Camera raw files that are TIFF inside: IFD0 shows a small preview, and the picture is sensor data in a SubIFD."""

from __future__ import annotations

from labeling._tiff_ifd import Ifd, Tiff

_SENSOR_DATA = {32803, 34892}
"""PhotometricInterpretation: colour filter array (TIFF/EP, ISO 12234-2), and LinearRaw (DNG)."""

_RAW_COMPRESSIONS = {32767: "Sony ARW", 32769: "", 32770: "Samsung SRW", 32867: "Kodak KDC", 34713: "Nikon NEF",
                     65000: "Kodak DCR", 65535: "Pentax PEF"}  # fmt: skip
_MAKERS = {
    "canon": "Canon", "nikon": "Nikon NEF", "sony": "Sony ARW", "pentax": "Pentax PEF", "ricoh": "Pentax PEF",
    "samsung": "Samsung SRW", "hasselblad": "Hasselblad 3FR", "phase one": "Phase One IIQ", "leaf": "Leaf MOS",
    "mamiya": "Mamiya MEF", "seiko epson": "Epson ERF", "eastman kodak": "Kodak DCR", "kodak": "Kodak DCR",
    "olympus": "Olympus ORF", "panasonic": "Panasonic RW2",
}  # fmt: skip
_DNG_VERSION, _CFA_PATTERN, _MAKE = 50706, 33422, 271


def camera_raw(tiff: Tiff) -> str:
    """Return what kind of camera raw file it is, such as ``DNG``; ``""`` if it is none.

    A plain TIFF file that a camera wrote is none: the maker's name alone decides nothing.
    """
    if not tiff.ifds:
        return ""
    first = tiff.ifds[0]
    if _DNG_VERSION in first.entries:
        return "DNG"
    make, marker = _make(tiff, first), bytes(tiff.data[8:12])
    if marker == b"CR\2\0" and make.startswith("canon"):
        return "Canon CR2"
    if marker in (b"IIII", b"MMMM") and make.startswith(("phase one", "leaf", "mamiya")):
        return "Phase One IIQ"
    for ifd in tiff.ifds:
        compression = _number(tiff, ifd, 259)
        if compression in _RAW_COMPRESSIONS:
            return _RAW_COMPRESSIONS[compression] or _by_maker(make)
        if _number(tiff, ifd, 262) in _SENSOR_DATA or (_CFA_PATTERN in ifd.entries and 256 in ifd.entries):
            return _by_maker(make)
    return ""


def _make(tiff: Tiff, first: Ifd) -> str:
    return tiff.ascii(first.entries[_MAKE], 64).strip().lower() if _MAKE in first.entries else ""


def _by_maker(make: str) -> str:
    return next((name for maker, name in _MAKERS.items() if make.startswith(maker)), "of an unknown maker")


def _number(tiff: Tiff, ifd: Ifd, tag: int) -> int:
    values = tiff.ints(ifd.entries[tag], 1) if tag in ifd.entries else ()
    return values[0] if values else 0
