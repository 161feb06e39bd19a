"""What ``pip install aigc-labeling`` brings is enough for pictures and for all metadata; only PyAV's work asks for it.

Every call runs in a process in which neither PyAV nor pillow-heif can be imported: the extras ``video`` and ``heif``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import programs

PRODUCER = "001191110102MACQD9K64010000"
INSTALL = "pip install 'aigc-labeling[video]'"

PICTURES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "tiff": "TIFF"}
VIDEOS = {
    "mp4": ("-c:v", "libx264", "-c:a", "aac"),
    "mov": ("-c:v", "mpeg4", "-c:a", "aac"),
    "mkv": ("-c:v", "libx264", "-c:a", "flac"),
    "webm": ("-c:v", "libvpx-vp9", "-c:a", "libopus"),
    "avi": ("-c:v", "mpeg4", "-c:a", "mp3"),
    "flv": ("-c:v", "flv1", "-c:a", "mp3"),
}
AUDIO = ("wav", "mp3", "flac", "aac", "aiff", "ogg", "opus", "m4a")

PREAMBLE = """
import json, sys
sys.modules["av"] = None
sys.modules["pillow_heif"] = None
import labeling
maker = labeling.Labeler(producer=%r)
quiet = labeling.Labeler(producer=%r, visible=False)
def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except labeling.MissingDependency as error:
        return str(error)
    return "not refused"
def seen(source, profile="cn"):
    report = labeling.verify(source, profile=profile)
    visible = report.find("visible")
    return [report.verdicts[profile].outcome, report.find("aigc").status, visible.status,
            [defect.rule for defect in visible.defects], " ".join(defect.message for defect in visible.defects)]
""" % (PRODUCER, PRODUCER)  # noqa: UP031 - the code is full of braces


def run(code: str, *arguments: str | Path) -> Any:
    """Run code without the extras, and return what it prints as JSON."""
    command = [sys.executable, "-c", PREAMBLE + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line without the extras."""
    code = "import sys\nsys.modules['av'] = None\nfrom labeling.cli import main\nmain()"
    line = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of every format."""
    programs.require("ffmpeg")
    folder = tmp_path_factory.mktemp("media")
    picture = Image.radial_gradient("L").convert("RGB").resize((480, 320))
    for extension, name in (PICTURES | {"avif": "AVIF"}).items():
        picture.save(folder / f"a.{extension}", name)
    from pillow_heif import from_pillow

    from_pillow(picture).save(folder / "a.heic")
    pictures = ("-f", "lavfi", "-i", "testsrc=size=320x240:rate=24:duration=3")
    sound = ("-f", "lavfi", "-i", "sine=duration=3:sample_rate=44100")
    jobs = [(name, (*pictures, *sound, *coding)) for name, coding in VIDEOS.items()] + [(name, sound) for name in AUDIO]
    for extension, how in jobs:
        target = folder / f"a.{extension}"
        subprocess.run(["ffmpeg", "-v", "error", *how, target], check=True, timeout=60)
    return folder


def test_pictures_are_labelled_and_verified(media: Path, tmp_path: Path) -> None:
    code = """
from PIL import Image
source, target, names = sys.argv[1], sys.argv[2], sys.argv[3:]
made = {}
for name in names:
    done = maker.label_file(f"{source}/a.{name}", f"{target}/a.{name}")
    made[name] = [done.report.verdicts["cn"].outcome, *seen(done.path)[:3]]
    format = {"jpg": "jpeg"}.get(name, name)
    pixels = Image.open(f"{source}/a.png").convert("RGB")
    drawn = maker.label_image(pixels, format)
    made["memory " + name] = [drawn.report.verdicts["cn"].outcome, *seen(drawn.data)[:3]]
print(json.dumps(made))
"""
    found = run(code, media, tmp_path, *PICTURES)
    assert all(each == ["compliant", "compliant", "present", "present"] for each in found.values()), found
    assert len(found) == 2 * len(PICTURES)


def test_avif_from_memory_needs_no_pyav_and_a_file_says_what_it_needs(media: Path, tmp_path: Path) -> None:
    code = """
from PIL import Image
source, target = sys.argv[1:]
made = maker.label_image(Image.open(f"{source}/a.png").convert("RGB"), "avif").data
errors = [refused(maker.label_file, f"{source}/a.{name}", f"{target}/a.{name}") for name in ("avif", "heic")]
for name in ("avif", "heic"):
    quiet.label_file(f"{source}/a.{name}", f"{target}/a.{name}")
