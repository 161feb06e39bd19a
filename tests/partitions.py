"""A small archive for the samples that label with Spark and Dask, and what their rows must say of it."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from labeling.ledger import Ledger

from .test_bad_input import PRODUCER

GOOD = 8
STATUSES = {"labelled": GOOD, "failed": 1, "unsupported": 1}


def archive(folder: Path) -> tuple[Path, Path]:
    """Make a folder of pictures in two formats, one that is damaged and one that is none; and a configuration file."""
    source, config = folder / "in", folder / "aigc-label.toml"
    out = io.BytesIO()
    for number in range(GOOD):
        path = source / ("", "deep")[number % 2] / f"{number:02}.{('jpg', 'png')[number % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (240, 200), (20 * number, 90, 160)).save(path)
    Image.new("RGB", (64, 64)).save(out, "JPEG")
    (source / "broken.jpg").write_bytes(out.getvalue()[:60])
    (source / "notes.txt").write_text("no picture", encoding="utf-8")
    config.write_text(f'producer = "{PRODUCER}"\n', encoding="utf-8")
    return source, config


def check(rows: list[dict[str, Any]], target: Path, ledger: Path) -> None:
    """Every file has one row; a label's row, its file as exiftool reads it, and the ledger agree."""
    assert len({row["path"] for row in rows}) == len(rows)
    assert Counter(row["status"] for row in rows) == STATUSES
    labelled = {row["path"]: row for row in rows if row["status"] == "labelled"}
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == set(labelled)
    answer = subprocess.run(["exiftool", "-j", "-r", "-XMP-TC260:Aigc", str(target)], capture_output=True, check=True)
    for each in json.loads(answer.stdout):
        row = labelled[Path(each["SourceFile"]).relative_to(target).as_posix()]
        assert json.loads(each["Aigc"])["ProduceID"] == row["content_id"]
        assert hashlib.sha256((target / row["path"]).read_bytes()).hexdigest() == row["sha256"]
    assert len({row["content_id"] for row in labelled.values()}) == GOOD
    assert all(row["error"] for row in rows if row["status"] != "labelled")
    with Ledger.open(ledger) as book:
        records = list(book.export())
        assert book.verify().intact
    assert {(each.source, each.content_id, each.sha256) for each in records} == {
        (row["path"], row["content_id"], row["sha256"]) for row in labelled.values()
    }
    assert len(records) == GOOD
