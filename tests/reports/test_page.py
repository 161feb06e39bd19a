"""The HTML page: closed to the world, legible, and in a browser what it should be."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling import verify
from labeling.reports import render
from labeling.reports.file_evidence import gather_evidence
from labeling.verification.report import Report

from ..test_bad_input import PRODUCER
from .making import HOSTILE, hostile_report
from .pages import Page, shape

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_file_says_becomes_markup(text: str, language: str) -> None:
    said = render("html", [hostile_report(text)], language=language)
    said.encode("utf-8")
    page = Page(said)
    assert page.is_closed_to_the_world()
    assert shape(page) == shape(Page(render("html", [hostile_report("harmless")], language=language)))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", said)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(alphabet=st.one_of(st.characters(codec=None), st.sampled_from("<>&\"'`=/!-")), min_size=1))
def test_no_text_breaks_out_of_a_page_or_a_log(text: str) -> None:
    report = hostile_report(text)
    page = Page(render("html", [report]))
    assert page.is_closed_to_the_world()
    assert shape(page) == shape(Page(render("html", [hostile_report("harmless")])))
    log = json.loads(render("sarif", [report]).encode("utf-8", "backslashreplace"))
    assert log["runs"][0]["artifacts"][0]["location"]["uri"].isascii()


def test_the_page_shows_pictures_boxes_findings_and_clauses(desk: Path, reports: list[Report]) -> None:
    evidence = [gather_evidence(path) for path in sorted(desk.iterdir())]
    page = Page(render("html", reports, evidence=evidence))
    text = " ".join(page.texts)
    assert page.is_closed_to_the_world()
    assert page.all("html")[0]["lang"] == "en"
    [policy] = [m["content"] or "" for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert all(th.get("scope") in ("row", "col") for th in page.all("th"))
    assert all(image.get("alt") for image in page.all("img"))
    assert len(page.all("img")) == 2  # the broken file has none
    assert [svg["viewbox"] for svg in page.all("svg")] == ["0 0 900 600"]
    [labelled] = [report for report in reports if report.path.endswith("labelled.png")]
    [visible] = [finding for finding in labelled.findings if finding.kind == "visible"]
    left, top, right, bottom = visible.value["box"]
    drawn = page.all("rect")[0]
    assert [float(drawn[key] or 0) for key in ("x", "y", "width", "height")] == [left, top, right - left, bottom - top]
    assert (
        text.count("no conclusion is possible") == 1
    )  # of the broken file: that no label was found in it means nothing
    for said in ("CN-IMPLICIT-MISSING", "GB 45438-2025 5.2", PRODUCER, "This content was generated", str(desk)):
        assert said in text
    assert [row["data-verdict"] for row in page.all("article")] == ["noncompliant", "noncompliant", "inconclusive"]


def test_values_without_end_are_cut(reports: list[Report]) -> None:
    said = render("html", [hostile_report("A" * 3_000_000)])
    assert len(said) < 150_000
    assert "(+2,998,000)" in said


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    samples = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in samples]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_of_text_is_legible_in_both_schemes_and_on_paper() -> None:
    style = (ROOT / "labeling" / "reports" / "page.css").read_text(encoding="utf-8")
    schemes = [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root {(.*?)}", style, re.S)]
    assert len(schemes) == 3
    pairs = [(ink, ground) for ink in ("ink", "quiet", "link", "good", "bad", "open") for ground in ("page", "sheet")]
    pairs += [(tone, f"{tone}-ground") for tone in ("good", "bad", "open")]
    pairs += [("quiet", "mute-ground"), ("ink", "mute-ground")]
    for scheme in schemes:
        for ink, ground in pairs:
            light, dark = sorted((luminance(scheme[ink]), luminance(scheme[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


# --- the page in a browser --------------------------------------------------------------------------------------------


def browse(program: str, profile: Path, page: Path, *flags: str) -> str:
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", *flags, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=90, check=True)
    return done.stdout


def test_chromium_opens_the_page_runs_its_script_and_no_other(
    chromium: str, desk: Path, reports: list[Report], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    evidence = [gather_evidence(path) for path in sorted(desk.iterdir())]
    everything = [*reports, *map(hostile_report, HOSTILE)]
    page.write_text(render("html", everything, evidence=evidence), encoding="utf-8")
    dom = Page(browse(chromium, tmp_path / "profile", page, "--dump-dom"))
    assert "AI content label report" in dom.texts
    assert len(dom.all("article")) == len(everything)
    assert len(dom.all("button")) >= 8  # our own script passed the policy: headings became buttons
    assert dom.is_closed_to_the_world()


def test_chromium_draws_the_box_around_the_label(chromium: str, desk: Path, tmp_path: Path) -> None:
    page, shot = tmp_path / "report.html", tmp_path / "page.png"
    path = desk / "labelled.png"
    report, shown = verify(path), gather_evidence(path)
    page.write_text(render("html", [report], evidence=[shown]), encoding="utf-8")
    browse(chromium, tmp_path / "profile", page, "--window-size=1280,1600", f"--screenshot={shot}")
    with Image.open(shot) as image:
        pixels = image.convert("RGB")
    red = [
        (i % pixels.width, i // pixels.width)
        for i, pixel in enumerate(zip(*[iter(pixels.tobytes())] * 3, strict=True))
        if pixel == (200, 16, 46)
    ]
    [visible] = [finding for finding in report.findings if finding.kind == "visible"]
    left, top, right, bottom = visible.value["box"]
    columns, rows = [x for x, _ in red], [y for _, y in red]
    # The picture is shown 270 to 320 pixels wide: the frame has the shape of the box, and the swatch lies below it.
    frame = [(x, y) for x, y in red if x > min(columns) + 40]
    width = max(x for x, _ in frame) - min(x for x, _ in frame)
    height = max(y for _, y in frame) - min(y for _, y in frame)
    assert rows
    assert width / height == pytest.approx((right - left) / (bottom - top), rel=0.25)
