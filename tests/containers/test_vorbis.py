"""Vorbis comments in FLAC and OGG: padding, pages, chains, several streams; FFmpeg and exiftool read them."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import containers
from labeling.containers import Changes, Kind
from labeling.containers.ogg import pages as ogg_pages
from labeling.containers.syntax import vorbis_comment
from labeling.containers.syntax.vorbis_comment import Comments, Entry
from labeling.errors import LabelingError
from labeling.filebytes import FileBytes, FileRange

from .av_files import LABEL, VIDEO, coded, ffmpeg, ffprobe, packets, texts, write
from .battery import exiftool

AUDIO = ("sine=d=0.3",)
MADE = {
    "flac": (".flac", (), AUDIO, "FLAC Vorbis", "audio/flac"),
    "vorbis": (".ogg", ("-c:a", "libvorbis"), AUDIO, "OGG Vorbis", "audio/ogg"),
    "opus": (".opus", ("-c:a", "libopus"), AUDIO, "OGG Opus", "audio/ogg"),
    "flac in ogg": (".ogg", ("-c:a", "flac"), AUDIO, "OGG FLAC", "audio/ogg"),
    "speex": (".ogg", ("-c:a", "libspeex", "-ar", "16000"), AUDIO, "OGG Speex", "audio/ogg"),
    "theora": (".ogv", ("-c:v", "libtheora", "-c:a", "libvorbis"), VIDEO, "OGG Theora", "video/ogg"),
    "vp8": (".ogv", ("-c:v", "libvpx", "-c:a", "libopus"), VIDEO, "OGG VP8", "video/ogg"),
}
LONG = json.dumps(
    {"Label": "1", "ReservedCode1": "x" * 65000}
)  # more than a page, less than FFmpeg takes of Theora's comments


def made(kind: str, *more: str) -> bytes:
    suffix, options, inputs, _, _ = MADE[kind]
    return ffmpeg(suffix, "-metadata", "title=hi", *options, *more, inputs=inputs)


def whole(data: bytes, tmp_path: Path) -> None:
    """FFmpeg reads every packet and complains of nothing, a page's checksum or number included."""
    (tmp_path / "whole").write_bytes(data)
    command = ["ffmpeg", "-v", "verbose", "-i", str(tmp_path / "whole"), "-c", "copy", "-f", "null", "-"]
    reported = subprocess.run(command, capture_output=True, text=True, check=True).stderr.lower()
    assert not any(word in reported for word in ("crc", "mismatch", "invalid", "error", "lost", "corrupt")), reported


