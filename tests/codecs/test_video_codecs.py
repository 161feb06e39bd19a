"""What a re-encoded video is said to be is what FFmpeg's programs find in it, for each codec and profile.

Pictures keep their samples where there is no label: exactly if the codec loses nothing, closely if it does.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import labeling
from labeling import Labeler, LabelingError
from tests.codecs.test_video_mp4_kinds import PRODUCER, complaints, ffmpeg, run

X264 = "-c:v libx264 -preset ultrafast -g 24"
X265 = "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none:keyint=24:open-gop=0"
FULL_HD = "-s 1920x1080 -frames:v 3 -r 25 -c:v dnxhd -pix_fmt"
FIELDS = "-flags +ildct+ilme"

# file → how it is made, what `how` calls it, and whether nothing but the label may change
KINDS = {
    "hi10.mp4": (f"{X264} -pix_fmt yuv420p10le", "H.264 High 10 ", False),
    "hi422.mp4": (f"{X264} -pix_fmt yuv422p10le", "H.264 High 4:2:2 ", False),
    "lossless.mp4": (f"{X264} -qp 0 -pix_fmt yuv420p", "Predictive (libx264, preset faster, lossless)", True),
    "lossless_rgb.mp4": ("-c:v libx264rgb -g 24 -qp 0", "(libx264rgb, preset faster, lossless)", True),
    "bottom.mp4": (f"-vf setfield=bff {X264} {FIELDS} -x264-params bff=1 -pix_fmt yuv420p", "H.264 Main ", False),
    "top.mp4": (f"-vf setfield=tff {X264} {FIELDS} -x264-params tff=1 -pix_fmt yuv420p", "H.264 Main ", False),
    "main10.mp4": (f"{X265} -pix_fmt yuv420p10le", "HEVC Main 10 ", False),
    "rext.mp4": (f"{X265} -pix_fmt yuv444p", "HEVC range extensions ", False),
    "lossless_hevc.mp4": (f"{X265}:lossless=1 -pix_fmt yuv420p", "(libx265, preset veryfast, lossless)", True),
    "dnxhd.mov": (f"{FULL_HD} yuv422p -b:v 120M", "DNxHD ", False),
    "dnxhd10.mov": (f"{FULL_HD} yuv422p10le -b:v 185M", "DNxHD ", False),
    "dnxhd_fields.mov": (f"-vf setfield=tff {FULL_HD} yuv422p -b:v 120M -flags +ildct", "DNxHD ", False),
    "dnxhr.mov": ("-s 256x144 -c:v dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p", "DNxHR SQ ", False),
    "proxy.mov": ("-c:v prores_ks -profile:v 0", "ProRes 422 Proxy ", False),
    "hq_fields.mov": ("-vf setfield=tff -c:v prores_ks -profile:v 3 -flags +ildct", "ProRes 422 HQ ", False),
    "mpeg2_422.mov": ("-c:v mpeg2video -q:v 3 -g 12 -pix_fmt yuv422p", "MPEG-2 4:2:2 ", False),
    "png.mov": ("-c:v png", "PNG ", True),
    "png16.mov": ("-c:v png -pix_fmt rgb48be", "PNG ", True),
    "animation.mov": ("-c:v qtrle -g 24", "QuickTime Animation ", True),
    "ffv1.mov": ("-c:v ffv1 -strict -2", "FFV1 ", True),
    "ffv1.avi": ("-c:v ffv1", "FFV1 ", True),
    "huffyuv.avi": ("-c:v huffyuv -pix_fmt yuv422p", "HuffYUV ", True),
    "utvideo.avi": ("-c:v utvideo -pix_fmt yuv420p", "Ut Video ", True),
    "magicyuv.avi": ("-c:v magicyuv -pix_fmt yuv420p", "MagicYUV ", True),
    "raw.avi": ("-s 322x242 -c:v rawvideo -pix_fmt bgr24", "raw video ", True),
    "raw_odd.avi": ("-s 321x241 -c:v rawvideo -pix_fmt bgr24", "raw video ", True),
    "raw_clear.avi": ("-c:v rawvideo -pix_fmt bgra", "raw video ", True),
    "raw_gray.avi": ("-c:v rawvideo -pix_fmt gray", "raw video ", True),
    "raw_i420.avi": ("-c:v rawvideo -pix_fmt yuv420p", "raw video ", True),
    "raw_yuy2.avi": ("-c:v rawvideo -pix_fmt yuyv422", "raw video ", True),
    "raw.mkv": ("-c:v rawvideo -pix_fmt yuv420p", "raw video ", True),
    "raw.mov": ("-c:v rawvideo -pix_fmt uyvy422", "raw video ", True),
    "raw_rgb.mov": ("-s 322x242 -c:v rawvideo -pix_fmt rgb24", "raw video ", True),
    "raw_argb.mov": ("-c:v rawvideo -pix_fmt argb", "raw video ", True),
    "v210.mov": ("-c:v v210", "uncompressed ", True),
    "r210.mov": ("-c:v r210", "r210 ", True),
    "jpeg2000.mov": ("-s 160x120 -c:v jpeg2000 -pix_fmt yuv420p", "JPEG 2000 ", True),
    "cineform.mov": ("-c:v cfhd", "CineForm ", False),
    "dv.mov": ("-s 720x576 -r 25 -c:v dvvideo -pix_fmt yuv420p", "DV ", False),
    "dv.avi": ("-s 720x480 -r 30000/1001 -c:v dvvideo -pix_fmt yuv411p", "DV ", False),
    "dv50.mov": ("-s 720x576 -r 25 -c:v dvvideo -pix_fmt yuv422p", "DV ", False),
    "dv.mkv": ("-s 720x576 -r 25 -c:v dvvideo -pix_fmt yuv420p", "DV ", False),
    "xvid.avi": ("-c:v libxvid -q:v 3 -g 24", "MPEG-4 Visual ", False),
    "mpeg4.avi": ("-c:v mpeg4 -q:v 3 -g 24", "MPEG-4 Visual ", False),
}  # fmt: skip


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    home = tmp_path_factory.mktemp("codecs")

    def video(name: str) -> Path:
        path = home / name
        if not path.exists():
            ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=24:d=3", *made(name).split(), path)
        return path

    return video


def made(name: str) -> str:
    return KINDS[name][0] if name in KINDS else CLOSEST[name]


def stream_of(path: Path) -> dict[str, str]:
    entries = (
        "stream=codec_name,codec_tag_string,profile,pix_fmt,field_order,color_range,color_space,color_transfer,"
        "color_primaries,sample_aspect_ratio,width,height"
    )
    said = run("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json", path)
    stream: dict[str, str] = json.loads(said)["streams"][0]
    return {key: value for key, value in stream.items() if isinstance(value, str | int)}


def fields_of(path: Path) -> list[str]:
    return run("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
               "frame=interlaced_frame,top_field_first,pix_fmt", "-of", "csv=p=0:nk=0", path).split()  # fmt: skip


def shots(path: Path) -> list[str]:
    """The hash of each picture that FFmpeg shows, played from the start."""
    said = run("ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-")
    return [line.split(",")[-1].strip() for line in said.splitlines() if line and not line.startswith("#")]


def top_half(path: Path) -> list[str]:
    """MD5 of the upper half of each picture, which has no label."""
    said = run("ffmpeg", "-v", "fatal", "-nostdin", "-i", path, "-map", "0:v:0", "-vf", "crop=iw:ih/2:0:0:exact=1",
               "-fps_mode", "passthrough", "-f", "framemd5", "-")  # fmt: skip
    return [line.rpartition(",")[2].strip() for line in said.splitlines() if not line.startswith("#")]


def likeness(one: Path, other: Path) -> float:
    """The worst PSNR of the upper half of any picture, in dB."""
    halves = "".join(f"[{n}:v:0]crop=iw:ih/2:0:0:exact=1,setpts=N[{name}];" for n, name in enumerate("ab"))
    done = subprocess.run(
        ["ffmpeg", "-v", "fatal", "-nostdin", "-i", str(one), "-i", str(other), "-lavfi",
         f"{halves}[a][b]psnr=stats_file=-", "-f", "null", "-"],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    found = [float(number) for number in re.findall(r"psnr_avg:(\S+)", done.stdout)]
    assert found
    return min(found)


@pytest.mark.parametrize("name", KINDS)
def test_a_video_keeps_its_codec_and_profile_and_how_names_them(
    name: str, videos: Callable[[str], Path], tmp_path: Path
) -> None:
    _, named, exact = KINDS[name]
    source, out = videos(name), tmp_path / name
    done = Labeler(PRODUCER).label_file(source, out)
    assert named in " ".join(done.how), done.how
    assert stream_of(out) == stream_of(source)
    assert fields_of(out) == fields_of(source)
    if exact:
        assert top_half(out) == top_half(source)
    else:
        assert likeness(source, out) > 40
    assert not done.lost
    assert complaints(source) or not complaints(out)
    assert labeling.verify(out).verdicts["cn"].outcome == "compliant"


CLOSEST = {
    "raw_555.avi": "-c:v rawvideo -pix_fmt rgb555le",
    "cinepak.avi": "-c:v cinepak",
    "animation_555.mov": "-c:v qtrle -pix_fmt rgb555be",
    "fields.mp4": "-vf setfield=tff -c:v libx265 -preset ultrafast -x265-params log-level=none:interlace=tff",
}


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("raw_555.avi", ["codec of video track 1: Windows bitmaps, kind 0 → FFV1"]),
        ("cinepak.avi", ["codec of video track 1: CVID → H264"]),
        ("animation_555.mov", ["codec of video track 1", "lossless coding"]),
        ("fields.mp4", ["mark that pictures consist of two fields"]),
    ],
)
def test_what_new_pictures_do_not_hold_is_named(
    name: str, lost: list[str], videos: Callable[[str], Path], tmp_path: Path
) -> None:
    source, out = videos(name), tmp_path / name
    done = Labeler(PRODUCER).label_file(source, out)
    said = [loss.what for loss in done.lost]
    assert all(any(what.startswith(words) for what in said) for words in lost), said
    assert likeness(source, out) > 30
    assert labeling.verify(out).verdicts["cn"].outcome == "compliant"


def test_a_palette_in_the_container_is_not_ignored(tmp_path: Path) -> None:
    """FFmpeg's demuxer gives it to the decoder beside a packet; without it, all pictures are black or white."""
    source, out = tmp_path / "source.avi", tmp_path / "out.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=24:d=3", "-c:v", "rawvideo", "-pix_fmt", "pal8", source)
    with pytest.raises(LabelingError, match="palette"):
        Labeler(PRODUCER).label_file(source, out)
    assert not out.exists()
    Labeler(PRODUCER, visible=False).label_file(source, out)
    assert top_half(out) == top_half(source)


