"""What a GIF shows outside its label is as before, in every frame: judged by FFmpeg and ImageMagick."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from labeling.codecs import displayed_further, paint_file
from labeling.codecs.base import Painted
from tests import programs

from .stamp import Stamp

Shots = NDArray[np.uint8]
"""(n, H, W, 4) RGBA; what is transparent is 0."""


def animation(seed: int, *, hole: bool | None, first: tuple[int, ...] = (0, 1, 2)) -> tuple[bytes, int, int]:
    """Make an animation of random rectangles, disposal methods and tables; ``hole`` says whether frames have one."""
    random = np.random.default_rng(seed)
    width, height = (int(each) for each in random.integers(30, 70, 2))
    colours = (4, 12, 36)[seed % 3]
    parts = [b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, int(random.integers(colours)), 0)]
    parts.append(random.bytes(768))
    for number in range(6):
        left, top = (int(random.integers(0, each // 2)) if number else 0 for each in (width, height))
        wide, high = (each - (int(random.integers(0, 8)) if number else 0) for each in (width - left, height - top))
        own, clear = int(random.integers(0, 2)), int(random.integers(0, 2)) if hole is None else hole
        dispose = int(random.integers(0, 4)) if number else first[seed % len(first)]
        control = (dispose << 2 | clear, int(random.integers(2, 9)), int(random.integers(colours)), 0)
        interlaced = int(random.integers(0, 2)) << 6
        frame = struct.pack("<HHHHB", left, top, wide, high, 0x87 * own | interlaced) + random.bytes(768) * own
        rows = random.integers(0, colours, (high, wide), np.uint8)
        if interlaced:
            rows = np.concatenate([rows[start::step] for start, step in ((0, 8), (4, 8), (2, 4), (1, 2))])
        coded = Image.fromarray(rows).tobytes("gif", ("L", 8, 0))
        parts += [b"!\xf9\4", struct.pack("<BHBB", *control), b",", frame, b"\x08", coded, b"\0"]
    return b"".join([*parts, b";"]), width, height


def _shots(raw: bytes, width: int, height: int) -> Shots:
    shots = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 4).copy()
    shots[shots[..., 3] == 0] = 0
    return shots


def ffmpeg(data: bytes, width: int, height: int, folder: Path) -> Shots:
    path = folder / "asked.gif"
    path.write_bytes(data)
    command = [programs.require("ffmpeg"), "-v", "error", "-i", str(path), "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgba", "-"]
    return _shots(subprocess.run(command, check=True, capture_output=True).stdout, width, height)


def magick(data: bytes, width: int, height: int, folder: Path) -> Shots:
    path = folder / "asked.gif"
    path.write_bytes(data)
    command = [programs.require("convert"), str(path), "-coalesce", "-depth", "8", "rgba:-"]
    return _shots(subprocess.run(command, check=True, capture_output=True).stdout, width, height)


def pillow(data: bytes) -> Shots:
    with Image.open(io.BytesIO(data)) as image:
        raw = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            raw.append(image.convert("RGBA").tobytes())
        return _shots(b"".join(raw), *image.size)


def outside(shots: Shots, painted: Painted) -> Shots:
    left, top, right, bottom = painted.box
    kept = shots.copy()
    kept[:, top:bottom, left:right] = 0
    return kept


@pytest.mark.parametrize("seed", range(18))
def test_frames_with_a_transparent_colour_stay_for_every_player(seed: int, tmp_path: Path) -> None:
    data, width, height = animation(seed, hole=True)
    painted = paint_file(data, "gif", Stamp())
    for player in (ffmpeg, magick):
        before, after = player(data, width, height, tmp_path), player(painted.data, width, height, tmp_path)
        assert np.array_equal(outside(before, painted), outside(after, painted)), player.__name__
    assert "viewers differ" not in painted.how


@pytest.mark.parametrize("seed", range(18))
def test_a_copy_looks_the_same_in_every_player(seed: int, tmp_path: Path) -> None:
    """Also where a frame is cleared that has no transparent colour, and where the first one is taken back."""
    data, width, height = animation(seed, hole=None, first=(0, 1, 2, 3))
    painted = paint_file(data, "gif", Stamp())
    seen = [shown(painted.data, width, height, tmp_path) for shown in (ffmpeg, magick)] + [pillow(painted.data)]
    assert np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[0], seen[2])
    before = [outside(shown(data, width, height, tmp_path), painted) for shown in (ffmpeg, magick)]
    if "viewers differ" not in painted.how:
        assert np.array_equal(before[0], before[1])
        assert np.array_equal(before[0], outside(seen[0], painted))


def test_players_that_differ_are_named() -> None:
    says = ["viewers differ" in paint_file(animation(seed, hole=False)[0], "gif", Stamp()).how for seed in range(18)]
    assert True in says
    assert False in says


def test_the_verifier_plays_frames_as_browsers_do(tmp_path: Path) -> None:
    data, width, height = animation(1, hole=True)
    wanted = magick(data, width, height, tmp_path)
    shown = list(displayed_further(data, "gif").pictures)
    assert len(shown) == len(wanted) - 1
    for found, shot in zip(shown, wanted[1:], strict=True):
        assert np.array_equal(found, np.where(shot[..., 3:] > 0, shot[..., :3], 255))
