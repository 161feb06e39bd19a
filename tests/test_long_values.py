"""A small file that says very much costs neither memory nor time, in whatever form its report is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

import labeling
from labeling.reports import render

from .fuzzing.seeds import chunk


def bomb(count: int, text: bytes) -> bytes:
    """Return a small PNG file with ``count`` compressed texts in which a label is expected."""
    out = io.BytesIO()
    Image.new("RGB", (32, 24), (90, 140, 60)).save(out, "PNG")
    plain = out.getvalue()
    one = chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(text))
    return plain[:33] + one * count + plain[33:]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "sarif", "html"])
def test_a_report_is_short_whatever_a_file_says(tmp_path: Path, form: str) -> None:
    path = tmp_path / "long.png"
    path.write_bytes(bomb(170, "\u202e".encode() * 60_000))
    page = render(form, [labeling.verify(path, visible=False)])
    assert len(page) < 8_000_000
    assert "\u202e" not in page


def test_a_shortened_value_says_by_how_much(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    path.write_bytes(bomb(1, b'{"Label":"1","ContentProducer":"' + b"x" * 50_000 + b'"}'))
    report = json.loads(render("json", [labeling.verify(path, visible=False)]))[0]
    producer = next(mark for mark in report["marks"] if mark["mark"] == "aigc")["value"]["ContentProducer"]
    assert producer == "x" * 20_000 + "… (30000 more characters)"


def test_isolation_works_where_standard_streams_are_closed(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24), (90, 140, 60)).save(tmp_path / "a.png")
    program = (
        "import os, sys; os.close(0); os.close(1); import labeling; "
        f"report = labeling.verify({str(tmp_path / 'a.png')!r}, visible=False, isolate=True); "
        "os.write(2, str(report.readable).encode())"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, env=os.environ)
    assert done.stderr == "True"


@pytest.mark.parametrize("command", ["add", "batch"])
def test_commands_work_where_standard_error_is_closed(tmp_path: Path, command: str) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (320, 240), (90, 140, 60)).save(tmp_path / "in" / "a.png")
    source = "in/a.png" if command == "add" else "in"
    target = ["-o", "out.png"] if command == "add" else ["out"]
    program = [sys.executable, "-m", "labeling.cli", command, source, *target, "--no-visible"]
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh", *program, "--producer", "001191110102MACQD9K64010000"]
    done = subprocess.run(shell, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert (tmp_path / ("out.png" if command == "add" else "out/a.png")).is_file()
