"""Copies given out without the explicit label (Labelling Measures Art. 9): recorded, recognised, truthfully judged."""

from __future__ import annotations

import json
import wave
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import labeling
from labeling.cli import group
from labeling.findings import Status
from labeling.ledger import RETENTION, Ledger
from labeling.ledger.recorded import recognise
from labeling.verification.report import Report

from .ledgers import PRODUCER
from .pictures import rgb


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a copy that was given out, and a labelled picture that was published."""
    folder = tmp_path_factory.mktemp("recorded")
    for number in (1, 2, 3):
        rgb(320, 260, seed=number).save(folder / f"{number}.png")
    with Ledger.open(folder / "l.db") as ledger:
        unlabelled = labeling.Labeler(producer=PRODUCER, visible=False)
        given = unlabelled.label_file(folder / "1.png", folder / "given.png", content_id="job-1")
        ledger.record(given, recipient="Zoe Quux", agreement="2026-17", profile="cn")
        shown = labeling.Labeler(producer=PRODUCER).label_file(folder / "2.png", folder / "shown.png")
        ledger.record(shown)
    return folder


def verified(desk: Path, path: Path, *profiles: str, visible: bool = True) -> Report:
    report = labeling.verify(path, profiles or "cn", visible=visible)
    with Ledger.open(desk / "l.db", create=False) as ledger:
        return recognise(report, path, ledger)


def test_the_very_copy_is_neither_compliant_nor_a_breach(desk: Path) -> None:
    plain = labeling.verify(desk / "given.png")
    assert [each.rule for each in plain.verdicts["cn"].failed] == ["CN-VISIBLE-MISSING"]
    report = verified(desk, desk / "given.png")
    verdict = report.verdicts["cn"]
    assert (str(verdict.outcome), verdict.failed) == ("inconclusive", ())
    note = next(each for each in verdict.warnings if each.rule == "CN-RECORDED-COPY")
    today = date.today()
    for part in ("Art. 9", "2026-17", "that very file", "whoever publishes it has to add it", str(today.year)):
        assert part in note.message
    found = report.find("ledger")
    assert found is not None
    assert (found.value["by"], found.value["copy"], found.value["agreement"]) == ("sha256", True, "2026-17")
    assert abs(date.fromisoformat(found.value["kept_until"]) - today - RETENTION) <= timedelta(days=1)
    assert "Zoe" not in json.dumps(report.to_dict())


def test_a_copy_of_audio_in_which_no_label_is_recognised(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    with Ledger.open(tmp_path / "l.db") as ledger:
        unlabelled = labeling.Labeler(producer=PRODUCER, visible=False)
        given = unlabelled.label_file(tmp_path / "a.wav", tmp_path / "given.wav", content_id="job-2")
        ledger.record(given, recipient="Zoe Quux", agreement="2026-18", profile="cn")
    report = verified(tmp_path, given.path, "cn", "eu")
    assert str(report.verdicts["cn"].outcome) == "inconclusive"
    note = next(each for each in report.verdicts["cn"].warnings if each.rule == "CN-RECORDED-COPY")
    assert "that very file; no label is recognised in it" in note.message and "2026-18" in note.message
    assert not any(each.rule == "CN-RECORDED-COPY" for each in report.verdicts["eu"].warnings)


def test_other_files_of_the_same_content_stay_what_they_are(desk: Path, tmp_path: Path) -> None:
    with Image.open(desk / "given.png") as picture:
        picture.convert("RGB").resize((300, 244)).save(tmp_path / "stripped.jpg", quality=80)
    Image.open(desk / "3.png").save(tmp_path / "other.png")
    other = labeling.Labeler(producer=PRODUCER, visible=False)
    same_id = other.label_file(desk / "3.png", tmp_path / "same-id.png", content_id="job-1").path
    for path, by, words in ((tmp_path / "stripped.jpg", "fingerprint", "looks like"),
                            (same_id, "content id", "not that very file")):  # fmt: skip
        report = verified(desk, path)
        assert "CN-VISIBLE-MISSING" in [each.rule for each in report.verdicts["cn"].failed]
        assert words in next(e.message for e in report.verdicts["cn"].warnings if e.rule == "CN-RECORDED-COPY")
        found = report.find("ledger")
        assert found is not None
        assert found.value["by"] == by
    nothing = verified(desk, tmp_path / "other.png").find("ledger")
    assert nothing is not None
    assert nothing.status is Status.ABSENT


def test_a_labelled_file_is_recorded_and_no_copy(desk: Path) -> None:
    before = labeling.verify(desk / "shown.png", ["cn", "eu"])
    report = verified(desk, desk / "shown.png", "cn", "eu")
    assert report.verdicts == before.verdicts
    found = report.find("ledger")
    assert found is not None
    assert (found.value["copy"], found.value["by"]) == (False, "sha256")
    assert found.defects == ()


def test_without_a_look_at_the_pixels_the_note_says_so(desk: Path) -> None:
    verdict = verified(desk, desk / "given.png", visible=False).verdicts["cn"]
    note = next(each for each in verdict.warnings if each.rule == "CN-RECORDED-COPY")
    assert "not looked for" in note.message
    eu = verified(desk, desk / "given.png", "eu", visible=False).verdicts["eu"]
    assert "CN-RECORDED-COPY" not in [each.rule for each in (*eu.failed, *eu.warnings)]


def test_on_the_command_line(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.setenv("AIGC_LABEL_LEDGER", "nowhere.db")  # what is labelled is recorded there; verify asks nobody
    assert CliRunner().invoke(group, ["verify", "3.png", "--no-visible"]).exit_code == 1
    done = CliRunner().invoke(group, ["verify", "given.png", "--ledger", "l.db", "--format", "json"])
    [report] = json.loads(done.output)
    mark = next(each for each in report["marks"] if each["mark"] == "ledger")
    assert mark["technique"] == "log"
    assert report["verdicts"]["cn"]["verdict"] == "inconclusive"
    page = CliRunner().invoke(group, ["verify", "given.png", "--ledger", "l.db", "--format", "html", "--lang", "zh"])
    assert "不含显式标识的副本" in page.output
    hidden = CliRunner().invoke(group, ["verify", "given.png", "--ledger", "l.db", "--redact", "--format", "json"])
    assert "2026-17" not in hidden.output
    for wrong in (["--ledger", "nowhere.db"], ["--ledger", "l.db", "--isolate"]):
        assert CliRunner().invoke(group, ["verify", "given.png", *wrong]).exit_code in (2, 3)
