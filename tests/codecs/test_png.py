"""PNG and APNG files: colour type, depth, chunks and timing stay, and so do the samples outside the box."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from labeling.codecs import paint_file
from labeling.codecs.png.encode import encode
from labeling.codecs.png.samples import Header, decode
from labeling.errors import LabelingError, UnreadableFile

from .stamp import Quarters, Save, Scene, Stamp

QUARTERS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]])
TYPES = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16)]
TYPES += [(6, 8), (6, 16)]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def plain_png(colour: int, depth: int, samples: NDArray[Any], extra: bytes = b"", late: bytes = b"") -> bytes:
    """Write a PNG with unfiltered rows, straight from the specification."""
    height, width, _ = samples.shape
    rows = b""
    for row in samples:
        if depth == 16:
            packed = row.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(row.reshape(-1, 1).astype(np.uint8), axis=1)[:, 8 - depth :]
            packed = np.packbits(bits.ravel()).tobytes()
        rows += b"\0" + packed
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), extra, chunk(b"IDAT", zlib.compress(rows)), late,
        chunk(b"IEND", b""),
    ])  # fmt: skip


def random_samples(colour: int, depth: int, width: int, height: int) -> NDArray[Any]:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    random = np.random.default_rng(colour * 100 + depth)
    return random.integers(0, 1 << depth, (height, width, channels)).astype(np.uint16 if depth == 16 else np.uint8)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
        if found[-1][0] == b"IEND":
            break
    return found


def samples_of(data: bytes) -> tuple[Header, NDArray[Any]]:
    found = dict(chunks_of(data))
    header = Header.parse(found[b"IHDR"])
    return header, decode(header, b"".join(body for kind, body in chunks_of(data) if kind == b"IDAT"))


@settings(max_examples=60)
@given(st.sampled_from(TYPES), st.integers(1, 40), st.integers(1, 40))
def test_samples_round_trip_and_others_read_them(kind: tuple[int, int], width: int, height: int) -> None:
    colour, depth = kind
    samples = random_samples(colour, depth, width, height)
    header = Header(width, height, depth, colour)
    assert np.array_equal(decode(header, zlib.compress(raw_rows(samples, depth))), samples)
    assert np.array_equal(decode(header, encode(header, samples)), samples)


def raw_rows(samples: NDArray[Any], depth: int) -> bytes:
    found = dict(chunks_of(plain_png(0, depth, samples)))
    return zlib.decompress(found[b"IDAT"])


@pytest.mark.parametrize(("colour", "depth"), TYPES)
def test_every_colour_type(colour: int, depth: int, stamp: type[Stamp], quarters: Quarters) -> None:
    samples = random_samples(colour, depth, 60, 40)
    palette = np.random.default_rng(1).integers(0, 256, (1 << min(depth, 8), 3), np.uint8).tobytes()
    extra = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tEXt", b"Comment\0early")
    extra += chunk(b"PLTE", palette) if colour == 3 else b""
    data = plain_png(colour, depth, samples, extra, chunk(b"tEXt", b"Comment\0late"))
    painted = paint_file(data, "png", stamp(gray=colour in (0, 4)))
    header, after = samples_of(painted.data)
    if colour != 3 or depth < 8:
        assert header.colour == colour
    assert header.depth == depth or depth < 8
    left, top, right, bottom = painted.box
    outside = np.ones((40, 60), bool)
    outside[top:bottom, left:right] = False
    if header.colour == colour:
        scale = 255 // ((1 << depth) - 1) if colour == 0 and depth < 8 else 1
        assert np.array_equal(after[outside], samples[outside] * scale)
    else:
        table = np.frombuffer(palette, np.uint8).reshape(-1, 3)
        assert np.array_equal(after[outside][:, :3], table[samples[outside][:, 0]])
    by_opencv: Any = cv2.imdecode(np.frombuffer(painted.data, np.uint8), cv2.IMREAD_COLOR)
    by_opencv = by_opencv[..., ::-1]
    expected = QUARTERS if colour not in (0, 4) else np.repeat(QUARTERS[..., 1:2], 3, axis=2)
    assert np.abs(quarters(by_opencv, painted.box) - expected).max() <= 1
    kept = [(kind, body) for kind, body in chunks_of(painted.data) if kind in (b"gAMA", b"tEXt")]
    assert kept == [(kind, body) for kind, body in chunks_of(data) if kind in (b"gAMA", b"tEXt")]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(orientation: int, scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(scene(), "PNG", exif=exif)
    painted = paint_file(data, "png", stamp(), orientation=orientation)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(painted.data))))
    assert np.array_equal(quarters(shown, painted.box), QUARTERS)


def test_an_interlaced_picture_stays_interlaced(stamp: type[Stamp]) -> None:
    samples = random_samples(0, 8, 40, 30)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in samples[y::dy, x::dx, 0].astype(np.uint8)]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 0, 0, 0, 1))
    body = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    painted = paint_file(b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b""), "png", stamp(gray=True))
    assert "interlaced" not in painted.how
    assert Image.open(io.BytesIO(painted.data)).info.get("interlace") == 1


def test_palette_grows_or_becomes_true_colour(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    few = save(scene().quantize(20), "PNG")
    painted = paint_file(few, "png", stamp())
    assert Image.open(io.BytesIO(painted.data)).mode == "P"
    noise = np.random.default_rng(3).integers(0, 256, (80, 80), np.uint8)
    full = Image.fromarray(noise)
    full.putpalette(np.random.default_rng(4).integers(0, 256, 768, np.uint8).tobytes())
    painted = paint_file(save(full, "PNG"), "png", stamp())
    assert "palette" in painted.how
    assert Image.open(io.BytesIO(painted.data)).mode == "RGBA"


def test_what_depends_on_the_colour_type_is_adapted_or_dropped(stamp: type[Stamp]) -> None:
    samples = random_samples(3, 8, 40, 40)
    palette = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
    extra = (
        chunk(b"PLTE", palette.tobytes())
        + chunk(b"bKGD", b"\7")
        + chunk(b"hIST", bytes(512))
        + chunk(b"sBIT", b"\5\6\5")
    )
    painted = dict(chunks_of(paint_file(plain_png(3, 8, samples, extra), "png", stamp()).data))
    assert painted[b"IHDR"][9] == 6  # no entry of the palette was free
    assert painted[b"bKGD"] == struct.pack(">3H", *map(int, palette[7]))
    assert b"hIST" not in painted
    assert painted[b"sBIT"] == b"\5\6\5\x08"  # a palette that became RGBA: 11.3.2.4
    full = chunk(b"PLTE", palette[:16].tobytes()) + chunk(b"bKGD", b"\7") + chunk(b"hIST", bytes(32))
    grown = dict(chunks_of(paint_file(plain_png(3, 4, samples % 16, full), "png", stamp()).data))
    assert (grown[b"IHDR"][8:10], grown[b"bKGD"]) == (b"\x08\x03", b"\7")
    assert b"hIST" not in grown
    gray = chunk(b"bKGD", struct.pack(">H", 3))
    wider = dict(chunks_of(paint_file(plain_png(0, 2, samples % 4, gray), "png", stamp(gray=True)).data))
    assert (wider[b"IHDR"][8:10], wider[b"bKGD"]) == (b"\x08\x00", struct.pack(">H", 255))


def test_transparent_colour_key_cannot_hide_the_label(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    data = save(scene(), "PNG", transparency=(255, 0, 0))
    painted = paint_file(data, "png", stamp())
    left, top, right, bottom = painted.box
    alpha = np.asarray(Image.open(io.BytesIO(painted.data)).convert("RGBA"))[top:bottom, left:right, 3]
    assert alpha.min() == 255


def played(path: Path, data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Play with FFmpeg: Pillow restores the wrong canvas after dispose_op "previous"."""
    path.write_bytes(data)
    command = ["ffmpeg", "-v", "error", "-f", "apng", "-i", str(path), "-vsync", "0"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgba", "-"]
    out = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(out, np.uint8).reshape(-1, height, width, 4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_animation_shows_the_label_in_every_frame(mode: str, save: Save, stamp: type[Stamp], tmp_path: Path) -> None:
    frames = []
    for i in range(5):
        frame = Image.new("RGBA", (60, 40), (0, 0, 0, 0) if mode == "RGBA" else (20, 40, 60, 255))
        frame.paste((250, 40 * i, 0, 255), (i * 8, i * 4, i * 8 + 16, i * 4 + 20))
        frames.append(frame.convert(mode))
    durations = [40, 80, 120, 160, 200]
    for disposal in (0, 1, 2) if mode == "RGBA" else (0,):
        options = {"disposal": disposal, "blend": 1 if mode == "RGBA" else 0, "loop": 2}
        data = save(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=durations, **options)
        painted = paint_file(data, "png", stamp(gray=mode == "L"))
        assert painted.frames == 5
        image = Image.open(io.BytesIO(painted.data))
        assert image.info["loop"] == 2
        for i in range(5):
            image.seek(i)
            assert image.info["duration"] == durations[i]
        left, top, right, bottom = painted.box
        old, new = (
            played(tmp_path / "a.png", data, 60, 40).copy(),
            played(tmp_path / "b.png", painted.data, 60, 40).copy(),
        )
        assert len(old) == len(new) == 5
        assert (new[:, top, left] == ([0, 0, 0, 255] if mode == "L" else [255, 0, 0, 255])).all()
        for pixels in (old, new):
            pixels[:, top:bottom, left:right] = 0
            pixels[pixels[..., 3] == 0] = 0
        assert np.array_equal(old, new)


def test_damage_is_a_clear_error(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    data = save(scene(), "PNG")
    for length in range(9, len(data), max(1, len(data) // 40)):
        with pytest.raises(UnreadableFile):
            paint_file(data[:length], "png", stamp())
    short = plain_png(2, 16, random_samples(2, 16, 30, 30)[:, :, :3])
    at = short.index(b"IDAT")
    body = zlib.compress(zlib.decompress(dict(chunks_of(short))[b"IDAT"])[:900])
    with pytest.raises(UnreadableFile):
        paint_file(short[: at - 4] + chunk(b"IDAT", body) + chunk(b"IEND", b""), "png", stamp())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(8, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_random_damage_never_escapes(
    changes: list[tuple[int, int]], scene: Scene, save: Save, stamp: type[Stamp]
) -> None:
    data = bytearray(save(scene(32, 32), "PNG"))
    for at, value in changes:
        data[8 + at % (len(data) - 8)] = value
    try:
        assert paint_file(bytes(data), "png", stamp(fixed=(0, 0, 1, 1))).data
    except LabelingError as error:
        assert "\n" not in str(error)
