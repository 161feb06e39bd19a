"""A cue in a WAV file: only the samples under it change, whatever they are coded as."""

from __future__ import annotations

import io
import struct
import subprocess
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labeling import LabelingError, files
from labeling.codecs.pcm_cue import DUCKED, mix_cue
from labeling.containers import Media
from labeling.errors import UnreadableFile, UnsupportedFormat
from labeling.filebytes import FileBytes
from labeling.marks import audible

KINDS = ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"]


def music(seconds: float, rate: int, channels: int) -> NDArray[np.float64]:
    at = np.arange(round(seconds * rate))[:, None] / rate
    return 0.7 * np.sin(2 * np.pi * 330 * at + np.arange(channels)) * (0.6 + 0.4 * np.sin(9 * at))


def made(path: Path, kind: str, *, rate: int = 44100, channels: int = 2, seconds: float = 3) -> Path:
    """Written by ffmpeg, with a title behind the samples."""
    raw = music(seconds, rate, channels).astype("<f4").tobytes()
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", str(rate), "-ac", str(channels), "-i", "-",
         "-c:a", kind, "-metadata", "title=Sea", path], input=raw, check=True,
    )  # fmt: skip
    return path


def decoded(data: bytes) -> NDArray[np.float64]:
    """By ffmpeg, (n, channels) in -1..1."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        parts = []
        for frame in container.decode(stream):
            array = frame.to_ndarray().astype(np.float64)
            name = frame.format.name
            scale, zero = {"u8": (128, 128), "s16": (2**15, 0), "s32": (2**31, 0)}.get(name, (1, 0))
            parts.append((array.reshape(-1, stream.channels) - zero) / scale)
    return np.concatenate(parts)


def whole(data: Media, **options: Any) -> bytes:
    return b"".join(bytes(piece) for piece in mix_cue(data, audible.cue, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (48000, 6)])
@pytest.mark.parametrize("place", ["start", "end"])
def test_only_the_samples_under_it_change(tmp_path: Path, kind: str, rate: int, channels: int, place: str) -> None:
    before = made(tmp_path / "a.wav", kind, rate=rate, channels=channels).read_bytes()
    after = whole(before, at=place)
    assert len(after) == len(before)
    old, new = decoded(before), decoded(after)
    count = audible.cue(rate, 1).shape[0]
    first = 0 if place == "start" else len(old) - count
    changed = np.flatnonzero(np.any(old != new, axis=1))
    assert first <= changed[0] < first + rate // 100
    assert first + count - rate // 100 < changed[-1] + 1 <= first + count
    width = {"pcm_u8": 1, "pcm_s16le": 2, "pcm_s24le": 3, "pcm_s32le": 4, "pcm_f32le": 4, "pcm_f64le": 8}[kind]
    bytes_changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    assert bytes_changed[-1] - bytes_changed[0] < count * width * channels
    under = slice(first + rate // 50, first + count - rate // 50)
    steady = old[under] * DUCKED + audible.cue(rate, channels)[rate // 50 : count - rate // 50]
    assert np.abs(new[under] - steady).max() < (0.006 if kind == "pcm_u8" else 3e-5)
    assert np.abs(new).max() < 1
    found = audible.find(new.mean(axis=1).astype(np.float32), rate)
    assert [round(each.start, 1) for each in found] == [round(first / rate, 1)]


@pytest.mark.parametrize(
    "kind", ["pcm_s8", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be"]
)
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2)])
def test_aiff_is_mixed_into_as_well(tmp_path: Path, kind: str, rate: int, channels: int) -> None:
    before = made(tmp_path / "a.aiff", kind, rate=rate, channels=channels).read_bytes()
    after = whole(before)
    assert len(after) == len(before)
    old, new = decoded(before), decoded(after)
    count = audible.cue(rate, 1).shape[0]
    changed = np.flatnonzero(np.any(old != new, axis=1))
    assert 0 <= changed[0] < rate // 100 and count - rate // 100 < changed[-1] + 1 <= count
    under = slice(rate // 50, count - rate // 50)
    steady = old[under] * DUCKED + audible.cue(rate, channels)[under]
    assert np.abs(new[under] - steady).max() < (0.01 if kind == "pcm_s8" else 3e-5)
    found = audible.find(new.mean(axis=1).astype(np.float32), rate)
    assert [round(each.start, 1) for each in found] == [0.0]


def test_compressed_aiff_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match="AIFF-C file's samples of kind ulaw"):
        whole(made(tmp_path / "a.aiff", "pcm_mulaw").read_bytes())


def test_the_other_chunks_stay_and_exiftool_and_python_still_read_it(tmp_path: Path) -> None:
    source = made(tmp_path / "a.wav", "pcm_s16le")
    target = tmp_path / "b.wav"
    target.write_bytes(whole(source.read_bytes()))
    title = subprocess.run(["exiftool", "-s3", "-Title", target], capture_output=True, text=True, check=True).stdout
    assert title.strip() == "Sea"
    with wave.open(str(target)) as one, wave.open(str(source)) as other:
        assert one.getparams() == other.getparams()


def test_a_file_is_mixed_into_without_being_read_whole(tmp_path: Path) -> None:
    source, target = made(tmp_path / "a.wav", "pcm_s24le", seconds=20), tmp_path / "b.wav"
    target.touch()
    with FileBytes(source.open("rb", buffering=0), str(source)) as data:
        pieces = mix_cue(data, audible.cue)
        assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) == audible.cue(44100, 1).size * 6
        files.write_pieces(target, pieces)
    assert target.read_bytes() == whole(source.read_bytes())


def riff(fmt: bytes, data: bytes, *, name: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return name + struct.pack("<I", len(body)) + body


def test_the_bits_that_are_not_used_stay_empty() -> None:
    """20 bits in 24, WAVE_FORMAT_EXTENSIBLE."""
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 24000, 3, 24, 22, 20, 4) + guid
    rng = np.random.default_rng(1)
    values = (rng.integers(-(2**19), 2**19, 16000) << 4).astype("<i4")
    raw = values.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    after = whole(riff(fmt, raw))
    assert {byte & 15 for byte in after[-len(raw) :: 3]} == {0}
    assert np.abs(decoded(after)).max() < 1


@settings(max_examples=60)
@given(
    values=st.sampled_from([-32768, 32767, 0, 1, -1]),
    loud=st.floats(0, 1),
    rate=st.sampled_from([8000, 11025, 16000]),
    channels=st.integers(1, 3),
)
def test_nothing_wraps_around(values: int, loud: float, rate: int, channels: int) -> None:
    """Audio at full scale, and cues up to full scale."""
    count = rate * 2
    audio = np.full((count, channels), values, "<i2")
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)

    def cue(rate: int, channels: int) -> NDArray[np.float32]:
        return (audible.cue(rate, channels) * np.float32(loud / audible.LEVEL)).astype(np.float32)

    data = riff(fmt, audio.tobytes())
    after = b"".join(bytes(piece) for piece in mix_cue(data, cue))  # type: ignore[arg-type]
    new = np.frombuffer(after[44:], "<i2").reshape(-1, channels)
    exact = audio[:, 0].astype(float)
    exact[: cue(rate, 1).size] = exact[: cue(rate, 1).size] * DUCKED + cue(rate, 1)[:, 0] * 32768
    inner = slice(rate // 50, cue(rate, 1).size - rate // 50)
    assert np.abs(new[inner, 0] - np.clip(exact[inner], -32768, 32767)).max() <= 1
    assert np.array_equal(new[cue(rate, 1).size :], audio[cue(rate, 1).size :])


@pytest.mark.parametrize(("name", "codec"), [
    ("a.mp3", "libmp3lame"), ("a.flac", "flac"), ("a.m4a", "aac"), ("a.opus", "libopus"), ("a.wav", "adpcm_ms"),
])  # fmt: skip
def test_compressed_audio_is_refused_with_what_to_do(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=3:r=48000", "-c:a", codec, path], check=True
    )  # fmt: skip
    with pytest.raises(UnsupportedFormat, match="before they are encoded"):
        mix_cue(path.read_bytes(), audible.cue)


def test_broken_and_short_files_are_refused(tmp_path: Path) -> None:
    short = made(tmp_path / "a.wav", "pcm_s16le", seconds=1.2).read_bytes()
    with pytest.raises(LabelingError, match="does not fit"):
        mix_cue(short, audible.cue)
    good = made(tmp_path / "b.wav", "pcm_s16le").read_bytes()
    for broken in (good[:30], good[:36], b"RIFF\0\0\0\0WAVE", good[:20] + bytes(16) + good[36:]):
        with pytest.raises(LabelingError):
            mix_cue(broken, audible.cue)
    for channels, rate, align in ((0, 44100, 4), (2, 0, 4), (2, 44100, 3), (999, 44100, 1998)):
        fmt = struct.pack("<HHIIHH", 1, channels, rate, 0, align, 16)
        with pytest.raises(UnreadableFile, match="makes no sense"):
            mix_cue(riff(fmt, bytes(999_999)), audible.cue)


def test_64_bit_files_and_streams_whose_size_was_never_filled_in() -> None:
    fmt = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    plain = riff(fmt, bytes(32000))
    for name in (b"RF64", b"RIFF"):
        data = riff(fmt, bytes(32000), name=name, size=0xFFFFFFFF)
        assert whole(data)[44:] == whole(plain)[44:]
