"""JPEG files: the label is in the blocks under the box, and nothing else changes."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import cv2
import jpeglib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from labeling.codecs import paint_file
from labeling.codecs.jpeg import segments
from labeling.codecs.pixels import make_plan
from labeling.errors import LabelingError, TooLarge, UnreadableFile, UnsupportedFormat

from .stamp import Quarters, Save, Scene, Stamp

QUARTERS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]])


def coefficients(data: bytes, folder: Path) -> list[NDArray[Any]]:
    """Read all planes with the library's own front end, not with the module under test."""
    path = folder / "x.jpg"
    path.write_bytes(data)
    read = jpeglib.read_dct(str(path))
    return [plane.copy() for plane in (read.Y, read.Cb, read.Cr, read.K) if plane is not None]


def changed_blocks(before: bytes, after: bytes, stored: tuple[int, int, int, int], folder: Path) -> int:
    """Count the blocks that differ under the stored box; every coefficient outside its MCUs must be the same."""
    frame = segments.frame(segments.split(before))
    left, top, right, bottom = stored
    changed = 0
    for c, old, new in zip(frame.components, coefficients(before, folder), coefficients(after, folder), strict=True):
        ry, rx = 8 * frame.max_v, 8 * frame.max_h
        rows = slice(top // ry * c.v, -(-bottom // ry) * c.v)
        columns = slice(left // rx * c.h, -(-right // rx) * c.h)
        differs = (old != new).any(axis=(2, 3))
        changed += differs[rows, columns].sum()
        differs[rows, columns] = False
        assert not differs.any()
    return changed


@pytest.mark.parametrize("orientation", range(1, 9))
def test_label_is_upright_in_every_orientation(
    orientation: int, scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(scene(160, 96), "JPEG", quality=95, subsampling=0, exif=exif)
    painter = stamp()
    painted = paint_file(data, "jpeg", painter, orientation=orientation)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(painted.data)))
    assert shown.size == (painted.width, painted.height) == ((160, 96) if orientation < 5 else (96, 160))
    assert np.abs(quarters(np.asarray(shown), painted.box) - QUARTERS).max() < 30
    by_opencv: Any = cv2.imdecode(np.frombuffer(painted.data, np.uint8), cv2.IMREAD_COLOR)
    by_opencv = cv2.cvtColor(by_opencv, cv2.COLOR_BGR2RGB)
    assert np.abs(quarters(by_opencv, painted.box) - QUARTERS).max() < 30
    original = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).crop(painted.box)
    assert np.abs(painter.backdrops[0].astype(int) - np.asarray(original)).max() < 12
    stored = make_plan(stamp(), 160, 96, orientation).stored
    assert changed_blocks(data, painted.data, stored, tmp_path)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("RGB", {"subsampling": 0}),
        ("RGB", {"subsampling": 1}),
        ("RGB", {"keep_rgb": True}),
        ("RGB", {"optimize": True}),
        ("RGB", {"progressive": True}),
        ("RGB", {"restart_marker_blocks": 3}),
        ("L", {}),
        ("L", {"progressive": True}),
        ("CMYK", {}),
        ("CMYK", {"progressive": True}),
    ],
)
def test_every_kind_keeps_its_coefficients_and_shows_the_label(
    mode: str, options: dict[str, Any], scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters, tmp_path: Path
) -> None:
    data = save(scene(150, 101, mode), "JPEG", quality=92, **options)
    painter = stamp()
    painted = paint_file(data, "jpeg", painter)
    assert painted.lossless
    assert changed_blocks(data, painted.data, painted.box, tmp_path)
    image = Image.open(io.BytesIO(painted.data))
    assert image.mode == mode
    if mode != "CMYK":
        assert bool(image.info.get("progressive")) == bool(options.get("progressive"))
    expected = QUARTERS if mode != "L" else np.array([[[76], [150]], [[29], [255]]])
    assert np.abs(quarters(np.asarray(image.convert("RGB")), painted.box) - expected).max() < 24
    original = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").crop(painted.box))
    assert np.abs(painter.backdrops[0].astype(int) - original).max() < 16


def test_ycck_shows_the_label(scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters, tmp_path: Path) -> None:
    # ImageMagick stores CMYK as YCCK (Adobe transform 2) when it subsamples.
    source = tmp_path / "in.jpg"
    scene(128, 128).save(tmp_path / "in.png")
    arguments = ["convert", str(tmp_path / "in.png"), "-colorspace", "CMYK", "-quality", "92", str(source)]
    subprocess.run(arguments, check=True)
    data = source.read_bytes()
    parts = segments.split(data)
    painted = paint_file(data, "jpeg", stamp())
    assert changed_blocks(data, painted.data, painted.box, tmp_path)
    assert segments.colour_space(parts, segments.frame(parts).components) in ("ycck", "cmyk")
    shown = np.asarray(Image.open(io.BytesIO(painted.data)).convert("RGB"))
    assert np.abs(quarters(shown, painted.box) - QUARTERS).max() < 30


