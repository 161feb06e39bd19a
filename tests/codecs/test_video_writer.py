"""Videos written from frames in memory, judged by ffprobe, by ffmpeg's decoder and by reading the label back."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from labeling.codecs.video.writer import VideoWriter, container_of, rate_of
from labeling.errors import LabelingError, UnsupportedFormat, WriteError
from labeling.marks.visible import read_visible

from .video_files import PAINTER, H, Tensor, W, decoded, has_label, pictures, probe, tone, write


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "h264"), ("a.mp4", "hevc"), ("a.mp4", "vp9"), ("a.mp4", "av1"), ("a.m4v", "h264"), ("a.mov", "hevc"),
     ("a.mkv", "h264"), ("a.webm", "vp9"), ("a.webm", "av1"), ("a.avi", "h264"), ("a.flv", "h264")],
)  # fmt: skip
def test_every_container_and_codec(name: str, codec: str, tmp_path: Path, capfd: Any) -> None:
    path = tmp_path / name
    preset = {"h264": "veryfast", "hevc": "ultrafast", "vp9": "5", "av1": "12"}[codec]
    video = write(path, pictures(30), codec=codec, preset=preset, audio=tone(3), audio_rate=48_000)
    assert capfd.readouterr() == ("", "")  # encoders like to talk
    assert (video.written, video.seconds) == (30, 1.25)
    picture, audio = probe(path)["streams"]
    assert picture["codec_name"] == codec
    assert (picture["width"], picture["height"], picture["pix_fmt"]) == (W, H, "yuv420p")
    assert picture["avg_frame_rate"] == "24/1"
    assert {picture[key] for key in ("color_space", "color_primaries", "color_transfer")} == {"bt709"}
    assert picture["color_range"] == "tv"
    assert int(picture["nb_read_packets"]) >= 30
    assert (codec, picture["codec_tag_string"]) != ("hevc", "hev1")
    assert abs(float(picture["start_time"]) - float(audio["start_time"])) < 1 / 24
    frames = decoded(path)
    assert len(frames) == 30
    for frame in (frames[0], frames[-1]):
        finding = read_visible(frame)
        assert finding.value["text"] == "AI生成"
        assert finding.value["height_ratio"] >= 0.05
        assert not finding.defects


def test_h264_is_frame_threaded_and_moov_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write(path, pictures(12))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"sliced_threads=0" in data  # x264 writes its options into the stream


@pytest.mark.parametrize(("codec", "preset"), [("h264", None), ("hevc", "ultrafast"), ("vp9", "5"), ("av1", "12")])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_colours_come_back(codec: str, preset: str, pix_fmt: str, tmp_path: Path) -> None:
    """Judged by ffmpeg, which converts by what the file says of its colours."""
    if (codec, pix_fmt) in {("av1", "yuv444p"), ("vp9", "yuv420p10le")}:
        with pytest.raises(LabelingError, match="choose yuv420p"):
            write(tmp_path / "a.mkv", [], codec=codec, preset=preset, pix_fmt=pix_fmt)
        return
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 120, 40)]
    frame = np.zeros((H, W, 3), np.uint8)
    for n, colour in enumerate(colours):
        frame[:, n * 40 : n * 40 + 40] = colour
    path = tmp_path / "a.mkv"
    write(path, [frame] * 3, codec=codec, preset=preset, pix_fmt=pix_fmt, painter=None)
    seen = decoded(path)[1].astype(int)
    for n, colour in enumerate(colours):
        assert np.abs(seen[80:110, n * 40 + 12 : n * 40 + 28] - colour).max() <= 5, colour


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p10le"])
def test_no_thread_writes_into_the_rows_of_another(pix_fmt: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.touch()
    with VideoWriter(path, "matroska", None, (322, H), 24, preset="ultrafast", quality=0, pix_fmt=pix_fmt) as video:
        for _ in range(120):
            video.write(np.zeros((H, 322, 3), np.uint8))
    with av.open(path) as container:
        levels = {
            level for frame in container.decode(video=0) for level in np.frombuffer(bytes(frame.planes[0]), np.uint16)
        }
    assert levels - {0} == {64}  # rows are padded with 0


def test_nothing_is_drawn_outside_the_box_nor_on_the_caller_s_frames(tmp_path: Path) -> None:
    frames = list(pictures(6))
    copies = [frame.copy() for frame in frames]
    video = write(tmp_path / "a.mp4", frames, quality=0, pix_fmt="yuv444p")
    write(tmp_path / "b.mp4", frames, quality=0, pix_fmt="yuv444p", painter=None)
    assert all(np.array_equal(frame, copy) for frame, copy in zip(frames, copies, strict=True))
    left, top, right, bottom = video.box
    ours, plain = decoded(tmp_path / "a.mp4").copy(), decoded(tmp_path / "b.mp4").copy()
    assert not np.array_equal(ours, plain)
    ours[:, top:bottom, left:right] = plain[:, top:bottom, left:right] = 0
    assert np.array_equal(ours, plain)


def test_every_kind_of_frame(tmp_path: Path) -> None:
    rgb = next(pictures(1))
    gray = rgb[..., 0].copy()
    clear = np.dstack([rgb, np.full((H, W), 255, np.uint8)])
    half = np.dstack([np.zeros_like(rgb), np.full((H, W), 51, np.uint8)])
    chw, unit = rgb.transpose(2, 0, 1), rgb.astype(np.float32) / 255
    palette = Image.fromarray(rgb).quantize(256)
    wide = np.zeros((H, W * 2, 3), np.uint8)
    wide[:, ::2] = rgb
    over_white = np.full_like(rgb, 204)
    pairs: list[tuple[Any, Any]] = [
        (rgb, rgb),
        (gray, np.dstack([gray] * 3)),
        (clear, rgb),
        (half, over_white),
        (wide[:, ::2], rgb),
        (rgb[::-1], rgb[::-1]),
        (Image.fromarray(rgb), rgb),
        (Image.fromarray(gray), np.dstack([gray] * 3)),
        (Image.fromarray(half), over_white),
        (palette, np.asarray(palette.convert("RGB"))),
        (Tensor(rgb), rgb),
        (Tensor(chw), rgb),
        (Tensor(unit), rgb),
        (Tensor(unit.transpose(2, 0, 1).astype(np.float16)), rgb),
        (Tensor(unit * 3 - 1), np.clip(unit * 3 - 1, 0, 1) * 255),
        (Tensor(gray[None]), np.dstack([gray] * 3)),
        (Tensor(gray), np.dstack([gray] * 3)),
    ]
    write(tmp_path / "a.mkv", [given for given, _ in pairs], quality=0, pix_fmt="yuv444p", painter=None)
    for number, (seen, (_, wanted)) in enumerate(zip(decoded(tmp_path / "a.mkv"), pairs, strict=True)):
        assert np.abs(seen.astype(float) - wanted).max() <= 4, number


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((H, W + 2, 3), np.uint8), r"shape \(192, 322, 3\); it must be.*320×192"),
        (np.zeros((W, H, 3), np.uint8), "shape"),
        (np.zeros((3, H, W), np.uint8), "shape"),
        (np.zeros((H, W, 2), np.uint8), "shape"),
        (np.zeros((1, H, W, 3), np.uint8), "shape"),
        (np.zeros((H, W, 3), np.float32), "array of float32"),
        (np.zeros((H, W, 3), bool), "array of bool"),
        (Image.new("RGB", (W, H + 1)), "320×193 pixels"),
        (Image.new("F", (W, H)), "mode F"),
        (Tensor(np.full((H, W, 3), np.nan, np.float32)), "NaN"),
        (Tensor(np.zeros((H, W, 3), np.int64)), "tensor of int64"),
        (Tensor(np.zeros((2, 3, H, W), np.uint8)), "tensor of shape"),
        (b"no frame", "not bytes"),
        (None, "not NoneType"),
    ],
)
def test_a_wrong_frame_says_what_is_wanted_and_leaves_nothing(frame: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(LabelingError, match=words):
        write(path, [next(pictures(1)), frame])
    assert list(tmp_path.iterdir()) == []


def test_the_label_may_end_after_some_seconds(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", pictures(30), fps=10, seconds=2.05)
    frames = decoded(tmp_path / "a.mp4")
    assert [has_label(frames[n]) for n in (0, 20, 21, 29)] == [True, True, False, False]
    write(tmp_path / "b.mp4", pictures(12), fps=10, seconds=2)
    assert has_label(decoded(tmp_path / "b.mp4")[-1])
    with pytest.raises(LabelingError, match=r"at least 2 seconds, not 1\.5"):
        write(tmp_path / "c.mp4", [], seconds=1.5)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(24, "24/1"), (29.97, "30000/1001"), (23.976, "24000/1001"), (59.94, "60000/1001"), (12.5, "25/2"),
     (Fraction(30000, 1001), "30000/1001"), (30.0, "30/1"), (0.5, "1/2")],
)  # fmt: skip
def test_frame_rates(fps: Any, rate: str, tmp_path: Path) -> None:
    assert rate_of(fps) == Fraction(rate)
    write(tmp_path / "a.mp4", pictures(4), fps=fps)
    assert probe(tmp_path / "a.mp4")["streams"][0]["avg_frame_rate"] == rate


@pytest.mark.parametrize("fps", [0, -1, 1e9, float("nan"), "24", None, True])
def test_invalid_frame_rates_are_refused(fps: Any) -> None:
    with pytest.raises(LabelingError, match="`fps` must be"):
        rate_of(fps)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"codec": "mpeg4"}, "no codec 'mpeg4'"),
        ({"codec": "h264", "preset": "warp"}, "no preset 'warp'"),
        ({"codec": "h264", "quality": 52}, "0 to 51, not 52"),
        ({"pix_fmt": "rgb24"}, "no pixel format 'rgb24'"),
        ({"size": (321, 192)}, "321×192: width and height must be even for yuv420p"),
        ({"size": (321, 192), "pix_fmt": "yuv422p"}, "width must be even"),
        ({"size": (8, 8)}, "16 to 16384"),
        ({"size": (10**6, 10)}, "16 to 16384"),
        ({"size": "big"}, "must be"),
        ({"size": (64,)}, "must be"),
        ({"form": "webm"}, "H.264 does not belong in webm; choose vp9, av1"),
        ({"form": "ogg"}, "cannot be written as ogg"),
    ],
)
def test_options_that_cannot_be_carried_out(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    settings = {"form": "mp4", "size": (W, H), **options}
    form, size = settings.pop("form"), settings.pop("size")
    with pytest.raises(LabelingError, match=words):
        VideoWriter(tmp_path / "a", form, PAINTER, size, 24, **settings)


def test_extensions() -> None:
    assert container_of("A.MP4") == "mp4"
    for name in ("video", "video.gif", ".mp4x"):
        with pytest.raises(UnsupportedFormat, match=r"choose one of \.mp4"):
            container_of(name)


def test_no_frame_no_video(tmp_path: Path) -> None:
    with pytest.raises(LabelingError, match="no frame was written"):
        write(tmp_path / "a.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_nothing_and_passes(tmp_path: Path) -> None:
    def breaks() -> Iterator[Any]:
        yield from pictures(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.mp4", breaks(), audio=tone(1), audio_rate=48_000)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_video_takes_no_frame(tmp_path: Path) -> None:
    video = write(tmp_path / "a.mp4", pictures(2))
    video.close()
    with pytest.raises(LabelingError, match="closed"):
        video.write(next(pictures(1)))
    assert (tmp_path / "a.mp4").stat().st_size > 1000


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_disk_that_takes_no_more(name: str, tmp_path: Path) -> None:
    """A limit on the size of files is what a test can set: the kernel refuses the write just so."""
    noise = np.random.default_rng(1).integers(0, 256, (20, H, W, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
        with pytest.raises(WriteError, match="cannot be written"):
            write(tmp_path / name, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_called_full(unshare: list[str], tmp_path: Path) -> None:
    """A tmpfs of 256 KiB where mounting is allowed; elsewhere the limit above has to do."""
    script = """
import sys, numpy as np
from pathlib import Path
from labeling.codecs.video.writer import VideoWriter
from labeling.errors import WriteError
noise = np.random.default_rng(1).integers(0, 256, (20, 192, 320, 3), np.uint8)
try:
    with VideoWriter(Path(sys.argv[1]), "mp4", None, (320, 192), 24) as video:
        for frame in noise:
            video.write(frame)
except WriteError as error:
    print(error)
"""
    mounted = f"mount -t tmpfs -o size=256k tmpfs {tmp_path} && exec {sys.executable} -c '{script}' {tmp_path}/a.mp4"
    done = subprocess.run([*unshare, "sh", "-c", mounted], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("the disk is full; nothing was written\n", "")


def test_what_is_no_regular_file_is_never_removed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # so that opening it for writing does not wait
    try:
        with pytest.raises(LabelingError):
            write(pipe.rename(tmp_path / "pipe.flv"), [])
    finally:
        os.close(reader)
    assert (tmp_path / "pipe.flv").is_fifo()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot be written"):
        VideoWriter(tmp_path / "no" / "a.mp4", "mp4", PAINTER, (W, H), 24)
