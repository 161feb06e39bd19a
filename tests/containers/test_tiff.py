"""TIFF beyond the battery: where bytes go, what is zeroed, what is merged, and real files."""

from __future__ import annotations

import io
import mmap
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from labeling import containers
from labeling._tiff_ifd import read_tiff
from labeling.containers import Block, Changes, Kind
from labeling.errors import LabelingError

from .battery import OLD_PACKET, PACKET, SOURCE, coded, encoded, exif, exiftool, foreign, noise, tiff, tiff_full

LAYOUTS = [{"byteorder": "<"}, {"byteorder": ">"}, {"bigtiff": True}, {"byteorder": ">", "bigtiff": True}]


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(containers.rewrite(data, containers.read(data), Changes(**changes)))


def blocks(data: bytes, kind: Kind) -> list[Block]:
    return [block for block in containers.read(data).blocks if block.kind is kind]


def first_page(file: tifffile.TiffFile) -> tifffile.TiffPage:
    page = file.pages[0]
    assert isinstance(page, tifffile.TiffPage)
    return page


def fields(block: Block) -> dict[str, dict[int, Any]]:
    """Return the tags of an EXIF block, as Pillow reads them."""
    parsed = Image.Exif()
    parsed.load(b"Exif\0\0" + block.data)
    return {"IFD0": dict(parsed), "Exif": parsed.get_ifd(0x8769)}


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_tifffile_finds_the_packet_and_the_same_pages(layout: dict[str, Any]) -> None:
    before = tiff(3, **layout)
    after = write(before, xmp=PACKET)
    with tifffile.TiffFile(io.BytesIO(after)) as file:
        tags = first_page(file).tags
        tag = tags[700]
        assert (tag.value, int(tag.dtype)) == (PACKET, 7)
        codes = [row.code for row in tags]
        assert codes == sorted(codes)
        assert len(file.pages) == 3
        assert np.array_equal(file.asarray(), tifffile.imread(io.BytesIO(before)))
    assert after[16 : len(before)] == before[16:]  # nothing but the header pointer changed


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_file_does_not_grow_for_ever(layout: dict[str, Any]) -> None:
    once = write(tiff(2, **layout), xmp=PACKET)
    data = once
    for packet in (PACKET + b" " * 999, OLD_PACKET, PACKET + b" " * 5000, PACKET):
        data = write(data, xmp=packet)
    assert data == once


def test_a_packet_between_other_data_leaves_no_stale_bytes() -> None:
    before = tiff_full()
    assert before.count(OLD_PACKET) == 1
    after = write(before, xmp=PACKET + b" " * 4000)
    assert OLD_PACKET not in after
    assert [block.data for block in blocks(after, Kind.XMP)] == [PACKET + b" " * 4000]
    less = write(before, drop=tuple(blocks(before, Kind.XMP)))
    assert OLD_PACKET not in less
    assert len(less) == len(before)
    assert blocks(less, Kind.XMP) == []


def test_bytes_that_two_pages_share_are_not_overwritten() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for _ in range(2):
            file.write(
                np.zeros((4, 4), np.uint8), metadata=None, extratags=[(700, 7, len(OLD_PACKET), OLD_PACKET, True)]
            )
    data = bytearray(out.getvalue())
    first, second = (ifd.entries[700] for ifd in read_tiff(bytes(data)).ifds)
    data[second.entry_offset : second.entry_offset + 12] = data[first.entry_offset : first.entry_offset + 12]
    assert [block.data for block in blocks(bytes(data), Kind.XMP)] == [OLD_PACKET, OLD_PACKET]
    after = write(bytes(data), xmp=PACKET)
    assert [block.data for block in blocks(after, Kind.XMP)] == [PACKET, OLD_PACKET]


def test_xmp_of_type_byte_is_read_and_becomes_undefined() -> None:
    before = encoded(noise(), "TIFF", tiffinfo={700: OLD_PACKET})
    kind = read_tiff(before).ifds[0].entries[700].type
    assert kind == 1
    assert [block.data for block in blocks(before, Kind.XMP)] == [OLD_PACKET]
    after = write(before, xmp=PACKET)
    assert read_tiff(after).ifds[0].entries[700].type == 7


