"""The thumbnail in a file's EXIF is a copy of the picture and gets its label. exiftool takes it out of the result."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import piexif
import pytest
from numpy.typing import NDArray
from PIL import Image

from labeling import Labeler
from labeling._tiff_ifd import read_tiff

from . import programs
from .marks.signing import signer

PRODUCER = "a-service"
WIDE, HIGH = 960, 720


def picture() -> Image.Image:
    y, x = np.mgrid[0:HIGH, 0:WIDE]
    return Image.fromarray(np.stack([60 + x / 9, 60 + y / 8, 150 - x / 12], -1).astype(np.uint8))


def jpeg(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def exif_of(thumbnail: bytes, orientation: int = 1) -> bytes:
    tags: dict[str, Any] = {"0th": {271: b"Maker", 274: orientation}, "1st": {259: 6, 282: (72, 1), 283: (72, 1)}}
    made: bytes = piexif.dump({**tags, "thumbnail": thumbnail})
    return made


def saved(image: Image.Image, kind: str, exif: bytes) -> bytes:
    out = io.BytesIO()
    every: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}
    options = every.get(kind, {})
    image.save(out, kind, exif=exif, **options)
    return out.getvalue()


def taken_out(data: bytes, folder: Path, suffix: str) -> NDArray[np.int_]:
    """Return the thumbnail's pixels as exiftool finds it."""
    path = folder / f"witness{suffix}"
    path.write_bytes(data)
    command = [programs.require("exiftool"), "-b", "-ThumbnailImage", str(path)]
    found = subprocess.run(command, capture_output=True, check=True).stdout
    assert found, "exiftool finds no thumbnail"
    return np.asarray(Image.open(io.BytesIO(found)).convert("RGB")).astype(int)


def scaled_down(data: bytes, size: tuple[int, int]) -> NDArray[np.int_]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX)).astype(int)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_thumbnail_shows_the_labelled_picture(kind: str, orientation: int, tmp_path: Path) -> None:
    small = picture().resize((160, 120), Image.Resampling.BOX)
    source = saved(picture(), kind, exif_of(jpeg(small, quality=95), orientation))
    made = Labeler(PRODUCER, signer=signer() if kind == "JPEG" else None).label_image(source)
    assert "the thumbnail in the EXIF has the label as well" in made.how
    found = taken_out(made.data, tmp_path, f".{kind.lower()}")
    wanted = scaled_down(made.data, (160, 120))
    assert np.abs(wanted - np.asarray(small)).max() > 100  # the label is seen in it at all
    assert np.abs(found - wanted).mean() < 2
    assert np.abs(found - wanted).max() < 90


@pytest.mark.parametrize("fit", ["bars", "uncompressed"])
def test_thumbnails_of_other_kinds(fit: str, tmp_path: Path) -> None:
    small = Image.new("RGB", (160, 160))
    inner = picture().resize((160, 120), Image.Resampling.BOX)
    small.paste(inner, (0, 20))
    plain = b"Exif\0\0" + uncompressed(np.asarray(inner))
    exif = exif_of(jpeg(small, quality=95)) if fit == "bars" else plain
    made = Labeler(PRODUCER).label_image(saved(picture(), "JPEG", exif))
    wanted = scaled_down(made.data, (160, 120))
    if fit == "bars":
        found = taken_out(made.data, tmp_path, ".jpg")
        assert np.abs(found[20:140] - wanted).mean() < 3
        assert found[:16].max() < 12
        return
    with Image.open(io.BytesIO(made.data)) as image:
        tiff = read_tiff(image.info["exif"][6:])
    (strip,) = [ifd.entries[273] for ifd in tiff.ifds if ifd.name == "IFD1"]
    at = tiff.ints(strip)[0]
    pixels = np.frombuffer(bytes(tiff.data[at : at + 160 * 120 * 3]), np.uint8).reshape(120, 160, 3)
    assert np.abs(pixels.astype(int) - wanted).mean() < 2


def uncompressed(pixels: NDArray[np.uint8]) -> bytes:
    """Return an EXIF structure with an uncompressed RGB thumbnail (Exif 3.0, 4.5.3)."""
    rows = [(256, 4, 160), (257, 4, 120), (258, 3, None), (259, 3, 1), (262, 3, 2), (273, 4, None), (277, 3, 3)]
    rows += [(278, 4, 120), (279, 4, pixels.size)]
    first = struct.pack("<HHHIII", 1, 274, 3, 1, 1, 8 + 18)
    bits_at = 8 + 18 + 2 + 12 * len(rows) + 4
    data = b"II*\0\x08\0\0\0" + first + struct.pack("<H", len(rows))
    for tag, kind, value in rows:
        count = 3 if tag == 258 else 1
        held = {258: bits_at, 273: bits_at + 6}.get(tag, value)
        data += struct.pack("<HHII", tag, kind, count, held)
    return data + bytes(4) + struct.pack("<HHH", 8, 8, 8) + pixels.tobytes()


