"""Conversion keeps labels, metadata and credentials: exiftool, Pillow and c2pa's own reader are the witnesses."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import piexif
import pytest
from PIL import Image, ImageCms, PngImagePlugin

import labeling
from labeling import LabelConflict, Labeler, LabelingError, SigningError, TooLarge, UnsupportedFormat, WouldLose

from .commands import run
from .marks.signing import chain, signer
from .pictures import rgb
from .programs import require

TYPES = {
    "jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif", "heic": "image/heic",
    "tif": "image/tiff", "gif": "image/gif",
}  # fmt: skip
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def structure(orientation: int = 1, size: tuple[int, int] = (640, 480)) -> bytes:
    thumbnail = io.BytesIO()
    rgb(160, 120).save(thumbnail, "JPEG")
    fields = {
        "0th": {0x010F: b"Camera", 0x0112: orientation},
        "Exif": {0xA002: size[0], 0xA003: size[1], 0x927C: b"maker note"},
        "GPS": {1: b"N", 2: ((31, 1), (14, 1), (0, 1))},
        "1st": {0x0103: 6},
        "thumbnail": thumbnail.getvalue(),
    }
    return bytes(piexif.dump(fields))


def source(folder: Path, extension: str, *, signs: bool = True) -> Path:
    """A labelled picture with EXIF, an ICC profile, and another's XMP property; ``made…`` beside it has no label."""
    made, target = folder / f"made.{extension}", folder / f"source.{extension}"
    for path, data in zip((made, target), _made(extension, signs), strict=True):
        path.write_bytes(data)
    return target


@cache
def _made(extension: str, signs: bool) -> tuple[bytes, bytes]:
    """A picture before and after it was labelled."""
    more: dict[str, Any] = {} if extension == "gif" else {"exif": structure(), "icc_profile": PROFILE}
    if extension == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    with tempfile.TemporaryDirectory() as folder:
        made, target = Path(folder, f"made.{extension}"), Path(folder, f"source.{extension}")
        rgb(640, 480).save(made, **more)
        title = ["-XMP-dc:Title=kept", "-overwrite_original", str(made)]
        subprocess.run([require("exiftool"), "-q", *title], check=extension not in ("avif", "heic"))
        Labeler("my-service", generator="model", signer=signer() if signs else None).label_file(made, target)
        return made.read_bytes(), target.read_bytes()


