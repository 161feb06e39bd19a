"""Transplanting: a copy gets the labels of its original, other content none, and packets stay as they are."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import labeling
from labeling import LabelConflict, Labeler, Signer, Style, UnreadableFile
from labeling.marks.credentials import make_test_chain

from . import programs
from .commands import run
from .test_bad_input import PRODUCER

WAVES = "aevalsrc=0.3*sin(2*PI*(300+200*floor(t))*t)+0.05*sin(2*PI*1700*t):d=3:s=16000"


def ffmpeg(*arguments: object) -> None:
    programs.require("ffmpeg", "ffprobe")
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled video and a labelled sound, and what they were made from."""
    folder = tmp_path_factory.mktemp("originals")
    pictures, sound = ["-f", "lavfi", "-i", "testsrc2=s=160x120:d=3:r=10"], ["-f", "lavfi", "-i", WAVES]
    ffmpeg(*pictures, *sound, "-c:v", "libx264", "-c:a", "aac", folder / "plain.mp4")
    ffmpeg(*sound, folder / "plain.wav")
    labeler = Labeler(PRODUCER, visible=False)
    for name in ("plain.mp4", "plain.wav"):
        labeler.label_file(folder / name, folder / name.replace("plain", "labelled"), content_id="id-1")
    return folder


def tag(path: Path) -> dict[str, Any]:
    """The label as ffprobe reads it."""
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", "format_tags:stream_tags", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    tags = [found["format"].get("tags", {}), *(stream.get("tags", {}) for stream in found.get("streams", []))]
    label = next(value for each in tags for key, value in each.items() if key.upper() == "AIGC")
    return dict(json.loads(label))


