"""EXIF: labels and traces that others put there, and the three tags that we write on request.

Specification: CIPA DC-008 (Exif 3.0). Reading is our own and bounded, since wild EXIF is often malformed (a sub-IFD
without its next-IFD pointer is common). Writing goes through piexif, which trusts the counts and offsets it reads, so
it only gets structures that our reader has checked, and what it returns is read back.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from labeling import _tiff_ifd
from labeling.errors import LabelingError
from labeling.label import Label
from labeling.marks import aigc

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

_LABEL_TAGS = (USER_COMMENT, 0x010E)

_CODES = (b"ASCII\0\0\0", b"\0" * 8)
"""How a UserComment of single bytes begins (CIPA DC-008, 4.6.5); the second means that the code is not known."""

MAX_TEXT = 256 << 10

MAX_REWRITTEN = 4 << 20
"""Bytes of all values of a structure that is rewritten. Values may overlap: their sum is not bounded by its size."""

_MADE = (0x9003, 0x9004)
"""DateTimeOriginal and DateTimeDigitized."""

_OURS = {"Software", "DateTime", "ImageDescription"}


class Fields(NamedTuple):
    """What was read: the texts of the tags that matter, as (name, text), the orientation (1-8), what was malformed.

    ``dated`` says whether DateTimeOriginal or DateTimeDigitized give the time at which the picture was made. ``unread``
    says why a label may be there that is not among the texts; damage elsewhere in the structure is not its concern.
    """

    texts: tuple[tuple[str, str], ...]
    orientation: int
    problem: str
    dated: bool = False
    unread: str = ""


def read(data: bytes) -> Fields:
    """Read the texts of a TIFF structure (without "Exif\\0\\0"). Never raises: ``problem`` says what is malformed."""
    tiff = _tiff_ifd.read_tiff(data)
    texts: list[tuple[str, str]] = []
    orientation = 1
    unread = [why for name, why in tiff.missed if name in _LABEL_IFDS]
    for ifd in tiff.ifds:
        if ifd.name not in _LABEL_IFDS:
            continue
        for tag, name in _TEXT_TAGS.items():
            for field in ifd.all(tag):
                text = _text_of(tiff, field)
                if name in LABEL_TAGS and (why := _hidden(tiff, field, text)):
                    unread.append(f"the {name} in {ifd.name} {why}")
                texts.append((name, text))
        if ifd.name == "IFD0" and (entry := ifd.entries.get(ORIENTATION)) is not None:
            value = int.from_bytes(tiff.value(entry, limit=2), "little" if tiff.byte_order == "<" else "big")
            orientation = value if 1 <= value <= 8 else 1
    own = tiff.ifd("Exif")
    dated = own is not None and any(
        tag in own.entries and tiff.value(own.entries[tag], limit=20).strip(b"\0 :0") for tag in _MADE
    )
    return Fields(tuple(texts), orientation, next(iter(tiff.problems), ""), dated, next(iter(unread), ""))


def _text_of(tiff: _tiff_ifd.Tiff, entry: _tiff_ifd.Entry) -> str:
    if entry.tag == USER_COMMENT:
        return _comment(_from_text_on(tiff, entry, 8), tiff.byte_order)
    if entry.tag >= 0x9C9B:  # Windows writes its own tags in UTF-16, little-endian whatever the file is
        return tiff.value(entry, limit=MAX_TEXT).decode("utf-16-le", "replace").rstrip("\0 ")
    return _ascii(_from_text_on(tiff, entry, 0))


def _from_text_on(tiff: _tiff_ifd.Tiff, entry: _tiff_ifd.Entry, head: int) -> bytes:
    """Return the first :data:`MAX_TEXT` bytes of a text behind its ``head``, which blanks before it do not use up."""
    if entry.length <= MAX_TEXT:
        return tiff.value(entry, limit=MAX_TEXT)
    raw = tiff.value(entry)
    blanks = len(raw) - head - len(raw[head:].lstrip(b" \t\r\n\0"))
    start = head + blanks // 2 * 2  # a character of UTF-16 stays whole
    return raw[:head] + raw[start : start + MAX_TEXT]


_LABEL_IFDS = ("IFD0", "Exif")


def _hidden(tiff: _tiff_ifd.Tiff, entry: _tiff_ifd.Entry, text: str) -> str:
    """Say why ``text``, what was read of a value, may be less than a label that is there; empty if it is not."""
    if entry.count and entry.type not in _tiff_ifd.TYPE_SIZES:
        return f"is of the unknown type {entry.type}"
    if entry.length > 4 and entry.value_offset + entry.length > len(tiff.data):
        begun = text.lstrip(" \t\r\n\0\ufeff")
        if (not begun or begun.startswith(_BEGINNINGS)) and aigc.read(text, "", named=False) is None:
            return "reaches beyond the end of the EXIF data"
    return ""


_BEGINNINGS = ("{", "[", "A", "a", '"', "e", "Q")
"""First characters of every form in which labels are read: JSON, ``AIGC{…}``, a string of JSON, Base64."""


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
    if code in _CODES:
        return _ascii(text)
    return _ascii(raw)


def thumbnail(data: bytes) -> bytes:
    """Return the picture data of the thumbnail in a TIFF structure; empty if it has none."""
    tiff = _tiff_ifd.read_tiff(data)
    ifd = tiff.ifd("IFD1")
    for start, length in ((0x0201, 0x0202), (0x0111, 0x0117)):
        if ifd is not None and start in ifd.entries and length in ifd.entries:
            at, size = (tiff.ints(ifd.entries[tag], 1) for tag in (start, length))
            return data[at[0] : at[0] + size[0]] if at and size else b""
    return b""


def label_entries(data: bytes) -> list[tuple[str, _tiff_ifd.Entry]]:
    """Return the entries of a TIFF structure whose text holds a label, each with the name of its directory."""
    tiff = _tiff_ifd.read_tiff(data)
    found = []
    for ifd in tiff.ifds:
        for entry in (each for tag in _LABEL_TAGS for each in ifd.all(tag)):
            if not 8 < entry.length <= len(data) - entry.value_offset:
                continue
            if aigc.read(_text_of(tiff, entry), "", named=False) is not None:
                found.append((ifd.name, entry))
    return found


def without_label(data: bytes) -> bytes:
    """Return the structure with each text that holds a label overwritten by blanks, every offset unchanged.

    It removes a label of ours that moves to its proper carrier: a file may hold only one (GB 45438-2025 6.1 c). Texts
    that are no label stay.
    """
    out = bytearray(data)
    for _, entry in label_entries(data):
        old = out[entry.value_offset : entry.value_offset + entry.length]
        end = b"\0" if old.endswith(b"\0") else b""
        start = b"" if entry.tag != USER_COMMENT else bytes(old[:8]) if bytes(old[:8]) in _CODES else _CODES[0]
        blanks = b" " * (len(old) - len(start) - len(end))
        out[entry.value_offset : entry.value_offset + entry.length] = start + blanks + end
    return bytes(out)


_SIZES = {("IFD0", 0x0100): 0, ("IFD0", 0x0101): 1, ("Exif", 0xA002): 0, ("Exif", 0xA003): 1}
"""Tags that repeat the size of the picture: which of (width, height) each gives."""

_THUMBNAIL_RANGES = ((0x0201, 0x0202), (0x0111, 0x0117))


def fitted(data: bytes, width: int, height: int) -> bytes:
    """Return the structure for a copy of the picture that is upright and has another size.

    The orientation becomes 1, tags that repeat the size get the new one, and the thumbnail, which shows the old
    picture, is emptied and taken out of the chain. Every offset stays, so that maker notes stay readable.
    """
    tiff = _tiff_ifd.read_tiff(data)
    out = bytearray(data)
    order: Literal["little", "big"] = "little" if tiff.byte_order == "<" else "big"
    for ifd in tiff.ifds:
        for tag, entry in ifd.entries.items():
            axis = _SIZES.get((ifd.name, tag))
            number = 1 if (ifd.name, tag) == ("IFD0", ORIENTATION) else None if axis is None else (width, height)[axis]
            size = {3: 2, 4: 4}.get(entry.type)
            if number is not None and size is not None and entry.count == 1 and number < 1 << 8 * size:
                out[entry.value_offset : entry.value_offset + size] = number.to_bytes(size, order)
    first, second = tiff.ifd("IFD0"), tiff.ifd("IFD1")
    if first is not None and second is not None and not tiff.big:
        for start, length in _THUMBNAIL_RANGES:
            if start in second.entries and length in second.entries:
                for at, size in zip(tiff.ints(second.entries[start]), tiff.ints(second.entries[length]), strict=False):
                    end = min(at + size, len(out))
                    out[at:end] = bytes(max(0, end - at))
        out[first.next_offset_at : first.next_offset_at + 4] = bytes(4)
        if (end := _used(bytes(out))) < len(out):
            del out[end:]
    return bytes(out)


def _used(data: bytes) -> int:
    """Return where the last directory or value of a structure ends."""
    tiff = _tiff_ifd.read_tiff(data)
    ends = [entry.value_offset + entry.length for ifd in tiff.ifds for entry in ifd.entries.values()]
    ends += [ifd.next_offset_at + 4 for ifd in tiff.ifds]
    return min(max(ends, default=len(data)), len(data)) if tiff.sound else len(data)


def encode(existing: bytes | None, label: Label, *, description: str = "") -> bytes:
    """Return an EXIF structure with Software, DateTime and ImageDescription set from the label, the rest as it was.

    Args:
        existing: The file's EXIF as a TIFF structure, without ``Exif\\0\\0``; ``None`` if it has none.
        label: Gives Software and DateTime, as far as it knows them.
        description: The ImageDescription; ``""`` keeps the one that is there.

    Raises:
        LabelingError: The existing structure is too malformed, or too large, to be rewritten without loss.
    """
    import piexif

    _check_bounds(existing)
    tags: dict[int, bytes] = {}
    if label.generator:
        tags[piexif.ImageIFD.Software] = f"{label.generator} {label.generator_version}".strip().encode()
    if label.created is not None:
        tags[piexif.ImageIFD.DateTime] = label.created.strftime("%Y:%m:%d %H:%M:%S").encode()
    if description:
        tags[piexif.ImageIFD.ImageDescription] = description.encode()
    try:
        fields = piexif.load(b"Exif\0\0" + existing) if existing else {"0th": {}, "Exif": {}}
        fields["0th"].update(tags)
        dumped: bytes = piexif.dump(fields).removeprefix(b"Exif\0\0")
    except Exception as error:
        raise _refused(str(error)) from error
    _check_written(existing, dumped)
    return dumped


def _check_bounds(existing: bytes | None) -> None:
    """Refuse a structure that could make piexif read out of bounds, or ask for memory without end."""
    if existing is None:
        return
    tiff = _tiff_ifd.read_tiff(existing)
    if not tiff.sound:
        raise _refused(next(iter(tiff.problems), "it is malformed"))
    if sum(entry.length for ifd in tiff.ifds for entry in ifd.entries.values()) > MAX_REWRITTEN:
        raise _refused(f"its values have more than {MAX_REWRITTEN >> 20} MiB")


def _check_written(existing: bytes | None, dumped: bytes) -> None:
    """Read back what piexif has written: it must be sound and still hold what is not ours."""
    before = read(existing) if existing else Fields((), 1, "")
    after = read(dumped)
    kept = [pair for pair in before.texts if pair[0] not in _OURS]
    if not _tiff_ifd.read_tiff(dumped).sound or after.orientation != before.orientation:
        raise _refused("it did not read back")
    if lost := [name for name, text in kept if (name, text) not in after.texts]:
        raise _refused(f"{lost[0]} would be lost")


def _refused(why: str) -> LabelingError:
    return LabelingError(f"the file's EXIF cannot be rewritten without loss ({why})", hint="leave out `exif`")
