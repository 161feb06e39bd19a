"""Labels on dithered pictures: solid, read back, and never called there where the verifier does not find them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling import Labeler, verify
from labeling.dither import is_dithered
from labeling.findings import Status

from .pictures import rgb


def _gray(size: tuple[int, int] = (800, 600)) -> Image.Image:
    across = np.linspace(0, 255, size[0])[None] * 0.7 + np.linspace(0, 255, size[1])[:, None] * 0.3
    return Image.fromarray(across.astype(np.uint8))


def _diffused(image: Image.Image) -> Image.Image:
    return image.convert("1")


def _halftone(image: Image.Image, cell: float = 5.5) -> Image.Image:
    """Reduce a picture to round dots on a grid that is turned by 45 degrees, as in print."""
    levels = np.asarray(image, np.float64) / 255
    y, x = np.mgrid[: levels.shape[0], : levels.shape[1]]
    along, across = ((x + y) * np.sqrt(2) * np.pi / cell, (y - x) * np.sqrt(2) * np.pi / cell)
    return Image.fromarray((levels > (np.cos(along) + np.cos(across)) / 4 + 0.5).astype(np.uint8) * 255).convert("1")


def _checkered(image: Image.Image) -> Image.Image:
    y, x = np.mgrid[: image.height, : image.width]
    return Image.fromarray(((x // 4 + y // 4) % 2).astype(np.uint8) * 255).convert("1")


def _few(image: Image.Image, colours: list[int]) -> Image.Image:
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours + colours[:3] * (256 - len(colours) // 3))
    made = image.convert("RGB").quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    made.putpalette(colours)
    return made


RED = [120, 0, 0, 255, 200, 200]
FOUR = [0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255]
DITHERS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "diffused": _diffused,
    "halftone": _halftone,
    "checkered": _checkered,
    "two colours": lambda image: _few(image, RED),
    "four levels": lambda image: _few(image, FOUR),
}
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("png", {}),
    "gif": ("gif", {}),
    "tiff": ("tif", {}),
    "tiff, Group 4": ("tif", {"compression": "group4"}),
    "tiff, Group 3": ("tif", {"compression": "group3"}),
}


@pytest.mark.parametrize("dither", list(DITHERS))
@pytest.mark.parametrize("kind", list(FILES))
def test_the_label_on_a_dithered_picture_is_read_and_drawn_once(kind: str, dither: str, tmp_path: Path) -> None:
    suffix, options = FILES[kind]
    image = DITHERS[dither](_gray())
    if "Group" in kind and image.mode != "1":
        options = {}
    image.save(tmp_path / f"in.{suffix}", **options)
    target = tmp_path / f"out.{suffix}"
    done = Labeler("service").label_file(tmp_path / f"in.{suffix}", target)
    report = verify(target)
    assert done.report.compliant
    assert report.compliant
    found = next(finding for finding in report.findings if finding.kind == "visible")
    assert found.status is Status.PRESENT
    assert found.value["text"] == "AI生成"
    with Image.open(target) as made:
        assert made.size == image.size
    again = Labeler("service").label_file(target, in_place=True)
    assert "the visible label is there already" in again.how


def test_nothing_shines_through_the_plate_on_dots() -> None:
    out = io.BytesIO()
    _checkered(_gray()).save(out, "PNG")
    made = Labeler("service").label_image(Image.open(out), "png")
    assert made.report.compliant
    with Image.open(io.BytesIO(made.data)) as image:
        box = next(finding for finding in made.report.findings if finding.kind == "visible").value["box"]
        levels = np.asarray(image.convert("L").crop(box))
    assert np.isin(levels[4:8, 30:-30], 0).all()  # above the ink, inside the plate


@pytest.mark.parametrize("suffix", ["png", "gif", "tif"])
def test_what_ocr_does_not_find_is_not_called_there(suffix: str, tmp_path: Path) -> None:
    """Dots as large as the strokes: people read the label, OCR does not."""
    path = tmp_path / f"in.{suffix}"
    _halftone(_gray((640, 480)), 12).save(path)
    done = Labeler("service").label_file(path, in_place=True)
    assert done.report.compliant == verify(path).compliant
    assert done.report.compliant == (not any("not found by OCR" in sentence for sentence in done.how))


def test_photographs_are_not_dithered() -> None:
    smooth = np.asarray(_gray().convert("RGB"))
    assert not is_dithered(smooth)
    assert not is_dithered(np.asarray(rgb()))
    assert is_dithered(np.asarray(_diffused(_gray()).convert("RGB")))
    assert not is_dithered(smooth[:1])
