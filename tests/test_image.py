"""The pipeline end to end: every kind of picture in, a labelled one out, with other programs as witnesses."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps, ImageSequence

import labeling
from labeling import Labeler, containers
from labeling.findings import Status
from labeling.marks import aigc, iptc

from .pictures import MAKERS, rgb

pillow_heif.register_heif_opener()

PRODUCER = "001191110102MACQD9K64010000"
PLAIN = Labeler(producer=PRODUCER, visible=False, generator="demo-model", generator_version="2.1")
FULL = Labeler(producer=PRODUCER, generator="demo-model", generator_version="2.1")

every_kind = pytest.mark.parametrize("kind", list(MAKERS))


def exiftool(path: Path, *arguments: str) -> dict[str, Any]:
    command = ["exiftool", "-j", "-G1", "-a", "-u", *arguments, str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    parsed: dict[str, Any] = json.loads(result.stdout)[0]
    return parsed


def frames_of(data: bytes) -> list[Image.Image]:
    with Image.open(io.BytesIO(data)) as image:
        return [ImageOps.exif_transpose(frame.copy()).convert("RGB") for frame in ImageSequence.Iterator(image)]


@every_kind
def test_metadata_only_keeps_the_coded_picture_and_exiftool_reads_the_labels(kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / kind, tmp_path / f"out-{kind}"
    source.write_bytes(MAKERS[kind]())
    done = PLAIN.label_file(source, target, content_id="job-42")
    assert coded_hash(target.read_bytes()) == coded_hash(source.read_bytes())
    tags = exiftool(target)
    label = json.loads(tags["XMP-TC260:Aigc"]) if isinstance(tags["XMP-TC260:Aigc"], str) else tags["XMP-TC260:Aigc"]
    assert tuple(label) == aigc.KEYS
    assert (label["ContentProducer"], label["ProduceID"]) == (PRODUCER, "job-42")
    assert tags["XMP-iptcExt:DigitalSourceType"] == iptc.VOCABULARY + iptc.TRAINED
    assert tags["XMP-iptcExt:AISystemUsed"] == "demo-model"
    assert str(tags["XMP-iptcExt:AISystemVersionUsed"]) == "2.1"
    for before, after in zip(frames_of(source.read_bytes()), frames_of(target.read_bytes()), strict=True):
        assert before.tobytes() == after.tobytes()
    assert done.report.verdicts["cn"].outcome == "compliant"


def coded_hash(data: bytes) -> str:
    contents = containers.read(data)
    assert contents.coded
    digest = hashlib.sha256()
    for offset, length in contents.coded:
        digest.update(data[offset : offset + length])
    return digest.hexdigest()


@every_kind
def test_a_second_add_changes_nothing(kind: str, tmp_path: Path) -> None:
    source, first, second = tmp_path / kind, tmp_path / f"1-{kind}", tmp_path / f"2-{kind}"
    source.write_bytes(MAKERS[kind]())
    PLAIN.label_file(source, first)
    PLAIN.label_file(first, second)
    assert first.read_bytes() == second.read_bytes()


@every_kind
def test_the_visible_label_is_on_every_frame_upright_and_legible(kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / kind, tmp_path / f"out-{kind}"
    source.write_bytes(MAKERS[kind]())
    done = FULL.label_file(source, target)
    visible = next(finding for finding in done.report.findings if finding.kind == "visible")
    left, top, right, bottom = visible.value["box"]
    before, after = frames_of(source.read_bytes()), frames_of(target.read_bytes())
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert old.size == new.size
        change = np.abs(np.asarray(old, np.int16) - np.asarray(new, np.int16)).max(axis=2)
        assert change[top:bottom, left:right].max() > 60
        width, height = new.size
        assert (left + right) / 2 > width / 2
        assert (top + bottom) / 2 > height / 2
    assert visible.value["contrast"] >= 4.5
    assert visible.value["height_ratio"] >= 0.05
    assert done.report.verdicts["cn"].outcome == "compliant"
    report = labeling.verify(target)
    assert [m.status for m in report.findings if m.kind == "aigc"] == [Status.PRESENT]


def test_the_reader_finds_the_label_that_was_drawn(tmp_path: Path) -> None:
    for kind in ("baseline.jpg", "orientation-6.jpg", "alpha.png", "animated.gif", "gray16.tif"):
        target = tmp_path / kind
        source = tmp_path / f"in-{kind}"
        source.write_bytes(MAKERS[kind]())
        FULL.label_file(source, target)
        report = labeling.verify(target)
        assert [m.status for m in report.findings if m.kind == "visible"] == [Status.PRESENT], kind
        assert report.compliant
        again = FULL.label_file(target, tmp_path / f"again-{kind}")
        assert again.path.read_bytes() == target.read_bytes(), "a label that is there is not drawn again"


def pil_modes() -> dict[str, Callable[[], Any]]:
    alpha = rgb().convert("RGBA")
    alpha.putalpha(90)
    return {
        "RGB": rgb,
        "RGBA": lambda: alpha,
        "L": lambda: rgb().convert("L"),
        "P": lambda: rgb().quantize(64),
        "CMYK": lambda: rgb().convert("CMYK"),
        "1": lambda: rgb().convert("1"),
        "LA": lambda: alpha.convert("LA"),
        "array": lambda: np.asarray(rgb()),
        "array with alpha": lambda: np.asarray(alpha),
        "array not contiguous": lambda: np.asarray(rgb())[:, ::-1],
    }


@pytest.mark.parametrize("mode", list(pil_modes()))
@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff", "gif", "avif", "heic"])
def test_pixels_in_memory_become_a_labelled_file_and_stay_as_they_were(mode: str, format: str) -> None:
    picture = pil_modes()[mode]()
    before = picture.tobytes()
    made = FULL.label_image(picture, format=format, content_id="frame-1")
    assert picture.tobytes() == before
    assert made.media_type in containers.format_named(format).media_types
    with Image.open(io.BytesIO(bytes(made))) as image:
        assert image.size == (320, 240)
        image.load()
    assert made.report.compliant, made.report.to_dict()
    assert made.label.content_id == "frame-1"


def test_bytes_in_memory_keep_their_format() -> None:
    made = FULL.label_image(MAKERS["progressive.jpg"]())
    assert made.media_type == "image/jpeg"
    with pytest.raises(labeling.UnsupportedFormat, match="image/jpeg"):
        FULL.label_image(MAKERS["baseline.jpg"](), format="png")


def test_an_image_from_somebody_elses_labelled_file_is_refused() -> None:
    theirs = Labeler(producer="doubao", visible=False).label_image(rgb(), format="png")
    with Image.open(io.BytesIO(theirs.data)) as image, pytest.raises(labeling.LabelConflict, match="doubao"):
        PLAIN.label_image(image, format="png")


def test_our_label_in_another_carrier_moves_to_the_proper_one(tmp_path: Path) -> None:
    """Exactly one carrier (GB 45438-2025 6.1 c): a tEXt chunk of our own goes, its content id stays."""
    from PIL.PngImagePlugin import PngInfo

    text = aigc.encode(labeling.Label(producer=PRODUCER, content_id="kept-id"))
    info = PngInfo()
    info.add_text("AIGC", text)
    info.add_text("Author", "somebody")
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    rgb().save(source, pnginfo=info)
    done = PLAIN.label_file(source, target)
    assert done.label.content_id == "kept-id"
    tags = exiftool(target)
    assert "PNG:Aigc" not in tags
    assert "PNG:AIGC" not in tags
    assert tags["PNG:Author"] == "somebody"

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + text.encode()
    rgb().save(tmp_path / "c.jpg", exif=exif.tobytes())
    done = PLAIN.label_file(tmp_path / "c.jpg", tmp_path / "d.jpg")
    assert done.label.content_id == "kept-id"
    assert "AIGC" not in str(exiftool(tmp_path / "d.jpg").get("ExifIFD:UserComment", ""))
    assert [m.status for m in done.report.findings if m.kind == "aigc"] == [Status.PRESENT]


def test_exif_is_written_only_where_asked_for(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(MAKERS["orientation-6.jpg"]())
    PLAIN.label_file(source, tmp_path / "plain.jpg")
    assert "IFD0:Software" not in exiftool(tmp_path / "plain.jpg")
    asked = Labeler(
        producer=PRODUCER, visible=False, generator="m", generator_version="1", exif=True, description="AI生成"
    )
    asked.label_file(source, tmp_path / "exif.jpg")
    tags = exiftool(tmp_path / "exif.jpg")
    assert (tags["IFD0:Software"], tags["IFD0:ImageDescription"], tags["IFD0:Make"]) == ("m 1", "AI生成", "Maker")
    assert "IFD0:ModifyDate" in tags


def test_an_ai_source_type_that_is_there_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    rgb().save(source)
    composite = iptc.VOCABULARY + "compositeSynthetic"
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", f"-XMP-iptcExt:DigitalSourceType={composite}", str(source)],
        check=True,
    )
    PLAIN.label_file(source, tmp_path / "b.png")
    assert exiftool(tmp_path / "b.png")["XMP-iptcExt:DigitalSourceType"] == composite


@pytest.mark.parametrize("name", ["Ünï 文件 名.jpg", "a b;c'.jpg", "-dash.jpg", "x" * 251 + ".jpg"])
def test_any_file_name(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes(MAKERS["baseline.jpg"]())
    done = PLAIN.label_file(source, in_place=True)
    assert done.path == source
    assert labeling.verify(source, visible=False).compliant
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_profiles_of_the_eu_and_california(tmp_path: Path) -> None:
    from labeling.marks.credentials import Signer, make_test_chain

    chain = make_test_chain()
    signer = Signer.from_pem(chain.cert_pem, chain.key_pem)
    for profile in ("eu-art50", "us-ca"):
        signed = Labeler(PRODUCER, profile, signer=signer, generator="m", generator_version="1", provider_name="P Ltd.")
        made = signed.label_image(rgb(640, 480), format="jpeg")
        assert made.report.verdicts[profile].outcome == "compliant", made.report.to_dict()
        report = labeling.verify(made.data, profile)
        assert report.compliant, report.to_dict()
    bare = Labeler(PRODUCER, "us-ca").label_image(rgb(640, 480), format="jpeg")
    assert bare.report.verdicts["us-ca"].outcome == "noncompliant"
