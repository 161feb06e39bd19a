"""The audible label is put in front of the sound, or behind it: the content stays what it was, in every codec."""

from __future__ import annotations

import functools
import hashlib
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import labeling
from labeling import Labeler, LabelingError, VideoOptions
from labeling.codecs.cue import CannotPut, Ends, put
from labeling.codecs.cue.checksums import crc16, moved
from labeling.containers.edits import splice
from labeling.findings import Status
from labeling.marks import audible

from ..programs import require

PRODUCER = "001191110102MACQD9K64010000"
PCM = [("u8.wav", "pcm_u8", 8000, 1), ("s16.wav", "pcm_s16le", 16000, 2), ("s24.wav", "pcm_s24le", 11025, 1),
       ("s32.wav", "pcm_s32le", 16000, 2), ("f32.wav", "pcm_f32le", 8000, 6), ("f64.wav", "pcm_f64le", 8000, 1),
       ("be.aiff", "pcm_s24be", 16000, 2), ("s8.aiff", "pcm_s8", 8000, 1)]  # fmt: skip
CODED = [("s16.flac", "flac", 16000, 2), ("six.flac", "flac", 8000, 6), ("cbr.mp3", "libmp3lame", 44100, 2),
         ("low.mp3", "libmp3lame", 16000, 1), ("a.aac", "aac", 22050, 2), ("a.m4a", "aac", 16000, 1),
         ("a.opus", "libopus", 48000, 2), ("voice.opus", "libopus", 16000, 1),
         ("v.ogg", "libvorbis", 22050, 1), ("short.ogg", "libvorbis", 8000, 1),
         ("v2.ogg", "libvorbis", 44100, 2)]  # fmt: skip
EXTRA = {
    "voice.opus": ("-application", "voip", "-b:a", "16k"),
    "cbr.mp3": ("-q:a", "4"),
    "bare.mp3": ("-write_xing", "0"),
    "s24.wav": ("-rf64", "always"),
}
FRAMES = {"mp3": 1152, "aac": 1024, "m4a": 1024, "opus": 960, "flac": 4608, "ogg": 1024}


def sounds(seconds: float, rate: int, channels: int) -> bytes:
    at = np.arange(round(seconds * rate))[:, None] / rate
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((at.size, channels)) * (0.02 + 0.02 * (at % 0.4 < 0.2))
    raw: bytes = (0.3 * np.sin(2 * np.pi * 330 * at + np.arange(channels)) + noise).astype("<f4").tobytes()
    return raw


@functools.cache
def made(folder: Path, name: str, codec: str, rate: int, channels: int, seconds: float = 1.3) -> Path:
    """Written by ffmpeg, with a title."""
    require("ffmpeg")
    path = folder / name
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", str(rate), "-ac", str(channels), "-i", "-", "-c:a", codec,
         "-metadata", "title=Sea", *EXTRA.get(name, ()), path], input=sounds(seconds, rate, channels), check=True,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cue")


def pcm(path: Path) -> NDArray[np.int32]:
    """Decoded by ffmpeg, which complains of nothing: all samples of all channels."""
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-err_detect", "crccheck+bitstream", "-i", path, "-f", "s32le", "-c:a", "pcm_s32le",
         "-"], capture_output=True, check=True,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return np.frombuffer(done.stdout, "<i4")


def probed(path: Path, *entries: str) -> Any:
    """What ffprobe says of a file."""
    command: list[str | Path] = ["ffprobe", "-v", "error", "-show_entries", ":".join(entries), "-of", "json", path]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def packets(path: Path) -> list[str]:
    command: list[str | Path] = ["ffprobe", "-v", "error", "-select_streams", "a", "-show_data_hash", "md5"]
    command += ["-show_entries", "packet=data_hash", "-of", "json", path]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["packets"]
    return [each["data_hash"] for each in found]


