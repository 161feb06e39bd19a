"""JPEG files with further pictures behind the first: every index leads to them still, and exiftool and c2pa agree."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from labeling import Labeler, verify
from labeling.marks.credentials import Signer

from .marks import signing
from .pictures import rgb

PRODUCER = "001191110102MACQD9K64010000"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def _jpeg(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88, **options)
    return out.getvalue()


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def _markers(data: bytes) -> bytes:
    """Markers of the segments ahead of the picture's scan: certificates and hashes hold those bytes by chance."""
    found, at = bytearray(), 2
    while data[at + 1] != 0xDA:
        found.append(data[at + 1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return bytes(found)


def _index(pictures: list[tuple[int, int]], order: str) -> bytes:
    """An MPF payload (CIPA DC-007, 5.2); ``pictures`` are (length, offset from the TIFF header)."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    ifd = struct.pack(order + "H", 3)
    ifd += struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100")
    ifd += struct.pack(order + "HHII", 0xB001, 4, 1, len(pictures))
    ifd += struct.pack(order + "HHIII", 0xB002, 7, 16 * len(pictures), 50, 0)
    return b"MPF\0" + head + ifd + b"".join(struct.pack(order + "IIIHH", 0, *each, 0, 0) for each in pictures)


def _directory(primary: str, further: list[bytes]) -> bytes:
    items = "".join(
        '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" '
        f'Item:Length="{len(each)}"/></rdf:li>'
        for each in further
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        'xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><Container:Directory><rdf:Seq>'
        f'<rdf:li rdf:parseType="Resource">{primary}</rdf:li>{items}'
        "</rdf:Seq></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


_ATTRIBUTES = '<Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg" Item:Length="{}" Item:Padding="7"/>'
_ELEMENTS = (
    '<Container:Item rdf:parseType="Resource"><Item:Mime>image/jpeg</Item:Mime><Item:Length>{}</Item:Length>'
    "<Item:Semantic>Primary</Item:Semantic></Container:Item>"
)


def _file(
    further: list[bytes],
    *,
    order: str = ">",
    primary: str = "",
    ahead: bool = True,
    padding: int = 0,
    tail: bytes = b"",
) -> bytes:
    """A first picture with an index ahead of or behind its packet, and with the true length of the first picture."""
    plain, length, start = _jpeg(rgb()), 0, 0
    for _ in range(3):  # the digits of the length are part of it
        packet = _segment(0xE1, _XMP + _directory(primary.format(length), further)) if primary else b""
        places, at = [(length + padding, 0)], length + padding
        for each in further:
            places.append((len(each), at - start))
            at += len(each)
        index = _segment(0xE2, _index(places, order))
        start = (2 if ahead else 2 + len(packet)) + 8
        first = plain[:2] + (index + packet if ahead else packet + index) + plain[2:]
        length = len(first)
    return first + bytes(padding) + b"".join(further) + tail


GAIN = _jpeg(rgb(80, 60, 2).convert("L"))
PREVIEW = _jpeg(rgb(160, 120, 3))


def _mpo() -> bytes:
    out = io.BytesIO()
    rgb().save(out, "MPO", save_all=True, append_images=[rgb(seed=2), rgb(seed=3)])
    return out.getvalue()


KINDS = {
    "gain map, big-endian": lambda: _file([GAIN]),
    "previews, little-endian, packet first": lambda: _file([PREVIEW, GAIN], order="<", ahead=False),
    "directory with the first length": lambda: _file([GAIN], primary=_ATTRIBUTES),
    "directory in elements": lambda: _file([GAIN, PREVIEW], primary=_ELEMENTS, ahead=False),
    "padding": lambda: _file([GAIN], padding=7),
    "video behind": lambda: _file([GAIN], tail=b"\0\0\0\x18ftypmp42" + bytes(4000)),
    "MPO": _mpo,
}


def _pictures(path: Path) -> list[bytes]:
    """The further pictures as exiftool cuts them out by the index; it gives the tags of all of them the same names."""
    command = ["exiftool", "-j", "-G1", "-a", "-MPImageStart", "-MPImageLength", str(path)]
    (tags,) = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    data = path.read_bytes()
    numbers = sorted({key.partition(":")[0] for key in tags if "MPImageStart" in key})
    spans = [(tags[f"{n}:MPImageStart"], tags[f"{n}:MPImageLength"]) for n in numbers]
    return [data[start : start + length] for start, length in spans]


def _first(data: bytes) -> int:
    """Offset after the first picture: by the scan of a decoder that stops there, not by any index."""
    at = data.index(b"\xff\xda")
    while data[at + 1] != 0xD9:
        at = data.index(b"\xff", at + 2)
    return at + 2


def _check(source: bytes, path: Path) -> None:
    data = path.read_bytes()
    before = path.with_name("source.jpg")
    before.write_bytes(source)
    want, have = _pictures(before), _pictures(path)
    assert have[1:] == want[1:]
    assert len(have) >= 2
    padding = len(want[0]) - _first(source)
    assert len(have[0]) == _first(data) + padding
    assert data[_first(data) :] == source[_first(source) :]
    if b'"Primary"' in source or b">Primary<" in source:
        done = subprocess.run(
            ["exiftool", "-a", "-s3", "-DirectoryItemLength", str(path)], check=True, capture_output=True, text=True
        )
        assert int(done.stdout.split()[0]) == _first(data)
    assert not any("MPF" in str(defect) for defect in verify(data).verdicts["cn"].warnings)


@pytest.mark.needs("exiftool")
@pytest.mark.parametrize(
    ("visible", "sign"), [(False, False), (False, True), (True, True)], ids=["metadata", "signed", "visible and signed"]
)
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_index_fits_after_each_labelling(kind: str, visible: bool, sign: bool, tmp_path: Path) -> None:
    source = KINDS[kind]()
    labeler = Labeler(PRODUCER, visible=visible, signer=signing.signer() if sign else None)
    data = source
    for _ in range(2):
        made = labeler.label_image(data)
        if kind == "MPO" and visible and "the visible label is there already" not in made.how:  # its views get it too
            assert "the label is on 2 of the 2 further pictures" in " ".join(made.how)
            source = made.data
        data = made.data
        (tmp_path / "out.jpg").write_bytes(data)
        _check(source, tmp_path / "out.jpg")
        assert not made.lost
        if sign:
            assert signing.witness(data)["validation_state"] == "Valid"


@pytest.mark.needs("exiftool")
@pytest.mark.parametrize("visible", [False, True], ids=["metadata", "visible"])
@pytest.mark.parametrize("kind", ["gain map, big-endian", "previews, little-endian, packet first"])
def test_an_index_that_another_program_left_stale_is_mended(kind: str, visible: bool, tmp_path: Path) -> None:
    source = KINDS[kind]()
    index = source.index(b"MPF\0") - 4
    size = int.from_bytes(source[index + 2 : index + 4], "big")
    at = index + 2 + size  # behind the index
    stale = source[:at] + _segment(0xFE, b"x" * 77) + source[at:]
    assert any("MPF" in str(defect) for defect in verify(stale).verdicts["cn"].warnings)
    (tmp_path / "out.jpg").write_bytes(Labeler(PRODUCER, visible=visible).label_image(stale).data)
    _check(source, tmp_path / "out.jpg")


@pytest.mark.parametrize("service", [False, True], ids=["key", "service"])
def test_a_manifest_of_several_segments_is_found_and_validates(service: bool) -> None:
    """A parent with a manifest and thumbnails grows beyond one APP11 segment after some rounds."""
    made = signing.chain()
    signer = Signer.from_callback(signing.key_service(), made.cert_pem) if service else signing.signer()
    data = _file([GAIN])
    labeler = Labeler(PRODUCER, visible=False, signer=signer)
    while _markers(data).count(0xEB) < 2:
        data = labeler.label_image(data).data
    found = signing.witness(data)
    assert found["validation_state"] == "Valid"
    assert len(found["manifests"]) > 1


def _exif(order: str, offset: int, length: int) -> bytes:
    """EXIF as cameras write it that keep a preview behind the picture: in IFD1, and twice in their MakerNote.

    The note has an entry whose value is the preview (as Sony does), and a table with length and offset (as Canon does);
    and a number that happens to be the offset, with no length near it, which has to stay.
    """
    pack = struct.pack
    table = pack(order + "6I", 24, 2, length, 160, 120, offset)
    note = pack(order + "H", 2) + pack(order + "HHII", 0x2001, 7, length, offset)
    note += pack(order + "HHII", 0x00B6, 4, 6, 200) + pack(order + "I", 0) + table + bytes(60)
    note += pack(order + "I", offset) + bytes(60)
    ifd0 = pack(order + "H", 2) + pack(order + "HHII", 0x8769, 4, 1, 38)
    ifd0 += pack(order + "HHI4s", 0x0110, 2, 4, b"Cam\0") + pack(order + "I", 56)
    own = pack(order + "H", 1) + pack(order + "HHII", 0x927C, 7, len(note), 100) + pack(order + "I", 0)
    ifd1 = pack(order + "H", 3) + pack(order + "HHHHI", 0x0103, 3, 1, 6, 0)[:12]
    ifd1 += (
        pack(order + "HHII", 0x0201, 4, 1, offset) + pack(order + "HHII", 0x0202, 4, 1, length) + pack(order + "I", 0)
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + pack(order + "I", 8)
    parts = {8: ifd0, 38: own, 56: ifd1, 100: note}
    out = bytearray(head.ljust(100 + len(note), b"\0"))
    for at, part in parts.items():
        out[at : at + len(part)] = part
    return bytes(out)


def _camera(order: str) -> bytes:
    plain = _jpeg(rgb())
    empty = plain[:2] + _segment(0xE1, b"Exif\0\0" + _exif(order, 0, len(PREVIEW))) + plain[2:]
    offset = len(empty) + 40 - 12
    return (
        plain[:2] + _segment(0xE1, b"Exif\0\0" + _exif(order, offset, len(PREVIEW))) + plain[2:] + bytes(40) + PREVIEW
    )


def _led_to(data: bytes, order: str) -> list[bytes]:
    base = data.index(b"Exif\0\0") + 6
    numbers = [
        struct.unpack_from(order + "I", data, base + at)[0] for at in (56 + 2 + 12 + 8, 100 + 2 + 8, 100 + 30 + 20)
    ]
    return [data[base + number :][: len(PREVIEW)] for number in numbers]


@pytest.mark.needs("exiftool")
@pytest.mark.parametrize("sign", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("visible", [False, True], ids=["metadata", "visible"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_offsets_in_exif_still_lead_to_the_preview(order: str, visible: bool, sign: bool, tmp_path: Path) -> None:
    data = source = _camera(order)
    assert _led_to(source, order) == [PREVIEW] * 3
    labeler = Labeler(PRODUCER, visible=visible, signer=signing.signer() if sign else None)
    for _ in range(2):
        made = labeler.label_image(data)
        data = made.data
        assert _led_to(data, order) == [PREVIEW] * 3
        assert not made.lost
        if sign:
            assert signing.witness(data)["validation_state"] == "Valid"
    at = data.index(b"Exif\0\0") + 6 + 100 + 30 + 24 + 60
    was = source.index(b"Exif\0\0") + 6 + 100 + 30 + 24 + 60
    assert data[at : at + 4] == source[was : was + 4]  # the number without a length is none of ours
    (tmp_path / "a.jpg").write_bytes(data)
    command = ["exiftool", "-b", "-ThumbnailImage", str(tmp_path / "a.jpg")]
    assert subprocess.run(command, check=True, capture_output=True).stdout == PREVIEW