@pytest.mark.parametrize("form", ["-c:v libx264 -pix_fmt yuv420p", "-c:v libx264 -pix_fmt yuv444p", "-c:v libx264rgb"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "flv"])
def test_lossless_video_plays_on_behind_pictures_with_and_without_loss(form: str, suffix: str, tmp_path: Path) -> None:
    """FFmpeg keeps the tables of the first parameter set it has met: one decoder plays all of the file."""
    from labeling.options import VideoOptions

    source, out = tmp_path / f"source.{suffix}", tmp_path / f"out.{suffix}"
    # Quickly, and with the parameter sets of the default preset.
    coding = "-preset superfast -x264-params ref=3:weightp=2 -qp 0 -g 24"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=24:d=3", *form.split(), *coding.split(), source)
    shown, upper = shots(source), top_half(source)
    for crf in (None, 20):
        done = Labeler(PRODUCER, video=VideoOptions(crf=crf)).label_file(source, out)
        assert ("lossless" if crf is None else f"CRF {crf}") in done.how[0]
        assert [loss.what for loss in done.lost] == ([] if crf is None else ["lossless coding"])
        assert shots(out)[48:] == shown[48:]
        assert (top_half(out) == upper) == (crf is None)
        out.unlink()


def test_lossless_video_of_an_old_encoder_stays_exact(videos: Callable[[str], Path], tmp_path: Path) -> None:
    """x264 before build 151 coded 8×8 blocks otherwise; decoders know it by the user data, which stays."""
    source, out = tmp_path / "old.mp4", tmp_path / "out.mp4"
    data = videos("lossless.mp4").read_bytes()
    source.write_bytes(re.sub(rb"x264 - core \d{3}", b"x264 - core 148", data))
    Labeler(PRODUCER).label_file(source, out)
    assert b"core 148" in out.read_bytes()
    assert top_half(out) == top_half(source)


def test_the_best_quality_of_h264_is_lossless_only_beside_lossless_pictures(
    videos: Callable[[str], Path], tmp_path: Path
) -> None:
    from labeling.options import VideoOptions

    labeler = Labeler(PRODUCER, video=VideoOptions(crf=0))
    done = labeler.label_file(videos("lossless.mp4"), tmp_path / "lossless.mp4")
    assert not done.lost
    assert "lossless" in done.how[0]
    plain = tmp_path / "plain.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=24:d=3", *X264.split(), "-pix_fmt", "yuv420p", plain)
    with pytest.raises(LabelingError, match="the other pictures are not"):
        labeler.label_file(plain, tmp_path / "out.mp4")
