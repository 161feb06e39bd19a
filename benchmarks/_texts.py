"""Pages full of text that is no label: posters, screenshots, documents, signs, subtitles, tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks._grounds import background

Face = Callable[[int, int], ImageFont.FreeTypeFont]

HEADLINES = (
    "AI生成",
    "AI生成艺术展",
    "人工智能生成内容峰会",
    "AI改变世界",
    "AI 绘画大赛",
    "AI",
    "生成式AI应用大会",
    "AIGC 2026",
    "智能时代",
    "夏日音乐节",
    "AI合成主播",
    "GRAND OPENING",
    "AI SUMMIT",
    "新品发布",
    "AI生成，无限可能",
    "人工智能合成技术",
    "OPEN AI DAY",
)
LINES = (
    "人工智能改变生活",
    "让我们一起走进智能时代",
    "本次活动由市科技馆主办",
    "生成与合成技术的历史",
    "时间：9月1日 14:00",
    "地点：中关村国际会议中心",
    "AI 助手已上线",
    "扫码关注我们",
    "今天天气很好，我们去公园吧",
    "合成氨工业的发展",
    "版权所有 翻印必究",
    "第三章 机器学习基础",
    "图3-2 生成对抗网络",
    "The quick brown fox jumps over the lazy dog",
    "AI is changing the way we work",
    "All rights reserved",
    "Terms and Privacy",
    "请输入验证码",
    "电力生成系统",
    "AI学院招生简章",
    "人工智能学院",
    "AI 课程 零基础入门",
    "感谢您的观看",
    "MADE IN CHINA",
    "Made with AI",
    "即梦AI",
    "AI修图 一键美化",
    "豆包",
    "智能生成报告",
    "生成二维码",
    "合成照片",
    "会议纪要自动生成",
    "AI 搜索",
    "PAINT 生成",
    "AIR 合成",
    "图像合成软件",
)
MENUS = (
    ("文件", "编辑", "视图", "插入", "格式", "工具", "帮助"),
    ("首页", "发现", "AI", "消息", "我的"),
    ("File", "Edit", "View", "AI", "Window", "Help"),
    ("首页", "AI绘画", "生成记录", "我的"),
    ("推荐", "热榜", "AI", "科技", "数码"),
    ("AI 助手", "模板", "合成", "导出"),
    ("14:32", "5G", "AI"),
)
SUBTITLES = (
    "人工智能改变生活",
    "AI正在改变每一个行业",
    "我们的未来由自己创造",
    "他说：这是AI干的",
    "How AI changed my life",
    "用人工智能合成蛋白质的新方法",
    "生成模型是怎样工作的？",
    "下面请看AI如何作曲",
)

_PAPER = ((255, 255, 255), (250, 246, 235), (24, 26, 32), (238, 242, 250))


def page(number: int, size: tuple[int, int], rng: np.random.Generator, face: Face) -> tuple[str, Image.Image]:
    """Page ``number``: its kind, and the picture."""
    kind = ("poster", "screenshot", "document", "sign", "subtitle", "chat")[number % 6]
    makers = {"poster": _poster, "screenshot": _screenshot, "document": _document, "sign": _sign,
              "subtitle": _subtitle, "chat": _chat}  # fmt: skip
    return kind, makers[kind](size, rng, face)


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _blank(size: tuple[int, int], rng: np.random.Generator) -> tuple[Image.Image, tuple[int, int, int]]:
    paper = _PAPER[int(rng.integers(len(_PAPER)))]
    return Image.new("RGB", size, paper), (20, 20, 24) if sum(paper) > 380 else (235, 235, 240)


def _scene(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    return background(rng, size)[1]


def _fitted(text: str, face: Face, which: int, wished: float, room: float) -> ImageFont.FreeTypeFont:
    pixels = max(8, round(wished))
    while pixels > 8 and face(which, pixels).getlength(text) > room:
        pixels = round(pixels * 0.9)
    return face(which, pixels)


def _poster(size: tuple[int, int], rng: np.random.Generator, face: Face) -> Image.Image:
    """A scene with a large headline between a quarter and three quarters of the height, and small lines."""
    image, draw = (scene := _scene(size, rng)), ImageDraw.Draw(scene)
    which, (width, height) = int(rng.integers(4)), size
    headline = _pick(HEADLINES, rng)
    font = _fitted(headline, face, which, min(size) * rng.uniform(0.07, 0.2), 0.9 * width)
    centre = width / 2, height * rng.uniform(0.32, 0.62)
    draw.text(centre, headline, "white", font, "mm", stroke_width=max(1, font.size // 14), stroke_fill="black")
    y = centre[1] + font.size
    for _ in range(int(rng.integers(2, 6))):
        line = _pick(LINES, rng)
        font = _fitted(line, face, which, min(size) * rng.uniform(0.03, 0.06), 0.9 * width)
        draw.text((width / 2, y), line, "white", font, "mm", stroke_width=1, stroke_fill="black")
        y += font.size * 1.5
    edge = _pick(LINES, rng)
    font = _fitted(edge, face, which, min(size) * 0.045, width * 0.9)
    draw.text((width * 0.5, height * 0.96), edge, "white", font, "mm", stroke_width=1, stroke_fill="black")
    return image


def _screenshot(size: tuple[int, int], rng: np.random.Generator, face: Face) -> Image.Image:
    """Menus at the top and the bottom, lines between."""
    image, ink = _blank(size, rng)
    draw, which, (width, height) = ImageDraw.Draw(image), int(rng.integers(4)), size
    bar = min(size) * rng.uniform(0.06, 0.1)
    for y, menu in (
        (bar / 2, MENUS[int(rng.integers(len(MENUS)))]),
        (height - bar / 2, MENUS[int(rng.integers(len(MENUS)))]),
    ):
        draw.rectangle((0, y - bar / 2, width, y + bar / 2), fill=tuple(int(c) for c in rng.integers(120, 200, 3)))
        step = width / len(menu)
        for column, word in enumerate(menu):
            font = _fitted(word, face, which, bar * 0.6, step * 0.8)
            draw.text((step * (column + 0.5), y), word, "black", font, "mm")
    _lines(draw, (width * 0.04, bar * 1.3, width * 0.96, height - bar * 1.3), min(size) * 0.045, ink, which, rng, face)
    return image


def _document(size: tuple[int, int], rng: np.random.Generator, face: Face) -> Image.Image:
    image, ink = _blank(size, rng)
    pixels = min(size) * rng.uniform(0.025, 0.05)
    box = (size[0] * 0.05, size[1] * 0.03, size[0] * 0.95, size[1] * 0.97)
    _lines(ImageDraw.Draw(image), box, pixels, ink, int(rng.integers(4)), rng, face, full=True)
    return image


def _lines(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], pixels: float, ink: tuple[int, int, int],
    which: int, rng: np.random.Generator, face: Face, *, full: bool = False,
) -> None:  # fmt: skip
    font, y = face(which, max(9, round(pixels))), box[1]
    while y + font.size < box[3]:
        line = _pick(LINES, rng)
        while full and font.getlength(line) < 0.8 * (box[2] - box[0]):
            line += _pick(("，", "。", " "), rng) + _pick(LINES, rng)
        while font.getlength(line) > box[2] - box[0]:
            line = line[:-1]
        draw.text((box[0], y), line, ink, font)
        y += font.size * (1.5 if full else rng.uniform(1.5, 2.6))


def _sign(size: tuple[int, int], rng: np.random.Generator, face: Face) -> Image.Image:
    """A board in a scene that says AI, or both elements: not at an edge."""
    image = _scene(size, rng)
    draw, (width, height) = ImageDraw.Draw(image), size
    word = _pick(("AI", "AI生成", "AI体验馆", "人工智能", "AI生成体验区", "AI LAB", "合成化工", "AI 合成"), rng)
    font = _fitted(word, face, int(rng.integers(4)), min(size) * rng.uniform(0.06, 0.16), width * 0.5)
    x, y = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.35, 0.65)
    half, tall = font.getlength(word) / 2 + font.size * 0.5, font.size
    draw.rectangle((x - half, y - tall, x + half, y + tall), fill=tuple(int(c) for c in rng.integers(0, 110, 3)))
    draw.text((x, y), word, "white", font, "mm")
    return image


def _subtitle(size: tuple[int, int], rng: np.random.Generator, face: Face) -> Image.Image:
    image = _scene(size, rng)
    words = _pick(SUBTITLES, rng)
    font = _fitted(words, face, int(rng.integers(4)), min(size) * rng.uniform(0.05, 0.07), size[0] * 0.92)
    at = size[0] / 2, size[1] * rng.uniform(0.9, 0.95)
    ImageDraw.Draw(image).text(at, words, "white", font, "mm", stroke_width=2, stroke_fill="black")
    return image


def _chat(size: tuple[int, int], rng: np.random.Generator, face: Face) -> Image.Image:
    """Bubbles at the left and the right border."""
    image, _ = _blank(size, rng)
    draw, (width, height) = ImageDraw.Draw(image), size
    pixels, y, which = max(10, round(min(size) * rng.uniform(0.035, 0.055))), 0.03 * height, int(rng.integers(4))
    while y + 2 * pixels < height:
        line = _pick(LINES + SUBTITLES, rng)
        font = _fitted(line, face, which, pixels, width * 0.8)
        long = font.getlength(line) + pixels
        x = 0.03 * width if rng.random() < 0.5 else 0.97 * width - long
        draw.rounded_rectangle((x, y, x + long, y + 2 * pixels), pixels // 2, fill=(120, 200, 120))
        draw.text((x + pixels / 2, y + pixels), line, "black", font, "lm")
        y += 2.6 * pixels
    return image