@cache
def _source_tags(extension: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return tags(source(Path(folder), extension))


def tags(path: Path) -> dict[str, Any]:
    """What exiftool reads, which takes EXIF for read already where a PNG file has a manifest: without that chunk."""
    data = path.read_bytes()
    at = data.find(b"caBX")
    if data.startswith(b"\x89PNG") and at > 0:
        path = path.with_suffix(".bare.png")
        path.write_bytes(data[: at - 4] + data[at + 8 + int.from_bytes(data[at - 4 : at], "big") :])
    call = [require("exiftool"), "-j", "-G1", "-n", "-a", str(path)]
    found: list[dict[str, Any]] = json.loads(subprocess.run(call, capture_output=True, check=True).stdout)
    return found[0]


def actions(path: Path, media_type: str) -> list[str]:
    """What the valid manifest of a file says was done; its parent has to be there."""
    with path.open("rb") as stream, c2pa.Reader(media_type, stream) as reader:
        found = json.loads(reader.json())
    assert found["validation_state"] == "Valid"
    active = found["manifests"][found["active_manifest"]]
    (ingredient,) = active["ingredients"]
    assert ingredient["relationship"] == "parentOf"
    assert ingredient["active_manifest"] in found["manifests"]
    return [a["action"] for each in active["assertions"] if "actions" in each["label"] for a in each["data"]["actions"]]


def opened(path: Path) -> Image.Image:
    if path.suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    with Image.open(path) as image:
        image.load()
        return image


@pytest.mark.parametrize("after", TYPES)
@pytest.mark.parametrize("before", TYPES)
def test_labels_and_credentials_come_along(before: str, after: str, tmp_path: Path) -> None:
    path, target = source(tmp_path, before), tmp_path / f"result.{after}"
    done = labeling.convert(path, target, resize="400", signer=signer())
    assert (done.width, done.height) == (400, 300)
    expected = ["c2pa.opened", "c2pa.resized"] + (["c2pa.transcoded"] if before != after else [])
    assert actions(target, TYPES[after]) == expected
    was, now = _source_tags(before), tags(target)
    for name in ("XMP-iptcExt:DigitalSourceType", "XMP-iptcExt:AISystemUsed", "XMP-dc:Title"):
        assert now.get(name) == was.get(name)
    labels = [
        [finding.value for finding in labeling.verify(each, visible=False).findings if finding.kind == "aigc"]
        for each in (path, target)
    ]
    assert labels[0] == labels[1] != []
    if "gif" not in (before, after):
        assert now["IFD0:Make"] == "Camera"
        assert (now["ExifIFD:ExifImageWidth"], now["ExifIFD:ExifImageHeight"]) == (400, 300)
        assert "ThumbnailImage" not in " ".join(now)
        assert opened(target).info.get("icc_profile") == PROFILE
    if {before, after} <= {"jpg", "png", "webp", "avif", "heic"}:
        assert now["GPS:GPSLatitude"] == was["GPS:GPSLatitude"]
        assert not done.lost
    with pytest.raises(SigningError, match="C2PA"):
        labeling.convert(path, tmp_path / f"unsigned.{after}")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("after", ["jpg", "png", "webp", "avif", "tif"])
def test_the_result_is_upright(after: str, orientation: int, tmp_path: Path) -> None:
    path, target = tmp_path / "a.jpg", tmp_path / f"b.{after}"
    stripes = np.zeros((120, 200, 3), np.uint8)
    stripes[:60, :100] = 250, 40, 40
    Image.fromarray(stripes).save(path, exif=structure(orientation, (200, 120)), quality=95)
    done = labeling.convert(path, target)
    from PIL import ImageOps

    shown = np.asarray(ImageOps.exif_transpose(opened(path)).convert("RGB")).astype(int)
    result = opened(target)
    assert result.getexif().get(0x0112, 1) == 1
    assert np.abs(np.asarray(result.convert("RGB")).astype(int) - shown).mean() < 4
    assert (done.width, done.height) == result.size
    assert tags(target).get("IFD0:Orientation", 1) == 1


@pytest.mark.parametrize(
    ("asked", "size"), [("320x320", (320, 240)), ("200", (200, 150)), ("1000x90", (120, 90)), ("1280", (1280, 960))]
)
def test_the_box_is_kept_to_and_so_are_the_proportions(asked: str, size: tuple[int, int], tmp_path: Path) -> None:
    rgb(640, 480).save(tmp_path / "a.png")
    done = labeling.convert(tmp_path / "a.png", tmp_path / "b.png", resize=asked)
    assert (done.width, done.height) == size == opened(tmp_path / "b.png").size


@pytest.mark.parametrize("asked", ["0", "10x0", "x10", "70000", "ten", "-5", "10x10x10", ""])
def test_a_wrong_size_is_named(asked: str, tmp_path: Path) -> None:
    rgb(64, 48).save(tmp_path / "a.png")
    with pytest.raises(LabelingError, match="`resize` must be"):
        labeling.convert(tmp_path / "a.png", tmp_path / "b.png", resize=asked)


def test_a_size_beyond_the_limit_is_refused_before_it_is_made(tmp_path: Path) -> None:
    rgb(64, 64).save(tmp_path / "a.png")
    with pytest.raises(TooLarge, match="`resize` asks for"):
        labeling.convert(tmp_path / "a.png", tmp_path / "b.png", resize="65535")


@pytest.mark.parametrize("extension", ["bmp", "tga", "ppm", "jp2", "ico", "sgi", "dds", "qoi"])
def test_formats_without_a_place_for_labels_are_converted(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{extension}"
    rgb(64, 64).save(path)
    labeling.convert(path, tmp_path / "b.png")
    assert np.array_equal(
        np.asarray(opened(tmp_path / "b.png").convert("RGB")), np.asarray(opened(path).convert("RGB"))
    )


def test_a_psd_file_brings_its_packet(tmp_path: Path) -> None:
    path = tmp_path / "a.psd"
    rgb(64, 48).save(tmp_path / "a.png")
    subprocess.run([require("convert"), tmp_path / "a.png", path], check=True)
    subprocess.run([require("exiftool"), "-q", "-XMP-dc:Title=kept", "-overwrite_original", path], check=True)
    labeling.convert(path, tmp_path / "b.webp")
    assert tags(tmp_path / "b.webp")["XMP-dc:Title"] == "kept"


def test_a_signer_names_a_source_that_has_no_manifest(tmp_path: Path) -> None:
    rgb(64, 48).save(tmp_path / "a.bmp")
    labeling.convert(tmp_path / "a.bmp", tmp_path / "b.png", signer=signer())
    with c2pa.Reader(str(tmp_path / "b.png")) as reader:
        found = json.loads(reader.json())
    active = found["manifests"][found["active_manifest"]]
    said = [a for each in active["assertions"] if "actions" in each["label"] for a in each["data"]["actions"]]
    assert [each["action"] for each in said] == ["c2pa.opened", "c2pa.transcoded"]
    assert not [each for each in said if "digitalSourceType" in each]  # nothing is known of it
    assert (found["validation_state"], len(active["ingredients"])) == ("Valid", 1)


@pytest.mark.parametrize("before", ["gif", "png", "webp"])
@pytest.mark.parametrize("after", ["gif", "png", "webp"])
@pytest.mark.parametrize("plays", [0, 1, 3])
def test_an_animation_keeps_frames_times_and_loops(before: str, after: str, plays: int, tmp_path: Path) -> None:
    path, target = tmp_path / f"a.{before}", tmp_path / f"b.{after}"
    frames = [Image.new("RGB", (120, 80), (60 * number, 40, 200 - 60 * number)) for number in range(4)]
    repeated: dict[str, Any] = {"loop": plays}
    if before == "gif":
        repeated = {} if plays == 1 else {"loop": plays - 1 if plays else 0}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 200, 300, 400], **repeated)
    labeling.convert(path, target, resize="60")
    result: Any = Image.open(io.BytesIO(target.read_bytes()))
    assert (result.n_frames, result.size) == (4, (60, 40))
    times = []
    for number in range(4):
        result.seek(number)
        result.load()
        times.append(result.info["duration"])
        pixel = np.asarray(result.convert("RGB"))[20, 30].astype(int)
        assert np.abs(pixel - (60 * number, 40, 200 - 60 * number)).max() < 14
    assert times == [100, 200, 300, 400]
    loop = result.info.get("loop")
    assert (1 if loop is None else loop + 1 if loop and after == "gif" else loop) == plays


