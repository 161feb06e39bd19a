"""Real files from third parties: their reports equal the manifest, and they can be labelled."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import c2pa
import pillow_heif
import pytest
import tifffile
from PIL import Image

import labeling
from labeling import Labeler, LabelingError, Signer, WriteError, containers
from labeling.findings import Signature, Status
from labeling.marks.credentials import make_test_chain

from .conftest import CASES

PRODUCER = "001191110102MACQD9K64010000"
VIDEO = (".mp4", ".mov", ".webm", ".avi")
READ_ONLY = (".svg", ".jxl", ".md")


def names(*folders: str, without: tuple[str, ...] = (*VIDEO, *READ_ONLY)) -> list[str]:
    found = [str(p.relative_to(CASES)) for folder in folders for p in sorted((CASES / folder).glob("*"))]
    return [name for name in found if not name.endswith(without)] or ["no cases here"]


LABELLED = names("1_aigc_cn", "1b_aigc_near_miss", "2_c2pa", "3_iptc_dst", "5_ordinary", "7_text", without=VIDEO)
VIDEOS = [
    name for name in names("1_aigc_cn", "1b_aigc_near_miss", "2_c2pa", "5_ordinary", without=()) if name.endswith(VIDEO)
]


@pytest.mark.parametrize("name", LABELLED)
def test_labels_equal_the_manifest(name: str, cases: Path, manifest: dict[str, dict[str, Any]]) -> None:
    truth = manifest[name]
    report = labeling.verify(cases / name, visible=False)
    assert report.readable, report.problems
    found = [m.value for m in report.findings if m.kind == "aigc" and m.status is not Status.ABSENT]
    assert found == [label["fields"] for label in truth["aigc_labels"]]
    types = [m.value["DigitalSourceType"] for m in report.findings if m.kind == "iptc" and m.value]
    assert types == truth["xmp_digital_source_type"]
    c2pa = next(m for m in report.findings if m.kind == "c2pa")
    if name.endswith(".jxl"):  # the manifest holds what c2pa's reader does not find in JPEG XL
        assert (c2pa.status, c2pa.signature, truth["c2pa"]) == (Status.PRESENT, Signature.UNSUPPORTED, None)
        assert "C2PA JUMBF box" in truth["note"]
    elif c2pa.status is not Status.UNREADABLE:  # c2pa's own reader gives up on a prerelease manifest
        assert (c2pa.status is not Status.ABSENT) == (truth["c2pa"] is not None), c2pa


@pytest.mark.parametrize("name", VIDEOS)
def test_labels_of_videos_equal_the_manifest(name: str, cases: Path, manifest: dict[str, dict[str, Any]]) -> None:
    truth = manifest[name]
    report = labeling.verify(cases / name, visible=False)
    assert report.media_type == truth["media_type"]
    assert report.readable, report.problems
    found = [m.value for m in report.findings if m.kind == "aigc" and m.status is not Status.ABSENT]
    assert found == [label["fields"] for label in truth["aigc_labels"]]
    c2pa = next(m for m in report.findings if m.kind == "c2pa")
    assert (c2pa.status is not Status.ABSENT) == (truth["c2pa"] is not None), c2pa
    if truth["c2pa"]:
        state = truth["c2pa"]["modes"]["default_no_trust_list"]["state"]
        assert (c2pa.value["validation_state"] == "Valid") or state == "Invalid", c2pa
    coded = next((s for s in (truth["ffprobe"] or {"streams": []})["streams"] if s["codec_type"] == "video"), None)
    if coded:
        contents = containers.read((cases / name).read_bytes())
        assert (contents.width, contents.height) == (coded["width"], coded["height"])


@pytest.mark.parametrize("name", [name for name in VIDEOS if name.startswith("5_ordinary")])
def test_ordinary_videos_can_be_labelled_and_keep_their_packets(name: str, cases: Path, tmp_path: Path) -> None:
    plain = tmp_path / Path(name).name
    Labeler(PRODUCER, visible=False).label_file(cases / name, plain)
    assert labeling.verify(plain, visible=False).compliant
    before, after = (packets(path) for path in (cases / name, plain))
    assert after == before
    known = subprocess.run(["exiftool", "-AIGC", "-s3", str(plain)], check=True, capture_output=True, text=True).stdout
    assert PRODUCER in known


def packets(path: Path) -> list[str]:
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-map", "0", "-c", "copy", "-f", "framemd5", "-"]
    lines = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_a_wrong_file_name_is_reported_and_changes_nothing_else(cases: Path, tmp_path: Path) -> None:
    misnamed = labeling.verify(cases / "1_aigc_cn" / "alibaba_png_xmp_attr_named_jpg.jpg", visible=False)
    assert misnamed.media_type == "image/png"
    assert misnamed.verdicts["cn"].warnings[0].rule == "FILE-NAME"
    well_named = tmp_path / "honest.PNG"
    well_named.write_bytes((cases / "1_aigc_cn" / "alibaba_png_xmp_attr_named_jpg.jpg").read_bytes())
    report = labeling.verify(well_named, visible=False)
    assert [d.rule for d in report.verdicts["cn"].warnings] == [d.rule for d in misnamed.verdicts["cn"].warnings][1:]
    assert report.findings == misnamed.findings
    for name in ("a.mp4", "a.pdf"):
        (tmp_path / name).write_bytes(well_named.read_bytes())
        assert "FILE-NAME" in {d.rule for d in labeling.verify(tmp_path / name, visible=False).verdicts["cn"].warnings}


def everything(path: Path) -> dict[str, Any]:
    """All that exiftool knows of the metadata, without what a rewrite must change."""
    command = ["exiftool", "-j", "-G1", "-a", "-u", "-b", str(path)]
    result = subprocess.run(command, check=True, capture_output=True)
    tags: dict[str, Any] = json.loads(result.stdout)[0]
    skipped = (
        "SourceFile",
        "System:",
        "ExifTool:",
        "File:",
        "Composite:",
        "XMP-TC260:",
        "XMP-iptcExt:",
        "XMP-xmp:Create",
    )
    return {key: value for key, value in tags.items() if not key.startswith(skipped)}


OFFSETS = ("Offset", "Start", "MediaData", "IFD0:FreeOffsets", "PNG:Warning", "File:", "StripOffsets", "WebP_Flags")


@pytest.mark.parametrize("name", names("5_ordinary"))
def test_ordinary_pictures_can_be_labelled_and_keep_what_they_carried(name: str, cases: Path, tmp_path: Path) -> None:
    source, plain, drawn = cases / name, tmp_path / f"p-{Path(name).name}", tmp_path / f"v-{Path(name).name}"
    Labeler(PRODUCER, visible=False).label_file(source, plain)
    before, after = everything(source), everything(plain)
    changed = {k: v for k, v in before.items() if after.get(k) != v and not any(word in k for word in OFFSETS)}
    assert not changed
    assert labeling.verify(plain, visible=False).compliant
    opened(plain)
    contents = containers.read(source.read_bytes())
    if min(contents.width, contents.height) < 24:
        with pytest.raises(LabelingError, match="no room for a legible label"):
            Labeler(PRODUCER).label_file(source, drawn)
        return
    done = Labeler(PRODUCER).label_file(source, drawn)
    assert done.report.compliant
    opened(drawn)
    kept = everything(drawn)
    lost = [k for k in before if k.startswith(("ICC_Profile", "IPTC", "ExifIFD", "GPS", "XMP-dc")) and k not in kept]
    assert not lost


def opened(path: Path) -> None:
    pillow_heif.register_heif_opener()
    if path.name.endswith("skimage_multipage_rgb.tif"):  # three planes of 16 bits: beyond Pillow
        assert tifffile.imread(path).size
        return
    with Image.open(path) as image:
        image.load()


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize("name", names("6_corrupt"))
def test_corrupt_pictures_give_a_clear_error_or_a_sound_file(name: str, cases: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    for visible in (False, True):
        try:
            Labeler(PRODUCER, visible=visible).label_file(cases / name, target)
        except LabelingError as error:
            message = str(error)
            assert "\n" not in message
            assert Path(name).name in message
            assert not list(tmp_path.iterdir())
        else:
            with Image.open(target) as image:
                image.load()
            assert labeling.verify(target, visible=False).compliant
            target.unlink()


@pytest.mark.parametrize("name", names("6_corrupt"))
def test_corrupt_pictures_are_never_said_to_carry_nothing(name: str, cases: Path) -> None:
    try:
        report = labeling.verify(cases / name, visible=False)
    except LabelingError:
        return
    absent = any(m.status is Status.ABSENT for m in report.findings)
    assert report.readable or not absent


def test_every_labelled_real_file_refuses_a_second_provider(cases: Path, tmp_path: Path) -> None:
    for path in sorted((cases / "1_aigc_cn").iterdir()):
        with pytest.raises(labeling.LabelConflict):
            Labeler("another-provider", visible=False).label_file(path, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_formats_are_recognised_by_content(cases: Path, manifest: dict[str, dict[str, Any]]) -> None:
    for name, truth in manifest.items():
        media_type = truth["media_type"]
        row = containers.identify((cases / name).read_bytes())
        if row is not None and media_type in row.media_types:
            assert containers.read((cases / name).read_bytes()).media_type in row.media_types
        elif media_type is not None and media_type.startswith("image/") and not name.endswith(".svg"):
            pytest.fail(f"{name} is {media_type} but was taken for {row}")


@pytest.mark.parametrize("name", names("5_ordinary"))
def test_ordinary_pictures_can_be_signed_or_are_refused_clearly(
    name: str, cases: Path, tmp_path: Path, manifest: dict[str, dict[str, Any]]
) -> None:
    chain = make_test_chain()
    signing = Labeler(PRODUCER, visible=False, signer=Signer.from_pem(chain.cert_pem, chain.key_pem))
    target = tmp_path / Path(name).name
    if name.endswith("libavif_colors-animated-8bpc-alpha-exif-xmp.avif"):
        # The C2PA library does not move the items of tracks: what it would break is found by reading back.
        with pytest.raises(WriteError, match="signing would damage"):
            signing.label_file(cases / name, target)
        assert not target.exists()
        return
    done = signing.label_file(cases / name, target)
    opened(target)
    with target.open("rb") as file, c2pa.Reader(containers.read(target.read_bytes()).media_type, file) as reader:
        assert json.loads(reader.json())["validation_state"] == "Valid"
    assert done.report.compliant