def labelled(path: Path, target: Path, **options: Any) -> labeling.LabeledFile:
    return Labeler(PRODUCER, video=VideoOptions(**options)).label_file(path, target)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels", "at"),
    [*((*each, "start") for each in (*PCM, *CODED)), *((*each, "end") for each in (*PCM[1::3], *CODED))],
)
def test_the_content_is_what_it_was(
    folder: Path, tmp_path: Path, name: str, codec: str, rate: int, channels: int, at: str
) -> None:
    source, target = made(folder, name, codec, rate, channels), tmp_path / name
    if codec == "libvorbis" and at == "end":
        with pytest.raises(labeling.UnsupportedFormat, match="behind the sound of Vorbis nothing is put"):
            labelled(source, target, audio_cue="rhythm", audio_cue_at=at)
        return
    done = labelled(source, target, audio_cue_at=at)
    assert done.report.verdicts["cn"].outcome == "compliant" and done.lost == ()
    old, new = pcm(source), pcm(target)
    count = channels if name != "voice.opus" else 1
    added = (len(new) - len(old)) // count
    rate = 48000 if name.endswith("opus") else rate
    frame = FRAMES.get(name.rpartition(".")[2], 1)
    assert 1.8 * rate - 1 <= added <= 1.8 * rate + 3 * frame
    content = new[-len(old) :] if at == "start" else new[: len(old)]
    if name == "a.opus" and at == "end":  # what the end of the stream left out is played now
        content, old = content[: -frame * count], old[: -frame * count]
    assert np.array_equal(content, old)
    report = labeling.verify(target)
    visible = report.find("visible")
    assert visible is not None and visible.status is Status.PRESENT and visible.value["kind"] == "rhythm"
    assert report.verdicts["cn"].outcome == "compliant"
    tags = probed(target, "format_tags", "stream_tags", "format=duration")
    assert "Sea" in json.dumps(tags) or name.endswith(".aac")  # in which ffmpeg writes none
    if not name.endswith(".aac"):  # of which ffprobe guesses the duration
        assert float(tags["format"]["duration"]) == pytest.approx(
            float(probed(source, "format=duration")["format"]["duration"]) + added / rate, abs=0.001
        )
    again = labelled(target, tmp_path / f"again-{name}")
    assert "the audible label is there already" in again.how
    assert np.array_equal(pcm(again.path), new)


@pytest.mark.parametrize(("name", "codec", "rate", "channels"), CODED[2:-3])
def test_packets_are_copied(folder: Path, tmp_path: Path, name: str, codec: str, rate: int, channels: int) -> None:
    source = made(folder, name, codec, rate, channels)
    done = labelled(source, tmp_path / name, audio_cue_at="both")
    old, new = packets(source), packets(done.path)
    first = new.index(old[0], 1 if new[0] == old[0] else 0)
    starts = [at for at in range(len(new) - len(old) + 1) if new[at : at + len(old)] == old]
    assert len(starts) == 1 and first <= starts[0] and 0 < starts[0] < len(new) - len(old)


def flac_md5(path: Path) -> str:
    raw = path.read_bytes()
    return raw[raw.index(b"fLaC") + 8 + 18 :][:16].hex()


@pytest.mark.parametrize(("bits", "codec"), [("s16", "pcm_s16le"), ("s32", "pcm_s24le")])
@pytest.mark.parametrize("at", ["start", "both"])
def test_the_md5_of_flac_is_that_of_the_new_sound(tmp_path: Path, bits: str, codec: str, at: str) -> None:
    source = tmp_path / "a.flac"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", "12000", "-ac", "2", "-i", "-", "-sample_fmt", bits, source],
        input=sounds(1, 12000, 2), check=True,
    )  # fmt: skip
    target = labelled(source, tmp_path / "b.flac", audio_cue_at=at).path
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", target, "-f", codec[4:], "-c:a", codec, "-"], capture_output=True, check=True
    ).stdout
    assert flac_md5(target) == hashlib.md5(raw, usedforsecurity=False).hexdigest()
    jump: list[str | Path] = ["ffmpeg", "-v", "error", "-ss", "2.5", "-i", target, "-f", "s16le", "-"]
    assert not subprocess.run(jump, capture_output=True, check=True).stderr


