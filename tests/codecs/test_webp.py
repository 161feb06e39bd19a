"""A label on WebP: chunks, timing, coding and quality stay. Judged by webpinfo, webpmux and Pillow."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import labeling
from labeling import containers
from labeling.codecs import paint_file
from labeling.codecs.webp.chunks import quality_of
from tests import programs

from .heif_files import photo
from .stamp import QUARTERS, Quarters, Save, Stamp


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(width: int, height: int, flags: int = 0) -> bytes:
    return chunk(
        b"VP8X", bytes((flags, 0, 0, 0)) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    )


def coded(image: Image.Image, **options: Any) -> bytes:
    """The one chunk of a picture without alpha."""
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()[12:]


def info(folder: Path, data: bytes) -> list[str]:
    """What webpinfo lists, sizes and offsets apart."""
    path = folder / "asked.webp"
    path.write_bytes(data)
    said = subprocess.run([programs.require("webpinfo"), str(path)], check=True, capture_output=True, text=True).stdout
    assert "No error detected" in said
    return [line.split(" at offset")[0] for line in said.splitlines()[1:] if "Size" not in line and "size" not in line]


@pytest.mark.parametrize("flags", [0, 0x04])
@pytest.mark.parametrize("options", [{"quality": 60}, {"lossless": True, "exact": True}])
def test_chunks_of_others_stay_to_the_byte(flags: int, options: dict[str, Any], tmp_path: Path) -> None:
    rest = [
        chunk(b"XYZW", b"hello"),
        chunk(b"XMP ", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
        chunk(b"ZZZZ", b"behind"),
    ]
    source = (
        riff(extended(160, 120, flags), chunk(b"FRST", b"before"), coded(photo(160, 120), **options), *rest) + b"tail"
    )
    painted = paint_file(source, "webp", Stamp())
    assert painted.data.endswith(b"".join(rest) + b"tail")
    assert painted.data[12:44] == source[12:44]
    if flags:  # webpinfo refuses XMP that the header does not announce
        assert info(tmp_path, source) == info(tmp_path, painted.data)
    assert painted.lossless == ("lossless" in options)
    before, after = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int) for data in (source, painted.data)
    )
    left, top, right, bottom = painted.box
    difference = np.abs(before - after)
    difference[top - 2 : bottom + 2, left - 2 : right + 2] = 0
    assert difference.max() == 0 if painted.lossless else difference.mean() < 3


@pytest.mark.parametrize("method", [0, 4, 6])
@pytest.mark.parametrize("quality", [15, 40, 60, 75, 85, 95, 100])
def test_quality_is_told_from_the_quantiser(quality: int, method: int) -> None:
    data = coded(photo(200, 150), quality=quality, method=method)
    told = quality_of(data[8:])
    assert told is not None
    assert abs(told - quality) <= 15
    painted = paint_file(riff(data), "webp", Stamp(fixed=(150, 120, 190, 140)))
    assert 0.5 < len(painted.data) / len(data) < 1.25
    assert quality_of(b"no picture at all") is None


def test_alpha_of_a_lossy_picture_stays(quarters: Quarters) -> None:
    image = photo(160, 120)
    image.putalpha(Image.fromarray(np.add.outer(np.zeros(120), np.arange(160)).astype(np.uint8)))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=70)
    painted = paint_file(out.getvalue(), "webp", Stamp())
    after = np.asarray(Image.open(io.BytesIO(painted.data)))
    left, top, right, bottom = painted.box
    assert after[top:bottom, left:right, 3].min() == 255
    alpha = np.array(image)[..., 3]
    alpha[top:bottom, left:right] = 255
    assert np.array_equal(after[..., 3], alpha)
    assert np.abs(quarters(after[..., :3], painted.box) - QUARTERS).max() < 40


def frames_of(data: bytes) -> tuple[list[Any], list[int]]:
    image = Image.open(io.BytesIO(data))
    found, times = [], []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        found.append(np.asarray(image.convert("RGBA")).astype(int))
        times.append(image.info["duration"])
    return found, times


def anmf(picture: bytes, left: int, top: int, width: int, height: int, duration: int, flags: int) -> bytes:
    numbers = (left // 2, top // 2, width - 1, height - 1, duration)
    head = b"".join(struct.pack("<I", number)[:3] for number in numbers)
    return chunk(b"ANMF", head + bytes((flags,)) + picture + chunk(b"NOTE", b"in a frame"))


@pytest.mark.parametrize("clears", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
def test_animation(clears: bool, lossless: bool, tmp_path: Path, quarters: Quarters) -> None:
    options: dict[str, Any] = {"lossless": True} if lossless else {"quality": 80}
    small = coded(photo(40, 30, 3), **options)
    frames = [
        anmf(coded(photo(160, 120), **options), 0, 0, 160, 120, 40, 2),
        anmf(small, 4, 6, 40, 30, 70, 2),  # away from the label
        anmf(small, 90, 70, 40, 30, 110, 2 | clears),  # in it
        anmf(small, 10, 80, 40, 30, 333, 0),
    ]
    head = [extended(160, 120, 0x02), chunk(b"ANIM", b"\1\2\3\4" + struct.pack("<H", 7))]
    source = riff(*head, *frames, chunk(b"ABCD", b"odd"))
    painted = paint_file(source, "webp", Stamp())
    assert painted.frames == 4
    assert painted.lossless == lossless
    before, times = frames_of(source)
    after, new_times = frames_of(painted.data)
    assert times == new_times == [40, 70, 110, 333]
    left, top, right, bottom = painted.box
    for old, new in zip(before, after, strict=True):
        assert np.abs(quarters(new[..., :3], painted.box) - QUARTERS).max() < 40
        difference = np.abs(old - new)
        difference[top - 2 : bottom + 2, left - 2 : right + 2] = 0
        assert difference.max() == 0 if lossless else difference.mean() < 3
    assert head[1] in painted.data
    assert painted.data.endswith(chunk(b"ABCD", b"odd"))
    assert painted.data.count(b"in a frame") == 4
    untouched = [each for each in frames if each in painted.data]
    assert untouched == ([] if clears else [frames[1], frames[3]])
    if not clears:
        assert info(tmp_path, source) == info(tmp_path, painted.data)
    assert not containers.read(painted.data).problems


def test_animation_whose_first_frame_is_beside_the_label(save: Save, quarters: Quarters) -> None:
    picture = coded(photo(40, 30), lossless=True)
    source = riff(
        extended(160, 120, 0x12), chunk(b"ANIM", bytes(6)),
        anmf(picture, 0, 0, 40, 30, 50, 0), anmf(picture, 60, 20, 40, 30, 50, 1),
    )  # fmt: skip
    painted = paint_file(source, "webp", Stamp())
    before, after = frames_of(source)[0], frames_of(painted.data)[0]
    left, top, right, bottom = painted.box
    for old, new in zip(before, after, strict=True):
        assert np.abs(quarters(new[..., :3], painted.box) - QUARTERS).max() == 0
        difference = np.abs(old - new)[..., 3]
        difference[top:bottom, left:right] = 0
        assert difference.max() == 0


@pytest.mark.parametrize("options", [{"lossless": True, "exact": True}, {"quality": 70}])
@pytest.mark.parametrize("animated", [False, True])
def test_an_alpha_channel_that_is_opaque_throughout_stays(
    options: dict[str, Any], animated: bool, tmp_path: Path
) -> None:
    image = photo(160, 120)
    if "lossless" in options:
        body = bytearray(coded(image, **options)[8:])
        body[4] |= 0x10  # alpha_is_used
        pieces = chunk(b"VP8L", bytes(body))
    else:
        pieces = chunk(b"ALPH", b"\0" + b"\xff" * (160 * 120)) + coded(image, **options)
    if animated:
        source = riff(extended(160, 120, 0x12), chunk(b"ANIM", bytes(6)), *[anmf(pieces, 0, 0, 160, 120, 50, 0)] * 2)
    else:
        source = riff(extended(160, 120, 0x10), pieces)
    path = tmp_path / "opaque.webp"
    path.write_bytes(source)
    assert np.asarray(Image.open(path).convert("RGBA"))[..., 3].min() == 255
    labeled = labeling.Labeler("service", strict=True).label_file(path, tmp_path / "labelled.webp")
    assert labeled.lost == ()
    data = (tmp_path / "labelled.webp").read_bytes()
    told = info(tmp_path, data)
    assert sum("ALPH" in line for line in told) == sum("ALPH" in line for line in info(tmp_path, source))
    with Image.open(io.BytesIO(data)) as made:
        assert made.mode == "RGBA"
        assert np.asarray(made)[..., 3].min() == 255


@pytest.mark.parametrize("quality", [1, 40, 75, 100])
def test_a_lossy_still_is_encoded_to_the_bytes_that_pillow_makes(quality: int) -> None:
    out = io.BytesIO()
    y, x = np.mgrid[0:111, 0:203]
    Image.fromarray(np.stack([x, 2 * y, x ^ y], axis=2).astype(np.uint8)).save(out, "WEBP", quality=60)
    painted = paint_file(out.getvalue(), "webp", Stamp(), quality=quality)
    with Image.open(io.BytesIO(out.getvalue())) as source:
        own = source.convert("RGB")
    box = painted.box
    overlay = Stamp().paint([np.asarray(own.crop(box))])
    own.paste(Image.fromarray(overlay).convert("RGB"), box[:2], Image.fromarray(overlay))
    wanted = io.BytesIO()
    own.save(wanted, "WEBP", quality=quality, method=4)
    assert painted.data == wanted.getvalue()