def test_a_thumbnail_that_cannot_be_painted_on_is_named() -> None:
    exif = exif_of(jpeg(picture().resize((160, 120)))).replace(b"\xff\xc0", b"\xff\xc3")  # as if it were lossless
    source = saved(picture(), "JPEG", exif)
    made = Labeler(PRODUCER).label_image(source)
    assert "the thumbnail in the EXIF stays without the label" in made.how


def test_metadata_alone_leaves_the_thumbnail() -> None:
    exif = exif_of(jpeg(picture().resize((160, 120))))
    made = Labeler(PRODUCER, visible=False).label_image(saved(picture(), "JPEG", exif))
    assert exif in made.data
    assert not [words for words in made.how if "thumbnail" in words]


def test_a_thumbnail_in_a_tiff_file_gets_the_label(tmp_path: Path) -> None:
    small = jpeg(picture().resize((160, 120), Image.Resampling.BOX), quality=95)
    out = io.BytesIO()
    picture().save(out, "TIFF")
    data = bytearray(out.getvalue())
    (first,) = read_tiff(bytes(data)).ifds
    data += bytes(len(data) & 1)
    at = len(data)
    rows = [(254, 4, 1), (256, 4, 160), (257, 4, 120), (259, 3, 6), (513, 4, at), (514, 4, len(small))]
    data += small + bytes(len(small) & 1)
    struct.pack_into("<I", data, first.next_offset_at, len(data))
    data += struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in rows) + bytes(4)
    made = Labeler(PRODUCER).label_image(bytes(data))
    assert "smaller copies" in made.how[0]
    found = taken_out(made.data, tmp_path, ".tif")
    assert np.abs(found - scaled_down(made.data, (160, 120))).mean() < 2


def resources(thumbnail: bytes) -> bytes:
    """Return Photoshop's image resources with a thumbnail, and another resource before and behind it."""
    head = struct.pack(">IIIIIIHH", 1, 160, 120, 480, 480 * 120, len(thumbnail), 24, 1)
    found = b""
    for number, body in ((1005, b"\0\x48\0\0\0\1\0\1\0\x48\0\0\0\1\0\1"), (1036, head + thumbnail), (1044, bytes(4))):
        found += b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + bytes(len(body) & 1)
    return found


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("texture", [0, 30])
def test_the_thumbnail_that_photoshop_wrote_gets_the_label(kind: str, texture: int, tmp_path: Path) -> None:
    plain_small = np.asarray(picture().resize((160, 120), Image.Resampling.BOX)).astype(int)
    noise = np.random.default_rng(1).integers(-texture, texture + 1, plain_small.shape)
    small = jpeg(Image.fromarray((plain_small + noise).clip(0, 255).astype(np.uint8)), quality=95 - texture)
    if kind == "JPEG":
        payload = b"Photoshop 3.0\0" + resources(small)
        plain = jpeg(picture(), quality=95)
        source = plain[:2] + b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload + plain[2:]
    else:
        out = io.BytesIO()
        picture().save(out, "TIFF", tiffinfo={34377: resources(small)})
        source = out.getvalue()
    made = Labeler(PRODUCER).label_image(source)
    assert "the Photoshop thumbnail has the label as well" in made.how[0]
    assert made.lost == ()
    path = tmp_path / "witness"
    path.write_bytes(made.data)
    command = [programs.require("exiftool"), "-b", "-PhotoshopThumbnail", str(path)]
    found = subprocess.run(command, capture_output=True, check=True).stdout
    pixels = np.asarray(Image.open(io.BytesIO(found)).convert("RGB")).astype(int)
    assert np.abs(pixels - scaled_down(made.data, (160, 120))).mean() < 4 + texture
    assert np.abs(pixels - plain_small)[105:, 115:].max() > 100
    assert struct.pack(">HHI", 1044, 0, 4) in made.data


def test_a_split_or_broken_photoshop_thumbnail_is_named() -> None:
    payload = b"Photoshop 3.0\0" + resources(b"\xff\xd8 this is no JPEG")
    plain = jpeg(picture(), quality=95)
    source = plain[:2] + b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload + plain[2:]
    made = Labeler(PRODUCER).label_image(source)
    assert "the Photoshop thumbnail stays without the label" in made.how[0]
    assert payload in made.data
