"""What else conversion takes over: IPTC-IIM, text chunks, the place; exiftool, Pillow and ffprobe are the witnesses."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import labeling

from .marks.signing import signer
from .pictures import rgb
from .programs import require
from .test_convert import opened, tags


@pytest.mark.parametrize("after", ["jpg", "tif"])
@pytest.mark.parametrize("before", ["jpg", "tif"])
def test_iptc_records_come_along(before: str, after: str, tmp_path: Path) -> None:
    path, target = tmp_path / f"a.{before}", tmp_path / f"b.{after}"
    rgb(160, 120).save(path)
    written = ["-IPTC:Caption-Abstract=a caption", "-IPTC:Keywords=one", "-IPTC:Keywords=two", "-IPTC:By-line=Ann"]
    subprocess.run([require("exiftool"), "-q", "-overwrite_original", *written, str(path)], check=True)
    done = labeling.convert(path, target, resize="80", signer=signer())
    now = tags(target)
    assert (now["IPTC:Caption-Abstract"], now["IPTC:Keywords"], now["IPTC:By-line"]) == (
        "a caption", ["one", "two"], "Ann",
    )  # fmt: skip
    assert "ExifTool:Warning" not in now
    assert not done.lost
    assert opened(target).size == (80, 60)
    elsewhere = labeling.convert(path, tmp_path / "c.webp")
    assert [loss.what for loss in elsewhere.lost] == ["IPTC IIM records"]


def test_other_resources_of_photoshop_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    rgb(160, 120).save(path)
    written = ["-IPTC:By-line=Ann", "-Photoshop:URL=http://example.com"]
    subprocess.run([require("exiftool"), "-q", "-overwrite_original", *written, str(path)], check=True)
    done = labeling.convert(path, tmp_path / "b.jpg")
    assert [loss.what for loss in done.lost] == ["Photoshop image resources"]
    assert tags(tmp_path / "b.jpg")["IPTC:By-line"] == "Ann"


@pytest.mark.parametrize("animated", [False, True])
def test_text_chunks_stay_in_png(animated: bool, tmp_path: Path) -> None:
    path, target = tmp_path / "a.png", tmp_path / "b.png"
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "a cat, Steps: 20")
    chunks.add_text("Source", "long " * 400, zip=True)
    chunks.add_itxt("Title", "猫", lang="zh", tkey="标题")
    more: dict[str, Any] = {"save_all": True, "append_images": [rgb(64, 48).rotate(180)]} if animated else {}
    rgb(64, 48).save(path, pnginfo=chunks, **more)
    done = labeling.convert(path, target, resize="32")
    assert not done.lost
    now = tags(target)
    assert (now["PNG:Parameters"], now["PNG:Source"], now["PNG:Title-zh"]) == (
        "a cat, Steps: 20", "long " * 400, "猫",
    )  # fmt: skip
    image = opened(target)
    assert (image.size, getattr(image, "n_frames", 1)) == ((32, 24), 2 if animated else 1)
    lost = {loss.what for loss in labeling.convert(path, tmp_path / "c.webp").lost}
    assert {"text parameters", "text Source", "text Title"} <= lost


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize(
    ("before", "after"), [("jpg", "tif"), ("tif", "jpg"), ("tif", "tif"), ("png", "tif"), ("tif", "png")]
)
def test_the_place_comes_along_into_and_out_of_tiff(before: str, after: str, order: str, tmp_path: Path) -> None:
    path, target = tmp_path / f"a.{before}", tmp_path / f"b.{after}"
    made = rgb(160, 120)
    made.save(path)
    place = [
        "-GPSLatitude=31.25",
        "-GPSLatitudeRef=S",
        "-GPSLongitude=121.5",
        "-GPSLongitudeRef=E",
        "-GPSAltitude=12.5",
    ]
    place += ["-GPSDateStamp=2026:01:02", "-GPSProcessingMethod=GPS", "-ISO=200"]
    call = [require("exiftool"), "-q", "-overwrite_original", "-api", f"ByteOrder={order}", f"-ExifByteOrder={order}"]
    subprocess.run([*call, *place, str(path)], check=True)
    done = labeling.convert(path, target, resize="80")
    was, now = tags(path), tags(target)
    names = [name for name in was if name.startswith("GPS:")]
    assert len(names) >= 8
    assert {name: now.get(name) for name in names} == {name: was[name] for name in names}
    assert now["ExifIFD:ISO"] == 200
    assert "ExifTool:Warning" not in now
    assert not done.lost
    with Image.open(target) as image:
        assert image.getexif().get_ifd(0x8825)[1] == "S"


def test_an_icns_file_gives_its_largest_picture(tmp_path: Path) -> None:
    rgb(256, 256).save(tmp_path / "a.icns")
    done = labeling.convert(tmp_path / "a.icns", tmp_path / "b.png")
    assert (done.width, done.height) == opened(tmp_path / "a.icns").size
    result, shown = (np.asarray(opened(tmp_path / name).convert("RGB")).astype(int) for name in ("b.png", "a.icns"))
    assert np.array_equal(result, shown)


@pytest.mark.parametrize("before", ["gif", "png", "webp"])
def test_an_animation_becomes_avif_and_its_loops_are_named(before: str, tmp_path: Path) -> None:
    path, target = tmp_path / f"a.{before}", tmp_path / "b.avif"
    frames = [Image.new("RGB", (120, 80), (60 * number, 40, 200 - 60 * number)) for number in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 200, 300, 400], loop=3)
    done = labeling.convert(path, target, resize="60")
    result: Any = Image.open(target)
    assert (result.n_frames, result.size) == (4, (60, 40))
    times = []
    for number in range(4):
        result.seek(number)
        result.load()
        times.append(result.info["duration"])
        pixel = np.asarray(result.convert("RGB"))[20, 30].astype(int)
        assert np.abs(pixel - (60 * number, 40, 200 - 60 * number)).max() < 20
    assert times == [100, 200, 300, 400]
    assert any("number of loops" in loss.what for loss in done.lost)
    frames_of = [
        require("ffprobe"),
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
    ]
    counted = subprocess.run([*frames_of, str(target)], capture_output=True, text=True, check=False).stdout.split()
    assert "4" in [each.strip(",") for each in counted]


@pytest.mark.filterwarnings("error")
def test_a_tiff_file_that_is_only_encoded_again_keeps_its_records_and_no_old_thumbnail(tmp_path: Path) -> None:
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    rgb(160, 120).save(path)
    rgb(80, 60).save(tmp_path / "small.jpg")
    written = [
        "-IPTC:Caption-Abstract=a caption of some words",
        f"-Photoshop:PhotoshopThumbnail<={tmp_path / 'small.jpg'}",
    ]
    subprocess.run([require("exiftool"), "-q", "-overwrite_original", *written, str(path)], check=True)
    assert "Photoshop:PhotoshopThumbnail" in tags(path)
    labeling.convert(path, target, quality=90)
    now = tags(target)
    assert now["IPTC:Caption-Abstract"] == "a caption of some words"
    assert not [name for name in now if "Thumbnail" in name]
