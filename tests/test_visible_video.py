"""The explicit label of a video: there from the first shown frame on, for two seconds, and as displayed."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from labeling.codecs.video import sample, shown_frame
from labeling.containers import formats
from labeling.filebytes import FileBytes
from labeling.findings import Status
from labeling.marks.visible import LabelPainter, Style, engine
from labeling.marks.visible.font import face
from labeling.reports.file_evidence import gather_evidence
from labeling.verification import visible_video

from .video_files import Pixels, Shot, labelled, look, make_video, rules, scene, shots

QUICK = {
    "libx264": {"preset": "ultrafast", "bf": "2"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx-vp9": {"cpu-used": "8", "deadline": "realtime"},
    "libsvtav1": {"preset": "12"},
}


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mov", "libx265"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4"),
     ("b.avi", "libx264"), ("a.flv", "libx264"), ("b.mp4", "libsvtav1"), ("c.mov", "prores_ks")],
)  # fmt: skip
def test_a_label_of_two_seconds_is_enough_in_every_container(tmp_path: Path, name: str, codec: str) -> None:
    quick = QUICK.get(codec)
    tick = 25 if codec in ("mpeg4", "libsvtav1") or name.endswith(".avi") else 12800
    path = make_video(tmp_path / name, shots(0, 2), codec, tick=tick, options=quick)
    finding = look(path)
    assert (finding.status, finding.where, finding.defects) == (Status.PRESENT, "bottom-right", ())
    assert finding.value["text"] == "AI生成"
    assert finding.value["seconds"] == [0.0, pytest.approx(2.0, abs=0.011)]
    assert finding.value["duration"] == pytest.approx(2.4, abs=0.1)
    assert finding.value["height_ratio"] >= 0.05


def test_less_than_two_seconds_is_reported_with_the_time(tmp_path: Path) -> None:
    finding = look(make_video(tmp_path / "a.mp4", shots(0, 1)))
    assert (finding.status, rules(finding)) == (Status.DEFECTIVE, ["CN-VISIBLE-TIME"])
    assert finding.value["seconds"] == [0.0, 1.0]
    assert "1.00 s" in finding.defects[0].message
    assert finding.defects[0].clause == "GB 45438-2025 5.4"
    nearly = look(make_video(tmp_path / "b.mp4", shots(0, 1.88)))
    assert (nearly.value["seconds"], rules(nearly)) == ([0.0, 1.88], ["CN-VISIBLE-TIME"])


def test_a_label_that_comes_later_is_found_and_reported(tmp_path: Path) -> None:
    late = look(make_video(tmp_path / "a.mkv", shots(1, 9, length=4)))
    assert (late.status, rules(late)) == (Status.DEFECTIVE, ["CN-VISIBLE-TIME"])
    assert late.value["seconds"][0] == 1.0
    assert late.value["seconds"][1] >= 3
    assert "from 1.00 s" in late.defects[0].message
    one = look(make_video(tmp_path / "b.mp4", shots(0.04, 9)))
    assert (one.value["seconds"][0], rules(one)) == (0.04, ["CN-VISIBLE-TIME"])
    middle = look(make_video(tmp_path / "c.mp4", shots(0.3, 0.8)))
    assert (middle.value["seconds"], rules(middle)) == ([0.32, 0.8], ["CN-VISIBLE-TIME"])


def test_no_label_is_absent(tmp_path: Path) -> None:
    finding = look(make_video(tmp_path / "a.mp4", shots(0, 0, length=5)))
    assert (finding.status, finding.value, finding.defects) == (Status.ABSENT, {}, ())


def test_a_label_on_the_whole_video_is_looked_for_elsewhere_on_request(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", shots(0, 99, length=8, fps=10), options={"preset": "ultrafast", "g": "20"})
    assert "also" not in look(path).value
    finding = look(path, everywhere=True)
    assert (finding.status, finding.value["also"]) == (Status.PRESENT, ["middle", "end"])
    only_start = make_video(
        tmp_path / "b.webm", shots(0, 2, length=6, fps=10), "libvpx-vp9", options=QUICK["libvpx-vp9"]
    )
    assert look(only_start, everywhere=True).value["also"] == []


def test_clips_of_less_than_two_seconds_have_to_show_it_throughout(tmp_path: Path) -> None:
    whole = look(make_video(tmp_path / "a.mp4", shots(0, 9, length=1.2)))
    assert (whole.status, whole.value["seconds"], whole.value["duration"]) == (Status.PRESENT, [0.0, 1.2], 1.2)
    part = look(make_video(tmp_path / "b.mp4", shots(0, 0.8, length=1.2)))
    assert (part.value["seconds"], rules(part)) == ([0.0, 0.8], ["CN-VISIBLE-TIME"])
    assert "1.20 s" in part.defects[0].message
    single = look(make_video(tmp_path / "c.mkv", shots(0, 9, length=0.04)))
    assert single.status is Status.PRESENT
    late = look(make_video(tmp_path / "d.mp4", shots(0.2, 9, length=0.4)))
    assert (late.value["seconds"], rules(late)) == ([0.2, 0.4], ["CN-VISIBLE-TIME"])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_picture_is_looked_at_as_displayed_when_it_is_rotated(tmp_path: Path, turns: int) -> None:
    path = make_video(
        tmp_path / "a.mp4", shots(0, 2, size=(270, 480)), turn=lambda p: np.rot90(p, -turns), rotation=90 * turns
    )
    finding = look(path)
    assert (finding.status, finding.where, finding.value["seconds"]) == (Status.PRESENT, "bottom-right", [0.0, 2.0])
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    theirs = np.frombuffer(raw, np.uint8).reshape(480, 270, 3)
    ours = next(sample.opened(path.read_bytes(), "mp4", max_pixels=10**6).frames()).rgb()
    assert np.abs(ours.astype(int) - theirs).mean() < 3


def test_mirrored_and_turned_boxes_lead_to_the_same_place_in_the_stored_picture() -> None:
    stored = np.zeros((30, 40), np.uint8)
    stored[4:9, 6:18] = 255
    for transposed in (False, True):
        for mirrored in (False, True):
            for flipped in (False, True):
                turn = shown_frame.Turn(transposed, mirrored, flipped)
                shown = turn.applied(stored)
                height, width = shown.shape
                y, x = np.nonzero(shown)
                box = (x.min() / width, y.min() / height, (x.max() + 1) / width, (y.max() + 1) / height)
                assert turn.undone(box) == pytest.approx((6 / 40, 4 / 30, 18 / 40, 9 / 30))


def test_the_height_is_that_of_the_displayed_picture(tmp_path: Path) -> None:
    """Stored with half the width: the text is as high as it was, against the shortest side as displayed."""

    def squeezed(pixels: Pixels) -> Pixels:
        return cv2.resize(pixels, (pixels.shape[1] // 2, pixels.shape[0]), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def flattened(pixels: Pixels) -> Pixels:
        return cv2.resize(pixels, (pixels.shape[1], pixels.shape[0] // 2), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    plain = look(make_video(tmp_path / "a.mp4", shots(0, 2, size=(640, 480))))
    for name, turn, aspect in (("b.mp4", squeezed, Fraction(2)), ("c.mkv", flattened, Fraction(1, 2))):
        finding = look(make_video(tmp_path / name, shots(0, 2, size=(640, 480)), turn=turn, aspect=aspect))
        assert (finding.status, finding.value["seconds"]) == (Status.PRESENT, [0.0, 2.0]), name
        assert finding.value["height_ratio"] == pytest.approx(plain.value["height_ratio"], rel=0.08)
        assert finding.value["box"] == pytest.approx(plain.value["box"], abs=14)


def test_a_label_that_is_too_small_is_so_by_the_clause_on_videos(tmp_path: Path) -> None:
    def shrunk() -> Iterator[Shot]:
        for at, pixels in shots(0, 9, size=(640, 360)):
            out = scene(1280, 720, at)
            out[360:, 640:] = pixels
            yield at, out

    finding = look(make_video(tmp_path / "a.mp4", shrunk()))
    assert rules(finding) == ["CN-VISIBLE-SIZE"]
    assert finding.defects[0].clause == "GB 45438-2025 5.4"
    assert finding.value["seconds"] == [0.0, 2.0]


def test_times_are_those_of_presentation(tmp_path: Path) -> None:
    """Frames of very different lengths: how many there are says nothing."""
    painter = LabelPainter()

    def uneven(times: list[float], until: float) -> Iterator[Shot]:
        for at in times:
            yield at, labelled(scene(480, 270, at), painter) if at < until else scene(480, 270, at)

    slow = [0, 0.04, 0.08, 1.5, 2.3, 2.6]
    right = look(make_video(tmp_path / "a.mp4", uneven(slow, 2)))
    assert (right.status, right.value["seconds"]) == (Status.PRESENT, [0.0, 2.3])
    wrong = look(make_video(tmp_path / "b.mkv", uneven(slow, 1.5)))
    assert (wrong.value["seconds"], rules(wrong)) == ([0.0, 1.5], ["CN-VISIBLE-TIME"])
    fast = [number / 120 for number in range(280)]
    wrong = look(make_video(tmp_path / "c.mp4", uneven(fast, 1), options={"preset": "ultrafast"}))
    assert (wrong.value["seconds"], rules(wrong)) == ([0.0, 1.0], ["CN-VISIBLE-TIME"])
    right = look(make_video(tmp_path / "d.mkv", uneven(fast, 2), options={"preset": "ultrafast"}))
    assert (right.status, right.value["seconds"]) == (Status.PRESENT, [0.0, 2.0])


def test_the_first_shown_frame_counts_where_an_edit_list_cuts(tmp_path: Path) -> None:
    """Cut in the middle of a group of pictures: what lies before is in the file, but is not shown."""
    whole = make_video(tmp_path / "a.mp4", shots(1, 3, length=5), options={"g": "250", "preset": "ultrafast"})
    cut = tmp_path / "b.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "1", "-i", whole, "-c", "copy", cut], check=True)
    with av.open(str(cut)) as container:
        start = next(container.demux(video=0)).pts
        assert start is not None
        assert start < 0
    finding = look(cut)
    assert (finding.status, finding.value["seconds"]) == (Status.PRESENT, [0.0, 2.0])


def test_a_label_through_which_a_moving_picture_shines_is_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    mask = np.zeros((270, 480), np.uint8)
    painter = LabelPainter(Style(plate="off"))
    blank = np.zeros((270, 480, 3), np.uint8)
    mask = labelled(blank, painter).max(axis=2)[..., None] / 255

    def shining(until: float) -> Iterator[Shot]:
        for at, _ in shots(0, 0):
            ground = cv2.resize(rng.integers(0, 120, (34, 60, 3), np.uint8), (480, 270), interpolation=cv2.INTER_CUBIC)
            cover = mask * (0.6 if at < until else 0)
            yield at, (ground * (1 - cover) + 255 * cover).round().astype(np.uint8)

    assert look(make_video(tmp_path / "a.mp4", shining(2))).status is Status.PRESENT
    finding = look(make_video(tmp_path / "b.mp4", shining(0.9)))
    assert rules(finding) == ["CN-VISIBLE-TIME"]
    assert 0.4 < finding.value["seconds"][1] <= 1.3


# --- damaged files, and files without video ---------------------------------------------------------------------------


def test_part_of_a_video_is_enough_and_nothing_is_unreadable(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mkv", shots(0, 2, length=4)).read_bytes()
    for size in (len(whole) // 2, len(whole) - 100):
        part = visible_video.find_explicit_label(whole[:size], "matroska", languages=("zh",))
        assert part.value["text"] == "AI生成"
    spoilt = bytearray(make_video(tmp_path / "b.mp4", shots(0, 9, length=4), options={"g": "25"}).read_bytes())
    media = spoilt.index(b"mdat")
    spoilt[media + 4 : media + 60_000] = bytes(59_996)
    for broken in (bytes(spoilt[: media + 4]), whole[:200], b"", bytes(100), whole[:40] + bytes(5000)):
        for format in ("mp4", "matroska", "avi", "flv", "wav", "mp3", "flac", "ogg"):
            finding = visible_video.find_explicit_label(broken, format, languages=("zh",))
            assert (finding.status, rules(finding)) == (Status.UNREADABLE, ["FILE-PIXELS"]), format


def test_no_noise_breaks_out(tmp_path: Path) -> None:
    """Whatever bytes: a finding, no other exception, and not a line on stderr."""
    path = make_video(tmp_path / "a.mp4", shots(0, 1, length=1, size=(160, 90)), audio=np.zeros(48000, np.float32))
    code = f"""
