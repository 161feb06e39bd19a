"""The audio of written videos: in time, as far as the pictures go, judged by what ffmpeg plays."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from labeling.errors import LabelingError, UnreadableFile

from .video_files import pictures, probe, tone, write

SOURCES = {
    "m4a": ["-c:a", "aac"],
    "aac": ["-c:a", "aac", "-f", "adts"],
    "mp3": ["-c:a", "libmp3lame"],
    "wav": [],
    "flac": [],
    "ogg": ["-c:a", "libvorbis"],
    "opus": ["-c:a", "libopus"],
}


def beep(path: Path, seconds: float = 3) -> Path:
    """A file of silence with 0.1 s of tone from 0.5 s on, coded by ffmpeg."""
    audio = f"aevalsrc=if(between(t\\,0.5\\,0.6)\\,0.8*sin(2*PI*1000*t)\\,0):d={seconds}:s=44100"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", audio, "-ac", "2", *SOURCES[path.suffix[1:]], str(path)]
    subprocess.run(command, check=True)
    return path


def heard(path: Path) -> tuple[float, float]:
    """When the tone begins and when the audio ends, in seconds of the video, as ffmpeg plays it."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-af",
        "aresample=async=1:first_pts=0",
        "-ac",
        "1",
        "-ar",
        "8000",
    ]
    raw = subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, check=True).stdout
    samples = np.abs(np.frombuffer(raw, "<f4"))
    return int(np.argmax(samples > 0.2)) / 8000, len(samples) / 8000


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.mov"])
def test_audio_of_a_file_is_in_time_and_ends_with_the_pictures(kind: str, name: str, tmp_path: Path) -> None:
    source = beep(tmp_path / f"s.{kind}")
    codec, preset = ("vp9", "5") if name == "a.webm" else ("h264", "ultrafast")
    path = tmp_path / name
    video = write(path, pictures(24), codec=codec, preset=preset, audio=source)
    picture, audio = probe(path)["streams"]
    took = {"m4a": "aac", "aac": "aac", "mp3": "mp3", "flac": "flac", "ogg": "vorbis", "opus": "opus"}.get(
        kind, "pcm_s16le"
    )
    copied = took == audio["codec_name"]
    assert copied == ("copied" in video.how)
    if name == "a.mkv":
        assert copied
    begins, ends = heard(path)
    offset = min(float(picture["start_time"]), float(audio["start_time"]))
    shift = float(picture["start_time"]) - max(offset, 0) if offset < 0 else float(picture["start_time"]) - offset
    assert abs(begins - 0.5 - max(shift, 0)) < 1 / 24
    assert ends < 1.2


def test_copied_audio_is_identical(tmp_path: Path) -> None:
    source = beep(tmp_path / "s.m4a")
    write(tmp_path / "a.mp4", pictures(24), audio=str(source))

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    ours, theirs = packets(tmp_path / "a.mp4"), packets(source)
    assert 40 < len(ours) < len(theirs)
    assert ours == theirs[: len(ours)]


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.avi", "a.flv"])
@pytest.mark.parametrize(
    ("channels", "dtype", "rate"), [(1, np.int16, 44_100), (2, np.float32, 48_000), (6, np.float32, 22_050)]
)
def test_audio_from_samples(name: str, channels: int, dtype: Any, rate: int, tmp_path: Path) -> None:
    samples = np.zeros((2 * rate, channels), np.float32)
    samples[rate // 2 : rate * 6 // 10] = tone(0.1, rate, channels)[: rate * 6 // 10 - rate // 2] * 2
    if dtype == np.int16:
        samples = np.rint(samples * 32767)
    path = tmp_path / name
    codec, preset = ("vp9", "5") if name == "a.webm" else ("h264", "ultrafast")
    write(path, pictures(24), codec=codec, preset=preset, audio=samples.astype(dtype), audio_rate=rate)
    audio = probe(path)["streams"][1]
    assert audio["channels"] == (channels if name in ("a.mp4", "a.webm") else min(channels, 2))
    begins, ends = heard(path)
    assert abs(begins - 0.5) < 0.06
    assert ends < 1.2


@pytest.mark.parametrize(
    ("audio", "rate", "words"),
    [
        (np.zeros((100, 2), np.float64), 48_000, "float32 or int16"),
        (np.zeros((100, 3), np.float32), 48_000, "channels"),
        (np.zeros((100, 2), np.float32), None, "audio_rate"),
        (np.zeros((100, 2), np.float32), 5, "audio_rate"),
        (np.full((100, 2), np.nan, np.float32), 48_000, "NaN"),
        (42, 48_000, "not int"),
    ],
)
def test_invalid_audio_is_refused(audio: Any, rate: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(LabelingError, match=words):
        write(tmp_path / "a.mp4", pictures(2), audio=audio, audio_rate=rate)
    assert list(tmp_path.iterdir()) == []


def test_files_without_audio_and_playlists_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_bytes(b"no audio at all" * 400)
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{beep(tmp_path / 's.aac')}\n#EXT-X-ENDLIST\n")
    for name in ("text.mp3", "list.m3u8", "missing.wav"):
        with pytest.raises(UnreadableFile, match=rf"{name}: the audio cannot be read"):
            write(tmp_path / "a.mp4", pictures(2), audio=tmp_path / name)
    write(tmp_path / "silent.mp4", pictures(2))
    with pytest.raises(LabelingError, match="has no audio"):
        write(tmp_path / "a.mp4", pictures(2), audio=tmp_path / "silent.mp4")
    assert not (tmp_path / "a.mp4").exists()
