"""A report says of a file what it must, however much the file says: long values are shortened, and that is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from labeling.findings import Finding

LONGEST = 20_000
"""Characters of one value; the fields of GB 45438-2025, Annex E, have far fewer."""

MOST = 1_000_000
"""Characters of all values in a report …"""

LEAST = 100
"""… and those that each value keeps beyond that."""

_DEEPEST = 32

_FLAT = frozenset((str, int, float, bool, type(None)))


def shortened(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings whose values are short enough to be shown, stored and sent."""
    budget = _Budget()
    return tuple(
        each if not each.value or budget.takes_whole(each.value) else replace(each, value=budget.cut(each.value))
        for each in findings
    )


class _Budget:
    def __init__(self) -> None:
        self.left = MOST

    def takes_whole(self, value: dict[str, Any]) -> bool:
        """Return whether :meth:`cut` would change nothing in a value that is texts, numbers and nothing deeper."""
        if not _FLAT.issuperset(map(type, value.values())):
            return False
        length = sum(map(len, value)) + sum(len(each) for each in value.values() if type(each) is str)
        if length > min(LONGEST, self.left):
            return False
        self.left -= length
        return True

    def cut(self, value: Any, depth: int = 0) -> Any:
        """Return a value in whose texts nothing is too long."""
        if isinstance(value, str):
            return self._text(value)
        if depth == _DEEPEST:
            return self._text(str(value)) if isinstance(value, dict | list | tuple) else value
        if isinstance(value, dict):
            return {self.cut(key): self.cut(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.cut(each, depth + 1) for each in value)
        return value

    def _text(self, text: str) -> str:
        room = max(LEAST, min(LONGEST, self.left))
        self.left -= min(len(text), room)
        if len(text) <= room:
            return text
        return f"{text[:room]}… ({len(text) - room} more characters)"