CHAPTERS = """;FFMETADATA1
title=Sea
[CHAPTER]
TIMEBASE=1/1000
START=0
END=500
title=One
[CHAPTER]
TIMEBASE=1/1000
START=500
END=1300
title=Two
"""


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.opus", "a.flac"])
def test_chapters_and_covers_move_with_the_sound(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.txt").write_text(CHAPTERS)
    source = tmp_path / name
    cover: list[Any] = []
    if name in ("a.mp3", "a.m4a"):
        cover = ["-f", "lavfi", "-i", "testsrc2=s=64x64:d=0.04:r=25", "-map", "0:a", "-map", "2:v",
                 "-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic"]  # fmt: skip
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1.3:r=48000", "-i", tmp_path / "m.txt", *cover,
         "-map_metadata", "1", source], check=True,
    )  # fmt: skip
    if name == "a.flac":
        raw = source.read_bytes()
        assert b"CHAPTER001=00:00:00.500" in raw or b"Sea" in raw
    done = labelled(source, tmp_path / f"out-{name}")
    assert done.lost == ()
    shift = float(probed(done.path, "format=duration")["format"]["duration"]) - float(
        probed(source, "format=duration")["format"]["duration"]
    )
    old, new = (probed(path, "chapter=start_time", "chapter_tags")["chapters"] for path in (source, done.path))
    assert [each["tags"] for each in new] == [each["tags"] for each in old]
    starts = [float(each["start_time"]) for each in new]
    assert starts == pytest.approx([float(each["start_time"]) + shift for each in old], abs=0.002)
    if cover:
        kinds = [each["codec_name"] for each in probed(done.path, "stream=codec_name")["streams"]]
        assert "mjpeg" in kinds


def riff(fmt: bytes, data: bytes, *more: bytes, name: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"".join(more)
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return name + struct.pack("<I", len(body) if size is None else size) + body


PLAIN = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)


def whole(data: bytes, format: str = "wav", ends: Ends = Ends()) -> bytes:  # noqa: B008
    return b"".join(bytes(piece) for piece in splice(data, put(data, format, audible.cue, ends).edits))


def test_what_counts_samples_in_wav_moves() -> None:
    cue = b"cue " + struct.pack("<II", 28, 1) + struct.pack("<II4sIII", 1, 500, b"data", 0, 0, 500)
    loop = struct.pack("<6I", 1, 0, 100, 200, 0, 0)
    smpl = b"smpl" + struct.pack("<I", 60) + struct.pack("<9I", 0, 0, 0, 60, 0, 0, 0, 1, 0) + loop
    bext = b"bext" + struct.pack("<I", 602) + bytes(338) + struct.pack("<Q", 1_000_000) + bytes(256)
    peak = b"PEAK" + struct.pack("<I", 16) + struct.pack("<IIfI", 1, 0, 0.9, 77)
    fact = b"fact" + struct.pack("<II", 4, 8000)
    levl = b"levl" + struct.pack("<I", 4) + bytes(4)
    before = riff(PLAIN, bytes(16000), cue, smpl, bext, peak, fact, levl)
    placed = put(before, "wav", audible.cue, Ends())
    after, shift = whole(before), 14400
    assert struct.unpack_from("<II4sIII", after, after.index(b"cue ") + 12) == (
        1,
        500 + shift,
        b"data",
        0,
        0,
        500 + shift,
    )
    assert struct.unpack_from("<6I", after, after.index(b"smpl") + 44) == (1, 0, 100 + shift, 200 + shift, 0, 0)
    assert struct.unpack_from("<Q", after, after.index(b"bext") + 346)[0] == 1_000_000 - shift
    assert struct.unpack_from("<fI", after, after.index(b"PEAK") + 16)[1] == 77 + shift
    assert struct.unpack_from("<I", after, after.index(b"fact") + 8)[0] == 8000 + shift
    assert [each.what for each in placed.lost] == ["times in the chunk levl"]
    assert len(after) == len(before) + 2 * shift == 8 + struct.unpack_from("<I", after, 4)[0]


@pytest.mark.parametrize("name", [b"RIFF", b"RF64"])
def test_a_stream_whose_size_was_never_filled_in(name: bytes, tmp_path: Path) -> None:
    sound = np.random.default_rng(1).integers(-3000, 3000, 16000).astype("<i2").tobytes()
    ds64 = b"ds64" + struct.pack("<I", 28) + struct.pack("<3QI", (1 << 64) - 1, (1 << 64) - 1, 0, 0)
    fmt = b"fmt " + struct.pack("<I", len(PLAIN)) + PLAIN
    head = name + b"\xff" * 4 + b"WAVE" + (ds64 if name == b"RF64" else b"") + fmt + b"data" + b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(head + sound)
    done = labelled(tmp_path / "a.wav", tmp_path / "b.wav")
    old = np.frombuffer(sound, "<i2").astype(np.int32) << 16
    assert np.array_equal(pcm(done.path)[14400:], old)
    assert float(probed(done.path, "format=duration")["format"]["duration"]) == pytest.approx(3.8)


