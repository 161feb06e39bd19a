"""The forms of a report and where they go; a file's SHA-256 and thumbnail."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from labeling import LabelingError
from labeling.reports import FORMATS, render
from labeling.reports.file_evidence import SIDE, FileEvidence, gather_evidence

from ..commands import run
from ..test_bad_input import refused
from .pages import Page


def test_unknown_forms_and_languages_are_refused() -> None:
    with pytest.raises(LabelingError, match="known are json, jsonl, csv, sarif, html"):
        render("pdf", [])
    with pytest.raises(LabelingError, match="known are en, zh"):
        render("html", [], language="fr")
    assert all(render(form, []) for form in FORMATS if form != "jsonl")


# --- evidence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP"])
def test_a_thumbnail_is_small_and_shows_the_picture(form: str) -> None:
    picture = Image.linear_gradient("L").resize((1200, 700)).convert("RGB")
    data = io.BytesIO()
    picture.save(data, form)
    made = gather_evidence(data.getvalue())
    assert made is not None
    assert (made.width, made.height, made.size) == (1200, 700, len(data.getvalue()))
    small = Image.open(io.BytesIO(made.thumbnail))
    assert small.format == "JPEG"
    assert max(small.size) == SIDE
    assert len(made.thumbnail) < 40_000
    for at in ((10, 10), (160, 90), (300, 180)):
        pixel, source = small.getpixel(at), picture.getpixel((at[0] * 1200 // 320, at[1] * 700 // small.height))
        assert isinstance(pixel, tuple)
        assert isinstance(source, tuple)
        assert max(abs(a - b) for a, b in zip(pixel, source, strict=True)) <= 8


def test_a_thumbnail_is_upright() -> None:
    picture = Image.new("RGB", (600, 300), "white")
    picture.paste("red", (0, 0, 300, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: what is left as stored is shown on top
    data = io.BytesIO()
    picture.save(data, "JPEG", exif=exif, quality=95)
    made = gather_evidence(data.getvalue())
    assert made is not None
    assert (made.width, made.height) == (300, 600)
    pixel = Image.open(io.BytesIO(made.thumbnail)).getpixel((80, 40))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200 > 60 > pixel[1]


def test_what_cannot_be_decoded_has_a_fingerprint_and_what_cannot_be_read_has_nothing(tmp_path: Path) -> None:
    import hashlib

    data = b"\x89PNG\r\n\x1a\n" + bytes(100)
    assert gather_evidence(data) == FileEvidence(len(data), hashlib.sha256(data).hexdigest())
    assert gather_evidence(tmp_path / "missing.png") is None
    assert gather_evidence(tmp_path) is None
    big = io.BytesIO()
    Image.new("L", (300, 300)).save(big, "PNG")
    limited = gather_evidence(big.getvalue(), max_pixels=1000)
    assert limited is not None
    assert limited.thumbnail == b""


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", *FORMATS])
def test_a_report_goes_to_a_file_whole(desk: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "report"
    files = [desk / "labelled.png", desk / "plain.png"]
    result = run("verify", *files, "--no-visible", "--format", form, "-o", out, "--lang", "zh")
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")
    text = out.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["report"]
    if form == "table":
        assert "不合规" in text
        assert "\x1b" not in text
    elif form == "html":
        assert len(Page(text).all("img")) == 2
    elif form == "csv":
        assert [row["verdict"] for row in csv.DictReader(io.StringIO(text))] == ["compliant", "noncompliant"]
    else:
        assert "noncompliant" in text


def test_a_place_that_cannot_be_meant_is_refused_before_any_work(desk: Path, tmp_path: Path) -> None:
    before = (desk / "plain.png").read_bytes()
    refused(run("verify", desk / "plain.png", "-o", desk / "plain.png"), 2, "one of the files to verify")
    refused(run("verify", desk / "plain.png", "-o", tmp_path), 2, "is a folder")
    refused(run("verify", desk / "plain.png", "-o", tmp_path / "no" / "r.html"), 2, "does not exist")
    assert (desk / "plain.png").read_bytes() == before
    assert list(tmp_path.iterdir()) == []
