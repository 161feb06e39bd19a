"""The benchmarks run, print their table and compare two runs; no test judges the figures themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--quick", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_row_comes_out_as_table_and_as_json(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    done = _bench("--only", "startup", "--json", str(target))
    assert done.returncode == 0, done.stderr
    heading, rule, *rows = done.stdout.splitlines()[:5]
    assert heading.split() == ["work", "ours", "alternative", "ratio", "target", "reached"]
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
