"""The summary of a batch run: exact sums in bounded memory, a page that nothing can be injected into, the terminal."""

from __future__ import annotations

import base64
import gc
import hashlib
import io
import json
import random
import re
import tracemalloc
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from labeling.batch._bounded import Counts, Histogram, Timeline
from labeling.batch.cause_messages import without_paths
from labeling.batch.summary import STATUSES, Summary, to_json
from labeling.cli._batch_summary import print_summary
from labeling.reports import batch_words as words
from labeling.reports import quantities
from labeling.reports.batch_page import to_html

START = datetime(2026, 11, 25, 14, 12, tzinfo=UTC)
HOSTILE = (
    "<script>document.title='owned'</script>.png",
    '"><img src=x onerror="document.title=\'owned\'">.png',
    "'onmouseover='document.title=1' x='.png",
    "</style></title><!--<svg/onload=document.title='owned'>.png",
    "]]></svg><b>.jpg",
    "invoice\u202egpj.exe",
    "bell\x07\x1b[31mred\x00.png",
    "&lt;b&gt; &amp;amp;.png",
    "lone\udcff\ud800.png",
    "{n} {0} %s",
    "夜景海报 终稿 😀.jpg",
)


def stamp(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lines(number: int, mode: str = "label", seed: int = 7) -> Iterator[dict[str, Any]]:
    """Results as a run writes them, of files as folders have them."""
    chance, moment = random.Random(seed), 0.0
    for index in range(number):
        size, seconds = int(chance.lognormvariate(13, 1.6)), chance.lognormvariate(-3.5, 1)
        moment += seconds / 8
        path = f"2026/{index % 31:02d}/夜景 {index:06d}.jpg"
        line: dict[str, Any] = {"path": path, "attempts": 1, "seconds": seconds, "time": stamp(moment), "size": size}
        what = chance.random()
        if what < 0.05:
            message = f"/data/my pictures/{path}: ends after {size // 2} of {size} bytes; get a whole copy"
            line |= {"status": "failed", "error": {"kind": "UnreadableFile", "message": message}}
        elif what < 0.08:
            message = f"{path}: has the label of 00119111{index:019d}; use aigc-label propagate"
            line |= {"status": "refused", "error": {"kind": "LabelConflict", "message": message}}
        else:
            outcome = chance.choice(("compliant", "compliant", "noncompliant"))
            failed = [] if outcome == "compliant" else ["CN-VISIBLE-SIZE"]
            verdict = {"verdict": outcome, "failed": failed, "warnings": ["CN-PROVIDER-CODE"]}
            line |= {"status": "labelled" if mode == "label" else "verified", "media_type": "image/jpeg"}
            line |= {
                "output_size": size + 900,
                "origin": chance.choice(("confirmed", "none")),
                "verdicts": {"cn": verdict},
            }
        yield line


def summed(found: Iterator[dict[str, Any]] | list[dict[str, Any]], mode: Any = "label", **given: Any) -> dict[str, Any]:
    tally = Summary(mode, ["cn"])
    for line in found:
        tally.add(line)
    facts = {"started": START, "wall": 60.0, "interrupted": False, "workers": 4, "engine": "pool"}
    return tally.to_dict(**{**facts, "source": "/data/in", "target": "/data/out", **given})


# --- sums -------------------------------------------------------------------------------------------------------------


def test_sums_are_those_of_the_lines() -> None:
    found = list(lines(5000))
    summary = summed(found)
    assert summary["version"] == 1
    assert summary["total"] == 5000
    assert {k: v for k, v in summary["statuses"].items() if v} == Counter(line["status"] for line in found)
    assert tuple(summary["statuses"]) == STATUSES
    size = sum(line["size"] for line in found)
    assert summary["bytes"] == {"in": size, "out": sum(line.get("output_size", 0) for line in found)}
    assert summary["throughput"]["files_per_second"] == round(5000 / 60, 3)
    assert summary["throughput"]["megabytes_per_second"] == round(size / 60e6, 3)
    judged = [line["verdicts"]["cn"] for line in found if "verdicts" in line]
    assert {k: v for k, v in summary["verdicts"]["cn"].items() if v} == Counter(v["verdict"] for v in judged)
    assert {k: v for k, v in summary["origins"].items() if v} == Counter(x["origin"] for x in found if "origin" in x)
    (broken,) = summary["rules"]["failed"]
    assert broken["rule"] == "CN-VISIBLE-SIZE"
    assert broken["count"] == sum(bool(verdict["failed"]) for verdict in judged)
    assert len(broken["examples"]) == 3
    assert summary["media_types"] == [{"media_type": "image/jpeg", "count": len(judged)}]
    slowest = sorted(found, key=lambda line: -line["seconds"])[:10]
    assert [row["path"] for row in summary["slowest"]] == [line["path"] for line in slowest]
    assert sum(summary["timeline"]["files"]) == 5000
    assert sum(summary["timeline"]["bytes"]) == size
    assert datetime.fromisoformat(summary["finished"]) == START + timedelta(seconds=60)


def test_causes_are_one_row_each_however_many_files_have_them() -> None:
    found = list(lines(5000))
    rows = summed(found)["causes"]
    assert [(row["status"], row["message"]) for row in rows] == [
        ("failed", "ends after … of … bytes; get a whole copy"),
        ("refused", "has the label of …; use aigc-label propagate"),
    ]
    for row in rows:
        having = [line["path"] for line in found if line["status"] == row["status"]]
        assert row["count"] == len(having)
        assert row["examples"] == having[:3]


@pytest.mark.parametrize(
    ("message", "path", "left"),
    [
        ("a/b.jpg: is empty", "a/b.jpg", "is empty"),
        ("/data/my pictures/a/b.jpg: is empty", "a/b.jpg", "is empty"),
        ("C:\\my pictures\\a\\b.jpg: is empty", "a/b.jpg", "is empty"),
        ("s3://bucket/in/a/b.jpg: is empty", "a/b.jpg", "is empty"),
        ("b.jpg: is empty", "a/b.jpg", "is empty"),
        ("cannot rename '/out/a/.b.jpg.tmp' to '/out/a/b.jpg'", "a/b.jpg", "cannot rename '/out/a/.….tmp' to '…'"),
        ("there is an output named a/b.jpg", "a/b.jpg", "there is an output named …"),
        ("label: carries a label", "label", "carries a label"),
        ("carries a label", "label", "carries a label"),
        ("caab.jpgs stay", "b.jpg", "caab.jpgs stay"),
        ("lone\udcff.png: is empty", "lone\udcff.png", "is empty"),
        ("cannot open 'lone\\udcff.png'", "lone\udcff.png", "cannot open '…'"),
        ("…", "…", "…"),
        ("nothing of it", "", "nothing of it"),
    ],
)
def test_paths_are_taken_out_of_messages(message: str, path: str, left: str) -> None:
    assert without_paths(message, [path]) == left


@settings(deadline=None)
@given(st.text(alphabet="ab/. :'\\…\udcff", max_size=60), st.text(alphabet="ab/. :'\\…\udcff", max_size=12))
def test_taking_paths_out_ends_and_is_short(message: str, path: str) -> None:
    assert len(without_paths(message, [path])) <= len(message)


def test_numbers_that_agree_stay_in_a_cause() -> None:
    error = {"kind": "TooLarge", "message": "has 123 megapixels; the limit is 100 000 000 pixels of UTF-8"}
    same = [{"path": f"{i}.png", "status": "failed", "error": error} for i in range(3)]
    assert summed(same)["causes"][0]["message"] == error["message"]
    other = {"path": "x.png", "status": "failed", "error": error | {"message": error["message"].replace("123", "456")}}
    (row,) = summed([*same, other])["causes"]
    assert row["message"] == "has … megapixels; the limit is 100 000 000 pixels of UTF-8"
    assert row["count"] == 4


def test_a_cause_that_turns_up_late_and_often_has_its_row() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    rare = [f"cause {a}{b}{c}" for a in letters for b in letters for c in letters[:3]]
    messages = [*rare, *["the disk is full"] * 500]
    found = [{"path": "p", "status": "failed", "error": {"kind": "WriteError", "message": m}} for m in messages]
    summary = summed(found)
    assert summary["causes"][0]["message"] == "the disk is full"
    assert summary["causes"][0]["count"] == 500
    assert sum(row["count"] for row in summary["causes"]) + summary["other_causes"] == len(messages)


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(2, 12))
def test_bounded_counts_add_up_and_are_never_too_high(keys: list[int], limit: int) -> None:
    counts: Counts[int] = Counts(limit)
    for key in keys:
        counts.add(key)
    truth, kept = Counter(keys), counts.most(limit)
    assert len(kept) <= limit
    assert sum(row.count for _, row in kept) + counts.others == len(keys)
    assert all(row.count <= truth[key] for key, row in kept)
    assert counts.beyond(1) == len(keys) - sum(row.count for _, row in kept[:1])
    if len(truth) <= limit:
        assert dict(truth) == {key: row.count for key, row in kept}


