"""The visible label on everything behind the first picture: all frames of animations, pages, and views."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw

import labeling
from labeling import codecs
from labeling.findings import Finding, Status
from labeling.marks.visible import LabelPainter, Style
from labeling.marks.visible.font import face
from labeling.verification import visible_still
from labeling.verification.visible_still import find_visible_label
from tests.pictures import rgb

SIZE = (480, 360)


def scene(seed: int, *, label: bool = True) -> Image.Image:
    image = rgb(*SIZE, seed)
    if not label:
        return image
    painted = codecs.encode(image, "png", LabelPainter(Style(plate="on")))
    return Image.open(io.BytesIO(painted.data)).convert("RGB")


def saved(format: str, pictures: list[Image.Image], **options: object) -> bytes:
    out = io.BytesIO()
    pictures[0].save(out, format, save_all=True, append_images=pictures[1:], **options)
    return out.getvalue()


def looked(data: bytes, format: str) -> Finding:
    return find_visible_label(data, format, orientation=1, languages=("zh",))


def rules(finding: Finding) -> list[str]:
    return [each.rule for each in finding.defects]


@pytest.mark.parametrize(("format", "bare"), [("GIF", 1), ("PNG", 6), ("WEBP", 4), ("AVIF", 3)])
def test_one_frame_without_the_label_is_found(format: str, bare: int) -> None:
    """Also one that is neither in the middle nor the last."""
    frames = [scene(seed, label=seed != bare) for seed in range(8)]
    finding = looked(saved(format, frames, duration=80), format.lower().replace("avif", "heif"))
    assert finding.status is Status.DEFECTIVE
    assert rules(finding) == ["CN-VISIBLE-FRAMES"]
    assert f"frame {bare + 1} of 8" in finding.defects[0].message


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_labels_shown_for_a_moment_are_not_enough(format: str) -> None:
    """Three labelled frames of 10 ms each, where a sample of three would look, and 18 of 3 s without."""
    frames = [scene(seed, label=seed in (0, 10, 20)) for seed in range(21)]
    data = saved(format, frames, duration=[10 if seed in (0, 10, 20) else 3000 for seed in range(21)])
    assert "CN-VISIBLE-FRAMES" in rules(looked(data, format.lower()))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_what_we_label_is_labelled_in_every_frame(format: str) -> None:
    data = saved(format, [scene(seed, label=False) for seed in range(8)], duration=80)
    labeled = labeling.Labeler(producer="001191000000MA00DEM00P10001").label_image(data)
    finding = looked(labeled.data, format.lower())
    assert finding.status is Status.PRESENT
    assert rules(finding) == []


def test_frames_that_were_not_looked_at_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved("PNG", [scene(seed) for seed in range(6)], duration=80)
    monkeypatch.setattr(visible_still, "MOST", 2 * SIZE[0] * SIZE[1])
    finding = looked(data, "png")
    assert finding.status is Status.PRESENT
    assert rules(finding) == ["FILE-PARTS"]
    assert finding.defects[0].message.startswith("3 of 6 frames")


@pytest.mark.parametrize("labelled", [1, 2, 3])
def test_pages(labelled: int) -> None:
    data = saved("TIFF", [scene(seed, label=seed < labelled) for seed in range(3)], compression="tiff_deflate")
    finding = looked(data, "tiff")
    assert finding.status is Status.PRESENT
    assert rules(finding) == ([] if labelled == 3 else ["FILE-PARTS"])
    if labelled < 3:
        assert f"page {labelled + 1} of 3 has no visible label" in finding.defects[0].message


def test_pages_of_a_file_that_we_label_are_all_labelled() -> None:
    data = saved("TIFF", [scene(seed, label=False) for seed in range(3)], compression="tiff_lzw")
    labeled = labeling.Labeler(producer="001191000000MA00DEM00P10001").label_image(data)
    assert rules(looked(labeled.data, "tiff")) == []


@pytest.mark.parametrize("label", [True, False])
def test_views(label: bool) -> None:
    data = saved("MPO", [scene(1), scene(2, label=label)], quality=92)
    finding = looked(data, "jpeg")
    assert finding.status is Status.PRESENT
    assert rules(finding) == ([] if label else ["FILE-PARTS"])
    if not label:
        assert "view 2 of 2" in finding.defects[0].message


def test_a_page_that_cannot_be_decoded_is_named() -> None:
    data = bytearray(saved("TIFF", [scene(1), scene(2)], compression="tiff_deflate"))
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        offset = image.tag_v2[273][0]  # type: ignore[attr-defined]
    data[offset : offset + 64] = bytes(64)
    finding = looked(bytes(data), "tiff")
    assert "FILE-PARTS" in rules(finding)
    assert "1 of 2 pages" in next(each.message for each in finding.defects if each.rule == "FILE-PARTS")


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_a_label_that_the_first_frame_lacks_is_found_behind_it(format: str) -> None:
    for labelled in ((1, 2, 3), (2,)):
        frames = [scene(seed, label=seed in labelled) for seed in range(4)]
        finding = looked(saved(format, frames, duration=200), format.lower().replace("avif", "heif"))
        assert (finding.status, finding.value["text"]) == (Status.DEFECTIVE, "AI生成")
        assert rules(finding) == ["CN-VISIBLE-FRAMES"]
        assert f"frame 1 of 4 lacks the label that frame {labelled[0] + 1} of 4 has" in finding.defects[0].message
    bare = looked(
        saved(format, [scene(seed, label=False) for seed in range(4)]), format.lower().replace("avif", "heif")
    )
    assert (bare.status, bare.defects) == (Status.ABSENT, ())


def test_a_label_on_the_static_image_or_on_the_frames_of_an_animated_png_alone() -> None:
    """Pillow writes the static image, which is no frame (PNG 4.9), and shows the frames behind it."""

    def made(static: bool, animated: bool) -> bytes:
        frames = [scene(seed, label=animated if seed else static) for seed in range(4)]
        return saved("PNG", frames, default_image=True, duration=200)

    with Image.open(io.BytesIO(made(False, True))) as theirs:
        assert (theirs.default_image, theirs.n_frames) == (True, 4)  # type: ignore[attr-defined]
    finding = looked(made(False, True), "png")
    assert (finding.status, rules(finding)) == (Status.DEFECTIVE, ["CN-VISIBLE-FRAMES"])
    assert "the static image, shown where the animation is not played, lacks the label that frame 1 of 3 has" in (
        finding.defects[0].message
    )
    finding = looked(made(True, False), "png")
    assert (finding.status, rules(finding)) == (Status.DEFECTIVE, ["CN-VISIBLE-FRAMES"])
    assert finding.defects[0].message.startswith("frame 1 of 3 lacks the label of the static image")
    assert (looked(made(True, True), "png").status, looked(made(False, False), "png").status) == (
        Status.PRESENT, Status.ABSENT,
    )  # fmt: skip


def test_a_brand_mark_on_the_first_frame_does_not_hide_the_label_on_others() -> None:
    frames = [scene(seed, label=seed > 1) for seed in range(5)]
    for frame in frames:
        ImageDraw.Draw(frame).text((12, 10), "即梦AI", (255, 255, 255), face(None, 26), stroke_width=2, stroke_fill=0)
    finding = looked(saved("PNG", frames, duration=200), "png")
    assert (finding.value["text"], finding.value["before"]["text"]) == ("AI生成", "即梦AI")
    assert rules(finding) == ["CN-VISIBLE-FRAMES"]
