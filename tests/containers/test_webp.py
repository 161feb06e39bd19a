"""WebP beyond the battery: layouts made by hand, flags, padding, and real files."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, features

from labeling import Labeler, containers
from labeling.containers import Changes, Kind
from labeling.errors import LabelingError

from ..marks.signing import codes, signer, witness
from .battery import PACKET, coded, encoded, exif, exiftool, foreign, held, icc, noise, pixels, webp_full


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the name and body of every chunk, read without the module under test."""
    found, at = [], 12
    while at + 8 <= 8 + int.from_bytes(data[4:8], "little"):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + (size & 1)
    return found


def write(data: bytes, **changes: Any) -> bytes:
    return b"".join(containers.rewrite(data, containers.read(data), Changes(**changes)))


def test_the_encoder_is_there() -> None:
    assert features.check("webp")


@pytest.mark.parametrize(
    ("mode", "options", "alpha"),
    [("RGB", {}, False), ("RGB", {"lossless": True}, False), ("RGBA", {"lossless": True}, True)],
)
def test_the_simple_layout_becomes_the_extended_one(mode: str, options: dict[str, bool], alpha: bool) -> None:
    before = encoded(noise(51, 37).convert(mode), "WEBP", **options)
    if mode == "RGBA":
        picture = noise(51, 37).convert("RGBA")
        picture.putalpha(100)
        before = riff(*(chunk(*each) for each in chunks(encoded(picture, "WEBP", **options)) if each[0] == b"VP8L"))
    assert [name for name, _ in chunks(before)] in ([b"VP8 "], [b"VP8L"])
    (_, header), *rest = chunks(write(before, xmp=PACKET))
    assert header == bytes((0x04 | 0x10 * alpha, 0, 0, 0)) + (50).to_bytes(3, "little") + (36).to_bytes(3, "little")
    assert rest == [*chunks(before), (b"XMP ", PACKET)]
    assert pixels(write(before, xmp=PACKET)) == pixels(before)


def test_chunks_stay_in_the_order_of_the_specification() -> None:
    before = encoded(noise(), "WEBP", icc_profile=icc())
    after = write(write(before, xmp=PACKET), exif=exif()[6:])
    assert [name for name, _ in chunks(after)] == [b"VP8X", b"ICCP", b"VP8 ", b"EXIF", b"XMP "]
    assert chunks(after)[0][1][0] == 0x20 | 0x08 | 0x04
    with Image.open(io.BytesIO(after)) as picture:
        assert picture.getexif()[0x010F] == "a camera"
        assert picture.info["xmp"] == PACKET


def test_unknown_chunks_and_bytes_behind_the_file_stay() -> None:
    odd, simple = chunk(b"odd!", b"123"), chunks(encoded(noise(), "WEBP"))[0]
    before = riff(chunk(*simple), odd) + b"trailer"
    contents = containers.read(before)
    assert (contents.problems, len(contents.warnings)) == ((), 1)
    after = write(before, xmp=PACKET)
    assert after.endswith(odd + b"trailer")
    assert [name for name, _ in chunks(after)] == [b"VP8X", b"VP8 ", b"XMP ", b"odd!"]


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("behind", [b"junk!", b"trailer!"])
def test_a_signed_file_keeps_what_is_behind_it(behind: bytes, visible: bool) -> None:
    labeler = Labeler("my-service", visible=visible, signer=signer())
    first = labeler.label_image(encoded(noise(400, 300), "WEBP") + behind)
    second = labeler.label_image(first.data)  # takes the place of the first manifest
    for made in (first, second):
        assert made.lost == ()
        assert made.data.endswith(behind)
        names = [name for name, _ in chunks(made.data)]
        assert (names[-1], names.count(b"C2PA")) == (b"C2PA", 1)
        assert codes(witness(made.data, "image/webp")) == {"signingCredential.untrusted"}
        Image.open(io.BytesIO(made.data)).load()


def test_a_forgotten_padding_byte_is_supplied() -> None:
    simple = chunks(encoded(noise(), "WEBP"))[0]
    header = chunk(b"VP8X", b"\x08\0\0\0" + struct.pack("<HBHB", 47, 0, 39, 0))
    whole = riff(header, chunk(*simple), chunk(b"EXIF", exif()[6:] + b"x" * (len(exif()) + 1 & 1)))
    before = whole[:4] + struct.pack("<I", len(whole) - 9) + whole[8:-1]
    assert containers.read(before).problems == ()
    after = write(before, xmp=PACKET)
    assert chunks(after)[-1] == (b"XMP ", PACKET)
    assert len(after) == 8 + int.from_bytes(after[4:8], "little")


def test_a_wrongly_spelled_xmp_chunk_is_read_and_set_right() -> None:
    before = webp_full().replace(b"XMP ", b"XMP\0")
    (block,) = [block for block in containers.read(before).blocks if block.kind is Kind.XMP]
    assert block.data.startswith(b"<?xpacket")
    assert [name for name, _ in chunks(write(before, xmp=PACKET))][-1] == b"XMP "


def test_exif_is_given_without_its_prefix() -> None:
    simple = chunks(encoded(noise(), "WEBP"))[0]
    for prefix in (b"", b"Exif\0\0"):
        (block,) = containers.read(riff(chunk(*simple), chunk(b"EXIF", prefix + exif()[6:]))).blocks
        assert (block.kind, block.data) == (Kind.EXIF, exif()[6:])


def test_the_flag_goes_with_the_last_chunk_of_its_kind() -> None:
    data = webp_full()
    (block,) = [block for block in containers.read(data).blocks if block.kind is Kind.EXIF]
    after = write(data, drop=(block,))
    assert chunks(after)[0][1][0] & 0x08 == 0
    assert chunks(data)[0][1][0] & 0x08 == 0x08


def test_a_chunk_that_claims_four_gigabytes_is_said() -> None:
    broken = bytearray(encoded(noise(), "WEBP"))
    broken[16:20] = b"\xff\xff\xff\xff"
    contents = containers.read(bytes(broken))
    assert "says it holds 4294967295 bytes" in contents.problems[0]
    with pytest.raises(LabelingError, match="cannot be read in full"):
        containers.rewrite(bytes(broken), contents, Changes(xmp=PACKET))


def test_real_files_keep_everything(cases: Path, tmp_path: Path) -> None:
    paths = [*sorted((cases / "5_ordinary").glob("*.webp")), *sorted((cases / "2_c2pa").glob("*.webp"))]
    assert len(paths) >= 4
    for path in paths:
        before = path.read_bytes()
        after = write(before, xmp=PACKET)
        (tmp_path / "after.webp").write_bytes(after)
        old, new = exiftool(path, tmp_path / "after.webp")
        assert new["XMP-dc:Source"], path.name
        assert foreign(new) == foreign(old), path.name
        assert coded(after, containers.read(after)) == coded(before, containers.read(before)), path.name
        kept = held(containers.read(before).blocks, but=Kind.XMP)
        assert held(containers.read(after).blocks, but=Kind.XMP) == kept, path.name
        assert pixels(after) == pixels(before), path.name
