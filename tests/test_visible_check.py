"""A video is given out only if its label is really there: pixels are read back, not only metadata."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labeling import Labeler, Style, VideoOptions, verify
from labeling.codecs.video import h264
from labeling.codecs.video.overlay import FrameOverlay
from labeling.errors import LabelingError, WriteError
from labeling.findings import Status

from .codecs.cuts import ffmpeg, make_video

PRODUCER = "001191110102MACQD9K64010000"
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", 24, "-pix_fmt", "yuv420p")
KINDS: dict[str, tuple[Any, ...]] = {"mp4": X264, "mkv": X264, "avi": ("-c:v", "mjpeg", "-q:v", 4), "flv": X264}


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A writer whose label is only on some pictures."""
    drawn = FrameOverlay.draw

    def spoil(first: int, last: int = 1 << 30) -> None:
        count = [0]

        def draw(self: FrameOverlay, frame: Any) -> None:
            if first <= count[0] < last:
                drawn(self, frame)
            count[0] += 1

        monkeypatch.setattr(FrameOverlay, "draw", draw)

    return spoil


@pytest.mark.parametrize("suffix", KINDS)
def test_nothing_is_given_out_if_the_label_is_not_there(
    tmp_path: Path, spoiled: Callable[..., None], suffix: str
) -> None:
    source, target = make_video(tmp_path / f"a.{suffix}", *KINDS[suffix], size="320x240"), tmp_path / f"b.{suffix}"
    for first, last, words in (
        (1 << 30, 1 << 30, "not on the first picture"),
        (5, 1 << 30, "not on the first picture"),
        (0, 20, "not on the picture at 0.8"),
    ):
        spoiled(first, last)
        with pytest.raises(WriteError, match=words):
            Labeler(PRODUCER).label_file(source, target)
        assert not target.exists()


STYLES = {
    "small": Style(height_ratio=0.05),
    "faint": Style(opacity=0.1),
    "coloured": Style(color="#ff0000"),
    "bottom left": Style(position="bottom-left"),
}


@pytest.mark.parametrize("ground", ["black", "white", "0x808080", "noise"])
@pytest.mark.parametrize("style", STYLES)
def test_every_style_reads_as_there(tmp_path: Path, ground: str, style: str) -> None:
    source, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    made = "nullsrc=s=320x240:r=10:d=2.5,geq=random(1)*255:128:128" if ground == "noise" else (
        f"color={ground}:s=320x240:r=10:d=2.5"
    )  # fmt: skip
    ffmpeg("-f", "lavfi", "-i", made, *X264, source)
    Labeler(PRODUCER, style=STYLES[style], video=VideoOptions(crf=40)).label_file(source, target)


HARD: dict[str, tuple[Any, ...]] = {
    "ten bits, HDR": ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le", "-color_trc",
                      "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc"),
    "wide pixels": (*X264, "-vf", "setsar=2"),
    "interlaced": ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", 4, "-bf", 2),
    "scene change": (*X264, "-vf", "hue=h=90*floor(t*4)"),
    "fade": (*X264, "-vf", "fade=t=in:d=1.5"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HARD)
def test_what_is_hard_to_read_reads_as_there(tmp_path: Path, kind: str) -> None:
    source, target = make_video(tmp_path / "a.mkv", *HARD[kind], size="320x240"), tmp_path / "b.mkv"
    Labeler(PRODUCER).label_file(source, target)
    (found,) = (finding for finding in verify(target).findings if finding.kind == "visible")
    assert found.status is Status.PRESENT


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg4", "mjpeg", "ffv1"])
def test_encoders_that_are_late_get_pictures_with_the_label(tmp_path: Path, codec: str) -> None:
    """FFmpeg's own encoders refer to a picture until they code it; MPEG-2's is one late."""
    source, target = make_video(tmp_path / "a.mkv", "-c:v", codec, "-q:v", 4, size="320x240"), tmp_path / "b.mkv"
    Labeler(PRODUCER).label_file(source, target)


@pytest.mark.parametrize(("suffix", "options"), [
    ("mkv", ("-c:v", "libtheora")),
    ("avi", ("-c:v", "wmv2")),
])  # fmt: skip
def test_what_has_no_encoder_takes_the_closest_codec_and_says_so(
    tmp_path: Path, suffix: str, options: tuple[Any, ...]
) -> None:
    source, target = make_video(tmp_path / f"a.{suffix}", *options), tmp_path / f"b.{suffix}"
    done = Labeler(PRODUCER).label_file(source, target)
    words = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]
    assert subprocess.run([*words, target], capture_output=True, text=True, check=True).stdout.strip() == "h264"
    assert any("codec" in loss.what for loss in done.lost)


def test_what_cannot_be_drawn_on_names_the_way_out(tmp_path: Path) -> None:
    options = ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-deadline", "realtime")
    source, target = make_video(tmp_path / "a.webm", *options), tmp_path / "b.webm"
    with pytest.raises(LabelingError, match="visible=False"):
        Labeler(PRODUCER).label_file(source, target)
    assert not target.exists()
    Labeler(PRODUCER, visible=False).label_file(source, target)


LOSSLESS = ("-c:v", "libx264", "-qp", 0, "-g", 24, "-pix_fmt", "yuv420p")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "flv"])
def test_a_join_that_decoders_do_not_play_is_not_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """The flag that FFmpeg's decoder needs beside lossless pictures is left out: it shows all behind them as noise."""
    monkeypatch.setattr(h264, "with_bypass", lambda nal: nal)
    source = make_video(tmp_path / f"a.{suffix}", *LOSSLESS, size="320x240")
    target = tmp_path / f"b.{suffix}"
    with pytest.raises(WriteError, match="do not play as before"):
        Labeler(PRODUCER, video=VideoOptions(crf=20, reencode="never")).label_file(source, target)
    assert not target.exists()
    done = Labeler(PRODUCER, video=VideoOptions(crf=20)).label_file(source, target)
    assert "FFmpeg does not play copied pictures right" in " ".join(done.how)
    assert "as asked" not in " ".join(done.how)
    halves = "[0:v]crop=iw:ih/2:0:0[a];[1:v]crop=iw:ih/2:0:0[b];[a][b]psnr=stats_file="
    stats = tmp_path / "psnr.txt"
    ffmpeg("-i", source, "-i", target, "-lavfi", f"{halves}{stats}", "-f", "null", "-")
    told = re.findall(r"psnr_avg:([0-9.]+)", stats.read_text())
    assert len(told) == 75
    assert min(map(float, told)) > 30
