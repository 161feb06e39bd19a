"""A test that needs a program which is not installed is skipped and names the package; in CI that fails the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import programs

HERE = Path(__file__).parent

CASES = """
import subprocess
import pytest
from . import programs

@pytest.fixture(scope="module")
def made():
    subprocess.run(["ffmpeg", "-version"])

def test_starts_it():
    subprocess.run(["exiftool", "-ver"])

def test_starts_it_in_a_fixture(made):
    raise AssertionError("not reached")

@pytest.mark.needs("mkvmerge", "mkvextract", "gs")
def test_is_marked():
    raise AssertionError("not reached")

def test_asks():
    programs.require("chromium")
"""
MODULE = """
from . import programs
programs.require("openssl")
raise AssertionError("not reached")
"""
BROKEN = """
import subprocess
def test_starts_what_nobody_knows():
    subprocess.run(["no-such-program"])
def test_reads_a_file_that_is_not_there():
    open("exiftool")
"""


def run(folder: Path, *options: str, ci: bool, **files: str) -> tuple[int, str]:
    """Run these tests below a copy of our conftest, on a machine without any program."""
    tests = folder / "tests"
    tests.mkdir()
    for name in ("conftest.py", "programs.py"):
        shutil.copy(HERE / name, tests / name)
    for name, text in files.items():
        (tests / f"test_{name}.py").write_text(text, encoding="utf-8")
    options = ("-ra", "-p", "no:cacheprovider", "--import-mode=importlib", f"--rootdir={folder}", *options)
    words = [sys.executable, "-m", "pytest", *options, "-o", "markers=needs(*programs): x", str(tests)]
    kept = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("PYTEST_")}
    environment = kept | {"PATH": str(folder), "COLUMNS": "240"} | ({"CI": "true"} if ci else {})
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout


def test_a_missing_program_skips_and_names_its_package(tmp_path: Path) -> None:
    code, shown = run(tmp_path, ci=False, cases=CASES, module=MODULE)
    assert code == 0, shown
    assert "5 skipped" in shown
    for program, package in {
        "exiftool is": "libimage-exiftool-perl", "ffmpeg is": "ffmpeg", "chromium is": "chromium",
        "openssl is": "openssl", "mkvmerge, mkvextract, gs are": "mkvtoolnix ghostscript",
    }.items():  # fmt: skip
        assert f"{program} not installed (Debian: apt-get install {package})" in shown


@pytest.mark.parametrize("workers", [0, 2])
def test_in_ci_a_skip_fails_the_run(workers: int, tmp_path: Path) -> None:
    code, shown = run(tmp_path, f"-n{workers}", ci=True, cases=CASES, module=MODULE)
    assert code == 1, shown
    assert "skipped, which CI forbids" in shown
    assert "test_cases.py::test_starts_it: Skipped: exiftool is not installed" in shown
    assert "test_module.py: Skipped: openssl is not installed" in shown


def test_ci_installs_every_package() -> None:
    script = (HERE.parent / ".ci" / "run").read_text(encoding="utf-8")
    wanted = {*programs.PACKAGES.values()} - programs.NOT_IN_CI
    assert [package for package in wanted if f" {package}\n" not in script] == []


def test_what_fails_for_another_reason_still_fails(tmp_path: Path) -> None:
    code, shown = run(tmp_path, ci=False, broken=BROKEN)
    assert code == 1
    assert "2 failed" in shown
