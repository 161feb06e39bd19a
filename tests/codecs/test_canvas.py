"""PNG from memory without a copy of the picture: the same file as with one, and the picture stays as it is."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from labeling import Labeler
from labeling.codecs import _encoders, _memory, canvas, encode
from labeling.containers import formats

from .stamp import Stamp

GRAY = {"L", "LA", "1", "I;16", "I", "F"}
MODES = [
    "RGB",
    "RGBA",
    "L",
    "LA",
    "P",
    "PA",
    "1",
    "CMYK",
    "YCbCr",
    "HSV",
    "I;16",
    "I",
    "F",
    "transparent P",
    "keyed RGB",
]
PNG = formats.encoding_named("png")


def _picture(mode: str) -> Image.Image:
    rng = np.random.default_rng(7)
    pixels = np.repeat(np.repeat(rng.integers(0, 256, (70, 11, 4), np.uint8), 10, axis=0), 40, axis=1)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 251)
    plain = Image.fromarray(pixels[..., :3])
    if mode in ("transparent P", "keyed RGB"):
        made = plain.quantize(64) if mode == "transparent P" else plain
        made.info["transparency"] = 5 if mode == "transparent P" else plain.getpixel((0, 0))
        return made
    if mode == "PA":
        return plain.quantize(64).convert("PA")
    return Image.fromarray(pixels).convert(mode) if mode in ("RGBA", "LA") else plain.convert(mode)


def _on_a_copy(image: Image.Image, painter: Stamp) -> bytes:
    own, _ = _memory.prepare(image, replace(PNG, by_rows=False), 10**8)
    assert isinstance(own, Image.Image)
    _memory.lay(own, painter, _memory.orientation_of(own))
    return _encoders.png_file(own, None, False)[0]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("mode", MODES)
def test_the_file_is_that_of_a_copy(mode: str, orientation: int, stamp: type[Stamp]) -> None:
    image = _picture(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    pixels, info = image.tobytes(), dict(image.info)
    made = encode(image, "png", stamp(gray=mode in GRAY)).data
    assert made == _on_a_copy(image, stamp(gray=mode in GRAY))
    assert image.tobytes() == pixels and image.info == info


@pytest.mark.parametrize("channels", [0, 3, 4])
@pytest.mark.parametrize("order", ["C", "F", "flipped", "view"])
def test_an_array_gives_the_file_of_its_picture(channels: int, order: str, stamp: type[Stamp]) -> None:
    image = _picture({0: "L", 3: "RGB", 4: "RGBA"}[channels])
    array: NDArray[np.uint8] = np.asarray(image).copy()
    if order == "F":
        array = np.asfortranarray(array)
    elif order == "flipped":
        array = np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    elif order == "view":
        array = np.repeat(array, 2, axis=1)[:, ::2]
    before = array.copy()
    array.flags.writeable = False
    assert encode(array, "png", stamp(gray=not channels)).data == _on_a_copy(image, stamp(gray=not channels))
    assert np.array_equal(array, before)


def test_no_copy_is_made(monkeypatch: pytest.MonkeyPatch, stamp: type[Stamp]) -> None:
    """Pillow's picture is not copied whole, nor an array made a picture: parts of it are."""
    most = 0
    real = canvas.Canvas.rows

    def rows(self: canvas.Canvas, top: int, bottom: int) -> NDArray[np.uint8]:
        nonlocal most
        most = max(most, bottom - top)
        return real(self, top, bottom)

    copied = Image.Image.copy

    def copy(self: Image.Image) -> Image.Image:
        assert self.height < 900, "the picture is copied"
        return copied(self)

    image = _picture("RGB").resize((900, 1000))
    monkeypatch.setattr(canvas.Canvas, "rows", rows)
    monkeypatch.setattr(Image.Image, "copy", copy)
    for source in (image, np.asarray(image)):
        assert isinstance(_memory.prepare(source, PNG, 10**8)[0], canvas.Canvas)
        encode(source, "png", stamp())
    assert 0 < most < 200


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is reset and read in /proc")
@pytest.mark.parametrize("source", ["picture", "array"])
def test_memory_beside_the_picture_is_bounded(source: str) -> None:
    """As much as the file, which is not held twice, and some rows: 4 bytes a pixel are enough for noise."""
    code = """
import numpy as np, sys
from PIL import Image
import labeling
labeler = labeling.Labeler("my-service", visible=False)
labeler.label_image(Image.new("RGB", (300, 300)))
pixels = np.random.default_rng(1).integers(0, 256, (2500, 2500, 3), np.uint8)
source = pixels
if sys.argv[1] == "picture":
    source = Image.fromarray(pixels)
def status(name):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(name))
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
made = labeler.label_image(source)
print((status("VmHWM") - before) / 2500**2, len(made.data) / 2500**2)
"""
    done = subprocess.run([sys.executable, "-c", code, source], capture_output=True, text=True, check=True)
    peak, file = map(float, done.stdout.split())
    assert file > 2.9
    assert peak < 4


def _clear_palette() -> Image.Image:
    """A picture whose palette, and nothing else, holds its transparency, as Pillow makes them from raw data."""
    image = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (200, 1))).convert("P")
    image.putpalette(bytes(value for i in range(256) for value in (i, 255 - i, 90, max(16, i))), "RGBA")
    return image


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_transparency_of_a_palette_s_own_stays(kind: str) -> None:
    image = _clear_palette()
    made = Labeler("001191110102MACQD9K64010000").label_image(image, kind, lossless=True)
    opened = Image.open(io.BytesIO(made.data)).convert("RGBA")
    assert np.array_equal(np.asarray(opened)[:60], np.asarray(image.convert("RGBA"))[:60])


@pytest.mark.parametrize("kind", ["jpeg", "gif"])
def test_transparency_of_a_palette_s_own_that_is_lost_is_named(kind: str) -> None:
    made = Labeler("001191110102MACQD9K64010000").label_image(_clear_palette(), kind)
    assert "transparen" in " ".join((*made.how, *map(str, made.lost)))
