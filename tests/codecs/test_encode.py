"""Pixels in memory: any mode into any format, in one encode, without a change to the caller's picture."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from labeling.codecs import displayed, encode
from labeling.errors import LabelingError, TooLarge, UnsupportedFormat

from .stamp import Quarters, Scene, Stamp

QUARTERS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]])
MODES = ["RGB", "RGBA", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F"]
FORMATS = ["jpeg", "png", "webp", "tiff", "gif", "avif", "heif"]
GRAY = {"L", "LA", "1", "I;16", "I", "F"}


def of_mode(scene: Scene, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(scene(96, 64, "L")).astype(np.uint16) * 257)
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        made = ImageCms.profileToProfile(scene(), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
        assert made is not None
        return made
    if mode == "PA":
        return scene(96, 64, "P").convert("PA")
    return scene(96, 64, mode)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_into_every_format(
    mode: str, format: str, scene: Scene, stamp: type[Stamp], quarters: Quarters
) -> None:
    image = of_mode(scene, mode)
    before, info = image.tobytes(), dict(image.info)
    painted = encode(image, format, stamp(gray=mode in GRAY))
    assert image.tobytes() == before
    assert image.info == info
    shown = displayed(painted.data, "heif" if format == "avif" else format)
    assert shown.shape == (64, 96, 3)
    expected = QUARTERS if mode not in GRAY else np.repeat(QUARTERS[..., 1:2], 3, axis=2)
    if mode == "LAB" and format == "tiff":
        return  # Pillow has no conversion from LAB: the other formats test that it is exact
    assert np.abs(quarters(shown, painted.box) - expected).max() < 40


@pytest.mark.parametrize("format", FORMATS)
def test_arrays(format: str, scene: Scene, stamp: type[Stamp]) -> None:
    for array in (np.array(scene()), np.array(scene(96, 64, "RGBA")), np.array(scene(96, 64, "L"))):
        before = array.copy()
        painted = encode(array, format, stamp())
        assert np.array_equal(array, before)
        assert (painted.width, painted.height) == (96, 64)


def test_png_pixels_outside_are_exact(scene: Scene, stamp: type[Stamp]) -> None:
    for mode in ("RGB", "RGBA", "L", "LA", "I;16"):
        image = of_mode(scene, mode)
        painted = encode(image, "png", stamp())
        assert painted.lossless
        left, top, right, bottom = painted.box
        old, new = np.array(image), np.array(Image.open(io.BytesIO(painted.data)))
        old[top:bottom, left:right] = new[top:bottom, left:right] = 0
        assert np.array_equal(old, new)


def test_metadata_in_info_is_kept(scene: Scene, stamp: type[Stamp]) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = scene()
    image.info |= {"exif": exif.tobytes(), "icc_profile": profile, "dpi": (300, 300)}
    for format in ("jpeg", "png", "webp", "tiff", "avif", "heif"):
        painted = encode(image, format, stamp())
        if format == "heif":
            import pillow_heif

            back = pillow_heif.open_heif(painted.data).to_pillow()
        else:
            back = Image.open(io.BytesIO(painted.data))
        assert back.info["icc_profile"] == profile
        assert back.getexif()[0x010E] == "a description"
        if format in ("jpeg", "png", "tiff"):
            assert back.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff", "avif"])
def test_exif_orientation_in_info(format: str, scene: Scene, stamp: type[Stamp], quarters: Quarters) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = scene()
    image.info["exif"] = exif.tobytes()
    painted = encode(image, format, stamp())
    assert (painted.width, painted.height) == (64, 96)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(painted.data))).convert("RGB"))
    assert np.abs(quarters(shown, painted.box) - QUARTERS).max() < 40


def test_transparency_is_flattened_on_white_for_jpeg(stamp: type[Stamp]) -> None:
    painted = encode(Image.new("RGBA", (64, 64), (255, 0, 0, 0)), "jpeg", stamp())
    assert "white" in painted.how
    assert np.asarray(Image.open(io.BytesIO(painted.data)))[:8, :8].min() > 250


def test_lossless_webp_and_wrong_requests(scene: Scene, stamp: type[Stamp]) -> None:
    painted = encode(scene(), "webp", None, lossless=True)
    assert painted.lossless
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(painted.data))), np.asarray(scene()))
    with pytest.raises(LabelingError, match="lossless"):
        encode(scene(), "jpeg", None, lossless=True)
    with pytest.raises(LabelingError, match="1 to 100"):
        encode(scene(), "jpeg", None, quality=0)
    with pytest.raises(UnsupportedFormat, match="png"):
        encode(scene(), "bmp", None)
    for shape in ((4, 4, 3), (4,), (4, 4, 2), (0, 4, 3)):
        with pytest.raises(LabelingError, match="uint8"):
            encode(np.zeros(shape), "png", None)
    with pytest.raises(LabelingError, match="PIL"):
        encode("nonsense", "png", None)  # type: ignore[arg-type]
    with pytest.raises(TooLarge, match="max_pixels"):
        encode(scene(), "png", None, max_pixels=100)


@pytest.mark.parametrize("kind", ["gradient", "noise", "flat", "photo"])
def test_png_is_not_much_larger_than_pillows(kind: str, cases: Path) -> None:
    y, x = np.mgrid[0:256, 0:256]
    kinds: dict[str, Callable[[], NDArray[np.uint8]]] = {
        "gradient": lambda: np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8),
        "noise": lambda: np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8),
        "flat": lambda: np.repeat(((x // 32 + y // 48) % 5 * 50).astype(np.uint8)[..., None], 3, axis=2),
        "photo": lambda: np.array(Image.open(cases / "5_ordinary/skimage_astronaut.png").convert("RGB")),
    }
    pixels = kinds[kind]()
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    made = encode(pixels, "png", None).data
    by_opencv: Any = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(by_opencv[..., ::-1], pixels)
    assert len(made) <= 1.10 * len(out.getvalue()) + 1024


def test_importing_codecs_is_cheap() -> None:
    code = "import sys, labeling.codecs; print([m for m in ('cv2', 'PIL', 'numpy', 'jpeglib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
