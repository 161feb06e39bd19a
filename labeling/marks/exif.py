"""EXIF: labels and traces that others put there, and the few tags that we write where asked to.

Specification: CIPA DC-008 (Exif 3.0). Reading is our own and bounded, since wild EXIF is often malformed (a sub-IFD
without its next-IFD pointer is common); writing goes through piexif.
"""

from __future__ import annotations

from dataclasses import dataclass

from labeling import _tiff_ifd
from labeling.errors import LabelingError
from labeling.label import Label

USER_COMMENT = 0x9286
ORIENTATION = 0x0112
_TEXT_TAGS = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x0132: "DateTime",
    0x013B: "Artist",
    0x8298: "Copyright",
    USER_COMMENT: "UserComment",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
}
LABEL_TAGS = ("UserComment", "ImageDescription")
"""Where labels have been seen: UserComment (Exif IFD and IFD0), ImageDescription (the schema of 2023)."""

MAX_TEXT = 256 << 10


@dataclass(frozen=True, slots=True)
class Fields:
    """The texts of the tags that matter, as (name, text), the orientation (1-8), and what was malformed."""

    texts: tuple[tuple[str, str], ...]
    orientation: int
    problem: str


def read(data: bytes) -> Fields:
    """Read the texts of a TIFF structure (without "Exif\\0\\0"). Never raises: ``problem`` says what is malformed."""
    tiff = _tiff_ifd.read_tiff(data)
    texts: list[tuple[str, str]] = []
    orientation = 1
    for ifd in tiff.ifds:
        if ifd.name not in ("IFD0", "Exif"):
            continue
        for tag, name in _TEXT_TAGS.items():
            entry = ifd.entries.get(tag)
            if entry is not None:
                raw = tiff.value(entry, limit=MAX_TEXT)
                if tag == USER_COMMENT:
                    text = _comment(raw, tiff.byte_order)
                elif tag >= 0x9C9B:  # Windows writes its own tags in UTF-16, little-endian whatever the file is
                    text = raw.decode("utf-16-le", "replace").rstrip("\0 ")
                else:
                    text = _ascii(raw)
                texts.append((name, text))
        if ifd.name == "IFD0" and (entry := ifd.entries.get(ORIENTATION)) is not None:
            value = int.from_bytes(tiff.value(entry, limit=2), "little" if tiff.byte_order == "<" else "big")
            orientation = value if 1 <= value <= 8 else 1
    return Fields(tuple(texts), orientation, tiff.problems[0] if tiff.problems else "")


def _ascii(raw: bytes) -> str:
    raw = raw.rstrip(b"\0 ")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _comment(raw: bytes, byte_order: str) -> str:
    """UserComment starts with eight bytes that name its character code (CIPA DC-008, 4.6.5); some leave them out."""
    code, text = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        encoding = "utf-16-le" if byte_order == "<" else "utf-16-be"
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            encoding = "utf-16"
        elif text[1:2] == b"\0":
            encoding = "utf-16-le"  # written in the other byte order than the file's: seen from several tools
        elif text[:1] == b"\0":
            encoding = "utf-16-be"
        return text.decode(encoding, "replace").rstrip("\0 ")
    if code == b"JIS\0\0\0\0\0":
        return text.decode("iso2022_jp", "replace").rstrip("\0 ")
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return _ascii(text)
    return _ascii(raw)


def blank_comment(data: bytes) -> bytes:
    """Give the structure with its UserComments overwritten by blanks, every offset unchanged.

    For a label of ours that moves to its proper carrier: exactly one may be in a file (GB 45438-2025 6.1 c).
    """
    tiff = _tiff_ifd.read_tiff(data)
    out = bytearray(data)
    for ifd in tiff.ifds:
        entry = ifd.entries.get(USER_COMMENT)
        if entry is not None and 8 < entry.length <= len(data) - entry.value_offset:
            out[entry.value_offset + 8 : entry.value_offset + entry.length] = b" " * (entry.length - 8)
    return bytes(out)


def encode(existing: bytes | None, label: Label, *, description: str = "") -> bytes:
    """Give an EXIF structure with Software, DateTime and ImageDescription set from the label, the rest as it was.

    Raises :class:`LabelingError` where the existing structure is too malformed to be rewritten without loss.
    """
    import struct

    import piexif

    try:
        fields = piexif.load(b"Exif\0\0" + existing) if existing else {"0th": {}, "Exif": {}}
        if label.generator:
            software = f"{label.generator} {label.generator_version}".strip()
            fields["0th"][piexif.ImageIFD.Software] = software.encode()
        if label.created is not None:
            fields["0th"][piexif.ImageIFD.DateTime] = label.created.strftime("%Y:%m:%d %H:%M:%S").encode()
        if description:
            fields["0th"][piexif.ImageIFD.ImageDescription] = description.encode()
        dumped: bytes = piexif.dump(fields)
    except (ValueError, KeyError, TypeError, IndexError, struct.error, OverflowError) as error:
        raise LabelingError(f"the file's EXIF cannot be rewritten without loss ({error}); leave out --exif") from error
    return dumped.removeprefix(b"Exif\0\0")