def test_lines_of_an_earlier_run_count_but_not_for_the_throughput() -> None:
    tally = Summary("label", ["cn"])
    for index in range(100):
        tally.add({"path": f"{index}", "status": "labelled", "size": 10, "time": stamp(-1e6)}, earlier=index < 90)
    facts = {"interrupted": True, "workers": 1, "engine": "pool", "source": "s", "target": "t"}
    summary = tally.to_dict(started=START, wall=2, resumed=90, **facts)  # type: ignore[arg-type]
    assert summary["total"] == 100
    assert summary["throughput"] == {
        "files": 10, "bytes": 100, "files_per_second": 5.0, "megabytes_per_second": 0.0,
    }  # fmt: skip
    assert sum(summary["timeline"]["files"]) == 10
    assert "5 files/s" in in_pipe(summary)
    nothing_left = Summary("label", ["cn"])
    nothing_left.add({"path": "p", "status": "labelled", "size": 10}, earlier=True)
    summary = nothing_left.to_dict(started=START, wall=2, resumed=1, **facts)  # type: ignore[arg-type]
    assert "files/s" not in in_pipe(summary)
    assert "files a second" not in to_html(summary)


def failed(kind: str, status: str = "failed") -> dict[str, Any]:
    return {"path": "p", "status": status, "error": {"kind": kind, "message": "m"}}


