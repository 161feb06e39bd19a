"""The lines of ``results.jsonl``: read as outcomes when a journal was lost, and sorted into current and replaced."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from labeling.batch.listing import MAX_LINE
from labeling.batch.task import Outcome, Status

_PIECE = 1 << 20
"""Bytes that are copied at a time."""

LONGEST_LINE = 64 << 20
"""Bytes of a line that are read; no result of ours is longer."""

UP_TO = "<"
"""Begins the stamp of a source of which only this is known: it was not changed after that time (ns)."""


class ReadLine(NamedTuple):
    """A line of the results: where it is, what it says, and whether the output was removed later."""

    at: int
    outcome: Outcome
    own: str
    pruned: bool


def read_outcomes(results: Path) -> Iterator[ReadLine | int]:
    """Yield what the lines say, and at the end how many bytes are whole lines.

    A line that is none of ours is left out.

    Args:
        results: The file.
    """
    at = 0
    with results.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            if not line.endswith(b"\n"):
                break  # torn
            if (outcome := _outcome(line)) is not None:
                yield ReadLine(at, *outcome)
            at += len(line)
    yield at


def _outcome(line: bytes) -> tuple[Outcome, str, bool] | None:
    try:
        record = json.loads(line)
        path = record["path"]
        path.encode("utf-8", "surrogateescape")
        status = Status(record["status"])
        size, output_size = (_number(record.get(name)) for name in ("size", "output_size"))
        listed = record.get("list") or {}
        own = json.dumps([[str(name), str(value)] for name, value in listed.items()])
        generation = _number(record.get("generation", 1))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if len(path) > MAX_LINE:
        return None
    texts = {name: _text(record.get(name)) for name in ("stamp", "source_sha256", "output", "sha256", "content_id")}
    stamp = texts["stamp"]
    if not stamp and not texts["source_sha256"]:
        stamp = _before(record.get("time"))  # version 1 kept neither
    outcome = Outcome(
        path, status, line, size, stamp, texts["source_sha256"], texts["output"], output_size, texts["sha256"],
        texts["content_id"], generation,
    )  # fmt: skip
    return outcome, own, "pruned" in record


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_LINE else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else 0


def _before(time: Any) -> str:
    try:
        return f"{UP_TO}{int(datetime.fromisoformat(time).timestamp() * 1e9)}"
    except (TypeError, ValueError, OverflowError):
        return ""


def is_unchanged_since(stamp: str, then: str) -> bool:
    """Return whether a source's stamp is the one that was noted, or a date before the time that was noted instead."""
    if then.startswith(UP_TO) and stamp.isdigit() and len(stamp) < 30:
        return int(stamp) <= int(then.removeprefix(UP_TO))
    return stamp == then


def sort_lines(
    old: BinaryIO, size: int, current: Iterable[tuple[bytes, int, int]], kept: BinaryIO, replaced: BinaryIO
) -> Iterator[tuple[bytes, int]]:
    """Copy the current lines of the results to one file, and all others to another; yield where the former now are.

    Args:
        old: The results.
        size: How many bytes of them count.
        current: Key, place and length of the current lines, in the order of their places.
        kept: Gets the current lines.
        replaced: Gets the others.
    """
    end = at = 0
    for key, start, length in current:
        _copy(old, end, start - end, replaced)
        _copy(old, start, length, kept)
        yield key, at
        at += length
        end = start + length
    _copy(old, end, size - end, replaced)


def _copy(source: BinaryIO, start: int, length: int, target: BinaryIO) -> None:
    if length <= 0:
        return
    source.seek(start)
    while length > 0 and (piece := source.read(min(length, _PIECE))):
        target.write(piece)
        length -= len(piece)
