"""WAV files whose headers are wrong, as speech services and other programs write them: every player reads on."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from labeling import Labeler, containers, verify
from labeling.errors import LabelingError
from labeling.findings import Status

from ..marks.signing import signer
from ..test_bad_input import PRODUCER
from .av_files import LABEL, coded, ffmpeg, ffprobe, packets, texts, write
from .battery import exiftool
from .test_riff import chunk, riff

SAMPLES = struct.pack("<4000h", *(int(9000 * ((number % 80) / 40 - 1)) for number in range(4000)))
FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16))
HEADER = 44
UNKNOWN = 0xFFFFFFFF


def stated(riff_size: int, data_size: int, behind: bytes = b"") -> bytes:
    data = b"data" + struct.pack("<I", data_size) + SAMPLES + behind
    return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + FORMAT + data


COUNT = len(SAMPLES)
STREAMS = {
    "both unknown": (UNKNOWN, UNKNOWN),
    "both unknown, signed": (0x7FFFFFFF, 0x7FFFFFFF),
    "unknown and what is left of it": (UNKNOWN, UNKNOWN - 36),
    "many frames": (2000000036, 2000000000),
    "many frames of four bytes": (400000036, 400000000),
    "a power of two": (0x40000024, 0x40000000),
    "both zero": (0, 0),
    "header written before the samples": (36, 0),
    "only the samples unknown": (COUNT + 36, UNKNOWN),
    "only RIFF unknown": (UNKNOWN, COUNT),
    "only RIFF zero": (0, COUNT),
}
MISCOUNTED = {
    "RIFF has the size of the samples": (COUNT, COUNT),
    "RIFF has the size of the file": (COUNT + 44, COUNT),
    "samples have the size of the file": (COUNT + 36, COUNT + 44),
    "samples have the size of RIFF": (COUNT + 36, COUNT + 36),
    "both have the size of the file": (COUNT + 44, COUNT + 44),
    "samples without their header": (COUNT + 36, COUNT - 36),
}
WRONG = [pytest.param(*sizes, id=name) for name, sizes in (STREAMS | MISCOUNTED).items()]


@pytest.mark.parametrize(("riff_size", "data_size"), WRONG)
def test_the_samples_reach_to_the_end_and_a_copy_says_so(riff_size: int, data_size: int, tmp_path: Path) -> None:
    before = stated(riff_size, data_size)
    contents = containers.read(before)
    assert (contents.problems, contents.fixed, contents.coded) == ((), "", ((HEADER, COUNT),))
    assert contents.seconds == 0.5
    assert len(contents.warnings) == len(contents.mended) == 1
    after = write(before, text_field=("AIGC", LABEL))
    label = chunk(b"AIGC", LABEL.encode())
    assert after == stated(36 + COUNT + len(label), COUNT, label)
    assert containers.read(after).mended == ()
    (tmp_path / "a.wav").write_bytes(after)
    ffprobe(tmp_path / "a.wav")  # no warning
    assert b"".join(packet for _, _, packet in packets(after)) == SAMPLES
    (tags,) = exiftool(tmp_path / "a.wav")
    assert not any("Warning" in key or "Error" in key for key in tags)


@pytest.mark.parametrize("name", ["many frames", "both unknown", "samples have the size of the file"])
@pytest.mark.parametrize("visible", [False, True])
def test_a_streamed_file_is_labelled_and_what_was_mended_is_said(name: str, visible: bool, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(stated(*(STREAMS | MISCOUNTED)[name]))
    assert {finding.status for finding in verify(source, visible=False).findings} == {Status.ABSENT}
    made = Labeler(producer=PRODUCER, visible=visible).label_file(source)
    assert "the copy states the true size" in " ".join(made.how)
    assert made.lost == ()
    assert verify(made.path, visible=False).verdicts["cn"].outcome == "compliant"


@pytest.mark.parametrize(
    "sizes",
    [(COUNT + 36 + 2000, COUNT + 2000), (COUNT + 36 + 2000, COUNT), (COUNT + 36 + 90000, COUNT + 90000)],
)
def test_sizes_that_fit_together_mean_that_the_file_is_cut_off(sizes: tuple[int, int]) -> None:
    assert "cut off" in containers.read(stated(*sizes)).problems[0]


def test_no_samples_are_not_a_stream() -> None:
    text = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"hi\0\0"))
    before = riff(b"WAVE", FORMAT, chunk(b"data", b""), text)
    contents = containers.read(before)
    assert (contents.coded, contents.mended) == (((HEADER, 0),), ())
    assert texts(contents) == [("WAV LIST INFO INAM", "hi")]


def test_chunks_behind_the_samples_are_read_although_riff_ends_before() -> None:
    label = chunk(b"AIGC", LABEL.encode())
    before = stated(COUNT, COUNT, label)
    contents = containers.read(before)
    assert (contents.problems, texts(contents)) == ((), [("WAV RIFF AIGC", LABEL)])
    assert write(before, text_field=("AIGC", LABEL)) == stated(36 + COUNT + len(label), COUNT, label)


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
@pytest.mark.parametrize("unknown", [(1 << 64) - 1, UNKNOWN, 0])
def test_64_bit_sizes_that_were_never_filled_in(form: bytes, unknown: int, tmp_path: Path) -> None:
    def make(riff_size: int, data_size: int, count: int, behind: bytes = b"") -> bytes:
        ds64 = chunk(b"ds64", struct.pack("<QQQI", riff_size, data_size, count, 0))
        start = form + b"\xff" * 4 + b"WAVE" + ds64 + FORMAT + b"data" + b"\xff" * 4
        return start + SAMPLES + behind

    before = make(unknown, unknown, unknown)
    contents = containers.read(before)
    assert (contents.problems, contents.fixed, contents.coded) == ((), "", ((80, COUNT),))
    after = write(before, text_field=("AIGC", LABEL))
    label = chunk(b"AIGC", LABEL.encode())
    assert after == make(72 + COUNT + len(label), COUNT, COUNT // 2, label)
    (tmp_path / "a.wav").write_bytes(after)
    ffprobe(tmp_path / "a.wav")
    assert b"".join(packet for _, _, packet in packets(after)) == SAMPLES


def test_an_odd_number_of_bytes_is_padded() -> None:
    before = stated(UNKNOWN, UNKNOWN, b"\1")
    label = chunk(b"AIGC", LABEL.encode())
    after = write(before, text_field=("AIGC", LABEL))
    assert after == stated(36 + COUNT + 2 + len(label), COUNT + 1, b"\1\0" + label)


def test_what_ffmpeg_writes_to_a_pipe_gets_its_sizes() -> None:
    before = ffmpeg("wav", "-metadata", "title=hi")
    after = write(before, text_field=("AIGC", LABEL))
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    assert texts(containers.read(after)) == [("WAV LIST INFO INAM", "hi"), *texts(containers.read(before))[1:],
                                             ("WAV RIFF AIGC", LABEL)]  # fmt: skip


# Chunks


@pytest.mark.parametrize(
    "build", [riff, lambda form, *parts: riff(form, *parts)[:4] + b"\xff" * 4 + riff(form, *parts)[8:]]
)
def test_padding_that_was_forgotten_before_another_chunk(build: Callable[..., bytes], tmp_path: Path) -> None:
    note = b"note" + struct.pack("<I", 5) + b"a cue"  # no padding
    text = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"hi\0\0"))
    before = build(b"WAVE", FORMAT, note, text, chunk(b"data", SAMPLES))
    contents = containers.read(before)
    assert (contents.problems, texts(contents)) == ((), [("WAV LIST INFO INAM", "hi")])
    assert contents.coded[0][1] == COUNT
    after = write(before, text_field=("AIGC", LABEL))
    expected = (FORMAT, note + b"\0", text, chunk(b"data", SAMPLES), chunk(b"AIGC", LABEL.encode()))
    assert after == riff(b"WAVE", *expected)
    (tmp_path / "a.wav").write_bytes(after)
    assert ffprobe(tmp_path / "a.wav")["title"] == "hi"
    assert b"".join(packet for _, _, packet in packets(after)) == SAMPLES


@pytest.mark.parametrize(
    ("junk", "inside"),
    [(b"abc12345678", False), (bytes(600), False), (bytes(600), True), (b"\x80\x81 not a chunk", True)],
)
def test_bytes_that_are_not_a_chunk_stay(junk: bytes, inside: bool, tmp_path: Path) -> None:
    parts = (FORMAT, chunk(b"data", SAMPLES))
    before = riff(b"WAVE", *parts, junk) if inside else riff(b"WAVE", *parts) + junk
    contents = containers.read(before)
    assert contents.problems == () and len(contents.warnings) == 1
    after = write(before, text_field=("AIGC", LABEL))
    label = chunk(b"AIGC", LABEL.encode())
    assert after == (riff(b"WAVE", *parts, label, junk) if inside else riff(b"WAVE", *parts, label) + junk)
    assert texts(containers.read(after)) == [("WAV RIFF AIGC", LABEL)]
    source = tmp_path / "a.wav"
    source.write_bytes(before)
    assert Labeler(producer=PRODUCER, visible=False).label_file(source).lost == ()


def test_an_id3_tag_in_front_goes_into_a_chunk(tmp_path: Path) -> None:
    frame = b"TIT2\0\0\0\6\0\0\3Title"
    tag = b"ID3\4\0\0\0\0\0\x10" + frame
    before = tag + stated(36 + COUNT, COUNT)
    contents = containers.read(before)
    assert (contents.format, contents.problems, len(contents.mended)) == ("wav", (), 1)
    assert texts(contents) == [("WAV ID3 TIT2", "Title")]
    after = write(before, text_field=("AIGC", LABEL))
    assert after == riff(b"WAVE", FORMAT, chunk(b"data", SAMPLES), chunk(b"AIGC", LABEL.encode()), chunk(b"id3 ", tag))
    assert b"".join(packet for _, _, packet in packets(after)) == SAMPLES
    (tmp_path / "a.wav").write_bytes(after)
    (tags,) = exiftool(tmp_path / "a.wav")
    assert tags["ID3v2_4:Title"] == "Title"
    (tmp_path / "b.wav").write_bytes(before)
    made = Labeler(producer=PRODUCER, visible=False).label_file(tmp_path / "b.wav")
    assert made.lost == ()
    assert "in the copy it is in a chunk" in " ".join(made.how)


@pytest.mark.parametrize("sidecar", [False, True])
@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_a_large_form_is_labelled_and_not_signed(form: bytes, sidecar: bool, tmp_path: Path) -> None:
    before = form + ffmpeg(".wav", "-rf64", "always")[4:]
    (tmp_path / "a.wav").write_bytes(before)
    made = Labeler(producer=PRODUCER, visible=False, signer=signer(), sidecar=sidecar).label_file(tmp_path / "a.wav")
    assert any(words.startswith("not signed: the C2PA library reads RIFF files") for words in made.how)
    assert made.lost == () and [path.name for path in tmp_path.iterdir() if path.suffix == ".c2pa"] == []
    assert packets(made.path.read_bytes()) == packets(before)
    assert verify(made.path, visible=False).verdicts["cn"].outcome == "compliant"


@pytest.mark.parametrize("behind", [b"", chunk(b"LIST", b"INFO" + chunk(b"INAM", b"hi\0\0"))])
def test_a_file_without_samples_is_refused(behind: bytes, tmp_path: Path) -> None:
    """FFmpeg takes whatever is behind a data chunk of no bytes for audio: a label there would be heard."""
    (tmp_path / "a.wav").write_bytes(riff(b"WAVE", FORMAT, chunk(b"data", b""), behind))
    with pytest.raises(LabelingError, match="no samples, so there is no audio to label"):
        Labeler(producer=PRODUCER, visible=False).label_file(tmp_path / "a.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
