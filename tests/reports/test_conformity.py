"""The evidence file for a regulator: each number is counted from the samples, and Chromium shows both languages."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import wave
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

import labeling
from labeling.cli import group
from labeling.conforming.gaps import MEASURES
from labeling.errors import LabelingError
from labeling.marks.credentials import Trust, make_test_chain
from labeling.reports.conformity_page import to_html
from labeling.reports.conformity_words import TEXTS

from .pages import Page
from .test_page import browse

PRODUCER = "001191000000MA00DEM00P10001"
CONFIG = f"""
producer = "{PRODUCER}"
provider_name = "Example AI Ltd."
[generator]
name = "example-diffusion"
[system]
filing = "Filing-7 <script>"
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five samples: labelled, signed, in metadata only, unlabelled and cut off; and the configuration."""
    folder = tmp_path_factory.mktemp("conformity")
    samples = folder / "samples" / "inner"
    samples.mkdir(parents=True)
    chain = make_test_chain()
    (folder / "root.pem").write_bytes(chain.root_pem)
    signer = labeling.Signer.from_pem(chain.cert_pem, chain.key_pem)
    makers: dict[str, dict[str, Any]] = {
        "labelled <b>.png": {},
        "signed.png": {"signer": signer, "provider_name": "Example AI Ltd."},
        "metadata.png": {"visible": False},
    }
    for number, (name, more) in enumerate(makers.items()):
        picture = Image.effect_noise((300, 260), 40 + number).convert("RGB")
        made = labeling.Labeler(producer=PRODUCER, generator="example-diffusion", **more)
        (samples / name).write_bytes(made.label_image(picture, "png").data)
    Image.effect_noise((300, 260), 60).convert("RGB").save(samples / "plain.png")
    data = (samples / "metadata.png").read_bytes()
    (samples.parent / "cut.png").write_bytes(data[: len(data) // 2])
    (samples / ".hidden").write_text("no sample")
    (folder / "aigc-label.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def found(desk: Path) -> dict[str, Any]:
    from labeling.config import load

    trust = Trust(anchors_pem=(desk / "root.pem").read_bytes())
    return labeling.conformity(desk / "samples", "eu", config=load(desk / "aigc-label.toml"), trust=trust)


def test_every_number_is_counted_from_the_samples(desk: Path, found: dict[str, Any]) -> None:
    paths = sorted(path for path in (desk / "samples").rglob("*.png"))
    trust = Trust(anchors_pem=(desk / "root.pem").read_bytes())
    reports = {path: labeling.verify(path, "eu", trust=trust) for path in paths}
    assert {(desk / "samples" / each["path"]) for each in found["samples"]} == set(paths)
    for each in found["samples"]:
        path = desk / "samples" / each["path"]
        assert each["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        verdict = reports[path].verdicts["eu"]
        assert each["verdict"] == str(verdict.outcome)
        assert each["failed"] == list(dict.fromkeys(defect.rule for defect in verdict.failed))
    for row in found["clauses"]:
        failed = sum(any(d.rule == row["rule"] for d in r.verdicts["eu"].failed) for r in reports.values())
        assert row["failed"] == failed
        total = row["no_breach"] + row["failed"] + row["warned"] + row["not_judged"]
        assert total == len(paths)
    assert sum(found["counts"][name] for name in ("compliant", "inconclusive", "noncompliant")) == len(paths) == 5
    for row in found["marks"]:
        assert sum(row[state] for state in ("present", "defective", "absent", "unreadable", "unchecked")) == 5
    assert found["trust"]["signatures"] == {"trusted": 1}


def test_the_system_is_stated_and_found(found: dict[str, Any]) -> None:
    rows = {row["item"]: row for row in found["system"]}
    assert rows["producer"]["stated"] == PRODUCER
    assert {each["value"] for each in rows["producer"]["found"]} == {PRODUCER}
    assert rows["filing"]["stated"] == "Filing-7 <script>"
    assert rows["filing"]["found"] is None
    assert rows["contact"]["stated"] is None
    assert rows["generator_version"]["stated"] is None


def test_the_gap_analysis_answers_each_measure_from_rows_or_says_it_was_not_measured(found: dict[str, Any]) -> None:
    assert len(found["gaps"]) == len(MEASURES)
    gaps = {row["measure"]: row for row in found["gaps"]}
    assert gaps["1.1.1 b"]["answer"]["en"].startswith("1 of 5 samples carry signed metadata")
    assert gaps["1.1.1 b"]["state"] == "partly"
    assert gaps["1.1.1 c"]["state"] == "gap"
    assert gaps["1.1.2"]["state"] == "gap"
    assert gaps["2 a, deployers"]["answer"]["en"].startswith("In 2 of 5")
    known = {row["row"] for key in ("system", "marks", "clauses") for row in found[key]}
    for row in found["gaps"]:
        assert set(row["rests_on"]) <= known
        measured = re.search(r"\d+ of 5", row["answer"]["en"])
        assert measured or "ot measured" in row["answer"]["en"], row
        assert row["state"] != "met" or "5 of 5" in row["answer"]["en"] or "0 of 5" in row["answer"]["en"], row


@pytest.mark.parametrize("language", ["en", "zh"])
def test_chromium_opens_the_page(chromium: str, found: dict[str, Any], tmp_path: Path, language: str) -> None:
    page, shot = tmp_path / "page.html", tmp_path / "shot.png"
    page.write_text(to_html(found, language=language), encoding="utf-8")
    dom = Page(browse(chromium, tmp_path / "profile", page, "--dump-dom"))
    assert dom.all("script") == []
    assert all(str(each["href"]).startswith("#") for each in dom.all("a"))
    assert not [each for name in ("img", "link", "iframe", "form") for each in dom.all(name)]
    text = "".join(dom.texts)
    assert "labelled <b>.png" in text
    assert "Filing-7 <script>" in text
    assert TEXTS["gaps"][language == "zh"] in text
    for row in found["gaps"]:
        assert row["answer"][language] in text
    for row in (*found["clauses"], *found["gaps"], *found["marks"], *found["system"]):
        assert any(each.get("id") == row["row"] for each in dom.all("tr"))
    browse(chromium, tmp_path / "profile", page, "--window-size=420,2000", f"--screenshot={shot}")
    with Image.open(shot) as image:
        right = image.convert("RGB").crop((416, 0, 420, 2000))
    assert right.getcolors() == [(8000, right.getpixel((0, 0)))], "nothing runs out of a narrow window"


def test_on_the_command_line(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.setenv("AIGC_LABEL_HOME", str(tmp_path))
    few = desk / "few"
    few.mkdir()
    (few / "a.png").write_bytes((desk / "samples" / "inner" / "labelled <b>.png").read_bytes())
    done = CliRunner().invoke(group, ["conformity", "--samples", "few", "-o", "few/evidence"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("1 sample: 1 compliant")
    again = CliRunner().invoke(group, ["conformity", "--samples", "few", "-o", "few/evidence", "-q"])
    assert (again.exit_code, again.output) == (0, "")  # its own files are no samples
    found = json.loads((few / "evidence" / "conformity.json").read_bytes())
    assert found["counts"]["samples"] == 1
    assert found["profile"]["name"] == "cn"
    assert "gaps" not in found
    for language, words in (("en", "The system"), ("zh", "系统说明")):
        assert words in (few / "evidence" / f"conformity.{language}.html").read_text(encoding="utf-8")
    (few / "evidence" / "conformity.json").write_text("my notes")
    refused = CliRunner().invoke(group, ["conformity", "--samples", "few", "-o", "few/evidence"])
    assert refused.exit_code == 2
    assert (few / "evidence" / "conformity.json").read_text() == "my notes"


def test_what_is_no_sample_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelingError, match="holds no file"):
        labeling.conformity(tmp_path)
    with pytest.raises(LabelingError, match="not a folder"):
        labeling.conformity(tmp_path / "nowhere")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    heard = {row["rule"]: row for row in labeling.conformity(tmp_path)["clauses"]}
    assert heard["CN-VISIBLE-MISSING"]["no_breach"] == 0  # spoken labels are not all recognised: nobody knows
    (tmp_path / "sound.wav").unlink()
    (tmp_path / "junk.bin").write_bytes(struct.pack(">8I", *range(8)))
    found = labeling.conformity(tmp_path)
    assert found["counts"]["unreadable"] == found["counts"]["inconclusive"] == 1
    assert found["clauses"][0]["not_judged"] == 1
    assert found["samples"][0]["size"] == 32
    assert not any(row["absent"] for row in found["marks"])


def test_rules_to_come_are_said_to_be(found: dict[str, Any]) -> None:
    later = found | {"profile": found["profile"] | {"since": "2999-01-01", "in_force": False}}
    assert "2999-01-01 (not in force on the day of this file)" in to_html(later)
    assert found["profile"]["in_force"] is True
    assert "not in force" not in to_html(found)


def test_the_words_have_both_languages() -> None:
    for key, (english, chinese) in TEXTS.items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", chinese)), key
        assert re.search(r"[\u4e00-\u9fff]", chinese), key
