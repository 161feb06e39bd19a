"""PNG chunks that depend on the colour type: kept, made anew or named when the label changes that type."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from labeling import LabeledImage, Labeler, WouldLose
from labeling.containers.png_chunks import SIGNATURE, chunk, walk

from .pictures import rgb
from .programs import require

PRODUCER = "001191110102MACQD9K64010000"
COUNTS = b"\0\1" * 5


def _png(colour: int, depth: int, samples: NDArray[Any], *ahead: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", samples.shape[1] * 8 // depth if colour in (0, 3) else samples.shape[1],
                         samples.shape[0], depth, colour, 0, 0, 0)  # fmt: skip
    rows = samples.reshape(len(samples), -1)
    data = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).astype(np.uint8).tobytes())
    return b"".join([SIGNATURE, chunk(b"IHDR", header), *ahead, chunk(b"IDAT", data), chunk(b"IEND", b"")])


def _gray(depth: int, *ahead: bytes, top: int = 256) -> bytes:
    return _png(0, depth, np.random.default_rng(1).integers(0, top, (240, 320 * depth // 8)), *ahead)


def _palette(*ahead: bytes, entries: int, depth: int) -> bytes:
    table = np.random.default_rng(2).integers(0, 256, entries * 3).astype(np.uint8).tobytes()
    top = 256 if depth < 8 else entries
    samples = np.random.default_rng(1).integers(0, top, (240, 320 * depth // 8))
    bits = next((each for each in ahead if each[4:8] == b"sBIT"), b"")
    rest = [each for each in ahead if each is not bits]
    return _png(3, depth, samples, bits, chunk(b"PLTE", table), *rest)


def _bodies(data: bytes) -> dict[bytes, bytes]:
    return {name: data[start + 8 : end - 4] for name, start, end in walk(data)}


def _labelled(data: bytes, tmp_path: Path) -> LabeledImage:
    made = Labeler(PRODUCER).label_image(data)
    (tmp_path / "made.png").write_bytes(made.data)
    run = [require("pngfix"), str(tmp_path / "made.png")]
    assert "OK" in subprocess.run(run, capture_output=True, text=True, check=False).stdout
    said = [require("convert"), str(tmp_path / "made.png"), "null:"]
    warned = subprocess.run(said, capture_output=True, text=True, check=True).stderr
    assert not warned, warned
    return made


@pytest.mark.needs("pngfix", "convert")
@pytest.mark.parametrize("key", [False, True], ids=["same colour type", "becomes RGBA"])
@pytest.mark.parametrize("colour", [2, 6])
def test_a_suggested_palette_stays_with_its_histogram(colour: int, key: bool, tmp_path: Path) -> None:
    samples = np.asarray(rgb().convert("RGB" if colour == 2 else "RGBA")).copy()
    ahead = [chunk(b"PLTE", b"\1\2\3" * 5), chunk(b"hIST", COUNTS)]
    if key and colour == 2:
        samples[-60:, -160:] = 7, 8, 9
        ahead.insert(1, chunk(b"tRNS", b"\0\7\0\10\0\11"))
    made = _labelled(_png(colour, 8, samples, *ahead), tmp_path)
    found = _bodies(made.data)
    assert found[b"IHDR"][9] == (6 if key else colour)
    assert found[b"PLTE"] == b"\1\2\3" * 5 and found[b"hIST"] == COUNTS
    names = [name for name, _, _ in walk(made.data)]
    assert names.index(b"PLTE") < names.index(b"hIST") < names.index(b"IDAT") and not made.lost


@pytest.mark.needs("pngfix", "convert")
@pytest.mark.parametrize(("entries", "depth", "becomes"), [(10, 4, 3), (256, 8, 6)])
def test_a_histogram_of_a_palette_that_changed_is_named(entries: int, depth: int, becomes: int, tmp_path: Path) -> None:
    bits, counts = chunk(b"sBIT", b"\5\6\5"), chunk(b"hIST", b"\0\1" * entries)
    table = {"entries": entries, "depth": depth}
    source = _palette(bits, chunk(b"bKGD", b"\3"), counts, **table) if depth == 8 else _few(bits, counts)
    made = _labelled(source, tmp_path)
    found = _bodies(made.data)
    assert found[b"IHDR"][9] == becomes and b"hIST" not in found
    assert any("hIST" in str(loss) for loss in made.lost)
    assert found[b"sBIT"] == (b"\5\6\5" if becomes == 3 else b"\5\6\5\x08")
    with pytest.raises(WouldLose, match="hIST"):
        Labeler(PRODUCER, strict=True).label_image(source)
    if becomes == 3:
        assert found[b"IHDR"][8] == 8 and "4-bit palette became 8-bit" in made.how[0]


def _few(bits: bytes, counts: bytes) -> bytes:
    table = bytes(range(30))
    return _png(3, 4, np.full((240, 160), 0x12), bits, chunk(b"PLTE", table), counts)


@pytest.mark.needs("pngfix", "convert")
@pytest.mark.parametrize(("depth", "bits", "wanted"), [(4, b"\3", b"\3"), (8, b"\5", b"\5\5\5\x08"), (8, b"\0", None)])
def test_significant_bits_are_those_of_the_new_colour_type(
    depth: int, bits: bytes, wanted: bytes | None, tmp_path: Path
) -> None:
    ahead = [chunk(b"sBIT", bits)]
    if len(wanted or b"1234") == 4:
        ahead.append(chunk(b"tRNS", b"\0\0"))
    made = _labelled(_gray(depth, *ahead), tmp_path)
    found = _bodies(made.data)
    assert found.get(b"sBIT") == wanted
    with Image.open(io.BytesIO(made.data)) as image:
        image.load()
