"""Labels as products draw them, on photographs that the reader was not tuned on (:mod:`benchmarks.realistic_set`)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from benchmarks import realistic_set
from labeling.findings import Status
from labeling.marks.visible import read_visible

PHOTOGRAPHS = Path("/usr/share/backgrounds/mate")
FONT = "wqy-microhei.ttc"


@pytest.fixture(scope="module")
def fonts() -> Path:
    if not any(realistic_set.FONTS.rglob(FONT)):
        pytest.skip("there is no WenQuanYi Micro Hei: apt-get install fonts-wqy-microhei")
    return realistic_set.FONTS


@pytest.fixture(scope="module")
def photographs() -> list[Path]:
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"there are no photographs in {PHOTOGRAPHS}: apt-get install mate-backgrounds")
    return [PHOTOGRAPHS]


def test_marks_of_products_are_found_on_photographs(photographs: list[Path], fonts: Path) -> None:
    found: dict[str, list[bool]] = defaultdict(list)
    heights: list[float] = []
    vendors: list[bool] = []
    for example in realistic_set.labelled(160, "test", photographs, fonts):
        assert example.mark is not None
        finding = read_visible(example.pixels, languages=("zh", "en"))
        seen = finding.status is not Status.ABSENT
        found["large" if example.height >= 0.03 else "small"].append(seen)
        if example.change in ("q40", "480px", "screenshot"):
            found["spoilt"].append(seen)
        if seen:
            vendors.append((finding.value["vendor"] or "") == example.mark.vendor)
            if example.mark.language == "zh":
                heights.append(abs(finding.value["height_ratio"] / example.height - 1))
    rates = {kind: float(np.mean(hits)) for kind, hits in found.items()}
    assert rates["large"] >= 0.95, rates
    assert rates["small"] >= 0.85, rates
    assert rates["spoilt"] >= 0.85, rates
    assert np.mean(vendors) >= 0.97
    assert np.mean(np.array(heights) <= 0.1) >= 0.9


def test_nothing_is_found_on_photographs(photographs: list[Path]) -> None:
    for example in realistic_set.unlabelled(100, "test", photographs):
        assert read_visible(example.pixels, languages=("zh", "en")).status is Status.ABSENT, example.name


def page(fonts: Path, lines: list[tuple[int, int, int, str]]) -> np.ndarray:
    """Draw lines of text (left, top, size, text) on a light page of 1080 × 1440."""
    image = Image.new("RGB", (1080, 1440), (246, 246, 242))
    file = str(next(fonts.rglob(FONT)))
    for left, top, size, text in lines:
        ImageDraw.Draw(image).text((left, top), text, (40, 40, 46), ImageFont.truetype(file, size))
    return np.asarray(image)


def test_a_label_inside_a_picture_is_at_the_wrong_place(fonts: Path) -> None:
    finding = read_visible(page(fonts, [(430, 700, 60, "AI生成")]), languages=("zh",))
    assert finding.status is Status.DEFECTIVE
    assert finding.value["position"] == "inside"
    assert [each.rule for each in finding.defects] == ["CN-VISIBLE-POSITION"]


def test_a_label_inside_a_video_frame_is_a_label(fonts: Path) -> None:
    finding = read_visible(page(fonts, [(430, 700, 60, "AI生成")]), languages=("zh",), anywhere=True)
    assert finding.status is Status.PRESENT


@pytest.mark.parametrize(
    ("text", "said"),
    [("人工智能\n生成合成", "人工智能生成合成"), ("由人工智能\n生成", "由人工智能生成"), ("内容由\nAI生成", "AI生成")],
)
def test_a_label_of_two_close_lines_is_read(text: str, said: str, fonts: Path) -> None:
    image = Image.effect_noise((900, 600), 30).convert("RGB")
    font = ImageFont.truetype(str(next(fonts.rglob(FONT))), 36)
    ImageDraw.Draw(image).multiline_text((18, 18), text, (255, 255, 255), font, stroke_width=1, stroke_fill=0)
    finding = read_visible(np.asarray(image), languages=("zh",))
    assert finding.status is Status.PRESENT
    assert finding.value["text"] == said
    assert finding.value["height_ratio"] == pytest.approx(0.06, abs=0.004)


def test_a_button_that_leads_on_is_no_label(fonts: Path) -> None:
    button = page(fonts, [(800, 1350, 60, "AI生成 >")])
    assert read_visible(button, languages=("zh",)).status is Status.ABSENT
    assert read_visible(page(fonts, [(800, 1350, 60, "AI生成")]), languages=("zh",)).status is Status.PRESENT


PAGES = {
    "a document": [
        (120, 200 + 70 * row, 40, text)
        for row, text in enumerate(
            (
                "第三章 内容标识",
                "一、生成合成内容应当添加标识。",
                "AI生成",
                "二、标识应当清晰可辨。",
                "三、不得删除或者篡改。",
            )
        )
    ],
    "a line that goes on": [(200, 700, 44, "AI生成的图片应当添加标识")],
    "a menu": [(480, 300 + 90 * row, 40, text) for row, text in enumerate(("新建", "打开", "AI生成", "保存", "退出"))],
    "a headline": [(240, 500, 200, "AI生成")],
}


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_says_is_no_label(name: str, fonts: Path) -> None:
    finding = read_visible(page(fonts, PAGES[name]), languages=("zh",))
    assert finding.status is Status.ABSENT, finding.value
