"""Why a verified file does not comply, or could not be judged: one rule and one sentence for each file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORST_FIRST = (("noncompliant", "failed"), ("inconclusive", "warnings"))
"""Outcomes, and the group in a verdict that begins with what brought it about."""


def verdict_cause(line: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the worst outcome, the first rule that brought it about, and its sentence; ``None`` if the file complies.

    Args:
        line: A line of the results of a verification, parsed. It may be damaged.
    """
    report = line.get("report")
    verdicts = report.get("verdicts") if isinstance(report, dict) else None
    found = [each for each in verdicts.values() if isinstance(each, dict)] if isinstance(verdicts, dict) else []
    for outcome, group in _WORST_FIRST:
        for verdict in found:
            if verdict.get("verdict") != outcome:
                continue
            defects = verdict.get(group)
            first = defects[0] if isinstance(defects, list) and defects and isinstance(defects[0], dict) else {}
            return outcome, str(first.get("rule", "")), str(first.get("message", ""))
    return None
