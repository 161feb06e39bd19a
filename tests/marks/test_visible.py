"""The visible label: wording, size, place and contrast on pictures of every size and content."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from labeling import LabelingError, codecs
from labeling.findings import Finding, Status
from labeling.marks.visible import LabelPainter, Style, judge, read_visible
from labeling.marks.visible import font as fonts
from labeling.options.style import POSITIONS

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize("text", [
    "AI生成", "人工智能生成", "人工智能合成", "豆包AI生成", "内容由AI生成", "AI 合成", "ＡＩ生成",
    "百度 AI生成", "ai生成", "本内容由人工智能生成", "生成内容（AI）",
])  # fmt: skip
def test_wording_with_both_elements_complies(text: str) -> None:
    assert judge(text).complies


@pytest.mark.parametrize(
    "text",
    [
        "AI",
        "Made with AI",
        "即梦AI",
        "AI GENERATED",
        "生成",
        "PAINT生成",
        "人工生成",
        "MAIN 合成",
        "",
        "人工智慧生成",
        "非AI生成",
    ],
)
def test_wording_without_both_elements_does_not(text: str) -> None:
    assert not judge(text).complies


def test_english_wording_is_for_regimes_that_accept_it() -> None:
    for text in ("AI GENERATED", "AI-generated", "AI Generated content", "Synthetic media made by AI"):
        assert judge(text, ("en", "zh")).complies
        assert not judge(text, ("zh",)).complies
    assert judge("Made with AI", ("en", "zh")).complies
    assert judge("豆包AI生成").vendor == "豆包"
    assert judge("内容由AI生成").vendor == ""


BACKDROPS: dict[str, Callable[[int, int], Pixels]] = {
    "white": lambda w, h: np.full((h, w, 3), 255, np.uint8),
    "black": lambda w, h: np.zeros((h, w, 3), np.uint8),
    "mid-gray": lambda w, h: np.full((h, w, 3), 119, np.uint8),
    "red": lambda w, h: np.full((h, w, 3), (230, 20, 30), np.uint8),
    "noise": lambda w, h: np.random.default_rng(3).integers(0, 256, (h, w, 3), np.uint8),
    "stripes": lambda w, h: np.broadcast_to(
        (np.arange(w) // 6 % 2 * 255).astype(np.uint8)[None, :, None], (h, w, 3)
    ).copy(),
    "ramp": lambda w, h: np.broadcast_to(np.linspace(0, 255, w).astype(np.uint8)[None, :, None], (h, w, 3)).copy(),
}


LOOKS = [{}, {"plate": "off"}, {"opacity": 0.5}, {"color": "#808080"}, {"color": "#ff0000", "plate": "on"}]


def linear(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative luminance by the letter of WCAG 2, written apart from the code under test."""
    s = pixels / 255
    channel = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    result: NDArray[np.float64] = channel @ np.array([0.2126, 0.7152, 0.0722])
    return result


@pytest.mark.parametrize("backdrop", list(BACKDROPS))
@pytest.mark.parametrize(
    "look", [{}, {"plate": "off"}, {"opacity": 0.5}, {"color": "#808080"}, {"color": "#ff0000", "plate": "on"}]
)
def test_contrast_holds_on_every_picture_also_after_jpeg(backdrop: str, look: dict[str, object]) -> None:
    painter = LabelPainter(Style(height_ratio=0.12, **look))  # type: ignore[arg-type]
    picture = BACKDROPS[backdrop](500, 400)
    painted = codecs.encode(picture, "jpeg", painter, quality=92)
    said = painter.finding(painted.box, painted.width, painted.height).value["contrast"]
    assert said >= 4.5
    overlay = painter.paint([picture[painted.box[1] : painted.box[3], painted.box[0] : painted.box[2]]])
    with Image.open(io.BytesIO(painted.data)) as image:
        region = np.asarray(image.convert("RGB").crop(painted.box), np.float64)
    # Ink is where the overlay has its purest colour; around it is a ring of four pixels, without the soft edge.
    with Image.open(io.BytesIO(codecs.encode(np.zeros_like(picture), "png", painter).data)) as image:
        image.load()
    mask = ink_mask(painter, painted.box)
    ring = dilated(mask, 4) & ~dilated(mask, 2)
    assert overlay.shape[:2] == mask.shape
    inside, around = np.median(linear(region[eroded(mask)])), linear(region[ring])
    ratios = (np.maximum(inside, around) + 0.05) / (np.minimum(inside, around) + 0.05)
    assert np.percentile(ratios, 5) >= 4.0, "a twentieth of the ring may lose a little to JPEG"
    assert np.median(ratios) >= 4.5


