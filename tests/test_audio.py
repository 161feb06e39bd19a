"""The explicit label of audio: the rhythm at the start or the end, through every codec, and beside a video's text."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from labeling.codecs.cue import recording
from labeling.findings import Status
from labeling.marks import audible, spoken
from labeling.marks.visible import LabelPainter

from .video_files import labelled, look, make_video, rules, scene, shots


def audio(path: Path, samples: NDArray[np.float32], codec: str, rate: int) -> Path:
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="stereo")
        resampler = av.AudioResampler(stream.format, "stereo", rate, stream.codec_context.frame_size or 4096)
        frame = av.AudioFrame.from_ndarray(np.stack([samples, samples]), "fltp", "stereo")
        frame.sample_rate = rate
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(piece))
        out.mux(stream.encode())
    return path


KINDS = [("a.wav", "pcm_s16le", 44100), ("a.mp3", "libmp3lame", 44100), ("a.flac", "flac", 48000),
         ("a.opus", "libopus", 48000), ("a.m4a", "aac", 44100), ("b.ogg", "libopus", 48000)]  # fmt: skip


def quiet_music(rate: int, seconds: float) -> NDArray[np.float32]:
    at = np.arange(round(rate * seconds)) / rate
    chord = sum(np.sin(2 * np.pi * pitch * at) for pitch in (262, 330, 392)) * np.exp(-(at % 0.5) * 3)
    return (0.1 * chord).astype(np.float32)


@pytest.mark.parametrize("kind", ["rhythm", "spoken"])
def test_what_nobody_hears_is_no_label(tmp_path: Path, kind: str) -> None:
    """Neither one 60 dB below full scale, nor one 40 dB below what follows it."""
    rate = 48000
    cue = audible.cue(rate, 1)[:, 0] if kind == "rhythm" else recording.decoded(spoken.recording("zh"))
    pause, loud = np.zeros(rate // 2, np.float32), quiet_music(rate, 4) * 4
    for part, factor, status in ((loud / 1e4, 1e-3, Status.UNREADABLE), (loud, 6e-3, Status.UNREADABLE),
                                 (loud, 0.1, Status.PRESENT)):  # fmt: skip
        sound = np.concatenate([cue * np.float32(factor), pause, part]).astype(np.float32)
        finding = look(audio(tmp_path / "a.wav", sound, "pcm_f32le", rate))
        assert (finding.status, finding.value.get("kind", kind)) == (status, kind), factor


@pytest.mark.parametrize(("name", "codec", "rate"), KINDS)
def test_the_rhythm_is_heard_at_start_and_end_of_a_audio(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    cue = audible.cue(rate, 1)[:, 0]
    music = quiet_music(rate, 12)
    first, last = music.copy(), music.copy()
    first[: cue.size] += cue
    last[-cue.size - rate : -rate] += cue
    finding = look(audio(tmp_path / f"first{name}", first, codec, rate))
    assert (finding.status, finding.value["kind"]) == (Status.PRESENT, "rhythm")
    assert finding.value["seconds"] == pytest.approx([0, 1.32], abs=0.07)
    assert finding.where == f"audio {finding.value['seconds'][0]:.2f}-{finding.value['seconds'][1]:.2f} s"
    end = look(audio(tmp_path / f"last{name}", last, codec, rate))
    assert end.value["seconds"] == pytest.approx([12 - 2.32, 11], abs=0.15)
    none = look(audio(tmp_path / f"none{name}", music, codec, rate))
    assert (none.status, rules(none)) == (Status.UNREADABLE, ["CN-AUDIBLE-SPEECH"])


def test_a_cover_picture_makes_no_video_of_a_audio(tmp_path: Path) -> None:
    plain = audio(tmp_path / "a.mp3", quiet_music(44100, 3), "libmp3lame", 44100)
    cover = tmp_path / "cover.png"
    cv2.imwrite(str(cover), labelled(scene(480, 270, 0), LabelPainter())[..., ::-1])
    covered = tmp_path / "b.mp3"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", plain, "-i", cover, "-map", "0:a", "-map", "1:v", "-c", "copy",
         "-disposition:v", "attached_pic", covered], check=True,
    )  # fmt: skip
    assert rules(look(covered)) == ["CN-AUDIBLE-SPEECH"]


def test_a_rhythm_in_a_video_is_evidence_beside_the_text(tmp_path: Path) -> None:
    track = np.zeros(48000 * 3, np.float32)
    track[: audible.cue(48000, 1).size] = audible.cue(48000, 1)[:, 0]
    finding = look(make_video(tmp_path / "a.mp4", shots(0, 2), audio=track))
    assert finding.status is Status.PRESENT
    assert finding.value["rhythm"] == pytest.approx([0, 1.32], abs=0.06)
    assert "rhythm" not in look(make_video(tmp_path / "b.mp4", shots(0, 2), audio=np.zeros_like(track))).value