def test_an_animation_is_not_cut_to_one_picture(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), (80 * number, 0, 0)) for number in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedFormat, match="animation of 3 frames"):
        labeling.convert(tmp_path / "a.gif", tmp_path / "b.jpg")
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedFormat, match="3 pages or smaller copies"):
        labeling.convert(tmp_path / "a.tif", tmp_path / "b.png")


def deep_png(path: Path, channels: int) -> np.ndarray[Any, Any]:
    import cv2

    x, y = np.meshgrid(np.arange(64), np.arange(48))
    samples = np.stack([x * 1000 + 7, y * 1300 + 3, x * y + 11, np.full_like(x, 65535)], -1)[..., :channels]
    deep = samples.astype(np.uint16)
    cv2.imwrite(str(path), deep[..., 0] if channels == 1 else deep)
    return deep


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_stay_where_the_format_has_them(channels: int, tmp_path: Path) -> None:
    import cv2

    deep = deep_png(tmp_path / "a.png", channels)
    done = labeling.convert(tmp_path / "a.png", tmp_path / "b.png")
    found = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(np.asarray(found).reshape(deep.shape), deep)
    assert not done.lost
    reduced = labeling.convert(tmp_path / "a.png", tmp_path / "b.jpg")
    assert [loss.what for loss in reduced.lost] == ["bit depth: 16 bits → 8 bits"]
    with pytest.raises(WouldLose, match="bit depth"):
        labeling.convert(tmp_path / "a.png", tmp_path / "c.jpg", strict=True)
    assert not (tmp_path / "c.jpg").exists()


