"""Runs that somebody starts every day: what is new since the last one, one line for cron, a log, metrics."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from labeling import Labeler, LabelingError, batch
from labeling.batch import watching
from labeling.batch.metrics import HELP, PREFIX, MetricsFile
from labeling.batch.selection import CLOCKS, Selection, since_moment
from labeling.batch.task import Item, Problem, Status

from .batching import STATE, results, tree
from .commands import run as command
from .pictures import rgb
from .test_bad_input import PRODUCER, refused

LABELER = Labeler(producer=PRODUCER, visible=False)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def run(source: Path, target: Path, **more: Any) -> dict[str, Any]:
    return batch.run(source, target, labeler=LABELER, engine="inline", **more).summary


def metrics(path: Path) -> dict[str, dict[str, float]]:
    """Return name → status → value, as Prometheus' own client reads the file."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(path.read_text("utf-8")):
        assert family.type == "gauge", family
        assert family.documentation == HELP[family.name.removeprefix(PREFIX)]
        for sample in family.samples:
            key = sample.labels.get("status", "")
            assert key not in found.setdefault(sample.name.removeprefix(PREFIX), {}), sample
            found[sample.name.removeprefix(PREFIX)][key] = sample.value
    return found


# --- since ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        ("1.5 h", NOW - timedelta(minutes=90)),
        (timedelta(minutes=5), NOW - timedelta(minutes=5)),
        ("2026-11-01T10:00:00+08:00", datetime(2026, 11, 1, 2, tzinfo=UTC)),
        ("2026-11-01T02:00Z", datetime(2026, 11, 1, 2, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1).astimezone(UTC)),
        (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        ("last", NOW - timedelta(days=1, seconds=CLOCKS)),
        (None, None),
    ],
)
def test_what_since_means(since: Any, expected: datetime | None) -> None:
    assert since_moment(since, last=NOW - timedelta(days=1), now=NOW) == expected


@pytest.mark.parametrize(
    "since", ["", "yesterday", "7", "7y", "-3d", "2026-13-01", "٣d", "999999w" * 3, 7, "99999999999d"]
)
def test_what_since_does_not_mean(since: Any) -> None:
    with pytest.raises(LabelingError, match="`since` must be last, a date"):
        since_moment(since, last=None, now=NOW)


def test_files_without_a_time_and_folders_without_files_are_taken() -> None:
    old, new = Item("old", 1, "1", changed=NOW.timestamp() - 1), Item("new", 1, "1", changed=NOW.timestamp())
    problem = Problem(Status.FAILED, "UnreadableFile", "the folder cannot be listed")
    others = [Item("no time", 1, "1"), Item("a/.", problem=problem)]
    selection = Selection(None, NOW, lambda path: path)
    assert [item.path for item in selection.of([old, new, *others])] == ["new", "no time", "a/."]
    assert (selection.older, selection.closed) == (1, 1)


def test_only_what_came_since_the_last_complete_session_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.batch.selection.CLOCKS", 0.0)
    source, target = tmp_path / "in", tmp_path / "out"
    paths = tree(source, 6, size=(48, 32))
    time.sleep(0.05)  # a file system's clock is a few milliseconds behind
    first = run(source, target, since="last")  # there is none before it
    assert (first["session"], first["since"]) == ({"labelled": 6}, {"moment": None, "older": 0})
    time.sleep(0.05)
    again = run(source, target, since="last")
    assert (again["session"], again["since"]["older"], again["resumed"]) == ({}, 6, 0)
    time.sleep(0.05)
    shutil.copy2(source / paths[0], source / "copied with its old date.jpg")
    os.utime(source / "copied with its old date.jpg", (1, 1))
    (source / paths[1]).rename(source / "renamed.jpg")
    rgb(40, 30).save(source / "new.png")
    limited = run(source, target, since="last", limit=1)
    assert limited["throughput"]["files"] == 1
    rest = run(source, target, since="last")  # the one before was not complete: what it left is found
    assert limited["throughput"]["files"] + rest["throughput"]["files"] + rest["resumed"] >= 3
    assert {"copied with its old date.jpg", "renamed.jpg", "new.png"} <= results(target).keys()
    rgb(41, 30).save(source / "newest.png")
    dated = run(source, target, since="2001-01-01T00:00:00Z")
    assert dated["session"] == {"labelled": 1}
    (source / "late.jpg").write_bytes((source / "renamed.jpg").read_bytes())
    assert "late.jpg" not in results(target)
    run(source, target, since=timedelta(0))  # is not complete, whatever it has seen
    run(source, target, since="last")
    assert "late.jpg" in results(target)