def test_segments_and_trailing_bytes_stay(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    data = save(scene(), "JPEG", exif=exif, icc_profile=b"p" * 70000, comment=b"a comment", xmp=b"<x/>", dpi=(300, 300))
    data += b"behind the end"
    painted = paint_file(data, "jpeg", stamp()).data
    before, after = segments.split(data), segments.split(painted)
    assert before.bytes_of(before.other) == after.bytes_of(after.other)
    assert painted.endswith(b"\xff\xd9behind the end")
    first, second = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(painted))
    assert first.info == second.info


def test_fully_transparent_overlay_changes_no_coefficient(
    scene: Scene, save: Save, stamp: type[Stamp], tmp_path: Path
) -> None:
    data = save(scene(), "JPEG")
    painted = paint_file(data, "jpeg", stamp(alpha=0))
    for old, new in zip(coefficients(data, tmp_path), coefficients(painted.data, tmp_path), strict=True):
        assert np.array_equal(old, new)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    subsampling=st.sampled_from([0, 1, 2]),
    progressive=st.booleans(),
    quality=st.sampled_from([30, 75, 100]),
    draw=st.data(),
)
def test_any_size_and_box(
    width: int,
    height: int,
    subsampling: int,
    progressive: bool,
    quality: int,
    draw: st.DataObject,
    tmp_path: Path,
    stamp: type[Stamp],
) -> None:
    pixels = np.random.default_rng(width * 71 + height).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", subsampling=subsampling, progressive=progressive, quality=quality)
    left, top = draw.draw(st.integers(0, width - 1)), draw.draw(st.integers(0, height - 1))
    right, bottom = draw.draw(st.integers(left + 1, width)), draw.draw(st.integers(top + 1, height))
    painted = paint_file(out.getvalue(), "jpeg", stamp(fixed=(left, top, right, bottom)))
    changed_blocks(out.getvalue(), painted.data, painted.box, tmp_path)
    assert Image.open(io.BytesIO(painted.data)).convert("RGB").size == (width, height)


def test_cut_off_and_damaged_files_are_clear_errors(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    data = save(Image.fromarray(noise), "JPEG")
    for length in [*range(3, 700, 29), len(data) // 2, len(data) - 200]:
        with pytest.raises(UnreadableFile):
            paint_file(data[:length], "jpeg", stamp())
    at = data.index(b"\xff\xc0")
    for marker in (b"\xff\xc3", b"\xff\xc5"):
        with pytest.raises(UnsupportedFormat):
            paint_file(data[:at] + marker + data[at + 2 :], "jpeg", stamp())
    with pytest.raises(UnsupportedFormat):
        paint_file(data[: at + 4] + b"\x0c" + data[at + 5 :], "jpeg", stamp())


def test_missing_end_marker_alone_is_no_damage(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    data = save(scene(), "JPEG")
    assert data.endswith(b"\xff\xd9")
    painted = paint_file(data[:-2], "jpeg", stamp())
    Image.open(io.BytesIO(painted.data)).load()


def test_random_damage_never_escapes(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    data = bytearray(save(scene(64, 48), "JPEG", progressive=False))
    random = np.random.default_rng(5)
    outcomes = set()
    for _ in range(60):
        broken = bytearray(data)
        for at in random.integers(2, len(data), 4):
            broken[at] = random.integers(0, 256)
        try:
            paint_file(bytes(broken), "jpeg", stamp(fixed=(0, 0, 1, 1)))
            outcomes.add("painted")
        except LabelingError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"painted", "refused"}


def test_bomb_is_refused_by_its_header(scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    data = bytearray(save(scene(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xea\x60\xea\x60"
    with pytest.raises(TooLarge, match="max_pixels"):
        paint_file(bytes(data), "jpeg", stamp())


def test_no_temporary_file_is_left(
    scene: Scene, save: Save, stamp: type[Stamp], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = save(scene(), "JPEG")
    paint_file(data, "jpeg", stamp())
    broken = data.replace(b"\xff\xc4", b"\xff\xc4\x00\x03\x99\xff\xc4", 1)
    with pytest.raises(LabelingError):
        paint_file(broken, "jpeg", stamp())
    assert not list(tmp_path.iterdir())
