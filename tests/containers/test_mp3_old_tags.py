"""MP3 with what others leave around the audio: old tags, bytes in front, footers; players read all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeling import Labeler, containers, inspect, verify

from ..test_bad_input import PRODUCER
from .av_files import LABEL, coded, ffprobe, packets, texts, write
from .battery import exiftool
from .test_mp3 import audio, frame, safe, tag


def id3v1(title: bytes = b"Title", artist: bytes = b"Somebody", track: int = 7, genre: int = 17) -> bytes:
    fields = (title, 30), (artist, 30), (b"Album", 30), (b"1999", 4), (b"a note", 28)
    return b"TAG" + b"".join(text.ljust(size, b"\0") for text, size in fields) + bytes((0, track, genre))


def ape(**items: str) -> bytes:
    body = b""
    for key, text in items.items():
        raw = text.encode()
        body += len(raw).to_bytes(4, "little") + bytes(4) + key.encode() + b"\0" + raw
    foot = (2000).to_bytes(4, "little") + (len(body) + 32).to_bytes(4, "little") + len(items).to_bytes(4, "little")
    return b"APETAGEX" + foot + b"\0\0\0\xa0" + bytes(8) + body + b"APETAGEX" + foot + b"\0\0\0\x80" + bytes(8)


def label_file(folder: Path, before: bytes, name: str = "a.mp3") -> tuple[bytes, str]:
    (folder / name).write_bytes(before)
    made = Labeler(producer=PRODUCER, visible=False).label_file(folder / name)
    assert made.lost == ()
    assert verify(made.path, visible=False).verdicts["cn"].outcome == "compliant"
    after = made.path.read_bytes()
    assert packets(after) == packets(before)
    return after, " ".join(made.how)


def test_an_id3v1_tag_stays_and_players_still_show_the_title(tmp_path: Path) -> None:
    before = audio() + id3v1()
    (tmp_path / "b.mp3").write_bytes(before)
    shown = ffprobe(tmp_path / "b.mp3")
    assert shown["title"] == "Title"
    after, how = label_file(tmp_path, before)
    assert after.endswith(id3v1())
    assert "copied into the new one" in how
    now = ffprobe(tmp_path / "a.labeled.mp3")
    assert {key: now[key] for key in shown} == shown
    (tags,) = exiftool(tmp_path / "a.labeled.mp3")
    assert tags["ID3v2_4:Title"] == tags["ID3v1:Title"] == "Title"
    assert not any("Warning" in key for key in tags)
    again = write(after, text_field=("AIGC", LABEL))
    assert [where for where, _ in texts(containers.read(again))].count("MP3 ID3v2 TIT2") == 1


def test_texts_of_unknown_encoding_keep_their_bytes() -> None:
    after = write(audio() + id3v1("标题".encode("gbk")), text_field=("AIGC", LABEL))
    assert frame(4, "TIT2", b"\0" + "标题".encode("gbk")) in after
    after = write(audio() + id3v1("标题".encode()), text_field=("AIGC", LABEL))
    assert frame(4, "TIT2", "\3标题".encode()) in after


@pytest.mark.parametrize("behind", [b"", id3v1()])
def test_an_ape_tag_stays_and_its_texts_are_copied(behind: bytes, tmp_path: Path) -> None:
    text = "A title that is longer than the thirty bytes of ID3v1, 标题"
    tail = ape(Title=text, Artist="Somebody", Year="2024", Foreign="kept") + behind
    after, _ = label_file(tmp_path, audio() + tail)
    assert after.endswith(tail)
    shown = ffprobe(tmp_path / "a.labeled.mp3")
    assert (shown["title"], shown["artist"]) == (text, "Somebody")


@pytest.mark.parametrize("tail", [b"", bytes(125) + b"TAG", b"TAG" + bytes(124) + b"\xff", ape()])
def test_nothing_is_copied_where_there_is_nothing(tail: bytes) -> None:
    before = audio() + tail
    assert containers.read(before).mended == ()
    found = texts(containers.read(write(before, text_field=("AIGC", LABEL))))
    assert found == [("MP3 ID3v2 TXXX AIGC", LABEL)]


def test_a_tag_of_version_2_2_stays_one_and_gets_the_label(tmp_path: Path) -> None:
    old = tag(2, frame(2, "TT2", b"\0Title") + frame(2, "POP", b"a@b\0\1\2"))
    after, how = label_file(tmp_path, old + audio())
    assert after[:4] == b"ID3\2"
    assert "no place for IPTC properties" in how
    assert [where for where, _ in texts(containers.read(after))] == ["MP3 ID3v2 TT2", "MP3 ID3v2 TXX AIGC"]
    assert ffprobe(tmp_path / "a.labeled.mp3")["title"] == "Title"


@pytest.mark.parametrize(
    "junk", [b"\x55" * 200, bytes(3000), b"\r\n", b"\xff" * 70, None], ids=["U", "zeros", "line", "ones", "cut"]
)
def test_bytes_before_the_first_frame_stay(junk: bytes | None, tmp_path: Path) -> None:
    before = audio()[300:] if junk is None else junk + audio()
    assert inspect(before)["format"] == "mp3"
    after, _ = label_file(tmp_path, before)
    assert after.endswith(before)
    assert coded(after) == coded(before)


def test_frames_in_another_file_make_no_mp3_of_it() -> None:
    assert containers.identify(bytes(100) + audio() + b"PROGRAM\0" * 1000) is None
    assert containers.identify(bytes(100) + audio()[:700]) is None
    assert containers.identify(bytes(200_000)) is None


def test_a_footer_goes_with_the_first_change(tmp_path: Path) -> None:
    body = frame(4, "TIT2", b"\3Title")
    head = b"\4\0\x10" + safe(len(body))
    after, _ = label_file(tmp_path, b"ID3" + head + body + b"3DI" + head + audio())
    assert after[5] == 0
    (tags,) = exiftool(tmp_path / "a.labeled.mp3")
    assert not any("Warning" in key for key in tags)
    assert tags["ID3v2_4:Title"] == "Title"
