"""What others said of a file before its first label stays: when it was made, and with which system."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from labeling import LabelConflict, Labeler, verify
from labeling.marks import xmp, xmp_edit

from .fuzzing.seeds import chunk
from .pictures import rgb

PRODUCER = "001191110102MACQD9K64010000"
XMP_NS, PHOTOSHOP = "http://ns.adobe.com/xap/1.0/", "http://ns.adobe.com/photoshop/1.0/"
EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
LABELER = Labeler(PRODUCER, visible=False, generator="Painter", generator_version="3", profile="us-ca")


def _packet(**values: str) -> bytes:
    spaces = {"xmp": XMP_NS, "photoshop": PHOTOSHOP, "Iptc4xmpExt": EXTENSION}
    names = {key: key.partition("_") for key in values}
    return xmp_edit.update(
        None, {xmp.Name(spaces[prefix], local, prefix): values[key] for key, (prefix, _, local) in names.items()}
    )


def _file(kind: str, packet: bytes | None = None, dated: str = "") -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    if dated:
        exif.get_ifd(0x8769)[0x9003] = dated
    options: dict[str, object] = {"exif": exif.tobytes()} if dated else {}
    image = rgb()
    if packet is not None:
        options["xmp"] = packet
        if kind == "PNG":
            from PIL.PngImagePlugin import PngInfo

            info = PngInfo()
            info.add_itxt("XML:com.adobe.xmp", packet.decode())
            options["pnginfo"] = info
        if kind == "TIFF":
            options["tiffinfo"] = {700: packet}
    image.save(out, kind, **options)
    return out.getvalue()


def _tags(data: bytes, path: Path) -> dict[str, str]:
    path.write_bytes(data)
    done = subprocess.run(["exiftool", "-s", "-XMP:all", str(path)], check=True, capture_output=True, text=True)
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in done.stdout.splitlines())}


@pytest.mark.needs("exiftool")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_dates_tool_credit_and_system_of_others_stay(kind: str, tmp_path: Path) -> None:
    packet = _packet(
        xmp_CreateDate="2024-05-06T07:08:09+08:00", xmp_ModifyDate="2024-05-07T00:00:00+08:00",
        xmp_CreatorTool="Midjourney", photoshop_DateCreated="2024-05-06", photoshop_Credit="An agency",
        Iptc4xmpExt_AISystemUsed="Midjourney", Iptc4xmpExt_AISystemVersionUsed="6.1",
    )  # fmt: skip
    source = _file(kind, packet)
    before = _tags(source, tmp_path / "before")
    made = LABELER.label_image(source)
    after = _tags(made.data, tmp_path / "after")
    assert before["CreatorTool"] == "Midjourney"
    assert before.items() <= after.items()
    assert after["MetadataDate"][:2] == "20"
    assert "the AI system that the file names stays: Midjourney 6.1" in made.how
    assert not made.lost
    (iptc,) = [each for each in made.report.findings if each.kind == "iptc"]
    assert iptc.value["CreateDate"] == "2024-05-06T07:08:09+08:00"
    again = LABELER.label_image(made.data)
    assert _tags(again.data, tmp_path / "again")["CreateDate"] == after["CreateDate"]


@pytest.mark.needs("exiftool")
def test_no_date_of_others_is_overwritten(tmp_path: Path) -> None:
    packet = _packet(xmp_CreateDate="2024-05-06T07:08:09+08:00", xmp_MetadataDate="2024-05-08T00:00:00+08:00")
    made = LABELER.label_image(_file("JPEG", packet))
    tags = _tags(made.data, tmp_path / "a")
    assert (tags["CreateDate"], tags["MetadataDate"]) == ("2024:05:06 07:08:09+08:00", "2024:05:08 00:00:00+08:00")
    assert not made.lost


@pytest.mark.needs("exiftool")
def test_a_file_that_says_nothing_gets_the_time_of_its_label(tmp_path: Path) -> None:
    made = LABELER.label_image(_file("JPEG"))
    tags = _tags(made.data, tmp_path / "a")
    assert tags["CreateDate"][:2] == "20"
    assert "MetadataDate" not in tags
    assert LABELER.label_image(made.data).data == made.data


@pytest.mark.needs("exiftool")
@pytest.mark.parametrize("source", [
    _file("JPEG", dated="2024:05:06 07:08:09"),
    _file("JPEG", _packet(photoshop_DateCreated="2024-05-06")),
], ids=["EXIF", "IPTC date created"])  # fmt: skip
def test_a_date_in_another_place_is_not_contradicted(source: bytes, tmp_path: Path) -> None:
    made = LABELER.label_image(source)
    tags = _tags(made.data, tmp_path / "a")
    assert "CreateDate" not in tags
    rules = [defect.rule for defect in verify(made.data, "us-ca").verdicts["us-ca"].failed]
    assert "US-CA-TIME" not in rules


def test_an_empty_exif_date_counts_for_nothing() -> None:
    made = LABELER.label_image(_file("JPEG", dated="0000:00:00 00:00:00"))
    (iptc,) = [each for each in made.report.findings if each.kind == "iptc"]
    assert "CreateDate" in iptc.value


def test_pixels_from_a_file_keep_its_date() -> None:
    with Image.open(io.BytesIO(_file("JPEG", _packet(xmp_CreateDate="2024-05-06T07:08:09")))) as image:
        made = LABELER.label_image(image, "png")
    (iptc,) = [each for each in made.report.findings if each.kind == "iptc"]
    assert iptc.value["CreateDate"] == "2024-05-06T07:08:09"


def test_a_second_label_may_name_a_newer_system() -> None:
    """The first label was ours, and so is what it says; only its AI term stays, and with it everything beside it."""
    made = LABELER.label_image(_file("JPEG"))
    (iptc,) = [each for each in LABELER.label_image(made.data).report.findings if each.kind == "iptc"]
    assert iptc.value["AISystemUsed"] == "Painter"


def test_a_producer_that_a_file_names_begins_no_line_of_a_message() -> None:
    fields = [
        b'{"Label":"1","ContentProducer":"%s","ProduceID":"1"}' % producer
        for producer in (PRODUCER.encode(), b"00119111010\xc2\x85ACQD9K64010000")
    ]
    out = io.BytesIO()
    rgb().save(out, "PNG")
    plain = out.getvalue()
    texts = b"".join(chunk(b"iTXt", b"AIGC\0\0\0\0\0" + each) for each in fields)
    with pytest.raises(LabelConflict) as caught:
        Labeler(PRODUCER).label_image(plain[:33] + texts + plain[33:])
    assert "\\x85ACQD" in str(caught.value)
    assert str(caught.value).isprintable()
