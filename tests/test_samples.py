"""The samples and the demo run as a user runs them, and what they leave behind is what they say it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

import labeling

ROOT = Path(__file__).resolve().parent.parent


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(ROOT / "samples" / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def exiftool(path: Path) -> dict[str, object]:
    command = ["exiftool", "-j", "-G1", "-a", str(path)]
    answer: list[dict[str, object]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return answer[0]


def test_a_generation_loop_leaves_labelled_pictures(tmp_path: Path) -> None:
    shown = run("generate_and_label.py", tmp_path).splitlines()
    made = sorted(tmp_path.glob("*.jpg"))
    assert len(shown) == len(made) == 5
    for path in made:
        tags = exiftool(path)
        assert json.loads(str(tags["XMP-TC260:Aigc"]))["ProduceID"] == path.stem
        assert tags["XMP-iptcExt:DigitalSourceType"]
        with Image.open(path) as picture:
            assert picture.size == (960, 640)


def test_a_video_is_written_from_frames(tmp_path: Path) -> None:
    shown = run("label_video.py", tmp_path).splitlines()
    assert "compliant, 120 frames encoded as H.264" in shown[0]
    assert shown[1].endswith("AI生成 from 0.0 s on")
    for name in ("generated.mp4", "longer.mp4"):
        tags = exiftool(tmp_path / name)
        assert json.loads(str(tags["Keys:AIGC"]))["ContentProducer"] == "001191000000MA00DEM00P10001"
        assert str(tags["XMP-iptcExt:DigitalSourceType"]).endswith("trainedAlgorithmicMedia")


def test_an_upload_is_acted_on_by_its_verdict(tmp_path: Path) -> None:
    shown = dict(line.split(": ", 1) for line in run("check_upload.py", tmp_path).splitlines())
    assert shown["labelled.png"].startswith("publish with the notice: AI-generated")
    assert shown["declared.png"].startswith("publish with the notice: possibly AI-generated")
    assert shown["plain.png"] == "publish"
    assert shown["truncated.png"].startswith("reject: ")
    assert shown["notes.png"].startswith("reject: ")


def test_a_callback_signs(tmp_path: Path) -> None:
    import c2pa

    shown = run("sign_with_callback.py", tmp_path)
    assert "with 1 call" in shown
    assert "without trust anchors: valid" in shown
    assert "with the vault's root: trusted" in shown
    reader = c2pa.Reader(str(tmp_path / "signed.png"))
    assert json.loads(reader.json())["validation_state"] == "Valid"
    reader.close()


def test_a_folder_is_labelled_once_and_a_stripped_copy_known_again(tmp_path: Path) -> None:
    labelled = tmp_path / "labelled"
    for before in (0, 5):
        shown = run("label_folder.py", tmp_path)
        assert f"4 labelled, 1 unsupported; {before} of them before" in shown
        assert "stripped.jpg: is " in shown
        assert "by its fingerprint" in shown
    pictures = [path for path in labelled.iterdir() if path.is_file()]
    assert sorted(path.suffix for path in pictures) == [".jpg", ".png", ".tiff", ".webp"]
    assert all(labeling.verify(path, visible=False).compliant for path in pictures)
    assert "Aigc" not in exiftool(tmp_path / "stripped.jpg")


def aigc_demo(out: Path, *media: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "labeling.cli", "demo", "-o", str(out), *map(str, media)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=240, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_demo_labels_every_format_that_it_makes_and_draws_a_contact_sheet(tmp_path: Path) -> None:
    shown = aigc_demo(tmp_path)
    assert shown.count(" compliant ") == 8
    formats, frames = set(), {}
    for path in (tmp_path / "labelled").iterdir():
        with Image.open(path) as picture:
            formats.add(picture.format)
            frames[path.name] = getattr(picture, "n_frames", 1)
        assert "XMP-TC260:Aigc" in exiftool(path)
    assert formats == {"JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"}
    assert frames["sea.gif"] == 16

    assert str(tmp_path / "contact-sheet.png") in shown
    with Image.open(tmp_path / "contact-sheet.png") as sheet:
        assert sheet.width > 1600
        colours = sheet.convert("RGB").resize((64, 64)).getcolors(64 * 64)
    assert colours is not None
    assert len(colours) > 500  # pictures are on it, not paper only


def test_the_demo_takes_real_media_and_leaves_them_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.linear_gradient("L").convert("RGB").save(folder / "gradient.png")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    before = (folder / "gradient.png").read_bytes()
    aigc_demo(tmp_path / "out", folder)
    assert (folder / "gradient.png").read_bytes() == before
    assert [path.name for path in (tmp_path / "out" / "labelled").iterdir()] == ["gradient.png"]


def test_the_demo_says_in_one_line_what_is_missing(tmp_path: Path) -> None:
    shown = aigc_demo(tmp_path / "out", tmp_path / "nowhere.png", code=3)
    assert shown.splitlines() == [f"aigc-label: {tmp_path / 'nowhere.png'}: there is no such file"]
    (tmp_path / "empty").mkdir()
    shown = aigc_demo(tmp_path / "out", tmp_path / "empty", code=2)
    assert len(shown.splitlines()) == 1
    assert "no picture in" in shown
