"""Facts that a stream states about itself, and that new pictures must not change: its rate, and Dolby Vision."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pytest

import labeling
from labeling import LabelingError
from labeling.containers.syntax.isobmff import box

from .test_video_mp4_kinds import assert_only_the_label, ffmpeg, label, run

VARIABLE = "select='lt(mod(n\\,20)\\,3)+gt(n\\,150)'"


def probed(path: Path, entries: str, *more: object) -> Any:
    return json.loads(run("ffprobe", "-v", "error", *more, "-show_entries", entries, "-of", "json", path))["streams"][0]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_variable_rate_survives_a_later_transcode(codec: str, tmp_path: Path) -> None:
    """The new parameter sets state the rate of the source's, not the mean: FFmpeg would drop pictures to keep that."""
    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    quiet = ("-x265-params", "log-level=none:keyint=30:open-gop=0", "-tag:v", "hvc1") if codec == "libx265" else ()
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=60:d=4", "-vf", VARIABLE, "-fps_mode", "vfr", "-c:v", codec,
           "-g", 30, "-pix_fmt", "yuv420p", *quiet, source)  # fmt: skip
    label(source, out)
    assert assert_only_the_label(source, out)
    counts = []
    for path in (source, out):
        again = tmp_path / f"again_{path.name}"
        ffmpeg("-i", path, "-c:v", "mpeg4", again)
        counts.append(probed(again, "stream=nb_read_packets,r_frame_rate", "-count_packets"))
        assert probed(path, "stream=r_frame_rate")["r_frame_rate"] == "60/1"
    assert counts[0] == counts[1]


def with_dolby_vision(path: Path, profile: int, compatibility: int, kind: bytes = b"dvvC") -> None:
    """Put the announcement of Dolby Vision into the sample description of a video whose movie box is last."""
    new = box(kind, bytes([1, 0, profile << 1, 4 << 3 | 5, compatibility << 4]), bytes(19))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"moov")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"):
        at = data.index(name, at)
        size = int.from_bytes(data[at - 4 : at], "big")
        data[at - 4 : at] = (size + len(new)).to_bytes(4, "big")
    data[at - 4 + size : at - 4 + size] = new  # the last one in the sample description
    path.write_bytes(data)


def hevc(path: Path) -> Path:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=24:d=4", "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt",
           "yuv420p10le", "-x265-params", "log-level=none:keyint=24:open-gop=0", "-color_primaries", "bt2020",
           "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc", "-tag:v", "hvc1", path)  # fmt: skip
    return path


@pytest.mark.parametrize("reencode", ["auto", "always"])
def test_dolby_vision_falls_back_to_its_base_layer_and_says_so(reencode: str, tmp_path: Path) -> None:
    source, out = hevc(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    with_dolby_vision(source, 8, 4)
    assert "Dolby Vision" in run("mediainfo", source)
    done = label(source, out, reencode=reencode)
    assert [loss.what for loss in done.lost] == ["Dolby Vision configuration of video track 1"]
    assert b"dvvC" not in out.read_bytes() and "Dolby Vision" not in run("mediainfo", out)
    changed = assert_only_the_label(source, out)
    assert (len(changed) > 90) == (reencode == "always")
    colours = "stream=color_primaries,color_transfer,color_space,pix_fmt"
    assert probed(out, colours) == {k: v for k, v in probed(source, colours).items() if k != "side_data_list"}


def test_dolby_vision_without_a_base_layer_is_refused_with_the_way_out(tmp_path: Path) -> None:
    source = hevc(tmp_path / "in.mp4")
    with_dolby_vision(source, 5, 0, b"dvcC")
    with pytest.raises(LabelingError, match=r"profile 5.*`visible=False`"):
        label(source, tmp_path / "out.mp4")


def in_sample_description(path: Path, new: bytes) -> None:
    """Put a box at the end of the sample description of a video whose movie box is last."""
    data = bytearray(path.read_bytes())
    at = size = data.rindex(b"moov")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = data.index(name, at)
        size = int.from_bytes(data[at - 4 : at], "big")
        data[at - 4 : at] = (size + len(new)).to_bytes(4, "big")
    data[at - 4 + size : at - 4 + size] = new
    path.write_bytes(data)


def h264(path: Path) -> Path:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=24:d=3", "-c:v", "libx264", "-preset", "ultrafast", "-g", 24,
           "-pix_fmt", "yuv420p", path)  # fmt: skip
    return path


def changed_area(one: Path, other: Path) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of what differs by much between the first pictures of two videos."""
    first, second = (
        np.frombuffer(
            subprocess.run(
                ["ffmpeg", "-v", "fatal", "-noautorotate", "-i", str(path), "-frames:v", "1", "-pix_fmt", "gray", "-f",
                 "rawvideo", "-"], capture_output=True, check=True,
            ).stdout, np.uint8,
        ).reshape(240, 320).astype(int)
        for path in (one, other)
    )  # fmt: skip
    rows, columns = np.nonzero(np.abs(first - second) > 50)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_the_label_is_inside_the_clean_aperture_and_verify_looks_there(tmp_path: Path) -> None:
    source, out = h264(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    in_sample_description(source, box(b"clap", pack(">8I", 200, 1, 160, 1, 0, 1, 0, 1)))
    outside = tmp_path / "outside.mp4"
    label(h264(tmp_path / "plain.mp4"), outside)
    in_sample_description(outside, box(b"clap", pack(">8I", 200, 1, 160, 1, 0, 1, 0, 1)))
    assert labeling.verify(outside).verdicts["cn"].outcome != "compliant"
    done = label(source, out)
    left, top, right, bottom = changed_area(source, out)
    assert 60 <= left < right <= 260 and 40 <= top < bottom <= 200
    assert labeling.verify(out).verdicts["cn"].outcome == "compliant"
    assert not done.lost
    assert assert_only_the_label(source, out)


@pytest.mark.parametrize("matrix", [(0, 1, 1, 0), (0, -1, -1, 0), (0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, 1)])
def test_the_label_is_upright_whatever_the_matrix(matrix: tuple[int, int, int, int], tmp_path: Path) -> None:
    """Mirrored and rotated, as front cameras write it, and all other quarter turns."""
    source, out = h264(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = matrix
    one, back = 1 << 16, (320 if min(a, c) < 0 else 0, 240 if min(b, d) < 0 else 0)
    data[at : at + 36] = pack(">9i", a * one, b * one, 0, c * one, d * one, 0, back[0] * one, back[1] * one, 1 << 30)
    source.write_bytes(data)
    label(source, out)
    assert labeling.verify(out).verdicts["cn"].outcome == "compliant"
    assert assert_only_the_label(source, out)