def crc(raw: bytes) -> int:
    """The checksum of RFC 3533, bit by bit."""
    value = 0
    for byte in raw:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def pages(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Serial number, sequence number, flags and body of every page, whose checksums must be right."""
    found, at = [], 0
    while at < len(data):
        assert data[at : at + 4] == b"OggS"
        serial, sequence, stored, count = struct.unpack("<IIIB", data[at + 14 : at + 27])
        end = at + 27 + count + sum(data[at + 27 : at + 27 + count])
        assert crc(data[at : at + 22] + bytes(4) + data[at + 26 : end]) == stored
        found.append((serial, sequence, data[at + 5], data[at + 27 + count : end]))
        at = end
    return found


def page(serial: int, sequence: int, flags: int, lacing: bytes, body: bytes, granule: int = 0) -> bytes:
    head = b"OggS\0" + struct.pack("<BQII", flags, granule, serial, sequence)
    rest = bytes((len(lacing),)) + lacing + body
    return head + struct.pack("<I", crc(head + bytes(4) + rest)) + rest


def numbers_are_in_order(data: bytes) -> None:
    last: dict[int, int] = {}
    for serial, sequence, _, _ in pages(data):
        assert sequence == last.get(serial, -1) + 1
        last[serial] = sequence


@pytest.mark.parametrize("kind", MADE)
def test_a_label_is_a_comment_that_others_read(kind: str, tmp_path: Path) -> None:
    before, title = made(kind), MADE[kind][3]
    contents = containers.read(before)
    assert contents.media_type == MADE[kind][4]
    assert (contents.problems, contents.warnings, contents.fixed) == ((), (), "")
    assert contents.seconds == pytest.approx(0.5 if "ogv" in MADE[kind][0] else 0.3, abs=0.11)
    assert (contents.width, contents.height) == ((48, 32) if "ogv" in MADE[kind][0] else (0, 0))
    assert (f"{title} comment title", "hi") in texts(contents)
    after = write(before, text_field=("AIGC", LABEL))
    assert write(after, text_field=("AIGC", LABEL)) == after
    assert (coded(after), packets(after)) == (coded(before), packets(before))
    labels = [block for block in containers.read(after).blocks if block.keyword == "AIGC"]
    assert [(block.where, block.data.decode()) for block in labels] == [(f"{title} comment AIGC", LABEL)]
    path = tmp_path / f"a{MADE[kind][0]}"
    path.write_bytes(after)
    tags = ffprobe(path)
    assert (tags["AIGC"], tags["title"]) == (LABEL, "hi")
    if kind not in ("speex", "vp8"):  # whose comments exiftool does not read
        (tags,) = exiftool(path)
        assert LABEL in tags.values()
        assert not any("Warning" in key or "Error" in key for key in tags)
    whole(after, tmp_path)
    assert write(after, drop=tuple(labels)) == before


# FLAC


def test_padding_is_used_and_without_it_the_frames_move(tmp_path: Path) -> None:
    before = made("flac")
    assert len(write(before, text_field=("AIGC", LABEL))) == len(before)
    grown = write(before, text_field=("AIGC", LONG))
    assert len(grown) == len(before) + len(LONG) + 4 + len("AIGC=")
    assert packets(grown) == packets(before)
    whole(grown, tmp_path)
    assert len(write(grown, text_field=("AIGC", LABEL))) == len(grown)
    assert containers.read(grown).problems == ()


def flac(*blocks: tuple[int, bytes], front: bytes = b"") -> bytes:
    """FFmpeg's audio with metadata blocks of our own behind STREAMINFO."""
    before = made("flac")
    all_blocks = [(0, before[8:42]), *blocks]
    heads = [
        bytes((kind | 0x80 * (number == len(blocks)),)) + struct.pack(">I", len(body))[1:] + body
        for number, (kind, body) in enumerate(all_blocks)
    ]
    return front + b"fLaC" + b"".join(heads) + coded(before)[0]


def comment(*texts: str) -> bytes:
    raw = [text.encode() for text in texts]
    return struct.pack("<I4sI", 4, b"none", len(raw)) + b"".join(struct.pack("<I", len(each)) + each for each in raw)


def test_a_first_comment_block_follows_streaminfo(tmp_path: Path) -> None:
    for blocks in ([], [(6, b"picture"), (1, bytes(20))], [(1, bytes(600)), (6, b"picture")]):
        before = flac(*blocks)
        after = write(before, text_field=("AIGC", LABEL))
        assert texts(containers.read(after)) == [("FLAC Vorbis comment AIGC", LABEL)]
        assert packets(after) == packets(before)
        if len(after) == len(before):
            assert blocks[0] == (1, bytes(600))
        (tmp_path / "a.flac").write_bytes(after)
        assert ffprobe(tmp_path / "a.flac")["AIGC"] == LABEL
        assert write(after, text_field=("AIGC", LABEL)) == after


def test_names_keep_their_case_and_only_the_very_name_is_replaced() -> None:
    before = flac((4, comment("aigc={}", "AIGC=old", "AIGC=older", "Title=a=b", "no equals sign")), (6, b"picture"))
    contents = containers.read(before)
    assert [(block.keyword, block.data) for block in contents.blocks] == [
        ("aigc", b"{}"),
        ("AIGC", b"old"),
        ("AIGC", b"older"),
        ("Title", b"a=b"),
        ("no equals sign", b""),
    ]
    after = write(before, text_field=("AIGC", "new"), drop=(contents.blocks[0], contents.blocks[2]))
    assert after == flac((4, comment("AIGC=new", "Title=a=b", "no equals sign")), (6, b"picture"))
    replaced = write(before, text_field=("AIGC", "new"), drop=(contents.blocks[1],))
    assert replaced == flac((4, comment("aigc={}", "AIGC=new", "Title=a=b", "no equals sign")), (6, b"picture"))


def test_a_tag_before_flac_is_read_and_kept() -> None:
    frame = b"TXXX\0\0\0\x08\0\0\3aigc\0{}"
    tag = b"ID3\4\0\0\0\0\0\x12" + frame
    before = flac((4, comment("title=hi")), front=tag)
    contents = containers.read(before)
    assert (contents.format, contents.media_type, contents.problems) == ("flac", "audio/flac", ())
    assert texts(contents) == [("FLAC ID3v2 TXXX aigc", "{}"), ("FLAC Vorbis comment title", "hi")]
    after = write(before, text_field=("AIGC", LABEL))
    assert after == flac((4, comment("title=hi", f"AIGC={LABEL}")), front=tag)
    moved = write(before, text_field=("AIGC", LABEL), drop=contents.blocks[:1])
    assert moved == flac((4, comment("title=hi", f"AIGC={LABEL}")))


def test_a_block_holds_16_megabytes_and_no_more() -> None:
    with pytest.raises(LabelingError, match="16777215"):
        write(made("flac"), text_field=("AIGC", "x" * (1 << 24)))


@pytest.mark.parametrize(
    "blocks",
    [
        [(4, comment("a=b")[:-1])],
        [(4, struct.pack("<I4sI", 4, b"none", 1 << 31))],
        [(4, b"\xff\xff\xff\xff")],
        [(127, b"")],
    ],
)
def test_damaged_blocks_are_problems(blocks: list[tuple[int, bytes]]) -> None:
    data = flac(*blocks)
    assert containers.read(data).problems
    with pytest.raises(LabelingError, match="cannot be read in full"):
        write(data, text_field=("AIGC", LABEL))


# OGG


def test_a_header_that_spans_pages_keeps_their_number(tmp_path: Path) -> None:
    before = made("vorbis")
    grown = write(before, text_field=("AIGC", LONG))
    assert len(pages(grown)) == len(pages(before)) + 1
    numbers_are_in_order(grown)
    whole(grown, tmp_path)
    assert packets(grown) == packets(before)
    contents = containers.read(grown)
    assert (contents.problems, contents.blocks[-1].data.decode()) == ((), LONG)
    assert write(grown, text_field=("AIGC", LONG)) == grown
    again = write(grown, text_field=("AIGC", LONG + " " * 600))
    assert len(pages(again)) == len(pages(grown))
    assert [each[:2] for each in pages(again)] == [each[:2] for each in pages(grown)]
    assert coded(again) == coded(grown)
    whole(again, tmp_path)
    shorter = write(again, text_field=("AIGC", LABEL))
    numbers_are_in_order(shorter)
    whole(shorter, tmp_path)
    assert packets(shorter) == packets(before)


@pytest.mark.parametrize("kind", ["opus", "flac in ogg", "speex", "theora"])
def test_later_pages_are_renumbered_when_a_page_comes_or_goes(kind: str, tmp_path: Path) -> None:
    before = made(kind)
    grown = write(before, text_field=("AIGC", LONG))
    assert len(pages(grown)) > len(pages(before))
    numbers_are_in_order(grown)
    whole(grown, tmp_path)
    assert packets(grown) == packets(before)
    labels = tuple(block for block in containers.read(grown).blocks if block.keyword == "AIGC")
    shrunk = write(grown, drop=labels)
    numbers_are_in_order(shrunk)
    assert len(pages(shrunk)) <= len(pages(grown))
    assert packets(shrunk) == packets(before)
    assert ("title", b"hi") in [(block.keyword, block.data) for block in containers.read(shrunk).blocks]


def test_a_limited_number_of_pages_is_renumbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ogg_pages, "MAX_RENUMBERED", 1)
    write(made("theora"), text_field=("AIGC", LABEL))
    with pytest.raises(LabelingError, match="renumbered"):
        write(made("theora"), text_field=("AIGC", LONG))


