"""The summary of a batch run: sums, causes, exit codes, and results that are not as they should be."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.batch.cause_messages import without_paths
from labeling.batch.summary import STATUSES, Summary, to_json
from labeling.reports.batch_page import to_html

from .batch_summaries import (
    HOSTILE,
    START,
    Page,
    failed,
    in_pipe,
    lines,
    stamp,
    summed,
)


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


def test_what_was_lost_is_counted_by_files() -> None:
    chunk = {"what": "chunk NOTE", "where": "WebP chunk at offset 30", "why": "the re-encoded file does not hold it"}
    lines = [{"path": "a.webp", "status": "labelled", "lost": [chunk, chunk | {"where": "WebP chunk at offset 90"}]}]
    lines += [{"path": "b.webp", "status": "labelled", "lost": [chunk]}, {"path": "c.webp", "status": "labelled"}]
    summary = summed(lines)
    assert summary["lost"]["files"] == 2
    assert summary["lost"]["things"] == [
        {"what": "chunk NOTE", "why": chunk["why"], "count": 2, "examples": ["a.webp", "b.webp"]}
    ]
    assert "chunk NOTE" in to_html(summary)
    assert "lost" not in to_html(summed(lines[2:]))


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


def test_lines_of_an_earlier_run_count_but_not_for_the_throughput() -> None:
    sums = Summary("label", ["cn"])
    for index in range(100):
        sums.add({"path": f"{index}", "status": "labelled", "size": 10, "time": stamp(-1e6)}, earlier=index < 90)
    facts = {"interrupted": True, "workers": 1, "engine": "pool", "source": "s", "target": "t"}
    summary = sums.to_dict(started=START, wall=2, resumed=90, **facts)  # type: ignore[arg-type]
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
    assert "files per second" not in to_html(summary)


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
    assert "1 of 3 files complies. 2 need attention." in to_html(summary)
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


keys = ("path", "status", "attempts", "seconds", "time", "size", "media_type", "output_size", "how", "lost", "origin",
        "error")  # fmt: skip


@settings(max_examples=150)
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
