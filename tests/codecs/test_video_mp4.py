"""The label on videos in MP4 and MOV by surgery: what is not under it stays, bit for bit, as FFmpeg decodes it."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest

import labeling
from labeling import Labeler, LabelingError, Signer
from labeling.findings import Status
from labeling.marks.credentials import make_test_chain
from labeling.options import VideoOptions

PRODUCER = "001191000000MA00DEM00P10001"
X264 = "-c:v libx264 -preset ultrafast -bf 2 -g 24"
KINDS = {
    "plain.mp4": f"{X264}",
    "no_b.mp4": f"{X264} -bf 0",
    "pyramid.mp4": f"{X264} -bf 4 -x264-params b-pyramid=normal",
    "vfr.mp4": f"-vf select=not(eq(mod(n\\,5)\\,2)) -fps_mode vfr {X264}",
    "negative.mp4": f"{X264} -movflags negative_cts_offsets",
    "pixels.mp4": f"-vf setsar=4/3 {X264}",
    "hevc.mp4": "-c:v libx265 -preset ultrafast -x265-params log-level=none:open-gop=0:keyint=24 -tag:v hvc1",
    "vp9.mp4": "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 24",
    "one_group.mp4": f"{X264} -g 500",
}
Frames = list[tuple[str, str]]


def ffmpeg(*arguments: object) -> None:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Four seconds of video with audio, made when first asked for."""
    home = tmp_path_factory.mktemp("surgery")
    source = ("-f", "lavfi", "-i", "testsrc2=s=320x240:r=24:d=4", "-f", "lavfi", "-i", "sine=d=4")

    def video(name: str) -> Path:
        path = home / name
        if path.exists():
            return path
        copy = ("-i", video("plain.mp4"), "-map", 0, "-c", "copy") if name not in KINDS else ()
        if name == "cut_in.mp4":  # an edit list hides the pictures before 0.7 s
            ffmpeg("-ss", 0.7, *copy, path)
        elif name == "turned.mp4":
            ffmpeg(*copy, "-metadata:s:v", "rotate=90", path)
        elif name == "two_audio.mp4":
            ffmpeg("-i", video("plain.mp4"), "-map", "0:a", "-map", 0, "-c", "copy", path)
        elif name == "faststart.mp4":
            ffmpeg(*copy, "-movflags", "+faststart", path)
        elif name == "quicktime.mov":
            ffmpeg(*copy, path)
        else:
            ffmpeg(*source, *KINDS[name].split(), "-c:a", "aac", path)
        return path

    return video


