"""What a report says of the words on a picture: profiles, origin, confidence, and that nothing was found by OCR."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import labeling
from labeling.marks.visible import font as fonts
from labeling.verification.report import Report


def drawn(text: str, size: int = 50, at: tuple[int, int] = (300, 530)) -> bytes:
    image, out = Image.new("RGB", (800, 600), (40, 60, 90)), io.BytesIO()
    ImageDraw.Draw(image).text(at, text, fill="white", font=fonts.face(None, size))
    image.save(out, "PNG")
    return out.getvalue()


def rules(report: Report, profile: str) -> tuple[set[str], set[str]]:
    verdict = report.verdicts[profile]
    return {each.rule for each in verdict.failed}, {each.rule for each in verdict.warnings}


PROFILES = (["cn"], ["eu"], ["us-ca"], ["platform"], ["cn", "eu"], ["eu", "us-ca"])


@pytest.mark.parametrize(
    ("text", "origin"),
    [("AI生成", "suspected"), ("AI GENERATED", "suspected"), ("即梦AI", "suspected"), ("KI-generiert", "suspected"),
     ("非AI生成", "none"), ("AI生成PPT", "none")],
)  # fmt: skip
def test_the_origin_does_not_depend_on_the_profile(text: str, origin: str) -> None:
    picture = drawn(text)
    assert {labeling.verify(picture, names).origin for names in PROFILES} == {origin}


def test_each_profile_accepts_the_words_of_its_own_clauses() -> None:
    report = labeling.verify(drawn("AI GENERATED"), ["cn", "eu", "us-ca"])
    visible = report.find("visible")
    assert visible is not None
    assert (str(visible.status), visible.value["languages"]) == ("defective", ["en"])
    assert "CN-VISIBLE-WORDING" in rules(report, "cn")[0]
    for name in ("eu", "us-ca"):
        failed, warnings = rules(report, name)
        assert not {each for each in failed | warnings if "VISIBLE" in each}, name
    alone = labeling.verify(drawn("AI GENERATED"), "eu").find("visible")
    assert alone is not None
    assert (str(alone.status), alone.defects) == ("present", ())


@pytest.mark.parametrize(("text", "accepted"), [("KI-generiert", True), ("AI MODIFIED", True), ("即梦AI", False)])
def test_europe_accepts_its_languages_and_no_brand(text: str, accepted: bool) -> None:
    report = labeling.verify(drawn(text), ["eu"])
    assert ("EU-VISIBLE" in rules(report, "eu")[1]) is not accepted
    visible = report.find("visible")
    assert visible is not None
    assert (str(visible.status) == "present") is accepted


def test_a_mark_that_falls_short_is_not_called_missing() -> None:
    report = labeling.verify(drawn("即梦AI"))
    failed, _ = rules(report, "cn")
    assert "CN-VISIBLE-WORDING" in failed
    assert "CN-VISIBLE-MISSING" not in failed
    assert report.origin == "suspected"


def test_a_denial_is_reported_and_no_label_is_claimed() -> None:
    report = labeling.verify(drawn("非AI生成"))
    found = next(each for each in json.loads(json.dumps(report.to_dict()))["marks"] if each["mark"] == "visible")
    assert (found["status"], found["value"]["denial"]) == ("absent", "非AI生成")
    assert [each["rule"] for each in found["warnings"]] == ["FILE-DENIAL"]
    failed, warnings = rules(report, "cn")
    assert "CN-VISIBLE-MISSING" in failed
    assert "FILE-DENIAL" in warnings
    assert report.origin == "none"


@pytest.mark.parametrize("profile", ["cn", "eu", "eu-art50"])
def test_nothing_is_said_not_to_be_there_that_ocr_has_not_found(profile: str) -> None:
    report = labeling.verify(drawn(""), profile)
    verdict = report.verdicts[profile]
    (message,) = [each.message for each in (*verdict.failed, *verdict.warnings) if "-VISIBLE" in each.rule]
    assert message.startswith("no label was found by OCR (text on the whole picture)")
    assert "no explicit label" not in json.dumps(report.to_dict())


def test_the_page_and_the_table_say_so_in_both_languages(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(drawn(""))
    for form in ("table", "html"):
        for lang, words in (("en", "no label was found by OCR"), ("zh", "OCR 未检出显式标识")):
            done = subprocess.run(
                [sys.executable, "-m", "labeling.cli", "verify", path, "--format", form, "--lang", lang],
                capture_output=True, encoding="utf-8", env={"COLUMNS": "400", "PATH": "", "PYTHONUTF8": "1"},
            )  # fmt: skip
            assert words in " ".join(done.stdout.split()), (form, lang, done.stdout[-2000:], done.stderr)


def test_the_confidence_asked_for_decides_what_counts(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    image = Image.new("RGB", (112, 112), (40, 60, 90))
    ImageDraw.Draw(image).text((72, 96), "AI生成", font=fonts.face(None, 8))
    image.save(path)
    without = labeling.verify(path)
    found = without.find("visible")
    assert found is not None
    sure = found.value["confidence"]
    assert 0.3 < sure < 0.95
    assert (str(found.status), without.origin) == ("present", "suspected")
    with_bar = labeling.verify(path, min_confidence=sure + 0.02)
    below = with_bar.find("visible")
    assert below is not None
    assert (str(below.status), below.value["text"], below.value["counts"]) == ("absent", found.value["text"], False)
    assert [each.rule for each in below.defects] == ["FILE-CONFIDENCE"]
    assert f"{sure:.2f}" in below.defects[0].message
    assert with_bar.origin == "none"
    assert "CN-VISIBLE-MISSING" in rules(with_bar, "cn")[0]
    isolated = labeling.verify(path, min_confidence=sure + 0.02, isolate=True)
    assert isolated.to_dict() == with_bar.to_dict()


def test_the_command_line_and_batch_runs_have_the_bar(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "a.png").write_bytes(drawn("AI生成"))
    command = [sys.executable, "-m", "labeling.cli"]

    def marks(text: str) -> dict[str, str]:
        return {each["mark"]: each["status"] for each in json.loads(text)["marks"]}

    done = subprocess.run(
        [*command, "verify", source / "a.png", "--format", "jsonl", "--min-confidence", "0.5"],
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert marks(done.stdout)["visible"] == "present", done.stderr
    done = subprocess.run(
        [*command, "verify", source / "a.png", "--min-confidence", "7"], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2
    assert "--min-confidence must be a number from 0 to 1, not 7" in done.stderr
    done = subprocess.run(
        [*command, "batch", source, target, "--verify", "--min-confidence", "0.9", "--workers", "1", "-q"],
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = (target / ".aigc-label" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert "visible" in line


@pytest.mark.parametrize("wrong", [-0.1, 1.5, "much", True, float("nan")])
def test_a_wrong_bar_is_refused_by_its_name(wrong: object) -> None:
    with pytest.raises(labeling.LabelingError, match="`min_confidence` must be a number from 0 to 1"):
        labeling.verify(np.zeros(3).tobytes(), min_confidence=wrong)  # type: ignore[arg-type]
