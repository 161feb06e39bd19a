"""Passwords in URLs, before the host and in the query, are in no message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .pictures import rgb
from .test_bad_input import PRODUCER

SECRET = "s3cr3tpw"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledger", "verify", "--ledger", f"postgresql://me:{SECRET}@127.0.0.1:1/db?sslmode=disable"),
        ("ledger", "verify", "--ledger", f"postgresql://me@127.0.0.1:1/db?password={SECRET}"),
        ("ledger", "verify", "--ledger", f"mysql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}"),
        ("ledger", "verify", "--ledger", f"postgresql://me:{SECRET}@127.0.0.1:{SECRET}/db"),
        ("add", "a.png", "--ledger", f"postgresql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}"),
        ("add", "a.png", "--tsa-url", f"ftp://me:{SECRET}@127.0.0.1:1/?key={SECRET}"),
        ("add", "a.png", "--tsa-url", f"http://me:{SECRET}@127.0.0.1:1/?key={SECRET}"),
        ("trust", "add", f"https://me:{SECRET}@127.0.0.1:1/list.pem?key={SECRET}"),
        ("trust", "add", f"https://127.0.0.1:1/list.pem?key={SECRET}"),
        ("trust", "add", f"http://me:{SECRET}@127.0.0.1:1/list.pem?key={SECRET}"),
    ],
)
def test_no_message_repeats_a_password(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    rgb(320, 240).save(tmp_path / "a.png")
    program = [sys.executable, "-m", "labeling.cli"]
    subprocess.run([*program, "init", "--test-signer", "--producer", PRODUCER], cwd=tmp_path, check=True)
    more = ["--producer", PRODUCER, "--no-visible"] if arguments[0] == "add" else []
    done = subprocess.run([*program, *arguments, *more], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stdout + done.stderr