def ink_mask(painter: LabelPainter, box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Where the glyphs are, drawn by Pillow alone: centred in the box, as the label is."""
    width, height = box[2] - box[0], box[3] - box[1]
    size = next(s for s in range(8, 400) if fits(s, width, height))
    drawer = ImageFont.truetype(io.BytesIO(fonts.shipped()), size, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = drawer.getbbox(painter.style.text)
    image = Image.new("L", (width, height))
    x, y = round((width - (right - left)) / 2 - left), round((height - (bottom - top)) / 2 - top)
    ImageDraw.Draw(image).text((x, y), painter.style.text, fill=255, font=drawer)
    return np.asarray(image) > 200


def fits(size: int, width: int, height: int) -> bool:
    """The size at which ink plus padding fills the box: height 1 + 2·0.34 of the ink height of the ideographs."""
    drawer = ImageFont.truetype(io.BytesIO(fonts.shipped()), size, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = drawer.getbbox("AI生成")
    target = 0.12 * 400
    return size * fonts.unit_height("AI生成", None) >= target or right - left > width or bottom - top > height


def dilated(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    for _ in range(steps):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return ~dilated(~mask, 1)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    position=st.sampled_from(POSITIONS),
    ratio=st.floats(0.05, 0.2),
    text=st.sampled_from(["AI生成", "豆包AI生成", "本图片由人工智能合成，仅供参考", "人工智能生成"]),
)
def test_on_any_size_the_label_is_inside_the_picture_and_large_enough_or_refused(
    width: int, height: int, position: str, ratio: float, text: str
) -> None:
    painter = LabelPainter(Style(text=text, position=position, height_ratio=ratio))
    try:
        left, top, right, bottom = painter.box(width, height)
    except LabelingError as error:
        assert min(width, height) < 40, "only a very small or narrow picture may be refused"
        assert "`visible=False`" in str(error)
        return
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    overlay = painter.paint([np.zeros((bottom - top, right - left, 3), np.uint8)])
    assert overlay.shape == (bottom - top, right - left, 4)
    value = painter.finding((left, top, right, bottom), width, height).value
    assert value["height_ratio"] >= 0.05
    assert judge(value["text"]).complies
    rows = np.flatnonzero((overlay[..., 3] > 127).any(axis=1))
    assert rows.size >= 0.05 * min(width, height), "ink rows as drawn"


@pytest.mark.parametrize("size", [(64, 64), (4000, 100), (100, 4000), (3000, 2000), (8000, 6000), (30, 900)])
def test_extreme_sizes_are_drawn(size: tuple[int, int]) -> None:
    painter = LabelPainter()
    box = painter.box(*size)
    overlay = painter.paint([np.full((box[3] - box[1], box[2] - box[0], 3), 200, np.uint8)])
    assert (overlay[..., 3] > 200).mean() > 0.05


@pytest.mark.parametrize("position", POSITIONS)
def test_the_reader_finds_position_text_and_height(position: str) -> None:
    picture = BACKDROPS["ramp"](900, 700)
    ImageDraw.Draw(image := Image.fromarray(picture)).ellipse((300, 200, 560, 460), fill=(30, 120, 60))
    painter = LabelPainter(Style(position=position, text="示例AI生成"))
    painted = codecs.encode(image, "jpeg", painter, quality=80)
    with Image.open(io.BytesIO(painted.data)) as out:
        finding = read_visible(np.asarray(out.convert("RGB")))
    assert (finding.status, finding.where) == (Status.PRESENT, position)
    assert finding.value["text"] == "示例AI生成"
    assert finding.value["height_ratio"] == pytest.approx(45 / 700, rel=0.1), "drawn at 45 pixels per em"
    left, top, right, bottom = finding.value["box"]
    assert painted.box[0] - 20 <= left < right <= painted.box[2] + 20
    assert painted.box[1] - 20 <= top < bottom <= painted.box[3] + 20


def written(text: str, at: tuple[int, int], size: int) -> Pixels:
    image = Image.new("RGB", (800, 600), (40, 60, 90))
    ImageDraw.Draw(image).text(at, text, fill="white", font=fonts.face(None, size))
    return np.asarray(image)


def test_too_small_is_defective_and_so_is_the_middle() -> None:
    small = read_visible(written("AI生成", (720, 570), 20))
    assert small.status is Status.DEFECTIVE
    assert [d.rule for d in small.defects] == ["CN-VISIBLE-SIZE"]
    assert small.value["height_ratio"] < 0.05
    middle = read_visible(written("AI生成", (300, 260), 50))  # 5.2: at an edge or a corner
    assert [d.rule for d in middle.defects] == ["CN-VISIBLE-POSITION"]
    assert read_visible(written("AI GENERATED", (300, 530), 50), languages=("en",)).status is Status.PRESENT


@pytest.mark.parametrize(
    ("text", "vendor", "said"),
    [("即梦AI", "即梦", "brand mark"), ("AI创作", None, "not in the words"), ("AI GENERATED", None, "not in the words"),
     ("Made with AI", None, "not in the words")],
)  # fmt: skip
def test_a_mark_that_falls_short_is_defective_and_says_why(text: str, vendor: str | None, said: str) -> None:
    finding = read_visible(written(text, (300, 530), 50))
    assert finding.status is Status.DEFECTIVE
    assert [d.rule for d in finding.defects] == ["CN-VISIBLE-WORDING"]
    assert said in finding.defects[0].message
    assert finding.defects[0].clause == "GB 45438-2025 5.2"
    assert finding.value["vendor"] == vendor
    if not text.isascii():
        assert finding.value["height_ratio"] == pytest.approx(50 / 600, rel=0.1)


@pytest.mark.parametrize("text", ["非AI生成", "本图未使用AI生成", "Not AI-generated", "No AI"])
def test_a_denial_is_no_label_and_is_reported_as_what_it_is(text: str) -> None:
    finding = read_visible(written(text, (250, 530), 50))
    assert finding.status is Status.ABSENT
    assert finding.value["denial"].replace(" ", "").lower() == text.replace(" ", "").lower()
    assert [d.rule for d in finding.defects] == ["FILE-DENIAL"]
    assert finding.value["position"] == "bottom"


@pytest.mark.parametrize("text", ["一键AI生成", "检测AI生成", "AI生成率", "AI生成PPT", "光合成AI", "AI生成的吗？"])
def test_buttons_nouns_and_questions_are_nothing(text: str) -> None:
    assert read_visible(written(text, (350, 530), 50)) == Finding("visible", Status.ABSENT)


def test_the_confidence_in_a_text_grows_with_its_size() -> None:
    sure = []
    for size in (8, 11, 40):
        image = Image.new("RGB", (14 * size, 14 * size), (40, 60, 90))
        ImageDraw.Draw(image).text((9 * size, 12 * size), "AI生成", font=fonts.face(None, size))
        sure.append(read_visible(np.asarray(image)).value["confidence"])
    assert 0.3 < sure[0] < sure[1] < sure[2] <= 1, sure


def test_real_labels_of_three_services_are_read(cases: object) -> None:
    from pathlib import Path

    folder = Path(str(cases)) / "1_aigc_cn"
    expected = {
        "doubao_png_xmp_elem_uscc_gray.png": ("豆包AI生成", "豆包"),
        "baidu_jpeg_exif_usercomment_white.jpeg": ("百度AI生成", "百度"),
        "zhipu_jpeg_exif_usercomment_black.jpg": ("清言·AI生成", "清言"),
    }
    for name, (text, vendor) in expected.items():
        with Image.open(folder / name) as image:
            finding = read_visible(np.asarray(image.convert("RGB")))
        assert finding.value["text"].replace(" ", "") == text
        assert finding.value["vendor"] == vendor
        assert finding.where == "bottom-right"


@pytest.mark.parametrize("wrong", [
    {"text": ""}, {"text": "a\nb"}, {"position": "centre"}, {"height_ratio": 0.04}, {"height_ratio": 2}, {"opacity": 0},
    {"plate": "maybe"}, {"color": "red"}, {"margin_ratio": 1},
])  # fmt: skip
def test_wrong_styles_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(LabelingError):
        Style(**wrong)  # type: ignore[arg-type]


def test_what_cannot_be_drawn_is_refused_at_once() -> None:
    for style, words in (
        (Style(text="Made with AI"), "generation element"),
        (Style(text="AI生成🦄"), "🦄"),
        (Style(font=b"junk"), "font"),
        (Style(logo=b"junk"), "logo"),
    ):
        with pytest.raises(LabelingError, match=words):
            LabelPainter(style)


def test_every_character_of_gb_2312_has_a_glyph() -> None:
    characters = [
        bytes((row, cell)).decode("gb2312", "ignore") for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF)
    ]
    fonts.require_glyphs("".join(characters) + "".join(map(chr, range(33, 127))), None)
