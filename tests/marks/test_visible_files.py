"""The visible label in files: turned, transparent and animated pictures."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw

import labeling
from labeling import codecs
from labeling.findings import Finding, Status
from labeling.marks.visible import LabelPainter, Style, kept, read_visible
from labeling.marks.visible import font as fonts
from labeling.verification.visible_still import find_visible_label
from tests.pictures import rgb


def scene(seed: int = 1, *, label: bool = True) -> Image.Image:
    image = rgb(480, 360, seed)
    if not label:
        return image
    painted = codecs.encode(image, "png", LabelPainter(Style(plate="on")))
    return Image.open(io.BytesIO(painted.data)).convert("RGB")


def looked(image: Image.Image, format: str, **options: object) -> Finding:
    out = io.BytesIO()
    image.save(out, format, **options)
    return find_visible_label(out.getvalue(), format.lower(), orientation=1, languages=("zh",))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_an_animation_has_to_keep_its_label(format: str) -> None:
    labelled = [scene(seed) for seed in (1, 2, 3, 4)]
    whole = looked(labelled[0], format, save_all=True, append_images=labelled[1:], duration=80)
    assert whole.status is Status.PRESENT
    vanishing = [*labelled[:3], scene(4, label=False)]
    finding = looked(vanishing[0], format, save_all=True, append_images=vanishing[1:], duration=80)
    assert finding.status is Status.DEFECTIVE
    assert [defect.rule for defect in finding.defects] == ["CN-VISIBLE-FRAMES"]
    assert finding.defects[0].clause.startswith("GB 45438-2025")


def test_later_frames_are_as_pillow_shows_them() -> None:
    out = io.BytesIO()
    frames = [rgb(64, 48, seed) for seed in range(9)]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:], duration=50)
    further = codecs.displayed_further(out.getvalue(), "png")
    assert (further.word, further.total) == ("frame", 9)
    shown = list(further.pictures)
    assert len(shown) == 8
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(shown, frames[1:], strict=True))
    turned = next(codecs.displayed_further(out.getvalue(), "png", orientation=6).pictures)
    assert np.array_equal(turned, np.rot90(np.asarray(frames[1]), -1))
    few = list(codecs.displayed_further(out.getvalue(), "png", most=64 * 48 * 3).pictures)
    assert len(few) == 3
    still = io.BytesIO()
    frames[0].save(still, "PNG")
    alone = codecs.displayed_further(still.getvalue(), "png")
    assert (alone.total, list(alone.pictures)) == (1, [])


def test_the_same_text_on_another_ground_is_kept() -> None:
    one, other, bare = (np.asarray(scene(1)), np.asarray(scene(2)), np.asarray(scene(2, label=False)))
    box = LabelPainter(Style(plate="on")).box(480, 360)
    assert kept(one, other, box)
    assert not kept(one, bare, box)
    assert not kept(one, other[:-1], box)


@pytest.mark.parametrize(("ink", "found"), [("white", True), ("black", True)])
def test_ink_on_a_transparent_ground_is_found_whatever_is_behind(ink: str, found: bool) -> None:
    image = Image.new("RGBA", (480, 360), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((380, 320), "AI生成", fill=ink, font=fonts.face(None, 24))
    assert (looked(image, "PNG").status is not Status.ABSENT) is found


def test_other_grounds_are_only_given_for_what_is_transparent() -> None:
    out = io.BytesIO()
    image = Image.new("RGBA", (8, 6), (200, 100, 50, 255))
    image.save(out, "PNG")
    assert len(codecs.displayed_on_grounds(out.getvalue(), "png").grounds) == 1
    assert len(codecs.displayed_on_grounds(image.convert("RGB"), "").grounds) == 1
    image.putpixel((0, 0), (200, 100, 50, 0))
    white, black, gray = codecs.displayed_on_grounds(image, "", orientation=6).grounds
    assert white.shape == black.shape == gray.shape == (8, 6, 3)
    corners = [ground[0, 5].tolist() for ground in (white, black, gray)]  # the corner that was at the top left
    assert corners == [[255] * 3, [0] * 3, [118] * 3]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_label_is_read_as_a_viewer_shows_it(orientation: int) -> None:
    turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    scene().transpose(turns[orientation]).save(out, "JPEG", quality=90, exif=exif)
    report = labeling.verify(out.getvalue())
    finding = next(finding for finding in report.findings if finding.kind == "visible")
    assert (finding.status, finding.where) == (Status.PRESENT, "bottom-right")


def test_threads_share_one_engine_and_agree() -> None:
    pixels = np.asarray(scene())
    with ThreadPoolExecutor(4) as pool:
        findings = list(pool.map(lambda _: read_visible(pixels), range(8)))
    assert all(finding == findings[0] for finding in findings)
    assert findings[0].value["text"] == "AI生成"


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 4000), (9000, 60), (16, 16)])
def test_tiny_and_thin_pictures_are_read_without_a_label(size: tuple[int, int]) -> None:
    assert read_visible(np.full((size[1], size[0], 3), 90, np.uint8)).status is Status.ABSENT


@pytest.mark.parametrize("size", [(4000, 240), (240, 4000), (96, 96)])
def test_labels_on_long_and_small_pictures_are_found(size: tuple[int, int]) -> None:
    painted = codecs.encode(rgb(*size), "png", LabelPainter(Style(height_ratio=0.12)))
    with Image.open(io.BytesIO(painted.data)) as image:
        finding = read_visible(np.asarray(image.convert("RGB")))
    assert finding.status is Status.PRESENT


def test_too_small_but_within_the_guide_of_2023_says_so() -> None:
    image = rgb(1200, 1000)
    ImageDraw.Draw(image).text((1050, 950), "AI生成", fill="white", font=fonts.face(None, 32),
                               stroke_width=3, stroke_fill="black")  # fmt: skip
    (defect,) = read_visible(np.asarray(image)).defects
    assert defect.rule == "CN-VISIBLE-SIZE"
    assert "guide of 2023" in defect.message


def test_reading_prints_nothing_and_leaves_logging_alone() -> None:
    program = """
        import logging
        import numpy as np
        before = logging.getLogger().level, list(logging.getLogger().handlers)
        from labeling.marks.visible import read_visible
        read_visible(np.zeros((64, 64, 3), np.uint8))
        assert before == (logging.getLogger().level, list(logging.getLogger().handlers))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
