"""What every test may ask for: the third-party cases, and small pictures of our own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CASES = Path(os.environ.get("AIGC_CASES", ROOT.parent / "shared" / "cases"))


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of real files that nobody here wrote; where it is missing the test is skipped, but never in CI."""
    if CASES.is_dir():
        return CASES
    if os.environ.get("CI"):
        pytest.fail(f"CI must have the third-party cases, but {CASES} is not there")
    pytest.skip(f"the third-party cases are not here ({CASES}); set AIGC_CASES to their folder")


@pytest.fixture(scope="session")
def manifest(cases: Path) -> dict[str, dict[str, Any]]:
    """The truth about each case, by its path inside the folder."""
    entries = json.loads((cases / "MANIFEST.json").read_text(encoding="utf-8"))["cases"]
    return {entry["file"]: entry for entry in entries}


@pytest.fixture(scope="session")
def unshare() -> list[str]:
    """The words before a command that may mount file systems which nobody else sees; in CI it is never missing."""
    words = ["unshare", "--mount"] if os.name == "posix" and os.geteuid() == 0 else ["unshare", "-rm"]
    try:
        able = not subprocess.run([*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode
    except OSError:
        able = False
    if able:
        return words
    if os.environ.get("CI"):
        pytest.fail("CI must be able to mount a file system in a namespace of its own")
    pytest.skip("this machine lets nobody mount a file system")
