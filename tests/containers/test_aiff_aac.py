"""AIFF and raw AAC: a label in the ID3 tag that programs keep there, and everything else as it was."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from labeling import Labeler, containers, verify
from labeling.containers import Contents
from labeling.filebytes import FileBytes
from labeling.findings import Signature, Status
from labeling.options import VideoOptions

from ..marks.signing import signer
from ..test_bad_input import PRODUCER
from .av_files import LABEL, coded, ffmpeg, ffprobe, packets, texts, write
from .battery import PACKET, SOURCE, exiftool
from .test_mp3 import frame, tag
from .test_mp3_old_tags import ape, id3v1

TITLE = tag(4, frame(4, "TIT2", b"\3Title"))


def chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    return name + struct.pack(">I", len(body)) + body + b"\0" * (len(body) & 1 and padded)


def form(*chunks: bytes, kind: bytes = b"AIFF") -> bytes:
    body = kind + b"".join(chunks)
    return b"FORM" + struct.pack(">I", len(body)) + body


SAMPLES = struct.pack(">4000h", *(int(9000 * ((number % 80) / 40 - 1)) for number in range(4000)))
COMMON = chunk(b"COMM", struct.pack(">hIhHQ", 1, 4000, 16, 16383 + 12, 8000 << 51))
SOUND = chunk(b"SSND", bytes(8) + SAMPLES)
MARKS = chunk(b"MARK", struct.pack(">hhI", 1, 1, 2000) + b"\3cue")


def aiff(*options: str) -> bytes:
    return ffmpeg(".aiff", "-metadata", "title=hi", *options)


def aac(*options: str) -> bytes:
    return ffmpeg(".aac", *options)


def read_from_disk(folder: Path, data: bytes) -> Contents:
    (folder / "read").write_bytes(data)
    with (folder / "read").open("rb") as file, FileBytes(file, "read") as opened:
        return containers.read(opened)


# AIFF


@pytest.mark.parametrize(
    "options", [(), ("-write_id3v2", "1"), ("-c:a", "pcm_s16le"), ("-c:a", "pcm_s24be"), ("-c:a", "pcm_f32be")]
)
def test_a_label_in_aiff_is_read_by_others(options: tuple[str, ...], tmp_path: Path) -> None:
    before = aiff(*options)
    contents = read_from_disk(tmp_path, before)
    assert contents == containers.read(before)
    assert (contents.format, contents.media_type, round(contents.seconds, 6)) == ("aiff", "audio/aiff", 0.3)
    assert (contents.problems, contents.warnings, contents.fixed) == ((), (), "")
    after = write(before, text_field=("AIGC", LABEL), xmp=PACKET)
    assert write(after, text_field=("AIGC", LABEL), xmp=PACKET) == after
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    assert ("AIFF ID3 TXXX AIGC", LABEL) in texts(containers.read(after))
    (tmp_path / "a.aiff").write_bytes(after)
    (tmp_path / "b.aiff").write_bytes(before)
    assert ffprobe(tmp_path / "a.aiff") == ffprobe(tmp_path / "b.aiff") | {"AIGC": LABEL} | {
        key: value for key, value in ffprobe(tmp_path / "a.aiff").items() if key.startswith("id3v2_priv")
    }
    (tags,) = exiftool(tmp_path / "a.aiff")
    assert not any("Warning" in key or "Error" in key for key in tags)
    assert tags["XMP-dc:Source"] == SOURCE


def test_every_chunk_of_aiff_stays(tmp_path: Path) -> None:
    words = [chunk(name, b"some text!") for name in (b"NAME", b"AUTH", b"(c) ", b"ANNO", b"ANNO")]
    others = [MARKS, chunk(b"APPL", b"stocsomething"), chunk(b"CHAN", bytes(12))]
    before = form(COMMON, *words, *others, SOUND, chunk(b"ID3 ", TITLE)) + b"behind the end"
    (tmp_path / "a.aiff").write_bytes(before)
    made = Labeler(producer=PRODUCER, visible=False).label_file(tmp_path / "a.aiff")
    assert made.lost == ()
    after = made.path.read_bytes()
    start = len(form(COMMON, *words, *others, SOUND))
    assert after[8:start] == before[8:start]
    assert after.endswith(b"behind the end")
    assert packets(after) == packets(before)
    assert ffprobe(made.path)["title"] == "Title"
    assert verify(made.path, visible=False).verdicts["cn"].outcome == "compliant"


def test_aiff_with_odd_chunks_and_a_tag_in_front() -> None:
    odd = chunk(b"ANNO", b"a note", padded=False), chunk(b"NAME", b"odd", padded=False)
    before = TITLE + form(COMMON, *odd, SOUND)
    contents = containers.read(before)
    assert (contents.format, contents.problems, len(contents.mended)) == ("aiff", (), 1)
    assert texts(contents) == [("AIFF ID3 TIT2", "Title"), ("AIFF ANNO", "a note"), ("AIFF NAME", "odd")]
    after = write(before, text_field=("AIGC", LABEL))
    assert after.startswith(form(COMMON, odd[0], odd[1] + b"\0", SOUND)[8:12], 8)
    assert odd[1] + b"\0SSND" in after
    assert int.from_bytes(after[4:8], "big") == len(after) - 8
    assert packets(after) == packets(form(COMMON, SOUND))
    assert sorted(texts(containers.read(after))) == sorted([*texts(contents), ("AIFF ID3 TXXX AIGC", LABEL)])


def test_every_truncation_of_aiff_is_a_problem() -> None:
    data = write(form(COMMON, MARKS, SOUND), text_field=("AIGC", LABEL))
    for cut in [*range(12, 120), *range(120, len(data), 97), len(data) - 2]:
        assert containers.read(data[:cut]).problems, cut


def sized(data: bytes, whole: int, sound: int, frames: int | None = None) -> bytes:
    """An AIFF file that says other sizes of itself, and another number of samples."""
    at, common = data.index(b"SSND") + 4, data.index(b"COMM") + 10
    count = data[common : common + 4] if frames is None else struct.pack(">I", frames)
    data = data[:common] + count + data[common + 4 :]
    return data[:4] + struct.pack(">I", whole) + data[8:at] + struct.pack(">I", sound) + data[at + 4 :]


@pytest.mark.parametrize("frames", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("sizes", [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFD7), (0xFFFFFFFF, 0)])
@pytest.mark.parametrize(
    "options", [(), ("-c:a", "pcm_s16le"), ("-c:a", "pcm_f32be"), ("-ac", "2", "-c:a", "pcm_s24be")]
)
def test_a_stream_of_aiff_gets_its_true_sizes(
    options: tuple[str, ...], sizes: tuple[int, int], frames: int | None, tmp_path: Path
) -> None:
    whole = ffmpeg(".aiff", "-fflags", "+bitexact", *options)
    before = sized(whole, *sizes, frames)
    assert len(whole) == len(before)
    (tmp_path / "a.aiff").write_bytes(before)
    contents = containers.read(before)
    assert (contents.problems, round(contents.seconds, 6)) == ((), 0.3)
    assert coded(before) == coded(whole)
    made = Labeler(producer=PRODUCER, visible=False).label_file(tmp_path / "a.aiff")
    assert made.lost == ()
    assert any("the copy states the true size" in words for words in made.how)
    after = made.path.read_bytes()
    assert packets(after) == packets(whole)
    assert after[: len(whole)][8:] == whole[8:]
    assert "AIGC" in ffprobe(made.path)
    assert containers.read(after).warnings == ()
    assert verify(made.path, visible=False).verdicts["cn"].outcome == "compliant"


def test_what_ffmpeg_pipes_as_aiff_is_labelled(tmp_path: Path) -> None:
    (tmp_path / "a.aiff").write_bytes(ffmpeg("aiff"))
    made = Labeler(producer=PRODUCER, visible=False).label_file(tmp_path / "a.aiff")
    assert packets(made.path.read_bytes()) == packets(ffmpeg(".aiff"))


def test_true_sizes_mean_that_an_aiff_is_cut_off() -> None:
    whole = ffmpeg(".aiff", "-fflags", "+bitexact")
    for data in (whole[:-100], sized(whole, 0xFFFFFFFF, 20_000_000), sized(whole, 0, len(SAMPLES) * 10)):
        assert "cut off" in containers.read(data).problems[0]


@pytest.mark.parametrize("stream", [False, True])
def test_the_rhythm_is_put_in_front_of_aiff(stream: bool, tmp_path: Path) -> None:
    whole = ffmpeg(".aiff", "-t", "3", inputs=("sine=d=3",))
    (tmp_path / "a.aiff").write_bytes(sized(whole, 0, 0, 0) if stream else whole)
    made = Labeler(producer=PRODUCER, video=VideoOptions(audio_cue=True)).label_file(tmp_path / "a.aiff")
    assert made.lost == ()
    (before,), (after,) = coded(whole), coded(made.path.read_bytes())
    assert after.endswith(before) and len(after) - len(before) == round(1.8 * 44100) * 2
    report = verify(made.path)
    visible = report.find("visible")
    assert visible is not None and visible.status is Status.PRESENT
    assert report.verdicts["cn"].outcome == "compliant"


# AAC


@pytest.mark.parametrize("front", [b"", TITLE, tag(3, frame(3, "TIT2", b"\0Title"), padding=100)], ids=["no", "4", "3"])
@pytest.mark.parametrize("rate", ["44100", "8000"])
def test_a_label_in_aac_is_read_by_others(front: bytes, rate: str, tmp_path: Path) -> None:
    before = front + aac("-ar", rate)
    contents = read_from_disk(tmp_path, before)
    assert contents == containers.read(before)
    assert (contents.format, contents.media_type, contents.problems) == ("adts", "audio/aac", ())
    assert contents.seconds == pytest.approx(0.4, abs=0.25)
    assert coded(before) == [before[len(front) :]]
    after = write(before, text_field=("AIGC", LABEL), xmp=PACKET)
    assert write(after, text_field=("AIGC", LABEL), xmp=PACKET) == after
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    assert ("AAC ID3v2 TXXX AIGC", LABEL) in texts(containers.read(after))
    (tmp_path / "a.aac").write_bytes(after)
    shown = ffprobe(tmp_path / "a.aac")
    assert shown["AIGC"] == LABEL
    assert shown.get("title") == ("Title" if front else None)
    (tags,) = exiftool(tmp_path / "a.aac")
    assert tags["XMP-dc:Source"] == SOURCE
    label = next(block for block in containers.read(after).blocks if block.keyword == "AIGC")
    assert ("AAC ID3v2 TXXX AIGC", LABEL) not in texts(containers.read(write(after, drop=(label,))))


@pytest.mark.parametrize("tail", [id3v1(), ape(Title="Title")], ids=["ID3v1", "APE"])
def test_old_tags_of_aac_stay_and_are_copied(tail: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.aac").write_bytes(aac() + tail)
    made = Labeler(producer=PRODUCER, visible=False).label_file(tmp_path / "a.aac")
    assert made.lost == ()
    assert made.path.read_bytes().endswith(aac() + tail)
    assert {key.lower(): text for key, text in ffprobe(made.path).items()}["title"] == "Title"
    assert ("AAC ID3v2 TIT2", "Title") in texts(containers.read(made.path.read_bytes()))


def test_what_only_begins_like_aac_is_a_problem() -> None:
    assert containers.read(b"\xff\xf1\x50\x80\x10\x1f\xfc" + bytes(2000)).problems
    assert containers.read(b"\xff\xf1" + bytes(2000)).problems
    assert containers.read(aac()[:20]).problems


# Both


@pytest.mark.parametrize("name", ["a.aac", "a.aiff"])
def test_a_manifest_is_put_beside(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(aac() if name == "a.aac" else aiff())
    made = Labeler(producer=PRODUCER, visible=False, signer=signer(), sidecar=True).label_file(tmp_path / name)
    assert "C2PA manifest beside the file" in " ".join(made.how)
    report = verify(made.path, visible=False)
    assert report.verdicts["cn"].outcome == "compliant"
    c2pa = report.find("c2pa")
    assert c2pa is not None
    assert (c2pa.status, c2pa.signature) == (Status.PRESENT, Signature.VALID)
    made = Labeler(producer=PRODUCER, visible=False, signer=signer()).label_file(tmp_path / name, tmp_path / f"b{name}")
    assert "has no place for a C2PA manifest" in " ".join(made.how)
