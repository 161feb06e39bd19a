"""Folders of pictures for batch runs, runs in processes of their own, and what must be true when they have ended."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from labeling.ledger import Ledger

from .pictures import rgb
from .test_bad_input import PRODUCER

STATE = ".aigc-label"


def tree(folder: Path, count: int = 40, *, size: tuple[int, int] = (320, 240)) -> list[str]:
    """Write pictures of three formats into nested folders; return their paths."""
    kinds = (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"))
    encoded: dict[str, bytes] = {}
    paths = []
    for number in range(count):
        extension, kind = kinds[number % len(kinds)]
        if extension not in encoded:
            out = io.BytesIO()
            rgb(*size).save(out, kind)
            encoded[extension] = out.getvalue()
        path = f"{'abc'[number % 3]}/{'deep/' if number % 5 == 0 else ''}{number:04}.{extension}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(encoded[extension])
        paths.append(path)
    return sorted(paths)


def start(*arguments: str | Path, **more: Any) -> subprocess.Popen[str]:
    """Start ``aigc-label batch`` in a process of its own."""
    command = [sys.executable, "-m", "labeling.cli", "batch", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def batch(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run ``aigc-label batch`` to its end, with our producer unless it verifies; by default with one worker."""
    if "--verify" not in arguments:
        arguments = (*arguments, "--producer", PRODUCER)
    if not {"--workers", "--engine"} & {*arguments}:
        arguments = (*arguments, "--workers", "1")  # each of them imports what it needs
    process = start(*arguments, **more)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def lines(target: Path) -> list[dict[str, Any]]:
    """Return the results, in their order."""
    return [json.loads(line) for line in (target / STATE / "results.jsonl").read_text("utf-8").splitlines()]


def results(target: Path) -> dict[str, dict[str, Any]]:
    """Return the result of each file; there must be exactly one."""
    found = lines(target)
    by_path = {line["path"]: line for line in found}
    assert len(by_path) == len(found), [path for path, n in Counter(x["path"] for x in found).items() if n > 1]
    return by_path


def statuses(target: Path) -> Counter[str]:
    """Return how many files have each status."""
    return Counter(line["status"] for line in results(target).values())


def whole(target: Path, paths: list[str], ledger: Path | None = None) -> None:
    """Check that every file is labelled exactly once and intact, that nothing else exists, and the ledger agrees."""
    found = results(target)
    assert sorted(found) == sorted(paths)
    assert {line["status"] for line in found.values()} == {"labelled"}
    outputs = [path for path in target.rglob("*") if path.is_file() and STATE not in path.parts]
    assert sorted(path.relative_to(target).as_posix() for path in outputs) == sorted(paths)
    for path, line in found.items():
        data = (target / path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == line["sha256"], path
        assert line["content_id"].encode() in data, path
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    if ledger is not None:
        with Ledger.open(ledger) as book:
            assert book.verify().intact
            records = [record for record in book.export() if record.kind == "label"]
        assert Counter(record.sha256 for record in records) == Counter(line["sha256"] for line in found.values())
        assert {record.content_id for record in records} == {line["content_id"] for line in found.values()}


def exiftool(path: Path, *tags: str) -> dict[str, str]:
    """Return what exiftool finds in a file under these tags."""
    answer = subprocess.run(["exiftool", "-j", *tags, path], capture_output=True, check=True).stdout
    found: dict[str, str] = json.loads(answer)[0]
    return found
