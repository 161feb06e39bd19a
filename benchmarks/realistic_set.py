"""Visible labels as products draw them, on real photographs, and the truth about each.

The photographs are those of installed packages (``FOLDERS``, or folders that the caller names); none is in the
repository. They are split by photograph: a reader is tuned on marks over the ``tuning`` half and measured on marks over
the ``test`` half, and no photograph is in both, in whatever size. The same photographs, seed and number always give the
same picture. Sizes, opacities, plates and places follow what was measured on marks of real products.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Color = tuple[int, int, int]
WHITE, BLACK = (255, 255, 255), (20, 20, 20)

FOLDERS = (
    Path("/usr/share/backgrounds"),
    Path("/usr/share/wallpapers"),
    Path("/usr/share/doc/opencv-doc/examples/data"),
    Path("/usr/share/tuxpaint/stamps"),
    Path("/usr/share/stellarium/skycultures/greek_leidenAratea"),
    Path("/usr/share/games/wesnoth/1.16/data/core/images/story"),
    Path("/usr/share/palapeli/collection"),
)
"""Where Debian's packages put photographs and pictures: plasma-workspace-wallpapers, mate-backgrounds,
gnome-backgrounds, lomiri-wallpapers-16.04 and -20.04, ukui-wallpapers, opencv-doc, tuxpaint-stamps-default,
stellarium-data, wesnoth-1.16-data, palapeli-data. scikit-image's and scikit-learn's samples can be named as well."""

PATTERNS = (
    "chessboard",
    "digits",
    "ellipses",
    "pca_test",
    "text",
    "sudoku",
    "mask",
    "asl_",
    "grid",
    "page",
    "phantom",
    "-logo",
    "detect_blob",
    "default",
    "stripes",
    "imagetextn",
    "box",
    "pic",
    "left",
    "right",
    "hmm",
    "cards",
)
"""Beginnings or endings of names that are test patterns, pages or cut-outs."""

FONTS = Path("/usr/share/fonts")
FAMILIES = ("NotoSansCJK-Regular", "NotoSansCJK-Bold", "wqy-microhei", "wqy-zenhei", "NotoSerifCJK-Regular", "ukai")
"""Fonts by the beginning of their file's name: fonts-noto-cjk, fonts-wqy-microhei, -wqy-zenhei, -arphic-ukai."""

SMALLEST_SIDE = 360
SIZES = ((1024, 1024), (864, 1152), (1280, 720), (720, 1280), (1536, 1024), (2048, 2048), (1080, 1440), (768, 768))

LEAST_CONTRAST = 1.35

CHANGES = ("none", "none", "q40", "q70", "480px", "screenshot", "crop")
"""What happens to a picture after the label was drawn; "none" is a JPEG of quality 88 to 95."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How one product draws its label. ``height`` is the range of the em box against the shortest side."""

    text: str
    vendor: str = ""
    height: tuple[float, float] = (0.025, 0.04)
    opacity: tuple[float, float] = (0.6, 0.95)
    where: tuple[str, ...] = ("bottom-right",)
    colour: Color = WHITE
    outline: bool = False
    shadow: bool = False
    plate: Color | None = None
    plate_opacity: tuple[float, float] = (0.3, 0.7)
    frame: bool = False
    logo: bool = False
    language: str = "zh"
    complies: bool = True