def framemd5(path: Path, *options: str) -> Frames:
    """(pts, MD5) of pictures or packets, without a word of complaint."""
    command = ["ffmpeg", "-v", "warning", "-nostdin", "-i", str(path), *options, "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [(f"{line[0]} {line[2].strip()}", line[5].strip()) for line in lines]


def pictures(path: Path) -> Frames:
    return framemd5(path, "-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "-1")


def audio(path: Path) -> Frames:
    return framemd5(path, "-map", "0:a", "-c", "copy")


def differing(one: Frames, other: Frames) -> list[int]:
    assert [time for time, _ in one] == [time for time, _ in other]
    return [n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a[1] != b[1]]


def shown(path: Path, number: int) -> Any:
    """One picture as displayed, (H, W, 3)."""
    probe = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "stream=width,height:side_data=rotation",
    ]
    facts = subprocess.run([*probe, "-of", "default=nk=1:nw=1", str(path)], capture_output=True, text=True, check=True)
    width, height, *rotation = map(int, facts.stdout.split())
    if rotation and rotation[0] % 180:
        width, height = height, width
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-vf", f"select=eq(n\\,{number})"]
    raw = subprocess.run([*command, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], capture_output=True)
    return np.frombuffer(raw.stdout, np.uint8).reshape(height, width, 3)


def label(path: Path, out: Path, **video: Any) -> labeling.LabeledFile:
    preset = None if path.stem == "vp9" else "ultrafast"
    return Labeler(PRODUCER, video=VideoOptions(preset=preset, **video)).label_file(path, out)


def visible(path: Path) -> Any:
    report = labeling.verify(path)
    assert report.verdicts["cn"].outcome == "compliant", report.verdicts["cn"]
    return next(finding for finding in report.findings if finding.kind == "visible")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FIRST = [*KINDS, "cut_in.mp4", "turned.mp4", "two_audio.mp4"]


@pytest.mark.parametrize("name", FIRST)
def test_the_start_is_labelled_and_the_rest_is_as_it_was(
    videos: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    path, out = videos(name), tmp_path / name
    done = label(path, out)
    changed = differing(pictures(path), pictures(out))
    assert audio(out) == audio(path)
    assert left(tmp_path) == [name]
    if name == "one_group.mp4":
        assert "re-encoded" in done.how[0] and len(changed) > 90
    else:
        # The label is on all pictures of two seconds; what is coded with them ends with their group of pictures.
        assert changed[:40] == list(range(40)) and 38 < changed[-1] < 76
        assert "bit-exactly" in done.how[0], done.how


@pytest.mark.parametrize("name", ["cut_in.mp4", "turned.mp4", "pixels.mp4"])
def test_the_label_is_read_for_two_seconds(videos: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    label(videos(name), out)
    finding = visible(out)
    assert finding.status is Status.PRESENT and not finding.defects
    since, until = finding.value["seconds"]
    assert since == 0 and until >= 2


def test_the_label_is_at_the_foot_of_a_turned_picture(videos: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "t.mp4"
    label(videos("turned.mp4"), out)
    before, after = shown(videos("turned.mp4"), 5).astype(int), shown(out, 5).astype(int)
    assert before.shape == (320, 240, 3)
    rows, columns = np.nonzero(np.abs(after - before).max(axis=2) > 60)
    assert columns.max() - columns.min() > 2 * (rows.max() - rows.min())  # a line of text as displayed


@pytest.mark.parametrize("when", ["start+end", "start+middle+end", "whole"])
def test_where_the_label_is_asked_for(videos: Callable[[str], Path], tmp_path: Path, when: str) -> None:
    long, out = tmp_path / "long.mp4", tmp_path / "o.mp4"
    ffmpeg("-stream_loop", 2, "-i", videos("plain.mp4"), "-map", 0, "-c", "copy", long)
    label(long, out, when=when)
    before, after = pictures(long), pictures(out)
    changed = set(differing(before, after))
    count = len(before)
    assert set(range(48)) <= changed and set(range(count - 48, count)) <= changed
    middle = set(range(count // 2 - 20, count // 2 + 20))
    assert (middle <= changed) is (when != "start+end")
    assert len(changed) == count if when == "whole" else len(changed) < count
    assert audio(out) == audio(long)


def test_never_and_always(videos: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(LabelingError, match=r"reencode=.auto."):
        label(videos("one_group.mp4"), tmp_path / "n.mp4", reencode="never")
    assert left(tmp_path) == []
    label(videos("plain.mp4"), tmp_path / "n.mp4", reencode="never")
    done = label(videos("plain.mp4"), tmp_path / "a.mp4", reencode="always")
    assert "as asked" in done.how[0]
    assert len(differing(pictures(videos("plain.mp4")), pictures(tmp_path / "a.mp4"))) == 96


def test_a_second_label_is_not_drawn(videos: Callable[[str], Path], tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    label(videos("plain.mp4"), one)
    done = label(one, two)
    assert done.how == ("the visible label is there already",)
    assert framemd5(one, "-map", "0", "-c", "copy") == framemd5(two, "-map", "0", "-c", "copy")


def test_progress_is_reported(videos: Callable[[str], Path], tmp_path: Path) -> None:
    reported: list[tuple[float, float]] = []
    labeler = Labeler(PRODUCER, video=VideoOptions(preset="ultrafast"))
    labeler.label_file(
        videos("plain.mp4"), tmp_path / "o.mp4", progress=lambda done, total: reported.append((done, total))
    )
    assert reported and reported == sorted(reported) and all(0 < done <= total <= 4 for done, total in reported)


@pytest.mark.parametrize("name", ["plain.mp4", "faststart.mp4", "quicktime.mov"])
def test_content_credentials_are_valid(videos: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    chain, out = make_test_chain(), tmp_path / name
    signer = Signer.from_pem(chain.cert_pem, chain.key_pem)
    labeler = Labeler(PRODUCER, signer=signer, video=VideoOptions(preset="ultrafast"))
    labeler.label_file(videos(name), out)
    kind = "video/quicktime" if name.endswith("mov") else "video/mp4"
    with out.open("rb") as stream, c2pa.Reader(kind, stream) as reader:
        assert reader.get_validation_state() == "Valid"
    assert audio(out) == audio(videos(name))
    assert differing(pictures(videos(name)), pictures(out))[-1] < 76
    assert left(tmp_path) == [name]


def test_nothing_is_left_of_videos_that_are_cut_short(videos: Callable[[str], Path], tmp_path: Path) -> None:
    data = videos("faststart.mp4").read_bytes()
    path, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    for part in (0.05, 0.3, 0.6, 0.95, 0.999):
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(LabelingError):
            label(path, out)
        assert left(tmp_path) == ["in.mp4"]


def test_damage_gives_a_label_or_a_reason(videos: Callable[[str], Path], tmp_path: Path) -> None:
    """Damaged tables, and damaged pictures: never a traceback, and nothing half-made is left."""
    data = videos("faststart.mp4").read_bytes()
    moov, path, out = data.index(b"moov"), tmp_path / "in.mp4", tmp_path / "out.mp4"
    stbl, chance = data.index(b"stbl"), random.Random(3)
    refused = 0
    for number in range(24):
        bad = bytearray(data)
        low, high = ((stbl, stbl + 1500), (moov, moov + 600), (len(data) // 4, len(data) // 2))[number % 3]
        for _ in range(3):
            bad[chance.randrange(low, high)] = chance.choice((0, 1, 0x7F, 0xFF))
        path.write_bytes(bad)
        try:
            label(path, out)
        except LabelingError as error:
            refused += 1
            assert "\n" not in str(error)
            assert left(tmp_path) == ["in.mp4"]
        out.unlink(missing_ok=True)
    assert refused


def test_the_source_stays_as_it_is_in_place_or_not(videos: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "f.mp4"
    shutil.copy(videos("plain.mp4"), path)
    before = path.read_bytes()
    label(path, tmp_path / "o.mp4")
    assert path.read_bytes() == before
    Labeler(PRODUCER, video=VideoOptions(preset="ultrafast")).label_file(path, in_place=True)
    assert differing(pictures(videos("plain.mp4")), pictures(path))[-1] < 76
    assert left(tmp_path) == ["f.mp4", "o.mp4"]