print(json.dumps([seen(made), errors, seen(f"{target}/a.avif"), seen(f"{target}/a.heic")]))
"""
    made, errors, avif, heic = run(code, media, tmp_path)
    assert made[:3] == ["compliant", "present", "present"]
    for error in errors:
        assert "drawing on HEIC and AVIF files needs PyAV; " + INSTALL in error
        assert "`visible=False`" in error
    assert avif[:3] == ["noncompliant", "present", "absent"]  # Pillow decodes it
    assert heic[:4] == ["inconclusive", "present", "unreadable", ["FILE-DECODER"]]
    assert "the visible label was not looked for" in heic[4]
    assert "pip install 'aigc-labeling[heif]'" in heic[4]


def coded(path: Path) -> bytes:
    """FFmpeg's hash of the coded data of each stream."""
    line: list[str | Path] = ["ffmpeg", "-v", "error", "-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-"]
    return subprocess.run(line, capture_output=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("name", [*VIDEOS, *AUDIO])
def test_metadata_of_video_and_audio(media: Path, tmp_path: Path, name: str) -> None:
    code = """
source, target = sys.argv[1:]
bare = seen(source)
done = quiet.label_file(source, target)
print(json.dumps([bare, seen(target), labeling.verify(target, visible=False).verdicts["cn"].outcome, done.lost]))
"""
    bare, labelled, metadata, lost = run(code, media / f"a.{name}", tmp_path / f"a.{name}")
    assert bare[:4] == ["noncompliant", "absent", "unreadable", ["FILE-DECODER"]]  # for the missing AIGC field alone
    assert labelled[:4] == ["inconclusive", "present", "unreadable", ["FILE-DECODER"]]
    assert labelled[4] == f"the visible label was not looked for: decoding video and audio needs PyAV; {INSTALL}"
    assert metadata == "compliant"
    assert lost == []
    assert coded(tmp_path / f"a.{name}") == coded(media / f"a.{name}")


@pytest.mark.parametrize("name", VIDEOS)
def test_a_visible_label_on_video_is_refused_before_anything_is_written(media: Path, tmp_path: Path, name: str) -> None:
    code = """
print(json.dumps([refused(maker.label_file, sys.argv[1], sys.argv[2], dry_run=dry) for dry in (False, True)]))
"""
    for error in run(code, media / f"a.{name}", tmp_path / f"a.{name}"):
        assert f"drawing on video needs PyAV; {INSTALL}, or label it without the visible text" in error
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_labelled_already_is_never_called_compliant_or_unlabelled(media: Path, tmp_path: Path) -> None:
    import labeling

    labeling.Labeler(producer=PRODUCER).label_file(media / "a.mp4", tmp_path / "a.mp4")
    outcome, aigc, visible, rules, _ = run("print(json.dumps(seen(sys.argv[1])))", tmp_path / "a.mp4")
    assert (outcome, aigc, visible, rules) == ("inconclusive", "present", "unreadable", ["FILE-DECODER"])
    shown = command("verify", tmp_path / "a.mp4")
    assert shown.returncode == 3, shown.stderr
    assert INSTALL in shown.stdout
    page = command("verify", tmp_path / "a.mp4", "--format", "html", "--lang", "zh")
    assert page.returncode == 3
    assert "未安装解码该图像、视频或音频所需的库，未检查显式标识。" in page.stdout


def test_frames_and_the_audible_label(media: Path, tmp_path: Path) -> None:
    code = """
import numpy
source, target = sys.argv[1:]
def write():
    with maker.open_video(f"{target}/clip.mp4", size=(64, 64), fps=24):
        pass
cue = labeling.Labeler(producer=maker.producer, video=labeling.VideoOptions(audio_cue=True))
frames = list(maker.label_frames(numpy.zeros((2, 240, 320, 3), numpy.uint8)))
print(json.dumps([refused(write), refused(cue.label_file, f"{source}/a.wav", f"{target}/a.wav"), len(frames),
                  int(frames[0].max()) > 100]))
"""
    writer, cue, count, drawn = run(code, media, tmp_path)
    assert f"encoding video needs PyAV; {INSTALL}" in writer
    assert f'an audible label needs PyAV; {INSTALL}, or give `audio_cue="none"`' in cue
    assert (count, drawn) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_the_commands_say_what_to_install(media: Path, tmp_path: Path) -> None:
    add = command("add", media / "a.mp4", "-o", tmp_path / "a.mp4", "--producer", PRODUCER)
    assert add.returncode == 2
    assert add.stderr.endswith(f"needs PyAV; {INSTALL}, or label it without the visible text (--no-visible)\n")
    several = command("verify", media / "a.mp4", media / "a.jpg")  # one file does not stop the other
    assert several.returncode == 1
    assert "CN-VISIBLE-MISSING" in several.stdout
    demo = command("demo", "-o", tmp_path / "demo")
    assert demo.returncode == 0, demo.stderr
    assert len(list((tmp_path / "demo" / "labelled").iterdir())) == 7