MARKS = (
    Mark("元宝AI生成", "元宝", (0.030, 0.036), (0.75, 0.95)),
    Mark("千问AI生成", "千问", (0.035, 0.042), (0.55, 0.95)),
    Mark("AI生成", "", (0.022, 0.028), (0.8, 1.0), ("bottom-right", "bottom-left"), BLACK, plate=WHITE, logo=True),
    Mark("AI 生成", "", (0.020, 0.026), (0.8, 1.0), ("top-left",), plate=BLACK, plate_opacity=(0.2, 0.5), frame=True),
    Mark("豆包AI生成", "豆包", (0.032, 0.038), (0.7, 0.95), shadow=True),
    Mark("AI生成", "", (0.024, 0.032), (0.7, 1.0), ("top-left", "top-right"), plate=BLACK),
    Mark("可灵AI生成", "可灵", (0.025, 0.035), (0.6, 0.9), ("bottom-right", "bottom-left"), shadow=True, logo=True),
    Mark("文心AI生成", "文心", (0.025, 0.035), (0.6, 0.9)),
    Mark("清言·AI生成", "清言", (0.024, 0.034), (0.6, 0.9), ("bottom-right", "bottom")),
    Mark("通义AI生成", "通义", (0.028, 0.036), (0.6, 0.9), shadow=True),
    Mark("内容由AI生成", "", (0.022, 0.034), (0.7, 1.0), ("bottom", "bottom-right"), plate=BLACK),
    Mark("图片由AI生成", "", (0.024, 0.036), (0.7, 1.0), ("bottom-left", "bottom-right"), BLACK, plate=WHITE),
    Mark("人工智能生成", "", (0.03, 0.06), (0.8, 1.0), ("bottom-right", "top-left"), outline=True),
    Mark("AI合成", "", (0.03, 0.06), (0.8, 1.0), ("bottom-right", "top-right"), outline=True),
    Mark("AI generated", "", (0.022, 0.034), (0.6, 1.0), ("bottom-right", "bottom-left"), shadow=True, language="en"),
    Mark("AI-generated", "", (0.024, 0.034), (0.7, 1.0), ("top-left", "bottom-right"), plate=BLACK, language="en"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """One picture, (H, W, 3) uint8 RGB, and what is true of it.

    ``mark`` is ``None`` where there is none. ``height`` is the label's em box against the shortest side, in the picture
    as it is now; ``contrast`` that of the ink with what is under it (WCAG 2), before the picture was compressed.
    """

    name: str
    pixels: NDArray[np.uint8]
    mark: Mark | None = None
    change: str = "none"
    height: float = 0.0
    contrast: float = 0.0


def photographs(folders: Iterable[Path] = FOLDERS) -> dict[str, Path]:
    """Return the photographs in folders: the name that all sizes and versions of one share, and its largest file."""
    largest: dict[str, tuple[int, Path]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"} or "screenshot" in path.name:
                continue
            try:
                with Image.open(path) as image:
                    size, mode = image.size, image.mode
            except OSError:
                continue
            if (
                mode not in ("RGB", "L", "YCbCr")
                or path.stem.lower().startswith(PATTERNS)
                or path.stem.endswith(PATTERNS)
            ):
                continue
            if min(size) < SMALLEST_SIDE or max(size) > 4 * min(size):
                continue
            name = photograph(path)
            if name not in largest or size[0] * size[1] > largest[name][0]:
                largest[name] = size[0] * size[1], path
    return {name: path for name, (_, path) in sorted(largest.items())}


def photograph(path: Path) -> str:
    """Return the name of a photograph without its size and version."""
    parts = path.parts
    if "wallpapers" in parts and "contents" in parts:
        return parts[parts.index("contents") - 1].lower()
    return re.sub(r"[-_](\d+x\d+|portrait|light|dark|[ld])$", "", re.sub(r"[-_]\d+x\d+", "", path.stem.lower())).strip(
        "-_0123456789"
    )


def half(name: str) -> str:
    """Return ``tuning`` or ``test``: where a photograph belongs, by its name alone."""
    return "tuning" if hashlib.sha256(name.encode()).digest()[0] % 2 else "test"


def labelled(count: int, part: str, folders: Iterable[Path] = FOLDERS, fonts: Path = FONTS) -> Iterator[Example]:
    """Yield ``count`` labelled pictures over the photographs of one half, the marks and the photographs in turn."""
    grounds = [(name, path) for name, path in photographs(folders).items() if half(name) == part]
    faces = _faces(fonts)
    for number in range(count):
        rng = np.random.default_rng((29, number, part == "test"))
        name, path = grounds[number % len(grounds)]
        mark = MARKS[(number // 3) % len(MARKS)]
        if rng.random() < 0.25:  # as others may draw it, from two per cent on
            mark = replace(
                mark, height=(0.02, 0.045), where=("bottom-right", "bottom-left", "top-left", "top-right", "bottom")
            )
        yield _labelled(f"{part} {number:04d} {name}", _ground(path, rng), mark, faces, rng)


def unlabelled(count: int, part: str, folders: Iterable[Path] = FOLDERS) -> Iterator[Example]:
    """Yield up to ``count`` of the same photographs as they are."""
    grounds = [(name, path) for name, path in photographs(folders).items() if half(name) == part]
    for number, (name, path) in enumerate(grounds[:count]):
        yield Example(f"{part} {name}", _coded(_ground(path, np.random.default_rng((31, number))), 90))


def _faces(folder: Path) -> list[tuple[str, int]]:
    found = [path for family in FAMILIES for path in sorted(folder.rglob(f"{family}*.tt[cf]"))[:1]]
    if not found:
        raise SystemExit(f"no CJK font below {folder}: install fonts-noto-cjk and fonts-wqy-microhei")
    return [(str(path), 2 if "CJK" in path.name else 0) for path in found]  # in Noto's collections, 2 is SC


@lru_cache(maxsize=4)
def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (3000, 3000))
        return image.convert("RGB")


def _ground(path: Path, rng: np.random.Generator) -> Image.Image:
    """Return a part of a photograph in one of the sizes that generators give, scaled down where it can be."""
    photo = _opened(path)
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    scale = min(1.0, photo.width / width, photo.height / height)
    width, height = round(width * scale), round(height * scale)
    part = min(photo.width / width, photo.height / height)
    part = rng.uniform(max(1.0, 0.6 * part), part)
    left, top = rng.uniform(0, photo.width - width * part), rng.uniform(0, photo.height - height * part)
    return photo.resize(
        (width, height), Image.Resampling.LANCZOS, (left, top, left + width * part, top + height * part)
    )


def _labelled(
    name: str, image: Image.Image, mark: Mark, faces: list[tuple[str, int]], rng: np.random.Generator
) -> Example:
    shortest = min(image.size)
    size = max(9, round(rng.uniform(*mark.height) * shortest))
    file, index = faces[int(rng.integers(len(faces)))]
    face = ImageFont.truetype(file, size, index=index)
    contrast = _draw(image, mark, face, size, rng)
    change = CHANGES[int(rng.integers(len(CHANGES)))]
    changed, factor = _changed(image, change, faces[0], rng)
    text = f"{name} {mark.text} {size / shortest:.1%} {Path(file).stem} {change}"
    return Example(text, changed, mark, change, size * factor / min(changed.shape[:2]), contrast)


def _draw(image: Image.Image, mark: Mark, face: ImageFont.FreeTypeFont, size: int, rng: np.random.Generator) -> float:
    """Draw the mark; return the contrast of its ink with what is under its strokes.

    Where that would be under :data:`LEAST_CONTRAST`, the mark gets a shadow; nobody could see it else.
    """
    for tried in (
        mark,
        replace(mark, shadow=True),
        replace(mark, outline=True),
        replace(mark, plate=mark.plate or BLACK),
    ):
        drawn = image.copy()
        contrast = _drawn(drawn, tried, face, size, rng)
        if contrast >= LEAST_CONTRAST:
            break
    image.paste(drawn)
    return contrast


def _drawn(image: Image.Image, mark: Mark, face: ImageFont.FreeTypeFont, size: int, rng: np.random.Generator) -> float:
    left, top, right, bottom = map(round, face.getbbox(mark.text))
    pad = round(size * rng.uniform(0.3, 0.6)) if mark.plate or mark.frame else max(2, size // 8)
    logo = round(1.2 * size) if mark.logo else 0
    width, height = right - left + 2 * pad + logo, bottom - top + 2 * pad
    where = mark.where[int(rng.integers(len(mark.where)))]
    margin = round(rng.uniform(0.012, 0.045) * min(image.size))
    x = margin if "left" in where else image.width - width - margin if "right" in where else (image.width - width) // 2
    y = margin if "top" in where else image.height - height - margin
    box = max(0, x), max(0, y), max(0, x) + width, max(0, y) + height
    part = image.crop(box)
    canvas = ImageDraw.Draw(part, "RGBA")
    radius = round(height * (0.5 if rng.random() < 0.5 else 0.2))
    if mark.plate:
        canvas.rounded_rectangle(
            (0, 0, width - 1, height - 1), radius, (*mark.plate, round(255 * rng.uniform(*mark.plate_opacity)))
        )
    if mark.frame:
        canvas.rounded_rectangle(
            (0, 0, width - 1, height - 1), radius, outline=(*mark.colour, 170), width=max(1, size // 16)
        )
    if logo:
        canvas.ellipse(
            (pad, pad, pad + 0.85 * logo, pad + 0.85 * logo), outline=(*mark.colour, 220), width=max(2, size // 8)
        )
    ink = Image.new("L", part.size)
    at = pad + logo - left, pad - top
    ImageDraw.Draw(ink).text(at, mark.text, 255, face)
    if mark.shadow or mark.outline:
        grown = ink.filter(ImageFilter.MaxFilter(2 * max(1, size // 18) + 1))
        soft = grown.filter(ImageFilter.GaussianBlur(max(1.0, size / 14))) if mark.shadow else grown
        part.paste(BLACK, (0, 0), soft.point(lambda value: value * (0.45 if mark.shadow else 0.9)))
    under = np.asarray(part)
    opacity = rng.uniform(*mark.opacity)
    part.paste(mark.colour, (0, 0), ink.point(lambda value: round(value * opacity)))
    image.paste(part, box[:2])
    return _contrast(np.asarray(part), under, np.asarray(ink))


def _contrast(drawn: NDArray[np.uint8], under: NDArray[np.uint8], ink: NDArray[np.uint8]) -> float:
    """Contrast (WCAG 2) of the middle of the strokes with what they were drawn over, medians."""
    strokes = ink > 200
    if not strokes.any():
        return 1.0
    a, b = (float(np.median(_luminance(each[strokes]))) for each in (drawn, under))
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def _luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    values = pixels.astype(np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _changed(
    image: Image.Image, change: str, face: tuple[str, int], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], float]:
    """Return the picture as it reaches a reader, and by how much it was scaled."""
    if change in ("q40", "q70"):
        return _coded(image, int(change[1:])), 1.0
    if change == "480px":
        factor = 480 / min(image.size)
        small = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
        return _coded(small, int(rng.integers(75, 92))), factor
    if change == "screenshot":
        return _screenshot(image, face, rng)
    if change == "crop":  # from the sides that have no label: what is left keeps two thirds at least
        image = _cropped(image, rng)
    return _coded(image, int(rng.integers(88, 96))), 1.0


def _cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a little off all sides, less than the margin of the closest label."""
    cut = round(0.008 * min(image.size))
    left, top, right, bottom = (int(rng.integers(0, cut + 1)) for _ in range(4))
    return image.crop((left, top, image.width - right, image.height - bottom))


_LINES = (
    "首页  发现  消息  我的",
    "分享给朋友",
    "今天 14:32",
    "查看原图",
    "发送",
    "Home   Explore   Messages",
    "Reply",
    "12:45",
)


def _screenshot(image: Image.Image, file: tuple[str, int], rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """Return the picture in a page of an app: bars above and below, lines of text, on white or black."""
    width = int(rng.choice([1080, 1170, 1280]))
    dark = rng.random() < 0.4
    shown = round(width * rng.uniform(0.75, 1.0))
    factor = shown / image.width
    picture = image.resize((shown, round(image.height * factor)), Image.Resampling.BICUBIC)
    above, below = (round(rng.uniform(0.12, 0.35) * width) for _ in range(2))
    page = Image.new("RGB", (width, picture.height + above + below), (18, 18, 20) if dark else (248, 248, 250))
    page.paste(picture, ((width - shown) // 2, above))
    canvas, face = ImageDraw.Draw(page), ImageFont.truetype(file[0], 34, index=file[1])
    for y in (30, above - 60, above + picture.height + 24, page.height - 70):
        canvas.text((40, y), _LINES[int(rng.integers(len(_LINES)))], (200, 200, 200) if dark else (60, 60, 60), face)
    return _coded(page, int(rng.integers(80, 95))), factor


def _coded(image: Image.Image, quality: int) -> NDArray[np.uint8]:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    with Image.open(out) as decoded:
        return np.asarray(decoded.convert("RGB"))


def sheet(examples: Iterable[Example], columns: int = 4, side: int = 480) -> Image.Image:
    """Return a contact sheet of the pictures."""
    shown = [Image.fromarray(example.pixels) for example in examples]
    rows = math.ceil(len(shown) / columns)
    whole = Image.new("RGB", (columns * side, rows * side), (90, 90, 90))
    for index, image in enumerate(shown):
        image.thumbnail((side - 6, side - 6))
        whole.paste(image, ((index % columns) * side + 3, (index // columns) * side + 3))
    return whole
