"""The reader of TIFF directories, compared with Pillow and exiftool, and given what breaks readers."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from labeling._tiff_ifd import MAX_IFDS, read_tiff


def structure(*entries: tuple[int, int, int, bytes], order: str = "<", following: int | None = 0) -> bytes:
    """Return a header and one directory at offset 8 with raw value fields; ``following`` None omits its pointer."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    rows = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    tail = b"" if following is None else struct.pack(order + "I", following)
    return head + struct.pack(order + "H", len(entries)) + rows + tail


def test_every_tag_that_pillow_reads_has_the_same_value(cases: Path) -> None:
    seen = 0
    for path in sorted((cases / "5_ordinary").glob("*.jpg")):
        with Image.open(path) as picture:
            exif = picture.getexif()
            raw = picture.info.get("exif", b"")[6:]
        if not raw:
            continue
        tiff = read_tiff(raw)
        for name, tags in (("IFD0", dict(exif)), ("Exif", exif.get_ifd(0x8769)), ("GPS", exif.get_ifd(0x8825))):
            for tag, value in tags.items():
                ifd = tiff.ifd(name)
                assert ifd is not None
                entry = ifd.entries[tag]
                if isinstance(value, str):
                    assert tiff.ascii(entry).rstrip() == value.rstrip("\0 "), (path.name, hex(tag))
                    seen += 1
                elif isinstance(value, int):
                    assert tiff.ints(entry)[0] == value, (path.name, hex(tag))
                    seen += 1
                elif isinstance(value, bytes) and tag != 0x927C:
                    assert tiff.value(entry) == value, (path.name, hex(tag))
                    seen += 1
    assert seen > 100


@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_are_named_by_what_points_to_them(order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "maker"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0text"
    exif.get_ifd(0x8825)[1] = "N"
    tiff = read_tiff(exif.tobytes()[6:])
    assert (tiff.byte_order, tiff.big, tiff.problems, tiff.cut) == (order, False, (), False)
    assert [ifd.name for ifd in tiff.ifds] == ["IFD0", "Exif", "GPS"]
    assert [ifd.name for ifd in read_tiff(exif.tobytes()[6:], follow=False).ifds] == ["IFD0"]
    user_comment = tiff.ifds[1].entries[0x9286]
    assert tiff.value(user_comment) == b"ASCII\0\0\0text"
    assert tiff.value(user_comment, limit=5) == b"ASCII"


def test_a_sub_directory_without_next_pointer_is_read(cases: Path) -> None:
    path = next((cases / "1_aigc_cn").glob("zhipu_*.jpg"))
    with Image.open(path) as picture:
        raw = picture.info["exif"][6:]
    tiff = read_tiff(raw)
    exif = tiff.ifd("Exif")
    assert exif is not None
    told = subprocess.run(["exiftool", "-b", "-UserComment", str(path)], capture_output=True, check=True).stdout
    assert tiff.value(exif.entries[0x9286])[8:] == told
    assert tiff.problems == ("Exif has no next-IFD pointer",)


def test_big_tiff(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True, byteorder=">") as file:
        for _ in range(2):
            file.write(np.zeros((4, 4), np.uint8), metadata=None)
    tiff = read_tiff((tmp_path / "a.tif").read_bytes())
    assert (tiff.byte_order, tiff.big, len(tiff.ifds), tiff.problems) == (">", True, 2, ())
    assert [tiff.ints(ifd.entries[0x0100]) for ifd in tiff.ifds] == [(4,), (4,)]


def test_a_chain_that_bites_its_tail_ends() -> None:
    tiff = read_tiff(structure((0x010F, 2, 3, b"abc\0"), following=8))
    assert [ifd.name for ifd in tiff.ifds] == ["IFD0"]
    assert "points back" in tiff.problems[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "header"),
        (b"II*\0", "header"),
        (b"Exif\0\0II*\0\x08\0\0\0", "header"),
        (b"II*\0\0\0\0\0", "no directory"),
        (b"II*\0\xff\0\0\0", "outside"),
        (structure((0x010F, 2, 3, b"abc\0"), following=None), "no next-IFD pointer"),
        (structure((0x010F, 2, 99, b"\x08\0\0\0")), "reaches out"),
        (structure((0x010F, 77, 1, b"\0\0\0\0")), "unknown type 77"),
        (structure((0x8769, 4, 1, b"\xff\xff\0\0")), "Exif is said to be at offset 65535"),
        (structure((0x010F, 2, 3, b"abc\0"), (0x010F, 2, 3, b"abd\0")), "twice"),
    ],
)
def test_what_is_broken_is_said(data: bytes, said: str) -> None:
    assert said in read_tiff(data).problems[0]


def test_what_is_sound_beside_what_is_broken_is_read() -> None:
    data = structure(
        (0x010F, 2, 4, b"abc\0"), (0x0110, 2, 1 << 31, b"\xff\xff\xff\x7f"), (0x8769, 4, 1, b"\xff\xff\0\0")
    )
    tiff = read_tiff(data)
    entries = tiff.ifds[0].entries
    assert (tiff.ascii(entries[0x010F]), tiff.value(entries[0x0110])) == ("abc", b"")


def test_many_directories_and_entries_are_bounded() -> None:
    step = 2 + 12 + 4
    chain = b"".join(struct.pack("<HHHIII", 1, 0x100, 3, 1, 1, 8 + step * (index + 1)) for index in range(MAX_IFDS * 2))
    tiff = read_tiff(b"II*\0\x08\0\0\0" + chain)
    assert (len(tiff.ifds), tiff.problems) == (MAX_IFDS, (f"more than {MAX_IFDS} directories",))
    assert len(read_tiff(b"II*\0\x08\0\0\0" + chain, max_ifds=1000).ifds) == MAX_IFDS * 2
    crowd = b"II*\0\x08\0\0\0\xff\xff" + bytes(12 * 0xFFFF)
    assert "4096 are readable" in read_tiff(crowd).problems[0]


@given(
    st.binary(max_size=300),
    st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0\x10" + bytes(7)]),
)
def test_anything_gives_a_structure(rest: bytes, head: bytes) -> None:
    tiff = read_tiff(head + rest)
    for ifd in tiff.ifds:
        for entry in ifd.entries.values():
            assert len(tiff.value(entry)) <= entry.length
            assert len(tiff.ints(entry, 5)) <= 5
    assert tiff.ifds or tiff.problems


def test_buffers_of_every_sort_read_the_same() -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "TIFF", software="s")
    expected = read_tiff(out.getvalue())
    for buffer in (bytearray(out.getvalue()), memoryview(out.getvalue())):
        assert read_tiff(buffer).ifds == expected.ifds
