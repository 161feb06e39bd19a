"""GIF extensions: XMP with and without its trailer, versions, loops and C2PA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labeling.containers import Changes, Kind, gif
from labeling.errors import LabelingError

from .battery import OLD_PACKET, PACKET, encoded, exiftool, gif_animated, icc, noise, pixels


def still() -> bytes:
    return b"GIF89a" + encoded(noise().quantize(32), "GIF")[6:]


def behind_table(data: bytes) -> int:
    return 13 + (3 << ((data[10] & 7) + 1))


def with_extension(extension: bytes) -> bytes:
    data = still()
    at = behind_table(data)
    return data[:at] + extension + data[at:]


def sub_blocks(content: bytes) -> bytes:
    parts = [content[at : at + 255] for at in range(0, len(content), 255)]
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(gif.rewrite(data, gif.read(data), Changes(**changes)))


XMP = b"\x21\xff\x0bXMP DataXMP"


def test_the_trailer_is_the_one_of_the_specification() -> None:
    assert len(gif.MAGIC_TRAILER) == 258
    assert gif.MAGIC_TRAILER[:3] == b"\x01\xff\xfe"
    assert gif.MAGIC_TRAILER[-3:] == b"\x01\0\0"


def test_an_87a_becomes_89a_only_when_written() -> None:
    data = bytearray(still())
    data[3:6] = b"87a"
    assert write(bytes(data)) == bytes(data)
    assert write(bytes(data), xmp=PACKET)[:6] == b"GIF89a"


def test_the_loop_stays_first_and_the_packet_stands_before_the_images(tmp_path: Path) -> None:
    after = write(gif_animated(), xmp=PACKET)
    contents = gif.read(after)
    assert [block.keyword for block in contents.blocks if block.kind is not Kind.COMMENT] == [
        "NETSCAPE2.0",
        "XMP DataXMP",
    ]
    assert contents.blocks[0].offset == behind_table(after)
    assert contents.blocks[1].offset < contents.coded[0][0]
    (tmp_path / "a.gif").write_bytes(after)
    (tags,) = exiftool(tmp_path / "a.gif")
    assert (tags["GIF:FrameCount"], tags["GIF:AnimationIterations"]) == (3, "Infinite")


@pytest.mark.parametrize(
    "extension",
    [
        XMP + OLD_PACKET + gif.MAGIC_TRAILER,
        XMP + sub_blocks(OLD_PACKET),
        XMP + OLD_PACKET + b"\0",
    ],
    ids=["raw", "sub-blocks", "no-trailer"],
)
def test_a_packet_is_read_and_replaced_in_every_form(extension: bytes) -> None:
    data = with_extension(extension)
    contents = gif.read(data)
    assert [(block.kind, block.data, block.problem) for block in contents.blocks] == [(Kind.XMP, OLD_PACKET, "")]
    assert contents.problems == ()
    after = write(data, xmp=PACKET)
    assert [block.data for block in gif.read(after).blocks] == [PACKET]
    assert after == with_extension(XMP + PACKET + gif.MAGIC_TRAILER)
    assert pixels(after) == pixels(still())


def test_a_packet_behind_the_images_moves_to_the_front() -> None:
    data = still()[:-1] + XMP + OLD_PACKET + gif.MAGIC_TRAILER + b";"
    assert gif.read(data).blocks[0].late
    (block,) = gif.read(write(data, xmp=PACKET)).blocks
    assert (block.data, block.late) == (PACKET, False)


@pytest.mark.parametrize(
    ("identifier", "kind", "content"),
    [
        (b"ICCRGBG1012", Kind.ICC, icc()),
        (b"C2PA_GIF\1\0\0", Kind.C2PA, b"\0\0\0\x08jumb" * 99),
        (b"MAKER  1.00", Kind.APP, b"anything"),
    ],
)
def test_application_extensions(identifier: bytes, kind: Kind, content: bytes) -> None:
    (block,) = gif.read(with_extension(b"\x21\xff\x0b" + identifier + sub_blocks(content))).blocks
    assert (block.kind, block.data) == (kind, content)
    assert block.keyword == {Kind.C2PA: "C2PA_GIF"}.get(kind, identifier.decode())


def test_a_signed_file_of_others(cases: Path) -> None:
    data = (cases / "2_c2pa/encypher_image_gif_signed_test.gif").read_bytes()
    (block,) = gif.read(data).blocks
    assert (block.kind, block.data[4:8]) == (Kind.C2PA, b"jumb")
    assert int.from_bytes(block.data[:4], "big") == len(block.data)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"GIF89a", "within its header"),
        (still()[:40], "within its header"),
        (still()[:-20], "within a block"),
        (still()[: behind_table(still())] + b"x", "no block at offset"),
        (still()[: behind_table(still())] + b";", "no image"),
        (b"not a GIF", "signature"),
    ],
)
def test_damage_is_said(data: bytes, problem: str) -> None:
    assert problem in " ".join(gif.read(data).problems)


def test_a_missing_trailer_and_bytes_behind_it_are_warnings() -> None:
    assert gif.read(still()[:-1]).warnings == ("the trailer that ends a GIF is missing",)
    assert gif.read(still() + b"more").warnings == ("4 bytes follow the trailer; they are kept",)
    assert write(still() + b"more", xmp=PACKET).endswith(b";more")


def test_what_gif_cannot_hold_is_refused() -> None:
    with pytest.raises(LabelingError, match="NUL"):
        write(still(), xmp=PACKET.decode().encode("utf-16"))
    with pytest.raises(LabelingError, match="no place for EXIF"):
        write(still(), exif=b"II*\0")