def judged(*outcomes: str) -> dict[str, Any]:
    verdicts = {f"p{i}": {"verdict": o, "failed": [], "warnings": []} for i, o in enumerate(outcomes)}
    return {"path": "p", "status": "verified", "verdicts": verdicts}


@pytest.mark.parametrize(
    ("mode", "found", "code"),
    [
        ("label", [], 0),
        ("label", [{"path": "p", "status": "labelled"}, {"path": "q", "status": "skipped"}], 0),
        ("label", [failed("UnreadableFile")], 3),
        ("label", [failed("TooLarge")], 3),
        ("label", [failed("UnsupportedFormat", "unsupported")], 3),
        ("label", [failed("UnreadableFile"), failed("WriteError")], 2),
        ("label", [failed("LabelConflict", "refused")], 2),
        ("label", [failed("WorkerDied", "poison")], 2),
        ("label", [failed("")], 2),
        ("verify", [judged("compliant"), {"path": "p", "status": "skipped"}], 0),
        ("verify", [judged("compliant", "noncompliant"), failed("UnreadableFile")], 1),
        ("verify", [judged("compliant", "inconclusive")], 3),
        ("verify", [judged("compliant"), failed("UnreadableFile")], 3),
        ("verify", [judged("compliant"), failed("WorkerDied", "poison")], 3),
        ("verify", [failed("UnsupportedFormat", "unsupported")], 3),
    ],
)
def test_exit_codes(mode: Any, found: list[dict[str, Any]], code: int) -> None:
    assert summed(found, mode)["exit_code"] == code


def test_a_file_counts_once_by_the_worst_of_its_profiles() -> None:
    found = [judged("compliant", "noncompliant"), judged("inconclusive", "compliant"), judged("compliant", "compliant")]
    summary = summed(found, "verify")
    assert summary["worst"] == {"compliant": 1, "inconclusive": 1, "noncompliant": 1}
    assert "1 of 3 files comply. 2 need attention." in to_html(summary)
    rule = {"verdict": "noncompliant", "failed": ["C2PA-BROKEN"], "warnings": []}
    mild = {"verdict": "compliant", "failed": [], "warnings": ["C2PA-BROKEN"]}
    both = {"path": "p", "status": "verified", "verdicts": {"eu": rule, "cn": rule, "us-ca": mild}}
    rules = summed([both], "verify")["rules"]
    assert rules == {
        "failed": [{"rule": "C2PA-BROKEN", "profiles": ["cn", "eu"], "count": 1, "examples": ["p"]}],
        "warnings": [],
    }


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = ("path", "status", "attempts", "seconds", "time", "size", "media_type", "output_size", "how", "origin", "error")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from((*keys, "verdicts")), junk, max_size=12), max_size=4))
def test_lines_that_are_not_as_they_should_be_are_summed_and_shown(found: list[dict[str, Any]]) -> None:
    summary = summed(found)
    assert summary["total"] == len(found) == sum(summary["statuses"].values())
    assert json.loads(to_json(summary))["total"] == len(found)
    Page(to_html(summary))