def test_chains_are_read_and_written_link_by_link() -> None:
    kinds = ("vorbis", "opus", "theora")
    first, second, video = (made(kind, "-serial_offset", str(10 * number)) for number, kind in enumerate(kinds))
    before = first + second + video
    contents = containers.read(before)
    assert (contents.problems, contents.warnings, contents.media_type) == ((), (), "video/ogg")
    assert contents.seconds == pytest.approx(1.1, abs=0.15)
    assert [where for where, text in texts(contents) if text == "hi"] == [
        "OGG Vorbis comment title",
        "OGG Opus comment title",
        "OGG Theora comment title",
        "OGG Vorbis comment title",
    ]
    after = write(before, text_field=("AIGC", LABEL))
    assert after == write(first, text_field=("AIGC", LABEL)) + second + video
    # A label in a later link is replaced there, and one that grows by a page leaves the other links alone.
    labelled = first + write(second, text_field=("AIGC", LABEL)) + video
    assert write(labelled, text_field=("AIGC", LONG)) == first + write(second, text_field=("AIGC", LONG)) + video
    label = next(block for block in containers.read(labelled).blocks if block.keyword == "AIGC")
    assert write(labelled, drop=(label,)) == before
    assert [before[at : at + length] for at, length in contents.coded] == coded(first) + coded(second) + coded(video)


