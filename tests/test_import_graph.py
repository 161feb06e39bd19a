"""The script that measures the import graph, on a small package whose graph is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "tools" / "import_graph.py"


def measured(root: Path, *options: str) -> tuple[int, list[str]]:
    words = [sys.executable, str(SCRIPT), "--root", str(root), "--package", "made_up", *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def made_up(root: Path, **modules: str) -> Path:
    for name, text in {"__init__": "", **modules}.items():
        path = root / "made_up" / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_floors_arrows_and_wings_are_counted(tmp_path: Path) -> None:
    root = made_up(
        tmp_path, low="", middle="from made_up import low", top="from made_up import middle, low",
        wing__in____init__="", wing__in__part="def late():\n    import made_up.top",
    )  # fmt: skip
    code, shown = measured(root, "--chain")
    assert code == 0
    assert shown == [
        "6 modules, 4 arrows, 4 floors, 0 circles",
        "  longest chain: made_up.wing.part > made_up.top > made_up.middle > made_up.low",
        "5 wings, 4 arrows, 4 floors, 0 circles",
        "  longest chain: made_up.wing > made_up.top > made_up.middle > made_up.low",
    ]


def test_a_circle_is_named_and_is_one_floor(tmp_path: Path) -> None:
    code, shown = measured(
        made_up(tmp_path, a="import made_up.b", b="import made_up.c", c="import made_up.a", d="import made_up.b")
    )
    assert code == 1
    assert shown[:2] == ["5 modules, 4 arrows, 2 floors, 1 circles", "  circle: made_up.a, made_up.b, made_up.c"]


def test_what_only_type_checkers_import_counts_by_option(tmp_path: Path) -> None:
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import made_up.b"
    root = made_up(tmp_path, a=guarded, b="import made_up.a")
    assert measured(root)[0] == 0
    assert measured(root, "--type-checking")[0] == 1
