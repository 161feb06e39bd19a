"""The basic wording of the EU's Code of Practice: drawn in 24 languages, and read again, also where OCR cannot."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import labeling
from labeling import LabelingError, Style, config
from labeling.findings import Finding
from labeling.marks.visible import engine
from labeling.marks.visible import font as fonts
from labeling.marks.wording import BASIC, basic, read
from labeling.marks.wording.ocr import mended
from labeling.options.style import LANGUAGES
from labeling.rules import PROFILES

SOURCE_TYPES = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia")
NOT_READ = {"bg"}
"""Languages whose letters the OCR engine does not know: their words are found by shape."""


def labelled(language: str, source_type: str = SOURCE_TYPES[0]) -> labeling.LabeledImage:
    """A small picture with the wording."""
    style = Style(language=language)
    labeler = labeling.Labeler("my-service", "eu", style=style, source_type=source_type)
    return labeler.label_image(Image.new("RGB", (320, 240), (40, 60, 90)))


def visible(report: labeling.Report) -> Finding:
    found = report.find("visible")
    assert found is not None
    return found


def test_every_official_language_has_its_wording_with_ai_in_capitals() -> None:
    assert len(BASIC) == 24
    assert tuple(BASIC) == LANGUAGES
    assert set(LANGUAGES) < set(PROFILES["eu"].languages)
    for language in BASIC:
        texts = {basic(language), basic(language, modified=True)}
        assert len(texts) == 2
        for text in texts:
            assert text.startswith("AI ")
            assert text == text.upper()
            assert read(text).complies(PROFILES["eu"].languages), text
            fonts.require_glyphs(text, fonts.suited(text))


@pytest.mark.parametrize("source_type", SOURCE_TYPES)
def test_every_wording_is_drawn_and_its_letters_are_read(source_type: str) -> None:
    for language in LANGUAGES:
        made = labelled(language, source_type)
        said = visible(made.report).value
        assert said["text"] == basic(language, modified=source_type.startswith("composite"))
        left, top, right, bottom = said["box"]
        pixels = np.asarray(Image.open(io.BytesIO(made.data)).convert("RGB"))[top:bottom, left:right]
        [(text, _)] = engine.recognise([pixels])
        assert read(mended(text)).complies((language,)) is not (language in NOT_READ), (language, text)


@pytest.mark.parametrize(
    ("language", "source_type"),
    [("bg", SOURCE_TYPES[0]), ("bg", SOURCE_TYPES[1]), ("el", SOURCE_TYPES[1]), ("lv", SOURCE_TYPES[0]),
     ("da", SOURCE_TYPES[1])],
)  # fmt: skip
def test_the_verifier_finds_it(language: str, source_type: str) -> None:
    made = labelled(language, source_type)
    report = labeling.verify(made.data, ["eu", "cn"])
    found, written = visible(report), visible(made.report).value
    assert found.value["languages"] == [language]
    assert read(found.value["text"]).complies((language,))
    capital = fonts.unit_height(written["text"], fonts.suited(written["text"]))  # in em
    assert found.value["height_ratio"] == pytest.approx(written["height_ratio"] / capital, rel=0.1)
    assert found.value["measured"] == "letters"
    assert not {"EU-VISIBLE", "EU-ELEMENT"} & {each.rule for each in report.verdicts["eu"].warnings}
    assert "CN-VISIBLE-WORDING" in {each.rule for each in report.verdicts["cn"].failed}


def drawn(text: str) -> bytes:
    image, out = Image.new("RGB", (400, 300), (90, 60, 40)), io.BytesIO()
    left, _, right, _ = fonts.face(None, 24).getbbox(text)
    ImageDraw.Draw(image).text((390 - (right - left), 262), text, fill="white", font=fonts.face(None, 24))
    image.save(out, "PNG")
    return out.getvalue()


def test_letters_that_cannot_be_read_are_called_so_and_never_absent() -> None:
    report = labeling.verify(drawn("AI СТУДИЯ"), ["cn", "eu"])
    found = visible(report)
    assert (str(found.status), [each.rule for each in found.defects]) == ("unreadable", ["FILE-LETTERS"])
    assert str(report.verdicts["cn"].outcome) == "noncompliant", "the implicit label is missing all the same"
    assert "CN-VISIBLE-MISSING" not in {each.rule for each in report.verdicts["cn"].failed}
    assert report.origin == "none"
    for text in ("AI STUDIO", "СТУДИЯ AI"):
        assert str(visible(labeling.verify(drawn(text))).status) == "absent", text


def test_a_narrow_picture_gets_the_same_words_in_two_lines() -> None:
    made = labeling.Labeler("my-service", "eu", style=Style(language="de")).label_image(Image.new("RGB", (90, 300)))
    assert visible(made.report).value["text"] == "AI GENERIERT"
    assert visible(labeling.verify(made.data, "eu")).value["text"] == "AI GENERIERT"
    with pytest.raises(LabelingError, match="no room"):
        labeling.Labeler("my-service", "eu", style=Style(language="lt")).label_image(Image.new("RGB", (60, 300)))


def test_composites_are_called_modified_by_default() -> None:
    picture = Image.new("RGB", (320, 240))
    for profile, source_type, text in (
        ("eu", SOURCE_TYPES[0], "AI GENERATED"),
        ("eu", SOURCE_TYPES[1], "AI MODIFIED"),
        ("cn", SOURCE_TYPES[1], "AI生成"),
    ):
        made = labeling.Labeler("my-service", profile, source_type=source_type).label_image(picture)
        assert visible(made.report).value["text"] == text


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(LabelingError, match="`text` and `language` exclude"):
        Style(text="AI GENERATED", language="de")
    with pytest.raises(LabelingError, match="`language` must be one of bg, cs"):
        Style(language="zh")
    with pytest.raises(LabelingError, match="none that the profile cn accepts"):
        labeling.Labeler("my-service", style=Style(language="de"))


def test_the_command_line_draws_it(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), "gray").save(tmp_path / "a.png")
    command = [sys.executable, "-m", "labeling.cli", "add", "a.png", "--producer", "my-service", "--lang", "sv"]
    done = subprocess.run([*command, "--profile", "eu"], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert visible(labeling.verify(tmp_path / "a.labeled.png", "eu")).value["text"] == "AI GENERERAT"
    wrong = subprocess.run([*command, "--text", "x"], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert wrong.returncode == 2
    assert "--text and --lang exclude each other" in wrong.stderr
    own = tmp_path / "own.toml"
    for written, chosen, text in (
        ('text = "AI EDITED"', "nl", "AI GEGENEREERD"),
        ('language = "mt"', "fi", "AI LUOTU"),
    ):
        own.write_text(f'producer = "x"\nprofile = "eu"\n[visible]\n{written}\n')
        arguments = config.load(own).labeler_arguments({Style: {"language": chosen}})
        assert (
            visible(labeling.Labeler(**arguments).label_image(Image.new("RGB", (320, 240))).report).value["text"]
            == text
        )
    (tmp_path / "aigc-label.toml").write_text('producer = "x"\nprofile = "eu"\n[visible]\nlanguage = "mt"\n')
    made = labeling.Labeler.from_config(tmp_path / "aigc-label.toml").label_image(Image.new("RGB", (320, 240)))
    assert visible(made.report).value["text"] == "AI IĠĠENERAT"