def test_the_bits_that_are_not_used_stay_empty() -> None:
    """20 bits in 24, WAVE_FORMAT_EXTENSIBLE."""
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 24000, 3, 24, 22, 20, 4) + guid
    values = (np.random.default_rng(1).integers(-(2**19), 2**19, 4000) << 4).astype("<i4")
    raw = values.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    after = whole(riff(fmt, raw))
    new = after[after.index(b"data") + 8 : -len(raw)]
    assert {byte & 15 for byte in new[::3]} == {0} and any(new) and after.endswith(raw)


def test_what_cannot_take_a_cue_says_so_and_is_not_called_compliant(folder: Path, tmp_path: Path) -> None:
    for name, codec, words in (("l.m4a", "alac", "alac"), ("a.wav", "adpcm_ms", "kind 2")):
        source = made(folder, name, codec, 16000, 1)
        done = labelled(source, tmp_path / name)
        assert any("no audible label" in each and words in each for each in done.how)
        assert done.report.verdicts["cn"].outcome == "inconclusive"
        assert np.array_equal(pcm(source), pcm(done.path))
        with pytest.raises(labeling.UnsupportedFormat, match="cannot be put into this file"):
            labelled(source, tmp_path / f"never-{name}", audio_cue="rhythm")
        assert not (tmp_path / f"never-{name}").exists()


def test_a_cue_gives_no_bits_to_frames_that_miss_those_before_them(folder: Path, tmp_path: Path) -> None:
    """Decoders leave such frames silent at the start of a file; behind other frames they make noise of them."""
    source, name = made(folder, "cbr.mp3", "libmp3lame", 44100, 2), tmp_path / "cut.mp3"
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "0.5", "-i", source, "-c", "copy", name], check=True)
    result = Labeler(PRODUCER).label_file(name, tmp_path / "labelled.mp3")
    assert any("its first frames need sound that is not in the file" in line for line in result.how)
    assert np.array_equal(pcm(name), pcm(result.path))
    behind = Labeler(PRODUCER, video=VideoOptions(audio_cue="rhythm", audio_cue_at="end"))
    heard = behind.label_file(name, tmp_path / "behind.mp3")
    assert str(heard.report.verdicts["cn"].outcome) == "compliant"


@pytest.mark.parametrize(
    ("name", "codec", "mark", "at", "field"),
    [("a.m4a", "aac", b"elst", 16, b"\0\0\x1f\x40"), ("low.mp3", "libmp3lame", b"Lavc", 21, b"\xdb\xb0\0")],
)
def test_no_cue_uncovers_what_a_header_hides_at_the_start(
    folder: Path, name: str, codec: str, mark: bytes, at: int, field: bytes
) -> None:
    data = bytearray(made(folder, name, codec, 16000, 1).read_bytes())
    place = data.index(mark, data.find(b"Info") if codec != "aac" else 0) + at
    data[place : place + len(field)] = field
    with pytest.raises(CannotPut, match=r"hides the first (8000|3515) samples"):
        put(bytes(data), name.rpartition(".")[2], audible.cue, Ends())


@pytest.mark.parametrize(("name", "codec"), [("bare.mp3", "libmp3lame"), ("whole.aac", "aac")])
def test_a_last_frame_that_is_cut_off_does_not_keep_a_cue_from_the_start(
    folder: Path, tmp_path: Path, name: str, codec: str
) -> None:
    cut = tmp_path / name
    cut.write_bytes(made(folder, name, codec, 16000, 1).read_bytes()[:-60])
    before = packets(cut)
    result = Labeler(PRODUCER).label_file(cut, tmp_path / f"labelled_{name}")
    assert str(result.report.verdicts["cn"].outcome) == "compliant", result.how
    assert packets(result.path)[-len(before) :] == before
    behind = Labeler(PRODUCER, video=VideoOptions(audio_cue="rhythm", audio_cue_at="both"))
    with pytest.raises(LabelingError, match="not in one run"):
        behind.label_file(cut, tmp_path / f"behind_{name}")


