"""The summary of a batch run as people see it: a page that nothing can be injected into, and the terminal."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any

import click
import pytest
from rich.cells import cell_len

from labeling.cli.batch import command
from labeling.reports import batch_texts
from labeling.reports.batch_page import to_html

from .batch_summaries import (
    CASES,
    HOSTILE,
    Page,
    drawings,
    in_pipe,
    on_terminal,
    safe,
    stamp,
    summed,
)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", CASES)
def test_the_page_is_whole_and_its_drawings_are_svg(name: str, language: Any) -> None:
    mode, found = CASES[name]
    text = to_html(summed(found, mode), language=language)
    safe(text)
    for drawing in drawings(text):
        if drawing.get("aria-hidden") == "true":
            continue
        space = "{http://www.w3.org/2000/svg}"
        title, described = drawing.find(f"{space}title"), drawing.find(f"{space}desc")
        assert title is not None
        assert described is not None
        assert title.text
        assert described.text
        for rect in drawing.iter(f"{space}rect"):
            for value in (rect.get(key, "0") for key in ("x", "y", "width", "height")):
                assert -0.01 <= float(value.rstrip("%")) <= 100.01


def test_the_page_says_what_the_summary_says() -> None:
    mode, found = CASES["many"]
    summary = summed(found, mode, interrupted=True, resumed=1234)
    summary["files"] = {"results": "/data/out/.aigc-label/results.jsonl"}
    page = safe(to_html(summary))
    text = " ".join(page.text)
    labelled = summary["statuses"]["labelled"]
    assert f"{labelled:,} of 3,000 files are labelled. {3000 - labelled} need attention." in text
    assert "The run was interrupted" in text
    assert "1,234 files were done by an earlier run" in text
    assert "ends after … of … bytes" in text
    assert "The text of the visible label must be at least 5 % of the shortest side in height." in text
    for row in summary["slowest"]:
        assert row["path"] in text
    for _, _, number in (*summary["sizes"]["bins"], *summary["seconds"]["bins"]):
        assert f"{number:,}" in page.text
    assert "/data/out/.aigc-label/results.jsonl" in text
    chinese = " ".join(safe(to_html(summary, language="zh")).text)
    assert "批量任务：添加标识" in chinese
    assert "显式标识的文字高度低于画面最短边长度的 5%。" in chinese
    assert "文件无法读取：缺失、为空、被截断或已损坏。" in chinese


def test_a_conversion_has_its_own_words() -> None:
    mode, found = CASES["converted"]
    loss = [{"what": "EXIF tag", "where": "EXIF", "why": "GIF has no place for it"}]
    twin: dict[str, Any] = {
        "kind": "SameOutput",
        "message": "has the same output (a.jpg → a.gif)",
        "names": ["a.jpg", "a.gif"],
    }
    more: list[dict[str, Any]] = [
        {"path": "a.gif", "status": "converted", "lost": loss},
        {"path": "a.png", "status": "refused", "error": twin},
    ]
    summary = summed([*found, *more], mode)
    well, total = summary["statuses"]["converted"], summary["total"]
    text = " ".join(safe(to_html(summary)).text)
    for words in (f"{well} of {total} files are converted.", "Batch run: conversion", "(… → …)"):
        assert words in text
    assert "What converted pictures do not hold" in text
    assert "labelled" not in text
    chinese = " ".join(safe(to_html(summary, language="zh")).text)
    for words in (f"共 {total} 个文件，已转换 {well} 个。", "转换后的图片未能保留的内容", "转换后与另一个文件同名"):
        assert words in chinese
    assert "标识后的副本" not in chinese


def test_parts_of_a_bar_fill_it_in_their_shares_and_none_is_lost() -> None:
    found = [{"path": "p", "status": "labelled"}] * 9000 + [{"path": "p", "status": "refused"}] * 999
    text = to_html(summed([*found, {"path": "p", "status": "poison"}]))
    (bar,) = [d for d in drawings(text) if d.get("aria-labelledby", "").startswith("statuses-")]
    widths = [float(rect.get("width", "").rstrip("%")) for rect in bar.iter("{http://www.w3.org/2000/svg}rect")]
    assert sum(widths) == pytest.approx(100, abs=0.01)
    assert widths[0] == pytest.approx(90, abs=1)
    assert widths[1] == pytest.approx(10, abs=1)
    assert widths[2] == pytest.approx(1, abs=0.05)  # 0.01 % would not be seen


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_file_says_becomes_markup_or_steers_a_terminal(text: str, language: Any) -> None:
    verdict = {"verdict": text, "failed": [text], "warnings": [text]}
    line = {
        "path": text, "status": text, "attempts": 2, "seconds": 1.5, "time": stamp(1), "size": 5, "media_type": text,
        "how": [text], "lost": [{"what": text, "where": text, "why": f"`{text}`"}],
        "origin": text, "verdicts": {text: verdict},
        "error": {"kind": text, "message": f"x{text}; {text}"},
    }  # fmt: skip
    found = [line, *({**line, "time": stamp(n)} for n in range(5))]
    summary = summed(found, source=text, target=text, engine=text) | {"files": {"page": text, "results": text}}
    html = to_html(summary, language=language)
    html.encode("utf-8")
    safe(html)
    drawings(html)
    plain = to_html(summed([{**line, "path": "p"}]), language=language)
    assert (
        Counter(t for t, _ in Page(html).elements)["style"] == Counter(t for t, _ in Page(plain).elements)["style"] == 1
    )
    printed = on_terminal(summary, 100)
    shapeless = [c for c in re.sub(r"\x1b\[[\d;]*m", "", printed) if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    assert set(shapeless) <= {"\n"}
    assert "\x1b[31mred" not in printed


def test_every_word_is_there_in_both_languages_with_the_same_placeholders() -> None:
    for key, (english, chinese) in batch_texts.TEXTS.items():
        assert english
        assert chinese
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", chinese)), key


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", CASES)
def test_the_terminal_s_form_fits_and_is_short(name: str, width: int) -> None:
    mode, found = CASES[name]
    summary = summed(found, mode) | {"files": {"page": "/data/out/report.html"}}
    printed = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in on_terminal(summary, width).splitlines()]
    assert max(cell_len(line) for line in printed) <= width
    assert len(printed) < 45
    assert any("/data/out/report.html" in line for line in printed)


def test_the_terminal_says_how_many_why_and_where() -> None:
    mode, found = CASES["many"]
    long = "deep/" * 60 + "last.jpg"
    error = {"kind": "WriteError", "message": "the disk is full"}
    ill = [{"path": long, "status": "failed", "error": error}] * 500
    files = {"page": "/out/.aigc-label/report.html", "summary": "/s.json", "results": "/r.jsonl"}
    summary = summed([*found, *ill], mode) | {"files": files}
    printed = in_pipe(summary)
    assert "\x1b" not in printed
    assert not [line for line in printed.splitlines() if line != line.rstrip()]
    assert f"{summary['statuses']['labelled']:,} of 3,500 files are labelled." in printed
    assert "1 min with 4 workers: 58.3 files/s" in printed
    assert long in printed  # a pipe cuts no path
    assert "500  failed: the disk is full; check the target's free space and permissions" in printed
    assert "CN-VISIBLE-SIZE  The text of the visible label must" in printed
    assert all(path in printed for path in files.values())
    assert "…/last.jpg" not in printed
    assert long not in on_terminal(summary, 80).replace("\n", "")


def test_a_parameter_is_code_on_the_page_and_an_option_on_the_terminal() -> None:
    error = {"kind": "Taken", "message": "is there already, and not by this run; `overwrite=True` replaces it"}
    summary = summed([{"path": "p.png", "status": "refused", "error": error}])
    assert "<code>overwrite=True</code> replaces it" in to_html(summary)
    assert "<code>overwrite=True</code>" in to_html(summary, language="zh")
    with click.Context(command):
        assert "is there already, and not by this run; --overwrite replaces it" in in_pipe(summary)
