"""The benchmarks run, print their table and compare two runs; no test judges the figures themselves."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import growth, history
from benchmarks._measure import Row, Settings, turns
from benchmarks._rows import LONG, ROWS, SHORT

ROOT = Path(__file__).resolve().parent.parent


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--quick", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_row_comes_out_as_table_and_as_json(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    done = _bench("--only", "startup", "--json", str(target))
    assert done.returncode == 0, done.stderr
    heading, rule, *rows = done.stdout.splitlines()[:5]
    assert heading.split() == ["work", "ours", "alternative", "ratio", "target", "reached", "limit"]
    assert set(rule) == {"─", " "}
    assert [row.split("  ")[0] for row in rows] == [
        "import labeling", "from labeling import Labeler, verify", "aigc-label --help",
    ]  # fmt: skip
    written = json.loads(target.read_text(encoding="utf-8"))
    assert written["machine"]["cpus"] >= 1
    assert {"pillow", "aigc-labeling"} <= set(written["machine"]["versions"])
    first = written["rows"][0]
    assert first["value"] == first["ours"] - first["other"]
    assert first["reached"] == (first["value"] <= 60)
    assert first["repetitions"] == 3
    assert len(first["quartiles_ours"]) == 3
    assert (written["schema"], first["row"], first["at_least"]) == (1, "startup", False)
    assert written["date"].endswith("+00:00")


def test_bytes_that_credentials_add_are_counted_for_both_ways_of_signing() -> None:
    done = _bench("--only", "c2pa-bytes")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("bytes added")]
    assert len(rows) == 2
    assert all(row.endswith("yes") for row in rows)


def test_an_unknown_row_is_named_with_the_known_ones() -> None:
    done = _bench("--only", "nothing")
    assert done.returncode == 2
    assert "jpeg-12mp" in done.stderr


# --- two runs compared -----------------------------------------------------------------------------------------------


def _figures(path: Path, *rows: dict[str, Any], **more: Any) -> Path:
    """A file as ``--json`` writes it, with these rows."""
    path.write_text(json.dumps({"schema": 1, "quick": False, "rows": rows} | more), encoding="utf-8")
    return path


def _row(name: str, work: str, value: float | str, **more: Any) -> dict[str, Any]:
    fixed = {"versus": "x", "unit": "ms", "ours": 10.0, "other": 8.0, "at_least": False}
    return {"row": name, "work": work, "value": value} | fixed | more


def test_a_slower_row_is_marked_and_ends_with_1(tmp_path: Path) -> None:
    before = _figures(
        tmp_path / "a.json",
        _row("jpeg", "label", 1.00, quartiles_ours=[9.0, 10.0, 11.0]), _row("png", "label", 0.40),
        _row("files", "find", 2.0, at_least=True), _row("gone", "gone", 1.0), _row("psnr", "psnr", "infinite"),
    )  # fmt: skip
    after = _figures(
        tmp_path / "b.json",
        _row("jpeg", "label", 1.02), _row("png", "label", 0.42),
        _row("files", "find", 2.2, at_least=True), _row("new", "new", 1.0), _row("psnr", "psnr", "infinite"),
    )  # fmt: skip
    done = _bench("--compare", str(before), str(after))
    assert done.returncode == 1, done.stderr
    jpeg, png, files, psnr = done.stdout.splitlines()[2:6]
    assert (" +2.0 %" in jpeg, "±10 %" in jpeg, "SLOWER" in jpeg) == (True, True, False)
    assert (" +5.0 %" in png, "SLOWER" in png) == (True, True)
    assert (" -9.1 %" in files, "SLOWER" in files) == (True, False)
    assert (" +0.0 %" in psnr, "SLOWER" in psnr) == (True, False)
    assert "only before: gone" in done.stdout
    assert "only after: new" in done.stdout
    assert "4 rows compared, 1 of them worse by more than 3 %" in done.stdout
    assert _bench("--compare", str(before), str(after), "--slower", "6").returncode == 0


def test_where_more_is_better_less_is_slower(tmp_path: Path) -> None:
    before = _figures(tmp_path / "a.json", _row("files", "find", 2.0, at_least=True), _row("psnr", "psnr", "infinite"))
    less = _figures(tmp_path / "b.json", _row("files", "find", 1.9, at_least=True))
    finite = _figures(tmp_path / "c.json", _row("psnr", "psnr", 60.0, at_least=True))
    assert " +5.3 %" in _bench("--compare", str(before), str(less)).stdout
    assert "∞ worse" in _bench("--compare", str(before), str(finite)).stdout


def test_files_from_before_the_format_had_a_version_are_compared(tmp_path: Path) -> None:
    old = [{key: value for key, value in _row("x", "same", 1.0).items() if key not in ("row", "at_least")}] * 2
    before = tmp_path / "a.json"
    before.write_text(json.dumps({"rows": old, "quick": False}), encoding="utf-8")
    after = _figures(tmp_path / "b.json", _row("x", "same", 1.0), _row("y", "same", 1.1))
    done = _bench("--compare", str(before), str(after))
    assert done.returncode == 1
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[2:4]] == ["same", "same"]
    assert "2 rows compared, 1 of them" in done.stdout


def test_what_cannot_be_compared_is_said_in_one_line(tmp_path: Path) -> None:
    good = _figures(tmp_path / "good.json", _row("x", "x", 1.0))
    newer = _figures(tmp_path / "newer.json", schema=2)
    quick = _figures(tmp_path / "quick.json", quick=True)
    for bad, words in (
        (newer, "newer format (2)"), (quick, "--quick"), (tmp_path / "none.json", "no figures"),
        (Path(__file__), "no figures"),
    ):  # fmt: skip
        done = _bench("--compare", str(good), str(bad))
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


# --- runs kept, and recorded ------------------------------------------------------------------------------------------

MACHINE = {"cpus": 2, "load": [0.1, 0.2, 0.3], "python": "3.11.7", "versions": {"pillow": "13.0.0"}}


def _run(value: float, *names: str, others: float | None = 0.0, quick: bool = False) -> dict[str, Any]:
    row = Row("  label", "Pillow", 10.0, 8.0, "ms", value, 1.2, "≤ 1.2×", bare=7.0, bare_of="the coder")
    return history.of_run(
        {name: [row] for name in names}, MACHINE, dict.fromkeys(names, others), dict.fromkeys(names, 1.5), quick=quick
    )


def test_a_run_replaces_its_own_rows_in_the_file_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.json"
    history.save(path, history.added(None, _run(1.0, "png", "jpeg"), list(ROWS)))
    history.save(path, history.added(history.load(path), _run(2.0, "png"), list(ROWS)))
    history.save(path, history.added(history.load(path), _run(3.0, "gone"), ["gone", *ROWS]))
    history.save(path, history.added(history.load(path), _run(math.inf, "growth"), list(ROWS)))
    found = history.load(path)
    assert [(row["row"], row["value"]) for row in found["rows"]] == [("jpeg", 1.0), ("png", 2.0), ("growth", math.inf)]
    first = found["rows"][0]
    assert (first["bare"], first["bare_of"], first["form"]) == (7.0, "the coder", "{:.2f}×")
    assert (first["others"], first["took"]) == (0.0, 1.5)
    assert list(path.parent.iterdir()) == [path]


def test_only_what_a_quiet_machine_measured_is_recorded() -> None:
    quiet, words = history.worth_recording(_run(1.0, "jpeg"), most=0.25)
    assert ([row["row"] for row in quiet["rows"]], words) == (["jpeg"], [])
    for others, said in ((1.5, "others used 1.50 processors"), (None, "does not say")):
        busy, words = history.worth_recording(_run(1.0, "jpeg", others=others), most=0.25)
        assert busy["rows"] == []
        assert len(words) == 1
        assert said in words[0]
        assert words[0].endswith("(load average 0.10, 0.20, 0.30)")
    with pytest.raises(history.Unusable, match="--quick"):
        history.worth_recording(_run(1.0, "jpeg", quick=True), most=0.25)


def test_a_quick_run_is_not_recorded(tmp_path: Path) -> None:
    done = _bench("--only", "c2pa-bytes", "--record", str(tmp_path / "figures.json"))
    assert done.returncode == 2
    assert "mean nothing" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_compared_with_the_last_one(tmp_path: Path) -> None:
    last = tmp_path / "last.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "c2pa-bytes", "--last", str(last)]
    first, second = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
        for _ in range(2)
    )
    assert "against" not in first.stdout
    compared = second.stdout.partition("against")[2]
    assert compared.startswith(f" {last}, of 2")
    assert len([line for line in compared.splitlines() if line.startswith("bytes added")]) == 2
    assert len(history.load(last)["rows"]) == 2


def test_the_table_of_the_readme_says_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    make_docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_docs)
    monkeypatch.setattr(make_docs, "FIGURES", tmp_path / "figures.json")
    history.save(tmp_path / "figures.json", _run(1.25, "jpeg"))
    words, _, table = make_docs.figures_table().partition("\n\n")
    assert "2 processors" in words
    assert "pillow 13.0.0" in words
    assert table.splitlines()[2:] == [
        "| label | 10.0 ms | 8.00 ms, Pillow | 7.00 ms, the coder | 1.25× | ≤ 1.2×: missed |"
    ]


# --- rows -------------------------------------------------------------------------------------------------------------


def test_every_row_is_short_or_long_and_described() -> None:
    described = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert not SHORT.keys() & LONG.keys()
    assert [name for name in SHORT if f"| `{name}`" not in described] == []
    assert [name for name in LONG if f"*`{name}`*" not in described] == []


def test_pieces_of_work_take_turns_and_each_begins_once() -> None:
    done: list[str] = []
    times = turns(*(partial(done.append, name) for name in "abc"), repetitions=3, between=lambda: done.append("-"))
    assert "".join(done) == "-c-a-b-a-b-c-b-c-a-c-a-b"
    assert [len(each) for each in times] == [3, 3, 3]
    done.clear()
    turns(partial(done.append, "a"), repetitions=2, warm=False)
    assert done == ["a", "a"]


def test_growth_is_the_slope_of_logarithms() -> None:
    assert growth.slope([1, 4, 16], [2, 8, 32]) == pytest.approx(1)
    assert growth.slope([1, 4, 16], [1, 16, 256]) == pytest.approx(2)
    assert growth.slope([1, 4, 16], [5, 5, 5]) == pytest.approx(0)


def test_growth_is_measured_at_three_sizes(tmp_path: Path) -> None:
    *_, row = growth.small(Settings(tmp_path, quick=True))
    assert row.work.startswith("rows appended to a ledger")
    assert row.detail["sizes"] == [10, 40, 160]
    assert row.value == growth.slope(row.detail["sizes"], row.detail["seconds"])
