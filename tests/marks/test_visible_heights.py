"""How high the reader says that a text is: the truth is the size that the text was set in by Pillow."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from labeling.findings import Finding, Status
from labeling.marks.visible import font as fonts
from labeling.marks.visible import read_visible

FONTS = Path("/usr/share/fonts")
WHITE = (255, 255, 255, 255)


def typeface(name: str, size: int) -> ImageFont.FreeTypeFont:
    if name == "shipped":
        return fonts.face(None, size)
    found = next(iter(sorted(FONTS.rglob(name))), None)
    if found is None:
        pytest.skip(f"there is no {name}: apt-get install fonts-wqy-microhei")
    return ImageFont.truetype(found, size)


def shown(
    text: str,
    size: int,
    name: str = "shipped",
    *,
    fill: tuple[int, int, int, int] = WHITE,
    plate: tuple[int, int, int, int] | None = None,
    rim: int = 0,
    shape: tuple[int, int] = (900, 700),
) -> Image.Image:
    """Set the text in the lower right corner of a soft ground."""
    rng = np.random.default_rng(size)
    ground = cv2.resize(rng.normal(100, 22, (9, 12, 3)).clip(0, 255).astype(np.uint8), shape)
    image, drawer = Image.fromarray(ground).convert("RGBA"), typeface(name, size)
    layer = Image.new("RGBA", image.size)
    canvas = ImageDraw.Draw(layer)
    left, top, right, bottom = drawer.getbbox(text)
    x, y = shape[0] - 30 - right, shape[1] - 30 - bottom
    if plate:
        pad = size // 2
        canvas.rounded_rectangle((x + left - pad, y + top - pad, x + right + pad, y + bottom + pad), pad, plate)
    canvas.text((x, y), text, fill, drawer, stroke_width=rim, stroke_fill=(0, 0, 0, 255))
    return Image.alpha_composite(image, layer).convert("RGB")


def seen(image: Image.Image, quality: int = 85) -> Finding:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    with Image.open(out) as coded:
        pixels: NDArray[np.uint8] = np.asarray(coded.convert("RGB"))
    return read_visible(pixels, languages=("zh", "en"))


LOOKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "translucent": {"fill": (255, 255, 255, 110)},
    "dark on a pale plate": {"fill": (20, 20, 20, 255), "plate": (255, 255, 255, 190)},
    "outlined": {"rim": 2},
}


@pytest.mark.parametrize("size", [24, 46])
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", ["shipped", "wqy-microhei.ttc"])
@pytest.mark.parametrize("text", ["豆包AI生成", "AI generated"])
def test_heights_are_those_of_the_em_box(text: str, name: str, look: str, size: int) -> None:
    finding = seen(shown(text, size, name, **LOOKS[look]))
    assert finding.status is not Status.ABSENT
    assert finding.value["height_ratio"] == pytest.approx(size / 700, rel=0.1)
    assert finding.value["measured"] == ("letters" if text.isascii() else "ideographs")


@pytest.mark.parametrize("name", ["shipped", "wqy-microhei.ttc"])
@pytest.mark.parametrize("text", ["AI生成", "AI合成", "AI generated"])
@pytest.mark.parametrize("shape", [(900, 700), (480, 360)])
def test_nothing_below_four_and_a_half_per_cent_passes(text: str, name: str, shape: tuple[int, int]) -> None:
    size = int(0.0449 * shape[1])
    finding = seen(shown(text, size, name, shape=shape))
    assert "CN-VISIBLE-SIZE" in [defect.rule for defect in finding.defects]


@pytest.mark.parametrize("name", ["shipped", "wqy-microhei.ttc"])
@pytest.mark.parametrize("text", ["AI生成", "AI合成"])
@pytest.mark.parametrize("shape", [(900, 700), (480, 360)])
def test_ideographs_of_little_over_five_per_cent_pass(text: str, name: str, shape: tuple[int, int]) -> None:
    finding = seen(shown(text, -(-51 * shape[1] // 1000), name, shape=shape))
    assert "CN-VISIBLE-SIZE" not in [defect.rule for defect in finding.defects]


@pytest.mark.parametrize(("text", "how"), [
    ("AI生成", r"ideographs with ink of about 2[67] px, so an em box of (27|28|29) px"),
    ("AI generated", r"letters with capitals of about (19|20|21|22) px, by the usual proportions an em box of \d\d px"),
])  # fmt: skip
def test_the_report_says_how_it_was_measured(text: str, how: str) -> None:
    [said] = [d.message for d in seen(shown(text, 28)).defects if d.rule == "CN-VISIBLE-SIZE"]
    assert pytest.approx(4.0, rel=0.12) == float(said.split("text height is ")[1].split("%")[0])
    assert re.search(how, said), said


def test_the_contrast_is_that_with_what_is_under_the_text_and_not_with_the_page_around() -> None:
    picture = shown("AI生成", 40, "wqy-microhei.ttc", fill=(255, 255, 255, 150))
    page = Image.new("RGB", (picture.width + 60, picture.height + 200), (248, 248, 248))
    page.paste(picture, (30, 100))
    alone, framed = seen(picture).value, seen(page).value
    assert framed["contrast"] == pytest.approx(alone["contrast"], rel=0.15)
    assert framed["height_ratio"] == pytest.approx(40 / 900, rel=0.1)
