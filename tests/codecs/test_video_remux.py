"""Videos in other containers: all but what is under the label stays, packet for packet, say FFmpeg and mkvmerge."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labeling
from labeling import Labeler
from labeling.codecs.video.base import PaintedVideo, Settings
from labeling.codecs.video.remux import paint
from labeling.errors import LabelingError, UnreadableFile

from .cuts import LABEL, Painter, ffmpeg, make_video, packets, pictures

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", 24, "-sc_threshold", 0, "-pix_fmt", "yuv420p")
TONE = ("-f", "lavfi", "-i", "sine=440:d=3")
FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
PLAN = ((0.0, LABEL),)

KINDS: dict[str, tuple[Any, ...]] = {
    "matroska": ("matroska", "mkv", *X264, "-c:a", "aac"),
    "webm": ("matroska", "webm", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-g", 24,
             "-pix_fmt", "yuv420p", "-c:a", "libopus"),
    "webm av1": ("matroska", "webm", "-c:v", "libsvtav1", "-preset", 12, "-g", 24, "-pix_fmt", "yuv420p",
                 "-c:a", "libopus"),
    "webm vp8, hidden pictures": ("matroska", "webm", "-c:v", "libvpx", "-deadline", "good", "-cpu-used", 5,
                                  "-auto-alt-ref", 1, "-lag-in-frames", 16, "-g", 24, "-b:v", "1M", "-c:a", "libopus"),
    "fragmented": ("mp4", "mp4", *X264, "-c:a", "aac", *FRAGMENTED),
    "fragmented hevc": ("mp4", "mp4", "-c:v", "libx265", "-preset", "ultrafast", "-g", 24, "-x265-params",
                        "open-gop=0:log-level=none", "-tag:v", "hvc1", "-c:a", "aac", *FRAGMENTED),
    "flv": ("flv", "flv", *X264, "-c:a", "aac"),
    "avi": ("avi", "avi", *X264, "-bf", 0, "-c:a", "mp3"),
    "avi mjpeg": ("avi", "avi", "-c:v", "mjpeg", "-q:v", 3, "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"),
    "matroska vfr": ("matroska", "mkv", *X264, "-vf", "select='mod(n,5)'", "-vsync", "vfr", "-c:a", "flac"),
}  # fmt: skip


def run(source: Path, *, format: str, plan: Any = PLAN, **options: Any) -> tuple[Path, PaintedVideo]:
    target = source.with_name(f"new{source.suffix}")
    return target, paint(source, target, format, Painter(), plan, **options)


def label_shows(path: Path, seconds: float, width: int = 160, height: int = 120) -> bool:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:v:0", "-ss", seconds, "-frames:v", 1]
    command += ["-pix_fmt", "gray", "-f", "rawvideo", "-"]
    shown = subprocess.run([*map(str, command)], capture_output=True, check=True).stdout
    return bool((np.frombuffer(shown, np.uint8).reshape(height, width)[10:18, 12:40] > 220).all())


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_groups_under_the_label_are_encoded(tmp_path: Path, kind: str) -> None:
    format, suffix, *options = KINDS[kind]
    source = make_video(tmp_path / f"old.{suffix}", *options, inputs=TONE)
    target, painted = run(source, format=format, reencode="never")

    ((start, stop),) = painted.spans
    assert start == 0.0
    assert stop == pytest.approx(LABEL, abs=0.1)
    assert painted.box == (8, 8, 61, 20) and painted.displayed == (160, 120)
    assert painted.bit_exact_after is not None and LABEL <= painted.bit_exact_after <= 2.1
    assert painted.encoded == ((0.0, painted.bit_exact_after),)
    assert "CRF" in painted.how[0] or "quantiser" in painted.how[0]

    old, new = pictures(source), pictures(target)
    assert [pts for pts, _ in old] == [pts for pts, _ in new]
    alike = [one == other for one, other in zip(old, new, strict=True)]
    assert not any(alike[:12]) and sum(alike) >= 0.3 * len(old)
    assert all(alike[len(alike) - sum(alike) :])  # from the join to the end
    assert packets(source, "a") == packets(target, "a") != []
    assert label_shows(target, 0.5) and not label_shows(target, 1.2)


def test_every_track_chapter_attachment_and_tag_of_matroska_stays(tmp_path: Path) -> None:
    texts, chapters, cover = tmp_path / "a.srt", tmp_path / "a.txt", tmp_path / "cover.png"
    texts.write_text("1\n00:00:00,500 --> 00:00:02,000\nHello\n")
    chapters.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Öne\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=3000\ntitle=Two\n"
    )
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64", "-frames:v", 1, cover)
    plain = make_video(
        tmp_path / "plain.mkv",
        *("-map", 0, "-map", 1, "-map", 2, "-map", 3, "-map_chapters", 4, *X264, "-c:a:0", "aac", "-c:a:1", "libopus"),
        *("-c:s", "srt", "-metadata", "title=Ä video", "-metadata:s:a:0", "language=eng"),
        *("-metadata:s:a:1", "language=chi", "-metadata:s:a:1", "title=Comments", "-disposition:a:1", "comment"),
        inputs=(*TONE, *TONE, "-i", texts, "-i", chapters),
    )
    source = tmp_path / "old.mkv"
    subprocess.run(["mkvmerge", "-q", "-o", source, "--attach-file", cover, plain], check=True)
    target, painted = run(source, format="matroska")
    assert painted.bit_exact_after is not None
    old, new = (
        json.loads(subprocess.run(["mkvmerge", "-J", path], capture_output=True, check=True).stdout)
        for path in (source, target)
    )
    assert not new["warnings"] and not new["errors"]
    kept = ("language", "track_name", "default_track", "forced_track", "flag_commentary", "display_dimensions",
            "pixel_dimensions", "default_duration", "audio_channels", "audio_sampling_frequency")  # fmt: skip
    assert [track["codec"] for track in old["tracks"]] == [track["codec"] for track in new["tracks"]]
    for one, other in zip(old["tracks"], new["tracks"], strict=True):
        if one["type"] == "video":
            assert other["properties"]["default_duration"] == 40_000_000
        for name in kept[:7] + kept[8:]:
            assert one["properties"].get(name) == other["properties"].get(name), name
    assert [(a["file_name"], a["content_type"], a["size"]) for a in old["attachments"]] == [
        (a["file_name"], a["content_type"], a["size"]) for a in new["attachments"]
    ]
    assert old["chapters"] == new["chapters"] == [{"num_entries": 2}]
    assert packets(source, "as") == packets(target, "as")
    seen = subprocess.run(["ffprobe", "-v", "error", "-show_chapters", "-show_format", target], capture_output=True)
    assert "title=Öne" in (text := seen.stdout.decode()) and "TAG:title=Ä video" in text


def test_labels_at_start_and_end_leave_the_middle_alone(tmp_path: Path) -> None:
    source = make_video(tmp_path / "old.mkv", *X264, *("-g", 12))
    target, painted = run(source, format="matroska", plan=((0.0, 0.4), (2.5, None)))
    assert [tuple(map(float, part)) for part in painted.encoded] == [(0.0, 0.48), (2.4, 3.0)]
    assert painted.spans == ((0.0, 0.4), (2.52, 3.0)) and painted.bit_exact_after is None
    alike = [one == other for one, other in zip(pictures(source), pictures(target), strict=True)]
    assert not any(alike[:10]) and all(alike[12:60]) and not any(alike[63:])
    assert label_shows(target, 0.2) and label_shows(target, 2.7) and not label_shows(target, 1)


def test_the_size_at_which_a_video_is_displayed_is_that_of_the_container(tmp_path: Path) -> None:
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-g", 24)
    plain, source = make_video(tmp_path / "plain.webm", *vp9), tmp_path / "old.mkv"
    subprocess.run(["mkvmerge", "-q", "-o", source, "--display-dimensions", "0:320x120", plain], check=True)
    target, painted = run(source, format="matroska")
    assert painted.displayed == (320, 120)
    report = json.loads(subprocess.run(["mkvmerge", "-J", target], capture_output=True, check=True).stdout)
    assert report["tracks"][0]["properties"]["display_dimensions"] == "320x120"
    assert len(pictures(target)) == 75


@pytest.mark.parametrize("turn", [90, 180])
def test_the_label_is_upright_in_a_turned_video(tmp_path: Path, turn: int) -> None:
    plain, source = make_video(tmp_path / "plain.mp4", *X264), tmp_path / "old.mp4"
    ffmpeg("-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={turn}", *FRAGMENTED, source)
    target, painted = run(source, format="mp4")
    assert painted.displayed == ((120, 160) if turn == 90 else (160, 120))
    width, height = painted.displayed
    command = ["ffmpeg", "-v", "error", "-i", str(target), "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    left, top, right, bottom = painted.box
    inside = np.frombuffer(shown, np.uint8).reshape(height, width)[top + 2 : bottom - 2, left + 2 : right - 2]
    assert (inside > 220).all()


WHOLE: dict[str, tuple[Any, ...]] = {
    "open groups": ("matroska", "mkv", "groups of pictures are open", "H.264", *X264, "-x264-params", "open-gop=1"),
    "avi with b": ("avi", "avi", "do not say when", "H.264", *X264, "-bf", 2),
    "mpeg-4": ("avi", "avi", "cannot be re-encoded in part", "MPEG-4", "-c:v", "mpeg4", "-q:v", 4, "-bf", 2),
    "mpeg-2": ("matroska", "mkv", "re-encoded in part", "MPEG-2", "-c:v", "mpeg2video", "-q:v", 4, "-bf", 2),
    "wmv2": ("avi", "avi", "Windows Media Video 8 cannot be re-encoded in part", "H.264", "-c:v", "wmv2", "-q:v", 4),
    "ffv1": ("matroska", "mkv", "cannot be re-encoded in part", "FFV1", "-c:v", "ffv1"),
    "vp9 10 bit": ("matroska", "mkv", "8 bits", "HEVC", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8,
                   "-pix_fmt", "yuv420p10le"),
    "webm 10 bit": ("matroska", "webm", "8 bits", "AV1", "-c:v", "libvpx-vp9", "-deadline", "realtime",
                    "-cpu-used", 8, "-pix_fmt", "yuv420p10le"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
def test_what_cannot_be_cut_is_encoded_whole_with_the_reason(tmp_path: Path, kind: str) -> None:
    format, suffix, why, codec, *options = WHOLE[kind]
    source = make_video(
        tmp_path / f"old.{suffix}", *options, "-c:a", "libopus" if suffix == "webm" else "mp3", inputs=TONE
    )
    with pytest.raises(LabelingError, match="in part"):
        run(source, format=format, reencode="never")
    target, painted = run(source, format=format)
    assert why in painted.how[0] and codec in painted.how[0]
    assert painted.bit_exact_after is None
    old, new = pictures(source), pictures(target)
    assert len(old) == len(new) == 75
    if format == "matroska":
        assert [pts for pts, _ in old] == [pts for pts, _ in new]
    assert packets(source, "a") == packets(target, "a")
    assert label_shows(target, 0) and label_shows(target, 0.5) and not label_shows(target, 1.2)


def test_always_encodes_all_with_the_settings_that_are_asked_for(tmp_path: Path) -> None:
    source = make_video(tmp_path / "old.mkv", *X264)
    target, painted = run(source, format="matroska", reencode="always", settings=Settings("ultrafast", 23))
    assert "as asked" in painted.how[0] and "preset ultrafast, CRF 23" in painted.how[0]
    assert not any(one == other for one, other in zip(pictures(source), pictures(target), strict=True))
    seen: list[tuple[float, float]] = []
    run(source, format="matroska", plan=((0.0, None),), progress=lambda done, total: seen.append((done, total)))
    assert (
        seen == sorted(seen) and seen[-1][0] == pytest.approx(3, abs=0.2) and seen[-1][1] == pytest.approx(3, abs=0.2)
    )


def test_what_cannot_be_labelled_is_refused_in_words(tmp_path: Path) -> None:
    audio = tmp_path / "b.mkv"
    ffmpeg(*TONE, audio)
    with pytest.raises(LabelingError, match="no video track"):
        run(audio, format="matroska")
    with pytest.raises(LabelingError, match="ends before the time at which"):
        run(make_video(tmp_path / "c.mkv", *X264), format="matroska", plan=((9.0, None),))
    secret, plain = tmp_path / "d.mp4", make_video(tmp_path / "plain.mp4", *X264)
    key = "0123456789abcdef0123456789abcdef"
    ffmpeg("-i", plain, "-c", "copy", "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key,
           "-encryption_kid", key, secret)  # fmt: skip
    with pytest.raises(LabelingError, match="encrypted"):
        run(secret, format="mp4")
    clear = make_video(tmp_path / "e.webm", "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-deadline", "realtime")
    with pytest.raises(LabelingError, match="transparency"):
        run(clear, format="matroska")


@pytest.mark.parametrize("damage", ["cut", "empty", "noise at the start", "noise in a packet"])
def test_damage_gives_a_clear_error_or_a_video(tmp_path: Path, damage: str) -> None:
    source = make_video(tmp_path / "old.mkv", *X264)
    data = bytearray(source.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "empty":
        data = bytearray()
    elif damage == "noise at the start":
        data[:2000] = bytes(range(250)) * 8
    else:
        data[6000:9000] = bytes(range(250)) * 12
    source.write_bytes(data)
    try:
        target, _ = run(source, format="matroska")
    except UnreadableFile as error:
        assert "\n" not in str(error)
    else:
        assert damage in ("cut", "noise in a packet") and target.stat().st_size


def test_nothing_that_a_name_says_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = make_video(tmp_path / "plain.mkv", *X264).rename(tmp_path / "concat:a|b,%03d ü.mkv")
    target, _ = run(odd, format="matroska")
    assert len(pictures(target)) == 75
    listing = tmp_path / "list.mkv"
    listing.write_text("ffconcat version 1.0\nfile 'concat:a|b,%03d ü.mkv'\n")
    with pytest.raises(UnreadableFile):
        run(listing, format="matroska")


def test_a_codec_without_an_encoder_becomes_the_closest_one_and_the_loss_is_named(tmp_path: Path) -> None:
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=24:d=3", "-c:v", "libtheora", str(source))
    done = Labeler("my-service").label_file(source, out)
    assert any("Theora cannot be re-encoded in part" in words and "H.264" in words for words in done.how)
    assert any(loss.what.startswith("codec of video track 1: V_THEORA") for loss in done.lost)
    assert labeling.verify(out).verdicts["cn"].outcome == "compliant"


HDR = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv")
MASTERED = (
    "--chromaticity-coordinates", "0:0.708,0.292,0.17,0.797,0.131,0.046", "--white-colour-coordinates",
    "0:0.3127,0.329", "--max-luminance", "0:1000", "--min-luminance", "0:0.005", "--max-content-light", "0:1000",
    "--max-frame-light", "0:400",
)  # fmt: skip


def colours(path: Path) -> dict[str, Any]:
    """What ffprobe says of the colours of a video, and of its HDR metadata."""
    ran = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-of", "json", path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    stream = json.loads(ran.stdout)["streams"][0]
    return {name: value for name, value in stream.items() if name.startswith(("color_", "side_data", "display_"))}


@pytest.mark.needs("ffprobe", "mkvmerge")
@pytest.mark.parametrize(("suffix", "raw"), [("webm", "obu"), ("mkv", "hevc")])
def test_hdr_that_changes_its_codec_keeps_its_colours_in_the_codec_and_in_the_container(
    tmp_path: Path, suffix: str, raw: str
) -> None:
    source, out, alone = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", tmp_path / f"alone.{raw}"
    plain = make_video(
        tmp_path / "plain.webm", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-pix_fmt",
        "yuv420p10le", *HDR,
    )  # fmt: skip
    more = ("-w",) if suffix == "webm" else ("--cropping", "0:20,10,40,30", "--stereo-mode", "0:1")
    subprocess.run(["mkvmerge", "-q", "-o", source, *more, *MASTERED, plain], check=True)
    done = Labeler("my-service").label_file(source, out)
    old, new = colours(source), colours(out)
    assert old["color_transfer"] == "smpte2084" and len(old["side_data_list"]) >= 2
    assert new == old
    told = [loss.what for loss in done.lost]
    assert not any(word in what for what in told for word in ("colour", "transfer", "display", "crop", "stereo"))
    ffmpeg("-i", out, "-map", "0:v", "-c", "copy", alone)
    bare = colours(alone)
    assert {name: bare[name] for name in old if name.startswith("color_")} == {
        name: value for name, value in old.items() if name.startswith("color_")
    }
    ffmpeg("-v", "error", "-xerror", "-ss", "2.2", "-i", out, "-f", "null", "-")  # the index is right
    assert [pts for pts, _ in pictures(source)] == [pts for pts, _ in pictures(out)]


def test_hdr_in_mp4_keeps_its_colours_in_the_codec_as_well(tmp_path: Path) -> None:
    source, out, alone = tmp_path / "in.mp4", tmp_path / "out.mp4", tmp_path / "alone.hevc"
    make_video(source, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-pix_fmt", "yuv420p10le", *HDR)
    Labeler("my-service").label_file(source, out)
    ffmpeg("-i", out, "-map", "0:v", "-c", "copy", alone)
    for path in (out, alone):
        found = colours(path)
        assert (found["color_primaries"], found["color_transfer"], found["color_space"]) == (
            "bt2020", "smpte2084", "bt2020nc",
        )  # fmt: skip


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("more", [0, 1, 2])
def test_further_video_tracks_without_a_label_are_named(tmp_path: Path, suffix: str, more: int) -> None:
    source, out = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    single = make_video(tmp_path / "one.mkv", *X264)
    maps = [word for _ in range(more + 1) for word in ("-map", "0:v")]
    ffmpeg("-i", single, *maps, "-c", "copy", source)
    done = Labeler("my-service").label_file(source, out)
    said = [words for words in done.how if "only the first video track" in words]
    rest = {0: [], 1: ["the other one has none"], 2: ["the 2 others have none"]}[more]
    assert [words.split("; ")[1] for words in said] == rest
    for number in range(1, more + 1):
        one, other = (
            subprocess.run(
                ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:v:{number}", "-c", "copy", "-f", "framehash", "-"],
                capture_output=True, check=True,
            ).stdout
            for path in (source, out)
        )  # fmt: skip
        assert one == other


def test_a_cover_is_no_further_video_track(tmp_path: Path) -> None:
    source, cover = tmp_path / "in.mp4", tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=0.1", "-frames:v", 1, cover)
    ffmpeg("-i", make_video(tmp_path / "one.mp4", *X264), "-i", cover, "-map", 0, "-map", 1, "-c", "copy",
           "-disposition:v:1", "attached_pic", source)  # fmt: skip
    done = Labeler("my-service").label_file(source, tmp_path / "out.mp4")
    assert not any("only the first video track" in words for words in done.how)
