"""JPEG segments: metadata over several of them, odd files, and indexes that must stay correct."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.MpoImagePlugin import MpoImageFile

from labeling import containers
from labeling.containers import Changes, Kind
from labeling.containers.jpeg import metadata as jpeg
from labeling.errors import LabelingError

from .battery import PACKET, encoded, exif, exiftool, foreign, icc, jpeg_full, noise, pixels


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def with_segments(*segments: bytes, at: int = 2) -> bytes:
    plain = encoded(noise(), "JPEG")
    return plain[:at] + b"".join(segments) + plain[at:]


def extended(guid: bytes, total: int, offset: int, part: bytes) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", total, offset) + part)


def jumbf(instance: int, sequence: int, box: bytes, part: bytes) -> bytes:
    return segment(0xEB, b"JP" + struct.pack(">HI", instance, sequence) + (b"" if sequence == 1 else box[:8]) + part)


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(jpeg.rewrite(data, jpeg.read(data), Changes(**changes)))


def test_kinds_and_places_of_a_full_file() -> None:
    blocks = jpeg.read(jpeg_full()).blocks
    assert [(block.kind, block.where) for block in blocks] == [
        (Kind.APP, "JPEG APP0 JFIF"),
        (Kind.EXIF, "JPEG APP1 Exif"),
        (Kind.XMP, "JPEG APP1 XMP"),
        (Kind.ICC, "JPEG APP2 ICC_PROFILE"),
        (Kind.COMMENT, "JPEG COM"),
    ]
    by_kind = {block.kind: block.data for block in blocks}
    assert by_kind[Kind.EXIF] == exif()[6:]
    assert by_kind[Kind.ICC] == icc()
    assert by_kind[Kind.COMMENT] == b"a comment"


def test_a_new_packet_stands_behind_jfif_and_exif() -> None:
    data = encoded(noise(), "JPEG", exif=exif(), icc_profile=icc())
    kinds = [block.kind for block in jpeg.read(write(data, xmp=PACKET)).blocks]
    assert kinds == [Kind.APP, Kind.EXIF, Kind.XMP, Kind.ICC]


def test_the_first_of_several_packets_is_replaced_where_it_stands() -> None:
    first, second = (segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + text) for text in (b"<a/>", b"<b/>"))
    data = with_segments(segment(0xFE, b"c"), first, segment(0xFE, b"d"), second)
    blocks = jpeg.read(write(data, xmp=PACKET)).blocks
    assert [block.data for block in blocks[:4]] == [b"c", PACKET, b"d", b"<b/>"]
    dropped = write(data, xmp=PACKET, drop=(jpeg.read(data).blocks[1],))
    assert [block.data for block in jpeg.read(dropped).blocks[:3]] == [b"c", b"d", PACKET]


def test_extended_xmp_is_joined_by_guid_in_any_order_and_dropped_whole() -> None:
    guid, other, text = b"A" * 32, b"B" * 32, random.Random(1).randbytes(900)
    parts = [extended(guid, 900, at, text[at : at + 300]) for at in (300, 0, 600)]
    data = with_segments(parts[0], extended(other, 3, 0, b"xyz"), parts[1], segment(0xFE, b"kept"), parts[2])
    contents = jpeg.read(data)
    joined, single = contents.blocks[:2]
    assert (joined.keyword, joined.data, joined.problem) == ("extension:" + guid.decode(), text, "")
    assert (single.keyword, single.data) == ("extension:" + other.decode(), b"xyz")
    less = write(data, drop=(joined,))
    assert less == with_segments(extended(other, 3, 0, b"xyz"), segment(0xFE, b"kept"))


def test_a_missing_part_of_extended_xmp_is_said() -> None:
    data = with_segments(extended(b"A" * 32, 4_000_000_000, 0, b"abc"), extended(b"A" * 32, 4_000_000_000, 9, b"jkl"))
    (block, *_) = jpeg.read(data).blocks
    assert block.data == b"abcjkl"
    assert "missing" in block.problem
    assert "6 of 4000000000" in block.problem


def test_c2pa_over_several_segments_is_one_box() -> None:
    box = b"\0\0\1\0jumb" + b"\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa\0"
    box = box.ljust(256, b"x")
    parts = [jumbf(7, 1, box, box[:100]), jumbf(7, 3, box, box[200:]), jumbf(7, 2, box, box[100:200])]
    data = with_segments(parts[0], segment(0xFE, b"kept"), *parts[1:])
    (block, *_) = jpeg.read(data).blocks
    assert (block.kind, block.data, block.problem) == (Kind.C2PA, box, "")
    assert write(data, drop=(block,)) == with_segments(segment(0xFE, b"kept"))
    torn = jpeg.read(with_segments(*parts[:2])).blocks[0]
    assert "156 of 256" in torn.problem


def test_other_jumbf_is_not_c2pa() -> None:
    box = b"\0\0\0\x28jumb\0\0\0\x20jumd" + bytes(16) + b"\3other\0\0\0"
    (block, *_) = jpeg.read(with_segments(jumbf(1, 1, box, box))).blocks
    assert (block.kind, block.where) == (Kind.APP, "JPEG APP11 JUMBF")


def test_a_big_profile_is_joined_and_a_lost_part_is_said(cases: Path) -> None:
    data = (cases / "5_ordinary/pillow_icc_profile_big.jpg").read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        profile = picture.info["icc_profile"]
    (block,) = [block for block in jpeg.read(data).blocks if block.kind is Kind.ICC]
    assert block.data == profile
    lost = data[: block.offset] + data[block.offset + 65537 :]
    (block,) = [block for block in jpeg.read(lost).blocks if block.kind is Kind.ICC]
    assert "6 of 7 parts" in block.problem


def test_photoshop_resources_run_on_in_the_next_segment(cases: Path) -> None:
    data = (cases / "5_ordinary/pillow_app13-multiple.jpg").read_bytes()
    (block,) = [block for block in jpeg.read(data).blocks if block.kind is Kind.IPTC]
    assert block.data.endswith(b"8BIM\x04\x06\0\0\0\0\0\x07\0\x06\0\0\0\x01\x01\0")
    assert b"Photoshop 3.0" not in block.data


def test_application_segments_are_named() -> None:
    label = b'AIGC{"Label":"1"}'
    data = with_segments(segment(0xE9, label), segment(0xEC, b"Ducky\0\1"), segment(0xE5, b"\x80\x81"), at=20)
    found = [(block.where, block.keyword, block.data) for block in jpeg.read(data).blocks[1:]]
    assert found == [
        ("JPEG APP9 AIGC", "AIGC", label),
        ("JPEG APP12 Ducky", "Ducky", b"Ducky\0\1"),
        ("JPEG APP5", "", b"\x80\x81"),
    ]


def test_what_does_not_fit_a_segment_is_refused() -> None:
    data = encoded(noise(), "JPEG")
    assert jpeg.read(write(data, xmp=PACKET.ljust(65502))).blocks[1].data == PACKET.ljust(65502)
    with pytest.raises(LabelingError, match="65503 bytes, but a JPEG segment takes 65502"):
        write(data, xmp=PACKET.ljust(65503))
    assert len(jpeg.read(write(data, exif=bytes(65527))).blocks[1].data) == 65527
    with pytest.raises(LabelingError, match="65528 bytes"):
        write(data, exif=bytes(65528))


def test_fill_bytes_and_stray_bytes_are_stepped_over() -> None:
    filled = with_segments(b"\xff\xff\xff" + segment(0xFE, b"c"))
    assert (jpeg.read(filled).warnings, jpeg.read(filled).blocks[0].data) == ((), b"c")
    stray = jpeg.read(with_segments(segment(0xFE, b"c"), b"\0\x01junk"))
    assert stray.problems == ()
    assert stray.warnings == ("6 bytes at offset 7 belong to no segment",)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff\xd8", "cut off"),
        (b"\xff\xd8\xff\xd9", "before any picture data"),
        (b"\xff\xd8" + b"\xff\xd0" * 500_000, "cut off"),
        (b"\xff\xd8\xff" * 2 + b"\xe0\0\x02", "second SOI"),
        (with_segments(b"\xff\xe5\xff\xff") + b"", "65535 bytes long"),
        (with_segments(b"\xff\xe5\0\1"), "1 bytes long"),
        (b"\xff\xd8" + segment(0xDA, bytes(10)) + b"\xff\xd9", "without a frame header"),
        (b"\xff\xd8" + segment(0xFE, b"") * 20_000, "segments"),
    ],
)  # fmt: skip
def test_damage_is_said(data: bytes, problem: str) -> None:
    assert problem in " ".join(jpeg.read(data).problems)


def test_bytes_behind_the_picture_are_kept() -> None:
    data = encoded(noise(), "JPEG")
    after = write(data + b"SEFH trailer\xff\xd9", xmp=PACKET)
    assert after.endswith(b"SEFH trailer\xff\xd9")
    contents = jpeg.read(after)
    assert contents.problems == ()
    assert contents.warnings == ("14 bytes follow the picture's end (EOI); they are kept",)
    assert sum(contents.coded[-1]) == len(after) - 14


def test_metadata_between_scans_is_late_and_not_coded() -> None:
    data = encoded(noise(), "JPEG", progressive=True)
    second_scan = data.index(b"\xff\xc4", data.index(b"\xff\xda"))
    comment = segment(0xFE, b"late")
    late = data[:second_scan] + comment + data[second_scan:]
    contents = jpeg.read(late)
    (block,) = [block for block in contents.blocks if block.kind is Kind.COMMENT]
    assert (block.late, block.data) == (True, b"late")
    assert b"late" not in b"".join(late[at : at + length] for at, length in contents.coded)
    assert write(late, drop=(block,)) == data


def test_a_segment_within_a_scan_is_damage() -> None:
    data = encoded(noise(), "JPEG")
    broken = data[:-200] + segment(0xE5, b"thrown in") + data[-200:]
    assert "within a scan" in jpeg.read(broken).problems[0]


@pytest.mark.parametrize("place", ["before", "behind"])
def test_further_pictures_are_still_found(place: str) -> None:
    first, second = noise(), noise(seed=2)
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    index = next(block for block in jpeg.read(data).blocks if block.keyword == "MPF")
    old = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<a/>")
    if place == "behind":  # a packet after the index moves the second picture away from it
        at = index.offset + index.length
        data = _shift_mpf(data[:at] + old + data[at:], index.offset, len(old))
    before = _mpo(data)
    after = write(data, xmp=PACKET)
    assert _mpo(after) == before
    assert len(before) == 2


def _shift_mpf(data: bytes, offset: int, growth: int) -> bytes:
    """Correct the index that Pillow wrote, after the first picture grew behind it."""
    base = offset + 8
    out = bytearray(data)
    order = "<" if data[base : base + 2] == b"II" else ">"
    (ifd,) = struct.unpack_from(order + "I", data, base + 4)
    (count,) = struct.unpack_from(order + "H", data, base + ifd)
    for index in range(count):
        tag, _, _, place = struct.unpack_from(order + "HHII", data, base + ifd + 2 + 12 * index)
        if tag == 0xB002:
            first, second = base + place, base + place + 16
            for at, field in ((first, 4), (second, 8)):
                (value,) = struct.unpack_from(order + "I", data, at + field)
                struct.pack_into(order + "I", out, at + field, value + growth)
    return bytes(out)


def _mpo(data: bytes) -> list[str]:
    """Return hashes of the pictures that Pillow finds through the index."""
    with Image.open(io.BytesIO(data)) as picture:
        assert isinstance(picture, MpoImageFile)
        hashes = []
        for frame in range(picture.n_frames):
            picture.seek(frame)
            hashes.append(hashlib.sha256(picture.tobytes()).hexdigest())
    return hashes


def test_a_camera_file_with_previews_keeps_them(cases: Path, tmp_path: Path) -> None:
    source = cases / "2_c2pa/pub_nikon-20221019-building.jpeg"
    data = source.read_bytes()
    dropped = [block for block in jpeg.read(data).blocks if block.kind is Kind.C2PA]
    (tmp_path / "after.jpg").write_bytes(write(data, xmp=PACKET, drop=tuple(dropped)))
    previews = []
    for path in (source, tmp_path / "after.jpg"):
        (tags,) = exiftool(path)
        starts = [value for key, value in tags.items() if key.endswith("MPImageStart") and value]
        lengths = [value for key, value in tags.items() if key.endswith("MPImageLength")][-len(starts) :]
        content = path.read_bytes()
        previews.append([content[at : at + size] for at, size in zip(starts, lengths, strict=True)])
    assert previews[0] == previews[1]
    assert all(preview.startswith(b"\xff\xd8") for preview in previews[1])
    assert previews[1]


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
def test_pictures_that_pillow_shows_are_readable(cases: Path) -> None:
    paths = [path for path in sorted(cases.glob("[1-6]*/*.jp*g")) if path.read_bytes()[:2] == b"\xff\xd8"]
    assert len(paths) > 30
    for path in paths:
        data = path.read_bytes()
        contents = jpeg.read(data)
        with Image.open(path) as picture:
            assert (contents.width, contents.height) == picture.size, path.name
        assert contents.problems == (), path.name
        assert bool(contents.fixed) == (path.name == "c2papy_badsig.jpg")


@pytest.mark.parametrize(
    "name",
    [
        "exiftool_XMP",
        "exiftool_Google",
        "libavif_paris_extended_xmp",
        "pillow_truncated_app14",
        "pillow_pil_sample_cmyk",
        "pillow_app13-multiple",
    ],
)
def test_real_files_keep_what_they_carry(cases: Path, tmp_path: Path, name: str) -> None:
    source = cases / "5_ordinary" / f"{name}.jpg"
    after = write(source.read_bytes(), xmp=PACKET)
    (tmp_path / "after.jpg").write_bytes(after)
    old, new = exiftool(source, tmp_path / "after.jpg")
    assert new["XMP-dc:Source"]
    assert foreign(new) == foreign(old)
    assert pixels(after) == pixels(source.read_bytes())


def test_a_lost_tail_of_zeros_can_be_read_but_not_written(cases: Path) -> None:
    data = (cases / "2_c2pa/c2papy_badsig.jpg").read_bytes()
    contents = containers.read(data)
    assert [block.kind for block in contents.blocks] == [Kind.COMMENT, Kind.C2PA]
    with pytest.raises(LabelingError, match="re-save"):
        containers.rewrite(data, contents, Changes(xmp=PACKET))


pieces = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*range(0xE0, 0xF0), 0xFE]), st.binary(max_size=60)),
        st.tuples(st.just(0xE1), st.binary(max_size=40).map(b"http://ns.adobe.com/xap/1.0/\0".__add__)),
        st.tuples(st.just(0xE1), st.binary(max_size=40).map(b"Exif\0\0".__add__)),
        st.tuples(st.just(0xE2), st.binary(min_size=2, max_size=40).map(b"ICC_PROFILE\0".__add__)),
        st.tuples(st.just(0xEB), st.binary(min_size=2, max_size=40).map(b"JP\0\1\0\0\0".__add__)),
        st.tuples(st.just(0xED), st.binary(max_size=40).map(b"Photoshop 3.0\0".__add__)),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(pieces=pieces, data=st.data())
def test_every_segment_is_in_one_block_and_dropping_takes_just_its_segments(
    pieces: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    segments = [segment(marker, payload) for marker, payload in pieces]
    file = encoded(noise(8, 8), "JPEG")
    file = file[:2] + b"".join(segments) + file[20:]  # without JFIF
    contents = jpeg.read(file)
    assert contents.problems == ()
    assert write(file, drop=contents.blocks) == file[:2] + file[2 + sum(map(len, segments)) :]
    dropped = data.draw(st.sets(st.sampled_from(contents.blocks))) if contents.blocks else set()
    less = jpeg.read(write(file, drop=tuple(dropped)))
    assert less.problems == ()
    assert len(less.blocks) <= len(contents.blocks) - len(dropped)


def test_reading_is_fast() -> None:
    """A budget of CPU time fifty times what it needs: a walk over the scan byte by byte would exceed it."""
    data = encoded(noise(1600, 1200), "JPEG", quality=92)
    began = time.process_time()
    for _ in range(10):
        jpeg.read(data)
    assert (time.process_time() - began) / 10 < 50e-9 * len(data)
