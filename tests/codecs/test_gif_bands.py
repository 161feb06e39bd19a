"""Large GIF files are painted in bands of rows: the same file, in a fraction of the memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeling.codecs import paint_file
from tests import hostile_files

from .stamp import Stamp


def animation(seed: int, *, calm: bool) -> bytes:
    """Make an animation of random rectangles, disposal methods, tables, holes and delays.

    A calm one never becomes transparent where it was not, nor is a frame of it taken back: Pillow shows that in a way
    of its own.
    """
    random = np.random.default_rng(seed)
    width, height = (int(each) for each in random.integers(30, 70, 2))
    colours = (4, 12, 36)[seed % 3]
    parts = [b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + random.bytes(768)]
    for number in range(6 if seed % 4 else 1):
        left, top = (int(random.integers(0, each // 2)) if number % 2 else 0 for each in (width, height))
        wide, high = width - left, height - top
        own, hole, dispose = (int(random.integers(0, most)) for most in (2, 2, 4))
        if calm:
            hole, dispose = hole and number > 0, dispose if dispose < 2 and number else 1
        control = struct.pack(
            "<BHBB", dispose << 2 | hole, int(random.integers(0, 3)), int(random.integers(colours)), 0
        )
        frame = struct.pack("<HHHHB", left, top, wide, high, 0x87 * own) + random.bytes(768) * own
        image = Image.fromarray(random.integers(0, colours, (high, wide), np.uint8))
        parts += [b"!\xf9\4", control, b",", frame, b"\x08", image.tobytes("gif", ("L", 8, 0)), b"\0"]
    return b"".join([*parts, b";"])


def canvases(data: bytes) -> list[tuple[object, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]]:
    found = []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            shown = np.array(image.convert("RGBA"))
            shown[shown[..., 3] == 0] = 0
            found.append((image.info.get("duration", 0), shown))
    return found


@pytest.mark.parametrize("calm", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_bands_change_nothing(seed: int, calm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = animation(seed, calm=calm)
    whole = paint_file(data, "gif", Stamp())
    monkeypatch.setattr("labeling.codecs.gif.play._BAND", 300)
    monkeypatch.setattr("labeling.codecs.gif.blocks._MANY", 100)
    banded = paint_file(data, "gif", Stamp())
    assert banded == whole
    left, top, right, bottom = banded.box
    before, after = canvases(data), canvases(banded.data)
    assert len(before) == len(after)
    if not calm:
        return
    for (delay, old), (later, new) in zip(before, after, strict=True):
        assert delay == later
        old[top:bottom, left:right] = new[top:bottom, left:right]
        assert np.array_equal(old, new)


_PAINT = """
import sys, labeling
data = open(sys.argv[1], "rb").read()
made = labeling.Labeler(producer="001191000000MA00DEM00P10001").label_image(data)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(int(peak) >> 10, len(made.data))
"""


def test_a_gif_of_100_megapixels_is_painted_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.gif"
    file.write_bytes(hostile_files.MAKERS["gif-large-canvas"]())
    run = subprocess.run([sys.executable, "-c", _PAINT, str(file)], capture_output=True, text=True, check=True)
    assert int(run.stdout.split()[0]) <= 900, "in RGBA, a single copy takes 400"
