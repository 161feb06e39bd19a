"""What is said of pictures whose coding changes with the label: JPEG, GIF, HEIC and AVIF."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from labeling import Labeler

from .pictures import rgb
from .programs import require

PRODUCER = "001191110102MACQD9K64010000"


def _saved(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
def test_restart_markers_that_a_jpeg_loses_are_mentioned(progressive: bool) -> None:
    plain = Labeler(PRODUCER).label_image(_saved(rgb(), progressive=progressive))
    source = _saved(rgb(), restart_marker_rows=1, progressive=progressive)
    made = Labeler(PRODUCER).label_image(source)
    assert b"\xff\xdd\0\4" in source and b"\xff\xdd\0\4" not in made.data
    assert "its restart markers were left out" in made.how[0] and "restart" not in plain.how[0]
    kept = Labeler(PRODUCER, visible=False).label_image(source)
    assert b"\xff\xdd\0\4" in kept.data and "restart" not in " ".join(kept.how)


def _short_table(number: int) -> bytes:
    """Make a GIF of two colours whose data name ``number``, with codes of nine bits as of 256 colours."""
    size = 320, 240
    head = b"GIF89a" + size[0].to_bytes(2, "little") + size[1].to_bytes(2, "little") + b"\x80\0\0" + b"\xff\0\0\0\0\xff"
    frame = b"," + bytes(4) + size[0].to_bytes(2, "little") + size[1].to_bytes(2, "little") + b"\0\x08"
    codes, bits, held, packed = [], 0, 0, bytearray()
    for at in range(size[0] * size[1]):
        codes += [256] if at % 200 == 0 else []
        codes.append(number if at % 7 == 0 else at % 2)
    for code in [*codes, 257]:
        held, bits = held | code << bits, bits + 9
        while bits >= 8:
            packed.append(held & 255)
            held, bits = held >> 8, bits - 8
    packed.append(held)
    parts = [bytes(packed[at : at + 255]) for at in range(0, len(packed), 255)]
    return head + frame + b"".join(bytes([len(part)]) + part for part in parts) + b"\0;"


def _shown(data: bytes, path: Path) -> NDArray[np.uint8]:
    path.write_bytes(data)
    command = [require("ffmpeg"), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgba", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    pixels = np.frombuffer(raw, np.uint8).reshape(240, 320, 4)[:120]
    return np.where(pixels[..., 3:] > 0, pixels, 0)


@pytest.mark.needs("ffmpeg")
def test_viewers_differ_where_a_gif_has_a_colour_number_beyond_its_table(tmp_path: Path) -> None:
    source, ordinary = _short_table(9), _short_table(1)
    made = Labeler(PRODUCER).label_image(source)
    assert "viewers differ" in made.how[0] and "not in its table" in made.how[0]
    (how,) = Labeler(PRODUCER).label_image(ordinary).how
    assert how == "GIF frames re-encoded; no colour outside the label changed"
    before, after = (_shown(data, tmp_path / "a.gif") for data in (source, made.data))
    assert np.array_equal(before, after) and not before[..., 3].all()
    before, after = (np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))[:120] for data in (source, made.data))
    assert before[..., 3].all() and not np.array_equal(before, after)  # Pillow shows black there


def test_a_number_beyond_the_table_that_stands_for_nothing_is_no_dispute() -> None:
    data = _short_table(9)
    at = data.index(b",")
    clear = data[:at] + b"!\xf9\x04\x01\0\0\x09\0" + data[at:]
    assert "viewers differ in what it shows" not in Labeler(PRODUCER).label_image(clear).how[0]


def _heif(image: Image.Image, format: str) -> bytes:
    out = io.BytesIO()
    if format == "AVIF":
        image.save(out, "AVIF")
    else:
        pillow_heif.from_pillow(image).save(out, quality=85)
    return out.getvalue()


@pytest.mark.parametrize("format", ["AVIF", "HEIC"])
def test_an_alpha_channel_that_is_encoded_again_is_mentioned(format: str) -> None:
    clear = rgb().convert("RGBA")
    clear.putalpha(40)
    assert "the alpha channel was re-encoded too" in Labeler(PRODUCER).label_image(_heif(clear, format)).how[0]
    assert "alpha" not in Labeler(PRODUCER).label_image(_heif(rgb(), format)).how[0]
