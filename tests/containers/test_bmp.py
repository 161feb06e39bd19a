"""BMP: its size is read, its damage is reported, and labelling it is refused with an alternative."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from labeling import containers
from labeling.containers import Changes, Kind, bmp
from labeling.errors import LabelingError

from .battery import encoded, icc, noise


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
def test_size_is_read_and_writing_refused(mode: str) -> None:
    data = encoded(noise().convert(mode), "BMP")
    contents = containers.read(data)
    assert (contents.media_type, contents.width, contents.height) == ("image/bmp", 48, 40)
    assert contents.problems == ()
    assert sum(contents.coded[0]) == len(data)
    for write in (containers.rewrite, bmp.rewrite):
        with pytest.raises(LabelingError, match="PNG"):
            write(data, contents, Changes(xmp=b"<x/>"))


def test_top_down_and_core_headers() -> None:
    data = bytearray(encoded(noise(), "BMP"))
    data[22:26] = struct.pack("<i", -40)
    assert bmp.read(bytes(data)).height == 40
    core = b"BM" + struct.pack("<IIIIHHHH", 26 + 8, 0, 26, 12, 2, 1, 1, 24) + bytes(8)
    assert (bmp.read(core).width, bmp.read(core).height, bmp.read(core).problems) == (2, 1, ())


def test_an_embedded_profile_is_read_and_a_linked_one_is_not_followed() -> None:
    def with_profile(kind: bytes, content: bytes) -> bytes:
        header = struct.pack("<IiiHHIIiiII", 124, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0).ljust(56, b"\0") + kind
        header = header.ljust(112, b"\0") + struct.pack("<IIII", 128, len(content), 0, 0)[:12]
        return b"BM" + struct.pack("<III", 142 + len(content), 0, 138) + header + bytes(4) + content

    (block,) = bmp.read(with_profile(b"DEBM", icc())).blocks
    assert (block.kind, block.data) == (Kind.ICC, icc())
    assert bmp.read(with_profile(b"KNIL", b"/etc/passwd\0")).blocks == ()


def test_truncated_files_are_reported() -> None:
    data = encoded(noise(), "BMP")
    assert all(bmp.read(data[:cut]).problems for cut in range(len(data)))


@pytest.mark.parametrize("name", ["pillow_bmp_b_badwidth.bmp", "pillow_bmp_b_reallybig.bmp"])
def test_lying_headers(cases: Path, name: str) -> None:
    assert containers.read((cases / "6_corrupt" / name).read_bytes()).problems