def test_json_is_utf8_and_says_what_names_are_none() -> None:
    found = [{"path": name, "status": "failed", "error": {"kind": "X", "message": f"{name}: no"}} for name in HOSTILE]
    summary = summed(found)
    assert json.loads(to_json(summary).encode("utf-8")) == summary


# --- memory -----------------------------------------------------------------------------------------------------------


def unlike(number: int) -> Iterator[dict[str, Any]]:
    """Lines that have nothing in common, which is the worst there is for tables of names: 1500, then every tenth."""
    plain = {"path": "p", "status": "verified", "attempts": 1, "seconds": 0.01, "time": stamp(0), "size": 5000}
    for index in range(number):
        if index >= 1500 and index % 10:
            yield plain
            continue
        name = np.base_repr(index + 10**9, 36).translate(str.maketrans("0123456789", "ghijklmnop"))
        verdict = {"verdict": f"v{name}", "failed": [f"F-{name}"], "warnings": [f"W-{name}"]}
        yield {
            "path": f"{name}/{name}.jpg", "status": f"s{name}", "attempts": 1, "seconds": 1e-4 * 1.0001**index % 1e5,
            "time": stamp(index * 3.7), "size": index**3, "media_type": f"image/{name}", "output_size": index,
            "how": [f"how {name}"], "origin": name, "verdicts": {f"p{name}": verdict},
            "error": {"kind": f"K{name}", "message": f"{name}.jpg: fault {name}"},
        }  # fmt: skip


def held(number: int) -> int:
    """Bytes that a tally holds after so many lines."""
    gc.collect()
    tracemalloc.start()
    try:
        tally = Summary("verify", ["cn"])
        for line in unlike(number):
            tally.add(line)
        del line
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_files() -> None:
    few, many = held(2000), held(200_000)
    assert many < 1.3 * few
    assert many < 4_000_000


# --- histograms and time line -----------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(1e-4, 9e5), min_size=1, max_size=200), st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99, 1.0]))
def test_quantiles_are_numpy_s_within_a_cell(values: list[float], share: float) -> None:
    histogram = Histogram(-4, 6)
    for value in values:
        histogram.add(value)
    estimate = histogram.quantile(share)
    truth = float(np.quantile(values, share, method="inverted_cdf"))
    assert estimate == pytest.approx(truth, rel=0.025)
    assert estimate is not None
    assert min(values) <= estimate <= max(values)


@given(st.lists(st.integers(0, 10**15 - 1), min_size=1, max_size=200))
def test_columns_are_numpy_s_histogram(values: list[int]) -> None:
    histogram = Histogram(0, 15)
    for value in values:
        histogram.add(value)
    columns = histogram.columns()
    edges = [columns[0][0], *(high for _, high, _ in columns)]
    if not np.isfinite(edges[-1]):
        edges[-1] = 1e30
    assert [number for _, _, number in columns] == list(np.histogram(values, edges)[0])
    assert sum(number for _, _, number in columns) == len(values)
    assert len(columns) >= 6


def test_values_beyond_the_range_are_counted_at_its_ends() -> None:
    histogram = Histogram(-4, 6)
    for value in (0.0, 1e-9, 5e7):
        histogram.add(value)
    assert [number for _, _, number in histogram.columns() if number] == [2, 1]
    assert histogram.quantile(1) == 5e7
    assert Histogram(0, 3).quantile(0.5) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e10), st.integers(0, 10**9)), min_size=1, max_size=100))