def test_a_skeleton_index_is_not_made_wrong() -> None:
    def skeleton(version: int) -> bytes:
        head = b"fishead\0" + struct.pack("<HH", version, 0) + bytes(100)
        return page(77, 0, 2, bytes((len(head),)), head)

    video = made("theora")
    numbers = [number for number, each in enumerate(pages(video)) if each[2] & 2]
    assert numbers == [0, 1]
    old, new = (skeleton(version) + video for version in (3, 4))
    assert write(old, text_field=("AIGC", LABEL)) == skeleton(3) + write(video, text_field=("AIGC", LABEL))
    assert containers.read(new).problems == ()
    with pytest.raises(LabelingError, match="Skeleton"):
        write(new, text_field=("AIGC", LABEL))


def test_a_damaged_header_page_is_a_problem() -> None:
    before = made("vorbis")
    at = before.index(b"title=hi")
    broken = before[:at] + b"T" + before[at + 1 :]
    assert "damaged" in containers.read(broken).problems[0]
    unknown = page(1, 0, 2, b"\5", b"dirac") + page(1, 1, 4, b"\1", b"x")
    assert "no stream of a kind" in containers.read(unknown).problems[0]
    swapped = page(1, 0, 2, b"\x13", b"OpusHead\1\1" + bytes(9)) + page(1, 1, 4, b"\5", b"words")
    assert "no comment header" in containers.read(swapped).problems[0]


def test_what_follows_the_last_page_is_reported_and_kept() -> None:
    before = made("opus") + b"TAG" + bytes(125)
    assert containers.read(before).warnings == ("128 bytes follow the last page; they are kept",)
    assert write(before, text_field=("AIGC", LABEL)).endswith(b"TAG" + bytes(125))


