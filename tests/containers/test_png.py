"""PNG chunks: text in every wrapping, late and broken chunks, and bombs that must not be unpacked."""

from __future__ import annotations

import struct
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling.containers import Changes, Kind, png
from labeling.containers.base import MAX_PAYLOAD
from labeling.errors import LabelingError

from .battery import OLD_PACKET, PACKET, encoded, exif, exiftool, foreign, icc, noise, pixels, png_full

XMP = b"XML:com.adobe.xmp\0"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(*front: bytes, late: bytes = b"") -> bytes:
    plain = encoded(noise(), "PNG")
    end = len(plain) - 12
    return plain[:33] + b"".join(front) + plain[33:end] + late + plain[end:]


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(png.rewrite(data, png.read(data), Changes(**changes)))


def test_kinds_and_payloads_of_a_full_file() -> None:
    blocks = {block.keyword: block for block in png.read(png_full()).blocks}
    assert {key: (block.kind, block.data) for key, block in blocks.items()} == {
        "Comment": (Kind.TEXT, b"plain"),
        "Squeezed": (Kind.TEXT, b"again and again " * 40),
        "Title": (Kind.TEXT, "标题".encode()),
        "XML:com.adobe.xmp": (Kind.XMP, OLD_PACKET),
        "eXIf": (Kind.EXIF, exif()[6:]),
        "ICC Profile": (Kind.ICC, icc()),
    }
    assert blocks["Title"].where == "PNG iTXt Title"


@pytest.mark.parametrize(
    ("name", "body", "kind", "data"),
    [
        (b"tEXt", b"AIGC\0{}", Kind.TEXT, b"{}"),
        (b"zTXt", b"AIGC\0\0" + zlib.compress(b"{}"), Kind.TEXT, b"{}"),
        (b"iTXt", b"AIGC\0\1\0zh\0\xe5\0" + zlib.compress(b"{}"), Kind.TEXT, b"{}"),
        (b"iTXt", XMP + b"\1\0\0\0" + zlib.compress(b"<x/>"), Kind.XMP, b"<x/>"),
        (b"tEXt", XMP + b"<x/>", Kind.XMP, b"<x/>"),
        (b"tEXt", b"Raw profile type xmp\0\nxmp\n       4\n3c782f3e\n", Kind.XMP, b"<x/>"),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 8\n45786966\n00004949\n"), Kind.EXIF, b"II"),
        (b"tEXt", b"Raw profile type APP1\0\ngeneric\n 6\n457869660000", Kind.EXIF, b""),
        (b"tEXt", b"Raw profile type APP1\0\ngeneric profile\n 6\n457869660000", Kind.EXIF, b""),
        (b"tEXt", b"Raw profile type iptc\0\niptc\n 2\n1c02rubbish", Kind.IPTC, b"\x1c\2"),
        (b"tEXt", b"Raw profile type foo\0anything", Kind.TEXT, b"anything"),
        (b"caBX", b"\0\0\0\x08jumb", Kind.C2PA, b"\0\0\0\x08jumb"),
    ],
)  # fmt: skip
def test_every_wrapping_is_taken_off(name: bytes, body: bytes, kind: Kind, data: bytes) -> None:
    (block,) = png.read(with_chunks(chunk(name, body))).blocks
    assert (block.kind, block.data, block.problem) == (kind, data, "")


@pytest.mark.parametrize(
    ("name", "body", "problem"),
    [
        (b"tEXt", b"no keyword", "keyword"),
        (b"zTXt", b"k\0\1x", "compression method"),
        (b"zTXt", b"k\0\0not zlib", "damaged"),
        (b"zTXt", b"k\0\0" + zlib.compress(b"text" * 99)[:-9], "cut off"),
        (b"iTXt", b"k\0\0\0no language", "does not end"),
        (b"iTXt", b"k\0", "does not end"),
        (b"iTXt", b"k\0\2\0\0\0text", "compression method"),
        (b"tEXt", b"Raw profile type exif\0\nexif\n 9\n4x", "hexadecimal"),
        (b"tEXt", b"Raw profile type exif\0\nexif\n 9\n4949", "2 of 9"),
        (b"iCCP", b"name\0\0broken", "damaged"),
        (b"zTXt", b"k\0\0" + zlib.compress(bytes(MAX_PAYLOAD + 1)), "unpacks to more than 16777216"),
        (b"iTXt", XMP + b"\1\0\0\0" + zlib.compress(bytes(200 << 20), 1), "unpacks to more than"),
        (b"tEXt", b"k\0" + bytes(MAX_PAYLOAD), "more than the 16777216"),
    ],
)  # fmt: skip
def test_a_broken_chunk_is_its_own_problem(name: bytes, body: bytes, problem: str) -> None:
    contents = png.read(with_chunks(chunk(name, body)))
    (block,) = contents.blocks
    assert problem in block.problem
    assert contents.problems == ()


def test_many_bombs_together_stay_within_the_bound() -> None:
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(15 << 20)))
    blocks = png.read(with_chunks(bomb * 12)).blocks
    assert sum(len(block.data) for block in blocks) <= 64 << 20
    assert len([block for block in blocks if block.problem]) == 8


