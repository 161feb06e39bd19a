"""The record of long runs, one line of JSON each, from which ``make docs`` writes the table in docs/security.md."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from labeling import __version__

FILE = Path(__file__).with_name("runs.jsonl")


def commit() -> str:
    """The commit that is tested, with a plus sign if files differ from it."""
    git = ["git", "-C", str(FILE.parent)]
    try:
        name = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "–"
    return name + "+" * any(not line.endswith(FILE.name) for line in changed.splitlines())


def append(path: Path, **figures: Any) -> None:
    """Add a run."""
    run = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "version": __version__, **figures}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(run) + "\n")
