"""MP3 and ID3v2: every version and all that a tag may be wrapped in; what stands behind the audio; c2pa's manifests."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import containers
from labeling.containers import Changes, Kind
from labeling.containers.collector import Collector
from labeling.containers.syntax import id3, id3_edit
from labeling.errors import LabelingError

from .av_files import LABEL, VIDEO, coded, ffmpeg, ffprobe, packets, texts, write
from .battery import PACKET, SOURCE, exiftool

ASCII = '{"Label":"1","ContentProducer":"001191110102MACQD9K64010000"}'


def safe(value: int) -> bytes:
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


def frame(version: int, name: str, body: bytes, flags: bytes = b"\0\0") -> bytes:
    if version == 2:
        return name.encode() + struct.pack(">I", len(body))[1:] + body
    return name.encode() + (safe(len(body)) if version == 4 else struct.pack(">I", len(body))) + flags + body


def tag(version: int, body: bytes, flags: int = 0, padding: int = 0) -> bytes:
    return b"ID3" + bytes((version, 0, flags)) + safe(len(body) + padding) + body + bytes(padding)


def audio() -> bytes:
    """MPEG audio without any tag."""
    data = ffmpeg("mp3", "-id3v2_version", "0", "-write_xing", "0")
    return data[: len(data) - 128] if data[-128:-125] == b"TAG" else data


def mp3(*options: str) -> bytes:
    return ffmpeg(".mp3", "-metadata", "title=hi", *options)


@pytest.mark.parametrize("version", ["3", "4"])
def test_a_label_in_a_tag_of_ffmpeg_is_read_by_others(version: str, tmp_path: Path) -> None:
    before = mp3("-id3v2_version", version)
    contents = containers.read(before)
    assert (contents.format, contents.media_type) == ("mp3", "audio/mpeg")
    assert (contents.problems, contents.warnings, contents.fixed) == ((), (), "")
    assert ("MP3 ID3v2 TIT2", "hi") in texts(contents)
    after = write(before, text_field=("AIGC", LABEL))
    assert write(after, text_field=("AIGC", LABEL)) == after
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    assert texts(containers.read(after)) == [*texts(contents), ("MP3 ID3v2 TXXX AIGC", LABEL)]
    (tmp_path / "a.mp3").write_bytes(after)
    tags = ffprobe(tmp_path / "a.mp3")
    assert (tags["AIGC"], tags["title"]) == (LABEL, "hi")
    (tags,) = exiftool(tmp_path / "a.mp3")
    assert f"(AIGC) {LABEL}" in tags.values()
    assert not any("Warning" in key or "Error" in key for key in tags)
    changed = write(after, text_field=("AIGC", ASCII))
    assert len(changed) == len(after)  # padding pays for it
    label = next(block for block in containers.read(after).blocks if block.keyword == "AIGC")
    assert texts(containers.read(write(after, drop=(label,)))) == texts(contents)


def test_how_long_it_lasts() -> None:
    with_header, without = containers.read(mp3()), containers.read(audio())
    assert with_header.seconds == pytest.approx(0.3, abs=0.06)
    assert without.seconds == pytest.approx(0.3, abs=0.06)
    assert without.coded == ((0, len(audio())),)


def test_a_first_tag_and_the_last_one_dropped() -> None:
    before = audio()
    after = write(before, text_field=("AIGC", LABEL))
    assert after.endswith(before) and after[:4] == b"ID3\4"
    assert packets(after) == packets(before)
    assert write(after, text_field=("AIGC", ASCII)).endswith(before)
    assert write(after, drop=containers.read(after).blocks) == before


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("text", [LABEL, ASCII])
def test_every_version_keeps_its_frames(version: int, text: str, tmp_path: Path) -> None:
    title, thing = ("TT2", "GEO") if version == 2 else ("TIT2", "GEOB")
    kept = frame(version, title, b"\0hi") + frame(version, thing, b"\0text/plain\0\0\0" + bytes(range(256)) * 3)
    before = tag(version, kept) + audio()
    after = write(before, text_field=("AIGC", text))
    assert after[10 : 10 + len(kept)] == kept
    assert after.endswith(audio())
    assert write(after, text_field=("AIGC", text)) == after
    (tmp_path / "a.mp3").write_bytes(after)
    (tags,) = exiftool(tmp_path / "a.mp3")
    assert f"(AIGC) {text}" in tags.values()
    assert ffprobe(tmp_path / "a.mp3")["AIGC"] == text
    assert texts(containers.read(after))[-1][1] == text


def unsynchronised(raw: bytes) -> bytes:
    """Byte by byte, as the specification says it."""
    out = bytearray()
    for number, byte in enumerate(raw):
        out.append(byte)
        following = raw[number + 1] if number + 1 < len(raw) else 0
        if byte == 0xFF and (following == 0 or following >= 0xE0):
            out.append(0)
    return bytes(out)


@pytest.mark.parametrize("version", [2, 3])
def test_unsynchronisation_is_undone_and_done_again(version: int, tmp_path: Path) -> None:
    name = ("TXX", "PIC", "TT2") if version == 2 else ("TXXX", "APIC", "TIT2")
    wide = b"\1" + "AIGC\0".encode("utf-16") + LABEL.encode("utf-16")
    plain = frame(version, name[0], wide) + frame(version, name[1], b"\xff\xe0\xff\0\xff\xff" * 9)
    plain += frame(version, name[2], b"\0hi")
    raw = unsynchronised(plain)
    before = tag(version, raw, 0x80, padding=30) + audio()
    contents = containers.read(before)
    assert contents.problems == ()
    assert [text for _, text in texts(contents)] == [LABEL, "hi"]
    for block in contents.blocks:  # their places are those in the file
        assert before[block.offset :].startswith(block.where.split()[2].encode())
        assert before[block.offset + block.length] in (0, ord("A"), ord("P"), ord("T"))
    after = write(before, text_field=("AIGC", ASCII))
    body = after[10 : 10 + len(raw) + 30]
    assert after[10 + len(body) :] == audio()
    new = frame(version, name[0], b"\0AIGC\0" + ASCII.encode())
    assert body.rstrip(b"\0") == unsynchronised(new + plain[len(frame(version, name[0], wide)) :])
    (tmp_path / "a.mp3").write_bytes(after)
    assert ffprobe(tmp_path / "a.mp3")["AIGC"] == ASCII


def test_what_a_frame_may_be_wrapped_in() -> None:
    import zlib

    body = b"\3AIGC\0" + LABEL.encode()
    packed = zlib.compress(body)
    size = safe(len(body))
    frames = (
        frame(4, "TXXX", size + packed, b"\0\x09")
        + frame(4, "TXXX", b"\1" + body, b"\0\x40")
        + frame(4, "TXXX", safe(9) + unsynchronised(b"\1" + "x\0y".encode("utf-16")), b"\0\3")
        + frame(4, "TXXX", b"\1" + body, b"\0\4")
    )
    contents = containers.read(tag(4, frames) + audio())
    assert [text for _, text in texts(contents)] == [LABEL, LABEL, "y"]
    assert contents.problems == () and len(contents.unread) == 1  # what is encrypted is said to be unread
    older = frame(3, "TXXX", struct.pack(">I", len(body)) + packed, b"\0\x80") + frame(
        3, "TXXX", b"\1" + body, b"\0\x20"
    )
    assert [text for _, text in texts(containers.read(tag(3, older) + audio()))] == [LABEL, LABEL]


def test_extended_headers_lose_a_checksum_that_would_be_wrong() -> None:
    title = frame(4, "TIT2", b"\3hi")
    extended = safe(6 + 1 + 6 + 2) + b"\1\x70" + b"\0" + b"\5\1\2\3\4\5" + b"\1\x55"
    before = tag(4, extended + title, 0x40) + audio()
    assert texts(containers.read(before)) == [("MP3 ID3v2 TIT2", "hi")]
    after = write(before, text_field=("AIGC", LABEL))
    assert after[5] == 0x40
    assert after[10:].startswith(safe(9) + b"\1\x50" + b"\0" + b"\1\x55" + title)
    older = tag(3, struct.pack(">IHII", 10, 0x8000, 0, 12345) + frame(3, "TIT2", b"\0hi"), 0x40) + audio()
    after = write(older, text_field=("AIGC", LABEL))
    assert after[5] == 0 and after[10:].startswith(frame(3, "TIT2", b"\0hi"))
    assert [text for _, text in texts(containers.read(after))] == ["hi", LABEL]


def test_sizes_of_an_older_version_in_a_tag_of_a_newer_one() -> None:
    body = b"\3long\0" + b"x" * 300
    old = b"TXXX" + struct.pack(">I", len(body)) + b"\0\0" + body
    data = tag(4, old + frame(4, "TXXX", b"\3AIGC\0" + LABEL.encode())) + audio()
    assert [text for _, text in texts(containers.read(data))] == ["x" * 300, LABEL]


def test_the_speech_of_minimax_and_other_places_of_a_label() -> None:
    lower = frame(4, "TXXX", b'\3aigc\0{"aigc": {"Label": "1"}}')
    comment = frame(4, "COMM", b"\3chiAIGC\0" + ASCII.encode())
    gbk = frame(4, "TXXX", b"\0" + b"AIGC\0" + LABEL.encode())  # UTF-8 where Latin-1 is said
    before = tag(4, lower + comment + gbk) + audio()
    contents = containers.read(before)
    assert [(block.keyword, block.data.decode()) for block in contents.blocks] == [
        ("aigc", '{"aigc": {"Label": "1"}}'),
        ("AIGC", ASCII),
        ("AIGC", LABEL),
    ]
    after = write(before, drop=contents.blocks[:2], text_field=("AIGC", ASCII))
    assert texts(containers.read(after)) == [("MP3 ID3v2 TXXX AIGC", ASCII)]
    assert len(after) == len(before)


def test_two_tags_and_tags_behind_the_audio() -> None:
    label = frame(4, "TXXX", b"\3AIGC\0" + LABEL.encode())
    first, second = tag(3, frame(3, "TIT2", b"\0hi")), tag(4, label)
    footed = b"ID3\4\0\x10" + safe(len(label)) + label
    footed += b"3DI" + footed[3:10]
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
    lyrics = b"LYRICSBEGININD0000200" + b"000021" + b"LYRICS200"
    id3v1 = b"TAG" + bytes(125)
    before = first + second + audio() + footed + lyrics + ape + id3v1
    contents = containers.read(before)
    assert contents.problems == () and len(contents.warnings) == 1
    assert contents.coded == ((len(first + second), len(audio())),)
    assert [where for where, text in texts(contents) if text == LABEL] == [
        "MP3 ID3v2 TXXX AIGC",
        "MP3 ID3v2 (at the end) TXXX AIGC",
    ]
    end = contents.blocks[-1]
    after = write(before, drop=(end,), text_field=("AIGC", ASCII))
    assert after.endswith(audio() + lyrics + ape + id3v1)
    assert texts(containers.read(after)) == [("MP3 ID3v2 TIT2", "hi"), ("MP3 ID3v2 TXXX AIGC", ASCII)]
    assert after.startswith(first)
    # A tag with a footer has no padding, so that it grows and shrinks with what is in it.
    moved = write(before, drop=contents.blocks[1:2], text_field=("AIGC", ASCII))
    assert containers.read(moved).blocks[-1].data.decode() == ASCII
    assert containers.read(moved).problems == ()


def test_a_packet_is_a_private_frame(tmp_path: Path) -> None:
    before = mp3()
    after = write(before, xmp=PACKET, text_field=("AIGC", LABEL))
    assert write(after, xmp=PACKET, text_field=("AIGC", LABEL)) == after
    (tmp_path / "a.mp3").write_bytes(after)
    (tags,) = exiftool(tmp_path / "a.mp3")
    assert tags["XMP-dc:Source"] == SOURCE
    shorter = write(after, xmp=PACKET.replace(b"battery", b""))
    assert len([block for block in containers.read(shorter).blocks if block.kind is Kind.XMP]) == 1
    with pytest.raises(LabelingError, match=r"ID3v2\.2"):
        write(tag(2, frame(2, "TT2", b"\0hi")) + audio(), xmp=PACKET)


def signed(data: bytes, media_type: str) -> bytes:
    """``data`` with a manifest, put in by c2pa."""
    import c2pa

    from labeling.marks.credentials.testchain import make_test_chain

    chain = make_test_chain()
    info = c2pa.C2paSignerInfo(b"es256", chain.cert_pem, chain.key_pem, None)
    kind = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": kind}]}
    manifest = {
        "claim_generator_info": [{"name": "test", "version": "1"}],
        "assertions": [{"label": "c2pa.actions", "data": actions}],
    }
    out = io.BytesIO()
    c2pa.Builder(json.dumps(manifest)).sign(c2pa.Signer.from_info(info), media_type, io.BytesIO(data), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("suffix", "media_type", "format"),
    [
        (".mp3", "audio/mpeg", "mp3"),
        (".flac", "audio/flac", "flac"),
        (".wav", "audio/wav", "wav"),
        (".avi", "video/avi", "avi"),
    ],
)
def test_a_manifest_of_c2pa_is_found_and_can_be_left_out(suffix: str, media_type: str, format: str) -> None:
    video = ("-c:v", "mpeg4") if suffix == ".avi" else ()
    before = ffmpeg(suffix, "-metadata", "title=hi", *video, inputs=VIDEO if video else ("sine=d=0.3",))
    labelled = write(before, text_field=("AIGC", LABEL))
    data = signed(labelled, media_type)
    contents = containers.read(data)
    assert (contents.format, contents.problems) == (format, ())
    (manifest,) = (block for block in contents.blocks if block.kind is Kind.C2PA)
    assert manifest.data[4:8] == b"jumb"
    assert int.from_bytes(manifest.data[:4], "big") == len(manifest.data)
    assert LABEL in [text for _, text in texts(contents)]
    less = write(data, drop=(manifest,))
    assert texts(containers.read(less)) == texts(containers.read(labelled))
    assert packets(less) == packets(labelled) == packets(before)


def test_what_is_no_mp3_behind_its_tag() -> None:
    title = tag(4, frame(4, "TIT2", b"\3hi"))
    adts = bytes.fromhex("fff15080") + bytes(500)
    for rest in (b"", bytes(3000), adts * 3, b"words" * 700):
        contents = containers.read(title + rest)
        assert "no MPEG audio frame" in contents.problems[0]
        with pytest.raises(LabelingError, match="cannot be read in full"):
            write(title + rest, text_field=("AIGC", LABEL))
    odd = containers.read(title + b"words" + audio())
    assert odd.problems == () and len(odd.warnings) == 1
    assert containers.read(title + bytes(500) + audio()).warnings == ()


@pytest.mark.parametrize(
    "bad",
    [
        frame(4, "TI:2", b"\3hi"),
        b"TIT2" + safe(5000) + b"\0\0\3hi",
        b"TIT2\0\0\0\xca\0\0\3hi" + bytes(99),
        b"TIT2\0\0",
        bytes(20) + frame(4, "TIT2", b"\3hi"),
    ],
)
def test_a_damaged_tag_is_a_problem(bad: bytes) -> None:
    assert containers.read(tag(4, frame(4, "TALB", b"\3x") + bad) + audio()).problems


def test_every_truncation_is_reported() -> None:
    data = write(mp3(), text_field=("AIGC", LABEL))
    for cut in range(len(data)):
        try:
            contents = containers.read(data[:cut])
        except LabelingError:
            continue
        assert contents.problems, cut


def test_wrong_wishes_are_refused() -> None:
    with pytest.raises(LabelingError, match="EXIF"):
        write(mp3(), exif=b"II*\0")
    with pytest.raises(LabelingError, match="not in this file"):
        write(mp3(), drop=(containers.Block(Kind.TEXT, "elsewhere", 1, 2, b""),))


words = st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"]), max_size=200)


@given(st.sampled_from([2, 3, 4]), words, words, st.booleans())
def test_a_user_text_comes_back(version: int, name: str, text: str, unsync: bool) -> None:
    raw = id3_edit.user_text(version, name, text)
    flags = 0x80 if unsync and version < 4 else 0
    data = tag(version, unsynchronised(raw) if flags else raw, flags)
    collector = Collector()
    found = id3.read(data, 0, len(data), collector, "ID3")
    assert found is not None
    assert [(block.keyword, block.data.decode()) for block in collector.blocks] == [(name, text)]
    assert found.frames[0].raw == raw
    assert id3_edit.rebuilt(found, set()) == data


@given(st.binary(max_size=300), st.sampled_from([2, 3, 4]), st.sampled_from([0, 0x40, 0x80, 0xC0, 0x10]))
def test_any_bytes_give_a_tag_or_a_problem(body: bytes, version: int, flags: int) -> None:
    data = tag(version, body, flags)
    collector = Collector()
    assert id3.read(data, 0, len(data), collector, "ID3") is not None or collector.problems


def test_slices_of_bounded_size(tmp_path: Path) -> None:
    from labeling.filebytes import FileBytes, FileRange

    (tmp_path / "a.mp3").write_bytes(mp3() + bytes(1 << 20))
    with (tmp_path / "a.mp3").open("rb") as file, FileBytes(file, "a.mp3") as data:
        contents = containers.read(data)
        pieces: Any = containers.rewrite(data, contents, Changes(text_field=("AIGC", LABEL)))
        assert contents.blocks and [type(piece) for piece in pieces] == [bytes, FileRange]