def test_another_choice_of_files_has_its_own_last_session(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    paths = tree(source, 6, size=(48, 32))
    run(source, target, include=["*.png"])
    assert run(source, target, since="last", include=["*.png"])["since"]["moment"] is not None
    assert run(source, target, since="last")["since"]["moment"] is None
    assert len(results(target)) == len(paths)
    (tmp_path / "list").write_text(f"{paths[0]}\n")
    other = tmp_path / "other"
    run(source, other, file_list=tmp_path / "list")
    assert run(source, other, since="last")["since"]["moment"] is None
    single = tmp_path / "single"
    run(source / paths[0], single)
    assert run(source, single, since="last")["since"]["moment"] is None


# --- log and metrics --------------------------------------------------------------------------------------------------


def test_a_log_tells_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOG_INTERVAL", 0.0)
    source = tmp_path / "in"
    tree(source, 3, size=(48, 32))
    (source / "bro\x1b[31mken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    events: list[dict[str, Any]] = []
    run(source, tmp_path / "out", log=events.append, limit=4)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert set(kinds[1:-1]) == {"progress", "failed"}
    assert {"mode": "label", "source": str(source), "workers": 1, "limit": 4}.items() <= events[0].items()
    failed = next(event for event in events if event["event"] == "failed")
    assert failed["path"] == "bro\x1b[31mken.png"
    assert (failed["status"], failed["kind"]) == ("failed", "UnreadableFile")
    end = events[-1]
    assert (end["exit_code"], end["statuses"], end["done"]) == (3, {"labelled": 3, "failed": 1}, 4)
    for event in events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        json.dumps(event)


def test_a_log_tells_of_a_run_that_cannot_begin_and_what_it_raises_comes_out(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    (tmp_path / "in").mkdir()
    with pytest.raises(LabelingError, match="no such folder"):
        run(tmp_path / "missing", tmp_path / "out", log=events.append)
    assert [event["event"] for event in events] == ["end"]
    assert (events[0]["exit_code"], "no such folder" in events[0]["error"]) == (3, True)

    def full(event: dict[str, Any]) -> None:
        raise BrokenPipeError(event["event"])

    tree(tmp_path / "in", 1, size=(48, 32))
    with pytest.raises(BrokenPipeError):
        run(tmp_path / "in", tmp_path / "out", log=full)


def test_metrics_as_prometheus_reads_them(tmp_path: Path) -> None:
    source, target, path = tmp_path / 'in "\\\n\u202e', tmp_path / "out", tmp_path / "run.prom"
    tree(source, 5, size=(48, 32))
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = time.time()
    run(source, target, metrics_file=path, limit=4)
    found = metrics(path)
    assert found["session_files"]["labelled"] + found["session_files"]["failed"] == 4
    assert (found["running"], found["limited"]) == ({"": 0}, {"": 1})
    assert "complete_start_time_seconds" not in found
    assert before <= found["start_time_seconds"][""] <= found["end_time_seconds"][""] <= time.time()
    summary = run(source, target, metrics_file=path)
    found = metrics(path)
    assert found["files"] == {name: float(n) for name, n in summary["statuses"].items()}
    assert (found["earlier_files"], found["exit_code"], found["limited"]) == ({"": 4}, {"": 3}, {"": 0})
    complete = found["complete_start_time_seconds"]
    assert before <= complete[""] <= time.time()
    (source / "broken.png").unlink()
    shutil.rmtree(source)
    with pytest.raises(LabelingError, match="no such folder"):
        run(source, target, metrics_file=path)
    found = metrics(path)
    assert (found["running"], found["exit_code"], found["complete_start_time_seconds"]) == ({"": 0}, {"": 3}, complete)
    family = next(iter(text_string_to_metric_families(path.read_text("utf-8"))))
    assert family.samples[0].labels["source"] == str(source).replace("\n", "\\n").replace("\u202e", "\\u202e")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".aigc-")] == []


def test_metrics_replace_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "mine.prom"
    path.write_text("# HELP node_load1 1m load average.\n")
    with pytest.raises(LabelingError, match="holds something else than the metrics of a run"):
        MetricsFile(path, {})
    with pytest.raises(LabelingError, match="does not exist"):
        tree(tmp_path / "in", 1)
        run(tmp_path / "in", tmp_path / "out", metrics_file=tmp_path / "none" / "x.prom")
    assert not (tmp_path / "out" / STATE).exists()
    path.write_text("")
    file = MetricsFile(path, {"source": "x"})
    file.write()
    assert metrics(path)["info"] == {"": 1}
    MetricsFile(path, {}).write()


# --- the command ------------------------------------------------------------------------------------------------------


def test_one_line_and_a_log_for_cron(tmp_path: Path) -> None:
    source = tmp_path / "in"
    tree(source, 2, size=(48, 32))
    (source / os.fsdecode(b"\xff \x1b[31m.png")).write_bytes(b"\x89PNG\r\n\x1a\n")
    arguments = ("batch", source, tmp_path / "out", "--producer", PRODUCER, "--no-visible", "--workers", "1")
    done = command(*arguments, "--summary", "line", "--log", "json", "--since", "last")
    assert done.returncode == 3
    (line,) = done.stdout.splitlines()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line)
    assert f"{source} -> {tmp_path / 'out'}: 1 failed, 2 labelled; 3 in all, of which 1 needs attention; " in line
    assert line.endswith("; exit code 3")
    events = [json.loads(each) for each in done.stderr.splitlines()]
    assert [each["event"] for each in events if each["event"] != "progress"] == ["start", "failed", "end"]
    assert "\x1b" not in done.stderr
    assert "\udcff \x1b[31m.png" in [each.get("path") for each in events]


def test_errors_are_lines_of_the_log_and_the_summary_can_be_json(tmp_path: Path) -> None:
    source = tmp_path / "in"
    tree(source, 1, size=(48, 32))
    done = command("batch", source, "--producer", PRODUCER, "--log", "json")
    events = [json.loads(each) for each in done.stderr.splitlines()]
    assert (done.returncode, events[-1]["event"]) == (2, "error")
    assert "no target" in events[-1]["message"]
    refused(
        command("batch", source, tmp_path / "out", "--producer", PRODUCER, "--since", "tomorrow"), 2, "--since", "36h"
    )
    arguments = ("--producer", PRODUCER, "--no-visible", "--workers", "1", "-q", "--summary", "json")
    done = command("batch", source, tmp_path / "out", *arguments)
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / STATE / "summary.json").read_text("utf-8"))
    assert done.stderr == ""