import random
from labeling.verification import visible_video
data = open({str(path)!r}, "rb").read()
random.seed(4)
for number in range(120):
    broken = bytearray(data)
    for _ in range(random.choice((1, 5, 200))):
        broken[random.randrange(len(data))] = random.randrange(256)
    part = bytes(broken[: random.choice((len(data), len(data) // 2))])
    visible_video.find_explicit_label(part, "mp4", languages=("zh",))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""


def test_giant_frames_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", shots(0, 9, length=0.2))
    finding = look(path, max_pixels=10_000)
    assert (finding.status, rules(finding)) == (Status.UNREADABLE, ["FILE-PIXELS"])
    assert "max_pixels" in finding.defects[0].message


def test_no_reference_out_of_the_file_is_followed(tmp_path: Path) -> None:
    secret = make_video(tmp_path / "secret.mp4", shots(0, 9, length=0.4))
    listed = f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    played = f"#EXTM3U\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n".encode()
    for data in (listed, played):
        for format in [row.name for row in formats.FORMATS if row.media]:
            assert visible_video.find_explicit_label(data, format, languages=("zh",)).status is Status.UNREADABLE


def test_real_videos(cases: Path) -> None:
    for path in sorted(cases.rglob("*")):
        if path.suffix in (".mp4", ".mov", ".avi") and "video1_" not in path.name:
            finding = look(path)
            assert finding.status in (Status.ABSENT, Status.UNREADABLE), path.name
            assert (finding.status is Status.UNREADABLE) == (path.name == "exiftool_QuickTime.mov"), path.name


def test_a_report_shows_the_first_frame_of_a_video(tmp_path: Path) -> None:
    from PIL import Image

    path = make_video(tmp_path / "a.mp4", shots(0, 9, length=0.4, size=(270, 480)), turn=np.rot90, rotation=-90)
    shown = gather_evidence(path)
    assert shown is not None
    assert (shown.width, shown.height, shown.size) == (270, 480, path.stat().st_size)
    assert Image.open(io.BytesIO(shown.thumbnail)).size == (180, 320)


def test_a_minute_of_full_hd_is_judged_in_time(tmp_path: Path) -> None:
    """The target is 1.5 s once OCR's models are loaded; it is CPU time, so that a busy machine does not matter."""
    start = make_video(tmp_path / "a.mkv", shots(0, 2, length=2, size=(1920, 1080)), options={"preset": "ultrafast"})
    path = tmp_path / "b.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "29", "-i", start, "-c", "copy", path], check=True)
    look(start)  # loads the models
    begin = time.process_time()
    finding = look(path)
    assert time.process_time() - begin < 1.5
    assert (finding.status, finding.value["duration"]) == (Status.PRESENT, pytest.approx(60, abs=0.2))


def with_text(pixels: Pixels, text: str, place: tuple[int, int]) -> Pixels:
    picture = Image.fromarray(pixels)
    ImageDraw.Draw(picture).text(place, text, (255, 255, 255), face(None, 22), stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(picture)


@pytest.mark.parametrize("since", [0.3, 1.4])
def test_a_brand_mark_does_not_hide_the_label_that_comes_after_it(tmp_path: Path, since: float) -> None:
    both = ((at, with_text(pixels, "即梦AI", (12, 10))) for at, pixels in shots(since, 9, length=4))
    finding = look(make_video(tmp_path / "a.mp4", both))
    assert (finding.value["text"], finding.where, finding.status) == ("AI生成", "bottom-right", Status.DEFECTIVE)
    assert rules(finding) == ["CN-VISIBLE-TIME"]
    assert finding.value["seconds"][0] == pytest.approx(since, abs=0.03)
    assert '"即梦AI", which falls short' in finding.defects[-1].message
    assert (finding.value["before"]["text"], finding.value["before"]["position"]) == ("即梦AI", "top-left")
    alone = ((at, with_text(pixels, "即梦AI", (12, 10))) for at, pixels in shots(0, 0, length=4))
    mark = look(make_video(tmp_path / "b.mp4", alone))
    assert (mark.value["text"], rules(mark)) == ("即梦AI", ["CN-VISIBLE-WORDING"])
    assert mark.value["seconds"] == [0.0, pytest.approx(2.0, abs=0.05)]
    assert "before" not in mark.value


def test_a_label_that_is_drawn_letter_by_letter_is_read_whole(tmp_path: Path) -> None:
    def words(at: float) -> str:
        return "" if at < 0.3 else "即梦AI" if at < 0.9 else "即梦AI生成"

    drawn = ((at, with_text(pixels, words(at), (12, 10))) for at, pixels in shots(0, 0, length=4))
    finding = look(make_video(tmp_path / "a.mp4", drawn))
    assert (finding.value["text"], finding.value["vendor"]) == ("即梦AI生成", "即梦")
    assert "CN-VISIBLE-TIME" in rules(finding)
    assert "CN-VISIBLE-WORDING" not in rules(finding)


def test_what_the_first_frame_denies_is_said_beside_the_label_that_comes_later(tmp_path: Path) -> None:
    both = (
        (at, with_text(pixels, "非AI生成", (12, 10)) if at < 0.4 else pixels)
        for at, pixels in shots(0.5, 9, length=4)
    )  # fmt: skip
    finding = look(make_video(tmp_path / "a.mp4", both))
    assert finding.value["text"] == "AI生成"
    assert sorted(rules(finding)) == ["CN-VISIBLE-TIME", "FILE-DENIAL"]


def test_the_slow_detector_looks_at_three_frames_of_a_video_without_a_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    detect = engine.detect

    def counted(pixels: Pixels) -> list[tuple[float, float, float, float]]:
        looked.append(pixels.shape[0])
        return detect(pixels)

    monkeypatch.setattr(engine, "detect", counted)
    path = make_video(tmp_path / "a.mp4", shots(0, 0, length=5, fps=10))
    with FileBytes(path.open("rb", buffering=0), str(path)) as data:
        finding = visible_video.find_explicit_label(data, "mp4", languages=("zh",))
    assert (finding.status, len(looked)) == (Status.ABSENT, 3)
