"""Spoken labels: ours and the caller's are found whatever codec they went through, and nothing else is."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import labeling
from cli import group
from labeling import Labeler, LabelingError, VideoOptions
from labeling.codecs.cue import recording
from labeling.findings import Status
from labeling.marks import spoken
from labeling.marks.spoken import match

from ..programs import require

PRODUCER = "001191110102MACQD9K64010000"
RATE = recording.RATE


@cache
def sentence(language: str) -> NDArray[np.float32]:
    return recording.decoded(spoken.recording(language))


@cache
def heard(language: str) -> NDArray[np.float32]:
    return recording.resampled(sentence(language), match.RATE)


def through(samples: NDArray[np.float32], rate: int, *encode: str) -> NDArray[np.float32]:
    """Encoded and decoded again by ffmpeg, at 8000 samples per second."""
    require("ffmpeg")
    raw = ["-f", "f32le", "-ac", "1", "-ar"]
    coded = subprocess.run(["ffmpeg", "-v", "error", *raw, str(rate), "-i", "-", *encode, "-"],
                           input=samples.astype("<f4").tobytes(), capture_output=True, check=True).stdout  # fmt: skip
    back = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", *raw, "8000", "-"],
                          input=coded, capture_output=True, check=True).stdout  # fmt: skip
    return np.frombuffer(back, "<f4")


@pytest.mark.parametrize("language", spoken.SENTENCES)
def test_the_recordings_are_small_and_speak_at_the_rate_of_the_standard(language: str) -> None:
    assert len(spoken.recording(language)) < 60_000
    seconds = sentence(language).size / RATE
    if language == "zh":
        assert 120 <= 60 * len(spoken.SENTENCES["zh"]) / seconds <= 160
        assert "人工智能" in spoken.SENTENCES["zh"] and "生成" in spoken.SENTENCES["zh"]


@pytest.mark.parametrize("language", spoken.SENTENCES)
@pytest.mark.parametrize(
    "encode",
    [("-c:a", "libmp3lame", "-b:a", "64k", "-f", "mp3"), ("-c:a", "libopus", "-b:a", "16k", "-f", "ogg"),
     ("-af", "volume=-30dB", "-c:a", "aac", "-b:a", "32k", "-f", "adts"),
     ("-ar", "8000", "-c:a", "pcm_mulaw", "-f", "wav")],
    ids=["mp3", "opus", "quiet-aac", "telephone"],
)  # fmt: skip
def test_a_sentence_is_found_through_every_codec(language: str, encode: tuple[str, ...]) -> None:
    silence = np.zeros(RATE // 2, np.float32)
    found = match.find(through(np.concatenate([silence, sentence(language), silence]), RATE, *encode), heard(language))
    assert found is not None and found.start == pytest.approx(0.5, abs=0.08) and found.confidence > 0.9


def others() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    own = heard("zh")
    size = 6 * match.RATE
    at = np.arange(size) / match.RATE
    pieces = np.array_split(own, 8)
    steps = np.repeat(rng.random(60), size // 60)
    return {
        "noise": rng.standard_normal(size).astype(np.float32),
        "noise that swells": (rng.standard_normal(size) * steps).astype(np.float32),
        "a melody": np.sin(2 * np.pi * np.cumsum(np.repeat(rng.choice([220, 262, 330, 392], 40), size // 40))
                           / match.RATE).astype(np.float32),
        "clicks": (at * 4 % 1 < 0.01).astype(np.float32),
        "backwards": own[::-1].copy(),
        "other order": np.concatenate([pieces[number] for number in (3, 0, 6, 1, 7, 2, 5, 4)]),
        "breaks off": np.concatenate([own[: own.size * 7 // 10], np.zeros(size, np.float32)]),
        "another middle": np.concatenate([*pieces[:3], pieces[6], pieces[0], *pieces[5:]]),
        "silence": np.zeros(size, np.float32),
        "not numbers": np.full(size, np.nan, np.float32),
    }  # fmt: skip


@pytest.mark.parametrize("name", others())
def test_nothing_else_is_taken_for_it(name: str) -> None:
    sound = np.concatenate([others()[name], np.zeros(2 * match.RATE, np.float32)])
    assert match.find(sound, heard("zh")) is None
    assert match.find(sound, heard("en")) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("ffmpeg")
    made = tmp_path_factory.mktemp("spoken")
    for name in ("a.wav", "a.mp3"):
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1:r=16000", made / name], check=True)
    voice = "sine=d=1.5:f=300,tremolo=f=7:d=0.9"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", voice, "-ar", "22050", made / "own.wav"], check=True)
    return made


def labelled(source: Path, target: Path, cue: str, **options: Any) -> labeling.LabeledFile:
    return Labeler(PRODUCER, video=VideoOptions(audio_cue=cue), **options).label_file(source, target)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_the_sentence_is_put_in_front_and_found(folder: Path, tmp_path: Path, name: str) -> None:
    done = labelled(folder / name, tmp_path / name, "spoken")
    assert any("本音频由人工智能生成" in each for each in done.how) and done.lost == ()
    report = labeling.verify(done.path)
    visible = report.find("visible")
    assert visible is not None and visible.status is Status.PRESENT
    assert visible.value["kind"] == "spoken" and visible.value["text"] == "本音频由人工智能生成"
    assert report.verdicts["cn"].outcome == "compliant"
    assert "the audible label is there already" in labelled(done.path, tmp_path / f"again-{name}", "spoken").how


def test_english_counts_in_europe_and_not_in_china(folder: Path, tmp_path: Path) -> None:
    done = labelled(folder / "a.wav", tmp_path / "a.wav", "spoken", profile="eu")
    visible = labeling.verify(done.path, "eu").find("visible")
    assert visible is not None and visible.value["languages"] == ["en"] and visible.status is Status.PRESENT
    chinese = labeling.verify(done.path, "cn")
    assert [each.rule for each in chinese.verdicts["cn"].failed] == ["CN-VISIBLE-WORDING"]
    for names in (["in", "cn"], ["cn", "kr", "eu"]):
        assert labeling.verify(done.path, names).verdicts["cn"].failed == chinese.verdicts["cn"].failed


def test_a_sentence_is_heard_beside_a_rhythm(folder: Path, tmp_path: Path) -> None:
    first = labelled(folder / "a.wav", tmp_path / "a.wav", "spoken", profile="in")
    rhythm = labelled(folder / "a.wav", tmp_path / "rhythm.wav", "rhythm")
    with_words = labelled(rhythm.path, tmp_path / "words.wav", "auto", profile="in")
    assert "IN-AUDIBLE" not in [each.rule for each in labeling.verify(with_words.path, "in").verdicts["in"].failed]
    again = labelled(with_words.path, tmp_path / "again.wav", "auto", profile="in")
    assert "the audible label is there already" in again.how
    both = tmp_path / "both.wav"
    join = ["-filter_complex", "[0][1]concat=v=0:a=1"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", rhythm.path, "-i", first.path, *join, both], check=True)
    found = labeling.verify(both, ["cn", "eu", "in"])
    assert "IN-AUDIBLE" in [each.rule for each in found.verdicts["in"].failed]  # a second of content is in front
    visible = found.find("visible")
    assert visible is not None and visible.value["kind"] == "rhythm"
    assert [each["text"] for each in visible.value["beside"]] == ["This audio was generated by AI"]
    assert "EU-VISIBLE" not in [each.rule for each in found.verdicts["eu"].warnings]
    assert not any(each.rule.startswith("CN-VISIBLE") for each in found.verdicts["cn"].failed)


def test_a_recording_of_ones_own(folder: Path, tmp_path: Path) -> None:
    own = folder / "own.wav"
    done = labelled(folder / "a.mp3", tmp_path / "a.mp3", str(own))
    assert any("the recording own.wav was put in front" in each for each in done.how)
    assert "the audible label is there already" in labelled(done.path, tmp_path / "again.mp3", str(own)).how
    unknown = labeling.verify(done.path).find("visible")
    assert unknown is not None and unknown.status is Status.UNREADABLE
    known = labeling.verify(done.path, audio_cues=[own]).find("visible")
    assert known is not None and known.value["recording"] == "own.wav" and known.status is Status.PRESENT
    assert "what it says was not judged" in known.defects[0].message
    shown = CliRunner().invoke(group, ["verify", str(done.path), "--audio-cues", str(own), "--format", "json"])
    assert '"recording": "own.wav"' in shown.output
    isolated = labeling.verify(done.path, audio_cues=[own], isolate=True).find("visible")
    assert isolated is not None and isolated.value == known.value


def test_what_is_no_recording_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_bytes(b"no sound at all")
    silent = tmp_path / "silent.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anullsrc=d=2:r=8000", "-t", "2", silent], check=True)
    for path, words in (
        (tmp_path / "text.wav", "no audio file"), (tmp_path / "none.wav", "no such file"), (silent, "silent"),
    ):  # fmt: skip
        with pytest.raises(LabelingError, match=words):
            labelled(folder / "a.wav", tmp_path / "never.wav", str(path))
        with pytest.raises(LabelingError, match=words):
            labeling.verify(folder / "a.wav", audio_cues=[path])
    for seconds in ("0.5", "21"):
        path = tmp_path / "length.wav"
        sound = ["-f", "lavfi", "-i", f"sine=d={seconds}:r=8000"]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *sound, path], check=True)
        with pytest.raises(LabelingError, match=r"it has to be 0\.8 to 20 s"):
            labelled(folder / "a.wav", tmp_path / "never.wav", str(path))
    assert not (tmp_path / "never.wav").exists()


def test_a_configuration_names_a_recording_beside_it_and_none_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labeling import config

    (tmp_path / "own.wav").write_bytes((folder / "own.wav").read_bytes())
    file = tmp_path / config.NAME
    file.write_text(f'producer = "{PRODUCER}"\n[video]\naudio_cue = "own.wav"\n')
    video = Labeler.from_config(file).video
    assert video is not None and video.audio_cue == str(tmp_path / "own.wav")
    monkeypatch.chdir(tmp_path)
    assert config.chosen(None) is not None
    file.write_text(f'producer = "{PRODUCER}"\n[video]\naudio_cue = "{folder / "own.wav"}"\n')
    with pytest.raises(LabelingError, match=r"video\.audio_cue leads out of the folder"):
        config.chosen(None)
    file.write_text(f'producer = "{PRODUCER}"\n[video]\naudio_cue = "spoken"\n')
    assert config.chosen(None) is not None
