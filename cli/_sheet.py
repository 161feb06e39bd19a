"""The contact sheet of the demo: every labelled picture small, and its label at full size."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Box = tuple[int, int, int, int]

_COLUMNS = 4
_CELL = 380
_GAP = 40
_MARGIN = 64
_HEADER = 172
_THUMB = 254
_CROP = 104
_CAPTION = 78
_ROW = _THUMB + 14 + _CROP + 14 + _CAPTION + _GAP
_FOOTER = 84

_PAPER, _INK, _QUIET, _LINE = "#faf9f6", "#1c1b1a", "#77736c", "#e4e1da"
_CHIPS = {"compliant": ("#e3f1e5", "#1d6b34"), "noncompliant": ("#fbe4e1", "#a3271b")}
_CHIP_OTHER = ("#fbf0d5", "#7a5a07")


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of the sheet. ``image`` is as displayed; ``box`` is the label in it, if there is one."""

    title: str
    detail: str
    verdict: str
    image: Image.Image
    box: Box | None


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of the visible label, which has Latin and Chinese."""
    folder = importlib.resources.files("labeling.marks.visible") / "font"
    for file in sorted(folder.iterdir(), key=lambda f: f.name) if folder.is_dir() else ():
        if file.name.endswith((".otf", ".ttf")):
            with importlib.resources.as_file(file) as path:
                return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def make(entries: Sequence[Entry], title: str, subtitle: str, footer: str) -> Image.Image:
    """Draw the sheet."""
    columns = min(_COLUMNS, max(2, len(entries)))
    rows = -(-len(entries) // columns)
    width = 2 * _MARGIN + columns * _CELL + (columns - 1) * _GAP
    height = _HEADER + rows * _ROW + _FOOTER
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 52), title, fill=_INK, font=font(38))
    draw.text((_MARGIN, 106), _fit(draw, subtitle, 19, width - 2 * _MARGIN), fill=_QUIET, font=font(19))
    for i, entry in enumerate(entries):
        left = _MARGIN + i % columns * (_CELL + _GAP)
        _cell(sheet, draw, entry, left, _HEADER + i // columns * _ROW)
    line = height - _FOOTER
    draw.line((_MARGIN, line, width - _MARGIN, line), fill=_LINE, width=2)
    draw.text((_MARGIN, line + 26), _fit(draw, footer, 17, width - 2 * _MARGIN), fill=_QUIET, font=font(17))
    return sheet


def _cell(sheet: Image.Image, draw: ImageDraw.ImageDraw, entry: Entry, left: int, top: int) -> None:
    _paste(sheet, _contained(entry.image, _CELL, _THUMB), left, top)
    top += _THUMB + 14
    _paste(sheet, _crop(entry.image, entry.box, _CELL, _CROP), left, top)
    top += _CROP + 14
    back, ink = _CHIPS.get(entry.verdict, _CHIP_OTHER)
    chip = int(draw.textlength(entry.verdict, font(16))) + 26
    draw.text((left, top), _fit(draw, entry.title, 21, _CELL - chip - 12), fill=_INK, font=font(21))
    draw.rounded_rectangle((left + _CELL - chip, top, left + _CELL - 1, top + 28), 14, fill=back)
    draw.text((left + _CELL - chip // 2, top + 14), entry.verdict, fill=ink, font=font(16), anchor="mm")
    draw.text((left, top + 36), _fit(draw, entry.detail, 16, _CELL), fill=_QUIET, font=font(16))


def _paste(sheet: Image.Image, tile: Image.Image, left: int, top: int) -> None:
    """Paste with rounded corners and a hairline, without which white pictures would have no edge."""
    sheet.paste(_LINE, (left, top), _rounded(tile.width, tile.height, 0))
    sheet.paste(tile, (left, top), _rounded(tile.width, tile.height, 1))


def _rounded(width: int, height: int, inset: int) -> Image.Image:
    """A mask, drawn four times as large so that its corners are smooth."""
    mask = Image.new("L", (width * 4, height * 4), 0)
    edge = 4 * inset
    ImageDraw.Draw(mask).rounded_rectangle((edge, edge, width * 4 - 1 - edge, height * 4 - 1 - edge), 32, fill=255)
    return mask.resize((width, height), Image.Resampling.LANCZOS)


def _contained(image: Image.Image, width: int, height: int) -> Image.Image:
    """Scale the whole picture into a tile; the rest of the tile gets a quiet tone."""
    scale = min(width / image.width, height / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image.resize(size, Image.Resampling.LANCZOS)
    if width - small.width <= 2 and height - small.height <= 2:
        return small.resize((width, height), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (width, height), "#efece6")
    tile.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
    return tile


def _crop(image: Image.Image, box: Box | None, width: int, height: int) -> Image.Image:
    """Cut out the label with its surroundings, pixel for pixel; a label larger than the tile is scaled down."""
    tile = Image.new("RGB", (width, height), "#efece6")
    if box is None:
        ImageDraw.Draw(tile).text(
            (width // 2, height // 2), "no visible label", fill=_QUIET, font=font(16), anchor="mm"
        )
        return tile
    scale = min(1.0, width / (box[2] - box[0] + 24), height / (box[3] - box[1] + 16))
    source_width, source_height = min(image.width, round(width / scale)), min(image.height, round(height / scale))
    left = min(max(0, (box[0] + box[2] - source_width) // 2), image.width - source_width)
    top = min(max(0, (box[1] + box[3] - source_height) // 2), image.height - source_height)
    part = image.crop((left, top, left + source_width, top + source_height))
    if scale < 1:
        part = part.resize(
            (max(1, round(part.width * scale)), max(1, round(part.height * scale))), Image.Resampling.LANCZOS
        )
    tile.paste(part, ((width - part.width) // 2, (height - part.height) // 2))
    return tile


def _fit(draw: ImageDraw.ImageDraw, text: str, size: int, width: int) -> str:
    """Cut a text that would not fit."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    if draw.textlength(text, font(size)) <= width:
        return text
    while text and draw.textlength(f"{text}…", font(size)) > width:
        text = text[:-1]
    return f"{text}…"


def save(sheet: Image.Image, path: Path) -> None:
    """Write the sheet. Raises ``OSError``."""
    sheet.save(path, optimize=False, compress_level=6)
