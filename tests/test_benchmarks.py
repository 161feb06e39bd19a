"""The benchmarks run and print their table; what the figures are is no matter of a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--quick", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_row_comes_out_as_table_and_as_json(tmp_path):
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


def test_bytes_that_credentials_add_are_counted_for_both_ways_of_signing():
    done = _bench("--only", "c2pa-bytes")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("bytes added")]
    assert len(rows) == 2
    assert all(row.endswith("yes") for row in rows)


def test_an_unknown_row_is_named_with_the_known_ones():
    done = _bench("--only", "nothing")
    assert done.returncode == 2
    assert "jpeg-12mp" in done.stderr
