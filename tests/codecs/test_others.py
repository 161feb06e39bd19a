"""TIFF, GIF, WebP, AVIF and HEIC files, and real files that others made."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from labeling import containers
from labeling.codecs import displayed, paint_file
from labeling.errors import LabelingError, TooLarge

from .stamp import Quarters, Save, Scene, Stamp

QUARTERS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]])


def tiff(samples: NDArray[Any], **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, **options)
    return out.getvalue()


@pytest.mark.parametrize("compression", ["none", "lzw", "packbits", "deflate"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("layout", ["strips", "tiles", "planar", "big", "motorola"])
def test_tiff_keeps_type_layout_and_the_rest(
    compression: str, dtype: str, layout: str, stamp: type[Stamp], quarters: Quarters, tmp_path: Path
) -> None:
    random = np.random.default_rng(7)
    samples = random.random((70, 90, 3)).astype("f4")
    peak = 1 if dtype == "f4" else np.iinfo(dtype).max
    samples = (samples * peak).astype(dtype)
    layouts: dict[str, dict[str, Any]] = {
        "strips": {"rowsperstrip": 9},
        "tiles": {"tile": (32, 16)},
        "planar": {"planarconfig": "separate", "rowsperstrip": 9},
        "big": {"bigtiff": True, "rowsperstrip": 70},
        "motorola": {"byteorder": ">", "rowsperstrip": 9},
    }
    options = layouts[layout]
    given = np.moveaxis(samples, 2, 0) if layout == "planar" else samples
    if compression in ("none", "deflate"):
        coded = {"none": None, "deflate": "zlib"}[compression]
        data = tiff(given, photometric="rgb", compression=coded, description="kept", **options)
    else:  # tifffile needs another library for these, so Pillow writes them
        plain, made = tmp_path / "plain.tif", tmp_path / "made.tif"
        if dtype != "u1" or layout in ("planar", "big", "motorola"):
            return
        plain.write_bytes(tiff(given, photometric="rgb", description="kept", **options))
        with Image.open(plain) as image:
            name = "tiff_lzw" if compression == "lzw" else "packbits"
            image.save(made, compression=name, tiffinfo={270: "kept", 278: 9})
        data = made.read_bytes()
    painted = paint_file(data, "tiff", stamp())
    if compression in ("none", "deflate"):
        with tifffile.TiffFile(io.BytesIO(painted.data)) as file:
            page: Any = file.pages[0]
            after = page.asarray()
            assert page.description == "kept"
            assert after.dtype == np.dtype(dtype)
        after = np.moveaxis(after, 0, 2) if layout == "planar" else after
    else:
        after = np.array(Image.open(io.BytesIO(painted.data)))
    left, top, right, bottom = painted.box
    assert np.abs(quarters(after.astype("f8") * 255 / peak, painted.box) - QUARTERS).max() <= 1
    before = samples.copy()
    before[top:bottom, left:right] = after[top:bottom, left:right]
    assert np.array_equal(before, after)


def test_tiff_cmyk_alpha_white_is_zero_and_pages(
    scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters
) -> None:
    for mode in ("CMYK", "RGBA", "L"):
        options = {"tiffinfo": {262: 0}} if mode == "L" else {}
        data = save(scene(96, 64, mode), "TIFF", compression="tiff_lzw", **options)
        painted = paint_file(data, "tiff", stamp(gray=mode == "L"))
        shown = np.asarray(Image.open(io.BytesIO(painted.data)).convert("RGB"))
        expected = QUARTERS if mode != "L" else np.repeat(QUARTERS[..., 1:2], 3, axis=2)
        assert np.abs(quarters(shown, painted.box) - expected).max() <= 1
    data = save(scene(), "TIFF", save_all=True, append_images=[scene(80, 80, "L"), scene(40, 90)])
    painted = paint_file(data, "tiff", stamp())
    assert painted.frames == 3
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(painted.data)) as after:
        for i in range(3):
            before.seek(i)
            after.seek(i)
            differs = np.array(before) != np.array(after)
            assert differs.any()
            assert not differs[:5].any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "AVIF"])
def test_upright(kind: str, orientation: int, scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if kind != "TIFF" else {}
    data = save(scene(), kind, exif=exif, **options)
    name = {"TIFF": "tiff", "WEBP": "webp", "AVIF": "heif"}[kind]
    painted = paint_file(data, name, stamp(), orientation=orientation)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(painted.data))).convert("RGB"))
    assert np.abs(quarters(shown, painted.box) - QUARTERS).max() < 40
    own = displayed(painted.data, name, orientation=orientation)
    assert np.abs(quarters(own, painted.box) - QUARTERS).max() < 40


def test_heic_is_turned_once(scene: Scene, stamp: type[Stamp], quarters: Quarters, save: Save) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    pillow_heif.from_pillow(scene()).save(out, quality=95, exif=exif.tobytes())
    painted = paint_file(out.getvalue(), "heif", stamp(), orientation=6)
    shown = np.asarray(pillow_heif.open_heif(painted.data).to_pillow())
    assert shown.shape[:2] == (painted.height, painted.width)
    assert np.abs(quarters(shown, painted.box) - QUARTERS).max() < 40


def animation() -> list[Image.Image]:
    frames = []
    for i in range(4):
        frame = Image.new("RGBA", (80, 60), (0, 0, 0, 0))
        frame.paste((250, 50 * i, 0, 255), (i * 8, i * 4, i * 8 + 16, i * 4 + 20))
        frames.append(frame)
    return frames


@pytest.mark.parametrize(("kind", "exact"), [("GIF", True), ("WEBP", True), ("WEBP", False), ("AVIF", False)])
def test_animations_keep_timing_loop_and_pixels(kind: str, exact: bool, save: Save, stamp: type[Stamp]) -> None:
    frames, durations = animation(), [40, 80, 120, 160]
    every: dict[str, dict[str, Any]] = {
        "GIF": {"disposal": 2, "comment": b"kept"},
        "WEBP": {"lossless": exact},
        "AVIF": {},
    }
    options = every[kind]
    data = save(frames[0], kind, save_all=True, append_images=frames[1:], duration=durations, loop=3, **options)
    painted = paint_file(data, "heif" if kind == "AVIF" else kind.lower(), stamp())
    assert (painted.frames, painted.lossless) == (4, exact)
    left, top, right, bottom = painted.box
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(painted.data)) as after:
        assert after.info.get("loop") == before.info.get("loop")
        assert after.info.get("comment") == before.info.get("comment")
        for i in range(4):
            before.seek(i)
            after.seek(i)
            old, new = np.array(before.convert("RGBA")), np.array(after.convert("RGBA"))
            assert after.info["duration"] == before.info["duration"]
            assert np.abs(new[top + 5, left + 5].astype(int) - [255, 0, 0, 255]).max() < 40
            for pixels in (old, new):
                pixels[top:bottom, left:right] = 0
                pixels[pixels[..., 3] == 0] = 0
            if exact:
                assert np.array_equal(old, new)


def test_gif_of_256_colours_changes_nothing_outside(save: Save, stamp: type[Stamp], scene: Scene) -> None:
    image = Image.fromarray(np.arange(64 * 64).reshape(64, 64).astype(np.uint8))
    image = image.convert("P")
    image.putpalette(np.random.default_rng(2).integers(0, 256, 768, np.uint8).tobytes())
    data = save(image, "GIF")
    painted = paint_file(data, "gif", stamp())
    assert "reduced" in painted.how
    left, top, right, bottom = painted.box
    old, new = (np.array(Image.open(io.BytesIO(d)).convert("RGB")) for d in (data, painted.data))
    old[top:bottom, left:right] = new[top:bottom, left:right] = 0
    assert np.array_equal(old, new)


@pytest.mark.parametrize("kind", ["group3", "group4", "tiff_ccitt", "raw", "tiff_lzw"])
def test_tiff_of_two_colours_stays_one(
    kind: str, scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters
) -> None:
    data = save(scene(96, 64, "L").convert("1"), "TIFF", compression=kind, dpi=(300, 300), description="kept")
    painted = paint_file(data, "tiff", stamp(gray=True))
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(painted.data)) as after:
        assert isinstance(before, TiffImageFile)
        assert isinstance(after, TiffImageFile)
        assert (after.mode, after.tag_v2[259], after.tag_v2[270]) == ("1", before.tag_v2[259], "kept")
        old, new = np.array(before.convert("RGB")), np.array(after.convert("RGB"))
    assert np.abs(quarters(new, painted.box) - np.repeat(QUARTERS[..., 1:2] // 128 * 255, 3, axis=2)).max() <= 1
    left, top, right, bottom = painted.box
    old[top:bottom, left:right] = new[top:bottom, left:right]
    assert np.array_equal(old, new)


def test_a_full_palette_without_the_colours_of_the_label_becomes_rgb(
    scene: Scene, save: Save, stamp: type[Stamp], quarters: Quarters
) -> None:
    data = save(scene().quantize(256), "TIFF", compression="tiff_lzw", dpi=(300, 300), description="kept")
    painted = paint_file(data, "tiff", stamp())
    assert [loss.what for loss in painted.lost] == ["colour palette"]
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(painted.data)) as after:
        assert isinstance(after, TiffImageFile)
        assert (after.mode, after.tag_v2[259], after.tag_v2[270]) == ("RGB", 5, "kept")
        assert after.info["dpi"] == (300, 300)
        old, new = np.array(before.convert("RGB")), np.array(after)
    assert np.abs(quarters(new, painted.box) - QUARTERS).max() <= 1
    left, top, right, bottom = painted.box
    old[top:bottom, left:right] = new[top:bottom, left:right]
    assert np.array_equal(old, new)


def metadata(folder: Path, names: list[str]) -> dict[str, dict[str, str]]:
    """Return what exiftool reads of each file, except what describes the encoding."""
    command = ["exiftool", "-j", "-G1", "-XMP:all", "-EXIF:all", "-ICC_Profile:all", "-IPTC:all", *names]
    dumps = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=folder).stdout)
    coding = (
        "StripOffsets",
        "StripByteCounts",
        "ThumbnailOffset",
        "Compression",
        "PhotometricInterpretation",
        "SamplesPerPixel",
        "BitsPerSample",
        "RowsPerStrip",
        "PlanarConfiguration",
        "FillOrder",
        "ColorMap",
        "PageNumber",
    )
    return {
        dump["SourceFile"]: {
            name: value
            for name, value in dump.items()
            if name.rpartition(":")[2] not in coding and value != "Horizontal (normal)"
        }
        for dump in dumps
    }


def test_ordinary_files_are_painted_and_keep_their_metadata(cases: Path, stamp: type[Stamp], tmp_path: Path) -> None:
    names = []
    for path in sorted((cases / "5_ordinary").iterdir()):
        data = path.read_bytes()
        row = containers.identify(data)
        if row is None or row.media:
            continue
        painted = paint_file(data, row.name, stamp())
        assert painted.width
        assert painted.how
        displayed(painted.data, row.name)
        (tmp_path / path.name).write_bytes(painted.data)
        names.append(path.name)
    assert len(names) >= 28
    before, after = metadata(cases / "5_ordinary", names), metadata(tmp_path, names)
    for name in names:
        assert {tag: after[name].get(tag) for tag in before[name]} == before[name], name


def test_corrupt_files_raise_nothing_else(cases: Path, stamp: type[Stamp]) -> None:
    outcomes = []
    for path in sorted((cases / "6_corrupt").iterdir()):
        data = path.read_bytes()
        row = containers.identify(data)
        if row is None:
            continue
        try:
            outcomes.append(paint_file(data, row.name, stamp()).how)
        except LabelingError as error:
            assert "\n" not in str(error)
            outcomes.append(str(error))
    assert len(outcomes) >= 15


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF", "TIFF"])
def test_cut_off_files_raise_nothing_else(kind: str, scene: Scene, save: Save, stamp: type[Stamp]) -> None:
    data = save(scene(), kind)
    name = "heif" if kind == "AVIF" else kind.lower()
    for length in range(16, len(data), max(1, len(data) // 25)):
        with pytest.raises(LabelingError):
            paint_file(data[:length], name, stamp(fixed=(0, 0, 96, 64)))
    with pytest.raises(TooLarge):
        paint_file(data, name, stamp(), max_pixels=96 * 64 - 1)