def test_the_time_line_is_short_and_loses_nothing_in_any_order(moments: list[tuple[float, int]]) -> None:
    timeline = Timeline(limit=20)
    for moment, size in moments:
        timeline.add(moment, size)
    found = timeline.to_dict()
    files, sizes, interval = found["files"], found["bytes"], found["interval"]
    assert isinstance(files, list)
    assert isinstance(sizes, list)
    assert isinstance(interval, float)
    assert 1 <= len(files) <= 20
    assert sum(sizes) == sum(size for _, size in moments)
    first = min(int(moment // interval) for moment, _ in moments)
    assert files == list(np.bincount([int(moment // interval) - first for moment, _ in moments]))


# --- numbers as people read them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (0.0004, "0.4 ms"), (0.01274, "12.7 ms"), (0.9999, "1 s"), (1, "1 s"), (12.84, "12.8 s"),
        (59.99, "1 min"), (125, "2 min 5 s"), (3599.9, "1 h"), (3600, "1 h"), (11520, "3 h 12 min"),
        (86399, "1 d"), (187200, "2 d 4 h"), (86400 * 1200, "1,200 d"),
    ],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert quantities.duration(seconds) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1536, "1.54 kB"),
        (999_900, "1 MB"),
        (32.9e9, "32.9 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes(size: float, said: str) -> None:
    assert quantities.size(size) == said


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_is_never_said_to_be_nothing_or_all_if_it_is_not(part: int, rest: int) -> None:
    said = quantities.share(part, part + rest)
    assert (said == "0 %") is (part == 0)
    assert not re.match(r"100|0\.0", said)
    assert quantities.share(rest, rest) == "100 %"


@given(st.floats(1e-3, 1e12), st.booleans())
def test_ticks_reach_over_the_greatest_and_are_few(most: float, whole: bool) -> None:
    findings = quantities.ticks(most, whole=whole)
    assert findings[0] == 0
    assert findings[-1] >= most * (1 - 1e-6)
    assert 2 <= len(findings) <= 6
    assert not whole or all(finding == int(finding) for finding in findings)
    assert 1 <= len(quantities.time_ticks(most)) <= 7


# --- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser makes of a page, and a check that every element is closed where it should be."""

    VOID = frozenset({"meta", "link", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
        else:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("nothing writes comments")


def drawings(page: str) -> list[ET.Element]:
    return [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def safe(text: str) -> Page:
    """Parse a page and check that it loads and runs nothing, and that its own policy lets its style sheet work."""
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "a",
        "form",
        "input",
        "foreignobject",
        "b64",
    }
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "href")]
    assert "url(" not in page.style
    assert "@import" not in page.style
    (policy,) = (a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identities) == len(set(identities))
    for _, attributes in page.elements:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(identities)
    return page


CASES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "many": ("label", list(lines(3000))),
    "verified": ("verify", list(lines(3000, "verify"))),
    "none": ("label", []),
    "one": ("label", [next(line for line in lines(99) if line["status"] == "labelled")]),
    "all failed": ("label", [failed("UnreadableFile") | {"seconds": 0.01, "size": 0} for _ in range(20)]),
    "bare": ("verify", [{"path": "p", "status": "verified", "attempts": 1, "seconds": 0, "time": stamp(0)}] * 3),
}


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
    said = " ".join(page.text)
    labelled = summary["statuses"]["labelled"]
    assert f"{labelled:,} of 3,000 files are labelled. {3000 - labelled} need attention." in said
    assert "The run was interrupted" in said
    assert "1,234 files were done by an earlier run" in said
    assert "ends after … of … bytes" in said
    assert "The text of the visible label must be at least 5 % of the shortest side in height." in said
    for row in summary["slowest"]:
        assert row["path"] in said
    for _, _, number in (*summary["sizes"]["bins"], *summary["seconds"]["bins"]):
        assert f"{number:,}" in page.text
    assert "/data/out/.aigc-label/results.jsonl" in said
    chinese = " ".join(safe(to_html(summary, language="zh")).text)
    assert "批量任务：添加标识" in chinese
    assert "显式标识的文字高度低于画面最短边长度的 5%。" in chinese
    assert "文件无法读取：缺失、为空、被截断或已损坏。" in chinese


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
        "how": [text], "origin": text, "verdicts": {text: verdict},
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
    for key, (english, chinese) in words._WORDS.items():
        assert english
        assert chinese
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", chinese)), key


# --- the terminal -----------------------------------------------------------------------------------------------------


def on_terminal(summary: Mapping[str, Any], width: int) -> str:
    out = io.StringIO()
    print_summary(
        summary, Console(file=out, width=width, force_terminal=True, highlight=False, color_system="standard")
    )
    return out.getvalue()


def in_pipe(summary: Mapping[str, Any]) -> str:
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=160, force_terminal=False, highlight=False))
    return out.getvalue()


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