def packets(path: Path) -> str:
    """Hashes of all packets, with times; not those of headers, in which Ogg has its comments."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0", "-c", "copy", "-f", "framemd5", "-"]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    return "\n".join(line.partition(", S=")[0] for line in lines if not line.startswith("#"))


COPIES = {
    "small.mp4": "-vf scale=96:72 -r 8 -c:v libx264 -crf 32 -c:a aac -b:a 32k",
    "copy.mkv": "-c:v libx264 -c:a libmp3lame -b:a 64k",
    "copy.webm": "-c:v libvpx -b:v 300k -c:a libopus -b:a 32k",
    "muted.mp4": "-an -c:v libx264",
}


@pytest.mark.parametrize("name", COPIES)
def test_a_reencoded_video_gets_the_label_and_keeps_its_packets(desk: Path, tmp_path: Path, name: str) -> None:
    copy, out = tmp_path / name, tmp_path / f"out-{name}"
    ffmpeg("-i", desk / "labelled.mp4", *COPIES[name].split(), copy)
    done = labeling.transplant(desk / "labelled.mp4", copy, out)
    assert (done.label.content_id, done.label.producer) == ("id-1", PRODUCER)
    assert packets(out) == packets(copy)
    assert any("no sound" in said for said in done.how) == (name == "muted.mp4")
    assert tag(out)["ProduceID"] == "id-1"
    assert labeling.verify(out, visible=False).origin == "confirmed"


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp3", "-b:a 48k"), ("a.m4a", "-c:a aac -b:a 24k"), ("a.flac", ""), ("a.opus", "-c:a libopus -b:a 16k"),
        ("a.ogg", "-c:a libvorbis -q:a 0"), ("a.wav", "-ar 8000 -af volume=0.4"),
    ],
)  # fmt: skip
def test_a_reencoded_sound_gets_the_label(desk: Path, tmp_path: Path, name: str, how: str) -> None:
    ffmpeg("-i", desk / "plain.wav", *how.split(), tmp_path / name)
    done = labeling.transplant(desk / "labelled.wav", tmp_path / name, tmp_path / f"out-{name}")
    assert done.label.content_id == "id-1" and packets(tmp_path / f"out-{name}") == packets(tmp_path / name)
    if name != "a.wav":  # whose chunk ffprobe does not show
        assert tag(done.path)["ContentProducer"] == PRODUCER


OTHERS = {
    "other.mp4": ("-f lavfi -i mandelbrot=s=160x120:r=10 -t 3 -c:v libx264", "same picture"),
    "mirrored.mp4": ("-i plain.mp4 -vf hflip -c:v libx264 -c:a copy", "same picture"),
    "dubbed.mp4": ("-i plain.mp4 -f lavfi -i sine=f=700:d=3 -map 0:v -map 1:a -c:v copy -c:a aac", "sound the same"),
    "shorter.mp4": ("-i plain.mp4 -t 2 -c:v libx264 -c:a aac", "no copy of the whole"),
    "sound.m4a": ("-i plain.mp4 -vn -c:a copy", "that is video"),
    "picture.png": ("-i plain.mp4 -frames:v 1", "one of them is a picture"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_video_gets_no_label(desk: Path, tmp_path: Path, name: str) -> None:
    how, why = OTHERS[name]
    ffmpeg(*how.replace("plain.mp4", str(desk / "plain.mp4")).split(), tmp_path / name)
    with pytest.raises(LabelConflict, match=why):
        labeling.transplant(desk / "labelled.mp4", tmp_path / name, tmp_path / f"x-{name}")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "source", ["sine=f=450:d=3", "anoisesrc=d=3:a=0.2", "aevalsrc=0:d=3", f"{WAVES},areverse", f"{WAVES},atrim=0:2.2"]
)
def test_another_sound_gets_no_label(desk: Path, tmp_path: Path, source: str) -> None:
    ffmpeg("-f", "lavfi", "-i", source, tmp_path / "b.mp3")
    with pytest.raises(LabelConflict, match=r"sound the same|no copy of the whole"):
        labeling.transplant(desk / "labelled.wav", tmp_path / "b.mp3", tmp_path / "x.mp3")


def test_two_stretches_of_noise_are_not_one_sound(tmp_path: Path) -> None:
    for seed in (1, 2):
        ffmpeg("-f", "lavfi", "-i", f"anoisesrc=d=2:a=0.2:s={seed}:r=16000", tmp_path / f"{seed}.wav")
    Labeler(PRODUCER, visible=False).label_file(tmp_path / "1.wav", tmp_path / "l.wav")
    with pytest.raises(LabelConflict, match="sound the same"):
        labeling.transplant(tmp_path / "l.wav", tmp_path / "2.wav")


def test_sounds_that_are_too_high_to_be_compared_are_not_called_one(tmp_path: Path) -> None:
    for pitch in (6000, 7500):
        ffmpeg("-f", "lavfi", "-i", f"sine=f={pitch}:d=1:r=32000", tmp_path / f"{pitch}.wav")
    Labeler(PRODUCER, visible=False).label_file(tmp_path / "6000.wav", tmp_path / "l.wav")
    with pytest.raises(LabelConflict, match="holds no sound from 62 to 3440 Hz"):
        labeling.transplant(tmp_path / "l.wav", tmp_path / "7500.wav")


def test_the_original_s_manifest_becomes_the_parent_or_is_named(desk: Path, tmp_path: Path) -> None:
    chain = make_test_chain()
    signer = Signer.from_pem(chain.cert_pem, chain.key_pem)
    Labeler(PRODUCER, visible=False, signer=signer).label_file(desk / "plain.mp4", tmp_path / "signed.mp4")
    copies = [tmp_path / "c.mov", tmp_path / "c.mkv"]
    ffmpeg("-i", tmp_path / "signed.mp4", "-c:v", "mpeg4", "-c:a", "aac", copies[0], "-c:v", "mpeg4", copies[1])
    plain = labeling.transplant(tmp_path / "signed.mp4", copies[0], tmp_path / "p.mov")
    assert [loss.what for loss in plain.lost] == ["C2PA manifest of the original"]
    labeling.transplant(tmp_path / "signed.mp4", copies[0], tmp_path / "s.mov", signer=signer)
    with (tmp_path / "s.mov").open("rb") as file, c2pa.Reader("video/quicktime", file) as reader:
        store = json.loads(reader.json())
    active = store["manifests"][store["active_manifest"]]
    assert store["validation_state"] == "Valid"
    assert [each["relationship"] for each in active["ingredients"]] == ["parentOf"]
    assert active["ingredients"][0]["active_manifest"] in store["manifests"]
    unsigned = labeling.transplant(tmp_path / "signed.mp4", copies[1], tmp_path / "s.mkv", signer=signer)
    assert [loss.what for loss in unsigned.lost] == ["C2PA manifest of the original"]


def test_a_visible_label_that_only_the_original_shows_is_named(tmp_path: Path) -> None:
    from .pictures import rgb

    rgb(400, 300).save(tmp_path / "copy.jpg")
    drawn = Labeler(PRODUCER, style=Style(height_ratio=0.07)).label_image(rgb(400, 300), "png")
    (tmp_path / "drawn.png").write_bytes(drawn.data)
    bare = labeling.transplant(tmp_path / "drawn.png", tmp_path / "copy.jpg", tmp_path / "out.jpg")
    assert [loss.what for loss in bare.lost] == ["visible label of the original"]
    with Image.open(io.BytesIO(drawn.data)) as image:
        image.convert("RGB").save(tmp_path / "shown.jpg", quality=85)
    whole = labeling.transplant(tmp_path / "drawn.png", tmp_path / "shown.jpg", tmp_path / "out2.jpg")
    assert whole.lost == () and whole.report.compliant


Y, X = np.mgrid[0:240, 0:320]


def _page(seed: int) -> Any:
    image = Image.new("L", (320, 240), 255)
    draw = ImageDraw.Draw(image)
    letters = np.random.default_rng(seed).integers(97, 123, (18, 44))
    for line, row in enumerate(letters):
        draw.text((12, 8 + 12 * line), bytes(row.tolist()).decode(), fill=0, font=ImageFont.load_default(10))
    return np.asarray(image)


def _dot(left: int) -> Any:
    pixels = np.full((240, 320), 250)
    pixels[100:120, left : left + 20] = 20
    return pixels


FAINT: dict[str, Callable[[], Any]] = {
    "columns": lambda: 128 + 4 * np.sin(X / 20),
    "rows": lambda: 128 + 4 * np.sin(Y / 15),
    "ramp": lambda: 128 + 4 * (X / 160 - 1),
    "steeper ramp": lambda: 128 + 8 * (X / 160 - 1),
    "gray": lambda: np.full((240, 320), 128),
    "lighter gray": lambda: np.full((240, 320), 134),
    "a page": lambda: _page(1),
    "another page": lambda: _page(2),
    "dot on the left": lambda: _dot(30),
    "dot on the right": lambda: _dot(250),
    "red": lambda: np.broadcast_to((200, 60, 60), (240, 320, 3)),
    "green, as bright": lambda: np.broadcast_to((60, 132, 60), (240, 320, 3)),
}


def _picture(name: str) -> Image.Image:
    return Image.fromarray(np.clip(np.round(FAINT[name]()), 0, 255).astype(np.uint8)).convert("RGB")


PAIRS = (
    ("columns", "rows"), ("ramp", "steeper ramp"), ("ramp", "gray"), ("gray", "lighter gray"),
    ("a page", "another page"),
    ("dot on the left", "dot on the right"), ("red", "green, as bright"),
)  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=" / ".join)
def test_pictures_of_little_contrast_are_told_apart(pair: tuple[str, str], tmp_path: Path) -> None:
    for name, number in zip(pair, "ab", strict=True):
        made = Labeler(PRODUCER, visible=False).label_image(_picture(name), "png")
        (tmp_path / f"{number}-labelled.png").write_bytes(made.data)
        _picture(name).save(tmp_path / f"{number}.png")
    for labelled, copy in ("ab", "ba"):
        with pytest.raises(LabelConflict, match="same picture"):
            labeling.transplant(tmp_path / f"{labelled}-labelled.png", tmp_path / f"{copy}.png")


@pytest.mark.parametrize("name", ["columns", "steeper ramp", "gray", "dot on the left", "red"])
def test_their_copies_get_the_label(name: str, tmp_path: Path) -> None:
    made = Labeler(PRODUCER, visible=False).label_image(_picture(name), "png", content_id="id-1")
    (tmp_path / "l.png").write_bytes(made.data)
    _picture(name).resize((200, 150)).save(tmp_path / "copy.jpg", quality=85)
    done = labeling.transplant(tmp_path / "l.png", tmp_path / "copy.jpg", dry_run=True)
    assert done.label.content_id == "id-1"


def test_tiny_pictures_are_compared_too(tmp_path: Path) -> None:
    for seed in (1, 2):
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
        Image.fromarray(pixels).save(tmp_path / f"{seed}.png")
    Labeler(PRODUCER, visible=False).label_file(tmp_path / "1.png", tmp_path / "l.png")
    with pytest.raises(LabelConflict, match="same picture"):
        labeling.transplant(tmp_path / "l.png", tmp_path / "2.png")
    labeling.transplant(tmp_path / "l.png", tmp_path / "1.png", dry_run=True)


def test_bad_files_are_one_line(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes((desk / "plain.mp4").read_bytes()[:4000])
    with pytest.raises(UnreadableFile):
        labeling.transplant(desk / "labelled.mp4", tmp_path / "cut.mp4")
    done = run("transplant", desk / "labelled.mp4", desk / "plain.wav", "-o", tmp_path / "x.wav")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    done = run("transplant", desk / "labelled.mp4", desk / "plain.mp4", "-o", tmp_path / "x.mp4")
    assert done.returncode == 0 and "id-1" in done.stdout, done.stderr