@pytest.mark.parametrize("kind", MADE)
def test_every_truncation_is_reported(kind: str) -> None:
    data = write(made(kind), text_field=("AIGC", LABEL))
    headers = containers.read(data).coded[0][0]
    for cut in [*range(headers + 60), *range(headers + 60, len(data), max(1, len(data) // 499)), len(data) - 1]:
        try:
            contents = containers.read(data[:cut])
        except LabelingError:
            continue
        # FLAC says nowhere how many bytes its frames take; a stream of OGG may end with any page.
        assert contents.problems or contents.warnings or (kind == "flac" and cut > headers), cut


def test_wrong_wishes_are_refused() -> None:
    for data in (made("flac"), made("opus")):
        for wish in ({"exif": b"II*\0"}, {"xmp": b"<x/>"}):
            with pytest.raises(LabelingError, match="no place"):
                write(data, **wish)
        with pytest.raises(LabelingError, match="not in this file"):
            write(data, drop=(containers.Block(Kind.TEXT, "elsewhere", 1, 2, b""),))
        with pytest.raises(LabelingError, match="name of a Vorbis comment"):
            write(data, text_field=("A=B", LABEL))


def test_a_large_file_is_stepped_over(tmp_path: Path) -> None:
    (tmp_path / "a.ogg").write_bytes(made("vorbis"))
    with (tmp_path / "a.ogg").open("rb") as file, FileBytes(file, "a.ogg") as data:
        contents = containers.read(data)
        assert contents == containers.read(made("vorbis"))
        pieces = containers.rewrite(data, contents, Changes(text_field=("AIGC", LABEL)))
        assert [type(piece) for piece in pieces] == [FileRange, bytes, FileRange]


entries = st.lists(st.binary(max_size=60), max_size=20)


@given(st.binary(max_size=40), entries, st.binary(max_size=9))
def test_a_comment_header_comes_back(vendor: bytes, raw: list[bytes], rest: bytes) -> None:
    data = vorbis_comment.build(Comments(vendor, tuple(Entry(0, each) for each in raw), rest))
    found = vorbis_comment.parse(data)
    assert (found.vendor, [entry.raw for entry in found.entries], found.rest) == (vendor, raw, rest)
    assert all(data[entry.at + 4 :].startswith(entry.raw) for entry in found.entries)
    assert vorbis_comment.build(found) == data


@given(st.binary(max_size=100))
def test_any_bytes_are_a_comment_header_or_an_error(raw: bytes) -> None:
    with contextlib.suppress(LabelingError):
        assert vorbis_comment.build(vorbis_comment.parse(raw)) == raw


lengths = st.lists(st.integers(0, 3000) | st.sampled_from([0, 255, 510, 65024, 65025, 65026]), min_size=1, max_size=5)


@given(lengths, lengths)
def test_packets_come_back_from_the_pages_they_are_laid_over(old: list[int], new: list[int]) -> None:
    def laced(sizes: list[int]) -> bytes:
        return b"".join(b"\xff" * (size // 255) + bytes((size % 255,)) for size in sizes)

    lacing = laced(old)
    before = [ogg_pages.Page(0, 0, 0, 7, 3 + at // 255, lacing[at : at + 255]) for at in range(0, len(lacing), 255)]
    bodies = [bytes((number + 1,)) * size for number, size in enumerate(new)]
    raw = ogg_pages.laid(before, bodies)
    found = [ogg_pages.page_at(each, 0) for each in raw]
    assert all(each is not None and each.end == len(part) for each, part in zip(found, raw, strict=True))
    assert all(ogg_pages.is_intact(part, each) for each, part in zip(found, raw, strict=True) if each)
    assert [each.sequence for each in found if each] == list(range(3, 3 + len(raw)))
    body = b"".join(part[each.body :] for each, part in zip(found, raw, strict=True) if each)
    assert ogg_pages.packets(body, [each for each in found if each]) == bodies
    if len(before) <= len(laced(new)) <= 255 * len(before):
        assert len(raw) == len(before)


@given(st.binary(max_size=300))
def test_the_checksum_is_that_of_the_specification(raw: bytes) -> None:
    assert ogg_pages.checksum(raw) == crc(raw)
