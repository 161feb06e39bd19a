"""The table on the terminal: it fits, says equal findings once, and is steered by no file."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..commands import run
from .making import HOSTILE, hostile_report


def on_a_terminal(width: int, *arguments: str | Path) -> list[str]:
    """Return the lines that ``verify`` shows on a terminal of this many columns, without colours."""
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
