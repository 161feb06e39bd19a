"""The list of the files that went wrong: JSONL beside the results, which a run takes as its ``file_list``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from labeling.atomic_writes import staged
from labeling.batch.journal import Journal
from labeling.batch.listing import REMARKS
from labeling.filebytes import write_all
from labeling.inert import to_json

FAILED = "failed.jsonl"

_PIECE = 1 << 20


def write_failed_list(path: Path, journal: Journal) -> None:
    """Write the list atomically. It has a line for each file whose last result is a failure, and may be empty.

    Args:
        path: The list.
        journal: The journal, compacted.

    Raises:
        LabelingError: It cannot be written.
    """
    with staged(path) as made, made.open("r+b") as file:
        for piece in _pieces(journal):
            write_all(file.fileno(), piece)


def _pieces(journal: Journal) -> Iterator[bytes]:
    piece = bytearray()
    for overrides, line in journal.failures():
        piece += _line(dict(overrides), line)
        if len(piece) > _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _line(overrides: dict[str, str], line: bytes) -> bytes:
    result = json.loads(line)
    if result["path"].rpartition("/")[2] == ".":
        return b""  # a folder that could not be listed
    cause = (result.get("error") or {}).get("message", "")
    record = {"path": result["path"]} | dict(zip(REMARKS, (result["status"], cause), strict=True)) | overrides
    return to_json(record, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
