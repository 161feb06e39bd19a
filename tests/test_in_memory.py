"""The short ways of labelling a picture in memory: taken where they may be, and with the answer of the long ones."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

import labeling
from labeling import Labeler, containers
from labeling.containers import Kind, formats
from labeling.dither import DITHERED, RESTLESS, SAMPLED, is_dithered
from labeling.marks import aigc, iptc, xmp, xmp_edit
from labeling.marks.visible import LabelPainter, contrast, drawing, paint
from labeling.marks.wording import basic
from labeling.options import Style
from labeling.verification import metadata

from .calls import counted
from .pictures import rgb

PACKET = xmp_edit.update(None, {aigc.XMP_NAME: '{"Label":"1"}', iptc.AI_SYSTEM: "one"})
OTHER = xmp_edit.update(None, {aigc.XMP_NAME: '{"Label":"2"}'})
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = Image.Exif()
EXIF[0x010E] = "somebody's"


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    (image or rgb(96, 64)).save(out, "JPEG", **{"xmp": PACKET, **options})
    return out.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def with_segment(marker: int, body: bytes) -> bytes:
    made = jpeg()
    return made[:2] + segment(marker, body) + made[2:]


ALONE: dict[str, Callable[[], bytes]] = {
    "plain": jpeg,
    "gray": lambda: jpeg(rgb(96, 64).convert("L")),
    "CMYK": lambda: jpeg(rgb(96, 64).convert("CMYK").convert("RGB")),
    "with its own Huffman codes": lambda: jpeg(optimize=True, quality=97),
    "4:4:4, resolution, profile": lambda: jpeg(subsampling=0, dpi=(300, 300), icc_profile=ICC * 60),
    "restart markers": lambda: jpeg(restart_marker_rows=1),
}
NOT_ALONE: dict[str, Callable[[], bytes]] = {
    "another packet": lambda: jpeg(xmp=OTHER),
    "no packet": lambda: jpeg(xmp=b""),
    "two packets": lambda: with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET),
    "EXIF": lambda: jpeg(exif=EXIF.tobytes()),
    "a comment": lambda: jpeg(comment=b"AIGC={}"),
    "an APP segment": lambda: with_segment(0xE4, b"AIGC\0{}"),
    "Photoshop's": lambda: with_segment(0xED, b"Photoshop 3.0\0"),
    "a manifest": lambda: with_segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x08jumb"),
    "several scans": lambda: jpeg(progressive=True),
    "a cut end": lambda: jpeg()[:-3],
    "bytes behind it": lambda: jpeg() + b"AIGC",
    "bytes between segments": lambda: (made := jpeg())[:20] + b"AIGC" + made[20:],
    "no picture": lambda: b"\xff\xd8" + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET) + b"\xff\xd9",
}


@pytest.mark.parametrize("kind", [*ALONE, *NOT_ALONE])
def test_the_short_look_at_a_new_jpeg_says_what_the_whole_read_says(kind: str) -> None:
    data = (ALONE.get(kind) or NOT_ALONE[kind])()
    encoding = formats.encoding_named("jpeg")
    assert containers.holds_only(data, PACKET, encoding) is (kind in ALONE)
    contents = containers.read(data)
    places = [b for b in contents.blocks if b.kind is not Kind.ICC and b.keyword != "JFIF"]
    if kind in ALONE:
        assert [b.data for b in places] == [PACKET]
        assert not contents.problems and not contents.warnings
        assert metadata.scan(contents).orientation == 1


@pytest.mark.parametrize(("mode", "format"), [(m, f) for f in ("jpeg", "png", "webp") for m in ("RGB", "L", "array")])
def test_no_packet_of_ours_is_parsed_and_no_new_jpeg_walked_through(
    mode: str, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.asarray(rgb()) if mode == "array" else rgb().convert(mode)
    labeler = Labeler("me", generator="model")
    reads, parsed = counted(monkeypatch, containers, "read"), counted(monkeypatch, xmp, "parse")
    made = labeler.label_image(image, format)
    assert not parsed and len(reads) == (format != "jpeg")
    assert made.media_type == f"image/{format}"
    said = labeling.verify(made.data, visible=False, profile="cn")
    ours = {finding.kind: finding.value for finding in made.report.findings}
    assert {f.kind: f.value for f in said.findings if f.kind in ("aigc", "iptc")}.items() <= ours.items()
    assert made.report.compliant


def test_what_a_picture_brought_along_takes_the_long_way() -> None:
    image = rgb()
    image.info["exif"] = EXIF.tobytes()
    made = Labeler("me").label_image(image, "jpeg")
    assert made.report.compliant
    assert Image.open(io.BytesIO(made.data)).getexif()[0x010E] == "somebody's"


TEXTS = ["plain", "<&>\"'", "语言 \U0001f600", "a\tb", " ]]> ", ""]


def test_a_new_packet_is_the_blank_one_with_the_properties_added() -> None:
    rng = random.Random(1)
    names = [aigc.XMP_NAME, iptc.DIGITAL_SOURCE_TYPE, iptc.AI_SYSTEM, iptc.CREATE_DATE, xmp.Name("urn:x", "y", "z")]
    blank = xmp_edit.update(None, {})
    for _ in range(60):
        chosen = rng.sample(names, rng.randint(1, len(names)))
        values: dict[xmp.Name, str | None] = {name: rng.choice([*TEXTS, None]) for name in chosen}
        made = xmp_edit.update(None, values)
        assert made == xmp_edit.update(blank, values)
        packet = xmp.parse(made)
        assert {name: packet.get(name) for name in values} == values


def test_a_template_is_no_other_prefix_s() -> None:
    for prefix in ("a", "b"):
        assert f"<{prefix}:y>v</{prefix}:y>".encode() in xmp_edit.update(None, {xmp.Name("urn:x", "y", prefix): "v"})


@pytest.mark.parametrize("size", [(2, 2), (40, 7), (65, 130), (130, 300)])
@pytest.mark.parametrize("level", [DITHERED, RESTLESS])
def test_dither_is_measured_exactly(size: tuple[int, int], level: float) -> None:
    """The mean step between neighbours, by plain arithmetic, decides alike on both sides of each bound."""
    rng = np.random.default_rng(1)
    for amplitude in np.linspace(0.8, 1.2, 9) * level * 255:
        levels = (120 - amplitude / 2, 120 + amplitude / 2)  # two of them: few colours
        pixels = np.rint(rng.choice(levels, (*size, 1)) * np.ones(3)).astype(np.uint8)
        columns, rows = pixels[:, :: max(1, size[1] // SAMPLED)], pixels[:: max(1, size[0] // SAMPLED)]
        steps = [np.abs(np.diff(part.astype(int), axis=axis)).mean() for axis, part in ((0, columns), (1, rows))]
        for form in (pixels, np.asfortranarray(pixels), pixels[..., ::-1], np.dstack([pixels, pixels])[..., :3]):
            assert is_dithered(form) == (max(steps) / 255 > DITHERED)


ICON = io.BytesIO()
Image.new("RGBA", (20, 20), (200, 0, 0, 128)).save(ICON, "PNG")
STYLES = [
    Style(),
    Style(text="人工智能合成", plate="off", position="top-left"),
    Style(text="AI生成", opacity=0.5, icon="generated"),
    Style(text=basic("el"), plate="on", icon=ICON.getvalue()),
    Style(text=basic("fi", modified=True), color="#ffcc00", height_ratio=0.09),
    Style(text=basic("ga"), opacity=0.3, plate="off"),
]


def grounds(rng: np.random.Generator) -> Iterator[tuple[int, int, list[NDArray[np.uint8]]]]:
    """Yield sizes of pictures, and grounds for whole pictures of that size: flat, nearly so, soft, busy, two frames."""
    for number in range(24):
        width, height = (int(side) for side in rng.integers(160, 420, 2))
        base = int(rng.integers(0, 256))
        flat = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
        nearly = (base + rng.normal(0, rng.choice([1, 4, 12]), (height, width, 3))).clip(0, 255).astype(np.uint8)
        spotted = flat.copy()
        spotted[rng.integers(0, height, 40), rng.integers(0, width, 40)] = rng.integers(0, 256, (40, 3))
        soft = np.asarray(rgb(width, height, number))
        yield width, height, [[flat], [nearly], [spotted], [soft], [flat, nearly]][number % 5]


def painted(painter: LabelPainter, width: int, height: int, frames: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    left, top, right, bottom = painter.box(width, height)
    return painter.paint([frame[top:bottom, left:right] for frame in frames])


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.text)
def test_a_label_that_was_kept_is_the_one_that_would_be_drawn(style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = LabelPainter(style, languages=("zh", "en", "el", "fi", "ga"))
    work = list(grounds(np.random.default_rng(len(style.text))))
    kept = [painted(painter, *each) for each in work]
    assert all(painted(painter, *each) is before for each, before in zip(work, kept, strict=True))
    monkeypatch.setattr(paint, "drawn", drawing.draw)
    for each, before in zip(work, kept, strict=True):
        anew = painted(painter, *each)
        assert anew is not before
        assert np.array_equal(anew, before)
        assert not before.flags.writeable


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.text)
def test_a_short_look_at_the_ground_leads_to_the_same_label(style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    painter = LabelPainter(style, languages=("zh", "en", "el", "fi", "ga"))
    work = list(grounds(np.random.default_rng(7)))
    short = [painted(painter, *each) for each in work]
    monkeypatch.setattr(contrast, "apart", contrast.extremes)  # every pixel decides whether all are looked at
    for each, before in zip(work, short, strict=True):
        assert np.array_equal(painted(painter, *each), before)


def test_few_and_no_huge_labels_are_kept() -> None:
    painter = LabelPainter(Style())
    for side, again in ((600, True), (3000, True), (9000, False)):
        left, top, right, bottom = painter.box(side, side)
        ground = [np.zeros((bottom - top, right - left, 3), np.uint8)]
        assert (painter.paint(ground) is painter.paint(ground)) is again
    first = painter.box(600, 600), painter.paint([np.zeros((1, 1, 3), np.uint8)])
    for side in range(700, 770):  # more sizes than are kept
        painter.box(side, side)
        painter.paint([np.zeros((1, 1, 3), np.uint8)])
    assert painter.box(600, 600) == first[0]
    assert painter.paint([np.zeros((1, 1, 3), np.uint8)]) is not first[1]


SIZES = [(240, 180), (300, 120), (200, 300)]


def test_one_labeler_in_many_threads_draws_as_in_one() -> None:
    """The same labeler, sizes, modes and grounds at once: every picture gets its own label."""
    labeler = Labeler("me", style=Style(position="bottom-right"))
    pictures = {
        "dark": lambda size: Image.new("RGB", size, (5, 8, 20)),
        "light": lambda size: Image.new("RGB", size, (250, 250, 240)),
        "textured": lambda size: rgb(*size),
        "gray": lambda size: rgb(*size).convert("L"),
        "clear": lambda size: Image.new("RGBA", size, (0, 0, 0, 0)),
    }
    work = [(ground, size) for ground in pictures for size in SIZES]

    def drawn(item: tuple[str, tuple[int, int]]) -> tuple[bytes, object]:
        made = labeler.label_image(pictures[item[0]](item[1]), "png", content_id="1")
        visible = next(f.value for f in made.report.findings if f.kind == "visible")
        return Image.open(io.BytesIO(made.data)).tobytes(), visible

    alone = [drawn(item) for item in work]
    with ThreadPoolExecutor(8) as pool:
        for number in range(3):
            order = random.Random(number).sample(range(len(work)), len(work))
            assert list(pool.map(drawn, [work[i] for i in order])) == [alone[i] for i in order]
