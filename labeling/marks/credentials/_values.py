"""Steps into JSON whose content strangers wrote: whatever is of another type is nothing, and every list is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_ITEMS = 64
"""Values of one kind that are reported."""

MAX_TEXT = 500
"""Characters of one value that are reported."""


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the mappings in a list; none for anything else."""
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def distinct(*groups: Iterator[str]) -> tuple[str, ...]:
    """Return the texts that are not empty, once each, up to :data:`MAX_ITEMS`."""
    seen: dict[str, None] = {}
    for group in groups:
        for item in group:
            if item and len(seen) < MAX_ITEMS:
                seen[item] = None
    return tuple(seen)


def text(value: Any) -> str:
    """Return a string of the signer's on one line and bounded, ``""`` for anything else."""
    return " ".join(value[: 4 * MAX_TEXT].split())[:MAX_TEXT] if isinstance(value, str) else ""


def shown(value: Any, depth: int = 0) -> Any:
    """Return a value as a report shows it: of any depth up to 4, with texts as :func:`text` gives them."""
    if isinstance(value, dict) and depth < 4:
        return {text(k): shown(v, depth + 1) for k, v in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, list) and depth < 4:
        return [shown(v, depth + 1) for v in value[:MAX_ITEMS]]
    return value if isinstance(value, bool | int | float) or value is None else text(str(value))
