"""Boxes and segments without number: counted before c2pa and Pillow get them, which take time with their square."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import pytest
from PIL import Image

import labeling
from labeling.codecs.pixels import open_with
from labeling.containers.mp4.layout import lay_out
from labeling.containers.syntax import isobmff
from labeling.errors import SigningError, TooLarge
from labeling.filebytes import FileBytes
from labeling.findings import Signature

from . import hostile_files
from .marks.signing import signer
from .video_files import make_video, scene


def _mp4(*boxes: bytes, inside: bytes = b"") -> bytes:
    """Return what any demuxer takes for a movie, with more boxes at its end, or at the end of its movie box."""
    box, full = hostile_files.box, hostile_files.full_box
    movie = box(b"moov", full(b"mvhd", struct.pack(">IIII", 0, 0, 1000, 1000), bytes(80)), inside)
    return box(b"ftyp", b"isom\0\0\2\0isommp42") + movie + b"".join(boxes)


FREE, FEW = hostile_files.box(b"free"), 11_000
CROWDED = {
    "beside": _mp4(FREE * 13_000, hostile_files.box(b"mdat", bytes(400_000))),
    "in the movie": _mp4(inside=FREE * 13_000),
    "in its user data": _mp4(inside=hostile_files.box(b"udta", FREE * 13_000)),
    "in many places": _mp4(inside=hostile_files.box(b"udta", FREE * 8_000) * 3),
    "in all": _mp4(inside=hostile_files.box(b"udta", FREE) * 11_000 + hostile_files.box(b"trak", FREE * 99) * 600),
}
"""Files that take c2pa-rs seconds, and far more with more boxes."""


@pytest.mark.parametrize("where", CROWDED)
def test_boxes_in_whose_square_signing_takes_time_are_counted_wherever_they_are(where: str) -> None:
    started = time.process_time()
    assert isobmff.too_many_boxes(CROWDED[where])
    assert time.process_time() - started < 1
    for few in (_mp4(FREE * FEW), _mp4(inside=FREE * FEW), _mp4(hostile_files.box(b"mdat", FREE * 100_000))):
        assert not isobmff.too_many_boxes(few)


def test_a_picture_of_too_many_boxes_is_neither_signed_nor_is_its_manifest_read() -> None:
    plain = io.BytesIO()
    Image.new("RGB", (640, 480), (90, 140, 60)).save(plain, "AVIF")
    labeler = labeling.Labeler(producer="001191000000MA00DEM00P10001", visible=False, signer=signer())
    signed = labeler.label_image(plain.getvalue() + FREE * FEW).data
    finding = next(each for each in labeling.verify(signed, visible=False).findings if each.kind == "c2pa")
    assert finding.signature is Signature.VALID
    finding = next(
        each for each in labeling.verify(signed + FREE * 2000, visible=False).findings if each.kind == "c2pa"
    )
    assert finding.status.value == "unreadable"
    assert "more boxes than the C2PA library is given" in finding.defects[0].message
    with pytest.raises(SigningError, match="cannot be signed: it has more boxes") as caught:
        labeler.label_image(plain.getvalue() + FREE * 13_000)
    assert "do not sign" in str(caught.value.hint)
    assert (
        labeling.Labeler(producer="001191000000MA00DEM00P10001", visible=False)
        .label_image(plain.getvalue() + FREE * 13_000)
        .data
    )


def test_a_video_of_too_many_boxes_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", ((n / 25, scene(320, 240, n / 25)) for n in range(5)))
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data + FREE * 13_000 + hostile_files.box(b"free", bytes(500_000)))
    labeler = labeling.Labeler(producer="001191000000MA00DEM00P10001", signer=signer())
    with pytest.raises(SigningError, match="cannot be signed: it has more boxes"):
        labeler.label_file(tmp_path / "b.mp4", tmp_path / "c.mp4")
    assert {each.name for each in tmp_path.iterdir()} == {"a.mp4", "b.mp4"}


def test_boxes_of_a_movie_are_limited_by_its_size_and_walked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(tmp_path / "a.mp4", ((n / 25, scene(320, 240, n / 25)) for n in range(5)))
    plain = (tmp_path / "a.mp4").read_bytes()
    report = labeling.verify(plain + FREE * 200_000, visible=False)
    assert any("boxes, the most that are read in a file of its size" in each for each in report.problems)
    pieces = [struct.pack(">I4s", 100, b"moof"), bytes(92), struct.pack(">I4s", 108, b"mdat"), bytes(100)]
    small = plain + b"".join(pieces) * 50_000  # frames of a hundred bytes, each in a fragment of its own
    assert len(lay_out(small).boxes) > 100_000
    assert not lay_out(small).problem
    (tmp_path / "b.mp4").write_bytes(small)
    with FileBytes((tmp_path / "b.mp4").open("rb"), "b.mp4") as data:
        first = lay_out(data)
        assert lay_out(data).boxes is first.boxes


def test_exif_in_thousands_of_segments_and_millions_of_fill_bytes_do_not_slow_the_decoder_down() -> None:
    started = time.process_time()
    plain = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    painted = Image.effect_noise((160, 120), 80).convert("RGB")
    painted.save(plain, "JPEG", exif=exif, icc_profile=bytes(200_000), quality=90)
    data = plain.getvalue()
    more = b"\xff\xe1" + struct.pack(">H", 608) + b"Exif\0\0II*\0" + bytes(596)
    at = data.index(b"\xff\xdb")  # behind the segments that count
    for crowded in (data[:at] + more * 16_000 + data[at:], data[:at] + b"\xff" * 9_000_000 + data[at:]):
        image = open_with("JpegImagePlugin:JpegImageFile", crowded)
        assert (image.size, image.getexif()[0x0112]) == ((160, 120), 6)
        assert image.info["icc_profile"] == bytes(200_000)
        with Image.open(io.BytesIO(data)) as expected:
            assert image.tobytes() == expected.tobytes()
    with pytest.raises(TooLarge, match="16,384 segments"):
        open_with("JpegImagePlugin:JpegImageFile", data[:2] + b"\xff\xeb\0\2" * 20_000 + data[2:])
    with pytest.raises(TooLarge, match="was not found"):
        open_with("JpegImagePlugin:JpegImageFile", data[:2] + b"\xff\xd8" + more * 16_000 + data[2:])
    assert time.process_time() - started < hostile_files.PIXELS
