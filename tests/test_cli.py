"""The command line as scripts use it: words, exit codes and JSON are a contract."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import c2pa
import pytest
from PIL import Image

from .commands import run
from .pictures import MAKERS, rgb
from .test_bad_input import PRODUCER


def report_of(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    result = run("verify", *arguments, "--format", "json")
    return result.returncode, json.loads(result.stdout)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    rgb(640, 480).save(path, quality=90)
    return path


def test_add_and_verify_and_the_stable_json(photo: Path) -> None:
    code, [before] = report_of(photo)
    assert code == 1
    assert before["origin"] == "none"
    statuses = {finding["mark"]: finding["status"] for finding in before["marks"]}
    assert statuses == {"aigc": "absent", "visible": "absent", "c2pa": "absent", "iptc": "absent"}
    assert {d["rule"] for d in before["verdicts"]["cn"]["failed"]} == {"CN-IMPLICIT-MISSING", "CN-VISIBLE-MISSING"}

    added = run("add", photo, "--producer", PRODUCER, "--content-id", "job-42", "-o", photo.parent / "out.jpg")
    assert (added.returncode, added.stderr) == (0, "")
    assert "job-42" in added.stdout
    code, [after] = report_of(photo.parent / "out.jpg")
    assert code == 0
    assert (after["readable"], after["origin"], after["media_type"]) == (True, "confirmed", "image/jpeg")
    findings = {finding["mark"]: finding for finding in after["marks"]}
    assert findings["aigc"]["status"] == "present"
    assert findings["aigc"]["where"].startswith("JPEG APP1 XMP")
    assert findings["aigc"]["value"]["ProduceID"] == "job-42"
    assert findings["aigc"]["signature"] == "none"
    assert findings["aigc"]["defects"] == []
    visible = findings["visible"]
    assert (visible["status"], visible["where"]) == ("present", "bottom-right")
    assert visible["value"]["text"] == "AI生成"
    assert visible["value"]["height_ratio"] >= 0.05
    assert visible["value"]["contrast"] >= 4.5
    verdict = after["verdicts"]["cn"]
    assert (verdict["verdict"], verdict["failed"], verdict["warnings"]) == ("compliant", [], [])


def test_without_visible_the_report_has_no_such_mark(photo: Path) -> None:
    run("add", photo, "--producer", PRODUCER, "--no-visible", "-o", photo.parent / "out.jpg")
    code, [report] = report_of(photo.parent / "out.jpg", "--no-visible")
    assert code == 0
    assert "visible" not in {finding["mark"] for finding in report["marks"]}
    assert report_of(photo.parent / "out.jpg")[0] == 1


def test_default_output_in_place_and_dry_run(photo: Path) -> None:
    before = photo.read_bytes()
    assert run("add", photo, "--producer", PRODUCER, "--dry-run").returncode == 0
    assert [p.name for p in photo.parent.iterdir()] == ["photo.jpg"]
    assert run("add", photo, "--producer", PRODUCER).returncode == 0
    assert photo.read_bytes() == before
    assert (photo.parent / "photo.labeled.jpg").exists()
    assert run("add", photo, "--producer", PRODUCER, "--in-place", "-q").stdout == ""
    assert photo.read_bytes() != before


def test_several_files_and_globs_go_into_a_folder(tmp_path: Path) -> None:
    for name in ("baseline.jpg", "rgb.png", "lossy.webp"):
        (tmp_path / name).write_bytes(MAKERS[name]())
    out = tmp_path / "out"
    result = run(
        "add", tmp_path / "*.jpg", tmp_path / "*.png", tmp_path / "lossy.webp", "--producer", PRODUCER, "-o", out
    )
    assert result.returncode == 0, result.stderr
    assert sorted(p.name for p in out.iterdir()) == ["baseline.jpg", "lossy.webp", "rgb.png"]
    code, reports = report_of(out / "*", "--no-visible")
    assert code == 0
    assert len(reports) == 3


def test_exit_codes_for_several_files(photo: Path, tmp_path: Path) -> None:
    run("add", photo, "--producer", PRODUCER, "--no-visible", "-o", tmp_path / "good.jpg")
    good, missing = tmp_path / "good.jpg", tmp_path / "missing.jpg"
    assert report_of(good, "--no-visible")[0] == 0
    assert report_of(good, missing, "--no-visible")[0] == 3
    assert report_of(good, missing, photo, "--no-visible")[0] == 1


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_other_forms_of_the_report(photo: Path, form: str) -> None:
    result = run("verify", photo, photo, "--no-visible", "--profile", "cn", "--profile", "eu", "--format", form)
    assert result.returncode == 1
    if form == "jsonl":
        assert [set(json.loads(line)["verdicts"]) for line in result.stdout.splitlines()] == [{"cn", "eu"}] * 2
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert [row["profile"] for row in rows] == ["cn", "eu", "cn", "eu"]
        assert all(row["verdict"] == "noncompliant" for row in rows)
    else:
        assert "CN-IMPLICIT-MISSING" in result.stdout
        assert "GB 45438-2025" in result.stdout


def test_init_writes_a_configuration_that_add_uses_and_c2pa_reads_what_it_signs(photo: Path) -> None:
    folder = photo.parent
    made = run("init", folder, "--uscc", "91110102MACQD9K640", "--test-signer")
    assert made.returncode == 0, made.stderr
    text = (folder / "aigc-label.toml").read_text(encoding="utf-8")
    assert f'producer = "{PRODUCER}"' in text
    result = run("add", "photo.jpg", "-o", "out.jpg", cwd=folder)
    assert result.returncode == 0, result.stderr
    with (folder / "out.jpg").open("rb") as file, c2pa.Reader("image/jpeg", file) as reader:
        assert json.loads(reader.json())["validation_state"] == "Valid"
    code, [report] = report_of(folder / "out.jpg", "--profile", "eu")
    assert code == 1
    assert {each["rule"] for each in report["verdicts"]["eu"]["failed"]} == {"EU-TIME-STAMP", "EU-WATERMARK"}
    code, [report] = report_of(folder / "out.jpg", "--profile", "eu-art50")
    assert code == 0, report["verdicts"]
    c2pa_mark = next(finding for finding in report["marks"] if finding["mark"] == "c2pa")
    assert c2pa_mark["signature"] == "valid"
    code, [report] = report_of(folder / "out.jpg", "--trust", folder / "test-root.pem")
    assert next(finding for finding in report["marks"] if finding["mark"] == "c2pa")["signature"] == "trusted"


def test_a_signed_picture_keeps_its_manifest_as_the_parent(cases: Path, tmp_path: Path) -> None:
    run("init", tmp_path, "--producer", PRODUCER, "--test-signer")
    signed = cases / "2_c2pa" / "pub_adobe-20220124-C.jpg"
    result = run("add", signed, "-o", tmp_path / "out.jpg", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "out.jpg").open("rb") as file, c2pa.Reader("image/jpeg", file) as reader:
        store = json.loads(reader.json())
    assert store["validation_state"] == "Valid"
    active = store["manifests"][store["active_manifest"]]
    assert [one["relationship"] for one in active["ingredients"]] == ["parentOf"]
    assert len(store["manifests"]) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [("produccer = 'x'", "produccer"), ("[visible]\nheight = 'tall'", "visible.height"), ("[c2pa]\ncert = 'a'", "key"),
     ("producer = ", "TOML"), ("producer = 'x'\n[visible]\nfont = 'none.otf'", "none.otf"), ("producer=1", "producer")],
)  # fmt: skip
def test_a_wrong_configuration_is_named(photo: Path, text: str, words: str) -> None:
    (photo.parent / "aigc-label.toml").write_text(text, encoding="utf-8")
    result = run("add", "photo.jpg", cwd=photo.parent)
    assert result.returncode == 2
    assert words in result.stderr
    assert "aigc-label.toml" in result.stderr or "none.otf" in result.stderr
    assert "Traceback" not in result.stderr


def test_inspect_shows_what_is_there_and_controls_no_terminal(photo: Path) -> None:
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", "-Comment=\x1b[31mred", "-Artist=Me", str(photo)], check=True
    )
    shown = run("inspect", photo)
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    assert "Artist = Me" in shown.stdout
    [entry] = json.loads(run("inspect", photo, "--format", "json").stdout)
    assert (entry["width"], entry["height"], entry["media_type"]) == (640, 480, "image/jpeg")
    assert {block["kind"] for block in entry["blocks"]} >= {"comment", "exif"}
    assert run("inspect", photo.parent / "none").returncode == 3


def test_positions_and_looks(photo: Path) -> None:
    logo = photo.parent / "logo.png"
    Image.new("RGBA", (40, 40), (200, 30, 30, 255)).save(logo)
    for position in ("top-left", "left", "bottom"):
        out = photo.parent / f"{position}.png"
        look: list[str | Path] = [
            "--plate",
            "on",
            "--color",
            "#ffee00",
            "--opacity",
            "0.9",
            "--height",
            "0.07",
            "--logo",
            logo,
        ]
        words = ["--producer", PRODUCER, "--position", position, "--text", "示例AI生成"]
        result = run("add", photo, *words, *look, "-o", out)
        assert result.returncode == 0, result.stderr
        _, [report] = report_of(out)
        visible = next(finding for finding in report["marks"] if finding["mark"] == "visible")
        assert (visible["status"], visible["where"]) == ("present", position)
        assert visible["value"]["vendor"] is None, "示例 is no known mark"
