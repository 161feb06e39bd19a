"""Animations whose frames are not of the size that they state: refused, and what is painted plays."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from labeling.codecs import paint_file
from labeling.codecs.base import Painted
from labeling.codecs.replay import check_plays
from labeling.errors import LabelingError, UnreadableFile, UnsupportedFormat, WriteError
from tests import programs

from .stamp import Stamp

Size = tuple[int, int]
CANVAS = (60, 50)


def webp(*frames: tuple[int, int, int, int, Size], lossless: bool) -> bytes:
    """Make an animation of frames: x, y, width and height as stated, and the size as coded."""
    body = b"WEBP" + struct.pack("<4sII", b"VP8X", 10, 2) + packed(CANVAS) + struct.pack("<4sIIH", b"ANIM", 6, 0, 0)
    for number, (x, y, width, height, size) in enumerate(frames):
        out = io.BytesIO()
        Image.new("RGB", size, (60 * number, 90, 30)).save(out, "WEBP", lossless=lossless)
        coded = out.getvalue()[12:]
        head = b"".join(each.to_bytes(3, "little") for each in (x // 2, y // 2, width - 1, height - 1, 50)) + b"\0"
        body += struct.pack("<4sI", b"ANMF", len(head + coded)) + head + coded
    return b"RIFF" + struct.pack("<I", len(body)) + body


def packed(size: Size) -> bytes:
    return b"".join((each - 1).to_bytes(3, "little") for each in size)


def apng(*frames: tuple[int, int, int, int, Size], depth: int = 8) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", *CANVAS, depth, 2, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">II", len(frames), 0)))
    sequence = 0
    for number, (x, y, width, height, size) in enumerate(frames):
        parts.append(chunk(b"fcTL", struct.pack(">5I2H2B", sequence, width, height, x, y, 1, 10, 0, 0)))
        row = b"\0" + bytes((60 * number, 90, 30)) * (size[0] * depth // 8)
        data = zlib.compress(row * size[1])
        parts.append(chunk(b"fdAT", struct.pack(">I", sequence + 1) + data) if number else chunk(b"IDAT", data))
        sequence += 2 if number else 1
    return b"".join([*parts, chunk(b"IEND", b"")])


def gif(*frames: tuple[int, int, int, int, Size]) -> bytes:
    parts = [b"GIF89a" + struct.pack("<HHBBB", *CANVAS, 0xF7, 0, 0) + bytes(range(256)) * 3]
    for number, (x, y, width, height, size) in enumerate(frames):
        control = struct.pack("<BHBB", 4, 5, 0, 0)
        picture = Image.new("L", size, 10 + number)
        parts += [b"!\xf9\4", control, b",", struct.pack("<HHHHB", x, y, width, height, 0), b"\x08"]
        parts += [picture.tobytes("gif", ("L", 8, 0)), b"\0"]
    return b"".join([*parts, b";"])


WHOLE = (0, 0, 60, 50, (60, 50))
CORNER = (20, 10, 40, 40, (40, 40))
TALLER = (0, 0, 60, 2613, (60, 50))
FLATTER = (0, 0, 60, 20, (60, 50))
LONGER = (0, 0, 60, 50, (60, 20))
BEYOND = (30, 10, 60, 50, (60, 50))
SMALL = (0, 0, 30, 20, (30, 20))


def streams(data: bytes, folder: Path, format: str) -> str:
    path = folder / f"made.{format}"
    path.write_bytes(data)
    command = [programs.require("ffprobe"), "-v", "error", "-count_frames", "-show_entries"]
    command += ["stream=width,height,nb_read_frames", "-of", "csv=p=0", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("frame", [TALLER, FLATTER, LONGER, BEYOND])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_webp(lossless: bool, frame: tuple[int, int, int, int, Size], place: int) -> None:
    frames = [WHOLE, WHOLE, WHOLE]
    frames[place] = frame
    with pytest.raises(UnreadableFile, match=f"frame {place + 1} of the WebP animation") as refused:
        paint_file(webp(*frames, lossless=lossless), "webp", Stamp())
    assert ("beyond its canvas" if frame is BEYOND else "is coded as 60×") in refused.value.message


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_with_sound_headers_plays(lossless: bool, tmp_path: Path) -> None:
    painted = paint_file(webp(WHOLE, CORNER, WHOLE, lossless=lossless), "webp", Stamp())
    path = tmp_path / "made.webp"
    path.write_bytes(painted.data)
    said = subprocess.run([programs.require("webpinfo"), str(path)], check=True, capture_output=True, text=True).stdout
    assert "No error detected" in said
    assert said.count("Chunk ANMF") == 3


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    "frames",
    [(WHOLE, LONGER), (WHOLE, BEYOND), (WHOLE, TALLER), (TALLER, WHOLE), (SMALL, WHOLE), (LONGER,)],
)
def test_apng(frames: tuple[tuple[int, int, int, int, Size], ...], depth: int) -> None:
    with pytest.raises(UnreadableFile, match="damaged"):
        paint_file(apng(*frames, depth=depth), "png", Stamp())


@pytest.mark.parametrize("depth", [8, 16])
def test_rows_that_an_apng_frame_has_too_many_are_left_out(depth: int, tmp_path: Path) -> None:
    painted = paint_file(apng(WHOLE, FLATTER, depth=depth), "png", Stamp())
    assert streams(painted.data, tmp_path, "png") == "60,50,2"


def test_apng_with_sound_headers_plays(tmp_path: Path) -> None:
    painted = paint_file(apng(WHOLE, CORNER, WHOLE), "png", Stamp())
    assert streams(painted.data, tmp_path, "png") == "60,50,3"


@pytest.mark.parametrize(
    "frames", [(TALLER,), (BEYOND,), (BEYOND, WHOLE), (WHOLE, BEYOND), (WHOLE, WHOLE, (0, 0, 60, 90, (60, 90)))]
)
def test_gif(frames: tuple[tuple[int, int, int, int, Size], ...]) -> None:
    with pytest.raises(UnsupportedFormat, match="beyond its canvas"):
        paint_file(gif(*frames), "gif", Stamp())


def test_gif_with_sound_headers_plays(tmp_path: Path) -> None:
    painted = paint_file(gif(WHOLE, CORNER, WHOLE), "gif", Stamp())
    assert streams(painted.data, tmp_path, "gif") == "60,50,3"


@pytest.mark.parametrize("format", ["gif", "png", "webp"])
def test_what_does_not_play_is_not_handed_on(format: str) -> None:
    makers: dict[str, Callable[..., bytes]] = {"gif": gif, "png": apng, "webp": partial(webp, lossless=False)}
    sound = makers[format](WHOLE, CORNER, WHOLE)
    good = Painted(sound, (0, 0, 1, 1), 60, 50, 3, True, "")
    assert check_plays(good, format, 1, 10**6) is good
    for bad in (
        Painted(sound, (0, 0, 1, 1), 60, 50, 5, True, ""),
        Painted(sound, (0, 0, 1, 1), 60, 51, 3, True, ""),
        Painted(sound[: len(sound) * 2 // 3], (0, 0, 1, 1), 60, 50, 3, True, ""),
    ):
        with pytest.raises(WriteError, match=r"does not play|plays"):
            check_plays(bad, format, 1, 10**6)
    assert issubclass(WriteError, LabelingError)