def test_many_small_bombs_do_not_add_up() -> None:
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(32 << 20), 9))
    data = with_chunks(bomb * 1000)
    began = time.process_time()
    contents = png.read(data)
    assert time.process_time() - began < 5
    assert (len(contents.blocks), contents.problems) == (1000, ())
    assert all(block.problem and not block.data for block in contents.blocks)


def test_more_blocks_than_the_bound_are_a_problem() -> None:
    contents = png.read(with_chunks(chunk(b"tEXt", b"k\0v") * 5000))
    assert (len(contents.blocks), contents.problems) == (4096, ("more than 4096 metadata blocks",))


def test_a_late_packet_moves_to_the_front() -> None:
    data = with_chunks(late=chunk(b"iTXt", XMP + b"\0\0\0\0" + OLD_PACKET) + chunk(b"tEXt", b"k\0late"))
    assert [block.late for block in png.read(data).blocks] == [True, True]
    after = png.read(write(data, xmp=PACKET))
    assert [(block.data, block.late) for block in after.blocks] == [(PACKET, False), (b"late", True)]


def test_a_packet_in_a_raw_profile_gives_way_to_a_chunk_of_its_own() -> None:
    raw = chunk(b"tEXt", b"Raw profile type xmp\0\nxmp\n       4\n3c782f3e\n")
    (block,) = png.read(write(with_chunks(raw), xmp=PACKET)).blocks
    assert (block.where, block.data) == ("PNG iTXt XML:com.adobe.xmp", PACKET)


def test_crc_of_ancillary_and_critical_chunks() -> None:
    text = chunk(b"tEXt", b"k\0v")
    wrong = text[:-1] + bytes((text[-1] ^ 1,))
    contents = png.read(with_chunks(wrong))
    assert contents.problems == ()
    assert contents.warnings == ("the CRC of the tEXt chunk at offset 33 is wrong",)
    assert contents.blocks[0].data == b"v"
    data = bytearray(with_chunks())
    data[32] ^= 1
    assert png.read(bytes(data)).problems == ("the CRC of the IHDR chunk at offset 8 is wrong",)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (b"not PNG at all", "signature"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""), "no sound image header"),
        (with_chunks()[:33] + chunk(b"IEND", b""), "no image data"),
        (with_chunks()[:-12], "IEND"),
        (with_chunks(b"\0\0\0\0\0\0\0\0\0\0\0\0"), "no chunk at offset 33"),
        (with_chunks(b"\x7f\xff\xff\xfftEXt1234"), "says it holds 2147483647"),
    ],
)  # fmt: skip
def test_damage_is_said(data: bytes, problem: str) -> None:
    assert problem in " ".join(png.read(data).problems)


def test_a_file_without_image_data_is_not_written() -> None:
    data = with_chunks()[:33] + chunk(b"IEND", b"")
    with pytest.raises(LabelingError, match="no image data"):
        write(data, xmp=PACKET)


def test_bytes_behind_the_end_are_kept() -> None:
    data = with_chunks() + b"trailer"
    contents = png.read(data)
    assert contents.warnings == ("7 bytes follow the IEND chunk; they are kept",)
    assert write(data, xmp=PACKET).endswith(b"trailer")


def test_imagemagick_and_exiftool_agree_about_its_own_profiles(tmp_path: Path) -> None:
    """ImageMagick writes raw profiles from a JPEG's EXIF and XMP; reading them returns what went in."""
    (tmp_path / "in.jpg").write_bytes(encoded(noise(), "JPEG", exif=exif(), xmp=PACKET))
    subprocess.run(["convert", tmp_path / "in.jpg", tmp_path / "out.png"], check=True)
    contents = png.read((tmp_path / "out.png").read_bytes())
    assert contents.problems == ()
    assert PACKET in [block.data for block in contents.blocks if block.kind is Kind.XMP]
    assert any(block.data[:4] in (b"II*\0", b"MM\0*") for block in contents.blocks if block.kind is Kind.EXIF)


def test_real_files_are_readable_and_keep_what_they_carry(cases: Path, tmp_path: Path) -> None:
    paths = [path for path in sorted(cases.glob("[1-5]*/*")) if path.read_bytes()[:4] == b"\x89PNG"]
    assert len(paths) > 20
    outputs = []
    for number, path in enumerate(paths):
        data = path.read_bytes()
        contents = png.read(data)
        assert contents.problems == (), path.name
        assert not any(block.problem for block in contents.blocks), path.name
        with Image.open(path) as picture:
            # Pillow counts a still picture outside the animation as its first frame; acTL does not.
            expected = (picture.size, getattr(picture, "n_frames", 1) - getattr(picture, "default_image", False))
        assert ((contents.width, contents.height), contents.frames) == expected
        outputs.append(tmp_path / f"{number}.png")
        outputs[-1].write_bytes(write(data, xmp=PACKET))
    old, new = exiftool(*paths), exiftool(*outputs)
    for path, before, after in zip(paths, old, new, strict=True):
        assert after["XMP-dc:Source"], path.name
        assert foreign(after) == foreign(before), path.name


def test_an_animation_keeps_its_frames(cases: Path) -> None:
    data = (cases / "5_ordinary/pillow_apng_delay.png").read_bytes()
    assert pixels(write(data, xmp=PACKET)) == pixels(data)


def test_a_stream_that_breaks_off_is_a_problem(cases: Path) -> None:
    contents = png.read((cases / "6_corrupt/pillow_broken_data_stream.png").read_bytes())
    assert contents.problems
