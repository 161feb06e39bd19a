"""AVI and WAV: layouts by hand and from FFmpeg, room and no room, OpenDML, 64-bit sizes, streams, and real files."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest

from labeling import containers
from labeling.containers import Changes, Kind, avi
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes

from .av_files import LABEL, VIDEO, coded, ffmpeg, ffprobe, packets, texts, write
from .battery import PACKET, SOURCE, exiftool


def make_avi(*options: str) -> bytes:
    return ffmpeg(".avi", "-c:v", "mpeg4", "-c:a", "mp3", "-metadata", "title=hello", *options, inputs=VIDEO)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def riff(form: bytes, *chunks: bytes) -> bytes:
    body = form + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


# AVI


def test_a_video_says_what_ffprobe_says() -> None:
    contents = containers.read(make_avi())
    assert (contents.format, contents.media_type) == ("avi", "video/x-msvideo")
    with av.open(io.BytesIO(make_avi())) as opened:
        video = opened.streams.video[0]
        assert (contents.width, contents.height) == (video.width, video.height) == (48, 32)
        assert video.duration is not None
        assert video.time_base is not None
        assert contents.seconds == float(video.duration * video.time_base)
    assert (contents.problems, contents.warnings, contents.fixed) == ((), (), "")
    assert ("AVI LIST INFO INAM", "hello") in texts(contents)


def test_a_label_in_the_padding_moves_nothing_and_others_read_it(tmp_path: Path) -> None:
    before = make_avi()
    after = write(before, text_field=("AIGC", LABEL))
    assert len(after) == len(before)
    assert write(after, text_field=("AIGC", LABEL)) == after
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    (tmp_path / "a.avi").write_bytes(after)
    assert ffprobe(tmp_path / "a.avi") == {"title": "hello", "AIGC": LABEL}
    assert "[RIFF]          Unknown AIGC" in subprocess.run(
        ["exiftool", "-a", "-G1", "-U", str(tmp_path / "a.avi")], capture_output=True, text=True, check=True
    ).stdout.replace("   :", "")
    label = next(block for block in containers.read(after).blocks if block.keyword == "AIGC")
    assert label.where == "AVI LIST INFO AIGC"
    assert write(after, drop=(label,)) == before


@pytest.mark.parametrize("length", [1, 2, 990, 1000, 1005, 1010, 5000])
def test_every_length_has_its_place(length: int, tmp_path: Path) -> None:
    before = make_avi()
    text = "x" * length
    after = write(write(before, text_field=("AIGC", LABEL)), text_field=("AIGC", text))
    contents = containers.read(after)
    assert (contents.problems, contents.warnings) == ((), ())
    assert sorted(texts(contents)) == [("AVI LIST INFO AIGC", text), ("AVI LIST INFO INAM", "hello")]
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    assert write(after, text_field=("AIGC", text)) == after
    assert contents.coded == containers.read(before).coded
    (tmp_path / "a.avi").write_bytes(after)
    assert ffprobe(tmp_path / "a.avi")["title"] == "hello"


def test_without_padding_the_label_goes_behind_the_index() -> None:
    whole = make_avi()
    hdrl_end = 20 + int.from_bytes(whole[16:20], "little")
    movi = whole.index(b"movi") - 8
    before = riff(b"AVI ", whole[12:hdrl_end], whole[movi:])
    contents = containers.read(before)
    assert contents.problems == () and texts(contents) == []
    after = write(before, text_field=("AIGC", LABEL))
    assert after[8 : len(before)] == before[8:]
    assert texts(containers.read(after)) == [("AVI LIST INFO AIGC", LABEL)]
    assert write(after, text_field=("AIGC", "short")) == write(before, text_field=("AIGC", "short"))
    assert packets(after) == packets(before)
    assert write(after, drop=containers.read(after).blocks) == before


def test_notes_that_a_camera_keeps_in_junk_stay() -> None:
    before = make_avi()
    at = before.index(b"movi") - 8 - 1024
    assert before[at : at + 4] == b"JUNK"
    before = before[: at + 8] + b"camera" + before[at + 14 :]
    after = write(before, text_field=("AIGC", LABEL))
    assert after[8 : len(before)] == before[8:]
    assert len(after) > len(before)


def test_a_packet_and_a_manifest(tmp_path: Path) -> None:
    before = make_avi()
    after = write(before, xmp=PACKET, text_field=("AIGC", LABEL))
    assert write(after, xmp=PACKET, text_field=("AIGC", LABEL)) == after
    assert packets(after) == packets(before)
    (tmp_path / "a.avi").write_bytes(after)
    (tags,) = exiftool(tmp_path / "a.avi")
    assert tags["XMP-dc:Source"] == SOURCE
    longer = PACKET.replace(b"battery", b"battery" * 500)
    grown = write(after, xmp=longer)
    assert [block.data for block in containers.read(grown).blocks if block.kind is Kind.XMP] == [longer]
    assert coded(grown) == coded(before)


def opendml(padding: int) -> tuple[bytes, list[bytes]]:
    """An OpenDML video of two RIFF chunks with three pictures each, and the pictures (rows of BGR, 8 by 8)."""
    frames = [bytes([number * 20]) * 192 for number in range(6)]

    def movie(some: list[bytes], at: int) -> tuple[bytes, bytes, int]:
        """LIST movi that stands at ``at``, with its index as last chunk; the index of AVI 1.0; where ``ix00`` is."""
        parts = [chunk(b"00db", frame) for frame in some]
        offsets = [4 + sum(map(len, parts[:number])) for number in range(len(parts))]
        base = at + 8
        entries = b"".join(struct.pack("<II", offset + 8, 192) for offset in offsets)
        index = chunk(b"ix00", struct.pack("<HBBI4sQI", 2, 0, 1, len(some), b"00db", base, 0) + entries)
        body = b"movi" + b"".join(parts) + index
        old = b"".join(struct.pack("<4sIII", b"00db", 0x10, offset, 192) for offset in offsets)
        return chunk(b"LIST", body), chunk(b"idx1", old), at + 8 + 4 + sum(map(len, parts))

    def header(places: list[int]) -> bytes:
        avih = struct.pack("<14I", 40000, 0, 0, 0x810, 3, 0, 1, 192, 8, 8, 0, 0, 0, 0)
        strh = struct.pack("<4s4sIHH8I4H", b"vids", b"DIB ", 0, 0, 0, 0, 1, 25, 0, 6, 192, 0, 0, 0, 0, 8, 8)
        strf = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 24, 0, 192, 0, 0, 0, 0)
        entries = b"".join(struct.pack("<QII", place, 56, 3) for place in places)
        indx = struct.pack("<HBBI4sIII", 4, 0, 0, 2, b"00db", 0, 0, 0) + entries
        strl = chunk(b"LIST", b"strl" + chunk(b"strh", strh) + chunk(b"strf", strf) + chunk(b"indx", indx))
        odml = chunk(b"LIST", b"odml" + chunk(b"dmlh", struct.pack("<I", 6) + bytes(244)))
        return chunk(b"LIST", b"hdrl" + chunk(b"avih", avih) + strl + odml)

    front = 12 + len(header([0, 0])) + (8 + padding if padding else 0)
    first, old, place = movie(frames[:3], front)
    second_at = front + len(first) + len(old) + 12
    second, _, second_place = movie(frames[3:], second_at)
    room = [chunk(b"JUNK", bytes(padding))] if padding else []
    video = riff(b"AVI ", header([place, second_place]), *room, first, old) + riff(b"AVIX", second)
    return video, frames


def by_index(data: bytes) -> list[bytes]:
    """The pictures that the OpenDML index leads to."""
    at = data.index(b"indx") + 8
    count = int.from_bytes(data[at + 4 : at + 8], "little")
    found = []
    for number in range(count):
        place = int.from_bytes(data[at + 24 + 16 * number :][:8], "little")
        assert data[place : place + 4] == b"ix00"
        entries, base = int.from_bytes(data[place + 12 : place + 16], "little"), data[place + 20 : place + 28]
        for entry in range(entries):
            offset, size = struct.unpack_from("<II", data, place + 32 + 8 * entry)
            start = int.from_bytes(base, "little") + offset
            assert data[start - 8 : start - 4] == b"00db"
            found.append(data[start : start + size])
    return found


@pytest.mark.parametrize("padding", [0, 100, 2000])
def test_opendml_keeps_its_indexes_right(padding: int) -> None:
    before, frames = opendml(padding)
    assert by_index(before) == frames
    assert [packet for _, _, packet in packets(before)] == frames
    contents = containers.read(before)
    assert (contents.problems, contents.warnings, len(contents.coded)) == ((), (), 2)
    after = write(before, text_field=("AIGC", LABEL))
    assert (len(after) == len(before)) == (padding == 2000)
    assert by_index(after) == frames
    assert packets(after) == packets(before)
    assert coded(after)[0] == coded(before)[0]
    assert texts(containers.read(after)) == [("AVI LIST INFO AIGC", LABEL)]
    assert write(after, text_field=("AIGC", LABEL)) == after
    grown = write(after, text_field=("AIGC", LABEL * 30), xmp=PACKET)
    assert by_index(grown) == frames
    assert packets(grown) == packets(before)
    assert by_index(write(grown, drop=containers.read(grown).blocks)) == frames


def test_an_invalid_opendml_index_is_not_touched() -> None:
    before, _ = opendml(0)
    place = before.rindex(b"ix00")
    broken = before[:place] + b"xx00" + before[place + 4 :]
    with pytest.raises(LabelingError, match="OpenDML"):
        write(broken, text_field=("AIGC", LABEL))


def test_texts_without_their_padding_are_read() -> None:
    info = b"INFO" + b"ISFT" + struct.pack("<I", 3) + b"abc" + chunk(b"INAM", b"x\0")
    before = riff(b"WAVE", FMT, chunk(b"LIST", info), chunk(b"data", b"\0\0"))
    assert texts(containers.read(before)) == [("WAV LIST INFO ISFT", "abc"), ("WAV LIST INFO INAM", "x")]


def test_a_stream_of_avi_is_read_and_not_written() -> None:
    data = ffmpeg("avi", "-c:v", "mpeg4", "-metadata", "title=hello", inputs=VIDEO[:1])
    contents = containers.read(data)
    assert contents.problems == () and len(contents.warnings) == 1
    assert ("AVI LIST INFO INAM", "hello") in texts(contents)
    with pytest.raises(LabelingError, match="stream"):
        write(data, text_field=("AIGC", LABEL))


def test_real_videos(cases: Path) -> None:
    for path in sorted((cases / "2_c2pa").glob("*.avi")):
        before = path.read_bytes()
        contents = containers.read(before)
        assert (contents.problems, contents.warnings) == ((), ()), path
        with av.open(io.BytesIO(before)) as opened:
            video = opened.streams.video[0]
            assert (contents.width, contents.height) == (video.width, video.height)
        assert sum(block.kind is Kind.C2PA for block in contents.blocks) == ("encypher" in path.name)
        after = write(before, text_field=("AIGC", LABEL))
        assert len(after) == len(before)
        assert packets(after) == packets(before)


# WAV

FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8))


def wav(*options: str) -> bytes:
    return ffmpeg(".wav", "-metadata", "title=hi", *options)


@pytest.mark.parametrize("options", [(), ("-rf64", "always")])
def test_a_label_is_a_chunk_of_its_own(options: tuple[str, ...], tmp_path: Path) -> None:
    before = wav(*options)
    contents = containers.read(before)
    assert (contents.format, contents.media_type, round(contents.seconds, 6)) == ("wav", "audio/wav", 0.3)
    assert (contents.problems, contents.warnings, contents.fixed) == ((), (), "")
    after = write(before, text_field=("AIGC", LABEL))
    assert write(after, text_field=("AIGC", LABEL)) == after
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    assert texts(containers.read(after)) == [*texts(contents), ("WAV RIFF AIGC", LABEL)]
    assert after[len(before) :] == chunk(b"AIGC", LABEL.encode())
    size = after[20:28] if options else after[4:8]
    assert int.from_bytes(size, "little") == len(after) - 8
    (tmp_path / "a.wav").write_bytes(after)
    assert ffprobe(tmp_path / "a.wav")["title"] == "hi"
    (tags,) = exiftool(tmp_path / "a.wav")
    assert not any("Warning" in key or "Error" in key for key in tags)
    label = containers.read(after).blocks[-1]
    assert write(after, drop=(label,)) == before
    shorter = write(after, text_field=("AIGC", "{}"))
    assert shorter == before[:4] + shorter[4:8] + before[8:20] + shorter[20:28] + before[28:] + chunk(b"AIGC", b"{}")


def test_a_packet_in_wav_is_read_by_exiftool(tmp_path: Path) -> None:
    before = wav()
    after = write(before, xmp=PACKET)
    assert write(after, xmp=PACKET) == after
    (tmp_path / "a.wav").write_bytes(after)
    (tags,) = exiftool(tmp_path / "a.wav")
    assert tags["XMP-dc:Source"] == SOURCE
    assert coded(after) == coded(before)


def test_labels_in_other_places_are_found_and_moved() -> None:
    frame = b"TXXX" + struct.pack(">I", 7) + b"\0\0\0aigc\0{"
    tag = b"ID3\3\0\0\0\0\0\x11" + frame
    other = b"TIT2" + struct.pack(">I", 2) + b"\0\0\0x"
    both = b"ID3\3\0\0\0\0\0\x1d" + frame + other
    info = chunk(b"LIST", b"INFO" + chunk(b"AIGC", b"{}\0") + chunk(b"INAM", b"hi\0"))
    audio = chunk(b"data", b"\1\2\3")
    before = riff(b"WAVE", FMT, info, audio, chunk(b"id3 ", tag), chunk(b"ID3 ", both))
    contents = containers.read(before)
    assert contents.problems == ()
    wrong = tuple(block for block in contents.blocks if block.keyword.upper() == "AIGC")
    assert [block.where for block in wrong] == ["WAV LIST INFO AIGC", "WAV ID3 TXXX aigc", "WAV ID3 TXXX aigc"]
    after = write(before, drop=wrong, text_field=("AIGC", LABEL))
    kept = b"ID3\3\0\0\0\0\0\x1d" + other + bytes(17)
    assert after == riff(
        b"WAVE",
        FMT,
        chunk(b"LIST", b"INFO" + chunk(b"INAM", b"hi\0")),
        audio,
        chunk(b"ID3 ", kept),
        chunk(b"AIGC", LABEL.encode()),
    )


def test_padding_that_its_writer_forgot_is_added() -> None:
    before = riff(b"WAVE", FMT, b"data" + struct.pack("<I", 3) + b"\1\2\3")
    after = write(before, text_field=("AIGC", LABEL))
    assert after == riff(b"WAVE", FMT, chunk(b"data", b"\1\2\3"), chunk(b"AIGC", LABEL.encode()))
    assert texts(containers.read(after)) == [("WAV RIFF AIGC", LABEL)]


def test_a_stream_of_wav_is_whole() -> None:
    data = ffmpeg("wav", "-metadata", "title=hi")
    contents = containers.read(data)
    assert contents.problems == () and len(contents.warnings) == 1
    assert (round(contents.seconds, 6), texts(contents)[0]) == (0.3, ("WAV LIST INFO INAM", "hi"))
    zero = data[:4] + bytes(4) + data[8 : data.index(b"data") + 4] + bytes(4) + data[data.index(b"data") + 8 :]
    assert containers.read(zero).coded == contents.coded


def sparse(path: Path, start: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


def test_four_gigabytes_are_the_limit_but_for_rf64(tmp_path: Path) -> None:
    size = 0xFFFFFFFC
    start = b"RIFF" + struct.pack("<I", size - 8) + b"WAVE" + FMT + b"data" + struct.pack("<I", size - 44)
    with sparse(tmp_path / "a.wav", start, size).open("rb") as file, FileBytes(file, "a.wav") as data:
        contents = containers.read(data)
        assert (contents.problems, contents.fixed) == ((), "")
        with pytest.raises(LabelingError, match="4 GiB"):
            containers.rewrite(data, contents, Changes(text_field=("AIGC", LABEL)))
    size = 5 << 30
    ds64 = chunk(b"ds64", struct.pack("<QQQI", size - 8, size - 80, 0, 0))
    start = b"RF64" + b"\xff" * 4 + b"WAVE" + ds64 + FMT + b"data" + b"\xff" * 4
    assert len(start) == 80
    with sparse(tmp_path / "b.wav", start, size).open("rb") as file, FileBytes(file, "b.wav") as data:
        contents = containers.read(data)
        assert contents.coded == ((80, size - 80),)
        pieces = containers.rewrite(data, contents, Changes(text_field=("AIGC", LABEL)))
    new = chunk(b"AIGC", LABEL.encode())
    assert pieces[-1] == new
    assert struct.pack("<Q", size - 8 + len(new)) in pieces


@pytest.mark.parametrize("make", [make_avi, wav, lambda: wav("-rf64", "always"), lambda: opendml(0)[0]])
def test_every_truncation_is_a_problem(make: Any) -> None:
    data = write(make(), text_field=("AIGC", LABEL))
    for cut in [*range(min(len(data), 1200)), *range(1200, len(data), max(1, len(data) // 997)), len(data) - 1]:
        try:
            contents = containers.read(data[:cut])
        except LabelingError:
            continue
        # An OpenDML video that ends where its first RIFF chunk does is a whole video of its own.
        first = 8 + int.from_bytes(data[4:8], "little")
        # A WAV file may lack the padding of its last chunk.
        padding = data[cut:] == b"\0" and len(contents.mended) == 1
        assert contents.problems or contents.fixed or first <= cut < first + 12 or padding, cut


def test_wrong_wishes_are_refused() -> None:
    for data in (make_avi(), wav()):
        with pytest.raises(LabelingError, match="EXIF"):
            write(data, exif=b"II*\0")
        with pytest.raises(LabelingError, match="not in this file"):
            write(data, drop=(containers.Block(Kind.TEXT, "elsewhere", 1, 2, b""),))
        with pytest.raises(LabelingError, match="four ASCII"):
            write(data, text_field=("AIGC标识", LABEL))
    with pytest.raises(LabelingError, match="only has a chunk for AIGC"):
        write(wav(), text_field=("INAM", LABEL))


def test_the_count_of_chunks_is_bounded() -> None:
    data = riff(b"WAVE", FMT, chunk(b"data", b"\0\0"), b"oddX\0\0\0\0" * 20000)
    assert "more than" in containers.read(data).problems[0]
    many = b"".join(riff(b"AVIX") for _ in range(avi.MAX_RIFFS + 1))
    assert "RIFF chunks" in " ".join(containers.read(riff(b"AVI ") + many).problems)