def test_without_a_cue_nobody_is_told_that_it_complies(folder: Path, tmp_path: Path) -> None:
    source = made(folder, "s16.wav", "pcm_s16le", 16000, 2)
    asked = labelled(source, tmp_path / "a.wav", audio_cue="none")
    metadata = Labeler(PRODUCER, visible=False).label_file(source, tmp_path / "b.wav")
    for done in (asked, metadata):
        assert done.report.verdicts["cn"].outcome == "inconclusive"
        assert [each.rule for each in done.report.verdicts["cn"].warnings] == ["CN-AUDIBLE-SPEECH"]
        assert any("was put into the sound, as asked" in each for each in done.how)
    european = Labeler(PRODUCER, profile="eu").label_file(source, tmp_path / "c.wav")
    assert any("the profile eu asks for none" in each for each in european.how)
    assert labeling.verify(tmp_path / "a.wav").verdicts["cn"].outcome == "inconclusive"


@pytest.mark.parametrize(("name", "format"), [("s16.wav", "wav"), ("s16.flac", "flac"), ("cbr.mp3", "mp3"),
                                              ("a.aac", "adts"), ("a.m4a", "mp4"), ("a.opus", "ogg"),
                                              ("v2.ogg", "ogg")])  # fmt: skip
def test_broken_files_give_an_error_or_a_file(folder: Path, name: str, format: str) -> None:
    row = next(each for each in (*PCM, *CODED) if each[0] == name)
    data = made(folder, *row).read_bytes()
    rng = np.random.default_rng(5)
    broken = [data[: len(data) * part // 5] for part in range(5)] + [data[:60], data + b"\xff" * 50]
    for _ in range(4):
        hurt = bytearray(data)
        for at in rng.integers(0, min(len(data), 3000), 8):
            hurt[at] = int(rng.integers(256))
        broken.append(bytes(hurt))
    for each in broken:
        try:
            placed = put(each, format, audible.cue, Ends(True, name != "v2.ogg"))
        except LabelingError:
            continue
        assert len(placed.edits) > 1


def test_new_packets_of_vorbis_sound_like_the_cue(folder: Path, tmp_path: Path) -> None:
    """They are coded with the code books of the file; ffmpeg decodes them."""
    for name, codec, rate, channels in (CODED[-3], CODED[-1]):
        done = labelled(made(folder, name, codec, rate, channels), tmp_path / name)
        cue = audible.cue(rate, 1)[:, 0].astype(float)
        heard = pcm(done.path)[::channels][: cue.size] / 2**31
        assert np.sum((heard - cue) ** 2) < 0.001 * np.sum(cue**2)
    raw = bytearray(made(folder, *CODED[-1]).read_bytes())
    at = raw.index(b"\5vorbis")
    for place in range(at + 8, at + 1500, 311):
        hurt = bytes(raw[:place]) + bytes([raw[place] ^ 0x55]) + bytes(raw[place + 1 :])
        try:
            assert put(hurt, "ogg", audible.cue, Ends()).edits
        except LabelingError:
            continue


def test_flac_in_ogg_is_said_not_to_take_a_cue(folder: Path) -> None:
    with pytest.raises(CannotPut, match="FLAC in OGG"):
        put(made(folder, "f.oga", "flac", 16000, 1).read_bytes(), "ogg", audible.cue, Ends())


def test_a_checksum_moves_over_zeros() -> None:
    assert crc16(b"123456789") == 0xFEE8  # CRC-16/UMTS, catalogue of parametrised CRC algorithms
    assert all(moved(crc16(b"abc"), count) == crc16(b"abc" + bytes(count)) for count in (0, 1, 7, 300))


def test_what_does_not_read_back_is_labelled_without_a_cue(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cue that nobody hears: the label is written all the same where nobody asked for a cue by name."""
    source = made(folder, *PCM[1])
    monkeypatch.setattr(audible, "cue", lambda rate, channels: np.zeros((rate, channels), np.float32))
    done = labelled(source, tmp_path / "a.wav", audio_cue="auto")
    assert "not heard in the new file when that was tried" in done.how[0]
    assert done.report.verdicts["cn"].outcome == "inconclusive"
    assert np.array_equal(pcm(source), pcm(done.path))
    with pytest.raises(labeling.WriteError, match="not heard"):
        labelled(source, tmp_path / "b.wav", audio_cue="rhythm")
    assert not (tmp_path / "b.wav").exists()