def test_the_exif_block_reads_like_any_other() -> None:
    (block,) = blocks(tiff_full(), Kind.EXIF)
    assert fields(block)["IFD0"][0x010F] == "a camera"
    assert fields(block)["Exif"][0x9286] == b"ASCII\0\0\0a comment"
    (block,) = blocks(tiff(byteorder=">"), Kind.EXIF)
    assert fields(block)["IFD0"][0x0131] == "software"


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_exif_is_merged_whatever_its_byte_order(layout: dict[str, Any]) -> None:
    given = Image.Exif()
    given.endian = ">" if layout.get("byteorder") == "<" else "<"
    given[0x0131], given[0x010E] = "a generator 1.0 of a longer name", "description"
    given.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0new"
    given.get_ifd(0x8769)[0xA002] = 4711
    before = tiff(2, **layout)
    after = write(write(before, exif=given.tobytes()[6:]), xmp=PACKET)
    with tifffile.TiffFile(io.BytesIO(after)) as file:
        tags = first_page(file).tags
        assert tags["Software"].value == "a generator 1.0 of a longer name"
        assert tags["ImageDescription"].value == "description"
        assert tags["ExifTag"].value["PixelXDimension"] == 4711
        assert np.array_equal(file.asarray(), tifffile.imread(io.BytesIO(before)))
    (block,) = blocks(after, Kind.EXIF)
    assert fields(block)["Exif"][0x9286] == b"ASCII\0\0\0new"
    assert write(after, exif=given.tobytes()[6:]) == after


def test_blanks_in_place_of_a_comment_move_nothing() -> None:
    before = tiff_full()
    (block,) = blocks(before, Kind.EXIF)
    after = write(before, exif=block.data.replace(b"a comment", b" " * 9))
    assert len(after) == len(before)
    assert b"a comment" not in after
    assert fields(blocks(after, Kind.EXIF)[0])["IFD0"][0x010F] == "a camera"


def test_broken_exif_is_refused() -> None:
    with pytest.raises(LabelingError, match="not sound"):
        write(tiff(), exif=b"nothing")


def test_a_page_that_loses_its_last_tag_leaves_the_chain(cases: Path) -> None:
    path = cases / "2_c2pa" / "encypher_image_tiff_signed_test.tiff"
    before = path.read_bytes()
    (manifest,) = blocks(before, Kind.C2PA)
    after = write(before, drop=(manifest,))
    assert [ifd.name for ifd in read_tiff(after).ifds] == ["IFD0"]
    assert manifest.data not in after
    with Image.open(io.BytesIO(after)) as new, Image.open(path) as old:
        assert new.tobytes() == old.tobytes()


def test_four_gigabytes_are_the_end_of_a_classic_tiff(tmp_path: Path) -> None:
    data = tiff()
    with (tmp_path / "large.tif").open("wb") as file:  # sparse
        file.write(data)
        file.truncate((1 << 32) - 400)
    with (
        (tmp_path / "large.tif").open("rb") as stored,
        mmap.mmap(stored.fileno(), 0, access=mmap.ACCESS_READ) as large,
        pytest.raises(LabelingError, match="BigTIFF"),
    ):
        containers.rewrite(large, containers.read(large), Changes(xmp=PACKET * 3))


def test_a_directory_that_claims_too_much_is_said() -> None:
    data = bytearray(tiff())
    at = struct.unpack_from("<I", data, 4)[0]
    data[at : at + 2] = b"\xff\xff"
    assert "cut off" in containers.read(bytes(data)).problems[0]


def test_real_files_keep_everything(cases: Path, tmp_path: Path) -> None:
    paths = sorted(cases.glob("[25]_*/*.tif*"))
    assert len(paths) >= 4
    for path in paths:
        before = path.read_bytes()
        after = write(before, xmp=PACKET)
        (tmp_path / "after.tif").write_bytes(after)
        old, new = exiftool(path, tmp_path / "after.tif")
        assert new["XMP-dc:Source"] == SOURCE, path.name
        assert foreign(new) == foreign(old), path.name
        assert coded(after, containers.read(after)) == coded(before, containers.read(before)), path.name
        assert np.array_equal(tifffile.imread(io.BytesIO(after), key=0), tifffile.imread(path, key=0)), path.name


def test_corrupt_files_are_reported(cases: Path) -> None:
    sound = {
        "pillow_crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif"
    }  # its structure is sound; only its fax data are not
    for path in sorted((cases / "6_corrupt").glob("*.tif")):
        assert bool(containers.read(path.read_bytes()).problems) is (path.name not in sound), path.name


def test_exif_of_other_formats_is_accepted() -> None:
    after = write(tiff(), exif=exif("elsewhere")[6:])
    assert fields(blocks(after, Kind.EXIF)[0])["IFD0"][0x010F] == "elsewhere"
