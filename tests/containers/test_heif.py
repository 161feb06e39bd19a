"""HEIF and AVIF beyond the battery: where items lie, what moves, odd layouts, and real files."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, features

from labeling import containers
from labeling.containers import Block, Changes, Kind
from labeling.containers.heif import metadata as heif
from labeling.errors import LabelingError

from .battery import (
    OLD_PACKET,
    PACKET,
    SOURCE,
    avif_animated,
    avif_full,
    coded,
    encoded,
    exif,
    exiftool,
    foreign,
    heic,
    held,
    noise,
    pixels,
)

XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def boxes(data: bytes) -> dict[bytes, bytes]:
    """Body of each file-level box, reported apart without the module under test (the last of its type)."""
    found, at = {}, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found[kind] = data[at + 8 : at + size]
        at += size
    return found


def item_file(
    *,
    version: int = 0,
    widths: tuple[int, int, int] = (4, 4, 0),
    method: int = 0,
    before: bytes = b"",
    free: int = 0,
    meta_last: bool = False,
    open_end: bool = False,
    wide_mdat: bool = False,
) -> bytes:
    """The picture of a small AVIF in a file layout of our choice: one av01 item, no metadata."""
    source = encoded(noise(), "AVIF", speed=10)
    contents = containers.read(source)
    ((at, length),) = contents.coded
    av1 = source[at : at + length]
    old = boxes(source)
    iprp_at = old[b"meta"].index(b"iprp") - 4
    iprp = old[b"meta"][iprp_at : iprp_at + int.from_bytes(old[b"meta"][iprp_at : iprp_at + 4], "big")]
    hdlr = box(b"hdlr", bytes(8) + b"pict" + bytes(13))
    infe = box(b"infe", b"\2\0\0\0", b"\0\1\0\0av01\0")
    listing = hdlr + box(b"pitm", bytes(4) + b"\0\1") + box(b"iinf", bytes(4) + b"\0\1", infe) + iprp
    mdat_head = (
        struct.pack(">I4sQ", 1, b"mdat", 16 + len(av1)) if wide_mdat else struct.pack(">I4s", 8 + len(av1), b"mdat")
    )
    mdat = (bytes(4) + b"mdat" if open_end else mdat_head) + av1
    ftyp = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")

    def meta(offset: int) -> bytes:
        offset_size, length_size, base_size = widths
        number = (1).to_bytes(2 if version < 2 else 4, "big")
        start, base = (0, offset) if base_size else (offset, 0)
        row = number + (struct.pack(">H", method) if version else b"") + b"\0\0" + base.to_bytes(base_size, "big")
        row += b"\0\1" + start.to_bytes(offset_size, "big") + len(av1).to_bytes(length_size, "big")
        head = bytes((version, 0, 0, 0, offset_size << 4 | length_size, base_size << 4))
        idat = box(b"idat", av1) if method == 1 else b""
        return box(b"meta", bytes(4), listing, box(b"iloc", head, number, row), idat)

    if method == 1:
        return ftyp + before + meta(0)
    gap = box(b"free", bytes(free - 8)) if free else b""
    if meta_last:
        return ftyp + before + mdat + meta(len(ftyp) + len(before) + len(mdat) - len(av1))
    behind = len(ftyp) + len(before) + len(meta(0)) + len(gap)
    return ftyp + before + meta(behind + len(mdat) - len(av1)) + gap + mdat


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(containers.rewrite(data, containers.read(data), Changes(**changes)))


def blocks(data: bytes, kind: Kind) -> list[Block]:
    return [block for block in containers.read(data).blocks if block.kind is kind]


def test_the_decoders_are_there() -> None:
    assert features.check("avif")


LAYOUTS = [
    {},
    {"version": 1},
    {"version": 2},
    {"widths": (4, 4, 4)},
    {"widths": (0, 4, 4)},
    {"widths": (8, 8, 8)},
    {"method": 1, "version": 1},
    {"before": box(b"abcd", b"unknown")},
    {"free": 8},
    {"free": 80},
    {"free": 81},
    {"free": 89},
    {"free": 500},
    {"meta_last": True},
    {"open_end": True},
    {"wide_mdat": True},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_every_layout_takes_a_packet_and_shows_the_same(layout: dict[str, Any], tmp_path: Path) -> None:
    before = item_file(**layout)
    after = write(before, xmp=PACKET)
    (tmp_path / "after.avif").write_bytes(after)
    (tags,) = exiftool(tmp_path / "after.avif")
    assert tags["XMP-dc:Source"] == SOURCE
    assert pixels(after) == pixels(before)
    assert coded(after, containers.read(after)) == coded(before, containers.read(before))
    with Image.open(io.BytesIO(after)) as picture:
        assert picture.info["xmp"] == PACKET
    again = write(after, xmp=OLD_PACKET + b" " * 3000)
    assert [block.data for block in blocks(again, Kind.XMP)] == [OLD_PACKET + b" " * 3000]
    assert PACKET not in again
    assert write(again, xmp=PACKET) == after
    assert pixels(again) == pixels(before)


@pytest.mark.parametrize(("free", "moves"), [(0, True), (8, True), (500, False)])
def test_a_free_box_absorbs_the_growth(free: int, moves: bool) -> None:
    before = item_file(free=free)
    after = write(before, xmp=PACKET)
    assert (containers.read(after).coded != containers.read(before).coded) is moves


def test_new_items_describe_the_primary_one() -> None:
    after = write(write(item_file(), xmp=PACKET), exif=exif()[6:])
    meta = boxes(after)[b"meta"]
    assert box(b"cdsc", struct.pack(">HHH", 2, 1, 1)) in meta
    assert box(b"cdsc", struct.pack(">HHH", 3, 1, 1)) in meta
    with Image.open(io.BytesIO(after)) as picture:
        assert (picture.getexif()[0x010F], picture.info["xmp"]) == ("a camera", PACKET)


def test_pillow_heif_reads_what_was_written() -> None:
    import pillow_heif

    after = write(heic(xmp=OLD_PACKET), xmp=PACKET + b" " * 2000, exif=exif("labeler")[6:])
    file = pillow_heif.open_heif(io.BytesIO(after))
    assert file.info["xmp"] == PACKET + b" " * 2000
    stored = Image.Exif()
    stored.load(file.info["exif"])
    assert stored[0x010F] == "labeler"


def test_a_replaced_packet_leaves_no_stale_bytes() -> None:
    before = avif_full()
    assert before.count(OLD_PACKET) == 1
    for packet in (PACKET, PACKET + b" " * 5000):
        assert OLD_PACKET not in write(before, xmp=packet)
    assert OLD_PACKET not in write(before, drop=tuple(blocks(before, Kind.XMP)))


def test_a_track_says_the_same_as_the_file() -> None:
    """libavif repeats the items of a sequence in its track: both must name the new packet."""
    before = avif_animated(xmp=OLD_PACKET)
    after = write(before, xmp=PACKET + b" " * 5000)
    assert [block.data for block in containers.read(after).blocks if block.kind is Kind.XMP] == [PACKET + b" " * 5000]
    with Image.open(io.BytesIO(after)) as picture:
        assert picture.info["xmp"] == PACKET + b" " * 5000
        assert getattr(picture, "n_frames", 1) == 3
    less = write(before, drop=tuple(blocks(before, Kind.XMP)))
    assert (blocks(less, Kind.XMP), pixels(less)) == ([], pixels(before))


def test_a_uuid_packet_moves_to_an_item() -> None:
    before = item_file(before=box(b"uuid", XMP_UUID, OLD_PACKET))
    (block,) = blocks(before, Kind.XMP)
    assert (block.data, block.where) == (OLD_PACKET, "AVIF uuid XMP box")
    after = write(before, xmp=PACKET)
    (block,) = blocks(after, Kind.XMP)
    assert (block.data, block.where) == (PACKET, "AVIF item mime application/rdf+xml")
    assert XMP_UUID not in after
    assert pixels(after) == pixels(before)


def test_a_manifest_can_be_dropped_and_stays_otherwise(cases: Path) -> None:
    before = (cases / "2_c2pa" / "encypher_image_avif_signed_test.avif").read_bytes()
    (manifest,) = blocks(before, Kind.C2PA)
    assert manifest.data[4:8] == b"jumb"
    assert [block.data for block in blocks(write(before, xmp=PACKET), Kind.C2PA)] == [manifest.data]
    less = write(before, drop=(manifest,), xmp=PACKET)
    assert (blocks(less, Kind.C2PA), pixels(less)) == ([], pixels(before))


@pytest.mark.parametrize(
    ("major", "compatible", "media_type"),
    [
        (b"heic", b"mif1heic", "image/heic"),
        (b"heix", b"mif1", "image/heic"),
        (b"mif1", b"mif1heic", "image/heif"),
        (b"mif1", b"mif1avif", "image/avif"),
        (b"avif", b"mif1", "image/avif"),
        (b"avis", b"avisavif", "image/avif"),
        (b"msf1", b"msf1hevc", "image/heif-sequence"),
        (b"hevc", b"msf1hevc", "image/heic-sequence"),
    ],
)
def test_brands_make_the_media_type(major: bytes, compatible: bytes, media_type: str) -> None:
    data = box(b"ftyp", major, bytes(4), compatible) + item_file()[28:]
    assert containers.read(data).media_type == media_type


def test_items_that_cannot_be_read_say_why() -> None:
    data = bytearray(avif_full())
    at = data.index(b"infe", data.index(b"Exif") - 16) + 10
    data[at : at + 2] = b"\0\1"  # item_protection_index
    (block,) = blocks(bytes(data), Kind.EXIF)
    assert (block.data, block.problem) == (b"", "it is encrypted")


def test_picture_data_inside_meta_cannot_be_moved() -> None:
    data = bytearray(item_file())
    at = data.index(b"iloc") + 4 + 6 + 2 + 2 + 2 + 2
    data[at : at + 4] = (40).to_bytes(4, "big")
    contents = containers.read(bytes(data))
    assert "cannot be moved" in contents.fixed
    with pytest.raises(LabelingError, match="re-save"):
        containers.rewrite(bytes(data), contents, Changes(xmp=PACKET))


def test_fragments_are_refused() -> None:
    contents = containers.read(item_file() + box(b"moof", bytes(8)))
    assert "fragments" in contents.fixed


def test_a_profile_is_part_of_the_picture() -> None:
    data = avif_full()
    with pytest.raises(LabelingError, match="part of the picture"):
        write(data, drop=tuple(blocks(data, Kind.ICC)))


def test_real_files_keep_everything(cases: Path, tmp_path: Path) -> None:
    paths = [path for path in sorted(cases.glob("[25]_*/*")) if path.suffix in (".avif", ".heic")]
    assert len(paths) >= 7
    for path in paths:
        before = path.read_bytes()
        after = write(before, xmp=PACKET)
        (tmp_path / "after").write_bytes(after)
        old, new = exiftool(path, tmp_path / "after")
        assert new["XMP-dc:Source"] == SOURCE, path.name
        assert foreign(new) == foreign(old), path.name
        assert coded(after, containers.read(after)) == coded(before, containers.read(before)), path.name
        kept = held(containers.read(before).blocks, but=Kind.XMP)
        assert held(containers.read(after).blocks, but=Kind.XMP) == kept, path.name
        assert pixels(after) == pixels(before), path.name


def test_corrupt_files_are_reported(cases: Path) -> None:
    sound = {"libavif_poc_b_506387278.avif"}  # decodes; its harm was in a decoder's arithmetic
    for path in sorted((cases / "6_corrupt").iterdir()):
        if path.suffix in (".avif", ".heic"):
            assert bool(heif.read(path.read_bytes()).problems) is (path.name not in sound), path.name