@pytest.mark.parametrize("after", ["png", "webp", "tif", "avif", "jpg", "gif"])
def test_transparency_is_kept_or_named(after: str, tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[:, :30] = 200, 30, 30, 255
    pixels[:, 30:45] = 30, 200, 30, 128
    Image.fromarray(pixels).save(tmp_path / "a.png")
    done = labeling.convert(tmp_path / "a.png", tmp_path / f"b.{after}")
    words = [loss.what for loss in done.lost]
    if after in ("jpg", "gif"):
        assert words == ["transparency" if after == "jpg" else "partial transparency"]
        assert np.asarray(opened(tmp_path / f"b.{after}").convert("RGBA"))[20, 55, 3] == (255 if after == "jpg" else 0)
    else:
        assert words == []
        alpha = np.asarray(opened(tmp_path / f"b.{after}").convert("RGBA"))[..., 3].astype(int)
        assert np.abs(alpha - pixels[..., 3]).max() < 6


def test_cmyk_stays_in_jpeg_and_tiff_and_is_named_elsewhere(tmp_path: Path) -> None:
    rgb(64, 48).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    labeling.convert(tmp_path / "a.jpg", tmp_path / "b.tif")
    assert opened(tmp_path / "b.tif").mode == "CMYK"
    done = labeling.convert(tmp_path / "a.jpg", tmp_path / "b.png")
    assert [loss.what for loss in done.lost] == ["CMYK colours"]
    shown = np.asarray(opened(tmp_path / "a.jpg").convert("RGB")).astype(int)
    assert np.abs(np.asarray(opened(tmp_path / "b.png").convert("RGB")) - shown).max() < 3


def test_a_label_in_a_text_chunk_becomes_the_one_label_of_the_result(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    text = '{"Label":"1","ContentProducer":"theirs","ProduceID":"7"}'
    info.add_text("AIGC", text)
    info.add_text("Comment", "a note")
    rgb(64, 48).save(tmp_path / "a.png", pnginfo=info)
    done = labeling.convert(tmp_path / "a.png", tmp_path / "b.jpg")
    (label,) = [finding.value for finding in done.report.findings if finding.kind == "aigc"]
    assert label == json.loads(text)
    assert [loss.what for loss in done.lost] == ["text Comment"]


def test_labels_that_contradict_are_not_joined(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    for number in (1, 2):
        info.add_text("AIGC", f'{{"Label":"1","ContentProducer":"theirs","ProduceID":"{number}"}}')
    rgb(64, 48).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(LabelConflict, match="differ"):
        labeling.convert(tmp_path / "a.png", tmp_path / "b.jpg")


def test_a_visible_label_that_becomes_too_small_to_read_is_named(tmp_path: Path) -> None:
    path = source(tmp_path, "png", signs=False)
    done = labeling.convert(path, tmp_path / "b.png", resize="400")
    assert any("visible label is on the result" in sentence for sentence in done.how)
    small = labeling.convert(path, tmp_path / "c.png", resize="48")
    assert [loss.what for loss in small.lost] == ["visible label"]


def test_where_the_output_goes(tmp_path: Path) -> None:
    path = source(tmp_path, "png", signs=False)
    before = path.read_bytes()
    with pytest.raises(LabelingError, match="would be overwritten"):
        labeling.convert(path, path, resize="100")
    with pytest.raises(LabelingError, match="keeps the format"):
        labeling.convert(path, format="webp", in_place=True)
    with pytest.raises(LabelingError, match="name says jpeg, and `format` webp"):
        labeling.convert(path, tmp_path / "x.jpg", format="webp")
    with pytest.raises(UnsupportedFormat, match="nothing says which format"):
        labeling.convert(path, tmp_path / "x.doc")
    assert labeling.convert(path, dry_run=True, format="webp").path.name == "source.converted.webp"
    assert path.read_bytes() == before
    labeling.convert(path, in_place=True, resize="320")
    assert opened(path).size == (320, 240)
    assert {each.name for each in tmp_path.iterdir()} == {"made.png", "source.png"}


def test_the_command(tmp_path: Path) -> None:
    path, target = source(tmp_path, "jpg"), tmp_path / "small.webp"
    made = chain()
    (tmp_path / "cert.pem").write_bytes(made.cert_pem)
    (tmp_path / "key.pem").write_bytes(made.key_pem)
    refused = run("convert", path, target, "--resize", "320x240")
    assert refused.returncode == 2
    assert "--signer-cert and --signer-key" in refused.stderr
    keys = ("--signer-cert", tmp_path / "cert.pem", "--signer-key", tmp_path / "key.pem")
    done = run("convert", path, target, "--resize", "320x240", "--quality", "80", *keys)
    assert done.returncode == 0, done.stderr
    assert "320×240 pixels" in done.stdout
    assert actions(target, "image/webp") == ["c2pa.opened", "c2pa.resized", "c2pa.transcoded"]


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\0\1 no picture")
    with pytest.raises(UnsupportedFormat, match="no format that can be converted"):
        labeling.convert(tmp_path / "a.txt", tmp_path / "b.png")
    (tmp_path / "cut.tga").write_bytes(bytes([0, 0, 2]) + bytes(9) + bytes([200, 0, 200, 0, 24, 0, 1, 2, 3]))
    with pytest.raises(LabelingError, match="damaged"):
        labeling.convert(tmp_path / "cut.tga", tmp_path / "b.png")


def test_a_camera_raw_file_is_not_taken_for_its_preview(tmp_path: Path) -> None:
    path = tmp_path / "a.dng"
    rgb(160, 120).save(path, "TIFF", tiffinfo={0xC612: b"\1\4\0\0", 0xC614: "Camera"})
    with pytest.raises(UnsupportedFormat, match="camera raw"):
        labeling.convert(path, tmp_path / "b.png")


def test_tiff_files_that_pillow_cannot_open(tmp_path: Path) -> None:
    import tifffile

    values = np.add.outer(np.arange(48), np.arange(64))
    signed = np.stack([values, values // 2, 100 - values], -1).astype(np.int8)
    tifffile.imwrite(tmp_path / "signed.tif", signed, photometric="rgb")
    done = labeling.convert(tmp_path / "signed.tif", tmp_path / "b.png")
    assert opened(tmp_path / "b.png").size == (64, 48)
    assert [loss.what for loss in done.lost] == ["sample format (signed)"]
    tifffile.imwrite(tmp_path / "long.tif", (values * 100_000).astype(np.uint32))
    with pytest.raises(UnsupportedFormat, match="32 bits"):
        labeling.convert(tmp_path / "long.tif", tmp_path / "c.png")


@pytest.mark.parametrize("codes", [(9, 16), (12, 13)], ids=["BT.2020 PQ", "Display P3"])
def test_colours_by_code_points_are_not_taken_for_srgb(codes: tuple[int, int], tmp_path: Path) -> None:
    import zlib

    rgb(64, 48).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    body = b"cICP" + bytes([*codes, 0, 1])
    chunk = (4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    with pytest.raises(UnsupportedFormat, match="code points"):
        labeling.convert(tmp_path / "a.png", tmp_path / "b.jpg")
