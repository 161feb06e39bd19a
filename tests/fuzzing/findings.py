"""Findings: told apart, confirmed in a fresh process, made small, and kept with the way to see them again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .check import kind_of
from .child import Child

TRIALS = 120
"""Attempts to make a file smaller; a hang costs seconds at each."""

TRIALS_OF_SLOW = 12


@dataclass
class Found:
    """One kind of finding: the first file that showed it, and how many did."""

    verb: str
    finding: str
    name: str
    data: bytes
    number: str
    trace: str = ""
    times: int = 1
    alone: bool = False

    @property
    def kind(self) -> str:
        """What it shares with others like it; the file's first bytes tell apart what has no place in code."""
        kind = kind_of(self.finding)
        return f"{self.verb}: {kind}" + f" {self.data[:4]!r}" * (kind in ("hang", "slow", "memory"))


def smaller(data: bytes, still: Callable[[bytes], bool], trials: int) -> bytes:
    """Cut off the end and cut out pieces, ever smaller ones, as long as the finding stays."""
    size = len(data) // 2
    while size and trials > 0:
        at = len(data) - size
        while at >= 0 and trials > 0:
            trials -= 1
            shorter = data[:at] + data[at + size :]
            if shorter and still(shorter):
                data = shorter
            at -= size
        size //= 2
    return data


def shown(child: Child, verb: str, name: str, data: bytes) -> str:
    """What a file gives in this child for this verb; empty if nothing is wrong."""
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(data)
        file.flush()
        answer = child.ask({"file": file.name, "name": name, "verbs": [verb]})
    return answer["findings"][0]["finding"] if answer["findings"] else ""


def settle(found: Found, child: Child) -> None:
    """Confirm a finding in a fresh process, then make its file small."""
    child.end()
    again = shown(child, found.verb, found.name, found.data)
    found.alone = bool(again)
    if not found.alone:
        return
    found.finding = again
    slow = again.startswith(("hang", "slow", "memory", "process died"))

    def still(data: bytes) -> bool:
        if again.startswith("memory"):
            child.end()
        return kind_of(shown(child, found.verb, found.name, data)) == kind_of(again)

    found.data = smaller(found.data, still, TRIALS_OF_SLOW if slow else TRIALS)


def keep(found: Found, folder: Path) -> None:
    """Write the file and a note beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.number}-{found.verb}"
    path.with_suffix(".bin").write_bytes(found.data)
    note: dict[str, Any] = {"verb": found.verb, "finding": found.finding, "made": found.name, "alone": found.alone}
    path.with_suffix(".json").write_text(json.dumps({**note, "trace": found.trace}, indent=1), encoding="utf-8")
